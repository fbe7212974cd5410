//! Processor sharing: all jobs are worked on at once, each at an equal share.
//!
//! Virtual time is the work that each of the jobs has had: it passes at the share of one job, so a
//! job is done when virtual time has passed by as much as it brought. Whoever comes or goes changes
//! its pace and nobody's place: O(log n) for each change.

use std::collections::BTreeSet;

use crate::engine::{Factor, Span, Time};

/// Virtual time has parts of a nanosecond, so that it does not lose work by rounding.
const PART: u32 = 32;

/// The jobs that share a machine's workers.
#[derive(Default)]
pub(super) struct Sharing {
    /// By the virtual time at which each is done, then in the order of arrival.
    jobs: BTreeSet<(u128, u64, u32)>,
    /// The work that each job has had since the machine was last idle.
    worked: u128,
    /// When that was last brought up to date.
    seen: Time,
    /// The alarm for the next job that is done.
    pub alarm: u64,
}

/// At which pace the jobs are worked on.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    pub workers: u32,
    /// How many there are besides these jobs among whom the workers are shared.
    pub others: u32,
    pub speed: Factor,
    pub paused: bool,
    /// What each worker gets of a core, as numerator and denominator.
    pub cores: (u32, u32),
}

impl Pace {
    /// All that there is for whoever comes.
    pub const FULL: Pace =
        Pace { workers: u32::MAX, others: 0, speed: Factor::ONE, paused: false, cores: (1, 1) };
}

/// Value × numerator ÷ denominator, rounded down, also where the product does not fit.
fn scale(value: u128, numerator: u128, denominator: u128) -> u128 {
    value.checked_mul(numerator).map_or_else(
        || (value / denominator) * numerator + (value % denominator) * numerator / denominator,
        |product| product / denominator,
    )
}

impl Sharing {
    pub fn len(&self) -> u32 {
        self.jobs.len() as u32
    }

    /// A job at work gets this numerator over this denominator of full speed.
    fn share(&self, pace: Pace) -> (u128, u128) {
        let jobs = u128::from(self.len().max(1)) + u128::from(pace.others);
        let at_work = jobs.min(u128::from(pace.workers));
        let (numerator, denominator) = pace.cores;
        let (mine, all) = (at_work * u128::from(numerator), jobs * u128::from(denominator));
        (mine * 1_000, all * u128::from(pace.speed.thousandths()))
    }

    /// Brings the work done up to date; `pace` is that of the time until now.
    pub fn advance(&mut self, now: Time, pace: Pace) {
        let span = u128::from((now - self.seen).0);
        self.seen = now;
        if self.jobs.is_empty() {
            self.worked = 0;
        } else if !pace.paused {
            let (numerator, denominator) = self.share(pace);
            self.worked += scale(span << PART, numerator, denominator);
        }
    }

    /// A job with this much work joins in. Time is up to date.
    pub fn add(&mut self, job: u32, order: u64, work: Span) {
        self.jobs.insert((self.worked + (u128::from(work.0) << PART), order, job));
    }

    /// The job that is done next, and when; `None` if there is none or all is paused.
    pub fn next(&self, now: Time, pace: Pace) -> Option<(u32, Time)> {
        let &(done, _, job) = self.jobs.first().filter(|_| !pace.paused)?;
        let (numerator, denominator) = self.share(pace);
        let left = done.saturating_sub(self.worked).saturating_mul(denominator);
        let span = left.div_ceil(numerator << PART);
        Some((job, now + Span(u64::try_from(span).unwrap_or(u64::MAX))))
    }

    /// A job leaves before it is done, which is rare: what it lacks. Time is up to date.
    pub fn remove(&mut self, job: u32) -> Span {
        let Some(&one) = self.jobs.iter().find(|(_, _, other)| *other == job) else {
            return Span::ZERO;
        };
        self.jobs.remove(&one);
        let lacks = one.0.saturating_sub(self.worked).div_ceil(1 << PART);
        Span(u64::try_from(lacks).unwrap_or(u64::MAX))
    }

    /// The next job is done and leaves. Time is up to date.
    pub fn finish(&mut self) {
        if let Some((done, ..)) = self.jobs.pop_first() {
            // An alarm has whole nanoseconds and may come a part of one late, never early.
            self.worked = self.worked.max(done);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Pace = Pace { workers: 1, ..Pace::FULL };

    /// When each job is done that comes with this work at this time.
    fn done(arrivals: &[(u64, u64)], pace: Pace) -> Vec<(u32, u64)> {
        let (mut sharing, mut done) = (Sharing::default(), Vec::new());
        let mut coming = arrivals.iter().zip(0_u32..).peekable();
        let mut now = Time(0);
        loop {
            let next = sharing.next(now, pace);
            let arrival = coming.peek().map(|((at, _), _)| Time(*at));
            match (next, arrival) {
                (Some((job, due)), arrival) if arrival.is_none_or(|at| due <= at) => {
                    now = due;
                    sharing.advance(now, pace);
                    sharing.finish();
                    done.push((job, now.0));
                }
                (_, Some(at)) => {
                    now = at;
                    sharing.advance(now, pace);
                    let ((_, work), job) = coming.next().expect("it was seen");
                    sharing.add(job, u64::from(job), Span(*work));
                }
                _ => return done,
            }
        }
    }

    #[test]
    fn jobs_are_worked_on_at_equal_shares() {
        // Alone for 10, then each at half: the second has 20 at t=50, the first its last 20 by
        // then.
        assert_eq!(done(&[(0, 30), (10, 40)], ONE), [(0, 50), (1, 70)]);
        assert_eq!(done(&[(0, 10), (0, 10), (0, 10)], ONE), [(0, 30), (1, 30), (2, 30)]);
    }

    #[test]
    fn no_job_gets_more_than_a_worker() {
        let two = Pace { workers: 2, ..ONE };
        assert_eq!(done(&[(0, 10), (0, 20)], two), [(0, 10), (1, 20)]);
        assert_eq!(done(&[(0, 10), (0, 10), (0, 10)], two), [(0, 15), (1, 15), (2, 15)]);
    }

    #[test]
    fn a_slow_machine_works_more_slowly_and_a_paused_one_not_at_all() {
        let speed = Factor::from_thousandths(3_000).expect("it is more than none");
        assert_eq!(done(&[(0, 10), (0, 20)], Pace { speed, ..ONE }), [(0, 60), (1, 90)]);
        let mut sharing = Sharing::default();
        sharing.add(0, 0, Span(10));
        let paused = Pace { paused: true, ..ONE };
        assert_eq!(sharing.next(Time(0), paused), None);
        sharing.advance(Time(100), paused);
        assert_eq!(sharing.next(Time(100), ONE), Some((0, Time(110))));
    }

    proptest::proptest! {
        /// All work is done, none is done twice, and no worker is idle while there is any.
        #[test]
        fn work_is_conserved(works in proptest::collection::vec(1_u64..1_000_000, 1..40)) {
            let arrivals: Vec<(u64, u64)> = works.iter().map(|work| (0, *work)).collect();
            let done = done(&arrivals, ONE);
            let last = done.last().expect("there are jobs").1;
            let total: u64 = works.iter().sum();
            // Each job that is done may come a nanosecond late.
            proptest::prop_assert!((total..=total + works.len() as u64).contains(&last));
            let mut sorted = works.clone();
            sorted.sort_unstable();
            let order: Vec<u64> = done.iter().map(|(job, _)| works[*job as usize]).collect();
            proptest::prop_assert_eq!(order, sorted, "the least work is done first");
        }
    }
}
