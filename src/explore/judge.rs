//! What was expected, held against what was found.

use crate::check::outcome::{Ending, Judgement, Outcome, Quantity, VariantStudy};
use crate::check::quantity;
use crate::scenario::{Expectation, Scenario};
use crate::stats::Summary;

/// Judges every invariant and every expectation for every variant.
pub fn all(scenario: &Scenario, variants: &[VariantStudy]) -> Vec<Judgement> {
    let mut judgements = Vec::new();
    for variant in variants {
        judgements.extend(invariants(scenario, variant));
        let about = |expectation: &&Expectation| {
            expectation.variant.as_ref().is_none_or(|name| *name == variant.name)
        };
        let expected = scenario.expect.iter().filter(about);
        let expected = expected.filter(|one| one.versus.as_ref() != Some(&variant.name));
        judgements.extend(expected.map(|one| bound(scenario, variants, variant, one)));
        judgements.extend(endings(scenario, variant));
    }
    judgements
}

fn again(scenario: &Scenario, variant: &VariantStudy, seed: u64) -> String {
    let name = if variant.name.contains(' ') {
        format!("'{}'", variant.name)
    } else {
        variant.name.clone()
    };
    format!("stormglass run {} --variant {name} --seed {seed}", scenario.path)
}

/// Every invariant holds in every run, or is violated in some where the variant is there for that.
fn invariants(scenario: &Scenario, variant: &VariantStudy) -> Vec<Judgement> {
    let Some(first) = variant.runs.first() else { return Vec::new() };
    let judge = |place: usize| {
        let name = &first.findings[place].invariant;
        let broken: Vec<u64> = variant
            .runs
            .iter()
            .filter(|run| run.findings[place].violations > 0)
            .map(|run| run.seed)
            .collect();
        let meant = variant.breaks.contains(name);
        let runs = variant.runs.len();
        let found = match broken.first() {
            None if runs == 1 => "held".to_owned(),
            None => format!("held in all {runs} runs"),
            Some(seed) if runs == 1 => format!("violated by seed {seed}"),
            Some(seed) => {
                format!("violated in {} of {runs} runs, first by seed {seed}", broken.len())
            }
        };
        let held = meant != broken.is_empty();
        Judgement {
            variant: variant.name.clone(),
            says: if meant { format!("{name} is violated") } else { format!("{name} holds") },
            held,
            found,
            reproduce: (!held)
                .then(|| again(scenario, variant, *broken.first().unwrap_or(&first.seed))),
        }
    };
    (0..first.findings.len()).map(judge).collect()
}

/// A metric's mean over all runs lies within its bounds, or is what it should be.
fn bound(
    scenario: &Scenario,
    variants: &[VariantStudy],
    variant: &VariantStudy,
    expected: &Expectation,
) -> Judgement {
    let summary = Summary::of(&values(variants, variant, expected));
    let mean = summary.mean();
    let quantity = quantity(scenario, &expected.metric).unwrap_or(Quantity::Count);
    let (min, max) =
        (expected.min.map(|value| value.base()), expected.max.map(|value| value.base()));
    let held = match (mean, expected.is) {
        (None, _) => false,
        (Some(_), Some(_)) => agrees(expected, &summary),
        (Some(mean), None) => {
            min.is_none_or(|min| mean >= min) && max.is_none_or(|max| mean <= max)
        }
    };
    let bounds = [("at least", min), ("at most", max)];
    let mut says: Vec<String> = bounds
        .iter()
        .filter_map(|(word, bound)| Some(format!("{word} {}", spell(quantity, (*bound)?))))
        .collect();
    if let (Some(is), Some(allowance)) = (expected.is, expected.allowance()) {
        says.push(format!("is {} ±{}", spell(quantity, is.base()), spell(quantity, allowance)));
    }
    let seed = variant.runs.first().map_or(scenario.seed, |run| run.seed);
    let mut metric = expected.metric.clone();
    if let Some(other) = &expected.versus {
        metric.push_str(&format!(" less that of {other}"));
    }
    Judgement {
        variant: variant.name.clone(),
        says: format!("{metric} {}", says.join(" and ")),
        held,
        found: mean.map_or("not measured".to_owned(), |mean| spell(quantity, mean)),
        reproduce: (!held).then(|| again(scenario, variant, seed)),
    }
}

/// What the runs of a variant have measured that an expectation is about, or how they differ from
/// those of another variant under the same seeds.
pub(super) fn values(
    variants: &[VariantStudy],
    variant: &VariantStudy,
    expected: &Expectation,
) -> Vec<f64> {
    let value =
        |run: &Outcome| run.measures.iter().find(|measure| measure.id == expected.metric)?.value;
    let Some(name) = &expected.versus else {
        return variant.runs.iter().filter_map(value).collect();
    };
    let other = variants.iter().find(|other| other.name == *name);
    let pair = |run: &Outcome| {
        let its = other?.runs.iter().find(|its| its.seed == run.seed)?;
        Some(value(run)? - value(its)?)
    };
    variant.runs.iter().filter_map(pair).collect()
}

/// How many standard errors chance may explain, where each is less than what is allowed.
const ERRORS: f64 = 4.0;

/// Is the mean of these runs what is expected? It is if it lies within the tolerance, and if it
/// differs by no more than chance explains, where chance is less than the tolerance.
pub(super) fn agrees(expected: &Expectation, runs: &Summary) -> bool {
    let (Some(is), Some(allowance), Some(mean)) = (expected.is, expected.allowance(), runs.mean())
    else {
        return false;
    };
    let off = (mean - is.base()).abs();
    // What cannot be told from the expected value in binary is no difference.
    let dust = is.base().abs() * 1e-12;
    let chance = runs.standard_error().filter(|error| *error < allowance).unwrap_or(0.0);
    off <= allowance + dust || off <= ERRORS * chance
}

pub(crate) fn spell(quantity: Quantity, value: f64) -> String {
    use crate::report::number;
    match quantity {
        Quantity::Time => number::duration((value * 1e9) as u64),
        Quantity::Share => number::percent(value),
        Quantity::Rate => format!("{}/s", number::human(value, 4)),
        Quantity::Bytes => format!("{} B", number::human(value, 4)),
        Quantity::Count | Quantity::Money => number::human(value, 4),
    }
}

/// Runs that did not reach their end.
fn endings(scenario: &Scenario, variant: &VariantStudy) -> Option<Judgement> {
    let cut = variant.runs.iter().find(|run| run.ending != Ending::Complete)?;
    let found = match &cut.ending {
        Ending::Stuck(why) => why.clone(),
        _ => format!("stopped after {} events, at {}", cut.events, cut.end),
    };
    Some(Judgement {
        variant: variant.name.clone(),
        says: "every run reaches its end".to_owned(),
        held: false,
        found,
        reproduce: Some(again(scenario, variant, cut.seed)),
    })
}

#[cfg(test)]
mod tests {
    use crate::check::outcome::{Judgement, Study};
    use crate::explore::{Plan, Silent, study};
    use crate::scenario::{load, source::Source};

    /// Calls to two stores without a saga, of which the second refuses every second time.
    const TEXT: &str = r#"Scenario(
    title: "Two stores",
    run: (load: "10s", quiet: "5s"),
    events_max: EVENTS,
    nodes: {
        "user": Client(target: "front", operation: "go", load: Constant(rate: "10/s")),
        "front": Service(operations: {"go": (calls: [(to: "left", operation: "put"), (to: "right", operation: "put")])}),
        "left": Service(store: "left-db", operations: {"put": (transfer: (from: "from", to: "to"))}),
        "right": Service(store: "right-db", operations: {"put": (refuses: "50 %", transfer: (from: "from", to: "to"))}),
        "left-db": Store(accounts: [(name: "from", balance: 1000)]),
        "right-db": Store(accounts: [(name: "from", balance: 1000)]),
    },
    invariants: {
        "atomic": Atomic(accounts: [(store: "left-db", account: "to"), (store: "right-db", account: "to")]),
    },
    expect: [
        (metric: "latency.p99", max: "MAX"),
        (metric: "availability.success", min: "10 %", max: "90 %", variant: "as meant"),
    ],
    variants: [
        (name: "as meant", breaks: ["atomic"]),
        (name: "plain"),
        (name: "sound", set: {"nodes.right.operations.put.refuses": "\"0 %\""}, breaks: ["atomic"]),
    ],
)"#;

    fn judged(max: &str, events: &str, seeds: &[u64]) -> Study {
        let text = TEXT.replace("MAX", max).replace("EVENTS", events);
        let scenario = load(&Source::new("two.ron", text)).expect("it can be read");
        study(&scenario, &Plan { seeds: seeds.to_vec(), variants: vec![], jobs: 1 }, &Silent)
    }

    fn of<'s>(study: &'s Study, variant: &str, says: &str) -> &'s Judgement {
        let ours = |one: &&Judgement| one.variant == variant && one.says.contains(says);
        study.judgements.iter().find(ours).unwrap_or_else(|| panic!("{:#?}", study.judgements))
    }

    #[test]
    fn a_violation_is_a_failure_unless_the_variant_is_there_for_it() {
        let study = judged("1s", "1000000", &[1, 2]);
        let meant = of(&study, "as meant", "atomic");
        assert_eq!((meant.says.as_str(), meant.held), ("atomic is violated", true));
        assert_eq!(meant.found, "violated in 2 of 2 runs, first by seed 1");
        assert_eq!(meant.reproduce, None, "there is nothing to mend");
        let plain = of(&study, "plain", "atomic");
        assert_eq!((plain.says.as_str(), plain.held), ("atomic holds", false));
        let again = plain.reproduce.as_deref();
        assert_eq!(again, Some("stormglass run two.ron --variant plain --seed 1"));
        let sound = of(&study, "sound", "atomic");
        assert!(
            !sound.held && sound.found == "held in all 2 runs",
            "it does not show what it should"
        );
        assert!(!study.held());
    }

    #[test]
    fn a_bound_is_held_against_the_mean_of_the_variants_that_it_is_about() {
        let study = judged("1ms", "1000000", &[1]);
        let late = of(&study, "as meant", "latency.p99");
        assert!(!late.held, "{late:?}");
        assert_eq!(late.says, "latency.p99 at most 1.00 ms");
        let again = late.reproduce.as_deref();
        assert_eq!(again, Some("stormglass run two.ron --variant 'as meant' --seed 1"));
        assert!(of(&judged("1s", "1000000", &[1]), "plain", "latency.p99").held);
        assert!(of(&study, "as meant", "availability.success").held);
        let about = |one: &Judgement| one.says.starts_with("availability.success");
        assert_eq!(study.judgements.iter().filter(|one| about(one)).count(), 1);
    }

    #[test]
    fn a_run_that_is_cut_off_is_a_failure() {
        let study = judged("1s", "500", &[1]);
        let cut = of(&study, "plain", "every run reaches its end");
        assert!(!cut.held && cut.found.starts_with("stopped after 500 events"), "{cut:?}");
        let whole = judged("1s", "1000000", &[1]);
        assert!(whole.judgements.iter().all(|one| !one.says.contains("reaches its end")));
    }
}
