//! From a file to a scenario: names first, then types, then what types cannot say.
//!
//! The names of all nodes are collected before anything else is read, so every address can be
//! checked where it stands. A variant that sets single values is the same text with those values
//! spliced in, read again: whatever the file may say, a variant may say too.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::diagnose::Problem;
use super::source::Source;
use super::spans::Spans;
use super::{Expectation, Invariant, Phases, Prices, Scenario, Variant, names};
use crate::engine::{Lexicon, NodeId};
use crate::patterns::Spec;
use crate::world::{FaultSpec, Injection, NetworkSpec};

/// A scenario as the file has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename = "Scenario")]
struct Draft {
    /// A short title.
    title: String,
    /// What it is about, a paragraph. Default: nothing.
    #[serde(default)]
    about: String,
    /// The seed of the first run. Default: 1.
    #[serde(default = "one")]
    seed: u64,
    /// How many events a run may take before it is stopped. Default: 1,000,000,000.
    #[serde(default = "billion")]
    events_max: u64,
    /// How long a run is, and in which phases.
    run: Phases,
    /// The network. Default: 250 us one way, streams, no loss.
    #[serde(default)]
    network: NetworkSpec,
    /// The nodes, by name.
    nodes: BTreeMap<String, Spec>,
    /// What befalls them, by name. Default: nothing.
    #[serde(default)]
    faults: BTreeMap<String, FaultSpec>,
    /// What must hold, by name. Default: only that every request is accounted for.
    #[serde(default)]
    invariants: BTreeMap<String, Invariant>,
    /// What is expected. Default: nothing.
    #[serde(default)]
    expect: Vec<Expectation>,
    /// What things cost. Default: not counted in money.
    #[serde(default)]
    prices: Option<Prices>,
    /// Designs to be compared, the baseline first. Default: the nodes as they are.
    #[serde(default)]
    variants: Vec<Variation>,
}

/// A variant as the file has it: what is different from the base.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variation {
    /// What it is called.
    name: String,
    /// What it is, as a sentence. Default: nothing.
    #[serde(default)]
    about: String,
    /// Nodes that it adds, or has instead of those of the same name. Default: none.
    #[serde(default)]
    nodes: BTreeMap<String, Spec>,
    /// Faults that it adds, or has instead of those of the same name. Default: none.
    #[serde(default)]
    faults: BTreeMap<String, FaultSpec>,
    /// Nodes and faults of the base that it does not have. Default: none.
    #[serde(default)]
    without: Vec<String>,
    /// The network that it has instead. Default: the base's.
    #[serde(default)]
    network: Option<NetworkSpec>,
    /// Single values that it has instead: a path such as `nodes.payments.idempotent`, and the value
    /// as the file would have it. Default: none.
    #[serde(default)]
    set: BTreeMap<String, String>,
    /// Invariants that it is there to violate: at least one run must. Default: none.
    #[serde(default)]
    breaks: Vec<String>,
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
    let (draft, nodes, mut lexicon) = read(source)?;
    let spans = source.spans();
    let mut problems = check(&draft, &nodes, &spans);
    let mut variants = Vec::new();
    for (place, variation) in draft.variants.iter().enumerate() {
        let (base, known) = match spliced(source, variation, place) {
            Ok(None) => (draft.clone(), Lexicon::default()),
            Ok(Some(other)) => other,
            Err(more) => {
                problems.extend(more);
                continue;
            }
        };
        lexicon.extend(known);
        variants.push(vary(base, variation, &nodes));
    }
    if draft.variants.is_empty() {
        variants.push(plain(&draft, &nodes));
    }
    for (place, variant) in variants.iter().enumerate() {
        let at = format!("variants.{place}");
        problems.extend(dangling(variant, &nodes, &spans, &at));
    }
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
        phases: draft.run,
        prices: draft.prices,
        names: nodes,
        lexicon,
        invariants: draft.invariants.into_iter().collect(),
        expect: draft.expect,
        variants,
    })
}

/// What there is to know about names before the rest can be read.
#[derive(Default, Deserialize)]
#[serde(default, rename = "Scenario")]
struct Outline {
    nodes: BTreeMap<String, IgnoredAny>,
    variants: Vec<Sketch>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Sketch {
    nodes: BTreeMap<String, IgnoredAny>,
}

fn read(source: &Source) -> Result<(Draft, Vec<String>, Lexicon), Vec<Problem>> {
    // Where even the outline cannot be read, reading the whole says why.
    let outline: Outline = source.parse().unwrap_or_default();
    let varied = outline.variants.iter().flat_map(|sketch| sketch.nodes.keys());
    let mut nodes: Vec<String> = outline.nodes.keys().chain(varied).cloned().collect();
    nodes.sort();
    nodes.dedup();
    let (draft, lexicon) = names::scope(nodes.clone(), || source.parse::<Draft>());
    Ok((draft?, nodes, lexicon))
}

/// The base of a variant that sets single values: the same text with the values in it.
fn spliced(
    source: &Source,
    variation: &Variation,
    place: usize,
) -> Result<Option<(Draft, Lexicon)>, Vec<Problem>> {
    if variation.set.is_empty() {
        return Ok(None);
    }
    let mut text = source.clone();
    for (path, value) in &variation.set {
        let origin = format!("variants.{place}.set");
        let next = text.set_as(&origin, path, value);
        text = next.map_err(|problem| vec![text.settled(problem)])?;
    }
    match read(&text) {
        Ok((draft, _, lexicon)) => Ok(Some((draft, lexicon))),
        Err(problems) => Err(problems.into_iter().map(|problem| text.settled(problem)).collect()),
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
    Variant {
        name: variation.name.clone(),
        about: variation.about.clone(),
        nodes: nodes.iter().map(|name| base.nodes.remove(name)).collect(),
        network: variation.network.clone().unwrap_or(base.network),
        faults: base.faults.into_iter().collect(),
        breaks: variation.breaks.clone(),
    }
}

fn stem(path: &str) -> String {
    let stem = std::path::Path::new(path).file_stem().and_then(|stem| stem.to_str());
    stem.unwrap_or("scenario").to_owned()
}

/// A problem with the value at `path`, or at the nearest place that exists.
fn at(spans: &Spans, path: &str) -> Problem {
    let mut path = path;
    loop {
        if let Some(place) = spans.get(path) {
            return Problem::at(place);
        }
        match path.rfind('.') {
            Some(dot) => path = &path[..dot],
            None => return Problem::new(""),
        }
    }
}

/// What types cannot say, of the base.
fn check(draft: &Draft, nodes: &[String], spans: &Spans) -> Vec<Problem> {
    let mut problems = Vec::new();
    let warmup = draft.run.warmup.unwrap_or_default();
    if warmup >= draft.run.load {
        let label = format!("the load lasts {}", draft.run.load);
        problems.push(
            at(spans, "run.warmup").title("the warm-up leaves nothing to measure").label(label),
        );
    }
    if !draft.nodes.values().any(|spec| matches!(spec, Spec::Client(_))) {
        let title = "nobody makes a request: there is no Client among the nodes";
        problems.push(at(spans, "nodes").title(title).label("add a Client"));
    }
    for name in nodes {
        let ordinary = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || !name.chars().all(ordinary) {
            let path = format!("nodes.{name}");
            let title = format!("`{name}` is no name for a node");
            problems.push(at(spans, &path).title(title).label("letters, digits, `-` and `_` only"));
        }
    }
    problems.extend(zones(&draft.network, nodes, spans));
    for (name, spec) in &draft.nodes {
        problems.extend(own(spec, spans, &format!("nodes.{name}")));
    }
    for (name, fault) in &draft.faults {
        problems.extend(timing(fault, draft, spans, &format!("faults.{name}")));
    }
    for (name, invariant) in &draft.invariants {
        problems.extend(rest(invariant, draft, spans, &format!("invariants.{name}")));
    }
    for (place, variation) in draft.variants.iter().enumerate() {
        problems.extend(variant(draft, variation, spans, place));
    }
    for (place, expectation) in draft.expect.iter().enumerate() {
        problems.extend(expected(draft, expectation, spans, &format!("expect.{place}")));
    }
    problems
}

/// A node is in one zone at most.
fn zones(network: &NetworkSpec, nodes: &[String], spans: &Spans) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (place, zone) in network.zones.iter().enumerate() {
        for id in &zone.nodes {
            let first = network.zones[..place].iter().find(|other| other.nodes.contains(id));
            let path = format!("network.zones.{place}.nodes");
            problems.extend(first.map(|first| {
                let node = nodes.get(id.index()).map_or("?", String::as_str);
                let (one, other) = (&first.name, &zone.name);
                at(spans, &path)
                    .title(format!("`{node}` is in two zones, `{one}` and `{other}`"))
                    .label("in this one too")
            }));
        }
    }
    problems
}

/// What must hold in the end needs an end at which the system has come to rest.
fn rest(invariant: &Invariant, draft: &Draft, spans: &Spans, path: &str) -> Option<Problem> {
    let in_the_end = match invariant {
        Invariant::Atomic { .. } | Invariant::Truthful { .. } | Invariant::Settled { .. } => true,
        Invariant::Once { .. } | Invariant::Conserved { .. } => false,
    };
    let title = "this invariant is about a system at rest, and the run has no quiet phase";
    (in_the_end && draft.run.quiet.is_zero()).then(|| {
        at(spans, path)
            .title(title)
            .label("must hold in the end")
            .help("give the run some: `run: (load: …, quiet: \"30s\")`")
    })
}

fn expected(draft: &Draft, one: &Expectation, spans: &Spans, path: &str) -> Option<Problem> {
    if one.min.is_none() && one.max.is_none() {
        let label = "give it a `min`, a `max` or both";
        return Some(at(spans, path).title("this expects nothing").label(label));
    }
    let name = one.variant.as_ref()?;
    let known: Vec<&str> = draft.variants.iter().map(|variant| variant.name.as_str()).collect();
    (!known.contains(&name.as_str())).then(|| {
        at(spans, &format!("{path}.variant"))
            .title(format!("no variant is called `{name}`"))
            .choose(name, &known, "the variants are")
    })
}

/// What a node says is wrong with its own configuration.
fn own(spec: &Spec, spans: &Spans, path: &str) -> Option<Problem> {
    let text = spec.problem()?;
    Some(at(spans, path).title(text).label(format!("in this {}", spec.kind())))
}

fn timing(fault: &FaultSpec, draft: &Draft, spans: &Spans, path: &str) -> Option<Problem> {
    if fault.at >= draft.run.load {
        let label = format!("faults end with the load, after {}", draft.run.load);
        let path = format!("{path}.at");
        return Some(at(spans, &path).title("this fault would never begin").label(label));
    }
    let (every, lasts) = (fault.every?, fault.lasts);
    if every.is_zero() || lasts.is_none_or(|lasts| lasts >= every) {
        let path = format!("{path}.every");
        let title = "a fault that comes again must end before it does";
        return Some(at(spans, &path).title(title).label("`for` must be shorter than `every`"));
    }
    None
}

fn variant(draft: &Draft, variation: &Variation, spans: &Spans, place: usize) -> Vec<Problem> {
    let mut problems = Vec::new();
    let path = format!("variants.{place}");
    if draft.variants[..place].iter().any(|other| other.name == variation.name) {
        let title = format!("two variants are called `{}`", variation.name);
        problems.push(at(spans, &format!("{path}.name")).title(title).label("the second"));
    }
    let base: Vec<&str> =
        draft.nodes.keys().chain(draft.faults.keys()).map(String::as_str).collect();
    for (index, name) in variation.without.iter().enumerate() {
        if !base.contains(&name.as_str()) {
            let path = format!("{path}.without.{index}");
            let title = format!("the base has no node and no fault called `{name}`");
            problems.push(at(spans, &path).title(title).choose(name, &base, "they are"));
        }
    }
    let invariants: Vec<&str> = draft.invariants.keys().map(String::as_str).collect();
    for (index, name) in variation.breaks.iter().enumerate() {
        if !invariants.contains(&name.as_str()) {
            let path = format!("{path}.breaks.{index}");
            let title = format!("no invariant is called `{name}`");
            problems.push(at(spans, &path).title(title).choose(name, &invariants, "they are"));
        }
    }
    for (name, spec) in &variation.nodes {
        problems.extend(own(spec, spans, &format!("{path}.nodes.{name}")));
    }
    for (name, fault) in &variation.faults {
        problems.extend(timing(fault, draft, spans, &format!("{path}.faults.{name}")));
    }
    problems
}

/// Addresses of nodes that this variant does not have.
fn dangling(variant: &Variant, nodes: &[String], spans: &Spans, path: &str) -> Vec<Problem> {
    let missing = |id: NodeId| variant.nodes.get(id.index()).is_none_or(Option::is_none);
    let problem = |what: String, id: NodeId, here: &str| {
        let name = nodes.get(id.index()).map_or("?", String::as_str);
        let title = format!("{what} `{name}`, which {} does not have", variant.name);
        at(spans, here).title(title).label("in this variant")
    };
    let mut problems = Vec::new();
    for (name, spec) in nodes.iter().zip(&variant.nodes) {
        let edges = spec.iter().flat_map(Spec::edges).filter(|edge| missing(edge.to));
        problems.extend(edges.map(|edge| problem(format!("`{name}` calls"), edge.to, path)));
    }
    for (name, fault) in &variant.faults {
        let node = match &fault.what {
            Injection::Crash { node, .. } => Some(*node),
            other => other.node(),
        };
        problems.extend(
            node.filter(|id| missing(*id))
                .map(|id| problem(format!("the fault `{name}` is about"), id, path)),
        );
    }
    problems
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
    fn an_invariant_about_a_system_at_rest_wants_a_quiet_phase() {
        let settled = "invariants: {\"i\": Settled(node: \"shop\")}, expect:";
        let text = SHOP.replace("expect:", settled);
        assert!(read(&text).is_ok());
        let complaint = read(&text.replace(", quiet: \"5s\"", "")).unwrap_err();
        assert!(complaint.contains("no quiet phase"), "{complaint}");
    }
}
