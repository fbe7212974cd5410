//! Readers of the facts: what was measured, and whether what must hold did hold.
//!
//! A checker reads facts, never a node's fields: it sees what a node did, not what it thinks. What
//! must always hold is checked at every event that could break it, what must hold in the end when
//! the system has come to rest, all in the very run that measures latency.

mod caches;
mod calls;
mod classes;
mod effects;
mod events;
mod exclusion;
mod groups;
mod invariants;
mod ledger;
mod logs;
mod measures;
mod messages;
mod metrics;
pub mod outcome;
mod own;
mod promises;
pub mod published;
mod queue_counts;
mod queues;
mod requests;
mod timeline;
mod topics;
mod uptime;
mod validate;

pub use ledger::{Closing, Ledger};
pub use measures::{LoadEnd, NodeSample};
pub use metrics::{METRICS, Metric, metric};
pub(crate) use validate::quantity;
pub use validate::validate;
