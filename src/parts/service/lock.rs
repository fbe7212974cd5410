//! Locks of a service: critical sections that one request at a time goes through.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};

use crate::engine::{Name, WaitId};
use crate::world::Cx;

/// The locks of a service, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Locks {
    locks: RefCell<BTreeMap<Name, Lock>>,
    turns: Cell<u64>,
}

/// A lock: whose turn it is, and who waits, in the order in which they came.
#[derive(Clone, Debug, Default)]
struct Lock {
    turn: Option<u64>,
    waiting: VecDeque<(u64, WaitId)>,
}

/// A place in the line before a lock, then the lock itself; given back when it is dropped.
pub(super) struct Turn<'a> {
    locks: &'a Locks,
    cx: &'a Cx,
    lock: Name,
    number: u64,
}

impl Locks {
    /// Waits until it is this request's turn.
    pub async fn acquire<'a>(&'a self, cx: &'a Cx, lock: Name) -> Turn<'a> {
        let number = self.turns.get() + 1;
        self.turns.set(number);
        let turn = Turn { locks: self, cx, lock, number };
        if !turn.is_free() {
            let wait = |id| {
                let mut locks = self.locks.borrow_mut();
                locks.entry(lock).or_default().waiting.push_back((number, id));
            };
            // A turn that is given is taken: nobody comes in between.
            let _ = cx.wait(|_, id| wait(id)).await;
        }
        turn
    }
}

impl Turn<'_> {
    /// Takes the lock if nobody has it.
    fn is_free(&self) -> bool {
        let mut locks = self.locks.locks.borrow_mut();
        *locks.entry(self.lock).or_default().turn.get_or_insert(self.number) == self.number
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut locks = self.locks.locks.borrow_mut();
        let lock = locks.entry(self.lock).or_default();
        if lock.turn != Some(self.number) {
            lock.waiting.retain(|(number, _)| *number != self.number);
            return;
        }
        let next = lock.waiting.pop_front();
        lock.turn = next.map(|(number, _)| number);
        drop(locks);
        if let Some((_, id)) = next {
            self.cx.with(|state| state.wake_at(id, state.now()));
        }
    }
}
