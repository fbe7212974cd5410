//! `Dist` is a distribution of time spans, named by the parameters people know.
//!
//! A scenario writes `"5ms"`, `Exponential(mean: "10ms")` or
//! `LogNormal(median: "5ms", p99: "40ms")`. [`Shape`] is what was written, checked once at load and
//! turned into the numbers that a draw needs; moments and the distribution function come from the
//! same numbers, so a report can compare what was measured with what was asked for. Logarithms and
//! powers are those of the `libm` crate, never the platform's: a draw is the same everywhere.

mod fit;
mod moments;
mod sample;
mod shape;
mod size;
mod special;
mod text;

use std::fmt;
use std::str::FromStr;

use ron::extensions::Extensions;
use ron::ser::PrettyConfig;
use serde::{Serialize, Serializer};

use sample::Sampler;
pub use shape::{Branch, Interpolation, Part, Shape, Unit};
pub use size::SizeDist;

use crate::engine::rng::Rng;
use crate::engine::time::Span;
use crate::engine::units::ParseError;

/// A distribution of time spans; see [`Shape`] for the kinds and their parameters.
#[derive(Clone, PartialEq, Debug)]
pub struct Dist(Form);

/// Sixteen bytes: the two usual kinds in place, the others behind a pointer.
#[derive(Clone, PartialEq, Debug)]
enum Form {
    Constant(Span),
    /// The mean in nanoseconds: a whole number, so that it prints exactly.
    Exponential(f64),
    Other(Box<Model>),
}

#[derive(Clone, PartialEq, Debug)]
struct Model {
    /// As written, to be printed again.
    shape: Shape,
    sampler: Sampler,
}

/// Up to here every whole number is a float of its own.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

impl Dist {
    /// A distribution of the given shape.
    ///
    /// # Errors
    /// A sentence on the first parameter that is missing, superfluous, or out of its range.
    pub fn new(shape: Shape) -> Result<Dist, ParseError> {
        Dist::spelt(shape, |nanos| Span(nanos).exact())
    }

    /// The same, with messages that spell values as `exact` does.
    fn spelt(shape: Shape, exact: fn(u64) -> String) -> Result<Dist, ParseError> {
        let sampler = Sampler::new(&shape, exact).map_err(ParseError::new)?;
        let form = match (&shape, &sampler) {
            (Shape::Constant(span), _) => Form::Constant(*span),
            (_, Sampler::Exponential { mean }) if mean.fract() == 0.0 && *mean <= WHOLE_MAX => {
                Form::Exponential(*mean)
            }
            _ => Form::Other(Box::new(Model { shape, sampler })),
        };
        Ok(Dist(form))
    }

    /// Always the same span.
    pub const fn constant(span: Span) -> Dist {
        Dist(Form::Constant(span))
    }

    /// Exponential with this mean: the time between events that know nothing of each other. A mean
    /// of zero, which a scenario may not ask for, gives zero.
    pub fn exponential(mean: Span) -> Dist {
        let shape = Shape::Exponential { mean: Some(mean), rate: None };
        Dist::new(shape).unwrap_or(Dist::constant(Span::ZERO))
    }

    /// Draws a span, rounded to the nearest nanosecond; what is longer than [`Span::MAX`] is cut.
    #[inline]
    pub fn sample(&self, rng: &mut Rng) -> Span {
        match &self.0 {
            Form::Constant(span) => *span,
            Form::Exponential(mean) => Span::from_nanos_f64(mean * rng.exp()),
            Form::Other(model) => model.sampler.sample(rng),
        }
    }

    /// The same for what most draws are, and nothing is drawn for the others.
    #[inline(always)]
    pub(crate) fn sample_at_once(&self, rng: &mut Rng) -> Option<Span> {
        match &self.0 {
            Form::Constant(span) => Some(*span),
            Form::Exponential(mean) => Some(Span::from_nanos_f64(mean * rng.exp_at_once()?)),
            Form::Other(_) => None,
        }
    }

    /// The mean in seconds; infinite for a heavy tail without one (`Pareto` up to `alpha: 1`).
    /// Closed forms, except for `Truncated`, which is integrated to at least four digits.
    pub fn mean(&self) -> f64 {
        self.moments().mean / 1e9
    }

    /// The variance in seconds squared; infinite for `Pareto` up to `alpha: 2`.
    pub fn variance(&self) -> f64 {
        self.moments().variance / 1e18
    }

    /// The coefficient of variation: standard deviation over mean; zero for a constant, one for
    /// an exponential, infinite where the variance is.
    pub fn cv(&self) -> f64 {
        self.moments().cv()
    }

    /// The probability that a draw is at most this long, before it is rounded to a nanosecond.
    pub fn cdf(&self, span: Span) -> f64 {
        self.cdf_nanos(span.0 as f64)
    }

    /// The span of a constant, `None` for every other kind.
    pub fn as_constant(&self) -> Option<Span> {
        match self.0 {
            Form::Constant(span) => Some(span),
            _ => None,
        }
    }

    /// The shape as it prints.
    pub fn shape(&self) -> Shape {
        match &self.0 {
            Form::Constant(span) => Shape::Constant(*span),
            Form::Exponential(mean) => {
                Shape::Exponential { mean: Some(Span(*mean as u64)), rate: None }
            }
            Form::Other(model) => model.shape.clone(),
        }
    }

    /// Reads a distribution from RON by itself, with the extensions that scenarios have.
    fn options() -> ron::Options {
        let extensions = Extensions::IMPLICIT_SOME | Extensions::UNWRAP_VARIANT_NEWTYPES;
        ron::Options::default().with_default_extension(extensions)
    }
}

/// No time at all.
impl Default for Dist {
    fn default() -> Dist {
        Dist::constant(Span::ZERO)
    }
}

impl From<Span> for Dist {
    fn from(span: Span) -> Dist {
        Dist::constant(span)
    }
}

/// The RON text on one line: `Exponential(mean: "10ms")`, `"5ms"`. It reads back as the same.
impl fmt::Display for Dist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let style = PrettyConfig::new().compact_structs(true).compact_arrays(true);
        let text = Dist::options().to_string_pretty(self, style).map_err(|_| fmt::Error)?;
        f.pad(&text)
    }
}

impl FromStr for Dist {
    type Err = ParseError;

    /// Reads RON, or a span without its quotes.
    fn from_str(text: &str) -> Result<Dist, ParseError> {
        if text.trim_start().starts_with(|c: char| c.is_ascii_digit()) {
            return text.parse().map(Dist::constant);
        }
        Dist::options().from_str(text).map_err(|error| ParseError::new(error.code.to_string()))
    }
}

impl Serialize for Dist {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Form::Constant(span) => span.serialize(serializer),
            _ => self.shape().serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests;
