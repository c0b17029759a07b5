//! Several changes that happen together or not at all.

use crate::audit::AuditEvent;
use crate::error::StoreError;
use crate::one_time::{Consume, Consumption, OneTime};
use crate::record::Record;

/// What must be true of a record for the batch to go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Nothing.
    Any,
    /// The key is free (or its record expired).
    Absent,
    /// The record exists in exactly this version.
    Version(u64),
}

/// An atomic batch over several kinds. Errors of building it (a key too long) surface at commit. Operations run in
/// the order they were added, each seeing the ones before it, so a unique value that moves from one record to another
/// is first given up, then taken.
#[derive(Debug, Default)]
pub struct Batch {
    pub(crate) operations: Vec<Operation>,
    pub(crate) audit: Vec<AuditEvent>,
    pub(crate) if_refused: Option<Box<Batch>>,
    /// Kind and key of what is cached and may change.
    pub(crate) touched: Vec<(&'static str, String)>,
    pub(crate) error: Option<StoreError>,
}

/// One change. Opaque outside this crate.
#[derive(Debug)]
pub(crate) enum Operation {
    Put { document: crate::backend::Document, expect: Expect },
    Delete { kind: &'static str, key: String, expect: Expect },
    Require { kind: &'static str, key: String, expect: Expect },
    Issue(OneTime),
    Consume(Consume),
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a record.
    #[must_use]
    pub fn put<R: Record>(mut self, record: &R, expect: Expect) -> Self {
        match crate::backend::Document::of(record) {
            Ok(document) => {
                self = self.touch::<R>(&document.key);
                self.operations.push(Operation::Put { document, expect });
            }
            Err(error) => self.error = self.error.or(Some(error)),
        }
        self
    }

    /// Deletes a record; deleting what is not there is fine under [`Expect::Any`].
    #[must_use]
    pub fn delete<R: Record>(self, key: &str, expect: Expect) -> Self {
        let mut batch = self.touch::<R>(key);
        batch.operations.push(Operation::Delete { kind: R::KIND, key: key.to_owned(), expect });
        batch
    }

    /// Only checks.
    #[must_use]
    pub fn require<R: Record>(mut self, key: &str, expect: Expect) -> Self {
        self.operations.push(Operation::Require { kind: R::KIND, key: key.to_owned(), expect });
        self
    }

    /// Creates a one-time record; a conflict if the hash is taken.
    #[must_use]
    pub fn issue(mut self, one_time: OneTime) -> Self {
        self.operations.push(Operation::Issue(one_time));
        self
    }

    /// Uses up a one-time record. Unless it is `Consumed`, nothing else of this batch is written, but
    /// [`Batch::if_refused`] is, and the commit still answers `Ok` with the outcome. Consumptions are decided before
    /// all other operations, on what was there before the batch.
    #[must_use]
    pub fn consume(mut self, consume: Consume) -> Self {
        self.operations.push(Operation::Consume(consume));
        self
    }

    /// Written instead when a consumption in this batch is refused. It can't consume, and should expect nothing
    /// ([`Expect::Any`]): if one of its preconditions fails, the whole commit is a conflict.
    #[must_use]
    pub fn if_refused(mut self, batch: Batch) -> Self {
        self.if_refused = Some(Box::new(batch));
        self
    }

    fn touch<R: Record>(mut self, key: &str) -> Self {
        if R::CACHED {
            self.touched.push((R::KIND, key.to_owned()));
        }
        self
    }

    /// What is cached and may change by this batch or its refusal.
    pub(crate) fn all_touched(&self) -> Vec<(&'static str, String)> {
        let refusal = self.if_refused.iter().flat_map(|refusal| refusal.all_touched());
        self.touched.iter().cloned().chain(refusal).collect()
    }

    /// Appends an audit event, in the same commit.
    #[must_use]
    pub fn audit(mut self, event: AuditEvent) -> Self {
        self.audit.push(event);
        self
    }
}

/// What a commit did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Committed {
    /// Outcomes of the batch's consumptions, in order. All `Consumed` means that the batch was written. If any is
    /// refused, none is used up (but for the burning of [`crate::one_time::Purpose::burns_on_mismatch`]).
    pub consumptions: Vec<Consumption>,
}

impl Committed {
    /// Whether the batch itself (not its refusal) was written.
    pub fn accepted(&self) -> bool {
        self.consumptions.iter().all(|c| matches!(c, Consumption::Consumed(_)))
    }
}
