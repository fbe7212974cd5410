//! The mechanics of topics and subscriptions, one by one, each on a handful of events that can be
//! checked by hand.
//!
//! The names of the tests carry the ids of the mechanics. Every way of a message takes 1 ms, the
//! broker needs no time and its disk half a millisecond, so an event that is published at 0 is
//! stored at 1.5 ms and is with its subscribers at 2.5 ms.

mod common;

use common::placed::{TEN, THREE, all, among, crash, of, shop, sound, text, to, us};
use common::{Record, at, measured, run};
use stormglass::engine::{Span, Time};

#[test]
fn ps_m1_whoever_publishes_knows_only_the_topic() {
    let one = shop(&[("SUBSCRIPTIONS", &all(&["mailer"]))]);
    let three = shop(&[("SUBSCRIPTIONS", &all(&THREE))]);
    let none = shop(&[]);
    for record in [&one, &three, &none] {
        let to_broker = record.passed("shop", "broker", false, "Sent");
        assert_eq!(to_broker, [at(0)], "one message, whoever listens");
        assert!(THREE.iter().all(|node| record.passed("shop", node, false, "Sent").is_empty()));
        assert_eq!(record.of("topic.published").len(), 1);
    }
    // Nobody subscribes, so there is nothing to store.
    assert_eq!(none.latencies(), [Span::from_millis(2)]);
    assert_eq!(one.latencies(), three.latencies(), "answered as soon, however many listen");
    sound(&one);
    sound(&three);
}

#[test]
fn ps_m1_a_service_publishes_with_a_call_of_the_topic() {
    let text = text(&[
        ("SUBSCRIPTIONS", &all(&THREE)),
        (
            "NODES",
            "\"orders\": Service(operations: {\"buy\": (cost: \"2ms\", calls: [(to: \"broker\", operation: \"orders.placed\")])}),",
        ),
    ]);
    let text = text.replace(
        "target: \"broker\", operation: \"orders.placed\"",
        "target: \"orders\", operation: \"buy\"",
    );
    let record = run(&text);
    assert_eq!(record.times("topic.published"), [us(4500)]);
    assert_eq!(record.latencies(), [Span::from_micros(6500)]);
    let root = record.of("request.started")[0].root;
    assert!(record.of("queue.processed").iter().all(|fact| fact.root == root));
    sound(&record);
}

#[test]
fn ps_m2_an_event_is_stored_once_and_then_all_get_it_at_one_instant() {
    let record = shop(&[("SUBSCRIPTIONS", &all(&THREE))]);
    assert_eq!(record.times("topic.stored"), [us(1500)], "one entry for all");
    assert_eq!(record.times("queue.accepted"), [us(1500); 3]);
    assert_eq!(record.latencies(), [Span::from_micros(2500)]);
    for node in THREE {
        assert_eq!(record.passed("broker", node, false, "Arrived"), [us(2500)], "{node}");
    }
    // One entry when it came, and one for each copy that has left.
    let disk = record.outcome.nodes.iter().find(|node| node.name == "broker").expect("it is there");
    assert_eq!(disk.disk_writes, 4);
    sound(&record);
}

#[test]
fn ps_m2_a_crash_of_the_broker_loses_what_each_subscriptions_persistence_says() {
    let down = "faults: {\"mailer\": (what: Crash(node: \"mailer\"), at: \"0s\", for: \"3s\"), \
        \"stock\": (what: Crash(node: \"stock\"), at: \"0s\", for: \"3s\"), \
        \"broker\": (what: Crash(node: \"broker\"), at: \"1s\", for: \"1s\")}";
    let kept = to("mailer", "", "") + &to("stock", "", "persistence: Off");
    let record = shop(&[TEN, ("SUBSCRIPTIONS", &kept), ("REST", down)]);
    let own = |name, what| among(&record, &["mailer", "stock"], name, what).len();
    assert_eq!((own("mailer", "queue.recovered"), own("stock", "queue.recovered")), (10, 0));
    assert_eq!((own("mailer", "queue.processed"), own("stock", "queue.processed")), (10, 0));
    assert_eq!(measured(&record.outcome, "consistency.messages_lost"), 10.0);
    sound(&record);
    // Lazily: written, and synced a little later, so that a crash right then loses it.
    let lazy = to("mailer", "", "persistence: Lazy");
    let early = crash("broker", "1600us", "1s");
    let record =
        shop(&[("SUBSCRIPTIONS", &lazy), ("BROKER", "disk: (sync: \"10ms\"),"), ("REST", &early)]);
    assert_eq!(record.times("topic.published"), [at(1)], "before it is durable");
    assert_eq!(record.of("queue.recovered").len(), 0);
    sound(&record);
}

#[test]
fn ps_m2_mirrors_bring_back_what_a_lost_disk_had() {
    let rest = "faults: {\"mailer\": (what: Crash(node: \"mailer\"), at: \"0s\", for: \"3s\"), \
        \"broker\": (what: Crash(node: \"broker\", wipe: true), at: \"1s\", for: \"1s\")}";
    let kept = to("mailer", "", "persistence: Mirrored") + &to("stock", "", "");
    let words = [
        TEN,
        ("SUBSCRIPTIONS", kept.as_str()),
        ("BROKER", "mirrors: [\"m\"],"),
        ("NODES", "\"m\": Broker(cost: \"0s\"),"),
        ("REST", rest),
    ];
    let record = shop(&words);
    // Half a millisecond for the disk here and there at once, and there and back again.
    assert_eq!(record.times("topic.published")[0], us(4500));
    assert_eq!(among(&record, &["mailer", "stock"], "mailer", "queue.processed").len(), 10);
    sound(&record);
}

#[test]
fn ps_m2_a_topic_recognises_what_is_published_again() {
    // The answer to the first try is late: the second publishes the same.
    let lost = "faults: {\"late\": (what: Latency(links: OneWay([\"broker\"], [\"shop\"]), add: \"150ms\"), at: \"0s\", for: \"50ms\")}";
    let again = (
        "CLIENT",
        "policy: (timeout: \"100ms\", retries: 3, backoff: (base: \"1ms\", max: \"1ms\"))",
    );
    let subscriptions = all(&["mailer", "stock"]);
    let words = [("SUBSCRIPTIONS", subscriptions.as_str()), again, ("REST", lost)];
    let twice = shop(&words);
    assert_eq!(twice.of("topic.published").len(), 2);
    assert_eq!(twice.of("queue.processed").len(), 4);
    let once = shop(&[&words[..], &[("TOPIC", "deduplication: \"1min\"")]].concat());
    assert_eq!(once.of("topic.published").len(), 1);
    assert_eq!(once.of("queue.processed").len(), 2);
    assert_eq!(measured(&once.outcome, "consistency.recognised"), 1.0);
    assert_eq!(once.latencies().len(), 1, "whoever published is told that it is there");
    sound(&once);
}

#[test]
fn ps_m2_fan_out_costs_the_broker_work_for_each_copy_and_bytes_for_each_delivery() {
    let payload = ("CLIENT", "payload: \"100KiB\"");
    let run = |nodes: &[&str]| {
        let work = "machine: (workers: 1), cost: \"1ms\", copy_cost: \"2ms\",";
        let text = text(&[("SUBSCRIPTIONS", &all(nodes)), payload]);
        common::run(&text.replace("cost: \"0s\", copy_cost: \"0s\",", work))
    };
    let (one, three) = (run(&["mailer"]), run(&THREE));
    // 1 ms for what came in and 2 for each copy.
    assert_eq!(one.times("topic.published"), [us(1000 + 3000 + 500)]);
    assert_eq!(three.times("topic.published"), [us(1000 + 7000 + 500)]);
    // Each copy that is handed out is a message of its own to the broker's one worker.
    let arrived = |node| three.passed("broker", node, false, "Arrived")[0];
    let mut arrivals = THREE.map(arrived);
    arrivals.sort();
    assert_eq!(arrivals, [us(10_500), us(11_500), us(12_500)]);
    let bytes = |record: &Record| measured(&record.outcome, "cost.bytes");
    let more = bytes(&three) - bytes(&one);
    assert!((2.0..2.01).contains(&(more / 102_400.0)), "two bodies more: {more}");
    assert_eq!(measured(&three.outcome, "cost.fan_out"), 3.0);
    assert_eq!(measured(&three.outcome, "cost.event_deliveries"), 3.0);
}

#[test]
fn ps_m2_a_subscription_without_room_keeps_an_event_from_all_unless_it_drops() {
    let busy = |overflow: &str| {
        let full = format!("in_flight_max: 1, length_max: 2, overflow: {overflow}");
        to("mailer", "", &full) + &to("stock", "", "")
    };
    let nodes = ["mailer", "stock"];
    let own = |record: &Record, name, what| among(record, &nodes, name, what).len();
    let rejects = shop(&[TEN, ("SUBSCRIPTIONS", &busy("Reject"))]);
    let given = own(&rejects, "stock", "queue.processed");
    assert_eq!(given, own(&rejects, "mailer", "queue.processed"), "none or all");
    assert_eq!(rejects.told(), vec!["overloaded"; 10 - given]);
    let drops = shop(&[TEN, ("SUBSCRIPTIONS", &busy("DropOldest"))]);
    assert_eq!(own(&drops, "stock", "queue.processed"), 10, "the others do not notice");
    assert_eq!(own(&drops, "mailer", "queue.dropped"), 7);
    let blocks = shop(&[TEN, ("SUBSCRIPTIONS", &busy("Block"))]);
    assert_eq!(own(&blocks, "mailer", "queue.processed"), 10);
    assert!(blocks.latencies().last() > drops.latencies().last(), "whoever publishes waits");
    for record in [rejects, drops, blocks] {
        sound(&record);
    }
}

/// Who publishes one event to each of three topics.
const TOPICS: [(&str, &str); 2] = [
    ("TOPICS", "\"orders.paid\": (), \"orders.paid.late\": (), \"stock.low\": ()"),
    (
        "NODES",
        "\"bank\": Client(target: \"broker\", operation: \"orders.paid\", load: At([\"1s\"])),
         \"clerk\": Client(target: \"broker\", operation: \"orders.paid.late\", load: At([\"2s\"])),
         \"buyer\": Client(target: \"broker\", operation: \"stock.low\", load: At([\"3s\"])),",
    ),
];

#[test]
fn ps_m3_patterns_choose_topics_level_by_level() {
    for (topics, seconds) in [
        ("\"orders.placed\"", &[0][..]),
        ("\"orders.*\"", &[0, 1]),
        ("\"orders.>\"", &[0, 1, 2]),
        ("\"*.low\"", &[3]),
        ("\"*.paid.*\"", &[2]),
        ("\">\"", &[0, 1, 2, 3]),
        // One that several patterns stand for comes once.
        ("[\"orders.paid\", \"*.paid\", \"stock.low\"]", &[1, 3]),
    ] {
        let subscription = to("mailer", "", "").replace("\"orders.placed\"", topics);
        let words = [&TOPICS[..], &[("SUBSCRIPTIONS", &subscription)]].concat();
        let record = shop(&words);
        // What nobody subscribes to is not stored, and not given to anybody.
        let accepted = record.times("queue.accepted");
        let expected: Vec<Time> =
            seconds.iter().map(|second| us(second * 1_000_000 + 1500)).collect();
        assert_eq!(accepted, expected, "{topics}");
        sound(&record);
    }
}

#[test]
fn ps_m4_a_durable_subscription_has_its_copies_however_long_its_consumer_is_away() {
    let down = crash("mailer", "0s", "9s");
    let record = shop(&[TEN, ("SUBSCRIPTIONS", &all(&THREE)), ("REST", &down)]);
    assert_eq!(of(&record, "mailer", "queue.processed").len(), 10);
    assert!(of(&record, "mailer", "queue.processed")[0] > at(9000));
    assert_eq!(*of(&record, "stock", "queue.processed").last().expect("ten"), us(14_000));
    assert_eq!(record.finding("subscriptions-complete").checked, 30);
    sound(&record);
}

const DEMANDED: &str =
    "invariants: {\"complete\": Complete(broker: \"broker\", subscription: \"mailer\")},";

#[test]
fn ps_m4_an_ephemeral_subscription_loses_what_comes_while_its_consumer_is_away() {
    let each_second = ("LOAD", "Constant(rate: \"1/s\")");
    let subscriptions = to("mailer", "durable: false,", "") + &to("stock", "", "");
    let away = crash("mailer", "2500ms", "3s") + "," + DEMANDED;
    let record = shop(&[each_second, ("SUBSCRIPTIONS", &subscriptions), ("REST", &away)]);
    let own = |name, what| among(&record, &["mailer", "stock"], name, what);
    let published = record.of("topic.published").len();
    assert_eq!(own("stock", "queue.processed").len(), published, "others do not notice");
    // What does not get through tells the broker, and is lost; so is what comes while it knows of
    // no connection. After a second it tries again: twice in vain.
    let (dropped, missed) =
        (own("mailer", "queue.dropped").len(), own("mailer", "topic.missed").len());
    assert!((dropped, missed) == (2, 2), "{dropped} {missed}");
    assert_eq!(own("mailer", "queue.processed").len(), published - 4);
    assert_eq!(measured(&record.outcome, "consistency.missed"), missed as f64);
    let found = record.finding("complete");
    assert_eq!((found.checked, found.violations), (published as u64, 4));
    let shares = measured(&record.outcome, "availability.seen_by_all");
    assert!((shares - (published - 4) as f64 / published as f64).abs() < 1e-9);
    // Nobody promised it.
    assert_eq!(record.finding("subscriptions-complete").violations, 0);
}

#[test]
fn ps_m4_an_ephemeral_subscription_is_gone_with_its_last_connection() {
    // One at work, nine that wait when the connection breaks.
    let one = to("mailer", "durable: false,", "in_flight_max: 1");
    let away = crash("mailer", "5ms", "1s");
    let record = shop(&[TEN, ("SUBSCRIPTIONS", &one), ("REST", &away)]);
    assert_eq!(record.of("queue.dropped").len(), 10);
    assert!(record.of("queue.dropped").iter().all(|fact| fact.value == 5));
    sound(&record);
    // One of two instances is enough to stay.
    let two = "Instances(of: Service(operations: {\"do\": (cost: \"10ms\")}), count: 2)";
    let subscription = to("stock", "durable: false,", "in_flight_max: 2");
    let words = [TEN, ("SUBSCRIPTIONS", &subscription), ("STOCK", two)];
    let record = shop(&[&words[..], &[("REST", &crash("stock/1", "5ms", "1s"))]].concat());
    assert_eq!(record.of("queue.dropped").len(), 0);
    assert_eq!(record.of("queue.processed").len(), 10);
    sound(&record);
    // A crash of the broker takes all that it had along.
    let slow = to("mailer", "durable: false,", "delay: \"1s\"") + &to("stock", "", "delay: \"1s\"");
    let record = shop(&[TEN, ("SUBSCRIPTIONS", &slow), ("REST", &crash("broker", "500ms", "1s"))]);
    assert_eq!(among(&record, &["mailer", "stock"], "mailer", "queue.processed").len(), 0);
    assert_eq!(among(&record, &["mailer", "stock"], "stock", "queue.processed").len(), 10);
    sound(&record);
}

#[test]
fn ps_m4_what_is_lost_while_the_broker_is_at_work_on_handing_it_out_is_not_handed_out() {
    let one = to("mailer", "durable: false,", "");
    let down = crash("mailer", "0s", "1s");
    let load = ("LOAD", "At([\"0s\", \"2500us\"])");
    let text = text(&[load, ("SUBSCRIPTIONS", &one), ("REST", &down)]);
    let record = run(&text.replace("cost: \"0s\", copy_cost", "cost: \"1ms\", copy_cost"));
    // The first is sent at 3 ms and comes back at 5; the second would be sent at 5.5.
    assert_eq!(record.times("queue.delivered"), [at(3)]);
    assert_eq!(record.times("queue.dropped"), [at(5); 2]);
    sound(&record);
}

#[test]
fn ps_m4_an_ephemeral_subscription_is_not_waited_for() {
    let both =
        shop(&[("SUBSCRIPTIONS", &(to("mailer", "durable: false,", "") + &all(&["stock"])))]);
    assert_eq!(both.times("queue.accepted"), [us(1500); 2], "stored for the durable one");
    let alone = shop(&[("SUBSCRIPTIONS", &to("mailer", "durable: false,", ""))]);
    assert_eq!(alone.times("queue.accepted"), [at(1)], "there is nothing to store");
    assert!(alone.of("topic.stored").is_empty());
}

#[test]
fn ps_m5_each_subscription_has_its_own_failures_redeliveries_and_dead_letters() {
    let broken = "Service(operations: {\"do\": (cost: \"1ms\", refuses: \"100 %\")})";
    let dead = to("stock", "", "deliveries_max: 3, dead: (to: \"dead\")");
    let text = text(&[TEN, ("SUBSCRIPTIONS", &(all(&["mailer"]) + &dead)), ("STOCK", broken)]);
    let record = run(&text.replace("topics: {", "queues: {\"dead\": ()}, topics: {"));
    // The queue is in the first place, the subscriptions follow by their hashes.
    assert_eq!(record.of("queue.dead").len(), 10);
    assert_eq!(record.of("queue.processed").len(), 10, "the other sees all of them");
    assert_eq!(record.of("queue.delivered").len(), 10 + 30);
    assert_eq!(measured(&record.outcome, "availability.seen_by_all"), 0.0);
    assert_eq!(measured(&record.outcome, "cost.event_deliveries"), 4.0);
    sound(&record);
}

#[test]
fn ps_m5_dead_letters_go_back_to_the_subscription_that_they_come_from() {
    let errors = "faults: {\"errors\": (what: Errors(node: \"stock\", operation: \"do\", rate: \"100 %\"), at: \"0s\", for: \"1s\")}";
    let dead = to("stock", "", "deliveries_max: 1, dead: (to: \"dead\", redrive: [\"2s\"])");
    let text = text(&[TEN, ("SUBSCRIPTIONS", &(all(&["mailer"]) + &dead)), ("REST", errors)]);
    let record = run(&text.replace("topics: {", "queues: {\"dead\": ()}, topics: {"));
    assert_eq!(record.of("queue.redriven").len(), 10);
    assert_eq!(record.of("queue.processed").len(), 20);
    sound(&record);
}

#[test]
fn ps_m5_each_subscription_has_its_own_pace() {
    let slow = "Service(machine: (workers: 1), operations: {\"do\": (cost: \"1s\")})";
    let record = shop(&[TEN, ("SUBSCRIPTIONS", &all(&THREE)), ("STOCK", slow)]);
    assert!(*of(&record, "stock", "queue.processed").last().expect("ten") > at(10_000));
    assert!(*of(&record, "mailer", "queue.processed").last().expect("ten") < at(20));
    assert!(*of(&record, "audit", "queue.processed").last().expect("ten") < at(30));
    // From the first of three to the last of them.
    assert!(measured(&record.outcome, "latency.spread_p99") > 9.9);
    sound(&record);
}

#[test]
fn ps_m5_a_consumer_that_asks_for_messages_names_the_subscription() {
    let pulled = "\"mailer\": (topics: \"orders.placed\"), ".to_owned() + &all(&["stock"]);
    let fetcher = "\"fetcher\": Consumer(from: \"broker\", queue: \"mailer\", to: \"mailer\", operation: \"do\", concurrency: 3),";
    let record = shop(&[TEN, ("SUBSCRIPTIONS", &pulled), ("NODES", fetcher)]);
    assert_eq!(record.of("queue.processed").len(), 20);
    assert_eq!(record.passed("fetcher", "mailer", false, "Arrived").len(), 10);
    sound(&record);
}

#[test]
fn ps_m6_one_event_triggers_many_actions_at_once() {
    let record = shop(&[("SUBSCRIPTIONS", &all(&THREE))]);
    for (node, work) in [("mailer", 10_000), ("stock", 10_000), ("audit", 20_000)] {
        // There and back, and the work in between; none waits for another.
        assert_eq!(of(&record, node, "queue.processed"), [us(1500 + 2000 + work)], "{node}");
    }
    let metric = |name| measured(&record.outcome, name);
    assert!((metric("latency.effects_mean") - 0.0235).abs() < 1e-4);
    assert!((metric("latency.spread_mean") - 0.010).abs() < 1e-4);
    assert_eq!(metric("availability.seen_by_all"), 1.0);
    assert_eq!(metric("complexity.event_depth"), 1.0);
}

#[test]
fn ps_m6_an_event_may_lead_to_another() {
    let stock = "Service(operations: {\"do\": (cost: \"10ms\", calls: [(to: \"broker\", operation: \"stock.low\")])})";
    let low = to("audit", "", "").replace("orders.placed", "stock.low");
    let subscriptions = all(&["mailer", "stock"]) + &low;
    let record = shop(&[
        ("SUBSCRIPTIONS", &subscriptions),
        ("STOCK", stock),
        ("TOPICS", "\"stock.low\": ()"),
    ]);
    assert_eq!(record.of("topic.published").len(), 2);
    assert_eq!(measured(&record.outcome, "complexity.event_depth"), 2.0);
    assert_eq!(measured(&record.outcome, "cost.fan_out"), 1.5);
    let roots: Vec<u32> = record.of("queue.processed").iter().map(|fact| fact.root).collect();
    assert!(roots.len() == 3 && roots.iter().all(|root| *root == roots[0]), "one operation");
    sound(&record);
}

#[test]
fn ps_m7_subscriptions_come_and_go_and_whoever_publishes_does_not_notice() {
    let each_second = ("LOAD", "Constant(rate: \"1/s\")");
    let always = all(&["mailer"]);
    let passing = always.clone() + &to("stock", "from: \"3s\", until: \"6s\",", "");
    let before = shop(&[each_second, ("SUBSCRIPTIONS", &always)]);
    let record = shop(&[each_second, ("SUBSCRIPTIONS", &passing)]);
    assert_eq!(before.latencies(), record.latencies());
    assert_eq!(
        before.passed("shop", "broker", false, "Sent"),
        record.passed("shop", "broker", false, "Sent")
    );
    // It begins with the latest: what was published before is not kept for it.
    let got = among(&record, &["mailer", "stock"], "stock", "queue.accepted");
    assert_eq!(got.len(), 3, "{got:?}");
    assert!(got.iter().all(|at_| *at_ >= at(3000) && *at_ < at(6000)));
    sound(&record);
}

#[test]
fn ps_m7_what_a_subscription_has_when_it_ends_is_thrown_away() {
    let slow = "Service(machine: (workers: 1), operations: {\"do\": (cost: \"1s\")})";
    let ends = to("stock", "until: \"4s\",", "in_flight_max: 1");
    let record = shop(&[TEN, ("SUBSCRIPTIONS", &ends), ("STOCK", slow)]);
    assert_eq!(record.of("queue.processed").len(), 3);
    assert_eq!(record.times("queue.dropped"), [at(4000); 7]);
    assert!(record.of("queue.dropped").iter().all(|fact| fact.value == 6));
    sound(&record);
    // It stays away after a crash of the broker.
    let record = shop(&[
        TEN,
        ("SUBSCRIPTIONS", &ends),
        ("STOCK", slow),
        ("REST", &crash("broker", "5s", "1s")),
    ]);
    assert!(record.of("queue.recovered").is_empty());
    sound(&record);
    // If it ends while the broker is down, it has ended when the broker is back.
    let record = shop(&[
        TEN,
        ("SUBSCRIPTIONS", &ends),
        ("STOCK", slow),
        ("REST", &crash("broker", "3500ms", "1s")),
    ]);
    assert_eq!(record.times("queue.dropped"), [at(4500); 7]);
    assert_eq!(record.of("queue.delivered").len(), 4);
    sound(&record);
}

/// Twenty events about twenty objects of value 0 to 19, of two classes.
const TWENTY: [(&str, &str); 2] = [
    ("LOAD", "Constant(rate: \"100/s\")"),
    (
        "CLIENT",
        "keys: Uniform(objects: 20), value: (0, 19), classes: [(name: \"low\"), (name: \"high\", weight: 3)]",
    ),
];

/// What a subscription with this filter gets of many events, as a share of those published.
fn through(filter: &str) -> (Record, f64) {
    let settings = format!("filter: ({filter}),");
    let subscription = to("mailer", &settings, "");
    let words = [&TWENTY[..], &[("SUBSCRIPTIONS", subscription.as_str())]].concat();
    let record = shop(&words);
    sound(&record);
    let (got, all) = (record.of("queue.accepted").len(), record.of("topic.published").len());
    assert_eq!(got + record.of("topic.filtered").len(), all);
    assert_eq!(measured(&record.outcome, "cost.filtered"), (all - got) as f64);
    let share = got as f64 / all as f64;
    (record, share)
}

#[test]
fn ps_m8_filters_are_evaluated_at_the_broker() {
    for (filter, expected) in [
        ("", 1.0),
        ("keys: Between(0, 4)", 0.25),
        ("keys: Modulo(divisor: 4, remainders: [1, 3])", 0.5),
        ("values: (10, 19)", 0.5),
        ("classes: [\"high\"]", 0.75),
        ("classes: [\"low\", \"high\"]", 1.0),
        ("share: \"30 %\"", 0.3),
        // All that is said must be so.
        ("keys: Between(0, 9), values: (0, 9)", 0.25),
    ] {
        let (record, share) = through(filter);
        assert!((share - expected).abs() < 0.05, "{filter}: {share}");
        let arrived = record.passed("broker", "mailer", false, "Arrived").len();
        assert_eq!(arrived, record.of("queue.accepted").len(), "what is left out is not sent");
    }
}

#[test]
fn ps_m8_filters_cost_the_broker_work_and_save_bytes() {
    let filtered = to("mailer", "filter: (keys: Between(0, 0)),", "");
    let payload = ("CLIENT", "payload: \"100KiB\", keys: Uniform(objects: 1000000)");
    let text = text(&[("SUBSCRIPTIONS", &(filtered + &all(&["stock"]))), payload]);
    let record = run(&text.replace("filter_cost: \"0s\",", "filter_cost: \"3ms\","));
    assert_eq!(record.times("topic.published"), [us(1000 + 3000 + 500)]);
    assert!(record.passed("broker", "mailer", false, "Sent").is_empty());
    let bytes = measured(&record.outcome, "cost.bytes");
    assert!((2.0..2.01).contains(&(bytes / 102_400.0)), "there and to one of two: {bytes}");
}
