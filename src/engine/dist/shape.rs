//! `Shape` is a distribution as somebody writes it: a name and the parameters people know.

use serde::{Deserialize, Serialize};

use super::{Dist, SizeDist};
use crate::engine::time::Span;
use crate::engine::units::{Bytes, Rate};

/// What a distribution is of: spans of time, or sizes.
pub trait Unit: Copy {
    /// A distribution of it.
    type Dist;
}

impl Unit for Span {
    type Dist = Dist;
}

impl Unit for Bytes {
    type Dist = SizeDist;
}

/// The kinds of distributions. A span alone, `"5ms"`, is short for `Constant("5ms")`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "U: Serialize, U::Dist: Serialize",
    deserialize = "U: Deserialize<'de>, U::Dist: Deserialize<'de>"
))]
pub enum Shape<U: Unit = Span> {
    /// Always the same span: `Constant("5ms")`, or only `"5ms"`.
    ///
    /// Source: the deterministic distribution, D in Kendall's notation of queues.
    Constant(U),

    /// Every nanosecond from `min` to `max` equally likely: `Uniform(min: "1ms", max: "9ms")`.
    ///
    /// Source: A. M. Law, "Simulation Modeling and Analysis", chapter 6.
    Uniform {
        /// The shortest span.
        min: U,
        /// The longest span, itself included; not below `min`.
        max: U,
    },

    /// Without memory, the classic model of arrivals and of service times:
    /// `Exponential(mean: "10ms")` or `Exponential(rate: "100/s")`. Exactly one of the two.
    ///
    /// Source: A. M. Law, "Simulation Modeling and Analysis", chapter 6.
    Exponential {
        /// The mean span, above zero. Default: taken from `rate`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mean: Option<U>,
        /// Events per time; the mean is its inverse. Default: taken from `mean`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rate: Option<Rate>,
    },

    /// The sum of `k` equal exponential stages, more regular than one:
    /// `Erlang(k: 3, mean: "10ms")`.
    ///
    /// Source: A. M. Law, "Simulation Modeling and Analysis", chapter 6 (a gamma distribution with
    /// a whole number as its shape).
    Erlang {
        /// The number of stages, from 1 to 1 000 000; the coefficient of variation is 1/sqrt(k).
        k: u32,
        /// The mean of the sum, above zero.
        mean: U,
    },

    /// Between regular and bursty as you choose: `Gamma(mean: "10ms", cv: 0.5)` or
    /// `Gamma(mean: "10ms", shape: 4)`. Exactly one of `cv` and `shape`.
    ///
    /// Source: A. M. Law, "Simulation Modeling and Analysis", chapter 6.
    Gamma {
        /// The mean span, above zero.
        mean: U,
        /// Standard deviation over mean, from 0.001 to 1000. Default: taken from `shape`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cv: Option<f64>,
        /// The shape parameter, 1/cv², from 0.000001 to 1 000 000. Default: taken from `cv`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        shape: Option<f64>,
    },

    /// What measured latencies look like: `LogNormal(median: "5ms", p99: "40ms")` or
    /// `LogNormal(mean: "8ms", cv: 1.2)`. Exactly one of `median` and `mean`, and exactly one of
    /// `p99` and `cv`.
    ///
    /// Source: A. M. Law, "Simulation Modeling and Analysis", chapter 6; to give it by `median` and
    /// `p99` is this simulator's own.
    LogNormal {
        /// Half of the draws are shorter; above zero. Default: taken from `mean`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        median: Option<U>,
        /// The mean span, above zero. Default: taken from `median`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mean: Option<U>,
        /// One draw in a hundred is longer; above `median` or `mean`, and with `mean` at most 14.9
        /// times as long, for no lognormal goes beyond. Default: taken from `cv`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        p99: Option<U>,
        /// Standard deviation over mean, above zero, up to 1000. Default: taken from `p99`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cv: Option<f64>,
    },

    /// Around a mean, as sums of many small things are: `Normal(mean: "10ms", deviation: "2ms")`.
    /// No span is negative: what would be counts as that much above zero (the folded normal
    /// distribution), so the mean is larger than stated where `deviation` is not small beside it.
    ///
    /// Source: A. M. Law, "Simulation Modeling and Analysis", chapter 6; F. C. Leone, L. S. Nelson
    /// and R. B. Nottingham, "The Folded Normal Distribution", Technometrics 3(4), 1961.
    Normal {
        /// The mean before folding, zero allowed.
        mean: U,
        /// The standard deviation before folding, above zero.
        deviation: U,
    },

    /// Times to failure: `Weibull(mean: "30d", shape: 0.7)` or `Weibull(scale: "1h", shape: 2)`.
    /// Exactly one of `mean` and `scale`.
    ///
    /// Source: A. M. Law, "Simulation Modeling and Analysis", chapter 6.
    Weibull {
        /// The mean span, above zero. Default: taken from `scale`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mean: Option<U>,
        /// The span that 63.2 % of the draws stay below, above zero. Default: taken from `mean`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scale: Option<U>,
        /// Below 1 young ones fail most, 1 is exponential, above 1 things wear out; from 0.05 to
        /// 1000.
        shape: f64,
    },

    /// A heavy tail, a few draws far longer than all others: `Pareto(min: "1ms", alpha: 2.5)`, or
    /// cut off at the top: `Pareto(min: "1ms", alpha: 1.1, max: "10s")`.
    ///
    /// Source: M. Harchol-Balter, "Performance Modeling and Design of Computer Systems", 2013
    /// (Pareto and bounded Pareto).
    Pareto {
        /// The shortest span, above zero.
        min: U,
        /// The exponent of the tail, from 0.05 to 1000. The mean is infinite up to 1 and the
        /// variance up to 2, unless `max` bounds them.
        alpha: f64,
        /// The longest span, above `min`; the tail beyond is spread over the rest. Default: none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<U>,
    },

    /// One of several exponentials, more bursty than one: `HyperExponential(mean: "10ms", cv: 3)`
    /// for two of them with balanced means, or
    /// `HyperExponential(branches: [(weight: 0.9, mean: "2ms"), (weight: 0.1, mean: "80ms")])`.
    ///
    /// Source: H. C. Tijms, "A First Course in Stochastic Models", 2003, for the one with balanced
    /// means.
    HyperExponential {
        /// The mean span, above zero. Default: taken from `branches`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mean: Option<U>,
        /// Standard deviation over mean, above 1, up to 1000. Default: taken from `branches`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cv: Option<f64>,
        /// The exponentials and how often each is chosen. Default: taken from `mean` and `cv`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        branches: Option<Vec<Branch<U>>>,
    },

    /// One of several distributions, such as a cache hit or a miss:
    /// `Mixture([(weight: 0.9, dist: "1ms"), (weight: 0.1, dist: Exponential(mean: "20ms"))])`.
    ///
    /// Source: the method of composition: A. M. Law, "Simulation Modeling and Analysis", chapter 8.
    Mixture(Vec<Part<U>>),

    /// What was measured: `Empirical(points: [("1ms", 0), ("3ms", 0.5), ("9ms", 0.99),
    /// ("50ms", 1)])` from quantiles, or `Empirical(values: ["1ms", "2ms", "9ms"])` from single
    /// measurements, each drawn with the same probability. Exactly one of the two.
    ///
    /// Source: A. M. Law, "Simulation Modeling and Analysis", chapter 6.
    Empirical {
        /// Spans and the probability that a draw is at most so long; both must rise, from
        /// probability 0 (the minimum) to 1 (the maximum). Default: taken from `values`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        points: Option<Vec<(U, f64)>>,
        /// Measurements, at least one. Default: taken from `points`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        values: Option<Vec<U>>,
        /// What lies between two points; only with `points`. Default: `Linear`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        between: Option<Interpolation>,
    },

    /// Another distribution plus a constant, such as a wire's delay:
    /// `Shifted(by: "1ms", dist: Exponential(mean: "2ms"))`.
    ///
    /// Source: A. M. Law, "Simulation Modeling and Analysis", chapter 6.
    Shifted {
        /// The constant that is added.
        by: U,
        /// The distribution it is added to.
        dist: U::Dist,
    },

    /// Another distribution without what lies outside of the bounds:
    /// `Truncated(max: "1s", dist: LogNormal(median: "5ms", p99: "400ms"))`. A draw outside is
    /// drawn again, so the rest keeps its proportions; at least 1 % must lie inside. After 10 000
    /// draws outside (less likely than 1 in 10^40) the last is moved to the nearer bound.
    ///
    /// Source: A. M. Law, "Simulation Modeling and Analysis", chapter 6; drawing again is
    /// acceptance and rejection, chapter 8.
    Truncated {
        /// The shortest span that is kept. Default: no lower bound.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<U>,
        /// The longest span that is kept, not below `min`. Default: no upper bound.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<U>,
        /// The distribution that is drawn from.
        dist: U::Dist,
    },
}

/// One exponential of a hyperexponential distribution.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Branch<U = Span> {
    /// How often it is chosen in relation to the others, above zero; need not add up to 1.
    pub weight: f64,
    /// Its mean, above zero.
    pub mean: U,
}

/// One distribution of a mixture.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[serde(bound(
    serialize = "U: Serialize, U::Dist: Serialize",
    deserialize = "U: Deserialize<'de>, U::Dist: Deserialize<'de>"
))]
pub struct Part<U: Unit = Span> {
    /// How often it is chosen in relation to the others, above zero; need not add up to 1.
    pub weight: f64,
    /// The distribution.
    pub dist: U::Dist,
}

/// How a quantile between two points of a table is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Interpolation {
    /// On a straight line between the two spans.
    Linear,
    /// On a straight line between their logarithms, for tables that span decades; all spans must be
    /// above zero.
    Logarithmic,
}

impl<U: Unit> Shape<U> {
    /// Each kind and its meaning in one line, for the reference on the command line.
    pub const LIST: &[(&str, &str)] = &[
        ("Constant", "always the same span; \"5ms\" alone means it too"),
        ("Uniform", "every span from min to max equally likely"),
        ("Exponential", "without memory: arrivals, service times"),
        ("Erlang", "the sum of k exponential stages: more regular"),
        ("Gamma", "any coefficient of variation: regular or bursty"),
        ("LogNormal", "what measured latencies look like"),
        ("Normal", "around a mean, as sums of many small things are"),
        ("Weibull", "times to failure: early, at random, or from wear"),
        ("Pareto", "a heavy tail, optionally bounded"),
        ("HyperExponential", "one of several exponentials: bursty"),
        ("Mixture", "one of several distributions, by weight"),
        ("Empirical", "from measured quantiles or measured values"),
        ("Shifted", "another distribution plus a constant"),
        ("Truncated", "another distribution, kept within bounds"),
    ];
}
