//! Registration of tests by attribute.

use std::pin::Pin;

use super::Fixture;

/// A test that runs once per database, each time with an empty one.
pub struct Behaviour {
    pub name: &'static str,
    pub run: fn(Fixture) -> Pin<Box<dyn Future<Output = ()> + Send>>,
}
inventory::collect!(Behaviour);

/// `#[apply(behaviour)]` registers an async function that takes a [`Fixture`] as a [`Behaviour`].
macro_rules! behaviour {
    ($(#[$attribute:meta])* async fn $name:ident($($argument:tt)*) $body:block) => {
        $(#[$attribute])*
        async fn $name($($argument)*) $body

        inventory::submit! {
            $crate::harness::Behaviour {
                name: concat!(module_path!(), "::", stringify!($name)),
                run: |fixture| Box::pin($name(fixture)),
            }
        }
    };
}
pub(crate) use behaviour;

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
