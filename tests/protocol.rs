//! What clients see.

mod admin;

mod metadata;
