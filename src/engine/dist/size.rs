//! A distribution of sizes: every shape that spans of time have, in bytes.
//!
//! Draws are made by the very samplers of [`Dist`], which know whole numbers and no units.

use serde::{Deserialize, Deserializer};

use super::shape::{Branch, Part, Shape};
use super::{Dist, text};
use crate::engine::rng::Rng;
use crate::engine::time::Span;
use crate::engine::units::Bytes;
use crate::engine::units::spelt::{self, Spelt};

/// A distribution of sizes; see [`Shape`] for the kinds and their parameters.
#[derive(Clone, PartialEq, Debug)]
pub struct SizeDist(Dist);

impl SizeDist {
    /// Always the same size.
    pub const fn constant(size: Bytes) -> SizeDist {
        SizeDist(Dist::constant(Span(size.0)))
    }

    /// A distribution of the given shape.
    ///
    /// # Errors
    /// A sentence on the first parameter that is missing, superfluous, or out of its range.
    pub fn new(shape: Shape<Bytes>) -> Result<SizeDist, String> {
        let dist = Dist::spelt(in_spans(shape)?, |bytes| Bytes(bytes).exact());
        dist.map(SizeDist).map_err(|error| error.to_string())
    }

    /// Draws a size, rounded to the nearest byte.
    #[inline]
    pub fn sample(&self, rng: &mut Rng) -> Bytes {
        Bytes(self.0.sample(rng).0)
    }

    /// The mean in bytes; infinite for a heavy tail without one.
    pub fn mean(&self) -> f64 {
        self.0.moments().mean
    }
}

/// The same shape with a nanosecond for each byte: what samplers draw from.
fn in_spans(shape: Shape<Bytes>) -> Result<Shape, String> {
    let span = |size: Bytes| Span(size.0);
    let maybe = |size: Option<Bytes>| size.map(span);
    Ok(match shape {
        Shape::Constant(size) => Shape::Constant(span(size)),
        Shape::Uniform { min, max } => Shape::Uniform { min: span(min), max: span(max) },
        Shape::Exponential { rate: Some(_), .. } => {
            return Err("a size has no `rate`; Exponential needs its `mean`".to_owned());
        }
        Shape::Exponential { mean, rate: None } => {
            Shape::Exponential { mean: maybe(mean), rate: None }
        }
        Shape::Erlang { k, mean } => Shape::Erlang { k, mean: span(mean) },
        Shape::Gamma { mean, cv, shape } => Shape::Gamma { mean: span(mean), cv, shape },
        Shape::LogNormal { median, mean, p99, cv } => {
            Shape::LogNormal { median: maybe(median), mean: maybe(mean), p99: maybe(p99), cv }
        }
        Shape::Normal { mean, deviation } => {
            Shape::Normal { mean: span(mean), deviation: span(deviation) }
        }
        Shape::Weibull { mean, scale, shape } => {
            Shape::Weibull { mean: maybe(mean), scale: maybe(scale), shape }
        }
        Shape::Pareto { min, alpha, max } => {
            Shape::Pareto { min: span(min), alpha, max: maybe(max) }
        }
        Shape::HyperExponential { mean, cv, branches } => {
            let branch = |one: Branch<Bytes>| Branch { weight: one.weight, mean: span(one.mean) };
            let branches = branches.map(|all| all.into_iter().map(branch).collect());
            Shape::HyperExponential { mean: maybe(mean), cv, branches }
        }
        Shape::Mixture(parts) => {
            let part = |one: Part<Bytes>| Part { weight: one.weight, dist: one.dist.0 };
            Shape::Mixture(parts.into_iter().map(part).collect())
        }
        Shape::Empirical { points, values, between } => Shape::Empirical {
            points: points.map(|all| all.into_iter().map(|(size, at)| (span(size), at)).collect()),
            values: values.map(|all| all.into_iter().map(span).collect()),
            between,
        },
        Shape::Shifted { by, dist } => Shape::Shifted { by: span(by), dist: dist.0 },
        Shape::Truncated { min, max, dist } => {
            Shape::Truncated { min: maybe(min), max: maybe(max), dist: dist.0 }
        }
    })
}

impl<'de> Deserialize<'de> for SizeDist {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SizeDist, D::Error> {
        spelt::deserialize(deserializer)
    }
}

impl Spelt for SizeDist {
    type Named = Shape<Bytes>;
    const EXPECTED: &'static str =
        "a distribution of sizes such as \"4KiB\" or Exponential(mean: \"4KiB\")";

    fn of_text(text: &str) -> Result<SizeDist, String> {
        if text.starts_with(char::is_alphabetic) {
            return Err(text::misplaced_name(text, "a size such as \"4KiB\""));
        }
        text.parse::<Bytes>().map(SizeDist::constant).map_err(|error| error.to_string())
    }

    fn of_named(shape: Shape<Bytes>) -> Result<SizeDist, String> {
        SizeDist::new(shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(text: &str) -> Result<SizeDist, String> {
        Dist::options().from_str::<SizeDist>(text).map_err(|error| error.code.to_string())
    }

    #[test]
    fn every_shape_of_spans_is_one_of_sizes_too() {
        let shapes = [
            ("\"4KiB\"", 4096.0),
            ("Constant(\"1kB\")", 1000.0),
            ("Uniform(min: \"1kB\", max: \"3kB\")", 2000.0),
            ("Exponential(mean: \"4KiB\")", 4096.0),
            ("Erlang(k: 3, mean: \"6kB\")", 6000.0),
            ("Gamma(mean: \"6kB\", cv: 2)", 6000.0),
            ("LogNormal(mean: \"10kB\", cv: 1.5)", 10_000.0),
            ("Normal(mean: \"7kB\", deviation: \"1kB\")", 7000.0),
            ("Weibull(mean: \"7kB\", shape: 0.7)", 7000.0),
            ("Pareto(min: \"1kB\", alpha: 2)", 2000.0),
            ("HyperExponential(mean: \"5kB\", cv: 3)", 5000.0),
            (
                "HyperExponential(branches: [(weight: 1, mean: \"2kB\"), (weight: 1, mean: \"4kB\")])",
                3000.0,
            ),
            (
                "Mixture([(weight: 3, dist: \"1kB\"), (weight: 1, dist: Exponential(mean: \"5kB\"))])",
                2000.0,
            ),
            ("Empirical(points: [(\"0B\", 0), (\"2kB\", 1)])", 1000.0),
            ("Empirical(values: [\"1kB\", \"5kB\"])", 3000.0),
            ("Shifted(by: \"1kB\", dist: Exponential(mean: \"1kB\"))", 2000.0),
            ("Truncated(max: \"1TB\", dist: Exponential(mean: \"4kB\"))", 4000.0),
        ];
        let mut rng = Rng::new(1, "sizes");
        for (text, mean) in shapes {
            let sizes = sizes(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert!((sizes.mean() - mean).abs() < mean * 1e-4, "{text}: {}", sizes.mean());
            let drawn: f64 = (0..50_000).map(|_| sizes.sample(&mut rng).0 as f64).sum();
            assert!((drawn / 50_000.0 / mean - 1.0).abs() < 0.1, "{text}: {}", drawn / 50_000.0);
        }
    }

    #[test]
    fn mistakes_are_told_in_bytes() {
        let refused = [
            ("\"5ms\"", "\"5ms\" is not a size"),
            ("\"Exponential\"", "needs its parameters in parentheses"),
            ("\"Expnential\"", "expected a size such as \"4KiB\""),
            ("Exponential(mean: \"5ms\")", "is not a size"),
            ("Exponential(rate: \"5/s\")", "a size has no `rate`"),
            ("Uniform(min: \"9kB\", max: \"1KiB\")", "but 1KiB is below 9kB"),
            ("Empirical(points: [(\"2KiB\", 0), (\"1B\", 1)])", "1B follows 2KiB"),
        ];
        for (text, says) in refused {
            let error = sizes(text).expect_err(text);
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
