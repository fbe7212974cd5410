//! Where measuring begins: as the scenario says, or where the runs show that they have settled.

use super::run::pilot;
use crate::engine::Time;
use crate::scenario::{Scenario, Variant};
use crate::stats::mser5;

/// From when on requests are measured in runs of a variant: as it says, or from an instant that was
/// found.
pub fn of(variant: &Variant, found: Time) -> Time {
    variant.phases.warmup.map_or(found, |warmup| Time(0) + warmup)
}

/// From when on requests are measured where variants do not say: the same for every variant and
/// seed, so that they stay comparable. MSER-5 is applied to the latencies of each variant's first
/// run, and the latest suggestion counts, up to half of the load.
pub fn measured_from(scenario: &Scenario, chosen: &[usize], seeds: &[u64]) -> Time {
    let is_open = |place: &&usize| scenario.variants[**place].phases.warmup.is_none();
    let chosen: Vec<&usize> = chosen.iter().filter(is_open).collect();
    let Some(&seed) = seeds.first() else { return Time(0) };
    let load = |place: &&usize| scenario.variants[**place].phases.load;
    let half = Time(0) + chosen.iter().map(load).min().unwrap_or_default() / 2;
    let suggestion = |variant: &usize| {
        let latencies = pilot(scenario, &scenario.variants[*variant], seed);
        let series: Vec<f64> = latencies.iter().map(|(_, latency)| *latency).collect();
        let cut = mser5(&series).observations;
        latencies.get(cut).map_or(Time(0), |(ended, _)| *ended)
    };
    chosen.into_iter().map(suggestion).max().unwrap_or(Time(0)).min(half)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Span;
    use crate::scenario::{load, source::Source};

    /// A queue at 95 % load that starts empty, with and without a stated warm-up.
    fn from(warmup: &str, seeds: &[u64]) -> Time {
        let text = r#"Scenario(
    title: "A queue that fills",
    run: (WARMUP load: "40s", quiet: "5s"),
    nodes: {
        "users": Client(target: "server", operation: "serve", load: Poisson(rate: "95/s")),
        "server": Service(machine: (workers: 1), operations: {"serve": (cost: Exponential(mean: "10ms"))}),
    },
    variants: [(name: "queue"), (name: "idle", set: {"nodes.users.load": "Constant(rate: \"10/s\")"})],
)"#;
        let text = text.replace("WARMUP", warmup);
        let scenario = load(&Source::new("queue.ron", text)).expect("it can be read");
        of(&scenario.variants[0], measured_from(&scenario, &[0, 1], seeds))
    }

    #[test]
    fn what_the_scenario_says_counts() {
        assert_eq!(from("warmup: \"3s\",", &[1]), Time(3 * Span::SECOND.0));
    }

    #[test]
    fn otherwise_the_runs_show_when_they_have_settled() {
        let starts: Vec<Time> = (1..=5).map(|seed| from("", &[seed])).collect();
        let half = Time(20 * Span::SECOND.0);
        assert!(starts.iter().all(|start| *start <= half), "at most half of the load is given up");
        assert!(starts.iter().any(|start| *start > Time(Span::SECOND.0)), "{starts:?}");
        assert_eq!(starts[0], from("", &[1, 2]), "the first seed decides");
        assert_eq!(from("", &[]), Time(0));
    }
}
