use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

const TABLES: [&str; 7] = [
    "statistics",
    "post_statistics",
    "post_vote_days",
    "user_statistics",
    "user_activity",
    "activity_days",
    "tag_statistics",
];

/// Statistics, which one job folds from the event log. Only that job writes these tables.
///
/// The row of `statistics` begins in phase 1: the job fills the tables from what exists, in bounded steps
/// while the service runs. Here it would be one transaction over all posts and votes, which SQLite's writer
/// and a migration without downtime cannot wait for.
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let keyed = dialect::of(manager).keyed;
        // The order of a page must not depend on the locale of the database.
        let tag = if dialect::is_postgres(manager) {
            "text COLLATE \"C\""
        } else {
            "text"
        };
        // No foreign keys: a deletion of a post must not write here.
        let statements = [
            format!(
                "CREATE TABLE statistics (
                    id integer NOT NULL,
                    revision bigint NOT NULL,
                    position bigint NOT NULL,
                    owner_after bigint NOT NULL,
                    phase integer NOT NULL,
                    phase_after bigint NOT NULL,
                    users bigint NOT NULL,
                    posts bigint NOT NULL,
                    votes bigint NOT NULL,
                    CONSTRAINT statistics_pkey PRIMARY KEY (id),
                    CONSTRAINT statistics_id_check CHECK (id = 1),
                    CONSTRAINT statistics_phase_check CHECK (phase BETWEEN 0 AND 4)
                ) {keyed}"
            ),
            format!(
                "CREATE TABLE post_statistics (
                    post_id bigint NOT NULL,
                    owner_id bigint NOT NULL,
                    votes bigint NOT NULL,
                    tags text NOT NULL,
                    CONSTRAINT post_statistics_pkey PRIMARY KEY (post_id)
                ) {keyed}"
            ),
            // For the suspension of an owner.
            "CREATE INDEX post_statistics_owner_id_idx ON post_statistics (owner_id, post_id)"
                .to_owned(),
            format!(
                "CREATE TABLE post_vote_days (
                    post_id bigint NOT NULL,
                    day integer NOT NULL,
                    added bigint NOT NULL,
                    removed bigint NOT NULL,
                    CONSTRAINT post_vote_days_pkey PRIMARY KEY (post_id, day)
                ) {keyed}"
            ),
            format!(
                "CREATE TABLE user_statistics (
                    user_id bigint NOT NULL,
                    is_counted boolean NOT NULL,
                    posts bigint NOT NULL,
                    votes bigint NOT NULL,
                    active_on integer,
                    CONSTRAINT user_statistics_pkey PRIMARY KEY (user_id)
                ) {keyed}"
            ),
            format!(
                "CREATE TABLE user_activity (
                    user_id bigint NOT NULL,
                    day integer NOT NULL,
                    CONSTRAINT user_activity_pkey PRIMARY KEY (user_id, day)
                ) {keyed}"
            ),
            // For the removal of old days.
            "CREATE INDEX user_activity_day_idx ON user_activity (day)".to_owned(),
            format!(
                "CREATE TABLE activity_days (
                    day integer NOT NULL,
                    active bigint NOT NULL,
                    last_active bigint NOT NULL,
                    CONSTRAINT activity_days_pkey PRIMARY KEY (day)
                ) {keyed}"
            ),
            format!(
                "CREATE TABLE tag_statistics (
                    tag {tag} NOT NULL,
                    posts bigint NOT NULL,
                    CONSTRAINT tag_statistics_pkey PRIMARY KEY (tag)
                ) {keyed}"
            ),
            "CREATE INDEX tag_statistics_posts_idx ON tag_statistics (posts DESC, tag)".to_owned(),
            "INSERT INTO statistics
                (id, revision, position, owner_after, phase, phase_after, users, posts, votes)
                VALUES (1, 0, 0, 0, 1, 0, 0, 0, 0)"
                .to_owned(),
        ];
        dialect::execute(manager, statements).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::execute(manager, TABLES.map(|table| format!("DROP TABLE {table}"))).await
    }
}
