//! A Redis server for tests: in a temporary folder, with a password, heard on a socket there and over TLS on a loopback
//! port where one is asked for, gone with the process that started it, however that ends.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long a start may take, in hundredths of a second.
const PATIENCE: u32 = 1000;

/// The password of every such server.
pub const PASSWORD: &str = "a-word-for-tests";

/// A running server. Stops when dropped.
#[derive(Debug)]
pub struct PrivateRedis {
    folder: tempfile::TempDir,
    server: Child,
    more: Vec<String>,
}

/// Why there is no server.
pub type Failed = String;

impl PrivateRedis {
    /// Starts one.
    pub fn start() -> Result<Self, Failed> {
        Self::start_with(&[])
    }

    /// Starts one that is heard over TLS on a loopback port too, with this certificate and key (PEM).
    pub fn start_secure(port: u16, certificate: &str, key: &str) -> Result<Self, Failed> {
        let folder = tempfile::Builder::new().prefix("agamid-redis-").tempdir().map_err(|e| e.to_string())?;
        let at = |name: &str| folder.path().join(name).display().to_string();
        fs::write(at("cert.pem"), certificate).map_err(|e| e.to_string())?;
        fs::write(at("key.pem"), key).map_err(|e| e.to_string())?;
        let (port, cert, key) = (port.to_string(), at("cert.pem"), at("key.pem"));
        let more = [
            "--tls-port",
            &port,
            "--bind",
            "127.0.0.1",
            "--tls-cert-file",
            &cert,
            "--tls-key-file",
            &key,
            "--tls-auth-clients",
            "no",
        ];
        Self::start_in(folder, &more)
    }

    /// Starts one with settings of `redis.conf`, each name with two dashes before its value.
    pub fn start_with(more: &[&str]) -> Result<Self, Failed> {
        let folder = tempfile::Builder::new().prefix("agamid-redis-").tempdir().map_err(|e| e.to_string())?;
        Self::start_in(folder, more)
    }

    fn start_in(folder: tempfile::TempDir, more: &[&str]) -> Result<Self, Failed> {
        let more: Vec<String> = more.iter().map(|&word| word.to_owned()).collect();
        let server = spawn(folder.path().to_path_buf(), &more)?;
        let this = Self { folder, server, more };
        this.wait()?;
        Ok(this)
    }

    /// Waits until the server answers.
    pub fn wait(&self) -> Result<(), Failed> {
        for _ in 0..PATIENCE {
            if self.command(&["PING"]).is_ok_and(|answer| answer == "PONG") {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err("the private Redis does not answer".to_owned())
    }

    /// Its address, without the password.
    pub fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// Runs a command with `redis-cli`; answers what it printed.
    pub fn command(&self, words: &[&str]) -> Result<String, Failed> {
        let done = Command::new("redis-cli")
            .env("REDISCLI_AUTH", PASSWORD)
            .arg("-s")
            .arg(self.socket())
            .args(words)
            .output()
            .map_err(|e| format!("redis-cli: {e}: `apt-get install redis-server`"))?;
        if done.status.success() {
            return Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned());
        }
        Err(String::from_utf8_lossy(&done.stderr).into_owned())
    }

    /// `STOP` lets it hang, `CONT` go on, `KILL` die at once.
    pub fn signal(&self, signal: &str) -> Result<(), Failed> {
        let process = fs::read_to_string(self.folder.path().join("redis.pid")).map_err(|e| e.to_string())?;
        let status = Command::new("kill").arg(format!("-{signal}")).arg(process.trim()).status();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("kill: {status}")),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Kills it and waits for its end.
    pub fn kill(&mut self) -> Result<(), Failed> {
        self.signal("KILL")?;
        // The watcher ends with the server.
        self.server.wait().map(drop).map_err(|e| e.to_string())
    }

    /// Starts it again, empty.
    pub fn start_again(&mut self) -> Result<(), Failed> {
        self.server = spawn(self.folder.path().to_path_buf(), &self.more)?;
        self.wait()
    }
}

impl Drop for PrivateRedis {
    fn drop(&mut self) {
        // One that hangs does not hear that it should end.
        let _gone = self.signal("CONT");
        drop(self.server.stdin.take());
        let _ended = self.server.wait();
    }
}

/// The server, under a shell that stops it when we are gone.
fn spawn(folder: PathBuf, more: &[String]) -> Result<Child, Failed> {
    let script = "exec 3<&0 </dev/null
        redis-server \"$@\" & server=$!
        (read -r _; kill -KILL $server) <&3 & watch=$!
        wait $server
        kill $watch";
    let at = |name: &str| folder.join(name).display().to_string();
    let _none_left = fs::remove_file(at("redis.sock"));
    let found = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status();
    found.map_err(|e| {
        format!("redis-server: {e}: `apt-get install redis-server` (or `cargo xtask test`, which does)")
    })?;
    Command::new("sh")
        .args(["-c", script, "sh"])
        .args(["--port", "0", "--unixsocket", &at("redis.sock"), "--pidfile", &at("redis.pid")])
        .args(["--dir", &at(""), "--save", "", "--appendonly", "no", "--requirepass", PASSWORD])
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| format!("redis-server: {e}"))
}
