//! The signatures of routines without the routines: for checking flows where no server runs.

use std::collections::BTreeMap;

use agamid_flow_engine::agama_lang::check::facts::{Proof, RoutineFacts};

use crate::manifest;
use crate::set::known;
use crate::types::{self, Interface, kebab};

/// The signatures of host modules and plugins, by the names that flows use.
#[derive(Debug, Clone, Default)]
pub struct Signatures {
    interfaces: BTreeMap<String, Interface>,
    /// What plugins ask to prove: package and function as flows name them (in kebab case), and the argument.
    proofs: BTreeMap<(String, String), usize>,
}

impl Signatures {
    /// Adds a host module by its WIT text.
    pub fn add_module(&mut self, wit: &str) -> Result<(), String> {
        let interfaces = types::of_text(wit)?;
        let named = interfaces.into_iter().map(|(name, interface)| (format!("agamid.{name}"), interface));
        self.interfaces.extend(named);
        Ok(())
    }

    /// Adds a plugin by its component; nothing is compiled.
    pub fn add_component(&mut self, bytes: &[u8]) -> Result<(), String> {
        let interfaces = types::of_component(bytes)?.interfaces;
        let manifest = manifest::of_component(bytes)?;
        for proves in &manifest.proves {
            if let (Some((interface, function)), Some(at)) =
                (proves.function.split_once('#'), proves.argument())
            {
                let package = format!("{}.{interface}", manifest.name.replace(':', "."));
                self.proofs.insert((package, function.to_owned()), at);
            }
        }
        self.interfaces.extend(interfaces.into_iter().map(|(name, (_, interface))| (name, interface)));
        Ok(())
    }

    /// Whom a routine of a plugin proves, taken that the operator grants what the plugin asks for.
    pub fn proves(&self, package: &str, function: &str) -> Proof {
        if !self.interfaces.contains_key(package) {
            return Proof::Unknown;
        }
        let at = self.proofs.get(&(package.to_owned(), kebab(function)));
        at.copied().map_or(Proof::Nobody, Proof::Argument)
    }

    /// What `package#function` is. Packages that are not known are not checked, for a server may have them; those of
    /// the server itself (`agamid.…`) are all known.
    pub fn facts(&self, package: &str, function: &str) -> RoutineFacts {
        let Some(interface) = self.interfaces.get(package) else {
            let ours: Vec<&str> = self
                .interfaces
                .keys()
                .map(String::as_str)
                .filter(|name| name.starts_with("agamid."))
                .collect();
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
