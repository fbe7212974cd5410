//! What the tests of whole runs share: scenarios from text, and a record of all that happened.
//!
//! Nodes and facts are kept by name, so records of two systems can be compared although their nodes
//! are numbered differently.
#![allow(dead_code, reason = "each file of tests uses its own part of this")]

pub mod log;
pub mod mails;
pub mod orders;
pub mod placed;
pub mod promises;
pub mod refused;

use std::cell::RefCell;
use std::rc::Rc;

use stormglass::check::outcome::{Finding, Outcome};
use stormglass::engine::{Fate, Lexicon, Span, Step, Time, Tracer};
use stormglass::explore::traced;
use stormglass::parts::outbox;
use stormglass::parts::{
    broker_facts, cache_facts, client_facts, group_facts, lease_facts, log_facts, policy_facts,
    store_facts,
};
use stormglass::patterns::saga;
use stormglass::scenario::{Scenario, Variant, diagnose, load, source::Source};
use stormglass::world;

/// A fact, by names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    pub at: Time,
    pub node: String,
    pub what: String,
    pub key: u64,
    pub value: i64,
    pub root: u32,
}

/// A step of a message, by names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Passed {
    pub at: Time,
    pub from: String,
    pub to: String,
    pub is_reply: bool,
    /// `Sent`, `Arrived`, `Orphaned` or `Lost("…")`.
    pub fate: String,
    pub body: String,
}

/// Everything that one run has shown.
pub struct Record {
    pub outcome: Outcome,
    pub facts: Vec<Seen>,
    pub messages: Vec<Passed>,
}

struct Recorder {
    names: Vec<String>,
    lexicon: Lexicon,
    facts: Vec<Seen>,
    messages: Vec<Passed>,
}

impl Tracer for Recorder {
    fn step(&mut self, at: Time, step: &Step<'_>) {
        match step {
            Step::Noted(fact) => self.facts.push(Seen {
                at,
                node: self.names.get(fact.node.index()).map_or("network".into(), Clone::clone),
                what: self.lexicon.spelling(fact.what).to_owned(),
                key: fact.key,
                value: fact.value as i64,
                root: fact.root.0,
            }),
            Step::Message(hop, fate) => self.messages.push(Passed {
                at,
                from: self.names[hop.from.index()].clone(),
                to: self.names[hop.to.index()].clone(),
                is_reply: hop.is_reply,
                fate: match fate {
                    Fate::Lost(why) => format!("Lost({why})"),
                    other => format!("{other:?}"),
                },
                body: format!("{:?}", hop.body),
            }),
            Step::TimedOut(_) => {}
        }
    }
}

/// The scenario in this text.
pub fn scenario(text: &str) -> Scenario {
    let source = Source::new("test.ron", text);
    load(&source).unwrap_or_else(|problems| {
        panic!("{}", diagnose::render(&problems, Some(&source), false));
    })
}

/// The scenario in this file of the project.
pub fn file(path: &str) -> Scenario {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join(path)).expect("the scenario is there");
    let source = Source::new(path, text);
    load(&source).unwrap_or_else(|problems| {
        panic!("{}", diagnose::render(&problems, Some(&source), false));
    })
}

/// The variant of this name.
pub fn variant<'s>(scenario: &'s Scenario, name: &str) -> &'s Variant {
    let found = scenario.variants.iter().find(|variant| variant.name == name);
    found.expect("the variant is there")
}

/// Runs the first variant of the scenario in this text.
pub fn run(text: &str) -> Record {
    let scenario = scenario(text);
    record(&scenario, &scenario.variants[0], 1)
}

/// Runs the first variant of the scenario in this text, which names these files.
pub fn run_with(text: &str, files: &[(&str, &str)]) -> Record {
    let mut source = Source::new("test.ron", text);
    files.iter().for_each(|(path, text)| source.attach(path, text));
    let scenario = load(&source).unwrap_or_else(|problems| {
        panic!("{}", diagnose::render(&problems, Some(&source), false));
    });
    record(&scenario, &scenario.variants[0], 1)
}

/// Runs a variant and keeps all that happens.
pub fn record(scenario: &Scenario, variant: &Variant, seed: u64) -> Record {
    let mut lexicon = scenario.lexicon.clone();
    let known = [
        &client_facts::NAMES[..],
        &cache_facts::NAMES,
        &broker_facts::NAMES,
        &log_facts::NAMES,
        &group_facts::NAMES,
        &outbox::facts::NAMES,
        &policy_facts::NAMES,
        &saga::facts::NAMES,
        &world::facts::NAMES,
        &lease_facts::NAMES,
        &store_facts::NAMES,
        &["service.records"],
    ];
    for name in known.into_iter().flatten() {
        lexicon.intern(name).expect("no two names have one hash");
    }
    let names = scenario.names.clone();
    let recorder = Recorder { names, lexicon, facts: Vec::new(), messages: Vec::new() };
    let recorder = Rc::new(RefCell::new(recorder));
    let outcome = traced(scenario, variant, seed, recorder.clone());
    let Ok(recorder) = Rc::try_unwrap(recorder) else { panic!("the run is over") };
    let Recorder { facts, messages, .. } = recorder.into_inner();
    Record { outcome, facts, messages }
}

impl Record {
    /// The facts of this name, in order.
    pub fn of(&self, what: &str) -> Vec<&Seen> {
        self.facts.iter().filter(|fact| fact.what == what).collect()
    }

    /// When facts of this name happened.
    pub fn times(&self, what: &str) -> Vec<Time> {
        self.of(what).iter().map(|fact| fact.at).collect()
    }

    /// Their values, in order.
    pub fn values(&self, what: &str) -> Vec<i64> {
        self.of(what).iter().map(|fact| fact.value).collect()
    }

    /// Latencies of the successes, in the order of their ends.
    pub fn latencies(&self) -> Vec<Span> {
        self.values("request.succeeded").iter().map(|nanos| Span(*nanos as u64)).collect()
    }

    /// The labels of the faults that clients were told, in order.
    pub fn told(&self) -> Vec<&'static str> {
        let failed = self.of("request.failed");
        let label = |fact: &&Seen| stormglass::engine::Fault::ALL[fact.key as usize].label();
        failed.iter().map(label).collect()
    }

    /// What was added to an account in all.
    pub fn sum(&self, account: &str) -> i64 {
        self.values(account).iter().sum()
    }

    /// The facts whose names begin with one of these, as `node name value`, in order.
    pub fn story(&self, beginnings: &[&str]) -> Vec<String> {
        let told = self
            .facts
            .iter()
            .filter(|fact| beginnings.iter().any(|beginning| fact.what.starts_with(beginning)));
        told.map(|fact| format!("{} {} {}", fact.node, fact.what, fact.value)).collect()
    }

    /// When messages from here to there had this fate; replies apart from requests.
    pub fn passed(&self, from: &str, to: &str, is_reply: bool, fate: &str) -> Vec<Time> {
        let ours = self.messages.iter().filter(|one| {
            (one.from.as_str(), one.to.as_str(), one.is_reply) == (from, to, is_reply)
                && one.fate.starts_with(fate)
        });
        ours.map(|one| one.at).collect()
    }

    /// The finding of this invariant.
    pub fn finding(&self, invariant: &str) -> &Finding {
        finding(&self.outcome, invariant)
    }
}

/// The finding of this invariant.
pub fn finding<'o>(outcome: &'o Outcome, invariant: &str) -> &'o Finding {
    let found = outcome.findings.iter().find(|finding| finding.invariant == invariant);
    found.expect("the invariant was checked")
}

/// The measured value of this metric.
pub fn measured(outcome: &Outcome, metric: &str) -> f64 {
    let found = outcome.measures.iter().find(|measure| measure.id == metric);
    found.and_then(|measure| measure.value).unwrap_or_else(|| panic!("{metric} was measured"))
}

/// So many milliseconds.
pub fn ms(count: u64) -> Span {
    Span::from_millis(count)
}

/// The instant so many milliseconds after the start.
pub fn at(count: u64) -> Time {
    Time(0) + ms(count)
}
