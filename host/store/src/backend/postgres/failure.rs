//! What an error of the database means.

use std::time::Duration;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::error::StoreError;

/// Why something on a lane failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The database or the connection.
    Database(Error),
    /// Us, or what was found.
    Store(StoreError),
    /// It did not answer for so long.
    Silence(Duration),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Failure {
    fn state(&self) -> Option<&SqlState> {
        match self {
            Failure::Database(error) => error.code(),
            Failure::Store(_) | Failure::Silence(_) => None,
        }
    }

    /// A condition of ours did not hold.
    pub(super) fn is_unmet(&self) -> bool {
        self.state() == Some(&SqlState::DIVISION_BY_ZERO)
    }

    /// Found by us, not by the database.
    pub(super) fn is_ours(&self) -> bool {
        matches!(self, Failure::Store(_))
    }

    /// Another record holds a unique value; the index that says so.
    pub(super) fn taken(&self) -> Option<String> {
        match self {
            Failure::Database(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
                Some(error.as_db_error().and_then(|error| error.constraint()).unwrap_or_default().to_owned())
            }
            _ => None,
        }
    }

    /// Somebody else made the same table or column a moment before.
    pub(super) fn is_made(&self) -> bool {
        let made = [
            SqlState::DUPLICATE_TABLE,
            SqlState::DUPLICATE_COLUMN,
            SqlState::DUPLICATE_OBJECT,
            SqlState::T_R_SERIALIZATION_FAILURE,
        ];
        self.state().is_some_and(|state| made.contains(state))
    }

    /// The same may work when it is tried again: two flights stood in each other's way.
    pub(super) fn is_collision(&self) -> bool {
        matches!(self.state(), Some(&SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED))
    }

    /// The connection is gone, or the server is going.
    pub(super) fn is_lost_connection(&self) -> bool {
        match self {
            Failure::Store(_) | Failure::Silence(_) => false,
            Failure::Database(error) => match error.code() {
                None => true,
                Some(state) => is_shutdown(state),
            },
        }
    }

    /// Whether the lane must not be used again.
    pub(super) fn breaks_lane(&self) -> bool {
        // A server that only reads now may be a primary no more; a transaction that was left open must not be met.
        let spoilt = [SqlState::READ_ONLY_SQL_TRANSACTION, SqlState::IN_FAILED_SQL_TRANSACTION];
        matches!(self, Failure::Silence(_))
            || self.is_lost_connection()
            || self.state().is_some_and(|state| spoilt.contains(state))
    }

    pub(super) fn into_store_error(self) -> StoreError {
        match self {
            Failure::Store(error) => error,
            Failure::Silence(limit) => StoreError::Unavailable(format!(
                "the database did not answer within {} s (store.timeout_seconds)",
                limit.as_secs_f32()
            )),
            Failure::Database(error) => refused(&error).unwrap_or_else(|| unavailable(&error)),
        }
    }
}

fn is_shutdown(state: &SqlState) -> bool {
    [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW].contains(state)
}

/// What the database refuses because of what it was given.
fn refused(error: &Error) -> Option<StoreError> {
    let state = error.code()?;
    let data = [SqlState::UNTRANSLATABLE_CHARACTER, SqlState::CHARACTER_NOT_IN_REPERTOIRE];
    data.contains(state)
        .then(|| StoreError::Invalid(format!("the database can't store this: {}", said(error))))
}

/// The database does not do what it is asked, whoever's fault that is.
pub(super) fn unavailable(error: &Error) -> StoreError {
    let hint = match error.code() {
        Some(&SqlState::READ_ONLY_SQL_TRANSACTION) => " (it is read-only: point store.url at the primary)",
        Some(&SqlState::UNDEFINED_TABLE | &SqlState::UNDEFINED_COLUMN) => " (run `agamid migrate`)",
        Some(&SqlState::DISK_FULL) => " (its disk is full)",
        Some(&SqlState::TOO_MANY_CONNECTIONS) => " (lower store.connections or raise max_connections)",
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => " (its user may not: grant the rights on our tables)",
        _ => "",
    };
    StoreError::Unavailable(format!("the database: {}{hint}", said(error)))
}

/// What the error says, all the way down: the outer one alone says "db error".
pub(super) fn said(error: &Error) -> String {
    if let Some(error) = error.as_db_error() {
        return format!("{} ({})", error.message(), error.code().code());
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
