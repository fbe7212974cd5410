//! Queues simulated through ordinary scenario files agree with the theory of queues.
//!
//! Each mean is estimated from independent replications, and theory must lie within the runs' own
//! 95 % interval. An interval of that kind misses once in twenty by its nature, so the seeds are
//! fixed: ten for each case, the first ten, not chosen.

#![expect(clippy::disallowed_methods, reason = "a test may ask the platform for a logarithm")]

use std::path::Path;

use stormglass::check::outcome::{Study, VariantStudy};
use stormglass::explore::{Plan, Silent, study};
use stormglass::scenario::{load, source::Source};
use stormglass::stats::Estimate;

const SEEDS: std::ops::RangeInclusive<u64> = 1..=10;

fn run(name: &str) -> Study {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/validation").join(name);
    let source = Source::read(&path).expect("the scenario is there");
    let scenario = load(&source).expect("the scenario can be read");
    study(&scenario, &Plan { seeds: SEEDS.collect(), variants: vec![], jobs: 0 }, &Silent)
}

/// A metric's values over the seeds.
fn values(variant: &VariantStudy, id: &str) -> Vec<f64> {
    let value = |measures: &[stormglass::check::outcome::Measure]| {
        measures.iter().find(|one| one.id == id).and_then(|one| one.value).expect("it is measured")
    };
    variant.runs.iter().map(|run| value(&run.measures)).collect()
}

/// Theory lies within the interval, and the interval is narrow enough to mean something.
fn agrees(variant: &VariantStudy, id: &str, theory: f64) {
    let estimate = Estimate::of(&values(variant, id)).expect("there are runs");
    let half_width = estimate.half_width.expect("there are several runs");
    let found = format!("{} {id}: {} ±{half_width}, theory {theory}", variant.name, estimate.mean);
    assert!((estimate.mean - theory).abs() <= half_width, "{found}");
    assert!(half_width < 0.1 * theory, "too wide to mean anything: {found}");
}

#[test]
fn one_worker_is_an_m_m_1_queue() {
    let study = run("mm1.ron");
    let queue = &study.variants[0];
    let (arrivals, services) = (80.0, 100.0);
    let mean = 1.0 / (services - arrivals);
    agrees(queue, "latency.mean", mean);
    // The sojourn is exponential, so its quantiles are known too.
    agrees(queue, "latency.p50", mean * 2_f64.ln());
    agrees(queue, "latency.p99", mean * 100_f64.ln());
    agrees(queue, "saturation.utilisation", arrivals / services);
}

/// The probability of waiting for one of `workers` at `load` erlangs (Erlang's C formula), by the
/// recursion for his B formula.
fn erlang_c(workers: u32, load: f64) -> f64 {
    let mut blocked = 1.0;
    for servers in 1..=workers {
        blocked = load * blocked / (f64::from(servers) + load * blocked);
    }
    let utilisation = load / f64::from(workers);
    blocked / (1.0 - utilisation * (1.0 - blocked))
}

#[test]
fn ten_workers_are_an_m_m_c_queue() {
    let study = run("mmc.ron");
    let (workers, arrivals, service) = (10, 800.0, 0.010);
    let load = arrivals * service;
    let wait = erlang_c(workers, load) * service / (f64::from(workers) - load);
    agrees(&study.variants[0], "latency.mean", service + wait);
    agrees(&study.variants[0], "saturation.utilisation", load / f64::from(workers));
}

#[test]
fn a_worker_whose_times_vary_is_an_m_g_1_queue() {
    let study = run("mg1.ron");
    let (arrivals, service) = (70.0, 0.010);
    let utilisation = arrivals * service;
    for (variant, cv) in study.variants.iter().zip([0.0, 2.0]) {
        // Pollaczek and Khinchine.
        let wait = utilisation * service * (1.0 + cv * cv) / (2.0 * (1.0 - utilisation));
        agrees(variant, "latency.mean", service + wait);
        agrees(variant, "saturation.utilisation", utilisation);
    }
}
