//! Simulated time: `Time` is an instant, `Span` a length, both whole nanoseconds.
//!
//! Integers make a sum independent of its order and an instant equal on every platform. Sixty-four
//! bits of nanoseconds are 584 years; what would lie beyond them saturates at [`Time::MAX`], which
//! the engine reads as "never". A scenario writes a span as `"5ms"` or `"2m 30s"`.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, Sub, SubAssign};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::engine::units::ParseError;
use crate::engine::units::parse::{Quantity, Unit, decimal, deserialize_text, four_digits};

/// An instant of simulated time, in nanoseconds since the start of the run.
///
/// A scenario writes it as the span since the start: `at: "90s"`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Time(pub u64);

/// A length of simulated time, in nanoseconds.
///
/// Written as a number and a unit (`ns us ms s m h d`; also `µs` and `min`), or several from the
/// largest to the smallest: `"250us"`, `"5 ms"`, `"1.5s"`, `"2m 30s"`. A finer fraction than one
/// nanosecond is an error.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Span(pub u64);

/// The grammar of a span; the period of a rate uses it too.
pub(crate) const SPAN: Quantity = Quantity {
    what: "a time span",
    examples: r#""5ms", "1.5s", "2m 30s""#,
    units: &[
        Unit { names: &["ns"], hints: &["nsec", "nanos", "nanosecond", "nanoseconds"], scale: 1 },
        Unit {
            names: &["us", "µs", "μs"],
            hints: &["usec", "micros", "microsecond", "microseconds"],
            scale: Span::MICROSECOND.0,
        },
        Unit {
            names: &["ms"],
            hints: &["msec", "millis", "millisecond", "milliseconds"],
            scale: Span::MILLISECOND.0,
        },
        Unit { names: &["s"], hints: &["sec", "secs", "second", "seconds"], scale: Span::SECOND.0 },
        Unit { names: &["m", "min"], hints: &["mins", "minute", "minutes"], scale: Span::MINUTE.0 },
        Unit { names: &["h"], hints: &["hr", "hrs", "hour", "hours"], scale: Span::HOUR.0 },
        Unit { names: &["d"], hints: &["day", "days"], scale: Span::DAY.0 },
    ],
    bare: None,
    compound: true,
};

impl Time {
    /// The start of the run.
    pub const ZERO: Time = Time(0);
    /// Never: no run lasts that long, and every overflow ends here.
    pub const MAX: Time = Time(u64::MAX);

    /// Seconds since the start, for reports; exact below 104 days.
    pub fn as_seconds(self) -> f64 {
        Span(self.0).as_seconds()
    }

    /// Whether this instant lies beyond every run.
    pub fn is_never(self) -> bool {
        self == Time::MAX
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);
    /// The longest span: a wait that never ends.
    pub const MAX: Span = Span(u64::MAX);
    /// One thousand nanoseconds.
    pub const MICROSECOND: Span = Span(1_000);
    /// One thousandth of a second.
    pub const MILLISECOND: Span = Span(1_000_000);
    /// One second.
    pub const SECOND: Span = Span(1_000_000_000);
    /// Sixty seconds.
    pub const MINUTE: Span = Span(60 * Span::SECOND.0);
    /// Sixty minutes.
    pub const HOUR: Span = Span(60 * Span::MINUTE.0);
    /// Twenty-four hours.
    pub const DAY: Span = Span(24 * Span::HOUR.0);

    /// So many nanoseconds.
    pub const fn from_nanos(count: u64) -> Span {
        Span(count)
    }

    /// So many microseconds; saturates.
    pub const fn from_micros(count: u64) -> Span {
        Span(count.saturating_mul(Span::MICROSECOND.0))
    }

    /// So many milliseconds; saturates.
    pub const fn from_millis(count: u64) -> Span {
        Span(count.saturating_mul(Span::MILLISECOND.0))
    }

    /// So many seconds; saturates.
    pub const fn from_seconds(count: u64) -> Span {
        Span(count.saturating_mul(Span::SECOND.0))
    }

    /// A span from seconds as a float, rounded to the nearest nanosecond. Saturates: a negative
    /// number and NaN become zero, too large a one becomes [`Span::MAX`].
    pub fn from_seconds_f64(seconds: f64) -> Span {
        Span::from_nanos_f64(seconds * 1e9)
    }

    /// A span from nanoseconds as a float, rounded to the nearest, a half to the even one,
    /// saturating as above.
    #[inline]
    pub fn from_nanos_f64(nanos: f64) -> Span {
        // From here on a float is a whole number. Added to a smaller one it leaves no room for a
        // fraction, so that the sum is rounded and ends in the bits of the whole number: the same
        // on every platform, and in a third of the time that a checked cast takes.
        const WHOLE: f64 = (1_u64 << (f64::MANTISSA_DIGITS - 1)) as f64;
        // What is negative or NaN has greater bits.
        if nanos.to_bits() < WHOLE.to_bits() {
            Span((nanos + WHOLE).to_bits() - WHOLE.to_bits())
        } else {
            Span::from_whole(nanos)
        }
    }

    /// The cast saturates and maps NaN to zero.
    #[cold]
    fn from_whole(nanos: f64) -> Span {
        Span(nanos as u64)
    }

    /// Seconds, for reports; exact below 104 days.
    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// Whether no time passes.
    pub fn is_zero(self) -> bool {
        self == Span::ZERO
    }

    /// The text that reads back as exactly this span: `1.234567ms`, `2m 30s`.
    pub fn exact(self) -> String {
        let nanos = self.0;
        if nanos < Span::MINUTE.0 {
            let (scale, unit) = small_unit(nanos);
            return format!("{}{unit}", decimal(nanos, scale));
        }
        let (hours, rest) = (nanos / Span::HOUR.0, nanos % Span::HOUR.0);
        let (minutes, rest) = (rest / Span::MINUTE.0, rest % Span::MINUTE.0);
        let mut parts = Vec::new();
        if hours > 0 {
            parts.push(format!("{hours}h"));
        }
        if minutes > 0 {
            parts.push(format!("{minutes}m"));
        }
        if rest > 0 {
            parts.push(format!("{}s", decimal(rest, Span::SECOND.0)));
        }
        parts.join(" ")
    }

    /// At most four significant digits, in the unit a person would choose.
    fn rounded(self) -> String {
        if self == Span::MAX {
            return "forever".into();
        }
        let nanos = four_digits(self.0);
        if nanos < Span::MINUTE.0 {
            let (scale, unit) = small_unit(nanos);
            let unit = if unit == "us" { "µs" } else { unit };
            return format!("{} {unit}", decimal(nanos, scale));
        }
        let seconds = self.in_units_of(Span::SECOND);
        if seconds < 60 * 60 {
            return two_parts(seconds, 60, ["m", "s"]);
        }
        let minutes = self.in_units_of(Span::MINUTE);
        if minutes < 24 * 60 {
            return two_parts(minutes, 60, ["h", "m"]);
        }
        two_parts(self.in_units_of(Span::HOUR), 24, ["d", "h"])
    }

    /// How many of the unit, rounded half up.
    fn in_units_of(self, unit: Span) -> u64 {
        self.0.saturating_add(unit.0 / 2) / unit.0
    }
}

/// The largest unit below the minute that is not above the value.
fn small_unit(nanos: u64) -> (u64, &'static str) {
    match nanos {
        0 => (Span::SECOND.0, "s"),
        1..1_000 => (1, "ns"),
        1_000..1_000_000 => (Span::MICROSECOND.0, "us"),
        1_000_000..1_000_000_000 => (Span::MILLISECOND.0, "ms"),
        _ => (Span::SECOND.0, "s"),
    }
}

/// `150` and `60` as `2 m 30 s`; a zero second part is left out.
fn two_parts(value: u64, divisor: u64, [large, small]: [&str; 2]) -> String {
    match value % divisor {
        0 => format!("{} {large}", value / divisor),
        rest => format!("{} {large} {rest} {small}", value / divisor),
    }
}

/// For people: `412 ns`, `1.5 ms`, `2 m 30 s`, `1 h 5 m`. Rounded; see [`Span::exact`].
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.rounded())
    }
}

/// For people, as [`Span`]; [`Time::MAX`] is `never`.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_never() { f.pad("never") } else { Span(self.0).fmt(f) }
    }
}

impl FromStr for Span {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Span, ParseError> {
        SPAN.read(text).map(Span)
    }
}

impl FromStr for Time {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Time, ParseError> {
        SPAN.read(text).map(Time)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        deserialize_text(deserializer, "a time span such as \"5ms\"")
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        deserialize_text(deserializer, "a time since the start of the run such as \"90s\"")
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.exact())
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Span(self.0).serialize(serializer)
    }
}

impl Add<Span> for Time {
    type Output = Time;

    #[inline]
    fn add(self, span: Span) -> Time {
        Time(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Span> for Time {
    fn add_assign(&mut self, span: Span) {
        *self = *self + span;
    }
}

impl Sub<Span> for Time {
    type Output = Time;

    /// The instant so much earlier, but never before the start.
    fn sub(self, span: Span) -> Time {
        Time(self.0.saturating_sub(span.0))
    }
}

impl Sub<Time> for Time {
    type Output = Span;

    /// How much later this instant is than the other; zero if it is earlier.
    #[inline]
    fn sub(self, earlier: Time) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Add for Span {
    type Output = Span;

    #[inline]
    fn add(self, other: Span) -> Span {
        Span(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Span {
    fn add_assign(&mut self, other: Span) {
        *self = *self + other;
    }
}

impl Sub for Span {
    type Output = Span;

    /// What is left; zero if the other is longer.
    fn sub(self, other: Span) -> Span {
        Span(self.0.saturating_sub(other.0))
    }
}

impl SubAssign for Span {
    fn sub_assign(&mut self, other: Span) {
        *self = *self - other;
    }
}

impl Mul<u64> for Span {
    type Output = Span;

    fn mul(self, count: u64) -> Span {
        Span(self.0.saturating_mul(count))
    }
}

impl Div<u64> for Span {
    type Output = Span;

    /// Rounds down.
    fn div(self, parts: u64) -> Span {
        Span(self.0 / parts)
    }
}

impl Sum for Span {
    fn sum<I: Iterator<Item = Span>>(spans: I) -> Span {
        spans.fold(Span::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests;
