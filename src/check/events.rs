//! Events of outboxes: how long they take until they are published, and how many wait.

use std::collections::BTreeMap;

use super::effects::{AccountId, Effects};
use crate::engine::{Fact, Name, NodeId, Root, Time};
use crate::parts::outbox::facts;
use crate::parts::{broker_facts, of_message_id};
use crate::patterns::Spec;
use crate::scenario::{Scenario, Variant};
use crate::stats::Histogram;

/// What became of the events that transactions have written into outboxes.
#[derive(Default)]
pub(crate) struct EventCounts {
    /// By operation and object: since when, and how many.
    waiting: BTreeMap<(Root, u64), (Time, u32)>,
    depth: u64,
    peak: u64,
    lag: Option<Histogram>,
}

impl EventCounts {
    /// Takes in a fact, if it is about an outbox.
    #[inline]
    pub fn fact(&mut self, fact: &Fact) -> bool {
        match fact.what {
            facts::STORED => self.stored(fact),
            facts::PUBLISHED => self.published(fact),
            facts::MARKED | facts::DELETED | facts::FAILED => {}
            _ => return false,
        }
        true
    }

    fn stored(&mut self, fact: &Fact) {
        self.waiting.entry((fact.root, fact.key)).or_insert((fact.at, 0)).1 += 1;
        self.depth += 1;
        self.peak = self.peak.max(self.depth);
        self.lag.get_or_insert_with(Histogram::new);
    }

    /// One that is published again does not wait any more.
    fn published(&mut self, fact: &Fact) {
        let place = (fact.root, fact.key);
        let Some((since, count)) = self.waiting.get_mut(&place) else { return };
        let since = *since;
        *count -= 1;
        if *count == 0 {
            self.waiting.remove(&place);
        }
        self.depth -= 1;
        if let Some(lag) = &mut self.lag {
            lag.record((fact.at - since).0);
        }
    }

    /// The value of a metric that is about outboxes; `None` if no event was written.
    pub fn value(&self, id: &str) -> Option<f64> {
        let lag = self.lag.as_ref()?;
        match id {
            "latency.outbox_mean" => Some(lag.mean()? / 1e9),
            "latency.outbox_p99" => Some(lag.quantile(0.99)? as f64 / 1e9),
            "saturation.outbox_peak" => Some(self.peak as f64),
            "consistency.unrelayed" => Some(self.depth as f64),
            _ => None,
        }
    }
}

/// Whether events are published if and only if what they tell of is committed.
pub(crate) struct Publication {
    broker: NodeId,
    /// The queue by its place in the broker; `None` where the variant has neither.
    place: Option<u16>,
    label: String,
    /// When messages were accepted first, by operation.
    accepted: BTreeMap<Root, Time>,
    pub checked: u64,
    /// Lost events, and phantoms.
    pub wrong: (u64, u64),
}

impl Publication {
    pub fn new(
        (broker, queue): (NodeId, Name),
        scenario: &Scenario,
        variant: &Variant,
    ) -> Publication {
        let place = match &variant.nodes[broker.index()] {
            Some(Spec::Broker(broker)) => broker.described().position(|it| it.name == queue),
            _ => None,
        };
        let label = format!("{} of {}", scenario.lexicon.spelling(queue), scenario.node(broker));
        let place = place.map(|place| place as u16);
        Publication { broker, place, label, accepted: BTreeMap::new(), checked: 0, wrong: (0, 0) }
    }

    pub fn noted(&mut self, fact: &Fact) {
        if fact.what != broker_facts::ACCEPTED || fact.node != self.broker {
            return;
        }
        if Some(of_message_id(fact.key).0) == self.place {
            self.accepted.entry(fact.root).or_insert(fact.at);
        }
    }

    /// What is wrong in the end: when and with which operation it began.
    pub fn finish(
        &mut self,
        effects: &Effects,
        account: AccountId,
    ) -> Vec<(Time, Root, &'static str)> {
        let mut wrong = Vec::new();
        for root in effects.roots() {
            let effect = effects.of(root, &[account])[0];
            let published = self.accepted.remove(&root);
            self.checked += u64::from(effect.is_applied() || published.is_some());
            match published {
                None if effect.is_applied() => {
                    self.wrong.0 += 1;
                    wrong.push((effect.at, root, "no event was published of what was given to"));
                }
                Some(at) if !effect.is_applied() => wrong.push((at, root, PHANTOM)),
                _ => {}
            }
        }
        for (root, at) in std::mem::take(&mut self.accepted) {
            self.checked += 1;
            wrong.push((at, root, PHANTOM));
        }
        self.wrong.1 = wrong.len() as u64 - self.wrong.0;
        wrong
    }

    pub fn says(&self, account: &str) -> String {
        format!(
            "{} has a message of an operation if and only if {account} has its gift",
            self.label
        )
    }
}

const PHANTOM: &str = "an event was published of what was never given to";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Name, NodeId};

    fn fact(at: u64, what: Name, root: u32, key: u64) -> Fact {
        Fact { at: Time(at), node: NodeId(1), root: Root(root), what, key, value: 0 }
    }

    #[test]
    fn an_event_waits_until_it_is_published_for_the_first_time() {
        let mut counts = EventCounts::default();
        assert_eq!(counts.value("saturation.outbox_peak"), None, "no outbox, no value");
        for (at, what, root) in [
            (100, facts::STORED, 1),
            (200, facts::STORED, 2),
            (300, facts::FAILED, 1),
            (400, facts::PUBLISHED, 1),
            (900, facts::PUBLISHED, 1),
            (950, facts::MARKED, 1),
        ] {
            assert!(counts.fact(&fact(at, what, root, 7)));
        }
        let value = |id: &str| counts.value(id);
        assert_eq!(value("latency.outbox_mean"), Some(300e-9), "published again is not late");
        assert_eq!(value("saturation.outbox_peak"), Some(2.0));
        assert_eq!(value("consistency.unrelayed"), Some(1.0), "the other still waits");
        assert_eq!(value("latency.p99"), None);
        assert!(!counts.fact(&fact(1_000, Name::of("till"), 1, 7)));
    }
}
