//! Measuring: from what a run has shown to a value for each metric of the catalogue.

use super::caches::CacheCounts;
use super::calls::CallCounts;
use super::classes;
use super::effects::Effects;
use super::events::EventCounts;
use super::ledger::{Partial, SagaCounts};
use super::logs::LogCounts;
use super::metrics::{METRICS, Metric};
use super::outcome::{Axis, ClassFlow, Episode, Finding, LinkUse, Measure, NodeUse};
use super::own::{self, AskedFacts};
use super::queue_counts::QueueCounts;
use super::requests::Requests;
use super::uptime::Uptime;
use crate::engine::{Counts, Fault, NodeId, Span, Time};
use crate::patterns::Spec;
use crate::scenario::topology::Topology;
use crate::scenario::{Invariant, MeasureSpec, Scenario, Variant};
use crate::stats::Histogram;
use crate::world::{DiskUse, Gauge, MachineSpec, MachineUse};

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
    /// Entries that its disk had written at the end of the load.
    pub writes_by_then: u64,
    /// The disk, at the end.
    pub disk: DiskUse,
}

/// The end of the load, or of a run that ended sooner.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoadEnd {
    /// When it was.
    pub until: Time,
    /// Bytes handed to the network by then.
    pub bytes: u64,
}

impl NodeSample {
    /// The node's use: rates over the measured load, counts over the whole run.
    pub fn finish(&self, crashes: u64) -> NodeUse {
        let (before, until) = (&self.before, &self.until);
        let span = ((until.0 - before.0).0.max(1)) as f64;
        let spent =
            |pick: fn(&MachineUse) -> u64| pick(&until.1).saturating_sub(pick(&before.1)) as f64;
        let mean = |pick: fn(&MachineUse) -> u64| spent(pick) / span;
        let working = mean(|usage| usage.busy);
        // Of an instance that came or went, only the time that it was there counts.
        let on = spent(|usage| usage.on);
        let busy = spent(|usage| usage.busy) / on.max(1.0);
        let mut last = (Time(0), MachineUse::default());
        let mut load = Vec::with_capacity(self.windows.len());
        for &(at, usage) in &self.windows {
            let on = (usage.on - last.1.on).max(1);
            let busy = (usage.busy - last.1.busy) as f64 / on as f64;
            load.push(self.workers.map_or(busy, |workers| busy / f64::from(workers)));
            last = (at, usage);
        }
        NodeUse {
            name: self.name.clone(),
            kind: self.kind.to_owned(),
            utilisation: self.workers.filter(|_| on > 0.0).map(|n| busy / f64::from(n)),
            working_mean: working,
            queue_mean: mean(|usage| usage.queued),
            queue_peak: self.after.queue_peak,
            jobs: self.after.jobs,
            refused: self.after.refused,
            turned_away: self.after.shed + self.after.limited,
            expired: self.after.expired,
            dropped: self.after.delayed + self.after.abandoned,
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
    pub caches: CacheCounts,
    pub lost: u64,
    pub lost_updates: u64,
    pub calls: CallCounts,
    pub queues: Option<&'a QueueCounts>,
    pub logs: Option<LogCounts>,
    pub findings: &'a [Finding],
    pub episodes: &'a [Episode],
    pub events: &'a EventCounts,
    /// Events that were lost, and phantoms; `None` if nobody looked.
    pub published: Option<(u64, u64)>,
    pub asked: &'a AskedFacts,
    pub uptime: &'a Uptime,
    /// The machines that were watched job by job.
    pub gauges: &'a [(NodeId, Gauge)],
    pub load: LoadEnd,
    pub links: &'a [LinkUse],
    /// The shares of the time in which everything was up, and each address.
    pub up: &'a (Option<f64>, Vec<(String, f64)>),
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
        let of_queues = material.queues.and_then(|queues| queues.value(metric.id));
        let of_logs = material.logs.and_then(|logs| logs.value(metric.id));
        let of_events = || material.events.value(metric.id);
        let value = of_queues.or(of_logs).or_else(of_events).or_else(|| match metric.axis {
            Axis::Latency => latency(metric.id, &total),
            _ => facets.value(metric.id, material),
        });
        measures.push(measure(metric, metric.id.to_owned(), value));
    }
    for (name, share) in &material.up.1 {
        let up = METRICS.iter().filter(|metric| metric.id == "availability.up");
        let id = format!("availability.up/{name}");
        measures.extend(up.map(|metric| measure(metric, id.clone(), Some(*share))));
    }
    // The only client's latency is that of all, and told apart only where somebody asks for it.
    let is_told = |id: &String| material.requests.flows().len() > 1 || asks(material.scenario, id);
    for flow in material.requests.flows() {
        for metric in METRICS.iter().filter(|metric| is_of_requests(metric)) {
            let id = Some(format!("{}/{}", metric.id, flow.name)).filter(is_told);
            let value = latency(metric.id, &flow.latency);
            measures.extend(id.map(|id| measure(metric, id, value)));
        }
    }
    for class in material.requests.classes() {
        for metric in METRICS {
            let value = match metric.axis {
                _ if is_of_requests(metric) => latency(metric.id, &class.flow.latency),
                _ => match facets.of_class(metric.id, class) {
                    Some(value) => Some(value),
                    None => continue,
                },
            };
            measures.push(measure(metric, format!("{}/{}", metric.id, class.flow.name), value));
        }
    }
    measures.extend(own::all(material, &measures));
    measures
}

/// Does an expectation or a measure of the scenario name this metric?
fn asks(scenario: &Scenario, id: &str) -> bool {
    let expected = scenario.expect.iter().any(|one| one.metric == id);
    let mut reckoned = scenario.measures.iter().flat_map(|(_, spec)| spec.all());
    expected || reckoned.any(|spec| matches!(spec, MeasureSpec::Metric(metric) if metric == id))
}

/// Is it a latency of requests, each of which has its own?
fn is_of_requests(metric: &Metric) -> bool {
    metric.axis == Axis::Latency
        && !["latency.processed", "latency.queued", "latency.outbox"]
            .iter()
            .any(|of| metric.id.starts_with(of))
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
        "latency.mean" => latencies.mean()?,
        _ => return None,
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
        let load = variant.phases.quiet_from() - requests.measured_from();
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
        let calls = material.calls.value(id, &material.counts, self.requests);
        match id.split('.').next()? {
            _ if calls.is_some() => calls,
            "throughput" | "availability" => self.service(id, material),
            "consistency" => self.consistency(id, material),
            "cost" => self.cost(id, material),
            _ => self.shape(id).or_else(|| self.overload(id, material)),
        }
    }

    /// How much work was not taken up, where somebody had a rule for it; and stampedes.
    fn overload(&self, id: &str, material: &Material<'_>) -> Option<f64> {
        let specs = material.variant.nodes.iter().flatten().map(Spec::machine);
        let any = |rule: fn(&MachineSpec) -> bool| specs.clone().any(|spec| rule(&spec));
        let sum = |pick: fn(&NodeUse) -> u64| self.servers.iter().map(pick).sum::<u64>() as f64;
        match id {
            "saturation.turned_away" => any(|spec| spec.limit.is_some() || spec.shedding.is_some())
                .then(|| sum(|node| node.turned_away)),
            "saturation.expired" => any(|spec| spec.drop_expired).then(|| sum(|node| node.expired)),
            "saturation.dropped" => {
                any(|spec| spec.delay_control.is_some() || spec.queue_timeout.is_some())
                    .then(|| sum(|node| node.dropped))
            }
            "saturation.link" => {
                material.links.iter().map(|link| link.utilisation).reduce(f64::max)
            }
            "saturation.link_drops" => (!material.links.is_empty())
                .then(|| material.links.iter().map(|link| link.dropped).sum::<u64>() as f64),
            "saturation.stampede" => material.caches.stampede(),
            _ => None,
        }
    }

    /// What is measured for each class besides its latency.
    fn of_class(&self, id: &str, class: &ClassFlow) -> Option<f64> {
        let (begun, succeeded, ended) = class.measured;
        match id {
            "throughput.offered" => Some(begun as f64 / self.seconds),
            "throughput.goodput" => Some(succeeded as f64 / self.seconds),
            "availability.success" => (ended > 0).then(|| succeeded as f64 / ended as f64),
            _ => None,
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
            "throughput.fairness" => classes::fairness(material.requests.classes()),
            "availability.success" => (ended > 0).then(|| succeeded as f64 / ended as f64),
            "availability.refused" => share(self.failed[Fault::Refused as usize]),
            "availability.timeout" => share(self.failed[Fault::Timeout as usize]),
            "availability.other" => share(
                Fault::ALL.iter().filter(|f| other(f)).map(|f| self.failed[*f as usize]).sum(),
            ),
            "availability.windows" => material.requests.good_windows(),
            "availability.longest_outage" => {
                Some(material.requests.longest_outage(material.variant.phases.quiet_from()))
            }
            "availability.disk_errors" => {
                let nodes = material.nodes.iter().flatten();
                let errors: u64 = nodes.map(|node| node.disk.failed + node.disk.refused).sum();
                (errors > 0).then_some(errors as f64)
            }
            "availability.out_of_memory" => {
                let specs = material.variant.nodes.iter().flatten();
                let killed = material.nodes.iter().flatten().map(|node| node.after.killed);
                (specs.map(Spec::machine).any(|spec| spec.memory.is_some()))
                    .then(|| killed.sum::<u64>() as f64)
            }
            "availability.up" => material.up.0,
            "availability.felt" => {
                mean(|episode| episode.felt_after.filter(|_| episode.felt_beside.is_empty()))
            }
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
            "consistency.events_lost" => material.published.map(|(lost, _)| lost as f64),
            "consistency.phantoms" => material.published.map(|(_, phantoms)| phantoms as f64),
            "consistency.lost_updates" => {
                (material.lost_updates > 0).then_some(material.lost_updates as f64)
            }
            "consistency.lost" => (material.lost > 0).then_some(material.lost as f64),
            "consistency.partial_time" => {
                let spells = material.partial.spells;
                (spells > 0).then(|| material.partial.total as f64 / spells as f64 / 1e9)
            }
            "consistency.compensated" => saga(sagas.turned_back),
            "consistency.parked" => saga(sagas.parked),
            "consistency.at_risk" => saga(sagas.at_risk),
            "consistency.recovered" => saga(sagas.recovered),
            "consistency.stale" => material.caches.stale_share(),
            "consistency.staleness" => material.caches.staleness(),
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
            "cost.writes" => self.each(writes),
            "cost.hits" => material.caches.hit_ratio(),
            "cost.fetches" => material.caches.calls_per_miss(),
            "cost.syncs" => self.each(sum(|node| node.disk_syncs as f64)),
            "cost.cpu" => self.each(self.busy_seconds(material)),
            "cost.queue" => Some(sum(|node| node.queue_mean)),
            "cost.node_hours" => Some(self.nodes_on(material)),
            "cost.money" => self.money(material),
            _ => None,
        }
    }

    /// How many nodes were there to be paid for, on average over the load.
    fn nodes_on(&self, material: &Material<'_>) -> f64 {
        let servers = material.nodes.iter().flatten().filter(|sample| sample.kind != "Client");
        let on = servers.map(|sample| sample.until.1.on as f64).sum::<f64>();
        on / (material.load.until.0.max(1)) as f64
    }

    /// Worker seconds of the whole run.
    fn busy_seconds(&self, material: &Material<'_>) -> f64 {
        let busy = material.nodes.iter().flatten().map(|sample| sample.after.busy as f64);
        busy.sum::<f64>() / 1e9
    }

    /// What the load cost, for each thousand requests that succeeded by its end: the quiet phase is
    /// there for the checkers, and nobody pays for it.
    fn money(&self, material: &Material<'_>) -> Option<f64> {
        let prices = material.variant.prices.as_ref()?;
        let load = material.load;
        let good = material.requests.succeeded_by(load.until);
        let hours = load.until.as_seconds() / 3_600.0;
        let nodes = material.nodes.iter().flatten();
        let busy = nodes.clone().map(|node| node.until.1.busy as f64).sum::<f64>() / 1e9;
        let writes = nodes.map(|node| node.writes_by_then as f64).sum::<f64>();
        let total = prices.node_hour * self.nodes_on(material) * hours
            + prices.cpu_hour * busy / 3_600.0
            + prices.gibibyte * load.bytes as f64 / (1_u64 << 30) as f64
            + prices.million_writes * writes / 1e6;
        (good > 0).then(|| total / good as f64 * 1e3)
    }

    fn shape(&self, id: &str) -> Option<f64> {
        let utilisation = self.servers.iter().filter_map(|node| node.utilisation);
        Some(match id {
            "complexity.nodes" => self.topology.servers() as f64,
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
