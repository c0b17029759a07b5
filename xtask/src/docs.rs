//! `cargo xtask docs`: the playground, a page of static files, into `target/docs/playground`.

use std::path::Path;

use crate::run::{Failure, say, skip};
use crate::wasm::{Build, tool_chain};

/// Builds the module and puts it beside the page's files.
pub(crate) fn build(root: &Path) -> Result<(), Failure> {
    let out = root.join("target").join("docs").join("playground");
    // One of an earlier version must not be taken for this one.
    let module = out.join("playground.wasm");
    let _ = std::fs::remove_file(&module);
    let tool_chain = match tool_chain("the playground is compiled to WebAssembly") {
        Ok(found) => found,
        Err(reason) => return skip("building the playground", &reason),
    };
    let folder = root.join("docs").join("playground");
    let hidden = [(folder.as_path(), "/playground"), (root, "/agamid")];
    let built = tool_chain.build(&Build { what: "the playground", folder: &folder, hidden: &hidden })?;
    std::fs::create_dir_all(&out).map_err(|error| format!("{}: {error}", out.display()))?;
    let web = folder.join("web");
    for entry in std::fs::read_dir(&web).map_err(|error| format!("{}: {error}", web.display()))? {
        let file = entry.map_err(|error| error.to_string())?;
        copy(&file.path(), &out.join(file.file_name()))?;
    }
    copy(&built.join("agama_playground.wasm"), &module)?;
    say("target/docs/playground is ready: hand it out with any server of static files");
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    std::fs::copy(from, to).map(|_| ()).map_err(|error| format!("{}: {error}", from.display()))
}
