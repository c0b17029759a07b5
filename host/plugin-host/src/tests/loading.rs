//! What is accepted, and how versions follow each other.

use agamid_flow_engine::agama_lang::value::Value;
use agamid_flow_engine::ports::Routines as _;

use agamid_core::Env;
use agamid_core::seal::{EnvelopeKey, Sealer};
use agamid_store::Store;

use super::guest::{MANIFEST, call, call_in, component, context, exporting, host, host_with, limits, module};
use crate::settings::PluginSettings;
use crate::{CompiledCache, PluginHost, PluginHostParts};

fn answering(n: u32) -> Vec<u8> {
    let function = format!(r#"(func (export "test:guest/it@0.1.0#go") (result i32) (i32.const {n}))"#);
    component(&exporting("go: func() -> u32;"), &module(&function), MANIFEST)
}

async fn refusal(bytes: Vec<u8>) -> String {
    host().await.load(bytes, "test").await.unwrap_err().to_string()
}

#[tokio::test]
async fn what_can_not_be_a_plugin_is_refused_with_the_reason() {
    assert!(refusal(b"nothing".to_vec()).await.contains("magic"), "{}", refusal(b"nothing".to_vec()).await);
    let module_only = wat::parse_str("(module)").unwrap();
    assert!(refusal(module_only).await.contains("agamid:manifest"));

    let go = exporting("go: func() -> u32;");
    let core = module(r#"(func (export "test:guest/it@0.1.0#go") (result i32) (i32.const 1))"#);
    for (manifest, reason) in [
        ("name = \"other:package\"\nversion = \"1\"", "outside its own package other:package"),
        ("name = \"agamid:guest\"\nversion = \"1\"", "not in agamid:"),
        ("name = \"guest\"\nversion = \"1\"", "namespace:package"),
        ("name = \"test:guest\"", "missing field `version`"),
        ("name = \"test:guest\"\nversion = \"1\"\ngrants = []", "unknown field `grants`"),
    ] {
        let told = refusal(component(&go, &core, manifest)).await;
        assert!(told.contains(reason), "{manifest}: {told}");
    }
    let method = exporting("resource thing { constructor(); }\n go: func() -> thing;");
    let core = r#"(module (memory (export "memory") 1)
        (func (export "test:guest/it@0.1.0#[constructor]thing") (result i32) (i32.const 1))
        (func (export "test:guest/it@0.1.0#go") (result i32) (i32.const 1)))"#;
    let told = refusal(component(&method, core, MANIFEST)).await;
    assert!(told.contains("resource"), "{told}");
}

#[tokio::test]
async fn an_import_is_refused_and_named() {
    let wit = "interface clock { now: func() -> u64; }
        interface it { go: func() -> u64; }
        world plugin { import clock; export it; }";
    let core = r#"(module (import "test:guest/clock@0.1.0" "now" (func $now (result i64)))
        (memory (export "memory") 1)
        (func (export "test:guest/it@0.1.0#go") (result i64) (call $now)))"#;
    let told = refusal(component(wit, core, MANIFEST)).await;
    assert!(told.contains("test:guest/clock@0.1.0"), "{told}");
}

#[tokio::test]
async fn only_listed_digests_are_accepted_where_unsigned_ones_are_not() {
    let bytes = answering(1);
    let told =
        host_with(PluginSettings::default()).await.load(bytes.clone(), "test").await.unwrap_err().to_string();
    let digest = agamid_core::secret::sha256_hex(&bytes);
    assert!(told.contains(&format!("\"test:guest\" = \"{digest}\"")), "{told}");
    let digests = [("test:guest".to_owned(), digest)].into();
    let host = host_with(PluginSettings { digests, ..PluginSettings::default() }).await;
    host.load(bytes, "test").await.unwrap();
    assert!(host.load(answering(2), "test").await.is_err(), "another component of the name");
    assert_eq!(call(&host, "go", Vec::new()).await, Ok(Value::Number(1.0)), "the old one stays");
}

#[tokio::test]
async fn a_new_version_takes_over_while_old_sets_keep_theirs_and_a_broken_one_changes_nothing() {
    let host = host().await;
    host.load(answering(1), "test").await.unwrap();
    let (old, pins) = (host.current(), host.current().pins());
    host.load(answering(2), "test").await.unwrap();
    assert_eq!(call(&host, "go", Vec::new()).await, Ok(Value::Number(2.0)));
    assert_eq!(call_in(&old, &context(), "go", Vec::new()).await, Ok(Value::Number(1.0)));
    let pinned = host.pinned(&pins).await.unwrap();
    assert_eq!(call_in(&pinned, &context(), "go", Vec::new()).await, Ok(Value::Number(1.0)));
    assert_ne!(host.current().pins(), pins);

    assert!(host.load(b"\0asm broken".to_vec(), "test").await.is_err());
    assert_eq!(call(&host, "go", Vec::new()).await, Ok(Value::Number(2.0)));
    let gone = [("test:guest".to_owned(), "0".repeat(64))].into();
    let missing = host.pinned(&gone).await.err().unwrap();
    assert_eq!(missing.code, "unavailable");
}

#[tokio::test]
async fn a_folder_is_read_and_a_rebuilt_file_goes_into_service() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("guest.wasm"), answering(1)).unwrap();
    std::fs::write(folder.path().join("broken.wasm"), b"broken").unwrap();
    std::fs::write(folder.path().join("README.md"), b"not a plugin").unwrap();
    let host = host().await;
    host.load_folder(folder.path(), false).await.unwrap();
    assert_eq!(call(&host, "go", Vec::new()).await, Ok(Value::Number(1.0)));
    let mut changes = host.changes();
    changes.mark_unchanged();
    let _watcher = host.watch(folder.path()).unwrap();
    std::fs::write(folder.path().join("guest.wasm"), answering(2)).unwrap();
    let changed = tokio::time::timeout(std::time::Duration::from_secs(10), changes.changed()).await;
    changed.unwrap().unwrap();
    assert_eq!(call(&host, "go", Vec::new()).await, Ok(Value::Number(2.0)));
}

/// A host that keeps its compiled components in a folder, under the key of a secret.
async fn keeping(folder: &std::path::Path, secret: &str) -> PluginHost {
    let env = Env::system();
    let store = Store::memory(env.clone()).await.unwrap();
    let sealer = Sealer::new(EnvelopeKey::of_secret(secret), env);
    let compiled = Some(CompiledCache::new(folder.to_owned(), sealer));
    let settings = PluginSettings { allow_unsigned: true, limits: limits(), ..PluginSettings::default() };
    PluginHost::new(PluginHostParts { store, modules: Vec::new(), compiled, settings }).unwrap()
}

#[tokio::test]
async fn compiled_code_is_used_again_and_only_if_this_server_wrote_every_byte_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = || std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let start = async |secret: &str| {
        let host = keeping(folder.path(), secret).await;
        host.load(answering(1), "test").await.unwrap();
        assert_eq!(call(&host, "go", Vec::new()).await, Ok(Value::Number(1.0)));
        std::fs::read(file()).unwrap()
    };
    let written = start("ours").await;
    let first = std::fs::metadata(file()).unwrap().modified().unwrap();
    assert_eq!(start("ours").await, written);
    assert_eq!(std::fs::metadata(file()).unwrap().modified().unwrap(), first, "used as it was");
    // Somebody who can write the folder but has no key: a byte of code, a byte of the MAC, the end, all of it.
    let flipped = |at: usize| {
        let mut bytes = written.clone();
        bytes[at] ^= 1;
        bytes
    };
    for forged in [flipped(0), flipped(written.len() / 2), written[..written.len() - 1].to_vec(), Vec::new()]
    {
        std::fs::write(file(), &forged).unwrap();
        assert_ne!(start("ours").await, forged, "refused, and written anew");
    }
    let before = std::fs::read(file()).unwrap();
    assert_ne!(start("another node").await, before, "code under another key is not run");
    // What was written for one component does not pass for another.
    let own = std::fs::read(file()).unwrap();
    std::fs::remove_file(file()).unwrap();
    let other = async || {
        let host = keeping(folder.path(), "another node").await;
        host.load(answering(2), "test").await.unwrap();
        call(&host, "go", Vec::new()).await
    };
    assert_eq!(other().await, Ok(Value::Number(2.0)));
    std::fs::write(file(), own).unwrap();
    assert_eq!(other().await, Ok(Value::Number(2.0)), "and not the other's code");
}
