//! Sets a report in Markdown, as a file that is kept beside the scenario and compared by tests.
//!
//! It holds everything that is the same on every machine, and nothing that is not.

use crate::check::outcome::Study;
use crate::report::chains::Told;
use crate::report::document::{Block, Line, Piece, Tone};
use crate::report::table::{Align, Cell, Table, Tone as CellTone};
use crate::report::{Medium, document};

/// The report in Markdown as GitHub reads it.
pub fn markdown(study: &Study) -> String {
    set(&document(study, Medium::File))
}

/// Blocks as Markdown, one after the other.
pub(super) fn set(blocks: &[Block]) -> String {
    let blocks: Vec<String> = blocks.iter().map(block).collect();
    let mut out = blocks.join("\n");
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn block(block: &Block) -> String {
    match block {
        Block::Title(title) => format!("# {}\n", escaped(title)),
        Block::Heading { text, note } if note.is_empty() => format!("## {}\n", escaped(text)),
        Block::Heading { text, note } => format!("## {}\n\n*{}*\n", escaped(text), escaped(note)),
        Block::Subheading(text) => format!("### {}\n", escaped(text)),
        Block::Paragraph(text) => format!("{}\n", line(text)),
        Block::Remark(text) => format!("{}\n", escaped(text)),
        Block::Items(items) => {
            let item = |item: &Line| {
                let text = line(item);
                // The list has bullets of its own.
                format!("- {}\n", text.trim_start().trim_start_matches("• "))
            };
            items.iter().map(item).collect()
        }
        Block::Story(steps) => story(steps).render_markdown(),
        Block::Table(table) => table.render_markdown(),
        Block::Figure(text) => format!("```text\n{}```\n", text),
        Block::Commands(commands) => {
            let commands: String = commands.iter().map(|command| format!("{command}\n")).collect();
            format!("```sh\n{commands}```\n")
        }
    }
}

fn line(line: &Line) -> String {
    let mut out = String::new();
    for Piece { text, tone } in &line.0 {
        let mark = match tone {
            Tone::Strong | Tone::Good | Tone::Bad | Tone::Warn => "**",
            Tone::Plain | Tone::Dim => "",
        };
        // A mark must touch a word: spaces stay outside.
        let inner = text.trim();
        let start = text.len() - text.trim_start().len();
        let end = text.trim_end().len().max(start);
        let (before, after) = (&text[..start], &text[end..]);
        // A sign needs no emphasis.
        let mark = if inner.chars().any(char::is_alphanumeric) { mark } else { "" };
        out.push_str(&format!("{before}{mark}{}{mark}{after}", escaped(inner)));
    }
    // Two pieces in one tone without a gap must not leave an empty emphasis between them.
    out.replace("****", "")
}

fn story(steps: &[Told]) -> Table {
    let mut table = Table::new("")
        .column("", Align::Left)
        .column("time", Align::Right)
        .column("node", Align::Left)
        .column("what happened", Align::Left);
    for step in steps {
        let tone = if step.is_bad { CellTone::Bold } else { CellTone::Plain };
        let what = if step.is_gap { format!("… {} …", step.what) } else { step.what.clone() };
        table.row([
            Cell::new(if step.is_bad { "✗" } else { "" }),
            Cell::new(&step.at),
            Cell::new(&step.node),
            Cell::new(what).tone(tone),
        ]);
    }
    table
}

/// The text with everything that Markdown would read as markup escaped. An underscore within a word
/// is left alone, as Markdown does.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut previous = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let within_word =
            previous.is_alphanumeric() && rest.peek().is_some_and(|next| next.is_alphanumeric());
        match c {
            '\\' | '*' | '`' | '<' | '[' | ']' | '&' | '~' | '|' => out.push('\\'),
            '_' if !within_word => out.push('\\'),
            '#' | '+' | '>' if out.is_empty() => out.push('\\'),
            _ => {}
        }
        out.push(if c.is_control() { ' ' } else { c });
        previous = c;
    }
    out
}
