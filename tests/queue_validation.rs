//! Queues against results that are known: drain times, redelivery while a message is processed,
//! dead letters, lost acknowledgements, batches.

mod common;

use std::path::Path;

use common::{measured, scenario};
use stormglass::engine::Time;
use stormglass::explore::{Effort, Silent, reproduce, simulate};
use stormglass::scenario::{load, source::Source};

fn near(found: f64, expected: f64, tolerance: f64) {
    let off = (found - expected).abs();
    assert!(off <= tolerance, "{found} instead of {expected} ± {tolerance}");
}

/// The metrics of one run of the first variant.
fn metrics(text: &str, names: &[&str]) -> Vec<f64> {
    let scenario = scenario(text);
    let outcome = simulate(&scenario, &scenario.variants[0], 1, Time(0));
    for found in &outcome.findings {
        assert_eq!(found.violations, 0, "{}: {:?}", found.invariant, found.first);
    }
    names.iter().map(|name| measured(&outcome, name)).collect()
}

/// A case of validation agrees with what was published.
fn reproduces(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/validation").join(name);
    let scenario = load(&Source::read(&path).expect("it is there")).expect("it can be read");
    let case = scenario.validates.clone().expect("it is a case");
    let found = reproduce(&scenario, &case, Effort { is_quick: true, jobs: 0 }, &Silent);
    assert!(found.agrees(), "{found:#?}");
}

#[test]
fn a_backlog_drains_as_the_fluid_balance_says() {
    reproduces("b01_drain.ron");
}

#[test]
fn dead_letters_are_as_many_as_the_geometric_distribution_says() {
    reproduces("v11_dead_letters.ron");
}

#[test]
fn the_last_of_eight_subscribers_is_as_late_as_order_statistics_say() {
    reproduces("b09_fan_out.ron");
}

/// Source: derived. A message is hidden for V = 30 s and takes exponential time with mean s = 20 s;
/// every consumer deletes it when it is done. The i-th redelivery happens if none of the i before
/// is done: P = exp(-(V/s) i(i+1)/2), so 0.2231 are delivered again and 1.2344 deliveries a
/// message.
#[test]
fn messages_are_redelivered_while_they_are_processed_as_the_exponential_says() {
    let found = metrics(
        r#"Scenario(
    title: "Redelivery while processing",
    run: (load: "20000s", quiet: "1000s"),
    network: (latency: "0s"),
    nodes: {
        "shop": Client(target: "broker", operation: "jobs", load: Poisson(rate: "2/s")),
        "broker": Broker(cost: "0s", disk: (sync: "0s"), queues: {
            "jobs": (visibility: "30s", late_acks: true),
        }),
        "fetcher": Consumer(from: "broker", queue: "jobs", to: "worker", operation: "do", concurrency: 100000),
        "worker": Service(operations: {"do": (cost: Exponential(mean: "20s"))}),
    },
)"#,
        &["cost.deliveries", "consistency.unprocessed", "consistency.repeated"],
    );
    near(found[0], 1.2344, 0.012);
    assert_eq!(found[1], 0.0);
    assert!(found[2] > 0.0, "the others are done in vain");
}

/// Source: geometric. Acknowledgements that are lost with q = 0.1 make 1/(1 - q) deliveries a
/// message.
#[test]
fn lost_acknowledgements_make_duplicates_as_the_geometric_distribution_says() {
    let found = metrics(
        r#"Scenario(
    title: "Lost acknowledgements",
    run: (load: "1000s", quiet: "60s"),
    network: (latency: "1ms", transport: Datagram),
    nodes: {
        "shop": Client(target: "broker", operation: "jobs", load: Constant(rate: "100/s")),
        "broker": Broker(cost: "0s", queues: {
            "jobs": (consumers: [(to: "worker", operation: "do")], visibility: "1s"),
        }),
        "worker": Service(operations: {"do": (cost: "1ms")}),
    },
    faults: {"lossy": (what: Loss(links: OneWay(["worker"], ["broker"]), rate: "10 %"), at: "0s")},
)"#,
        &["cost.deliveries", "consistency.unprocessed"],
    );
    near(found[0], 1.1111, 0.0056);
    assert_eq!(found[1], 0.0, "none is lost");
}

/// Source: D. Gross and C. M. Harris, "Fundamentals of Queueing Theory": a bulk queue of Poisson
/// batches of b = 5 has E[N] = ρ(b + 1)/(2(1 - ρ)) = 4.5 at ρ = 0.6, so 7.5 s a message.
#[test]
fn batches_that_are_published_together_wait_as_in_a_bulk_queue() {
    let text = r#"Scenario(
    title: "Batches",
    run: (load: "1000000s"),
    network: (latency: "0s"),
    events_max: 100000000,
    nodes: {
        "shop": Client(target: "broker", operation: "jobs", load: Poisson(rate: "0.12/s"), batch: 5),
        "broker": Broker(cost: "0s", disk: (sync: "0s"), queues: {
            "jobs": (consumers: [(to: "worker", operation: "do", prefetch: 1)], visibility: "1000s"),
        }),
        "worker": Service(machine: (workers: 1), operations: {"do": (cost: Exponential(mean: "1s"))}),
    },
)"#;
    let scenario = scenario(text);
    let outcome = simulate(&scenario, &scenario.variants[0], 1, Time(0));
    // By Little's law, from the mean number in the queue.
    near(measured(&outcome, "saturation.depth_mean") / 0.6, 7.5, 0.19);
}
