//! Mean, variance and distribution function of every sampler, in nanoseconds.

use super::sample::{Bounds, Chooser, Point, Sampler};
use super::special::{gamma_cdf, normal_cdf};
use super::{Dist, Form};
use crate::engine::time::Span;

/// The first two moments, in nanoseconds and nanoseconds squared; infinite where they are.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Moments {
    pub mean: f64,
    pub variance: f64,
}

impl Moments {
    fn of_squares(mean: f64, square: f64) -> Moments {
        let variance = if square.is_finite() { (square - mean * mean).max(0.0) } else { square };
        Moments { mean, variance }
    }

    fn scaled(mean: f64, cv_squared: f64) -> Moments {
        Moments { mean, variance: cv_squared * mean * mean }
    }

    /// The mean of the squares.
    fn square(self) -> f64 {
        self.variance + self.mean * self.mean
    }

    pub fn cv(self) -> f64 {
        match (self.variance, self.mean) {
            (0.0, _) => 0.0,
            (variance, _) if variance.is_infinite() => variance,
            (variance, mean) => variance.sqrt() / mean,
        }
    }

    /// Of a mixture: the weighted means of the means and of the mean squares.
    fn mixed(chooser: &Chooser, parts: impl Iterator<Item = Moments>) -> Moments {
        let (mut mean, mut square) = (0.0, 0.0);
        for (share, part) in chooser.shares.iter().zip(parts) {
            mean += share * part.mean;
            square += share * part.square();
        }
        Moments::of_squares(mean, square)
    }
}

impl Dist {
    pub(super) fn moments(&self) -> Moments {
        match &self.0 {
            Form::Constant(span) => Sampler::Constant(*span).moments(),
            Form::Exponential(mean) => Sampler::Exponential { mean: *mean }.moments(),
            Form::Other(model) => model.sampler.moments(),
        }
    }

    pub(super) fn cdf_nanos(&self, x: f64) -> f64 {
        match &self.0 {
            Form::Constant(span) => Sampler::Constant(*span).cdf(x),
            Form::Exponential(mean) => Sampler::Exponential { mean: *mean }.cdf(x),
            Form::Other(model) => model.sampler.cdf(x),
        }
    }
}

/// Of the absolute value of a normal number (F. Leone, L. Nelson and R. Nottingham, "The Folded
/// Normal Distribution", Technometrics 3(4), 1961).
fn folded(mean: f64, deviation: f64) -> Moments {
    let ratio = mean / deviation;
    let spread = deviation * (2.0 / std::f64::consts::PI).sqrt() * libm::exp(-ratio * ratio / 2.0);
    let folded = spread + mean * (1.0 - 2.0 * normal_cdf(-ratio));
    Moments::of_squares(folded, mean * mean + deviation * deviation)
}

impl Sampler {
    pub fn moments(&self) -> Moments {
        match self {
            Sampler::Constant(span) => Moments { mean: span.0 as f64, variance: 0.0 },
            Sampler::Uniform { min, width } => {
                let width = *width as f64;
                let mean = *min as f64 + (width - 1.0) / 2.0;
                Moments { mean, variance: (width * width - 1.0) / 12.0 }
            }
            Sampler::Exponential { mean } => Moments::scaled(*mean, 1.0),
            Sampler::Erlang { stages, scale } => {
                let stages = f64::from(*stages);
                Moments::scaled(stages * scale, 1.0 / stages)
            }
            Sampler::Gamma { shape, scale } => Moments::scaled(shape * scale, 1.0 / shape),
            Sampler::Normal { mean, deviation } => folded(*mean, *deviation),
            Sampler::LogNormal { mu, sigma } => {
                let square = sigma * sigma;
                Moments::scaled(libm::exp(mu + square / 2.0), libm::expm1(square))
            }
            Sampler::Weibull { shape, scale } => {
                let raw = |power: f64| libm::tgamma(1.0 + power / shape);
                Moments::scaled(scale * raw(1.0), raw(2.0) / (raw(1.0) * raw(1.0)) - 1.0)
            }
            Sampler::Pareto { min, alpha, max, beyond } => {
                let stretch = libm::log(max / min);
                let raw = |power| pareto_moment(*min, *alpha, stretch, power) / (1.0 - beyond);
                Moments::of_squares(raw(1.0), raw(2.0))
            }
            Sampler::Mixture { chooser, parts } => {
                Moments::mixed(chooser, parts.iter().map(Dist::moments))
            }
            Sampler::HyperExponential { chooser, means } => {
                Moments::mixed(chooser, means.iter().map(|mean| Moments::scaled(*mean, 1.0)))
            }
            Sampler::Quantiles { points, logarithmic } => table_moments(points, *logarithmic),
            Sampler::Values(values) => values_moments(values),
            Sampler::Shifted { by, dist } => {
                let Moments { mean, variance } = dist.moments();
                Moments { mean: mean + by.0 as f64, variance }
            }
            Sampler::Truncated { moments, .. } => *moments,
        }
    }

    /// The probability that a draw is at most `x`.
    pub fn cdf(&self, x: f64) -> f64 {
        if x < 0.0 {
            return 0.0;
        }
        match self {
            Sampler::Constant(span) => f64::from(u8::from(span.0 as f64 <= x)),
            // The whole numbers up to x, where each stands for the nanosecond around it.
            Sampler::Uniform { min, width } => {
                ((x - *min as f64 + 0.5) / *width as f64).clamp(0.0, 1.0)
            }
            Sampler::Exponential { mean } => -libm::expm1(-x / mean),
            Sampler::Erlang { stages, scale } => gamma_cdf(f64::from(*stages), x / scale),
            Sampler::Gamma { shape, scale } => gamma_cdf(*shape, x / scale),
            Sampler::Normal { mean, deviation } => {
                normal_cdf((x - mean) / deviation) - normal_cdf((-x - mean) / deviation)
            }
            Sampler::LogNormal { mu, sigma } => normal_cdf((libm::log(x) - mu) / sigma),
            Sampler::Weibull { shape, scale } => -libm::expm1(-libm::pow(x / scale, *shape)),
            Sampler::Pareto { min, .. } if x < *min => 0.0,
            Sampler::Pareto { min, alpha, beyond, .. } => {
                (-libm::expm1(-alpha * libm::log(x / min)) / (1.0 - beyond)).min(1.0)
            }
            Sampler::Mixture { chooser, parts } => {
                mixed_cdf(chooser, parts.iter().map(|part| part.cdf_nanos(x)))
            }
            Sampler::HyperExponential { chooser, means } => {
                mixed_cdf(chooser, means.iter().map(|mean| -libm::expm1(-x / mean)))
            }
            Sampler::Quantiles { points, logarithmic } => table_cdf(points, *logarithmic, x),
            Sampler::Values(values) => {
                values.partition_point(|span| span.0 as f64 <= x) as f64 / values.len() as f64
            }
            Sampler::Shifted { by, dist } => dist.cdf_nanos(x - by.0 as f64),
            Sampler::Truncated { bounds, dist, .. } => {
                let (low, high) = bounds.ends();
                let below = dist.cdf_nanos(low);
                let inside = dist.cdf_nanos(x.clamp(low, high)) - below;
                inside / (dist.cdf_nanos(high) - below)
            }
        }
    }
}

fn mixed_cdf(chooser: &Chooser, parts: impl Iterator<Item = f64>) -> f64 {
    chooser.shares.iter().zip(parts).fold(0.0, |sum, (share, part)| sum + share * part)
}

/// The integral of a Pareto number to a power over the density without its bound, up to the bound,
/// whose logarithm in units of `min` is the stretch.
fn pareto_moment(min: f64, alpha: f64, stretch: f64, power: f64) -> f64 {
    let gap = power - alpha;
    // The integral of exp(gap t) from 0 to the stretch.
    let integral = if gap == 0.0 { stretch } else { libm::expm1(gap * stretch) / gap };
    alpha * libm::pow(min, power) * integral
}

fn table_moments(points: &[Point], logarithmic: bool) -> Moments {
    let (mut mean, mut square) = (0.0, 0.0);
    for pair in points.windows(2) {
        let share = pair[1].probability - pair[0].probability;
        let (low, high) = (pair[0].nanos, pair[1].nanos);
        if logarithmic && low < high {
            let stretch = libm::log(high / low);
            mean += share * (high - low) / stretch;
            square += share * (high * high - low * low) / (2.0 * stretch);
        } else {
            mean += share * (low + high) / 2.0;
            square += share * (low * low + low * high + high * high) / 3.0;
        }
    }
    Moments::of_squares(mean, square)
}

fn table_cdf(points: &[Point], logarithmic: bool, x: f64) -> f64 {
    let right = points.partition_point(|point| point.nanos <= x);
    let (Some(low), Some(high)) = (points[..right].last(), points.get(right)) else {
        return if right == 0 { 0.0 } else { 1.0 };
    };
    let share = if logarithmic {
        libm::log(x / low.nanos) / libm::log(high.nanos / low.nanos)
    } else {
        (x - low.nanos) / (high.nanos - low.nanos)
    };
    low.probability + share * (high.probability - low.probability)
}

fn values_moments(values: &[Span]) -> Moments {
    let count = values.len() as f64;
    let mean = values.iter().map(|span| span.0 as f64).sum::<f64>() / count;
    let squares = values.iter().map(|span| {
        let distance = span.0 as f64 - mean;
        distance * distance
    });
    Moments { mean, variance: squares.sum::<f64>() / count }
}

impl Bounds {
    /// The interval whose numbers are rounded to a span within the bounds.
    pub fn ends(self) -> (f64, f64) {
        (self.min.0 as f64 - 0.5, self.max.0 as f64 + 0.5)
    }

    /// The share of the distribution that lies within the bounds.
    pub fn kept(self, dist: &Dist) -> f64 {
        let (low, high) = self.ends();
        dist.cdf_nanos(high) - dist.cdf_nanos(low)
    }

    /// The moments of what lies within the bounds, to at least four digits where the distribution
    /// is smooth.
    pub fn moments(self, dist: &Dist) -> Moments {
        let (low, high) = self.ends();
        let kept = self.kept(dist);
        let above = match self.max {
            Span::MAX => [dist.moments().mean, dist.moments().square()],
            _ => below(dist, high),
        };
        let below = below(dist, low.max(0.0));
        Moments::of_squares((above[0] - below[0]) / kept, (above[1] - below[1]) / kept)
    }
}

/// Halvings of the interval towards zero, so that a far bound does not hide a small distribution.
const HALVINGS: u32 = 48;
/// Steps of Simpson's rule within each half.
const STEPS: u32 = 256;

/// The part of the mean and of the mean square that comes from draws up to `end`: the integral of
/// F(end) - F(x), once as it is and once times 2x.
fn below(dist: &Dist, end: f64) -> [f64; 2] {
    let total = dist.cdf_nanos(end);
    let (mut mean, mut square, mut high) = (0.0, 0.0, end);
    for _ in 0..HALVINGS {
        let low = high / 2.0;
        let step = (high - low) / f64::from(STEPS);
        for index in 0..=STEPS {
            let x = low + step * f64::from(index);
            let weight = match index {
                0 | STEPS => 1.0,
                odd if odd % 2 == 1 => 4.0,
                _ => 2.0,
            };
            let part = weight * step / 3.0 * (total - dist.cdf_nanos(x));
            mean += part;
            square += 2.0 * x * part;
        }
        high = low;
    }
    [mean, square]
}
