//! A login does not rest on Redis.

use agamid_store::testing::private_redis::PASSWORD;
use agamid_store::testing::{PrivatePostgres, PrivateRedis};

use crate::support::browser::{Browser, Request, Shown};
use crate::support::server::{Server, free_ports};

/// The form, in a browser that alice has never used: only such are counted by address.
async fn begin(server: &Server) -> (Browser, Shown) {
    let browser = Browser::new(server);
    let page = browser.open(&Request::new(server).with("prompt", "login").url(server)).await;
    (browser, page)
}

/// From the form to the code, with a wrong password first: what is counted is counted in Redis, where there is one.
async fn finish((browser, page): (Browser, Shown)) {
    let wrong = browser.submit(&page.form().with("login", "alice").with("password", "wrong")).await;
    assert!(wrong.has("Username or password is wrong."), "{}", wrong.body);
    let right = wrong.form().with("login", "alice").with("password", "demo-alice-123");
    let end = browser.submit(&right).await;
    assert!(end.parameter("code").is_some(), "{}", end.body);
}

fn times(server: &Server, event: &str) -> usize {
    server.log_text().matches(event).count()
}

async fn until(what: impl Fn() -> bool) {
    for _ in 0..600 {
        if what() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("it does not come");
}

#[tokio::test]
async fn a_login_goes_on_when_redis_hangs_or_dies_in_the_middle() {
    let (postgres, mut redis) = (PrivatePostgres::start(false).unwrap(), PrivateRedis::start().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("redis.password");
    std::fs::write(&password, PASSWORD).unwrap();
    let settings = [
        ("AGAMID_LOG__LEVEL", "info".to_owned()),
        ("AGAMID_STORE__URL", postgres.database().unwrap()),
        ("AGAMID_STORE__REDIS_URL", redis.url()),
        ("AGAMID_STORE__REDIS_PASSWORD_FILE", password.display().to_string()),
    ];
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let server = Server::demo_with(folder.path(), free_ports(), &settings);
    Browser::new(&server).sign_in(&server, &Request::new(&server), "alice").await;
    let before = begin(&server).await;
    assert_eq!((times(&server, "redis.found"), times(&server, "redis.lost")), (1, 0));

    redis.signal("STOP").unwrap();
    finish(before).await;
    let between = begin(&server).await;
    redis.signal("CONT").unwrap();
    finish(between).await;
    until(|| times(&server, "redis.found") == times(&server, "redis.lost") + 1).await;

    let before = begin(&server).await;
    let lost = times(&server, "redis.lost");
    redis.kill().unwrap();
    finish(before).await;
    finish(begin(&server).await).await;
    assert_eq!(times(&server, "redis.lost"), lost + 1, "said once");
    redis.start_again().unwrap();
    until(|| times(&server, "redis.found") == lost + 2).await;
    finish(begin(&server).await).await;
}
