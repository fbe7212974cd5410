//! Faults as data: what befalls which nodes or links, when, and for how long.
//!
//! A fault is turned on and off by events of the run (`schedule`, `trigger`); while it is on, the
//! world answers differently. Each draws from a random stream of its own, named after it, so adding
//! one moves no other draw.

mod clocks;
mod disks;
mod injection;
mod inner;
mod lifecycle;
mod schedule;
mod slowness;
mod storms;
mod targets;
mod trigger;
mod weather;
mod whom;

pub use injection::Injection;
pub use inner::AfterFailure;
pub use schedule::{FaultSpec, Phase, Windows};
pub(crate) use schedule::{join, schedule};
pub use slowness::SlowSpec;
pub use targets::Targets;
pub use trigger::Trigger;
pub(crate) use trigger::noted;
pub(super) use weather::{Block, Weather};

use super::{Sim, World, facts, machine, note};
use crate::engine::{Factor, Name, NodeId, Rng, State, Status, Time};
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
    /// How many instances there were before it, if it is about their number.
    before: u32,
}

/// The faults of a run.
#[derive(Default)]
pub(crate) struct Injections {
    all: Vec<Active>,
    /// Faults of kind `Errors` that are on now, with their nodes.
    errors: Vec<(NodeId, u32)>,
    /// Slow-downs that are on now and about some requests only.
    narrow: Vec<slowness::Narrow>,
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
        Injection::Pause { .. } => victims.into_iter().for_each(|node| freeze(sim, node)),
        Injection::Slow(spec) if spec.is_narrow() => sim.with(|state| {
            slowness::turn(state, (index, spec), victims, ends);
        }),
        Injection::Slow(_) => sim.with(|state| {
            victims.into_iter().for_each(|node| hasten(state, node));
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
        what => lifecycle::turn(sim, index, &what, victims, ends),
    }
}

/// How many faults of a kind are on for a node.
fn count(injections: &Injections, at: NodeId, is: impl Fn(&Injection) -> bool) -> usize {
    let ours = injections.all.iter().filter(|fault| fault.on && fault.victims.contains(&at));
    ours.filter(|fault| is(&fault.spec.what)).count()
}

fn pauses(injections: &Injections, at: NodeId) -> usize {
    count(injections, at, |what| matches!(what, Injection::Pause { .. }))
}

/// All slow-downs of a node as a whole that are on, multiplied.
fn speed(injections: &Injections, at: NodeId) -> Factor {
    let ours = injections.all.iter().filter(|fault| fault.on && fault.victims.contains(&at));
    ours.fold(Factor::ONE, |product, fault| match &fault.spec.what {
        Injection::Slow(spec) if !spec.is_narrow() => product.times(spec.factor),
        _ => product,
    })
}

/// Brings the speed of a node's machine to what slow-downs and its youth make of it.
pub(super) fn hasten(state: &mut State<World>, node: NodeId) {
    let factor = speed(&state.env.injections, node).times(state.env.lives.factor(node));
    machine::set_speed(state, node, factor);
}

/// Brings a node that is up to the state that the pauses which are on ask for.
pub(super) fn freeze(sim: &mut Sim, node: NodeId) {
    let (status, pauses) = sim.with(|state| {
        let freezes = state.env.lives.freezes(node) as usize;
        (state.status(node), pauses(&state.env.injections, node) + freezes)
    });
    let what = match status {
        Status::Up if pauses > 0 => {
            sim.pause(node);
            facts::PAUSED
        }
        Status::Paused if pauses == 0 => {
            sim.resume(node);
            facts::RESUMED
        }
        _ => return,
    };
    sim.with(|state| {
        machine::set_paused(state, node, pauses > 0);
        note(state, node, what, 0);
    });
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
        let (window, ends, before) = ((Time(0), Time::MAX), Time::MAX, 0);
        let victims = what.node().into_iter().collect();
        let spec = FaultSpec::at(what, Span::ZERO);
        Active { spec, rng, when, window, on, victims, ends, before }
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
    fn slow_downs_that_are_on_multiply_and_pauses_count() {
        let [a, b, _] = NODES;
        let narrow = |node, factor, operation| {
            let factor = Factor::from_thousandths(factor).unwrap();
            Injection::Slow(SlowSpec { node, factor, operation, caller: None })
        };
        let slow = |node, factor| narrow(node, factor, None);
        let all = vec![
            active(slow(a, 2_000), true),
            active(slow(a, 1_500), true),
            active(slow(a, 9_000), false),
            active(slow(b, 5_000), true),
            active(narrow(a, 7_000, Some(READ)), true),
            active(Injection::Pause { node: a }, true),
        ];
        let injections = Injections { all, ..Injections::default() };
        assert_eq!(speed(&injections, a).thousandths(), 3_000);
        assert_eq!((pauses(&injections, a), pauses(&injections, b)), (1, 0));
    }
}
