//! A client: it makes the load, and it is told how each request went.
//!
//! In an open loop requests come when they come, however the system fares; in a closed loop each
//! user waits for the answer and thinks before the next. Latency counts from the intended start, so
//! a system that stalls cannot hide it. Load ends where the quiet phase begins.

use std::cell::Cell;

use serde::Deserialize;

use super::policy::Policy;
use crate::engine::{Dist, Fault, Msg, Name, NodeId, Rate, Reply, Span};
use crate::world::{Cx, Edge, Node};

/// Facts that clients record.
pub mod facts {
    use crate::engine::Name;

    /// A request begins; the key is the business object, the value the amount asked for.
    pub const STARTED: Name = Name::of("request.started");
    /// A request succeeded; the value is its latency in nanoseconds.
    pub const SUCCEEDED: Name = Name::of("request.succeeded");
    /// A request failed; the key is the fault's place in `Fault::ALL`, the value the latency.
    pub const FAILED: Name = Name::of("request.failed");
    /// How they are spelt.
    pub const NAMES: [&str; 3] = ["request.started", "request.succeeded", "request.failed"];
}

/// A client.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// Whom it asks.
    target: NodeId,
    /// Which operation it asks for.
    operation: Name,
    /// When it asks.
    load: Load,
    /// How it asks. Default: one try without a time limit.
    #[serde(default)]
    policy: Policy,
    /// The amount of each request, drawn uniformly from first to last: cents, pieces. Default: 1.
    #[serde(default = "one")]
    value: (u64, u64),
    #[serde(skip)]
    asked: Cell<u64>,
    /// When it started, in microseconds: after a restart it goes on with other numbers.
    #[serde(skip)]
    born: Cell<u64>,
}

/// When a client asks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Load {
    /// Open loop, exponential gaps: many independent users.
    Poisson {
        /// How often on average.
        rate: Rate,
    },
    /// Open loop, equal gaps.
    Constant {
        /// How often.
        rate: Rate,
    },
    /// Open loop, gaps of any distribution.
    Gaps(Dist),
    /// Closed loop: each user waits for the answer, thinks, and asks again.
    Closed {
        /// How many users.
        users: u32,
        /// How long they think between an answer and the next request. Default: not at all.
        #[serde(default)]
        think: Think,
    },
}

/// How long a user thinks.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct Think(Dist);

impl Default for Think {
    fn default() -> Think {
        Think(Dist::constant(Span::ZERO))
    }
}

fn one() -> (u64, u64) {
    (1, 1)
}

/// Verbs of a client to itself.
const ASK: Name = Name::of("client.ask");
const USER: Name = Name::of("client.user");

impl Client {
    /// The operation that it asks for.
    pub fn operation(&self) -> Name {
        self.operation
    }

    async fn open(&self, cx: &Cx, gaps: &Dist) {
        loop {
            let gap = cx.draw(gaps);
            let _ = cx.sleep(gap).await;
            if !cx.is_loading() {
                return;
            }
            cx.kick(Msg::Do { verb: ASK, key: 0, value: 0 });
        }
    }

    /// Every gap counts from the start, so that their roundings do not add up.
    async fn evenly(&self, cx: &Cx, rate: Rate) {
        let start = cx.now();
        for count in 1.. {
            let due = (start + rate.span_of(count)).max(cx.now());
            let _ = cx.sleep(due - cx.now()).await;
            if !cx.is_loading() {
                return;
            }
            cx.kick(Msg::Do { verb: ASK, key: 0, value: 0 });
        }
    }

    async fn user(&self, cx: &Cx, think: &Dist) {
        loop {
            let pause = cx.draw(think);
            let _ = cx.sleep(pause).await;
            if !cx.is_loading() {
                return;
            }
            self.ask(cx).await;
        }
    }

    async fn ask(&self, cx: &Cx) {
        self.asked.set(self.asked.get() + 1);
        // Numbers of different clients differ, and another client changes nobody's.
        let key = (cx.name_hash() ^ self.born.get()) << 32 | self.asked.get();
        let (first, last) = self.value;
        let value = first + cx.random(|rng| rng.below(last - first + 1));
        let began = cx.now();
        cx.begin();
        cx.note(facts::STARTED, key, value);
        let request = Msg::Do { verb: self.operation, key, value };
        let reply = self.policy.call(cx, self.target, request).await;
        let latency = (cx.now() - began).0;
        match reply {
            Ok(_) => cx.note(facts::SUCCEEDED, key, latency),
            Err(fault) => cx.note(facts::FAILED, fault as u64, latency),
        }
    }
}

impl Node for Client {
    async fn boot(&self, cx: &Cx) {
        self.born.set(cx.now().0 / Span::MICROSECOND.0);
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
            (Msg::Do { verb: ASK, .. }, _) => self.ask(cx).await,
            (Msg::Do { verb: USER, .. }, Load::Closed { think, .. }) => {
                self.user(cx, &think.0).await;
            }
            _ => return Err(Fault::Unknown),
        }
        Ok(Msg::Done { value: 0 })
    }

    fn problem(&self) -> Option<String> {
        if self.value.0 > self.value.1 {
            return Some("`value` is given as (first, last), and last is not less".to_owned());
        }
        if self.value.1 == u64::MAX {
            return Some(format!("`value` must stay below {}", u64::MAX));
        }
        if matches!(self.load, Load::Closed { users: 0, .. }) {
            return Some("a closed loop needs at least one user".to_owned());
        }
        self.policy.problem()
    }

    fn edges(&self) -> Vec<Edge> {
        vec![Edge::call(self.target)]
    }
}
