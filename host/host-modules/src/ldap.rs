//! `agamid.ldap`

use agamid_core::BoxFuture;
use agamid_core::id::OrgId;
use agamid_flow_engine::agama_lang::check::facts::Proof;
use agamid_flow_engine::agama_lang::effect::CallError;
use agamid_flow_engine::agama_lang::value::{Map, Value};
use agamid_flow_engine::ports::{CallContext, HostModule};
use agamid_identity::directory::DirectoryError;
use agamid_identity::lockout::Account;
use agamid_identity::{Identity, IdentityError};

use crate::attempts::origin;
use crate::{no_such, text, unavailable, user};

/// Attributes that are read in one call.
const MAX_NAMES: usize = 64;

pub(crate) struct Ldap(pub(crate) Identity);

impl HostModule for Ldap {
    fn wit(&self) -> &str {
        include_str!("../../../sdk/wit/host/ldap.wit")
    }

    fn proves(&self, function: &str) -> Proof {
        crate::proves("agamid.ldap", function)
    }

    fn call<'a>(
        &'a self,
        context: &'a CallContext,
        function: &'a str,
        args: Vec<Value>,
    ) -> BoxFuture<'a, Result<Value, CallError>> {
        Box::pin(async move {
            let directory = text(&args, 0);
            let Some(organisation) = &context.organisation else { return Err(unknown(directory)) };
            match function {
                "authenticate" => self.authenticate(context, organisation, &args).await,
                "find" => {
                    let found = self.0.directories.find(directory, organisation, text(&args, 1)).await;
                    Ok(found.map_err(told)?.map_or(Value::Null, |entry| {
                        Value::Map(Map::from([
                            ("id".to_owned(), entry.id.as_str().into()),
                            ("dn".to_owned(), entry.dn.as_str().into()),
                        ]))
                    }))
                }
                "attributes" => self.attributes(organisation, &args).await,
                other => Err(no_such(other)),
            }
        })
    }
}

impl Ldap {
    async fn authenticate(
        &self,
        context: &CallContext,
        organisation: &OrgId,
        args: &[Value],
    ) -> Result<Value, CallError> {
        let (directory, login, password) = (text(args, 0), text(args, 1), text(args, 2));
        let account = match self.0.persons.by_login(organisation, login).await.map_err(unavailable)? {
            Some(person) => Account::of_person(&person.id),
            None => Account::of_nobody(organisation, login),
        };
        let origin = origin(context);
        let allows =
            async |account: &Account| self.0.lockout.allows(account, &origin).await.map_err(unavailable);
        let allowed = allows(&account).await?;
        let directories = &self.0.directories;
        let found = directories.authenticate_in(directory, organisation, login, password, allowed).await;
        // Asked again after the work, as for passwords; and for the person, who may have other spellings.
        let person = match found.map_err(told)? {
            Some(person) if allows(&account).await? && allows(&Account::of_person(&person.id)).await? => {
                person
            }
            _ => {
                self.0.lockout.failed(&account, &origin).await.map_err(unavailable)?;
                return Ok(Value::Null);
            }
        };
        context.prove(person.id.clone(), "pwd", "agamid.ldap#authenticate");
        Ok(user(&person))
    }

    async fn attributes(&self, organisation: &OrgId, args: &[Value]) -> Result<Value, CallError> {
        let names: Vec<String> = match args.get(2) {
            Some(Value::List(names)) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        if names.len() > MAX_NAMES {
            return Err(CallError::new("bad_argument", format!("more than {MAX_NAMES} attributes")));
        }
        let (directory, login) = (text(args, 0), text(args, 1));
        let read =
            self.0.directories.attributes(directory, organisation, login, &names).await.map_err(told)?;
        let attribute = |(name, values): (String, Vec<String>)| {
            let values = values.into_iter().map(|value| Value::from(value.as_str())).collect();
            Value::Map(Map::from([
                ("name".to_owned(), Value::from(name.as_str())),
                ("values".to_owned(), Value::List(values)),
            ]))
        };
        Ok(Value::List(read.into_iter().map(attribute).collect()))
    }
}

fn unknown(directory: &str) -> CallError {
    CallError::new("unknown_directory", format!("there is no directory {directory:?} for this organisation"))
}

/// What a flow is told; which server failed and why stays in the log.
fn told(error: IdentityError) -> CallError {
    match error {
        IdentityError::Directory(DirectoryError::Unknown(name)) => unknown(&name),
        IdentityError::Directory(error @ (DirectoryError::Busy(_) | DirectoryError::Unavailable(_))) => {
            CallError::new("unavailable", error.to_string())
        }
        error => unavailable(error),
    }
}

#[cfg(test)]
mod tests;
