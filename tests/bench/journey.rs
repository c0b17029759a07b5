//! Journeys of a browser and its application, as few requests as there are.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::Digest as _;

use crate::{issuer, post, redirect_uri, text};

const VERIFIER: &str = "a-verifier-of-forty-three-characters-or-more-1";

/// An authorization request of the sample client; an empty value leaves a parameter out.
pub(crate) fn authorize_url(prompt: &str, acr: &str) -> String {
    let challenge = URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(VERIFIER));
    let mut url = url::Url::parse(&format!("{}/oauth2/authorize", issuer())).unwrap();
    url.query_pairs_mut().extend_pairs([
        ("response_type", "code"),
        ("client_id", "demo-rp"),
        ("redirect_uri", &redirect_uri()),
        ("scope", "openid profile email"),
        ("state", "s"),
        ("nonce", "n"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ]);
    for (name, value) in [("prompt", prompt), ("acr_values", acr)] {
        if !value.is_empty() {
            url.query_pairs_mut().append_pair(name, value);
        }
    }
    url.into()
}

fn cookies(answer: &reqwest::Response, known: &str) -> String {
    let mut all: Vec<String> = known.split("; ").filter(|c| !c.is_empty()).map(str::to_owned).collect();
    for set in answer.headers().get_all("set-cookie") {
        let pair = set.to_str().unwrap().split(';').next().unwrap().to_owned();
        let name = pair.split('=').next().unwrap().to_owned();
        all.retain(|cookie| !cookie.starts_with(&format!("{name}=")));
        all.push(pair);
    }
    all.join("; ")
}

pub(crate) fn location(answer: &reqwest::Response) -> String {
    let location = answer.headers()["location"].to_str().unwrap();
    if location.starts_with('/') { format!("{}{location}", issuer()) } else { location.to_owned() }
}

fn field(page: &str, marker: &str) -> String {
    page.split(marker).nth(1).unwrap().split('"').next().unwrap().replace("&#x2f;", "/")
}

/// A whole password login of alice, from the authorization request to the code; answers cookies and code.
pub(crate) async fn log_in(http: &reqwest::Client) -> (String, String) {
    let mut jar = String::new();
    let mut answer = http.get(authorize_url("login", "")).send().await.unwrap();
    for _ in 0..12 {
        jar = cookies(&answer, &jar);
        if answer.status() == 303 {
            let next = location(&answer);
            if let Some((_, code)) = next.split_once("code=") {
                return (jar, code.split('&').next().unwrap().to_owned());
            }
            answer = http.get(next).header("cookie", &jar).send().await.unwrap();
            continue;
        }
        let url = answer.url().clone();
        let page = answer.text().await.unwrap();
        let step = field(&page, "name=\"_step\" value=\"");
        let form: &[(&str, &str)] = if page.contains("name=\"password\"") {
            &[("_step", &step), ("login", "alice"), ("password", "demo-alice-123")]
        } else {
            &[("_step", &step), ("decision", "allow")]
        };
        let post = http.post(url).header("origin", issuer()).header("cookie", &jar).form(form);
        answer = post.send().await.unwrap();
    }
    panic!("the login does not end");
}

pub(crate) async fn redeem(http: &reqwest::Client, code: &str) -> Value {
    let redirect_uri = redirect_uri();
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", "demo-rp"),
        ("code", code),
        ("redirect_uri", &redirect_uri),
        ("code_verifier", VERIFIER),
    ];
    post(http, "/oauth2/token", &fields).await
}

/// The code in a redirect to the application.
pub(crate) fn code_of(answer: &reqwest::Response) -> String {
    let location = location(answer);
    let (_, rest) = location.split_once("code=").unwrap_or_else(|| panic!("no code: {location}"));
    rest.split('&').next().unwrap().to_owned()
}

/// Sign-on by a session: the authorization request and the token request.
pub(crate) async fn by_session(http: &reqwest::Client, session: &str) -> Value {
    let answer = http.get(authorize_url("", "")).header("cookie", session).send().await.unwrap();
    redeem(http, &code_of(&answer)).await
}

/// Eight requests without a hash: authorization request, consent page, its form, the way back with the code, token,
/// userinfo, introspection, refresh.
pub(crate) async fn full(http: &reqwest::Client, session: &str) {
    let get = |url: String| http.get(url).header("cookie", session).send();
    let first = get(authorize_url("consent", "")).await.unwrap();
    let url = location(&first);
    let page = get(url.clone()).await.unwrap().text().await.unwrap();
    let step = field(&page, "name=\"_step\" value=\"");
    let form = [("_step", step.as_str()), ("decision", "allow")];
    let posted = http.post(url).header("origin", issuer()).header("cookie", session).form(&form);
    let back = location(&posted.send().await.unwrap());
    let end = get(back).await.unwrap();
    let tokens = redeem(http, &code_of(&end)).await;
    let access = text(&tokens, "access_token");
    let userinfo = http.get(format!("{}/oauth2/userinfo", issuer())).bearer_auth(&access);
    assert_eq!(userinfo.send().await.unwrap().status(), 200);
    let told = http.post(format!("{}/oauth2/introspect", issuer())).form(&[("token", &access)]);
    let told = told.basic_auth("demo-service", Some("demo-service-secret-123")).send().await.unwrap();
    assert!(told.text().await.unwrap().contains("true"));
    let refresh = text(&tokens, "refresh_token");
    let fields = [("grant_type", "refresh_token"), ("client_id", "demo-rp"), ("refresh_token", &refresh)];
    post(http, "/oauth2/token", &fields).await;
}
