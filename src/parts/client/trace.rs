//! Arrivals from a CSV file: when each request comes and, if the file says so, what it asks for.

use std::sync::Arc;

use crate::engine::{Bytes, Name, ParseError, Span};

/// What a file of arrivals says; shared by every variant and run.
#[derive(Clone, Debug)]
pub struct Recording(Arc<Rows>);

/// The columns; those that the file does not have are empty.
#[derive(Debug, Default)]
struct Rows {
    times: Vec<Span>,
    keys: Vec<u64>,
    values: Vec<u64>,
    classes: Vec<u8>,
    payloads: Vec<u32>,
    /// The names that stand in the column of classes, in the order in which they come.
    names: Vec<(Name, String)>,
}

/// One request of a recording.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Row {
    pub key: Option<u64>,
    pub value: Option<u64>,
    pub class: Option<Name>,
    pub payload: Option<u32>,
}

/// More rows than this take too much memory: about 250 MB.
const ROWS_MAX: usize = 10_000_000;

/// The columns that a file may have.
const COLUMNS: [&str; 5] = ["time", "key", "value", "class", "payload"];

impl Recording {
    /// When the requests come, in order.
    pub(super) fn times(&self) -> &[Span] {
        &self.0.times
    }

    /// What the request in this row asks for.
    pub(super) fn row(&self, place: usize) -> Row {
        let class = self.0.classes.get(place);
        Row {
            key: self.0.keys.get(place).copied(),
            value: self.0.values.get(place).copied(),
            class: class.and_then(|class| Some(self.0.names.get(usize::from(*class))?.0)),
            payload: self.0.payloads.get(place).copied(),
        }
    }

    /// The classes that it names, and how they are spelt.
    pub(super) fn classes(&self) -> &[(Name, String)] {
        &self.0.names
    }

    /// Reads the text of a file; `intern` takes in the names of classes.
    ///
    /// # Errors
    /// What is wrong, with line and column, counted from 1.
    pub(crate) fn read(
        text: &str,
        mut intern: impl FnMut(&str) -> Result<Name, String>,
    ) -> Result<Recording, String> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut lines = text.lines().enumerate().filter(|(_, line)| {
            let line = line.trim();
            !line.is_empty() && !line.starts_with('#')
        });
        let (first, header) = lines.next().ok_or("1:1: the file is empty")?;
        let columns = columns(first, header)?;
        let mut rows = Rows::default();
        for (number, line) in lines {
            if rows.times.len() == ROWS_MAX {
                return Err(format!("{}:1: more than {ROWS_MAX} rows are too many", number + 1));
            }
            let mut fields = fields(line);
            for column in &columns {
                let at = |at: usize, what: String| format!("{}:{}: {what}", number + 1, at + 1);
                let Some((place, field)) = fields.next() else {
                    return Err(at(line.len(), format!("the `{column}` is missing")));
                };
                rows.take(column, field, &mut intern).map_err(|what| at(place, what))?;
            }
            if let Some((place, _)) = fields.next() {
                let what = format!("the header has only {} columns", columns.len());
                return Err(format!("{}:{}: {what}", number + 1, place + 1));
            }
        }
        if rows.times.is_empty() {
            return Err(format!("{}:1: no request comes after the header", first + 1));
        }
        Ok(Recording(Arc::new(rows)))
    }
}

/// The fields of a line with the place of each, counted in characters.
fn fields(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut place = 0;
    line.split(',').map(move |field| {
        let blank = field.chars().take_while(|sign| sign.is_whitespace()).count();
        let at = place + blank;
        place += field.chars().count() + 1;
        let field = field.trim();
        let inner = field.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        (at, inner.unwrap_or(field))
    })
}

fn columns(number: usize, header: &str) -> Result<Vec<&'static str>, String> {
    let mut columns: Vec<&'static str> = Vec::new();
    for (place, field) in fields(header) {
        let at = format!("{}:{}", number + 1, place + 1);
        let Some(column) = COLUMNS.iter().find(|column| **column == field) else {
            let known = COLUMNS.join(", ");
            return Err(format!("{at}: no column is called `{field}`, the columns are {known}"));
        };
        if columns.contains(column) {
            return Err(format!("{at}: the column `{column}` occurs twice"));
        }
        columns.push(column);
    }
    if !columns.contains(&"time") {
        return Err(format!("{}:1: there is no column `time`", number + 1));
    }
    Ok(columns)
}

impl Rows {
    /// Takes in a field, or says what is wrong with it.
    fn take(
        &mut self,
        column: &str,
        field: &str,
        intern: &mut impl FnMut(&str) -> Result<Name, String>,
    ) -> Result<(), String> {
        let whole = || {
            let number = field.parse::<u64>();
            number.map_err(|_| format!("`{field}` is not a whole number"))
        };
        match column {
            "time" => {
                let time = time(field)?;
                if let Some(last) = self.times.last().filter(|last| **last > time) {
                    return Err(format!("{time} is before {last}, which stands above"));
                }
                self.times.push(time);
            }
            "key" => self.keys.push(whole()?),
            "value" => self.values.push(whole()?),
            "class" => {
                let name = intern(field)?;
                let known = self.names.iter().position(|(known, _)| *known == name);
                let place = known.unwrap_or(self.names.len());
                if known.is_none() {
                    self.names.push((name, field.to_owned()));
                }
                let class = u8::try_from(place).map_err(|_| "more than 255 classes".to_owned())?;
                self.classes.push(class);
            }
            _ => {
                let size = match field.parse::<u64>() {
                    Ok(bytes) => Bytes(bytes),
                    Err(_) => field.parse().map_err(|error: ParseError| error.to_string())?,
                };
                let bytes = u32::try_from(size.0);
                self.payloads.push(bytes.map_err(|_| format!("{size} is above 4 GiB"))?);
            }
        }
        Ok(())
    }
}

/// A span with its unit, or a number of seconds.
fn time(field: &str) -> Result<Span, String> {
    let is_number = field.ends_with(|sign: char| sign.is_ascii_digit());
    let text = if is_number { format!("{field}s") } else { field.to_owned() };
    text.parse::<Span>().map_err(|error| error.to_string())
}
