//! One run: a function of the scenario, the variant and the seed.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

use super::links::Links;
use crate::check::outcome::{Ending, LinkUse, Outcome, Stuck};
use crate::check::{Closing, Ledger, LoadEnd, NodeSample};
use crate::engine::{Fault, Halt, Msg, NodeId, Reply, Status, Time, Tracer};
use crate::scenario::swarm::Drawn;
use crate::scenario::{Group, MeasureSpec, Scenario, Variant};
use crate::world::{Cx, Gauge, Node, Sim, Version, World, add, schedule, watch};

/// Holds the place of a node that only other variants have; it is never started.
#[derive(Clone)]
struct Absent;

impl Node for Absent {
    async fn handle(&self, _: &Cx, _: Msg) -> Reply {
        Err(Fault::Unreachable)
    }
}

/// Simulates one run that is measured from `from` on.
pub fn simulate(scenario: &Scenario, variant: &Variant, seed: u64, from: Time) -> Outcome {
    run(scenario, variant, seed, from, None)
}

/// The end and the latency in nanoseconds of every success of a run.
pub(crate) fn pilot(scenario: &Scenario, variant: &Variant, seed: u64) -> Vec<(Time, f64)> {
    let (variant, _) = &drawn(scenario, variant, seed);
    let mut sim = build(scenario, variant, seed, Time(0));
    let ledger = Rc::new(RefCell::new(Ledger::new(scenario, variant, Time(0))));
    sim.observe(ledger.clone());
    boot(&mut sim, variant);
    sim.run(variant.phases.quiet_from(), scenario.events_max);
    let ledger = ledger.borrow();
    ledger.latencies().to_vec()
}

/// The same run, every step shown to `tracer` as it happens: messages, deadlines and facts.
pub fn traced(
    scenario: &Scenario,
    variant: &Variant,
    seed: u64,
    tracer: Rc<RefCell<dyn Tracer>>,
) -> Outcome {
    let from = Time(0) + variant.phases.warmup.unwrap_or_default();
    run(scenario, variant, seed, from, Some(tracer))
}

/// A run, with or without somebody who watches.
pub(crate) fn run(
    scenario: &Scenario,
    variant: &Variant,
    seed: u64,
    from: Time,
    tracer: Option<Rc<RefCell<dyn Tracer>>>,
) -> Outcome {
    let (variant, swarm) = &drawn(scenario, variant, seed);
    let mut sim = build(scenario, variant, seed, from);
    let ledger = Rc::new(RefCell::new(Ledger::new(scenario, variant, from)));
    sim.observe(ledger.clone());
    if let Some(tracer) = tracer {
        sim.trace(tracer);
    }
    boot(&mut sim, variant);
    let width = ledger.borrow().window();
    let Advanced { samples, load, links, halt } = advance(&mut sim, scenario, variant, from, width);
    let (counts, end, digest) =
        (sim.with(|state| state.counts), sim.with(|state| state.now()), sim.digest());
    let rest = match halt {
        Halt::Done if !variant.phases.quiet.is_zero() => rest(&sim, scenario, variant),
        _ => Vec::new(),
    };
    let gauges = gauges(&sim, scenario, end);
    // The tasks hold the ledger's reader; they are done with.
    drop(sim);
    let closing = Closing {
        scenario,
        variant,
        seed,
        digest,
        counts,
        nodes: &samples,
        load,
        links,
        ending: ending(halt, scenario),
        end,
        rest,
        gauges,
        swarm: swarm.clone(),
    };
    Rc::into_inner(ledger).expect("nobody else reads the facts").into_inner().close(&closing)
}

/// Starts the nodes that run from the beginning.
fn boot(sim: &mut Sim, variant: &Variant) {
    for (node, _) in present(variant) {
        if sim.with(|state| state.env.is_initial(node)) {
            sim.boot(node);
        }
    }
}

pub(super) fn present(variant: &Variant) -> impl Iterator<Item = (NodeId, &crate::patterns::Spec)> {
    let numbered = variant.nodes.iter().enumerate();
    numbered.filter_map(|(place, spec)| Some((NodeId(place as u32), spec.as_ref()?)))
}

/// The variant with the faults that this seed draws in swarm mode, and their text.
pub(super) fn drawn<'v>(
    scenario: &Scenario,
    variant: &'v Variant,
    seed: u64,
) -> (Cow<'v, Variant>, Option<String>) {
    let Some(swarm) = &variant.swarm else { return (Cow::Borrowed(variant), None) };
    let Drawn { faults, text } = swarm.draw(scenario, variant, seed);
    let mut own = Variant { swarm: None, ..variant.clone() };
    own.faults.extend(faults);
    // As they would stand in the scenario: the order gives them their numbers.
    own.faults.sort_by(|left, right| left.0.cmp(&right.0));
    (Cow::Owned(own), Some(text))
}

/// What of the nodes has not come to rest.
fn rest(sim: &Sim, scenario: &Scenario, variant: &Variant) -> Vec<Stuck> {
    let mut stuck = Vec::new();
    for (node, _) in present(variant) {
        let mut add = |what: String| {
            stuck.push(Stuck { node: scenario.node(node).to_owned(), what, since: None });
        };
        let (status, usage) =
            sim.with(|state| (state.status(node), state.env.machine_use(node, state.now())));
        // An instance of an address may have been taken away for good.
        let is_instance = scenario.node(node).contains('/');
        match status {
            Status::Down if !is_instance => add("is down".to_owned()),
            Status::Paused => add("is frozen".to_owned()),
            Status::Up | Status::Draining | Status::Down => {}
        }
        if usage.waiting > 0 {
            let (waiting, working) = (usage.waiting, usage.working);
            add(format!("has {waiting} jobs queued and {working} at work"));
        }
    }
    stuck
}

/// The world of a variant, every node in its place and none started.
fn build(scenario: &Scenario, variant: &Variant, seed: u64, from: Time) -> Sim {
    let quiet = variant.phases.quiet_from();
    let mut sim = place(scenario, variant, seed, (from, quiet));
    sim.with(|state| state.env.end_load(quiet));
    schedule(&mut sim, &variant.faults, variant.phases.windows());
    sim
}

/// Every node of a variant in its place, without load and faults; what is measured job by job is
/// measured within `watch`.
pub(super) fn place(
    scenario: &Scenario,
    variant: &Variant,
    seed: u64,
    (from, until): (Time, Time),
) -> Sim {
    let mut sim = Sim::new(seed, World::new(seed, variant.network.clone()));
    sim.with(|state| state.env.watch_machines(watched(scenario), from, until));
    for (name, spec) in scenario.names.iter().zip(&variant.nodes) {
        match spec {
            Some(spec) => spec.add(&mut sim, name),
            None => add(&mut sim, name, Absent),
        };
    }
    sim.with(|state| state.env.declare_classes(&variant.classes));
    for Group { address, members, spec } in &variant.groups {
        let life = spec.life();
        let group = sim.with(|state| state.env.add_group(*address, members, life));
        if let Some(next) = spec.next.clone() {
            let first = spec.of.clone();
            let change = Rc::new(move |sim: &mut Sim, node, version| match version {
                Version::First => first.upgrade(sim, node),
                Version::Next => next.upgrade(sim, node),
            });
            sim.with(|state| state.env.set_change(group, change));
        }
        sim.with(|state| watch(state, group));
    }
    sim.with(|state| {
        state.env.budgets = variant.budgets.clone();
        state.env.clocks.set(&variant.clocks, &scenario.names, seed);
    });
    sim
}

/// The nodes whose machines the scenario's measures watch job by job.
fn watched(scenario: &Scenario) -> Vec<NodeId> {
    let all = scenario.measures.iter().flat_map(|(_, spec)| spec.all());
    all.filter_map(MeasureSpec::watched).collect()
}

/// What the machines met that were watched.
fn gauges(sim: &Sim, scenario: &Scenario, now: Time) -> Vec<(NodeId, Gauge)> {
    let gauge = |node: NodeId| sim.with(|state| Some((node, state.env.gauge(node, now)?)));
    watched(scenario).into_iter().filter_map(gauge).collect()
}

/// What was seen of a run on the way.
struct Advanced {
    samples: Vec<Option<NodeSample>>,
    load: LoadEnd,
    links: Vec<LinkUse>,
    halt: Halt,
}

/// Runs to the end, looking at every machine at the end of each window of the time line.
fn advance(
    sim: &mut Sim,
    scenario: &Scenario,
    variant: &Variant,
    from: Time,
    width: crate::engine::Span,
) -> Advanced {
    let (mut load, mut links) = (LoadEnd::default(), Links::default());
    let mut samples: Vec<Option<NodeSample>> = vec![None; variant.nodes.len()];
    for (node, spec) in present(variant) {
        samples[node.index()] = Some(NodeSample {
            name: scenario.node(node).to_owned(),
            kind: spec.kind(),
            workers: spec.machine().workers,
            before: Default::default(),
            until: Default::default(),
            windows: Vec::new(),
            after: Default::default(),
            writes_by_then: 0,
            disk: Default::default(),
        });
    }
    let (quiet, end) = (variant.phases.quiet_from(), variant.phases.end());
    let (mut next, mut halt) = (Time(0) + width, Halt::Done);
    while halt == Halt::Done {
        let now = sim.with(|state| state.now());
        let looks = [from, quiet, next, end].into_iter().filter(|at| *at > now);
        let stop = looks.min().unwrap_or(end);
        halt = sim.run(stop, scenario.events_max);
        let now = sim.with(|state| state.now());
        if now <= quiet {
            load = LoadEnd { until: now, bytes: sim.with(|state| state.counts.bytes) };
        }
        links.look(sim.with(|state| state.env.bandwidth_use(now)), now, (from, quiet));
        for (place, sample) in samples.iter_mut().enumerate() {
            let Some(sample) = sample else { continue };
            let node = NodeId(place as u32);
            let usage = sim.with(|state| state.env.machine_use(node, now));
            if now <= from {
                sample.before = (now, usage);
            }
            if stop == next || now == end {
                sample.windows.push((now, usage));
            }
            sample.after = usage;
            sample.disk = sim.with(|state| state.env.disk_use(node));
            if now <= quiet {
                sample.until = (now, usage);
                sample.writes_by_then = sample.disk.writes;
            }
        }
        if now >= end {
            break;
        }
        if stop == next {
            next += width;
        }
    }
    Advanced { samples, load, links: links.finish(scenario), halt }
}

fn ending(halt: Halt, scenario: &Scenario) -> Ending {
    match halt {
        Halt::Done => Ending::Complete,
        Halt::Events => Ending::EventLimit,
        Halt::Stuck(at, nodes) => {
            let names: Vec<&str> = nodes.iter().map(|node| scenario.node(*node)).collect();
            let who = names.join(", ");
            Ending::Stuck(format!("time does not pass {at}: {who} keep sending at one instant"))
        }
    }
}
