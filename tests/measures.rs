//! What a scenario measures for itself: each against what is reckoned by hand, and what is refused.

mod common;

use common::measured;
use stormglass::check::outcome::Outcome;
use stormglass::check::validate;
use stormglass::explore::{Plan, Silent, study};
use stormglass::scenario::{diagnose::render, load, source::Source};

/// Four requests for one worker that takes 4 ms: they wait for 0, 0, 3 and 0 ms, and stay for 4, 4,
/// 7 and 4. The network takes 2 ms each way.
const TRACE: &str = r#"Scenario(
    title: "A trace",
    run: (warmup: "0s", load: "100ms", quiet: "100ms"),
    network: (latency: "2ms"),
    nodes: {
        "users": Client(target: "server", operation: "go", load: At(["0ms", "5ms", "6ms", "20ms"])),
        "others": Client(target: "pool", operation: "go", load: At(["50ms", "51ms", "52ms"])),
        "server": Service(machine: (workers: 1), operations: {"go": (cost: "4ms")}),
        "pool": Instances(count: 2, of: Service(operations: {"go": (cost: "1ms")})),
    },
    measures: {MEASURES},
    expect: [EXPECT],
    variants: [(name: "one"), (name: "slow", set: {"nodes.server.operations.go.cost": "\"5ms\""})],
)"#;

fn source(measures: &str, expect: &str) -> Source {
    Source::new("trace.ron", TRACE.replace("MEASURES", measures).replace("EXPECT", expect))
}

fn run(measures: &str) -> Outcome {
    let scenario = load(&source(measures, "")).expect("the scenario can be read");
    let plan = Plan { seeds: vec![1], variants: vec!["one".to_owned()], jobs: 1 };
    study(&scenario, &plan, &Silent).variants.remove(0).runs.remove(0)
}

#[test]
fn every_measure_is_what_can_be_reckoned_by_hand() {
    let cases = [
        ("Latency(of: \"users\")", 0.00875),
        ("Latency(of: \"users\", stat: Max)", 0.011),
        ("Latency(of: \"users\", stat: Min)", 0.008),
        ("Latency(of: \"users\", during: (\"5ms\", \"6ms\"))", 0.008),
        ("Latency(of: \"users\", stat: Variance)", 1.6875e-6),
        ("Latency(of: \"users\", stat: Inspected)", (3.0 * 64.0 + 121.0) / 35.0 / 1e3),
        ("Slower(than: \"8ms\", of: \"users\")", 0.25),
        ("Requests(that: Began)", 7.0),
        ("Requests(that: Succeeded, of: \"others\")", 3.0),
        // By their ends: at 8, 13, 17 and 28 ms.
        ("Requests(that: Ended, of: \"users\", during: (\"8ms\", \"17ms\"))", 2.0),
        ("Requests(that: Failed)", 0.0),
        ("InFlight(of: \"users\", during: (\"0ms\", \"10ms\"))", (8.0 + 5.0 + 4.0) / 10.0),
        ("Machine(node: \"server\", what: Jobs)", 4.0),
        ("Machine(node: \"server\", what: Utilisation)", 0.16),
        ("Machine(node: \"server\", what: Waiting)", 0.03),
        ("Machine(node: \"server\", what: Present)", 0.19),
        ("Machine(node: \"server\", what: Offered)", 4.0),
        ("Machine(node: \"pool\", what: Jobs)", 3.0),
        ("Spread(address: \"pool\", stat: Max)", 2.0),
        ("Spread(address: \"pool\", stat: Mean)", 1.5),
        ("Waited(node: \"server\")", 0.00075),
        ("Waited(node: \"server\", stat: Max)", 0.003),
        ("WaitedLonger(node: \"server\", than: \"0s\")", 0.25),
        ("Stayed(node: \"server\")", 0.00475),
        ("Present(node: \"server\", stat: Max)", 2.0),
        ("PresentAtLeast(node: \"server\", jobs: 1)", 0.16),
        ("PresentAtLeast(node: \"server\", jobs: 2)", 0.03),
        ("Found(node: \"server\", at_least: 1)", 0.25),
        ("Facts(what: \"request.succeeded\")", 7.0),
        ("Facts(what: \"request.succeeded\", at: \"others\")", 3.0),
        ("Moment(what: \"request.succeeded\", nth: 4)", 0.028),
        ("Between(from: \"request.started\", to: \"request.succeeded\", stat: Max)", 0.011),
        ("Between(from: \"request.started\", to: \"request.succeeded\", at: \"others\")", 0.005),
        ("Occurrences(what: \"request.succeeded\", each: Object, stat: Max)", 1.0),
        ("OccurrencesAtLeast(what: \"request.succeeded\", times: 2)", 0.0),
        ("Metric(\"latency.max\")", 0.011),
        ("Ratio(Number(3), Number(4))", 0.75),
        ("Product(Number(3), Number(4))", 12.0),
        ("Sum([Number(3), Number(4)])", 7.0),
        ("Difference(Number(3), Number(4))", -1.0),
        ("PerSecond(Requests(that: Began))", 70.0),
        ("Recovery(after: \"0s\", window: \"40ms\")", 0.0),
    ];
    for (text, expected) in cases {
        let value = measured(&run(&format!("\"it\": {text}")), "it");
        assert!((value - expected).abs() < 1e-9, "{text}: {value}, not {expected}");
    }
}

#[test]
fn what_does_not_happen_has_no_value() {
    let outcome =
        run(r#""never": Moment(what: "request.failed"), "idle": FirstOutage(address: "pool")"#);
    for name in ["never", "idle"] {
        let measure = outcome.measures.iter().find(|measure| measure.id == name);
        assert_eq!(measure.expect("it is listed").value, None);
    }
}

#[test]
fn a_gauge_watches_and_changes_nothing() {
    let plain = run("");
    for watched in ["Waited(node: \"server\")", "Found(node: \"server\", at_least: 1)"] {
        let outcome = run(&format!("\"it\": {watched}"));
        assert_eq!(outcome.digest, plain.digest, "{watched}");
        assert_eq!(measured(&outcome, "latency.mean"), measured(&plain, "latency.mean"));
    }
}

#[test]
fn an_expectation_is_about_a_value_or_about_a_difference() {
    let cases = [
        (
            "(metric: \"latency.mean/users\", is: \"9ms\", tolerance: \"3 %\", variant: \"one\")",
            true,
        ),
        (
            "(metric: \"latency.mean/users\", is: \"9ms\", tolerance: \"2 %\", variant: \"one\")",
            false,
        ),
        (
            "(metric: \"latency.mean/users\", is: \"9ms\", margin: \"250us\", variant: \"one\")",
            true,
        ),
        // Each takes a millisecond longer, and the third waits for one more.
        ("(metric: \"latency.mean/users\", versus: \"one\", is: \"1250us\", margin: \"0s\")", true),
        ("(metric: \"latency.mean/users\", versus: \"one\", max: \"1ms\")", false),
        ("(metric: \"latency.mean/users\", versus: \"slow\", max: \"-1ms\")", true),
        ("(metric: \"latency.mean/users\", versus: \"slow\", max: \"-2ms\")", false),
    ];
    for (expectation, held) in cases {
        let scenario = load(&source("", expectation)).expect("it can be read");
        let plan = Plan { seeds: vec![1], variants: vec![], jobs: 1 };
        let found = study(&scenario, &plan, &Silent);
        let about: Vec<_> =
            found.judgements.iter().filter(|one| one.says.contains("latency")).collect();
        assert_eq!(about.len(), 1, "{expectation}: {about:#?}");
        assert_eq!(about[0].held, held, "{expectation}: {about:#?}");
    }
}

#[test]
fn the_only_client_is_told_apart_where_somebody_asks_for_it() {
    let alone = |expect: &str| {
        let text = TRACE.replace("MEASURES", "").replace("EXPECT", expect);
        let text = text.replace(
            r#""others": Client(target: "pool", operation: "go", load: At(["50ms", "51ms", "52ms"])),"#,
            "",
        );
        let scenario = load(&Source::new("trace.ron", text)).expect("it can be read");
        let plan = Plan { seeds: vec![1], variants: vec!["one".to_owned()], jobs: 1 };
        study(&scenario, &plan, &Silent)
    };
    let id = "latency.mean/users";
    let has = |measures: &[stormglass::check::outcome::Measure]| {
        measures.iter().any(|measure| measure.id == id)
    };
    assert!(!has(&alone("").variants[0].runs[0].measures), "it is that of all");
    let asked = alone(&format!("(metric: \"{id}\", is: \"8750us\", margin: \"0s\")"));
    assert!(has(&asked.variants[0].runs[0].measures));
    assert!(asked.held(), "{:#?}", asked.judgements);
}

/// What is said about a scenario with these measures and expectations.
fn complaint(measures: &str, expect: &str) -> String {
    let source = source(measures, expect);
    let problems = match load(&source) {
        Ok(scenario) => validate(&scenario, &source.spans()),
        Err(problems) => problems,
    };
    assert!(!problems.is_empty(), "{measures} {expect} is accepted");
    render(&problems, Some(&source), false)
}

#[test]
fn what_cannot_be_measured_is_refused_where_it_stands() {
    let cases = [
        ("\"it\": Latency(of: \"user\")", "did you mean `users`?"),
        ("\"it\": Waited(node: \"sever\")", "did you mean `server`?"),
        ("\"it\": Spread(address: \"server\", stat: Max)", "`server` has no instances"),
        ("\"it\": Facts(what: \"request.suceeded\")", "did you mean `request.succeeded`?"),
        ("\"it\": Metric(\"latency.p98\")", "did you mean `latency.p9"),
        ("\"it\": Latency(during: (\"5s\", \"5s\"))", "is no time"),
        ("\"it\": Moment(what: \"request.succeeded\", nth: 0)", "counts from 1"),
        (
            "\"it\": Between(from: \"request.started\", to: \"request.sucess\")",
            "no node notes a fact called `request.sucess`",
        ),
        ("\"it\": Occurrences(what: \"request.suceeded\")", "did you mean `request.succeeded`?"),
        ("\"it\": OccurrencesAtLeast(what: \"request.succeeded\", times: 1)", "at least twice"),
        ("\"it\": Recovery(after: \"1s\", window: \"1s\")", "nobody asks after"),
        ("\"it\": Recovery(after: \"0s\", window: \"20ns\")", "too short to hold requests"),
        ("\"it\": Recovery(after: \"0s\", window: \"101ms\")", "does not last for"),
        ("\"it\": Requests(that: Began, during: (\"200ms\", \"1s\"))", "nothing happens"),
        ("\"it\": InFlight(during: (\"0s\", \"1s\"))", "longer than the run"),
        ("\"it\": Waited(node: \"users\")", "`users` is a client and has no machine"),
        ("\"it\": Machine(node: \"users\", what: Jobs)", "has no machine"),
        ("\"it\": Metric(\"latency.p99/user\")", "did you mean `users`?"),
        ("\"\": Latency()", "no name for a measure"),
        ("\"it\": Sum([])", "a sum of nothing"),
        ("\"latency.mean\": Latency()", "a metric of the catalogue"),
    ];
    for (measures, says) in cases {
        let text = complaint(measures, "");
        assert!(text.contains(says) && text.contains("trace.ron:"), "{measures}:\n{text}");
    }
}

#[test]
fn what_cannot_be_expected_is_refused_where_it_stands() {
    let cases = [
        ("(metric: \"latency.mean\", is: \"9ms\")", "how near must it be?"),
        ("(metric: \"latency.mean\", tolerance: \"9 %\")", "a tolerance around nothing"),
        ("(metric: \"latency.mean\", margin: \"9ms\")", "a margin around nothing"),
        ("(metric: \"latency.mean\", is: \"9ms\", max: \"9ms\")", "either bounds or a value"),
        (
            "(metric: \"latency.mean\", is: \"9ms\", tolerance: \"9 %\", margin: \"1ms\")",
            "two tolerances for one value",
        ),
        ("(metric: \"latency.mean\", is: \"9 %\", margin: \"1ms\")", "it wants a time span"),
        ("(metric: \"latency.mean\", is: \"9ms\", margin: 3)", "it wants a time span"),
        ("(metric: \"latency.mean\", max: \"9ms\", versus: \"on\")", "did you mean `one`?"),
        ("(metric: \"cost.retries\", is: inf, margin: 1)", "must be finite"),
        ("(metric: \"cost.retries\", max: NaN)", "must be finite"),
        ("(metric: \"cost.retries\", is: 0, margin: -1)", "is not negative"),
        ("(metric: \"cost.retries\", is: 0, tolerance: \"5 %\")", "a share of nothing"),
        ("(metric: \"latency.mean\", min: \"2ms\", max: \"1ms\")", "at least `min` and at most"),
        (
            "(metric: \"latency.mean\", max: \"9ms\", variant: \"one\", versus: \"one\")",
            "does not differ from itself",
        ),
    ];
    for (expectation, says) in cases {
        let text = complaint("", expectation);
        assert!(text.contains(says) && text.contains("trace.ron:"), "{expectation}:\n{text}");
    }
}

#[test]
fn a_difference_that_is_less_than_nothing_is_told_as_such() {
    let expectation = "(metric: \"latency.mean/users\", versus: \"slow\", min: \"1ms\")";
    let scenario = load(&source("", expectation)).expect("it can be read");
    let plan = Plan { seeds: vec![1], variants: vec![], jobs: 1 };
    let found = study(&scenario, &plan, &Silent).judgements;
    let about = found.iter().find(|one| one.says.contains("latency")).expect("it is judged");
    assert_eq!((about.held, about.found.as_str()), (false, "-1.25 ms"));
}

#[test]
fn a_published_result_has_a_name_a_source_and_figures() {
    let cases = [
        ("id: \"\", source: \"a book\"", "is no id"),
        ("id: \"a|b\", source: \"a book\"", "is no id"),
        ("id: \"X01\", source: \" \"", "say where the figures come from"),
        ("id: \"X01\", source: \"a book\", runs_max: 0", "of no runs nothing is known"),
        ("id: \"X01\", source: \"a book\", runs_min: 9, runs_max: 4", "than there may be"),
        ("id: \"X01\", source: \"a book\"", "this reproduces nothing"),
    ];
    for (case, says) in cases {
        let text = TRACE.replace("MEASURES", "").replace("EXPECT", "");
        let text = text.replace("run: (", &format!("validates: ({case}),\n    run: ("));
        let source = Source::new("trace.ron", text);
        let problems = load(&source).expect_err(case);
        let told = render(&problems, Some(&source), false);
        assert!(told.contains(says) && told.contains("trace.ron:"), "{case}:\n{told}");
    }
}
