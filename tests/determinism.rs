//! A run is a function of the build, the scenario and the seed, and of nothing else.

use std::cell::RefCell;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use stormglass::check::outcome::Study;
use stormglass::engine::{Name, NodeId, Step, Time, Tracer};
use stormglass::explore::{Plan, Silent, study, traced};
use stormglass::parts::policy_facts;
use stormglass::scenario::{Scenario, load, source::Source};

fn scenarios(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            scenarios(&path, found);
        } else if path.extension().is_some_and(|end| end == "ron") {
            found.push(path);
        }
    }
}

/// Those of a folder below `scenarios`, without those of its own folders.
fn every_scenario(folder: &str) -> Vec<Scenario> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut found = Vec::new();
    scenarios(&folder, &mut found);
    found.retain(|path| path.parent() == Some(&folder) && !path.ends_with("pending.ron"));
    assert!(found.len() >= 4, "where are the scenarios?");
    let read = |path: &PathBuf| load(&Source::read(path).unwrap()).unwrap();
    found.iter().map(read).collect()
}

fn saga_failure() -> Source {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/saga_failure.ron");
    Source::read(&path).unwrap()
}

fn run(scenario: &Scenario, seeds: &[u64], jobs: usize) -> Study {
    study(scenario, &Plan { seeds: seeds.to_vec(), variants: vec![], jobs }, &Silent)
}

fn digests(study: &Study) -> Vec<u64> {
    let runs = study.variants.iter().flat_map(|variant| &variant.runs);
    runs.map(|run| run.digest).collect()
}

#[test]
fn every_scenario_is_the_same_the_second_time_and_holds() {
    for scenario in every_scenario("scenarios") {
        let first = run(&scenario, &[scenario.seed], 1);
        let second = run(&scenario, &[scenario.seed], 1);
        assert_eq!(digests(&first), digests(&second), "{}", scenario.name);
        assert_eq!(format!("{first:?}"), format!("{second:?}"), "{}", scenario.name);
        assert!(first.held(), "{}: {:#?}", scenario.name, first.judgements);
    }
}

#[test]
fn every_case_of_validation_is_the_same_the_second_time_as_far_as_it_is_run() {
    for mut scenario in every_scenario("scenarios/validation") {
        // Whether they hold is for `validate` to say, which takes minutes.
        scenario.events_max = 20_000;
        let (first, second) = (run(&scenario, &[7], 1), run(&scenario, &[7], 2));
        assert_eq!(format!("{first:?}"), format!("{second:?}"), "{}", scenario.name);
    }
}

#[test]
fn the_report_that_is_checked_in_is_what_the_scenario_gives() {
    // The path stands in the report as it was typed, and tests run in the package's folder.
    let mut found = Vec::new();
    scenarios(Path::new("scenarios"), &mut found);
    found.retain(|path| path.parent() == Some(Path::new("scenarios")));
    assert!(!found.is_empty());
    for path in found {
        let scenario = load(&Source::read(&path).unwrap()).unwrap();
        let study = run(&scenario, &[scenario.seed], 0);
        let known = Path::new("reports").join(&scenario.name).join("report.md");
        let known = std::fs::read_to_string(known).unwrap();
        let now = stormglass::report::markdown(&study);
        let again = format!("cargo run --release -- run {}", path.display());
        assert!(known == now, "the report is out of date; look at what `{again}` changes");
    }
}

#[test]
fn another_seed_is_another_run() {
    let scenario = load(&saga_failure()).unwrap();
    let digests = digests(&run(&scenario, &[1, 2, 3], 1));
    for (place, digest) in digests.iter().enumerate() {
        assert!(!digests[..place].contains(digest), "runs {place} and an earlier one are the same");
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let scenario = load(&saga_failure()).unwrap();
    let seeds: Vec<u64> = (1..=6).collect();
    let reports = |jobs| stormglass::report::json(&run(&scenario, &seeds, jobs));
    let one = reports(1);
    assert_eq!(one, reports(2));
    assert_eq!(one, reports(5));
}

/// What happens to each node, by name: every message sent, arrived and lost, and every fact.
#[derive(Default)]
struct Diary {
    names: Vec<String>,
    text: String,
}

impl Diary {
    fn name(&self, node: NodeId) -> &str {
        self.names.get(node.index()).map_or("network", String::as_str)
    }
}

impl Tracer for Diary {
    fn step(&mut self, at: Time, step: &Step<'_>) {
        let line = match step {
            Step::Message(hop, fate) => {
                let (from, to) = (self.name(hop.from), self.name(hop.to));
                format!("{} {from} {to} {:?} {:?} {fate:?}", at.0, hop.root, hop.body)
            }
            Step::TimedOut(node) => format!("{} {} timed out", at.0, self.name(*node)),
            Step::Noted(fact) => {
                let node = self.name(fact.node);
                // A policy's facts are about a node, and its number is not what happened to it.
                let is_about_node =
                    policy_facts::NAMES.iter().any(|name| Name::of(name) == fact.what);
                let key = if is_about_node { 0 } else { fact.key };
                format!("{} {node} {:?} {:?} {key} {}", at.0, fact.root, fact.what, fact.value)
            }
        };
        writeln!(self.text, "{line}").unwrap();
    }
}

fn diary(text: &str, variant: usize) -> String {
    let scenario = load(&Source::new("saga_failure.ron", text)).unwrap();
    let diary = Diary { names: scenario.names.clone(), ..Diary::default() };
    let diary = Rc::new(RefCell::new(diary));
    traced(&scenario, &scenario.variants[variant], 1, diary.clone());
    diary.take().text
}

#[test]
fn a_node_that_nobody_talks_to_changes_nobody_elses_events() {
    let source = saga_failure();
    // Its name comes before all others, so every id behind it is another one.
    let bystander = "nodes: {\n        \"a-bystander\": Service(operations: {\"rest\": ()}),";
    let with = source.text().replacen("nodes: {", bystander, 1);
    assert_ne!(with, source.text());
    for variant in [0, 1] {
        let (without, with) = (diary(source.text(), variant), diary(&with, variant));
        assert!(without.lines().count() > 10_000, "there is something to compare");
        let differs = without.lines().zip(with.lines()).find(|(left, right)| left != right);
        assert_eq!(differs, None, "the first event that differs");
        assert_eq!(without.len(), with.len());
    }
}

#[test]
fn a_fault_changes_nothing_before_it_begins() {
    let source = saga_failure();
    let late =
        "faults: {\n        \"late\": (what: Slow(node: \"shipping\", factor: 2), at: \"55s\"),";
    let with = source.text().replacen("faults: {", late, 1);
    let before = |text: &str| {
        let is_before = |line: &&str| {
            line.split(' ').next().is_some_and(|at| at.parse::<u64>().unwrap() < 55_000_000_000)
        };
        // Which place a fault has among the faults is not what happens to anybody.
        let is_event = |line: &&str| !line.contains("Root(0)");
        let text = diary(text, 1);
        text.lines().filter(is_before).filter(is_event).map(str::to_owned).collect::<Vec<_>>()
    };
    let (without, with) = (before(source.text()), before(&with));
    assert!(without.len() > 10_000 && without == with);
}
