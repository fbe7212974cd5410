//! What each variant buys and what it costs, in words.
//!
//! Only differences beyond chance are told, the largest first. How large one is, is a ratio, so
//! that milliseconds and messages can be put in one order; a share near one is judged by what is
//! missing from it, since 99.9 % instead of 99 % is a tenth of the failures.

use crate::check::outcome::{Axis, Quantity, Study};
use crate::report::document::{Block, Line, Tone};
use crate::report::number;
use crate::report::tradeoff::{Change, Row, Tradeoff, Versus};
use crate::report::units::Scale;

/// The most effects told of one kind.
const EFFECTS_MAX: usize = 6;
/// The most of one axis: four percentiles of one latency are one story.
const EFFECTS_PER_AXIS_MAX: usize = 2;
/// Of a single seed, chance cannot be judged; then what differs by less than this is left out.
const RATIO_MIN_OF_ONE_SEED: f64 = 1.1;
/// Beyond this a ratio says less than the two values do.
const RATIO_MAX_TOLD: f64 = 20.0;

/// Mean and maximum of a latency: percentiles tell the same story with less noise.
const UNTOLD: [&str; 2] = ["latency.mean", "latency.max"];

/// One difference worth telling.
struct Effect<'a> {
    row: &'a Row,
    versus: &'a Versus,
    /// The value of the first variant, and of this one.
    values: (f64, f64),
    /// The logarithm of the ratio, without its sign.
    size: f64,
}

/// The section.
pub(super) fn section(study: &Study, tradeoff: &Tradeoff) -> Vec<Block> {
    let Some((first, others)) = study.variants.split_first() else { return Vec::new() };
    if others.is_empty() {
        return Vec::new();
    }
    let is_single = study.variants.iter().all(|variant| variant.runs.len() <= 1);
    let note = if is_single {
        format!("against {}, in this one seed; --seeds 20 tells it from chance", first.name)
    } else {
        format!("against {}, beyond chance, the largest first", first.name)
    };
    let mut blocks = vec![Block::heading("What each variant buys and costs", note)];
    for (index, variant) in others.iter().enumerate() {
        blocks.push(Block::Subheading(variant.name.clone()));
        if !variant.about.is_empty() {
            blocks.push(Block::Remark(variant.about.clone()));
        }
        let of = |change| effects(tradeoff, index + 1, change, is_single);
        let (buys, costs) = (of(Change::Better), of(Change::Worse));
        let mut items = list("buys", Tone::Good, "▲", &buys);
        items.extend(list("costs", Tone::Bad, "▼", &costs));
        if items.is_empty() {
            let nothing = if is_single { "differs little" } else { "no difference beyond chance" };
            items.push(Line::of(Tone::Dim, nothing));
        }
        blocks.push(Block::Items(items));
    }
    blocks
}

/// The effects of one direction, the largest first.
fn effects<'a>(
    tradeoff: &'a Tradeoff,
    variant: usize,
    change: Change,
    is_single: bool,
) -> Vec<Effect<'a>> {
    let mut found: Vec<Effect> = (tradeoff.rows.iter())
        .filter(|row| row.part().is_none() && !UNTOLD.contains(&row.id.as_str()))
        .filter_map(|row| {
            let effect = effect(row, variant)?;
            let told = if is_single {
                row.direction(effect.versus) == Some(change)
                    && effect.size >= libm::log(RATIO_MIN_OF_ONE_SEED)
            } else {
                row.change(variant) == Some(change)
            };
            told.then_some(effect)
        })
        .collect();
    found.sort_by(|a, b| b.size.total_cmp(&a.size));
    found
}

fn effect(row: &Row, variant: usize) -> Option<Effect<'_>> {
    let first = row.figures.first()?.as_ref()?.value;
    let figure = row.figures[variant].as_ref()?;
    let apart = |a: f64, b: f64| match (a.abs(), b.abs()) {
        (0.0, 0.0) => 0.0,
        (0.0, _) | (_, 0.0) => f64::INFINITY,
        (a, b) => libm::log(b / a).abs(),
    };
    let mut size = apart(first, figure.value);
    // A share that reaches one exactly is not infinitely better than one that nearly does.
    let missing = apart(1.0 - first, 1.0 - figure.value);
    if row.quantity == Quantity::Share && missing.is_finite() {
        size = size.max(missing);
    }
    Some(Effect { row, versus: figure.versus.as_ref()?, values: (first, figure.value), size })
}

fn list(name: &str, tone: Tone, sign: &str, effects: &[Effect]) -> Vec<Line> {
    let mut told: Vec<&Effect> = Vec::new();
    for effect in effects {
        let of_axis = told.iter().filter(|other| other.row.axis == effect.row.axis).count();
        if told.len() < EFFECTS_MAX && of_axis < EFFECTS_PER_AXIS_MAX {
            told.push(effect);
        }
    }
    let mut lines: Vec<Line> = told
        .iter()
        .map(|effect| {
            let line = Line::of(tone, format!("{sign} {name} ")).then(title(effect.row));
            line.and(Tone::Strong, format!(" {}", change(effect))).and(Tone::Dim, detail(effect))
        })
        .collect();
    let rest = effects.len() - told.len();
    if rest > 0 {
        lines.push(Line::of(Tone::Dim, format!("  {name} {rest} more, see the table")));
    }
    lines
}

/// A percentile needs to be told of what.
fn title(row: &Row) -> String {
    match row.axis {
        Axis::Latency if !row.label.contains("latency") => format!("{} latency", row.label),
        _ => row.label.clone(),
    }
}

/// Is it told by its values, and not by their ratio?
fn by_values(effect: &Effect) -> bool {
    effect.row.quantity == Quantity::Share
        || effect
            .versus
            .ratio
            .is_none_or(|ratio| !(1.0 / RATIO_MAX_TOLD..=RATIO_MAX_TOLD).contains(&ratio))
}

fn change(effect: &Effect) -> String {
    let (first, second) = effect.values;
    let quantity = effect.row.quantity;
    match effect.versus.ratio {
        Some(ratio) if !by_values(effect) => {
            let decimals = if (0.9..1.1).contains(&ratio) { 3 } else { 2 };
            format!("×{ratio:.decimals$}")
        }
        _ => {
            // Percentages near an end deserve decimals of their own; other figures share them.
            let scale = Scale::of(effect.row);
            let text = |value| match quantity {
                Quantity::Share => number::percent(value),
                _ => scale.text(value),
            };
            format!("{} → {}", text(first), text(second))
        }
    }
}

fn detail(effect: &Effect) -> String {
    let Versus { difference, .. } = *effect.versus;
    let half_width = effect.versus.half_width();
    if by_values(effect) && half_width.is_none() {
        return String::new();
    }
    let scale = Scale::of_one(effect.row, difference, half_width);
    let text = spread(scale, difference, effect.versus.interval);
    match effect.row.quantity {
        Quantity::Share => format!(" ({text} points)"),
        _ => format!(" ({})", scale.with_unit(text)),
    }
}

/// A difference and how far it may be off. Of an interval that is much wider on one side, as those
/// of percentiles are, a ± would reach over nothing, which the interval does not: then its ends are
/// told.
fn spread(scale: Scale<'_>, difference: f64, interval: Option<(f64, f64)>) -> String {
    let signed = |value: f64| {
        let sign = if value > 0.0 { "+" } else { "" };
        format!("{sign}{}", scale.number(value))
    };
    let excludes_zero = |low: f64, high: f64| low > 0.0 || high < 0.0;
    let half = |low: f64, high: f64| (difference - low).max(high - difference);
    match interval {
        Some((low, high)) if excludes_zero(low, high) && half(low, high) >= difference.abs() => {
            format!("{}, {} to {}", signed(difference), signed(low), signed(high))
        }
        Some((low, high)) => {
            let half = scale.plus_minus(Some(half(low, high)));
            format!("{} {half}", signed(difference)).trim_end().to_owned()
        }
        None => signed(difference),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_that_leaves_nothing_out_is_not_told_as_if_it_did() {
        let scale = Scale::from(Quantity::Time, "", std::iter::once((-0.021, Some(0.030))));
        let told = |low, high| spread(scale, -0.021, Some((low, high)));
        assert_eq!(told(-0.031, -0.011), "-21 ±10");
        assert_eq!(told(-0.051, -0.004), "-21, -51 to -4");
        assert_eq!(told(-0.051, 0.009), "-21 ±30", "this one does reach over nothing");
        assert_eq!(spread(scale, 0.021, None), "+21");
    }
}
