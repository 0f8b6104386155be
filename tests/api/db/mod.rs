//! The database layer: connections, batches, outages and concurrency.

mod batches;
mod fairness;
mod hosts;
mod many_rows;
mod outages;
pub mod pool;
mod races;
mod replicas;
mod serializable;
mod tls;
