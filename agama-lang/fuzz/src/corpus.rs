//! What fuzzing begins with: the fixtures of the language, and inputs that were worth keeping.

use std::path::{Path, PathBuf};

/// The folder of this crate.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The sources of all fixtures, flow by flow, in a fixed order.
pub fn fixtures() -> Vec<Vec<u8>> {
    let fixtures = folder().join("../tests/fixtures");
    let mut found = Vec::new();
    for kind in ["ok", "err", "ir", "run"] {
        for source in files(&fixtures.join(kind)) {
            match std::str::from_utf8(&source) {
                Ok(text) => found.extend(text.split("//// next\n").map(|part| part.as_bytes().to_vec())),
                Err(_) => found.push(source),
            }
        }
    }
    found
}

/// The inputs kept for a target in `seeds/`.
pub fn kept(target: &str) -> Vec<Vec<u8>> {
    files(&folder().join("seeds").join(target))
}

/// The contents of the files of a folder, in the order of their names; nothing when there is no such folder.
fn files(folder: &Path) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.iter().filter_map(|path| std::fs::read(path).ok()).collect()
}
