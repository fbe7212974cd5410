//! The way of a packet that meets something: foul weather, a bandwidth, a connection that is new,
//! stalled or gone.
//!
//! It goes by stages, each at its own instant: the sender (name, connection, network card, the
//! link's own bandwidth), the line between zones, the flight, the receiver's card. Between them it
//! waits as an event, so that packets come to each bandwidth in the order of time.

use super::names::Lookup;
use super::{Network, stage};
use crate::engine::{Fault, Packet, Span, Time, Verdict};
use crate::world::fault::Block;

/// One try to get a packet across.
#[derive(Clone, Copy)]
pub(super) struct Try {
    pub delay: Span,
    pub lost: bool,
    /// It comes, and cannot be read.
    pub garbled: bool,
}

impl Network {
    #[cold]
    #[inline(never)]
    pub(super) fn detour(&mut self, index: u32, packet: &Packet, now: Time) -> Verdict {
        match packet.stage {
            stage::PROBE => return self.probe(packet, now),
            stage::LINE => return self.cross_line(index, packet, now),
            stage::CARD => return self.enter(index, packet, now),
            _ => {}
        }
        let link = &mut self.links[index as usize];
        let fell = self.falls[packet.from.index()].host;
        if self.dark[packet.from.index()] > 0 || fell.is_some_and(|fell| packet.sent <= fell) {
            link.release(packet.stage);
            return Verdict::Drop("host down");
        }
        if let Some(verdict) = self.find(packet, now) {
            return verdict;
        }
        if self.links[index as usize].is_stream()
            && let Some(verdict) = self.hold(index, packet, now)
        {
            return verdict;
        }
        match self.weather.blocks(packet, now) {
            None => match self.vain(index, packet, now) {
                Some(verdict) => verdict,
                None => self.depart(index, packet, now),
            },
            Some(Block::Cut) if self.links[index as usize].is_stream() => {
                self.stall(index, packet, now, now)
            }
            Some(Block::Cut) => Verdict::Drop("partitioned"),
            Some(Block::Swallowed) => Verdict::Drop("never answered"),
            Some(Block::Clogged(until)) => {
                let link = &mut self.links[index as usize];
                if link.is_stream() {
                    link.hold_until(until);
                }
                Verdict::Wait(until - now, stage::HELD)
            }
        }
    }

    /// The caller finds out where to go; `None` if it knows.
    fn find(&mut self, packet: &Packet, now: Time) -> Option<Verdict> {
        let names = self.names.as_mut().filter(|_| !packet.is_reply)?;
        let lookup = match packet.stage {
            stage::FRESH => {
                let caller = (packet.from, self.hashes[packet.from.index()]);
                let weather = &mut self.weather;
                names.look_up(caller, packet.to, now, || weather.names(packet.to))
            }
            stage::NAMED if !names.is_current(packet.from, packet.to) => Lookup::Old,
            _ => Lookup::Known,
        };
        match lookup {
            Lookup::Known => None,
            Lookup::Later(after) => Some(Verdict::Wait(after, stage::NAMED)),
            Lookup::Fails(after) => Some(Verdict::Refuse(Fault::Unreachable, after)),
            Lookup::Old => Some(self.stray(packet)),
        }
    }

    /// The packet goes to an address where its node is no more.
    fn stray(&mut self, packet: &Packet) -> Verdict {
        let index = self.link(packet.from, packet.to) as usize;
        if !self.links[index].is_stream() {
            return Verdict::Drop("old address");
        }
        let trip = self.round_trip(packet);
        Verdict::Refuse(Fault::Unreachable, trip)
    }

    /// The packet leaves the sender: its network card and the link's own bandwidth.
    fn depart(&mut self, index: u32, packet: &Packet, now: Time) -> Verdict {
        let mut at = now;
        for place in [Place::Up, Place::Own] {
            match self.through(place, index, packet, at) {
                Some(passed) => at = passed,
                None => return Verdict::Drop("queue full"),
            }
        }
        let line = self.links[index as usize].rare.as_ref().and_then(|rare| rare.line);
        match line {
            Some(_) if at > now => Verdict::Wait(at - now, stage::LINE),
            Some(_) => self.cross_line(index, packet, now),
            None => self.fly(index, packet, now, at),
        }
    }

    /// The packet reaches the line between two zones.
    fn cross_line(&mut self, index: u32, packet: &Packet, now: Time) -> Verdict {
        match self.through(Place::Line, index, packet, now) {
            Some(passed) => self.fly(index, packet, now, passed),
            None => Verdict::Drop("queue full"),
        }
    }

    /// The packet, which has left by `at`, flies.
    fn fly(&mut self, index: u32, packet: &Packet, now: Time, at: Time) -> Verdict {
        let Some(mut one) = self.attempt(index, packet, at) else {
            return Verdict::Drop("queue full");
        };
        one.delay += at - now;
        self.land(index, packet, now, one)
    }

    /// One try to get a packet across that has left at `at`; `None` if a throttled link drops a
    /// datagram.
    fn attempt(&mut self, index: u32, packet: &Packet, at: Time) -> Option<Try> {
        let link = &mut self.links[index as usize];
        let is_stream = link.is_stream();
        let mut delay = link.latency.sample(&mut link.rng);
        let mut lost = link.rng.chance(link.loss);
        let mut damaged = false;
        if let Some(rare) = &mut link.rare {
            if let Some((bursts, is_bad)) = &mut rare.bursts {
                lost |= bursts.loses(is_bad, &mut link.rng);
            }
            if let Some(reordering) = &rare.reordering
                && link.rng.chance(reordering.rate)
            {
                delay += reordering.by.sample(&mut link.rng);
            }
            damaged = !rare.corruption.is_zero() && link.rng.chance(rare.corruption);
        }
        if !self.weather.is_calm() {
            let effect = self.weather.judge(packet, at);
            delay += effect.added;
            lost |= effect.lost;
            damaged |= effect.damaged;
            match effect.throttled {
                Some(None) if !is_stream => return None,
                // It is sent again as soon as the sender learns of it.
                Some(None) => delay += self.round_trip(packet) + self.weather.force(packet, at),
                Some(Some(passed)) => delay += passed - at,
                None => {}
            }
        }
        let lost = lost || damaged && self.spec.checksum;
        Some(Try { delay, lost, garbled: damaged && !lost })
    }

    /// What has become of a try: a datagram comes or does not; what a stream has lost is sent
    /// again, and may be lost again, while the receiver keeps what comes meanwhile.
    pub(super) fn land(&mut self, index: u32, packet: &Packet, now: Time, mut one: Try) -> Verdict {
        if !self.links[index as usize].is_stream() {
            // There is no connection that could break.
            if one.lost || packet.is_reset {
                return Verdict::Drop("lost");
            }
            return self.arrive(index, packet, now, one);
        }
        let mut timeout = self.spec.retransmit;
        while one.lost {
            let waited = now + timeout - packet.sent;
            if waited > self.spec.give_up {
                return self.give_up(index, now, packet.sent + self.spec.give_up);
            }
            let Some(again) = self.attempt(index, packet, now) else { break };
            one = Try { delay: timeout + again.delay, ..again };
            timeout = timeout * 2 + self.spec.retransmit;
        }
        let link = &mut self.links[index as usize];
        link.timeouts = 0;
        let arrival = (now + one.delay).max(link.last_arrival);
        link.last_arrival = arrival;
        one.delay = arrival - now;
        self.arrive(index, packet, now, one)
    }

    /// The packet comes to its receiver, or to the card in front of it.
    fn arrive(&mut self, index: u32, packet: &Packet, now: Time, one: Try) -> Verdict {
        if one.garbled {
            return match packet.is_reply {
                // It was answered, and nobody knows what.
                true => Verdict::Refuse(Fault::Reset, one.delay),
                false => Verdict::Refuse(Fault::Failed, one.delay + self.way_back(packet)),
            };
        }
        match &self.links[index as usize].rare {
            Some(rare) if rare.has_card => Verdict::Wait(one.delay, stage::CARD),
            Some(_) => self.deliver(index, packet, now, now + one.delay),
            None if self.weather.is_calm() => Verdict::Deliver(one.delay),
            None => self.deliver(index, packet, now, now + one.delay),
        }
    }

    /// The packet comes to the receiver's network card.
    fn enter(&mut self, index: u32, packet: &Packet, now: Time) -> Verdict {
        let Some(mut passed) = self.through(Place::Down, index, packet, now) else {
            return Verdict::Drop("queue full");
        };
        let link = &mut self.links[index as usize];
        if link.is_stream() {
            let rare = link.rare();
            passed = passed.max(rare.last_through);
            rare.last_through = passed;
        }
        self.deliver(index, packet, now, passed)
    }

    /// The packet comes at `at`, a datagram perhaps twice.
    fn deliver(&mut self, index: u32, packet: &Packet, now: Time, at: Time) -> Verdict {
        let link = &mut self.links[index as usize];
        if link.is_stream() {
            return Verdict::Deliver(at - now);
        }
        let share = link.rare.as_ref().map(|rare| rare.duplication).unwrap_or_default();
        let mut twice = !share.is_zero() && link.rng.chance(share);
        twice |= !self.weather.is_calm() && self.weather.doubles(packet);
        match twice {
            true => {
                let more = link.latency.sample(&mut link.rng);
                Verdict::Duplicate(at - now, at - now + more)
            }
            false => Verdict::Deliver(at - now),
        }
    }

    /// The packet comes to a bandwidth at `at`: when it has passed; `None` if it is dropped. A
    /// stream learns of a drop after a round trip, sends again, and does not give way.
    fn through(&mut self, place: Place, index: u32, packet: &Packet, at: Time) -> Option<Time> {
        let (from, to) = (packet.from.index(), packet.to.index());
        let is_wired = !self.is_loopback(packet.from, packet.to);
        let link = &mut self.links[index as usize];
        let (is_stream, rare) = (link.is_stream(), link.rare.as_mut());
        let pipe = match place {
            Place::Up if !is_wired => None,
            Place::Up => self.cards.get_mut(from).and_then(|card| card.0.as_mut()),
            Place::Down => self.cards.get_mut(to).and_then(|card| card.1.as_mut()),
            Place::Own => rare.and_then(|rare| rare.pipe.as_mut()),
            Place::Line => {
                let line = rare.and_then(|rare| rare.line);
                line.and_then(|line| self.lines[line as usize].as_mut())
            }
        };
        let Some(pipe) = pipe else { return Some(at) };
        if let Some(passed) = pipe.offer(at, packet.bytes) {
            return Some(passed);
        }
        if !is_stream {
            return None;
        }
        let passed = pipe.force(at, packet.bytes);
        Some(passed + self.round_trip(packet))
    }

    /// How long it takes there and back.
    pub(super) fn round_trip(&mut self, packet: &Packet) -> Span {
        let there = self.link(packet.from, packet.to) as usize;
        let there = &mut self.links[there];
        there.latency.sample(&mut there.rng) + self.way_back(packet)
    }

    /// How long it takes from the receiver to the sender.
    pub(super) fn way_back(&mut self, packet: &Packet) -> Span {
        let back = self.link(packet.to, packet.from) as usize;
        let back = &mut self.links[back];
        back.latency.sample(&mut back.rng)
    }
}

/// A bandwidth on the way.
#[derive(Clone, Copy)]
enum Place {
    Up,
    Own,
    Line,
    Down,
}
