//! Translation of violated constraints into errors of the resource that owns them.

use sea_orm::DbErr;
use sqlx::error::{DatabaseError, ErrorKind};

use super::error::refusal;
use crate::error::Error;

/// A constraint of the schema, by the name that PostgreSQL reports.
#[derive(Clone, Copy, Debug)]
pub struct Constraint {
    name: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Unique { columns: &'static str },
    ForeignKey,
}

impl Constraint {
    /// A unique constraint or index, or a primary key. SQLite reports its `columns` instead of its
    /// name: `users.email`, or `votes.post_id, votes.user_id`.
    #[must_use]
    pub const fn unique(name: &'static str, columns: &'static str) -> Self {
        let kind = Kind::Unique { columns };
        Self { name, kind }
    }

    /// A foreign key. SQLite does not report which one was violated, so that this matches any.
    #[must_use]
    pub const fn foreign_key(name: &'static str) -> Self {
        let kind = Kind::ForeignKey;
        Self { name, kind }
    }

    fn is_violated(&self, refusal: &dyn DatabaseError) -> bool {
        let name = refusal.constraint();
        match self.kind {
            Kind::Unique { columns } => {
                let in_sqlite = || refusal.message().strip_prefix("UNIQUE constraint failed: ");
                matches!(refusal.kind(), ErrorKind::UniqueViolation)
                    && name.map_or_else(|| in_sqlite() == Some(columns), |name| name == self.name)
            }
            Kind::ForeignKey => {
                matches!(refusal.kind(), ErrorKind::ForeignKeyViolation)
                    && name.is_none_or(|name| name == self.name)
            }
        }
    }
}

/// Translates violated constraints where a statement is run.
pub trait OnConstraint<T> {
    /// Replaces the error of a violated constraint by the one that `meanings` gives for it. The
    /// first match counts. Any other violated constraint is [`Error::Internal`].
    fn on_constraint(
        self,
        meanings: impl IntoIterator<Item = (Constraint, Error)>,
    ) -> Result<T, Error>;
}

impl<T> OnConstraint<T> for Result<T, DbErr> {
    fn on_constraint(
        self,
        meanings: impl IntoIterator<Item = (Constraint, Error)>,
    ) -> Result<T, Error> {
        self.map_err(|error| {
            let violated = refusal(&error).and_then(|refusal| {
                let mut meanings = meanings.into_iter();
                meanings.find(|(constraint, _)| constraint.is_violated(refusal))
            });
            violated.map_or_else(|| error.into(), |(_, meaning)| meaning)
        })
    }
}
