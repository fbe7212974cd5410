//! What an outbox is there for and what it costs: the claims about it, each with a test of its
//! name, in a shop whose orders are sent to a parcel service.

mod common;

use std::collections::BTreeSet;

use common::orders::text;
use common::{Record, at, measured, ms, run};
use stormglass::engine::Span;

const OUTBOX: (&str, &str) = ("PUBLISHES", r#"publishes: (event: "placed", by: Outbox)"#);
const AFTER: (&str, &str) = (
    "PUBLISHES",
    r#"publishes: (event: "placed", by: AfterCommit(to: "broker", policy: (timeout: "200ms")))"#,
);

/// A relay with these settings.
fn relay(settings: &str) -> String {
    format!(r#""relay": Outbox(store: "shop-db", to: "broker", {settings}),"#)
}

/// The shop with orders as the load says, for a minute.
fn busy(load: &str, words: &[(&str, &str)]) -> Record {
    let text = text(words).replace("Constant(rate: \"1/s\")", load);
    run(&text.replace("load: \"5500ms\"", "load: \"60s\""))
}

/// Lost events, phantoms, and effects on the consumer's side beyond the first.
fn wrong(record: &Record) -> [f64; 3] {
    ["consistency.events_lost", "consistency.phantoms", "consistency.multiple"]
        .map(|metric| measured(&record.outcome, metric))
}

/// The operations of these facts.
fn roots(record: &Record, what: &str, node: &str) -> BTreeSet<u32> {
    let ours = record.facts.iter().filter(|fact| fact.what == what && fact.node == node);
    ours.map(|fact| fact.root).collect()
}

/// By operation, how long after one fact another came.
fn lags(record: &Record, from: &str, to: &str) -> Vec<Span> {
    let until = |root: u32| record.of(to).into_iter().find(|fact| fact.root == root);
    let first = record.of(from);
    first.iter().filter_map(|fact| Some(until(fact.root)?.at - fact.at)).collect()
}

fn mean(lags: &[Span]) -> f64 {
    lags.iter().map(|lag| lag.as_seconds()).sum::<f64>() / lags.len() as f64
}

#[test]
fn ob_m4_a_row_that_is_deleted_is_published_no_more_either() {
    let deletes = relay(r#"fetch: Poll(interval: "100ms", deletes: true)"#);
    let rest = r#"faults: {"crash": (what: Crash(node: "shop-db"), at: "3500ms", for: "100ms")}"#;
    let record = run(&text(&[OUTBOX, ("RELAY", &deletes), ("REST", rest)]));
    assert_eq!(record.of("outbox.deleted").len(), 5);
    assert_eq!(record.of("outbox.marked").len(), 0);
    assert_eq!(record.of("queue.accepted").len(), 5, "what the log says holds after a crash");
    assert_eq!((record.sum("sent"), wrong(&record)), (5, [0.0; 3]));
    let batch = relay(r#"fetch: Poll(interval: "2500ms", marks: Batch, deletes: true)"#);
    let batched = run(&text(&[OUTBOX, ("RELAY", &batch)]));
    let gone = batched.times("outbox.deleted");
    assert_eq!((gone.len(), gone[0]), (5, gone[1]), "in one transaction");
}

#[test]
fn ob_m4_without_an_index_a_poll_takes_longer_the_more_rows_are_kept() {
    let polls = |scan: &str, deletes: bool| {
        let relay = relay(&format!(r#"fetch: Poll(interval: "100ms", deletes: {deletes})"#));
        let words = [OUTBOX, ("RELAY", relay.as_str()), ("DB", scan)];
        mean(&lags(&busy("Constant(rate: \"10/s\")", &words), "outbox.stored", "outbox.published"))
    };
    let scan = r#"outbox_scan: "1ms""#;
    let (kept, deleted) = (polls(scan, false), polls(scan, true));
    // 600 rows in the end, 300 in the mean: each round is longer by that.
    assert!(kept > deleted + 0.1, "{kept} and {deleted}");
    let indexed = polls("", false);
    assert!((polls("", true) - indexed).abs() < 0.002, "with one it makes no difference");
    assert!(deleted < indexed + 0.01, "one row or two: {deleted} and {indexed}");
}

/// Twenty orders a second about three articles, and a broker that is 50 ms away.
fn far(settings: &str, fetch: &str, faults: &str) -> Record {
    let relay = relay(&format!(r#"pause: "20ms", fetch: {fetch}, {settings}"#));
    let rest = format!(
        r#"faults: {{"far": (what: Latency(links: Between(["relay"], ["broker"]), add: "49ms"), at: "0s"), {faults}}}"#
    );
    let load = "Constant(rate: \"20/s\"), keys: Uniform(objects: 12)";
    busy(load, &[OUTBOX, ("RELAY", &relay), ("REST", &rest)])
}

#[test]
fn ob_m5_several_are_published_at_once_those_of_an_object_one_after_the_other() {
    // Ten a second one after the other; those of twelve articles at once are enough.
    let polls = r#"Poll(interval: "50ms")"#;
    let one = far("", polls, "");
    assert!(measured(&one.outcome, "latency.outbox_p99") > 20.0);
    let errors =
        r#""errors": (what: Errors(node: "broker", operation: "placed", rate: "10 %"), at: "0s")"#;
    for faults in ["", errors] {
        let many = far("order: Object, in_flight: 12,", polls, faults);
        let late = measured(&many.outcome, "latency.outbox_p99");
        assert!(late < 2.0, "{late}");
        assert_eq!(wrong(&many), [0.0; 3]);
        let accepted = many.of("queue.accepted").len();
        assert_eq!(accepted, many.of("outbox.stored").len(), "each once");
        let published = many.of("outbox.published");
        let keys: BTreeSet<u64> = published.iter().map(|fact| fact.key).collect();
        assert_eq!(keys.len(), 12);
        for key in keys {
            let own = published.iter().filter(|fact| fact.key == key);
            assert!(own.map(|fact| fact.value).is_sorted(), "in order of article {key}");
        }
        let all: Vec<i64> = published.iter().map(|fact| fact.value).collect();
        assert_eq!(all.is_sorted(), faults.is_empty(), "only failures mix the articles");
    }
}

#[test]
fn ob_m5_what_is_published_at_once_is_marked_or_remembered_all_the_same() {
    let crashes =
        r#""crash": (what: Crash(node: "relay"), mttf: Exponential(mean: "2s"), mttr: "50ms")"#;
    for fetch in [
        r#"Poll(interval: "50ms", marks: Batch)"#,
        r#"Poll(interval: "50ms", deletes: true)"#,
        "Tail()",
    ] {
        let record = far("order: Object, in_flight: 12, batch: 24,", fetch, crashes);
        assert_eq!(wrong(&record), [0.0; 3], "{fetch}");
        assert_eq!(measured(&record.outcome, "consistency.unrelayed"), 0.0, "{fetch}");
        let (stored, accepted) =
            (record.of("outbox.stored").len(), record.of("queue.accepted").len());
        assert!(accepted > stored, "{fetch}: a crash repeats some");
        assert!(accepted < stored * 3 / 2, "{fetch}: {accepted} of {stored}");
    }
}

#[test]
fn ob_b2_an_outage_of_the_broker_loses_nothing_and_invents_nothing() {
    let relays = [relay(r#"fetch: Poll(interval: "100ms")"#), relay("fetch: Tail()")];
    for outage in [
        r#"Crash(node: "broker"), at: "1500ms", for: "100ms""#,
        r#"Crash(node: "broker"), at: "1500ms", for: "30s""#,
        r#"Partition(links: Between(["relay"], ["broker"])), at: "1500ms", for: "30s""#,
        r#"Loss(links: OneWay(["broker"], ["relay"]), rate: "100 %"), at: "1500ms", for: "3s""#,
    ] {
        let rest = format!("faults: {{\"outage\": (what: {outage})}}");
        for relay in &relays {
            let record = run(&text(&[OUTBOX, ("RELAY", relay), ("REST", &rest)]));
            assert_eq!((record.told(), record.sum("sent")), (vec![], 5), "{outage}");
            assert_eq!(wrong(&record), [0.0; 3], "{outage}");
        }
    }
    // Whoever publishes by himself loses the four orders of the outage.
    let rest = r#"faults: {"outage": (what: Crash(node: "broker"), at: "1500ms", for: "30s")}"#;
    assert_eq!(wrong(&run(&text(&[AFTER, ("REST", rest)]))), [4.0, 0.0, 0.0]);
}

/// A second relay begins with the first event and has an archive of its own; the first one deletes
/// the rows that it has published.
const ARCHIVE: &str = r#"
    "relay": Outbox(store: "shop-db", to: "broker", fetch: Poll(interval: "100ms", deletes: true)),
    "auditor": Outbox(store: "shop-db", to: "archive", fetch: Tail()),
    "archive": Broker(cost: "0s", queues: {"placed": (consumers: [(to: "books", operation: "enter", reconnect: "10ms")])}),
    "books": Service(store: "books-db", operations: {"enter": (transfer: (from: "blank", to: "entries", amount: 1))}),
    "books-db": Store(accounts: [(name: "blank", balance: 1000), (name: "entries", balance: 0)]),
"#;

#[test]
fn ob_b3_every_committed_change_is_in_the_history() {
    // Some orders are refused, some are told to have failed, and the database crashes.
    let faults = r#"faults: {"crash": (what: Crash(node: "shop-db"), mttf: Exponential(mean: "1s"), mttr: "100ms")}"#;
    let words = [OUTBOX, ("RELAY", ARCHIVE), ("REST", faults)];
    let poor =
        text(&words).replace("(name: \"stock\", balance: 1000)", "(name: \"stock\", balance: 70)");
    let record = run(&poor.replace("rate: \"1/s\"", "rate: \"20/s\""));
    let told: BTreeSet<&str> = record.told().into_iter().collect();
    assert!(told.contains("refused") && told.len() > 1, "{told:?}");
    let committed = roots(&record, "orders", "shop-db");
    assert!(committed.len() > 50, "{}", committed.len());
    assert_eq!(committed, roots(&record, "queue.accepted", "archive"));
    assert_eq!(committed, roots(&record, "entries", "books-db"));
}

#[test]
fn ob_b4_a_consumer_that_is_built_from_the_history_comes_to_the_same_state() {
    // The archive is only there when all is over: its books are made of the history.
    let later =
        r#"faults: {"no archive": (what: Crash(node: "archive"), at: "0s", for: "5500ms")}"#;
    // Its disk is lost, and it begins again with the first event: twice is once in the books.
    let lost =
        r#"faults: {"lost": (what: Crash(node: "auditor", wipe: true), at: "5s", for: "100ms")}"#;
    for (rest, entered) in [(later, 5), (lost, 9)] {
        let record = run(&text(&[OUTBOX, ("RELAY", ARCHIVE), ("REST", rest)]));
        let accepted = record
            .facts
            .iter()
            .filter(|fact| fact.what == "queue.accepted" && fact.node == "archive");
        assert_eq!(accepted.count(), entered);
        assert_eq!((record.sum("orders"), record.sum("sent"), record.sum("entries")), (5, 5, 5));
        assert_eq!(roots(&record, "orders", "shop-db"), roots(&record, "entries", "books-db"));
    }
}

#[test]
fn ob_d1_events_are_late_by_half_the_interval_or_not_at_all() {
    let late = |fetch: &str| {
        let relay = relay(fetch);
        let record = busy("Poisson(rate: \"20/s\")", &[OUTBOX, ("RELAY", &relay)]);
        let metric = |id: &str| measured(&record.outcome, id);
        (metric("latency.outbox_mean"), metric("latency.outbox_p99"))
    };
    for interval in [0.1, 0.5, 2.0] {
        let (mean, p99) = late(&format!("fetch: Poll(interval: \"{}ms\")", interval * 1e3));
        // Behind the poll is what is published before it, and the ways: more for a longer batch.
        let own = 0.005 + 20.0 * interval * 0.006;
        assert!(mean > interval * 0.45 && mean < interval * 0.6 + own, "{interval}: {mean}");
        assert!(p99 > interval * 0.9 && p99 < interval * 1.05 + 2.0 * own, "{interval}: {p99}");
    }
    let (mean, p99) = late("fetch: Tail()");
    assert!(mean < 0.015 && p99 < 0.05, "{mean} and {p99}");
}

#[test]
fn ob_d3_an_outbox_costs_writes_polls_and_bytes() {
    let cost = |words: &[(&str, &str)]| {
        let record = busy("Constant(rate: \"10/s\")", words);
        let orders = record.of("orders").len() as f64;
        let node = record.outcome.nodes.iter().find(|node| node.name == "shop-db");
        let node = node.expect("it is there");
        let bytes = measured(&record.outcome, "cost.bytes");
        (node.disk_writes as f64 / orders, node.jobs as f64 / orders, bytes)
    };
    let with = |fetch: &str| cost(&[OUTBOX, ("RELAY", &relay(fetch))]);
    let none = cost(&[AFTER]);
    let each = with(r#"fetch: Poll(interval: "100ms")"#);
    let batch = with(r#"fetch: Poll(interval: "1s", marks: Batch)"#);
    let tail = with("fetch: Tail()");
    // Writes to the database: the order with its event; marked one by one, ten at once, not at all.
    assert_eq!(none.0, 1.0);
    assert_eq!((each.0, tail.0), (2.0, 1.0));
    assert!((1.09..1.13).contains(&batch.0), "{}", batch.0);
    // Requests to it: commits and marks, and polls; until the quiet time is over these go on.
    assert!(each.1 > 2.9 && none.1 == 1.0, "{each:?} {none:?}");
    assert!(batch.1 < each.1 - 1.0 && tail.1 > none.1, "{batch:?} {tail:?}");
    assert!(each.2 > tail.2 && tail.2 > none.2, "{each:?} {tail:?} {none:?}");
}

#[test]
fn ob_d2_the_longer_the_relay_is_down_the_later_events_are_and_none_is_lost() {
    let down = |lasts: u64| {
        let rest = format!(
            r#"faults: {{"down": (what: Crash(node: "relay"), at: "10s", for: "{lasts}s")}}"#
        );
        let relay = relay(r#"fetch: Poll(interval: "100ms")"#);
        busy("Constant(rate: \"10/s\")", &[OUTBOX, ("RELAY", &relay), ("REST", &rest)])
    };
    for lasts in [2, 8, 32] {
        let record = down(lasts);
        let lags = lags(&record, "outbox.stored", "outbox.published");
        let longest = *lags.iter().max().expect("there are events");
        assert!(longest > ms(lasts * 1_000 - 200) && longest < ms(lasts * 1_000 + 1_500));
        let peak = measured(&record.outcome, "saturation.outbox_peak");
        assert!((peak - lasts as f64 * 10.0).abs() < 4.0, "{peak}");
        assert_eq!(wrong(&record), [0.0; 3]);
        assert_eq!(measured(&record.outcome, "consistency.unrelayed"), 0.0);
        let last = *record.times("outbox.published").last().expect("there are events");
        assert!(last < at(60_500), "it has caught up: {last:?}");
    }
}
