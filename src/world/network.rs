//! The network: how long a packet travels, and whether it arrives at all.
//!
//! Every ordered pair of nodes that speak has a link with a random stream of its own, made when it
//! is first used. A stream delivers in order, and a loss shows as the delay of a retransmission
//! that everything behind it waits for, as with TCP; datagrams are simply lost. While a partition
//! lasts, a stream keeps trying, doubling its timeout, until it gives up and the connection breaks.

use serde::Deserialize;

use super::fault::Weather;
use crate::engine::{Dist, Fault, NodeId, Packet, Ratio, Rng, Span, Time, Verdict, name_hash};

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

/// The network of a scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkSpec {
    /// One-way latency of a message. Default: `"250us"`, two hosts in one data centre.
    pub latency: Dist,
    /// What carries messages. Default: `Stream`.
    pub transport: Transport,
    /// How often a packet is lost. Default: never.
    pub loss: Ratio,
    /// First retransmission timeout of a stream; it doubles with each try. Default: `"200ms"`, the
    /// least that Linux uses.
    pub retransmit: Span,
    /// After how long without success a stream gives up and the connection breaks. Default:
    /// `"15s"`.
    pub give_up: Span,
    /// Nodes by zone; a node may be in one zone at most. Default: all in one place.
    pub zones: Vec<ZoneSpec>,
    /// Latency between nodes of different zones. Default: as within a zone.
    pub between_zones: Option<Dist>,
    /// Pairs of nodes that differ from the rest; the last that fits counts. Default: none.
    pub links: Vec<LinkSpec>,
}

impl Default for NetworkSpec {
    fn default() -> NetworkSpec {
        NetworkSpec {
            latency: Dist::constant(Span(250 * Span::MICROSECOND.0)),
            transport: Transport::default(),
            loss: Ratio::default(),
            retransmit: Span(200 * Span::MILLISECOND.0),
            give_up: Span(15 * Span::SECOND.0),
            zones: Vec::new(),
            between_zones: None,
            links: Vec::new(),
        }
    }
}

impl NetworkSpec {
    /// A network without latency or loss, for models that bring delays of their own.
    pub fn ideal() -> NetworkSpec {
        NetworkSpec { latency: Dist::constant(Span::ZERO), ..NetworkSpec::default() }
    }
}

/// A zone: nodes close to one another.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZoneSpec {
    /// What it is called.
    pub name: String,
    /// The nodes in it.
    pub nodes: Vec<NodeId>,
}

/// A pair of nodes that differs from the rest of the network, in both directions.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkSpec {
    /// One end.
    pub from: NodeId,
    /// The other end.
    pub to: NodeId,
    /// One-way latency. Default: as the network or the zones have it.
    #[serde(default)]
    pub latency: Option<Dist>,
    /// How often a packet is lost. Default: as the network has it.
    #[serde(default)]
    pub loss: Option<Ratio>,
    /// What carries messages. Default: as the network has it.
    #[serde(default)]
    pub transport: Option<Transport>,
}

struct Link {
    latency: Dist,
    loss: Ratio,
    transport: Transport,
    rng: Rng,
    /// A stream delivers nothing before this.
    last_arrival: Time,
    /// A stream that has lost a packet sends nothing before this: what follows waits behind it.
    stalled_until: Time,
    /// How often in a row it has timed out.
    timeouts: u32,
    /// Does the connection break when the stall ends?
    breaks: bool,
}

impl Link {
    /// What a stalled stream does with a packet; `None` if it is not stalled.
    fn hold(&mut self, packet: &Packet, now: Time) -> Option<Verdict> {
        if now < self.stalled_until {
            return Some(Verdict::Resend(self.stalled_until - now, 1));
        }
        if self.breaks && packet.stage > 0 {
            return Some(broken(packet, Span::ZERO));
        }
        if self.breaks {
            // A new connection starts afresh.
            (self.breaks, self.timeouts) = (false, 0);
        }
        None
    }
}

/// A stream has given up a packet: who asked learns of it, who answered cannot tell anybody.
fn broken(packet: &Packet, after: Span) -> Verdict {
    match packet.is_reply {
        true => Verdict::Drop("connection reset"),
        false => Verdict::Refuse(Fault::Reset, after),
    }
}

/// The network of a run.
pub(crate) struct Network {
    spec: NetworkSpec,
    seed: u64,
    hashes: Vec<u64>,
    zones: Vec<Option<u32>>,
    links: Vec<Link>,
    /// For each sender its links, ordered by receiver.
    outgoing: Vec<Vec<(NodeId, u32)>>,
    /// Nothing can delay or lose a packet.
    ideal: bool,
    /// Hosts that are off, so that nobody even refuses a connection; a count for each node.
    dark: Vec<u32>,
    pub weather: Weather,
}

impl Network {
    pub fn new(seed: u64, spec: NetworkSpec) -> Network {
        let ideal = spec.latency.as_constant() == Some(Span::ZERO)
            && spec.loss.is_zero()
            && spec.links.is_empty()
            && spec.between_zones.is_none();
        Network {
            spec,
            seed,
            hashes: Vec::new(),
            zones: Vec::new(),
            links: Vec::new(),
            outgoing: Vec::new(),
            ideal,
            dark: Vec::new(),
            weather: Weather::default(),
        }
    }

    pub fn admit(&mut self, hash: u64) {
        let node = NodeId(self.hashes.len() as u32);
        self.hashes.push(hash);
        self.outgoing.push(Vec::new());
        self.dark.push(0);
        let zone = self.spec.zones.iter().position(|zone| zone.nodes.contains(&node));
        self.zones.push(zone.map(|index| index as u32));
    }

    /// The zone that a node is in.
    pub fn zone(&self, node: NodeId) -> Option<u32> {
        self.zones[node.index()]
    }

    /// Turns a node's host off, so that it is silent instead of refusing, or on again.
    pub fn set_dark(&mut self, node: NodeId, dark: bool) {
        let count = &mut self.dark[node.index()];
        *count = if dark { *count + 1 } else { count.saturating_sub(1) };
        self.weather.set_dark(self.dark.iter().any(|&count| count > 0));
    }

    #[inline]
    pub fn route(&mut self, packet: &Packet, now: Time) -> Verdict {
        if self.ideal && self.weather.is_calm() || packet.from == packet.to {
            return Verdict::Deliver(Span::ZERO);
        }
        self.cross(packet, now)
    }

    /// The packet takes the link between two nodes.
    #[inline(never)]
    fn cross(&mut self, packet: &Packet, now: Time) -> Verdict {
        let index = self.link(packet.from, packet.to);
        if self.dark[packet.from.index()] > 0 {
            return Verdict::Drop("host down");
        }
        let is_stream = self.links[index as usize].transport == Transport::Stream;
        if is_stream && let Some(verdict) = self.links[index as usize].hold(packet, now) {
            return verdict;
        }
        let Some((mut delay, mut lost)) = self.pass(index, packet) else {
            return if is_stream {
                self.stall(index, packet, now)
            } else {
                Verdict::Drop("partitioned")
            };
        };
        if !is_stream {
            // There is no connection that could break.
            lost |= packet.is_reset;
            return if lost { Verdict::Drop("lost") } else { Verdict::Deliver(delay) };
        }
        // What is lost is sent again, and may be lost again; the receiver keeps what comes
        // meanwhile.
        let mut timeout = self.spec.retransmit;
        while lost {
            let (again, once_more) = self.pass(index, packet).unwrap_or((delay, false));
            let waited = now + timeout - packet.sent;
            if waited > self.spec.give_up {
                return broken(packet, packet.sent + self.spec.give_up - now);
            }
            (delay, lost) = (timeout + again, once_more);
            timeout = timeout * 2 + self.spec.retransmit;
        }
        let link = &mut self.links[index as usize];
        link.timeouts = 0;
        let arrival = (now + delay).max(link.last_arrival);
        link.last_arrival = arrival;
        Verdict::Deliver(arrival - now)
    }

    /// One try to get a packet across: how long it takes and whether it is lost; `None` if nothing
    /// gets across.
    fn pass(&mut self, index: u32, packet: &Packet) -> Option<(Span, bool)> {
        let link = &mut self.links[index as usize];
        let delay = link.latency.sample(&mut link.rng);
        let lost = link.rng.chance(link.loss);
        if self.weather.is_calm() {
            return Some((delay, lost));
        }
        let (added, drop) = self.weather.judge(packet.from, packet.to)?;
        Some((delay + added, lost | drop))
    }

    /// Nothing gets across: a stream tries again after its timeout, and everything behind waits
    /// with it, until the connection breaks for all of them.
    fn stall(&mut self, index: u32, packet: &Packet, now: Time) -> Verdict {
        let link = &mut self.links[index as usize];
        let next = now + self.spec.retransmit * (1 << link.timeouts.min(20));
        link.timeouts += 1;
        let last = (packet.sent + self.spec.give_up).max(now);
        link.breaks = next > last;
        link.stalled_until = next.min(last);
        Verdict::Resend(link.stalled_until - now, 1)
    }

    /// Somebody speaks to a node that is down: a stream is refused, unless the host itself is off.
    pub fn knock(&mut self, packet: &Packet) -> Option<(Fault, Span)> {
        let back = self.link(packet.to, packet.from);
        let link = &mut self.links[back as usize];
        let silent = link.transport == Transport::Datagram || self.dark[packet.to.index()] > 0;
        (!silent).then(|| (Fault::Unreachable, link.latency.sample(&mut link.rng)))
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
        let spec = &self.spec;
        let pair = |link: &&LinkSpec| {
            (link.from, link.to) == (from, to) || (link.to, link.from) == (from, to)
        };
        let special = |pick: fn(&LinkSpec) -> bool| {
            spec.links.iter().rev().filter(pair).find(|link| pick(link))
        };
        let zone = |node: NodeId| self.zones[node.index()];
        let crosses = zone(from) != zone(to);
        let latency = special(|link| link.latency.is_some())
            .and_then(|link| link.latency.clone())
            .or_else(|| spec.between_zones.clone().filter(|_| crosses))
            .unwrap_or_else(|| spec.latency.clone());
        let loss = special(|link| link.loss.is_some()).and_then(|link| link.loss);
        let transport = special(|link| link.transport.is_some()).and_then(|link| link.transport);
        let ends = (self.hashes[from.index()], self.hashes[to.index()]);
        let stream = ends.0.rotate_left(32) ^ ends.1.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.links.push(Link {
            latency,
            loss: loss.unwrap_or(spec.loss),
            transport: transport.unwrap_or(spec.transport),
            rng: Rng::from_hash(self.seed, stream ^ name_hash("link")),
            last_arrival: Time(0),
            stalled_until: Time(0),
            timeouts: 0,
            breaks: false,
        });
        let index = self.links.len() as u32 - 1;
        self.outgoing[from.index()].insert(place, (to, index));
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];

    fn spec() -> NetworkSpec {
        NetworkSpec { latency: Dist::exponential(Span::MILLISECOND), ..NetworkSpec::default() }
    }

    fn network(spec: NetworkSpec, names: &[&str]) -> Network {
        let mut network = Network::new(7, spec);
        names.iter().for_each(|name| network.admit(name_hash(name)));
        network
    }

    fn packet(from: u32, to: u32) -> Packet {
        let (from, to) = (NodeId(from), NodeId(to));
        Packet { from, to, bytes: 200, is_reply: false, is_reset: false, stage: 0, sent: Time(0) }
    }

    /// When packets that are sent every 100 us arrive.
    fn arrivals(network: &mut Network, from: u32, to: u32) -> Vec<Time> {
        let mut arrive = |count: u64| {
            let now = Time(count * 100_000);
            match network.route(&Packet { sent: now, ..packet(from, to) }, now) {
                Verdict::Deliver(after) => now + after,
                other => panic!("{other:?}"),
            }
        };
        (1..200).map(&mut arrive).collect()
    }

    #[test]
    fn an_ideal_network_and_a_node_itself_take_no_time() {
        let mut ideal = network(NetworkSpec::ideal(), &NAMES);
        assert_eq!(ideal.route(&packet(0, 1), Time(5)), Verdict::Deliver(Span::ZERO));
        let mut slow = network(spec(), &NAMES);
        assert_eq!(slow.route(&packet(1, 1), Time(5)), Verdict::Deliver(Span::ZERO));
        assert_ne!(slow.route(&packet(0, 1), Time(5)), Verdict::Deliver(Span::ZERO));
    }

    #[test]
    fn a_stream_keeps_its_order_and_datagrams_do_not() {
        let stream = arrivals(&mut network(spec(), &NAMES), 0, 1);
        assert!(stream.is_sorted());
        let datagram = NetworkSpec { transport: Transport::Datagram, ..spec() };
        assert!(!arrivals(&mut network(datagram, &NAMES), 0, 1).is_sorted());
    }

    #[test]
    fn a_link_draws_from_its_own_stream_whatever_else_there_is() {
        let alone = arrivals(&mut network(spec(), &NAMES), 0, 1);
        let mut busy = network(spec(), &NAMES);
        let others = [arrivals(&mut busy, 1, 0), arrivals(&mut busy, 0, 2)];
        assert_eq!(arrivals(&mut busy, 0, 1), alone);
        assert!(others.iter().all(|other| *other != alone), "no two links are alike");
        let mut shifted = network(spec(), &["other", "alpha", "beta", "gamma"]);
        assert_eq!(arrivals(&mut shifted, 1, 2), alone, "names count, not numbers");
    }

    #[test]
    fn the_last_link_that_fits_counts_more_than_zones_and_zones_more_than_the_rest() {
        let fixed = |millis| Some(Dist::constant(Span::from_millis(millis)));
        let zone = |name: &str, nodes| ZoneSpec { name: name.to_owned(), nodes };
        let link = |from, to, latency| {
            let (from, to) = (NodeId(from), NodeId(to));
            LinkSpec { from, to, latency, loss: None, transport: None }
        };
        let spec = NetworkSpec {
            latency: Dist::constant(Span::from_millis(1)),
            between_zones: fixed(20),
            zones: vec![zone("here", vec![NodeId(0), NodeId(1)]), zone("there", vec![NodeId(2)])],
            links: vec![link(2, 1, fixed(5)), link(1, 2, fixed(7)), link(1, 2, None)],
            ..NetworkSpec::default()
        };
        let mut network = network(spec, &NAMES);
        let mut millis = |from, to| match network.route(&packet(from, to), Time(0)) {
            Verdict::Deliver(after) => after.0 / Span::MILLISECOND.0,
            other => panic!("{other:?}"),
        };
        assert_eq!([millis(0, 1), millis(0, 2), millis(2, 0)], [1, 20, 20]);
        assert_eq!([millis(1, 2), millis(2, 1)], [7, 7], "a link is about both directions");
    }

    #[test]
    fn only_a_host_that_is_on_refuses_a_connection() {
        let mut network = network(spec(), &NAMES);
        let refuses = |network: &mut Network| network.knock(&packet(0, 1)).map(|(fault, _)| fault);
        assert_eq!(refuses(&mut network), Some(Fault::Unreachable));
        // Two crashes of the host overlap.
        network.set_dark(NodeId(1), true);
        network.set_dark(NodeId(1), true);
        network.set_dark(NodeId(1), false);
        assert_eq!(refuses(&mut network), None);
        assert_eq!(network.route(&packet(1, 0), Time(0)), Verdict::Drop("host down"));
        network.set_dark(NodeId(1), false);
        assert_eq!(refuses(&mut network), Some(Fault::Unreachable));
        assert!(network.weather.is_calm());
        let datagram = NetworkSpec { transport: Transport::Datagram, ..spec() };
        assert_eq!(self::network(datagram, &NAMES).knock(&packet(0, 1)), None);
    }
}
