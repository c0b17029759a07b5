//! Checks on a parsed flow, one a file.

pub mod facts;
