//! What was expected, held against what was found.

use crate::check::metric;
use crate::check::outcome::{Ending, Judgement, Quantity, VariantStudy};
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
        judgements.extend(expected.map(|expectation| bound(scenario, variant, expectation)));
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

/// A metric's mean over all runs lies within its bounds.
fn bound(scenario: &Scenario, variant: &VariantStudy, expected: &Expectation) -> Judgement {
    let value = |run: &crate::check::outcome::Outcome| {
        run.measures.iter().find(|measure| measure.id == expected.metric)?.value
    };
    let values: Vec<f64> = variant.runs.iter().filter_map(value).collect();
    let mean = Summary::of(&values).mean();
    let quantity = metric(&expected.metric).map_or(Quantity::Count, |metric| metric.quantity);
    let (min, max) =
        (expected.min.map(|value| value.base()), expected.max.map(|value| value.base()));
    let held = mean
        .is_some_and(|mean| min.is_none_or(|min| mean >= min) && max.is_none_or(|max| mean <= max));
    let bounds = [("at least", min), ("at most", max)];
    let says: Vec<String> = bounds
        .iter()
        .filter_map(|(word, bound)| Some(format!("{word} {}", spell(quantity, (*bound)?))))
        .collect();
    let seed = variant.runs.first().map_or(scenario.seed, |run| run.seed);
    Judgement {
        variant: variant.name.clone(),
        says: format!("{} {}", expected.metric, says.join(" and ")),
        held,
        found: mean.map_or("not measured".to_owned(), |mean| spell(quantity, mean)),
        reproduce: (!held).then(|| again(scenario, variant, seed)),
    }
}

fn spell(quantity: Quantity, value: f64) -> String {
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
