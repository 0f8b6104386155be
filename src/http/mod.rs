//! What handlers share: the caller's identity, validated input, problem details, request ids.

pub mod body;
pub mod drain;
pub mod envelope;
mod fields;
pub mod identity;
pub mod limits;
pub mod link;
pub mod path;
pub mod problem;
pub mod query;
mod representation;
pub mod request_id;
pub mod route;
pub mod rules;
pub mod state;
mod then;
pub mod trace;

pub use body::Body;
pub use drain::Drain;
pub use fields::{Read, Request};
pub use identity::{Admin, Anyone, Caller, Reader, SignedIn};
pub use limits::Limits;
pub use path::Id;
pub use problem::Problem;
pub use query::Query;
pub use representation::Representation;
pub use state::State;
pub use then::Then;
