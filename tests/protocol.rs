//! What clients see.

mod admin;
mod authorize;
mod metadata;
mod token;
