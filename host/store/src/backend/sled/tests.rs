//! Faults that only a false disk can show.
