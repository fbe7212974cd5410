//! Loads: when requests come, what they ask for, and how they are counted.

mod common;

use common::{Record, run};

/// The value of a measure of a run.
fn measure(record: &Record, id: &str) -> Option<f64> {
    let found = record.outcome.measures.iter().find(|measure| measure.id == id);
    found.expect("it is measured").value
}

/// A client of a server that takes a millisecond, with `load` and what else is said of it.
fn text(clients: &str, run: &str) -> String {
    format!(
        "Scenario(
    title: \"Load\",
    run: {run},
    nodes: {{
        {clients}
        \"server\": Service(operations: {{\"go\": (cost: \"1ms\"), \"other\": (cost: \"5ms\"), \"slow\": (cost: \"150ms\")}}),
    }},
)"
    )
}

#[test]
fn a_client_makes_each_class_of_requests_by_its_weight() {
    let clients = r#""users": Client(target: "server", operation: "go", load: Poisson(rate: "500/s"),
        classes: [
            (name: "browse", weight: 3, tenant: "acme"),
            (name: "buy", operation: "other", priority: 9, tenant: "bolt"),
        ]),"#;
    let record = run(&text(clients, "(load: \"20s\", quiet: \"1s\")"));
    let outcome = &record.outcome;
    let [browse, buy] = &outcome.classes[..] else { panic!("two classes") };
    assert_eq!((browse.flow.name.as_str(), buy.flow.name.as_str()), ("class:browse", "class:buy"));
    assert_eq!((buy.priority, buy.tenant.as_deref()), (9, Some("bolt")));
    let (many, few) = (browse.flow.started, buy.flow.started);
    assert_eq!(many + few, outcome.flows[0].started);
    let share = few as f64 / (many + few) as f64;
    assert!((share - 0.25).abs() < 0.02, "{share}");
    // A class asks for its own operation, which takes longer.
    let p50 = |class| measure(&record, &format!("latency.p50/class:{class}")).expect("measured");
    assert!((0.001..0.002).contains(&p50("browse")) && (0.005..0.006).contains(&p50("buy")));
    let goodput = measure(&record, "throughput.goodput/class:buy").expect("measured");
    assert!((goodput - 125.0).abs() < 15.0, "{goodput}");
    assert_eq!(measure(&record, "throughput.fairness"), Some(1.0));
}

#[test]
fn classes_move_nobodys_arrivals() {
    let client = |more: &str| {
        let clients = format!(
            "\"users\": Client(target: \"server\", operation: \"go\",
                load: Poisson(rate: \"50/s\"), value: (1, 1000){more}),"
        );
        let record = run(&text(&clients, "(load: \"5s\")"));
        let started = record.of("request.started").into_iter();
        started.map(|fact| (fact.at, fact.key, fact.value)).collect::<Vec<_>>()
    };
    let plain = client("");
    assert!(plain.len() > 200);
    assert_eq!(plain, client(", classes: [(name: \"a\")]"));
    assert_eq!(plain, client(", classes: [(name: \"a\"), (name: \"b\", weight: 5)]"));
}

#[test]
fn a_users_next_request_waits_for_the_answer_and_late_ones_count_from_their_time() {
    // Each user means to ask every 100 ms; the only worker takes 150 ms.
    let clients = r#""users": Client(target: "server", operation: "slow",
        load: Closed(users: 1, every: "100ms")),"#;
    let record = run(&text(clients, "(load: \"1s\", quiet: \"1s\")"));
    let latencies: Vec<f64> = record.latencies().iter().map(|one| one.as_seconds() * 1e3).collect();
    // The request that was meant for n · 100 ms ends at (n + 1) · 150.5 ms.
    for (place, latency) in latencies.iter().enumerate() {
        let expected = 150.5 * (place + 1) as f64 - 100.0 * place as f64;
        assert!((latency - expected).abs() < 1e-6, "request {place}: {latency} for {expected}");
    }
    assert_eq!(record.values("request.late")[0], 50_500_000);
    // What a client could not send counts as offered when it was due.
    let offered: u64 = record.outcome.windows.iter().map(|window| window.offered).sum();
    assert_eq!(offered, record.outcome.flows[0].started);
}

#[test]
fn what_is_due_while_a_client_is_frozen_is_late_and_not_put_off() {
    let load = |load: &str| {
        let clients =
            format!("\"users\": Client(target: \"server\", operation: \"go\", load: {load}),");
        let text = text(&clients, "(load: \"4s\", quiet: \"1s\")");
        let faults = "faults: {\"gc\": (what: Pause(node: \"users\"), at: \"1s\", for: \"1s\")},";
        run(&text.replace("nodes:", &format!("{faults} nodes:")))
    };
    let processes = [
        "Poisson(rate: \"100/s\")",
        "Constant(rate: \"100/s\")",
        "Gaps(Uniform(min: \"5ms\", max: \"15ms\"))",
        "Gamma(rate: \"100/s\", cv: 2)",
        "Weibull(rate: \"100/s\", shape: 0.7)",
        "Poisson(rate: Ramp(from: \"50/s\", to: \"150/s\", over: \"4s\"))",
        "Constant(rate: Diurnal(mean: \"100/s\", amplitude: \"50 %\", period: \"1s\"))",
        "Bursts(states: [(rate: \"50/s\", stay: \"1s\"), (rate: \"200/s\", stay: \"500ms\")])",
        "Sessions(rate: \"50/s\", stay: \"50 %\")",
    ];
    for process in processes {
        let record = load(process);
        let started = record.outcome.flows[0].started as f64;
        assert!((300.0..500.0).contains(&started), "{process}: {started}");
        let slow = record.latencies().iter().filter(|one| one.as_seconds() > 0.1).count();
        assert!(slow > 30, "{process}: {slow} felt that the client was frozen");
        let max = measure(&record, "latency.max").expect("some succeeded");
        assert!((0.8..1.1).contains(&max), "{process}: {max}");
    }
}

#[test]
fn users_come_one_after_the_other_and_make_sessions() {
    let clients = r#""users": Client(target: "server", operation: "go",
        load: Closed(users: 4, think: "100ms", ramp_up: "4s",
            session: (requests: 3, pause: "10s"))),"#;
    let record = run(&text(clients, "(load: \"14s\", quiet: \"1s\")"));
    let times: Vec<f64> =
        record.times("request.started").iter().map(|at| at.as_seconds()).collect();
    let between = |from: f64, to: f64| times.iter().filter(|at| (from..to).contains(*at)).count();
    // Each makes three requests in its first half second, and comes back ten seconds later.
    let first = [0, 1, 2, 3].map(|second| between(f64::from(second), f64::from(second) + 0.5));
    assert_eq!(first, [3, 3, 3, 3]);
    assert_eq!((between(4.0, 10.0), between(10.0, 14.0) > 8), (0, true), "{times:?}");
}

#[test]
fn sessions_of_a_partly_open_load_have_geometric_lengths() {
    let clients = r#""users": Client(target: "server", operation: "go",
        load: Sessions(rate: "50/s", stay: "75 %", think: "10ms")),"#;
    let record = run(&text(clients, "(load: \"100s\", quiet: \"1s\")"));
    let started = record.outcome.flows[0].started as f64;
    // 5000 users, each with four requests on average.
    assert!((started / 20_000.0 - 1.0).abs() < 0.05, "{started}");
}

#[test]
fn an_observer_at_random_instants_waits_for_half_of_a_biased_interval() {
    // Case E04: requests back to back, so the server is never idle; who comes at a random instant
    // waits for what is left of the job in hand: E[X²] / 2 E[X], which is 205 ms here.
    let text = "Scenario(
    title: \"The inspection paradox\",
    run: (load: \"20000s\", quiet: \"10s\"),
    network: (latency: \"0s\"),
    nodes: {
        \"worker\": Client(target: \"server\", operation: \"work\", load: Closed(users: 1)),
        \"observer\": Client(target: \"server\", operation: \"look\", load: Poisson(rate: \"0.5/s\")),
        \"server\": Service(machine: (workers: 1), operations: {
            \"work\": (cost: LogNormal(median: \"200ms\", p99: \"1s\")),
            \"look\": (cost: \"0s\"),
        }),
    },
)";
    let record = run(text);
    let worked = measure(&record, "latency.mean/worker").expect("measured");
    let looked = measure(&record, "latency.mean/observer").expect("measured");
    assert!((worked / 0.25408 - 1.0).abs() < 0.03, "{worked}");
    assert!((looked / 0.20502 - 1.0).abs() < 0.05, "{looked}");
}

#[test]
fn keys_come_from_the_distribution_that_is_asked_for() {
    let keys = |keys: &str| -> Vec<u64> {
        let clients = format!(
            "\"users\": Client(target: \"server\", operation: \"go\",
                load: Constant(rate: \"1000/s\"), keys: {keys}),"
        );
        let record = run(&text(&clients, "(load: \"10s\")"));
        record.of("request.started").iter().map(|fact| fact.key).collect()
    };
    let share = |keys: &[u64], key| {
        keys.iter().filter(|one| **one == key).count() as f64 / keys.len() as f64
    };
    let zipf = keys("Zipf(objects: 3, exponent: 1)");
    // 1, 1/2 and 1/3 of 11/6.
    for (key, expected) in [(0, 6.0 / 11.0), (1, 3.0 / 11.0), (2, 2.0 / 11.0)] {
        assert!((share(&zipf, key) - expected).abs() < 0.02, "{key}: {}", share(&zipf, key));
    }
    assert_eq!(keys("Sequential()")[..3], [0, 1, 2]);
    let mut fresh = keys("Fresh");
    fresh.sort_unstable();
    fresh.dedup();
    assert_eq!(fresh.len(), 9999, "every request is about an object of its own");
}

#[test]
fn a_recording_says_when_requests_come_and_what_they_ask_for() {
    let clients = r#""users": Client(target: "server", operation: "go",
        load: Trace(file: "day.csv"), keys: Sequential(), value: (5, 5),
        classes: [(name: "read"), (name: "write", operation: "other")]),"#;
    let text = text(clients, "(load: \"10s\")");
    let arrivals =
        "time,class,key,payload\n0,read,7,100\n0.5,write,8,2KiB\n500ms,read,9,0\n3s,write,7,1\n";
    let record = common::run_with(&text, &[("day.csv", arrivals)]);
    let started: Vec<(u64, u64, i64)> =
        record.of("request.started").iter().map(|fact| (fact.at.0, fact.key, fact.value)).collect();
    let second = 1_000_000_000;
    let expected = [(0, 7, 5), (second / 2, 8, 5), (second / 2, 9, 5), (3 * second, 7, 5)];
    assert_eq!(started, expected);
    let classed: Vec<(u64, i64)> =
        record.of("request.classed").iter().map(|fact| (fact.key, fact.value)).collect();
    assert_eq!(classed, [(1, 100), (2, 2048), (1, 0), (2, 1)]);
    let p50 = measure(&record, "latency.p50/class:write").expect("measured");
    assert!(p50 > 0.005, "a class has its own operation: {p50}");
}

#[test]
fn bodies_are_bytes_on_the_network() {
    let bytes = |payload: &str| {
        let clients = format!(
            "\"users\": Client(target: \"server\", operation: \"go\",
                load: Constant(rate: \"100/s\"){payload}),"
        );
        measure(&run(&text(&clients, "(load: \"10s\", quiet: \"1s\")")), "cost.bytes").unwrap()
    };
    let plain = bytes("");
    assert!((bytes(", payload: \"1kB\"") - plain - 1000.0).abs() < 1e-6);
    let drawn = bytes(", payload: Exponential(mean: \"10kB\")") - plain;
    assert!((drawn / 10_000.0 - 1.0).abs() < 0.1, "{drawn}");
    let answered = text(
        "\"users\": Client(target: \"server\", operation: \"go\", load: Constant(rate: \"100/s\")),",
        "(load: \"10s\", quiet: \"1s\")",
    );
    let answered = answered.replace("(cost: \"1ms\")", "(cost: \"1ms\", answer: \"5kB\")");
    let answered = measure(&run(&answered), "cost.bytes").unwrap();
    assert!((answered - plain - 5000.0).abs() < 1e-6, "{answered}");
}

#[test]
fn requests_about_one_object_are_requests_of_their_own() {
    let text = "Scenario(
    title: \"One object\",
    run: (load: \"10s\", quiet: \"5s\"),
    nodes: {
        \"users\": Client(target: \"trip\", operation: \"book\", load: Constant(rate: \"10/s\"),
            keys: Uniform(objects: 1), policy: (timeout: \"20ms\", retries: 20)),
        \"trip\": Saga(steps: [(service: \"cars\", action: \"take\", compensation: \"give\")]),
        \"cars\": Service(store: \"db\", operations: {
            \"take\": (cost: Exponential(mean: \"15ms\"), transfer: (from: \"free\", to: \"taken\")),
            \"give\": (undoes: \"take\"),
        }),
        \"db\": Store(accounts: [(name: \"free\", balance: 100000), (name: \"taken\", balance: 0)]),
    },
    invariants: {
        \"once\": Once(accounts: [(store: \"db\", account: \"taken\")]),
        \"truth\": Truthful(accounts: [(store: \"db\", account: \"taken\")]),
    },
)";
    let record = run(text);
    let flow = &record.outcome.flows[0];
    // Each takes 18 ms on average, and now and then the answer is too late for the first try.
    assert_eq!((flow.started, flow.succeeded), (99, 99));
    assert!(!record.of("call.retried").is_empty(), "some came again");
    assert_eq!(record.sum("taken"), 99, "each has taken one, however often it came");
    for finding in &record.outcome.findings {
        assert!(finding.checked > 0 && finding.violations == 0, "{finding:?}");
    }
}
