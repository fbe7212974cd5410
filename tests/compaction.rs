//! Logs on small disks: what counts no more is left out, and a crash at any time loses nothing.
//!
//! A message takes 96 bytes of a broker's log, and that it has left 64 more.

mod common;

use common::orders::text;
use common::{Record, measured, record, run, scenario};

/// A shop that publishes a hundred messages a second to a broker with little room. `QUEUE` stands
/// in the queue, `BROKER` in the broker, `NODES` and `REST` for more.
const SHOP: &str = r#"Scenario(
    title: "A small disk",
    run: (load: "20s", quiet: "60s"),
    network: (latency: "1ms"),
    nodes: {
        "shop": Client(target: "broker", operation: "mail", load: Constant(rate: "100/s"), policy: (timeout: "500ms", retries: 20)),
        "broker": Broker(cost: "0s", disk: (sync: "1ms", capacity: "8kB"), BROKER queues: {
            "mail": (consumers: [(to: "mailer", operation: "send", reconnect: "10ms")], QUEUE),
        }),
        "mailer": Service(operations: {"send": (cost: "10ms")}),
        NODES
    },
    REST
)"#;

fn shop(words: &[(&str, &str)]) -> String {
    let places = ["BROKER", "QUEUE", "NODES", "REST"];
    places.iter().fold(SHOP.to_owned(), |text, place| {
        let word = words.iter().find(|(known, _)| known == place).map_or("", |(_, word)| word);
        text.replace(place, word)
    })
}

/// Entries that a disk did not take.
fn disk_errors(record: &Record) -> u64 {
    let found = record.outcome.measures.iter().find(|one| one.id == "availability.disk_errors");
    found.and_then(|one| one.value).unwrap_or_default() as u64
}

/// Nothing that is promised is broken.
fn sound(record: &Record) {
    for found in &record.outcome.findings {
        assert_eq!(found.violations, 0, "{}: {:?}", found.invariant, found.first);
    }
}

#[test]
fn a_broker_does_not_fill_its_disk_with_what_has_left() {
    let record = run(&shop(&[]));
    sound(&record);
    assert_eq!(record.of("queue.processed").len(), 1_999, "320 kB have passed through 8");
    assert_eq!(disk_errors(&record), 0);
    assert_eq!(measured(&record.outcome, "consistency.unprocessed"), 0.0);
}

#[test]
fn a_broker_that_crashes_again_and_again_loses_nothing_that_its_log_has_left_out() {
    let crashes = r#"faults: {"crash": (what: Crash(node: "broker"), mttf: Exponential(mean: "300ms"), mttr: Exponential(mean: "20ms"))}"#;
    let mirrors = r#""one": Broker(cost: "0s", disk: (capacity: "8kB")), "two": Broker(cost: "0s", disk: (capacity: "8kB")),"#;
    for (queue, broker, nodes) in [
        ("", "", ""),
        ("deduplication: \"200ms\"", "", ""),
        ("deliveries_max: 9, remembers_deliveries: true", "", ""),
        ("persistence: Mirrored", r#"mirrors: ["one", "two"],"#, mirrors),
    ] {
        let words = [("QUEUE", queue), ("BROKER", broker), ("NODES", nodes), ("REST", crashes)];
        let scenario = scenario(&shop(&words));
        for seed in 1..=5 {
            let record = record(&scenario, &scenario.variants[0], seed);
            sound(&record);
            assert!(record.of("node.crashed").len() > 30, "{queue}");
            assert!(record.of("queue.processed").len() > 1_500, "{queue}");
        }
    }
}

/// The same shop, whose mails are events of a topic with two subscriptions, of which one looks at
/// what it takes. `TOPIC` and `SUBSCRIPTION` stand for settings.
fn topic(topic: &str, subscription: &str, words: &[(&str, &str)]) -> String {
    let (before, rest) = SHOP.split_once("queues: {").expect("it has queues");
    let (_, after) = rest.split_once("        }),").expect("they end");
    let to = "consumers: [(to: \"mailer\", operation: \"send\", reconnect: \"10ms\")]";
    let topics = format!(
        "topics: {{\"mail\": ({topic})}}, subscriptions: {{
            \"all\": (topics: \"mail\", queue: ({to}, {subscription})),
            \"some\": (topics: \"mail\", filter: (share: \"50 %\"), queue: ({to}, {subscription})),
        }}),"
    );
    let text = format!("{before}{topics}{after}");
    ["BROKER", "NODES", "REST"].iter().fold(text, |text, place| {
        let word = words.iter().find(|(known, _)| known == place).map_or("", |(_, word)| word);
        text.replace(place, word)
    })
}

#[test]
fn a_broker_does_not_fill_its_disk_with_events_that_all_subscriptions_are_done_with() {
    let record = run(&topic("", "", &[]));
    sound(&record);
    let processed = record.of("queue.processed").len();
    assert!((2_900..3_100).contains(&processed), "half as many again: {processed}");
    assert_eq!(
        (disk_errors(&record), measured(&record.outcome, "consistency.unprocessed")),
        (0, 0.0)
    );
}

#[test]
fn a_broker_of_topics_that_crashes_again_and_again_loses_nothing_that_its_log_has_left_out() {
    let crashes = r#"faults: {"crash": (what: Crash(node: "broker"), mttf: Exponential(mean: "300ms"), mttr: Exponential(mean: "20ms"))}"#;
    let mirrors = r#""one": Broker(cost: "0s", disk: (capacity: "8kB")), "two": Broker(cost: "0s", disk: (capacity: "8kB")),"#;
    for (of_topic, subscription, broker, nodes) in [
        ("", "", "", ""),
        ("deduplication: \"200ms\"", "", "", ""),
        ("", "deliveries_max: 9, remembers_deliveries: true", "", ""),
        ("", "persistence: Mirrored", r#"mirrors: ["one", "two"],"#, mirrors),
    ] {
        let words = [("BROKER", broker), ("NODES", nodes), ("REST", crashes)];
        let scenario = scenario(&topic(of_topic, subscription, &words));
        for seed in 1..=5 {
            let record = record(&scenario, &scenario.variants[0], seed);
            sound(&record);
            assert!(record.of("node.crashed").len() > 30, "{of_topic}{subscription}");
            assert!(record.of("queue.processed").len() > 2_000, "{of_topic}{subscription}");
        }
    }
}

#[test]
fn a_broker_whose_disk_was_full_of_what_waits_takes_in_again_when_that_has_left() {
    let rest = r#"faults: {"down": (what: Crash(node: "mailer"), at: "5s", for: "5s")}"#;
    let record = run(&shop(&[("REST", rest)]));
    sound(&record);
    assert!(disk_errors(&record) > 0, "8 kB hold 85 messages");
    let taken = record.of("queue.accepted");
    let after = taken.iter().filter(|fact| fact.at > common::at(11_000)).count();
    assert!(after >= 890, "{after} in the last nine seconds");
    assert_eq!(measured(&record.outcome, "consistency.unprocessed"), 0.0);
}

#[test]
fn a_compacted_log_still_recognises_what_was_published_before() {
    // Whoever publishes hears nothing for a while and publishes again and again.
    let rest = r#"faults: {
        "deaf": (what: Loss(links: OneWay(["broker"], ["shop"]), rate: "100 %"), at: "10s", for: "100ms"),
        "crash": (what: Crash(node: "broker"), at: "10110ms", for: "20ms"),
    }"#;
    let datagrams = |queue: &str| {
        let text = shop(&[("QUEUE", queue), ("REST", rest)]);
        // The log holds the window: fifty messages.
        let text = text.replace("timeout: \"500ms\"", "timeout: \"100ms\"").replace("8kB", "16kB");
        run(&text.replace("latency: \"1ms\"", "latency: \"1ms\", transport: Datagram"))
    };
    let (known, unknown) = (datagrams("deduplication: \"500ms\""), datagrams(""));
    sound(&known);
    let again = known.of("queue.duplicate").len();
    assert!(again >= 5, "{again}");
    assert_eq!(known.of("queue.accepted").len(), 1_999);
    assert!(unknown.of("queue.accepted").len() >= 2_004);
    assert_eq!(disk_errors(&known), 0);
}

#[test]
fn a_mirror_brings_back_what_a_lost_disk_had_and_nothing_that_has_left() {
    let nodes = r#""one": Broker(cost: "0s", disk: (capacity: "8kB")), "two": Broker(cost: "0s", disk: (capacity: "8kB")),"#;
    let broker = r#"mirrors: ["one", "two"],"#;
    let crash = |how: &str| {
        let rest = format!(
            r#"faults: {{"crash": (what: Crash(node: "broker"{how}), at: "15s", for: "100ms")}}"#
        );
        let queue = "persistence: Mirrored";
        run(&shop(&[("QUEUE", queue), ("BROKER", broker), ("NODES", nodes), ("REST", &rest)]))
    };
    for record in [crash(""), crash(", wipe: true")] {
        sound(&record);
        assert_eq!(measured(&record.outcome, "consistency.messages_lost"), 0.0);
        assert!(record.of("queue.recovered").len() < 20, "those that were on their way");
        assert_eq!(disk_errors(&record), 0);
    }
}

#[test]
fn a_relay_that_tails_the_log_keeps_its_place_on_a_small_disk() {
    let relay = r#""relay": Outbox(store: "shop-db", to: "broker", fetch: Tail(), disk: (capacity: "640B")),"#;
    let publishes = r#"publishes: (event: "placed", by: Outbox)"#;
    let rest = r#"faults: {"crash": (what: Crash(node: "relay"), at: "4s", for: "100ms")}"#;
    let text = text(&[("PUBLISHES", publishes), ("RELAY", relay), ("REST", rest)]);
    let record = run(&text.replace("rate: \"1/s\"", "rate: \"20/s\""));
    sound(&record);
    let published = record.values("outbox.published");
    assert!(published.len() > 100, "ten offsets fit, and there are as many as events");
    assert!(published.is_sorted(), "it does not begin again: {published:?}");
    assert_eq!(disk_errors(&record), 0);
}

#[test]
fn a_sagas_log_keeps_the_beginning_and_the_end_of_those_that_are_over() {
    let text = |capacity: &str, fault: &str| {
        format!(
            r#"Scenario(
    title: "Trips",
    run: (load: "10s", quiet: "60s"),
    network: (latency: "1ms"),
    nodes: {{
        "user": Client(target: "trips", operation: "book", load: Constant(rate: "10/s")),
        "trips": Saga(disk: (capacity: "{capacity}"), steps: [
            (service: "hotel", action: "stay", compensation: "unstay"),
            (service: "flight", action: "fly", compensation: "unfly"),
            (service: "car", action: "drive", compensation: "undrive"),
        ]),
        "hotel": Service(store: "db", operations: {{"stay": (transfer: (from: "rooms", to: "stays")), "unstay": (undoes: "stay")}}),
        "flight": Service(store: "db", operations: {{"fly": (transfer: (from: "seats", to: "flights")), "unfly": (undoes: "fly")}}),
        "car": Service(store: "db", operations: {{"drive": (transfer: (from: "cars", to: "drives")), "undrive": (undoes: "drive")}}),
        "db": Store(accounts: [(name: "rooms", balance: 60), (name: "seats", balance: 60), (name: "cars", balance: 50), (name: "stays", balance: 0), (name: "flights", balance: 0), (name: "drives", balance: 0)]),
    }},
    {fault}
    invariants: {{"atomic": Atomic(accounts: [(store: "db", account: "stays"), (store: "db", account: "flights"), (store: "db", account: "drives")])}},
)"#
        )
    };
    // A hundred sagas of five entries and more are 40 kB; of two each they are 13.
    let crash = r#"faults: {"crash": (what: Crash(node: "trips"), mttf: Exponential(mean: "500ms"), mttr: "5ms")},"#;
    for fault in ["", crash] {
        let record = run(&text("16kB", fault));
        sound(&record);
        assert_eq!(record.sum("drives"), 50, "{fault}");
        assert_eq!(disk_errors(&record), 0, "{fault}");
    }
    let full = run(&text("4kB", ""));
    assert!(disk_errors(&full) > 0, "what is over is still known");
}

/// A mirror whose disk is full cannot write down that copies have left; it has messages of its own
/// with the same numbers.
#[test]
fn what_a_full_mirror_could_not_write_down_takes_away_no_message_of_its_own() {
    let record = run(r#"Scenario(
    title: "A mirror that is full",
    run: (load: "20s", quiet: "60s"),
    network: (latency: "1ms"),
    nodes: {
        "shop": Client(target: "one", operation: "mail", load: Constant(rate: "20/s"), policy: (timeout: "500ms")),
        "other": Client(target: "two", operation: "post", load: Constant(rate: "20/s"), policy: (timeout: "500ms")),
        "one": Broker(cost: "0s", mirrors: ["two"], queues: {
            "mail": (consumers: [(to: "mailer", operation: "send", reconnect: "10ms")], persistence: Mirrored),
        }),
        "two": Broker(cost: "0s", disk: (sync: "1ms", capacity: "12kB"), queues: {
            "post": (consumers: [(to: "postman", operation: "send", reconnect: "10ms")]),
        }),
        "mailer": Service(operations: {"send": (cost: "10ms")}),
        "postman": Service(operations: {"send": (cost: "10ms")}),
    },
    faults: {
        "no mailer": (what: Crash(node: "mailer"), at: "100ms", for: "7s"),
        "no postman": (what: Crash(node: "postman"), at: "100ms", for: "12s"),
        "crash": (what: Crash(node: "two"), at: "10s", for: "100ms"),
    },
)"#);
    assert!(disk_errors(&record) > 0);
    sound(&record);
}

#[test]
fn a_broker_of_logs_gives_back_what_retention_has_taken() {
    let text = |cleanup: &str, faults: &str| {
        format!(
            r#"Scenario(
    title: "A small disk for a long log",
    run: (load: "60s", quiet: "60s"),
    network: (latency: "1ms"),
    nodes: {{
        "shop": Client(target: "producer", operation: "orders", load: Constant(rate: "100/s"), keys: Uniform(objects: 50), policy: (timeout: "30s")),
        "producer": Producer(to: "kafka"),
        "kafka": Instances(of: LogBroker(
            controller: "controller", cleaning: "500ms", heartbeat: "200ms",
            disk: (capacity: "400kB"),
            topics: {{"orders": (partitions: 2, flush: Every, {cleanup})}},
            offsets: (partitions: 1, segment: "16kB"),
        ), count: 3),
        "controller": LogController(session: "1s"),
        "reader": GroupConsumer(from: "kafka", group: "g", topics: ["orders"], start: Earliest, to: "w", operation: "do", policy: (timeout: "5s")),
        "w": Service(operations: {{"do": (cost: "1ms")}}),
    }},
    faults: {{{faults}}},
)"#
        )
    };
    let crashes = r#"
        "one": (what: Crash(node: "kafka/1", host: true), at: "20s", for: "3s"),
        "two": (what: Crash(node: "kafka/2"), at: "30s", for: "100ms"),
        "three": (what: Crash(node: "kafka/3", host: true), at: "40s", for: "3s"),"#;
    let deletes = r#"retention: (time: "4s", roll: "1s")"#;
    let compacts = r#"cleanup: Compact, retention: (roll: "1s")"#;
    for (cleanup, faults) in
        [(deletes, ""), (deletes, crashes), (compacts, ""), (compacts, crashes)]
    {
        let record = run(&text(cleanup, faults));
        sound(&record);
        assert_eq!(disk_errors(&record), 0, "more than 1 MB has passed through 400 kB: {cleanup}");
        let accepted = record.of("log.accepted").iter().filter(|fact| fact.root != 0).count();
        assert_eq!(accepted, 5_999, "{cleanup}");
        assert_eq!(measured(&record.outcome, "consistency.records_lost"), 0.0, "{cleanup}");
        if cleanup == deletes && faults.is_empty() {
            // Nothing had gone before the reader had it; while nobody leads it does.
            assert_eq!(measured(&record.outcome, "consistency.unprocessed"), 0.0, "{faults}");
        }
    }
}
