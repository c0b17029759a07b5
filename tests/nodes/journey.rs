//! A login that changes the node at every step.

use crate::nodes::everywhere;
use crate::support::browser::{Browser, Request, Shown, text};
use crate::support::cluster::Cluster;
use crate::support::totp;

/// One browser, each of whose requests goes to the next node.
struct Wanderer<'a> {
    cluster: &'a Cluster,
    at: Vec<Browser>,
    next: usize,
}

impl<'a> Wanderer<'a> {
    fn new(cluster: &'a Cluster, first: usize) -> Self {
        let browser = Browser::new(&cluster.nodes[0]);
        Self { cluster, at: everywhere(&browser, &cluster.nodes), next: first }
    }

    /// The browser at the next node.
    fn hop(&mut self) -> &Browser {
        self.next += 1;
        &self.at[self.next % self.at.len()]
    }

    /// Follows redirects, each at another node.
    async fn follow(&mut self, mut page: Shown) -> Shown {
        let issuer = self.cluster.nodes[0].issuer();
        for _ in 0..20 {
            let Some(next) = page.location() else { return page };
            if !next.as_str().starts_with(&issuer) {
                page.url = next;
                return page;
            }
            page = self.hop().get(next.as_str()).await;
        }
        panic!("too many redirects, last {}", page.url);
    }

    async fn open(&mut self, url: &str) -> Shown {
        let first = self.hop().get(url).await;
        self.follow(first).await
    }

    async fn submit(&mut self, page: &Shown, fields: &[(&str, &str)]) -> Shown {
        let form = fields.iter().fold(page.form(), |form, (name, value)| form.with(name, value));
        let first = self.hop().post(&form).await;
        self.follow(first).await
    }
}

/// From the authorization request to the logout, each request at another node than the one before.
async fn journey(cluster: &Cluster, first: usize) {
    let node = &cluster.nodes[0];
    let mut person = Wanderer::new(cluster, first);
    let request = Request::new(node);
    let page = person.open(&request.url(node)).await;
    let told = person.submit(&page, &[("login", "alice"), ("password", "wrong")]).await;
    assert!(told.has("is wrong"), "{}", told.body);
    let mut end = person.submit(&told, &[("login", "alice"), ("password", "demo-alice-123")]).await;
    if end.has("value=\"allow\"") {
        end = person.submit(&end, &[("decision", "allow")]).await;
    }
    let code = end.parameter("code").unwrap_or_else(|| panic!("no code: {}\n{}", end.url, end.body));
    let (status, tokens) = person.hop().redeem(node, &request, &code).await;
    assert_eq!(status, 200, "{tokens}");
    let access = text(&tokens, "access_token");
    let (status, told) = person.hop().userinfo(node, &access).await;
    assert!(status == 200 && told.contains("alice@example.org"), "{status} {told}");
    let (status, told) = person.hop().as_service(node, "/oauth2/introspect", &[("token", &access)]).await;
    assert_eq!((status, &told["active"]), (200, &true.into()));
    let (status, tokens) = person.hop().refresh(node, &text(&tokens, "refresh_token"), "").await;
    assert_eq!(status, 200, "{tokens}");
    let (access, hint) = (text(&tokens, "access_token"), text(&tokens, "id_token"));
    assert_eq!(person.hop().userinfo(node, &access).await.0, 200);

    let silent = Request::new(node).with("prompt", "none").url(node);
    assert!(person.open(&silent).await.parameter("code").is_some(), "the session is everybody's");
    let mut logout = url::Url::parse(&format!("{}/oauth2/end_session", node.issuer())).unwrap();
    let back = format!("{}/", node.relying_party());
    logout.query_pairs_mut().extend_pairs([("id_token_hint", &hint), ("post_logout_redirect_uri", &back)]);
    let out = person.open(logout.as_str()).await;
    assert_eq!(out.url.as_str(), back);
    for _ in &cluster.nodes {
        let error = person.open(&silent).await.parameter("error");
        assert_eq!(error.as_deref(), Some("login_required"), "signed out everywhere");
        assert_eq!(person.hop().userinfo(node, &access).await.0, 401, "and the tokens with it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_changes_between_two_nodes_at_every_step() {
    let cluster = Cluster::of(2);
    // Starting at either, each step is done by either.
    journey(&cluster, 0).await;
    journey(&cluster, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_changes_between_three_nodes_at_every_step() {
    let cluster = Cluster::of(3);
    for first in 0..3 {
        journey(&cluster, first).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_with_a_plugin_and_a_pushed_request_changes_nodes_too() {
    let cluster = Cluster::of(2);
    let node = &cluster.nodes[0];
    let mut person = Wanderer::new(&cluster, 0);
    let request = Request::new(node).with("acr_values", "agama_demo.totp");
    let pushing = person.hop().http.post(format!("{}/oauth2/par", node.issuer()));
    let pushed: serde_json::Value =
        pushing.form(&request.parameters).send().await.unwrap().json().await.unwrap();
    let mut url = url::Url::parse(&format!("{}/oauth2/authorize", node.issuer())).unwrap();
    url.query_pairs_mut()
        .extend_pairs([("client_id", "demo-rp"), ("request_uri", text(&pushed, "request_uri").as_str())]);
    let page = person.open(url.as_str()).await;
    let setup = person.submit(&page, &[("login", "bob"), ("password", "demo-bob-123")]).await;
    assert!(setup.has("id=\"key\""), "{}\n{}", setup.url, setup.body);
    let key = setup.body.split("id=\"key\"").nth(1).unwrap().split(['>', '<']).nth(1).unwrap().to_owned();
    let mut end = person.submit(&setup, &[("code", &totp::now(&key))]).await;
    if end.has("value=\"allow\"") {
        end = person.submit(&end, &[("decision", "allow")]).await;
    }
    let code = end.parameter("code").unwrap_or_else(|| panic!("no code: {}\n{}", end.url, end.body));
    let (status, tokens) = person.hop().redeem(node, &request, &code).await;
    assert_eq!(status, 200, "{tokens}");
    let claims = crate::support::browser::claims_of(&text(&tokens, "id_token"));
    assert_eq!(claims["amr"], serde_json::json!(["pwd", "otp"]), "{claims}");
}
