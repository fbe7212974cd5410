//! Reports of made-up studies, looked at as a reader would.

use super::*;
use crate::check::outcome::{ChainStep, Ending, Flow, Outcome, Study};
use crate::engine::{Fault, Time};
use crate::stats::Histogram;
use unicode_width::UnicodeWidthStr;

fn plain(study: &Study, width: usize) -> String {
    text(study, Style { width, color: false })
}

fn section<'a>(report: &'a str, heading: &str) -> &'a str {
    let from = report.find(heading).unwrap_or_else(|| panic!("no {heading} in {report}"));
    let rest = &report[from..];
    let is_heading = |line: &str| {
        let word = line.split("  ").next().unwrap_or("");
        word.len() > 4 && word.chars().all(|c| c.is_uppercase() || c == ' ' || c == '-')
    };
    let mut length = 0;
    for (index, line) in rest.split_inclusive('\n').enumerate() {
        if index > 0 && is_heading(line.trim_end()) {
            break;
        }
        length += line.len();
    }
    rest[..length].trim_end()
}

/// Every report of a study, none of which may panic or show what is not a number.
fn all(study: &Study) -> [String; 3] {
    let reports = [plain(study, 80), markdown(study), json(study)];
    for report in &reports {
        assert!(!report.contains("NaN") && !report.contains("inf "), "{report}");
        assert!(report.ends_with('\n') && !report.ends_with("\n\n"));
    }
    reports
}

#[test]
fn the_head_gives_the_verdict_before_any_figure() {
    let report = plain(&fake::study(3, 1), 80);
    let head = &report[..report.find("WHAT EACH").expect("the effects follow the head")];
    assert_eq!(head, include_str!("tests/head.txt"));
}

#[test]
fn the_trade_offs_of_several_seeds_are_told_in_words_and_figures() {
    let report = plain(&fake::study(2, 6), 80);
    let from = report.find("WHAT EACH").expect("the effects follow the head");
    let to = report.find("INVARIANTS").expect("the invariants follow the trade-offs");
    assert_eq!(&report[from..to], include_str!("tests/tradeoffs.txt"));
}

#[test]
fn the_markdown_holds_the_same_and_no_wall_clock() {
    let mut study = fake::study(2, 1);
    let before = markdown(&study);
    assert_eq!(before, include_str!("tests/report.md"));
    study.wall = 99.0;
    assert_eq!(markdown(&study), before);
    assert_ne!(plain(&study, 80), plain(&fake::study(2, 1), 80));
}

#[test]
fn the_same_study_gives_the_same_bytes() {
    let study = fake::study(3, 4);
    assert_eq!(all(&study), all(&fake::study(3, 4)));
}

#[test]
fn colour_adds_nothing_but_colour_and_no_line_is_too_wide() {
    let study = fake::study(4, 3);
    for width in [60, 80, 100, 120] {
        let report = plain(&study, width);
        let colored = text(&study, Style { width, color: true });
        assert_eq!(anstream::adapter::strip_str(&colored).to_string(), report);
        for line in report.lines() {
            let is_command = line.starts_with("  stormglass ");
            assert!(is_command || line.width() <= width, "{width}: {line}");
            assert_eq!(line.trim_end(), line);
        }
    }
}

#[test]
fn a_narrow_terminal_shows_every_variant_beside_the_first_one() {
    let report = plain(&fake::study(4, 3), 80);
    let table = section(&report, "TRADE-OFFS");
    assert!(table.matches("no saga").count() >= 2, "{table}");
    assert_eq!(table.matches("choreographed saga").count(), 1, "{table}");
    let wide = plain(&fake::study(4, 3), 160);
    assert_eq!(section(&wide, "TRADE-OFFS").matches("\np99, ms").count(), 1);
}

#[test]
fn a_sign_stands_only_where_a_difference_is_beyond_chance() {
    let single = plain(&fake::study(2, 1), 100);
    let table = section(&single, "TRADE-OFFS");
    assert!(!table.contains('▲') && !table.contains('▼'), "{table}");
    assert!(table.contains("--seeds"), "{table}");
    // A variant against its own copy differs in nothing.
    let mut study = fake::study(1, 5);
    study.variants.push(study.variants[0].clone());
    study.variants[1].name = "copy".into();
    let report = plain(&study, 100);
    assert!(section(&report, "WHAT EACH").contains("no difference beyond chance"), "{report}");
}

#[test]
fn every_request_is_accounted_for_and_a_lost_one_shows() {
    let mut study = fake::study(2, 2);
    let fine = plain(&study, 100);
    assert_eq!(section(&fine, "EVERY REQUEST").matches('✓').count(), 2);
    study.variants[1].runs[0].flows[0].succeeded -= 1;
    let lost = plain(&study, 100);
    assert!(section(&lost, "EVERY REQUEST").contains("✗ some are lost"));
}

#[test]
fn many_clean_runs_say_how_rare_a_violation_must_be() {
    let mut study = fake::study(1, 3);
    let mut run = study.variants[0].runs[0].clone();
    for finding in &mut run.findings {
        (finding.violations, finding.first, finding.checked) = (0, None, 7);
    }
    study.variants[0].runs = vec![run; 300];
    study.seeds = (1..=300).collect();
    let report = plain(&study, 100);
    let invariants = section(&report, "INVARIANTS");
    let proof = "held in all of 300 runs is broken by at most 1.0";
    assert!(invariants.contains(proof), "{invariants}");
}

#[test]
fn what_was_never_exercised_is_not_called_kept() {
    let mut study = fake::study(1, 2);
    for run in &mut study.variants[0].runs {
        for finding in &mut run.findings {
            (finding.violations, finding.first, finding.checked) = (0, None, 0);
        }
    }
    let report = plain(&study, 100);
    let invariants = section(&report, "INVARIANTS");
    assert_eq!(invariants.matches("! not exercised").count(), 3, "{invariants}");
    // The only sign of that kind is in the heading, which explains it.
    assert_eq!(invariants.matches('✓').count(), 1, "{invariants}");
    assert!(report.contains("no variant is shown to keep every invariant"), "{report}");
}

#[test]
fn a_study_without_requests_faults_or_invariants_is_reported_all_the_same() {
    let mut study = fake::study(2, 2);
    study.judgements.clear();
    for variant in &mut study.variants {
        variant.chains.clear();
        variant.runs.iter_mut().for_each(empty);
    }
    let [text, markdown, _] = all(&study);
    for heading in ["INVARIANTS", "EVERY REQUEST", "HOW IT WENT WRONG", "EXPECTATIONS", "FAULTS"] {
        assert!(!text.contains(heading), "{text}");
    }
    assert!(text.contains("NOT JUDGED") && markdown.contains("NOT JUDGED"));
}

fn empty(run: &mut Outcome) {
    for flow in &mut run.flows {
        (flow.started, flow.succeeded, flow.in_flight) = (0, 0, 0);
        flow.failed = [0; Fault::ALL.len()];
        flow.latency = Histogram::new();
    }
    run.measures.iter_mut().for_each(|measure| measure.value = None);
    run.findings.clear();
    run.episodes.clear();
    run.windows.iter_mut().for_each(|window| *window = Default::default());
}

#[test]
fn one_variant_is_compared_with_nothing() {
    let [text, ..] = all(&fake::study(1, 3));
    assert!(!text.contains("BUYS") && !text.contains('▲'), "{text}");
    let mut nothing = fake::study(1, 1);
    nothing.variants.clear();
    all(&nothing);
}

#[test]
fn an_interrupted_study_says_what_is_missing() {
    let mut study = fake::study(3, 5);
    study.interrupted = true;
    study.judgements.clear();
    study.variants[1].runs.truncate(2);
    study.variants[2].runs.clear();
    study.variants[0].runs[3].ending = Ending::Stuck("orders, payments".into());
    study.variants[0].runs[4].ending = Ending::EventLimit;
    let [text, ..] = all(&study);
    assert!(text.contains("! INTERRUPTED"), "{text}");
    assert!(text.contains("orchestrated saga: 2 of 5 seeds were run"), "{text}");
    assert!(text.contains("saga without idempotency keys: 0 of 5 seeds were run"), "{text}");
    assert!(text.contains("seed 4: time stood still: orders, payments"), "{text}");
    assert!(text.contains("1 run hit the event limit"), "{text}");
}

#[test]
fn seeds_are_paired_by_their_number_and_not_by_their_place() {
    let mut study = fake::study(2, 6);
    let whole = tradeoff::Tradeoff::of(&study);
    study.variants[1].runs.remove(0);
    let part = tradeoff::Tradeoff::of(&study);
    let pairs = |table: &tradeoff::Tradeoff| {
        let row = table.rows.iter().find(|row| row.id == "offered").expect("it is measured");
        let figure = row.figures[1].as_ref().expect("it has values");
        let versus = figure.versus.as_ref().expect("it is compared");
        (versus.pairs, versus.difference)
    };
    // Both variants are offered the same load under the same seed, so pairs do not differ.
    assert_eq!((pairs(&whole), pairs(&part)), ((6, 0.0), (5, 0.0)));
}

#[test]
fn a_fault_that_does_not_end_and_figures_that_do_not_exist_are_no_trouble() {
    let mut study = fake::study(2, 3);
    for run in study.variants.iter_mut().flat_map(|variant| &mut variant.runs) {
        run.episodes[0].ends = Time::MAX;
        run.episodes[0].felt_after = None;
        run.episodes[0].recovered_after = None;
        run.measures[0].value = Some(f64::NAN);
        run.measures[1].value = Some(f64::INFINITY);
        run.windows[0].latency_mean = f64::NAN;
        run.nodes[1].utilisation = Some(f64::NAN);
    }
    study.wall = 0.0;
    let [text, ..] = all(&study);
    let faults = section(&text, "FAULTS");
    assert!(faults.contains("for good") && faults.contains("never within the run"), "{faults}");
    assert!(faults.contains("not felt"), "{faults}");
}

#[test]
fn a_long_chain_is_told_by_its_ends_and_its_bad_steps() {
    let study = fake::study(3, 1);
    let chain = &study.variants[2].chains[0];
    let told = chains::told(&chain.steps);
    assert!(told.len() < chain.steps.len() / 3, "{} lines", told.len());
    let bad =
        |is_bad: &dyn Fn(usize) -> bool, count: usize| (0..count).filter(|i| is_bad(*i)).count();
    assert_eq!(
        bad(&|i| told[i].is_bad, told.len()),
        bad(&|i| chain.steps[i].is_bad, chain.steps.len())
    );
    let gaps: Vec<&str> =
        told.iter().filter(|line| line.is_gap).map(|line| line.what.as_str()).collect();
    assert_eq!(gaps, ["75 steps left out"]);
    let mut storm = chain.steps.clone();
    storm.iter_mut().for_each(|step| step.is_bad = true);
    let told = chains::told(&storm);
    let gap = told.iter().find(|line| line.is_gap).expect("some are left out");
    assert!(gap.what.ends_with("of them bad"), "{}", gap.what);
}

#[test]
fn what_happens_several_times_at_once_is_told_once() {
    let step = |at, what: &str, is_bad| {
        let (node, what) = ("a".to_owned(), what.to_owned());
        ChainStep { at: Time(at), node, what, is_bad }
    };
    let reset = |at| step(at, "is reset", true);
    let steps = [step(1, "asks", false), reset(2), reset(2), reset(2), reset(3)];
    let told: Vec<String> = chains::told(&steps).into_iter().map(|line| line.what).collect();
    assert_eq!(told, ["asks", "is reset (3 times)", "is reset"]);
    // Where some are left out, each of them counts.
    let many: Vec<ChainStep> = (0..60).map(|at| step(at / 2, "asks", false)).collect();
    let told = chains::told(&many);
    let gap = told.iter().find(|line| line.is_gap).expect("thirty lines are too many");
    assert_eq!(gap.what, "40 steps left out");
}

#[test]
fn a_variant_that_serves_nobody_is_no_quiet_success() {
    let mut study = fake::study(2, 1);
    let flows = |study: &mut Study, change: &dyn Fn(&mut Flow)| {
        study.variants[0].runs.iter_mut().flat_map(|run| &mut run.flows).for_each(change);
    };
    let said = |study: &Study| {
        let lines: Vec<String> = all(study)[0].lines().map(str::to_owned).collect();
        lines
            .into_iter()
            .filter(|line| line.contains("not one of") || line.contains("makes no"))
            .collect::<Vec<_>>()
    };
    assert_eq!(said(&study), [""; 0]);
    let name = study.variants[0].name.clone();
    flows(&mut study, &|flow| (flow.started, flow.succeeded, flow.in_flight) = (2_000, 0, 0));
    let [line] = &said(&study)[..] else { panic!("{:?}", said(&study)) };
    assert!(line.starts_with(&format!("! {name}: not one of ")) && line.ends_with(" succeeds"));
    flows(&mut study, &|flow| flow.in_flight = 5);
    let [line] = &said(&study)[..] else { panic!("{:?}", said(&study)) };
    assert!(line.ends_with(" have no end within the run"), "{line}");
    flows(&mut study, &|flow| (flow.started, flow.in_flight) = (0, 0));
    assert_eq!(said(&study), [format!("! {name} makes no request")]);
}

#[test]
fn a_name_steers_neither_the_terminal_nor_markdown() {
    let mut study = fake::study(2, 1);
    study.title = "# a *title* <b>\u{1b}[2J".into();
    study.variants[1].name = "two | three\u{7}".into();
    let [text, markdown, _] = all(&study);
    assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'));
    assert!(markdown.starts_with("# \\# a \\*title\\* \\<b>"), "{markdown}");
    assert!(markdown.contains("two \\| three"));
}
