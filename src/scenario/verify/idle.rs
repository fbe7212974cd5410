//! Settings that could have no effect, whatever happens, because of what else is said.
//!
//! A setting of the base need not mean something in each variant, so that one thing can be changed
//! in a variant and the rest stay as it is: it is enough that it does in one. And who tries another
//! value than the file's, with `--set`, is told nothing of what that makes void.

use std::collections::BTreeSet;

use super::variant::{Described, Whole};
use crate::engine::{Name, NodeId, Span, Time};
use crate::parts::{Broker, Consumer};
use crate::patterns::Spec;
use crate::scenario::Variant;
use crate::scenario::diagnose::Problem;
use crate::world::{Ask, Discipline, Flaw, NetworkSpec, Node, Want};

/// What has no effect in a variant, nor in any other that has the same node.
pub(super) fn problems(whole: &Whole<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (id, node) in whole.described() {
        let found = Idle { whole, id }.all(&node);
        let found = found.into_iter().filter(|flaw| {
            whole.variants.iter().all(|variant| {
                let other = Whole { variant, ..*whole };
                let described = other.described();
                let same = described.iter().find(|(known, _)| *known == id);
                same.is_none_or(|(_, node)| {
                    let all = Idle { whole: &other, id }.all(node);
                    all.iter().any(|other| other.steps == flaw.steps)
                })
            })
        });
        let path = format!("nodes.{}", whole.places.name(id));
        let path = whole.places.of_variant(whole.number, &path);
        problems.extend(found.map(|flaw| whole.places.flaw(&path, flaw, node.spec().0.kind())));
    }
    problems
}

const SAME: &str = "all requests have the same priority";

/// Zones and hosts that nobody is in, in any of the variants.
pub(super) fn empty(whole: &Whole<'_>) -> Vec<Problem> {
    let places = |network: &NetworkSpec| -> Vec<(&'static str, usize, String, Vec<NodeId>)> {
        let zones = network.zones.iter().map(|zone| (zone.name.clone(), zone.nodes.clone()));
        let zones = zones.enumerate().map(|(place, (name, nodes))| ("zones", place, name, nodes));
        let hosts = network.hosts.iter().map(|host| (host.name.clone(), host.nodes.clone()));
        let hosts = hosts.enumerate().map(|(place, (name, nodes))| ("hosts", place, name, nodes));
        zones.chain(hosts).collect()
    };
    let mut problems = Vec::new();
    for (field, place, name, _) in places(&whole.variant.network) {
        let is_lived_in = |variant: &Variant| {
            let known = places(&variant.network).into_iter();
            let mut same = known.filter(|(other, _, its, _)| (*other, its) == (field, &name));
            same.any(|(.., nodes)| nodes.into_iter().any(|id| variant.has(id)))
        };
        if !whole.variants.iter().any(is_lived_in) {
            let title = format!("nobody is in `{name}`");
            let problem = whole.at("network", &format!(".{field}.{place}")).title(title);
            problems.push(problem.label("leave it out"));
        }
    }
    problems
}

/// A node of a variant.
struct Idle<'a> {
    whole: &'a Whole<'a>,
    id: NodeId,
}

impl Idle<'_> {
    /// Everything that it says without effect.
    fn all(&self, node: &Described<'_>) -> Vec<Flaw> {
        let (spec, _) = node.spec();
        let mut among: Vec<Flaw> = match spec {
            Spec::Broker(broker) => self.of_broker(broker),
            Spec::Consumer(consumer) => self.extended(consumer).into_iter().collect(),
            _ => Vec::new(),
        };
        among.extend(self.unranked(spec));
        among.extend(self.late(spec));
        match node {
            Described::Node(spec) => spec.idle().into_iter().chain(among).collect(),
            Described::Group(group) => {
                let among = among.into_iter().map(|flaw| flaw.within("of"));
                group.spec.idle().into_iter().chain(among).collect()
            }
        }
    }

    /// What would happen when the load or the run is over.
    fn late(&self, spec: &Spec) -> Option<Flaw> {
        let phases = &self.whole.variant.phases;
        let (load, end) = (phases.load, phases.end() - Time(0));
        spec.dated().iter().find_map(|dated| dated.problem(load, end))
    }

    /// Does anybody do that?
    fn any(&self, does: impl Fn(&Spec) -> bool) -> bool {
        self.whole.described().iter().any(|(_, node)| does(node.spec().0))
    }

    /// Does somebody ask this broker for messages of a queue, who is like that?
    fn is_asked(&self, queue: Name, is_like: impl Fn(&Spec) -> bool) -> bool {
        let asks = |ask: &Ask| ask.to == self.id && ask.what == Want::Queue(queue);
        self.any(|spec| is_like(spec) && spec.asks().iter().any(asks))
    }

    /// The broker of this name.
    fn described<T>(&self, id: NodeId, of: impl Fn(&Spec) -> Option<T>) -> Option<T> {
        let described = self.whole.described();
        of(described.iter().find(|(known, _)| *known == id)?.1.spec().0)
    }

    fn of_broker(&self, broker: &Broker) -> Vec<Flaw> {
        let late = broker.late().filter_map(|(queue, visibility)| {
            Some(broker.of_queue(queue, self.never_late(queue, visibility)?))
        });
        let releases = |spec: &Spec| matches!(spec, Spec::Consumer(it) if it.gives_back());
        let refused = broker.pulled_again().filter(|queue| !self.is_asked(*queue, releases));
        let refused = refused.map(|queue| {
            let title = "nobody refuses messages of this queue: what is not acknowledged comes \
                         back when its `visibility` is over";
            let flaw = Flaw::at("redelivery", title).label("a Consumer refuses if it `releases`");
            broker.of_queue(queue, flaw)
        });
        let ranked = broker.ranked().filter(|_| !self.has_ranks());
        let ranked = ranked.map(|queue| broker.of_queue(queue, Flaw::at("order", SAME)));
        late.chain(refused).chain(ranked).collect()
    }

    /// Are there requests of different priorities?
    fn has_ranks(&self) -> bool {
        let unclassed = |spec: &Spec| matches!(spec, Spec::Client(_)) && spec.classes().is_empty();
        let plain = self.any(unclassed).then_some(0);
        let classes = self.whole.variant.classes.iter().map(|class| class.priority);
        let ranks: BTreeSet<u8> = classes.chain(plain).collect();
        ranks.len() > 1
    }

    /// A discipline that goes by what requests do not differ in.
    fn unranked(&self, spec: &Spec) -> Option<Flaw> {
        let mut classes = self.whole.variant.classes.iter();
        let machine = spec.machine();
        let title = match machine.discipline {
            Discipline::Priority { .. } if !self.has_ranks() => SAME,
            // Of weights it is said whose they are.
            Discipline::FairQueueing
                if machine.weights.is_empty() && !classes.any(|class| class.tenant.is_some()) =>
            {
                "no class of requests has a tenant: all of them are of one"
            }
            _ => return None,
        };
        Some(Flaw::at("discipline", title).within("machine"))
    }

    /// Why nobody could be late with a message of a queue.
    fn never_late(&self, queue: Name, visibility: Span) -> Option<Flaw> {
        let end = self.whole.variant.phases.end() - Time(0);
        let flaw = |title| Flaw::at("late_acks", title);
        if !self.is_asked(queue, |_| true) {
            let title = "nobody asks for messages of this queue, so that nobody could be late";
            return Some(flaw(title).label("only a Consumer can"));
        }
        (visibility >= end).then(|| {
            let label = format!("it is for {visibility}, and the run ends after {end}");
            flaw("no message is hidden for so long that anybody could be late").label(label)
        })
    }

    /// A visibility that is over before it is extended.
    fn extended(&self, consumer: &Consumer) -> Option<Flaw> {
        let (broker, queue, every) = consumer.extends()?;
        let visibility = self.described(broker, |spec| match spec {
            Spec::Broker(broker) => broker.visibility(queue),
            _ => None,
        });
        let visibility = visibility.filter(|visibility| every >= *visibility)?;
        let title = "a message is visible again before its consumer asks for more time";
        let label = format!("shorter than the `visibility` of the queue, {visibility}");
        Some(Flaw::at("extend_every", title).label(label))
    }
}
