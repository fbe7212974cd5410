//! What call policies did in a run, as their facts tell it.

use crate::engine::{Counts, Fact};
use crate::parts::policy_facts::{self as facts, Guard};
use crate::parts::service_facts;

/// How often the guards of calls acted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct CallCounts {
    retries: u64,
    opened: u64,
    hedges: u64,
    unfunded: u64,
    limited: u64,
    expired: u64,
    fallbacks: u64,
    ejections: u64,
    partial: u64,
    /// Which guards there are, by bit.
    guards: u32,
}

impl CallCounts {
    /// Takes in a fact; false if it is not about calls.
    pub fn fact(&mut self, fact: &Fact) -> bool {
        match fact.what {
            facts::RETRIED => self.retries += 1,
            facts::OPENED => self.opened += 1,
            facts::HEDGED => self.hedges += 1,
            facts::UNFUNDED => self.unfunded += 1,
            facts::LIMITED | facts::CROWDED => self.limited += 1,
            facts::EXPIRED => self.expired += 1,
            facts::FELL_BACK => self.fallbacks += 1,
            facts::EJECTED => self.ejections += 1,
            facts::GUARDED => self.guards |= 1 << fact.value,
            service_facts::PARTIAL => self.partial += 1,
            facts::CLOSED => {}
            _ => return false,
        }
        true
    }

    /// The value of a metric about calls, over so many requests of the run; what a guard did has
    /// none where there is no such guard.
    pub fn value(&self, id: &str, counts: &Counts, requests: f64) -> Option<f64> {
        let guarded = |by: &[Guard], count: u64| {
            let is_there = by.iter().any(|guard| self.guards & 1 << *guard as u32 != 0);
            is_there.then_some(count as f64)
        };
        let seen = |count: u64| (count > 0).then_some(count as f64);
        let each = |count: Option<f64>| count.filter(|_| requests > 0.0).map(|sum| sum / requests);
        match id {
            "availability.breakers" => Some(self.opened as f64),
            "availability.limited" => guarded(&[Guard::RateLimit, Guard::Bulkhead], self.limited),
            "availability.expired" => seen(self.expired),
            "availability.fallbacks" => guarded(&[Guard::Fallback], self.fallbacks),
            "availability.ejections" => guarded(&[Guard::Outliers], self.ejections),
            "availability.partial" => seen(self.partial),
            "cost.retries" => each(Some(self.retries as f64)),
            "cost.hedges" => each(guarded(&[Guard::Hedge], self.hedges)),
            "cost.unfunded" => guarded(&[Guard::Budget], self.unfunded),
            "cost.cancelled" => each(seen(counts.cancellations)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{NodeId, Root, Time};

    #[test]
    fn what_a_guard_did_has_a_value_only_where_there_is_one() {
        let mut calls = CallCounts::default();
        let mut fact = |what, value| {
            let (at, node, root) = (Time(0), NodeId(0), Root::NONE);
            calls.fact(&Fact { at, node, root, what, key: 0, value })
        };
        assert!(fact(facts::GUARDED, Guard::Hedge as u64));
        assert!(fact(facts::HEDGED, 1));
        assert!(!fact(crate::parts::client_facts::STARTED, 1));
        let value = |id| calls.value(id, &Counts::default(), 4.0);
        assert_eq!(value("cost.hedges"), Some(0.25));
        assert_eq!(value("availability.breakers"), Some(0.0));
        assert_eq!((value("availability.fallbacks"), value("cost.cancelled")), (None, None));
    }
}
