//! What can only be shown from inside: stored bytes that somebody changed.
