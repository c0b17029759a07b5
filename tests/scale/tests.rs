//! The measuring of many people, on few.

use crate::scale::{Backend, Plan, run};

/// The whole of `cargo xtask scale`, small: every figure is there.
async fn small(backend: Backend) {
    let (binary, port) = (crate::support::server::binary(), crate::support::server::free_ports());
    let plan = Plan { binary, port, backend, steps: vec![0, 120], logins: 3, lookups: 40, say: drop };
    let table = run(&plan).await;
    for row in
        ["| people | 0 | 120 |", "| records written |", "login, p50", "introspection", "sweep", "kill -9"]
    {
        assert!(table.contains(row), "{row}:\n{table}");
    }
    let written = table.lines().find(|line| line.starts_with("| records written |")).unwrap();
    assert_eq!(written, "| records written | 0 | 840 |", "seven records a person:\n{table}");
}

#[tokio::test]
async fn many_people_can_be_loaded_and_measured_on_sled() {
    small(Backend::Sled).await;
}

#[tokio::test]
async fn many_people_can_be_loaded_and_measured_on_postgres() {
    small(Backend::Postgres).await;
}
