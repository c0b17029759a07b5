//! A load balancer: asks each node whether it is ready, and sends requests to those that are, in turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::browser::client;
use super::server::Server;

/// How often nodes are asked.
const EVERY: Duration = Duration::from_millis(50);

struct Target {
    http: reqwest::Client,
    health: String,
    takes: AtomicBool,
    sent: AtomicUsize,
}

/// What stands in front of the nodes.
#[derive(Clone)]
pub(crate) struct Balancer {
    targets: Arc<[Target]>,
    next: Arc<AtomicUsize>,
}

impl Balancer {
    /// Watches the nodes as long as the test runs.
    pub(crate) fn of(nodes: &[Server]) -> Self {
        let target = |node: &Server| Target {
            http: client(node).timeout(Duration::from_secs(30)).build().unwrap(),
            health: format!("{}/health/ready", node.admin()),
            takes: AtomicBool::new(true),
            sent: AtomicUsize::new(0),
        };
        let targets: Arc<[Target]> = nodes.iter().map(target).collect();
        for at in 0..targets.len() {
            tokio::spawn(watch(Arc::clone(&targets), at));
        }
        Self { targets, next: Arc::default() }
    }

    /// Sends to a node that is ready. Where its listener refuses the connection nothing was sent, and another is
    /// asked; any other failure is the caller's.
    pub(crate) async fn send(
        &self,
        request: impl Fn(&reqwest::Client) -> reqwest::RequestBuilder,
    ) -> Result<reqwest::Response, reqwest::Error> {
        let mut refused = None;
        for _ in 0..200 {
            for _ in 0..self.targets.len() {
                let at = self.next.fetch_add(1, Ordering::SeqCst) % self.targets.len();
                let target = &self.targets[at];
                if !target.takes.load(Ordering::SeqCst) {
                    continue;
                }
                match request(&target.http).send().await {
                    Err(error) if error.is_connect() => {
                        target.takes.store(false, Ordering::SeqCst);
                        refused = Some(error);
                    }
                    answered => {
                        target.sent.fetch_add(1, Ordering::SeqCst);
                        return answered;
                    }
                }
            }
            tokio::time::sleep(EVERY).await;
        }
        Err(refused.unwrap_or_else(|| panic!("no node is ready")))
    }

    /// Whether a node gets requests.
    pub(crate) fn takes(&self, node: usize) -> bool {
        self.targets[node].takes.load(Ordering::SeqCst)
    }

    /// Requests that each node answered.
    pub(crate) fn shares(&self) -> Vec<usize> {
        self.targets.iter().map(|target| target.sent.load(Ordering::SeqCst)).collect()
    }
}

async fn watch(targets: Arc<[Target]>, at: usize) {
    let target = &targets[at];
    loop {
        let asked = target.http.get(&target.health).timeout(Duration::from_secs(2)).send().await;
        target.takes.store(asked.is_ok_and(|answer| answer.status() == 200), Ordering::SeqCst);
        tokio::time::sleep(EVERY).await;
    }
}
