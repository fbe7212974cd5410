//! What a producer has for one partition: batches that wait to be sent, are under way, or wait to
//! be sent again.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use super::wire::{Led, PartitionId};
use crate::engine::{Condition, Fault, Msg, NodeId, Parcel, Time};

/// Records of one partition that are sent together.
#[derive(Debug)]
pub(super) struct Batch {
    /// Which partition, by its place among those of its topic.
    pub lane: usize,
    /// In which order the batches of a producer began.
    pub order: u64,
    /// Until when it must be delivered.
    pub until: Time,
    pub records: RefCell<Vec<Parcel>>,
    pub bytes: Cell<u64>,
    /// From when on it may be sent: when it has waited for others to join, or for its next try.
    pub ready: Cell<Time>,
    /// How often it was sent.
    pub tries: Cell<u32>,
    /// The number under which it was sent first and the sequence number of its first record.
    pub sequence: Cell<Option<(u32, u32)>>,
    /// It is with its leader, and what becomes of it is not known yet.
    pub is_out: Cell<bool>,
    /// A try of which nobody knows may have been written.
    pub may_be_written: Cell<bool>,
    /// What has become of it: the offset of its first record, or why not.
    pub outcome: Cell<Option<Result<u64, Fault>>>,
    pub settled: Condition,
}

impl Batch {
    pub fn new(lane: usize, order: u64, ready: Time, until: Time) -> Batch {
        Batch {
            lane,
            order,
            until,
            records: RefCell::default(),
            bytes: Cell::default(),
            ready: Cell::new(ready),
            tries: Cell::default(),
            sequence: Cell::default(),
            is_out: Cell::default(),
            may_be_written: Cell::default(),
            outcome: Cell::default(),
            settled: Condition::default(),
        }
    }

    /// A record joins; its place in the batch.
    pub fn add(&self, record: Parcel) -> u64 {
        self.bytes.set(self.bytes.get() + weight(&record));
        let mut records = self.records.borrow_mut();
        records.push(record);
        records.len() as u64 - 1
    }

    pub fn len(&self) -> u32 {
        self.records.borrow().len() as u32
    }

    pub fn is_settled(&self) -> bool {
        self.outcome.get().is_some()
    }

    /// What it ends with once its time is over.
    pub fn overdue(&self) -> Fault {
        if self.may_be_written.get() || self.is_out.get() { Fault::Timeout } else { Fault::Expired }
    }
}

/// How many bytes a record is of a batch.
pub(super) fn weight(record: &Parcel) -> u64 {
    u64::from(Msg::HEADER) + u64::from(record.payload)
}

/// A partition, as a producer has it.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub id: PartitionId,
    /// Who leads it, as far as is known.
    pub leader: Option<NodeId>,
    pub epoch: u32,
    /// Batches that are to be sent, the next one first.
    pub waiting: VecDeque<Rc<Batch>>,
    /// Batches that are with the leader.
    pub out: Vec<Rc<Batch>>,
    /// The producer's number, 0 for none yet, and the next sequence number.
    pub number: u32,
    pub next: u32,
    /// A number has been asked for.
    pub is_numbering: bool,
}

impl Lane {
    pub fn new(led: Led) -> Lane {
        Lane {
            id: led.partition,
            leader: led.leader,
            epoch: led.epoch,
            waiting: VecDeque::new(),
            out: Vec::new(),
            number: 0,
            next: 0,
            is_numbering: false,
        }
    }

    /// Hears who leads it; an older epoch is no news.
    pub fn learn(&mut self, led: Led) {
        if led.epoch >= self.epoch {
            (self.leader, self.epoch) = (led.leader, led.epoch);
        }
    }

    /// The batch that a record of this weight joins, if there is one that has not been sent yet and
    /// has room.
    pub fn open(&self, bytes: u64, most: u64) -> Option<&Rc<Batch>> {
        let fits = |batch: &&Rc<Batch>| batch.tries.get() == 0 && batch.bytes.get() + bytes <= most;
        self.waiting.back().filter(fits)
    }

    /// May the first batch be sent now? It is full, or others wait behind it, or its time has come.
    pub fn is_ready(&self, now: Time, most: u64) -> bool {
        self.waiting.front().is_some_and(|first| {
            let is_first_try = first.tries.get() == 0;
            let is_full = first.bytes.get() >= most || self.waiting.len() > 1;
            first.ready.get() <= now || is_first_try && is_full
        })
    }

    /// The first batch is on its way.
    pub fn send(&mut self, is_idempotent: bool) -> Option<Rc<Batch>> {
        let batch = self.waiting.pop_front()?;
        if is_idempotent && batch.sequence.get().is_none() {
            batch.sequence.set(Some((self.number, self.next)));
            self.next += batch.len();
        }
        batch.tries.set(batch.tries.get() + 1);
        batch.is_out.set(true);
        self.out.push(batch.clone());
        Some(batch)
    }

    /// The leader has answered, or has not.
    pub fn is_back(&mut self, batch: &Rc<Batch>) {
        batch.is_out.set(false);
        self.out.retain(|other| !Rc::ptr_eq(other, batch));
    }

    /// A batch is to be sent again: before all others, or where order is kept, at its place.
    pub fn again(&mut self, batch: Rc<Batch>, in_order: bool) {
        let is_before = |other: &Rc<Batch>| other.order < batch.order;
        let place = if in_order { self.waiting.partition_point(is_before) } else { 0 };
        self.waiting.insert(place, batch);
    }

    /// Is no older batch still on its way, or waiting to be sent again?
    pub fn is_oldest(&self, batch: &Batch) -> bool {
        let all = self.waiting.iter().chain(&self.out);
        all.into_iter().all(|other| other.order >= batch.order)
    }

    /// Is a batch on its way under a number that is not the producer's any more?
    pub fn has_stale(&self) -> bool {
        let number = |batch: &Rc<Batch>| batch.sequence.get().map(|(number, _)| number);
        self.out.iter().any(|batch| number(batch) != Some(self.number))
    }

    /// The log misses what this producer has sent: it begins anew, with another number.
    pub fn renew(&mut self) {
        (self.number, self.next) = (0, 0);
        self.waiting.iter().for_each(|batch| batch.sequence.set(None));
    }
}

#[cfg(test)]
mod tests;
