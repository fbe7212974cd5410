//! How long something that must succeed is tried.

use serde::Deserialize;

use crate::parts::Backoff;

/// How long something that must succeed is tried.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Persistence {
    /// Tries before it is parked. Default: 20.
    pub(super) attempts: u32,
    /// Waits between them. Default: exponential from 100 ms to 10 s with full jitter.
    pub(super) backoff: Backoff,
}

impl Default for Persistence {
    fn default() -> Persistence {
        Persistence { attempts: 20, backoff: Backoff::default() }
    }
}
