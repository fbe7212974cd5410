//! Differences between two designs that lived through the same random events.
//!
//! Under common random numbers, run i of both variants has the same arrivals, delays and faults, so
//! the differences run by run are far steadier than the two means (Law, section 11.2). Comparing
//! two separate intervals instead would throw that away. Seeds must never be mixed: value i of both
//! slices belongs to the same seed.

use super::student::student_t_tail;
use super::{Estimate, Summary, UPPER, student_t_quantile};

/// The second design against the first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paired {
    /// The mean of second minus first, with its interval.
    pub difference: Estimate,
    /// The effect size: mean of the second over mean of the first, with an interval by the delta
    /// method. None if the first mean cannot be told from zero.
    pub ratio: Option<Estimate>,
    /// The two-sided p-value of "there is no difference"; none for a single pair.
    pub p_value: Option<f64>,
}

impl Paired {
    /// Whether the interval of the difference leaves out zero.
    pub fn excludes_zero(&self) -> bool {
        self.difference.excludes(0.0)
    }
}

/// Compares two designs pair by pair; none without pairs.
///
/// # Panics
/// If the slices differ in length.
pub fn paired(first: &[f64], second: &[f64]) -> Option<Paired> {
    assert_eq!(first.len(), second.len(), "a pair lacks a partner");
    let differences: Summary = first.iter().zip(second).map(|(a, b)| b - a).collect();
    let difference = Estimate::from_summary(&differences)?;
    let p_value = differences.standard_error().map(|error| {
        if difference.mean == 0.0 {
            1.0
        } else {
            // Without any spread the quotient is infinite and the tail 0, as it should be.
            let t = (difference.mean / error).abs();
            2.0 * student_t_tail(t, (differences.count() - 1) as f64)
        }
    });
    Some(Paired { difference, ratio: ratio_of_means(first, second), p_value })
}

/// The ratio of two paired means. Its variance to first order is that of b − R·a, over the square
/// of the first mean (Casella and Berger, example 5.5.27). That needs a denominator which is safely
/// away from zero.
fn ratio_of_means(first: &[f64], second: &[f64]) -> Option<Estimate> {
    let base = Estimate::of(first)?;
    if base.mean == 0.0 || (base.half_width.is_some() && !base.excludes(0.0)) {
        return None;
    }
    let ratio = Summary::of(second).mean()? / base.mean;
    let residuals: Summary = first.iter().zip(second).map(|(a, b)| b - ratio * a).collect();
    let half_width = residuals.standard_error().map(|error| {
        error / base.mean.abs() * student_t_quantile(UPPER, (residuals.count() - 1) as f64)
    });
    Some(Estimate { mean: ratio, half_width, n: base.n })
}

/// Holm's step-down correction (1979): p-values adjusted so that all of those at or below
/// 0.05 may be believed together, with a 5 % risk of even one error. Answers in the order of the
/// question.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]).then(a.cmp(&b)));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut floor: f64 = 0.0;
    for (rank, &index) in order.iter().enumerate() {
        floor = floor.max((p_values.len() - rank) as f64 * p_values[index]).min(1.0);
        adjusted[index] = floor;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::super::CONFIDENCE;
    use super::super::testing::{Splitmix, assert_close};
    use super::*;

    #[test]
    fn common_random_numbers_reveal_what_separate_intervals_hide() {
        let mut rng = Splitmix(10);
        let first: Vec<f64> = (0..20).map(|_| 100.0 + 30.0 * rng.normal()).collect();
        let second: Vec<f64> = first.iter().map(|value| value + 2.0 + 0.5 * rng.normal()).collect();
        let (one, other) = (Estimate::of(&first).unwrap(), Estimate::of(&second).unwrap());
        assert!(!one.excludes(other.mean) && !other.excludes(one.mean));
        let found = paired(&first, &second).unwrap();
        assert!(found.excludes_zero() && !found.difference.excludes(2.0));
        assert!(found.p_value.unwrap() < 1e-6);
    }

    #[test]
    fn the_p_value_agrees_with_the_interval() {
        let mut rng = Splitmix(4);
        for _ in 0..300 {
            let first: Vec<f64> = (0..6).map(|_| rng.normal()).collect();
            let second: Vec<f64> = (0..6).map(|_| 0.8 + rng.normal()).collect();
            let found = paired(&first, &second).unwrap();
            assert_eq!(found.excludes_zero(), found.p_value.unwrap() < 1.0 - CONFIDENCE);
        }
    }

    #[test]
    fn the_p_value_is_that_of_the_t_test() {
        // Differences 1, 2, 3: t = 2 / (1 / sqrt 3) = 3.4641 at two degrees of freedom, for which
        // the tail is 1/2 - t / (2 sqrt(2 + t^2)).
        let found = paired(&[0.0, 0.0, 0.0], &[1.0, 2.0, 3.0]).unwrap();
        let t = 12.0f64.sqrt();
        assert_close(found.p_value.unwrap(), 1.0 - t / (2.0 + t * t).sqrt(), 1e-14);
    }

    #[test]
    fn equal_and_constantly_shifted_designs_are_certain() {
        let same = paired(&[1.0, 2.0], &[1.0, 2.0]).unwrap();
        assert_eq!((same.excludes_zero(), same.p_value), (false, Some(1.0)));
        let shifted = paired(&[1.0, 2.0], &[2.0, 3.0]).unwrap();
        assert_eq!((shifted.excludes_zero(), shifted.p_value), (true, Some(0.0)));
        let single = paired(&[1.0], &[2.0]).unwrap();
        assert_eq!((single.excludes_zero(), single.p_value), (false, None));
        assert_eq!(single.ratio, Some(Estimate { mean: 2.0, half_width: None, n: 1 }));
        assert_eq!(paired(&[], &[]), None);
    }

    #[test]
    fn the_ratio_interval_covers_the_true_ratio() {
        let mut rng = Splitmix(15);
        let covered = (0..1000)
            .filter(|_| {
                let first: Vec<f64> = (0..20).map(|_| 50.0 + 5.0 * rng.normal()).collect();
                let second: Vec<f64> =
                    first.iter().map(|value| 1.4 * value + 3.0 * rng.normal()).collect();
                !paired(&first, &second).unwrap().ratio.unwrap().excludes(1.4)
            })
            .count();
        assert!((925..=975).contains(&covered), "covered {covered} of 1000");
    }

    #[test]
    fn a_ratio_to_what_may_be_zero_is_not_given() {
        assert_eq!(paired(&[0.0, 0.0], &[1.0, 2.0]).unwrap().ratio, None);
        assert_eq!(paired(&[-1.0, 1.5], &[1.0, 2.0]).unwrap().ratio, None);
        assert!(paired(&[-5.0, -5.1], &[1.0, 2.0]).unwrap().ratio.is_some());
    }

    #[test]
    fn holm_multiplies_by_what_is_left_and_never_falls() {
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (found, expected) in adjusted.into_iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert_close(found, expected, 1e-15);
        }
        assert_eq!(holm(&[0.6, 0.9]), [1.0, 1.0]);
        assert_eq!(holm(&[0.04]), [0.04]);
        assert!(holm(&[]).is_empty());
    }
}
