//! `agamid flow …`: tools for flow authors.
