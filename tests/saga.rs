//! The saga under whatever may befall it: atomic in the end under any schedule of faults.
//!
//! Schedules are drawn over the example scenario; a schedule that breaks an invariant is shrunk and
//! kept in `proptest-regressions/`. What other designs of that scenario are there to violate is
//! found violated, and the story that is told of it shows how it came about.

mod common;

use std::ops::Range;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use stormglass::check::outcome::{Chain, Ending, Outcome, Study};
use stormglass::engine::{Dist, Factor, NodeId, Ratio, Span, Time};
use stormglass::explore::{Plan, Silent, simulate, study};
use stormglass::scenario::Scenario;
use stormglass::world::{FaultSpec, Injection, SlowSpec, Targets};

use common::{file, finding, measured, ms, variant};

const EXAMPLE: &str = "scenarios/saga_failure.ron";
const SERVERS: [&str; 7] =
    ["orders", "inventory", "payments", "shipping", "inventory-db", "payments-db", "shipping-db"];
const INVARIANTS: [&str; 6] = [
    "requests-accounted",
    "order-atomic",
    "order-once",
    "client-told-truth",
    "money-conserved",
    "stock-conserved",
];

/// Load for 20 s, and time enough to insist on every compensation.
fn example() -> Scenario {
    let mut scenario = file(EXAMPLE);
    for variant in &mut scenario.variants {
        variant.phases.load = Span::from_seconds(20);
        variant.phases.quiet = Span::from_seconds(120);
    }
    scenario
}

fn node(scenario: &Scenario, name: &str) -> NodeId {
    let place = scenario.names.iter().position(|known| known == name);
    NodeId(place.expect("the node is there") as u32)
}

/// A fault before its nodes are numbered.
#[derive(Clone, Debug)]
enum Blow {
    Crash { node: usize, host: bool },
    Pause { node: usize },
    Slow { node: usize, thousandths: u64 },
    Errors { node: usize, percent: u64 },
    Loss { links: Links, percent: u64 },
    Latency { links: Links, add: u64 },
    Partition { links: Links },
}

#[derive(Clone, Debug)]
enum Links {
    All,
    Around(usize),
    /// Of the servers, those whose bit is set, and the rest.
    Between(u8),
    OneWay(u8),
}

#[derive(Clone, Debug)]
struct Hit {
    blow: Blow,
    at: u64,
    lasts: u64,
    pause: Option<u64>,
}

fn links() -> impl Strategy<Value = Links> {
    let groups: Range<u8> = 1..(1 << SERVERS.len()) - 1;
    prop_oneof![
        1 => Just(Links::All),
        3 => (0..SERVERS.len()).prop_map(Links::Around),
        2 => groups.clone().prop_map(Links::Between),
        2 => groups.prop_map(Links::OneWay),
    ]
}

fn blow() -> impl Strategy<Value = Blow> {
    let servers = 0..SERVERS.len();
    prop_oneof![
        4 => (servers.clone(), any::<bool>()).prop_map(|(node, host)| Blow::Crash { node, host }),
        2 => servers.clone().prop_map(|node| Blow::Pause { node }),
        1 => (servers.clone(), 1_000_u64..30_000)
            .prop_map(|(node, thousandths)| Blow::Slow { node, thousandths }),
        2 => (servers, 1_u64..=100).prop_map(|(node, percent)| Blow::Errors { node, percent }),
        2 => (links(), 1_u64..=80).prop_map(|(links, percent)| Blow::Loss { links, percent }),
        1 => (links(), 1_u64..500).prop_map(|(links, add)| Blow::Latency { links, add }),
        3 => links().prop_map(|links| Blow::Partition { links }),
    ]
}

fn schedule() -> impl Strategy<Value = Vec<Hit>> {
    let again = prop_oneof![3 => Just(None), 1 => (50_u64..5_000).prop_map(Some)];
    let hit = (blow(), 1_000_u64..19_000, 100_u64..8_000, again);
    vec(hit.prop_map(|(blow, at, lasts, pause)| Hit { blow, at, lasts, pause }), 1..7)
}

fn targets(scenario: &Scenario, links: &Links) -> Targets {
    let split = |bits: u8| {
        let mut groups = (Vec::new(), Vec::new());
        for (place, name) in SERVERS.iter().enumerate() {
            let group = if bits >> place & 1 == 1 { &mut groups.0 } else { &mut groups.1 };
            group.push(node(scenario, name));
        }
        groups
    };
    match links {
        Links::All => Targets::All,
        Links::Around(server) => Targets::Around(node(scenario, SERVERS[*server])),
        Links::Between(bits) => {
            let (left, right) = split(*bits);
            Targets::Between(left, right)
        }
        Links::OneWay(bits) => {
            let (from, to) = split(*bits);
            Targets::OneWay(from, to)
        }
    }
}

fn fault(scenario: &Scenario, hit: &Hit) -> FaultSpec {
    let server = |place: usize| node(scenario, SERVERS[place]);
    let percent = |percent: u64| Ratio::new(percent, 100).expect("at most all");
    let what = match &hit.blow {
        Blow::Crash { node, host } => {
            Injection::Crash { node: server(*node), host: *host, some: None, wipe: false }
        }
        Blow::Pause { node } => Injection::Pause { node: server(*node) },
        Blow::Slow { node, thousandths } => Injection::Slow(SlowSpec {
            node: server(*node),
            factor: Factor::from_thousandths(*thousandths).expect("above none"),
            operation: None,
            caller: None,
        }),
        Blow::Errors { node, percent: rate } => {
            Injection::Errors { node: server(*node), operation: None, rate: percent(*rate) }
        }
        Blow::Loss { links, percent: rate } => {
            Injection::Loss { links: targets(scenario, links), rate: percent(*rate) }
        }
        Blow::Latency { links, add } => {
            let add = Dist::exponential(ms(*add));
            Injection::Latency { links: targets(scenario, links), add }
        }
        Blow::Partition { links } => Injection::Partition { links: targets(scenario, links) },
    };
    let every = hit.pause.map(|pause| ms(hit.lasts + pause));
    FaultSpec { every, ..FaultSpec::at(what, ms(hit.at)).lasting(ms(hit.lasts)) }
}

/// The run of a variant of the example under these faults instead of its own.
fn under(scenario: &Scenario, name: &str, hits: &[Hit], seed: u64) -> Outcome {
    let mut variant = variant(scenario, name).clone();
    let numbered = hits.iter().enumerate();
    variant.faults =
        numbered.map(|(place, hit)| (format!("hit {place}"), fault(scenario, hit))).collect();
    simulate(scenario, &variant, seed, Time(0))
}

/// 24 schedules, or as many as `PROPTEST_CASES` asks for.
fn config() -> ProptestConfig {
    let kept = FileFailurePersistence::Direct("proptest-regressions/saga.txt");
    let failure_persistence = Some(Box::new(kept) as _);
    ProptestConfig { failure_persistence, ..common::promises::cases(24) }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_schedule_of_faults_leaves_a_saga_half_applied(hits in schedule(), seed in any::<u64>()) {
        let outcome = under(&example(), "saga", &hits, seed);
        prop_assert_eq!(&outcome.ending, &Ending::Complete);
        for invariant in INVARIANTS {
            let found = finding(&outcome, invariant);
            prop_assert!(found.checked > 0, "{} was never checked", invariant);
            prop_assert_eq!(found.violations, 0, "{}: {:?}", invariant, found.first);
        }
        // Faults end after 20 s, and 40 tries of an undo outlast that.
        prop_assert_eq!(measured(&outcome, "consistency.parked"), 0.0);
    }
}

/// The example as it is, faults and all: what `run` shows of this variant.
fn told(variant: &str) -> Study {
    let plan = Plan { seeds: vec![1, 2, 3], variants: vec![variant.to_owned()], jobs: 1 };
    study(&file(EXAMPLE), &plan, &Silent)
}

fn chain<'s>(study: &'s Study, invariant: &str) -> &'s Chain {
    let found = study.variants[0].chains.iter().find(|chain| chain.invariant == invariant);
    found.unwrap_or_else(|| panic!("{invariant} has a story"))
}

/// The step of a story at which an amount became durable in one of these stores.
fn durable(chain: &Chain, stores: &[&str]) -> usize {
    let is_change = |what: &str| what.starts_with("durable: ") && what.contains('+');
    let changes = chain.steps.iter().filter(|step| is_change(&step.what));
    changes.filter(|step| stores.contains(&step.node.as_str())).count()
}

#[test]
fn calls_without_a_saga_leave_orders_half_applied_and_the_story_shows_which_half() {
    let study = told("no-saga");
    assert!(study.held(), "that it does is what the scenario says: {:#?}", study.judgements);
    let chain = chain(&study, "order-atomic");
    assert!(chain.violation.what.starts_with("half applied: "), "{}", chain.violation.what);
    let (yes, no) = chain.violation.what.split_once(" yes, ").expect("some are there, some not");
    for store in SERVERS.iter().filter(|server| server.ends_with("-db")) {
        let applied = durable(chain, &[store]);
        assert!(applied <= 1, "{store}");
        assert_eq!(yes.contains(store), applied == 1, "{store} in {chain:#?}");
        assert_eq!(no.contains(store), applied == 0, "{store} in {chain:#?}");
    }
    assert!(chain.steps.iter().any(|step| step.is_bad), "and where it went wrong: {chain:#?}");
}

#[test]
fn a_saga_whose_services_know_no_keys_does_things_twice_and_the_story_shows_it() {
    let study = told("saga-without-keys");
    assert!(study.held(), "that it does is what the scenario says: {:#?}", study.judgements);
    let chain = chain(&study, "order-once");
    let what = &chain.violation.what;
    let store = SERVERS.iter().find(|server| what.starts_with(&format!("{server} ")));
    let store = store.unwrap_or_else(|| panic!("{}", chain.violation.what));
    assert!(chain.violation.what.contains(" from one operation of "));
    let changes = chain.steps.iter().filter(|step| {
        step.node == *store && step.what.starts_with("durable: ") && step.at <= chain.violation.at
    });
    assert!(changes.count() >= 3, "more than a gift and its return: {chain:#?}");
}

#[test]
fn the_saga_of_the_example_keeps_what_the_example_says() {
    let study = told("saga");
    assert!(study.held(), "{:#?}", study.judgements);
    assert!(study.variants[0].chains.is_empty(), "nothing went wrong, so there is nothing to tell");
}
