//! Zipf's law by rejection-inversion: exact probabilities, any number of objects, no table.
//!
//! Source: W. Hörmann and G. Derflinger, "Rejection-Inversion to Generate Variates from Monotone
//! Discrete Distributions", ACM TOMACS 6(3), 1996. Powers and logarithms are those of `libm`, so
//! the same numbers come out everywhere.

use crate::engine::Rng;

/// The whole numbers from 1 to a last, number k in proportion to 1 / k^exponent.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Zipf {
    last: u64,
    exponent: f64,
    /// The integral of the hat up to the first and up to the last number.
    area_first: f64,
    area_last: f64,
    /// A number so near above the point is taken without looking at its weight.
    surely: f64,
}

impl Zipf {
    /// There must be at least one number, and the exponent must not be below zero.
    pub fn new(last: u64, exponent: f64) -> Zipf {
        let area = |x| area(x, exponent);
        let second = area(2.5) - weight(2.0, exponent);
        Zipf {
            last,
            exponent,
            area_first: area(1.5) - 1.0,
            area_last: area(last as f64 + 0.5),
            surely: 2.0 - inverse(second, exponent),
        }
    }

    /// Is it this distribution?
    pub fn is_of(&self, last: u64, exponent: f64) -> bool {
        self.last == last && self.exponent.total_cmp(&exponent).is_eq()
    }

    /// Draws a number.
    pub fn draw(&self, rng: &mut Rng) -> u64 {
        loop {
            let at = self.area_last + rng.unit() * (self.area_first - self.area_last);
            let x = inverse(at, self.exponent);
            let number = ((x + 0.5) as u64).clamp(1, self.last);
            let k = number as f64;
            if k - x <= self.surely || at >= area(k + 0.5, self.exponent) - weight(k, self.exponent)
            {
                return number;
            }
        }
    }
}

/// 1 / x^exponent.
fn weight(x: f64, exponent: f64) -> f64 {
    libm::exp(-exponent * libm::log(x))
}

/// The integral of the weight from 1 to x.
fn area(x: f64, exponent: f64) -> f64 {
    let log = libm::log(x);
    expm1_over((1.0 - exponent) * log) * log
}

/// Where the integral has this value.
fn inverse(area: f64, exponent: f64) -> f64 {
    // Below -1 only by a rounding error.
    let scaled = (area * (1.0 - exponent)).max(-1.0);
    libm::exp(log1p_over(scaled) * area)
}

/// (e^x - 1) / x, and 1 where x is 0.
fn expm1_over(x: f64) -> f64 {
    if x.abs() > 1e-8 { libm::expm1(x) / x } else { 1.0 + x / 2.0 }
}

/// ln(1 + x) / x, and 1 where x is 0.
fn log1p_over(x: f64) -> f64 {
    if x.abs() > 1e-8 { libm::log1p(x) / x } else { 1.0 - x / 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pearson's chi-squared over the first numbers and all others together.
    fn chi_squared(last: u64, exponent: f64, cells: usize) -> f64 {
        const DRAWS: usize = 400_000;
        let zipf = Zipf::new(last, exponent);
        let mut rng = Rng::new(7, "zipf");
        let mut counts = vec![0_u64; cells + 1];
        for _ in 0..DRAWS {
            let number = zipf.draw(&mut rng);
            assert!((1..=last).contains(&number));
            counts[(number as usize - 1).min(cells)] += 1;
        }
        let weights: Vec<f64> = (1..=last).map(|k| 1.0 / libm::pow(k as f64, exponent)).collect();
        let total: f64 = weights.iter().sum();
        let rest: f64 = weights.iter().skip(cells).sum();
        let expected = weights[..cells].iter().copied().chain([rest]);
        let terms =
            expected.zip(counts).filter(|(weight, _)| *weight > 0.0).map(|(weight, count)| {
                let expected = weight / total * DRAWS as f64;
                (count as f64 - expected) * (count as f64 - expected) / expected
            });
        terms.sum()
    }

    #[test]
    fn every_number_comes_as_often_as_its_weight_says() {
        // The 99.9th percentile of chi-squared with 20 degrees of freedom is 45.3.
        for (last, exponent) in [
            (20, 1.0),
            (1000, 0.0),
            (1000, 0.5),
            (10_000, 0.8),
            (10_000, 0.99),
            (10_000, 1.0),
            (500, 1.5),
            (300, 3.0),
        ] {
            let cells = 20.min(last as usize);
            let found = chi_squared(last, exponent, cells);
            assert!(found < 45.3, "{last} {exponent}: {found}");
        }
    }

    #[test]
    fn one_number_is_always_drawn_and_many_are_no_matter() {
        let mut rng = Rng::new(1, "zipf");
        for exponent in [0.0, 0.5, 1.0, 2.0, 20.0] {
            assert_eq!(Zipf::new(1, exponent).draw(&mut rng), 1);
            let many = Zipf::new(1_000_000_000_000, exponent);
            assert!((0..1000).all(|_| (1..=1_000_000_000_000).contains(&many.draw(&mut rng))));
        }
    }

    #[test]
    fn draws_are_the_same_everywhere() {
        let (zipf, mut rng) = (Zipf::new(10_000, 0.8), Rng::new(1, "everywhere"));
        let drawn: Vec<u64> = (0..8).map(|_| zipf.draw(&mut rng)).collect();
        assert_eq!(drawn, GOLDEN);
    }

    const GOLDEN: [u64; 8] = [937, 5, 1784, 9966, 1131, 299, 6469, 5];
}
