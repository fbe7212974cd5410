//! The trade-off table: measures down, variants across, and a mark where a difference is real.

use crate::check::outcome::{Axis, Study};
use crate::report::Medium;
use crate::report::document::{Block, side_by_side};
use crate::report::table::{Align, Cell, Table, Tone};
use crate::report::tradeoff::{Change, Row, Tradeoff};
use crate::report::units::Scale;

/// So many rows of an axis are the same in all variants before they are told in one line.
const FOLDED_MIN: usize = 2;

/// The section.
pub(super) fn section(study: &Study, tradeoff: &Tradeoff, medium: Medium) -> Vec<Block> {
    let rows: Vec<&Row> =
        tradeoff.rows.iter().filter(|row| is_shown(study, tradeoff, row, medium)).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let (folded, shown) = fold(&rows, study.variants.len());
    let mut blocks = vec![Block::heading("Trade-offs", note(study))];
    if !shown.is_empty() {
        let of = |variants: &[usize]| table(study, &shown, variants);
        blocks.extend(side_by_side(study.variants.len(), medium, of));
    }
    blocks.extend(remarks(study, &folded));
    blocks
}

fn note(study: &Study) -> String {
    let runs = study.variants.iter().map(|variant| variant.runs.len()).max().unwrap_or(0);
    match runs {
        0 => "no run was finished".to_string(),
        1 => "of a single seed".to_string(),
        _ => format!("mean of {runs} seeds, ± 95% interval"),
    }
}

/// Parts of a measure, by flow, are told where there are several flows; parts by node belong to the
/// section on nodes, unless everything is wanted.
fn is_shown(study: &Study, tradeoff: &Tradeoff, row: &Row, medium: Medium) -> bool {
    let Some(part) = row.part() else { return true };
    let mut flows = 0;
    let mut is_flow = false;
    for run in study.variants.iter().flat_map(|variant| &variant.runs) {
        flows = flows.max(run.flows.len());
        is_flow |= run.flows.iter().any(|flow| flow.name == part);
    }
    let whole = row.id.split('/').next();
    let has_whole = tradeoff.rows.iter().any(|other| Some(other.id.as_str()) == whole);
    if is_flow { flows > 1 || !has_whole } else { medium == Medium::File }
}

/// Rows that are the same everywhere, and the others.
fn fold<'a>(rows: &[&'a Row], variants: usize) -> (Vec<&'a Row>, Vec<&'a Row>) {
    let alike = |axis: Axis| rows.iter().filter(|row| row.axis == axis && row.is_same).count();
    rows.iter()
        .copied()
        .filter(|row| row.figures.iter().any(Option::is_some))
        .partition(|row| variants > 1 && row.is_same && alike(row.axis) >= FOLDED_MIN)
}

fn table(study: &Study, rows: &[&Row], variants: &[usize]) -> Table {
    let mut table = Table::new("").column("", Align::Left);
    for &variant in variants {
        table = table.column(&study.variants[variant].name, Align::Decimal);
    }
    // Signs stand below each other, so what precedes them is brought to one width.
    let widths: Vec<usize> = variants.iter().map(|&variant| note_width(rows, variant)).collect();
    let mut axis = None;
    for row in rows {
        if axis != Some(row.axis) {
            table.group(axis_name(row.axis));
            axis = Some(row.axis);
        }
        // The scale is that of all variants, also where a table shows some of them.
        let scale = Scale::of(row);
        let name = std::iter::once(Cell::new(name(row, scale.unit)));
        let cells = variants.iter().zip(&widths);
        table.row(name.chain(cells.map(|(&variant, &width)| cell(row, variant, scale, width))));
    }
    table
}

fn name(row: &Row, unit: &str) -> String {
    let what = match row.part() {
        Some(part) => format!("· {part}: {}", row.label),
        None => row.label.clone(),
    };
    let comma = if unit.is_empty() { "" } else { ", " };
    format!("{what}{comma}{unit}")
}

fn note_width(rows: &[&Row], variant: usize) -> usize {
    let width = |row: &&Row| {
        let scale = Scale::of(row);
        let figure = row.figures[variant].as_ref();
        figure.map_or(0, |figure| scale.plus_minus(figure.half_width()).chars().count())
    };
    rows.iter().map(width).max().unwrap_or(0)
}

fn cell(row: &Row, variant: usize, scale: Scale, width: usize) -> Cell {
    let Some(figure) = &row.figures[variant] else { return Cell::none() };
    let (sign, tone) = match row.change(variant) {
        Some(Change::Better) => ("▲", Tone::Good),
        Some(Change::Worse) => ("▼", Tone::Bad),
        None => ("", Tone::Plain),
    };
    let half_width = scale.plus_minus(figure.half_width());
    let note = match (sign, width) {
        ("", _) => half_width,
        (_, 0) => sign.to_string(),
        _ => format!("{half_width:<width$} {sign}"),
    };
    Cell::new(scale.number(figure.value)).note(note).tone(tone)
}

fn remarks(study: &Study, folded: &[&Row]) -> Vec<Block> {
    let mut remarks = Vec::new();
    let mut axes: Vec<Axis> = folded.iter().map(|row| row.axis).collect();
    axes.dedup();
    for axis in axes {
        let same: Vec<String> = folded.iter().filter(|row| row.axis == axis).map(same).collect();
        let name = axis_name(axis).to_lowercase();
        remarks.push(format!("The same in all variants ({name}): {}.", same.join(", ")));
    }
    let several = study.variants.iter().any(|variant| variant.runs.len() > 1);
    if let (true, Some(first)) = (several && study.variants.len() > 1, study.variants.first()) {
        remarks.push(format!(
            "▲ better, ▼ worse than {}: the difference seed by seed is beyond chance (95%, \
             paired, Holm); without a sign it is not.",
            first.name
        ));
    } else if !several {
        remarks
            .push("Intervals, and what is beyond chance, need several seeds: --seeds 20.".into());
    }
    remarks.into_iter().map(Block::Remark).collect()
}

fn same(row: &&Row) -> String {
    let scale = Scale::of(row);
    let value = row.figures.iter().flatten().next().map_or(0.0, |figure| figure.value);
    let part = row.part().map_or(String::new(), |part| format!(" of {part}"));
    format!("{}{part} {}", row.label, scale.text(value))
}

/// An axis as a heading.
pub(super) fn axis_name(axis: Axis) -> &'static str {
    match axis {
        Axis::Latency => "Latency",
        Axis::Throughput => "Throughput",
        Axis::Availability => "Availability",
        Axis::Consistency => "Consistency",
        Axis::Cost => "Cost",
        Axis::Complexity => "Complexity",
        Axis::Saturation => "Saturation",
        Axis::Own => "Own measures",
    }
}
