//! `agamid.sms`

use std::sync::Arc;

use agamid_core::BoxFuture;
use agamid_core::ports::SmsSender;
use agamid_flow_engine::agama_lang::effect::CallError;
use agamid_flow_engine::agama_lang::value::Value;
use agamid_flow_engine::ports::{CallContext, HostModule};

use crate::{no_such, not_sent, text};

/// Absent where no text message can be sent.
pub(crate) struct Sms(pub(crate) Option<Arc<dyn SmsSender>>);

impl HostModule for Sms {
    fn wit(&self) -> &str {
        include_str!("../../../sdk/wit/host/sms.wit")
    }

    fn call<'a>(
        &'a self,
        _context: &'a CallContext,
        function: &'a str,
        args: Vec<Value>,
    ) -> BoxFuture<'a, Result<Value, CallError>> {
        Box::pin(async move {
            if function != "send" {
                return Err(no_such(function));
            }
            let to = text(&args, 0);
            let digits = to.strip_prefix('+').unwrap_or_default();
            if !(6..=15).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
                let reason = "to must be a number in E.164, such as +491701234567";
                return Err(CallError::new("bad_argument", reason));
            }
            let sender = self.0.as_ref().ok_or_else(|| not_sent("no text message service is configured"))?;
            sender.send(to.to_owned(), text(&args, 1).to_owned()).await.map_err(not_sent)?;
            Ok(Value::Null)
        })
    }
}
