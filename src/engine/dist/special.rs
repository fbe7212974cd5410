//! Two functions of statistics that the `libm` crate does not have.

/// The 99th percentile of the standard normal distribution.
///
/// Source: M. J. Wichura, "Algorithm AS 241: The Percentage Points of the Normal Distribution",
/// Applied Statistics 37(3), 1988; the test compares it with [`normal_cdf`].
pub(super) const NORMAL_P99: f64 = 2.326_347_874_040_840_8;

/// The probability that a standard normal number is at most `x`.
pub(super) fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

/// The probability that a gamma number of this shape and scale 1 is at most `x`: the regularised
/// lower incomplete gamma function.
///
/// Source: NIST Digital Library of Mathematical Functions, 8.7.1 (the series, used left of the
/// mean) and 8.9.2 (the continued fraction, used right of it, evaluated by the method of Lentz).
pub(super) fn gamma_cdf(shape: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let front = libm::exp(shape * libm::log(x) - x - libm::lgamma(shape));
    if x < shape + 1.0 { series(shape, x) * front } else { 1.0 - fraction(shape, x) * front }
}

/// Terms of this relative size no longer matter.
const PRECISION: f64 = 1e-15;
/// Far more terms than the largest shape (a million) needs.
const TERMS_MAX: u32 = 100_000;
/// Stands for a denominator of zero in Lentz's method.
const TINY: f64 = 1e-300;

fn series(shape: f64, x: f64) -> f64 {
    let mut term = 1.0 / shape;
    let (mut sum, mut divisor) = (term, shape);
    for _ in 0..TERMS_MAX {
        divisor += 1.0;
        term *= x / divisor;
        sum += term;
        if term < sum * PRECISION {
            break;
        }
    }
    sum
}

fn fraction(shape: f64, x: f64) -> f64 {
    let nonzero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut base = x + 1.0 - shape;
    let (mut c, mut d) = (1.0 / TINY, 1.0 / nonzero(base));
    let mut value = d;
    for step in 1..TERMS_MAX {
        let step = f64::from(step);
        let numerator = -step * (step - shape);
        base += 2.0;
        d = 1.0 / nonzero(numerator * d + base);
        c = nonzero(base + numerator / c);
        value *= d * c;
        if (d * c - 1.0).abs() < PRECISION {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_percentile_inverts_the_normal_function() {
        assert!((normal_cdf(NORMAL_P99) - 0.99).abs() < 1e-15);
        assert!((normal_cdf(0.0) - 0.5).abs() < 1e-15);
    }

    #[test]
    fn the_gamma_function_of_whole_shapes_is_a_poisson_sum() {
        // P(k, x) is the probability of at least k events of a Poisson distribution with mean x.
        for (k, x) in [(1, 0.3), (1, 5.0), (3, 2.0), (3, 9.0), (10, 7.5), (40, 45.0)] {
            let (mut term, mut below) = (libm::exp(-x), 0.0);
            for count in 0..k {
                below += term;
                term *= x / f64::from(count + 1);
            }
            assert!((gamma_cdf(f64::from(k), x) - (1.0 - below)).abs() < 1e-12, "{k} {x}");
        }
        // With shape one half it is the error function.
        let exact = libm::erf(libm::sqrt(0.7));
        assert!((gamma_cdf(0.5, 0.7) - exact).abs() < 1e-13);
        assert!((gamma_cdf(1e6, 1e6) - 0.500_132_980_8).abs() < 1e-8);
    }
}
