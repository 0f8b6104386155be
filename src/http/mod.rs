//! The HTTP layer below the handlers: authentication, input, rate limits, problem details, routes
//! and middleware.

pub mod authentication;
pub mod connections;
pub mod database_position;
pub mod drain;
pub mod envelope;
pub mod event_stream;
pub mod health_check;
pub mod idempotency;
pub mod input;
pub mod limits;
pub mod link;
pub mod page;
mod preconditions;
pub mod prefer;
pub mod problem;
pub mod rate_limit;
pub mod readiness;
pub mod record;
mod representation;
pub mod request_id;
pub mod route;
pub mod server_span;
pub mod state;
mod success_header;
mod trace;

pub use authentication::CurrentSession;
pub use connections::Connections;
pub use database_position::Reads;
pub use drain::Drain;
pub use input::{Body, ExternalIdSegment, Form, Id, PositionSegment, Query};
pub use limits::Limits;
pub use preconditions::{Preconditions, version_tag};
pub use problem::Problem;
pub use readiness::Readiness;
pub use record::RequestRecord;
pub use representation::Representation;
pub use route::Route;
pub use state::State;

/// Maximum size of the body of a request that is authenticated, in bytes.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;
/// Maximum size of the body of any other request, in bytes. A larger body needs a place in
/// [`Limits::begin_large_body`].
pub const MAX_SMALL_BODY_BYTES: usize = 16 * 1024;
