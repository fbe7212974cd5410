//! Facts that a scenario's own measures ask for: how often, when, of each, how long in between.

use std::collections::BTreeMap;

use super::figures::{Values, of_sorted};
use crate::engine::{Fact, Name, NodeId, Root, Time};
use crate::scenario::{Each, MeasureSpec, Scenario, Until};

/// One question about facts.
struct Asked {
    spec: MeasureSpec,
    from: Time,
    until: Time,
    tally: Tally,
}

/// What has been noted of it.
enum Tally {
    /// How often, and when for the time that was asked for.
    Count(u64, Option<Time>),
    /// Of each operation or object: when first, and how often.
    Occurrences(BTreeMap<(NodeId, u64), (Time, u64)>),
    /// Of each operation: when it began, and when it came to its end.
    Between(BTreeMap<Root, (Time, Option<Time>)>),
}

/// All questions about facts.
pub(crate) struct AskedFacts(Vec<Asked>);

impl AskedFacts {
    /// What the measures of a scenario ask, of a run that is measured from `from` on.
    pub fn new(scenario: &Scenario, from: Time) -> AskedFacts {
        let all = scenario.measures.iter().flat_map(|(_, spec)| spec.all());
        let about = all.filter(|spec| !spec.facts().is_empty());
        AskedFacts(about.map(|spec| Asked::new(spec, from)).collect())
    }

    /// Something was noted.
    #[inline]
    pub fn noted(&mut self, fact: &Fact) {
        for asked in &mut self.0 {
            asked.noted(fact);
        }
    }

    /// The value of a measure about facts.
    pub fn value(&self, spec: &MeasureSpec) -> Option<f64> {
        self.0.iter().find(|asked| asked.spec == *spec)?.value()
    }
}

impl Asked {
    fn new(spec: &MeasureSpec, from: Time) -> Asked {
        let (from, until) = match spec {
            MeasureSpec::Facts { during: Some((from, until)), .. } => {
                (Time(0) + *from, Time(0) + *until)
            }
            MeasureSpec::Moment { .. } => (Time(0), Time::MAX),
            _ => (from, Time::MAX),
        };
        let tally = match spec {
            MeasureSpec::Between { .. } => Tally::Between(BTreeMap::new()),
            MeasureSpec::Occurrences { .. } | MeasureSpec::OccurrencesAtLeast { .. } => {
                Tally::Occurrences(BTreeMap::new())
            }
            _ => Tally::Count(0, None),
        };
        Asked { spec: spec.clone(), from, until, tally }
    }

    fn noted(&mut self, fact: &Fact) {
        let is_it = |what: Name, at: Option<NodeId>| {
            fact.what == what && at.is_none_or(|node| node == fact.node)
        };
        match (&self.spec, &mut self.tally) {
            (MeasureSpec::Facts { what, at, .. }, Tally::Count(count, _)) => {
                let is_within = (self.from..self.until).contains(&fact.at);
                *count += u64::from(is_it(*what, *at) && is_within);
            }
            (MeasureSpec::Moment { what, at, nth }, Tally::Count(count, moment))
                if is_it(*what, *at) =>
            {
                *count += 1;
                *moment = if *count == *nth { Some(fact.at) } else { *moment };
            }
            (
                MeasureSpec::Occurrences { what, at, each, .. }
                | MeasureSpec::OccurrencesAtLeast { what, at, each, .. },
                Tally::Occurrences(found),
            ) => {
                if is_it(*what, *at)
                    && let Some(of) = counted_of(*each, fact)
                {
                    found.entry(of).or_insert((fact.at, 0)).1 += 1;
                }
            }
            (MeasureSpec::Between { from, to, at, until, .. }, Tally::Between(found)) => {
                if fact.what == *from && fact.root != Root::NONE {
                    found.entry(fact.root).or_insert((fact.at, None));
                }
                if is_it(*to, *at)
                    && let Some((_, end)) = found.get_mut(&fact.root)
                    && (end.is_none() || *until == Until::Last)
                {
                    *end = Some(fact.at);
                }
            }
            _ => {}
        }
    }

    fn value(&self) -> Option<f64> {
        match (&self.spec, &self.tally) {
            (MeasureSpec::Facts { .. }, Tally::Count(count, _)) => Some(*count as f64),
            (MeasureSpec::Moment { .. }, Tally::Count(_, moment)) => Some((*moment)?.as_seconds()),
            (MeasureSpec::Occurrences { stat, .. }, Tally::Occurrences(found)) => {
                of_sorted(*stat, &self.counts(found))
            }
            (MeasureSpec::OccurrencesAtLeast { times, .. }, Tally::Occurrences(found)) => {
                let counts = self.counts(found);
                let often = counts.len() - counts.partition_point(|it| *it < u64::from(*times));
                (!counts.is_empty()).then(|| often as f64 / counts.len() as f64)
            }
            (MeasureSpec::Between { stat, .. }, Tally::Between(found)) => {
                let mut values = Values::default();
                for (began, ended) in found.values().filter(|(began, _)| *began >= self.from) {
                    ended.iter().for_each(|end| values.add_nanoseconds((*end - *began).0));
                }
                values.figure(*stat)
            }
            _ => None,
        }
    }

    /// How often it was noted of each that it was first noted of when it counts, sorted.
    fn counts(&self, found: &BTreeMap<(NodeId, u64), (Time, u64)>) -> Vec<u64> {
        let counted = found.values().filter(|(first, _)| *first >= self.from);
        Values::of_numbers(counted.map(|(_, count)| *count))
    }
}

/// What a fact is counted of; nothing if that is an operation and there is none.
fn counted_of(each: Each, fact: &Fact) -> Option<(NodeId, u64)> {
    match each {
        Each::Object => Some((fact.node, fact.key)),
        Each::Operation if fact.root == Root::NONE => None,
        Each::Operation => Some((NodeId(0), u64::from(fact.root.0))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Stat;

    const SENT: Name = Name::of("sent");
    const SEEN: Name = Name::of("seen");

    /// What a measure is of these facts: when, at which node, of which operation, what, which
    /// object. It is measured from 10 on.
    fn measured(spec: &MeasureSpec, facts: &[(u64, u32, u32, Name, u64)]) -> Option<f64> {
        let mut asked = Asked::new(spec, Time(10));
        for &(at, node, root, what, key) in facts {
            let (at, node, root) = (Time(at), NodeId(node), Root(root));
            asked.noted(&Fact { at, node, root, what, key, value: 0 });
        }
        asked.value()
    }

    /// Operation 1 is there before it counts, 4 never comes to its end, and 0 is none.
    const FACTS: [(u64, u32, u32, Name, u64); 12] = [
        (5, 1, 1, SENT, 7),
        (12, 1, 2, SENT, 8),
        (13, 2, 1, SEEN, 1),
        (14, 2, 2, SEEN, 2),
        (15, 1, 2, SENT, 8),
        (16, 3, 2, SEEN, 2),
        (17, 3, 2, SEEN, 2),
        (20, 1, 3, SENT, 9),
        (26, 3, 3, SEEN, 3),
        (30, 1, 4, SENT, 9),
        (31, 1, 0, SENT, 5),
        (32, 3, 0, SEEN, 5),
    ];

    #[test]
    fn time_passes_between_two_facts_of_one_operation() {
        let between = |at: Option<u32>, until, stat| {
            let at = at.map(NodeId);
            measured(&MeasureSpec::Between { from: SENT, to: SEEN, at, until, stat }, &FACTS)
        };
        let near =
            |value: Option<f64>, expected: f64| (value.unwrap() * 1e9 - expected).abs() < 1e-6;
        assert!(near(between(None, Until::First, Stat::Mean), (2.0 + 6.0) / 2.0));
        assert!(near(between(None, Until::Last, Stat::Mean), (5.0 + 6.0) / 2.0));
        assert!(near(between(Some(3), Until::First, Stat::Min), 4.0));
        assert_eq!(between(Some(4), Until::First, Stat::Mean), None, "nothing came to an end");
    }

    #[test]
    fn occurrences_are_those_of_each_operation_or_object() {
        let mean = |what, at: Option<u32>, each| {
            let (at, stat) = (at.map(NodeId), Stat::Mean);
            measured(&MeasureSpec::Occurrences { what, at, each, stat }, &FACTS)
        };
        assert_eq!(mean(SENT, None, Each::Operation), Some(4.0 / 3.0), "2 twice, 3 and 4 once");
        // 2 at the second node, 2, 3 and 5 at the third; 1 is there first when it counts.
        assert_eq!(mean(SEEN, None, Each::Object), Some(6.0 / 5.0));
        assert_eq!(mean(SEEN, Some(3), Each::Object), Some(4.0 / 3.0));
        assert_eq!(mean(SEEN, Some(4), Each::Object), None);
    }

    #[test]
    fn a_share_of_them_occurs_at_least_so_often() {
        let share = |what, each, times| {
            measured(&MeasureSpec::OccurrencesAtLeast { what, at: None, each, times }, &FACTS)
        };
        assert_eq!(share(SENT, Each::Operation, 2), Some(1.0 / 3.0));
        assert_eq!(share(SEEN, Each::Operation, 3), Some(1.0 / 3.0));
        assert_eq!(share(SEEN, Each::Object, 2), Some(1.0 / 5.0));
        assert_eq!(share(SEEN, Each::Object, 9), Some(0.0));
    }
}
