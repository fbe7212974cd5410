//! What came of reproducing published results, beside what was published.

use super::document::{Block, Line, Tone};
use super::head::plural;
use super::number;
use super::table::{Align, Cell, Table, Tone as CellTone};
use super::units::Scale;
use super::{Style, markdown, text};
use crate::check::outcome::Quantity;
use crate::check::published::{CaseStudy, Expected, FigureStudy, Pending, Validation, Verdict};

/// For a terminal.
pub fn published_text(validation: &Validation, style: Style) -> String {
    let mut blocks = Vec::new();
    if !validation.cases.is_empty() {
        blocks.push(Block::Table(table(&validation.cases)));
    }
    blocks.extend(broken(validation));
    blocks.extend(waiting(validation));
    blocks.push(Block::Paragraph(sum(validation)));
    text::set(&blocks, style)
}

/// As a file of the documentation: `intro` first, then a section for each case.
pub fn published_markdown(validation: &Validation, intro: &str) -> String {
    let mut blocks = vec![Block::Paragraph(sum(validation)), Block::Table(summary(validation))];
    for case in &validation.cases {
        blocks.push(Block::heading(&format!("{} {}", case.id, case.title), ""));
        blocks.push(Block::Paragraph(Line::plain(format!("Source: {}", case.source))));
        if !case.note.is_empty() {
            blocks.push(Block::Paragraph(Line::plain(&case.note)));
        }
        blocks.push(Block::Table(figures(case)));
        let (runs, events) = (number::integer(case.runs), number::integer(case.events));
        let path = &case.path;
        blocks.push(Block::Remark(format!("{path}, {runs} runs, {events} events.")));
    }
    blocks.extend(broken(validation));
    blocks.extend(waiting(validation));
    format!("{intro}\n{}", markdown::set(&blocks))
}

/// For programs: everything, in base units.
pub fn published_json(validation: &Validation) -> String {
    let case = |case: &CaseStudy| {
        serde_json::json!({
            "id": case.id,
            "title": case.title,
            "scenario": case.path,
            "source": case.source,
            "note": case.note,
            "agrees": case.agrees(),
            "runs": case.runs,
            "events": case.events,
            "broken": case.broken,
            "figures": case.figures.iter().map(json_figure).collect::<Vec<_>>(),
        })
    };
    let pending =
        |one: &Pending| serde_json::json!({"id": one.id, "title": one.title, "needs": one.needs});
    let whole = serde_json::json!({
        "schema": "stormglass.validation/1",
        "interrupted": validation.interrupted,
        "cases": validation.cases.iter().map(case).collect::<Vec<_>>(),
        "pending": validation.pending.iter().map(pending).collect::<Vec<_>>(),
    });
    let mut text = serde_json::to_string_pretty(&whole).unwrap_or_default();
    text.push('\n');
    text
}

fn json_figure(figure: &FigureStudy) -> serde_json::Value {
    let (value, allowance, min, max) = match figure.expected {
        Expected::Value(value, allowance) => (Some(value), Some(allowance), None, None),
        Expected::Bounds(min, max) => (None, None, min, max),
    };
    let simulated = figure.simulated;
    serde_json::json!({
        "variant": figure.variant,
        "metric": figure.metric,
        "published": figure.published,
        "expected": value,
        "allowance": allowance,
        "min": min,
        "max": max,
        "simulated": simulated.map(|one| one.mean),
        "half_width": simulated.and_then(|one| one.half_width),
        "runs": simulated.map(|one| one.n),
        "agrees": figure.verdict == Verdict::Agrees,
    })
}

/// Every case in a line.
fn summary(validation: &Validation) -> Table {
    let mut table = Table::new("")
        .column("case", Align::Left)
        .column("what", Align::Left)
        .column("figures", Align::Right)
        .column("", Align::Left);
    for case in &validation.cases {
        let agree = case.figures.iter().filter(|one| one.verdict == Verdict::Agrees).count();
        let figures = format!("{agree} of {}", case.figures.len());
        let verdict = match case.agrees() {
            true => Cell::new("✓").tone(CellTone::Good),
            false => Cell::new("✗").tone(CellTone::Bad),
        };
        table.row([Cell::new(&case.id), Cell::new(&case.title), Cell::new(figures), verdict]);
    }
    table
}

/// How many agree.
fn sum(validation: &Validation) -> Line {
    let all = validation.cases.len();
    let agree = validation.cases.iter().filter(|case| case.agrees()).count();
    let runs: u64 = validation.cases.iter().map(|case| case.runs).sum();
    let events: u64 = validation.cases.iter().map(|case| case.events).sum();
    if all == 0 && !validation.interrupted {
        return Line::of(Tone::Warn, "nothing was run that could agree with what was published");
    }
    let tone = if agree == all { Tone::Good } else { Tone::Bad };
    let says = format!("{agree} of {all} agree with what was published");
    let (runs, events) = (number::integer(runs), number::integer(events));
    let line = Line::of(tone, says).and(Tone::Dim, format!("  {runs} runs, {events} events"));
    match validation.interrupted {
        true => line.and(Tone::Warn, "  interrupted: not all cases were run"),
        false => line,
    }
}

/// All cases in one table.
fn table(cases: &[CaseStudy]) -> Table {
    let mut table = columns();
    for case in cases {
        table.group(format!("{} {} — {}", case.id, case.title, case.source));
        case.figures.iter().for_each(|figure| table.row(row(figure)));
    }
    table
}

/// The figures of one case.
fn figures(case: &CaseStudy) -> Table {
    let mut table = columns();
    case.figures.iter().for_each(|figure| table.row(row(figure)));
    table
}

fn columns() -> Table {
    Table::new("")
        .column("variant", Align::Left)
        .column("figure", Align::Left)
        .column("published", Align::Right)
        .column("expected", Align::Right)
        .column("simulated", Align::Right)
        .column("", Align::Left)
}

fn row(figure: &FigureStudy) -> [Cell; 6] {
    let simulated = figure.simulated.map(|estimate| (estimate.mean, estimate.half_width));
    let (expected, allowance) = match figure.expected {
        Expected::Value(value, allowance) => (Some(value), Some(allowance)),
        Expected::Bounds(..) => (None, None),
    };
    let figures = expected.map(|value| (value, allowance)).into_iter().chain(simulated);
    let scale = Scale::from(figure.quantity, "", figures);
    let (tone, verdict) = match figure.verdict {
        Verdict::Agrees => (CellTone::Good, "✓"),
        Verdict::Differs => (CellTone::Bad, "✗ differs"),
        Verdict::Missing => (CellTone::Bad, "✗ not measured"),
    };
    [
        Cell::new(&figure.variant),
        Cell::new(&figure.metric),
        figure.published.as_ref().map_or_else(Cell::none, Cell::new),
        Cell::new(match figure.expected {
            Expected::Value(value, allowance) => {
                let margin = scale.plus_minus(Some(allowance));
                let text = format!("{} {margin}", scale.number(value));
                let sign = if allowance == 0.0 { "= " } else { "" };
                format!("{sign}{}", scale.with_unit(text.trim_end().to_owned()))
            }
            Expected::Bounds(min, max) => bounds(figure.quantity, min, max),
        }),
        simulated.map_or_else(Cell::none, |(mean, half)| {
            let text = format!("{} {}", scale.number(mean), scale.plus_minus(half));
            Cell::new(scale.with_unit(text.trim_end().to_owned()))
        }),
        Cell::new(verdict).tone(tone),
    ]
}

fn bounds(quantity: Quantity, min: Option<f64>, max: Option<f64>) -> String {
    let text = |value: f64| Scale::from(quantity, "", std::iter::once((value, None))).text(value);
    match (min, max) {
        (Some(min), Some(max)) => format!("{} to {}", text(min), text(max)),
        (Some(min), None) => format!("≥ {}", text(min)),
        (None, Some(max)) => format!("≤ {}", text(max)),
        (None, None) => String::new(),
    }
}

/// What did not hold besides figures.
fn broken(validation: &Validation) -> Vec<Block> {
    let mut items = Vec::new();
    for case in &validation.cases {
        for what in &case.broken {
            items.push(Line::of(Tone::Bad, "✗ ").then(format!("{}: {what}", case.id)));
        }
    }
    if items.is_empty() {
        return Vec::new();
    }
    vec![Block::heading("What did not hold besides", ""), Block::Items(items)]
}

/// The cases that cannot be run yet.
fn waiting(validation: &Validation) -> Vec<Block> {
    if validation.pending.is_empty() {
        return Vec::new();
    }
    let count = validation.pending.len();
    let note = format!("{count} case{}", plural(count));
    let item = |one: &Pending| {
        Line::plain("• ")
            .and(Tone::Strong, &one.id)
            .then(format!(" {}: needs {}", one.title, one.needs))
    };
    let items = validation.pending.iter().map(item).collect();
    vec![Block::heading("Not yet possible", note), Block::Items(items)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Estimate;

    fn figure(
        metric: &str,
        expected: Expected,
        mean: Option<f64>,
        verdict: Verdict,
    ) -> FigureStudy {
        FigureStudy {
            metric: metric.to_owned(),
            variant: "plain".to_owned(),
            quantity: Quantity::Time,
            expected,
            published: (metric == "latency.p99").then(|| "about a second".to_owned()),
            simulated: mean.map(|mean| Estimate { mean, half_width: Some(0.0012), n: 8 }),
            verdict,
        }
    }

    fn validation() -> Validation {
        let value = Expected::Value(0.05, 0.00125);
        let case = CaseStudy {
            id: "Q01".to_owned(),
            title: "M/M/1".to_owned(),
            path: "scenarios/validation/mm1.ron".to_owned(),
            source: "a book".to_owned(),
            note: String::new(),
            figures: vec![
                figure("latency.mean", value, Some(0.0502), Verdict::Agrees),
                figure(
                    "latency.p99",
                    Expected::Bounds(None, Some(0.2)),
                    Some(0.23),
                    Verdict::Differs,
                ),
                figure("latency.max", Expected::Value(1.0, 0.0), None, Verdict::Missing),
            ],
            broken: vec!["plain: x violated by seed 3".to_owned()],
            runs: 8,
            events: 2_400_000,
        };
        let pending = vec![Pending {
            id: "P01".to_owned(),
            title: "Staleness".to_owned(),
            needs: "replication".to_owned(),
        }];
        Validation { cases: vec![case], pending, interrupted: false }
    }

    #[test]
    fn every_figure_stands_beside_what_was_expected() {
        let text = published_text(&validation(), Style { width: 100, color: false });
        let expected = "\
 Q01 M/M/1 — a book";
        assert!(text.contains(expected.trim()), "{text}");
        for part in ["50.0 ±1.2 ms", "50.2 ±1.2 ms", "≤ 200 ms", "✗ differs", "✗ not measured"]
        {
            assert!(text.contains(part), "{part}:\n{text}");
        }
        assert!(text.contains("0 of 1 agree with what was published"), "{text}");
        assert!(text.contains("P01 Staleness: needs replication"), "{text}");
        assert!(text.contains("NOT YET POSSIBLE  1 case\n"), "{text}");
        assert!(text.contains("Q01: plain: x violated by seed 3"), "{text}");
    }

    #[test]
    fn of_what_cannot_be_run_nothing_agrees_or_differs() {
        let waiting = Validation { cases: Vec::new(), ..validation() };
        let text = published_text(&waiting, Style { width: 100, color: false });
        assert!(text.contains("nothing was run") && !text.contains("0 of 0"), "{text}");
    }

    #[test]
    fn the_file_has_a_section_for_each_case() {
        let text = published_markdown(&validation(), "# Validation\n");
        assert!(text.starts_with("# Validation\n\n**0 of 1 agree"), "{text}");
        assert!(text.contains("\n## Q01 M/M/1\n\nSource: a book\n"), "{text}");
        assert!(text.contains("1 of 3"), "{text}");
        assert!(text.contains("mm1.ron, 8 runs, 2,400,000 events."), "{text}");
    }
}
