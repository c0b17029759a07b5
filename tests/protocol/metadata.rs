//! `/.well-known/openid-configuration`, `/oauth2/jwks`.

use crate::support::browser::Browser;
use crate::support::server::Server;

#[tokio::test]
async fn both_well_known_paths_serve_one_document_and_every_endpoint_it_names_exists() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let oidc = browser.get(&format!("{}/.well-known/openid-configuration", server.issuer())).await;
    let oauth = browser.get(&format!("{}/.well-known/oauth-authorization-server", server.issuer())).await;
    assert_eq!(oidc.status, 200);
    assert_eq!(oidc.body, oauth.body);
    let metadata: serde_json::Value = serde_json::from_str(&oidc.body).unwrap();
    assert_eq!(metadata["issuer"], server.issuer());
    assert_eq!(metadata["response_types_supported"], serde_json::json!(["code"]));
    assert_eq!(metadata["code_challenge_methods_supported"], serde_json::json!(["S256"]));
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
    let mut endpoints = 0;
    for (name, value) in metadata.as_object().unwrap() {
        if name.ends_with("_endpoint") || name == "jwks_uri" {
            let shown = browser.get(value.as_str().unwrap()).await;
            assert_ne!(shown.status, 404, "{name} is {value}");
            endpoints += 1;
        }
    }
    assert!(endpoints >= 4);
}

#[tokio::test]
async fn the_key_set_holds_public_keys_only() {
    let server = Server::demo();
    let keys = Browser::new(&server).get(&format!("{}/oauth2/jwks", server.issuer())).await;
    let keys: serde_json::Value = serde_json::from_str(&keys.body).unwrap();
    let keys = keys["keys"].as_array().unwrap();
    let algorithms: Vec<&str> = keys.iter().map(|key| key["alg"].as_str().unwrap()).collect();
    assert!(algorithms.contains(&"RS256") && algorithms.contains(&"ES256"), "{algorithms:?}");
    for key in keys {
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert!(key.get(private).is_none(), "{private} is published");
        }
    }
}
