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
        \"server\": Service(operations: {{\"go\": (cost: \"1ms\"), \"other\": (cost: \"5ms\")}}),
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
