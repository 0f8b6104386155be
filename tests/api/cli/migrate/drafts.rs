//! `acclaim migrate generate`

use acclaim::cli::migrate::{draft::Draft, entities};
use migration::schema::{self, ForeignKey, Table};
use sea_orm::{DatabaseConnection, DbBackend};

use super::{execute, migrate};
use crate::harness::{Fixture, apply, behaviour, check};

/// Entities after a change that has no migration yet.
mod changed {
    pub mod votes {
        use ::entity::values::{PostId, UserId};
        use sea_orm::entity::prelude::*;

        #[sea_orm::model]
        #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
        #[sea_orm(table_name = "votes")]
        pub struct Model {
            #[sea_orm(primary_key, auto_increment = false)]
            pub post_id: PostId,
            #[sea_orm(primary_key, auto_increment = false)]
            pub user_id: UserId,
            #[sea_orm(indexed)]
            pub created_at: TimeDateTimeWithTimeZone,
            pub weight: i64,
            #[sea_orm(column_type = "Text", nullable)]
            pub reason: Option<String>,
            pub changed_at: Option<TimeDateTimeWithTimeZone>,
        }

        impl ActiveModelBehavior for ActiveModel {}
    }

    pub mod labels {
        use ::entity::values::UserId;
        use sea_orm::entity::prelude::*;

        #[sea_orm::model]
        #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
        #[sea_orm(table_name = "labels")]
        pub struct Model {
            #[sea_orm(primary_key)]
            pub id: i64,
            pub owner_id: UserId,
            #[sea_orm(column_type = "Text", unique)]
            pub name: String,
            #[sea_orm(indexed)]
            pub created_at: TimeDateTimeWithTimeZone,
        }

        impl ActiveModelBehavior for ActiveModel {}
    }
}

fn changed(backend: DbBackend) -> Vec<Table> {
    let mut tables = entities::tables(backend);
    let votes = tables.iter_mut().find(|table| table.name == "votes");
    let votes = votes.expect("no votes");
    let foreign_keys = votes.foreign_keys.clone();
    *votes = entities::table(changed::votes::Entity, backend);
    votes.foreign_keys = foreign_keys;
    let mut labels = entities::table(changed::labels::Entity, backend);
    labels.foreign_keys.insert(ForeignKey {
        columns: vec!["owner_id".to_owned()],
        table: "users".to_owned(),
        referenced: vec!["id".to_owned()],
    });
    tables.push(labels);
    tables
}

async fn tables(connection: &DatabaseConnection) -> Vec<Table> {
    let mut tables = schema::read_tables(connection).await.expect("no tables");
    // An entity declares the indexes that the draft must make, and no others.
    for table in &mut tables {
        table.indexes.retain(|columns| columns == &["created_at"]);
    }
    tables
}

/// The statements that apply and revert the draft for [`changed`].
fn drafted(migrated: &[Table], postgres: bool) -> (String, String) {
    let draft = Draft::between(migrated, &changed(DbBackend::Sqlite)).expect("no draft");
    let differences = [
        "column votes.changed_at is in the entity, but in no migration",
        "column votes.reason is in the entity, but in no migration",
        "column votes.weight is in the entity, but in no migration",
        "index of votes on (created_at) is in the entity, but in no migration",
        "table labels has an entity, but no migration",
    ];
    assert_eq!(draft.differences, differences);
    let statements = if postgres {
        draft.postgres
    } else {
        draft.sqlite
    };
    (statements.up.join(";\n"), statements.down.join(";\n"))
}

#[apply(behaviour)]
async fn a_draft_adds_columns_tables_and_indexes_and_takes_them_back(fixture: Fixture) {
    fixture.migrate().await;
    let connection = fixture.connect().await;
    let backend = sea_orm::ConnectionTrait::get_database_backend(&connection);
    let migrated = schema::migrated_tables().await.expect("no tables");
    let (up, down) = drafted(&migrated, fixture.is_postgres());
    let before = tables(&connection).await;
    execute(&connection, &up).await;
    let after = tables(&connection).await;
    for expected in changed(backend) {
        let table = after.iter().find(|table| table.name == expected.name);
        let mut table = table.expect("no table").clone();
        table
            .indexes
            .retain(|index| expected.indexes.contains(index));
        assert_eq!(table, expected);
    }
    execute(&connection, &down).await;
    assert_eq!(tables(&connection).await, before);
}

#[apply(check)]
fn a_draft_is_the_source_of_a_migration() {
    let migrated = entities::tables(DbBackend::Sqlite);
    assert!(Draft::between(&migrated, &migrated).is_none());
    let draft = Draft::between(&migrated, &changed(DbBackend::Sqlite)).expect("no draft");
    let text = draft.to_string();
    for part in [
        "// REVIEW THIS DRAFT",
        "        if dialect::is_postgres(manager) {\n            dialect::execute(\n",
        "\"ALTER TABLE votes ADD COLUMN weight bigint NOT NULL DEFAULT 0\",\n",
        "\"ALTER TABLE votes ADD COLUMN changed_at timestamp with time zone\",\n",
        "\"ALTER TABLE votes ADD COLUMN changed_at timestamp_with_timezone_text\",\n",
        "\"CREATE INDEX votes_created_at_idx ON votes (created_at)\",\n",
        "\"DROP TABLE labels\",\n",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// Each kind of difference of an entity is reported, and drafted where the database can do it.
#[apply(check)]
fn changed_columns_and_keys_are_drafted() {
    type Change = fn(&mut Table);
    let migrated = entities::tables(DbBackend::Sqlite);
    let cases: [(Change, &str, &str); 6] = [
        (
            |table| table.columns.get_mut("title").unwrap().sql_type = "bigint".into(),
            "column posts.title is `bigint NOT NULL` in the entity, but `text NOT NULL` in the migrations",
            "ALTER TABLE posts ALTER COLUMN title TYPE bigint USING title::bigint",
        ),
        (
            |table| table.columns.get_mut("title").unwrap().is_nullable = true,
            "column posts.title is `text` in the entity, but `text NOT NULL` in the migrations",
            "ALTER TABLE posts ALTER COLUMN title DROP NOT NULL",
        ),
        (
            |table| drop(table.columns.remove("metadata")),
            "column posts.metadata is in a migration, but not in the entity",
            "ALTER TABLE posts DROP COLUMN metadata",
        ),
        (
            |table| table.foreign_keys.clear(),
            "foreign key of posts on (owner_id) to users is in a migration, but not in the entity",
            "ALTER TABLE posts DROP CONSTRAINT posts_owner_id_fkey",
        ),
        (
            |table| table.unique_keys.extend([vec!["title".to_owned()]]),
            "unique key of posts on (title) is in the entity, but in no migration",
            "CREATE UNIQUE INDEX posts_title_key ON posts (title)",
        ),
        (
            |table| table.primary_key.push("version".to_owned()),
            "primary key of posts is (id, version) in the entity, but (id) in the migrations",
            "ALTER TABLE posts DROP CONSTRAINT posts_pkey,\n    ADD CONSTRAINT posts_pkey PRIMARY KEY (id, version)",
        ),
    ];
    for (change, difference, statement) in cases {
        let mut entities = migrated.clone();
        let posts = entities.iter_mut().find(|table| table.name == "posts");
        change(posts.expect("no posts"));
        let draft = Draft::between(&migrated, &entities).expect("no draft");
        assert_eq!(draft.differences, [difference]);
        assert_eq!(draft.postgres.up, [statement]);
        assert_eq!(draft.postgres.down.len(), 1);
    }
}

#[apply(behaviour)]
async fn generate_needs_the_sources(fixture: Fixture) {
    for arguments in [&["generate", "add_x"][..], &["generate", "Add x"]] {
        let refused = migrate(&fixture, arguments).await;
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""));
        let message = if arguments[1] == "add_x" {
            "run it in the folder of a clone"
        } else {
            "must consist of"
        };
        assert!(refused.stderr.contains(message), "{}", refused.stderr);
    }
    let agrees = migrate(&fixture, &["generate", "add_x", "--from-entities"]).await;
    assert!(
        agrees.stderr.contains("nothing to draft"),
        "{}",
        agrees.stderr
    );
}
