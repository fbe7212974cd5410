//! What a scenario measures besides the catalogue.

mod terms;

use serde::Deserialize;

use super::Phases;
use crate::engine::{Name, NodeId, Ratio, Span, Time};
use crate::world::Flaw;
pub use terms::{Doing, Each, Stat, Until, Usage};

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
        /// How long it must last: no longer than the load does after that, and at least a 100,000th
        /// of it.
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
    /// How long after one fact of an operation another of the same operation came; operations
    /// without the other are left out, and so is what belongs to none.
    ///
    /// ```ron
    /// Between(from: "outbox.stored", to: "queue.processed", stat: Percentile("95 %"))
    /// ```
    Between {
        /// From when this was noted of an operation for the first time; from the end of the warm-up
        /// on.
        from: Name,
        /// Until this was noted of it, then or later; `list facts` names them.
        to: Name,
        /// `to` at this node only. Default: at any.
        #[serde(default)]
        at: Option<NodeId>,
        /// Until which time `to` was noted. Default: `First`.
        #[serde(default)]
        until: Until,
        /// Which figure of their distribution. Default: `Mean`.
        #[serde(default)]
        stat: Stat,
    },
    /// How often something was noted of each operation, or of each object, of which it was noted at
    /// all, and for the first time after the warm-up.
    ///
    /// ```ron
    /// Occurrences(what: "queue.delivered", each: Object)
    /// ```
    Occurrences {
        /// What; `list facts` names them.
        what: Name,
        /// At this node only. Default: at any.
        #[serde(default)]
        at: Option<NodeId>,
        /// What is taken together. Default: `Operation`.
        #[serde(default)]
        each: Each,
        /// Which figure of their distribution. Default: `Mean`.
        #[serde(default)]
        stat: Stat,
    },
    /// The share of the operations, or objects, of which something was noted at least so often:
    /// among those of which it was noted at all, and for the first time after the warm-up.
    ///
    /// ```ron
    /// OccurrencesAtLeast(what: "queue.delivered", each: Object, times: 2)
    /// ```
    OccurrencesAtLeast {
        /// What; `list facts` names them.
        what: Name,
        /// At this node only. Default: at any.
        #[serde(default)]
        at: Option<NodeId>,
        /// What is taken together. Default: `Operation`.
        #[serde(default)]
        each: Each,
        /// So often or more, at least twice.
        times: u32,
    },
    /// A metric of the catalogue, to reckon with.
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
    /// A count of what happened in the measured load as a rate over it.
    ///
    /// ```ron
    /// PerSecond(Machine(node: "shop", what: Jobs))
    /// ```
    PerSecond(Box<MeasureSpec>),
}

fn nearly_all() -> Ratio {
    Ratio::new(99, 100).unwrap_or(Ratio::ONE)
}

fn first() -> u64 {
    1
}

impl MeasureSpec {
    /// Every measure that it is made of, itself first.
    pub fn all(&self) -> impl Iterator<Item = &MeasureSpec> {
        self.placed().into_iter().map(|(_, part)| part)
    }

    /// The same, each with the end of its path.
    pub fn placed<'a>(&'a self) -> Vec<(String, &'a MeasureSpec)> {
        let mut all = vec![(String::new(), self)];
        let mut add = |way: String, part: &'a MeasureSpec| {
            all.extend(
                part.placed().into_iter().map(|(rest, part)| (format!("{way}{rest}"), part)),
            );
        };
        match self {
            MeasureSpec::Ratio(one, other)
            | MeasureSpec::Product(one, other)
            | MeasureSpec::Difference(one, other) => {
                add(".0".to_owned(), one);
                add(".1".to_owned(), other);
            }
            MeasureSpec::Sum(parts) => {
                let parts = parts.iter().enumerate();
                parts.for_each(|(place, part)| add(format!(".0.{place}"), part));
            }
            MeasureSpec::PerSecond(one) => add(".0".to_owned(), one),
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

    /// The facts that it is about, each with the field that says so.
    pub fn facts(&self) -> Vec<(&'static str, Name)> {
        match self {
            MeasureSpec::Facts { what, .. }
            | MeasureSpec::Moment { what, .. }
            | MeasureSpec::Occurrences { what, .. }
            | MeasureSpec::OccurrencesAtLeast { what, .. } => vec![("what", *what)],
            MeasureSpec::Between { from, to, .. } => vec![("from", *from), ("to", *to)],
            _ => Vec::new(),
        }
    }

    /// What is wrong with it by itself, in a run of these phases.
    pub fn problem(&self, run: &Phases) -> Option<Flaw> {
        let during = match self {
            MeasureSpec::Latency { during, .. }
            | MeasureSpec::Slower { during, .. }
            | MeasureSpec::Requests { during, .. }
            | MeasureSpec::InFlight { during, .. }
            | MeasureSpec::Facts { during, .. } => *during,
            _ => None,
        };
        if let Some(during) = during {
            let is_mean = matches!(self, MeasureSpec::InFlight { .. });
            return out_of_time(during, run.end() - Time(0), is_mean);
        }
        match self {
            MeasureSpec::Moment { nth: 0, .. } => Some(Flaw::at("nth", "`nth` counts from 1")),
            MeasureSpec::OccurrencesAtLeast { times: 0 | 1, .. } => {
                Some(Flaw::at("times", "all of which it was noted have it once: at least twice"))
            }
            MeasureSpec::Recovery { after, window, .. } => recovery(*after, *window, run.load),
            MeasureSpec::Sum(parts) if parts.is_empty() => {
                Some(Flaw::new("a sum of nothing has no unit"))
            }
            MeasureSpec::Number(number) if !number.is_finite() => {
                Some(Flaw::new("a number must be finite"))
            }
            _ => None,
        }
    }
}

/// What is wrong with looking at this time of a run that lasts so long, for a mean over the time or
/// for what happens in it.
fn out_of_time((from, until): (Span, Span), end: Span, is_mean: bool) -> Option<Flaw> {
    if from >= until {
        return Some(Flaw::at("during", format!("from {from} to {until} is no time")));
    }
    let title = match () {
        () if from >= end => "nothing happens in this time",
        () if until > end && is_mean => "this time is longer than the run",
        () => return None,
    };
    Some(Flaw::at("during", title).label(format!("the run ends after {end}")))
}

/// What is wrong with looking for a recovery in a load that lasts so long.
fn recovery(after: Span, window: Span, load: Span) -> Option<Flaw> {
    // Successes are counted by tenths of the window: no more of them than are worth the memory.
    const WINDOWS_MAX: u64 = 100_000;
    if after >= load {
        let title = format!("nobody asks after {after}: the load lasts {load}");
        return Some(Flaw::at("after", title));
    }
    let left = load - after;
    let least = Span(left.0.div_ceil(WINDOWS_MAX).max(10));
    if window < least {
        let title = format!("a `window` of {window} is too short to hold requests");
        return Some(Flaw::at("window", title).label(format!("at least {least}")));
    }
    (window > left).then(|| {
        let title = "a `window` that the load does not last for";
        Flaw::at("window", title).label(format!("from {after} on the load lasts {left}"))
    })
}
