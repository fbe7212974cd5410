//! A discrete-event machine: a queue of events, tasks that wait, and the loop that joins them.
//!
//! It knows no network, no pattern and no file. A run is a function of its nodes, its environment
//! and its seed. One event leads to at most one poll of one task; nothing but the queue orders
//! anything. What a task does goes through its [`Cx`]; what surrounds the nodes is an
//! [`Environment`].

mod ahead;
mod cancellable;
mod condition;
mod cx;
mod digest;
pub mod dist;
mod environment;
mod event;
mod fact;
mod message;
mod name;
mod prefetch;
mod queue;
mod rng;
mod state;
mod tasks;
mod time;
mod together;
mod units;
mod waits;
mod withdrawal;

use std::any::TypeId;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

pub use cancellable::Cancellable;
pub use condition::Condition;
pub use cx::{Call, Cx};
pub use digest::Digest;
pub use dist::{Dist, SizeDist};
pub use environment::{Due, Environment, Packet, Verdict};
pub use event::{PENDING_MAX, SEQUENCE_MAX};
pub use fact::{Fact, Fate, Hop, Observer, Step, Tracer};
pub use message::{Baggage, Change, Class, Expect, Fault, Msg, NodeId, Parcel, Reply, Root, Row};
pub use name::{Lexicon, Name};
pub use rng::{Rng, name_hash};
pub use state::{Counts, State, Status};
pub use time::{Span, Time};
pub use together::{Either, all, quorum, race};
pub(crate) use units::spelt;
pub use units::{Bandwidth, Bytes, Factor, ParseError, Rate, Ratio, Shift};
pub use waits::WaitId;

use cx::Core;
use event::Tag;
use state::Kind;
pub(crate) use tasks::{Desk, Pool, pool};

/// Why a run stopped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Halt {
    /// The end of the run was reached, or nothing is pending any more.
    Done,
    /// The stated limit of events was reached.
    Events,
    /// Time does not advance: more than [`Sim::STEPS_MAX`] events at one instant. Names the nodes
    /// of the last tasks that ran.
    Stuck(Time, Vec<NodeId>),
}

/// A run.
pub struct Sim<E: Environment> {
    core: Rc<Core<E>>,
    pools: Vec<Box<dyn Pool<E>>>,
    kinds: BTreeMap<TypeId, u16>,
    seed: u64,
}

impl<E: Environment> Sim<E> {
    /// How many events may happen at one instant before the run is declared stuck.
    pub const STEPS_MAX: u64 = 1_000_000;

    /// An empty run.
    pub fn new(seed: u64, env: E) -> Sim<E> {
        let core = Core::new(State::new(env));
        Sim { core, pools: Vec::new(), kinds: BTreeMap::new(), seed }
    }

    /// The seed of every random stream of this run.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Adds a node that is down until [`Sim::boot`]. Its random stream is named `name`, so it does
    /// not depend on what else is added. Kept as `spec` and made from it again at every boot.
    pub(crate) fn add<N: Clone + 'static>(
        &mut self,
        name: &str,
        spec: N,
        pool: impl FnOnce() -> Box<dyn Pool<E>>,
    ) -> NodeId {
        let pools = &mut self.pools;
        let kind = *self.kinds.entry(TypeId::of::<N>()).or_insert_with(|| {
            pools.push(pool());
            u16::try_from(pools.len() - 1).expect("no program has so many types of nodes")
        });
        let pool = &mut self.pools[usize::from(kind)];
        let local = pool.add(Box::new(spec));
        let body = pool.make(local);
        self.core.state_mut().add(Rng::new(self.seed, name), kind, local, body)
    }

    /// Looks at, or changes, the state between events.
    pub fn with<T>(&self, look: impl FnOnce(&mut State<E>) -> T) -> T {
        look(&mut self.core.state_mut())
    }

    /// Shows every fact to `observer` from now on.
    pub fn observe(&mut self, observer: Rc<RefCell<dyn Observer>>) {
        self.core.state_mut().observer = Some(observer);
    }

    /// Shows every step to `tracer` from now on.
    pub fn trace(&mut self, tracer: Rc<RefCell<dyn Tracer>>) {
        self.core.state_mut().tracer = Some(tracer);
    }

    /// The digest of everything processed so far.
    pub fn digest(&self) -> Digest {
        self.core.state().digest
    }

    fn place(&self, node: NodeId) -> (usize, u32) {
        let place = &self.core.state().places[node.index()];
        (usize::from(place.pool), place.local)
    }

    /// Starts a node that is down: it is made afresh and its boot task runs.
    pub fn boot(&mut self, node: NodeId) {
        let (pool, local) = self.place(node);
        self.renew(node);
        self.core.state_mut().places[node.index()].status = Status::Up;
        self.pools[pool].boot(&self.core, node, local);
    }

    /// Stops a node: its tasks and its volatile state are gone. The engine holds no borrow
    /// meanwhile.
    pub fn crash(&mut self, node: NodeId) {
        let (pool, local) = self.place(node);
        self.core.state_mut().abandon(node);
        self.pools[pool].crash(node, local);
        self.renew(node);
    }

    /// Makes a node afresh; the old one is dropped while nothing is borrowed.
    fn renew(&mut self, node: NodeId) {
        let (pool, local) = self.place(node);
        let body = self.pools[pool].make(local);
        let mut state = self.core.state_mut();
        state.places[node.index()].body = body;
        let kept = state.forget(node);
        drop(state);
        drop(kept);
    }

    /// Lets a node take no more requests and finish what it has.
    pub fn drain(&mut self, node: NodeId) {
        self.core.state_mut().places[node.index()].status = Status::Draining;
    }

    /// Is a node at work on no request?
    pub fn is_idle(&self, node: NodeId) -> bool {
        let (pool, _) = self.place(node);
        self.pools[pool].is_idle(node)
    }

    /// From its next start on a node is made from this spec, if that is of the same kind.
    pub(crate) fn respec<N: Clone + 'static>(&mut self, node: NodeId, spec: N) {
        let (pool, local) = self.place(node);
        let kind = self.kinds.get(&TypeId::of::<N>()).copied();
        if kind.map(usize::from) == Some(pool) {
            self.pools[pool].respec(local, Box::new(spec));
        }
    }

    /// Freezes a node: what happens to it waits for [`Sim::resume`].
    pub fn pause(&mut self, node: NodeId) {
        self.core.state_mut().places[node.index()].status = Status::Paused;
    }

    /// Lets a frozen node go on.
    pub fn resume(&mut self, node: NodeId) {
        self.core.state_mut().resume(node);
    }

    /// Runs until `end` (inclusive), or until `events` events were processed in all.
    pub fn run(&mut self, end: Time, events: u64) -> Halt {
        self.core.state_mut().set_limit(events);
        while !matches!(self.step(end), Went::Nowhere) {}
        if self.core.state_mut().is_stopped() {
            return self.halt();
        }
        if end < Time::MAX {
            self.core.state_mut().set_now(end);
        }
        Halt::Done
    }

    /// Processes the next event that is due by `end`.
    #[inline(always)]
    fn step(&mut self, end: Time) -> Went {
        let mut state = self.core.state_mut();
        let Some(key) = state.next(end) else { return Went::Nowhere };
        let due = match key.tag {
            Tag::Deliver => {
                let Some((node, pool, local)) = state.deliver(key.index) else {
                    drop(state);
                    self.withdraw();
                    return Went::On;
                };
                drop(state);
                self.pools[pool as usize].deliver(&self.core, local, node, key.index);
                return Went::To(node);
            }
            Tag::Control => {
                state.digest.fold(key.at.0, 5, u64::from(key.index));
                drop(state);
                E::control(self, key.index);
                return Went::On;
            }
            Tag::Wake => state.expire(key.index, key.sequence),
            Tag::Alarm => state.ring(key.index, key.sequence),
            Tag::Reply => state.answer(key.index),
            Tag::Lane => state.deadline(key.index),
            Tag::ResendRequest => state.resend(key.index, Kind::Request),
            Tag::ResendReply => state.resend(key.index, Kind::Reply),
        };
        let Due::Poll(task) = due else { return Went::On };
        let pool = state.places[task.node().index()].pool;
        drop(state);
        self.pools[pool as usize].poll(task.slot());
        Went::To(task.node())
    }

    /// Drops the tasks whose requests have just been taken back, while nothing is borrowed: what
    /// they wait for is forgotten, what they called is taken back in turn, and they answer nobody.
    #[cold]
    #[inline(never)]
    fn withdraw(&mut self) {
        let mut state = self.core.state_mut();
        let tasks = std::mem::take(&mut state.withdrawn);
        if tasks.is_empty() {
            return;
        }
        state.counts.withdrawn += tasks.len() as u64;
        state.withdrawals.is_silent = true;
        drop(state);
        for task in tasks {
            let pool = self.core.state().places[task.node().index()].pool;
            self.pools[pool as usize].withdraw(task.slot());
        }
        self.core.state_mut().withdrawals.is_silent = false;
    }

    #[cold]
    #[inline(never)]
    fn halt(&mut self) -> Halt {
        if !self.core.state().is_stuck() {
            return Halt::Events;
        }
        // Time stands still: goes on for a few events to see who keeps it.
        let instant = self.core.state().now();
        self.core.state_mut().go_on();
        let mut culprits = Vec::new();
        for _ in 0..1_000 {
            match self.step(instant) {
                Went::Nowhere => break,
                Went::To(node) if !culprits.contains(&node) => culprits.push(node),
                Went::To(_) | Went::On => {}
            }
        }
        Halt::Stuck(instant, culprits)
    }
}

/// Where a step of the loop has led.
enum Went {
    /// No event is due.
    Nowhere,
    /// No task ran.
    On,
    /// A task of this node ran.
    To(NodeId),
}

#[cfg(test)]
mod tests;
