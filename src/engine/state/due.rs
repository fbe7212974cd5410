//! What falls due: one event leads to at most one poll of one task.
//!
//! The common cases are small and compiled into the loop; what is rare stands apart, so that its
//! registers and its stack are not the common case's burden.

use super::{Deferred, Kind, State, Status, packet};
use crate::engine::ahead::{Ahead, CACHED};
use crate::engine::environment::{Due, Environment, Packet};
use crate::engine::event::{Key, Record, Tag};
use crate::engine::fact::{Fate, Step};
use crate::engine::message::{Msg, NodeId};
use crate::engine::time::Time;
use crate::engine::waits::{Outcome, TaskId, WaitId};

impl<E: Environment> State<E> {
    /// What a request says that is being delivered, after a look at who sent it, for which
    /// operation, and what it brings along; its record is free again.
    #[inline(always)]
    pub(crate) fn open(&mut self, index: u32, look: impl FnOnce(&Record)) -> Msg {
        self.records.take_after(index, look)
    }

    /// Takes the key of the next event that is due by `end`, and lets time pass until then; `None`
    /// if there is none, or if the loop must look what is up.
    #[inline(always)]
    pub(crate) fn next(&mut self, end: Time) -> Option<Key> {
        if self.counts.events >= self.stop && self.is_stopped() {
            return None;
        }
        let hints = || Ahead {
            records: &self.records,
            places: &self.places,
            is_wanted: self.records.len() > CACHED,
        };
        let key = Key::unpack(self.queue.pop_before(end.0, hints)?);
        if key.at != self.now {
            self.set_now(key.at);
        }
        self.counts.events += 1;
        Some(key)
    }

    /// A request has come: its node, its pool and its place in it, if it is there to be spoken to.
    #[inline(always)]
    pub(crate) fn deliver(&mut self, index: u32) -> Option<(NodeId, u32, u32)> {
        let record = self.records.get(index);
        let node = record.to;
        let (what, key) = record.msg.identity();
        self.digest.fold(self.now.0, u64::from(node.0) << 40 ^ what << 3, key);
        let is_rare = record.is_cancellable || matches!(record.msg, Msg::Cancel { .. });
        let place = &self.places[node.index()];
        let (is_special, pool, local) = (place.is_special(), place.pool, place.local);
        if (is_special || is_rare) && self.turn_away(node, index) {
            return None;
        }
        self.trace(index, Kind::Request, Fate::Arrived);
        Some((node, u32::from(pool), local))
    }

    /// A request has come to a node that may not be up or not be meant, or a cancellation to any,
    /// or a request that may have been cancelled before: is it not to be served?
    #[cold]
    #[inline(never)]
    fn turn_away(&mut self, node: NodeId, index: u32) -> bool {
        let packet = packet(self.records.get(index), Kind::Request);
        let is_recall = matches!(self.records.get(index).msg, Msg::Cancel { .. });
        match self.status(node) {
            Status::Paused => {
                self.defer(node, Deferred::Message(Tag::Deliver, index));
            }
            // What a node asks itself belongs to what it has to finish.
            Status::Draining if packet.from == node || is_recall => {
                return self.is_recalled(node, index);
            }
            Status::Draining | Status::Down => match self.env.stand_in(&packet) {
                Some(instance) => {
                    self.records.get_mut(index).to = instance;
                    self.waits.redirect(self.records.get(index).wait, instance);
                    let verdict = self.env.route(&Packet { to: instance, ..packet }, self.now);
                    self.divert(verdict, Kind::Request, index);
                }
                None => {
                    let verdict = self.env.knock(&packet, self.now);
                    self.divert(verdict, Kind::Request, index);
                }
            },
            Status::Up => match self.env.inspect(&packet, self.now) {
                Some(verdict) => self.divert(verdict, Kind::Request, index),
                None => return self.is_recalled(node, index),
            },
        }
        true
    }

    /// The timer of a row has come: the task that it wakes, unless it was forgotten.
    #[inline]
    pub(crate) fn expire(&mut self, row: u32, sequence: u64) -> Due {
        match self.waits.armed(row, sequence) {
            Some((id, task)) => self.wake(id, task),
            None => Due::Nothing,
        }
    }

    /// An alarm of the environment has come.
    #[inline(never)]
    pub(crate) fn ring(&mut self, alarm: u32, sequence: u64) -> Due {
        self.digest.fold(self.now.0, 4, u64::from(alarm));
        E::alarm(self, alarm, sequence)
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn resend(&mut self, index: u32, kind: Kind) -> Due {
        let packet = packet(self.records.get(index), kind);
        let verdict = self.env.route(&packet, self.now);
        self.divert(verdict, kind, index);
        Due::Nothing
    }

    /// What befalls a paused node waits.
    #[cold]
    #[inline(never)]
    fn defer(&mut self, node: NodeId, what: Deferred) -> Due {
        self.backlogs.entry(node).or_default().push(what);
        Due::Nothing
    }

    #[inline(never)]
    pub(crate) fn answer(&mut self, index: u32) -> Due {
        let record = self.records.get(index);
        let (what, key) = match record.fault {
            None => record.msg.identity(),
            Some(fault) => (0x80 + fault as u64, 0),
        };
        let wait = record.wait;
        self.digest.fold(self.now.0, u64::from(record.to.0) << 40 ^ what << 3 ^ 1, key);
        let Some(task) = self.waits.waiting(wait) else { return self.orphan(index) };
        if self.status(task.node()) == Status::Paused {
            return self.defer(task.node(), Deferred::Message(Tag::Reply, index));
        }
        self.trace(index, Kind::Reply, Fate::Arrived);
        self.waits.settle(wait, Outcome::Replied(index.into()));
        Due::Poll(task)
    }

    /// A reply has come to a caller that had given up.
    #[cold]
    #[inline(never)]
    fn orphan(&mut self, index: u32) -> Due {
        self.counts.orphans += 1;
        self.trace(index, Kind::Reply, Fate::Orphaned);
        self.records.discard(index);
        Due::Nothing
    }

    /// A timer or a deadline of a row that still waits has come.
    #[inline]
    fn wake(&mut self, id: WaitId, task: TaskId) -> Due {
        self.digest.fold(self.now.0, u64::from(task.node().0) << 40 ^ 2, u64::from(task.slot()));
        if self.status(task.node()) == Status::Paused {
            return self.defer(task.node(), Deferred::Timer(id));
        }
        self.waits.settle(id, Outcome::TIMEOUT);
        Due::Poll(task)
    }

    #[inline(never)]
    pub(crate) fn deadline(&mut self, lane: u32) -> Due {
        let (id, next) = self.lanes.due(lane, &self.waits);
        if let Some(due) = next {
            self.push(due, Tag::Lane, lane);
        }
        let Some(task) = self.waits.waiting(id) else { return Due::Nothing };
        if let Some(tracer) = &self.tracer {
            tracer.borrow_mut().step(self.now, &Step::TimedOut(task.node()));
        }
        self.wake(id, task)
    }

    /// Lets a paused node go on: what has waited happens now, in its order.
    pub(crate) fn resume(&mut self, node: NodeId) {
        self.places[node.index()].status = Status::Up;
        for deferred in self.backlogs.remove(&node).unwrap_or_default() {
            match deferred {
                Deferred::Message(tag, index) => {
                    self.push(self.now, tag, index);
                }
                Deferred::Timer(id) if self.waits.is_open(id) => self.wake_at(id, self.now),
                Deferred::Timer(_) => {}
            }
        }
    }

    /// Forgets what waits for a paused node: it has crashed.
    pub(crate) fn abandon(&mut self, node: NodeId) {
        self.places[node.index()].status = Status::Down;
        for deferred in self.backlogs.remove(&node).unwrap_or_default() {
            match deferred {
                Deferred::Message(Tag::Reply, index) => self.lose(index, Kind::Reply, "node down"),
                Deferred::Message(_, index) => self.lose(index, Kind::Request, "node down"),
                Deferred::Timer(_) => {}
            }
        }
    }
}
