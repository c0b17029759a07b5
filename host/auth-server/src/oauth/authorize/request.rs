//! An authorization request, parsed into what can't be wrong (RFC 6749 section 4.1.1, OpenID Connect Core 3.1.2.1).

use agamid_identity::Schema;
use serde::{Deserialize, Serialize};

use crate::claims_parameter::RequestedClaims;
use crate::client::{AuthMethod, Client};
use crate::error::{Code, OauthError};
use crate::oauth::form::Parameters;

/// Values of one list parameter.
const MAX_SCOPES: usize = 100;
const MAX_LOCALES: usize = 10;
/// The longest state, nonce and login hint, in bytes.
const MAX_TEXT: usize = 2048;

/// `prompt`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Prompt {
    None,
    Login,
    Consent,
    SelectAccount,
}

/// How the answer travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ResponseMode {
    /// In the redirect URI's query.
    #[default]
    Query,
    /// In the redirect URI's fragment (OAuth 2.0 Multiple Response Types section 2.1).
    Fragment,
    /// As a form that the browser posts (OAuth 2.0 Form Post Response Mode).
    FormPost,
}

impl ResponseMode {
    /// The mode that a request asks for, if it is a known one.
    pub(crate) fn of(parameters: &Parameters) -> Option<Self> {
        match parameters.get("response_mode") {
            None | Some("query") => Some(ResponseMode::Query),
            Some("fragment") => Some(ResponseMode::Fragment),
            Some("form_post") => Some(ResponseMode::FormPost),
            Some(_) => None,
        }
    }
}

/// A request whose client and redirect URI are verified.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AuthorizationRequest {
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) response_mode: ResponseMode,
    pub(crate) state: Option<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) scopes: Vec<String>,
    /// Absent where a client with a secret or a key sends none (RFC 9700 section 2.1.1).
    pub(crate) code_challenge: Option<String>,
    pub(crate) prompt: Vec<Prompt>,
    /// Seconds.
    pub(crate) max_age: Option<u64>,
    pub(crate) login_hint: Option<String>,
    pub(crate) acr_values: Vec<String>,
    pub(crate) ui_locales: Vec<String>,
    pub(crate) claims: RequestedClaims,
    /// `sub` of the only person who may log in, by `id_token_hint` or `claims`.
    pub(crate) wanted_subject: Option<String>,
    /// The parameters as they came, to begin anew; empty for a pushed request, which works once.
    pub(crate) original: String,
}

impl AuthorizationRequest {
    pub(crate) fn asks(&self, prompt: Prompt) -> bool {
        self.prompt.contains(&prompt)
    }

    /// What a person is asked to allow.
    pub(crate) fn consent_items(&self, schema: &Schema) -> Vec<String> {
        crate::scope::consent_items(schema, &self.scopes, &self.claims)
    }

    /// Reads the rest of a request, checks in order. Each error goes to the verified redirect URI. `hinted` is the
    /// subject of a verified `id_token_hint`.
    pub(crate) fn read(
        client: &Client,
        redirect_uri: &str,
        parameters: &Parameters,
        hinted: Option<String>,
        original: String,
    ) -> Result<Self, OauthError> {
        check_unsupported(parameters)?;
        let response_mode = check_response_type(parameters)?;
        let claims = parameters.get("claims").map(RequestedClaims::parse).transpose()?.unwrap_or_default();
        let wanted_subject = match (hinted, &claims.subject) {
            (Some(hinted), Some(claimed)) if hinted != *claimed => {
                return Err(invalid("id_token_hint and claims name different people"));
            }
            (hinted, claimed) => hinted.or_else(|| claimed.clone()),
        };
        let mut acr_values = list(parameters, "acr_values", MAX_SCOPES)?;
        if !claims.acr_values.is_empty() {
            acr_values.clone_from(&claims.acr_values);
        }
        Ok(Self {
            client_id: client.client_id.clone(),
            redirect_uri: redirect_uri.to_owned(),
            response_mode,
            state: text(parameters, "state")?,
            nonce: text(parameters, "nonce")?,
            scopes: read_scopes(client, parameters)?,
            code_challenge: read_challenge(client, parameters)?,
            prompt: read_prompt(parameters)?,
            max_age: read_max_age(parameters)?.or(client.default_max_age),
            login_hint: text(parameters, "login_hint")?,
            acr_values,
            ui_locales: list(parameters, "ui_locales", MAX_LOCALES)?,
            claims,
            wanted_subject,
            original,
        })
    }
}

fn invalid(description: impl Into<String>) -> OauthError {
    OauthError::new(Code::InvalidRequest, description)
}

fn text(parameters: &Parameters, name: &str) -> Result<Option<String>, OauthError> {
    match parameters.get(name) {
        Some(value) if value.len() > MAX_TEXT => {
            Err(invalid(format!("{name} is longer than {MAX_TEXT} bytes")))
        }
        value => Ok(value.map(str::to_owned)),
    }
}

fn list(parameters: &Parameters, name: &str, most: usize) -> Result<Vec<String>, OauthError> {
    let mut found: Vec<String> = Vec::new();
    for value in parameters.get(name).unwrap_or_default().split(' ').filter(|value| !value.is_empty()) {
        if !found.iter().any(|known| known == value) {
            found.push(value.to_owned());
        }
        if found.len() > most {
            return Err(invalid(format!("{name} has more than {most} values")));
        }
    }
    Ok(found)
}

/// OpenID Connect Core sections 6.1, 6.2 and 7.2.1.
pub(super) fn check_unsupported(parameters: &Parameters) -> Result<(), OauthError> {
    for (name, code) in [
        ("request", Code::RequestNotSupported),
        ("request_uri", Code::RequestUriNotSupported),
        ("registration", Code::RegistrationNotSupported),
    ] {
        if parameters.get(name).is_some() {
            return Err(OauthError::new(code, format!("{name} is not supported")));
        }
    }
    Ok(())
}

pub(super) fn check_response_type(parameters: &Parameters) -> Result<ResponseMode, OauthError> {
    match parameters.require("response_type")? {
        "code" => {}
        _ => return Err(OauthError::new(Code::UnsupportedResponseType, "supported is: code")),
    }
    ResponseMode::of(parameters)
        .ok_or_else(|| invalid("supported response_mode are: query, fragment, form_post"))
}

/// Unknown scopes are ignored (OpenID Connect Core section 3.1.2.1); when nothing is left, that is an error.
pub(super) fn read_scopes(client: &Client, parameters: &Parameters) -> Result<Vec<String>, OauthError> {
    let mut asked = list(parameters, "scope", MAX_SCOPES)?;
    asked.retain(|scope| client.scopes.contains(scope));
    if asked.is_empty() {
        return Err(OauthError::new(Code::InvalidScope, "none of the scopes is allowed to this client"));
    }
    Ok(asked)
}

/// PKCE with S256 (RFC 7636): a public client must, others should (RFC 9700 section 2.1.1).
pub(super) fn read_challenge(client: &Client, parameters: &Parameters) -> Result<Option<String>, OauthError> {
    let Some(challenge) = parameters.get("code_challenge") else {
        if client.require_pkce || client.token_endpoint_auth_method == AuthMethod::None {
            return Err(invalid("code_challenge is missing: PKCE (RFC 7636) is required"));
        }
        if parameters.get("code_challenge_method").is_some() {
            return Err(invalid("code_challenge_method without code_challenge"));
        }
        return Ok(None);
    };
    if parameters.get("code_challenge_method") != Some("S256") {
        return Err(invalid("code_challenge_method must be S256"));
    }
    let fits = challenge.len() == 43
        && challenge.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if fits {
        Ok(Some(challenge.to_owned()))
    } else {
        Err(invalid("code_challenge is no base64url of a SHA-256"))
    }
}

pub(super) fn read_prompt(parameters: &Parameters) -> Result<Vec<Prompt>, OauthError> {
    let mut found = Vec::new();
    for value in list(parameters, "prompt", MAX_LOCALES)? {
        found.push(match value.as_str() {
            "none" => Prompt::None,
            "login" => Prompt::Login,
            "consent" => Prompt::Consent,
            "select_account" => Prompt::SelectAccount,
            _ => return Err(invalid("prompt knows: none, login, consent, select_account")),
        });
    }
    if found.contains(&Prompt::None) && found.len() > 1 {
        return Err(invalid("prompt=none stands alone"));
    }
    Ok(found)
}

pub(super) fn read_max_age(parameters: &Parameters) -> Result<Option<u64>, OauthError> {
    let value = parameters.get("max_age").map(str::parse::<u64>).transpose();
    value.map_err(|_| invalid("max_age must be a number of seconds"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<AuthorizationRequest, Code> {
        let client: Client = serde_json::from_value(serde_json::json!({
            "client_id": "shop", "token_endpoint_auth_method": AuthMethod::None, "scopes": ["openid", "email"],
        }))
        .unwrap();
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        let base =
            format!("response_type=code&scope=openid&code_challenge={challenge}&code_challenge_method=S256");
        let (mut all, _) = Parameters::read(format!("{query}&{base}").as_bytes());
        let (given, _) = Parameters::read(query.as_bytes());
        for name in ["response_type", "scope", "code_challenge", "code_challenge_method"] {
            if query.contains(&format!("{name}=")) {
                match given.get(name) {
                    Some(value) => all.set(name, value),
                    None => all.remove(name),
                }
            }
        }
        AuthorizationRequest::read(&client, "https://rp.example/cb", &all, None, String::new())
            .map_err(|error| error.code)
    }

    #[test]
    fn each_mistake_has_the_error_of_its_specification() {
        for (query, code) in [
            ("response_type=", Code::InvalidRequest),
            ("response_type=token", Code::UnsupportedResponseType),
            ("response_type=code id_token", Code::UnsupportedResponseType),
            ("response_mode=query.jwt", Code::InvalidRequest),
            ("scope=", Code::InvalidScope),
            ("scope=phone admin", Code::InvalidScope),
            ("code_challenge=", Code::InvalidRequest),
            ("code_challenge=short", Code::InvalidRequest),
            ("code_challenge_method=plain", Code::InvalidRequest),
            ("code_challenge_method=", Code::InvalidRequest),
            ("prompt=none login", Code::InvalidRequest),
            ("prompt=create", Code::InvalidRequest),
            ("max_age=-1", Code::InvalidRequest),
            ("claims=[]", Code::InvalidRequest),
            ("request=x", Code::RequestNotSupported),
            ("request_uri=https://x", Code::RequestUriNotSupported),
        ] {
            assert_eq!(read(query).err(), Some(code), "{query}");
        }
    }

    #[test]
    fn unknown_scopes_and_parameters_are_ignored() {
        let request = read("scope=openid email unknown&foo=bar&prompt=login consent&max_age=0").unwrap();
        assert_eq!(request.scopes, ["openid", "email"]);
        assert_eq!(request.prompt, [Prompt::Login, Prompt::Consent]);
        assert_eq!(request.max_age, Some(0));
    }
}
