//! How properties are tested, and what the tests of promises have in common.

use std::ops::Range;

use proptest::prelude::*;
use stormglass::check::outcome::{Ending, Outcome};
use stormglass::engine::Time;
use stormglass::explore::simulate;

use super::{finding, scenario};

/// So many drawn cases, or as many as the environment's `PROPTEST_CASES` says. They are the same
/// each time unless its `PROPTEST_RNG_SEED` is another than the one in `.cargo/config.toml`.
pub fn cases(cases: u32) -> ProptestConfig {
    let given = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    // What the default is unless the environment says otherwise.
    let cases = if given.cases == 256 { cases } else { given.cases };
    ProptestConfig { cases, ..given }
}

/// What a queue may have besides, that goes with its order.
pub fn fitting(extras: &str, order: &str) -> String {
    // Of a strict queue one message is with a consumer at a time anyway.
    let is_fine = order != "Fifo" || !extras.contains("in_flight_max");
    if is_fine { extras.to_owned() } else { String::new() }
}

/// In which order a queue hands its messages out.
pub fn order() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just("Arrival"),
        Just("BestEffort(spread: 4)"),
        Just("Priority"),
        Just("Fifo"),
        Just("Groups()"),
        Just("Groups(count: 3)"),
    ]
}

/// How many messages a queue has room for, and what happens then.
pub fn bounds() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        3 => Just(""),
        1 => Just("length_max: 20, "),
        1 => Just("length_max: 20, overflow: DropOldest, "),
        1 => Just("length_max: 20, overflow: Block, "),
    ]
}

/// What survives a crash of the broker.
pub fn persistence() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("Off"), Just("Lazy"), Just("On"), Just("Mirrored")]
}

/// How often a message is handed out.
pub fn guarantee() -> impl Strategy<Value = &'static str> {
    prop_oneof![2 => Just("AtLeastOnce"), 1 => Just("AtMostOnce")]
}

/// A schedule of faults of a broker, a worker, a mirror and this node that leave disks intact.
pub fn faults(other: &'static str) -> impl Strategy<Value = String> {
    let node = prop_oneof![
        3 => Just("broker"), 2 => Just("worker"), 1 => Just("mirror-1"), 1 => Just(other),
    ];
    let what = |kind: u32, node: &str| match kind {
        0..=2 => format!("Crash(node: \"{node}\")"),
        3 => format!("Crash(node: \"{node}\", host: true)"),
        4 => format!("Pause(node: \"{node}\")"),
        5 => "Partition(links: Between([\"broker\"], [\"worker\"]))".to_owned(),
        6 => format!("Loss(links: Around(\"{node}\"), rate: \"20 %\")"),
        7 => format!("Slow(node: \"{node}\", factor: \"10x\")"),
        _ => format!("Latency(links: Around(\"{node}\"), add: \"100ms\")"),
    };
    schedule((node, 0..9), what, (100..5_500, 50..1_500), 4)
}

/// A schedule of up to so many faults. Each is of a node and a kind, which `what` makes a fault of;
/// it begins at one of these instants and lasts for so long, both in milliseconds.
pub fn schedule(
    (node, kinds): (impl Strategy<Value = &'static str>, Range<u32>),
    what: impl Fn(u32, &str) -> String,
    (at, lasts): (Range<u64>, Range<u64>),
    most: usize,
) -> impl Strategy<Value = String> {
    let fault = (node, kinds, at, lasts).prop_map(move |(node, kind, at, lasts)| {
        format!("(what: {}, at: \"{at}ms\", for: \"{lasts}ms\")", what(kind, node))
    });
    prop::collection::vec(fault, 0..=most).prop_map(|all| {
        let named = all.iter().enumerate().map(|(place, one)| format!("\"f{place}\": {one}, "));
        named.collect()
    })
}

/// A run of this scenario.
pub fn run(text: &str, seed: u64) -> Outcome {
    let scenario = scenario(text);
    simulate(&scenario, &scenario.variants[0], seed, Time(0))
}

/// Is an invariant broken in the run of some seed?
pub fn breaks(invariant: &str, run: impl Fn(u64) -> Outcome) -> bool {
    (1..=10).any(|seed| finding(&run(seed), invariant).violations > 0)
}

/// The run came to its end, every request is accounted for, and the invariants hold of whose names
/// that is true.
pub fn holds(outcome: &Outcome, promised: impl Fn(&str) -> bool) -> Result<(), TestCaseError> {
    prop_assert_eq!(&outcome.ending, &Ending::Complete);
    for found in outcome.findings.iter().filter(|it| promised(&it.invariant)) {
        prop_assert_eq!(found.violations, 0, "{}: {:?}", found.invariant, found.first);
    }
    prop_assert_eq!(outcome.findings[0].violations, 0, "{:?}", outcome.findings[0].first);
    Ok(())
}
