//! What every room of the house shares and none of them owns: time, randomness, ids, secrets, sealing, signing,
//! the ports to the outside world, and errors that say whose fault they are.
//!
//! | module | what |
//! | --- | --- |
//! | [`time`] | [`time::Timestamp`], [`time::Clock`] |
//! | [`random`] | [`random::Rng`] |
//! | [`id`] | typed ids: [`id::PersonId`], [`id::RunId`], … |
//! | [`secret`] | [`secret::Secret`] and the opaque tokens people carry |
//! | [`seal`] | sealed values and MACs under the envelope key |
//! | [`jose`] | signing keys and JWTs |
//! | [`blame`] | [`blame::Blame`]: peer, caller or us |
//! | [`ports`] | traits to the outside: mail, SMS, token verification, hooks |
//! | [`outgoing`] | HTTP to addresses that others named, behind a guard |
//!
//! To add a port: a trait in `ports.rs`, an implementation beside it or in the binary, wired in `compose.rs`.

pub mod blame;
pub mod id;
pub mod jose;
pub mod outgoing;
pub mod ports;
pub mod random;
pub mod seal;
pub mod secret;
pub mod time;

use std::sync::Arc;

/// A boxed future, as object-safe async traits return it.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Time and randomness, handed to every service that needs them. Cheap to clone.
#[derive(Clone)]
pub struct Env {
    /// What time it is.
    pub clock: Arc<dyn time::Clock>,
    /// Where random bytes come from.
    pub rng: Arc<dyn random::Rng>,
}

impl Env {
    /// The current time.
    pub fn now(&self) -> time::Timestamp {
        self.clock.now()
    }

    /// The system's clock and generator.
    pub fn system() -> Self {
        Self { clock: Arc::new(time::SystemClock::new()), rng: Arc::new(random::SystemRng) }
    }
}
