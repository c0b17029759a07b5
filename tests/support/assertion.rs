//! A client's own key, for `private_key_jwt`.

use std::sync::atomic::{AtomicU64, Ordering};

use agamid_core::jose::{SigningAlgorithm, SigningKey};
use serde_json::{Value, json};

pub(crate) struct Key(SigningKey);

impl Key {
    pub(crate) fn generate() -> Self {
        Self(SigningKey::generate(SigningAlgorithm::Es256).unwrap())
    }

    pub(crate) fn jwk(&self) -> Value {
        self.0.jwk()
    }

    /// Claims of an assertion for now, each with a `jti` of its own.
    pub(crate) fn claims(&self, client_id: &str, audience: &str) -> Value {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let jti = format!("{}-{}-{}", self.0.kid(), now, NEXT.fetch_add(1, Ordering::SeqCst));
        json!({ "iss": client_id, "sub": client_id, "aud": audience, "exp": now + 60, "iat": now, "jti": jti })
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.0.sign("JWT", claims).unwrap()
    }
}
