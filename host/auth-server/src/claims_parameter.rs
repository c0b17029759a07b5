//! The `claims` parameter (OpenID Connect Core section 5.5).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Code, OauthError};

/// The longest, in bytes.
const MAX: usize = 8 * 1024;
/// Claims asked for in one place.
const MAX_CLAIMS: usize = 100;

/// What a request asks for by claim.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RequestedClaims {
    /// Names for the ID token.
    pub(crate) id_token: Vec<String>,
    /// Names for userinfo.
    pub(crate) userinfo: Vec<String>,
    /// The only `sub` that may log in.
    pub(crate) subject: Option<String>,
    /// ACR values asked for, and whether nothing else will do.
    pub(crate) acr_values: Vec<String>,
    pub(crate) acr_is_essential: bool,
}

impl RequestedClaims {
    /// Reads the parameter. What it does not know is ignored, as the specification wants.
    pub(crate) fn parse(text: &str) -> Result<Self, OauthError> {
        let invalid = |reason: &str| OauthError::new(Code::InvalidRequest, format!("claims: {reason}"));
        if text.len() > MAX {
            return Err(invalid("too long"));
        }
        let json: Value = serde_json::from_str(text).map_err(|_| invalid("no JSON"))?;
        let json = json.as_object().ok_or_else(|| invalid("no JSON object"))?;
        let mut found = Self::default();
        for (place, names) in [("id_token", &mut found.id_token), ("userinfo", &mut found.userinfo)] {
            match json.get(place) {
                None | Some(Value::Null) => {}
                Some(Value::Object(asked)) if asked.len() <= MAX_CLAIMS => {
                    names.extend(asked.keys().cloned());
                }
                Some(_) => return Err(invalid("id_token and userinfo must be objects of claims")),
            }
        }
        let member = |name: &str| json.get("id_token")?.as_object()?.get(name)?.as_object();
        if let Some(acr) = member("acr") {
            found.acr_values = values(acr);
            found.acr_is_essential = acr.get("essential") == Some(&Value::Bool(true));
        }
        let in_userinfo = || json.get("userinfo")?.as_object()?.get("sub")?.as_object();
        let subject = member("sub").or_else(in_userinfo);
        found.subject = subject.and_then(|sub| sub.get("value")?.as_str().map(str::to_owned));
        Ok(found)
    }

    /// Names that need the person's consent, each once.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut all: Vec<String> = self.id_token.iter().chain(&self.userinfo).cloned().collect();
        all.sort();
        all.dedup();
        all
    }
}

fn values(request: &Map<String, Value>) -> Vec<String> {
    let one = request.get("value").into_iter();
    let many = request.get("values").and_then(Value::as_array).into_iter().flatten();
    one.chain(many).filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::RequestedClaims;

    #[test]
    fn names_subject_and_acr_are_read_and_the_rest_is_ignored() {
        let text = r#"{"id_token": {"email": null, "acr": {"essential": true, "values": ["a", "b"]},
            "sub": {"value": "me"}, "x": {"y": 1}}, "userinfo": {"name": {"essential": true}}, "other": 5}"#;
        let found = RequestedClaims::parse(text).unwrap();
        assert_eq!(found.id_token, ["email", "acr", "sub", "x"]);
        assert_eq!(found.userinfo, ["name"]);
        assert_eq!(found.subject.as_deref(), Some("me"));
        assert_eq!(found.acr_values, ["a", "b"]);
        assert!(found.acr_is_essential);
        for bad in ["", "[]", "{\"id_token\": []}", "{\"userinfo\": 1}", "{"] {
            assert!(RequestedClaims::parse(bad).is_err(), "{bad}");
        }
        assert!(RequestedClaims::parse(&format!("{{\"a\": \"{}\"}}", "x".repeat(9000))).is_err());
    }
}
