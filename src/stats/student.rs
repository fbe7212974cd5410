//! Probabilities and quantiles of the normal and of Student's t distribution.
//!
//! The t tail is a regularised incomplete beta function, which a continued fraction gives to full
//! precision; the quantile inverts it by Newton's method inside a bracket. Tails are computed
//! directly and never as one minus something, so small p-values keep their digits.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// Above this the continued fraction gets long and the expansion in 1/df is exact to the last bits.
const MANY_DEGREES: f64 = 1e5;
/// The fraction needs about the square root of the degrees of freedom in terms.
const TERMS_MAX: u32 = 10_000;

/// The probability that a standard normal variable is at most `z`.
pub fn normal_cdf(z: f64) -> f64 {
    0.5 * libm::erfc(-z * FRAC_1_SQRT_2)
}

/// The value that a standard normal variable stays below with `probability`.
///
/// # Panics
/// If `probability` is not in [0, 1].
pub fn normal_quantile(probability: f64) -> f64 {
    mirrored(probability, normal_upper)
}

/// The probability that a Student t variable with `degrees` of freedom is at most `t`.
///
/// # Panics
/// If `degrees` is below 1 or `t` is not a number.
pub fn student_t_cdf(t: f64, degrees: f64) -> f64 {
    assert!(degrees >= 1.0, "{degrees} degrees of freedom");
    assert!(!t.is_nan(), "a quantile must be a number");
    let tail = student_t_tail(t.abs(), degrees);
    if t > 0.0 { 1.0 - tail } else { tail }
}

/// The value that a Student t variable with `degrees` of freedom stays below with `probability`.
///
/// # Panics
/// If `degrees` is below 1 or `probability` is not in [0, 1].
pub fn student_t_quantile(probability: f64, degrees: f64) -> f64 {
    assert!(degrees >= 1.0, "{degrees} degrees of freedom");
    mirrored(probability, |tail| student_t_upper(tail, degrees))
}

/// The probability above `t` ≥ 0, with full relative precision far out.
pub(super) fn student_t_tail(t: f64, degrees: f64) -> f64 {
    let ratio = t * t / degrees;
    if ratio.is_infinite() {
        return 0.0;
    }
    if degrees > MANY_DEGREES {
        return normal_cdf(-normal_equivalent(t, degrees));
    }
    let half = degrees / 2.0;
    let (x, y) = (1.0 / (1.0 + ratio), ratio / (1.0 + ratio));
    let front = libm::exp(-half * libm::log1p(ratio)) * (y / PI).sqrt() * gamma_ratio(half);
    if x < (half + 1.0) / (half + 2.5) {
        0.5 * front / half * beta_fraction(x, half, 0.5)
    } else {
        0.5 - front * beta_fraction(y, 0.5, half)
    }
}

/// Quantiles of a symmetric distribution from the quantile of its upper tail.
fn mirrored(probability: f64, upper: impl Fn(f64) -> f64) -> f64 {
    assert!((0.0..=1.0).contains(&probability), "{probability} is no probability");
    let tail = probability.min(1.0 - probability);
    let distance = if tail == 0.0 {
        f64::INFINITY
    } else if tail == 0.5 {
        0.0
    } else {
        upper(tail)
    };
    if probability < 0.5 { -distance } else { distance }
}

/// The normal value with `tail` above it: the rational guess of Abramowitz and Stegun, 26.2.23
/// (good to 4.5e-4), then two steps of Halley's method, each of which triples the digits.
fn normal_upper(tail: f64) -> f64 {
    let r = (-2.0 * libm::log(tail)).sqrt();
    let above = 2.515_517 + r * (0.802_853 + r * 0.010_328);
    let below = 1.0 + r * (1.432_788 + r * (0.189_269 + r * 0.001_308));
    let mut z = r - above / below;
    for _ in 0..2 {
        let density = libm::exp(-0.5 * z * z) / (2.0 * PI).sqrt();
        let step = (normal_cdf(-z) - tail) / density;
        z += step / (1.0 - 0.5 * z * step);
    }
    z
}

/// The t value with `tail` above it. The tail is convex, so Newton's method from the left never
/// overshoots; the bracket only guards the last bits.
fn student_t_upper(tail: f64, degrees: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while student_t_tail(high, degrees) > tail {
        low = high;
        high *= 2.0;
    }
    let mut t = low;
    for _ in 0..100 {
        let excess = student_t_tail(t, degrees) - tail;
        if excess > 0.0 {
            low = t;
        } else {
            high = t;
        }
        let newton = t + excess / student_t_density(t, degrees);
        let next = if newton >= low && newton <= high { newton } else { 0.5 * (low + high) };
        // The step after this one would be far below a rounding.
        if (next - t).abs() <= 1e-13 * next {
            return next;
        }
        t = next;
    }
    t
}

fn student_t_density(t: f64, degrees: f64) -> f64 {
    let power = libm::exp(-0.5 * (degrees + 1.0) * libm::log1p(t * t / degrees));
    gamma_ratio(degrees / 2.0) / (degrees * PI).sqrt() * power
}

/// The normal value with the same tail as `t` (Hill, CACM algorithm 395, 1970).
fn normal_equivalent(t: f64, degrees: f64) -> f64 {
    let reduced = degrees - 0.5;
    let z = (reduced * libm::log1p(t * t / degrees)).sqrt();
    z + z * (z * z + 3.0) / (48.0 * reduced * reduced)
}

/// Γ(a + ½) / Γ(a). The difference of two logarithms loses digits as `a` grows, so the asymptotic
/// series (Tricomi and Erdélyi, 1951) takes over where its next term is below one rounding.
fn gamma_ratio(a: f64) -> f64 {
    if a < 100.0 {
        return libm::exp(libm::lgamma(a + 0.5) - libm::lgamma(a));
    }
    let r = 1.0 / a;
    let tail = 5.0 / 1024.0 - r * (21.0 / 32_768.0 + r * (399.0 / 262_144.0));
    a.sqrt() * (1.0 - r * (0.125 - r * (1.0 / 128.0 + r * tail)))
}

/// The continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method.
fn beta_fraction(x: f64, a: f64, b: f64) -> f64 {
    let nonzero = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let mut numerator = 1.0;
    let mut denominator = 1.0 / nonzero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = denominator;
    for term in 1..=TERMS_MAX {
        let m = f64::from(term);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        denominator = 1.0 / nonzero(1.0 + even * denominator);
        numerator = nonzero(1.0 + even / numerator);
        fraction *= denominator * numerator;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        denominator = 1.0 / nonzero(1.0 + odd * denominator);
        numerator = nonzero(1.0 + odd / numerator);
        let factor = denominator * numerator;
        fraction *= factor;
        if (factor - 1.0).abs() <= f64::EPSILON {
            break;
        }
    }
    fraction
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Splitmix, assert_close};
    use super::*;

    /// Degrees of freedom, probability, and the quantile that the `statrs` crate 0.19.1 gives.
    const REFERENCE: [(f64, f64, f64); 20] = [
        (1.0, 0.6, 0.3249196962329),
        (1.0, 0.975, 12.7062047361747),
        (1.0, 0.9995, 636.6192487687898),
        (2.0, 0.6, 0.2886751345948),
        (2.0, 0.975, 4.3026527297495),
        (2.5, 0.975, 3.5746548420037),
        (2.5, 0.9995, 18.2778935281315),
        (3.0, 0.975, 3.1824463052837),
        (4.0, 0.95, 2.1318467863267),
        (7.0, 0.975, 2.3646242515928),
        (9.0, 0.6, 0.2609553364739),
        (9.0, 0.975, 2.2621571627982),
        (29.0, 0.975, 2.0452296421324),
        (29.0, 0.9995, 3.6594050194663),
        (99.0, 0.975, 1.9842169515859),
        (199.0, 0.975, 1.9719565442513),
        (201.0, 0.9995, 3.3395867889054),
        (999.0, 0.975, 1.9623414611330),
        (999.0, 0.9995, 3.3002924403988),
        (50000.0, 0.6, 0.2533484511792),
    ];

    #[test]
    fn quantiles_are_those_of_an_independent_implementation() {
        for (degrees, probability, expected) in REFERENCE {
            assert_close(student_t_quantile(probability, degrees), expected, 1e-10);
            assert_close(student_t_quantile(1.0 - probability, degrees), -expected, 1e-10);
        }
    }

    #[test]
    fn one_and_two_degrees_match_their_closed_forms() {
        for t in [0.01f64, 0.3, 1.0, 2.5, 40.0, 1e6] {
            let cauchy = libm::atan(1.0 / t) / PI;
            assert_close(student_t_tail(t, 1.0) / cauchy, 1.0, 1e-13);
            let root = (2.0 + t * t).sqrt();
            assert_close(student_t_tail(t, 2.0) * (root * (root + t)), 1.0, 1e-13);
        }
    }

    #[test]
    fn many_degrees_follow_the_expansion_around_the_normal() {
        // Abramowitz and Stegun, 26.7.5, to the second order.
        for degrees in [3e4, 99_999.0, 100_001.0, 1e7] {
            for probability in [0.6, 0.975, 0.9999] {
                let z = normal_quantile(probability);
                let first = z * (z * z + 1.0) / 4.0 / degrees;
                let fifth = z * (3.0 + z * z * (16.0 + 5.0 * z * z));
                let expected = z + first + fifth / 96.0 / (degrees * degrees);
                assert_close(student_t_quantile(probability, degrees), expected, 1e-11);
            }
        }
    }

    #[test]
    fn the_quantile_undoes_the_distribution_function() {
        let mut rng = Splitmix(42);
        for _ in 0..300 {
            let probability = rng.unit();
            let degrees = 1.0 + libm::exp(12.0 * rng.unit());
            let there = student_t_quantile(probability, degrees);
            assert_close(student_t_cdf(there, degrees), probability, 1e-11);
            assert_close(normal_cdf(normal_quantile(probability)), probability, 1e-14);
        }
    }

    #[test]
    fn the_normal_matches_published_digits_far_into_the_tail() {
        assert_close(normal_quantile(0.975), 1.959_963_984_540_054, 1e-15);
        assert_close(normal_quantile(0.95), 1.644_853_626_951_472_7, 1e-15);
        for tail in [1e-3, 1e-6, 1e-12, 1e-100, 1e-300] {
            assert_close(normal_cdf(normal_quantile(tail)) / tail, 1.0, 1e-10);
        }
    }

    #[test]
    fn the_edges_are_infinite_and_the_middle_is_zero() {
        assert_eq!(normal_quantile(0.0), f64::NEG_INFINITY);
        assert_eq!(student_t_quantile(1.0, 3.0), f64::INFINITY);
        assert_eq!(student_t_quantile(0.5, 3.0), 0.0);
        assert_eq!(student_t_cdf(f64::INFINITY, 3.0), 1.0);
        assert_eq!(student_t_cdf(f64::NEG_INFINITY, 3.0), 0.0);
        assert_eq!(student_t_cdf(0.0, 7.0), 0.5);
    }
}
