//! Connections that one side has lost: who learns of it, when, and what the next one costs.
//!
//! A user asks a server ten times a second, one way takes 1 ms and the work 10 ms, so every request
//! that nothing befalls takes 12 ms. A stream tries again after 200 ms, then after 400 ms.

mod common;

use common::{Record, at, ms, run};
use stormglass::engine::Span;

/// The server's host is off from 1005 ms on for so long.
fn crash(lasts: &str) -> String {
    format!(r#""crash": (what: Crash(node: "server", host: true), at: "1005ms", for: "{lasts}"),"#)
}

/// The system with these words in its network and these faults.
fn system(network: &str, faults: &str) -> Record {
    run(&format!(
        r#"Scenario(
    title: "One connection",
    run: (load: "3s", quiet: "60s"),
    network: (latency: "1ms", {network}),
    nodes: {{
        "user": Client(target: "server", operation: "serve", load: Constant(rate: "10/s")),
        "server": Service(operations: {{"serve": (cost: "10ms")}}),
    }},
    faults: {{{faults}}},
)"#
    ))
}

fn latency(record: &Record, begun: u64) -> Span {
    let started = record.of("request.started");
    let root = started.iter().find(|fact| fact.at == at(begun)).expect("it was begun").root;
    let ended = record.of("request.succeeded");
    Span(ended.iter().find(|fact| fact.root == root).expect("it succeeded").value as u64)
}

/// Every request that is begun within these bounds takes as long as if nothing had happened.
fn plain(record: &Record, from: u64, to: u64) {
    for begun in (from..to).step_by(100) {
        assert_eq!(latency(record, begun), ms(12), "begun at {begun} ms");
    }
}

#[test]
fn a_host_that_is_back_resets_what_it_has_forgotten_and_all_who_wait_learn_it() {
    let record = system("", &crash("65ms"));
    assert_eq!(record.told(), ["connection reset"; 2]);
    assert_eq!(record.times("request.failed"), [at(1102); 2], "one round trip after it was sent");
    plain(&record, 100, 1000);
    plain(&record, 1200, 3000);
    let datagrams = system("transport: Datagram", &crash("65ms"));
    assert!(datagrams.told().is_empty(), "there is no connection");
    plain(&datagrams, 1100, 3000);
}

#[test]
fn what_was_on_its_way_when_a_host_went_is_reset_when_it_comes_and_is_not_worked_on() {
    let far = "links: [(from: \"user\", to: \"server\", latency: \"150ms\")]";
    let record = system(far, &crash("10ms"));
    // What was sent at 900 ms comes at 1050 ms, and the reset that it meets is back at 1200 ms.
    assert_eq!(record.times("request.failed"), [at(1200); 3]);
    assert_eq!(record.told(), ["connection reset"; 3]);
    let arrived = record.passed("user", "server", false, "Arrived");
    assert!(!arrived.iter().any(|time| (at(1000)..at(1350)).contains(time)), "{arrived:?}");
    assert_eq!([800, 1200].map(|begun| latency(&record, begun)), [ms(310); 2]);
}

#[test]
fn a_host_that_stays_off_breaks_its_connections_as_a_partition_does() {
    let record = system("give_up: \"1s\"", &crash("1200ms"));
    // The first in vain was sent at 1100 ms. The next try is at 2100 ms, then 2300 ms: it is back.
    assert_eq!(record.times("request.failed"), [at(2100); 11]);
    assert_eq!(record.told(), ["connection reset"; 11]);
    assert_eq!([2100, 2200, 2300].map(|begun| latency(&record, begun)), [212, 112, 12].map(ms));
    plain(&record, 2400, 3000);
}

#[test]
fn a_reset_that_cannot_come_back_is_none() {
    let cut = r#""cut": (what: Partition(links: OneWay(["server"], ["user"])), at: "1050ms", for: "200ms")"#;
    let record = system("", &format!("{}{cut}", crash("30ms")));
    // Sent at 1100 ms and at 1300 ms, with those behind it.
    assert_eq!(record.times("request.failed"), [at(1302); 4]);
    plain(&record, 1400, 3000);
}

#[test]
fn a_connection_costs_its_round_trips_again_when_it_was_lost() {
    let record = system("connect: Handshake", &crash("65ms"));
    assert_eq!(record.times("request.failed"), [at(1102); 2], "the old one, without a handshake");
    assert_eq!([900, 1200, 1300].map(|begun| latency(&record, begun)), [12, 14, 12].map(ms));
    let idle = system("connect: Handshake, idle: \"60ms\"", &crash("50ms"));
    assert_eq!(idle.of("request.failed").len(), 0, "closed at 1060 ms, and nobody was told");
    assert_eq!(latency(&idle, 1100), ms(14));
    let cut = r#""cut": (what: Partition(links: All), at: "950ms", for: "1100ms")"#;
    let given_up = system("connect: Handshake, give_up: \"1s\"", cut);
    assert_eq!(given_up.times("request.failed"), [at(2000); 10]);
    assert_eq!([2000, 2300].map(|begun| latency(&given_up, begun)), [214, 12].map(ms));
}

#[test]
fn a_connection_that_is_begun_while_the_host_is_off_is_opened_when_it_is_on() {
    let off = |at: &str, lasts: &str| {
        format!(r#""{at}": (what: Crash(node: "server", host: true), at: "{at}", for: "{lasts}"),"#)
    };
    for (connect, takes) in [("Free", 212), ("Handshake", 214)] {
        let record = system(&format!("connect: {connect}"), &off("50ms", "100ms"));
        assert!(record.told().is_empty(), "{connect}");
        // Tried at 100 ms and 300 ms.
        assert_eq!(latency(&record, 100), ms(takes), "{connect}");
        plain(&record, 400, 3000);
    }
    // The process crashes before the second try: it had not come before, and nothing is forgotten.
    let again = r#""again": (what: Crash(node: "server"), at: "200ms", for: "20ms"),"#;
    let record = system("", &(off("50ms", "100ms") + again));
    assert!(record.told().is_empty(), "{:?}", record.told());
    assert_eq!([100, 200].map(|begun| latency(&record, begun)), [212, 112].map(ms));
    // The same behind a partition; but what has been opened before it is forgotten.
    for (cut, crash, told) in [(50, 200, 0), (150, 250, 1)] {
        let record = system(
            "",
            &format!(
                r#""cut": (what: Partition(links: All), at: "{cut}ms", for: "120ms"),
                "again": (what: Crash(node: "server"), at: "{crash}ms", for: "10ms"),"#
            ),
        );
        assert_eq!(record.told(), vec!["connection reset"; told], "{cut}");
    }
    // Tried at 300 ms, off again until 520 ms, and tried at 700 ms: nothing had come before.
    let twice = off("50ms", "300ms") + &off("500ms", "20ms");
    let record = system("", &twice);
    assert!(record.told().is_empty());
    assert_eq!(latency(&record, 100), ms(612));
}

#[test]
fn a_connection_that_is_being_opened_when_the_host_goes_is_opened_when_it_is_on() {
    // The first request, begun at 100 ms, is sent at 102 ms.
    let off = r#""off": (what: Crash(node: "server", host: true), at: "101ms", for: "65ms")"#;
    let record = system("connect: Handshake", off);
    assert!(record.told().is_empty(), "{:?}", record.told());
    // Tried at 102 ms and 302 ms, with a handshake before.
    assert_eq!(latency(&record, 100), ms(216));
    plain(&record, 400, 3000);
}

#[test]
fn a_connection_that_keepalive_has_found_dead_is_not_used_again() {
    let half = r#""half": (what: HalfOpen(links: All), at: "1005ms", for: "1ms")"#;
    // Nobody sends anything before the next request, which is what finds it otherwise.
    for fault in [&crash("30ms"), &crash("60ms"), half] {
        let record = system("keepalive: \"50ms\"", fault);
        assert_eq!(record.times("request.failed"), [at(1055)], "{fault}");
        plain(&record, 1100, 3000);
    }
}

#[test]
fn a_host_that_is_back_at_another_address_resets_nothing_that_goes_there() {
    let names = |more: &str| format!("names: (latency: \"0s\", ttl: \"1s\" {more})");
    let record = system(&names(""), &crash("30ms"));
    // The first one waits for ever; the name was told at 100 ms and 1100 ms.
    assert!(record.told().is_empty(), "{:?}", record.told());
    plain(&record, 1100, 3000);
    let stays = system(&names(", moves: false"), &crash("30ms"));
    assert_eq!(stays.times("request.failed"), [at(1102); 2]);
}
