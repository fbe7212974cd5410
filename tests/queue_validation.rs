//! Queues and outboxes against results that are known: drain times, redelivery, dead letters,
//! duplicates, the lag of events, batches.

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
fn the_last_of_eight_subscribers_is_as_late_as_order_statistics_say() {
    reproduces("b09_fan_out.ron");
}

#[test]
fn events_wait_for_the_poll_and_for_their_batch() {
    reproduces("b02_projection_lag.ron");
}

#[test]
fn what_nobody_hears_of_is_repeated_as_the_geometric_distribution_says() {
    reproduces("v09_at_least_once.ron");
}

#[test]
fn messages_come_back_while_they_are_processed_and_batches_as_a_whole() {
    reproduces("v10_redelivery.ron");
}

#[test]
fn dead_letters_are_as_many_as_the_geometric_distribution_says() {
    reproduces("v11_dead_letters.ron");
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
