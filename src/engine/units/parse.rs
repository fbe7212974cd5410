//! One exact reader for every number with a unit: digits, a decimal point, a unit, never a float.
//!
//! `"1.5s"`, `"2 %"`, `"64KiB"` and `"100Mbit/s"` differ only in their table of units, so they
//! share one grammar and one style of error: the offending text, the reason, and an example that
//! works. A decimal is kept as digits and a power of ten, which makes `"0.1s"` exactly
//! 100 000 000 ns.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{self, Deserializer, Visitor};

/// Why a text is not a value of its type: a whole sentence for the person who wrote the text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseError(String);

impl ParseError {
    pub(crate) fn new(sentence: impl Into<String>) -> ParseError {
        ParseError(sentence.into())
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ParseError {}

/// A unit: its accepted names (the first is the one printed) and its size in the base unit.
pub(crate) struct Unit {
    pub names: &'static [&'static str],
    /// Spellings that are refused, but answered with "did you mean".
    pub hints: &'static [&'static str],
    pub scale: u64,
}

/// The grammar of one type: what it is called, what it looks like, and its units.
pub(crate) struct Quantity {
    /// With its article, for messages: `a time span`.
    pub what: &'static str,
    /// Valid texts, quoted, for messages.
    pub examples: &'static str,
    pub units: &'static [Unit],
    /// The scale of a number without a unit; `None` if only zero may go without.
    pub bare: Option<u64>,
    /// Whether several parts add up, from the largest unit to the smallest, as in `2m 30s`.
    pub compound: bool,
}

/// A non-negative decimal number, exactly: `digits` divided by ten to the power of `places`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Decimal {
    digits: u128,
    places: u32,
}

/// So many digits fit in 128 bits with room for a unit's scale; a longer number is a typing error.
const DIGITS_MAX: u32 = 27;

impl Decimal {
    /// Splits a number off the front of the text; the rest starts right behind its last digit.
    fn split(text: &str) -> Result<(Decimal, &str), String> {
        if text.starts_with('-') {
            return Err("it is negative".into());
        }
        if !text.starts_with(|c: char| c.is_ascii_digit()) {
            return Err("a number is missing".into());
        }
        let mut decimal = Decimal { digits: 0, places: 0 };
        let (mut in_fraction, mut end) = (false, text.len());
        for (at, c) in text.char_indices() {
            let next = text[at + c.len_utf8()..].chars().next();
            match c {
                '0'..='9' => decimal.push(c, in_fraction)?,
                // Digits may be grouped, as in Rust and RON: 10_000.
                '_' if next.is_some_and(|n| n.is_ascii_digit()) => {}
                '.' if !in_fraction && next.is_some_and(|n| n.is_ascii_digit()) => {
                    in_fraction = true;
                }
                ',' => return Err("a number has no comma; write a decimal point".into()),
                _ => {
                    end = at;
                    break;
                }
            }
        }
        Ok((decimal.trimmed(), &text[end..]))
    }

    fn push(&mut self, digit: char, in_fraction: bool) -> Result<(), String> {
        self.digits = self.digits * 10 + u128::from(digit as u8 - b'0');
        self.places += u32::from(in_fraction);
        if self.digits >= 10_u128.pow(DIGITS_MAX) || self.places > DIGITS_MAX {
            return Err("the number has too many digits".into());
        }
        Ok(())
    }

    /// The same number without trailing zeros in its fraction.
    fn trimmed(mut self) -> Decimal {
        while self.places > 0 && self.digits.is_multiple_of(10) {
            self.digits /= 10;
            self.places -= 1;
        }
        self
    }

    pub fn is_zero(self) -> bool {
        self.digits == 0
    }

    /// This number times a scale, if that is a whole number below 2^64.
    pub fn scaled(self, scale: u64) -> Result<u64, String> {
        let product = self.digits.checked_mul(u128::from(scale)).ok_or("it is too large")?;
        let power = 10_u128.pow(self.places);
        if !product.is_multiple_of(power) {
            return Err("it is more precise than the smallest unit".into());
        }
        u64::try_from(product / power).map_err(|_| "it is too large".into())
    }

    /// This number as a numerator and a denominator, not reduced.
    pub fn fraction(self) -> (u128, u128) {
        (self.digits, 10_u128.pow(self.places))
    }
}

impl Quantity {
    /// The error for a text that is not of this kind, with the reason and examples.
    pub fn error(&self, text: &str, why: impl fmt::Display) -> ParseError {
        let (what, examples) = (self.what, self.examples);
        ParseError(format!("{text:?} is not {what}: {why}; expected for example {examples}"))
    }

    /// Reads the whole text as a number of base units.
    pub fn read(&self, text: &str) -> Result<u64, ParseError> {
        self.sum(text).map_err(|why| self.error(text, why))
    }

    /// The same with nothing but the reason as its error, for a text that is part of another.
    pub fn sum(&self, text: &str) -> Result<u64, String> {
        let (mut rest, mut total, mut scale_last) = (text.trim(), 0_u64, u64::MAX);
        loop {
            let (number, unit, tail) = self.part(rest)?;
            let scale = match (unit, self.bare) {
                (Some(unit), _) => unit.scale,
                (None, Some(scale)) => scale,
                (None, None) if number.is_zero() && scale_last == u64::MAX => 1,
                (None, None) => return Err("it has no unit".into()),
            };
            if scale >= scale_last {
                return Err("its parts must go from the largest unit to the smallest".into());
            }
            total = total.checked_add(number.scaled(scale)?).ok_or("it is too large")?;
            if tail.is_empty() {
                return Ok(total);
            }
            (rest, scale_last) = (tail, scale);
        }
    }

    /// Splits one number and its unit off the text; the tail is trimmed.
    pub fn part<'t>(
        &self,
        text: &'t str,
    ) -> Result<(Decimal, Option<&'static Unit>, &'t str), String> {
        let (number, rest) = Decimal::split(text)?;
        let rest = rest.trim_start();
        let ends = |c: char| self.compound && (c.is_whitespace() || c.is_ascii_digit());
        let (name, tail) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
        if name.is_empty() {
            return Ok((number, None, tail.trim()));
        }
        let unit = self.units.iter().find(|unit| unit.names.contains(&name));
        let unit = unit.ok_or_else(|| self.unknown(name))?;
        Ok((number, Some(unit), tail.trim()))
    }

    fn unknown(&self, name: &str) -> String {
        if let Some(near) = self.suggestion(name) {
            return format!("unknown unit `{name}`, did you mean `{near}`?");
        }
        if self.units.is_empty() {
            return format!("`{name}` is not part of a number");
        }
        let names: Vec<&str> = self.units.iter().map(|unit| unit.names[0]).collect();
        format!("unknown unit `{name}`, the units are {}", names.join(", "))
    }

    /// The unit somebody probably meant: known misspellings, then the wrong case, then one slip.
    fn suggestion(&self, name: &str) -> Option<&'static str> {
        let equal = |other: &&str| other.eq_ignore_ascii_case(name);
        let by = |test: &dyn Fn(&Unit) -> bool| self.units.iter().find(|unit| test(unit));
        by(&|unit| unit.hints.contains(&name))
            .or_else(|| by(&|unit| unit.hints.iter().any(equal)))
            .or_else(|| by(&|unit| unit.names.iter().any(equal)))
            .or_else(|| by(&|unit| unit.names.iter().any(|other| one_slip_apart(name, other))))
            .map(|unit| unit.names[0])
    }
}

/// Whether two words differ by one letter added, dropped, changed, or by two neighbours swapped.
/// Words of one letter resemble everything, so they never match.
fn one_slip_apart(left: &str, right: &str) -> bool {
    let (mut left, mut right) = (left.as_bytes(), right.as_bytes());
    if left.len() < 2 || right.len() < 2 {
        return false;
    }
    while let (Some(a), Some(b)) = (left.first(), right.first())
        && a == b
    {
        (left, right) = (&left[1..], &right[1..]);
    }
    while let (Some(a), Some(b)) = (left.last(), right.last())
        && a == b
    {
        (left, right) = (&left[..left.len() - 1], &right[..right.len() - 1]);
    }
    match (left, right) {
        ([a, b], [c, d]) => a == d && b == c,
        _ => left.len() <= 1 && right.len() <= 1,
    }
}

/// `value / scale` as an exact decimal; the scale is a power of ten.
pub(crate) fn decimal(value: u64, scale: u64) -> String {
    let (whole, fraction) = (value / scale, value % scale);
    if fraction == 0 {
        return whole.to_string();
    }
    let places = scale.ilog10() as usize;
    let digits = format!("{fraction:0places$}");
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

/// The value rounded half up to four significant digits, which is what a person can compare.
pub(crate) fn four_digits(value: u64) -> u64 {
    let mut power = 1_u64;
    while value / power >= 10_000 {
        power *= 10;
    }
    value.saturating_add(power / 2) / power * power
}

/// Deserializes any of these types from a string, or from a bare number that means the same text.
pub(crate) fn deserialize_text<'de, D, T>(
    deserializer: D,
    expecting: &'static str,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err = ParseError>,
{
    deserializer.deserialize_any(TextVisitor { expecting, target: PhantomData })
}

struct TextVisitor<T> {
    expecting: &'static str,
    target: PhantomData<T>,
}

impl<T: FromStr<Err = ParseError>> Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expecting)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    // The shortest text that reads back as the same float is what the person wrote, so the
    // number becomes exact again: 0.1 is one tenth.
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_print_without_trailing_zeros() {
        assert_eq!(decimal(1_500, 1_000), "1.5");
        assert_eq!(decimal(1_050, 1_000), "1.05");
        assert_eq!(decimal(2_000, 1_000), "2");
        assert_eq!(decimal(7, 1), "7");
    }

    #[test]
    fn four_digits_round_half_up_and_carry() {
        assert_eq!(four_digits(9_999), 9_999);
        assert_eq!(four_digits(12_345), 12_350);
        assert_eq!(four_digits(99_995), 100_000);
        assert_eq!(four_digits(99_994), 99_990);
        assert_eq!(four_digits(u64::MAX), 18_440_000_000_000_000_000);
    }

    #[test]
    fn one_slip_is_recognised_and_two_are_not() {
        assert!(one_slip_apart("sm", "ms") && one_slip_apart("mss", "ms"));
        assert!(one_slip_apart("Mbt", "Mbit") && one_slip_apart("KiV", "KiB"));
        assert!(!one_slip_apart("parsecs", "s") && !one_slip_apart("Mib", "kB"));
    }
}
