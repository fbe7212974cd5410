//! Swarm mode draws a configuration of faults for each seed, and what it drew can be run again.

mod common;

use common::{measured, variant};
use proptest::prelude::*;
use stormglass::check::outcome::{Ending, Outcome};
use stormglass::engine::Time;
use stormglass::explore::{Plan, Silent, simulate, study};
use stormglass::scenario::reference::{Topic, entries};
use stormglass::scenario::{Scenario, diagnose, load, source::Source};

const EXAMPLE: &str = "scenarios/saga_failure.ron";
const INVARIANTS: [&str; 5] =
    ["order-atomic", "order-once", "client-told-truth", "money-conserved", "stock-conserved"];

/// Kinds of fault that swarm mode does not draw, and why.
const NEEDS_MORE: &[(&[&str], &str)] = &[
    (&["HalfOpen", "Hang"], "a call without a timeout then waits for longer than the quiet phase"),
    (&["SlowNames", "NamesDown", "MissingName", "StaleNames"], "they need a name service"),
    (&["HostDown", "ZoneDown", "RegionDown"], "they need hosts or zones"),
    (&["Duplication"], "it needs datagrams: a stream throws copies away"),
    (
        &["Stop", "RollingRestart", "RollingUpgrade", "Scale", "Failures", "Attrition"],
        "they need instances, or schedule themselves",
    ),
    (
        &["SyncLies", "BitRot", "MisdirectedWrite"],
        "they damage what is durable: without copies or a budget no design could keep its promises",
    ),
];

fn text() -> String {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(root.join(EXAMPLE)).expect("the scenario is there")
}

fn read(text: &str) -> Scenario {
    let source = Source::new(EXAMPLE, text);
    load(&source).unwrap_or_else(|problems| {
        panic!("{}", diagnose::render(&problems, Some(&source), false));
    })
}

/// The example with these faults and this swarm instead of its own faults.
fn with(faults: &str, swarm: &str) -> Scenario {
    let text = text();
    let (before, rest) = text.split_once("\n    faults: {").expect("it has faults");
    let (_, after) = rest.split_once("\n    },\n").expect("they come to an end");
    read(&format!("{before}\n    faults: {{{faults}}},\n    swarm: {swarm},\n{after}"))
}

fn run(scenario: &Scenario, name: &str, seed: u64) -> Outcome {
    simulate(scenario, variant(scenario, name), seed, Time(0))
}

#[test]
fn what_a_seed_drew_gives_the_same_run_when_it_is_pasted_into_the_scenario() {
    let swarm = with("", "true");
    for seed in 1..=8 {
        let drawn = run(&swarm, "saga", seed);
        let faults = drawn.swarm.as_deref().expect("swarm mode is on");
        let pasted = run(&with(faults, "false"), "saga", seed);
        assert_eq!(drawn.digest, pasted.digest, "seed {seed}:\n{faults}");
        assert_eq!(pasted.swarm, None);
        assert_eq!(drawn.episodes, pasted.episodes);
    }
}

#[test]
fn seeds_draw_different_faults_and_each_kind_is_left_out_by_some() {
    let swarm = with("", "true");
    let drawn: Vec<String> = (1..=30).filter_map(|seed| run(&swarm, "saga", seed).swarm).collect();
    let entries = entries();
    for fault in entries.iter().filter(|entry| entry.topic == Topic::Fault) {
        let kind = &fault.name;
        let count = drawn.iter().filter(|text| text.contains(&format!("swarm {kind} "))).count();
        assert!(
            (4..=26).contains(&count)
                || NEEDS_MORE.iter().any(|(kinds, _)| kinds.contains(&kind.as_str())),
            "{kind} in {count} of 30: is there a fence marked `swarm` in its doc comment?"
        );
    }
    let hosts = drawn.iter().filter(|text| text.contains("host: true")).count();
    assert!(hosts > 3, "strengths differ too");
}

#[test]
fn its_bounds_are_kept_and_a_kind_that_is_left_out_moves_no_other() {
    let all = run(&with("", r#"(share: "100 %")"#), "saga", 3).swarm.expect("it is on");
    let less = run(&with("", r#"(share: "100 %", without: ["Loss"])"#), "saga", 3);
    let kept = all.lines().filter(|line| !line.contains("swarm Loss "));
    let without: String = kept.map(|line| format!("{line}\n")).collect();
    assert_eq!(less.swarm.expect("it is on"), without);
    let bounds = r#"(share: "100 %", only: ["Pause"], count: (4, 4), lasts: ("20ms", "30ms"), nodes: ["payments"])"#;
    let few = run(&with("", bounds), "saga", 3);
    let text = few.swarm.expect("it is on");
    assert_eq!(text.lines().count(), 4, "{text}");
    assert!(text.lines().all(|line| line.contains(r#"Pause(node: "payments")"#)), "{text}");
    for episode in &few.episodes {
        let lasted = (episode.ends - episode.begins).as_seconds();
        assert!((0.02..=0.03).contains(&lasted), "{lasted}");
    }
    assert_eq!(run(&with("", r#"(share: "0 %")"#), "saga", 3).swarm.as_deref(), Some(""));
}

#[test]
fn bounds_that_make_no_sense_are_refused() {
    for (swarm, says) in [
        (r#"(only: ["Crush"])"#, "draws no fault called `Crush`"),
        ("(count: (3, 1))", "(least, most)"),
        (r#"(lasts: ("3s", "1s"))"#, "(shortest, longest)"),
        (r#"(nodes: ["paymets"])"#, "did you mean `payments`?"),
    ] {
        let text = text().replacen(
            "\n    faults: {",
            &format!("\n    swarm: {swarm},\n    faults: {{"),
            1,
        );
        let source = Source::new(EXAMPLE, text);
        let problems = load(&source).expect_err("it should be refused");
        let text = diagnose::render(&problems, Some(&source), false);
        assert!(text.contains(says), "{swarm}:\n{text}");
    }
}

#[test]
fn fifty_swarms_leave_no_saga_half_applied() {
    let swarm = with("", "true");
    for seed in 1..=50 {
        let outcome = run(&swarm, "saga", seed);
        assert_eq!(outcome.ending, Ending::Complete);
        for invariant in INVARIANTS {
            let found = common::finding(&outcome, invariant);
            let drawn = outcome.swarm.as_deref().unwrap_or_default();
            assert_eq!(found.violations, 0, "{invariant}, seed {seed}: {:?}\n{drawn}", found.first);
        }
        assert_eq!(measured(&outcome, "consistency.parked"), 0.0, "seed {seed}");
        assert!(outcome.stuck.is_empty(), "seed {seed}: {:?}", outcome.stuck);
    }
}

#[test]
fn the_report_shows_what_was_drawn() {
    let plan = Plan { seeds: vec![3], variants: vec!["saga".to_owned()], jobs: 1 };
    let found = study(&with("", r#"(share: "100 %")"#), &plan, &Silent);
    let drawn = found.variants[0].runs[0].swarm.clone().expect("it is on");
    let (markdown, json) = (stormglass::report::markdown(&found), stormglass::report::json(&found));
    for line in drawn.lines() {
        assert!(markdown.contains(line), "{line}");
        assert!(json.contains(&line.replace('"', "\\\"")), "{line}");
    }
}

proptest! {
    #![proptest_config(common::promises::cases(12))]

    #[test]
    fn any_swarm_runs_to_its_end_the_same_way_twice_and_accounts_for_every_request(
        seed in any::<u64>(),
        share in 10_u64..=100,
        most in 1_u64..6,
        longest in 200_u64..8_000,
        name in prop_oneof![Just("saga"), Just("no-saga"), Just("saga-without-keys")],
    ) {
        let swarm = format!(
            r#"(share: "{share} %", count: (1, {most}), lasts: ("50ms", "{longest}ms"))"#
        );
        let scenario = with("", &swarm);
        let (first, second) = (run(&scenario, name, seed), run(&scenario, name, seed));
        prop_assert_eq!(first.digest, second.digest);
        prop_assert_eq!(&first.ending, &Ending::Complete);
        let accounted = &first.findings[0];
        prop_assert!(accounted.checked > 0);
        prop_assert_eq!(accounted.violations, 0, "{:?}", accounted.first);
    }
}
