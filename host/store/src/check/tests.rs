//! What can only be shown from inside: bytes that somebody changed.

use std::sync::Arc;

use agamid_core::Env;
use serde::{Deserialize, Serialize};

use super::{Finding, Severity};
use crate::backend::keyspace::{Ordered, Read as _};
use crate::backend::memory::Memory;
use crate::setting::Setting;
use crate::stored::Stored;
use crate::{AuditEvent, Batch, Expect, Index, IndexEntry, Kind, Record, Store, keys};

#[derive(Debug, Serialize, Deserialize)]
struct Thing {
    id: String,
    name: String,
}

impl Record for Thing {
    const KIND: &'static str = "thing";
    const INDEXES: &'static [Index] = &[Index::unique("name"), Index::shared("letter")];
    fn key(&self) -> String {
        self.id.clone()
    }
    fn indexes(&self) -> Vec<IndexEntry> {
        let letter = self.name.chars().take(1).collect::<String>();
        vec![IndexEntry::new("name", &self.name), IndexEntry::new("letter", letter)]
    }
    fn expires_at(&self) -> Option<agamid_core::time::Timestamp> {
        Some(agamid_core::time::Timestamp(i64::MAX / 2))
    }
}

async fn filled() -> (Store, Arc<Memory>) {
    let memory = Arc::new(Memory::new(Env::system()));
    let kinds = [Kind::of::<Thing>(), Kind::of::<Setting>()];
    let backend = Ordered::<Memory>::start(Arc::clone(&memory), Env::system(), &kinds, true).await.unwrap();
    let mut store = Store::over(Arc::new(backend), Env::system());
    store.kinds = Some(kinds.into());
    for name in ["anna", "bert"] {
        let thing = Thing { id: name.to_uppercase(), name: name.to_owned() };
        let event = AuditEvent::new("made", "server", name);
        store.commit(Batch::new().put(&thing, Expect::Absent).audit(event)).await.unwrap();
    }
    (store, memory)
}

async fn findings(store: &Store) -> Vec<Finding> {
    let mut found = Vec::new();
    assert_eq!(store.check(|finding| found.push(finding), |_| {}).await.unwrap(), 2);
    found
}

#[tokio::test]
async fn a_sound_store_has_no_findings() {
    let (store, _) = filled().await;
    assert_eq!(findings(&store).await, []);
}

#[tokio::test]
async fn every_kind_of_damage_is_found_where_it_is() {
    let anna = keys::record("thing", "ANNA");
    let damages = vec![
        ("a record of other bytes", anna.clone(), Some(vec![0xff; 30]), "thing ANNA"),
        ("a missing entry", keys::entry("thing", "letter", "a", "ANNA"), None, "thing ANNA"),
        ("a missing unique value", keys::unique("thing", "name", "anna"), None, "thing ANNA"),
        (
            "a unique value of another",
            keys::unique("thing", "name", "anna"),
            Some(b"BERT".to_vec()),
            "thing ANNA",
        ),
        (
            "a stray entry",
            keys::entry("thing", "letter", "z", "ANNA"),
            Some(Vec::new()),
            "index entry thing letter",
        ),
        (
            "an entry of nobody",
            keys::entry("thing", "letter", "a", "ZOE"),
            Some(Vec::new()),
            "index entry thing letter",
        ),
        (
            "a stray unique value",
            keys::unique("thing", "name", "zoe"),
            Some(b"ANNA".to_vec()),
            "unique value thing name",
        ),
        (
            "a missing expiry",
            keys::expiry(agamid_core::time::Timestamp(i64::MAX / 2), "thing", "ANNA"),
            None,
            "thing ANNA",
        ),
        (
            "a stray expiry",
            keys::expiry(agamid_core::time::Timestamp(i64::MAX / 4), "thing", "ANNA"),
            Some(Vec::new()),
            "expiry entry",
        ),
    ];
    for (what, key, value, place) in damages {
        let (store, memory) = filled().await;
        memory.meddle(key, value);
        let found = findings(&store).await;
        assert!(
            found.iter().any(|finding| finding.place == place && finding.severity == Severity::Error),
            "{what}: {found:?}"
        );
        assert!(found.iter().all(|finding| !finding.remedy.is_empty()));
    }
}

#[tokio::test]
async fn a_document_that_says_something_else_than_its_indexes_is_found() {
    for (body, what) in [
        (r#"{"id":"ANNA","name":"other"}"#, "missing in the index"),
        (r#"{"id":"OTHER","name":"anna"}"#, "OTHER"),
        (r#"{"id":"ANNA"}"#, "name"),
    ] {
        let (store, memory) = filled().await;
        let at = keys::record("thing", "ANNA");
        let stored = Stored::from_bytes("thing", "ANNA", &memory.get(&at).unwrap().unwrap()).unwrap();
        let changed = Stored { body: body.into(), ..stored };
        memory.meddle(at, Some(changed.to_bytes().unwrap()));
        let found = findings(&store).await;
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].place == "thing ANNA" && found[0].what.contains(what), "{found:?}");
    }
}

#[tokio::test]
async fn older_and_newer_records_and_unknown_kinds_are_told_apart() {
    for (schema, severity, what) in
        [(9, Severity::Error, "schema 9, this version knows 1"), (0, Severity::Error, "cannot be read")]
    {
        let (store, memory) = filled().await;
        let at = keys::record("thing", "ANNA");
        let mut stored = Stored::from_bytes("thing", "ANNA", &memory.get(&at).unwrap().unwrap()).unwrap();
        stored.header.schema = schema;
        memory.meddle(at, Some(stored.to_bytes().unwrap()));
        let found = findings(&store).await;
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].severity == severity && (schema == 0 || found[0].what.contains(what)), "{found:?}");
    }
    let (mut store, _) = filled().await;
    store.kinds = Some([Kind::of::<Setting>()].into());
    let found = findings(&store).await;
    assert!(
        found.iter().all(|finding| finding.what.contains("does not know")) && found.len() == 2,
        "{found:?}"
    );
}

#[tokio::test]
async fn a_broken_chain_is_found() {
    let (store, memory) = filled().await;
    let node = store.node().await.unwrap();
    memory.meddle(keys::audit(&node, 1), None);
    let found = findings(&store).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].place, format!("audit {node}/1"));
}
