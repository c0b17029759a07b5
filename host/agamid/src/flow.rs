//! `agamid flow …`: tools for flow authors. None needs a server.
//!
//! | file | what |
//! | --- | --- |
//! | `command.rs` | the commands, as types |
//! | `sources.rs` | files, folders and archives with flows in them |
//! | `world.rs` | what the checks are told of templates, flows and routines |
//! | `check.rs`, `show.rs` | `flow check`; how findings are printed |
//! | `fmt.rs`, `graph.rs`, `watch.rs` | `flow fmt`, `flow graph`, `flow watch` |
//! | `new.rs` | `flow new`, and its templates |
//! | `run.rs`, `prompt.rs` | `flow run`: with a script, or asking |

mod check;
pub(crate) mod command;
mod fmt;
mod graph;
mod new;
mod prompt;
mod run;
mod show;
mod sources;
mod watch;
mod world;

use crate::Exit;
use command::Tool;

/// Does what was asked.
pub(crate) fn run(tool: Tool) -> Result<(), Exit> {
    match tool {
        Tool::Check(options) => check::check(&options),
        Tool::Fmt { paths, check } => fmt::fmt(&paths, check),
        Tool::Graph(options) => graph::graph(&options),
        Tool::New { name, template, dir } => new::new(&name, template, dir),
        Tool::Run(options) => run::run(&options),
        Tool::Watch(options) => watch::watch(&options),
    }
}
