//! A host that is off, and then on again: what becomes of the streams to its nodes.
//!
//! While it is off nobody answers, and a stream tries again and again, as through a partition. Once
//! it is on, its kernel knows nothing of the connections that it had: what comes over one of them
//! is answered with a reset, whether or not the process runs already (RFC 9293, 3.5.2), and then
//! all who wait over that connection learn that it is gone. Who sends nothing learns nothing.

use super::link::Dead;
use super::{Falls, Network, stage};
use crate::engine::{Fault, NodeId, Packet, Span, State, Time, Verdict};
use crate::world::World;

/// What befalls a packet to a node that is not there, or a datagram.
const DOWN: Verdict = Verdict::Drop("node down");

impl Network {
    /// What becomes of a packet that sets out for a host that is off, or over a connection that it
    /// has forgotten; `None` if it can be carried.
    pub(super) fn vain(&mut self, index: u32, packet: &Packet, now: Time) -> Option<Verdict> {
        if !self.links[index as usize].is_stream() {
            return None;
        }
        let is_dark = self.is_dark(packet.to);
        if packet.is_reply {
            // Who has asked is no more.
            return is_dark.then_some(Verdict::Drop("host down"));
        }
        if !is_dark {
            self.dead(index, packet)?;
        }
        // A reset has to come back.
        if is_dark || self.weather.cuts(packet.to, packet.from, now) {
            return Some(self.unanswered(index, packet, now, now));
        }
        let trip = self.round_trip(packet);
        Some(self.rebuff(index, now, trip))
    }

    /// A try at `tried` found nobody: the request is sent again. Answers go the same way over
    /// connections that the host has opened since, and do not wait.
    fn unanswered(&mut self, index: u32, packet: &Packet, tried: Time, now: Time) -> Verdict {
        let verdict = self.stall(index, packet, tried, now);
        self.links[index as usize].spares_answers = true;
        verdict
    }

    /// A host answers that it knows nothing of a connection; that is there after this span.
    fn rebuff(&mut self, index: u32, now: Time, after: Span) -> Verdict {
        let verdict = self.give_up(index, now, now + after);
        self.links[index as usize].spares_answers = true;
        verdict
    }

    /// A request has come over a connection that its receiver has lost meanwhile: what becomes of
    /// it; `None` if it has not.
    fn disown(&mut self, index: u32, packet: &Packet, now: Time) -> Option<Verdict> {
        let rare = self.links[index as usize].rare.as_ref()?;
        if packet.sent >= rare.reset_at {
            return None;
        }
        if !rare.dead.is_some_and(|dead| dead.answers) {
            return Some(Verdict::Drop(Fault::Reset.label()));
        }
        let back = self.way_back(packet);
        Some(self.rebuff(index, now, back))
    }

    /// Was the packet sent to the former life of its receiver?
    fn is_late(&self, index: u32, packet: &Packet) -> bool {
        let Falls { process, host, .. } = self.falls[packet.to.index()];
        let unopened = self.links[index as usize].rare.as_ref().and_then(|rare| rare.unopened);
        // What tries again has not come before, and may be what opens a connection. What had come
        // before the host went is known.
        let opens = process == host || unopened.is_some_and(|until| packet.sent <= until);
        let is_new = packet.stage == stage::HELD && opens;
        process.is_some_and(|fell| packet.sent <= fell) && !is_new
    }

    /// A packet has reached a node that may have lost its connection: what becomes of it then.
    pub fn inspect(&mut self, packet: &Packet, now: Time) -> Option<Verdict> {
        let index = self.link(packet.from, packet.to);
        if packet.from == packet.to || !self.links[index as usize].is_stream() {
            return None;
        }
        let disowned = self.disown(index, packet, now);
        if disowned.is_none() && self.is_late(index, packet) {
            return Some(Verdict::Refuse(Fault::Reset, self.way_back(packet)));
        }
        disowned
    }

    /// A packet has reached a node that is down: a stream is refused, or reset if it was there
    /// before the crash. If the host itself is off, nobody says so, and it is sent again.
    pub fn knock(&mut self, packet: &Packet, now: Time) -> Verdict {
        let index = self.link(packet.from, packet.to);
        let link = &mut self.links[index as usize];
        if packet.from != packet.to && link.is_stream() {
            if self.dark[packet.to.index()] > 0 {
                return match now < link.stalled_until {
                    true => link.queue(now),
                    false => self.missed(index, packet, now),
                };
            }
            if let Some(verdict) = self.disown(index, packet, now) {
                return verdict;
            }
        }
        let back = self.link(packet.to, packet.from) as usize;
        if self.is_dark(packet.to) || !self.links[back].is_stream() {
            return DOWN;
        }
        let fault = if self.is_late(index, packet) { Fault::Reset } else { Fault::Unreachable };
        Verdict::Refuse(fault, self.way_back(packet))
    }

    /// A packet was on its way when its receiver's host went off.
    fn missed(&mut self, index: u32, packet: &Packet, now: Time) -> Verdict {
        // When one left that had to wait before is not known.
        let left = if packet.stage == stage::FRESH { packet.sent } else { now };
        self.unanswered(index, packet, left, now)
    }

    /// A node's process crashes. Over streams that nothing has come through since their connection
    /// was last lost there is none that could be gone: what is being tried opens one.
    fn spare(&mut self, node: NodeId, now: Time) {
        let Falls { process, on_again, .. } = self.falls[node.index()];
        let lost = process.max(on_again).unwrap_or(Time(0));
        for (_, index) in self.incoming(node) {
            let link = &mut self.links[index as usize];
            if link.is_stream() && link.held > 0 && link.last_arrival <= lost.max(link.broken_at) {
                link.rare().unopened = Some(now);
            }
        }
    }

    /// The links to a node that have been used so far, with their senders.
    fn incoming(&self, node: NodeId) -> Vec<(NodeId, u32)> {
        let link = |(from, links): (NodeId, &Vec<(NodeId, u32)>)| {
            let place = links.binary_search_by_key(&node, |(to, _)| *to).ok()?;
            Some((from, links[place].1))
        };
        (0..).map(NodeId).zip(&self.outgoing).filter_map(link).collect()
    }

    /// A node's connections are gone with its process. If its host is gone too, those who have
    /// called it do not know that.
    fn disconnect(&mut self, node: NodeId, now: Time, with_host: bool) {
        for (_, index) in &self.outgoing[node.index()] {
            let link = &mut self.links[*index as usize];
            match &mut link.rare {
                _ if with_host => link.close(now),
                Some(rare) => rare.dead = None,
                None => {}
            }
        }
        let incoming = if with_host { self.incoming(node) } else { Vec::new() };
        for (from, index) in incoming.into_iter().filter(|(from, _)| *from != node) {
            if let Some(rare) = &mut self.links[index as usize].rare {
                // What is being opened has nobody to be opened with.
                rare.opened = rare.opened.filter(|(since, _)| *since <= now);
            }
            if self.is_used(index, (from, node), now) {
                let rare = self.links[index as usize].rare();
                rare.dead = rare.dead.or(Some(Dead { since: now, answers: true }));
                rare.reset_at = now + Span(1);
            }
        }
    }
}

/// A node's process has crashed, perhaps with its host: its connections are gone. Who calls it
/// learns of that from the process, or, if the host is gone, when the host is back and something is
/// sent to it, or from its own keepalive.
pub(crate) fn crashed(state: &mut State<World>, node: NodeId, with_host: bool) {
    let now = state.now();
    let network = &mut state.env.network;
    network.spoil();
    network.disconnect(node, now, with_host);
    if !with_host {
        network.spare(node, now);
    }
    let falls = &mut network.falls[node.index()];
    falls.process = Some(now);
    let keepalive = network.spec.keepalive.filter(|_| with_host);
    if with_host {
        falls.host = Some(now);
    }
    state.set_wary(node);
    if let Some(keepalive) = keepalive {
        state.break_calls(|_, to| to == node, keepalive, 0);
    }
}
