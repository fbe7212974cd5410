//! Swarm mode: every seed draws a configuration of faults of its own.
//!
//! A fixed set of faults finds what its author thought of. Here each run draws which kinds of fault
//! are on, how many of each, how strong, when, and whom they befall; some runs have none of a kind
//! and some little else. What is drawn is text, as a scenario would have it, and is then read like
//! one: so it can be pasted into `faults` and gives the same run.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::diagnose::nearest;
use super::source::Source;
use super::{Phases, Scenario, Variant, read_fault, reference};
use crate::engine::{NodeId, Ratio, Rng, Span};
use crate::patterns::Spec;
use crate::world::{FaultSpec, Flaw, Transport};

/// What swarm mode may draw; `true` for the defaults.
///
/// Source: Groce, Zhang, Eide, Chen, Regehr, "Swarm Testing", ISSTA 2012: leaving features out at
/// random finds more than having all of them on.
///
/// ```ron
/// (share: "50 %", count: (1, 3), lasts: ("100ms", "5s"), without: ["Partition"])
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Swarm {
    /// Only these kinds of fault, as `list faults` names them. Default: all.
    pub only: Option<Vec<String>>,
    /// Not these kinds of fault. Default: none is left out.
    pub without: Vec<String>,
    /// How likely each kind is to be on in a run. Default: `"50 %"`.
    pub share: Ratio,
    /// Of a kind that is on: at least and at most how many. Default: `(1, 3)`.
    pub count: (u32, u32),
    /// For how long each, at least and at most; uniform between them. Default: `("100ms", "5s")`.
    pub lasts: (Span, Span),
    /// Whom they may befall. Default: every node but clients.
    pub nodes: Option<Vec<NodeId>>,
}

impl Default for Swarm {
    fn default() -> Swarm {
        Swarm {
            only: None,
            without: Vec::new(),
            share: Ratio::new(1, 2).unwrap_or(Ratio::ONE),
            count: (1, 3),
            lasts: (Span::from_millis(100), Span::from_seconds(5)),
            nodes: None,
        }
    }
}

/// Reads `true`, `false` or the bounds.
pub(super) fn switch<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Swarm>, D::Error> {
    struct Reader;
    impl<'de> Visitor<'de> for Reader {
        type Value = Option<Swarm>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("true, false, or bounds such as `(count: (1, 2))`")
        }
        fn visit_bool<E: Error>(self, is_on: bool) -> Result<Option<Swarm>, E> {
            Ok(is_on.then(Swarm::default))
        }
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Option<Swarm>, A::Error> {
            Swarm::deserialize(MapAccessDeserializer::new(map)).map(Some)
        }
        // `()` is a struct without fields.
        fn visit_unit<E: Error>(self) -> Result<Option<Swarm>, E> {
            Ok(Some(Swarm::default()))
        }
    }
    from.deserialize_any(Reader)
}

/// More faults of one kind than this are not read as a wish.
const COUNT_MAX: u32 = 100;

/// What a seed has drawn: its faults, and their text as `faults` would have it.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// By name.
    pub faults: Vec<(String, FaultSpec)>,
    /// To be pasted into a scenario.
    pub text: String,
}

impl Swarm {
    /// Is a kind of fault one that may be drawn?
    fn takes(&self, kind: &str) -> bool {
        let is_in = |names: &[String]| names.iter().any(|name| name == kind);
        self.only.as_deref().is_none_or(is_in) && !is_in(&self.without)
    }

    /// What is wrong with it.
    pub(super) fn problem(&self) -> Option<Flaw> {
        let kinds = reference::swarm();
        let known: Vec<&str> = kinds.iter().map(|(name, _)| name.as_str()).collect();
        let only = self.only.as_deref().unwrap_or_default();
        for (field, names) in [("only", only), ("without", &self.without)] {
            let is_unknown = |name: &String| !known.contains(&name.as_str());
            if let Some(place) = names.iter().position(is_unknown) {
                let name = &names[place];
                let title = format!("swarm mode draws no fault called `{name}`");
                let label = match nearest(name, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the faults are {}", known.join(", ")),
                };
                return Some(Flaw::at(place, title).within(field).label(label));
            }
        }
        let is_in = |name: &String| self.only.as_ref().is_none_or(|only| only.contains(name));
        if let Some(place) = self.without.iter().position(|name| !is_in(name)) {
            let title = format!("`{}` is not drawn anyway", self.without[place]);
            let label = "`only` does not name it";
            return Some(Flaw::at(place, title).within("without").label(label));
        }
        if !known.iter().any(|kind| self.takes(kind)) {
            let field = if self.only.is_some() { "only" } else { "without" };
            return Some(Flaw::at(field, "this leaves no fault that could be drawn"));
        }
        let (least, most) = self.count;
        if least > most || !(1..=COUNT_MAX).contains(&most) {
            let title = "this is given as (least, most), and most is from 1 to 100";
            return Some(Flaw::at("count", title));
        }
        if self.lasts.0 > self.lasts.1 || self.lasts.1.is_zero() {
            return Some(Flaw::at("lasts", "this is given as (shortest, longest)"));
        }
        let nobody = self.nodes.as_ref().is_some_and(Vec::is_empty);
        nobody.then(|| Flaw::at("nodes", "there is nobody whom a fault could befall"))
    }

    /// The faults of one seed. Each kind draws from a stream of its own, so that a new kind moves
    /// nobody else's.
    pub fn draw(&self, scenario: &Scenario, variant: &Variant, seed: u64) -> Drawn {
        let place = Place::of(self, scenario, variant);
        let mut drawn = Drawn { faults: Vec::new(), text: String::new() };
        for (kind, template) in reference::swarm() {
            let mut rng = Rng::new(seed, &format!("swarm/{kind}"));
            if !rng.chance(self.share) || !self.takes(&kind) {
                continue;
            }
            for number in 1..=between(&mut rng, self.count.0.into(), self.count.1.into()) {
                let Some(what) = place.fill(&template, &mut rng) else { break };
                let text = self.timed(&what, &variant.phases, &mut rng);
                let fault = read_fault(scenario, &Source::new("swarm", text.as_str()));
                // A template that cannot be read is a mistake of ours, and a test looks for it.
                let Ok(fault) = fault else { break };
                let name = format!("swarm {kind} {number}");
                drawn.text += &format!("\"{name}\": {text},\n");
                drawn.faults.push((name, fault));
            }
        }
        drawn
    }

    /// The fault, some time in the window of faults.
    fn timed(&self, what: &str, phases: &Phases, rng: &mut Rng) -> String {
        let millis = |span: Span| span.0 / Span::MILLISECOND.0;
        let (opens, closes) = phases.windows().faults;
        let last = closes.0.saturating_sub(self.lasts.0.0).max(opens.0 + 1) - 1;
        let at = between(rng, millis(Span(opens.0)), millis(Span(last)));
        let lasts = between(rng, millis(self.lasts.0).max(1), millis(self.lasts.1).max(1));
        format!("(what: {what}, at: \"{at}ms\", for: \"{lasts}ms\")")
    }
}

/// Uniform, both included.
fn between(rng: &mut Rng, least: u64, most: u64) -> u64 {
    least + rng.below(most.saturating_sub(least) + 1)
}

/// Whom faults may befall.
struct Place<'a> {
    nodes: Vec<&'a str>,
    /// Those of them that write to their disks.
    logs: Vec<&'a str>,
    /// Is there a link that may bring a message twice?
    has_datagrams: bool,
    zones: Vec<&'a str>,
    hosts: Vec<&'a str>,
}

impl<'a> Place<'a> {
    fn of(swarm: &Swarm, scenario: &'a Scenario, variant: &'a Variant) -> Place<'a> {
        let is_meant = |place: usize, spec: &Spec| match &swarm.nodes {
            None => !matches!(spec, Spec::Client(_)),
            Some(nodes) => nodes.contains(&NodeId(place as u32)),
        };
        let numbered = variant.nodes.iter().enumerate();
        let chosen: Vec<(&str, &Spec)> = numbered
            .filter_map(|(place, spec)| Some((place, spec.as_ref()?)))
            .filter(|(place, spec)| is_meant(*place, spec))
            .map(|(place, spec)| (scenario.names[place].as_str(), spec))
            .collect();
        let writers = chosen.iter().filter(|(_, spec)| spec.offers().logs);
        let network = &variant.network;
        let transports = network.links.iter().filter_map(|link| link.transport);
        let mut transports = transports.chain([network.transport]);
        Place {
            nodes: chosen.iter().map(|(name, _)| *name).collect(),
            logs: writers.map(|(name, _)| *name).collect(),
            has_datagrams: transports.any(|one| one == Transport::Datagram),
            zones: network.zones.iter().map(|zone| zone.name.as_str()).collect(),
            hosts: network.hosts.iter().map(|host| host.name.as_str()).collect(),
        }
    }

    /// A template with what is drawn in the place of each `{…}`; `None` if there is nobody whom it
    /// could befall.
    fn fill(&self, template: &str, rng: &mut Rng) -> Option<String> {
        let mut text = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let (hole, behind) = after.split_once('}')?;
            text += before;
            text += &self.hole(hole, rng)?;
            rest = behind;
        }
        Some(text + rest)
    }

    fn hole(&self, hole: &str, rng: &mut Rng) -> Option<String> {
        let one = |of: &[&str], rng: &mut Rng| {
            let place = rng.below((of.len() as u64).max(1)) as usize;
            of.get(place).map(|name| format!("\"{name}\""))
        };
        match hole {
            "node" => one(&self.nodes, rng),
            "log" => one(&self.logs, rng),
            "zone" => one(&self.zones, rng),
            "host" => one(&self.hosts, rng),
            "bool" => Some((rng.below(2) == 1).to_string()),
            "links" => self.links(rng),
            // A stream throws copies away.
            "datagrams" if !self.has_datagrams => None,
            "datagrams" => self.links(rng),
            range => {
                let (least, most) = range.split_once("..")?;
                Some(between(rng, least.parse().ok()?, most.parse().ok()?).to_string())
            }
        }
    }

    /// Some links: all, those around a node, or those between two groups.
    fn links(&self, rng: &mut Rng) -> Option<String> {
        let around = rng.below((self.nodes.len() as u64).max(1)) as usize;
        let around = self.nodes.get(around)?;
        let (left, right): (Vec<&str>, Vec<&str>) =
            self.nodes.iter().partition(|node| *node == around || rng.below(2) == 1);
        let list = |nodes: &[&str]| format!("[\"{}\"]", nodes.join("\", \""));
        Some(match rng.below(4) {
            0 => "All".to_owned(),
            2 if !right.is_empty() => format!("Between({}, {})", list(&left), list(&right)),
            3 if !right.is_empty() => format!("OneWay({}, {})", list(&left), list(&right)),
            _ => format!("Around(\"{around}\")"),
        })
    }
}
