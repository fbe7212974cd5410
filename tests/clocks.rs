//! Clocks that are wrong, and what feels them: leases and stores where the last write wins.
//!
//! One way takes 1 ms, a lock service and a store answer at once, and a sync takes nothing.

mod common;

use common::{Record, at, measured, ms, run};

/// Two workers, each asked once: `a` at 2 s, `b` at 2.5 s.
fn leases(worker: &str, store: &str, rest: &str) -> Record {
    let node = |name: &str, gap: &str| {
        format!(
            r#""user-{name}": Client(target: "{name}", operation: "go", load: Constant(rate: "1/{gap}"), policy: (timeout: "30s")),
        "{name}": LeaseHolder(
            locks: "locks", lock: "l", ttl: "1s", poll: "10ms", cost: "100ms", patience: "20s",
            store: "store", transfer: (from: "free", to: "taken"), {worker}
        ),"#
        )
    };
    let (a, b) = (node("a", "2s"), node("b", "2500ms"));
    run(&format!(
        r#"Scenario(
    title: "A lease",
    run: (load: "3900ms", quiet: "30s"),
    network: (latency: "1ms"),
    nodes: {{
        {a}
        {b}
        "locks": LockService(ttl_max: "1s", cost: "0s", disk: (sync: "0s")),
        "store": Store(cost: "0s", disk: (sync: "0s"), accounts: [(name: "free", balance: 9)], {store}),
    }},
    invariants: {{"alone": Exclusive(holders: ["a", "b"]), "order": Fenced(store: "store")}},
    {rest}
)"#
    ))
}

fn broken(record: &Record) -> [u64; 2] {
    ["alone", "order"].map(|name| record.finding(name).violations)
}

/// `a` is frozen in the middle of its work under the lease.
const PAUSE: &str = r#"faults: {"pause": (what: Pause(node: "a"), at: "2050ms", for: "800ms")},"#;

#[test]
fn two_workers_take_turns_and_tokens_grow() {
    let record = leases("", "", "");
    assert_eq!(record.times("lease.held"), [at(2003), at(2503)]);
    assert_eq!(record.times("lease.acts"), [at(2103), at(2603)]);
    assert_eq!(record.values("lease.fence"), [1, 2]);
    assert_eq!((record.sum("taken"), broken(&record)), (2, [0, 0]));
    assert!(record.finding("alone").checked == 2 && record.finding("order").checked == 2);
}

#[test]
fn whoever_finds_its_lease_run_out_changes_nothing() {
    let long = PAUSE.replace("800ms", "1200ms");
    let record = leases("", "", &long);
    assert_eq!(record.told(), ["conflict"]);
    assert_eq!(record.times("lease.ran-out").len(), 1);
    assert_eq!((record.sum("taken"), broken(&record)), (1, [0, 0]));
    // The lease of `a` runs out a second after it was asked for, and `b` asks every 10 ms.
    let held = record.times("lease.held")[1];
    assert!(at(3001) < held && held < at(3020), "{held:?}");
}

#[test]
fn a_clock_that_jumps_back_makes_a_holder_believe_in_a_lease_that_is_gone() {
    let long = PAUSE.replace("800ms", "1200ms");
    let jump = long.replace(
        "faults: {",
        r#"faults: {"jump": (what: ClockJump(node: "a", by: "-1s"), at: "2040ms", for: "800ms"), "#,
    );
    // It is back where it was before the pause ends: nothing happens.
    assert_eq!(broken(&leases("", "", &jump)), [0, 0]);
    let lasting = jump.replace("at: \"2040ms\", for: \"800ms\"", "at: \"2040ms\"");
    let record = leases("", "fencing: false", &lasting);
    assert_eq!(record.sum("taken"), 2, "both have written");
    assert_eq!(broken(&record)[1], 1, "the old token after the new");
    let fenced = leases("", "fencing: true", &lasting);
    assert_eq!((fenced.sum("taken"), broken(&fenced)[1]), (1, 0));
    assert_eq!(fenced.told(), ["conflict"]);
    let careful = leases("margin: \"850ms\",", "fencing: false", &lasting);
    assert_eq!((careful.sum("taken"), broken(&careful)), (1, [0, 0]));
}

#[test]
fn an_offset_is_felt_where_a_lease_ends_at_an_instant() {
    let behind = |rest: &str| format!(r#"clocks: (nodes: {{"a": (offset: "-500ms")}}), {rest}"#);
    // 900 ms after it was granted the lease `a` acts; the lock service has given it up after 500.
    let record = leases("expiry: Absolute,", "fencing: false", &behind(PAUSE));
    assert_eq!(broken(&record)[1], 1);
    let duration = leases("", "fencing: false", &behind(PAUSE));
    assert_eq!(broken(&duration), [0, 0], "an offset does not change how long a second is");
    let margin = leases("expiry: Absolute, margin: \"600ms\",", "fencing: false", &behind(PAUSE));
    assert_eq!(broken(&margin), [0, 0]);
}

#[test]
fn a_pause_between_the_last_look_and_the_write_is_seen_by_no_clock() {
    let long = PAUSE.replace("2050ms", "2150ms").replace("800ms", "1200ms");
    let record = leases("write: \"100ms\",", "fencing: false", &long);
    assert_eq!(broken(&record), [1, 1]);
    let fenced = leases("write: \"100ms\",", "", &long);
    assert_eq!(broken(&fenced), [1, 0], "two believe at once that they hold it, one may write");
}

#[test]
fn renewing_keeps_a_lease_for_as_long_as_the_work_takes() {
    let record = leases("renew_every: \"40ms\",", "", "");
    let renewals = record.messages.iter().filter(|one| !one.is_reply && one.to == "locks");
    // To acquire, to renew after 40 and 80 ms, to release; sent and arrived, by two workers.
    assert_eq!(renewals.count(), 2 * 2 * 4);
    assert_eq!(broken(&record), [0, 0]);
}

#[test]
fn a_lock_service_that_restarts_grants_nothing_until_old_leases_have_run_out() {
    let crash = r#"faults: {"crash": (what: Crash(node: "locks"), at: "2050ms", for: "10ms")},"#;
    let record = leases("", "", crash);
    let held = record.times("lease.held")[1];
    // It was up again at 2060 ms, and the longest lease lasts a second.
    assert!(at(3060) < held && held < at(3080), "{held:?}");
    assert_eq!((record.sum("taken"), broken(&record)), (2, [0, 0]));
}

/// Two services set one register, `late` half a second after `early`, each once a second.
fn registers(resolve: &str, clocks: &str, faults: &str) -> Record {
    run(&format!(
        r#"Scenario(
    title: "A register",
    run: (load: "4900ms", quiet: "5s"),
    network: (latency: "1ms"),
    nodes: {{
        "user": Client(target: "early", operation: "set", load: Constant(rate: "2/s"), value: (1, 9)),
        "other": Client(target: "late", operation: "set", load: Constant(rate: "1/s"), value: (1, 9)),
        "early": Service(store: "store", operations: {{"set": (cost: "0s", sets: "x")}}),
        "late": Service(store: "store", operations: {{"set": (cost: "10ms", sets: "x")}}),
        "store": Store(cost: "0s", disk: (sync: "0s"), {resolve}),
    }},
    {clocks}
    {faults}
)"#
    ))
}

#[test]
fn where_the_last_write_wins_a_clock_that_is_behind_loses_updates() {
    let behind = r#"clocks: (nodes: {"late": (offset: "-700ms")}),"#;
    let lww = registers("resolve: LastWriteWins", behind, "");
    // Each write of `late` finds one of `early` that came 10 ms before it and is stamped 690 ms
    // later.
    assert_eq!(lww.of("store.dropped").len(), 4);
    assert_eq!(measured(&lww.outcome, "consistency.lost_updates"), 4.0);
    assert!(lww.told().is_empty(), "nobody is told");
    let arrival = registers("", behind, "");
    assert!(arrival.of("store.dropped").is_empty());
    let right = registers("resolve: LastWriteWins", "", "");
    assert!(right.of("store.dropped").is_empty());
    let lost = lww.of("x").len();
    assert_eq!((lost + 4, arrival.of("x").len()), (right.of("x").len(), right.of("x").len()));
}

#[test]
fn strobes_and_drift_are_felt_while_they_last() {
    let strobe = r#"faults: {"strobe": (what: ClockStrobe(node: "late", by: "-2s", period: "1s"), at: "500ms", for: "4s")},"#;
    let record = registers("resolve: LastWriteWins", "", strobe);
    // It is behind from 0.5 to 1.5 s and from 2.5 to 3.5 s.
    assert_eq!(record.times("store.dropped"), [at(1011 + 1), at(3011 + 1)]);
    let drift = r#"faults: {"drift": (what: ClockDrift(node: "late", ppm: -100000), at: "500ms", for: "2s")},"#;
    let record = registers("resolve: LastWriteWins", "", drift);
    // 50, 150 and then 200 ms behind; the other's write is 10 ms older.
    assert_eq!(record.of("store.dropped").len(), 4);
}

#[test]
fn drift_stretches_timers_only_where_the_scenario_says_so() {
    let latency_of = |policy: &str, clocks: &str| {
        let record = run(&format!(
            r#"Scenario(
    title: "A timeout",
    run: (load: "1500ms", quiet: "5s"),
    network: (latency: "1ms"),
    nodes: {{
        "user": Client(target: "server", operation: "serve", load: Constant(rate: "1/s"), policy: ({policy})),
        "server": Service(operations: {{"serve": (cost: "10s")}}),
    }},
    {clocks}
)"#
        ));
        record.values("request.failed")[0]
    };
    let latency = |clocks: &str| latency_of(r#"timeout: "900ms""#, clocks);
    let slow = |timers: bool| {
        format!(r#"clocks: (nodes: {{"user": (drift_ppm: -100000)}}, timers_drift: {timers}),"#)
    };
    assert_eq!(latency(""), 900_000_000);
    assert_eq!(latency(&slow(false)), 900_000_000);
    // By a clock that loses a tenth, 900 ms are a second; and the second after which it asks, and
    // from the end of which its latency counts, is 111 ms longer.
    assert_eq!(latency(&slow(true)), ms(1000).0 as i64 + 111_111_112);
    let cancels = latency_of(r#"timeout: "900ms", cancel: true"#, &slow(true));
    assert_eq!(cancels, latency(&slow(true)), "a call that can be taken back has the same clock");
}
