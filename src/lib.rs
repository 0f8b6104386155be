//! Acclaim: a self-hosted social posting service with an HTTP API. Users sign up, sign in, publish
//! posts and vote on them. The database is SQLite by default, or PostgreSQL.
//!
//! `docs/architecture.md` describes the modules and their dependencies.

pub mod cli;
pub mod config;
pub mod db;
pub mod error;
pub mod http;
pub mod jobs;
pub mod keys;
pub mod metrics;
pub mod queue;
pub mod routes;
pub mod server;
pub mod services;
pub mod systemd;
pub mod telemetry;
pub mod traces;
