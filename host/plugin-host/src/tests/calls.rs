//! Values across the border, both ways, by type.

use agamid_flow_engine::agama_lang::check::facts::RoutineFacts;
use agamid_flow_engine::agama_lang::value::{Map, Value};
use agamid_flow_engine::ports::Routines as _;

use super::guest::{MANIFEST, call, component, exporting, host, module};
use crate::PluginHost;

/// Gives back what it gets: one function for each kind of type.
async fn echo() -> PluginHost {
    let wit = exporting(
        "record person { name: string, age: u8, score: f64, tags: list<string>, nick-name: option<string> }
         enum colour { red, dark-blue }
         whole: func(it: person) -> person;
         flag: func(it: bool) -> bool;
         small: func(it: s8) -> s8;
         large: func(it: u64) -> u64;
         real: func(it: f64) -> f64;
         letter: func(it: char) -> char;
         text: func(it: string) -> string;
         hidden: func(it: secret) -> secret;
         shade: func(it: colour) -> colour;
         numbers: func(it: list<u32>) -> list<u32>;
         pair: func(it: tuple<u32, string>) -> tuple<u32, string>;
         perhaps: func(it: option<u32>) -> option<u32>;
         last: func(first: u32, second: option<u32>) -> option<u32>;
         either: func(it: result<u32, u32>) -> list<result<u32, u32>>;
         check: func(good: bool, it: string) -> result<string, string>;
         nothing: func();",
    );
    let same = |name: &str, ty: &str| {
        format!("(func (export \"test:guest/it@0.1.0#{name}\") (param {ty}) (result {ty}) (local.get 0))\n")
    };
    let two = |name: &str| {
        format!(
            "(func (export \"test:guest/it@0.1.0#{name}\") (param i32 i32) (result i32)
                (i32.store (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1))
                (i32.const 16))\n"
        )
    };
    let functions = [
        same("flag", "i32"),
        same("small", "i32"),
        same("large", "i64"),
        same("real", "f64"),
        same("letter", "i32"),
        same("shade", "i32"),
        two("text"),
        two("hidden"),
        two("numbers"),
        two("perhaps"),
        r#"(func (export "test:guest/it@0.1.0#either") (param i32 i32) (result i32)
            (i32.store8 (i32.const 64) (local.get 0)) (i32.store (i32.const 68) (local.get 1))
            (i32.store (i32.const 16) (i32.const 64)) (i32.store (i32.const 20) (i32.const 1)) (i32.const 16))
        (func (export "test:guest/it@0.1.0#pair") (param i32 i32 i32) (result i32)
            (i32.store (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1))
            (i32.store (i32.const 24) (local.get 2)) (i32.const 16))
        (func (export "test:guest/it@0.1.0#last") (param i32 i32 i32) (result i32)
            (i32.store (i32.const 16) (local.get 1)) (i32.store (i32.const 20) (local.get 2)) (i32.const 16))
        (func (export "test:guest/it@0.1.0#check") (param i32 i32 i32) (result i32)
            (i32.store (i32.const 16) (i32.eqz (local.get 0)))
            (i32.store (i32.const 20) (local.get 1)) (i32.store (i32.const 24) (local.get 2)) (i32.const 16))
        (func (export "test:guest/it@0.1.0#nothing"))
        (func (export "test:guest/it@0.1.0#whole")
            (param i32 i32 i32 f64 i32 i32 i32 i32 i32) (result i32)
            (i32.store (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1))
            (i32.store8 (i32.const 24) (local.get 2)) (f64.store (i32.const 32) (local.get 3))
            (i32.store (i32.const 40) (local.get 4)) (i32.store (i32.const 44) (local.get 5))
            (i32.store8 (i32.const 48) (local.get 6))
            (i32.store (i32.const 52) (local.get 7)) (i32.store (i32.const 56) (local.get 8))
            (i32.const 16))"#
            .to_owned(),
    ];
    let host = host().await;
    host.load(component(&wit, &module(&functions.concat()), MANIFEST), "test").await.unwrap();
    host
}

fn map(pairs: &[(&str, Value)]) -> Value {
    Value::Map(pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect::<Map>())
}

fn person() -> Vec<(&'static str, Value)> {
    vec![
        ("name", "Zoë".into()),
        ("age", Value::Number(255.0)),
        ("score", Value::Number(-1.5)),
        ("tags", Value::List(vec!["a".into(), "".into()])),
        ("nickName", Value::Null),
    ]
}

#[tokio::test]
async fn every_type_of_value_comes_back_as_it_went() {
    let host = echo().await;
    let largest = Value::Number(9_007_199_254_740_992.0);
    for (function, value) in [
        ("flag", Value::Bool(true)),
        ("small", Value::Number(-128.0)),
        ("large", largest),
        ("real", Value::Number(0.1)),
        ("letter", "ö".into()),
        ("text", "with \0 and 🦎".into()),
        ("text", "".into()),
        ("shade", "dark-blue".into()),
        ("numbers", Value::List(vec![Value::Number(0.0), Value::Number(4_294_967_295.0)])),
        ("numbers", Value::List(Vec::new())),
        ("pair", Value::List(vec![Value::Number(7.0), "seven".into()])),
        ("perhaps", Value::Null),
        ("perhaps", Value::Number(3.0)),
        ("whole", map(&person())),
        ("check", Value::Bool(true)),
    ] {
        let args = if function == "check" { vec![value, "fine".into()] } else { vec![value] };
        let expected = if function == "check" { "fine".into() } else { args[0].clone() };
        assert_eq!(call(&host, function, args).await, Ok(expected), "{function}");
    }
    for side in ["ok", "err"] {
        let value = map(&[(side, Value::Number(5.0))]);
        assert_eq!(call(&host, "either", vec![value.clone()]).await, Ok(Value::List(vec![value])), "{side}");
    }
    let neither = call(&host, "either", vec![map(&[("other", Value::Null)])]).await.unwrap_err();
    assert!(neither.message.contains("ok or err"), "{}", neither.message);
    assert_eq!(call(&host, "nothing", Vec::new()).await, Ok(Value::Null));
    // Names may be written as other languages do, and an optional argument at the end be left out.
    let snake: Vec<_> = person().into_iter().filter(|(name, _)| *name != "nickName").collect();
    assert_eq!(call(&host, "whole", vec![map(&snake)]).await, Ok(map(&person())));
    assert_eq!(call(&host, "last", vec![Value::Number(1.0)]).await, Ok(Value::Null));
}

#[tokio::test]
async fn a_misfit_is_told_with_its_path_what_was_expected_and_what_was_found() {
    let host = echo().await;
    let with = |name: &'static str, value: Value| {
        let mut all = person();
        all.retain(|(known, _)| *known != name);
        all.push((name, value));
        map(&all)
    };
    for (function, args, message) in [
        ("small", vec![Value::Number(128.0)], "argument 1: expected s8, found 128"),
        ("small", vec![Value::Number(1.5)], "argument 1: expected s8, found 1.5"),
        ("large", vec![Value::Number(-1.0)], "argument 1: expected u64, found -1"),
        ("large", vec!["7".into()], "argument 1: expected u64, found \"7\""),
        ("flag", vec![Value::Null], "argument 1: expected bool, found null"),
        ("letter", vec!["ab".into()], "argument 1: expected char, found \"ab\""),
        (
            "numbers",
            vec![Value::List(vec![Value::Number(1.0), "x".into()])],
            "argument 1[1]: expected u32, found \"x\"",
        ),
        ("whole", vec![with("age", Value::Number(256.0))], "argument 1.age: expected u8, found 256"),
        (
            "whole",
            vec![with("tags", Value::List(vec!["a".into(), Value::Null]))],
            "argument 1.tags[1]: expected string, found null",
        ),
        ("whole", vec![with("unknown", Value::Null)], "argument 1.unknown: the record"),
        ("text", vec![], "0 arguments are given to func(it: string) -> string"),
        ("text", vec!["a".into(), "b".into()], "2 arguments are given"),
    ] {
        let error = call(&host, function, args).await.unwrap_err();
        assert_eq!(error.code, "bad_argument", "{function}");
        assert!(error.message.contains(message), "{function}: {}", error.message);
    }
    let colour = call(&host, "shade", vec!["green".into()]).await.unwrap_err();
    assert!(colour.message.contains("red, dark-blue"), "{}", colour.message);
}

#[tokio::test]
async fn an_err_is_an_error_of_the_flow_with_the_plugins_own_text() {
    let host = echo().await;
    let error = call(&host, "check", vec![Value::Bool(false), "no such thing".into()]).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.message.as_str()), ("failed", "no such thing"));
}

#[tokio::test]
async fn what_is_named_secret_comes_back_secret_and_is_not_told_in_errors() {
    let host = echo().await;
    let value = call(&host, "hidden", vec!["SEED".into()]).await.unwrap();
    let Value::String(text) = &value else { panic!("{value:?}") };
    assert!(text.marks().secret);
    assert!(!format!("{value:?}").contains("SEED"));
    let error = call(&host, "large", vec![value]).await.unwrap_err();
    assert!(!error.message.contains("SEED"), "{}", error.message);
}

#[tokio::test]
async fn checks_see_signatures_and_names_that_do_not_exist_are_answered_with_those_that_do() {
    let host = echo().await;
    let set = host.current();
    let RoutineFacts::Known { signature, params, .. } = set.facts("test.guest.it", "last") else { panic!() };
    assert_eq!(signature, "last: func(first: u32, second: option<u32>) -> option<u32>");
    assert_eq!(params.iter().map(|param| param.optional).collect::<Vec<_>>(), [false, true]);
    let RoutineFacts::Unknown { hint } = set.facts("test.guest.it", "lost") else { panic!() };
    assert!(hint.contains("perhaps"), "{hint}");
    let error = call(&host, "lost", Vec::new()).await.unwrap_err();
    assert_eq!(error.code, "no_such_routine");
}
