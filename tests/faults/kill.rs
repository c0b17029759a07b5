//! `kill -9` at random moments.

use std::time::Duration;

use tokio::time::Instant;

use super::GRACE;
use super::load::Load;
use super::plan::plan;
use crate::support::cluster::Cluster;

/// Entries of each kind that are checked after a round; the newest ones.
const CHECKED: usize = 6;
/// Entries of each kind that are checked at the end.
const CHECKED_LAST: usize = 200;

/// Moments that are different at each run.
struct Moments(u64);

impl Moments {
    fn new() -> Self {
        Self(u64::from(std::process::id()) | 1)
    }

    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

async fn rounds(mut cluster: Cluster, experiment: &str) {
    let plan = plan();
    let load = Load::of(&cluster).await;
    let mut moments = Moments::new();
    for _ in 0..plan.rounds {
        let moment = Duration::from_millis(50 + moments.next(300));
        let victim = usize::try_from(moments.next(cluster.nodes.len() as u64)).unwrap();
        load.during(plan.writers, async {
            tokio::time::sleep(moment).await;
            tokio::task::block_in_place(|| cluster.nodes[victim].kill_now());
            // Some go on at a node that lives.
            tokio::time::sleep(Duration::from_millis(100)).await;
        })
        .await;
        let begun = Instant::now();
        tokio::task::block_in_place(|| cluster.restart(victim));
        assert!(load.serves(victim).await, "{}", cluster.nodes[victim].log_text());
        load.figures(|figures| figures.recoveries.push(begun.elapsed()));
        load.check(CHECKED).await;
    }
    load.check(CHECKED_LAST).await;
    load.settle(&format!("{experiment}, {} rounds, {} writers", plan.rounds, plan.writers));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_kill_9_at_random_nothing_acknowledged_on_sled_is_lost_and_nothing_used_is_used_twice() {
    rounds(Cluster::on("sled:store".to_owned(), 1, GRACE), "kill -9, sled").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_kill_9_of_nodes_at_random_nothing_acknowledged_in_postgresql_is_lost() {
    rounds(Cluster::with(2, GRACE), "kill -9 of one of two nodes, PostgreSQL").await;
}
