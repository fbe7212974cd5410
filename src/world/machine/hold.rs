//! A worker that a task keeps while it waits for others: one thread for each request.

use std::cell::Cell;

use super::governed::{self, Submission};
use super::{Work, World, kept};
use crate::engine::{self, Fault, Span};

/// A worker that is kept until this is dropped.
pub struct Held<'a> {
    cx: &'a engine::Cx<World>,
    /// The job and its order of arrival; `None` if it was turned away.
    job: Option<(u32, u64)>,
}

impl engine::Cx<World> {
    /// Occupies one worker of this node's machine for `cost`, and keeps it. Only for machines with
    /// [`holds_workers`](super::MachineSpec::holds_workers).
    ///
    /// # Errors
    /// As those of [`work`](engine::Cx::work).
    pub async fn hold(&self, cost: Span) -> Result<Held<'_>, Fault> {
        let placed = Cell::new(None);
        let (node, baggage) = (self.me(), self.baggage());
        let call = self.wait(|state, wait| {
            let now = state.now();
            state.env.machines.machines[node.index()].advance(now);
            let coming = Submission { node, wait, work: cost, baggage, keeps: true };
            let job = governed::submit(state, coming);
            placed.set(job.map(|job| (job, kept::order(state, job))));
        });
        let held = Held { cx: self, job: placed.get() };
        call.await?;
        Ok(held)
    }
}

impl Held<'_> {
    /// Does more work on the same worker.
    pub fn work(&self, cost: Span) -> Work<'_> {
        Work(self.cx.wait(|state, wait| match self.job {
            Some(job) => kept::go_on(state, job, wait, cost),
            None => {
                state.settle(wait, Err(Fault::Overloaded));
            }
        }))
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Some((job, order)) = self.job {
            self.cx.with(|state| kept::let_go(state, job, order));
        }
    }
}
