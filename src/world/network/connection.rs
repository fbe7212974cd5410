//! A connection: opened, stalled, given up, reset, lost on one side, and who learns of it when.
//!
//! Those who wait for an answer over a connection that breaks learn it at once, and it is
//! indefinite to them: what was delivered is worked on all the same, and its answer finds nobody.

use super::{Network, stage};
use crate::engine::{Fault, NodeId, Packet, Span, State, Time, Verdict};
use crate::world::World;

/// Was the packet sent before its receiver crashed?
pub(super) fn broken(fell: Option<Time>, packet: &Packet) -> bool {
    fell.is_some_and(|fell| packet.sent <= fell)
}

impl Network {
    /// What a connection does with a packet that it cannot carry now; `None` if it can.
    pub(super) fn hold(&mut self, index: u32, packet: &Packet, now: Time) -> Option<Verdict> {
        let link = &mut self.links[index as usize];
        let was_held = packet.stage == stage::HELD;
        link.release(packet.stage);
        if was_held && packet.sent < link.broken_at && now >= link.broken_at {
            let is_told = std::mem::replace(&mut link.is_told, true);
            return Some(if is_told { Verdict::Drop("connection reset") } else { Verdict::Break });
        }
        // Who has just come goes behind those who wait.
        if now < link.stalled_until || !was_held && link.held > 0 {
            link.held += 1;
            let after = link.stalled_until.max(now) - now;
            return Some(Verdict::Wait(after, stage::HELD));
        }
        let until = self.lost(index, packet, now).or_else(|| self.opens(index, packet, now))?;
        let link = &mut self.links[index as usize];
        link.stalled_until = until;
        link.held += 1;
        Some(Verdict::Wait(until - now, stage::HELD))
    }

    /// The peer has lost the connection: when that is noticed.
    fn lost(&mut self, index: u32, packet: &Packet, now: Time) -> Option<Time> {
        let (give_up, keepalive) = (self.spec.give_up, self.spec.keepalive);
        let link = &mut self.links[index as usize];
        let rare = link.rare.as_mut()?;
        let since = rare.dead_since.take()?;
        rare.opened = None;
        let probed = keepalive.map_or(Time::MAX, |keepalive| since + keepalive);
        let noticed = (packet.sent + give_up).min(probed).max(now);
        link.break_at(noticed);
        Some(noticed)
    }

    /// A connection must be opened for this packet: when it will be there.
    fn opens(&mut self, index: u32, packet: &Packet, now: Time) -> Option<Time> {
        let trips = self.spec.connect.round_trips();
        if trips == 0 || packet.is_reply {
            return None;
        }
        let idle = self.spec.idle;
        let ends = [packet.from, packet.to].map(|end| self.fell[end.index()][0]);
        let rare = self.links[index as usize].rare();
        let is_there = rare.opened.is_some_and(|(since, used)| {
            let fell = ends.into_iter().flatten().any(|fell| fell >= since);
            !fell && idle.is_none_or(|idle| now < used + idle)
        });
        if is_there {
            rare.opened.iter_mut().for_each(|(_, used)| *used = now);
            return None;
        }
        let takes = (0..trips).fold(Span::ZERO, |sum, _| sum + self.round_trip(packet));
        let until = now + takes;
        self.links[index as usize].rare().opened = Some((until, until));
        Some(until)
    }

    /// Nothing gets across: a stream tries again after its timeout, and everything behind waits
    /// with it, until the connection breaks for all of them.
    pub(super) fn stall(&mut self, index: u32, packet: &Packet, now: Time) -> Verdict {
        let link = &mut self.links[index as usize];
        let next = now + self.spec.retransmit * (1 << link.timeouts.min(20));
        link.timeouts += 1;
        let last = (packet.sent + self.spec.give_up).max(now);
        link.stalled_until = next.min(last);
        if next > last {
            link.break_at(last);
        }
        link.held += 1;
        Verdict::Resend(link.stalled_until - now, stage::HELD)
    }

    /// A caller has heard nothing for too long: is its peer gone?
    pub(super) fn probe(&mut self, packet: &Packet, now: Time) -> Verdict {
        let (peer, caller) = (packet.from, packet.to);
        let is_cut = self.weather.cuts(peer, caller, now) || self.weather.cuts(caller, peer, now);
        let back = self.link(peer, caller) as usize;
        let has_broken = self.links[back].broken_at > packet.sent;
        let has_fallen = self.fell[peer.index()][0].is_some_and(|fell| fell >= packet.sent);
        match is_cut || has_broken || has_fallen {
            true => Verdict::Deliver(Span::ZERO),
            false => Verdict::Forget,
        }
    }

    /// A packet has reached a node that may have lost its connection: what becomes of it then.
    pub fn inspect(&mut self, packet: &Packet) -> Option<Verdict> {
        let index = self.link(packet.from, packet.to) as usize;
        if packet.from == packet.to || !self.links[index].is_stream() {
            return None;
        }
        if broken(self.fell[packet.to.index()][0], packet) {
            return Some(Verdict::Refuse(Fault::Reset, self.way_back(packet)));
        }
        let reset_at = self.links[index].rare.as_ref().map_or(Time(0), |rare| rare.reset_at);
        (packet.sent < reset_at).then_some(Verdict::Drop("connection reset"))
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

/// A node's process has crashed, perhaps with its host: its connections are gone. Who calls it
/// learns of that from the process, or, if the host is gone, from its own keepalive.
pub(crate) fn crashed(state: &mut State<World>, node: NodeId, with_host: bool) {
    let now = state.now();
    let network = &mut state.env.network;
    network.spoil();
    let fell = &mut network.fell[node.index()];
    fell[0] = Some(now);
    let keepalive = network.spec.keepalive.filter(|_| with_host);
    if with_host {
        fell[1] = Some(now);
    }
    state.set_wary(node);
    if let Some(keepalive) = keepalive {
        state.break_calls(|_, to| to == node, keepalive, 0);
    }
}

/// Connections are reset: both sides learn it at once, and what is under way is lost.
pub(crate) fn reset(state: &mut State<World>, is_meant: impl Fn(NodeId, NodeId) -> bool) {
    let now = state.now();
    for (from, to, index) in connections(&state.env.network, is_meant) {
        let link = &mut state.env.network.links[index];
        link.break_at(now);
        (link.is_told, link.stalled_until, link.last_arrival) = (true, now, now);
        let rare = link.rare();
        (rare.reset_at, rare.opened, rare.dead_since) = (now, None, None);
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
        network.links[index].rare().dead_since = Some(now);
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
