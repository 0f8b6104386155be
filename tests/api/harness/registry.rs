//! Registration of tests by attribute.

use std::pin::Pin;

use super::Fixture;

/// A test that runs once for each of its databases, each time with an empty one.
pub struct Behaviour {
    pub name: &'static str,
    pub databases: Databases,
    pub run: fn(Fixture) -> Pin<Box<dyn Future<Output = ()> + Send>>,
}
inventory::collect!(Behaviour);

/// The databases of a behaviour.
#[derive(Clone, Copy)]
pub enum Databases {
    Both,
    Sqlite,
    Postgres,
}

impl Databases {
    pub fn sqlite(self) -> bool {
        matches!(self, Self::Both | Self::Sqlite)
    }

    pub fn postgres(self) -> bool {
        matches!(self, Self::Both | Self::Postgres)
    }
}

/// `#[apply(behaviour)]` registers an async function that takes a [`Fixture`] as a [`Behaviour`] on
/// both databases.
macro_rules! behaviour {
    ($($function:tt)*) => { $crate::harness::register_behaviour! { Both $($function)* } };
}
pub(crate) use behaviour;

/// `#[apply(sqlite_behaviour)]` does so for SQLite alone.
macro_rules! sqlite_behaviour {
    ($($function:tt)*) => { $crate::harness::register_behaviour! { Sqlite $($function)* } };
}
pub(crate) use sqlite_behaviour;

/// `#[apply(postgres_behaviour)]` does so for PostgreSQL alone.
macro_rules! postgres_behaviour {
    ($($function:tt)*) => { $crate::harness::register_behaviour! { Postgres $($function)* } };
}
pub(crate) use postgres_behaviour;

macro_rules! register_behaviour {
    ($databases:ident $(#[$attribute:meta])* async fn $name:ident($($argument:tt)*) $body:block) => {
        $(#[$attribute])*
        async fn $name($($argument)*) $body

        inventory::submit! {
            $crate::harness::Behaviour {
                name: concat!(module_path!(), "::", stringify!($name)),
                databases: $crate::harness::Databases::$databases,
                run: |fixture| Box::pin($name(fixture)),
            }
        }
    };
}
pub(crate) use register_behaviour;

/// A test that needs no database and runs once.
pub struct Check {
    pub name: &'static str,
    pub run: fn(),
}
inventory::collect!(Check);

/// `#[apply(check)]` registers a function without parameters as a [`Check`].
macro_rules! check {
    ($(#[$attribute:meta])* fn $name:ident() $body:block) => {
        $(#[$attribute])*
        fn $name() $body

        inventory::submit! {
            $crate::harness::Check {
                name: concat!(module_path!(), "::", stringify!($name)),
                run: $name,
            }
        }
    };
}
pub(crate) use check;
