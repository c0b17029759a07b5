//! `agamid.credentials`

use std::sync::Arc;

use agamid_core::BoxFuture;
use agamid_core::id::{CredentialId, PersonId};
use agamid_core::secret::Secret;
use agamid_flow_engine::agama_lang::effect::CallError;
use agamid_flow_engine::agama_lang::value::{Map, Marks, Text, Value};
use agamid_flow_engine::ports::{CallContext, HostModule};
use agamid_identity::credential::CredentialKind;
use agamid_identity::{Identity, OrgScope, Person};

use crate::{no_such, number, text, unavailable};

/// The longest secret and label, in bytes.
const MAX_SECRET: usize = 4096;

pub(crate) struct Credentials(pub(crate) Identity);

impl HostModule for Credentials {
    fn wit(&self) -> &str {
        include_str!("../../../sdk/wit/host/credentials.wit")
    }

    fn call<'a>(
        &'a self,
        context: &'a CallContext,
        function: &'a str,
        args: Vec<Value>,
    ) -> BoxFuture<'a, Result<Value, CallError>> {
        Box::pin(async move {
            match function {
                "find" => self.find(context, &args).await,
                "add" => self.add(context, &args).await,
                "advance" => self.advance(context, &args).await,
                other => Err(no_such(other)),
            }
        })
    }
}

impl Credentials {
    async fn person(&self, context: &CallContext, id: &str) -> Result<Option<Person>, CallError> {
        let (Some(organisation), Some(id)) = (&context.organisation, PersonId::parse(id)) else {
            return Ok(None);
        };
        let scope = OrgScope::One(organisation.clone());
        let found = self.0.persons.get(&scope, &id).await.map_err(unavailable)?;
        Ok(found.filter(|person| person.may_log_in(context.env.now())))
    }

    async fn find(&self, context: &CallContext, args: &[Value]) -> Result<Value, CallError> {
        let (Some(person), Some(kind)) =
            (self.person(context, text(args, 0)).await?, CredentialKind::sealed(text(args, 1)))
        else {
            return Ok(Value::Null);
        };
        let Some(found) = self.0.credentials.find(&person.id, kind).await.map_err(unavailable)? else {
            return Ok(Value::Null);
        };
        let secret = self.0.credentials.open(&found).map_err(unavailable)?;
        let marks = Marks { secret: true, owner: Some(Arc::from(person.id.as_str())) };
        Ok(Value::Map(Map::from([
            ("id".to_owned(), found.id.as_str().into()),
            ("kind".to_owned(), kind.name().into()),
            ("label".to_owned(), found.label.clone().into()),
            ("secret".to_owned(), Value::String(Text::marked(secret.expose(), marks))),
            ("lastStep".to_owned(), found.last_step.map(step_value).into()),
        ])))
    }

    async fn add(&self, context: &CallContext, args: &[Value]) -> Result<Value, CallError> {
        let refused = |message: &str| CallError::new("failed", message);
        let person =
            self.person(context, text(args, 0)).await?.ok_or_else(|| refused("there is no such person"))?;
        if !context.has_proved(&person.id) {
            return Err(CallError::new(
                "denied",
                "a credential can be added only for a person whom this run has proved",
            ));
        }
        let kind = CredentialKind::sealed(text(args, 1))
            .ok_or_else(|| refused("the kinds of credential are: totp"))?;
        let (secret, label) = (text(args, 2), text(args, 3));
        if secret.is_empty() || secret.len() > MAX_SECRET || label.len() > MAX_SECRET {
            return Err(refused("secret and label have at most 4096 bytes, and a secret is not empty"));
        }
        let label = Some(label.to_owned()).filter(|label| !label.is_empty());
        let added = self.0.credentials.add_sealed(&person, kind, label, &Secret::new(secret)).await;
        Ok(added.map_err(unavailable)?.id.as_str().into())
    }

    async fn advance(&self, context: &CallContext, args: &[Value]) -> Result<Value, CallError> {
        let Some(id) = CredentialId::parse(text(args, 0)) else { return Ok(false.into()) };
        let found = self.0.credentials.get(&id).await.map_err(unavailable)?;
        let ours = found.is_some_and(|found| context.organisation.as_ref() == Some(&found.organisation));
        if !ours {
            return Ok(false.into());
        }
        Ok(self.0.credentials.advance(&id, number(args, 1)).await.map_err(unavailable)?.into())
    }
}

#[expect(clippy::cast_precision_loss, reason = "steps are seconds divided by 30: far below 2^53")]
fn step_value(step: u64) -> f64 {
    step as f64
}
