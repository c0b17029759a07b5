//! How values read in a log line.

use super::heap::Val;
use super::machine::{Fault, Machine};
use crate::effect::Level;
use crate::value::REDACTED;

/// Elements of a collection that are shown.
const SHOWN: usize = 9;
/// Bytes of a line; what is longer is cut.
const LONGEST: usize = 16 * 1024;
/// Collections inside collections that are shown.
const DEPTH: usize = 4;

impl Machine<'_> {
    /// The level and text of `Log a b c`.
    pub(super) fn log_line(&mut self, args: &[Val]) -> Result<(Level, String), Fault> {
        let mut level = Level::Info;
        let mut line = String::new();
        let mut values = args.iter();
        match args.first() {
            // A secret is no format: neither its level nor its placeholders may show.
            Some(Val::Text(format)) if !format.marks().secret => {
                values.next();
                let (found, text) = level_of(format.as_str());
                level = found;
                for c in text.chars() {
                    if line.len() > LONGEST {
                        break;
                    }
                    match c {
                        '%' => {
                            if let Some(value) = values.next() {
                                self.show(value, 0, &mut line);
                            }
                        }
                        c => line.push(c),
                    }
                }
            }
            _ => {
                if let Some(first) = values.next() {
                    self.show(first, 0, &mut line);
                }
            }
        }
        for value in values {
            line.push(' ');
            self.show(value, 0, &mut line);
        }
        if line.len() > LONGEST {
            let end = (0..=LONGEST).rev().find(|end| line.is_char_boundary(*end)).unwrap_or(0);
            line.truncate(end);
            line.push('…');
        }
        self.burn(line.len() / 16)?;
        Ok((level, line))
    }

    fn show(&self, value: &Val, depth: usize, out: &mut String) {
        if out.len() > LONGEST {
            return;
        }
        match value {
            Val::Null => out.push_str("null"),
            Val::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            Val::Number(n) => out.push_str(&number_text(*n)),
            Val::Text(text) if text.marks().secret => out.push_str(REDACTED),
            Val::Text(text) => out.extend(text.as_str().chars().take(LONGEST)),
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
    if n == 0.0 {
        "0".to_owned()
    } else if n.is_infinite() {
        if n > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() }
    } else {
        n.to_string()
    }
}
