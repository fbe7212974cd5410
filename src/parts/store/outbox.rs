//! The outbox of a store, as others see it: what they write into it, ask of it and mark.

use std::rc::Rc;

use super::Store;
use super::events::Origin;
use crate::engine::{Change, Expect, Msg, Name, Reply, Row, Span};
use crate::world::Cx;

/// The operations by which events are asked for. Of both the answer is a batch, in which the id of
/// a message is the number of the event and its count the event's name.
///
/// Those that are not marked as published, oldest first: the value is how many at most.
pub(super) const POLL: Name = Name::of("poll outbox");
/// Those from a number on, which is the key, as soon as there are any: the value is how many at
/// most and, from bit 16 on, for how many microseconds the store waits for one.
pub(super) const TAIL: Name = Name::of("tail log");

/// How they are spelt.
pub const OPERATIONS: [&str; 2] = ["poll outbox", "tail log"];

/// The most events that are asked for at once.
pub const BATCH_MAX: u32 = 0xffff;

/// Facts about the outbox.
pub mod facts {
    use crate::engine::Name;

    /// The row by which a transaction writes an event: a fact when it is durable. The key is the
    /// business object, the value the amount.
    pub const STORED: Name = Name::of("outbox.stored");
    /// The row by which an event is marked as published: a fact when it is durable. The key is the
    /// event's number in its store.
    pub const MARKED: Name = Name::of("outbox.marked");
    /// The row by which the row of a published event is deleted: a fact when it is durable. The key
    /// is the event's number in its store.
    pub const DELETED: Name = Name::of("outbox.deleted");
    /// A relay has heard that the broker has an event; the key is the business object, the value
    /// the event's number in its store.
    pub const PUBLISHED: Name = Name::of("outbox.published");
    /// A relay has not heard that the broker has an event, and will publish it again; the key is
    /// the business object, the value the event's number in its store.
    pub const FAILED: Name = Name::of("outbox.failed");
    /// How they are spelt.
    pub const NAMES: [&str; 5] =
        ["outbox.stored", "outbox.marked", "outbox.deleted", "outbox.published", "outbox.failed"];
}

/// The row that writes an event about this object.
pub(in crate::parts) fn emit(cx: &Cx, event: Name, key: u64, value: u64) -> Row {
    let change = Change::Emit { event, class: cx.baggage().class, value };
    Row { table: facts::STORED, key, expect: Expect::Any, change }
}

/// The row that marks an event as published, by its number.
pub fn mark(number: u64) -> Row {
    Row { table: facts::MARKED, key: number, expect: Expect::Any, change: Change::Relayed }
}

/// The row that deletes an event that is published, by its number.
pub fn delete(number: u64) -> Row {
    Row { table: facts::DELETED, ..mark(number) }
}

/// A request for events that are not marked.
pub fn poll(most: u32) -> Msg {
    Msg::Do { verb: POLL, key: 0, value: u64::from(most) }
}

/// A request for the events from this number on.
pub fn tail(first: u64, most: u32, wait: Span) -> Msg {
    let value = u64::from(most.min(BATCH_MAX)) | (wait.0 / Span::MICROSECOND.0) << 16;
    Msg::Do { verb: TAIL, key: first, value }
}

impl Store {
    /// Takes in what a transaction has written into the outbox, or marked there.
    pub(super) fn take_in(&self, cx: &Cx, rows: &Rc<[Row]>) {
        let payload = cx.baggage().payload;
        let origin = Origin { root: cx.root(), payload, since: cx.now() };
        self.events.borrow_mut().take_in(rows, origin);
        self.emitted.announce(cx);
    }

    /// How much longer a poll takes for the rows that it has to look at.
    pub(super) fn scan(&self, request: &Msg) -> Span {
        match request {
            Msg::Do { verb: POLL, .. } => self.outbox_scan * self.events.borrow().rows(),
            _ => Span::ZERO,
        }
    }

    /// The events that are not marked. Of a durable store nobody sees one that a crash might undo.
    pub(super) async fn poll(&self, cx: &Cx, most: u64) -> Reply {
        let end = self.events.borrow().len();
        if self.durable {
            self.settle(cx).await?;
        }
        Ok(Msg::Batch { parcels: self.events.borrow().unmarked(most as usize, end) })
    }

    /// The events from a number on. What is not in the log on the disk cannot be read from it.
    pub(super) async fn tail(&self, cx: &Cx, first: u64, value: u64) -> Reply {
        let (most, wait) = ((value & u64::from(BATCH_MAX)) as usize, value >> 16);
        let ends = cx.now() + Span::MICROSECOND * wait;
        loop {
            let end = self.events.borrow().len();
            self.settle(cx).await?;
            let parcels = self.events.borrow().from(first, most, end);
            let now = cx.now();
            if !parcels.is_empty() || now >= ends {
                return Ok(Msg::Batch { parcels });
            }
            self.emitted.wait_within(cx, ends - now).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::facts::*;

    #[test]
    fn facts_are_spelt_as_they_are_named() {
        assert_eq!(
            [STORED, MARKED, DELETED, PUBLISHED, FAILED],
            NAMES.map(crate::engine::Name::of)
        );
        assert_eq!([super::POLL, super::TAIL], super::OPERATIONS.map(crate::engine::Name::of));
    }
}
