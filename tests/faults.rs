//! When faults come: at random, in phases, and when something has happened.
//!
//! A user asks a server ten times a second, one way takes 1 ms and the work 10 ms. Times are worked
//! out by hand where nothing is drawn.

mod common;

use common::{Record, at, ms, record, run, scenario};
use stormglass::check::outcome::{Ending, Stuck};
use stormglass::engine::{Span, Time};
use stormglass::explore::{Plan, Silent, study};
use stormglass::scenario::reference::{Topic, entries};
use stormglass::scenario::{diagnose, load, source::Source};

/// The system under these faults; `run` has its phases.
fn text(phases: &str, faults: &str) -> String {
    format!(
        r#"Scenario(
    title: "One server",
    run: ({phases}),
    network: (latency: "1ms"),
    nodes: {{
        "user": Client(target: "server", operation: "serve", load: Constant(rate: "10/s")),
        "server": Service(
            store: "db",
            operations: {{"serve": (cost: "10ms", transfer: (from: "stock", to: "sold"))}},
        ),
        "db": Store(accounts: [(name: "stock", balance: 1000), (name: "sold", balance: 0)]),
    }},
    faults: {{{faults}}},
)"#
    )
}

const TEN: &str = r#"load: "10s", quiet: "5s""#;

/// When the first fault was on.
fn spells(record: &Record) -> Vec<(Time, Time)> {
    let of = |what| record.of(what).into_iter().filter(|fact| fact.key == 0).map(|fact| fact.at);
    of("fault.begins").zip(of("fault.ends")).collect()
}

fn under(phases: &str, faults: &str) -> Vec<(Time, Time)> {
    spells(&run(&text(phases, faults)))
}

fn complaint(phases: &str, faults: &str) -> String {
    let source = Source::new("faults.ron", text(phases, faults));
    let problems = load(&source).expect_err("it should be refused");
    diagnose::render(&problems, Some(&source), false)
}

#[test]
fn time_to_failure_and_to_repair_alternate_up_to_the_quiet_phase() {
    let fault = r#""f": (what: Slow(node: "server", factor: 2), mttf: "1500ms", mttr: "2s")"#;
    let expected = [(1500, 3500), (5000, 7000), (8500, 10_000)];
    assert_eq!(under(TEN, fault), expected.map(|(from, to)| (at(from), at(to))));
    let once = r#""f": (what: Slow(node: "server", factor: 2), mttf: "1500ms")"#;
    assert_eq!(under(TEN, once), [(at(1500), at(10_000))], "nobody repairs it");
}

#[test]
fn a_node_that_fails_at_random_is_there_for_mttf_of_mttf_and_mttr() {
    let fault = r#""f": (what: Crash(node: "server"), mttf: Exponential(mean: "8s"), mttr: Exponential(mean: "2s"))"#;
    let long = text(r#"load: "3h", quiet: "1s""#, fault).replace("10/s", "1/min");
    let spells = spells(&run(&long));
    assert!((900..1300).contains(&spells.len()), "{} failures", spells.len());
    let down: u64 = spells.iter().map(|(from, to)| (*to - *from).0).sum();
    let share = down as f64 / Span::from_seconds(3 * 3600).0 as f64;
    // Five standard deviations of the share over 1,080 cycles: 5 × 0.2 × 0.8 × √(2 / 1,080).
    assert!((share - 0.2).abs() < 0.035, "{share}");
}

#[test]
fn when_a_fault_comes_depends_on_the_seed_and_its_name_and_on_nothing_else() {
    let fault = |what: &str| {
        format!(
            r#""f": (what: {what}, mttf: Exponential(mean: "1s"), mttr: Uniform(min: "10ms", max: "2s"))"#
        )
    };
    let slow = under(TEN, &fault(r#"Slow(node: "server", factor: 2)"#));
    let errors = under(TEN, &fault(r#"Errors(node: "server", rate: "50 %")"#));
    assert_eq!(slow, errors, "what it does, and how often it draws, is of no consequence");
    assert!(slow.len() > 3);
    let scenario = scenario(&text(TEN, &fault(r#"Slow(node: "server", factor: 2)"#)));
    let other = spells(&record(&scenario, &scenario.variants[0], 2));
    assert_ne!(slow, other, "another seed has other times");
}

#[test]
fn a_fault_between_two_instants_begins_somewhere_between_them() {
    let fault = r#""f": (what: Pause(node: "server"), between: ("2s", "4s"), for: "1ms")"#;
    let scenario = scenario(&text(TEN, fault));
    let begins: Vec<Time> =
        (1..=40).map(|seed| spells(&record(&scenario, &scenario.variants[0], seed))[0].0).collect();
    assert!(begins.iter().all(|begin| (at(2000)..=at(4000)).contains(begin)), "{begins:?}");
    let early = begins.iter().filter(|begin| **begin < at(3000)).count();
    assert!((8..=32).contains(&early), "{early} of 40 in the first half");
}

#[test]
fn a_fault_without_a_time_lasts_for_its_phase() {
    let phases = r#"warmup: "1s", load: "10s", faults: ("3s", "6s"), quiet: "5s""#;
    for (during, expected) in
        [("", (3000, 6000)), (", during: Warmup", (0, 1000)), (", during: Load", (0, 10_000))]
    {
        let fault = format!(r#""f": (what: Slow(node: "server", factor: 2){during})"#);
        let expected = (at(expected.0), at(expected.1));
        assert_eq!(under(phases, &fault), [expected], "{during}");
    }
    let every =
        r#""f": (what: Slow(node: "server", factor: 2), at: "4s", for: "100ms", every: "900ms")"#;
    let begins: Vec<Time> = under(phases, every).iter().map(|spell| spell.0).collect();
    assert_eq!(begins, [at(4000), at(4900), at(5800)], "it comes again within the window only");
}

#[test]
fn a_random_duration_that_outlasts_its_period_is_not_cut() {
    let fault = r#""f": (what: Slow(node: "server", factor: 2), at: "1s", for: Uniform(min: "100ms", max: "1500ms"), every: "1s")"#;
    let spells = under(TEN, fault);
    assert!(spells.len() >= 4, "{spells:?}");
    for pair in spells.windows(2) {
        assert!(pair[0].1 <= pair[1].0, "one spell at a time: {spells:?}");
    }
    assert!(
        spells.iter().all(|(begin, _)| (*begin - at(1000)).0.is_multiple_of(ms(1000).0)),
        "{spells:?}"
    );
}

/// The request that is begun at 100 ms is durable at 114.7 ms: two ways to the server and the
/// store, 10 ms of work, 200 us of the store's and 500 us of the disk's.
const DURABLE: Time = Time(112_700_000);

#[test]
fn a_fault_waits_for_something_to_happen() {
    let first =
        r#""f": (what: Pause(node: "server"), on: (fact: "sold", node: "db"), for: "30ms")"#;
    let begins = DURABLE;
    assert_eq!(under(TEN, first), [(begins, begins + ms(30))], "once, at the same instant");
    let third = r#""f": (what: Pause(node: "server"), on: (fact: "sold", nth: 3, after: "5ms"), for: "30ms")"#;
    let begins = DURABLE + ms(205);
    assert_eq!(under(TEN, third), [(begins, begins + ms(30))]);
    let never = r#""f": (what: Pause(node: "server"), on: (fact: "sold", value: 7), for: "30ms")"#;
    assert_eq!(under(TEN, never), [], "each request sells one");
    let elsewhere = r#""f": (what: Pause(node: "server"), on: (fact: "sold", node: "server"))"#;
    assert_eq!(under(TEN, elsewhere), [], "the store notes it");
}

#[test]
fn a_condition_can_fit_every_time_and_another_can_end_it() {
    let fault = r#""f": (
        what: Slow(node: "server", factor: 2),
        on: (fact: "sold", nth: 10, every_time: true),
        until: (fact: "request.succeeded", nth: 2),
    )"#;
    let spells = under(TEN, fault);
    // The request that is answered at once counts, and the next is slow: 20 ms of work.
    let expected = (1..10).map(|tens| {
        let begins = DURABLE + ms(100 * (10 * tens - 1));
        (begins, begins + ms(2) + ms(100) + ms(10))
    });
    assert_eq!(spells, expected.collect::<Vec<_>>());
}

#[test]
fn what_ends_a_fault_may_come_before_its_time_or_too_late() {
    let fault = |lasts: &str| {
        format!(
            r#""f": (what: Pause(node: "db"), at: "1s", for: "{lasts}", until: (fact: "request.started"))"#
        )
    };
    // A request begins at 1,000 ms, after the fault, and every 100 ms.
    assert_eq!(under(TEN, &fault("1h")), [(at(1000), at(1000))]);
    let late = fault("40ms").replace("at: \"1s\"", "at: \"1050ms\"");
    assert_eq!(under(TEN, &late), [(at(1050), at(1090))]);
}

#[test]
fn a_fault_can_wait_for_another_fault() {
    let faults = r#""f": (what: Crash(node: "db"), at: "1s", for: "500ms"),
        "g": (what: Slow(node: "server", factor: 2), on: (fact: "node.restarted", node: "db"), for: "1s")"#;
    let record = run(&text(TEN, faults));
    let second: Vec<Time> =
        record.of("fault.begins").into_iter().filter(|f| f.key == 1).map(|f| f.at).collect();
    assert_eq!(second, [at(1500)]);
}

#[test]
fn the_coordinator_crashes_exactly_when_a_saga_has_done_its_second_step() {
    let mut scenario = common::file("scenarios/saga_failure.ron");
    let source = Source::new(
        "fault",
        r#"(what: Crash(node: "orders"), on: (fact: "saga.step-done", node: "orders", value: 1, nth: 5), for: "1s")"#,
    );
    let fault = stormglass::scenario::read_fault(&scenario, &source).expect("it can be read");
    let saga = scenario.variants.iter_mut().find(|variant| variant.name == "saga");
    let mut saga = saga.expect("there is one").clone();
    saga.faults = vec![("f".to_owned(), fault)];
    let record = record(&scenario, &saga, 1);
    let steps = record.of("saga.step-done").into_iter().filter(|fact| fact.value == 1);
    let fifth = steps.map(|fact| (fact.at, fact.root)).nth(4).expect("there are many");
    assert_eq!(record.times("node.crashed"), [fifth.0]);
    let recovered: Vec<u32> = record.of("saga.recovered").iter().map(|fact| fact.root).collect();
    assert!(recovered.contains(&fifth.1), "that very saga is found unfinished in the log");
}

/// The system that the examples of the reference are about.
const SHOP: &str = r#"Scenario(
    title: "A shop and its bank",
    run: (load: "60s", quiet: "20s"),
    network: (
        names: (),
        zones: [(name: "a", nodes: ["bank"], region: "eu-west")],
        hosts: [(name: "rack-7", nodes: ["bank"])],
    ),
    nodes: {
        "buyers": Client(
            target: "shop",
            operation: "buy",
            load: Constant(rate: "20/s"),
            policy: (timeout: "1s"),
        ),
        "shop": Instances(
            of: Service(store: "bank", operations: {
                "buy": (cost: "1ms", transfer: (from: "purses", to: "till")),
            }),
            next: Service(store: "bank", operations: {
                "buy": (cost: "2ms", transfer: (from: "purses", to: "till")),
            }),
            count: 2,
            max: 8,
        ),
        "bank": Store(accounts: [(name: "purses", balance: 1000000)]),
    },
    faults: {"example": EXAMPLE},
)"#;

#[test]
fn every_fault_of_the_reference_has_an_example_that_runs() {
    let entries = entries();
    let faults: Vec<_> = entries.iter().filter(|entry| entry.topic == Topic::Fault).collect();
    assert!(faults.len() >= 7, "where are the faults?");
    for fault in faults {
        let example = fault.example.as_deref().expect("every fault has an example");
        assert!(example.contains(&fault.name), "{example}");
        let record = run(&SHOP.replace("EXAMPLE", example.trim()));
        let Record { outcome, .. } = &record;
        assert_eq!(outcome.ending, Ending::Complete, "{}", fault.name);
        assert!(!outcome.episodes.is_empty(), "{} never began", fault.name);
        assert_eq!(record.of("fault.begins").len(), record.of("fault.ends").len());
        assert!(outcome.stuck.is_empty(), "{}: {:?}", fault.name, outcome.stuck);
    }
}

#[test]
fn a_watch_that_never_fires_changes_nothing() {
    let digest = |faults: &str| run(&text(TEN, faults)).outcome.digest;
    let never = r#""f": (what: Pause(node: "server"), on: (fact: "saga.parked"))"#;
    assert_eq!(digest(""), digest(never));
}

#[test]
fn timing_that_makes_no_sense_is_refused_where_it_stands() {
    let crash = r#"what: Crash(node: "server")"#;
    for (timing, says) in [
        (r#"at: "1s", mttf: "1s""#, "begins in two ways"),
        (r#"between: ("1s", "2s"), on: (fact: "sold")"#, "begins in two ways"),
        (r#"mttf: "1s", every: "2s""#, "begins in two ways"),
        (r#"at: "1s", mttr: "1s""#, "belongs to a time to failure"),
        (r#"mttf: "1s", for: "1s""#, "say `mttr`"),
        (r#"mttf: "0s", mttr: "1s""#, "`mttf` of 0 s in the mean is too often"),
        (r#"at: "11s""#, "would never begin"),
        (r#"between: ("11s", "12s")"#, "would never begin"),
        (r#"between: ("3s", "2s")"#, "no two instants"),
        (r#"between: ("3s", "20s")"#, "no later than 10 s"),
        (r#"during: Warmup"#, "states no warm-up"),
        (r#"at: "1s", for: Exponential(mean: "3s"), every: "2s""#, "must end before it does"),
        (r#"on: (fact: "sold", nth: 0)"#, "counted from 1"),
        (r#"at: "1s", until: (fact: "sold", every_time: true)"#, "ends once each time"),
        (r#"on: (fact: "saga.step-dome")"#, "did you mean `saga.step-done`?"),
        (r#"on: (fact: "solt")"#, "did you mean `sold`?"),
        (r#"on: (fact: "sold", node: "bd")"#, "no node is called `bd`"),
    ] {
        let complaint = complaint(TEN, &format!(r#""f": ({crash}, {timing})"#));
        assert!(complaint.contains(says), "{timing}:\n{complaint}");
        assert!(complaint.contains("faults.ron:"), "{complaint}");
    }
    let outside = r#"load: "10s", faults: ("3s", "6s"), quiet: "5s""#;
    let early = complaint(outside, &format!(r#""f": ({crash}, at: "1s")"#));
    assert!(early.contains("before it may"), "{early}");
    let late = complaint(outside, &format!(r#""f": ({crash}, at: "7s")"#));
    assert!(late.contains("after 6 s"), "{late}");
    for window in [r#"("6s", "3s")"#, r#"("1s", "11s")"#] {
        let wrong = complaint(&format!(r#"load: "10s", faults: {window}"#), "");
        assert!(wrong.contains("no window for faults"), "{wrong}");
    }
}

/// A server that never answers, and a client that waits for ever.
const SILENT: &str = r#"Scenario(
    title: "Datagrams that are lost",
    run: (load: "1s", quiet: "5s"),
    network: (latency: "1ms", transport: Datagram),
    nodes: {
        "user": Client(target: "front", operation: "ask", load: Constant(rate: "2/s")),
        "front": Service(operations: {"ask": (calls: [(to: "server", operation: "serve")])}),
        "server": Service(operations: {"serve": (cost: "1ms")}),
    },
    faults: {"cut": (what: Partition(links: OneWay(["server"], ["front"])))},
    invariants: {"rests": Converged(within: "2s")},
)"#;

#[test]
fn what_is_stuck_in_the_end_is_named_with_whom_it_waits_for_and_since_when() {
    let scenario = scenario(SILENT);
    let plan = Plan { seeds: vec![1], variants: vec![], jobs: 1 };
    let study = study(&scenario, &plan, &Silent);
    let variant = &study.variants[0];
    let lines = |stuck: &[Stuck]| -> Vec<String> {
        let since = |one: &Stuck| one.since.map(|since| since.to_string()).unwrap_or_default();
        stuck.iter().map(|one| format!("{} {} {}", one.node, one.what, since(one))).collect()
    };
    assert_eq!(lines(&variant.runs[0].stuck), ["user has a request in flight 500 ms"]);
    assert_eq!(
        lines(&variant.waits),
        [
            "user waits for front in operation 1 500 ms",
            "front waits for server in operation 1 502 ms"
        ]
    );
    let found = common::finding(&variant.runs[0], "rests");
    assert_eq!((found.checked, found.violations), (2, 1));
    assert_eq!(
        found.first.as_ref().map(|first| first.what.as_str()),
        Some("a request has no end by 3 s")
    );
    let report = stormglass::report::markdown(&study);
    assert!(report.contains("front waits for server in operation 1 since 502 ms"), "{report}");
    let healed = SILENT.replace("OneWay([\"server\"], [\"front\"])", "Around(\"user\")");
    let healed = run(&healed.replace(", transport: Datagram", ""));
    assert!(healed.outcome.stuck.is_empty(), "streams try again when it has healed");
    assert_eq!(common::finding(&healed.outcome, "rests").violations, 0);
}
