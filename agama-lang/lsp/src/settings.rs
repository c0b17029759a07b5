//! What the server is started with.

use agama_lang::check::facts::{ParamFacts, RoutineFacts};
use agama_lang::diagnostic::Diagnostic;

use std::path::PathBuf;

use crate::files::Files;
use crate::near::nearest;

/// Turns a source into its canonical layout, or says why it can't: `(source, file)`.
pub type Format = fn(&str, &str) -> Result<String, Vec<Diagnostic>>;

/// What the server is started with.
pub struct Settings {
    /// Reads the workspace.
    pub files: Box<dyn Files>,
    /// Routines that flows can call. Empty: nothing is known, and calls are not checked.
    pub routines: Vec<Routine>,
    /// Flows that every server has, by name and source.
    pub flows: Vec<(String, String)>,
    /// The formatter; without one the server offers no formatting.
    pub format: Option<Format>,
}

/// A routine that flows can call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routine {
    /// The part before `#`: `agamid.users`.
    pub package: String,
    /// The part after `#`, as flows write it: `newSecret`.
    pub function: String,
    /// Its parameters, in order.
    pub params: Vec<ParamFacts>,
    /// The WIT type of its result, empty when it has none.
    pub result: String,
    /// The whole signature in WIT.
    pub signature: String,
    /// What its WIT says of it.
    pub docs: String,
    /// Where its WIT stands, if there is a file.
    pub declared: Option<Declared>,
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// The file, as a whole path.
    pub file: PathBuf,
    /// The line, from 0.
    pub line: u32,
}

/// The known routines.
#[derive(Debug, Default)]
pub(crate) struct Routines(Vec<Routine>);

impl Routines {
    pub(crate) fn new(mut routines: Vec<Routine>) -> Self {
        routines.sort_by(|a, b| (&a.package, &a.function).cmp(&(&b.package, &b.function)));
        Self(routines)
    }

    /// The functions of a package.
    pub(crate) fn of(&self, package: &str) -> impl Iterator<Item = &str> {
        let found = self.0.iter().filter(move |routine| routine.package == package);
        found.map(|routine| routine.function.as_str())
    }

    pub(crate) fn all(&self) -> &[Routine] {
        &self.0
    }

    /// A routine as a flow names it: `newSecret`, `new_secret` and the WIT name `new-secret` are one.
    pub(crate) fn find(&self, package: &str, function: &str) -> Option<&Routine> {
        let wanted = folded(function);
        self.0.iter().find(|routine| routine.package == package && folded(&routine.function) == wanted)
    }

    /// What the checks are told. A package of which nothing is known is not checked: its plugin may be installed on the
    /// server only. The server's own packages are all known.
    pub(crate) fn facts(&self, package: &str, function: &str) -> RoutineFacts {
        if let Some(found) = self.find(package, function) {
            return RoutineFacts::Known {
                params: found.params.clone(),
                result: found.result.clone(),
                signature: found.signature.clone(),
            };
        }
        let siblings: Vec<&str> = self.of(package).collect();
        if !siblings.is_empty() {
            return RoutineFacts::Unknown { hint: format!("{package} has: {}", siblings.join(", ")) };
        }
        if self.0.is_empty() || !package.starts_with("agamid.") {
            return RoutineFacts::Unchecked;
        }
        let mut own: Vec<&str> = self.0.iter().map(|routine| routine.package.as_str()).collect();
        own.retain(|name| name.starts_with("agamid."));
        own.dedup();
        RoutineFacts::Unknown {
            hint: match nearest(package, own.iter().copied()) {
                Some(name) => format!("did you mean {name}?"),
                None => format!("there are: {}", own.join(", ")),
            },
        }
    }
}

/// A name without the marks that tell WIT's spelling from that of flows.
fn folded(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_')).map(|c| c.to_ascii_lowercase()).collect()
}
