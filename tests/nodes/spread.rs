//! What one node is told all know.

use serde_json::{Value, json};

use crate::nodes::{everywhere, until};
use crate::support::browser::{Browser, Request, text};
use crate::support::cluster::Cluster;
use crate::support::project::deploy_with;

#[tokio::test(flavor = "multi_thread")]
async fn a_deployed_flow_is_live_on_every_node_and_a_new_version_takes_its_place() {
    let cluster = Cluster::of(3);
    let node = &cluster.nodes[0];
    let token = cluster.admin_token().await;
    let request = Request::new(node).with("acr_values", "agama_acme.it");
    let browser = Browser::new(node);
    let at = everywhere(&browser, &cluster.nodes);
    let mut slowest = std::time::Duration::ZERO;
    for version in 0..6_usize {
        let by = &cluster.nodes[version % 3];
        let title = format!("<h1>Version {version}</h1>");
        deploy_with(by, &token, "RRF \"page.html\"\nFinish false", &title).await;
        let took = until("the flow is live on every node", async || {
            for browser in &at {
                if !browser.open(&request.url(node)).await.has(&title) {
                    return false;
                }
            }
            true
        })
        .await;
        slowest = slowest.max(took);
    }
    println!("a deployed flow was live on three nodes after at most {} ms", slowest.as_millis());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployed_plugin_is_live_on_every_node_and_a_new_build_takes_its_place() {
    let cluster = Cluster::of(3);
    let node = &cluster.nodes[0];
    let token = cluster.admin_token().await;
    let browser = Browser::new(node);
    let at = everywhere(&browser, &cluster.nodes);
    let request = Request::new(node).with("acr_values", "agama_acme.it");
    let put = async |by: usize, number: usize| {
        let url = format!("{}/config/v1/plugins/bench:guest", cluster.nodes[by].admin());
        let body = crate::support::guest::component_answering(number);
        let put = browser.http.put(url).bearer_auth(&token).body(body).send().await.unwrap();
        assert_eq!(put.status(), 200, "{}", put.text().await.unwrap());
    };
    put(0, 100).await;
    let flow = "n = Call bench.guest.it#fine\npage = {n: n}\nRRF \"page.html\" page\nFinish false";
    deploy_with(node, &token, flow, "<h1>Answer {{ n }}</h1>").await;
    let shown = async |number: usize| {
        for browser in &at {
            if !browser.open(&request.url(node)).await.has(&format!("<h1>Answer {number}</h1>")) {
                return false;
            }
        }
        true
    };
    until("the plugin is live on every node", async || shown(100).await).await;
    let mut slowest = std::time::Duration::ZERO;
    for number in 101..105 {
        put(number % 3, number).await;
        slowest =
            slowest.max(until("the new build is live on every node", async || shown(number).await).await);
    }
    println!("a deployed plugin was live on three nodes after at most {} ms", slowest.as_millis());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_client_counts_on_every_node() {
    let cluster = Cluster::of(3);
    let node = &cluster.nodes[0];
    let browser = Browser::new(node);
    let at = everywhere(&browser, &cluster.nodes);
    let metadata = json!({
        "redirect_uris": ["https://rp.example/0"], "token_endpoint_auth_method": "none", "scope": "openid",
    });
    let made = browser.http.post(format!("{}/oauth2/register", node.issuer())).json(&metadata).send().await;
    let made: Value = made.unwrap().json().await.unwrap();
    let (id, uri) = (text(&made, "client_id"), text(&made, "registration_client_uri"));
    let mut token = text(&made, "registration_access_token");
    let url = |redirect: &str| {
        let request = Request::new(node).with("client_id", &id).with("scope", "openid");
        request.with("redirect_uri", redirect).url(node)
    };
    let mut slowest = std::time::Duration::ZERO;
    for version in 1..7_usize {
        let (old, new) =
            (format!("https://rp.example/{}", version - 1), format!("https://rp.example/{version}"));
        // Every node has just used what changes now.
        for browser in &at {
            assert_eq!(browser.get(&url(&old)).await.status, 303);
        }
        let mut change = metadata.clone();
        change["client_id"] = id.clone().into();
        change["redirect_uris"] = json!([&new]);
        let put = at[version % 3].http.put(&uri).bearer_auth(&token).json(&change).send().await.unwrap();
        assert_eq!(put.status(), 200, "{}", put.text().await.unwrap());
        let answer: Value = put.json().await.unwrap();
        if let Some(next) = answer["registration_access_token"].as_str() {
            next.clone_into(&mut token);
        }
        let took = until("the change counts on every node", async || {
            for browser in &at {
                if browser.get(&url(&new)).await.status != 303 || browser.get(&url(&old)).await.status != 400
                {
                    return false;
                }
            }
            true
        })
        .await;
        slowest = slowest.max(took);
    }
    println!("a changed client counted on three nodes after at most {} ms", slowest.as_millis());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_revokes_is_dead_on_all() {
    let cluster = Cluster::of(3);
    let node = &cluster.nodes[0];
    let browser = Browser::new(node);
    let at = everywhere(&browser, &cluster.nodes);
    let request = Request::new(node);
    browser.code(node, &request, "alice").await;
    for by in &at {
        let code = browser.open(&request.url(node)).await.parameter("code").unwrap();
        let (_, tokens) = browser.redeem(node, &request, &code).await;
        let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
        for browser in &at {
            assert_eq!(browser.userinfo(node, &access).await.0, 200);
        }
        let revoking = by.http.post(format!("{}/oauth2/revoke", node.issuer()));
        let revoked = revoking.form(&[("client_id", "demo-rp"), ("token", &refresh)]).send().await.unwrap();
        assert_eq!(revoked.status(), 200);
        for browser in &at {
            assert_eq!(browser.userinfo(node, &access).await.0, 401);
            let (status, told) = browser.as_service(node, "/oauth2/introspect", &[("token", &access)]).await;
            assert_eq!((status, &told["active"]), (200, &false.into()));
            assert_eq!(browser.refresh(node, &refresh, "").await.0, 400);
        }
    }
}

async fn key_ids(browser: &Browser, issuer: &str) -> Vec<String> {
    let keys: Value =
        browser.http.get(format!("{issuer}/oauth2/jwks")).send().await.unwrap().json().await.unwrap();
    let mut ids: Vec<_> = keys["keys"].as_array().unwrap().iter().map(|key| text(key, "kid")).collect();
    ids.sort();
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_one_node_rotates_and_revokes_are_everybodys() {
    let cluster = Cluster::with(3, "[lock.oauth]\nkey_publication = 0\n");
    let node = &cluster.nodes[0];
    let token = cluster.admin_token().await;
    let browser = Browser::new(node);
    let at = everywhere(&browser, &cluster.nodes);
    let issuer = node.issuer();
    let first = key_ids(&at[0], &issuer).await;
    for browser in &at {
        assert_eq!(key_ids(browser, &issuer).await, first, "nodes that start together make one set of keys");
    }
    let agree = async || {
        let mut all = Vec::new();
        for browser in &at {
            all.push(key_ids(browser, &issuer).await);
        }
        all.iter().all(|ids| *ids == all[0] && *ids != first)
    };
    let rotated =
        browser.http.post(format!("{}/config/v1/keys/rotate", cluster.nodes[1].admin())).bearer_auth(&token);
    assert_eq!(rotated.send().await.unwrap().status(), 200);
    let took = until("all nodes publish the new keys", agree).await;
    println!("rotated keys were published by three nodes after {} ms", took.as_millis());

    let tokens = browser.tokens(node, &Request::new(node), "alice").await;
    for browser in &at {
        assert_eq!(browser.userinfo(node, &text(&tokens, "access_token")).await.0, 200);
    }
    let compromised = first[0].clone();
    let gone = format!("{}/config/v1/keys/{compromised}", cluster.nodes[2].admin());
    assert_eq!(browser.http.delete(gone).bearer_auth(&token).send().await.unwrap().status(), 200);
    let took = until("no node publishes the revoked key", async || {
        for browser in &at {
            if key_ids(browser, &issuer).await.contains(&compromised) {
                return false;
            }
        }
        true
    })
    .await;
    println!("a revoked key was gone from three nodes after {} ms", took.as_millis());
}
