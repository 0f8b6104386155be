//! Tests of `acclaim::db` whose futures are not `Send`.

use tokio::runtime::Builder;

/// `#[apply(on_one_thread)]` registers a behaviour whose future is not `Send`.
macro_rules! on_one_thread {
    ($(#[$attribute:meta])* async fn $name:ident($($argument:tt)*) $body:block) => {
        $(#[$attribute])*
        async fn $name($($argument)*) $body

        inventory::submit! {
            $crate::harness::Behaviour {
                name: concat!(module_path!(), "::", stringify!($name)),
                run: |fixture| Box::pin($crate::db::one_thread::run(move || $name(fixture))),
            }
        }
    };
}
pub(crate) use on_one_thread;

pub async fn run<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    let run = tokio::task::spawn_blocking(|| {
        let mut runtime = Builder::new_current_thread();
        runtime.enable_all().build().unwrap().block_on(test());
    });
    if let Err(error) = run.await {
        std::panic::resume_unwind(error.into_panic());
    }
}
