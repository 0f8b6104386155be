//! The database layer: connections, batches, outages and concurrency.

mod batches;
mod fairness;
mod outages;
pub mod pool;
mod races;
mod serializable;
mod tls;
