//! From the parameters people know to the parameters that samplers need, with every check.

use super::sample::{Bounds, Chooser, Point, STAGES_MAX, Sampler};
use super::shape::{Branch, Interpolation, Part, Shape};
use super::special::NORMAL_P99;
use super::{Dist, moments::Moments};
use crate::engine::time::Span;
use crate::engine::units::Rate;

/// Fewer draws than this share inside the bounds would make a truncated distribution slow, and are
/// more likely a mistake.
const KEPT_MIN: f64 = 0.01;

impl Sampler {
    /// The sampler of a shape, or a sentence on what is wrong with the shape.
    /// Messages spell values as `exact` does.
    pub fn new(shape: &Shape, exact: fn(u64) -> String) -> Result<Sampler, String> {
        match shape {
            Shape::Constant(span) => Ok(Sampler::Constant(*span)),
            Shape::Uniform { min, max } => uniform(*min, *max, exact),
            Shape::Exponential { mean, rate } => exponential(*mean, *rate),
            Shape::Erlang { k, mean } => erlang(*k, *mean),
            Shape::Gamma { mean, cv, shape } => gamma(*mean, *cv, *shape),
            Shape::Normal { mean, deviation } => {
                let deviation = positive("Normal", "deviation", *deviation)?;
                Ok(Sampler::Normal { mean: mean.0 as f64, deviation })
            }
            Shape::LogNormal { median, mean, p99, cv } => {
                log_normal(Center::new(*median, *mean)?, *p99, *cv)
            }
            Shape::Weibull { mean, scale, shape } => weibull(*mean, *scale, *shape),
            Shape::Pareto { min, alpha, max } => pareto(*min, *alpha, *max),
            Shape::HyperExponential { mean, cv, branches } => {
                hyper_exponential(*mean, *cv, branches.as_deref())
            }
            Shape::Mixture(parts) => mixture(parts),
            Shape::Empirical { points, values, between } => {
                empirical(points.as_deref(), values.as_deref(), *between, exact)
            }
            Shape::Shifted { by, dist } => Ok(Sampler::Shifted { by: *by, dist: dist.clone() }),
            Shape::Truncated { min, max, dist } => truncated(*min, *max, dist),
        }
    }
}

/// A span that must be above zero, in nanoseconds.
fn positive(name: &str, field: &str, span: Span) -> Result<f64, String> {
    if span.is_zero() {
        return Err(format!("{name} needs a `{field}` above zero"));
    }
    Ok(span.0 as f64)
}

/// A number that must lie within bounds, both included.
fn within(name: &str, field: &str, value: f64, [min, max]: [f64; 2]) -> Result<f64, String> {
    if (min..=max).contains(&value) {
        return Ok(value);
    }
    let article = if field == "alpha" { "an" } else { "a" };
    let given = if value.abs() < 1e15 { value.to_string() } else { format!("{value:e}") };
    Err(format!("{name} needs {article} `{field}` from {min} to {max}, but {given} was given"))
}

/// Weights that can be chosen by.
fn chooser(name: &str, weights: &[f64]) -> Result<Chooser, String> {
    if weights.is_empty() {
        return Err(format!("{name} needs at least one part"));
    }
    for &weight in weights {
        within(name, "weight", weight, [1e-9, 1e9])?;
    }
    Ok(Chooser::new(weights))
}

fn uniform(min: Span, max: Span, exact: fn(u64) -> String) -> Result<Sampler, String> {
    if max < min {
        let (min, max) = (exact(min.0), exact(max.0));
        return Err(format!(
            "Uniform needs a `max` that is not below `min`, but {max} is below {min}"
        ));
    }
    Ok(Sampler::Uniform { min: min.0, width: (max - min).0.saturating_add(1) })
}

fn exponential(mean: Option<Span>, rate: Option<Rate>) -> Result<Sampler, String> {
    let mean = match (mean, rate) {
        (Some(mean), None) => positive("Exponential", "mean", mean)?,
        (None, Some(rate)) => rate.mean_gap_nanos(),
        _ => return Err("Exponential needs exactly one of `mean` or `rate`".into()),
    };
    Ok(Sampler::Exponential { mean })
}

fn erlang(k: u32, mean: Span) -> Result<Sampler, String> {
    let shape = within("Erlang", "k", f64::from(k), [1.0, 1e6])?;
    let scale = positive("Erlang", "mean", mean)? / shape;
    if k <= STAGES_MAX {
        return Ok(Sampler::Erlang { stages: k, scale });
    }
    Ok(Sampler::Gamma { shape, scale })
}

fn gamma(mean: Span, cv: Option<f64>, shape: Option<f64>) -> Result<Sampler, String> {
    let mean = positive("Gamma", "mean", mean)?;
    let shape = match (cv, shape) {
        (Some(cv), None) => {
            let cv = within("Gamma", "cv", cv, [1e-3, 1e3])?;
            1.0 / (cv * cv)
        }
        (None, Some(shape)) => within("Gamma", "shape", shape, [1e-6, 1e6])?,
        _ => return Err("Gamma needs exactly one of `cv` or `shape`".into()),
    };
    Ok(Sampler::Gamma { shape, scale: mean / shape })
}

/// The middle of a lognormal distribution, as given.
enum Center {
    Median(f64),
    Mean(f64),
}

impl Center {
    fn new(median: Option<Span>, mean: Option<Span>) -> Result<Center, String> {
        match (median, mean) {
            (Some(median), None) => Ok(Center::Median(positive("LogNormal", "median", median)?)),
            (None, Some(mean)) => Ok(Center::Mean(positive("LogNormal", "mean", mean)?)),
            _ => Err("LogNormal needs exactly one of `median` or `mean`".into()),
        }
    }
}

/// With `mu` and `sigma` of the logarithm, the median is exp(mu), the mean exp(mu + sigma²/2), the
/// 99th percentile exp(mu + z sigma) and the squared coefficient of variation exp(sigma²) - 1.
fn log_normal(center: Center, p99: Option<Span>, cv: Option<f64>) -> Result<Sampler, String> {
    let sigma = match (p99, cv) {
        (Some(p99), None) => sigma_of_p99(&center, p99.0 as f64)?,
        (None, Some(cv)) => {
            let cv = within("LogNormal", "cv", cv, [1e-6, 1e3])?;
            libm::log1p(cv * cv).sqrt()
        }
        _ => return Err("LogNormal needs exactly one of `p99` or `cv`".into()),
    };
    let mu = match center {
        Center::Median(median) => libm::log(median),
        Center::Mean(mean) => libm::log(mean) - sigma * sigma / 2.0,
    };
    Ok(Sampler::LogNormal { mu, sigma })
}

fn sigma_of_p99(center: &Center, p99: f64) -> Result<f64, String> {
    let (Center::Median(middle) | Center::Mean(middle)) = *center;
    if p99 <= middle {
        let field = if matches!(center, Center::Median(_)) { "median" } else { "mean" };
        return Err(format!("LogNormal needs a `p99` above its `{field}`"));
    }
    let stretch = libm::log(p99 / middle);
    if matches!(center, Center::Median(_)) {
        return Ok(stretch / NORMAL_P99);
    }
    // The smaller solution of sigma²/2 - z sigma + stretch = 0; the larger one has its 99th
    // percentile among the rare and the mean carried by the rarest, which nobody means.
    let discriminant = NORMAL_P99 * NORMAL_P99 - 2.0 * stretch;
    if discriminant < 0.0 {
        let most = "LogNormal needs a `p99` of at most 14.9 times its `mean`";
        return Err(format!("{most}; give the `median` for a wider one"));
    }
    Ok(NORMAL_P99 - discriminant.sqrt())
}

fn weibull(mean: Option<Span>, scale: Option<Span>, shape: f64) -> Result<Sampler, String> {
    let shape = within("Weibull", "shape", shape, [0.05, 1e3])?;
    let scale = match (mean, scale) {
        (Some(mean), None) => positive("Weibull", "mean", mean)? / libm::tgamma(1.0 + 1.0 / shape),
        (None, Some(scale)) => positive("Weibull", "scale", scale)?,
        _ => return Err("Weibull needs exactly one of `mean` or `scale`".into()),
    };
    Ok(Sampler::Weibull { shape, scale })
}

fn pareto(min: Span, alpha: f64, max: Option<Span>) -> Result<Sampler, String> {
    let alpha = within("Pareto", "alpha", alpha, [0.05, 1e3])?;
    let nanos = positive("Pareto", "min", min)?;
    let max = match max {
        Some(max) if max <= min => return Err("Pareto needs a `max` above its `min`".into()),
        Some(max) => max.0 as f64,
        None => f64::INFINITY,
    };
    let beyond = libm::pow(nanos / max, alpha);
    Ok(Sampler::Pareto { min: nanos, alpha, max, beyond })
}

fn hyper_exponential(
    mean: Option<Span>,
    cv: Option<f64>,
    branches: Option<&[Branch]>,
) -> Result<Sampler, String> {
    const NAME: &str = "HyperExponential";
    match (mean, cv, branches) {
        (Some(mean), Some(cv), None) => {
            let mean = positive(NAME, "mean", mean)?;
            if cv <= 1.0 {
                return Err(format!("{NAME} needs a `cv` above 1; below, take Gamma or Erlang"));
            }
            let square = cv * within(NAME, "cv", cv, [1.0, 1e3])?;
            // Balanced means: both branches carry half of the time. Source: H. C. Tijms, "A First
            // Course in Stochastic Models", Wiley, 2003, appendix B.
            let share = 0.5 * (1.0 + ((square - 1.0) / (square + 1.0)).sqrt());
            let means = [share, 1.0 - share].map(|share| mean / (2.0 * share));
            let chooser = Chooser::new(&[share, 1.0 - share]);
            Ok(Sampler::HyperExponential { chooser, means: means.to_vec() })
        }
        (None, None, Some(branches)) => {
            let weights: Vec<f64> = branches.iter().map(|branch| branch.weight).collect();
            let chooser = chooser(NAME, &weights)?;
            let means = branches.iter().map(|branch| positive(NAME, "mean", branch.mean));
            Ok(Sampler::HyperExponential { chooser, means: means.collect::<Result<_, _>>()? })
        }
        _ => Err(format!("{NAME} needs either `mean` and `cv`, or `branches`")),
    }
}

fn mixture(parts: &[Part]) -> Result<Sampler, String> {
    let weights: Vec<f64> = parts.iter().map(|part| part.weight).collect();
    let chooser = chooser("Mixture", &weights)?;
    Ok(Sampler::Mixture { chooser, parts: parts.iter().map(|part| part.dist.clone()).collect() })
}

fn empirical(
    points: Option<&[(Span, f64)]>,
    values: Option<&[Span]>,
    between: Option<Interpolation>,
    exact: fn(u64) -> String,
) -> Result<Sampler, String> {
    match (points, values) {
        (Some(points), None) => {
            let between = between.unwrap_or(Interpolation::Linear);
            quantiles(points, between == Interpolation::Logarithmic, exact)
        }
        (None, Some(_)) if between.is_some() => {
            Err("Empirical takes `between` only with `points`".into())
        }
        (None, Some([])) => Err("Empirical needs at least one of `values`".into()),
        (None, Some(values)) => {
            let mut values = values.to_vec();
            values.sort_unstable();
            Ok(Sampler::Values(values))
        }
        _ => Err("Empirical needs exactly one of `points` or `values`".into()),
    }
}

fn quantiles(
    points: &[(Span, f64)],
    logarithmic: bool,
    exact: fn(u64) -> String,
) -> Result<Sampler, String> {
    let ends = (points.first().map(|point| point.1), points.last().map(|point| point.1));
    if points.len() < 2 || ends != (Some(0.0), Some(1.0)) {
        let ends = "from probability 0 (the minimum) to 1 (the maximum)";
        return Err(format!("Empirical needs `points` {ends}"));
    }
    for pair in points.windows(2) {
        let [(low, at), (high, next)] = [pair[0], pair[1]];
        if at.total_cmp(&next).is_ge() {
            return Err(format!("Empirical needs rising probabilities, but {next} follows {at}"));
        }
        if high < low {
            let (low, high) = (exact(low.0), exact(high.0));
            return Err(format!("Empirical needs rising values, but {high} follows {low}"));
        }
    }
    if logarithmic && points[0].0.is_zero() {
        return Err("Empirical needs values above zero to go between them logarithmically".into());
    }
    let point = |&(span, probability): &(Span, f64)| Point { probability, nanos: span.0 as f64 };
    Ok(Sampler::Quantiles { points: points.iter().map(point).collect(), logarithmic })
}

fn truncated(min: Option<Span>, max: Option<Span>, dist: &Dist) -> Result<Sampler, String> {
    if (min, max) == (None, None) {
        return Err("Truncated needs at least one of `min` or `max`".into());
    }
    let bounds = Bounds { min: min.unwrap_or(Span::ZERO), max: max.unwrap_or(Span::MAX) };
    if bounds.max < bounds.min {
        return Err("Truncated needs a `max` that is not below `min`".into());
    }
    let kept = bounds.kept(dist);
    if kept.is_nan() || kept < KEPT_MIN {
        let percent = (kept * 1e4).round() / 1e2;
        let share = format!("only {percent} % of its distribution");
        return Err(format!("Truncated keeps {share} within its bounds; at least 1 % is needed"));
    }
    let moments: Moments = bounds.moments(dist);
    Ok(Sampler::Truncated { bounds, dist: dist.clone(), moments })
}
