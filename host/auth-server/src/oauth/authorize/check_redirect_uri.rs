//! Where an answer may go: what is registered, byte by byte. Parsing is only a reason to refuse.

use url::{Host, Url};

/// Whether the registered URIs have this one. On a loopback IP address the port may differ (RFC 8252 section 7.3).
pub(crate) fn check_redirect_uri(registered: &[String], given: &str) -> bool {
    registered.iter().any(|known| known == given)
        || registered.iter().any(|known| loopback_match(known, given))
}

fn loopback_match(known: &str, given: &str) -> bool {
    let (Some(known), Some(given)) = (without_port(known), without_port(given)) else { return false };
    known == given
}

/// A plain `http://<loopback IP>[:port]/…` in two parts around its port; nothing else.
fn without_port(text: &str) -> Option<(&str, &str)> {
    let url = Url::parse(text).ok()?;
    let host = match url.host()? {
        Host::Ipv4(address) if address.is_loopback() => "http://127.0.0.1",
        Host::Ipv6(address) if address.is_loopback() => "http://[::1]",
        _ => return None,
    };
    // The text itself must be in this form: no user, no other spelling of the address.
    let rest = text.strip_prefix(host)?;
    let path = match rest.strip_prefix(':') {
        Some(port) => {
            let digits = port.find(|c: char| !c.is_ascii_digit()).unwrap_or(port.len());
            let (number, path) = port.split_at(digits);
            number.parse::<u16>().ok().filter(|number| *number > 0)?;
            path
        }
        None => rest,
    };
    (path.is_empty() || path.starts_with('/')).then_some((host, path)).filter(|_| url.fragment().is_none())
}

#[cfg(test)]
mod tests {
    use super::check_redirect_uri;

    #[test]
    fn twenty_spellings_of_a_registered_uri_are_refused() {
        let registered = ["https://rp.example/cb".to_owned()];
        assert!(check_redirect_uri(&registered, "https://rp.example/cb"));
        for bad in [
            "https://rp.example.evil.example/cb",
            "https://evil-rp.example/cb",
            "https://rp.example@evil.example/cb",
            "https://rp.example@@evil.example/cb",
            "https://user@rp.example/cb",
            "https://rp.example/..;/cb",
            "https://rp.example/x/../cb",
            "https://rp.example%2fcb",
            "https://rp.example/%63b",
            "https://rp.example/cb%252f",
            "https://rp.example\\cb",
            "https://rp.example/cb\t",
            "HTTPS://rp.example/cb",
            "https://RP.example/cb",
            "https://rp.example/CB",
            "https://rp.example/cb?x=1",
            "https://rp.example/cb#x",
            "https://rp.example/cb/",
            "https://rp.example:443/cb",
            "https://rр.example/cb",
            "javascript:alert(1)",
            "DATA:text/html,x",
            "http://rp.example/cb",
            "",
        ] {
            assert!(!check_redirect_uri(&registered, bad), "{bad}");
        }
    }

    #[test]
    fn only_the_port_of_a_loopback_ip_may_differ() {
        let registered = ["http://127.0.0.1:3000/cb".to_owned(), "http://localhost:3000/cb".to_owned()];
        for good in [
            "http://127.0.0.1:3000/cb",
            "http://127.0.0.1:41999/cb",
            "http://127.0.0.1/cb",
            "http://localhost:3000/cb",
        ] {
            assert!(check_redirect_uri(&registered, good), "{good}");
        }
        for bad in [
            "http://localhost:4000/cb",
            "http://127.0.0.1:4000/other",
            "https://127.0.0.1:4000/cb",
            "http://127.1:4000/cb",
            "http://0x7f.0.0.1:4000/cb",
            "http://127.0.0.1:4000@evil.example/cb",
            "http://127.0.0.1:0/cb",
            "http://127.0.0.1:99999/cb",
            "http://[::1]:4000/cb",
            "http://127.0.0.1:4000/cb#x",
        ] {
            assert!(!check_redirect_uri(&registered, bad), "{bad}");
        }
    }
}
