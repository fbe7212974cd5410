//! The topology of a variant: who speaks to whom, and what that alone already tells.
//!
//! A node without which a client cannot reach something it otherwise would is a single point of
//! failure: it dominates what it cuts off, seen from the clients. A cycle of synchronous calls
//! waits for itself. Both can be known before anything is simulated.

use std::collections::BTreeSet;

use petgraph::algo::{dominators, tarjan_scc};
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::{Dfs, EdgeRef};

use super::{Scenario, Variant};
use crate::engine::NodeId;
use crate::patterns::{CATALOGUE, Spec};

/// A node in the topology.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
}

/// A node without which clients do not reach others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SinglePoint {
    /// Its name.
    pub node: String,
    /// What is then out of reach, by name.
    pub cuts_off: Vec<String>,
}

/// Who speaks to whom in a variant.
#[derive(Clone, Debug)]
pub struct Topology {
    /// The weight of an edge says whether the caller waits for the answer.
    graph: DiGraph<Place, bool>,
    clients: Vec<NodeIndex>,
}

impl Topology {
    /// The topology of a variant.
    pub fn of(scenario: &Scenario, variant: &Variant) -> Topology {
        let mut graph = DiGraph::new();
        let mut of_node: Vec<Option<NodeIndex>> = Vec::new();
        let mut clients = Vec::new();
        for (name, spec) in scenario.names.iter().zip(&variant.nodes) {
            let Some(spec) = spec else {
                of_node.push(None);
                continue;
            };
            let place = graph.add_node(Place { name: name.clone(), kind: spec.kind() });
            if matches!(spec, Spec::Client(_)) {
                clients.push(place);
            }
            of_node.push(Some(place));
        }
        let at = |id: NodeId| of_node.get(id.index()).copied().flatten();
        for (number, spec) in variant.nodes.iter().enumerate() {
            let (Some(spec), Some(from)) = (spec, at(NodeId(number as u32))) else { continue };
            let edges: BTreeSet<_> = spec.edges().into_iter().collect();
            for edge in edges {
                if let Some(to) = at(edge.to) {
                    graph.add_edge(from, to, edge.is_synchronous);
                }
            }
        }
        Topology { graph, clients }
    }

    /// Every node, in the order of names.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        self.graph.node_weights()
    }

    /// How many nodes there are, clients included.
    pub fn nodes(&self) -> usize {
        self.graph.node_count()
    }

    /// How many edges there are.
    pub fn edges(&self) -> usize {
        self.graph.edge_count()
    }

    /// On how many edges nobody waits for the answer.
    pub fn asynchronous_edges(&self) -> usize {
        self.graph.edge_weights().filter(|is_synchronous| !**is_synchronous).count()
    }

    fn name(&self, place: NodeIndex) -> &str {
        &self.graph[place].name
    }

    fn is_client(&self, place: NodeIndex) -> bool {
        self.clients.contains(&place)
    }

    fn reached_from(&self, client: NodeIndex) -> BTreeSet<NodeIndex> {
        let mut search = Dfs::new(&self.graph, client);
        let mut reached = BTreeSet::new();
        while let Some(place) = search.next(&self.graph) {
            reached.insert(place);
        }
        reached
    }

    /// Nodes that no client reaches, by name.
    pub fn unreachable(&self) -> Vec<String> {
        let reached: BTreeSet<_> =
            self.clients.iter().flat_map(|client| self.reached_from(*client)).collect();
        let missing = self.graph.node_indices().filter(|place| !reached.contains(place));
        missing.map(|place| self.name(place).to_owned()).collect()
    }

    /// Groups of nodes that wait for one another in a circle, by name.
    pub fn cycles(&self) -> Vec<Vec<String>> {
        let mut calls = self.graph.clone();
        calls.retain_edges(|graph, edge| graph[edge]);
        let loops = |group: &Vec<NodeIndex>| {
            group.len() > 1 || calls.find_edge(group[0], group[0]).is_some()
        };
        let mut cycles: Vec<Vec<String>> = tarjan_scc(&calls)
            .into_iter()
            .filter(loops)
            .map(|group| {
                let mut names: Vec<String> =
                    group.into_iter().map(|place| self.name(place).to_owned()).collect();
                names.sort();
                names
            })
            .collect();
        cycles.sort();
        cycles
    }

    /// The nodes whose loss cuts some client off from something else that it reaches, and from
    /// what.
    pub fn single_points(&self) -> Vec<SinglePoint> {
        let mut points = Vec::new();
        for place in self.graph.node_indices().filter(|place| !self.is_client(*place)) {
            let mut cut: BTreeSet<NodeIndex> = BTreeSet::new();
            for &client in &self.clients {
                let tree = dominators::simple_fast(&self.graph, client);
                let behind = |other: &NodeIndex| {
                    let mut above = tree.strict_dominators(*other).into_iter().flatten();
                    above.any(|dominator| dominator == place)
                };
                cut.extend(self.reached_from(client).into_iter().filter(behind));
            }
            if !cut.is_empty() {
                let cuts_off = cut.into_iter().map(|other| self.name(other).to_owned()).collect();
                points.push(SinglePoint { node: self.name(place).to_owned(), cuts_off });
            }
        }
        points
    }

    /// The longest chain of synchronous calls from a client, in calls; a circle counts once.
    pub fn depth(&self) -> usize {
        let mut path = Vec::new();
        self.clients.iter().map(|client| self.depth_from(*client, &mut path)).max().unwrap_or(0)
    }

    fn depth_from(&self, place: NodeIndex, path: &mut Vec<NodeIndex>) -> usize {
        path.push(place);
        let mut deepest = 0;
        for edge in self.graph.edges(place).filter(|edge| *edge.weight()) {
            if !path.contains(&edge.target()) {
                deepest = deepest.max(1 + self.depth_from(edge.target(), path));
            }
        }
        path.pop();
        deepest
    }

    /// For Graphviz.
    pub fn dot(&self) -> String {
        let mut text =
            "digraph {\n    rankdir=LR;\n    node [fontname=\"sans-serif\"];\n".to_owned();
        for place in self.graph.node_weights() {
            let look = match shape(place.kind) {
                Look::Client => "shape=box, style=rounded",
                Look::Store => "shape=cylinder",
                Look::Pattern => "shape=box, style=filled, fillcolor=\"#dbe7ff\"",
                Look::Service => "shape=box",
            };
            let Place { name, kind } = place;
            text += &format!("    \"{name}\" [label=\"{name}\\n{kind}\", {look}];\n");
        }
        for (from, to, is_synchronous) in self.named_edges() {
            let style = if is_synchronous { "" } else { " [style=dashed]" };
            text += &format!("    \"{from}\" -> \"{to}\"{style};\n");
        }
        text + "}\n"
    }

    /// For Mermaid, which many Markdown viewers draw.
    pub fn mermaid(&self) -> String {
        let mut text = "flowchart LR\n".to_owned();
        let id = |name: &str| name.replace('-', "_");
        for Place { name, kind } in self.graph.node_weights() {
            let (open, close) = match shape(kind) {
                Look::Client => ("([", "])"),
                Look::Store => ("[(", ")]"),
                Look::Pattern => ("[[", "]]"),
                Look::Service => ("[", "]"),
            };
            text += &format!("    n_{}{open}\"{name}<br/>{kind}\"{close}\n", id(name));
        }
        for (from, to, is_synchronous) in self.named_edges() {
            let arrow = if is_synchronous { "-->" } else { "-.->" };
            text += &format!("    n_{} {arrow} n_{}\n", id(from), id(to));
        }
        text
    }

    fn named_edges(&self) -> impl Iterator<Item = (&str, &str, bool)> {
        let name = |place| self.name(place);
        let edges = self.graph.edge_references();
        edges.map(move |edge| (name(edge.source()), name(edge.target()), *edge.weight()))
    }
}

enum Look {
    Client,
    Service,
    Store,
    Pattern,
}

fn shape(kind: &str) -> Look {
    match kind {
        "Client" => Look::Client,
        "Store" => Look::Store,
        _ if CATALOGUE.iter().any(|known| known.name == kind && known.is_pattern) => Look::Pattern,
        _ => Look::Service,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::load;
    use crate::scenario::source::Source;

    fn topology(nodes: &str) -> Topology {
        let users = r#""users": Client(target: "a", operation: "go", load: Poisson(rate: "1/s")),"#;
        let text =
            format!("Scenario(title: \"t\", run: (load: \"1s\"), nodes: {{{users} {nodes}}})");
        let scenario = load(&Source::new("t.ron", text)).unwrap();
        Topology::of(&scenario, &scenario.variants[0])
    }

    fn service(name: &str, calls: &[&str]) -> String {
        let calls: Vec<String> =
            calls.iter().map(|to| format!("(to: \"{to}\", operation: \"go\")")).collect();
        format!("\"{name}\": Service(operations: {{\"go\": (calls: [{}])}}),", calls.join(", "))
    }

    #[test]
    fn what_everything_goes_through_is_a_single_point_of_failure() {
        let nodes = service("a", &["b", "c"])
            + &service("b", &["d"])
            + &service("c", &["d"])
            + &service("d", &[]);
        let topology = topology(&nodes);
        let only =
            SinglePoint { node: "a".into(), cuts_off: vec!["b".into(), "c".into(), "d".into()] };
        assert_eq!(topology.single_points(), [only], "b and c stand in for each other");
        assert_eq!((topology.depth(), topology.edges(), topology.nodes()), (3, 5, 5));
        assert!(topology.cycles().is_empty() && topology.unreachable().is_empty());
    }

    #[test]
    fn calls_in_a_circle_and_nodes_that_nobody_calls_are_found() {
        let nodes = service("a", &["b"]) + &service("b", &["a"]) + &service("lonely", &["b"]);
        let topology = topology(&nodes);
        assert_eq!(topology.cycles(), [["a", "b"]]);
        assert_eq!(topology.unreachable(), ["lonely"]);
        assert_eq!(topology.depth(), 2, "a circle counts once");
    }

    #[test]
    fn it_draws_itself() {
        let topology = topology(&service("a", &[]));
        assert!(topology.dot().contains("\"users\" -> \"a\";"), "{}", topology.dot());
        assert!(topology.mermaid().contains("n_users --> n_a"), "{}", topology.mermaid());
    }
}
