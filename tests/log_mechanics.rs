//! The mechanics of log mode, one by one, each on a handful of records that can be checked by hand.
//!
//! The names of the tests carry the id of the mechanic. Every way of a message takes 1 ms, brokers
//! and controller need no time, and a disk that is waited for half a millisecond.

mod common;

use common::{Record, at, ms, run};

/// A shop that publishes orders to a cluster of three brokers. `LOAD` stands for when it does,
/// `PRODUCER`, `TOPIC`, `BROKER` and `CONTROLLER` for settings, `NODES` and `REST` for more.
const SHOP: &str = r#"Scenario(
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
fn text(words: &[(&str, &str)]) -> String {
    let places = ["LOAD", "POLICY", "PRODUCER", "BROKER", "TOPIC", "CONTROLLER", "NODES", "REST"];
    places.iter().fold(SHOP.to_owned(), |text, place| {
        let otherwise = if *place == "LOAD" { "At([\"1s\"])" } else { "" };
        let word = words.iter().find(|(known, _)| known == place);
        text.replace(place, word.map_or(otherwise, |(_, word)| word))
    })
}

fn shop(words: &[(&str, &str)]) -> Record {
    run(&text(words))
}

/// The offsets of these facts, in order.
fn offsets(record: &Record, what: &str) -> Vec<u64> {
    record.of(what).iter().map(|fact| fact.key & 0xff_ffff_ffff).collect()
}

/// A leader that is away from 10 s to 30 s, with its host.
const CRASH: (&str, &str) = (
    "REST",
    "faults: {\"crash\": (what: Crash(node: \"kafka/1\", host: true), at: \"10s\", for: \"20s\")}",
);

#[test]
fn ps_m9_a_record_is_accepted_when_all_in_sync_replicas_have_it() {
    let record = shop(&[("LOAD", "At([\"1s\", \"2s\"])")]);
    assert_eq!(offsets(&record, "log.accepted"), [0, 1]);
    // 1 ms to the producer and 1 ms to the leader; its followers wait for the record, and ask for
    // the next when they have it, which is 2 ms; and 2 ms back.
    assert_eq!(record.latencies()[1], ms(6));
    // The first had to learn who leads, and to get a number under which it is recognised.
    assert_eq!(record.latencies()[0], ms(14));
}

#[test]
fn ps_m9_another_replica_leads_when_the_leader_is_gone() {
    let record = shop(&[("LOAD", "Constant(rate: \"5/s\")"), CRASH]);
    let leaders: Vec<&str> = record.of("log.led").iter().map(|fact| fact.node.as_str()).collect();
    assert_eq!(leaders, ["kafka/1", "kafka/2"]);
    assert!(record.told().is_empty(), "the producer tries until somebody leads");
    assert_eq!(record.values("log.isr"), [3], "the old leader is back in sync");
    assert_eq!(record.of("log.accepted").len(), 300);
    let _ = at(0);
}
