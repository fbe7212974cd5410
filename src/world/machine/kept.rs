//! Jobs that keep their worker when their work is done, and jobs that are taken back.

use super::contention::pace_up;
use super::governed::{release, take_up, work};
use super::leaving::gives_up;
use super::{Discipline, Job, Phase, memory};
use crate::engine::{Fault, Span, State, WaitId};
use crate::world::World;

/// A job that kept its worker does more on it.
pub(super) fn go_on(state: &mut State<World>, (job, order): (u32, u64), wait: WaitId, left: Span) {
    let now = state.now();
    if !keeps(state, job, order) {
        state.settle(wait, Err(Fault::Failed));
        return;
    }
    let machines = &mut state.env.machines;
    let (node, place) = (machines.jobs[job as usize].node, machines.details[job as usize].place);
    machines.jobs[job as usize].wait = wait;
    let machine = &mut machines.machines[node.index()];
    machine.advance(now);
    if let Discipline::Priority { preemptive: true } = machine.spec.discipline
        && let Some(governed) = &mut machine.governed
    {
        governed.at_work.insert(place);
    }
    work(state, job, left);
    state.env.machines.machines[node.index()].recount();
}

/// Whoever kept this job's worker needs it no more, or will not when its work is done.
pub(super) fn let_go(state: &mut State<World>, job: u32, order: u64) {
    let now = state.now();
    let machines = &mut state.env.machines;
    let (node, detail) = (machines.jobs[job as usize].node, &mut machines.details[job as usize]);
    // By now the number may be another job's.
    if detail.place.order == order {
        detail.keeps = false;
        if state.is_withdrawing() {
            return abandon(state, job);
        }
    }
    if keeps(state, job, order) {
        state.env.machines.machines[node.index()].advance(now);
        release(state, job);
    }
}

/// The request that a job was for has been taken back: the job leaves the machine.
pub(super) fn abandon(state: &mut State<World>, job: u32) {
    let now = state.now();
    let machines = &mut state.env.machines;
    let Job { node, phase, .. } = machines.jobs[job as usize];
    let place = machines.details[job as usize].place;
    if !matches!(phase, Phase::Free | Phase::Leaving { .. }) {
        gives_up(state, job);
    }
    let machines = &mut state.env.machines;
    machines.machines[node.index()].advance(now);
    if matches!(phase, Phase::Sharing) {
        machines.quit(job, now);
    }
    let machine = &mut machines.machines[node.index()];
    let Some(governed) = &mut machine.governed else { return };
    match phase {
        Phase::Free => return,
        Phase::Leaving { .. } => {}
        Phase::Queued => {
            governed.queue.remove(place);
        }
        _ => {
            governed.placed -= 1;
            governed.at_work.remove(&place);
        }
    }
    memory::give_back(machines, job);
    machines.close(job);
    take_up(state, node);
    pace_up(state, node);
}

/// Has this job done its work and kept its worker? After a crash its number may be another's.
fn keeps(state: &State<World>, job: u32, order: u64) -> bool {
    let machines = &state.env.machines;
    let is_kept = matches!(machines.jobs[job as usize].phase, Phase::Kept);
    is_kept && machines.details[job as usize].place.order == order
}

/// The order of arrival of a job: what tells it from another of the same number.
pub(super) fn order(state: &State<World>, job: u32) -> u64 {
    state.env.machines.details[job as usize].place.order
}
