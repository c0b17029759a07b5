//! `agamid.mail`

use std::sync::Arc;

use agamid_core::BoxFuture;
use agamid_core::ports::{Mail as Message, Mailer};
use agamid_flow_engine::agama_lang::effect::CallError;
use agamid_flow_engine::agama_lang::value::Value;
use agamid_flow_engine::ports::{CallContext, HostModule};

use crate::{no_such, not_sent, text};

/// Absent where no mail can be sent.
pub(crate) struct Mail(pub(crate) Option<Arc<dyn Mailer>>);

impl HostModule for Mail {
    fn wit(&self) -> &str {
        include_str!("../../../sdk/wit/host/mail.wit")
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
            let (to, subject) = (text(&args, 0), text(&args, 1));
            if !is_address(to) || subject.chars().any(char::is_control) {
                return Err(CallError::new("bad_argument", "to must be one mail address, subject one line"));
            }
            let message = Message {
                to: to.to_owned(),
                subject: subject.to_owned(),
                text: text(&args, 2).to_owned(),
                html: None,
            };
            let mailer = self.0.as_ref().ok_or_else(|| not_sent("no mail service is configured"))?;
            mailer.send(message).await.map_err(not_sent)?;
            Ok(Value::Null)
        })
    }
}

/// One plain address: nothing that could add a header or a second recipient.
fn is_address(text: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    text.len() <= 254
        && text.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && local.chars().all(plain)
                && domain
                    .split('.')
                    .all(|label| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-'))
        })
}

#[cfg(test)]
mod tests {
    use super::is_address;

    #[test]
    fn only_one_plain_address_is_taken() {
        for good in ["a@example.org", "first.last+tag@mail.example", "ü@example.org"] {
            assert!(is_address(good), "{good}");
        }
        for bad in [
            "",
            "a",
            "@example.org",
            "a@",
            "a@b..c",
            "a@b c",
            "a b@c",
            "a@b,c@d",
            "a@b\r\nBcc: c@d",
            "<a@b>",
            "\"a b\"@c",
        ] {
            assert!(!is_address(bad), "{bad}");
        }
    }
}
