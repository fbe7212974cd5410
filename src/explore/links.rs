//! Bandwidths as they were seen on the way through a run.

use crate::check::outcome::LinkUse;
use crate::engine::Time;
use crate::scenario::Scenario;
use crate::world::{Bottleneck, PipeUse};

type Uses = Vec<(Bottleneck, PipeUse)>;

/// What bandwidths had done by some instants.
#[derive(Default)]
pub(super) struct Links {
    /// At the beginning of the measured phase.
    before: (Time, Uses),
    /// At the end of the load.
    until: (Time, Uses),
    /// At the end.
    after: Uses,
}

impl Links {
    /// Takes in what they have done by now; requests are measured from `from` on, and load ends at
    /// `quiet`.
    pub fn look(&mut self, uses: Uses, now: Time, (from, quiet): (Time, Time)) {
        if now <= from {
            self.before = (now, uses.clone());
        }
        if now <= quiet {
            self.until = (now, uses.clone());
        }
        self.after = uses;
    }

    /// How they were used in the end.
    pub fn finish(self, scenario: &Scenario) -> Vec<LinkUse> {
        let Links { before, until, after } = self;
        let span = (until.0 - before.0).0.max(1) as f64;
        let by = |uses: &Uses, what: &Bottleneck| {
            uses.iter().find(|(one, _)| one == what).map_or(0, |(_, usage)| usage.busy.0)
        };
        let link = |(what, usage): (Bottleneck, PipeUse)| {
            let busy = by(&until.1, &what).saturating_sub(by(&before.1, &what)) as f64;
            LinkUse {
                name: name(&what, scenario),
                utilisation: (busy / span).min(1.0),
                dropped: usage.dropped,
            }
        };
        after.into_iter().map(link).collect()
    }
}

fn name(what: &Bottleneck, scenario: &Scenario) -> String {
    match what {
        Bottleneck::Link(from, to) => {
            format!("{} → {}", scenario.node(*from), scenario.node(*to))
        }
        Bottleneck::Up(node) => format!("card of {}, out", scenario.node(*node)),
        Bottleneck::Down(node) => format!("card of {}, in", scenario.node(*node)),
        Bottleneck::Line(from, to) => format!("line {from} → {to}"),
    }
}
