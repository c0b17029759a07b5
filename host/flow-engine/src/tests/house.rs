//! An engine on a memory store with a clock that tests move, and one browser.

use std::collections::BTreeMap;
use std::sync::Arc;

use agama_lang::check::facts::RoutineFacts;
use agama_lang::effect::{Call, CallError, Routine};
use agama_lang::value::{Map, Value};
use agamid_core::id::PersonId;
use agamid_core::random::SystemRng;
use agamid_core::seal::{EnvelopeKey, Sealer};
use agamid_core::secret::{OpaqueToken, TokenKind};
use agamid_core::time::{ManualClock, Timestamp};
use agamid_core::{BoxFuture, Env};
use agamid_store::{Batch, Store};
use agamid_web::{Web, WebConfig};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use tower::ServiceExt as _;

use crate::ports::{CallContext, Pins, RoutineSet, Routines};
use crate::project::ProjectFiles;
use crate::{Engine, EngineParts, Finished, FlowSettings, Next, Owner, OwnerKind, Start};

pub(super) const ORIGIN: &str = "http://localhost:1";

/// What flows can call here: `test.calls#echo`, `#fail`, `#prove`, `#slow`.
pub(super) struct Abilities(tokio::sync::watch::Sender<u64>);

impl Abilities {
    fn new() -> Arc<Self> {
        Arc::new(Self(tokio::sync::watch::channel(0).0))
    }
}

struct Calls;

impl Routines for Abilities {
    fn current(&self) -> Arc<dyn RoutineSet> {
        Arc::new(Calls)
    }

    fn pinned<'a>(&'a self, _pins: &'a Pins) -> BoxFuture<'a, Result<Arc<dyn RoutineSet>, CallError>> {
        Box::pin(async { Ok(self.current()) })
    }

    fn refused(&self) -> std::collections::BTreeMap<String, String> {
        std::collections::BTreeMap::new()
    }

    fn changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.0.subscribe()
    }
}

impl RoutineSet for Calls {
    fn pins(&self) -> Pins {
        Pins::new()
    }

    fn facts(&self, package: &str, _function: &str) -> RoutineFacts {
        match package {
            "test.calls" => RoutineFacts::Unchecked,
            _ => RoutineFacts::Unknown { hint: "there is test.calls".to_owned() },
        }
    }

    fn call<'a>(
        &'a self,
        context: &'a CallContext,
        call: &'a Call,
    ) -> BoxFuture<'a, Result<Value, CallError>> {
        Box::pin(async move {
            let Routine::Static { function, .. } = &call.routine else {
                return Err(CallError::new("no_such_routine", "methods are not for tests"));
            };
            let argument = call.args.first().cloned().unwrap_or_default();
            match function.as_str() {
                "prove" => {
                    let person = PersonId::parse(argument.as_str().unwrap_or_default());
                    context.prove(person.ok_or_else(|| CallError::new("failed", "nobody"))?, "pwd", "test");
                    Ok(argument)
                }
                "fail" => {
                    // A proof made by a call that fails does not count.
                    if let Some(person) = argument.as_str().and_then(PersonId::parse) {
                        context.prove(person, "pwd", "test");
                    }
                    Err(CallError::new("failed", "on purpose"))
                }
                "slow" => {
                    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                    Ok(argument)
                }
                _ => Ok(argument),
            }
        })
    }
}

pub(super) struct House {
    pub(super) engine: Engine,
    pub(super) store: Store,
    pub(super) clock: Arc<ManualClock>,
    pub(super) person: PersonId,
    key: EnvelopeKey,
    env: Env,
    router: Router,
    cookie: String,
    browser: String,
}

/// What the browser got.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) location: String,
    pub(super) body: String,
}

pub(super) const PAGE: &str = "{% extends \"agamid/base.html\" %}{% import \"agamid/forms.html\" as forms %}\
    {% block content %}<h1>{{ title }}</h1>{% call forms.form(step) %}<input name=\"name\">\
    <input type=\"password\" name=\"secret\">{% endcall %}{% endblock %}";

/// A project of flows; each may show `page.html` and `other.html`.
pub(super) fn project(name: &str, flows: &[(&str, &str)]) -> ProjectFiles {
    let launchable: BTreeMap<&str, [&str; 1]> = flows.iter().map(|(name, _)| (*name, ["hint"])).collect();
    let manifest = serde_json::json!({ "projectName": name, "version": "1", "launchable": launchable });
    let mut files = BTreeMap::from([
        ("project.json".to_owned(), manifest.to_string().into_bytes()),
        ("web/page.html".to_owned(), PAGE.as_bytes().to_vec()),
        ("web/other.html".to_owned(), PAGE.as_bytes().to_vec()),
        ("web/style.css".to_owned(), b"body {}".to_vec()),
    ]);
    for (name, code) in flows {
        files.insert(format!("code/{name}.flow"), code.as_bytes().to_vec());
    }
    ProjectFiles::from_files(files).unwrap()
}

async fn engine(env: &Env, store: &Store, key: &EnvelopeKey) -> (Engine, Router) {
    let config = WebConfig {
        issuer: ORIGIN.parse().unwrap(),
        trusted_proxies: Vec::new(),
        dev: true,
        gathers_hosts: false,
    };
    let web = Web::new(config, env.clone()).unwrap();
    let parts = EngineParts {
        env: env.clone(),
        store: store.clone(),
        sealer: Sealer::new(key.clone(), env.clone()),
        web: web.clone(),
        routines: Abilities::new(),
        attempts: None,
        settings: FlowSettings::default(),
    };
    let engine = Engine::new(parts).await.unwrap();
    let router = web.layer(engine.router());
    (engine, router)
}

impl House {
    pub(super) async fn new(flows: &[(&str, &str)]) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(1_800_000_000)));
        let env = Env { clock: clock.clone(), rng: Arc::new(SystemRng) };
        let store = Store::memory(env.clone()).await.unwrap();
        let key = EnvelopeKey::generate(&env);
        let (engine, router) = engine(&env, &store, &key).await;
        engine.catalog().deploy(project("test", flows), "test").await.unwrap();
        let made = OpaqueToken::generate(TokenKind::Browser, &env);
        let cookie = format!("agamid_browser={}", made.text.expose());
        let person = PersonId::generate(&env);
        Self { engine, store, clock, person, key, env, router, cookie, browser: made.hash }
    }

    /// As after a restart of the server: everything but the store is new.
    pub(super) async fn restart(&mut self) {
        (self.engine, self.router) = engine(&self.env, &self.store, &self.key).await;
    }

    pub(super) fn owner() -> Owner {
        Owner {
            kind: OwnerKind::Login,
            id: "transaction".to_owned(),
            return_to: "/done?x=1".to_owned(),
            restart: "/again".to_owned(),
        }
    }

    /// Starts a flow; answers the path to which the browser is sent.
    pub(super) async fn start(&self, flow: &str) -> String {
        let inputs = Map::from_iter([("person".to_owned(), Value::from(self.person.as_str()))]);
        let start = Start {
            batch: Batch::new(),
            run: agamid_core::id::RunId::generate(&agamid_core::Env::system()),
            flow: flow.to_owned(),
            inputs,
            launch: None,
            shown: Map::new(),
            owner: Self::owner(),
            browser: self.browser.clone(),
            address: std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
            organisation: None,
            locales: Vec::new(),
            form_action: Vec::new(),
        };
        let Next::Redirect(path) = self.engine.start(start).await.unwrap() else { panic!("a new run raced") };
        path
    }

    pub(super) fn cookie(&self) -> &str {
        &self.cookie
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let location = response.headers().get(header::LOCATION);
        let location = location.map_or_else(String::new, |value| value.to_str().unwrap().to_owned());
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        // minijinja writes slashes so.
        let body = String::from_utf8(body.to_vec()).unwrap().replace("&#x2f;", "/");
        Answer { status, location, body }
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        let request = Request::get(path).header("host", "localhost:1").header("cookie", &self.cookie);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub(super) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = fields.iter().fold(String::new(), |body, (name, value)| format!("{body}{name}={value}&"));
        let request = Request::post(path)
            .header("host", "localhost:1")
            .header("origin", ORIGIN)
            .header("cookie", &self.cookie)
            .header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    /// The token of the page at a path.
    pub(super) async fn token(&self, path: &str) -> String {
        let page = self.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        let field = page.body.split("name=\"_step\" value=\"").nth(1).expect(&page.body);
        field.split('"').next().unwrap().to_owned()
    }

    /// Opens a page and sends its form.
    pub(super) async fn answer(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let token = self.token(path).await;
        let all: Vec<_> = fields.iter().copied().chain([("_step", token.as_str())]).collect();
        self.post(path, &all).await
    }

    /// Fetches the outcome as the owner does, in this browser.
    pub(super) async fn take(&self, done: &str) -> Option<Finished> {
        let run = done.rsplit_once("run=").unwrap().1;
        let run = agamid_core::id::RunId::parse(run).unwrap();
        self.engine.take(&run, OwnerKind::Login, "transaction", &self.browser).await.unwrap()
    }
}
