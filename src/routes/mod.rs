//! One file a resource: its requests and answers as types, thin handlers, its part of the OpenAPI
//! document.

mod docs;
mod keys;
mod login;
mod openapi;
mod posts;
mod problems;
mod service;
mod users;
mod votes;

use actix_web::web::ServiceConfig;

pub use openapi::document;

/// Adds every route.
pub fn configure(config: &mut ServiceConfig) {
    users::configure(config);
    login::configure(config);
    posts::configure(config);
    votes::configure(config);
    problems::configure(config);
    service::configure(config);
    keys::configure(config);
    docs::configure(config);
}
