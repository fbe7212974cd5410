//! Whom a fault befalls: a node, its disk or clock, or links.

use super::{Injection, Targets};
use crate::engine::NodeId;
use crate::world::flaw::{Flaw, too_often_drawn};

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
    pub fn problem(&self) -> Option<Flaw> {
        if let Some(flaw) = self.links().and_then(Targets::problem) {
            return Some(flaw.within("links"));
        }
        match self {
            Injection::Bursts { bursts, .. } => bursts.problem().map(|flaw| flaw.within("bursts")),
            Injection::Throttle { queue, .. } => queue.problem().map(|flaw| flaw.within("queue")),
            Injection::Flapping { up, down, .. } => {
                too_often_drawn("up", up).or_else(|| too_often_drawn("down", down))
            }
            Injection::Failures { mttf, mttr, .. } => {
                too_often_drawn("mttf", mttf).or_else(|| too_often_drawn("mttr", mttr))
            }
            Injection::Attrition { every, .. } => too_often_drawn("every", every),
            other => other.problem_of_node(),
        }
    }
}
