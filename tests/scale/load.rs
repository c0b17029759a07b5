//! Fills a store: copies of what the first person's login left, in batches.

use agamid_auth_server::copies::{Original, Owner};
use agamid_core::Env;
use agamid_core::id::{CredentialId, PersonId, SessionId};
use agamid_core::secret::{OpaqueToken, Secret, TokenKind};
use agamid_identity::credential::{Credential, CredentialKind};
use agamid_identity::{Person, Session};
use agamid_store::{AuditEvent, Batch, Expect, Record, Scan, Store};

use super::probe::Tokens;

/// People in one commit, and commits at a time: more makes sled's batches large, fewer make it wait for the disk.
const BATCH: u64 = 50;
const TOGETHER: usize = 4;

/// Of so many people the tokens are remembered, for asking about them.
const SAMPLES: u64 = 2_000;

/// Records of a person.
const RECORDS: u64 = 7;

/// What the server wrote for one person.
#[derive(Clone)]
struct Originals {
    person: Person,
    credential: Credential,
    session: Session,
    tokens: Original,
}

/// Somebody who was loaded.
#[derive(Clone)]
pub(crate) struct Sample {
    pub(crate) number: u64,
    pub(crate) person: Person,
    pub(crate) access_token: Secret,
}

pub(crate) struct Loader {
    env: Env,
    originals: Originals,
    pub(crate) loaded: u64,
    pub(crate) samples: Vec<Sample>,
}

pub(crate) fn username(number: u64) -> String {
    format!("person{number:09}")
}

impl Loader {
    pub(crate) async fn new(store: &Store, tokens: &Tokens) -> Self {
        let people = all::<Person>(store).await;
        let person = people.into_iter().find(|person| person.username == "theoriginal").unwrap();
        let credentials = all::<Credential>(store).await;
        let is_own = |one: &Credential| one.person == person.id && one.kind == CredentialKind::Password;
        let credential = credentials.into_iter().find(is_own).unwrap();
        let session = all::<Session>(store).await.into_iter().find(|one| one.person == person.id).unwrap();
        let tokens = Original::read(store, &tokens.access, &tokens.refresh).await.unwrap().unwrap();
        let originals = Originals { person, credential, session, tokens };
        let first = Sample { number: 0, person: originals.person.clone(), access_token: Secret::new("") };
        let mut loader = Self { env: Env::system(), originals, loaded: 0, samples: Vec::new() };
        let (batch, token) = loader.tokens_of_first();
        store.commit(batch).await.unwrap();
        loader.samples.push(Sample { access_token: token, ..first });
        loader
    }

    /// One that lives long enough to be asked about when all is loaded.
    fn tokens_of_first(&self) -> (Batch, Secret) {
        let owner =
            Owner { person: self.originals.person.id.clone(), session: self.originals.session.id.clone() };
        let (batch, _, token) = self.originals.tokens.family(&self.env, Batch::new(), &owner);
        (batch, token)
    }

    /// Loads up to so many people; answers how many records that took.
    pub(crate) async fn load(&mut self, store: &Store, people: u64, say: fn(String)) -> u64 {
        let before = self.loaded;
        let every = (people / SAMPLES).max(1);
        let mut running = tokio::task::JoinSet::new();
        while self.loaded < people || !running.is_empty() {
            while self.loaded < people && running.len() < TOGETHER {
                let range = self.loaded + 1..=people.min(self.loaded + BATCH);
                self.loaded = *range.end();
                let (env, originals, store) = (self.env.clone(), self.originals.clone(), store.clone());
                running.spawn(async move {
                    let mut batch = Batch::new();
                    let mut samples = Vec::new();
                    for number in range {
                        let made = originals.copy(&env, batch, number);
                        batch = made.0;
                        if number % every == 0 {
                            samples.push(made.1);
                        }
                    }
                    store.commit(batch).await.unwrap();
                    samples
                });
            }
            let Some(samples) = running.join_next().await else { break };
            self.samples.extend(samples.unwrap());
            if self.loaded.is_multiple_of(50_000) {
                say(format!("  {} people", self.loaded));
            }
        }
        (self.loaded - before) * RECORDS
    }

    /// Writes access tokens that have ended.
    pub(crate) async fn expired(&self, store: &Store, count: u64) {
        let owner =
            Owner { person: self.originals.person.id.clone(), session: self.originals.session.id.clone() };
        let (batch, family, _) = self.originals.tokens.family(&self.env, Batch::new(), &owner);
        store.commit(batch).await.unwrap();
        let ended = agamid_core::time::Timestamp(self.env.now().0 - 1);
        for from in (0..count).step_by(200) {
            let mut batch = Batch::new();
            for _ in from..count.min(from + 200) {
                batch = self.originals.tokens.access_token(&self.env, batch, &owner, &family, ended).0;
            }
            store.commit(batch).await.unwrap();
        }
    }
}

impl Originals {
    /// The original under another id and name, everywhere in the document: in its index entries too.
    fn person(&self, id: PersonId, number: u64) -> Person {
        let document = serde_json::to_string(&self.person).unwrap();
        let document = document.replace(self.person.id.as_str(), id.as_str());
        serde_json::from_str(&document.replace(&self.person.username, &username(number))).unwrap()
    }

    fn copy(&self, env: &Env, batch: Batch, number: u64) -> (Batch, Sample) {
        let person = self.person(PersonId::generate(env), number);
        let mut credential = self.credential.clone();
        credential.id = CredentialId::generate(env);
        credential.person = person.id.clone();
        let mut session = self.session.clone();
        session.hash = OpaqueToken::generate(TokenKind::Session, env).hash;
        session.id = SessionId::generate(env);
        session.person = person.id.clone();
        session.browser = OpaqueToken::generate(TokenKind::Browser, env).hash;
        session.expires_at = env.now().plus(std::time::Duration::from_secs(24 * 3600));
        let id = person.id.as_str();
        let batch = batch
            .put(&person, Expect::Absent)
            .audit(AuditEvent::new("person.created", "seed", id))
            .put(&credential, Expect::Absent)
            .audit(AuditEvent::new("credential.added", id, id))
            .put(&session, Expect::Absent)
            .audit(AuditEvent::new("session.started", id, session.id.as_str()));
        let owner = Owner { person: person.id.clone(), session: session.id };
        let (batch, family, access_token) = self.tokens.family(env, batch, &owner);
        let until = session.expires_at;
        let (batch, _) = self.tokens.access_token(env, batch, &owner, &family, until);
        (batch, Sample { number, person, access_token })
    }
}

async fn all<R: Record>(store: &Store) -> Vec<R> {
    let page = store.scan::<R>(Scan { limit: 1000, ..Scan::default() }).await.unwrap();
    page.records.into_iter().map(|found| found.record).collect()
}
