//! A database that is stopped, killed, paused, or throws everybody out, under load.

use std::sync::Arc;
use std::time::Duration;

use agamid_store::testing::PrivatePostgres;
use tokio::time::Instant;

use super::GRACE;
use super::load::Load;
use super::plan::plan;
use crate::nodes::until;
use crate::support::browser::Browser;
use crate::support::cluster::{CONNECTIONS, Cluster};

/// How long the database is away.
const AWAY: Duration = Duration::from_secs(2);

struct Site {
    postgres: PrivatePostgres,
    cluster: Cluster,
    load: Arc<Load>,
}

impl Site {
    async fn open() -> Self {
        let postgres = PrivatePostgres::start(true).unwrap();
        let cluster = Cluster::on(postgres.database().unwrap(), 2, GRACE);
        let load = Load::of(&cluster).await;
        Self { postgres, cluster, load }
    }

    async fn ready(&self) -> Vec<u16> {
        let mut found = Vec::new();
        for node in &self.cluster.nodes {
            let browser = Browser::new(node);
            found.push(browser.get(&format!("{}/health/ready", node.admin())).await.status);
        }
        found
    }

    fn connections(&self) -> usize {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'test0' AND pid <> pg_backend_pid()";
        self.postgres.sql("postgres", sql).unwrap().parse().unwrap()
    }

    /// Writes, breaks the database, mends it, and waits until every node serves again; then the journal is compared.
    async fn suffer(
        &mut self,
        breaks: impl Fn(&mut PrivatePostgres),
        mends: impl Fn(&mut PrivatePostgres),
        is_away: bool,
    ) {
        let load = Arc::clone(&self.load);
        load.during(plan().writers, async {
            tokio::time::sleep(Duration::from_millis(700)).await;
            let before = load.figures(|figures| figures.refused);
            tokio::task::block_in_place(|| breaks(&mut self.postgres));
            if is_away {
                until("the nodes say that they are not ready", async || self.ready().await == [503, 503])
                    .await;
                until("requests are refused", async || load.figures(|figures| figures.refused) > before)
                    .await;
                tokio::time::sleep(AWAY).await;
            }
            tokio::task::block_in_place(|| mends(&mut self.postgres));
            let begun = Instant::now();
            for node in 0..self.cluster.nodes.len() {
                until("the node serves again", async || load.serves(node).await).await;
            }
            until("the nodes say that they are ready", async || self.ready().await == [200, 200]).await;
            load.figures(|figures| figures.recoveries.push(begun.elapsed()));
            tokio::time::sleep(Duration::from_millis(500)).await;
        })
        .await;
        load.check(40).await;
    }

    /// What it came to: no request without an answer, and no more connections than the nodes may have.
    fn end(self, experiment: &str) {
        assert_eq!(self.load.figures(|figures| figures.unanswered), 0, "{experiment}");
        // A pool, and a connection that listens, for each node.
        let most = self.cluster.nodes.len() * (CONNECTIONS + 1);
        let found = self.connections();
        assert!(found <= most, "{experiment}: {found} connections, at most {most} are meant");
        self.load.settle(&format!("{experiment}, 2 nodes, {found} connections after"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_stopped_and_started_again_loses_nothing() {
    let mut site = Site::open().await;
    for _ in 0..plan().repeats {
        site.suffer(
            |postgres| postgres.stop("fast").unwrap(),
            |postgres| postgres.start_again().unwrap(),
            true,
        )
        .await;
    }
    site.end("PostgreSQL stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_killed_and_started_again_loses_nothing() {
    let mut site = Site::open().await;
    for _ in 0..plan().repeats {
        site.suffer(
            |postgres| postgres.stop("immediate").unwrap(),
            |postgres| postgres.start_again().unwrap(),
            true,
        )
        .await;
    }
    site.end("PostgreSQL killed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_paused_loses_nothing() {
    let mut site = Site::open().await;
    for _ in 0..plan().repeats {
        site.suffer(
            |postgres| postgres.signal("STOP").unwrap(),
            |postgres| postgres.signal("CONT").unwrap(),
            true,
        )
        .await;
    }
    site.end("PostgreSQL paused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_throws_everybody_out_loses_nothing() {
    let mut site = Site::open().await;
    for _ in 0..plan().repeats {
        let out = |postgres: &mut PrivatePostgres| {
            let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                       WHERE datname = 'test0' AND pid <> pg_backend_pid()";
            for _ in 0..5 {
                postgres.sql("postgres", sql).unwrap();
                std::thread::sleep(Duration::from_millis(100));
            }
        };
        site.suffer(out, |_| {}, false).await;
    }
    site.end("PostgreSQL connections ended");
}
