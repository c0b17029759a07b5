//! Runs Agama programs for a browser: projects, revisions, runs, pages and hot reload
