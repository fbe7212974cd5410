//! How busy bandwidths are, and what their queues drop, as reports have it.

mod common;

use common::{measured, run};
use stormglass::explore::{Plan, Silent, study};
use stormglass::report;

/// Requests of 5,000 bytes over a megabit a second: 40 ms each.
fn narrow(rest: &str, client: &str) -> String {
    format!(
        r#"Scenario(
            title: "A narrow link",
            run: (warmup: "0s", load: "10s", quiet: "5s"),
            network: (latency: "1ms", {rest}),
            nodes: {{
                "users": Client(
                    target: "server", operation: "serve", payload: "4800B", {client}
                    policy: (timeout: "1s"),
                ),
                "server": Service(operations: {{"serve": (cost: "0s")}}),
            }},
        )"#
    )
}

#[test]
fn a_bandwidth_shows_how_busy_it_is_and_what_its_queue_drops() {
    let steady = r#"load: Constant(rate: "10/s"),"#;
    let wide = run(&narrow(r#"bandwidth: "1Mbit/s""#, steady)).outcome;
    let names: Vec<&str> = wide.links.iter().map(|link| link.name.as_str()).collect();
    assert_eq!(names, ["server → users", "users → server"]);
    let busy = measured(&wide, "saturation.link");
    assert!((busy - 0.4).abs() < 0.005, "{busy}");
    assert_eq!(measured(&wide, "saturation.link_drops"), 0.0);
    // Of five that come at once one passes and one fits into the queue.
    let queue = r#"transport: Datagram, bandwidth: "1Mbit/s", queue: (size: "11kB")"#;
    let narrow = run(&narrow(queue, r#"load: Constant(rate: "1/s"), batch: 5,"#)).outcome;
    assert_eq!(measured(&narrow, "saturation.link_drops"), 27.0);
    assert_eq!(narrow.links.iter().map(|link| link.dropped).collect::<Vec<_>>(), [0, 27]);
}

#[test]
fn without_a_bandwidth_there_is_nothing_to_measure_on_one() {
    let free = run(&narrow("", r#"load: Constant(rate: "10/s"),"#)).outcome;
    assert!(free.links.is_empty());
    let known = free.measures.iter().find(|measure| measure.id == "saturation.link");
    assert_eq!(known.expect("it is in the catalogue").value, None);
}

#[test]
fn cards_and_lines_between_zones_are_bandwidths_too() {
    let rest = r#"
        zones: [(name: "eu", nodes: ["users"]), (name: "us", nodes: ["server"])],
        zone_links: [(from: "eu", to: "us", bandwidth: "2Mbit/s")],
        cards: [(nodes: ["server"], down: "4Mbit/s")]
    "#;
    let text = narrow(rest, r#"load: Constant(rate: "10/s"),"#);
    let outcome = run(&text).outcome;
    let of = |name: &str| {
        let found = outcome.links.iter().find(|link| link.name == name);
        found.unwrap_or_else(|| panic!("{name} in {:?}", outcome.links)).utilisation
    };
    assert!((of("line eu → us") - 0.2).abs() < 0.005, "{}", of("line eu → us"));
    assert!((of("card of server, in") - 0.1).abs() < 0.005);
    assert!(of("line us → eu") < 0.01);
    let plan = Plan { seeds: vec![1], variants: Vec::new(), jobs: 1 };
    let markdown = report::markdown(&study(&common::scenario(&text), &plan, &Silent));
    assert!(markdown.contains("## Bandwidths") && markdown.contains("line eu → us"), "{markdown}");
}
