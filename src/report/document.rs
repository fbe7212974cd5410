//! A report as blocks of meaning: headings, sentences, lists, tables and figures.
//!
//! The sections say what is to be said and in which tone; the terminal and Markdown decide how it
//! looks. So both always say the same, and a new section is written once.

use crate::report::Medium;
use crate::report::chains::Told;
use crate::report::table::Table;

/// How a piece of text is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Tone {
    /// As everything else.
    #[default]
    Plain,
    /// What the eye should land on.
    Strong,
    /// What may be skipped.
    Dim,
    /// Good news.
    Good,
    /// Bad news.
    Bad,
    /// Neither yet, but to be looked at.
    Warn,
}

/// A stretch of text in one tone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Piece {
    pub text: String,
    pub tone: Tone,
}

/// One line or paragraph, of pieces that follow each other without a gap.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Line(pub Vec<Piece>);

impl Line {
    /// A line with one piece.
    pub fn of(tone: Tone, text: impl Into<String>) -> Line {
        Line::default().and(tone, text)
    }

    /// A plain line.
    pub fn plain(text: impl Into<String>) -> Line {
        Line::of(Tone::Plain, text)
    }

    /// The line with one more piece.
    pub fn and(mut self, tone: Tone, text: impl Into<String>) -> Line {
        let text = text.into();
        if !text.is_empty() {
            self.0.push(Piece { text, tone });
        }
        self
    }

    /// The line with more plain text.
    pub fn then(self, text: impl Into<String>) -> Line {
        self.and(Tone::Plain, text)
    }
}

/// A part of a report.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Block {
    /// What the report is about; one for each report.
    Title(String),
    /// The name of a section, and in what sense its figures are meant.
    Heading { text: String, note: String },
    /// The name of a part of a section.
    Subheading(String),
    /// What happened, step by step.
    Story(Vec<Told>),
    /// A paragraph.
    Paragraph(Line),
    /// A list.
    Items(Vec<Line>),
    /// A remark that may be skipped.
    Remark(String),
    /// A table.
    Table(Table),
    /// Text whose characters must stay below each other.
    Figure(String),
    /// Commands to copy.
    Commands(Vec<String>),
}

impl Block {
    /// A section's name.
    pub fn heading(text: &str, note: impl Into<String>) -> Block {
        Block::Heading { text: text.to_string(), note: note.into() }
    }
}

/// Splits a table of variants into tables that fit a terminal, each with the first variant, since
/// that is what the others are compared with. `of` makes the table of the given variants.
pub(super) fn side_by_side(
    variants: usize,
    medium: Medium,
    of: impl Fn(&[usize]) -> Table,
) -> Vec<Block> {
    let all: Vec<usize> = (0..variants).collect();
    let Medium::Terminal(width) = medium else { return vec![Block::Table(of(&all))] };
    let mut tables = Vec::new();
    let mut rest = all.get(1..).unwrap_or(&[]);
    loop {
        let with_first = |others: &[usize]| [&all[..variants.min(1)], others].concat();
        let fitting =
            (1..=rest.len()).rev().find(|&count| fits(&of(&with_first(&rest[..count])), width));
        // However narrow the terminal is, a table has one variant beside the first.
        let (now, later) = rest.split_at(fitting.unwrap_or(rest.len().min(1)));
        tables.push(Block::Table(of(&with_first(now))));
        rest = later;
        if rest.is_empty() {
            return tables;
        }
    }
}

/// A table that is too wide goes on in a second block, below a second rule.
fn fits(table: &Table, width: usize) -> bool {
    table.render_text(width, false).lines().filter(|line| line.starts_with('─')).count() <= 1
}
