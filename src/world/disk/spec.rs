//! What a disk is like, as a scenario spells it, and how it was used.

use serde::Deserialize;

use super::Entry;
use crate::engine::{Bandwidth, Bytes, Dist, Span};

/// The disk of a node: an append-only log that one drive writes. What is appended stands in the
/// page cache and becomes durable with the next sync. Syncs are grouped: while one is on its way,
/// those that follow wait and share the next.
///
/// ```ron
/// (
///     sync: LogNormal(median: "1ms", p99: "20ms"),
///     write: "20us",
///     throughput: "200MB/s",
///     capacity: "10GB",
///     checksums: true,
/// )
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DiskSpec {
    /// How long a sync takes. Default: `"500us"`, an NVMe drive without power-loss protection.
    pub sync: Dist,
    /// How much longer for each entry that it writes: `"1ms"` is a thousand entries a second.
    /// Default: nothing.
    pub write: Dist,
    /// How fast the drive writes, so that a sync takes longer the more there is to write. An entry
    /// is 64 bytes, 32 for each row, and the body of the request that it comes from. Default:
    /// without limit.
    pub throughput: Option<Bandwidth>,
    /// How much fits on it. When it is full nothing can be appended any more, and stores answer
    /// `failed`, which is definite. Default: without limit.
    pub capacity: Option<Bytes>,
    /// Does each entry carry a checksum over its content and its place? Then an entry that is torn,
    /// rotten or not in its place is found when the log is read, and left out. Without, it is taken
    /// for what it says. Default: true.
    pub checksums: bool,
    /// Does what is in the page cache survive a crash of the process alone, as what was handed to
    /// the operating system does? Each kind of node knows that of itself.
    #[serde(skip)]
    pub outlives_process: bool,
}

impl Default for DiskSpec {
    fn default() -> DiskSpec {
        DiskSpec {
            sync: Dist::constant(Span(500 * Span::MICROSECOND.0)),
            write: Dist::constant(Span::ZERO),
            throughput: None,
            capacity: None,
            checksums: true,
            outlives_process: false,
        }
    }
}

impl DiskSpec {
    /// Does the time of a sync depend on what it writes?
    pub(super) fn is_weighed(&self) -> bool {
        self.throughput.is_some() || self.write.as_constant() != Some(Span::ZERO)
    }

    /// When the log is this long the disk is full.
    pub(super) fn room(&self) -> u64 {
        self.capacity.map_or(u64::MAX, |capacity| capacity.0)
    }
}

impl Entry {
    /// How many bytes it takes: 64 for position, names, amounts and checksum, 32 for each row, and
    /// the body.
    #[inline]
    pub fn bytes(&self) -> u64 {
        64 + 32 * self.rows.len() as u64 + u64::from(self.payload)
    }
}

/// How a disk was used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DiskUse {
    /// Entries appended.
    pub writes: u64,
    /// Syncs that the drive performed.
    pub syncs: u64,
    /// Entries lost in crashes, or given up, because they were not durable.
    pub lost: u64,
    /// Entries that could not be appended because the disk was full.
    pub refused: u64,
    /// Syncs that ended in an error.
    pub failed: u64,
    /// Entries that had been durable and were altered, overwritten or wiped since.
    pub damaged: u64,
    /// Entries that a checksum gave away when the log was read.
    pub detected: u64,
    /// Entries that counted no more and were left out when the log was written anew.
    pub compacted: u64,
}
