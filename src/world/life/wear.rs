//! Random failures: by mean time to failure and repair, and attrition that keeps enough alive.

use super::tick::{Tick, crash, set};
use super::{freeze, rise};
use crate::engine::{Dist, NodeId, Rng};
use crate::world::Sim;

/// How nodes fail by chance.
#[derive(Clone, Debug)]
pub(crate) enum Wear {
    /// Each unit for itself: how long it is well, and how long it is not.
    Failures {
        well: Dist,
        broken: Dist,
        /// Does it freeze instead of crashing?
        freezes: bool,
    },
    /// Now and then one of the nodes, as long as more than so many serve.
    Attrition { keep: u32, every: Dist, down: Dist },
}

/// A wear that is on, or was.
pub(super) struct Worn {
    fault: u32,
    wear: Wear,
    is_on: bool,
    /// What fails together: each with its random stream.
    units: Vec<(Vec<NodeId>, Rng)>,
    /// The units that are broken now.
    broken: Vec<u32>,
}

/// A wear begins. Of attrition every unit is one node, and the first one's stream is that of all.
pub(crate) fn begin_wear(sim: &mut Sim, fault: u32, wear: Wear, units: Vec<(Vec<NodeId>, Rng)>) {
    let (count, index) = sim.with(|state| {
        let count = units.len() as u32;
        let worn = Worn { fault, wear: wear.clone(), is_on: true, units, broken: Vec::new() };
        state.env.lives.wears.push(worn);
        (count, state.env.lives.wears.len() as u32 - 1)
    });
    match wear {
        Wear::Failures { well, .. } => (0..count).for_each(|unit| {
            plan(sim, index, unit, &well, Tick::Break(index, unit));
        }),
        Wear::Attrition { every, .. } => plan(sim, index, 0, &every, Tick::Strike(index)),
    }
}

/// The wears of a fault are over: what is broken is repaired.
pub(crate) fn end_wear(sim: &mut Sim, fault: u32) {
    let broken: Vec<(u32, u32)> = sim.with(|state| {
        let ours = state.env.lives.wears.iter_mut().enumerate();
        let ours = ours.filter(|(_, worn)| worn.fault == fault && worn.is_on);
        let broken = ours.flat_map(|(index, worn)| {
            worn.is_on = false;
            worn.broken.iter().map(move |unit| (index as u32, *unit)).collect::<Vec<_>>()
        });
        broken.collect()
    });
    for (index, unit) in broken {
        repaired(sim, index, unit);
    }
}

/// Draws a span from a unit's stream and plans what comes then.
fn plan(sim: &mut Sim, index: u32, unit: u32, span: &Dist, tick: Tick) {
    sim.with(|state| {
        let Some((_, rng)) = state.env.lives.wears[index as usize].units.get_mut(unit as usize)
        else {
            return;
        };
        let after = span.sample(rng);
        let at = state.now() + after;
        set(state, at, tick);
    });
}

/// A unit breaks.
pub(super) fn breaks(sim: &mut Sim, index: u32, unit: u32) {
    let found = sim.with(|state| {
        let worn = &mut state.env.lives.wears[index as usize];
        let nodes = worn.units[unit as usize].0.clone();
        (worn.is_on && !worn.broken.contains(&unit)).then(|| {
            worn.broken.push(unit);
            (nodes, worn.wear.clone())
        })
    });
    let Some((nodes, wear)) = found else { return };
    for node in nodes {
        match wear {
            Wear::Failures { freezes: true, .. } => freeze(sim, node, true),
            _ => crash(sim, node),
        }
    }
    let (stream, span) = match &wear {
        Wear::Failures { broken, .. } => (unit, broken),
        Wear::Attrition { down, .. } => (0, down),
    };
    plan(sim, index, stream, span, Tick::Repair(index, unit));
}

/// A unit is repaired.
pub(super) fn repaired(sim: &mut Sim, index: u32, unit: u32) {
    let found = sim.with(|state| {
        let worn = &mut state.env.lives.wears[index as usize];
        let place = worn.broken.iter().position(|broken| *broken == unit)?;
        worn.broken.remove(place);
        Some((worn.units[unit as usize].0.clone(), worn.wear.clone(), worn.is_on))
    });
    let Some((nodes, wear, is_on)) = found else { return };
    for node in nodes {
        match wear {
            Wear::Failures { freezes: true, .. } => freeze(sim, node, false),
            _ => rise(sim, node),
        }
    }
    if let (Wear::Failures { well, .. }, true) = (&wear, is_on) {
        plan(sim, index, unit, well, Tick::Break(index, unit));
    }
}

/// Attrition takes one of the nodes that serve, if enough are left.
pub(super) fn strike(sim: &mut Sim, index: u32) {
    let found = sim.with(|state| {
        let lives = &mut state.env.lives;
        let worn = &lives.wears[index as usize];
        let Wear::Attrition { keep, every, .. } = worn.wear.clone() else { return None };
        if !worn.is_on {
            return None;
        }
        let serve: Vec<u32> = (0..worn.units.len() as u32)
            .filter(|unit| worn.units[*unit as usize].0.iter().all(|id| lives.is_serving(*id)))
            .collect();
        let rng = &mut lives.wears[index as usize].units[0].1;
        let spare = serve.len() as u64 > u64::from(keep);
        Some((spare.then(|| serve[rng.below(serve.len() as u64) as usize]), every))
    });
    let Some((struck, every)) = found else { return };
    if let Some(unit) = struck {
        breaks(sim, index, unit);
    }
    plan(sim, index, 0, &every, Tick::Strike(index));
}
