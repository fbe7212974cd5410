//! What came of reproducing published results: plain data, between simulating and reporting.

use super::outcome::Quantity;
use crate::stats::Estimate;

/// Whether what was simulated is what was expected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is, within the tolerance.
    Agrees,
    /// It is not.
    Differs,
    /// The runs do not measure it.
    Missing,
}

/// One figure of a case.
#[derive(Clone, Debug)]
pub struct FigureStudy {
    /// The metric or measure.
    pub metric: String,
    /// The variant.
    pub variant: String,
    /// How its values are to be read.
    pub quantity: Quantity,
    /// What is expected: the value, or the bounds in words.
    pub expected: Expected,
    /// As it was published, where that is rounded or differs.
    pub published: Option<String>,
    /// What was simulated; none if it was not measured.
    pub simulated: Option<Estimate>,
    /// Is it the same?
    pub verdict: Verdict,
}

/// What is expected of a figure, in base units.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Expected {
    /// A value, and how far from it is allowed.
    Value(f64, f64),
    /// At least and at most.
    Bounds(Option<f64>, Option<f64>),
}

/// A case after its runs.
#[derive(Clone, Debug)]
pub struct CaseStudy {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// The scenario, by its path as given.
    pub path: String,
    /// Where the figures come from.
    pub source: String,
    /// The formula, or what else a reader should know.
    pub note: String,
    /// The figures, in the order of the scenario's expectations.
    pub figures: Vec<FigureStudy>,
    /// What did not hold besides: invariants, and runs that did not reach their end.
    pub broken: Vec<String>,
    /// How many runs were made, of all variants.
    pub runs: u64,
    /// How many events they took.
    pub events: u64,
}

impl CaseStudy {
    /// Is every figure as expected, and does everything hold that must?
    pub fn agrees(&self) -> bool {
        self.broken.is_empty() && self.figures.iter().all(|one| one.verdict == Verdict::Agrees)
    }
}

/// A published result that no scenario can reproduce yet.
#[derive(Clone, PartialEq, Eq, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    /// Its id.
    pub id: String,
    /// What it is about.
    pub title: String,
    /// What it waits for.
    pub needs: String,
}

/// What came of all cases.
#[derive(Clone, Debug, Default)]
pub struct Validation {
    /// Those that were run, in the order of their ids.
    pub cases: Vec<CaseStudy>,
    /// Those that cannot be run yet.
    pub pending: Vec<Pending>,
    /// Was it ended before all cases were run?
    pub interrupted: bool,
}
