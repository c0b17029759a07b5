use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// Answers each name's lookups from a list, the last one for ever.
struct Scripted(Vec<Vec<&'static str>>, AtomicUsize);

impl Scripted {
    fn new(answers: &[&[&'static str]]) -> Arc<Self> {
        Arc::new(Self(answers.iter().map(|answer| answer.to_vec()).collect(), AtomicUsize::new(0)))
    }
}

impl Resolver for Scripted {
    fn resolve(&self, _: String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
        let at = self.1.fetch_add(1, Ordering::SeqCst).min(self.0.len() - 1);
        let found = self.0[at].iter().map(|text| text.parse().unwrap()).collect();
        Box::pin(async { Ok(found) })
    }
}

fn guard(allow: &[&str], resolver: Arc<dyn Resolver>) -> GuardedHttp {
    let allow = allow.iter().map(|network| network.parse().unwrap()).collect();
    GuardedHttp::new(OutgoingSettings { allow, timeout: 1, max_bytes: 100 }, resolver).unwrap()
}

/// A server that gives every connection the same bytes; answers its port and how many came.
async fn server(answer: &'static [u8]) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let came = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&came);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 1024]).await;
                let _ = stream.write_all(answer).await;
                if answer.is_empty() {
                    tokio::time::sleep(Duration::from_secs(30)).await;
                }
            });
        }
    });
    (port, came)
}

async fn refused(guard: &GuardedHttp, url: &str) -> FetchError {
    let refused = guard.get(url, "application/json").await.unwrap_err();
    assert_eq!(refused.to_string(), "it could not be fetched", "outsiders learn no reason");
    refused
}

#[tokio::test]
async fn addresses_of_the_servers_own_network_are_refused_before_anything_is_sent() {
    crate::jose::install_crypto_provider();
    let (port, came) = server(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let guard = guard(&[], Arc::new(SystemResolver));
    for host in [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "017700000001",
        "127.1",
        "0.0.0.0",
        "0",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::]",
        "10.0.0.1",
        "169.254.169.254",
        "[fd00::1]",
        "[fe80::1]",
        "[64:ff9b::7f00:1]",
    ] {
        for scheme in ["https", "http"] {
            refused(&guard, &format!("{scheme}://{host}:{port}/jwks")).await;
        }
    }
    for url in ["ftp://example.com/", "file:///etc/passwd", "https://", "/jwks", "https://user@example.com/"]
    {
        refused(&guard, url).await;
    }
    assert_eq!(came.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_name_is_judged_by_all_its_addresses_and_each_time_anew() {
    let (port, came) = server(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
    let url = format!("http://rebind.example:{port}/");
    let mixed = guard(&["127.0.0.1/32"], Scripted::new(&[&["127.0.0.1", "169.254.169.254"]]));
    assert!(refused(&mixed, &url).await.reason.contains("169.254.169.254"));
    let private = guard(&[], Scripted::new(&[&["127.0.0.1"]]));
    refused(&private, &url).await;
    refused(&private, &format!("https://rebind.example:{port}/")).await;
    assert_eq!(came.load(Ordering::SeqCst), 0);
    let rebinding = guard(&["127.0.0.1/32"], Scripted::new(&[&["127.0.0.1"], &["10.0.0.1"]]));
    assert_eq!(rebinding.get(&url, "application/json").await.unwrap().body, b"{}");
    let again = url.replace("rebind", "other");
    assert!(refused(&rebinding, &again).await.reason.contains("10.0.0.1"));
}

#[tokio::test]
async fn redirects_large_answers_and_slow_ones_are_refused() {
    let guard = guard(&["127.0.0.0/8"], Arc::new(SystemResolver));
    let redirect = b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n";
    let (port, _) = server(redirect).await;
    assert!(refused(&guard, &format!("http://127.0.0.1:{port}/")).await.reason.contains("redirects"));
    let large = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n0123456789012345678901234567890123456789\
        01234567890123456789012345678901234567890123456789012345678901234567890123456789";
    let (port, _) = server(large).await;
    assert!(refused(&guard, &format!("http://127.0.0.1:{port}/")).await.reason.contains("100 bytes"));
    let (port, _) = server(b"").await;
    refused(&guard, &format!("http://127.0.0.1:{port}/")).await;
}
