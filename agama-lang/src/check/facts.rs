//! What the checks must know of the world around a flow. Whoever compiles supplies it.

/// Templates, flows and routines that exist.
pub trait Facts {
    /// Whether a template exists; `path` is below the templates root (base path and template joined).
    fn template(&self, path: &str) -> bool;
    /// A flow by qualified name.
    fn flow(&self, qname: &str) -> Option<FlowFacts>;
    /// A routine, as the flow writes it: `package#function`.
    fn routine(&self, package: &str, function: &str) -> RoutineFacts;
}

/// What is known of a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowFacts {
    /// Its inputs, in order.
    pub inputs: Vec<String>,
}

/// What is known of a routine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoutineFacts {
    /// Nothing is known; nothing is checked.
    Unchecked,
    /// It exists.
    Known {
        /// Its parameters, in order.
        params: Vec<ParamFacts>,
        /// The WIT type of its result, empty when it has none.
        result: String,
        /// The whole signature in WIT, for messages.
        signature: String,
    },
    /// It does not exist.
    Unknown {
        /// What exists instead, or what to install.
        hint: String,
    },
}

/// One parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamFacts {
    /// Its name in WIT.
    pub name: String,
    /// Its type in WIT.
    pub ty: String,
    /// Whether it may be left out at the end of a call.
    pub optional: bool,
}

/// Knows nothing and accepts everything: for single files.
pub struct NoFacts;

impl Facts for NoFacts {
    fn template(&self, _path: &str) -> bool {
        true
    }

    fn flow(&self, _qname: &str) -> Option<FlowFacts> {
        Some(FlowFacts { inputs: Vec::new() })
    }

    fn routine(&self, _package: &str, _function: &str) -> RoutineFacts {
        RoutineFacts::Unchecked
    }
}
