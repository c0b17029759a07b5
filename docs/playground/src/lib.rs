//! The Agama language for a web page: check, format, graph, run, and the examples of the documents. Nothing leaves the
//! browser.
//!
//! Each function takes one JSON text and answers one. [`memory`] is how they cross into WebAssembly.
//!
//! | file | what |
//! | --- | --- |
//! | `world.rs` | the flows of one text |
//! | `tools.rs` | check, format, graph, run |
//! | `book.rs` | programs in our Markdown |
//! | `memory.rs` | the border: texts in linear memory |

pub mod book;
pub mod memory;
pub mod tools;
mod world;
