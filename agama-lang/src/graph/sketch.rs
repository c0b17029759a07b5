//! A placed part of a picture: boxes, wires between them, and the wires that lead out of it.

/// A point, in pixels; x grows to the right, y downwards. A part's spine is at x = 0.
pub(super) type Point = (i32, i32);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rect {
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) w: i32,
    pub(super) h: i32,
}

impl Rect {
    pub(super) fn right(self) -> i32 {
        self.x + self.w
    }

    pub(super) fn bottom(self) -> i32 {
        self.y + self.h
    }

    fn moved(self, dx: i32, dy: i32) -> Self {
        Self { x: self.x + dx, y: self.y + dy, ..self }
    }
}

/// A node in its place. A frame encloses others.
#[derive(Debug, Clone)]
pub(super) struct Spot {
    pub(super) node: usize,
    pub(super) rect: Rect,
    pub(super) frame: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Label {
    pub(super) text: String,
    pub(super) rect: Rect,
}

/// A line through points, with an arrow at its end.
#[derive(Debug, Clone)]
pub(super) struct Wire {
    pub(super) points: Vec<Point>,
    pub(super) back: bool,
}

/// A way out of a part that leads nowhere yet: it hangs at its last point.
#[derive(Debug, Clone)]
pub(super) struct Exit {
    pub(super) points: Vec<Point>,
    pub(super) label: Option<Label>,
}

impl Exit {
    pub(super) fn end(&self) -> Point {
        self.points.last().copied().unwrap_or_default()
    }

    /// How far below its end it may turn: below its label, if it has one.
    pub(super) fn turn(&self) -> i32 {
        if self.label.is_some() { 24 } else { 10 }
    }
}

/// Where a part can be entered.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Entry {
    pub(super) left: Point,
    pub(super) top: Point,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Sketch {
    pub(super) spots: Vec<Spot>,
    pub(super) wires: Vec<Wire>,
    pub(super) labels: Vec<Label>,
    pub(super) exits: Vec<Exit>,
    pub(super) entry: Entry,
}

/// Boxes are at least this far apart.
pub(super) const APART: i32 = 18;
/// A wire that comes from the side joins the spine this far above the next box.
const JOIN: i32 = 16;
/// From box to box below it; more where a label stands between them, still more where others join there.
const BELOW: i32 = 22;
const BELOW_LABEL: i32 = 32;
const BELOW_LABEL_AND_JOIN: i32 = 40;

impl Sketch {
    pub(super) fn left(&self) -> i32 {
        self.xs().min().unwrap_or(0)
    }

    pub(super) fn right(&self) -> i32 {
        self.xs().max().unwrap_or(0)
    }

    pub(super) fn top(&self) -> i32 {
        self.spots.iter().map(|spot| spot.rect.y).min().unwrap_or(0)
    }

    pub(super) fn bottom(&self) -> i32 {
        let boxes = self.spots.iter().map(|spot| spot.rect.bottom());
        let wires = self.wires.iter().flat_map(|wire| wire.points.iter().map(|(_, y)| *y));
        boxes.chain(wires).chain(self.exits.iter().map(|exit| exit.end().1)).max().unwrap_or(0)
    }

    fn xs(&self) -> impl Iterator<Item = i32> {
        let boxes = self.spots.iter().map(|spot| spot.rect).chain(self.labels.iter().map(|label| label.rect));
        let loose = self.exits.iter().filter_map(|exit| exit.label.as_ref()).map(|label| label.rect);
        let sides = boxes.chain(loose).flat_map(|rect| [rect.x, rect.right()]);
        let wires = self.wires.iter().map(|wire| &wire.points);
        let points = wires.chain(self.exits.iter().map(|exit| &exit.points));
        sides.chain(points.flatten().map(|(x, _)| *x))
    }

    pub(super) fn shift(&mut self, dx: i32, dy: i32) {
        let shift = |points: &mut Vec<Point>| {
            points.iter_mut().for_each(|(x, y)| (*x, *y) = (*x + dx, *y + dy));
        };
        self.spots.iter_mut().for_each(|spot| spot.rect = spot.rect.moved(dx, dy));
        self.labels.iter_mut().for_each(|label| label.rect = label.rect.moved(dx, dy));
        self.wires.iter_mut().for_each(|wire| shift(&mut wire.points));
        for exit in &mut self.exits {
            shift(&mut exit.points);
            if let Some(label) = &mut exit.label {
                label.rect = label.rect.moved(dx, dy);
            }
        }
        for (x, y) in [&mut self.entry.left, &mut self.entry.top] {
            (*x, *y) = (*x + dx, *y + dy);
        }
    }

    /// How far `part` must move down to be clear of what is here.
    pub(super) fn clearance(&self, part: &Sketch) -> i32 {
        let mut most = i32::MIN;
        for ours in &self.spots {
            for theirs in &part.spots {
                let beside =
                    ours.rect.right() + APART <= theirs.rect.x || theirs.rect.right() + APART <= ours.rect.x;
                if !beside {
                    most = most.max(ours.rect.bottom() + APART - theirs.rect.y);
                }
            }
            // A wire that goes across may reach further right than the boxes in its row.
            for pair in part.wires.iter().flat_map(|wire| wire.points.windows(2)) {
                if let [(ax, ay), (bx, by)] = pair
                    && ay == by
                    && *ax.min(bx) < ours.rect.right()
                    && *ax.max(bx) > ours.rect.x
                {
                    most = most.max(ours.rect.bottom() + APART / 2 - ay);
                }
            }
        }
        most
    }

    /// Takes `part` in as it stands; its exits come back.
    pub(super) fn absorb(&mut self, part: Sketch) -> Vec<Exit> {
        self.spots.extend(part.spots);
        self.wires.extend(part.wires);
        self.labels.extend(part.labels);
        part.exits
    }

    /// Puts `part` below what is here, on the same spine and nowhere above `floor`, and leads the exits there.
    pub(super) fn append(&mut self, mut part: Sketch, floor: i32) {
        let exits = std::mem::take(&mut self.exits);
        if self.spots.is_empty() {
            *self = part;
            return;
        }
        let mut down = self.clearance(&part).max(floor.saturating_sub(part.top()));
        let joins = exits.iter().any(|exit| exit.end().0 != 0);
        for exit in &exits {
            let (x, y) = exit.end();
            let room = match (x, &exit.label) {
                (0, None) => BELOW,
                (0, Some(_)) if joins => BELOW_LABEL_AND_JOIN,
                (0, Some(_)) => BELOW_LABEL,
                _ => {
                    let between = self
                        .spots
                        .iter()
                        .filter(|spot| spot.rect.x.max(x.min(0)) < spot.rect.right().min(x.max(0)));
                    let lowest = between.map(|spot| spot.rect.bottom()).max().unwrap_or(y).max(y);
                    lowest - y + exit.turn() + JOIN
                }
            };
            down = down.max(y + room - part.entry.top.1);
        }
        if exits.is_empty() {
            down = down.max(self.bottom() + BELOW - part.entry.top.1);
        }
        part.shift(0, down);
        let (to_x, to_y) = part.entry.top;
        for exit in exits {
            let (x, _) = exit.end();
            let mut points = exit.points;
            if x != to_x {
                points.extend([(x, to_y - JOIN), (to_x, to_y - JOIN)]);
            }
            points.push((to_x, to_y));
            self.wires.push(Wire { points, back: false });
            self.labels.extend(exit.label);
        }
        self.exits = self.absorb(part);
    }
}
