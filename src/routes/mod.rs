//! The handlers, with one file per resource. Each file has the request and response types, thin
//! handlers and their OpenAPI operations.

mod account;
mod docs;
mod events;
mod export;
mod import;
mod introspection;
mod keys;
mod login;
mod metadata;
mod moderation;
mod openapi;
mod personal_tokens;
mod posts;
mod problems;
mod revocation;
mod service;
mod sessions;
mod statistics;
mod types;
mod users;
mod votes;
mod webhooks;

use actix_web::web::ServiceConfig;

use crate::http::{Route, route};
pub use events::render_event;
pub use openapi::document;

/// Adds every route to a server.
pub fn configure(config: &mut ServiceConfig) {
    docs::configure(config);
    route::configure(config, &all());
}

/// The pattern of every route, in the order of the positions that requests are counted by.
#[must_use]
pub fn patterns() -> Vec<String> {
    let routes = all();
    let paths = route::paths(&routes).into_iter();
    paths.map(str::to_owned).collect()
}

fn all() -> Vec<Route> {
    [
        account::routes(),
        export::routes(),
        import::routes(),
        users::routes(),
        moderation::routes(),
        login::routes(),
        revocation::routes(),
        introspection::routes(),
        metadata::routes(),
        sessions::routes(),
        personal_tokens::routes(),
        posts::routes(),
        votes::routes(),
        events::routes(),
        webhooks::routes(),
        statistics::routes(),
        problems::routes(),
        service::routes(),
        keys::routes(),
        docs::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
