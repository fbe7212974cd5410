//! The server side of calls, through scenarios: queues, kept workers, locks, caches.

mod common;

use common::{Record, at, measured, ms, run};
use stormglass::engine::{Span, Time};

#[test]
fn a_burst_on_four_workers_is_done_in_rounds() {
    let record = run(r#"Scenario(
        title: "A burst of 100",
        run: (warmup: "0s", load: "1ms", quiet: "1s"),
        network: (latency: "0s"),
        nodes: {
            "users": Client(target: "server", operation: "go", load: Closed(users: 100)),
            "server": Service(machine: (workers: 4), operations: {"go": (cost: "10ms")}),
        },
    )"#);
    let expected: Vec<Span> = (0..100).map(|job| ms(10 * (job / 4 + 1))).collect();
    assert_eq!(record.latencies(), expected);
    assert_eq!(measured(&record.outcome, "latency.mean"), 0.130);
    assert_eq!(measured(&record.outcome, "latency.max"), 0.250);
}

/// A gateway with two workers; half of its requests wait for a service that takes a second.
fn gateway(holds: bool) -> Record {
    run(&format!(
        r#"Scenario(
            title: "One thread for each request",
            run: (warmup: "0s", load: "10s", quiet: "20s"),
            network: (latency: "0s"),
            nodes: {{
                "slow-users": Client(target: "gateway", operation: "slow", load: Constant(rate: "4/s")),
                "fast-users": Client(target: "gateway", operation: "fast", load: Constant(rate: "4/s")),
                "gateway": Service(machine: (workers: 2), holds_worker: {holds}, operations: {{
                    "slow": (cost: "1ms", calls: [(to: "backend", operation: "go")], then: "1ms"),
                    "fast": (cost: "1ms"),
                }}),
                "backend": Service(operations: {{"go": (cost: "1s")}}),
            }},
        )"#
    ))
}

#[test]
fn workers_that_wait_for_a_slow_service_are_missing_to_everybody() {
    let (thread, event) = (gateway(true), gateway(false));
    let fast = |record: &Record| measured(&record.outcome, "latency.p50/fast-users");
    assert!(fast(&event) < 0.005, "{}", fast(&event));
    assert!(fast(&thread) > 1.0, "{}", fast(&thread));
    // Twice its work and the second at the backend.
    assert_eq!(measured(&event.outcome, "latency.p50/slow-users"), 1.002);
    assert_eq!(thread.latencies().len(), 78, "in the end all are served");
}

/// Ten reads a second of one row, which its store takes 150 ms for, through a cache that keeps it
/// for a second.
fn cached(cache: &str, table: &str, faults: &str) -> Record {
    run(&format!(
        r#"Scenario(
            title: "A cache",
            run: (warmup: "0s", load: "3s", quiet: "1s"),
            network: (latency: "0s"),
            nodes: {{
                "users": Client(target: "shop", operation: "read", load: Constant(rate: "10/s")),
                "shop": Service(operations: {{"read": (
                    cost: "0s", reads: [(from: "cache", table: "{table}", keys: 1)],
                )}}),
                "cache": Cache(store: "db", cost: "0s", {cache}),
                "db": Store(cost: "150ms", tables: [(name: "articles", rows: 1), (name: "nothing", rows: 0)]),
            }},
            faults: {{{faults}}},
        )"#
    ))
}

fn millis(times: &[Time]) -> Vec<u64> {
    times.iter().map(|time| (*time - Time(0)).0 / 1_000_000).collect()
}

#[test]
fn who_misses_together_asks_the_store_together() {
    let record = cached(r#"ttl: "1s""#, "articles", "");
    // Filled at 250, 1450 and 2650 ms: the fill that lands second extends nothing.
    assert_eq!(millis(&record.times("cache.missed")), [100, 200, 1300, 1400, 2500, 2600]);
    assert_eq!(record.values("cache.fetched"), [1, 2, 1, 2, 1, 2]);
    assert_eq!(measured(&record.outcome, "cost.fetches"), 2.0);
    assert_eq!(measured(&record.outcome, "saturation.stampede"), 2.0);
}

#[test]
fn a_single_flight_answers_all_who_wait_for_it() {
    let record = cached(r#"ttl: "1s", single_flight: true"#, "articles", "");
    assert_eq!(millis(&record.times("cache.fetched")), [100, 1300, 2500]);
    assert_eq!(record.latencies()[..3], [ms(150), ms(50), ms(0)]);
    assert_eq!(measured(&record.outcome, "cost.fetches"), 1.0);
    assert_eq!(measured(&record.outcome, "cost.hits"), 23.0 / 29.0);
}

#[test]
fn what_is_stale_is_served_while_it_is_fetched_anew_once() {
    let cache = r#"ttl: "1s", single_flight: true, stale_while_revalidate: "1s""#;
    let record = cached(cache, "articles", "");
    assert_eq!(millis(&record.times("cache.missed")), [100, 200]);
    assert_eq!(millis(&record.times("cache.fetched")), [100, 1300, 2500]);
    assert_eq!(record.values("cache.stale")[..2], [50_000_000, 150_000_000]);
    assert_eq!(measured(&record.outcome, "consistency.stale"), 4.0 / 29.0);
    assert_eq!(measured(&record.outcome, "consistency.staleness"), 0.1);
}

#[test]
fn what_is_refreshed_ahead_does_not_expire() {
    let cache = r#"ttl: "1s", single_flight: true, refresh: Ahead(before: "200ms")"#;
    let record = cached(cache, "articles", "");
    assert_eq!(millis(&record.times("cache.missed")), [100, 200]);
    assert_eq!(millis(&record.times("cache.fetched")), [100, 1100, 2100]);
}

#[test]
fn early_expiry_fetches_the_earlier_the_greater_beta_is() {
    let fetches = |refresh: &str| {
        let cache = format!(r#"ttl: "1s", single_flight: true, refresh: {refresh}"#);
        cached(&cache, "articles", "").of("cache.fetched").len()
    };
    assert_eq!(fetches("Never"), 3);
    let (some, many) = (fetches("Early(beta: \"3x\")"), fetches("Early(beta: \"1000x\")"));
    assert!(3 < some && some < many, "{some} {many}");
    assert!(many >= 14, "practically every read that finds none under way: {many}");
}

#[test]
fn rows_that_do_not_exist_are_kept_only_by_negative_caching() {
    let fetches = |cache: &str| cached(cache, "nothing", "").of("cache.fetched").len();
    assert_eq!(fetches(r#"ttl: "1s""#), 29);
    assert_eq!(fetches(r#"ttl: "1s", negative_ttl: "1s""#), 6);
}

const STORE_FAILS: &str = r#""down": (what: Crash(node: "db"), at: "1s", for: "1500ms")"#;

#[test]
fn a_store_that_fails_is_covered_by_what_is_stale_for_as_long_as_is_said() {
    let failed = |stale: &str| {
        let cache = format!(r#"ttl: "1s", single_flight: true, stale_if_error: "{stale}""#);
        cached(&cache, "articles", STORE_FAILS).of("request.failed").len()
    };
    // Expired at 1250 ms; the store is back at 2500 ms.
    assert_eq!((failed("0s"), failed("500ms"), failed("2s")), (12, 7, 0));
}

#[test]
fn a_crash_empties_a_cache() {
    let crash = r#""down": (what: Crash(node: "cache"), at: "1010ms", for: "20ms")"#;
    let record = cached(r#"single_flight: true"#, "articles", crash);
    assert_eq!(millis(&record.times("cache.fetched")), [100, 1100]);
    assert_eq!(record.times("node.crashed"), [at(1010)]);
}

#[test]
fn a_full_cache_lets_entries_go() {
    let hits = |capacity: u32, eviction: &str| {
        let record = run(&format!(
            r#"Scenario(
                title: "A small cache",
                run: (warmup: "0s", load: "20s", quiet: "1s"),
                network: (latency: "0s"),
                nodes: {{
                    "users": Client(target: "shop", operation: "read", load: Constant(rate: "100/s")),
                    "shop": Service(operations: {{"read": (
                        cost: "0s", reads: [(from: "cache", table: "articles", keys: 10)],
                    )}}),
                    "cache": Cache(store: "db", capacity: {capacity}, eviction: {eviction}),
                    "db": Store(tables: [(name: "articles", rows: 10)]),
                }},
            )"#
        ));
        measured(&record.outcome, "cost.hits")
    };
    assert!(hits(10, "Lru") > 0.99);
    for eviction in ["Lru", "Fifo", "Lfu", "Random"] {
        // All keys are alike, so whatever is kept is as good.
        let share = hits(5, eviction);
        assert!((0.45..0.55).contains(&share), "{eviction}: {share}");
    }
}

/// Ten requests a second for two seconds, each of which takes ten; three fit into the memory.
fn crowded(memory: &str, machine: &str, client: &str, faults: &str) -> Record {
    run(&format!(
        r#"Scenario(
            title: "A queue without a bound",
            run: (warmup: "0s", load: "2s", quiet: "60s"),
            network: (latency: "0s"),
            nodes: {{
                "users": Client(
                    target: "server", operation: "go", load: Constant(rate: "10/s"), {client}
                ),
                "server": Service(
                    machine: (memory: (limit: "3MiB", restart_after: "950ms", {memory}), {machine}),
                    operations: {{"go": (cost: "10s")}},
                ),
            }},
            faults: {{{faults}}},
        )"#
    ))
}

const OUT: &str = "node.out_of_memory";

#[test]
fn a_queue_that_outgrows_the_memory_ends_in_a_crash() {
    let record = crowded(r#"per_job: "1MiB""#, "workers: 1", "", "");
    assert_eq!(record.times(OUT), [at(400), at(1700)], "the fourth job has no place");
    assert_eq!(record.times("node.crashed"), [at(400), at(1700)]);
    assert_eq!(record.times("node.restarted"), [at(1350), at(2650)]);
    assert_eq!(record.latencies(), [], "all that was there is lost");
    assert_eq!(measured(&record.outcome, "availability.out_of_memory"), 2.0);
    // What the process takes itself counts as well.
    let record = crowded(r#"per_job: "1MiB", base: "1MiB""#, "workers: 1", "", "");
    assert_eq!(record.times(OUT)[0], at(300));
    // Jobs at work take memory too, and a bound keeps the queue from outgrowing it.
    assert_eq!(crowded(r#"per_job: "1MiB""#, "", "", "").times(OUT)[0], at(400));
    let bounded = crowded(r#"per_job: "1MiB""#, "workers: 1, queue_max: 2", "", "");
    assert_eq!((bounded.times(OUT), bounded.latencies().len()), (vec![], 3));
    assert_eq!(measured(&bounded.outcome, "availability.out_of_memory"), 0.0);
}

#[test]
fn the_bodies_of_requests_take_memory_if_asked_for() {
    let client = r#"payload: "1.5MiB""#;
    let record = crowded(r#"payloads: true"#, "workers: 1", client, "");
    assert_eq!(record.times(OUT)[0], at(300));
    let record = crowded(r#"per_job: "1MiB""#, "workers: 1", client, "");
    assert_eq!(record.times(OUT)[0], at(400));
}

#[test]
fn a_node_that_a_fault_and_its_memory_crash_starts_when_both_are_over() {
    let started = |from: &str, lasts: &str| {
        let crash =
            format!(r#""down": (what: Crash(node: "server"), at: "{from}", for: "{lasts}")"#);
        let record = crowded(r#"per_job: "1MiB""#, "workers: 1", "", &crash);
        record.times("node.restarted")[0]
    };
    assert_eq!(started("500ms", "100ms"), at(1350), "the memory's crash is the longer one");
    assert_eq!(started("500ms", "1s"), at(1500), "the fault is the longer one");
    let record = crowded(
        r#"per_job: "1MiB""#,
        "workers: 1",
        "",
        r#""down": (what: Crash(node: "server"), at: "350ms", for: "1s")"#,
    );
    assert_eq!(record.times(OUT), [at(1700)], "a crash frees all memory");
}

/// Two clients ask one worker at the same instants; who comes second is turned away and tries again
/// every 10 ms. Gives the latencies of those that succeed, and how many requests there were.
fn turned_away(machine: &str, policy: &str) -> (Vec<Span>, usize) {
    let record = run(&format!(
        r#"Scenario(
            title: "No room",
            run: (warmup: "0s", load: "1500ms", quiet: "1s"),
            network: (latency: "0s"),
            nodes: {{
                "first": Client(target: "api", operation: "go", load: Constant(rate: "1/s")),
                "second": Client(target: "api", operation: "go", load: Constant(rate: "1/s"), policy: (
                    retries: 9, backoff: (base: "10ms", growth: Fixed, jitter: None), {policy}
                )),
                "api": Instances(count: 1, of: Service(
                    machine: (workers: 1, queue_max: 0, {machine}),
                    operations: {{"go": (cost: "95ms")}},
                )),
            }},
        )"#
    ));
    let came = record.messages.iter().filter(|one| !one.is_reply && one.fate == "Sent");
    (record.latencies(), came.filter(|one| one.from == "second").count())
}

#[test]
fn who_keeps_the_hint_of_an_overloaded_server_comes_again_when_there_is_room() {
    let hint = "retry_after: \"100ms\"";
    assert_eq!(turned_away("", ""), (vec![ms(95)], 10), "nine retries within 90 ms are in vain");
    assert_eq!(turned_away(hint, ""), (vec![ms(95)], 10), "who does not listen");
    assert_eq!(turned_away("", "retry_after: true"), (vec![ms(95)], 10), "without a hint");
    assert_eq!(turned_away(hint, "retry_after: true"), (vec![ms(95), ms(195)], 2));
    let short = turned_away("retry_after: \"4ms\"", "retry_after: true");
    assert_eq!(short, (vec![ms(95)], 10), "the backoff is longer");
    for bound in ["retry_for: \"50ms\"", "deadline: \"50ms\""] {
        let bounded = turned_away(hint, &format!("retry_after: true, {bound}"));
        assert_eq!(bounded, (vec![ms(95)], 1), "there is no time for it");
    }
    let other = turned_away(hint, "retry_after: true, retry_on: [Overloaded, Failed]");
    assert_eq!(other.1, 2);
}

/// How many requests of each of three tenants are done in 100 s by one worker who has no rest, and
/// whose requests take so many milliseconds.
fn shared(weights: &str, users: [u32; 3], costs: [u32; 3]) -> [f64; 3] {
    let names = ["one", "two", "five"];
    let clients: String = (0..3)
        .map(|place| {
            let (name, users) = (names[place], users[place]);
            let load = match users {
                0 => "Constant(rate: \"1/h\")".to_owned(),
                users => format!("Closed(users: {users})"),
            };
            format!(
                r#""{name}": Client(target: "server", operation: "{name}", load: {load},
                    classes: [(name: "{name}", tenant: "{name}")]),"#
            )
        })
        .collect();
    let operations: String = (0..3)
        .map(|place| format!("\"{}\": (cost: \"{}ms\"),", names[place], costs[place]))
        .collect();
    let record = run(&format!(
        r#"Scenario(
            title: "Three tenants",
            run: (warmup: "0s", load: "100s", quiet: "0s"),
            network: (latency: "0s"),
            nodes: {{
                {clients}
                "server": Service(
                    machine: (workers: 1, discipline: FairQueueing, weights: {{{weights}}}),
                    operations: {{{operations}}},
                ),
            }},
        )"#
    ));
    let ended = record.of("request.succeeded");
    names.map(|name| ended.iter().filter(|fact| fact.node == name).count() as f64)
}

#[test]
fn tenants_have_their_share_of_the_work_by_their_weights() {
    let near = |found: [f64; 3], expected: [f64; 3]| {
        let close = found.iter().zip(expected).all(|(one, other)| (one - other).abs() <= 10.0);
        assert!(close, "{found:?}, not {expected:?}");
    };
    let (weights, busy) = (r#""two": 2, "five": 5"#, [8; 3]);
    near(shared("", busy, [10; 3]), [10_000.0 / 3.0; 3]);
    near(shared(weights, busy, [10; 3]), [1_250.0, 2_500.0, 6_250.0]);
    // The share is one of the work, however large the pieces are.
    near(shared(weights, busy, [10, 40, 20]), [1_250.0, 625.0, 3_125.0]);
    // What one does not want goes to the others, as their weights are.
    near(shared(weights, [8, 8, 0], [10; 3]), [10_000.0 / 3.0, 20_000.0 / 3.0, 0.0]);
}
