//! What brokers of logs, their controller and their clients say to one another: how each request
//! and each answer is packed into the shared vocabulary.
//!
//! A batch begins with a head, a parcel that says what the batch is about, and may have more of
//! them in between, as Kafka's record batches have headers.

mod control;

pub(crate) use control::Standing;
pub(super) use control::{
    Layout, alter, create, created, number, of_alter, of_watched, register, registered, watch,
    watched,
};

use super::partition::Record;
use super::settings::Acks;
use crate::engine::{Class, Msg, Name, NodeId, Parcel, Reply, Root, Span, Time};

/// A partition of a broker's topics.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct PartitionId {
    /// The place of its topic, in the order of the topics' hashes; the internal topic is the last.
    pub topic: u16,
    /// Which of the topic's partitions, from 0.
    pub number: u16,
}

const OFFSET: u64 = (1 << 40) - 1;

impl PartitionId {
    /// As a number of 24 bits: topics and partitions of each are fewer than 4,096.
    pub fn pack(self) -> u64 {
        u64::from(self.topic) << 12 | u64::from(self.number)
    }

    pub fn unpack(bits: u64) -> PartitionId {
        PartitionId { topic: (bits >> 12) as u16 & 0xfff, number: bits as u16 & 0xfff }
    }
}

/// A record, as facts, logs and requests name it: topic, partition, offset, in 12, 12 and 40 bits.
pub(crate) fn record_id(partition: PartitionId, offset: u64) -> u64 {
    partition.pack() << 40 | offset & OFFSET
}

/// The partition, and the offset in it.
pub(crate) fn of_record_id(id: u64) -> (PartitionId, u64) {
    (PartitionId::unpack(id >> 40), id & OFFSET)
}

/// What is asked of a broker: who leads the partitions of a topic, for records, for copies of
/// records, where an epoch ends, for the first offset of a time, to take records in.
pub(crate) const METADATA: Name = Name::of("log.metadata");
pub(crate) const FETCH: Name = Name::of("log.fetch");
pub(super) const REPLICATE: Name = Name::of("log.replicate");
pub(super) const EPOCH_END: Name = Name::of("log.epoch_end");
pub(crate) const OFFSETS: Name = Name::of("log.offsets");
pub(super) const PRODUCE: Name = Name::of("log.produce");
/// What is asked of the controller: to know a broker, to have a topic, that a broker is there, what
/// has changed, other in-sync replicas, a number for an idempotent producer.
pub(super) const REGISTER: Name = Name::of("log.register");
pub(super) const CREATE: Name = Name::of("log.create");
pub(super) const HEARTBEAT: Name = Name::of("log.heartbeat");
pub(super) const WATCH: Name = Name::of("log.watch");
pub(super) const ALTER: Name = Name::of("log.alter_isr");
pub(super) const PRODUCER: Name = Name::of("log.producer");
/// A head within a batch: records of one producer and epoch follow.
const RUN: Name = Name::of("log.run");

/// How they are spelt, and what else these nodes write into their logs.
pub const OPERATIONS: [&str; 20] = [
    "log.metadata",
    "log.fetch",
    "log.replicate",
    "log.epoch_end",
    "log.offsets",
    "log.produce",
    "log.register",
    "log.heartbeat",
    "log.watch",
    "log.alter_isr",
    "log.producer",
    "log.run",
    "log.record",
    "log.epoch",
    "log.cut",
    "log.start",
    "log.create",
    "log.registered",
    "log.layout",
    "log.state",
];

/// Marks a parcel that is no record but a head.
const HEAD: u32 = u32::MAX;

/// A head: what it is, and three numbers.
fn head(what: Name, id: u64, value: u64, since: u64) -> Parcel {
    let (root, class) = (Root::NONE, Class(0));
    let key = u64::from(what.value());
    Parcel { id, root, class, payload: 0, key, value, since: Time(since), count: HEAD }
}

/// What a parcel is the head of, if it is one.
pub(crate) fn head_of(parcel: &Parcel) -> Option<Name> {
    (parcel.count == HEAD).then(|| Name::from_value(parcel.key as u32))
}

/// Why a broker or the controller did not do what it was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// It does not lead this partition: `NOT_LEADER_OR_FOLLOWER`.
    NotLeader = 1,
    /// Too few replicas are in sync: `NOT_ENOUGH_REPLICAS`. Nothing was written.
    NotEnoughReplicas = 2,
    /// Too few were when it was written: `NOT_ENOUGH_REPLICAS_AFTER_APPEND`.
    NotEnoughReplicasAfterAppend = 3,
    /// There is no such offset: `OFFSET_OUT_OF_RANGE`; what was found is where the log begins.
    OutOfRange = 4,
    /// A record before it is missing: `OUT_OF_ORDER_SEQUENCE_NUMBER`.
    OutOfOrder = 5,
    /// Whoever asks, or is asked, knows an older epoch: `FENCED_LEADER_EPOCH`,
    /// `UNKNOWN_LEADER_EPOCH`, `INVALID_UPDATE_VERSION`.
    Fenced = 6,
    /// There is no such topic or partition: `UNKNOWN_TOPIC_OR_PARTITION`.
    Unknown = 7,
    /// A replica that should be in sync is not alive: `INELIGIBLE_REPLICA`.
    Ineligible = 8,
}

impl Refusal {
    const ALL: [Refusal; 8] = [
        Refusal::NotLeader,
        Refusal::NotEnoughReplicas,
        Refusal::NotEnoughReplicasAfterAppend,
        Refusal::OutOfRange,
        Refusal::OutOfOrder,
        Refusal::Fenced,
        Refusal::Unknown,
        Refusal::Ineligible,
    ];
}

/// What is found by a refusal if what it is about was written all the same.
pub(super) const WRITTEN: u64 = 1;

/// The answer that says no.
pub(crate) fn refuse(why: Refusal, found: u64) -> Reply {
    Ok(Msg::Clash { row: why as u32, found })
}

/// Why an answer says no, and what was found; `None` if it does not say no.
pub(crate) fn refused(reply: &Msg) -> Option<(Refusal, u64)> {
    let Msg::Clash { row, found } = reply else { return None };
    let why = Refusal::ALL.into_iter().find(|known| *known as u32 == *row);
    Some((why.unwrap_or(Refusal::Unknown), *found))
}

/// A request for who leads the partitions of a topic.
pub(crate) fn metadata(topic: Name) -> Msg {
    Msg::Do { verb: METADATA, key: u64::from(topic.value()), value: 0 }
}

/// Who leads a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Led {
    pub partition: PartitionId,
    /// `None` while nobody does.
    pub leader: Option<NodeId>,
    /// Since which epoch.
    pub epoch: u32,
}

impl Led {
    pub(super) fn parcel(self) -> Parcel {
        let leader = self.leader.map_or(0, |leader| u64::from(leader.0) + 1);
        let at = self.partition.pack();
        Parcel { key: leader, count: 0, ..head(METADATA, at, u64::from(self.epoch), 0) }
    }
}

/// Who leads the partitions of a topic, as a broker has answered.
pub(crate) fn led(parcels: &[Parcel]) -> impl Iterator<Item = Led> {
    parcels.iter().map(|parcel| Led {
        partition: PartitionId::unpack(parcel.id),
        leader: parcel.key.checked_sub(1).map(|leader| NodeId(leader as u32)),
        epoch: parcel.value as u32,
    })
}

/// A request for records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fetch {
    pub partition: PartitionId,
    /// From this offset on.
    pub offset: u64,
    /// Under the leader of this epoch.
    pub epoch: u32,
    /// How many at most, up to 65,535.
    pub most: u32,
    /// How long the broker waits if there is none, up to a minute, in whole milliseconds.
    pub wait: Span,
}

impl Fetch {
    pub fn message(self) -> Msg {
        let value = u64::from(self.epoch) << 32 | limits(self.most, self.wait);
        Msg::Do { verb: FETCH, key: record_id(self.partition, self.offset), value }
    }

    pub(super) fn read(key: u64, value: u64) -> Fetch {
        let (partition, offset) = of_record_id(key);
        let (most, wait) = of_limits(value);
        Fetch { partition, offset, epoch: (value >> 32) as u32, most, wait }
    }
}

/// How many records at most, and how long the broker waits if there is none, in 32 bits.
fn limits(most: u32, wait: Span) -> u64 {
    u64::from(most.min(0xffff)) << 16 | (wait.0 / Span::MILLISECOND.0).min(0xffff)
}

fn of_limits(value: u64) -> (u32, Span) {
    ((value >> 16) as u32 & 0xffff, Span::MILLISECOND * (value & 0xffff))
}

/// What a consumer that fetches is told besides the records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Extent {
    /// Up to before this offset records are on all in-sync replicas, and are handed out.
    pub high_watermark: u64,
    /// From this offset on the log still has records.
    pub start: u64,
}

/// Records for a consumer; the id of each parcel is its offset.
pub(super) fn fetched(extent: Extent, records: impl Iterator<Item = Record>) -> Msg {
    let first = head(FETCH, extent.high_watermark, extent.start, 0);
    let each = records.map(|record| parcel(&record, 1));
    Msg::Batch { parcels: std::iter::once(first).chain(each).collect() }
}

/// What the answer to a fetch says.
pub(crate) fn records(parcels: &[Parcel]) -> Option<(Extent, &[Parcel])> {
    let (first, rest) = parcels.split_first()?;
    let is_fetched = head_of(first) == Some(FETCH);
    let extent = Extent { high_watermark: first.id, start: first.value };
    is_fetched.then_some((extent, rest))
}

fn parcel(record: &Record, count: u32) -> Parcel {
    Parcel {
        id: record.offset,
        root: record.root,
        class: record.class,
        payload: record.payload,
        key: record.key,
        value: record.value,
        since: record.since,
        count,
    }
}

/// Records for a partition, from a producer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Produce {
    pub partition: PartitionId,
    pub acks: Acks,
    /// The number of an idempotent producer; 0 for one that is not.
    pub producer: u32,
    /// The sequence number of the first record.
    pub sequence: u32,
}

impl Produce {
    pub fn message(self, records: impl Iterator<Item = Parcel>) -> Msg {
        let id = self.partition.pack() | (self.acks as u64) << 24;
        let value = u64::from(self.producer) << 32 | u64::from(self.sequence);
        let first = head(PRODUCE, id, value, 0);
        Msg::Batch { parcels: std::iter::once(first).chain(records).collect() }
    }

    pub fn read(first: &Parcel) -> Produce {
        Produce {
            partition: PartitionId::unpack(first.id & 0xff_ffff),
            acks: Acks::of(first.id >> 24),
            producer: (first.value >> 32) as u32,
            sequence: first.value as u32,
        }
    }
}

/// What a follower has of a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Position {
    pub partition: PartitionId,
    /// It has everything up to before this offset.
    pub offset: u64,
    /// It follows the leader of this epoch.
    pub epoch: u32,
}

/// A request for copies of what a follower does not have yet. `is_whole` if it is of these
/// partitions and no others, from now on; otherwise of those that it was of before, and only where
/// the follower has come further are they named: a fetch session, as KIP-227 has it.
pub(super) fn replicate(
    is_whole: bool,
    (most, wait): (u32, Span),
    positions: impl Iterator<Item = Position>,
) -> Msg {
    let first = head(REPLICATE, is_whole.into(), limits(most, wait), 0);
    let each = positions.map(|at| Parcel {
        key: u64::from(at.epoch),
        count: 0,
        ..head(REPLICATE, record_id(at.partition, at.offset), 0, 0)
    });
    Msg::Batch { parcels: std::iter::once(first).chain(each).collect() }
}

/// Does a request name all its partitions, and what the follower has.
pub(super) fn positions(parcels: &[Parcel]) -> (bool, impl Iterator<Item = Position>) {
    let is_whole = parcels.first().is_some_and(|first| first.id == 1);
    let each = parcels.iter().skip(1).map(|parcel| {
        let (partition, offset) = of_record_id(parcel.id);
        Position { partition, offset, epoch: parcel.key as u32 }
    });
    (is_whole, each)
}

/// How many records a follower wants at most, and how long its leader is to wait.
pub(super) fn replica_limits(parcels: &[Parcel]) -> (u32, Span) {
    parcels.first().map_or((0, Span::ZERO), |first| of_limits(first.value))
}

/// What a leader tells a follower of one partition; records follow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Section {
    pub partition: PartitionId,
    pub epoch: u32,
    pub extent: Extent,
    /// Does it lead the partition, and the follower know its epoch?
    pub is_led: bool,
}

impl Section {
    pub fn parcel(self) -> Parcel {
        let id = record_id(self.partition, self.extent.high_watermark);
        let state = u64::from(self.epoch) << 1 | u64::from(self.is_led);
        head(REPLICATE, id, self.extent.start, state)
    }
}

/// Adds records for a follower, with a head wherever producer or epoch change.
pub(super) fn add_copies(parcels: &mut Vec<Parcel>, records: impl Iterator<Item = Record>) {
    let mut run = None;
    for record in records {
        if run.replace((record.epoch, record.producer)) != Some((record.epoch, record.producer)) {
            parcels.push(head(RUN, u64::from(record.epoch), u64::from(record.producer), 0));
        }
        parcels.push(parcel(&record, record.sequence));
    }
}

/// One part of what a leader tells a follower.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    Section(Section),
    Record(Record),
}

/// What a leader tells a follower, part by part.
pub(super) fn parts(parcels: &[Parcel]) -> impl Iterator<Item = Part> {
    let (mut epoch, mut producer) = (0, 0);
    parcels.iter().filter_map(move |parcel| match head_of(parcel) {
        Some(RUN) => {
            (epoch, producer) = (parcel.id as u32, parcel.value as u32);
            None
        }
        Some(_) => {
            let (partition, high_watermark) = of_record_id(parcel.id);
            let extent = Extent { high_watermark, start: parcel.value };
            let (state, is_led) = (parcel.since.0 >> 1, parcel.since.0 & 1 == 1);
            Some(Part::Section(Section { partition, epoch: state as u32, extent, is_led }))
        }
        None => Some(Part::Record(Record {
            offset: parcel.id,
            epoch,
            producer,
            sequence: parcel.count,
            ..Record::of(parcel)
        })),
    })
}

/// A request for the largest epoch up to this one, and where it ends.
pub(super) fn epoch_end(partition: PartitionId, current: u32, asked: u32) -> Msg {
    let key = partition.pack() << 32 | u64::from(current);
    Msg::Do { verb: EPOCH_END, key, value: u64::from(asked) }
}

/// The partition, the epoch of its leader and the epoch that is asked for.
pub(super) fn of_epoch_end(key: u64, value: u64) -> (PartitionId, u32, u32) {
    (PartitionId::unpack(key >> 32), key as u32, value as u32)
}

/// An epoch and the offset at which it ends, in one number.
pub(super) fn ended(epoch: u32, end: u64) -> u64 {
    u64::from(epoch) << 40 | end & OFFSET
}

pub(super) fn of_ended(value: u64) -> (u32, u64) {
    ((value >> 40) as u32, value & OFFSET)
}

/// A request for an offset: of the first record of this instant or later, where the log begins for
/// instant 0, and the high watermark for [`Time::MAX`].
pub(crate) fn offsets(partition: PartitionId, since: Time) -> Msg {
    Msg::Do { verb: OFFSETS, key: partition.pack(), value: since.0 }
}
