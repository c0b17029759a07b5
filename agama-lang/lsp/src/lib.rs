//! The language server for Agama: what an editor asks about `.flow` files.
//!
//! ```text
//! transport (bytes ─▶ messages) ─▶ server (lifecycle, open files) ─▶ a file per question ─▶ agama-lang
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `server.rs` | [`Server::handle`]: a message in, messages out; `requests.rs` is the list of questions |
//! | `transport.rs` | messages over standard input and output |
//! | `document.rs`, `text.rs` | an open file; places counted as editors count them |
//! | `workspace.rs`, `files.rs` | projects, flows and templates around it |
//! | `scan.rs`, `statement.rs`, `template.rs` | words of a line, even a broken one; what a template posts |
//! | `origin.rs`, `wit.rs` | where a variable's value comes from, and which properties it has |
//! | `near.rs` | names that were probably meant |
//! | `words.rs` | what is said of each word of the language |
//! | `completion.rs`, `signature.rs`, `hover.rs`, `navigate.rs`, `outline.rs`, `rename.rs`, `actions.rs`, `highlight.rs`, `folding.rs`, `layout.rs` | the answers |
//!
//! The server knows nothing of the host: routines come in as plain data, files through [`Files`].
//!
//! To answer a further question: a file with a function, a line in `requests.rs`, an ability in `abilities.rs`.

mod abilities;
mod actions;
mod address;
mod completion;
mod document;
mod files;
mod folding;
mod highlight;
mod hover;
mod layout;
mod navigate;
mod near;
mod origin;
mod outline;
mod rename;
mod requests;
mod scan;
mod server;
mod settings;
mod signature;
mod statement;
mod template;
mod text;
mod transport;
mod wit;
mod words;
mod workspace;

pub use files::{Disk, Entry, Files};
pub use server::{End, Server};
pub use settings::{Declared, Format, Routine, Settings};
pub use transport::Error;

/// Serves an editor over standard input and output until it says `exit`.
pub fn run_stdio(settings: Settings) -> Result<(), Error> {
    let mut input = std::io::stdin().lock();
    let mut output = std::io::stdout().lock();
    transport::serve(&mut Server::new(settings), &mut input, &mut output)
}
