//! What a broker does with the partitions that it follows: it makes its log agree with the leader's
//! and then fetches what it does not have yet.
//!
//! One task for each other broker asks it for everything that it leads. Before anything of a new
//! epoch is fetched the two logs are made to agree: the leader says where the follower's last epoch
//! ends in its own log, and what the follower has beyond that it gives up (KIP-101, KIP-279).

use super::LogBroker;
use super::replica::Replica;
use super::settings::Flush;
use super::wire::{self, Part, Position, Section, Standing};
use crate::engine::{Fault, Msg, NodeId, Parcel, Span};
use crate::world::Cx;

/// How long beyond its own wait a leader has to answer.
const PATIENCE: Span = Span::from_seconds(2);
/// How long after a failed fetch it is tried again: Kafka's `replica.fetch.backoff.ms`.
const BACKOFF: Span = Span::SECOND;

impl LogBroker {
    /// Follows another broker in all that it leads, for ever.
    pub(super) async fn follow(&self, cx: &Cx, peer: NodeId) {
        loop {
            let led = || self.replicas().iter().filter(|replica| self.follows(replica, peer));
            if led().next().is_none() {
                self.roles.wait(cx).await;
                continue;
            }
            let mut has_failed = false;
            for replica in led() {
                has_failed |= self.agree(cx, replica, peer).await.is_err();
            }
            has_failed |= self.fetch_from(cx, peer).await.is_err();
            if has_failed {
                self.roles.wait_within(cx, BACKOFF).await;
            }
        }
    }

    /// Does this broker have a copy of a partition that the other one leads?
    fn follows(&self, replica: &Replica, peer: NodeId) -> bool {
        replica.place.is_some() && replica.leads().is_none() && replica.leader() == Some(peer)
    }

    /// Gives up what the leader's log does not have.
    async fn agree(&self, cx: &Cx, replica: &Replica, peer: NodeId) -> Result<(), Fault> {
        let Standing { epoch, .. } = replica.standing.get();
        if replica.agreed.get() == epoch {
            return Ok(());
        }
        let mut asked = replica.log.borrow().last_epoch();
        loop {
            if asked == 0 {
                let start = replica.log.borrow().start();
                self.cut(cx, replica, start)?;
                break;
            }
            let ask = wire::epoch_end(replica.id, epoch, asked);
            let Msg::Done { value } = cx.call(peer, ask).within(PATIENCE).await? else {
                return Err(Fault::Conflict);
            };
            if replica.standing.get().epoch != epoch {
                return Err(Fault::Conflict);
            }
            let (known, end) = wire::of_ended(value);
            let (to, next) = replica.log.borrow().agrees_up_to(known, end);
            self.cut(cx, replica, to)?;
            match next {
                Some(next) => asked = next,
                None => break,
            }
        }
        // What it asks for next says what it has.
        if replica.rules.flush == Flush::Every {
            self.flush(cx).await?;
        }
        if replica.standing.get().epoch == epoch {
            replica.agreed.set(epoch);
        }
        Ok(())
    }

    /// Fetches once what the other broker has and this one has not.
    async fn fetch_from(&self, cx: &Cx, peer: NodeId) -> Result<(), Fault> {
        let has_agreed = |replica: &&Replica| {
            self.follows(replica, peer) && replica.agreed.get() == replica.standing.get().epoch
        };
        let positions = self.replicas().iter().filter(has_agreed).map(|replica| {
            let (offset, epoch) = (replica.log.borrow().end(), replica.standing.get().epoch);
            Position { partition: replica.id, offset, epoch }
        });
        let all: Vec<Position> = positions.collect();
        if all.is_empty() {
            return Ok(());
        }
        let (is_whole, named) = self.sessions.ask(peer, &all);
        let limits = (self.fetch_max, self.fetch_wait);
        let ask = wire::replicate(is_whole, limits, named.into_iter());
        let answer = cx.call(peer, ask).within(self.fetch_wait + PATIENCE).await;
        let Ok(Msg::Batch { parcels }) = answer else {
            self.sessions.forget(peer);
            return Err(answer.err().unwrap_or(Fault::Conflict));
        };
        self.take_over(cx, peer, &parcels).await
    }

    /// Takes over what a leader has sent.
    async fn take_over(&self, cx: &Cx, peer: NodeId, parcels: &[Parcel]) -> Result<(), Fault> {
        let (mut current, mut must_flush, mut all_led) = (None, false, true);
        for part in wire::parts(parcels) {
            match part {
                Part::Section(section) => {
                    all_led &= section.is_led;
                    current = self.section(cx, peer, section)?;
                }
                Part::Record(record) => {
                    let Some(replica) = current else { continue };
                    if record.offset < replica.log.borrow().end() {
                        continue;
                    }
                    if let Err(fault) = self.write(cx, replica, record) {
                        self.recover(cx);
                        self.enrol(cx);
                        return Err(fault);
                    }
                    must_flush |= replica.rules.flush == Flush::Every;
                }
            }
        }
        // What it asks for next says what it has.
        if must_flush {
            self.flush(cx).await?;
        }
        for section in wire::parts(parcels).filter_map(Part::section) {
            if let Some(replica) = self.replica_led(peer, &section) {
                replica.log.borrow_mut().raise(section.extent.high_watermark);
            }
        }
        if all_led { Ok(()) } else { Err(Fault::Conflict) }
    }

    /// The partition, if this broker still follows that one in it, in the same epoch.
    fn replica_led(&self, peer: NodeId, section: &Section) -> Option<&Replica> {
        let replica = self.replica(section.partition)?;
        let is_same = replica.standing.get().epoch == section.epoch;
        (section.is_led && is_same && self.follows(replica, peer)).then_some(replica)
    }

    /// Begins with what a leader has sent of one partition.
    fn section(&self, cx: &Cx, peer: NodeId, section: Section) -> Result<Option<&Replica>, Fault> {
        let Some(replica) = self.replica_led(peer, &section) else { return Ok(None) };
        self.expire(cx, replica, section.extent.start)?;
        Ok(Some(replica))
    }
}

impl Part {
    fn section(self) -> Option<Section> {
        match self {
            Part::Section(section) => Some(section),
            Part::Record(_) => None,
        }
    }
}
