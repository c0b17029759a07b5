//! `agamid doctor`: whether store, keys, clock and configuration are in order.

use std::path::{Path, PathBuf};
use std::time::Duration;

use agamid_auth_server::OauthSettings;
use agamid_auth_server::client::Client;
use agamid_auth_server::keys::KeyRing;
use agamid_core::Env;
use agamid_core::outgoing::OutgoingSettings;
use agamid_core::seal::{EnvelopeKey, Sealer};
use agamid_flow_engine::FlowSettings;
use agamid_identity::IdentitySettings;
use agamid_identity::directory::DirectoriesSettings;
use agamid_plugin_host::PluginSettings;
use agamid_store::{ExportFile, Finding, Severity, Store};
use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

use crate::admin_client::AdminClient;
use crate::config::NodeConfig;
use crate::export::{ProtectionArgs, open_existing};
use crate::tls::Tls;
use crate::{Exit, out, settings};

/// The configuration that is read where none is named.
const FILE: &str = "agamid.toml";

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// A disk with less room than this is worth a warning.
const LITTLE_ROOM: u64 = 1 << 30;

/// How many findings are told; more of them are only counted.
const TOLD: usize = 1_000;

/// `agamid doctor`
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// The node's configuration; agamid.toml unless given or a running server is asked.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Ask a running server about its store, at its admin listener (scope config.doctor.read, token from
    /// AGAMID_TOKEN).
    #[arg(long)]
    server: Option<String>,
    /// Also compare the store with an export.
    #[arg(long, requires = "protection", conflicts_with = "server")]
    compare: Option<PathBuf>,
    #[command(flatten)]
    protection: ProtectionArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Looks at everything, prints what it finds; exit code 1 where something is broken.
pub(crate) async fn doctor(arguments: DoctorArgs) -> Result<(), Exit> {
    let env = Env::system();
    let read = |file: &Path| NodeConfig::of_file(file).map_err(Exit::Failed);
    let mut findings = Vec::new();
    let (records, more) = match &arguments.server {
        Some(server) => {
            // Whoever asks from afar need not have the node's file.
            if let Some(file) = &arguments.config {
                findings = node(&read(file)?);
            }
            running(server, &mut findings).await?
        }
        None => {
            let config = read(arguments.config.as_deref().unwrap_or(Path::new(FILE)))?;
            findings = node(&config);
            stored(&arguments, &config, &env, &mut findings).await?
        }
    };
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    if arguments.json {
        out::line(&json!({ "records": records, "findings": findings, "more": more }).to_string());
    } else {
        print(&findings, records, more);
    }
    let broken = findings.iter().any(|finding| finding.severity == Severity::Error);
    if broken { Err(Exit::Errors) } else { Ok(()) }
}

fn print(findings: &[Finding], records: u64, more: u64) {
    for finding in findings {
        let severity = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        out::line(&format!("{severity}: {}: {}\n    {}", finding.place, finding.what, finding.remedy));
    }
    if more > 0 {
        out::line(&format!("and {more} more"));
    }
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    out::line(&format!("{records} records looked at, {} findings, {errors} of them errors", findings.len()));
}

/// What the configuration alone says.
fn node(config: &NodeConfig) -> Vec<Finding> {
    let mut found = Vec::new();
    let issuer = &config.public.issuer;
    let loopback = url::Url::parse(issuer).is_ok_and(|issuer| match issuer.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    });
    if issuer.starts_with("http://") && !loopback {
        found.push(Finding::new(
            Severity::Error,
            "public.issuer",
            format!("{issuer} is http: everybody on the way reads and changes what is sent"),
            "use https, by public.tls or by a proxy in front",
        ));
    }
    if let Some(files) = &config.public.tls
        && let Err(reason) = Tls::load(files)
    {
        found.push(Finding::new(Severity::Error, "public.tls", reason, "mend or replace the file"));
    }
    if let Some(directory) = config.store.url.strip_prefix("sled:")
        && let Ok(free) = fs4::available_space(directory)
        && free < LITTLE_ROOM
    {
        let what = format!("{} MiB are free on the disk of {directory}", free >> 20);
        let remedy = "make room: with a full disk nothing can be written, and nobody can log in";
        found.push(Finding::new(Severity::Warning, "store.url", what, remedy));
    }
    if let Err(error) = EnvelopeKey::load(&config.secrets.envelope_key_file) {
        let remedy =
            "put the key that the store was made with there: without it no signing key can be opened";
        found.push(Finding::new(Severity::Error, "secrets.envelope_key_file", error.to_string(), remedy));
    }
    found
}

/// Asks a server that holds the store.
async fn running(server: &str, findings: &mut Vec<Finding>) -> Result<(u64, u64), Exit> {
    let answer =
        AdminClient::new(server, "config.doctor.read")?.call(Method::GET, "/config/v1/doctor").await?;
    for found in answer.get("findings").and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| found.get(name).and_then(Value::as_str).unwrap_or_default();
        let severity = match text("severity") {
            "note" => Severity::Note,
            "warning" => Severity::Warning,
            _ => Severity::Error,
        };
        findings.push(Finding::new(severity, text("place"), text("what"), text("remedy")));
    }
    let number = |name: &str| answer.get(name).and_then(Value::as_u64).unwrap_or(0);
    Ok((number("records"), number("more")))
}

/// Opens the store and looks.
async fn stored(
    arguments: &DoctorArgs,
    config: &NodeConfig,
    env: &Env,
    findings: &mut Vec<Finding>,
) -> Result<(u64, u64), Exit> {
    let failed = |error: &dyn std::fmt::Display| Exit::Failed(error.to_string());
    let store = match open_existing(arguments.config.as_deref().unwrap_or(Path::new(FILE)), env).await {
        Ok(store) => store,
        // A store that is refused is what the doctor was asked about.
        Err(Exit::Failed(reason)) => {
            let remedy = "do what the message says; docs/backup.md has more";
            findings.push(Finding::new(Severity::Error, "store.url", reason, remedy));
            return Ok((0, 0));
        }
        Err(other) => return Err(other),
    };
    let (clock, mut told) = (env.clock.clone(), env.clock.monotonic());
    let progress = move |looked: u64| {
        let now = clock.monotonic();
        if now.saturating_sub(told) > TELL_EVERY {
            told = now;
            out::error(&format!("{looked} records looked at"));
        }
    };
    let mut more = 0;
    let take = |finding| if findings.len() < TOLD { findings.push(finding) } else { more += 1 };
    let records = store.check(take, progress).await.map_err(|e| failed(&e))?;
    findings.extend(sections(&store, config, env).await);
    findings.extend(samples(&store, config).await);
    if let Some(path) = &arguments.compare {
        findings.extend(compared(&store, path, &arguments.protection, env).await?);
    }
    store.close().await.map_err(|e| failed(&e))?;
    Ok((records, more))
}

/// The settings, and the signing keys that depend on them.
async fn sections(store: &Store, config: &NodeConfig, env: &Env) -> Vec<Finding> {
    let mut found = Vec::new();
    let results = [
        settings::check::<IdentitySettings>(store, config, "identity").await.err(),
        settings::check::<DirectoriesSettings>(store, config, "directories").await.err(),
        settings::check::<FlowSettings>(store, config, "flows").await.err(),
        settings::check::<PluginSettings>(store, config, "plugins").await.err(),
        settings::check::<OutgoingSettings>(store, config, "outgoing").await.err(),
    ];
    let oauth = settings::check::<OauthSettings>(store, config, "oauth").await;
    let errors = results.into_iter().flatten().map(|error| error.to_string());
    let errors: Vec<String> = errors.chain(oauth.as_ref().err().map(ToString::to_string)).collect();
    for error in errors {
        let remedy = "correct the setting (or the lock) that is named; no server starts with it as it is";
        found.push(Finding::new(Severity::Error, "settings", error, remedy));
    }
    let Ok(key) = EnvelopeKey::load(&config.secrets.envelope_key_file) else { return found };
    let oauth = oauth.ok().flatten().unwrap_or_default();
    match KeyRing::inspect(env, store, &Sealer::new(key, env.clone()), &oauth).await {
        Ok(more) => found.extend(more),
        Err(error) => found.push(Finding::new(
            Severity::Error,
            "signing keys",
            error.to_string(),
            "see the findings about signing_key records",
        )),
    }
    found
}

/// What everybody can read in our documentation must open nothing on a real server.
async fn samples(store: &Store, config: &NodeConfig) -> Vec<Finding> {
    let mut found = Vec::new();
    if !config.public.issuer.starts_with("https://") {
        return found;
    }
    for client in ["demo-service", "demo-rp", "demo-admin"] {
        if let Ok(Some(_)) = store.get::<Client>(client).await {
            found.push(Finding::new(
                Severity::Error,
                format!("client {client}"),
                "is a client of the demo, whose secret everybody knows",
                "delete it; a store of `agamid demo` is not for production",
            ));
        }
    }
    found
}

async fn compared(
    store: &Store,
    path: &Path,
    protection: &ProtectionArgs,
    env: &Env,
) -> Result<Vec<Finding>, Exit> {
    let failed = |error: &dyn std::fmt::Display| Exit::Failed(error.to_string());
    let protection = protection.read(env, false)?;
    let file = ExportFile::open(path, protection, env.clone()).await.map_err(|e| failed(&e))?;
    let differences = store.compare(&file).await.map_err(|e| failed(&e))?;
    let finding = |what: String| {
        let remedy = "expected where the store was used since (first: the store, second: the file)";
        Finding::new(Severity::Error, path.display().to_string(), what, remedy)
    };
    Ok(differences.iter().map(|difference| finding(difference.to_string())).collect())
}
