//! `agamid.clock`

use agamid_core::BoxFuture;
use agamid_flow_engine::agama_lang::effect::CallError;
use agamid_flow_engine::agama_lang::value::Value;
use agamid_flow_engine::ports::{CallContext, HostModule};

use crate::no_such;

pub(crate) struct Clock;

impl HostModule for Clock {
    fn wit(&self) -> &str {
        include_str!("../../../sdk/wit/host/clock.wit")
    }

    #[expect(clippy::cast_precision_loss, reason = "seconds stay below 2^53 for 285 million years")]
    fn call<'a>(
        &'a self,
        context: &'a CallContext,
        function: &'a str,
        _args: Vec<Value>,
    ) -> BoxFuture<'a, Result<Value, CallError>> {
        Box::pin(async move {
            match function {
                "now" => Ok(Value::Number(context.env.now().seconds().max(0) as f64)),
                other => Err(no_such(other)),
            }
        })
    }
}
