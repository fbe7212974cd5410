//! A connection: opened, stalled, given up, reset, lost on one side, and who learns of it when.
//!
//! Those who wait for an answer over a connection that breaks learn it at once, and it is
//! indefinite to them: what was delivered is worked on all the same, and its answer finds nobody.

use super::link::Dead;
use super::{Network, stage};
use crate::engine::{Fault, NodeId, Packet, Span, State, Time, Verdict};
use crate::world::World;

/// A stream waits at most this long before it tries again, unless its first timeout is longer.
///
/// Source: `TCP_RTO_MAX` of Linux.
const TIMEOUT_MAX: Span = Span::from_seconds(120);

impl Network {
    /// What a connection does with a packet that it cannot carry now; `None` if it can.
    pub(super) fn hold(&mut self, index: u32, packet: &Packet, now: Time) -> Option<Verdict> {
        let link = &mut self.links[index as usize];
        let was_held = packet.stage == stage::HELD;
        link.release(packet.stage);
        if !(packet.is_reply && link.spares_answers) {
            if was_held && packet.sent < link.broken_at && now >= link.broken_at {
                let is_told = std::mem::replace(&mut link.is_told, true);
                let broken = Verdict::Drop(Fault::Reset.label());
                return Some(if is_told { broken } else { Verdict::Break });
            }
            // Who has just come goes behind those who wait.
            if now < link.stalled_until || !was_held && link.held > 0 {
                return Some(link.queue(now));
            }
        }
        let until = self.lost(index, packet, now).or_else(|| self.opens(index, packet, now))?;
        self.links[index as usize].hold_until(until);
        Some(Verdict::Wait(until - now, stage::HELD))
    }

    /// The connection that the packet is sent over, if its other side has lost it.
    pub(super) fn dead(&mut self, index: u32, packet: &Packet) -> Option<Dead> {
        let rare = self.links[index as usize].rare.as_mut()?;
        let dead = rare.dead?;
        // This one was closed, idle or found to be dead, or leads where the node is no more.
        let found = self.spec.keepalive.map(|keepalive| dead.since + keepalive);
        let idle = rare.opened.zip(self.spec.idle).map(|((_, used), idle)| used + idle);
        let is_closed = [found, idle].into_iter().flatten().any(|at| packet.sent >= at);
        let moves = dead.answers && self.names.as_ref().is_some_and(|names| names.moves());
        if is_closed || moves && packet.stage != stage::HELD {
            (rare.dead, rare.opened) = (None, None);
        }
        rare.dead
    }

    /// The connection is dead and nothing comes back: when that is noticed.
    fn lost(&mut self, index: u32, packet: &Packet, now: Time) -> Option<Time> {
        let dead = self.dead(index, packet).filter(|dead| !dead.answers)?;
        let probed = self.spec.keepalive.map_or(Time::MAX, |keepalive| dead.since + keepalive);
        let noticed = (packet.sent + self.spec.give_up).min(probed).max(now);
        self.links[index as usize].break_at(noticed);
        Some(noticed)
    }

    /// A connection must be opened for this packet: when it will be there.
    fn opens(&mut self, index: u32, packet: &Packet, now: Time) -> Option<Time> {
        let trips = self.spec.connect.round_trips();
        if trips == 0 || packet.is_reply {
            return None;
        }
        // Nobody is there to open it with, or nobody knows that it must be opened.
        if self.is_dark(packet.to) || self.dead(index, packet).is_some() {
            return None;
        }
        if self.is_open(index, (packet.from, packet.to), now) {
            let opened = &mut self.links[index as usize].rare().opened;
            opened.iter_mut().for_each(|(_, used)| *used = now);
            return None;
        }
        let takes = (0..trips).fold(Span::ZERO, |sum, _| sum + self.round_trip(packet));
        let until = now + takes;
        self.links[index as usize].rare().opened = Some((until, until));
        Some(until)
    }

    /// Is there a connection from one node to the other that cost its round trips?
    fn is_open(&self, index: u32, ends: (NodeId, NodeId), now: Time) -> bool {
        let opened = self.links[index as usize].rare.as_ref().and_then(|rare| rare.opened);
        opened.is_some_and(|(since, used)| {
            let fell = self.fell(ends).is_some_and(|fell| fell >= since);
            !fell && self.spec.idle.is_none_or(|idle| now < used + idle)
        })
    }

    /// Is there a connection from one node to the other?
    pub(super) fn is_used(&self, index: u32, ends: (NodeId, NodeId), now: Time) -> bool {
        let link = &self.links[index as usize];
        let ended = self.fell(ends).map_or(link.broken_at, |fell| fell.max(link.broken_at));
        match self.spec.connect.round_trips() {
            _ if !link.is_stream() => false,
            0 => link.last_arrival > ended,
            _ => self.is_open(index, ends, now),
        }
    }

    /// When one of two nodes has last crashed.
    fn fell(&self, ends: (NodeId, NodeId)) -> Option<Time> {
        self.falls[ends.0.index()].process.max(self.falls[ends.1.index()].process)
    }

    /// A try at `tried` was in vain: a stream tries again after its timeout, and everything behind
    /// waits with it, until the connection breaks for all of them.
    pub(super) fn stall(&mut self, index: u32, packet: &Packet, tried: Time, now: Time) -> Verdict {
        let link = &mut self.links[index as usize];
        let timeout = self.spec.retransmit * (1 << link.timeouts.min(20));
        let next = tried + timeout.min(TIMEOUT_MAX.max(self.spec.retransmit));
        link.timeouts += 1;
        let last = (packet.sent + self.spec.give_up).max(now);
        link.hold_until(next.min(last).max(now));
        if next > last {
            link.break_at(last);
        }
        Verdict::Resend(link.stalled_until - now, stage::HELD)
    }

    /// The connection breaks at `at` for all who wait over it.
    pub(super) fn give_up(&mut self, index: u32, now: Time, at: Time) -> Verdict {
        let (link, at) = (&mut self.links[index as usize], at.max(now));
        link.break_at(at);
        link.hold_until(at);
        Verdict::Wait(at - now, stage::HELD)
    }

    /// A caller has heard nothing for too long: is its peer gone?
    pub(super) fn probe(&mut self, packet: &Packet, now: Time) -> Verdict {
        let (peer, caller) = (packet.from, packet.to);
        let is_cut = self.weather.cuts(peer, caller, now) || self.weather.cuts(caller, peer, now);
        let back = self.link(peer, caller) as usize;
        let has_broken = self.links[back].broken_at > packet.sent;
        let has_fallen = self.falls[peer.index()].process.is_some_and(|fell| fell >= packet.sent);
        match is_cut || has_broken || has_fallen {
            true => Verdict::Deliver(Span::ZERO),
            false => Verdict::Forget,
        }
    }

    /// The node starts again.
    pub fn restarted(&mut self, node: NodeId) {
        if let Some(names) = &mut self.names {
            names.restarted(node);
        }
    }

    /// From now on a stale name service tells what is so now.
    pub fn freeze_names(&mut self) {
        if let Some(names) = &mut self.names {
            names.freeze();
        }
    }
}

/// Connections are reset: both sides learn it at once, and what is under way is lost.
pub(crate) fn reset(state: &mut State<World>, is_meant: impl Fn(NodeId, NodeId) -> bool) {
    let now = state.now();
    for (from, to, index) in connections(&state.env.network, is_meant) {
        let link = &mut state.env.network.links[index];
        link.close(now);
        link.rare().reset_at = now;
        state.set_wary(to);
        state.break_calls(|caller, callee| (caller, callee) == (from, to), Span::ZERO, 0);
    }
}

/// One side of each connection loses it and nobody is told: what is sent over it from now on goes
/// nowhere, until that is noticed.
pub(crate) fn half_open(state: &mut State<World>, is_meant: impl Fn(NodeId, NodeId) -> bool) {
    let now = state.now();
    for (from, to, index) in connections(&state.env.network, is_meant) {
        let network = &mut state.env.network;
        network.links[index].rare().dead = Some(Dead { since: now, answers: false });
        if let Some(keepalive) = network.spec.keepalive {
            state.break_calls(|caller, callee| (caller, callee) == (from, to), keepalive, 0);
        }
    }
}

/// From now on nothing gets across: who waits for an answer finds that out after its keepalive, if
/// it is still so.
pub(crate) fn suspect(state: &mut State<World>, is_meant: impl Fn(NodeId, NodeId) -> bool) {
    if let Some(keepalive) = state.env.network.spec.keepalive {
        let either = |from, to| is_meant(from, to) || is_meant(to, from);
        state.break_calls(either, keepalive, stage::PROBE);
    }
}

/// The streams that have been used so far, with the places of their links, of which `is_meant` says
/// so in one direction or the other.
fn connections(
    network: &Network,
    is_meant: impl Fn(NodeId, NodeId) -> bool,
) -> Vec<(NodeId, NodeId, usize)> {
    let either = |from, to| is_meant(from, to) || is_meant(to, from);
    let senders = (0..).map(NodeId).zip(&network.outgoing);
    let used = senders.flat_map(|(from, links)| {
        links.iter().map(move |(to, index)| (from, *to, *index as usize))
    });
    let streams = used.filter(|(.., index)| network.links[*index].is_stream());
    streams.filter(|(from, to, _)| from != to && either(*from, *to)).collect()
}
