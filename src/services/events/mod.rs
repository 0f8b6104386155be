//! The event log: what happened, in one order for all readers.
//!
//! Triggers write each change to the log, in its transaction (`migration`). On PostgreSQL they write to an
//! outbox, and [`Outbox`] gives committed changes their positions. One job in each process reads the log
//! and passes it to the [`Hub`], which the streams of this process share.
//!
//! A position is known to be complete: every event below it has committed. So a reader that remembers the
//! last position misses nothing and gets nothing twice.

mod advance;
mod event;
mod filter;
mod hub;
mod log;
mod outbox;
mod reader;
mod remove;
mod view;

pub use advance::advance;
pub use event::Event;
pub use filter::{EventFilter, post_with_owner};
pub use hub::{ACCESS_KINDS, Batch, Hub, Received, Subscription};
pub use log::{Extent, Page, extent, read};
pub use outbox::Outbox;
pub use reader::{Delivery, Reader};
pub use remove::delete_expired;
pub use view::{Told, Viewer};
