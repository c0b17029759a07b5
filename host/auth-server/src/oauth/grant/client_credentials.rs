//! `grant_type=client_credentials` (RFC 6749 section 4.4).

use crate::AuthServer;
use crate::client::{AuthMethod, Client, GrantType};
use crate::error::{Code, OauthError};
use crate::oauth::form::Parameters;
use crate::oauth::issue::{Issued, Order, Outcome, Refresh};
use crate::scope::is_about_people;

/// A token for the client itself. Scopes about people mean nothing here; without `scope` it gets all others it has.
pub(crate) async fn redeem(
    server: &AuthServer,
    client: &Client,
    form: &Parameters,
) -> Result<Issued, OauthError> {
    if client.token_endpoint_auth_method == AuthMethod::None {
        let reason = "a public client can't act for itself";
        return Err(OauthError::new(Code::UnauthorizedClient, reason));
    }
    let schema = server.identity().attributes.schema().await?;
    let own =
        |scope: &str| client.scopes.iter().any(|known| known == scope) && !is_about_people(&schema, scope);
    let scopes = match form.scopes()? {
        None => client.scopes.iter().filter(|scope| own(scope)).cloned().collect(),
        Some(asked) => match asked.iter().find(|scope| !own(scope)) {
            Some(foreign) => {
                let reason = format!("the scope {foreign} is not this client's own");
                return Err(OauthError::new(Code::InvalidScope, reason));
            }
            None => asked,
        },
    };
    let order = Order {
        client,
        grant_type: GrantType::ClientCredentials,
        granted: None,
        scopes,
        consume: None,
        refresh: Refresh::None,
    };
    match server.issue(order).await? {
        Outcome::Issued(issued) => Ok(issued),
        Outcome::NotConsumed(_) | Outcome::Raced => Err(OauthError::server("a new token met another one")),
    }
}
