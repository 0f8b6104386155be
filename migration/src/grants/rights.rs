//! The rights that a role has, compared with those that it needs.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{DbBackend, Statement},
};

use super::{MERGE, Role, SEQUENCES, TABLES, insert::insert_name};

/// The rights of a role, as PostgreSQL sees them: its own, those of PUBLIC and those of other roles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Why it has every privilege: it is a superuser, or owns the tables.
    pub power: Option<String>,
    /// The privileges that it lacks, such as `DELETE on votes`.
    pub lacking: Vec<String>,
    /// The rights beyond those that it needs, such as `UPDATE on audit_log` or `CREATEROLE`.
    pub excess: Vec<String>,
}

impl Rights {
    /// The difference in words, such as "lacks DELETE on votes", if there is one.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        if let Some(power) = &self.power {
            return Some(format!("{power}, so it has every privilege"));
        }
        let named = |verb: &str, rights: &[String]| {
            (!rights.is_empty()).then(|| format!("{verb} {}", rights.join(", ")))
        };
        named("lacks", &self.lacking).or_else(|| named("also has", &self.excess))
    }
}

/// `$1` is the role. The tables are those of the schema of `posts`.
const POWER: &str = "SELECT CASE
        WHEN rolsuper THEN 'is a superuser'
        WHEN pg_has_role(rolname, relowner, 'MEMBER') THEN 'owns the tables'
    END
    FROM pg_roles LEFT JOIN pg_class ON pg_class.oid = to_regclass('posts')
    WHERE rolname = $1";
/// Of the objects of the owner of the tables. A column privilege counts like one on its table.
const RIGHTS: &str = "WITH posts AS (
        SELECT relnamespace, relowner FROM pg_class WHERE oid = to_regclass('posts')
    ),
    relations AS (
        SELECT pg_class.oid, relname, relkind FROM pg_class JOIN posts USING (relnamespace, relowner)
    )
    SELECT privilege || ' on ' || relname FROM relations,
        unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS privilege
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND (has_table_privilege($1, oid, privilege)
        OR privilege IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
            AND has_any_column_privilege($1, oid, privilege))
    UNION ALL
    SELECT privilege || ' on ' || relname FROM relations, unnest(ARRAY['SELECT', 'USAGE', 'UPDATE']) AS privilege
    WHERE CASE WHEN relkind = 'S' THEN has_sequence_privilege($1, oid, privilege) END
    UNION ALL
    SELECT 'EXECUTE on ' || proname || '()' FROM pg_proc
        JOIN posts ON relnamespace = pronamespace AND relowner = proowner
    WHERE prosecdef AND has_function_privilege($1, pg_proc.oid, 'EXECUTE')
    UNION ALL
    SELECT privilege || ' on the schema' FROM posts, unnest(ARRAY['USAGE', 'CREATE']) AS privilege
    WHERE has_schema_privilege($1, relnamespace, privilege)
    UNION ALL
    SELECT attribute FROM pg_roles,
        LATERAL (VALUES (rolcreaterole, 'CREATEROLE'), (rolbypassrls, 'BYPASSRLS'),
            (rolreplication, 'REPLICATION')) AS attributes (is_set, attribute)
    WHERE rolname = $1 AND is_set
    UNION ALL
    SELECT 'the rights of the role ' || pg_get_userbyid(roleid)
    FROM pg_auth_members JOIN pg_roles ON pg_roles.oid = member WHERE rolname = $1";

const SCHEMA: &str = "USAGE on the schema";

/// The rights of `role`, or of the role of the connection, compared with those to serve, or to insert
/// posts only. All privileges are lacking if the `search_path` does not lead to the tables.
///
/// # Errors
/// Those of the database.
pub(super) async fn rights(
    connection: &impl ConnectionTrait,
    role: Option<&Role>,
    serves: bool,
) -> Result<Rights, DbErr> {
    let name = match role {
        Some(role) => role.as_str().to_owned(),
        None => column(connection, "SELECT current_user::text", None)
            .await?
            .concat(),
    };
    let power = power(connection, &name).await?;
    if power.is_some() {
        return Ok(Rights {
            power,
            ..Rights::default()
        });
    }
    let wanted = if serves { to_serve() } else { to_insert(&name) };
    let held = column(connection, RIGHTS, Some(&name)).await?;
    let missing = |rights: &[String], others: &[String]| {
        let rights = rights.iter().filter(|right| !others.contains(right));
        rights.cloned().collect()
    };
    Ok(Rights {
        power: None,
        lacking: missing(&wanted, &held),
        excess: missing(&held, &wanted),
    })
}

/// Why the role `name` has every privilege, if it has.
pub(super) async fn power(
    connection: &impl ConnectionTrait,
    name: &str,
) -> Result<Option<String>, DbErr> {
    let power = column(connection, POWER, Some(name)).await?;
    Ok(power.into_iter().next())
}

fn to_serve() -> Vec<String> {
    let tables = TABLES.iter().flat_map(|(table, privileges)| {
        privileges
            .iter()
            .map(move |privilege| format!("{privilege} on {table}"))
    });
    let sequences = SEQUENCES.map(|sequence| format!("SELECT on {sequence}"));
    let merge = format!("EXECUTE on {MERGE}");
    tables
        .chain(sequences)
        .chain([merge, SCHEMA.to_owned()])
        .collect()
}

fn to_insert(role: &str) -> Vec<String> {
    let function = format!("EXECUTE on {}()", insert_name(role));
    vec![SCHEMA.to_owned(), function]
}

/// The first column of all rows, without nulls.
pub(super) async fn column(
    connection: &impl ConnectionTrait,
    sql: &str,
    value: Option<&str>,
) -> Result<Vec<String>, DbErr> {
    let values = value.map(Value::from);
    let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
    let rows = connection.query_all_raw(statement).await?;
    let texts: Result<Vec<Option<String>>, _> =
        rows.iter().map(|row| row.try_get_by_index(0)).collect();
    Ok(texts?.into_iter().flatten().collect())
}
