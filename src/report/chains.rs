//! Why an invariant did not hold, told as a story: what happened to one operation, step by step.

use crate::check::outcome::{Chain, ChainStep, Study, VariantStudy, Violation};
use crate::engine::Span;
use crate::report::document::{Block, Line, Tone};

/// So many steps are told in full.
const STEPS_MAX: usize = 24;
/// Of a longer chain: so many at each end, and so many around each bad step.
const ENDS: usize = 5;
const AROUND: usize = 1;
/// So many bad steps are told; a storm of retries is the same step again and again.
const BAD_MAX: usize = 20;

/// A line of a story.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Told {
    /// When; empty for a gap.
    pub at: String,
    /// Where; empty for a gap.
    pub node: String,
    pub what: String,
    pub is_bad: bool,
    pub is_gap: bool,
}

/// The section.
pub(super) fn section(study: &Study) -> Vec<Block> {
    let mut blocks = Vec::new();
    for variant in &study.variants {
        // What breaks two invariants is one story.
        for chains in variant.chains.chunk_by(|a, b| (a.seed, &a.steps) == (b.seed, &b.steps)) {
            blocks.extend(story(variant, chains));
        }
    }
    if !blocks.is_empty() {
        let note = "the first violation of each, with everything that led to it";
        blocks.insert(0, Block::heading("How it went wrong", note));
    }
    blocks
}

fn story(variant: &VariantStudy, chains: &[Chain]) -> Vec<Block> {
    let Some(first) = chains.first() else { return Vec::new() };
    let names: Vec<String> = chains.iter().map(|chain| format!("“{}”", chain.invariant)).collect();
    let operation = match first.violation.root {
        0 => String::new(),
        root => format!(", operation {root}"),
    };
    let names = names.join(" and ");
    let title = format!("{}: {names} (seed {}{operation})", variant.name, first.seed);
    let mut blocks = vec![Block::Subheading(title)];
    if !first.steps.is_empty() {
        blocks.push(Block::Story(told(&first.steps)));
    }
    let ends = chains.iter().map(|Chain { violation: Violation { at, what, .. }, .. }| {
        Line::of(Tone::Bad, "✗ ").then(format!("At {at}: {what}"))
    });
    blocks.push(Block::Items(ends.collect()));
    blocks
}

/// A step that is told, and how often it was taken at once.
struct Step<'a> {
    step: &'a ChainStep,
    times: usize,
}

/// The steps that are told, with a line for each gap. What happens several times at once is told
/// once.
pub(super) fn told(steps: &[ChainStep]) -> Vec<Told> {
    let same = steps.chunk_by(|a, b| a == b);
    let steps: Vec<Step> = same.map(|chunk| Step { step: &chunk[0], times: chunk.len() }).collect();
    let decimals = decimals(&steps);
    let mut lines = Vec::new();
    let mut index = 0;
    let keep = kept(&steps);
    while index < steps.len() {
        let gap = keep[index..].iter().take_while(|&&is_kept| !is_kept).count();
        // A line that says that one step was left out is no shorter than the step.
        if gap > 1 {
            lines.push(left_out(&steps[index..index + gap]));
            index += gap;
            continue;
        }
        let Step { step: ChainStep { at, node, what, is_bad }, times } = &steps[index];
        lines.push(Told {
            at: format!("{:.decimals$} s", at.as_seconds()),
            node: node.clone(),
            what: if *times > 1 { format!("{what} ({times} times)") } else { what.clone() },
            is_bad: *is_bad,
            is_gap: false,
        });
        index += 1;
    }
    lines
}

/// The line of a gap.
fn left_out(steps: &[Step]) -> Told {
    let count: usize = steps.iter().map(|step| step.times).sum();
    let bad: usize = steps.iter().filter(|step| step.step.is_bad).map(|step| step.times).sum();
    let of_them = if bad > 0 { format!(", {bad} of them bad") } else { String::new() };
    let what = format!("{count} steps left out{of_them}");
    Told { at: String::new(), node: String::new(), what, is_bad: false, is_gap: true }
}

/// Which steps are told: all of a short chain; the ends and the bad steps of a long one.
fn kept(steps: &[Step]) -> Vec<bool> {
    let count = steps.len();
    if count <= STEPS_MAX {
        return vec![true; count];
    }
    let mut keep: Vec<bool> = (0..count).map(|i| i < ENDS || i + ENDS >= count).collect();
    let bad: Vec<usize> = (0..count).filter(|&index| steps[index].step.is_bad).collect();
    for (rank, &index) in bad.iter().enumerate() {
        // Of very many, those at the beginning and at the end tell the story.
        if rank < BAD_MAX / 2 || rank + BAD_MAX / 2 >= bad.len() {
            let around = index.saturating_sub(AROUND)..(index + AROUND + 1).min(count);
            keep[around].iter_mut().for_each(|step| *step = true);
        }
    }
    keep
}

/// Milliseconds, unless steps follow each other faster.
fn decimals(steps: &[Step]) -> usize {
    let follows_fast = |pair: &[Step]| {
        let (first, second) = (pair[0].step.at, pair[1].step.at);
        first < second && second - first < Span::MILLISECOND
    };
    if steps.windows(2).any(follows_fast) { 6 } else { 3 }
}
