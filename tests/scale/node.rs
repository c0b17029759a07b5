//! The server, as `agamid init` sets it up, with an application and one person.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use agamid_core::Env;

use super::Plan;

pub(crate) const PASSWORD: &str = "the-one-password-123";
pub(crate) const API_SECRET: &str = "the-secret-of-the-api-123";
pub(crate) const REDIRECT: &str = "http://127.0.0.1:9/cb";

/// A configured server's folder.
pub(crate) struct Home {
    pub(crate) folder: tempfile::TempDir,
    /// `store.url`.
    pub(crate) store: String,
    pub(crate) port: u16,
    binary: PathBuf,
}

impl Home {
    pub(crate) fn prepare(plan: &Plan, database: Option<String>) -> Self {
        // Not where temporary files may be kept in memory.
        let folder =
            tempfile::Builder::new().prefix("scale-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let init = Command::new(&plan.binary).arg("init").arg(folder.path()).stdout(Stdio::null()).status();
        assert!(init.unwrap().success());
        let config = folder.path().join("agamid.toml");
        let hash = agamid_identity::password::hash_password(&Env::system(), PASSWORD).unwrap();
        let secret = agamid_core::secret::sha256_hex(API_SECRET.as_bytes());
        let text = std::fs::read_to_string(&config).unwrap();
        let more = format!(
            r#"
            [[seed.persons]]
            username = "theoriginal"
            email = "theoriginal@example.org"
            given_name = "First"
            family_name = "Person"
            password_hash = "{hash}"

            [[seed.clients]]
            client_id = "app"
            client_name = "An application"
            token_endpoint_auth_method = "none"
            grant_types = ["authorization_code", "refresh_token"]
            redirect_uris = ["{REDIRECT}"]
            scopes = ["openid", "profile", "email"]
            require_consent = false

            [[seed.clients]]
            client_id = "api"
            client_name = "An API"
            token_endpoint_auth_method = "client_secret_basic"
            secret_hash = "{secret}"
            grant_types = ["client_credentials"]
            scopes = ["openid"]
            introspects_all = true
            "#
        );
        std::fs::write(&config, text + &more).unwrap();
        let store = database.unwrap_or_else(|| format!("sled:{}", folder.path().join("store").display()));
        Self { folder, store, port: plan.port, binary: plan.binary.clone() }
    }

    pub(crate) fn issuer(&self) -> String {
        format!("http://localhost:{}", self.port)
    }
}

/// A running server.
pub(crate) struct Node {
    child: Child,
    pub(crate) started_in: Duration,
}

impl Node {
    pub(crate) fn start(home: &Home) -> Self {
        let begin = Instant::now();
        let mut child = Command::new(&home.binary)
            .args(["serve", "--config"])
            .arg(home.folder.path().join("agamid.toml"))
            .env("AGAMID_PUBLIC__LISTEN", format!("127.0.0.1:{}", home.port))
            .env("AGAMID_PUBLIC__ISSUER", home.issuer())
            .env("AGAMID_ADMIN__LISTEN", format!("127.0.0.1:{}", home.port + 1))
            .env("AGAMID_STORE__URL", &home.store)
            .env("AGAMID_LOG__LEVEL", "error")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.find(|line| line.as_ref().is_ok_and(|line| line.starts_with("ready")));
        assert!(ready.is_some(), "the server does not start");
        Self { child, started_in: begin.elapsed() }
    }

    /// Resident memory, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn stop(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}
