//! Positions and kinds of events.

use std::{convert::Infallible, fmt, str::FromStr};

use sea_orm::DeriveValueType;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::openapi::{
    ObjectBuilder,
    schema::{Schema, Type},
};

use super::{
    Invalid,
    number::{decimal, integer},
};

/// The position of an event in the log. Later commits have higher positions.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    DeriveValueType,
)]
pub struct EventPosition(i64);

impl EventPosition {
    /// Before every event.
    pub const START: Self = Self(0);

    /// Accepts 0 to 2^63 - 1.
    pub fn parse(position: i64) -> Result<Self, Invalid> {
        if position < 0 {
            return Err(Invalid::new("range", "must be at least 0"));
        }
        Ok(Self(position))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The position before this one, or the start.
    #[must_use]
    pub const fn before(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// The position `count` later, or the last one.
    #[must_use]
    pub const fn plus(self, count: i64) -> Self {
        Self(self.0.saturating_add(count))
    }
}

impl fmt::Display for EventPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for EventPosition {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let number = decimal(text).ok_or_else(|| Invalid::new("type", "must be a position"))?;
        Self::parse(number)
    }
}

input_value!(
    EventPosition,
    read_integer,
    integer(0, i64::MAX).examples([42])
);

/// Declares each kind of event once: its variant, its name and its documentation.
macro_rules! kinds {
    ($($variant:ident = $name:literal, $meaning:literal;)*) => {
        /// A kind of event.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum EventKind {
            $(
                #[doc = $meaning]
                $variant,
            )*
        }

        impl EventKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name in the log and in responses.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

kinds! {
    PostCreated = "post.created", "A post was created, as a draft or published";
    PostUpdated = "post.updated", "A post was changed, and stayed a draft or published";
    PostPublished = "post.published", "A draft was published, or posts became visible again";
    PostUnpublished = "post.unpublished", "A post became a draft. For other users than its owner this is `post.deleted`";
    PostDeleted = "post.deleted", "A post was deleted, or posts are no longer visible to the reader";
    VoteAdded = "vote.added", "A user voted for a post";
    VoteRemoved = "vote.removed", "A user took a vote back";
    UserCreated = "user.created", "A user signed up";
    UserUpdated = "user.updated", "A user has another username, e-mail address or role";
    UserSuspended = "user.suspended", "A user was suspended. For readers this is `post.deleted` with the owner alone";
    UserRestored = "user.restored", "A suspension ended. For readers this is `post.published` with the owner alone";
    UserDeleted = "user.deleted", "An account was deleted";
    SessionEnded = "session.ended", "A session of the reader ended";
    TokenRevoked = "token.revoked", "A personal access token of the reader was revoked, or has expired";
    WebhookDisabled = "webhook.disabled", "A webhook of the reader was disabled: its endpoint failed for 5 days or answered 410, or the password was changed";
    PostDeletedByModerator = "moderation.delete_post", "A moderator deleted the post of another user. For admins";
    UserSuspendedByAdmin = "moderation.suspend_user", "An admin suspended a user. For admins";
    UserRestoredByAdmin = "moderation.restore_user", "An admin restored a user. For admins";
    RoleChanged = "moderation.change_role", "The operator changed the role of a user. For admins";
    TokenCreatedByOperator = "moderation.create_token", "The operator created a personal access token. For admins";
}

impl EventKind {
    /// The first part of the name, such as `post`.
    #[must_use]
    pub fn group(self) -> &'static str {
        self.name().split('.').next().unwrap_or_default()
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name of a kind that this version does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownKind;

impl FromStr for EventKind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        let known = Self::ALL.iter().find(|kind| kind.name() == name);
        known.copied().ok_or(UnknownKind)
    }
}

/// A set of kinds. The text form is their names separated by commas; `post.*` means every kind that begins
/// with `post.`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, DeriveValueType)]
#[sea_orm(value_type = "String", column_type = "Text")]
pub struct EventKinds(u32);

impl EventKinds {
    /// Every kind.
    pub const ALL: Self = Self::of(EventKind::ALL);
    /// Maximum length of the text form, in bytes. Every kind together has fewer.
    const MAX_LENGTH: usize = 500;

    /// The set of `kinds`.
    #[must_use]
    pub const fn of(mut kinds: &[EventKind]) -> Self {
        let mut set = 0;
        while let [first, rest @ ..] = kinds {
            set |= first.bit();
            kinds = rest;
        }
        Self(set)
    }

    /// Accepts one kind or more, in any order.
    pub fn parse(text: impl AsRef<str>) -> Result<Self, Invalid> {
        let unknown = || {
            let names: Vec<_> = EventKind::ALL.iter().map(|kind| kind.name()).collect();
            let message = format!(
                "must be one or more of {}, separated by commas; `post.*` means all that begin with `post.`",
                names.join(", ")
            );
            Invalid::new("unknown_value", message)
        };
        let text = text.as_ref();
        if text.len() > Self::MAX_LENGTH {
            return Err(unknown());
        }
        let mut set = Self(0);
        for name in text.split(',') {
            let group = name.strip_suffix(".*");
            let named = |kind: &&EventKind| match group {
                Some(group) => kind.group() == group,
                None => kind.name() == name,
            };
            let kinds: Vec<_> = EventKind::ALL.iter().filter(named).copied().collect();
            if kinds.is_empty() {
                return Err(unknown());
            }
            set = set.union(Self::of(&kinds));
        }
        Ok(set)
    }

    /// Whether `kind` is in the set.
    #[must_use]
    pub const fn contains(self, kind: EventKind) -> bool {
        self.0 & kind.bit() != 0
    }

    /// Whether every kind of `other` is in the set.
    #[must_use]
    pub const fn contains_all(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The kinds that are in one of the sets.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The kinds in the set.
    pub fn iter(self) -> impl Iterator<Item = EventKind> {
        let all = EventKind::ALL.iter().copied();
        all.filter(move |kind| self.contains(*kind))
    }

    fn text_schema() -> ObjectBuilder {
        let names = EventKind::ALL
            .iter()
            .map(|kind| kind.name().replace('.', "\\."));
        let mut groups: Vec<_> = EventKind::ALL.iter().map(|kind| kind.group()).collect();
        groups.dedup();
        let groups = groups.into_iter().map(|group| format!("{group}\\.\\*"));
        let name = names.chain(groups).collect::<Vec<_>>().join("|");
        ObjectBuilder::new()
            .schema_type(Type::String)
            .max_length(Some(Self::MAX_LENGTH))
            .pattern(Some(format!("^({name})(,({name}))*$")))
            .examples([json!("post.created,vote.*")])
    }
}

/// The text form, in the order of the kinds. A group that is in the set as a whole is one name, so that a
/// stored text includes later kinds of the group.
impl fmt::Display for EventKinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<String> = Vec::new();
        for kind in self.iter() {
            let group = kind.group();
            let mut all = EventKind::ALL.iter().filter(|other| other.group() == group);
            let name = if all.all(|other| self.contains(*other)) {
                format!("{group}.*")
            } else {
                kind.name().to_owned()
            };
            if names.last() != Some(&name) {
                names.push(name);
            }
        }
        f.write_str(&names.join(","))
    }
}

/// Parses the text form from the database. Ignores names that this version does not know.
impl FromStr for EventKinds {
    type Err = Infallible;

    fn from_str(names: &str) -> Result<Self, Infallible> {
        let known = names.split(',').filter_map(|name| Self::parse(name).ok());
        Ok(known.fold(Self(0), Self::union))
    }
}

input_value!(EventKinds, read_text, Schema::from(Self::text_schema()));

impl utoipa::PartialSchema for EventKind {
    fn schema() -> utoipa::openapi::RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("A kind of event."))
            .enum_values(Some(Self::ALL.iter().map(|kind| kind.name())))
            .into()
    }
}

impl utoipa::ToSchema for EventKind {}

impl Serialize for EventKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
