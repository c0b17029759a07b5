//! Plugins that the server asks.

use agamid_core::ports::HookPoint;
use agamid_flow_engine::agama_lang::check::facts::RoutineFacts;
use agamid_flow_engine::ports::Routines as _;
use serde_json::{Value, json};
use wasm_encoder::ComponentSection as _;
use wit_component::{ComponentEncoder, StringEncoding};

use super::guest::{MANIFEST, component, exporting, host_with, limits, module};
use crate::PluginHost;
use crate::settings::{Grant, PluginSettings};

const POINT: HookPoint = HookPoint::PasswordPolicy;
const WIT: &str = include_str!("../../../../sdk/wit/hooks/password-policy.wit");

/// Objects to passwords of less than twelve bytes; spins at the empty one.
const CHECK: &str = r#"
    (data (i32.const 64) "\80\00\00\00\05\00\00\00\88\00\00\00\08\00\00\00")
    (data (i32.const 128) "short") (data (i32.const 136) "Go on...")
    (func (export "agamid:hooks/password-policy@0.1.0#check")
        (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
        (if (i32.eqz (local.get 1)) (then (loop $l (br $l))))
        (i32.store (i32.const 16) (i32.const 64))
        (i32.store (i32.const 20) (i32.lt_u (local.get 1) (i32.const 12)))
        (i32.const 16))"#;

/// A component that exports only the hook of this WIT.
fn hook(wit: &str) -> Vec<u8> {
    let mut resolve = wit_parser::Resolve::default();
    resolve.push_str("hook.wit", wit).unwrap();
    let world = "package test:guest@0.1.0;\nworld plugin { export agamid:hooks/password-policy@0.1.0; }";
    let package = resolve.push_str("guest.wit", world).unwrap();
    let world = resolve.select_world(&[package], Some("plugin")).unwrap();
    let mut core = wat::parse_str(module(CHECK)).unwrap();
    wit_component::embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8).unwrap();
    let mut bytes = ComponentEncoder::default().validate(true).module(&core).unwrap().encode().unwrap();
    let section = wasm_encoder::CustomSection {
        name: crate::manifest::SECTION.into(),
        data: MANIFEST.as_bytes().into(),
    };
    section.append_to_component(&mut bytes);
    bytes
}

async fn host(granted: bool) -> PluginHost {
    let grant = Grant { hooks: vec!["password-policy".to_owned()], ..Grant::default() };
    let grants = granted.then(|| ("test:guest".to_owned(), grant)).into_iter().collect();
    let settings =
        PluginSettings { allow_unsigned: true, grants, limits: limits(), ..PluginSettings::default() };
    host_with(settings).await
}

fn request(password: &str) -> Value {
    json!({
        "password": password, "organisation": "o", "actor": "person",
        "person": { "id": "p", "username": "alice", "email": null, "name": "Alice" },
    })
}

#[tokio::test]
async fn a_granted_plugin_objects_and_its_objections_come_back() {
    let host = host(true).await;
    host.load(hook(WIT), "test").await.unwrap();
    let hooks = host.hooks();
    assert!(hooks.has(POINT));
    let short = hooks.call(POINT, request("eleven char")).await.unwrap();
    assert_eq!(short, json!({ "violations": [{ "code": "short", "message": "Go on..." }] }));
    assert_eq!(hooks.call(POINT, request("twelve chars")).await.unwrap(), json!({ "violations": [] }));
}

#[tokio::test]
async fn without_a_grant_nobody_is_asked_and_no_flow_reaches_a_hook() {
    let host = host(false).await;
    host.load(hook(WIT), "test").await.unwrap();
    assert!(!host.hooks().has(POINT));
    let facts = host.current().facts("agamid.hooks.password-policy", "check");
    assert!(matches!(facts, RoutineFacts::Unknown { .. }));
}

#[tokio::test]
async fn a_granted_plugin_that_is_missing_or_stops_or_is_no_hook_is_a_failure() {
    let host = host(true).await;
    let hooks = host.hooks();
    assert!(hooks.has(POINT), "what is granted must answer");
    let missing = hooks.call(POINT, request("twelve chars")).await.unwrap_err();
    assert!(missing.to_string().contains("test:guest is missing"), "{missing}");
    let nothing = r#"(func (export "test:guest/it@0.1.0#nothing"))"#;
    host.load(component(&exporting("nothing: func();"), &module(nothing), MANIFEST), "test").await.unwrap();
    assert!(hooks.call(POINT, request("twelve chars")).await.is_err());
    host.load(hook(WIT), "test").await.unwrap();
    let spins = hooks.call(POINT, request("")).await.unwrap_err();
    assert!(spins.to_string().contains("timeout"), "{spins}");
    assert!(hooks.call(POINT, json!({ "password": 1 })).await.is_err());
    drop(host);
    assert!(hooks.has(POINT) && hooks.call(POINT, request("twelve chars")).await.is_err());
}

#[tokio::test]
async fn a_hook_of_another_form_is_refused_with_what_to_do() {
    let host = host(true).await;
    let refused = host.load(hook(&WIT.replace("actor: string", "by: string")), "test").await.unwrap_err();
    assert!(refused.to_string().contains("build it against sdk/wit/hooks/password-policy.wit"), "{refused}");
}
