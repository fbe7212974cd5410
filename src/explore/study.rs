//! A study: all variants of a scenario under the same seeds.
//!
//! Variants share their seeds, and every entity has a random stream of its own, so what differs
//! between two variants under one seed is due to the variants: common random numbers. Runs are
//! spread over threads, and put in their places by number, so the result does not depend on how
//! many threads there are.

use rayon::prelude::*;

use super::run::simulate;
use super::{judge, pending, trail, warmup};
use crate::check::outcome::{Chain, Outcome, Stages, Study, VariantStudy, Violation};
use crate::engine::Time;
use crate::scenario::{Scenario, Variant};

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seeds, in order.
    pub seeds: Vec<u64>,
    /// Which variants, by name; all if empty. The first in the scenario's order is the baseline.
    pub variants: Vec<String>,
    /// How many threads; 0 for one for each processor.
    pub jobs: usize,
}

/// Hears of a study's progress, from any of its threads.
pub trait Progress: Sync {
    /// This many runs will be made.
    fn begins(&self, runs: u64);
    /// One more run is done.
    fn advances(&self);
    /// Should the runs that have not begun be left out?
    fn is_cancelled(&self) -> bool;
}

/// A study that nobody watches.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Progress for Silent {
    fn begins(&self, _: u64) {}
    fn advances(&self) {}
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// Runs a scenario: every chosen variant under every seed. Wall-clock time is left to the caller.
pub fn study(scenario: &Scenario, plan: &Plan, progress: &dyn Progress) -> Study {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(plan.jobs).build();
    // A scenario's nodes have cells in them, so each thread has a scenario of its own.
    let own = scenario.clone();
    match pool {
        Ok(pool) => pool.install(move || runs(own, plan, progress)),
        // No threads to be had: this one will do.
        Err(_) => runs(own, plan, progress),
    }
}

fn runs(scenario: Scenario, plan: &Plan, progress: &dyn Progress) -> Study {
    let is_chosen =
        |variant: &Variant| plan.variants.is_empty() || plan.variants.contains(&variant.name);
    let places = 0..scenario.variants.len();
    let chosen: Vec<usize> = places.filter(|at| is_chosen(&scenario.variants[*at])).collect();
    let from = warmup::measured_from(&scenario, &chosen, &plan.seeds);
    let numbered: Vec<(usize, u64)> = chosen
        .iter()
        .flat_map(|variant| plan.seeds.iter().map(move |seed| (*variant, *seed)))
        .collect();
    progress.begins(numbered.len() as u64);
    let outcomes: Vec<Option<Outcome>> = numbered
        .par_iter()
        .with_max_len(1)
        .map_with(scenario.clone(), |scenario, &(variant, seed)| {
            if progress.is_cancelled() {
                return None;
            }
            let variant = &scenario.variants[variant];
            let outcome = simulate(scenario, variant, seed, warmup::of(variant, from));
            progress.advances();
            Some(outcome)
        })
        .collect();
    let interrupted = outcomes.iter().any(Option::is_none);
    let mut outcomes = outcomes.into_iter();
    let mut variants: Vec<VariantStudy> = Vec::new();
    for variant in chosen.iter().map(|place| &scenario.variants[*place]) {
        variants.push(VariantStudy {
            name: variant.name.clone(),
            about: variant.about.clone(),
            stages: Stages {
                warmup: warmup::of(variant, from) - Time(0),
                quiet: variant.phases.quiet_from(),
                end: variant.phases.end(),
            },
            runs: outcomes.by_ref().take(plan.seeds.len()).flatten().collect(),
            chains: Vec::new(),
            waits: Vec::new(),
            breaks: variant.breaks.clone(),
        });
    }
    tell(&scenario, &chosen, &mut variants);
    for (study, &variant) in variants.iter_mut().zip(&chosen) {
        let first = study.runs.iter().find(|run| !run.stuck.is_empty());
        if let Some(seed) = first.map(|run| run.seed) {
            study.waits = pending::at_the_end(&scenario, &scenario.variants[variant], seed);
        }
    }
    let judgements = judge::all(&scenario, &variants);
    Study {
        name: scenario.name.clone(),
        path: scenario.path.clone(),
        title: scenario.title.clone(),
        about: scenario.about.clone(),
        seeds: plan.seeds.clone(),
        currency: scenario
            .variants
            .iter()
            .find_map(|variant| Some(variant.prices.as_ref()?.currency.clone())),
        variants,
        judgements,
        wall: 0.0,
        interrupted,
    }
}

/// One story to be told: which variant, which invariant, which run, and what was found.
struct Story {
    study: usize,
    variant: usize,
    invariant: String,
    seed: u64,
    violation: Violation,
}

/// Tells the story of the first violation of each invariant in each variant.
fn tell(scenario: &Scenario, chosen: &[usize], variants: &mut [VariantStudy]) {
    let mut stories = Vec::new();
    for (study, &variant) in chosen.iter().enumerate() {
        let runs = &variants[study].runs;
        for place in 0..runs.first().map_or(0, |run| run.findings.len()) {
            let found = runs.iter().find_map(|run| {
                let finding = &run.findings[place];
                Some((finding.invariant.clone(), run.seed, finding.first.clone()?))
            });
            let story =
                |(invariant, seed, violation)| Story { study, variant, invariant, seed, violation };
            stories.extend(found.map(story));
        }
    }
    let chains: Vec<Chain> = stories
        .par_iter()
        .map_with(scenario.clone(), |scenario, story| {
            let variant = &scenario.variants[story.variant];
            trail::chain(scenario, variant, story.seed, &story.invariant, &story.violation)
        })
        .collect();
    for (story, chain) in stories.iter().zip(chains) {
        variants[story.study].chains.push(chain);
    }
}
