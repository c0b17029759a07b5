//! `GET /flow/live`: development only.

use std::convert::Infallible;

use axum::extract::{Query, State};
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::stream::{Stream, unfold};
use serde::Deserialize;

use crate::engine::Engine;

/// What the asking page knows.
#[derive(Debug, Deserialize)]
pub(super) struct Known {
    /// The serial number of the last change when it was made; without it only what comes now is told.
    since: Option<u64>,
}

/// Every deployment, refused ones too, as it happens; and at once the last one, if the page is older than it.
pub(super) async fn get(
    State(engine): State<Engine>,
    Query(known): Query<Known>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut changes = engine.catalog().changes();
    if known.since.is_some_and(|since| since < changes.borrow().serial) {
        changes.mark_changed();
    } else {
        changes.mark_unchanged();
    }
    let events = unfold((changes, engine.stopping()), |(mut changes, mut stopping)| async move {
        tokio::select! {
            changed = changes.changed() => changed.ok()?,
            _ = stopping.wait_for(|stopping| *stopping) => return None,
        }
        let change = changes.borrow_and_update().clone();
        let event = Event::default().json_data(&change).unwrap_or_default();
        Some((Ok(event), (changes, stopping)))
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}
