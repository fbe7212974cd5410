//! What a broker does with the partitions that it leads: it takes records in, hands them out to
//! consumers and to its followers, and watches over who is in sync.

use super::partition::{Record, Sequence};
use super::replica::Replica;
use super::settings::{Acks, Flush};
use super::wire::{self, Fetch, PartitionId, Produce, Refusal, Section, record_id};
use super::{AGAIN, ALTER_ISR, LogBroker, facts, kick};
use crate::engine::{Baggage, Fault, Msg, NodeId, Parcel, Reply, Root, Span, Time};
use crate::world::Cx;

/// How long the controller has to answer.
pub(super) const PATIENCE: Span = Span::from_seconds(2);

/// Where a batch has come to stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Appended {
    /// The offset of its first record.
    pub first: u64,
    /// The offset after its last record.
    pub end: u64,
}

/// Why a batch was not taken in, or not as its `acks` have it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rejected {
    /// The broker says why; nothing was written.
    Refused(Refusal),
    /// It was written, and is not as safe as it should be.
    Written(Refusal),
    /// Something is wrong with the broker.
    Faulty(Fault),
}

impl From<Fault> for Rejected {
    fn from(fault: Fault) -> Rejected {
        Rejected::Faulty(fault)
    }
}

impl From<Refusal> for Rejected {
    fn from(why: Refusal) -> Rejected {
        Rejected::Refused(why)
    }
}

/// What a batch is to its partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Terms {
    pub acks: Acks,
    /// The number of an idempotent producer; 0 for one that is not.
    pub producer: u32,
    /// The sequence number of the first record.
    pub sequence: u32,
}

impl Terms {
    /// Those of a batch without its first records.
    fn from(self, first: u32) -> Terms {
        Terms { sequence: self.sequence + first, ..self }
    }
}

/// What a log has of a batch.
enum Placed {
    /// Nothing.
    New,
    /// What comes before this record of it, from this offset on.
    From(u32, u64),
    /// All of it, there.
    Known(Appended),
}

impl LogBroker {
    /// A producer's batch.
    pub(super) async fn produce(&self, cx: &Cx, parcels: &[Parcel]) -> Reply {
        let Some((first, records)) = parcels.split_first() else { return Err(Fault::Unknown) };
        let Produce { partition, acks, producer, sequence } = Produce::read(first);
        // Work is done for records and not for whoever asked.
        cx.set_baggage(Baggage::NONE);
        self.work(cx, partition, records.len()).await?;
        match self.append(cx, partition, records, Terms { acks, producer, sequence }).await {
            Ok(appended) => Ok(Msg::Done { value: appended.first }),
            Err(Rejected::Refused(why)) => wire::refuse(why, 0),
            Err(Rejected::Written(why)) => wire::refuse(why, wire::WRITTEN),
            Err(Rejected::Faulty(fault)) => Err(fault),
        }
    }

    /// Appends records to a partition that this broker leads, and waits until they are as safe as
    /// `acks` has it.
    ///
    /// # Errors
    /// [`Refusal`] as Kafka's error codes; [`Fault::Reset`] if the disk is full or has failed, so
    /// that the broker begins anew.
    pub(crate) async fn append(
        &self,
        cx: &Cx,
        at: PartitionId,
        records: &[Parcel],
        terms: Terms,
    ) -> Result<Appended, Rejected> {
        let replica = self.replica(at).ok_or(Refusal::Unknown)?;
        let epoch = replica.leads().ok_or(Refusal::NotLeader)?;
        let in_sync = replica.in_sync();
        if terms.acks == Acks::All && in_sync < replica.rules.min_isr {
            cx.note(facts::TOO_FEW, record_id(at, replica.log.borrow().end()), in_sync.into());
            return Err(Refusal::NotEnoughReplicas.into());
        }
        let appended = match self.place(cx, replica, terms, records.len())? {
            Placed::Known(known) => known,
            // Followers may have copied what this disk then did not take.
            Placed::New => {
                let written = self.write_all(cx, replica, records, terms);
                written.map_err(|_| Fault::Reset)?
            }
            Placed::From(new, first) => {
                let rest = &records[new as usize..];
                let written = self.write_all(cx, replica, rest, terms.from(new));
                Appended { first, ..written.map_err(|_| Fault::Reset)? }
            }
        };
        // Once written it comes to an end, whatever becomes of whoever asked.
        cx.detach();
        if replica.rules.flush == Flush::Every {
            self.flush(cx).await.map_err(|_| Fault::Reset)?;
        }
        if replica.leads() != Some(epoch) {
            return Err(Rejected::Written(Refusal::NotLeader));
        }
        self.has_written(cx, replica, appended.end);
        if terms.acks == Acks::All {
            let is_safe = self.await_all(cx, replica, epoch, appended.end).await;
            is_safe.map_err(Rejected::Written)?;
        }
        if terms.acks != Acks::None {
            self.accept(cx, replica, appended, terms);
        }
        Ok(appended)
    }

    /// Where a batch stands that its idempotent producer has sent before, or what of it is new.
    fn place(
        &self,
        cx: &Cx,
        replica: &Replica,
        terms: Terms,
        count: usize,
    ) -> Result<Placed, Refusal> {
        if terms.producer == 0 {
            return Ok(Placed::New);
        }
        let count = count as u32;
        let sequence = replica.log.borrow().sequence(terms.producer, terms.sequence, count);
        match sequence {
            Sequence::Next => Ok(Placed::New),
            Sequence::Part(held, first) => Ok(Placed::From(held, first)),
            Sequence::Gap => Err(Refusal::OutOfOrder),
            Sequence::Known(first, last) => {
                cx.note(facts::DUPLICATE, record_id(replica.id, first), terms.producer.into());
                Ok(Placed::Known(Appended { first, end: last + 1 }))
            }
        }
    }

    fn write_all(
        &self,
        cx: &Cx,
        replica: &Replica,
        records: &[Parcel],
        terms: Terms,
    ) -> Result<Appended, Fault> {
        let (first, epoch) = (replica.log.borrow().end(), replica.standing.get().epoch);
        for (place, parcel) in records.iter().enumerate() {
            let record = Record {
                offset: first + place as u64,
                epoch,
                producer: terms.producer,
                sequence: terms.sequence + place as u32,
                ..Record::of(parcel)
            };
            if let Err(fault) = self.write(cx, replica, record) {
                // A log directory that has failed: the broker has what its disk has.
                self.recover(cx);
                self.enrol(cx);
                return Err(fault);
            }
            let id = record_id(replica.id, record.offset);
            note(cx, record.root, facts::APPENDED, (id, record.key));
        }
        Ok(Appended { first, end: first + records.len() as u64 })
    }

    /// The leader's own copy is written up to here: followers may have it.
    pub(super) fn has_written(&self, cx: &Cx, replica: &Replica, end: u64) {
        replica.wrote(end);
        self.grown.announce(cx);
        self.advance(cx, replica);
    }

    /// Moves the high watermark, if it can be moved.
    pub(super) fn advance(&self, cx: &Cx, replica: &Replica) {
        if replica.advance() {
            replica.moved.announce(cx);
        }
    }

    /// Waits until all in-sync replicas have everything before this offset.
    async fn await_all(
        &self,
        cx: &Cx,
        replica: &Replica,
        epoch: u32,
        end: u64,
    ) -> Result<(), Refusal> {
        loop {
            if replica.leads() != Some(epoch) {
                return Err(Refusal::NotLeader);
            }
            if replica.log.borrow().high_watermark() >= end {
                break;
            }
            replica.moved.wait(cx).await;
        }
        match replica.in_sync() < replica.rules.min_isr {
            true => Err(Refusal::NotEnoughReplicasAfterAppend),
            false => Ok(()),
        }
    }

    /// These records are accepted.
    fn accept(&self, cx: &Cx, replica: &Replica, Appended { first, end }: Appended, terms: Terms) {
        let (log, acks) = (replica.log.borrow(), (terms.acks as u64) << 32);
        // Where only a part of it was there, others may stand before the rest.
        let is_its = |record: &Record| record.producer == terms.producer;
        for record in log.read(first, end, u32::MAX).filter(is_its) {
            let id = record_id(replica.id, record.offset);
            note(cx, record.root, facts::ACCEPTED, (id, acks | u64::from(record.epoch)));
        }
    }

    /// A consumer asks for records.
    pub(super) async fn fetch(&self, cx: &Cx, fetch: Fetch) -> Reply {
        let Some(replica) = self.replica(fetch.partition) else {
            return wire::refuse(Refusal::Unknown, 0);
        };
        let ends = cx.now() + fetch.wait;
        loop {
            match replica.leads() {
                None => return wire::refuse(Refusal::NotLeader, 0),
                Some(epoch) if epoch != fetch.epoch => {
                    return wire::refuse(Refusal::Fenced, epoch.into());
                }
                Some(_) => {}
            }
            let extent = replica.extent();
            if fetch.offset < extent.start || fetch.offset > replica.log.borrow().end() {
                return wire::refuse(Refusal::OutOfRange, extent.start);
            }
            let now = cx.now();
            let has_some = {
                let log = replica.log.borrow();
                log.read(fetch.offset, extent.high_watermark, 1).next().is_some()
            };
            if has_some || now >= ends {
                break;
            }
            replica.moved.wait_within(cx, ends - now).await;
        }
        let extent = replica.extent();
        let found = {
            let log = replica.log.borrow();
            wire::fetched(extent, log.read(fetch.offset, extent.high_watermark, fetch.most))
        };
        let Msg::Batch { parcels } = &found else { return Ok(found) };
        self.work(cx, fetch.partition, parcels.len() - 1).await?;
        Ok(found)
    }

    /// A follower asks for copies of what it does not have yet.
    pub(super) async fn replicate(&self, cx: &Cx, parcels: &[Parcel]) -> Reply {
        let follower = cx.caller().ok_or(Fault::Unknown)?;
        let (most, wait) = wire::replica_limits(parcels);
        let (is_whole, named) = wire::positions(parcels);
        let Some((session, positions)) = self.sessions.asked(follower, is_whole, named) else {
            return wire::refuse(Refusal::Fenced, 0);
        };
        for at in &positions {
            if let Some(replica) = self.led(at) {
                replica.follows(follower, at.offset, cx.now());
                self.look_after(cx, replica);
                self.advance(cx, replica);
            }
        }
        let ends = cx.now() + wait;
        while cx.now() < ends && !self.has_news(&positions) {
            self.grown.wait_within(cx, ends - cx.now()).await;
        }
        let answer = self.copies((follower, session), &positions, most);
        if let Some(first) = positions.first() {
            self.work(cx, first.partition, answer.len()).await?;
        }
        Ok(Msg::Batch { parcels: answer.into() })
    }

    /// The partition, if this broker leads it in the epoch that the follower knows.
    fn led(&self, at: &wire::Position) -> Option<&Replica> {
        self.replica(at.partition).filter(|replica| replica.leads() == Some(at.epoch))
    }

    /// Is there anything that a follower with these positions does not have yet?
    fn has_news(&self, positions: &[wire::Position]) -> bool {
        positions.iter().any(|at| match self.led(at) {
            Some(replica) => lacks(replica, at.offset),
            None => true,
        })
    }

    /// What a follower does not have yet, and what else it has not been told.
    fn copies(&self, to: (NodeId, u64), positions: &[wire::Position], most: u32) -> Vec<Parcel> {
        let mut parcels = Vec::new();
        for at in positions {
            let led = self.led(at);
            let extent = self.replica(at.partition).map(Replica::extent);
            let extent = extent.unwrap_or(wire::Extent { high_watermark: 0, start: 0 });
            let (partition, epoch, is_led) = (at.partition, at.epoch, led.is_some());
            let is_news = self.sessions.tell(to, partition, extent);
            let behind = led.filter(|replica| lacks(replica, at.offset));
            if is_led && !is_news && behind.is_none() {
                continue;
            }
            parcels.push(Section { partition, epoch, extent, is_led }.parcel());
            if let Some(replica) = behind {
                let log = replica.log.borrow();
                wire::add_copies(&mut parcels, log.read(at.offset, u64::MAX, most));
            }
        }
        parcels
    }

    /// Asks the controller for other in-sync replicas, if there should be others.
    pub(super) fn look_after(&self, cx: &Cx, replica: &Replica) {
        let Some(wanted) = replica.should_be(cx.now(), self.replica_lag_max) else { return };
        replica.propose(Some(wanted));
        let at = replica.id.pack();
        kick(cx, Msg::Do { verb: ALTER_ISR, key: at, value: wanted.into() });
    }

    /// Asks the controller for these in-sync replicas.
    pub(super) async fn alter(&self, cx: &Cx, at: PartitionId, isr: u16) {
        let Some(replica) = self.replica(at) else { return };
        let (standing, Some(epoch)) = (replica.standing.get(), replica.leads()) else { return };
        // Until it is known what the controller has made of it, both count: what was in sync, and
        // what may be.
        while replica.leads() == Some(epoch) {
            let ask = wire::alter(at, epoch, isr, standing.version);
            let answer = cx.call(self.controller, ask).within(PATIENCE).await;
            let newest = replica.standing.get();
            if replica.leads() != Some(epoch) || newest.version > standing.version {
                break;
            }
            match answer {
                Ok(Msg::Done { value }) => {
                    let altered = wire::Standing { isr, version: value as u32, ..newest };
                    self.is_in_sync(cx, replica, altered);
                    break;
                }
                Ok(other) if wire::refused(&other) == Some((Refusal::Ineligible, 0)) => break,
                _ => _ = cx.sleep(AGAIN).await,
            }
        }
        if replica.leads() == Some(epoch) {
            replica.propose(None);
            self.advance(cx, replica);
        }
    }

    /// The controller has changed how a partition stands that this broker goes on leading.
    pub(super) fn is_in_sync(&self, cx: &Cx, replica: &Replica, standing: wire::Standing) {
        let before = replica.standing.replace(standing);
        if before.isr != standing.isr {
            let id = record_id(replica.id, replica.log.borrow().end());
            cx.note(facts::ISR, id, standing.isr.count_ones().into());
        }
        self.advance(cx, replica);
    }

    /// Where an epoch ends in a partition's log.
    pub(super) fn epoch_end(&self, key: u64, value: u64) -> Reply {
        let (at, current, asked) = wire::of_epoch_end(key, value);
        let Some(replica) = self.replica(at) else { return wire::refuse(Refusal::Unknown, 0) };
        if replica.leads() != Some(current) {
            return wire::refuse(Refusal::NotLeader, 0);
        }
        let (epoch, end) = replica.log.borrow().epoch_end(asked);
        Ok(Msg::Done { value: wire::ended(epoch, end) })
    }

    /// The offset of the first record of an instant.
    pub(super) fn offset_of(&self, at: PartitionId, since: Time) -> Reply {
        let Some(replica) = self.replica(at) else { return wire::refuse(Refusal::Unknown, 0) };
        if replica.leads().is_none() {
            return wire::refuse(Refusal::NotLeader, 0);
        }
        let extent = replica.extent();
        let value = match since {
            Time::MAX => extent.high_watermark,
            since => {
                let found = replica.log.borrow().offset_since(since);
                found.unwrap_or(extent.high_watermark).min(extent.high_watermark)
            }
        };
        Ok(Msg::Done { value: value.max(extent.start) })
    }

    /// Who leads the partitions of a topic.
    pub(super) fn metadata(&self, topic: u64) -> Reply {
        let Some(place) = self.topic(topic) else { return wire::refuse(Refusal::Unknown, 0) };
        let of_topic = self.replicas().iter().filter(|replica| replica.id.topic == place);
        let led = of_topic.map(|replica| {
            let epoch = replica.standing.get().epoch;
            wire::Led { partition: replica.id, leader: replica.leader(), epoch }.parcel()
        });
        Ok(Msg::Batch { parcels: led.collect() })
    }
}

/// Does a log have what a follower that has come to this offset has not, or no more what it wants?
fn lacks(replica: &Replica, offset: u64) -> bool {
    let log = replica.log.borrow();
    offset < log.start() || log.read(offset, u64::MAX, 1).next().is_some()
}

/// Notes a fact about a record.
fn note(cx: &Cx, root: Root, what: crate::engine::Name, about: (u64, u64)) {
    let me: NodeId = cx.me();
    cx.with(|state| state.note(me, root, what, about));
}
