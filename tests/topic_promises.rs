//! What the settings of a subscription promise holds under any faults that leave disks intact, and
//! what they do not promise does not hold for long.

mod common;

use common::promises::{self, bounds, faults, fitting, guarantee, holds, order, persistence};
use proptest::prelude::*;
use stormglass::check::outcome::Outcome;

/// `SUBSCRIPTION` stands for more of the subscription that is looked at, `QUEUE` for its queue,
/// `OTHER` for the queue of another, `TOPIC` for the topics' settings, `FAULTS` for the faults.
const TEXT: &str = r#"Scenario(
    title: "Promises",
    run: (load: "6s", quiet: "30s"),
    network: (latency: LogNormal(median: "1ms", p99: "5ms")),
    nodes: {
        "shop": Client(
            target: "broker", operation: "orders.placed", load: Poisson(rate: "60/s"), keys: Uniform(objects: 20),
            policy: (timeout: "200ms", retries: 3, backoff: (base: "50ms", max: "400ms")),
            classes: [(name: "low", priority: 3), (name: "high", priority: 1)],
        ),
        "bank": Client(target: "broker", operation: "orders.paid", load: Poisson(rate: "20/s"), policy: (timeout: "200ms")),
        "broker": Broker(
            mirrors: ["mirror-1", "mirror-2"],
            disk: (sync: "DISK"),
            queues: {"dead": (persistence: Mirrored)},
            topics: {"orders.placed": (TOPIC), "orders.paid": (TOPIC)},
            subscriptions: {
                "jobs": (topics: "orders.*", SUBSCRIPTION queue: (consumers: [
                    (to: "worker", operation: "do", prefetch: 5, reconnect: "200ms"),
                ], QUEUE)),
                "others": (topics: "orders.placed", queue: (consumers: [
                    (to: "other", operation: "do", reconnect: "200ms"),
                ], OTHER)),
            },
        ),
        "mirror-1": Broker(),
        "mirror-2": Broker(),
        "worker": Service(operations: {"do": (cost: Exponential(mean: "40ms"), refuses: "10 %")}),
        "other": Service(operations: {"do": (cost: Exponential(mean: "10ms"))}),
    },
    faults: {FAULTS},
    invariants: {
        "complete": Complete(broker: "broker", subscription: "jobs"),
        "kept": Kept(broker: "broker", queue: "jobs"),
        "at-least-once": AtLeastOnce(broker: "broker", queue: "jobs"),
        "at-most-once": AtMostOnce(broker: "broker", queue: "jobs"),
        "in-order": InOrder(broker: "broker", queue: "jobs"),
    },
)"#;

/// The settings of one subscription, of the queue of another, and of the topics.
#[derive(Clone, Debug, Default)]
struct Settings {
    subscription: String,
    queue: String,
    other: String,
    topic: String,
}

fn run(settings: &Settings, faults: &str, seed: u64) -> Outcome {
    let Settings { subscription, queue, other, topic } = settings;
    // A disk that takes its time, where it is not waited for: then a crash finds something to lose.
    let is_lazy = queue.contains("Lazy") && other.contains("Off");
    let text = TEXT
        .replace("DISK", if is_lazy { "100ms" } else { "500us" })
        .replace("TOPIC", topic)
        .replace("OTHER", other)
        .replace("SUBSCRIPTION", subscription)
        .replace("QUEUE", queue)
        .replace("FAULTS", faults);
    promises::run(&text, seed)
}

/// Is it broken by some seed?
fn breaks(subscription: &str, queue: &str, faults: &str, invariant: &str) -> bool {
    let settings = Settings {
        subscription: subscription.to_owned(),
        queue: queue.to_owned(),
        other: "persistence: Off".to_owned(),
        topic: String::new(),
    };
    promises::breaks(invariant, |seed| run(&settings, faults, seed))
}

const CRASH: &str = r#""crash": (what: Crash(node: "broker"), at: "3s", for: "500ms")"#;
const CONSUMER: &str = r#""crash": (what: Crash(node: "worker"), at: "3s", for: "500ms")"#;

#[test]
fn what_is_not_promised_is_sometimes_broken() {
    // Not durable: what comes while no consumer is connected, and all that there is in a crash.
    assert!(breaks("durable: false,", "", CONSUMER, "complete"));
    assert!(breaks("durable: false,", "delay: \"300ms\"", CRASH, "complete"));
    assert!(!breaks("", "", CONSUMER, "complete"), "a durable one waits");
    assert!(!breaks("", "delay: \"300ms\"", CRASH, "complete"));
    // In memory a crash loses what waits; a lazy disk loses the last of it.
    assert!(breaks("", "persistence: Off, delay: \"300ms\"", CRASH, "complete"));
    assert!(breaks("", "persistence: Lazy, delay: \"300ms\"", CRASH, "complete"));
    assert!(breaks("", "guarantee: AtMostOnce", CONSUMER, "complete"));
    // At least once is more than once.
    assert!(breaks("", "visibility: \"1s\"", CONSUMER, "at-most-once"));
    assert!(breaks("", "", "", "in-order"));
    // A disk that is lost takes with it what nobody else has.
    let wiped = r#""crash": (what: Crash(node: "broker", wipe: true), at: "3s", for: "500ms")"#;
    assert!(breaks("", "persistence: On, delay: \"300ms\"", wiped, "complete"));
    assert!(!breaks("", "persistence: Mirrored, delay: \"300ms\"", wiped, "complete"));
}

fn settings() -> impl Strategy<Value = Settings> {
    let extras = prop_oneof![
        2 => Just(""),
        1 => Just("ttl: \"2s\", "),
        1 => Just("delay: \"300ms\", "),
        1 => Just("in_flight_max: 3, "),
        1 => Just("dead: (to: \"dead\", expired: true, redrive: [\"5s\"]), ttl: \"2s\", "),
    ];
    let of_subscription = prop_oneof![
        3 => Just(""),
        2 => Just("durable: false, "),
        1 => Just("filter: (keys: Modulo(divisor: 3, remainders: [0, 2])), "),
        1 => Just("filter: (classes: [\"high\"], share: \"70 %\"), "),
        1 => Just("from: \"1s\", until: \"4s\", "),
    ];
    let topic = prop_oneof![2 => Just(""), 1 => Just("deduplication: \"10s\"")];
    let queue =
        (persistence(), guarantee(), order(), bounds(), extras, 100_u64..3_000, any::<bool>());
    (queue, of_subscription, persistence(), topic).prop_map(
        |(
            (kept, guarantee, order, bounds, extras, visibility, limit),
            subscription,
            other,
            topic,
        )| {
            let is_once = guarantee == "AtMostOnce";
            let kept = match kept {
                _ if subscription.contains("durable") => "Off",
                // Mirrors and at most once do not go together.
                "Mirrored" if is_once => "On",
                kept => kept,
            };
            let extras = fitting(extras, order);
            let limit = if limit && !is_once { "deliveries_max: 4, " } else { "" };
            Settings {
                subscription: subscription.to_owned(),
                queue: format!(
                    "persistence: {kept}, guarantee: {guarantee}, order: {order}, \
                     visibility: \"{visibility}ms\", {bounds}{extras}{limit}"
                ),
                other: format!("persistence: {other}"),
                topic: topic.to_owned(),
            }
        },
    )
}

proptest! {
    #![proptest_config(common::promises::cases(400))]

    #[test]
    fn what_is_promised_holds(settings in settings(), faults in faults("other"), seed in any::<u64>()) {
        let outcome = run(&settings, &faults, seed);
        holds(&outcome, |it| it.starts_with("queues-") || it.starts_with("subscriptions-"))?;
        let looked = outcome.findings.iter().find(|it| it.invariant == "queues-accounted");
        prop_assert!(looked.is_some_and(|it| it.checked > 0));
    }
}
