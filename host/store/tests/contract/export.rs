//! Exports and imports: everything survives, between all backends, at one moment, encrypted, and interrupted.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use agamid_core::Env;
use agamid_core::seal::EnvelopeKey;
use agamid_core::secret::Secret;
use agamid_store::setting::Setting;
use agamid_store::testing::Fault;
use agamid_store::{
    AuditEvent, Batch, Consume, Consumption, Expect, ExportFile, ImportOptions, OneTime, Protection, Purpose,
    Store, StoreError,
};

use sha2::{Digest as _, Sha256};

use crate::bench::{Bench, NOW, Pet, env_at, on_every_backend};

fn passphrase() -> Protection {
    Protection::Passphrase(Secret::new("correct horse battery"))
}

async fn write(store: &Store, path: &Path, protection: &Protection) {
    let mut export = store.export(protection.clone()).await.unwrap();
    let mut bytes = Vec::new();
    while let Some(piece) = export.next().await {
        bytes.extend(piece.unwrap());
    }
    std::fs::write(path, bytes).unwrap();
}

async fn read(bench: &Bench, path: &Path, protection: &Protection) -> Result<ExportFile, StoreError> {
    ExportFile::open(path, protection.clone(), env_at(&bench.clock)).await
}

async fn exported(bench: &Bench, folder: &tempfile::TempDir, name: &str) -> (PathBuf, ExportFile) {
    let path = folder.path().join(name);
    write(&bench.store, &path, &Protection::Plaintext).await;
    let file = read(bench, &path, &Protection::Plaintext).await.unwrap();
    (path, file)
}

fn code(hash: &str) -> OneTime {
    OneTime {
        purpose: Purpose::RefreshToken,
        hash: hash.to_owned(),
        client: Some("shop".to_owned()),
        person: Some("p".to_owned()),
        session: None,
        run: None,
        address: Some("https://a.example/cb".to_owned()),
        family: Some("f".to_owned()),
        payload: serde_json::json!({"b": 1, "a": [null, "ä\n"]}),
        expires_at: NOW.plus(Duration::from_secs(600)),
    }
}

/// A little of everything.
async fn fill(store: &Store) {
    for n in 0..1_200 {
        let name = format!("pet {n}");
        let pet = Pet::new(&format!("{n:04}"), &name).tagged(&["t", &format!("chip {n}")]);
        store.commit(Batch::new().put(&pet, Expect::Absent)).await.unwrap();
    }
    let big =
        Setting { section: "big".to_owned(), value: serde_json::json!({"z": "x".repeat(300_000), "a": 1.1}) };
    let odd = Setting {
        section: "ä 😀 },\"document\": \\".to_owned(),
        value: serde_json::json!({"record": {}}),
    };
    let batch = Batch::new()
        .put(&big, Expect::Absent)
        .put(&odd, Expect::Absent)
        .put(&Pet::new("0007", "seven").tagged(&["t"]), Expect::Version(1))
        .put(&Pet::new("ends", "ends").ending_in(100), Expect::Absent)
        .put(&Pet::new("gone", "gone").ending_in(-1), Expect::Absent)
        .issue(code("live"))
        .issue(code("used"))
        .audit(AuditEvent::new("one", "server", "x"))
        .audit(AuditEvent::new("two", "server", "\"ä\n\""));
    store.commit(batch).await.unwrap();
    let consume = Consume::new(Purpose::RefreshToken, "used").leave(serde_json::json!({"next": "sealed"}));
    assert!(matches!(store.consume(consume).await.unwrap(), Consumption::Consumed(_)));
}

/// What must be there after any number of moves.
async fn check(bench: &Bench) {
    let store = &bench.store;
    let seven = store.get::<Pet>("0007").await.unwrap().unwrap();
    assert_eq!((seven.version, seven.record.name.as_str()), (2, "seven"));
    assert_eq!(bench.named("pet 8").await, ["0008"]);
    assert_eq!(store.find::<Pet>("tag", "t").await.unwrap().len(), 1_200);
    assert_eq!(store.find::<Pet>("chip", "7").await.unwrap().len(), 0);
    let taken = store.commit(Batch::new().put(&Pet::new("new", "pet 8"), Expect::Absent)).await;
    assert!(matches!(taken, Err(StoreError::Conflict { .. })));
    let odd = store.get::<Setting>("ä 😀 },\"document\": \\").await.unwrap().unwrap();
    assert_eq!(odd.record.value, serde_json::json!({"record": {}}));
    let used = store.consume(Consume::new(Purpose::RefreshToken, "used").client("shop")).await.unwrap();
    let Consumption::Replayed(tombstone) = used else { panic!("{used:?}") };
    assert_eq!(tombstone.family.as_deref(), Some("f"));
    assert_eq!(tombstone.left, Some(serde_json::json!({"next": "sealed"})));
    let peeked = store.peek(Purpose::RefreshToken, "live").await.unwrap();
    assert_eq!(peeked, agamid_store::Peeked::Live(Box::new(code("live"))));
    assert_eq!(store.verify_audit().await.unwrap(), 2);
}

async fn everything_moves_to_every_other_backend_and_back_unchanged(bench: Bench) {
    let folder = tempfile::tempdir().unwrap();
    fill(&bench.store).await;
    let (_, original) = exported(&bench, &folder, "original").await;
    assert_eq!(original.summary().records, 1_205);
    for (at, target) in
        [Bench::memory().await, Bench::sled().await, Bench::postgres().await].into_iter().enumerate()
    {
        let done = target.store.import(&original, ImportOptions::default(), |_| {}).await.unwrap();
        assert_eq!((done.records, done.audit_events, done.resumed), (1_205, 2, false));
        check(&target).await;
        assert_eq!(target.store.compare(&original).await.unwrap(), []);
        let (_, copy) = exported(&target, &folder, &format!("copy{at}")).await;
        assert_eq!(copy.differences(&original).unwrap(), []);
        target.put(&Pet::new("0008", "changed")).await;
        target.store.commit(Batch::new().delete::<Pet>("0009", Expect::Any)).await.unwrap();
        let differences = target.store.compare(&original).await.unwrap();
        let said: Vec<String> = differences.iter().map(ToString::to_string).collect();
        assert_eq!(said, ["pet 0008 is not the same in both", "pet 0009 is in the second only"]);
    }
}

/// Two records always hold the same number; in the copy they must too, whichever moment it is of.
async fn an_export_under_load_is_of_one_moment(bench: Bench) {
    let folder = tempfile::tempdir().unwrap();
    let pair = |n: u64, one: &str, two: &str| {
        let setting = |section: &str| Setting { section: section.to_owned(), value: n.into() };
        // A unique name that goes from one record to another and back.
        let (gives, takes) = if n.is_multiple_of(2) { ("0000", "9999") } else { ("9999", "0000") };
        Batch::new()
            .put(&setting(one), Expect::Any)
            .put(&setting(two), Expect::Any)
            .put(&Pet::new(gives, &format!("nobody {n}")), Expect::Any)
            .put(&Pet::new(takes, "wanderer"), Expect::Any)
            .audit(AuditEvent::new("pair", "server", n.to_string()))
    };
    for n in 1..3_000 {
        bench.put(&Pet::new(&format!("{n:04}"), &format!("{n}"))).await;
    }
    bench.store.commit(pair(0, "aa", "zz")).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let (store, stopped) = (bench.store.clone(), Arc::clone(&stop));
    let writer = tokio::spawn(async move {
        let mut n = 0;
        while !stopped.load(Ordering::SeqCst) {
            n += 1;
            store.commit(pair(n, "aa", "zz")).await.unwrap();
            let temporary = Pet::new(&format!("tmp{n}"), &format!("tmp{n}"));
            store.commit(Batch::new().put(&temporary, Expect::Any)).await.unwrap();
            if n % 3 == 0 {
                store.commit(Batch::new().delete::<Pet>(&temporary.id, Expect::Any)).await.unwrap();
            }
        }
        n
    });
    for round in 0..3 {
        let (_, file) = exported(&bench, &folder, &format!("file{round}")).await;
        let copy = Bench::memory().await;
        copy.store.import(&file, ImportOptions::default(), |_| {}).await.unwrap();
        let value =
            async |section: &str| copy.store.get::<Setting>(section).await.unwrap().unwrap().record.value;
        let (one, two) = (value("aa").await, value("zz").await);
        assert_eq!(one, two, "half a commit");
        assert_eq!(copy.store.verify_audit().await.unwrap(), one.as_u64().unwrap() + 1);
        assert_eq!(copy.named("wanderer").await.len(), 1);
    }
    stop.store(true, Ordering::SeqCst);
    assert!(writer.await.unwrap() > 3, "the writer hardly wrote");
}

async fn a_store_that_holds_something_is_refused_and_what_both_have_is_named(bench: Bench) {
    let folder = tempfile::tempdir().unwrap();
    let source = Bench::memory().await;
    fill(&source.store).await;
    let (_, file) = exported(&source, &folder, "file").await;
    bench.put(&Pet::new("1100", "mine")).await;
    let refused = bench.store.import(&file, ImportOptions::default(), |_| {}).await;
    assert!(
        matches!(&refused, Err(StoreError::Invalid(reason)) if reason.contains("not empty")),
        "{refused:?}"
    );
    let refused = bench.store.import(&file, ImportOptions { into_non_empty: true }, |_| {}).await;
    let Err(StoreError::Conflict { kind, key, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!((kind.as_str(), key.as_str()), ("pet", "1100"));
    assert_eq!(bench.named("mine").await, ["1100"]);
}

async fn an_interrupted_import_goes_on_where_it_was(bench: Bench) {
    let folder = tempfile::tempdir().unwrap();
    let source = Bench::memory().await;
    fill(&source.store).await;
    let (_, file) = exported(&source, &folder, "file").await;
    for (n, fault) in [(1, Fault::Lost), (2, Fault::Unanswered), (1, Fault::Unanswered)] {
        let breaking = bench.store.breaking_at(n, fault);
        let broken = breaking.import(&file, ImportOptions::default(), |_| {}).await;
        assert!(matches!(broken, Err(StoreError::Unavailable(_))), "{broken:?}");
    }
    source.put(&Pet::new("more", "more")).await;
    let (_, other) = exported(&source, &folder, "other").await;
    let refused = bench.store.import(&other, ImportOptions::default(), |_| {}).await;
    assert!(
        matches!(&refused, Err(StoreError::Invalid(reason)) if reason.contains("another file")),
        "{refused:?}"
    );
    let done = bench.store.import(&file, ImportOptions::default(), |_| {}).await.unwrap();
    assert!(done.resumed && done.records < 1_205);
    check(&bench).await;
    assert_eq!(bench.store.compare(&file).await.unwrap(), []);
}

on_every_backend! {
    everything_moves_to_every_other_backend_and_back_unchanged
    an_export_under_load_is_of_one_moment
    a_store_that_holds_something_is_refused_and_what_both_have_is_named
    an_interrupted_import_goes_on_where_it_was
}

#[tokio::test]
async fn every_altered_moved_or_missing_part_of_an_encrypted_file_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::memory().await;
    fill(&bench.store).await;
    let path = folder.path().join("file");
    let key = Protection::Key(EnvelopeKey::generate(&Env::system()));
    write(&bench.store, &path, &key).await;
    assert_eq!(read(&bench, &path, &key).await.unwrap().summary().records, 1_205);
    let whole = std::fs::read(&path).unwrap();
    assert!(!String::from_utf8_lossy(&whole).contains("seven"));
    let header = whole.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    // The chunks, each with its length before it.
    let (mut chunks, mut at) = (Vec::new(), header);
    while at < whole.len() {
        let length = u32::from_be_bytes(whole[at..at + 4].try_into().unwrap()) as usize;
        chunks.push(&whole[at..at + 4 + length]);
        at += 4 + length;
    }
    assert!(chunks.len() > 3);
    let built = |chunks: &[&[u8]]| [&whole[..header], &chunks.concat()].concat();
    let swapped = [&[chunks[1], chunks[0]], &chunks[2..]].concat();
    let twice = [chunks.as_slice(), &chunks[chunks.len() - 1..]].concat();
    let mut changed = whole.clone();
    changed[header + 100] ^= 1;
    let damaged = [
        built(&chunks[..chunks.len() - 1]),
        built(&chunks[1..]),
        built(&swapped),
        built(&twice),
        whole[..whole.len() - 1].to_vec(),
        whole[..header + 2].to_vec(),
        changed,
        Vec::new(),
    ];
    for (at, bytes) in damaged.iter().enumerate() {
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(read(&bench, &path, &key).await, Err(StoreError::Invalid(_))), "damage {at}");
    }
    std::fs::write(&path, &whole).unwrap();
    for other in [Protection::Key(EnvelopeKey::generate(&Env::system())), passphrase(), Protection::Plaintext]
    {
        assert!(matches!(read(&bench, &path, &other).await, Err(StoreError::Invalid(_))));
    }
}

#[tokio::test]
async fn a_passphrase_opens_its_file_and_a_short_or_other_one_or_a_plain_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::memory().await;
    bench.put(&Pet::new("a", "rex")).await;
    let path = folder.path().join("file");
    write(&bench.store, &path, &passphrase()).await;
    assert_eq!(read(&bench, &path, &passphrase()).await.unwrap().summary().records, 1);
    let other = Protection::Passphrase(Secret::new("incorrect horse battery"));
    assert!(matches!(read(&bench, &path, &other).await, Err(StoreError::Invalid(_))));
    write(&bench.store, &path, &Protection::Plaintext).await;
    let plain = read(&bench, &path, &passphrase()).await.map(drop);
    assert!(
        matches!(&plain, Err(StoreError::Invalid(reason)) if reason.contains("not encrypted")),
        "{plain:?}"
    );
    let short = Protection::Passphrase(Secret::new("short"));
    assert!(matches!(bench.store.export(short).await, Err(StoreError::Invalid(_))));
}

#[tokio::test]
async fn an_altered_or_cut_plain_file_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::memory().await;
    fill(&bench.store).await;
    let (path, _) = exported(&bench, &folder, "file").await;
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let damaged = [
        text.replacen("seven", "eight", 1),
        lines[..lines.len() - 1].concat(),
        [&lines[..5], &lines[6..]].concat().concat(),
        lines[1..].concat(),
        text[..text.len() - 1].to_owned(),
        format!("{text}{}", lines[3]),
        text.replacen("\"format\":1", "\"format\":2", 1),
        "{\"record\":".to_owned(),
    ];
    for (at, text) in damaged.iter().enumerate() {
        std::fs::write(&path, text).unwrap();
        let opened = read(&bench, &path, &Protection::Plaintext).await;
        let Err(StoreError::Invalid(reason)) = opened else { panic!("damage {at} was not noticed") };
        assert!(reason.contains(&path.display().to_string()), "{reason}");
    }
}

#[tokio::test]
async fn a_file_of_a_newer_schema_or_an_unknown_kind_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::memory().await;
    bench.put(&Pet::new("a", "rex")).await;
    let (_, file) = exported(&bench, &folder, "file").await;
    let reopened = |kinds| agamid_store::StoreOptions { kinds, ..agamid_store::StoreOptions::default() };
    let none = Store::open(reopened(Vec::new()), Env::system()).await.unwrap();
    let refused = none.import(&file, ImportOptions::default(), |_| {}).await;
    assert!(matches!(refused, Err(StoreError::Invalid(reason)) if reason.contains("\"pet\"")));
    let path = folder.path().join("newer");
    let text = std::fs::read_to_string(folder.path().join("file")).unwrap();
    let newer = text.replace("\"schema\":1,\"expires_at\"", "\"schema\":8,\"expires_at\"");
    let body = newer.rsplit_once("{\"end\"").unwrap().0;
    let sha: String = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
    let counts = r#"{"records":1,"deleted":0,"links":0,"chains":0}"#;
    std::fs::write(&path, format!("{body}{{\"end\":{{\"counts\":{counts},\"sha256\":\"{sha}\"}}}}\n"))
        .unwrap();
    let newer = read(&bench, &path, &Protection::Plaintext).await.unwrap();
    let empty = Bench::memory().await;
    let refused = empty.store.import(&newer, ImportOptions::default(), |_| {}).await;
    assert!(matches!(refused, Err(StoreError::Schema { kind: "pet", found: 8, known: 1 })), "{refused:?}");
}
