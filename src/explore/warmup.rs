//! Where measuring begins: as the scenario says, or where the runs show that they have settled.

use super::run::pilot;
use crate::engine::Time;
use crate::scenario::Scenario;
use crate::stats::mser5;

/// From when on requests are measured: the same for every variant and seed, so that they stay
/// comparable. Where the scenario does not say, MSER-5 is applied to the latencies of each
/// variant's first run, and the latest suggestion counts, up to half of the load.
pub fn measured_from(scenario: &Scenario, chosen: &[usize], seeds: &[u64]) -> Time {
    if let Some(warmup) = scenario.phases.warmup {
        return Time(0) + warmup;
    }
    let Some(&seed) = seeds.first() else { return Time(0) };
    let half = Time(0) + scenario.phases.load / 2;
    let suggestion = |variant: &usize| {
        let latencies = pilot(scenario, &scenario.variants[*variant], seed);
        let series: Vec<f64> = latencies.iter().map(|(_, latency)| *latency).collect();
        let cut = mser5(&series).observations;
        latencies.get(cut).map_or(Time(0), |(ended, _)| *ended)
    };
    chosen.iter().map(suggestion).max().unwrap_or(Time(0)).min(half)
}
