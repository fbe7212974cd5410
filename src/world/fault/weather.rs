//! What the network suffers from at present.

use std::collections::BTreeMap;

use super::{Injection, Reach};
use crate::engine::{NodeId, Packet, Rng, Span, Time};
use crate::world::network::{Ailment, Pipe};

/// What the network suffers from at present.
#[derive(Default)]
pub(crate) struct Weather {
    storms: Vec<Storm>,
    dark: bool,
}

/// A fault of the network that is on.
pub(super) struct Storm {
    pub index: u32,
    pub what: Injection,
    pub rng: Rng,
    /// The links that it is about, drawn when it began.
    pub reach: Reach,
    /// When it ends, as far as is known.
    pub until: Time,
    /// What it remembers.
    pub memory: Memory,
}

/// What a storm remembers from packet to packet.
#[derive(Default)]
pub(super) struct Memory {
    /// Is a flapping link down, and when does it turn?
    flaps: Option<(bool, Time)>,
    /// Which links are in a burst of losses.
    bursts: BTreeMap<(NodeId, NodeId), bool>,
    /// What passes each throttled link.
    pipes: BTreeMap<(NodeId, NodeId), Pipe>,
}

/// Why a packet does not even set out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Block {
    /// It is accepted and never answered.
    Swallowed,
    /// Everything waits, as far as is known until then.
    Clogged(Time),
    /// Nothing passes.
    Cut,
}

/// What befalls a packet on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Effect {
    /// By how much it takes longer.
    pub added: Span,
    pub lost: bool,
    pub damaged: bool,
    /// When a throttled link has let it pass; `Some(None)` if it dropped it.
    pub throttled: Option<Option<Time>>,
}

impl Storm {
    pub fn new(index: u32, what: Injection, rng: Rng, until: Time) -> Storm {
        Storm { index, what, rng, reach: Reach::default(), until, memory: Memory::default() }
    }

    fn covers(&self, from: NodeId, to: NodeId) -> bool {
        self.reach.covers(from, to)
    }

    /// Does it let nothing pass from one to the other now?
    fn cuts(&mut self, from: NodeId, to: NodeId, now: Time) -> bool {
        match &self.what {
            Injection::Partition { .. } => self.covers(from, to),
            // A link that loses everything is cut for as long as it does.
            Injection::Loss { rate, .. } => rate.is_one() && self.covers(from, to),
            Injection::Flapping { up, down, .. } => {
                // It begins with the link going down.
                let (is_down, turns) = self
                    .memory
                    .flaps
                    .get_or_insert_with(|| (true, now + down.sample(&mut self.rng)));
                while *turns <= now {
                    *is_down = !*is_down;
                    let lasts = if *is_down { down } else { up }.sample(&mut self.rng);
                    *turns += lasts.max(Span::MICROSECOND);
                }
                *is_down && self.reach.covers(from, to)
            }
            _ => false,
        }
    }
}

impl Weather {
    #[inline]
    pub fn is_calm(&self) -> bool {
        self.storms.is_empty() && !self.dark
    }

    pub fn set_dark(&mut self, dark: bool) {
        self.dark = dark;
    }

    /// A fault of the network begins.
    pub(super) fn begin(&mut self, mut storm: Storm, now: Time) {
        // A flapping link goes down now, not when somebody first looks.
        storm.cuts(NodeId(0), NodeId(0), now);
        self.storms.push(storm);
    }

    /// A fault of the network ends: its random stream, which goes on when it comes again.
    pub(super) fn end(&mut self, index: u32) -> Option<Rng> {
        let place = self.storms.iter().position(|storm| storm.index == index)?;
        Some(self.storms.remove(place).rng)
    }

    /// Is this fault on?
    pub(super) fn has(&self, index: u32) -> bool {
        self.storms.iter().any(|storm| storm.index == index)
    }

    /// Does nothing pass from one node to the other?
    pub fn cuts(&mut self, from: NodeId, to: NodeId, now: Time) -> bool {
        self.storms.iter_mut().any(|storm| storm.cuts(from, to, now))
    }

    /// Does the packet not even set out?
    pub fn blocks(&mut self, packet: &Packet, now: Time) -> Option<Block> {
        let Packet { from, to, is_reply, .. } = *packet;
        let mut block = None;
        for storm in &mut self.storms {
            if storm.cuts(from, to, now) {
                return Some(Block::Cut);
            }
            match &storm.what {
                Injection::Clog { .. } if storm.covers(from, to) => {
                    // Where nobody knows when it ends, look again soon.
                    let soon = now + Span::from_millis(10);
                    let until = if storm.until == Time::MAX { soon } else { storm.until };
                    let until = until.max(now + Span::MICROSECOND);
                    block = block.max(Some(Block::Clogged(until)));
                }
                Injection::Hang { .. } if !is_reply && storm.covers(from, to) => {
                    block = block.max(Some(Block::Swallowed));
                }
                _ => {}
            }
        }
        block
    }

    /// What happens to a packet on its way.
    pub fn judge(&mut self, packet: &Packet, at: Time) -> Effect {
        let (from, to) = (packet.from, packet.to);
        let mut effect = Effect::default();
        for storm in self.storms.iter_mut().filter(|storm| storm.covers(from, to)) {
            let rng = &mut storm.rng;
            match &storm.what {
                Injection::Latency { add, .. } => effect.added += add.sample(rng),
                Injection::Loss { rate, .. } if !rate.is_one() => effect.lost |= rng.chance(*rate),
                Injection::Bursts { bursts, .. } => {
                    let is_bad = storm.memory.bursts.entry((from, to)).or_default();
                    effect.lost |= bursts.loses(is_bad, rng);
                }
                Injection::Reordering { rate, by, .. } if rng.chance(*rate) => {
                    effect.added += by.sample(rng);
                }
                Injection::Corruption { rate, .. } => effect.damaged |= rng.chance(*rate),
                Injection::Throttle { .. } => {
                    let passed = storm.pipe(from, to).offer(at, packet.bytes);
                    // Of several the slowest counts.
                    effect.throttled = match effect.throttled {
                        Some(known) => Some(known.zip(passed).map(|(one, two)| one.max(two))),
                        None => Some(passed),
                    };
                }
                _ => {}
            }
        }
        effect
    }

    /// How much longer a packet takes that passes every throttled link whatever waits there.
    pub fn force(&mut self, packet: &Packet, at: Time) -> Span {
        let (from, to) = (packet.from, packet.to);
        let storms = self.storms.iter_mut().filter(|storm| {
            matches!(storm.what, Injection::Throttle { .. }) && storm.covers(from, to)
        });
        let passed = storms.map(|storm| storm.pipe(from, to).force(at, packet.bytes)).max();
        passed.map_or(Span::ZERO, |passed| passed - at)
    }

    /// Does a datagram come twice?
    pub fn doubles(&mut self, packet: &Packet) -> bool {
        self.storms.iter_mut().fold(false, |twice, storm| match &storm.what {
            Injection::Duplication { rate, .. } if storm.reach.covers(packet.from, packet.to) => {
                storm.rng.chance(*rate) || twice
            }
            _ => twice,
        })
    }

    /// What the name service suffers from when somebody asks it for `node`.
    pub fn names(&mut self, node: NodeId) -> Ailment {
        let mut ailment = Ailment::default();
        for storm in &mut self.storms {
            match &storm.what {
                Injection::SlowNames { add } => ailment.added += add.sample(&mut storm.rng),
                Injection::NamesDown => ailment.is_down = true,
                Injection::MissingName { node: missing } => {
                    ailment.is_missing |= *missing == node;
                }
                Injection::StaleNames => ailment.is_stale = true,
                _ => {}
            }
        }
        ailment
    }
}

impl Storm {
    fn pipe(&mut self, from: NodeId, to: NodeId) -> &mut Pipe {
        let (what, rng) = (&self.what, &self.rng);
        self.memory.pipes.entry((from, to)).or_insert_with(|| match what {
            Injection::Throttle { bandwidth, queue, .. } => {
                Pipe::new(*bandwidth, queue, rng.clone())
            }
            _ => unreachable!("only a throttle has bandwidths"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Targets, reach};
    use super::*;
    use crate::engine::{Dist, Ratio};

    const NODES: [NodeId; 3] = [NodeId(0), NodeId(1), NodeId(2)];

    fn weather(faults: Vec<Injection>) -> Weather {
        let mut weather = Weather::default();
        for (what, index) in faults.into_iter().zip(0..) {
            let mut storm = Storm::new(index, what, Rng::new(1, "storm"), Time::MAX);
            let links = storm.what.links().cloned().expect("it is about links");
            storm.reach = reach(&links, &mut storm.rng, &|node| vec![node], &|_| Vec::new(), 3);
            weather.begin(storm, Time(0));
        }
        weather
    }

    fn packet(from: NodeId, to: NodeId) -> Packet {
        let (is_reply, is_reset) = (false, false);
        Packet { from, to, bytes: 200, is_reply, is_reset, stage: 0, sent: Time(0) }
    }

    fn later(millis: u64, links: Targets) -> Injection {
        Injection::Latency { links, add: Dist::constant(Span::from_millis(millis)) }
    }

    #[test]
    fn latencies_add_up_and_a_partition_lets_nothing_pass() {
        let [a, b, c] = NODES;
        let to_b = || Targets::OneWay(vec![a], vec![b]);
        let cut = Injection::Partition { links: to_b() };
        let mut weather = weather(vec![later(3, Targets::All), later(4, to_b()), cut]);
        let mut added = |from, to| weather.judge(&packet(from, to), Time(0)).added;
        assert_eq!([added(a, b), added(a, c)], [7, 3].map(Span::from_millis));
        assert_eq!(weather.blocks(&packet(a, b), Time(0)), Some(Block::Cut));
        assert_eq!(weather.blocks(&packet(b, a), Time(0)), None);
    }

    #[test]
    fn loss_is_drawn_and_losing_everything_is_a_partition() {
        let [a, b, _] = NODES;
        let loss = |rate| Injection::Loss { links: Targets::All, rate };
        let mut half = weather(vec![loss(Ratio::new(1, 2).unwrap())]);
        let lost = (0..1000).filter(|_| half.judge(&packet(a, b), Time(0)).lost).count();
        assert!((420..580).contains(&lost), "{lost}");
        let mut all = weather(vec![loss(Ratio::ONE)]);
        assert_eq!(all.blocks(&packet(a, b), Time(0)), Some(Block::Cut));
        let mut none = weather(vec![loss(Ratio::ZERO)]);
        assert_eq!(none.blocks(&packet(a, b), Time(0)), None);
        assert_eq!(none.judge(&packet(a, b), Time(0)), Effect::default());
    }

    #[test]
    fn a_flapping_link_is_down_first_and_turns_whoever_looks() {
        let fixed = |millis| Dist::constant(Span::from_millis(millis));
        let (up, down) = (fixed(30), fixed(10));
        let mut weather = weather(vec![Injection::Flapping { links: Targets::All, up, down }]);
        let looks = [0, 9, 10, 39, 40, 49, 50, 125]
            .map(|millis| weather.cuts(NODES[0], NODES[1], Time(0) + Span::from_millis(millis)));
        assert_eq!(looks, [true, true, false, false, true, true, false, true]);
    }
}
