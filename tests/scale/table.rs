//! Figures, and how they are shown.

use std::fmt::Write as _;
use std::time::Duration;

use super::Backend;

/// How long something took, many times.
#[derive(Default)]
pub(crate) struct Latency(Vec<Duration>);

impl Latency {
    pub(crate) fn add(&mut self, one: Duration) {
        self.0.push(one);
    }

    /// The duration that a share of them does not exceed.
    fn at(&self, share: f64) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let place = (share * sorted.len() as f64) as usize;
        sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
    }

    fn millis(&self) -> String {
        let [p50, p99] = [0.5, 0.99].map(|share| self.at(share).as_secs_f64() * 1e3);
        format!("{p50:.1} / {p99:.1}")
    }

    fn micros(&self) -> String {
        let [p50, p99] = [0.5, 0.99].map(|share| self.at(share).as_secs_f64() * 1e6);
        format!("{p50:.0} / {p99:.0}")
    }
}

/// Of one number of people.
#[derive(Default)]
pub(crate) struct Figures {
    pub(crate) records: u64,
    pub(crate) load_seconds: f64,
    pub(crate) bytes: u64,
    pub(crate) tables: Vec<(String, u64, u64, u64)>,
    pub(crate) open: Duration,
    pub(crate) start: Duration,
    pub(crate) start_again: Duration,
    pub(crate) killed_in: Duration,
    pub(crate) memory_idle: u64,
    pub(crate) memory: u64,
    pub(crate) hash: Latency,
    pub(crate) logins: Latency,
    pub(crate) introspections: Latency,
    pub(crate) by_username: Latency,
    pub(crate) by_mail: Latency,
    pub(crate) by_id: Latency,
    pub(crate) sessions: Latency,
    pub(crate) commit_alone: Latency,
    pub(crate) commit_beside_sweep: Latency,
    pub(crate) swept_per_second: f64,
}

/// All figures of a backend.
pub(crate) struct Table {
    backend: Backend,
    columns: Vec<(u64, Figures)>,
}

/// A row: what it is called, and its cell.
type Row = (&'static str, fn(&Figures) -> String);

const ROWS: [Row; 20] = [
    ("records written", |f| f.records.to_string()),
    ("load, s", |f| format!("{:.1}", f.load_seconds)),
    ("records/s", |f| rate(f.records as f64 / f.load_seconds, f.records)),
    ("on the disk, MiB", |f| format!("{:.0}", f.bytes as f64 / f64::from(1 << 20))),
    ("opening the store before the load, s", |f| seconds(f.open)),
    ("start after the load, s", |f| seconds(f.start)),
    ("start after kill -9 under logins, s", |f| seconds(f.killed_in)),
    ("start after a stop, s", |f| seconds(f.start_again)),
    ("memory after the start, MiB", |f| mib(f.memory_idle)),
    ("memory after logins and introspections, MiB", |f| mib(f.memory)),
    ("password login, p50 / p99, ms", |f| f.logins.millis()),
    ("of it the hash alone, p50 / p99, ms", |f| f.hash.millis()),
    ("introspection over HTTP, p50 / p99, ms", |f| f.introspections.millis()),
    ("person by username, p50 / p99, us", |f| f.by_username.micros()),
    ("person by mail address, p50 / p99, us", |f| f.by_mail.micros()),
    ("person by id, p50 / p99, us", |f| f.by_id.micros()),
    ("sessions of a person, p50 / p99, us", |f| f.sessions.micros()),
    ("commit of one record, p50 / p99, ms", |f| f.commit_alone.millis()),
    ("the same beside a sweep, p50 / p99, ms", |f| f.commit_beside_sweep.millis()),
    ("sweep, expired records/s", |f| format!("{:.0}", f.swept_per_second)),
];

fn rate(rate: f64, records: u64) -> String {
    if records == 0 { "-".to_owned() } else { format!("{rate:.0}") }
}

fn seconds(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64())
}

fn mib(bytes: u64) -> String {
    format!("{:.0}", bytes as f64 / f64::from(1 << 20))
}

impl Table {
    pub(crate) fn new(backend: Backend) -> Self {
        Self { backend, columns: Vec::new() }
    }

    pub(crate) fn add(&mut self, people: u64, figures: Figures) {
        self.columns.push((people, figures));
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = match self.backend {
            Backend::Sled => "## sled\n\n".to_owned(),
            Backend::Postgres => "## PostgreSQL\n\n".to_owned(),
        };
        let heads: Vec<String> = self.columns.iter().map(|(people, _)| people.to_string()).collect();
        let _written = writeln!(text, "| people | {} |", heads.join(" | "));
        let _written = writeln!(text, "| --- |{}", " --- |".repeat(heads.len()));
        for (name, cell) in ROWS {
            let cells: Vec<String> = self.columns.iter().map(|(_, figures)| cell(figures)).collect();
            let _written = writeln!(text, "| {name} | {} |", cells.join(" | "));
        }
        text.push('\n');
        self.tables(&mut text);
        text
    }

    /// Bytes of a row, for the largest step.
    fn tables(&self, text: &mut String) {
        let Some((people, figures)) = self.columns.last().filter(|(_, figures)| !figures.tables.is_empty())
        else {
            return;
        };
        let _written = writeln!(text, "| table, at {people} people | rows | bytes/row | of indexes/row |");
        text.push_str("| --- | --- | --- | --- |\n");
        for (name, rows, table, indexes) in &figures.tables {
            let each = |bytes: &u64| *bytes as f64 / (*rows).max(1) as f64;
            let _written =
                writeln!(text, "| `{name}` | {rows} | {:.0} | {:.0} |", each(table), each(indexes));
        }
        text.push('\n');
    }
}
