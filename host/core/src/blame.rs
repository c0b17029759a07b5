//! Whose fault an error is. Only ours alerts anybody.

/// Who has to act for an error to go away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The other side of the connection: a browser, a relying party, a form.
    Peer,
    /// Whoever configured or programmed us: a flow, a setting, an administrator.
    Caller,
    /// This server or what it stands on.
    Us,
}

/// Implemented by every error that reaches an HTTP answer.
pub trait Blamed {
    /// Whose fault it is.
    fn blame(&self) -> Blame;
}
