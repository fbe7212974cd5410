//! The metrics: what every run is measured by, and how.
//!
//! The catalogue and the measuring stand side by side, so a metric that is listed is measured. Ids are
//! stable; expectations and machine readers use them.

use super::effects::Effects;
use super::ledger::{Partial, SagaCounts};
use super::outcome::{Axis, Better, Episode, Finding, Measure, NodeUse, Quantity};
use super::requests::Requests;
use crate::engine::{Counts, Fault, Span, Time};
use crate::patterns::Spec;
use crate::scenario::topology::Topology;
use crate::scenario::{Invariant, Scenario, Variant};
use crate::stats::Histogram;
use crate::world::{DiskUse, MachineUse};

/// A metric of the catalogue.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Metric {
    /// Its id.
    pub id: &'static str,
    /// As reports call it.
    pub label: &'static str,
    /// Which side of the trade-off.
    pub axis: Axis,
    /// How to read it.
    pub quantity: Quantity,
    /// Which direction is better.
    pub better: Better,
    /// What it means, as a sentence.
    pub says: &'static str,
}

const fn metric_of(
    id: &'static str,
    label: &'static str,
    (axis, quantity, better): (Axis, Quantity, Better),
    says: &'static str,
) -> Metric {
    Metric { id, label, axis, quantity, better, says }
}

const LATENCY: (Axis, Quantity, Better) = (Axis::Latency, Quantity::Time, Better::Lower);
const WELL: (Axis, Quantity, Better) = (Axis::Availability, Quantity::Share, Better::Higher);
const FAILED: (Axis, Quantity, Better) = (Axis::Availability, Quantity::Share, Better::Lower);
const OUTAGE: (Axis, Quantity, Better) = (Axis::Availability, Quantity::Time, Better::Lower);
const WRONG: (Axis, Quantity, Better) = (Axis::Consistency, Quantity::Count, Better::Lower);
const EACH: (Axis, Quantity, Better) = (Axis::Cost, Quantity::Count, Better::Lower);
const SIZE: (Axis, Quantity, Better) = (Axis::Complexity, Quantity::Count, Better::Lower);

/// Every metric, in the order of reports. Latency, throughput and the shares of failures are about the
/// requests that clients began after the warm-up, latency counting from their intended start; what
/// is given for each request is what the whole run took, over all of its requests.
pub const METRICS: &[Metric] = &[
    metric_of("latency.p50", "p50", LATENCY, "Half of the successful requests took at most this."),
    metric_of("latency.p90", "p90", LATENCY, "Nine of ten successful requests took at most this."),
    metric_of("latency.p99", "p99", LATENCY, "99 % of the successful requests took at most this."),
    metric_of(
        "latency.p999",
        "p99.9",
        LATENCY,
        "99.9 % of the successful requests took at most this.",
    ),
    metric_of("latency.max", "max", LATENCY, "The slowest successful request."),
    metric_of("latency.mean", "mean", LATENCY, "Mean latency of the successful requests."),
    metric_of(
        "throughput.offered",
        "offered",
        (Axis::Throughput, Quantity::Rate, Better::Neither),
        "Requests that clients began, a second.",
    ),
    metric_of(
        "throughput.goodput",
        "goodput",
        (Axis::Throughput, Quantity::Rate, Better::Higher),
        "Requests that succeeded, a second of the measured load.",
    ),
    metric_of(
        "availability.success",
        "success",
        WELL,
        "Share of the ended requests that succeeded.",
    ),
    metric_of(
        "availability.refused",
        "refused",
        FAILED,
        "Share of all requests refused for business reasons.",
    ),
    metric_of("availability.timeout", "timed out", FAILED, "Share of all requests that timed out."),
    metric_of(
        "availability.other",
        "other failures",
        FAILED,
        "Share of all requests that failed otherwise.",
    ),
    metric_of(
        "availability.windows",
        "good windows",
        WELL,
        "Share of the windows of the run in which at least 99 % of the ended requests had no technical failure.",
    ),
    metric_of(
        "availability.longest_outage",
        "longest outage",
        OUTAGE,
        "The longest time in which requests came and none succeeded.",
    ),
    metric_of(
        "availability.felt",
        "fault felt after",
        (Axis::Availability, Quantity::Time, Better::Neither),
        "Mean time from a fault's beginning to the first request that failed.",
    ),
    metric_of(
        "availability.recovered",
        "recovered after",
        OUTAGE,
        "Mean time from a fault's end until 95 % of the share served before was served again.",
    ),
    metric_of(
        "availability.breakers",
        "breakers opened",
        (Axis::Availability, Quantity::Count, Better::Neither),
        "How often a circuit breaker opened.",
    ),
    metric_of(
        "consistency.violations",
        "violations",
        WRONG,
        "How often an invariant did not hold.",
    ),
    metric_of(
        "consistency.half_applied",
        "half applied",
        WRONG,
        "Operations that were applied to some of their parts and not to others, in the end.",
    ),
    metric_of(
        "consistency.multiple",
        "applied more than once",
        WRONG,
        "Changes after which an operation had given more than once, or taken back more than it gave.",
    ),
    metric_of(
        "consistency.partial_time",
        "visibly partial",
        (Axis::Consistency, Quantity::Time, Better::Lower),
        "Mean time for which an operation was applied in part, for all to see, until it was whole or gone.",
    ),
    metric_of(
        "consistency.compensated",
        "sagas turned back",
        (Axis::Consistency, Quantity::Count, Better::Neither),
        "Sagas that had to compensate.",
    ),
    metric_of(
        "consistency.parked",
        "sagas parked",
        WRONG,
        "Sagas that could neither be completed nor compensated and wait for repair by hand.",
    ),
    metric_of("consistency.at_risk", "value at risk", WRONG, "Value of the parked sagas."),
    metric_of(
        "consistency.recovered",
        "sagas recovered",
        (Axis::Consistency, Quantity::Count, Better::Neither),
        "Unfinished sagas that a restarted coordinator found in its log.",
    ),
    metric_of(
        "cost.messages",
        "messages / request",
        EACH,
        "Messages handed to the network, replies included, for each request.",
    ),
    metric_of(
        "cost.bytes",
        "bytes / request",
        (Axis::Cost, Quantity::Bytes, Better::Lower),
        "Bytes handed to the network for each request.",
    ),
    metric_of("cost.retries", "retries / request", EACH, "Calls tried again, for each request."),
    metric_of(
        "cost.writes",
        "disk writes / request",
        EACH,
        "Entries written to disks for each request.",
    ),
    metric_of("cost.syncs", "disk syncs / request", EACH, "Syncs of disks for each request."),
    metric_of(
        "cost.cpu",
        "CPU / request",
        (Axis::Cost, Quantity::Time, Better::Lower),
        "Worker time spent for each request.",
    ),
    metric_of(
        "cost.queue",
        "queued jobs",
        EACH,
        "Jobs queued at all nodes together, on average: the queues' memory.",
    ),
    metric_of("cost.node_hours", "node hours / hour", EACH, "Nodes that are no clients."),
    metric_of(
        "cost.money",
        "money / 1000 good",
        (Axis::Cost, Quantity::Money, Better::Lower),
        "What a thousand successful requests cost by the scenario's price list.",
    ),
    metric_of("complexity.nodes", "nodes", SIZE, "Nodes that are no clients."),
    metric_of(
        "complexity.edges",
        "edges",
        SIZE,
        "Pairs of nodes of which one speaks to the other.",
    ),
    metric_of(
        "complexity.asynchronous",
        "asynchronous edges",
        SIZE,
        "Edges on which nobody waits for the answer.",
    ),
    metric_of(
        "complexity.depth",
        "call depth",
        SIZE,
        "The longest chain of synchronous calls from a client.",
    ),
    metric_of(
        "complexity.single_points",
        "single points of failure",
        SIZE,
        "Nodes whose loss cuts a client off from something it needs.",
    ),
    metric_of(
        "saturation.utilisation",
        "busiest node",
        (Axis::Saturation, Quantity::Share, Better::Lower),
        "Utilisation of the busiest node with a limited number of workers.",
    ),
    metric_of(
        "saturation.queue_peak",
        "longest queue",
        (Axis::Saturation, Quantity::Count, Better::Lower),
        "The longest queue of any node.",
    ),
    metric_of(
        "saturation.refused",
        "refused by queues",
        (Axis::Saturation, Quantity::Count, Better::Lower),
        "Jobs refused because a queue was full.",
    ),
];

/// The metric with this id; `latency.p99/buyers` is the metric `latency.p99` of one flow.
pub fn metric(id: &str) -> Option<&'static Metric> {
    let stem = id.split('/').next().unwrap_or(id);
    METRICS.iter().find(|metric| metric.id == stem)
}

/// What a node's machine and disk had done by some instants of a run.
#[derive(Clone, Debug)]
pub struct NodeSample {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
    /// How many workers it has.
    pub workers: Option<u32>,
    /// At the beginning of the measured phase, and when that was.
    pub before: (Time, MachineUse),
    /// At the end of the load, and when that was.
    pub until: (Time, MachineUse),
    /// At the end of each window.
    pub windows: Vec<(Time, MachineUse)>,
    /// At the end.
    pub after: MachineUse,
    /// The disk, at the end.
    pub disk: DiskUse,
}

impl NodeSample {
    /// The node's use: rates over the measured load, counts over the whole run.
    pub fn finish(&self, crashes: u64) -> NodeUse {
        let (before, until) = (&self.before, &self.until);
        let span = ((until.0 - before.0).0.max(1)) as f64;
        let mean = |pick: fn(&MachineUse) -> u64| {
            pick(&until.1).saturating_sub(pick(&before.1)) as f64 / span
        };
        let working = mean(|usage| usage.busy);
        let mut last = (Time(0), MachineUse::default());
        let mut load = Vec::with_capacity(self.windows.len());
        for &(at, usage) in &self.windows {
            let busy = (usage.busy - last.1.busy) as f64 / ((at - last.0).0.max(1)) as f64;
            load.push(self.workers.map_or(busy, |workers| busy / f64::from(workers)));
            last = (at, usage);
        }
        NodeUse {
            name: self.name.clone(),
            kind: self.kind.to_owned(),
            utilisation: self.workers.map(|workers| working / f64::from(workers)),
            working_mean: working,
            queue_mean: mean(|usage| usage.queued),
            queue_peak: self.after.queue_peak,
            jobs: self.after.jobs,
            refused: self.after.refused,
            disk_writes: self.disk.writes,
            disk_syncs: self.disk.syncs,
            crashes,
            load,
            queue: self.windows.iter().map(|(_, usage)| usage.waiting).collect(),
        }
    }
}

/// Everything that metrics are made of.
pub(crate) struct Material<'a> {
    pub scenario: &'a Scenario,
    pub variant: &'a Variant,
    pub requests: &'a Requests,
    pub counts: Counts,
    pub nodes: &'a [Option<NodeSample>],
    pub sagas: SagaCounts,
    pub partial: &'a Partial,
    pub retries: u64,
    pub breaker_openings: u64,
    pub findings: &'a [Finding],
    pub episodes: &'a [Episode],
    pub end: Time,
}

/// The accounts of the first atomic invariant: what an operation consists of.
pub(crate) fn parts(invariants: &[(String, Invariant)], effects: &Effects) -> Vec<usize> {
    let atomic = invariants.iter().find_map(|(_, invariant)| match invariant {
        Invariant::Atomic { accounts } => Some(accounts),
        _ => None,
    });
    atomic.into_iter().flatten().map(|account| effects.id(*account)).collect()
}

/// Measures everything, in the order of the catalogue, flows after their total.
pub(crate) fn all(material: &Material<'_>) -> Vec<Measure> {
    let total = material.requests.flows().iter().fold(Histogram::new(), |mut sum, flow| {
        sum.merge(&flow.latency);
        sum
    });
    let facets = Facets::of(material);
    let mut measures = Vec::new();
    for metric in METRICS {
        let value = match metric.axis {
            Axis::Latency => latency(metric.id, &total),
            _ => facets.value(metric.id, material),
        };
        measures.push(measure(metric, metric.id.to_owned(), value));
    }
    for flow in material.requests.flows().iter().filter(|_| material.requests.flows().len() > 1) {
        for metric in METRICS.iter().filter(|metric| metric.axis == Axis::Latency) {
            let id = format!("{}/{}", metric.id, flow.name);
            measures.push(measure(metric, id, latency(metric.id, &flow.latency)));
        }
    }
    measures
}

fn measure(metric: &Metric, id: String, value: Option<f64>) -> Measure {
    let Metric { label, axis, quantity, better, .. } = *metric;
    Measure { id, label: label.to_owned(), axis, quantity, better, value }
}

fn latency(id: &str, latencies: &Histogram) -> Option<f64> {
    let nanoseconds = match id {
        "latency.p50" => latencies.quantile(0.5)? as f64,
        "latency.p90" => latencies.quantile(0.9)? as f64,
        "latency.p99" => latencies.quantile(0.99)? as f64,
        "latency.p999" => latencies.quantile(0.999)? as f64,
        "latency.max" => latencies.max()? as f64,
        _ => latencies.mean()?,
    };
    Some(nanoseconds / 1e9)
}

/// What several metrics need.
struct Facets {
    /// Requests of the measured phase: begun, succeeded, ended.
    measured: (u64, u64, u64),
    /// Seconds of load in the measured phase.
    seconds: f64,
    /// Requests of the whole run.
    requests: f64,
    failed: [u64; Fault::ALL.len()],
    topology: Topology,
    /// Samples of nodes that are no clients.
    servers: Vec<NodeUse>,
}

impl Facets {
    fn of(material: &Material<'_>) -> Facets {
        let Material { scenario, variant, requests, .. } = *material;
        let is_server = |place: usize| {
            variant.nodes[place].as_ref().is_some_and(|spec| !matches!(spec, Spec::Client(_)))
        };
        let servers = material.nodes.iter().enumerate().filter(|(place, _)| is_server(*place));
        let load = scenario.phases.quiet_from() - requests.measured_from();
        Facets {
            measured: requests.measured(),
            seconds: load.as_seconds(),
            requests: requests.flows().iter().map(|flow| flow.started).sum::<u64>() as f64,
            failed: requests.measured_failures(),
            topology: Topology::of(scenario, variant),
            servers: servers.filter_map(|(_, sample)| Some(sample.as_ref()?.finish(0))).collect(),
        }
    }

    fn each(&self, count: f64) -> Option<f64> {
        (self.requests > 0.0).then(|| count / self.requests)
    }

    fn value(&self, id: &str, material: &Material<'_>) -> Option<f64> {
        match id.split('.').next()? {
            "throughput" | "availability" => self.service(id, material),
            "consistency" => self.consistency(id, material),
            "cost" => self.cost(id, material),
            _ => self.shape(id),
        }
    }

    fn service(&self, id: &str, material: &Material<'_>) -> Option<f64> {
        let (begun, succeeded, ended) = self.measured;
        let share = |count: u64| (begun > 0).then(|| count as f64 / begun as f64);
        let other = |fault: &Fault| !matches!(fault, Fault::Refused | Fault::Timeout);
        let mean = |pick: fn(&Episode) -> Option<Span>| {
            let known: Vec<f64> =
                material.episodes.iter().filter_map(pick).map(Span::as_seconds).collect();
            (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
        };
        match id {
            "throughput.offered" => Some(begun as f64 / self.seconds),
            "throughput.goodput" => Some(succeeded as f64 / self.seconds),
            "availability.success" => (ended > 0).then(|| succeeded as f64 / ended as f64),
            "availability.refused" => share(self.failed[Fault::Refused as usize]),
            "availability.timeout" => share(self.failed[Fault::Timeout as usize]),
            "availability.other" => share(
                Fault::ALL.iter().filter(|f| other(f)).map(|f| self.failed[*f as usize]).sum(),
            ),
            "availability.windows" => material.requests.good_windows(),
            "availability.longest_outage" => {
                Some(material.requests.longest_outage(material.scenario.phases.quiet_from()))
            }
            "availability.breakers" => Some(material.breaker_openings as f64),
            "availability.felt" => mean(|episode| episode.felt_after),
            "availability.recovered" => mean(|episode| episode.recovered_after),
            _ => None,
        }
    }

    fn consistency(&self, id: &str, material: &Material<'_>) -> Option<f64> {
        let of_kind = |is: fn(&Invariant) -> bool| {
            let named = material.scenario.invariants.iter().filter(|(_, one)| is(one));
            let names: Vec<&str> = named.map(|(name, _)| name.as_str()).collect();
            let of = material.findings.iter().filter(|one| names.contains(&one.invariant.as_str()));
            (!names.is_empty()).then(|| of.map(|finding| finding.violations).sum::<u64>() as f64)
        };
        let sagas = material.sagas;
        let saga = |count: u64| (sagas.began > 0).then_some(count as f64);
        match id {
            "consistency.violations" => {
                Some(material.findings.iter().map(|finding| finding.violations).sum::<u64>() as f64)
            }
            "consistency.half_applied" => of_kind(|one| matches!(one, Invariant::Atomic { .. })),
            "consistency.multiple" => of_kind(|one| matches!(one, Invariant::Once { .. })),
            "consistency.partial_time" => {
                let spells = material.partial.spells;
                (spells > 0).then(|| material.partial.total as f64 / spells as f64 / 1e9)
            }
            "consistency.compensated" => saga(sagas.turned_back),
            "consistency.parked" => saga(sagas.parked),
            "consistency.at_risk" => saga(sagas.at_risk),
            "consistency.recovered" => saga(sagas.recovered),
            _ => None,
        }
    }

    fn cost(&self, id: &str, material: &Material<'_>) -> Option<f64> {
        let counts = material.counts;
        let sum = |pick: fn(&NodeUse) -> f64| self.servers.iter().map(pick).sum::<f64>();
        let writes = sum(|node| node.disk_writes as f64);
        match id {
            "cost.messages" => self.each((counts.requests + counts.replies) as f64),
            "cost.bytes" => self.each(counts.bytes as f64),
            "cost.retries" => self.each(material.retries as f64),
            "cost.writes" => self.each(writes),
            "cost.syncs" => self.each(sum(|node| node.disk_syncs as f64)),
            "cost.cpu" => self.each(self.busy_seconds(material)),
            "cost.queue" => Some(sum(|node| node.queue_mean)),
            "cost.node_hours" => Some(self.servers.len() as f64),
            "cost.money" => self.money(material, writes),
            _ => None,
        }
    }

    /// Worker seconds of the whole run.
    fn busy_seconds(&self, material: &Material<'_>) -> f64 {
        let busy = material.nodes.iter().flatten().map(|sample| sample.after.busy as f64);
        busy.sum::<f64>() / 1e9
    }

    fn money(&self, material: &Material<'_>, writes: f64) -> Option<f64> {
        let prices = material.scenario.prices.as_ref()?;
        let good = material.requests.flows().iter().map(|flow| flow.succeeded).sum::<u64>();
        let hours = material.end.as_seconds() / 3_600.0;
        let total = prices.node_hour * self.servers.len() as f64 * hours
            + prices.cpu_hour * self.busy_seconds(material) / 3_600.0
            + prices.gibibyte * material.counts.bytes as f64 / (1_u64 << 30) as f64
            + prices.million_writes * writes / 1e6;
        (good > 0).then(|| total / good as f64 * 1e3)
    }

    fn shape(&self, id: &str) -> Option<f64> {
        let utilisation = self.servers.iter().filter_map(|node| node.utilisation);
        Some(match id {
            "complexity.nodes" => self.servers.len() as f64,
            "complexity.edges" => self.topology.edges() as f64,
            "complexity.asynchronous" => self.topology.asynchronous_edges() as f64,
            "complexity.depth" => self.topology.depth() as f64,
            "complexity.single_points" => self.topology.single_points().len() as f64,
            "saturation.utilisation" => utilisation.reduce(f64::max)?,
            "saturation.queue_peak" => {
                f64::from(self.servers.iter().map(|node| node.queue_peak).max()?)
            }
            "saturation.refused" => {
                self.servers.iter().map(|node| node.refused).sum::<u64>() as f64
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_begin_with_their_axis() {
        for (place, metric) in METRICS.iter().enumerate() {
            let axis = format!("{:?}.", metric.axis).to_lowercase();
            assert!(metric.id.starts_with(&axis), "{}", metric.id);
            assert!(METRICS[..place].iter().all(|other| other.id != metric.id), "{}", metric.id);
            assert!(metric.says.ends_with('.'), "{}", metric.id);
        }
        assert_eq!(metric("latency.p99/buyers").map(|metric| metric.label), Some("p99"));
        assert_eq!(metric("latency.p98"), None);
    }
}
