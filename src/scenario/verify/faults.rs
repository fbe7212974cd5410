//! Faults that ask for what a variant cannot give them.

use super::fit;
use super::places::Places;
use super::variant::Whole;
use crate::engine::{Name, NodeId, Span};
use crate::patterns::Spec;
use crate::scenario::diagnose::Problem;
use crate::scenario::load::Draft;
use crate::scenario::{Group, Variant, reference};
use crate::world::{FaultSpec, Flaw, Injection, Known, RollSpec, SlowSpec, Want};

/// What is wrong with the faults and the budgets of a variant.
pub(super) fn problems(whole: &Whole<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, spec) in &whole.variant.faults {
        let fault = Fault { whole, path: format!("faults.{name}"), spec };
        problems.extend(fault.befalls());
        problems.extend(fault.waits());
    }
    for (place, budget) in whole.variant.budgets.iter().enumerate() {
        let copies = budget.nodes.iter().enumerate();
        let idle = copies.filter(|(_, id)| !logs(whole, **id));
        problems.extend(idle.map(|(index, id)| {
            let title = format!("`{}` holds no copy: {IDLE}", whole.places.name(*id));
            let path = format!("budgets.{place}.nodes.{index}");
            whole.places.at(&path).title(title).label("leave it out")
        }));
    }
    problems
}

const IDLE: &str = "it writes nothing to a disk";

/// Does a node write to its disk in any variant? A fault that is the same for all need not mean
/// something for each.
fn logs(whole: &Whole<'_>, id: NodeId) -> bool {
    let keeps_copies = |variant| {
        let all = fit::all(&Whole { variant, ..*whole });
        all.iter().any(|(_, ask)| ask.to == id && ask.what == Want::Copies)
    };
    whole.offers_anywhere(id).any(|(offers, _)| offers.logs)
        || whole.variants.iter().any(keeps_copies)
}

/// A fault of a variant.
struct Fault<'a> {
    whole: &'a Whole<'a>,
    path: String,
    spec: &'a FaultSpec,
}

impl Fault<'_> {
    fn flaw(&self, flaw: Flaw) -> Problem {
        let path = self.whole.places.of_variant(self.whole.number, &self.path);
        self.whole.places.flaw(&format!("{path}.what"), flaw, "fault")
    }

    /// What is wrong with what it does, and to whom.
    fn befalls(&self) -> Option<Problem> {
        let what = &self.spec.what;
        match what {
            Injection::HostDown { .. }
            | Injection::ZoneDown { .. }
            | Injection::RegionDown { .. } => return self.place(),
            Injection::Errors { node, operation, .. } => {
                return self.operation(*node, *operation, "fail");
            }
            Injection::Slow(SlowSpec { node, operation, caller, .. })
                if operation.is_some() || caller.is_some() =>
            {
                let operation = self.operation(*node, *operation, "be slow");
                return operation.or_else(|| self.stranger(*node, (*caller)?));
            }
            _ => {}
        }
        if let Some(links) = what.links() {
            let flaw = links.problem_among(|id| self.whole.count(id))?;
            return Some(self.flaw(flaw.within("links")));
        }
        let node = what.node()?;
        if what.is_of_disk() && !logs(self.whole, node) {
            let title = format!("`{}` has no log: {IDLE}", self.whole.places.name(node));
            return Some(self.flaw(Flaw::at("node", title).label("such as a Store")));
        }
        life(what, self.whole).map(|flaw| self.flaw(flaw))
    }

    /// Hosts, zones and regions that there are not.
    fn place(&self) -> Option<Problem> {
        let network = &self.whole.variant.network;
        let (zones, hosts) = (network.zones.iter(), network.hosts.iter());
        let (what, name, known): (_, _, Vec<&str>) = match &self.spec.what {
            Injection::HostDown { host } => {
                ("host", host, hosts.map(|host| host.name.as_str()).collect())
            }
            Injection::ZoneDown { zone } => {
                ("zone", zone, zones.map(|zone| zone.name.as_str()).collect())
            }
            Injection::RegionDown { region } => {
                ("region", region, zones.filter_map(|zone| zone.region.as_deref()).collect())
            }
            _ => return None,
        };
        if known.contains(&name.as_str()) {
            return None;
        }
        let problem =
            self.flaw(Flaw::at(what, format!("no {what} of the network is called `{name}`")));
        Some(match known.is_empty() {
            true => problem.label(format!("the network names no {what}")),
            false => problem.choose(name, &known, "they are"),
        })
    }

    /// A caller that never asks a node anything: for its requests nothing can be slow.
    fn stranger(&self, node: NodeId, caller: NodeId) -> Option<Problem> {
        let whole = self.whole;
        let address = |id: NodeId| whole.variant.group_of(id).map_or(id, |group| group.address);
        let (node, caller) = (address(node), address(caller));
        let asks = |variant: &Variant| {
            let specs = variant.nodes.iter().enumerate();
            let theirs = specs.filter(|(place, _)| address(NodeId(*place as u32)) == caller);
            let mut asks = theirs.flat_map(|(_, spec)| spec.iter().flat_map(Spec::asks));
            asks.any(|ask| address(ask.to) == node)
        };
        // A fault of the base need not mean something in each variant.
        if whole.variants.iter().any(asks) {
            return None;
        }
        let (node, caller) = (whole.places.name(node), whole.places.name(caller));
        let title = format!("`{caller}` never asks `{node}` anything");
        Some(self.flaw(Flaw::at("caller", title).label("none of its requests could be slow")))
    }

    /// An operation that is to fail or to be slow must be one of the node's.
    fn operation(&self, node: NodeId, operation: Option<Name>, does: &str) -> Option<Problem> {
        let whole = self.whole;
        let (_, kind) = whole.offers(node)?;
        let name = whole.places.name(node);
        if whole.offers_anywhere(node).all(|(offers, _)| offers.errs == Known::Nothing) {
            let title = format!("`{name}` is a {kind} and has no operations that could {does}");
            return Some(self.flaw(Flaw::at("node", title).label("such as a Service")));
        }
        let asked = fit::all(whole).into_iter().filter(|(_, ask)| ask.to == node);
        let asked = asked.filter_map(|(_, ask)| match ask.what {
            Want::Operation(name) => Some(name),
            _ => None,
        });
        let asked: Vec<Name> = asked.collect();
        let mut known: Vec<String> = whole
            .offers_anywhere(node)
            .flat_map(|(offers, _)| whole.known(&offers.errs, asked.iter().copied()))
            .collect();
        known.sort();
        known.dedup();
        let spelt = whole.places.lexicon.spelling(operation?);
        if known.iter().any(|one| one == spelt) {
            return None;
        }
        let title = format!("`{name}` has no operation `{spelt}`");
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let label = format!("this would never {does}");
        let problem = self.flaw(Flaw::at("operation", title).label(label));
        Some(problem.choose(spelt, &known, "its operations are"))
    }

    /// What it waits for, and nobody notes.
    fn waits(&self) -> Vec<Problem> {
        let triggers = [("on", &self.spec.on), ("until", &self.spec.until)];
        let told = triggers.into_iter().filter_map(|(field, trigger)| {
            self.fact(trigger.as_ref()?.fact, &format!(".{field}.fact"))
        });
        told.collect()
    }

    fn fact(&self, fact: Name, inner: &str) -> Option<Problem> {
        let at = || self.whole.at(&self.path, inner);
        unnoted(self.whole.variant, self.whole.places, fact, at)
    }
}

/// A fact that nobody notes and no store makes durable in a variant.
fn unnoted(
    variant: &Variant,
    places: Places<'_>,
    fact: Name,
    at: impl FnOnce() -> Problem,
) -> Option<Problem> {
    let spelt = places.lexicon.spelling(fact);
    let facts = reference::facts();
    let accounts = variant.nodes.iter().flatten().filter_map(|spec| match spec {
        Spec::Store(store) => Some(store.accounts().iter().map(|account| account.name)),
        _ => None,
    });
    let accounts = accounts.flatten().map(|account| places.lexicon.spelling(account));
    let known: Vec<&str> = facts.iter().map(|fact| fact.name.as_str()).chain(accounts).collect();
    (!known.contains(&spelt)).then(|| {
        let title = format!("no node notes a fact called `{spelt}`");
        at().title(title).choose(spelt, &known, "the facts and accounts are")
    })
}

/// Facts that the scenario's own measures count, and nobody notes in any of its variants.
pub(in crate::scenario) fn counted(
    draft: &Draft,
    variants: &[Variant],
    places: Places<'_>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, measure) in &draft.measures {
        for (way, part) in measure.placed() {
            for (field, fact) in part.facts() {
                let at = || places.at(&format!("measures.{name}{way}.{field}"));
                let each = variants.iter().map(|variant| unnoted(variant, places, fact, at));
                problems.extend(each.reduce(|one, other| one.and(other)).flatten());
            }
        }
    }
    problems
}

/// What a fault about the lives of nodes asks for and cannot have.
fn life(what: &Injection, whole: &Whole<'_>) -> Option<Flaw> {
    let group = what.node().and_then(|id| whole.variant.group(id));
    let capacity = group.map_or(1, |group| group.spec.capacity());
    let is_single = group.is_none();
    let says =
        |field: &'static str, title: &str, label: &str| Some(Flaw::at(field, title).label(label));
    let among = |field, count: u32, least: u32, most: u32| {
        let title = format!("{count} instances are not possible");
        let label = format!("from {least} to {most}: there are at most {capacity} instances");
        (!(least..=most).contains(&count)).then(|| Flaw::at(field, title).label(label))
    };
    match what {
        Injection::Crash { some: Some(_), .. } if is_single => {
            says("some", "a single node has no instances to choose from", "leave it out")
        }
        Injection::Crash { some: Some(some), .. } => among("some", *some, 1, capacity),
        Injection::RollingRestart(_)
        | Injection::RollingUpgrade(_)
        | Injection::Scale { .. }
        | Injection::Attrition { .. }
            if is_single =>
        {
            says("node", "this is about the instances of an address", "not about a single node")
        }
        Injection::RollingRestart(RollSpec { rollback: true, .. }) => {
            says("rollback", "a restart brings no other version", "there is nothing to go back to")
        }
        Injection::RollingUpgrade(_) if group.is_some_and(|it| it.spec.next.is_none()) => {
            says("node", "there is nothing to upgrade to", "give the instances a `next` version")
        }
        Injection::Stop { pre_stop, grace, .. }
        | Injection::RollingRestart(RollSpec { pre_stop, grace, .. })
        | Injection::RollingUpgrade(RollSpec { pre_stop, grace, .. })
            if pre_stop > grace =>
        {
            says("pre_stop", "`grace` includes `pre_stop`", "and is not shorter")
        }
        Injection::RollingRestart(roll) | Injection::RollingUpgrade(roll) => {
            let least = u32::from(roll.surge == 0);
            let count = || among("unavailable", roll.unavailable, least, capacity);
            unrollable(roll, group?).or_else(count)
        }
        Injection::Scale { to, .. } => among("to", *to, 1, capacity),
        Injection::Attrition { keep, .. } => among("keep", *keep, 0, capacity - 1),
        _ => None,
    }
}

/// Why the instances of a group cannot be rolled like this, if so.
fn unrollable(roll: &RollSpec, group: &Group) -> Option<Flaw> {
    let room = group.spec.capacity() - group.spec.count;
    if roll.unavailable == 0 && roll.surge == 0 {
        let flaw = Flaw::at("unavailable", "nothing rolls while none may be away");
        return Some(flaw.label("at least 1, or there is a `surge`"));
    }
    if roll.surge > room {
        let label = format!("at most {room}, what the `max` of the instances leaves above `count`");
        return Some(Flaw::at("surge", "there is no room for that `surge`").label(label));
    }
    let at_once = roll.ready_within.is_some_and(Span::is_zero);
    at_once.then(|| Flaw::at("ready_within", "nothing serves at once").label("longer than that"))
}
