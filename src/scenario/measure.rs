//! What a scenario measures besides the catalogue, and whose published figures it reproduces.

use serde::Deserialize;

use crate::engine::{Name, NodeId, Ratio, Span};
use crate::world::Flaw;

/// A measure that a scenario defines for itself. It stands in the report beside those of the
/// catalogue, and expectations name it. Unless it says otherwise, it is about the measured phase:
/// requests that began, and jobs that came, after the warm-up and before the end of the load.
///
/// ```ron
/// Latency(stat: Percentile("95 %"), of: "users")
/// ```
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum MeasureSpec {
    /// The latency of successful requests, from their intended start.
    ///
    /// ```ron
    /// Latency(stat: Percentile("95 %"), during: ("60s", "70s"))
    /// ```
    Latency {
        /// Which figure of their distribution. Default: `Mean`.
        #[serde(default)]
        stat: Stat,
        /// Those of one client only, by its name, or of one class, as `"class:buy"`. Default: all.
        #[serde(default)]
        of: Option<String>,
        /// Those that began within this time of the run. Default: the measured phase.
        #[serde(default)]
        during: Option<(Span, Span)>,
    },
    /// The share of the successful requests that took longer than this.
    ///
    /// ```ron
    /// Slower(than: "1s")
    /// ```
    Slower {
        /// Longer than this, exactly.
        than: Span,
        /// Those of one client only, by its name, or of one class, as `"class:buy"`. Default: all.
        #[serde(default)]
        of: Option<String>,
        /// Those that began within this time of the run. Default: the measured phase.
        #[serde(default)]
        during: Option<(Span, Span)>,
    },
    /// How many requests did something. Use `PerSecond` for a rate of them.
    ///
    /// ```ron
    /// Requests(that: Succeeded, during: ("60s", "70s"))
    /// ```
    Requests {
        /// Which are counted.
        that: Doing,
        /// Those of one client only, by its name, or of one class, as `"class:buy"`. Default: all.
        #[serde(default)]
        of: Option<String>,
        /// Within this time of the run: by when they began, of `Succeeded`, `Failed` and `Ended` by
        /// when they ended. Default: those that began in the measured phase.
        #[serde(default)]
        during: Option<(Span, Span)>,
    },
    /// How many requests were under way, on average over the time: begun, and neither succeeded nor
    /// failed.
    ///
    /// ```ron
    /// InFlight(of: "users")
    /// ```
    InFlight {
        /// Those of one client only, by its name, or of one class, as `"class:buy"`. Default: all.
        #[serde(default)]
        of: Option<String>,
        /// Within this time of the run. Default: the measured phase.
        #[serde(default)]
        during: Option<(Span, Span)>,
    },
    /// How long after an instant of the run requests succeeded again as fast as they came: from
    /// when on, over a window, successes are at least this share of the requests that began in it.
    /// Found to a tenth of the window.
    ///
    /// ```ron
    /// Recovery(after: "70s", window: "10s")
    /// ```
    Recovery {
        /// When to begin looking.
        after: Span,
        /// How long it must last.
        window: Span,
        /// What counts as well. Default: `"99 %"`.
        #[serde(default = "nearly_all")]
        share: Ratio,
    },
    /// How a node's machine was used, in the measured phase.
    ///
    /// ```ron
    /// Machine(node: "shop", what: Utilisation)
    /// ```
    Machine {
        /// Whose machine, or of which address: then it is the sum over its instances, of a
        /// utilisation the mean.
        node: NodeId,
        /// What of it.
        what: Usage,
    },
    /// How long the jobs waited that came to a node's machine: until a worker took them up, or they
    /// left the queue without.
    ///
    /// ```ron
    /// Waited(node: "shop", stat: Percentile("99 %"))
    /// ```
    Waited {
        /// Whose machine.
        node: NodeId,
        /// Which figure of their distribution. Default: `Mean`.
        #[serde(default)]
        stat: Stat,
    },
    /// The share of the jobs that came to a node's machine and waited longer than this.
    ///
    /// ```ron
    /// WaitedLonger(node: "shop", than: "0s")
    /// ```
    WaitedLonger {
        /// Whose machine.
        node: NodeId,
        /// Longer than this; 0 is any wait at all.
        than: Span,
    },
    /// How long the jobs stayed at a node's machine that came and have gone, on average: their wait
    /// and their work.
    ///
    /// ```ron
    /// Stayed(node: "shop")
    /// ```
    Stayed {
        /// Whose machine.
        node: NodeId,
    },
    /// How many jobs were at a node's machine, at work and waiting, over time.
    ///
    /// ```ron
    /// Present(node: "shop", stat: Variance)
    /// ```
    Present {
        /// Whose machine.
        node: NodeId,
        /// Which figure of their number, weighted by how long it was so. Default: `Mean`.
        #[serde(default)]
        stat: Stat,
    },
    /// The share of the time in which at least so many jobs were at a node's machine.
    ///
    /// ```ron
    /// PresentAtLeast(node: "shop", jobs: 31)
    /// ```
    PresentAtLeast {
        /// Whose machine.
        node: NodeId,
        /// So many or more, at work and waiting.
        jobs: u32,
    },
    /// The share of the jobs that found at least so many others when they came to a node's machine,
    /// those included that were then turned away.
    ///
    /// ```ron
    /// Found(node: "shop", at_least: 10)
    /// ```
    Found {
        /// Whose machine.
        node: NodeId,
        /// So many or more, at work and waiting.
        at_least: u32,
    },
    /// How evenly jobs were spread over the instances of an address: a figure of the number of jobs
    /// that each finished.
    ///
    /// ```ron
    /// Spread(address: "shop", stat: Max)
    /// ```
    Spread {
        /// The address.
        address: NodeId,
        /// Which figure of the numbers, each instance weighing the same.
        stat: Stat,
    },
    /// When for the first time in the measured phase fewer instances of an address were up than it
    /// needs, from the start of the run; no value in runs in which that never happened.
    ///
    /// ```ron
    /// FirstOutage(address: "shop")
    /// ```
    FirstOutage {
        /// The address, or a node.
        address: NodeId,
    },
    /// How often something was noted, by any node or by one.
    ///
    /// ```ron
    /// Facts(what: "breaker.opened", at: "shop")
    /// ```
    Facts {
        /// What; `list facts` names them.
        what: Name,
        /// At this node only. Default: at any.
        #[serde(default)]
        at: Option<NodeId>,
        /// Within this time of the run. Default: from the end of the warm-up to the end of the run.
        #[serde(default)]
        during: Option<(Span, Span)>,
    },
    /// When something was noted for the n-th time, from the start of the run.
    ///
    /// ```ron
    /// Moment(what: "request.succeeded", nth: 3)
    /// ```
    Moment {
        /// What; `list facts` names them.
        what: Name,
        /// At this node only. Default: at any.
        #[serde(default)]
        at: Option<NodeId>,
        /// For which time, from 1. Default: 1.
        #[serde(default = "first")]
        nth: u64,
    },
    /// A metric of the catalogue, or another measure of the scenario, to reckon with.
    ///
    /// ```ron
    /// Metric("cost.retries")
    /// ```
    Metric(String),
    /// A number, to reckon with.
    ///
    /// ```ron
    /// Number(0.5)
    /// ```
    Number(f64),
    /// One over another.
    ///
    /// ```ron
    /// Ratio(Machine(node: "bank", what: Jobs), Requests(that: Began))
    /// ```
    Ratio(Box<MeasureSpec>, Box<MeasureSpec>),
    /// The first times the second, in the unit of the first.
    ///
    /// ```ron
    /// Product(Latency(), Number(0.5))
    /// ```
    Product(Box<MeasureSpec>, Box<MeasureSpec>),
    /// All of these together, in the unit of the first.
    ///
    /// ```ron
    /// Sum([Metric("cost.retries"), Number(1)])
    /// ```
    Sum(Vec<MeasureSpec>),
    /// The first less the second, in the unit of the first.
    ///
    /// ```ron
    /// Difference(Latency(stat: Max), Latency())
    /// ```
    Difference(Box<MeasureSpec>, Box<MeasureSpec>),
    /// A count as a rate, over the measured load.
    ///
    /// ```ron
    /// PerSecond(Machine(node: "shop", what: Jobs))
    /// ```
    PerSecond(Box<MeasureSpec>),
}

/// A figure of a distribution.
#[derive(Clone, Copy, PartialEq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Stat {
    /// The arithmetic mean.
    #[default]
    Mean,
    /// The value that this share does not exceed, within 0.1 %.
    ///
    /// ```ron
    /// Percentile("99.9 %")
    /// ```
    Percentile(Ratio),
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// The variance: of times in square seconds.
    Variance,
    /// The standard deviation.
    Deviation,
    /// The standard deviation over the mean.
    Variation,
    /// The mean as somebody sees it who looks at a random instant and so meets long ones more
    /// often: the mean square over the mean (the inspection paradox).
    Inspected,
}

/// What a request does that is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub enum Doing {
    /// It began.
    Began,
    /// It succeeded.
    Succeeded,
    /// It failed.
    Failed,
    /// It succeeded or failed.
    Ended,
}

/// What of a machine's use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub enum Usage {
    /// The share of its workers that were occupied, on average.
    Utilisation,
    /// Workers occupied, on average.
    Working,
    /// Jobs that waited, on average.
    Waiting,
    /// Jobs at work or waiting, on average.
    Present,
    /// Jobs finished.
    Jobs,
    /// Jobs refused because the queue was full.
    Refused,
    /// Jobs turned away by a limit or by shedding.
    TurnedAway,
    /// Jobs dropped because their deadline had passed.
    Expired,
    /// Jobs that left the queue because they had waited too long.
    Dropped,
    /// All jobs that came and went: finished, refused, turned away, expired, dropped.
    Offered,
}

/// A published result that a scenario reproduces: its expectations are the figures.
///
/// ```ron
/// (id: "Q01", source: "L. Kleinrock, Queueing Systems I (1975), chapter 3")
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What `validate` calls it.
    pub id: String,
    /// Where the figures come from.
    pub source: String,
    /// The formula, or what else a reader should know. Default: nothing.
    #[serde(default)]
    pub note: String,
    /// How many runs it takes to say anything, where one alone says little. Default: 2.
    #[serde(default = "few")]
    pub runs_min: u32,
    /// How many runs there may be before the verdict stands as it is. Default: 32.
    #[serde(default = "runs")]
    pub runs_max: u32,
}

fn nearly_all() -> Ratio {
    Ratio::new(99, 100).unwrap_or(Ratio::ONE)
}

fn first() -> u64 {
    1
}

fn few() -> u32 {
    2
}

fn runs() -> u32 {
    32
}

impl MeasureSpec {
    /// Every measure that it is made of, itself first.
    pub fn all(&self) -> Vec<&MeasureSpec> {
        let mut all = vec![self];
        match self {
            MeasureSpec::Ratio(one, other)
            | MeasureSpec::Product(one, other)
            | MeasureSpec::Difference(one, other) => {
                all.extend(one.all());
                all.extend(other.all());
            }
            MeasureSpec::Sum(parts) => all.extend(parts.iter().flat_map(MeasureSpec::all)),
            MeasureSpec::PerSecond(one) => all.extend(one.all()),
            _ => {}
        }
        all
    }

    /// The node whose machine must be watched job by job for this measure.
    pub fn watched(&self) -> Option<NodeId> {
        match self {
            MeasureSpec::Waited { node, .. }
            | MeasureSpec::WaitedLonger { node, .. }
            | MeasureSpec::Stayed { node }
            | MeasureSpec::Present { node, .. }
            | MeasureSpec::PresentAtLeast { node, .. }
            | MeasureSpec::Found { node, .. } => Some(*node),
            _ => None,
        }
    }

    /// What it asks of facts: which, where, and when.
    pub fn fact(&self) -> Option<(Name, Option<NodeId>)> {
        match self {
            MeasureSpec::Facts { what, at, .. } | MeasureSpec::Moment { what, at, .. } => {
                Some((*what, *at))
            }
            _ => None,
        }
    }

    /// What is wrong with it by itself, in a run whose load lasts so long.
    pub fn problem(&self, load: Span) -> Option<Flaw> {
        let during = match self {
            MeasureSpec::Latency { during, .. }
            | MeasureSpec::Slower { during, .. }
            | MeasureSpec::Requests { during, .. }
            | MeasureSpec::InFlight { during, .. }
            | MeasureSpec::Facts { during, .. } => *during,
            _ => None,
        };
        if let Some((from, until)) = during.filter(|(from, until)| from >= until) {
            return Some(Flaw::new(format!("from {from} to {until} is no time")));
        }
        let title = match self {
            MeasureSpec::Moment { nth: 0, .. } => "`nth` counts from 1".to_owned(),
            MeasureSpec::Recovery { window, .. } if window.0 < 10 => {
                "a `window` of nothing holds no request".to_owned()
            }
            MeasureSpec::Recovery { after, .. } if *after >= load => {
                format!("nobody asks after {after}: the load lasts {load}")
            }
            MeasureSpec::Sum(parts) if parts.is_empty() => {
                "a sum of nothing has no unit".to_owned()
            }
            MeasureSpec::Number(number) if !number.is_finite() => {
                "a number must be finite".to_owned()
            }
            _ => return None,
        };
        Some(Flaw::new(title))
    }
}
