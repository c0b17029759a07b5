//! Guests that do their worst harm nobody, and each is told apart.

use std::time::Duration;

use agamid_flow_engine::agama_lang::value::Value;

use super::guest::{MANIFEST, call, component, exporting, host, module};
use crate::PluginHost;

async fn guest(body: &str) -> PluginHost {
    let wit = exporting("go: func() -> u32;\n fine: func() -> u32;");
    let functions = format!(
        r#"(func $go (export "test:guest/it@0.1.0#go") (result i32) {body})
           (func (export "test:guest/it@0.1.0#fine") (result i32) (i32.const 7))"#
    );
    let host = host().await;
    host.load(component(&wit, &module(&functions), MANIFEST), "test").await.unwrap();
    host
}

#[tokio::test]
async fn traps_loops_recursion_and_memory_without_end_have_each_their_code_and_the_next_call_is_fine() {
    for (body, code, message) in [
        ("unreachable", "trap", "stopped with an error"),
        ("(i32.div_u (i32.const 1) (i32.const 0))", "trap", "stopped with an error"),
        ("(i32.load (i32.const 0x7fffffff))", "trap", "stopped with an error"),
        ("(loop $l (br $l)) (i32.const 0)", "timeout", "longer than 60 ms"),
        ("(call $go)", "trap", "recursed too deep"),
        (
            "(loop $l (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable",
            "out_of_memory",
            "4194304 bytes",
        ),
    ] {
        let host = guest(body).await;
        let error = call(&host, "go", Vec::new()).await.unwrap_err();
        assert_eq!(error.code, code, "{body}: {}", error.message);
        assert!(error.message.contains(message), "{body}: {}", error.message);
        assert_eq!(call(&host, "fine", Vec::new()).await, Ok(Value::Number(7.0)), "after {body}");
    }
}

#[tokio::test]
async fn nothing_stays_from_one_call_to_the_next() {
    let wit = exporting("count: func() -> u32;");
    let functions = r#"(global $count (mut i32) (i32.const 0))
        (func (export "test:guest/it@0.1.0#count") (result i32)
            (global.set $count (i32.add (global.get $count) (i32.const 1))) (global.get $count))"#;
    let host = host().await;
    host.load(component(&wit, &module(functions), MANIFEST), "test").await.unwrap();
    for _ in 0..3 {
        assert_eq!(call(&host, "count", Vec::new()).await, Ok(Value::Number(1.0)));
    }
}

#[tokio::test]
async fn spinning_calls_do_not_keep_others_from_their_turn() {
    let host = guest("(loop $l (br $l)) (i32.const 0)").await;
    let spinning: Vec<_> = (0..8)
        .map(|_| {
            let host = host.clone();
            tokio::spawn(async move { call(&host, "go", Vec::new()).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(10)).await;
    let fine = tokio::time::timeout(Duration::from_secs(10), call(&host, "fine", Vec::new())).await;
    assert_eq!(fine.unwrap(), Ok(Value::Number(7.0)));
    for spun in spinning {
        assert_eq!(spun.await.unwrap().unwrap_err().code, "timeout");
    }
}

#[tokio::test]
async fn a_pointer_out_of_memory_is_the_guests_trap() {
    let wit = exporting("text: func() -> string;");
    let functions = r#"(func (export "test:guest/it@0.1.0#text") (result i32)
        (i32.store (i32.const 16) (i32.const 0x7ffffff0)) (i32.store (i32.const 20) (i32.const 0x7fffffff))
        (i32.const 16))"#;
    let host = host().await;
    host.load(component(&wit, &module(functions), MANIFEST), "test").await.unwrap();
    assert_eq!(call(&host, "text", Vec::new()).await.unwrap_err().code, "trap");
}
