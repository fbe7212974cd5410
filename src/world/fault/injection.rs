//! What a fault does, as a scenario spells it: what befalls whom.

use serde::Deserialize;

use super::Targets;
use crate::engine::{Bandwidth, Dist, Factor, Name, NodeId, Ratio};
use crate::world::network::{Bursts, QueueSpec};

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
    /// Packets are lost in bursts: a stream sends them again, datagrams are gone.
    ///
    /// ```ron
    /// (what: Bursts(links: All, bursts: (enter: "1 %", leave: "25 %")), at: "10s", for: "5s")
    /// ```
    Bursts {
        /// Between which nodes.
        links: Targets,
        /// How often, and for how long.
        bursts: Bursts,
    },
    /// Datagrams come twice, the copy a further latency later; a stream throws copies away.
    ///
    /// ```ron
    /// (what: Duplication(links: All, rate: "1 %"), at: "10s", for: "5s")
    /// ```
    Duplication {
        /// Between which nodes.
        links: Targets,
        /// How often.
        rate: Ratio,
    },
    /// Packets are held up, so that later ones overtake them; in a stream those behind wait.
    ///
    /// ```ron
    /// (what: Reordering(links: All, rate: "5 %", by: "20ms"), at: "10s", for: "5s")
    /// ```
    Reordering {
        /// Between which nodes.
        links: Targets,
        /// How often.
        rate: Ratio,
        /// By how much longer such a packet takes.
        by: Dist,
    },
    /// Packets come damaged. With the network's `checksum` they are as good as lost; without it a
    /// request fails without effect (`failed`), and a damaged answer breaks the connection.
    ///
    /// ```ron
    /// (what: Corruption(links: All, rate: "1 %"), at: "10s", for: "5s")
    /// ```
    Corruption {
        /// Between which nodes.
        links: Targets,
        /// How often.
        rate: Ratio,
    },
    /// Little passes: each link has no more than this bandwidth, in each direction.
    ///
    /// ```ron
    /// (what: Throttle(links: Around("bank"), bandwidth: "1Mbit/s"), at: "10s", for: "5s")
    /// ```
    Throttle {
        /// Between which nodes.
        links: Targets,
        /// How much passes.
        bandwidth: Bandwidth,
        /// What waits in front of it. Default: 1.5 MB, tail drop.
        #[serde(default)]
        queue: QueueSpec,
    },
    /// Everything waits, nothing is lost, no connection breaks; when the fault ends all of it comes
    /// at once.
    ///
    /// ```ron
    /// (what: Clog(links: Around("bank")), at: "10s", for: "5s")
    /// ```
    Clog {
        /// Between which nodes.
        links: Targets,
    },
    /// The links go down and up again, all together, the first time when the fault begins; while
    /// they are down it is a partition.
    ///
    /// ```ron
    /// (what: Flapping(links: All, up: "2s", down: Exponential(mean: "300ms")), at: "10s")
    /// ```
    Flapping {
        /// Between which nodes.
        links: Targets,
        /// For how long they are up; drawn each time.
        up: Dist,
        /// For how long they are down; drawn each time.
        down: Dist,
    },
    /// No packet passes. A stream keeps trying until the partition heals or it gives up; who waits
    /// for an answer learns of it by `keepalive` only.
    ///
    /// ```swarm
    /// Partition(links: {links})
    /// ```
    Partition {
        /// Between which nodes.
        links: Targets,
    },
    /// Connections are reset when the fault begins; how long it lasts makes no difference. Whoever
    /// waits for an answer learns it at once (`connection reset`), what is under way is lost, and
    /// what was delivered is worked on in vain. Datagrams know no connection.
    ///
    /// ```ron
    /// (what: Reset(links: Around("bank")), at: "10s", every: "5s", for: "1s")
    /// ```
    Reset {
        /// Between which nodes.
        links: Targets,
    },
    /// Connections are lost on one side when the fault begins, as when a firewall forgets them; how
    /// long it lasts makes no difference. Nobody is told: what is sent or awaited over them is in
    /// vain until the sender gives up or `keepalive` finds out; then a new one is opened.
    ///
    /// ```ron
    /// (what: HalfOpen(links: Around("bank")), at: "10s")
    /// ```
    HalfOpen {
        /// Between which nodes.
        links: Targets,
    },
    /// Requests are accepted and never answered, also not when the fault has ended; whoever asked
    /// learns nothing until its own timeout.
    ///
    /// ```ron
    /// (what: Hang(links: OneWay(["shop"], ["bank"])), at: "10s", for: "5s")
    /// ```
    Hang {
        /// Between which nodes.
        links: Targets,
    },
    /// The name service takes longer; longer than its `timeout` is as if it were down.
    ///
    /// ```ron
    /// (what: SlowNames(add: "200ms"), at: "10s", for: "5s")
    /// ```
    SlowNames {
        /// By how much.
        add: Dist,
    },
    /// The name service does not answer: after its `timeout` the call fails without effect
    /// (`unreachable`). Who still knows an address is not concerned.
    ///
    /// ```ron
    /// (what: NamesDown, at: "10s", for: "5s")
    /// ```
    NamesDown,
    /// The name service does not know this name: the call fails without effect (`unreachable`) as
    /// soon as the service has said so. Who still knows the address is not concerned.
    ///
    /// ```ron
    /// (what: MissingName(node: "bank"), at: "10s", for: "5s")
    /// ```
    MissingName {
        /// Whose name.
        node: NodeId,
    },
    /// The name service does not learn of moves while it lasts: it gives the address that a node
    /// had when the fault began, and callers go by it for a `ttl`.
    ///
    /// ```ron
    /// (what: StaleNames, at: "10s", for: "5s")
    /// ```
    StaleNames,
}

impl Injection {
    /// The node that it befalls; `None` for a fault of the network.
    pub fn node(&self) -> Option<NodeId> {
        match self {
            Injection::Crash { node, .. }
            | Injection::Pause { node }
            | Injection::Slow { node, .. }
            | Injection::Errors { node, .. } => Some(*node),
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

    /// What is wrong with a fault of the network, for the loader.
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
            _ => None,
        }
    }
}
