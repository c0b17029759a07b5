//! `GET /flow/live`: development only.

use std::convert::Infallible;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::stream::{Stream, unfold};

use crate::engine::Engine;

/// Every deployment, refused ones too, as it happens.
pub(super) async fn get(State(engine): State<Engine>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut changes = engine.catalog().changes();
    changes.mark_unchanged();
    let events = unfold(changes, |mut changes| async move {
        changes.changed().await.ok()?;
        let change = changes.borrow_and_update().clone();
        let event = Event::default().json_data(&change).unwrap_or_default();
        Some((Ok(event), changes))
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}
