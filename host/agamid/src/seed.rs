//! `[[seed.persons]]` and `[[seed.clients]]`: written into a store that has none of the kind yet.

use agamid_auth_server::AuthServer;
use agamid_auth_server::client::Client;
use agamid_core::id::OrgId;
use agamid_identity::{Identity, IdentityError, NewPerson, Person};
use agamid_store::{Scan, Store};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::config::NodeConfig;

/// One `[[seed.persons]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PersonSeed {
    username: String,
    /// In any form that can be imported (docs/passwords.md).
    password_hash: Option<String>,
    email: Option<String>,
    given_name: Option<String>,
    family_name: Option<String>,
    #[serde(default)]
    administrator: bool,
    /// Other attributes, by name.
    #[serde(default)]
    attributes: serde_json::Map<String, serde_json::Value>,
}

/// Fills an empty store.
pub(crate) async fn seed(
    config: &NodeConfig,
    store: &Store,
    identity: &Identity,
    organisation: &OrgId,
    auth_server: &AuthServer,
) -> Result<(), String> {
    let first =
        store.scan::<Client>(Scan { limit: 1, ..Scan::default() }).await.map_err(|e| e.to_string())?;
    for (at, table) in config.seed.clients.iter().enumerate() {
        let client: Client = read("seed.clients", at, table)?;
        if first.records.is_empty() {
            auth_server.clients().ensure(client).await.map_err(|error| error.to_string())?;
        }
    }
    let first =
        store.scan::<Person>(Scan { limit: 1, ..Scan::default() }).await.map_err(|e| e.to_string())?;
    if !first.records.is_empty() {
        return Ok(());
    }
    for (at, table) in config.seed.persons.iter().enumerate() {
        let seed: PersonSeed = read("seed.persons", at, table)?;
        let new = NewPerson {
            username: seed.username,
            email_verified: seed.email.is_some(),
            email: seed.email,
            given_name: seed.given_name,
            family_name: seed.family_name,
            administrator: seed.administrator,
            attributes: seed.attributes,
            ..NewPerson::default()
        };
        let failed = |error: IdentityError| format!("seed.persons[{at}]: {error}");
        let person = match identity.persons.create(organisation, new, "seed").await {
            Ok(person) => person,
            // Another node, started at the same time, was faster.
            Err(IdentityError::UsernameTaken(_)) => continue,
            Err(error) => return Err(failed(error)),
        };
        if let Some(hash) = seed.password_hash {
            identity.passwords.set_hash(&person, &hash).await.map_err(failed)?;
        }
    }
    Ok(())
}

fn read<T: DeserializeOwned>(list: &str, at: usize, table: &toml::Table) -> Result<T, String> {
    serde_path_to_error::deserialize(table.clone())
        .map_err(|error| format!("{list}[{at}].{}: {}", error.path(), error.inner().message()))
}
