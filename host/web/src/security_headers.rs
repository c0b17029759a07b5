//! Headers on every answer, and the content security policy of pages.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::Web;

impl Web {
    /// What every answer carries; what is set already stays. No opener policy: applications open these pages in popups, and
    /// wait for them to come back.
    pub(crate) fn add_security_headers(&self, headers: &mut HeaderMap) {
        let always = [
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "same-origin"),
            (header::X_FRAME_OPTIONS, "DENY"),
            (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
            (header::CACHE_CONTROL, "no-store"),
            (
                header::CONTENT_SECURITY_POLICY,
                "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            ),
        ];
        for (name, value) in always {
            headers.entry(name).or_insert(HeaderValue::from_static(value));
        }
        if self.is_secure() {
            headers
                .entry(header::STRICT_TRANSPORT_SECURITY)
                .or_insert(HeaderValue::from_static("max-age=31536000; includeSubDomains"));
        }
    }

    /// The policy of a page. `form_action` are origins besides ours: Chromium applies the directive to redirects that
    /// follow a form, so the relying party's origin must be there.
    pub(crate) fn page_policy(&self, nonce: &str, form_action: &[String]) -> HeaderValue {
        let mut forms = String::from("'self'");
        for origin in form_action.iter().filter(|origin| is_origin(origin)) {
            forms.push(' ');
            forms.push_str(origin);
        }
        let policy = format!(
            "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; \
             font-src 'self'; connect-src 'self'; form-action {forms}; frame-ancestors 'none'; base-uri 'none'"
        );
        HeaderValue::from_str(&policy).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"))
    }
}

/// Nothing that could end the directive or widen it.
fn is_origin(text: &str) -> bool {
    let of_an_app = text.strip_suffix(':').is_some_and(|scheme| {
        scheme.contains('.')
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+'))
    });
    if of_an_app {
        return true;
    }
    let (Some(start), Some(end)) = (text.find("://").map(|at| at + 3), Some(text.len())) else {
        return false;
    };
    start < end
        && text.bytes().all(|b| {
            b.is_ascii_alphanumeric() || matches!(b, b':' | b'/' | b'.' | b'-' | b'_' | b'[' | b']' | b'+')
        })
}
