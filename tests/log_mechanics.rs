//! The mechanics of log mode, one by one, each on a handful of records that can be checked by hand:
//! what brokers and their controller do.
//!
//! The names of the tests carry the id of the mechanic. Every way of a message takes 1 ms, brokers
//! and controller need no time, and a disk that is waited for half a millisecond.

mod common;

use common::log::{
    CRASH, CUT_OFF, HOST, KEPT, LONG, STEADY, faults, leaders, lost, offsets, shop, text, values,
};
use common::{at, measured, ms, run};
use stormglass::engine::Span;

#[test]
fn ps_m9_a_record_is_accepted_when_all_in_sync_replicas_have_it() {
    let record = shop(&[("LOAD", "At([\"1100ms\", \"2s\"])")]);
    assert_eq!(offsets(&record, "log.accepted"), [0, 1]);
    // 1 ms to the producer and 1 ms to the leader; its followers wait for the record, and ask for
    // the next when they have it, which is 2 ms; and 2 ms back.
    assert_eq!(record.latencies()[1], ms(6));
    // The first had to learn who leads, and to get a number under which it is recognised: 2 and
    // 4.5 ms, of which half a millisecond is the controller's disk.
    assert_eq!(record.latencies()[0], Span::from_micros(12_500));
}

#[test]
fn ps_m9_with_acks_0_nobody_learns_what_was_not_written() {
    let rest =
        faults(r#""crash": (what: Crash(node: "kafka/1", host: true), at: "10s", for: "5s")"#);
    let record = shop(&[STEADY, ("PRODUCER", "acks: None"), ("REST", &rest)]);
    assert!(record.told().is_empty(), "all 299 requests were successes");
    assert_eq!(record.finding("kept").checked, 0, "and nothing was ever accepted");
    let written = record.of("log.appended").len();
    assert!((245..280).contains(&written), "{written} of 299");
}

#[test]
fn ps_m9_with_acks_1_what_a_leader_accepts_that_is_cut_off_is_lost() {
    let rest = faults(CUT_OFF);
    let one = shop(&[STEADY, ("PRODUCER", "acks: Leader"), ("REST", &rest)]);
    assert_eq!(leaders(&one), ["kafka/1", "kafka/2"]);
    // It accepts 5 records a second for 30 s: its producer hears nothing that would make it ask who
    // leads. Back among the others it gives them up.
    assert!((149..=153).contains(&lost(&one)), "{}", lost(&one));
    assert_eq!(values(&one, "log.truncated"), [lost(&one)]);
    assert_eq!(one.of("log.truncated")[0].node, "kafka/1");
    // Who waits for all gets no answer from it.
    let all = shop(&[STEADY, ("REST", &rest)]);
    assert_eq!(lost(&all), 0);
    assert!(all.told().is_empty(), "they were written after all, to the new leader");
    assert_eq!(measured(&all.outcome, "consistency.records_twice"), 0.0);
}

#[test]
fn ps_m9_another_replica_leads_when_the_leader_is_gone() {
    for crash in [CRASH, HOST] {
        let record = shop(&[STEADY, ("REST", &faults(crash))]);
        assert_eq!(leaders(&record), ["kafka/1", "kafka/2"]);
        assert!(record.told().is_empty(), "the producer tries until somebody leads");
        assert_eq!(values(&record, "log.isr"), [3], "the old leader is back in sync");
        assert_eq!((record.of("log.accepted").len(), lost(&record)), (299, 0));
        assert_eq!(measured(&record.outcome, "availability.elections"), 2.0);
    }
}

#[test]
fn ps_m9_a_broker_is_taken_for_dead_after_its_session() {
    let led = |controller: &str, broker: &str| {
        let words = [STEADY, ("CONTROLLER", controller), ("BROKER", broker)];
        let rest = faults(HOST);
        let record = shop(&[&words[..], &[("REST", rest.as_str())]].concat());
        record.times("log.led").last().map(|led| *led - at(10_000)).expect("somebody leads")
    };
    // Its last heartbeat was up to 2 s before, and the controller looks nine times in a session.
    let usual = led("", "");
    assert!(ms(7_000) < usual && usual <= ms(10_100), "{usual}");
    let short = led("session: \"3s\"", "heartbeat: \"500ms\",");
    assert!(ms(2_400) < short && short <= ms(3_500), "{short}");
}

#[test]
fn ps_m9_a_broker_that_was_away_for_less_is_replaced_when_it_comes_back() {
    let blink = r#""blink": (what: Crash(node: "kafka/1", host: true), at: "10s", for: "1s")"#;
    let record = shop(&[STEADY, ("REST", &faults(blink))]);
    // It may lack what only its page cache had, so it is taken out before it is let in again.
    assert_eq!(leaders(&record), ["kafka/1", "kafka/2"]);
    let led = record.times("log.led")[1] - at(11_000);
    assert!(led < ms(20), "{led}");
    assert_eq!(lost(&record), 0);
}

#[test]
fn ps_m9_too_few_replicas_in_sync_refuse_who_waits_for_all_of_them() {
    let down = r#""two": (what: Crash(node: "kafka/2"), at: "10s", for: "30s"), "three": (what: Crash(node: "kafka/3"), at: "10s", for: "30s")"#;
    let rest = faults(down);
    let run = |topic: &str, producer: &str| {
        // There is always one that would wait for them, were it asked.
        let other = ("NODES", "\"other\": Producer(to: \"kafka\"),");
        shop(&[STEADY, ("TOPIC", topic), ("PRODUCER", producer), other, ("REST", rest.as_str())])
    };
    let few = "availability.too_few_in_sync";
    let two = run("min_isr: 2", "request_timeout: \"1s\", delivery_timeout: \"5s\"");
    assert!(measured(&two.outcome, few) > 10.0);
    // While nobody has found out that they are gone the leader waits for them: it may have been
    // written. After that it is refused, and certainly was not.
    let told = two.told();
    assert!(told.starts_with(&["timeout"]) && told.ends_with(&["deadline passed"]), "{told:?}");
    let one = run("min_isr: 1", "request_timeout: \"1s\", delivery_timeout: \"15s\"");
    assert_eq!((measured(&one.outcome, few), one.told().len()), (0.0, 0));
    let leader = run("min_isr: 2", "acks: Leader");
    assert_eq!((measured(&leader.outcome, few), leader.told().len()), (0.0, 0), "it does not mind");
}

#[test]
fn ps_m9_a_replica_leads_that_is_not_in_sync_only_where_that_is_allowed() {
    // The followers are cut off until they are out of sync; then the leader goes and they are back.
    let alone = r#""cut": (what: Partition(links: Between(["kafka/1"], ["kafka/2", "kafka/3"])), at: "10s", for: "15s"), "crash": (what: Crash(node: "kafka/1"), at: "25s", for: "20s")"#;
    let rest = faults(alone);
    let run = |topic: &str| {
        let broker = ("BROKER", "replica_lag_max: \"4s\",");
        shop(&[STEADY, broker, ("TOPIC", topic), ("REST", rest.as_str())])
    };
    let clean = run("");
    assert_eq!((leaders(&clean), lost(&clean)), (vec!["kafka/1", "kafka/1"], 0));
    let led = clean.times("log.led")[1];
    assert!(led > at(45_000) && led < at(45_100), "nobody leads until it is back: {led}");
    let unclean = run("unclean: true");
    assert_eq!(leaders(&unclean), ["kafka/1", "kafka/2"]);
    // Alone from 10 s on, as it knew after 4 s, and accepting until it crashed at 25 s.
    assert!((74..=76).contains(&lost(&unclean)), "{}", lost(&unclean));
    assert_eq!(unclean.of("log.truncated").len(), 1, "the old leader gives up what it had");
}

#[test]
fn ps_m9_what_is_in_the_page_cache_survives_the_process_and_not_the_machine() {
    // All three at once: nobody has a copy.
    let all = |host: bool| {
        format!("\"all\": (what: Crash(node: \"kafka\", host: {host}), at: \"10s\", for: \"2s\")")
    };
    let run =
        |topic: &str, host: bool| shop(&[STEADY, ("TOPIC", topic), ("REST", &faults(&all(host)))]);
    assert_eq!(lost(&run("", false)), 0);
    assert_eq!(lost(&run("", true)), 49, "everything since the start, 30 s are not over");
    let written_back = lost(&run("flush: Interval(every: \"3s\")", true));
    assert!((1..=8).contains(&written_back), "what came in the last second: {written_back}");
    let every = run("flush: Every", true);
    assert_eq!((lost(&every), every.finding("logs-kept").violations), (0, 0));
    assert!(every.finding("logs-kept").checked >= 290);
}

#[test]
fn ps_m9_while_the_controller_is_down_nobody_is_elected() {
    let down = format!(
        "{LONG}, \"controller\": (what: Crash(node: \"controller\"), at: \"9s\", for: \"15s\")"
    );
    let record = shop(&[STEADY, ("REST", &faults(&down))]);
    assert_eq!((leaders(&record), lost(&record)), (vec!["kafka/1", "kafka/2"], 0));
    let led = record.times("log.led")[1];
    // It is back at 24 s, and then the old leader has a session to be heard of.
    assert!(led > at(33_000) && led < at(34_100), "{led}");
    // Those who lead go on without it.
    let alone =
        r#""controller": (what: Crash(node: "controller", host: true), at: "9s", for: "40s")"#;
    let record = shop(&[STEADY, ("REST", &faults(alone))]);
    assert_eq!((leaders(&record).len(), record.told().len()), (1, 0));
    assert!(record.latencies().iter().skip(1).all(|latency| *latency == ms(6)));
}

#[test]
fn ps_m9_partitions_go_back_to_their_preferred_leaders() {
    let blink = r#""blink": (what: Crash(node: "kafka/1"), at: "10s", for: "1s")"#;
    let rest = faults(blink);
    let controller = ("CONTROLLER", "rebalance: \"20s\"");
    let record = shop(&[STEADY, controller, ("REST", &rest)]);
    assert_eq!((leaders(&record), lost(&record)), (vec!["kafka/1", "kafka/2", "kafka/1"], 0));
    assert!((at(20_000)..at(21_100)).contains(&record.times("log.led")[2]));
}

#[test]
fn ps_m9_old_segments_are_deleted_by_age_and_by_size() {
    let run = |topic: &str, cleaning: &str| {
        let broker = format!("cleaning: \"{cleaning}\",");
        shop(&[STEADY, ("BROKER", &broker), ("TOPIC", topic), ("REST", KEPT)])
    };
    // A record is 96 bytes: ten of them are a segment, and come in 2 s.
    let aged = run("retention: (time: \"10s\", segment: \"960B\")", "1s");
    let first = aged.of("log.expired")[0];
    assert_eq!(first.key & 0xff_ffff_ffff, 10);
    assert!((at(11_800)..=at(13_100)).contains(&first.at), "{}", first.at);
    assert_eq!(lost(&aged), 0, "that is no loss");
    // 300 records are 28,800 bytes; 10 kB of them stay, in whole segments.
    let much = run("retention: (size: \"10kB\", segment: \"960B\")", "1s");
    assert_eq!(offsets(&much, "log.expired").last(), Some(&190));
    // A segment that is not full ends when it is old.
    let rolled = run("retention: (time: \"10s\", roll: \"5s\")", "1s");
    assert!(offsets(&rolled, "log.expired").contains(&26), "five seconds are 26 records");
    let seldom = run("retention: (time: \"10s\", segment: \"960B\")", "25s");
    assert!((at(25_000)..at(25_100)).contains(&seldom.times("log.expired")[0]));
    for kept in ["", "retention: (time: None, segment: \"960B\")"] {
        assert!(run(kept, "1s").of("log.expired").is_empty(), "for 7 days, or for ever");
    }
}

#[test]
fn ps_m9_compaction_keeps_the_last_record_of_each_business_object() {
    let load = ("LOAD", "Constant(rate: \"5/s\"), keys: Uniform(objects: 3)");
    let topic = ("TOPIC", "cleanup: Compact, retention: (segment: \"960B\")");
    let record = shop(&[load, ("BROKER", "cleaning: \"5s\","), topic, ("REST", KEPT)]);
    // All but three of those that are not in the active segment.
    let gone: u64 = values(&record, "log.compacted").iter().sum();
    assert!((285..=290).contains(&gone), "{gone}");
    assert!(record.of("log.expired").is_empty());
    assert_eq!(lost(&record), 0);
}

#[test]
fn ps_m9_a_follower_fetches_as_often_and_as_much_as_it_is_told() {
    let fetches = |broker: &str| {
        let record = shop(&[("BROKER", broker)]);
        record.passed("kafka/2", "kafka/1", false, "Sent").len()
    };
    // 120 s with a question each 502 ms, or each 1,002 ms.
    let (usual, seldom) = (fetches(""), fetches("fetch_wait: \"1s\","));
    assert!((237..=242).contains(&usual) && (118..=123).contains(&seldom), "{usual} {seldom}");
    // A follower that was away has 100 records to catch up with, one at a time or all at once.
    let back = |broker: &str| {
        let rest = faults(r#""away": (what: Crash(node: "kafka/3"), at: "10s", for: "20s")"#);
        let record = shop(&[STEADY, ("BROKER", broker), ("REST", &rest)]);
        record.passed("kafka/3", "kafka/1", false, "Sent").len()
    };
    assert!(back("fetch_max: 1,") > back("") + 80);
}

#[test]
fn ps_m9_work_is_done_for_requests_and_for_records() {
    let run = |cost: &str, more: &str| {
        let text =
            text(&[("LOAD", "At([\"1s\", \"2s\"])"), ("PRODUCER", "acks: Leader"), ("REST", more)]);
        run(&text.replace("cost: \"0s\", record_cost: \"0s\",", cost)).latencies()[1]
    };
    assert_eq!(run("cost: \"3ms\", record_cost: \"0s\",", ""), ms(7));
    assert_eq!(run("cost: \"0s\", record_cost: \"2ms\",", ""), ms(6));
    // A fault that slows the brokers down slows this, too.
    let slow = "faults: {\"slow\": (what: Slow(node: \"kafka\", factor: \"3x\"), at: \"1500ms\", for: \"5s\")}";
    assert_eq!(run("cost: \"3ms\", record_cost: \"0s\",", slow), ms(13));
    let later = ("LOAD", "At([\"1100ms\"])");
    let controller = |words: &str| shop(&[later, ("CONTROLLER", words)]).latencies()[0];
    let text =
        text(&[later]).replace("LogController(cost: \"0s\",", "LogController(cost: \"5ms\",");
    assert_eq!(common::run(&text).latencies()[0] - controller(""), ms(5), "for the number");
    assert_eq!(controller("disk: (sync: \"4500us\")") - controller(""), ms(4));
}

#[test]
fn ps_m9_a_broker_whose_disk_fails_begins_anew_with_what_is_durable() {
    for what in ["SyncFails(node: \"kafka/1\", rate: \"100 %\")", "DiskFull(node: \"kafka/1\")"] {
        let rest = faults(&format!("\"disk\": (what: {what}, at: \"10s\", for: \"5s\")"));
        let record = shop(&[STEADY, ("TOPIC", "flush: Every, min_isr: 2"), ("REST", &rest)]);
        assert_eq!(leaders(&record)[..2], ["kafka/1", "kafka/2"], "{what}");
        assert_eq!((record.told().len(), lost(&record)), (0, 0), "{what}");
        assert_eq!(record.finding("logs-kept").violations, 0, "{what}");
        assert_eq!(values(&record, "log.isr").last(), Some(&3), "it is back in sync: {what}");
    }
}
