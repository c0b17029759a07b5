//! The contract suite: every rule of the store on every backend, and what sled must survive besides.
//!
//! To add a rule: an async function `rule(bench: Bench)` and its name in the list at the foot of its file.
//! To add a backend: one more line in `on_every_backend`.

#[path = "contract/audit.rs"]
mod audit;
#[path = "contract/bench.rs"]
mod bench;
#[path = "contract/expiry.rs"]
mod expiry;
#[path = "contract/figures.rs"]
mod figures;
#[path = "contract/kill.rs"]
mod kill;
#[path = "contract/model.rs"]
mod model;
#[path = "contract/one_time.rs"]
mod one_time;
#[path = "contract/opening.rs"]
mod opening;
#[path = "contract/records.rs"]
mod records;
#[path = "contract/scans.rs"]
mod scans;
