//! Redis: what it helps with, and that nothing rests on it.

use std::sync::Arc;
use std::time::Duration;

use agamid_core::Env;
use agamid_core::seal::{EnvelopeKey, Sealer};
use agamid_core::secret::Secret;
use agamid_core::time::ManualClock;
use agamid_store::testing::PrivateRedis;
use agamid_store::testing::private_redis::PASSWORD;
use agamid_store::{Batch, Expect, Redis, RedisOptions, Store, StoreError, StoreOptions};

use crate::bench::{NOW, POSTGRES, env_at, options};
use crate::cache::Shop;

const WINDOW: Duration = Duration::from_secs(60);

/// What a test waits for, at most, before it says that it does not come.
const PATIENCE: Duration = Duration::from_secs(30);

fn sealer() -> Sealer {
    let env = Env::system();
    Sealer::new(EnvelopeKey::generate(&env), env)
}

async fn open(server: &PrivateRedis, sealer: &Sealer) -> Redis {
    open_with(&server.url(), PASSWORD, sealer).await
}

async fn open_with(url: &str, password: &str, sealer: &Sealer) -> Redis {
    let (url, password, sealer) = (url.to_owned(), Some(Secret::new(password)), sealer.clone());
    Redis::open(RedisOptions { url, password, certificates: None, sealer }, Env::system()).await.unwrap()
}

/// Waits for Redis to be used, or not.
async fn until(redis: &Redis, answers: bool) {
    let waiting = async {
        while redis.answers() != answers {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap();
}

/// Nodes on one database and one Redis. Their clocks stand still, so nothing grows old in their own memory; Redis has the
/// real time.
struct Nodes {
    redis: PrivateRedis,
    sealer: Sealer,
    database: String,
    clock: Arc<ManualClock>,
}

impl Nodes {
    async fn new() -> Self {
        let database = tokio::task::spawn_blocking(|| POSTGRES.database().unwrap()).await.unwrap();
        let redis = PrivateRedis::start().unwrap();
        Self { redis, sealer: sealer(), database, clock: Arc::new(ManualClock::new(NOW)) }
    }

    async fn node(&self) -> (Store, Redis) {
        let (url, password) = (self.redis.url(), Some(Secret::new(PASSWORD)));
        let options_of_redis =
            RedisOptions { url, password, certificates: None, sealer: self.sealer.clone() };
        let redis = Redis::open(options_of_redis, env_at(&self.clock)).await.unwrap();
        let options = StoreOptions { redis: Some(redis.clone()), ..options(&self.database) };
        (Store::open(options, env_at(&self.clock)).await.unwrap(), redis)
    }

    /// Changes the record in the database without anybody being told.
    async fn change_unseen(&self, name: &str) {
        let database = self.database.rsplit('/').next().unwrap().to_owned();
        let sql = format!("UPDATE r_shop SET document = '{{\"id\":\"a\",\"name\":\"{name}\"}}'");
        tokio::task::spawn_blocking(move || POSTGRES.sql(&database, &sql).unwrap()).await.unwrap();
    }

    /// Makes what changed no news any more. What the nodes read meanwhile is as old for them.
    fn pass(&self) {
        self.clock.advance(Duration::from_secs(1));
    }
}

async fn put(store: &Store, name: &str) {
    store.commit(Batch::new().put(&Shop::named(name), Expect::Any)).await.unwrap();
}

async fn read(store: &Store) -> Option<String> {
    store.cached::<Shop>("a").await.unwrap().map(|found| found.record.name().to_owned())
}

#[tokio::test]
async fn what_one_node_has_read_another_finds_in_redis() {
    let nodes = Nodes::new().await;
    let ((one, _), (two, _)) = (nodes.node().await, nodes.node().await);
    put(&one, "old").await;
    nodes.pass();
    assert_eq!(read(&one).await.as_deref(), Some("old"));
    nodes.change_unseen("new").await;
    assert_eq!(read(&two).await.as_deref(), Some("old"), "from Redis, not from the database");
}

#[tokio::test]
async fn a_commit_takes_the_record_out_and_its_own_node_never_sees_the_one_before() {
    let nodes = Nodes::new().await;
    let ((one, _), (two, _)) = (nodes.node().await, nodes.node().await);
    put(&one, "0").await;
    for n in 1..50 {
        nodes.pass();
        read(&two).await.unwrap();
        let name = n.to_string();
        put(&one, &name).await;
        assert_eq!(read(&one).await, Some(name));
    }
    assert_eq!(nodes.redis.command(&["--scan", "--pattern", "agamid:record:*"]).unwrap(), "");
}

/// A record that lies in Redis although it was changed: its removal was lost.
#[tokio::test]
async fn who_was_told_of_a_change_is_not_given_the_one_before_by_redis() {
    let nodes = Nodes::new().await;
    let ((one, _), (two, _)) = (nodes.node().await, nodes.node().await);
    put(&one, "old").await;
    nodes.pass();
    read(&two).await.unwrap();
    let name = nodes.redis.command(&["--scan", "--pattern", "agamid:record:*"]).unwrap();
    nodes.redis.command(&["COPY", &name, "kept"]).unwrap();
    let mut changes = two.changes();
    put(&one, "new").await;
    nodes.redis.command(&["COPY", "kept", &name]).unwrap();
    let change = tokio::time::timeout(PATIENCE, changes.next()).await.unwrap().unwrap();
    assert!(change.concerns::<Shop>());
    assert_eq!(read(&one).await.as_deref(), Some("new"));
    assert_eq!(read(&two).await.as_deref(), Some("new"));
}

/// However it came to lie there: a second after it was read from the database it is of no use to anybody.
#[tokio::test]
async fn a_record_in_redis_is_never_older_than_a_second() {
    let nodes = Nodes::new().await;
    let (one, _) = nodes.node().await;
    put(&one, "old").await;
    nodes.pass();
    read(&one).await.unwrap();
    let name = nodes.redis.command(&["--scan", "--pattern", "agamid:record:*"]).unwrap();
    nodes.redis.command(&["PERSIST", &name]).unwrap();
    nodes.change_unseen("new").await;
    let (two, _) = nodes.node().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(read(&two).await.as_deref(), Some("new"));
}

/// The age in Redis counts: a node does not keep what it finds there for another second.
#[tokio::test]
async fn what_comes_from_redis_brings_its_age_along() {
    let nodes = Nodes::new().await;
    let ((one, _), (two, _)) = (nodes.node().await, nodes.node().await);
    put(&one, "old").await;
    nodes.pass();
    read(&one).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(read(&two).await.as_deref(), Some("old"));
    nodes.change_unseen("new").await;
    nodes.redis.command(&["FLUSHALL"]).unwrap();
    nodes.clock.advance(Duration::from_millis(900));
    assert_eq!(read(&two).await.as_deref(), Some("new"), "100 ms in Redis, 900 in memory");
}

#[tokio::test]
async fn what_lies_in_redis_can_neither_be_read_nor_forged_nor_moved() {
    let nodes = Nodes::new().await;
    let ((one, _), (two, _)) = (nodes.node().await, nodes.node().await);
    put(&one, "very-secret").await;
    nodes.pass();
    read(&one).await.unwrap();
    let name = nodes.redis.command(&["--scan", "--pattern", "agamid:record:*"]).unwrap();
    let value = nodes.redis.command(&["GET", &name]).unwrap();
    assert!(!value.contains("very-secret") && !value.contains("shop") && !name.contains("shop"), "{value}");
    nodes.change_unseen("new").await;
    nodes.redis.command(&["SETRANGE", &name, "60", "x"]).unwrap();
    assert_eq!(read(&two).await.as_deref(), Some("new"), "an altered value is no value");

    let stranger = Nodes { sealer: sealer(), ..nodes };
    let (three, _) = stranger.node().await;
    stranger.change_unseen("newer").await;
    assert_eq!(read(&three).await.as_deref(), Some("newer"), "nor is one under another key");
}

#[tokio::test]
async fn a_dead_server_is_done_without_and_used_again_when_it_is_back() {
    let mut nodes = Nodes::new().await;
    let (store, redis) = nodes.node().await;
    put(&store, "one").await;
    assert_eq!(redis.count_up("a", WINDOW).await, Some(1));
    nodes.redis.kill().unwrap();
    for n in 0..20 {
        put(&store, &n.to_string()).await;
        nodes.pass();
        assert_eq!(read(&store).await, Some(n.to_string()));
        redis.count_up("a", WINDOW).await;
    }
    assert!(!redis.answers());
    assert_eq!(redis.count_up("a", WINDOW).await, None);
    nodes.redis.start_again().unwrap();
    until(&redis, true).await;
    assert_eq!(redis.count_up("a", WINDOW).await, Some(1), "counters may be lost");
}

#[tokio::test]
async fn a_server_that_hangs_costs_a_moment_once_and_is_used_again_when_it_goes_on() {
    let nodes = Nodes::new().await;
    let (store, redis) = nodes.node().await;
    put(&store, "one").await;
    nodes.redis.signal("STOP").unwrap();
    for n in 0..20 {
        put(&store, &n.to_string()).await;
        nodes.pass();
        assert_eq!(read(&store).await, Some(n.to_string()));
    }
    assert!(!redis.answers());
    nodes.redis.signal("CONT").unwrap();
    until(&redis, true).await;
    nodes.pass();
    assert_eq!(read(&store).await.as_deref(), Some("19"), "what it was told late is not believed");
}

#[tokio::test]
async fn a_server_that_is_not_there_at_the_start_is_found_later() {
    let mut server = PrivateRedis::start().unwrap();
    server.kill().unwrap();
    let redis = open(&server, &sealer()).await;
    assert!(!redis.answers());
    assert_eq!(redis.counted("a", WINDOW).await, None);
    server.start_again().unwrap();
    until(&redis, true).await;
}

#[tokio::test]
async fn with_a_wrong_password_or_no_right_to_write_there_is_no_redis() {
    let server = PrivateRedis::start().unwrap();
    assert!(!open_with(&server.url(), "wrong", &sealer()).await.answers());
    server.command(&["ACL", "SETUSER", "reader", "on", ">word", "~*", "+@read"]).unwrap();
    let url = format!("{}?user=reader", server.url());
    assert!(!open_with(&url, "word", &sealer()).await.answers());
    server
        .command(&["ACL", "SETUSER", "reader", "resetkeys", "-@all", "~agamid:*", "+set", "+get", "+del"])
        .unwrap();
    server
        .command(&["ACL", "SETUSER", "reader", "+incr", "+pexpire", "+pttl", "+time", "+multi", "+exec"])
        .unwrap();
    let redis = open_with(&url, "word", &sealer()).await;
    assert_eq!(redis.count_up("a", WINDOW).await, Some(1), "these rights are enough");
}

#[tokio::test]
async fn a_server_that_can_not_write_is_done_without_until_it_can() {
    let server = PrivateRedis::start().unwrap();
    let redis = open(&server, &sealer()).await;
    server.command(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    for _ in 0..5 {
        assert_eq!(redis.count_up("a", WINDOW).await, None);
    }
    assert!(!redis.answers());
    server.command(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();
    until(&redis, true).await;
    assert_eq!(redis.count_up("a", WINDOW).await, Some(1));
}

#[tokio::test]
async fn nodes_count_together_and_forget_a_window_after_the_last_time() {
    let (server, sealer) = (PrivateRedis::start().unwrap(), sealer());
    let nodes = [open(&server, &sealer).await, open(&server, &sealer).await];
    let all = (0..100).map(|n| {
        let node = nodes[n % 2].clone();
        tokio::spawn(async move { node.count_up("a", WINDOW).await.unwrap() })
    });
    let mut seen = Vec::new();
    for one in all.collect::<Vec<_>>() {
        seen.push(one.await.unwrap());
    }
    seen.sort_unstable();
    assert_eq!(seen, (1..=100).collect::<Vec<_>>());
    tokio::time::sleep(Duration::from_millis(50)).await;
    let counted = nodes[0].counted("a", WINDOW).await.unwrap();
    assert_eq!(counted.count, 100);
    assert!(counted.idle >= Duration::from_millis(40), "{counted:?}");
    let short = Duration::from_millis(200);
    nodes[0].count_up("b", short).await.unwrap();
    tokio::time::sleep(short).await;
    assert_eq!(nodes[1].counted("b", short).await.unwrap().count, 0);
    nodes[0].count_up("10.0.0.7", WINDOW).await.unwrap();
    let names = server.command(&["--scan"]).unwrap();
    assert!(names.contains("agamid:count:") && !names.contains("10.0.0.7"), "{names}");
}

/// The server dies and comes back while nodes read and write: nobody sees an error, or what was before an answered commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_under_load_is_seen_by_nobody() {
    let mut nodes = Nodes::new().await;
    let (store, redis) = nodes.node().await;
    put(&store, "0").await;
    let done = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let over = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let readers = (0..4).map(|_| {
        let (store, done, over, clock) = (store.clone(), done.clone(), over.clone(), nodes.clock.clone());
        tokio::spawn(async move {
            while !over.load(std::sync::atomic::Ordering::SeqCst) {
                let least = done.load(std::sync::atomic::Ordering::SeqCst);
                let seen: u32 = read(&store).await.unwrap().parse().unwrap();
                assert!(seen >= least, "{seen} although {least} was answered");
                clock.advance(Duration::from_millis(1));
            }
        })
    });
    let readers: Vec<_> = readers.collect();
    let writer = {
        let (store, done, over) = (store.clone(), done.clone(), over.clone());
        tokio::spawn(async move {
            let mut n = 0;
            while !over.load(std::sync::atomic::Ordering::SeqCst) {
                n += 1;
                put(&store, &n.to_string()).await;
                done.store(n, std::sync::atomic::Ordering::SeqCst);
            }
        })
    };
    for _ in 0..3 {
        nodes.redis.kill().unwrap();
        until(&redis, false).await;
        nodes.redis.start_again().unwrap();
        until(&redis, true).await;
    }
    over.store(true, std::sync::atomic::Ordering::SeqCst);
    writer.await.unwrap();
    for reader in readers {
        reader.await.unwrap();
    }
}

#[tokio::test]
async fn over_tls_the_certificate_is_checked() {
    let made =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server =
        PrivateRedis::start_secure(port, &made.cert.pem(), &made.signing_key.serialize_pem()).unwrap();
    let secure = |certificates: Option<String>| RedisOptions {
        url: format!("rediss://localhost:{port}"),
        password: Some(Secret::new(PASSWORD)),
        certificates: certificates.map(String::into_bytes),
        sealer: sealer(),
    };
    let redis = Redis::open(secure(Some(made.cert.pem())), Env::system()).await.unwrap();
    assert_eq!(redis.count_up("a", WINDOW).await, Some(1));
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    for wrong in [None, Some(other.cert.pem())] {
        assert!(!Redis::open(secure(wrong), Env::system()).await.unwrap().answers());
    }
    let unreadable = Redis::open(secure(Some("no certificate".to_owned())), Env::system()).await;
    assert!(!unreadable.is_ok_and(|redis| redis.answers()));
    drop(server);
}

#[tokio::test]
async fn an_address_that_can_not_be_right_is_refused() {
    let url = "redis://cache.example".to_owned();
    let options = RedisOptions { url, password: None, certificates: None, sealer: sealer() };
    let refused = Redis::open(options, Env::system()).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Open(reason) if reason.contains("rediss://")), "{refused}");
}
