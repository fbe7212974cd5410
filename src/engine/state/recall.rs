//! Cancellations on their way and at their goal, and what a process keeps besides its node.

use std::any::Any;
use std::rc::Rc;

use super::{Kind, State};
use crate::engine::environment::Environment;
use crate::engine::event::Record;
use crate::engine::fact::Fate;
use crate::engine::message::{Baggage, Msg, NodeId};
use crate::engine::waits::WaitId;
use crate::engine::withdrawal::Recall;

impl<E: Environment> State<E> {
    /// Sends a cancellation, which nobody answers.
    #[cold]
    pub(crate) fn recall(&mut self, recall: &Recall, unless_begun: bool) {
        let Recall { from, to, root, request } = *recall;
        let Baggage { payload, class, .. } = Baggage::NONE;
        let record = Record {
            msg: Msg::Cancel { request, unless_begun },
            fault: None,
            wait: WaitId::NONE,
            from,
            to,
            root,
            sent: self.now,
            patience: Record::FOREVER,
            payload,
            class,
            stage: 0,
            is_cancellable: false,
        };
        self.counts.cancellations += 1;
        let index = self.write(|| record);
        self.transmit(index, Kind::Request);
    }

    /// Is what has come a cancellation, or a request that was cancelled before it came? The tasks
    /// that a cancellation ends are dropped once nothing is borrowed.
    pub(super) fn is_recalled(&mut self, node: NodeId, index: u32) -> bool {
        let record = self.records.get(index);
        if let Msg::Cancel { request, unless_begun } = record.msg {
            self.trace(index, Kind::Request, Fate::Arrived);
            self.records.discard(index);
            self.withdrawn = self.withdrawals.withdraw(node, request, unless_begun);
            return true;
        }
        let is_recalled = self.withdrawals.is_recalled(record.wait);
        if is_recalled {
            self.counts.withdrawn += 1;
            self.trace(index, Kind::Request, Fate::Lost("taken back"));
            self.records.discard(index);
        }
        is_recalled
    }

    /// A job has started for the task that waits on `wait`: a request that is tied to the one which
    /// that task serves is taken back.
    #[inline]
    pub fn begins(&mut self, wait: WaitId) {
        if !self.withdrawals.is_idle() {
            self.begun(wait);
        }
    }

    #[cold]
    fn begun(&mut self, wait: WaitId) {
        let task = self.waits.waiting(wait);
        if let Some(recall) = task.and_then(|task| self.withdrawals.begin(task)) {
            self.recall(&recall, true);
        }
    }

    /// Is a task being dropped because its request was taken back? Then what it began for that
    /// request ends as well.
    pub fn is_withdrawing(&self) -> bool {
        self.withdrawals.is_silent
    }

    /// What the process of this node keeps of type `T`.
    pub(crate) fn local<T: Default + 'static>(&mut self, node: NodeId) -> Rc<T> {
        let kept = self.locals.entry(node).or_default();
        let found = kept.iter().find(|one| one.is::<T>());
        found.and_then(|one| one.clone().downcast::<T>().ok()).unwrap_or_else(|| {
            let made = Rc::new(T::default());
            kept.push(made.clone());
            made
        })
    }

    /// The process of this node is gone: what it kept, to be dropped while nothing is borrowed.
    pub(crate) fn forget(&mut self, node: NodeId) -> Option<Vec<Rc<dyn Any>>> {
        self.locals.remove(&node)
    }
}
