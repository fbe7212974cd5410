//! Faults of disks, turned on and off.

use super::Injection;
use crate::engine::{NodeId, Rng, State};
use crate::world::{World, disk};

/// A fault of a node's disk begins or ends. For each disk and each time it has a random stream of
/// its own, which is drawn from the fault's.
pub(super) fn turn(state: &mut State<World>, node: NodeId, index: u32, ends: bool) {
    let active = &mut state.env.injections.all[index as usize];
    let what = active.spec.what.clone();
    if ends {
        return disk::end(state, node, index);
    }
    let mut rng = Rng::from_hash(active.rng.u64(), u64::from(node.0));
    if let Injection::BitRot { entries, .. } = what {
        // What has rotten stays so.
        disk::rot(state, node, (index, entries), &mut rng);
    } else {
        disk::turn(state, node, disk::Trouble { index, what, rng });
    }
}
