//! Faults of clocks, turned on and off.

use super::Injection;
use crate::engine::{NodeId, State};
use crate::world::World;

/// A fault of a node's clock, with its place, begins or ends.
pub(super) fn turn(
    state: &mut State<World>,
    node: NodeId,
    (what, index): (&Injection, u32),
    ends: bool,
) {
    let now = state.now();
    let clocks = &mut state.env.clocks;
    let sign = if ends { -1 } else { 1 };
    match *what {
        Injection::ClockJump { by, .. } => clocks.jump(node, sign * by.0),
        Injection::ClockDrift { ppm, .. } => clocks.drift(node, now, sign * ppm),
        Injection::ClockStrobe { .. } if ends => clocks.calm(index),
        Injection::ClockStrobe { by, period, .. } => {
            clocks.strobe(index, node, now, (by, period));
        }
        _ => {}
    }
}
