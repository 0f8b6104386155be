//! Scopes of tokens.

use std::fmt;

/// A set of scopes (RFC 6749, section 3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scopes(pub u8);

/// Read posts and who wrote them.
pub const POSTS_READ: u8 = 1;
/// Write new posts.
pub const POSTS_CREATE: u8 = 1 << 1;
/// Change one's posts.
pub const POSTS_UPDATE: u8 = 1 << 2;
/// Delete one's posts.
pub const POSTS_DELETE: u8 = 1 << 3;
/// Vote and take votes back.
pub const VOTES_WRITE: u8 = 1 << 4;
/// See and change one's account, its sessions and its tokens; not make new tokens.
pub const ACCOUNT: u8 = 1 << 5;

/// Every scope, its name and its meaning.
pub const SCOPES: [(u8, &str, &str); 6] = [
    (POSTS_READ, "posts:read", "Read posts and users"),
    (POSTS_CREATE, "posts:create", "Write new posts"),
    (POSTS_UPDATE, "posts:update", "Change own posts"),
    (POSTS_DELETE, "posts:delete", "Delete own posts"),
    (VOTES_WRITE, "votes:write", "Vote and take votes back"),
    (
        ACCOUNT,
        "account",
        "See and change the account, its sessions and tokens",
    ),
];

impl Scopes {
    /// What a signed-in user may do.
    pub const ALL: Self = Self((1 << SCOPES.len()) - 1);

    /// The set of the scopes with these names; `None` if one has no such name.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        names.into_iter().try_fold(Self(0), |set, name| {
            let (bit, ..) = SCOPES.iter().find(|(_, known, _)| *known == name)?;
            Some(Self(set.0 | bit))
        })
    }

    /// Whether one of the scopes of `any` is in the set.
    #[must_use]
    pub fn has(self, any: u8) -> bool {
        self.0 & any != 0
    }

    /// The names in the set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let of = move |&(bit, name, _): &(u8, &'static str, _)| self.has(bit).then_some(name);
        SCOPES.iter().filter_map(of)
    }
}

/// Names separated by spaces.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().collect::<Vec<_>>().join(" "))
    }
}
