//! Guests made here: core modules in text form, joined with a WIT world as a compiler's tools would.

use std::sync::Arc;

use agamid_core::Env;
use agamid_flow_engine::agama_lang::effect::{Call, CallError, Place, Routine};
use agamid_flow_engine::agama_lang::value::Value;
use agamid_flow_engine::ports::{CallContext, RoutineSet, Routines as _};
use agamid_store::Store;
use wasm_encoder::ComponentSection as _;
use wit_component::{ComponentEncoder, StringEncoding};

use crate::settings::{Grant, Limits, PluginSettings};
use crate::{PluginHost, PluginHostParts};

pub(super) const MANIFEST: &str = "name = \"test:guest\"\nversion = \"0.1.0\"\n";

/// A component of package `test:guest` from a WIT interface body and a core module's text.
pub(super) fn component(wit: &str, core: &str, manifest: &str) -> Vec<u8> {
    let mut resolve = wit_parser::Resolve::default();
    let text = format!("package test:guest@0.1.0;\n{wit}");
    let package = resolve.push_str("guest.wit", &text).unwrap();
    let world = resolve.select_world(&[package], Some("plugin")).unwrap();
    let mut module = wat::parse_str(core).unwrap();
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let mut bytes = ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap();
    let section = wasm_encoder::CustomSection {
        name: crate::manifest::SECTION.into(),
        data: manifest.as_bytes().into(),
    };
    section.append_to_component(&mut bytes);
    bytes
}

/// A world that exports one interface `it`.
pub(super) fn exporting(functions: &str) -> String {
    format!("interface it {{\n type secret = string;\n{functions}\n}}\nworld plugin {{ export it; }}")
}

/// A core module with memory and an allocator, and these functions; `(export "test:guest/it@0.1.0#NAME")` each.
pub(super) fn module(functions: &str) -> String {
    format!(
        r#"(module
            (memory (export "memory") 2)
            (global $next (mut i32) (i32.const 1024))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (local $at i32)
                (local.set $at
                    (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
                (global.set $next (i32.add (local.get $at) (local.get 3)))
                (local.get $at))
            {functions}
        )"#
    )
}

pub(super) fn limits() -> Limits {
    Limits { cpu_ms: 60, memory_bytes: 4 << 20, ..Limits::default() }
}

pub(super) async fn host_with(settings: PluginSettings) -> PluginHost {
    let env = Env::system();
    let store = Store::memory(env).await.unwrap();
    PluginHost::new(PluginHostParts { store, modules: Vec::new(), compiled: None, settings }).unwrap()
}

pub(super) async fn host() -> PluginHost {
    host_with(PluginSettings { allow_unsigned: true, limits: limits(), ..PluginSettings::default() }).await
}

pub(super) fn granting(method: &str) -> PluginSettings {
    let grant = Grant { proves: vec![method.to_owned()], ..Grant::default() };
    PluginSettings {
        allow_unsigned: true,
        grants: [("test:guest".to_owned(), grant)].into(),
        limits: limits(),
        ..PluginSettings::default()
    }
}

pub(super) fn context() -> CallContext {
    CallContext::new(Env::system(), "test.flow")
}

pub(super) async fn call_in(
    set: &Arc<dyn RoutineSet>,
    context: &CallContext,
    function: &str,
    args: Vec<Value>,
) -> Result<Value, CallError> {
    let routine = Routine::Static { package: "test.guest.it".to_owned(), function: function.to_owned() };
    let at = Place { flow: "test.flow".to_owned(), line: 1 };
    set.call(context, &Call { routine, args, caught: true, at }).await
}

/// Loads a guest and calls a function of it.
pub(super) async fn call(host: &PluginHost, function: &str, args: Vec<Value>) -> Result<Value, CallError> {
    call_in(&host.current(), &context(), function, args).await
}
