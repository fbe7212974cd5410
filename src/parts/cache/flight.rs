//! Calls of the store that are under way, and those who wait for what another's call brings.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::shelf::Key;
use crate::engine::{Fault, WaitId};
use crate::world::Cx;

/// The calls of a cache, by key.
#[derive(Clone, Debug, Default)]
pub(super) struct Flights {
    state: RefCell<State>,
}

#[derive(Clone, Debug, Default)]
struct State {
    /// The flight of each key that somebody calls the store for.
    current: BTreeMap<Key, u64>,
    flights: BTreeMap<u64, Flight>,
    numbers: u64,
}

/// Overlapping calls for one key.
#[derive(Clone, Debug, Default)]
struct Flight {
    calls: u64,
    /// What the first of them brought.
    result: Option<Result<u64, Fault>>,
    /// Those who have not yet seen it, and the rows on which they wait.
    readers: u64,
    waiting: Vec<WaitId>,
}

/// A call under way; when it is dropped it has landed.
pub(super) struct Call<'a> {
    flights: &'a Flights,
    cx: &'a Cx,
    key: Key,
    number: u64,
}

/// Somebody who waits for another's call.
struct Reader<'a> {
    flights: &'a Flights,
    number: u64,
}

impl Flights {
    /// Begins a call; how many are under way for this key with it.
    pub fn begin<'a>(&'a self, cx: &'a Cx, key: Key) -> (Call<'a>, u64) {
        let mut state = self.state.borrow_mut();
        state.numbers += 1;
        let new = state.numbers;
        let number = *state.current.entry(key).or_insert(new);
        let flight = state.flights.entry(number).or_default();
        flight.calls += 1;
        (Call { flights: self, cx, key, number }, flight.calls)
    }

    /// The flight for this key, if there is one.
    pub fn under_way(&self, key: Key) -> Option<u64> {
        self.state.borrow().current.get(&key).copied()
    }

    /// Waits for what a flight brings.
    pub async fn join(&self, cx: &Cx, number: u64) -> Result<u64, Fault> {
        let flight = |read: &mut dyn FnMut(&mut Flight)| {
            self.state.borrow_mut().flights.get_mut(&number).map(read);
        };
        flight(&mut |flight| flight.readers += 1);
        let reader = Reader { flights: self, number };
        if reader.result().is_none() {
            let _ = cx.wait(|_, id| flight(&mut |flight| flight.waiting.push(id))).await;
        }
        reader.result().unwrap_or(Err(Fault::Failed))
    }
}

impl Reader<'_> {
    fn result(&self) -> Option<Result<u64, Fault>> {
        self.flights.state.borrow().flights.get(&self.number)?.result
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let mut state = self.flights.state.borrow_mut();
        let Some(flight) = state.flights.get_mut(&self.number) else { return };
        flight.readers -= 1;
        if flight.readers == 0 && flight.calls == 0 {
            state.flights.remove(&self.number);
        }
    }
}

impl Call<'_> {
    /// It has brought this: those who wait hear of it.
    pub fn land(&self, result: Result<u64, Fault>) {
        let waiting = {
            let mut state = self.flights.state.borrow_mut();
            let Some(flight) = state.flights.get_mut(&self.number) else { return };
            flight.result.get_or_insert(result);
            std::mem::take(&mut flight.waiting)
        };
        self.cx.with(|state| {
            let now = state.now();
            for id in waiting {
                if state.is_awaited(id) {
                    state.wake_at(id, now);
                }
            }
        });
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        // A call that was dropped under way brings nothing.
        self.land(Err(Fault::Failed));
        let mut state = self.flights.state.borrow_mut();
        let Some(flight) = state.flights.get_mut(&self.number) else { return };
        flight.calls -= 1;
        if flight.calls == 0 {
            let is_read = flight.readers == 0;
            state.current.remove(&self.key);
            if is_read {
                state.flights.remove(&self.number);
            }
        }
    }
}
