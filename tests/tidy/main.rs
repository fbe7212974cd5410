//! Rules of the house that the compiler does not know, each with its remedy.
//!
//! What breaks a rule is named with file, line, rule and what to do instead. A rule that has to
//! bend does so in a table here, with a reason, so that every exception is seen and counted; an
//! exception that nobody needs any more is a breach itself. `code` has the rules about sources:
//! layers, sizes, words. `documents` has what texts promise. `project` has stems, dependencies and
//! lints.

mod code;
mod documents;
mod project;

use std::fs;
use std::path::{Path, PathBuf};

/// From the bottom up: a module uses those before it in this list, never those after it.
const LAYERS: &[&str] = &[
    "stats", "engine", "world", "parts", "patterns", "scenario", "check", "report", "explore",
    "cli", "main",
];

struct File {
    /// Relative to the project, with slashes.
    path: String,
    text: String,
}

impl File {
    fn is(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|own| own == extension)
    }

    /// Its lines with their numbers, comments taken off, those of this file's tables left out.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_rules = self.path == "tests/tidy/code.rs";
        let lines = self.text.lines().enumerate().map(|(place, line)| (place + 1, line));
        lines.map(|(number, line)| (number, uncommented(line))).filter(move |_| !is_rules)
    }
}

/// A line up to its comment: the first `//` that stands in no text.
fn uncommented(line: &str) -> &str {
    let is_outside = |at: &usize| {
        let before = line[..*at].replace("'\"'", "").replace("\\\"", "");
        before.matches('"').count().is_multiple_of(2)
    };
    let comment = line.match_indices("//").map(|(at, _)| at).find(is_outside);
    comment.map_or(line, |at| &line[..at])
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every text of the project, in the order of paths. What is built or hidden is left out.
fn tree() -> Vec<File> {
    let (mut files, mut folders) = (Vec::new(), vec![root()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the project can be read") {
            let path = entry.expect("an entry can be read").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name == "target" || name.starts_with('.') && name != ".ci" {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = fs::read_to_string(&path)
                && !matches!(path.extension().and_then(|own| own.to_str()), Some("html" | "lock"))
            {
                let inner = path.strip_prefix(root()).expect("it lies in the project");
                let path = inner.to_string_lossy().replace('\\', "/");
                files.push(File { path, text });
            }
        }
    }
    files.sort_by(|left, right| left.path.cmp(&right.path));
    assert!(files.len() > 50, "the project has more files than these {}", files.len());
    files
}

fn of_kind(extension: &str) -> Vec<File> {
    tree().into_iter().filter(|file| file.is(extension)).collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn breach(path: &str, line: usize, rule: impl AsRef<str>, remedy: impl AsRef<str>) -> String {
    format!("{path}:{line}: {}: {}", rule.as_ref(), remedy.as_ref())
}

#[track_caller]
fn none(breaches: Vec<String>) {
    assert!(breaches.is_empty(), "{} to mend\n{}\n", breaches.len(), breaches.join("\n"));
}

/// Does `word` stand in `line` for itself, not as a part of a longer name?
fn has_word(line: &str, word: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(is_name);
        let after = line[at + word.len()..].chars().next().is_some_and(is_name);
        let (first, last) = (word.starts_with(is_name), word.ends_with(is_name));
        !(before && first || after && last)
    })
}
