//! What does not fit together in a variant as a whole.

use super::places::Places;
use super::{faults, fit, idle, queues};
use crate::engine::{Name, NodeId};
use crate::patterns::Spec;
use crate::scenario::diagnose::Problem;
use crate::scenario::load::Draft;
use crate::scenario::{Group, Variant, classes};
use crate::world::{Ask, Injection, Node, Offers, SlowSpec};

/// A variant, its place among them, and where everything stands.
#[derive(Clone, Copy)]
pub(super) struct Whole<'a> {
    pub draft: &'a Draft,
    /// All of them: a fault of the base need not mean something in each.
    pub variants: &'a [Variant],
    pub variant: &'a Variant,
    pub places: Places<'a>,
    pub number: usize,
}

/// Everything that is wrong with a variant as a whole.
pub(in crate::scenario) fn variant(
    draft: &Draft,
    variants: &[Variant],
    places: Places<'_>,
    number: usize,
) -> Vec<Problem> {
    let variant = &variants[number];
    let whole = Whole { draft, variants, variant, places, number };
    let mut problems = whole.missing();
    problems.extend(whole.zones());
    problems.extend(whole.invariants());
    problems.extend(whole.tenants());
    problems.extend(fit::problems(&whole));
    problems.extend(queues::problems(&whole));
    if !draft.is_tried {
        problems.extend(idle::problems(&whole));
        problems.extend(idle::empty(&whole));
    }
    problems.extend(faults::problems(&whole));
    problems.extend(classes::problem(variant, places));
    problems
}

impl<'a> Whole<'a> {
    /// A problem with this value of the base, or with what the variant has instead of it.
    pub fn at(&self, path: &str, inner: &str) -> Problem {
        self.places.at(&format!("{}{inner}", self.places.of_variant(self.number, path)))
    }

    /// Everything that is described: an address with all of its instances is one thing.
    pub fn described(&self) -> Vec<(NodeId, Described<'a>)> {
        let groups = self.variant.groups.iter();
        let groups = groups.map(|group| (group.address, Described::Group(group)));
        let is_instance = |id: NodeId| self.variant.group_of(id).is_some();
        let nodes = self.variant.nodes.iter().enumerate();
        let nodes = nodes.filter_map(|(place, spec)| Some((NodeId(place as u32), spec.as_ref()?)));
        let nodes = nodes.filter(|(id, _)| !is_instance(*id));
        groups.chain(nodes.map(|(id, spec)| (id, Described::Node(spec)))).collect()
    }

    /// What a node or an address answers, and its kind; `None` if the variant has neither.
    pub fn offers(&self, id: NodeId) -> Option<(Offers, &'static str)> {
        offers(self.variant, id)
    }

    /// The same in each of the variants.
    pub fn offers_anywhere(&self, id: NodeId) -> impl Iterator<Item = (Offers, &'static str)> {
        self.variants.iter().filter_map(move |variant| offers(variant, id))
    }

    /// How many nodes an id stands for.
    pub fn count(&self, id: NodeId) -> usize {
        self.variant.group(id).map_or(1, |group| group.members.len())
    }

    /// Nodes that something of the variant is about, and that it does not have.
    fn missing(&self) -> Vec<Problem> {
        let Whole { variant, places, .. } = *self;
        let path = format!("variants.{}", self.number);
        let lacks = |what: String, id: NodeId| {
            let title =
                format!("{what} `{}`, which {} does not have", places.name(id), variant.name);
            places.at(&path).title(title).label("in this variant")
        };
        let mut problems = Vec::new();
        for (from, spec) in places.nodes.iter().zip(&variant.nodes) {
            let edges = spec.iter().flat_map(Spec::edges);
            let edges = edges.filter(|edge| !variant.has(edge.to));
            problems.extend(edges.map(|edge| lacks(format!("`{from}` calls"), edge.to)));
        }
        for (fault, spec) in &variant.faults {
            let node = spec.what.node().filter(|id| !variant.has(*id));
            problems.extend(node.map(|id| lacks(format!("the fault `{fault}` is about"), id)));
            let Injection::Slow(SlowSpec { caller: Some(id), .. }) = spec.what else { continue };
            let what = || format!("the fault `{fault}` is about requests of");
            problems.extend((!variant.has(id)).then(|| lacks(what(), id)));
        }
        problems
    }

    /// Zones of instances that the network does not have.
    fn zones(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let known: Vec<&str> =
            self.variant.network.zones.iter().map(|zone| zone.name.as_str()).collect();
        for group in &self.variant.groups {
            let path = format!("nodes.{}", self.places.name(group.address));
            let zones = group.spec.zones.iter().enumerate();
            for (place, zone) in zones.filter(|(_, zone)| !known.contains(&zone.as_str())) {
                let title = format!("no zone of the network is called `{zone}`");
                let problem = self.at(&path, &format!(".zones.{place}")).title(title);
                problems.push(match known.is_empty() {
                    true => problem.help("add it: `network: (zones: [(name: \"…\", nodes: [])])`"),
                    false => problem.choose(zone, &known, "the zones are"),
                });
            }
        }
        problems
    }

    /// Weights of tenants whom no class of requests names.
    fn tenants(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let spelling = |tenant: Name| self.places.lexicon.spelling(tenant);
        let classes = self.variant.classes.iter();
        let known: Vec<&str> = classes.filter_map(|class| class.tenant).map(spelling).collect();
        for (id, node) in self.described() {
            let path = format!("nodes.{}", self.places.name(id));
            let (spec, of) = node.spec();
            let machine = spec.machine();
            let weighed = machine.weights.keys().map(|tenant| spelling(*tenant));
            for tenant in weighed.filter(|tenant| !known.contains(tenant)) {
                let problem = self.at(&path, &format!("{of}.machine.weights.{tenant}"));
                let title = format!("no class of requests has a tenant `{tenant}`");
                problems.push(problem.title(title).choose(tenant, &known, "the tenants are"));
            }
        }
        problems
    }

    /// Invariants about an address: each of its instances has a state of its own.
    fn invariants(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (invariant, what) in &self.draft.invariants {
            // The logs of a cluster are one.
            let is_of_cluster = what.topic().is_some();
            let addresses = what.nodes().filter(|id| self.variant.group(*id).is_some());
            for id in addresses.filter(|_| !is_of_cluster) {
                let name = self.places.name(id);
                let title =
                    format!("`{name}` stands for several nodes, and each has state of its own");
                let label = format!("name one of them, such as `{name}/1`");
                let path = format!("invariants.{invariant}");
                problems.push(self.places.at(&path).title(title).label(label));
            }
        }
        problems
    }
}

fn offers(variant: &Variant, id: NodeId) -> Option<(Offers, &'static str)> {
    let spec = match variant.group(id) {
        Some(group) => &*group.spec.of,
        None => variant.nodes.get(id.index())?.as_ref()?,
    };
    Some((spec.offers(), spec.kind()))
}

/// A node, or an address with all of its instances.
#[derive(Clone, Copy)]
pub(super) enum Described<'a> {
    Node(&'a Spec),
    Group(&'a Group),
}

impl<'a> Described<'a> {
    /// What it is, or each of its instances, and where in the description that stands.
    pub fn spec(&self) -> (&'a Spec, &'static str) {
        match self {
            Described::Node(spec) => (spec, ""),
            Described::Group(group) => (&group.spec.of, ".of"),
        }
    }

    /// What it asks of others.
    pub fn asks(&self) -> Vec<Ask> {
        match self {
            Described::Node(spec) => spec.asks(),
            Described::Group(group) => group.spec.asks(),
        }
    }
}
