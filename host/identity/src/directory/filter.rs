//! Search filters (RFC 4515) with what people typed in them.

use std::fmt::Write as _;

/// What stands for the login in `user_filter`.
pub(super) const PLACE: &str = "{login}";

/// The longest login that a directory is asked for, in bytes.
const MAX_LOGIN: usize = 256;

/// Whether a directory is asked for a login at all.
pub(super) fn is_askable(login: &str) -> bool {
    !login.is_empty() && login.len() <= MAX_LOGIN && !login.chars().any(char::is_control)
}

/// The filter for one login. What was typed stays one value, whatever it holds: it can't add to the filter.
pub(super) fn of_login(filter: &str, login: &str) -> String {
    // Split first: a login that holds the placeholder is not filled in again.
    filter.split(PLACE).collect::<Vec<_>>().join(&escaped(login.as_bytes()))
}

/// The filter for those of `everybody` that have one of these values.
pub(super) fn of_values<'a>(
    everybody: &str,
    attribute: &str,
    values: impl Iterator<Item = &'a [u8]>,
) -> String {
    let mut any = String::new();
    for value in values {
        any.push('(');
        any.push_str(attribute);
        any.push('=');
        any.push_str(&escaped(value));
        any.push(')');
    }
    let everybody = if everybody.starts_with('(') { everybody.to_owned() } else { format!("({everybody})") };
    format!("(&{everybody}(|{any}))")
}

/// A value as RFC 4515 section 3 writes it. All but letters, digits and a few harmless signs is written as hex: what needs
/// no escape today may need one tomorrow.
fn escaped(value: &[u8]) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'@') {
            text.push(char::from(*byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(text, "\\{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_stays_one_value() {
        let filter = "(&(objectClass=person)(|(uid={login})(mail={login})))";
        assert_eq!(
            of_login(filter, "a.b-c_d@example.org"),
            "(&(objectClass=person)(|(uid=a.b-c_d@example.org)(mail=a.b-c_d@example.org)))"
        );
        for (typed, written) in [
            ("*", "\\2a"),
            ("a)(uid=*", "a\\29\\28uid\\3d\\2a"),
            ("a\\2a", "a\\5c2a"),
            ("\0", "\\00"),
            ("é", "\\c3\\a9"),
            ("{login}", "\\7blogin\\7d"),
            (" a ", "\\20a\\20"),
        ] {
            assert_eq!(of_login("(uid={login})", typed), format!("(uid={written})"));
            assert!(ldap3::parse_filter(of_login(filter, typed)).is_ok(), "{typed:?}");
        }
    }

    #[test]
    fn nobody_is_asked_for_nothing_or_for_control_characters() {
        for login in ["", "a\0b", "a\nb", &"x".repeat(257)] {
            assert!(!is_askable(login), "{login:?}");
        }
        assert!(is_askable("Jürgen Müller"));
    }

    #[test]
    fn binary_values_are_found() {
        let values: [&[u8]; 2] = [b"a", &[0, 0xff]];
        let filter = of_values("objectClass=person", "objectGUID", values.into_iter());
        assert_eq!(filter, "(&(objectClass=person)(|(objectGUID=a)(objectGUID=\\00\\ff)))");
        assert!(ldap3::parse_filter(filter).is_ok());
    }
}
