//! A gauge: what each job met that came to a machine, for measures that need more than sums.
//!
//! Only machines that a measure asks about have one. It watches and changes nothing: such a machine
//! does the same work at the same instants as without.

use crate::engine::{Span, Time};
use crate::stats::{Histogram, Summary};

/// What the jobs of one machine met, within a part of the run.
#[derive(Clone, Debug)]
pub struct Gauge {
    from: Time,
    until: Time,
    /// Arrivals, by how many jobs they found; the last place is for all above.
    found: Vec<u64>,
    /// Nanoseconds, by how many jobs were present.
    present: Vec<u64>,
    now: u32,
    since: Time,
    waits: Histogram,
    seconds: Summary,
    waited: u64,
    /// How long jobs stayed in all, in nanoseconds, and how many have gone.
    stayed: (u128, u64),
}

/// Numbers of jobs above this count as this.
const MOST: usize = 1 << 20;

impl Gauge {
    /// Counts jobs that come from `from` to before `until`.
    pub fn new(from: Time, until: Time) -> Gauge {
        Gauge {
            from,
            until,
            found: Vec::new(),
            present: Vec::new(),
            now: 0,
            since: Time(0),
            waits: Histogram::new(),
            seconds: Summary::default(),
            waited: 0,
            stayed: (0, 0),
        }
    }

    fn counts(&self, at: Time) -> bool {
        (self.from..self.until).contains(&at)
    }

    /// A job comes, whether or not it is let in.
    pub(super) fn arrives(&mut self, now: Time) {
        if self.counts(now) {
            *place(&mut self.found, self.now) += 1;
        }
    }

    /// A job that came at `since` waits no more: a worker takes it up, or it leaves.
    pub(super) fn waits_no_more(&mut self, since: Time, now: Time) {
        if self.counts(since) {
            let wait = now - since;
            self.waits.record(wait.0);
            self.seconds.add(wait.as_seconds());
            self.waited += u64::from(!wait.is_zero());
        }
    }

    /// A job that came at `since` is gone, served or not.
    pub(super) fn goes(&mut self, since: Time, now: Time) {
        if self.counts(since) {
            self.stayed.0 += u128::from((now - since).0);
            self.stayed.1 += 1;
        }
    }

    /// From now on this many jobs are at work or wait.
    pub(super) fn changes(&mut self, now: Time, jobs: u32) {
        let (from, until) = (self.since.max(self.from), now.min(self.until));
        if from < until {
            *place(&mut self.present, self.now) += (until - from).0;
        }
        (self.now, self.since) = (jobs, now);
    }

    /// The share of the arrivals that found at least so many jobs; none of none.
    pub fn found_at_least(&self, jobs: u32) -> Option<f64> {
        at_least(&self.found, jobs)
    }

    /// The share of the time in which at least so many jobs were present.
    pub fn present_at_least(&self, jobs: u32) -> Option<f64> {
        at_least(&self.present, jobs)
    }

    /// How many nanoseconds each number of jobs was present, by number.
    pub fn present(&self) -> &[u64] {
        &self.present
    }

    /// How long the jobs that have gone stayed in all, in nanoseconds, and how many they are.
    pub fn stayed(&self) -> (u128, u64) {
        self.stayed
    }

    /// The waits of all jobs, in nanoseconds.
    pub fn waits(&self) -> &Histogram {
        &self.waits
    }

    /// The same in seconds.
    pub fn wait_seconds(&self) -> &Summary {
        &self.seconds
    }

    /// The share of the jobs that waited longer than this.
    pub fn waited_longer(&self, than: Span) -> Option<f64> {
        if than.is_zero() && !self.waits.is_empty() {
            return Some(self.waited as f64 / self.waits.count() as f64);
        }
        self.waits.above(than.0)
    }
}

fn place(counts: &mut Vec<u64>, jobs: u32) -> &mut u64 {
    let at = (jobs as usize).min(MOST);
    if at >= counts.len() {
        counts.resize(at + 1, 0);
    }
    &mut counts[at]
}

fn at_least(counts: &[u64], jobs: u32) -> Option<f64> {
    let all: u64 = counts.iter().sum();
    let many: u64 = counts.iter().skip(jobs as usize).sum();
    (all > 0).then(|| many as f64 / all as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_and_time_count_within_the_window_only() {
        let mut gauge = Gauge::new(Time(10), Time(30));
        gauge.arrives(Time(5));
        gauge.changes(Time(5), 1);
        gauge.arrives(Time(20));
        gauge.changes(Time(20), 2);
        gauge.arrives(Time(30));
        gauge.changes(Time(40), 0);
        assert_eq!(gauge.found_at_least(1), Some(1.0), "only the one at 20, which found one");
        assert_eq!(gauge.found_at_least(2), Some(0.0));
        assert_eq!(gauge.present(), [0, 10, 10]);
        assert_eq!(gauge.present_at_least(2), Some(0.5));
    }

    #[test]
    fn a_wait_of_nothing_is_no_wait() {
        let mut gauge = Gauge::new(Time(0), Time(100));
        assert_eq!(gauge.waited_longer(Span::ZERO), None);
        for (since, now) in [(0, 0), (1, 1), (2, 12), (3, 53), (100, 900)] {
            gauge.waits_no_more(Time(since), Time(now));
        }
        assert_eq!(gauge.waited_longer(Span::ZERO), Some(0.5));
        assert_eq!(gauge.waited_longer(Span(20)), Some(0.25));
        assert_eq!(gauge.wait_seconds().mean(), Some(15e-9));
    }
}
