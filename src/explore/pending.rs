//! Who waits for whom since when: what is left of a run's requests when it has ended.
//!
//! Nothing is kept for this while runs are measured. Where a run has not come to rest, its seed is
//! run again, and this looks on.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::run;
use crate::check::outcome::Stuck;
use crate::engine::{Fate, Hop, NodeId, Root, Step, Time, Tracer};
use crate::scenario::{Scenario, Variant};
use crate::world::facts;

/// Runs a seed again: who waits for an answer when it ends, the longest first.
pub(super) fn at_the_end(scenario: &Scenario, variant: &Variant, seed: u64) -> Vec<Stuck> {
    let pending = Rc::new(RefCell::new(Pending::default()));
    run::run(scenario, variant, seed, Time(0), Some(pending.clone()));
    let open = pending.take().open;
    let mut waits: Vec<(Time, Root, NodeId, NodeId)> = open
        .into_iter()
        .flat_map(|((root, who, whom), since)| {
            since.into_iter().map(move |since| (since, root, who, whom))
        })
        .collect();
    waits.sort();
    let told = waits.into_iter().map(|(since, root, who, whom)| Stuck {
        node: scenario.node(who).to_owned(),
        what: match root {
            Root::NONE => format!("waits for {}", scenario.node(whom)),
            root => format!("waits for {} in operation {}", scenario.node(whom), root.0),
        },
        since: Some(since),
    });
    told.collect()
}

#[derive(Default)]
struct Pending {
    /// Requests without an answer: in which operation, from whom to whom, sent when.
    open: BTreeMap<(Root, NodeId, NodeId), Vec<Time>>,
    /// A deadline has just passed here; whoever goes on at this instant has given up waiting.
    late: Option<(NodeId, Time)>,
}

impl Pending {
    fn gave_up(&mut self, at: Time, node: NodeId, root: Root) {
        if self.late != Some((node, at)) {
            return;
        }
        self.late = None;
        let of_node = (root, node, NodeId(0))..=(root, node, NodeId(u32::MAX));
        if let Some((_, since)) = self.open.range_mut(of_node).find(|(_, since)| !since.is_empty())
        {
            since.remove(0);
        }
    }

    fn message(&mut self, at: Time, hop: &Hop<'_>, fate: Fate) {
        match fate {
            Fate::Sent => {
                self.gave_up(at, hop.from, hop.root);
                if hop.is_awaited {
                    self.open.entry((hop.root, hop.from, hop.to)).or_default().push(at);
                }
            }
            Fate::Arrived if hop.is_reply => {
                let answered = self.open.get_mut(&(hop.root, hop.to, hop.from));
                if let Some(since) = answered.filter(|since| !since.is_empty()) {
                    since.remove(0);
                }
            }
            Fate::Arrived | Fate::Orphaned | Fate::Lost(_) => {}
        }
    }
}

impl Tracer for Pending {
    fn step(&mut self, at: Time, step: &Step<'_>) {
        match step {
            Step::TimedOut(node) => self.late = Some((*node, at)),
            Step::Message(hop, fate) => self.message(at, hop, *fate),
            // Whoever has crashed waits for nothing.
            Step::Noted(fact) if fact.what == facts::CRASHED => {
                self.open.retain(|(_, who, _), _| *who != fact.node);
            }
            Step::Noted(fact) => self.gave_up(at, fact.node, fact.root),
        }
    }
}
