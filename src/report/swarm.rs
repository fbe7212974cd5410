//! Which faults a seed drew in swarm mode, so that they can be run again as a scenario's own.

use crate::check::outcome::{Outcome, Study};
use crate::report::document::Block;

/// The section; nothing if no run drew any.
pub(super) fn section(study: &Study) -> Vec<Block> {
    let mut blocks = Vec::new();
    for variant in &study.variants {
        let is_broken = |run: &&Outcome| run.findings.iter().any(|one| one.violations > 0);
        let drew = || variant.runs.iter().filter(|run| run.swarm.is_some());
        let Some(run) = drew().find(is_broken).or_else(|| drew().next()) else { continue };
        if blocks.is_empty() {
            let note = "what a seed drew; in `faults: {…}` of the scenario it gives the same run";
            blocks.push(Block::heading("Swarm", note));
        }
        let text = run.swarm.as_deref().unwrap_or_default();
        blocks.push(Block::Subheading(format!("{}, seed {}", variant.name, run.seed)));
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        match lines.is_empty() {
            true => blocks.push(Block::Remark("no fault at all".to_owned())),
            false => blocks.push(Block::Commands(lines)),
        }
    }
    blocks
}
