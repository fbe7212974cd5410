//! Faults as data: what befalls which nodes or links, when, and for how long.
//!
//! A fault is turned on and off by events of the run (`schedule`, `trigger`); while it is on, the
//! world answers differently. Each draws from a random stream of its own, named after it, so adding
//! one moves no other draw.

mod clocks;
mod disks;
mod injection;
mod inner;
mod schedule;
mod storms;
mod targets;
mod trigger;
mod weather;

pub use injection::Injection;
pub use inner::AfterFailure;
pub use schedule::{FaultSpec, Phase, Windows};
pub(crate) use schedule::{join, schedule};
pub use targets::Targets;
pub use trigger::Trigger;
pub(crate) use trigger::noted;
pub(super) use weather::{Block, Weather};

use super::{Sim, disk, facts, machine, network, note};
use crate::engine::{Factor, Name, NodeId, Rng, Status, Time};
use targets::{Reach, reach};
use trigger::Watch;

/// One fault of a run.
struct Active {
    spec: FaultSpec,
    /// For what it draws while it is on.
    rng: Rng,
    /// For when it comes and goes, so that the times do not depend on what it does.
    when: Rng,
    /// It is on only within these.
    window: (Time, Time),
    on: bool,
    /// Whom it befalls while it is on.
    victims: Vec<NodeId>,
    /// When it ends, if it is on.
    ends: Time,
}

/// The faults of a run.
#[derive(Default)]
pub(crate) struct Injections {
    all: Vec<Active>,
    /// Faults of kind `Errors` that are on now, with their nodes.
    errors: Vec<(NodeId, u32)>,
    /// What faults wait for.
    watches: Vec<Watch>,
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

/// The time of a fault has come.
pub(crate) fn turn(sim: &mut Sim, control: u32) {
    let (index, ends) = (control >> 1, control & 1 == 1);
    let turned = sim.with(|state| schedule::turn(state, index, ends));
    let Some((what, victims)) = turned else { return };
    match what {
        Injection::Crash { host, .. } => {
            victims.into_iter().for_each(|node| crash(sim, node, host, ends));
        }
        Injection::Pause { .. } => victims.into_iter().for_each(|node| pause(sim, node)),
        Injection::Slow { .. } => sim.with(|state| {
            for node in victims {
                let factor = speed(&state.env.injections, node);
                machine::set_speed(state, node, factor);
            }
        }),
        Injection::Errors { .. } => sim.with(|state| {
            let errors = &mut state.env.injections.errors;
            errors.retain(|(_, known)| *known != index);
            errors.extend(victims.into_iter().filter(|_| !ends).map(|node| (node, index)));
            errors.sort_by_key(|(_, index)| *index);
        }),
        what if what.is_of_clock() => sim.with(|state| {
            victims.into_iter().for_each(|node| clocks::turn(state, node, (&what, index), ends));
        }),
        what if what.is_of_disk() => sim.with(|state| {
            victims.into_iter().for_each(|node| disks::turn(state, node, index, ends));
        }),
        what if what.links().is_some() || what.is_of_names() => {
            sim.with(|state| storms::turn(state, index, what, ends));
        }
        _ => {}
    }
}

/// How many faults of a kind are on for a node.
fn count(injections: &Injections, at: NodeId, is: impl Fn(&Injection) -> bool) -> usize {
    let ours = injections.all.iter().filter(|fault| fault.on && fault.victims.contains(&at));
    ours.filter(|fault| is(&fault.spec.what)).count()
}

fn crashes(injections: &Injections, at: NodeId) -> usize {
    count(injections, at, |what| matches!(what, Injection::Crash { .. }))
}

fn pauses(injections: &Injections, at: NodeId) -> usize {
    count(injections, at, |what| matches!(what, Injection::Pause { .. }))
}

/// All slow-downs of a node that are on, multiplied.
fn speed(injections: &Injections, at: NodeId) -> Factor {
    let ours = injections.all.iter().filter(|fault| fault.on && fault.victims.contains(&at));
    ours.fold(Factor::ONE, |product, fault| match &fault.spec.what {
        Injection::Slow { factor, .. } => product.times(*factor),
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
            network::crashed(state, node, host);
            machine::crash(state, node);
            disk::crash(state, node);
            note(state, node, facts::CRASHED, 0);
        });
    } else if ends && crashes == 0 {
        sim.with(|state| {
            state.env.network.restarted(node);
            note(state, node, facts::RESTARTED, 0);
        });
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
    use crate::engine::{Ratio, Span};

    const NODES: [NodeId; 3] = [NodeId(0), NodeId(1), NodeId(2)];
    const READ: Name = Name::of("read");
    const WRITE: Name = Name::of("write");

    fn active(what: Injection, on: bool) -> Active {
        let (rng, when) = (Rng::new(1, "fault"), Rng::new(1, "fault/when"));
        let (window, ends) = ((Time(0), Time::MAX), Time::MAX);
        let victims = what.node().into_iter().collect();
        Active { spec: FaultSpec::at(what, Span::ZERO), rng, when, window, on, victims, ends }
    }

    #[test]
    fn errors_are_about_one_node_and_one_operation() {
        let [a, b, _] = NODES;
        let what = Injection::Errors { node: a, operation: Some(WRITE), rate: Ratio::ONE };
        let all = vec![active(what, true)];
        let mut injections = Injections { all, errors: vec![(a, 0)], ..Injections::default() };
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
        let injections = Injections { all, ..Injections::default() };
        assert_eq!(speed(&injections, a).thousandths(), 3_000);
        assert_eq!((crashes(&injections, a), pauses(&injections, a)), (2, 1));
        assert_eq!((crashes(&injections, b), pauses(&injections, b)), (0, 0));
    }
}
