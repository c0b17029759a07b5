//! `agamid.users`

use agamid_core::BoxFuture;
use agamid_core::id::PersonId;
use agamid_flow_engine::agama_lang::effect::CallError;
use agamid_flow_engine::agama_lang::value::Value;
use agamid_flow_engine::ports::{CallContext, HostModule};
use agamid_identity::{Identity, OrgScope};

use crate::{no_such, text, unavailable, user};

pub(crate) struct Users(pub(crate) Identity);

impl HostModule for Users {
    fn wit(&self) -> &str {
        include_str!("../../../sdk/wit/host/users.wit")
    }

    fn call<'a>(
        &'a self,
        context: &'a CallContext,
        function: &'a str,
        args: Vec<Value>,
    ) -> BoxFuture<'a, Result<Value, CallError>> {
        Box::pin(async move {
            let Some(organisation) = &context.organisation else { return Ok(Value::Null) };
            let persons = &self.0.persons;
            let found = match (function, text(&args, 0)) {
                ("find", login) => persons.by_login(organisation, login).await,
                ("get", id) => match PersonId::parse(id) {
                    Some(id) => persons.get(&OrgScope::One(organisation.clone()), &id).await,
                    None => Ok(None),
                },
                (other, _) => return Err(no_such(other)),
            };
            let found = found.map_err(unavailable)?.filter(|person| person.may_log_in(context.env.now()));
            Ok(found.as_ref().map_or(Value::Null, user))
        })
    }
}
