//! A client: it makes the load, and it is told how each request went.
//!
//! In an open loop requests come when they come, however the system fares; in a closed loop each
//! user waits for the answer and thinks before the next. Latency counts from the intended start, so
//! a system that stalls cannot hide it. Load ends where the quiet phase begins.

use std::cell::{Cell, RefCell};

use serde::Deserialize;

use super::policy::Policy;
use crate::engine::{Baggage, Class, Dist, Fault, Msg, Name, NodeId, Rate, Reply, Rng, Span, Time};
use crate::world::{ClassInfo, Cx, Edge, Node};

mod class;
pub mod facts;
mod load;

pub use class::RequestClass;
pub use load::Load;

/// A client.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// Whom it asks.
    target: NodeId,
    /// Which operation it asks for. Default: what each of its classes says.
    #[serde(default)]
    operation: Option<Name>,
    /// When it asks.
    load: Load,
    /// How it asks. Default: one try without a time limit.
    #[serde(default)]
    policy: Policy,
    /// The amount of each request, drawn uniformly from first to last: cents, pieces. Default: 1.
    #[serde(default = "one")]
    value: (u64, u64),
    /// Kinds of requests, each request drawn as one of them by weight. Default: all are alike.
    #[serde(default)]
    classes: Vec<RequestClass>,
    #[serde(skip)]
    asked: Cell<u64>,
    /// When it started, in microseconds: after a restart it goes on with other numbers.
    #[serde(skip)]
    born: Cell<u64>,
    #[serde(skip)]
    streams: Streams,
}

/// Random streams for what not every client draws, so that it moves no other draw.
#[derive(Clone, Default)]
struct Streams {
    classes: RefCell<Option<Rng>>,
}

impl std::fmt::Debug for Streams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Streams")
    }
}

fn one() -> (u64, u64) {
    (1, 1)
}

/// What is wrong with a range of amounts.
fn value_problem((first, last): (u64, u64)) -> Option<String> {
    if first > last {
        return Some("`value` is given as (first, last), and last is not less".to_owned());
    }
    (last == u64::MAX).then(|| format!("`value` must stay below {}", u64::MAX))
}

/// Verbs of a client to itself; the value is the intended start.
const ASK: Name = Name::of("client.ask");
const USER: Name = Name::of("client.user");

impl Client {
    /// Begins a request that was due at an instant, in a task of its own.
    fn kick(&self, cx: &Cx, due: Time) {
        cx.kick(Msg::Do { verb: ASK, key: 0, value: due.0 });
    }

    /// What is due while the client is frozen is late, and not put off.
    async fn open(&self, cx: &Cx, gaps: &Dist) {
        let mut due = cx.now();
        loop {
            due += cx.draw(gaps);
            let _ = cx.sleep(due.max(cx.now()) - cx.now()).await;
            if !cx.is_loading() {
                return;
            }
            self.kick(cx, due);
        }
    }

    /// Every gap counts from the start, so that their roundings do not add up.
    async fn evenly(&self, cx: &Cx, rate: Rate) {
        let start = cx.now();
        for count in 1.. {
            let due = start + rate.span_of(count);
            let _ = cx.sleep(due.max(cx.now()) - cx.now()).await;
            if !cx.is_loading() {
                return;
            }
            self.kick(cx, due);
        }
    }

    async fn user(&self, cx: &Cx, think: &Dist) {
        loop {
            let pause = cx.draw(think);
            let due = cx.now() + pause;
            let _ = cx.sleep(pause).await;
            if !cx.is_loading() {
                return;
            }
            self.ask(cx, due).await;
        }
    }

    /// The class of the next request.
    fn class(&self) -> Option<&RequestClass> {
        let mut stream = self.streams.classes.borrow_mut();
        RequestClass::draw(&self.classes, stream.as_mut()?)
    }

    async fn ask(&self, cx: &Cx, due: Time) {
        self.asked.set(self.asked.get() + 1);
        let class = if self.classes.is_empty() { None } else { self.class() };
        // Numbers of different clients differ, and another client changes nobody's.
        let key = (cx.name_hash() ^ self.born.get()) << 32 | self.asked.get();
        let (first, last) = class.and_then(|class| class.value).unwrap_or(self.value);
        let value = first + cx.random(|rng| rng.below(last - first + 1));
        let began = cx.now();
        cx.begin();
        cx.set_baggage(Baggage {
            class: class.map_or(Class(0), RequestClass::id),
            ..Baggage::NONE
        });
        cx.note(facts::STARTED, key, value);
        if let Some(class) = class {
            cx.note(facts::CLASSED, u64::from(class.id().0), 0);
        }
        if due < began {
            cx.note(facts::LATE, key, (began - due).0);
        }
        let operation = class.and_then(|class| class.operation).or(self.operation);
        let verb = operation.expect("`problem` asks for an operation of each class");
        let target = class.and_then(|class| class.target).unwrap_or(self.target);
        let policy = class.and_then(|class| class.policy.as_ref()).unwrap_or(&self.policy);
        let reply = policy.call(cx, target, Msg::Do { verb, key, value }).await;
        let latency = (cx.now() - due).0;
        match reply {
            Ok(_) => cx.note(facts::SUCCEEDED, key, latency),
            Err(fault) => cx.note(facts::FAILED, fault as u64, latency),
        }
    }
}

impl Node for Client {
    async fn boot(&self, cx: &Cx) {
        self.born.set(cx.now().0 / Span::MICROSECOND.0);
        if !self.classes.is_empty() {
            self.classes.iter().for_each(|class| class.settle(cx));
            *self.streams.classes.borrow_mut() = Some(cx.stream("classes", self.born.get()));
        }
        match &self.load {
            Load::Poisson { rate } => {
                self.open(cx, &Dist::exponential(rate.mean_gap())).await;
            }
            Load::Constant { rate } => self.evenly(cx, *rate).await,
            Load::Gaps(gaps) => self.open(cx, gaps).await,
            Load::Closed { users, .. } => {
                for user in 0..*users {
                    cx.kick(Msg::Do { verb: USER, key: u64::from(user), value: 0 });
                }
            }
        }
    }

    async fn handle(&self, cx: &Cx, request: Msg) -> Reply {
        match (request, &self.load) {
            (Msg::Do { verb: ASK, value, .. }, _) => self.ask(cx, Time(value)).await,
            (Msg::Do { verb: USER, .. }, Load::Closed { think, .. }) => {
                self.user(cx, &think.0).await;
            }
            _ => return Err(Fault::Unknown),
        }
        Ok(Msg::Done { value: 0 })
    }

    fn classes(&self) -> Vec<ClassInfo> {
        self.classes.iter().map(RequestClass::info).collect()
    }

    fn problem(&self) -> Option<String> {
        let says_nothing = self.operation.is_none()
            && (self.classes.is_empty() || self.classes.iter().any(|one| one.operation.is_none()));
        if says_nothing {
            return Some("it needs an `operation` to ask for, or one in each class".to_owned());
        }
        value_problem(self.value)
            .or_else(|| self.load.problem())
            .or_else(|| self.policy.problem())
            .or_else(|| RequestClass::problem(&self.classes))
    }

    fn edges(&self) -> Vec<Edge> {
        let targets = self.classes.iter().map(|class| class.target.unwrap_or(self.target));
        let mut edges: Vec<Edge> = targets.map(Edge::call).collect();
        if edges.is_empty() {
            edges.push(Edge::call(self.target));
        }
        edges
    }
}
