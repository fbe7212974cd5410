//! Interaction tests: a text file says what is done, step by step, and what then happens.
//!
//! Each case of `tests/interaction/*.txt` is a command, `----`, and the output. With `UPDATE=1` the
//! outputs are written as they are now; without, a difference fails. CONTRIBUTING has the commands.

#[path = "interaction/book.rs"]
mod book;
#[path = "interaction/stage.rs"]
mod stage;

use std::fs;
use std::path::{Path, PathBuf};

use book::Book;
use stage::Stage;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interaction")
}

fn files() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let mut texts: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "txt")).collect();
    texts.sort();
    texts
}

/// The file as it would be if every output were what comes out now.
fn played(text: &str) -> Result<String, String> {
    let mut stage = Stage::default();
    let mut book = Book::of(text)?;
    for case in &mut book.cases {
        case.output = stage.play(&case.command, &case.input);
    }
    Ok(book.text())
}

#[test]
#[expect(clippy::disallowed_methods, reason = "it asks what to do with the texts, not how to run")]
fn what_the_texts_say_is_what_happens() {
    let files = files();
    assert!(files.len() >= 10, "where are the texts?");
    let updates = std::env::var("UPDATE").is_ok_and(|value| !value.is_empty());
    let mut differences = String::new();
    for path in files {
        let text = fs::read_to_string(&path).expect("it can be read");
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let now = played(&text).unwrap_or_else(|problem| panic!("{name}: {problem}"));
        if now == text {
            continue;
        }
        if updates {
            fs::write(&path, now).expect("it can be written");
        } else {
            differences += &book::difference(&name, &text, &now);
        }
    }
    let advice = "look whether this is meant; UPDATE=1 cargo test --test interaction takes it over";
    assert!(differences.is_empty(), "\n{differences}{advice}\n");
}

#[test]
fn a_difference_is_shown_with_its_command_and_nothing_else() {
    let text = "# One.\nrun 1ms\n----\na\nb\nc\n\nrun 2ms\n----\nd\n";
    let mut book = Book::of(text).expect("it can be read");
    assert_eq!(book.text(), text);
    assert_eq!(book.cases[0].command, "run 1ms");
    book.cases[0].output = vec!["a".into(), "x".into(), "y".into(), "c".into()];
    let shown = book::difference("some.txt", text, &book.text());
    assert_eq!(shown, "some.txt:2: run 1ms\n  a\n- b\n+ x\n+ y\n  c\n\n");
}

#[test]
fn a_text_that_is_not_well_formed_is_refused_with_its_line() {
    let lacks = Book::of("# A comment.\n\nrun 1ms\n").expect_err("it has no output");
    assert!(lacks.contains("line 3") && lacks.contains("----"), "{lacks}");
}

#[test]
fn what_cannot_be_done_is_said() {
    let mut stage = Stage::default();
    for (command, says) in [
        ("run 1ms", "load a scenario first"),
        ("jump", "no such command: jump"),
        ("load nothing-there", "no base is called nothing-there"),
    ] {
        let output = stage.play(command, "").join("\n");
        assert!(output.contains(says), "{command}: {output}");
    }
    stage.play("load pair", "");
    for (command, says) in [
        ("send users -> nobody read 1", "no node is called nobody"),
        ("send users server read 1", "send FROM -> TO"),
        ("run 1 parsec", "parsec"),
        ("inject cut (what: Partition(links: Around(\"servr\")), at: \"1ms\")", "server"),
        ("disk servr", "no node is called servr"),
    ] {
        let output = stage.play(command, "").join("\n");
        assert!(output.contains(says), "{command}: {output}");
    }
}
