//! Moderation: suspensions, roles and the audit log.

pub mod audit_log;
mod users;

pub(super) use users::require_role;
pub use users::{create_token, list_users, restore, set_role, suspend};
