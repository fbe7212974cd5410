//! The mechanics of log mode, one by one, each on a handful of records that can be checked by hand:
//! what producers do, and what settings cannot be.
//!
//! The names of the tests carry the id of the mechanic. Every way of a message takes 1 ms, brokers
//! and controller need no time, and a disk that is waited for half a millisecond.

mod common;

use common::log::{CUT_OFF, STEADY, faults, lost, roots, shop, text};
use common::{Record, at, measured, ms, run};
use stormglass::engine::Span;
use stormglass::scenario::{diagnose, load, source::Source};

#[test]
fn ps_m9_acks_say_for_what_whoever_publishes_waits() {
    let latency = |acks: &str, flush: &str| {
        let words = [("LOAD", "At([\"1s\", \"2s\"])"), ("PRODUCER", acks), ("TOPIC", flush)];
        shop(&words).latencies()[1]
    };
    assert_eq!(latency("acks: None", ""), ms(2), "to the producer and back");
    assert_eq!(latency("acks: Leader", ""), ms(4), "to the leader and back");
    assert_eq!(latency("acks: All", ""), ms(6), "and to its followers");
    // The disk of the leader takes half a millisecond, and so do those of its followers after it.
    assert_eq!(latency("acks: Leader", "flush: Every"), Span::from_micros(4_500));
    assert_eq!(latency("acks: All", "flush: Every"), Span::from_micros(7_000));
}

#[test]
fn ps_m9_a_producer_asks_who_leads_even_if_nothing_fails() {
    let rest = faults(CUT_OFF);
    let words = |age| [STEADY, ("PRODUCER", age), ("REST", rest.as_str())];
    let seldom = shop(&words("acks: Leader"));
    let often = shop(&words("acks: Leader, metadata_max_age: \"1s\""));
    // It learns of the new leader, which leads after 9 s, within a second or two: it asks the old
    // one in its turn, too.
    assert!(lost(&often) < 70 && lost(&seldom) > 140, "{} {}", lost(&often), lost(&seldom));
}

#[test]
fn ps_m9_an_idempotent_producer_writes_once_what_it_sends_twice() {
    // The leader stops for 2 s: nobody answers in time, and then all of it is done.
    let pause = faults(r#""pause": (what: Pause(node: "kafka/1"), at: "10s", for: "2s")"#);
    let run = |producer: &str| {
        let producer = format!("request_timeout: \"500ms\", {producer}");
        shop(&[STEADY, ("PRODUCER", &producer), ("REST", &pause)])
    };
    let (plain, safe) = (run("idempotent: false"), run("idempotent: true"));
    let twice = |record: &Record| measured(&record.outcome, "consistency.records_twice");
    assert!(twice(&plain) >= 5.0, "{}", twice(&plain));
    assert_eq!((twice(&safe), roots(&safe).len()), (0.0, 299));
    assert!(measured(&safe.outcome, "consistency.records_recognised") >= 5.0);
    assert!(roots(&safe).is_sorted() && plain.told().is_empty() && safe.told().is_empty());
    assert_eq!(twice(&run("acks: Leader")), twice(&plain), "without `acks: All` it is not");
}

#[test]
fn ps_m9_a_batch_of_which_the_new_leader_has_a_part_is_completed_when_it_comes_again() {
    // 19 of 20 records are in one batch, of which followers fetch 7 at once; from one millisecond
    // to the next they have more of it when the leader dies, and it is not accepted yet.
    let (mut recognised, mut completed) = (0.0, 0);
    for after in 1..20 {
        let crash = format!(
            r#""dies": (what: Crash(node: "kafka/1"), at: "{}us", for: "20s")"#,
            10_000_300 + after * 1_000
        );
        let record = shop(&[
            ("LOAD", "At([\"10s\"]), batch: 20"),
            ("PRODUCER", "in_flight: 1, request_timeout: \"2s\""),
            ("BROKER", "fetch_max: 7,"),
            ("TOPIC", "min_isr: 2"),
            ("REST", &faults(&crash)),
        ]);
        let mut there = roots(&record);
        there.sort_unstable();
        there.dedup();
        assert_eq!((there.len(), record.told().len()), (20, 0), "after {after} ms");
        assert_eq!(measured(&record.outcome, "consistency.records_twice"), 0.0);
        assert_eq!(lost(&record), 0);
        recognised += measured(&record.outcome, "consistency.records_recognised");
        // The first is a batch of its own, with its leader before all others.
        let added = record.of("log.appended").iter().filter(|it| it.node != "kafka/1").count();
        completed += usize::from((1..19).contains(&added));
    }
    assert!(recognised > 0.0, "some had all of it");
    assert!(completed > 0, "some had a part of it");
}

#[test]
fn ps_m9_an_idempotent_producer_keeps_the_order_of_what_it_sends_again() {
    // A follower is cut off until it is out of sync: then `min_isr` holds no more. When it is back,
    // batches that are on their way are accepted, and one that was refused before comes again.
    let cut = faults(
        r#""cut": (what: Partition(links: Between(["kafka/1", "kafka/2"], ["kafka/3"])), at: "2s", for: "8s")"#,
    );
    let run = |producer: &str| {
        let steady = ("LOAD", "Constant(rate: \"500/s\")");
        let broker = ("BROKER", "replica_lag_max: \"2s\",");
        shop(&[steady, broker, ("TOPIC", "min_isr: 3"), ("PRODUCER", producer), ("REST", &cut)])
    };
    let many =
        "batch: \"200B\", in_flight: 5, retry_backoff: (base: \"2ms\", max: \"2ms\", jitter: None)";
    // The very first waits to hear who leads, and the next may overtake it there.
    let in_order = |record: &Record| roots(record)[5..].is_sorted();
    let plain = run(&format!("idempotent: false, {many}"));
    assert!(!in_order(&plain), "a later one went before");
    let safe = run(&format!("idempotent: true, {many}"));
    assert!(in_order(&safe));
    let alone = run("idempotent: false, batch: \"200B\", in_flight: 1");
    assert!(in_order(&alone), "one at a time keeps it, too");
    assert!(alone.latencies().last() > safe.latencies().last(), "at a price");
}

#[test]
fn ps_m9_a_producer_goes_on_under_another_number_when_the_log_has_lost_what_it_sent() {
    // Unclean elections, and a leader that loses what it had accepted.
    let all = r#""all": (what: Crash(node: "kafka", host: true), at: "10s", for: "2s")"#;
    let record = shop(&[STEADY, ("REST", &faults(all))]);
    assert!(record.told().is_empty());
    assert_eq!((lost(&record), record.of("log.accepted").len()), (49, 299));
}

#[test]
fn ps_m9_a_leader_that_is_soon_back_holds_up_its_producer_until_its_host_resets_the_connection() {
    let blink = r#""blink": (what: Crash(node: "kafka/1", host: true), at: "1s", for: "65ms")"#;
    for rate in ["5/s", "200/s"] {
        let load = format!("Constant(rate: \"{rate}\")");
        let record = shop(&[("LOAD", &load), ("REST", &faults(blink))]);
        assert!(record.told().is_empty(), "{rate}");
        assert_eq!(lost(&record), 0, "{rate}");
        // What was sent to it while it was off is sent again 200 ms later, and whatever was lost
        // with it is sent again, too: nothing waits for the timeout of a request, 30 s.
        let longest = record.latencies().into_iter().max();
        assert!(longest < Some(ms(500)), "{rate}: {longest:?}");
    }
}

#[test]
fn ps_m9_records_go_to_partitions_by_key_or_one_after_the_other_or_batch_by_batch() {
    let spread = |producer: &str| {
        let text = text(&[
            ("LOAD", "Constant(rate: \"50/s\"), keys: Uniform(objects: 10)"),
            ("PRODUCER", producer),
        ]);
        let record = run(&text
            .replace("partitions: 1", "partitions: 3")
            .replace("linger: \"0s\"", "linger: \"100ms\""));
        let appended = record.of("log.appended");
        appended.iter().map(|fact| (fact.key >> 40 & 0xfff, fact.value)).collect::<Vec<_>>()
    };
    let partitions_of = |all: &[(u64, i64)], key: i64| {
        let mut of: Vec<u64> = all.iter().filter(|(_, it)| *it == key).map(|(at, _)| *at).collect();
        of.sort_unstable();
        of.dedup();
        of.len()
    };
    let by_key = spread("");
    assert!(by_key.iter().all(|(_, key)| partitions_of(&by_key, *key) == 1));
    let by_turns = spread("partitioner: RoundRobin");
    let count = |all: &[(u64, i64)], at: u64| all.iter().filter(|(it, _)| *it == at).count();
    assert!([0, 1, 2].iter().all(|at| count(&by_turns, *at) >= 999));
    let sticky = spread("partitioner: Sticky");
    let changes = sticky.windows(2).filter(|pair| pair[0].0 != pair[1].0).count();
    assert!(changes < 600 && [0, 1, 2].iter().all(|at| count(&sticky, *at) > 700), "{changes}");
}

/// How many batches the producer has sent.
fn batches(record: &Record) -> usize {
    let sent = record.messages.iter().filter(|it| {
        it.from == "producer"
            && it.to.starts_with("kafka")
            && it.fate == "Sent"
            && it.body.contains("Batch")
    });
    sent.count()
}

#[test]
fn ps_m9_a_batch_waits_for_more_and_is_sent_when_it_is_full() {
    let run = |producer: &str| {
        let text = text(&[("LOAD", "Constant(rate: \"100/s\")"), ("PRODUCER", producer)]);
        run(&text.replace("linger: \"0s\",", ""))
    };
    let sizes = |producer: &str| batches(&run(producer));
    assert_eq!(sizes("linger: \"0s\""), 5_999);
    // 10 ms apart, so eleven come within 100 ms.
    let many = sizes("linger: \"100ms\"");
    let three = sizes("linger: \"100ms\", batch: \"600B\"");
    assert!((545..=610).contains(&many) && (1_995..=2_005).contains(&three), "{many} {three}");
    let longest = |producer: &str| run(producer).latencies().into_iter().skip(20).max();
    assert_eq!(longest("linger: \"100ms\""), Some(ms(106)));
}

#[test]
fn ps_m9_what_cannot_be_delivered_in_time_fails_and_who_publishes_too_much_waits() {
    let gone = faults(r#""gone": (what: Crash(node: "kafka", host: true), at: "10s", for: "45s")"#);
    let run = |producer: &str| {
        shop(&[STEADY, ("PRODUCER", producer), ("REST", &gone), ("POLICY", "timeout: \"100s\"")])
    };
    let short = run("request_timeout: \"1s\", delivery_timeout: \"10s\"");
    let told = short.told();
    // The connections to hosts that were gone take a while to come back, too.
    assert!((170..=215).contains(&told.len()), "{}", told.len());
    assert_eq!(short.times("request.failed")[0], at(20_001) + ms(1), "10 s after it came");
    // 1,000 bytes are five records: the sixth waits for room, and gives up.
    let full = run(
        "request_timeout: \"1s\", delivery_timeout: \"30s\", buffer: \"1000B\", max_block: \"2s\"",
    );
    assert!(full.told().contains(&"overloaded"));
    let patient = run("buffer: \"1000B\", max_block: \"60s\"");
    assert!(!patient.told().contains(&"overloaded"));
    // Nobody has ever said who leads.
    let never = faults(r#""gone": (what: Crash(node: "kafka"), at: "0s", for: "50s")"#);
    let never = shop(&[STEADY, ("PRODUCER", "max_block: \"5s\""), ("REST", &never)]);
    assert_eq!(never.times("request.failed")[0], at(5_202), "the first came at 200 ms");
    assert_eq!(never.told()[0], "unreachable");
    // Who does not wait fails until it is known who leads, and no longer.
    let impatient = shop(&[STEADY, ("PRODUCER", "max_block: \"0s\"")]);
    assert_eq!(impatient.told().len(), 1, "{:?}", impatient.told());
}

#[test]
fn ps_m9_what_cannot_be_is_refused_at_its_field() {
    let refused = |words: &[(&str, &str)], says: &str| {
        let source = Source::new("log.ron", text(words));
        let problems = load(&source).map(|_| ()).expect_err("it is refused");
        let text = diagnose::render(&problems, Some(&source), false);
        assert!(text.contains(says), "{says}:\n{text}");
    };
    for (place, word, says) in [
        ("TOPIC", "replicas: 16", "from 1 to 15"),
        ("TOPIC", "min_isr: 4, replicas: 3", "how many `replicas`"),
        ("TOPIC", "retention: (segment: \"0B\")", "holds no record"),
        ("TOPIC", "flush: Interval(every: \"0s\")", "too often"),
        ("TOPIC", "replicas: 4", "there are fewer brokers"),
        ("TOPIC", "min_isr: 4", "there are fewer brokers"),
        ("BROKER", "fetch_max: 0,", "from 1 to 65,535"),
        ("BROKER", "fetch_wait: \"2min\",", "at most a minute"),
        ("BROKER", "heartbeat: \"0s\",", "too often"),
        ("BROKER", "offsets: (partitions: 0),", "from 1 to 4,095"),
        ("PRODUCER", "in_flight: 0", "nothing is sent"),
        ("PRODUCER", "acks: Leader, idempotent: true", "wants `acks: All`"),
        ("PRODUCER", "in_flight: 6", "at most 5"),
        ("PRODUCER", "delivery_timeout: \"10s\"", "together"),
        ("PRODUCER", "request_timeout: \"0s\"", "never hears"),
        ("PRODUCER", "metadata_max_age: \"0s\"", "too often"),
        ("CONTROLLER", "session: \"1ms\"", "too often"),
        ("CONTROLLER", "rebalance: \"0s\"", "too often"),
        (
            "REST",
            "invariants: {\"kept\": LogKept(brokers: \"kafka\", topic: \"order\")}",
            "did you mean `orders`?",
        ),
        (
            "REST",
            "invariants: {\"kept\": LogKept(brokers: \"shop\", topic: \"orders\")}",
            "no topics",
        ),
    ] {
        refused(&[(place, word)], says);
    }
    let source = |right: &str, wrong: &str| {
        assert!(text(&[]).contains(right), "{right}");
        let source = Source::new("log.ron", text(&[]).replacen(right, wrong, 1));
        let problems = load(&source).map(|_| ()).expect_err("it is refused");
        diagnose::render(&problems, Some(&source), false)
    };
    let scaled = source("), count: 3)", "), count: 3, max: 5)");
    assert!(scaled.contains("as large as its `count`"), "{scaled}");
    let next = "), count: 3, next: LogBroker(controller: \"controller\", topics: {\"bills\": ()}))";
    let upgraded = source("), count: 3)", next);
    assert!(upgraded.contains("the same `topics`"), "{upgraded}");
    let misspelt = source("operation: \"orders\"", "operation: \"order\"");
    assert!(misspelt.contains("did you mean `orders`?"), "{misspelt}");
    let nobody = source("to: \"kafka\"", "to: \"controller\"");
    assert!(nobody.contains("`controller` is a LogController and has no topics"), "{nobody}");
    let other = source("controller: \"controller\"", "controller: \"shop\"");
    assert!(other.contains("decides nothing about partitions"), "{other}");
    let several = "Instances(of: LogController(cost: \"0s\"), count: 2),";
    let several = source("LogController(cost: \"0s\", ),", several);
    assert!(several.contains("a cluster has one controller"), "{several}");
    let twice = "\"other\": LogBroker(controller: \"controller\", topics: {\"bills\": ()}), \"controller\":";
    let twice = source("\"controller\":", twice);
    assert!(twice.contains("is the controller of `kafka`"), "{twice}");
}
