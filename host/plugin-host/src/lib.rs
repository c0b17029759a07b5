//! Loads, links, limits and calls Wasm component plugins
