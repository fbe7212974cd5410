//! The state of a run that tasks may touch: time, pending events, waits, nodes' streams, counters.

mod astray;
mod due;
mod recall;

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::Sim;
use super::digest::Digest;
use super::environment::{Due, Environment, Packet, Verdict};
use super::event::{Key, Record, SEQUENCE_MAX, Slab, Tag};
use super::fact::{Fact, Fate, Hop, Observer, Step, Tracer};
use super::message::{Fault, Msg, NodeId, Reply, Root};
use super::name::Name;
use super::queue::Queue;
use super::rng::Rng;
use super::time::{Span, Time};
use super::waits::{Lanes, Outcome, TaskId, WaitId, Waits};
use super::withdrawal::Withdrawals;

/// Is a node there to be spoken to?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// It runs.
    Up = 0,
    /// It finishes what it has and takes no more requests.
    Draining,
    /// It is frozen: what happens to it waits until it resumes, as in a long garbage collection.
    Paused,
    /// It has crashed or was stopped.
    Down,
}

/// A node: its own random stream, where its tasks live, and whether it is there. Every delivery and
/// every draw looks here, so it is one cache line.
#[repr(align(64))]
pub(crate) struct Place {
    pub rng: Rng,
    /// Where the node itself lies, for the hints; its pool has it.
    pub body: *const u8,
    pub local: u32,
    pub pool: u16,
    pub status: Status,
    /// Does [`Environment::inspect`] look at what comes?
    pub is_wary: bool,
}

impl Place {
    /// Must a delivery look at the last two? Most need not.
    #[inline]
    pub fn is_special(&self) -> bool {
        self.status as u8 | u8::from(self.is_wary) != 0
    }
}

enum Deferred {
    Message(Tag, u32),
    Timer(WaitId),
}

/// What happened how often; plain counters, kept by the engine itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Events processed.
    pub events: u64,
    /// Messages handed to the network: requests and one-way messages.
    pub requests: u64,
    /// Replies handed to the network.
    pub replies: u64,
    /// Bytes of both.
    pub bytes: u64,
    /// Messages that never arrived.
    pub lost: u64,
    /// Times that the transport sent a message again.
    pub resent: u64,
    /// Replies that came after their caller had given up.
    pub orphans: u64,
    /// Cancellations handed to the network.
    pub cancellations: u64,
    /// Tasks dropped because their requests were taken back.
    pub withdrawn: u64,
}

/// The state of a run that tasks may touch.
pub struct State<E> {
    now: Time,
    /// Events that had been processed when this instant began.
    began: u64,
    /// Events to process in all before the loop must look what is up: the limit of the run, or so
    /// many at this instant that it seems to be stuck.
    stop: u64,
    limit: u64,
    sequence: u64,
    queue: Queue,
    records: Slab,
    pub(crate) waits: Waits,
    lanes: Lanes,
    pub(crate) places: Vec<Place>,
    /// What waits for paused nodes to resume.
    backlogs: BTreeMap<NodeId, Vec<Deferred>>,
    roots: u32,
    pub(crate) withdrawals: Withdrawals,
    /// Tasks whose requests have been taken back at this step, to be dropped before the next.
    pub(crate) withdrawn: Vec<TaskId>,
    /// What the process of a node keeps while it lives, one of each type.
    locals: BTreeMap<NodeId, Vec<Rc<dyn Any>>>,
    pub(crate) digest: Digest,
    /// What happened how often.
    pub counts: Counts,
    pub(crate) observer: Option<Rc<RefCell<dyn Observer>>>,
    /// Does the environment want to hear of facts?
    is_watched: bool,
    pub(crate) tracer: Option<Rc<RefCell<dyn Tracer>>>,
    /// Network, machines, disks: what surrounds the nodes.
    pub env: E,
}

impl<E: Environment> State<E> {
    pub(crate) fn new(env: E) -> State<E> {
        State {
            now: Time(0),
            began: 0,
            stop: 0,
            limit: 0,
            sequence: 0,
            queue: Queue::default(),
            records: Slab::default(),
            waits: Waits::default(),
            lanes: Lanes::default(),
            places: Vec::new(),
            backlogs: BTreeMap::new(),
            roots: 0,
            withdrawals: Withdrawals::default(),
            withdrawn: Vec::new(),
            locals: BTreeMap::new(),
            digest: Digest::default(),
            counts: Counts::default(),
            observer: None,
            is_watched: false,
            tracer: None,
            env,
        }
    }

    /// The simulated time.
    #[inline]
    pub fn now(&self) -> Time {
        self.now
    }

    /// Lets time pass.
    #[inline]
    pub(crate) fn set_now(&mut self, now: Time) {
        self.now = now;
        self.began = self.counts.events;
    }

    /// Sets the limit of events in all.
    pub(crate) fn set_limit(&mut self, events: u64) {
        self.limit = events;
        self.stop = 0;
    }

    /// Must the loop look what is up before it goes on? It need not be asked before `stop`.
    #[cold]
    pub(crate) fn is_stopped(&mut self) -> bool {
        let stuck = self.began + Sim::<E>::STEPS_MAX + 1;
        self.stop = self.stop.max(self.limit.min(stuck));
        self.counts.events >= self.stop
    }

    /// Lets the loop go on for now.
    pub(crate) fn go_on(&mut self) {
        self.stop = u64::MAX;
    }

    /// Have more events happened at this instant than a run that advances has?
    pub(crate) fn is_stuck(&self) -> bool {
        self.counts.events - self.began > Sim::<E>::STEPS_MAX
    }

    pub(crate) fn add(&mut self, rng: Rng, pool: u16, local: u32, body: *const u8) -> NodeId {
        let (status, is_wary) = (Status::Down, false);
        self.places.push(Place { rng, body, local, pool, status, is_wary });
        NodeId(self.places.len() as u32 - 1)
    }

    /// Whether a node is there.
    #[inline]
    pub fn status(&self, node: NodeId) -> Status {
        self.places[node.index()].status
    }

    /// From now on the environment looks at everything that reaches `node`: some of it may be of a
    /// connection that is no more.
    pub fn set_wary(&mut self, node: NodeId) {
        self.places[node.index()].is_wary = true;
    }

    /// How many events are pending.
    pub fn pending(&self) -> usize {
        self.queue.len()
    }

    /// How many messages are under way.
    pub fn under_way(&self) -> usize {
        self.records.len()
    }

    /// Heap memory of the pending events, in bytes.
    pub fn bytes(&self) -> usize {
        self.queue.bytes() + self.records.bytes()
    }

    /// A number for a new business operation.
    pub(crate) fn next_root(&mut self) -> Root {
        self.roots += 1;
        Root(self.roots)
    }

    /// Puts an event into the queue; its sequence number is now that of the state.
    #[inline(never)]
    fn push(&mut self, at: Time, tag: Tag, index: u32) {
        self.sequence += 1;
        assert!(self.sequence < SEQUENCE_MAX, "more than 2^36 events scheduled");
        self.queue.push(Key { at, sequence: self.sequence, tag, index }.pack());
    }

    // -- What tasks and the environment schedule ------------------------------------------------

    /// Wakes the task that waits on `id` at `at`; an earlier timer of the row is forgotten.
    #[inline]
    pub fn wake_at(&mut self, id: WaitId, at: Time) {
        self.push(at, Tag::Wake, id.slot());
        self.waits.arm(id, self.sequence);
    }

    /// Forgets the timer of a row.
    pub fn disarm(&mut self, id: WaitId) {
        self.waits.disarm(id);
    }

    /// Settles a row with a reply: the task to poll, if it still waits. Only for alarms, which hand
    /// the task to the engine.
    #[inline(always)]
    pub fn settle(&mut self, id: WaitId, reply: Reply) -> Due {
        let Some(task) = self.waits.waiting(id) else { return Due::Nothing };
        let outcome = match reply {
            Err(fault) => Outcome::Failed(fault as u64),
            Ok(Msg::Done { value }) => Outcome::Done(value),
            Ok(other) => self.keep(other),
        };
        self.waits.settle(id, outcome);
        Due::Poll(task)
    }

    /// Keeps a reply that came in no record until it is taken.
    #[inline(never)]
    fn keep(&mut self, msg: Msg) -> Outcome {
        let sent = self.now;
        let index = self.records.put(|| Record { msg, sent, ..Record::BLANK });
        Outcome::Replied(index.into())
    }

    /// What a reply says; its record is free again.
    #[inline]
    pub(crate) fn open_reply(&mut self, index: u32) -> Reply {
        let fault = self.records.get(index).fault;
        let msg = self.records.take(index);
        fault.map_or(Ok(msg), Err)
    }

    /// Closes a row, whatever has become of it.
    pub(crate) fn close(&mut self, id: WaitId) {
        if let Outcome::Replied(index) = self.waits.close(id) {
            self.records.discard(index as u32);
        }
    }

    /// Does anybody still wait on this row?
    pub fn is_awaited(&self, id: WaitId) -> bool {
        self.waits.is_open(id)
    }

    /// Asks for a call of [`Environment::alarm`] at `at`; returns the sequence number that it will
    /// carry, so that a superseded alarm can be told from the last one.
    #[inline]
    pub fn set_alarm(&mut self, at: Time, alarm: u32) -> u64 {
        self.push(at, Tag::Alarm, alarm);
        self.sequence
    }

    /// Asks for a call of [`Environment::control`] at `at`.
    pub fn set_control(&mut self, at: Time, control: u32) {
        self.push(at, Tag::Control, control);
    }

    #[inline]
    pub(crate) fn set_deadline(&mut self, id: WaitId, length: Span) {
        if let Some((lane, due)) = self.lanes.set(self.now, length, id) {
            self.push(due, Tag::Lane, lane);
        }
    }

    /// A deadline at an instant instead of after a length.
    pub(crate) fn set_end(&mut self, id: WaitId, at: Time) {
        self.wake_at(id, at.max(self.now));
    }

    /// Writes down a message, in its place.
    #[inline(always)]
    pub(crate) fn write(&mut self, record: impl FnOnce() -> Record) -> u32 {
        self.records.put(record)
    }

    /// Puts a message on its way with a delay that the sender chose: the network is not asked.
    #[inline(always)]
    pub(crate) fn post(&mut self, index: u32, delay: Span) {
        self.counts.requests += 1;
        self.counts.bytes += u64::from(self.records.get(index).bytes());
        self.trace(index, Kind::Request, Fate::Sent);
        self.push(self.now + delay, Tag::Deliver, index);
    }

    /// A message of a node to itself, which crosses no network.
    #[inline(never)]
    pub(crate) fn kick(&mut self, index: u32) {
        self.push(self.now, Tag::Deliver, index);
    }

    /// Gives `node` something to do now, from outside of the run.
    pub(crate) fn nudge(&mut self, node: NodeId, msg: Msg) {
        let sent = self.now;
        let index = self.write(|| Record { msg, from: node, to: node, sent, ..Record::BLANK });
        self.kick(index);
    }

    /// Hands a message to the network.
    #[inline(always)]
    pub(crate) fn transmit(&mut self, index: u32, kind: Kind) {
        match kind {
            Kind::Request => self.counts.requests += 1,
            Kind::Reply => self.counts.replies += 1,
        }
        let record = self.records.get(index);
        self.counts.bytes += u64::from(record.bytes());
        if self.tracer.is_none() && self.env.is_at_once(record.from, record.to) {
            self.push(self.now, kind.arrival(), index);
        } else {
            self.carry(index, kind);
        }
    }

    /// The same for what takes its time, or is to be seen on its way.
    #[inline(never)]
    fn carry(&mut self, index: u32, kind: Kind) {
        let packet = packet(self.records.get(index), kind);
        self.trace(index, kind, Fate::Sent);
        match self.env.route(&packet, self.now) {
            Verdict::Deliver(after) => {
                self.push(self.now + after, kind.arrival(), index);
            }
            verdict => self.divert(verdict, kind, index),
        }
    }

    // -- Facts and traces -----------------------------------------------------------------------

    /// Records a fact about `node`.
    #[inline]
    pub fn note(&mut self, node: NodeId, root: Root, what: Name, (key, value): (u64, u64)) {
        let fact = Fact { at: self.now, node, root, what, key, value };
        if let Some(tracer) = &self.tracer {
            tracer.borrow_mut().step(self.now, &Step::Noted(&fact));
        }
        if let Some(observer) = &self.observer {
            observer.borrow_mut().fact(&fact);
        }
        if self.is_watched {
            E::noted(self, &fact);
        }
    }

    /// From now on [`Environment::noted`] is called for every fact.
    pub fn watch_facts(&mut self) {
        self.is_watched = true;
    }

    #[inline]
    pub(super) fn trace(&self, index: u32, kind: Kind, fate: Fate) {
        if let Some(tracer) = &self.tracer {
            show(tracer, self.now, self.records.get(index), kind, fate);
        }
    }
}

#[cold]
fn show(tracer: &RefCell<dyn Tracer>, now: Time, record: &Record, kind: Kind, fate: Fate) {
    let hop = Hop {
        from: record.from,
        to: record.to,
        root: record.root,
        body: &record.body(),
        is_reply: kind == Kind::Reply,
        is_awaited: kind == Kind::Request && record.wait != WaitId::NONE,
        sent: record.sent,
    };
    tracer.borrow_mut().step(now, &Step::Message(&hop, fate));
}

/// Does a record ask, or answer?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Request,
    Reply,
}

impl Kind {
    #[inline]
    fn arrival(self) -> Tag {
        if self == Kind::Reply { Tag::Reply } else { Tag::Deliver }
    }

    fn again(self) -> Tag {
        if self == Kind::Reply { Tag::ResendReply } else { Tag::ResendRequest }
    }
}

#[inline]
fn packet(record: &Record, kind: Kind) -> Packet {
    Packet {
        from: record.from,
        to: record.to,
        bytes: record.bytes(),
        is_reply: kind == Kind::Reply,
        is_reset: record.fault == Some(Fault::Reset),
        stage: record.stage,
        sent: record.sent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_one_cache_line() {
        assert_eq!(size_of::<Place>(), 64);
    }
}
