//! Values in the unit that a reader expects: one unit and one number of decimals for figures that
//! stand beside each other.

use crate::check::outcome::Quantity;
use crate::report::number;
use crate::report::tradeoff::Figure;
use crate::stats::Estimate;

/// How the figures of one row are written.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Scale {
    factor: f64,
    /// The symbol, empty for counts and money.
    pub unit: &'static str,
    decimals: usize,
}

impl Scale {
    /// The scale that suits all of these figures.
    pub fn of<'a>(quantity: Quantity, figures: impl Iterator<Item = &'a Figure> + Clone) -> Scale {
        let largest = figures.clone().map(|figure| figure.value.abs()).fold(0.0, f64::max);
        let (factor, unit) = unit(quantity, largest);
        let wanted = figures.map(|figure| decimals(quantity, figure, factor)).max().unwrap_or(0);
        // More than five digits are not read; a large figure beside a small one sets the limit.
        let digits = number::decimals_for(largest * factor, 5);
        let cap = if quantity == Quantity::Money { digits.min(2) } else { digits };
        Scale { factor, unit, decimals: if largest == 0.0 { 0 } else { wanted.min(cap) } }
    }

    /// The scale for one value on its own.
    pub fn of_one(quantity: Quantity, value: f64, half_width: Option<f64>) -> Scale {
        let interval = half_width.map(|half| (value - half, value + half));
        let figure = Figure { value, interval, values: Vec::new(), versus: None };
        Scale::of(quantity, std::iter::once(&figure))
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

/// One value with its unit.
pub(super) fn one(quantity: Quantity, value: f64) -> String {
    Scale::of_one(quantity, value, None).text(value)
}

fn unit(quantity: Quantity, largest: f64) -> (f64, &'static str) {
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
        Quantity::Count | Quantity::Money => (1.0, ""),
    }
}

/// The decimals that one figure deserves.
fn decimals(quantity: Quantity, figure: &Figure, factor: f64) -> usize {
    let value = figure.value * factor;
    match figure.half_width().map(|half| half * factor) {
        Some(half) if half > 0.0 => {
            Estimate { mean: value, half_width: Some(half), n: 2 }.decimals()
        }
        _ if quantity == Quantity::Money => 2,
        // Near 100 % it is the distance that counts: 99.987 % must not turn into 100 %.
        _ if quantity == Quantity::Share && value > 90.0 && value < 100.0 => {
            number::decimals_for(100.0 - value, 2).clamp(1, 4)
        }
        _ if value == value.round() && quantity != Quantity::Time => 0,
        _ => number::decimals_for(value, 3),
    }
}
