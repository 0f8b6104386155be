//! Moderation: suspensions, roles and the audit log.

pub mod audit_log;
pub mod users;
