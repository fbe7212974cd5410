//! Count, mean, variance and extremes of a sample, in one pass and without keeping it.
//!
//! The naive sum of squares loses every digit when the spread is small beside the mean, which is
//! the usual case for replications of one design. Welford's recurrence does not, and the mean comes
//! from a compensated sum, so it is right to the last bits for millions of values.

/// A sum that carries its rounding error along (Neumaier, 1974).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sum {
    total: f64,
    lost: f64,
}

impl Sum {
    /// Adds one term, of any sign and size.
    pub fn add(&mut self, term: f64) {
        let total = self.total + term;
        // The smaller operand is the one whose low digits fell off.
        self.lost += if self.total.abs() >= term.abs() {
            (self.total - total) + term
        } else {
            (term - total) + self.total
        };
        self.total = total;
    }

    /// The sum of all terms, correct to about one rounding.
    pub fn value(&self) -> f64 {
        self.total + self.lost
    }
}

impl FromIterator<f64> for Sum {
    fn from_iter<I: IntoIterator<Item = f64>>(terms: I) -> Sum {
        let mut sum = Sum::default();
        terms.into_iter().for_each(|term| sum.add(term));
        sum
    }
}

/// Moments and extremes of a sample of finite values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    count: u64,
    sum: Sum,
    /// Welford's running mean; `sum` gives the reported one.
    centre: f64,
    /// The sum of squared deviations from the mean.
    squares: f64,
    min: f64,
    max: f64,
}

impl Default for Summary {
    fn default() -> Summary {
        Summary {
            count: 0,
            sum: Sum::default(),
            centre: 0.0,
            squares: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }
}

impl Summary {
    /// A summary of `values`, taken in order.
    pub fn of(values: &[f64]) -> Summary {
        values.iter().copied().collect()
    }

    /// Adds one value.
    ///
    /// # Panics
    /// If the value is not finite: a measurement that does not exist must be left out by whoever
    /// knows why, since it would silently turn every figure of the report into nonsense.
    pub fn add(&mut self, value: f64) {
        assert!(value.is_finite(), "{value} is no measurement");
        self.count += 1;
        self.sum.add(value);
        let before = value - self.centre;
        self.centre += before / self.count as f64;
        self.squares += before * (value - self.centre);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    /// Adds what another summary has seen (Chan, Golub and LeVeque, 1983).
    pub fn merge(&mut self, other: &Summary) {
        if other.count == 0 {
            return;
        }
        let (ours, theirs) = (self.count as f64, other.count as f64);
        let apart = other.centre - self.centre;
        self.count += other.count;
        self.centre += apart * theirs / self.count as f64;
        self.squares += other.squares + apart * apart * ours * theirs / self.count as f64;
        self.sum.add(other.sum.total);
        self.sum.add(other.sum.lost);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// How many values there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The sum of the values.
    pub fn sum(&self) -> f64 {
        self.sum.value()
    }

    /// The mean; none of an empty sample.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum.value() / self.count as f64)
    }

    /// The unbiased sample variance (divided by n − 1); none below two values.
    pub fn variance(&self) -> Option<f64> {
        (self.count > 1).then(|| self.squares / (self.count - 1) as f64)
    }

    /// The square root of the sample variance.
    pub fn deviation(&self) -> Option<f64> {
        self.variance().map(f64::sqrt)
    }

    /// The standard error of the mean, for independent values.
    pub fn standard_error(&self) -> Option<f64> {
        self.variance().map(|variance| (variance / self.count as f64).sqrt())
    }

    /// The smallest value.
    pub fn min(&self) -> Option<f64> {
        (self.count > 0).then_some(self.min)
    }

    /// The largest value.
    pub fn max(&self) -> Option<f64> {
        (self.count > 0).then_some(self.max)
    }
}

impl FromIterator<f64> for Summary {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Summary {
        let mut summary = Summary::default();
        values.into_iter().for_each(|value| summary.add(value));
        summary
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Splitmix, assert_close};
    use super::*;

    #[test]
    fn a_sum_keeps_what_plain_addition_loses() {
        let terms = [1.0, 1e100, 1.0, -1e100];
        assert_eq!(terms.iter().sum::<f64>(), 0.0);
        assert_eq!(terms.into_iter().collect::<Sum>().value(), 2.0);
    }

    #[test]
    fn the_moments_are_those_of_the_definition() {
        let summary = Summary::of(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]);
        assert_eq!(summary.count(), 8);
        assert_eq!(summary.mean(), Some(5.0));
        assert_close(summary.variance().unwrap(), 32.0 / 7.0, 1e-15);
        assert_close(summary.standard_error().unwrap(), (4.0f64 / 7.0).sqrt(), 1e-15);
        assert_eq!((summary.min(), summary.max()), (Some(2.0), Some(9.0)));
    }

    #[test]
    fn a_small_spread_on_a_large_mean_survives() {
        let summary: Summary = (0..1000).map(|i| 1e9 + f64::from(i % 2)).collect();
        assert_close(summary.variance().unwrap(), 250.0 / 999.0, 1e-9);
        assert_eq!(summary.mean(), Some(1e9 + 0.5));
    }

    #[test]
    fn nothing_is_said_of_nothing() {
        let empty = Summary::default();
        assert_eq!((empty.mean(), empty.min(), empty.max()), (None, None, None));
        assert_eq!(Summary::of(&[3.0]).variance(), None);
    }

    #[test]
    fn merging_parts_equals_seeing_the_whole() {
        let mut rng = Splitmix(1);
        for round in 0..50 {
            let values: Vec<f64> = (0..100).map(|_| 5.0 + rng.normal()).collect();
            let cut = round * 2;
            let mut merged = Summary::of(&values[..cut]);
            merged.merge(&Summary::of(&values[cut..]));
            let whole = Summary::of(&values);
            assert_eq!(merged.count(), whole.count());
            assert_close(merged.mean().unwrap(), whole.mean().unwrap(), 1e-14);
            assert_close(merged.variance().unwrap(), whole.variance().unwrap(), 1e-13);
            assert_eq!((merged.min(), merged.max()), (whole.min(), whole.max()));
        }
    }

    #[test]
    #[should_panic(expected = "NaN is no measurement")]
    fn a_measurement_that_does_not_exist_is_refused() {
        Summary::default().add(f64::NAN);
    }
}
