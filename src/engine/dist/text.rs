//! Reading a distribution: a bare span such as `"5ms"`, or a name with parameters.

use serde::{Deserialize, Deserializer};

use super::{Dist, Shape};
use crate::engine::time::Span;
use crate::engine::units::spelt::{self, Spelt};

impl<'de> Deserialize<'de> for Dist {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Dist, D::Error> {
        spelt::deserialize(deserializer)
    }
}

impl Spelt for Dist {
    type Named = Shape;
    const EXPECTED: &'static str = "a distribution such as \"5ms\" or Exponential(mean: \"5ms\")";

    fn of_text(text: &str) -> Result<Dist, String> {
        if text.starts_with(char::is_alphabetic) {
            return Err(misplaced_name(text, "a time span such as \"5ms\""));
        }
        text.parse::<Span>().map(Dist::constant).map_err(|error| error.to_string())
    }

    fn of_named(shape: Shape) -> Result<Dist, String> {
        Dist::new(shape).map_err(|error| error.to_string())
    }
}

/// The error for a word where a quantity or a distribution with parameters belongs.
pub(super) fn misplaced_name(text: &str, quantity: &str) -> String {
    let names: Vec<&str> = Shape::<Span>::LIST.iter().map(|(name, _)| *name).collect();
    if names.contains(&text) {
        return format!("{text} needs its parameters in parentheses");
    }
    let names = names.join(", ");
    format!("{text:?} is not a distribution: expected {quantity}, or {names}")
}
