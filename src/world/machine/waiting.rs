//! The queue of a governed machine: jobs in the order of a discipline, any of which may leave.

use std::collections::{BTreeMap, BTreeSet};

use super::Discipline;
use crate::engine::{Span, Time};

/// A job's place in a queue: its rank, then its order of arrival.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Place {
    pub rank: u64,
    pub order: u64,
    pub job: u32,
}

/// The jobs that wait.
#[derive(Default)]
pub(super) struct Waiting {
    places: BTreeSet<Place>,
    /// Of fair queueing: the tag of the job that was taken up last, and of each tenant's last job.
    taken: u64,
    tags: BTreeMap<u16, u64>,
}

impl Waiting {
    pub fn len(&self) -> u32 {
        self.places.len() as u32
    }

    /// Where a job belongs of this priority, and of this tenant with its weight.
    pub fn rank(
        &self,
        discipline: Discipline,
        priority: u8,
        (tenant, weight): (u16, u32),
        work: Span,
    ) -> u64 {
        match discipline {
            Discipline::Priority { .. } => u64::from(priority),
            Discipline::ShortestFirst => work.0,
            Discipline::FairQueueing => {
                let last = self.tags.get(&tenant).copied().unwrap_or_default();
                last.max(self.taken).saturating_add(work.0.div_ceil(u64::from(weight.max(1))))
            }
            _ => 0,
        }
    }

    /// A job of this tenant was let in with this rank: its next one comes after it.
    pub fn charge(&mut self, tenant: u16, rank: u64) {
        self.tags.insert(tenant, rank);
    }

    pub fn add(&mut self, place: Place) {
        self.places.insert(place);
    }

    /// A job leaves the queue: did it wait there?
    pub fn remove(&mut self, place: Place) -> bool {
        self.places.remove(&place)
    }

    /// A job of this rank is taken up.
    pub fn took(&mut self, rank: u64) {
        self.taken = rank;
    }

    /// The job that would be taken up last.
    pub fn last(&self) -> Option<Place> {
        self.places.last().copied()
    }

    /// The next job to be taken up; `since` is when a job came.
    pub fn pick(
        &mut self,
        discipline: Discipline,
        now: Time,
        since: impl Fn(u32) -> Time,
    ) -> Option<Place> {
        let first = self.places.first()?;
        let from_the_end = match discipline {
            Discipline::Lifo => true,
            Discipline::AdaptiveLifo { age, length } => {
                now - since(first.job) > age || length.is_some_and(|most| self.len() > most)
            }
            _ => false,
        };
        if from_the_end { self.places.pop_last() } else { self.places.pop_first() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The order in which jobs are taken up that came one after the other, each with its priority,
    /// tenant and work.
    fn order(discipline: Discipline, jobs: &[(u8, u16, u64)], now: Time) -> Vec<u32> {
        weighted(discipline, jobs, now, &[1, 1])
    }

    /// The same where tenants have weights.
    fn weighted(
        discipline: Discipline,
        jobs: &[(u8, u16, u64)],
        now: Time,
        weights: &[u32],
    ) -> Vec<u32> {
        let mut waiting = Waiting::default();
        for (job, &(priority, tenant, work)) in (0_u32..).zip(jobs) {
            let whose = (tenant, weights[usize::from(tenant)]);
            let rank = waiting.rank(discipline, priority, whose, Span(work));
            waiting.add(Place { rank, order: u64::from(job), job });
            waiting.charge(tenant, rank);
        }
        let pick = || waiting.pick(discipline, now, |job| Time(u64::from(job))).map(|one| one.job);
        std::iter::from_fn(pick).collect()
    }

    #[test]
    fn each_discipline_has_its_order() {
        let jobs = [(1, 0, 30), (0, 0, 20), (1, 0, 10), (0, 1, 40)];
        let order = |discipline| order(discipline, &jobs, Time(50));
        assert_eq!(order(Discipline::Fifo), [0, 1, 2, 3]);
        assert_eq!(order(Discipline::Lifo), [3, 2, 1, 0]);
        assert_eq!(order(Discipline::Priority { preemptive: false }), [1, 3, 0, 2]);
        assert_eq!(order(Discipline::ShortestFirst), [2, 1, 0, 3]);
        // Tags: 30, 50, 60 of the first tenant, 40 of the second.
        assert_eq!(order(Discipline::FairQueueing), [0, 3, 1, 2]);
    }

    #[test]
    fn a_tenant_of_more_weight_comes_so_many_times_as_often() {
        let jobs = [(0, 0, 30), (0, 0, 30), (0, 1, 30), (0, 1, 30), (0, 1, 30), (0, 1, 30)];
        let order = |weights| weighted(Discipline::FairQueueing, &jobs, Time(0), weights);
        // Tags: 5 and 10 of either; then 30 and 60 of the first, 10, 20, 30 and 40 of the second.
        assert_eq!(order(&[7, 7]), [0, 2, 1, 3, 4, 5]);
        assert_eq!(order(&[1, 3]), [2, 3, 0, 4, 5, 1]);
    }

    #[test]
    fn adaptive_lifo_turns_when_the_queue_is_old_or_long() {
        let jobs = [(0, 0, 1); 4];
        let adaptive = |age, length| Discipline::AdaptiveLifo { age: Span(age), length };
        assert_eq!(order(adaptive(50, None), &jobs, Time(50)), [0, 1, 2, 3]);
        assert_eq!(order(adaptive(49, None), &jobs, Time(50)), [3, 2, 1, 0]);
        assert_eq!(
            order(adaptive(50, Some(2)), &jobs, Time(50)),
            [3, 2, 0, 1],
            "until it is short"
        );
    }
}
