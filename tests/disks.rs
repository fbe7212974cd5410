//! Each fault of a disk has its effect, protection takes it away, and its absence changes nothing.
//!
//! A user books a seat twenty times a second. One way takes 1 ms and a sync 20 ms, so a booking
//! that nothing befalls takes 24 ms, to the nanosecond. At two seconds the store crashes.

mod common;

use common::{Record, at, measured, ms, record, run, scenario};
use stormglass::engine::Span;

/// The system; each word stands in its place.
#[derive(Clone, Copy)]
struct System<'s> {
    disk: &'s str,
    store: &'s str,
    faults: &'s str,
}

const PLAIN: System<'_> = System { disk: "", store: "", faults: "" };

impl System<'_> {
    fn text(&self) -> String {
        let System { disk, store, faults } = self;
        format!(
            r#"Scenario(
    title: "Seats",
    run: (load: "3s", quiet: "5s"),
    network: (latency: "1ms"),
    nodes: {{
        "user": Client(target: "server", operation: "book", load: Constant(rate: "20/s")),
        "server": Service(store: "store", operations: {{
            "book": (cost: "0s", transfer: (from: "free", to: "taken")),
        }}),
        "store": Store(cost: "0s", disk: (sync: "20ms", {disk}), {store} accounts: [(name: "free", balance: 1000)]),
        "copy": Store(),
    }},
    faults: {{"crash": (what: Crash(node: "store"), at: "2010ms", for: "20ms"), {faults}}},
    invariants: {{
        "truth": Truthful(accounts: [(store: "store", account: "taken")]),
        "conserved": Conserved(accounts: [(store: "store", account: "free"), (store: "store", account: "taken")]),
    }},
)"#
        )
    }

    fn run(&self) -> Record {
        run(&self.text())
    }

    /// Violations of both invariants over ten seeds.
    fn violations(&self) -> [u64; 2] {
        let scenario = scenario(&self.text());
        let runs = (1..=10).map(|seed| record(&scenario, &scenario.variants[0], seed));
        runs.fold([0, 0], |[truth, conserved], run| {
            let of = |name| run.finding(name).violations;
            [truth + of("truth"), conserved + of("conserved")]
        })
    }
}

/// Latency of the request that was begun at this millisecond, if it succeeded.
fn latency(record: &Record, begun: u64) -> Option<Span> {
    let started = record.of("request.started");
    let root = started.iter().find(|fact| fact.at == at(begun)).expect("it was begun").root;
    let ended = record.of("request.succeeded");
    ended.iter().find(|fact| fact.root == root).map(|fact| Span(fact.value as u64))
}

#[test]
fn where_nothing_happens_a_booking_takes_what_was_worked_out() {
    let record = PLAIN.run();
    assert_eq!(latency(&record, 500), Some(ms(24)));
    assert_eq!(record.told(), ["connection reset"], "the one that the crash cuts off");
    assert_eq!((record.sum("taken"), record.finding("truth").violations), (58, 0));
}

#[test]
fn a_fault_that_never_strikes_changes_nothing() {
    let plain = PLAIN.run();
    for what in ["SyncFails", "SyncLies", "TornWrite", "MisdirectedWrite"] {
        let fault = format!(r#""f": (what: {what}(node: "store", rate: "0 %"), at: "1s")"#);
        let record = System { faults: &fault, ..PLAIN }.run();
        assert_eq!(record.messages, plain.messages, "{what}");
    }
}

#[test]
fn each_entry_and_each_byte_that_is_written_takes_its_time() {
    // A booking is an entry of three rows: 160 bytes.
    let slow = System { disk: "write: \"3ms\", throughput: \"16kB/s\"", ..PLAIN }.run();
    assert_eq!(latency(&slow, 500), Some(ms(24 + 3 + 10)));
    // Syncs of 76 ms: those that come meanwhile share the next, which has more to write.
    let busy = System { disk: "write: \"56ms\"", ..PLAIN }.run();
    assert_eq!(latency(&busy, 50), Some(ms(4 + 76)));
    assert_eq!(latency(&busy, 100), Some(ms(4 + 26 + 76)), "the first ends 26 ms after it came");
    assert!(latency(&busy, 1000) > Some(ms(4 + 76)), "it queues");
}

#[test]
fn a_disk_that_is_full_refuses_for_certain() {
    let full = System { disk: "capacity: \"1600B\"", ..PLAIN }.run();
    assert_eq!(full.sum("taken"), 10, "there is room for ten entries");
    assert_eq!((full.told().len(), full.told()[0]), (49, "failed"));
    assert_eq!(full.finding("truth").violations, 0);
    assert_eq!(measured(&full.outcome, "availability.disk_errors"), 49.0);
    let faults = r#""full": (what: DiskFull(node: "store"), at: "990ms", for: "500ms")"#;
    let filled = System { faults, ..PLAIN }.run();
    assert_eq!(filled.told(), [&["failed"; 10][..], &["connection reset"]].concat());
    assert_eq!((filled.sum("taken"), filled.finding("truth").violations), (48, 0));
}

#[test]
fn a_stall_holds_up_a_sync_and_lets_it_go_on() {
    let faults = r#""stall": (what: DiskStall(node: "store"), at: "1010ms", for: "500ms")"#;
    let record = System { faults, ..PLAIN }.run();
    // 8 ms of the sync were done; the rest of it comes after the stall.
    assert_eq!(latency(&record, 1000), Some(ms(524)));
    // Those that came meanwhile share the sync after that.
    assert_eq!(latency(&record, 1050), Some(ms(524 + 20 - 50)));
    assert_eq!(latency(&record, 1500), Some(ms(24 + 20)));
    assert_eq!(latency(&record, 1600), Some(ms(24)));
}

#[test]
fn a_throttle_stretches_the_syncs_that_begin_while_it_is_on() {
    let faults = r#""slow": (what: DiskThrottle(node: "store", factor: "2x", throughput: "160kB/s"), at: "1010ms", for: "500ms")"#;
    let record = System { faults, ..PLAIN }.run();
    let taken = [1000, 1050, 1500, 1550].map(|begun| latency(&record, begun));
    assert_eq!(taken, [24, 24 + 21, 24 + 21, 24].map(|millis| Some(ms(millis))));
}

#[test]
fn a_store_that_recovers_from_a_failed_sync_tells_the_truth() {
    for after in ["Lost", "Retryable"] {
        let fault = format!(
            r#""fail": (what: SyncFails(node: "store", after_failure: {after}), at: "1900ms", for: "80ms")"#
        );
        let record = System { faults: &fault, ..PLAIN }.run();
        assert_eq!(record.told(), ["failed", "failed", "connection reset"]);
        assert_eq!((record.sum("taken"), record.finding("truth").violations), (56, 0));
        assert_eq!(measured(&record.outcome, "availability.disk_errors"), 2.0);
        assert_eq!(latency(&record, 1850), Some(ms(24)));
    }
}

#[test]
fn a_store_that_tries_a_failed_sync_again_believes_a_drive_that_has_forgotten() {
    let fault = |after: &str| {
        format!(
            r#""fail": (what: SyncFails(node: "store", after_failure: {after}), at: "1900ms", for: "30ms")"#
        )
    };
    let store = "sync_failure: Retry,";
    let lost = System { store, faults: &fault("Lost"), ..PLAIN }.run();
    assert_eq!(lost.told(), ["connection reset"]);
    assert_eq!(lost.finding("truth").violations, 1, "the crash shows that it was never written");
    let kept = System { store, faults: &fault("Retryable"), ..PLAIN }.run();
    assert_eq!((kept.finding("truth").violations, kept.sum("taken")), (0, 58));
    assert_eq!(latency(&kept, 1900), Some(ms(24 + 1 + 20)), "two syncs and a millisecond between");
}

#[test]
fn a_lie_costs_what_was_acknowledged_if_a_crash_comes_before_an_honest_sync() {
    let lie =
        |at: &str| format!(r#""lie": (what: SyncLies(node: "store"), at: "{at}", for: "130ms")"#);
    let caught = System { faults: &lie("1880ms"), ..PLAIN }.run();
    assert_eq!(caught.finding("truth").violations, 2, "those of 1900 and 1950 ms");
    let lucky = System { faults: &lie("1480ms"), ..PLAIN }.run();
    assert_eq!((lucky.finding("truth").violations, lucky.sum("taken")), (0, 58));
}

#[test]
fn a_torn_write_is_half_a_transfer_unless_checksums_find_it() {
    let faults = r#""tear": (what: TornWrite(node: "store"), at: "1s")"#;
    let [truth, conserved] = System { faults, ..PLAIN }.violations();
    assert_eq!((truth, conserved), (0, 0));
    let [_, conserved] = System { faults, disk: "checksums: false", ..PLAIN }.violations();
    assert!(conserved > 0, "seats were taken from nowhere");
}

#[test]
fn rot_that_is_not_found_is_believed_and_rot_that_is_found_is_a_loss() {
    let faults = r#""rot": (what: BitRot(node: "store", entries: 10), at: "1s")"#;
    let [_, conserved] = System { faults, disk: "checksums: false", ..PLAIN }.violations();
    assert!(conserved > 0);
    let [truth, conserved] = System { faults, ..PLAIN }.violations();
    assert_eq!((truth, conserved), (100, 0), "ten whole bookings in each run");
    let record = System { faults, ..PLAIN }.run();
    assert_eq!(measured(&record.outcome, "consistency.lost"), 30.0);
}

#[test]
fn a_write_that_goes_astray_loses_a_booking() {
    let faults = r#""astray": (what: MisdirectedWrite(node: "store", rate: "50 %"), at: "1s", for: "500ms")"#;
    for (disk, lost) in [("checksums: true", 2), ("checksums: false", 1)] {
        let record = System { faults, disk, ..PLAIN }.run();
        let written = record.of("disk.lost").len() as u64 / 3;
        assert!(written > 0);
        let (truth, conserved) =
            (record.finding("truth").violations, record.finding("conserved").violations);
        assert_eq!((truth, conserved), (lost * written, 0), "{disk}");
    }
}

#[test]
fn a_budget_withholds_damage_and_the_report_counts_it() {
    let rot = |node: &str| {
        format!(r#""rot of {node}": (what: BitRot(node: "{node}", entries: 4), at: "1s")"#)
    };
    let text = System { faults: &rot("store"), ..PLAIN }.text();
    let kept =
        text.replace("faults:", "budgets: [(nodes: [\"store\", \"copy\"], keep: 1)],\n    faults:");
    let record = run(&kept);
    let rot = record.outcome.episodes.iter().find(|one| one.name == "rot of store");
    assert_eq!(rot.map(|episode| episode.withheld), Some(4), "nobody else has a copy");
    assert_eq!(record.finding("truth").violations, 0);
    assert_eq!(run(&text).finding("truth").violations, 4);
}

#[test]
fn a_wiped_disk_is_empty_after_the_crash_and_an_invariant_sees_the_loss() {
    let crash = |more: &str| {
        format!(r#""gone": (what: Crash(node: "store"{more}), at: "1s", for: "100ms")"#)
    };
    let [truth, conserved] = System { faults: &crash(""), ..PLAIN }.violations();
    assert_eq!((truth, conserved), (0, 0));
    let wiped = System { faults: &crash(", wipe: true"), ..PLAIN };
    let record = wiped.run();
    let booked = record.of("disk.lost").len() / 3;
    assert!(booked > 0, "each booking has three rows");
    assert_eq!(record.finding("truth").violations, booked as u64, "none is there any more");
    assert_eq!(record.finding("conserved").violations, 0, "they are gone whole");
    let kept = wiped
        .text()
        .replace("faults:", "budgets: [(nodes: [\"store\", \"copy\"], keep: 1)],\n    faults:");
    let record = run(&kept);
    let gone = record.outcome.episodes.iter().find(|one| one.name == "gone");
    assert_eq!(gone.map(|episode| episode.withheld), Some(1), "nobody else has a copy");
    assert_eq!((record.of("disk.lost").len(), record.finding("truth").violations), (0, 0));
}

#[test]
fn damage_in_the_middle_of_a_log_stops_no_store_from_starting() {
    let faults = r#""rot": (what: BitRot(node: "store", entries: 1000), at: "1900ms")"#;
    for disk in ["checksums: true", "checksums: false"] {
        let record = System { faults, disk, ..PLAIN }.run();
        let answers = ["request.succeeded", "request.failed"].map(|what| record.times(what));
        // What is asked at 2500 ms is refused at once, if rot has left no seats, or done.
        let answered = [at(2504), at(2524)];
        assert!(answers.concat().iter().any(|time| answered.contains(time)), "{disk}");
    }
}

const SAGA: &str = r#"Scenario(
    title: "A coordinator whose disk fails",
    run: (load: "3s", quiet: "60s"),
    nodes: {
        "user": Client(target: "saga", operation: "go", load: Constant(rate: "20/s"), policy: (timeout: "10s")),
        "saga": Saga(
            steps: [(service: "server", action: "do", compensation: "undo")],
            persistence: (backoff: (base: "10ms", max: "100ms")),
        ),
        "server": Service(store: "store", operations: {"do": (transfer: (from: "a", to: "b")), "undo": (undoes: "do")}),
        "store": Store(accounts: [(name: "a", balance: 100)]),
    },
    faults: {FAULT, "crash": (what: Crash(node: "saga"), at: "2s", for: "100ms")},
    invariants: {
        "truth": Truthful(accounts: [(store: "store", account: "b")]),
        "settled": Settled(node: "saga"),
    },
)"#;

#[test]
fn a_saga_that_its_disk_does_not_take_has_not_begun_and_one_under_way_waits() {
    for fault in [
        r#""full": (what: DiskFull(node: "saga"), at: "1s", for: "1500ms")"#,
        r#""fail": (what: SyncFails(node: "saga"), at: "1s", for: "1500ms")"#,
        r#""fail": (what: SyncFails(node: "saga", rate: "40 %", after_failure: Retryable), at: "1s", for: "1500ms")"#,
    ] {
        let record = run(&SAGA.replace("FAULT", fault));
        assert!(record.told().iter().filter(|told| **told == "failed").count() > 8, "{fault}");
        let findings = ["truth", "settled"].map(|name| record.finding(name).violations);
        assert_eq!(findings, [0, 0], "{fault}");
    }
    let calm = run(&SAGA.replace("FAULT, ", ""));
    assert!(calm.told().iter().all(|told| *told != "failed"), "{:?}", calm.told());
}
