//! Faults as data: what befalls which nodes or links, when, and for how long.
//!
//! A fault is turned on and off by events of the run; while it is on, the world answers
//! differently. Each draws from a random stream of its own, named after it, so adding one moves no
//! other draw.

use serde::Deserialize;

use super::{Sim, World, facts, machine, note};
use crate::engine::{Dist, Factor, Name, NodeId, Ratio, Rng, Span, State, Status, Time};

/// A fault of a scenario: what, and when.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultSpec {
    /// What happens.
    pub what: Injection,
    /// When it begins, counted from the start of the run.
    pub at: Span,
    /// For how long. Default: to the end of the faults' phase.
    #[serde(default, rename = "for")]
    pub lasts: Option<Span>,
    /// Again each time this has passed, counted from beginning to beginning. Default: once.
    #[serde(default)]
    pub every: Option<Span>,
}

/// What a fault does while it is on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Injection {
    /// The node's process dies: its tasks and its memory are gone, of its disk what was synced
    /// stays, and its connections break. When the fault ends it starts again and recovers.
    Crash {
        /// Which node.
        node: NodeId,
        /// Does the whole host go, so that nobody refuses or resets connections and callers meet
        /// only silence? Default: false.
        #[serde(default)]
        host: bool,
    },
    /// The node is frozen, as in a long garbage collection: what reaches it waits, its timers are
    /// late, its memory is intact.
    Pause {
        /// Which node.
        node: NodeId,
    },
    /// The node's machine takes longer for everything.
    Slow {
        /// Which node.
        node: NodeId,
        /// How many times as long.
        factor: Factor,
    },
    /// Operations of the node fail before they have changed anything.
    Errors {
        /// Which node.
        node: NodeId,
        /// Which operation. Default: all.
        #[serde(default)]
        operation: Option<Name>,
        /// How often.
        rate: Ratio,
    },
    /// Messages take longer.
    Latency {
        /// Between which nodes.
        links: Targets,
        /// By how much.
        add: Dist,
    },
    /// Packets are lost: a stream sends them again, datagrams are gone.
    Loss {
        /// Between which nodes.
        links: Targets,
        /// How often.
        rate: Ratio,
    },
    /// No packet passes. A stream keeps trying until the partition heals or it gives up.
    Partition {
        /// Between which nodes.
        links: Targets,
    },
}

impl Injection {
    /// The node that it befalls; `None` for a fault of the network.
    pub fn node(&self) -> Option<NodeId> {
        match self {
            Injection::Crash { node, .. }
            | Injection::Pause { node }
            | Injection::Slow { node, .. }
            | Injection::Errors { node, .. } => Some(*node),
            Injection::Latency { .. } | Injection::Loss { .. } | Injection::Partition { .. } => {
                None
            }
        }
    }

    fn links(&self) -> Option<&Targets> {
        match self {
            Injection::Latency { links, .. }
            | Injection::Loss { links, .. }
            | Injection::Partition { links } => Some(links),
            _ => None,
        }
    }
}

/// Which links a network fault is about.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Targets {
    /// Every link.
    All,
    /// Every link from or to this node.
    Around(NodeId),
    /// From any of the first to any of the second, and back.
    Between(Vec<NodeId>, Vec<NodeId>),
    /// From any of the first to any of the second, but not back.
    OneWay(Vec<NodeId>, Vec<NodeId>),
}

impl Targets {
    /// Is the link from `from` to `to` among them?
    pub fn covers(&self, from: NodeId, to: NodeId) -> bool {
        match self {
            Targets::All => true,
            Targets::Around(node) => from == *node || to == *node,
            Targets::OneWay(sources, sinks) => sources.contains(&from) && sinks.contains(&to),
            Targets::Between(left, right) => {
                left.contains(&from) && right.contains(&to)
                    || right.contains(&from) && left.contains(&to)
            }
        }
    }
}

/// One fault of a run.
struct Active {
    spec: FaultSpec,
    rng: Rng,
    on: bool,
}

/// The faults of a run.
#[derive(Default)]
pub(crate) struct Injections {
    all: Vec<Active>,
    /// Faults of kind `Errors` that are on now, with their nodes.
    errors: Vec<(NodeId, u32)>,
    /// No fault begins again from here on; those that are on end.
    quiet: Time,
}

impl Injections {
    /// Does an operation of `node` fail now?
    #[inline]
    pub fn errs(&mut self, node: NodeId, verb: Name) -> bool {
        let mut fails = false;
        for &(_, index) in self.errors.iter().filter(|(at, _)| *at == node) {
            let fault = &mut self.all[index as usize];
            if let Injection::Errors { operation, rate, .. } = &fault.spec.what
                && operation.is_none_or(|operation| operation == verb)
            {
                fails |= fault.rng.chance(*rate);
            }
        }
        fails
    }
}

/// What the network suffers from at present.
#[derive(Default)]
pub(crate) struct Weather {
    storms: Vec<Storm>,
    dark: bool,
}

struct Storm {
    index: u32,
    what: Injection,
    rng: Rng,
}

impl Weather {
    #[inline]
    pub fn is_calm(&self) -> bool {
        self.storms.is_empty() && !self.dark
    }

    pub fn set_dark(&mut self, dark: bool) {
        self.dark = dark;
    }

    /// What happens to a packet on this link: the added latency and whether it is lost; `None` if
    /// nothing passes.
    pub fn judge(&mut self, from: NodeId, to: NodeId) -> Option<(Span, bool)> {
        let (mut added, mut lost) = (Span::ZERO, false);
        for storm in &mut self.storms {
            match &storm.what {
                Injection::Latency { links, add } if links.covers(from, to) => {
                    added += add.sample(&mut storm.rng);
                }
                // A link that loses everything is cut for as long as it does.
                Injection::Loss { links, rate } if rate.is_one() && links.covers(from, to) => {
                    return None;
                }
                Injection::Loss { links, rate } if links.covers(from, to) => {
                    lost |= storm.rng.chance(*rate);
                }
                Injection::Partition { links } if links.covers(from, to) => return None,
                _ => {}
            }
        }
        Some((added, lost))
    }
}

/// Adds the faults of a scenario, by name, and schedules them. From `quiet` on none begins, and
/// those that are on end: the system must then converge.
pub(crate) fn schedule(sim: &mut Sim, faults: &[(String, FaultSpec)], quiet: Time) {
    let seed = sim.seed();
    sim.with(|state| {
        state.env.injections.quiet = quiet;
        for (index, (name, spec)) in faults.iter().enumerate() {
            let rng = Rng::new(seed, &format!("fault/{name}"));
            state.env.injections.all.push(Active { spec: spec.clone(), rng, on: false });
            begin_at(state, index as u32, Time(0) + spec.at);
        }
    });
}

fn begin_at(state: &mut State<World>, index: u32, at: Time) {
    if at < state.env.injections.quiet {
        state.set_control(at, index << 1);
    }
}

/// A fault begins or ends.
pub(crate) fn turn(sim: &mut Sim, control: u32) {
    let (index, ends) = (control >> 1, control & 1 == 1);
    let what = sim.with(|state| {
        let now = state.now();
        let quiet = state.env.injections.quiet;
        let fault = &mut state.env.injections.all[index as usize];
        fault.on = !ends;
        let (what, spec) = (fault.spec.what.clone(), fault.spec.clone());
        if !ends {
            let end = spec.lasts.map_or(quiet, |lasts| (now + lasts).min(quiet));
            state.set_control(end, control | 1);
            if let Some(every) = spec.every {
                begin_at(state, index, now + every);
            }
        }
        let fact = if ends { facts::FAULT_ENDS } else { facts::FAULT_BEGINS };
        note(state, what.node().unwrap_or(facts::NETWORK), fact, u64::from(index));
        what
    });
    match what {
        Injection::Crash { node, host } => crash(sim, node, host, ends),
        Injection::Pause { node } => pause(sim, node),
        Injection::Slow { node, .. } => {
            sim.with(|state| {
                let factor = speed(&state.env.injections, node);
                machine::set_speed(state, node, factor);
            });
        }
        Injection::Errors { node, .. } => sim.with(|state| {
            let errors = &mut state.env.injections.errors;
            errors.retain(|(_, known)| *known != index);
            errors.extend((!ends).then_some((node, index)));
            errors.sort_by_key(|(_, index)| *index);
        }),
        what if what.links().is_some() => sim.with(|state| {
            let rng = &mut state.env.injections.all[index as usize].rng;
            let storms = &mut state.env.network.weather.storms;
            match storms.iter().position(|storm| storm.index == index) {
                Some(place) if ends => *rng = storms.remove(place).rng,
                None if !ends => storms.push(Storm { index, what, rng: rng.clone() }),
                _ => {}
            }
        }),
        _ => {}
    }
}

/// How many faults of a kind are on for a node.
fn count(injections: &Injections, is: impl Fn(&Injection) -> bool) -> usize {
    injections.all.iter().filter(|fault| fault.on && is(&fault.spec.what)).count()
}

fn crashes(injections: &Injections, at: NodeId) -> usize {
    count(injections, |what| matches!(what, Injection::Crash { node, .. } if *node == at))
}

fn pauses(injections: &Injections, at: NodeId) -> usize {
    count(injections, |what| matches!(what, Injection::Pause { node } if *node == at))
}

/// All slow-downs of a node that are on, multiplied.
fn speed(injections: &Injections, at: NodeId) -> Factor {
    injections.all.iter().filter(|fault| fault.on).fold(Factor::ONE, |product, fault| match &fault
        .spec
        .what
    {
        Injection::Slow { node, factor } if *node == at => product.times(*factor),
        _ => product,
    })
}

/// A crash begins or ends. Of crashes that overlap, the first takes the node down and the last lets
/// it start again.
fn crash(sim: &mut Sim, node: NodeId, host: bool, ends: bool) {
    let crashes = sim.with(|state| {
        if host {
            state.env.network.set_dark(node, !ends);
        }
        crashes(&state.env.injections, node)
    });
    if !ends && crashes == 1 {
        sim.crash(node);
        sim.with(|state| {
            machine::crash(state, node);
            state.env.drives[node.index()].crash();
            note(state, node, facts::CRASHED, 0);
        });
    } else if ends && crashes == 0 {
        sim.with(|state| note(state, node, facts::RESTARTED, 0));
        sim.boot(node);
        pause(sim, node);
    }
}

/// Brings a node that is up to the state that the pauses which are on ask for.
fn pause(sim: &mut Sim, node: NodeId) {
    let (status, pauses) =
        sim.with(|state| (state.status(node), pauses(&state.env.injections, node)));
    match status {
        Status::Up if pauses > 0 => sim.pause(node),
        Status::Paused if pauses == 0 => sim.resume(node),
        _ => return,
    }
    sim.with(|state| machine::set_paused(state, node, pauses > 0));
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODES: [NodeId; 3] = [NodeId(0), NodeId(1), NodeId(2)];
    const READ: Name = Name::of("read");
    const WRITE: Name = Name::of("write");

    #[test]
    fn targets_cover_the_links_that_they_say() {
        let [a, b, c] = NODES;
        let covered = |targets: Targets| -> Vec<(u32, u32)> {
            let pairs = NODES.iter().flat_map(|from| NODES.iter().map(move |to| (*from, *to)));
            let ours = pairs.filter(|(from, to)| from != to && targets.covers(*from, *to));
            ours.map(|(from, to)| (from.0, to.0)).collect()
        };
        assert_eq!(covered(Targets::All).len(), 6);
        assert_eq!(covered(Targets::Around(b)), [(0, 1), (1, 0), (1, 2), (2, 1)]);
        assert_eq!(
            covered(Targets::Between(vec![a], vec![b, c])),
            [(0, 1), (0, 2), (1, 0), (2, 0)]
        );
        assert_eq!(covered(Targets::OneWay(vec![a, b], vec![c])), [(0, 2), (1, 2)]);
    }

    fn active(what: Injection, on: bool) -> Active {
        let spec = FaultSpec { what, at: Span::ZERO, lasts: None, every: None };
        Active { spec, rng: Rng::new(1, "fault"), on }
    }

    fn weather(faults: Vec<Injection>) -> Weather {
        let storm = |what| Storm { index: 0, what, rng: Rng::new(1, "storm") };
        Weather { storms: faults.into_iter().map(storm).collect(), dark: false }
    }

    fn later(millis: u64, links: Targets) -> Injection {
        Injection::Latency { links, add: Dist::constant(Span::from_millis(millis)) }
    }

    #[test]
    fn latencies_add_up_and_a_partition_lets_nothing_pass() {
        let [a, b, c] = NODES;
        let to_b = || Targets::OneWay(vec![a], vec![b]);
        let mut weather = weather(vec![later(3, Targets::All), later(4, to_b())]);
        assert_eq!(weather.judge(a, b), Some((Span::from_millis(7), false)));
        assert_eq!(weather.judge(a, c), Some((Span::from_millis(3), false)));
        let cut = Storm {
            index: 2,
            what: Injection::Partition { links: to_b() },
            rng: Rng::new(1, "cut"),
        };
        weather.storms.push(cut);
        assert_eq!((weather.judge(a, b), weather.judge(b, a).is_some()), (None, true));
    }

    #[test]
    fn loss_is_drawn_and_losing_everything_is_a_partition() {
        let [a, b, _] = NODES;
        let loss = |rate| Injection::Loss { links: Targets::All, rate };
        let mut half = weather(vec![loss(Ratio::new(1, 2).unwrap())]);
        let lost = (0..1000).filter(|_| half.judge(a, b).is_some_and(|(_, lost)| lost)).count();
        assert!((420..580).contains(&lost), "{lost}");
        assert_eq!(weather(vec![loss(Ratio::ONE)]).judge(a, b), None);
        assert_eq!(weather(vec![loss(Ratio::ZERO)]).judge(a, b), Some((Span::ZERO, false)));
    }

    #[test]
    fn errors_are_about_one_node_and_one_operation() {
        let [a, b, _] = NODES;
        let what = Injection::Errors { node: a, operation: Some(WRITE), rate: Ratio::ONE };
        let all = vec![active(what, true)];
        let mut injections = Injections { all, errors: vec![(a, 0)], quiet: Time::MAX };
        assert!(injections.errs(a, WRITE));
        assert!(!injections.errs(a, READ) && !injections.errs(b, WRITE));
        injections.errors.clear();
        assert!(!injections.errs(a, WRITE), "it is over");
    }

    #[test]
    fn slow_downs_that_are_on_multiply_and_crashes_count() {
        let [a, b, _] = NODES;
        let slow = |node, factor| Injection::Slow {
            node,
            factor: Factor::from_thousandths(factor).unwrap(),
        };
        let all = vec![
            active(slow(a, 2_000), true),
            active(slow(a, 1_500), true),
            active(slow(a, 9_000), false),
            active(slow(b, 5_000), true),
            active(Injection::Crash { node: a, host: false }, true),
            active(Injection::Crash { node: a, host: true }, true),
            active(Injection::Pause { node: a }, true),
        ];
        let injections = Injections { all, errors: vec![], quiet: Time::MAX };
        assert_eq!(speed(&injections, a).thousandths(), 3_000);
        assert_eq!((crashes(&injections, a), pauses(&injections, a)), (2, 1));
        assert_eq!((crashes(&injections, b), pauses(&injections, b)), (0, 0));
    }
}
