//! Time-based one-time passwords (RFC 6238), as a plugin: pure functions, no clock, no randomness.

pub mod base32;
pub mod totp;

/// The glue to WIT; the rest is plain Rust and tested as such.
#[cfg(target_arch = "wasm32")]
mod component {
    use super::{base32, totp};
    use exports::extras::otp::totp::Guest;

    wit_bindgen::generate!({ world: "plugin", path: "wit" });

    struct Plugin;

    impl Guest for Plugin {
        fn new_secret(entropy: String) -> Result<String, String> {
            let bytes = totp::from_hex(&entropy).ok_or("the entropy is not hexadecimal")?;
            if bytes.len() < 16 {
                return Err("a secret needs at least 16 random bytes".to_owned());
            }
            Ok(base32::encode(&bytes))
        }

        fn uri(secret: String, account: String, issuer: String) -> String {
            totp::uri(&secret, &account, &issuer)
        }

        fn verify(
            secret: String,
            code: String,
            now: u64,
            last_step: Option<u64>,
        ) -> Result<Option<u64>, String> {
            let key = base32::decode(&secret).ok_or("the secret is not base32")?;
            Ok(totp::verify(&key, &code, now, last_step))
        }
    }

    export!(Plugin);
}
