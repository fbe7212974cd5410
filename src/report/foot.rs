//! The foot of a report: what proves that a run was repeated exactly, and how long it took.

use crate::check::outcome::{Study, VariantStudy};
use crate::engine::Digest;
use crate::report::document::Block;
use crate::report::table::{Align, Cell, Table};
use crate::report::{Medium, number};

/// The digest of a variant: that of its only run, or those of all its runs and their seeds folded
/// in the order of the seeds.
pub(super) fn digest(variant: &VariantStudy) -> u64 {
    if let [run] = &variant.runs[..] {
        return run.digest;
    }
    let mut digest = Digest::default();
    variant.runs.iter().for_each(|run| digest.fold(run.seed, 0, run.digest));
    digest.value()
}

/// The section.
pub(super) fn section(study: &Study, medium: Medium) -> Vec<Block> {
    if study.variants.is_empty() {
        return Vec::new();
    }
    let several = study.variants.iter().any(|variant| variant.runs.len() > 1);
    let note = if several {
        "the digests of all runs folded; the same on every machine"
    } else {
        "of every event; the same on every machine"
    };
    let mut table = Table::new("")
        .column("", Align::Left)
        .column("digest", Align::Left)
        .column("runs", Align::Right)
        .column("events", Align::Right);
    for variant in &study.variants {
        table.row([
            Cell::new(&variant.name),
            Cell::new(format!("{:016x}", digest(variant))),
            Cell::new(variant.runs.len().to_string()),
            Cell::new(number::integer(events(variant))),
        ]);
    }
    let mut blocks = vec![Block::heading("Digests", note), Block::Table(table)];
    // Wall-clock time differs from machine to machine: it has no place in a file that is compared.
    if let Medium::Terminal(_) = medium {
        blocks.push(Block::Remark(wall(study)));
    }
    blocks
}

/// The events of all runs.
pub(super) fn events(variant: &VariantStudy) -> u64 {
    variant.runs.iter().map(|run| run.events).sum()
}

fn wall(study: &Study) -> String {
    let events: u64 = study.variants.iter().map(events).sum();
    let simulated = study.variants.iter().flat_map(|variant| &variant.runs);
    let simulated: f64 = simulated.map(|run| run.end.as_seconds()).sum();
    if !(study.wall > 0.0 && study.wall.is_finite()) {
        return format!("{} events.", number::integer(events));
    }
    format!(
        "{} events in {} s of wall-clock time: {} million events/s, {} simulated seconds \
         per second.",
        number::integer(events),
        number::human(study.wall, 3),
        number::human(events as f64 / study.wall / 1e6, 3),
        number::integer((simulated / study.wall).round() as u64)
    )
}
