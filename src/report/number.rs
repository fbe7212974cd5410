//! Numbers as people read them: few digits, thousands apart, one unit for figures that stand
//! together.
//!
//! Every figure of a report goes through here, so that the same quantity looks the same in the
//! terminal, in Markdown and in HTML. Rust formats floats exactly and alike on every platform; the
//! only decision taken here is how many digits to show.

/// What stands for a figure that does not exist.
pub const NONE: &str = "–";

/// An integer with commas between the thousands: `1,204,331`.
pub fn integer(value: u64) -> String {
    grouped(&value.to_string())
}

/// A number with a fixed count of decimals and commas between the thousands: `1,204.50`.
/// What rounds to zero has no sign; what is not a number is a dash.
pub fn fixed(value: f64, decimals: usize) -> String {
    if value.is_nan() {
        return NONE.to_string();
    }
    if value.is_infinite() {
        return if value > 0.0 { "∞" } else { "-∞" }.to_string();
    }
    let digits = format!("{:.decimals$}", value.abs());
    let is_zero = digits.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    let sign = if value < 0.0 && !is_zero { "-" } else { "" };
    match digits.split_once('.') {
        Some((whole, part)) => format!("{sign}{}.{part}", grouped(whole)),
        None => format!("{sign}{}", grouped(&digits)),
    }
}

/// A number with at least `significant` digits: `0.0123`, `12.3`, `1,204,331`. Whole digits are
/// never rounded away. Far from one it is written as `1.23e-7`.
pub fn human(value: f64, significant: usize) -> String {
    if value == 0.0 {
        return "0".to_string();
    }
    if value.is_finite() && !(-4..15).contains(&exponent(value, significant)) {
        return format!("{value:.*e}", significant.saturating_sub(1));
    }
    fixed(value, decimals_for(value, significant))
}

/// A fraction as a percentage. Near 0 and near 1 it gets more decimals, so that 99.987 % does not
/// turn into 100 %: only what is exactly 1 is `100%`, and only what is exactly 0 is `0%`.
pub fn percent(fraction: f64) -> String {
    if !fraction.is_finite() {
        return NONE.to_string();
    }
    if fraction.abs() >= 1e13 {
        return format!("{:.1e}%", fraction * 100.0);
    }
    if fraction == 0.0 || fraction == 1.0 {
        return if fraction == 0.0 { "0%" } else { "100%" }.to_string();
    }
    let inside = (0.0..1.0).contains(&fraction);
    let edge = if inside { fraction.min(1.0 - fraction) } else { fraction };
    if inside && edge < 1e-9 {
        return if fraction < 0.5 { "<0.0000001%" } else { ">99.9999999%" }.to_string();
    }
    // Two significant digits of the distance to the edge; nobody reads further than nine nines.
    let decimals = decimals_for(edge * 100.0, 2).clamp(1, 7);
    format!("{}%", fixed(fraction * 100.0, decimals))
}

/// The decimals that show `value` to `significant` digits; none if the whole part has them all.
pub fn decimals_for(value: f64, significant: usize) -> usize {
    if value == 0.0 || !value.is_finite() {
        return significant.saturating_sub(1);
    }
    after_point(significant, exponent(value, significant))
}

/// The decimals that an uncertainty deserves: one significant digit, two if the first is a 1,
/// since 0.14 as 0.1 would be off by a third.
pub fn decimals_of_error(error: f64) -> usize {
    if error == 0.0 || !error.is_finite() {
        return 0;
    }
    let starts_with_one =
        |digits: usize| format!("{:.*e}", digits - 1, error.abs()).starts_with('1');
    let significant = if starts_with_one(1) || starts_with_one(2) { 2 } else { 1 };
    after_point(significant, exponent(error, 1))
}

fn after_point(significant: usize, exponent: i32) -> usize {
    (significant as i64 - 1 - i64::from(exponent)).max(0) as usize
}

/// The power of ten of the first digit, after rounding to `significant` digits.
fn exponent(value: f64, significant: usize) -> i32 {
    let text = format!("{value:.*e}", significant.saturating_sub(1));
    let power = text.rsplit('e').next().and_then(|power| power.parse().ok());
    power.expect("a finite float in scientific form ends in its power of ten")
}

fn grouped(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.char_indices() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A unit of time for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// ns
    Nanoseconds,
    /// µs
    Microseconds,
    /// ms
    Milliseconds,
    /// s
    Seconds,
    /// min
    Minutes,
    /// h
    Hours,
}

/// The unit for figures that stand together and of which `max_ns` is the largest. Seconds start at
/// ten of them, since a row with 1.2 s often has 3 ms in it too.
pub fn unit_for(max_ns: u64) -> Unit {
    match max_ns {
        0..1_000 => Unit::Nanoseconds,
        1_000..1_000_000 => Unit::Microseconds,
        1_000_000..10_000_000_000 => Unit::Milliseconds,
        10_000_000_000..600_000_000_000 => Unit::Seconds,
        600_000_000_000..36_000_000_000_000 => Unit::Minutes,
        _ => Unit::Hours,
    }
}

impl Unit {
    /// The length of one, in nanoseconds.
    pub fn nanoseconds(self) -> u64 {
        match self {
            Unit::Nanoseconds => 1,
            Unit::Microseconds => 1_000,
            Unit::Milliseconds => 1_000_000,
            Unit::Seconds => 1_000_000_000,
            Unit::Minutes => 60_000_000_000,
            Unit::Hours => 3_600_000_000_000,
        }
    }

    /// The symbol: `ms`.
    pub fn symbol(self) -> &'static str {
        match self {
            Unit::Nanoseconds => "ns",
            Unit::Microseconds => "µs",
            Unit::Milliseconds => "ms",
            Unit::Seconds => "s",
            Unit::Minutes => "min",
            Unit::Hours => "h",
        }
    }

    /// A length in nanoseconds as a count of this unit.
    pub fn of(self, nanoseconds: f64) -> f64 {
        nanoseconds / self.nanoseconds() as f64
    }

    /// The decimals for figures of which `max_ns` is the largest: three or four digits in all.
    pub fn decimals(self, max_ns: u64) -> usize {
        match self.of(max_ns as f64) {
            _ if self == Unit::Nanoseconds => 0,
            large if large >= 1000.0 => 0,
            middling if middling >= 10.0 => 1,
            _ => 2,
        }
    }

    /// A length in nanoseconds as a bare number in this unit, for a column or row that names it.
    pub fn number(self, nanoseconds: f64, decimals: usize) -> String {
        fixed(self.of(nanoseconds), decimals)
    }
}

/// One length of time on its own, with its unit: `12.3 ms`.
pub fn duration(nanoseconds: u64) -> String {
    let unit = unit_for(nanoseconds);
    let decimals = unit.decimals(nanoseconds);
    format!("{} {}", unit.number(nanoseconds as f64, decimals), unit.symbol())
}

/// A point or length as its author would write it, exact and without needless zeros: `20 s`,
/// `1.5 s`, `250 ms`. For axis ticks and the times of a scenario.
pub fn plain_duration(nanoseconds: u64) -> String {
    let units = [Unit::Seconds, Unit::Milliseconds, Unit::Microseconds];
    let unit = units.into_iter().find(|unit| nanoseconds >= unit.nanoseconds());
    let unit = match unit {
        _ if nanoseconds == 0 => Unit::Seconds,
        Some(unit) => unit,
        None => Unit::Nanoseconds,
    };
    in_unit(nanoseconds, unit)
}

/// An exact length in a given unit of a second or below, without needless zeros: `0.25 s`.
pub fn in_unit(nanoseconds: u64, unit: Unit) -> String {
    let size = unit.nanoseconds();
    let digits = size.to_string().len() - 1;
    let part = format!("{:0digits$}", nanoseconds % size);
    let part = if digits == 0 { "" } else { part.trim_end_matches('0') };
    let point = if part.is_empty() { "" } else { "." };
    format!("{}{point}{part} {}", integer(nanoseconds / size), unit.symbol())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(integer(0), "0");
        assert_eq!(integer(999), "999");
        assert_eq!(integer(1_204_331), "1,204,331");
        assert_eq!(fixed(-1234.5, 2), "-1,234.50");
        assert_eq!(fixed(999_999.96, 1), "1,000,000.0");
    }

    #[test]
    fn what_rounds_to_zero_has_no_sign() {
        assert_eq!(fixed(-0.04, 1), "0.0");
        assert_eq!(fixed(-0.06, 1), "-0.1");
        assert_eq!(fixed(f64::NAN, 1), NONE);
        assert_eq!(fixed(f64::NEG_INFINITY, 1), "-∞");
    }

    #[test]
    fn significant_digits_are_shown_and_whole_ones_never_dropped() {
        assert_eq!(human(0.012_345, 3), "0.0123");
        assert_eq!(human(12.345, 3), "12.3");
        assert_eq!(human(9.996, 3), "10.0");
        assert_eq!(human(1_204_331.4, 3), "1,204,331");
        assert_eq!(human(0.0, 3), "0");
        assert_eq!(human(1.234e-7, 3), "1.23e-7");
        assert_eq!(human(-2e18, 2), "-2.0e18");
        assert_eq!(human(f64::NAN, 3), NONE);
        assert_eq!(human(7.0, 0), "7");
    }

    #[test]
    fn a_percentage_never_rounds_to_certainty() {
        assert_eq!(percent(0.9641), "96.4%");
        assert_eq!(percent(0.999_87), "99.987%");
        assert_eq!(percent(0.999_999_999_99), ">99.9999999%");
        assert_eq!(percent(1e-12), "<0.0000001%");
        assert_eq!(percent(0.0012), "0.12%");
        assert_eq!((percent(0.0), percent(1.0)), ("0%".to_string(), "100%".to_string()));
        assert_eq!(percent(-0.25), "-25.0%");
        assert_eq!(percent(2.5), "250.0%");
        for nines in 1..12 {
            let fraction = 1.0 - 1.0 / (0..nines).fold(1.0, |power, _| power * 10.0);
            let text = percent(fraction);
            assert!(text != "100%" && !text.contains("100."), "{text}");
        }
    }

    #[test]
    fn an_error_gets_one_digit_or_two_after_a_one() {
        assert_eq!(decimals_of_error(0.41), 1);
        assert_eq!(decimals_of_error(0.14), 2);
        assert_eq!(decimals_of_error(1.68), 1);
        assert_eq!(decimals_of_error(6.7), 0);
        assert_eq!(decimals_of_error(0.96), 1);
        assert_eq!(decimals_of_error(2300.0), 0);
    }

    #[test]
    fn figures_that_stand_together_share_a_unit() {
        assert_eq!(unit_for(999), Unit::Nanoseconds);
        assert_eq!(unit_for(512_000_000), Unit::Milliseconds);
        assert_eq!(unit_for(9_999_000_000), Unit::Milliseconds);
        assert_eq!(unit_for(60_000_000_000), Unit::Seconds);
        assert_eq!(unit_for(u64::MAX), Unit::Hours);
        let unit = unit_for(512_000_000);
        let decimals = unit.decimals(512_000_000);
        assert_eq!(unit.number(24_812_345.0, decimals), "24.8");
        assert_eq!(unit.number(512_000_000.0, decimals), "512.0");
        assert_eq!(unit.symbol(), "ms");
    }

    #[test]
    fn a_duration_stands_alone_with_its_unit() {
        assert_eq!(duration(12_345_678), "12.3 ms");
        assert_eq!(duration(1_500), "1.50 µs");
        assert_eq!(duration(0), "0 ns");
        assert_eq!(duration(90_000_000_000), "90.0 s");
        assert_eq!(duration(5_400_000_000_000), "90.0 min");
    }

    #[test]
    fn a_plain_duration_is_exact_and_short() {
        assert_eq!(plain_duration(20_000_000_000), "20 s");
        assert_eq!(plain_duration(1_500_000_000), "1.5 s");
        assert_eq!(plain_duration(250_000_000), "250 ms");
        assert_eq!(plain_duration(1), "1 ns");
        assert_eq!(plain_duration(0), "0 s");
        assert_eq!(plain_duration(3_600_000_000_000), "3,600 s");
        assert_eq!(in_unit(250_000_000, Unit::Seconds), "0.25 s");
        assert_eq!(in_unit(42, Unit::Nanoseconds), "42 ns");
    }
}
