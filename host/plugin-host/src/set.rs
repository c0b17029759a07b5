//! One immutable set of routines: the host modules, and one version of each plugin.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use agamid_core::BoxFuture;
use agamid_core::id::PersonId;
use agamid_flow_engine::agama_lang::check::facts::{ParamFacts, Proof, RoutineFacts};
use agamid_flow_engine::agama_lang::effect::{Call, CallError, Routine};
use agamid_flow_engine::agama_lang::value::Value;
use agamid_flow_engine::ports::{CallContext, HostModule, Pins, RoutineSet};

use crate::convert::check;
use crate::host::Runtime;
use crate::manifest::Proves;
use crate::plugin::Plugin;
use crate::types::{Interface, Signature, Type, kebab};

/// A host module with its types.
pub(crate) struct Module {
    pub(crate) module: Arc<dyn HostModule>,
    pub(crate) interface: Interface,
}

/// A set of routines.
pub(crate) struct Set {
    pub(crate) runtime: Arc<Runtime>,
    /// By the name that flows use: `agamid.users`.
    pub(crate) modules: Arc<BTreeMap<String, Module>>,
    /// By plugin name.
    pub(crate) plugins: BTreeMap<String, Arc<Plugin>>,
}

/// What a name leads to.
enum Found<'a> {
    Module(&'a Module),
    Plugin(&'a Arc<Plugin>, &'a str),
}

impl Set {
    fn find(&self, package: &str, function: &str) -> Result<(Found<'_>, &Signature, String), String> {
        let function = kebab(function);
        let (found, interface) = if let Some(module) = self.modules.get(package) {
            (Found::Module(module), &module.interface)
        } else {
            let hit =
                self.plugins.values().find_map(|plugin| Some((plugin, plugin.interfaces.get(package)?)));
            let (plugin, (full, interface)) = hit.ok_or_else(|| self.near(package))?;
            (Found::Plugin(plugin, full.as_str()), interface)
        };
        let signature = interface.get(&function).ok_or_else(|| {
            let names: Vec<&str> = interface.keys().map(String::as_str).collect();
            format!("{package} has: {}", names.join(", "))
        })?;
        Ok((found, signature, function))
    }

    fn near(&self, package: &str) -> String {
        let mut names: Vec<&str> = self.modules.keys().map(String::as_str).collect();
        names.extend(self.plugins.values().flat_map(|plugin| plugin.interfaces.keys().map(String::as_str)));
        names.sort_unstable();
        let last = package.rsplit('.').next().unwrap_or(package);
        match names.iter().find(|name| name.rsplit('.').next() == Some(last)) {
            Some(name) => format!("did you mean {name}?"),
            None => format!("there are: {}; is a plugin missing in plugins/dist?", names.join(", ")),
        }
    }

    async fn call_static(
        &self,
        context: &CallContext,
        call: &Call,
        package: &str,
        function: &str,
    ) -> Result<Value, CallError> {
        let (found, signature, function) = self.find(package, function).map_err(|hint| {
            CallError::new("no_such_routine", format!("there is no routine {package}#{function}; {hint}"))
        })?;
        let args = fitted(&call.args, signature)?;
        match found {
            Found::Module(module) => module.module.call(context, &function, args).await,
            Found::Plugin(plugin, interface) => {
                let name = interface_name(interface);
                let proving = self.proving(call, plugin, &format!("{name}#{function}"));
                if let (Some(proving), Some(attempts)) = (&proving, &context.attempts)
                    && !attempts.allows(context, &proving.person).await?
                {
                    return Err(CallError::new("locked", "too many attempts; try again later"));
                }
                let run = self.runtime.call(Arc::clone(plugin), interface, &function, signature, args);
                let whole = Duration::from_millis(self.runtime.settings.limits.call_ms);
                let value = tokio::time::timeout(whole, run).await.unwrap_or_else(|_| {
                    Err(CallError::new(
                        "timeout",
                        format!("the plugin did not answer within {} ms", whole.as_millis()),
                    ))
                })?;
                if let Some(proving) = proving {
                    let positive = !matches!(value, Value::Null | Value::Bool(false));
                    if positive {
                        // Asked again after the work: of many tries at once those after the limit prove nothing.
                        if let Some(attempts) = &context.attempts
                            && !attempts.allows(context, &proving.person).await?
                        {
                            return Err(CallError::new("locked", "too many attempts; try again later"));
                        }
                        context.prove(proving.person, &proving.method, &proving.by);
                    } else if let Some(attempts) = &context.attempts {
                        attempts.failed(context, &proving.person).await?;
                    }
                }
                Ok(value)
            }
        }
    }

    /// What a call proves if its answer is positive: the function is granted, and the argument carries its owner's
    /// mark, so it came from `agamid.credentials`.
    fn proving(&self, call: &Call, plugin: &Plugin, function: &str) -> Option<Proving> {
        let name = &plugin.manifest.name;
        let grant = self.runtime.settings.grants.get(name);
        let claimed = plugin.manifest.proves.iter().filter(|proves| proves.function == function);
        for proves in claimed {
            if !grant.is_some_and(|grant| grant.proves.contains(&proves.method)) {
                tracing::debug!(event = "plugin.proof_not_granted", plugin = name, method = proves.method);
                continue;
            }
            let subject = proves.argument().and_then(|at| call.args.get(at));
            if let Some(Value::String(text)) = subject
                && let Some(person) = text.marks().owner.as_deref().and_then(PersonId::parse)
            {
                return Some(Proving {
                    person,
                    method: proves.method.clone(),
                    by: format!("{name} {function}"),
                });
            }
        }
        None
    }
}

/// What a positive answer is worth.
struct Proving {
    person: PersonId,
    method: String,
    by: String,
}

/// `totp` of `extras:otp/totp@0.1.0`.
fn interface_name(full: &str) -> &str {
    let name = full.rsplit('/').next().unwrap_or_default();
    name.split('@').next().unwrap_or_default()
}

/// The arguments, checked against the signature; missing optional ones at the end are filled in.
fn fitted(args: &[Value], signature: &Signature) -> Result<Vec<Value>, CallError> {
    let wrong = |message: String| CallError::new("bad_argument", message);
    if args.len() > signature.params.len() {
        return Err(wrong(format!("{} arguments are given to {signature}", args.len())));
    }
    let mut fitted = Vec::with_capacity(signature.params.len());
    for (at, (_, ty)) in signature.params.iter().enumerate() {
        let value = match args.get(at) {
            Some(value) => value.clone(),
            None if matches!(ty, Type::Option(_)) => Value::Null,
            None => return Err(wrong(format!("{} arguments are given to {signature}", args.len()))),
        };
        fitted.push(check(value, ty, &format!("argument {}", at + 1), 0).map_err(wrong)?);
    }
    Ok(fitted)
}

/// What the checks are told of a routine that exists.
pub(crate) fn known(signature: &Signature, name: &str) -> RoutineFacts {
    let params = signature.params.iter().map(|(name, ty)| ParamFacts {
        name: name.clone(),
        ty: ty.to_string(),
        optional: matches!(ty, Type::Option(_)),
    });
    RoutineFacts::Known {
        params: params.collect(),
        result: signature.result.as_ref().map(Type::to_string).unwrap_or_default(),
        signature: format!("{name}: {signature}"),
    }
}

impl RoutineSet for Set {
    fn pins(&self) -> Pins {
        self.plugins.iter().map(|(name, plugin)| (name.clone(), plugin.digest.clone())).collect()
    }

    fn facts(&self, package: &str, function: &str) -> RoutineFacts {
        match self.find(package, function) {
            Err(hint) => RoutineFacts::Unknown { hint },
            Ok((_, signature, name)) => known(signature, &name),
        }
    }

    fn proves(&self, package: &str, function: &str) -> Proof {
        match self.find(package, function) {
            Err(_) => Proof::Unknown,
            Ok((Found::Module(module), _, name)) => module.module.proves(&name),
            Ok((Found::Plugin(plugin, interface), _, name)) => {
                let full = format!("{}#{name}", interface_name(interface));
                let grant = self.runtime.settings.grants.get(&plugin.manifest.name);
                let granted = plugin.manifest.proves.iter().find(|proves| {
                    proves.function == full
                        && grant.is_some_and(|grant| grant.proves.contains(&proves.method))
                });
                granted.and_then(Proves::argument).map_or(Proof::Nobody, Proof::Argument)
            }
        }
    }

    fn call<'a>(
        &'a self,
        context: &'a CallContext,
        call: &'a Call,
    ) -> BoxFuture<'a, Result<Value, CallError>> {
        Box::pin(async move {
            match &call.routine {
                Routine::Static { package, function } => {
                    self.call_static(context, call, package, function).await
                }
                Routine::Method { object, method } => Err(CallError::new(
                    "no_such_routine",
                    format!(
                        "{} has no method {method}; call a routine: Call package.interface#function",
                        object.kind()
                    ),
                )),
            }
        })
    }
}
