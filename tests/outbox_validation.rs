//! Outboxes against results that are known: polling delay, repeated publications, batches.

mod common;

use common::{Record, measured, run, scenario};
use stormglass::engine::Time;
use stormglass::explore::simulate;

fn near(found: f64, expected: f64, tolerance: f64) {
    let off = (found - expected).abs();
    assert!(off <= tolerance, "{found} instead of {expected} ± {tolerance}");
}

/// By operation, the seconds from one fact to another.
fn lags(record: &Record, from: &str, to: &str) -> Vec<f64> {
    let ends: std::collections::BTreeMap<u32, Time> =
        record.of(to).iter().map(|fact| (fact.root, fact.at)).collect();
    let began = record.of(from);
    began.iter().map(|fact| (ends[&fact.root] - fact.at).as_seconds()).collect()
}

/// Source: derived. Writes come at random between two polls that are T = 200 ms apart, so an event
/// waits U(0, T). The projection takes d = 2 ms for each event of a batch, one after the other:
/// T/2 + d + λTd/2 = 112 ms in the mean.
#[test]
fn events_wait_for_the_poll_as_a_uniform_distribution_says() {
    let record = run(r#"Scenario(
    title: "Polling",
    run: (load: "1000s", quiet: "10s"),
    network: (latency: "0s"),
    nodes: {
        "writers": Client(target: "shop", operation: "write", load: Poisson(rate: "50/s")),
        "shop": Service(store: "db", operations: {
            "write": (cost: "0s", transfer: (from: "stock", to: "orders", amount: 1), publishes: (event: "placed", by: Outbox)),
        }),
        "db": Store(cost: "0s", disk: (sync: "0s"), accounts: [(name: "stock", balance: 1000000), (name: "orders", balance: 0)]),
        "relay": Outbox(store: "db", to: "broker", batch: 1000, fetch: Poll(interval: "200ms")),
        "broker": Broker(cost: "0s", disk: (sync: "0s"), queues: {
            "placed": (consumers: [(to: "projection", operation: "apply", prefetch: 1000)]),
        }),
        "projection": Service(machine: (workers: 1), operations: {"apply": (cost: "2ms")}),
    },
)"#);
    let mean = |lags: &[f64]| lags.iter().sum::<f64>() / lags.len() as f64;
    let mut delays = lags(&record, "outbox.stored", "outbox.published");
    delays.sort_by(f64::total_cmp);
    near(mean(&delays), 0.100, 0.001);
    near(delays[delays.len() * 95 / 100], 0.190, 0.0019);
    near(measured(&record.outcome, "latency.outbox_mean"), 0.100, 0.001);
    near(mean(&lags(&record, "outbox.stored", "queue.processed")), 0.112, 0.00112);
}

/// Source: geometric. What the relay does not hear of it publishes again, what the broker does not
/// hear of it hands out again: with q = 0.02 and 0.1 that is 1/(1 - q) of each. The inbox lets one
/// of them have an effect.
#[test]
fn publications_and_deliveries_are_repeated_as_the_geometric_distribution_says() {
    let scenario = scenario(
        r#"Scenario(
    title: "At least once",
    run: (load: "1000s", quiet: "60s"),
    network: (latency: "100us", transport: Datagram),
    nodes: {
        "writers": Client(target: "shop", operation: "write", load: Constant(rate: "100/s")),
        "shop": Service(store: "db", operations: {
            "write": (cost: "0s", transfer: (from: "stock", to: "orders", amount: 1), publishes: (event: "placed", by: Outbox)),
        }),
        "db": Store(cost: "0s", disk: (sync: "0s"), accounts: [(name: "stock", balance: 1000000), (name: "orders", balance: 0)]),
        "relay": Outbox(store: "db", to: "broker", policy: (timeout: "5ms"), pause: "1ms", fetch: Poll(interval: "5ms")),
        "broker": Broker(cost: "0s", disk: (sync: "0s"), queues: {
            "placed": (consumers: [(to: "parcels", operation: "send", prefetch: 1000)], visibility: "1s"),
        }),
        "parcels": Service(store: "parcels-db", operations: {
            "send": (cost: "0s", transfer: (from: "boxes", to: "sent", amount: 1)),
        }),
        "parcels-db": Store(cost: "0s", disk: (sync: "0s"), accounts: [(name: "boxes", balance: 1000000), (name: "sent", balance: 0)]),
    },
    faults: {
        "relay not told": (what: Loss(links: OneWay(["broker"], ["relay"]), rate: "2 %"), at: "0s"),
        "broker not told": (what: Loss(links: OneWay(["parcels"], ["broker"]), rate: "10 %"), at: "0s"),
    },
    invariants: {
        "published": Published(account: (store: "db", account: "orders"), broker: "broker", queue: "placed"),
        "once": Once(accounts: [(store: "parcels-db", account: "sent")]),
        "sent": Truthful(accounts: [(store: "parcels-db", account: "sent")]),
    },
)"#,
    );
    let outcome = simulate(&scenario, &scenario.variants[0], 1, Time(0));
    let accepted = measured(&outcome, "throughput.offered") * 1_000.0;
    let processed = measured(&outcome, "throughput.processed") * 1_000.0;
    near(processed / accepted, 1.0 / 0.98, 0.0051);
    near(measured(&outcome, "cost.deliveries"), 1.0 / 0.9, 0.0056);
    for finding in &outcome.findings {
        assert_eq!(finding.violations, 0, "{}: {:?}", finding.invariant, finding.first);
    }
}

/// Source: derived. A relay that marks a batch of b = 20 at its end and crashes with c = 0.01 after
/// each publication publishes ((1 - c)^-b - 1)/(c b) = 1.1132 times for each event. It publishes
/// for 10 ms, so failures 0.995 s apart in the mean come in one of a hundred of them.
#[test]
fn a_batch_that_is_marked_at_its_end_is_repeated_as_a_whole() {
    let record = run(r#"Scenario(
    title: "Batches",
    run: (load: "1000s"),
    network: (latency: "0s"),
    nodes: {
        "writers": Client(target: "shop", operation: "write", load: Constant(rate: "200/s")),
        "shop": Service(store: "db", operations: {
            "write": (cost: "0s", transfer: (from: "stock", to: "orders", amount: 1), publishes: (event: "placed", by: Outbox)),
        }),
        "db": Store(cost: "0s", disk: (sync: "0s"), accounts: [(name: "stock", balance: 1000000), (name: "orders", balance: 0)]),
        "relay": Outbox(store: "db", to: "broker", batch: 20, fetch: Poll(interval: "1ms", marks: Batch)),
        "broker": Broker(cost: "0s", disk: (sync: "0s"), queues: {"placed": ()}),
    },
    faults: {
        "far": (what: Latency(links: OneWay(["broker"], ["relay"]), add: "10ms"), at: "0s"),
        "crash": (what: Crash(node: "relay"), mttf: Exponential(mean: "995ms"), mttr: "1ms"),
    },
)"#);
    let count = |what: &str| record.of(what).len() as f64;
    assert!(count("outbox.marked") > 50_000.0);
    near(count("queue.accepted") / count("outbox.marked"), 1.1132, 0.0167);
}
