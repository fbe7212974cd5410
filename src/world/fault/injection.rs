//! What a fault does, as a scenario spells it: what befalls whom.

use serde::Deserialize;

use super::Targets;
use crate::engine::{Dist, Factor, Name, NodeId, Ratio};

/// What a fault does while it is on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Injection {
    /// The node's process dies: its tasks and its memory are gone, of its disk what was synced
    /// stays, and its connections break. When the fault ends it starts again and recovers.
    ///
    /// ```swarm
    /// Crash(node: {node}, host: {bool})
    /// ```
    Crash {
        /// Which node.
        node: NodeId,
        /// Does the whole host go, so that nobody refuses or resets connections and callers meet
        /// only silence? Default: false.
        #[serde(default)]
        host: bool,
    },
    /// The node is frozen, as in a long garbage collection: what reaches it waits, its timers are
    /// late, its memory is intact.
    ///
    /// ```swarm
    /// Pause(node: {node})
    /// ```
    Pause {
        /// Which node.
        node: NodeId,
    },
    /// The node's machine takes longer for everything.
    ///
    /// ```swarm
    /// Slow(node: {node}, factor: "{2..30}x")
    /// ```
    Slow {
        /// Which node.
        node: NodeId,
        /// How many times as long.
        factor: Factor,
    },
    /// Operations of the node fail before they have changed anything.
    ///
    /// ```swarm
    /// Errors(node: {node}, rate: "{1..100} %")
    /// ```
    Errors {
        /// Which node.
        node: NodeId,
        /// Which operation. Default: all.
        #[serde(default)]
        operation: Option<Name>,
        /// How often.
        rate: Ratio,
    },
    /// Messages take longer.
    ///
    /// ```swarm
    /// Latency(links: {links}, add: Exponential(mean: "{1..500}ms"))
    /// ```
    Latency {
        /// Between which nodes.
        links: Targets,
        /// By how much.
        add: Dist,
    },
    /// Packets are lost: a stream sends them again, datagrams are gone.
    ///
    /// ```swarm
    /// Loss(links: {links}, rate: "{1..80} %")
    /// ```
    Loss {
        /// Between which nodes.
        links: Targets,
        /// How often.
        rate: Ratio,
    },
    /// No packet passes. A stream keeps trying until the partition heals or it gives up.
    ///
    /// ```swarm
    /// Partition(links: {links})
    /// ```
    Partition {
        /// Between which nodes.
        links: Targets,
    },
}

impl Injection {
    /// The node that it befalls; `None` for a fault of the network.
    pub fn node(&self) -> Option<NodeId> {
        match self {
            Injection::Crash { node, .. }
            | Injection::Pause { node }
            | Injection::Slow { node, .. }
            | Injection::Errors { node, .. } => Some(*node),
            Injection::Latency { .. } | Injection::Loss { .. } | Injection::Partition { .. } => {
                None
            }
        }
    }

    pub(super) fn links_mut(&mut self) -> Option<&mut Targets> {
        match self {
            Injection::Latency { links, .. }
            | Injection::Loss { links, .. }
            | Injection::Partition { links } => Some(links),
            _ => None,
        }
    }

    pub(super) fn links(&self) -> Option<&Targets> {
        match self {
            Injection::Latency { links, .. }
            | Injection::Loss { links, .. }
            | Injection::Partition { links } => Some(links),
            _ => None,
        }
    }
}
