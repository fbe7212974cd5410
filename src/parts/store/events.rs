//! The outbox of a store: events that were written together with what they tell of, in the order of
//! the log.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::outbox::facts;
use crate::engine::{Change, Class, Name, Parcel, Root, Row, Time};

/// An event as the log has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Event {
    root: Root,
    class: Class,
    payload: u32,
    event: Name,
    key: u64,
    value: u64,
    since: Time,
    /// Is its row there no more?
    is_deleted: bool,
}

/// For which operation, with how large a body and since when a transaction is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Origin {
    pub root: Root,
    pub payload: u32,
    pub since: Time,
}

/// Every event that was ever written, by its number from 0, and which of them are not marked as
/// published. Those that are not any more stay in the log: whoever tails it may begin anywhere.
#[derive(Clone, Debug, Default)]
pub(super) struct Events {
    all: Vec<Event>,
    unmarked: BTreeSet<u64>,
    deleted: u64,
}

impl Events {
    /// How many were written: the number of the next.
    pub fn len(&self) -> u64 {
        self.all.len() as u64
    }

    /// How many rows the outbox has, marked or not.
    pub fn rows(&self) -> u64 {
        self.len() - self.deleted
    }

    /// Takes in what a transaction says about the outbox.
    pub fn take_in(&mut self, rows: &[Row], origin: Origin) {
        for row in rows {
            match row.change {
                Change::Emit { event, class, value } => {
                    let Origin { root, payload, since } = origin;
                    self.unmarked.insert(self.len());
                    let key = row.key;
                    let is_deleted = false;
                    let event =
                        Event { root, class, payload, event, key, value, since, is_deleted };
                    self.all.push(event);
                }
                Change::Relayed => self.relayed(row.key, row.table == facts::DELETED),
                Change::Set(_) | Change::Give(_) | Change::Take(_) => {}
            }
        }
    }

    /// An event is published; perhaps its row goes.
    fn relayed(&mut self, number: u64, deletes: bool) {
        self.unmarked.remove(&number);
        if let Some(event) =
            self.all.get_mut(number as usize).filter(|it| deletes && !it.is_deleted)
        {
            event.is_deleted = true;
            self.deleted += 1;
        }
    }

    /// The first events that are not marked, at most so many, of those numbered below `end`.
    pub fn unmarked(&self, most: usize, end: u64) -> Rc<[Parcel]> {
        self.unmarked.range(..end).take(most).map(|number| self.parcel(*number)).collect()
    }

    /// The events from a number on, marked or not, at most so many, of those numbered below `end`.
    pub fn from(&self, first: u64, most: usize, end: u64) -> Rc<[Parcel]> {
        (first..end.min(self.len())).take(most).map(|number| self.parcel(number)).collect()
    }

    /// An event as it travels: the count is its name.
    fn parcel(&self, number: u64) -> Parcel {
        let Event { root, class, payload, event, key, value, since, .. } =
            self.all[number as usize];
        Parcel { id: number, root, class, payload, key, value, since, count: event.value() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Expect;

    const PLACED: Name = Name::of("placed");

    fn row(key: u64, change: Change) -> Row {
        Row { table: Name::of("outbox"), key, expect: Expect::Any, change }
    }

    fn emit(key: u64) -> Row {
        row(key, Change::Emit { event: PLACED, class: Class(2), value: 10 * key })
    }

    fn ids(parcels: &[Parcel]) -> Vec<u64> {
        parcels.iter().map(|parcel| parcel.id).collect()
    }

    /// Four events: two of one transaction, and two single ones.
    fn events() -> Events {
        let mut events = Events::default();
        let origin = Origin { root: Root(7), payload: 500, since: Time(9) };
        events.take_in(&[emit(3), row(0, Change::Give(5)), emit(4)], origin);
        events.take_in(&[emit(5)], origin);
        events.take_in(&[emit(6)], origin);
        events
    }

    #[test]
    fn events_are_numbered_in_the_order_in_which_they_were_written() {
        let events = events();
        let parcels = events.unmarked(10, events.len());
        assert_eq!(ids(&parcels), [0, 1, 2, 3]);
        let first = parcels[0];
        assert_eq!((first.key, first.value, first.root, first.class), (3, 30, Root(7), Class(2)));
        assert_eq!((first.payload, first.since, first.count), (500, Time(9), PLACED.value()));
    }

    #[test]
    fn marked_events_are_not_found_again_unless_the_log_is_tailed() {
        let mut events = events();
        let marks = [row(0, Change::Relayed), row(2, Change::Relayed)];
        events.take_in(&marks, Origin { root: Root::NONE, payload: 0, since: Time(0) });
        assert_eq!(ids(&events.unmarked(10, 4)), [1, 3]);
        assert_eq!(ids(&events.unmarked(1, 4)), [1], "a batch has its size");
        assert_eq!(ids(&events.unmarked(10, 3)), [1], "what is not durable is not shown");
        assert_eq!(ids(&events.from(0, 10, 4)), [0, 1, 2, 3]);
        assert_eq!(ids(&events.from(2, 1, 4)), [2]);
        assert_eq!(ids(&events.from(9, 10, 4)), [] as [u64; 0]);
        assert_eq!(events.rows(), 4);
    }

    #[test]
    fn deleted_events_have_no_row_and_are_in_the_log() {
        let mut events = events();
        let delete = Row { table: facts::DELETED, ..row(1, Change::Relayed) };
        let origin = Origin { root: Root::NONE, payload: 0, since: Time(0) };
        events.take_in(&[delete, delete, row(0, Change::Relayed)], origin);
        assert_eq!((events.rows(), events.len()), (3, 4));
        assert_eq!(ids(&events.unmarked(10, 4)), [2, 3]);
        assert_eq!(ids(&events.from(0, 10, 4)), [0, 1, 2, 3]);
    }
}
