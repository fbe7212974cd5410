//! Settings of queues and consumers that only show when something else happens: a broker that
//! crashes, a mirror that is away, an answer that is lost, instances that come and go.
//!
//! Every way of a message takes 1 ms, the broker needs no time and its disk half a millisecond.

mod common;

use common::mails::text;
use common::{Record, at, run};

fn shop(words: &[(&str, &str)]) -> Record {
    run(&text(words))
}

/// What every run promises whatever its settings are.
fn sound(record: &Record) {
    for found in &record.outcome.findings {
        assert_eq!(found.violations, 0, "{}: {:?}", found.invariant, found.first);
    }
}

/// A message that nobody can process comes back after a second, and the broker crashes in between,
/// again and again.
fn poisoned(queue: &str, more: &[(&str, &str)]) -> Record {
    let queue = format!(
        "{queue} dead: (to: \"dead\"), redelivery: (base: \"1s\", growth: Fixed, jitter: None)"
    );
    let faults = r#"faults: {"crash": (what: Crash(node: "broker"), at: "500ms", for: "10ms", every: "1s")}"#;
    let mailer = r#"Service(operations: {"send": (cost: "10ms", refuses: "100 %")})"#;
    let words = [("QUEUE", queue.as_str()), ("CONSUMER", mailer), ("REST", faults)];
    shop(&[&words, more].concat())
}

#[test]
fn p2p_m7_a_broker_that_remembers_deliveries_limits_them_across_its_crashes() {
    let record = poisoned("deliveries_max: 3, remembers_deliveries: true,", &[]);
    assert_eq!(record.values("queue.delivered"), [1, 2, 3]);
    assert_eq!(record.of("queue.dead").len(), 1);
    sound(&record);
    let forgets = poisoned("deliveries_max: 3,", &[]);
    assert!(forgets.of("queue.delivered").len() > 10, "it begins anew with every crash");
    let dead = forgets.times("queue.dead");
    assert!(dead[0] > at(10_000), "when the load is over nobody crashes any more: {dead:?}");
    sound(&forgets);
}

#[test]
fn p2p_m7_products_that_remember_deliveries_do_so_by_their_presets() {
    let three = |preset: &str| format!("preset: {preset}, deliveries_max: 3,");
    for preset in ["SqsStandard", "SqsFifo", "NatsJetStream"] {
        let record = poisoned(&three(preset), &[]);
        assert_eq!(record.values("queue.delivered"), [1, 2, 3], "{preset}");
        sound(&record);
    }
    let broker = ("BROKER", r#"mirrors: ["one", "two"],"#);
    let nodes = ("NODES", r#""one": Broker(cost: "0s"), "two": Broker(cost: "0s"),"#);
    let quorum = poisoned(&three("RabbitMqQuorum"), &[broker, nodes]);
    assert_eq!(quorum.values("queue.delivered"), [1, 2, 3]);
    for preset in ["RabbitMqClassic", "PubSub"] {
        let record = poisoned(&three(preset), &[]);
        assert!(record.of("queue.delivered").len() > 3, "{preset}");
    }
}

#[test]
fn p2p_m7_a_delivery_during_which_the_broker_crashes_counts() {
    // Each time the message is with its consumer when the broker crashes.
    let queue = "deliveries_max: 3, remembers_deliveries: true, dead: (to: \"dead\")";
    let slow = r#"Service(operations: {"send": (cost: "10s")})"#;
    let faults = r#"faults: {"crash": (what: Crash(node: "broker"), at: "500ms", for: "10ms", every: "1s")}"#;
    let record = shop(&[("QUEUE", queue), ("CONSUMER", slow), ("REST", faults)]);
    assert_eq!(record.values("queue.delivered"), [1, 2, 3]);
    assert_eq!(record.of("queue.dead").len(), 1, "it is not handed out a fourth time");
    sound(&record);
}

#[test]
fn p2p_m7_a_delivery_that_never_was_does_not_count_after_a_crash_either() {
    // There is nobody at first: the connection is refused, again and again.
    let queue = "deliveries_max: 3, remembers_deliveries: true, dead: (to: \"dead\")";
    let faults = r#"faults: {
        "away": (what: Crash(node: "mailer"), at: "0s", for: "6s"),
        "crash": (what: Crash(node: "broker"), at: "500ms", for: "10ms", every: "1s"),
    }"#;
    let record = shop(&[("QUEUE", queue), ("REST", faults)]);
    assert!(record.of("queue.delivered").len() > 3);
    assert_eq!((record.of("queue.processed").len(), record.of("queue.dead").len()), (1, 0));
    sound(&record);
}

const MIRRORS: (&str, &str) = (
    "NODES",
    r#""one": Broker(cost: "0s"), "two": Broker(cost: "0s"), "three": Broker(cost: "0s"),"#,
);

/// A message for a broker with three mirrors, of which so many must have it.
fn mirrored(copies: &str, rest: &str) -> Record {
    let broker = format!(r#"mirrors: ["one", "two", "three"], {copies}"#);
    // By then the broker has heard of its mirrors that they keep nothing for it.
    let load = ("LOAD", "At([\"500ms\"])");
    let words = [load, ("BROKER", broker.as_str()), ("QUEUE", "persistence: Mirrored"), MIRRORS];
    shop(&[&words[..], &[("REST", rest)]].concat())
}

#[test]
fn p2p_m5_a_message_waits_for_as_many_mirrors_as_copies_says() {
    // The second mirror is 10 ms away, the third 100 ms: there and back twice as much.
    let far = r#"faults: {
        "two": (what: Latency(links: Between(["broker"], ["two"]), add: "9ms"), at: "0s"),
        "three": (what: Latency(links: Between(["broker"], ["three"]), add: "99ms"), at: "0s"),
    }"#;
    // It comes after 1 ms; a mirror's disk takes half a millisecond.
    for (copies, after) in [("copies: 1,", 3_500), ("copies: 2,", 21_500), ("copies: 3,", 201_500)]
    {
        let record = mirrored(copies, far);
        let accepted = record.times("queue.accepted")[0];
        assert_eq!((accepted - at(500)).0, after * 1_000, "{copies}");
        sound(&record);
    }
    // A majority of the four that there are with the broker is three: itself and two mirrors.
    assert_eq!(
        mirrored("", far).times("queue.accepted"),
        mirrored("copies: 2,", far).times("queue.accepted")
    );
}

#[test]
fn p2p_m5_too_few_mirrors_for_the_copies_take_nothing_in() {
    let down = r#"faults: {"three": (what: Crash(node: "three"), at: "400ms", for: "5s")}"#;
    let all = mirrored("copies: 3,", down);
    assert_eq!((all.told(), all.of("queue.accepted").len()), (vec!["timeout"], 0));
    let two = mirrored("copies: 2,", down);
    assert_eq!((two.told(), two.of("queue.processed").len()), (vec![], 1));
}

#[test]
fn p2p_m5_the_more_copies_there_are_the_fewer_mirrors_a_broker_without_disk_needs() {
    // Its consumer is away, its disk is lost, and so are two of the mirrors, for a while.
    let lost = r#"budgets: [], faults: {
        "mailer": (what: Crash(node: "mailer"), at: "0s", for: "9s"),
        "broker": (what: Crash(node: "broker", wipe: true), at: "1s", for: "1s"),
        "two": (what: Crash(node: "two"), at: "1s", for: "5s"),
        "three": (what: Crash(node: "three"), at: "1s", for: "5s"),
    }"#;
    for (copies, opens) in [("copies: 3,", 2_002), ("copies: 1,", 6_002)] {
        let record = mirrored(copies, lost);
        let opened = record.times("queue.opened");
        let again = opened.into_iter().find(|when| *when > at(1_500)).expect("it opens again");
        assert!(at(opens) <= again && again < at(opens + 1_200), "{copies} {again:?}");
        assert_eq!(record.of("queue.processed").len(), 1, "{copies}");
        sound(&record);
    }
}

#[test]
fn p2p_m5_a_consumer_tells_what_became_of_a_message_as_its_policy_says() {
    // The acknowledgement is sent at 13.5 ms, and lost.
    let lost = r#"faults: {"lost": (what: Loss(links: OneWay(["fetcher"], ["broker"]), rate: "100 %"), at: "10ms", for: "30ms")}"#;
    let told = |telling: &str| {
        let fetcher = format!(
            r#""fetcher": Consumer(from: "broker", queue: "mail", to: "mailer", operation: "send", wait: "1s", {telling}),"#
        );
        let datagram = ("NETWORK", ", transport: Datagram");
        let words = [("NODES", fetcher.as_str()), ("QUEUE", "visibility: \"5s\""), datagram];
        let text = text(&[&words[..], &[("REST", lost)]].concat());
        run(&text.replace("consumers: [(to: \"mailer\", operation: \"send\")],", ""))
    };
    let once = told("");
    assert_eq!(once.values("queue.delivered"), [1, 2], "it comes back after its visibility");
    let again =
        told("telling: (timeout: \"20ms\", retries: 3, backoff: (base: \"5ms\", jitter: None)),");
    assert_eq!(again.values("queue.delivered"), [1]);
    let processed = again.times("queue.processed")[0];
    assert!(at(40) < processed && processed < at(100), "{processed:?}");
    sound(&once);
    sound(&again);
}

/// A hundred messages at once for one mailer of four there may be; it takes 100 ms for each.
fn scaled(prefetch: &str, faults: &str) -> Record {
    let load = ("LOAD", "At([\"0s\"]), batch: 100");
    let mailers =
        "Instances(count: 1, max: 4, of: Service(operations: {\"send\": (cost: \"100ms\")}))";
    let rest = format!("faults: {{{faults}}}");
    shop(&[load, ("PREFETCH", prefetch), ("CONSUMER", mailers), ("REST", &rest)])
}

/// When messages came to an instance of the mailer.
fn came(record: &Record, instance: &str) -> Vec<stormglass::engine::Time> {
    record.passed("broker", instance, false, "Arrived")
}

#[test]
fn p2p_m4_prefetch_is_of_each_instance_and_new_ones_have_theirs() {
    let out = r#""out": (what: Scale(node: "mailer", to: 3), at: "1s")"#;
    let record = scaled(", prefetch: 2", out);
    sound(&record);
    assert_eq!(record.of("queue.processed").len(), 100);
    for instance in ["mailer/2", "mailer/3"] {
        let came = came(&record, instance);
        let first = came.first().expect("it has messages");
        assert!(at(1_000) < *first && *first < at(2_100), "{instance} has them {first:?}");
        let within = |when: &&stormglass::engine::Time| **when < *first + common::ms(90);
        assert_eq!(came.iter().filter(within).count(), 2, "{instance}: two at once");
    }
    // Two at a time for a second or two, then six.
    let last = *record.times("queue.processed").last().expect("all are processed");
    assert!(last < at(3_300), "{last:?}");
    assert!(*scaled(", prefetch: 2", "").times("queue.processed").last().unwrap() > at(5_000));
}

#[test]
fn p2p_m4_who_is_scaled_in_finishes_what_it_has_and_gets_no_more() {
    let r#in = r#""in": (what: Scale(node: "mailer", to: 3), at: "0s", for: "1s")"#;
    let record = scaled(", prefetch: 2", r#in);
    sound(&record);
    assert_eq!(record.values("queue.delivered"), [1; 100], "none was handed out twice");
    assert_eq!(record.of("queue.processed").len(), 100);
    for instance in ["mailer/2", "mailer/3"] {
        let came = came(&record, instance);
        assert!(came.len() > 10, "{instance} had its share");
        assert!(came.iter().all(|when| *when < at(1_102)), "{instance}: {came:?}");
    }
}

#[test]
fn p2p_m6_instances_that_come_find_messages_that_wait_although_nobody_publishes() {
    // All there are stop; when others start, nothing else happens.
    let away = r#""none": (what: Stop(node: "mailer"), at: "1s", for: "5s")"#;
    let record = scaled(", prefetch: 1", away);
    sound(&record);
    assert_eq!(record.of("queue.processed").len(), 100);
}
