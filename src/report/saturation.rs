//! How near each node came to its limits: how busy it was and how long its queue got.

use crate::check::outcome::{NodeUse, Study, VariantStudy};
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

/// A node over all runs of a variant.
struct Load<'a> {
    node: &'a NodeUse,
    utilisation: Option<f64>,
    working: f64,
    queue_mean: f64,
    queue_peak: u32,
    refused: u64,
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
    if has_curve {
        table = table.column("load over the first run", Align::Left);
    }
    for (variant, loads) in study.variants.iter().zip(&loads) {
        table.group(&variant.name);
        for load in loads.iter().take(shown) {
            let mut cells = cells(load);
            if has_curve {
                cells.push(Cell::new(curve(load.node)));
            }
            table.row(cells);
        }
    }
    vec![Block::heading("Saturation", note), Block::Table(table)]
}

/// The nodes of a variant, the busiest first.
fn loads(variant: &VariantStudy) -> Vec<Load<'_>> {
    let nodes = variant.runs.first().map_or(&[][..], |run| &run.nodes);
    let mut loads: Vec<Load> = nodes.iter().map(|node| load(variant, node)).collect();
    loads.sort_by(|a, b| {
        let busy = |load: &Load| load.utilisation.unwrap_or(-1.0);
        busy(b).total_cmp(&busy(a)).then(b.working.total_cmp(&a.working))
    });
    loads
}

fn load<'a>(variant: &'a VariantStudy, node: &'a NodeUse) -> Load<'a> {
    let all: Vec<&NodeUse> = (variant.runs.iter())
        .flat_map(|run| run.nodes.iter().find(|other| other.name == node.name))
        .collect();
    let mean = |values: Vec<f64>| match values.len() {
        0 => None,
        count => Some(values.iter().sum::<f64>() / count as f64),
    };
    Load {
        node,
        utilisation: mean(
            all.iter()
                .filter_map(|node| node.utilisation)
                .filter(|share| share.is_finite())
                .collect(),
        ),
        working: mean(all.iter().map(|node| node.working_mean).collect()).unwrap_or(0.0),
        queue_mean: mean(all.iter().map(|node| node.queue_mean).collect()).unwrap_or(0.0),
        queue_peak: all.iter().map(|node| node.queue_peak).max().unwrap_or(0),
        refused: all.iter().map(|node| node.refused).sum(),
    }
}

fn cells(load: &Load) -> Vec<Cell> {
    let busy = match load.utilisation {
        Some(share) => {
            let cell = Cell::new(format!("{}%", number::fixed(share * 100.0, 1)));
            if share > BUSY { cell.tone(Tone::Bad) } else { cell }
        }
        // Workers without limit are never all busy.
        None => Cell::none(),
    };
    let refused = match load.refused {
        0 => Cell::new("0").tone(Tone::Dim),
        refused => Cell::new(number::integer(refused)).tone(Tone::Bad),
    };
    vec![
        Cell::new(&load.node.name),
        busy,
        Cell::new(number::fixed(load.working, 2)),
        Cell::new(number::fixed(load.queue_mean, 2)),
        Cell::new(number::integer(u64::from(load.queue_peak))),
        refused,
    ]
}

/// The load over the first run, from zero to all workers, or to the most that were ever at work.
fn curve(node: &NodeUse) -> String {
    let top = if node.utilisation.is_some() { 1.0 } else { f64::MIN_POSITIVE };
    let scale = [0.0, top];
    let values = [&scale[..], &resampled(&node.load)].concat();
    sparkline(&values).chars().skip(scale.len()).collect()
}

/// Means over so many stretches of equal length.
fn resampled(values: &[f64]) -> Vec<f64> {
    let count = values.len().min(CURVE);
    let bound = |index: usize| index * values.len() / count;
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    (0..count).map(|index| mean(&values[bound(index)..bound(index + 1)])).collect()
}
