//! Which links a fault of the network is about: the shapes that people know, and what they come to.

use serde::Deserialize;

use crate::engine::{NodeId, Rng};
use crate::world::flaw::Flaw;

/// Which links a network fault is about. A node that stands for several is all of them. What is
/// random is drawn from the fault's own stream each time it begins.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Targets {
    /// Every link.
    All,
    /// Every link from or to this node: isolate one.
    Around(NodeId),
    /// From any of the first to any of the second, and back.
    Between(Vec<NodeId>, Vec<NodeId>),
    /// From any of the first to any of the second, but not back.
    OneWay(Vec<NodeId>, Vec<NodeId>),
    /// Between the nodes of one zone and those of the other, and back.
    ///
    /// ```ron
    /// Zones("eu", "us")
    /// ```
    Zones(String, String),
    /// Every link between this zone and everything outside it.
    ///
    /// ```ron
    /// AroundZone("eu")
    /// ```
    AroundZone(String),
    /// One of these nodes, chosen at random, from the others of them.
    ///
    /// ```ron
    /// RandomNode(["shop", "bank"])
    /// ```
    RandomNode(Vec<NodeId>),
    /// The first half of these nodes from the second; of an odd number the first is the smaller.
    ///
    /// ```ron
    /// Halves(["shop", "bank"])
    /// ```
    Halves(Vec<NodeId>),
    /// As `Halves`, of the nodes in a random order: a minority and a majority if their number is
    /// odd.
    ///
    /// ```ron
    /// RandomHalves(["shop", "bank"])
    /// ```
    RandomHalves(Vec<NodeId>),
    /// A random minority of these nodes, of any size from one on, from the others.
    ///
    /// ```ron
    /// Minority(["shop", "bank", "mint"])
    /// ```
    Minority(Vec<NodeId>),
    /// Everyone sees a majority of these nodes, and no two the same: they stand in a ring in random
    /// order, and each sees its nearest neighbours only.
    ///
    /// ```ron
    /// MajorityRing(["shop", "bank", "mint", "post", "till"])
    /// ```
    MajorityRing(Vec<NodeId>),
    /// Two halves, in random order, that do not see each other, and one node between them that sees
    /// both.
    ///
    /// ```ron
    /// Bridge(["shop", "bank", "mint"])
    /// ```
    Bridge(Vec<NodeId>),
    /// So many groups, drawn at random, none of which sees another; each has a node at least.
    ///
    /// ```ron
    /// Groups(2, ["shop", "bank"])
    /// ```
    Groups(u32, Vec<NodeId>),
}

impl Targets {
    /// What is wrong with it, for the loader.
    pub fn problem(&self) -> Option<Flaw> {
        if let Targets::Between(left, right) | Targets::OneWay(left, right) = self {
            let is_empty = left.is_empty() || right.is_empty();
            return is_empty.then(|| Flaw::new("a side without nodes has no links"));
        }
        let (least, nodes) = self.shape()?;
        if matches!(self, Targets::Groups(0..=1, _)) {
            return Some(Flaw::new("a partition needs at least two groups"));
        }
        let twice = nodes.iter().enumerate().any(|(place, node)| nodes[..place].contains(node));
        match nodes.len() {
            // One address may stand for several nodes.
            1 => None,
            len if len < least => Some(too_few(least)),
            _ => twice.then(|| Flaw::new("a node stands twice in this list")),
        }
    }

    /// How many nodes a shape needs at least, and those that it is of.
    fn shape(&self) -> Option<(usize, &[NodeId])> {
        match self {
            Targets::All | Targets::Around(_) | Targets::Zones(..) | Targets::AroundZone(_) => None,
            Targets::Between(..) | Targets::OneWay(..) => None,
            Targets::RandomNode(nodes) | Targets::Halves(nodes) | Targets::RandomHalves(nodes) => {
                Some((2, nodes))
            }
            Targets::Minority(nodes) | Targets::Bridge(nodes) => Some((3, nodes)),
            Targets::MajorityRing(nodes) => Some((4, nodes)),
            Targets::Groups(count, nodes) => Some(((*count as usize).max(2), nodes)),
        }
    }

    /// What is wrong with it where it is known how many nodes each address stands for: a single
    /// node has no link to itself, and a shape needs its nodes.
    pub fn problem_among(&self, count: impl Fn(NodeId) -> usize) -> Option<Flaw> {
        if let Targets::Between(left, right) | Targets::OneWay(left, right) = self {
            let is_same = left.len() == 1 && left == right && count(left[0]) < 2;
            return is_same.then(|| Flaw::new("a node has no link to itself"));
        }
        let (least, nodes) = self.shape()?;
        let all: usize = nodes.iter().map(|node| count(*node)).sum();
        (all < least).then(|| too_few(least))
    }

    /// The nodes that it names.
    pub fn nodes(&self) -> Vec<NodeId> {
        match self {
            Targets::All | Targets::Zones(..) | Targets::AroundZone(_) => Vec::new(),
            Targets::Around(node) => vec![*node],
            Targets::Between(left, right) | Targets::OneWay(left, right) => {
                [&left[..], right].concat()
            }
            Targets::RandomNode(nodes)
            | Targets::Halves(nodes)
            | Targets::RandomHalves(nodes)
            | Targets::Minority(nodes)
            | Targets::MajorityRing(nodes)
            | Targets::Bridge(nodes)
            | Targets::Groups(_, nodes) => nodes.clone(),
        }
    }

    /// The zones that it names.
    pub fn zones(&self) -> Vec<&str> {
        match self {
            Targets::Zones(one, other) => vec![one, other],
            Targets::AroundZone(zone) => vec![zone],
            _ => Vec::new(),
        }
    }
}

fn too_few(least: usize) -> Flaw {
    Flaw::new(format!("this shape needs at least {least} nodes"))
}

/// The links that a fault is about while it is on.
#[derive(Clone, Debug, Default)]
pub(super) struct Reach {
    all: bool,
    /// Ordered, from and to.
    pairs: Vec<(NodeId, NodeId)>,
}

impl Reach {
    #[inline]
    pub fn covers(&self, from: NodeId, to: NodeId) -> bool {
        self.all || self.pairs.binary_search(&(from, to)).is_ok()
    }
}

/// What `targets` come to now. `several` tells what nodes an address stands for, `zone` what nodes
/// are in a zone; there are `all` nodes.
pub(super) fn reach(
    targets: &Targets,
    rng: &mut Rng,
    several: &dyn Fn(NodeId) -> Vec<NodeId>,
    zone: &dyn Fn(&str) -> Vec<NodeId>,
    all: u32,
) -> Reach {
    let spread = |nodes: &[NodeId]| -> Vec<NodeId> {
        nodes.iter().flat_map(|node| several(*node)).collect()
    };
    let mut shuffled = |nodes: &[NodeId]| {
        let mut nodes = spread(nodes);
        rng.shuffle(&mut nodes);
        nodes
    };
    let others = |few: &[NodeId]| -> Vec<NodeId> {
        (0..all).map(NodeId).filter(|node| !few.contains(node)).collect()
    };
    let halves = |nodes: &[NodeId]| {
        let (left, right) = nodes.split_at(nodes.len() / 2);
        apart(left, right)
    };
    let mut pairs = match targets {
        Targets::All => return Reach { all: true, pairs: Vec::new() },
        Targets::Around(node) => {
            let few = spread(&[*node]);
            // What an address stands for may also speak among itself.
            let within = across(&few, &few);
            [apart(&few, &others(&few)), within].concat()
        }
        Targets::Between(left, right) => apart(&spread(left), &spread(right)),
        Targets::OneWay(from, to) => across(&spread(from), &spread(to)),
        Targets::Zones(one, other) => apart(&zone(one), &zone(other)),
        Targets::AroundZone(name) => apart(&zone(name), &others(&zone(name))),
        Targets::RandomNode(nodes) => {
            let nodes = shuffled(nodes);
            apart(&nodes[..1.min(nodes.len())], &nodes[1.min(nodes.len())..])
        }
        Targets::Halves(nodes) => halves(&spread(nodes)),
        Targets::RandomHalves(nodes) => halves(&shuffled(nodes)),
        Targets::Minority(nodes) => {
            let nodes = shuffled(nodes);
            let most = (nodes.len().saturating_sub(1) / 2).max(1) as u64;
            let few = (1 + rng.below(most) as usize).min(nodes.len());
            apart(&nodes[..few], &nodes[few..])
        }
        Targets::MajorityRing(nodes) => ring(&shuffled(nodes)),
        Targets::Bridge(nodes) => {
            let nodes = shuffled(nodes);
            halves(&nodes[1.min(nodes.len())..])
        }
        Targets::Groups(count, nodes) => groups(&shuffled(nodes), *count as usize, rng),
    };
    pairs.sort_unstable();
    pairs.dedup();
    Reach { all: false, pairs }
}

/// From each of these to each of those.
fn across(from: &[NodeId], to: &[NodeId]) -> Vec<(NodeId, NodeId)> {
    from.iter().flat_map(|from| to.iter().map(move |to| (*from, *to))).collect()
}

/// And back.
fn apart(left: &[NodeId], right: &[NodeId]) -> Vec<(NodeId, NodeId)> {
    [across(left, right), across(right, left)].concat()
}

/// Each sees its neighbours in a ring, as many to the left as to the right, and with them a
/// majority: those further away are cut off.
fn ring(nodes: &[NodeId]) -> Vec<(NodeId, NodeId)> {
    let count = nodes.len();
    // With itself and `near` on either side it sees more than half of them.
    let near = (count / 2).div_ceil(2);
    let distance = |one: usize, other: usize| {
        let there = (other + count - one) % count;
        there.min(count - there)
    };
    let places = (0..count).flat_map(|one| (0..count).map(move |other| (one, other)));
    let far = places.filter(|(one, other)| distance(*one, *other) > near);
    far.map(|(one, other)| (nodes[one], nodes[other])).collect()
}

/// The first of them are one in each group, the others anywhere.
fn groups(nodes: &[NodeId], count: usize, rng: &mut Rng) -> Vec<(NodeId, NodeId)> {
    let place = |place: usize, rng: &mut Rng| match place < count {
        true => place,
        false => rng.below(count.max(1) as u64) as usize,
    };
    let groups: Vec<usize> = (0..nodes.len()).map(|index| place(index, rng)).collect();
    let pairs = across(nodes, nodes).into_iter().enumerate();
    let len = nodes.len().max(1);
    pairs
        .filter(|(index, _)| groups[index / len] != groups[index % len])
        .map(|(_, pair)| pair)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODES: [NodeId; 3] = [NodeId(0), NodeId(1), NodeId(2)];

    fn drawn(targets: &Targets, seed: u64, all: u32) -> Vec<(u32, u32)> {
        let zone = |name: &str| if name == "eu" { NODES[..2].to_vec() } else { vec![NODES[2]] };
        let reach = reach(targets, &mut Rng::new(seed, "cut"), &|node| vec![node], &zone, all);
        let pairs = (0..all).flat_map(|from| (0..all).map(move |to| (from, to)));
        let ours =
            pairs.filter(|(from, to)| from != to && reach.covers(NodeId(*from), NodeId(*to)));
        ours.collect()
    }

    #[test]
    fn targets_cover_the_links_that_they_say() {
        let [a, b, c] = NODES;
        let covered = |targets: Targets| drawn(&targets, 1, 3);
        assert_eq!(covered(Targets::All).len(), 6);
        assert_eq!(covered(Targets::Around(b)), [(0, 1), (1, 0), (1, 2), (2, 1)]);
        let between = [(0, 1), (0, 2), (1, 0), (2, 0)];
        assert_eq!(covered(Targets::Between(vec![a], vec![b, c])), between);
        assert_eq!(covered(Targets::OneWay(vec![a, b], vec![c])), [(0, 2), (1, 2)]);
        let zones = [(0, 2), (1, 2), (2, 0), (2, 1)];
        assert_eq!(covered(Targets::Zones("eu".into(), "us".into())), zones);
        assert_eq!(covered(Targets::AroundZone("us".into())), zones);
        assert_eq!(covered(Targets::Halves(vec![a, b, c])), between);
    }

    #[test]
    fn an_address_that_stands_for_several_nodes_is_all_of_them() {
        let [a, b, c] = NODES;
        let several = |node| if node == a { vec![a, b] } else { vec![node] };
        let (mut rng, zone) = (Rng::new(1, "cut"), |_: &str| Vec::new());
        let reach = reach(&Targets::OneWay(vec![a], vec![c]), &mut rng, &several, &zone, 3);
        assert!(reach.covers(a, c) && reach.covers(b, c) && !reach.covers(c, b));
    }

    /// For each of seven nodes the number of those that it sees, itself included.
    fn seen(targets: &Targets, seed: u64) -> Vec<usize> {
        let cut = drawn(targets, seed, 7);
        let sees = |one: u32| (0..7).filter(|other| !cut.contains(&(one, *other))).count();
        (0..7).map(sees).collect()
    }

    #[test]
    fn random_shapes_are_what_they_say_for_every_seed() {
        let nodes: Vec<NodeId> = (0..7).map(NodeId).collect();
        let sorted = |targets: Targets, seed| {
            let mut seen = seen(&targets, seed);
            seen.sort_unstable();
            seen
        };
        let mut sizes = std::collections::BTreeSet::new();
        for seed in 0..50 {
            let one = sorted(Targets::RandomNode(nodes.clone()), seed);
            assert_eq!(one, [1, 6, 6, 6, 6, 6, 6]);
            let halves = sorted(Targets::RandomHalves(nodes.clone()), seed);
            assert_eq!(halves, [3, 3, 3, 4, 4, 4, 4]);
            let few = sorted(Targets::Minority(nodes.clone()), seed)[0];
            assert!((1..=3).contains(&few));
            sizes.insert(few);
            assert_eq!(sorted(Targets::MajorityRing(nodes.clone()), seed), [5; 7]);
            assert_eq!(sorted(Targets::Bridge(nodes.clone()), seed), [4, 4, 4, 4, 4, 4, 7]);
            let groups = drawn(&Targets::Groups(3, nodes.clone()), seed, 7);
            assert!(groups.iter().all(|(from, to)| groups.contains(&(*to, *from))));
            assert!(!groups.is_empty());
        }
        assert_eq!(sizes.len(), 3, "every size of a minority comes");
        let five: Vec<NodeId> = nodes[..5].to_vec();
        let cut = drawn(&Targets::MajorityRing(five), 1, 5);
        assert_eq!(cut.len(), 10, "each of five sees itself and two others, and misses two");
        let other = drawn(&Targets::RandomHalves(nodes.clone()), 1, 7);
        assert!((2..9).any(|seed| drawn(&Targets::RandomHalves(nodes.clone()), seed, 7) != other));
    }

    #[test]
    fn shapes_that_cannot_be_are_refused() {
        let [a, b, c] = NODES;
        let problem = |targets: Targets| targets.problem().map_or(String::new(), |flaw| flaw.title);
        assert!(problem(Targets::Bridge(vec![a, b])).contains("at least 3"));
        assert!(problem(Targets::MajorityRing(vec![a, b, c])).contains("at least 4"));
        assert!(problem(Targets::Halves(vec![a, b, a])).contains("twice"));
        assert!(problem(Targets::Groups(1, vec![a, b])).contains("two groups"));
        assert!(problem(Targets::Groups(3, vec![a, b])).contains("at least 3"));
        assert!(problem(Targets::OneWay(vec![], vec![a])).contains("without nodes"));
        assert!(problem(Targets::Halves(vec![a, b, c])).is_empty());
        let among = |targets: &Targets, count| targets.problem_among(|_| count).is_some();
        assert!(problem(Targets::Halves(vec![a])).is_empty(), "it may be an address");
        assert!(among(&Targets::Halves(vec![a]), 1) && !among(&Targets::Halves(vec![a]), 2));
        let itself = Targets::Between(vec![a], vec![a]);
        assert!(among(&itself, 1) && !among(&itself, 2));
        assert!(!among(&Targets::OneWay(vec![a], vec![b]), 1));
    }
}
