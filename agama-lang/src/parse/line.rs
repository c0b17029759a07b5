//! One logical line, read with pest, as a [`LineNode`].

use std::iter::Peekable;

use pest::Parser as _;
use pest::iterators::{Pair, Pairs};

use super::literal::unescape;
use super::{Grammar, Rule};
use crate::ast::{
    Accessor, Callee, Condition, Expr, FlowRef, Ident, Simple, Span, Spanned, StmtKind, StringLit,
    TemplateOverride, VarExpr,
};
use crate::layout::Line;

/// A mistake inside a line that pest accepts: place, message, hint.
pub(super) struct Mistake {
    pub(super) span: Span,
    pub(super) message: String,
    pub(super) hint: String,
}

/// What a line says, without what is indented below it.
pub(super) enum LineNode {
    /// A whole statement.
    Plain(StmtKind),
    Trigger {
        target: Option<VarExpr>,
        error: Option<Ident>,
        flow: FlowRef,
        args: Vec<Simple>,
    },
    When {
        condition: Condition,
    },
    Quit {
        condition: Condition,
    },
    Otherwise,
    Match {
        subject: Simple,
    },
    Repeat {
        target: Option<VarExpr>,
        count: Simple,
    },
    Iterate {
        target: Option<VarExpr>,
        over: VarExpr,
        item: Ident,
    },
}

/// Reads lines of one kind; remembers mistakes that the grammar can't express.
pub(super) struct Reader<'a> {
    line: &'a Line,
    pub(super) mistakes: Vec<Mistake>,
}

/// The rule of the statement that begins with the first word of a text.
fn verb(text: &str) -> Option<Rule> {
    let end = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
    Some(match text.get(..end)? {
        "When" => Rule::when,
        "Otherwise" => Rule::otherwise,
        "Log" => Rule::log,
        "Finish" => Rule::finish,
        "Call" => Rule::call,
        "Trigger" => Rule::trigger,
        "RRF" => Rule::rrf,
        "RFAC" => Rule::rfac,
        "Match" => Rule::r#match,
        "Quit" => Rule::quit,
        "Repeat" => Rule::repeat,
        "Iterate" if text.get(end..)?.starts_with(" over") => Rule::iterate,
        _ => return None,
    })
}

/// The result of pest: the pairs, or the offset in the line up to which it understood.
type Read<'a> = Result<Pair<'a, Rule>, usize>;

impl<'a> Reader<'a> {
    pub(super) fn new(line: &'a Line) -> Self {
        Self { line, mistakes: Vec::new() }
    }

    /// Applies a rule to the whole line.
    pub(super) fn read(&self, rule: Rule) -> Read<'a> {
        match Grammar::parse(rule, &self.line.text) {
            Ok(mut pairs) => pairs.next().ok_or(0),
            Err(error) => Err(match error.location {
                pest::error::InputLocation::Pos(at) | pest::error::InputLocation::Span((at, _)) => at,
            }),
        }
    }

    /// Reads a statement's line.
    pub(super) fn statement(&mut self) -> Result<LineNode, usize> {
        if let Some(pair) = self.guessed() {
            return self.node(pair).ok_or(0);
        }
        let line = self.read(Rule::statement_line)?;
        let pair = line.into_inner().next().ok_or(0usize)?;
        self.node(pair).ok_or(0)
    }

    /// The statement that the line's verb promises, if it is one. Trying one rule is faster than trying all.
    fn guessed(&self) -> Option<Pair<'a, Rule>> {
        let text = self.line.text.as_str();
        let rule = match verb(text) {
            Some(rule) => rule,
            None => {
                let (_, value) = text.split_once('=')?;
                verb(value.trim_start_matches([' ', '\t'])).unwrap_or(Rule::assign)
            }
        };
        let pair = Grammar::parse(rule, text).ok()?.next()?;
        (pair.as_span().end() == text.len()).then_some(pair)
    }

    /// Reads a `Match` label.
    pub(super) fn label(&mut self) -> Result<Simple, usize> {
        let line = self.read(Rule::label_line)?;
        line.into_inner().next().and_then(|pair| self.simple(pair)).ok_or(0)
    }

    /// Reads `Override templates`, or one pair below it.
    pub(super) fn overrides(&mut self, head: bool) -> Result<Vec<TemplateOverride>, usize> {
        let rule = if head { Rule::override_head_line } else { Rule::override_pair_line };
        let line = self.read(rule)?;
        let pairs: Vec<_> =
            line.into_inner().flatten().filter(|p| p.as_rule() == Rule::override_pair).collect();
        Ok(pairs.into_iter().filter_map(|pair| self.override_pair(pair)).collect())
    }

    fn override_pair(&mut self, pair: Pair<'a, Rule>) -> Option<TemplateOverride> {
        let mut strings = pair.into_inner();
        let original = self.string(&strings.next()?);
        let replacement = self.string(&strings.next()?);
        Some(TemplateOverride { original, replacement })
    }

    fn node(&mut self, pair: Pair<'a, Rule>) -> Option<LineNode> {
        let rule = pair.as_rule();
        let mut inner = pair.into_inner().peekable();
        let mut target = None;
        let mut error = None;
        if let Some(first) = inner.next_if(|p| matches!(p.as_rule(), Rule::target | Rule::error_target)) {
            for part in first.into_inner() {
                match part.as_rule() {
                    Rule::var => target = self.var(part),
                    Rule::error_name => error = Some(self.ident(&part)),
                    _ => {}
                }
            }
        }
        Some(match rule {
            Rule::trigger => {
                let flow = self.flow_ref(inner.next()?)?;
                LineNode::Trigger { target, error, flow, args: self.arguments(inner.next()) }
            }
            Rule::when => LineNode::When { condition: self.condition(inner.next()?)? },
            Rule::quit => LineNode::Quit { condition: self.condition(inner.next()?)? },
            Rule::otherwise => LineNode::Otherwise,
            Rule::r#match => LineNode::Match { subject: self.simple(inner.next()?)? },
            Rule::repeat => LineNode::Repeat { target, count: self.simple(inner.next()?)? },
            Rule::iterate => {
                let over = self.var(inner.next()?)?;
                LineNode::Iterate { target, over, item: self.ident(&inner.next()?) }
            }
            _ => LineNode::Plain(self.plain(rule, inner, target, error)?),
        })
    }

    /// A statement that has nothing below it.
    fn plain(
        &mut self,
        rule: Rule,
        mut inner: Peekable<Pairs<'a, Rule>>,
        target: Option<VarExpr>,
        error: Option<Ident>,
    ) -> Option<StmtKind> {
        Some(match rule {
            Rule::assign => {
                StmtKind::Assign { target: self.var(inner.next()?)?, value: self.expr(inner.next()?)? }
            }
            Rule::log => StmtKind::Log { args: self.simples(inner) },
            Rule::finish => StmtKind::Finish { value: self.simple(inner.next()?)? },
            Rule::rfac => StmtKind::Rfac { target, url: self.simple(inner.next()?)? },
            Rule::rrf => {
                let template = self.string(&inner.next()?);
                let model = inner.next_if(|p| p.as_rule() == Rule::var).and_then(|p| self.var(p));
                let callback = inner.next().is_some_and(|p| p.as_str() == "true");
                StmtKind::Rrf { target, template, model, callback }
            }
            Rule::call => {
                let callee = self.callee(inner.next()?)?;
                StmtKind::Call { target, error, callee, args: self.arguments(inner.next()) }
            }
            _ => return None,
        })
    }

    fn flow_ref(&mut self, pair: Pair<'a, Rule>) -> Option<FlowRef> {
        Some(match pair.as_rule() {
            Rule::dyn_flow => FlowRef::Variable(self.var(pair.into_inner().next()?)?),
            _ => FlowRef::Name(self.ident(&pair)),
        })
    }

    fn callee(&mut self, pair: Pair<'a, Rule>) -> Option<Callee> {
        let is_static = pair.as_rule() == Rule::static_routine;
        let mut parts = pair.into_inner();
        let (first, second) = (parts.next()?, parts.next()?);
        Some(if is_static {
            Callee::Static { package: self.ident(&first), function: self.ident(&second) }
        } else {
            Callee::Method { object: self.var(first)?, method: self.ident(&second) }
        })
    }

    fn arguments(&mut self, pair: Option<Pair<'a, Rule>>) -> Vec<Simple> {
        pair.map(|pair| self.simples(pair.into_inner())).unwrap_or_default()
    }

    fn simples(&mut self, pairs: impl Iterator<Item = Pair<'a, Rule>>) -> Vec<Simple> {
        pairs.filter_map(|pair| self.simple(pair)).collect()
    }

    fn condition(&mut self, pair: Pair<'a, Rule>) -> Option<Condition> {
        match pair.as_rule() {
            Rule::condition => self.group(pair, Condition::Or),
            Rule::and_group => self.group(pair, Condition::And),
            Rule::comparison => {
                let span = self.span(&pair);
                let parts: Vec<_> = pair.into_inner().collect();
                let negated = parts.iter().any(|part| part.as_rule() == Rule::negation);
                let mut sides =
                    self.simples(parts.into_iter().filter(|p| p.as_rule() != Rule::negation)).into_iter();
                Some(Condition::Compare { left: sides.next()?, right: sides.next()?, negated, span })
            }
            _ => None,
        }
    }

    fn group(&mut self, pair: Pair<'a, Rule>, make: fn(Vec<Condition>) -> Condition) -> Option<Condition> {
        let mut parts = Vec::new();
        for part in pair.into_inner() {
            parts.push(self.condition(part)?);
        }
        if parts.len() == 1 { parts.pop() } else { Some(make(parts)) }
    }

    fn expr(&mut self, pair: Pair<'a, Rule>) -> Option<Expr> {
        let span = self.span(&pair);
        match pair.as_rule() {
            Rule::list => {
                let items = pair.into_inner().filter_map(|item| self.expr(item)).collect();
                Some(Expr::List(items, span))
            }
            Rule::map => {
                let mut entries = Vec::new();
                for entry in pair.into_inner() {
                    let mut parts = entry.into_inner();
                    let key = self.ident(&parts.next()?);
                    entries.push((key, self.expr(parts.next()?)?));
                }
                Some(Expr::Map(entries, span))
            }
            _ => self.simple(pair).map(Expr::Simple),
        }
    }

    fn simple(&mut self, pair: Pair<'a, Rule>) -> Option<Simple> {
        let span = self.span(&pair);
        Some(match pair.as_rule() {
            Rule::string => Simple::String(self.string(&pair)),
            Rule::number | Rule::uint => Simple::Number(Spanned { node: pair.as_str().parse().ok()?, span }),
            Rule::boolean => Simple::Bool(Spanned { node: pair.as_str() == "true", span }),
            Rule::null => Simple::Null(span),
            Rule::negated => Simple::Negated(self.var(pair.into_inner().next()?)?),
            Rule::var => Simple::Var(self.var(pair)?),
            _ => return None,
        })
    }

    fn var(&mut self, pair: Pair<'a, Rule>) -> Option<VarExpr> {
        let span = self.span(&pair);
        let mut parts = pair.into_inner();
        let base = self.ident(&parts.next()?);
        let mut accessors = Vec::new();
        for part in parts {
            let rule = part.as_rule();
            let inner = part.into_inner().next()?;
            accessors.push(match rule {
                Rule::name_prop => Accessor::Property(self.ident(&inner)),
                Rule::text_prop => Accessor::Property(self.string(&inner)),
                Rule::dyn_prop => Accessor::DynamicProperty(self.ident(&inner)),
                Rule::num_index => Accessor::Index(self.index(&inner)),
                Rule::var_index => Accessor::DynamicIndex(self.ident(&inner)),
                _ => return None,
            });
        }
        Some(VarExpr { base, accessors, span })
    }

    fn index(&mut self, pair: &Pair<'a, Rule>) -> Spanned<u64> {
        let span = self.span(pair);
        let node = pair.as_str().parse().unwrap_or_else(|_| {
            let hint = "an index is at most 18446744073709551615".to_owned();
            self.mistakes.push(Mistake { span, message: "this index is too large".to_owned(), hint });
            0
        });
        Spanned { node, span }
    }

    pub(super) fn ident(&self, pair: &Pair<'a, Rule>) -> Ident {
        Spanned { node: pair.as_str().to_owned(), span: self.span(pair) }
    }

    pub(super) fn string(&mut self, pair: &Pair<'a, Rule>) -> StringLit {
        let span = self.span(pair);
        let raw = pair.as_str();
        let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
        let node = unescape(inner).unwrap_or_else(|bad| {
            self.mistakes.push(Mistake { span, message: bad.message, hint: bad.hint.to_owned() });
            String::new()
        });
        Spanned { node, span }
    }

    fn span(&self, pair: &Pair<'a, Rule>) -> Span {
        let span = pair.as_span();
        self.line.span(span.start(), span.end())
    }
}
