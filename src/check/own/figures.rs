//! Figures of distributions, for a scenario's own measures.

use crate::scenario::Stat;
use crate::stats::{Histogram, Summary};

/// Values one by one: times in seconds, numbers as they are.
#[derive(Default)]
pub(super) struct Values {
    summary: Summary,
    /// The same in billionths, for percentiles.
    billionths: Histogram,
}

impl Values {
    pub fn add_nanoseconds(&mut self, value: u64) {
        self.summary.add(value as f64 / 1e9);
        self.billionths.record(value);
    }

    pub fn of_numbers(numbers: impl Iterator<Item = u64>) -> Vec<u64> {
        let mut sorted: Vec<u64> = numbers.collect();
        sorted.sort_unstable();
        sorted
    }

    pub fn figure(&self, stat: Stat) -> Option<f64> {
        figure(stat, &self.summary, |share| Some(self.billionths.quantile(share)? as f64 / 1e9))
    }
}

/// A figure of a distribution of which the moments are in `summary`.
pub(super) fn figure(
    stat: Stat,
    summary: &Summary,
    quantile: impl FnOnce(f64) -> Option<f64>,
) -> Option<f64> {
    let mean = summary.mean()?;
    let count = summary.count() as f64;
    // The variance of what was seen, not an estimate from it: it is all there is.
    let variance = summary.variance().map_or(0.0, |variance| variance * (count - 1.0) / count);
    let over_mean = |value: f64| (mean != 0.0).then(|| value / mean);
    match stat {
        Stat::Mean => Some(mean),
        Stat::Percentile(share) => quantile(share.as_f64()),
        Stat::Min => summary.min(),
        Stat::Max => summary.max(),
        Stat::Variance => Some(variance),
        Stat::Deviation => Some(variance.sqrt()),
        Stat::Variation => over_mean(variance.sqrt()),
        Stat::Inspected => over_mean(variance + mean * mean),
    }
}

/// A figure of numbers that each have a weight; the place in `weights` is the number.
pub(super) fn weighted(stat: Stat, weights: &[u64]) -> Option<f64> {
    let all = weights.iter().map(|weight| u128::from(*weight)).sum::<u128>();
    let numbered = || weights.iter().enumerate().filter(|(_, weight)| **weight > 0);
    if all == 0 {
        return None;
    }
    let average = |of: fn(f64) -> f64| {
        let terms = numbered().map(|(number, weight)| of(number as f64) * *weight as f64);
        terms.sum::<f64>() / all as f64
    };
    let (mean, square) = (average(|number| number), average(|number| number * number));
    let variance = (square - mean * mean).max(0.0);
    let over_mean = |value: f64| (mean != 0.0).then(|| value / mean);
    match stat {
        Stat::Mean => Some(mean),
        Stat::Percentile(share) => {
            let (numerator, denominator) = (share.numerator().into(), share.denominator().into());
            let mut seen = 0_u128;
            let mut reaches = |weight: u64| {
                seen += u128::from(weight);
                seen * denominator >= all * u128::min(numerator, denominator)
            };
            numbered().find(|(_, weight)| reaches(**weight)).map(|(number, _)| number as f64)
        }
        Stat::Min => numbered().next().map(|(number, _)| number as f64),
        Stat::Max => numbered().next_back().map(|(number, _)| number as f64),
        Stat::Variance => Some(variance),
        Stat::Deviation => Some(variance.sqrt()),
        Stat::Variation => over_mean(variance.sqrt()),
        Stat::Inspected => over_mean(square),
    }
}

/// A figure of numbers that weigh the same, sorted.
pub(super) fn of_sorted(stat: Stat, numbers: &[u64]) -> Option<f64> {
    let values: Vec<f64> = numbers.iter().map(|number| *number as f64).collect();
    let rank = |share: f64| ((share * numbers.len() as f64).ceil() as usize).max(1) - 1;
    figure(stat, &Summary::of(&values), |share| values.get(rank(share)).copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Ratio;

    const STATS: [Stat; 7] = [
        Stat::Mean,
        Stat::Min,
        Stat::Max,
        Stat::Variance,
        Stat::Deviation,
        Stat::Variation,
        Stat::Inspected,
    ];

    #[test]
    fn the_three_ways_to_a_figure_agree() {
        let numbers = [2, 4, 4, 4, 5, 5, 7, 9];
        let mut weights = vec![0; 10];
        let mut values = Values::default();
        for number in numbers {
            weights[number as usize] += 3;
            values.add_nanoseconds(number * 1_000_000_000);
        }
        let expected = [5.0, 2.0, 9.0, 4.0, 2.0, 0.4, 5.8];
        for (stat, expected) in STATS.into_iter().zip(expected) {
            let found = [of_sorted(stat, &numbers), weighted(stat, &weights), values.figure(stat)];
            for value in found {
                assert!((value.unwrap() - expected).abs() < 1e-9, "{stat:?}: {found:?}");
            }
        }
        let half = Stat::Percentile(Ratio::new(1, 2).unwrap());
        assert_eq!((of_sorted(half, &numbers), weighted(half, &weights)), (Some(4.0), Some(4.0)));
        assert!((values.figure(half).unwrap() - 4.0).abs() < 0.004);
    }

    #[test]
    fn nothing_has_no_figure() {
        for stat in STATS {
            let found =
                [of_sorted(stat, &[]), weighted(stat, &[0]), Values::default().figure(stat)];
            assert_eq!(found, [None; 3]);
        }
    }
}
