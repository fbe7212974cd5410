//! Promises of queues on facts that are given to them by hand.

use super::*;
use crate::scenario::{load, source::Source};

const TEXT: &str = r#"Scenario(
    title: "Queues",
    run: (load: "1s", quiet: "1s"),
    nodes: {
        "a": Client(target: "b", operation: "mail", load: Constant(rate: "1/s")),
        "b": Broker(queues: {"mail": (order: Fifo)}),
    },
)"#;

struct Bench {
    queues: Queues,
    counts: QueueCounts,
    requests: Requests,
    now: u64,
}

fn bench(text: &str) -> Bench {
    let scenario = load(&Source::new("queues.ron", text)).expect("it can be read");
    let queues = Queues::new(&scenario, &scenario.variants[0], Time(0)).expect("there is a broker");
    let clients = [(NodeId(0), "a".to_owned())];
    let requests = Requests::new(&clients, 2, Time(0), scenario.variants[0].phases.end());
    let counts = QueueCounts::new(true, Time(0), Time::MAX);
    Bench { queues, counts, requests, now: 0 }
}

impl Bench {
    /// The broker notes this about a message.
    fn note(&mut self, what: Name, number: u64, value: u64) {
        self.now += 1;
        let (at, root) = (Time(self.now), Root(number as u32));
        let fact = Fact { at, node: NodeId(1), root, what, key: number, value };
        assert!(self.queues.fact(&fact, &self.requests, &mut self.counts));
    }

    fn violations(&self, promise: Promise) -> u64 {
        self.queues.tally(NodeId(1), Name::of("mail"), promise).violations
    }
}

#[test]
fn a_message_that_a_restarted_broker_does_not_have_is_lost() {
    let mut bench = bench(TEXT);
    bench.note(facts::OPENED, 0, 0);
    bench.note(facts::ACCEPTED, 1, 1);
    bench.note(facts::ACCEPTED, 2, 2);
    bench.note(facts::RECOVERED, 2, 0);
    bench.note(facts::OPENED, 0, 1);
    assert_eq!(bench.violations(Promise::Kept), 1);
    assert_eq!(bench.violations(Promise::AtLeastOnce), 1);
    assert_eq!(bench.violations(Promise::Accounted), 0);
    let first = bench.queues.tally(NodeId(1), Name::of("mail"), Promise::Kept).first;
    assert_eq!(first.map(|one| one.what).as_deref(), Some("message 1 was accepted and is lost"));
}

#[test]
fn what_is_handed_out_twice_breaks_at_most_once_unless_it_never_arrived() {
    let mut bench = bench(TEXT);
    bench.note(facts::ACCEPTED, 1, 1);
    bench.note(facts::DELIVERED, 1, 1);
    bench.note(facts::RETURNED, 1, Return::Undelivered as u64);
    bench.note(facts::DELIVERED, 1, 1);
    assert_eq!(bench.violations(Promise::AtMostOnce), 0);
    bench.note(facts::RETURNED, 1, Return::Overdue as u64);
    bench.note(facts::DELIVERED, 1, 2);
    assert_eq!(bench.violations(Promise::AtMostOnce), 1);
}

#[test]
fn order_is_that_of_first_acknowledgements() {
    let mut bench = bench(TEXT);
    (1..=3).for_each(|number| bench.note(facts::ACCEPTED, number, number));
    for number in [2, 1] {
        bench.note(facts::DELIVERED, number, 1);
        bench.note(facts::PROCESSED, number, 1);
    }
    assert_eq!(bench.violations(Promise::InOrder), 1);
    // A crash brings the second back; that it is processed once more breaks nothing.
    [2, 3].into_iter().for_each(|number| bench.note(facts::RECOVERED, number, 0));
    bench.note(facts::OPENED, 0, 2);
    for number in [3, 2] {
        bench.note(facts::DELIVERED, number, 1);
        bench.note(facts::PROCESSED, number, 1);
    }
    assert_eq!(bench.violations(Promise::InOrder), 1);
    assert_eq!(bench.violations(Promise::Accounted), 0);
}

#[test]
fn what_nobody_was_told_was_accepted_has_no_place_among_others() {
    let mut bench = bench(TEXT);
    // The first was published, and failed as far as its publisher knows; a mirror has it.
    bench.note(facts::ACCEPTED, 2, 1);
    [1, 2].into_iter().for_each(|number| bench.note(facts::RECOVERED, number, 0));
    bench.note(facts::OPENED, 0, 2);
    for number in [1, 2] {
        bench.note(facts::DELIVERED, number, 1);
        bench.note(facts::PROCESSED, number, 1);
    }
    assert_eq!(bench.violations(Promise::InOrder), 0);
    assert_eq!(bench.violations(Promise::Accounted), 0);
}

#[test]
fn what_leaves_twice_or_is_miscounted_is_found_out() {
    let mut bench = bench(TEXT);
    bench.note(facts::ACCEPTED, 1, 2);
    assert_eq!(bench.violations(Promise::Accounted), 1, "the broker says two");
    bench.note(facts::DELIVERED, 1, 1);
    bench.note(facts::PROCESSED, 1, 1);
    bench.note(facts::EXPIRED, 1, 0);
    assert_eq!(bench.violations(Promise::Accounted), 2);
}

#[test]
fn only_what_is_promised_is_checked_without_being_asked_for() {
    let names = |text: &str| -> Vec<String> {
        bench(text).queues.findings().into_iter().map(|one| one.invariant).collect()
    };
    let fifo = ["queues-kept", "queues-at-least-once", "queues-in-order", "queues-accounted"];
    assert_eq!(names(TEXT), fifo);
    let once = TEXT.replace("order: Fifo", "guarantee: AtMostOnce, persistence: Off");
    assert_eq!(names(&once), ["queues-at-most-once", "queues-accounted"]);
}

/// A broker without queues: subscriptions `one` and `two`, of which the second has a filter, and a
/// topic behind them.
const TOPIC: &str = r#"Scenario(
    title: "Topics",
    run: (load: "1s", quiet: "1s"),
    nodes: {
        "a": Client(target: "b", operation: "news", load: Constant(rate: "1/s")),
        "b": Broker(topics: {"news": ()}, subscriptions: {
            "one": (topics: "news", until: "1500ms"),
            "two": (topics: "news", filter: (values: (1, 2))),
        }),
    },
)"#;

impl Bench {
    /// The place of a subscription.
    fn subscription(&self, name: &str) -> u64 {
        let is_it = |queue: &Queue| queue.about.name == Name::of(name);
        self.queues.queues.iter().position(is_it).expect("it is there") as u64
    }

    /// The broker notes this about the copy that this subscription has, or does not get.
    fn note_copy(&mut self, what: Name, name: &str, number: u64, value: u64) {
        let place = self.subscription(name);
        self.note(what, place << 48 | number, value);
    }

    fn publish(&mut self, number: u64, since: u64) {
        self.note(facts::PUBLISHED, 2 << 48 | number, since);
    }

    fn incomplete(&self, name: &str) -> u64 {
        self.queues.tally(NodeId(1), Name::of(name), Promise::Complete).violations
    }
}

#[test]
fn a_subscription_that_gets_no_copy_of_an_event_is_incomplete() {
    let mut bench = bench(TOPIC);
    bench.publish(1, 0);
    bench.note_copy(facts::ACCEPTED, "one", 1, 1);
    bench.note_copy(facts::FILTERED, "two", 1, 0);
    bench.publish(2, 0);
    bench.note_copy(facts::ACCEPTED, "two", 2, 1);
    assert_eq!((bench.incomplete("one"), bench.incomplete("two")), (0, 0), "it may still come");
    bench.publish(3, 0);
    assert_eq!((bench.incomplete("one"), bench.incomplete("two")), (1, 0));
    let first = bench.queues.tally(NodeId(1), Name::of("one"), Promise::Complete).first;
    assert_eq!(first.map(|one| one.what).as_deref(), Some("event 2 never came"));
    // The run ends before the third has come.
    bench.queues.close(Time(1_000), &mut bench.counts);
    assert_eq!((bench.incomplete("one"), bench.incomplete("two")), (2, 1));
}

#[test]
fn what_is_left_out_without_a_filter_or_missed_makes_a_subscription_incomplete() {
    let mut bench = bench(TOPIC);
    bench.publish(1, 0);
    bench.note_copy(facts::FILTERED, "one", 1, 0);
    bench.note_copy(facts::MISSED, "two", 1, 0);
    assert_eq!((bench.incomplete("one"), bench.incomplete("two")), (1, 1));
    assert_eq!(bench.queues.topics.value("consistency.missed"), Some(1.0));
    assert_eq!(bench.queues.topics.value("cost.filtered"), Some(1.0));
}

#[test]
fn a_subscription_that_has_ended_is_owed_nothing_and_gets_nothing() {
    let mut bench = bench(TOPIC);
    bench.now = 1_600_000_000;
    bench.publish(1, 1_550_000_000);
    bench.note_copy(facts::ACCEPTED, "two", 1, 1);
    bench.publish(2, 1_550_000_000);
    bench.note_copy(facts::ACCEPTED, "one", 2, 1);
    bench.note_copy(facts::ACCEPTED, "two", 2, 2);
    bench.publish(3, 1_550_000_000);
    assert_eq!((bench.incomplete("one"), bench.incomplete("two")), (1, 0));
    let first = bench.queues.tally(NodeId(1), Name::of("one"), Promise::Complete).first;
    assert_eq!(first.map(|one| one.what).as_deref(), Some("event 2 came, and it was not there"));
}

#[test]
fn an_event_is_seen_by_all_when_the_last_subscription_has_processed_it() {
    let mut bench = bench(TOPIC);
    for number in [1, 2] {
        bench.publish(number, 0);
        bench.note_copy(facts::ACCEPTED, "one", number, number);
        bench.note_copy(facts::ACCEPTED, "two", number, number);
    }
    bench.note_copy(facts::PROCESSED, "one", 1, 1);
    bench.now += 500;
    bench.note_copy(facts::PROCESSED, "two", 1, 1);
    bench.note_copy(facts::PROCESSED, "one", 2, 1);
    bench.note_copy(facts::EXPIRED, "two", 2, 0);
    let value = |id| bench.queues.topics.value(id);
    assert_eq!(value("availability.seen_by_all"), Some(0.5));
    assert_eq!(value("latency.spread_p99"), Some(501e-9));
    assert_eq!(value("cost.fan_out"), Some(2.0));
}
