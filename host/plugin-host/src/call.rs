//! One call of a plugin: a fresh store, within limits.

use wasmtime::component::Val;
use wasmtime::{Engine, ResourceLimiter, Store, Trap};

use agamid_flow_engine::agama_lang::effect::CallError;
use agamid_flow_engine::agama_lang::value::Value;

use crate::convert::{lift, lower};
use crate::plugin::Plugin;
use crate::settings::Limits;
use crate::types::{Signature, Type};

/// How often the clock of running guests ticks.
pub(crate) const TICK: std::time::Duration = std::time::Duration::from_millis(5);

/// What a store keeps of its guest: the limits, and whether memory was refused.
pub(crate) struct Guest {
    memory: usize,
    tables: usize,
    refused: bool,
}

impl ResourceLimiter for Guest {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let fits = desired <= self.memory;
        self.refused |= !fits;
        Ok(fits)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let fits = desired <= self.tables;
        self.refused |= !fits;
        Ok(fits)
    }
}

/// Calls a function; blocks while the guest runs.
pub(crate) fn call(
    engine: &Engine,
    plugin: &Plugin,
    limits: &Limits,
    interface: &str,
    function: &str,
    signature: &Signature,
    args: &[Value],
) -> Result<Value, CallError> {
    let broken = |message: String| CallError::new("trap", message);
    let mut lowered = Vec::with_capacity(args.len());
    for (value, (_, ty)) in args.iter().zip(&signature.params) {
        lowered.push(lower(value, ty).map_err(|message| CallError::new("bad_argument", message))?);
    }
    let guest = Guest { memory: limits.memory_bytes, tables: limits.table_elements, refused: false };
    let mut store = Store::new(engine, guest);
    store.limiter(|guest| guest);
    let ticks = u128::from(limits.cpu_ms).div_ceil(TICK.as_millis()).max(1);
    store.set_epoch_deadline(u64::try_from(ticks).unwrap_or(u64::MAX));
    let mut results = if signature.result.is_some() { vec![Val::Bool(false)] } else { Vec::new() };
    let outcome = plugin.ready.instantiate(&mut store).and_then(|instance| {
        let interface = instance.get_export_index(&mut store, None, interface);
        let index = interface.and_then(|at| instance.get_export_index(&mut store, Some(&at), function));
        let index = index.ok_or_else(|| wasmtime::Error::msg("the function is gone"))?;
        let found = instance
            .get_func(&mut store, index)
            .ok_or_else(|| wasmtime::Error::msg("the function is gone"))?;
        found.call(&mut store, &lowered, &mut results)
    });
    if let Err(error) = outcome {
        return Err(explain(&error, store.data().refused, limits));
    }
    match (&signature.result, results.first()) {
        (Some(ty), Some(value)) => from_result(value, ty).map_err(|error| *error),
        (None, _) => Ok(Value::Null),
        _ => Err(broken("the plugin answered nothing".to_owned())),
    }
}

/// `ok` is the value, `err` an error that the flow may catch.
fn from_result(value: &Val, ty: &Type) -> Result<Value, Box<CallError>> {
    let (Val::Result(result), Type::Result(ok, err)) = (value, ty) else { return Ok(lift(value, ty)) };
    let side = |value: &Option<Box<Val>>, ty: &Option<Box<Type>>| match (value, ty) {
        (Some(value), Some(ty)) => lift(value, ty),
        _ => Value::Null,
    };
    match result {
        Ok(value) => Ok(side(value, ok)),
        Err(value) => {
            let data = side(value, err);
            let message = match &data {
                // As people may see it: secret text reads •••.
                Value::String(text) => text.to_string(),
                other => other.redacted().to_string(),
            };
            Err(Box::new(CallError { code: "failed".to_owned(), message, data }))
        }
    }
}

/// Why a guest stopped. Its backtrace, with names of its insides, stays in the log.
fn explain(error: &wasmtime::Error, refused: bool, limits: &Limits) -> CallError {
    tracing::warn!(event = "plugin.stopped", cause = format!("{error:#}"));
    if refused {
        let message = format!("the plugin needed more than {} bytes of memory", limits.memory_bytes);
        return CallError::new("out_of_memory", message);
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => {
            CallError::new("timeout", format!("the plugin ran longer than {} ms", limits.cpu_ms))
        }
        Some(Trap::StackOverflow) => CallError::new("trap", "the plugin recursed too deep"),
        _ => CallError::new("trap", "the plugin stopped with an error"),
    }
}
