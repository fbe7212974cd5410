//! `Sampler` draws from a distribution whose parameters were computed at load, all in nanoseconds.

use super::Dist;
use super::moments::Moments;
use crate::engine::rng::Rng;
use crate::engine::time::Span;

/// One kind of distribution with what a draw needs.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Sampler {
    Constant(Span),
    /// `width` different spans from `min` on.
    Uniform {
        min: u64,
        width: u64,
    },
    Exponential {
        mean: f64,
    },
    /// The sum of few exponentials; many of them are drawn as a gamma.
    Erlang {
        stages: u32,
        scale: f64,
    },
    Gamma {
        shape: f64,
        scale: f64,
    },
    /// The absolute value of a normal number.
    Normal {
        mean: f64,
        deviation: f64,
    },
    /// The logarithm is normal with mean `mu` and standard deviation `sigma`.
    LogNormal {
        mu: f64,
        sigma: f64,
    },
    Weibull {
        shape: f64,
        scale: f64,
    },
    /// `max` is infinite without a bound; `beyond` is the share of the unbounded distribution that
    /// lies above it.
    Pareto {
        min: f64,
        alpha: f64,
        max: f64,
        beyond: f64,
    },
    Mixture {
        chooser: Chooser,
        parts: Vec<Dist>,
    },
    HyperExponential {
        chooser: Chooser,
        means: Vec<f64>,
    },
    Quantiles {
        points: Vec<Point>,
        logarithmic: bool,
    },
    Values(Vec<Span>),
    Shifted {
        by: Span,
        dist: Dist,
    },
    Truncated {
        bounds: Bounds,
        dist: Dist,
        moments: Moments,
    },
}

/// A row of a quantile table.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Point {
    pub probability: f64,
    pub nanos: f64,
}

/// The spans that a truncated distribution keeps, both ends included.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Bounds {
    pub min: Span,
    pub max: Span,
}

/// Chooses one of several by weight.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Chooser {
    /// The shares, which add up to 1.
    pub shares: Vec<f64>,
    /// Their sums from the first on.
    sums: Vec<f64>,
}

impl Chooser {
    /// The weights must be above zero and finite, and not none.
    pub fn new(weights: &[f64]) -> Chooser {
        let total: f64 = weights.iter().sum();
        let shares: Vec<f64> = weights.iter().map(|weight| weight / total).collect();
        let sums = shares.iter().scan(0.0, |sum, share| {
            *sum += share;
            Some(*sum)
        });
        Chooser { sums: sums.collect(), shares }
    }

    fn choose(&self, rng: &mut Rng) -> usize {
        let at = rng.unit();
        let index = self.sums.partition_point(|sum| *sum <= at);
        // The sum of the shares may fall short of 1 by a rounding error.
        index.min(self.sums.len() - 1)
    }
}

/// Up to here the exponentials of an Erlang distribution are drawn one by one, which is faster.
pub(super) const STAGES_MAX: u32 = 8;

/// How often a truncated distribution is drawn again.
const TRIES_MAX: u32 = 10_000;

impl Sampler {
    pub fn sample(&self, rng: &mut Rng) -> Span {
        let nanos = match self {
            Sampler::Constant(span) => return *span,
            Sampler::Uniform { min, width } => return Span(min + rng.below(*width)),
            Sampler::Exponential { mean } => mean * rng.exp(),
            Sampler::Erlang { stages, scale } => {
                scale * (0..*stages).fold(0.0, |sum, _| sum + rng.exp())
            }
            Sampler::Gamma { shape, scale } => scale * gamma(*shape, rng),
            Sampler::Normal { mean, deviation } => (mean + deviation * rng.normal()).abs(),
            Sampler::LogNormal { mu, sigma } => libm::exp(mu + sigma * rng.normal()),
            Sampler::Weibull { shape, scale } => scale * libm::pow(rng.exp(), 1.0 / shape),
            Sampler::Pareto { min, alpha, max, .. } if max.is_infinite() => {
                min * libm::exp(rng.exp() / alpha)
            }
            Sampler::Pareto { min, alpha, max, beyond } => {
                let above = beyond + (1.0 - beyond) * rng.open_unit();
                max.min(min * libm::exp(-libm::log(above) / alpha))
            }
            Sampler::Mixture { chooser, parts } => return parts[chooser.choose(rng)].sample(rng),
            Sampler::HyperExponential { chooser, means } => means[chooser.choose(rng)] * rng.exp(),
            Sampler::Quantiles { points, logarithmic } => {
                quantile(points, *logarithmic, rng.unit())
            }
            Sampler::Values(values) => return values[rng.below(values.len() as u64) as usize],
            Sampler::Shifted { by, dist } => return *by + dist.sample(rng),
            Sampler::Truncated { bounds, dist, .. } => return bounds.sample(dist, rng),
        };
        Span::from_nanos_f64(nanos)
    }
}

impl Bounds {
    fn sample(self, dist: &Dist, rng: &mut Rng) -> Span {
        let mut span = dist.sample(rng);
        for _ in 1..TRIES_MAX {
            if self.min <= span && span <= self.max {
                break;
            }
            span = dist.sample(rng);
        }
        span.clamp(self.min, self.max)
    }
}

/// A gamma number of scale 1.
///
/// Source: G. Marsaglia and W. W. Tsang, "A Simple Method for Generating Gamma Variables", ACM TOMS
/// 26(3), 2000; a shape below 1 is raised by 1 and the result lowered as they describe.
fn gamma(shape: f64, rng: &mut Rng) -> f64 {
    if shape < 1.0 {
        return gamma(shape + 1.0, rng) * libm::exp(-rng.exp() / shape);
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = rng.normal();
        let root = 1.0 + c * x;
        if root <= 0.0 {
            continue;
        }
        let v = root * root * root;
        let u = rng.open_unit();
        let square = x * x;
        let surely = u < 1.0 - 0.0331 * square * square;
        if surely || libm::log(u) < 0.5 * square + d * (1.0 - v + libm::log(v)) {
            return d * v;
        }
    }
}

/// The span below which the share `at` of the table lies.
fn quantile(points: &[Point], logarithmic: bool, at: f64) -> f64 {
    // The first point has probability 0 and the last 1, so there is one on each side.
    let right = points.partition_point(|point| point.probability <= at).min(points.len() - 1);
    let (low, high) = (points[right - 1], points[right]);
    let share = (at - low.probability) / (high.probability - low.probability);
    if logarithmic {
        low.nanos * libm::exp(share * libm::log(high.nanos / low.nanos))
    } else {
        low.nanos + (high.nanos - low.nanos) * share
    }
}
