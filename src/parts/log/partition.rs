//! One replica's log of a partition: records with offsets and epochs, in segments.
//!
//! Plain data: a broker around it says when something is appended, cut off, expired or compacted,
//! and makes it durable.

use std::collections::VecDeque;

use super::segments::Segments;
use crate::engine::{Class, Parcel, Root, Time};

/// A record of a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Record {
    pub offset: u64,
    /// The epoch of the leader that wrote it.
    pub epoch: u32,
    pub root: Root,
    pub class: Class,
    /// Bytes of its body.
    pub payload: u32,
    pub key: u64,
    pub value: u64,
    /// Since when its producer has had it.
    pub since: Time,
    /// The number of the idempotent producer that it comes from; 0 for others.
    pub producer: u32,
    /// The how-manieth of this producer in this partition, from 0.
    pub sequence: u32,
}

impl Record {
    /// What a parcel says; offset, epoch, producer and sequence are whoever's business who has it.
    pub fn of(parcel: &Parcel) -> Record {
        let Parcel { root, class, payload, key, value, since, .. } = *parcel;
        let (offset, epoch, producer, sequence) = (0, 0, 0, 0);
        Record { offset, epoch, root, class, payload, key, value, since, producer, sequence }
    }

    /// What it takes on the disk besides its body: the overhead of an entry with one row.
    const OVERHEAD: u64 = 96;

    pub fn bytes(&self) -> u64 {
        Self::OVERHEAD + u64::from(self.payload)
    }
}

/// What a batch of an idempotent producer is to a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sequence {
    /// It comes next.
    Next,
    /// The log has it: its first and its last record stand there.
    Known(u64, u64),
    /// The log has so many of its first records, the first of them there: a follower had no more of
    /// it when it became the leader, or no more of it was durable.
    Part(u32, u64),
    /// Something before it is missing.
    Gap,
}

/// One replica's log of a partition.
#[derive(Clone, Debug, Default)]
pub(crate) struct Partition {
    /// In the order of their offsets; compaction leaves gaps.
    records: VecDeque<Record>,
    start: u64,
    end: u64,
    high_watermark: u64,
    /// The leaders' epochs, each with the offset of its first record.
    epochs: Vec<(u32, u64)>,
    /// The last sequence number of each idempotent producer, by the producer's number.
    producers: Vec<(u32, u32)>,
    pub(super) segments: Segments,
}

impl Partition {
    /// Where it begins: the offset of the first record that it may still have.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Where it ends: the offset of the record that comes next.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Up to before here, as far as this replica knows, all in-sync replicas have everything.
    pub fn high_watermark(&self) -> u64 {
        self.high_watermark
    }

    /// Moves the high watermark up, not beyond the end; did it move?
    pub fn raise(&mut self, high_watermark: u64) -> bool {
        let raised = high_watermark.min(self.end).max(self.high_watermark);
        let has_moved = raised > self.high_watermark;
        self.high_watermark = raised;
        has_moved
    }

    /// The epoch of the last record, or the last that has begun; 0 for none.
    pub fn last_epoch(&self) -> u32 {
        self.epochs.last().map_or(0, |(epoch, _)| *epoch)
    }

    /// The epoch of the last record.
    pub fn epoch_of_last(&self) -> u32 {
        let begun = self.epochs.iter().rev().find(|(_, start)| *start < self.end);
        begun.map_or(0, |(epoch, _)| *epoch)
    }

    /// An epoch begins at this offset, which is the end of the log or beyond it.
    pub fn begin_epoch(&mut self, epoch: u32, start: u64) {
        // An epoch without records leaves no trace.
        while self.epochs.last().is_some_and(|(_, begun)| *begun >= start) {
            self.epochs.pop();
        }
        self.epochs.push((epoch, start));
    }

    /// The largest epoch up to this one that the log knows, and the offset at which it ends; epoch
    /// 0 if it knows none.
    pub fn epoch_end(&self, asked: u32) -> (u32, u64) {
        let after = self.epochs.partition_point(|(epoch, _)| *epoch <= asked);
        let end = self.epochs.get(after).map_or(self.end, |(_, start)| *start);
        match after.checked_sub(1) {
            Some(place) => (self.epochs[place].0, end),
            None => (0, self.start),
        }
    }

    /// A leader whose largest epoch up to ours is `epoch`, where it ends at `end`: up to where the
    /// two logs agree, and the epoch to ask for next if that is not known yet (KIP-279).
    pub fn agrees_up_to(&self, epoch: u32, end: u64) -> (u64, Option<u32>) {
        let (own, own_end) = self.epoch_end(epoch);
        if epoch == 0 {
            return (0, None);
        }
        let next = (own != epoch && own != 0).then_some(own);
        let agreed = if own == epoch { end.min(own_end) } else { own_end };
        (agreed, next)
    }

    /// Appends a record at its offset, which is at the end or, where compaction has left a gap,
    /// beyond it.
    pub fn append(&mut self, record: Record, now: Time) {
        debug_assert!(record.offset >= self.end, "offsets only grow");
        if record.epoch > self.last_epoch() {
            self.begin_epoch(record.epoch, record.offset);
        }
        if record.producer != 0 {
            self.note_sequence(record.producer, record.sequence);
        }
        self.segments.add(record.offset, record.bytes(), record.since, now);
        self.end = record.offset + 1;
        self.records.push_back(record);
    }

    /// What a batch of so many records, the first with this number, is to the log.
    pub fn sequence(&self, producer: u32, first: u32, count: u32) -> Sequence {
        let place = self.producers.binary_search_by_key(&producer, |(known, _)| *known);
        // A log that knows nothing of a producer takes what comes.
        let Ok(place) = place else { return Sequence::Next };
        let last = self.producers[place].1;
        match first.checked_sub(last + 1) {
            Some(0) => Sequence::Next,
            Some(_) => Sequence::Gap,
            None if last < first + count - 1 => {
                let held = last + 1 - first;
                let place = self.find(producer, first);
                Sequence::Part(held, place.unwrap_or(self.end.saturating_sub(held.into())))
            }
            None => {
                // Where it was cleaned away, before the end.
                let place = self.find(producer, first + count - 1);
                let last = place.unwrap_or(self.end.saturating_sub(1));
                let first = self.find(producer, first);
                Sequence::Known(first.unwrap_or((last + 1).saturating_sub(count.into())), last)
            }
        }
    }

    /// The offset of a record by its producer; `None` if it was cleaned away.
    fn find(&self, producer: u32, sequence: u32) -> Option<u64> {
        let is_it = |record: &&Record| (record.producer, record.sequence) == (producer, sequence);
        self.records.iter().rev().find(is_it).map(|record| record.offset)
    }

    fn note_sequence(&mut self, producer: u32, sequence: u32) {
        match self.producers.binary_search_by_key(&producer, |(known, _)| *known) {
            Ok(place) => self.producers[place].1 = sequence,
            Err(place) => self.producers.insert(place, (producer, sequence)),
        }
    }

    /// Up to `most` records from an offset on, those before `before`.
    pub fn read(&self, from: u64, before: u64, most: u32) -> impl Iterator<Item = Record> {
        let first = self.records.partition_point(|record| record.offset < from);
        let rest = self.records.range(first..).take(most as usize);
        rest.take_while(move |record| record.offset < before).copied()
    }

    /// The offset of the first record of this instant or later.
    pub fn offset_since(&self, since: Time) -> Option<u64> {
        self.records.iter().find(|record| record.since >= since).map(|record| record.offset)
    }

    /// Gives up everything from this offset on; how many records were that?
    pub fn truncate(&mut self, to: u64) -> u64 {
        if to >= self.end {
            return 0;
        }
        let kept = self.records.partition_point(|record| record.offset < to);
        let given_up = (self.records.len() - kept) as u64;
        self.records.truncate(kept);
        self.end = to;
        self.start = self.start.min(to);
        self.high_watermark = self.high_watermark.min(to);
        while self.epochs.last().is_some_and(|(_, start)| *start >= to) {
            self.epochs.pop();
        }
        self.producers.clear();
        self.segments.cut();
        for place in 0..self.records.len() {
            let Record { producer, sequence, offset, since, .. } = self.records[place];
            if producer != 0 {
                self.note_sequence(producer, sequence);
            }
            self.segments.add(offset, self.records[place].bytes(), since, since);
        }
        given_up
    }

    /// Might it have a record at this offset, now or when it comes?
    pub fn may_have(&self, offset: u64) -> bool {
        offset >= self.end || self.records.binary_search_by_key(&offset, |it| it.offset).is_ok()
    }

    /// Gives up everything before this offset, and everything at all if the log ends before it; how
    /// many records were that?
    pub fn expire(&mut self, start: u64) -> usize {
        if start <= self.start {
            return 0;
        }
        self.start = start;
        let gone = self.records.partition_point(|record| record.offset < start);
        self.records.drain(..gone);
        self.segments.drop_before(start);
        if self.records.is_empty() {
            self.segments.cut();
        }
        if start > self.end {
            self.end = start;
        }
        self.high_watermark = self.high_watermark.max(start);
        // The epoch that the first record belongs to begins with it.
        while self.epochs.get(1).is_some_and(|(_, begun)| *begun <= start) {
            self.epochs.remove(0);
        }
        if let Some((_, begun)) = self.epochs.first_mut() {
            *begun = (*begun).max(start);
        }
        gone
    }

    /// Keeps of the records before an offset only the last of each key; how many went?
    pub fn compact(&mut self, before: u64) -> u64 {
        let known = self.records.partition_point(|record| record.offset < before);
        let newest: std::collections::BTreeMap<u64, u64> =
            self.records.range(..known).map(|record| (record.key, record.offset)).collect();
        let before_that = self.records.len();
        let segments = &mut self.segments;
        self.records.retain(|record| {
            let stays = record.offset >= before || newest[&record.key] == record.offset;
            if !stays {
                segments.remove(record.offset, record.bytes());
            }
            stays
        });
        (before_that - self.records.len()) as u64
    }

    /// How many records it has.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.records.len()
    }
}

#[cfg(test)]
mod tests;
