//! The head of a report: the verdict before anything else, then what was run.

use crate::check::outcome::{Ending, Judgement, Stages, Study, VariantStudy};
use crate::engine::Time;
use crate::report::document::{Block, Line, Tone};
use crate::report::number;
use crate::report::requests::Account;

/// The most seeds that are listed one by one.
const SEEDS_LISTED_MAX: usize = 8;
/// The most failed expectations that the head lists; the section on expectations has them all.
const FAILED_LISTED_MAX: usize = 5;

/// An invariant that a variant violated, over all of its runs.
pub(super) struct Broken<'a> {
    pub invariant: &'a str,
    /// In how many runs.
    pub runs: usize,
    pub violations: u64,
    pub checked: u64,
    /// The first seed that shows it, and the place of its run.
    pub seed: u64,
    /// Is the variant there to show it?
    pub is_meant: bool,
}

/// The invariants that a variant violated: those that it should have kept first.
pub(super) fn broken(variant: &VariantStudy) -> Vec<Broken<'_>> {
    let mut found: Vec<Broken> = Vec::new();
    for run in &variant.runs {
        for finding in run.findings.iter().filter(|finding| finding.violations > 0) {
            let invariant = finding.invariant.as_str();
            if !found.iter().any(|other| other.invariant == invariant) {
                let is_meant = variant.breaks.contains(&finding.invariant);
                let seed = run.seed;
                let (runs, violations, checked) = (0, 0, 0);
                found.push(Broken { invariant, runs, violations, checked, seed, is_meant });
            }
        }
    }
    for broken in &mut found {
        for finding in variant.runs.iter().flat_map(|run| &run.findings) {
            if finding.invariant == broken.invariant {
                broken.runs += usize::from(finding.violations > 0);
                broken.violations += finding.violations;
                broken.checked += finding.checked;
            }
        }
    }
    found.sort_by_key(|broken| broken.is_meant);
    found
}

/// The section.
pub(super) fn section(study: &Study) -> Vec<Block> {
    let title = if study.title.is_empty() { &study.name } else { &study.title };
    let mut blocks = vec![Block::Title(title.clone()), Block::Paragraph(badge(study))];
    let said = [failed(study), invariants(study), silent(study), unserved(study), endings(study)];
    let lines: Vec<Line> = said.into_iter().flatten().collect();
    if !lines.is_empty() {
        blocks.push(Block::Items(lines));
    }
    // A scenario breaks its lines as its author's editor does.
    let about: Vec<&str> = study.about.split_whitespace().collect();
    if !about.is_empty() {
        blocks.push(Block::Paragraph(Line::plain(about.join(" "))));
    }
    blocks.push(Block::Paragraph(Line::of(Tone::Dim, setting(study))));
    blocks
}

fn badge(study: &Study) -> Line {
    let judged = study.judgements.len();
    let failed = study.judgements.iter().filter(|judgement| !judgement.held).count();
    let line = match (study.held(), study.interrupted) {
        (false, _) => Line::of(Tone::Bad, "✗ NOT HELD")
            .and(Tone::Strong, format!("  {failed} of {} failed", expectations(judged))),
        (true, true) => Line::of(Tone::Warn, "! INTERRUPTED")
            .and(Tone::Strong, "  nothing failed in what was run by then"),
        (true, false) if judged == 0 => {
            Line::of(Tone::Dim, "– NOT JUDGED").then("  the scenario expects nothing")
        }
        (true, false) => {
            Line::of(Tone::Good, "✓ HELD").and(Tone::Strong, format!("  {}", all_of(judged)))
        }
    };
    if study.interrupted && !study.held() {
        return line.and(Tone::Warn, "  (interrupted: of what was run by then)");
    }
    line
}

fn expectations(count: usize) -> String {
    format!("{count} expectation{}", plural(count))
}

fn all_of(count: usize) -> String {
    if count == 1 {
        "the expectation held".into()
    } else {
        format!("all {count} expectations held")
    }
}

pub(super) fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn failed(study: &Study) -> Vec<Line> {
    let failed: Vec<&Judgement> =
        study.judgements.iter().filter(|judgement| !judgement.held).collect();
    let mut lines: Vec<Line> = (failed.iter().take(FAILED_LISTED_MAX))
        .map(|judgement| {
            Line::of(Tone::Bad, "✗ ")
                .and(Tone::Strong, &judgement.variant)
                .then(format!(": {} — found {}", judgement.says, judgement.found))
        })
        .collect();
    if failed.len() > FAILED_LISTED_MAX {
        let rest = failed.len() - FAILED_LISTED_MAX;
        lines.push(Line::of(Tone::Dim, format!("  and {rest} more, see the expectations")));
    }
    lines
}

fn invariants(study: &Study) -> Vec<Line> {
    let mut runs = study.variants.iter().flat_map(|variant| &variant.runs);
    if runs.all(|run| run.findings.is_empty()) {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let mut keeping = 0;
    for variant in &study.variants {
        let broken = broken(variant);
        keeping += usize::from(broken.is_empty() && is_tested(variant));
        let (meant, failed): (Vec<_>, Vec<_>) = broken.iter().partition(|broken| broken.is_meant);
        lines.extend(failed.into_iter().map(|broken| sentence(variant, broken)));
        match meant[..] {
            [] => {}
            [broken] => lines.push(sentence(variant, broken)),
            _ => lines.push(demonstration(variant, &meant)),
        }
    }
    let of = study.variants.len();
    let summary = match keeping {
        _ if of == 1 && keeping == 1 => "every invariant was kept".to_string(),
        all if all == of => format!("all {of} variants keep every invariant"),
        0 => "no variant is shown to keep every invariant".to_string(),
        _ => format!(
            "{keeping} of {of} variants keep{} every invariant",
            if keeping == 1 { "s" } else { "" }
        ),
    };
    let (sign, tone) = if keeping == of { ("✓ ", Tone::Good) } else { ("• ", Tone::Plain) };
    lines.insert(0, Line::of(tone, sign).then(summary));
    lines
}

fn sentence(variant: &VariantStudy, broken: &Broken) -> Line {
    let (tone, sign) = if broken.is_meant { (Tone::Warn, "• ") } else { (Tone::Bad, "✗ ") };
    let checks = format!(
        "{} of {} checks",
        number::integer(broken.violations),
        number::integer(broken.checked)
    );
    let extent = match variant.runs.len() {
        1 => format!(" in {checks} (seed {})", broken.seed),
        runs => {
            let (broken, seed) = (broken.runs, broken.seed);
            format!(" in {broken} of {runs} runs: {checks}, first by seed {seed}")
        }
    };
    let line = Line::of(tone, sign)
        .and(Tone::Strong, &variant.name)
        .then(": breaks ")
        .and(Tone::Strong, format!("“{}”", broken.invariant))
        .then(extent);
    if broken.is_meant { line.and(Tone::Dim, ", as it is here to show") } else { line }
}

/// What a variant is there to show, if that is more than one thing.
fn demonstration(variant: &VariantStudy, meant: &[&Broken]) -> Line {
    let runs = variant.runs.len();
    let mut line = Line::of(Tone::Warn, "• ").and(Tone::Strong, &variant.name).then(": breaks ");
    for (index, broken) in meant.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        let extent = match runs {
            1 => format!("{} times", number::integer(broken.violations)),
            _ => format!("in {} of {runs} runs", broken.runs),
        };
        line = line
            .then(comma)
            .and(Tone::Strong, format!("“{}”", broken.invariant))
            .then(format!(" {extent}"));
    }
    line.and(Tone::Dim, ", as it is here to show")
}

/// Was any invariant put to the test? A variant that was not run keeps nothing.
fn is_tested(variant: &VariantStudy) -> bool {
    let mut findings = variant.runs.iter().flat_map(|run| &run.findings);
    findings.any(|finding| finding.checked > 0)
}

/// Invariants that no run of a variant ever checked: green, but empty.
fn silent(study: &Study) -> Vec<Line> {
    let mut found: Vec<(&str, Vec<&str>)> = Vec::new();
    for variant in &study.variants {
        for finding in variant.runs.first().map_or(&[][..], |run| &run.findings) {
            if is_silent(variant, &finding.invariant) {
                match found.iter_mut().find(|(name, _)| *name == finding.invariant) {
                    Some((_, variants)) => variants.push(&variant.name),
                    None => found.push((&finding.invariant, vec![&variant.name])),
                }
            }
        }
    }
    let line = |(invariant, variants): (&str, Vec<&str>)| {
        let by = if variants.len() == study.variants.len() {
            "any variant".to_string()
        } else {
            variants.join(", ")
        };
        Line::of(Tone::Warn, "! ")
            .and(Tone::Strong, format!("“{invariant}”"))
            .then(format!(" is not exercised by {by}, and proves nothing there"))
    };
    found.into_iter().map(line).collect()
}

/// Did no run of the variant check the invariant?
pub(super) fn is_silent(variant: &VariantStudy, invariant: &str) -> bool {
    let findings = variant.runs.iter().flat_map(|run| &run.findings);
    findings.filter(|finding| finding.invariant == invariant).all(|finding| finding.checked == 0)
}

/// Variants of which nothing else says that they serve nobody: an invariant is easily kept where
/// nothing happens.
fn unserved(study: &Study) -> Vec<Line> {
    let sentence = |variant: &VariantStudy| {
        let Account { started, succeeded, in_flight, .. } = Account::of(variant);
        if succeeded > 0 || variant.runs.is_empty() {
            return None;
        }
        let what = match (started, in_flight) {
            (0, _) => " makes no request".to_owned(),
            (started, 0) => format!(": not one of {} succeeds", requests(started)),
            (started, in_flight) => {
                let (of, open) = (requests(started), number::integer(in_flight));
                format!(": not one of {of} succeeds, {open} have no end within the run")
            }
        };
        Some(Line::of(Tone::Warn, "! ").and(Tone::Strong, &variant.name).then(what))
    };
    study.variants.iter().filter_map(sentence).collect()
}

fn requests(count: u64) -> String {
    format!("{} request{}", number::integer(count), plural(count as usize))
}

/// Runs that did not reach their end, and runs that are missing.
fn endings(study: &Study) -> Vec<Line> {
    let mut lines = Vec::new();
    for variant in &study.variants {
        let name = &variant.name;
        let limited = variant.runs.iter().filter(|run| run.ending == Ending::EventLimit).count();
        if limited > 0 {
            lines.push(format!("{name}: {limited} run{} hit the event limit", plural(limited)));
        }
        for run in &variant.runs {
            if let Ending::Stuck(why) = &run.ending {
                lines.push(format!("{name}, seed {}: time stood still: {why}", run.seed));
            }
        }
        let (done, wanted) = (variant.runs.len(), study.seeds.len());
        if done < wanted {
            lines.push(format!("{name}: {done} of {wanted} seeds were run"));
        }
    }
    lines.into_iter().map(|line| Line::of(Tone::Warn, "! ").then(line)).collect()
}

fn setting(study: &Study) -> String {
    let variants = study.variants.len();
    let mut parts = vec![format!("{variants} variant{}", plural(variants)), seeds(&study.seeds)];
    let mut stages: Vec<Stages> = Vec::new();
    for variant in &study.variants {
        if !stages.contains(&variant.stages) {
            stages.push(variant.stages);
        }
    }
    parts.extend(stages.first().iter().flat_map(|stages| phases(stages)));
    if stages.len() > 1 {
        parts.push("some variants differ in that".to_owned());
    }
    parts.push(study.path.clone());
    parts.join(" · ")
}

/// When what is, in a run.
fn phases(stages: &Stages) -> Vec<String> {
    let Stages { warmup, quiet, end } = *stages;
    let until = |what, at: Time| format!("{what} until {}", number::plain_duration(at.0));
    let warmup = format!("warm-up {}", number::plain_duration(warmup.0));
    let mut parts: Vec<String> = (!stages.warmup.is_zero()).then_some(warmup).into_iter().collect();
    parts.push(until("load", quiet));
    parts.extend((quiet < end).then(|| until("quiet", end)));
    parts
}

fn seeds(seeds: &[u64]) -> String {
    let follows = seeds.windows(2).all(|pair| pair[0].checked_add(1) == Some(pair[1]));
    match seeds {
        [] => "no seed".to_string(),
        [seed] => format!("seed {seed}"),
        [first, .., last] if follows && seeds.len() > 2 => {
            format!("{} seeds ({first} to {last})", number::integer(seeds.len() as u64))
        }
        _ => {
            let listed: Vec<String> =
                seeds.iter().take(SEEDS_LISTED_MAX).map(u64::to_string).collect();
            let more = if seeds.len() > SEEDS_LISTED_MAX { ", …" } else { "" };
            format!("{} seeds ({}{more})", seeds.len(), listed.join(", "))
        }
    }
}
