//! Hooks: plugins that the server asks, where an operator's own code has a say.
//!
//! A plugin exports the interface of a hook (`sdk/wit/hooks`), and the operator grants it (`hooks = ["password-policy"]`).
//! What is granted must answer: a plugin that is missing, or does not export the hook, is a hook that fails.
//!
//! To add a hook: a point in `agamid_core::ports`, its WIT, an arm in [`wit`], its typed request where it is called.

use std::sync::{Arc, Weak};
use std::time::Duration;

use agamid_core::BoxFuture;
use agamid_core::ports::{HookError, HookPoint, Hooks};
use agamid_flow_engine::agama_lang::value::Value;
use serde_json::json;

use crate::convert::check;
use crate::host::Inner;
use crate::set::Set;
use crate::types::{self, Interface};

/// What names of hooks in components begin with, as flows would write them.
pub(crate) const PREFIX: &str = "agamid.hooks.";
/// All points.
const POINTS: [HookPoint; 1] = [HookPoint::PasswordPolicy];

/// The interface of a hook.
fn wit(point: HookPoint) -> &'static str {
    match point {
        HookPoint::PasswordPolicy => include_str!("../../../sdk/wit/hooks/password-policy.wit"),
    }
}

/// The full WIT name of a hook.
fn full_name(point: HookPoint) -> String {
    format!("agamid:hooks/{}@0.1.0", point.name())
}

fn interface(point: HookPoint) -> Option<Interface> {
    types::of_text(wit(point)).ok()?.remove(point.name())
}

/// Whether a component's hook is one that the server asks. The reason of a refusal says what to do.
pub(crate) fn accept(name: &str, full: &str, exported: &Interface) -> Result<(), String> {
    let point = POINTS.into_iter().find(|point| name.strip_prefix(PREFIX) == Some(point.name()));
    let Some(point) = point else {
        let known: Vec<&str> = POINTS.iter().map(|point| point.name()).collect();
        return Err(format!(
            "it exports the hook {full}, which there is not; there are: {}",
            known.join(", ")
        ));
    };
    if full != full_name(point) || Some(exported) != interface(point).as_ref() {
        return Err(format!(
            "its hook {full} is not the one of this server: build it against sdk/wit/hooks/{}.wit",
            point.name()
        ));
    }
    Ok(())
}

/// Asks the plugins of a host, as long as it is there.
pub(crate) struct PluginHooks(pub(crate) Weak<Inner>);

/// Who is granted a hook.
fn granted(set: &Set, point: HookPoint) -> impl Iterator<Item = &String> {
    let grants = set.runtime.settings.grants.iter();
    grants.filter(move |(_, grant)| grant.hooks.iter().any(|name| name == point.name())).map(|(name, _)| name)
}

/// Asks every plugin that is granted the hook; their lists are joined.
async fn ask(
    set: Arc<Set>,
    point: HookPoint,
    request: serde_json::Value,
) -> Result<serde_json::Value, String> {
    let types = interface(point).ok_or("its WIT can't be read")?;
    let signature = types.get("check").ok_or("its WIT has no function check")?;
    let (_, ty) = signature.params.first().ok_or("its function check takes nothing")?;
    let request = check(Value::from_json(request), ty, "request", 0)?;
    let whole = Duration::from_millis(set.runtime.settings.limits.call_ms);
    let mut found = Vec::new();
    for name in granted(&set, point) {
        let plugin = set.plugins.get(name).filter(|plugin| plugin.hooks.contains(&full_name(point)));
        let plugin =
            plugin.ok_or_else(|| format!("the plugin {name} is missing, or does not export the hook"))?;
        let (interface, args) = (full_name(point), vec![request.clone()]);
        let call = set.runtime.call(Arc::clone(plugin), &interface, "check", signature, args);
        let answer = tokio::time::timeout(whole, call).await;
        match answer.map_err(|_| format!("{name} did not answer within {} ms", whole.as_millis()))? {
            Ok(Value::List(items)) => found.extend(items.iter().map(Value::to_json)),
            Ok(_) => return Err(format!("{name} answered no list")),
            Err(error) => return Err(format!("{name}: {}: {}", error.code, error.message)),
        }
    }
    Ok(json!({ "violations": found }))
}

impl Hooks for PluginHooks {
    fn has(&self, point: HookPoint) -> bool {
        // A host that is gone is asked too, and then fails.
        self.0.upgrade().is_none_or(|host| granted(&host.current(), point).next().is_some())
    }

    fn call(
        &self,
        point: HookPoint,
        request: serde_json::Value,
    ) -> BoxFuture<'_, Result<serde_json::Value, HookError>> {
        Box::pin(async move {
            let set = self.0.upgrade().map(|host| host.current());
            let answer = match set {
                Some(set) => ask(set, point, request).await,
                None => Err("the server stops".to_owned()),
            };
            answer.map_err(|reason| HookError { point: point.name(), reason })
        })
    }
}
