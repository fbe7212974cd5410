//! The network: how long a packet travels, and whether it arrives at all.
//!
//! Every ordered pair of nodes that speak has a link with a random stream of its own, made when it
//! is first used. A stream delivers in order, and a loss shows as the delay of a retransmission
//! that everything behind it waits for, as with TCP; datagrams are simply lost. While a partition
//! lasts, a stream keeps trying, doubling its timeout, until it gives up and the connection breaks.
//!
//! Most packets take a link that has nothing rare about it, in fair weather: `Network::cross`. All
//! others make a detour (`detour.rs`).

mod bursts;
mod connection;
mod detour;
mod host;
mod link;
mod names;
mod pipe;
mod problems;
mod queue;
mod spec;
mod stage;
mod usage;

pub use bursts::Bursts;
pub use names::NamesSpec;
pub use queue::{DropPolicy, QueueSpec};
pub use spec::{
    CardSpec, Connect, HostSpec, LinkSpec, NetworkSpec, Reordering, Transport, ZoneLinkSpec,
    ZoneSpec,
};

pub use usage::{Bottleneck, PipeUse};

pub(crate) use connection::{half_open, reset, suspect};
pub(crate) use host::crashed;
pub(super) use names::Ailment;
pub(super) use pipe::Pipe;

use super::fault::Weather;
use crate::engine::{Bandwidth, NodeId, Packet, Rng, Span, Time, Verdict, name_hash};
use detour::Try;
use link::Link;
use names::Names;

/// What one node may send and receive, on all its links together.
type Card = (Option<Pipe>, Option<Pipe>);

/// When a node and its host were last seen to fall, and the host to be on again.
#[derive(Clone, Copy, Default)]
struct Falls {
    /// The process crashed, alone or with its host.
    process: Option<Time>,
    host: Option<Time>,
    on_again: Option<Time>,
}

/// The network of a run.
pub(crate) struct Network {
    spec: NetworkSpec,
    seed: u64,
    hashes: Vec<u64>,
    zones: Vec<Option<u32>>,
    /// On which of the scenario's hosts each node is.
    hosts: Vec<Option<u32>>,
    links: Vec<Link>,
    /// For each sender its links, ordered by receiver.
    outgoing: Vec<Vec<(NodeId, u32)>>,
    /// Nothing can delay or lose a packet, and nothing has so far.
    ideal: bool,
    /// Hosts that are off, so that nobody even refuses a connection; a count for each node.
    dark: Vec<u32>,
    /// When what befell each node.
    falls: Vec<Falls>,
    /// Each node's network card; empty if the scenario has none.
    cards: Vec<Card>,
    /// For each of the scenario's `zone_links` the line there and the line back.
    lines: Vec<Option<Pipe>>,
    names: Option<Box<Names>>,
    pub weather: Weather,
}

impl Network {
    pub fn new(seed: u64, spec: NetworkSpec) -> Network {
        let lines = spec.zone_links.iter().flat_map(|link| {
            let line = |back: bool| {
                let bandwidth = link.bandwidth.filter(|_| !(back && link.one_way))?;
                let (from, to) = if back { (&link.to, &link.from) } else { (&link.from, &link.to) };
                let rng = Rng::new(seed, &format!("line/{from}/{to}"));
                Some(Pipe::new(bandwidth, link.queue.as_ref().unwrap_or(&spec.queue), rng))
            };
            [line(false), line(true)]
        });
        Network {
            lines: lines.collect(),
            names: spec.names.clone().map(|names| Box::new(Names::new(names, seed))),
            ideal: spec.is_ideal(),
            spec,
            seed,
            hashes: Vec::new(),
            zones: Vec::new(),
            hosts: Vec::new(),
            links: Vec::new(),
            outgoing: Vec::new(),
            dark: Vec::new(),
            falls: Vec::new(),
            cards: Vec::new(),
            weather: Weather::default(),
        }
    }

    pub fn admit(&mut self, hash: u64) {
        let node = NodeId(self.hashes.len() as u32);
        self.hashes.push(hash);
        self.outgoing.push(Vec::new());
        self.dark.push(0);
        self.falls.push(Falls::default());
        let zone = self.spec.zones.iter().position(|zone| zone.nodes.contains(&node));
        self.zones.push(zone.map(|index| index as u32));
        let host = self.spec.hosts.iter().position(|host| host.nodes.contains(&node));
        self.hosts.push(host.map(|index| index as u32));
        if !self.spec.cards.is_empty() {
            self.cards.push(self.card(node, hash));
        }
        if let Some(names) = &mut self.names {
            names.admit();
        }
    }

    fn card(&self, node: NodeId, hash: u64) -> Card {
        let known = self.spec.cards.iter().rev().find(|card| card.nodes.contains(&node));
        let Some(card) = known else { return (None, None) };
        let queue = card.queue.as_ref().unwrap_or(&self.spec.queue);
        let pipe = |bandwidth: Option<Bandwidth>, way: &str| {
            let rng = Rng::from_hash(self.seed, hash ^ name_hash(way));
            bandwidth.map(|bandwidth| Pipe::new(bandwidth, queue, rng))
        };
        (pipe(card.up, "card/up"), pipe(card.down, "card/down"))
    }

    /// The zone that a node is in.
    pub fn zone(&self, node: NodeId) -> Option<u32> {
        self.zones[node.index()]
    }

    /// The host that a node shares with others, by its place in the scenario's list.
    pub fn host(&self, node: NodeId) -> Option<u32> {
        self.hosts[node.index()]
    }

    /// Do two nodes speak without a wire between them?
    pub fn is_loopback(&self, one: NodeId, other: NodeId) -> bool {
        self.host(one).is_some() && self.host(one) == self.host(other)
    }

    /// The nodes on the host of this name.
    pub fn host_nodes(&self, name: &str) -> Vec<NodeId> {
        let host = self.spec.hosts.iter().find(|host| host.name == name);
        host.map_or(Vec::new(), |host| host.nodes.clone())
    }

    /// The nodes of the zone of this name.
    pub fn zone_nodes(&self, name: &str) -> &[NodeId] {
        let zone = self.spec.zones.iter().find(|zone| zone.name == name);
        zone.map_or(&[], |zone| &zone.nodes)
    }

    /// The nodes in the zones that are meant.
    pub fn nodes_in(&self, is_meant: impl Fn(&ZoneSpec) -> bool) -> Vec<NodeId> {
        let meant = self.spec.zones.iter().filter(|zone| is_meant(zone));
        meant.flat_map(|zone| zone.nodes.iter().copied()).collect()
    }

    /// Is a node's host off?
    pub fn is_dark(&self, node: NodeId) -> bool {
        self.dark[node.index()] > 0
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> u32 {
        self.hashes.len() as u32
    }

    /// Turns a node's host off, so that it is silent instead of refusing, or on again.
    pub fn set_dark(&mut self, node: NodeId, dark: bool, now: Time) {
        self.spoil();
        let count = &mut self.dark[node.index()];
        *count = if dark { *count + 1 } else { count.saturating_sub(1) };
        if *count == 0 {
            self.falls[node.index()].on_again = Some(now);
        }
        self.weather.set_dark(self.dark.iter().any(|&count| count > 0));
    }

    /// From now on packets are looked at, also in an ideal network: something has befallen it.
    pub fn spoil(&mut self) {
        self.ideal = false;
    }

    #[inline]
    pub fn route(&mut self, packet: &Packet, now: Time) -> Verdict {
        if self.is_at_once(packet.from, packet.to) {
            return Verdict::Deliver(Span::ZERO);
        }
        self.cross(packet, now)
    }

    /// Can nothing delay or lose what one of these nodes sends to the other?
    #[inline]
    pub fn is_at_once(&self, from: NodeId, to: NodeId) -> bool {
        self.ideal || from == to
    }

    /// The packet takes the link between two nodes.
    #[inline(never)]
    fn cross(&mut self, packet: &Packet, now: Time) -> Verdict {
        let index = self.link(packet.from, packet.to);
        let link = &mut self.links[index as usize];
        if packet.stage != stage::FRESH || !link.is_plain() || !self.weather.is_calm() {
            return self.detour(index, packet, now);
        }
        let delay = link.latency.sample(&mut link.rng);
        let lost = link.rng.chance(link.loss);
        if lost || !link.is_stream() {
            return self.land(index, packet, now, Try { delay, lost, garbled: false });
        }
        let arrival = (now + delay).max(link.last_arrival);
        link.last_arrival = arrival;
        Verdict::Deliver(arrival - now)
    }

    #[inline]
    fn link(&mut self, from: NodeId, to: NodeId) -> u32 {
        let known = &self.outgoing[from.index()];
        match known.binary_search_by_key(&to, |(to, _)| *to) {
            Ok(place) => known[place].1,
            Err(place) => self.open(from, to, place),
        }
    }

    #[cold]
    fn open(&mut self, from: NodeId, to: NodeId, place: usize) -> u32 {
        self.links.push(self.make(from, to));
        let index = self.links.len() as u32 - 1;
        self.outgoing[from.index()].insert(place, (to, index));
        index
    }
}

#[cfg(test)]
mod tests;
