//! Acclaim: a self-hosted social posting service. People sign up, sign in, publish posts and vote on
//! them over HTTP; SQLite inside by default, PostgreSQL when it grows.
//!
//! `docs/architecture.md` tells which room holds what, and which may call which.

pub mod cli;
pub mod config;
pub mod db;
pub mod error;
pub mod http;
pub mod jobs;
pub mod keys;
pub mod routes;
pub mod server;
pub mod services;
pub mod telemetry;
