//! Tables that read the same in a terminal and in Markdown.
//!
//! No boxes: space and one thin rule keep columns apart, so that the figures are what the eye
//! finds. Numbers stand with their decimal points below each other, the `±` of an interval is
//! quiet beside its mean, and colour only repeats what the words say. A terminal that is too narrow
//! breaks headings and names first and then continues the columns further down; nothing is cut.

mod layout;
mod markdown;

use unicode_width::UnicodeWidthStr;

use super::number;
use crate::stats::Estimate;

/// Where the text of a column stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// At the left edge, for names and words.
    Left,
    /// At the right edge.
    Right,
    /// With the decimal points below each other; what is no number stands at the right edge.
    Decimal,
}

/// How a cell is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// As it is.
    #[default]
    Plain,
    /// The best of its column, or a promise kept: green and bold.
    Good,
    /// A promise broken: red and bold.
    Bad,
    /// Of little interest.
    Dim,
    /// Important.
    Bold,
}

/// One cell: a text, how it is meant, and a quiet note behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    text: String,
    note: String,
    tone: Tone,
}

impl Cell {
    /// A plain cell. Line breaks and control characters become spaces: names come from scenarios,
    /// and a table must not be steered by them.
    pub fn new(text: impl AsRef<str>) -> Cell {
        Cell { text: printable(text.as_ref()), ..Cell::default() }
    }

    /// The dash of a figure that does not exist.
    pub fn none() -> Cell {
        Cell::new(number::NONE).tone(Tone::Dim)
    }

    /// A mean with its half width as the note, both with the given number of decimals, which
    /// should be one for the whole column.
    pub fn estimate(estimate: &Estimate, decimals: usize) -> Cell {
        Cell::new(estimate.mean_text(decimals)).note(estimate.half_width_text(decimals))
    }

    /// The same cell, meant in another way.
    pub fn tone(mut self, tone: Tone) -> Cell {
        self.tone = tone;
        self
    }

    /// The same cell with a note, such as `±0.4`.
    pub fn note(mut self, note: impl AsRef<str>) -> Cell {
        self.note = printable(note.as_ref());
        self
    }

    fn width(&self) -> usize {
        self.text.width() + self.note_gap() + self.note.width()
    }

    /// The space before the note, if there is one.
    fn note_gap(&self) -> usize {
        usize::from(!self.note.is_empty())
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::new(text)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell::new(text)
    }
}

/// A table: columns, rows in groups, and notes below.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    title: String,
    columns: Vec<Column>,
    lines: Vec<Line>,
    footnotes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Column {
    heading: String,
    align: Align,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    Group(String),
    Row(Vec<Cell>),
}

impl Table {
    /// An empty table. An empty title is not shown.
    pub fn new(title: impl AsRef<str>) -> Table {
        Table { title: printable(title.as_ref()), ..Table::default() }
    }

    /// Adds a column, to the right of those that are there. The first one names the rows.
    ///
    /// # Panics
    /// If there are rows already.
    pub fn column(mut self, heading: impl AsRef<str>, align: Align) -> Table {
        assert!(self.lines.is_empty(), "columns come before rows");
        self.columns.push(Column { heading: printable(heading.as_ref()), align });
        self
    }

    /// Adds a row.
    ///
    /// # Panics
    /// If it does not have one cell for each column.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl Into<Cell>>) {
        let cells: Vec<Cell> = cells.into_iter().map(Into::into).collect();
        assert_eq!(cells.len(), self.columns.len(), "a row has one cell for each column");
        self.lines.push(Line::Row(cells));
    }

    /// Starts a group of rows under a name of its own.
    pub fn group(&mut self, name: impl AsRef<str>) {
        self.lines.push(Line::Group(printable(name.as_ref())));
    }

    /// Adds a note below the table.
    pub fn footnote(&mut self, text: impl AsRef<str>) {
        self.footnotes.push(printable(text.as_ref()));
    }

    /// Whether it has no row.
    pub fn is_empty(&self) -> bool {
        !self.lines.iter().any(|line| matches!(line, Line::Row(_)))
    }

    /// The table for a terminal that is `width` columns wide, with ANSI styles if `color`. Ends
    /// with a line break; no line has spaces at its end.
    pub fn render_text(&self, width: usize, color: bool) -> String {
        layout::render(self, width, color)
    }

    /// The table in Markdown as GitHub reads it, its source aligned too. Good and important cells
    /// are bold, bad ones italic. Ends with a line break.
    pub fn render_markdown(&self) -> String {
        markdown::render(self)
    }

    /// The cells of one column, from top to bottom.
    fn cells(&self, column: usize) -> impl Iterator<Item = &Cell> {
        self.lines.iter().filter_map(move |line| match line {
            Line::Row(cells) => Some(&cells[column]),
            Line::Group(_) => None,
        })
    }
}

/// The text with spaces for control characters, so that no name can steer a terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Splits a number at the end of its whole part, where the decimal points of a column meet. None
/// if the text does not start like a number.
fn at_point(text: &str) -> Option<(&str, &str)> {
    let first_digit = text.find(|c: char| c.is_ascii_digit())?;
    if !text[..first_digit].chars().all(|c| "+-±<>≤≥~≈× ".contains(c)) {
        return None;
    }
    let rest = &text[first_digit..];
    let whole = rest.find(|c: char| !c.is_ascii_digit() && c != ',').unwrap_or(rest.len());
    Some(text.split_at(first_digit + whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::new("Trade-offs (mean of 200 seeds)")
            .column("variant", Align::Left)
            .column("committed %", Align::Decimal)
            .column("p99 ms", Align::Decimal)
            .column("note", Align::Left);
        table.group("orchestrated");
        table.row([
            Cell::new("saga"),
            Cell::new("96.4").note("±1.3").tone(Tone::Good),
            Cell::new("131.0").note("±1.7"),
            Cell::new("compensates"),
        ]);
        table.row([
            Cell::new("2PC"),
            Cell::new("8").tone(Tone::Bad),
            Cell::none(),
            "blocks".into(),
        ]);
        table.footnote("Best of a column in bold.");
        table
    }

    #[test]
    fn figures_stand_below_each_other_at_their_points() {
        let expected = "\
Trade-offs (mean of 200 seeds)

variant  committed %      p99 ms  note
────────────────────────────────────────────
orchestrated
saga       96.4 ±1.3  131.0 ±1.7  compensates
2PC         8             –       blocks

Best of a column in bold.
";
        let found = sample().render_text(80, false);
        assert_eq!(found.replace("─", ""), expected.replace("─", ""));
        assert_eq!(found.lines().nth(3).unwrap().chars().count(), 45);
    }

    #[test]
    fn without_colour_there_is_no_escape_and_with_it_only_styles_differ() {
        let plain = sample().render_text(80, false);
        assert!(!plain.contains('\u{1b}'));
        let colored = sample().render_text(80, true);
        assert!(colored.contains("\u{1b}[1m\u{1b}[32m96.4\u{1b}[0m"), "{colored:?}");
        let mut stripped = String::new();
        let mut inside = false;
        for c in colored.chars() {
            match c {
                '\u{1b}' => inside = true,
                'm' if inside => inside = false,
                _ if inside => {}
                _ => stripped.push(c),
            }
        }
        assert_eq!(stripped, plain);
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_or_ends_in_spaces() {
        let mut table =
            Table::new("A title that is longer than the narrowest terminal of the test")
                .column("variant of the design", Align::Left);
        for index in 0..8 {
            table = table.column(format!("measured figure {index}"), Align::Decimal);
        }
        for name in
            ["saga with orchestration and retries", "二相コミット", "a_single_long_identifier"]
        {
            let cells = (0..8).map(|i| Cell::new(format!("{}.5", 10_i32.pow(i))).note("±0.1"));
            table.row(std::iter::once(Cell::new(name)).chain(cells));
        }
        table.footnote("A note that has to be broken into several lines, since it is long.");
        for width in 30..200 {
            let text = table.render_text(width, false);
            for line in text.lines() {
                assert!(line.width() <= width, "{width}: {line}");
                assert_eq!(line.trim_end(), line);
            }
            for figure in ["10000000.5 ±0.1", "1.5 ±0.1"] {
                assert!(text.contains(figure), "{figure} is cut at {width}");
            }
        }
    }

    #[test]
    fn names_break_before_columns_do() {
        let mut table = Table::new("").column("variant", Align::Left).column("p99", Align::Right);
        table.row(["saga with orchestration", "131"]);
        let expected = "\
variant             p99
───────────────────────
saga with           131
orchestration
";
        assert_eq!(table.render_text(23, false), expected);
    }

    #[test]
    fn markdown_is_aligned_and_escaped() {
        let mut table = sample();
        table.row(["a|b", "1,204.5", "0.1", "x\ny"]);
        let expected = "\
**Trade-offs (mean of 200 seeds)**

| variant          |   committed % |     p99 ms | note        |
| ---------------- | ------------: | ---------: | ----------- |
| **orchestrated** |               |            |             |
| saga             | **96.4** ±1.3 | 131.0 ±1.7 | compensates |
| 2PC              |           *8* |          – | blocks      |
| a\\|b             |       1,204.5 |        0.1 | x y         |

Best of a column in bold.
";
        assert_eq!(table.render_markdown(), expected);
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        let mut table = Table::new("").column("node", Align::Left);
        table.row(["\u{1b}[2Jgone\tnow"]);
        assert_eq!(table.render_text(80, false).lines().nth(2), Some(" [2Jgone now"));
    }

    #[test]
    fn a_table_of_nothing_is_no_trouble() {
        assert_eq!(Table::default().render_text(80, true), "");
        assert_eq!(Table::default().render_markdown(), "");
        let empty = Table::new("").column("a", Align::Left);
        assert!(empty.is_empty());
        assert_eq!(empty.render_text(0, false), "a\n─\n");
        assert!(!sample().is_empty());
    }

    #[test]
    fn points_are_found_in_numbers_only() {
        assert_eq!(at_point("1,204.5"), Some(("1,204", ".5")));
        assert_eq!(at_point("±12 ms"), Some(("±12", " ms")));
        assert_eq!(at_point("<0.1%"), Some(("<0", ".1%")));
        assert_eq!(at_point("v1.2"), None);
        assert_eq!(at_point("–"), None);
    }

    #[test]
    fn an_estimate_shows_its_interval_as_a_note() {
        let estimate = Estimate::of(&[10.0, 12.0, 11.0]).unwrap();
        assert_eq!(Cell::estimate(&estimate, 1), Cell::new("11.0").note("±2.5"));
        assert_eq!(Cell::estimate(&Estimate::of(&[10.0]).unwrap(), 1), Cell::new("10.0"));
    }
}
