//! What a commit means. Pure functions over an [`Overlay`]: both backends run these and nothing else, one request
//! after another, so they cannot differ. A request that fails leaves an overlay that its caller drops.

mod audit;
mod load;
mod migrate;
mod one_time;
mod records;

use agamid_core::time::Timestamp;

use crate::backend::keyspace::{Read, Reply, Request};
use crate::batch::{Batch, Operation};
use crate::error::StoreError;
use crate::keys;
use crate::one_time::{Consume, Consumption};
use crate::overlay::Overlay;
use crate::record::Kind;

pub(crate) use one_time::{KIND as ONE_TIME, State, peek};
pub(crate) use records::conflict;

/// How the keyspace is laid out. A change of it needs a migration.
const FORMAT: &str = "1";

/// The name under which a store keeps its node id.
pub(crate) const NODE: &str = "node";

/// The name under which a store keeps how far an import has come.
pub(crate) const IMPORT: &str = "import";

/// Evaluates one request at `now`.
pub(crate) fn evaluate(
    view: &mut Overlay<'_>,
    request: &Request,
    now: Timestamp,
) -> Result<Reply, StoreError> {
    match request {
        Request::Start { node, kinds } => start(view, node, kinds).map(|()| Reply::default()),
        Request::Commit(batch) => commit(view, batch, now),
        Request::Sweep(expired) => {
            records::sweep(view, expired, now).map(|swept| Reply { swept, ..Reply::default() })
        }
        Request::Load(items) => load::load(view, items, now).map(|()| Reply::default()),
        Request::Migrate(step) => migrate::step(view, step, now).map(|()| Reply::default()),
        Request::Tap(_) | Request::Untap(_) | Request::Ping => Ok(Reply::default()),
    }
}

fn start(view: &mut Overlay<'_>, node: &str, kinds: &[Kind]) -> Result<(), StoreError> {
    match view.get(&keys::about("format"))? {
        Some(format) if format == FORMAT.as_bytes() => {}
        Some(format) => {
            let found = String::from_utf8_lossy(&format).into_owned();
            return Err(StoreError::Open(format!(
                "its layout is {found}, this server knows {FORMAT}: run the server that wrote it, or a newer one"
            )));
        }
        None => {
            view.put(keys::about("format"), FORMAT.into());
            // Nothing is there yet, so all of it is as this server writes it.
            for kind in kinds {
                migrate::record(view, kind)?;
            }
        }
    }
    if view.get(&keys::about(NODE))?.is_none() {
        view.put(keys::about(NODE), node.into());
    }
    Ok(())
}

/// Consumptions are decided first, on what was there before the batch. Only if all succeed do the other
/// operations run, in order, each seeing the ones before it.
fn commit(view: &mut Overlay<'_>, batch: &Batch, now: Timestamp) -> Result<Reply, StoreError> {
    check_batch(batch)?;
    let consumes = consumes(batch);
    let mut accepted = Overlay::new(&*view);
    let consumptions = consumes
        .iter()
        .map(|consume| one_time::consume(&mut accepted, consume, now))
        .collect::<Result<Vec<_>, _>>()?;
    if consumptions.iter().all(|outcome| matches!(outcome, Consumption::Consumed(_))) {
        apply(&mut accepted, batch, now)?;
        let changes = accepted.into_changes();
        view.absorb(changes);
    } else {
        for (consume, outcome) in consumes.into_iter().zip(&consumptions) {
            if matches!(outcome, Consumption::Mismatch(_)) && consume.purpose.burns_on_mismatch() {
                one_time::burn(view, consume, now)?;
            }
        }
        if let Some(refusal) = &batch.if_refused {
            apply(view, refusal, now)?;
        }
    }
    Ok(Reply { consumptions, ..Reply::default() })
}

/// Whether a batch can be written at all, whatever is there.
pub(crate) fn check_batch(batch: &Batch) -> Result<(), StoreError> {
    check_built(batch)?;
    for operation in &batch.operations {
        match operation {
            Operation::Put { document, .. } => records::check(document)?,
            Operation::Delete { kind, key, .. } | Operation::Require { kind, key, .. } => {
                keys::check("key", kind, key)?;
            }
            Operation::Issue(record) => one_time::check(record.purpose, &record.hash)?,
            Operation::Consume(consume) => one_time::check(consume.purpose, &consume.hash)?,
        }
    }
    batch.if_refused.as_ref().map_or(Ok(()), |refusal| check_batch(refusal))
}

fn check_built(batch: &Batch) -> Result<(), StoreError> {
    if let Some(error) = &batch.error {
        return Err(error.clone());
    }
    let Some(refusal) = &batch.if_refused else { return Ok(()) };
    if refusal.if_refused.is_some() || !consumes(refusal).is_empty() {
        let reason = "what is written when a consumption is refused cannot itself consume";
        return Err(StoreError::Invalid(reason.to_owned()));
    }
    check_built(refusal)
}

pub(crate) fn consumes(batch: &Batch) -> Vec<&Consume> {
    let operations = batch.operations.iter();
    operations
        .filter_map(|operation| match operation {
            Operation::Consume(consume) => Some(consume),
            _ => None,
        })
        .collect()
}

fn apply(view: &mut Overlay<'_>, batch: &Batch, now: Timestamp) -> Result<(), StoreError> {
    for operation in &batch.operations {
        match operation {
            Operation::Put { document, expect } => records::put(view, document, *expect, now)?,
            Operation::Delete { kind, key, expect } => records::delete(view, kind, key, *expect, now)?,
            Operation::Require { kind, key, expect } => {
                records::require(view, kind, key, *expect, now)?;
            }
            Operation::Issue(record) => one_time::issue(view, record, now)?,
            Operation::Consume(_) => {}
        }
    }
    audit::append(view, &batch.audit, now)
}
