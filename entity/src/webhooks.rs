//! Webhooks: endpoints that get events by HTTP requests.

use sea_orm::entity::prelude::*;

use crate::values::{
    EventKinds, EventPosition, PostId, Tag, UserId, WebhookId, WebhookSecret, WebhookUrl,
};

/// A row of `webhooks`: one endpoint, what it gets, and how far it has got it.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhooks")]
pub struct Model {
    /// Never reused.
    #[sea_orm(primary_key)]
    pub id: WebhookId,
    /// The owner. The endpoint gets what they may see.
    pub user_id: UserId,
    /// The URL of the endpoint.
    pub url: WebhookUrl,
    /// The kinds that the endpoint gets; none for all.
    pub kinds: Option<EventKinds>,
    /// Only events of this user and of posts by this user.
    pub owner_id: Option<UserId>,
    /// Only events of this post.
    pub post_id: Option<PostId>,
    /// The owner of that post, if the owner of the webhook could see it.
    pub post_owner_id: Option<UserId>,
    /// Only events of posts with this tag.
    pub tag: Option<Tag>,
    /// Whether events of posts have the post.
    pub includes_post: bool,
    /// Whether the endpoint gets every event as it is in the log, without the users who vote. It counts only
    /// while the owner is an admin.
    pub sees_all: bool,
    /// The key that signs.
    pub secret: WebhookSecret,
    /// The key before it, which signs too.
    pub previous_secret: Option<WebhookSecret>,
    /// The previous key is no longer used after this time, in UTC.
    pub previous_secret_until: Option<TimeDateTimeWithTimeZone>,
    /// In UTC.
    pub created_at: TimeDateTimeWithTimeZone,
    /// In UTC; none if the webhook is enabled.
    pub disabled_at: Option<TimeDateTimeWithTimeZone>,
    /// The reason.
    pub disabled_reason: Option<DisabledReason>,
    /// Every event up to this position was delivered once at least, has a delivery that is tried again, or
    /// is not for the endpoint.
    pub delivered: EventPosition,
    /// The last position that is known to have an event for the endpoint.
    pub wanted: EventPosition,
    /// When there is something to do, in UTC; none if there is nothing.
    pub next_at: Option<TimeDateTimeWithTimeZone>,
    /// The failed attempts since the last success.
    pub failures: i64,
    /// The time of the first of them, in UTC.
    pub failing_since: Option<TimeDateTimeWithTimeZone>,
    /// There is no attempt before this time, in UTC.
    pub paused_until: Option<TimeDateTimeWithTimeZone>,
    /// The random name of the lease of the server that delivers.
    #[sea_orm(column_type = "Text", nullable)]
    pub lease: Option<String>,
    /// Another server may deliver after this time, in UTC.
    pub leased_until: Option<TimeDateTimeWithTimeZone>,
    /// The owner.
    #[sea_orm(belongs_to, from = "user_id", to = "id")]
    pub user: BelongsTo<super::users::Entity>,
}

/// The reason why a webhook is disabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum DisabledReason {
    /// Its owner disabled it.
    #[sea_orm(string_value = "owner")]
    Owner,
    /// The password of its owner was changed.
    #[sea_orm(string_value = "password")]
    Password,
    /// The endpoint answered 410.
    #[sea_orm(string_value = "gone")]
    Gone,
    /// No attempt succeeded between a failure and one five days later or more.
    #[sea_orm(string_value = "failing")]
    Failing,
}

impl ActiveModelBehavior for ActiveModel {}
