//! What the scenario expects and what was found, with the command that shows a failure again.

use crate::check::outcome::Study;
use crate::report::document::{Block, Line, Tone};

/// The section: failures first, since they are what must be acted on.
pub(super) fn section(study: &Study) -> Vec<Block> {
    if study.judgements.is_empty() {
        return Vec::new();
    }
    let held = study.judgements.iter().filter(|judgement| judgement.held).count();
    let note = format!("{held} of {} held", study.judgements.len());
    let mut blocks = vec![Block::heading("Expectations", note)];
    let mut judgements: Vec<_> = study.judgements.iter().collect();
    judgements.sort_by_key(|judgement| judgement.held);
    let mut commands: Vec<String> = Vec::new();
    let mut items = Vec::new();
    for judgement in judgements {
        let (tone, sign) = if judgement.held { (Tone::Good, "✓ ") } else { (Tone::Bad, "✗ ") };
        items.push(
            Line::of(tone, sign)
                .and(Tone::Strong, &judgement.variant)
                .then(format!(": {}", judgement.says))
                .and(Tone::Dim, format!(" — found {}", judgement.found)),
        );
        for command in judgement.reproduce.iter().filter(|_| !judgement.held) {
            if !commands.contains(command) {
                commands.push(command.clone());
            }
        }
    }
    blocks.push(Block::Items(items));
    if !commands.is_empty() {
        blocks.push(Block::Paragraph(Line::plain("To see it again:")));
        blocks.push(Block::Commands(commands));
    }
    blocks
}
