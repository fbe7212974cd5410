//! Concurrency limits: how many jobs a machine lets in, fixed or found from how long they take.

use serde::Deserialize;

use crate::engine::{Factor, Ratio, Span, Time};
use crate::world::flaw::{EVERY_MIN, Flaw, too_often};

/// How many jobs a machine has at once, at work or waiting.
///
/// The adaptive ones are those of Netflix's library concurrency-limits, with its defaults. What
/// they measure is how long a job is there: its wait and its work, and the calls that are made for
/// it where it holds its worker for them.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Limit {
    /// Always the same.
    ///
    /// Source: Netflix's library concurrency-limits (`FixedLimit`).
    ///
    /// ```ron
    /// Fixed(jobs: 50)
    /// ```
    Fixed {
        /// How many jobs.
        jobs: u32,
    },
    /// Additive increase, multiplicative decrease: one more for each job that is done in time while
    /// at least half of the limit is used, and fewer after each that is not.
    ///
    /// Source: Netflix's library concurrency-limits (`AIMDLimit`), with its defaults.
    ///
    /// ```ron
    /// Aimd(latency_max: "200ms")
    /// ```
    Aimd {
        /// A job that takes longer, or is dropped, lowers the limit. Default: `"5s"`.
        #[serde(default = "five_seconds")]
        latency_max: Span,
        /// What the limit is multiplied with then. Default: `"90 %"`.
        #[serde(default = "nine_tenths")]
        backoff: Ratio,
        /// Where it begins. Default: 20.
        #[serde(default = "twenty")]
        initial: u32,
        /// Never less. Default: 20.
        #[serde(default = "twenty")]
        min: u32,
        /// Never more. Default: 200.
        #[serde(default = "two_hundred")]
        max: u32,
    },
    /// By the gradient between the long-term and the present latency: as latency rises above what
    /// is usual the limit falls, and a small queue is always allowed (`Gradient2`).
    ///
    /// Source: Netflix's library concurrency-limits (`Gradient2Limit`), with its defaults.
    ///
    /// ```ron
    /// Gradient(initial: 20, max: 200)
    /// ```
    Gradient {
        /// How much the latency may rise above the usual without effect. Default: `"1.5x"`.
        #[serde(default = "one_and_a_half")]
        tolerance: Factor,
        /// The queue that is always allowed. Default: 4.
        #[serde(default = "four")]
        queue: u32,
        /// How much of a change is made at once. Default: `"20 %"`.
        #[serde(default = "fifth")]
        smoothing: Ratio,
        /// Over how long a latency is averaged, in which at least ten jobs end. Default: `"1s"`.
        #[serde(default = "second")]
        window: Span,
        /// Where it begins. Default: 20.
        #[serde(default = "twenty")]
        initial: u32,
        /// Never less. Default: 20.
        #[serde(default = "twenty")]
        min: u32,
        /// Never more. Default: 200.
        #[serde(default = "two_hundred")]
        max: u32,
    },
}

fn five_seconds() -> Span {
    Span::from_seconds(5)
}

fn second() -> Span {
    Span::SECOND
}

fn nine_tenths() -> Ratio {
    Ratio::new(9, 10).unwrap_or(Ratio::ONE)
}

fn fifth() -> Ratio {
    Ratio::new(1, 5).unwrap_or(Ratio::ONE)
}

fn one_and_a_half() -> Factor {
    Factor::from_thousandths(1_500).unwrap_or(Factor::ONE)
}

fn four() -> u32 {
    4
}

fn twenty() -> u32 {
    20
}

fn two_hundred() -> u32 {
    200
}

impl Limit {
    /// Initial, least and most.
    fn bounds(&self) -> (u32, u32, u32) {
        match *self {
            Limit::Fixed { jobs } => (jobs, jobs, jobs),
            Limit::Aimd { initial, min, max, .. } | Limit::Gradient { initial, min, max, .. } => {
                (initial, min, max)
            }
        }
    }

    /// What is wrong with it, for the loader.
    pub(super) fn problem(&self) -> Option<Flaw> {
        let (initial, min, max) = self.bounds();
        let (field, title) = match self {
            Limit::Fixed { jobs: 0 } => ("jobs", "a limit of 0 lets nothing in"),
            _ if min == 0 => ("min", "a limit of 0 lets nothing in"),
            _ if !(min..=max).contains(&initial) => (
                "initial",
                "a limit begins at `initial`, which is at least `min` and at most `max`",
            ),
            Limit::Aimd { backoff, .. } if backoff.is_one() => {
                ("backoff", "`backoff` must be below 100 %")
            }
            Limit::Gradient { smoothing, .. } if smoothing.is_zero() => {
                ("smoothing", "without `smoothing` above 0 % the limit never changes")
            }
            Limit::Gradient { window, .. } if *window < EVERY_MIN => {
                return too_often("window", *window);
            }
            _ => return None,
        };
        Some(Flaw::at(field, title))
    }
}

/// Limits are kept in thousandths of a job.
const JOB: u64 = 1_000;
/// A latency is averaged over at least so many jobs.
const SAMPLES: u64 = 10;
/// So many averages make the usual latency; of the first few it is the plain mean.
const USUAL: u64 = 600;
const FIRST: u64 = 10;

/// A limit at work.
pub(super) struct Limiter {
    spec: Limit,
    /// The limit now.
    now: u64,
    /// The average under way: until when, the sum, how many jobs, and the most that were there.
    until: Time,
    sum: u64,
    samples: u64,
    most: u64,
    /// The usual latency in nanoseconds, and how many averages it is made of.
    usual: u64,
    averages: u64,
}

impl Limiter {
    pub fn new(spec: Limit) -> Limiter {
        let now = u64::from(spec.bounds().0) * JOB;
        let until = Time(0);
        Limiter { spec, now, until, sum: 0, samples: 0, most: 0, usual: 0, averages: 0 }
    }

    /// How many jobs may be there.
    pub fn jobs(&self) -> u32 {
        (self.now / JOB) as u32
    }

    /// A job is over that was there for `latency`, as one of `present`.
    pub fn ended(&mut self, now: Time, latency: Span, present: u32, is_dropped: bool) {
        let present = u64::from(present) * JOB;
        let (_, min, max) = self.spec.bounds();
        let next = match self.spec {
            Limit::Fixed { .. } => return,
            Limit::Aimd { latency_max, backoff, .. } => {
                if is_dropped || latency > latency_max {
                    self.now * backoff.numerator() / backoff.denominator()
                } else {
                    self.now + JOB * u64::from(present * 2 >= self.now)
                }
            }
            Limit::Gradient { window, .. } => {
                if is_dropped {
                    return;
                }
                self.sum = self.sum.saturating_add(latency.0);
                self.samples += 1;
                self.most = self.most.max(present);
                if now < self.until || self.samples < SAMPLES {
                    return;
                }
                let (average, most) = (self.sum / self.samples, self.most);
                (self.until, self.sum, self.samples, self.most) = (now + window, 0, 0, 0);
                self.gradient(average, most)
            }
        };
        self.now = next.clamp(u64::from(min) * JOB, u64::from(max) * JOB);
    }

    /// The limit after a window in which jobs took this long on average and at most so many were
    /// there.
    fn gradient(&mut self, average: u64, most: u64) -> u64 {
        let Limit::Gradient { tolerance, queue, smoothing, .. } = self.spec else {
            return self.now;
        };
        let average = average.max(1);
        let usual = self.long_term(average);
        // Usual latency that lies far above the present one is from another time.
        if usual / average >= 2 {
            self.usual = usual * 19 / 20;
        }
        // Nobody asks for more.
        if most < self.now / 2 {
            return self.now;
        }
        let tolerated = u128::from(usual) * u128::from(tolerance.thousandths());
        let gradient = (tolerated / u128::from(average)).clamp(500, 1_000) as u64;
        let aim = self.now * gradient / 1_000 + u64::from(queue) * JOB;
        let part = smoothing.as_f64();
        (self.now as f64 * (1.0 - part) + aim as f64 * part) as u64
    }

    /// Takes an average into the usual latency.
    fn long_term(&mut self, average: u64) -> u64 {
        self.averages += 1;
        let (old, new) = (i128::from(self.usual), i128::from(average));
        let change = if self.averages <= FIRST {
            (new - old) / i128::from(self.averages)
        } else {
            (new - old) * 2 / i128::from(USUAL + 1)
        };
        self.usual = (old + change) as u64;
        self.usual
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(count: u64) -> Span {
        Span::from_millis(count)
    }

    fn limiter(text: &str) -> Limiter {
        Limiter::new(ron::from_str(text).expect("it can be read"))
    }

    #[test]
    fn additive_increase_needs_demand_and_decrease_is_multiplicative() {
        let mut limiter = limiter("Aimd(latency_max: \"100ms\")");
        limiter.ended(Time(0), ms(10), 9, false);
        assert_eq!(limiter.jobs(), 20, "less than half of it is used");
        limiter.ended(Time(0), ms(10), 10, false);
        assert_eq!(limiter.jobs(), 21);
        (0..1_000).for_each(|_| limiter.ended(Time(0), ms(10), 200, false));
        assert_eq!(limiter.jobs(), 200, "at most");
        limiter.ended(Time(0), ms(101), 200, false);
        assert_eq!(limiter.jobs(), 180);
        limiter.ended(Time(0), ms(1), 200, true);
        assert_eq!(limiter.jobs(), 162);
        (0..1_000).for_each(|_| limiter.ended(Time(0), ms(1), 1, true));
        assert_eq!(limiter.jobs(), 20, "at least");
    }

    /// Lets windows of ten jobs end that take this long.
    fn windows(limiter: &mut Limiter, from: u64, count: u64, latency: Span) -> u32 {
        for second in from..from + count {
            let now = Time(0) + Span::from_seconds(second);
            (0..SAMPLES).for_each(|_| limiter.ended(now, latency, 200, false));
        }
        limiter.jobs()
    }

    #[test]
    fn the_gradient_grows_while_latency_is_usual_and_falls_when_it_rises() {
        let mut limiter = limiter("Gradient(initial: 50, max: 100)");
        // It grows by a fifth of the queue that is always allowed.
        assert_eq!(windows(&mut limiter, 0, 1, ms(10)), 50);
        assert_eq!(limiter.now, 50_800);
        assert_eq!(windows(&mut limiter, 1, 200, ms(10)), 100);
        // Within the tolerance of 1.5 nothing falls.
        assert_eq!(windows(&mut limiter, 201, 5, ms(14)), 100);
        let fallen = windows(&mut limiter, 206, 10, ms(60));
        assert!((30..50).contains(&fallen), "{fallen}");
        assert!(windows(&mut limiter, 216, 30, ms(10)) > fallen, "it recovers");
    }

    #[test]
    fn bounds_that_contradict_each_other_are_refused() {
        let problem = |text: &str| ron::from_str::<Limit>(text).expect("it can be read").problem();
        assert_eq!(problem("Aimd()"), None);
        assert_eq!(problem("Gradient()"), None);
        for bad in ["Fixed(jobs: 0)", "Aimd(initial: 5)", "Aimd(backoff: 1)", "Gradient(max: 10)"] {
            assert!(problem(bad).is_some(), "{bad}");
        }
    }
}
