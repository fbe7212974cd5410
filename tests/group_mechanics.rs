//! The mechanics of consumer groups, one by one, each on a few records that can be checked by hand.
//!
//! The names of the tests carry the ids of the mechanics. Every way of a message takes 1 ms;
//! brokers and controller need no time.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Record, at, measured, ms, run};
use stormglass::engine::{Span, Time};

/// Couriers whose scans are written into a topic of four partitions, and readers who have a tracker
/// note them. `LOAD` stands for when, `READER` for what readers are besides, `COUNT` for how many
/// there are, `TRACKER` for what the tracker does, `CLUSTER` and `TOPIC` for more of the brokers,
/// `NODES` and `REST` for more.
const COURIERS: &str = r#"Scenario(
    title: "Scans of parcels",
    run: (load: "60s", quiet: "60s"),
    network: (latency: "1ms"),
    nodes: {
        "couriers": Client(target: "producer", operation: "scans", load: LOAD, keys: Uniform(objects: 40)),
        "producer": Producer(to: "kafka", linger: "0s"),
        "kafka": Instances(of: LogBroker(
            controller: "controller",
            cost: "0s", record_cost: "0s",
            offsets: (partitions: 3),
            CLUSTER
            topics: {"scans": (partitions: 4, TOPIC)},
        ), count: 3),
        "controller": LogController(cost: "0s"),
        "reader": Instances(of: GroupConsumer(
            from: "kafka", group: "tracking", topics: ["scans"],
            to: "tracker", operation: "note",
            READER
        ), count: COUNT),
        "tracker": Service(operations: {"note": (TRACKER)}),
        NODES
    },
    REST
)"#;

/// Ten a second for a minute, the first after a tenth of a second.
const RECORDS: usize = 599;

/// The couriers with these words in their places.
fn text(words: &[(&str, &str)]) -> String {
    let places = ["LOAD", "READER", "COUNT", "TRACKER", "CLUSTER", "TOPIC", "NODES", "REST"];
    places.iter().fold(COURIERS.to_owned(), |text, place| {
        let otherwise = match *place {
            "LOAD" => "Constant(rate: \"10/s\")",
            "COUNT" => "2",
            "READER" => "start: Earliest, session: \"10s\"",
            "TRACKER" => "cost: \"5ms\"",
            _ => "",
        };
        let word = words.iter().find(|(known, _)| known == place);
        text.replace(place, word.map_or(otherwise, |(_, word)| word))
    })
}

fn couriers(words: &[(&str, &str)]) -> Record {
    run(&text(words))
}

/// What every run promises whatever its settings are.
fn sound(record: &Record) {
    for found in &record.outcome.findings {
        assert_eq!(found.violations, 0, "{}: {:?}", found.invariant, found.first);
    }
}

fn violations(record: &Record, invariant: &str) -> u64 {
    record.finding(invariant).violations
}

/// The records of these facts, in order.
fn keys(record: &Record, what: &str) -> Vec<u64> {
    record.of(what).iter().map(|fact| fact.key).collect()
}

/// Who noted these facts.
fn who(record: &Record, what: &str) -> BTreeSet<String> {
    record.of(what).iter().map(|fact| fact.node.clone()).collect()
}

fn between(record: &Record, what: &str, from: u64, until: u64) -> usize {
    let (from, until) = (Time(0) + Span::from_seconds(from), Time(0) + Span::from_seconds(until));
    record.times(what).into_iter().filter(|at| *at >= from && *at < until).count()
}

#[test]
fn ps_m9_each_record_goes_to_one_member_of_a_group() {
    let record = couriers(&[]);
    assert_eq!(record.of("log.accepted").iter().filter(|it| it.root != 0).count(), RECORDS);
    let processed = keys(&record, "group.processed");
    assert_eq!(processed.len(), RECORDS);
    assert_eq!(processed.iter().collect::<BTreeSet<_>>().len(), RECORDS, "none of them twice");
    assert_eq!(who(&record, "group.processed").len(), 2, "both have their share");
    assert_eq!(measured(&record.outcome, "consistency.unprocessed"), 0.0);
    for promise in ["groups-at-least-once", "groups-in-order", "groups-move-on"] {
        assert!(record.finding(promise).checked > 0, "{promise}");
    }
    sound(&record);
}

#[test]
fn ps_m5_every_group_gets_every_record_and_goes_its_own_pace() {
    let other = r#""biller": GroupConsumer(from: "kafka", group: "billing", topics: ["scans"], to: "bills", operation: "bill", start: Earliest, batch: 1),
        "bills": Service(machine: (workers: 1), operations: {"bill": (cost: "300ms")}),"#;
    let record = couriers(&[("NODES", other)]);
    let of = |reader: &str| {
        record.of("group.processed").iter().filter(|it| it.node.starts_with(reader)).count()
    };
    assert_eq!(of("reader"), RECORDS);
    assert!((300..400).contains(&of("biller")), "{} of 300 ms in 117 s", of("biller"));
    // Who is slow waits for nobody, and nobody for it.
    assert!(measured(&record.outcome, "consistency.unprocessed") > 200.0);
    sound(&record);
}

#[test]
fn ps_m9_a_member_that_crashes_is_put_out_when_its_session_is_over() {
    let crash = (
        "REST",
        "faults: {\"crash\": (what: Crash(node: \"reader/1\"), at: \"20s\", for: \"100s\")}",
    );
    for (session, quiet) in [("10s", 28), ("30s", 48)] {
        let reader = format!("start: Earliest, session: \"{session}\", batch: 1");
        let record = couriers(&[crash, ("READER", &reader)]);
        let orphaned = |from, until| between(&record, "group.processed", from, until) as f64;
        // Until then nobody reads what was its: half of the records wait.
        let share = orphaned(21, quiet) / (10 * (quiet - 21)) as f64;
        assert!((0.3..0.7).contains(&share), "{session}: {share}");
        let assigned = between(&record, "group.assigned", 21, 59);
        assert_eq!(assigned, 4, "{session}: it gives up two, and gets all four");
        assert_eq!(measured(&record.outcome, "consistency.unprocessed"), 0.0);
        sound(&record);
    }
}

#[test]
fn ps_m9_what_was_processed_and_not_committed_is_processed_again() {
    // A batch is a second of records, and is committed at its end.
    let slow = ("TRACKER", "cost: \"80ms\"");
    let crash = (
        "REST",
        "faults: {\"crash\": (what: Crash(node: \"reader/1\"), at: \"20s\", for: \"5s\")}",
    );
    let load = ("LOAD", "Constant(rate: \"20/s\")");
    let after = couriers(&[slow, crash, load]);
    assert!(measured(&after.outcome, "consistency.redelivered") > 0.0);
    assert_eq!(measured(&after.outcome, "consistency.unprocessed"), 0.0);
    sound(&after);
    // Committed first, what a crash interrupts is lost.
    let reader = (
        "READER",
        "start: Earliest, session: \"10s\", commit: BeforeProcessing, failures: (tries: 1)",
    );
    let lossy = "faults: {\"crash\": (what: Crash(node: \"reader/1\"), at: \"20s\", for: \"5s\")},
        invariants: {\"at-least-once\": GroupAtLeastOnce(brokers: \"kafka\", group: \"tracking\")}";
    let before = couriers(&[slow, ("REST", lossy), load, reader]);
    assert!(measured(&before.outcome, "consistency.unprocessed") > 0.0);
    assert_eq!(measured(&before.outcome, "consistency.redelivered"), 0.0);
    assert_eq!(violations(&before, "groups-at-most-once"), 0);
    assert!(violations(&before, "at-least-once") > 0);
}

#[test]
fn ps_m9_the_more_seldom_a_group_commits_the_more_comes_again() {
    let again = |commit: &str| {
        let reader = format!("start: Earliest, session: \"10s\", commit: {commit}");
        let record = couriers(&[
            ("TRACKER", "cost: \"100ms\""),
            ("LOAD", "Constant(rate: \"30/s\")"),
            (
                "REST",
                "faults: {\"crash\": (what: Crash(node: \"reader/1\"), at: \"18s\", for: \"5s\")}",
            ),
            ("READER", &reader),
        ]);
        sound(&record);
        measured(&record.outcome, "consistency.redelivered")
    };
    let each = again("AfterProcessing, batch: 1");
    let batches = again("AfterProcessing");
    let seldom = again("Every(\"30s\")");
    assert!(each <= 2.0, "what was at work: {each}");
    assert!(batches > 10.0 && batches < 60.0, "a batch of each partition at most: {batches}");
    assert!(seldom > 100.0, "ten a second since the third second: {seldom}");
}

#[test]
fn ps_m9_a_group_that_was_empty_waits_again_for_others() {
    let rest = "faults: {\"down\": (what: Crash(node: \"reader\"), at: \"20s\", for: \"15s\")}";
    let record = couriers(&[("REST", rest)]);
    assert_eq!(between(&record, "group.shared", 35, 60), 1, "once for both, after three seconds");
    assert_eq!(between(&record, "group.processed", 21, 38), 0);
    sound(&record);
}

/// What is said of a scenario that is refused.
fn refusal(text: &str) -> String {
    let refused = std::panic::catch_unwind(|| run(text)).err().expect("it is refused");
    refused.downcast_ref::<String>().expect("it says why").clone()
}

#[test]
fn ps_m9_members_of_a_group_have_their_settings_in_common() {
    let other = r#""other": GroupConsumer(from: "kafka", group: "tracking", topics: ["scans"], to: "tracker", operation: "note", commit: BeforeProcessing, start: Earliest, session: "10s"),"#;
    let said = refusal(&text(&[("NODES", other)]));
    assert!(said.contains("by other settings than"), "{said}");
}

#[test]
fn ps_m3_a_topic_that_is_named_twice_is_refused() {
    let text = text(&[]).replace("topics: [\"scans\"]", "topics: [\"scans\", \"scans\"]");
    let said = refusal(&text);
    assert!(said.contains("a topic is read once"), "{said}");
}

/// How often partitions are given up between these seconds when a third member joins.
fn given_up(sharing: &str) -> (usize, Record) {
    let reader = format!("start: Earliest, session: \"10s\", sharing: {sharing}");
    let rest = "faults: {\"late\": (what: Crash(node: \"reader/3\"), at: \"0s\", for: \"20s\")}";
    let record = couriers(&[("READER", &reader), ("COUNT", "3"), ("REST", rest)]);
    sound(&record);
    assert_eq!(who(&record, "group.processed").len(), 3);
    (between(&record, "group.revoked", 20, 60), record)
}

#[test]
fn ps_m9_eager_sharing_takes_everything_from_everyone_and_cooperative_only_what_moves() {
    assert_eq!(given_up("Eager").0, 4);
    assert_eq!(given_up("Cooperative").0, 1);
}

#[test]
fn ps_m9_a_static_member_takes_its_place_again() {
    let shared = |is_static: bool| {
        let reader = format!("start: Earliest, session: \"10s\", static_membership: {is_static}");
        let rest =
            "faults: {\"crash\": (what: Crash(node: \"reader/1\"), at: \"20s\", for: \"3s\")}";
        let record = couriers(&[("READER", &reader), ("REST", rest)]);
        sound(&record);
        between(&record, "group.shared", 20, 60)
    };
    assert_eq!(shared(true), 0);
    assert_eq!(shared(false), 2, "when it joins anew, and when who it was is put out");
}

#[test]
fn ps_m9_a_member_that_is_told_to_stop_leaves_at_once() {
    let rest = "faults: {\"stop\": (what: Stop(node: \"reader/1\"), at: \"20s\", for: \"30s\")}";
    let record = couriers(&[("REST", rest)]);
    assert_eq!(between(&record, "group.shared", 20, 22), 1, "and not when its session is over");
    let waits = measured(&record.outcome, "saturation.oldest");
    assert!(waits < 7.0, "the other hears of it with its next heartbeat: {waits}");
    sound(&record);
}

#[test]
fn ps_m9_a_member_that_was_frozen_finds_that_others_read_what_it_had() {
    let rest = "faults: {\"pause\": (what: Pause(node: \"reader/1\"), at: \"20s\", for: \"20s\")}";
    let record = couriers(&[("REST", rest), ("TRACKER", "cost: \"50ms\"")]);
    assert!(between(&record, "group.assigned", 29, 36) >= 4, "the other has all");
    assert_eq!(measured(&record.outcome, "consistency.unprocessed"), 0.0);
    assert!(between(&record, "group.assigned", 40, 60) >= 2, "it is a member again");
    sound(&record);
}

#[test]
fn ps_m9_a_member_that_is_too_long_at_a_batch_leaves() {
    let load = ("LOAD", "At([\"10s\"]), batch: 200");
    let slow = ("TRACKER", "cost: \"200ms\"");
    let reader = (
        "READER",
        "start: Earliest, session: \"10s\", poll_interval_max: \"4s\", heartbeat: \"1s\"",
    );
    let record = couriers(&[load, slow, reader, ("COUNT", "1")]);
    // 50 records a partition and 0.2 s each are 10 s.
    assert!(between(&record, "group.shared", 14, 60) >= 1);
    assert!(measured(&record.outcome, "consistency.redelivered") > 0.0);
    assert_eq!(violations(&record, "groups-at-least-once"), 0);
}

#[test]
fn ps_m9_a_group_whose_batches_outlast_its_poll_interval_comes_no_further() {
    let waiting = |batch: &str| {
        let load = ("LOAD", "At([\"10s\"]), batch: 200");
        let slow = ("TRACKER", "cost: \"200ms\"");
        let reader = format!(
            "start: Earliest, session: \"10s\", poll_interval_max: \"4s\", heartbeat: \"1s\", {batch}"
        );
        let record = couriers(&[load, slow, ("READER", &reader), ("COUNT", "1")]);
        measured(&record.outcome, "consistency.unprocessed")
    };
    // It is put out before it has committed anything of a batch, and gets the same one again.
    assert!(waiting("batch: 500") > 50.0);
    assert_eq!(waiting("batch: 10"), 0.0);
}

#[test]
fn ps_m7_a_late_group_begins_where_it_is_told_to() {
    let late = |start: &str| {
        let reader = format!("start: {start}");
        let rest = "faults: {\"late\": (what: Crash(node: \"reader\"), at: \"0s\", for: \"30s\")}";
        let record = couriers(&[("READER", &reader), ("REST", rest)]);
        sound(&record);
        keys(&record, "group.processed").len()
    };
    assert_eq!(late("Earliest"), RECORDS, "all that was ever published");
    let latest = late("Latest");
    assert!((260..270).contains(&latest), "what is published from 33 s on: {latest}");
    let some = late("Offset(50)");
    assert!((395..405).contains(&some), "all but 50 of each partition: {some}");
}

#[test]
fn ps_m7_a_group_goes_back_and_reads_again() {
    let reader = ("READER", "start: Earliest, seek: [(at: \"50s\", to: Earliest)]");
    let record = couriers(&[reader]);
    let processed = keys(&record, "group.processed");
    let all: BTreeSet<u64> = processed.iter().copied().collect();
    assert_eq!(all.len(), RECORDS);
    assert!((1090..1110).contains(&processed.len()), "500 of them twice: {}", processed.len());
    assert_eq!(keys(&record, "group.reset").len(), 4, "each partition once");
    sound(&record);
    let reader = ("READER", "start: Earliest, seek: [(at: \"50s\", to: Latest)]");
    let rest =
        ("REST", "faults: {\"late\": (what: Crash(node: \"tracker\"), at: \"10s\", for: \"35s\")}");
    let record = couriers(&[reader, rest]);
    assert!(keys(&record, "group.processed").len() < RECORDS, "what waited is passed over");
    assert!(measured(&record.outcome, "consistency.dropped") > 0.0);
}

#[test]
fn ps_m5_what_cannot_be_processed_is_tried_passed_over_or_set_aside() {
    let poison = ("TRACKER", "cost: \"5ms\", poison: \"5 %\"");
    // By default its partition waits for it for ever.
    let stuck = couriers(&[poison]);
    assert!(measured(&stuck.outcome, "consistency.unprocessed") > 100.0);
    sound(&stuck);
    let skip = "start: Earliest, failures: (tries: 3, backoff: (base: \"10ms\", max: \"10ms\"))";
    let skipped = couriers(&[poison, ("READER", skip)]);
    let passed = keys(&skipped, "group.passed-over").len();
    assert!(passed > 10);
    assert_eq!(measured(&skipped.outcome, "consistency.dropped"), passed as f64);
    assert_eq!(keys(&skipped, "group.delivered").len(), RECORDS + 2 * passed, "three times each");
    sound(&skipped);
    let dead = "start: Earliest, failures: (tries: 1, then: Dead(to: \"producer\", topic: \"scans-dead\"))";
    let topics = ("TOPIC", "), \"scans-dead\": (partitions: 1");
    let dead = couriers(&[poison, topics, ("READER", dead)]);
    let set_aside = measured(&dead.outcome, "consistency.dead");
    assert!(set_aside > 10.0);
    sound(&dead);
}

#[test]
fn ps_m9_what_retention_throws_away_before_it_is_read_is_missed() {
    let topic = ("TOPIC", "retention: (time: \"5s\", roll: \"1s\")");
    let cluster = ("CLUSTER", "cleaning: \"1s\",");
    let rest =
        ("REST", "faults: {\"away\": (what: Crash(node: \"reader\"), at: \"20s\", for: \"20s\")}");
    let record = couriers(&[topic, cluster, rest]);
    let missed = measured(&record.outcome, "consistency.expired");
    assert!((100.0..250.0).contains(&missed), "about 15 of the 20 s: {missed}");
    assert!(!keys(&record, "group.overrun").is_empty());
    sound(&record);
}

#[test]
fn ps_m9_partitions_are_processed_at_once_as_far_as_concurrency_goes() {
    let seconds = |concurrency: u32| {
        let reader = format!("start: Earliest, concurrency: {concurrency}");
        let load = ("LOAD", "At([\"10s\"]), batch: 80");
        let record =
            couriers(&[load, ("READER", &reader), ("COUNT", "1"), ("TRACKER", "cost: \"100ms\"")]);
        sound(&record);
        let last = record.times("group.processed").into_iter().max().expect("some were processed");
        (last - Time(0)).as_seconds() - 10.0
    };
    let (alone, together) = (seconds(1), seconds(4));
    assert!((7.9..8.6).contains(&alone), "80 of 100 ms: {alone}");
    assert!(together < alone / 2.0, "the longest partition: {together}");
}

#[test]
fn ps_m9_what_was_committed_outlives_the_coordinator() {
    let rest = (
        "REST",
        "faults: {
        \"one\": (what: Crash(node: \"kafka/1\", host: true), at: \"10s\", for: \"5s\"),
        \"two\": (what: Crash(node: \"kafka/2\", host: true), at: \"25s\", for: \"5s\"),
        \"three\": (what: Crash(node: \"kafka/3\", host: true), at: \"40s\", for: \"5s\"),
    }",
    );
    let record = couriers(&[rest, ("READER", "start: Earliest, session: \"10s\", batch: 10")]);
    assert_eq!(measured(&record.outcome, "consistency.unprocessed"), 0.0);
    // The host takes its offsets and its connections along. Who was connected to it tries again
    // for up to 6.2 s before it hears that, and commits in vain until it has joined anew: what it
    // reads meanwhile comes again, and of what was read before, a batch of each partition at most.
    let mut first = BTreeMap::new();
    let mut again = Vec::new();
    for fact in record.of("group.processed") {
        let read = *first.entry(fact.key).or_insert(fact.at);
        again.extend((read < fact.at).then_some(read));
    }
    let of_gap = |from: u64| {
        let gap = at(from * 1_000)..at((from + 5) * 1_000) + ms(6_200);
        again.iter().filter(|read| gap.contains(read)).count()
    };
    let of_gaps = [10, 25, 40].map(of_gap).iter().sum::<usize>();
    assert!(of_gaps > 0 && again.len() - of_gaps <= 40, "{again:?}");
    sound(&record);
}

#[test]
fn ps_m3_a_group_reads_several_topics() {
    let text = text(&[]).replace("topics: [\"scans\"]", "topics: [\"scans\", \"returns\"]");
    let text = text.replace("topics: {", "topics: {\"returns\": (partitions: 2), ");
    let more = "\"other\": Client(target: \"producer\", operation: \"returns\", load: Constant(rate: \"5/s\")), \"tracker\": Service";
    let record = run(&text.replace("\"tracker\": Service", more));
    assert_eq!(keys(&record, "group.processed").len(), RECORDS + 299);
    assert_eq!(record.times("group.assigned").len(), 6);
    sound(&record);
}

#[test]
fn ps_m7_a_group_goes_to_each_place_once_whoever_reads_then() {
    // Two instants are past when it joins, and it goes to the place of the later one. Who reads the
    // partitions after a crash goes on from there.
    let reader = "start: Earliest, session: \"10s\", batch: 1, seek: [(at: \"1s\", to: Latest), (at: \"2s\", to: Earliest)]";
    let rest = "faults: {\"crash\": (what: Crash(node: \"reader/1\"), at: \"40s\", for: \"5s\")}";
    let record = couriers(&[("READER", reader), ("REST", rest)]);
    assert_eq!(keys(&record, "group.reset").len(), 4, "each partition once");
    let again = keys(&record, "group.processed").len() - RECORDS;
    assert!(again < 5, "what was at work when it crashed: {again}");
    sound(&record);
}

#[test]
fn ps_m9_a_group_that_was_sent_elsewhere_still_goes_where_it_is_told_to() {
    // There is no record 10,000: it goes to where it would begin. That is not the second place.
    let reader =
        "start: Latest, seek: [(at: \"20s\", to: Offset(10000)), (at: \"50s\", to: Earliest)]";
    let record = couriers(&[("READER", reader)]);
    assert!(
        between(&record, "group.processed", 50, 60) > 500,
        "all of it, what was before it began too"
    );
    assert_eq!(keys(&record, "group.reset").len(), 12);
    assert_eq!(measured(&record.outcome, "consistency.unprocessed"), 0.0);
    sound(&record);
}

#[test]
fn ps_m9_a_static_member_that_is_told_to_stop_keeps_its_place() {
    let shared = |is_static: bool| {
        let reader = format!("start: Earliest, session: \"10s\", static_membership: {is_static}");
        let rest = "faults: {\"stop\": (what: Stop(node: \"reader/1\"), at: \"20s\", for: \"5s\")}";
        let record = couriers(&[("READER", &reader), ("REST", rest)]);
        sound(&record);
        assert_eq!(measured(&record.outcome, "consistency.unprocessed"), 0.0);
        between(&record, "group.shared", 20, 60)
    };
    assert_eq!(shared(true), 0, "a rolling restart moves nothing");
    assert_eq!(shared(false), 2, "when it leaves, and when it joins anew");
}

#[test]
fn ps_m9_where_a_group_cannot_go_is_refused() {
    use stormglass::scenario::{diagnose, load, source::Source};
    let often = format!("seek: [{}]", "(at: \"1s\", to: Latest), ".repeat(256));
    for (reader, says) in [
        ("start: Offset(1099511627775)", "no record has so high a number"),
        ("seek: [(at: \"1s\", to: Offset(1099511627775))]", "no record has so high a number"),
        ("poll_interval_max: \"100us\"", "too often"),
        (often.as_str(), "more than 255 times"),
    ] {
        let source = Source::new("group.ron", text(&[("READER", reader)]));
        let problems = load(&source).map(|_| ()).expect_err("it is refused");
        let told = diagnose::render(&problems, Some(&source), false);
        assert!(told.contains(says), "{says}:\n{told}");
    }
}

#[test]
fn ps_m9_what_compaction_takes_away_before_it_is_read_is_missed() {
    let cluster = ("CLUSTER", "cleaning: \"1s\",");
    let topic = ("TOPIC", "cleanup: Compact, retention: (segment: \"960B\")");
    let rest = "faults: {\"late\": (what: Crash(node: \"reader\"), at: \"0s\", for: \"50s\")}";
    let record = couriers(&[cluster, topic, ("REST", rest)]);
    let read = keys(&record, "group.processed").len();
    assert!((100..300).contains(&read), "the last of each object, and the active segment: {read}");
    assert_eq!(measured(&record.outcome, "consistency.expired") as usize + read, RECORDS);
    sound(&record);
}
