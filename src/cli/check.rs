//! `check` and `graph`: what a scenario's topology tells before anything is simulated.

use super::args::Drawing;
use stormglass::scenario::topology::Topology;
use stormglass::scenario::{Scenario, Variant};

fn chosen<'s>(
    scenario: &'s Scenario,
    names: &'s [String],
) -> impl Iterator<Item = &'s Variant> + use<'s> {
    let is_chosen = |variant: &&Variant| names.is_empty() || names.contains(&variant.name);
    scenario.variants.iter().filter(is_chosen)
}

/// What there is, and what stands out.
pub fn check(scenario: &Scenario, names: &[String]) -> String {
    let phases = &scenario.phases;
    let mut text = format!(
        "{}: {}\n{} of load, then {} of quiet; {} invariants, {} expectations\n",
        scenario.path,
        scenario.title,
        phases.load,
        phases.quiet,
        scenario.invariants.len(),
        scenario.expect.len(),
    );
    for variant in chosen(scenario, names) {
        text += &format!("\n{}\n", variant.name);
        let topology = Topology::of(scenario, variant);
        text += &format!(
            "  {} nodes, {} edges ({} asynchronous), {} calls deep, {} faults\n",
            topology.nodes(),
            topology.edges(),
            topology.asynchronous_edges(),
            topology.depth(),
            variant.faults.len(),
        );
        for point in topology.single_points() {
            let cut = point.cuts_off.join(", ");
            text += &format!("  single point of failure: {} (cuts off {cut})\n", point.node);
        }
        for cycle in topology.cycles() {
            let names = cycle.join(", ");
            text += &format!("  warning: calls in a circle wait for one another: {names}\n");
        }
        for name in topology.unreachable() {
            text += &format!("  warning: no client reaches {name}\n");
        }
    }
    text
}

/// The topology of each chosen variant, drawn; without a choice that of the first.
pub fn graph(scenario: &Scenario, names: &[String], drawing: Drawing) -> String {
    let all: Vec<&Variant> = chosen(scenario, names).collect();
    let wanted = if names.is_empty() { &all[..all.len().min(1)] } else { &all[..] };
    let draw = |variant: &&Variant| {
        let topology = Topology::of(scenario, variant);
        match drawing {
            Drawing::Dot => format!("// {}\n{}", variant.name, topology.dot()),
            Drawing::Mermaid => format!("%% {}\n{}", variant.name, topology.mermaid()),
        }
    };
    wanted.iter().map(draw).collect::<Vec<_>>().join("\n")
}
