//! Reproducing a published result: as many runs as it takes to tell.
//!
//! Seeds are added until the interval of every figure lies within its tolerance, or so far outside
//! that chance does not explain it, or until there are as many runs as the case allows. What is
//! decided is not run again: only the variants that have an open figure are.

use super::judge::{agrees, values};
use super::study::{Plan, Progress, Silent, study};
use crate::check::outcome::{Ending, Quantity, Study};
use crate::check::published::{CaseStudy, Expected, FigureStudy, Verdict};
use crate::check::quantity;
use crate::scenario::{Case, Expectation, Scenario};
use crate::stats::{Estimate, Summary};

/// How much is done for a case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Effort {
    /// Only few runs are made, and a figure agrees unless they contradict it: its interval, wide as
    /// it is, lies beside the tolerance.
    pub is_quick: bool,
    /// How many threads; 0 for one for each processor.
    pub jobs: usize,
}

/// How many runs are made at first: with fewer an interval means little.
const FIRST: u32 = 4;
/// How many are made where it must be quick.
const FEW: u32 = 3;

impl Effort {
    /// How many runs of a case are made at first, and at most.
    fn runs(self, case: &Case) -> (u64, u64) {
        let most = case.runs_max.max(1);
        let first = if self.is_quick { FEW } else { FIRST };
        let first = first.max(case.runs_min).min(most);
        (first.into(), if self.is_quick { first } else { most }.into())
    }
}

/// A figure while its values come in.
struct Open<'s> {
    expectation: &'s Expectation,
    variant: &'s str,
    quantity: Quantity,
    values: Vec<f64>,
    is_decided: bool,
}

/// Runs a scenario's case.
pub fn reproduce(
    scenario: &Scenario,
    case: &Case,
    effort: Effort,
    progress: &dyn Progress,
) -> CaseStudy {
    let mut figures = figures(scenario);
    let mut result = CaseStudy {
        id: case.id.clone(),
        title: scenario.title.clone(),
        path: scenario.path.clone(),
        source: case.source.clone(),
        note: case.note.clone(),
        figures: Vec::new(),
        broken: Vec::new(),
        runs: 0,
        events: 0,
    };
    let (first, most) = effort.runs(case);
    let mut done = 0_u64;
    while done < most && !progress.is_cancelled() {
        let next = (done * 2).max(first).min(most);
        let seeds = (done..next).map(|place| scenario.seed.wrapping_add(place)).collect();
        let open = figures.iter().filter(|figure| !figure.is_decided);
        let variants: Vec<String> = open.flat_map(Open::variants).collect();
        if variants.is_empty() {
            break;
        }
        let found = study(scenario, &Plan { seeds, variants, jobs: effort.jobs }, progress);
        result.add(&found);
        for figure in &mut figures {
            figure.add(&found);
        }
        done = next;
    }
    result.figures = figures.into_iter().map(|open| open.close(effort)).collect();
    result.broken.extend(differs_again(scenario, effort));
    result
}

/// The same seed once more, of the first variant: what it says if the digests differ.
fn differs_again(scenario: &Scenario, effort: Effort) -> Option<String> {
    let variants = vec![scenario.variants.first()?.name.clone()];
    let plan = Plan { seeds: vec![scenario.seed], variants, jobs: effort.jobs };
    let digest = || {
        let found = study(scenario, &plan, &Silent);
        Some(found.variants.first()?.runs.first()?.digest)
    };
    (digest() != digest()).then(|| "two runs of one seed differ".to_owned())
}

/// Every expectation for each variant that it is about.
fn figures(scenario: &Scenario) -> Vec<Open<'_>> {
    let mut figures = Vec::new();
    for variant in &scenario.variants {
        let about = scenario.expect.iter().filter(|expectation| {
            expectation.variant.as_ref().is_none_or(|name| *name == variant.name)
        });
        let about = about.filter(|one| one.versus.as_ref() != Some(&variant.name));
        figures.extend(about.map(|expectation| Open {
            expectation,
            variant: &variant.name,
            quantity: quantity(scenario, &expectation.metric).unwrap_or(Quantity::Count),
            values: Vec::new(),
            is_decided: false,
        }));
    }
    figures
}

impl CaseStudy {
    /// Counts the runs, and what did not hold in them besides the figures.
    fn add(&mut self, found: &Study) {
        for variant in &found.variants {
            self.runs += variant.runs.len() as u64;
            self.events += variant.runs.iter().map(|run| run.events).sum::<u64>();
            for run in &variant.runs {
                let (name, seed) = (&variant.name, run.seed);
                if run.ending != Ending::Complete {
                    self.broken.push(format!("{name}: seed {seed} did not reach its end"));
                }
                let violated = run.findings.iter().filter(|finding| {
                    finding.violations > 0 && !variant.breaks.contains(&finding.invariant)
                });
                let told = violated
                    .map(|one| format!("{name}: {} violated by seed {seed}", one.invariant));
                self.broken.extend(told);
            }
        }
    }
}

impl Open<'_> {
    /// The variants whose runs it is made of.
    fn variants(&self) -> Vec<String> {
        let other = self.expectation.versus.clone();
        std::iter::once(self.variant.to_owned()).chain(other).collect()
    }

    fn add(&mut self, found: &Study) {
        let Some(variant) = found.variants.iter().find(|one| one.name == self.variant) else {
            return;
        };
        self.values.extend(values(&found.variants, variant, self.expectation));
        self.is_decided |= self.decides();
    }

    /// Would more runs hardly change the verdict?
    fn decides(&self) -> bool {
        let summary = Summary::of(&self.values);
        let Some(mean) = summary.mean() else { return false };
        let half = Estimate::from_summary(&summary).and_then(|estimate| estimate.half_width);
        let (Some(half), Some(error)) = (half, summary.standard_error()) else { return false };
        match (self.expectation.is, self.expectation.allowance()) {
            (Some(is), Some(allowance)) => {
                let off = (mean - is.base()).abs();
                off + half <= allowance || off - allowance > 6.0 * error
            }
            _ => {
                let bounds = [self.expectation.min, self.expectation.max];
                bounds.into_iter().flatten().all(|bound| (mean - bound.base()).abs() >= half)
            }
        }
    }

    fn close(self, effort: Effort) -> FigureStudy {
        let (expectation, summary) = (self.expectation, Summary::of(&self.values));
        let base = |value: Option<crate::scenario::Value>| value.map(|value| value.base());
        let (min, max) = (base(expectation.min), base(expectation.max));
        let expected = match (base(expectation.is), expectation.allowance()) {
            (Some(is), Some(allowance)) => Expected::Value(is, allowance),
            _ => Expected::Bounds(min, max),
        };
        let within =
            |mean: f64| min.is_none_or(|min| mean >= min) && max.is_none_or(|max| mean <= max);
        let holds = match expected {
            Expected::Value(is, allowance) if effort.is_quick => {
                let simulated = Estimate::from_summary(&summary);
                let half = simulated.and_then(|one| one.half_width).unwrap_or(0.0);
                let off = |mean: f64| (mean - is).abs();
                agrees(expectation, &summary)
                    || summary.mean().is_some_and(|mean| off(mean) <= allowance + half)
            }
            Expected::Value(..) => agrees(expectation, &summary),
            Expected::Bounds(..) => summary.mean().is_some_and(within),
        };
        FigureStudy {
            metric: match &expectation.versus {
                Some(other) => format!("{}, less that of {other}", expectation.metric),
                None => expectation.metric.clone(),
            },
            variant: self.variant.to_owned(),
            quantity: self.quantity,
            expected,
            published: expectation.published.clone(),
            simulated: Estimate::from_summary(&summary),
            verdict: match summary.mean() {
                None => Verdict::Missing,
                Some(_) if holds => Verdict::Agrees,
                Some(_) => Verdict::Differs,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::Silent;
    use crate::scenario::{load, source::Source};

    const QUEUE: &str = r#"Scenario(
    title: "A queue",
    run: (warmup: "10s", load: "110s"),
    network: (latency: "0s"),
    nodes: {
        "users": Client(target: "server", operation: "serve", load: Poisson(rate: "50/s")),
        "server": Service(machine: (workers: 1), operations: {"serve": (cost: Exponential(mean: "10ms"))}),
    },
    expect: [
        (metric: "latency.mean", is: "MEAN", tolerance: "TOLERANCE", published: "about 20 ms"),
        (metric: "throughput.goodput", min: "40/s"),
    ],
    validates: (id: "X01", source: "a book", runs_max: 16),
)"#;

    fn reproduced(mean: &str, tolerance: &str) -> CaseStudy {
        let text = QUEUE.replace("MEAN", mean).replace("TOLERANCE", tolerance);
        let scenario = load(&Source::new("queue.ron", text)).expect("it can be read");
        let case = scenario.validates.clone().expect("it is a case");
        reproduce(&scenario, &case, Effort { is_quick: false, jobs: 0 }, &Silent)
    }

    #[test]
    fn runs_are_added_until_the_interval_lies_within_the_tolerance() {
        let (wide, narrow) = (reproduced("20ms", "20 %"), reproduced("20ms", "2 %"));
        assert!(wide.agrees() && narrow.agrees(), "{narrow:?}");
        assert_eq!(wide.runs, 4);
        assert!(narrow.runs > 4 && narrow.runs <= 16, "{}", narrow.runs);
        let latency = &narrow.figures[0];
        assert_eq!(latency.expected, Expected::Value(0.02, 0.0004));
        assert_eq!(latency.published.as_deref(), Some("about 20 ms"));
    }

    #[test]
    fn a_figure_that_chance_does_not_explain_differs_and_soon() {
        let wrong = reproduced("15ms", "2 %");
        assert!(!wrong.agrees());
        assert_eq!(wrong.figures[0].verdict, Verdict::Differs);
        assert_eq!(wrong.figures[1].verdict, Verdict::Agrees);
        assert_eq!(wrong.runs, 4, "four runs are enough to see it");
    }
}
