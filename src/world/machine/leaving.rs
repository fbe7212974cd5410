//! Jobs that leave a governed machine before their work is done.

use super::{Machines, Phase, memory};
use crate::engine::{Fault, NodeId, State, Time};
use crate::world::{JOB, World};

/// A job that waits leaves the queue; its task hears of it in an event of its own.
pub(super) fn leave(state: &mut State<World>, node: NodeId, job: u32) {
    let place = state.env.machines.details[job as usize].place;
    if let Some(governed) = &mut state.env.machines.machines[node.index()].governed {
        governed.queue.remove(place);
    }
    tell(state, job, Fault::Overloaded);
}

/// The task of a job that was dropped from the queue hears of it.
pub(super) fn tell(state: &mut State<World>, job: u32, why: Fault) {
    gives_up(state, job);
    let sequence = state.set_alarm(state.now(), job << 1 | JOB);
    memory::give_back(&mut state.env.machines, job);
    state.env.machines.jobs[job as usize].phase = Phase::Leaving { sequence, why };
}

/// A job goes before its work is done.
pub(super) fn gives_up(state: &mut State<World>, job: u32) {
    let now = state.now();
    let Machines { machines, details, jobs, .. } = &mut state.env.machines;
    let (node, detail) = (jobs[job as usize].node, &details[job as usize]);
    if let Some(gauge) = &mut machines[node.index()].gauge {
        if detail.begun == Time::MAX {
            gauge.waits_no_more(detail.since, now);
        }
        gauge.goes(detail.since, now);
    }
}
