//! What clients see.

mod admin;
mod journey;
mod metadata;
mod token;
