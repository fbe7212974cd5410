//! Sets a report for a terminal of a given width, with or without colour.
//!
//! Colour only repeats what signs and words say already, so a report reads the same in a log file.

use anstyle::{AnsiColor, Style as Ansi};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::check::outcome::Study;
use crate::report::chains::Told;
use crate::report::document::{Block, Line, Tone};
use crate::report::{Medium, document};

/// A terminal narrower than this gets lines of this length all the same.
const WIDTH_MIN: usize = 40;
/// Prose is not set wider than this, since the eye loses the line.
const PROSE_MAX: usize = 100;
/// The columns before the text of a list's item, up to and with its sign.
const INDENT: usize = 2;

/// How a report looks on a terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Style {
    /// Columns of the terminal: 80 is comfortable, 120 better; below 40 lines stay at 40.
    pub width: usize,
    /// Whether to colour, with ANSI escapes.
    pub color: bool,
}

/// The report for a terminal. No line has spaces at its end; the last one ends with a line break.
pub fn text(study: &Study, style: Style) -> String {
    let width = style.width.max(WIDTH_MIN);
    set(&document(study, Medium::Terminal(width)), style)
}

/// Blocks for a terminal, one after the other.
pub(super) fn set(blocks: &[Block], style: Style) -> String {
    let width = style.width.max(WIDTH_MIN);
    let mut setter = Setter { out: String::new(), width, color: style.color };
    blocks.iter().for_each(|block| setter.block(block));
    setter.out
}

struct Setter {
    out: String,
    width: usize,
    color: bool,
}

impl Setter {
    fn block(&mut self, block: &Block) {
        match block {
            Block::Title(title) => self.paragraph(&Line::of(Tone::Strong, title), 0),
            Block::Heading { text, note } => self.heading(text, note),
            Block::Subheading(text) => {
                self.gap();
                self.paragraph(&Line::of(Tone::Strong, text), 0);
            }
            Block::Story(steps) => self.story(steps),
            Block::Paragraph(line) => {
                self.gap();
                self.paragraph(line, 0);
            }
            Block::Items(items) => items.iter().for_each(|item| self.paragraph(item, INDENT)),
            Block::Remark(text) => self.paragraph(&Line::of(Tone::Dim, text), 0),
            Block::Table(table) => {
                self.gap();
                self.out.push_str(&table.render_text(self.width, self.color));
                self.gap();
            }
            Block::Figure(text) => {
                self.gap();
                self.out.push_str(text);
                self.gap();
            }
            Block::Commands(commands) => {
                for command in commands {
                    // Not broken into lines: it is there to be copied.
                    self.line(&[(format!("  {command}"), Tone::Strong)]);
                }
            }
        }
    }

    /// An empty line, unless there is one already.
    fn gap(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    fn heading(&mut self, text: &str, note: &str) {
        self.gap();
        let mut line = Line::of(Tone::Strong, text.to_uppercase());
        if !note.is_empty() {
            line = line.and(Tone::Dim, format!("  {note}"));
        }
        self.paragraph(&line, 0);
        self.out.push('\n');
    }

    /// Time and place in columns of their own, the text broken into lines beside them.
    fn story(&mut self, steps: &[Told]) {
        let widest = |of: fn(&Told) -> usize| steps.iter().map(of).max().unwrap_or(0);
        let at = widest(|step| step.at.width());
        let node = widest(|step| step.node.width()).min(self.width / 4);
        for step in steps {
            if step.is_gap {
                self.line(&[(format!("  {:>at$}  … {} …", "", step.what), Tone::Dim)]);
                continue;
            }
            let (sign, tone) = if step.is_bad { ("✗", Tone::Bad) } else { (" ", Tone::Plain) };
            let line = Line::of(tone, format!("{sign} "))
                .and(Tone::Dim, format!("{:>at$}  ", step.at))
                .and(Tone::Strong, padded(&step.node, node + 2))
                .and(tone, &step.what);
            self.paragraph_from(&line, at + node + 6, self.width);
        }
    }

    fn paragraph(&mut self, line: &Line, indent: usize) {
        self.paragraph_from(line, indent, self.width.min(PROSE_MAX));
    }

    /// Breaks a paragraph into lines; all but the first are indented.
    fn paragraph_from(&mut self, line: &Line, indent: usize, width: usize) {
        let mut pieces: Vec<(String, Tone)> = Vec::new();
        let mut used = 0;
        for (word, tone) in line.0.iter().flat_map(|piece| words(&piece.text, piece.tone)) {
            let solid = word.trim_end().width();
            if used > indent && used + solid > width {
                self.line(&pieces);
                pieces = vec![(" ".repeat(indent), Tone::Plain)];
                used = indent;
            }
            used += word.width();
            pieces.push((word, tone));
        }
        self.line(&pieces);
    }

    /// Writes one line, neighbours of one tone together.
    fn line(&mut self, pieces: &[(String, Tone)]) {
        let mut merged: Vec<(String, Tone)> = Vec::new();
        for (text, tone) in pieces {
            match merged.last_mut() {
                Some((last, same)) if same == tone => last.push_str(text),
                _ => merged.push((text.clone(), *tone)),
            }
        }
        while let Some((last, _)) = merged.last_mut() {
            last.truncate(last.trim_end().len());
            if !last.is_empty() {
                break;
            }
            merged.pop();
        }
        for (text, tone) in merged {
            let style = ansi(tone);
            if self.color && style != Ansi::new() {
                self.out.push_str(&format!("{style}{text}{style:#}"));
            } else {
                self.out.push_str(&text);
            }
        }
        self.out.push('\n');
    }
}

/// A text with spaces behind it; of a text that is too long, its start.
fn padded(text: &str, width: usize) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if out.width() + c.width().unwrap_or(0) + 2 > width {
            out.pop();
            out.push('…');
            break;
        }
        out.push(c);
    }
    let room = width.saturating_sub(out.width());
    out.push_str(&" ".repeat(room));
    out
}

/// The words of a text, each with the spaces behind it. Leading spaces are a word of their own.
/// Names come from scenarios, and control characters in them must not steer the terminal.
fn words(text: &str, tone: Tone) -> Vec<(String, Tone)> {
    let printable: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words = printable.split_inclusive(' ');
    words.map(|word| (word.to_string(), tone)).collect()
}

fn ansi(tone: Tone) -> Ansi {
    match tone {
        Tone::Plain => Ansi::new(),
        Tone::Strong => Ansi::new().bold(),
        Tone::Dim => Ansi::new().dimmed(),
        Tone::Good => AnsiColor::Green.on_default().bold(),
        Tone::Bad => AnsiColor::Red.on_default().bold(),
        Tone::Warn => AnsiColor::Yellow.on_default().bold(),
    }
}
