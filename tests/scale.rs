//! A server with many people: a store is filled with what the server itself writes for one of them (a person, a
//! credential, a session, a token family with a refresh token and two access tokens, and the audit events of all that),
//! then measured from outside and inside. `cargo xtask scale` runs it large on the release binary; a test runs it small.

#[path = "scale/load.rs"]
mod load;
#[path = "scale/node.rs"]
mod node;
#[path = "scale/probe.rs"]
mod probe;
#[path = "scale/table.rs"]
mod table;

use std::path::PathBuf;
use std::time::Instant;

use agamid_core::Env;
use agamid_store::testing::PrivatePostgres;
use agamid_store::{Store, StoreOptions};

use load::Loader;
use node::{Home, Node};
use table::{Figures, Table};

/// What lies below the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Sled,
    Postgres,
}

/// What to measure.
pub(crate) struct Plan {
    pub(crate) binary: PathBuf,
    pub(crate) port: u16,
    pub(crate) backend: Backend,
    /// How many people, one after the other, growing.
    pub(crate) steps: Vec<u64>,
    /// How many logins, and how many lookups of each sort, are measured at each step.
    pub(crate) logins: usize,
    pub(crate) lookups: usize,
    /// Told how far it is.
    pub(crate) say: fn(String),
}

/// The database, where there is one, and its address.
struct Ground {
    postgres: Option<(PrivatePostgres, String)>,
    home: Home,
}

impl Ground {
    fn prepare(plan: &Plan) -> Self {
        let postgres = (plan.backend == Backend::Postgres).then(|| {
            let server = PrivatePostgres::start(true).unwrap();
            let url = server.database().unwrap();
            (server, url)
        });
        let home = Home::prepare(plan, postgres.as_ref().map(|(_, url)| url.clone()));
        Self { postgres, home }
    }

    async fn open(&self) -> Store {
        let kinds = [agamid_store::records(), agamid_identity::records(), agamid_auth_server::records()];
        let kinds = kinds.into_iter().flatten().collect();
        let options = StoreOptions { url: self.home.store.clone(), kinds, ..StoreOptions::default() };
        Store::open(options, Env::system()).await.unwrap()
    }

    /// Bytes on the disk.
    fn size(&self) -> u64 {
        match &self.postgres {
            Some((server, url)) => {
                let name = url.rsplit('/').next().unwrap();
                let size = server.sql(name, "CHECKPOINT; SELECT pg_database_size(current_database())");
                size.unwrap().trim().parse().unwrap()
            }
            None => folder_size(&self.home.folder.path().join("store")),
        }
    }

    /// Rows, bytes and bytes of indexes of every table.
    fn tables(&self) -> Vec<(String, u64, u64, u64)> {
        let Some((server, url)) = &self.postgres else { return Vec::new() };
        let sql = "SELECT c.relname, s.n_live_tup, pg_table_size(c.oid), pg_indexes_size(c.oid) \
                   FROM pg_class c JOIN pg_stat_user_tables s ON s.relid = c.oid WHERE s.n_live_tup > 50 \
                   ORDER BY pg_total_relation_size(c.oid) DESC";
        let name = url.rsplit('/').next().unwrap();
        server.sql(name, "ANALYZE").unwrap();
        let text = server.sql(name, sql).unwrap();
        let row = |line: &str| {
            let mut columns = line.split('|');
            let name = columns.next()?.to_owned();
            let mut number = || columns.next()?.parse().ok();
            Some((name, number()?, number()?, number()?))
        };
        text.lines().filter_map(row).collect()
    }
}

fn folder_size(folder: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(data) if data.is_dir() => folder_size(&entry.path()),
        Ok(data) => std::os::unix::fs::MetadataExt::blocks(&data) * 512,
        Err(_) => 0,
    });
    sizes.sum()
}

/// Runs the plan; answers a table in Markdown.
pub(crate) async fn run(plan: &Plan) -> String {
    let ground = Ground::prepare(plan);
    let node = Node::start(&ground.home);
    let tokens = probe::first_tokens(&ground.home).await;
    node.stop();
    let mut table = Table::new(plan.backend);
    let mut loader = None;
    for &people in &plan.steps {
        (plan.say)(format!("{:?}: up to {people} people", plan.backend));
        let mut figures = Figures::default();
        inside(plan, &ground, people, &tokens, &mut loader, &mut figures).await;
        figures.bytes = ground.size();
        figures.tables = ground.tables();
        (plan.say)(format!("  loaded: {:.0} s, {} bytes", figures.load_seconds, figures.bytes));
        outside(plan, &ground, loader.as_ref().unwrap(), &mut figures).await;
        table.add(people, figures);
    }
    table.markdown()
}

/// What is done with the store alone.
async fn inside(
    plan: &Plan,
    ground: &Ground,
    people: u64,
    tokens: &probe::Tokens,
    loader: &mut Option<Loader>,
    figures: &mut Figures,
) {
    let begin = Instant::now();
    let store = ground.open().await;
    figures.open = begin.elapsed();
    if loader.is_none() {
        *loader = Some(Loader::new(&store, tokens).await);
    }
    let loader = loader.as_mut().unwrap();
    let begin = Instant::now();
    figures.records = loader.load(&store, people, plan.say).await;
    figures.load_seconds = begin.elapsed().as_secs_f64();
    probe::sweep(&store, loader, plan.lookups as u64, figures).await;
    probe::look_up(&store, loader, plan.lookups, figures).await;
    store.close().await.unwrap();
}

/// What is done with the server.
async fn outside(plan: &Plan, ground: &Ground, loader: &Loader, figures: &mut Figures) {
    let node = Node::start(&ground.home);
    figures.start = node.started_in;
    figures.memory_idle = node.memory();
    figures.hash = probe::hash();
    figures.logins = probe::logins(&ground.home, loader, plan.logins).await;
    figures.introspections = probe::introspections(&ground.home, loader, plan.lookups).await;
    figures.memory = node.memory();
    let killed = probe::kill_under_load(&ground.home, loader, node).await;
    figures.killed_in = killed.started_in;
    probe::logins(&ground.home, loader, 1).await;
    killed.stop();
    let again = Node::start(&ground.home);
    figures.start_again = again.started_in;
    again.stop();
}

/// The whole of `cargo xtask scale`, small: every figure is there.
#[cfg(test)]
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

#[cfg(test)]
#[tokio::test]
async fn many_people_can_be_loaded_and_measured_on_sled() {
    small(Backend::Sled).await;
}

#[cfg(test)]
#[tokio::test]
async fn many_people_can_be_loaded_and_measured_on_postgres() {
    small(Backend::Postgres).await;
}
