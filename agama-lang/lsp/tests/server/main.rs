//! The server as an editor meets it: messages in, messages out, on files in memory.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of a test stop it where something is wrong"
)]

mod actions;
mod completion;
mod editing;
mod editor;
mod lifecycle;
mod navigate;
mod rename;
mod show;
mod snippets;
