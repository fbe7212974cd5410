//! The faults over the goodput of each variant on one axis of time, and how fast each recovered.

use crate::check::outcome::{Episode, Outcome, Study, VariantStudy, Window};
use crate::engine::{Span, Time};
use crate::report::Medium;
use crate::report::chart::{Curve, Interval, Lane, Timeline};
use crate::report::document::{Block, Line, Tone as LineTone};
use crate::report::table::{Align, Cell, Table, Tone};

/// The width of a figure in a file.
const FILE_WIDTH: usize = 92;
/// The most lanes of faults in a figure; the table has them all.
const LANES_MAX: usize = 8;

/// The most faults that are named beside one that may have been felt.
const BESIDE_MAX: usize = 2;

/// The section.
pub(super) fn section(study: &Study, medium: Medium) -> Vec<Block> {
    let mut blocks = Vec::new();
    let names = known(study);
    let first = study.variants.iter().find_map(|variant| variant.runs.first());
    let Some(first) = first.filter(|run| !run.windows.is_empty()) else { return blocks };
    let heading = if names.is_empty() { "Goodput over time" } else { "Faults and recovery" };
    let note = format!("goodput per second, seed {}", first.seed);
    blocks.push(Block::heading(heading, note));
    let width = match medium {
        Medium::Terminal(width) => width,
        Medium::File => FILE_WIDTH,
    };
    let chart = chart(study, first);
    // A run in which nothing happened has no chart.
    if chart.from < chart.to {
        blocks.push(Block::Figure(chart.render(width)));
    }
    if !names.is_empty() {
        let faults = names.iter().map(|name| describe(study, name));
        blocks.push(Block::Items(faults.collect()));
        blocks.push(Block::Table(table(study, &names)));
    }
    blocks
}

/// Every fault, in the order of first mention.
fn known(study: &Study) -> Vec<&str> {
    let mut known: Vec<&str> = Vec::new();
    let runs = study.variants.iter().flat_map(|variant| &variant.runs);
    for episode in runs.flat_map(|run| &run.episodes) {
        if !known.contains(&episode.name.as_str()) {
            known.push(&episode.name);
        }
    }
    known
}

fn chart(study: &Study, first: &Outcome) -> Timeline {
    let mut lanes: Vec<Lane> = Vec::new();
    for episode in &first.episodes {
        let interval = Interval {
            from: episode.begins.0,
            to: (episode.ends <= first.end).then_some(episode.ends.0),
            label: String::new(),
        };
        let known = lanes.iter().position(|lane| lane.label == episode.name);
        if let Some(index) = known {
            lanes[index].intervals.push(interval);
        } else if lanes.len() < LANES_MAX {
            lanes.push(Lane { label: episode.name.clone(), intervals: vec![interval] });
        }
    }
    let of_seed = |variant: &VariantStudy| {
        let run = variant.runs.iter().find(|run| run.seed == first.seed)?;
        let seconds = run.window.as_seconds();
        let rate = |good: u64| if seconds > 0.0 { good as f64 / seconds } else { f64::NAN };
        Some(Curve {
            label: variant.name.clone(),
            window: run.window.0,
            values: run.windows.iter().map(|window| rate(window.good)).collect(),
        })
    };
    let curves = study.variants.iter().filter_map(of_seed).filter(|curve| curve.window > 0);
    Timeline { from: 0, to: active_until(study, first), lanes, curves: curves.collect() }
}

/// The end of the longest runs.
fn latest(study: &Study) -> Time {
    study.variants.iter().map(|variant| variant.stages.end).max().unwrap_or_default()
}

/// When the first run has come to rest: what follows would only take room from what happened.
fn active_until(study: &Study, first: &Outcome) -> u64 {
    let is_active = |window: &Window| window.offered + window.good + window.failed > 0;
    let windows = first.windows.iter().rposition(is_active).map_or(0, |last| last as u64 + 2);
    let of_load = windows.saturating_mul(first.window.0);
    let ends = first.episodes.iter().filter(|episode| episode.ends <= first.end);
    ends.map(|episode| episode.ends.0).fold(of_load, u64::max).min(latest(study).0)
}

fn table(study: &Study, names: &[&str]) -> Table {
    let mut table = Table::new("")
        .column("", Align::Left)
        .column("felt after", Align::Left)
        .column("recovered after", Align::Left);
    let is_withheld = study.variants.iter().flat_map(|one| &one.runs).flat_map(|run| &run.episodes);
    let is_withheld = is_withheld.into_iter().any(|episode| episode.withheld > 0);
    if is_withheld {
        table = table.column("withheld", Align::Right);
    }
    for name in names {
        if names.len() > 1 {
            table.group(name);
        }
        for variant in &study.variants {
            let episodes = episodes(variant, name);
            let recovered: Vec<Option<Span>> = episodes.iter().map(|e| e.recovered_after).collect();
            let mut row = vec![
                Cell::new(&variant.name),
                felt(&episodes),
                mean(&recovered, "never within the run", "never", None),
            ];
            if is_withheld {
                let times: u64 = episodes.iter().map(|episode| episode.withheld).sum();
                row.push(Cell::new(times.to_string()));
            }
            table.row(row);
        }
    }
    table
}

fn episodes<'a>(variant: &'a VariantStudy, name: &str) -> Vec<&'a Episode> {
    let all = variant.runs.iter().flat_map(|run| &run.episodes);
    all.filter(|episode| episode.name == name).collect()
}

fn describe(study: &Study, name: &str) -> Line {
    let all: Vec<&Episode> =
        study.variants.iter().flat_map(|variant| episodes(variant, name)).collect();
    Line::of(LineTone::Strong, name).then(format!(": {}", when(&all)))
}

/// What the fault is, and when: exactly if it is always the same, in the mean otherwise.
fn when(episodes: &[&Episode]) -> String {
    let Some(first) = episodes.first() else { return String::new() };
    let is_fixed =
        episodes.iter().all(|other| (other.begins, other.ends) == (first.begins, first.ends));
    if is_fixed {
        let lasts = if first.ends == Time::MAX {
            "for good".to_string()
        } else {
            format!("for {}", first.ends - first.begins)
        };
        return format!("{}, at {} {lasts}", first.what, first.begins);
    }
    let lasts = episodes.iter().map(|episode| (episode.ends - episode.begins).as_seconds());
    let mean = lasts.sum::<f64>() / episodes.len() as f64;
    let mean = Span::from_seconds_f64(mean);
    format!("{}, {} times, {mean} on average", first.what, episodes.len())
}

/// When a fault was felt, and which others may have been felt instead.
fn felt(episodes: &[&Episode]) -> Cell {
    let alone = episodes.iter().filter(|episode| episode.felt_beside.is_empty());
    let spans: Vec<Option<Span>> = alone.map(|episode| episode.felt_after).collect();
    let mut beside: Vec<&str> = Vec::new();
    for name in episodes.iter().flat_map(|episode| &episode.felt_beside) {
        if !beside.contains(&name.as_str()) {
            beside.push(name);
        }
    }
    let others = match beside.len() {
        ..=BESIDE_MAX => beside.join(", "),
        count => format!("{count} others"),
    };
    if spans.is_empty() && !beside.is_empty() {
        return Cell::new(format!("not to be told from {others}"));
    }
    let shared = episodes.len() - spans.len();
    let note = format!("{shared} of {} not to be told from {others}", episodes.len());
    let note = (shared > 0).then_some(note);
    mean(&spans, "not felt", "not felt", note).tone(Tone::Plain)
}

/// The mean of those that are known, how many are not, and what else there is to say.
fn mean(spans: &[Option<Span>], none: &str, some: &str, note: Option<String>) -> Cell {
    let known: Vec<f64> = spans.iter().flatten().map(|span| span.as_seconds()).collect();
    if spans.is_empty() {
        return Cell::none();
    }
    let missing = spans.len() - known.len();
    let unknown = format!("{some} in {missing} of {} runs", spans.len());
    let unknown = (missing > 0 && !known.is_empty()).then_some(unknown);
    let notes: Vec<String> = unknown.into_iter().chain(note).collect();
    let cell = match known.is_empty() {
        true => Cell::new(none).tone(Tone::Bad),
        false => {
            let mean = Span::from_seconds_f64(known.iter().sum::<f64>() / known.len() as f64);
            Cell::new(mean.to_string())
        }
    };
    if notes.is_empty() { cell } else { cell.note(format!("({})", notes.join("; "))) }
}
