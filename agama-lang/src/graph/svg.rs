//! The picture. Colours follow the reader's light or dark setting.

use std::fmt::Write as _;

use super::place::{HEADLINE, Placed, SLANT, TAG, Text, place};
use super::sketch::{Label, Point, Rect, Spot, Wire};
use super::{Ending, Graph, Kind};

/// How round corners of wires are.
const CORNER: i32 = 8;

pub(super) fn svg(graph: &Graph) -> String {
    let placed = place(graph);
    let mut out = head(graph, &placed);
    let Placed { sketch, texts, .. } = &placed;
    for spot in sketch.spots.iter().filter(|spot| spot.frame) {
        node(&mut out, graph, texts, spot);
    }
    for wire in sketch.wires.iter().filter(|wire| wire.back) {
        draw(&mut out, wire);
    }
    for wire in sketch.wires.iter().filter(|wire| !wire.back) {
        draw(&mut out, wire);
    }
    for label in &sketch.labels {
        write_label(&mut out, label);
    }
    for spot in sketch.spots.iter().filter(|spot| !spot.frame) {
        node(&mut out, graph, texts, spot);
    }
    out.push_str("</svg>\n");
    out
}

fn head(graph: &Graph, placed: &Placed) -> String {
    let (width, height) = (placed.width, placed.height);
    let count = |wanted: fn(Kind) -> bool| graph.nodes.iter().filter(|node| wanted(node.kind)).count();
    let (pages, calls) = (count(|kind| kind == Kind::Page), count(|kind| kind == Kind::Call));
    let subflows = count(|kind| kind == Kind::Subflow);
    let decisions = count(|kind| matches!(kind, Kind::Decision | Kind::Match));
    let ends = count(|kind| matches!(kind, Kind::Finish(_)));
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"graph-title graph-desc\">\n"
    );
    let _ = writeln!(out, "<title id=\"graph-title\">Flow {}</title>", escaped(&graph.name));
    let _ = writeln!(
        out,
        "<desc id=\"graph-desc\">{pages} pages, {calls} calls, {subflows} subflows, {decisions} decisions, {ends} ends</desc>"
    );
    out.push_str(STYLE);
    out.push_str(ARROWS);
    let _ = writeln!(out, "<rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>");
    out
}

const STYLE: &str = "<style>
svg { --paper: #ffffff; --ink: #1c2430; --soft: #667085; --wire: #7c8798; --again: #a0a9b8; --card: #ffffff;
  --line: #c3cad6; --frame: #f5f7fa; --frame-line: #d5dbe5; --head: #e6eaf1;
  --page: #e8f2ff; --page-line: #3b7dd8; --call: #ffffff; --call-line: #97a2b3; --flow: #f3ecff; --flow-line: #8457d0;
  --away: #e2f6f8; --away-line: #1f8a99; --ask: #fff6dc; --ask-line: #cf9a2b;
  --good: #def5e4; --good-line: #2f9a4d; --bad: #fde7e7; --bad-line: #cf4444; --open: #eef4df; --open-line: #7a9135;
  --start: #1c2430; --start-ink: #ffffff; }
@media (prefers-color-scheme: dark) { svg { --paper: #12161d; --ink: #e6eaf1; --soft: #98a3b5; --wire: #8792a5;
  --again: #5c6779; --card: #1b212b; --line: #3a4352; --frame: #181d26; --frame-line: #2f3846; --head: #242c38;
  --page: #14283f; --page-line: #5b9bf0; --call: #1f2631; --call-line: #5e6a7d; --flow: #271e3c; --flow-line: #a07df0;
  --away: #0f2d33; --away-line: #43b3c2; --ask: #33290f; --ask-line: #d9a83f;
  --good: #12301d; --good-line: #4cc06d; --bad: #3a1819; --bad-line: #ee6d6d; --open: #262e14; --open-line: #a3bb58;
  --start: #e6eaf1; --start-ink: #12161d; } }
.paper { fill: var(--paper); }
text { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; fill: var(--ink); }
.title { font-size: 12px; font-weight: 600; }
.detail { font-size: 11px; font-weight: 400; fill: var(--soft); }
.tag, .number { font-family: system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; font-size: 9px; }
.tag { font-weight: 700; letter-spacing: 0.09em; text-transform: uppercase; }
.number { fill: var(--soft); }
.label { font-size: 11px; fill: var(--soft); }
.wire { fill: none; stroke: var(--wire); stroke-width: 1.5; }
.again { fill: none; stroke: var(--again); stroke-width: 1.5; }
.tip { fill: var(--wire); } .tip-again { fill: var(--again); }
.shape { stroke-width: 1.4; fill: var(--card); stroke: var(--line); }
.page .shape { fill: var(--page); stroke: var(--page-line); } .page .tag { fill: var(--page-line); }
.call .shape { fill: var(--call); stroke: var(--call-line); } .call .tag { fill: var(--soft); }
.subflow .shape { fill: var(--flow); stroke: var(--flow-line); } .subflow .tag { fill: var(--flow-line); }
.redirect .shape { fill: var(--away); stroke: var(--away-line); } .redirect .tag { fill: var(--away-line); }
.decision .shape { fill: var(--ask); stroke: var(--ask-line); } .decision .tag { fill: var(--ask-line); }
.decision .title { font-weight: 500; }
.steps .shape { fill: none; stroke: var(--line); stroke-dasharray: 3 3; }
.success .shape { fill: var(--good); stroke: var(--good-line); }
.failure .shape { fill: var(--bad); stroke: var(--bad-line); }
.depends .shape { fill: var(--open); stroke: var(--open-line); }
.quit .shape { fill: var(--paper); stroke: var(--soft); stroke-dasharray: 4 3; } .quit .title { fill: var(--soft); }
.start .shape { fill: var(--start); stroke: var(--start); } .start .title { fill: var(--start-ink); }
.start .detail { fill: var(--start-ink); opacity: 0.75; }
.loop .shape { fill: var(--frame); stroke: var(--frame-line); } .loop .head { fill: var(--head); }
</style>
";

const ARROWS: &str = "<defs>
<marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path class=\"tip\" d=\"M0 0.6 8 4 0 7.4Z\"/></marker>
<marker id=\"tip-again\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path class=\"tip-again\" d=\"M0 0.6 8 4 0 7.4Z\"/></marker>
</defs>
";

fn node(out: &mut String, graph: &Graph, texts: &[Text], spot: &Spot) {
    let (Some(node), Some(text)) = (graph.nodes.get(spot.node), texts.get(spot.node)) else { return };
    let class = class(node.kind);
    let _ = writeln!(out, "<g id=\"{}\" class=\"{class}\">", graph.id(spot.node));
    let mut hover = Vec::new();
    hover.extend(node.line.map(|line| format!("line {line}")));
    hover.extend([node.title.clone()].into_iter().filter(|title| !title.is_empty()));
    hover.extend(node.details.iter().cloned());
    let _ = writeln!(out, "<title>{}</title>", escaped(&hover.join("\n")));
    shape(out, node.kind, spot.rect);
    if spot.frame {
        headline(out, text, spot.rect, node.line);
    } else {
        let centred = matches!(
            node.kind,
            Kind::Decision | Kind::Match | Kind::Start | Kind::Finish(_) | Kind::NoFinish | Kind::Quit
        );
        lines(out, node.kind, text, spot.rect, node.line, centred);
    }
    out.push_str("</g>\n");
}

fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Start => "start",
        Kind::Steps => "steps",
        Kind::Page => "page",
        Kind::Redirect => "redirect",
        Kind::Call => "call",
        Kind::Subflow => "subflow",
        Kind::Decision | Kind::Match => "decision",
        Kind::Loop => "loop",
        Kind::Quit => "quit",
        Kind::Finish(Ending::Success) => "success",
        Kind::Finish(Ending::Failure) | Kind::NoFinish => "failure",
        Kind::Finish(Ending::Depends) => "depends",
    }
}

fn shape(out: &mut String, kind: Kind, rect: Rect) {
    let Rect { x, y, w, h } = rect;
    let boxed = |out: &mut String, x: i32, y: i32, w: i32, h: i32, round: i32| {
        let _ = writeln!(
            out,
            "<rect class=\"shape\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"{round}\"/>"
        );
    };
    match kind {
        Kind::Decision | Kind::Match => {
            let (middle, slant) = (y + h / 2, SLANT.min(h / 2));
            let (left, right) = (x + slant, x + w - slant);
            let (end, bottom) = (x + w, y + h);
            let _ = writeln!(
                out,
                "<path class=\"shape\" stroke-linejoin=\"round\" d=\"M{x} {middle} {left} {y}H{right}L{end} {middle} {right} {bottom}H{left}Z\"/>"
            );
        }
        Kind::Start | Kind::Finish(_) | Kind::NoFinish | Kind::Quit => {
            boxed(out, x, y, w, h, (h / 2).min(18))
        }
        Kind::Subflow => {
            boxed(out, x, y, w, h, 7);
            let (left, right, top, bottom) = (x + 5, x + w - 5, y + 5, y + h - 5);
            let _ =
                writeln!(out, "<path class=\"shape\" d=\"M{left} {top}V{bottom}M{right} {top}V{bottom}\"/>");
        }
        Kind::Loop => {
            boxed(out, x, y, w, h, 10);
            let (right, bottom) = (x + w, y + HEADLINE);
            let _ = writeln!(
                out,
                "<path class=\"head\" d=\"M{x} {bottom}V{}a10 10 0 0 1 10 -10H{}a10 10 0 0 1 10 10V{bottom}Z\"/>",
                y + 10,
                right - 10,
            );
        }
        _ => boxed(out, x, y, w, h, 7),
    }
}

fn headline(out: &mut String, text: &Text, rect: Rect, line: Option<u32>) {
    let baseline = rect.y + HEADLINE / 2 + 4;
    let title = text.title.join(" ");
    let detail = text.details.join(" ");
    let _ = writeln!(
        out,
        "<text class=\"title\" x=\"{}\" y=\"{baseline}\">↻ {}<tspan class=\"detail\" dx=\"12\">{}</tspan></text>",
        rect.x + 12,
        escaped(&title),
        escaped(&detail),
    );
    number(out, rect.right() - 10, baseline, line);
}

fn number(out: &mut String, x: i32, y: i32, line: Option<u32>) {
    if let Some(line) = line {
        let _ = writeln!(out, "<text class=\"number\" text-anchor=\"end\" x=\"{x}\" y=\"{y}\">{line}</text>");
    }
}

fn lines(out: &mut String, kind: Kind, text: &Text, rect: Rect, line: Option<u32>, centred: bool) {
    let rows = |lines: &[String], height: i32| i32::try_from(lines.len()).unwrap_or(0) * height;
    let tag = kind.tag();
    let total = rows(&text.title, 16) + rows(&text.details, 15) + if tag.is_empty() { 0 } else { TAG };
    let mut y = rect.y + (rect.h - total) / 2;
    let (x, anchor) =
        if centred { (rect.x + rect.w / 2, " text-anchor=\"middle\"") } else { (rect.x + 12, "") };
    if !tag.is_empty() {
        let _ = writeln!(out, "<text class=\"tag\"{anchor} x=\"{x}\" y=\"{}\">{tag}</text>", y + 9);
        if !centred {
            number(out, rect.right() - 11, y + 9, line);
        }
        y += TAG;
    }
    for (class, height, lines) in [("title", 16, &text.title), ("detail", 15, &text.details)] {
        for line in lines {
            let _ = writeln!(
                out,
                "<text class=\"{class}\"{anchor} x=\"{x}\" y=\"{}\">{}</text>",
                y + 12,
                escaped(line)
            );
            y += height;
        }
    }
}

fn write_label(out: &mut String, label: &Label) {
    let (x, y) = (label.rect.x, label.rect.y + 11);
    let _ = writeln!(out, "<text class=\"label\" x=\"{x}\" y=\"{y}\">{}</text>", escaped(&label.text));
}

/// A wire with round corners.
fn draw(out: &mut String, wire: &Wire) {
    let points = turns(&wire.points);
    let Some((first, rest)) = points.split_first() else { return };
    let (class, tip) = if wire.back { ("again", "tip-again") } else { ("wire", "tip") };
    let _ = write!(out, "<path class=\"{class}\" marker-end=\"url(#{tip})\" d=\"M{} {}", first.0, first.1);
    let mut from = *first;
    for (at, corner) in rest.iter().enumerate() {
        let Some(next) = rest.get(at + 1) else {
            let _ = write!(out, "L{} {}", corner.0, corner.1);
            break;
        };
        let round = CORNER.min(distance(from, *corner) / 2).min(distance(*corner, *next) / 2);
        let (before, after) = (towards(*corner, from, round), towards(*corner, *next, round));
        let _ = write!(out, "L{} {}Q{} {} {} {}", before.0, before.1, corner.0, corner.1, after.0, after.1);
        from = *corner;
    }
    out.push_str("\"/>\n");
}

/// The points where a wire turns; doubles and points on a straight line go.
fn turns(points: &[Point]) -> Vec<Point> {
    let mut kept: Vec<Point> = Vec::with_capacity(points.len());
    for point in points {
        if kept.last() == Some(point) {
            continue;
        }
        if let [.., before, last] = kept.as_slice() {
            let straight = before.0 == last.0 && last.0 == point.0 || before.1 == last.1 && last.1 == point.1;
            if straight {
                kept.pop();
            }
        }
        kept.push(*point);
    }
    kept
}

fn distance(a: Point, b: Point) -> i32 {
    (a.0 - b.0).abs() + (a.1 - b.1).abs()
}

fn towards(from: Point, to: Point, by: i32) -> Point {
    (from.0 + (to.0 - from.0).signum() * by, from.1 + (to.1 - from.1).signum() * by)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
