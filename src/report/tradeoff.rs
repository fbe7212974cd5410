//! Every measure of every variant beside each other, and which differences are real.
//!
//! All variants lived through the same seeds, so a variant is judged by its differences to the
//! first one seed by seed; the p-values of one measure are corrected for the number of variants
//! (Holm). A percentile of latency does not average: its value comes from the requests of all runs
//! together and its interval from the bootstrap over runs, and a difference of percentiles counts
//! only if the paired test over the runs agrees, since the bootstrap is bold with few runs.

use crate::check::outcome::{Axis, Better, Measure, Outcome, Quantity, Study, VariantStudy};
use crate::stats::{
    Estimate, Histogram, Paired, bootstrap_quantile, bootstrap_quantile_difference, holm, paired,
};

/// A difference is believed if chance alone would show one like it less often than this.
const SIGNIFICANCE: f64 = 0.05;
/// More runs than this are merged into so many groups before they are resampled: groups of equal
/// size are as independent as runs are, and the effort stays bounded.
const GROUPS_MAX: usize = 40;

/// The measures of a study, by axis.
pub(super) struct Tradeoff {
    pub rows: Vec<Row>,
}

/// One measure.
pub(super) struct Row {
    pub id: String,
    pub label: String,
    pub axis: Axis,
    pub quantity: Quantity,
    pub better: Better,
    /// The symbol of money, empty if the scenario names none.
    pub currency: String,
    /// One for each variant; none if the variant has no value.
    pub figures: Vec<Option<Figure>>,
    /// Every run of every variant has the same value.
    pub is_same: bool,
}

/// What one variant has in one measure.
pub(super) struct Figure {
    /// The mean over the runs, or the percentile over the requests of all runs.
    pub value: f64,
    /// The 95 % interval; none from one run.
    pub interval: Option<(f64, f64)>,
    /// The value of each run, in the order of the runs.
    pub values: Vec<Option<f64>>,
    /// Against the first variant; none for that one itself.
    pub versus: Option<Versus>,
}

/// A variant against the first one.
pub(super) struct Versus {
    /// This minus the first.
    pub difference: f64,
    /// Its 95 % interval; none from one pair of runs.
    pub interval: Option<(f64, f64)>,
    /// This over the first, where the first is not too close to zero.
    pub ratio: Option<f64>,
    /// Can the difference be told from chance?
    pub is_significant: bool,
    /// How many seeds both have a value for.
    pub pairs: usize,
    /// The two-sided p-value, corrected for the number of variants; none from one pair of runs.
    pub p_value: Option<f64>,
}

/// What a significant difference means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    Better,
    Worse,
}

impl Row {
    /// Is it about one flow or one node only? Then this is its name.
    pub fn part(&self) -> Option<&str> {
        self.id.split_once('/').map(|(_, part)| part)
    }

    /// Is the variant better or worse than the first one, beyond chance?
    pub fn change(&self, variant: usize) -> Option<Change> {
        let versus = self.figures[variant].as_ref()?.versus.as_ref()?;
        versus.is_significant.then(|| self.direction(versus)).flatten()
    }

    /// Is the difference, significant or not, for the better or the worse?
    pub fn direction(&self, versus: &Versus) -> Option<Change> {
        if versus.difference == 0.0 {
            return None;
        }
        match (self.better, versus.difference > 0.0) {
            (Better::Neither, _) => None,
            (Better::Lower, false) | (Better::Higher, true) => Some(Change::Better),
            (Better::Lower, true) | (Better::Higher, false) => Some(Change::Worse),
        }
    }
}

impl Figure {
    /// The ± of the value: it covers the whole interval, which need not be symmetric.
    pub fn half_width(&self) -> Option<f64> {
        half_width(self.value, self.interval)
    }
}

impl Versus {
    /// The ± of the difference.
    pub fn half_width(&self) -> Option<f64> {
        half_width(self.difference, self.interval)
    }
}

fn half_width(value: f64, interval: Option<(f64, f64)>) -> Option<f64> {
    interval.map(|(low, high)| (value - low).max(high - value))
}

impl Tradeoff {
    /// Compares the variants of a study, measure by measure.
    pub fn of(study: &Study) -> Tradeoff {
        let mut rows: Vec<Row> =
            known(study).into_iter().map(|measure| row(study, measure)).collect();
        // Stable: within an axis, measures stand as the runs list them, parts after their whole.
        rows.sort_by_key(|row| row.axis);
        Tradeoff { rows }
    }
}

/// Every measure that any run has, in the order of first mention.
fn known(study: &Study) -> Vec<&Measure> {
    let mut known: Vec<&Measure> = Vec::new();
    for variant in &study.variants {
        // All runs of a variant list the same measures.
        for measure in variant.runs.first().map_or(&[][..], |run| &run.measures) {
            if !known.iter().any(|other| other.id == measure.id) {
                known.push(measure);
            }
        }
    }
    known
}

fn row(study: &Study, measure: &Measure) -> Row {
    let variants = &study.variants;
    let percentile = percentile(&measure.id);
    let mut figures: Vec<Option<Figure>> =
        variants.iter().map(|variant| figure(variant, &measure.id, percentile)).collect();
    if let Some((first, others)) = variants.split_first() {
        for (variant, figure) in others.iter().zip(&mut figures[1..]) {
            if let Some(figure) = figure {
                figure.versus = versus(first, variant, &measure.id, percentile);
            }
        }
    }
    correct(&mut figures);
    let mut values = figures.iter().map(|figure| figure.as_ref().map(|figure| &figure.values));
    let first = values.next();
    Row {
        id: measure.id.clone(),
        label: measure.label.clone(),
        axis: measure.axis,
        quantity: measure.quantity,
        better: measure.better,
        currency: study.currency.clone().unwrap_or_default(),
        is_same: first.is_some_and(|first| all_equal(first, values)),
        figures,
    }
}

/// Have all variants but one value in all their runs?
fn all_equal<'a>(
    first: Option<&'a Vec<Option<f64>>>,
    mut others: impl Iterator<Item = Option<&'a Vec<Option<f64>>>>,
) -> bool {
    let only = first.and_then(|values| values.first().copied().flatten());
    let same = |values: Option<&Vec<Option<f64>>>| {
        values.is_some_and(|values| values.iter().all(|value| *value == only))
    };
    only.is_some() && same(first) && others.all(same)
}

/// Holm's correction over the variants of one measure.
fn correct(figures: &mut [Option<Figure>]) {
    let mut versus: Vec<&mut Versus> =
        figures.iter_mut().flatten().filter_map(|figure| figure.versus.as_mut()).collect();
    let known: Vec<f64> = versus.iter().filter_map(|versus| versus.p_value).collect();
    let mut adjusted = holm(&known).into_iter();
    for versus in &mut versus {
        if versus.p_value.is_some() {
            versus.p_value = adjusted.next();
        }
        let is_unlikely = versus.p_value.is_some_and(|p_value| p_value <= SIGNIFICANCE);
        let excludes_zero = versus.interval.is_some_and(|(low, high)| low > 0.0 || high < 0.0);
        versus.is_significant = is_unlikely && excludes_zero;
    }
}

/// The share of requests below a percentile of latency, and the flow that it is about.
#[derive(Clone, Copy)]
struct Percentile<'a> {
    share: f64,
    flow: Option<&'a str>,
}

fn percentile(id: &str) -> Option<Percentile<'_>> {
    let (name, flow) = match id.split_once('/') {
        Some((name, flow)) => (name, Some(flow)),
        None => (id, None),
    };
    let share = match name {
        "latency.p50" => 0.5,
        "latency.p90" => 0.9,
        "latency.p99" => 0.99,
        "latency.p999" => 0.999,
        _ => return None,
    };
    Some(Percentile { share, flow })
}

fn figure(variant: &VariantStudy, id: &str, percentile: Option<Percentile>) -> Option<Figure> {
    let values: Vec<Option<f64>> = variant.runs.iter().map(|run| value(run, id)).collect();
    let known: Vec<f64> = values.iter().copied().flatten().collect();
    let mean = Estimate::of(&known)?;
    let mut figure = Figure { value: mean.mean, interval: mean.interval(), values, versus: None };
    if let Some(Percentile { share, flow }) = percentile {
        let runs = grouped(&variant.runs.iter().map(|run| latency(run, flow)).collect::<Vec<_>>());
        let mut draw = Draw::default();
        if let Some(found) = bootstrap_quantile(&runs, share, |bound| draw.below(bound)) {
            figure.value = seconds(found.value as f64);
            figure.interval =
                found.interval.map(|(low, high)| (seconds(low as f64), seconds(high as f64)));
        }
    }
    Some(figure)
}

fn versus(
    first: &VariantStudy,
    second: &VariantStudy,
    id: &str,
    percentile: Option<Percentile>,
) -> Option<Versus> {
    let pairs: Vec<(&Outcome, &Outcome)> = (first.runs.iter())
        .filter_map(|run| Some((run, second.runs.iter().find(|other| other.seed == run.seed)?)))
        .filter(|(run, other)| value(run, id).is_some() && value(other, id).is_some())
        .collect();
    let left: Vec<f64> = pairs.iter().filter_map(|(run, _)| value(run, id)).collect();
    let right: Vec<f64> = pairs.iter().filter_map(|(_, run)| value(run, id)).collect();
    let Paired { difference, ratio, p_value } = paired(&left, &right)?;
    let mut versus = Versus {
        difference: difference.mean,
        interval: difference.interval(),
        ratio: ratio.map(|ratio| ratio.mean),
        is_significant: false,
        pairs: pairs.len(),
        p_value,
    };
    if let Some(Percentile { share, flow }) = percentile {
        let left = grouped(&pairs.iter().map(|(run, _)| latency(run, flow)).collect::<Vec<_>>());
        let right = grouped(&pairs.iter().map(|(_, run)| latency(run, flow)).collect::<Vec<_>>());
        let mut draw = Draw::default();
        let found = bootstrap_quantile_difference(&left, &right, share, |bound| draw.below(bound));
        if let Some(found) = found {
            versus.difference = seconds(found.value as f64);
            versus.interval =
                found.interval.map(|(low, high)| (seconds(low as f64), seconds(high as f64)));
            versus.ratio = ratio_of(&left, &right, share);
        }
    }
    Some(versus)
}

fn ratio_of(first: &[Histogram], second: &[Histogram], share: f64) -> Option<f64> {
    let of = |runs: &[Histogram]| merged(runs).quantile(share);
    let base = of(first).filter(|&base| base > 0)?;
    Some(of(second)? as f64 / base as f64)
}

/// The value of a measure in a run. What is not finite is no measurement.
pub(super) fn value(run: &Outcome, id: &str) -> Option<f64> {
    let measure = run.measures.iter().find(|measure| measure.id == id)?;
    measure.value.filter(|value| value.is_finite())
}

/// The latencies of one flow or class, or of all flows.
fn latency(run: &Outcome, flow: Option<&str>) -> Histogram {
    let Some(name) = flow else { return merged(run.flows.iter().map(|flow| &flow.latency)) };
    let classes = run.classes.iter().map(|class| &class.flow);
    let named = run.flows.iter().chain(classes).filter(|flow| flow.name == name);
    merged(named.map(|flow| &flow.latency))
}

/// Everything that several histograms hold.
pub(super) fn merged<'a>(parts: impl IntoIterator<Item = &'a Histogram>) -> Histogram {
    let mut all = Histogram::new();
    parts.into_iter().for_each(|part| all.merge(part));
    all.compact();
    all
}

/// Neighbouring runs merged until there are few enough of them.
fn grouped(runs: &[Histogram]) -> Vec<Histogram> {
    let groups = runs.len().min(GROUPS_MAX);
    let bound = |group: usize| group * runs.len() / groups;
    (0..groups).map(|group| merged(&runs[bound(group)..bound(group + 1)])).collect()
}

fn seconds(nanoseconds: f64) -> f64 {
    nanoseconds / 1e9
}

/// The random stream of every resampling: always the same, so that a report is reproducible.
/// `SplitMix64` (Steele, Lea and Flood, 2014).
struct Draw(u64);

impl Default for Draw {
    fn default() -> Draw {
        Draw(0x5707_1136_1a55_0001)
    }
}

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^= word >> 31;
        // The high half of the product: its bias is bound / 2^64, far below what a resample sees.
        ((u128::from(word) * u128::from(bound)) >> 64) as u64
    }
}
