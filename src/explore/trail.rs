//! The trail of a business operation, or of all of them: what happened, in order, in words.
//!
//! Nothing is recorded for this while runs are measured. A run is a function of its seed, so the
//! story of a violation is had by running that seed again with a tracer that keeps one operation.

use std::cell::RefCell;
use std::rc::Rc;

use super::run;
use super::session::GAVE_UP;
use crate::check::outcome::{Chain, ChainStep, Violation};
use crate::engine::{
    Change, Fact, Fate, Hop, Lexicon, Msg, Name, NodeId, Root, Span, Step, Time, Tracer,
};
use crate::parts::{
    BROKER_OPERATIONS, GROUP_OPERATIONS, LEASE_OPERATIONS, LOG_OPERATIONS, broker_facts,
    client_facts, lease_facts, log_facts, outbox, policy_facts, store_facts,
};
use crate::patterns::{CATALOGUE, saga};
use crate::scenario::{Scenario, Variant};
use crate::world::facts;

mod logged;
mod queued;

use logged::logged;
use queued::queued;

/// Runs a seed again and tells the story of the violation's operation.
pub(crate) fn chain(
    scenario: &Scenario,
    variant: &Variant,
    seed: u64,
    invariant: &str,
    violation: &Violation,
) -> Chain {
    let (variant, _) = &run::drawn(scenario, variant, seed);
    let trail = Trail::of(scenario, variant, Whose::One(Root(violation.root)));
    let trail = Rc::new(RefCell::new(trail));
    if violation.root != 0 {
        run::run(scenario, variant, seed, Time(0), Some(trail.clone()));
    }
    let steps = std::mem::take(&mut trail.borrow_mut().steps);
    let first = steps.iter().position(|step| !step.about_world).unwrap_or(0);
    let last = steps.iter().rposition(|step| !step.about_world).map_or(0, |place| place + 1);
    Chain {
        invariant: invariant.to_owned(),
        seed,
        violation: violation.clone(),
        // Faults that came before it began or after it ended are not its story.
        steps: steps[first..last].iter().map(|step| step.step.clone()).collect(),
    }
}

/// A step, and the operation that it belongs to.
pub(crate) struct Told {
    pub step: ChainStep,
    pub root: Root,
    about_world: bool,
}

/// Whose story is told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// That of one operation, and what happened to the world meanwhile.
    One(Root),
    /// Everybody's, and every arrival and every answer too.
    All,
}

/// Tells what happens, step by step.
pub(crate) struct Trail {
    names: Vec<String>,
    faults: Vec<String>,
    classes: Vec<Name>,
    lexicon: Lexicon,
    whose: Whose,
    /// Requests without an answer: in which operation who waits for whom since when.
    waiting: Vec<(Root, NodeId, NodeId, Time)>,
    /// A deadline has just passed here; if an operation goes on at this instant, it was its.
    late: Option<(NodeId, Time)>,
    steps: Vec<Told>,
}

impl Tracer for Trail {
    fn step(&mut self, at: Time, step: &Step<'_>) {
        match step {
            Step::TimedOut(node) => self.late = Some((*node, at)),
            Step::Message(hop, fate) if self.tells(hop.root) => self.message(at, hop, *fate),
            Step::Noted(fact) if fact.root == Root::NONE => self.world(fact),
            Step::Noted(fact) if self.tells(fact.root) => {
                self.gave_up(at, fact.node, fact.root);
                self.noted(fact);
            }
            _ => {}
        }
    }
}

impl Trail {
    pub(crate) fn of(scenario: &Scenario, variant: &Variant, whose: Whose) -> Trail {
        let mut lexicon = scenario.lexicon.clone();
        let of_nodes = CATALOGUE.iter().map(|kind| kind.facts);
        let others = [
            &facts::NAMES[..],
            &policy_facts::NAMES,
            &LEASE_OPERATIONS,
            &BROKER_OPERATIONS,
            &LOG_OPERATIONS,
            &GROUP_OPERATIONS,
            &outbox::OPERATIONS,
        ];
        let known = of_nodes.chain(others);
        for name in known.flatten().chain(&["service.records"]) {
            // A scenario's name with the same hash was there first and stays.
            let _ = lexicon.intern(name);
        }
        Trail {
            names: scenario.names.clone(),
            faults: variant.faults.iter().map(|(name, _)| name.clone()).collect(),
            classes: variant.classes.iter().map(|class| class.name).collect(),
            lexicon,
            whose,
            waiting: Vec::new(),
            late: None,
            steps: Vec::new(),
        }
    }

    /// A fault joins the run; the number of its facts is its place among all.
    pub(crate) fn add_fault(&mut self, name: &str) {
        self.faults.push(name.to_owned());
    }

    /// What has been told since this was last asked.
    pub(crate) fn take(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.steps)
    }

    /// How a name is spelt.
    pub(crate) fn spelling(&self, name: Name) -> &str {
        self.lexicon.spelling(name)
    }

    fn tells(&self, root: Root) -> bool {
        self.whose == Whose::All || self.whose == Whose::One(root)
    }

    fn name(&self, node: NodeId) -> String {
        if node == facts::NETWORK {
            return "network".to_owned();
        }
        self.names.get(node.index()).cloned().unwrap_or_default()
    }

    fn tell(&mut self, (at, node, root): (Time, NodeId, Root), is_bad: bool, what: String) {
        let step = ChainStep { at, node: self.name(node), what, is_bad };
        self.steps.push(Told { step, root, about_world: false });
    }

    /// If a deadline has passed here at this instant, the operation has given up waiting.
    fn gave_up(&mut self, at: Time, node: NodeId, root: Root) {
        if self.late != Some((node, at)) {
            return;
        }
        let is_it = |wait: &(Root, NodeId, NodeId, Time)| (wait.0, wait.1) == (root, node);
        if let Some(place) = self.waiting.iter().position(is_it) {
            let (.., whom, since) = self.waiting.remove(place);
            let text = format!("gives up waiting for {} after {}", self.name(whom), at - since);
            self.tell((at, node, root), true, text);
        }
        self.late = None;
    }

    fn message(&mut self, at: Time, hop: &Hop<'_>, fate: Fate) {
        let (from, to, root) = (hop.from, hop.to, hop.root);
        let tells_all = self.whose == Whose::All;
        match fate {
            Fate::Sent if matches!(hop.body, Ok(Msg::Cancel { .. })) => {
                self.gave_up(at, from, root);
                self.tell((at, from, root), false, format!("tells {} to forget it", self.name(to)));
            }
            Fate::Sent if !hop.is_reply => {
                self.gave_up(at, from, root);
                let text = format!("asks {} to {}", self.name(to), self.said(hop));
                self.waiting.push((root, from, to, at));
                self.tell((at, from, root), false, text);
            }
            Fate::Sent => {
                self.gave_up(at, from, root);
                if tells_all {
                    let text = format!("answers {}: {}", self.name(to), self.said(hop));
                    self.tell((at, from, root), false, text);
                }
            }
            Fate::Arrived if hop.is_reply => {
                self.waiting.retain(|wait| (wait.0, wait.1, wait.2) != (root, to, from));
                let text = format!("hears from {}: {}", self.name(from), self.said(hop));
                let fine = matches!(hop.body, Ok(Msg::Done { .. } | Msg::Batch { .. }));
                self.tell((at, to, root), !fine, text);
            }
            Fate::Arrived if tells_all && from != to => {
                let text = format!("is asked by {} to {}", self.name(from), self.said(hop));
                self.tell((at, to, root), false, text);
            }
            Fate::Arrived => {}
            Fate::Orphaned => {
                let text = format!("hears from {} too late: {}", self.name(from), self.said(hop));
                self.tell((at, to, root), true, text);
            }
            Fate::Lost(why) => {
                let what = if hop.is_reply { "answer to" } else { "request to" };
                let text = format!("the {what} {} is lost: {why}", self.name(to));
                self.tell((at, from, root), true, text);
            }
        }
    }

    fn said(&self, hop: &Hop<'_>) -> String {
        match hop.body {
            Ok(Msg::Do { verb, value, .. }) => {
                format!("{} {value}", self.lexicon.spelling(*verb))
            }
            Ok(Msg::Done { .. }) => "done".to_owned(),
            Ok(Msg::Clash { row, .. }) => format!("clash at row {row}"),
            Ok(Msg::Get { table, .. }) => format!("read {}", self.lexicon.spelling(*table)),
            Ok(Msg::Commit { rows }) => {
                let row = |row: &crate::engine::Row| {
                    let table = self.lexicon.spelling(row.table);
                    match row.change {
                        Change::Set(value) => format!("{table} = {value}"),
                        Change::Give(value) => format!("{table} +{value}"),
                        Change::Take(value) => format!("{table} -{value}"),
                        Change::Emit { event, value, .. } => {
                            format!("event {} {value}", self.lexicon.spelling(event))
                        }
                        Change::Relayed if row.table == outbox::facts::DELETED => {
                            format!("event {} deleted", row.key)
                        }
                        Change::Relayed => format!("event {} as published", row.key),
                    }
                };
                format!("commit {}", rows.iter().map(row).collect::<Vec<_>>().join(", "))
            }
            Ok(Msg::Batch { parcels }) => match parcels.len() {
                0 => "nothing".to_owned(),
                1 => "a message".to_owned(),
                count => format!("{count} messages"),
            },
            Ok(Msg::Cancel { .. }) => "forget it".to_owned(),
            Err(fault) => fault.label().to_owned(),
        }
    }

    fn noted(&mut self, fact: &Fact) {
        let name = self.lexicon.spelling(fact.what);
        let is_bad = matches!(fact.what, saga::facts::TURNED_BACK | saga::facts::PARKED)
            || matches!(fact.what, client_facts::FAILED | GAVE_UP);
        let text = match fact.what {
            client_facts::STARTED => format!("the client asks for {}", fact.value),
            client_facts::CLASSED => format!("of class {}", self.class(fact.key)),
            client_facts::LATE => format!("late by {}", Span(fact.value)),
            client_facts::SUCCEEDED => "the client is told: success".to_owned(),
            client_facts::FAILED => {
                let fault = crate::engine::Fault::ALL[fact.key as usize];
                format!("the client is told: {}", fault.label())
            }
            GAVE_UP => {
                format!("gives up waiting for {}", self.name(NodeId(fact.key as u32)))
            }
            policy_facts::RETRIED => format!("try {} failed, tries again", fact.value),
            policy_facts::HEDGED => "sends another copy".to_owned(),
            policy_facts::UNFUNDED => "cannot afford another try".to_owned(),
            policy_facts::CROWDED => "is turned away by its own bulkhead".to_owned(),
            policy_facts::LIMITED => "is turned away by its own rate limit".to_owned(),
            policy_facts::EXPIRED => "does not begin: its deadline has passed".to_owned(),
            policy_facts::FELL_BACK => "makes do with its fallback".to_owned(),
            saga::facts::BEGAN => "begins a saga".to_owned(),
            saga::facts::STEP_DONE => format!("step {} is done", fact.value + 1),
            saga::facts::STEP_UNDONE => format!("step {} is undone", fact.value + 1),
            saga::facts::TURNED_BACK => format!("turns back at step {}", fact.value + 1),
            saga::facts::COMPLETED => "the saga is complete".to_owned(),
            saga::facts::COMPENSATED => "the saga is undone".to_owned(),
            saga::facts::PARKED => "the saga is parked for repair by hand".to_owned(),
            saga::facts::RECOVERED => "finds the saga unfinished in its log".to_owned(),
            lease_facts::HELD => format!("is granted the lock, with token {}", fact.value),
            lease_facts::ACTS => format!("believes that it holds the lock, token {}", fact.value),
            lease_facts::LEFT => format!("has done with the lock, token {}", fact.value),
            lease_facts::RAN_OUT => "its lease may have run out: changes nothing".to_owned(),
            lease_facts::FENCE => format!("durable: a write with token {}", fact.value),
            outbox::facts::STORED => "durable: an event in the outbox".to_owned(),
            outbox::facts::MARKED => format!("durable: event {} is marked", fact.key),
            outbox::facts::DELETED => format!("durable: event {} is deleted", fact.key),
            outbox::facts::PUBLISHED => format!("event {} is published", fact.value),
            outbox::facts::FAILED => format!("event {} could not be published", fact.value),
            store_facts::DROPPED => "a newer write is there: drops this one".to_owned(),
            what if broker_facts::ALL.contains(&what) || log_facts::ALL.contains(&what) => {
                match queued(fact).or_else(|| logged(fact)) {
                    Some((text, is_bad)) => {
                        return self.tell((fact.at, fact.node, fact.root), is_bad, text);
                    }
                    None => return,
                }
            }
            facts::LOST => {
                let table = Name::from_value(fact.key as u32);
                let (table, back) = (self.lexicon.spelling(table), fact.value as i64);
                if table == "service.records" {
                    return;
                }
                let text = format!("no longer on the disk: {table} {:+}", -back);
                return self.tell((fact.at, fact.node, fact.root), true, text);
            }
            _ if name.contains('.') => name.to_owned(),
            _ => format!("durable: {name} {:+}", fact.value as i64),
        };
        let is_plumbing = fact.what == policy_facts::GUARDED || name == "service.records";
        if !is_plumbing {
            self.tell((fact.at, fact.node, fact.root), is_bad, text);
        }
    }

    /// How a class is spelt, by its place in the run's table.
    fn class(&self, place: u64) -> &str {
        let class = (place as usize).checked_sub(1).and_then(|place| self.classes.get(place));
        class.map_or("?", |name| self.lexicon.spelling(*name))
    }

    /// Something happened to the world.
    fn world(&mut self, fact: &Fact) {
        let fault = |verb: &str| {
            let name = self.faults.get(fact.key as usize).map_or("?", String::as_str);
            format!("{verb}: {name}")
        };
        let (what, is_bad) = match fact.what {
            facts::FAULT_BEGINS => (fault("fault begins"), true),
            facts::FAULT_ENDS => (fault("fault ends"), false),
            facts::WITHHELD => (fault("fault withheld, to keep what is intact"), false),
            facts::CRASHED => ("crashes".to_owned(), true),
            facts::OUT_OF_MEMORY => ("is out of memory".to_owned(), true),
            facts::RESTARTED => ("starts again".to_owned(), false),
            facts::STOPPED => ("stops".to_owned(), false),
            // The fault itself is told.
            facts::PAUSED | facts::RESUMED => return,
            what if self.whose == Whose::All => (self.lexicon.spelling(what).to_owned(), false),
            _ => return,
        };
        let step = ChainStep { at: fact.at, node: self.name(fact.node), what, is_bad };
        self.steps.push(Told { step, root: Root::NONE, about_world: true });
    }
}
