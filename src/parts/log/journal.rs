//! What a log broker's disk holds, so that a restart has the logs of all its replicas again.
//!
//! One log on the disk has the entries of all partitions: records as they come, and where an epoch
//! begins, where a log was cut back and where it begins after its oldest segments went. What is
//! durable of it is always a beginning of what was written, so a restart finds each partition as it
//! was at one instant. Recovery ends a partition's log before the first record that it cannot read.

use super::partition::{Partition, Record};
use super::replica::Replica;
use super::settings::Cleanup;
use super::wire::{of_record_id, record_id};
use super::{LogBroker, facts};
use crate::engine::{Baggage, Change, Class, Expect, Fault, Name, Root, Row, Time};
use crate::world::{Cx, Entry};

/// Entries of the log: a record; an epoch begins here; the log was cut back to here; it begins
/// here.
const RECORD: Name = Name::of("log.record");
const EPOCH: Name = Name::of("log.epoch");
const CUT: Name = Name::of("log.cut");
const START: Name = Name::of("log.start");

/// Producer, class and sequence number in one number.
fn origin(record: &Record) -> u64 {
    u64::from(record.producer) << 40 | u64::from(record.class.0) << 32 | u64::from(record.sequence)
}

/// What an entry says of a record; its epoch is that of the log at its end.
fn read(entry: &Entry, epoch: u32) -> Option<Record> {
    let row = entry.rows.first().filter(|row| row.table == facts::STORED)?;
    let (Expect::Stamped(since), Change::Set(origin)) = (row.expect, row.change) else {
        return None;
    };
    Some(Record {
        offset: of_record_id(row.key).1,
        epoch,
        root: entry.root,
        class: Class((origin >> 32) as u8),
        payload: entry.payload,
        key: entry.key,
        value: entry.value,
        since: Time(since),
        producer: (origin >> 40) as u32,
        sequence: origin as u32,
    })
}

/// Takes in what an entry says of a partition.
fn recall(log: &mut Partition, entry: &Entry, place: u64, is_dense: bool, now: Time) {
    // Compaction leaves gaps; elsewhere a gap is something that could not be read.
    let fits = place == log.end() || !is_dense && place > log.end();
    match entry.what {
        RECORD if fits => {
            if let Some(record) = read(entry, log.last_epoch()) {
                log.append(record, now);
            }
        }
        EPOCH if fits => log.begin_epoch(entry.value as u32, place),
        CUT => _ = log.truncate(place),
        START => log.expire(place),
        _ => {}
    }
}

impl LogBroker {
    /// Appends records to a partition's log and to the disk.
    pub(super) fn write(&self, cx: &Cx, replica: &Replica, record: Record) -> Result<(), Fault> {
        let begins = record.epoch > replica.log.borrow().last_epoch();
        if begins {
            self.write_epoch(cx, replica, record.epoch, record.offset)?;
        }
        let row = Row {
            table: facts::STORED,
            key: record_id(replica.id, record.offset),
            expect: Expect::Stamped(record.since.0),
            change: Change::Set(origin(&record)),
        };
        let (root, along) = (cx.root(), cx.baggage());
        cx.resume(record.root);
        cx.set_baggage(Baggage { payload: record.payload, ..Baggage::NONE });
        let written = cx.disk().append(RECORD, record.key, record.value, [row].into());
        cx.resume(root);
        cx.set_baggage(along);
        written?;
        replica.log.borrow_mut().append(record, cx.now());
        Ok(())
    }

    /// An epoch begins at this offset.
    pub(super) fn write_epoch(
        &self,
        cx: &Cx,
        replica: &Replica,
        epoch: u32,
        offset: u64,
    ) -> Result<(), Fault> {
        note(cx, EPOCH, record_id(replica.id, offset), u64::from(epoch))?;
        replica.log.borrow_mut().begin_epoch(epoch, offset);
        Ok(())
    }

    /// Gives up everything from this offset on.
    pub(super) fn cut(&self, cx: &Cx, replica: &Replica, to: u64) -> Result<(), Fault> {
        let end = replica.log.borrow().end();
        if to < end {
            note(cx, CUT, record_id(replica.id, to), 0)?;
            let given_up = replica.log.borrow_mut().truncate(to);
            cx.note(facts::TRUNCATED, record_id(replica.id, to), given_up);
        }
        Ok(())
    }

    /// Gives up everything before this offset.
    pub(super) fn expire(&self, cx: &Cx, replica: &Replica, start: u64) -> Result<(), Fault> {
        if start > replica.log.borrow().start() {
            note(cx, START, record_id(replica.id, start), 0)?;
            replica.log.borrow_mut().expire(start);
        }
        Ok(())
    }

    /// Makes everything durable that was written. A disk that reports an error takes the broker's
    /// logs back to what is durable, as if it had started anew.
    pub(super) async fn flush(&self, cx: &Cx) -> Result<(), Fault> {
        if cx.disk().sync().await.is_ok() {
            return Ok(());
        }
        if cx.disk().rewind() {
            self.recover(cx);
            self.enrol(cx);
        }
        Err(Fault::Failed)
    }

    /// Finds what is on the disk, for every partition that has a replica here.
    pub(super) fn recover(&self, cx: &Cx) {
        self.replicas().iter().for_each(|replica| replica.clear());
        let now = cx.now();
        for entry in cx.disk().replay() {
            let id = match entry.what {
                RECORD => entry.rows.first().map_or(u64::MAX, |row| row.key),
                EPOCH | CUT | START => entry.key,
                _ => continue,
            };
            let (at, place) = of_record_id(id);
            if let Some(replica) = self.replica(at) {
                let is_dense = replica.rules.cleanup == Cleanup::Delete;
                recall(&mut replica.log.borrow_mut(), &entry, place, is_dense, now);
            }
        }
    }
}

/// Writes an entry that is no record.
fn note(cx: &Cx, what: Name, key: u64, value: u64) -> Result<(), Fault> {
    let (root, along) = (cx.root(), cx.baggage());
    cx.resume(Root::NONE);
    cx.set_baggage(Baggage::NONE);
    let written = cx.disk().append_plain(what, key, value);
    cx.resume(root);
    cx.set_baggage(along);
    written
}
