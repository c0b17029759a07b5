//! `agamid.password`

use agamid_core::BoxFuture;
use agamid_flow_engine::agama_lang::check::facts::Proof;
use agamid_flow_engine::agama_lang::effect::CallError;
use agamid_flow_engine::agama_lang::value::Value;
use agamid_flow_engine::ports::{CallContext, HostModule};
use agamid_identity::Identity;
use agamid_identity::lockout::Account;

use crate::attempts::origin;
use crate::{no_such, text, unavailable, user};

pub(crate) struct Password(pub(crate) Identity);

impl HostModule for Password {
    fn wit(&self) -> &str {
        include_str!("../../../sdk/wit/host/password.wit")
    }

    fn proves(&self, function: &str) -> Proof {
        crate::proves("agamid.password", function)
    }

    fn call<'a>(
        &'a self,
        context: &'a CallContext,
        function: &'a str,
        args: Vec<Value>,
    ) -> BoxFuture<'a, Result<Value, CallError>> {
        Box::pin(async move {
            if function != "verify" {
                return Err(no_such(function));
            }
            let Some(organisation) = &context.organisation else { return Ok(Value::Null) };
            let (login, password) = (text(&args, 0), text(&args, 1));
            let known = self.0.persons.by_login(organisation, login).await.map_err(unavailable)?;
            let account = match &known {
                Some(person) => Account::of_person(&person.id),
                None => Account::of_nobody(organisation, login),
            };
            let origin = origin(context);
            let allows = async || self.0.lockout.allows(&account, &origin).await.map_err(unavailable);
            let allowed = allows().await?;
            let mut found =
                self.0.passwords.verify(organisation, login, password).await.map_err(unavailable)?;
            if found.is_none() && allowed {
                found = self
                    .0
                    .directories
                    .authenticate(organisation, login, password)
                    .await
                    .map_err(unavailable)?;
            }
            // Refused as if it were wrong, and after the same work: who guesses learns nothing, not even that a guess was
            // right. Asked again after the work: of many guesses at once those that end after the limit count for nothing.
            if !allowed || found.is_some() && !allows().await? {
                return Ok(Value::Null);
            }
            let Some(person) = found else {
                self.0.lockout.failed(&account, &origin).await.map_err(unavailable)?;
                return Ok(Value::Null);
            };
            context.prove(person.id.clone(), "pwd", "agamid.password#verify");
            Ok(user(&person))
        })
    }
}
