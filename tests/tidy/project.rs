//! Rules about the project as a whole: stems, dependencies, versions, lints.

use std::collections::BTreeSet;

use stormglass::patterns::CATALOGUE;

use super::{breach, has_word, none, of_kind, read, tree};

/// Roots of machines' own folders, in halves so that this file keeps its own rule.
const MACHINE_PATHS: &[(&str, &str)] =
    &[("/wo", "rk/"), ("/ro", "ot/"), ("/t", "mp/"), ("/ho", "me/")];

/// `Saga` is `saga`, `PointToPoint` is `point_to_point`.
fn stem(kind: &str) -> String {
    let mut stem = String::new();
    for c in kind.chars() {
        if c.is_uppercase() && !stem.is_empty() {
            stem.push('_');
        }
        stem.extend(c.to_lowercase());
    }
    stem
}

#[test]
fn patterns_scenarios_and_reports_go_by_the_same_stems() {
    let files = tree();
    let is_there = |path: &str| files.iter().any(|file| file.path == path);
    let within =
        |folder: &'static str| files.iter().filter_map(move |f| f.path.strip_prefix(folder));
    let scenarios: Vec<&str> = within("scenarios/")
        .filter_map(|path| path.strip_suffix(".ron").filter(|stem| !stem.contains('/')))
        .collect();
    let mut breaches = Vec::new();
    for kind in CATALOGUE.iter().filter(|kind| kind.is_pattern) {
        let stem = stem(kind.name);
        let source = format!("src/patterns/{stem}");
        if !is_there(&format!("{source}.rs")) && !is_there(&format!("{source}/mod.rs")) {
            let remedy = "a pattern's file is called like the pattern";
            breaches.push(breach(&source, 1, format!("{} is not there", kind.name), remedy));
        }
        if !scenarios.iter().any(|name| name.starts_with(&format!("{stem}_"))) {
            let remedy = format!("write scenarios/{stem}_….ron that compares with and without it");
            breaches.push(breach(&source, 1, format!("no scenario shows {}", kind.name), remedy));
        }
    }
    for name in &scenarios {
        let (path, report) = (format!("scenarios/{name}.ron"), format!("reports/{name}/report.md"));
        if !is_there(&report) {
            let remedy = format!("run `cargo run --release -- run {path}`, read it, check it in");
            breaches.push(breach(&path, 1, format!("no {report}"), remedy));
        }
    }
    let reports: BTreeSet<&str> =
        within("reports/").filter_map(|path| Some(path.split_once('/')?.0)).collect();
    for name in reports.iter().filter(|name| !scenarios.contains(name)) {
        let rule = format!("no scenarios/{name}.ron");
        breaches.push(breach(&format!("reports/{name}"), 1, rule, "delete the report"));
    }
    none(breaches);
}

#[test]
fn the_changelog_speaks_of_this_version() {
    let text = read("CHANGELOG.md");
    let newest = text.lines().find_map(|line| line.strip_prefix("## ")).unwrap_or_default();
    let version = env!("CARGO_PKG_VERSION");
    let first = newest.split_whitespace().next().unwrap_or_default();
    let speaks = first.trim_matches(['[', ']']) == version || first.contains("Unreleased");
    assert!(speaks, "CHANGELOG.md begins with `{newest}`, Cargo.toml with {version}");
}

#[test]
fn nothing_names_a_place_on_somebodys_machine() {
    let mut breaches = Vec::new();
    for file in tree() {
        for (place, line) in file.text.lines().enumerate() {
            for (left, right) in MACHINE_PATHS {
                let path = format!("{left}{right}");
                let is_own = |at: usize| {
                    let before = line[..at].chars().next_back();
                    !before
                        .is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}'))
                };
                if line.match_indices(&path).any(|(at, _)| is_own(at)) {
                    let rule = format!("names {path}");
                    breaches.push(breach(&file.path, place + 1, rule, "use a relative path"));
                }
            }
        }
    }
    none(breaches);
}

/// The crates under the headings of Cargo.toml that end in `dependencies]`, with their lines.
fn dependencies() -> Vec<(String, usize)> {
    let (mut crates, mut is_list) = (Vec::new(), false);
    for (place, line) in read("Cargo.toml").lines().enumerate() {
        if line.starts_with('[') {
            is_list = line.ends_with("dependencies]");
        } else if let Some((name, _)) = line.split_once(" = ").filter(|_| is_list) {
            crates.push((name.to_owned(), place + 1));
        }
    }
    crates
}

#[test]
fn every_dependency_is_used_and_has_a_reason() {
    let (sources, reasons) = (of_kind("rs"), read("ARCHITECTURE.md"));
    let rows: BTreeSet<&str> =
        reasons.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let mut breaches = Vec::new();
    let crates = dependencies();
    assert!(crates.len() > 10, "Cargo.toml lists more than these {}", crates.len());
    for (name, line) in &crates {
        let path = format!("{}::", name.replace('-', "_"));
        if !sources.iter().any(|file| file.code().any(|(_, code)| has_word(code, &path))) {
            breaches.push(breach("Cargo.toml", *line, format!("{name} is not used"), "remove it"));
        }
        if !rows.contains(name.as_str()) {
            let remedy = "add a row to the table of dependencies in ARCHITECTURE.md";
            breaches.push(breach("Cargo.toml", *line, format!("{name} has no reason"), remedy));
        }
    }
    for name in rows.iter().filter(|name| !crates.iter().any(|(known, _)| known == *name)) {
        let rule = format!("{name} is no dependency");
        breaches.push(breach("ARCHITECTURE.md", 1, rule, "remove its row"));
    }
    none(breaches);
}

#[test]
fn the_lints_that_keep_functions_short_are_on() {
    let (lints, limits) = (read("Cargo.toml"), read("clippy.toml"));
    for lint in ["too_many_lines", "too_many_arguments"] {
        let is_on =
            ["warn", "deny"].iter().any(|level| lints.contains(&format!("{lint} = \"{level}\"")));
        assert!(is_on, "Cargo.toml does not turn on {lint}");
    }
    assert!(limits.contains("too-many-lines-threshold = 70"), "clippy.toml: 70 lines a function");
}
