//! The quotas of users.

use super::{
    SettingsReader,
    settings::{QUOTA_BYTES, QUOTA_POSTS},
};

/// The quotas of each user. `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuotaSettings {
    /// `QUOTA_POSTS`: the maximum number of posts.
    pub posts: Option<u64>,
    /// `QUOTA_BYTES`: the maximum number of bytes of all titles, contents, metadata and stored
    /// responses of repeated requests, in UTF-8.
    pub bytes: Option<u64>,
}

impl QuotaSettings {
    pub(super) fn read<L: Fn(&str) -> Option<String>>(
        reader: &mut SettingsReader<L>,
    ) -> Option<Self> {
        let posts = reader.read(&QUOTA_POSTS, maximum);
        let bytes = reader.read(&QUOTA_BYTES, maximum);
        Some(Self {
            posts: posts?,
            bytes: bytes?,
        })
    }
}

fn maximum(text: &str) -> Result<Option<u64>, String> {
    match text.parse::<i64>() {
        Ok(maximum @ 0..) => Ok(Some(maximum.unsigned_abs()).filter(|maximum| *maximum > 0)),
        _ => Err(format!(
            "`{text}` is not an integer from 1 to {}, or 0 for no limit",
            i64::MAX
        )),
    }
}
