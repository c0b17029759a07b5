//! Where the server is, and how to talk to it.

use std::net::IpAddr;

use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, TlsCertificates};

use super::RedisOptions;
use crate::error::StoreError;

/// Says in an address that a server elsewhere is to be used without TLS.
const PLAIN: &str = "tls=disable";

fn refused(reason: impl std::fmt::Display) -> StoreError {
    StoreError::Open(format!("the address of Redis (store.redis_url): {reason}"))
}

/// Makes a client; connects to nothing yet. TLS with a checked certificate is the rule; on the same machine it may be
/// left out, elsewhere only by saying `tls=disable`.
pub(super) fn client(options: &RedisOptions) -> Result<Client, StoreError> {
    let (url, plain) = without_plain(&options.url);
    if url.contains('#') {
        return Err(refused("it has a part behind #: certificates are always checked (store.redis_tls_ca)"));
    }
    let info = url.as_str().into_connection_info().map_err(|error| {
        refused(format!("{error}: write rediss://HOST, redis://127.0.0.1 or unix:///PATH/TO/SOCKET"))
    })?;
    let info = with_password(info, options);
    match info.addr() {
        ConnectionAddr::Tcp(host, _) if !plain && !is_local(host) => Err(refused(format!(
            "{host} would be talked to without TLS, and with the password in the clear: write rediss://, or add \
             ?{PLAIN} where the network between is trusted"
        ))),
        ConnectionAddr::TcpTls { .. } => {
            let root_cert = options.certificates.clone();
            Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert })
                .map_err(|error| refused(format!("store.redis_tls_ca: {error}")))
        }
        _ => Client::open(info).map_err(refused),
    }
}

/// The address without the word that is ours, and whether that was there.
fn without_plain(url: &str) -> (String, bool) {
    let Some((base, query)) = url.split_once('?') else { return (url.to_owned(), false) };
    let (plain, rest): (Vec<&str>, Vec<&str>) = query.split('&').partition(|pair| *pair == PLAIN);
    let rest = rest.join("&");
    (if rest.is_empty() { base.to_owned() } else { format!("{base}?{rest}") }, !plain.is_empty())
}

fn with_password(info: ConnectionInfo, options: &RedisOptions) -> ConnectionInfo {
    // A user with few rights may not say what library it is.
    let mut settings = info.redis_settings().clone().set_skip_set_lib_name();
    if let Some(password) = &options.password {
        settings = settings.set_password(password.expose());
    }
    info.set_redis_settings(settings)
}

fn is_local(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use agamid_core::Env;
    use agamid_core::seal::{EnvelopeKey, Sealer};

    use super::*;

    fn of(url: &str) -> Result<Client, StoreError> {
        let env = Env::system();
        let sealer = Sealer::new(EnvelopeKey::generate(&env), env);
        client(&RedisOptions { url: url.to_owned(), password: None, certificates: None, sealer })
    }

    #[test]
    fn without_tls_only_on_the_same_machine_or_where_the_operator_says_so() {
        for fine in [
            "redis://127.0.0.1",
            "redis://localhost:7000/2",
            "redis://[::1]",
            "unix:///run/redis.sock",
            "rediss://cache.example",
            "redis://user:word@cache.example/?tls=disable",
            "redis://cache.example/1?protocol=resp3&tls=disable",
        ] {
            assert!(of(fine).is_ok(), "{fine}");
        }
        for wrong in [
            "redis://cache.example",
            "redis://10.0.0.1",
            "redis://cache.example/?tls=disabled",
            "redis://127.0.0.1.example",
            "rediss://cache.example/#insecure",
            "http://127.0.0.1",
            "redis://",
            "redis://127.0.0.1/zero",
            "",
        ] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_refusal_does_not_tell_the_password() {
        for wrong in
            ["redis://user:hunter2@cache.example", "redis://:hunter2@127.0.0.1/zero", "x://:hunter2@h"]
        {
            let said = of(wrong).err().unwrap().to_string();
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}
