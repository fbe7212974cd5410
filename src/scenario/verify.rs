//! What types cannot say: whether the values of a scenario make sense together.

use super::diagnose::{Problem, nearest};
use super::load::{Draft, Variation};
use super::spans::Spans;
use super::{Expectation, Invariant, Variant, instances, reference};
use crate::engine::{Lexicon, Name, NodeId, Span};
use crate::patterns::Spec;
use crate::world::{FaultSpec, Injection, NetworkSpec, RollSpec};

/// A problem with the value at `path`, or at the nearest place that exists.
fn at(spans: &Spans, path: &str) -> Problem {
    let mut path = path;
    loop {
        if let Some(place) = spans.get(path) {
            return Problem::at(place);
        }
        match path.rfind('.') {
            Some(dot) => path = &path[..dot],
            None => return Problem::new(""),
        }
    }
}

/// A price is a finite amount, and nothing is paid for using something.
fn prices(draft: &Draft, spans: &Spans) -> Vec<Problem> {
    let Some(prices) = &draft.prices else { return Vec::new() };
    let all = [
        ("node_hour", prices.node_hour),
        ("cpu_hour", prices.cpu_hour),
        ("gibibyte", prices.gibibyte),
        ("million_writes", prices.million_writes),
    ];
    let odd = all.into_iter().filter(|(_, price)| !(0.0..=1e12).contains(price));
    let problem = |(field, price): (&str, f64)| {
        let title = format!("{price} is no price");
        at(spans, &format!("prices.{field}")).title(title).label("from 0 to 1e12")
    };
    odd.map(problem).collect()
}

/// What types cannot say, of the base.
pub(super) fn base(draft: &Draft, nodes: &[String], spans: &Spans) -> Vec<Problem> {
    let mut problems = Vec::new();
    let warmup = draft.run.warmup.unwrap_or_default();
    if warmup >= draft.run.load {
        let label = format!("the load lasts {}", draft.run.load);
        problems.push(
            at(spans, "run.warmup").title("the warm-up leaves nothing to measure").label(label),
        );
    }
    problems.extend(prices(draft, spans));
    let (opens, closes) = draft.run.faults.unwrap_or((Span::ZERO, draft.run.load));
    if opens >= closes || closes > draft.run.load {
        let label = format!("from first to last, within the load of {}", draft.run.load);
        let title = "this is no window for faults";
        problems.push(at(spans, "run.faults").title(title).label(label));
    }
    if !draft.nodes.values().any(|spec| matches!(spec, Spec::Client(_))) {
        let title = "nobody makes a request: there is no Client among the nodes";
        problems.push(at(spans, "nodes").title(title).label("add a Client"));
    }
    let varied = draft.variants.iter().flat_map(|variation| variation.nodes.keys());
    for name in draft.nodes.keys().chain(varied) {
        let ordinary = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || !name.chars().all(ordinary) {
            let path = format!("nodes.{name}");
            let title = format!("`{name}` is no name for a node");
            problems.push(at(spans, &path).title(title).label("letters, digits, `-` and `_` only"));
        }
    }
    let (_, groups) = instances::placed(nodes, draft.nodes.clone());
    let connected = instances::connected(draft.network.clone(), &groups);
    problems.extend(network(&connected, nodes, spans, "network"));
    for (name, spec) in &draft.nodes {
        problems.extend(own(spec, spans, &format!("nodes.{name}")));
    }
    let told = |text| at(spans, "clocks").title(text).label("in these clocks");
    problems.extend(draft.clocks.problem().map(told));
    for (place, budget) in draft.budgets.iter().enumerate() {
        let told =
            |text| at(spans, &format!("budgets.{place}")).title(text).label("in this budget");
        problems.extend(budget.problem().map(told));
    }
    for (name, fault) in &draft.faults {
        let path = format!("faults.{name}");
        problems.extend(timing(fault, draft, spans, &path));
        problems.extend(injected(&fault.what, &draft.network, spans, &path));
    }
    let swarm = draft.swarm.as_ref().and_then(|swarm| swarm.problem());
    problems.extend(swarm.map(|(field, title, label)| {
        at(spans, &format!("swarm.{field}")).title(title).label(label)
    }));
    for (name, invariant) in &draft.invariants {
        problems.extend(rest(invariant, draft, spans, &format!("invariants.{name}")));
    }
    for (place, variation) in draft.variants.iter().enumerate() {
        problems.extend(variant(draft, variation, nodes, spans, place));
    }
    for (place, expectation) in draft.expect.iter().enumerate() {
        problems.extend(expected(draft, expectation, spans, &format!("expect.{place}")));
    }
    problems
}

/// What a network says is wrong with it; and a node is in one zone at most.
fn network(network: &NetworkSpec, nodes: &[String], spans: &Spans, path: &str) -> Vec<Problem> {
    let own = network.problems().into_iter();
    let own =
        own.map(|(inner, text)| at(spans, &format!("{path}.{inner}")).title(text).label("here"));
    let mut problems: Vec<Problem> = own.collect();
    for (place, zone) in network.zones.iter().enumerate() {
        for id in &zone.nodes {
            let first = network.zones[..place].iter().find(|other| other.nodes.contains(id));
            let path = format!("{path}.zones.{place}.nodes");
            problems.extend(first.map(|first| {
                let node = nodes.get(id.index()).map_or("?", String::as_str);
                let (one, other) = (&first.name, &zone.name);
                at(spans, &path)
                    .title(format!("`{node}` is in two zones, `{one}` and `{other}`"))
                    .label("in this one too")
            }));
        }
    }
    problems
}

/// What is wrong with a fault of the network.
fn injected(what: &Injection, net: &NetworkSpec, spans: &Spans, path: &str) -> Option<Problem> {
    let path = format!("{path}.what");
    if let Some(text) = what.problem() {
        return Some(at(spans, &path).title(text).label("in this fault"));
    }
    if what.is_of_names() && net.names.is_none() {
        let title = "this fault is about a name service, and the network has none";
        let problem = at(spans, &path).title(title).label("nobody asks for names");
        return Some(problem.help("give it one: `network: (names: ())`"));
    }
    let known: Vec<&str> = net.zones.iter().map(|zone| zone.name.as_str()).collect();
    let named = what.links().map(|links| links.zones()).unwrap_or_default();
    let unknown = named.into_iter().find(|zone| !known.contains(zone))?;
    let problem = at(spans, &path).title(format!("no zone is called `{unknown}`"));
    Some(problem.choose(unknown, &known, "the zones are"))
}

/// What must hold in the end needs an end at which the system has come to rest.
fn rest(invariant: &Invariant, draft: &Draft, spans: &Spans, path: &str) -> Option<Problem> {
    let in_the_end = match invariant {
        Invariant::Atomic { .. }
        | Invariant::Truthful { .. }
        | Invariant::Settled { .. }
        | Invariant::Converged { .. } => true,
        Invariant::Once { .. }
        | Invariant::Conserved { .. }
        | Invariant::Exclusive { .. }
        | Invariant::Fenced { .. }
        | Invariant::Kept { .. }
        | Invariant::AtLeastOnce { .. }
        | Invariant::AtMostOnce { .. }
        | Invariant::InOrder { .. } => false,
    };
    let title = "this invariant is about a system at rest, and the run has no quiet phase";
    (in_the_end && draft.run.quiet.is_zero()).then(|| {
        at(spans, path)
            .title(title)
            .label("must hold in the end")
            .help("give the run some: `run: (load: …, quiet: \"30s\")`")
    })
}

fn expected(draft: &Draft, one: &Expectation, spans: &Spans, path: &str) -> Option<Problem> {
    if one.min.is_none() && one.max.is_none() {
        let label = "give it a `min`, a `max` or both";
        return Some(at(spans, path).title("this expects nothing").label(label));
    }
    let name = one.variant.as_ref()?;
    let known: Vec<&str> = draft.variants.iter().map(|variant| variant.name.as_str()).collect();
    (!known.contains(&name.as_str())).then(|| {
        at(spans, &format!("{path}.variant"))
            .title(format!("no variant is called `{name}`"))
            .choose(name, &known, "the variants are")
    })
}

/// What a node says is wrong with its own configuration.
fn own(spec: &Spec, spans: &Spans, path: &str) -> Option<Problem> {
    let text = spec.problem()?;
    Some(at(spans, path).title(text).label(format!("in this {}", spec.kind())))
}

fn timing(fault: &FaultSpec, draft: &Draft, spans: &Spans, path: &str) -> Option<Problem> {
    let (field, title, label) = fault.problem(&draft.run.windows())?;
    Some(at(spans, &format!("{path}.{field}")).title(title).label(label))
}

/// What is known when a variant is looked at.
pub(super) struct Known<'a> {
    pub lexicon: &'a Lexicon,
    pub spans: &'a Spans,
}

impl Known<'_> {
    /// What the faults of a variant wait for, and nobody notes.
    pub fn facts(&self, variant: &Variant, place: usize) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (name, fault) in &variant.faults {
            let (own, base) = (format!("variants.{place}.faults.{name}"), format!("faults.{name}"));
            let path = if self.spans.get(&own).is_some() { own } else { base };
            for (field, trigger) in [("on", &fault.on), ("until", &fault.until)] {
                let path = format!("{path}.{field}.fact");
                let unknown = trigger.iter().filter_map(|one| self.fact(one.fact, variant, &path));
                problems.extend(unknown);
            }
        }
        problems
    }

    /// A fact that nobody notes and no store makes durable.
    fn fact(&self, fact: Name, variant: &Variant, path: &str) -> Option<Problem> {
        let spelt = self.lexicon.spelling(fact);
        let facts = reference::facts();
        let accounts = variant.nodes.iter().flatten().filter_map(|spec| match spec {
            Spec::Store(store) => Some(store.accounts().iter().map(|account| account.name)),
            _ => None,
        });
        let accounts = accounts.flatten().map(|account| self.lexicon.spelling(account));
        let known: Vec<&str> =
            facts.iter().map(|fact| fact.name.as_str()).chain(accounts).collect();
        (!known.contains(&spelt)).then(|| {
            at(self.spans, path).title(format!("no node notes a fact called `{spelt}`")).choose(
                spelt,
                &known,
                "the facts and accounts are",
            )
        })
    }
}

fn variant(
    draft: &Draft,
    variation: &Variation,
    nodes: &[String],
    spans: &Spans,
    place: usize,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let path = format!("variants.{place}");
    if draft.variants[..place].iter().any(|other| other.name == variation.name) {
        let title = format!("two variants are called `{}`", variation.name);
        problems.push(at(spans, &format!("{path}.name")).title(title).label("the second"));
    }
    let base: Vec<&str> =
        draft.nodes.keys().chain(draft.faults.keys()).map(String::as_str).collect();
    for (index, name) in variation.without.iter().enumerate() {
        if !base.contains(&name.as_str()) {
            let path = format!("{path}.without.{index}");
            let title = format!("the base has no node and no fault called `{name}`");
            problems.push(at(spans, &path).title(title).choose(name, &base, "they are"));
        }
    }
    let invariants: Vec<&str> = draft.invariants.keys().map(String::as_str).collect();
    for (index, name) in variation.breaks.iter().enumerate() {
        if !invariants.contains(&name.as_str()) {
            let path = format!("{path}.breaks.{index}");
            let title = format!("no invariant is called `{name}`");
            problems.push(at(spans, &path).title(title).choose(name, &invariants, "they are"));
        }
    }
    for (name, spec) in &variation.nodes {
        problems.extend(own(spec, spans, &format!("{path}.nodes.{name}")));
    }
    for (name, fault) in &variation.faults {
        let path = format!("{path}.faults.{name}");
        problems.extend(timing(fault, draft, spans, &path));
        let net = variation.network.as_ref().unwrap_or(&draft.network);
        problems.extend(injected(&fault.what, net, spans, &path));
    }
    if let Some(other) = &variation.network {
        problems.extend(network(other, nodes, spans, &format!("{path}.network")));
    }
    problems
}

/// What does not fit together in a variant as a whole.
pub(super) fn whole(draft: &Draft, variant: &Variant, nodes: &[String], place: usize) -> Whole {
    let name = |id: NodeId| nodes.get(id.index()).map_or("?", String::as_str);
    let mut found = Whole { problems: Vec::new(), place };
    let missing = |id: NodeId| !variant.has(id);
    let other = &variant.name;
    let lacks =
        |what: String, id: NodeId| format!("{what} `{}`, which {other} does not have", name(id));
    for (from, spec) in nodes.iter().zip(&variant.nodes) {
        for edge in spec.iter().flat_map(Spec::edges).filter(|edge| missing(edge.to)) {
            found.add("", lacks(format!("`{from}` calls"), edge.to), "in this variant");
        }
    }
    for (fault, spec) in &variant.faults {
        if let Some((title, label)) = life(&spec.what, variant) {
            found.add(&format!("faults.{fault}.what"), title, label);
        }
        if let Some(id) = spec.what.node().filter(|id| missing(*id)) {
            found.add("", lacks(format!("the fault `{fault}` is about"), id), "in this variant");
        }
    }
    for group in &variant.groups {
        let path = format!("nodes.{}.zones", name(group.address));
        let known: Vec<&str> =
            variant.network.zones.iter().map(|zone| zone.name.as_str()).collect();
        for zone in group.spec.zones.iter().filter(|zone| !known.contains(&zone.as_str())) {
            let title = format!("no zone of the network is called `{zone}`");
            let near = nearest(zone, known.iter().copied());
            let label = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None if known.is_empty() => {
                    "add it: `network: (zones: [(name: \"…\", nodes: [])])`".to_owned()
                }
                None => format!("the zones are {}", known.join(", ")),
            };
            found.add(&path, title, label);
        }
    }
    for (invariant, what) in &draft.invariants {
        for id in what.nodes().filter(|id| variant.group(*id).is_some()) {
            let (path, name) = (format!("invariants.{invariant}"), name(id));
            let title = format!("`{name}` stands for several nodes, and each has state of its own");
            found.add(&path, title, format!("name one of them, such as `{name}/1`"));
        }
    }
    found
}

/// What a fault about the lives of nodes asks for and cannot have: what is wrong, and what to do.
fn life(what: &Injection, variant: &Variant) -> Option<(String, String)> {
    let zones = &variant.network.zones;
    let unknown = |what: &str, name: &str, known: Vec<&str>| {
        let label = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => format!("the network's zones name no {what}"),
            None => format!("they are {}", known.join(", ")),
        };
        let title = format!("no {what} of the network is called `{name}`");
        (!known.contains(&name)).then_some((title, label))
    };
    let group = what.node().and_then(|id| variant.group(id));
    let says = |title: &str, label: &str| Some((title.to_owned(), label.to_owned()));
    match what {
        Injection::ZoneDown { zone } => {
            return unknown("zone", zone, zones.iter().map(|zone| zone.name.as_str()).collect());
        }
        Injection::RegionDown { region } => {
            let regions = zones.iter().filter_map(|zone| zone.region.as_deref());
            return unknown("region", region, regions.collect());
        }
        Injection::RollingRestart(_)
        | Injection::RollingUpgrade(_)
        | Injection::Scale { .. }
        | Injection::Attrition { .. }
            if group.is_none() =>
        {
            return says("this is about the instances of an address", "not about a single node");
        }
        Injection::RollingRestart(RollSpec { unavailable: 0, .. })
        | Injection::RollingUpgrade(RollSpec { unavailable: 0, .. }) => {
            return says("nothing rolls while none may be away", "`unavailable` is at least 1");
        }
        Injection::RollingUpgrade(_) if group.is_some_and(|it| it.spec.next.is_none()) => {
            return says("there is nothing to upgrade to", "give the instances a `next` version");
        }
        Injection::Stop { pre_stop, grace, .. }
        | Injection::RollingRestart(RollSpec { pre_stop, grace, .. })
        | Injection::RollingUpgrade(RollSpec { pre_stop, grace, .. })
            if pre_stop > grace =>
        {
            return says("`grace` includes `pre_stop`", "and is not shorter");
        }
        _ => {}
    }
    let Injection::Scale { to, .. } = what else { return None };
    let most = group.map_or(1, |group| group.spec.capacity());
    let label = format!("from 1 to {most}, the `max` of the instances");
    let title = format!("{to} instances are not possible");
    (!(1..=most).contains(to)).then_some((title, label))
}

/// Problems of a variant, by the path of what they are about.
pub(super) struct Whole {
    problems: Vec<(String, String, String)>,
    place: usize,
}

impl Whole {
    fn add(&mut self, path: &str, title: String, label: impl Into<String>) {
        self.problems.push((path.to_owned(), title, label.into()));
    }

    /// Each at its place: in the variant, if it is written there, or in the base.
    pub fn placed(self, spans: &Spans) -> impl Iterator<Item = Problem> {
        let variant = format!("variants.{}", self.place);
        self.problems.into_iter().map(move |(path, title, label)| {
            let own = format!("{variant}.{path}");
            let path = match &path {
                path if path.is_empty() => &variant,
                _ if spans.get(&own).is_some() => &own,
                path => path,
            };
            at(spans, path).title(title).label(label)
        })
    }
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
