//! Whom a fault befalls: a node, its disk or clock, or links.

use super::{Injection, Targets};
use crate::engine::NodeId;

impl Injection {
    /// The node that it befalls; `None` for a fault of the network.
    pub fn node(&self) -> Option<NodeId> {
        match self {
            Injection::RollingRestart(roll) | Injection::RollingUpgrade(roll) => Some(roll.node),
            Injection::Slow(slow) => Some(slow.node),
            Injection::Crash { node, .. }
            | Injection::Stop { node, .. }
            | Injection::Scale { node, .. }
            | Injection::Failures { node, .. }
            | Injection::Attrition { node, .. }
            | Injection::Pause { node }
            | Injection::Errors { node, .. }
            | Injection::TornWrite { node, .. }
            | Injection::SyncFails { node, .. }
            | Injection::SyncLies { node, .. }
            | Injection::DiskFull { node }
            | Injection::DiskStall { node }
            | Injection::DiskThrottle { node, .. }
            | Injection::BitRot { node, .. }
            | Injection::MisdirectedWrite { node, .. }
            | Injection::ClockJump { node, .. }
            | Injection::ClockDrift { node, .. }
            | Injection::ClockStrobe { node, .. } => Some(*node),
            _ => None,
        }
    }

    /// The links that it is about, if any.
    pub fn links(&self) -> Option<&Targets> {
        match self {
            Injection::Latency { links, .. }
            | Injection::Loss { links, .. }
            | Injection::Bursts { links, .. }
            | Injection::Duplication { links, .. }
            | Injection::Reordering { links, .. }
            | Injection::Corruption { links, .. }
            | Injection::Throttle { links, .. }
            | Injection::Clog { links }
            | Injection::Flapping { links, .. }
            | Injection::Partition { links }
            | Injection::Reset { links }
            | Injection::HalfOpen { links }
            | Injection::Hang { links } => Some(links),
            _ => None,
        }
    }

    /// Does it befall the name service?
    pub fn is_of_names(&self) -> bool {
        matches!(
            self,
            Injection::SlowNames { .. }
                | Injection::NamesDown
                | Injection::MissingName { .. }
                | Injection::StaleNames
        )
    }

    /// What is wrong with it, for the loader: what types cannot say.
    pub fn problem(&self) -> Option<String> {
        if let Some(problem) = self.links().and_then(Targets::problem) {
            return Some(problem);
        }
        match self {
            Injection::Bursts { bursts, .. } => bursts.problem().map(str::to_owned),
            Injection::Throttle { queue, .. } => queue.problem().map(str::to_owned),
            Injection::Flapping { up, down, .. } if up.mean() < 1e-3 || down.mean() < 1e-3 => {
                Some("a link that flaps is up and down for at least 1 ms in the mean".to_owned())
            }
            other => other.problem_of_node(),
        }
    }
}
