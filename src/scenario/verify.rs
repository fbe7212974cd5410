//! What types cannot say: whether the values of a scenario make sense together.

use super::diagnose::Problem;
use super::load::{Draft, Variation};
use super::spans::Spans;
use super::{Expectation, Invariant, Variant};
use crate::engine::NodeId;
use crate::patterns::Spec;
use crate::world::{FaultSpec, Injection, NetworkSpec};

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
pub(super) fn base(draft: &Draft, nodes: &[String], spans: &Spans) -> Vec<Problem> {
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
pub(super) fn dangling(
    variant: &Variant,
    nodes: &[String],
    spans: &Spans,
    path: &str,
) -> Vec<Problem> {
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
