//! A shop that publishes its orders to a topic: the scenario of the tests of topics.

use super::{Record, Seen, run};
use stormglass::engine::{Name, Span, Time};

/// A shop that publishes what becomes of orders. `LOAD` stands for when, `CLIENT` for more of the
/// client, `TOPICS` for the topics, `SUBSCRIPTIONS` for who subscribes, `BROKER` for more of the
/// broker, `NODES` and `REST` for more of all.
const SHOP: &str = r#"Scenario(
    title: "A shop that tells of its orders",
    run: (load: "10s", quiet: "20s"),
    network: (latency: "1ms"),
    nodes: {
        "shop": Client(target: "broker", operation: "orders.placed", load: LOAD, CLIENT),
        "broker": Broker(
            cost: "0s", copy_cost: "0s", filter_cost: "0s", BROKER
            topics: {"orders.placed": (TOPIC), TOPICS},
            subscriptions: {SUBSCRIPTIONS},
        ),
        "mailer": Service(operations: {"do": (cost: "10ms")}),
        "stock": STOCK,
        "audit": Service(operations: {"do": (cost: "20ms")}),
        NODES
    },
    REST
)"#;

const PLACES: [&str; 9] =
    ["LOAD", "CLIENT", "BROKER", "TOPICS", "TOPIC", "SUBSCRIPTIONS", "STOCK", "NODES", "REST"];

/// The shop with these words in their places.
pub fn text(words: &[(&str, &str)]) -> String {
    PLACES.iter().fold(SHOP.to_owned(), |text, place| {
        let otherwise = match *place {
            "LOAD" => "At([\"0s\"])",
            "STOCK" => "Service(operations: {\"do\": (cost: \"10ms\")})",
            _ => "",
        };
        let word = words.iter().find(|(known, _)| known == place);
        text.replace(place, word.map_or(otherwise, |(_, word)| word))
    })
}

pub fn shop(words: &[(&str, &str)]) -> Record {
    run(&text(words))
}

/// A subscription to all orders that hands them to this node, with these settings of it and of its
/// queue.
pub fn to(node: &str, settings: &str, queue: &str) -> String {
    format!(
        "\"{node}\": (topics: \"orders.placed\", {settings} queue: (consumers: [(to: \"{node}\", \
         operation: \"do\")], {queue})), "
    )
}

/// Subscriptions of these nodes to all orders.
pub fn all(nodes: &[&str]) -> String {
    nodes.iter().map(|node| to(node, "", "")).collect()
}

pub const THREE: [&str; 3] = ["mailer", "stock", "audit"];

/// When this subscription, one of three, noted this.
pub fn of(record: &Record, subscription: &str, what: &str) -> Vec<Time> {
    among(record, &THREE, subscription, what)
}

/// When this subscription, one of these, noted this.
pub fn among(record: &Record, all: &[&str], subscription: &str, what: &str) -> Vec<Time> {
    let mut places: Vec<(Name, &str)> = all.iter().map(|name| (Name::of(name), *name)).collect();
    places.sort();
    let place = places.iter().position(|(_, name)| *name == subscription).expect("it is one");
    let own = |fact: &&&Seen| fact.key >> 48 == place as u64;
    record.of(what).iter().filter(own).map(|fact| fact.at).collect()
}

/// What every run promises whatever its settings are.
pub fn sound(record: &Record) {
    for found in &record.outcome.findings {
        assert_eq!(found.violations, 0, "{}: {:?}", found.invariant, found.first);
    }
    assert!(record.finding("queues-accounted").checked > 0);
}

/// The instant so many microseconds after the start.
pub fn us(count: u64) -> Time {
    Time(0) + Span::from_micros(count)
}

/// Ten events at once.
pub const TEN: (&str, &str) = ("LOAD", "At([\"0s\"]), batch: 10");

pub fn crash(node: &str, at: &str, lasts: &str) -> String {
    format!(
        "faults: {{\"crash\": (what: Crash(node: \"{node}\"), at: \"{at}\", for: \"{lasts}\")}}"
    )
}
