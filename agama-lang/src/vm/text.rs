//! How values read in a log line.

use super::heap::Val;
use super::machine::{Fault, Machine};
use crate::effect::Level;

/// Elements of a collection that are shown.
const SHOWN: usize = 9;
/// Collections inside collections that are shown.
const DEPTH: usize = 4;

impl Machine<'_> {
    /// The level and text of `Log a b c`.
    pub(super) fn log_line(&mut self, args: &[Val]) -> Result<(Level, String), Fault> {
        let Some((first, rest)) = args.split_first() else { return Ok((Level::Info, String::new())) };
        let mut shown = Vec::with_capacity(rest.len());
        for value in rest {
            shown.push(self.shown(value));
        }
        let Val::Text(format) = first else {
            shown.insert(0, self.shown(first));
            return self.within(Level::Info, shown.join(" "));
        };
        if format.marks().secret {
            shown.insert(0, format.to_string());
            return self.within(Level::Info, shown.join(" "));
        }
        let (level, text) = level_of(format.as_str());
        let mut values = shown.into_iter();
        let mut line = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '%' => line.push_str(&values.next().unwrap_or_default()),
                c => line.push(c),
            }
        }
        for value in values {
            line.push(' ');
            line.push_str(&value);
        }
        self.within(level, line)
    }

    fn within(&mut self, level: Level, line: String) -> Result<(Level, String), Fault> {
        self.burn(line.len() / 16)?;
        Ok((level, line))
    }

    fn shown(&self, value: &Val) -> String {
        let mut out = String::new();
        self.show(value, 0, &mut out);
        out
    }

    fn show(&self, value: &Val, depth: usize, out: &mut String) {
        match value {
            Val::Null => out.push_str("null"),
            Val::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            Val::Number(n) => out.push_str(&number_text(*n)),
            // `Display` hides secret text.
            Val::Text(text) => out.push_str(&text.to_string()),
            Val::List(_) | Val::Map(_) if depth >= DEPTH => out.push_str("[…]"),
            Val::List(at) => {
                let items = self.state.heap.list(*at);
                self.elements(items.len(), items.iter(), out, |machine, item, out| {
                    machine.show(item, depth + 1, out)
                });
            }
            Val::Map(at) => match self.state.heap.map(*at) {
                Some(entries) if !entries.is_empty() => {
                    self.elements(entries.len(), entries.iter(), out, |machine, (key, value), out| {
                        out.push('(');
                        out.push_str(key);
                        out.push_str(": ");
                        machine.show(value, depth + 1, out);
                        out.push(')');
                    });
                }
                _ => out.push_str("{}"),
            },
        }
    }

    fn elements<T>(
        &self,
        count: usize,
        items: impl Iterator<Item = T>,
        out: &mut String,
        show: impl Fn(&Self, T, &mut String),
    ) {
        out.push('[');
        for (at, item) in items.take(SHOWN).enumerate() {
            if at > 0 {
                out.push_str(", ");
            }
            show(self, item, out);
        }
        if count > SHOWN {
            out.push_str(&format!(", ...{} more", count - SHOWN));
        }
        out.push(']');
    }
}

/// `@level text` or `@l text`; anything else is plain text at info.
fn level_of(text: &str) -> (Level, &str) {
    let found = text.strip_prefix('@').and_then(|rest| rest.split_once(' ')).and_then(|(word, rest)| {
        let level = match word {
            "error" | "e" => Level::Error,
            "warn" | "w" => Level::Warn,
            "info" | "i" => Level::Info,
            "debug" | "d" => Level::Debug,
            "trace" | "t" => Level::Trace,
            _ => return None,
        };
        Some((level, rest))
    });
    found.unwrap_or((Level::Info, text))
}

/// A number as people read it: integral ones without a fraction.
pub(super) fn number_text(n: f64) -> String {
    if n == 0.0 { "0".to_owned() } else { n.to_string() }
}
