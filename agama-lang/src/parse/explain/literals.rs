//! Lists and maps that went wrong: a walk over the pieces, up to the first that does not belong.

use super::Verdict;
use super::tokens::{KEYWORDS, Kind, Look};
use crate::diagnostic::Code;

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wants {
    Value,
    Key,
    Colon,
    /// A comma or the closing bracket.
    Comma,
}

/// The first mistake in the list or map behind `=`.
pub(super) fn literal(look: &Look<'_>) -> Option<Verdict> {
    let start = look.verb();
    if start == 0 || !matches!(look.piece(start), "[" | "{") {
        return None;
    }
    let mut open: Vec<&str> = Vec::new();
    let mut wants = Wants::Value;
    let mut number = start;
    while number < look.tokens.len() {
        let piece = look.piece(number);
        let first = number.checked_sub(1).is_some_and(|before| matches!(look.piece(before), "[" | "{"));
        match (wants, piece) {
            (Wants::Value, "[" | "{") => {
                open.push(piece);
                wants = if piece == "{" { Wants::Key } else { Wants::Value };
            }
            (Wants::Value | Wants::Key | Wants::Comma, "]" | "}") => {
                if wants != Wants::Comma && !first {
                    return missing(look, number);
                }
                let fits = matches!((open.pop(), piece), (Some("["), "]") | (Some("{"), "}"));
                if !fits {
                    let hint = "[ is closed by ], { by }";
                    return wrong(look.span(number), "this bracket closes nothing", hint);
                }
                wants = Wants::Comma;
            }
            (Wants::Comma, ",") if !open.is_empty() => {
                wants = if open.last() == Some(&"{") { Wants::Key } else { Wants::Value };
            }
            (Wants::Colon, ":") => wants = Wants::Value,
            (Wants::Key, _) => {
                if let Some(verdict) = bad_key(look, number) {
                    return Some(verdict);
                }
                wants = Wants::Colon;
            }
            (Wants::Value, _) => match value(look, number) {
                Ok(next) => {
                    wants = Wants::Comma;
                    number = next;
                    continue;
                }
                Err(verdict) => return Some(verdict),
            },
            (Wants::Colon, _) => {
                return wrong(look.span(number), "a colon is missing behind the key", "write {key: value}");
            }
            (Wants::Comma, _) if open.is_empty() => {
                return wrong(
                    look.span(number),
                    "the list or map is already closed here",
                    "delete what follows it",
                );
            }
            (Wants::Comma, _) => {
                return wrong(look.span(number), "a comma is missing here", "write [a, b] and {k: a, l: b}");
            }
        }
        number += 1;
    }
    let end = look.text.len();
    let hint = "close it with ] or }; it may go on in the next line behind a comma";
    (!open.is_empty()).then(|| Verdict::new(Code::Syntax, (end, end), "this list or map is not closed", hint))
}

fn wrong(span: (usize, usize), message: impl Into<String>, hint: impl Into<String>) -> Option<Verdict> {
    Some(Verdict::new(Code::Syntax, span, message, hint))
}

/// An element is missing before this piece.
fn missing(look: &Look<'_>, number: usize) -> Option<Verdict> {
    let before = look.piece(number.saturating_sub(1));
    let message =
        if before == ":" { "a value is missing here" } else { "an element is missing beside this comma" };
    wrong(
        look.span(number),
        message,
        "a list or map neither begins nor ends with a comma; every key has a value",
    )
}

fn bad_key(look: &Look<'_>, number: usize) -> Option<Verdict> {
    let (start, end) = look.span(number);
    let odd = "write {key: value}; another key is set behind the map: m.\"odd key\" = value";
    match look.kind(number) {
        Some(Kind::Word) if KEYWORDS.contains(&look.piece(number)) => {
            let message = format!("`{}` is a keyword and can't be a key here", look.piece(number));
            wrong((start, end), message, format!("write it behind the map: m.{} = value", look.piece(number)))
        }
        Some(Kind::Word) => match look.piece(number + 1) {
            ":" => None,
            "." | "-" => wrong((start, look.span(number + 2).1), "a key is a plain name", odd),
            "=" => wrong(look.span(number + 1), "a key has a colon behind it", "write {key: value}"),
            _ => wrong((start, end), "a key has a colon and a value", "write {key: value}"),
        },
        Some(Kind::Text) => wrong((start, end), "a key is a plain name, without quotes", odd),
        _ if look.piece(number) == "," => missing(look, number),
        _ => wrong((start, end), "a key is a plain name", odd),
    }
}

/// Walks over one value that is no list or map; answers the number of the piece behind it.
fn value(look: &Look<'_>, number: usize) -> Result<usize, Verdict> {
    let mut at = number;
    if look.piece(at) == "-" {
        at += 1;
    }
    match look.kind(at) {
        Some(Kind::Text) if at == number => return Ok(at + 1),
        Some(Kind::Number) if look.piece(at).bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') => {
            return Ok(at + 1);
        }
        Some(Kind::Word) => {}
        _ if matches!(look.piece(at), "," | ":") => {
            return Err(missing(look, at).unwrap_or_else(|| unfit(look, at)));
        }
        _ => return Err(unfit(look, at)),
    }
    let word = look.piece(at);
    if KEYWORDS.contains(&word) && !matches!(word, "null" | "true" | "false") {
        let message = format!("{word} can't stand inside a list or map");
        let hint = "assign the value to a variable in a line before, and use the variable here";
        return Err(Verdict::new(Code::Syntax, look.span(at), message, hint));
    }
    at += 1;
    while at < look.tokens.len() && !look.apart(at) && matches!(look.piece(at), "." | "[") {
        let close = if look.piece(at) == "[" { "]" } else { "" };
        at += 1;
        if close.is_empty() {
            at += if look.piece(at) == "$" { 2 } else { 1 };
        } else {
            while at < look.tokens.len() && look.piece(at) != close {
                at += 1;
            }
            at += 1;
        }
    }
    Ok(at)
}

fn unfit(look: &Look<'_>, number: usize) -> Verdict {
    let message = format!("`{}` is no element", look.piece(number));
    let hint = "an element is a string, a number, true, false, null, a variable, a list or a map";
    Verdict::new(Code::Syntax, look.span(number), message, hint)
}
