//! Writes a table as Markdown that GitHub renders, with a source that is readable as it is.
//!
//! What stands in a cell is text, never markup: a scenario called `a|b <c>` must neither split a
//! cell nor vanish as a tag.

use unicode_width::UnicodeWidthStr;

use super::{Align, Cell, Line, Table, Tone};

pub(super) fn render(table: &Table) -> String {
    let mut out = String::new();
    if !table.title.is_empty() {
        out.push_str(&format!("**{}**\n\n", escaped(table.title.trim())));
    }
    if !table.columns.is_empty() {
        let rows = rows(table);
        let widths: Vec<usize> = (0..table.columns.len())
            // Three dashes are the shortest rule that every reader accepts, with room for a colon.
            .map(|index| rows.iter().map(|row| row[index].width()).max().unwrap_or(0).max(4))
            .collect();
        for (number, row) in rows.iter().enumerate() {
            out.push_str(&line(table, row, &widths));
            if number == 0 {
                out.push_str(&rule(table, &widths));
            }
        }
    }
    for note in &table.footnotes {
        // Notes are paragraphs of their own: directly below, they would become rows.
        let gap = if out.is_empty() || out.ends_with("\n\n") { "" } else { "\n" };
        let note = escaped(note.trim());
        // At the start of a paragraph these would make it a heading or a list.
        let guard = if note.starts_with(['#', '+', '-', '=', '>']) { "\\" } else { "" };
        out.push_str(&format!("{gap}{guard}{note}\n"));
    }
    out
}

/// The source of all cells, headings first.
fn rows(table: &Table) -> Vec<Vec<String>> {
    let headings = table.columns.iter().map(|column| escaped(column.heading.trim())).collect();
    let mut rows = vec![headings];
    for line in &table.lines {
        rows.push(match line {
            Line::Row(cells) => cells.iter().map(source).collect(),
            Line::Group(name) => {
                let mut row = vec![String::new(); table.columns.len()];
                row[0] = marked(&escaped(name.trim()), "**");
                row
            }
        });
    }
    rows
}

fn source(cell: &Cell) -> String {
    let text = escaped(cell.text.trim());
    let text = match cell.tone {
        Tone::Good | Tone::Bold => marked(&text, "**"),
        Tone::Bad => marked(&text, "*"),
        Tone::Plain | Tone::Dim => text,
    };
    let gap = " ".repeat(cell.note_gap());
    format!("{text}{gap}{}", escaped(cell.note.trim()))
}

fn marked(text: &str, mark: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{mark}{text}{mark}") }
}

fn line(table: &Table, row: &[String], widths: &[usize]) -> String {
    let mut line = String::from("|");
    for ((column, text), width) in table.columns.iter().zip(row).zip(widths) {
        let room = " ".repeat(width - text.width());
        match column.align {
            Align::Left => line.push_str(&format!(" {text}{room} |")),
            Align::Right | Align::Decimal => line.push_str(&format!(" {room}{text} |")),
        }
    }
    line.push('\n');
    line
}

fn rule(table: &Table, widths: &[usize]) -> String {
    let mut line = String::from("|");
    for (column, width) in table.columns.iter().zip(widths) {
        let dashes = "-".repeat(width - 1);
        match column.align {
            Align::Left => line.push_str(&format!(" {dashes}- |")),
            Align::Right | Align::Decimal => line.push_str(&format!(" {dashes}: |")),
        }
    }
    line.push('\n');
    line
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
            '|' | '\\' | '*' | '`' | '<' | '[' | ']' | '&' | '~' => out.push('\\'),
            '_' if !within_word => out.push('\\'),
            _ => {}
        }
        out.push(c);
        previous = c;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_never_markup() {
        assert_eq!(escaped("a|b <c> *d* [e]"), r"a\|b \<c> \*d\* \[e\]");
        assert_eq!(escaped("no_double_charge"), "no_double_charge");
        assert_eq!(escaped("_private_"), r"\_private\_");
        assert_eq!(escaped(r"back\slash"), r"back\\slash");
    }
}
