//! What values can be at each place of a flow: null or not, secret or not, of which type, and who was proved on the way.
//!
//! A data flow analysis over the control-flow graph: states are joined where ways meet, until nothing changes. Then the
//! rules look at each node with what is known there.
//!
//! | part | does |
//! | --- | --- |
//! | `value.rs`, `state.rs`, `sets.rs` | what is known of a value, and at a place |
//! | `eval.rs`, `transfer.rs`, `proof.rs` | expressions, statements, what proves whom |
//! | `ways.rs` | a way on which nobody is proved |
//! | `rules/` | what is reported |

mod eval;
mod proof;
mod rules;
mod sets;
mod state;
mod transfer;
mod value;
mod ways;

use std::collections::{BTreeSet, HashMap};

use super::cfg::{Cfg, Kind, NodeId, index};
use super::facts::{Facts, ParamFacts, Proof, RoutineFacts, TemplateFacts};
use super::references::template_path;
use super::walk::{statements, variables};
use super::wit::{TypeId, Types};
use crate::ast::{Callee, Flow, StmtKind};
use crate::diagnostic::{Code, Severity, Sink};
use sets::Sets;
use state::{Names, State, Vars};
use value::{Null, Sources, Value};

/// Steps of work for one flow, of about 20 nanoseconds; a flow that needs more is not followed.
const MOST_WORK: usize = 4_000_000;

/// What a called routine gives.
#[derive(Debug, Clone, Copy)]
enum CallResult {
    Unknown,
    Nothing,
    Typed(TypeId),
}

/// A call of a routine that is known.
struct Called {
    routine: String,
    result: CallResult,
    proof: Proof,
    signature: String,
    params: Vec<ParamFacts>,
}

/// The analysis of one flow.
struct Analysis<'c, 'f> {
    flow: &'f Flow,
    cfg: &'c Cfg<'f>,
    facts: &'c dyn Facts,
    types: Types,
    sets: Sets,
    names: Names<'f>,
    /// The calls of known routines.
    calls: HashMap<NodeId, Called>,
    pages: HashMap<NodeId, TemplateFacts>,
    flows: HashMap<&'f str, Option<bool>>,
    /// Where the people come from whom a call proves.
    persons_of: HashMap<NodeId, Sources>,
    /// What is known before each reachable node.
    states: Vec<Option<State>>,
    /// Steps of work done.
    work: usize,
}

/// Runs the checks that follow values.
pub(super) fn check(flow: &Flow, cfg: &Cfg<'_>, facts: &dyn Facts, types: Types, sink: &mut Sink<'_>) {
    let mut analysis = Analysis::new(flow, cfg, facts, types);
    if analysis.run() {
        rules::check(&mut analysis, sink);
    } else {
        let message = "the flow is too large to follow what its values can be; those checks are left out";
        let hint = "split it into subflows and Trigger them";
        sink.report(Code::TooLarge, flow.name.span, message, hint).severity = Severity::Warning;
    }
}

/// Whether every successful `Finish` of a flow stands behind a proof, of the person it names if it names one. Answers
/// [`Facts::flow_proves`] for other flows.
pub fn proves(flow: &Flow, facts: &dyn Facts) -> bool {
    let cfg = Cfg::of(flow);
    let mut analysis = Analysis::new(flow, &cfg, facts, Types::default());
    analysis.run() && rules::all_proved(&mut analysis)
}

impl<'c, 'f> Analysis<'c, 'f> {
    fn new(flow: &'f Flow, cfg: &'c Cfg<'f>, facts: &'c dyn Facts, types: Types) -> Self {
        let mut analysis = Self {
            flow,
            cfg,
            facts,
            types,
            sets: Sets::default(),
            names: Names::default(),
            calls: HashMap::new(),
            pages: HashMap::new(),
            flows: HashMap::new(),
            persons_of: HashMap::new(),
            states: vec![None; cfg.len()],
            work: 0,
        };
        for name in flow.inputs.iter().chain(&flow.configs) {
            analysis.names.add(&name.node);
        }
        statements(flow, &mut |statement| {
            for name in variables(statement).assigned {
                analysis.names.add(&name.node);
            }
        });
        for (id, node) in cfg.nodes().filter(|(id, _)| cfg.reached(*id)) {
            if let Kind::Plain(statement) = node.kind {
                analysis.look_up(id, &statement.kind);
            }
        }
        analysis
    }

    /// Asks the facts about what a statement names.
    fn look_up(&mut self, id: NodeId, statement: &'f StmtKind) {
        match statement {
            StmtKind::Rrf { template, .. } => {
                if let Some(page) = self.facts.template_facts(&template_path(self.flow, template)) {
                    self.pages.insert(id, page);
                }
            }
            StmtKind::Trigger { flow: crate::ast::FlowRef::Name(name), .. } => {
                let facts = self.facts;
                self.flows.entry(&name.node).or_insert_with(|| facts.flow_proves(&name.node));
            }
            StmtKind::Call { callee: Callee::Static { package, function }, .. } => {
                let proof = self.facts.proves(&package.node, &function.node);
                let mut called = Called {
                    routine: format!("{}#{}", package.node, function.node),
                    result: CallResult::Unknown,
                    proof,
                    signature: String::new(),
                    params: Vec::new(),
                };
                if let RoutineFacts::Known { params, result, signature } =
                    self.facts.routine(&package.node, &function.node)
                {
                    let nothing = result.is_empty() || result.starts_with("result<_") || result == "result";
                    called.result = if nothing {
                        CallResult::Nothing
                    } else {
                        CallResult::Typed(self.types.read(&result))
                    };
                    called.signature = signature;
                    called.params = params;
                }
                self.calls.insert(id, called);
            }
            _ => {}
        }
    }

    fn page(&self, id: NodeId) -> Option<&TemplateFacts> {
        self.pages.get(&id)
    }

    fn flow_proves(&self, name: &str) -> Option<bool> {
        self.flows.get(name).copied().flatten()
    }

    fn state(&self, id: NodeId) -> Option<&State> {
        self.states.get(index(id))?.as_ref()
    }

    /// What is known at the start.
    fn first(&self) -> State {
        let mut vars = Vars::new(self.names.len());
        for input in &self.flow.inputs {
            if let Some(at) = self.names.var(&input.node) {
                let sources = eval::source(NodeId::MAX, &input.node);
                vars.set(at, Value { null: Null::SOMETIMES, outside: true, ..Value::unknown(sources) });
            }
        }
        if let Some(at) = self.flow.configs.as_ref().and_then(|configs| self.names.var(&configs.node)) {
            vars.set(at, Value { null: Null::NEVER, ..Value::unknown(eval::source(NodeId::MAX, "")) });
        }
        State { vars, parts: Vec::new(), proved: false, persons: 0 }
    }

    /// Follows every way until nothing new is learnt; whether that took no more than the work allowed.
    fn run(&mut self) -> bool {
        let order = self.cfg.order();
        let mut place = vec![0; self.cfg.len()];
        for (at, id) in order.iter().enumerate() {
            if let Some(slot) = place.get_mut(index(*id)) {
                *slot = at;
            }
        }
        let first = self.first();
        if let Some(slot) = self.states.get_mut(index(self.cfg.start())) {
            *slot = Some(first);
        }
        let mut waiting = BTreeSet::from([0]);
        while let Some(at) = waiting.pop_first() {
            self.work += self.names.len() / 32 + 8;
            if self.work > MOST_WORK {
                return false;
            }
            let Some(id) = order.get(at).copied() else { continue };
            for to in self.visit(id) {
                waiting.insert(place.get(index(to)).copied().unwrap_or_default());
            }
        }
        true
    }

    /// Passes a node's state on; answers the nodes that learnt something.
    fn visit(&mut self, id: NodeId) -> Vec<NodeId> {
        let Some(mut state) = self.state(id).cloned() else { return Vec::new() };
        self.transfer(id, &mut state);
        let mut news = Vec::new();
        for (to, yes) in self.cfg.follow(id) {
            if !self.open(id, yes, &state) {
                continue;
            }
            let mut out = state.clone();
            self.along(id, yes, &mut out);
            let Some(slot) = self.states.get_mut(index(to)) else { continue };
            let learnt = match slot {
                Some(known) => known.join(&out, &mut self.sets),
                None => {
                    *slot = Some(out);
                    true
                }
            };
            if learnt {
                news.push(to);
            }
        }
        news
    }
}
