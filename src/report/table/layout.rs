//! Places the cells of a table on the lines of a terminal.
//!
//! Widths are decided once for the whole table, then every row is written as styled pieces. If the
//! table is too wide, three things give way in turn: headings break into lines, then the names of
//! the first column, and at last the columns go on in a second block that repeats the names.

use anstyle::{AnsiColor, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{Align, Cell, Column, Line, Table, Tone, at_point};

/// Between two columns.
const GAP: usize = 2;
/// Names are not broken into lines narrower than this.
const NAME_MIN: usize = 12;

/// The parts that a column reserves room for.
#[derive(Clone, Copy, Debug, Default)]
struct Widths {
    total: usize,
    /// Of decimal columns: from the point on, and the note with its gap.
    part: usize,
    note: usize,
}

/// A piece of a line.
struct Piece {
    text: String,
    style: Style,
}

pub(super) fn render(table: &Table, width: usize, color: bool) -> String {
    let mut out = Output { text: String::new(), color };
    for line in wrap(&table.title, width) {
        out.line(vec![piece(line, Style::new().bold())]);
    }
    if !table.columns.is_empty() {
        if !table.title.is_empty() {
            out.line(Vec::new());
        }
        let mut widths = natural_widths(table);
        fit(table, &mut widths, width);
        for (index, block) in blocks(&widths, width).into_iter().enumerate() {
            if index > 0 {
                out.line(Vec::new());
            }
            render_block(table, &widths, &block, &mut out);
        }
    }
    if !table.footnotes.is_empty() && !out.text.is_empty() {
        out.line(Vec::new());
    }
    for line in table.footnotes.iter().flat_map(|note| wrap(note, width)) {
        out.line(vec![piece(line, Style::new().dimmed())]);
    }
    out.text
}

/// The widths at which nothing has to give way.
fn natural_widths(table: &Table) -> Vec<Widths> {
    let columns = table.columns.iter().enumerate();
    columns
        .map(|(index, column)| {
            let mut widths = content_widths(table, index, column.align);
            widths.total = widths.total.max(column.heading.width());
            widths
        })
        .collect()
}

fn content_widths(table: &Table, index: usize, align: Align) -> Widths {
    let mut widths = Widths::default();
    if align != Align::Decimal {
        widths.total = table.cells(index).map(Cell::width).max().unwrap_or(0);
        return widths;
    }
    let (mut whole, mut words) = (0, 0);
    for cell in table.cells(index) {
        widths.note = widths.note.max(cell.note_gap() + cell.note.width());
        match at_point(&cell.text) {
            Some((before, after)) => {
                whole = whole.max(before.width());
                widths.part = widths.part.max(after.width());
            }
            None => words = words.max(cell.text.width()),
        }
    }
    widths.total = words.max(whole + widths.part) + widths.note;
    widths
}

/// Narrows headings, then names, until the table fits or nothing is left to narrow.
fn fit(table: &Table, widths: &mut [Widths], width: usize) {
    let total = |widths: &[Widths]| {
        widths.iter().map(|column| column.total).sum::<usize>() + GAP * (widths.len() - 1)
    };
    if total(widths) <= width {
        return;
    }
    for (index, column) in table.columns.iter().enumerate().skip(1) {
        let content = content_widths(table, index, column.align).total;
        let word = column.heading.split(' ').map(UnicodeWidthStr::width).max().unwrap_or(0);
        widths[index].total = content.max(word);
    }
    let over = total(widths).saturating_sub(width);
    let names = widths[0].total;
    // Where narrow names alone do not make room for all columns, blocks do, and names stay legible.
    let narrowest = NAME_MIN.min(names);
    widths[0].total = if names >= over + narrowest {
        names - over
    } else {
        names.min((width / 3).max(narrowest))
    };
}

/// The columns of each block, always starting with the first one.
fn blocks(widths: &[Widths], width: usize) -> Vec<Vec<usize>> {
    let mut blocks = vec![vec![0]];
    let mut used = widths[0].total;
    for (index, column) in widths.iter().enumerate().skip(1) {
        let open = blocks.last_mut().expect("the first block was put in");
        // A block takes at least one column besides the names, however narrow the terminal is.
        if open.len() == 1 || used + GAP + column.total <= width {
            open.push(index);
            used += GAP + column.total;
        } else {
            blocks.push(vec![0, index]);
            used = widths[0].total + GAP + column.total;
        }
    }
    blocks
}

fn render_block(table: &Table, widths: &[Widths], block: &[usize], out: &mut Output) {
    let dim = Style::new().dimmed();
    let headings: Vec<Vec<String>> = block
        .iter()
        .map(|&index| wrap(&table.columns[index].heading, widths[index].total))
        .collect();
    let height = headings.iter().map(Vec::len).max().unwrap_or(0);
    for row in 0..height {
        let mut pieces = Vec::new();
        for (heading, &index) in headings.iter().zip(block) {
            // Short headings stand at the bottom, next to their figures.
            let text = (row + heading.len()).checked_sub(height).map_or("", |line| &heading[line]);
            pieces.push(space(if index == block[0] { 0 } else { GAP }));
            push_heading(&mut pieces, text, table.columns[index].align, widths[index].total);
        }
        out.line(pieces);
    }
    let gaps = GAP * (block.len() - 1);
    let rule = block.iter().map(|&index| widths[index].total).sum::<usize>() + gaps;
    out.line(vec![piece("─".repeat(rule), dim)]);
    for (index, line) in table.lines.iter().enumerate() {
        match line {
            Line::Group(name) => {
                if index > 0 {
                    out.line(Vec::new());
                }
                wrap(name, rule.max(NAME_MIN)).into_iter().for_each(|line| {
                    out.line(vec![piece(line, Style::new().bold())]);
                });
            }
            Line::Row(cells) => render_row(&table.columns, cells, widths, block, out),
        }
    }
}

fn render_row(
    columns: &[Column],
    cells: &[Cell],
    widths: &[Widths],
    block: &[usize],
    out: &mut Output,
) {
    let names = wrap_cell(&cells[0], widths[0].total);
    for (row, name) in names.iter().enumerate() {
        let mut pieces = Vec::new();
        for &index in block {
            pieces.push(space(if index == block[0] { 0 } else { GAP }));
            if index == 0 {
                push_cell(&mut pieces, name, columns[0].align, &widths[0]);
            } else if row == 0 {
                push_cell(&mut pieces, &cells[index], columns[index].align, &widths[index]);
            }
        }
        out.line(pieces);
    }
}

/// The cell itself if it fits; else its text on several lines, the note at the end of it.
fn wrap_cell(cell: &Cell, width: usize) -> Vec<Cell> {
    if cell.width() <= width {
        return vec![cell.clone()];
    }
    let mut all = cell.text.clone();
    if cell.note_gap() > 0 {
        all = format!("{all} {}", cell.note);
    }
    let line = |text| Cell { text, note: String::new(), tone: cell.tone };
    let lines: Vec<Cell> = wrap(&all, width).into_iter().map(line).collect();
    // A name of nothing but spaces still has a row.
    if lines.is_empty() { vec![Cell::default()] } else { lines }
}

fn push_cell(pieces: &mut Vec<Piece>, cell: &Cell, align: Align, widths: &Widths) {
    let note = cell.note_gap() + cell.note.width();
    let text = cell.text.width();
    let (before, inside) = match align {
        Align::Left => (0, 0),
        Align::Right => (widths.total.saturating_sub(text + note), 0),
        Align::Decimal => {
            let part = at_point(&cell.text).map(|(_, part)| part.width());
            let inside = part.map_or(0, |part| widths.part.saturating_sub(part));
            (widths.total.saturating_sub(text + inside + widths.note), inside)
        }
    };
    let after = widths.total.saturating_sub(before + text + inside + note);
    pieces.push(space(before));
    pieces.push(piece(cell.text.clone(), style_of(cell.tone)));
    pieces.push(space(inside + cell.note_gap()));
    pieces.push(piece(cell.note.clone(), Style::new().dimmed()));
    pieces.push(space(after));
}

fn push_heading(pieces: &mut Vec<Piece>, text: &str, align: Align, width: usize) {
    let room = width.saturating_sub(text.width());
    let before = if align == Align::Left { 0 } else { room };
    pieces.push(space(before));
    pieces.push(piece(text.to_string(), Style::new().dimmed()));
    pieces.push(space(room - before));
}

fn space(width: usize) -> Piece {
    piece(" ".repeat(width), Style::new())
}

fn piece(text: String, style: Style) -> Piece {
    Piece { text, style }
}

fn style_of(tone: Tone) -> Style {
    match tone {
        Tone::Plain => Style::new(),
        Tone::Good => AnsiColor::Green.on_default().bold(),
        Tone::Bad => AnsiColor::Red.on_default().bold(),
        Tone::Dim => Style::new().dimmed(),
        Tone::Bold => Style::new().bold(),
    }
}

/// Collects lines.
struct Output {
    text: String,
    color: bool,
}

impl Output {
    fn line(&mut self, mut pieces: Vec<Piece>) {
        while let Some(last) = pieces.last_mut() {
            last.text.truncate(last.text.trim_end().len());
            if !last.text.is_empty() {
                break;
            }
            pieces.pop();
        }
        for piece in pieces.iter().filter(|piece| !piece.text.is_empty()) {
            if self.color && piece.style != Style::new() {
                let Piece { text, style } = piece;
                self.text.push_str(&format!("{style}{text}{style:#}"));
            } else {
                self.text.push_str(&piece.text);
            }
        }
        self.text.push('\n');
    }
}

/// Breaks a text into lines of at most `width` columns, at spaces where it can and anywhere where
/// it must. An empty text has no lines.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut open = String::new();
    for word in text.split_whitespace() {
        if !open.is_empty() && open.width() + 1 + word.width() > width {
            lines.push(std::mem::take(&mut open));
        }
        if !open.is_empty() {
            open.push(' ');
        }
        for c in word.chars() {
            let full = open.width() + c.width().unwrap_or(0) > width;
            if full && !open.is_empty() {
                lines.push(std::mem::take(&mut open));
            }
            open.push(c);
        }
    }
    if !open.is_empty() {
        lines.push(open);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_spaces_and_anywhere_if_they_must() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("unbreakable x", 5), ["unbre", "akabl", "e x"]);
        assert_eq!(wrap("日本語", 4), ["日本", "語"]);
        assert_eq!(wrap("ab", 0), ["a", "b"]);
        assert!(wrap("  ", 5).is_empty());
    }

    #[test]
    fn columns_that_do_not_fit_go_on_below_with_the_names_again() {
        let column = |total| Widths { total, ..Widths::default() };
        let widths = [10, 20, 20, 20, 90].map(column);
        assert_eq!(blocks(&widths, 60), [vec![0, 1, 2], vec![0, 3], vec![0, 4]]);
        assert_eq!(blocks(&widths[..1], 60), [[0]]);
    }
}
