//! The tables of Acclaim as SeaORM entities, one file per table.

pub mod activity_days;
pub mod audit_log;
pub mod event_outbox;
pub mod event_tickets;
pub mod events;
pub mod idempotency_keys;
pub mod imported_posts;
pub mod personal_tokens;
pub mod post_statistics;
pub mod post_tags;
pub mod post_vote_days;
pub mod posts;
pub mod ranks;
pub mod refresh_tokens;
pub mod sessions;
pub mod statistics;
pub mod tag_statistics;
pub mod user_activity;
pub mod user_statistics;
pub mod users;
pub mod values;
pub mod votes;
pub mod webhook_deliveries;
pub mod webhook_progress;
pub mod webhooks;
