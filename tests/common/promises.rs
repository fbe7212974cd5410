//! How properties are tested, and what the tests of queues and of subscriptions draw.

use proptest::prelude::*;

/// So many drawn cases, or as many as the environment's `PROPTEST_CASES` says. They are the same
/// each time unless its `PROPTEST_RNG_SEED` is another than the one in `.cargo/config.toml`.
pub fn cases(cases: u32) -> ProptestConfig {
    let given = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    // What the default is unless the environment says otherwise.
    let cases = if given.cases == 256 { cases } else { given.cases };
    ProptestConfig { cases, ..given }
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
    let fault =
        (node, 0_u32..9, 100_u64..5_500, 50_u64..1_500).prop_map(|(node, kind, at, lasts)| {
            let what = match kind {
                0..=2 => format!("Crash(node: \"{node}\")"),
                3 => format!("Crash(node: \"{node}\", host: true)"),
                4 => format!("Pause(node: \"{node}\")"),
                5 => "Partition(links: Between([\"broker\"], [\"worker\"]))".to_owned(),
                6 => format!("Loss(links: Around(\"{node}\"), rate: \"20 %\")"),
                7 => format!("Slow(node: \"{node}\", factor: \"10x\")"),
                _ => format!("Latency(links: Around(\"{node}\"), add: \"100ms\")"),
            };
            format!("(what: {what}, at: \"{at}ms\", for: \"{lasts}ms\")")
        });
    prop::collection::vec(fault, 0..5).prop_map(|all| {
        let named = all.iter().enumerate().map(|(place, one)| format!("\"f{place}\": {one}, "));
        named.collect()
    })
}
