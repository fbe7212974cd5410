//! `Shift` is a time span with a sign.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::parse::{ParseError, deserialize_text};
use crate::engine::time::Span;

/// A time span with a sign: by how much a clock is ahead, or behind.
///
/// Written as a span with or without a sign: `"30ms"`, `"+2s"`, `"-1.5s"`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Shift(pub i64);

impl Shift {
    /// Without its sign.
    pub fn length(self) -> Span {
        Span(self.0.unsigned_abs())
    }

    /// The text that reads back as exactly this: `-1500ms`.
    pub fn exact(self) -> String {
        let sign = if self.0 < 0 { "-" } else { "" };
        format!("{sign}{}", self.length().exact())
    }
}

/// For people: `-1.5 s`. Rounded; see [`Shift::exact`].
impl fmt::Display for Shift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "+" };
        f.pad(&format!("{sign}{}", self.length()))
    }
}

impl FromStr for Shift {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Shift, ParseError> {
        let (is_behind, length) = match text.strip_prefix('-') {
            Some(length) => (true, length),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let length: Span = length.parse()?;
        let length = i64::try_from(length.0).unwrap_or(i64::MAX);
        Ok(Shift(if is_behind { -length } else { length }))
    }
}

impl<'de> Deserialize<'de> for Shift {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Shift, D::Error> {
        deserialize_text(deserializer, "a shift such as \"-30ms\"")
    }
}

impl Serialize for Shift {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.exact())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shift_has_a_sign_and_reads_back() {
        for (text, nanos) in
            [("30ms", 30_000_000), ("+2s", 2_000_000_000), ("-1.5s", -1_500_000_000)]
        {
            let shift: Shift = text.parse().unwrap();
            assert_eq!(shift, Shift(nanos), "{text}");
            assert_eq!(shift.exact().parse(), Ok(shift));
        }
        assert!("--2s".parse::<Shift>().is_err() && "-".parse::<Shift>().is_err());
    }
}
