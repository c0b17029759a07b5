//! How one logical line is laid out. It stands on one line if it fits and holds no comment; else a list or map has
//! an element a line, aligned behind its bracket, and a condition a comparison a line, in the column of its `When`.

use super::tokens::Token;

/// Blanks a level.
pub(super) const INDENT: usize = 4;
/// Where lists, maps and conditions are broken, in characters.
const WIDTH: usize = 100;

/// Finished lines, and the one being written.
pub(super) struct Rows {
    done: Vec<String>,
    current: String,
    start: usize,
}

impl Rows {
    pub(super) fn new(column: usize) -> Self {
        Self { done: Vec::new(), current: " ".repeat(column), start: column }
    }

    /// Ends the line and begins one in a column.
    pub(super) fn next(&mut self, column: usize) {
        self.done.push(std::mem::replace(&mut self.current, " ".repeat(column)));
    }

    pub(super) fn finish(mut self) -> Vec<String> {
        self.done.push(self.current);
        self.done
    }

    fn push(&mut self, text: &str) {
        self.current.push_str(text);
    }

    fn column(&self) -> usize {
        self.current.chars().count()
    }

    /// Whether so many further characters fit into the line.
    fn has_room(&self, characters: usize) -> bool {
        self.column() + characters <= WIDTH
    }
}

/// Lays a logical line out.
pub(super) fn shape(tokens: &[Token<'_>], rows: &mut Rows) {
    let commented = tokens.iter().any(|token| matches!(token, Token::Comment { .. }));
    let whole = flat(tokens);
    if !commented && rows.has_room(whole.chars().count()) {
        rows.push(&whole);
    } else if tokens.first().is_some_and(|first| first.is("When") || first.is("Quit")) {
        condition(tokens, rows);
    } else if let Some(equals) = tokens.iter().position(|token| token.is("=")) {
        let (left, right) = tokens.split_at(equals + 1);
        rows.push(&flat(left));
        rows.push(" ");
        let mut rest = right.iter().peekable();
        let value = node(&mut rest);
        write_node(&value, 0, rows);
        // What is no literal has all its words here: a call, a page.
        let more: Vec<Token<'_>> = rest.cloned().collect();
        if !more.is_empty() {
            rows.push(" ");
            rows.push(&flat(&more));
        }
    } else {
        rows.push(&whole);
    }
}

/// Tokens on one line; comments are left out.
fn flat(tokens: &[Token<'_>]) -> String {
    let mut text = String::new();
    let mut glue = true;
    for token in tokens.iter().filter(|token| !matches!(token, Token::Comment { .. })) {
        let closes = matches!(token, Token::Mark(',' | ':' | ']' | '}'));
        if !glue && !closes {
            text.push(' ');
        }
        text.push_str(token.text());
        glue = matches!(token, Token::Mark('[' | '{'));
    }
    text
}

/// Comments at a seam: one that stands beside what went before, others alone.
#[derive(Default)]
struct Seam<'a> {
    beside: Option<&'a str>,
    alone: Vec<&'a str>,
}

impl<'a> Seam<'a> {
    fn take(&mut self, text: &'a str, alone: bool) {
        if !alone && self.beside.is_none() && self.alone.is_empty() {
            self.beside = Some(text);
        } else {
            self.alone.push(text);
        }
    }

    /// Ends the line before the seam, and begins the one behind it.
    fn write(&self, column: usize, rows: &mut Rows) {
        if let Some(beside) = self.beside {
            rows.push(" ");
            rows.push(beside);
        }
        rows.next(column);
        for comment in &self.alone {
            rows.push(comment);
            rows.next(column);
        }
    }
}

/// A comparison a line; comments on either side of an `and` or `or` go before it.
fn condition(tokens: &[Token<'_>], rows: &mut Rows) {
    let column = rows.start;
    let mut part: Vec<Token<'_>> = Vec::new();
    let mut seam = Seam::default();
    let mut connective = None;
    for token in tokens {
        match token {
            Token::Comment { text, alone } => seam.take(text, *alone),
            token if token.is("and") || token.is("or") => {
                rows.push(&flat(&std::mem::take(&mut part)));
                connective = Some(token);
            }
            token => {
                if let Some(connective) = connective.take() {
                    std::mem::take(&mut seam).write(column, rows);
                    part.push(connective.clone());
                }
                part.push(token.clone());
            }
        }
    }
    rows.push(&flat(&part));
}

/// A value: a list or map with its elements, or a word.
enum Node<'a> {
    Word(&'a str),
    Group {
        open: &'a str,
        close: &'a str,
        items: Vec<Item<'a>>,
        /// Characters on one line; none when a comment stands in it.
        width: Option<usize>,
    },
}

/// An element; the seam stands behind it and its comma.
struct Item<'a> {
    key: Option<&'a str>,
    value: Node<'a>,
    seam: Seam<'a>,
}

type Rest<'t, 'a> = std::iter::Peekable<std::slice::Iter<'t, Token<'a>>>;

fn node<'t, 'a>(rest: &mut Rest<'t, 'a>) -> Node<'t> {
    let Some(first) = rest.next() else { return Node::Word("") };
    let (open, close) = match first {
        Token::Mark('[') => ("[", "]"),
        Token::Mark('{') => ("{", "}"),
        word => return Node::Word(word.text()),
    };
    let mut items: Vec<Item<'t>> = Vec::new();
    while let Some(token) = rest.peek() {
        match token {
            Token::Mark(']' | '}') => {
                rest.next();
                break;
            }
            Token::Comment { text, alone } => {
                if let Some(last) = items.last_mut() {
                    last.seam.take(text, *alone);
                }
                rest.next();
            }
            Token::Mark(',') => {
                rest.next();
            }
            _ => {
                let mut key = None;
                let mut value = node(rest);
                if let (Node::Word(name), Some(Token::Mark(':'))) = (&value, rest.peek()) {
                    key = Some(*name);
                    rest.next();
                    value = node(rest);
                }
                items.push(Item { key, value, seam: Seam::default() });
            }
        }
    }
    let width = items.iter().try_fold(2, |sum, item| Some(sum + item_width(item)?));
    let width = width.map(|sum| sum + 2 * items.len().saturating_sub(1));
    Node::Group { open, close, items, width }
}

fn item_width(item: &Item<'_>) -> Option<usize> {
    if item.seam.beside.is_some() || !item.seam.alone.is_empty() {
        return None;
    }
    let value = match &item.value {
        Node::Word(text) => Some(text.chars().count()),
        Node::Group { width, .. } => *width,
    };
    value.map(|value| value + item.key.map_or(0, |key| key.chars().count() + 2))
}

/// Writes a value on one line.
fn write_flat(node: &Node<'_>, rows: &mut Rows) {
    let (open, close, items) = match node {
        Node::Word(text) => return rows.push(text),
        Node::Group { open, close, items, .. } => (open, close, items),
    };
    rows.push(open);
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            rows.push(", ");
        }
        if let Some(key) = item.key {
            rows.push(key);
            rows.push(": ");
        }
        write_flat(&item.value, rows);
    }
    rows.push(close);
}

/// Writes a value; `behind` characters follow its end in the line.
fn write_node(node: &Node<'_>, behind: usize, rows: &mut Rows) {
    let (open, close, items) = match node {
        Node::Word(text) => return rows.push(text),
        Node::Group { width: Some(width), .. } if rows.has_room(width + behind) => {
            return write_flat(node, rows);
        }
        Node::Group { open, close, items, .. } => (open, close, items),
    };
    rows.push(open);
    let column = rows.column();
    for (at, item) in items.iter().enumerate() {
        if let Some(key) = item.key {
            rows.push(key);
            rows.push(": ");
        }
        let last = at + 1 == items.len();
        write_node(&item.value, if last { behind + 1 } else { 1 }, rows);
        if !last {
            rows.push(",");
            item.seam.write(column, rows);
        }
    }
    rows.push(close);
}
