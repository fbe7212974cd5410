//! Which variant keeps which invariant, how often that was put to the test, and what it proves.

use crate::check::outcome::{Study, VariantStudy, Violation};
use crate::report::document::{Block, Line, Tone as LineTone, side_by_side};
use crate::report::head::is_silent;
use crate::report::table::{Align, Cell, Table, Tone};
use crate::report::{Medium, number};
use crate::stats::{Proportion, rule_of_three};

/// From so many runs on a report says what their number proves about other seeds.
const RUNS_THAT_PROVE: usize = 10;

/// An invariant over all runs of a variant.
#[derive(Default)]
pub(super) struct Record<'a> {
    pub checked: u64,
    pub violations: u64,
    /// In how many runs it did not hold, and how many runs know it.
    pub broken_runs: usize,
    pub runs: usize,
    /// The first violation, and its seed.
    pub first: Option<(u64, &'a Violation)>,
}

/// The section.
pub(super) fn section(study: &Study, medium: Medium) -> Vec<Block> {
    let invariants = known(&study.variants);
    if invariants.is_empty() {
        return Vec::new();
    }
    let mut blocks =
        vec![Block::heading("Invariants", "✓ held, with the number of checks; ✗ violated")];
    let of = |variants: &[usize]| table(study, &invariants, variants);
    blocks.extend(side_by_side(study.variants.len(), medium, of));
    let says = invariants.iter().map(|(name, says)| {
        Line::of(LineTone::Strong, *name).and(LineTone::Dim, format!(": {says}"))
    });
    blocks.push(Block::Items(says.collect()));
    let firsts = firsts(study, &invariants);
    if !firsts.is_empty() {
        blocks.push(Block::Items(firsts));
    }
    blocks.extend(proof(study, &invariants).map(Block::Remark));
    blocks
}

/// Every invariant and what it demands, in the order of first mention.
pub(super) fn known(variants: &[VariantStudy]) -> Vec<(&str, &str)> {
    let mut known: Vec<(&str, &str)> = Vec::new();
    for run in variants.iter().filter_map(|variant| variant.runs.first()) {
        for finding in &run.findings {
            if !known.iter().any(|(name, _)| *name == finding.invariant) {
                known.push((&finding.invariant, &finding.says));
            }
        }
    }
    known
}

/// An invariant over all runs of a variant; none if no run knows it.
pub(super) fn record<'a>(variant: &'a VariantStudy, invariant: &str) -> Option<Record<'a>> {
    let mut record = Record::default();
    for run in &variant.runs {
        for finding in run.findings.iter().filter(|finding| finding.invariant == invariant) {
            record.runs += 1;
            record.checked += finding.checked;
            record.violations += finding.violations;
            record.broken_runs += usize::from(finding.violations > 0);
            record.first =
                record.first.or(finding.first.as_ref().map(|violation| (run.seed, violation)));
        }
    }
    (record.runs > 0).then_some(record)
}

fn table(study: &Study, invariants: &[(&str, &str)], variants: &[usize]) -> Table {
    let mut table = Table::new("").column("", Align::Left);
    for &variant in variants {
        table = table.column(&study.variants[variant].name, Align::Left);
    }
    for (invariant, _) in invariants {
        let cells = variants.iter().map(|&variant| cell(&study.variants[variant], invariant));
        table.row(std::iter::once(Cell::new(invariant)).chain(cells));
    }
    table
}

fn cell(variant: &VariantStudy, invariant: &str) -> Cell {
    let Some(record) = record(variant, invariant) else { return Cell::none() };
    if record.broken_runs > 0 {
        let is_meant = variant.breaks.iter().any(|name| name == invariant);
        let extent = match record.runs {
            1 => format!("✗ {} times", number::integer(record.violations)),
            runs => format!("✗ {} of {runs} runs", record.broken_runs),
        };
        let cell = Cell::new(extent).tone(Tone::Bad);
        return if is_meant { cell.note("as meant") } else { cell };
    }
    if is_silent(variant, invariant) {
        return Cell::new("! not exercised").tone(Tone::Bold);
    }
    Cell::new(format!("✓ {}", number::integer(record.checked))).tone(Tone::Good)
}

fn firsts(study: &Study, invariants: &[(&str, &str)]) -> Vec<Line> {
    let mut lines = Vec::new();
    for variant in &study.variants {
        for (invariant, _) in invariants {
            let Some(record) = record(variant, invariant) else { continue };
            let Some((seed, violation)) = record.first else { continue };
            let mut text = format!(
                ": “{invariant}” broken first by seed {seed} at {}: {}",
                violation.at, violation.what
            );
            if variant.breaks.iter().any(|name| name == invariant) {
                text.push_str(" (as this variant is here to show)");
            }
            let line =
                Line::of(LineTone::Bad, "✗ ").and(LineTone::Strong, &variant.name).then(text);
            let share = Proportion::of(record.broken_runs as u64, record.runs as u64)
                .filter(|share| record.runs >= RUNS_THAT_PROVE && share.events < share.trials);
            let interval = share.map_or(String::new(), |share| {
                let (low, high) = (number::percent(share.low), number::percent(share.high));
                format!("; {low} to {high} of all seeds do (95%)")
            });
            lines.push(line.and(LineTone::Dim, interval));
        }
    }
    lines
}

/// What it means that something held in all runs.
fn proof(study: &Study, invariants: &[(&str, &str)]) -> Option<String> {
    let held = study.variants.iter().flat_map(|variant| {
        let records = invariants.iter().filter_map(|(name, _)| record(variant, name));
        records.filter(|record| record.checked > 0 && record.broken_runs == 0)
    });
    // The least that can be said of all of them.
    let runs = held.map(|record| record.runs).min().filter(|&runs| runs >= RUNS_THAT_PROVE)?;
    let runs = runs as u64;
    let at_most = number::percent(rule_of_three(runs));
    Some(format!(
        "What held in all of {} runs is broken by at most {at_most} of all seeds (95%).",
        number::integer(runs)
    ))
}
