//! What the settings of a log promise holds under any faults that leave disks intact, and what they
//! do not promise does not hold for long.

mod common;

use common::measured;
use common::promises::{self, holds, schedule};
use proptest::prelude::*;
use stormglass::check::outcome::Outcome;

/// `TOPIC` and `PRODUCER` stand for settings, `FAULTS` for the faults. Sessions and lags are short,
/// so that a run of seconds has elections.
const TEXT: &str = r#"Scenario(
    title: "Promises",
    run: (load: "8s", quiet: "40s"),
    network: (latency: LogNormal(median: "1ms", p99: "5ms")),
    nodes: {
        "shop": Client(
            target: "producer", operation: "orders", load: Poisson(rate: "80/s"),
            keys: Uniform(objects: 20), policy: (timeout: "20s"),
        ),
        "producer": Producer(
            to: "kafka", request_timeout: "500ms", delivery_timeout: "15s", metadata_max_age: "2s",
            PRODUCER
        ),
        "kafka": Instances(of: LogBroker(
            controller: "controller", heartbeat: "200ms", replica_lag_max: "1s", cleaning: "500ms",
            topics: {"orders": (partitions: 2, TOPIC)},
        ), count: 3),
        "controller": LogController(session: "1s", rebalance: "3s"),
    },
    faults: {FAULTS},
    invariants: {"kept": LogKept(brokers: "kafka", topic: "orders")},
)"#;

fn run(topic: &str, producer: &str, faults: &str, seed: u64) -> Outcome {
    let text = TEXT.replace("TOPIC", topic).replace("PRODUCER", producer);
    promises::run(&text.replace("FAULTS", faults), seed)
}

/// Is an accepted record lost with some seed?
fn loses(topic: &str, producer: &str, faults: &str) -> bool {
    promises::breaks("kept", |seed| run(topic, producer, faults, seed))
}

/// The first broker is cut off from the others and from the controller.
const CUT_OFF: &str = r#""cut": (what: Partition(links: Between(["kafka/1"], ["kafka/2", "kafka/3", "controller"])), at: "2s", for: "4s")"#;
/// Two machines lose power, the second before the first has caught up.
const TWO: &str = r#""one": (what: Crash(node: "kafka/1", host: true), at: "2s", for: "4s"), "two": (what: Crash(node: "kafka/2", host: true), at: "3500ms", for: "2s"), "three": (what: Crash(node: "kafka/3", host: true), at: "3600ms", for: "2s")"#;
/// The followers are cut off, and then the leader goes.
const ALONE: &str = r#""cut": (what: Partition(links: Between(["kafka/1"], ["kafka/2", "kafka/3"])), at: "1s", for: "4s"), "crash": (what: Crash(node: "kafka/1"), at: "5s", for: "3s")"#;

#[test]
fn what_is_not_promised_is_sometimes_broken() {
    let all = "acks: All";
    // Who waits for the leader alone loses what it alone has.
    assert!(loses("flush: Every", "acks: Leader", CUT_OFF));
    assert!(!loses("flush: Every", all, CUT_OFF));
    // A replica leads that is not in sync.
    assert!(loses("flush: Every, unclean: true", all, ALONE));
    assert!(!loses("flush: Every", all, ALONE));
    // Two in sync do not help if it is the third that leads; all of them do.
    assert!(!loses("flush: Every, unclean: true, min_isr: 3", all, ALONE));
    // What is in page caches only goes with the power.
    assert!(loses("min_isr: 2", all, TWO));
    assert!(!loses("min_isr: 2, flush: Every", all, TWO));
    let one = r#""one": (what: Crash(node: "kafka/1", host: true), at: "3s", for: "2s")"#;
    assert!(!loses("min_isr: 2", all, one), "one machine alone is what the copies are for");
    // A disk takes with it what nobody else is known to have.
    let wiped = r#""cut": (what: Partition(links: Between(["kafka/1"], ["kafka/2", "kafka/3"])), at: "1s", for: "4s"), "crash": (what: Crash(node: "kafka/1", wipe: true), at: "5s", for: "1s")"#;
    assert!(loses("flush: Every", all, wiped));
}

#[test]
fn a_producer_that_is_not_idempotent_sometimes_writes_twice() {
    let pause = r#""pause": (what: Pause(node: "kafka/1"), at: "2s", for: "900ms")"#;
    let twice = |producer: &str| {
        let of = |seed| measured(&run("", producer, pause, seed), "consistency.records_twice");
        (1..=5).map(of).sum::<f64>()
    };
    assert!(twice("idempotent: false") > 0.0);
    assert_eq!(twice("idempotent: true"), 0.0);
}

/// Settings of a topic: replicas, how many of them must be in sync, and fields with commas.
fn topic() -> impl Strategy<Value = (u32, u32, String)> {
    let flush = prop_oneof![
        2 => Just("Every"), 1 => Just("Interval(every: \"500ms\")"), 1 => Just("Interval()"),
    ];
    let extras = prop_oneof![
        3 => Just(""),
        1 => Just("retention: (time: \"2s\", segment: \"2kB\"), "),
        1 => Just("retention: (size: \"8kB\", segment: \"2kB\"), "),
        1 => Just("cleanup: Compact, retention: (segment: \"1kB\"), "),
    ];
    let many = (1_u32..=3, 1_u32..=3, prop::bool::weighted(0.25), flush, extras);
    many.prop_map(|(replicas, min_isr, unclean, flush, extras)| {
        // Where there is only one, no other could lead.
        let unclean = unclean && replicas > 1;
        (replicas, min_isr.min(replicas), format!("unclean: {unclean}, flush: {flush}, {extras}"))
    })
}

fn producer() -> impl Strategy<Value = String> {
    let acks = prop_oneof![3 => Just("All"), 1 => Just("Leader"), 1 => Just("None")];
    let linger = prop_oneof![Just("0s"), Just("5ms"), Just("50ms")];
    let partitioner = prop_oneof![Just("Key"), Just("Sticky"), Just("RoundRobin")];
    (acks, any::<bool>(), 1_u32..=5, linger, partitioner).prop_map(
        |(acks, idempotent, in_flight, linger, partitioner)| {
            let idempotent = idempotent && acks == "All";
            format!(
                "acks: {acks}, idempotent: {idempotent}, in_flight: {in_flight}, \
                 linger: \"{linger}\", partitioner: {partitioner}"
            )
        },
    )
}

/// A schedule of faults that leave disks intact.
fn faults() -> impl Strategy<Value = String> {
    let node = prop_oneof![
        3 => Just("kafka/1"), 3 => Just("kafka/2"), 2 => Just("kafka/3"), 1 => Just("kafka"),
        1 => Just("controller"), 1 => Just("producer"),
    ];
    let what = |kind: u32, node: &str| match kind {
        0..=2 => format!("Crash(node: \"{node}\")"),
        3..=4 => format!("Crash(node: \"{node}\", host: true)"),
        5 => format!("Pause(node: \"{node}\")"),
        6 => "Partition(links: Between([\"kafka/1\"], [\"kafka/2\", \"controller\"]))".into(),
        7 => "Partition(links: Between([\"kafka/2\"], [\"kafka/1\", \"kafka/3\"]))".into(),
        8 => format!("Partition(links: Between([\"kafka\"], [\"{node}\"]))"),
        9 => "SyncFails(node: \"kafka/1\", rate: \"50 %\")".into(),
        10 => "SyncFails(node: \"controller\", rate: \"50 %\")".into(),
        11 => "DiskFull(node: \"kafka/2\")".into(),
        _ => "Loss(links: Around(\"kafka/1\"), rate: \"20 %\")".into(),
    };
    schedule((node, 0..13), what, (100..7_500, 50..3_000), 5)
}

proptest! {
    #![proptest_config(common::promises::cases(150))]

    #[test]
    fn what_is_promised_holds(
        topic in topic(),
        producer in producer(),
        faults in faults(),
        seed in any::<u64>(),
    ) {
        // Only who waits for all of them asks how many are in sync.
        let is_all = producer.contains("acks: All");
        let (replicas, min_isr, rest) = topic;
        let min_isr = if is_all { min_isr } else { 1 };
        let topic = format!("replicas: {replicas}, min_isr: {min_isr}, {rest}");
        let outcome = run(&topic, &producer, &faults, seed);
        holds(&outcome, |invariant| invariant == "logs-kept")?;
        let promised = outcome.findings.iter().any(|it| it.invariant == "logs-kept");
        let is_promised = topic.contains("unclean: false, flush: Every") && is_all;
        prop_assert_eq!(promised, is_promised);
        // Retries are recognised as long as the logs keep what the numbers are known by.
        if is_promised && producer.contains("idempotent: true") {
            prop_assert_eq!(measured(&outcome, "consistency.records_twice"), 0.0);
        }
    }
}
