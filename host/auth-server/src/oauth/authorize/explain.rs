//! Every check of an authorization request by name, with its outcome and the section that wants it: for developers. The
//! checks are those of the endpoint itself; here all of them run, though one has failed.

use serde::Serialize;

use super::check_redirect_uri::check_redirect_uri;
use super::request;
use crate::AuthServer;
use crate::claims_parameter::RequestedClaims;
use crate::client::{Client, GrantType};
use crate::error::OauthError;
use crate::oauth::form::{Parameters, check_length};
use crate::oauth::par;

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What is checked.
    pub name: &'static str,
    /// The section that wants it.
    pub specification: &'static str,
    /// Whether it passed.
    pub passed: bool,
    /// Why not, or what was found.
    pub detail: String,
}

impl AuthServer {
    /// Explains an authorization URL. Nothing is stored, and a pushed request is not used up.
    pub async fn explain(&self, url: &str) -> Result<Vec<Check>, OauthError> {
        let mut checks = Vec::new();
        let endpoint = self.web().url("/oauth2/authorize");
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        checks.push(check(
            "endpoint",
            "RFC 6749, 3.1",
            same(base == endpoint, || format!("the authorization endpoint is {endpoint}")),
        ));
        checks.push(check("length", "RFC 9700, 4", told(check_length(query.as_bytes()))));
        let (parameters, repeated) = Parameters::read(query.as_bytes());
        checks.push(check(
            "each parameter once",
            "RFC 6749, 3.1",
            same(repeated.is_none(), || format!("{} is sent more than once", repeated.unwrap_or_default())),
        ));
        let id = parameters.get("client_id").unwrap_or_default();
        let client = self.clients().get(id).await?;
        let found = client.as_ref().map(|client| client.display_name().to_owned());
        let missing = || format!("there is no client {id:?}");
        checks.push(check("client_id", "RFC 6749, 4.1.1", found.ok_or_else(missing)));
        if let Some(client) = client {
            self.explain_request(&client, &parameters, &mut checks);
        }
        Ok(checks)
    }

    fn explain_request(&self, client: &Client, parameters: &Parameters, checks: &mut Vec<Check>) {
        let pushed = parameters.get("request_uri").is_some_and(|uri| uri.starts_with(par::PREFIX));
        let may = pushed || !client.require_pushed_authorization_requests;
        checks.push(check(
            "pushed request",
            "RFC 9126, 6",
            same(may, || "this client's requests must be pushed".to_owned()),
        ));
        if pushed {
            return;
        }
        let given = parameters.get("redirect_uri").unwrap_or_default();
        let registered = || {
            let all = client.redirect_uris.join(", ");
            format!("{given:?} is not registered, compared byte by byte; registered are: {all}")
        };
        let fits = check_redirect_uri(&client.redirect_uris, given);
        checks.push(check("redirect_uri", "RFC 9700, 4.1.3", same(fits, registered)));
        let may = client.may_use(GrantType::AuthorizationCode);
        let not_registered = || "the client is not registered for authorization_code".to_owned();
        checks.push(check("grant type", "RFC 7591, 2", same(may, not_registered)));
        let mut add = |name, specification, outcome| checks.push(check(name, specification, outcome));
        add(
            "response_type, response_mode",
            "RFC 6749, 3.1.1",
            told(request::check_response_type(parameters)),
        );
        add(
            "parameters not supported",
            "OpenID Connect Core, 6.1",
            told(request::check_unsupported(parameters)),
        );
        let scopes = request::read_scopes(client, parameters).map(|scopes| scopes.join(" "));
        add("scope", "RFC 6749, 3.3", scopes.map_err(|error| error.description));
        add("code_challenge", "RFC 7636, 4.3", told(request::read_challenge(client, parameters)));
        add("prompt", "OpenID Connect Core, 3.1.2.1", told(request::read_prompt(parameters)));
        add("max_age", "OpenID Connect Core, 3.1.2.1", told(request::read_max_age(parameters)));
        add(
            "claims",
            "OpenID Connect Core, 5.5",
            told(parameters.get("claims").map(RequestedClaims::parse).transpose()),
        );
        let hint = parameters.get("id_token_hint").map(|hint| self.hinted_subject(client, hint)).transpose();
        add("id_token_hint", "OpenID Connect Core, 3.1.2.1", told(hint));
        add("acr_values", "OpenID Connect Core, 3.1.2.1", self.explain_acr(parameters));
        let state = same(parameters.get("state").is_some(), || {
            "without state, or PKCE, answers can be forged".to_owned()
        });
        add("state (advice)", "RFC 9700, 2.1", state);
    }

    /// Which flow would run.
    fn explain_acr(&self, parameters: &Parameters) -> Result<String, String> {
        let Some(values) = parameters.get("acr_values") else {
            return Ok(format!("none: {} runs", self.engine().settings().default_acr));
        };
        let mut reasons = Vec::new();
        for acr in values.split(' ').filter(|acr| !acr.is_empty()) {
            match self.engine().launch_from_acr(acr) {
                Ok((flow, _)) => return Ok(format!("{flow} runs")),
                Err(error) => reasons.push(format!("{acr}: {error}")),
            }
        }
        Err(reasons.join("; "))
    }
}

fn check(name: &'static str, specification: &'static str, outcome: Result<String, String>) -> Check {
    let passed = outcome.is_ok();
    Check { name, specification, passed, detail: outcome.unwrap_or_else(|reason| reason) }
}

fn same(passed: bool, reason: impl FnOnce() -> String) -> Result<String, String> {
    if passed { Ok(String::new()) } else { Err(reason()) }
}

fn told<T>(outcome: Result<T, OauthError>) -> Result<String, String> {
    outcome.map(|_| String::new()).map_err(|error| format!("{}: {}", error.code.name(), error.description))
}
