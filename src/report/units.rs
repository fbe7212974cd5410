//! Values in the unit that a reader expects: one unit and one number of decimals for figures that
//! stand beside each other.

use crate::check::outcome::Quantity;
use crate::report::number;
use crate::report::tradeoff::Row;
use crate::stats::Estimate;

/// How the figures of one row are written.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Scale<'a> {
    factor: f64,
    /// The symbol, empty for counts.
    pub unit: &'a str,
    decimals: usize,
}

impl Scale<'_> {
    /// The scale that suits all figures of a row.
    pub fn of(row: &Row) -> Scale<'_> {
        let figures = row.figures.iter().flatten();
        let figures = figures.map(|figure| (figure.value, figure.half_width()));
        Scale::from(row.quantity, &row.currency, figures)
    }

    /// The scale for one value of a row, or a difference, on its own.
    pub fn of_one(row: &Row, value: f64, half_width: Option<f64>) -> Scale<'_> {
        Scale::from(row.quantity, &row.currency, std::iter::once((value, half_width)))
    }

    /// The scale for values of a quantity, each with its half width, that stand beside each other.
    pub fn from(
        quantity: Quantity,
        currency: &str,
        figures: impl Iterator<Item = (f64, Option<f64>)> + Clone,
    ) -> Scale<'_> {
        let largest = figures.clone().map(|(value, _)| value.abs()).fold(0.0, f64::max);
        let (factor, unit) = unit(quantity, currency, largest);
        let scaled = figures.map(|(value, half)| (value * factor, half.map(|half| half * factor)));
        let wanted = scaled.map(|(value, half)| decimals(quantity, value, half)).max();
        // More than five digits are not read; a large figure beside a small one sets the limit.
        let digits = number::decimals_for(largest * factor, 5);
        let is_money = quantity == Quantity::Money && largest >= 1.0;
        let cap = if is_money { digits.min(2) } else { digits };
        let decimals = if largest == 0.0 { 0 } else { wanted.unwrap_or(0).min(cap) };
        Scale { factor, unit, decimals }
    }

    /// The value without its unit. Exactly nothing is `0`.
    pub fn number(&self, value: f64) -> String {
        if value == 0.0 {
            return "0".to_string();
        }
        number::fixed(value * self.factor, self.decimals)
    }

    /// The half width without its unit: `±0.4`; empty if there is none or it is exactly nothing.
    /// What would round to nothing is written as one unit of the last digit, which covers it.
    pub fn plus_minus(&self, half_width: Option<f64>) -> String {
        let Some(half) = half_width.filter(|&half| half > 0.0) else { return String::new() };
        let shown = number::fixed(half * self.factor, self.decimals);
        if shown.bytes().any(|byte| matches!(byte, b'1'..=b'9')) {
            return format!("±{shown}");
        }
        let last = (0..self.decimals).fold(1.0, |unit, _| unit / 10.0);
        format!("±{}", number::fixed(last, self.decimals))
    }

    /// The value with its unit: `12.3 ms`, `98.4%`.
    pub fn text(&self, value: f64) -> String {
        self.with_unit(self.number(value))
    }

    /// A text of figures with the unit behind it.
    pub fn with_unit(&self, text: String) -> String {
        match self.unit {
            "" => text,
            "%" => format!("{text}%"),
            unit => format!("{text} {unit}"),
        }
    }
}

fn unit(quantity: Quantity, currency: &str, largest: f64) -> (f64, &str) {
    match quantity {
        Quantity::Time => {
            // The cast saturates, and what is longer than 584 years is written in hours as well.
            let unit = number::unit_for((largest * 1e9) as u64);
            (1e9 / unit.nanoseconds() as f64, unit.symbol())
        }
        Quantity::Share => (100.0, "%"),
        Quantity::Rate => (1.0, "/s"),
        Quantity::Bytes => match largest {
            _ if largest >= 1e10 => (1e-9, "GB"),
            _ if largest >= 1e7 => (1e-6, "MB"),
            _ if largest >= 1e4 => (1e-3, "kB"),
            _ => (1.0, "B"),
        },
        Quantity::Count => (1.0, ""),
        Quantity::Money => (1.0, currency),
    }
}

/// The decimals that one figure deserves.
fn decimals(quantity: Quantity, value: f64, half_width: Option<f64>) -> usize {
    match half_width {
        Some(half) if half > 0.0 => {
            Estimate { mean: value, half_width: Some(half), n: 2 }.decimals()
        }
        _ if quantity == Quantity::Money && value.abs() >= 1.0 => 2,
        // Near 100 % it is the distance that counts: 99.987 % must not turn into 100 %.
        _ if quantity == Quantity::Share && value > 90.0 && value < 100.0 => {
            number::decimals_for(100.0 - value, 2).clamp(1, 4)
        }
        _ if value == value.round() && quantity != Quantity::Time => 0,
        _ => number::decimals_for(value, 3),
    }
}
