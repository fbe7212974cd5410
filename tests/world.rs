//! Each mechanism of machines, disks, clients and node faults has its effect, and its absence none.
//!
//! A user asks a server ten times a second, one way takes 1 ms and the work 10 ms, so every request
//! that nothing befalls takes 12 ms, to the nanosecond. All other figures are worked out by hand.

mod common;

use common::{Record, at, measured, ms, run};
use stormglass::engine::{Span, Time};

/// The system; each word stands in its place.
struct System<'s> {
    load: &'s str,
    client: &'s str,
    server: &'s str,
    rest: &'s str,
}

const PLAIN: System<'_> = System {
    load: "3s",
    client: "load: Constant(rate: \"10/s\")",
    server: "operations: {\"serve\": (cost: \"10ms\")}",
    rest: "",
};

impl System<'_> {
    fn run(&self) -> Record {
        let System { load, client, server, rest } = self;
        run(&format!(
            r#"Scenario(
    title: "One server",
    run: (load: "{load}", quiet: "60s"),
    network: (latency: "1ms"),
    nodes: {{
        "user": Client(target: "server", operation: "serve", {client}),
        "server": Service({server}),
    }},
    {rest}
)"#
        ))
    }
}

/// The plain system under this fault.
fn under(fault: &str) -> Record {
    let rest = format!("faults: {{{fault}}},");
    System { rest: &rest, ..PLAIN }.run()
}

/// Latency in milliseconds of the request that was begun at each of these milliseconds.
fn latency(record: &Record, begun: u64) -> Span {
    let started = record.of("request.started");
    let root = started.iter().find(|fact| fact.at == at(begun)).expect("it was begun").root;
    let ended = record.of("request.succeeded");
    let end = ended.iter().find(|fact| fact.root == root).expect("it succeeded");
    Span(end.value as u64)
}

fn all_plain(record: &Record, begun: impl IntoIterator<Item = u64>) {
    for begun in begun {
        assert_eq!(latency(record, begun), ms(12), "begun at {begun} ms");
    }
}

/// Milliseconds of all requests of the plain system within these bounds.
fn every(from: u64, to: u64) -> impl Iterator<Item = u64> {
    (from..to).step_by(100)
}

#[test]
fn where_nothing_happens_every_request_takes_what_was_worked_out() {
    let record = PLAIN.run();
    assert_eq!(record.of("request.started").len(), 29, "the load ends before the thirtieth");
    all_plain(&record, every(100, 3000));
    assert!(record.told().is_empty());
}

#[test]
fn a_process_that_crashes_resets_what_it_serves_and_refuses_what_comes() {
    let record = under(r#""crash": (what: Crash(node: "server"), at: "1005ms", for: "300ms")"#);
    assert_eq!(record.told(), ["connection reset", "unreachable", "unreachable", "unreachable"]);
    // The break of the connection is heard of 1 ms after the crash, a refusal after 2 ms.
    assert_eq!(record.times("request.failed"), [at(1006), at(1102), at(1202), at(1302)]);
    all_plain(&record, every(100, 1000).chain(every(1400, 3000)));
    assert_eq!(
        (record.times("node.crashed"), record.times("node.restarted")),
        (vec![at(1005)], vec![at(1305)])
    );
}

#[test]
fn a_host_that_goes_down_is_silent_and_has_forgotten_everything_when_it_is_back() {
    let fault = r#"faults: {"crash": (what: Crash(node: "server", host: true), at: "1005ms", for: "300ms")},"#;
    let client = "load: Constant(rate: \"10/s\"), policy: (timeout: \"500ms\")";
    let record = System { rest: fault, client, ..PLAIN }.run();
    // Sent at 1100 ms and, in vain again, at 1300 ms; the host is back when it is sent at 1700 ms.
    // Those behind it learn of the reset that comes back then, if they have waited that long.
    assert_eq!(record.told(), [["timeout"; 3].as_slice(), &["connection reset"; 5]].concat());
    let ends = [[1500, 1600, 1700].as_slice(), &[1702; 5]].concat();
    assert_eq!(record.times("request.failed"), ends.into_iter().map(at).collect::<Vec<_>>());
    all_plain(&record, every(100, 1000).chain(every(1800, 3000)));
}

#[test]
fn a_pause_holds_up_messages_and_work_and_loses_nothing() {
    let record = under(r#""pause": (what: Pause(node: "server"), at: "1005ms", for: "300ms")"#);
    assert!(record.told().is_empty());
    // 4 ms of its work were done when the pause began.
    assert_eq!(latency(&record, 1000), ms(312));
    let held = [1100, 1200, 1300].map(|begun| latency(&record, begun));
    assert_eq!(held, [ms(216), ms(116), ms(16)]);
    all_plain(&record, every(100, 1000).chain(every(1400, 3000)));
}

#[test]
fn a_pause_makes_timers_late() {
    // A retry is due 50 ms after the refusal at 1002 ms, and the server is there again.
    let faults = r#"faults: {
        "crash": (what: Crash(node: "server"), at: "995ms", for: "10ms"),
        "pause": (what: Pause(node: "user"), at: "1010ms", for: "80ms"),
    },"#;
    let client = "load: Constant(rate: \"10/s\"), policy: (retries: 1, backoff: (base: \"50ms\", jitter: None))";
    let record = System { rest: faults, client, ..PLAIN }.run();
    assert_eq!(latency(&record, 1000), ms(90 + 12));
    let without = System {
        rest: &faults.replace(
            "\"pause\": (what: Pause(node: \"user\"), at: \"1010ms\", for: \"80ms\"),",
            "",
        ),
        client,
        ..PLAIN
    }
    .run();
    assert_eq!(latency(&without, 1000), ms(2 + 50 + 12));
}

#[test]
fn a_slow_down_stretches_work_by_exactly_its_factor() {
    let record =
        under(r#""slow": (what: Slow(node: "server", factor: "3x"), at: "1005ms", for: "999ms")"#);
    // 4 ms at full speed, the other 6 ms at a third of it.
    assert_eq!(latency(&record, 1000), ms(1 + 4 + 18 + 1));
    for begun in every(1100, 2000) {
        assert_eq!(latency(&record, begun), ms(32), "begun at {begun} ms");
    }
    // 3 ms do the work of 1 ms, the other 9 ms are at full speed.
    assert_eq!(latency(&record, 2000), ms(1 + 3 + 9 + 1));
    all_plain(&record, every(100, 1000).chain(every(2100, 3000)));
}

#[test]
fn slow_downs_that_overlap_multiply() {
    let record = under(
        r#""one": (what: Slow(node: "server", factor: "2x"), at: "950ms", for: "500ms"),
        "two": (what: Slow(node: "server", factor: "3x"), at: "1150ms", for: "500ms")"#,
    );
    let taken = [1000, 1200, 1500, 1700].map(|begun| latency(&record, begun));
    assert_eq!(taken, [ms(22), ms(62), ms(32), ms(12)]);
}

const TWO: &str = r#"Scenario(
    title: "Two operations",
    run: (load: "3s", quiet: "5s"),
    network: (latency: "1ms"),
    nodes: {
        "reader": Client(target: "server", operation: "read", load: Constant(rate: "100/s")),
        "writer": Client(target: "server", operation: "write", load: Constant(rate: "100/s")),
        "server": Service(operations: {"read": (cost: "1ms"), "write": (cost: "1ms")}),
    },
    faults: {"errors": (what: Errors(node: "server", WHICH), at: "0s")},
)"#;

/// Share of the requests of reader and writer that failed.
fn failed(which: &str) -> [f64; 2] {
    let record = run(&TWO.replace("WHICH", which));
    ["reader", "writer"].map(|client| {
        let of = |what| record.of(what).iter().filter(|fact| fact.node == client).count() as f64;
        of("request.failed") / of("request.started")
    })
}

#[test]
fn errors_hit_the_named_operation_only_and_as_often_as_they_should() {
    assert_eq!(failed(r#"operation: "write", rate: "100 %""#), [0.0, 1.0]);
    assert_eq!(failed(r#"rate: "100 %""#), [1.0, 1.0]);
    assert_eq!(failed(r#"rate: "0 %""#), [0.0, 0.0]);
    let [none, half] = failed(r#"operation: "write", rate: "50 %""#);
    // Five standard deviations of 299 tosses.
    assert!(none == 0.0 && (half - 0.5).abs() < 0.145, "{half}");
}

#[test]
fn errors_also_hit_stores_and_coordinators() {
    let text = |node: &str| {
        format!(
            r#"Scenario(
    title: "A saga",
    run: (load: "1s", quiet: "60s"),
    nodes: {{
        "user": Client(target: "saga", operation: "go", load: Constant(rate: "10/s")),
        "saga": Saga(steps: [(service: "server", action: "do", compensation: "undo")]),
        "server": Service(store: "store", operations: {{"do": (transfer: (from: "a", to: "b")), "undo": (undoes: "do")}}),
        "store": Store(accounts: [(name: "a", balance: 100)]),
    }},
    faults: {{"errors": (what: Errors(node: "{node}", rate: "100 %"), at: "0s")}},
)"#
        )
    };
    for node in ["saga", "store", "server"] {
        let record = run(&text(node));
        assert_eq!((record.told(), record.sum("b")), (vec!["failed"; 9], 0), "{node}");
    }
}

const SEATS: &str = r#"Scenario(
    title: "Fifteen seats",
    run: (load: "3s", quiet: "5s"),
    network: (latency: "1ms"),
    nodes: {
        "user": Client(target: "server", operation: "book", load: Constant(rate: "10/s")),
        "server": Service(store: "store", operations: {
            "book": (cost: "0s", transfer: (from: "free", to: "taken")),
        }),
        "store": Store(DURABLE cost: "0s", disk: (sync: "50ms"), accounts: [(name: "free", balance: 15)]),
    },
    faults: {"crash": (what: Crash(node: "store"), at: "1020ms", for: "50ms")},
    invariants: {"truth": Truthful(accounts: [(store: "store", account: "taken")])},
)"#;

#[test]
fn a_crash_loses_what_was_not_synced_and_keeps_what_was() {
    // The booking of 1000 ms is synced at 1052 ms, if nothing happens; the nine before it were.
    let safe = run(&SEATS.replace("DURABLE", ""));
    assert_eq!(safe.told()[0], "connection reset");
    // After the restart six seats are free: as many as the nine bookings that were kept have left.
    assert_eq!((safe.sum("taken"), safe.of("request.succeeded").len()), (15, 15));
    assert_eq!(safe.finding("truth").violations, 0);
    let lost = |record: &Record| {
        let store = record.outcome.nodes.iter().find(|node| node.name == "store");
        store.map(|store| store.disk_writes)
    };
    assert_eq!(lost(&safe), Some(16), "the sixteenth entry is the one that was lost");
}

#[test]
fn a_store_that_does_not_wait_for_its_disk_loses_what_it_acknowledged() {
    let fast = run(&SEATS.replace("DURABLE", "durable: false,"));
    assert_eq!((fast.sum("taken"), fast.of("request.succeeded").len()), (15, 16));
    let truth = fast.finding("truth");
    assert_eq!(truth.violations, 1);
    assert!(truth.first.as_ref().is_some_and(|first| first.at == at(1004)), "{:?}", truth.first);
    let slow = run(&SEATS.replace("DURABLE", ""));
    let wait = latency(&slow, 500) - latency(&fast, 500);
    assert_eq!(wait, ms(50), "what the safety costs");
}

#[test]
fn what_a_request_that_comes_again_is_told_survives_a_crash() {
    // The first try is applied at 1002 ms and durable at 1052 ms. The second finds it at 1032 ms;
    // the store crashes at 1040 ms. Told "done" before it was durable, the user would have been
    // lied to.
    let text = SEATS
        .replace("DURABLE", "")
        .replace("load: Constant(rate: \"10/s\")", "load: Constant(rate: \"1/s\"), policy: (timeout: \"30ms\", retries: 1, backoff: (base: \"0s\", max: \"0s\"))")
        .replace("at: \"1020ms\"", "at: \"1040ms\"")
        .replace("load: \"3s\"", "load: \"1500ms\"");
    let record = run(&text);
    assert_eq!(record.passed("server", "store", false, "Arrived").len(), 2);
    assert_eq!((record.sum("taken"), record.finding("truth").violations), (0, 0));
}

#[test]
fn crashes_that_overlap_are_one() {
    let record = under(
        r#""one": (what: Crash(node: "server"), at: "950ms", for: "500ms"),
        "two": (what: Crash(node: "server"), at: "1250ms", for: "500ms")"#,
    );
    assert_eq!(record.times("node.crashed"), [at(950)]);
    assert_eq!(record.times("node.restarted"), [at(1750)]);
    assert_eq!(record.told(), ["unreachable"; 8]);
    all_plain(&record, every(100, 950).chain(every(1800, 3000)));
}

#[test]
fn a_pause_that_ends_while_its_node_is_down_is_over_after_the_restart() {
    let record = under(
        r#""pause": (what: Pause(node: "server"), at: "950ms", for: "500ms"),
        "crash": (what: Crash(node: "server"), at: "1250ms", for: "500ms")"#,
    );
    all_plain(&record, every(1800, 3000));
}

#[test]
fn a_node_that_restarts_into_a_pause_stays_paused() {
    let record = under(
        r#""crash": (what: Crash(node: "server"), at: "950ms", for: "500ms"),
        "pause": (what: Pause(node: "server"), at: "1250ms", for: "500ms")"#,
    );
    assert_eq!(record.told(), ["unreachable"; 5]);
    // It came at 1501 ms and waited until 1750 ms.
    assert_eq!(latency(&record, 1500), ms(250 + 10 + 1));
    all_plain(&record, every(1800, 3000));
}

#[test]
fn a_fault_comes_again_until_the_load_ends() {
    let record = under(
        r#""crash": (what: Crash(node: "server"), at: "1050ms", for: "80ms", every: "700ms")"#,
    );
    let begins = [1050, 1750, 2450].map(at);
    assert_eq!(record.times("fault.begins"), begins);
    assert_eq!(record.times("fault.ends"), begins.map(|time| time + ms(80)));
    assert_eq!(record.told(), ["unreachable"; 3], "at 1100, 1800 and 2500 ms");
}

#[test]
fn a_fault_without_an_end_ends_with_the_load() {
    let record = under(r#""crash": (what: Crash(node: "server"), at: "2050ms")"#);
    assert_eq!(record.times("node.restarted"), [at(3000)]);
    assert_eq!(record.told().len(), 9);
}

const BUSY: System<'_> = System {
    load: "450ms",
    server: "machine: (workers: 1 QUEUE), operations: {\"serve\": (cost: \"250ms\")}",
    ..PLAIN
};

#[test]
fn a_full_queue_refuses() {
    let record = System { server: &BUSY.server.replace("QUEUE", ", queue_max: 1"), ..BUSY }.run();
    assert_eq!(
        (record.told(), record.times("request.failed")),
        (vec!["overloaded"], vec![at(302)])
    );
    let served = [100, 200, 400].map(|begun| latency(&record, begun));
    assert_eq!(served, [ms(252), ms(402), ms(452)]);
    assert_eq!(measured(&record.outcome, "saturation.refused"), 1.0);
    let endless = System { server: &BUSY.server.replace("QUEUE", ""), ..BUSY }.run();
    let served = [100, 200, 300, 400].map(|begun| latency(&endless, begun));
    assert_eq!(served, [ms(252), ms(402), ms(552), ms(702)]);
    assert_eq!(measured(&endless.outcome, "saturation.queue_peak"), 2.0);
}

#[test]
fn last_in_first_out_serves_whoever_came_last() {
    let server = BUSY.server.replace("QUEUE", ", discipline: Lifo");
    let record = System { server: &server, ..BUSY }.run();
    let served = [100, 300, 400, 200].map(|begun| latency(&record, begun));
    assert_eq!(served, [ms(252), ms(302), ms(452), ms(902)]);
}

#[test]
fn a_trace_of_one_server_can_be_checked_by_hand() {
    // Arrivals every 10 ms from 10 ms on, 1 ms on the way, 12 ms of work by one worker: the worker
    // ends at 23, 35, 47 and 59 ms, and the answers are there 1 ms later.
    let record = System {
        load: "45ms",
        client: "load: Constant(rate: \"100/s\")",
        server: "machine: (workers: 1), operations: {\"serve\": (cost: \"12ms\")}",
        ..PLAIN
    }
    .run();
    assert_eq!(record.times("request.succeeded"), [24, 36, 48, 60].map(at));
    assert_eq!(record.latencies(), [14, 16, 18, 20].map(ms));
    assert_eq!(measured(&record.outcome, "latency.mean"), 0.017);
}

#[test]
fn a_closed_loop_never_has_more_requests_under_way_than_users() {
    let record = System {
        client: "load: Closed(users: 3, think: Exponential(mean: \"5ms\"))",
        server: "machine: (workers: 1), operations: {\"serve\": (cost: Exponential(mean: \"10ms\"))}",
        ..PLAIN
    }
    .run();
    let (mut under_way, mut most) = (0, 0);
    for fact in &record.facts {
        match fact.what.as_str() {
            "request.started" => under_way += 1,
            "request.succeeded" | "request.failed" => under_way -= 1,
            _ => {}
        }
        most = most.max(under_way);
    }
    assert_eq!((under_way, most), (0, 3));
    assert!(record.of("request.succeeded").len() > 200);
}

#[test]
fn constant_load_is_evenly_spaced_and_does_not_drift() {
    // A third of a second is no whole number of nanoseconds.
    let client = "load: Constant(rate: \"3/s\")";
    let record = System { load: "20500ms", client, ..PLAIN }.run();
    let times = record.times("request.started");
    assert_eq!(times.len(), 61);
    for (place, time) in times.iter().enumerate() {
        let thirds = place as u64 + 1;
        let exact = (thirds * 2_000_000_000 + 3) / 6;
        assert_eq!(*time, Time(exact), "request {thirds}");
    }
}

#[test]
fn a_client_that_restarts_asks_about_new_business_objects() {
    let record = under(r#""crash": (what: Crash(node: "user"), at: "1050ms", for: "200ms")"#);
    let mut keys: Vec<u64> = record.of("request.started").iter().map(|fact| fact.key).collect();
    let all = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert!(all > 20 && keys.len() == all, "{} of {all} keys are distinct", keys.len());
}
