//! A browser without a screen: cookies, redirects followed by hand, forms filled and sent as a browser would.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::{HeaderMap, LOCATION, ORIGIN};
use sha2::Digest as _;
use url::Url;

use super::server::Server;

/// One person's browser.
pub(crate) struct Browser {
    pub(crate) http: reqwest::Client,
    origin: String,
}

/// What the browser shows.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) url: Url,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// One `<form>` of a page.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    pub(crate) action: Url,
    pub(crate) fields: BTreeMap<String, String>,
}

impl Browser {
    pub(crate) fn new(server: &Server) -> Self {
        let http = reqwest::Client::builder()
            .cookie_store(true)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        Self { http, origin: server.issuer() }
    }

    /// One GET, no redirect followed.
    pub(crate) async fn get(&self, url: &str) -> Shown {
        shown(self.http.get(url).send().await.unwrap()).await
    }

    /// GETs, following redirects until a page, or until the address is outside the provider.
    pub(crate) async fn open(&self, url: &str) -> Shown {
        let first = self.get(url).await;
        self.follow(first).await
    }

    /// Follows redirects inside the provider, at most twenty.
    pub(crate) async fn follow(&self, mut page: Shown) -> Shown {
        for _ in 0..20 {
            let Some(next) = page.location() else { return page };
            if !next.as_str().starts_with(&self.origin) {
                page.url = next;
                return page;
            }
            page = self.get(next.as_str()).await;
        }
        panic!("too many redirects, last {}", page.url);
    }

    /// Sends a form as a browser does, with our Origin; no redirect followed.
    pub(crate) async fn post(&self, form: &Form) -> Shown {
        let request = self.http.post(form.action.clone()).header(ORIGIN, &self.origin);
        shown(request.form(&form.fields).send().await.unwrap()).await
    }

    /// Sends a form and follows.
    pub(crate) async fn submit(&self, form: &Form) -> Shown {
        let first = self.post(form).await;
        self.follow(first).await
    }
}

async fn shown(response: reqwest::Response) -> Shown {
    Shown {
        url: response.url().clone(),
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response.text().await.unwrap(),
    }
}

impl Shown {
    /// Where a redirect leads.
    pub(crate) fn location(&self) -> Option<Url> {
        let location = self.headers.get(LOCATION)?.to_str().unwrap();
        Some(self.url.join(location).unwrap())
    }

    /// A query parameter of the address.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        self.url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// The page's only (or first) form, with the values it came with; buttons are not fields.
    pub(crate) fn form(&self) -> Form {
        let start =
            self.body.find("<form").unwrap_or_else(|| panic!("no form on {}:\n{}", self.url, self.body));
        let body = &self.body[start..];
        let body = &body[..body.find("</form>").unwrap_or(body.len())];
        let action = attribute(tag(body), "action").unwrap_or_default();
        let action = if action.is_empty() { self.url.clone() } else { self.url.join(&action).unwrap() };
        let fields = body
            .match_indices("<input")
            .filter_map(|(at, _)| {
                let input = tag(&body[at..]);
                Some((attribute(input, "name")?, attribute(input, "value").unwrap_or_default()))
            })
            .collect();
        Form { action, fields }
    }

    /// Whether the page's text has this.
    pub(crate) fn has(&self, text: &str) -> bool {
        self.body.contains(text)
    }
}

impl Form {
    /// Fills a field.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.insert(name.to_owned(), value.to_owned());
        self
    }
}

fn tag(text: &str) -> &str {
    &text[..text.find('>').unwrap_or(text.len())]
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let marker = format!(" {name}=\"");
    let tag = tag.replace('\n', " ");
    let value = &tag[tag.find(&marker)? + marker.len()..];
    let value = &value[..value.find('"')?];
    Some(
        value
            .replace("&#x2f;", "/")
            .replace("&#x27;", "'")
            .replace("&quot;", "\"")
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&"),
    )
}

/// An authorization request of the sample client with PKCE.
pub(crate) struct Request {
    pub(crate) verifier: String,
    pub(crate) parameters: Vec<(String, String)>,
}

impl Request {
    pub(crate) fn new(server: &Server) -> Self {
        let verifier = "a-verifier-of-forty-three-characters-or-more-1".to_owned();
        let challenge = URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(&verifier));
        let parameters = [
            ("response_type", "code"),
            ("client_id", "demo-rp"),
            ("redirect_uri", &format!("{}/cb", server.relying_party())),
            ("scope", "openid profile email"),
            ("state", "the-state"),
            ("nonce", "the-nonce"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        Self { verifier, parameters }
    }

    /// Sets, or with an empty value removes, a parameter.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.parameters.retain(|(key, _)| key != name);
        if !value.is_empty() {
            self.parameters.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    pub(crate) fn url(&self, server: &Server) -> String {
        let mut url = Url::parse(&format!("{}/oauth2/authorize", server.issuer())).unwrap();
        url.query_pairs_mut().extend_pairs(&self.parameters);
        url.into()
    }
}
