//! What the checks must know of the world around a flow. Whoever compiles supplies it.

/// Templates, flows and routines that exist. What has a default may be unknown: then nothing is said about it.
pub trait Facts {
    /// Whether a template exists; `path` is below the templates root (base path and template joined).
    fn template(&self, path: &str) -> bool;
    /// A flow by qualified name.
    fn flow(&self, qname: &str) -> Option<FlowFacts>;
    /// A routine, as the flow writes it: `package#function`.
    fn routine(&self, package: &str, function: &str) -> RoutineFacts;

    /// Whether [`Facts::flow`] tells the inputs of flows, or only answers for all of them.
    fn knows_inputs(&self) -> bool {
        true
    }

    /// What a template shows and posts; `path` as in [`Facts::template`].
    fn template_facts(&self, _path: &str) -> Option<TemplateFacts> {
        None
    }

    /// Whom a routine proves to be there.
    fn proves(&self, _package: &str, _function: &str) -> Proof {
        Proof::Unknown
    }

    /// Whether a flow that finishes with success has proved the person it names; none when that is unknown.
    /// [`crate::check::proving_flows`] answers it for parsed flows.
    fn flow_proves(&self, _qname: &str) -> Option<bool> {
        None
    }

    /// Whether a flow may be started by a link or an authorization request; none when that is unknown.
    fn launchable(&self, _qname: &str) -> Option<bool> {
        None
    }

    /// The flows that a flow Triggers by name.
    fn triggers(&self, _qname: &str) -> Vec<String> {
        Vec::new()
    }

    /// The longest time in seconds that a run can last, however long its flow allows.
    fn longest_timeout(&self) -> Option<u64> {
        None
    }
}

/// Whom a routine proves to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Nobody knows; it may be a proof.
    Unknown,
    /// It proves nobody.
    Nobody,
    /// A result that is neither null nor false proves the person whom the result describes.
    Result,
    /// A result that is neither null nor false proves the person to whom this argument (from 0) belongs.
    Argument(usize),
}

/// What is known of a template.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TemplateFacts {
    /// What it shows of its model, without what the engine adds to every model.
    pub reads: Vec<ModelField>,
    /// The fields of its forms.
    pub posts: Vec<PostedField>,
    /// Whether it may post more than `posts` tells: names that are computed, fields that a script adds.
    pub posts_more: bool,
    /// The flows that its links start (`acr_values=agama_…`).
    pub launches: Vec<String>,
}

/// A field of the model that a template shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelField {
    /// Its name in the model: the first part of `user.name`.
    pub name: String,
    /// Whether the template can do without: it asks whether the field is there, or has a default.
    pub optional: bool,
}

/// A field that a template's form posts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostedField {
    /// Its name.
    pub name: String,
    /// Whether what is typed there is secret: an input of type `password`, or with `autocomplete="one-time-code"`.
    pub secret: bool,
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

    fn knows_inputs(&self) -> bool {
        false
    }
}
