//! A condition that tasks of one node wait for until another of them announces it.

use std::cell::RefCell;
use std::collections::VecDeque;

use super::cx::Cx;
use super::environment::Environment;
use super::time::Span;
use super::waits::WaitId;

/// Tasks waiting for something to change, in the order in which they came.
///
/// It carries no value: whoever is woken looks again at the state that it waits for.
#[derive(Clone, Debug, Default)]
pub struct Condition {
    waiting: RefCell<VecDeque<WaitId>>,
}

impl Condition {
    /// Waits for the next announcement.
    pub async fn wait<E: Environment>(&self, cx: &Cx<E>) {
        let _ = cx.wait(|_, id| self.waiting.borrow_mut().push_back(id)).await;
    }

    /// Waits for the next announcement, but no longer than this span.
    pub async fn wait_within<E: Environment>(&self, cx: &Cx<E>, span: Span) {
        let waits = cx.wait(|_, id| self.waiting.borrow_mut().push_back(id));
        let _ = waits.within(span).await;
    }

    /// Wakes everybody who waits, now, in the order in which they came.
    pub fn announce<E: Environment>(&self, cx: &Cx<E>) {
        cx.with(|state| {
            let now = state.now();
            for id in self.waiting.borrow_mut().drain(..) {
                if state.is_awaited(id) {
                    state.wake_at(id, now);
                }
            }
        });
    }

    /// Wakes whoever has waited longest.
    pub fn announce_one<E: Environment>(&self, cx: &Cx<E>) {
        cx.with(|state| {
            let now = state.now();
            while let Some(id) = self.waiting.borrow_mut().pop_front() {
                if state.is_awaited(id) {
                    state.wake_at(id, now);
                    break;
                }
            }
        });
    }
}
