//! A step of the job: what to look at, and the state after it.

use std::collections::{BTreeMap, BTreeSet};

use entity::{
    statistics::Model,
    values::{PostId, UserId},
};

use super::{DayNumber, changes::Changes, write::write};
use crate::{db::Db, error::Error};

/// Votes that were given and taken back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Votes {
    pub added: i64,
    pub removed: i64,
}

/// What a step looks at. The sizes are bounded by those who make it.
#[derive(Debug)]
pub(super) struct Step {
    /// The state after the step, with the revision of the state before it. [`Changes`] adds to the totals.
    pub next: Model,
    /// Posts that may have changed.
    pub posts: BTreeSet<PostId>,
    /// Users who may be new or deleted.
    pub users: BTreeSet<UserId>,
    /// Users and the days on which they were active.
    pub active: BTreeSet<(UserId, DayNumber)>,
    /// Votes for posts by day.
    pub votes: BTreeMap<(PostId, DayNumber), Votes>,
    /// The votes by day of the posts with ids above the first and up to the second are counted anew.
    pub recount: Option<(i64, i64)>,
}

impl Step {
    /// A step to the state `next` that looks at nothing.
    pub fn to(next: Model) -> Self {
        Self {
            next,
            posts: BTreeSet::new(),
            users: BTreeSet::new(),
            active: BTreeSet::new(),
            votes: BTreeMap::new(),
            recount: None,
        }
    }

    /// Computes what has changed, and writes it. Returns false if another server was first: nothing is changed
    /// then.
    ///
    /// # Errors
    /// [`Error::Unavailable`]. Nothing is changed.
    pub async fn run(self, db: &Db) -> Result<bool, Error> {
        let changes = &Changes::of(db, self).await?;
        db.write_a_step(|transaction| async move { write(&transaction, changes).await })
            .await
    }
}
