#[path = "../../../../tests/support/slapd.rs"]
#[expect(dead_code, reason = "the tests of identity take more of it")]
mod slapd;

use agamid_core::Env;
use agamid_core::seal::{EnvelopeKey, Sealer};
use agamid_identity::directory::{DirectoriesSettings, DirectorySettings, TlsMode};
use agamid_identity::{IdentityParts, IdentitySettings, NewPerson};
use agamid_store::Store;

use super::*;
use slapd::{PASSWORD, PEOPLE, SEARCHER, Slapd};

async fn house(slapd: &Slapd) -> (Identity, CallContext) {
    let env = Env::system();
    let store = Store::memory(env.clone()).await.unwrap();
    let sealer = Sealer::new(EnvelopeKey::generate(&env), env.clone());
    let settings = IdentitySettings::default();
    let staff = DirectorySettings {
        name: "staff".into(),
        urls: vec![slapd.url()],
        tls: TlsMode::None,
        bind_dn: SEARCHER.into(),
        bind_password_file: Some(slapd.password_file()),
        base_dn: PEOPLE.into(),
        ..DirectorySettings::default()
    };
    let identity = Identity::new(IdentityParts { env: env.clone(), store, sealer, settings }).unwrap();
    let identity = identity.with_directories(DirectoriesSettings(vec![staff])).unwrap();
    let mut context = CallContext::new(env, "test.flow");
    context.organisation = Some(identity.organisations.ensure_default().await.unwrap().id);
    (identity, context)
}

async fn call(
    identity: &Identity,
    context: &CallContext,
    routine: &str,
    args: &[&str],
) -> Result<Value, CallError> {
    let (module, function) = routine.split_once('#').unwrap();
    let modules = crate::all(identity, None, None);
    let module = modules.iter().find(|m| m.wit().contains(&format!("interface {module} "))).unwrap();
    module.call(context, function, args.iter().map(|arg| Value::from(*arg)).collect()).await
}

#[tokio::test]
async fn a_right_password_proves_the_person_and_a_wrong_or_empty_one_nobody() {
    let slapd = Slapd::start("localhost", 0);
    let (identity, context) = house(&slapd).await;
    for (login, password) in [("alice", "wrong"), ("alice", ""), ("nobody", PASSWORD), ("*", PASSWORD)] {
        let answer = call(&identity, &context, "ldap#authenticate", &["staff", login, password]).await;
        assert_eq!(answer, Ok(Value::Null), "{login}");
    }
    assert!(context.take_proofs().is_empty());
    let answer = call(&identity, &context, "ldap#authenticate", &["staff", "alice", PASSWORD]).await.unwrap();
    let id = answer.as_map().unwrap()["id"].as_str().unwrap().to_owned();
    let proofs = context.take_proofs();
    assert_eq!(proofs.len(), 1);
    assert_eq!((proofs[0].person.as_str(), proofs[0].method.as_str()), (id.as_str(), "pwd"));
    assert_eq!(proofs[0].by, "agamid.ldap#authenticate");
}

#[tokio::test]
async fn the_password_module_takes_directory_people_too_and_asks_nobody_for_local_ones() {
    let slapd = Slapd::start("localhost", 0);
    let (identity, context) = house(&slapd).await;
    let organisation = context.organisation.clone().unwrap();
    let new = NewPerson { username: "local".into(), ..NewPerson::default() };
    let local = identity.persons.create(&organisation, new, "test").await.unwrap();
    identity.passwords.set(&local, PASSWORD).await.unwrap();
    let verify = async |login: &str, password: &str| {
        let before = (identity.passwords.hashes_computed(), identity.directories.exchanges());
        let answer = call(&identity, &context, "password#verify", &[login, password]).await.unwrap();
        let after = (identity.passwords.hashes_computed(), identity.directories.exchanges());
        (answer != Value::Null, after.0 - before.0, after.1 - before.1)
    };
    assert_eq!(verify("alice", PASSWORD).await, (true, 1, 2));
    assert_eq!(verify("local", PASSWORD).await, (true, 1, 0));
    assert_eq!(verify("local", "wrong").await, (false, 1, 0));
    for login in ["alice", "nobody"] {
        for _ in 0..5 {
            assert_eq!(verify(login, "wrong").await, (false, 1, 2), "{login}");
        }
        assert_eq!(verify(login, PASSWORD).await, (false, 1, 2), "{login} is locked");
    }
    let locked = call(&identity, &context, "ldap#authenticate", &["staff", "alice", PASSWORD]).await;
    assert_eq!(locked, Ok(Value::Null), "both modules count together");
}

#[tokio::test]
async fn entries_and_attributes_are_read_and_prove_nobody() {
    let slapd = Slapd::start("localhost", 0);
    let (identity, context) = house(&slapd).await;
    let found = call(&identity, &context, "ldap#find", &["staff", "bob"]).await.unwrap();
    assert_eq!(found.as_map().unwrap()["dn"], Value::from(format!("uid=bob,{PEOPLE}").as_str()));
    let names = ["mail", "userPassword"].map(Value::from).to_vec();
    let args = vec!["staff".into(), "bob".into(), Value::List(names)];
    let read = Ldap(identity.clone());
    let Value::List(read) = read.call(&context, "attributes", args).await.unwrap() else { panic!("no list") };
    let values = |at: usize| read[at].as_map().unwrap()["values"].clone();
    assert_eq!(values(0), Value::List(vec!["bob@example.org".into()]));
    assert_eq!(values(1), Value::List(Vec::new()));
    assert!(context.take_proofs().is_empty());
}

#[tokio::test]
async fn an_unknown_directory_and_a_dead_one_are_told_apart_and_name_no_server() {
    let mut slapd = Slapd::start("localhost", 0);
    let (identity, context) = house(&slapd).await;
    for routine in ["ldap#find", "ldap#authenticate", "ldap#attributes"] {
        let args = ["ldap://127.0.0.1", "alice", PASSWORD];
        assert_eq!(call(&identity, &context, routine, &args).await.unwrap_err().code, "unknown_directory");
    }
    slapd.stop();
    for (routine, args) in
        [("ldap#find", vec!["staff", "alice"]), ("password#verify", vec!["alice", PASSWORD])]
    {
        let error = call(&identity, &context, routine, &args).await.unwrap_err();
        assert_eq!(error.code, "unavailable");
        assert!(!error.message.contains("127.0.0.1"), "{}", error.message);
    }
}
