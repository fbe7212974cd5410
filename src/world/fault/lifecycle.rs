//! Faults that are about the lives of nodes: whom they befall, and what begins and ends with them.

use super::Injection;
use crate::engine::{NodeId, Rng, State};
use crate::world::life::{self, Wear};
use crate::world::{Farewell, Sim, World, disk, facts, note};

/// Chooses whom a fault befalls that begins now.
pub(super) fn choose(env: &mut World, index: u32) {
    let fault = &env.injections.all[index as usize];
    let victims = match &fault.spec.what {
        Injection::ZoneDown { zone } => env.network.nodes_in(|spec| spec.name == *zone),
        Injection::HostDown { host } => env.network.host_nodes(host),
        Injection::RegionDown { region } => {
            env.network.nodes_in(|spec| spec.region.as_ref() == Some(region))
        }
        what => what.node().map(|node| env.groups.members(node)).unwrap_or_default(),
    };
    let fault = &mut env.injections.all[index as usize];
    fault.victims = victims;
    if let Injection::Crash { some: Some(some), .. } = fault.spec.what {
        // A partial shuffle: each choice of so many nodes is as likely as any other.
        let all = fault.victims.len();
        let some = all.min(some as usize);
        for place in 0..some {
            let other = place as u64 + fault.rng.below((all - place) as u64);
            fault.victims.swap(place, other as usize);
        }
        fault.victims.truncate(some);
    }
}

/// A fault of this kind begins or ends for these nodes.
pub(super) fn turn(sim: &mut Sim, index: u32, what: &Injection, nodes: Vec<NodeId>, ends: bool) {
    match *what {
        Injection::Crash { host, wipe, .. } => {
            crash(sim, &nodes, host, ends);
            if wipe && !ends {
                sim.with(|state| nodes.iter().for_each(|node| clear(state, *node, index)));
            }
        }
        Injection::HostDown { .. } | Injection::ZoneDown { .. } | Injection::RegionDown { .. } => {
            crash(sim, &nodes, true, ends);
        }
        Injection::Stop { pre_stop, grace, .. } => nodes.into_iter().for_each(|node| match ends {
            false => life::stop(sim, node, Farewell { pre_stop, grace }),
            true => life::recall(sim, node),
        }),
        Injection::RollingRestart(_) | Injection::RollingUpgrade(_) if ends => {
            life::end_roll(sim, index);
        }
        Injection::RollingRestart(roll) => life::begin_roll(sim, index, (roll, false)),
        Injection::RollingUpgrade(roll) => life::begin_roll(sim, index, (roll, true)),
        Injection::Scale { node, to } => {
            let before = sim.with(|state| state.env.injections.all[index as usize].before);
            let before = life::scale(sim, node, if ends { before } else { to });
            sim.with(|state| state.env.injections.all[index as usize].before = before);
        }
        Injection::Failures { .. } | Injection::Attrition { .. } if ends => {
            life::end_wear(sim, index);
        }
        Injection::Failures { ref mttf, ref mttr, freezes, .. } => {
            let (well, broken) = (mttf.clone(), mttr.clone());
            let units = sim.with(|state| units(&mut state.env, index, &nodes));
            life::begin_wear(sim, index, Wear::Failures { well, broken, freezes }, units);
        }
        Injection::Attrition { keep, ref every, ref down, .. } => {
            let (every, down) = (every.clone(), down.clone());
            let units = sim.with(|state| units(&mut state.env, index, &nodes));
            life::begin_wear(sim, index, Wear::Attrition { keep, every, down }, units);
        }
        _ => {}
    }
}

/// Every node for itself, with a stream that hangs on the fault and on its own name.
fn units(env: &mut World, index: u32, nodes: &[NodeId]) -> Vec<(Vec<NodeId>, Rng)> {
    let fault = env.injections.all[index as usize].rng.u64();
    let stream = |node: &NodeId| fault ^ env.hashes[node.index()];
    nodes.iter().map(|node| (vec![*node], Rng::from_hash(env.seed, stream(node)))).collect()
}

/// Empties the disk of a node that is down, unless a budget keeps what is on it.
fn clear(state: &mut State<World>, node: NodeId, fault: u32) {
    if !disk::wipe(state, node) {
        note(state, node, facts::WITHHELD, u64::from(fault));
    }
}

/// Crashes begin or end. Of crashes that overlap, the first takes a node down and the last lets it
/// start again.
fn crash(sim: &mut Sim, nodes: &[NodeId], host: bool, ends: bool) {
    for &node in nodes {
        if host {
            sim.with(|state| state.env.network.set_dark(node, !ends, state.now()));
        }
        if ends {
            life::rise(sim, node);
        } else {
            life::fall(sim, node, facts::CRASHED);
            // Its process may have been down before, and what was in the page cache is gone now.
            if host {
                sim.with(|state| disk::lose_cache(state, node));
            }
        }
    }
}
