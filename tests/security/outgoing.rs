//! 26: addresses that clients name never make the server ask its own network.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::assertion::Key;
use crate::support::browser::{Browser, claims_of, text};
use crate::support::server::{Server, free_ports};

/// An application's own web server: one document, and how often it was asked.
struct Site {
    port: u16,
    asked: Arc<AtomicUsize>,
}

impl Site {
    async fn new(document: impl Fn(u16) -> String) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (document, asked) = (document(port), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(document.as_bytes()).await;
            }
        });
        Self { port, asked }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/document", self.port)
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn found(document: &Value) -> String {
    let body = document.to_string();
    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

async fn register(server: &Server, browser: &Browser, metadata: &Value) -> (u16, Value) {
    let answer = browser.http.post(format!("{}/oauth2/register", server.issuer())).json(metadata);
    let answer = answer.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn service(more: Value) -> Value {
    let mut metadata = json!({
        "grant_types": ["client_credentials"], "response_types": [],
        "token_endpoint_auth_method": "private_key_jwt",
    });
    metadata.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    metadata
}

async fn by_assertion(server: &Server, browser: &Browser, jwt: &str) -> (u16, Value) {
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", jwt),
    ];
    browser.token(server, &fields).await
}

/// A server whose operator allows the loopback network, as one would an internal one.
fn allowing() -> (tempfile::TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    let allow = [("AGAMID_LOCK__OUTGOING__ALLOW", "[\"127.0.0.0/8\"]")];
    let server = Server::secure_on(folder.path(), free_ports(), &allow);
    (folder, server)
}

#[tokio::test]
async fn private_addresses_are_never_asked_and_all_refusals_sound_alike() {
    let server = Server::secure();
    let browser = Browser::new(&server);
    let site = Site::new(|_| found(&json!(["https://rp.example/cb"]))).await;
    let port = site.port;
    let mut told = Vec::new();
    for uri in [
        site.url(),
        format!("https://127.0.0.1:{port}/"),
        format!("https://localhost:{port}/"),
        format!("https://[::1]:{port}/"),
        format!("https://[::ffff:127.0.0.1]:{port}/"),
        format!("https://2130706433:{port}/"),
        format!("https://0x7f.0.0.1:{port}/"),
        format!("https://0.0.0.0:{port}/"),
        "https://169.254.169.254/latest/meta-data/".to_owned(),
        "https://10.0.0.1/".to_owned(),
        "https://[fd00::1]/".to_owned(),
    ] {
        let metadata = json!({ "redirect_uris": ["https://rp.example/cb"], "sector_identifier_uri": uri });
        let (status, refused) = register(&server, &browser, &metadata).await;
        assert_eq!((status, refused["error"].as_str()), (400, Some("invalid_client_metadata")), "{uri}");
        told.push(text(&refused, "error_description"));
    }
    assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{told:#?}");

    let key = Key::generate();
    let (status, client) = register(&server, &browser, &service(json!({ "jwks_uri": site.url() }))).await;
    assert_eq!(status, 201, "it is fetched when it is needed: {client}");
    let jwt = key.sign(&key.claims(&text(&client, "client_id"), &server.issuer()));
    let (status, refused) = by_assertion(&server, &browser, &jwt).await;
    assert_eq!((status, refused["error"].as_str()), (401, Some("invalid_client")));
    assert_eq!(site.asked(), 0);
}

#[tokio::test]
async fn keys_at_an_address_are_fetched_once_and_redirects_and_other_documents_count_for_nothing() {
    let (_folder, server) = allowing();
    let browser = Browser::new(&server);
    let key = Key::generate();
    let keys = json!({ "keys": [key.jwk()] });
    let site = Site::new(|_| found(&keys)).await;
    let (_, client) = register(&server, &browser, &service(json!({ "jwks_uri": site.url() }))).await;
    let id = text(&client, "client_id");
    for _ in 0..3 {
        let (status, answer) =
            by_assertion(&server, &browser, &key.sign(&key.claims(&id, &server.issuer()))).await;
        assert_eq!(status, 200, "{answer}");
    }
    let stranger = Key::generate();
    for _ in 0..3 {
        let forged = stranger.sign(&stranger.claims(&id, &server.issuer()));
        assert_eq!(by_assertion(&server, &browser, &forged).await.0, 401);
    }
    assert_eq!(site.asked(), 1, "a key id that is not there makes no storm");

    let redirect = Site::new(|_| {
        format!(
            "HTTP/1.1 302 Found\r\nlocation: {}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            site.url()
        )
    })
    .await;
    let huge = Site::new(|_| {
        format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{{\"keys\":[{}", " ".repeat(2 << 20))
    })
    .await;
    let private = Site::new(|_| found(&json!({ "keys": [{ "kty": "oct", "k": "AA" }] }))).await;
    for bad in [&redirect, &huge, &private] {
        let (_, client) = register(&server, &browser, &service(json!({ "jwks_uri": bad.url() }))).await;
        let jwt = key.sign(&key.claims(&text(&client, "client_id"), &server.issuer()));
        let (status, refused) = by_assertion(&server, &browser, &jwt).await;
        assert_eq!(status, 401);
        assert!(text(&refused, "error_description").contains("jwks_uri gave no keys"), "{refused}");
    }
    assert_eq!(site.asked(), 1, "no redirect was followed");
}

#[tokio::test]
async fn a_sector_is_what_its_own_document_says() {
    let (_folder, server) = allowing();
    let browser = Browser::new(&server);
    let own = format!("{}/cb", server.relying_party());
    let uris = json!([own, "https://other.example/cb"]);
    let site = Site::new(|_| found(&uris)).await;
    let metadata = |uris: &Value| {
        json!({
            "redirect_uris": uris, "subject_type": "pairwise", "sector_identifier_uri": site.url(),
            "token_endpoint_auth_method": "none",
        })
    };
    let (status, refused) =
        register(&server, &browser, &metadata(&json!(["https://third.example/cb"]))).await;
    assert_eq!(status, 400, "{refused}");
    assert!(text(&refused, "error_description").contains("third.example"));
    let mut subjects = Vec::new();
    for _ in 0..2 {
        let (status, client) = register(&server, &browser, &metadata(&uris)).await;
        assert_eq!(status, 201, "{client}");
        let id = text(&client, "client_id");
        let request = crate::support::browser::Request::new(&server).with("client_id", &id);
        let code = Browser::new(&server).code(&server, &request, "alice").await;
        let fields = [
            ("grant_type", "authorization_code"),
            ("client_id", &id),
            ("code", &code),
            ("redirect_uri", &own),
            ("code_verifier", &request.verifier),
        ];
        let (_, tokens) = browser.token(&server, &fields).await;
        subjects.push(text(&claims_of(&text(&tokens, "id_token")), "sub"));
    }
    assert_eq!(subjects[0], subjects[1], "clients of one sector share a subject");
}
