//! What keeps a service going when more is asked of it than it can do, each against its absence.
//!
//! A server with one worker does 100 requests a second and is asked 200 times; callers wait for one
//! second at most. What is done for somebody who has given up is done in vain.

mod common;

use common::{Record, measured, run};

/// The server with this machine, under callers with this policy. They cannot take a request back.
fn asked(machine: &str, policy: &str) -> Record {
    run(&format!(
        r#"Scenario(
            title: "Twice as much as it can do",
            run: (warmup: "20s", load: "60s", quiet: "10s"),
            network: (latency: "1ms"),
            nodes: {{
                "users": Client(
                    target: "server", operation: "serve", load: Poisson(rate: "200/s"),
                    policy: (timeout: "1s", {policy}),
                ),
                "server": Service(
                    machine: (workers: 1, {machine}),
                    operations: {{"serve": (cost: Exponential(mean: "10ms"))}},
                ),
            }},
        )"#
    ))
}

/// Successes a second.
fn goodput(record: &Record) -> f64 {
    measured(&record.outcome, "throughput.goodput")
}

/// How many requests came to the server.
fn came(record: &Record) -> usize {
    record.passed("users", "server", false, "Arrived").len()
}

#[test]
fn without_anything_all_work_is_in_vain() {
    let plain = asked("", "");
    assert!(goodput(&plain) < 1.0, "{}", goodput(&plain));
}

#[test]
fn an_adaptive_limit_on_jobs_keeps_the_wait_short() {
    let limits = [
        r#"limit: Aimd(latency_max: "300ms", initial: 20, min: 2)"#,
        r#"limit: Gradient(initial: 20, min: 2)"#,
    ];
    for limit in limits {
        let limited = asked(limit, "");
        assert!(goodput(&limited) > 80.0, "{limit}: {}", goodput(&limited));
        assert!(measured(&limited.outcome, "saturation.turned_away") > 1_000.0, "{limit}");
        let slowest = measured(&limited.outcome, "latency.p99");
        assert!(slowest < 0.9, "{limit}: {slowest}");
    }
}

#[test]
fn a_limit_that_adapts_follows_the_latency() {
    let limit = |max: &str| {
        let limited =
            asked(&format!("limit: Aimd(latency_max: \"{max}\", initial: 20, min: 2)"), "");
        measured(&limited.outcome, "latency.p50")
    };
    let (short, long) = (limit("50ms"), limit("400ms"));
    assert!(short * 2.0 < long, "{short} {long}");
}

#[test]
fn controlled_delay_drops_what_has_waited_for_too_long() {
    // CoDel is made for queues that a sender shortens; here it holds the wait below the timeout.
    let fixed = asked("queue_max: 90", "");
    let control = r#"queue_max: 90, delay_control: CoDel(target: "50ms", interval: "100ms")"#;
    let controlled = asked(control, "");
    let dropped =
        |record: &Record| record.outcome.nodes.iter().map(|node| node.dropped).sum::<u64>();
    assert_eq!(dropped(&fixed), 0);
    assert!(dropped(&controlled) > 500, "{}", dropped(&controlled));
    let wait = |record: &Record| measured(&record.outcome, "latency.p50");
    assert!(wait(&controlled) < wait(&fixed) * 0.8, "{} {}", wait(&controlled), wait(&fixed));
    assert!(goodput(&controlled) > 80.0, "{}", goodput(&controlled));
}

#[test]
fn adaptive_last_in_first_out_serves_those_who_still_wait() {
    let (fifo, lifo) = (asked("", ""), asked(r#"discipline: AdaptiveLifo(age: "100ms")"#, ""));
    assert!(goodput(&fifo) < 1.0 && goodput(&lifo) > 80.0, "{}", goodput(&lifo));
    let half = measured(&lifo.outcome, "latency.p50");
    assert!(half < 0.1, "the newest hardly waits: {half}");
    // Where nothing waits for long it is a plain queue.
    let patient = asked(r#"discipline: AdaptiveLifo(age: "10min")"#, "");
    assert_eq!(patient.outcome.digest, fifo.outcome.digest);
}

#[test]
fn a_caller_that_throttles_itself_spares_the_server() {
    let open = asked("queue_max: 5", "");
    let limit = r#"rate_limit: (by: Throttle(k: "1.2x", window: "10s"))"#;
    let throttled = asked("queue_max: 5", limit);
    assert!(came(&open) > 11_000, "{}", came(&open));
    // 1.2 for each that is accepted: of those that come, a short queue refuses some.
    assert!((5_500..8_000).contains(&came(&throttled)), "{}", came(&throttled));
    assert!(measured(&throttled.outcome, "availability.limited") > 3_000.0);
    assert!(goodput(&throttled) > goodput(&open) * 0.85);
}

#[test]
fn a_rate_that_adapts_finds_what_the_server_can_do() {
    let limit = r#"rate_limit: (by: Aimd(
        start: "200/s", min: "1/s", max: "1000/s", increase: "10/s", slow: "200ms",
    ))"#;
    let adaptive = asked("", limit);
    let rate = came(&adaptive) as f64 / 60.0;
    assert!((60.0..115.0).contains(&rate), "{rate}");
    assert!(goodput(&adaptive) > 60.0, "{}", goodput(&adaptive));
}

#[test]
fn a_row_that_a_table_has_is_there_from_the_start_and_no_other() {
    // A cache keeps rows that exist. Of ten keys that are read, the table has so many rows.
    let hits = |rows: u32| {
        let record = run(&format!(
            r#"Scenario(
                title: "Rows",
                run: (warmup: "1s", load: "60s"),
                nodes: {{
                    "users": Client(target: "shop", operation: "look", load: Poisson(rate: "100/s")),
                    "shop": Service(operations: {{
                        "look": (reads: [(from: "cache", table: "articles", keys: 10)]),
                    }}),
                    "cache": Cache(store: "bank"),
                    "bank": Store(tables: [(name: "articles", rows: {rows})]),
                }},
            )"#
        ));
        measured(&record.outcome, "cost.hits")
    };
    let [all, half, none] = [10, 5, 0].map(hits);
    assert!(all > 0.99 && (0.4..0.6).contains(&half) && none == 0.0, "{all} {half} {none}");
}

#[test]
fn an_operation_reads_before_it_calls_one_after_the_other() {
    let record = run(r#"Scenario(
        title: "In order",
        run: (warmup: "0s", load: "1s", quiet: "1s"),
        network: (latency: "1ms"),
        nodes: {
            "user": Client(target: "shop", operation: "buy", load: At(["0s"])),
            "shop": Service(operations: {"buy": (
                reads: [(from: "bank", table: "b"), (from: "bank", table: "a")],
                calls: [(to: "post", operation: "send")],
            )}),
            "bank": Store(tables: [(name: "a", rows: 1), (name: "b", rows: 1)]),
            "post": Service(operations: {"send": ()}),
        },
    )"#);
    let asked = |to: &str| record.passed("shop", to, false, "Sent");
    let answered = |from: &str| record.passed(from, "shop", true, "Arrived");
    let ([first, second], [read, again]) = (&asked("bank")[..], &answered("bank")[..]) else {
        panic!("two reads and their answers");
    };
    assert!(first < read && read <= second && second < again && again <= &asked("post")[0]);
    let tables: Vec<&str> = record
        .messages
        .iter()
        .filter(|one| one.to == "bank" && one.fate == "Sent")
        .map(|one| one.body.as_str())
        .collect();
    assert_ne!(tables[0], tables[1], "in the order of the list");
}
