//! Rules about documents: what they name exists, what they show works.

use std::fs;
use std::path::Path;
use std::process::Command;

use stormglass::scenario::reference::{Topic, entries};
use stormglass::scenario::{diagnose, load, source::Source};

use super::{LAYERS, breach, none, of_kind, read, root};

/// A document's lines with their numbers, and whether each stands in a block of code.
fn marked(text: &str) -> impl Iterator<Item = (usize, &str, bool)> {
    let mut is_code = false;
    text.lines().enumerate().map(move |(place, line)| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        (place + 1, line, is_code || is_fence)
    })
}

/// How GitHub names a heading's anchor.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
}

fn has_anchor(text: &str, wanted: &str) -> bool {
    let headings = marked(text).filter(|(_, line, is_code)| !is_code && line.starts_with('#'));
    headings.into_iter().any(|(_, line, _)| anchor(line.trim_start_matches('#')) == wanted)
}

#[test]
fn a_document_has_one_title_and_its_links_lead_somewhere() {
    let mut breaches = Vec::new();
    // What lies among the sources is what a test expects, not what people read.
    for file in of_kind("md").iter().filter(|file| !file.path.starts_with("src/")) {
        let prose = || marked(&file.text).filter(|(_, _, is_code)| !is_code);
        let titles = prose().filter(|(_, line, _)| line.starts_with("# ")).count();
        if titles != 1 {
            let rule = format!("{titles} titles");
            breaches.push(breach(&file.path, 1, rule, "write exactly one `# Title`"));
        }
        let folder = root().join(&file.path).parent().map(Path::to_path_buf).unwrap_or_default();
        for (line, text, _) in prose() {
            let links = text.match_indices("](").map(|(at, _)| &text[at + 2..]);
            for link in links.filter_map(|rest| rest.split([')', ' ']).next()) {
                let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
                let target = folder.join(path);
                // What is generated and not checked in cannot be looked for.
                if link.contains("://") || link.starts_with("mailto:") || path.ends_with(".html") {
                    continue;
                }
                let text = if path.is_empty() { Some(file.text.clone()) } else { None };
                let text = text.or_else(|| fs::read_to_string(&target).ok());
                let is_lost =
                    !fragment.is_empty() && !text.is_some_and(|text| has_anchor(&text, fragment));
                if !path.is_empty() && !target.exists() || is_lost {
                    let rule = format!("`{link}` leads nowhere");
                    breaches.push(breach(&file.path, line, rule, "mend the path or the heading"));
                }
            }
        }
    }
    none(breaches);
}

#[test]
fn every_fault_has_a_row_beside_those_of_others() {
    let text = read("docs/faults.md");
    let rows: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("| `")).collect();
    let entries = entries();
    let faults = entries.iter().filter(|entry| entry.topic == Topic::Fault);
    let mut breaches = Vec::new();
    for name in faults.map(|entry| entry.name.as_str()) {
        let is_named = |row: &&str| row.split(['`', '(']).next() == Some(name);
        if !rows.iter().any(is_named) {
            let remedy = "add one that says what Jepsen, VOPR and the others call it";
            breaches.push(breach("docs/faults.md", 1, format!("no row for `{name}`"), remedy));
        }
    }
    none(breaches);
}

#[test]
fn a_path_that_a_document_names_exists() {
    let mut breaches = Vec::new();
    for file in of_kind("md").iter().filter(|file| !file.path.contains('/')) {
        for (line, text, _) in marked(&file.text).filter(|(_, _, is_code)| !is_code) {
            for span in text.split('`').skip(1).step_by(2) {
                let first = span.split('/').next().unwrap_or_default();
                let is_own =
                    ["src", "tests", "benches", "scenarios", "reports", ".ci"].contains(&first);
                let is_layer = LAYERS.contains(&first);
                let is_pattern = span.contains(['…', '<', '*', ' ', '(']);
                if !span.contains('/') || is_pattern || !(is_own || is_layer) {
                    continue;
                }
                let path = if is_layer { root().join("src").join(span) } else { root().join(span) };
                if !path.exists() {
                    let rule = format!("`{span}` does not exist");
                    breaches.push(breach(&file.path, line, rule, "say where it is now"));
                }
            }
        }
    }
    none(breaches);
}

#[test]
fn the_maps_of_the_code_list_the_layers_in_their_order() {
    let folders = &LAYERS[..LAYERS.len() - 1];
    for (path, before, after, listed) in [
        ("ARCHITECTURE.md", "**`src/", "/`**", folders),
        // The command line is no part of the library.
        ("src/lib.rs", "//! - [`", "`]", &folders[..folders.len() - 1]),
    ] {
        let text = read(path);
        let entries = text.lines().filter_map(|line| line.strip_prefix(before)?.split_once(after));
        let names: Vec<&str> = entries.map(|(name, _)| name).collect();
        assert_eq!(names, listed, "{path} lists other layers than tests/tidy/main.rs");
    }
}

#[test]
fn a_function_that_a_document_names_exists() {
    let sources: String = of_kind("rs").into_iter().map(|file| file.text).collect();
    let (mut breaches, mut seen) = (Vec::new(), 0);
    for file in of_kind("md").iter().filter(|file| !file.path.contains('/')) {
        for (line, text, _) in marked(&file.text).filter(|(_, _, is_code)| !is_code) {
            for span in text.split('`').skip(1).step_by(2) {
                // A method of ours: `Type::function`, with nothing around it.
                let Some((owner, name)) = span.split_once("::") else { continue };
                let is_word = |word: &str| word.chars().all(|c| c.is_alphanumeric() || c == '_');
                let is_method = owner.starts_with(char::is_uppercase)
                    && name.starts_with(char::is_lowercase)
                    && is_word(owner)
                    && is_word(name);
                if !is_method || owner == "Waker" {
                    continue;
                }
                seen += 1;
                let declared = [format!("fn {name}("), format!("fn {name}<")];
                if !declared.iter().any(|head| sources.contains(head)) {
                    let rule = format!("`{span}` does not exist");
                    breaches.push(breach(&file.path, line, rule, "say what it is called now"));
                }
            }
        }
    }
    assert!(seen > 20, "ARCHITECTURE.md names more functions than these {seen}");
    none(breaches);
}

/// The blocks of code of a document, each with its language and the number of its first line.
fn blocks(text: &str) -> Vec<(String, usize, String)> {
    let mut blocks: Vec<(String, usize, String)> = Vec::new();
    let mut is_open = false;
    for (place, line) in text.lines().enumerate() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            is_open = !is_open;
            if is_open {
                blocks.push((language.to_owned(), place + 2, String::new()));
            }
        } else if let Some((_, _, block)) = blocks.last_mut().filter(|_| is_open) {
            *block += line;
            block.push('\n');
        }
    }
    blocks
}

fn help(subcommand: &str) -> Option<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stormglass"));
    let output = command.args([subcommand, "--help"]).output().expect("the binary starts");
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn the_commands_that_documents_show_exist() {
    let (mut breaches, mut seen) = (Vec::new(), 0);
    for path in ["README.md", "CONTRIBUTING.md"] {
        for (_, first, block) in blocks(&read(path)) {
            for (place, line) in block.lines().enumerate() {
                let line = line.split(" # ").next().unwrap_or(line);
                let call = ["cargo run --release -- ", "stormglass "];
                let Some(call) = call.iter().find_map(|prefix| line.strip_prefix(prefix)) else {
                    continue;
                };
                seen += 1;
                let mut bad = |rule: String| {
                    breaches.push(breach(path, first + place, rule, "show what there is"));
                };
                let mut words = call.split_whitespace();
                let subcommand = words.next().unwrap_or_default();
                let Some(help) = help(subcommand) else {
                    bad(format!("no command `{subcommand}`"));
                    continue;
                };
                for word in words {
                    if word.starts_with("--") && !help.contains(word) {
                        bad(format!("`{subcommand}` has no {word}"));
                    } else if word.ends_with(".ron") && !root().join(word).exists() {
                        bad(format!("no {word}"));
                    }
                }
            }
        }
    }
    assert!(seen >= 2, "the README shows how to run a scenario");
    none(breaches);
}

#[test]
fn the_scenarios_in_documents_load() {
    let mut seen = 0;
    for path in ["README.md", "CONTRIBUTING.md"] {
        for (language, line, block) in blocks(&read(path)) {
            if language == "ron" && block.contains("Scenario(") {
                seen += 1;
                let source = Source::new(format!("{path} from line {line}"), block);
                if let Err(problems) = load(&source) {
                    panic!("{}", diagnose::render(&problems, Some(&source), false));
                }
            }
        }
    }
    assert!(seen >= 1, "the README shows a whole scenario");
}

#[test]
fn the_pipeline_runs_the_test_command_of_the_readme() {
    let shown = blocks(&read("README.md"));
    let tests = |line: &&str| line.starts_with("cargo test");
    let command = shown.iter().find_map(|(_, _, block)| block.lines().find(tests));
    let command = command.expect("the README shows how to test").split(" # ").next().unwrap_or("");
    let is_run = read(".ci/run").lines().any(|line| line.trim() == command.trim());
    assert!(is_run, ".ci/run does not run `{}`", command.trim());
}
