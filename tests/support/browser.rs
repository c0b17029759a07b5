//! A browser without a screen: cookies, redirects followed by hand, forms filled and sent as a browser would.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::cookie::CookieStore as _;
use reqwest::header::{HeaderMap, LOCATION, ORIGIN};
use serde_json::Value;
use sha2::Digest as _;
use url::Url;

use super::server::Server;

/// One person's browser.
pub(crate) struct Browser {
    pub(crate) http: reqwest::Client,
    jar: Arc<reqwest::cookie::Jar>,
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

/// Follows no redirect, keeps no cookie, trusts the server's certificate.
pub(crate) fn client(server: &Server) -> reqwest::ClientBuilder {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
    let client = match server.reached_at() {
        Some(address) => client.resolve("localhost", address),
        None => client,
    };
    match &server.certificate {
        Some(pem) => client.tls_certs_only([reqwest::Certificate::from_pem(pem.as_bytes()).unwrap()]),
        None => client,
    }
}

impl Browser {
    pub(crate) fn new(server: &Server) -> Self {
        Self::sending(server, HeaderMap::new())
    }

    /// One that sends these headers with every request, as a proxy in front of the server would.
    pub(crate) fn sending(server: &Server, headers: HeaderMap) -> Self {
        Self::keeping(server, headers, Arc::default())
    }

    /// The same browser, its requests sent to another node: it keeps its cookies.
    pub(crate) fn at(&self, server: &Server) -> Self {
        Self::keeping(server, HeaderMap::new(), Arc::clone(&self.jar))
    }

    fn keeping(server: &Server, headers: HeaderMap, jar: Arc<reqwest::cookie::Jar>) -> Self {
        let http = client(server)
            .default_headers(headers)
            .cookie_provider(Arc::clone(&jar))
            // A server that closes a connection, or is killed, must not disturb the next request.
            .pool_max_idle_per_host(0)
            .build()
            .unwrap();
        Self { http, jar, origin: server.issuer() }
    }

    /// The provider's cookies as they are sent.
    pub(crate) fn cookie_header(&self, server: &Server) -> String {
        let header = self.jar.cookies(&server.issuer().parse().unwrap()).unwrap();
        header.to_str().unwrap().to_owned()
    }

    /// The values of the provider's cookies.
    pub(crate) fn cookies(&self, server: &Server) -> Vec<String> {
        self.cookie_header(server)
            .split("; ")
            .filter_map(|pair| Some(pair.split_once('=')?.1.to_owned()))
            .collect()
    }

    /// What is left of another browser when it was closed: the cookie that tells browsers apart.
    pub(crate) fn keep_browser_cookie_of(&self, other: &Browser, server: &Server) {
        let issuer: Url = server.issuer().parse().unwrap();
        let header = other.jar.cookies(&issuer).unwrap();
        let pairs = header.to_str().unwrap().split("; ").filter(|pair| pair.contains("agamid_browser"));
        for pair in pairs {
            self.jar.add_cookie_str(&format!("{pair}; Secure; Path=/"), &issuer);
        }
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

impl Browser {
    /// Opens an authorization request, signs in with the demo's password, allows what is asked; answers where the
    /// provider sends the browser at the end, at the application.
    pub(crate) async fn sign_in(&self, server: &Server, request: &Request, person: &str) -> Shown {
        let page = self.open(&request.url(server)).await;
        assert!(page.has("name=\"password\""), "not the sign-in page: {}\n{}", page.url, page.body);
        let form = page.form().with("login", person).with("password", &format!("demo-{person}-123"));
        let page = self.submit(&form).await;
        if page.status == 200 && page.has("value=\"allow\"") {
            return self.submit(&page.form().with("decision", "allow")).await;
        }
        page
    }

    /// A code for the request, by a login.
    pub(crate) async fn code(&self, server: &Server, request: &Request, person: &str) -> String {
        let end = self.sign_in(server, request, person).await;
        end.parameter("code").unwrap_or_else(|| panic!("no code: {}\n{}", end.url, end.body))
    }

    /// `POST /oauth2/token`
    pub(crate) async fn token(&self, server: &Server, fields: &[(&str, &str)]) -> (u16, Value) {
        let url = format!("{}/oauth2/token", server.issuer());
        let answer = self.http.post(url).form(fields).send().await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.text().await.unwrap();
        (status, serde_json::from_str(&body).unwrap_or_else(|_| panic!("no JSON: {status} {body}")))
    }

    /// Redeems a code of the request.
    pub(crate) async fn redeem(&self, server: &Server, request: &Request, code: &str) -> (u16, Value) {
        let redirect_uri = format!("{}/cb", server.relying_party());
        let fields = [
            ("grant_type", "authorization_code"),
            ("client_id", "demo-rp"),
            ("code", code),
            ("redirect_uri", &redirect_uri),
            ("code_verifier", &request.verifier),
        ];
        self.token(server, &fields).await
    }

    /// Logs `person` in and redeems the code.
    pub(crate) async fn tokens(&self, server: &Server, request: &Request, person: &str) -> Value {
        let code = self.code(server, request, person).await;
        let (status, tokens) = self.redeem(server, request, &code).await;
        assert_eq!(status, 200, "{tokens}");
        tokens
    }

    /// `POST` of a form to an endpoint, as `demo-service` unless the form says otherwise.
    pub(crate) async fn as_service(
        &self,
        server: &Server,
        path: &str,
        fields: &[(&str, &str)],
    ) -> (u16, Value) {
        let request = self.http.post(format!("{}{path}", server.issuer()));
        let request = request.basic_auth("demo-service", Some("demo-service-secret-123")).form(fields);
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }

    /// `POST /oauth2/token` with a refresh token of the sample client.
    pub(crate) async fn refresh(&self, server: &Server, token: &str, scope: &str) -> (u16, Value) {
        let mut fields =
            vec![("grant_type", "refresh_token"), ("client_id", "demo-rp"), ("refresh_token", token)];
        fields.extend(Some(("scope", scope)).filter(|(_, scope)| !scope.is_empty()));
        self.token(server, &fields).await
    }

    /// `GET /oauth2/userinfo`
    pub(crate) async fn userinfo(&self, server: &Server, token: &str) -> (u16, String) {
        let url = format!("{}/oauth2/userinfo", server.issuer());
        let answer = self.http.get(url).bearer_auth(token).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
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

/// A member of a JSON object that is text.
pub(crate) fn text(json: &Value, name: &str) -> String {
    json[name].as_str().unwrap_or_else(|| panic!("no {name}: {json}")).to_owned()
}

/// The claims of a JWT, not verified.
pub(crate) fn claims_of(jwt: &str) -> Value {
    let payload = jwt.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
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
