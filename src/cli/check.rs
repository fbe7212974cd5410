//! `check` and `graph`: what a scenario tells before anything is simulated.

use super::args::Drawing;
use super::prose::{count, rows, wrapped};
use stormglass::scenario::topology::{SinglePoint, Topology};
use stormglass::scenario::{Scenario, Variant};

fn chosen<'s>(scenario: &'s Scenario, names: &[String]) -> Vec<&'s Variant> {
    let is_chosen = |variant: &&Variant| names.is_empty() || names.contains(&variant.name);
    scenario.variants.iter().filter(is_chosen).collect()
}

/// What there is, and what stands out in each chosen variant.
pub fn check(scenario: &Scenario, names: &[String], width: usize) -> String {
    let phases = &scenario.variants[0].phases;
    let quiet = match phases.quiet {
        quiet if quiet.is_zero() => String::new(),
        quiet => format!(", then {quiet} of quiet"),
    };
    let mut text = format!("{}: valid\n{}\n", scenario.path, wrapped(&scenario.title, 2, width));
    let judged = match (scenario.invariants.len(), scenario.expect.len()) {
        (0, 0) => "no invariants or expectations of its own".to_owned(),
        (kept, expected) => {
            format!("{}, {}", count(kept, "invariant"), count(expected, "expectation"))
        }
    };
    let variants = count(scenario.variants.len(), "variant");
    text += &format!("  {} of load{quiet}; {variants}, {judged}\n", phases.load);
    let mut told: Vec<(&str, String)> = Vec::new();
    for variant in chosen(scenario, names) {
        let found = findings(&Topology::of(scenario, variant), variant.faults.len(), width);
        text += &format!("\n{}\n", variant.name);
        match told.iter().find(|(_, known)| *known == found) {
            Some((same, _)) => text += &format!("  the same as {same}\n"),
            None => text += &found,
        }
        told.push((&variant.name, found));
    }
    text
}

/// What the topology of a variant tells.
fn findings(topology: &Topology, faults: usize, width: usize) -> String {
    let asynchronous = match topology.asynchronous_edges() {
        0 => String::new(),
        some => format!(" ({some} of them asynchronous)"),
    };
    let instances = match topology.instances() {
        all if all == topology.nodes() => String::new(),
        all => format!(" ({all} with every instance)"),
    };
    let mut lines = vec![format!(
        "{}{instances}, {}{asynchronous}, {}",
        count(topology.nodes(), "node"),
        count(topology.edges(), "edge"),
        count(faults, "fault"),
    )];
    let chain = topology.longest_chain().join(" → ");
    lines.push(format!("longest chain of calls: {chain} ({})", count(topology.depth(), "call")));
    for cycle in topology.cycles() {
        let path = cycle.join(" → ");
        lines.push(format!("warning: calls go in a circle: {path} → {}", cycle[0]));
    }
    for name in topology.unreachable() {
        lines.push(format!("warning: no client reaches {name}"));
    }
    let points = topology.single_points();
    let heading =
        if points.is_empty() { "no single point of failure" } else { "single points of failure:" };
    lines.push(heading.to_owned());
    let text: String = lines.iter().map(|line| hanging(line, width) + "\n").collect();
    let points: Vec<(String, String)> = points.into_iter().map(single_point).collect();
    text + &rows(points.iter().map(|(node, lost)| (node.as_str(), lost.as_str())), width)
}

/// A node, and what its loss means.
fn single_point(point: SinglePoint) -> (String, String) {
    let SinglePoint { node, clients, cuts_off } = point;
    let lost = if cuts_off.is_empty() { "everything".to_owned() } else { cuts_off.join(", ") };
    (format!("  {node}"), format!("cuts {} off from {lost}", clients.join(", ")))
}

/// Indented by two, and by four where it goes on.
fn hanging(text: &str, width: usize) -> String {
    wrapped(text, 4, width).split_off(2)
}

/// The topology of each chosen variant, drawn; without a choice that of the first.
pub fn graph(scenario: &Scenario, names: &[String], drawing: Drawing) -> String {
    let mut variants = chosen(scenario, names);
    variants.truncate(if names.is_empty() { 1 } else { variants.len() });
    let draw = |variant: &Variant| {
        let topology = Topology::of(scenario, variant);
        match drawing {
            Drawing::Dot => topology.dot(),
            Drawing::Mermaid => topology.mermaid(),
        }
    };
    variants.into_iter().map(draw).collect::<Vec<_>>().join("\n")
}
