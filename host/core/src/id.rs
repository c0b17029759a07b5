//! Typed ids: ULIDs that can't be mixed up.

use serde::{Deserialize, Serialize};

use crate::Env;

/// Declares one id type.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// A new id: 48 bits of time, 80 random bits.
            pub fn generate(env: &Env) -> Self {
                Self(new_ulid(env))
            }

            /// Reads an id; refuses anything that is not a canonical ULID.
            pub fn parse(text: &str) -> Option<Self> {
                let id: ulid::Ulid = text.parse().ok()?;
                (id.to_string() == text).then(|| Self(text.to_owned()))
            }

            /// When it was made, by its own word.
            pub fn made_at(&self) -> crate::time::Timestamp {
                let time = self.0.parse::<ulid::Ulid>().map_or(0, |id| id.timestamp_ms());
                crate::time::Timestamp(i64::try_from(time).unwrap_or(i64::MAX))
            }

            /// The 26 characters.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;
            fn try_from(text: String) -> Result<Self, String> {
                Self::parse(&text).ok_or_else(|| format!("not a {}: expected a ULID", stringify!($name)))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    )*};
}

ids! {
    /// A person; the `sub` of their tokens.
    PersonId;
    /// A group of persons.
    GroupId;
    /// An organisation.
    OrgId;
    /// A credential of a person.
    CredentialId;
    /// A browser session.
    SessionId;
    /// An authorization transaction.
    TransactionId;
    /// A run of a flow.
    RunId;
    /// A family of tokens that live and die together.
    FamilyId;
}

/// A fresh ULID in its canonical text form.
pub fn new_ulid(env: &Env) -> String {
    let time = u64::try_from(env.now().0).unwrap_or(0);
    let random: [u8; 16] = crate::random::bytes(&*env.rng);
    ulid::Ulid::from_parts(time, u128::from_be_bytes(random)).to_string()
}
