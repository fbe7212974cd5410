//! A fault of the network begins or ends.

use super::weather::Storm;
use super::{Injection, reach};
use crate::engine::{NodeId, State};
use crate::world::{World, network};

/// A fault of the network begins or ends.
pub(super) fn turn(state: &mut State<World>, index: u32, what: Injection, ends: bool) {
    let weather = &mut state.env.network.weather;
    if ends {
        if let Some(rng) = weather.end(index) {
            state.env.injections.all[index as usize].rng = rng;
        }
    } else if !weather.has(index) {
        begin(state, index, what);
    }
}

fn begin(state: &mut State<World>, index: u32, what: Injection) {
    let now = state.now();
    let fault = &state.env.injections.all[index as usize];
    let until = fault.ends;
    let mut storm = Storm::new(index, what, fault.rng.clone(), until);
    if let Some(links) = storm.what.links() {
        let world = &state.env;
        let several = |node: NodeId| world.groups.members(node);
        let zone = |name: &str| world.network.zone_nodes(name).to_vec();
        storm.reach = reach(links, &mut storm.rng, &several, &zone, world.network.nodes());
    }
    let covered = storm.reach.clone();
    let is_meant = move |from: NodeId, to: NodeId| covered.covers(from, to);
    let network = &mut state.env.network;
    network.spoil();
    match &storm.what {
        Injection::Reset { .. } => network::reset(state, is_meant),
        Injection::HalfOpen { .. } => network::half_open(state, is_meant),
        Injection::Partition { .. } => network::suspect(state, is_meant),
        Injection::StaleNames => network.freeze_names(),
        _ => {}
    }
    state.env.network.weather.begin(storm, now);
}
