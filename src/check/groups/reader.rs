//! A partition as a consumer group reads it: what became of each record.

use std::collections::BTreeMap;

use crate::check::promises::Tally;
use crate::check::queue_counts::QueueCounts;
use crate::engine::{Fact, Root, Time};
use crate::parts::{broker_facts, of_record_id};

/// How a record stands with a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Standing {
    #[default]
    Waiting,
    Out,
    /// It was processed, or passed over, or is there no more.
    Done,
}

/// A record as a group has it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub standing: Standing,
    pub deliveries: u32,
    /// It was done before, and the group has gone back to it.
    pub is_again: bool,
}

/// A record of a log.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Record {
    pub root: Root,
    pub key: u64,
    pub since: Time,
}

/// A partition as a group reads it.
#[derive(Default)]
pub(super) struct Reader {
    /// From here on records are the group's; `None` before it has begun.
    pub from: Option<u64>,
    pub committed: u64,
    /// By offset.
    pub seen: Vec<Seen>,
    /// Of what was processed the last, by business object.
    pub last: BTreeMap<u64, u64>,
}

impl Reader {
    pub fn seen(&mut self, offset: u64) -> &mut Seen {
        let place = offset as usize;
        if place >= self.seen.len() {
            self.seen.resize(place + 1, Seen::default());
        }
        &mut self.seen[place]
    }

    /// Is a record the group's?
    pub fn has(&self, offset: u64) -> bool {
        self.from.is_some_and(|from| from <= offset)
    }

    /// A record is done with; false if it was before.
    pub fn is_done(
        &mut self,
        at: Time,
        offset: u64,
        record: &Record,
        counts: &mut QueueCounts,
    ) -> bool {
        let before = std::mem::replace(&mut self.seen(offset).standing, Standing::Done);
        if before != Standing::Done {
            counts.left(at, record.since, before == Standing::Waiting, false);
        }
        before != Standing::Done
    }

    /// A record is handed out; how often it was by now.
    pub fn delivered(&mut self, at: Time, offset: u64, counts: &mut QueueCounts) -> u32 {
        let seen = self.seen(offset);
        seen.deliveries += 1;
        let deliveries = seen.deliveries;
        if seen.standing == Standing::Waiting {
            seen.standing = Standing::Out;
            counts.waits(at, -1, false);
        }
        counts.delivered(deliveries);
        deliveries
    }

    /// A record is processed for the first time: no later one about the same object was.
    pub fn in_order(
        &mut self,
        fact: &Fact,
        (offset, key): (u64, u64),
        tally: &mut Tally,
        counts: &mut QueueCounts,
    ) {
        let last = self.last.entry(key).or_default();
        tally.checked += 1;
        if *last > offset {
            counts.disordered += 1;
            let what = || format!("{} was processed after {last}", at(fact));
            tally.violated(fact.at, fact.root, what);
        }
        *last = offset.max(*last);
    }

    /// Records were thrown away before they were read.
    pub fn overrun(&mut self, fact: &Fact, offset: u64, log: &[Record], counts: &mut QueueCounts) {
        let all = (0..).zip(log).skip(offset as usize).take(fact.value as usize);
        for (offset, record) in all {
            if self.has(offset) && self.is_done(fact.at, offset, record, counts) {
                counts.removed(broker_facts::EXPIRED);
            }
        }
    }

    /// The group goes to another place: what is before it is passed over, and what is after it is
    /// read again. What was before its beginning is the group's from now on.
    pub fn reset(&mut self, at: Time, offset: u64, log: &[Record], counts: &mut QueueCounts) {
        self.committed = offset;
        self.last.retain(|_, last| *last < offset);
        let from = self.from.unwrap_or(u64::MAX);
        for place in offset..from.min(log.len() as u64) {
            self.seen(place);
            counts.accepted(at, false);
        }
        self.from = Some(from.min(offset));
        for (record, place) in log.iter().zip(0..) {
            if !self.has(place) {
                continue;
            }
            if place < offset {
                if self.is_done(at, place, record, counts) {
                    counts.removed(broker_facts::DROPPED);
                }
            } else if self.seen(place).standing == Standing::Done {
                *self.seen(place) = Seen { is_again: true, ..Seen::default() };
                counts.enters(at, false);
            }
        }
    }
}

/// A record, as a finding tells of it.
pub(super) fn at(fact: &Fact) -> String {
    let (partition, offset) = of_record_id(fact.key);
    format!("record {offset} of partition {}", partition.number)
}
