//! The mechanics of the queue, one by one, each on a handful of messages that can be checked by
//! hand.
//!
//! The names of the tests carry the ids of the mechanics. Every way of a message takes 1 ms, the
//! broker needs no time and its disk half a millisecond, so a message that is published at 0 is
//! taken in at 1.5 ms and is with its consumer at 2.5 ms.

mod common;

use common::mails::text;
use common::{Record, at, measured, run};
use stormglass::engine::{Span, Time};

fn shop(words: &[(&str, &str)]) -> Record {
    run(&text(words))
}

/// The numbers of the messages of these facts, in order.
fn numbers(record: &Record, what: &str) -> Vec<u64> {
    record.of(what).iter().map(|fact| fact.key & 0xffff_ffff_ffff).collect()
}

/// What every run promises whatever its settings are.
fn sound(record: &Record) {
    for found in &record.outcome.findings {
        assert_eq!(found.violations, 0, "{}: {:?}", found.invariant, found.first);
    }
    assert!(record.finding("queues-accounted").checked > 0);
}

/// The instant so many microseconds after the start.
fn us(count: u64) -> Time {
    Time(0) + Span::from_micros(count)
}

/// Ten messages at once.
const TEN: (&str, &str) = ("LOAD", "At([\"0s\"]), batch: 10");
const ONE_AT_A_TIME: (&str, &str) = ("PREFETCH", ", prefetch: 1");

#[test]
fn p2p_m1_a_queue_is_between_those_who_publish_and_one_service_that_consumes() {
    let record = shop(&[]);
    assert_eq!(record.times("queue.accepted"), [us(1500)]);
    assert_eq!(record.passed("broker", "mailer", false, "Arrived"), [us(2500)]);
    assert!(record.passed("shop", "mailer", false, "Sent").is_empty());
    // 10 ms of work, and the answer is the acknowledgement.
    assert_eq!(record.times("queue.processed"), [us(13_500)]);
    sound(&record);
}

#[test]
fn p2p_m1_instances_of_the_consuming_service_compete() {
    let mailers = "Instances(of: Service(machine: (workers: 1), operations: {\"send\": (cost: \"10ms\")}), count: 5)";
    let record = shop(&[TEN, ONE_AT_A_TIME, ("CONSUMER", mailers)]);
    for instance in ["mailer/1", "mailer/2", "mailer/3", "mailer/4", "mailer/5"] {
        let got = record.passed("broker", instance, false, "Arrived");
        assert_eq!(got.len(), 2, "{instance}");
        assert_eq!(got[1] - got[0], Span::from_millis(12), "one at a time");
    }
    assert_eq!(record.of("queue.processed").len(), 10, "each message goes to one of them");
    sound(&record);
}

#[test]
fn p2p_m1_a_service_publishes_with_a_call_and_whoever_asked_it_is_answered_at_once() {
    let text = text(&[]).replace(
        "target: \"broker\", operation: \"mail\"",
        "target: \"orders\", operation: \"buy\"",
    );
    let orders = r#""orders": Service(operations: {"buy": (cost: "2ms", calls: [(to: "broker", operation: "mail")])}), "mailer""#;
    let record = run(&text.replace("\"mailer\"", orders).replacen("to: \"orders\": Service(operations: {\"buy\": (cost: \"2ms\", calls: [(to: \"broker\", operation: \"mail\")])}), \"mailer\"", "to: \"mailer\"", 1));
    assert_eq!(record.times("queue.accepted"), [us(4500)]);
    assert_eq!(record.latencies(), [Span::from_micros(6500)]);
    assert_eq!(record.of("queue.processed")[0].root, record.of("request.started")[0].root);
    sound(&record);
}

#[test]
fn p2p_m2_a_queue_without_bounds_takes_in_all() {
    let record = shop(&[TEN, ONE_AT_A_TIME]);
    // The first alone; the others share the next sync of the disk.
    assert_eq!(record.times("queue.accepted")[..3], [us(1500), us(2000), us(2000)]);
    assert_eq!(record.of("queue.accepted").len(), 10);
    assert_eq!(measured(&record.outcome, "saturation.depth_peak"), 10.0);
    // One after the other, 12 ms each with the ways there and back.
    assert_eq!(*record.times("queue.processed").last().expect("ten"), us(1500 + 120_000));
    sound(&record);
}

#[test]
fn p2p_m2_a_full_queue_rejects() {
    let record = shop(&[TEN, ONE_AT_A_TIME, ("QUEUE", "length_max: 3")]);
    assert_eq!(numbers(&record, "queue.accepted"), [1, 2, 3]);
    assert_eq!(record.told(), ["overloaded"; 7]);
    assert_eq!(measured(&record.outcome, "availability.rejected"), 7.0);
    sound(&record);
}

#[test]
fn p2p_m2_a_full_queue_drops_its_oldest() {
    let bounds = ("QUEUE", "length_max: 3, overflow: DropOldest");
    let record = shop(&[TEN, ONE_AT_A_TIME, bounds]);
    assert_eq!(numbers(&record, "queue.dropped"), [2, 3, 4, 5, 6, 7], "1 is with the mailer");
    assert_eq!(numbers(&record, "queue.processed"), [1, 8, 9, 10]);
    assert!(record.told().is_empty(), "whoever published them does not know");
    assert_eq!(measured(&record.outcome, "consistency.dropped"), 6.0);
    assert_eq!(measured(&record.outcome, "consistency.unprocessed"), 6.0);
    sound(&record);
    let kept = "length_max: 3, overflow: DropOldest, dead: (to: \"dead\", overflow: true)";
    let record = shop(&[TEN, ONE_AT_A_TIME, ("QUEUE", kept)]);
    assert_eq!(numbers(&record, "queue.dead"), [2, 3, 4, 5, 6, 7]);
    sound(&record);
}

#[test]
fn p2p_m2_a_full_queue_blocks_whoever_publishes() {
    let record = shop(&[TEN, ONE_AT_A_TIME, ("QUEUE", "length_max: 3, overflow: Block")]);
    assert_eq!(record.of("queue.processed").len(), 10);
    // Room comes when the mailer takes a message: the first at once, then one every 12 ms.
    let accepted = record.times("queue.accepted");
    assert_eq!(accepted[3..6], [us(2500), us(14_500), us(26_500)]);
    assert_eq!(*record.latencies().last().expect("ten"), Span::from_micros(75_500));
    sound(&record);
}

#[test]
fn p2p_m2_who_waits_for_room_gets_it_when_a_message_could_not_be_kept() {
    let broken = (
        "REST",
        "faults: {\"broken\": (what: SyncFails(node: \"broker\"), at: \"0s\", for: \"2ms\")},",
    );
    let record = shop(&[TEN, ONE_AT_A_TIME, broken, ("QUEUE", "length_max: 1, overflow: Block")]);
    assert!((1..4).contains(&record.told().len()), "{:?}", record.told());
    assert_eq!(record.of("queue.processed").len(), 10 - record.told().len());
    sound(&record);
}

#[test]
fn p2p_m3_whoever_publishes_goes_on_when_the_broker_has_the_message() {
    let slow = "Service(operations: {\"send\": (cost: \"8s\")})";
    let record = shop(&[("CONSUMER", slow)]);
    assert_eq!(record.latencies(), [Span::from_micros(2500)]);
    assert_eq!(record.times("queue.processed"), [us(8_003_500)]);
    assert!((measured(&record.outcome, "latency.processed_p50") - 8.0035).abs() < 0.01);
    sound(&record);
}

#[test]
fn p2p_m3_what_is_sent_one_way_is_not_even_awaited_by_its_sender() {
    let record = run(r#"Scenario(
    title: "Fire and forget",
    run: (load: "1s", quiet: "1s"),
    network: (latency: "1ms"),
    nodes: {
        "shop": Client(target: "orders", operation: "buy", load: At(["0s"])),
        "orders": Service(operations: {"buy": (cost: "2ms", calls: [(to: "broker", operation: "mail", one_way: true)])}),
        "broker": Broker(cost: "0s", queues: {"mail": (length_max: 1)}),
    },
)"#);
    assert_eq!(record.latencies(), [Span::from_micros(4000)], "there, 2 ms of work, and back");
    assert_eq!(record.times("queue.accepted"), [us(4500)]);
    assert!(record.passed("broker", "orders", true, "Sent").is_empty());
}

#[test]
fn p2p_m4_the_consumer_has_as_many_messages_as_it_wants_at_once() {
    let record = shop(&[TEN, ("PREFETCH", ", prefetch: 2")]);
    let arrived = record.passed("broker", "mailer", false, "Arrived");
    let pair = |pair: u64| [us(2500 + 12_000 * pair), us(3000 + 12_000 * pair)];
    let pairs: Vec<Time> = (0..5).flat_map(pair).collect();
    assert_eq!(arrived, pairs);
    let all = shop(&[TEN]);
    assert_eq!(all.passed("broker", "mailer", false, "Arrived")[1..], [us(3000); 9]);
    let few = shop(&[TEN, ("QUEUE", "in_flight_max: 2")]);
    assert_eq!(few.passed("broker", "mailer", false, "Arrived"), pairs, "or as the queue says");
}

/// A consumer that asks for messages, with these settings.
fn pulling(settings: &str, queue: &str) -> Vec<(&'static str, String)> {
    let node = format!(
        "\"fetcher\": Consumer(from: \"broker\", queue: \"mail\", to: \"mailer\", operation: \"send\", {settings}),"
    );
    vec![("NODES", node), ("QUEUE", queue.to_owned())]
}

fn pull(words: &[(&str, &str)], settings: &str, queue: &str) -> Record {
    let more = pulling(settings, queue);
    let more = more.iter().map(|(place, word)| (*place, word.as_str()));
    let words: Vec<(&str, &str)> = words.iter().copied().chain(more).collect();
    let push = "consumers: [(to: \"mailer\", operation: \"send\")],";
    run(&text(&words).replace(push, ""))
}

#[test]
fn p2p_m4_a_consumer_that_asks_is_given_a_batch_when_it_is_free() {
    let record = pull(&[TEN], "concurrency: 4, batch: 3", "");
    // It has asked before there was anything, and the broker has kept the question.
    assert_eq!(record.passed("fetcher", "broker", false, "Sent")[0], at(0));
    let arrived = record.passed("fetcher", "mailer", false, "Arrived");
    // The first message alone, for it was asked for when the first came.
    assert_eq!(arrived[0], us(3500));
    assert_eq!(arrived[1..4], [us(5500); 3], "then as many as there is room for");
    assert_eq!(record.of("queue.processed").len(), 10);
    sound(&record);
}

#[test]
fn p2p_m4_without_long_polling_a_consumer_asks_again_and_again() {
    let load = ("LOAD", "At([\"2500ms\"])");
    let short = pull(&[load], "wait: \"0s\", pause: \"1s\"", "");
    let long = pull(&[load], "wait: \"20s\"", "");
    let asked = |record: &Record| record.passed("fetcher", "broker", false, "Sent").len();
    assert!(asked(&short) > 20 && asked(&long) < 5, "{} {}", asked(&short), asked(&long));
    let accepted = us(2_501_500);
    assert_eq!(long.times("queue.delivered"), [accepted]);
    assert!(short.times("queue.delivered")[0] > accepted + Span::from_millis(400));
}

#[test]
fn p2p_m5_at_least_once_a_message_is_handed_out_again_until_it_is_acknowledged() {
    let never = "Service(operations: {\"send\": (cost: \"10ms\", refuses: \"100 %\")})";
    let faults = "faults: {\"errors\": (what: Errors(node: \"mailer\", operation: \"send\", rate: \"100 %\"), at: \"0s\", for: \"30ms\")}";
    let record = shop(&[("REST", faults)]);
    // Refused at 12.5 and at 24.5 ms, done at 36.5.
    assert_eq!(record.values("queue.delivered"), [1, 2, 3]);
    assert_eq!(record.values("queue.returned"), [1, 1], "refused");
    assert_eq!(record.times("queue.processed"), [us(37_500)]);
    assert_eq!(measured(&record.outcome, "consistency.redelivered"), 2.0);
    sound(&record);
    let wait = "redelivery: (base: \"1s\", max: \"1s\", jitter: None)";
    let slow = shop(&[("CONSUMER", never), ("QUEUE", wait)]);
    let delivered = slow.times("queue.delivered");
    assert_eq!(delivered[1] - delivered[0], Span::from_millis(1012));
}

#[test]
fn p2p_m5_a_message_that_is_not_acknowledged_in_time_becomes_visible_again() {
    let slow = "Service(operations: {\"send\": (cost: \"8s\")})";
    let record = shop(&[("CONSUMER", slow), ("QUEUE", "visibility: \"5s\"")]);
    assert_eq!(record.times("queue.delivered")[..3], [us(1500), us(5_001_500), us(10_001_500)]);
    assert_eq!(record.values("queue.returned")[0], 2, "overdue");
    assert!(record.of("queue.processed").is_empty(), "an answer that comes late counts nothing");
    sound(&record);
}

#[test]
fn p2p_m5_a_consumer_that_extends_the_visibility_keeps_its_message() {
    let slow = [("CONSUMER", "Service(operations: {\"send\": (cost: \"8s\")})")];
    let kept = pull(&slow, "extend_every: \"2s\"", "visibility: \"5s\"");
    assert_eq!(kept.of("queue.delivered").len(), 1);
    assert_eq!(kept.of("queue.processed").len(), 1);
    let lost = pull(&slow, "concurrency: 9", "visibility: \"5s\"");
    assert!(lost.of("queue.delivered").len() > 1);
    assert!(lost.of("queue.processed").is_empty(), "it is always too late");
    let late = pull(&slow, "concurrency: 9", "visibility: \"5s\", late_acks: true");
    assert_eq!(late.times("queue.processed"), [us(8_005_500)], "the first that is done counts");
    assert_eq!(late.of("queue.repeated").len(), 1, "and the second was in vain");
    sound(&late);
}

#[test]
fn p2p_m5_a_consumer_gives_back_what_it_cannot_process_or_leaves_it_to_the_timeout() {
    let never =
        [("CONSUMER", "Service(operations: {\"send\": (cost: \"10ms\", refuses: \"100 %\")})")];
    let left = pull(&never, "", "visibility: \"3s\"");
    let delivered = left.times("queue.delivered");
    assert_eq!(delivered[1] - delivered[0], Span::from_seconds(3));
    let given = pull(&never, "releases: true", "visibility: \"3s\"");
    let delivered = given.times("queue.delivered");
    assert!(delivered[1] - delivered[0] < Span::from_millis(20));
}

#[test]
fn p2p_m5_at_most_once_a_message_is_handed_out_once_whatever_becomes_of_it() {
    let half = "Service(operations: {\"send\": (cost: \"10ms\", poison: \"50 %\")})";
    let record = shop(&[TEN, ("CONSUMER", half), ("QUEUE", "guarantee: AtMostOnce")]);
    let (done, gone) = (record.of("queue.processed").len(), record.of("queue.unconfirmed").len());
    assert!(done > 0 && gone > 0 && done + gone == 10, "{done} {gone}");
    assert_eq!(record.of("queue.delivered").len(), 10);
    let found = record.finding("queues-at-most-once");
    assert_eq!((found.checked, found.violations), (10, 0));
    sound(&record);
    // It has left the log before it is on its way: half a millisecond later than otherwise.
    let one = shop(&[("QUEUE", "guarantee: AtMostOnce")]);
    assert_eq!(one.times("queue.delivered"), [us(2000)]);
}

fn crash(node: &str, at: &str, lasts: &str, how: &str) -> String {
    format!(
        "faults: {{\"crash\": (what: Crash(node: \"{node}\"{how}), at: \"{at}\", for: \"{lasts}\")}}"
    )
}

/// Ten messages that wait for a mailer which is not there, while the broker crashes.
fn crashed(queue: &str, broker: &str, nodes: &str, how: &str) -> Record {
    let faults = format!(
        "faults: {{\"mailer\": (what: Crash(node: \"mailer\"), at: \"0s\", for: \"3s\"), \
         \"broker\": (what: Crash(node: \"broker\"{how}), at: \"1s\", for: \"1s\")}}, \
         budgets: []"
    );
    let words = [TEN, ("QUEUE", queue), ("BROKER", broker), ("NODES", nodes), ("REST", &faults)];
    shop(&words)
}

#[test]
fn p2p_m5_a_crash_of_the_broker_loses_what_its_persistence_says() {
    let on = crashed("", "", "", "");
    assert_eq!(on.of("queue.recovered").len(), 10);
    assert_eq!(on.of("queue.processed").len(), 10);
    sound(&on);
    let off = crashed("persistence: Off", "", "", "");
    assert_eq!(off.of("queue.accepted").len(), 10);
    assert!(off.of("queue.recovered").is_empty() && off.of("queue.processed").is_empty());
    assert_eq!(measured(&off.outcome, "consistency.messages_lost"), 10.0);
    let promised = &off.finding("queues-kept").says;
    assert_eq!(promised, "no message that dead of broker accepted is lost", "this one promises it");
    sound(&off);
    // A disk that takes a while: what was taken in before it has written is lost.
    let slow = "disk: (sync: \"600ms\"),";
    let lazy = crashed("persistence: Lazy", slow, "", "");
    assert_eq!(lazy.of("queue.recovered").len(), 1, "the first sync has covered the first message");
    assert_eq!(measured(&lazy.outcome, "consistency.messages_lost"), 9.0);
    sound(&lazy);
}

#[test]
fn p2p_m5_a_mirrored_queue_survives_the_loss_of_the_brokers_disk() {
    let mirrors = "\"one\": Broker(cost: \"0s\"), \"two\": Broker(cost: \"0s\"),";
    let three = "mirrors: [\"one\", \"two\"],";
    let wiped = ", wipe: true";
    let kept = crashed("persistence: Mirrored", three, mirrors, wiped);
    assert_eq!(kept.of("queue.recovered").len(), 10);
    assert_eq!(kept.of("queue.processed").len(), 10);
    // It hears from its mirrors after 2 ms; there, half a millisecond for both disks at once, and
    // back.
    assert_eq!(kept.times("queue.accepted")[0], us(4500));
    sound(&kept);
    let lost = crashed("", "", "", wiped);
    assert!(lost.of("queue.recovered").is_empty());
    assert_eq!(lost.finding("queues-kept").violations, 10, "what a disk has is gone with it");
}

#[test]
fn p2p_m6_messages_accumulate_while_the_consumer_is_down_and_drain_after() {
    let load = ("LOAD", "Constant(rate: \"100/s\"), count: 500");
    let mailer = "Service(machine: (workers: 1), operations: {\"send\": (cost: \"5ms\")})";
    let down = crash("mailer", "1s", "2s", "");
    let prefetch = ("PREFETCH", ", prefetch: 1, reconnect: \"100ms\"");
    let record = shop(&[load, prefetch, ("CONSUMER", mailer), ("REST", &down)]);
    assert_eq!(record.of("queue.processed").len(), 500);
    let peak = measured(&record.outcome, "saturation.depth_peak");
    assert!((200.0..=215.0).contains(&peak), "{peak} messages came in 2 s");
    // 7 ms a message with the ways there and back: 86 of the 200 until the load ends at 5 s, the
    // other 114 in 0.8 s.
    let drain = measured(&record.outcome, "saturation.drain");
    assert!((2.7..=2.9).contains(&drain), "{drain}");
    assert!(record.told().is_empty(), "whoever publishes does not notice");
    // While it is down the broker tries every so often whether it is there.
    let tried = record.values("queue.returned").iter().filter(|why| **why == 4).count();
    assert!((15..=25).contains(&tried), "{tried}");
    sound(&record);
}

#[test]
fn a_queue_can_be_slow_while_others_of_its_broker_are_not() {
    for (slow, accepted, delivered) in [("mail", 6_500, 11_500), ("dead", 2_500, 3_500)] {
        let fault = format!(
            "faults: {{\"slow\": (what: Slow(node: \"broker\", factor: \"5x\", operation: \"{slow}\"), at: \"0s\")}}"
        );
        let record = run(&text(&[("REST", &fault)]).replace("cost: \"0s\"", "cost: \"1ms\""));
        assert_eq!(record.times("queue.accepted"), [us(accepted)], "{slow}");
        assert_eq!(record.times("queue.delivered"), [us(delivered)], "{slow}");
        sound(&record);
    }
}

#[test]
fn p2p_m6_a_message_that_was_being_processed_is_handed_out_again() {
    let down = crash("mailer", "5ms", "1s", "");
    let record = shop(&[("REST", &down)]);
    assert_eq!(record.values("queue.returned")[0], 3, "the connection broke");
    assert_eq!(record.of("queue.processed").len(), 1);
    assert_eq!(*record.values("queue.delivered").last().expect("two"), 2);
    sound(&record);
}

const POISONED: &str = "Service(operations: {\"send\": (cost: \"10ms\", refuses: \"100 %\")})";

#[test]
fn p2p_m7_a_message_that_is_handed_out_too_often_becomes_a_dead_letter() {
    let dead = ("QUEUE", "deliveries_max: 3, dead: (to: \"dead\")");
    let record = shop(&[("CONSUMER", POISONED), dead]);
    assert_eq!(record.values("queue.delivered"), [1, 2, 3]);
    assert_eq!(record.values("queue.dead"), [1]);
    assert_eq!(record.of("queue.accepted").len(), 2, "there, and then among the dead");
    assert_eq!(measured(&record.outcome, "consistency.dead"), 1.0);
    assert_eq!(measured(&record.outcome, "consistency.unprocessed"), 1.0);
    sound(&record);
    let dropped = shop(&[("CONSUMER", POISONED), ("QUEUE", "deliveries_max: 3")]);
    assert_eq!(dropped.values("queue.dropped"), [1], "without a place for the dead");
    sound(&dropped);
}

#[test]
fn p2p_m7_dead_letters_are_moved_back_when_somebody_says_so() {
    let dead = ("QUEUE", "deliveries_max: 3, dead: (to: \"dead\", redrive: [\"5s\"])");
    let faults = "faults: {\"errors\": (what: Errors(node: \"mailer\", operation: \"send\", rate: \"100 %\"), at: \"0s\", for: \"1s\")}";
    let record = shop(&[TEN, dead, ("REST", faults)]);
    assert_eq!(record.of("queue.dead").len(), 10);
    assert_eq!(record.times("queue.redriven").first(), Some(&us(5_000_500)));
    assert_eq!(record.of("queue.processed").len(), 10);
    let again: Vec<i64> = record.values("queue.delivered")[30..].to_vec();
    assert_eq!(again, [1; 10], "as if they were new");
    assert_eq!(measured(&record.outcome, "consistency.unprocessed"), 0.0);
    sound(&record);
}

#[test]
fn p2p_m7_dead_letters_and_their_origin_survive_a_crash() {
    let dead = ("QUEUE", "deliveries_max: 1, dead: (to: \"dead\", redrive: [\"5s\"])");
    let faults = "faults: {\"errors\": (what: Errors(node: \"mailer\", operation: \"send\", rate: \"100 %\"), at: \"0s\", for: \"1s\"), \"broker\": (what: Crash(node: \"broker\"), at: \"2s\", for: \"1s\")}";
    let record = shop(&[TEN, dead, ("REST", faults)]);
    assert_eq!(record.of("queue.recovered").len(), 10);
    assert_eq!(record.of("queue.processed").len(), 10);
    sound(&record);
}
