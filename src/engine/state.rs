//! The state of a run that tasks may touch: time, pending events, waits, nodes' streams, counters.

use std::cell::RefCell;
use std::rc::Rc;

use super::digest::Digest;
use super::environment::{Due, Environment, Packet, Verdict};
use super::event::{Key, Record, SEQUENCE_MAX, Slab, Tag};
use super::fact::{Fact, Fate, Hop, Observer, Step, Tracer};
use super::message::{Fault, Msg, NodeId, Reply, Root};
use super::name::Name;
use super::prefetch::prefetch;
use super::queue::{Hints, Queue};
use super::rng::Rng;
use super::time::{Span, Time};
use super::waits::{Lanes, TaskId, WaitId, Waits};

/// Is a node there to be spoken to?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// It runs.
    Up,
    /// It is frozen: what happens to it waits until it resumes, as in a long garbage collection.
    Paused,
    /// It has crashed or was stopped.
    Down,
}

/// A node as the engine keeps it: its own random stream, and where its tasks live.
pub(crate) struct Resident {
    pub rng: Rng,
    pub status: Status,
    pub pool: u32,
    pub local: u32,
    /// What waits for a paused node to resume.
    backlog: Vec<Deferred>,
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
}

/// What to do next, outside of the borrow of the state.
#[derive(Clone, Copy)]
pub(crate) enum Action {
    Nothing,
    Deliver { pool: u32, local: u32, index: u32 },
    Poll { pool: u32, task: TaskId },
    Control(u32),
}

/// The state of a run that tasks may touch.
pub struct State<E> {
    now: Time,
    sequence: u64,
    queue: Queue,
    records: Slab,
    pub(crate) waits: Waits,
    lanes: Lanes,
    pub(crate) nodes: Vec<Resident>,
    roots: u32,
    pub(crate) digest: Digest,
    /// What happened how often.
    pub counts: Counts,
    pub(crate) observer: Option<Rc<RefCell<dyn Observer>>>,
    pub(crate) tracer: Option<Rc<RefCell<dyn Tracer>>>,
    /// Network, machines, disks: what surrounds the nodes.
    pub env: E,
}

impl<E: Environment> State<E> {
    pub(crate) fn new(env: E) -> State<E> {
        State {
            now: Time(0),
            sequence: 0,
            queue: Queue::default(),
            records: Slab::default(),
            waits: Waits::default(),
            lanes: Lanes::default(),
            nodes: Vec::new(),
            roots: 0,
            digest: Digest::default(),
            counts: Counts::default(),
            observer: None,
            tracer: None,
            env,
        }
    }

    /// The simulated time.
    #[inline]
    pub fn now(&self) -> Time {
        self.now
    }

    pub(crate) fn set_now(&mut self, now: Time) {
        self.now = now;
    }

    pub(crate) fn add(&mut self, rng: Rng, pool: u32, local: u32) -> NodeId {
        let status = Status::Down;
        self.nodes.push(Resident { rng, status, pool, local, backlog: Vec::new() });
        NodeId(self.nodes.len() as u32 - 1)
    }

    /// Whether a node is there.
    pub fn status(&self, node: NodeId) -> Status {
        self.nodes[node.index()].status
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
        self.queue.bytes() + self.records.len() * size_of::<Record>()
    }

    /// A number for a new business operation.
    pub(crate) fn next_root(&mut self) -> Root {
        self.roots += 1;
        Root(self.roots)
    }

    #[inline]
    fn push(&mut self, at: Time, tag: Tag, index: u32) -> u64 {
        self.sequence += 1;
        assert!(self.sequence < SEQUENCE_MAX, "more than 2^36 events scheduled");
        self.queue.push(Key { at, sequence: self.sequence, tag, index }.pack());
        self.sequence
    }

    // -- What tasks and the environment schedule ------------------------------------------------

    /// Wakes the task that waits on `id` at `at`; an earlier timer of the row is forgotten.
    #[inline]
    pub fn wake_at(&mut self, id: WaitId, at: Time) {
        let sequence = self.push(at, Tag::Wake, id.slot());
        self.waits.arm(id, sequence);
    }

    /// Forgets the timer of a row.
    pub fn disarm(&mut self, id: WaitId) {
        self.waits.disarm(id);
    }

    /// Settles a row with a reply: the task to poll, if it still waits. Only for alarms, which hand
    /// the task to the engine.
    #[inline]
    pub fn settle(&mut self, id: WaitId, reply: Reply) -> Due {
        match self.waits.waiting(id) {
            Some(task) => {
                self.waits.settle(id, reply);
                Due::Poll(task)
            }
            None => Due::Nothing,
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
        self.push(at, Tag::Alarm, alarm)
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

    /// Puts a message on its way with a delay that the sender chose: the network is not asked.
    #[inline]
    pub(crate) fn post(&mut self, record: Record, delay: Span) {
        self.counts.requests += 1;
        self.counts.bytes += u64::from(bytes(&record.body));
        let index = self.records.put(record);
        self.trace(index, Kind::Request, Fate::Sent);
        self.push(self.now + delay, Tag::Deliver, index);
    }

    /// A message of a node to itself, which crosses no network.
    #[inline]
    pub(crate) fn kick(&mut self, record: Record) {
        let index = self.records.put(record);
        self.push(self.now, Tag::Deliver, index);
    }

    /// Hands a message to the network.
    #[inline]
    pub(crate) fn transmit(&mut self, record: Record, kind: Kind) {
        match kind {
            Kind::Request => self.counts.requests += 1,
            Kind::Reply => self.counts.replies += 1,
        }
        self.counts.bytes += u64::from(bytes(&record.body));
        let index = self.records.put(record);
        self.trace(index, kind, Fate::Sent);
        self.route(index, kind);
    }

    #[inline]
    fn route(&mut self, index: u32, kind: Kind) {
        let packet = packet(self.records.get(index));
        match self.env.route(&packet, self.now) {
            Verdict::Deliver(after) => {
                self.push(self.now + after, kind.arrival(), index);
            }
            Verdict::Duplicate(first, second) => {
                let copy = self.records.get(index).clone();
                let copy = self.records.put(copy);
                self.push(self.now + first, kind.arrival(), index);
                self.push(self.now + second, kind.arrival(), copy);
            }
            Verdict::Drop(why) => self.lose(index, kind, why),
            Verdict::Resend(after) => {
                self.counts.resent += 1;
                self.records.get_mut(index).attempt += 1;
                self.push(self.now + after, kind.again(), index);
            }
            Verdict::Refuse(fault, after) => self.refuse(index, kind, fault, after),
        }
    }

    #[cold]
    fn lose(&mut self, index: u32, kind: Kind, why: &'static str) {
        self.counts.lost += 1;
        self.trace(index, kind, Fate::Lost(why));
        self.records.take(index);
    }

    /// Tells the sender of a request, in the transport's name, that it did not get through.
    #[cold]
    fn refuse(&mut self, index: u32, kind: Kind, fault: Fault, after: Span) {
        self.counts.lost += 1;
        self.trace(index, kind, Fate::Lost(fault.label()));
        let now = self.now;
        let record = self.records.get_mut(index);
        if kind == Kind::Reply || record.wait == WaitId::NONE {
            self.records.take(index);
            return;
        }
        (record.from, record.to) = (record.to, record.from);
        (record.body, record.sent) = (Err(fault), now);
        self.push(now + after, Tag::Reply, index);
    }

    // -- What falls due -------------------------------------------------------------------------

    /// Where a message under way goes.
    pub(crate) fn target(&self, index: u32) -> NodeId {
        self.records.get(index).to
    }

    /// What a message that is being delivered says, who says it and where the answer is awaited.
    #[inline]
    pub(crate) fn open(&mut self, index: u32) -> (Reply, NodeId, WaitId, NodeId, Root) {
        let Record { from, wait, to, root, .. } = *self.records.get(index);
        (self.records.take(index), from, wait, to, root)
    }

    /// Takes the next event that is due by `end`; `None` if there is none.
    #[inline]
    pub(crate) fn next(&mut self, end: Time) -> Option<Action> {
        let hints = Ahead { records: &self.records, nodes: &self.nodes };
        let key = Key::unpack(self.queue.pop_before(end.0, &hints)?);
        self.now = key.at;
        self.counts.events += 1;
        Some(match key.tag {
            Tag::Deliver => self.deliver(key.index),
            Tag::Reply => self.answer(key.index),
            Tag::Wake => match self.waits.armed(key.index, key.sequence) {
                Some(id) => self.wake(id),
                None => Action::Nothing,
            },
            Tag::Lane => self.deadline(key.index),
            Tag::ResendRequest => self.resend(key.index, Kind::Request),
            Tag::ResendReply => self.resend(key.index, Kind::Reply),
            Tag::Alarm => {
                self.digest.fold(key.at.0, 4, u64::from(key.index));
                match E::alarm(self, key.index, key.sequence) {
                    Due::Poll(task) => self.poll(task),
                    Due::Nothing => Action::Nothing,
                }
            }
            Tag::Control => {
                self.digest.fold(key.at.0, 5, u64::from(key.index));
                Action::Control(key.index)
            }
        })
    }

    #[inline]
    fn poll(&self, task: TaskId) -> Action {
        Action::Poll { pool: self.nodes[task.node.index()].pool, task }
    }

    #[cold]
    fn resend(&mut self, index: u32, kind: Kind) -> Action {
        self.route(index, kind);
        Action::Nothing
    }

    #[inline]
    fn deliver(&mut self, index: u32) -> Action {
        let record = self.records.get(index);
        let (what, key) = match &record.body {
            Ok(msg) => (msg.tag(), msg.key()),
            Err(_) => (0, 0),
        };
        self.digest.fold(self.now.0, u64::from(record.to.0) << 40 ^ what << 3, key);
        let node = &mut self.nodes[record.to.index()];
        match node.status {
            Status::Up => {
                let (pool, local) = (node.pool, node.local);
                self.trace(index, Kind::Request, Fate::Arrived);
                Action::Deliver { pool, local, index }
            }
            Status::Paused => {
                node.backlog.push(Deferred::Message(Tag::Deliver, index));
                Action::Nothing
            }
            Status::Down => self.knock(index),
        }
    }

    /// A request has come to a node that is down.
    #[cold]
    fn knock(&mut self, index: u32) -> Action {
        let packet = packet(self.records.get(index));
        match self.env.knock(&packet, self.now) {
            Some((fault, after)) => self.refuse(index, Kind::Request, fault, after),
            None => self.lose(index, Kind::Request, "node down"),
        }
        Action::Nothing
    }

    #[inline]
    fn answer(&mut self, index: u32) -> Action {
        let record = self.records.get(index);
        let (what, key) = match &record.body {
            Ok(msg) => (msg.tag(), msg.key()),
            Err(fault) => (0x80 + *fault as u64, 0),
        };
        let wait = record.wait;
        self.digest.fold(self.now.0, u64::from(record.to.0) << 40 ^ what << 3 ^ 1, key);
        let Some(task) = self.waits.waiting(wait) else {
            self.counts.orphans += 1;
            self.trace(index, Kind::Reply, Fate::Orphaned);
            self.records.take(index);
            return Action::Nothing;
        };
        let node = &mut self.nodes[task.node.index()];
        if node.status == Status::Paused {
            node.backlog.push(Deferred::Message(Tag::Reply, index));
            return Action::Nothing;
        }
        self.trace(index, Kind::Reply, Fate::Arrived);
        let body = self.records.take(index);
        self.waits.settle(wait, body);
        self.poll(task)
    }

    /// A timer or a deadline of a row that still waits has come.
    #[inline]
    fn wake(&mut self, id: WaitId) -> Action {
        let Some(task) = self.waits.waiting(id) else { return Action::Nothing };
        self.digest.fold(self.now.0, u64::from(task.node.0) << 40 ^ 2, u64::from(task.slot));
        let node = &mut self.nodes[task.node.index()];
        if node.status == Status::Paused {
            node.backlog.push(Deferred::Timer(id));
            return Action::Nothing;
        }
        self.waits.settle(id, Err(Fault::Timeout));
        self.poll(task)
    }

    #[inline]
    fn deadline(&mut self, lane: u32) -> Action {
        let (id, next) = self.lanes.due(lane, &self.waits);
        if let Some(due) = next {
            self.push(due, Tag::Lane, lane);
        }
        if let (Some(tracer), Some(task)) = (&self.tracer, self.waits.waiting(id)) {
            tracer.borrow_mut().step(self.now, &Step::TimedOut(task.node));
        }
        self.wake(id)
    }

    /// Lets a paused node go on: what has waited happens now, in its order.
    pub(crate) fn resume(&mut self, node: NodeId) {
        let resident = &mut self.nodes[node.index()];
        resident.status = Status::Up;
        for deferred in std::mem::take(&mut resident.backlog) {
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
        let resident = &mut self.nodes[node.index()];
        resident.status = Status::Down;
        for deferred in std::mem::take(&mut resident.backlog) {
            match deferred {
                Deferred::Message(Tag::Reply, index) => self.lose(index, Kind::Reply, "node down"),
                Deferred::Message(_, index) => self.lose(index, Kind::Request, "node down"),
                Deferred::Timer(_) => {}
            }
        }
    }

    // -- Facts and traces -----------------------------------------------------------------------

    /// Records a fact about `node`.
    #[inline]
    pub fn note(&mut self, node: NodeId, root: Root, what: Name, key: u64, value: u64) {
        let fact = Fact { at: self.now, node, root, what, key, value };
        if let Some(tracer) = &self.tracer {
            tracer.borrow_mut().step(self.now, &Step::Noted(&fact));
        }
        if let Some(observer) = &self.observer {
            observer.borrow_mut().fact(&fact);
        }
    }

    #[inline]
    fn trace(&self, index: u32, kind: Kind, fate: Fate) {
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
        body: &record.body,
        is_reply: kind == Kind::Reply,
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
fn bytes(body: &Reply) -> u32 {
    body.as_ref().map_or(Msg::HEADER, Msg::bytes)
}

#[inline]
fn packet(record: &Record) -> Packet {
    Packet {
        from: record.from,
        to: record.to,
        bytes: bytes(&record.body),
        attempt: record.attempt,
        sent: record.sent,
    }
}

/// Fetches the records and the nodes of the next events ahead of time.
struct Ahead<'a> {
    records: &'a Slab,
    nodes: &'a [Resident],
}

/// Fewer records than this stay in cache by themselves.
const CACHED: usize = 1 << 12;

impl Ahead<'_> {
    #[inline]
    fn record(&self, key: u128) -> Option<&Record> {
        let key = Key::unpack(key);
        let is_record = matches!(key.tag, Tag::Deliver | Tag::Reply);
        (is_record && self.records.len() > CACHED).then(|| self.records.get(key.index))
    }
}

impl Hints for Ahead<'_> {
    #[inline]
    fn early(&self, key: u128) {
        if let Some(record) = self.record(key) {
            prefetch(record);
        }
    }

    #[inline]
    fn late(&self, key: u128) {
        if let Some(record) = self.record(key) {
            prefetch(&self.nodes[record.to.index()]);
        }
    }
}
