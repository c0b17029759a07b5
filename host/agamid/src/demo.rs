//! `agamid demo`: everything on, loopback only, with sample people, clients, flows and a relying party.

mod relying_party;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use agamid_auth_server::client::Client;
use agamid_core::Env;
use agamid_core::seal::EnvelopeKey;
use tokio::net::TcpListener;

use crate::cli::DemoOptions;
use crate::compose::compose;
use crate::config::{NodeConfig, StoreConfig};
use crate::{listen, out, seed_hash, serve, telemetry};

/// People of the demo; the password of each is `demo-<name>-123`.
const PEOPLE: [(&str, &str, &str); 3] =
    [("alice", "Alice", "Liddell"), ("bob", "Bob", "Builder"), ("admin", "Ada", "Min")];
/// How long the admin token of a demo lives.
const ADMIN_TOKEN_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);
/// What the demo's command line and service may do.
const ADMIN_SCOPES: &[&str] = &[
    "config.projects.read",
    "config.projects.write",
    "config.plugins.read",
    "config.plugins.write",
    "config.outbox.read",
    "config.clients.read",
    "config.clients.write",
    "config.directories.read",
    "config.directories.write",
    "config.keys.read",
    "config.keys.write",
    "config.users.read",
    "config.users.write",
    "config.administrators.write",
    "config.groups.read",
    "config.groups.write",
    "config.attributes.read",
    "config.attributes.write",
    "config.organisations.read",
    "config.organisations.write",
    "config.sessions.read",
    "config.sessions.write",
    "config.consents.read",
    "config.consents.write",
    "config.export.read",
    "config.doctor.read",
];
/// What the environment may change (`AGAMID_LOG__LEVEL=debug`).
const BASE: &str = r#"
[log]
format = "pretty"
level = "info,agamid_store=warn"
"#;
/// Where the shipped flows and built plugins are, when the demo is started from the repository.
const FLOWS: &str = "flows";
const PLUGINS: &str = "plugins/dist";

/// Runs the demo until it is told to stop.
pub(crate) async fn demo(options: DemoOptions) -> Result<(), String> {
    let base =
        NodeConfig::of_text("agamid demo", BASE, std::env::vars()).map_err(|error| error.to_string())?;
    telemetry::start_log(&base.log)?;
    let metrics = telemetry::start_metrics()?;
    let (public, admin, party) = bind_all(options.port).await?;
    let folder = match &options.data {
        Some(_) => None,
        None => Some(tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?),
    };
    let data = options.data.clone().or_else(|| folder.as_ref().map(|folder| folder.path().to_owned()));
    let data = data.ok_or("no data folder")?;
    let env = Env::system();
    let config = configure(base, &options, &data, &env)?;
    let tls = config.public.tls.as_ref().map(crate::tls::Tls::load).transpose()?;
    let house = compose(&config, env.clone(), true, metrics).await?;
    let token = house.auth_server.issue_admin_token("demo-admin", ADMIN_TOKEN_LIFETIME).await;
    let token = token.map_err(|error| error.to_string())?;
    write_token(&data.join("admin.token"), token.expose())
        .map_err(|error| format!("admin.token: {error}"))?;
    let party_origin = format!("http://127.0.0.1:{}", options.port + 2);
    let flows =
        house.engine.catalog().projects().into_iter().flat_map(|project| project.launchable.into_keys());
    let router = relying_party::router(relying_party::Parts {
        env,
        issuer: config.public.issuer.clone(),
        provider: house.auth_server.clone(),
        origin: party_origin.clone(),
        certificate: config.public.tls.as_ref().map(|files| files.cert.clone()),
        flows: flows.map(|flow| (format!("agama_{flow}"), flow)).collect(),
    })?;
    tracing::info!(event = "demo.application", url = party_origin, "open this in a browser");
    if !options.no_open {
        open_browser(&party_origin);
    }
    let stop = listen::stop_signal().map_err(|error| error.to_string())?;
    let listeners = serve::Listeners { public, tls, admin, more: vec![(party, router)] };
    serve::run(house, listeners, &config.public.issuer, listen::Stop { told: stop, delay: Duration::ZERO })
        .await
}

/// Public and admin on both loopback addresses, the relying party on the one that is another site.
async fn bind_all(port: u16) -> Result<(Vec<TcpListener>, Vec<TcpListener>, TcpListener), String> {
    let ports = (port.checked_add(1), port.checked_add(2));
    let (Some(second), Some(third)) = ports else {
        return Err(format!("--port {port}: the demo needs this port and the two after it"));
    };
    let bind = |port: u16, purpose| listen::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), purpose);
    let failed = |error: listen::BindError| error.to_string();
    let mut public = vec![bind(port, "the provider").await.map_err(failed)?];
    let mut admin = vec![bind(second, "the admin listener").await.map_err(failed)?];
    let party = bind(third, "the sample application").await.map_err(failed)?;
    for (listeners, port, purpose) in
        [(&mut public, port, "the provider"), (&mut admin, second, "the admin listener")]
    {
        let address = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
        match listen::bind(address, purpose).await {
            Ok(listener) => listeners.push(listener),
            // Where IPv6 is off the demo goes on without. A port that somebody else has is no such case: a browser
            // tries this address first, and would bring passwords there.
            Err(error) if error.is_in_use() => return Err(error.to_string()),
            Err(_) => {}
        }
    }
    Ok((public, admin, party))
}

fn configure(base: NodeConfig, options: &DemoOptions, data: &Path, env: &Env) -> Result<NodeConfig, String> {
    std::fs::create_dir_all(data).map_err(|error| format!("--data {}: {error}", data.display()))?;
    let mut config = base;
    let scheme = if config.public.tls.is_some() { "https" } else { "http" };
    config.public.issuer = format!("{scheme}://localhost:{}", options.port);
    config.admin.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port + 1));
    // A database can be tried by AGAMID_STORE__URL.
    if config.store.url == StoreConfig::default().url {
        config.store.url = format!("sled:{}", data.join("store").display());
    }
    config.secrets.envelope_key_file = data.join("envelope.key");
    EnvelopeKey::load_or_create(&config.secrets.envelope_key_file, env).map_err(|error| error.to_string())?;
    config.flows.dir = folder(options.flows.as_ref(), FLOWS, "--flows")?;
    config.flows.watch = config.flows.dir.is_some();
    config.plugins.dir = folder(options.plugins.as_ref(), PLUGINS, "--plugins")?;
    let port = options.port + 2;
    let scopes = ADMIN_SCOPES.iter().map(|scope| format!("\"{scope}\"")).collect::<Vec<_>>().join(", ");
    let seed = format!(
        r#"
        [flows]
        default_acr = "agama_demo.password"
        [oauth]
        registration = "open"
        [plugins]
        allow_unsigned = true
        [plugins.grants."extras:otp"]
        proves = ["otp"]
        [[clients]]
        client_id = "demo-rp"
        client_name = "Sample application"
        client_uri = "http://127.0.0.1:{port}"
        token_endpoint_auth_method = "none"
        redirect_uris = ["http://127.0.0.1:{port}/cb"]
        post_logout_redirect_uris = ["http://127.0.0.1:{port}/"]
        grant_types = ["authorization_code", "refresh_token"]
        scopes = ["openid", "profile", "email", "phone", "address", "groups", "offline_access"]
        [[clients]]
        client_id = "demo-service"
        client_name = "Sample service"
        secret_hash = "{}"
        grant_types = ["client_credentials"]
        introspects_all = true
        scopes = [{scopes}]
        [[clients]]
        client_id = "demo-admin"
        client_name = "Agamid administration"
        token_endpoint_auth_method = "none"
        scopes = ["openid", {scopes}]
        [[clients]]
        client_id = "demo-confidential"
        client_name = "Sample application with a secret"
        secret_hash = "{}"
        redirect_uris = ["http://127.0.0.1:{port}/cb"]
        scopes = ["openid", "profile", "email"]
        grant_types = ["authorization_code", "refresh_token"]
        require_consent = false
        id_token_signed_response_alg = "ES256"
        "#,
        Client::hash_secret("demo-service-secret-123"),
        Client::hash_secret("demo-confidential-secret-123"),
    );
    config.seed = toml::from_str(&seed).map_err(|error| error.to_string())?;
    // A seed fills an empty store only, and hashing takes its time.
    let people = if data.join("store").exists() { &[][..] } else { &PEOPLE[..] };
    for (name, given, family) in people.iter().copied() {
        let mut person = toml::Table::new();
        let hash = seed_hash(env, &format!("demo-{name}-123"))?;
        for (key, value) in [
            ("username", name),
            ("password_hash", hash.as_str()),
            ("email", &format!("{name}@example.org")),
            ("given_name", given),
            ("family_name", family),
        ] {
            person.insert(key.to_owned(), value.into());
        }
        person.insert("administrator".to_owned(), (name == "admin").into());
        config.seed.persons.push(person);
    }
    Ok(config)
}

/// The folder named, or the repository's own where it is there.
fn folder(named: Option<&PathBuf>, own: &str, option: &str) -> Result<Option<PathBuf>, String> {
    match named {
        Some(folder) if folder.is_dir() => Ok(Some(folder.clone())),
        Some(folder) => Err(format!("{option} {}: no such folder", folder.display())),
        None => Ok(Some(PathBuf::from(own)).filter(|folder| folder.is_dir())),
    }
}

/// A new file with mode 0600 takes the old one's place, whatever that was.
fn write_token(path: &Path, token: &str) -> std::io::Result<()> {
    let new = path.with_extension("new");
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&new)?;
    std::io::Write::write_all(&mut file, token.as_bytes())?;
    std::fs::rename(&new, path)
}

/// Opens the sample application where there is a desktop; nothing happens elsewhere.
fn open_browser(url: &str) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let quiet = std::process::Stdio::null;
    let started =
        std::process::Command::new(program).arg(url).stdin(quiet()).stdout(quiet()).stderr(quiet()).spawn();
    if started.is_err() {
        out::error(&format!("open {url} in a browser"));
    }
}
