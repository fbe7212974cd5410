//! Each mechanism of the network has its effect, and its absence none.
//!
//! A user asks a server ten times a second, one way takes 1 ms and the work 10 ms, so every request
//! that nothing befalls takes 12 ms. A stream tries again after 200 ms, and each time after
//! twice as long; the figures follow from that by hand.

mod common;

use common::{Record, at, ms, run};
use stormglass::engine::Span;

/// The system with these words in network, client and faults.
fn system(network: &str, client: &str, faults: &str) -> Record {
    run(&format!(
        r#"Scenario(
    title: "One link",
    run: (load: "3s", quiet: "60s"),
    network: (latency: "1ms" {network}),
    nodes: {{
        "user": Client(target: "server", operation: "serve", load: Constant(rate: "10/s") {client}),
        "server": Service(operations: {{"serve": (cost: "10ms")}}),
    }},
    faults: {{{faults}}},
)"#
    ))
}

const TIMEOUT: &str = ", policy: (timeout: \"500ms\")";
const DATAGRAM: &str = ", transport: Datagram";

fn latency(record: &Record, begun: u64) -> Span {
    let started = record.of("request.started");
    let root = started.iter().find(|fact| fact.at == at(begun)).expect("it was begun").root;
    let ended = record.of("request.succeeded");
    let end = ended.iter().find(|fact| fact.root == root).expect("it succeeded");
    Span(end.value as u64)
}

fn latencies<const N: usize>(record: &Record, begun: [u64; N]) -> [Span; N] {
    begun.map(|begun| latency(record, begun))
}

/// Every hundredth millisecond within these bounds takes as long as if nothing had happened.
fn plain(record: &Record, from: u64, to: u64) {
    for begun in (from..to).step_by(100) {
        assert_eq!(latency(record, begun), ms(12), "begun at {begun} ms");
    }
}

#[test]
fn added_latency_adds_to_each_way_that_it_is_about() {
    let fault = |links: &str| {
        format!(r#""far": (what: Latency(links: {links}, add: "5ms"), at: "1050ms", for: "1s")"#)
    };
    let cases = [
        ("All", 22),
        ("Around(\"server\")", 22),
        ("Between([\"user\"], [\"server\"])", 22),
        ("OneWay([\"user\"], [\"server\"])", 17),
        ("OneWay([\"server\"], [\"server\"])", 12),
    ];
    for (links, expected) in cases {
        let record = system("", "", &fault(links));
        plain(&record, 100, 1050);
        assert_eq!(latencies(&record, [1100, 1500, 2000]), [ms(expected); 3], "{links}");
        plain(&record, 2100, 3000);
    }
}

#[test]
fn a_stream_sends_what_was_lost_again_and_what_follows_waits() {
    let loss = r#""loss": (what: Loss(links: OneWay(["user"], ["server"]), rate: "100 %"), at: "950ms", for: "100ms")"#;
    let record = system("", "", loss);
    assert!(record.told().is_empty());
    // Lost at 1000 ms, sent again at 1200 ms, and with it what was behind it.
    assert_eq!(latencies(&record, [1000, 1100, 1200]), [ms(212), ms(112), ms(12)]);
    plain(&record, 100, 950);
    plain(&record, 1300, 3000);
}

#[test]
fn a_stream_waits_twice_as_long_each_time() {
    let loss = r#""loss": (what: Loss(links: All, rate: "100 %"), at: "950ms", for: "300ms")"#;
    let record = system("", "", loss);
    // Lost at 1000 ms and 1200 ms, sent again at 1600 ms.
    let held = latencies(&record, [1000, 1100, 1300, 1600]);
    assert_eq!(held, [ms(612), ms(512), ms(312), ms(12)]);
    plain(&record, 1700, 3000);
}

#[test]
fn a_datagram_that_is_lost_is_lost() {
    let loss = r#""loss": (what: Loss(links: All, rate: "100 %"), at: "950ms", for: "300ms")"#;
    let record = system(DATAGRAM, TIMEOUT, loss);
    assert_eq!(record.told(), ["timeout"; 3]);
    assert_eq!(record.passed("user", "server", false, "Lost"), [1000, 1100, 1200].map(at));
    plain(&record, 100, 950);
    plain(&record, 1300, 3000);
}

#[test]
fn loss_takes_the_share_that_it_should() {
    let text = r#"Scenario(
    title: "A lossy link",
    run: (load: "100s", quiet: "5s"),
    network: (latency: "1ms", transport: Datagram, loss: "20 %"),
    nodes: {
        "user": Client(target: "server", operation: "serve", load: Constant(rate: "100/s"), policy: (timeout: "50ms")),
        "server": Service(operations: {"serve": (cost: "1ms")}),
    },
)"#;
    let record = run(text);
    let (sent, good) = (record.of("request.started").len(), record.of("request.succeeded").len());
    // Both ways must get through; five standard deviations of 9,999 tosses.
    let share = good as f64 / sent as f64;
    assert!(sent == 9_999 && (share - 0.64).abs() < 0.024, "{share}");
}

/// What was sent from the user to the server, and what arrived, by number.
fn order(network: &str) -> (Vec<String>, Vec<String>) {
    let record = run(&format!(
        r#"Scenario(
    title: "Order",
    run: (load: "5s", quiet: "60s"),
    network: (latency: Exponential(mean: "50ms") {network}),
    nodes: {{
        "user": Client(target: "server", operation: "serve", load: Constant(rate: "100/s")),
        "server": Service(operations: {{"serve": (cost: "1ms")}}),
    }},
)"#
    ));
    let of = |fate: &str| {
        let ours = record.messages.iter().filter(|one| one.to == "server" && one.fate == fate);
        ours.map(|one| one.body.clone()).collect()
    };
    (of("Sent"), of("Arrived"))
}

#[test]
fn a_stream_delivers_in_order_also_when_packets_are_lost() {
    for loss in ["", ", loss: \"2 %\""] {
        let (sent, arrived) = order(loss);
        assert_eq!(sent.len(), 499);
        assert!(sent == arrived, "out of order with `{loss}`");
    }
    let (sent, mut arrived) = order(DATAGRAM);
    assert!(sent != arrived, "datagrams overtake one another");
    arrived.sort();
    let mut all = sent.clone();
    all.sort();
    assert_eq!(all, arrived, "but none is lost");
}

fn partition(links: &str, lasts: &str) -> String {
    format!(r#""cut": (what: Partition(links: {links}), at: "950ms", for: "{lasts}")"#)
}

#[test]
fn a_partition_blocks_a_stream_until_it_has_healed() {
    let record = system("", "", &partition("Between([\"user\"], [\"server\"])", "700ms"));
    assert!(record.told().is_empty());
    // Tried at 1000, 1200 and 1600 ms, healed at 1650 ms, tried at 2400 ms.
    let held = latencies(&record, [1000, 1700, 2400]);
    assert_eq!(held, [ms(1412), ms(712), ms(12)]);
    let arrived = record.passed("user", "server", false, "Arrived");
    assert!(!arrived.iter().any(|time| (at(950)..at(2400)).contains(time)));
    plain(&record, 2500, 3000);
}

#[test]
fn a_stream_gives_up_when_it_was_told_to() {
    let record = system(", give_up: \"1s\"", "", &partition("All", "2s"));
    // Ten requests were on the connection; it breaks one second after the first of them was sent.
    // The next one breaks when its last try, at 2600 ms, was before the partition healed.
    let ends = record.times("request.failed");
    assert_eq!(ends, [[at(2000); 10], [at(3000); 10]].concat());
    assert_eq!(record.told(), ["connection reset"; 20]);
    assert_eq!(record.of("request.succeeded").len(), 9);
    let patient = system("", "", &partition("All", "2s"));
    assert!(patient.told().is_empty(), "with the default of 15 s nothing breaks");
}

#[test]
fn datagrams_do_not_pass_a_partition() {
    let record = system(DATAGRAM, TIMEOUT, &partition("Around(\"server\")", "300ms"));
    assert_eq!(record.told(), ["timeout"; 3]);
    assert_eq!(record.passed("user", "server", false, "Lost(partitioned)").len(), 3);
    plain(&record, 1300, 3000);
}

#[test]
fn a_partition_one_way_lets_the_other_way_pass() {
    let record = system(DATAGRAM, TIMEOUT, &partition("OneWay([\"server\"], [\"user\"])", "300ms"));
    assert_eq!(record.told(), ["timeout"; 3]);
    assert_eq!(record.passed("user", "server", false, "Arrived").len(), 29, "all questions come");
    assert_eq!(record.passed("server", "user", true, "Lost(partitioned)").len(), 3);
    assert_eq!(record.passed("server", "user", true, "Arrived").len(), 26);
}

#[test]
fn zones_and_links_have_latencies_of_their_own() {
    let zones = r#", between_zones: "20ms", zones: [(name: "here", nodes: ["user"]), (name: "there", nodes: ["server"])]"#;
    let apart = system(zones, "", "");
    assert_eq!(latency(&apart, 1000), ms(50));
    let near = system(
        &zones
            .replace("[\"user\"]", "[\"user\", \"server\"]")
            .replace(", (name: \"there\", nodes: [\"server\"])", ""),
        "",
        "",
    );
    assert_eq!(latency(&near, 1000), ms(12));
    let cable = r#", links: [(from: "server", to: "user", latency: "3ms")]"#;
    let special = system(&format!("{zones}{cable}"), "", "");
    assert_eq!(latency(&special, 1000), ms(16), "a link of its own counts more than its zones");
}
