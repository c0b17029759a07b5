//! A batch as one flight. A condition that fails stops it, and says by its place which one it was.

use std::collections::HashMap;
use std::sync::Arc;

use agamid_core::time::Timestamp;
use tokio_postgres::Row;

use super::connect::Lane;
use super::failure::Failure;
use super::flight::{Begin, Step, Value, fly};
use super::{Inner, give_back, one_time};
use crate::audit::ChainEnd;
use crate::batch::{Batch, Committed, Operation};
use crate::error::StoreError;
use crate::one_time::{Consume, Consumption, Peeked, Tombstone};
use crate::rules::{self, conflict};

/// How often a flight that met another one is tried again.
const TRIES: u32 = 20;

/// What a step was for, to say what failed.
enum Purpose<'a> {
    Consume,
    Operation(&'a Operation),
    /// Ours: locks, the audit chain, news.
    Other,
}

/// A batch as steps.
struct Plan<'a> {
    steps: Vec<Step>,
    purposes: Vec<Purpose<'a>>,
    /// Where the lane's chain stands when this has landed.
    end: Option<ChainEnd>,
}

/// How a flight ended.
enum Outcome {
    Landed(Committed),
    /// A consumption was refused; nothing was written.
    Refused,
    /// Others were in the way; nothing was written.
    Again,
}

impl<'a> Plan<'a> {
    fn new() -> Self {
        Self { steps: Vec::new(), purposes: Vec::new(), end: None }
    }

    /// Gives the steps added since the last call their purpose.
    fn mark(&mut self, purpose: impl Fn() -> Purpose<'a>) {
        while self.purposes.len() < self.steps.len() {
            self.purposes.push(purpose());
        }
    }

    /// Takes the locks that the operations will need, in one order for everybody: for batches that met another one
    /// which had what they wanted, and wanted what they had.
    fn locks(&mut self, inner: &Inner, batch: &Batch) -> Result<(), StoreError> {
        let mut places: Vec<(&str, &str)> = batch
            .operations
            .iter()
            .filter_map(|operation| match operation {
                Operation::Put { document, .. } => Some((document.kind, document.key.as_str())),
                Operation::Delete { kind, key, .. } | Operation::Require { kind, key, .. } => {
                    Some((*kind, key.as_str()))
                }
                Operation::Issue(_) | Operation::Consume(_) => None,
            })
            .collect();
        places.sort_unstable();
        places.dedup();
        for (kind, key) in places {
            self.steps.push(Step::new(&inner.table(kind)?.sql.lock, vec![Box::new(key.to_owned())]));
        }
        self.mark(|| Purpose::Other);
        Ok(())
    }

    fn operations(&mut self, inner: &Inner, batch: &'a Batch, now: Timestamp) -> Result<(), StoreError> {
        for operation in &batch.operations {
            match operation {
                Operation::Put { document, expect } => {
                    inner.table(document.kind)?.put(&mut self.steps, document, *expect, now)?;
                }
                Operation::Delete { kind, key, expect } => {
                    inner.table(kind)?.delete(&mut self.steps, key, *expect, now);
                }
                Operation::Require { kind, key, expect } => {
                    inner.table(kind)?.require(&mut self.steps, key, *expect, now);
                }
                Operation::Issue(record) => one_time::issue(&mut self.steps, record, now)?,
                Operation::Consume(_) => {}
            }
            self.mark(|| Purpose::Operation(operation));
        }
        Ok(())
    }

    /// The audit events, and news for other nodes.
    fn rest(&mut self, inner: &Inner, lane: &Lane, batch: &Batch, now: Timestamp) -> Result<(), StoreError> {
        self.end = super::audit::append(&mut self.steps, lane, &batch.audit, now)?;
        self.mark(|| Purpose::Other);
        if inner.tells && !batch.touched.is_empty() {
            for (kind, key) in &batch.touched {
                self.steps.push(super::listen::tell(&inner.node, kind, key));
            }
            self.mark(|| Purpose::Other);
        }
        Ok(())
    }

    async fn fly(self, inner: &Inner, lane: &mut Lane, begin: Begin) -> Result<Vec<Vec<Row>>, Stopped> {
        match fly(lane, begin, &self.steps).await {
            Ok(rows) => {
                if let Some(end) = self.end {
                    lane.end = end;
                }
                Ok(rows)
            }
            Err((at, failure)) => Err(self.stopped(inner, at, failure)),
        }
    }

    /// What it means that the step at this place failed.
    fn stopped(&self, inner: &Inner, at: usize, failure: Failure) -> Stopped {
        if failure.is_collision() {
            return Stopped::Again;
        }
        let purpose = self.purposes.get(at);
        if failure.is_unmet() {
            return match purpose {
                Some(Purpose::Consume) => Stopped::Refused,
                Some(Purpose::Operation(operation)) => Stopped::Failed(unmet(operation).into()),
                _ => Stopped::Failed(failure),
            };
        }
        if let (Some(index), Some(Purpose::Operation(Operation::Put { document, .. }))) =
            (failure.taken(), purpose)
            && let Ok(table) = inner.table(document.kind)
        {
            let entry = table.entry_of(&index, document);
            let holders = table.holders(entry, document);
            let kind = document.kind;
            let name = entry.map_or("(of several)", |entry| entry.index);
            let reason = format!("unique index {name}: another record has this value");
            return Stopped::Taken { kind, holders, conflict: conflict(kind, &document.key, reason) };
        }
        Stopped::Failed(failure)
    }
}

/// Why a flight did not land.
enum Stopped {
    Again,
    Refused,
    /// A unique value has a holder; these steps say who.
    Taken {
        kind: &'static str,
        holders: Vec<Step>,
        conflict: StoreError,
    },
    Failed(Failure),
}

/// What to say of a condition that did not hold.
fn unmet(operation: &Operation) -> StoreError {
    use crate::batch::Expect::{Absent, Any, Version};
    let (kind, key, expect) = match operation {
        Operation::Put { document, expect } => (document.kind, document.key.as_str(), *expect),
        Operation::Delete { kind, key, expect } | Operation::Require { kind, key, expect } => {
            (*kind, key.as_str(), *expect)
        }
        Operation::Issue(record) => {
            let key = format!("{}:{}", record.purpose.name(), record.hash);
            return conflict(rules::ONE_TIME, &key, "this value was issued before");
        }
        Operation::Consume(consume) => (rules::ONE_TIME, consume.hash.as_str(), Any),
    };
    let reason = match expect {
        Absent => "expected none, found one".to_owned(),
        Version(version) => format!("expected version {version}, found another or none"),
        Any => "it changed meanwhile".to_owned(),
    };
    conflict(kind, key, reason)
}

impl Inner {
    pub(super) async fn commit(&self, batch: &Batch) -> Result<Committed, StoreError> {
        rules::check_batch(batch)?;
        for attempt in 0..TRIES {
            let mut lane = self.lane().await?;
            let outcome = self.in_time(self.attempt(&mut lane, batch, attempt > 0)).await;
            match give_back(lane, outcome).map_err(Failure::into_store_error)? {
                Outcome::Landed(committed) => return Ok(committed),
                Outcome::Refused => {
                    let mut lane = self.lane().await?;
                    let refusal = self.in_time(self.refuse(&mut lane, batch)).await;
                    if let Some(committed) = give_back(lane, refusal).map_err(Failure::into_store_error)? {
                        return Ok(committed);
                    }
                }
                Outcome::Again => {}
            }
            self.step_aside(attempt).await;
        }
        Err(StoreError::Unavailable("too many others change the same records; try again".to_owned()))
    }

    /// Waits a moment of random length, so that those who met don't meet again.
    async fn step_aside(&self, attempt: u32) {
        let [byte] = agamid_core::random::bytes::<1>(&*self.env.rng);
        let millis = u64::from(byte) * u64::from(attempt + 1) / 64;
        tokio::time::sleep(std::time::Duration::from_millis(millis)).await;
    }

    async fn attempt(&self, lane: &mut Lane, batch: &Batch, again: bool) -> Result<Outcome, Failure> {
        let now = self.env.now();
        let consumes = rules::consumes(batch);
        let mut plan = Plan::new();
        for consume in &consumes {
            one_time::consume(&mut plan.steps, consume, now)?;
        }
        plan.mark(|| Purpose::Consume);
        if again {
            plan.locks(self, batch)?;
        }
        plan.operations(self, batch, now)?;
        plan.rest(self, lane, batch, now)?;
        if plan.steps.is_empty() {
            return Ok(Outcome::Landed(Committed::default()));
        }
        match plan.fly(self, lane, Begin::New).await {
            Ok(rows) => {
                let consumed = consumes.iter().zip(rows).map(|(consume, rows)| {
                    let row = rows
                        .first()
                        .ok_or_else(|| StoreError::Unavailable("the database gave no outcome".to_owned()))?;
                    Ok(Consumption::Consumed(Box::new(one_time::consumed(row, consume)?)))
                });
                let consumptions = consumed.collect::<Result<_, Failure>>()?;
                Ok(Outcome::Landed(Committed { consumptions }))
            }
            Err(Stopped::Refused) => Ok(Outcome::Refused),
            Err(Stopped::Again) => Ok(Outcome::Again),
            Err(Stopped::Failed(failure)) => Err(failure),
            Err(Stopped::Taken { kind, holders, conflict }) => self.free(lane, kind, holders, conflict).await,
        }
    }

    /// Takes a unique value from holders that have expired, or are gone by now: then the flight may be tried again.
    async fn free(
        &self,
        lane: &mut Lane,
        kind: &'static str,
        holders: Vec<Step>,
        conflict: StoreError,
    ) -> Result<Outcome, Failure> {
        let (table, now) = (self.table(kind)?, self.env.now());
        let mut stays = false;
        for holder in holders {
            for row in lane.query(&holder.sql, &holder.values).await? {
                let key: String = row.try_get(0)?;
                match fly(lane, Begin::New, &table.clear_expired(&key, now)).await {
                    Ok(landed) => stays |= landed.iter().skip(1).all(Vec::is_empty),
                    Err((_, failure)) if failure.is_collision() => {}
                    Err((_, failure)) => return Err(failure),
                }
            }
        }
        if stays { Err(conflict.into()) } else { Ok(Outcome::Again) }
    }

    /// A consumption was refused: says each outcome, burns what is to burn, and writes the refusal. `None` when by now
    /// none would be refused.
    async fn refuse(&self, lane: &mut Lane, batch: &Batch) -> Result<Option<Committed>, Failure> {
        let now = self.env.now();
        lane.open("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
        let consumes = rules::consumes(batch);
        let consumptions = match self.outcomes(lane, &consumes, now).await {
            Err(failure) if failure.is_collision() => {
                lane.settle("ROLLBACK").await?;
                return Ok(None);
            }
            consumptions => consumptions?,
        };
        let committed = Committed { consumptions };
        if committed.accepted() {
            lane.settle("ROLLBACK").await?;
            return Ok(None);
        }
        let mut plan = Plan::new();
        for (consume, outcome) in consumes.iter().zip(&committed.consumptions) {
            if matches!(outcome, Consumption::Mismatch(_)) && consume.purpose.burns_on_mismatch() {
                one_time::burn(&mut plan.steps, consume, now);
            }
        }
        plan.mark(|| Purpose::Other);
        if let Some(refusal) = &batch.if_refused {
            plan.operations(self, refusal, now)?;
            plan.rest(self, lane, refusal, now)?;
        }
        match plan.fly(self, lane, Begin::Inside).await {
            Ok(_) => {
                lane.settled();
                Ok(Some(committed))
            }
            // Perhaps not even sent: the lane stays unsettled, and is not used again.
            Err(Stopped::Failed(failure)) if !failure.is_ours() => Err(failure),
            Err(stopped) => {
                // The flight's own COMMIT has rolled everything back.
                lane.settled();
                match stopped {
                    Stopped::Again | Stopped::Refused => Ok(None),
                    Stopped::Failed(failure) => Err(failure),
                    Stopped::Taken { kind, holders, conflict } => {
                        self.free(lane, kind, holders, conflict).await.map(|_| None)
                    }
                }
            }
        }
    }

    async fn outcomes(
        &self,
        lane: &mut Lane,
        consumes: &[&Consume],
        now: Timestamp,
    ) -> Result<Vec<Consumption>, Failure> {
        let hold: Arc<str> = one_time::HOLD.into();
        let mut used: HashMap<(crate::one_time::Purpose, String), Tombstone> = HashMap::new();
        let mut outcomes = Vec::with_capacity(consumes.len());
        for consume in consumes {
            let place = (consume.purpose, consume.hash.clone());
            if let Some(tombstone) = used.get(&place) {
                outcomes.push(Consumption::Replayed(tombstone.clone()));
                continue;
            }
            let values: Vec<Value> =
                vec![Box::new(consume.purpose.name()), Box::new(consume.hash.clone()), Box::new(now.0)];
            let rows = lane.query(&hold, &values).await?;
            let seen = match rows.first() {
                Some(row) => one_time::peeked(row, consume.purpose, &consume.hash)?,
                None => Peeked::Absent,
            };
            outcomes.push(match seen {
                Peeked::Absent => Consumption::Absent,
                Peeked::Used(tombstone) => Consumption::Replayed(tombstone),
                Peeked::Live(record) => match record.mismatch(consume) {
                    Some(field) => Consumption::Mismatch(field),
                    None => {
                        let left = consume.leave.clone();
                        used.insert(place, Tombstone { family: record.family.clone(), used_at: now, left });
                        Consumption::Consumed(record)
                    }
                },
            });
        }
        Ok(outcomes)
    }
}
