//! A plugin that does its worst: it spins, or traps, as it is asked to.

use wasm_encoder::ComponentSection as _;
use wit_component::{ComponentEncoder, StringEncoding};

const WIT: &str = "package bench:guest@0.1.0;
interface it { spin: func() -> u32; trap: func() -> u32; fine: func() -> u32; }
world plugin { export it; }";

const CORE: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "bench:guest/it@0.1.0#spin") (result i32) (loop $l (br $l)) (i32.const 0))
    (func (export "bench:guest/it@0.1.0#trap") (result i32) unreachable)
    (func (export "bench:guest/it@0.1.0#fine") (result i32) (i32.const 7)))"#;

/// A flow that calls the plugin at once, and stays at a page where that fails.
pub(crate) fn flow(function: &str) -> String {
    format!(
        "Flow bench.{function}\n    Basepath \"bench\"\n\nx | E = Call bench.guest.it#{function}\nRRF \"page.html\"\nFinish false\n"
    )
}

/// The component `bench:guest`.
pub(crate) fn component() -> Vec<u8> {
    component_answering(7)
}

/// The component `bench:guest`, whose `fine` answers this.
pub(crate) fn component_answering(number: usize) -> Vec<u8> {
    let core = CORE.replace("i32.const 7", &format!("i32.const {number}"));
    let mut resolve = wit_parser::Resolve::default();
    let package = resolve.push_str("guest.wit", WIT).unwrap();
    let world = resolve.select_world(&[package], Some("plugin")).unwrap();
    let mut module = wat::parse_str(core).unwrap();
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let mut bytes = ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap();
    let manifest = b"name = \"bench:guest\"\nversion = \"0.1.0\"\n";
    let section = wasm_encoder::CustomSection { name: "agamid:manifest".into(), data: manifest.into() };
    section.append_to_component(&mut bytes);
    bytes
}

/// Adds a project `bench` with the flows `bench.spin` and `bench.trap` to a folder of flows, and the component to a
/// folder of plugins.
pub(crate) fn install(flows: &std::path::Path, plugins: &std::path::Path) {
    let project = flows.join("bench");
    std::fs::create_dir_all(project.join("code")).unwrap();
    std::fs::create_dir_all(project.join("web/bench")).unwrap();
    for function in ["spin", "trap"] {
        std::fs::write(project.join(format!("code/bench.{function}.flow")), flow(function)).unwrap();
    }
    let manifest = r#"{ "projectName": "bench", "version": "0.1.0", "launchable": { "bench.spin": [], "bench.trap": [] } }"#;
    std::fs::write(project.join("project.json"), manifest).unwrap();
    let page = "<form method=\"post\" action=\"{{ step.action }}\"><input type=\"hidden\" name=\"_step\" value=\"{{ step.token }}\"></form>";
    std::fs::write(project.join("web/bench/page.html"), page).unwrap();
    std::fs::write(plugins.join("guest.wasm"), component()).unwrap();
}
