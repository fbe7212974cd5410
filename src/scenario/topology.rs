//! The topology of a variant: who speaks to whom, and what that alone already tells.
//!
//! A node without which a client cannot reach something it otherwise would is a single point of
//! failure: it dominates what it cuts off, seen from the clients. A cycle of synchronous calls
//! waits for itself. Both can be known before anything is simulated.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use petgraph::algo::{dominators, tarjan_scc};
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::{Dfs, EdgeRef};

use super::{Scenario, Variant};
use crate::engine::NodeId;
use crate::patterns::{CATALOGUE, Spec};
use crate::world::Way;

/// A node in the topology.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
    /// How many nodes it stands for: instances behind one address are one place.
    pub count: usize,
}

impl Place {
    /// Its kind, and how often it is there: `Service ×4`.
    fn label(&self) -> String {
        match self.count {
            1 => self.kind.to_owned(),
            count => format!("{} ×{count}", self.kind),
        }
    }
}

/// A node whose loss cuts clients off from others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SinglePoint {
    /// Its name.
    pub node: String,
    /// The clients that are cut off.
    pub clients: Vec<String>,
    /// What else is then out of their reach; nothing if it is all that they reach.
    pub cuts_off: Vec<String>,
}

/// Who speaks to whom in a variant.
#[derive(Clone, Debug)]
pub struct Topology {
    /// The variant's name.
    name: String,
    /// The weight of an edge says whether the caller waits for the answer.
    graph: DiGraph<Place, bool>,
    clients: Vec<NodeIndex>,
}

impl Topology {
    /// The topology of a variant.
    pub fn of(scenario: &Scenario, variant: &Variant) -> Topology {
        let mut graph = DiGraph::new();
        let mut of_node: Vec<Option<NodeIndex>> = vec![None; scenario.names.len()];
        let mut clients = Vec::new();
        let mut specs = Vec::new();
        for (number, name) in scenario.names.iter().enumerate() {
            let id = NodeId(number as u32);
            let group = variant.group(id);
            let (spec, count) = match (&variant.nodes[number], group) {
                (_, Some(group)) => (&*group.spec.of, group.spec.count as usize),
                (Some(spec), None) if of_node[number].is_none() => (spec, 1),
                _ => continue,
            };
            let place = graph.add_node(Place { name: name.clone(), kind: spec.kind(), count });
            let members = group.map_or(&[][..], |group| &group.members);
            for id in members.iter().chain([&id]) {
                of_node[id.index()] = Some(place);
            }
            if matches!(spec, Spec::Client(_)) {
                clients.push(place);
            }
            specs.push((place, spec));
        }
        let at = |id: NodeId| of_node.get(id.index()).copied().flatten();
        for (from, spec) in specs {
            let edges = spec.edges().into_iter();
            let edges: BTreeSet<(NodeIndex, Way)> =
                edges.filter_map(|edge| Some((at(edge.to)?, edge.way))).collect();
            for (to, way) in edges {
                let (from, to) = if way == Way::Fetch { (to, from) } else { (from, to) };
                graph.add_edge(from, to, way == Way::Call);
            }
        }
        Topology { name: variant.name.clone(), graph, clients }
    }

    /// Every node, in the order of names.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        self.graph.node_weights()
    }

    /// How many descriptions of nodes there are, clients included.
    pub fn nodes(&self) -> usize {
        self.graph.node_count()
    }

    /// How many of them are no clients.
    pub fn servers(&self) -> usize {
        self.nodes() - self.clients.len()
    }

    /// How many nodes there are, every instance and every client counted.
    pub fn instances(&self) -> usize {
        self.graph.node_weights().map(|place| place.count).sum()
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

    /// Is it a single node, so that nobody stands in for it?
    fn is_one(&self, place: NodeIndex) -> bool {
        self.graph[place].count == 1
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

    /// Only the calls: edges on which the caller waits.
    fn calls(&self) -> DiGraph<Place, bool> {
        let mut calls = self.graph.clone();
        calls.retain_edges(|graph, edge| graph[edge]);
        calls
    }

    /// Circles of calls, each a path whose last node calls its first: who waits there waits for
    /// itself. Every node of such a circle is in at least one of them.
    pub fn cycles(&self) -> Vec<Vec<String>> {
        let calls = self.calls();
        let mut covered = BTreeSet::new();
        let mut cycles = Vec::new();
        for place in calls.node_indices() {
            if covered.contains(&place) {
                continue;
            }
            if let Some(path) = circle(&calls, place) {
                cycles.push(path.iter().map(|place| self.name(*place).to_owned()).collect());
                covered.extend(path);
            }
        }
        cycles
    }

    /// The nodes whose loss cuts some client off from something else that it reaches, or leaves it
    /// with nothing at all.
    pub fn single_points(&self) -> Vec<SinglePoint> {
        let mut lost: BTreeMap<NodeIndex, (BTreeSet<NodeIndex>, BTreeSet<NodeIndex>)> =
            BTreeMap::new();
        for &client in &self.clients {
            let tree = dominators::simple_fast(&self.graph, client);
            let reached = self.reached_from(client);
            for &other in reached.iter().filter(|other| **other != client) {
                let above = tree.strict_dominators(other).into_iter().flatten();
                let is_point = |place: &NodeIndex| !self.is_client(*place) && self.is_one(*place);
                let on_the_way = above.filter(is_point);
                let only = (reached.len() == 2 && is_point(&other)).then_some(other);
                for point in on_the_way.chain(only) {
                    let (clients, cut) = lost.entry(point).or_default();
                    clients.insert(client);
                    cut.extend((point != other).then_some(other));
                }
            }
        }
        let names = |places: BTreeSet<NodeIndex>| -> Vec<String> {
            places.into_iter().map(|place| self.name(place).to_owned()).collect()
        };
        let point = |(place, (clients, cut))| SinglePoint {
            node: self.name(place).to_owned(),
            clients: names(clients),
            cuts_off: names(cut),
        };
        lost.into_iter().map(point).collect()
    }

    /// How many calls the longest chain of calls from a client has, each waiting for the next.
    pub fn depth(&self) -> usize {
        self.longest_chain().len().saturating_sub(1)
    }

    /// The longest chain of calls from a client, by name. Which path through a circle is longest
    /// cannot be found in reasonable time, so a circle counts with all of its nodes.
    pub fn longest_chain(&self) -> Vec<String> {
        let calls = self.calls();
        // Groups come in an order in which callees stand before their callers.
        let groups = tarjan_scc(&calls);
        let mut group_of = vec![0; calls.node_count()];
        let mut longest: Vec<(usize, Option<usize>)> = Vec::new();
        for (number, group) in groups.iter().enumerate() {
            group.iter().for_each(|place| group_of[place.index()] = number);
            let mut best = (0, None);
            for place in group {
                for callee in calls.neighbors(*place).map(|callee| group_of[callee.index()]) {
                    if callee != number && longest[callee].0 > best.0 {
                        best = (longest[callee].0, Some(callee));
                    }
                }
            }
            longest.push((best.0 + group.len(), best.1));
        }
        let starts = self.clients.iter().map(|client| group_of[client.index()]);
        // Of equally long chains the one of the first client.
        let mut next = starts.rev().max_by_key(|start| longest[*start].0);
        let mut chain = Vec::new();
        while let Some(group) = next {
            let mut members = groups[group].clone();
            members.sort();
            chain.extend(members.into_iter().map(|place| self.name(place).to_owned()));
            next = longest[group].1;
        }
        chain
    }

    /// For Graphviz.
    pub fn dot(&self) -> String {
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        let mut text = format!("digraph \"{}\" {{\n", quoted(&self.name));
        text += "    rankdir=LR;\n    node [fontname=\"sans-serif\"];\n";
        for place in self.graph.node_weights() {
            let (name, kind) = (&place.name, place.label());
            let look = match look(place.kind) {
                Look::Client => "shape=box, style=rounded",
                Look::Store => "shape=cylinder",
                Look::Pattern => "shape=box, style=filled, fillcolor=\"#dbe7ff\"",
                Look::Service => "shape=box",
            };
            let name = quoted(name);
            text += &format!("    \"{name}\" [label=\"{name}\\n{kind}\", {look}];\n");
        }
        for edge in self.graph.edge_references() {
            let (from, to) = (self.name(edge.source()), self.name(edge.target()));
            let style = if *edge.weight() { "" } else { " [style=dashed]" };
            text += &format!("    \"{}\" -> \"{}\"{style};\n", quoted(from), quoted(to));
        }
        text + "}\n"
    }

    /// For Mermaid, which many Markdown viewers draw.
    pub fn mermaid(&self) -> String {
        let quoted = |text: &str| text.replace('#', "#35;").replace('"', "#quot;");
        let mut text = format!("---\ntitle: {:?}\n---\nflowchart LR\n", quoted(&self.name));
        let mut patterns = Vec::new();
        for place in self.graph.node_indices() {
            let (id, kind) = (place.index(), self.graph[place].kind);
            let (name, label) = (&self.graph[place].name, self.graph[place].label());
            let (open, close) = match look(kind) {
                Look::Client => ("([", "])"),
                Look::Store => ("[(", ")]"),
                Look::Pattern => ("[[", "]]"),
                Look::Service => ("[", "]"),
            };
            // Numbers for ids: `end` is a word of Mermaid, and a dash may belong to an arrow.
            text += &format!("    n{id}{open}\"{}<br/>{label}\"{close}\n", quoted(name));
            if look(kind) == Look::Pattern {
                patterns.push(format!("n{id}"));
            }
        }
        for edge in self.graph.edge_references() {
            let arrow = if *edge.weight() { "-->" } else { "-.->" };
            text += &format!("    n{} {arrow} n{}\n", edge.source().index(), edge.target().index());
        }
        if !patterns.is_empty() {
            text += "    classDef pattern fill:#dbe7ff,stroke:#3b6fd4,color:#111\n";
            text += &format!("    class {} pattern\n", patterns.join(","));
        }
        text
    }
}

/// The shortest way from a node back to itself, without its repetition at the end.
fn circle(calls: &DiGraph<Place, bool>, start: NodeIndex) -> Option<Vec<NodeIndex>> {
    let mut from: BTreeMap<NodeIndex, NodeIndex> = BTreeMap::new();
    let mut waiting = VecDeque::from([start]);
    while let Some(place) = waiting.pop_front() {
        let mut callees: Vec<NodeIndex> = calls.neighbors(place).collect();
        callees.sort();
        for callee in callees {
            if callee == start {
                let mut path = vec![place];
                while let Some(before) = from.get(&path[path.len() - 1]) {
                    path.push(*before);
                }
                path.reverse();
                return Some(path);
            }
            if let Entry::Vacant(unseen) = from.entry(callee) {
                unseen.insert(place);
                waiting.push_back(callee);
            }
        }
    }
    None
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Client,
    Service,
    Store,
    Pattern,
}

fn look(kind: &str) -> Look {
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
        let only = SinglePoint {
            node: "a".into(),
            clients: vec!["users".into()],
            cuts_off: vec!["b".into(), "c".into(), "d".into()],
        };
        assert_eq!(topology.single_points(), [only], "b and c stand in for each other");
        assert_eq!((topology.depth(), topology.edges(), topology.nodes()), (3, 5, 5));
        assert!(topology.cycles().is_empty() && topology.unreachable().is_empty());
    }

    #[test]
    fn all_that_a_client_has_is_a_single_point_of_failure() {
        let only =
            SinglePoint { node: "a".into(), clients: vec!["users".into()], cuts_off: Vec::new() };
        assert_eq!(topology(&service("a", &[])).single_points(), [only]);
    }

    #[test]
    fn one_client_is_cut_off_although_another_has_a_way_round() {
        let other = "\"other\": Client(target: \"c\", operation: \"go\", \
                     load: Poisson(rate: \"1/s\")),";
        let nodes = service("a", &["b"]) + &service("b", &["d"]) + &service("c", &["d", "b"]);
        let topology = topology(&(nodes + &service("d", &[]) + other));
        let points = topology.single_points();
        let seen: Vec<(&str, String, String)> = points
            .iter()
            .map(|point| (&point.node[..], point.clients.join(" "), point.cuts_off.join(" ")))
            .collect();
        let owned = |node, clients: &str, cut: &str| (node, clients.to_owned(), cut.to_owned());
        let expected =
            [owned("a", "users", "b d"), owned("b", "users", "d"), owned("c", "other", "b d")];
        assert_eq!(seen, expected);
    }

    #[test]
    fn calls_in_a_circle_and_nodes_that_nobody_calls_are_found() {
        let nodes = service("a", &["b", "c"])
            + &service("b", &["a"])
            + &service("c", &["d"])
            + &service("d", &["c", "b"])
            + &service("self", &["self"])
            + &service("lonely", &["b"]);
        let topology = topology(&nodes);
        let circles: Vec<String> = topology.cycles().iter().map(|path| path.join(" ")).collect();
        assert_eq!(circles, ["a b", "c d", "self"]);
        assert_eq!(topology.unreachable(), ["lonely", "self"]);
        assert_eq!(topology.longest_chain(), ["users", "a", "b", "c", "d"]);
    }

    #[test]
    fn the_longest_chain_is_found_where_paths_are_beyond_counting() {
        let mut nodes = service("a", &["l00", "r00"]);
        for level in 0..60 {
            let below = [format!("l{:02}", level + 1), format!("r{:02}", level + 1)];
            let calls: &[&str] = if level < 59 { &[&below[0], &below[1]] } else { &[] };
            nodes += &service(&format!("l{level:02}"), calls);
            nodes += &service(&format!("r{level:02}"), calls);
        }
        assert_eq!(topology(&nodes).depth(), 61);
    }

    #[test]
    fn it_draws_itself() {
        let saga = "\"a\": Saga(steps: [(service: \"b-c\", action: \"go\")]),";
        let keeps = "\"b-c\": Service(store: \"b_c\", operations: {\"go\": ()}),";
        let topology = topology(&(saga.to_owned() + keeps + "\"b_c\": Store(),"));
        assert_eq!(topology.dot(), DOT);
        assert_eq!(topology.mermaid(), MERMAID);
    }

    const DOT: &str = r##"digraph "as described" {
    rankdir=LR;
    node [fontname="sans-serif"];
    "a" [label="a\nSaga", shape=box, style=filled, fillcolor="#dbe7ff"];
    "b-c" [label="b-c\nService", shape=box];
    "b_c" [label="b_c\nStore", shape=cylinder];
    "users" [label="users\nClient", shape=box, style=rounded];
    "a" -> "b-c";
    "b-c" -> "b_c";
    "users" -> "a";
}
"##;

    const MERMAID: &str = r##"---
title: "as described"
---
flowchart LR
    n0[["a<br/>Saga"]]
    n1["b-c<br/>Service"]
    n2[("b_c<br/>Store")]
    n3(["users<br/>Client"])
    n0 --> n1
    n1 --> n2
    n3 --> n0
    classDef pattern fill:#dbe7ff,stroke:#3b6fd4,color:#111
    class n0 pattern
"##;
}
