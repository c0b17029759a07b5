//! Reading what callers of the admin API send.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::IdentityError;

/// Reads JSON; an error names the member that is wrong.
pub fn read<T: DeserializeOwned>(json: Value) -> Result<T, IdentityError> {
    serde_path_to_error::deserialize(json).map_err(|error| {
        let (path, reason) = (error.path().to_string(), error.inner().to_string());
        // An unknown or missing member is in the reason, its place in the path.
        let is_named = reason.starts_with("unknown field") || reason.starts_with("missing field");
        let named = reason.split('`').nth(1).filter(|_| is_named);
        let field = match (path.as_str(), named) {
            (".", Some(named)) => named.to_owned(),
            (path, Some(named)) if !path.ends_with(named) => format!("{path}.{named}"),
            (path, _) => path.to_owned(),
        };
        IdentityError::Definition { field, reason }
    })
}
