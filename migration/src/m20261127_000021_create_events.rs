use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Columns that the owner of a post changes. Votes change others.
const EDITED: &str =
    "UPDATE OF version, published, owner_id, title, content, tags, external_id, metadata";
const IS_EDIT: &str =
    "OLD.version <> NEW.version OR OLD.owner_id <> NEW.owner_id OR OLD.published <> NEW.published
    OR OLD.title <> NEW.title OR OLD.content <> NEW.content OR OLD.tags <> NEW.tags
    OR coalesce(OLD.external_id, '') <> coalesce(NEW.external_id, '')
    OR coalesce(OLD.metadata, '') <> coalesce(NEW.metadata, '')";
const EDIT: &str = "CASE WHEN OLD.published = NEW.published THEN 'post.updated'
    WHEN NEW.published THEN 'post.published' ELSE 'post.unpublished' END";
/// Not the password: its change ends sessions.
const IS_USER_UPDATE: &str =
    "OLD.username <> NEW.username OR OLD.email <> NEW.email OR OLD.role <> NEW.role";
/// A deletion suspends too.
const STATE: &str = "CASE WHEN NEW.deleted_at IS NOT NULL THEN 'user.deleted'
    WHEN NEW.suspended_at IS NOT NULL THEN 'user.suspended' ELSE 'user.restored' END";
const IS_STATE: &str = "(OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL)
    OR (OLD.suspended_at IS NULL) <> (NEW.suspended_at IS NULL)";

/// SQL for a JSON object of members and SQL for their values. No value needs escaping.
fn json(members: &[(&str, String)]) -> String {
    let members = members.iter().enumerate().map(|(index, (name, value))| {
        let begin = if index == 0 { "{" } else { "," };
        format!("'{begin}\"{name}\":' || {value} || ")
    });
    format!("{}'}}'", members.collect::<String>())
}

fn boolean(condition: &str) -> String {
    format!("CASE WHEN {condition} THEN 'true' ELSE 'false' END")
}

/// The payload of the events of posts, without text of the user: it would outlive the post. `row` is `NEW.`,
/// `OLD.` or empty.
fn post(row: &str) -> String {
    json(&[
        ("published", boolean(&format!("{row}published"))),
        ("version", format!("{row}version")),
    ])
}

/// The changed columns of a user.
fn changed() -> String {
    let column = |name| (name, boolean(&format!("OLD.{name} <> NEW.{name}")));
    json(&["username", "email", "role"].map(column))
}

/// A trigger for each row.
struct Source {
    table: &'static str,
    name: &'static str,
    when: &'static str,
    condition: Option<&'static str>,
    /// SQL for the members of the event.
    kind: &'static str,
    subject: &'static str,
    actor: &'static str,
    payload: String,
}

impl Source {
    fn new(
        (table, name, when): (&'static str, &'static str, &'static str),
        kind: &'static str,
        subject: &'static str,
        actor: &'static str,
    ) -> Self {
        let payload = "NULL".to_owned();
        Self {
            table,
            name,
            when,
            condition: None,
            kind,
            subject,
            actor,
            payload,
        }
    }

    fn condition(self, condition: &'static str) -> Self {
        let condition = Some(condition);
        Self { condition, ..self }
    }

    fn payload(self, payload: String) -> Self {
        Self { payload, ..self }
    }

    fn is(&self) -> String {
        self.condition
            .map_or_else(String::new, |condition| format!("WHEN ({condition})"))
    }

    /// SQLite has one writer, so that the order of its rows is that of the commits.
    fn on_sqlite(&self) -> String {
        let Self {
            table,
            name,
            when,
            kind,
            subject,
            actor,
            payload,
            ..
        } = self;
        let is = self.is();
        format!(
            "CREATE TRIGGER {table}_events_{name} AFTER {when} ON {table} {is} BEGIN
                INSERT INTO events (at, kind, subject_id, actor_id, payload)
                VALUES (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), {kind}, {subject}, {actor}, {payload});
            END"
        )
    }

    fn on_postgres(&self) -> [String; 2] {
        let Self {
            table,
            name,
            when,
            kind,
            subject,
            actor,
            payload,
            ..
        } = self;
        let payloads = match payload.as_str() {
            "NULL" => "NULL".to_owned(),
            payload => format!("ARRAY[{payload}]"),
        };
        let body = format!(
            "INSERT INTO event_outbox (kind, subject_ids, actor_ids, payloads)
                VALUES ({kind}, ARRAY[{subject}], ARRAY[{actor}], {payloads});"
        );
        let how = format!("FOR EACH ROW {}", self.is());
        postgres_trigger(table, name, (&format!("AFTER {when}"), &how), &body)
    }
}

/// A function that runs `body`, and its trigger: the part of its definition before `ON`, and that after it.
fn postgres_trigger(
    table: &str,
    name: &str,
    (event, how): (&str, &str),
    body: &str,
) -> [String; 2] {
    [
        format!(
            "CREATE OR REPLACE FUNCTION {table}_events_{name}() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                {body}
                RETURN NULL;
            END $$"
        ),
        format!(
            "CREATE TRIGGER {table}_events_{name} {event} ON {table}
            {how} EXECUTE FUNCTION {table}_events_{name}()"
        ),
    ]
}

/// Changes that come one by one.
fn single() -> [Source; 6] {
    let (id, new, old) = ("NEW.id", "NEW.owner_id", "OLD.id");
    [
        Source::new(("posts", "update", EDITED), EDIT, id, new)
            .condition(IS_EDIT)
            .payload(post("NEW.")),
        Source::new(("users", "insert", "INSERT"), "'user.created'", id, id),
        Source::new(
            ("users", "update", "UPDATE OF username, email, role"),
            "'user.updated'",
            id,
            id,
        )
        .condition(IS_USER_UPDATE)
        .payload(changed()),
        Source::new(
            ("users", "state", "UPDATE OF suspended_at, deleted_at"),
            STATE,
            id,
            id,
        )
        .condition(IS_STATE),
        Source::new(("users", "delete", "DELETE"), "'user.deleted'", old, old)
            .condition("OLD.deleted_at IS NULL"),
        Source::new(
            ("audit_log", "insert", "INSERT"),
            "'moderation.' || NEW.action",
            id,
            "NEW.actor_id",
        ),
    ]
}

/// Changes that come in large numbers, on SQLite, which has no triggers for a whole statement.
fn many_on_sqlite() -> [Source; 8] {
    let moved = "UPDATE OF post_id, user_id";
    let vote = |name, when, kind, post, user| Source::new(("votes", name, when), kind, post, user);
    let (new_post, new_user, added) = ("NEW.post_id", "NEW.user_id", "'vote.added'");
    let (old_post, old_user, removed) = ("OLD.post_id", "OLD.user_id", "'vote.removed'");
    let ended =
        |table, kind| Source::new((table, "delete", "DELETE"), kind, "OLD.id", "OLD.user_id");
    [
        Source::new(
            ("posts", "insert", "INSERT"),
            "'post.created'",
            "NEW.id",
            "NEW.owner_id",
        )
        .payload(post("NEW.")),
        Source::new(
            ("posts", "delete", "DELETE"),
            "'post.deleted'",
            "OLD.id",
            "OLD.owner_id",
        )
        .payload(post("OLD.")),
        vote("insert", "INSERT", added, new_post, new_user),
        vote("delete", "DELETE", removed, old_post, old_user),
        vote("moved_from", moved, removed, old_post, old_user),
        vote("moved_to", moved, added, new_post, new_user),
        ended("sessions", "'session.ended'"),
        ended("tokens", "'token.revoked'"),
    ]
}

/// The same on PostgreSQL: a statement writes one row to the outbox, which costs a batch of votes a
/// hundredth of its time, or a row for each thousand changes.
fn many_on_postgres() -> [(
    &'static str,
    &'static str,
    (&'static str, &'static str),
    String,
); 10] {
    let events = |kind: &str, subject: &str, actor: &str, payload: Option<String>, rows: &str| {
        let payloads = payload.map_or_else(
            || "NULL".to_owned(),
            |payload| format!("array_agg({payload})"),
        );
        let insert = format!(
            "INSERT INTO event_outbox (kind, subject_ids, actor_ids, payloads)
                SELECT '{kind}', array_agg({subject}), array_agg({actor}), {payloads}"
        );
        // A row with millions of changes could not be moved within the time limit of a statement.
        format!(
            "IF (SELECT count(*) FROM {rows}) <= 1000 THEN
                {insert} FROM {rows} HAVING count(*) > 0;
                ELSE
                {insert}
                FROM (SELECT changes.*, row_number() OVER () / 1000 AS part FROM {rows} AS changes) AS parts
                GROUP BY part;
                END IF;
                "
        )
    };
    let posts = |kind: &str, rows: &str| events(kind, "id", "owner_id", Some(post("")), rows);
    let votes = |kind: &str, rows: &str| events(kind, "post_id", "user_id", None, rows);
    let ended = |kind: &str| events(kind, "id", "user_id", None, "removed");
    // Every change has a transaction number before it takes an id of the outbox.
    let number = "PERFORM pg_current_xact_id();\n                ";
    let moved = votes("vote.removed", "removed") + &votes("vote.added", "added");
    let added = (
        "AFTER INSERT",
        "REFERENCING NEW TABLE AS added FOR EACH STATEMENT",
    );
    let removed = (
        "AFTER DELETE",
        "REFERENCING OLD TABLE AS removed FOR EACH STATEMENT",
    );
    let updated = (
        "AFTER UPDATE",
        "REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT",
    );
    let truncated = ("BEFORE TRUNCATE", "FOR EACH STATEMENT");
    let users = events("user.deleted", "id", "id", None, "users");
    [
        ("posts", "insert", added, posts("post.created", "added")),
        ("posts", "delete", removed, posts("post.deleted", "removed")),
        (
            "posts",
            "truncate",
            truncated,
            number.to_owned() + &posts("post.deleted", "posts"),
        ),
        ("votes", "insert", added, votes("vote.added", "added")),
        ("votes", "delete", removed, votes("vote.removed", "removed")),
        ("votes", "moved", updated, moved),
        (
            "votes",
            "truncate",
            truncated,
            number.to_owned() + &votes("vote.removed", "votes"),
        ),
        ("users", "truncate", truncated, number.to_owned() + &users),
        ("sessions", "delete", removed, ended("session.ended")),
        ("tokens", "delete", removed, ended("token.revoked")),
    ]
}

/// The log of changes. Triggers write it, so that no path can forget it.
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect::Dialect {
            id,
            timestamp,
            keyed,
        } = dialect::of(manager);
        // Without foreign keys: an event outlives its subject.
        let events = format!(
            "CREATE TABLE events (
                position {id},
                at {timestamp} NOT NULL,
                kind text NOT NULL,
                subject_id bigint NOT NULL,
                actor_id bigint,
                payload text
            )"
        );
        // One of `session_id` and `token_id` is set: the credential of the caller.
        let tickets = format!(
            "CREATE TABLE event_tickets (
                hash text NOT NULL,
                user_id bigint NOT NULL,
                session_id bigint,
                token_id bigint,
                scopes text NOT NULL,
                expires_at {timestamp} NOT NULL,
                stream_until {timestamp},
                CONSTRAINT event_tickets_pkey PRIMARY KEY (hash),
                CONSTRAINT event_tickets_credential_check
                    CHECK ((session_id IS NULL) <> (token_id IS NULL)),
                CONSTRAINT event_tickets_user_id_fkey
                    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
                CONSTRAINT event_tickets_session_id_fkey
                    FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE CASCADE,
                CONSTRAINT event_tickets_token_id_fkey
                    FOREIGN KEY (token_id) REFERENCES tokens (id) ON DELETE CASCADE
            ) {keyed}"
        );
        let columns = ["user_id", "session_id", "token_id", "expires_at"];
        // For the cascades, and the job that removes old tickets.
        let indexes = columns.map(|column| {
            format!("CREATE INDEX event_tickets_{column}_idx ON event_tickets ({column})")
        });
        dialect::execute(manager, [events, tickets]).await?;
        dialect::execute(manager, indexes).await?;
        if !dialect::is_postgres(manager) {
            let sources = single().into_iter().chain(many_on_sqlite());
            return dialect::execute(manager, sources.map(|source| source.on_sqlite())).await;
        }
        // A transaction commits after others that took later numbers, so a reader that remembers a number
        // would miss rows. The service moves committed rows to `events`, and numbers them then. The numbers
        // here keep the order of changes of one row: a transaction gets them after it has locked the row.
        let outbox = format!(
            "CREATE TABLE event_outbox (
                id {id},
                at {timestamp} NOT NULL DEFAULT clock_timestamp(),
                kind text NOT NULL,
                subject_ids bigint[] NOT NULL,
                actor_ids bigint[] NOT NULL,
                payloads text[]
            )"
        );
        dialect::execute(manager, [outbox]).await?;
        let mut triggers: Vec<String> = single().iter().flat_map(Source::on_postgres).collect();
        for (table, name, when, body) in many_on_postgres() {
            triggers.extend(postgres_trigger(table, name, when, &body));
        }
        dialect::execute(manager, triggers).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut drops = Vec::new();
        if dialect::is_postgres(manager) {
            let single = single().map(|source| (source.table, source.name));
            let many = many_on_postgres().map(|(table, name, ..)| (table, name));
            for (table, name) in single.into_iter().chain(many) {
                drops.push(format!("DROP FUNCTION {table}_events_{name}() CASCADE"));
            }
            drops.push("DROP TABLE event_outbox".to_owned());
        } else {
            for Source { table, name, .. } in single().into_iter().chain(many_on_sqlite()) {
                drops.push(format!("DROP TRIGGER {table}_events_{name}"));
            }
        }
        drops.extend(["DROP TABLE event_tickets", "DROP TABLE events"].map(str::to_owned));
        dialect::execute(manager, drops).await
    }
}
