//! The admin REST API: projects, health, metrics
