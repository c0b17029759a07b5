//! The contract suite: every rule of the store on every backend, and what sled must survive besides.
//!
//! To add a rule: an async function `rule(bench: Bench)` and its name in the list at the foot of its file.
//! To add a backend: one more line in `on_every_backend`.

#[cfg(test)]
#[path = "contract/audit.rs"]
mod audit;
#[cfg(test)]
#[path = "contract/bench.rs"]
mod bench;
#[cfg(test)]
#[path = "contract/cache.rs"]
mod cache;
#[cfg(test)]
#[path = "contract/doctor.rs"]
mod doctor;
#[cfg(test)]
#[path = "contract/expiry.rs"]
mod expiry;
#[cfg(test)]
#[path = "contract/export.rs"]
mod export;
#[cfg(test)]
#[path = "contract/figures.rs"]
mod figures;
#[cfg(test)]
#[path = "contract/kill.rs"]
mod kill;
#[cfg(test)]
#[path = "contract/migrate.rs"]
mod migrate;
#[cfg(test)]
#[path = "contract/model.rs"]
mod model;
#[cfg(test)]
#[path = "contract/one_time.rs"]
mod one_time;
#[cfg(test)]
#[path = "contract/opening.rs"]
mod opening;
#[cfg(test)]
#[path = "contract/partitions.rs"]
mod partitions;
#[cfg(test)]
#[path = "contract/postgres.rs"]
mod postgres;
#[cfg(test)]
#[path = "contract/records.rs"]
mod records;
#[cfg(test)]
#[path = "contract/redis.rs"]
mod redis;
#[cfg(test)]
#[path = "contract/refusals.rs"]
mod refusals;
#[cfg(test)]
#[path = "contract/scans.rs"]
mod scans;
