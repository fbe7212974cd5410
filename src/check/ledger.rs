//! The ledger of a run: the one reader that all measuring and checking hangs on.

use super::caches::CacheCounts;
use super::calls::CallCounts;
use super::classes;
use super::effects::Effects;
use super::events::EventCounts;
use super::invariants::{Checker, Rest};
use super::measures::{self, LoadEnd, Material, NodeSample};
use super::messages::Messages;
use super::outcome::{Ending, Finding, LinkUse, Outcome, Stuck};
use super::own::AskedFacts;
use super::requests::Requests;
use super::timeline::Timeline;
use super::uptime::Uptime;
use crate::engine::{Counts, Digest, Fact, Name, NodeId, Observer, Span, Time};
use crate::parts::{client_facts, store_facts};
use crate::patterns::{Spec, saga::facts as saga};
use crate::scenario::{Scenario, Variant};
use crate::world::{Gauge, facts};

/// What sagas did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct SagaCounts {
    pub began: u64,
    pub turned_back: u64,
    pub undone: u64,
    pub parked: u64,
    pub at_risk: u64,
    pub recovered: u64,
}

/// For how long operations were applied in part, for all to see.
#[derive(Clone, Debug, Default)]
pub(crate) struct Partial {
    /// By operation: since when, if it is so now.
    since: Vec<Option<Time>>,
    pub total: u128,
    pub spells: u64,
}

/// Reads the facts of one run.
pub struct Ledger {
    requests: Requests,
    effects: Effects,
    checkers: Vec<Checker>,
    timeline: Timeline,
    uptime: Uptime,
    sagas: SagaCounts,
    partial: Partial,
    caches: CacheCounts,
    /// The accounts of the first atomic invariant: what counts as applied in part.
    parts: Vec<usize>,
    /// Rows that were durable and are so no more.
    lost: u64,
    lost_updates: u64,
    calls: CallCounts,
    messages: Messages,
    events: EventCounts,
    asked: AskedFacts,
}

impl Ledger {
    /// For a run of this variant that is measured from `from` on.
    pub fn new(scenario: &Scenario, variant: &Variant, from: Time) -> Ledger {
        let is_client = |spec: &Option<Spec>| matches!(spec, Some(Spec::Client(_)));
        let clients: Vec<(NodeId, String)> = variant
            .nodes
            .iter()
            .enumerate()
            .filter(|(_, spec)| is_client(spec))
            .map(|(place, _)| (NodeId(place as u32), scenario.names[place].clone()))
            .collect();
        let effects = Effects::new(&scenario.invariants);
        let checker = |(name, invariant): &(String, crate::scenario::Invariant)| {
            Checker::new(name, invariant, &effects, (scenario, variant))
        };
        let checkers = scenario.invariants.iter().map(checker).collect();
        let parts = measures::parts(&scenario.invariants, &effects);
        let end = variant.phases.end();
        Ledger {
            requests: Requests::new(&clients, variant.nodes.len(), from, end)
                .of_classes(classes::flows(scenario, variant)),
            effects,
            checkers,
            timeline: Timeline::default(),
            uptime: Uptime::new(scenario, variant, from),
            sagas: SagaCounts::default(),
            partial: Partial::default(),
            caches: CacheCounts::default(),
            parts,
            lost: 0,
            lost_updates: 0,
            calls: CallCounts::default(),
            messages: Messages::new(scenario, variant, from),
            events: EventCounts::default(),
            asked: AskedFacts::new(scenario, from),
        }
    }

    /// The end and the latency in nanoseconds of each measured success, in the order of their ends.
    pub fn latencies(&self) -> &[(Time, f64)] {
        self.requests.latencies()
    }

    /// The width of the windows of the time line.
    pub fn window(&self) -> Span {
        self.requests.width()
    }

    /// An account may have changed.
    #[inline]
    fn effect(&mut self, fact: &Fact) {
        let Some(change) = self.effects.read(fact) else { return };
        for checker in &mut self.checkers {
            checker.changed(fact, &change);
        }
        if self.parts.contains(&change.account) {
            let parts = self.effects.of(fact.root, &self.parts);
            let applied = parts.iter().filter(|effect| effect.is_applied()).count();
            self.partial.turn(fact, applied > 0 && applied < parts.len());
        }
    }

    /// The system has come to rest.
    fn finish(&mut self, rest: &Rest<'_>) {
        self.messages.close(rest.end);
        for checker in &mut self.checkers {
            checker.finish(&self.effects, &self.requests, rest);
            checker.finish_messages(&self.messages);
        }
    }

    /// The run is over: everything that it has shown.
    pub fn close(mut self, run: &Closing<'_>) -> Outcome {
        let Closing { scenario, variant, counts, nodes, seed, digest, end, .. } = *run;
        let accounted = self.requests.close();
        let mut stuck = run.rest.clone();
        if !variant.phases.quiet.is_zero() {
            stuck.splice(0..0, self.requests.stuck());
        }
        let rest = Rest { quiet: variant.phases.quiet_from(), end, stuck: &run.rest };
        self.finish(&rest);
        let mut findings: Vec<Finding> = vec![accounted];
        findings.extend(self.messages.findings());
        findings.extend(self.checkers.iter().map(Checker::finding));
        let episodes = self.timeline.episodes(scenario, variant, &self.requests);
        let up = self.uptime.shares();
        let material = Material {
            up: &up,
            scenario,
            variant,
            requests: &self.requests,
            counts,
            nodes,
            sagas: self.sagas,
            partial: &self.partial,
            caches: self.caches,
            lost: self.lost,
            lost_updates: self.lost_updates,
            calls: self.calls,
            messages: &self.messages,
            events: &self.events,
            published: Checker::published(&self.checkers),
            asked: &self.asked,
            uptime: &self.uptime,
            gauges: &run.gauges,
            findings: &findings,
            episodes: &episodes,
            load: run.load,
            links: &run.links,
        };
        let measures = measures::all(&material);
        let timeline = &self.timeline;
        let uses = nodes.iter().enumerate().filter_map(|(place, sample)| {
            let crashes = timeline.crashes(NodeId(place as u32));
            sample.as_ref().map(|sample| sample.finish(crashes))
        });
        Outcome {
            seed,
            digest: digest.value(),
            events: counts.events,
            end,
            ending: run.ending.clone(),
            stuck,
            swarm: run.swarm.clone(),
            measures,
            flows: self.requests.finished(),
            classes: self.requests.finished_classes(),
            findings,
            episodes,
            window: self.requests.width(),
            windows: self.requests.windows().to_vec(),
            nodes: uses.collect(),
            links: run.links.clone(),
        }
    }
}

/// What the end of a run adds to its facts.
pub struct Closing<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// The variant.
    pub variant: &'a Variant,
    /// The seed.
    pub seed: u64,
    /// The digest.
    pub digest: Digest,
    /// The engine's counters.
    pub counts: Counts,
    /// How the nodes were used, by id; `None` for those that this variant does not have.
    pub nodes: &'a [Option<NodeSample>],
    /// How the bandwidths of the network were used.
    pub links: Vec<LinkUse>,
    /// What there was when the load ended.
    pub load: LoadEnd,
    /// How it ended.
    pub ending: Ending,
    /// The machines that were watched job by job.
    pub gauges: Vec<(NodeId, Gauge)>,
    /// When it ended.
    pub end: Time,
    /// What of the world had not come to rest by then.
    pub rest: Vec<Stuck>,
    /// The faults that the seed drew in swarm mode.
    pub swarm: Option<String>,
}

impl Partial {
    fn turn(&mut self, fact: &Fact, is_partial: bool) {
        let root = fact.root.0 as usize;
        if root >= self.since.len() {
            self.since.resize(root + 1, None);
        }
        let since = &mut self.since[root];
        match *since {
            None if is_partial => *since = Some(fact.at),
            Some(began) if !is_partial => {
                self.total += u128::from((fact.at - began).0);
                self.spells += 1;
                *since = None;
            }
            _ => {}
        }
    }
}

impl Observer for Ledger {
    fn fact(&mut self, fact: &Fact) {
        match fact.what {
            client_facts::STARTED => self.requests.started(fact),
            client_facts::SUCCEEDED | client_facts::FAILED => self.requests.ended(fact),
            client_facts::CLASSED => self.requests.classed(fact),
            client_facts::LATE => self.requests.late(fact),
            facts::FAULT_BEGINS => self.timeline.begins(fact),
            facts::CRASHED => {
                self.timeline.crashed(fact);
                self.uptime.fact(fact);
            }
            facts::STOPPED | facts::PAUSED | facts::RESTARTED | facts::RESUMED => {
                self.uptime.fact(fact);
            }
            facts::FAULT_ENDS => self.timeline.ends(fact),
            facts::WITHHELD => self.timeline.withheld(fact),
            store_facts::DROPPED => self.lost_updates += 1,
            facts::LOST => {
                self.lost += 1;
                self.effect(&Fact { what: Name::from_value(fact.key as u32), ..*fact });
            }
            saga::BEGAN => self.sagas.began += 1,
            saga::TURNED_BACK => self.sagas.turned_back += 1,
            saga::STEP_UNDONE => self.sagas.undone += 1,
            saga::RECOVERED => self.sagas.recovered += 1,
            saga::PARKED => {
                self.sagas.parked += 1;
                self.sagas.at_risk += fact.value;
            }
            what if CacheCounts::reads(what) => self.caches.fact(fact),
            _ if self.calls.fact(fact) || self.events.fact(fact) => {}
            _ if self.messages.fact(fact, &self.requests) => {}
            _ => self.effect(fact),
        }
        self.asked.noted(fact);
        for checker in &mut self.checkers {
            checker.noted(fact);
        }
    }
}
