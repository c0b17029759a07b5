//! Starting and stopping the binary.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// The binary under test.
pub(crate) fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("AGAMID_BIN") {
        return PathBuf::from(path);
    }
    let deps = std::env::current_exe().unwrap();
    let path = deps.parent().unwrap().parent().unwrap().join("agamid");
    assert!(path.exists(), "{} is missing: run `cargo build -p agamid` first", path.display());
    path
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Three free ports in a row, below those that the system gives to outgoing connections. A counter keeps the tests of
/// one process apart, the process id those of two.
pub(crate) fn free_ports() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = 20_000 + u16::try_from(std::process::id() % 20).unwrap() * 600;
    for _ in 0..500 {
        let base = start + NEXT.fetch_add(3, Ordering::SeqCst) % 600;
        let all = (base..base + 3).all(|port| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok());
        if all {
            return base;
        }
    }
    panic!("no free ports");
}

/// Takes a port that was free a moment ago. Another test may be starting a program just now, whose process holds a copy
/// of every socket of ours for an instant, the one that found the port free too.
pub(crate) fn hold(port: u16) -> std::net::TcpListener {
    for _ in 0..200 {
        if let Ok(listener) = std::net::TcpListener::bind(("127.0.0.1", port)) {
            return listener;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("port {port} does not get free");
}

/// A running `agamid demo`, or a node that serves ([`super::cluster`]).
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    /// The issuer and the sample application's origin where they are not those of the ports.
    site: Option<Site>,
    pub(crate) data: PathBuf,
    pub(crate) log: PathBuf,
    /// The certificate (PEM) where it is served over TLS.
    pub(crate) certificate: Option<String>,
    /// Kept alive as long as the server, unless the caller brought the folder.
    _folder: Option<tempfile::TempDir>,
}

/// What several nodes have in common.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) issuer: String,
    pub(crate) relying_party: String,
}

impl Server {
    /// Starts `agamid serve` as a node of a site and waits until it serves.
    pub(crate) fn node(folder: &Path, port: u16, site: &Site, config: &Path) -> Self {
        let mut command = Command::new(binary());
        command.arg("serve").arg("--config").arg(config);
        let log = folder.join(format!("log-{port}.txt"));
        let child = spawn(&mut command, &log, &site.issuer);
        let data = folder.join("data");
        Self { child, port, site: Some(site.clone()), data, log, certificate: None, _folder: None }
    }

    /// Starts the demo on a fresh data directory.
    pub(crate) fn demo() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Self::demo_on(folder.path(), free_ports(), &[]);
        server._folder = Some(folder);
        server
    }

    /// Starts the demo over TLS, as production is, with a certificate made now.
    pub(crate) fn secure() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Self::secure_on(folder.path(), free_ports(), &[]);
        server._folder = Some(folder);
        server
    }

    /// As [`Self::secure`], on a given folder, with settings from the environment.
    pub(crate) fn secure_on(folder: &Path, port: u16, environment: &[(&str, &str)]) -> Self {
        let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        if !cert.exists() {
            new_certificate(folder);
        }
        let files = [
            ("AGAMID_PUBLIC__TLS__CERT", cert.to_str().unwrap()),
            ("AGAMID_PUBLIC__TLS__KEY", key.to_str().unwrap()),
        ];
        let all: Vec<_> = environment.iter().copied().chain(files).collect();
        let certificate = std::fs::read_to_string(&cert).unwrap();
        Self::start(folder, port, &[], &all, Some(certificate))
    }

    /// Starts the demo on a given folder (its data is in `data/` below) and waits for its `ready` line.
    pub(crate) fn demo_on(folder: &Path, port: u16, more: &[&str]) -> Self {
        Self::start(folder, port, more, &[], None)
    }

    /// As [`Self::demo_on`], with settings from the environment.
    pub(crate) fn demo_with(folder: &Path, port: u16, environment: &[(&str, &str)]) -> Self {
        Self::start(folder, port, &[], environment, None)
    }

    fn start(
        folder: &Path,
        port: u16,
        more: &[&str],
        environment: &[(&str, &str)],
        certificate: Option<String>,
    ) -> Self {
        let data = folder.join("data");
        let log = folder.join(format!("log-{port}.txt"));
        let mut command = Command::new(binary());
        command
            .args(["demo", "--no-open", "--port", &port.to_string(), "--data", data.to_str().unwrap()])
            .args(more)
            .envs(environment.iter().copied());
        let scheme = if certificate.is_some() { "https" } else { "http" };
        let child = spawn(&mut command, &log, &format!("{scheme}://localhost:{port}"));
        Self { child, port, site: None, data, log, certificate, _folder: None }
    }

    pub(crate) fn issuer(&self) -> String {
        if let Some(site) = &self.site {
            return site.issuer.clone();
        }
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        format!("{scheme}://localhost:{}", self.port)
    }

    pub(crate) fn admin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port + 1)
    }

    pub(crate) fn relying_party(&self) -> String {
        match &self.site {
            Some(site) => site.relying_party.clone(),
            None => format!("http://127.0.0.1:{}", self.port + 2),
        }
    }

    /// Where this node is reached, if that is not where the issuer's name leads.
    pub(crate) fn reached_at(&self) -> Option<SocketAddr> {
        self.site.as_ref().map(|_| SocketAddr::from(([127, 0, 0, 1], self.port)))
    }

    pub(crate) fn admin_token(&self) -> String {
        std::fs::read_to_string(self.data.join("admin.token")).unwrap().trim().to_owned()
    }

    pub(crate) fn log_text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.kill_now();
    }

    /// `kill -9` of a node that will be started again.
    pub(crate) fn kill_now(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and how the process ended.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.terminate();
        self.ended()
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// Waits until the process has ended.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        for _ in 0..750 {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the server did not stop within 15 seconds");
    }
}

/// Starts the binary and waits for its `ready` line.
fn spawn(command: &mut Command, log: &Path, issuer: &str) -> Child {
    let mut child = command
        .current_dir(root())
        .stdout(Stdio::piped())
        .stderr(std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = lines.find_map(|line| line.ok().filter(|line| line.starts_with("ready ")));
    let Some(ready) = ready else {
        let status = child.wait().unwrap();
        panic!("{command:?} did not start ({status}):\n{}", std::fs::read_to_string(log).unwrap());
    };
    assert_eq!(ready, format!("ready {issuer}"));
    std::thread::spawn(move || lines.for_each(drop));
    child
}

/// Makes `cert.pem` and `key.pem` for localhost in a folder; answers the certificate.
pub(crate) fn new_certificate(folder: &Path) -> String {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    made.cert.pem()
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
