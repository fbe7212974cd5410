//! The mechanics of the outbox, one by one, in a shop whose orders are sent to a parcel service.
//!
//! The names of the tests carry the ids of the mechanics. Customers order once a second; every way
//! of a message takes 1 ms, every operation 5 ms and every sync of a disk 1 ms.

mod common;

use common::orders::text;
use common::{Record, at, measured, ms, run};
use stormglass::engine::Span;
use stormglass::scenario::{diagnose, load, source::Source};

const OUTBOX: (&str, &str) = ("PUBLISHES", r#"publishes: (event: "placed", by: Outbox)"#);
const AFTER: (&str, &str) = (
    "PUBLISHES",
    r#"publishes: (event: "placed", by: AfterCommit(to: "broker", policy: (timeout: "200ms")))"#,
);
const BEFORE: (&str, &str) = (
    "PUBLISHES",
    r#"publishes: (event: "placed", by: BeforeCommit(to: "broker", policy: (timeout: "200ms")))"#,
);
const POLLS: (&str, &str) = (
    "RELAY",
    r#""relay": Outbox(store: "shop-db", to: "broker", fetch: Poll(interval: "100ms")),"#,
);
const TAILS: (&str, &str) =
    ("RELAY", r#""relay": Outbox(store: "shop-db", to: "broker", fetch: Tail()),"#);

fn shop(words: &[(&str, &str)]) -> Record {
    run(&text(words))
}

/// Lost events, phantoms, and effects on the consumer's side beyond the first.
fn wrong(record: &Record) -> (u64, u64, u64) {
    let metric = |id: &str| measured(&record.outcome, id) as u64;
    (
        metric("consistency.events_lost"),
        metric("consistency.phantoms"),
        metric("consistency.multiple"),
    )
}

fn count(record: &Record, what: &str) -> usize {
    record.of(what).len()
}

#[test]
fn ob_m1_the_event_is_a_row_of_the_same_transaction() {
    let record = shop(&[OUTBOX, POLLS]);
    assert_eq!((record.sum("orders"), record.sum("sent")), (5, 5));
    assert_eq!(record.times("orders"), record.times("outbox.stored"), "durable at one instant");
    assert_eq!(wrong(&record), (0, 0, 0));
    // Not enough in stock: neither order nor event.
    let poor = r#"accounts: [(name: "stock", balance: 1000)"#;
    let refused = run(&text(&[OUTBOX, POLLS]).replace(poor, &poor.replace("1000", "2")));
    assert_eq!(refused.told(), ["refused"; 3]);
    assert_eq!((refused.sum("orders"), count(&refused, "outbox.stored")), (2, 2));
    assert_eq!(wrong(&refused), (0, 0, 0));
}

#[test]
fn ob_m2_a_crash_of_the_database_leaves_both_or_neither() {
    // While its disk syncs the order and its event: nothing of either is left.
    let crash = |when: &str| {
        let rest = format!(
            "faults: {{\"crash\": (what: Crash(node: \"shop-db\"), {when}, for: \"100ms\")}}"
        );
        shop(&[OUTBOX, POLLS, ("REST", &rest)])
    };
    let before = crash(r#"at: "1007900us""#);
    assert_eq!((before.sum("orders"), count(&before, "outbox.stored")), (4, 4));
    assert_eq!((before.sum("sent"), wrong(&before)), (4, (0, 0, 0)));
    let after = crash(r#"on: (fact: "orders")"#);
    assert_eq!(
        (after.told(), after.sum("orders"), after.sum("sent")),
        (vec!["connection reset"], 5, 5)
    );
    assert_eq!(wrong(&after), (0, 0, 0));
}

/// By operation, how long after one fact another came.
fn lags(record: &Record, from: &str, to: &str) -> Vec<Span> {
    let first = record.of(from);
    let until = |root: u32| record.of(to).into_iter().find(|fact| fact.root == root);
    first.iter().filter_map(|fact| Some(until(fact.root)?.at - fact.at)).collect()
}

#[test]
fn ob_m3_a_relay_polls_or_tails_the_log() {
    let polled = lags(&shop(&[OUTBOX, POLLS]), "outbox.stored", "outbox.published");
    assert_eq!(polled.len(), 5);
    assert!(polled.iter().all(|lag| *lag < ms(115)), "one interval and the way there: {polled:?}");
    let tailed = lags(&shop(&[OUTBOX, TAILS]), "outbox.stored", "outbox.published");
    assert_eq!(tailed.len(), 5);
    assert!(tailed.iter().all(|lag| *lag < ms(10)), "as soon as they are durable: {tailed:?}");
    // Five events and batches of two: it asks again at once, and marks each batch as a whole.
    let relay = r#""relay": Outbox(store: "shop-db", to: "broker", batch: 2, fetch: Poll(interval: "7s", marks: Batch)),"#;
    let batched = shop(&[OUTBOX, ("RELAY", relay)]);
    let marked = batched.times("outbox.marked");
    assert_eq!(marked.len(), 5);
    assert_eq!((marked[0] == marked[1], marked[2] == marked[3]), (true, true));
    assert!(marked[1] < marked[2] && marked[4] - marked[0] < ms(100), "{marked:?}");
}

#[test]
fn ob_m4_an_event_is_published_and_then_marked() {
    let record = shop(&[OUTBOX, POLLS]);
    let root = record.of("outbox.stored")[0].root;
    let steps = ["orders", "outbox.stored", "queue.accepted", "outbox.published", "outbox.marked"];
    let ours = record.facts.iter().filter(|fact| fact.root == root);
    let story: Vec<&str> =
        ours.map(|fact| fact.what.as_str()).filter(|what| steps.contains(what)).collect();
    assert_eq!(story, steps);
    assert_eq!(
        record.of("outbox.marked").iter().map(|fact| fact.key).collect::<Vec<_>>(),
        [0, 1, 2, 3, 4]
    );
}

#[test]
fn ob_m5_what_could_not_be_published_stays_and_is_published_in_order() {
    let rest = r#"faults: {"down": (what: Crash(node: "broker"), at: "1500ms", for: "2700ms")}"#;
    let record = shop(&[OUTBOX, POLLS, ("REST", rest)]);
    let numbers: Vec<i64> = record.values("outbox.published");
    assert_eq!(numbers, [0, 1, 2, 3, 4]);
    assert!(record.values("outbox.failed").iter().all(|number| *number == 1), "the others wait");
    assert!(count(&record, "outbox.failed") >= 2);
    assert_eq!((record.sum("sent"), wrong(&record)), (5, (0, 0, 0)));
    // About other business objects they need not wait: here the queue takes one message at a time.
    let relay = r#""relay": Outbox(store: "shop-db", to: "broker", order: Object, fetch: Poll(interval: "4500ms")),"#;
    let errors = r#"faults: {"errors": (what: Errors(node: "broker", operation: "placed", rate: "50 %"), at: "0s")}"#;
    let loose = shop(&[OUTBOX, ("RELAY", relay), ("REST", errors)]);
    let strict = shop(&[OUTBOX, ("RELAY", &relay.replace("Object", "Strict")), ("REST", errors)]);
    let ordered = |record: &Record| record.values("outbox.published").is_sorted();
    assert!(ordered(&strict) && count(&strict, "outbox.failed") > 0);
    assert!(!ordered(&loose), "{:?}", loose.values("outbox.published"));
}

#[test]
fn ob_m6_dual_writes_lose_events_or_tell_of_what_never_was() {
    for (way, down, expected) in [
        // Committed, and nobody is told.
        (AFTER, "broker", (1, 0, 0)),
        // The event is out, and the order is not.
        (BEFORE, "shop-db", (0, 1, 0)),
    ] {
        let rest = format!(
            r#"faults: {{"down": (what: Crash(node: "{down}"), at: "1500ms", for: "1s")}}"#
        );
        let record = shop(&[way, ("REST", &rest)]);
        assert_eq!(wrong(&record), expected, "{way:?}");
        let outbox = shop(&[OUTBOX, POLLS, ("REST", &rest)]);
        assert_eq!(wrong(&outbox), (0, 0, 0), "{down}");
        assert_eq!(wrong(&shop(&[way])), (0, 0, 0), "without a crash either way will do");
    }
}

/// The relay crashes after it has published the second event, before it hears of it.
fn interrupted(parcels: &str) -> Record {
    let rest = r#"faults: {"crash": (what: Crash(node: "relay"), on: (fact: "queue.accepted", nth: 2), for: "2500ms")}"#;
    shop(&[OUTBOX, POLLS, ("PARCELS", parcels), ("REST", rest)])
}

#[test]
fn ob_m7_a_crash_between_publishing_and_marking_repeats_the_event() {
    let record = interrupted("idempotent: false");
    assert_eq!((count(&record, "outbox.stored"), count(&record, "queue.accepted")), (5, 6));
    assert_eq!((record.sum("sent"), wrong(&record)), (6, (0, 0, 1)));
}

#[test]
fn ob_m8_the_inbox_recognises_what_comes_again_for_as_long_as_it_remembers() {
    let inbox = interrupted("");
    assert_eq!((count(&inbox, "queue.accepted"), count(&inbox, "queue.processed")), (6, 6));
    assert_eq!((inbox.sum("sent"), wrong(&inbox)), (5, (0, 0, 0)));
    let long = interrupted(r#"retention: "10s""#);
    assert_eq!((long.sum("sent"), wrong(&long)), (5, (0, 0, 0)));
    let short = interrupted(r#"retention: "1s""#);
    assert_eq!((short.sum("sent"), wrong(&short)), (6, (0, 0, 1)), "it forgets too soon");
}

#[test]
fn ob_b4_a_relay_without_its_offset_begins_with_the_first_event() {
    let rest =
        r#"faults: {"lost": (what: Crash(node: "relay", wipe: true), at: "5s", for: "100ms")}"#;
    let record = shop(&[OUTBOX, TAILS, ("REST", rest)]);
    // Four were published by then; all are there again, and the inbox knows them.
    assert_eq!(record.values("outbox.published"), [0, 1, 2, 3, 0, 1, 2, 3, 4]);
    assert_eq!((record.sum("sent"), wrong(&record)), (5, (0, 0, 0)));
    let kept = shop(&[OUTBOX, TAILS, ("REST", &rest.replace(", wipe: true", ""))]);
    assert_eq!(kept.values("outbox.published"), [0, 1, 2, 3, 4], "it knows how far it had come");
}

#[test]
fn ob_d2_a_relay_that_is_down_makes_events_late_and_loses_none() {
    let rest = r#"faults: {"down": (what: Crash(node: "relay"), at: "1500ms", for: "3s")}"#;
    for relay in [POLLS, TAILS] {
        let record = shop(&[OUTBOX, relay, ("REST", rest)]);
        assert_eq!((record.sum("sent"), wrong(&record)), (5, (0, 0, 0)));
        let late = measured(&record.outcome, "latency.outbox_p99");
        assert!((2.4..2.7).contains(&late), "the first of them waits from 2 s to 4.5 s: {late}");
        assert_eq!(measured(&record.outcome, "saturation.outbox_peak"), 3.0);
        assert_eq!(measured(&record.outcome, "consistency.unrelayed"), 0.0);
    }
}

#[test]
fn a_store_that_does_not_wait_for_its_disk_shows_events_that_a_crash_undoes() {
    // The relay reads the event at once, long before a sync would have made it durable.
    let slow = r#""shop-db": Store(disk: (sync: "400ms")"#;
    let relay =
        r#""relay": Outbox(store: "shop-db", to: "broker", fetch: Poll(interval: "10ms")),"#;
    let rest = r#"faults: {"crash": (what: Crash(node: "shop-db"), at: "1200ms", for: "100ms")}"#;
    let crash = |db| {
        let text = text(&[OUTBOX, ("RELAY", relay), ("DB", db), ("REST", rest)]);
        wrong(&run(&text.replace(r#""shop-db": Store(disk: (sync: "1ms")"#, slow)))
    };
    assert_eq!(crash("durable: false"), (0, 1, 0));
    assert_eq!(crash(""), (0, 0, 0));
}

#[test]
fn of_two_relays_with_a_lease_one_is_at_work() {
    let one = r#"Outbox(store: "shop-db", to: "broker", fetch: Poll(interval: "10ms")LEADER)"#;
    let two = |leader: &str, rest: &str| {
        let one = one.replace("LEADER", leader);
        let relays =
            format!(r#""relay": {one}, "other": {one}, "locks": LockService(ttl_max: "2s"),"#);
        shop(&[OUTBOX, ("RELAY", &relays), ("REST", rest)])
    };
    let leader = r#", leader: (locks: "locks", lock: "relay", ttl: "1s")"#;
    assert!(count(&two("", ""), "queue.accepted") > 5, "both publish what they find");
    let led = two(leader, "");
    assert_eq!((count(&led, "queue.accepted"), count(&led, "lease.held")), (5, 1));
    assert_eq!(led.finding("requests-accounted").violations, 0, "leases are no requests");
    let crash = |node: &str| {
        let fault = format!(r#"(what: Crash(node: "{node}"), at: "2500ms", for: "30s")"#);
        two(leader, &format!(r#"faults: {{"crash": {fault}}}"#))
    };
    let (taken, other) = (crash("relay"), crash("other"));
    for record in [&taken, &other] {
        assert_eq!((count(record, "queue.accepted"), record.sum("sent")), (5, 5));
    }
    let held: Vec<usize> = [&taken, &other].map(|record| count(record, "lease.held")).to_vec();
    assert!(held == [1, 2] || held == [2, 1], "one of the two crashes was the leader's: {held:?}");
    assert!(taken.times("outbox.published").iter().all(|when| *when > at(1_000)));
}

/// What the loader says of the shop with this instead of that.
fn refused(words: &[(&str, &str)], from: &str, to: &str) -> String {
    let text = text(words);
    assert!(text.contains(from), "{from}");
    let source = Source::new("shop.ron", text.replace(from, to));
    let problems = load(&source).expect_err("it does not fit");
    diagnose::render(&problems, Some(&source), false)
}

#[test]
fn events_that_nobody_relays_or_knows_are_refused() {
    let polls = [OUTBOX, POLLS];
    let relay = POLLS.1;
    let cases = [
        (relay, "", "nobody publishes what is in the outbox of `shop-db`"),
        (r#"event: "placed""#, r#"event: "plaecd""#, "did you mean `placed`?"),
        (r#"to: "broker""#, r#"to: "customers""#, "`customers` is a Client and has no operations"),
        (
            r#"Outbox(store: "shop-db""#,
            r#"Outbox(store: "broker""#,
            "`broker` is a Broker and has no outbox",
        ),
        (r#"interval: "100ms""#, r#"interval: "1us""#, "`interval` of 1 µs is too often"),
        (
            r#"fetch: Poll("#,
            r#"in_flight: 0, fetch: Poll("#,
            "an `in_flight` of 0 publishes nothing",
        ),
        (r#"fetch: Poll("#, r#"in_flight: 2, fetch: Poll("#, "published at once is in no order"),
        (r#"fetch: Poll("#, r#"batch: 0, fetch: Poll("#, "a `batch` has from 1 to 65,535 events"),
        (
            r#"fetch: Poll(interval: "100ms")"#,
            r#"fetch: Tail(wait: "1s")"#,
            "answers after 1 s at best",
        ),
        (r#"transfer: (from: "stock", to: "orders", amount: 1), "#, "", "needs a `transfer`"),
    ];
    for (from, to, said) in cases {
        let told = refused(&polls, from, to);
        assert!(told.contains(said), "{told}");
    }
}

#[test]
fn an_inbox_that_forgets_must_be_one_and_have_nothing_to_undo() {
    let send = r#""send": (cost"#;
    let undo = r#""back": (undoes: "send"), "send": (cost"#;
    for (parcels, to, said) in [
        (r#"retention: "1s", idempotent: false"#, send, "`retention` is of what an `idempotent`"),
        (r#"retention: "0s""#, send, "a `retention` of zero recognises nothing"),
        (r#"retention: "1s""#, undo, "must be recognised for good"),
    ] {
        let told = refused(&[OUTBOX, POLLS, ("PARCELS", parcels)], send, to);
        assert!(told.contains(said), "{told}");
    }
}
