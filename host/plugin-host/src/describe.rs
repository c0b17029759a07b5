//! Routines as their WIT describes them, for tools that call nothing: no engine, no store.

use agamid_flow_engine::agama_lang::check::facts::ParamFacts;
use wit_parser::{Interface, PackageName, Resolve};

use crate::types::{self, Type, camel};

/// A routine that flows can call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// The part before `#`, as flows write it: `agamid.users`.
    pub package: String,
    /// The part after `#`, as flows write it: `newSecret`.
    pub function: String,
    /// Its parameters, in order.
    pub params: Vec<ParamFacts>,
    /// The WIT type of its result, empty when it has none.
    pub result: String,
    /// The whole signature in WIT.
    pub signature: String,
    /// The comment above it; components carry none.
    pub docs: String,
}

/// The routines of a WIT text: of a host module, or of a plugin's source.
pub fn of_wit(wit: &str) -> Result<Vec<Described>, String> {
    let mut resolve = Resolve::default();
    resolve.push_str("routines.wit", wit).map_err(|error| error.to_string())?;
    of_interfaces(&resolve, resolve.interfaces.iter().map(|(_, interface)| interface))
}

/// The routines that a component exports.
pub fn of_component(bytes: &[u8]) -> Result<Vec<Described>, String> {
    let decoded = wit_component::decode(bytes).map_err(|error| format!("it is no component: {error}"))?;
    let wit_component::DecodedWasm::Component(resolve, world) = decoded else {
        return Err("it is a WIT package, not a component".to_owned());
    };
    let world = resolve.worlds.get(world).ok_or("it has no world")?;
    let exported = world.exports.values().filter_map(|item| match item {
        wit_parser::WorldItem::Interface { id, .. } => resolve.interfaces.get(*id),
        _ => None,
    });
    of_interfaces(&resolve, exported)
}

fn of_interfaces<'a>(
    resolve: &Resolve,
    interfaces: impl Iterator<Item = &'a Interface>,
) -> Result<Vec<Described>, String> {
    let mut found = Vec::new();
    for interface in interfaces {
        let package = interface.package.and_then(|id| resolve.packages.get(id));
        let (Some(package), Some(name)) = (package, &interface.name) else { continue };
        let package = in_flows(&package.name, name);
        for (function, signature) in
            types::functions(resolve, interface).map_err(|error| error.to_string())?
        {
            let docs = interface.functions.get(&function).and_then(|found| found.docs.contents.clone());
            let params = signature.params.iter().map(|(name, ty)| ParamFacts {
                name: name.clone(),
                ty: ty.to_string(),
                optional: matches!(ty, Type::Option(_)),
            });
            found.push(Described {
                package: package.clone(),
                function: camel(&function),
                params: params.collect(),
                result: signature.result.as_ref().map(Type::to_string).unwrap_or_default(),
                signature: format!("{function}: {signature}"),
                docs: docs.unwrap_or_default().trim().to_owned(),
            });
        }
    }
    Ok(found)
}

/// The name that flows use: the server's own modules are `agamid.users`, those of plugins `extras.otp.totp`.
fn in_flows(package: &PackageName, interface: &str) -> String {
    if package.namespace == "agamid" {
        return format!("agamid.{interface}");
    }
    format!("{}.{}.{interface}", package.namespace, package.name)
}

#[cfg(test)]
mod tests {
    use super::{of_component, of_wit};

    #[test]
    fn a_host_modules_wit_gives_its_routines_with_their_docs() {
        let found = of_wit(include_str!("../../../sdk/wit/host/credentials.wit")).unwrap();
        let advance = found.iter().find(|routine| routine.function == "advance").unwrap();
        assert_eq!(advance.package, "agamid.credentials");
        assert_eq!(advance.signature, "advance: func(id: string, step: u64) -> bool");
        assert_eq!(advance.docs, "Uses a step up: true, once, when it is higher than all before.");
        assert_eq!(advance.result, "bool");
    }

    #[test]
    fn a_plugins_source_and_its_component_give_the_same_routines() {
        let source = of_wit(include_str!("../../../plugins/totp/wit/totp.wit")).unwrap();
        let component = of_component(include_bytes!("../../../plugins/dist/totp.wasm")).unwrap();
        let names = |found: &[super::Described]| -> Vec<String> {
            found.iter().map(|routine| format!("{}#{}", routine.package, routine.function)).collect()
        };
        assert_eq!(names(&source), names(&component));
        assert!(names(&source).contains(&"extras.otp.totp#newSecret".to_owned()), "{:?}", names(&source));
        let verify = source.iter().find(|routine| routine.function == "verify").unwrap();
        assert!(verify.params.last().unwrap().optional && verify.docs.contains("right code"));
    }

    #[test]
    fn what_is_neither_says_so() {
        assert!(of_wit("interface {").is_err());
        assert!(of_component(b"\0asm").unwrap_err().contains("no component"));
    }
}
