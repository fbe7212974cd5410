//! From a file to a scenario: names first, then types, then what types cannot say.
//!
//! The names of all nodes are collected before anything else is read, so every address can be
//! checked where it stands. A variant that sets single values is the same text with those values
//! spliced in, read again: whatever the file may say, a variant may say too.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::diagnose::Problem;
use super::source::Source;
use super::spans::Spans;
use super::swarm::{self, Swarm};
use super::verify::Places;
use super::{
    Case, Expectation, Invariant, MeasureSpec, Phases, Prices, Scenario, Variant, classes,
    instances, names, verify,
};
use crate::engine::Lexicon;
use crate::patterns::Spec;
use crate::world::{Budget, ClocksSpec, FaultSpec, NetworkSpec};

/// A scenario as the file has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename = "Scenario")]
pub(super) struct Draft {
    /// A short title.
    pub(super) title: String,
    /// What it is about, a paragraph. Default: nothing.
    #[serde(default)]
    pub(super) about: String,
    /// The seed of the first run. Default: 1.
    #[serde(default = "one")]
    pub(super) seed: u64,
    /// How many events a run may take before it is stopped. Default: 1,000,000,000.
    #[serde(default = "billion")]
    pub(super) events_max: u64,
    /// How long a run is, and in which phases.
    pub(super) run: Phases,
    /// The network. Default: 250 us one way, streams, no loss.
    #[serde(default)]
    pub(super) network: NetworkSpec,
    /// The nodes, by name.
    pub(super) nodes: BTreeMap<String, Spec>,
    /// What befalls them, by name. Default: nothing.
    #[serde(default)]
    pub(super) faults: BTreeMap<String, FaultSpec>,
    /// Does each seed draw faults of its own besides: `true`, or the bounds within which? Default:
    /// `false`.
    #[serde(default, deserialize_with = "swarm::switch")]
    pub(super) swarm: Option<Swarm>,
    /// The nodes' own clocks. Default: all of them are right.
    #[serde(default)]
    pub(super) clocks: ClocksSpec,
    /// How many intact copies of their data faults must leave to groups of nodes. Default: none.
    #[serde(default)]
    pub(super) budgets: Vec<Budget>,
    /// What must hold, by name. Default: only that every request is accounted for.
    #[serde(default)]
    pub(super) invariants: BTreeMap<String, Invariant>,
    /// What is measured besides the catalogue of metrics, by name. Default: nothing.
    #[serde(default)]
    pub(super) measures: BTreeMap<String, MeasureSpec>,
    /// What is expected. Default: nothing.
    #[serde(default)]
    pub(super) expect: Vec<Expectation>,
    /// The published result that it reproduces, for the command `validate`. Default: none.
    #[serde(default)]
    pub(super) validates: Option<Case>,
    /// What things cost. Default: not counted in money.
    #[serde(default)]
    pub(super) prices: Option<Prices>,
    /// Designs to be compared, the baseline first. Default: the nodes as they are.
    #[serde(default)]
    pub(super) variants: Vec<Variation>,
    /// Does somebody try another value than the file's? It may make others mean nothing.
    #[serde(skip)]
    pub(super) is_tried: bool,
}

/// A variant as the file has it: what is different from the base.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variation {
    /// What it is called.
    pub(super) name: String,
    /// What it is, as a sentence. Default: nothing.
    #[serde(default)]
    pub(super) about: String,
    /// Nodes that it adds, or has instead of those of the same name. Default: none.
    #[serde(default)]
    pub(super) nodes: BTreeMap<String, Spec>,
    /// Faults that it adds, or has instead of those of the same name. Default: none.
    #[serde(default)]
    pub(super) faults: BTreeMap<String, FaultSpec>,
    /// Nodes and faults of the base that it does not have. Default: none.
    #[serde(default)]
    pub(super) without: Vec<String>,
    /// The network that it has instead. Default: the base's.
    #[serde(default)]
    pub(super) network: Option<NetworkSpec>,
    /// Single values that it has instead: a path such as `nodes.payments.idempotent`, and the value
    /// as the file would have it. Default: none.
    #[serde(default)]
    pub(super) set: BTreeMap<String, String>,
    /// Invariants that it is there to violate: at least one run must. Default: none.
    #[serde(default)]
    pub(super) breaks: Vec<String>,
}

fn one() -> u64 {
    1
}

fn billion() -> u64 {
    1_000_000_000
}

/// Reads a scenario.
///
/// # Errors
/// Every problem that was found, each with its place in the text.
pub fn load(source: &Source) -> Result<Scenario, Vec<Problem>> {
    let nodes = instances::roster(source);
    let (mut draft, mut lexicon) = read(source, &nodes)?;
    draft.is_tried = !source.changes().is_empty();
    let spans = source.spans();
    let base = Text { source, spans: &spans, nodes: &nodes };
    let mut problems = verify::base(&draft, base.places(&lexicon));
    if !problems.is_empty() {
        // Every variant that sets a value would say the same again.
        return Err(problems);
    }
    let (mut variants, mut texts) = (Vec::new(), Vec::new());
    for (place, variation) in draft.variants.iter().enumerate() {
        if variation.set.is_empty() {
            variants.push(vary(draft.clone(), variation, &nodes));
            texts.push(None);
            continue;
        }
        match Spliced::of(source, variation, place, &nodes) {
            Ok(mut text) => {
                text.draft.is_tried = draft.is_tried;
                variants.push(vary(text.draft.clone(), variation, &nodes));
                texts.push(Some(text));
            }
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    if draft.variants.is_empty() {
        variants.push(plain(&draft, &nodes));
        texts.push(None);
    }
    for (place, text) in texts.iter().enumerate() {
        let found = match text {
            None => verify::variant(&draft, &variants, base.places(&lexicon), place),
            Some(text) => text.problems(&variants, &nodes, place),
        };
        // What is wrong in the base is wrong in each of its variants.
        let new = found.into_iter().filter(|problem| !problems.contains(problem));
        problems.extend(new.collect::<Vec<_>>());
    }
    problems.extend(verify::counted(&draft, &variants, base.places(&lexicon)));
    texts.into_iter().flatten().for_each(|text| lexicon.extend(text.lexicon));
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Scenario {
        name: stem(source.path()),
        path: source.path().to_owned(),
        title: draft.title,
        about: draft.about,
        seed: draft.seed,
        events_max: draft.events_max,
        names: nodes,
        lexicon,
        invariants: draft.invariants.into_iter().collect(),
        measures: draft.measures.into_iter().collect(),
        expect: draft.expect,
        validates: draft.validates,
        variants,
    })
}

/// A text, where its values stand, and the names of its nodes.
struct Text<'a> {
    source: &'a Source,
    spans: &'a Spans,
    nodes: &'a [String],
}

impl<'a> Text<'a> {
    fn places(&self, lexicon: &'a Lexicon) -> Places<'a> {
        let Text { source, spans, nodes } = *self;
        Places { text: source.text(), spans, lexicon, nodes }
    }
}

/// Reads a single fault, as it stands in a scenario's `faults`, about the nodes of `scenario`.
///
/// # Errors
/// Every problem that was found, each with its place in the text.
pub fn read_fault(scenario: &Scenario, source: &Source) -> Result<FaultSpec, Vec<Problem>> {
    names::scope(scenario.names.clone(), source.files().clone(), || source.parse()).0
}

fn read(source: &Source, nodes: &[String]) -> Result<(Draft, Lexicon), Vec<Problem>> {
    let (draft, lexicon) =
        names::scope(nodes.to_vec(), source.files().clone(), || source.parse::<Draft>());
    Ok((draft?, lexicon))
}

/// What a scenario says of all of its variants.
const COMMON: [&str; 9] = [
    "title",
    "about",
    "seed",
    "events_max",
    "invariants",
    "measures",
    "expect",
    "validates",
    "variants",
];

/// The base of a variant that sets single values: the same text with the values in it.
struct Spliced {
    source: Source,
    draft: Draft,
    lexicon: Lexicon,
    /// What is said of problems with it.
    note: String,
}

impl Spliced {
    fn of(
        source: &Source,
        variation: &Variation,
        place: usize,
        nodes: &[String],
    ) -> Result<Spliced, Vec<Problem>> {
        let mut source = source.clone();
        for (path, value) in &variation.set {
            let origin = format!("variants.{place}.set");
            let field = path.split(['.', '[']).next().unwrap_or(path);
            if COMMON.contains(&field) {
                let key = Problem::at(0..field.len()).on(origin, path.clone());
                let title = format!("`{field}` is the same for all variants");
                return Err(vec![key.title(title).label("no variant can set it")]);
            }
            let next = source.set_as(&origin, path, value);
            source = next.map_err(|problem| vec![source.settled(problem)])?;
        }
        let settled = |problems: Vec<Problem>| -> Vec<Problem> {
            problems.into_iter().map(|problem| source.settled(problem)).collect()
        };
        let (draft, lexicon) = read(&source, nodes).map_err(settled)?;
        let spans = source.spans();
        let places = Text { source: &source, spans: &spans, nodes }.places(&lexicon);
        let problems = verify::base(&draft, places);
        let note = format!("this is so with what the variant `{}` sets", variation.name);
        if !problems.is_empty() {
            return Err(settled(problems.into_iter().map(|one| one.note(note.clone())).collect()));
        }
        Ok(Spliced { source, draft, lexicon, note })
    }

    /// What is wrong with the variant as a whole.
    fn problems(&self, variants: &[Variant], nodes: &[String], place: usize) -> Vec<Problem> {
        let spans = self.source.spans();
        let places = Text { source: &self.source, spans: &spans, nodes }.places(&self.lexicon);
        let found = verify::variant(&self.draft, variants, places, place).into_iter();
        let settled = found.map(|problem| self.source.settled(problem));
        // What stands in the file itself may be wrong without it, too.
        let noted = settled.map(|problem| match problem.page {
            Some(_) => problem.note(self.note.clone()),
            None => problem,
        });
        noted.collect()
    }
}

fn plain(draft: &Draft, nodes: &[String]) -> Variant {
    let only = Variation {
        name: "as described".to_owned(),
        about: String::new(),
        nodes: BTreeMap::new(),
        faults: BTreeMap::new(),
        without: Vec::new(),
        network: None,
        set: BTreeMap::new(),
        breaks: Vec::new(),
    };
    vary(draft.clone(), &only, nodes)
}

fn vary(mut base: Draft, variation: &Variation, nodes: &[String]) -> Variant {
    for name in &variation.without {
        base.nodes.remove(name);
        base.faults.remove(name);
    }
    base.nodes.extend(variation.nodes.clone());
    base.faults.extend(variation.faults.clone());
    let (places, groups) = instances::placed(nodes, base.nodes);
    let network = variation.network.clone().unwrap_or(base.network);
    Variant {
        name: variation.name.clone(),
        about: variation.about.clone(),
        phases: base.run,
        prices: base.prices,
        classes: classes::table(&places),
        nodes: places,
        network: instances::connected(network, &groups),
        groups,
        faults: base.faults.into_iter().collect(),
        swarm: base.swarm,
        clocks: base.clocks,
        budgets: base.budgets,
        breaks: variation.breaks.clone(),
    }
}

fn stem(path: &str) -> String {
    let stem = std::path::Path::new(path).file_stem().and_then(|stem| stem.to_str());
    stem.unwrap_or("scenario").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::diagnose::render;
    use crate::scenario::source::MINIMAL_SCENARIO;

    const SHOP: &str = r#"Scenario(
    title: "A shop",
    run: (load: "10s", quiet: "5s"),
    nodes: {
        "buyers": Client(target: "shop", operation: "buy", load: Poisson(rate: "10/s")),
        "shop": Service(operations: {"buy": (calls: [(to: "bank", operation: "pay")])}),
        "bank": Service(operations: {"pay": ()}),
    },
    faults: {"bank down": (what: Crash(node: "bank"), at: "2s", for: "1s")},
    expect: [(metric: "latency.p99", max: "1s")],
    variants: [
        (name: "plain"),
        (name: "calm", without: ["bank down"], set: {"nodes.bank.machine.workers": "2"}),
        (name: "other bank", nodes: {"shop": Service(operations: {"buy": (calls: [(to: "bank2", operation: "pay")])}), "bank2": Service(operations: {"pay": ()})}, without: ["bank", "bank down"]),
    ],
)"#;

    fn read(text: &str) -> Result<Scenario, String> {
        let source = Source::new("shop.ron", text);
        load(&source).map_err(|problems| render(&problems, Some(&source), false))
    }

    /// What is said about the shop with one thing changed.
    fn complaint(from: &str, to: &str) -> String {
        assert!(SHOP.contains(from), "{from}");
        read(&SHOP.replacen(from, to, 1)).expect_err("it should be refused")
    }

    #[test]
    fn the_smallest_scenario_that_is_shown_to_people_can_be_read() {
        let scenario = read(MINIMAL_SCENARIO).unwrap();
        assert_eq!(scenario.variants.len(), 1);
        assert_eq!(scenario.name, "shop");
    }

    #[test]
    fn a_variant_is_the_base_with_its_changes() {
        let scenario = read(SHOP).unwrap();
        assert_eq!(scenario.names, ["bank", "bank2", "buyers", "shop"]);
        let [plain, calm, other] = &scenario.variants[..] else { panic!("three variants") };
        let has = |variant: &Variant| variant.nodes.iter().map(Option::is_some).collect::<Vec<_>>();
        assert_eq!(has(plain), [true, false, true, true]);
        assert_eq!(has(other), [false, true, true, true]);
        assert_eq!((plain.faults.len(), calm.faults.len(), other.faults.len()), (1, 0, 0));
        let workers =
            |variant: &Variant| variant.nodes[0].as_ref().map(|bank| bank.machine().workers);
        assert_eq!((workers(plain), workers(calm)), (Some(None), Some(Some(2))));
    }

    #[test]
    fn what_types_cannot_say_is_refused_where_it_stands() {
        let cases = [
            ("load: \"10s\"", "warmup: \"10s\", load: \"10s\"", "leaves nothing to measure"),
            ("at: \"2s\"", "at: \"11s\"", "would never begin"),
            ("for: \"1s\"", "for: \"3s\", every: \"2s\"", "must end before it does"),
            ("max: \"1s\"", "", "expects nothing"),
            ("max: \"1s\"", "max: \"1s\", variant: \"plian\"", "did you mean `plain`?"),
            ("name: \"calm\"", "name: \"plain\"", "two variants are called `plain`"),
            ("[\"bank\", ", "[\"bnak\", ", "did you mean `bank`?"),
            ("nodes.bank.machine", "nodes.bnak.machine", "bnak"),
            ("(to: \"bank\"", "(to: \"bnak\"", "did you mean `bank`?"),
            ("without: [\"bank down\"]", "without: [\"bank\"]", "which calm does not have"),
            ("name: \"plain\"", "name: \"plain\", breaks: [\"x\"]", "no invariant is called `x`"),
            ("\"bank\": Service", "\"ba nk\": Service", "no node is called `bank`"),
        ];
        for (from, to, says) in cases {
            let complaint = complaint(from, to);
            assert!(complaint.contains(says), "{from} -> {to}:\n{complaint}");
            assert!(complaint.contains("shop.ron:") || complaint.contains(".set"), "{complaint}");
        }
    }

    #[test]
    fn a_load_of_no_time_is_one_problem_and_not_one_for_everything_in_it() {
        let complaint = complaint("load: \"10s\"", "load: \"0s\"");
        assert!(complaint.starts_with("error: the load must last longer than 0 s"), "{complaint}");
        assert_eq!(complaint.matches("error:").count(), 1, "{complaint}");
    }

    #[test]
    fn what_a_variant_sets_is_checked_like_what_the_file_says() {
        let complaint = complaint(
            "\"nodes.bank.machine.workers\": \"2\"",
            "\"nodes.buyers.load\": \"Closed(users: 0)\"",
        );
        assert!(complaint.contains("a closed loop needs at least one user"), "{complaint}");
        assert!(complaint.contains("with what the variant `calm` sets"), "{complaint}");
    }

    #[test]
    fn an_invariant_about_a_system_at_rest_wants_a_quiet_phase() {
        let settled = "invariants: {\"i\": Settled(node: \"shop\")}, expect:";
        let text = SHOP.replace("expect:", settled);
        assert!(read(&text).is_ok());
        let complaint = read(&text.replace(", quiet: \"5s\"", "")).unwrap_err();
        assert!(complaint.contains("no quiet phase"), "{complaint}");
    }
}
