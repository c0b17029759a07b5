//! The data directory: ours alone, cleaned before sled sees it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::StoreError;

/// sled's default of 1 GiB is more than a small server has.
const CACHE_BYTES: u64 = 64 << 20;

/// sled's threads may hold its file a moment longer than the handle lives: how often to try, 20 ms apart.
const LOCK_TRIES: usize = 250;

/// What the writer asks of the disk.
pub(super) trait Disk: Send {
    /// Free bytes for us in the data directory.
    fn free(&self) -> io::Result<u64>;
    /// Answers when everything written so far would survive power loss.
    fn sync(&self) -> io::Result<()>;
}

/// An own descriptor of sled's data file.
pub(super) struct DataFile {
    directory: PathBuf,
    file: File,
}

impl Disk for DataFile {
    fn free(&self) -> io::Result<u64> {
        fs4::available_space(&self.directory)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// The directory, held by an exclusive lock for as long as this lives.
pub(super) struct Directory {
    path: PathBuf,
    lock: File,
}

impl Directory {
    /// Makes the directory if there is none, readable by nobody else, and locks it.
    pub(super) fn lock(path: PathBuf) -> Result<Self, StoreError> {
        create(&path).map_err(|e| failed(&path, "cannot be made or restricted to this user", &e))?;
        let at = path.join("agamid.lock");
        let mut lock = open_lock(&at).map_err(|e| failed(&at, "cannot be opened", &e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(&path, &mut lock)),
            Err(TryLockError::Error(e)) => return Err(failed(&at, "cannot be locked", &e)),
        }
        let named = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
        named.map_err(|e| failed(&at, "cannot be written", &e))?;
        Ok(Self { path, lock })
    }

    pub(super) fn open_database(&self) -> Result<sled::Db, StoreError> {
        let cleaned = remove_unfinished_snapshots(&self.path);
        cleaned.map_err(|e| failed(&self.path, "cannot be cleaned of unfinished snapshots", &e))?;
        // The writer alone decides when to flush.
        let config = sled::Config::new().path(&self.path).flush_every_ms(None).cache_capacity(CACHE_BYTES);
        let mut tries = 0;
        let db = loop {
            match config.open() {
                Err(sled::Error::Io(e)) if tries < LOCK_TRIES && e.to_string().contains("acquire lock") => {
                    tries += 1;
                    std::thread::sleep(Duration::from_millis(20));
                }
                other => break other.map_err(|e| failed(&self.path, "sled cannot open it", &e))?,
            }
        };
        // The names of new files are data of the directory.
        let synced = File::open(&self.path).and_then(|directory| directory.sync_all());
        synced.map_err(|e| failed(&self.path, "cannot be synced", &e))?;
        Ok(db)
    }

    pub(super) fn data_file(&self) -> Result<DataFile, StoreError> {
        let at = self.path.join("db");
        let file = OpenOptions::new().read(true).write(true).open(&at);
        let file = file.map_err(|e| failed(&at, "cannot be opened", &e))?;
        Ok(DataFile { directory: self.path.clone(), file })
    }
}

impl Drop for Directory {
    /// Closing the file alone would leave it locked while some other thread starts a process: between fork and exec
    /// that process holds the same lock.
    fn drop(&mut self) {
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(name: "store.unlock.failed", %error, "the data directory may stay locked a moment longer");
        }
    }
}

#[cfg(unix)]
fn create(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn create(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

fn open_lock(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

fn in_use(path: &Path, lock: &mut File) -> StoreError {
    let mut text = String::new();
    let read = lock.read_to_string(&mut text).ok().and_then(|_| text.trim().parse::<u32>().ok());
    let who = read.map_or("another process".to_owned(), |pid| format!("process {pid}"));
    let path = path.display();
    StoreError::Open(format!("{path} is in use by {who}: stop that one first, or choose another directory"))
}

/// A kill while sled recovers can leave half a snapshot, which sled would take for the newest and refuse for ever.
/// Nothing is lost with it: sled then recovers from the log.
fn remove_unfinished_snapshots(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn failed(path: &Path, what: &str, cause: &dyn std::error::Error) -> StoreError {
    StoreError::Open(format!("{} {what}: {cause}", path.display()))
}
