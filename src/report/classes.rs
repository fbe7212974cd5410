//! Request classes: how each was served, and how evenly the tenants were.

use crate::check::outcome::{ClassFlow, Study, VariantStudy};
use crate::report::document::Block;
use crate::report::number;
use crate::report::table::{Align, Cell, Table, Tone};
use crate::report::tradeoff::{merged, value};

/// A class over all runs of a variant.
struct Served<'a> {
    class: &'a ClassFlow,
    /// A second of the measured load.
    offered: f64,
    goodput: f64,
    /// Of those that ended.
    success: Option<f64>,
    p50: Option<u64>,
    p99: Option<u64>,
}

/// The section; nothing if no request has a class.
pub(super) fn section(study: &Study) -> Vec<Block> {
    let runs = || study.variants.iter().flat_map(|variant| &variant.runs);
    if runs().all(|run| run.classes.is_empty()) {
        return Vec::new();
    }
    let has_tenants = runs().flat_map(|run| &run.classes).any(|class| class.tenant.is_some());
    let mut table = Table::new("").column("", Align::Left).column("priority", Align::Right);
    if has_tenants {
        table = table.column("tenant", Align::Left);
    }
    for heading in ["offered/s", "goodput/s", "success", "p50", "p99"] {
        table = table.column(heading, Align::Right);
    }
    for variant in &study.variants {
        let fairness =
            fairness(variant).map(|index| format!(", fairness {}", number::fixed(index, 3)));
        table.group(format!("{}{}", variant.name, fairness.unwrap_or_default()));
        for served in served(variant) {
            table.row(cells(&served, has_tenants));
        }
    }
    let note = "of the measured load, latency of the successful requests";
    vec![Block::heading("Request classes", note), Block::Table(table)]
}

/// Jain's index over tenants, the mean over all runs.
fn fairness(variant: &VariantStudy) -> Option<f64> {
    let values = variant.runs.iter().filter_map(|run| value(run, "throughput.fairness"));
    let values: Vec<f64> = values.collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn served<'v>(variant: &'v VariantStudy) -> Vec<Served<'v>> {
    let stages = &variant.stages;
    let seconds = (stages.quiet - crate::engine::Time(stages.warmup.0)).as_seconds();
    let seconds = seconds * variant.runs.len() as f64;
    let first = variant.runs.first().map_or(&[][..], |run| &run.classes);
    let of = |class: &'v ClassFlow| {
        let runs = variant.runs.iter().flat_map(|run| &run.classes);
        let same: Vec<&ClassFlow> = runs.filter(|one| one.flow.name == class.flow.name).collect();
        let sum =
            |pick: fn(&ClassFlow) -> u64| same.iter().map(|one| pick(one)).sum::<u64>() as f64;
        let (good, ended) = (sum(|one| one.measured.1), sum(|one| one.measured.2));
        let latency = merged(same.iter().map(|one| &one.flow.latency));
        Served {
            class,
            offered: sum(|one| one.measured.0) / seconds,
            goodput: good / seconds,
            success: (ended > 0.0).then(|| good / ended),
            p50: latency.quantile(0.5),
            p99: latency.quantile(0.99),
        }
    };
    first.iter().map(of).collect()
}

fn cells(served: &Served, has_tenants: bool) -> Vec<Cell> {
    let name = &served.class.flow.name;
    let time = |nanoseconds: Option<u64>| {
        nanoseconds.map_or_else(Cell::none, |time| Cell::new(number::duration(time)))
    };
    let mut cells = vec![
        Cell::new(name.strip_prefix("class:").unwrap_or(name)),
        Cell::new(number::integer(u64::from(served.class.priority))),
    ];
    if has_tenants {
        cells.push(served.class.tenant.as_ref().map_or_else(Cell::none, Cell::new));
    }
    let success = served.success.map_or_else(Cell::none, |share| {
        let cell = Cell::new(number::percent(share));
        if share < 0.99 { cell.tone(Tone::Bad) } else { cell }
    });
    cells.extend([
        Cell::new(number::human(served.offered, 4)),
        Cell::new(number::human(served.goodput, 4)),
        success,
        time(served.p50),
        time(served.p99),
    ]);
    cells
}
