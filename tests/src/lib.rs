//! Integration tests, laid out like the routes
