//! What caches did: hits, misses, stale answers, stampedes.

use crate::engine::{Fact, Name};
use crate::parts::cache_facts as facts;

/// Counts over all caches of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct CacheCounts {
    hits: u64,
    stale: u64,
    missed: u64,
    /// Calls of stores; those that were the first for their key; the most at once for one key.
    fetched: u64,
    first: u64,
    most: u64,
    /// For how long the entries had expired that were answers, in nanoseconds.
    expired_for: u128,
}

impl CacheCounts {
    /// Is a fact of this name about a cache?
    pub fn reads(what: Name) -> bool {
        matches!(what, facts::HIT | facts::STALE | facts::MISSED | facts::FETCHED)
    }

    pub fn fact(&mut self, fact: &Fact) {
        match fact.what {
            facts::HIT => self.hits += 1,
            facts::MISSED => self.missed += 1,
            facts::STALE => {
                self.stale += 1;
                self.expired_for += u128::from(fact.value);
            }
            _ => {
                self.fetched += 1;
                self.first += u64::from(fact.value == 1);
                self.most = self.most.max(fact.value);
            }
        }
    }

    /// Share of the reads that did not wait for a store.
    pub fn hit_ratio(&self) -> Option<f64> {
        share(self.hits + self.stale, self.hits + self.stale + self.missed)
    }

    /// Share of the reads that were answered with an entry that had expired.
    pub fn stale_share(&self) -> Option<f64> {
        share(self.stale, self.hits + self.stale + self.missed)
    }

    /// For how long such entries had expired, in seconds.
    pub fn staleness(&self) -> Option<f64> {
        (self.stale > 0).then(|| self.expired_for as f64 / self.stale as f64 / 1e9)
    }

    /// Calls of stores, for each time that one began while none was under way.
    pub fn calls_per_miss(&self) -> Option<f64> {
        (self.first > 0).then(|| self.fetched as f64 / self.first as f64)
    }

    /// The most calls for one key at once.
    pub fn stampede(&self) -> Option<f64> {
        (self.most > 0).then_some(self.most as f64)
    }
}

fn share(count: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| count as f64 / all as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{NodeId, Root, Time};

    #[test]
    fn a_run_without_caches_has_nothing_to_measure_and_one_with_them_has() {
        let mut counts = CacheCounts::default();
        assert_eq!((counts.hit_ratio(), counts.stampede()), (None, None));
        let fact = |what, value| Fact {
            at: Time(0),
            node: NodeId(0),
            root: Root::NONE,
            what,
            key: 0,
            value,
        };
        let seen = [(facts::HIT, 5), (facts::STALE, 1_000_000_000), (facts::MISSED, 0)];
        let calls = [(facts::MISSED, 0), (facts::FETCHED, 1), (facts::FETCHED, 2)];
        for (what, value) in seen.into_iter().chain(calls) {
            assert!(CacheCounts::reads(what));
            counts.fact(&fact(what, value));
        }
        assert_eq!((counts.hit_ratio(), counts.stale_share()), (Some(0.5), Some(0.25)));
        assert_eq!(counts.staleness(), Some(1.0));
        assert_eq!((counts.calls_per_miss(), counts.stampede()), (Some(2.0), Some(2.0)));
    }
}
