use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// The owner learns that a webhook was disabled by its failures.
const IS_NEWS: &str = "OLD.disabled_reason IS NULL AND NEW.disabled_reason <> 'owner'";
const SQLITE: &str = "INSERT INTO events (at, kind, subject_id, actor_id, payload)
    VALUES (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 'webhook.disabled', NEW.id, NEW.user_id, NULL);";
const POSTGRES: &str =
    "CREATE OR REPLACE FUNCTION webhooks_events_disabled() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO event_outbox (kind, subject_ids, actor_ids, payloads)
        VALUES ('webhook.disabled', ARRAY[NEW.id], ARRAY[NEW.user_id], NULL);
        RETURN NULL;
    END $$";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect::Dialect {
            id,
            timestamp,
            keyed,
        } = dialect::of(manager);
        let webhooks = format!(
            "CREATE TABLE webhooks (
                id {id},
                user_id bigint NOT NULL,
                url text NOT NULL,
                kinds text,
                owner_id bigint,
                post_id bigint,
                post_owner_id bigint,
                tag text,
                includes_post boolean NOT NULL,
                sees_all boolean NOT NULL,
                secret text NOT NULL,
                previous_secret text,
                previous_secret_until {timestamp},
                created_at {timestamp} NOT NULL,
                disabled_at {timestamp},
                disabled_reason text,
                delivered bigint NOT NULL,
                wanted bigint NOT NULL,
                next_at {timestamp},
                failures bigint NOT NULL,
                failing_since {timestamp},
                paused_until {timestamp},
                lease text,
                leased_until {timestamp},
                CONSTRAINT webhooks_disabled_check
                    CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL)),
                CONSTRAINT webhooks_disabled_reason_check
                    CHECK (disabled_reason IN ('owner', 'password', 'gone', 'failing')),
                CONSTRAINT webhooks_lease_check CHECK ((lease IS NULL) = (leased_until IS NULL)),
                CONSTRAINT webhooks_user_id_fkey
                    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
            )"
        );
        // The log of deliveries. Its rows with `next_attempt_at` are what is tried again.
        let deliveries = format!(
            "CREATE TABLE webhook_deliveries (
                webhook_id bigint NOT NULL,
                position bigint NOT NULL,
                message_id text NOT NULL,
                kind text NOT NULL,
                state text NOT NULL,
                attempts bigint NOT NULL,
                attempted_at {timestamp} NOT NULL,
                next_attempt_at {timestamp},
                duration_ms bigint NOT NULL,
                status bigint,
                answer text,
                error text,
                CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (webhook_id, position),
                CONSTRAINT webhook_deliveries_state_check
                    CHECK (state IN ('pending', 'succeeded', 'failed', 'withdrawn')),
                CONSTRAINT webhook_deliveries_pending_check
                    CHECK ((state = 'pending') = (next_attempt_at IS NOT NULL)),
                CONSTRAINT webhook_deliveries_webhook_id_fkey
                    FOREIGN KEY (webhook_id) REFERENCES webhooks (id) ON DELETE CASCADE
            ) {keyed}"
        );
        let progress = format!(
            "CREATE TABLE webhook_progress (
                id bigint NOT NULL,
                position bigint NOT NULL,
                CONSTRAINT webhook_progress_pkey PRIMARY KEY (id),
                CONSTRAINT webhook_progress_id_check CHECK (id = 1)
            ) {keyed}"
        );
        dialect::execute(manager, [webhooks, deliveries, progress]).await?;
        let statements = [
            "CREATE INDEX webhooks_user_id_idx ON webhooks (user_id)",
            "CREATE INDEX webhooks_next_at_idx ON webhooks (next_at)",
            "CREATE INDEX webhook_deliveries_next_attempt_at_idx
                ON webhook_deliveries (webhook_id, next_attempt_at)",
            "CREATE INDEX webhook_deliveries_attempted_at_idx ON webhook_deliveries (attempted_at)",
            "INSERT INTO webhook_progress (id, position)
                SELECT 1, coalesce(max(position), 0) FROM events",
        ];
        dialect::execute(manager, statements).await?;
        let trigger = |how: &str| {
            format!(
                "CREATE TRIGGER webhooks_events_disabled AFTER UPDATE OF disabled_reason ON webhooks {how}"
            )
        };
        if dialect::is_postgres(manager) {
            let how = format!(
                "FOR EACH ROW WHEN ({IS_NEWS}) EXECUTE FUNCTION webhooks_events_disabled()"
            );
            dialect::execute(manager, [POSTGRES.to_owned(), trigger(&how)]).await
        } else {
            let how = format!("WHEN ({IS_NEWS}) BEGIN {SQLITE} END");
            dialect::execute(manager, [trigger(&how)]).await
        }
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let drops = [
            "DROP TABLE webhook_progress",
            "DROP TABLE webhook_deliveries",
            "DROP TABLE webhooks",
        ];
        dialect::execute(manager, drops).await?;
        if dialect::is_postgres(manager) {
            dialect::execute(manager, ["DROP FUNCTION webhooks_events_disabled()"]).await?;
        }
        Ok(())
    }
}
