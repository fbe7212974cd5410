//! A run that is steered by hand: one request, one fault, one step of time after the other.
//!
//! Nothing happens by itself: clients make no requests, and faults come when they are injected. In
//! between, everything can be looked at. The interaction tests are made of this.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use super::run;
use super::trail::{Trail, Whose};
use crate::check::outcome::ChainStep;
use crate::engine::{Counts, Fault, Msg, Name, NodeId, Reply, Root, Span, Status, Time};
use crate::scenario::{Scenario, Variant};
use crate::world::{Cx, DiskUse, Entry, FaultSpec, MachineUse, Node, Sim, Windows, add, join};

/// Somebody who asked in a node's name has stopped waiting for the answer; the key is whom it had
/// asked.
pub(super) const GAVE_UP: Name = Name::of("hand.gave-up");

/// A request that somebody makes in a node's name.
struct Errand {
    from: NodeId,
    to: NodeId,
    msg: Msg,
    within: Option<Span>,
}

/// Makes requests in the names of others, and waits for the answers.
#[derive(Clone)]
struct Hand {
    errands: Rc<RefCell<VecDeque<Errand>>>,
}

impl Node for Hand {
    async fn handle(&self, cx: &Cx, _: Msg) -> Reply {
        let errand = self.errands.borrow_mut().pop_front();
        let Some(Errand { from, to, msg, within }) = errand else { return Err(Fault::Unknown) };
        let root = cx.begin();
        let call = cx.call_as(from, to, msg);
        let reply = match within {
            Some(within) => call.within(within).await,
            None => call.await,
        };
        if reply == Err(Fault::Timeout) {
            cx.with(|state| state.note(from, root, GAVE_UP, (u64::from(to.0), 0)));
        }
        Ok(Msg::Done { value: 0 })
    }
}

/// A run that is steered by hand.
pub struct Session {
    sim: Sim,
    trail: Rc<RefCell<Trail>>,
    errands: Rc<RefCell<VecDeque<Errand>>>,
    hand: NodeId,
    nodes: Vec<NodeId>,
}

/// How a node is doing.
#[derive(Clone, Copy, Debug)]
pub struct NodeState {
    /// Is it there?
    pub status: Status,
    /// How its machine was used.
    pub machine: MachineUse,
    /// How its disk was used.
    pub disk: DiskUse,
}

impl Session {
    /// How many events may happen from one look to the next.
    const EVENTS_MAX: u64 = 1_000_000;

    /// Every node of a variant started at time 0, without load and faults.
    pub fn new(scenario: &Scenario, variant: &Variant, seed: u64) -> Session {
        let mut sim = run::place(scenario, variant, seed, (Time(0), Time::MAX));
        let errands = Rc::new(RefCell::new(VecDeque::new()));
        let hand = add(&mut sim, "hand", Hand { errands: errands.clone() });
        sim.with(|state| state.env.end_load(Time(0)));
        let none = Variant { faults: Vec::new(), ..variant.clone() };
        let trail = Rc::new(RefCell::new(Trail::of(scenario, &none, Whose::All)));
        sim.trace(trail.clone());
        let nodes: Vec<NodeId> = run::present(variant).map(|(node, _)| node).collect();
        for node in nodes.iter().copied().chain([hand]) {
            if sim.with(|state| state.env.is_initial(node)) {
                sim.boot(node);
            }
        }
        Session { sim, trail, errands, hand, nodes }
    }

    /// Sends a request now; the answer is awaited, if stated for so long only.
    pub fn send(&mut self, from: NodeId, to: NodeId, msg: Msg, within: Option<Span>) {
        self.errands.borrow_mut().push_back(Errand { from, to, msg, within });
        let hand = self.hand;
        self.sim.with(|state| state.nudge(hand, Msg::Done { value: 0 }));
    }

    /// Adds a fault; one that should have begun before begins now.
    pub fn inject(&mut self, name: &str, spec: &FaultSpec) {
        self.trail.borrow_mut().add_fault(name);
        join(&mut self.sim, name, spec, Windows::ALWAYS);
    }

    /// The simulated time.
    pub fn now(&self) -> Time {
        self.sim.with(|state| state.now())
    }

    /// Runs until `end`; [`Time::MAX`] until nothing is pending any more. Returns whether it got
    /// there, which a system that never rests does not.
    pub fn run_until(&mut self, end: Time) -> bool {
        let limit = self.counts().events + Session::EVENTS_MAX;
        self.sim.run(end, limit) == crate::engine::Halt::Done
    }

    /// What has happened since this was last asked: in which operation, and what.
    pub fn news(&mut self) -> Vec<(Root, ChainStep)> {
        self.trail.borrow_mut().take().into_iter().map(|told| (told.root, told.step)).collect()
    }

    /// What happened how often.
    pub fn counts(&self) -> Counts {
        self.sim.with(|state| state.counts)
    }

    /// How each node is doing.
    pub fn nodes(&self) -> Vec<(NodeId, NodeState)> {
        let look = |node: &NodeId| {
            self.sim.with(|state| {
                let (now, status) = (state.now(), state.status(*node));
                let (machine, disk) =
                    (state.env.machine_use(*node, now), state.env.disk_use(*node));
                (*node, NodeState { status, machine, disk })
            })
        };
        self.nodes.iter().map(look).collect()
    }

    /// How a name is spelt, those of facts and of nodes' own tables among them.
    pub fn spelling(&self, name: Name) -> String {
        self.trail.borrow().spelling(name).to_owned()
    }

    /// What is written on a node's disk, and whether it would survive a crash.
    pub fn disk(&self, node: NodeId) -> Vec<(Entry, bool)> {
        self.sim.with(|state| {
            let log = state.env.log(node);
            log.map(|(entry, is_durable)| (entry.clone(), is_durable)).collect()
        })
    }
}
