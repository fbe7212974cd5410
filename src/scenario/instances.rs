//! From one description to many nodes: an address and its instances get their places.
//!
//! Every name must be known before a scenario is read, and how many instances an address has may
//! differ from variant to variant. So each address gets as many places as the most that any variant
//! asks for, right behind its own, and a variant leaves those empty that it does not use.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::source::Source;
use super::spans::{Node, Spans};
use super::{Group, Variant};
use crate::engine::NodeId;
use crate::patterns::{Instances, Spec};
use crate::world::{LinkSpec, NetworkSpec};

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
    set: BTreeMap<String, String>,
}

/// The names of all nodes that any variant has, each address before its instances.
pub(super) fn roster(source: &Source) -> Vec<String> {
    let mut counts = BTreeMap::new();
    // Where even the outline cannot be read, reading the whole says why.
    let outline: Outline = source.parse().unwrap_or_default();
    enlist(source, &outline, &mut counts);
    for sketch in outline.variants.iter().filter(|sketch| !sketch.set.is_empty()) {
        let spliced =
            sketch.set.iter().try_fold(source.clone(), |text, (path, value)| text.set(path, value));
        let Ok(text) = spliced else { continue };
        enlist(&text, &text.parse().unwrap_or_default(), &mut counts);
    }
    let names = counts.into_iter().flat_map(|(name, count)| {
        let instances = (1..=count).map(|number| Instances::name(&name, number));
        let instances: Vec<String> = instances.collect();
        std::iter::once(name).chain(instances)
    });
    names.collect()
}

/// Adds the nodes of one text, with the number of instances of those that are addresses.
fn enlist(source: &Source, outline: &Outline, counts: &mut BTreeMap<String, u32>) {
    let spans = source.spans();
    let varied = outline.variants.iter().enumerate();
    let varied = varied.map(|(place, sketch)| (format!("variants.{place}.nodes"), &sketch.nodes));
    for (path, nodes) in std::iter::once(("nodes".to_owned(), &outline.nodes)).chain(varied) {
        for name in nodes.keys() {
            let count = places(source.text(), &spans, &format!("{path}[{name:?}]"));
            let most = counts.entry(name.clone()).or_default();
            *most = count.max(*most);
        }
    }
}

/// How many instances the node at `path` has: none if it is no address.
fn places(text: &str, spans: &Spans, path: &str) -> u32 {
    let written = |path: &str| spans.find(path).map(|id| spans.node(id));
    let name = written(path).and_then(|node| node.written_name(text));
    if name != Some("Instances") {
        return 0;
    }
    let number = |field: &str| {
        let value = written(&format!("{path}.{field}")).map(Node::value)?;
        text[value].replace('_', "").parse::<u32>().ok()
    };
    let most = number("count").max(number("max"));
    most.unwrap_or(0).min(Instances::COUNT_MAX)
}

/// Puts the nodes of a variant in their places: every instance for itself, behind its address.
pub(super) fn placed(
    names: &[String],
    mut nodes: BTreeMap<String, Spec>,
) -> (Vec<Option<Spec>>, Vec<Group>) {
    let (mut places, mut groups) = (vec![None; names.len()], Vec::new());
    for (place, name) in names.iter().enumerate() {
        match nodes.remove(name) {
            Some(Spec::Instances(spec)) => {
                let after = place + 1..names.len();
                let members: Vec<NodeId> = after
                    .take(spec.capacity() as usize)
                    .map(|place| NodeId(place as u32))
                    .collect();
                for member in &members {
                    places[member.index()] = Some((*spec.of).clone());
                }
                groups.push(Group { address: NodeId(place as u32), members, spec });
            }
            Some(spec) => places[place] = Some(spec),
            None => {}
        }
    }
    (places, groups)
}

/// The network with every address replaced by its instances, and these in their zones.
pub(super) fn connected(mut network: NetworkSpec, groups: &[Group]) -> NetworkSpec {
    let members = |id: NodeId| match groups.iter().find(|group| group.address == id) {
        Some(group) => group.members.clone(),
        None => vec![id],
    };
    for zone in &mut network.zones {
        zone.nodes = zone.nodes.iter().flat_map(|id| members(*id)).collect();
        for group in groups.iter().filter(|group| !group.spec.zones.is_empty()) {
            let spread = group.members.iter().zip(group.spec.zones.iter().cycle());
            zone.nodes.extend(spread.filter(|(_, name)| **name == zone.name).map(|(id, _)| *id));
        }
    }
    for host in &mut network.hosts {
        host.nodes = host.nodes.iter().flat_map(|id| members(*id)).collect();
    }
    for card in &mut network.cards {
        card.nodes = card.nodes.iter().flat_map(|id| members(*id)).collect();
    }
    let pairs = |link: &LinkSpec| -> Vec<LinkSpec> {
        let ends = members(link.from).into_iter().flat_map(|from| {
            members(link.to).into_iter().map(move |to| (from, to)).collect::<Vec<_>>()
        });
        ends.map(|(from, to)| LinkSpec { from, to, ..link.clone() }).collect()
    };
    network.links = network.links.iter().flat_map(pairs).collect();
    network
}

impl Variant {
    /// The group of this address, if it stands for several nodes.
    pub fn group(&self, address: NodeId) -> Option<&Group> {
        self.groups.iter().find(|group| group.address == address)
    }

    /// The group that a node is an instance of.
    pub fn group_of(&self, node: NodeId) -> Option<&Group> {
        self.groups.iter().find(|group| group.members.contains(&node))
    }

    /// Is there a node, or an address, of this number?
    pub fn has(&self, id: NodeId) -> bool {
        self.nodes.get(id.index()).is_some_and(Option::is_some) || self.group(id).is_some()
    }
}
