//! `/oauth2/authorize`: every answer goes where it must, with the error of its specification.

use serde_json::Value;

use crate::support::browser::{Browser, Request, claims_of};
use crate::support::server::Server;

#[tokio::test]
async fn a_login_ends_with_code_state_and_iss_and_the_tokens_tell_what_happened() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let request = Request::new(&server);
    let end = browser.sign_in(&server, &request, "alice").await;
    assert!(end.url.as_str().starts_with(&format!("{}/cb?", server.relying_party())), "{}", end.url);
    assert_eq!(end.parameter("state").as_deref(), Some("the-state"));
    assert_eq!(end.parameter("iss"), Some(server.issuer()));
    let (status, tokens) = browser.redeem(&server, &request, &end.parameter("code").unwrap()).await;
    assert_eq!(status, 200, "{tokens}");
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(tokens["scope"], "openid profile email");
    let id = claims_of(tokens["id_token"].as_str().unwrap());
    assert_eq!(id["iss"], server.issuer());
    assert_eq!(id["aud"], "demo-rp");
    assert_eq!(id["nonce"], "the-nonce");
    assert_eq!(id["acr"], "agama_demo.password");
    assert_eq!(id["amr"], serde_json::json!(["pwd"]));
    assert!(id["exp"].as_u64().unwrap() > id["iat"].as_u64().unwrap());
    let (status, userinfo) = browser.userinfo(&server, tokens["access_token"].as_str().unwrap()).await;
    assert_eq!(status, 200);
    let userinfo: Value = serde_json::from_str(&userinfo).unwrap();
    assert_eq!(userinfo["sub"], id["sub"]);
    assert_eq!(userinfo["email"], "alice@example.org");
    assert!(userinfo.get("phone_number").is_none(), "the scope was not asked for");
}

#[tokio::test]
async fn a_session_is_used_again_and_prompt_and_max_age_decide_when_not() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let request = Request::new(&server);

    let none = browser.open(&Request::new(&server).with("prompt", "none").url(&server)).await;
    assert_eq!(none.parameter("error").as_deref(), Some("login_required"), "{}", none.url);
    assert_eq!(none.parameter("state").as_deref(), Some("the-state"));
    assert_eq!(none.parameter("iss"), Some(server.issuer()));

    browser.sign_in(&server, &request, "alice").await;
    for asking in [Request::new(&server), Request::new(&server).with("prompt", "none")] {
        let end = browser.open(&asking.url(&server)).await;
        assert!(end.parameter("code").is_some(), "{}", end.url);
    }
    for asking in [
        Request::new(&server).with("prompt", "login"),
        Request::new(&server).with("max_age", "0"),
        Request::new(&server).with("acr_values", "agama_demo.totp"),
    ] {
        let page = browser.open(&asking.url(&server)).await;
        assert!(page.has("name=\"password\""), "{:?}: {}", asking.parameters, page.url);
    }
    let page = browser.open(&Request::new(&server).with("prompt", "consent").url(&server)).await;
    assert!(page.has("value=\"allow\""), "{}", page.url);
    let late = Request::new(&server).with("prompt", "none").with("max_age", "0");
    let late = browser.open(&late.url(&server)).await;
    assert_eq!(late.parameter("error").as_deref(), Some("login_required"), "{}", late.url);
    let long = browser.open(&Request::new(&server).with("max_age", "3600").url(&server)).await;
    assert!(long.parameter("code").is_some(), "{}", long.url);
}

#[tokio::test]
async fn consent_that_is_missing_is_told_with_prompt_none() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let page = browser.open(&Request::new(&server).url(&server)).await;
    let form = page.form().with("login", "bob").with("password", "demo-bob-123");
    let consent = browser.submit(&form).await;
    assert!(consent.has("value=\"allow\""), "{}", consent.url);
    let none = browser.open(&Request::new(&server).with("prompt", "none").url(&server)).await;
    assert_eq!(none.parameter("error").as_deref(), Some("consent_required"), "{}", none.url);
    let denied = browser.submit(&consent.form().with("decision", "deny")).await;
    assert_eq!(denied.parameter("error").as_deref(), Some("access_denied"), "{}", denied.url);
}

#[tokio::test]
async fn mistakes_of_a_verified_client_go_to_its_redirect_uri() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    for (name, value, error) in [
        ("response_type", "token", "unsupported_response_type"),
        ("response_type", "", "invalid_request"),
        ("scope", "unknown", "invalid_scope"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("prompt", "none login", "invalid_request"),
        ("request", "x", "request_not_supported"),
        ("request_uri", "https://rp.example/r", "request_uri_not_supported"),
    ] {
        let end = browser.open(&Request::new(&server).with(name, value).url(&server)).await;
        assert!(end.url.as_str().starts_with(&server.relying_party()), "{name}={value}: {}", end.url);
        assert_eq!(end.parameter("error").as_deref(), Some(error), "{name}={value}");
        assert_eq!(end.parameter("state").as_deref(), Some("the-state"), "{name}={value}");
        assert_eq!(end.parameter("iss"), Some(server.issuer()), "{name}={value}");
    }
    let url = Request::new(&server).url(&server);
    let twice = browser.open(&format!("{url}&nonce=again")).await;
    assert_eq!(twice.parameter("error").as_deref(), Some("invalid_request"), "{}", twice.url);
}

#[tokio::test]
async fn a_request_by_post_is_taken_and_login_hint_fills_the_form() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let request = Request::new(&server).with("login_hint", "alice");
    // As a form of another site sends it: foreign Origin, none of our cookies.
    let answer = browser
        .http
        .post(format!("{}/oauth2/authorize", server.issuer()))
        .header("origin", server.relying_party())
        .form(&request.parameters)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let refresh = answer.headers()["refresh"].to_str().unwrap().to_owned();
    let next = refresh.strip_prefix("0;url=").unwrap();
    let page = browser.open(&format!("{}{next}", server.issuer())).await;
    assert!(page.has("name=\"password\"") && page.has("value=\"alice\""), "{}", page.body);
    let form = page.form().with("password", "demo-alice-123");
    let consent = browser.submit(&form).await;
    let end = browser.submit(&consent.form().with("decision", "allow")).await;
    assert!(end.parameter("code").is_some(), "{}", end.url);
}

#[tokio::test]
async fn the_plugin_takes_part_in_a_login_and_amr_tells_both_factors() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let request = Request::new(&server).with("acr_values", "agama_demo.totp");
    let page = browser.open(&request.url(&server)).await;
    let form = page.form().with("login", "bob").with("password", "demo-bob-123");
    let setup = browser.submit(&form).await;
    let key = setup.body.split("id=\"key\"").nth(1).unwrap();
    let key = key.split('>').nth(1).unwrap().split('<').next().unwrap();
    let wrong = browser.submit(&setup.form().with("code", "000000")).await;
    assert!(wrong.has("wrong"), "{}", wrong.body);
    let code = crate::support::totp::now(key);
    let page = browser.submit(&wrong.form().with("code", &code)).await;
    let end = browser.submit(&page.form().with("decision", "allow")).await;
    let (_, tokens) = browser.redeem(&server, &request, &end.parameter("code").unwrap()).await;
    let id = claims_of(tokens["id_token"].as_str().unwrap());
    assert_eq!(id["acr"], "agama_demo.totp");
    assert_eq!(id["amr"], serde_json::json!(["pwd", "otp"]));
    assert!(!server.log_text().contains(key), "the secret is in the log");
}

#[tokio::test]
async fn form_post_sends_the_answer_as_a_form_and_errors_too() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let request = Request::new(&server).with("response_mode", "form_post").with("state", "\"<&>'");
    let page = browser.sign_in(&server, &request, "alice").await;
    assert_eq!(page.status, 200);
    assert!(page.headers["content-security-policy"].to_str().unwrap().contains(&server.relying_party()));
    let form = page.form();
    assert_eq!(form.action.as_str(), format!("{}/cb", server.relying_party()));
    assert_eq!(form.fields["state"], "\"<&>'");
    assert_eq!(form.fields["iss"], server.issuer());
    assert_eq!(browser.redeem(&server, &request, &form.fields["code"]).await.0, 200);

    let wrong = Request::new(&server).with("response_mode", "form_post").with("prompt", "nonsense");
    let form = browser.open(&wrong.url(&server)).await.form();
    assert_eq!(form.fields["error"], "invalid_request");
    let unknown = browser.open(&Request::new(&server).with("response_mode", "query.jwt").url(&server)).await;
    assert_eq!(unknown.parameter("error").as_deref(), Some("invalid_request"));
}

#[tokio::test]
async fn an_answer_in_the_fragment_is_there_alone() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let request = Request::new(&server).with("response_mode", "fragment");
    let end = browser.sign_in(&server, &request, "alice").await;
    assert!(end.url.query().is_none(), "{}", end.url);
    let fragment = end.url.fragment().unwrap_or_default().as_bytes().to_vec();
    let answer: std::collections::BTreeMap<_, _> =
        url::form_urlencoded::parse(&fragment).into_owned().collect();
    assert_eq!(answer["state"], "the-state");
    assert_eq!(answer["iss"], server.issuer());
    assert_eq!(browser.redeem(&server, &request, &answer["code"]).await.0, 200);
}

#[tokio::test]
async fn a_client_with_a_secret_may_leave_out_pkce_and_one_without_may_not() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let without = |client: &str| {
        Request::new(&server)
            .with("client_id", client)
            .with("code_challenge", "")
            .with("code_challenge_method", "")
    };
    let refused = browser.open(&without("demo-rp").url(&server)).await;
    assert_eq!(refused.parameter("error").as_deref(), Some("invalid_request"));
    let redeem = async |request: &Request, verifier: Option<&str>| {
        let code = Browser::new(&server).code(&server, request, "alice").await;
        let redirect_uri = format!("{}/cb", server.relying_party());
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("client_id", "demo-confidential"),
            ("client_secret", "demo-confidential-secret-123"),
            ("code", &code),
            ("redirect_uri", &redirect_uri),
        ];
        fields.extend(verifier.map(|verifier| ("code_verifier", verifier)));
        browser.token(&server, &fields).await
    };
    let plain = without("demo-confidential");
    assert_eq!(redeem(&plain, None).await.0, 200);
    let (status, cut_out) = redeem(&plain, Some(&plain.verifier)).await;
    assert_eq!((status, cut_out["error"].as_str()), (400, Some("invalid_grant")), "a challenge was cut out");
    let with = Request::new(&server).with("client_id", "demo-confidential");
    assert_eq!(redeem(&with, None).await.0, 400, "a challenge that was sent counts");
    assert_eq!(redeem(&with, Some(&with.verifier)).await.0, 200);
    let method_alone =
        Request::new(&server).with("client_id", "demo-confidential").with("code_challenge", "");
    let refused = browser.open(&method_alone.url(&server)).await;
    assert_eq!(refused.parameter("error").as_deref(), Some("invalid_request"));
}

#[tokio::test]
async fn an_id_token_hint_names_the_only_person_who_may_log_in() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let request = Request::new(&server);
    let alice = browser.tokens(&server, &request, "alice").await;
    let hint = alice["id_token"].as_str().unwrap();
    let same = Request::new(&server).with("id_token_hint", hint).with("prompt", "none");
    assert!(browser.open(&same.url(&server)).await.parameter("code").is_some());

    let bobs = Browser::new(&server);
    bobs.sign_in(&server, &request, "bob").await;
    let none = bobs.open(&same.url(&server)).await;
    assert_eq!(none.parameter("error").as_deref(), Some("login_required"), "{}", none.url);
    let other = Request::new(&server).with("id_token_hint", hint);
    let end = bobs.sign_in(&server, &other, "bob").await;
    assert_eq!(end.parameter("error").as_deref(), Some("login_required"), "bob is not whom was asked for");
    for bad in ["x.y.z", &format!("{}x", &hint[..hint.len() - 1])] {
        let refused = browser.open(&Request::new(&server).with("id_token_hint", bad).url(&server)).await;
        assert_eq!(refused.parameter("error").as_deref(), Some("invalid_request"), "{bad}");
    }
}
