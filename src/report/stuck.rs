//! What had not come to rest when the quiet phase ended: who waits for whom, and since when.

use crate::check::outcome::{Stuck, Study};
use crate::report::document::{Block, Line, Tone};

/// So many are told in full.
const TOLD_MAX: usize = 12;

/// The section; nothing if everything has come to rest.
pub(super) fn section(study: &Study) -> Vec<Block> {
    let mut blocks = Vec::new();
    for variant in &study.variants {
        let Some(run) = variant.runs.iter().find(|run| !run.stuck.is_empty()) else { continue };
        if blocks.is_empty() {
            let note = "when the quiet phase ended, without load and faults";
            blocks.push(Block::heading("What is stuck", note));
        }
        let runs = variant.runs.iter().filter(|run| !run.stuck.is_empty()).count();
        let (name, all, seed) = (&variant.name, variant.runs.len(), run.seed);
        let title = format!("{name}: in {runs} of {all} runs, first with seed {seed}");
        blocks.push(Block::Subheading(title));
        let stuck: Vec<&Stuck> = run.stuck.iter().chain(&variant.waits).collect();
        let told = stuck.iter().take(TOLD_MAX).map(|one| line(one));
        blocks.push(Block::Items(told.collect()));
        if stuck.len() > TOLD_MAX {
            blocks.push(Block::Remark(format!("and {} more", stuck.len() - TOLD_MAX)));
        }
    }
    blocks
}

fn line(stuck: &Stuck) -> Line {
    let since = stuck.since.map(|since| format!(" since {since}")).unwrap_or_default();
    Line::of(Tone::Bad, "✗ ").then(format!("{} {}{since}", stuck.node, stuck.what))
}
