//! A study as a saga scenario would yield it, made up from a few formulas: for tests of reports.

use crate::check::outcome::{
    Axis, Better, Chain, ChainStep, Ending, Episode, Finding, Flow, Judgement, Measure, NodeUse,
    Outcome, Quantity, Stages, Study, VariantStudy, Violation, Window,
};
use crate::engine::{Fault, Span, Time};
use crate::stats::Histogram;

pub const INVARIANT: &str = "orders are all or nothing";
const OUTAGE: (u64, u64) = (20, 25);
const END: u64 = 70;
const QUIET: u64 = 60;

/// What distinguishes one made-up variant from another.
#[derive(Clone, Copy)]
struct Design {
    name: &'static str,
    about: &'static str,
    /// Median latency in microseconds.
    median: u64,
    /// Requests of a thousand that fail while the fault lasts.
    lost: u64,
    /// Orders of a thousand that stay half-applied.
    half: u64,
    /// Orders of a thousand that are charged twice.
    twice: u64,
    /// Messages for each order.
    messages: f64,
    nodes: f64,
}

const DESIGNS: [Design; 4] = [
    Design {
        name: "no saga",
        about: "The client calls one service after the other and hopes.",
        median: 24_000,
        lost: 900,
        half: 16,
        twice: 0,
        messages: 6.0,
        nodes: 5.0,
    },
    Design {
        name: "orchestrated saga",
        about: "A coordinator keeps a log and compensates what cannot be completed.",
        median: 41_000,
        lost: 350,
        half: 0,
        twice: 0,
        messages: 9.2,
        nodes: 6.0,
    },
    Design {
        name: "saga without idempotency keys",
        about: "The same coordinator, but a step that is sent again may be done twice.",
        median: 40_000,
        lost: 340,
        half: 0,
        twice: 4,
        messages: 9.1,
        nodes: 6.0,
    },
    Design {
        name: "choreographed saga",
        about: "Each service reacts to the events of the one before.",
        median: 33_000,
        lost: 300,
        half: 0,
        twice: 0,
        messages: 11.4,
        nodes: 6.0,
    },
];

/// A small generator: a report must not depend on the engine's.
struct Noise(u64);

impl Noise {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) % bound
    }
}

/// A study of the first variants (at most 4) under so many seeds, from 1 on.
pub fn study(variants: usize, seeds: u64) -> Study {
    let seeds: Vec<u64> = (1..=seeds).collect();
    let variants: Vec<VariantStudy> =
        DESIGNS.iter().take(variants).map(|design| variant(design, &seeds)).collect();
    Study {
        name: "saga_failure".into(),
        path: "scenarios/saga_failure.ron".into(),
        title: "An order platform loses its inventory service".into(),
        about: "A shop takes orders that reserve stock, charge a card and book a parcel. The \
                inventory service crashes for five seconds under full load. Which design keeps \
                orders whole, and what does that cost?"
            .into(),
        judgements: judgements(&variants),
        currency: Some("EUR".into()),
        seeds,
        variants,
        wall: 1.84,
        interrupted: false,
    }
}

fn variant(design: &Design, seeds: &[u64]) -> VariantStudy {
    let runs: Vec<Outcome> = seeds.iter().map(|&seed| run(design, seed)).collect();
    let chains = chains(&runs);
    let breaks = if design.half > 0 { vec![INVARIANT.to_string()] } else { Vec::new() };
    VariantStudy {
        name: design.name.into(),
        about: design.about.into(),
        stages: Stages {
            warmup: Span::from_seconds(5),
            quiet: Time(Span::from_seconds(QUIET).0),
            end: Time(Span::from_seconds(END).0),
        },
        runs,
        chains,
        waits: Vec::new(),
        breaks,
    }
}

fn chains(runs: &[Outcome]) -> Vec<Chain> {
    let mut chains: Vec<Chain> = Vec::new();
    for run in runs {
        for finding in &run.findings {
            let Some(violation) = &finding.first else { continue };
            if chains.iter().all(|chain| chain.invariant != finding.invariant) {
                chains.push(Chain {
                    invariant: finding.invariant.clone(),
                    seed: run.seed,
                    violation: violation.clone(),
                    steps: steps(violation.at, finding.invariant == INVARIANT),
                });
            }
        }
    }
    chains
}

fn steps(end: Time, is_short: bool) -> Vec<ChainStep> {
    let step = |before: u64, node: &str, what: &str, is_bad| ChainStep {
        at: end - Span::from_micros(before),
        node: node.into(),
        what: what.into(),
        is_bad,
    };
    let mut steps = vec![
        step(9_812_000, "client", "sends order 417", false),
        step(9_811_480, "orders", "asks payments to charge order 417", false),
        step(9_808_120, "payments", "charges 39.90 for order 417", false),
        step(9_807_600, "orders", "asks inventory to reserve order 417", false),
        step(
            9_807_210,
            "inventory",
            "crashes with the reservation not yet synced to its disk",
            true,
        ),
        step(9_307_600, "orders", "timeout: no answer from inventory within 500 ms", true),
        step(9_307_000, "client", "order 417 failed: timeout", true),
    ];
    if !is_short {
        for attempt in 0..40 {
            let before = 9_000_000 - attempt * 100_000;
            steps.push(step(before, "orders", &format!("asks payments again ({attempt})"), false));
            steps.push(step(before - 20_000, "payments", "looks up order 417", false));
        }
        steps.push(step(1_000, "payments", "charges 39.90 for order 417", true));
    }
    steps
}

fn run(design: &Design, seed: u64) -> Outcome {
    let mut noise = Noise(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut flow = Flow {
        name: "buyers".into(),
        started: 0,
        succeeded: 0,
        failed: [0; Fault::ALL.len()],
        in_flight: 0,
        latency: Histogram::new(),
    };
    let mut windows = vec![Window::default(); END as usize];
    let (mut half, mut twice) = (0, 0);
    for second in 0..QUIET {
        let requests = 36 + noise.below(8);
        windows[second as usize].offered = requests;
        for _ in 0..requests {
            let is_out = (OUTAGE.0..OUTAGE.1).contains(&second);
            flow.started += 1;
            let fate = noise.below(1000);
            let latency = latency(design, &mut noise, is_out);
            half += u64::from(noise.below(1000) < design.half);
            twice += u64::from(noise.below(10_000) < design.twice);
            if (is_out && fate < design.lost) || fate < 4 {
                windows[second as usize].failed += 1;
                windows[second as usize].technical += 1;
                flow.failed[if fate.is_multiple_of(3) { 2 } else { 0 }] += 1;
                continue;
            }
            flow.succeeded += 1;
            flow.latency.record(latency);
            let window = &mut windows[second as usize];
            window.good += 1;
            window.latency_max = window.latency_max.max(latency);
            window.latency_mean = latency as f64;
        }
    }
    let findings = findings(design, &flow, half, twice);
    Outcome {
        stuck: Vec::new(),
        swarm: None,
        seed,
        digest: 0x5f1c_0000_a9e2_0000 ^ seed.wrapping_mul(design.median),
        events: flow.started * (design.messages * 11.0) as u64,
        end: Time(Span::from_seconds(END).0),
        ending: Ending::Complete,
        measures: measures(design, &flow, &windows, (half, twice)),
        classes: Vec::new(),
        findings,
        episodes: vec![episode(design, &mut noise)],
        window: Span::SECOND,
        nodes: nodes(design, &windows),
        links: Vec::new(),
        flows: vec![flow],
        windows,
    }
}

fn latency(design: &Design, noise: &mut Noise, is_out: bool) -> u64 {
    let spread = noise.below(1000) * noise.below(1000) / 1000;
    let tail = if noise.below(100) < 3 { 6 } else { 1 };
    let slow = if is_out { 4 } else { 1 };
    design.median * (700 + spread) * tail * slow
}

fn findings(design: &Design, flow: &Flow, half: u64, twice: u64) -> Vec<Finding> {
    let violation = |at: u64, what: &str| Violation {
        at: Time(Span::from_millis(at).0),
        root: 417,
        what: what.into(),
    };
    let finding = |invariant: &str, says: &str, checked, violations, first| Finding {
        invariant: invariant.into(),
        says: says.into(),
        checked,
        violations,
        first,
    };
    vec![
        finding(
            INVARIANT,
            "an order is reserved, charged and shipped, or none of these, once the system is quiet",
            flow.started,
            half,
            (half > 0).then(|| violation(29_431, "order 417 is charged but not reserved")),
        ),
        finding(
            "no card is charged twice",
            "payments books at most one charge for each order",
            flow.started * 2,
            twice,
            (twice > 0).then(|| violation(31_207, "order 417 is charged 2 times")),
        ),
        finding(
            "compensations arrive",
            "what is compensated is compensated within ten seconds",
            if design.half > 0 { 0 } else { 131 },
            0,
            None,
        ),
    ]
}

fn measures(
    design: &Design,
    flow: &Flow,
    windows: &[Window],
    (half, twice): (u64, u64),
) -> Vec<Measure> {
    use {Axis::*, Better::*};
    let started = flow.started as f64;
    let quantile = |share| flow.latency.quantile(share).map(|nanoseconds| nanoseconds as f64 / 1e9);
    let good: u64 = windows.iter().map(|window| window.good).sum();
    let measure = |id: &str, label: &str, (axis, quantity, better), value| Measure {
        id: id.into(),
        label: label.into(),
        axis,
        quantity,
        better,
        value,
    };
    let time = (Latency, Quantity::Time, Lower);
    let count = |axis| (axis, Quantity::Count, Lower);
    let share = |axis, better| (axis, Quantity::Share, better);
    let per_order = good as f64;
    vec![
        measure("latency.p50", "p50", time, quantile(0.5)),
        measure("latency.p90", "p90", time, quantile(0.9)),
        measure("latency.p99", "p99", time, quantile(0.99)),
        measure("latency.p999", "p99.9", time, quantile(0.999)),
        measure("latency.max", "max", time, flow.latency.max().map(|max| max as f64 / 1e9)),
        measure("latency.mean", "mean", time, flow.latency.mean().map(|mean| mean / 1e9)),
        measure("latency.p99/buyers", "p99", time, quantile(0.99)),
        measure("offered", "offered", (Throughput, Quantity::Rate, Neither), Some(started / 60.0)),
        measure("goodput", "goodput", (Throughput, Quantity::Rate, Higher), Some(per_order / 60.0)),
        measure("success", "success", share(Availability, Higher), Some(per_order / started)),
        measure("longest_outage", "longest outage", (Availability, Quantity::Time, Lower), {
            Some(design.lost as f64 / 200.0)
        }),
        measure("lost", "lost orders", count(Consistency), Some(0.0)),
        measure("duplicates", "duplicates", count(Consistency), Some(0.0)),
        measure("half", "half-applied orders", share(Consistency, Lower), {
            Some(half as f64 / started)
        }),
        measure("twice", "charged twice", count(Consistency), Some(twice as f64)),
        measure("messages", "messages per order", count(Cost), Some(design.messages)),
        measure("bytes", "bytes sent", (Cost, Quantity::Bytes, Lower), {
            Some(started * design.messages * 212.0)
        }),
        measure("money", "money per million orders", (Cost, Quantity::Money, Lower), {
            Some(design.messages * 0.42 + per_order / started)
        }),
        measure("node_hours", "node hours", count(Cost), None),
        measure("nodes", "nodes", count(Complexity), Some(design.nodes)),
        measure("spofs", "single points of failure", count(Complexity), Some(3.0)),
        measure("clients", "clients", (Complexity, Quantity::Count, Neither), Some(1.0)),
    ]
}

fn episode(design: &Design, noise: &mut Noise) -> Episode {
    let recovers = noise.below(1000);
    let is_never = design.half > 0 && recovers < 150;
    Episode {
        name: "inventory-crash".into(),
        what: "crash of inventory".into(),
        begins: Time(Span::from_seconds(OUTAGE.0).0),
        ends: Time(Span::from_seconds(OUTAGE.1).0),
        felt_after: Some(Span::from_millis(500 + noise.below(40))),
        felt_beside: Vec::new(),
        recovered_after: (!is_never).then(|| Span::from_millis(design.lost * 2 + recovers)),
        withheld: 0,
    }
}

fn nodes(design: &Design, windows: &[Window]) -> Vec<NodeUse> {
    let node = |name: &str, busy: f64, queue_peak: u32| NodeUse {
        name: name.into(),
        kind: "Service".into(),
        utilisation: (busy > 0.0).then_some(busy),
        working_mean: busy * 4.0,
        queue_mean: busy * busy * 3.0,
        queue_peak,
        jobs: 2310,
        refused: if busy > 0.8 { 12 } else { 0 },
        turned_away: 0,
        expired: 0,
        dropped: 0,
        disk_writes: 2310,
        disk_syncs: 2310,
        crashes: u64::from(name == "inventory"),
        load: windows.iter().map(|window| busy * window.good as f64 / 40.0).collect(),
        queue: windows.iter().map(|window| window.failed as u32).collect(),
    };
    let load = design.messages / 12.0;
    vec![
        node("client", 0.0, 0),
        node("orders", load, 91),
        node("payments", load * 0.6, 14),
        node("inventory", load * 0.8, 22),
        node("shipping", load * 0.4, 3),
        node("ledger", load * 0.2, 1),
    ]
}

fn judgements(variants: &[VariantStudy]) -> Vec<Judgement> {
    let mut judgements = Vec::new();
    for variant in variants {
        let broken = variant.runs.iter().filter(|run| {
            run.findings.iter().any(|finding| {
                finding.violations > 0 && !variant.breaks.contains(&finding.invariant)
            })
        });
        let broken: Vec<u64> = broken.map(|run| run.seed).collect();
        judgements.push(Judgement {
            variant: variant.name.clone(),
            says: "every invariant holds".into(),
            held: broken.is_empty(),
            found: match broken.first() {
                Some(seed) => format!("violated in {} runs, first by seed {seed}", broken.len()),
                None => "no violation".into(),
            },
            reproduce: broken.first().map(|seed| {
                format!(
                    "stormglass run scenarios/saga_failure.ron --variant '{}' --seed {seed}",
                    variant.name
                )
            }),
        });
        judgements.push(Judgement {
            variant: variant.name.clone(),
            says: "latency.p99 at most 500 ms".into(),
            held: true,
            found: "412 ms".into(),
            reproduce: None,
        });
    }
    judgements
}
