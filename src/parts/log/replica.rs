//! A partition on a broker: its log, if the broker has a replica, and who leads it.

use std::cell::{Cell, RefCell};

use super::partition::Partition;
use super::settings::LogTopic;
use super::wire::{Extent, PartitionId, Standing};
use crate::engine::{Condition, NodeId, Span, Time};

/// A partition, as a broker has it.
#[derive(Clone, Debug)]
pub(super) struct Replica {
    pub id: PartitionId,
    pub rules: LogTopic,
    /// The brokers that have copies.
    pub replicas: Vec<NodeId>,
    /// Which of them this broker is; `None` if it has no copy.
    pub place: Option<u8>,
    /// How it stands, as far as the controller has told.
    pub standing: Cell<Standing>,
    pub log: RefCell<Partition>,
    /// What it knows as the leader.
    pub leading: RefCell<Option<Leading>>,
    /// The epoch whose leader's log this one has been made to agree with.
    pub agreed: Cell<u32>,
    /// The log has grown, more of it may be handed out, or somebody else leads.
    pub moved: Condition,
}

/// What a leader knows of its followers.
#[derive(Clone, Debug)]
pub(super) struct Leading {
    pub epoch: u32,
    /// Where its epoch begins.
    begins: u64,
    followers: Vec<Progress>,
    /// The in-sync replicas that it has asked the controller for, and not yet heard of.
    pub proposed: Option<u16>,
}

/// How far a follower has come.
#[derive(Clone, Copy, Debug)]
struct Progress {
    /// It has everything before this offset.
    end: u64,
    /// When it last had everything that there was.
    caught_up: Time,
    /// When it last asked, and where the log ended then.
    asked: (Time, u64),
}

impl Replica {
    pub fn new(id: PartitionId, rules: &LogTopic, replicas: Vec<NodeId>, me: NodeId) -> Replica {
        let place = replicas.iter().position(|replica| *replica == me).map(|place| place as u8);
        Replica {
            id,
            rules: rules.clone(),
            replicas,
            place,
            standing: Cell::default(),
            log: RefCell::default(),
            leading: RefCell::default(),
            agreed: Cell::default(),
            moved: Condition::default(),
        }
    }

    /// Nothing is known of it, as when its broker starts.
    pub fn clear(&self) {
        let mut log = Partition::default();
        log.segments.set_roll(self.rules.retention.segment, self.rules.retention.roll);
        *self.log.borrow_mut() = log;
        *self.leading.borrow_mut() = None;
        self.standing.set(Standing::default());
        self.agreed.set(0);
    }

    /// Who leads it.
    pub fn leader(&self) -> Option<NodeId> {
        self.replicas.get(usize::from(self.standing.get().leader?)).copied()
    }

    /// Since which epoch this broker leads it, if it does.
    pub fn leads(&self) -> Option<u32> {
        self.leading.borrow().as_ref().map(|leading| leading.epoch)
    }

    /// This broker leads from now on.
    pub fn lead(&self, epoch: u32, now: Time) {
        let begins = self.log.borrow().end();
        let new = Progress { end: 0, caught_up: now, asked: (now, u64::MAX) };
        let followers = vec![new; self.replicas.len()];
        *self.leading.borrow_mut() = Some(Leading { epoch, begins, followers, proposed: None });
    }

    /// How many replicas are in sync.
    pub fn in_sync(&self) -> u32 {
        self.standing.get().isr.count_ones()
    }

    /// This broker's own copy is written, and durable where that is wanted, up to here.
    pub fn wrote(&self, end: u64) {
        if let (Some(place), Some(leading)) = (self.place, self.leading.borrow_mut().as_mut()) {
            let own = &mut leading.followers[usize::from(place)];
            own.end = own.end.max(end);
        }
    }

    /// A follower has everything before this offset.
    pub fn follows(&self, broker: NodeId, offset: u64, now: Time) {
        let end = self.log.borrow().end();
        let place = self.replicas.iter().position(|replica| *replica == broker);
        let mut leading = self.leading.borrow_mut();
        let Some((place, leading)) = place.zip(leading.as_mut()) else { return };
        let progress = &mut leading.followers[place];
        if offset >= end {
            progress.caught_up = now;
        } else if offset >= progress.asked.1 {
            progress.caught_up = progress.caught_up.max(progress.asked.0);
        }
        progress.asked = (now, end);
        progress.end = offset;
    }

    /// Moves the high watermark to where every replica is that is in sync, or is about to be; did
    /// it move?
    pub fn advance(&self) -> bool {
        let leading = self.leading.borrow();
        let Some(leading) = leading.as_ref() else { return false };
        let isr = self.standing.get().isr | leading.proposed.unwrap_or_default();
        let ends = leading.followers.iter().enumerate();
        let ends = ends.filter(|(place, _)| isr >> place & 1 == 1).map(|(_, at)| at.end);
        let least = ends.min().unwrap_or_default();
        self.log.borrow_mut().raise(least)
    }

    /// The in-sync replicas that there should be: without those that have not kept up for so long,
    /// and with those that have caught up with the high watermark and this epoch. `None` if there
    /// is nothing to change, or a change is under way.
    pub fn should_be(&self, now: Time, lag_max: Span) -> Option<u16> {
        let leading = self.leading.borrow();
        let leading = leading.as_ref().filter(|leading| leading.proposed.is_none())?;
        let (isr, log) = (self.standing.get().isr, self.log.borrow());
        let (watermark, end) = (log.high_watermark(), log.end());
        let mut wanted = isr;
        for (place, progress) in leading.followers.iter().enumerate() {
            let bit = 1 << place;
            if Some(place as u8) == self.place {
                continue;
            }
            let is_late = progress.end < end && progress.caught_up + lag_max <= now;
            let has_asked = progress.asked.1 != u64::MAX;
            let is_up = progress.end >= watermark.max(leading.begins) && has_asked;
            if isr & bit != 0 && (is_late || !has_asked && progress.caught_up + lag_max <= now) {
                wanted &= !bit;
            } else if isr & bit == 0 && is_up {
                wanted |= bit;
            }
        }
        (wanted != isr).then_some(wanted)
    }

    /// Other replicas are in sync if the controller says so; `None` for not any more.
    pub fn propose(&self, isr: Option<u16>) {
        if let Some(leading) = self.leading.borrow_mut().as_mut() {
            leading.proposed = isr;
        }
    }

    /// What a consumer may have of it.
    pub fn extent(&self) -> Extent {
        let log = self.log.borrow();
        Extent { high_watermark: log.high_watermark(), start: log.start() }
    }
}

#[cfg(test)]
mod tests;
