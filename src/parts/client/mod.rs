//! A client: it makes the load, and it is told how each request went.
//!
//! In an open loop requests come when they come, however the system fares; in a closed loop each
//! user waits for the answer and thinks before the next. Latency counts from the intended start, so
//! a system that stalls cannot hide it. Load ends where the quiet phase begins.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::Deserialize;

use super::policy::Policy;
use crate::engine::{Baggage, Class, Fault, Msg, Name, NodeId, Reply, Rng, SizeDist, Span, Time};
use crate::world::{Ask, ClassInfo, Cx, Dated, Flaw, Node, Want};

mod arrivals;
mod bursts;
mod class;
mod curve;
pub mod facts;
mod keys;
mod load;
mod profile;
mod trace;
mod users;
mod zipf;

pub use bursts::BurstState;
pub use class::RequestClass;
pub use keys::Keys;
use keys::Past;
pub use load::{Load, Session, Think};
pub use profile::{Between, Intensity, Level, Profile};
pub use trace::Recording;

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
    /// How many requests come at once, from 1 to 1,000,000; not in a closed loop. Default: 1.
    #[serde(default = "one")]
    batch: u32,
    /// After so many requests it makes no more; a client that crashes begins to count again.
    /// Default: as many as come.
    #[serde(default)]
    count: Option<u64>,
    /// Before this instant of the run it makes no requests. Default: 0.
    #[serde(default)]
    start: Span,
    /// From this instant of the run on it makes no requests. Default: the end of the load.
    #[serde(default)]
    stop: Option<Span>,
    /// How it asks. Default: one try without a time limit.
    #[serde(default)]
    policy: Policy,
    /// Which business object each request is about. Default: `Fresh`.
    #[serde(default)]
    keys: Keys,
    /// The amount of each request, drawn uniformly from first to last: cents, pieces. Default: 1.
    #[serde(default = "amount")]
    value: (u64, u64),
    /// The size of each request's body, besides the 200 bytes that any message weighs. It goes
    /// along with every call that is made for the request. At most 4 GiB: what is longer is cut.
    /// Default: nothing.
    #[serde(default)]
    payload: Option<SizeDist>,
    /// Kinds of requests, each request drawn as one of them by weight. Default: all are alike.
    #[serde(default)]
    classes: Vec<RequestClass>,
    /// How many requests it has made, or is about to.
    #[serde(skip)]
    claimed: Cell<u64>,
    #[serde(skip)]
    asked: Cell<u64>,
    /// When it started, in microseconds: after a restart it goes on with other numbers.
    #[serde(skip)]
    born: Cell<u64>,
    #[serde(skip)]
    draws: Draws,
}

/// Random streams for what not every client draws, so that it moves no other draw.
#[derive(Clone, Default)]
struct Draws(RefCell<Option<Box<Streams>>>);

#[derive(Clone)]
struct Streams {
    classes: Rng,
    keys: Rng,
    payloads: Rng,
    past: Past,
}

impl fmt::Debug for Draws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Draws")
    }
}

fn one() -> u32 {
    1
}

fn amount() -> (u64, u64) {
    (1, 1)
}

/// What is wrong with a range of amounts.
fn value_problem((first, last): (u64, u64)) -> Option<Flaw> {
    if first > last {
        return Some(Flaw::at("value", "`value` is given as (first, last), and last is not less"));
    }
    let title = format!("`value` must stay below {}", u64::MAX);
    (last == u64::MAX).then(|| Flaw::at("value", title))
}

/// The most requests at once.
const BATCH_MAX: u32 = 1_000_000;

/// Verbs of a client to itself. The value is the intended start; the key of a request is its row in
/// a recording, 0 for none, that of a user the user's number.
const ASK: Name = Name::of("client.ask");
const USER: Name = Name::of("client.user");
const SESSION: Name = Name::of("client.session");

/// What a request asks for.
struct Wish<'c> {
    class: Option<&'c RequestClass>,
    key: u64,
    value: u64,
    payload: u32,
}

impl Client {
    /// From when on it makes requests.
    fn starts(&self, cx: &Cx) -> Time {
        (Time(0) + self.start).max(cx.now())
    }

    /// Is a request that is due at this instant one too many?
    fn is_over(&self, due: Time) -> bool {
        self.stop.is_some_and(|stop| due >= Time(0) + stop)
    }

    /// Counts one more request, if there may be one.
    fn claim(&self) -> bool {
        let claimed = self.claimed.get();
        self.claimed.set(claimed + 1);
        self.count.is_none_or(|count| claimed < count)
    }

    /// Does it draw anything but amounts?
    fn has_draws(&self) -> bool {
        let is_plain = self.classes.is_empty() && self.payload.is_none() && self.keys.is_fresh();
        !is_plain || matches!(self.load, Load::Trace { .. })
    }

    /// The next request of a client whose requests are all alike.
    fn plain(&self, cx: &Cx, fresh: u64) -> Wish<'_> {
        let (first, last) = self.value;
        let value = first + cx.random(|rng| rng.below(last - first + 1));
        Wish { class: None, key: fresh, value, payload: 0 }
    }

    /// The next request, which stands in this row of a recording if that is not 0.
    fn wish(&self, cx: &Cx, fresh: u64, row: usize) -> Wish<'_> {
        let mut draws = self.draws.0.borrow_mut();
        let Some(streams) = draws.as_deref_mut() else { return self.plain(cx, fresh) };
        let known = match (&self.load, row.checked_sub(1)) {
            (Load::Trace { file }, Some(place)) => file.row(place),
            _ => trace::Row::default(),
        };
        let class = match known.class {
            Some(name) => self.classes.iter().find(|class| class.info().name == name),
            None => RequestClass::draw(&self.classes, &mut streams.classes),
        };
        let keys = class.and_then(|class| class.keys.as_ref()).unwrap_or(&self.keys);
        let (first, last) = class.and_then(|class| class.value).unwrap_or(self.value);
        let drawn = first + cx.random(|rng| rng.below(last - first + 1));
        let payload = class.and_then(|class| class.payload.as_ref()).or(self.payload.as_ref());
        let payload = payload.map(|sizes| sizes.sample(&mut streams.payloads).0);
        Wish {
            class,
            key: known.key.unwrap_or_else(|| {
                keys.draw(fresh, &mut streams.past, cx.now(), &mut streams.keys)
            }),
            value: known.value.unwrap_or(drawn),
            payload: known
                .payload
                .unwrap_or_else(|| u32::try_from(payload.unwrap_or_default()).unwrap_or(u32::MAX)),
        }
    }

    /// Makes a request that was due at an instant, and awaits the answer.
    async fn ask(&self, cx: &Cx, due: Time, row: usize) {
        self.asked.set(self.asked.get() + 1);
        // Numbers of different clients differ, and another client changes nobody's.
        let fresh = (cx.name_hash() ^ self.born.get()) << 32 | self.asked.get();
        let wish = self.wish(cx, fresh, row);
        let Wish { class, key, value, payload } = wish;
        let began = cx.now();
        cx.begin();
        let id = class.map_or(Class(0), RequestClass::id);
        cx.set_baggage(Baggage { class: id, payload, ..Baggage::NONE });
        cx.note(facts::STARTED, key, value);
        if class.is_some() {
            cx.note(facts::CLASSED, u64::from(id.0), u64::from(payload));
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

    /// What is wrong with when it asks.
    fn timing_problem(&self) -> Option<Flaw> {
        if self.batch == 0 || self.batch > BATCH_MAX {
            let title = format!("a `batch` has from 1 to {BATCH_MAX} requests");
            return Some(Flaw::at("batch", title));
        }
        if self.batch > 1 && self.load.is_closed() {
            let title = "users ask one at a time: a closed loop has no `batch`";
            return Some(Flaw::at("batch", title));
        }
        if self.count == Some(0) {
            return Some(Flaw::at("count", "with a `count` of 0 it makes no request at all"));
        }
        if self.stop.is_some_and(|stop| stop <= self.start) {
            return Some(Flaw::at("stop", "it would `stop` before it starts"));
        }
        self.load.problem().map(|flaw| flaw.within("load"))
    }

    /// What is wrong with what it asks for.
    fn wish_problem(&self) -> Option<Flaw> {
        let says_nothing = self.operation.is_none()
            && (self.classes.is_empty() || self.classes.iter().any(|one| one.operation.is_none()));
        if says_nothing {
            return Some(Flaw::new("it needs an `operation` to ask for, or one in each class"));
        }
        if let Load::Trace { file } = &self.load {
            let is_known = |name: &Name| self.classes.iter().any(|one| one.info().name == *name);
            if let Some((_, text)) = file.classes().iter().find(|(name, _)| !is_known(name)) {
                let title = format!(
                    "its file of arrivals names the class `{text}`, which it does not have"
                );
                return Some(Flaw::at("load", title));
            }
        }
        value_problem(self.value)
            .or_else(|| self.keys.problem().map(|flaw| flaw.within("keys")))
            .or_else(|| RequestClass::problem(&self.classes).map(|flaw| flaw.within("classes")))
    }

    /// What it says of requests, and each of its classes says otherwise.
    fn outdone(&self) -> Option<Flaw> {
        let each = |says: fn(&RequestClass) -> bool| self.classes.iter().all(says);
        let fields = [
            ("operation", self.operation.is_some(), each(|class| class.operation.is_some())),
            ("value", self.value != amount(), each(|class| class.value.is_some())),
            ("payload", self.payload.is_some(), each(|class| class.payload.is_some())),
            ("keys", !matches!(self.keys, Keys::Fresh), each(|class| class.keys.is_some())),
            ("policy", self.policy != Policy::default(), each(|class| class.policy.is_some())),
        ];
        let has_classes = !self.classes.is_empty();
        let is_idle = |(_, is_said, is_outdone): &(_, bool, bool)| *is_said && *is_outdone;
        let (field, ..) = fields.into_iter().find(is_idle).filter(|_| has_classes)?;
        Some(Flaw::at(field, format!("each of the classes has `{field}` of its own")))
    }

    /// What it asks for in requests of a class, or in all.
    fn wishes(&self, class: Option<&RequestClass>) -> Vec<Ask> {
        let to = class.and_then(|class| class.target).unwrap_or(self.target);
        let Some(verb) = class.and_then(|class| class.operation).or(self.operation) else {
            return Vec::new();
        };
        let policy = class.and_then(|class| class.policy.as_ref()).unwrap_or(&self.policy);
        let ask = Ask::of(["target", "operation"], to, Want::Operation(verb));
        policy.asks("policy", ask).collect()
    }
}

impl Node for Client {
    async fn boot(&self, cx: &Cx) {
        self.born.set(cx.now().0 / Span::MICROSECOND.0);
        if self.has_draws() {
            self.classes.iter().for_each(|class| class.settle(cx));
            let stream = |purpose| cx.stream(purpose, self.born.get());
            *self.draws.0.borrow_mut() = Some(Box::new(Streams {
                classes: stream("classes"),
                keys: stream("keys"),
                payloads: stream("payloads"),
                past: Past::default(),
            }));
        }
        match &self.load {
            Load::Closed { users, .. } => {
                for user in 0..*users {
                    cx.kick(Msg::Do { verb: USER, key: u64::from(user), value: 0 });
                }
            }
            _ => self.arrive(cx).await,
        }
    }

    async fn handle(&self, cx: &Cx, request: Msg) -> Reply {
        match request {
            Msg::Do { verb: ASK, key, value } => self.ask(cx, Time(value), key as usize).await,
            Msg::Do { verb: USER, key, .. } => self.user(cx, key).await,
            Msg::Do { verb: SESSION, value, .. } => self.visitor(cx, Time(value)).await,
            _ => return Err(Fault::Unknown),
        }
        Ok(Msg::Done { value: 0 })
    }

    fn classes(&self) -> Vec<ClassInfo> {
        self.classes.iter().map(RequestClass::info).collect()
    }

    fn dated(&self) -> Vec<Dated> {
        let stop = self.stop.map(|stop| Dated::of_load("stop", stop));
        let load = self.load.dated(self.start).into_iter().map(|dated| dated.within("load"));
        std::iter::once(Dated::of_load("start", self.start)).chain(stop).chain(load).collect()
    }

    fn idle(&self) -> Vec<Flaw> {
        let policy = self.policy.idle().into_iter().map(|flaw| flaw.within("policy"));
        let classes = RequestClass::idle(&self.classes).into_iter();
        let classes = classes.map(|flaw| flaw.within("classes"));
        self.outdone().into_iter().chain(policy).chain(classes).collect()
    }

    fn problem(&self) -> Option<Flaw> {
        let policy = || self.policy.problem().map(|flaw| flaw.within("policy"));
        self.timing_problem().or_else(|| self.wish_problem()).or_else(policy)
    }

    fn asks(&self) -> Vec<Ask> {
        if self.classes.is_empty() {
            return self.wishes(None);
        }
        let classes = self.classes.iter().enumerate();
        let within = |place: usize, ask: Ask| ask.within(place).within("classes");
        classes
            .flat_map(|(place, class)| {
                self.wishes(Some(class)).into_iter().map(move |ask| within(place, ask))
            })
            .collect()
    }
}
