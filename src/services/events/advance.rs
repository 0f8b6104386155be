//! Passes new events on.

use std::collections::HashSet;

use entity::values::{EventKind, SessionId};

use super::{
    Event, Extent, Outbox, extent,
    hub::{ACCESS_KINDS, BATCH, Batch, Hub},
    read,
};
use crate::{
    db::Db,
    error::Error,
    services::auth::{Authenticator, Credential},
};

/// Gives committed changes their positions, and passes the new events to the readers of `hub`. Credentials
/// that have ended are forgotten first. Returns whether there were any.
///
/// # Errors
/// [`Error::Unavailable`]. The next call continues.
pub async fn advance(
    db: &Db,
    outbox: &mut Outbox,
    hub: &Hub,
    authenticator: &Authenticator,
) -> Result<bool, Error> {
    outbox.move_to_log(db).await?;
    let Extent { last, .. } = extent(db).await?;
    let Some(mut after) = hub.tail() else {
        hub.start_at(last);
        return Ok(false);
    };
    let has_new = last != after;
    while last != after {
        let kinds = hub.kinds();
        let (events, end) = if last < after {
            tracing::warn!(%after, %last, "the event log ends before the last position: it was replaced");
            (Vec::new(), last)
        } else {
            let page = read(db.read(), after, last, kinds, BATCH).await?;
            (page.events, page.end)
        };
        end_access(authenticator, &events);
        hub.publish(Batch {
            events,
            kinds,
            after,
            end,
        });
        after = end;
    }
    Ok(has_new)
}

/// Other processes have ended some credentials, or changed their users.
fn end_access(authenticator: &Authenticator, events: &[Event]) {
    let access = || {
        events
            .iter()
            .filter(|event| ACCESS_KINDS.contains(event.kind))
    };
    let sessions = access().filter(|event| event.kind == EventKind::SessionEnded);
    let sessions = sessions.filter_map(|event| SessionId::parse(event.subject_id).ok());
    authenticator.end(sessions.map(Credential::Session));
    let others = access().filter(|event| event.kind != EventKind::SessionEnded);
    let users: HashSet<_> = others.filter_map(|event| event.actor_id).collect();
    if !users.is_empty() {
        authenticator.forget_users(&users);
    }
}
