//! Rolling restarts and upgrades: the instances of an address are stopped and started a few at a
//! time, the next ones when those serve again.

use std::collections::VecDeque;

use super::spec::{Farewell, RollSpec};
use super::tick::{Tick, set};
use super::{rise, stop};
use crate::engine::{NodeId, Span};
use crate::world::Sim;

/// A roll that is under way, or was.
pub(super) struct Roll {
    fault: u32,
    spec: RollSpec,
    /// Do they come back in their next version?
    upgrades: bool,
    waiting: VecDeque<NodeId>,
    /// Those that are away, and whether each has still to stop.
    away: Vec<(NodeId, bool)>,
    /// Those that serve again and whose pause is not over.
    resting: u32,
}

/// A roll over these nodes begins.
pub(crate) fn begin_roll(
    sim: &mut Sim,
    fault: u32,
    nodes: Vec<NodeId>,
    (spec, upgrades): (RollSpec, bool),
) {
    let index = sim.with(|state| {
        let (waiting, away) = (nodes.into(), Vec::new());
        state.env.lives.rolls.push(Roll { fault, spec, upgrades, waiting, away, resting: 0 });
        state.env.lives.rolls.len() as u32 - 1
    });
    stop_next(sim, index);
}

/// No further node is stopped for this fault; those that are away come back.
pub(crate) fn end_roll(sim: &mut Sim, fault: u32) {
    sim.with(|state| {
        let ours = state.env.lives.rolls.iter_mut().filter(|roll| roll.fault == fault);
        ours.for_each(|roll| roll.waiting.clear());
    });
}

/// The pause after a node is over.
pub(super) fn go_on(sim: &mut Sim, index: u32) {
    sim.with(|state| state.env.lives.rolls[index as usize].resting -= 1);
    stop_next(sim, index);
}

fn stop_next(sim: &mut Sim, index: u32) {
    loop {
        let next = sim.with(|state| {
            let roll = &mut state.env.lives.rolls[index as usize];
            let busy = roll.away.len() as u32 + roll.resting;
            if busy >= roll.spec.unavailable {
                return None;
            }
            let next = roll.waiting.pop_front()?;
            roll.away.push((next, true));
            let RollSpec { pre_stop, grace, .. } = roll.spec;
            Some((next, Farewell { pre_stop, grace }))
        });
        let Some((node, farewell)) = next else { return };
        stop(sim, node, farewell);
    }
}

/// A node has come to the end of a stop: if a roll wanted that, it starts again.
pub(super) fn down(sim: &mut Sim, node: NodeId) {
    let roll = sim.with(|state| {
        state.env.lives.rolls.iter_mut().find_map(|roll| {
            let away = roll.away.iter_mut().find(|away| **away == (node, true))?;
            away.1 = false;
            Some(roll.upgrades)
        })
    });
    let Some(upgrades) = roll else { return };
    if upgrades {
        let upgrade = sim.with(|state| state.env.groups.upgrade_of(node));
        if let Some(upgrade) = upgrade {
            upgrade(sim, node);
        }
    }
    rise(sim, node);
}

/// A node serves again.
pub(super) fn serves(sim: &mut Sim, node: NodeId) {
    sim.with(|state| {
        let rolls = state.env.lives.rolls.iter_mut().enumerate();
        let found = rolls.filter_map(|(index, roll)| {
            let place = roll.away.iter().position(|away| *away == (node, false))?;
            roll.away.remove(place);
            roll.resting += 1;
            Some((index as u32, roll.spec.pause))
        });
        let found: Vec<(u32, Span)> = found.collect();
        for (index, pause) in found {
            let at = state.now() + pause;
            set(state, at, Tick::Roll(index));
        }
    });
}
