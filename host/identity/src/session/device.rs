//! What a session is in: a browser and a system, by what the browser says of itself.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The longest `User-Agent` that is looked at, in bytes.
const MOST: usize = 512;

/// Names of browsers, by what stands before their version. The first that is found counts: most claim to be others too.
const BROWSERS: [(&str, &str); 13] = [
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
];

/// Names of systems, by what stands in the text. The first that is found counts.
const SYSTEMS: [(&str, &str); 10] = [
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("Mac OS X", "macOS"),
    ("FreeBSD", "FreeBSD"),
    ("OpenBSD", "OpenBSD"),
    ("Linux", "Linux"),
];

/// Where a session is. Nothing of it is proved: it helps people to know their sessions again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// `Firefox`; absent where we don't know it.
    pub browser: Option<String>,
    /// `Windows`; absent where we don't know it.
    pub system: Option<String>,
    /// The address it was used from last.
    pub address: Option<IpAddr>,
}

impl Device {
    /// By the header `User-Agent`.
    pub fn of(user_agent: Option<&str>, address: Option<IpAddr>) -> Self {
        let text = user_agent.filter(|text| text.len() <= MOST).unwrap_or_default();
        let known = |names: &[(&str, &str)]| {
            names.iter().find(|(sign, _)| text.contains(sign)).map(|(_, name)| (*name).to_owned())
        };
        Self { browser: known(&BROWSERS), system: known(&SYSTEMS), address }
    }

    /// `Firefox on Windows`.
    pub fn label(&self) -> String {
        match (&self.browser, &self.system) {
            (Some(browser), Some(system)) => format!("{browser} on {system}"),
            (Some(one), None) | (None, Some(one)) => one.clone(),
            (None, None) => "unknown device".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_called_what_they_are_and_not_what_they_claim_to_be() {
        let chrome = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
        let cases = [
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0",
                "Firefox on Windows",
            ),
            (&format!("Mozilla/5.0 (X11; Linux x86_64) {chrome}"), "Chrome on Linux"),
            (&format!("Mozilla/5.0 (Windows NT 10.0; Win64; x64) {chrome} Edg/140.0"), "Edge on Windows"),
            (&format!("Mozilla/5.0 (Linux; Android 15; Pixel 9) {chrome}"), "Chrome on Android"),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/18.6 Mobile/15E148 Safari/604.1",
                "Safari on iOS",
            ),
            ("Mozilla/5.0 (Macintosh; Intel Mac OS X 15_6) AppleWebKit/605 Safari/605", "Safari on macOS"),
            ("curl/8.14.1", "curl"),
            ("<script>alert(1)</script>", "unknown device"),
            ("", "unknown device"),
        ];
        for (user_agent, label) in cases {
            assert_eq!(Device::of(Some(user_agent), None).label(), label, "{user_agent}");
        }
        assert_eq!(Device::of(Some(&"Firefox/".repeat(1000)), None), Device::default());
        assert_eq!(Device::of(None, None), Device::default());
    }
}
