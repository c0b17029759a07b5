//! A PostgreSQL server for tests: started in a temporary folder, heard on a socket there (and on a loopback port where
//! one is asked for), gone with the process that started it, however that ends.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The user that PostgreSQL runs as where we are root, which it refuses to be.
const NOBODY: u32 = 65534;

/// How long a start may take, in tenths of a second.
const PATIENCE: u32 = 300;

/// A running server. Stops when dropped.
#[derive(Debug)]
pub struct PrivatePostgres {
    folder: tempfile::TempDir,
    server: Child,
    databases: AtomicU32,
    durable: bool,
    port: u16,
}

/// Why there is no server.
pub type Failed = String;

impl PrivatePostgres {
    /// Starts one. `durable`: whether it syncs, for tests that kill it; others are faster without.
    pub fn start(durable: bool) -> Result<Self, Failed> {
        Self::start_on(durable, 5432, false)
    }

    /// Starts one that is also heard on this loopback port.
    pub fn start_on_port(durable: bool, port: u16) -> Result<Self, Failed> {
        Self::start_on(durable, port, true)
    }

    fn start_on(durable: bool, port: u16, on_tcp: bool) -> Result<Self, Failed> {
        let folder = tempfile::Builder::new().prefix("agamid-pg-").tempdir().map_err(|e| e.to_string())?;
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(folder.path(), open).map_err(|e| e.to_string())?;
        if is_root() {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).map_err(|e| e.to_string())?;
        }
        let data = folder.path().join("data");
        let made = as_nobody(&program("initdb")?)
            .args([
                "--auth=trust",
                "--username=agamid",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
                "-D",
            ])
            .arg(&data)
            .stdout(Stdio::null())
            .output()
            .map_err(|e| format!("initdb: {e}"))?;
        if !made.status.success() {
            return Err(format!("initdb: {}", String::from_utf8_lossy(&made.stderr)));
        }
        let mut settings = format!(
            "\nunix_socket_directories = '{}'\nport = {port}\nmax_connections = 200\nlog_min_messages = fatal\n",
            folder.path().display()
        );
        settings.push_str(if on_tcp {
            "listen_addresses = '127.0.0.1'\n"
        } else {
            "listen_addresses = ''\n"
        });
        if !durable {
            settings.push_str("fsync = off\nfull_page_writes = off\n");
        }
        fs::OpenOptions::new()
            .append(true)
            .open(data.join("postgresql.conf"))
            .and_then(|mut file| file.write_all(settings.as_bytes()))
            .map_err(|e| format!("postgresql.conf: {e}"))?;
        let server = spawn(&data)?;
        let this = Self { folder, server, databases: AtomicU32::new(0), durable, port };
        this.wait()?;
        Ok(this)
    }

    /// Waits until the server answers.
    pub fn wait(&self) -> Result<(), Failed> {
        let socket = self.folder.path().join(format!(".s.PGSQL.{}", self.port));
        for _ in 0..PATIENCE {
            if socket.exists() && self.sql("postgres", "SELECT 1").is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err("the private PostgreSQL does not answer".to_owned())
    }

    /// Makes a new, empty database; answers its address.
    pub fn database(&self) -> Result<String, Failed> {
        let number = self.databases.fetch_add(1, Ordering::SeqCst);
        let name = format!("test{number}");
        self.sql("postgres", &format!("CREATE DATABASE {name}"))?;
        Ok(self.url(&name))
    }

    /// The address of a database.
    pub fn url(&self, name: &str) -> String {
        let folder = self.folder.path().display().to_string().replace('/', "%2F");
        format!("postgres://agamid@{folder}:{}/{name}", self.port)
    }

    /// Runs SQL with psql; answers what it printed.
    pub fn sql(&self, database: &str, sql: &str) -> Result<String, Failed> {
        let done = Command::new(program("psql")?)
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"])
            .args(["--username=agamid", "--dbname", database, "--command", sql])
            .args(["--port", &self.port.to_string()])
            .arg("--host")
            .arg(self.folder.path())
            .output()
            .map_err(|e| format!("psql: {e}"))?;
        if done.status.success() {
            return Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned());
        }
        Err(String::from_utf8_lossy(&done.stderr).into_owned())
    }

    /// Stops the server: `fast` ends sessions, `immediate` is a crash.
    pub fn stop(&mut self, mode: &str) -> Result<(), Failed> {
        let status = as_nobody(&program("pg_ctl")?)
            .args(["stop", "-w", "-m", mode, "-D"])
            .arg(self.data())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .map_err(|e| e.to_string())?;
        // The watcher ends with the server.
        let _ended = self.server.wait();
        if status.success() { Ok(()) } else { Err(format!("pg_ctl stop: {status}")) }
    }

    /// Starts it again on the same data.
    pub fn start_again(&mut self) -> Result<(), Failed> {
        self.server = spawn(&self.data())?;
        self.wait()
    }

    /// Stops (`STOP`) or goes on (`CONT`) with all of its processes.
    pub fn signal(&self, signal: &str) -> Result<(), Failed> {
        let main = self.main_process()?;
        let mut processes = vec![main.clone()];
        let children = Command::new("pgrep").args(["-P", &main]).output().map_err(|e| e.to_string())?;
        processes.extend(String::from_utf8_lossy(&children.stdout).lines().map(str::to_owned));
        let status = Command::new("kill").arg(format!("-{signal}")).args(&processes).status();
        status.map_err(|e| e.to_string()).map(drop)
    }

    /// Whether what it acknowledges survives a crash.
    pub fn is_durable(&self) -> bool {
        self.durable
    }

    /// The folder with its data.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn main_process(&self) -> Result<String, Failed> {
        let text = fs::read_to_string(self.data().join("postmaster.pid")).map_err(|e| e.to_string())?;
        text.lines().next().map(str::to_owned).ok_or_else(|| "postmaster.pid is empty".to_owned())
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        // The watcher stops the server when its input ends.
        drop(self.server.stdin.take());
        let _ended = self.server.wait();
    }
}

/// The server, under a shell that stops it when we are gone.
fn spawn(data: &Path) -> Result<Child, Failed> {
    let script = "\"$0\" -D \"$1\" & server=$!
        (read -r _; touch \"$2/over\"; kill -INT $server) <&3 & watch=$!
        wait $server
        kill $watch
        if [ -e \"$2/over\" ]; then rm -rf \"$2\"; fi";
    let folder = data.parent().unwrap_or(data);
    as_nobody(Path::new("sh"))
        .args(["-c", &format!("exec 3<&0 </dev/null; {script}")])
        .arg(program("postgres")?)
        .arg(data)
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| format!("postgres: {e}"))
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

fn as_nobody(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/");
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// A program of PostgreSQL: on the path, or where Debian puts it.
fn program(name: &str) -> Result<PathBuf, Failed> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&paths).map(|folder| folder.join(name)).find(|path| path.exists());
    if let Some(found) = on_path {
        return Ok(found);
    }
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> =
        versions.map(|version| version.path().join("bin").join(name)).filter(|path| path.exists()).collect();
    found.sort();
    found.pop().ok_or_else(|| {
        format!("{name} of PostgreSQL is not installed: `apt-get install postgresql` (or `cargo xtask test`, which does)")
    })
}
