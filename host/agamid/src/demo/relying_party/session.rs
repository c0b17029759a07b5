//! Logins in progress, and the check of what comes back.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use agamid_core::Env;
use agamid_core::jose::{self, Expected, SigningAlgorithm};
use agamid_core::time::Timestamp;
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::Parts;

/// The cookie that binds a login to its browser.
const COOKIE: &str = "demo_rp";
/// How long a login may take.
const LIFETIME: Duration = Duration::from_secs(3600);
/// At most this many logins wait at a time; the oldest go first.
const MOST: usize = 1000;

/// One login in progress.
pub(super) struct Login {
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
    pub(super) request: String,
    begun: Timestamp,
    browser: String,
}

impl Login {
    pub(super) fn new(env: &Env) -> Self {
        Self {
            state: random(env),
            nonce: random(env),
            verifier: random(env),
            request: String::new(),
            begun: env.now(),
            browser: random(env),
        }
    }

    /// With the request that it sends.
    pub(super) fn asking(mut self, request: &str) -> Self {
        request.clone_into(&mut self.request);
        self
    }
}

fn random(env: &Env) -> String {
    URL_SAFE_NO_PAD.encode(agamid_core::random::bytes::<32>(&*env.rng))
}

/// All logins in progress, by state. In memory: a demonstration's own.
pub(super) struct Logins {
    env: Env,
    waiting: Mutex<HashMap<String, Login>>,
}

impl Logins {
    pub(super) fn new(env: Env) -> Self {
        Self { env, waiting: Mutex::default() }
    }

    /// Remembers a login; answers the cookie to set.
    pub(super) fn begin(&self, login: Login) -> String {
        let cookie =
            format!("{COOKIE}_{}={}; Path=/cb; HttpOnly; SameSite=Lax", tag(&login.state), login.browser);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.env.now();
        waiting.retain(|_, login| now.since(login.begun) < LIFETIME);
        if waiting.len() >= MOST {
            let oldest = waiting.values().min_by_key(|login| login.begun).map(|login| login.state.clone());
            oldest.and_then(|state| waiting.remove(&state));
        }
        waiting.insert(login.state.clone(), login);
        cookie
    }

    /// The login with this state, if this browser began it; once.
    pub(super) fn take(&self, headers: &HeaderMap, state: &str) -> Option<Login> {
        let name = format!("{COOKIE}_{}=", tag(state));
        let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
        let browser = cookies.split("; ").find_map(|cookie| cookie.strip_prefix(&name))?;
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.get(state)?.browser != browser {
            return None;
        }
        waiting.remove(state)
    }
}

/// A short form of the state, so that two tabs have two cookies.
fn tag(state: &str) -> String {
    state.chars().filter(char::is_ascii_alphanumeric).take(8).collect()
}

/// The ID token's claims, if it is signed by the provider and meant for this login (OpenID Connect Core 3.1.3.7).
pub(super) fn verify_id_token(
    parts: &Parts,
    id_token: &str,
    keys: &Value,
    client_id: &str,
    nonce: &str,
) -> Result<Value, String> {
    let expected = Expected {
        typ: &["JWT"],
        algorithms: &SigningAlgorithm::ALL,
        kid_required: true,
        now: parts.env.now(),
        skew: 10,
        expired_too: false,
    };
    let claims = jose::verify(id_token, keys, &expected).map_err(|error| format!("the ID token: {error}"))?;
    for (name, wanted) in [("iss", parts.issuer.as_str()), ("aud", client_id), ("nonce", nonce)] {
        if claims.get(name).and_then(Value::as_str) != Some(wanted) {
            return Err(format!("the ID token's {name} is not {wanted}"));
        }
    }
    Ok(claims)
}
