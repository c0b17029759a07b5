//! `agamid.password`

use agamid_core::BoxFuture;
use agamid_core::id::PersonId;
use agamid_flow_engine::agama_lang::check::facts::Proof;
use agamid_flow_engine::agama_lang::effect::CallError;
use agamid_flow_engine::agama_lang::value::{Map, Value};
use agamid_flow_engine::ports::{CallContext, HostModule};
use agamid_identity::login::Changed;
use agamid_identity::password::ChangedBy;
use agamid_identity::password::policy::Violation;
use agamid_identity::{Identity, OrgScope, Person};

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
            match function {
                "verify" => self.verify(context, &args).await,
                "check" => self.check(context, &args).await,
                "change" => self.change(context, &args).await,
                "must-change" => self.must_change(context, &args).await,
                other => Err(no_such(other)),
            }
        })
    }
}

impl Password {
    async fn verify(&self, context: &CallContext, args: &[Value]) -> Result<Value, CallError> {
        let Some(organisation) = &context.organisation else { return Ok(Value::Null) };
        let (login, password) = (text(args, 0), text(args, 1));
        let found = self.0.log_in(organisation, login, password, &origin(context)).await;
        let Some(person) = found.map_err(unavailable)? else { return Ok(Value::Null) };
        context.prove(person.id.clone(), "pwd", "agamid.password#verify");
        Ok(user(&person))
    }

    async fn check(&self, context: &CallContext, args: &[Value]) -> Result<Value, CallError> {
        let person = self.proved(context, text(args, 0)).await?;
        let violations = self.0.passwords.violations(&person, text(args, 1), ChangedBy::Person).await;
        Ok(listed(&violations.map_err(unavailable)?))
    }

    async fn change(&self, context: &CallContext, args: &[Value]) -> Result<Value, CallError> {
        let person = self.proved(context, text(args, 0)).await?;
        let (old, new) = (text(args, 1), text(args, 2));
        match self.0.change_password(&person, old, new, &origin(context)).await.map_err(unavailable)? {
            Changed::Yes => Ok(listed(&[])),
            Changed::WrongPassword => {
                Ok(objection("wrong_password", "your present password is wrong, or was tried too often"))
            }
            Changed::Refused(violations) => Ok(listed(&violations)),
        }
    }

    async fn must_change(&self, context: &CallContext, args: &[Value]) -> Result<Value, CallError> {
        let person = self.proved(context, text(args, 0)).await?;
        Ok(self.0.passwords.is_over_age(&person.id).await.map_err(unavailable)?.into())
    }

    /// The person, if this run has proved them.
    async fn proved(&self, context: &CallContext, id: &str) -> Result<Person, CallError> {
        let denied = || CallError::new("denied", "only the password of a person whom this run has proved");
        let (Some(organisation), Some(id)) = (&context.organisation, PersonId::parse(id)) else {
            return Err(denied());
        };
        if !context.has_proved(&id) {
            return Err(denied());
        }
        let scope = OrgScope::One(organisation.clone());
        let found = self.0.persons.get(&scope, &id).await.map_err(unavailable)?;
        found.filter(|person| person.may_log_in(context.env.now())).ok_or_else(denied)
    }
}

/// Violations as `list<violation>`.
fn listed(violations: &[Violation]) -> Value {
    let each = violations.iter().map(|violation| entry(violation.code(), &violation.to_string()));
    Value::List(each.collect())
}

fn objection(code: &str, message: &str) -> Value {
    Value::List(vec![entry(code, message)])
}

fn entry(code: &str, message: &str) -> Value {
    Value::Map(Map::from([("code".to_owned(), code.into()), ("message".to_owned(), message.into())]))
}
