//! Blocks, from indents.

use super::explain::{self, Opens};
use super::header::header;
use super::line::{LineNode, Mistake, Reader};
use crate::ast::{
    Condition, Flow, Ident, LoopBody, MatchArm, Quit, Simple, Stmt, StmtKind, TemplateOverride, VarExpr,
};
use crate::diagnostic::{Code, Sink};
use crate::layout::{Line, MAX_NESTING, MOST_FINDINGS};

/// Reads a whole flow.
pub(super) fn flow(lines: &[Line], sink: &mut Sink<'_>) -> Option<Flow> {
    let header = header(lines, sink)?;
    let mut flow = header.flow;
    let mut blocks = Blocks { lines, at: header.used, open: vec![0], sink };
    if header.body_indent > 0 {
        // Reported by the header; read where it stands, for its other mistakes.
        blocks.open.push(header.body_indent);
        flow.body = blocks.statements(header.body_indent);
        blocks.open.pop();
    }
    flow.body.extend(blocks.statements(0));
    if flow.body.is_empty() && lines.len() <= header.used {
        let hint = "write at least a Finish, starting in column 1";
        sink.error(Code::NoStatements, flow.name.span, "the flow has no statements", hint);
    }
    if sink.count() >= MOST_FINDINGS {
        let end = lines.last().map(Line::whole).unwrap_or_default();
        let message = format!("there are more than {MOST_FINDINGS} mistakes; the rest is not shown");
        sink.error(Code::TooLarge, end, message, "mend the first ones; is this a flow at all?");
    }
    Some(flow)
}

struct Blocks<'a, 's> {
    lines: &'a [Line],
    at: usize,
    /// Indents of the open blocks.
    open: Vec<usize>,
    sink: &'a mut Sink<'s>,
}

impl<'a> Blocks<'a, '_> {
    fn peek(&self) -> Option<&'a Line> {
        // Too many mistakes: as if the file ended here.
        self.lines.get(self.at).filter(|_| self.sink.count() < MOST_FINDINGS)
    }

    /// The statements of a block whose lines start after `indent` characters.
    fn statements(&mut self, indent: usize) -> Vec<Stmt> {
        let mut found = Vec::new();
        while let Some(line) = self.in_block(indent) {
            let (statement, quit) = self.statement(line);
            found.extend(statement);
            if let Some(quit) = quit {
                self.misplaced(
                    line,
                    "Quit may stand only directly in the body of a loop",
                    "leave a loop with Quit When, directly in it",
                );
                found.extend(quit.after);
            }
        }
        found
    }

    /// The next line, if it belongs to the block. Lines that belong to no block are reported and skipped.
    fn in_block(&mut self, indent: usize) -> Option<&'a Line> {
        loop {
            let line = self.peek()?;
            if line.indent == indent {
                return Some(line);
            }
            if line.indent < indent && self.open.contains(&line.indent) {
                return None;
            }
            if line.indent < indent && self.open.iter().any(|open| *open < line.indent) {
                // Closes this block, and is wrong in the one around it too: report it there.
                let innermost = self.open.iter().rev().find(|open| **open < line.indent).copied();
                if innermost != self.open.get(self.open.len().saturating_sub(2)).copied() {
                    return None;
                }
            }
            self.wrong_column(line);
            self.skip_deeper(line.indent);
        }
    }

    fn wrong_column(&mut self, line: &Line) {
        let columns: Vec<String> = self.open.iter().map(|indent| (indent + 1).to_string()).collect();
        let open = match columns.as_slice() {
            [one] => format!("the open block is at {one}"),
            [rest @ .., last] => format!("open blocks are at {} and {last}", rest.join(", ")),
            [] => String::new(),
        };
        let message = format!("this line starts in column {}; {open}", line.indent + 1);
        let hint = "all statements of a block start in the same column; only When, Otherwise, Match, Repeat and Iterate over open a block";
        self.sink.error(Code::Indentation, line.whole(), message, hint);
    }

    /// Skips this line and all that are indented at least as deep, so that one mistake gives one message.
    fn skip_deeper(&mut self, indent: usize) {
        while self.peek().is_some_and(|line| line.indent >= indent && !self.open.contains(&line.indent)) {
            self.at += 1;
        }
    }

    /// Opens the block below a line, if there is one, and reads it.
    fn block<T: Default>(&mut self, above: &Line, read: fn(&mut Self, usize) -> T) -> T {
        let Some(first) = self.peek().filter(|line| line.indent > above.indent) else {
            self.sink.error(
                Code::EmptyBlock,
                above.whole(),
                "nothing is indented below this line",
                "indent at least one statement below it",
            );
            return T::default();
        };
        if self.open.len() > MAX_NESTING {
            let message = format!("blocks nest more than {MAX_NESTING} deep");
            self.sink.error(Code::TooLarge, first.whole(), message, "move inner blocks into a subflow");
            while self.peek().is_some_and(|line| line.indent > above.indent) {
                self.at += 1;
            }
            return T::default();
        }
        self.open.push(first.indent);
        let found = read(self, first.indent);
        self.open.pop();
        found
    }

    fn misplaced(&mut self, line: &Line, message: &str, hint: &str) {
        self.sink.error(Code::Misplaced, line.whole(), message, hint);
    }

    /// One statement with all that is below it. A `Quit` comes back apart: only loops take it.
    ///
    /// What does not nest is done in functions of its own, so that a level of nesting costs little stack.
    fn statement(&mut self, line: &'a Line) -> (Option<Stmt>, Option<Quit>) {
        self.at += 1;
        let Some(node) = self.read(line) else {
            self.recover(line);
            return (None, None);
        };
        let kind = match node {
            LineNode::Quit { condition } => {
                return (None, Some(Quit { condition, span: line.whole(), after: Vec::new() }));
            }
            LineNode::When { condition } => self.when(line, condition),
            LineNode::Match { subject } => self.match_(line, subject),
            LineNode::Repeat { target, count } => self.repeat(line, target, count),
            LineNode::Iterate { target, over, item } => self.iterate(line, target, over, item),
            LineNode::Trigger { target, error, flow, args } => {
                StmtKind::Trigger { target, error, flow, args, overrides: self.overrides(line) }
            }
            LineNode::Plain(kind) => kind,
            // Reported and recovered from where it was read.
            LineNode::Otherwise => return (None, None),
        };
        (Some(Stmt { kind, span: line.whole() }), None)
    }

    /// Reads a statement's line; what is wrong with it is reported.
    fn read(&mut self, line: &Line) -> Option<LineNode> {
        let mut reader = Reader::new(line);
        let read = reader.statement();
        self.report(reader.mistakes);
        match read {
            Ok(LineNode::Otherwise) => {
                self.misplaced(
                    line,
                    "this Otherwise belongs to no When or Match",
                    "Otherwise follows directly on the block of a When or Match, in the same column, and once",
                );
                None
            }
            Ok(node) => Some(node),
            Err(at) => {
                if !line.reported {
                    explain::statement(line, at, self.sink);
                }
                None
            }
        }
    }

    fn when(&mut self, line: &Line, condition: Condition) -> StmtKind {
        let then = self.block(line, Self::statements);
        StmtKind::When { condition, then, otherwise: self.otherwise(line) }
    }

    fn match_(&mut self, line: &Line, subject: Simple) -> StmtKind {
        let arms = self.block(line, Self::arms);
        StmtKind::Match { subject, arms, otherwise: self.otherwise(line) }
    }

    fn repeat(&mut self, line: &Line, target: Option<VarExpr>, count: Simple) -> StmtKind {
        let body = self.block(line, Self::loop_body).unwrap_or_else(empty_body);
        StmtKind::Repeat { target, count, body }
    }

    fn iterate(&mut self, line: &Line, target: Option<VarExpr>, over: VarExpr, item: Ident) -> StmtKind {
        let body = self.block(line, Self::loop_body).unwrap_or_else(empty_body);
        StmtKind::Iterate { target, over, item, body }
    }

    /// After a line that could not be read: what is indented below it is read for its own mistakes, and dropped; so is
    /// an `Otherwise` that may belong to it.
    fn recover(&mut self, line: &Line) {
        if line.text.starts_with("/*") && !line.text.contains("*/") {
            let rest = self.lines.get(self.at..).unwrap_or_default();
            self.at += rest.iter().position(|line| line.text.contains("*/")).map_or(0, |end| end + 1);
        }
        if self.peek().is_none_or(|next| next.indent <= line.indent) || self.open.len() > MAX_NESTING {
            return;
        }
        match explain::opens(&line.text) {
            Opens::Loop => drop(self.block(line, Self::loop_body)),
            Opens::Arms => drop(self.block(line, Self::arms)),
            Opens::Overrides => drop(self.overrides(line)),
            Opens::Statements => drop(self.block(line, Self::statements)),
            Opens::Header => {
                while self.peek().is_some_and(|next| next.indent > line.indent) {
                    self.at += 1;
                }
            }
        }
        self.otherwise(line);
    }

    fn otherwise(&mut self, line: &Line) -> Vec<Stmt> {
        let Some(next) = self.peek().filter(|next| next.indent == line.indent && next.text == "Otherwise")
        else {
            return Vec::new();
        };
        self.at += 1;
        self.block(next, Self::statements)
    }

    fn arms(&mut self, indent: usize) -> Vec<MatchArm> {
        let mut found = Vec::new();
        while let Some(line) = self.in_block(indent) {
            self.at += 1;
            let mut reader = Reader::new(line);
            let label = reader.label();
            self.report(reader.mistakes);
            let Ok(label) = label else {
                explain::label(line, self.sink);
                self.recover(line);
                continue;
            };
            let body = self.block(line, Self::statements);
            found.push(MatchArm { label, body });
        }
        found
    }

    fn report(&mut self, mistakes: Vec<Mistake>) {
        for mistake in mistakes {
            self.sink.error(Code::BadString, mistake.span, mistake.message, mistake.hint);
        }
    }

    fn loop_body(&mut self, indent: usize) -> Option<LoopBody> {
        let mut body = empty_body();
        while let Some(line) = self.in_block(indent) {
            let (statement, quit) = self.statement(line);
            match (&mut body.quit, quit) {
                (Some(_), Some(_)) => {
                    self.misplaced(
                        line,
                        "a loop has at most one Quit",
                        "put the conditions into one Quit When, with or",
                    );
                }
                (None, Some(quit)) => {
                    if body.before.is_empty() {
                        self.misplaced(
                            line,
                            "Quit can't be the first statement of a loop",
                            "a statement stands before it",
                        );
                    }
                    body.quit = Some(quit);
                }
                (Some(quit), None) => quit.after.extend(statement),
                (None, None) => body.before.extend(statement),
            }
        }
        Some(body)
    }

    fn overrides(&mut self, line: &Line) -> Vec<TemplateOverride> {
        match self.peek() {
            Some(next) if next.indent > line.indent && !next.text.starts_with(['O', '"']) => {
                // No attempt at overrides: an indented statement, reported as such.
                let message = format!("this line starts in column {}, below a Trigger", next.indent + 1);
                let hint =
                    "below Trigger only Override templates is indented; align a statement with the Trigger";
                self.sink.error(Code::Indentation, next.whole(), message, hint);
                self.block(line, Self::statements);
                Vec::new()
            }
            Some(next) if next.indent > line.indent => self.block(line, Self::override_block),
            _ => Vec::new(),
        }
    }

    fn override_block(&mut self, indent: usize) -> Vec<TemplateOverride> {
        let mut found = Vec::new();
        let mut head = true;
        let mut bad = false;
        while let Some(line) = self.in_block(indent) {
            self.at += 1;
            let mut reader = Reader::new(line);
            match reader.overrides(head) {
                Ok(pairs) => found.extend(pairs),
                // Once a block: a pair broken over lines is one mistake.
                Err(_) if bad => {}
                Err(_) => {
                    bad = true;
                    let hint = "write: Override templates \"path\" \"replacement\"; further pairs behind it, or one a line in the same column";
                    self.sink.error(Code::Syntax, line.whole(), "overrides are pairs of strings", hint);
                }
            }
            self.report(reader.mistakes);
            head = false;
        }
        found
    }
}

fn empty_body() -> LoopBody {
    LoopBody { before: Vec::new(), quit: None }
}
