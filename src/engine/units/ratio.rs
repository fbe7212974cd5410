//! `Ratio` is an exact probability and `Factor` an exact multiplier.
//!
//! A probability is a fraction of two integers, so `"1/3"` is a third, and one random number
//! decides it by an integer comparison (see [`Rng::chance`](crate::engine::rng::Rng::chance)).

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::greatest_common_divisor;
use super::parse::{ParseError, Quantity, Unit, decimal, deserialize_text, four_digits};
use crate::engine::time::Span;

/// A probability from 0 to 1, kept as a reduced fraction.
///
/// Written as `"2 %"`, `"0.1%"`, `"1/50"`, `"0.02"`, or as a bare number: `0.02`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Ratio {
    numerator: u64,
    denominator: u64,
}

/// A positive multiplier in thousandths, so that stretching a span is integer arithmetic.
///
/// Written as `"3x"`, `"0.5"`, `"150%"`, or as a bare number: `3`. From 0.001 up; a finer fraction
/// than a thousandth is an error.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Factor {
    thousandths: u64,
}

const RATIO: Quantity = Quantity {
    what: "a probability",
    examples: r#""2%", "1/50", "0.02""#,
    units: &[Unit { names: &["%"], hints: &["percent", "pct"], scale: 100 }],
    bare: Some(1),
    compound: false,
};

const FACTOR: Quantity = Quantity {
    what: "a factor",
    examples: r#""0.5", "3x", "150%""#,
    units: &[
        Unit { names: &["x"], hints: &["times"], scale: 1_000 },
        Unit { names: &["%"], hints: &["percent", "pct"], scale: 10 },
    ],
    bare: Some(1_000),
    compound: false,
};

impl Ratio {
    /// It never happens.
    pub const ZERO: Ratio = Ratio { numerator: 0, denominator: 1 };
    /// It always happens.
    pub const ONE: Ratio = Ratio { numerator: 1, denominator: 1 };

    /// The fraction of two integers, if it lies from 0 to 1.
    pub fn new(numerator: u64, denominator: u64) -> Option<Ratio> {
        if denominator == 0 || numerator > denominator {
            return None;
        }
        Ratio::reduced(numerator.into(), denominator.into())
    }

    /// The fraction in lowest terms, if its terms fit.
    fn reduced(numerator: u128, denominator: u128) -> Option<Ratio> {
        let divisor = greatest_common_divisor(numerator, denominator);
        Some(Ratio {
            numerator: u64::try_from(numerator / divisor).ok()?,
            denominator: u64::try_from(denominator / divisor).ok()?,
        })
    }

    /// The upper part of the fraction in lowest terms.
    pub fn numerator(self) -> u64 {
        self.numerator
    }

    /// The lower part of the fraction in lowest terms; at least 1.
    pub fn denominator(self) -> u64 {
        self.denominator
    }

    /// Whether it can never happen.
    #[inline]
    pub fn is_zero(self) -> bool {
        self.numerator == 0
    }

    /// Whether it always happens.
    pub fn is_one(self) -> bool {
        self == Ratio::ONE
    }

    /// The probability that it does not happen.
    pub fn complement(self) -> Ratio {
        Ratio { numerator: self.denominator - self.numerator, ..self }
    }

    /// Does a number belong to this share of all 2^64, which are the lowest ones? So whoever
    /// belongs to a share belongs to every greater one.
    pub fn covers(self, number: u64) -> bool {
        let product = u128::from(number) * u128::from(self.denominator);
        ((product >> 64) as u64) < self.numerator
    }

    /// The nearest float, for reports.
    pub fn as_f64(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }

    /// The percentage as an exact decimal, if it has one of at most six places.
    fn percent(self) -> Option<String> {
        let millionths = u128::from(self.numerator) * 100_000_000;
        let denominator = u128::from(self.denominator);
        let exact = millionths.is_multiple_of(denominator);
        exact.then(|| decimal((millionths / denominator) as u64, 1_000_000))
    }

    /// The text that reads back as exactly this ratio: `2%`, `1/3`.
    pub fn exact(self) -> String {
        match self.percent() {
            Some(percent) => format!("{percent}%"),
            None => format!("{}/{}", self.numerator, self.denominator),
        }
    }
}

/// No chance: a fault that nobody asked for does not happen.
impl Default for Ratio {
    fn default() -> Ratio {
        Ratio::ZERO
    }
}

impl PartialOrd for Ratio {
    fn partial_cmp(&self, other: &Ratio) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ratio {
    fn cmp(&self, other: &Ratio) -> Ordering {
        let cross = |a: u64, b: u64| u128::from(a) * u128::from(b);
        cross(self.numerator, other.denominator).cmp(&cross(other.numerator, self.denominator))
    }
}

/// For people: `2 %`, `33.33 %`. Rounded; see [`Ratio::exact`].
impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Ten digits behind the point keep four significant ones down to 0.0000001 %.
        const SCALE: u128 = 10_000_000_000;
        let percent = u128::from(self.numerator) * 100 * SCALE / u128::from(self.denominator);
        f.pad(&format!("{} %", decimal(four_digits(percent as u64), SCALE as u64)))
    }
}

impl FromStr for Ratio {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Ratio, ParseError> {
        let fail = |why: String| RATIO.error(text, why);
        let (numerator, denominator) = match text.trim().split_once('/') {
            Some((above, below)) => (whole(above).map_err(fail)?, whole(below).map_err(fail)?),
            None => {
                let (number, unit, _) = RATIO.part(text.trim()).map_err(fail)?;
                let (above, below) = number.fraction();
                (above, below * u128::from(unit.map_or(1, |unit| unit.scale)))
            }
        };
        if denominator == 0 {
            return Err(fail("its denominator is zero".into()));
        }
        if numerator > denominator {
            return Err(fail("it is above 1, that is 100 %".into()));
        }
        let ratio = Ratio::reduced(numerator, denominator);
        ratio.ok_or_else(|| fail("the number has too many digits".into()))
    }
}

/// One side of a fraction.
fn whole(text: &str) -> Result<u128, String> {
    let (number, unit, _) = RATIO.part(text.trim())?;
    match (number.fraction(), unit) {
        ((number, 1), None) => Ok(number),
        _ => Err("both sides of a fraction must be whole numbers".into()),
    }
}

impl<'de> Deserialize<'de> for Ratio {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Ratio, D::Error> {
        deserialize_text(deserializer, "a probability such as \"2%\" or 0.02")
    }
}

impl Serialize for Ratio {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.exact())
    }
}

impl Factor {
    /// Leaves everything as it is.
    pub const ONE: Factor = Factor { thousandths: 1_000 };
    /// Doubles everything.
    pub const TWO: Factor = Factor { thousandths: 2_000 };

    /// So many thousandths, if that is more than none.
    pub fn from_thousandths(thousandths: u64) -> Option<Factor> {
        (thousandths > 0).then_some(Factor { thousandths })
    }

    /// The factor in thousandths; at least 1.
    pub fn thousandths(self) -> u64 {
        self.thousandths
    }

    /// The span so many times as long, rounded half up to a nanosecond; saturates.
    #[inline]
    pub fn of(self, span: Span) -> Span {
        if self.thousandths == 1_000 {
            return span;
        }
        let product = u128::from(span.0) * u128::from(self.thousandths);
        Span(u64::try_from((product + 500) / 1_000).unwrap_or(u64::MAX))
    }

    /// The span that this factor makes `span` out of, rounded half up; saturates.
    pub fn inverse_of(self, span: Span) -> Span {
        let product = u128::from(span.0) * 1_000 + u128::from(self.thousandths) / 2;
        Span(u64::try_from(product / u128::from(self.thousandths)).unwrap_or(u64::MAX))
    }

    /// One factor after the other; at least a thousandth, saturates.
    pub fn times(self, other: Factor) -> Factor {
        let product = u128::from(self.thousandths) * u128::from(other.thousandths) / 1_000;
        Factor { thousandths: u64::try_from(product.max(1)).unwrap_or(u64::MAX) }
    }

    /// The nearest float, for reports.
    pub fn as_f64(self) -> f64 {
        self.thousandths as f64 / 1e3
    }
}

impl Default for Factor {
    fn default() -> Factor {
        Factor::ONE
    }
}

/// Exact, and reads back as the same factor: `0.5x`.
impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}x", decimal(self.thousandths, 1_000)))
    }
}

impl FromStr for Factor {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Factor, ParseError> {
        let thousandths = FACTOR.read(text)?;
        Factor::from_thousandths(thousandths)
            .ok_or_else(|| FACTOR.error(text, "it must be above zero"))
    }
}

impl<'de> Deserialize<'de> for Factor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Factor, D::Error> {
        deserialize_text(deserializer, "a factor such as \"3x\" or 0.5")
    }
}

impl Serialize for Factor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(text: &str) -> Ratio {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn every_way_to_write_two_percent_is_the_same_ratio() {
        for text in ["2 %", "2%", "1/50", "2/100", " 1 / 50 ", "0.02", "2.0%"] {
            assert_eq!(Some(ratio(text)), Ratio::new(1, 50), "{text}");
        }
        for text in ["0.02", "\"2%\"", "\"1/50\"", "2e-2"] {
            assert_eq!(ron::from_str::<Ratio>(text).ok(), Ratio::new(1, 50), "{text}");
        }
        assert_eq!(ron::from_str::<Ratio>("0"), Ok(Ratio::ZERO));
        assert_eq!(ron::from_str::<Ratio>("1"), Ok(Ratio::ONE));
        assert_eq!(ratio("1/3").complement(), ratio("2/3"));
        assert!(ratio("1/3") < ratio("34%") && ratio("1/3") > ratio("33%"));
        assert_eq!((Ratio::new(3, 2), Ratio::new(0, 0)), (None, None));
    }

    #[test]
    fn a_refused_ratio_says_why() {
        let expected = [
            ("2", "it is above 1, that is 100 %"),
            ("101%", "it is above 1, that is 100 %"),
            ("3/2", "it is above 1, that is 100 %"),
            ("1/0", "its denominator is zero"),
            ("-0.1", "it is negative"),
            ("5 percent", "unknown unit `percent`, did you mean `%`?"),
            ("0.5/2", "both sides of a fraction must be whole numbers"),
            ("1/", "a number is missing"),
            ("often", "a number is missing"),
        ];
        for (text, why) in expected {
            let error = text.parse::<Ratio>().expect_err("not a probability").to_string();
            let tail = r#"; expected for example "2%", "1/50", "0.02""#;
            assert_eq!(error, format!("{text:?} is not a probability: {why}{tail}"));
        }
    }

    #[test]
    fn ratios_print_for_people_and_exactly() {
        assert_eq!(format!("{:>7}", ratio("0.1%")), "  0.1 %");
        assert_eq!(ratio("1/3").to_string(), "33.33 %");
        assert_eq!(Ratio::ONE.to_string(), "100 %");
        assert_eq!((ratio("0.02").exact(), ratio("1/3").exact()), ("2%".into(), "1/3".into()));
        for text in ["0", "1", "1/3", "0.001%", "0.00000001", "123456789/1000000007"] {
            assert_eq!(ratio(&ratio(text).exact()), ratio(text));
        }
        assert_eq!(ron::to_string(&ratio("1/50")), Ok("\"2%\"".into()));
    }

    #[test]
    fn a_factor_multiplies_a_span_exactly() {
        let factor = |text: &str| text.parse::<Factor>().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(factor("0.5").of(Span(3)), Span(2));
        assert_eq!(factor("3x").of(Span(1_000)), Span(3_000));
        assert_eq!(factor("150 %"), factor("1.5"));
        assert_eq!(factor("2").of(Span::MAX), Span::MAX);
        assert_eq!(factor("1").of(Span::MAX), Span::MAX);
        assert_eq!(ron::from_str::<Factor>("0.25").map(Factor::thousandths), Ok(250));
        assert_eq!(format!("{:>6}", factor("0.5")), "  0.5x");
        assert_eq!(factor(&factor("1.125").to_string()), factor("1.125"));
        let error = |text: &str| text.parse::<Factor>().expect_err("not a factor").to_string();
        let tail = r#"; expected for example "0.5", "3x", "150%""#;
        assert_eq!(error("0"), format!("\"0\" is not a factor: it must be above zero{tail}"));
        assert!(error("-1").contains("it is negative"));
        assert!(error("0.0001").contains("more precise than the smallest unit"));
        assert!(error("3 times").contains("did you mean `x`?"));
    }
}
