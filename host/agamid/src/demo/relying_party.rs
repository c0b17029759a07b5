//! The sample relying party: an ordinary OpenID Connect client on an origin of its own, so that whoever tries the
//! demo sees exactly what an application sees. It talks to the provider over HTTP like anybody else.

mod session;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use agamid_auth_server::AuthServer;
use agamid_core::Env;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};

use session::{Login, Logins};

/// The client id that the demo registers for it.
pub(crate) const CLIENT_ID: &str = "demo-rp";

/// What the relying party needs to know.
pub(crate) struct Parts {
    /// Time and randomness.
    pub(crate) env: Env,
    /// The provider.
    pub(crate) issuer: String,
    /// The provider itself, asked for one thing only: to explain a request.
    pub(crate) provider: AuthServer,
    /// Its own origin.
    pub(crate) origin: String,
    /// Where the provider has a certificate of its own: that, to be trusted.
    pub(crate) certificate: Option<PathBuf>,
    /// The flows it offers to log in with: ACR value and title.
    pub(crate) flows: Vec<(String, String)>,
}

struct RelyingParty {
    parts: Parts,
    logins: Logins,
    http: reqwest::Client,
    pages: minijinja::Environment<'static>,
}

/// Why a login did not end well; shown as a page.
#[derive(Debug, thiserror::Error)]
enum LoginError {
    #[error("{0}")]
    Refused(String),
    #[error("the provider did not answer: {0}")]
    Unreachable(#[from] reqwest::Error),
    #[error("a page could not be made: {0}")]
    Page(#[from] minijinja::Error),
}

/// The relying party's pages.
pub(crate) fn router(parts: Parts) -> Result<Router, String> {
    let mut http = reqwest::Client::builder()
        .timeout(Duration::from_secs(10))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy();
    if let Some(file) = &parts.certificate {
        let pem = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let trusted = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| error.to_string())?;
        http = http.tls_certs_merge(trusted);
    }
    let http = http.build().map_err(|error| error.to_string())?;
    let logins = Logins::new(parts.env.clone());
    let pages = pages().map_err(|error| error.to_string())?;
    let state = Arc::new(RelyingParty { parts, logins, http, pages });
    Ok(Router::new()
        .route("/", get(home))
        .route("/login", get(login))
        .route("/cb", get(callback))
        .route("/explain", get(explain))
        .route("/style.css", get(style))
        .with_state(state))
}

fn pages() -> Result<minijinja::Environment<'static>, minijinja::Error> {
    let mut pages = minijinja::Environment::new();
    pages.add_template("base.html", include_str!("relying_party/templates/base.html"))?;
    pages.add_template("home.html", include_str!("relying_party/templates/home.html"))?;
    pages.add_template("result.html", include_str!("relying_party/templates/result.html"))?;
    pages.add_template("explain.html", include_str!("relying_party/templates/explain.html"))?;
    pages.add_template("error.html", include_str!("relying_party/templates/error.html"))?;
    Ok(pages)
}

async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], agamid_web::STYLESHEET)
}

async fn home(State(party): State<Arc<RelyingParty>>) -> Response {
    let flows: Vec<Value> =
        party.parts.flows.iter().map(|(acr, title)| json!({ "acr": acr, "title": title })).collect();
    let example = party.authorize_url(&LoginOptions::default(), "…", "…", "…");
    party.page("home.html", StatusCode::OK, &json!({ "flows": flows, "request": example }))
}

/// What the home page's form lets people choose.
#[derive(Debug, Default, Deserialize)]
struct LoginOptions {
    acr_values: Option<String>,
    prompt: Option<String>,
    max_age: Option<String>,
    login_hint: Option<String>,
    ui_locales: Option<String>,
}

impl LoginOptions {
    fn parameters(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("acr_values", &self.acr_values),
            ("prompt", &self.prompt),
            ("max_age", &self.max_age),
            ("login_hint", &self.login_hint),
            ("ui_locales", &self.ui_locales),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)).filter(|(_, value)| !value.is_empty()))
    }
}

async fn login(State(party): State<Arc<RelyingParty>>, Query(options): Query<LoginOptions>) -> Response {
    let login = Login::new(&party.parts.env);
    let challenge = URL_SAFE_NO_PAD
        .encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, login.verifier.as_bytes()));
    let url = party.authorize_url(&options, &login.state, &login.nonce, &challenge);
    let cookie = party.logins.begin(login.asking(&url));
    ([(header::SET_COOKIE, cookie)], Redirect::to(&url)).into_response()
}

/// What is to be explained.
#[derive(Debug, Deserialize)]
struct Asked {
    url: String,
}

async fn explain(State(party): State<Arc<RelyingParty>>, Query(asked): Query<Asked>) -> Response {
    match party.parts.provider.explain(&asked.url).await {
        Ok(checks) => {
            party.page("explain.html", StatusCode::OK, &json!({ "checks": checks, "request": asked.url }))
        }
        Err(error) => {
            let context = json!({ "message": error.description });
            party.page("error.html", StatusCode::SERVICE_UNAVAILABLE, &context)
        }
    }
}

/// The authorization response (RFC 6749 section 4.1.2, RFC 9207).
#[derive(Debug, Deserialize)]
struct Answer {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

async fn callback(
    State(party): State<Arc<RelyingParty>>,
    headers: HeaderMap,
    Query(answer): Query<Answer>,
) -> Response {
    match party.finish(&headers, answer).await {
        Ok(page) => page,
        Err(error) => {
            party.page("error.html", StatusCode::BAD_REQUEST, &json!({ "message": error.to_string() }))
        }
    }
}

impl RelyingParty {
    fn redirect_uri(&self) -> String {
        format!("{}/cb", self.parts.origin)
    }

    fn authorize_url(&self, options: &LoginOptions, state: &str, nonce: &str, challenge: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", CLIENT_ID)
            .append_pair("redirect_uri", &self.redirect_uri())
            .append_pair("scope", "openid profile email")
            .append_pair("state", state)
            .append_pair("nonce", nonce)
            .append_pair("code_challenge", challenge)
            .append_pair("code_challenge_method", "S256");
        for (name, value) in options.parameters() {
            query.append_pair(name, value);
        }
        format!("{}/oauth2/authorize?{}", self.parts.issuer, query.finish())
    }

    /// Checks the answer, redeems the code, verifies the ID token, asks userinfo.
    async fn finish(&self, headers: &HeaderMap, answer: Answer) -> Result<Response, LoginError> {
        let login = self
            .logins
            .take(headers, answer.state.as_deref().unwrap_or_default())
            .ok_or_else(|| refused("this answer belongs to no login begun in this browser (state)"))?;
        if answer.iss.as_deref() != Some(self.parts.issuer.as_str()) {
            return Err(refused("the answer names another issuer (iss, RFC 9207)"));
        }
        if let Some(error) = answer.error {
            let description = answer.error_description.unwrap_or_default();
            let context = json!({ "message": description, "error": error, "request": login.request });
            return Ok(self.page("error.html", StatusCode::OK, &context));
        }
        let code = answer.code.ok_or_else(|| refused("the answer has neither code nor error"))?;
        let tokens = self.redeem(&code, &login.verifier).await?;
        let id_token = text_of(&tokens, "id_token").ok_or_else(|| refused("no ID token came back"))?;
        let (header, claims) = self.verify(id_token, &login.nonce).await?;
        let userinfo = self.userinfo(text_of(&tokens, "access_token").unwrap_or_default()).await?;
        if text_of(&userinfo, "sub") != text_of(&claims, "sub") {
            return Err(refused("userinfo speaks of somebody else (OpenID Connect Core 5.3.2)"));
        }
        let context = json!({
            "header": header,
            "claims": claims,
            "userinfo": serde_json::to_string_pretty(&userinfo).unwrap_or_default(),
            "tokens": serde_json::to_string_pretty(&shortened(&tokens)).unwrap_or_default(),
            "request": login.request,
        });
        Ok(self.page("result.html", StatusCode::OK, &context))
    }

    async fn redeem(&self, code: &str, verifier: &str) -> Result<Value, LoginError> {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", &self.redirect_uri())
            .append_pair("client_id", CLIENT_ID)
            .append_pair("code_verifier", verifier)
            .finish();
        let answer = self
            .http
            .post(format!("{}/oauth2/token", self.parts.issuer))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body)
            .send()
            .await?;
        let (status, text) = (answer.status(), answer.text().await?);
        let json: Value = serde_json::from_str(&text).unwrap_or_default();
        if status.is_success() {
            Ok(json)
        } else {
            Err(LoginError::Refused(format!("the token endpoint answered {status}: {text}")))
        }
    }

    async fn verify(&self, id_token: &str, nonce: &str) -> Result<(Value, Value), LoginError> {
        let keys = self.get_json("/oauth2/jwks", None).await?;
        let claims = session::verify_id_token(&self.parts, id_token, &keys, CLIENT_ID, nonce)
            .map_err(LoginError::Refused)?;
        let header = id_token.split('.').next().and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
        let header = header.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Ok((header, claims))
    }

    async fn userinfo(&self, access_token: &str) -> Result<Value, LoginError> {
        self.get_json("/oauth2/userinfo", Some(access_token)).await
    }

    async fn get_json(&self, path: &str, token: Option<&str>) -> Result<Value, LoginError> {
        let mut request = self.http.get(format!("{}{path}", self.parts.issuer));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let text = request.send().await?.error_for_status()?.text().await?;
        serde_json::from_str(&text).map_err(|_| refused("the provider answered no JSON"))
    }

    fn page(&self, template: &str, status: StatusCode, context: &Value) -> Response {
        let base =
            json!({ "issuer": self.parts.issuer, "client_id": CLIENT_ID, "origin": self.parts.origin });
        let mut merged = base;
        if let (Some(all), Some(more)) = (merged.as_object_mut(), context.as_object()) {
            all.extend(more.clone());
        }
        let merged = minijinja::value::Serde(merged);
        // Browsers apply form-action to redirects too: the login form ends at the provider.
        let policy = format!(
            "default-src 'none'; style-src 'self'; img-src data:; form-action 'self' {}; frame-ancestors 'none'; \
             base-uri 'none'",
            self.parts.issuer
        );
        let headers = [
            (header::CACHE_CONTROL, "no-store".to_owned()),
            (header::CONTENT_SECURITY_POLICY, policy),
            (header::REFERRER_POLICY, "same-origin".to_owned()),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        ];
        match self.pages.get_template(template).and_then(|page| page.render(merged)) {
            Ok(html) => (status, headers, Html(html)).into_response(),
            Err(error) => {
                tracing::error!(event = "demo.page_failed", template, %error);
                (StatusCode::INTERNAL_SERVER_ERROR, "the page could not be made; see the log").into_response()
            }
        }
    }
}

fn refused(reason: &str) -> LoginError {
    LoginError::Refused(reason.to_owned())
}

fn text_of<'a>(json: &'a Value, name: &str) -> Option<&'a str> {
    json.get(name)?.as_str()
}

/// Tokens cut to what a demonstration may show.
fn shortened(tokens: &Value) -> Value {
    let mut shown = tokens.clone();
    for name in ["access_token", "id_token"] {
        if let Some(Value::String(token)) = shown.get_mut(name) {
            let start: String = token.chars().take(24).collect();
            *token = format!("{start}… ({} characters)", token.len());
        }
    }
    shown
}
