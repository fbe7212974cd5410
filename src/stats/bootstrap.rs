//! Intervals for quantiles over several runs, by resampling whole runs.
//!
//! Requests of one run are not independent, runs with different seeds are. So the bootstrap (Efron
//! and Tibshirani, 1993, chapter 13, the percentile interval) draws runs with replacement, merges
//! their histograms and reads the quantile, many times over. With fewer than about ten runs such
//! an interval is too narrow, as any is that rests on so few extremes.

use super::Histogram;
use super::histogram::rank;

/// How often the runs are resampled: the usual thousand, at which the ends of a 95 % interval move
/// by less than what a report shows.
const RESAMPLES: u64 = 1000;

/// A quantile over all requests of all runs, with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuantileEstimate {
    /// The quantile of the merged histogram, in nanoseconds.
    pub value: u64,
    /// The ends of the interval; none for a single run.
    pub interval: Option<(u64, u64)>,
    /// The number of runs.
    pub runs: usize,
}

/// How much larger a quantile is in the second design, with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuantileDifference {
    /// Second minus first, in nanoseconds.
    pub value: i64,
    /// The ends of the interval; none for a single pair of runs.
    pub interval: Option<(i64, i64)>,
    /// The number of pairs.
    pub runs: usize,
}

impl QuantileDifference {
    /// Whether the interval leaves out zero.
    pub fn excludes_zero(&self) -> bool {
        self.interval.is_some_and(|(low, high)| low > 0 || high < 0)
    }
}

/// Estimates a quantile over `runs`; none if no run recorded anything. `draw(bound)` must give
/// uniform integers below `bound`, from a stream of its own so that the report is reproducible.
///
/// # Panics
/// If `quantile` is not in [0, 1].
pub fn bootstrap_quantile(
    runs: &[Histogram],
    quantile: f64,
    draw: impl FnMut(u64) -> u64,
) -> Option<QuantileEstimate> {
    let pool = Pool::new(runs);
    let value = pool.quantile(&vec![1; runs.len()], quantile)?;
    let interval = resampled(runs.len(), draw, |times| pool.quantile(times, quantile));
    Some(QuantileEstimate { value, interval, runs: runs.len() })
}

/// Estimates how far a quantile of `second` lies above that of `first`, both run with the same
/// seeds in the same order: each resample takes the same seeds of both. None if either design
/// recorded nothing.
///
/// # Panics
/// If the designs differ in their number of runs, or `quantile` is not in [0, 1].
pub fn bootstrap_quantile_difference(
    first: &[Histogram],
    second: &[Histogram],
    quantile: f64,
    draw: impl FnMut(u64) -> u64,
) -> Option<QuantileDifference> {
    assert_eq!(first.len(), second.len(), "a pair lacks a partner");
    let (base, changed) = (Pool::new(first), Pool::new(second));
    let difference = |times: &[u64]| {
        let low = base.quantile(times, quantile)?;
        // Both are at most about a day, far inside the range.
        Some(changed.quantile(times, quantile)? as i64 - low as i64)
    };
    let value = difference(&vec![1; first.len()])?;
    Some(QuantileDifference {
        value,
        interval: resampled(first.len(), draw, difference),
        runs: first.len(),
    })
}

/// The percentile interval of a statistic over resamples of `runs` runs. The statistic is told how
/// many times each run was drawn.
fn resampled<T: Ord + Copy>(
    runs: usize,
    mut draw: impl FnMut(u64) -> u64,
    statistic: impl Fn(&[u64]) -> Option<T>,
) -> Option<(T, T)> {
    if runs < 2 {
        return None;
    }
    let mut times = vec![0; runs];
    let mut found = Vec::with_capacity(RESAMPLES as usize);
    for _ in 0..RESAMPLES {
        times.fill(0);
        (0..runs).for_each(|_| times[draw(runs as u64) as usize] += 1);
        // A resample of runs that recorded nothing has no quantile and says nothing.
        found.extend(statistic(&times));
    }
    found.sort_unstable();
    let count = found.len() as u64;
    let at = |quantile| found[rank(quantile, count) as usize - 1];
    (count > 0).then(|| (at(1.0 - super::UPPER), at(super::UPPER)))
}

/// The distribution functions of all runs, ready to be summed over any choice of them. Merging the
/// dense histograms a thousand times would cost a thousand times more.
struct Pool {
    runs: Vec<Cumulative>,
    /// Every value that any run has a bucket for, rising.
    values: Vec<u64>,
}

#[derive(Default)]
struct Cumulative {
    values: Vec<u64>,
    counts: Vec<u64>,
}

impl Pool {
    fn new(runs: &[Histogram]) -> Pool {
        let mut pool = Pool { runs: Vec::with_capacity(runs.len()), values: Vec::new() };
        for run in runs {
            let mut cumulative = Cumulative::default();
            let mut seen = 0;
            for bucket in run.buckets() {
                seen += bucket.count;
                cumulative.values.push(bucket.upper);
                cumulative.counts.push(seen);
            }
            pool.values.extend(&cumulative.values);
            pool.runs.push(cumulative);
        }
        pool.values.sort_unstable();
        pool.values.dedup();
        pool
    }

    /// The quantile of all runs, each counted the given number of times; none if those recorded
    /// nothing.
    fn quantile(&self, times: &[u64], quantile: f64) -> Option<u64> {
        let drawn: Vec<(u64, &Cumulative)> =
            times.iter().copied().zip(&self.runs).filter(|(times, _)| *times > 0).collect();
        let up_to = |value: u64| drawn.iter().map(|(times, run)| times * run.up_to(value)).sum();
        let total: u64 = up_to(u64::MAX);
        if total == 0 {
            return None;
        }
        let rank = rank(quantile, total);
        Some(self.values[self.values.partition_point(|&value| up_to(value) < rank)])
    }
}

impl Cumulative {
    /// How many values of the run are at most `value`.
    fn up_to(&self, value: u64) -> u64 {
        match self.values.partition_point(|&upper| upper <= value) {
            0 => 0,
            index => self.counts[index - 1],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Splitmix;
    use super::*;

    fn runs(rng: &mut Splitmix, count: usize, mean: f64) -> Vec<Histogram> {
        (0..count)
            .map(|_| {
                let mut run = Histogram::new();
                (0..100).for_each(|_| run.record(rng.exponential(mean) as u64));
                run
            })
            .collect()
    }

    #[test]
    fn the_point_value_is_the_quantile_of_the_merged_histogram() {
        let mut rng = Splitmix(8);
        let runs = runs(&mut rng, 7, 5e6);
        let mut merged = Histogram::new();
        runs.iter().for_each(|run| merged.merge(run));
        for quantile in [0.0, 0.5, 0.9, 0.99, 1.0] {
            let found = bootstrap_quantile(&runs, quantile, |bound| rng.below(bound)).unwrap();
            let exact = merged.quantile(quantile).unwrap();
            // Each run clips its last bucket at its own maximum, so the pool may be a little finer.
            assert!(found.value <= exact && found.value as f64 >= exact as f64 * 0.999);
            let (low, high) = found.interval.unwrap();
            assert!(low <= found.value && found.value <= high);
        }
    }

    #[test]
    fn the_interval_covers_the_true_quantile_most_of_the_time() {
        let mut rng = Splitmix(21);
        let truth = 5e6 * libm::log(10.0);
        let covered = (0..30)
            .filter(|_| {
                let runs = runs(&mut rng, 12, 5e6);
                let found = bootstrap_quantile(&runs, 0.9, |bound| rng.below(bound)).unwrap();
                let (low, high) = found.interval.unwrap();
                (low as f64) <= truth && truth <= high as f64
            })
            .count();
        assert!(covered >= 25, "covered {covered} of 30");
    }

    #[test]
    fn the_same_draws_give_the_same_interval() {
        let runs = runs(&mut Splitmix(4), 12, 1e6);
        let interval = |seed| {
            let mut rng = Splitmix(seed);
            bootstrap_quantile(&runs, 0.99, |bound| rng.below(bound)).unwrap().interval
        };
        assert_eq!(interval(1), interval(1));
    }

    #[test]
    fn one_run_has_no_interval_and_empty_runs_no_quantile() {
        let mut rng = Splitmix(4);
        let one = runs(&mut rng, 1, 1e6);
        let found = bootstrap_quantile(&one, 0.5, |bound| rng.below(bound)).unwrap();
        assert_eq!((found.interval, found.runs), (None, 1));
        let empty = vec![Histogram::new(); 3];
        assert_eq!(bootstrap_quantile(&empty, 0.5, |bound| rng.below(bound)), None);
        assert_eq!(bootstrap_quantile(&[], 0.5, |bound| rng.below(bound)), None);
    }

    #[test]
    fn pairing_sees_a_small_shift_that_two_intervals_would_hide() {
        let mut rng = Splitmix(6);
        // Runs differ widely from each other; the second design adds the same 5 % to each of them.
        let scales: Vec<f64> = (0..15).map(|i| 1e6 * (1.0 + f64::from(i) / 3.0)).collect();
        let mut first = Vec::new();
        let mut second = Vec::new();
        for scale in scales {
            let (mut plain, mut slower) = (Histogram::new(), Histogram::new());
            for _ in 0..300 {
                let value = rng.exponential(scale);
                plain.record(value as u64);
                slower.record((value * 1.05) as u64);
            }
            first.push(plain);
            second.push(slower);
        }
        let alone = |runs: &[Histogram]| {
            let mut rng = Splitmix(9);
            bootstrap_quantile(runs, 0.5, |bound| rng.below(bound)).unwrap().interval.unwrap()
        };
        assert!(alone(&first).1 > alone(&second).0, "the single intervals overlap");
        let draw = |bound| rng.below(bound);
        let shift = bootstrap_quantile_difference(&first, &second, 0.5, draw).unwrap();
        assert!(shift.excludes_zero() && shift.value > 0, "{shift:?}");
    }
}
