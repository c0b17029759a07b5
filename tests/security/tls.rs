//! The listener's certificate: read again when it changes.

use std::time::Duration;

use crate::support::browser::client;
use crate::support::server::{Server, free_ports, new_certificate};

#[tokio::test]
async fn a_renewed_certificate_is_in_use_without_a_restart_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::secure_on(folder.path(), free_ports(), &[]);
    let url = format!("{}/oauth2/jwks", server.issuer());
    assert_eq!(client(&server).build().unwrap().get(&url).send().await.unwrap().status(), 200);

    std::fs::write(folder.path().join("cert.pem"), "no certificate").unwrap();
    for _ in 0..100 {
        if server.log_text().contains("tls.refused") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(server.log_text().contains("tls.refused"));
    assert_eq!(client(&server).build().unwrap().get(&url).send().await.unwrap().status(), 200, "the old one");

    let renewed = new_certificate(folder.path());
    server.certificate = Some(renewed);
    for _ in 0..100 {
        // Only the new certificate is trusted, so an answer means that it is in use.
        if client(&server).build().unwrap().get(&url).send().await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the renewed certificate was not taken:\n{}", server.log_text());
}

#[tokio::test]
async fn plain_http_gets_no_answer_on_a_tls_port() {
    let server = Server::secure();
    let plain = server.issuer().replace("https", "http");
    assert!(client(&server).build().unwrap().get(plain).send().await.is_err());
}
