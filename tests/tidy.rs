//! The rules of the house, as tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::server::root;

/// Who may depend on whom (ARCHITECTURE.md).
const ARROWS: &[(&str, &[&str])] = &[
    ("agama-lang", &[]),
    ("agama-lsp", &["agama-lang"]),
    ("agama-lang-bench", &[]),
    ("agama-lang-fuzz", &["agama-lang"]),
    ("agamid-core", &[]),
    ("agamid-store", &["agamid-core"]),
    ("agamid-web", &["agamid-core"]),
    ("agamid-identity", &["agamid-store", "agamid-core"]),
    ("agamid-flow-engine", &["agama-lang", "agamid-web", "agamid-store", "agamid-core"]),
    ("agamid-plugin-host", &["agamid-flow-engine", "agamid-store", "agamid-core"]),
    ("agamid-host-modules", &["agamid-flow-engine", "agamid-identity", "agamid-store", "agamid-core"]),
    (
        "agamid-auth-server",
        &["agamid-flow-engine", "agamid-identity", "agamid-web", "agamid-store", "agamid-core"],
    ),
    (
        "agamid-config-api",
        &[
            "agamid-auth-server",
            "agamid-plugin-host",
            "agamid-flow-engine",
            "agamid-identity",
            "agamid-web",
            "agamid-store",
            "agamid-core",
        ],
    ),
];
/// May depend on anything.
const EXEMPT: &[&str] = &["agamid", "agamid-tests", "xtask"];
/// Third-party crates that only one of ours may see.
const SECRET_ROOMS: &[(&str, &str)] = &[
    ("wasmtime", "agamid-plugin-host"),
    ("sled", "agamid-store"),
    ("tokio-postgres", "agamid-store"),
    ("redis", "agamid-store"),
    ("ldap3", "agamid-identity"),
    ("pest", "agama-lang"),
];

#[test]
fn crates_depend_only_along_the_arrows() {
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .unwrap();
    let names: Vec<String> = metadata.packages.iter().map(|package| package.name.to_string()).collect();
    let arrows: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    for package in &metadata.packages {
        let name = package.name.to_string();
        if EXEMPT.contains(&name.as_str()) {
            continue;
        }
        let allowed = arrows.get(name.as_str()).unwrap_or_else(|| panic!("{name} is not in ARROWS"));
        for dependency in &package.dependencies {
            if dependency.kind == cargo_metadata::DependencyKind::Development {
                continue;
            }
            let dependency = dependency.name.as_str();
            assert!(
                !names.iter().any(|ours| ours == dependency) || allowed.contains(&dependency),
                "{name} must not depend on {dependency}"
            );
            for (crate_, room) in SECRET_ROOMS {
                assert!(dependency != *crate_ || name == *room, "only {room} may see {crate_}, not {name}");
            }
        }
    }
}

#[test]
fn only_the_parser_sees_pest() {
    for file in sources() {
        let inside = file.ends_with("agama-lang/src/parse.rs")
            || file.to_string_lossy().contains("agama-lang/src/parse/");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(inside || !text.contains("pest::"), "{} uses pest", file.display());
    }
}

#[test]
fn no_source_file_is_longer_than_600_lines() {
    for file in sources() {
        let lines = std::fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= 600, "{} has {lines} lines; split it", file.display());
    }
}

#[test]
fn there_are_no_mod_rs_files() {
    for file in sources() {
        assert!(file.file_name().unwrap() != "mod.rs", "{}: name it after the module", file.display());
    }
}

#[test]
fn every_finding_is_explained_in_the_docs() {
    let source = std::fs::read_to_string(root().join("agama-lang/src/diagnostic/code.rs")).unwrap();
    let index = std::fs::read_to_string(root().join("docs/diagnostics.md")).unwrap();
    let numbers: Vec<&str> = source.split("= \"AGM").skip(1).map(|rest| &rest[..4]).collect();
    assert!(numbers.len() > 20, "{numbers:?}");
    for number in numbers {
        let page = format!("diagnostics/AGM{number}.md");
        assert!(
            index.contains(&format!("| [AGM{number}]({page})")),
            "AGM{number} is missing in docs/diagnostics.md"
        );
        assert!(root().join("docs").join(&page).is_file(), "docs/{page} is missing");
    }
}

#[test]
fn every_admin_path_and_every_host_module_is_in_the_docs() {
    let operate = std::fs::read_to_string(root().join("docs/operate.md")).unwrap();
    let router = std::fs::read_to_string(root().join("host/config-api/src/lib.rs")).unwrap();
    let paths: Vec<&str> =
        router.split(".route(\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(paths.len() > 4, "{paths:?}");
    for path in paths {
        assert!(operate.contains(&path.replace("{name}", "NAME")), "{path} is missing in docs/operate.md");
    }
    let flows = std::fs::read_to_string(root().join("docs/flows.md")).unwrap();
    for entry in std::fs::read_dir(root().join("sdk/wit/host")).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().replace(".wit", "");
        assert!(flows.contains(&format!("`agamid.{name}#")), "agamid.{name} is missing in docs/flows.md");
    }
}

/// All our Rust files outside the tests.
fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["agama-lang/src", "agama-lang/lsp/src", "host", "xtask/src", "plugins", "docs/playground"]
    {
        walk(&root().join(folder), &mut found);
    }
    assert!(found.len() > 50, "the walk found the sources");
    found
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !["target", "tests", "node_modules", "snapshots"].contains(&name.as_str()) {
                walk(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") && name != "tests.rs" {
            found.push(path);
        }
    }
}
