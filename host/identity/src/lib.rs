//! Persons, credentials, password policy, lock-out, organisations and browser sessions
