//! What flows and plugins can ask of the server, one file a module
