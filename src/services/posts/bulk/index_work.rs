//! The bound on the work that a write of many posts makes for the search index.

use entity::posts::ActiveModel;

use super::targets::Target;
use crate::error::Error;

/// Maximum number of bytes of title and content, old and new, that a request adds to the search index and
/// takes out of it: as many as the largest body has. SQLite's only writer takes up to 0.8 ms for each kB of
/// them, and a short request can be about long posts.
pub const MAX_TEXT_BYTES: usize = 1024 * 1024;

/// A post whose text stays the same counts this fraction of it: SQLite writes the whole row again.
const SAME_TEXT: usize = 32;

/// What the rows that are written cost.
#[derive(Default)]
pub(super) struct IndexWork {
    /// The bytes of new texts.
    pub(super) new_bytes: usize,
    /// The bytes of old texts, or a fraction of them.
    old_bytes: usize,
}

impl IndexWork {
    /// Adds a new post.
    pub(super) fn create(&mut self, post: &ActiveModel) {
        let (title, content) = text_bytes(post);
        self.new_bytes += title.unwrap_or_default() + content.unwrap_or_default();
    }

    /// Adds a change of `target`.
    pub(super) fn change(&mut self, target: &Target) {
        let (old_title, old_content) = target.text_bytes();
        let old = old_title + old_content;
        match text_bytes(&target.changes) {
            (None, None) => self.old_bytes += old / SAME_TEXT,
            (title, content) => {
                self.old_bytes += old;
                self.new_bytes += title.unwrap_or(old_title) + content.unwrap_or(old_content);
            }
        }
    }

    /// Adds a deletion of `target`.
    pub(super) fn delete(&mut self, target: &Target) {
        let (title, content) = target.text_bytes();
        self.old_bytes += title + content;
    }

    /// # Errors
    /// [`Error::TooMuchText`].
    pub(super) fn check(&self) -> Result<(), Error> {
        let bytes = self.new_bytes + self.old_bytes;
        let max = MAX_TEXT_BYTES;
        if bytes > max {
            return Err(Error::TooMuchText { bytes, max });
        }
        Ok(())
    }
}

/// The bytes of the title and of the content that `post` sets.
fn text_bytes(post: &ActiveModel) -> (Option<usize>, Option<usize>) {
    let title = post.title.try_as_ref().map(|title| title.as_str().len());
    let content = post.content.try_as_ref();
    (title, content.map(|content| content.as_str().len()))
}
