//! Foresight: how long a request that comes now will take, from what jobs have taken lately.

use crate::engine::{Span, Time};

/// The part of the mean that the last job is: 1 ÷ 8, as the smoothed round trip of RFC 6298.
const PART: u64 = 8;

/// What a machine knows of how long jobs have their workers.
#[derive(Clone, Copy, Default)]
pub(super) struct Foresight {
    /// In nanoseconds; nothing before the first job is done.
    mean: Option<u64>,
}

impl Foresight {
    /// A job is done that has had its worker for so long.
    pub fn learn(&mut self, took: Span) {
        let mean = self.mean.unwrap_or(took.0);
        self.mean = Some(mean - mean / PART + took.0 / PART);
    }

    /// Will a request that comes now be late, with so many jobs there before it?
    pub fn is_late(&self, now: Time, deadline: Time, present: u32, workers: u32) -> bool {
        let Some(mean) = self.mean.filter(|_| deadline < Time::MAX) else { return false };
        let rounds = u128::from(present.saturating_add(1).max(workers));
        let takes = u128::from(mean) * rounds / u128::from(workers.max(1));
        now + Span(u64::try_from(takes).unwrap_or(u64::MAX)) > deadline
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_late_follows_from_the_mean_the_jobs_and_the_workers() {
        let mut foresight = Foresight::default();
        let late = |one: &Foresight, deadline, present, workers| {
            one.is_late(Time(100), Time(deadline), present, workers)
        };
        assert!(!late(&foresight, 100, 50, 1), "it knows nothing yet");
        foresight.learn(Span(80));
        assert!(!late(&foresight, 180, 0, 1) && late(&foresight, 179, 0, 1));
        assert!(!late(&foresight, 180, 3, 4) && late(&foresight, 179, 0, 4), "at least the mean");
        assert!(!late(&foresight, 260, 7, 4) && late(&foresight, 259, 7, 4));
        assert!(!late(&foresight, u64::MAX, 1_000, 1), "nobody waits for it");
        foresight.learn(Span(160));
        assert!(!late(&foresight, 190, 0, 1) && late(&foresight, 189, 0, 1));
    }
}
