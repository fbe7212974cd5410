//! A link: one direction between two nodes, with its own random stream.

use super::bursts::Bursts;
use super::pipe::Pipe;
use super::spec::{LinkSpec, NetworkSpec, Reordering, Transport, ZoneLinkSpec};
use super::{Network, stage};
use crate::engine::{Dist, NodeId, Ratio, Rng, Time, Verdict, name_hash};

/// One direction between two nodes. What few links have is in `rare`.
pub(super) struct Link {
    pub latency: Dist,
    pub loss: Ratio,
    pub transport: Transport,
    pub rng: Rng,
    /// A stream delivers nothing before this.
    pub last_arrival: Time,
    /// A stream sends nothing before this: what follows waits behind what is held up.
    pub stalled_until: Time,
    /// How many packets of a stream are held up at the sender.
    pub held: u32,
    /// How often in a row it has timed out.
    pub timeouts: u32,
    /// Packets that were sent before this and are held up are of a connection that is no more.
    pub broken_at: Time,
    /// Has everybody been told of that?
    pub is_told: bool,
    /// Are only requests held up? Answers go over the connection of whoever asked.
    pub spares_answers: bool,
    pub rare: Option<Box<Rare>>,
}

/// A connection that its other side has lost without a word.
#[derive(Clone, Copy)]
pub(super) struct Dead {
    pub since: Time,
    /// Does the other side answer what comes with a reset, as a host does that has started again?
    /// Otherwise it goes nowhere.
    pub answers: bool,
}

/// What few links have.
pub(super) struct Rare {
    pub bursts: Option<(Bursts, bool)>,
    pub duplication: Ratio,
    pub reordering: Option<Reordering>,
    pub corruption: Ratio,
    /// The link's own bandwidth.
    pub pipe: Option<Pipe>,
    /// Its place among the lines between zones.
    pub line: Option<u32>,
    /// Does the receiver's network card have a bandwidth?
    pub has_card: bool,
    /// Nothing comes through the receiver's card before this, in a stream.
    pub last_through: Time,
    /// When the connection was opened and when it was last used; `None` before that.
    pub opened: Option<(Time, Time)>,
    /// The other side has lost the connection, and this one has not noticed.
    pub dead: Option<Dead>,
    /// Packets that were sent before this are of a connection that is no more, wherever they are.
    pub reset_at: Time,
    /// No connection had been opened when the receiver's process crashed at this time.
    pub unopened: Option<Time>,
}

impl Default for Rare {
    fn default() -> Rare {
        Rare {
            bursts: None,
            duplication: Ratio::default(),
            reordering: None,
            corruption: Ratio::default(),
            pipe: None,
            line: None,
            has_card: false,
            last_through: Time(0),
            opened: None,
            dead: None,
            reset_at: Time(0),
            unopened: None,
        }
    }
}

impl Link {
    /// Can a packet simply take it?
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.held == 0 && self.rare.is_none()
    }

    pub fn is_stream(&self) -> bool {
        self.transport == Transport::Stream
    }

    pub fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// One more packet is held up, and nothing is sent before `until`.
    pub fn hold_until(&mut self, until: Time) {
        (self.stalled_until, self.spares_answers) = (until, false);
        self.held += 1;
    }

    /// One more packet waits behind those that are held up; for how long.
    pub fn queue(&mut self, now: Time) -> Verdict {
        self.held += 1;
        Verdict::Wait(self.stalled_until.max(now) - now, stage::HELD)
    }

    /// A packet that was held up goes on.
    pub fn release(&mut self, at: u8) {
        if at == stage::HELD {
            self.held = self.held.saturating_sub(1);
        }
    }

    /// The connection breaks for whatever was sent before `at`; what comes then opens another.
    pub fn break_at(&mut self, at: Time) {
        (self.broken_at, self.is_told) = (at, false);
        self.timeouts = 0;
        if let Some(rare) = &mut self.rare {
            (rare.opened, rare.dead) = (None, None);
        }
    }

    /// The connection is no more, and whoever should learn that knows it.
    pub fn close(&mut self, now: Time) {
        self.break_at(now);
        (self.is_told, self.stalled_until, self.last_arrival) = (true, now, now);
    }
}

impl Network {
    /// What is said of the pair of nodes: by the last entry that says it.
    fn of_pair<T>(
        &self,
        (from, to): (NodeId, NodeId),
        pick: impl Fn(&LinkSpec) -> Option<T>,
    ) -> Option<T> {
        let fitting = self.spec.links.iter().rev().filter(|link| link.fits(from, to));
        fitting.into_iter().find_map(pick)
    }

    /// What is said of their zones: by the last entry that says it. It is not about a loopback.
    fn of_zones<T>(
        &self,
        (from, to): (NodeId, NodeId),
        pick: impl Fn(&ZoneLinkSpec) -> Option<T>,
    ) -> Option<T> {
        let mut places = self.lines_between(from, to).rev().filter(|_| !self.is_loopback(from, to));
        places.find_map(|place| pick(&self.spec.zone_links[place / 2]))
    }

    /// The link from one node to another, as the scenario has it.
    pub(super) fn make(&self, from: NodeId, to: NodeId) -> Link {
        let (spec, pair) = (&self.spec, (from, to));
        let zone = |node: NodeId| self.zones[node.index()];
        let is_loopback = self.is_loopback(from, to);
        let latency = self
            .of_pair(pair, |link| link.latency.clone())
            .or_else(|| is_loopback.then(|| spec.loopback.clone()))
            .or_else(|| self.of_zones(pair, |link| link.latency.clone()))
            .or_else(|| spec.between_zones.clone().filter(|_| zone(from) != zone(to)))
            .unwrap_or_else(|| spec.latency.clone());
        let loss = self
            .of_pair(pair, |link| link.loss)
            .or(is_loopback.then_some(Ratio::ZERO))
            .or_else(|| self.of_zones(pair, |link| link.loss));
        let stream = self.stream(from, to);
        Link {
            latency,
            loss: loss.unwrap_or(spec.loss),
            transport: self.of_pair(pair, |link| link.transport).unwrap_or(spec.transport),
            rng: Rng::from_hash(self.seed, stream ^ name_hash("link")),
            last_arrival: Time(0),
            stalled_until: Time(0),
            held: 0,
            timeouts: 0,
            broken_at: Time(0),
            is_told: false,
            spares_answers: false,
            rare: self.rare(from, to).map(Box::new),
        }
    }

    /// What is rare about the link; `None` if nothing is.
    fn rare(&self, from: NodeId, to: NodeId) -> Option<Rare> {
        let (spec, pair) = (&self.spec, (from, to));
        let is_loopback = self.is_loopback(from, to);
        // Nothing is on a loopback but what is said of the two nodes.
        let wireless = NetworkSpec::default();
        let general = if is_loopback { &wireless } else { spec };
        let bursts = self
            .of_pair(pair, |link| link.bursts)
            .or_else(|| self.of_zones(pair, |link| link.bursts))
            .or(general.bursts);
        let duplication = self
            .of_pair(pair, |link| link.duplication)
            .or_else(|| self.of_zones(pair, |link| link.duplication))
            .unwrap_or(general.duplication);
        let corruption = self
            .of_pair(pair, |link| link.corruption)
            .or_else(|| self.of_zones(pair, |link| link.corruption))
            .unwrap_or(general.corruption);
        let reordering = self
            .of_pair(pair, |link| link.reordering.clone())
            .or_else(|| self.of_zones(pair, |link| link.reordering.clone()))
            .or_else(|| general.reordering.clone());
        let bandwidth = self.of_pair(pair, |link| link.bandwidth).or(general.bandwidth);
        let queue = self.of_pair(pair, |link| link.queue.clone());
        let pipe = bandwidth.map(|bandwidth| {
            let rng = Rng::from_hash(self.seed, self.stream(from, to) ^ name_hash("queue"));
            Pipe::new(bandwidth, queue.as_ref().unwrap_or(&spec.queue), rng)
        });
        let mut lines = self.lines_between(from, to).rev().filter(|_| !is_loopback);
        let line = lines.find(|place| self.lines[*place].is_some());
        let has_card =
            !is_loopback && self.cards.get(to.index()).is_some_and(|card| card.1.is_some());
        let sends =
            !is_loopback && self.cards.get(from.index()).is_some_and(|card| card.0.is_some());
        let has_more = spec.names.is_some() || spec.connect.round_trips() > 0;
        let is_rare = bursts.is_some()
            || !duplication.is_zero()
            || !corruption.is_zero()
            || reordering.is_some()
            || pipe.is_some()
            || line.is_some();
        let bursts = bursts.map(|bursts| (bursts, false));
        let line = line.map(|place| place as u32);
        (is_rare || has_card || sends || has_more).then(|| Rare {
            bursts,
            duplication,
            reordering,
            corruption,
            pipe,
            line,
            has_card,
            ..Rare::default()
        })
    }

    /// The lines that lead from the zone of one node to that of the other: two for each entry of
    /// `zone_links`, there and back.
    fn lines_between(&self, from: NodeId, to: NodeId) -> impl DoubleEndedIterator<Item = usize> {
        let name = |node: NodeId| {
            let place = self.zones[node.index()]?;
            Some(self.spec.zones[place as usize].name.as_str())
        };
        let ends = name(from).zip(name(to));
        let fits = move |place: &usize| {
            let link = &self.spec.zone_links[place / 2];
            let way = (link.from.as_str(), link.to.as_str());
            let back = place % 2 == 1;
            ends == Some(if back { (way.1, way.0) } else { way }) && !(back && link.one_way)
        };
        (0..self.spec.zone_links.len() * 2).filter(fits)
    }

    /// The name of the link's random streams.
    fn stream(&self, from: NodeId, to: NodeId) -> u64 {
        let ends = (self.hashes[from.index()], self.hashes[to.index()]);
        ends.0.rotate_left(32) ^ ends.1.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}
