//! Reading the workspace. Behind a trait, so that tests need no disk.

use std::path::Path;

/// A longer file is not read: no flow or template is that long.
const LONGEST: u64 = 4 * 1024 * 1024;

/// What a folder holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name, without its folder.
    pub name: String,
    /// Whether it is a folder.
    pub folder: bool,
}

/// The files of the workspace.
pub trait Files {
    /// The text of a file; `None` when there is none, or it is no text.
    fn read(&self, path: &Path) -> Option<String>;
    /// What a folder holds, sorted by name; nothing when it is none.
    fn list(&self, folder: &Path) -> Vec<Entry>;
    /// Whether there is a file.
    fn exists(&self, path: &Path) -> bool;
}

/// The disk.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> Option<String> {
        let about = std::fs::metadata(path).ok()?;
        if !about.is_file() || about.len() > LONGEST {
            return None;
        }
        std::fs::read_to_string(path).ok()
    }

    fn list(&self, folder: &Path) -> Vec<Entry> {
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        let mut found: Vec<Entry> = entries
            .flatten()
            .filter_map(|entry| {
                // Links are not followed into folders: they may lead in a circle.
                let folder = entry.file_type().ok()?.is_dir();
                Some(Entry { name: entry.file_name().into_string().ok()?, folder })
            })
            .collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }

    fn exists(&self, path: &Path) -> bool {
        path.is_file()
    }
}
