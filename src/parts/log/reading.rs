//! How a member of a group reads a partition: from where the group has come to, batch by batch, in
//! order.

use super::group_facts as facts;
use super::group_wire::{self, Place};
use super::member::{Commit, GroupConsumer, PATIENCE, Start, Then};
use super::wire::{self, PartitionId, Refusal, record_id};
use crate::engine::{Baggage, Fault, Msg, Name, NodeId, Parcel, Root, Span, Time};
use crate::world::Cx;

/// A partition in a member's hands.
#[derive(Clone, Debug)]
pub(super) struct Share {
    /// Otherwise it is given up as soon as the batch at hand is done.
    pub is_kept: bool,
    /// It is being given up, and there is no way back.
    pub is_ending: bool,
    /// Since when it is at work on a batch.
    pub since: Option<Time>,
    /// The record that it reads next; `None` if that must be found out.
    position: Option<u64>,
    /// Up to where it has said that it has come, and when it did last.
    committed: u64,
    committed_at: Time,
    /// How many times the group has gone to another place.
    seeks: usize,
}

impl Share {
    pub fn new() -> Share {
        Share {
            is_kept: true,
            is_ending: false,
            since: None,
            position: None,
            committed: 0,
            committed_at: Time(0),
            seeks: 0,
        }
    }
}

/// What became of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    Processed,
    PassedOver,
    /// It is still to be processed, by whoever reads the partition next.
    Left,
}

impl GroupConsumer {
    /// Reads a partition until it is given up.
    pub(super) async fn read(&self, cx: &Cx, id: PartitionId) {
        cx.note(facts::ASSIGNED, record_id(id, 0), u64::from(self.group.value()));
        while self.share(id, |share| share.is_kept) && !cx.is_stopping() {
            let position = match self.due_seek(cx, id) {
                true => None,
                false => self.share(id, |share| share.position),
            };
            let step = match position {
                None => self.locate(cx, id).await,
                Some(position) => self.read_batch(cx, id, position).await,
            };
            if step.is_err() && self.share(id, |share| share.is_kept) {
                self.hands.borrow_mut().leaders.remove(&id);
                let _ = cx.sleep(self.pause).await;
            }
        }
        self.share(id, |share| share.is_ending = true);
        if self.commit != Commit::BeforeProcessing {
            let _ = self.commit(cx, id).await;
        }
        cx.note(facts::REVOKED, record_id(id, 0), u64::from(self.group.value()));
        self.hands.borrow_mut().own.remove(&id);
        self.changed.announce(cx);
    }

    fn share<T>(&self, id: PartitionId, look: impl FnOnce(&mut Share) -> T) -> T {
        let mut hands = self.hands.borrow_mut();
        look(hands.own.get_mut(&id).expect("a partition is in hands while it is read"))
    }

    /// Is it time that the group goes to another place?
    fn due_seek(&self, cx: &Cx, id: PartitionId) -> bool {
        let past = self.seek.iter().filter(|seek| Time(0) + seek.at <= cx.now()).count();
        self.share(id, |share| share.position.is_some() && share.seeks < past)
    }

    /// Finds out where the group has come to.
    async fn locate(&self, cx: &Cx, id: PartitionId) -> Result<(), Fault> {
        let (office, _) = self.membership()?;
        let ask = group_wire::whereabouts(self.group, id);
        let Msg::Done { value } = cx.call(office, ask).within(PATIENCE).await? else {
            return Err(Fault::Unknown);
        };
        let Place { offset: committed, seeks } = Place::unpack(value);
        let past = self.seek.iter().filter(|seek| Time(0) + seek.at <= cx.now()).count();
        let due = self.seek[..past].get(seeks as usize..).and_then(|due| due.last());
        let position = match (due, committed) {
            (Some(seek), _) => self.find(cx, id, seek.to).await?,
            (None, Some(committed)) => committed,
            (None, None) => self.find(cx, id, self.start).await?,
        };
        if due.is_some() {
            let reset =
                |group, id, member, to| group_wire::reset(group, id, member, (to, past as u32));
            self.tell(cx, reset, id, position).await?;
        } else if committed.is_none() {
            if self.start == Start::Earliest && position > 0 {
                cx.note(facts::OVERRUN, record_id(id, 0), position);
            }
            // Otherwise a crash before the first commit would have it begin at another end.
            self.tell(cx, group_wire::commit, id, position).await?;
            cx.note(facts::BEGAN, record_id(id, position), u64::from(self.group.value()));
        }
        self.share(id, |share| {
            share.position = Some(position);
            (share.committed, share.committed_at) = (position, cx.now());
            share.seeks = past;
        });
        Ok(())
    }

    /// The record that is meant by a place.
    async fn find(&self, cx: &Cx, id: PartitionId, place: Start) -> Result<u64, Fault> {
        let since = match place {
            Start::Offset(offset) => return Ok(offset),
            Start::Earliest => Time(0),
            Start::Latest => Time::MAX,
        };
        let (leader, _) = self.leader(cx, id).await?;
        match cx.call(leader, wire::offsets(id, since)).within(PATIENCE).await? {
            Msg::Done { value } => Ok(value),
            _ => Err(Fault::Failed),
        }
    }

    /// Who leads a partition, since which epoch.
    async fn leader(&self, cx: &Cx, id: PartitionId) -> Result<(NodeId, u32), Fault> {
        if let Some(known) = self.hands.borrow().leaders.get(&id) {
            return Ok(*known);
        }
        for topic in &self.topics {
            let ask = cx.call(self.from, wire::metadata(*topic)).within(PATIENCE);
            let Msg::Batch { parcels } = ask.await? else { continue };
            let mut hands = self.hands.borrow_mut();
            for led in wire::led(&parcels) {
                if let Some(leader) = led.leader {
                    hands.leaders.insert(led.partition, (leader, led.epoch));
                }
            }
        }
        self.hands.borrow().leaders.get(&id).copied().ok_or(Fault::Failed)
    }

    /// Fetches a batch and has it processed.
    async fn read_batch(&self, cx: &Cx, id: PartitionId, position: u64) -> Result<(), Fault> {
        let (leader, epoch) = self.leader(cx, id).await?;
        let (most, wait) = (self.batch, self.wait);
        let ask = wire::Fetch { partition: id, offset: position, epoch, most, wait };
        let reply = cx.call(leader, ask.message()).within(self.wait + PATIENCE).await?;
        if let Some((Refusal::OutOfRange, start)) = wire::refused(&reply) {
            return self.go_elsewhere(cx, id, position, start).await;
        }
        let Msg::Batch { parcels } = &reply else { return Err(Fault::Failed) };
        let (_, records) = wire::records(parcels).ok_or(Fault::Failed)?;
        if records.is_empty() || !self.share(id, |share| share.is_kept) {
            return Ok(());
        }
        while self.busy.get() == self.concurrency {
            self.turn.wait(cx).await;
        }
        self.busy.set(self.busy.get() + 1);
        self.share(id, |share| share.since = Some(cx.now()));
        let done = self.process_batch(cx, id, records).await;
        self.share(id, |share| share.since = None);
        self.busy.set(self.busy.get() - 1);
        self.turn.announce_one(cx);
        done
    }

    /// The record that comes next is not there: it was too old, or another leader does not have it.
    /// The group goes to where it would begin, Kafka's `auto.offset.reset`.
    async fn go_elsewhere(
        &self,
        cx: &Cx,
        id: PartitionId,
        position: u64,
        start: u64,
    ) -> Result<(), Fault> {
        let place = match self.start {
            Start::Offset(_) => Start::Earliest,
            other => other,
        };
        let next = self.find(cx, id, place).await?;
        if position < start {
            // Another leader may lead by now, that has kept what this one has thrown away.
            let missed = next.saturating_sub(position);
            cx.note(facts::OVERRUN, record_id(id, position), missed);
        } else {
            // It has not gone where it was told to: what it is told to later on still holds.
            let reset = |group, id, member, to| group_wire::reset(group, id, member, (to, 0));
            self.tell(cx, reset, id, next).await?;
        }
        self.share(id, |share| share.position = Some(next));
        Ok(())
    }

    async fn process_batch(
        &self,
        cx: &Cx,
        id: PartitionId,
        records: &[Parcel],
    ) -> Result<(), Fault> {
        if !self.share(id, |share| share.is_kept) {
            return Ok(());
        }
        if let (Commit::BeforeProcessing, Some(last)) = (self.commit, records.last()) {
            self.tell(cx, group_wire::commit, id, last.id + 1).await?;
        }
        for record in records {
            // What stood before it was compacted away, and nobody will read it.
            let place = self.share(id, |share| share.position).unwrap_or(record.id);
            if place < record.id {
                cx.note(facts::OVERRUN, record_id(id, place), record.id - place);
            }
            match self.process(cx, id, record).await {
                Outcome::Left => break,
                Outcome::Processed | Outcome::PassedOver => {
                    self.share(id, |share| share.position = Some(record.id + 1));
                }
            }
        }
        let committed_at = self.share(id, |share| share.committed_at);
        let is_time = match self.commit {
            Commit::AfterProcessing => true,
            Commit::BeforeProcessing => false,
            Commit::Every(every) => committed_at + every <= cx.now(),
        };
        if is_time {
            // What could not be said is said with the next batch.
            let _ = self.commit(cx, id).await;
        }
        Ok(())
    }

    /// Has a record processed, on behalf of its own operation.
    async fn process(&self, cx: &Cx, id: PartitionId, record: &Parcel) -> Outcome {
        let Parcel { root, class, payload, .. } = *record;
        cx.resume(root);
        cx.set_baggage(Baggage { payload, class, ..Baggage::NONE });
        let outcome = self.attempt(cx, id, record).await;
        let fact = match outcome {
            Outcome::Processed => Some(facts::PROCESSED),
            Outcome::PassedOver => Some(facts::PASSED_OVER),
            Outcome::Left => None,
        };
        if let Some(fact) = fact {
            cx.note(fact, record_id(id, record.id), u64::from(self.group.value()));
        }
        cx.resume(Root::NONE);
        cx.set_baggage(Baggage::NONE);
        outcome
    }

    /// Tries a record as often as it may be.
    async fn attempt(&self, cx: &Cx, id: PartitionId, record: &Parcel) -> Outcome {
        let request = |verb| Msg::Do { verb, key: record.key, value: record.value };
        let tries = self.failures.tries.unwrap_or(u32::MAX);
        let mut wait = Span::ZERO;
        for attempt in 1..=tries {
            cx.note(facts::DELIVERED, record_id(id, record.id), u64::from(attempt));
            if self.policy.call(cx, self.to, request(self.operation)).await.is_ok() {
                return Outcome::Processed;
            }
            if !self.share(id, |share| share.is_kept) {
                return Outcome::Left;
            }
            if attempt < tries {
                wait = self.failures.backoff.wait(cx, attempt, wait);
                let _ = cx.sleep(wait).await;
            }
        }
        let Then::Dead { to, topic } = self.failures.then else { return Outcome::PassedOver };
        while cx.call(to, request(topic)).await.is_err() {
            if !self.share(id, |share| share.is_kept) {
                return Outcome::Left;
            }
            let _ = cx.sleep(self.pause).await;
        }
        Outcome::PassedOver
    }

    /// Says how far it has come, if it has come further.
    async fn commit(&self, cx: &Cx, id: PartitionId) -> Result<(), Fault> {
        let (position, committed) = self.share(id, |share| (share.position, share.committed));
        let Some(position) = position.filter(|position| *position > committed) else {
            return Ok(());
        };
        self.tell(cx, group_wire::commit, id, position).await
    }

    /// Tells the coordinator where the group has come to, or goes to.
    async fn tell(
        &self,
        cx: &Cx,
        what: impl Fn(Name, PartitionId, u32, u64) -> Msg,
        id: PartitionId,
        position: u64,
    ) -> Result<(), Fault> {
        let (office, member) = self.membership()?;
        let told = cx.call(office, what(self.group, id, member, position)).within(PATIENCE).await;
        if told == Err(Fault::Conflict) {
            // It was put out, and learns of it by this.
            self.hands.borrow_mut().is_out = true;
            self.changed.announce(cx);
        }
        told?;
        self.share(id, |share| (share.committed, share.committed_at) = (position, cx.now()));
        Ok(())
    }

    /// The coordinator, and as what it knows this member.
    fn membership(&self) -> Result<(NodeId, u32), Fault> {
        let hands = self.hands.borrow();
        let office = hands.office.filter(|_| !hands.is_out).ok_or(Fault::Conflict)?;
        Ok((office, hands.member))
    }
}
