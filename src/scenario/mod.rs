//! A scenario: a system, its load, its faults and what is expected of it, in one file.
//!
//! The file describes a base and variants of it; loading resolves names, applies each variant's
//! changes, and checks what types cannot say. What comes out is plain data that a run is a function
//! of, together with a seed.

mod case;
mod classes;
pub mod diagnose;
mod instances;
mod load;
mod measure;
mod mismatch;
mod mistakes;
mod names;
pub mod reference;
mod set;
pub mod source;
pub mod spans;
pub mod swarm;
mod syntax;
mod tokens;
pub mod topology;
mod translate;
mod verify;

use serde::Deserialize;

use crate::engine::{Lexicon, Name, NodeId, Rate, Ratio, Span, Time};
use crate::patterns::{Instances, Spec};
use crate::world::{Budget, ClassInfo, ClocksSpec, FaultSpec, Flaw, NetworkSpec, Windows};
pub use case::Case;
pub use load::{Variation, load, read_fault};
pub use measure::{Doing, MeasureSpec, Stat, Usage};
pub use swarm::Swarm;

/// The phases of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phases {
    /// Requests that begin before this has passed are not measured. Default: found from the runs
    /// themselves, by MSER-5 on the latency.
    #[serde(default)]
    pub warmup: Option<Span>,
    /// How long clients make requests, the warm-up included.
    pub load: Span,
    /// From when to when faults may be on, counted from the start of the run; load goes on before
    /// and after. Default: all of the load.
    #[serde(default)]
    pub faults: Option<(Span, Span)>,
    /// How long the system then has, without load and without faults, to come to rest. Default: 0.
    #[serde(default)]
    pub quiet: Span,
}

impl Phases {
    /// When load and faults end.
    pub fn quiet_from(&self) -> Time {
        Time(0) + self.load
    }

    /// From when to when faults may be on.
    pub fn windows(&self) -> Windows {
        let faults = self.faults.unwrap_or((Span::ZERO, self.load));
        Windows {
            warmup: self.warmup.map(|warmup| Time(0) + warmup),
            faults: (Time(0) + faults.0, Time(0) + faults.1),
            load: self.quiet_from(),
        }
    }

    /// When the run ends.
    pub fn end(&self) -> Time {
        self.quiet_from() + self.quiet
    }
}

/// What things cost, for the report's money; amounts in `currency`.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// What the amounts are in. Default: `"USD"`.
    #[serde(default = "Prices::currency")]
    pub currency: String,
    /// One node for one hour, idle or not; clients cost nothing. Default: 0.
    #[serde(default)]
    pub node_hour: f64,
    /// A worker at work for one hour. Default: 0.
    #[serde(default)]
    pub cpu_hour: f64,
    /// A gibibyte sent over the network. Default: 0.
    #[serde(default)]
    pub gibibyte: f64,
    /// A million entries written to disks. Default: 0.
    #[serde(default)]
    pub million_writes: f64,
}

impl Prices {
    fn currency() -> String {
        "USD".to_owned()
    }
}

/// An account of a store, as invariants name it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountRef {
    /// The store.
    pub store: NodeId,
    /// The account in it.
    pub account: Name,
}

/// Something that must hold in every run, checked while it runs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Invariant {
    /// When the system has come to rest, each business operation has given to all of these accounts
    /// or to none of them: nothing is half applied.
    ///
    /// Source: atomicity, as T. Härder and A. Reuter, "Principles of Transaction-Oriented Database
    /// Recovery", Computing Surveys 15(4), 1983, define it for transactions.
    Atomic {
        /// One account for each part of the operation.
        accounts: Vec<AccountRef>,
    },
    /// Each business operation has given to each of these accounts once or not at all, and has
    /// taken back no more than it gave: no double charge, no double refund. Checked at every
    /// change.
    ///
    /// Source: this simulator's own, after the at-most-once semantics of remote procedure calls.
    Once {
        /// The accounts that operations give to.
        accounts: Vec<AccountRef>,
    },
    /// The sum over these accounts never changes: nothing appears or vanishes. Checked whenever
    /// time moves on.
    ///
    /// Source: Jepsen's bank test, where transfers leave the total as it is.
    Conserved {
        /// The accounts between which it moves.
        accounts: Vec<AccountRef>,
    },
    /// When the system has come to rest, what clients were told is so: every operation reported as
    /// a success has given to all of these accounts, every one reported as certainly failed to
    /// none.
    ///
    /// Source: this simulator's own; Jepsen's histories tell apart what is `ok`, what has certainly
    /// failed (`fail`) and what is unknown (`info`).
    Truthful {
        /// One account for each part of the operation.
        accounts: Vec<AccountRef>,
    },
    /// Liveness: once load and faults have ended, the system comes to rest. Every request has come
    /// to an end, in time if a time is stated, no node is down or frozen, and no work is queued.
    /// What has not come to rest, and who waits for whom, is in the report, with or without this.
    ///
    /// Source: the liveness mode of TigerBeetle's VOPR, which heals everything and then demands
    /// that the cluster converges.
    ///
    /// ```ron
    /// Converged(within: "10s")
    /// ```
    Converged {
        /// How long after the end of the load. Default: by the end of the run.
        #[serde(default)]
        within: Option<Span>,
    },
    /// When the system has come to rest, no saga of this coordinator is left without an end.
    ///
    /// Source: H. Garcia-Molina and K. Salem, "Sagas", SIGMOD 1987: a saga is completed or
    /// compensated for.
    Settled {
        /// The coordinator.
        node: NodeId,
    },
    /// Mutual exclusion: none of these nodes acts under a lock while another of them, granted it
    /// later, is at work under it, or acts at the same time. Checked whenever one acts.
    ///
    /// Source: E. W. Dijkstra, "Solution of a Problem in Concurrent Programming Control", CACM
    /// 8(9), 1965, for mutual exclusion; judged here by what is done under leases.
    ///
    /// ```ron
    /// Exclusive(holders: ["shop", "bank"])
    /// ```
    Exclusive {
        /// The nodes that work under leases.
        holders: Vec<NodeId>,
    },
    /// No write under a lease becomes durable in this store after one with a newer fencing token of
    /// the same lock. Checked at every such write.
    ///
    /// Source: M. Kleppmann, "How to do distributed locking", 2016 (fencing tokens).
    ///
    /// ```ron
    /// Fenced(store: "bank")
    /// ```
    Fenced {
        /// The store.
        store: NodeId,
    },
    /// No message that this queue has accepted is lost with its broker. For every queue with
    /// persistence `On` or `Mirrored` it is checked without being asked for, as `queues-kept`.
    ///
    /// ```ron
    /// Kept(broker: "post", queue: "mail")
    /// ```
    Kept {
        /// The broker.
        broker: NodeId,
        /// The queue.
        queue: Name,
    },
    /// Every message that this queue has accepted waits, or is processed, dead, expired or dropped:
    /// none is lost, or was handed out in vain. For every queue that promises it, it is checked
    /// without being asked for, as `queues-at-least-once`.
    ///
    /// ```ron
    /// AtLeastOnce(broker: "post", queue: "mail")
    /// ```
    AtLeastOnce {
        /// The broker.
        broker: NodeId,
        /// The queue.
        queue: Name,
    },
    /// When the system has come to rest, this queue has accepted a message of a business operation
    /// if and only if the operation has given to this account: no event is lost, and none tells of
    /// what never was. An operation that was undone later counts as one that never was.
    ///
    /// ```ron
    /// Published(account: (store: "bank", account: "till"), broker: "post", queue: "mail")
    /// ```
    Published {
        /// The account that the operation gives to.
        account: AccountRef,
        /// The broker.
        broker: NodeId,
        /// The queue.
        queue: Name,
    },
    /// No message of this queue is handed out twice. For every queue that promises it, it is
    /// checked without being asked for, as `queues-at-most-once`.
    ///
    /// ```ron
    /// AtMostOnce(broker: "post", queue: "mail")
    /// ```
    AtMostOnce {
        /// The broker.
        broker: NodeId,
        /// The queue.
        queue: Name,
    },
    /// Messages of this queue are acknowledged for the first time in the order in which they were
    /// accepted, each group for itself. For every queue with order `Fifo` or `Groups` it is checked
    /// without being asked for, as `queues-in-order`.
    ///
    /// ```ron
    /// InOrder(broker: "post", queue: "mail")
    /// ```
    InOrder {
        /// The broker.
        broker: NodeId,
        /// The queue.
        queue: Name,
    },
}

impl Invariant {
    /// The nodes that it is about.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> {
        let (accounts, nodes) = match self {
            Invariant::Atomic { accounts }
            | Invariant::Once { accounts }
            | Invariant::Conserved { accounts }
            | Invariant::Truthful { accounts } => (&accounts[..], &[][..]),
            Invariant::Published { account, broker, .. } => {
                (std::slice::from_ref(account), std::slice::from_ref(broker))
            }
            Invariant::Settled { node: one }
            | Invariant::Fenced { store: one }
            | Invariant::Kept { broker: one, .. }
            | Invariant::AtLeastOnce { broker: one, .. }
            | Invariant::AtMostOnce { broker: one, .. }
            | Invariant::InOrder { broker: one, .. } => (&[][..], std::slice::from_ref(one)),
            Invariant::Exclusive { holders } => (&[][..], &holders[..]),
            Invariant::Converged { .. } => (&[][..], &[][..]),
        };
        accounts.iter().map(|account| account.store).chain(nodes.iter().copied())
    }

    /// The queue that it is about.
    pub fn queue(&self) -> Option<(NodeId, Name)> {
        match self {
            Invariant::Kept { broker, queue }
            | Invariant::AtLeastOnce { broker, queue }
            | Invariant::AtMostOnce { broker, queue }
            | Invariant::InOrder { broker, queue }
            | Invariant::Published { broker, queue, .. } => Some((*broker, *queue)),
            _ => None,
        }
    }
}

/// What is expected of a metric: bounds that the mean over all runs must keep, or the value that it
/// has, within a tolerance.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// Which metric, by its id, or which measure of the scenario; `list metrics` names the former.
    pub metric: String,
    /// At least this. Default: no lower bound.
    #[serde(default)]
    pub min: Option<Value>,
    /// At most this. Default: no upper bound.
    #[serde(default)]
    pub max: Option<Value>,
    /// The value that it has, such as theory or a paper gives it. It agrees if the mean lies within
    /// the tolerance; or if chance explains the difference: at most four standard errors, of which
    /// each is less than the tolerance. Default: only the bounds count.
    #[serde(default)]
    pub is: Option<Value>,
    /// How far from `is` the mean may be, as a share of it. Default: by `margin`.
    #[serde(default)]
    pub tolerance: Option<Ratio>,
    /// How far from `is` the mean may be, in the metric's unit; 0 is not at all. Default: by
    /// `tolerance`.
    #[serde(default)]
    pub margin: Option<Value>,
    /// What was published, where that is rounded or differs. Default: what it `is`.
    #[serde(default)]
    pub published: Option<String>,
    /// For which variant. Default: for every one.
    #[serde(default)]
    pub variant: Option<String>,
    /// It is about the difference to this variant, seed by seed: this minus that. Default: about
    /// the metric itself.
    #[serde(default)]
    pub versus: Option<String>,
}

impl Expectation {
    /// What is wrong with it by itself.
    fn problem(&self) -> Option<Flaw> {
        let bounds = self.min.is_some() || self.max.is_some();
        let (field, title, label) = match (self.is, self.tolerance, self.margin) {
            (None, None, None) if !bounds => {
                let label = "give it a `min`, a `max`, both, or what it `is`";
                return Some(Flaw::new("this expects nothing").label(label));
            }
            (None, Some(_), _) => {
                ("tolerance", "a tolerance around nothing", "say what the value `is`")
            }
            (None, _, Some(_)) => ("margin", "a margin around nothing", "say what the value `is`"),
            (Some(_), ..) if bounds => {
                ("is", "either bounds or a value", "leave out this, or `min` and `max`")
            }
            (Some(_), None, None) => {
                ("is", "how near must it be?", "give it a `tolerance` or a `margin`")
            }
            (Some(_), Some(_), Some(_)) => {
                ("margin", "two tolerances for one value", "leave out this or `tolerance`")
            }
            (Some(is), Some(_), None) if is.base() == 0.0 => {
                ("tolerance", "a share of nothing is nothing", "say it as a `margin`")
            }
            _ => return self.odd(),
        };
        Some(Flaw::at(field, title).label(label))
    }

    /// What is wrong with its values.
    fn odd(&self) -> Option<Flaw> {
        let values =
            [("min", self.min), ("max", self.max), ("is", self.is), ("margin", self.margin)];
        let values = values.into_iter().filter_map(|(field, value)| Some((field, value?.base())));
        for (field, value) in values {
            if !value.is_finite() {
                return Some(Flaw::at(field, "a number must be finite"));
            }
            if field == "margin" && value < 0.0 {
                return Some(Flaw::at(field, "a margin reaches to both sides: it is not negative"));
            }
        }
        if let (Some(min), Some(max)) = (self.min, self.max)
            && min.base() > max.base()
        {
            return Some(Flaw::at("max", "nothing is at least `min` and at most this"));
        }
        (self.versus.is_some() && self.versus == self.variant)
            .then(|| Flaw::at("versus", "a variant does not differ from itself"))
    }

    /// How far from what it is the mean may be, in base units.
    pub fn allowance(&self) -> Option<f64> {
        let margin = self.margin.map(Value::base);
        margin.or_else(|| Some(self.is?.base().abs() * self.tolerance?.as_f64()))
    }
}

/// A value with or without a unit: `"250ms"`, `"99.9 %"`, `"200/s"`, `12`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Value {
    /// A time span.
    Time(Span),
    /// A share.
    Share(f64),
    /// A rate, per second.
    Rate(f64),
    /// A number.
    Number(f64),
}

impl Value {
    /// In base units: seconds, shares of one, per second.
    pub fn base(self) -> f64 {
        match self {
            Value::Time(span) => span.as_seconds(),
            Value::Share(value) | Value::Rate(value) | Value::Number(value) => value,
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Value;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number, or text such as \"250ms\", \"99.9 %\" or \"200/s\"")
            }
            fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
                Ok(Value::Number(value as f64))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
                Ok(Value::Number(value as f64))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
                Ok(Value::Number(value))
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
                if text.contains('%') {
                    let ratio: Ratio = text.parse().map_err(E::custom)?;
                    return Ok(Value::Share(ratio.as_f64()));
                }
                if text.contains('/') {
                    let rate: Rate = text.parse().map_err(E::custom)?;
                    return Ok(Value::Rate(rate.per_second()));
                }
                let span: Span = text.parse().map_err(E::custom)?;
                Ok(Value::Time(span))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// A scenario with every name resolved.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its stem: `saga_failure`.
    pub name: String,
    /// The path it was read from, as given.
    pub path: String,
    /// A short title.
    pub title: String,
    /// What it is about.
    pub about: String,
    /// The seed of the first run.
    pub seed: u64,
    /// How many events a run may take.
    pub events_max: u64,
    /// Every node that any variant has, by id.
    pub names: Vec<String>,
    /// How every other name is spelt.
    pub lexicon: Lexicon,
    /// What must hold.
    pub invariants: Vec<(String, Invariant)>,
    /// What it measures besides the catalogue, by name.
    pub measures: Vec<(String, MeasureSpec)>,
    /// What is expected.
    pub expect: Vec<Expectation>,
    /// The published result that it reproduces, if it is there for one.
    pub validates: Option<Case>,
    /// The variants, the baseline first.
    pub variants: Vec<Variant>,
}

impl Scenario {
    /// The name of a node.
    pub fn node(&self, id: NodeId) -> &str {
        self.names.get(id.index()).map_or("?", String::as_str)
    }
}

/// An address that stands for several nodes.
#[derive(Clone, Debug)]
pub struct Group {
    /// The address, whose own place is empty.
    pub address: NodeId,
    /// The instances, in the order of their numbers.
    pub members: Vec<NodeId>,
    /// How they were described.
    pub spec: Instances,
}

/// One design of a scenario.
#[derive(Clone, Debug)]
pub struct Variant {
    /// What it is called.
    pub name: String,
    /// What it is, as a sentence.
    pub about: String,
    /// The phases of its runs.
    pub phases: Phases,
    /// What things cost; `None` if the scenario does not say.
    pub prices: Option<Prices>,
    /// Its nodes, by id; `None` for those that only other variants have.
    pub nodes: Vec<Option<Spec>>,
    /// The classes of its requests: the first has place 1 in [`Class`](crate::engine::Class).
    pub classes: Vec<ClassInfo>,
    /// Its addresses that stand for several nodes each.
    pub groups: Vec<Group>,
    /// Its network.
    pub network: NetworkSpec,
    /// What befalls it, by name.
    pub faults: Vec<(String, FaultSpec)>,
    /// What each seed may draw besides.
    pub swarm: Option<Swarm>,
    /// Its nodes' clocks.
    pub clocks: ClocksSpec,
    /// How many intact copies its faults must leave.
    pub budgets: Vec<Budget>,
    /// The invariants that it is there to violate.
    pub breaks: Vec<String>,
}
