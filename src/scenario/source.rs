//! A source is the text of a scenario with the changes that the command line made to it.
//!
//! [`Source::read`] refuses, with advice and at once, whatever cannot be a scenario; [`Source::set`]
//! replaces one value by its path; [`Source::parse`] gives the deserialized value, or everything
//! that is wrong. A change is a splice into the text, so it can give any kind of value and passes
//! the same checks as the file, and a problem in a changed place is shown in the argument that
//! brought it, never in a file that does not hold it.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use ron::error::SpannedError;
use ron::extensions::Extensions;
use serde::de::DeserializeOwned;

use super::diagnose::{Problem, nearest};
use super::spans::Spans;
use super::syntax;
use super::tokens::{Kind, Lexer};
use super::translate::Reader;

/// A scenario is text that people write and review; a larger file is something else.
pub const BYTES_MAX: usize = 4 << 20;

/// What is shown to someone whose file says nothing yet.
pub const MINIMAL_SCENARIO: &str = r#"Scenario(
    nodes: {
        "users":  Users(target: "orders", count: 10, think: "10ms"),
        "orders": Service(cost: "5ms"),
    },
    run: "10s",
)"#;

/// The text of a scenario, with its name for messages.
#[derive(Clone, Debug)]
pub struct Source {
    path: String,
    text: String,
    original: Arc<str>,
    pub(super) splices: Vec<Splice>,
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
        Source { path: path.into(), original: text.as_str().into(), text, splices: Vec::new() }
    }

    /// Reads a scenario file.
    ///
    /// # Errors
    /// A problem that says what stands at `path` instead of a scenario, and what may have been
    /// meant. Nothing but a regular file is opened, so neither a pipe nor a device can block.
    pub fn read(path: &Path) -> Result<Source, Problem> {
        let shown = path.display().to_string();
        let metadata =
            fs::metadata(path).map_err(|error| unreachable_file(path, &shown, &error))?;
        if metadata.is_dir() {
            return Err(is_a_directory(path, &shown));
        }
        if !metadata.is_file() {
            return Err(Problem::new(format!("`{shown}` is not a regular file"))
                .note("a pipe or a device has no end that can be relied on")
                .help("save the scenario to a file first"));
        }
        if metadata.len() > BYTES_MAX as u64 {
            return Err(too_large(&shown, Some(metadata.len())));
        }
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes))
            .map_err(|error| unreachable_file(path, &shown, &error))?;
        if bytes.len() > BYTES_MAX {
            return Err(too_large(&shown, None));
        }
        let source = Source::new(shown.as_str(), decoded(bytes, &shown)?);
        match Lexer::new(&source.text, 0).next() {
            Ok(token) if token.kind == Kind::End => Err(says_nothing(&source)),
            _ => Ok(source),
        }
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
        Source { path: self.path.clone(), text, original: self.original.clone(), splices }
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

/// UTF-8 text, or what the bytes are instead.
fn decoded(bytes: Vec<u8>, shown: &str) -> Result<String, Problem> {
    let place = |offset: usize, bytes: &[u8]| {
        let line = bytes[..offset].iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("byte {offset}, in line {line}")
    };
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(Problem::new(format!("`{shown}` is UTF-16 text"))
            .help("save it as UTF-8, for example with `iconv -f UTF-16 -t UTF-8`"));
    }
    if let Some(zero) = bytes.iter().position(|byte| *byte == 0) {
        return Err(Problem::new(format!("`{shown}` is not a text file"))
            .note(format!("a zero byte stands at {}", place(zero, &bytes)))
            .help("a scenario is RON, plain UTF-8 text"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        Problem::new(format!("`{shown}` is not UTF-8 text"))
            .note(format!(
                "the first wrong byte, 0x{:02x}, is {}",
                bytes[offset],
                place(offset, bytes)
            ))
            .help("a scenario is RON, plain UTF-8 text; save it in this encoding")
    })
}

fn too_large(shown: &str, bytes: Option<u64>) -> Problem {
    let size = bytes.map(|bytes| format!(": {:.1} MiB", bytes as f64 / f64::from(1 << 20)));
    Problem::new(format!("`{shown}` is too large{}", size.unwrap_or_default()))
        .note(format!("a scenario has at most {} MiB", BYTES_MAX >> 20))
}

fn says_nothing(source: &Source) -> Problem {
    let what =
        if source.text.trim().is_empty() { "is empty" } else { "holds nothing but comments" };
    Problem::new(format!("`{}` {what}", source.path))
        .help(format!("a small scenario looks like this:\n\n{MINIMAL_SCENARIO}"))
}

/// At most so many names of a folder are looked at.
const NAMES_READ: usize = 10_000;

/// The names in a folder in their order, folders with a trailing `/`.
fn names_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let name = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        let is_folder = fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_dir());
        Some(if is_folder { format!("{name}/") } else { name })
    };
    let mut names: Vec<String> =
        entries.take(NAMES_READ).filter_map(|entry| entry.ok().and_then(name)).collect();
    names.sort();
    names
}

fn is_a_directory(path: &Path, shown: &str) -> Problem {
    const SHOWN: usize = 5;
    let scenarios: Vec<String> =
        names_in(path).into_iter().filter(|name| name.ends_with(".ron")).collect();
    let problem = Problem::new(format!("`{shown}` is a directory"));
    if scenarios.is_empty() {
        return problem.note("it holds no scenario file (*.ron)");
    }
    let listed: Vec<String> =
        scenarios.iter().take(SHOWN).map(|name| path.join(name).display().to_string()).collect();
    let more = match scenarios.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    problem.help(format!("scenario files in it: {}{more}", listed.join(", ")))
}

/// A file that cannot be opened: most often its name is misspelt.
fn unreachable_file(path: &Path, shown: &str, error: &std::io::Error) -> Problem {
    match error.kind() {
        ErrorKind::NotFound if shown.is_empty() => {
            Problem::new("the name of the scenario is empty")
        }
        ErrorKind::NotFound => {
            let problem = Problem::new(format!("there is no `{shown}`"));
            match similar(path) {
                Some(similar) => problem.help(format!("did you mean `{similar}`?")),
                None => match folder_of(path) {
                    folder if folder.is_dir() => problem,
                    folder => problem.note(format!("there is no folder `{}`", folder.display())),
                },
            }
        }
        ErrorKind::PermissionDenied => Problem::new(format!("`{shown}` may not be read"))
            .note(error.to_string())
            .help("ask for its permissions with `ls -l`"),
        _ => Problem::new(format!("`{shown}` cannot be read")).note(error.to_string()),
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// An existing file whose path is nearest to `path`: in its folder, in `scenarios/` of that folder,
/// or, if the folder itself is misspelt, in the nearest one beside it.
fn similar(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let folder = folder_of(path);
    let shown = |folder: &Path, name: &str| {
        let joined = folder.join(name);
        joined.strip_prefix(".").unwrap_or(&joined).display().to_string()
    };
    if let Some(found) = similar_in(folder, name) {
        return Some(shown(folder, &found));
    }
    let scenarios = folder.join("scenarios");
    if let Some(found) = similar_in(&scenarios, name) {
        return Some(shown(&scenarios, &found));
    }
    if folder.is_dir() {
        return None;
    }
    let above = folder_of(folder);
    let names = names_in(above);
    let folders = names.iter().filter_map(|name| name.strip_suffix('/'));
    let beside = above.join(nearest(folder.file_name()?.to_str()?, folders)?);
    similar_in(&beside, name).map(|found| shown(&beside, &found))
}

fn similar_in(folder: &Path, name: &str) -> Option<String> {
    let names = names_in(folder);
    let files: Vec<&str> = names.iter().map(String::as_str).filter(|n| !n.ends_with('/')).collect();
    let stem = name.strip_suffix(".ron").unwrap_or(name);
    let (scenarios, others): (Vec<&str>, Vec<&str>) =
        files.into_iter().partition(|name| name.ends_with(".ron"));
    let stems = scenarios.iter().filter_map(|name| name.strip_suffix(".ron"));
    match nearest(stem, stems) {
        Some(near) => Some(format!("{near}.ron")),
        None => nearest(name, others).map(str::to_owned),
    }
}
