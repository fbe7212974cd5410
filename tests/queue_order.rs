//! Order, time and identity of the messages of a queue: priority, groups, delay, time to live, and
//! what is recognised when it comes again.
//!
//! As in the other tests of queues every way takes 1 ms, the broker no time and its disk half a
//! millisecond.

mod common;

use common::{Record, measured, run};
use stormglass::engine::Span;

/// `CLIENT` stands in the client, `QUEUE` in the queue, `SEND` in the mailer's operation.
const SHOP: &str = r#"Scenario(
    title: "A shop that writes mails",
    run: (load: "10s", quiet: "60s"),
    network: (latency: "1ms"),
    nodes: {
        "shop": Client(target: "broker", operation: "mail", CLIENT),
        "broker": Broker(cost: "0s", queues: {
            "mail": (consumers: [(to: "mailer", operation: "send"PREFETCH)], QUEUE),
            "dead": (),
        }),
        "mailer": Service(operations: {"send": (SEND)}),
    },
    REST
)"#;

fn shop(client: &str, prefetch: &str, queue: &str, send: &str) -> Record {
    with(client, prefetch, queue, send, "")
}

fn with(client: &str, prefetch: &str, queue: &str, send: &str, rest: &str) -> Record {
    let text = SHOP.replace("CLIENT", client).replace("PREFETCH", prefetch);
    run(&text.replace("QUEUE", queue).replace("SEND", send).replace("REST", rest))
}

/// The numbers of the messages of these facts, in order.
fn numbers(record: &Record, what: &str) -> Vec<u64> {
    record.of(what).iter().map(|fact| fact.key & 0xffff_ffff_ffff).collect()
}

fn held(record: &Record, invariant: &str) {
    let found = record.finding(invariant);
    assert!(found.checked > 0 && found.violations == 0, "{invariant}: {:?}", found.first);
}

const TEN: &str = "load: At([\"0s\"]), batch: 10";
const LOAD: &str = "load: Poisson(rate: \"50/s\")";
const SLOW: &str = "cost: Exponential(mean: \"100ms\"), refuses: \"10 %\"";
/// Business objects that many messages are about.
const FEW: &str = "load: Poisson(rate: \"50/s\"), keys: Uniform(objects: 10)";

#[test]
fn p2p_m8_in_order_of_arrival_messages_are_handed_out_in_order_and_processed_in_any() {
    let record = shop(LOAD, "", "", "cost: Exponential(mean: \"100ms\")");
    assert!(numbers(&record, "queue.delivered").is_sorted());
    assert!(!numbers(&record, "queue.processed").is_sorted());
    assert!(measured(&record.outcome, "consistency.disordered") > 0.0);
    let promised = |it: &stormglass::check::outcome::Finding| it.invariant == "queues-in-order";
    assert!(!record.outcome.findings.iter().any(promised), "it is not promised");
}

#[test]
fn p2p_m8_a_message_that_comes_back_goes_to_where_it_was() {
    let record = shop(TEN, ", prefetch: 1", "", "cost: \"10ms\", refuses: \"50 %\"");
    assert!(numbers(&record, "queue.processed").is_sorted(), "one consumer, one message at a time");
    assert!(measured(&record.outcome, "consistency.redelivered") > 0.0);
}

#[test]
fn p2p_m8_fifo_hands_out_the_next_message_when_the_one_before_is_settled() {
    let record = shop(LOAD, "", "order: Fifo", "cost: \"5ms\", refuses: \"30 %\"");
    assert!(numbers(&record, "queue.processed").is_sorted());
    held(&record, "queues-in-order");
    let busy = record.story(&["queue.delivered", "queue.processed", "queue.returned"]);
    let steps: Vec<bool> = busy.iter().map(|it| it.contains("delivered")).collect();
    assert!(steps.chunks(2).all(|pair| pair != [true, true]), "never two at once");
}

#[test]
fn p2p_m8_groups_are_in_order_and_do_not_wait_for_one_another() {
    let record = shop(FEW, "", "order: Groups()", SLOW);
    held(&record, "queues-in-order");
    assert!(!numbers(&record, "queue.processed").is_sorted(), "groups overtake one another");
    let all = record.of("queue.processed").len();
    assert!(all > 400, "{all}");
    let counted = shop(LOAD, "", "order: Groups(count: 4)", "cost: \"10ms\"");
    held(&counted, "queues-in-order");
    assert!(measured(&counted.outcome, "latency.queued_p99") > 0.012, "four at a time");
}

#[test]
fn p2p_m8_priority_goes_before_arrival() {
    let classes = "load: At([\"0s\"]), batch: 40, classes: [(name: \"bulk\", priority: 5), (name: \"urgent\", priority: 1)]";
    let record = shop(classes, ", prefetch: 1", "order: Priority", "cost: \"10ms\"");
    let urgent: Vec<u32> =
        record.of("request.classed").iter().filter(|it| it.key == 2).map(|it| it.root).collect();
    let roots: Vec<u32> = record.of("queue.processed").iter().map(|it| it.root).collect();
    let late = |root: &&u32| !urgent.contains(root);
    let first = roots[1..].iter().position(|root| late(&root)).expect("some are not urgent");
    assert!(!roots[1 + first..].iter().any(|root| urgent.contains(root)), "{roots:?}");
    assert!(urgent.len() > 10);
}

#[test]
fn p2p_m8_best_effort_is_nearly_in_order_and_not_quite() {
    let record = shop(TEN, ", prefetch: 1", "order: BestEffort(spread: 4)", "cost: \"10ms\"");
    let order = numbers(&record, "queue.delivered");
    assert!(!order.is_sorted(), "{order:?}");
    assert!(order.iter().zip(1..).all(|(number, place)| *number < place + 4), "{order:?}");
}

#[test]
fn p2p_m4_a_delayed_message_is_handed_out_later() {
    let record = shop(TEN, "", "delay: \"5s\"", "cost: \"10ms\"");
    let (accepted, delivered) = (record.times("queue.accepted"), record.times("queue.delivered"));
    assert_eq!(delivered[0] - accepted[0], Span::from_seconds(5));
    assert_eq!(delivered.len(), 10);
    let spread = shop(TEN, "", "delay: Uniform(min: \"1s\", max: \"9s\")", "cost: \"10ms\"");
    assert!(!numbers(&spread, "queue.delivered").is_sorted());
    assert_eq!(spread.of("queue.processed").len(), 10);
}

#[test]
fn p2p_m2_a_message_whose_time_to_live_is_over_is_thrown_away_or_dead() {
    let record = shop(TEN, ", prefetch: 1", "ttl: \"35ms\"", "cost: \"10ms\"");
    // Every 12 ms one is taken up, the last of them 36 ms after the first.
    assert_eq!(numbers(&record, "queue.processed"), [1, 2, 3]);
    assert_eq!(record.of("queue.expired").len(), 7);
    assert_eq!(measured(&record.outcome, "consistency.expired"), 7.0);
    held(&record, "queues-accounted");
    let queue = "ttl: \"35ms\", dead: (to: \"dead\", expired: true)";
    let kept = shop(TEN, ", prefetch: 1", queue, "cost: \"10ms\"");
    assert_eq!(kept.values("queue.dead"), [2; 7]);
    held(&kept, "queues-accounted");
}

#[test]
fn p2p_m5_what_is_published_again_is_recognised_within_the_window() {
    // Answers come too late, so each request is published three times.
    let slow = "faults: {\"slow\": (what: Latency(links: OneWay([\"broker\"], [\"shop\"]), add: \"50ms\"), at: \"0s\", for: \"10s\")}";
    let client =
        "load: Constant(rate: \"10/s\"), count: 20, policy: (timeout: \"20ms\", retries: 2)";
    let known = with(client, "", "deduplication: \"5min\"", "cost: \"10ms\"", slow);
    assert_eq!(known.of("queue.accepted").len(), 20);
    assert_eq!(measured(&known.outcome, "consistency.recognised"), 40.0);
    let unknown = with(client, "", "", "cost: \"10ms\"", slow);
    assert_eq!(unknown.of("queue.accepted").len(), 60);
    let short = with(client, "", "deduplication: \"1ms\"", "cost: \"10ms\"", slow);
    assert_eq!(short.of("queue.accepted").len(), 60, "a window that is too short helps nobody");
}

#[test]
fn p2p_m5_a_restarted_broker_still_recognises_what_it_had() {
    // The answer is held up and the broker crashes: whoever published does not know what it had.
    let faults = "faults: {\"crash\": (what: Crash(node: \"broker\"), on: (fact: \"queue.accepted\", after: \"100us\"), for: \"200ms\"), \"slow\": (what: Latency(links: OneWay([\"broker\"], [\"shop\"]), add: \"300ms\"), at: \"0s\", for: \"50ms\")}";
    let client = "load: At([\"0s\"]), policy: (timeout: \"100ms\", retries: 5, backoff: (base: \"100ms\", max: \"100ms\", jitter: None))";
    let record =
        with(client, "", "deduplication: \"5min\", delay: \"3s\"", "cost: \"10ms\"", faults);
    assert_eq!(record.of("queue.accepted").len(), 1);
    assert_eq!(record.of("queue.duplicate").len(), 1, "{:?}", record.story(&["queue", "request"]));
    assert_eq!(record.of("queue.processed").len(), 1);
    assert_eq!(record.of("request.succeeded").len(), 1);
}

#[test]
fn p2p_m8_a_message_that_goes_to_the_dead_letters_is_not_passed_before_it_is_there() {
    // A slow disk, so that a crash may come while a message is on its way.
    let queue = "order: Groups(count: 3), persistence: Lazy, ttl: \"2s\", length_max: 20, \
                 overflow: DropOldest, dead: (to: \"dead\", expired: true, overflow: true)";
    let text = SHOP.replace("cost: \"0s\"", "cost: \"0s\", disk: (sync: \"100ms\")");
    let text = text.replace("CLIENT", LOAD).replace("PREFETCH", "").replace("QUEUE", queue);
    let text = text.replace("SEND", SLOW);
    for at in (4_000..4_400).step_by(10) {
        let fault =
            format!("\"crash\": (what: Crash(node: \"broker\"), at: \"{at}ms\", for: \"50ms\")");
        let record = run(&text.replace("REST", &format!("faults: {{{fault}}},")));
        assert!(!numbers(&record, "queue.dead").is_empty());
        held(&record, "queues-in-order");
    }
}
