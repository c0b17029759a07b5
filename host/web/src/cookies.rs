//! Our cookies: `__Host-`, Secure, HttpOnly, SameSite=Lax, Path=/. On an http loopback issuer the prefix and Secure
//! are left out, since browsers would drop them.

use std::time::Duration;

use agamid_core::secret::{OpaqueToken, TokenKind};
use axum::http::{HeaderMap, HeaderValue, header};

use crate::Web;

/// Which cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cookie {
    /// The browser session of a person who is logged in.
    Session,
    /// The browser itself, logged in or not: binds transactions and runs.
    Browser,
}

/// How long a browser is remembered.
const BROWSER_LIFETIME: Duration = Duration::from_secs(400 * 24 * 3600);

/// The browser that asks.
#[derive(Debug, Clone)]
pub struct BrowserCookie {
    /// SHA-256 of the cookie's value, hex.
    pub hash: String,
    /// To be sent with the answer when the cookie is new.
    pub set: Option<HeaderValue>,
}

impl Web {
    fn cookie_name(&self, cookie: Cookie) -> String {
        let name = match cookie {
            Cookie::Session => "agamid_session",
            Cookie::Browser => "agamid_browser",
        };
        if self.is_secure() { format!("__Host-{name}") } else { name.to_owned() }
    }

    /// A cookie's value. Absent when missing, malformed, or sent twice with different values.
    pub fn read_cookie(&self, headers: &HeaderMap, cookie: Cookie) -> Option<String> {
        let name = self.cookie_name(cookie);
        let mut found: Option<&str> = None;
        for header in headers.get_all(header::COOKIE) {
            for pair in header.to_str().ok()?.split(';') {
                let Some((key, value)) = pair.trim().split_once('=') else { continue };
                if key == name {
                    if found.is_some_and(|other| other != value) {
                        return None;
                    }
                    found = Some(value);
                }
            }
        }
        found.map(str::to_owned)
    }

    /// A `Set-Cookie` header. Without `max_age` the cookie ends with the browser.
    pub fn set_cookie(&self, cookie: Cookie, value: &str, max_age: Option<Duration>) -> HeaderValue {
        let mut text = format!("{}={value}; Path=/; HttpOnly; SameSite=Lax", self.cookie_name(cookie));
        if self.is_secure() {
            text.push_str("; Secure");
        }
        if let Some(age) = max_age {
            text.push_str(&format!("; Max-Age={}", age.as_secs()));
        }
        // Our values are tokens of a plain alphabet, so this never falls back.
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    /// A `Set-Cookie` header that removes the cookie.
    pub fn clear_cookie(&self, cookie: Cookie) -> HeaderValue {
        self.set_cookie(cookie, "", Some(Duration::ZERO))
    }

    /// The browser that asks; one without a (well-formed) cookie gets a new one.
    pub fn browser(&self, headers: &HeaderMap) -> BrowserCookie {
        let known = self.known_browser(headers);
        known.map(|hash| BrowserCookie { hash, set: None }).unwrap_or_else(|| {
            let made = OpaqueToken::generate(TokenKind::Browser, self.env());
            let set = self.set_cookie(Cookie::Browser, made.text.expose(), Some(BROWSER_LIFETIME));
            BrowserCookie { hash: made.hash, set: Some(set) }
        })
    }

    /// The hash of the browser's cookie, if it sent one of ours.
    pub fn known_browser(&self, headers: &HeaderMap) -> Option<String> {
        let value = self.read_cookie(headers, Cookie::Browser)?;
        OpaqueToken::parse(TokenKind::Browser, &value).ok()
    }
}
