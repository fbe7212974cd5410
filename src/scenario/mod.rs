//! A scenario: a system, its load, its faults and what is expected of it, in one file.
//!
//! The file describes a base and variants of it; loading resolves names, applies each variant's
//! changes, and checks what types cannot say. What comes out is plain data that a run is a function
//! of, together with a seed.

mod case;
mod classes;
pub mod diagnose;
mod instances;
mod invariant;
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
pub use invariant::Invariant;
pub use load::{Variation, load, read_fault};
pub use measure::{Doing, Each, MeasureSpec, Stat, Until, Usage};
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

/// A value with or without a unit: `"250ms"`, `"99.9 %"`, `"200/s"`, `12`. One that a difference has
/// may be negative: `"-5ms"`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Value {
    /// A time span, in seconds.
    Time(f64),
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
            Value::Time(value)
            | Value::Share(value)
            | Value::Rate(value)
            | Value::Number(value) => value,
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
                let (sign, size) = match text.strip_prefix('-') {
                    Some(size) => (-1.0, size),
                    None => (1.0, text),
                };
                if size.contains('%') {
                    let ratio: Ratio = size.parse().map_err(E::custom)?;
                    return Ok(Value::Share(sign * ratio.as_f64()));
                }
                if size.contains('/') {
                    let rate: Rate = size.parse().map_err(E::custom)?;
                    return Ok(Value::Rate(sign * rate.per_second()));
                }
                let span: Span = size.parse().map_err(E::custom)?;
                Ok(Value::Time(sign * span.as_seconds()))
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
