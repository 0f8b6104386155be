//! The replicas of the database.

use migration::Database;
use sea_orm::DbBackend;

use super::{
    reader::SettingsReader,
    settings::{DATABASE_REPLICA_URL, DATABASE_REPLICA_URL_FILE},
};

/// Maximum number of replicas.
const MAX_REPLICAS: usize = 16;
const MAX_WEIGHT: u32 = 100;

/// A replica of the database.
#[derive(Clone, Debug)]
pub struct ReplicaSettings {
    /// A PostgreSQL server and database.
    pub database: Database,
    /// Its share of the reads, 1 to 100: with twice the weight it gets twice as many.
    pub weight: u32,
}

impl ReplicaSettings {
    /// Reads `DATABASE_REPLICA_URL` or `DATABASE_REPLICA_URL_FILE`, for this `primary` if its setting is
    /// valid.
    pub(super) fn read_all<L: Fn(&str) -> Option<String>>(
        reader: &mut SettingsReader<L>,
        primary: Option<&Database>,
    ) -> Option<Vec<Self>> {
        let replicas =
            reader.read_or_file(&DATABASE_REPLICA_URL, &DATABASE_REPLICA_URL_FILE, parse_all)?;
        let is_sqlite = primary.is_some_and(|primary| primary.backend() == DbBackend::Sqlite);
        if is_sqlite && !replicas.is_empty() {
            let error = "needs a PostgreSQL database in DATABASE_URL, which is SQLite";
            reader.error(&DATABASE_REPLICA_URL, error);
            return None;
        }
        Some(replicas)
    }
}

/// Errors do not repeat a URL, which may have a password.
fn parse_all(text: &str) -> Result<Vec<ReplicaSettings>, String> {
    let urls: Vec<&str> = text.split_whitespace().collect();
    if urls.len() > MAX_REPLICAS {
        return Err(format!(
            "has {} URLs; expected at most {MAX_REPLICAS}",
            urls.len()
        ));
    }
    let replicas = urls.iter().enumerate().map(|(index, url)| {
        parse(url).map_err(|error| match urls.len() {
            1 => error,
            count => format!("URL {} of {count}: {error}", index + 1),
        })
    });
    replicas.collect()
}

/// A URL of PostgreSQL, with the additional parameter `weight`.
fn parse(url: &str) -> Result<ReplicaSettings, String> {
    let (address, query) = url.split_once('?').unwrap_or((url, ""));
    let weight_of = |parameter: &&str| parameter.starts_with("weight=");
    let (weights, others): (Vec<&str>, Vec<&str>) = query
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .partition(weight_of);
    let weight = match weights[..] {
        [] => Some(1),
        [weight] => weight.trim_start_matches("weight=").parse().ok(),
        _ => None,
    };
    let weight = weight.filter(|weight| (1..=MAX_WEIGHT).contains(weight));
    let weight =
        weight.ok_or_else(|| format!("`weight` is not one integer from 1 to {MAX_WEIGHT}"))?;
    let url = match &others[..] {
        [] => address.to_owned(),
        others => format!("{address}?{}", others.join("&")),
    };
    let database = Database::parse(&url)?;
    if database.backend() == DbBackend::Sqlite {
        return Err("a replica must be a PostgreSQL server, and is SQLite".to_owned());
    }
    Ok(ReplicaSettings { database, weight })
}
