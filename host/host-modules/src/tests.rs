use agamid_core::Env;
use agamid_core::seal::{EnvelopeKey, Sealer};
use agamid_identity::organisation::Organisation;
use agamid_identity::{AccountStatus, IdentityParts, IdentitySettings, NewPerson, OrgScope};
use agamid_store::Store;

use super::*;
use agamid_flow_engine::ports::CallContext;

async fn house() -> (Identity, Organisation, Person) {
    let env = Env::system();
    let store = Store::memory(env.clone()).await.unwrap();
    let sealer = Sealer::new(EnvelopeKey::generate(&env), env.clone());
    let identity =
        Identity::new(IdentityParts { env, store, sealer, settings: IdentitySettings::default() }).unwrap();
    let organisation = identity.organisations.ensure_default().await.unwrap();
    let new = NewPerson { username: "alice".into(), ..NewPerson::default() };
    let person = identity.persons.create(&organisation.id, new, "test").await.unwrap();
    identity.passwords.set(&person, "correct horse").await.unwrap();
    (identity, organisation, person)
}

fn context(organisation: &Organisation) -> CallContext {
    let mut context = CallContext::new(Env::system(), "test.flow");
    context.organisation = Some(organisation.id.clone());
    context
}

async fn call(
    identity: &Identity,
    context: &CallContext,
    module: &str,
    function: &str,
    args: &[&str],
) -> Result<Value, CallError> {
    let modules = all(identity, None, None);
    let module = modules.iter().find(|m| m.wit().contains(&format!("interface {module} "))).unwrap();
    module.call(context, function, args.iter().map(|arg| Value::from(*arg)).collect()).await
}

#[tokio::test]
async fn a_right_password_proves_its_owner_and_a_wrong_one_nobody() {
    let (identity, organisation, person) = house().await;
    let context = context(&organisation);
    assert_eq!(call(&identity, &context, "password", "verify", &["alice", "wrong"]).await, Ok(Value::Null));
    assert!(context.take_proofs().is_empty());
    let user = call(&identity, &context, "password", "verify", &["alice", "correct horse"]).await.unwrap();
    assert_eq!(user.as_map().unwrap()["id"], person.id.as_str().into());
    let proofs = context.take_proofs();
    assert_eq!((proofs[0].person.clone(), proofs[0].method.as_str()), (person.id, "pwd"));
}

#[tokio::test]
async fn a_locked_account_costs_the_same_work_and_its_right_password_proves_nobody() {
    let (identity, organisation, _) = house().await;
    let context = context(&organisation);
    let verify = async |login: &str, password: &str| {
        let before = identity.passwords.hashes_computed();
        let answer = call(&identity, &context, "password", "verify", &[login, password]).await;
        (answer, identity.passwords.hashes_computed() - before)
    };
    for login in ["alice", "nobody"] {
        for _ in 0..8 {
            assert_eq!(
                verify(login, "wrong").await,
                (Ok(Value::Null), 1),
                "{login}: before and after the lock"
            );
        }
    }
    assert_eq!(verify("alice", "correct horse").await, (Ok(Value::Null), 1));
    assert!(context.take_proofs().is_empty());
}

#[tokio::test]
async fn credentials_are_added_only_for_proved_people_and_come_back_with_their_owners_mark() {
    let (identity, organisation, person) = house().await;
    let context = context(&organisation);
    let id = person.id.as_str();
    let refused = call(&identity, &context, "credentials", "add", &[id, "totp", "SEED", "phone"]).await;
    assert_eq!(refused.unwrap_err().code, "denied");
    context.prove(person.id.clone(), "pwd", "test");
    call(&identity, &context, "credentials", "add", &[id, "totp", "SEED", "phone"]).await.unwrap();
    let found = call(&identity, &context, "credentials", "find", &[id, "totp"]).await.unwrap();
    let Value::String(secret) = &found.as_map().unwrap()["secret"] else { panic!("no secret") };
    assert_eq!(secret.as_str(), "SEED");
    assert!(secret.marks().secret);
    assert_eq!(secret.marks().owner.as_deref(), Some(id));
    let password = call(&identity, &context, "credentials", "find", &[id, "password"]).await;
    assert_eq!(password, Ok(Value::Null), "a password hash is nobody's business");
}

#[tokio::test]
async fn disabled_people_and_those_of_other_organisations_are_not_found() {
    let (identity, organisation, person) = house().await;
    let inside = context(&organisation);
    let nowhere = CallContext::new(Env::system(), "test.flow");
    assert_ne!(call(&identity, &inside, "users", "find", &["alice"]).await, Ok(Value::Null));
    assert_eq!(call(&identity, &nowhere, "users", "find", &["alice"]).await, Ok(Value::Null));
    let scope = OrgScope::One(person.organisation.clone());
    identity.persons.set_status(&scope, &person.id, AccountStatus::disabled(), "test").await.unwrap();
    assert_eq!(call(&identity, &inside, "users", "find", &["alice"]).await, Ok(Value::Null));
    assert_eq!(call(&identity, &inside, "users", "get", &[person.id.as_str()]).await, Ok(Value::Null));
}

#[tokio::test]
async fn random_values_differ_have_their_length_and_are_secret() {
    let (identity, organisation, _) = house().await;
    let context = context(&organisation);
    let modules = all(&identity, None, None);
    let random = modules.iter().find(|m| m.wit().contains("interface random ")).unwrap();
    let draw =
        async |function: &str, count: f64| random.call(&context, function, vec![Value::Number(count)]).await;
    let (Ok(Value::String(a)), Ok(Value::String(b))) = (draw("hex", 20.0).await, draw("hex", 20.0).await)
    else {
        panic!("no text")
    };
    assert!(a != b && a.as_str().len() == 40 && a.marks().secret);
    assert!(draw("hex", 65.0).await.is_err());
    let Ok(Value::String(code)) = draw("code", 6.0).await else { panic!("no text") };
    assert!(code.as_str().len() == 6 && code.as_str().bytes().all(|b| b.is_ascii_digit()));
}

#[tokio::test]
async fn messages_go_to_the_mailer_and_are_told_apart_where_there_is_none() {
    let (identity, organisation, _) = house().await;
    let context = context(&organisation);
    let none = call(&identity, &context, "mail", "send", &["a@example.org", "Code", "123456"]).await;
    assert_eq!(none.unwrap_err().code, "unavailable");
    let none = call(&identity, &context, "sms", "send", &["+491701234567", "123456"]).await;
    assert_eq!(none.unwrap_err().code, "unavailable");

    let env = Env::system();
    let store = Store::memory(env.clone()).await.unwrap();
    let sealer = Sealer::new(EnvelopeKey::generate(&env), env.clone());
    let outbox = agamid_store::outbox::Outbox::new(env, store, sealer);
    let modules = all(&identity, Some(Arc::new(outbox.clone())), Some(Arc::new(outbox.clone())));
    let send = async |module: &str, args: &[&str]| {
        let module = modules.iter().find(|m| m.wit().contains(&format!("interface {module} "))).unwrap();
        module.call(&context, "send", args.iter().map(|arg| Value::from(*arg)).collect()).await
    };
    assert_eq!(send("mail", &["a@example.org", "Code", "123456"]).await, Ok(Value::Null));
    assert_eq!(send("sms", &["+491701234567", "123456"]).await, Ok(Value::Null));
    assert_eq!(outbox.messages(10).await.unwrap().len(), 2);
    for (module, args) in [
        ("mail", vec!["a@example.org", "two\nlines", "x"]),
        ("mail", vec!["a@example.org,b@example.org", "Code", "x"]),
        ("sms", vec!["0170", "x"]),
    ] {
        assert_eq!(send(module, &args).await.unwrap_err().code, "bad_argument", "{args:?}");
    }
    assert_eq!(outbox.messages(10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn the_texts_for_checks_are_those_of_the_modules() {
    let (identity, ..) = house().await;
    let modules = all(&identity, None, None);
    let texts: Vec<&str> = modules.iter().map(|module| module.wit()).collect();
    assert_eq!(texts, WITS);
}

fn codes(list: &Value) -> Vec<String> {
    let Value::List(items) = list else { panic!("no list: {list:?}") };
    items.iter().map(|item| item.as_map().unwrap()["code"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_password_is_checked_and_changed_only_for_a_person_whom_the_run_has_proved() {
    let (identity, organisation, person) = house().await;
    let context = context(&organisation);
    let id = person.id.as_str();
    for (function, args) in [
        ("check", vec![id, "new words here"]),
        ("change", vec![id, "correct horse", "new words here"]),
        ("must-change", vec![id]),
    ] {
        let refused = call(&identity, &context, "password", function, &args).await;
        assert_eq!(refused.unwrap_err().code, "denied", "{function}");
    }
    let proved = async |function: &str, args: &[&str]| {
        context.prove(person.id.clone(), "pwd", "test");
        call(&identity, &context, "password", function, args).await.unwrap()
    };
    assert_eq!(codes(&proved("check", &[id, "alice"]).await), ["too_short", "personal"]);
    assert!(codes(&proved("check", &[id, "new words here"]).await).is_empty());
    assert_eq!(codes(&proved("change", &[id, "wrong", "new words here"]).await), ["wrong_password"]);
    assert_eq!(codes(&proved("change", &[id, "correct horse", "short"]).await), ["too_short"]);
    assert!(codes(&proved("change", &[id, "correct horse", "new words here"]).await).is_empty());
    assert_eq!(proved("must-change", &[id]).await, false.into());
    let old = call(&identity, &context, "password", "verify", &["alice", "correct horse"]).await;
    assert_eq!(old, Ok(Value::Null));
    let new = call(&identity, &context, "password", "verify", &["alice", "new words here"]).await;
    assert_ne!(new, Ok(Value::Null));
}

#[tokio::test]
async fn wrong_old_passwords_count_with_wrong_logins() {
    let (identity, organisation, person) = house().await;
    let context = context(&organisation);
    context.prove(person.id.clone(), "otp", "test");
    for _ in 0..5 {
        let args = [person.id.as_str(), "wrong", "new words here"];
        call(&identity, &context, "password", "change", &args).await.unwrap();
    }
    let right = call(&identity, &context, "password", "verify", &["alice", "correct horse"]).await;
    assert_eq!(right, Ok(Value::Null), "locked");
}
