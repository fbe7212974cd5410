//! A bulkhead: so many calls at once and no more, so that one slow target cannot take everything.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use serde::Deserialize;

use super::facts::Guard;
use super::shared::Share;
use crate::engine::{NodeId, Span, Time, WaitId};
use crate::world::{Cx, Flaw};

/// So many calls to a target at once and no more. Others wait for their turn, first in, first out,
/// or are turned away: limited by their caller.
///
/// Source: M. Nygard, "Release It!", 2007; resilience4j's `Bulkhead`.
///
/// ```ron
/// (max: 25, wait: "100ms", queue_max: 50)
/// ```
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bulkhead {
    /// How many calls are under way at most. At least 1.
    pub max: u32,
    /// How long a call waits for its turn. Default: not at all, as in resilience4j.
    #[serde(default)]
    pub wait: Span,
    /// How many calls wait at most. Default: without limit.
    #[serde(default)]
    pub queue_max: Option<u32>,
}

/// Who is inside and who waits.
#[derive(Debug, Default)]
pub(super) struct Gate {
    inside: Cell<u32>,
    waiting: RefCell<VecDeque<WaitId>>,
}

impl Share for Bulkhead {
    type State = Gate;
    const GUARD: Option<Guard> = Some(Guard::Bulkhead);

    fn fresh(&self, _: &Cx, _: NodeId) -> Gate {
        Gate::default()
    }
}

/// A place inside, given back when it is dropped.
pub(super) struct Permit<'c> {
    gate: Rc<Gate>,
    cx: &'c Cx,
}

impl Drop for Permit<'_> {
    /// The place goes to whoever has waited longest.
    fn drop(&mut self) {
        let next = self.cx.with(|state| {
            let mut waiting = self.gate.waiting.borrow_mut();
            let next = std::iter::from_fn(|| waiting.pop_front()).find(|id| state.is_awaited(*id));
            let now = state.now();
            if let Some(id) = next {
                state.wake_at(id, now);
            }
            next
        });
        if next.is_none() {
            self.gate.inside.set(self.gate.inside.get() - 1);
        }
    }
}

/// Somebody who waits; dropped before the turn, it leaves the queue.
struct Waiter<'g, 'c> {
    gate: &'g Rc<Gate>,
    cx: &'c Cx,
    id: WaitId,
}

impl<'c> Waiter<'_, 'c> {
    /// The place, if the turn has come.
    fn permit(&self) -> Option<Permit<'c>> {
        let mut waiting = self.gate.waiting.borrow_mut();
        match waiting.iter().position(|id| *id == self.id) {
            Some(place) => {
                waiting.remove(place);
                None
            }
            None => Some(Permit { gate: self.gate.clone(), cx: self.cx }),
        }
    }
}

impl Drop for Waiter<'_, '_> {
    /// A turn that came and was not taken passes to the next as the permit is dropped.
    fn drop(&mut self) {
        if self.id != WaitId::NONE {
            drop(self.permit());
        }
    }
}

impl Bulkhead {
    /// Takes a place for a call to `to`, waiting for it until `deadline` at most; `None` if there
    /// is none.
    pub(super) async fn enter<'c>(
        &self,
        cx: &'c Cx,
        to: NodeId,
        deadline: Time,
    ) -> Option<Permit<'c>> {
        let gate = self.state(cx, to);
        if gate.inside.get() < self.max {
            gate.inside.set(gate.inside.get() + 1);
            return Some(Permit { gate, cx });
        }
        let is_full = self.queue_max.is_some_and(|max| gate.waiting.borrow().len() >= max as usize);
        if self.wait.is_zero() || is_full {
            return None;
        }
        let mut id = WaitId::NONE;
        let turn = cx.wait(|_, row| id = row).until((cx.now() + self.wait).min(deadline));
        gate.waiting.borrow_mut().push_back(id);
        let mut waiter = Waiter { gate: &gate, cx, id };
        let _ = turn.await;
        let permit = waiter.permit();
        waiter.id = WaitId::NONE;
        drop(waiter);
        permit
    }

    /// What is wrong with it, for the loader.
    pub(super) fn problem(&self) -> Option<Flaw> {
        if self.max == 0 {
            return Some(Flaw::at("max", "a bulkhead with `max` of 0 lets no call through"));
        }
        if self.queue_max.is_some() && self.wait.is_zero() {
            let title = "a bulkhead's `queue_max` bounds those who wait: say for how long they do \
                         with `wait`";
            return Some(Flaw::at("queue_max", title));
        }
        None
    }
}
