//! What types cannot say: whether the values of a scenario make sense together.
//!
//! Whatever has values says itself what is wrong with them and where it has them (`Flaw`); here
//! that becomes a problem with a place. What depends on other values is looked at in the base
//! (`base`) or, if it may differ between variants, in each of them (`variant`).

mod faults;
mod fit;
mod idle;
mod places;
mod queues;
mod variant;

use super::diagnose::Problem;
use super::load::{Draft, Variation};
use super::spans::{Node, Shape};
use super::{Expectation, Invariant, instances};
use crate::engine::{NodeId, Span};
use crate::patterns::Spec;
use crate::world::{FaultSpec, Flaw, Injection, NetworkSpec};
pub(super) use faults::counted;
pub(super) use places::Places;
pub(super) use variant::variant;

/// A price is a finite amount, and nothing is paid for using something.
fn prices(draft: &Draft, places: Places<'_>) -> Vec<Problem> {
    let Some(prices) = &draft.prices else { return Vec::new() };
    let all = [
        ("node_hour", prices.node_hour),
        ("cpu_hour", prices.cpu_hour),
        ("gibibyte", prices.gibibyte),
        ("million_writes", prices.million_writes),
    ];
    let odd = all.into_iter().filter(|(_, price)| !(0.0..=1e12).contains(price));
    let problem = |(field, price): (&str, f64)| {
        let title = format!("{price:?} is no price");
        places.at(&format!("prices.{field}")).title(title).label("from 0 to 1e12")
    };
    odd.map(problem).collect()
}

/// A run that may take no event ends before it begins.
fn limit(draft: &Draft, places: Places<'_>) -> Option<Problem> {
    let problem = || places.at("events_max").title("`events_max` must be at least 1");
    (draft.events_max == 0).then(|| problem().label("a run of no events ends before it begins"))
}

/// What types cannot say, of the base.
pub(super) fn base(draft: &Draft, places: Places<'_>) -> Vec<Problem> {
    if draft.run.load.is_zero() {
        // Whatever is dated would be refused as well.
        let problem = places.at("run.load").title("the load must last longer than 0 s");
        return vec![problem.label("nothing would be asked")];
    }
    let mut problems = Vec::new();
    problems.extend(phases(draft, places));
    problems.extend(prices(draft, places));
    problems.extend(limit(draft, places));
    problems.extend(names(draft, places));
    let (_, groups) = instances::placed(places.nodes, draft.nodes.clone());
    let connected = instances::connected(draft.network.clone(), &groups);
    problems.extend(network(&connected, places, "network"));
    for (name, spec) in &draft.nodes {
        problems.extend(own(spec, places, &format!("nodes.{name}")));
    }
    let clocks = draft.clocks.problem();
    problems.extend(clocks.map(|flaw| places.flaw("clocks", flaw, "description of clocks")));
    for (place, budget) in draft.budgets.iter().enumerate() {
        let path = format!("budgets.{place}");
        problems.extend(budget.problem().map(|flaw| places.flaw(&path, flaw, "budget")));
    }
    for (name, fault) in &draft.faults {
        let path = format!("faults.{name}");
        problems.extend(timing(fault, draft, places, &path));
        problems.extend(injected(&fault.what, &draft.network, places, &path));
    }
    problems.extend(swarm(draft, places));
    for (name, invariant) in &draft.invariants {
        problems.extend(rest(invariant, draft, places, &format!("invariants.{name}")));
    }
    for (place, one) in draft.variants.iter().enumerate() {
        problems.extend(variation(draft, one, places, place));
    }
    for (name, measure) in &draft.measures {
        let path = format!("measures.{name}");
        if name.trim().is_empty() || name.chars().any(char::is_control) {
            let title = format!("`{}` is no name for a measure", name.escape_debug());
            problems.push(places.at(&path).title(title).label("a name is one line of text"));
        }
        let flaw = measure.placed().into_iter().find_map(|(way, part)| {
            Some(places.flaw(&format!("{path}{way}"), part.problem(&draft.run)?, "measure"))
        });
        problems.extend(flaw);
    }
    problems.extend(case(draft, places));
    for (place, expectation) in draft.expect.iter().enumerate() {
        problems.extend(expected(draft, expectation, places, &format!("expect.{place}")));
    }
    problems
}

/// The phases of the run.
fn phases(draft: &Draft, places: Places<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let label = format!("the load lasts {}", draft.run.load);
    if draft.run.warmup.unwrap_or_default() >= draft.run.load {
        let title = "the warm-up leaves nothing to measure";
        problems.push(places.at("run.warmup").title(title).label(label));
    }
    let (opens, closes) = draft.run.faults.unwrap_or((Span::ZERO, draft.run.load));
    if opens >= closes || closes > draft.run.load {
        let label = format!("from first to last, within the load of {}", draft.run.load);
        let title = "this is no window for faults";
        problems.push(places.at("run.faults").title(title).label(label));
    }
    problems
}

/// There is a client, and nodes have names that can be told apart from all else.
fn names(draft: &Draft, places: Places<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !draft.nodes.values().any(|spec| matches!(spec, Spec::Client(_))) {
        let title = "nobody makes a request: there is no Client among the nodes";
        problems.push(places.at("nodes").title(title).label("add a Client"));
    }
    let varied = draft.variants.iter().flat_map(|variation| variation.nodes.keys());
    for name in draft.nodes.keys().chain(varied) {
        let ordinary = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || !name.chars().all(ordinary) {
            let title = format!("`{name}` is no name for a node");
            let problem = places.at(&format!("nodes.{name}")).title(title);
            problems.push(problem.label("letters, digits, `-` and `_` only"));
        }
    }
    problems
}

/// Swarm mode is on, off, or has bounds that leave something to draw.
fn swarm(draft: &Draft, places: Places<'_>) -> Option<Problem> {
    let written = places.spans.find("swarm").map(|id| places.spans.node(id));
    // RON does not tell a word from `()`, nor a map from a struct.
    let is_meant = |node: &Node| match (node.shape, node.written_name(places.text)) {
        (Shape::Map, _) => false,
        (Shape::Word, name) => matches!(name, Some("true" | "false")),
        (_, name) => matches!(name, None | Some("Swarm")),
    };
    if written.is_some_and(|node| !is_meant(node)) {
        let title = "swarm mode is on or off, or has bounds";
        let problem = places.at("swarm").title(title).label("not `true`, `false` or `(…)`");
        return Some(problem.help("such as `swarm: (share: \"50 %\", count: (1, 3))`"));
    }
    let flaw = draft.swarm.as_ref()?.problem()?;
    Some(places.flaw("swarm", flaw, "swarm"))
}

/// What a network says is wrong with it; and a node is in one zone and on one host at most.
fn network(network: &NetworkSpec, places: Places<'_>, path: &str) -> Vec<Problem> {
    let own = network.problems().into_iter();
    let mut problems: Vec<Problem> = own.map(|flaw| places.flaw(path, flaw, "network")).collect();
    let zones = network.zones.iter().map(|zone| (zone.name.as_str(), &zone.nodes[..]));
    problems.extend(twice(&zones.collect::<Vec<_>>(), places, (path, "zones", "in two zones")));
    let hosts = network.hosts.iter().map(|host| (host.name.as_str(), &host.nodes[..]));
    problems.extend(twice(&hosts.collect::<Vec<_>>(), places, (path, "hosts", "on two hosts")));
    problems
}

/// Nodes that two of these have, which are in this field of the network at `path`.
fn twice(
    all: &[(&str, &[NodeId])],
    places: Places<'_>,
    (path, field, is_there): (&str, &str, &str),
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (place, (other, members)) in all.iter().enumerate() {
        for id in *members {
            let first = all[..place].iter().find(|(_, members)| members.contains(id));
            problems.extend(first.map(|(one, _)| {
                let title = format!("`{}` is {is_there}, `{one}` and `{other}`", places.name(*id));
                places.at(&format!("{path}.{field}.{place}.nodes")).title(title).label("here too")
            }));
        }
    }
    problems
}

/// What is wrong with what a fault does.
fn injected(
    what: &Injection,
    net: &NetworkSpec,
    places: Places<'_>,
    path: &str,
) -> Option<Problem> {
    let path = format!("{path}.what");
    if let Some(flaw) = what.problem() {
        return Some(places.flaw(&path, flaw, "fault"));
    }
    if what.is_of_names() && net.names.is_none() {
        let title = "this fault is about a name service, and the network has none";
        let problem = places.at(&path).title(title).label("nobody asks for names");
        return Some(problem.help("give it one: `network: (names: ())`"));
    }
    let known: Vec<&str> = net.zones.iter().map(|zone| zone.name.as_str()).collect();
    let named = what.links().map(|links| links.zones()).unwrap_or_default();
    let unknown = named.into_iter().find(|zone| !known.contains(zone))?;
    let problem = places.at(&format!("{path}.links"));
    let problem = problem.title(format!("no zone is called `{unknown}`"));
    Some(problem.choose(unknown, &known, "the zones are"))
}

/// What must hold in the end needs an end at which the system has come to rest.
fn rest(invariant: &Invariant, draft: &Draft, places: Places<'_>, path: &str) -> Option<Problem> {
    let in_the_end = match invariant {
        Invariant::Atomic { .. }
        | Invariant::Truthful { .. }
        | Invariant::Settled { .. }
        | Invariant::Published { .. }
        | Invariant::Converged { .. } => true,
        Invariant::Once { .. }
        | Invariant::Conserved { .. }
        | Invariant::Exclusive { .. }
        | Invariant::Fenced { .. }
        | Invariant::Kept { .. }
        | Invariant::LogKept { .. }
        | Invariant::AtLeastOnce { .. }
        | Invariant::AtMostOnce { .. }
        | Invariant::InOrder { .. }
        | Invariant::Complete { .. }
        | Invariant::GroupAtLeastOnce { .. }
        | Invariant::GroupAtMostOnce { .. }
        | Invariant::GroupInOrder { .. } => false,
    };
    let title = "this invariant is about a system at rest, and the run has no quiet phase";
    (in_the_end && draft.run.quiet.is_zero()).then(|| {
        let problem = places.at(path).title(title).label("must hold in the end");
        problem.help("give the run some: `run: (load: …, quiet: \"30s\")`")
    })
}

/// A published result has figures.
fn case(draft: &Draft, places: Places<'_>) -> Option<Problem> {
    let flaw = draft.validates.as_ref()?.problem().or_else(|| {
        let label = "its figures are what is expected: add `expect: […]`";
        draft.expect.is_empty().then(|| Flaw::new("this reproduces nothing").label(label))
    });
    Some(places.flaw("validates", flaw?, "case"))
}

fn expected(draft: &Draft, one: &Expectation, places: Places<'_>, path: &str) -> Option<Problem> {
    if let Some(flaw) = one.problem() {
        return Some(places.flaw(path, flaw, "expectation"));
    }
    if one.published.is_some() && draft.validates.is_none() {
        let problem = places.at(&format!("{path}.published"));
        let problem = problem.title("this is no case that reproduces what was published");
        return Some(problem.label("it is told by `validate` only: say what it `validates`"));
    }
    let known: Vec<&str> = draft.variants.iter().map(|variant| variant.name.as_str()).collect();
    let named = [("variant", &one.variant), ("versus", &one.versus)].into_iter();
    let mut named = named.filter_map(|(field, name)| Some((field, name.as_ref()?)));
    let Some((field, name)) = named.find(|(_, name)| !known.contains(&name.as_str())) else {
        let alone = one.versus.is_some() && known.len() == 1;
        let title = "there is no other variant that could differ from this one";
        return alone
            .then(|| places.at(&format!("{path}.versus")).title(title).label("the only one"));
    };
    let problem = places.at(&format!("{path}.{field}"));
    let problem = problem.title(format!("no variant is called `{name}`"));
    Some(problem.choose(name, &known, "the variants are"))
}

/// What a node says is wrong with its own configuration.
fn own(spec: &Spec, places: Places<'_>, path: &str) -> Option<Problem> {
    let alone = || match spec {
        Spec::LogBroker(broker) => broker.unfit_for(1),
        _ => None,
    };
    Some(places.flaw(path, spec.problem().or_else(alone)?, spec.kind()))
}

fn timing(fault: &FaultSpec, draft: &Draft, places: Places<'_>, path: &str) -> Option<Problem> {
    Some(places.flaw(path, fault.problem(&draft.run.windows())?, "fault"))
}

/// What is wrong with a variant by itself.
fn variation(
    draft: &Draft,
    variation: &Variation,
    places: Places<'_>,
    place: usize,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let path = format!("variants.{place}");
    if draft.variants[..place].iter().any(|other| other.name == variation.name) {
        let title = format!("two variants are called `{}`", variation.name);
        problems.push(places.at(&format!("{path}.name")).title(title).label("the second"));
    }
    let base: Vec<&str> =
        draft.nodes.keys().chain(draft.faults.keys()).map(String::as_str).collect();
    for (index, name) in variation.without.iter().enumerate() {
        if !base.contains(&name.as_str()) {
            let path = format!("{path}.without.{index}");
            let title = format!("the base has no node and no fault called `{name}`");
            problems.push(places.at(&path).title(title).choose(name, &base, "they are"));
        }
    }
    let invariants: Vec<&str> = draft.invariants.keys().map(String::as_str).collect();
    for (index, name) in variation.breaks.iter().enumerate() {
        if !invariants.contains(&name.as_str()) {
            let path = format!("{path}.breaks.{index}");
            let title = format!("no invariant is called `{name}`");
            problems.push(places.at(&path).title(title).choose(name, &invariants, "they are"));
        }
    }
    for (name, spec) in &variation.nodes {
        problems.extend(own(spec, places, &format!("{path}.nodes.{name}")));
    }
    for (name, fault) in &variation.faults {
        let path = format!("{path}.faults.{name}");
        problems.extend(timing(fault, draft, places, &path));
        let net = variation.network.as_ref().unwrap_or(&draft.network);
        problems.extend(injected(&fault.what, net, places, &path));
    }
    if let Some(other) = &variation.network {
        problems.extend(network(other, places, &format!("{path}.network")));
    }
    problems
}

#[cfg(test)]
mod tests {
    use crate::scenario::load;
    use crate::scenario::source::{MINIMAL_SCENARIO, Source};

    #[test]
    fn a_price_is_finite_and_not_negative() {
        let open = MINIMAL_SCENARIO.trim_end().strip_suffix(')').expect("it is one value");
        for (price, fine) in [("0.05", true), ("0", true), ("-1", false), ("inf", false)] {
            let text = format!("{open}    prices: (node_hour: {price}),\n)");
            assert_eq!(load(&Source::new("priced.ron", &text)).is_ok(), fine, "{price}");
        }
    }
}
