//! Which flows of a project prove whom they name, each seen by the others.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::facts::{Facts, FlowFacts, Proof, RoutineFacts, TemplateFacts};
use super::proves;
use super::walk::triggers;
use crate::ast::Flow;

/// The flows that prove whom they name. Answers [`Facts::flow_proves`] for the flows of a project that are parsed; `facts`
/// answers for all others. Flows that Trigger each other in a circle prove nobody.
pub fn proving_flows<'a>(flows: &[&'a Flow], facts: &dyn Facts) -> BTreeSet<&'a str> {
    let names = flows.iter().map(|flow| flow.name.node.as_str()).collect();
    let mut known = Known { facts, names, proving: BTreeSet::new() };
    let mut parents: HashMap<String, Vec<&'a Flow>> = HashMap::new();
    for flow in flows {
        for subflow in triggers(flow) {
            parents.entry(subflow).or_default().push(flow);
        }
    }
    let mut waiting: Vec<&'a Flow> = flows.to_vec();
    while let Some(flow) = waiting.pop() {
        let name = flow.name.node.as_str();
        if !known.proving.contains(name) && proves(flow, &known) {
            known.proving.insert(name);
            // Whoever Triggers it may prove somebody now.
            waiting.extend(parents.get(name).into_iter().flatten());
        }
    }
    known.proving
}

/// The facts, and what is found so far.
struct Known<'f, 'a> {
    facts: &'f dyn Facts,
    names: HashSet<&'a str>,
    proving: BTreeSet<&'a str>,
}

impl Facts for Known<'_, '_> {
    fn template(&self, path: &str) -> bool {
        self.facts.template(path)
    }

    fn flow(&self, qname: &str) -> Option<FlowFacts> {
        self.facts.flow(qname)
    }

    fn routine(&self, package: &str, function: &str) -> RoutineFacts {
        self.facts.routine(package, function)
    }

    fn template_facts(&self, path: &str) -> Option<TemplateFacts> {
        self.facts.template_facts(path)
    }

    fn proves(&self, package: &str, function: &str) -> Proof {
        self.facts.proves(package, function)
    }

    fn flow_proves(&self, qname: &str) -> Option<bool> {
        if self.names.contains(qname) {
            Some(self.proving.contains(qname))
        } else {
            self.facts.flow_proves(qname)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::proving_flows;
    use crate::check::facts::NoFacts;
    use crate::parse::parse;

    #[test]
    fn a_flow_proves_by_the_flows_that_it_triggers() {
        let sources = [
            ("a.login", "x = Call a.b#verify\nFinish x"),
            ("a.outer", "x = Trigger a.middle\nFinish x"),
            (
                "a.middle",
                "x = Trigger a.login\nWhen x.success is true\n    Finish x.data.userId\nFinish false",
            ),
            ("a.hello", "RRF \"hello.html\"\nFinish true"),
            ("a.by_hello", "x = Trigger a.hello\nFinish x"),
            ("a.one", "x = Trigger a.two\nFinish x"),
            ("a.two", "x = Trigger a.one\nFinish x"),
        ];
        let flows: Vec<_> = sources
            .iter()
            .map(|(name, body)| {
                parse(&format!("Flow {name}\n    Basepath \"\"\n\n{body}\n"), name).0.unwrap()
            })
            .collect();
        let found = proving_flows(&flows.iter().collect::<Vec<_>>(), &NoFacts);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["a.login", "a.middle", "a.outer"]);
    }
}
