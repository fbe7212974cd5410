//! From what runs have shown to what people and programs read.
//!
//! A report is made once, as a document of sections, and then set for a terminal or as Markdown;
//! the machine-readable form is made from the same study. All three are pure functions: the same
//! study gives the same bytes.

mod chains;
pub mod chart;
mod classes;
mod document;
mod effects;
mod expectations;
#[cfg(test)]
mod fake;
mod faults;
mod foot;
mod head;
mod invariants;
pub mod json;
mod links;
pub mod markdown;
pub mod number;
pub mod published;
mod requests;
mod saturation;
mod stuck;
mod swarm;
pub mod table;
pub mod text;
mod tradeoff;
mod tradeoff_table;
mod units;

pub use json::json;
pub use markdown::markdown;
pub use text::{Style, text};

use crate::check::outcome::Study;
use document::Block;

/// What a report is set for, where that decides what it says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Medium {
    /// A terminal with so many columns: the essentials, and wall-clock figures.
    Terminal(usize),
    /// A file that is kept and compared: everything, and nothing that differs between machines.
    File,
}

/// The sections of the report, the most important first.
fn document(study: &Study, medium: Medium) -> Vec<Block> {
    let table = tradeoff::Tradeoff::of(study);
    let mut blocks = head::section(study);
    blocks.extend(effects::section(study, &table));
    blocks.extend(tradeoff_table::section(study, &table, medium));
    blocks.extend(invariants::section(study, medium));
    blocks.extend(chains::section(study));
    blocks.extend(stuck::section(study));
    blocks.extend(faults::section(study, medium));
    blocks.extend(swarm::section(study));
    blocks.extend(expectations::section(study));
    blocks.extend(requests::section(study, medium));
    blocks.extend(classes::section(study));
    blocks.extend(saturation::section(study, medium));
    blocks.extend(links::section(study, medium));
    blocks.extend(foot::section(study, medium));
    blocks
}

#[cfg(test)]
mod tests;
