//! Any sequence of operations does to a store what it does to a naive model.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use agamid_core::time::{ManualClock, Timestamp};
use agamid_store::{
    Batch, Consume, Consumption, Expect, OneTime, Purpose, Scan, Store, StoreError, Tombstone,
};
use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, TestRunner};

use crate::bench::{NOW, POSTGRES, Pet, env_at, options, sled_url};

#[derive(Debug, Clone)]
enum Step {
    Put {
        id: u8,
        name: u8,
        ttl: Option<u8>,
        expect: Expect,
    },
    Delete {
        id: u8,
        expect: Expect,
    },
    Issue {
        hash: u8,
        purpose: Purpose,
        ttl: u8,
    },
    /// Together with a put, so that refusals and conflicts meet.
    Consume {
        hash: u8,
        purpose: Purpose,
        own: bool,
        id: u8,
        name: u8,
        expect: Expect,
    },
    Wait {
        seconds: u8,
    },
    Sweep {
        limit: usize,
    },
    Reopen,
}

fn expect() -> impl Strategy<Value = Expect> {
    prop_oneof![3 => Just(Expect::Any), 2 => Just(Expect::Absent), 2 => (1u64..4).prop_map(Expect::Version)]
}

fn purpose() -> impl Strategy<Value = Purpose> {
    prop_oneof![Just(Purpose::Code), Just(Purpose::RefreshToken)]
}

fn step() -> impl Strategy<Value = Step> {
    let (id, name, hash) = (0u8..4, 0u8..4, 0u8..3);
    prop_oneof![
        6 => (id.clone(), name.clone(), proptest::option::of(1u8..6), expect())
            .prop_map(|(id, name, ttl, expect)| Step::Put { id, name, ttl, expect }),
        2 => (id.clone(), expect()).prop_map(|(id, expect)| Step::Delete { id, expect }),
        3 => (hash.clone(), purpose(), 1u8..6).prop_map(|(hash, purpose, ttl)| Step::Issue { hash, purpose, ttl }),
        4 => (hash, purpose(), proptest::bool::weighted(0.8), id, name, expect()).prop_map(
            |(hash, purpose, own, id, name, expect)| Step::Consume { hash, purpose, own, id, name, expect }
        ),
        3 => (1u8..4).prop_map(|seconds| Step::Wait { seconds }),
        1 => (0usize..4).prop_map(|limit| Step::Sweep { limit }),
        1 => Just(Step::Reopen),
    ]
}

/// What the store should be: maps, and nothing clever.
#[derive(Default)]
struct Model {
    now: i64,
    pets: BTreeMap<String, (Pet, u64)>,
    codes: BTreeMap<(String, u8), (OneTime, Option<i64>)>,
}

impl Model {
    /// Forgets what has ended; answers how much.
    fn expire(&mut self) {
        let now = self.now;
        self.pets.retain(|_, (pet, _)| pet.expires_at.is_none_or(|end| now < end.0));
        self.codes.retain(|_, (code, _)| now < code.expires_at.0);
    }

    fn allows(&self, id: &str, expect: Expect) -> bool {
        let version = self.pets.get(id).map(|(_, version)| *version);
        match expect {
            Expect::Any => true,
            Expect::Absent => version.is_none(),
            Expect::Version(wanted) => version == Some(wanted),
        }
    }

    fn put(&mut self, pet: &Pet, expect: Expect) -> bool {
        let name_free = self.pets.values().all(|(other, _)| other.name != pet.name || other.id == pet.id);
        let fine = self.allows(&pet.id, expect) && name_free;
        if fine {
            let version = self.pets.get(&pet.id).map_or(1, |(_, version)| version + 1);
            self.pets.insert(pet.id.clone(), (pet.clone(), version));
        }
        fine
    }

    fn delete(&mut self, id: &str, expect: Expect) -> bool {
        let fine = self.allows(id, expect);
        if fine {
            self.pets.remove(id);
        }
        fine
    }

    fn issue(&mut self, code: OneTime, hash: u8) -> bool {
        let key = (format!("{:?}", code.purpose), hash);
        let free = !self.codes.contains_key(&key);
        if free {
            self.codes.insert(key, (code, None));
        }
        free
    }

    /// `None` is a conflict of the put.
    fn consume(
        &mut self,
        purpose: Purpose,
        hash: u8,
        own: bool,
        pet: &Pet,
        expect: Expect,
    ) -> Option<Consumption> {
        let now = self.now;
        let key = (format!("{purpose:?}"), hash);
        let Some((code, used)) = self.codes.get(&key).cloned() else { return Some(Consumption::Absent) };
        let use_up = |model: &mut Self| {
            model.codes.insert(key, (code.clone(), Some(now)));
        };
        if let Some(used) = used {
            let used_at = Timestamp(used);
            return Some(Consumption::Replayed(Tombstone { family: code.family, used_at, left: None }));
        }
        if !own {
            if purpose == Purpose::Code {
                use_up(self);
            }
            return Some(Consumption::Mismatch("client"));
        }
        self.put(pet, expect).then(|| {
            use_up(self);
            Consumption::Consumed(Box::new(code.clone()))
        })
    }
}

fn one_time(purpose: Purpose, hash: u8, end: i64) -> OneTime {
    OneTime {
        purpose,
        hash: hash.to_string(),
        client: Some("own".to_owned()),
        person: None,
        session: None,
        run: None,
        address: None,
        family: Some(format!("family {hash}")),
        payload: serde_json::json!([hash]),
        expires_at: Timestamp(end),
    }
}

fn pet(id: u8, name: u8, end: Option<i64>) -> Pet {
    let mut pet = Pet::new(&format!("id{id}"), &format!("name{name}")).tagged(&[&format!("tag{}", name % 2)]);
    pet.expires_at = end.map(Timestamp);
    pet
}

struct Machine {
    url: String,
    clock: Arc<ManualClock>,
    store: Store,
    model: Model,
}

impl Machine {
    async fn start(url: String) -> Self {
        let clock = Arc::new(ManualClock::new(NOW));
        let store = Store::open(options(&url), env_at(&clock)).await.unwrap();
        Self { url, clock, store, model: Model { now: NOW.0, ..Model::default() } }
    }

    async fn take(&mut self, step: &Step) {
        let now = self.model.now;
        match *step {
            Step::Put { id, name, ttl, expect } => {
                let pet = pet(id, name, ttl.map(|ttl| now + i64::from(ttl) * 1000));
                let result = self.store.commit(Batch::new().put(&pet, expect)).await;
                assert_eq!(went_through(&result), self.model.put(&pet, expect));
            }
            Step::Delete { id, expect } => {
                let id = format!("id{id}");
                let result = self.store.commit(Batch::new().delete::<Pet>(&id, expect)).await;
                assert_eq!(went_through(&result), self.model.delete(&id, expect));
            }
            Step::Issue { hash, purpose, ttl } => {
                let code = one_time(purpose, hash, now + i64::from(ttl) * 1000);
                let result = self.store.commit(Batch::new().issue(code.clone())).await;
                assert_eq!(went_through(&result), self.model.issue(code, hash));
            }
            Step::Consume { hash, purpose, own, id, name, expect } => {
                let pet = pet(id, name, None);
                let client = if own { "own" } else { "foreign" };
                let consume = Consume::new(purpose, hash.to_string()).client(client);
                let result = self.store.commit(Batch::new().consume(consume).put(&pet, expect)).await;
                went_through(&result);
                let outcome = result.ok().and_then(|committed| committed.consumptions.into_iter().next());
                assert_eq!(outcome, self.model.consume(purpose, hash, own, &pet, expect));
            }
            Step::Wait { seconds } => {
                self.clock.advance(Duration::from_secs(seconds.into()));
                self.model.now += i64::from(seconds) * 1000;
                self.model.expire();
            }
            Step::Sweep { limit } => assert!(self.store.sweep(limit).await.unwrap() <= limit),
            Step::Reopen if self.url.starts_with("sled") => {
                self.store.close().await.unwrap();
                self.store = Store::open(options(&self.url), env_at(&self.clock)).await.unwrap();
            }
            Step::Reopen => {}
        }
        self.compare().await;
    }

    async fn compare(&self) {
        let page = self.store.scan::<Pet>(Scan::default()).await.unwrap();
        let found: Vec<_> = page.records.into_iter().map(|found| (found.record, found.version)).collect();
        assert_eq!(found, self.model.pets.values().cloned().collect::<Vec<_>>());
        for n in 0..4 {
            let (name, tag) = (format!("name{n}"), format!("tag{n}"));
            for (index, value) in [("name", &name), ("tag", &tag)] {
                let found = self.store.find::<Pet>(index, value).await.unwrap();
                let found: Vec<_> = found.into_iter().map(|found| found.record).collect();
                let expected = self.model.pets.values().map(|(pet, _)| pet);
                let expected = expected.filter(|pet| pet.name == *value || pet.tags.contains(value));
                assert_eq!(found, expected.cloned().collect::<Vec<_>>(), "{index} {value}");
            }
        }
    }
}

fn went_through<T: std::fmt::Debug>(result: &Result<T, StoreError>) -> bool {
    match result {
        Ok(_) => true,
        Err(StoreError::Conflict { .. }) => false,
        Err(other) => panic!("{other:?}"),
    }
}

fn run(cases: u32, url: impl Fn(&tempfile::TempDir) -> String) {
    let persistence = FileFailurePersistence::WithSource("regressions");
    let config = ProptestConfig {
        cases,
        failure_persistence: Some(Box::new(persistence)),
        source_file: Some(file!()),
        ..ProptestConfig::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let result = TestRunner::new(config).run(&proptest::collection::vec(step(), 1..60), |steps| {
        let directory = tempfile::tempdir().unwrap();
        runtime.block_on(async {
            let mut machine = Machine::start(url(&directory)).await;
            for step in &steps {
                machine.take(step).await;
            }
        });
        Ok(())
    });
    result.unwrap();
}

#[test]
fn memory_does_what_the_model_does() {
    run(400, |_| "memory:".to_owned());
}

#[test]
fn sled_does_what_the_model_does() {
    run(40, sled_url);
}

#[test]
fn postgres_does_what_the_model_does() {
    run(40, |_| POSTGRES.database().unwrap());
}
