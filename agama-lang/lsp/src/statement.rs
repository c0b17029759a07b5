//! What may stand at a place, told from the words before it alone: works while a line is being typed.

use std::ops::Range;

use crate::scan::{self, Kind, Token};
use crate::text::Text;

/// What may stand at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Nothing that could be known.
    Nothing,
    /// The name behind `Flow`.
    FlowHeader,
    /// A line of the header.
    HeaderLine,
    /// A statement, or behind `=` what gives a value.
    Statement {
        /// Behind `=`.
        assigned: bool,
    },
    /// A value.
    Value {
        /// Behind `is`, where `not` may stand too.
        compared: bool,
    },
    /// One of these words.
    Words(&'static [&'static str]),
    /// The name of an error variable.
    ErrorName,
    /// A flow's qualified name.
    FlowName,
    /// A routine, or an object with a method.
    Callee,
    /// A property.
    Property {
        /// The variable.
        base: String,
        /// Properties between the variable and the one that is typed; `[]` for an index.
        path: Vec<String>,
    },
    /// A template's path.
    Template {
        /// Inside the quotes.
        quoted: bool,
        /// In `Override templates`: from the templates root.
        overriding: bool,
    },
    /// A folder of templates.
    Basepath,
}

/// A place, and the bytes before it that what is chosen there replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Here {
    pub(crate) place: Place,
    pub(crate) replaces: Range<usize>,
}

/// Finds out what may stand at an offset.
pub(crate) fn here(text: &Text, offset: usize) -> Here {
    let line = text.line_of(offset);
    let start = text.line_start(line);
    let before = text.source().get(start..offset).unwrap_or_default();
    let tokens = scan::line(before, start);
    let nothing = Here { place: Place::Nothing, replaces: offset..offset };
    match tokens.last() {
        Some(last) if last.kind == Kind::Comment => return nothing,
        Some(last) if last.kind == Kind::Text && is_open(text, last) => {
            return in_string(text, &tokens, offset);
        }
        _ => {}
    }
    let words = Words::of(text, tokens, offset);
    let replaces = words.chain_start..offset;
    let last_word = words.last_word_start..offset;
    let place = match words.place(line) {
        Place::Nothing => return nothing,
        place => place,
    };
    let whole = matches!(place, Place::FlowName | Place::Callee | Place::FlowHeader);
    Here { place, replaces: if whole { replaces } else { last_word } }
}

fn is_open(text: &Text, token: &Token) -> bool {
    let shown = text.source().get(token.at.clone()).unwrap_or_default();
    shown.len() == 1 || !shown.ends_with('"')
}

fn in_string(text: &Text, tokens: &[Token], offset: usize) -> Here {
    let open = tokens.last().map_or(offset, |token| token.at.start + 1);
    let word = |index: usize| {
        tokens.get(index).map_or("", |token| text.source().get(token.at.clone()).unwrap_or(""))
    };
    let previous = word(tokens.len().saturating_sub(2));
    let strings = tokens.iter().filter(|token| token.kind == Kind::Text).count();
    let place = if previous == "RRF" {
        Place::Template { quoted: true, overriding: false }
    } else if previous == "Basepath" {
        Place::Basepath
    } else if word(0) == "Override" || (tokens.len() == strings && below_override(text, offset)) {
        Place::Template { quoted: true, overriding: strings % 2 == 1 }
    } else {
        Place::Nothing
    };
    Here { place, replaces: open..offset }
}

/// Whether the lines above, as far as they hold only strings, end at `Override templates`.
fn below_override(text: &Text, offset: usize) -> bool {
    (0..text.line_of(offset))
        .rev()
        .map(|line| text.line(line).trim_start())
        .find(|line| !line.starts_with('"') && !line.is_empty() && !line.starts_with("//"))
        .is_some_and(|line| line.starts_with("Override templates"))
}

/// The words before a place.
struct Words<'a> {
    text: &'a Text,
    /// Without those that touch the place.
    head: Vec<Token>,
    /// What touches the place: `form.lo`, `a.b.c#d`, or nothing.
    chain: &'a str,
    chain_start: usize,
    last_word_start: usize,
}

impl<'a> Words<'a> {
    fn of(text: &'a Text, mut tokens: Vec<Token>, offset: usize) -> Self {
        let source = text.source();
        let mut start = offset;
        let mut depth = 0_usize;
        while let Some(token) = tokens.last().filter(|token| token.at.end == start) {
            let shown = source.get(token.at.clone()).unwrap_or_default();
            match (token.kind, shown) {
                (_, "]") => depth += 1,
                (_, "[") if depth > 0 => depth -= 1,
                (Kind::Sign, "." | "#" | "$") | (Kind::Word | Kind::Number | Kind::Text, _) => {}
                _ if depth > 0 => {}
                _ => break,
            }
            start = token.at.start;
            tokens.pop();
        }
        let chain = source.get(start..offset).unwrap_or_default();
        let word = chain.rfind(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).map_or(0, |at| at + 1);
        Self { text, head: tokens, chain, chain_start: start, last_word_start: start + word }
    }

    fn shown(&self, token: &Token) -> &'a str {
        self.text.source().get(token.at.clone()).unwrap_or_default()
    }

    fn place(&self, line: usize) -> Place {
        let Some(first) = self.head.first().map(|token| self.shown(token)) else {
            return self.line_begins(line);
        };
        if self.head.last().is_some_and(|token| self.shown(token) == "|") && !self.has_equals() {
            return Place::ErrorName;
        }
        let statement = self.statement();
        let groups = groups(&statement);
        let Some(key) = statement.first().map(|token| self.shown(token)) else {
            return self.value_or_property(Place::Statement { assigned: true });
        };
        match key {
            "Trigger" if groups == 1 && !self.chain.starts_with('$') => Place::FlowName,
            "Call" if groups == 1 => Place::Callee,
            "Call" if groups == 2 && !statement.iter().any(|token| self.shown(token) == "#") => {
                Place::Nothing
            }
            "RRF" if groups == 1 => Place::Template { quoted: false, overriding: false },
            "RRF" if groups == 3 => Place::Words(&["true"]),
            "RRF" if groups > 3 => Place::Nothing,
            "Trigger" | "Call" | "RRF" | "RFAC" | "Finish" | "Log" => self.value(false),
            "When" | "and" | "or" => self.condition(&statement),
            "Quit" if groups == 1 => Place::Words(&["When"]),
            "Quit" => self.condition(&statement),
            "Match" | "Repeat" if groups == 1 => self.value(false),
            "Match" if groups == 2 => Place::Words(&["to"]),
            "Repeat" if groups == 2 => Place::Words(&["times max"]),
            "Iterate" if groups == 1 => Place::Words(&["over"]),
            "Iterate" if groups == 2 => self.value(false),
            "Iterate" if groups == 3 => Place::Words(&["using"]),
            "Override" if groups == 1 => Place::Words(&["templates"]),
            "Timeout" if groups == 2 => Place::Words(&["seconds"]),
            "Flow" if groups == 1 && first == "Flow" => Place::FlowHeader,
            "[" | "{" | "-" => self.value(false),
            _ if first == "," || self.goes_on(line) => self.value(false),
            _ => Place::Nothing,
        }
    }

    /// Nothing stands before the place in its line but what touches it.
    fn line_begins(&self, line: usize) -> Place {
        if self.goes_on(line) {
            return self.value(false);
        }
        let indented = self.text.line(line).starts_with([' ', '\t']);
        match self.above(line).find(|line| !line.starts_with([' ', '\t'])) {
            None => return Place::Words(&["Flow"]),
            Some(header) if indented && header.starts_with("Flow") => return Place::HeaderLine,
            Some(_) => {}
        }
        self.value_or_property(Place::Statement { assigned: false })
    }

    /// Whether the line continues the one above: a literal after a comma, a condition after `and` or `or`.
    fn goes_on(&self, line: usize) -> bool {
        self.above(line).next().is_some_and(|above| {
            let code = scan::without_comment(above);
            code.ends_with(',') || code.ends_with(" and") || code.ends_with(" or")
        })
    }

    /// The lines above that hold more than a comment, the nearest first.
    fn above(&self, line: usize) -> impl Iterator<Item = &'a str> {
        let text = self.text;
        let lines = (0..line).rev().map(|line| text.line(line));
        lines.filter(|line| !scan::without_comment(line).trim().is_empty())
    }

    fn has_equals(&self) -> bool {
        self.head.iter().any(|token| self.shown(token) == "=")
    }

    /// The words of the statement, without a target before it.
    fn statement(&self) -> Vec<&Token> {
        let equals = self.head.iter().position(|token| self.shown(token) == "=");
        self.head.iter().skip(equals.map_or(0, |at| at + 1)).collect()
    }

    fn condition(&self, statement: &[&Token]) -> Place {
        let joint = |token: &&Token| matches!(self.shown(token), "and" | "or" | "When");
        let start = statement.iter().rposition(joint).map_or(0, |at| at + 1);
        let part = statement.get(start..).unwrap_or_default();
        let is = part.iter().position(|token| self.shown(token) == "is");
        let Some(is) = is else {
            return if part.is_empty() || self.is_minus(part) {
                self.value(false)
            } else {
                Place::Words(&["is"])
            };
        };
        let after = part.get(is + 1..).unwrap_or_default();
        let negated = after.first().is_some_and(|token| self.shown(token) == "not");
        let right = after.get(usize::from(negated)..).unwrap_or_default();
        if right.is_empty() || self.is_minus(right) {
            self.value(!negated && right.is_empty())
        } else {
            Place::Words(&["and", "or"])
        }
    }

    fn is_minus(&self, tokens: &[&Token]) -> bool {
        matches!(tokens, [only] if self.shown(only) == "-")
    }

    fn value(&self, compared: bool) -> Place {
        self.value_or_property(Place::Value { compared })
    }

    fn value_or_property(&self, otherwise: Place) -> Place {
        let chain = self.chain.trim_start_matches('$');
        let Some(dot) = chain.rfind(['.', '[']).filter(|dot| chain.get(*dot..) != Some("[")) else {
            return otherwise;
        };
        let (path, last) = chain.split_at(dot);
        if last.starts_with(".$") || last.starts_with('[') {
            return Place::Value { compared: false };
        }
        let mut parts = path.split('.').flat_map(|part| {
            let (name, index) = part.split_once('[').map_or((part, false), |(name, _)| (name, true));
            [name.trim_matches('"').to_owned()].into_iter().chain(index.then(|| "[]".to_owned()))
        });
        match parts.next().filter(|base| !base.is_empty()) {
            Some(base) => Place::Property { base, path: parts.collect() },
            None => Place::Nothing,
        }
    }
}

/// How many words there are, when those that touch count as one.
fn groups(tokens: &[&Token]) -> usize {
    let gaps = tokens.iter().zip(tokens.iter().skip(1)).filter(|(one, next)| one.at.end != next.at.start);
    if tokens.is_empty() { 0 } else { gaps.count() + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The place at `^` in a text.
    fn at(marked: &str) -> (Place, String) {
        let offset = marked.find('^').unwrap();
        let source = marked.replace('^', "");
        let found = here(&Text::new(source.clone()), offset);
        (found.place, source[found.replaces].to_owned())
    }

    fn in_body(line: &str) -> (Place, String) {
        at(&format!("Flow a.b\n    Basepath \"a\"\n\n{line}"))
    }

    #[test]
    fn statements_begin_lines_and_follow_equals() {
        assert_eq!(in_body("^"), (Place::Statement { assigned: false }, String::new()));
        assert_eq!(in_body("x = 1\n    Fi^"), (Place::Statement { assigned: false }, "Fi".to_owned()));
        assert_eq!(in_body("x | E = Ca^"), (Place::Statement { assigned: true }, "Ca".to_owned()));
        assert_eq!(in_body("x | ^").0, Place::ErrorName);
        assert_eq!(at("Fl^").0, Place::Words(&["Flow"]));
        assert_eq!(at("// c\nFlow a.b^").0, Place::FlowHeader);
        assert_eq!(at("Flow a.b\n    Ba^"), (Place::HeaderLine, "Ba".to_owned()));
        assert_eq!(at("Flow a.b\n    Timeout 3 ^").0, Place::Words(&["seconds"]));
    }

    #[test]
    fn conditions_ask_for_the_next_word() {
        assert_eq!(in_body("When ^").0, Place::Value { compared: false });
        assert_eq!(in_body("When x.y[0] ^").0, Place::Words(&["is"]));
        assert_eq!(in_body("When x is ^").0, Place::Value { compared: true });
        assert_eq!(in_body("When x is not nu^").0, Place::Value { compared: false });
        assert_eq!(in_body("When x is -^").0, Place::Value { compared: false });
        assert_eq!(in_body("When x is \"a b\" ^").0, Place::Words(&["and", "or"]));
        assert_eq!(in_body("Quit When x is not y or ^").0, Place::Value { compared: false });
        assert_eq!(in_body("When x is y and\n^").0, Place::Value { compared: false });
        assert_eq!(in_body("When x is y\nand z ^").0, Place::Words(&["is"]));
        assert_eq!(in_body("Quit ^").0, Place::Words(&["When"]));
    }

    #[test]
    fn calls_triggers_and_pages_ask_for_names() {
        assert_eq!(in_body("x = Trigger demo.pa^"), (Place::FlowName, "demo.pa".to_owned()));
        assert_eq!(in_body("Trigger $na^"), (Place::Value { compared: false }, "na".to_owned()));
        assert_eq!(in_body("u = Call agamid.users#fi^"), (Place::Callee, "agamid.users#fi".to_owned()));
        assert_eq!(in_body("u = Call a.b.c#d ^").0, Place::Value { compared: false });
        assert_eq!(in_body("u = Call obj ^").0, Place::Nothing);
        assert_eq!(
            in_body("f = RRF \"lo^"),
            (Place::Template { quoted: true, overriding: false }, "lo".to_owned())
        );
        assert_eq!(in_body("RRF ^").0, Place::Template { quoted: false, overriding: false });
        assert_eq!(in_body("RRF \"a.html\" m ^").0, Place::Words(&["true"]));
        assert_eq!(
            in_body("Trigger a\n    Override templates \"x/^").0,
            Place::Template { quoted: true, overriding: true }
        );
        assert_eq!(
            in_body("Trigger a\n    Override templates \"x\" \"y\"\n    \"z\" \"^").0,
            Place::Template { quoted: true, overriding: false }
        );
    }

    #[test]
    fn properties_know_their_variable_and_the_way_to_it() {
        let property = |base: &str, path: &[&str]| Place::Property {
            base: base.to_owned(),
            path: path.iter().map(|part| (*part).to_owned()).collect(),
        };
        assert_eq!(in_body("Log form.^"), (property("form", &[]), String::new()));
        assert_eq!(in_body("x = r.data.us^"), (property("r", &["data"]), "us".to_owned()));
        assert_eq!(in_body("Log a.\"odd key\".b[0].^").0, property("a", &["odd key", "b", "[]"]));
        assert_eq!(in_body("page.^").0, property("page", &[]));
        assert_eq!(in_body("x = {a: form.^").0, property("form", &[]));
        assert_eq!(in_body("Log a.$k^").0, Place::Value { compared: false });
        assert_eq!(in_body("Log a[k^").0, Place::Value { compared: false });
        assert_eq!(in_body("x = [1,\n  form.^").0, property("form", &[]));
    }

    #[test]
    fn nothing_is_offered_in_comments_plain_strings_and_new_names() {
        for line in ["// Trigger ^", "Log \"Call ^", "Iterate over x using it^", "x = y ^", "x ^", "Log 3.^"]
        {
            let place = in_body(line).0;
            assert!(place == Place::Nothing || line.contains("3."), "{line}: {place:?}");
        }
    }

    #[test]
    fn loops_and_matches_ask_for_their_words() {
        assert_eq!(in_body("Repeat 3 ^").0, Place::Words(&["times max"]));
        assert_eq!(in_body("Iterate ^").0, Place::Words(&["over"]));
        assert_eq!(in_body("n = Iterate over list ^").0, Place::Words(&["using"]));
        assert_eq!(in_body("Match x.y ^").0, Place::Words(&["to"]));
    }
}
