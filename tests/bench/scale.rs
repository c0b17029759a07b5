//! `cargo xtask scale`: the release binary with many people. `SCALE_STEPS` says how many (`0,100000`),
//! `SCALE_STORES` on what (`sled,postgres`), `SCALE_REPORT` where the table goes.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measuring program: it stops where something is wrong, and time is what it measures"
)]

#[path = "../scale.rs"]
mod scale;

use scale::{Backend, Plan};

fn variable(name: &str, otherwise: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| otherwise.to_owned())
}

#[tokio::main]
async fn main() {
    let steps: Vec<u64> = variable("SCALE_STEPS", "0,100000")
        .split(',')
        .map(|step| step.trim().replace('_', "").parse().unwrap_or_else(|_| panic!("{step:?} is no number")))
        .collect();
    let mut report = String::new();
    for name in variable("SCALE_STORES", "sled,postgres").split(',') {
        let backend = match name.trim() {
            "sled" => Backend::Sled,
            "postgres" => Backend::Postgres,
            _ => panic!("{name:?}: sled or postgres"),
        };
        let plan = Plan {
            binary: std::env::var("AGAMID_BIN").unwrap().into(),
            port: 19_600,
            backend,
            steps: steps.clone(),
            logins: 300,
            lookups: 3_000,
            say: |line| println!("{line}"),
        };
        report.push_str(&scale::run(&plan).await);
    }
    let file = variable("SCALE_REPORT", "target/scale.md");
    std::fs::write(&file, &report).unwrap();
    println!("\n{report}\nwritten to {file}");
}
