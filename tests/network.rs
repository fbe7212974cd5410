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
        ("OneWay([\"server\"], [\"user\"])", 17),
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

/// A fault from 950 ms on, for 300 ms unless it says otherwise.
fn fault(what: &str, lasts: &str) -> String {
    format!(r#""fault": (what: {what}, at: "950ms", for: "{lasts}")"#)
}

const THERE: &str = "OneWay([\"user\"], [\"server\"])";
const BACK: &str = "OneWay([\"server\"], [\"user\"])";

#[test]
fn links_and_pairs_of_zones_may_be_about_one_direction() {
    let link = r#", links: [(from: "user", to: "server", one_way: true, latency: "3ms")]"#;
    assert_eq!(latency(&system(link, "", ""), 1000), ms(14));
    let zones = |more: &str| {
        format!(
            r#", zones: [(name: "a", nodes: ["user"]), (name: "b", nodes: ["server"])],
            zone_links: [(from: "b", to: "a", latency: "20ms") {more}]"#
        )
    };
    assert_eq!(latency(&system(&zones(""), "", ""), 1000), ms(50));
    let later = r#", (from: "a", to: "b", one_way: true, latency: "2ms")"#;
    assert_eq!(latency(&system(&zones(later), "", ""), 1000), ms(32), "the last that fits");
}

#[test]
fn a_message_takes_its_bytes_through_the_bandwidth_and_waits_for_those_before_it() {
    // 200 bytes at 80 kbit/s take 20 ms.
    assert_eq!(latency(&system(", bandwidth: \"80kbit/s\"", "", ""), 1000), ms(52));
    let card = |ways: &str| system(&format!(", cards: [(nodes: [\"server\"], {ways})]"), "", "");
    assert_eq!(latency(&card("down: \"80kbit/s\""), 1000), ms(32));
    assert_eq!(latency(&card("down: \"80kbit/s\", up: \"160kbit/s\""), 1000), ms(42));
    let line = r#", zones: [(name: "a", nodes: ["user"]), (name: "b", nodes: ["server"])],
        zone_links: [(from: "a", to: "b", one_way: true, bandwidth: "80kbit/s")]"#;
    assert_eq!(latency(&system(line, "", ""), 1000), ms(32));
    // At 8 kbit/s they take 200 ms and come every 100 ms: each waits 100 ms longer.
    let slow = system(", bandwidth: \"8kbit/s\"", "", "");
    assert_eq!(latencies(&slow, [100, 200, 300]), [412, 512, 612].map(ms));
}

#[test]
fn a_full_queue_drops_a_datagram_and_costs_a_stream_a_round_trip() {
    let short = ", bandwidth: \"8kbit/s\", queue: (size: \"400B\")";
    let record = system(&format!("{short}{DATAGRAM}"), TIMEOUT, "");
    // The first three pass until 300, 500 and 700 ms; the fourth finds 300 bytes before it.
    let lost = record.passed("user", "server", false, "Lost(queue full)");
    assert_eq!(lost[..2], [400, 600].map(at));
    let arrived = record.passed("user", "server", false, "Arrived");
    assert_eq!(arrived[..4], [301, 501, 701, 901].map(at));
    let stream = system(short, "", "");
    assert!(stream.passed("user", "server", false, "Lost").is_empty());
    assert_eq!(latencies(&stream, [300, 400]), [612, 714].map(ms));
}

#[test]
fn losses_come_in_bursts() {
    let bursts = ", bursts: (enter: \"100 %\", leave: \"100 %\")";
    let record = system(&format!("{bursts}{DATAGRAM}"), TIMEOUT, "");
    let arrived = record.passed("user", "server", false, "Arrived");
    assert_eq!(arrived[..3], [201, 401, 601].map(at));
    let good = record.times("request.succeeded");
    assert_eq!(good[..3], [412, 812, 1212].map(at));
    let storm = fault("Bursts(links: All, bursts: (enter: \"100 %\", leave: \"100 %\"))", "300ms");
    let stream = system("", "", &storm);
    assert_eq!(latencies(&stream, [900, 1500]), [ms(12); 2]);
    assert!(latency(&stream, 1000) >= ms(212), "the first of the burst is sent again");
}

#[test]
fn datagrams_come_twice_and_streams_do_not() {
    let doubled = ", duplication: \"100 %\"";
    let record = system(&format!("{doubled}{DATAGRAM}"), "", "");
    assert_eq!(record.passed("user", "server", false, "Arrived").len(), 58);
    plain(&record, 100, 3000);
    let record = system(doubled, "", "");
    assert_eq!(record.passed("user", "server", false, "Arrived").len(), 29);
    let storm = fault("Duplication(links: All, rate: \"100 %\")", "300ms");
    let record = system(DATAGRAM, "", &storm);
    assert_eq!(record.passed("user", "server", false, "Arrived").len(), 32);
}

#[test]
fn what_is_overtaken_holds_up_a_stream() {
    let record = system(", reordering: (rate: \"100 %\", by: \"5ms\")", "", "");
    assert_eq!(latency(&record, 1000), ms(22));
    let storm = fault("Reordering(links: All, rate: \"100 %\", by: \"150ms\")", "100ms");
    // Held up until 1151 ms; what came behind it waits, and as a datagram it does not.
    assert_eq!(latencies(&system("", "", &storm), [1000, 1100]), [ms(162), ms(62)]);
    assert_eq!(latencies(&system(DATAGRAM, "", &storm), [1000, 1100]), [ms(162), ms(12)]);
}

#[test]
fn what_comes_damaged_is_lost_or_cannot_be_read() {
    let damage =
        |links: &str| fault(&format!("Corruption(links: {links}, rate: \"100 %\")"), "100ms");
    let record = system(DATAGRAM, TIMEOUT, &damage("All"));
    assert_eq!(record.told(), ["timeout"], "a checksum finds it");
    let blind = ", checksum: false";
    let record = system(blind, TIMEOUT, &damage(THERE));
    assert_eq!((record.told(), record.times("request.failed")), (vec!["failed"], vec![at(1002)]));
    assert_eq!(record.passed("user", "server", false, "Arrived").len(), 28, "without effect");
    let record = system(blind, TIMEOUT, &damage(BACK));
    assert_eq!(record.told(), ["connection reset"], "it was done, and nobody knows");
    assert_eq!(record.times("request.failed"), [at(1012)]);
    assert_eq!(system(", corruption: \"100 %\", checksum: false", "", "").told().len(), 29);
}

#[test]
fn a_throttled_link_lets_little_pass() {
    let storm = fault("Throttle(links: All, bandwidth: \"80kbit/s\")", "1s");
    let record = system("", "", &storm);
    assert_eq!(latencies(&record, [900, 1000, 1900, 2000]), [12, 52, 52, 12].map(ms));
}

#[test]
fn what_a_clog_holds_up_comes_at_once() {
    for transport in ["", DATAGRAM] {
        let record = system(transport, "", &fault("Clog(links: All)", "400ms"));
        let held = latencies(&record, [900, 1000, 1100, 1200, 1300, 1400]);
        assert_eq!(held, [12, 362, 262, 162, 62, 12].map(ms), "{transport}");
    }
}

#[test]
fn a_flapping_link_goes_down_and_up() {
    let storm = fault("Flapping(links: All, up: \"300ms\", down: \"100ms\")", "1s");
    let record = system(DATAGRAM, TIMEOUT, &storm);
    let lost = record.passed("user", "server", false, "Lost(partitioned)");
    assert_eq!(lost, [1000, 1400, 1800].map(at));
}

#[test]
fn a_reset_tells_who_waits_and_the_work_is_in_vain() {
    let reset = |at: &str| format!(r#""reset": (what: Reset(links: All), at: "{at}", for: "1ms")"#);
    let record = system("", "", &reset("1005ms"));
    assert_eq!(record.told(), ["connection reset"]);
    assert_eq!(record.times("request.failed"), [at(1005)]);
    assert_eq!(record.passed("server", "user", true, "Orphaned").len(), 1, "what was worked out");
    plain(&record, 1100, 3000);
    let record = system("", "", &reset("1000500us"));
    assert_eq!(record.told(), ["connection reset"]);
    assert_eq!(record.passed("user", "server", false, "Arrived").len(), 28, "it was under way");
    assert!(system(DATAGRAM, "", &reset("1005ms")).told().is_empty());
}

#[test]
fn nobody_notices_a_half_open_connection_until_it_gives_up_or_probes() {
    let half = r#""half": (what: HalfOpen(links: All), at: "1005ms", for: "1ms")"#;
    let record = system(", give_up: \"1s\"", "", half);
    assert_eq!(record.told(), ["connection reset"; 11]);
    assert_eq!(record.times("request.failed"), [at(2100); 11]);
    plain(&record, 2100, 3000);
    let record = system(", keepalive: \"300ms\"", "", half);
    assert_eq!(record.times("request.failed"), [at(1305); 4]);
    plain(&record, 1400, 3000);
}

#[test]
fn who_hangs_accepts_and_never_answers() {
    let record = system("", TIMEOUT, &fault(&format!("Hang(links: {THERE})"), "300ms"));
    assert_eq!((record.told(), record.of("request.failed")[0].at), (vec!["timeout"; 3], at(1500)));
    assert_eq!(record.passed("user", "server", false, "Lost(never answered)").len(), 3);
    plain(&record, 1300, 3000);
}

#[test]
fn only_a_keepalive_finds_that_a_peer_is_gone_that_owes_an_answer() {
    let cut =
        |lasts| format!(r#""cut": (what: Partition(links: All), at: "1005ms", for: "{lasts}")"#);
    let alive = ", keepalive: \"200ms\"";
    let record = system(alive, "", &cut("500ms"));
    assert_eq!(record.times("request.failed"), [at(1205)]);
    let healed = system(alive, "", &cut("100ms"));
    assert!(healed.told().is_empty());
    assert_eq!(latency(&healed, 1000), ms(212), "the answer was sent again");
}

#[test]
fn a_connection_costs_its_round_trips_once() {
    for (connect, first) in [("Free", 12), ("Handshake", 14), ("Tls", 16)] {
        let record = system(&format!(", connect: {connect}"), "", "");
        assert_eq!(latencies(&record, [100, 200]), [ms(first), ms(12)], "{connect}");
    }
    let record = system(", connect: Handshake, idle: \"50ms\"", "", "");
    assert_eq!(latencies(&record, [100, 200]), [ms(14); 2], "it was closed meanwhile");
    let crash = r#""crash": (what: Crash(node: "server"), at: "1050ms", for: "10ms")"#;
    let record = system(", connect: Handshake", "", crash);
    assert_eq!(latencies(&record, [1000, 1100, 1200]), [12, 14, 12].map(ms));
}

#[test]
fn a_node_does_not_hear_what_was_sent_to_its_former_life() {
    let crash = r#""crash": (what: Crash(node: "server"), at: "1000200us", for: "100us")"#;
    let record = system("", "", crash);
    assert_eq!(
        (record.told(), record.times("request.failed")),
        (vec!["connection reset"], vec![at(1002)])
    );
    plain(&system(DATAGRAM, "", crash), 100, 3000);
}

const NAMES: &str = ", names: (latency: \"5ms\", ttl: \"1s\", timeout: \"150ms\")";

#[test]
fn a_name_is_resolved_before_the_first_call_and_again_after_its_time() {
    let record = system(NAMES, "", "");
    // Known from 105 to 1105 ms, and from 1205 to 2205 ms.
    let taken = latencies(&record, [100, 200, 1100, 1200, 1300, 2200, 2300]);
    assert_eq!(taken, [17, 12, 12, 17, 12, 12, 17].map(ms));
    let slow = system(NAMES, "", &fault("SlowNames(add: \"20ms\")", "300ms"));
    assert_eq!(latencies(&slow, [1000, 1200]), [ms(12), ms(37)]);
}

#[test]
fn a_name_service_that_fails_fails_calls_without_effect() {
    let down = system(NAMES, "", &fault("NamesDown", "300ms"));
    assert_eq!((down.told(), down.times("request.failed")), (vec!["unreachable"], vec![at(1350)]));
    let missing = system(NAMES, "", &fault("MissingName(node: \"server\")", "300ms"));
    assert_eq!(missing.times("request.failed"), [at(1205)]);
}

#[test]
fn who_goes_by_an_old_address_is_refused_until_it_asks_again() {
    let crash = r#""crash": (what: Crash(node: "server"), at: "550ms", for: "1ms")"#;
    let record = system(NAMES, "", crash);
    assert_eq!(record.told(), ["unreachable"; 6], "from 600 to 1100 ms");
    assert_eq!(record.times("request.failed")[0], at(602));
    let stale = format!(r#"{crash}, "stale": (what: StaleNames, at: "500ms", for: "1s")"#);
    let record = system(NAMES, "", &stale);
    assert_eq!(record.told(), ["unreachable"; 17], "from 600 to 2200 ms");
    assert_eq!(latency(&record, 2300), ms(17));
    let stays = NAMES.replace("ttl", "moves: false, ttl");
    assert!(system(&stays, "", crash).told().is_empty());
}

/// What is said about this network and these faults.
fn complaint(network: &str, faults: &str) -> String {
    let text = format!(
        r#"Scenario(
    title: "Wrong",
    run: (load: "3s"),
    network: ({network}),
    nodes: {{
        "user": Client(target: "server", operation: "serve", load: Constant(rate: "10/s")),
        "server": Service(operations: {{"serve": ()}}),
    }},
    faults: {{{faults}}},
)"#
    );
    let source = stormglass::scenario::source::Source::new("wrong.ron", text);
    let problems = stormglass::scenario::load(&source).err().unwrap_or_default();
    stormglass::scenario::diagnose::render(&problems, Some(&source), false)
}

#[test]
fn what_makes_no_sense_is_refused_at_load() {
    let cases = [
        ("bursts: (enter: \"0 %\", leave: \"1 %\")", "", "no burst ever begins"),
        ("queue: (size: \"0B\")", "", "takes no message"),
        ("queue: (policy: Red(min: \"2kB\", max: \"1kB\"))", "", "shorter than its `max`"),
        ("give_up: \"1ms\"", "", "gives up before it has tried again"),
        ("retransmit: \"0s\"", "", "too often"),
        ("keepalive: \"0s\"", "", "break every connection"),
        ("idle: \"1s\"", "", "makes no difference"),
        ("cards: [(nodes: [\"user\"])]", "", "limits nothing"),
        ("zone_links: [(from: \"x\", to: \"x\", latency: \"1ms\")]", "", "no zone is called `x`"),
        ("links: [(from: \"user\", to: \"user\")]", "", "without a network"),
        ("links: [(from: \"user\", to: \"server\", queue: ())]", "", "never fills"),
        ("names: (ttl: \"0s\")", "", "can never be used"),
        ("", "NamesDown", "the network has none"),
        ("", "Partition(links: Zones(\"x\", \"y\"))", "no zone is called `x`"),
        ("", "Partition(links: Bridge([\"user\", \"server\"]))", "at least 3 nodes"),
        ("", "Flapping(links: All, up: \"1us\", down: \"1s\")", "at least 1 ms"),
    ];
    for (network, what, says) in cases {
        let faults = if what.is_empty() { String::new() } else { fault(what, "1s") };
        let complaint = complaint(network, &faults);
        assert!(complaint.contains(says), "{network} {what}:\n{complaint}");
        assert!(complaint.contains("wrong.ron:"), "{complaint}");
    }
}
