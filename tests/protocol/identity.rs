//! Users, groups, attributes and organisations over the admin API and the command line, and the claims they become.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::browser::{Browser, Request, claims_of, text};
use crate::support::server::{Server, binary, root};

/// Calls the admin API with the demo's token; answers status and document.
async fn call(server: &Server, method: Method, path: &str, document: Option<Value>) -> (u16, Value) {
    let browser = Browser::new(server);
    let mut request = browser.http.request(method, format!("{}/config/v1{path}", server.admin()));
    if let Some(document) = document {
        request = request.json(&document);
    }
    let answer = request.bearer_auth(server.admin_token()).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
}

async fn get(server: &Server, path: &str) -> (u16, Value) {
    call(server, Method::GET, path, None).await
}

async fn post(server: &Server, path: &str, document: Value) -> (u16, Value) {
    call(server, Method::POST, path, Some(document)).await
}

async fn patch(server: &Server, path: &str, document: Value) -> (u16, Value) {
    call(server, Method::PATCH, path, Some(document)).await
}

async fn id_of(server: &Server, username: &str) -> String {
    let (status, found) = get(server, &format!("/users?attribute=username&equals={username}")).await;
    assert_eq!(status, 200, "{found}");
    text(&found["users"][0], "id")
}

#[tokio::test]
async fn claims_of_every_scope_and_of_attributes_made_at_run_time_reach_the_application() {
    let server = Server::demo();
    let alice = id_of(&server, "alice").await;
    let badge = json!({ "name": "badge", "type": "text", "claim": "badge", "scopes": ["profile"] });
    assert_eq!(post(&server, "/attributes", badge).await.0, 201);
    let secret = json!({ "name": "wage", "type": "integer", "claim": "wage", "scopes": ["profile"],
        "clients": ["payroll"] });
    assert_eq!(post(&server, "/attributes", secret).await.0, 201);
    let (status, group) = post(
        &server,
        "/groups",
        json!({ "display_name": "Engineers", "add": [{ "kind": "person", "id": alice }] }),
    )
    .await;
    assert_eq!(status, 201, "{group}");
    let outer = json!({ "display_name": "Staff", "add": [{ "kind": "group", "id": group["id"] }] });
    assert_eq!(post(&server, "/groups", outer).await.0, 201);
    let attributes = json!({ "badge": "B7", "wage": 5, "nickname": "Al", "birthdate": "0000-05-04",
        "phones": [{ "value": "+41 44 123 45 67", "verified": true }],
        "addresses": [{ "street_address": "Road 1", "locality": "Zurich", "type": "home" }] });
    let (status, changed) =
        patch(&server, &format!("/users/{alice}"), json!({ "attributes": attributes })).await;
    assert_eq!(status, 200, "{changed}");

    let browser = Browser::new(&server);
    let asked = r#"{"id_token": {"address": null, "groups": null, "badge": null, "wage": null}}"#;
    let request = Request::new(&server)
        .with("scope", "openid profile email phone address groups")
        .with("claims", asked);
    let tokens = browser.tokens(&server, &request, "alice").await;
    let id = claims_of(&text(&tokens, "id_token"));
    let (_, userinfo) = browser.userinfo(&server, &text(&tokens, "access_token")).await;
    let userinfo: Value = serde_json::from_str(&userinfo).unwrap();
    for claims in [&id, &userinfo] {
        assert_eq!(claims["address"], json!({ "street_address": "Road 1", "locality": "Zurich" }));
        assert_eq!(claims["groups"], json!(["Engineers", "Staff"]));
        assert_eq!(claims["badge"], "B7");
        assert!(claims.get("wage").is_none(), "it is for another client");
    }
    assert_eq!(userinfo["phone_number"], "+41441234567");
    assert_eq!(
        (&userinfo["phone_number_verified"], &userinfo["email_verified"]),
        (&json!(true), &json!(true))
    );
    assert_eq!((&userinfo["nickname"], &userinfo["birthdate"]), (&json!("Al"), &json!("0000-05-04")));
    assert!(id.get("nickname").is_none(), "scopes give claims at userinfo");

    let metadata = browser.get(&format!("{}/.well-known/openid-configuration", server.issuer())).await;
    let metadata: Value = serde_json::from_str(&metadata.body).unwrap();
    let has = |member: &str, value: &str| metadata[member].as_array().unwrap().contains(&json!(value));
    assert!(
        ["address", "badge", "groups", "phone_number_verified", "zoneinfo"]
            .map(|c| has("claims_supported", c))
            .iter()
            .all(|has| *has)
    );
    assert!(has("scopes_supported", "address") && has("scopes_supported", "groups"));

    let narrow = Request::new(&server).with("scope", "openid email");
    let other = Browser::new(&server).tokens(&server, &narrow, "alice").await;
    let (_, userinfo) = browser.userinfo(&server, &text(&other, "access_token")).await;
    for withheld in ["badge", "address", "groups", "phone_number", "nickname"] {
        assert!(!userinfo.contains(withheld), "{withheld} without its scope: {userinfo}");
    }
}

#[tokio::test]
async fn users_are_made_listed_changed_and_deleted_and_errors_name_the_field() {
    let server = Server::demo();
    let carol = json!({ "username": "carol", "attributes": { "family_name": "Meier",
        "emails": [{ "value": "carol@example.org" }] } });
    let (status, made) = post(&server, "/users", carol.clone()).await;
    assert_eq!((status, &made["version"]), (201, &json!(1)), "{made}");
    let path = format!("/users/{}", text(&made, "id"));
    let cases = [
        (carol, 409, "taken", "username"),
        (
            json!({ "username": "dan", "attributes": { "emails": [{ "value": "x" }] } }),
            400,
            "invalid_value",
            "emails[0].value",
        ),
        (json!({ "username": "dan", "attributes": { "planet": 1 } }), 400, "invalid_value", "planet"),
        (json!({ "username": "dan", "attributes": { "groups": ["x"] } }), 400, "invalid_value", "groups"),
        (json!({ "username": "dan", "attributes": { "name": "a\u{0}" } }), 400, "invalid_value", "name"),
        (json!({ "username": "dan", "colour": 1 }), 400, "invalid_value", "colour"),
        (
            json!({ "username": "dan", "status": { "state": "deleting" } }),
            400,
            "invalid_value",
            "status.state",
        ),
        (json!({}), 400, "invalid_value", "username"),
    ];
    for (document, status, code, field) in cases {
        let (found, problem) = post(&server, "/users", document.clone()).await;
        let told = (found, text(&problem, "code"), problem["field"].as_str().unwrap_or_default().to_owned());
        assert_eq!(told, (status, code.to_owned(), field.to_owned()), "{document}: {problem}");
    }
    let (status, stale) = patch(&server, &path, json!({ "version": 7, "attributes": {} })).await;
    assert_eq!((status, text(&stale, "code").as_str()), (409, "changed"));
    let until =
        json!({ "status": { "state": "disabled", "reason": "left", "until": "2099-01-01T00:00:00Z" } });
    let (_, changed) = patch(&server, &path, until).await;
    assert_eq!(changed["status"]["until"], "2099-01-01T00:00:00.000Z", "{changed}");
    assert_eq!((&changed["attributes"]["family_name"], &changed["version"]), (&json!("Meier"), &json!(2)));

    let (_, page) = get(&server, "/users?limit=2").await;
    let (_, rest) = get(&server, &format!("/users?limit=200&after={}", text(&page, "next"))).await;
    let names = |page: &Value| {
        page["users"].as_array().unwrap().iter().map(|u| text(u, "username")).collect::<Vec<_>>()
    };
    assert_eq!([names(&page), names(&rest)].concat(), ["admin", "alice", "bob", "carol"]);
    let (_, found) = get(&server, "/users?attribute=family_name&starts_with=ME").await;
    assert_eq!(names(&found), ["carol"]);
    for bad in [
        "/users?limit=0",
        "/users?limit=x",
        "/users?attribute=nickname&equals=a",
        "/users?equals=a",
        "/users?x=1",
    ] {
        assert_eq!(get(&server, bad).await.0, 400, "{bad}");
    }
    assert_eq!(call(&server, Method::DELETE, &path, None).await.0, 204);
    for unknown in
        [&path, "/users/nobody", "/groups/x", "/organisations/x", "/attributes/x", "/groups/x/members"]
    {
        assert_eq!(get(&server, unknown).await.0, 404, "{unknown}");
    }
}

#[tokio::test]
async fn who_writes_users_does_not_write_administrators_and_no_scope_is_worth_another() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let token = async |scope: &str| {
        let fields = [("grant_type", "client_credentials"), ("scope", scope)];
        let (status, tokens) = browser.as_service(&server, "/oauth2/token", &fields).await;
        assert_eq!(status, 200, "{tokens}");
        text(&tokens, "access_token")
    };
    let send = async |method: Method, path: &str, token: &str, document: Value| {
        let request = browser.http.request(method, format!("{}/config/v1{path}", server.admin()));
        request.bearer_auth(token).json(&document).send().await.unwrap().status().as_u16()
    };
    let (admin, alice) = (id_of(&server, "admin").await, id_of(&server, "alice").await);
    let writes = token("config.users.write").await;
    let mail = json!({ "attributes": { "emails": [{ "value": "mine@example.org" }] } });
    assert_eq!(send(Method::PATCH, &format!("/users/{alice}"), &writes, mail.clone()).await, 200);
    assert_eq!(send(Method::PATCH, &format!("/users/{admin}"), &writes, mail.clone()).await, 403);
    assert_eq!(
        send(Method::PATCH, &format!("/users/{alice}"), &writes, json!({ "administrator": true })).await,
        403
    );
    assert_eq!(
        send(Method::POST, "/users", &writes, json!({ "username": "x", "administrator": true })).await,
        403
    );
    assert_eq!(send(Method::DELETE, &format!("/users/{admin}"), &writes, json!({})).await, 403);
    assert_eq!(
        send(
            Method::PUT,
            &format!("/users/{admin}/password"),
            &writes,
            json!({ "password": "a long new one" })
        )
        .await,
        403
    );
    let both = token("config.users.write config.administrators.write").await;
    assert_eq!(send(Method::PATCH, &format!("/users/{admin}"), &both, mail).await, 200);
    let reads =
        token("config.users.read config.groups.read config.attributes.read config.organisations.read").await;
    for path in ["/users", "/groups", "/attributes", "/organisations"] {
        assert_eq!(send(Method::GET, path, &reads, json!({})).await, 200, "{path}");
        assert_eq!(send(Method::POST, path, &reads, json!({})).await, 403, "{path}");
        assert_eq!(send(Method::GET, path, &writes, json!({})).await, 403, "{path}");
        assert_eq!(send(Method::GET, path, "agat_x", json!({})).await, 401, "{path}");
    }
}

#[tokio::test]
async fn somebody_who_is_disabled_or_deleted_holds_nothing_from_that_moment() {
    let server = Server::demo();
    let browser = Browser::new(&server);
    let bob = format!("/users/{}", id_of(&server, "bob").await);
    let tokens = browser.tokens(&server, &Request::new(&server), "bob").await;
    let access = text(&tokens, "access_token");
    assert_eq!(browser.userinfo(&server, &access).await.0, 200);
    assert_eq!(patch(&server, &bob, json!({ "status": { "state": "pending" } })).await.0, 200);
    assert_eq!(browser.userinfo(&server, &access).await.0, 401);
    assert_eq!(patch(&server, &bob, json!({ "status": { "state": "active" } })).await.0, 200);
    assert_eq!(browser.userinfo(&server, &access).await.0, 200);
    assert_eq!(call(&server, Method::DELETE, &bob, None).await.0, 204);
    assert_eq!(browser.userinfo(&server, &access).await.0, 401);
    assert_eq!(get(&server, &bob).await.0, 404);
}

#[test]
fn the_command_line_does_the_same_with_users_groups_attributes_and_organisations() {
    let server = Server::demo();
    let run = |arguments: &[&str]| -> Value {
        let output = std::process::Command::new(binary())
            .current_dir(root())
            .env("AGAMID_TOKEN", server.admin_token())
            .args(arguments)
            .args(["--json", "--server", &server.admin()])
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    };
    run(&["attribute", "create", "badge", "type=text", "unique=true"]);
    assert_eq!(run(&["attribute", "set", "badge", "searchable=true"])["searchable"], true);
    let carol = run(&["user", "create", "carol", "given_name=Carol", "badge=B7", "administrator=true"]);
    assert_eq!((&carol["attributes"]["badge"], &carol["administrator"]), (&json!("B7"), &json!(true)));
    let id = text(&carol, "id");
    let found = run(&["user", "list", "attribute=badge", "equals=b7"]);
    assert_eq!(found["users"][0]["id"], id.as_str());
    let group = run(&["group", "create", "Staff", &format!("add=[{{\"kind\":\"person\",\"id\":\"{id}\"}}]")]);
    assert_eq!(run(&["user", "show", &id])["groups"][0]["display_name"], "Staff");
    let renamed = run(&["group", "set", &text(&group, "id"), "display_name=Everybody"]);
    assert_eq!(renamed["display_name"], "Everybody");
    assert!(run(&["user", "set", &id, "badge="])["attributes"].get("badge").is_none());
    let acme = run(&["org", "create", "Acme", "domain=acme.example"]);
    assert_eq!(run(&["org", "list"])["organisations"].as_array().unwrap().len(), 2);
    for (what, id) in [
        ("org", text(&acme, "id")),
        ("user", id),
        ("group", text(&group, "id")),
        ("attribute", "badge".to_owned()),
    ] {
        assert_eq!(run(&[what, "delete", &id]), Value::Null);
    }
}
