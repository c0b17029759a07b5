//! `agamid.random`

use agamid_core::BoxFuture;
use agamid_core::random::Rng;
use agamid_flow_engine::agama_lang::effect::CallError;
use agamid_flow_engine::agama_lang::value::Value;
use agamid_flow_engine::ports::{CallContext, HostModule};

use crate::{no_such, number};

pub(crate) struct Random;

impl HostModule for Random {
    fn wit(&self) -> &str {
        include_str!("../../../sdk/wit/host/random.wit")
    }

    fn call<'a>(
        &'a self,
        context: &'a CallContext,
        function: &'a str,
        args: Vec<Value>,
    ) -> BoxFuture<'a, Result<Value, CallError>> {
        Box::pin(async move {
            let count = usize::try_from(number(&args, 0)).unwrap_or(usize::MAX);
            let rng = &*context.env.rng;
            match function {
                "hex" if (1..=64).contains(&count) => Ok(Value::secret(hex(rng, count))),
                "hex" => Err(CallError::new("bad_argument", "hex makes 1 to 64 bytes")),
                "code" if (4..=12).contains(&count) => Ok(Value::secret(code(rng, count))),
                "code" => Err(CallError::new("bad_argument", "code makes 4 to 12 digits")),
                other => Err(no_such(other)),
            }
        })
    }
}

fn hex(rng: &dyn Rng, count: usize) -> String {
    let mut bytes = vec![0; count];
    rng.fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Digits, each equally likely: bytes from 250 on are drawn again.
fn code(rng: &dyn Rng, count: usize) -> String {
    let mut digits = String::with_capacity(count);
    while digits.len() < count {
        let [byte] = agamid_core::random::bytes::<1>(rng);
        if byte < 250 {
            digits.push(char::from(b'0' + byte % 10));
        }
    }
    digits
}
