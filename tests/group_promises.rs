//! What a consumer group's settings promise holds under any faults, and what they do not promise
//! does not hold for long.

mod common;

use common::promises::{self, holds, schedule};
use proptest::prelude::*;
use stormglass::check::outcome::Outcome;

/// `READER` stands in what the readers are, `SEND` in what the tracker does, `FAULTS` for the
/// faults. All three invariants are looked at, promised or not. Sessions are short, so that a run
/// has many.
const TEXT: &str = r#"Scenario(
    title: "Promises of groups",
    run: (load: "20s", quiet: "60s"),
    network: (latency: LogNormal(median: "1ms", p99: "5ms")),
    nodes: {
        "couriers": Client(
            target: "producer", operation: "scans", load: Poisson(rate: "40/s"), keys: Uniform(objects: 30),
            policy: (timeout: "10s"),
        ),
        "producer": Producer(to: "kafka"),
        "kafka": Instances(of: LogBroker(
            controller: "controller", heartbeat: "200ms", group_delay: "500ms",
            offsets: (partitions: 2, min_isr: 2, flush: Every),
            topics: {"scans": (partitions: 5, min_isr: 2, flush: Every)},
        ), count: 3),
        "controller": LogController(session: "1s"),
        "reader": Instances(of: GroupConsumer(
            from: "kafka", group: "tracking", topics: ["scans"], to: "tracker", operation: "note", policy: (timeout: "2s"),
            start: Earliest, heartbeat: "100ms", poll_interval_max: "5s", wait: "200ms",
            READER
        ), count: 3),
        "tracker": Service(operations: {"note": (SEND)}),
    },
    faults: {FAULTS},
    invariants: {
        "at-least-once": GroupAtLeastOnce(brokers: "kafka", group: "tracking"),
        "at-most-once": GroupAtMostOnce(brokers: "kafka", group: "tracking"),
        "in-order": GroupInOrder(brokers: "kafka", group: "tracking"),
    },
)"#;

const SEND: &str = "cost: Exponential(mean: \"30ms\"), refuses: \"10 %\"";

fn run(reader: &str, faults: &str, seed: u64) -> Outcome {
    let text = TEXT.replace("READER", reader).replace("SEND", SEND).replace("FAULTS", faults);
    promises::run(&text, seed)
}

/// Is it broken by some seed?
fn breaks(reader: &str, faults: &str, invariant: &str) -> bool {
    promises::breaks(invariant, |seed| run(reader, faults, seed))
}

const CRASH: &str = r#""crash": (what: Crash(node: "reader/1"), at: "8s", for: "2s")"#;
/// Longer than its session: others read what it has, and then it goes on where it was.
const FREEZE: &str = r#""freeze": (what: Pause(node: "reader/1"), at: "8s", for: "3s")"#;

#[test]
fn what_is_not_promised_is_sometimes_broken() {
    for sharing in ["Eager", "Cooperative"] {
        let first = format!(
            "commit: BeforeProcessing, failures: (tries: 1), sharing: {sharing}, session: \"1s\""
        );
        assert!(breaks(&first, CRASH, "at-least-once"), "{sharing}");
        let after = format!("commit: AfterProcessing, sharing: {sharing}, session: \"1s\"");
        assert!(breaks(&after, CRASH, "at-most-once"), "{sharing}");
        assert!(breaks(&after, FREEZE, "at-most-once"), "{sharing}");
        assert!(!breaks(&first, CRASH, "at-most-once"), "{sharing}");
        assert!(!breaks(&after, FREEZE, "at-least-once"), "{sharing}");
    }
    // Who was put out goes on with a batch of which others have read what comes after it.
    let first = "commit: BeforeProcessing, failures: (tries: 1), session: \"1s\"";
    assert!(breaks(first, FREEZE, "in-order"));
}

/// Settings of the readers: fields with commas.
fn reader() -> impl Strategy<Value = String> {
    let commit = prop_oneof![
        2 => Just("AfterProcessing"),
        1 => Just("BeforeProcessing"),
        1 => Just("Every(\"300ms\")"),
    ];
    let sharing = prop_oneof![Just("Eager"), Just("Cooperative")];
    let failures = prop_oneof![
        2 => Just(""),
        2 => Just("failures: (tries: 1), "),
        1 => Just("failures: (tries: 3, backoff: (base: \"10ms\")), "),
    ];
    // So many as are done within a poll interval: a group that gets more comes no further.
    let batch = prop_oneof![Just(1), Just(10), Just(60)];
    let many = (commit, sharing, failures, batch, 300_u64..3_000, 1_u32..4, any::<bool>());
    many.prop_map(|(commit, sharing, failures, batch, session, concurrency, is_static)| {
        format!(
            "commit: {commit}, sharing: {sharing}, batch: {batch}, session: \"{session}ms\", \
             concurrency: {concurrency}, static_membership: {is_static}, {failures}"
        )
    })
}

/// A schedule of faults that leave disks intact.
fn faults() -> impl Strategy<Value = String> {
    let node = prop_oneof![
        3 => Just("reader/1"), 2 => Just("reader/2"), 1 => Just("tracker"), 1 => Just("kafka/1"),
        1 => Just("kafka/2"), 1 => Just("kafka/3"), 1 => Just("controller"),
    ];
    let what = |kind: u32, node: &str| match kind {
        0..=2 => format!("Crash(node: \"{node}\")"),
        3 => format!("Crash(node: \"{node}\", host: true)"),
        4..=5 => format!("Pause(node: \"{node}\")"),
        6 => "RollingRestart(node: \"reader\", unavailable: 1)".to_owned(),
        7 => format!("Partition(links: Around(\"{node}\"))"),
        _ => format!("Slow(node: \"{node}\", factor: \"10x\")"),
    };
    schedule((node, 0..9), what, (1_000..18_000, 50..4_000), 4)
}

proptest! {
    #![proptest_config(common::promises::cases(150))]

    #[test]
    fn what_is_promised_holds(reader in reader(), faults in faults(), seed in any::<u64>()) {
        let outcome = run(&reader, &faults, seed);
        holds(&outcome, |invariant| invariant.starts_with("groups-"))?;
        // Once all is well, everything that was accepted is read.
        let waits = common::measured(&outcome, "consistency.unprocessed");
        if !reader.contains("BeforeProcessing") && !reader.contains("tries") {
            let lost = common::measured(&outcome, "consistency.messages_lost");
            prop_assert_eq!(waits, 0.0, "{} lost", lost);
        }
    }
}
