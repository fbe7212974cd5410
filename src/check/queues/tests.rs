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
