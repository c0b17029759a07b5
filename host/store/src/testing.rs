//! What tests of this and other crates need: a store that breaks, and a PostgreSQL of their own. Behind the feature
//! `testing`.

pub mod fault;
pub mod private_postgres;

pub use fault::Fault;
pub use private_postgres::PrivatePostgres;
