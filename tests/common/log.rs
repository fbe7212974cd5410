//! A shop that publishes orders to a cluster of three log brokers, for the tests of logs.

use super::{Record, measured, run};

/// A shop that publishes orders to a cluster of three brokers. `LOAD` stands for when it does,
/// `PRODUCER`, `TOPIC`, `BROKER` and `CONTROLLER` for settings, `NODES` and `REST` for more.
pub const SHOP: &str = r#"Scenario(
    title: "A shop that writes orders into a log",
    run: (load: "60s", quiet: "60s"),
    network: (latency: "1ms"),
    nodes: {
        "shop": Client(target: "producer", operation: "orders", load: LOAD, policy: (POLICY)),
        "producer": Producer(to: "kafka", linger: "0s", PRODUCER),
        "kafka": Instances(of: LogBroker(
            controller: "controller",
            cost: "0s", record_cost: "0s",
            BROKER
            topics: {"orders": (partitions: 1, TOPIC)},
        ), count: 3),
        "controller": LogController(cost: "0s", CONTROLLER),
        NODES
    },
    REST
)"#;

/// The shop with these words in their places.
pub fn text(words: &[(&str, &str)]) -> String {
    let places = ["LOAD", "POLICY", "PRODUCER", "BROKER", "TOPIC", "CONTROLLER", "NODES", "REST"];
    places.iter().fold(SHOP.to_owned(), |text, place| {
        let otherwise = if *place == "LOAD" { "At([\"1s\"])" } else { "" };
        let word = words.iter().find(|(known, _)| known == place);
        text.replace(place, word.map_or(otherwise, |(_, word)| word))
    })
}

pub fn shop(words: &[(&str, &str)]) -> Record {
    run(&text(words))
}

/// The offsets of these facts, in order.
pub fn offsets(record: &Record, what: &str) -> Vec<u64> {
    record.of(what).iter().map(|fact| fact.key & 0xff_ffff_ffff).collect()
}

/// The same offsets of these facts as of these.
pub fn values(record: &Record, what: &str) -> Vec<u64> {
    record.of(what).iter().map(|fact| fact.value as u64).collect()
}

/// Who has led, in order.
pub fn leaders(record: &Record) -> Vec<&str> {
    record.of("log.led").iter().map(|fact| fact.node.as_str()).collect()
}

/// The operations whose records the leaders have written, in order.
pub fn roots(record: &Record) -> Vec<u32> {
    record.of("log.appended").iter().map(|fact| fact.root).collect()
}

/// What every run promises, and what is looked at without being promised.
pub const KEPT: &str = "invariants: {\"kept\": LogKept(brokers: \"kafka\", topic: \"orders\")},";

pub fn lost(record: &Record) -> u64 {
    let kept = record.finding("kept");
    assert!(kept.checked > 0);
    assert_eq!(measured(&record.outcome, "consistency.records_lost"), kept.violations as f64);
    kept.violations
}

/// These faults, and the invariant that no record is lost.
pub fn faults(faults: &str) -> String {
    format!("faults: {{{faults}}}, {KEPT}")
}

pub const STEADY: (&str, &str) = ("LOAD", "Constant(rate: \"5/s\")");
/// The leader is away from 10 s to 30 s, process or host.
pub const CRASH: &str = r#""crash": (what: Crash(node: "kafka/1"), at: "10s", for: "20s")"#;
pub const HOST: &str =
    r#""crash": (what: Crash(node: "kafka/1", host: true), at: "10s", for: "20s")"#;
pub const LONG: &str = r#""crash": (what: Crash(node: "kafka/1"), at: "10s", for: "40s")"#;
/// The leader is cut off from all but its producer, from 10 s to 40 s.
pub const CUT_OFF: &str = r#""cut": (what: Partition(links: Between(["kafka/1"], ["kafka/2", "kafka/3", "controller"])), at: "10s", for: "30s")"#;
