//! RFC 6238 over RFC 4226.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use subtle::ConstantTimeEq as _;

/// Seconds of a step.
const STEP: u64 = 30;
/// Steps before and after the present one whose codes are accepted: clocks differ.
const WINDOW: u64 = 1;
/// Digits of a code.
const DIGITS: usize = 6;

fn code(key: &[u8], step: u64) -> Option<String> {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).ok()?;
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let offset = usize::from(digest[digest.len() - 1] & 15);
    let word: [u8; 4] = digest.get(offset..offset + 4)?.try_into().ok()?;
    let number = (u32::from_be_bytes(word) & 0x7fff_ffff) % 1_000_000;
    Some(format!("{number:06}"))
}

/// The step whose code this is. All candidates are compared, each in constant time.
pub fn verify(key: &[u8], given: &str, now: u64, last_step: Option<u64>) -> Option<u64> {
    let given: String = given.chars().filter(|c| !c.is_whitespace()).collect();
    if given.len() != DIGITS || !given.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let present = now / STEP;
    let mut found = None;
    for step in present.saturating_sub(WINDOW)..=present.saturating_add(WINDOW) {
        let equal: bool = code(key, step)?.as_bytes().ct_eq(given.as_bytes()).into();
        if equal && last_step.is_none_or(|last| step > last) {
            found = Some(step);
        }
    }
    found
}

/// The address that an authenticator app reads from a QR code.
pub fn uri(secret: &str, account: &str, issuer: &str) -> String {
    let (account, issuer) = (percent(account), percent(issuer));
    format!(
        "otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits=6&period=30"
    )
}

fn percent(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(b).to_string(),
            b => format!("%{b:02X}"),
        })
        .collect()
}

/// Hexadecimal text as bytes.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = b"12345678901234567890";

    #[test]
    fn the_vectors_of_rfc_6238_hold() {
        for (now, eight) in [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ] {
            assert_eq!(verify(KEY, &eight[2..], now, None), Some(now / 30));
        }
    }

    #[test]
    fn a_code_is_good_one_step_early_and_late_and_only_once() {
        let step = 59 / 30;
        assert_eq!(verify(KEY, "287082", 59 + 30, None), Some(step));
        assert_eq!(verify(KEY, "287082", 59 - 30, None), Some(step));
        assert_eq!(verify(KEY, "287082", 59 + 60, None), None);
        assert_eq!(verify(KEY, "287082", 59, Some(step)), None);
        assert_eq!(verify(KEY, "287082", 59, Some(step - 1)), Some(step));
    }

    #[test]
    fn malformed_codes_are_no_codes() {
        for bad in ["", "28708", "2870820", "28708a", "２８７０８２"] {
            assert_eq!(verify(KEY, bad, 59, None), None, "{bad}");
        }
        assert_eq!(verify(KEY, " 287 082 ", 59, None), Some(1));
    }

    #[test]
    fn the_uri_is_escaped() {
        let uri = uri("ABC", "a b&c", "Ex/ample");
        assert_eq!(
            uri,
            "otpauth://totp/Ex%2Fample:a%20b%26c?secret=ABC&issuer=Ex%2Fample&algorithm=SHA1&digits=6&period=30"
        );
    }
}
