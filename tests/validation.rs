//! Published results: the folder of cases is in order, and a wrong model is found out.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use stormglass::check::published::{CaseStudy, Pending, Verdict};
use stormglass::check::validate;
use stormglass::explore::{Effort, Silent, reproduce};
use stormglass::scenario::{load, source::Source};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/validation")
}

fn files() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).expect("the folder is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("it is").path()).collect();
    paths.sort();
    paths
}

#[test]
fn every_case_can_be_read_and_is_called_as_its_file() {
    let mut ids = BTreeSet::new();
    for path in files() {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).expect("it has a name");
        let source = Source::read(&path).expect("it can be read");
        if stem == "pending" {
            let pending: Vec<Pending> = source.parse().expect("it is a list");
            for one in pending {
                assert!(ids.insert(one.id.clone()), "{} is there twice", one.id);
            }
            continue;
        }
        let scenario = load(&source).unwrap_or_else(|problems| panic!("{stem}: {problems:?}"));
        assert!(validate(&scenario, &source.spans()).is_empty(), "{stem}");
        let case = scenario.validates.unwrap_or_else(|| panic!("{stem} is no case"));
        let prefix = format!("{}_", case.id.to_lowercase());
        assert!(stem.starts_with(&prefix), "{stem} is {}", case.id);
        let stated = scenario.variants.iter().all(|one| one.phases.warmup.is_some());
        assert!(stated, "{stem}: its warm-up is stated");
        assert!(!scenario.expect.is_empty(), "{stem}");
        assert!(ids.insert(case.id.clone()), "{} is there twice", case.id);
    }
}

/// A case with values of its scenario replaced, run quickly.
fn with(file: &str, changes: &[(&str, &str)]) -> CaseStudy {
    let mut source = Source::read(&folder().join(file)).expect("the case is there");
    for (path, value) in changes {
        source = source.set(path, value).unwrap_or_else(|problem| panic!("{path}: {problem:?}"));
    }
    let scenario = load(&source).expect("it can still be read");
    let case = scenario.validates.clone().expect("it is a case");
    reproduce(&scenario, &case, Effort { is_quick: true, jobs: 0 }, &Silent)
}

fn differing(study: &CaseStudy) -> Vec<&str> {
    let wrong = study.figures.iter().filter(|figure| figure.verdict == Verdict::Differs);
    wrong.map(|figure| figure.metric.as_str()).collect()
}

/// Right as it is, and wrong with an error in the model that a careless change might bring.
fn finds(file: &str, shorter: (&str, &str), error: (&str, &str), figures: &[&str]) {
    let right = with(file, &[shorter]);
    assert!(right.agrees(), "{file}: {right:#?}");
    let wrong = with(file, &[shorter, error]);
    assert!(!wrong.agrees());
    assert_eq!(differing(&wrong), figures, "{file} with {error:?}: {:#?}", wrong.figures);
}

#[test]
fn a_wrong_queue_discipline_is_found_out() {
    let classes = ["latency.mean/class:high", "latency.mean/class:low"];
    let shorter = ("run.load", "\"41000s\"");
    finds("q17_priority.ron", shorter, ("nodes.server.machine.discipline", "Fifo"), &classes);
}

#[test]
fn constant_work_instead_of_exponential_is_found_out() {
    let error = ("nodes.server.operations.serve.cost", "\"10ms\"");
    let figures = ["availability.other", "throughput.goodput", "latency.mean"];
    finds("q07_mm1k.ron", ("run.load", "\"510s\""), error, &figures);
}

#[test]
fn latency_that_is_counted_twice_is_found_out() {
    let figures = ["first", "second", "third", "fourth", "latency.mean"];
    finds("e03_trace.ron", ("run.load", "\"50ms\""), ("network.latency", "\"4ms\""), &figures);
}

fn stormglass(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stormglass"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments);
    command.output().expect("the program is there")
}

fn told(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_command_says_how_near_it_comes_and_what_is_to_come() {
    let found = stormglass(&["validate", "E03", "B07", "P01", "--no-color"]);
    assert_eq!(found.status.code(), Some(0), "{}", told(&found.stderr));
    let text = told(&found.stdout);
    for part in ["E03 D/D/1, request by request", "= 8.75 ms", "P01 k-staleness", "2 of 2 agree"] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
    assert!(!text.contains("K01"), "only what was asked for:\n{text}");
    let json = told(&stormglass(&["validate", "K01", "--format", "json"]).stdout);
    assert!(json.contains("\"schema\": \"stormglass.validation/1\""), "{json}");
    assert!(json.contains("\"simulated\": 119.0"), "{json}");
}

#[test]
fn what_cannot_be_used_is_refused() {
    let unknown = stormglass(&["validate", "Q1"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(told(&unknown.stderr).contains("no case is called `Q1`"), "{}", told(&unknown.stderr));
    let nowhere = stormglass(&["validate", "--from", "scenarios/nowhere"]);
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(told(&nowhere.stderr).contains("--from DIR"), "{}", told(&nowhere.stderr));
    let empty = stormglass(&["validate", "--from", "scenarios"]);
    assert_eq!(empty.status.code(), Some(2), "scenarios that reproduce nothing");
    let unwritable = stormglass(&["validate", "--out", "Cargo.toml/pages/page.md"]);
    assert_eq!((unwritable.status.code(), told(&unwritable.stdout)), (Some(2), String::new()));
    let said = told(&unwritable.stderr);
    assert!(said.contains("`Cargo.toml` is there and is no folder"), "{said}");
}

#[test]
fn a_case_that_differs_ends_with_1_and_the_page_is_written_whole() {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("validation");
    fs::create_dir_all(&scratch).expect("there is room");
    let text = fs::read_to_string(folder().join("e03_trace.ron")).expect("it is there");
    let wrong = text.replace("is: \"8ms\"", "is: \"9ms\"");
    fs::write(scratch.join("e03_trace.ron"), wrong).expect("there is room");
    let (from, page) = (scratch.to_string_lossy(), scratch.join("page.md"));
    let out = page.to_string_lossy();
    let found = stormglass(&["validate", "--from", &from, "--out", &out, "--no-color"]);
    assert_eq!(found.status.code(), Some(1), "{}", told(&found.stderr));
    assert!(told(&found.stdout).contains("✗ differs"), "{}", told(&found.stdout));
    let page = fs::read_to_string(&page).expect("it was written");
    assert!(page.starts_with("# Validation") && page.contains("✗ differs"), "{page}");
    fs::remove_dir_all(&scratch).expect("it was there");
}
