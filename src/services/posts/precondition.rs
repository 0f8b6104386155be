//! The condition under which a post may be changed (RFC 9110, section 13).

use entity::values::PostId;

use crate::error::Error;

/// The versions that a condition names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Versions {
    /// Every version: the condition is about the existence of the post.
    Any,
    /// These versions of posts. None of them may exist.
    These(Vec<(PostId, i64)>),
}

/// Fails a change unless it is made to a certain version. The default has no condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Precondition {
    /// The post must have one of these versions.
    pub if_match: Option<Versions>,
    /// The post must have none of these versions.
    pub if_none_match: Option<Versions>,
}

impl Versions {
    fn contains(&self, id: PostId, version: i64) -> bool {
        match self {
            Self::Any => true,
            Self::These(versions) => versions.contains(&(id, version)),
        }
    }
}

impl Precondition {
    /// True if there is a condition.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.if_match.is_some() || self.if_none_match.is_some()
    }

    /// # Errors
    /// [`Error::NothingToMatch`] if there is no post, and must be one.
    pub fn check_missing(&self) -> Result<(), Error> {
        match self.if_match {
            Some(_) => Err(Error::NothingToMatch),
            None => Ok(()),
        }
    }

    /// # Errors
    /// [`Error::PreconditionFailed`] if post `id`, in version `version`, must not be changed.
    pub fn check(&self, id: PostId, version: i64) -> Result<(), Error> {
        let contains = |versions: &Versions| versions.contains(id, version);
        let matches = self.if_match.as_ref().is_none_or(contains);
        if matches && !self.if_none_match.as_ref().is_some_and(contains) {
            Ok(())
        } else {
            Err(Error::PreconditionFailed { id, version })
        }
    }
}
