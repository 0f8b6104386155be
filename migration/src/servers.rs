//! The servers of a PostgreSQL database.

use std::{
    fmt, io,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use sqlx::{ConnectOptions, Connection, Error, postgres::PgConnectOptions};
use tokio::time::timeout;

use crate::session::{Opened, ServerState, Session, open};

/// Maximum number of servers of a URL. The time to connect is divided among them.
const MAX_SERVERS: usize = 5;
const TARGET: &str = "target_session_attrs";

/// The servers of a database, of which one accepts writes at a time, or a pooler in front of them.
#[derive(Clone)]
pub struct Servers {
    /// In the order of the URL.
    each: Arc<[PgConnectOptions]>,
    target: Target,
    shared: Arc<Shared>,
}

/// The servers to which a connection is kept (libpq's `target_session_attrs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Any,
    /// Those that accept writes.
    ReadWrite,
    /// Those that are not standbys.
    Primary,
}

#[derive(Default)]
struct Shared {
    /// The place of the server that accepted the last connection.
    latest: AtomicUsize,
    /// True once a pooler has refused an option of the session.
    refuses_options: AtomicBool,
}

impl Servers {
    /// Parses a URL with one server or a comma-separated list of them, and libpq's
    /// `target_session_attrs`: any, read-write or primary.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let invalid = "the PostgreSQL URL is invalid";
        let (scheme, rest) = url.split_once("://").ok_or(invalid)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at_checked(end).ok_or(invalid)?;
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (format!("{user}@"), hosts),
            None => (String::new(), authority),
        };
        let (target, rest) = Target::take(rest)?;
        let hosts: Vec<_> = hosts.split(',').collect();
        if hosts.len() > MAX_SERVERS {
            return Err(format!(
                "the URL lists {} hosts, more than {MAX_SERVERS}",
                hosts.len()
            ));
        }
        if hosts.len() > 1 && hosts.contains(&"") {
            return Err("an entry in the URL's list of hosts is empty".to_owned());
        }
        let servers = hosts.iter().zip(1..).map(|(host, place)| {
            let options = PgConnectOptions::from_str(&format!("{scheme}://{user}{host}{rest}"));
            let options = options.map_err(|_| match hosts.len() {
                1 => invalid.to_owned(),
                _ => format!("{invalid}, at least with host {place} of its list"),
            })?;
            if options.get_host().contains(',') {
                return Err(
                    "several hosts must stand before the path of the URL, not in `host=`"
                        .to_owned(),
                );
            }
            Ok(options
                .application_name("acclaim")
                // PostgreSQL writes all digits since version 12. PgBouncer refuses the parameter.
                .extra_float_digits(None)
                .disable_statement_logging())
        });
        let servers: Vec<_> = servers.collect::<Result<_, String>>()?;
        Ok(Self::of(servers, target))
    }

    fn of(servers: Vec<PgConnectOptions>, target: Target) -> Self {
        Self {
            each: servers.into(),
            target,
            shared: Arc::default(),
        }
    }

    /// The options of the servers, in the order of the URL.
    #[must_use]
    pub fn options(&self) -> &[PgConnectOptions] {
        &self.each
    }

    /// The name of the database.
    pub(crate) fn database(&self) -> &str {
        let first = self.each.first();
        let name = first.map(|one| one.get_database().unwrap_or_else(|| one.get_username()));
        name.unwrap_or_default()
    }

    /// True if there are several servers, and a connection is kept although it may not accept writes.
    #[must_use]
    pub fn may_be_standbys(&self) -> bool {
        self.each.len() > 1 && self.target == Target::Any
    }

    /// The options of the server that accepted the last connection, for one with `session`.
    pub(crate) fn latest(&self, session: Session) -> PgConnectOptions {
        let place = self.shared.latest.load(Ordering::Relaxed);
        let latest = self.each.get(place).or_else(|| self.each.first());
        let latest = latest.cloned().unwrap_or_else(PgConnectOptions::new);
        match session.clearing() {
            // The driver must not use a name again after that.
            Some(_) => latest.statement_cache_capacity(0),
            None => latest,
        }
    }

    /// Connects to the first server that can be reached and is as `target_session_attrs` demands,
    /// beginning with the one that accepted the last connection. Each has an equal part of `limit`.
    ///
    /// `settings` apply to the session only if it is [`Session::Own`].
    ///
    /// # Errors
    /// That of a server that is reached and refuses the login, which ends the search. If no server can be
    /// reached and is as demanded, an [`Error::Io`], whose kind is `ConnectionRefused` if one answered.
    pub async fn connect(
        &self,
        limit: Duration,
        settings: &[(&str, &str)],
    ) -> Result<Opened, Error> {
        let count = self.each.len().max(1);
        let share = limit / u32::try_from(count).unwrap_or(u32::MAX);
        let latest = self.shared.latest.load(Ordering::Relaxed);
        let mut failures = Vec::new();
        for (place, options) in places(&self.each, latest) {
            let attempt = timeout(share, self.attempt(options, settings));
            match attempt.await.unwrap_or_else(|_| Err(timed_out())) {
                Ok(opened) => {
                    self.shared.latest.store(place, Ordering::Relaxed);
                    return Ok(opened);
                }
                Err(error) if count == 1 || is_final(&error) => return Err(error),
                Err(error) => failures.push((options, error)),
            }
        }
        Err(all_failed(&failures))
    }

    async fn attempt(
        &self,
        options: &PgConnectOptions,
        settings: &[(&str, &str)],
    ) -> Result<Opened, Error> {
        let (opened, state) = open(options, settings, &self.shared.refuses_options).await?;
        if self.target.accepts(state) {
            return Ok(opened);
        }
        let _ = opened.connection.close().await;
        let kind = io::ErrorKind::ConnectionRefused;
        Err(Error::Io(io::Error::new(kind, "it accepts no writes")))
    }
}

impl Target {
    /// Removes the parameter from `rest` of a URL, which begins with the path.
    fn take(rest: &str) -> Result<(Self, String), String> {
        let Some((path, query)) = rest.split_once('?') else {
            return Ok((Self::Any, rest.to_owned()));
        };
        let mut target = Self::Any;
        let mut others = Vec::new();
        for pair in query.split('&') {
            match pair.split_once('=') {
                Some((TARGET, value)) => target = Self::parse(value)?,
                _ => others.push(pair),
            }
        }
        Ok((target, format!("{path}?{}", others.join("&"))))
    }

    fn parse(value: &str) -> Result<Self, String> {
        match value {
            "any" => Ok(Self::Any),
            "read-write" => Ok(Self::ReadWrite),
            "primary" => Ok(Self::Primary),
            _ => Err(format!(
                "{TARGET} must be any, read-write or primary: the service writes"
            )),
        }
    }

    fn accepts(self, server: ServerState) -> bool {
        match self {
            Self::Any => true,
            Self::ReadWrite => !server.is_standby && !server.is_read_only,
            Self::Primary => !server.is_standby,
        }
    }
}

/// The items of `list` and their places, beginning with the one at `first`.
fn places<T>(list: &[T], first: usize) -> impl Iterator<Item = (usize, &T)> {
    let all = || list.iter().enumerate();
    let first_one = all().filter(move |(place, _)| *place == first);
    first_one.chain(all().filter(move |(place, _)| *place != first))
}

fn timed_out() -> Error {
    Error::Io(io::Error::new(io::ErrorKind::TimedOut, "no answer in time"))
}

/// The failures of several servers as one.
fn all_failed(failures: &[(&PgConnectOptions, Error)]) -> Error {
    let answered = failures.iter().any(|(_, error)| match error {
        Error::Io(cause) => cause.kind() == io::ErrorKind::ConnectionRefused,
        _ => true,
    });
    let kind = if answered {
        io::ErrorKind::ConnectionRefused
    } else {
        io::ErrorKind::TimedOut
    };
    let causes = failures.iter().map(|(options, error)| {
        let cause = match error {
            Error::Io(cause) => cause.to_string(),
            Error::Database(refusal) => refusal.message().to_owned(),
            other => other.to_string(),
        };
        format!("{}:{}: {cause}", options.get_host(), options.get_port())
    });
    let causes: Vec<_> = causes.collect();
    Error::Io(io::Error::new(kind, causes.join("; ")))
}

/// True if another server would give the same answer: this one runs, and refuses the login.
fn is_final(error: &Error) -> bool {
    match error {
        Error::Database(refusal) => !refusal.code().is_some_and(|code| code.starts_with("57P")),
        Error::Io(_) | Error::Protocol(_) | Error::Tls(_) => false,
        _ => true,
    }
}

impl fmt::Display for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, options) in self.each.iter().enumerate() {
            let separator = if place > 0 { ", " } else { "" };
            let (host, port) = (options.get_host(), options.get_port());
            write!(f, "{separator}{host}:{port}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> (Vec<(String, u16)>, Target) {
        let servers = Servers::parse(url).expect(url);
        let hosts = servers.options().iter();
        let hosts = hosts.map(|one| (one.get_host().to_owned(), one.get_port()));
        (hosts.collect(), servers.target)
    }

    #[test]
    fn a_url_may_list_several_hosts() {
        let url = "postgres://ada:a%2Cb@one,two:5433,[::1]:5434/data?target_session_attrs=read-write&sslmode=disable";
        let hosts = [("one", 5432), ("two", 5433), ("[::1]", 5434)];
        let hosts = hosts.map(|(host, port)| (host.to_owned(), port));
        assert_eq!(parsed(url), (hosts.to_vec(), Target::ReadWrite));
        let servers = Servers::parse(url).expect(url);
        for options in servers.options() {
            assert_eq!(options.get_username(), "ada");
            assert_eq!(options.get_database(), Some("data"));
        }
        assert_eq!(servers.to_string(), "one:5432, two:5433, [::1]:5434");
        let (hosts, target) = parsed("postgres://one/data?target_session_attrs=primary");
        assert_eq!((hosts.len(), target), (1, Target::Primary));
        assert_eq!(parsed("postgres://one,two/data").1, Target::Any);
    }

    #[test]
    fn an_invalid_list_of_hosts_is_explained_without_the_password() {
        for (hosts, rest, reason) in [
            (
                "one,,two",
                "",
                "an entry in the URL's list of hosts is empty",
            ),
            (
                "one,two:x",
                "",
                "the PostgreSQL URL is invalid, at least with host 2 of its list",
            ),
            ("1,2,3,4,5,6", "", "the URL lists 6 hosts, more than 5"),
            (
                "one",
                "?host=one,two",
                "several hosts must stand before the path of the URL, not in `host=`",
            ),
            (
                "one,two",
                "?target_session_attrs=standby",
                "target_session_attrs must be any, read-write or primary: the service writes",
            ),
        ] {
            let url = format!("postgres://ada:hidden@{hosts}/data{rest}");
            assert_eq!(Servers::parse(&url).err().as_deref(), Some(reason), "{url}");
        }
    }

    #[test]
    fn the_server_of_the_last_connection_comes_first() {
        let order = |first| {
            places(&["a", "b", "c"], first)
                .map(|(place, _)| place)
                .collect::<Vec<_>>()
        };
        assert_eq!(order(0), [0, 1, 2]);
        assert_eq!(order(2), [2, 0, 1]);
    }
}
