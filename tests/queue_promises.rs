//! What a queue's settings promise holds under any faults that leave disks intact, and what they do
//! not promise does not hold for long.

mod common;

use common::promises::{self, bounds, faults, fitting, guarantee, holds, order, persistence};
use proptest::prelude::*;
use stormglass::check::outcome::Outcome;

/// `QUEUE` stands in the queue, `PUSH` in its consumers, `PULL` among the nodes, `SEND` in what the
/// worker does, `FAULTS` for the faults. All four invariants are looked at, promised or not.
const TEXT: &str = r#"Scenario(
    title: "Promises",
    run: (load: "6s", quiet: "30s"),
    network: (latency: LogNormal(median: "1ms", p99: "5ms")),
    nodes: {
        "shop": Client(
            target: "broker", operation: "jobs", load: Poisson(rate: "60/s"), keys: Uniform(objects: 20),
            policy: (timeout: "200ms", retries: 3, backoff: (base: "50ms", max: "400ms")),
            classes: [(name: "low", priority: 3), (name: "high", priority: 1)],
        ),
        "broker": Broker(
            mirrors: ["mirror-1", "mirror-2"],
            disk: (sync: "DISK"),
            queues: {"jobs": (consumers: [PUSH], QUEUE), "dead": (persistence: Mirrored)},
        ),
        "mirror-1": Broker(),
        "mirror-2": Broker(),
        "worker": Service(operations: {"do": (SEND)}),
        PULL
    },
    faults: {FAULTS},
    invariants: {
        "kept": Kept(broker: "broker", queue: "jobs"),
        "at-least-once": AtLeastOnce(broker: "broker", queue: "jobs"),
        "at-most-once": AtMostOnce(broker: "broker", queue: "jobs"),
        "in-order": InOrder(broker: "broker", queue: "jobs"),
    },
)"#;

const PUSH: &str = "(to: \"worker\", operation: \"do\", prefetch: 5, reconnect: \"200ms\")";
const PULL: &str = "\"fetcher\": Consumer(from: \"broker\", queue: \"jobs\", to: \"worker\", operation: \"do\", policy: (timeout: \"5s\"), concurrency: 5, wait: \"1s\"),";
const SEND: &str = "cost: Exponential(mean: \"40ms\"), refuses: \"10 %\"";

fn run(queue: &str, is_push: bool, send: &str, faults: &str, seed: u64) -> Outcome {
    let (push, pull) = if is_push { (PUSH, "") } else { ("", PULL) };
    // A disk that takes its time, where it is not waited for: then a crash finds something to lose.
    let disk = if queue.contains("Lazy") { "100ms" } else { "500us" };
    let text = TEXT
        .replace("DISK", disk)
        .replace("QUEUE", queue)
        .replace("PUSH", push)
        .replace("PULL", pull);
    promises::run(&text.replace("SEND", send).replace("FAULTS", faults), seed)
}

/// Is it broken by some seed?
fn breaks(queue: &str, is_push: bool, faults: &str, invariant: &str) -> bool {
    promises::breaks(invariant, |seed| run(queue, is_push, SEND, faults, seed))
}

const CRASH: &str = r#""crash": (what: Crash(node: "broker"), at: "3s", for: "500ms")"#;
const CONSUMER: &str = r#""crash": (what: Crash(node: "worker"), at: "3s", for: "500ms")"#;

#[test]
fn what_is_not_promised_is_sometimes_broken() {
    for is_push in [true, false] {
        // In memory a crash loses what waits; a lazy disk loses the last of it.
        let slow = "persistence: Off, delay: \"300ms\"";
        assert!(breaks(slow, is_push, CRASH, "kept"), "{is_push}");
        assert!(breaks("persistence: Lazy, delay: \"300ms\"", is_push, CRASH, "kept"), "{is_push}");
        assert!(breaks(slow, is_push, CRASH, "at-least-once"), "{is_push}");
        assert!(breaks("guarantee: AtMostOnce", is_push, CONSUMER, "at-least-once"), "{is_push}");
        // At least once is more than once.
        assert!(breaks("visibility: \"1s\"", is_push, CONSUMER, "at-most-once"), "{is_push}");
        for order in ["Arrival", "BestEffort(spread: 3)", "Priority"] {
            assert!(breaks(&format!("order: {order}"), is_push, "", "in-order"), "{order}");
        }
    }
    // A disk that is lost takes with it what nobody else has.
    let wiped = r#""crash": (what: Crash(node: "broker", wipe: true), at: "3s", for: "500ms")"#;
    assert!(breaks("persistence: On, delay: \"300ms\"", true, wiped, "kept"));
    assert!(!breaks("persistence: Mirrored, delay: \"300ms\"", true, wiped, "kept"));
}

const LATE: &str = "late_acks: true, ";

/// Settings of a queue: fields with commas.
fn queue() -> impl Strategy<Value = String> {
    let extras = prop_oneof![
        2 => Just(""),
        1 => Just("ttl: \"2s\", "),
        1 => Just("delay: \"300ms\", "),
        1 => Just("deduplication: \"10s\", "),
        1 => Just("in_flight_max: 3, "),
        1 => Just("dead: (to: \"dead\", expired: true, overflow: true, redrive: [\"5s\"]), ttl: \"2s\", "),
    ];
    let visibility = 100_u64..3_000;
    let kept = (persistence(), guarantee(), order(), bounds());
    let many = (kept, extras, visibility, any::<(bool, bool)>());
    many.prop_map(|((persistence, guarantee, order, bounds), extras, visibility, (late, limit))| {
        // Mirrors and at most once do not go together.
        let is_once = guarantee == "AtMostOnce";
        let persistence = if is_once && persistence == "Mirrored" { "On" } else { persistence };
        // Who is handed a message at most once is not heard when it is late.
        let late = if late && !is_once { LATE } else { "" };
        let limit = if limit && !is_once { "deliveries_max: 4, " } else { "" };
        let drops = bounds.contains("DropOldest");
        let extras = fitting(extras, order);
        let extras = if drops { extras } else { extras.replace("overflow: true, ", "") };
        format!(
            "persistence: {persistence}, guarantee: {guarantee}, order: {order}, \
             visibility: \"{visibility}ms\", {late}{bounds}{extras}{limit}"
        )
    })
}

proptest! {
    #![proptest_config(common::promises::cases(150))]

    #[test]
    fn what_is_promised_holds(
        queue in queue(),
        faults in faults("shop"),
        is_push in any::<bool>(),
        seed in any::<u64>(),
    ) {
        // Nor is a consumer that messages are pushed to.
        let queue = if is_push { queue.replace(LATE, "") } else { queue };
        let outcome = run(&queue, is_push, SEND, &faults, seed);
        holds(&outcome, |invariant| invariant.starts_with("queues-"))?;
    }
}
