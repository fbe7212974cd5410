//! Latencies by the million in a few kilobytes, mergeable without error.
//!
//! The buckets are those of HdrHistogram: integer bounds, each within 0.1 % of what it holds, so
//! merging runs in any order gives the same counts, and a p99 over all seeds is a p99 over all
//! requests. An average of per-run p99s would be biased. Count, sum and extremes are kept exactly
//! beside the buckets.

use hdrhistogram::Histogram as Dense;

/// The largest value with a bucket of its own, one day: what is longer counts as that in quantiles.
pub const LONGEST_NS: u64 = 86_400_000_000_000;

/// The precision of the buckets, in significant decimal digits.
const DIGITS: u8 = 3;

/// The significant bits that all values of a bucket share: the least power of two that is as fine
/// as [`DIGITS`] digits.
const BITS: u32 = 11;

/// A distribution of lengths of time, in nanoseconds.
#[derive(Clone, Debug)]
pub struct Histogram {
    buckets: Buckets,
    sum: u128,
    min: u64,
    max: u64,
}

#[derive(Clone, Debug)]
enum Buckets {
    /// One place for every bucket up to the largest value: fast to record in.
    Dense(Dense<u64>),
    /// Those that hold something, by rising value, and how many values there are in all.
    Sparse(Box<[Bucket]>, u64),
}

impl Buckets {
    fn dense() -> Dense<u64> {
        Dense::new(DIGITS).expect("3 digits are among the possible 0 to 5")
    }

    fn iter(&self) -> Box<dyn Iterator<Item = Bucket> + '_> {
        match self {
            Buckets::Dense(dense) => Box::new(dense.iter_recorded().map(|step| Bucket {
                upper: step.value_iterated_to(),
                count: step.count_at_value(),
            })),
            Buckets::Sparse(buckets, _) => Box::new(buckets.iter().copied()),
        }
    }
}

/// One bucket that holds something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The largest value that belongs to it, in nanoseconds.
    pub upper: u64,
    /// How many values it holds.
    pub count: u64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram::new()
    }
}

impl Histogram {
    /// An empty histogram. It grows when a value needs it, a handful of times in its life, and
    /// takes about 170 kB once it has seen a second, until it is [compacted](Histogram::compact).
    pub fn new() -> Histogram {
        let buckets = Buckets::Dense(Buckets::dense());
        Histogram { buckets, sum: 0, min: u64::MAX, max: 0 }
    }

    /// Gives back the memory of what it does not hold, which is nearly all of it. It can do all
    /// that it could; the next value recorded takes the memory again.
    pub fn compact(&mut self) {
        if let Buckets::Dense(dense) = &self.buckets {
            let count = dense.len();
            self.buckets = Buckets::Sparse(self.buckets.iter().collect(), count);
        }
    }

    fn open(&mut self) -> &mut Dense<u64> {
        if let Buckets::Sparse(..) = &self.buckets {
            let mut dense = Buckets::dense();
            self.buckets.iter().for_each(|Bucket { upper, count }| put(&mut dense, upper, count));
            self.buckets = Buckets::Dense(dense);
        }
        match &mut self.buckets {
            Buckets::Dense(dense) => dense,
            Buckets::Sparse(..) => unreachable!("it was opened"),
        }
    }

    /// Adds one value.
    #[inline]
    pub fn record(&mut self, nanoseconds: u64) {
        put(self.open(), nanoseconds.min(LONGEST_NS), 1);
        self.sum += u128::from(nanoseconds);
        self.min = self.min.min(nanoseconds);
        self.max = self.max.max(nanoseconds);
    }

    /// Adds everything that another histogram holds. Exact, and the same in any order.
    pub fn merge(&mut self, other: &Histogram) {
        let dense = self.open();
        match &other.buckets {
            Buckets::Dense(more) => dense.add(more).expect("the histogram grows up to a day"),
            Buckets::Sparse(more, _) => {
                more.iter().for_each(|&Bucket { upper, count }| put(dense, upper, count));
            }
        }
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// How many values it holds.
    pub fn count(&self) -> u64 {
        match &self.buckets {
            Buckets::Dense(dense) => dense.len(),
            Buckets::Sparse(_, count) => *count,
        }
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// The exact sum of the values, in nanoseconds.
    pub fn sum(&self) -> u128 {
        self.sum
    }

    /// The exact mean; none of nothing.
    pub fn mean(&self) -> Option<f64> {
        (!self.is_empty()).then(|| self.sum as f64 / self.count() as f64)
    }

    /// The exact smallest value; none of nothing.
    pub fn min(&self) -> Option<u64> {
        (!self.is_empty()).then_some(self.min)
    }

    /// The exact largest value; none of nothing.
    pub fn max(&self) -> Option<u64> {
        (!self.is_empty()).then_some(self.max)
    }

    /// The smallest value that at least `quantile` of the values do not exceed, within 0.1 % above;
    /// none of nothing. 0.99 is the p99.
    ///
    /// # Panics
    /// If `quantile` is not in [0, 1].
    pub fn quantile(&self, quantile: f64) -> Option<u64> {
        if self.is_empty() {
            return None;
        }
        let (rank, mut seen) = (rank(quantile, self.count()), 0);
        let bucket = match &self.buckets {
            Buckets::Dense(dense) => {
                // Half a rank below, so that no rounding in the callee can pick the neighbour.
                dense.value_at_quantile((rank as f64 - 0.5) / self.count() as f64)
            }
            Buckets::Sparse(buckets, _) => {
                let mut reaches = |bucket: &&Bucket| {
                    seen += bucket.count;
                    seen >= rank
                };
                buckets.iter().find(&mut reaches).map_or(self.max, |bucket| bucket.upper)
            }
        };
        Some(bucket.clamp(self.min, self.max))
    }

    /// How many values are above `threshold`. What shares its bucket counts as not above, so the
    /// threshold is in effect up to 0.1 % larger; a threshold of a day or more has nothing above.
    pub fn count_above(&self, threshold: u64) -> u64 {
        if self.is_empty() || threshold >= self.max {
            return 0;
        }
        if threshold < self.min {
            return self.count();
        }
        let threshold = threshold.min(LONGEST_NS);
        match &self.buckets {
            Buckets::Dense(dense) => self.count() - dense.count_between(0, threshold),
            Buckets::Sparse(buckets, _) => {
                let above = buckets.partition_point(|bucket| bucket.upper <= last_alike(threshold));
                buckets[above..].iter().map(|bucket| bucket.count).sum()
            }
        }
    }

    /// The share of values above `threshold`, as `count_above` counts them; none of nothing.
    pub fn above(&self, threshold: u64) -> Option<f64> {
        (!self.is_empty()).then(|| self.count_above(threshold) as f64 / self.count() as f64)
    }

    /// The buckets that hold something, by rising value.
    pub fn buckets(&self) -> impl Iterator<Item = Bucket> {
        self.buckets.iter().map(|bucket| Bucket { upper: bucket.upper.min(self.max), ..bucket })
    }

    /// The distribution function: value, and the share of values up to it, by rising value.
    pub fn cumulative(&self) -> impl Iterator<Item = (u64, f64)> {
        let total = self.count() as f64;
        self.buckets().scan(0, move |seen, bucket| {
            *seen += bucket.count;
            Some((bucket.upper, *seen as f64 / total))
        })
    }
}

/// Equal if they hold the same, whatever size they have grown to.
impl PartialEq for Histogram {
    fn eq(&self, other: &Histogram) -> bool {
        (self.sum, self.min, self.max) == (other.sum, other.min, other.max)
            && self.buckets().eq(other.buckets())
    }
}

impl Eq for Histogram {}

fn put(dense: &mut Dense<u64>, value: u64, count: u64) {
    dense.record_n(value, count).expect("the histogram grows up to a day");
}

/// The largest value that shares its bucket with `value`.
fn last_alike(value: u64) -> u64 {
    let width = (u64::BITS - value.leading_zeros()).saturating_sub(BITS);
    value | ((1 << width) - 1)
}

/// The rank, from 1, of a quantile among `count` values: the smallest that is at least
/// `quantile` × `count`. The product may land an ulp above a whole number (0.07 × 100 does), which
/// must not move it to the next rank.
pub(super) fn rank(quantile: f64, count: u64) -> u64 {
    assert!((0.0..=1.0).contains(&quantile), "{quantile} is no quantile");
    let exact = quantile * count as f64 * (1.0 - 2.0 * f64::EPSILON);
    (exact.ceil() as u64).clamp(1, count.max(1))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Splitmix, assert_close};
    use super::*;

    fn of(values: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::new();
        values.into_iter().for_each(|value| histogram.record(value));
        histogram
    }

    #[test]
    fn quantiles_are_those_of_the_sorted_values_within_a_thousandth() {
        let mut rng = Splitmix(11);
        for _ in 0..20 {
            let mut values: Vec<u64> = (0..2000).map(|_| 1 << rng.below(40)).collect();
            values.iter_mut().for_each(|value| *value += rng.below(*value));
            let histogram = of(values.iter().copied());
            values.sort_unstable();
            for quantile in [0.0, 0.01, 0.07, 0.5, 0.9, 0.99, 0.999, 1.0] {
                let exact = values[rank(quantile, 2000) as usize - 1];
                let found = histogram.quantile(quantile).unwrap();
                assert!(exact <= found && found as f64 <= exact as f64 * 1.001, "{found} {exact}");
            }
        }
    }

    #[test]
    fn a_compact_histogram_says_the_same_and_takes_more() {
        let mut rng = Splitmix(5);
        let mut values: Vec<u64> = (0..500).map(|_| 1 << rng.below(44)).collect();
        values.iter_mut().for_each(|value| *value += rng.below(*value));
        values.extend([0, 1, 2047, 2048, LONGEST_NS * 2]);
        let whole = of(values.iter().copied());
        let mut compact = whole.clone();
        compact.compact();
        assert_eq!(compact, whole);
        assert_eq!(compact.count(), whole.count());
        for share in 0..=1000 {
            let share = f64::from(share) / 1000.0;
            assert_eq!(compact.quantile(share), whole.quantile(share), "{share}");
        }
        for threshold in values.iter().flat_map(|value| [*value, value + 1, value / 2]) {
            let (found, known) = (compact.count_above(threshold), whole.count_above(threshold));
            assert_eq!(found, known, "{threshold}");
        }
        let (mut merged, mut more) = (of([7, 7_000_000]), of([7, 7_000_000]));
        merged.merge(&compact);
        more.merge(&whole);
        assert_eq!(merged, more);
        compact.record(9);
        assert_eq!((compact.count(), compact.quantile(0.0)), (506, Some(0)));
        assert_ne!(compact, whole);
    }

    #[test]
    fn a_rank_is_not_moved_by_a_rounding_of_the_product() {
        assert_eq!(rank(0.07, 100), 7);
        assert_eq!(rank(0.99, 100), 99);
        assert_eq!(rank(0.999, 1_000_000_000), 999_000_000);
        assert_eq!((rank(0.0, 5), rank(1.0, 5), rank(0.5, 0)), (1, 5, 1));
    }

    #[test]
    fn mean_and_extremes_are_exact() {
        let histogram = of([1_000_001, 2_000_002, 6_000_006]);
        assert_eq!(histogram.mean(), Some(3_000_003.0));
        assert_eq!(histogram.min(), Some(1_000_001));
        assert_eq!(histogram.max(), Some(6_000_006));
        assert_eq!(histogram.quantile(1.0), Some(6_000_006));
        assert!((1_000_001..=1_001_001).contains(&histogram.quantile(0.0).unwrap()));
    }

    #[test]
    fn an_empty_histogram_has_no_figures() {
        let empty = Histogram::new();
        assert!(empty.is_empty());
        assert_eq!((empty.mean(), empty.quantile(0.5), empty.above(1)), (None, None, None));
        assert_eq!((empty.min(), empty.max(), empty.count_above(0)), (None, None, 0));
        assert_eq!(empty.buckets().count(), 0);
    }

    #[test]
    fn merging_in_any_order_gives_the_same_as_recording_everything() {
        let mut rng = Splitmix(3);
        let parts: Vec<Vec<u64>> =
            (0..6).map(|i| (0..200).map(|_| rng.below(1 << (8 * i + 4))).collect()).collect();
        let whole = of(parts.iter().flatten().copied());
        let histograms: Vec<Histogram> = parts.into_iter().map(of).collect();
        let merged = |order: &mut dyn Iterator<Item = &Histogram>| {
            let mut all = Histogram::new();
            order.for_each(|part| all.merge(part));
            all
        };
        assert_eq!(merged(&mut histograms.iter()), whole);
        assert_eq!(merged(&mut histograms.iter().rev()), whole);
        assert_ne!(merged(&mut histograms.iter().skip(1)), whole);
    }

    #[test]
    fn what_is_longer_than_a_day_counts_as_a_day_but_shows_in_the_maximum() {
        let histogram = of([5, LONGEST_NS * 3]);
        let day = histogram.quantile(1.0).unwrap();
        assert!((LONGEST_NS..=LONGEST_NS + LONGEST_NS / 1000).contains(&day), "{day}");
        assert_eq!(histogram.max(), Some(LONGEST_NS * 3));
        assert_eq!(histogram.count_above(LONGEST_NS * 2), 0);
    }

    #[test]
    fn the_share_above_an_objective_counts_the_values_above() {
        let histogram = of((1..=1000).map(|i| i * 1_000_000));
        assert_close(histogram.above(900_000_000).unwrap(), 0.1, 1e-12);
        assert_eq!(histogram.above(0), Some(1.0));
        assert_eq!(histogram.above(1_000_000_000), Some(0.0));
        assert_eq!(of([0, 0, 1]).count_above(0), 1);
    }

    #[test]
    fn the_distribution_function_rises_to_one() {
        let curve: Vec<(u64, f64)> = of([10, 20, 20, 5_000_000]).cumulative().collect();
        assert_eq!(curve, [(10, 0.25), (20, 0.75), (5_000_000, 1.0)]);
    }
}
