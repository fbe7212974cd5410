//! Faults inside a node, of its disk and its clock: which they are, and their bounds.

use serde::Deserialize;

use super::Injection;
use crate::engine::{Factor, Ratio, Span};
use crate::world::clock;
use crate::world::flaw::{EVERY_MIN, Flaw, too_often};

/// What becomes of what a failed sync should have written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum AfterFailure {
    /// It is marked as written, so that the next sync succeeds without writing it; a crash loses
    /// it. Linux did so when PostgreSQL found out in 2018 ("fsyncgate").
    #[default]
    Lost,
    /// It is still to be written, and the next sync tries it again.
    Retryable,
}

/// Defaults of what faults say.
pub(super) fn all() -> Ratio {
    Ratio::ONE
}

pub(super) fn one() -> u32 {
    1
}

pub(super) fn grace() -> Span {
    Span::from_seconds(30)
}

impl Injection {
    /// Does it befall a node's clock?
    pub(super) fn is_of_clock(&self) -> bool {
        matches!(
            self,
            Injection::ClockJump { .. }
                | Injection::ClockDrift { .. }
                | Injection::ClockStrobe { .. }
        )
    }

    /// Does it befall a node's disk?
    pub fn is_of_disk(&self) -> bool {
        matches!(
            self,
            Injection::TornWrite { .. }
                | Injection::SyncFails { .. }
                | Injection::SyncLies { .. }
                | Injection::DiskFull { .. }
                | Injection::DiskStall { .. }
                | Injection::DiskThrottle { .. }
                | Injection::BitRot { .. }
                | Injection::MisdirectedWrite { .. }
        )
    }

    /// What is wrong with a fault of a disk or a clock.
    pub(super) fn problem_of_node(&self) -> Option<Flaw> {
        let (field, title) = match self {
            Injection::ClockStrobe { period, .. } if *period < EVERY_MIN => {
                return too_often("period", *period);
            }
            Injection::ClockJump { by, .. } | Injection::ClockStrobe { by, .. } => {
                return clock::problem(("by", by.length()), ("by", 0));
            }
            Injection::ClockDrift { ppm, .. } => {
                return clock::problem(("ppm", Span::ZERO), ("ppm", *ppm));
            }
            Injection::DiskThrottle { factor: Factor::ONE, throughput: None, .. } => {
                ("factor", "this throttles nothing: give it a `factor`, a `throughput` or both")
            }
            Injection::BitRot { entries: 0, .. } => ("entries", "`entries` must be at least 1"),
            _ => return None,
        };
        Some(Flaw::at(field, title))
    }
}
