//! Figures, not rules: `cargo test -p agamid-store --test contract figures -- --ignored --nocapture`.

use std::time::Duration;

use agamid_core::Env;
use agamid_store::{Batch, Expect, Store};

use crate::bench::{Pet, options, sled_url};

const WRITERS: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints how many durable commits a second sled makes here"]
async fn commits_per_second_with_sixteen_writers() {
    let directory = tempfile::tempdir().unwrap();
    let env = Env::system();
    let store = Store::open(options(&sled_url(&directory)), env.clone()).await.unwrap();
    let start = env.clock.monotonic();
    let end = start + Duration::from_secs(3);
    let writers = (0..WRITERS).map(|writer| {
        let (store, clock) = (store.clone(), env.clock.clone());
        tokio::spawn(async move {
            let mut commits = 0u32;
            while clock.monotonic() < end {
                let id = format!("{writer}-{commits}");
                store.commit(Batch::new().put(&Pet::new(&id, &id), Expect::Absent)).await.unwrap();
                commits += 1;
            }
            commits
        })
    });
    let mut commits = 0;
    for writer in writers.collect::<Vec<_>>() {
        commits += writer.await.unwrap();
    }
    let seconds = (env.clock.monotonic() - start).as_secs_f64();
    println!("{:.0} durable commits/s with {WRITERS} writers", f64::from(commits) / seconds);
}
