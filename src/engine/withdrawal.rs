//! Requests that their callers may take back: which tasks serve them, and which are tied together.
//!
//! A cancellation names the row on which the caller waited. It travels like any message, so the
//! task that serves the request may have answered, or may not have begun, by the time it arrives.
//! Nothing is kept for a request that cannot be cancelled.

use std::collections::{BTreeMap, BTreeSet};

use super::message::{NodeId, Root};
use super::waits::{TaskId, WaitId};

/// What is known of a task that serves such a request.
struct Served {
    request: WaitId,
    root: Root,
    /// Has its first job started?
    has_begun: bool,
}

/// A cancellation to be sent: from whom, to whom, for which operation, of which request.
pub(crate) struct Recall {
    pub from: NodeId,
    pub to: NodeId,
    pub root: Root,
    pub request: WaitId,
}

/// The requests of a run that their callers may take back.
#[derive(Default)]
pub(crate) struct Withdrawals {
    /// Tasks by request; a request that arrived twice is served twice.
    serving: BTreeSet<(WaitId, TaskId)>,
    tasks: BTreeMap<TaskId, Served>,
    /// Of a tied request: where its twin was sent, and where that one's answer is awaited.
    ties: BTreeMap<WaitId, (NodeId, WaitId)>,
    /// Tied requests that were taken back before they arrived.
    recalled: BTreeSet<WaitId>,
    /// A task is being dropped because nobody wants its answer: it says nothing.
    pub is_silent: bool,
}

impl Withdrawals {
    /// Is there any task to look after?
    #[inline]
    pub fn is_idle(&self) -> bool {
        self.tasks.is_empty()
    }

    /// A task has taken up a request that may be taken back.
    #[cold]
    pub fn watch(&mut self, task: TaskId, request: WaitId, root: Root) {
        self.serving.insert((request, task));
        self.tasks.insert(task, Served { request, root, has_begun: false });
    }

    /// A task has answered, or goes on whatever its caller does.
    #[cold]
    pub fn release(&mut self, task: TaskId) {
        if let Some(served) = self.tasks.remove(&task) {
            self.serving.remove(&(served.request, task));
        }
    }

    /// The tasks of `node` that serve a request which is taken back. If only `unless_begun`, those
    /// whose work has started go on, and a tied request that is still on its way will find that it
    /// is not wanted.
    #[cold]
    pub fn withdraw(&mut self, node: NodeId, request: WaitId, unless_begun: bool) -> Vec<TaskId> {
        let all = (request, TaskId::FIRST)..=(request, TaskId::LAST);
        let tasks: Vec<TaskId> = self.serving.range(all.clone()).map(|(_, task)| *task).collect();
        let stays = |task: &TaskId| unless_begun && self.tasks[task].has_begun;
        let gone = tasks.into_iter().filter(|task| task.node() == node && !stays(task));
        let gone: Vec<TaskId> = gone.collect();
        gone.iter().for_each(|task| self.release(*task));
        let is_served = self.serving.range(all).next().is_some() || !gone.is_empty();
        if unless_begun && !is_served && self.ties.contains_key(&request) {
            self.recalled.insert(request);
        }
        gone
    }

    /// Was this request taken back before it arrived?
    pub fn is_recalled(&self, request: WaitId) -> bool {
        self.recalled.contains(&request)
    }

    /// Ties a request to one that is sent later: whichever begins first takes the other back. If
    /// the first has begun before the second was even sent, its word is there before the second is.
    pub fn tie(&mut self, first: (NodeId, WaitId), second: (NodeId, WaitId)) -> Option<Recall> {
        self.ties.insert(first.1, second);
        self.ties.insert(second.1, first);
        let all = (first.1, TaskId::FIRST)..=(first.1, TaskId::LAST);
        let served = self.serving.range(all).find_map(|(_, task)| self.tasks.get(task))?;
        if !served.has_begun {
            return None;
        }
        self.recalled.insert(second.1);
        Some(Recall { from: first.0, to: second.0, root: served.root, request: second.1 })
    }

    /// The caller of a tied request waits no longer.
    pub fn untie(&mut self, request: WaitId) {
        if let Some((_, twin)) = self.ties.remove(&request) {
            self.ties.remove(&twin);
            self.recalled.remove(&request);
            self.recalled.remove(&twin);
        }
    }

    /// A job of this task has started: the cancellation that its tie asks for.
    #[cold]
    pub fn begin(&mut self, task: TaskId) -> Option<Recall> {
        let served = self.tasks.get_mut(&task)?;
        if std::mem::replace(&mut served.has_begun, true) {
            return None;
        }
        let (to, request) = *self.ties.get(&served.request)?;
        Some(Recall { from: task.node(), to, root: served.root, request })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::waits::Waits;

    const A: NodeId = NodeId(0);
    const B: NodeId = NodeId(1);

    fn rows<const N: usize>() -> [WaitId; N] {
        let mut waits = Waits::default();
        std::array::from_fn(|_| waits.open(TaskId::new(NodeId(9), 0), Waits::NOBODY, Root::NONE))
    }

    #[test]
    fn a_request_is_taken_back_where_it_is_served_and_while_it_is() {
        let [request, other] = rows();
        let (first, copy) = (TaskId::new(A, 0), TaskId::new(A, 1));
        let mut withdrawals = Withdrawals::default();
        assert!(withdrawals.is_idle());
        withdrawals.watch(first, request, Root(1));
        withdrawals.watch(copy, request, Root(1));
        withdrawals.watch(TaskId::new(A, 2), other, Root(1));
        assert!(withdrawals.withdraw(B, request, false).is_empty(), "it is not served there");
        assert_eq!(withdrawals.withdraw(A, request, false), [first, copy]);
        assert!(withdrawals.withdraw(A, request, false).is_empty(), "they are gone");
        withdrawals.release(TaskId::new(A, 2));
        assert!(withdrawals.withdraw(A, other, false).is_empty(), "it was answered");
        assert!(withdrawals.is_idle());
    }

    #[test]
    fn the_first_of_two_tied_requests_to_begin_takes_the_other_back_once() {
        let [left, right] = rows();
        let (one, two) = (TaskId::new(A, 0), TaskId::new(B, 0));
        let mut withdrawals = Withdrawals::default();
        assert!(withdrawals.tie((A, left), (B, right)).is_none());
        withdrawals.watch(one, left, Root(1));
        withdrawals.watch(two, right, Root(1));
        let recall = withdrawals.begin(two).expect("it has a twin");
        assert_eq!((recall.from, recall.to, recall.request), (B, A, left));
        assert!(withdrawals.begin(two).is_none(), "its second job says nothing");
        assert!(withdrawals.withdraw(B, right, true).is_empty(), "it has begun");
        assert_eq!(withdrawals.withdraw(A, left, true), [one]);
        withdrawals.untie(left);
        withdrawals.watch(one, right, Root(1));
        assert!(withdrawals.begin(one).is_none(), "its caller waits no longer");
    }

    #[test]
    fn a_tied_request_that_is_taken_back_on_its_way_finds_that_it_is_not_wanted() {
        let [left, right] = rows();
        let one = TaskId::new(A, 0);
        let mut withdrawals = Withdrawals::default();
        withdrawals.watch(one, left, Root(1));
        assert!(withdrawals.begin(one).is_none(), "it has no twin yet");
        let recall = withdrawals.tie((A, left), (B, right)).expect("the first has begun");
        assert_eq!((recall.from, recall.to, recall.request), (A, B, right));
        assert!(withdrawals.is_recalled(right) && !withdrawals.is_recalled(left));
        withdrawals.untie(left);
        assert!(!withdrawals.is_recalled(right));
        assert!(withdrawals.withdraw(B, right, true).is_empty());
        assert!(!withdrawals.is_recalled(right), "nothing is kept of what is not tied");
    }
}
