//! A login does not rest on Redis.

use agamid_store::testing::private_redis::PASSWORD;
use agamid_store::testing::{PrivatePostgres, PrivateRedis};

use crate::support::browser::{Browser, Request, Shown};
use crate::support::server::{Server, free_ports};

async fn page(server: &Server, browser: &Browser) -> Shown {
    browser.open(&Request::new(server).with("prompt", "login").url(server)).await
}

/// From the form to the code, with a wrong password first: what is counted is counted in Redis, where there is one.
async fn log_in_from(browser: &Browser, page: &Shown) {
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
        ("AGAMID_STORE__URL", postgres.database().unwrap()),
        ("AGAMID_STORE__REDIS_URL", redis.url()),
        ("AGAMID_STORE__REDIS_PASSWORD_FILE", password.display().to_string()),
    ];
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let server = Server::demo_with(folder.path(), free_ports(), &settings);
    let browser = Browser::new(&server);
    browser.sign_in(&server, &Request::new(&server), "alice").await;
    let before = page(&server, &browser).await;
    assert_eq!((times(&server, "redis.found"), times(&server, "redis.lost")), (1, 0));

    redis.signal("STOP").unwrap();
    log_in_from(&browser, &before).await;
    let between = page(&server, &browser).await;
    redis.signal("CONT").unwrap();
    log_in_from(&browser, &between).await;
    until(|| times(&server, "redis.found") == times(&server, "redis.lost") + 1).await;

    let before = page(&server, &browser).await;
    let lost = times(&server, "redis.lost");
    redis.kill().unwrap();
    log_in_from(&browser, &before).await;
    log_in_from(&browser, &page(&server, &browser).await).await;
    assert_eq!(times(&server, "redis.lost"), lost + 1, "said once");
    redis.start_again().unwrap();
    until(|| times(&server, "redis.found") == lost + 2).await;
    log_in_from(&browser, &page(&server, &browser).await).await;
}
