//! The measures that a scenario defines for itself: from what a run has shown to their values.

mod facts;
mod figures;

pub(crate) use facts::AskedFacts;
use figures::{Values, figure, of_sorted, weighted};

use super::measures::{Material, NodeSample};
use super::metrics::metric;
use super::outcome::{Axis, Better, Measure, Quantity};
use super::requests::{Request, Standing};
use crate::engine::{NodeId, Span, Time};
use crate::scenario::{Doing, MeasureSpec, Stat, Usage};
use crate::world::{Gauge, MachineUse};

/// How values of a measure are to be read.
pub(crate) fn quantity(spec: &MeasureSpec) -> Quantity {
    match spec {
        MeasureSpec::Latency { stat, .. }
        | MeasureSpec::Waited { stat, .. }
        | MeasureSpec::Between { stat, .. } => match stat {
            Stat::Variance | Stat::Variation => Quantity::Count,
            _ => Quantity::Time,
        },
        MeasureSpec::Recovery { .. }
        | MeasureSpec::Moment { .. }
        | MeasureSpec::Stayed { .. }
        | MeasureSpec::FirstOutage { .. } => Quantity::Time,
        MeasureSpec::Slower { .. }
        | MeasureSpec::WaitedLonger { .. }
        | MeasureSpec::PresentAtLeast { .. }
        | MeasureSpec::Found { .. }
        | MeasureSpec::OccurrencesAtLeast { .. }
        | MeasureSpec::Machine { what: Usage::Utilisation, .. } => Quantity::Share,
        MeasureSpec::PerSecond(_) => Quantity::Rate,
        MeasureSpec::Metric(id) => metric(id).map_or(Quantity::Count, |metric| metric.quantity),
        MeasureSpec::Product(first, _) | MeasureSpec::Difference(first, _) => quantity(first),
        MeasureSpec::Sum(parts) => parts.first().map_or(Quantity::Count, quantity),
        MeasureSpec::Requests { .. }
        | MeasureSpec::InFlight { .. }
        | MeasureSpec::Machine { .. }
        | MeasureSpec::Present { .. }
        | MeasureSpec::Spread { .. }
        | MeasureSpec::Facts { .. }
        | MeasureSpec::Occurrences { .. }
        | MeasureSpec::Number(_)
        | MeasureSpec::Ratio(..) => Quantity::Count,
    }
}

/// Is it the number of times that something happened, so that it has a rate?
pub(crate) fn is_count(spec: &MeasureSpec) -> bool {
    match spec {
        MeasureSpec::Requests { .. }
        | MeasureSpec::Facts { .. }
        | MeasureSpec::Spread { .. }
        | MeasureSpec::Number(_) => true,
        MeasureSpec::Machine { what, .. } => {
            !matches!(what, Usage::Utilisation | Usage::Working | Usage::Waiting | Usage::Present)
        }
        MeasureSpec::Metric(_) => {
            matches!(quantity(spec), Quantity::Count | Quantity::Bytes | Quantity::Money)
        }
        MeasureSpec::Ratio(first, _)
        | MeasureSpec::Product(first, _)
        | MeasureSpec::Difference(first, _) => is_count(first),
        MeasureSpec::Sum(parts) => parts.iter().all(is_count),
        MeasureSpec::Latency { .. }
        | MeasureSpec::Slower { .. }
        | MeasureSpec::InFlight { .. }
        | MeasureSpec::Recovery { .. }
        | MeasureSpec::Waited { .. }
        | MeasureSpec::WaitedLonger { .. }
        | MeasureSpec::Stayed { .. }
        | MeasureSpec::Present { .. }
        | MeasureSpec::PresentAtLeast { .. }
        | MeasureSpec::Found { .. }
        | MeasureSpec::FirstOutage { .. }
        | MeasureSpec::Moment { .. }
        | MeasureSpec::Between { .. }
        | MeasureSpec::Occurrences { .. }
        | MeasureSpec::OccurrencesAtLeast { .. }
        | MeasureSpec::PerSecond(_) => false,
    }
}

/// All of them, in the order of their names.
pub(crate) fn all(material: &Material<'_>, known: &[Measure]) -> Vec<Measure> {
    let own = Own { material, known };
    let measured = material.scenario.measures.iter().map(|(name, spec)| Measure {
        id: name.clone(),
        label: name.clone(),
        axis: Axis::Own,
        quantity: quantity(spec),
        better: Better::Neither,
        value: own.value(spec),
    });
    measured.collect()
}

struct Own<'a> {
    material: &'a Material<'a>,
    /// The measures of the catalogue.
    known: &'a [Measure],
}

impl Own<'_> {
    fn value(&self, spec: &MeasureSpec) -> Option<f64> {
        match spec {
            MeasureSpec::Latency { stat, of, during } => {
                let mut values = Values::default();
                self.latencies(of, *during).for_each(|latency| values.add_nanoseconds(latency));
                values.figure(*stat)
            }
            MeasureSpec::Slower { than, of, during } => {
                let (mut slow, mut all) = (0_u64, 0_u64);
                for latency in self.latencies(of, *during) {
                    slow += u64::from(latency > than.0);
                    all += 1;
                }
                (all > 0).then(|| slow as f64 / all as f64)
            }
            MeasureSpec::Requests { that, of, during } => Some(self.count(*that, of, *during)),
            MeasureSpec::InFlight { of, during } => Some(self.in_flight(of, *during)),
            MeasureSpec::Recovery { after, window, share } => {
                self.recovery(Time(0) + *after, *window, share.as_f64())
            }
            MeasureSpec::Machine { node, what } => self.machine(*node, *what),
            MeasureSpec::Spread { address, stat } => {
                let jobs = self.instances(*address).map(|sample| spent(sample, |usage| usage.jobs));
                of_sorted(*stat, &Values::of_numbers(jobs))
            }
            MeasureSpec::FirstOutage { address } => {
                let name = self.material.scenario.node(*address);
                Some(self.material.uptime.first_outage(name)?.as_seconds())
            }
            MeasureSpec::Facts { .. }
            | MeasureSpec::Moment { .. }
            | MeasureSpec::Between { .. }
            | MeasureSpec::Occurrences { .. }
            | MeasureSpec::OccurrencesAtLeast { .. } => self.material.asked.value(spec),
            MeasureSpec::Metric(id) => self.known.iter().find(|one| one.id == *id)?.value,
            MeasureSpec::Number(number) => Some(*number),
            MeasureSpec::Ratio(one, other) => {
                let (one, other) = (self.value(one)?, self.value(other)?);
                (other != 0.0).then(|| one / other)
            }
            MeasureSpec::Product(one, other) => Some(self.value(one)? * self.value(other)?),
            MeasureSpec::Difference(one, other) => Some(self.value(one)? - self.value(other)?),
            MeasureSpec::Sum(parts) => parts.iter().map(|part| self.value(part)).sum(),
            MeasureSpec::PerSecond(one) => Some(self.value(one)? / self.load().as_seconds()),
            MeasureSpec::Waited { .. }
            | MeasureSpec::WaitedLonger { .. }
            | MeasureSpec::Stayed { .. }
            | MeasureSpec::Present { .. }
            | MeasureSpec::PresentAtLeast { .. }
            | MeasureSpec::Found { .. } => self.gauged(spec),
        }
    }

    /// The time of the load that is measured.
    fn load(&self) -> Span {
        self.material.variant.phases.quiet_from() - self.material.requests.measured_from()
    }

    /// The requests of a client or a class, or all.
    fn requests(&self, of: &Option<String>) -> impl Iterator<Item = &Request> {
        let requests = self.material.requests;
        let (flows, classes) = (requests.flows(), requests.classes());
        let flow = of.as_ref().map(|name| flows.iter().position(|flow| flow.name == *name));
        let class =
            of.as_ref().map(|name| classes.iter().position(|class| class.flow.name == *name));
        requests.iter().map(|(_, request)| request).filter(move |request| match (flow, class) {
            (Some(Some(flow)), _) => request.is_of_flow(flow),
            (_, Some(Some(class))) => request.is_of_class(class),
            (None, None) => true,
            _ => false,
        })
    }

    /// Within which times requests begin that count.
    fn begun_within(&self, during: Option<(Span, Span)>) -> (Time, Time) {
        match during {
            Some((from, until)) => (Time(0) + from, Time(0) + until),
            None => (self.material.requests.measured_from(), Time::MAX),
        }
    }

    fn latencies(
        &self,
        of: &Option<String>,
        during: Option<(Span, Span)>,
    ) -> impl Iterator<Item = u64> {
        let (from, until) = self.begun_within(during);
        let requests = self.requests(of).filter(move |request| {
            request.standing == Standing::Succeeded && (from..until).contains(&request.began)
        });
        requests.map(|request| (request.ended - request.began).0)
    }

    fn count(&self, that: Doing, of: &Option<String>, during: Option<(Span, Span)>) -> f64 {
        let (from, until) = self.begun_within(during);
        let counts = |request: &&Request| {
            let does = match that {
                Doing::Began => true,
                Doing::Succeeded => request.standing == Standing::Succeeded,
                Doing::Failed => matches!(request.standing, Standing::Failed(_)),
                Doing::Ended => request.standing != Standing::Open,
            };
            let at = match during {
                Some(_) if that != Doing::Began => request.ended,
                _ => request.began,
            };
            does && (from..until).contains(&at)
        };
        self.requests(of).filter(counts).count() as f64
    }

    /// How many requests were under way on average.
    fn in_flight(&self, of: &Option<String>, during: Option<(Span, Span)>) -> f64 {
        let (from, until) = match during {
            Some((from, until)) => (Time(0) + from, Time(0) + until),
            None => {
                let variant = self.material.variant;
                (self.material.requests.measured_from(), variant.phases.quiet_from())
            }
        };
        let within = |request: &Request| {
            let (began, ended) = (request.began.max(from), request.ended.min(until));
            u128::from(ended.0.saturating_sub(began.0))
        };
        let area: u128 = self.requests(of).map(within).sum();
        area as f64 / ((until - from).0.max(1)) as f64
    }

    /// From `after` on, when successes kept up with what came.
    fn recovery(&self, after: Time, window: Span, share: f64) -> Option<f64> {
        const STEPS: usize = 10;
        let step = window.0 / STEPS as u64;
        let last = self.material.variant.phases.quiet_from();
        let steps = (last.0.saturating_sub(after.0) / step) as usize;
        let (mut came, mut went) = (vec![0_u64; steps], vec![0_u64; steps]);
        let place = |at: Time| (at >= after).then(|| ((at - after).0 / step) as usize);
        for (_, request) in self.material.requests.iter() {
            if let Some(count) = place(request.began).and_then(|at| came.get_mut(at)) {
                *count += 1;
            }
            let good = request.standing == Standing::Succeeded;
            if let Some(count) =
                place(request.ended).filter(|_| good).and_then(|at| went.get_mut(at))
            {
                *count += 1;
            }
        }
        let sum = |counts: &[u64], from: usize| counts[from..from + STEPS].iter().sum::<u64>();
        let is_well = |from: &usize| {
            let came = sum(&came, *from);
            came > 0 && sum(&went, *from) as f64 >= share * came as f64
        };
        let from = (0..(steps + 1).saturating_sub(STEPS)).find(is_well)?;
        Some((from as u64 * step) as f64 / 1e9)
    }

    /// The samples of the instances of an address, or of a node.
    fn instances(&self, address: NodeId) -> impl Iterator<Item = &NodeSample> {
        let group = self.material.variant.groups.iter().find(|group| group.address == address);
        let members = group.map_or_else(|| vec![address], |group| group.members.clone());
        members.into_iter().filter_map(|node| self.material.nodes[node.index()].as_ref())
    }

    fn machine(&self, node: NodeId, what: Usage) -> Option<f64> {
        let samples: Vec<&NodeSample> = self.instances(node).collect();
        let sum = |pick: fn(&MachineUse) -> u64| {
            samples.iter().map(|sample| spent(sample, pick)).sum::<u64>() as f64
        };
        let mean = |pick: fn(&MachineUse) -> u64| {
            let span = samples.first().map_or(1, |sample| (sample.until.0 - sample.before.0).0);
            sum(pick) / span.max(1) as f64
        };
        if samples.is_empty() {
            return None;
        }
        Some(match what {
            Usage::Utilisation => {
                let of = |sample: &&NodeSample| sample.finish(0).utilisation;
                let known: Vec<f64> = samples.iter().filter_map(of).collect();
                return (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64);
            }
            Usage::Working => mean(|usage| usage.busy),
            Usage::Waiting => mean(|usage| usage.queued),
            Usage::Present => mean(|usage| usage.busy + usage.queued),
            Usage::Jobs => sum(|usage| usage.jobs),
            Usage::Refused => sum(|usage| usage.refused),
            Usage::TurnedAway => sum(|usage| usage.shed + usage.limited),
            Usage::Expired => sum(|usage| usage.expired),
            Usage::Dropped => sum(|usage| usage.delayed + usage.abandoned),
            Usage::Offered => sum(|usage| {
                usage.jobs
                    + usage.refused
                    + usage.shed
                    + usage.limited
                    + usage.expired
                    + usage.delayed
                    + usage.abandoned
            }),
        })
    }

    /// What only a gauge knows.
    fn gauged(&self, spec: &MeasureSpec) -> Option<f64> {
        let gauge = self.gauge(spec.watched()?)?;
        match spec {
            MeasureSpec::Waited { stat, .. } => figure(*stat, gauge.wait_seconds(), |share| {
                Some(gauge.waits().quantile(share)? as f64 / 1e9)
            }),
            MeasureSpec::WaitedLonger { than, .. } => gauge.waited_longer(*than),
            MeasureSpec::Stayed { .. } => {
                let (nanoseconds, jobs) = gauge.stayed();
                (jobs > 0).then(|| nanoseconds as f64 / jobs as f64 / 1e9)
            }
            MeasureSpec::Present { stat, .. } => weighted(*stat, gauge.present()),
            MeasureSpec::PresentAtLeast { jobs, .. } => gauge.present_at_least(*jobs),
            MeasureSpec::Found { at_least, .. } => gauge.found_at_least(*at_least),
            _ => None,
        }
    }

    fn gauge(&self, node: NodeId) -> Option<&Gauge> {
        self.material.gauges.iter().find(|(known, _)| *known == node).map(|(_, gauge)| gauge)
    }
}

/// What a machine did in the measured phase.
fn spent(sample: &NodeSample, pick: fn(&MachineUse) -> u64) -> u64 {
    pick(&sample.until.1).saturating_sub(pick(&sample.before.1))
}
