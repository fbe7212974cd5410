//! When a client asks: in an open loop, or each user after the answer.

use serde::Deserialize;

use super::bursts::{BurstState, Bursts};
use super::profile::Intensity;
use super::trace::Recording;
use crate::engine::dist::Shape;
use crate::engine::{Dist, Rate, Ratio, Span};
use crate::world::{Dated, Flaw};

/// When a client asks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Load {
    /// Open loop, exponential gaps: many independent users.
    ///
    /// Source: the arrivals M of queueing theory: L. Kleinrock, "Queueing Systems, Volume I", 1975;
    /// under a profile E. Çinlar, "Introduction to Stochastic Processes", 1975, section 4.7.
    ///
    /// ```ron
    /// Poisson(rate: Ramp(from: "10/s", to: "100/s", over: "60s"))
    /// ```
    Poisson {
        /// How often on average.
        rate: Intensity,
    },
    /// Open loop, equal gaps.
    ///
    /// Source: the arrivals D of queueing theory; load generators with a constant rate, such as
    /// wrk2.
    ///
    /// ```ron
    /// Constant(rate: "50/s")
    /// ```
    Constant {
        /// How often.
        rate: Intensity,
        /// When the first request comes, from the client's start. Default: after one gap.
        #[serde(default)]
        first: Option<Span>,
    },
    /// Open loop, gaps of a gamma distribution: between regular and bursty as you choose.
    ///
    /// Source: the renewal process of D. R. Cox, "Renewal Theory", 1962.
    ///
    /// ```ron
    /// Gamma(rate: "50/s", cv: 3)
    /// ```
    Gamma {
        /// How often on average.
        rate: Rate,
        /// Standard deviation of the gaps over their mean, from 0.001 to 1000: 1 is Poisson.
        /// Default: taken from `shape`.
        #[serde(default)]
        cv: Option<f64>,
        /// The shape parameter, 1/cv². Default: taken from `cv`.
        #[serde(default)]
        shape: Option<f64>,
    },
    /// Open loop, gaps of a Weibull distribution: below a shape of 1 requests come in clusters.
    ///
    /// Source: the renewal process of D. R. Cox, "Renewal Theory", 1962.
    ///
    /// ```ron
    /// Weibull(rate: "50/s", shape: 0.6)
    /// ```
    Weibull {
        /// How often on average.
        rate: Rate,
        /// The shape parameter, from 0.05 to 1000: 1 is Poisson, above it is more regular.
        shape: f64,
    },
    /// Open loop, gaps of any distribution.
    ///
    /// Source: the renewal process of D. R. Cox, "Renewal Theory", 1962.
    ///
    /// ```ron
    /// Gaps(Uniform(min: "10ms", max: "30ms"))
    /// ```
    Gaps(Dist),
    /// Open loop, bursts: a Poisson process whose rate depends on a state, which comes and goes at
    /// random and is followed by any of the others. It starts as if it had gone on for ever.
    ///
    /// Source: the Markov-modulated Poisson process of H. Heffes and D. Lucantoni, "A Markov
    /// Modulated Characterization of Packetized Voice and Data Traffic", IEEE JSAC 4(6), 1986.
    ///
    /// ```ron
    /// Bursts(states: [(rate: "10/s", stay: "10s"), (rate: "200/s", stay: "1s")])
    /// ```
    Bursts {
        /// The states, at least two.
        states: Vec<BurstState>,
    },
    /// Open loop, requests at these instants, which count from the start of the run.
    ///
    /// Source: this simulator's own; a recording in the scenario itself.
    ///
    /// ```ron
    /// At(["0ms", "5ms", "6ms", "20ms"])
    /// ```
    At(Vec<Span>),
    /// Open loop, requests from a CSV file: a header, then a row for each request, in the order of
    /// their times. The column `time` counts from the start of the run, in seconds or with a unit.
    /// There may be others: `key` (a whole number), `value`, `class` (the name of one of the
    /// client's classes) and `payload` (bytes, or a size with a unit); what there is no column for
    /// is drawn as the client has it. Blank lines and lines that begin with `#` are skipped.
    ///
    /// Source: trace-driven simulation: A. M. Law, "Simulation Modeling and Analysis", chapter 6;
    /// the form of the file is this simulator's own.
    ///
    /// ```ron
    /// Trace(file: "arrivals.csv")
    /// ```
    Trace {
        /// The file, from the folder of the scenario; at most 10,000,000 rows and 512 MiB.
        file: Recording,
    },
    /// Closed loop: each user waits for the answer, thinks, and asks again.
    ///
    /// Source: B. Schroeder, A. Wierman and M. Harchol-Balter, "Open Versus Closed: A Cautionary
    /// Tale", NSDI 2006; `every` is against what G. Tene calls coordinated omission.
    ///
    /// ```ron
    /// Closed(users: 20, think: Exponential(mean: "500ms"))
    /// ```
    Closed {
        /// How many users, from 1 to 10,000,000.
        users: u32,
        /// How long they think between an answer and the next request. Default: not at all.
        #[serde(default)]
        think: Think,
        /// Each user means to ask so often, and thinks no longer than that: a request that could
        /// not be made in time, since the answer before came too late, counts from when it was
        /// meant to be made. Default: after the answer and the thinking.
        #[serde(default)]
        every: Option<Span>,
        /// In what time the users come, one after the other. Default: all at the start.
        #[serde(default)]
        ramp_up: Span,
        /// When a user leaves and comes back. Default: never.
        #[serde(default)]
        session: Option<Session>,
    },
    /// Partly open: users come at random, each makes some requests in a closed loop, and leaves.
    ///
    /// Source: B. Schroeder, A. Wierman and M. Harchol-Balter, "Open Versus Closed: A Cautionary
    /// Tale", NSDI 2006.
    ///
    /// ```ron
    /// Sessions(rate: "5/s", stay: "80 %", think: Exponential(mean: "1s"))
    /// ```
    Sessions {
        /// How often users come.
        rate: Intensity,
        /// How likely a user asks once more after each answer: the mean number of requests is
        /// 1 / (1 - stay). Below 100 %.
        stay: Ratio,
        /// How long they think between an answer and the next request. Default: not at all.
        #[serde(default)]
        think: Think,
    },
}

/// A user's session in a closed loop.
///
/// ```ron
/// (requests: 20, pause: Exponential(mean: "60s"))
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// After so many requests the user leaves; at least 1.
    pub(super) requests: u32,
    /// After so long the user comes back, and thinks before the first request as always.
    pub(super) pause: Dist,
}

/// How long a user thinks.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct Think(pub(super) Dist);

impl Default for Think {
    fn default() -> Think {
        Think(Dist::constant(Span::ZERO))
    }
}

/// So many users, each with a task, take about as many gigabytes as one can expect to have.
const USERS_MAX: u32 = 10_000_000;

impl Load {
    /// The gaps of a renewal process; `None` if it is none.
    pub(super) fn gaps(&self) -> Option<Result<Dist, String>> {
        let shape = match self {
            Load::Gaps(gaps) => return Some(Ok(gaps.clone())),
            Load::Poisson { rate: Intensity::Even(rate) } => {
                return Some(Ok(Dist::exponential(rate.mean_gap())));
            }
            Load::Gamma { rate, cv, shape } => {
                Shape::Gamma { mean: rate.mean_gap(), cv: *cv, shape: *shape }
            }
            Load::Weibull { rate, shape } => {
                Shape::Weibull { mean: Some(rate.mean_gap()), scale: None, shape: *shape }
            }
            _ => return None,
        };
        Some(Dist::new(shape).map_err(|error| error.to_string()))
    }

    /// Does each user wait for the answer?
    pub(super) fn is_closed(&self) -> bool {
        matches!(self, Load::Closed { .. } | Load::Sessions { .. })
    }

    /// At which instants of the run it changes, for a client that starts then.
    pub(super) fn dated(&self, start: Span) -> Vec<Dated> {
        match self {
            Load::Poisson { rate }
            | Load::Constant { rate, first: None }
            | Load::Sessions { rate, .. } => {
                rate.dated().into_iter().map(|dated| dated.within("rate")).collect()
            }
            Load::Constant { rate, first: Some(first) } => {
                let rate = rate.dated().into_iter().map(|dated| dated.within("rate"));
                rate.chain([Dated::of_load("first", start + *first)]).collect()
            }
            Load::At(times) => {
                times.iter().enumerate().map(|(place, at)| Dated::of_load(place, *at)).collect()
            }
            Load::Trace { file } => {
                let first = file.times().first();
                first.map(|at| Dated::of_load("file", *at)).into_iter().collect()
            }
            // When the last of them comes.
            Load::Closed { users, ramp_up, .. } if *users > 1 && !ramp_up.is_zero() => {
                let last = *ramp_up - *ramp_up / u64::from(*users);
                vec![Dated::of_load("ramp_up", start + last)]
            }
            _ => Vec::new(),
        }
    }

    /// What is wrong with it.
    pub(super) fn problem(&self) -> Option<Flaw> {
        match self.gaps() {
            Some(Err(problem)) => return Some(Flaw::new(problem)),
            Some(Ok(gaps)) if gaps.mean() < GAP_MIN.as_seconds() => {
                let title = "requests that come so often leave no time to pass";
                let label = format!("at least {GAP_MIN} between two in the mean; see `batch`");
                return Some(Flaw::new(title).label(label));
            }
            _ => {}
        }
        match self {
            Load::Closed { users: 0, .. } => {
                Some(Flaw::at("users", "a closed loop needs at least one user"))
            }
            Load::Closed { users, .. } if *users > USERS_MAX => {
                let title = format!("a client can be at most {USERS_MAX} `users`");
                Some(Flaw::at("users", title))
            }
            Load::Closed { every: Some(Span(0)), .. } => {
                Some(Flaw::at("every", "a user cannot ask `every` 0 s"))
            }
            Load::Closed { session: Some(Session { requests: 0, .. }), .. } => {
                Some(Flaw::at("session.requests", "a session has at least one request"))
            }
            Load::Sessions { stay, .. } if stay.is_one() => {
                Some(Flaw::at("stay", "with a `stay` of 100 % no user would ever leave"))
            }
            Load::Bursts { states } => Bursts::problem(states).map(|flaw| flaw.within("states")),
            Load::At(times) => {
                let falls = |place: &usize| times[*place] < times[place - 1];
                let place = (1..times.len()).find(falls)?;
                let (late, early) = (times[place], times[place - 1]);
                let title = format!("instants must rise, but {late} comes after {early}");
                Some(Flaw::at(place, title))
            }
            _ => None,
        }
    }
}

/// Requests come no more often than this in the mean; a `batch` brings several at once.
const GAP_MIN: Span = Span::MICROSECOND;
