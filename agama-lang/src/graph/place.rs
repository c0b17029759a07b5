//! Where everything stands. The straight way goes down a spine; what branches off stands to the right of its decision,
//! and comes back to the spine below; a loop is a frame around its body. Since programs nest, so does the picture:
//! nothing crosses.

use super::sketch::{APART, Entry, Exit, Label, Point, Rect, Sketch, Spot, Wire};
use super::{Branch, Graph, Item, Kind, Node};

/// The width of all boxes that are no pills.
pub(super) const CARD: i32 = 232;
/// The room at the slanted sides of a decision.
pub(super) const SLANT: i32 = 16;
/// The height of the line with a node's tag.
pub(super) const TAG: i32 = 14;
/// The height of a loop's headline.
pub(super) const HEADLINE: i32 = 28;
/// Inside a loop's frame.
const PAD: i32 = 18;
/// Between columns, for the wire and its label.
const COLUMN: i32 = 44;
/// The picture's own margin.
const MARGIN: i32 = 28;
/// Wider pictures are made narrower and longer, if that helps.
const WIDEST: i32 = 1144;

/// A picture: everything in its place.
pub(super) struct Placed {
    pub(super) sketch: Sketch,
    pub(super) texts: Vec<Text>,
    pub(super) width: i32,
    pub(super) height: i32,
}

/// What a node says, in lines that fit into it.
#[derive(Debug, Clone, Default)]
pub(super) struct Text {
    pub(super) title: Vec<String>,
    pub(super) details: Vec<String>,
    size: (i32, i32),
}

pub(super) fn place(graph: &Graph) -> Placed {
    let texts: Vec<Text> = graph.nodes.iter().map(text).collect();
    let mut best: Option<Sketch> = None;
    for broad in [i32::MAX, 900, 640, 0] {
        let placer = Placer { graph, texts: &texts, broad };
        let sketch = placer.block(&graph.items);
        let width = |sketch: &Sketch| sketch.right() - sketch.left();
        let done = width(&sketch) <= WIDEST;
        if best.as_ref().is_none_or(|best| width(&sketch) < width(best)) {
            best = Some(sketch);
        }
        if done {
            break;
        }
    }
    let mut sketch = best.unwrap_or_default();
    sketch.shift(MARGIN - sketch.left(), MARGIN - sketch.top());
    let (width, height) = (sketch.right() + MARGIN, sketch.bottom() + MARGIN);
    Placed { sketch, texts, width, height }
}

struct Placer<'a> {
    graph: &'a Graph,
    texts: &'a [Text],
    /// Choices broader than this have their ways below each other.
    broad: i32,
}

impl Placer<'_> {
    fn block(&self, items: &[Item]) -> Sketch {
        let mut sketch = Sketch::default();
        for item in items {
            let part = match item {
                Item::Node(node) => self.single(*node),
                Item::Choice { node, branches, otherwise, straight } => {
                    self.choice(*node, branches, otherwise, straight)
                }
                Item::Loop { node, body, out } => self.repeated(*node, body, out),
            };
            sketch.append(part, i32::MIN);
        }
        sketch
    }

    fn single(&self, node: usize) -> Sketch {
        let (w, h) = self.texts.get(node).map(|text| text.size).unwrap_or_default();
        let rect = Rect { x: -w / 2, y: 0, w, h };
        let kind = self.graph.nodes.get(node).map(|node| node.kind);
        let ends = matches!(kind, Some(Kind::Finish(_) | Kind::NoFinish | Kind::Quit));
        let exits = if ends { Vec::new() } else { vec![Exit { points: vec![(0, h)], label: None }] };
        Sketch {
            spots: vec![Spot { node, rect, frame: false }],
            exits,
            entry: Entry { left: (rect.x, h / 2), top: (0, 0) },
            ..Sketch::default()
        }
    }

    fn choice(&self, node: usize, branches: &[Branch], otherwise: &[Item], straight: &str) -> Sketch {
        let ways: Vec<Sketch> = branches.iter().map(|branch| self.block(&branch.items)).collect();
        let other = (!otherwise.is_empty()).then(|| self.block(otherwise));
        let gaps = branches.iter().map(|branch| label_width(&branch.label) + 28);
        let gap = gaps.max().unwrap_or(0).max(COLUMN);
        let plan = Plan { decision: self.single(node), branches, ways, other, straight, gap };
        let broad = plan.clone().broad();
        if broad.right() - broad.left() > self.broad { plan.long() } else { broad }
    }

    fn repeated(&self, node: usize, body: &[Item], out: &str) -> Sketch {
        let mut inner = self.block(body);
        let down = (HEADLINE + 24 - inner.entry.top.1).max(HEADLINE + 14 - inner.top());
        inner.shift(0, down);
        let headline = self.texts.get(node).map_or(0, |text| text.size.0);
        let entry_x = inner.entry.top.0;
        let again = !inner.exits.is_empty();
        let rail = inner.left() - 16;
        let left = (if again { rail } else { inner.left() }) - PAD;
        let right = (inner.right() + PAD).max(left + headline);
        let turn = inner.exits.iter().map(Exit::turn).max().unwrap_or(0);
        let below = inner.bottom() + turn;
        let mut sketch = Sketch::default();
        for exit in std::mem::take(&mut inner.exits) {
            let (x, _) = exit.end();
            let mut points = exit.points;
            points.extend([(x, below), (rail, below), (rail, HEADLINE)]);
            sketch.wires.push(Wire { points, back: true });
            sketch.labels.extend(exit.label);
        }
        let bottom = (if again { below } else { inner.bottom() }) + PAD - 4;
        sketch.wires.push(Wire { points: vec![(entry_x, HEADLINE), inner.entry.top], back: false });
        let rect = Rect { x: left, y: 0, w: right - left, h: bottom };
        sketch.spots.push(Spot { node, rect, frame: true });
        sketch.absorb(inner);
        sketch.entry = Entry { left: (left, HEADLINE / 2), top: (0, 0) };
        let out = if self.can_quit(body) { format!("{out}, or quit") } else { out.to_owned() };
        let label = beside((0, bottom), &out);
        sketch.exits.push(Exit { points: vec![(0, bottom)], label });
        sketch
    }

    /// Whether a loop's body has a `Quit`, which stands directly in it.
    fn can_quit(&self, body: &[Item]) -> bool {
        let quits = |item: &Item| match item {
            Item::Node(node) => self.graph.nodes.get(*node).is_some_and(|node| node.kind == Kind::Quit),
            _ => false,
        };
        body.iter().any(|item| match item {
            Item::Choice { branches, .. } => branches.iter().any(|branch| branch.items.iter().any(quits)),
            _ => false,
        })
    }
}

/// A decision with its ways, each drawn already.
#[derive(Clone)]
struct Plan<'a> {
    decision: Sketch,
    branches: &'a [Branch],
    ways: Vec<Sketch>,
    other: Option<Sketch>,
    straight: &'a str,
    gap: i32,
}

impl Plan<'_> {
    fn right_side(&self) -> Point {
        (CARD / 2, self.decision.entry.left.1)
    }

    /// The way straight on hangs below the decision, at `y`.
    fn go_straight(&self, sketch: &mut Sketch, y: i32) {
        let (_, bottom) = self.decision.exits.first().map(Exit::end).unwrap_or_default();
        let mut points = vec![(0, bottom)];
        if y > bottom {
            points.push((0, y));
        }
        let hangs = (0, y.max(bottom));
        sketch.exits = vec![Exit { points, label: beside(hangs, self.straight) }];
    }

    /// All ways side by side.
    fn broad(mut self) -> Sketch {
        let start = self.right_side();
        let mut sketch = Sketch { exits: Vec::new(), ..self.decision.clone() };
        self.go_straight(&mut sketch, 0);
        if let Some(other) = self.other.take() {
            sketch.append(other, i32::MIN);
        }
        let mut right = sketch.right().max(start.0);
        let single = self.ways.len() == 1;
        for (mut way, branch) in std::mem::take(&mut self.ways).into_iter().zip(self.branches) {
            let dx = right + self.gap - way.left();
            if single {
                way.shift(dx, start.1 - way.entry.left.1);
                sketch.labels.extend(above((start.0 + 6, start.1), &branch.label));
                sketch.wires.push(Wire { points: vec![start, way.entry.left], back: false });
            } else {
                let top = (start.1 + 46 - way.entry.top.1).max(start.1 + APART - way.top());
                way.shift(dx, top);
                let (x, y) = way.entry.top;
                sketch.labels.extend(beside((x, y - 30), &branch.label));
                sketch.wires.push(Wire { points: vec![start, (x, start.1), (x, y)], back: false });
            }
            right = way.right().max(right);
            let exits = sketch.absorb(way);
            sketch.exits.extend(exits);
        }
        sketch
    }

    /// The ways below each other. Who comes back to the spine goes round the others, on a rail at the right.
    fn long(mut self) -> Sketch {
        let start = self.right_side();
        let mut sketch = Sketch { exits: Vec::new(), ..self.decision.clone() };
        let ways = std::mem::take(&mut self.ways);
        let other_right = self.other.as_ref().map_or(0, Sketch::right);
        let widest = ways.iter().map(|way| way.right() - way.left()).max().unwrap_or(0);
        let rail = (start.0 + self.gap + widest).max(other_right) + 14;
        let crowded = other_right > start.0;
        let mut loose: Vec<Exit> = Vec::new();
        let (mut row, mut below) = (start.1, start.1);
        let last = ways.len().saturating_sub(1);
        for (at, (mut way, branch)) in ways.into_iter().zip(self.branches).enumerate() {
            way.shift(start.0 + self.gap - way.left(), start.1 - way.entry.left.1);
            let mut points = vec![start];
            if at > 0 {
                way.shift(0, (below.max(sketch.bottom()) + APART - way.top()).max(0));
                let (_, bottom) = self.decision.exits.first().map(Exit::end).unwrap_or_default();
                points = vec![(0, bottom), (0, way.entry.left.1)];
            }
            row = way.entry.left.1;
            points.push(way.entry.left);
            sketch.labels.extend(above((start.0 + 6, row), &branch.label));
            sketch.wires.push(Wire { points, back: false });
            let round = at < last || crowded;
            let under = way.bottom() + way.exits.iter().map(Exit::turn).max().unwrap_or(0);
            let mut exits = sketch.absorb(way);
            for exit in exits.iter_mut().filter(|_| round) {
                let (x, _) = exit.end();
                exit.points.extend([(x, under), (rail, under)]);
                below = under;
            }
            loose.extend(exits);
        }
        self.go_straight(&mut sketch, if self.branches.len() > 1 { row + 8 } else { 0 });
        if let Some(other) = self.other.take() {
            let floor = if crowded { below.max(sketch.bottom()) + APART } else { i32::MIN };
            sketch.append(other, floor);
        }
        sketch.exits.extend(loose);
        sketch
    }
}

/// A label to the right of a wire that goes down from `point`.
fn beside((x, y): Point, text: &str) -> Option<Label> {
    (!text.is_empty()).then(|| Label {
        text: text.to_owned(),
        rect: Rect { x: x + 7, y: y + 4, w: label_width(text), h: 15 },
    })
}

/// A label above a wire that goes right from `point`.
fn above((x, y): Point, text: &str) -> Option<Label> {
    (!text.is_empty())
        .then(|| Label { text: text.to_owned(), rect: Rect { x, y: y - 18, w: label_width(text), h: 15 } })
}

fn label_width(text: &str) -> i32 {
    (columns(text) * 67 + 9) / 10
}

/// How many cells of a monospaced font a text takes.
fn columns(text: &str) -> i32 {
    text.chars().map(cells).sum()
}

fn cells(c: char) -> i32 {
    if ('\u{1100}'..='\u{115f}').contains(&c) || c >= '\u{2e80}' { 2 } else { 1 }
}

/// What a node says, wrapped, and how large that makes it.
fn text(node: &Node) -> Text {
    let (title_room, detail_room) = match node.kind {
        Kind::Decision | Kind::Match => (CARD - 2 * SLANT - 12, CARD - 2 * SLANT - 12),
        Kind::Loop => (i32::MAX, i32::MAX),
        _ => (CARD - 24, CARD - 24),
    };
    let most = if node.kind == Kind::Decision { 6 } else { 3 };
    let title = wrap(&node.title, title_room.saturating_mul(10) / 73, most);
    let details: Vec<String> =
        node.details.iter().flat_map(|line| wrap(line, detail_room.saturating_mul(10) / 67, 2)).collect();
    let high = |lines: &[String], height: i32| i32::try_from(lines.len()).unwrap_or(0) * height;
    let tag = if node.kind.tag().is_empty() { 0 } else { TAG };
    let text_height = high(&title, 16) + high(&details, 15) + tag;
    let widest = |lines: &[String], tenths: i32| {
        lines.iter().map(|line| (columns(line) * tenths + 9) / 10).max().unwrap_or(0)
    };
    let pill = widest(&title, 73).max(widest(&details, 67)) + 34;
    let size = match node.kind {
        Kind::Start | Kind::Finish(_) | Kind::NoFinish | Kind::Quit => {
            (pill.clamp(100, CARD), text_height + 18)
        }
        Kind::Decision | Kind::Match => (CARD, (text_height + 18).max(40)),
        Kind::Loop => (widest(&title, 73) + widest(&details, 67) + 72, HEADLINE),
        Kind::Steps => (CARD, text_height + 10),
        _ => (CARD, text_height + 13),
    };
    // Even widths have their middle on a whole pixel.
    Text { title, details, size: (size.0 + size.0 % 2, size.1 + size.1 % 2) }
}

/// Breaks a text into lines of at most `room` cells: at blanks, in a longer word behind dots, else anywhere; `most`
/// lines at most.
fn wrap(text: &str, room: i32, most: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_inclusive(' ') {
        let parts: Vec<&str> = if columns(word.trim_end()) > room {
            word.split_inclusive(['.', '/', '#']).collect()
        } else {
            vec![word]
        };
        for part in parts {
            if columns(&line) + columns(part.trim_end()) > room && !line.trim().is_empty() {
                lines.push(std::mem::take(&mut line).trim_end().to_owned());
            }
            for c in part.chars() {
                if columns(&line) + cells(c) > room && c != ' ' {
                    lines.push(std::mem::take(&mut line).trim_end().to_owned());
                }
                line.push(c);
            }
        }
    }
    if !line.trim().is_empty() {
        lines.push(line.trim_end().to_owned());
    }
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            let room = usize::try_from(room).unwrap_or(usize::MAX);
            *last = super::words::shortened(&format!("{last} …"), room);
        }
    }
    lines
}

#[cfg(test)]
mod tests;
