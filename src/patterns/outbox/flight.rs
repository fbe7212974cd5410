//! Several publications at once: each by a task of its own, and no two about one business object.

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::Outbox;
use crate::engine::{Condition, Fault, Msg, Name, Parcel};
use crate::world::Cx;

/// The relay to itself: publish the event in this place.
pub(super) const PUBLISH: Name = Name::of("outbox.publish");

/// What is on its way to the broker.
#[derive(Clone, Debug, Default)]
pub(super) struct Flight {
    state: RefCell<State>,
    landed: Condition,
}

#[derive(Clone, Debug, Default)]
struct State {
    parcels: Vec<Option<Parcel>>,
    busy: usize,
    /// The objects of what is on its way, and of what could not be published in this round.
    closed: BTreeSet<u64>,
    held: BTreeSet<u64>,
    published: Vec<u64>,
    failure: Option<Fault>,
    /// The store did not take a mark: nothing more is published before that is mended.
    is_over: bool,
}

impl Outbox {
    /// Publishes events, as many at once as may be, those about one object one after the other.
    pub(super) async fn publish_at_once(
        &self,
        cx: &Cx,
        parcels: &[Parcel],
        published: &mut Vec<u64>,
    ) -> Result<(), Fault> {
        let (flight, most) = (&*self.flight, self.in_flight as usize);
        let mut led = Ok(());
        for parcel in parcels {
            while flight.is_closed(most, parcel.key) {
                flight.landed.wait(cx).await;
            }
            if flight.state.borrow().held.contains(&parcel.key) {
                continue;
            }
            led = self.lead(cx).await;
            if led.is_err() || flight.state.borrow().is_over {
                break;
            }
            flight.begin(cx, parcel);
        }
        while flight.state.borrow().busy > 0 {
            flight.landed.wait(cx).await;
        }
        let done = flight.state.take();
        published.extend(done.published);
        // As the log has them, whichever came first.
        published.sort_unstable();
        done.failure.map_or(led, Err)
    }

    /// Publishes and marks one event, in a task of its own.
    pub(super) async fn publish_in(&self, cx: &Cx, place: usize) {
        let Some(parcel) = self.flight.state.borrow_mut().parcels[place].take() else { return };
        let reply = self.publish_one(cx, &parcel).await;
        let marked = if reply.is_ok() { self.mark_one(cx, &parcel).await } else { Ok(()) };
        let mut state = self.flight.state.borrow_mut();
        state.busy -= 1;
        state.closed.remove(&parcel.key);
        match reply {
            Ok(()) => state.published.push(parcel.id),
            Err(_) => _ = state.held.insert(parcel.key),
        }
        state.is_over |= marked.is_err();
        state.failure = reply.and(marked).err().or(state.failure);
        drop(state);
        self.flight.landed.announce(cx);
    }
}

impl Flight {
    /// Must an event about this object wait for one that is on its way?
    fn is_closed(&self, most: usize, key: u64) -> bool {
        let state = self.state.borrow();
        state.busy >= most || state.closed.contains(&key)
    }

    fn begin(&self, cx: &Cx, parcel: &Parcel) {
        let mut state = self.state.borrow_mut();
        let free = state.parcels.iter().position(Option::is_none);
        let place = free.unwrap_or_else(|| {
            state.parcels.push(None);
            state.parcels.len() - 1
        });
        state.parcels[place] = Some(*parcel);
        state.busy += 1;
        state.closed.insert(parcel.key);
        drop(state);
        cx.kick(Msg::Do { verb: PUBLISH, key: place as u64, value: 0 });
    }
}
