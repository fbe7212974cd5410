//! Facts that a scenario's own measures count.

use crate::engine::{Fact, Time};
use crate::scenario::{MeasureSpec, Scenario};

/// One question about facts.
struct Asked {
    spec: MeasureSpec,
    from: Time,
    until: Time,
    /// How often it was noted.
    count: u64,
    /// When it was noted for the time that was asked for.
    moment: Option<Time>,
}

/// All questions about facts.
pub(crate) struct AskedFacts(Vec<Asked>);

impl AskedFacts {
    /// What the measures of a scenario ask, of a run that is measured from `from` on.
    pub fn new(scenario: &Scenario, from: Time) -> AskedFacts {
        let all = scenario.measures.iter().flat_map(|(_, spec)| spec.all());
        let about = all.filter(|spec| spec.fact().is_some());
        let asked = about.map(|spec| {
            let (from, until) = match spec {
                MeasureSpec::Facts { during: Some((from, until)), .. } => {
                    (Time(0) + *from, Time(0) + *until)
                }
                MeasureSpec::Facts { .. } => (from, Time::MAX),
                _ => (Time(0), Time::MAX),
            };
            Asked { spec: spec.clone(), from, until, count: 0, moment: None }
        });
        AskedFacts(asked.collect())
    }

    /// Something was noted.
    #[inline]
    pub fn noted(&mut self, fact: &Fact) {
        for asked in &mut self.0 {
            asked.noted(fact);
        }
    }

    /// How often what `spec` asks for was noted, and when for the time that it asks for.
    pub fn found(&self, spec: &MeasureSpec) -> Option<(u64, Option<Time>)> {
        let asked = self.0.iter().find(|asked| asked.spec == *spec)?;
        Some((asked.count, asked.moment))
    }
}

impl Asked {
    fn noted(&mut self, fact: &Fact) {
        let Some((what, at)) = self.spec.fact() else { return };
        let is_it = fact.what == what && at.is_none_or(|node| node == fact.node);
        if !is_it || !(self.from..self.until).contains(&fact.at) {
            return;
        }
        self.count += 1;
        if let MeasureSpec::Moment { nth, .. } = self.spec
            && self.count == nth
        {
            self.moment = Some(fact.at);
        }
    }
}
