//! Statements that go out together, in order, as one transaction, without waiting for one another's answers. After one
//! that fails nothing takes effect, whatever was sent behind it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use agamid_core::BoxFuture;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Statement};

use super::connect::Lane;
use super::failure::Failure;

/// A value for a placeholder.
pub(super) type Value = Box<dyn ToSql + Send + Sync>;

/// A statement and its values.
pub(super) struct Step {
    pub(super) sql: Arc<str>,
    pub(super) values: Vec<Value>,
}

impl Step {
    pub(super) fn new(sql: &Arc<str>, values: Vec<Value>) -> Self {
        Self { sql: Arc::clone(sql), values }
    }
}

/// What came back of each step, or which step failed.
pub(super) type Landed = Result<Vec<Vec<Row>>, (usize, Failure)>;

/// How a flight begins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// With a transaction of its own.
    New,
    /// Inside the one that is open on the lane.
    Inside,
}

/// Sends all steps and the commit; the transaction is over afterwards, either way.
pub(super) async fn fly(lane: &mut Lane, begin: Begin, steps: &[Step]) -> Landed {
    let mut statements = Vec::with_capacity(steps.len());
    for (at, step) in steps.iter().enumerate() {
        statements.push(lane.prepared(&step.sql).await.map_err(|error| (at, error.into()))?);
    }
    let client = lane.client();
    // One statement is a transaction by itself.
    let alone = begin == Begin::New && steps.len() == 1;
    let mut flight: Vec<BoxFuture<'_, Result<Vec<Row>, Error>>> = Vec::with_capacity(steps.len() + 2);
    if begin == Begin::New && !alone {
        flight.push(Box::pin(simple(client, "BEGIN ISOLATION LEVEL READ COMMITTED")));
    }
    let before = flight.len();
    for (statement, step) in statements.iter().zip(steps) {
        flight.push(Box::pin(query(client, statement, &step.values)));
    }
    if !alone {
        flight.push(Box::pin(simple(client, "COMMIT")));
    }
    let mut landed = Vec::with_capacity(steps.len());
    for (at, result) in in_order(flight).await.into_iter().enumerate() {
        // Those after the first failure say only that there was one.
        let rows = result.map_err(|error| (at.saturating_sub(before), error.into()))?;
        if at >= before && landed.len() < steps.len() {
            landed.push(rows);
        }
    }
    Ok(landed)
}

async fn simple(client: &Client, sql: &'static str) -> Result<Vec<Row>, Error> {
    client.batch_execute(sql).await.map(|()| Vec::new())
}

async fn query(client: &Client, statement: &Statement, values: &[Value]) -> Result<Vec<Row>, Error> {
    let values: Vec<&(dyn ToSql + Sync)> =
        values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect();
    client.query(statement, &values).await
}

/// Runs futures side by side, each begun before the next: beginning is what sends a statement.
async fn in_order<F: Future + Unpin>(mut futures: Vec<F>) -> Vec<F::Output> {
    let mut answers: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        let mut waiting = false;
        for (future, answer) in futures.iter_mut().zip(&mut answers) {
            if answer.is_none() {
                match Pin::new(future).poll(context) {
                    Poll::Ready(done) => *answer = Some(done),
                    Poll::Pending => waiting = true,
                }
            }
        }
        if waiting { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    answers.into_iter().flatten().collect()
}
