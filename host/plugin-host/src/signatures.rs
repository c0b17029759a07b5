//! The signatures of routines without the routines: for checking flows where no server runs.

use std::collections::BTreeMap;

use agamid_flow_engine::agama_lang::check::facts::RoutineFacts;

use crate::set::known;
use crate::types::{self, Interface, kebab};

/// The signatures of host modules and plugins, by the names that flows use.
#[derive(Debug, Clone, Default)]
pub struct Signatures(BTreeMap<String, Interface>);

impl Signatures {
    /// Adds a host module by its WIT text.
    pub fn add_module(&mut self, wit: &str) -> Result<(), String> {
        let interfaces = types::of_text(wit)?;
        self.0.extend(interfaces.into_iter().map(|(name, interface)| (format!("agamid.{name}"), interface)));
        Ok(())
    }

    /// Adds a plugin by its component; nothing is compiled.
    pub fn add_component(&mut self, bytes: &[u8]) -> Result<(), String> {
        let interfaces = types::of_component(bytes)?.interfaces;
        self.0.extend(interfaces.into_iter().map(|(name, (_, interface))| (name, interface)));
        Ok(())
    }

    /// What `package#function` is. Packages that are not known are not checked, for a server may have them; those of
    /// the server itself (`agamid.…`) are all known.
    pub fn facts(&self, package: &str, function: &str) -> RoutineFacts {
        let Some(interface) = self.0.get(package) else {
            let ours: Vec<&str> =
                self.0.keys().map(String::as_str).filter(|name| name.starts_with("agamid.")).collect();
            let hint = format!("there are: {}", ours.join(", "));
            return if package.starts_with("agamid.") {
                RoutineFacts::Unknown { hint }
            } else {
                RoutineFacts::Unchecked
            };
        };
        let name = kebab(function);
        match interface.get(&name) {
            Some(signature) => known(signature, &name),
            None => {
                let names: Vec<&str> = interface.keys().map(String::as_str).collect();
                RoutineFacts::Unknown { hint: format!("{package} has: {}", names.join(", ")) }
            }
        }
    }
}
