//! How near each node came to its limits: how busy it was and how long its queue got.

use crate::check::outcome::{NodeUse, Outcome, Study, VariantStudy};
use crate::patterns::Instances;
use crate::report::chart::sparkline;
use crate::report::document::Block;
use crate::report::table::{Align, Cell, Table, Tone};
use crate::report::{Medium, number};

/// The busiest nodes that a terminal shows of each variant.
const NODES_SHOWN: usize = 4;
/// A node that is busier than this has queues that grow without bound at the next disturbance.
const BUSY: f64 = 0.85;
/// The columns of a curve of load.
const CURVE: usize = 20;
/// A terminal narrower than this has no room for the curve.
const CURVE_FROM: usize = 72;

/// A node, or the instances behind one address, over all runs of a variant.
struct Load {
    /// What it is called: `api ×4`.
    name: String,
    /// The load over the first run, the mean of all instances.
    curve: Vec<f64>,
    utilisation: Option<f64>,
    working: f64,
    queue_mean: f64,
    queue_peak: u32,
    refused: u64,
    turned_away: u64,
    dropped: u64,
}

/// The section.
pub(super) fn section(study: &Study, medium: Medium) -> Vec<Block> {
    let loads: Vec<Vec<Load>> = study.variants.iter().map(loads).collect();
    let most = loads.iter().map(Vec::len).max().unwrap_or(0);
    if most == 0 {
        return Vec::new();
    }
    let shown = if medium == Medium::File { most } else { NODES_SHOWN };
    let has_curve = match medium {
        Medium::Terminal(width) => width >= CURVE_FROM,
        Medium::File => true,
    };
    let note = if most > shown {
        format!("the {shown} busiest of up to {most} nodes")
    } else {
        "all nodes, the busiest first".to_string()
    };
    let mut table = Table::new("")
        .column("", Align::Left)
        .column("busy", Align::Decimal)
        .column("at work", Align::Decimal)
        .column("queue mean", Align::Decimal)
        .column("peak", Align::Right)
        .column("refused", Align::Right);
    // Only where there are rules for them, which is rare.
    let has = |pick: Pick| loads.iter().flatten().any(|load| pick(load) > 0);
    let rare = RARE.iter().filter(|(_, pick)| has(*pick)).copied().collect::<Vec<_>>();
    for (label, _) in &rare {
        table = table.column(*label, Align::Right);
    }
    if has_curve {
        table = table.column("load over the first run", Align::Left);
    }
    for (variant, loads) in study.variants.iter().zip(&loads) {
        table.group(&variant.name);
        for load in loads.iter().take(shown) {
            let mut cells = cells(load);
            cells.extend(rare.iter().map(|(_, pick)| lost(pick(load))));
            if has_curve {
                cells.push(Cell::new(curve(load)));
            }
            table.row(cells);
        }
    }
    vec![Block::heading("Saturation", note), Block::Table(table)]
}

/// The nodes of a variant, the busiest first; instances behind one address are one.
fn loads(variant: &VariantStudy) -> Vec<Load> {
    let nodes = variant.runs.first().map_or(&[][..], |run| &run.nodes);
    let mut names: Vec<&str> = nodes.iter().map(|node| Instances::address(&node.name)).collect();
    names.dedup();
    let mut loads: Vec<Load> = names.into_iter().map(|name| load(variant, name)).collect();
    loads.sort_by(|a, b| {
        let busy = |load: &Load| load.utilisation.unwrap_or(-1.0);
        busy(b).total_cmp(&busy(a)).then(b.working.total_cmp(&a.working))
    });
    loads
}

fn load(variant: &VariantStudy, name: &str) -> Load {
    let of = |run: &Outcome| -> Vec<NodeUse> {
        let ours = run.nodes.iter().filter(|node| Instances::address(&node.name) == name);
        // Instances that were never there are not idle.
        let (there, never): (Vec<_>, Vec<_>) =
            ours.cloned().partition(|node| node.utilisation.is_some() || node.jobs > 0);
        if there.is_empty() { never } else { there }
    };
    let all: Vec<NodeUse> = variant.runs.iter().flat_map(of).collect();
    let first = variant.runs.first().map(of).unwrap_or_default();
    let mean = |values: Vec<f64>| match values.len() {
        0 => None,
        count => Some(values.iter().sum::<f64>() / count as f64),
    };
    // What the instances of one run have together.
    let sum = |pick: fn(&NodeUse) -> f64| {
        all.iter().map(pick).sum::<f64>() / variant.runs.len().max(1) as f64
    };
    let windows = first.iter().map(|node| node.load.len()).max().unwrap_or(0);
    let window = |place: usize| {
        mean(first.iter().filter_map(|node| node.load.get(place).copied()).collect()).unwrap_or(0.0)
    };
    Load {
        name: match &first[..] {
            [only] => only.name.clone(),
            several => format!("{name} ×{}", several.len()),
        },
        curve: (0..windows).map(window).collect(),
        utilisation: mean(
            all.iter()
                .filter_map(|node| node.utilisation)
                .filter(|share| share.is_finite())
                .collect(),
        ),
        working: sum(|node| node.working_mean),
        queue_mean: sum(|node| node.queue_mean),
        queue_peak: all.iter().map(|node| node.queue_peak).max().unwrap_or(0),
        refused: all.iter().map(|node| node.refused).sum(),
        turned_away: all.iter().map(|node| node.turned_away).sum(),
        dropped: all.iter().map(|node| node.expired + node.dropped).sum(),
    }
}

/// How much of its time something was at work; without a limit nothing is ever all busy.
pub(super) fn busy(share: Option<f64>) -> Cell {
    let Some(share) = share else { return Cell::none() };
    let cell = Cell::new(format!("{}%", number::fixed(share * 100.0, 1)));
    if share > BUSY { cell.tone(Tone::Bad) } else { cell }
}

fn cells(load: &Load) -> Vec<Cell> {
    vec![
        Cell::new(&load.name),
        busy(load.utilisation),
        Cell::new(number::fixed(load.working, 2)),
        Cell::new(number::fixed(load.queue_mean, 2)),
        Cell::new(number::integer(u64::from(load.queue_peak))),
        lost(load.refused),
    ]
}

/// What a column shows of a node.
type Pick = fn(&Load) -> u64;

/// Columns that most reports have nothing for.
const RARE: [(&str, Pick); 2] =
    [("turned away", |load| load.turned_away), ("dropped", |load| load.dropped)];

/// A number of jobs, or of packets, that were not done.
pub(super) fn lost(count: u64) -> Cell {
    match count {
        0 => Cell::new("0").tone(Tone::Dim),
        count => Cell::new(number::integer(count)).tone(Tone::Bad),
    }
}

/// The load over the first run, from zero to all workers, or to the most that were ever at work.
fn curve(load: &Load) -> String {
    let top = if load.utilisation.is_some() { 1.0 } else { f64::MIN_POSITIVE };
    let scale = [0.0, top];
    let values = [&scale[..], &resampled(&load.curve)].concat();
    sparkline(&values).chars().skip(scale.len()).collect()
}

/// Means over so many stretches of equal length.
fn resampled(values: &[f64]) -> Vec<f64> {
    let count = values.len().min(CURVE);
    let bound = |index: usize| index * values.len() / count;
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    (0..count).map(|index| mean(&values[bound(index)..bound(index + 1)])).collect()
}
