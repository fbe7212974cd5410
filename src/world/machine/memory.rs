//! The memory that a machine's jobs take, and the end of a process that takes too much.

use super::governed::Governed;
use super::{Machines, Memory, NodeId, State, World};
use crate::engine::{Baggage, Span};
use crate::world::flaw::Flaw;
use crate::world::life;

/// What the jobs of a machine take now.
#[derive(Clone, Copy, Default)]
pub(super) struct Taken {
    bytes: u64,
    /// Is it more than there is? Then the process is about to be killed.
    is_too_much: bool,
}

impl Memory {
    /// What a job takes that came with this.
    pub(super) fn of(&self, baggage: Baggage) -> u64 {
        let body = if self.payloads { u64::from(baggage.payload) } else { 0 };
        self.per_job.0.saturating_add(body)
    }

    /// What is wrong with it, for the loader.
    pub(super) fn problem(&self) -> Option<Flaw> {
        if self.per_job.0 == 0 && !self.payloads {
            let title = "jobs take no memory: say `per_job`, or `payloads: true`";
            return Some(Flaw::at("per_job", title));
        }
        let first = self.base.0.saturating_add(self.per_job.0);
        let title = "the `limit` of memory must leave room for `base` and one job";
        (first > self.limit.0).then(|| Flaw::at("limit", title))
    }
}

/// A job was let in. Whoever exceeds the limit thereby has the process killed, in an event of its
/// own: the node cannot end in the middle of what it does.
pub(super) fn take(state: &mut State<World>, job: u32) {
    let Machines { machines, jobs, details, .. } = &mut state.env.machines;
    let (node, bytes) = (jobs[job as usize].node, details[job as usize].memory);
    let machine = &mut machines[node.index()];
    let (Some(memory), Some(governed)) = (&machine.spec.memory, &mut machine.governed) else {
        return;
    };
    let taken = &mut governed.memory;
    taken.bytes = taken.bytes.saturating_add(bytes);
    let is_too_much = memory.base.0.saturating_add(taken.bytes) > memory.limit.0;
    if is_too_much && !taken.is_too_much {
        taken.is_too_much = true;
        life::kill(state, node);
    }
}

/// A job is over or was dropped.
pub(super) fn give_back(machines: &mut Machines, job: u32) {
    let node = machines.jobs[job as usize].node;
    let bytes = std::mem::take(&mut machines.details[job as usize].memory);
    if let Some(governed) = &mut machines.machines[node.index()].governed {
        governed.memory.bytes = governed.memory.bytes.saturating_sub(bytes);
    }
}

/// The process of a node is to be killed: after how long does it start again? `None` if it has
/// crashed since.
pub(crate) fn killed(state: &mut State<World>, node: NodeId) -> Option<Span> {
    let machine = &mut state.env.machines.machines[node.index()];
    let is_too_much = |governed: &Governed| governed.memory.is_too_much;
    let memory =
        machine.spec.memory.filter(|_| machine.governed.as_deref().is_some_and(is_too_much));
    machine.usage.killed += u64::from(memory.is_some());
    memory.map(|memory| memory.restart_after)
}
