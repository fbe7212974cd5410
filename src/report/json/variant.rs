//! The part of the JSON report that is about one variant and its runs.

use serde::Serialize;

use crate::check::outcome::{
    Chain, Ending, Episode, Finding, Flow, LinkUse, NodeUse, Outcome, Stuck, VariantStudy,
    Violation,
};
use crate::engine::{Fault, Time};
use crate::report::foot::{digest, events};
use crate::report::invariants::{known, record};
use crate::report::requests::Account;
use crate::report::tradeoff::merged;
use crate::stats::{Histogram, Proportion};

/// A histogram with more buckets than this is given by its quantiles only.
const BUCKETS_MAX: usize = 512;

/// The quantiles that are given, in the order of their keys.
const QUANTILES: [(&str, f64); 12] = [
    ("p1", 0.01),
    ("p5", 0.05),
    ("p10", 0.1),
    ("p25", 0.25),
    ("p50", 0.5),
    ("p75", 0.75),
    ("p90", 0.9),
    ("p95", 0.95),
    ("p99", 0.99),
    ("p99.5", 0.995),
    ("p99.9", 0.999),
    ("p99.99", 0.9999),
];

#[derive(Serialize)]
pub(super) struct Variant<'a> {
    name: &'a str,
    about: &'a str,
    breaks: &'a [String],
    warmup_ns: u64,
    quiet_ns: u64,
    end_ns: u64,
    digest: String,
    events: u64,
    requests: Requests,
    latency: Vec<Latency<'a>>,
    invariants: Vec<Invariant<'a>>,
    chains: Vec<Story<'a>>,
    runs: Vec<Run<'a>>,
}

#[derive(Serialize)]
struct Requests {
    started: u64,
    succeeded: u64,
    failed: Failures,
    in_flight: u64,
}

/// Failures by reason, only those that occurred. The keys of a map sort; these keep the order of
/// [`Fault::ALL`].
struct Failures([u64; Fault::ALL.len()]);

impl Serialize for Failures {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let reasons = Fault::ALL.iter().zip(self.0).filter(|(_, count)| *count > 0);
        serializer.collect_map(reasons.map(|(fault, count)| (fault.label(), count)))
    }
}

#[derive(Serialize)]
struct Latency<'a> {
    flow: &'a str,
    count: u64,
    mean_ns: Option<f64>,
    min_ns: Option<u64>,
    max_ns: Option<u64>,
    quantiles_ns: Quantiles,
    /// Pairs of the largest value of a bucket and its count.
    buckets: Option<Vec<(u64, u64)>>,
}

struct Quantiles(Vec<(&'static str, u64)>);

impl Serialize for Quantiles {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

#[derive(Serialize)]
struct Invariant<'a> {
    invariant: &'a str,
    says: &'a str,
    meant_to_break: bool,
    runs: usize,
    violated_runs: usize,
    checked: u64,
    violations: u64,
    /// At 95 %, the share of seeds that violate it lies between these.
    violating_share_low: Option<f64>,
    violating_share_high: Option<f64>,
    first_seed: Option<u64>,
    first: Option<Violated<'a>>,
}

#[derive(Serialize)]
struct Violated<'a> {
    at_ns: u64,
    root: u32,
    what: &'a str,
}

#[derive(Serialize)]
struct Story<'a> {
    invariant: &'a str,
    seed: u64,
    violation: Violated<'a>,
    steps: Vec<Step<'a>>,
}

#[derive(Serialize)]
struct Step<'a> {
    at_ns: u64,
    node: &'a str,
    what: &'a str,
    is_bad: bool,
}

/// What had not come to rest when the run ended.
#[derive(Serialize)]
struct Unsettled<'a> {
    node: &'a str,
    what: &'a str,
    since_ns: Option<u64>,
}

#[derive(Serialize)]
struct Run<'a> {
    seed: u64,
    digest: String,
    events: u64,
    end_ns: u64,
    ending: &'static str,
    stuck: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unsettled: Vec<Unsettled<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    swarm: Option<&'a str>,
    requests: Requests,
    flows: Vec<FlowOfRun<'a>>,
    classes: Vec<FlowOfRun<'a>>,
    findings: Vec<FindingOfRun<'a>>,
    episodes: Vec<EpisodeOfRun<'a>>,
    window_ns: u64,
    windows: Windows,
    nodes: Vec<Node<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    links: Vec<Link<'a>>,
}

#[derive(Serialize)]
struct Link<'a> {
    name: &'a str,
    utilisation: f64,
    dropped: u64,
}

#[derive(Serialize)]
struct FlowOfRun<'a> {
    name: &'a str,
    requests: Requests,
    latency: Latency<'a>,
}

#[derive(Serialize)]
struct FindingOfRun<'a> {
    invariant: &'a str,
    checked: u64,
    violations: u64,
    first: Option<Violated<'a>>,
}

#[derive(Serialize)]
struct EpisodeOfRun<'a> {
    name: &'a str,
    what: &'a str,
    begins_ns: u64,
    ends_ns: Option<u64>,
    felt_after_ns: Option<u64>,
    felt_beside: &'a [String],
    recovered_after_ns: Option<u64>,
    withheld: u64,
}

#[derive(Serialize)]
struct Windows {
    offered: Vec<u64>,
    good: Vec<u64>,
    failed: Vec<u64>,
    technical: Vec<u64>,
    latency_mean_ns: Vec<f64>,
    latency_max_ns: Vec<u64>,
}

#[derive(Serialize)]
struct Node<'a> {
    name: &'a str,
    kind: &'a str,
    utilisation: Option<f64>,
    working_mean: f64,
    queue_mean: f64,
    queue_peak: u32,
    jobs: u64,
    refused: u64,
    turned_away: u64,
    expired: u64,
    dropped: u64,
    disk_writes: u64,
    disk_syncs: u64,
    crashes: u64,
    load: &'a [f64],
    queue: &'a [u32],
}

impl Variant<'_> {
    pub(super) fn of(variant: &VariantStudy) -> Variant<'_> {
        let flows = variant.runs.first().map(all_flows).unwrap_or_default();
        let latency = flows.iter().map(|flow| {
            let runs = variant.runs.iter().flat_map(all_flows);
            let same = runs.filter(|other| other.name == flow.name);
            latency(&flow.name, &merged(same.map(|flow| &flow.latency)), true)
        });
        let invariants = known(std::slice::from_ref(variant)).into_iter();
        Variant {
            name: &variant.name,
            about: &variant.about,
            breaks: &variant.breaks,
            warmup_ns: variant.stages.warmup.0,
            quiet_ns: variant.stages.quiet.0,
            end_ns: variant.stages.end.0,
            digest: hex(digest(variant)),
            events: events(variant),
            requests: requests(&Account::of(variant)),
            latency: latency.collect(),
            invariants: invariants.map(|(name, says)| invariant(variant, name, says)).collect(),
            chains: variant.chains.iter().map(story).collect(),
            runs: variant.runs.iter().map(run).collect(),
        }
    }
}

/// The flows of a run, by client and by class.
fn all_flows(run: &Outcome) -> Vec<&Flow> {
    let classes = run.classes.iter().map(|class| &class.flow);
    run.flows.iter().chain(classes).collect()
}

fn hex(digest: u64) -> String {
    format!("{digest:016x}")
}

fn requests(account: &Account) -> Requests {
    Requests {
        started: account.started,
        succeeded: account.succeeded,
        failed: Failures(account.failed),
        in_flight: account.in_flight,
    }
}

fn latency<'a>(flow: &'a str, histogram: &Histogram, has_buckets: bool) -> Latency<'a> {
    let quantiles =
        QUANTILES.iter().filter_map(|&(key, share)| Some((key, histogram.quantile(share)?)));
    let is_small = has_buckets && histogram.buckets().count() <= BUCKETS_MAX;
    Latency {
        flow,
        count: histogram.count(),
        mean_ns: histogram.mean(),
        min_ns: histogram.min(),
        max_ns: histogram.max(),
        quantiles_ns: Quantiles(quantiles.collect()),
        buckets: is_small
            .then(|| histogram.buckets().map(|bucket| (bucket.upper, bucket.count)).collect()),
    }
}

fn invariant<'a>(variant: &'a VariantStudy, name: &'a str, says: &'a str) -> Invariant<'a> {
    let record = record(variant, name).unwrap_or_default();
    let share = Proportion::of(record.broken_runs as u64, record.runs as u64);
    Invariant {
        invariant: name,
        says,
        meant_to_break: variant.breaks.iter().any(|other| other == name),
        runs: record.runs,
        violated_runs: record.broken_runs,
        checked: record.checked,
        violations: record.violations,
        violating_share_low: share.map(|share| share.low),
        violating_share_high: share.map(|share| share.at_most()),
        first_seed: record.first.map(|(seed, _)| seed),
        first: record.first.map(|(_, violation)| violated(violation)),
    }
}

fn violated(violation: &Violation) -> Violated<'_> {
    Violated { at_ns: violation.at.0, root: violation.root, what: &violation.what }
}

fn story(chain: &Chain) -> Story<'_> {
    let steps = chain.steps.iter().map(|step| Step {
        at_ns: step.at.0,
        node: &step.node,
        what: &step.what,
        is_bad: step.is_bad,
    });
    Story {
        invariant: &chain.invariant,
        seed: chain.seed,
        violation: violated(&chain.violation),
        steps: steps.collect(),
    }
}

fn unsettled(stuck: &Stuck) -> Unsettled<'_> {
    let Stuck { node, what, since } = stuck;
    Unsettled { node, what, since_ns: since.map(|since| since.0) }
}

fn run(run: &Outcome) -> Run<'_> {
    let (ending, stuck) = match &run.ending {
        Ending::Complete => ("complete", None),
        Ending::EventLimit => ("event_limit", None),
        Ending::Stuck(why) => ("stuck", Some(why.as_str())),
    };
    Run {
        seed: run.seed,
        digest: hex(run.digest),
        events: run.events,
        end_ns: run.end.0,
        ending,
        stuck,
        unsettled: run.stuck.iter().map(unsettled).collect(),
        swarm: run.swarm.as_deref(),
        requests: requests(&Account::of_run(run)),
        flows: run.flows.iter().map(flow_of_run).collect(),
        classes: run.classes.iter().map(|class| flow_of_run(&class.flow)).collect(),
        findings: run.findings.iter().map(finding).collect(),
        episodes: run.episodes.iter().map(episode).collect(),
        window_ns: run.window.0,
        windows: windows(run),
        nodes: run.nodes.iter().map(node).collect(),
        links: run.links.iter().map(link).collect(),
    }
}

fn flow_of_run(flow: &Flow) -> FlowOfRun<'_> {
    FlowOfRun {
        name: &flow.name,
        requests: requests(&Account::of_flow(flow)),
        latency: latency(&flow.name, &flow.latency, false),
    }
}

fn windows(run: &Outcome) -> Windows {
    Windows {
        offered: run.windows.iter().map(|window| window.offered).collect(),
        good: run.windows.iter().map(|window| window.good).collect(),
        failed: run.windows.iter().map(|window| window.failed).collect(),
        technical: run.windows.iter().map(|window| window.technical).collect(),
        latency_mean_ns: run.windows.iter().map(|window| window.latency_mean).collect(),
        latency_max_ns: run.windows.iter().map(|window| window.latency_max).collect(),
    }
}

fn finding(finding: &Finding) -> FindingOfRun<'_> {
    FindingOfRun {
        invariant: &finding.invariant,
        checked: finding.checked,
        violations: finding.violations,
        first: finding.first.as_ref().map(violated),
    }
}

fn episode(episode: &Episode) -> EpisodeOfRun<'_> {
    EpisodeOfRun {
        name: &episode.name,
        what: &episode.what,
        begins_ns: episode.begins.0,
        ends_ns: (episode.ends < Time::MAX).then_some(episode.ends.0),
        felt_after_ns: episode.felt_after.map(|span| span.0),
        felt_beside: &episode.felt_beside,
        recovered_after_ns: episode.recovered_after.map(|span| span.0),
        withheld: episode.withheld,
    }
}

fn link(link: &LinkUse) -> Link<'_> {
    Link { name: &link.name, utilisation: link.utilisation, dropped: link.dropped }
}

fn node(node: &NodeUse) -> Node<'_> {
    Node {
        name: &node.name,
        kind: &node.kind,
        utilisation: node.utilisation,
        working_mean: node.working_mean,
        queue_mean: node.queue_mean,
        queue_peak: node.queue_peak,
        jobs: node.jobs,
        refused: node.refused,
        turned_away: node.turned_away,
        expired: node.expired,
        dropped: node.dropped,
        disk_writes: node.disk_writes,
        disk_syncs: node.disk_syncs,
        crashes: node.crashes,
        load: &node.load,
        queue: &node.queue,
    }
}
