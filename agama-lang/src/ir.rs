//! The compiled form of a flow: flat instructions over numbered variables. Immutable, named by the hash of its content.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

/// The slot of the implicit variable `idx`.
pub const IDX: u32 = u32::MAX;

/// A compiled flow.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    body: Body,
    hash: String,
    digest: Digest,
}

/// What a paused run remembers of the program it began with.
pub(crate) type Digest = [u8; 32];

/// The first byte of a stored program; others are refused.
const VERSION: u8 = 2;

/// What is hashed and stored of a program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Body {
    pub(crate) name: String,
    pub(crate) basepath: String,
    pub(crate) timeout_seconds: Option<u64>,
    /// Slot of the configuration variable.
    pub(crate) configs: Option<u32>,
    pub(crate) inputs: Vec<String>,
    /// Names of the variables; inputs come first, in order.
    pub(crate) variables: Vec<String>,
    /// Slots of variables that nothing assigns, ascending: reading one is an error.
    pub(crate) unassigned: Vec<u32>,
    pub(crate) code: Vec<Instruction>,
    /// The line of each instruction.
    pub(crate) lines: Vec<u32>,
}

/// Stored bytes are no program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the stored program can't be read: {0}")]
pub struct ProgramError(String);

impl Program {
    pub(crate) fn new(body: Body) -> Self {
        let bytes = stored(&body);
        let digest: Digest = sha2::Sha256::digest(&bytes).into();
        let hash = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Self { body, hash, digest }
    }

    pub(crate) fn body(&self) -> &Body {
        &self.body
    }

    /// The flow's qualified name.
    pub fn name(&self) -> &str {
        &self.body.name
    }

    /// The folder of its templates, below `web/`.
    pub fn basepath(&self) -> &str {
        &self.body.basepath
    }

    /// How long a run may take when this flow is the one started.
    pub fn timeout(&self) -> Option<Duration> {
        self.body.timeout_seconds.map(Duration::from_secs)
    }

    /// Whether it has a `Configs` variable.
    pub fn configs(&self) -> bool {
        self.body.configs.is_some()
    }

    /// Its inputs, in order.
    pub fn inputs(&self) -> &[String] {
        &self.body.inputs
    }

    /// SHA-256 of its content, hex.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    pub(crate) fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The stored form: a version byte, postcard.
    pub fn to_bytes(&self) -> Vec<u8> {
        stored(&self.body)
    }

    /// Reads the stored form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ProgramError> {
        let (version, rest) = bytes.split_first().ok_or_else(|| ProgramError("it is empty".to_owned()))?;
        if *version != VERSION {
            let message =
                format!("it has version {version}, this server reads version {VERSION}: deploy it again");
            return Err(ProgramError(message));
        }
        let body: Body = postcard::from_bytes(rest).map_err(|error| ProgramError(error.to_string()))?;
        if body.code.len() != body.lines.len() || body.inputs.len() > body.variables.len() {
            return Err(ProgramError("its parts do not fit each other".to_owned()));
        }
        Ok(Self::new(body))
    }
}

fn stored(body: &Body) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    bytes.extend(postcard::to_stdvec(body).unwrap_or_default());
    bytes
}

/// One instruction. Jump targets are indexes into the code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Instruction {
    /// Evaluates and stores.
    Assign { target: Path, value: Operand },
    /// Writes a log line.
    Log { args: Vec<Operand> },
    /// Ends the flow.
    Finish { value: Operand },
    /// Sends the browser elsewhere and waits.
    Redirect { target: Option<Path>, url: Operand },
    /// Shows a page and waits.
    Render { target: Option<Path>, template: String, model: Option<Path>, callback: bool },
    /// Runs a subflow.
    Trigger {
        target: Option<Path>,
        error: Option<u32>,
        flow: FlowName,
        args: Vec<Operand>,
        /// (original path, replacement).
        overrides: Vec<(String, String)>,
    },
    /// Calls a routine.
    Call { target: Option<Path>, error: Option<u32>, callee: CalleeName, args: Vec<Operand> },
    /// Goes on elsewhere unless the comparison holds.
    JumpUnless { left: Operand, right: Operand, negated: bool, to: u32 },
    /// Goes on elsewhere.
    Jump(u32),
    /// Opens a counted loop.
    BeginRepeat { count: Operand },
    /// Opens a loop over a list, map or string.
    BeginIterate { over: Path },
    /// Begins the next round, its element in `item`; leaves when there is none.
    Next { item: Option<u32>, exit: u32 },
    /// Counts a complete round and goes back to the `Next` at this index.
    Again(u32),
    /// Closes the loop; its number of complete rounds goes to the target.
    EndLoop { target: Option<Path> },
    /// The end of the text was reached.
    NoFinish,
}

/// The flow of a `Trigger`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum FlowName {
    Literal(String),
    Variable(Path),
}

/// The routine of a `Call`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum CalleeName {
    Static { package: String, function: String },
    Method { object: Path, method: String },
}

/// Something that can be evaluated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Operand {
    Null,
    Bool(bool),
    Number(f64),
    Text(Arc<str>),
    Variable(Path),
    Negated(Path),
    List(Vec<Operand>),
    Map(Vec<(Arc<str>, Operand)>),
}

/// A variable and the way into it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Path {
    pub(crate) slot: u32,
    pub(crate) accessors: Vec<Access>,
}

/// One step into a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Access {
    Name(Arc<str>),
    NameIn(u32),
    Index(u64),
    IndexIn(u32),
}

impl Body {
    /// A variable's name.
    pub(crate) fn variable(&self, slot: u32) -> &str {
        if slot == IDX {
            return "idx";
        }
        usize::try_from(slot).ok().and_then(|slot| self.variables.get(slot)).map_or("?", String::as_str)
    }

    /// A path as its author wrote it, its first `steps` accessors.
    pub(crate) fn path(&self, path: &Path, steps: usize) -> String {
        let mut text = self.variable(path.slot).to_owned();
        for access in path.accessors.iter().take(steps) {
            match access {
                Access::Name(name) if is_name(name) => {
                    text.push('.');
                    text.push_str(name);
                }
                Access::Name(name) => text.push_str(&format!(".\"{}\"", name.replace('"', "\\u0022"))),
                Access::NameIn(slot) => text.push_str(&format!(".${}", self.variable(*slot))),
                Access::Index(index) => text.push_str(&format!("[{index}]")),
                Access::IndexIn(slot) => text.push_str(&format!("[{}]", self.variable(*slot))),
            }
        }
        text
    }

    pub(crate) fn full(&self, path: &Path) -> String {
        self.path(path, path.accessors.len())
    }

    fn operand(&self, operand: &Operand) -> String {
        match operand {
            Operand::Null => "null".to_owned(),
            Operand::Bool(b) => b.to_string(),
            Operand::Number(n) => n.to_string(),
            Operand::Text(text) => format!("{text:?}"),
            Operand::Variable(path) => self.full(path),
            Operand::Negated(path) => format!("-{}", self.full(path)),
            Operand::List(items) => format!("[{}]", self.operands(items, ", ")),
            Operand::Map(entries) => {
                let shown: Vec<_> =
                    entries.iter().map(|(key, value)| format!("{key}: {}", self.operand(value))).collect();
                format!("{{{}}}", shown.join(", "))
            }
        }
    }

    fn operands(&self, operands: &[Operand], between: &str) -> String {
        operands.iter().map(|operand| self.operand(operand)).collect::<Vec<_>>().join(between)
    }

    fn instruction(&self, instruction: &Instruction) -> String {
        let to = |target: &Option<Path>| {
            target.as_ref().map_or(String::new(), |path| format!("{} = ", self.full(path)))
        };
        let caught = |target: &Option<Path>, error: &Option<u32>| match (target, error) {
            (Some(target), Some(error)) => format!("{} | {} = ", self.full(target), self.variable(*error)),
            (None, Some(error)) => format!("| {} = ", self.variable(*error)),
            (target, None) => to(target),
        };
        match instruction {
            Instruction::Assign { target, value } => {
                format!("{} = {}", self.full(target), self.operand(value))
            }
            Instruction::Log { args } => format!("log {}", self.operands(args, " ")),
            Instruction::Finish { value } => format!("finish {}", self.operand(value)),
            Instruction::Redirect { target, url } => format!("{}redirect {}", to(target), self.operand(url)),
            Instruction::Render { target, template, model, callback } => {
                let model = model.as_ref().map_or("{}".to_owned(), |path| self.full(path));
                format!(
                    "{}render {template:?} {model}{}",
                    to(target),
                    if *callback { " callback" } else { "" }
                )
            }
            Instruction::Trigger { target, error, flow, args, overrides } => {
                let flow = match flow {
                    FlowName::Literal(name) => name.clone(),
                    FlowName::Variable(path) => format!("${}", self.full(path)),
                };
                let shown: Vec<_> = overrides.iter().map(|(from, by)| format!(" {from:?}→{by:?}")).collect();
                format!(
                    "{}trigger {flow} {}{}",
                    caught(target, error),
                    self.operands(args, " "),
                    shown.concat()
                )
            }
            Instruction::Call { target, error, callee, args } => {
                let callee = match callee {
                    CalleeName::Static { package, function } => format!("{package}#{function}"),
                    CalleeName::Method { object, method } => format!("{} {method}", self.full(object)),
                };
                format!("{}call {callee} {}", caught(target, error), self.operands(args, " "))
            }
            Instruction::JumpUnless { left, right, negated, to } => {
                let is = if *negated { "is not" } else { "is" };
                format!("unless {} {is} {} jump {to}", self.operand(left), self.operand(right))
            }
            Instruction::Jump(to) => format!("jump {to}"),
            Instruction::BeginRepeat { count } => format!("repeat {}", self.operand(count)),
            Instruction::BeginIterate { over } => format!("iterate {}", self.full(over)),
            Instruction::Next { item, exit } => {
                let item = item.map_or(String::new(), |slot| format!(" {}", self.variable(slot)));
                format!("next{item} else {exit}")
            }
            Instruction::Again(start) => format!("again {start}"),
            Instruction::EndLoop { target } => format!("{}end", to(target)),
            Instruction::NoFinish => "no finish".to_owned(),
        }
    }
}

/// Whether a property can be written without quotes.
fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl fmt::Display for Program {
    /// A readable disassembly.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = &self.body;
        writeln!(f, "flow {} at {:?} inputs [{}]", body.name, body.basepath, body.inputs.join(", "))?;
        for (at, (instruction, line)) in body.code.iter().zip(&body.lines).enumerate() {
            writeln!(f, "{at:4}  {line:4}  {}", body.instruction(instruction).trim_end())?;
        }
        Ok(())
    }
}
