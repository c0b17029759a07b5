//! Builds the house. The one file that names concrete types.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use agamid_auth_server::{AuthServer, AuthServerParts, OauthSettings};
use agamid_config_api::ConfigApiParts;
use agamid_core::Env;
use agamid_core::outgoing::{GuardedHttp, OutgoingSettings, SystemResolver};
use agamid_core::ports::{Mailer, SmsSender};
use agamid_core::seal::{EnvelopeKey, Sealer};
use agamid_core::secret::Secret;
use agamid_flow_engine::project::{ProjectFiles, is_newer};
use agamid_flow_engine::{Engine, EngineParts, FlowSettings};
use agamid_identity::directory::DirectoriesSettings;
use agamid_identity::lockout::SharedCounters;
use agamid_identity::{Identity, IdentityParts, IdentitySettings};
use agamid_plugin_host::{CompiledCache, PluginHost, PluginHostParts, PluginSettings};
use agamid_store::outbox::Outbox;
use agamid_store::{Kind, Redis, RedisOptions, Store, StoreOptions};
use agamid_web::{Web, WebConfig};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, Version, header};
use axum::response::Response;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::config::{NodeConfig, StoreConfig};
use crate::{seed, settings};

/// The running parts that commands need.
pub(crate) struct House {
    pub(crate) store: Store,
    pub(crate) engine: Engine,
    pub(crate) auth_server: AuthServer,
    pub(crate) identity: Identity,
    pub(crate) public: Router,
    pub(crate) admin: Router,
    /// Set when the server was told to stop: it is not ready any more.
    pub(crate) leaving: Arc<AtomicBool>,
    /// File watchers; they stop when dropped.
    _watchers: Vec<notify::RecommendedWatcher>,
}

/// The projects that every server has.
#[derive(rust_embed::RustEmbed)]
#[folder = "../../flows"]
struct Shipped;

/// The plugins that ship, as `cargo xtask plugins` built them.
#[derive(rust_embed::RustEmbed)]
#[folder = "../../plugins/dist"]
struct ShippedPlugins;

/// The components that ship.
pub(crate) fn shipped_plugins() -> impl Iterator<Item = Vec<u8>> {
    ShippedPlugins::iter()
        .filter(|name| name.ends_with(".wasm"))
        .filter_map(|name| Some(ShippedPlugins::get(&name)?.data.into_owned()))
}

/// The projects that ship, `demo` only where it is wanted.
pub(crate) fn shipped(with_demo: bool) -> Result<Vec<ProjectFiles>, String> {
    let mut found = Vec::new();
    for name in ["agamid", "demo"] {
        if name == "demo" && !with_demo {
            continue;
        }
        let prefix = format!("{name}/");
        let files = Shipped::iter().filter_map(|path| {
            let content = Shipped::get(&path)?.data.into_owned();
            Some((path.strip_prefix(&prefix)?.to_owned(), content))
        });
        let project =
            ProjectFiles::from_files(files.collect()).map_err(|error| format!("project {name}: {error}"))?;
        found.push(project);
    }
    Ok(found)
}

/// Builds everything, in the order of the arrows.
pub(crate) async fn compose(
    config: &NodeConfig,
    env: Env,
    with_demo: bool,
    metrics: PrometheusHandle,
) -> Result<House, String> {
    let key = &config.secrets.envelope_key_file;
    let envelope = EnvelopeKey::load(key)
        .map_err(|error| format!("secrets.envelope_key_file: {error} (`agamid init` makes one)"))?;
    let sealer = Sealer::new(envelope, env.clone());
    let redis = open_redis(&config.store, &env, &sealer).await?;
    let store = open_store(&config.store, &env, redis.clone()).await?;
    if store.unfinished_import().await.map_err(|error| error.to_string())? {
        return Err(
            "store.url: an import into it was interrupted: run the same `agamid import` again".to_owned()
        );
    }
    compose_on(Base { store, sealer, redis }, config, env, with_demo, metrics).await
}

/// What the house stands on.
struct Base {
    store: Store,
    sealer: Sealer,
    redis: Option<Redis>,
}

/// As [`compose`], on what is open.
async fn compose_on(
    base: Base,
    config: &NodeConfig,
    env: Env,
    with_demo: bool,
    metrics: PrometheusHandle,
) -> Result<House, String> {
    let Base { store, sealer, redis } = base;
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let web = web(config, &env, with_demo)?;

    let identity_settings: IdentitySettings = section(&store, config, "identity").await?;
    let directories: DirectoriesSettings = section(&store, config, "directories").await?;
    let flow_settings: FlowSettings = section(&store, config, "flows").await?;
    let oauth_settings: OauthSettings = section(&store, config, "oauth").await?;
    let plugin_settings: PluginSettings = section(&store, config, "plugins").await?;
    let outgoing: OutgoingSettings = section(&store, config, "outgoing").await?;
    let http = GuardedHttp::new(outgoing, Arc::new(SystemResolver)).map_err(|error| error.reason)?;

    let mut identity = Identity::new(IdentityParts {
        env: env.clone(),
        store: store.clone(),
        sealer: sealer.clone(),
        settings: identity_settings,
    })
    .and_then(|identity| identity.with_directories(directories))
    .map_err(|e| text(&e))?;
    if let Some(redis) = redis {
        identity = identity.with_rate_counters(Arc::new(SharedCounters::new(redis, env.clone())));
    }
    let organisation = identity.organisations.ensure_default().await.map_err(|e| text(&e))?;
    identity.attributes.prepare().await.map_err(|e| text(&e))?;

    // Services that really send come with their own settings; until then only development has an outbox.
    let outbox = with_demo.then(|| Outbox::new(env.clone(), store.clone(), sealer.clone()));
    let mailer = outbox.clone().map(|outbox| Arc::new(outbox) as Arc<dyn Mailer>);
    let sms = outbox.clone().map(|outbox| Arc::new(outbox) as Arc<dyn SmsSender>);
    let plugins = PluginHost::new(PluginHostParts {
        store: store.clone(),
        modules: agamid_host_modules::all(&identity, mailer, sms),
        compiled: config
            .secrets
            .envelope_key_file
            .parent()
            .map(|data| CompiledCache::new(data.join("compiled"), sealer.clone())),
        settings: plugin_settings,
    })
    .map_err(|e| text(&e))?;
    identity.set_hooks(plugins.hooks());
    for component in shipped_plugins() {
        plugins.load_shipped(component).await.map_err(|e| text(&e))?;
    }
    let mut watchers = Vec::new();
    if let Some(folder) = &config.plugins.dir {
        plugins.load_folder(folder, !config.flows.watch).await.map_err(|e| text(&e))?;
        if config.flows.watch && folder.exists() {
            watchers.push(plugins.watch(folder).map_err(|e| format!("plugins.dir: {e}"))?);
        }
    }

    plugins.adopt().await.map_err(|e| text(&e))?;

    let engine = Engine::new(EngineParts {
        env: env.clone(),
        store: store.clone(),
        sealer: sealer.clone(),
        web: web.clone(),
        routines: Arc::new(plugins.clone()),
        attempts: Some(Arc::new(agamid_host_modules::AccountAttempts(identity.clone()))),
        settings: flow_settings,
    })
    .await
    .map_err(|e| text(&e))?;
    deploy(config, &engine, with_demo, &mut watchers).await?;
    engine.follow_plugins();
    engine.follow_store();

    let auth_server = AuthServer::new(AuthServerParts {
        env: env.clone(),
        store: store.clone(),
        sealer,
        web: web.clone(),
        engine: engine.clone(),
        identity: identity.clone(),
        organisation: organisation.id.clone(),
        http: Arc::new(http),
        settings: oauth_settings,
    })
    .await
    .map_err(|e| text(&e))?;
    seed::seed(config, &store, &identity, &organisation.id, &auth_server).await?;

    let public = Router::new().merge(web.assets()).merge(engine.router()).merge(auth_server.router());
    let public = web.layer(public);
    let leaving = Arc::new(AtomicBool::new(false));
    let public = public.layer(axum::middleware::map_response_with_state(Arc::clone(&leaving), say_goodbye));
    let admin = agamid_config_api::router(ConfigApiParts {
        store: store.clone(),
        engine: engine.clone(),
        identity: identity.clone(),
        outbox,
        auth_server: auth_server.clone(),
        plugins,
        organisation: organisation.id.clone(),
        verifier: Arc::new(auth_server.clone()),
        metrics,
        leaving: Arc::clone(&leaving),
        origin: format!("http://{}", config.admin.listen),
    });
    Ok(House { store, engine, auth_server, identity, public, admin, leaving, _watchers: watchers })
}

/// A server that is leaving asks its clients to connect anew, elsewhere.
async fn say_goodbye(State(leaving): State<Arc<AtomicBool>>, mut response: Response) -> Response {
    if leaving.load(Ordering::Relaxed) && response.version() <= Version::HTTP_11 {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Every kind of record that there is.
pub(crate) fn kinds() -> Vec<Kind> {
    let crates = [
        agamid_store::records(),
        agamid_identity::records(),
        agamid_flow_engine::records(),
        agamid_plugin_host::records(),
        agamid_auth_server::records(),
    ];
    crates.into_iter().flatten().collect()
}

fn read(file: &PathBuf, key: &str) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| format!("store.{key}: {}: {error}", file.display()))
}

/// Takes Redis into use, where a configuration names one.
async fn open_redis(config: &StoreConfig, env: &Env, sealer: &Sealer) -> Result<Option<Redis>, String> {
    let Some(url) = config.redis_url.clone() else { return Ok(None) };
    let password =
        config.redis_password_file.as_ref().map(|file| read(file, "redis_password_file")).transpose()?;
    let certificates = config.redis_tls_ca.as_ref().map(|file| read(file, "redis_tls_ca")).transpose()?;
    let options = RedisOptions {
        url,
        password: password.map(|text| Secret::new(text.trim())),
        certificates: certificates.map(String::into_bytes),
        sealer: sealer.clone(),
    };
    Redis::open(options, env.clone()).await.map(Some).map_err(|error| error.to_string())
}

/// Opens the store of a configuration.
pub(crate) async fn open_store(
    config: &StoreConfig,
    env: &Env,
    redis: Option<Redis>,
) -> Result<Store, String> {
    let options = StoreOptions { redis, ..store_options(config)? };
    Store::open(options, env.clone()).await.map_err(|error| format!("store.url: {error}"))
}

/// What a configuration says about the store, but for Redis.
pub(crate) fn store_options(config: &StoreConfig) -> Result<StoreOptions, String> {
    let password = config.password_file.as_ref().map(|file| read(file, "password_file")).transpose()?;
    let certificates = config.tls_ca.as_ref().map(|file| read(file, "tls_ca")).transpose()?;
    Ok(StoreOptions {
        url: config.url.clone(),
        kinds: kinds(),
        auto_migrate: config.auto_migrate,
        password: password.map(|text| Secret::new(text.trim())),
        certificates: certificates.map(String::into_bytes),
        connections: config.connections,
        timeout: Duration::from_secs(config.timeout_seconds.max(1)),
        redis: None,
    })
}

async fn section<T: serde::Serialize + serde::de::DeserializeOwned + Default>(
    store: &Store,
    config: &NodeConfig,
    name: &'static str,
) -> Result<T, String> {
    settings::section(store, config, name).await.map_err(|error| error.to_string())
}

fn web(config: &NodeConfig, env: &Env, with_demo: bool) -> Result<Web, String> {
    let issuer = url::Url::parse(&config.public.issuer)
        .map_err(|error| format!("public.issuer {:?} is no URL: {error}", config.public.issuer))?;
    let mut trusted_proxies = Vec::new();
    for (at, network) in config.public.trusted_proxies.iter().enumerate() {
        let parsed = network.parse().map_err(|_| {
            format!("public.trusted_proxies[{at}]: {network:?} is no network such as \"10.0.0.0/8\"")
        })?;
        trusted_proxies.push(parsed);
    }
    let dev = config.flows.watch;
    Web::new(WebConfig { issuer, trusted_proxies, dev, gathers_hosts: with_demo }, env.clone())
        .map_err(|error| error.to_string())
}

/// Puts projects into service: those that ship where they are missing or older, and those of `flows.dir` into an empty store,
/// or always where it is watched. In the demo a broken project is reported and the rest serves.
async fn deploy(
    config: &NodeConfig,
    engine: &Engine,
    with_demo: bool,
    watchers: &mut Vec<notify::RecommendedWatcher>,
) -> Result<(), String> {
    let empty = engine.catalog().projects().iter().all(|project| project.name == "agamid");
    let own = config.flows.dir.as_ref().filter(|_| config.flows.watch || empty);
    if let Some(folder) = own {
        let failed = engine.load_folder(folder).await;
        if let (false, Some((name, error))) = (config.flows.watch, failed.first()) {
            return Err(format!("flows.dir: {name}: {error}; see `agamid flow check {name}`"));
        }
    }
    for project in shipped(with_demo)? {
        let deployed = engine.catalog().project(&project.manifest.project_name);
        if deployed.is_none_or(|deployed| is_newer(&project.manifest.version, &deployed.version)) {
            let name = project.manifest.project_name.clone();
            if let Err(error) = engine.catalog().deploy(project, "shipped").await {
                return Err(format!("the shipped project {name}: {error}"));
            }
        }
    }
    if let (true, Some(folder)) = (config.flows.watch, &config.flows.dir) {
        watchers
            .push(engine.watch(folder).map_err(|error| format!("flows.dir {}: {error}", folder.display()))?);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
