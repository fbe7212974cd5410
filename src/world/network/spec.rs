//! The network of a scenario, as it spells it.

use serde::Deserialize;

use super::bursts::Bursts;
use super::names::NamesSpec;
use super::queue::QueueSpec;
use crate::engine::{Bandwidth, Dist, NodeId, Ratio, Span};

/// What carries messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Transport {
    /// In order, one connection for each pair of nodes; losses are retransmitted, a node that is
    /// down refuses the connection, a crash resets it.
    #[default]
    Stream,
    /// Each message for itself: lost ones are lost, later ones may overtake, nobody is told.
    Datagram,
}

/// What a connection costs before its first message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Connect {
    /// Nothing: connections are there already, as those of a warm pool.
    #[default]
    Free,
    /// One round trip, as TCP's three-way handshake (RFC 9293).
    Handshake,
    /// Two round trips: TCP's handshake and that of TLS 1.3 (RFC 8446).
    Tls,
}

impl Connect {
    /// How many round trips it takes.
    pub(super) fn round_trips(self) -> u32 {
        match self {
            Connect::Free => 0,
            Connect::Handshake => 1,
            Connect::Tls => 2,
        }
    }
}

/// The network of a scenario.
///
/// ```ron
/// (
///     latency: LogNormal(median: "250us", p99: "2ms"),
///     zones: [(name: "eu", nodes: ["shop"]), (name: "us", nodes: ["bank"])],
///     zone_links: [(from: "eu", to: "us", latency: "40ms", bandwidth: "1Gbit/s")],
///     keepalive: "20s",
/// )
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkSpec {
    /// One-way latency of a message. Default: `"250us"`, two hosts in one data centre.
    pub latency: Dist,
    /// What carries messages. Default: `Stream`.
    pub transport: Transport,
    /// How often a packet is lost, each for itself. Default: never.
    pub loss: Ratio,
    /// Losses in bursts, besides `loss`. Default: none.
    pub bursts: Option<Bursts>,
    /// How often a datagram comes twice, the copy a further latency later; a stream throws copies
    /// away. Default: never.
    pub duplication: Ratio,
    /// Packets that are held up so that later ones overtake them; in a stream those behind wait.
    /// Default: none.
    pub reordering: Option<Reordering>,
    /// How often a packet comes damaged. Default: never.
    pub corruption: Ratio,
    /// Is damage found by a checksum, so that a damaged packet is a lost one? Without it the
    /// receiver gets what it cannot read: a request fails without effect (`failed`), a damaged
    /// answer is a broken connection to the caller, for it may have happened. Default: true.
    pub checksum: bool,
    /// How much passes in each direction of each link; a message takes its bytes × 8 / bandwidth
    /// and waits for those before it. Default: without limit.
    pub bandwidth: Option<Bandwidth>,
    /// What waits in front of each bandwidth, and what is dropped. Default: 1.5 MB, tail drop.
    pub queue: QueueSpec,
    /// Network cards: bandwidths that all links of a node share. Default: without limit.
    pub cards: Vec<CardSpec>,
    /// What a connection costs before its first message. Default: `Free`.
    pub connect: Connect,
    /// An idle connection is closed after this span, and the next message opens another. Default:
    /// never.
    pub idle: Option<Span>,
    /// After how long of silence a caller finds that its peer is gone, although it has nothing to
    /// send: a host that went down, a partition, a connection that one side has lost. Default:
    /// never, as TCP without keepalive; who waits without a timeout then waits for ever.
    pub keepalive: Option<Span>,
    /// First retransmission timeout of a stream; it doubles with each try. Default: `"200ms"`, the
    /// least that Linux uses.
    pub retransmit: Span,
    /// After how long without success a stream gives up and the connection breaks. Default:
    /// `"15s"`.
    pub give_up: Span,
    /// Nodes by zone; a node may be in one zone at most. Default: all in one place.
    pub zones: Vec<ZoneSpec>,
    /// Nodes by host: what shares one fails with it, and speaks over its loopback; a node may be on
    /// one host at most. Default: every node has a host of its own.
    pub hosts: Vec<HostSpec>,
    /// One-way latency between nodes on one host; nothing else of the network befalls what passes
    /// there, but what `links` says of the two. Default: `"20us"`, the kernel's protocol stack
    /// twice and the wake-up of the receiver, without a wire: of the order that lmbench's `lat_tcp`
    /// shows on `localhost`.
    pub loopback: Dist,
    /// Latency between nodes of different zones. Default: as within a zone.
    pub between_zones: Option<Dist>,
    /// Pairs of zones that differ from the rest; the last that fits counts. Default: none.
    pub zone_links: Vec<ZoneLinkSpec>,
    /// Pairs of nodes that differ from the rest and from their zones; the last that fits counts.
    /// Default: none.
    pub links: Vec<LinkSpec>,
    /// A name service that callers ask before they call. Default: none, every address is known.
    pub names: Option<NamesSpec>,
}

impl Default for NetworkSpec {
    fn default() -> NetworkSpec {
        NetworkSpec {
            latency: Dist::constant(Span(250 * Span::MICROSECOND.0)),
            transport: Transport::default(),
            loss: Ratio::default(),
            bursts: None,
            duplication: Ratio::default(),
            reordering: None,
            corruption: Ratio::default(),
            checksum: true,
            bandwidth: None,
            queue: QueueSpec::default(),
            cards: Vec::new(),
            connect: Connect::default(),
            idle: None,
            keepalive: None,
            retransmit: Span(200 * Span::MILLISECOND.0),
            give_up: Span(15 * Span::SECOND.0),
            zones: Vec::new(),
            hosts: Vec::new(),
            loopback: Dist::constant(Span(20 * Span::MICROSECOND.0)),
            between_zones: None,
            zone_links: Vec::new(),
            links: Vec::new(),
            names: None,
        }
    }
}

impl NetworkSpec {
    /// A network without latency or loss, for models that bring delays of their own.
    pub fn ideal() -> NetworkSpec {
        NetworkSpec { latency: Dist::constant(Span::ZERO), ..NetworkSpec::default() }
    }

    /// Can nothing of it delay or lose a packet?
    pub(super) fn is_ideal(&self) -> bool {
        self.latency.as_constant() == Some(Span::ZERO)
            && self.loss.is_zero()
            && self.bursts.is_none()
            && self.duplication.is_zero()
            && self.reordering.is_none()
            && self.corruption.is_zero()
            && self.bandwidth.is_none()
            && self.cards.is_empty()
            && self.links.is_empty()
            && self.hosts.is_empty()
            && self.between_zones.is_none()
            && self.zone_links.is_empty()
            && self.names.is_none()
    }
}

/// A zone: nodes close to one another.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZoneSpec {
    /// What it is called.
    pub name: String,
    /// The nodes in it, besides instances that are spread over it. Default: none.
    #[serde(default)]
    pub nodes: Vec<NodeId>,
    /// The region that it belongs to, with other zones. Default: none.
    #[serde(default)]
    pub region: Option<String>,
}

/// A host: a machine of hardware that several nodes share.
///
/// ```ron
/// (name: "rack-7", nodes: ["shop", "bank"], cores: 4)
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostSpec {
    /// What it is called.
    pub name: String,
    /// The nodes on it.
    pub nodes: Vec<NodeId>,
    /// How many cores its nodes share. While more jobs than that are at work, each has an equal
    /// share of a core: processor sharing, as a fair scheduler with a small time slice approaches
    /// it. At least 1. Default: never too few.
    #[serde(default)]
    pub cores: Option<u32>,
}

/// A pair of zones that differs from the rest of the network, or one zone from and to itself.
///
/// ```ron
/// (from: "eu", to: "us", latency: "40ms", loss: "0.1 %", bandwidth: "1Gbit/s")
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZoneLinkSpec {
    /// One zone.
    pub from: String,
    /// The other zone.
    pub to: String,
    /// Does it hold from the first to the second only? Default: false, both directions.
    #[serde(default)]
    pub one_way: bool,
    /// One-way latency. Default: as `between_zones` has it.
    #[serde(default)]
    pub latency: Option<Dist>,
    /// How often a packet is lost. Default: as the network has it.
    #[serde(default)]
    pub loss: Option<Ratio>,
    /// How often a packet comes damaged. Default: as the network has it.
    #[serde(default)]
    pub corruption: Option<Ratio>,
    /// Losses in bursts: each pair of nodes has good and bad times of its own. Default: as the
    /// network has them.
    #[serde(default)]
    pub bursts: Option<Bursts>,
    /// The line between the zones: how much passes in each direction, for all who speak across it
    /// together. Default: without limit.
    #[serde(default)]
    pub bandwidth: Option<Bandwidth>,
    /// What waits in front of the line. Default: as the network has it.
    #[serde(default)]
    pub queue: Option<QueueSpec>,
    /// Packets that later ones overtake. Default: as the network has them.
    #[serde(default)]
    pub reordering: Option<Reordering>,
    /// How often a datagram comes twice. Default: as the network has it.
    #[serde(default)]
    pub duplication: Option<Ratio>,
}

/// A pair of nodes that differs from the rest of the network.
///
/// ```ron
/// (from: "shop", to: "bank", one_way: true, latency: "5ms", bandwidth: "10Mbit/s")
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkSpec {
    /// One end.
    pub from: NodeId,
    /// The other end.
    pub to: NodeId,
    /// Does it hold from the first to the second only? Default: false, both directions.
    #[serde(default)]
    pub one_way: bool,
    /// One-way latency. Default: as the network or the zones have it.
    #[serde(default)]
    pub latency: Option<Dist>,
    /// How often a packet is lost. Default: as the network or the zones have it.
    #[serde(default)]
    pub loss: Option<Ratio>,
    /// Losses in bursts. Default: as the network or the zones have them.
    #[serde(default)]
    pub bursts: Option<Bursts>,
    /// How often a datagram comes twice. Default: as the network or the zones have it.
    #[serde(default)]
    pub duplication: Option<Ratio>,
    /// Packets that later ones overtake. Default: as the network or the zones have them.
    #[serde(default)]
    pub reordering: Option<Reordering>,
    /// How often a packet comes damaged. Default: as the network or the zones have it.
    #[serde(default)]
    pub corruption: Option<Ratio>,
    /// How much passes in each direction. Default: as the network has it.
    #[serde(default)]
    pub bandwidth: Option<Bandwidth>,
    /// What waits in front of the bandwidth. Default: as the network has it.
    #[serde(default)]
    pub queue: Option<QueueSpec>,
    /// What carries messages. Default: as the network has it.
    #[serde(default)]
    pub transport: Option<Transport>,
}

impl LinkSpec {
    /// Is it about the packets from `from` to `to`?
    pub(super) fn fits(&self, from: NodeId, to: NodeId) -> bool {
        (self.from, self.to) == (from, to) || !self.one_way && (self.to, self.from) == (from, to)
    }
}

/// A network card for each of some nodes: what a node sends and what it receives pass it, on
/// whichever link.
///
/// ```ron
/// (nodes: ["shop", "bank"], up: "1Gbit/s", down: "1Gbit/s")
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardSpec {
    /// Which nodes have one of this kind; for a node that stands in several the last counts.
    pub nodes: Vec<NodeId>,
    /// How much each may send. Default: without limit.
    #[serde(default)]
    pub up: Option<Bandwidth>,
    /// How much each may receive. Default: without limit.
    #[serde(default)]
    pub down: Option<Bandwidth>,
    /// What waits in front of it. Default: as the network has it.
    #[serde(default)]
    pub queue: Option<QueueSpec>,
}

/// Packets that are held up, so that later ones overtake them.
///
/// ```ron
/// (rate: "1 %", by: Exponential(mean: "5ms"))
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reordering {
    /// How often.
    pub rate: Ratio,
    /// By how much longer such a packet takes.
    pub by: Dist,
}
