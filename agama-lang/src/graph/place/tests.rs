//! What must hold for every picture.

use proptest::prelude::*;

use super::super::sketch::{Label, Rect, Spot};
use super::{Placed, place};
use crate::graph::Graph;

fn placed(source: &str) -> Placed {
    let (flow, found) = crate::parse::parse(source, "a.flow");
    place(&Graph::of(&flow.unwrap_or_else(|| panic!("{found:?}\n{source}"))))
}

fn overlap(a: Rect, b: Rect) -> bool {
    a.x < b.right() && b.x < a.right() && a.y < b.bottom() && b.y < a.bottom()
}

fn inside(inner: Rect, outer: Rect) -> bool {
    inner.x >= outer.x
        && inner.right() <= outer.right()
        && inner.y >= outer.y
        && inner.bottom() <= outer.bottom()
}

/// A piece of a wire as a rectangle without width.
fn runs_through(wire: &[(i32, i32)], rect: Rect) -> bool {
    wire.windows(2).any(|pair| {
        let ((ax, ay), (bx, by)) = (pair[0], pair[1]);
        assert!(ax == bx || ay == by, "wires go straight down or across: {wire:?}");
        let (left, right, top, bottom) = (ax.min(bx), ax.max(bx), ay.min(by), ay.max(by));
        left < rect.right() && right > rect.x && top < rect.bottom() && bottom > rect.y
    })
}

fn check(source: &str) {
    let placed = placed(source);
    let sketch = &placed.sketch;
    let frames: Vec<&Spot> = sketch.spots.iter().filter(|spot| spot.frame).collect();
    let boxes: Vec<&Spot> = sketch.spots.iter().filter(|spot| !spot.frame).collect();
    let page = Rect { x: 0, y: 0, w: placed.width, h: placed.height };
    for (at, one) in boxes.iter().enumerate() {
        assert!(inside(one.rect, page), "{one:?} is outside the picture\n{source}");
        for other in boxes.iter().skip(at + 1) {
            assert!(!overlap(one.rect, other.rect), "{one:?} and {other:?} overlap\n{source}");
        }
        for frame in &frames {
            let apart = !overlap(one.rect, frame.rect);
            assert!(
                apart || inside(one.rect, frame.rect),
                "{one:?} stands on the edge of {frame:?}\n{source}"
            );
        }
        for wire in &sketch.wires {
            assert!(!runs_through(&wire.points, one.rect), "{wire:?} runs through {one:?}\n{source}");
        }
    }
    for (at, one) in frames.iter().enumerate() {
        for other in frames.iter().skip(at + 1) {
            let nested = inside(one.rect, other.rect) || inside(other.rect, one.rect);
            assert!(nested || !overlap(one.rect, other.rect), "{one:?} and {other:?} overlap\n{source}");
        }
    }
    for (at, label) in sketch.labels.iter().enumerate() {
        let Label { text, rect } = label;
        assert!(inside(*rect, page), "{text:?} is outside the picture\n{source}");
        for spot in &boxes {
            assert!(!overlap(*rect, spot.rect), "the label {text:?} lies on {spot:?}\n{source}");
        }
        for other in sketch.labels.iter().skip(at + 1) {
            assert!(
                !overlap(*rect, other.rect),
                "the labels {text:?} and {:?} overlap\n{source}",
                other.text
            );
        }
        for wire in &sketch.wires {
            assert!(
                !runs_through(&wire.points, *rect),
                "{wire:?} runs through the label {label:?}\n{source}"
            );
        }
    }
}

/// A flow that nests as the numbers say.
struct Author<'a> {
    numbers: std::iter::Cycle<std::slice::Iter<'a, u8>>,
    out: String,
    left: usize,
}

impl Author<'_> {
    fn number(&mut self, below: u8) -> u8 {
        self.numbers.next().copied().unwrap_or(0) % below
    }

    fn line(&mut self, depth: usize, text: &str) {
        self.out.push_str(&format!("{}{text}\n", "    ".repeat(depth)));
    }

    fn block(&mut self, depth: usize, in_loop: bool) {
        let count = 1 + self.number(4);
        for at in 0..count {
            self.left = self.left.saturating_sub(1);
            let kind = if depth > 5 || self.left == 0 { self.number(6) } else { self.number(12) };
            match kind {
                0 => self.line(depth, "x = {a: 1, bee: \"two\", sea: x, d: [1, 2, 3]}"),
                1 => self.line(depth, "x = RRF \"some-page.html\" x"),
                2 => self.line(
                    depth,
                    "x | E = Call some.rather.long.package#withALongName x \"and arguments\" x.y",
                ),
                3 => self.line(depth, "x = Trigger some.flow x"),
                4 => self.line(depth, "Finish true"),
                5 => self.line(depth, "Log \"x\""),
                6 | 7 => {
                    self.line(depth, "When x.something is not null and x is y or y is \"a text\"");
                    self.block(depth + 1, false);
                    if kind == 7 {
                        self.line(depth, "Otherwise");
                        self.block(depth + 1, false);
                    }
                }
                8 => {
                    self.line(depth, "Match x to");
                    for arm in 0..=self.number(3) {
                        self.line(depth + 1, &format!("\"{}\"", "arm".repeat(usize::from(arm) + 1)));
                        self.block(depth + 2, false);
                    }
                    if self.number(2) == 0 {
                        self.line(depth, "Otherwise");
                        self.block(depth + 1, false);
                    }
                }
                9 | 10 => {
                    self.line(depth, "y = Repeat 3 times max");
                    self.block(depth + 1, true);
                }
                _ => {
                    self.line(depth, "Iterate over x using y");
                    self.block(depth + 1, true);
                }
            }
            if in_loop && at == 0 && self.number(2) == 0 {
                self.line(depth, "Quit When x is y");
            }
        }
    }
}

fn program(numbers: &[u8]) -> String {
    let header = "Flow a.b\n    Basepath \"\"\n    Inputs y\n\n".to_owned();
    let mut author = Author { numbers: numbers.iter().cycle(), out: header, left: 40 };
    author.block(0, false);
    author.out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_overlaps_and_no_wire_runs_through_a_box(numbers in prop::collection::vec(any::<u8>(), 8..80)) {
        check(&program(&numbers));
    }
}

#[test]
fn the_pictures_of_the_fixtures_are_sound_and_fit_a_screen() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/graph");
    for entry in std::fs::read_dir(folder).unwrap() {
        let source = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        check(&source);
        assert!(placed(&source).width <= 1200, "{source}");
    }
}

#[test]
fn deep_nesting_is_drawn() {
    let mut source = "Flow a.b\n    Basepath \"\"\n    Inputs y\n\n".to_owned();
    for depth in 0..120 {
        source.push_str(&format!("{}When y is {depth}\n", " ".repeat(depth)));
    }
    source.push_str(&format!("{}Finish true\n", " ".repeat(120)));
    check(&source);
}

#[test]
fn a_wire_that_goes_across_is_clear_of_a_way_that_hangs_down_from_above() {
    let header = "Flow a.b\n    Basepath \"\"\n    Inputs y\n\n";
    let hanging = "When y is null\n    RRF \"a.html\"\n    RRF \"b.html\"\n    Finish true\n";
    let ways = "Match y to\n    1\n        Finish true\n    2\n        Finish false\n";
    check(&format!("{header}{hanging}{ways}Finish y\n"));
}
