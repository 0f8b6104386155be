//! Webhooks: the service sends events to endpoints of its users, as Standard Webhooks 1.0 specifies.
//!
//! Two jobs run in each process. One [searches](find_work) the event log and marks the webhooks that have
//! something to get; a compare-and-swap of its position decides which process marks. The other [leases](lease())
//! marked webhooks and [delivers](take_turn): it reads the log from the webhook's own position, and sends one
//! event after the other. A webhook has a position in the log and no queue, so that a slow endpoint costs no
//! memory and no rows. Only failed deliveries wait in rows of their own.

mod find;
mod lease;
mod log;
mod manage;
mod message;
mod policy;
mod record;
mod remove;
mod schedule;
mod sender;
mod turn;

use std::sync::Arc;

pub use entity::values::{UserId, WebhookId};
use tokio::sync::Notify;

use super::running::Running;

pub use find::{Found, find_work};
pub use lease::{Busy, Leased, lease};
pub use log::{Deliveries, deliveries, redeliver, redeliver_one};
pub(super) use manage::disable_all_in;
pub use manage::{
    Changes, MAX_WEBHOOKS, NewWebhook, Selection, create, delete, get, list, rotate_secret, update,
};
pub use message::{Render, send_test};
pub use policy::Policy;
pub use remove::delete_expired;
pub use sender::{Attempt, Sender};
pub use turn::take_turn;

/// Users whose tests run at once, one for each.
const MAX_TESTS: usize = 32;

/// What the jobs and the handlers of webhooks share. Clones share it.
#[derive(Clone, Debug)]
pub struct Webhooks {
    sender: Sender,
    render: Render,
    /// Wakes the job that searches the log: webhooks were created or enabled.
    changed: Arc<Notify>,
    /// Wakes the job that delivers.
    work: Arc<Notify>,
    /// The users whose tests run.
    tests: Running<UserId>,
}

impl Webhooks {
    /// Sends by `sender`. `render` makes the JSON of an event.
    #[must_use]
    pub fn new(sender: Sender, render: Render) -> Self {
        Self {
            sender,
            render,
            changed: Arc::default(),
            work: Arc::default(),
            tests: Running::default(),
        }
    }

    /// Waits until a webhook is created or enabled. For one caller.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Waits until a webhook has something to do. For one caller.
    pub async fn has_work(&self) {
        self.work.notified().await;
    }
}
