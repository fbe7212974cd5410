//! A mean over independent replications, with its 95 % confidence interval.
//!
//! Replications with different seeds are independent by construction, so the interval is the plain
//! Student t one (Law, section 9.4.1). One replication says nothing about its own spread: then
//! there is no interval, instead of an interval of width zero.

use std::fmt;

use super::{Summary, UPPER, student_t_quantile};
use crate::report::number;

/// A mean and how far the true one may be from it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The mean over the replications, in the unit of the values.
    pub mean: f64,
    /// Half the width of the 95 % interval, in the same unit; none for one replication.
    pub half_width: Option<f64>,
    /// The number of independent values behind it.
    pub n: u64,
}

impl Estimate {
    /// The estimate from independent values; none from no values.
    pub fn of(values: &[f64]) -> Option<Estimate> {
        Estimate::from_summary(&Summary::of(values))
    }

    /// The estimate from a summary of independent values; none from an empty one.
    pub fn from_summary(summary: &Summary) -> Option<Estimate> {
        let half_width = summary
            .standard_error()
            .map(|error| error * student_t_quantile(UPPER, (summary.count() - 1) as f64));
        Some(Estimate { mean: summary.mean()?, half_width, n: summary.count() })
    }

    /// The ends of the interval, lower first.
    pub fn interval(&self) -> Option<(f64, f64)> {
        self.half_width.map(|half| (self.mean - half, self.mean + half))
    }

    /// Whether the interval leaves `value` out; without an interval nothing is ruled out.
    pub fn excludes(&self, value: f64) -> bool {
        self.interval().is_some_and(|(low, high)| value < low || value > high)
    }

    /// The half width as a fraction of the mean, which is what "until the interval is within 2 %"
    /// looks at. None without an interval, and for a mean of zero that is not exact.
    pub fn relative_half_width(&self) -> Option<f64> {
        match (self.half_width?, self.mean.abs()) {
            (0.0, _) => Some(0.0),
            (_, 0.0) => None,
            (half, mean) => Some(half / mean),
        }
    }

    /// The same estimate in another unit: both figures times `factor`.
    pub fn scaled(&self, factor: f64) -> Estimate {
        Estimate {
            mean: self.mean * factor,
            half_width: self.half_width.map(|half| half * factor.abs()),
            n: self.n,
        }
    }

    /// How many decimals the interval justifies: one significant digit of the half width, two if
    /// the first is a 1 (so that ±0.14 does not become ±0.1). Without a half width, three
    /// significant digits of the mean; never more than six of it.
    pub fn decimals(&self) -> usize {
        let of_mean = |significant| number::decimals_for(self.mean, significant);
        match self.half_width {
            Some(half) if half > 0.0 => number::decimals_of_error(half).min(of_mean(6)),
            _ => of_mean(3),
        }
    }

    /// The mean with a fixed number of decimals: `12.3`.
    pub fn mean_text(&self, decimals: usize) -> String {
        number::fixed(self.mean, decimals)
    }

    /// The half width with a fixed number of decimals, `±0.4`; empty without one.
    pub fn half_width_text(&self, decimals: usize) -> String {
        self.half_width.map_or(String::new(), |half| format!("±{}", number::fixed(half, decimals)))
    }
}

/// `12.3 ±0.4`, with as many decimals as the interval justifies, or as the format's precision says.
impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = f.precision().unwrap_or_else(|| self.decimals());
        f.write_str(&self.mean_text(decimals))?;
        match self.half_width {
            Some(_) => write!(f, " {}", self.half_width_text(decimals)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Splitmix, assert_close};
    use super::*;

    #[test]
    fn the_interval_is_the_textbook_one() {
        // Five values, and t(0.975; 4) = 2.776445.
        let estimate = Estimate::of(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert_eq!((estimate.mean, estimate.n), (3.0, 5));
        assert_close(estimate.half_width.unwrap(), 2.776_445_105_197_793 * 0.5f64.sqrt(), 1e-12);
        assert!(estimate.excludes(0.9) && !estimate.excludes(1.1));
    }

    #[test]
    fn one_run_has_no_interval_and_none_has_no_estimate() {
        let one = Estimate::of(&[12.345]).unwrap();
        assert_eq!(one.half_width, None);
        assert!(!one.excludes(0.0));
        assert_eq!(one.to_string(), "12.3");
        assert_eq!(Estimate::of(&[]), None);
    }

    #[test]
    fn the_text_shows_the_digits_that_the_interval_justifies() {
        let text = |mean, half| Estimate { mean, half_width: Some(half), n: 9 }.to_string();
        assert_eq!(text(12.345, 0.41), "12.3 ±0.4");
        assert_eq!(text(131.04, 1.68), "131.0 ±1.7");
        assert_eq!(text(512.3, 6.7), "512 ±7");
        assert_eq!(text(1_204_331.0, 2300.0), "1,204,331 ±2,300");
        assert_eq!(text(12.5, 0.0), "12.5 ±0.0");
        assert_eq!(text(1.0, 1e-12), "1.00000 ±0.00000");
        assert_eq!(text(-0.04, 0.3), "0.0 ±0.3");
        assert_eq!(text(9.5, 0.96), "9.5 ±1.0");
        let wide = Estimate { mean: 12.345, half_width: Some(0.41), n: 9 };
        assert_eq!(format!("{wide:.2}"), "12.35 ±0.41");
        assert_eq!(wide.scaled(-1000.0).to_string(), "-12,345 ±410");
    }

    #[test]
    fn relative_precision_is_for_stopping_rules() {
        let estimate = |mean, half| Estimate { mean, half_width: half, n: 3 };
        assert_eq!(estimate(-50.0, Some(1.0)).relative_half_width(), Some(0.02));
        assert_eq!(estimate(0.0, Some(0.0)).relative_half_width(), Some(0.0));
        assert_eq!(estimate(0.0, Some(1.0)).relative_half_width(), None);
        assert_eq!(estimate(3.0, None).relative_half_width(), None);
    }

    #[test]
    fn the_interval_covers_the_true_mean_as_often_as_it_says() {
        let mut rng = Splitmix(2024);
        let experiments = 2000;
        let covered = (0..experiments)
            .filter(|_| {
                let values: Vec<f64> = (0..8).map(|_| 10.0 + 3.0 * rng.normal()).collect();
                !Estimate::of(&values).unwrap().excludes(10.0)
            })
            .count();
        let error = (0.95f64 * 0.05 / f64::from(experiments)).sqrt();
        let share = covered as f64 / f64::from(experiments);
        assert!((share - 0.95).abs() < 3.0 * error, "covered {share}");
    }
}
