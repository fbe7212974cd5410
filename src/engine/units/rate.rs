//! `Rate` is how often something happens: an exact number of events per span.
//!
//! Three events a second have no whole number of nanoseconds between them. The rate therefore stays
//! a fraction, and the time of the thousandth event is computed from the fraction, not by adding a
//! thousand rounded gaps.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::greatest_common_divisor;
use super::parse::{ParseError, Quantity, decimal, deserialize_text, four_digits};
use crate::engine::time::{SPAN, Span};

/// A positive number of events per time, up to one per nanosecond.
///
/// Written as a number, a slash, and a unit of time or a span: `"200/s"`, `"0.5/s"`, `"5/min"`,
/// `"1000/h"`, `"3/10s"`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Rate {
    /// Events in each period; at least 1, and without a common divisor with the period.
    events: u64,
    /// The period in nanoseconds; at least `events`.
    period: u64,
}

/// What stands before the slash; the period behind it is a span.
const RATE: Quantity = Quantity {
    what: "a rate",
    examples: r#""200/s", "0.5/s", "5/min""#,
    units: &[],
    bare: Some(1),
    compound: false,
};

/// The periods a rate is printed in, the most usual first.
const PERIODS: [(Span, &str); 4] =
    [(Span::SECOND, "s"), (Span::MINUTE, "min"), (Span::HOUR, "h"), (Span::DAY, "d")];

impl Rate {
    /// One event a second.
    pub const PER_SECOND: Rate = Rate { events: 1, period: Span::SECOND.0 };

    /// So many events per period, if that is above none and at most one per nanosecond.
    pub fn new(events: u64, period: Span) -> Option<Rate> {
        Rate::reduced(events.into(), period.0.into()).ok()
    }

    /// The rate that a text says, `None` for a rate of zero.
    ///
    /// # Errors
    /// Why it is no rate.
    pub fn parse_or_zero(text: &str) -> Result<Option<Rate>, ParseError> {
        let (events, period) = Rate::fraction(text)?;
        if events == 0 && period > 0 {
            return Ok(None);
        }
        let rate = Rate::reduced(events, period);
        rate.map(Some).map_err(|why| RATE.error(text, why.to_owned()))
    }

    /// The events and the period that a text says.
    fn fraction(text: &str) -> Result<(u128, u128), ParseError> {
        let fail = |why: String| RATE.error(text, why);
        let (events, period) = text.split_once('/').unwrap_or((text, ""));
        let (number, _, _) = RATE.part(events.trim()).map_err(fail)?;
        let period = period.trim();
        if period.is_empty() {
            return Err(fail("it needs a period behind a slash".into()));
        }
        let counted = period.starts_with(|c: char| c.is_ascii_digit());
        let period = if counted { period.to_owned() } else { format!("1{period}") };
        let nanos = SPAN.sum(&period).map_err(fail)?;
        let (numerator, denominator) = number.fraction();
        let period = denominator.checked_mul(nanos.into());
        Ok((numerator, period.ok_or_else(|| fail("it is too precise".into()))?))
    }

    fn reduced(events: u128, period: u128) -> Result<Rate, &'static str> {
        if events == 0 {
            return Err("it must be above zero");
        }
        if period == 0 {
            return Err("its period is zero");
        }
        if events > period {
            return Err("it is above one event per nanosecond");
        }
        let divisor = greatest_common_divisor(events, period);
        let narrow = |value: u128| u64::try_from(value / divisor).map_err(|_| "it is too precise");
        Ok(Rate { events: narrow(events)?, period: narrow(period)? })
    }

    /// Events in each [`Rate::period`].
    pub fn events(self) -> u64 {
        self.events
    }

    /// The span in which [`Rate::events`] happen: together they are the exact rate.
    pub fn period(self) -> Span {
        Span(self.period)
    }

    /// The mean time from one event to the next, rounded half up; at least one nanosecond.
    pub fn mean_gap(self) -> Span {
        self.span_of(1)
    }

    /// The time in which so many events happen, rounded half up; saturates. Evenly spaced events
    /// that follow this function do not drift from the rate.
    pub fn span_of(self, events: u64) -> Span {
        let (numerator, divisor) =
            (u128::from(self.period) * u128::from(events), u128::from(self.events));
        Span(u64::try_from((numerator + divisor / 2) / divisor).unwrap_or(u64::MAX))
    }

    /// The mean time from one event to the next in nanoseconds, for samplers.
    pub fn mean_gap_nanos(self) -> f64 {
        self.period as f64 / self.events as f64
    }

    /// Events per second, for reports.
    pub fn per_second(self) -> f64 {
        self.events as f64 * 1e9 / self.period as f64
    }

    /// The text that reads back as exactly this rate: `200/s`, `0.5/s`, `3/7ms`.
    pub fn exact(self) -> String {
        let plain = PERIODS.iter().find_map(|&(period, unit)| {
            let thousandths = self.thousandths_in(period)?;
            Some(format!("{}/{unit}", decimal(thousandths, 1_000)))
        });
        plain.unwrap_or_else(|| format!("{}/{}", self.events, Span(self.period).exact()))
    }

    /// Thousandths of an event in the period, if that is a whole number.
    fn thousandths_in(self, period: Span) -> Option<u64> {
        let product = u128::from(self.events) * u128::from(period.0) * 1_000;
        let exact = product.is_multiple_of(self.period.into());
        exact.then(|| u64::try_from(product / u128::from(self.period)).ok()).flatten()
    }
}

/// For people: `200/s`, `5/min`. Rounded to four digits; see [`Rate::exact`].
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let in_period = |period: Span| {
            let product = u128::from(self.events) * u128::from(period.0) * 1_000;
            u64::try_from(product / u128::from(self.period)).unwrap_or(u64::MAX)
        };
        let whole = |&(period, _): &(Span, &str)| in_period(period) >= 1_000;
        let &(period, unit) =
            PERIODS.iter().find(|entry| whole(entry)).unwrap_or(&(Span::DAY, "d"));
        f.pad(&format!("{}/{unit}", decimal(four_digits(in_period(period)), 1_000)))
    }
}

impl FromStr for Rate {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Rate, ParseError> {
        let (events, period) = Rate::fraction(text)?;
        Rate::reduced(events, period).map_err(|why| RATE.error(text, why.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Rate, D::Error> {
        deserialize_text(deserializer, "a rate such as \"200/s\"")
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.exact())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(text: &str) -> Rate {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn rates_are_exact_fractions() {
        for text in ["200/s", "200 / s", "12000/min", "0.2/ms", "2/10ms", "200/1s"] {
            assert_eq!(Some(rate(text)), Rate::new(200, Span::SECOND), "{text}");
        }
        assert_eq!(rate("0.5/s").mean_gap(), Span::SECOND * 2);
        assert_eq!(rate("3/s").mean_gap(), Span(333_333_333));
        assert_eq!(rate("3/s").span_of(3_000), Span::SECOND * 1_000);
        assert_eq!(rate("1/d").span_of(u64::MAX), Span::MAX);
        assert!((rate("90/h").per_second() - 0.025).abs() < 1e-15);
        assert!((rate("3/s").mean_gap_nanos() - 1e9 / 3.0).abs() < 1e-6);
    }

    #[test]
    fn a_rate_may_be_zero_where_that_is_allowed() {
        assert_eq!(Rate::parse_or_zero("0/s"), Ok(None));
        assert_eq!(Rate::parse_or_zero("2/s"), Ok(Rate::new(2, Span::SECOND)));
        let error = |text: &str| Rate::parse_or_zero(text).expect_err("no rate").to_string();
        assert!(error("0").contains("needs a period") && error("0/0s").contains("above zero"));
    }

    #[test]
    fn a_refused_rate_says_why() {
        let expected = [
            ("0/s", "it must be above zero"),
            ("-5/s", "it is negative"),
            ("5", "it needs a period behind a slash"),
            ("5/", "it needs a period behind a slash"),
            ("5/0s", "its period is zero"),
            ("12k/s", "`k` is not part of a number"),
            ("5/second", "unknown unit `second`, did you mean `s`?"),
            ("5/week", "unknown unit `week`, the units are ns, us, ms, s, m, h, d"),
            ("2/ns", "it is above one event per nanosecond"),
            ("0.0000000001234567891/d", "it is too precise"),
        ];
        for (text, why) in expected {
            let error = text.parse::<Rate>().expect_err("not a rate").to_string();
            let tail = r#"; expected for example "200/s", "0.5/s", "5/min""#;
            assert_eq!(error, format!("{text:?} is not a rate: {why}{tail}"));
        }
        let error = ron::from_str::<Rate>("200").expect_err("the period is missing").to_string();
        assert!(error.contains("\"200\" is not a rate: it needs a period"), "{error}");
    }

    #[test]
    fn rates_print_for_people_and_exactly() {
        let expected = [
            ("200/s", "200/s"),
            ("0.5/s", "0.5/s"),
            ("5/min", "5/min"),
            ("1000/h", "1000/h"),
            ("12.5/d", "12.5/d"),
            ("3/7ms", "3/7ms"),
        ];
        for (text, exact) in expected {
            assert_eq!(rate(text).exact(), exact);
            assert_eq!(rate(&rate(text).exact()), rate(text));
        }
        assert_eq!(rate("3/7ms").to_string(), "428.6/s");
        assert_eq!(format!("{:>7}", rate("5/min")), "  5/min");
        assert_eq!(ron::to_string(&rate("0.5/s")), Ok("\"0.5/s\"".into()));
    }
}
