//! Reads a scenario file, and refuses at once what cannot be one, with what was probably meant.
//!
//! The name on a command line is the first thing that goes wrong. A missing file is answered with
//! the nearest name there is, a directory with the scenarios in it; neither a pipe nor a file of
//! gigabytes keeps anybody waiting.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

use super::super::diagnose::{Problem, nearest};
use super::super::tokens::{Kind, Lexer};
use super::Source;

/// A scenario is text that people write and review; a larger file is something else.
pub const BYTES_MAX: usize = 4 << 20;

/// What is shown to someone whose file says nothing yet.
pub const MINIMAL_SCENARIO: &str = r#"Scenario(
    title: "One server",
    run: (load: "10s"),
    nodes: {
        "users":  Client(target: "server", operation: "serve", load: Poisson(rate: "80/s")),
        "server": Service(operations: {"serve": (cost: Exponential(mean: "10ms"))}),
    },
)"#;

impl Source {
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
        match Lexer::new(source.text(), 0).next() {
            Ok(token) if token.kind == Kind::End => Err(says_nothing(&source)),
            _ => Ok(source),
        }
    }
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
        if source.text().trim().is_empty() { "is empty" } else { "holds nothing but comments" };
    Problem::new(format!("`{}` {what}", source.path()))
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
            .help("check its permissions, for example with `ls -l`"),
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

#[cfg(test)]
mod tests {
    use super::super::super::diagnose::render;
    use super::*;

    fn refused(path: &str) -> String {
        let problem = Source::read(Path::new(path)).expect_err("this is no scenario");
        render(&[problem], None, false)
    }

    #[test]
    fn a_missing_file_is_answered_with_the_nearest_name() {
        for (path, expected) in [
            ("tests/diagnostics/tripp.ron", "did you mean `tests/diagnostics/trip.ron`?"),
            ("tests/diagnostics/trip", "did you mean `tests/diagnostics/trip.ron`?"),
            ("tests/diagnostic/trip.ron", "did you mean `tests/diagnostics/trip.ron`?"),
            ("tests/diagnostics/feilds.txt", "did you mean `tests/diagnostics/fields.txt`?"),
            ("nowhere/trip.ron", "there is no folder `nowhere`"),
        ] {
            let text = refused(path);
            assert!(text.contains(&format!("there is no `{path}`")), "{text}");
            assert!(text.contains(expected), "{text}");
        }
        assert!(!refused("tests/diagnostics/kafka.ron").contains("did you mean"));
    }

    #[test]
    fn a_directory_is_answered_with_its_scenarios() {
        let text = refused("tests/diagnostics");
        assert!(text.contains("`tests/diagnostics` is a directory"), "{text}");
        assert!(text.contains("scenario files in it: tests/diagnostics/trip.ron"), "{text}");
        assert!(refused("src/scenario").contains("it holds no scenario file"));
    }

    #[cfg(unix)]
    #[test]
    fn a_device_is_not_read() {
        assert!(refused("/dev/zero").contains("not a regular file"));
    }

    #[test]
    fn a_file_beyond_the_limit_is_not_read() {
        let path = std::env::temp_dir().join("stormglass-too-large.ron");
        let file = File::create(&path).expect("the folder for temporary files can be written");
        file.set_len(100 << 20).expect("the file takes no space");
        let problem = Source::read(&path).expect_err("the file is too large");
        fs::remove_file(&path).expect("the file was made here");
        assert!(problem.title.ends_with("is too large: 100.0 MiB"), "{}", problem.title);
        assert_eq!(problem.notes, ["a scenario has at most 4 MiB"]);
    }

    #[test]
    fn bytes_that_are_no_text_are_located() {
        let refused = |bytes: &[u8]| {
            let problem = decoded(bytes.to_vec(), "x.ron").expect_err("this is no text");
            render(&[problem], None, false)
        };
        let text = refused(b"Scenario(\n  name: \"s\xe4ga\")");
        assert!(text.contains("`x.ron` is not UTF-8 text"), "{text}");
        assert!(text.contains("the first wrong byte, 0xe4, is byte 20, in line 2"), "{text}");
        let text = refused(b"Scenario(\n\0)");
        assert!(text.contains("a zero byte stands at byte 10, in line 2"), "{text}");
        assert!(refused(b"\xff\xfeS\0").contains("UTF-16"));
    }

    #[test]
    fn a_file_that_says_nothing_is_shown_what_to_say() {
        let path = std::env::temp_dir().join("stormglass-says-nothing.ron");
        for (text, expected) in
            [("", "is empty"), (" \n", "is empty"), ("// a /* b */\n", "nothing but comments")]
        {
            fs::write(&path, text).expect("the folder for temporary files can be written");
            let problem = Source::read(&path).expect_err("there is nothing in it");
            assert!(problem.title.contains(expected), "{}", problem.title);
            assert!(problem.helps[0].contains(MINIMAL_SCENARIO));
        }
        fs::remove_file(&path).expect("the file was made here");
    }
}
