//! One file a resource: its requests and answers as types, thin handlers, its part of the OpenAPI
//! document.

mod account;
mod docs;
mod export;
mod keys;
mod login;
mod openapi;
mod posts;
mod problems;
mod service;
mod sessions;
mod staff;
mod tokens;
mod types;
mod users;
mod votes;

use actix_web::web::ServiceConfig;

pub use openapi::document;

/// Adds every route.
pub fn configure(config: &mut ServiceConfig) {
    // Before `/users/{id}`, which would take `me` for a number.
    account::configure(config);
    export::configure(config);
    users::configure(config);
    staff::configure(config);
    login::configure(config);
    sessions::configure(config);
    tokens::configure(config);
    posts::configure(config);
    votes::configure(config);
    problems::configure(config);
    service::configure(config);
    keys::configure(config);
    docs::configure(config);
}
