//! The database layer: connections, batches, outages and concurrency.

mod batches;
pub mod one_thread;
mod outages;
pub mod pool;
mod races;
mod tls;
