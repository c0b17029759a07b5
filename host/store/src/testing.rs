//! What tests of this and other crates need: a store that breaks, and a PostgreSQL and a Redis of their own. Behind the
//! feature `testing`.

pub mod fault;
pub mod private_postgres;
pub mod private_redis;

pub use fault::Fault;
pub use private_postgres::PrivatePostgres;
pub use private_redis::PrivateRedis;
