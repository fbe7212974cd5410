//! A source is the text of a scenario with the changes that the command line made to it.
//!
//! [`Source::read`] refuses, with advice, whatever cannot be a scenario; [`Source::set`] replaces
//! one value by its path; [`Source::parse`] gives the deserialized value, or everything
//! that is wrong. A change is a splice into the text, so it can give any kind of value and passes
//! the same checks as the file, and a problem in a changed place is shown in the argument that
//! brought it, never in a file that does not hold it.

mod file;
mod files;

use std::ops::Range;
use std::sync::Arc;

use ron::error::SpannedError;
use ron::extensions::Extensions;
use serde::de::DeserializeOwned;

use super::diagnose::Problem;
use super::spans::Spans;
use super::syntax;
use super::translate::Reader;
pub use file::{BYTES_MAX, MINIMAL_SCENARIO};
pub(super) use files::Files;

/// The text of a scenario, with its name for messages.
#[derive(Clone, Debug)]
pub struct Source {
    path: String,
    text: String,
    original: Arc<str>,
    pub(super) splices: Vec<Splice>,
    files: Files,
}

/// One change made by [`Source::set`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Splice {
    /// Where its text stands now.
    pub(super) now: Range<usize>,
    /// What it replaced in the file; `None` if it changed the text of an earlier change.
    pub(super) was: Option<Range<usize>>,
    /// Where it comes from, for messages: "command line".
    pub(super) page: String,
    /// What the user wrote: `--set nodes.orders.timeout=5ms`.
    pub(super) argument: String,
    /// Which bytes of the new text, counted from its beginning, are which of the argument.
    pub(super) pieces: Vec<(Range<usize>, Range<usize>)>,
}

impl Splice {
    /// What the user wrote: `--set nodes.orders.timeout=5ms`.
    pub fn argument(&self) -> &str {
        &self.argument
    }
}

/// A range of bytes in the document where the user can find it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place<'s> {
    /// The path of the file, or where an argument comes from.
    pub name: &'s str,
    /// The whole document.
    pub text: &'s str,
    /// The range in it.
    pub bytes: Range<usize>,
}

impl Place<'_> {
    /// Line and column of the first byte, both counted from one, the column in characters.
    pub fn line_column(&self) -> (usize, usize) {
        let before = self.text.get(..self.bytes.start).unwrap_or(self.text);
        let line = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line..].chars().count() + 1)
    }
}

impl Source {
    /// A source whose text is already here: bundled, generated, or a test's.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Source {
        let text: String = text.into();
        let text = text.strip_prefix('\u{feff}').map_or(text.clone(), str::to_owned);
        let path = path.into();
        let files = Files::beside(&path);
        Source { path, original: text.as_str().into(), text, splices: Vec::new(), files }
    }

    /// Gives the scenario a file that is here already, under the path that it names it by.
    pub fn attach(&mut self, path: &str, text: &str) {
        self.files.attach(path, text);
    }

    /// The files that it may name.
    pub(super) fn files(&self) -> &Files {
        &self.files
    }

    /// The path as the user wrote it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The text, with all changes.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The changes, in the order of their application.
    pub fn changes(&self) -> &[Splice] {
        &self.splices
    }

    /// Deserializes the scenario.
    ///
    /// # Errors
    /// Everything that is wrong with the text and can be told at once: what breaks its structure,
    /// keys that occur twice, and the first value that is not what `T` wants.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Vec<Problem>> {
        let (spans, broken) = syntax::scan(&self.text);
        let outcome = options().from_str::<T>(&self.text);
        let is_ambiguous = !spans.duplicates().is_empty();
        let error = match outcome {
            Ok(value) if !is_ambiguous => return Ok(value),
            Ok(_) => None,
            Err(error) => Some(error),
        };
        let mut problems = twice(&spans);
        if let Some(error) = error {
            let probe = |text: &str| options().from_str::<T>(text).err();
            let reader = Reader { text: &self.text, spans: &spans, probe: &probe };
            let since = broken.as_ref().map_or(usize::MAX, |broken| broken.since);
            if reader.cursor(&error) < since && !(is_ambiguous && is_duplicate(&error)) {
                problems.push(reader.problem(&error));
            }
            problems.extend(broken.map(|broken| broken.problem));
            if problems.is_empty() {
                problems.push(reader.problem(&error));
            }
        }
        Err(problems)
    }

    /// The index of the text's values; as much of it as there is, if the text is broken.
    pub fn spans(&self) -> Spans {
        syntax::scan(&self.text).0
    }

    /// Where the user finds these bytes: in the file, or in the argument that put them there.
    pub fn place(&self, bytes: Range<usize>) -> Place<'_> {
        let holds = |splice: &&Splice| {
            splice.now.start <= bytes.start && bytes.end <= splice.now.end && !splice.now.is_empty()
        };
        if let Some(splice) = self.splices.iter().rev().find(holds) {
            let inside = bytes.start - splice.now.start..bytes.end - splice.now.start;
            let bytes = splice.in_argument(inside);
            return Place { name: &splice.page, text: &splice.argument, bytes };
        }
        let bytes = self.in_file(bytes.start, false)..self.in_file(bytes.end, true);
        Place { name: &self.path, text: &self.original, bytes }
    }

    /// The same problem with its places in the unchanged file, or in the argument that is at
    /// fault, so that it can be shown together with problems of the file itself.
    pub fn settled(&self, mut problem: Problem) -> Problem {
        let Some(first) = problem.place().filter(|_| problem.page.is_none()) else {
            return problem;
        };
        let fault = self.place(first);
        problem.marks = problem
            .marks
            .into_iter()
            .map(|(bytes, said)| (self.place(bytes), said))
            .filter(|(place, _)| std::ptr::eq(place.text, fault.text))
            .map(|(place, said)| (place.bytes, said))
            .collect();
        if std::ptr::eq(fault.text, &*self.original) {
            return problem;
        }
        problem.on(fault.name, fault.text)
    }

    /// The byte of the file that stands at `offset` of the changed text.
    pub(super) fn in_file(&self, offset: usize, is_end: bool) -> usize {
        let (mut grown, mut shrunk) = (0, 0);
        for splice in &self.splices {
            let Some(was) = &splice.was else { continue };
            if splice.now.start < offset && offset < splice.now.end {
                return if is_end { was.end } else { was.start };
            }
            if splice.now.end <= offset && !(splice.now.is_empty() && is_end) {
                grown += splice.now.len();
                shrunk += was.len();
            }
        }
        (offset + shrunk).saturating_sub(grown).min(self.original.len())
    }

    /// This source with another text, in which `splice` is the newest change.
    pub(super) fn spliced(&self, bytes: Range<usize>, new: &str, mut splice: Splice) -> Source {
        let text = [&self.text[..bytes.start], new, &self.text[bytes.end..]].concat();
        let nested = self.splices.iter().any(|earlier| {
            let is_within = earlier.now.start <= bytes.start && bytes.end <= earlier.now.end;
            is_within
                && earlier.now != bytes
                && !(bytes.is_empty() && touches(earlier, bytes.start))
        });
        splice.now = bytes.start..bytes.start + new.len();
        splice.was =
            (!nested).then(|| self.in_file(bytes.start, false)..self.in_file(bytes.end, true));
        let moved = |offset: usize| offset + new.len() - bytes.len();
        let mut splices = Vec::new();
        for earlier in &self.splices {
            let mut earlier = earlier.clone();
            if bytes.start <= earlier.now.start && earlier.now.end <= bytes.end && !bytes.is_empty()
            {
                continue;
            }
            if earlier.now.start >= bytes.end {
                earlier.now = moved(earlier.now.start)..moved(earlier.now.end);
            } else if earlier.now.end >= bytes.end && earlier.now.end > bytes.start {
                earlier.now.end = moved(earlier.now.end);
                earlier.pieces.clear();
            }
            splices.push(earlier);
        }
        splices.push(splice);
        let (path, original, files) =
            (self.path.clone(), self.original.clone(), self.files.clone());
        Source { path, text, original, splices, files }
    }
}

fn touches(splice: &Splice, offset: usize) -> bool {
    offset == splice.now.start || offset == splice.now.end
}

impl Splice {
    /// The bytes of the argument that became these bytes of the new text.
    fn in_argument(&self, bytes: Range<usize>) -> Range<usize> {
        for (new, written) in &self.pieces {
            if new.start <= bytes.start && bytes.end <= new.end {
                let is_verbatim = new.len() == written.len();
                return match is_verbatim {
                    true => {
                        let from = written.start + bytes.start - new.start;
                        from..from + bytes.len()
                    }
                    false => written.clone(),
                };
            }
        }
        let value = self.argument.find('=').map_or(0, |equals| equals + 1);
        value..self.argument.len()
    }
}

/// How scenarios are read: `Some(…)` may be left out, and `Saga(steps: …)` needs no second pair of
/// parentheses.
pub(super) fn options() -> ron::Options {
    ron::Options::default()
        .with_default_extension(Extensions::IMPLICIT_SOME | Extensions::UNWRAP_VARIANT_NEWTYPES)
}

fn is_duplicate(error: &SpannedError) -> bool {
    matches!(error.code, ron::Error::DuplicateStructField { .. })
}

/// What is wrong with keys that occur twice.
fn twice(spans: &Spans) -> Vec<Problem> {
    let problem = |duplicate: &super::spans::Duplicate| {
        Problem::at(duplicate.second.clone())
            .title(format!("`{}` is given twice", duplicate.path))
            .label("given again")
            .related(duplicate.first.clone(), "first given here")
            .help("remove or rename one of them")
    };
    spans.duplicates().iter().map(problem).collect()
}
