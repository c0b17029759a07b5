//! The attacks of the security list, each against the running server over TLS. Numbers are those of the list.

mod brute_force;
mod codes;
mod flows;
mod front_channel;
mod headers;
mod keys;
mod outgoing;
mod pages;
mod proxies;
mod resources;
mod secrets;
mod tls;
mod tokens;
