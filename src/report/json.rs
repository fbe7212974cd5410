//! A report for programs.
//!
//! # Schema `stormglass.report/1`
//!
//! The top level has four keys, always in this order:
//!
//! | key | holds |
//! |---|---|
//! | `schema` | `"stormglass.report/1"` |
//! | `scenario` | `name`, `path`, `title`, `about` |
//! | `deterministic` | everything that is a function of the build, the scenario and the seeds |
//! | `wall_clock` | `seconds` and `events_per_second`: what differs between machines |
//!
//! `deterministic` holds `seeds`, `warmup_ns`, `quiet_ns`, `end_ns` (of the first variant),
//! `currency` (of the scenario's price list, or null), `interrupted`, `held`, and
//!
//! - `judgements`: `variant`, `says`, `held`, `found`, `reproduce`;
//! - `measures`: for each `id` with its `label`, `axis`, `quantity` and `better`, an entry of
//!   `variants` for each variant in order: `value` with the ends `low` and `high` of its 95 %
//!   interval, `half_width`, the number `n` of runs that have a value, `values` run by run, and
//!   `versus` the first variant: `difference`, `low`, `high`, `ratio`, `pairs`, `p_value` (Holm),
//!   `significant` and `verdict` (`"better"`, `"worse"` or null). A variant without any value is
//!   null;
//! - `variants`: `name`, `about`, `breaks`, `warmup_ns`, `quiet_ns`, `end_ns`, `digest`, `events`,
//!   `requests`, `latency` (all runs of each flow and each class together), `invariants` (all runs
//!   together), `chains`, and `runs` one by one.
//!
//! Values of measures are in base units (seconds, shares of one, bytes); whatever ends in `_ns` is
//! whole nanoseconds. Digests are strings of 16 hexadecimal digits, since 64 bits do not fit the
//! numbers of every reader. Floats are the shortest text that reads back as the same value; what is
//! not finite, and what there is none of, is null. Windows are stored by column.
//!
//! # Stability
//!
//! Under one schema number keys are added, never renamed, removed or given another meaning; readers
//! must ignore what they do not know. Ids of measures and names of invariants are stable likewise.

mod layout;
mod variant;

use serde::Serialize;

use crate::check::outcome::{Axis, Better, Quantity, Study};
use crate::report::tradeoff::{Change, Figure, Row, Tradeoff, Versus};
use variant::Variant;

/// The report as JSON, of the schema that this file describes. Ends with a line break.
pub fn json(study: &Study) -> String {
    layout::print(&Report::of(study))
}

#[derive(Serialize)]
struct Report<'a> {
    schema: &'static str,
    scenario: Scenario<'a>,
    deterministic: Deterministic<'a>,
    wall_clock: WallClock,
}

#[derive(Serialize)]
struct Scenario<'a> {
    name: &'a str,
    path: &'a str,
    title: &'a str,
    about: &'a str,
}

#[derive(Serialize)]
struct Deterministic<'a> {
    seeds: &'a [u64],
    warmup_ns: u64,
    quiet_ns: u64,
    end_ns: u64,
    currency: Option<&'a str>,
    interrupted: bool,
    held: bool,
    judgements: Vec<Judged<'a>>,
    measures: Vec<Measured>,
    variants: Vec<Variant<'a>>,
}

#[derive(Serialize)]
struct Judged<'a> {
    variant: &'a str,
    says: &'a str,
    held: bool,
    found: &'a str,
    reproduce: Option<&'a str>,
}

#[derive(Serialize)]
struct Measured {
    id: String,
    label: String,
    axis: &'static str,
    quantity: &'static str,
    better: Option<&'static str>,
    variants: Vec<Option<Found>>,
}

#[derive(Serialize)]
struct Found {
    value: f64,
    low: Option<f64>,
    high: Option<f64>,
    half_width: Option<f64>,
    n: usize,
    values: Vec<Option<f64>>,
    versus: Option<Against>,
}

#[derive(Serialize)]
struct Against {
    difference: f64,
    low: Option<f64>,
    high: Option<f64>,
    ratio: Option<f64>,
    pairs: usize,
    p_value: Option<f64>,
    significant: bool,
    verdict: Option<&'static str>,
}

#[derive(Serialize)]
struct WallClock {
    seconds: f64,
    events_per_second: f64,
}

impl Report<'_> {
    fn of(study: &Study) -> Report<'_> {
        let rows = Tradeoff::of(study).rows;
        let judgements = study.judgements.iter().map(|judgement| Judged {
            variant: &judgement.variant,
            says: &judgement.says,
            held: judgement.held,
            found: &judgement.found,
            reproduce: judgement.reproduce.as_deref(),
        });
        let runs = study.variants.iter().flat_map(|variant| &variant.runs);
        let baseline = study.variants.first().map(|variant| variant.stages).unwrap_or_default();
        let events: u64 = runs.map(|run| run.events).sum();
        Report {
            schema: "stormglass.report/1",
            scenario: Scenario {
                name: &study.name,
                path: &study.path,
                title: &study.title,
                about: &study.about,
            },
            deterministic: Deterministic {
                seeds: &study.seeds,
                warmup_ns: baseline.warmup.0,
                quiet_ns: baseline.quiet.0,
                end_ns: baseline.end.0,
                currency: study.currency.as_deref(),
                interrupted: study.interrupted,
                held: study.held(),
                judgements: judgements.collect(),
                measures: rows.into_iter().map(measured).collect(),
                variants: study.variants.iter().map(Variant::of).collect(),
            },
            wall_clock: WallClock {
                seconds: study.wall,
                events_per_second: events as f64 / study.wall,
            },
        }
    }
}

fn measured(mut row: Row) -> Measured {
    let verdicts: Vec<Option<Change>> = (0..row.figures.len()).map(|i| row.change(i)).collect();
    let figures = std::mem::take(&mut row.figures).into_iter().zip(verdicts);
    Measured {
        id: row.id,
        label: row.label,
        axis: axis(row.axis),
        quantity: quantity(row.quantity),
        better: better(row.better),
        variants: figures.map(|(figure, verdict)| Some(found(figure?, verdict))).collect(),
    }
}

fn found(figure: Figure, verdict: Option<Change>) -> Found {
    let half_width = figure.half_width();
    Found {
        value: figure.value,
        low: figure.interval.map(|(low, _)| low),
        high: figure.interval.map(|(_, high)| high),
        half_width,
        n: figure.values.iter().flatten().count(),
        values: figure.values,
        versus: figure.versus.map(|versus| against(&versus, verdict)),
    }
}

fn against(versus: &Versus, verdict: Option<Change>) -> Against {
    Against {
        difference: versus.difference,
        low: versus.interval.map(|(low, _)| low),
        high: versus.interval.map(|(_, high)| high),
        ratio: versus.ratio,
        pairs: versus.pairs,
        p_value: versus.p_value,
        significant: versus.is_significant,
        verdict: verdict.map(|change| match change {
            Change::Better => "better",
            Change::Worse => "worse",
        }),
    }
}

fn axis(axis: Axis) -> &'static str {
    match axis {
        Axis::Latency => "latency",
        Axis::Throughput => "throughput",
        Axis::Availability => "availability",
        Axis::Consistency => "consistency",
        Axis::Cost => "cost",
        Axis::Complexity => "complexity",
        Axis::Saturation => "saturation",
        Axis::Own => "own",
    }
}

fn quantity(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::Time => "seconds",
        Quantity::Share => "share",
        Quantity::Count => "count",
        Quantity::Rate => "per_second",
        Quantity::Bytes => "bytes",
        Quantity::Money => "money",
    }
}

fn better(better: Better) -> Option<&'static str> {
    match better {
        Better::Lower => Some("lower"),
        Better::Higher => Some("higher"),
        Better::Neither => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::report::fake;

    fn parsed(study: &Study) -> Value {
        serde_json::from_str(&json(study)).expect("the report is JSON")
    }

    #[test]
    fn every_request_is_found_in_one_place_and_the_runs_add_up_to_their_variant() {
        let report = parsed(&fake::study(3, 4));
        let variants = report["deterministic"]["variants"].as_array().expect("an array");
        assert_eq!(variants.len(), 3);
        let sum = |requests: &Value| {
            let failed = requests["failed"].as_object().expect("an object");
            let failed: u64 = failed.values().filter_map(Value::as_u64).sum();
            let of = |key: &str| requests[key].as_u64().expect("a count");
            assert_eq!(of("started"), of("succeeded") + failed + of("in_flight"));
            of("started")
        };
        for variant in variants {
            let runs = variant["runs"].as_array().expect("an array");
            let of_runs: u64 = runs.iter().map(|run| sum(&run["requests"])).sum();
            assert_eq!(of_runs, sum(&variant["requests"]));
            let latency = &variant["latency"][0];
            assert_eq!(latency["count"], variant["requests"]["succeeded"]);
            let quantiles = latency["quantiles_ns"].as_object().expect("an object");
            let values: Vec<u64> = quantiles.values().filter_map(Value::as_u64).collect();
            assert_eq!(quantiles.len(), values.len());
        }
    }

    #[test]
    fn keys_stand_in_their_order_and_wall_clock_stands_apart() {
        let mut study = fake::study(2, 2);
        let before = json(&study);
        let at = |key: &str| before.find(key).expect("the key is there");
        assert!(at("\"schema\"") < at("\"scenario\"") && at("\"scenario\"") < at("\"seeds\""));
        assert!(at("\"seeds\"") < at("\"measures\"") && at("\"runs\"") < at("\"wall_clock\""));
        study.wall *= 2.0;
        let (head, tail) = before.split_at(at("\"wall_clock\""));
        let after = json(&study);
        assert_eq!(after.split_at(head.len()).0, head);
        assert_ne!(after.split_at(head.len()).1, tail);
    }

    #[test]
    fn floats_read_back_as_the_same_value_and_what_is_not_finite_is_null() {
        let mut study = fake::study(1, 2);
        study.wall = 0.0;
        study.variants[0].runs[0].measures[0].value = Some(f64::NAN);
        study.variants[0].runs[1].measures[0].value = Some(0.1 + 0.2);
        let report = parsed(&study);
        let values = &report["deterministic"]["measures"][0]["variants"][0]["values"];
        assert_eq!(values[0], Value::Null);
        assert_eq!(values[1].as_f64(), Some(0.1 + 0.2));
        assert_eq!(report["wall_clock"]["events_per_second"], Value::Null);
    }

    #[test]
    fn a_difference_carries_its_verdict() {
        let report = parsed(&fake::study(2, 5));
        let measures = report["deterministic"]["measures"].as_array().expect("an array");
        let half = measures.iter().find(|measure| measure["id"] == "half").expect("it is measured");
        assert_eq!(half["variants"][0]["versus"], Value::Null);
        assert_eq!(half["variants"][1]["versus"]["verdict"], "better");
        assert_eq!(half["variants"][1]["n"], 5);
    }
}
