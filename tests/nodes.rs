//! Several nodes on one PostgreSQL database: what one began another ends, what is used once is used once whoever is
//! asked, and a node that goes takes nobody's login with it.

mod journey;
mod leaving;
mod races;
mod spread;

use std::time::Duration;

use tokio::time::Instant;

use crate::support::browser::Browser;
use crate::support::server::Server;

/// How often something that must become so is looked at.
const TICK: Duration = Duration::from_millis(20);

/// The same browser at each node.
fn everywhere(browser: &Browser, nodes: &[Server]) -> Vec<Browser> {
    nodes.iter().map(|node| browser.at(node)).collect()
}

/// Waits until something is so; answers how long that took. The bound is generous: it tells "soon" from "never", the
/// figures are printed.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) {
        if is_so().await {
            return begun.elapsed();
        }
        tokio::time::sleep(TICK).await;
    }
    panic!("{what}: not within 20 seconds");
}
