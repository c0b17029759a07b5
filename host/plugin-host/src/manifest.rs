//! `plugin.toml`, as it travels inside the component: custom section `agamid:manifest`.

use serde::Deserialize;

/// The section's name.
pub const SECTION: &str = "agamid:manifest";

/// What a plugin says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Its name: the WIT package, `extras:otp`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its licence.
    pub license: Option<String>,
    /// What it is.
    pub description: Option<String>,
    /// What it asks to prove.
    #[serde(default)]
    pub proves: Vec<Proves>,
}

/// A function that makes sure that somebody is here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proves {
    /// `interface#function`, in WIT's names.
    pub function: String,
    /// The `amr` value.
    pub method: String,
    /// The argument whose owner is proved: `arg:0`.
    pub subject: String,
}

impl Proves {
    /// The position of the subject's argument.
    pub(crate) fn argument(&self) -> Option<usize> {
        self.subject.strip_prefix("arg:")?.parse().ok()
    }
}

/// Reads the manifest of a component. The reason of a refusal says what to do.
pub fn of_component(bytes: &[u8]) -> Result<Manifest, String> {
    let mut depth = 0_usize;
    for payload in wasmparser::Parser::new(0).parse_all(bytes) {
        match payload.map_err(|error| error.to_string())? {
            wasmparser::Payload::ModuleSection { .. } | wasmparser::Payload::ComponentSection { .. } => {
                depth += 1
            }
            wasmparser::Payload::End(_) => depth = depth.saturating_sub(1),
            wasmparser::Payload::CustomSection(section) if depth == 0 && section.name() == SECTION => {
                let text = std::str::from_utf8(section.data())
                    .map_err(|_| "its manifest is not UTF-8".to_owned())?;
                let manifest: Manifest =
                    toml::from_str(text).map_err(|error| format!("its manifest (plugin.toml): {error}"))?;
                return check(manifest);
            }
            _ => {}
        }
    }
    Err(format!(
        "it has no section {SECTION}; build it with `cargo xtask plugins`, with a plugin.toml beside it"
    ))
}

fn check(manifest: Manifest) -> Result<Manifest, String> {
    if manifest.name.starts_with("agamid:") || !manifest.name.contains(':') {
        return Err(format!("its name {:?} must be namespace:package, and not in agamid:", manifest.name));
    }
    match manifest.proves.iter().find(|proves| proves.argument().is_none()) {
        Some(proves) => {
            Err(format!("proves {}: subject {:?} must be arg:N", proves.function, proves.subject))
        }
        None => Ok(manifest),
    }
}
