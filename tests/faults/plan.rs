//! How much is done, and where the figures go.

use std::io::Write as _;
use std::sync::Mutex;
use std::time::Duration;

/// How much is done.
pub(crate) struct Plan {
    /// Starts, loads and kills of a node.
    pub(crate) rounds: u32,
    /// Writers at once.
    pub(crate) writers: usize,
    /// How often each fault of the database, and a full disk, is repeated.
    pub(crate) repeats: u32,
}

fn number(name: &str, otherwise: u32) -> u32 {
    match std::env::var_os(name) {
        None => otherwise,
        Some(text) => {
            text.to_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{name}={text:?}"))
        }
    }
}

/// The short form unless `cargo xtask faults` says otherwise.
pub(crate) fn plan() -> Plan {
    Plan {
        rounds: number("FAULTS_ROUNDS", 10),
        writers: number("FAULTS_WRITERS", 4) as usize,
        repeats: number("FAULTS_REPEATS", 1),
    }
}

/// What an experiment showed.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// Writes that were answered as done.
    pub(crate) acknowledged: usize,
    /// Answers that the server can't do it now.
    pub(crate) refused: usize,
    /// Requests without an answer.
    pub(crate) unanswered: usize,
    /// Acknowledged, and gone.
    pub(crate) lost: usize,
    /// Ended, and alive again.
    pub(crate) revived: usize,
    /// Used up, and used again.
    pub(crate) twice: usize,
    /// Answers that are neither done nor a clear refusal.
    pub(crate) wrong: Vec<String>,
    /// Until it served again, each time.
    pub(crate) recoveries: Vec<Duration>,
}

impl Figures {
    /// Adds those of another run.
    pub(crate) fn absorb(&mut self, more: Self) {
        self.acknowledged += more.acknowledged;
        self.refused += more.refused;
        self.unanswered += more.unanswered;
        self.lost += more.lost;
        self.revived += more.revived;
        self.twice += more.twice;
        self.wrong.extend(more.wrong);
        self.recoveries.extend(more.recoveries);
    }

    /// The longest recovery, and the median one.
    fn recovery(&self) -> (u128, u128) {
        let mut all: Vec<u128> = self.recoveries.iter().map(Duration::as_millis).collect();
        all.sort_unstable();
        (all.get(all.len() / 2).copied().unwrap_or_default(), all.last().copied().unwrap_or_default())
    }

    /// Prints the figures, adds them to the report where there is one, and holds them to the rules.
    pub(crate) fn settle(self, experiment: &str) {
        static ONE: Mutex<()> = Mutex::new(());
        let (median, longest) = self.recovery();
        let row = format!(
            "| {experiment} | {} | {} | {} | {} | {} | {} | {} | {median} | {longest} |",
            self.acknowledged,
            self.refused,
            self.unanswered,
            self.lost,
            self.revived,
            self.twice,
            self.wrong.len(),
        );
        println!("{row}");
        if let Some(report) = std::env::var_os("FAULTS_REPORT") {
            let _one = ONE.lock().unwrap();
            let mut file = std::fs::OpenOptions::new().append(true).create(true).open(report).unwrap();
            writeln!(file, "{row}").unwrap();
        }
        assert_eq!(self.wrong, Vec::<String>::new(), "{experiment}");
        assert_eq!(
            (self.lost, self.revived, self.twice),
            (0, 0, 0),
            "{experiment}: lost, revived, used twice"
        );
        assert!(self.acknowledged > 0, "{experiment}: nothing was acknowledged");
    }
}
