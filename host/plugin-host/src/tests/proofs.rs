//! A plugin proves something only with a grant, on a marked argument, by a positive result.

use agamid_core::Env;
use agamid_core::id::PersonId;
use agamid_flow_engine::agama_lang::value::{Marks, Text, Value};
use agamid_flow_engine::ports::{CallContext, Routines as _};

use super::guest::{call_in, component, context, exporting, granting, host, host_with, module};
use crate::PluginHost;

const PROVING: &str = r#"name = "test:guest"
version = "0.1.0"
[[proves]]
function = "it#check"
method = "otp"
subject = "arg:0"
"#;

async fn load(host: &PluginHost) {
    let wit = exporting(
        "check: func(credential: secret, right: bool) -> option<u32>;
         other: func(credential: secret, right: bool) -> option<u32>;",
    );
    let function = |name: &str| {
        format!(
            r#"(func (export "test:guest/it@0.1.0#{name}") (param i32 i32 i32) (result i32)
                (i32.store (i32.const 16) (local.get 2)) (i32.store (i32.const 20) (i32.const 9))
                (i32.const 16))"#
        )
    };
    let core = module(&[function("check"), function("other")].concat());
    host.load(component(&wit, &core, PROVING), "test").await.unwrap();
}

fn credential(owner: Option<&PersonId>) -> Value {
    let owner = owner.map(|person| person.as_str().into());
    Value::String(Text::marked("SEED", Marks { secret: true, owner }))
}

async fn proved(host: &PluginHost, function: &str, credential: Value, right: bool) -> (CallContext, usize) {
    let context = context();
    let args = vec![credential, Value::Bool(right)];
    call_in(&host.current(), &context, function, args).await.unwrap();
    let count = context.take_proofs().len();
    (context, count)
}

#[tokio::test]
async fn grant_mark_and_positive_result_together_are_a_proof_and_none_of_them_can_be_missing() {
    let granted = host_with(granting("otp")).await;
    load(&granted).await;
    let person = PersonId::generate(&Env::system());
    let marked = || credential(Some(&person));
    for (right, mark, function, expected) in [
        (true, true, "check", 1),
        (false, true, "check", 0),
        (true, false, "check", 0),
        (true, true, "other", 0),
    ] {
        let argument = if mark { marked() } else { credential(None) };
        let (_, count) = proved(&granted, function, argument, right).await;
        assert_eq!(count, expected, "{function}, right: {right}, marked: {mark}");
    }
    for ungranted in [host().await, host_with(granting("pwd")).await] {
        load(&ungranted).await;
        assert_eq!(proved(&ungranted, "check", marked(), true).await.1, 0);
    }
}

#[tokio::test]
async fn the_proof_names_owner_method_and_plugin() {
    let host = host_with(granting("otp")).await;
    load(&host).await;
    let person = PersonId::generate(&Env::system());
    let context = context();
    let args = vec![credential(Some(&person)), Value::Bool(true)];
    call_in(&host.current(), &context, "check", args).await.unwrap();
    let proofs = context.take_proofs();
    assert_eq!(proofs[0].person, person);
    assert_eq!((proofs[0].method.as_str(), proofs[0].by.as_str()), ("otp", "test:guest it#check"));
}
