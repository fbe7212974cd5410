//! What the controller decides: who leads each partition, and which of its replicas are in sync.
//!
//! Plain data: the controller around it says which brokers are alive, and makes every change
//! durable before it tells anybody.

use std::collections::BTreeMap;

use super::wire::{Layout, PartitionId, Refusal, Standing};
use crate::engine::NodeId;

/// A partition, as the controller knows it.
#[derive(Clone, Debug)]
pub(super) struct Assigned {
    /// The brokers that have copies; the first is the preferred leader.
    pub replicas: Vec<NodeId>,
    pub standing: Standing,
    pub is_unclean: bool,
}

/// The replicas of a partition: brokers one after the other, each partition begins with the next.
pub(super) fn replicas_of(at: PartitionId, copies: u32, brokers: &[NodeId]) -> Vec<NodeId> {
    let first = usize::from(at.topic) + usize::from(at.number);
    (0..copies as usize).map(|place| brokers[(first + place) % brokers.len()]).collect()
}

impl Assigned {
    fn new(replicas: Vec<NodeId>, is_unclean: bool) -> Assigned {
        let isr = (1_u16 << replicas.len()) - 1;
        let standing = Standing { leader: None, epoch: 0, isr, version: 0 };
        Assigned { replicas, standing, is_unclean }
    }

    fn place(&self, broker: NodeId) -> Option<u8> {
        Some(self.replicas.iter().position(|replica| *replica == broker)? as u8)
    }

    fn leads(&mut self, leader: Option<u8>) {
        self.standing.leader = leader;
        self.standing.epoch += 1;
        self.standing.version += 1;
    }

    /// A broker is gone: it leads no more and, unless it is the last, is in sync no more. Did that
    /// change anything?
    fn fence(&mut self, broker: NodeId) -> bool {
        let Some(place) = self.place(broker) else { return false };
        let without = self.standing.isr & !(1 << place);
        let is_left = without != 0 && without != self.standing.isr;
        if is_left {
            self.standing.isr = without;
        }
        let has_led = self.standing.leader == Some(place);
        if has_led {
            self.leads(None);
        } else if is_left {
            self.standing.version += 1;
        }
        is_left || has_led
    }

    /// Gives it a leader if it has none and one can be had: the first of its replicas that is alive
    /// and in sync, or else, where that is allowed, the first that is alive.
    fn elect(&mut self, is_alive: impl Fn(NodeId) -> bool) -> bool {
        if self.standing.leader.is_some() {
            return false;
        }
        let places = || (0_u8..).zip(&self.replicas).filter(|(_, broker)| is_alive(**broker));
        let isr = self.standing.isr;
        let clean = places().map(|(place, _)| place).find(|place| isr >> place & 1 == 1);
        let unclean = places().map(|(place, _)| place).next().filter(|_| self.is_unclean);
        if let Some(leader) = clean {
            self.leads(Some(leader));
        } else if let Some(leader) = unclean {
            self.standing.isr = 1 << leader;
            self.leads(Some(leader));
        }
        self.standing.leader.is_some()
    }

    /// Hands it to its preferred leader, if that one is alive and in sync and does not lead yet.
    fn prefer(&mut self, is_alive: impl Fn(NodeId) -> bool) -> bool {
        let can = self.standing.leader.is_some_and(|leader| leader != 0)
            && self.standing.isr & 1 == 1
            && is_alive(self.replicas[0]);
        if can {
            self.leads(Some(0));
        }
        can
    }
}

/// All partitions, and the brokers that the controller counts as alive.
#[derive(Clone, Debug, Default)]
pub(super) struct Cluster {
    pub partitions: BTreeMap<PartitionId, Assigned>,
    alive: Vec<NodeId>,
    /// Partitions that have changed since somebody asked for them.
    changed: Vec<PartitionId>,
}

impl Cluster {
    pub fn is_alive(&self, broker: NodeId) -> bool {
        self.alive.contains(&broker)
    }

    /// Partitions of a topic, as a broker describes it; is that news?
    pub fn add(&mut self, layout: Layout, brokers: &[NodeId]) -> bool {
        let mut is_news = false;
        for number in 0..layout.partitions as u16 {
            let at = PartitionId { topic: layout.topic, number };
            let known = self.partitions.entry(at).or_insert_with(|| {
                is_news = true;
                let replicas = replicas_of(at, layout.replicas, brokers);
                Assigned::new(replicas, layout.is_unclean)
            });
            is_news |= known.is_unclean != layout.is_unclean;
            known.is_unclean = layout.is_unclean;
        }
        is_news
    }

    /// How a partition stood when the controller last wrote it down.
    pub fn recall(&mut self, at: PartitionId, standing: Standing) {
        if let Some(known) = self.partitions.get_mut(&at) {
            known.standing = standing;
        }
    }

    /// A broker is there.
    pub fn join(&mut self, broker: NodeId) {
        if !self.is_alive(broker) {
            self.alive.push(broker);
        }
    }

    /// A broker is gone; others lead in its place.
    pub fn fence(&mut self, broker: NodeId) {
        self.alive.retain(|other| *other != broker);
        for (at, partition) in &mut self.partitions {
            if partition.fence(broker) {
                self.changed.push(*at);
            }
        }
    }

    /// Leaders for partitions that have none.
    pub fn elect(&mut self) {
        let alive = &self.alive;
        for (at, partition) in &mut self.partitions {
            if partition.elect(|broker| alive.contains(&broker)) {
                self.changed.push(*at);
            }
        }
    }

    /// Partitions go back to their preferred leaders.
    pub fn prefer(&mut self) {
        let alive = &self.alive;
        for (at, partition) in &mut self.partitions {
            if partition.prefer(|broker| alive.contains(&broker)) {
                self.changed.push(*at);
            }
        }
    }

    /// The leader of this epoch wants other replicas in sync.
    ///
    /// # Errors
    /// [`Refusal::Fenced`] if it does not lead any more, or knows an older version, and
    /// [`Refusal::Ineligible`] if a replica would join that is not alive.
    pub fn alter(
        &mut self,
        broker: NodeId,
        (at, epoch, isr, version): (PartitionId, u32, u16, u32),
    ) -> Result<Standing, Refusal> {
        let partition = self.partitions.get_mut(&at).ok_or(Refusal::Unknown)?;
        let Standing { leader, epoch: known, version: newest, .. } = partition.standing;
        let leads = leader.is_some() && leader == partition.place(broker);
        let has_itself = leader.is_some_and(|leader| isr >> leader & 1 == 1);
        if !leads || (epoch, version) != (known, newest) || !has_itself {
            return Err(Refusal::Fenced);
        }
        // Who is known to be gone does not come into sync.
        let is_alive = |place: usize| self.alive.contains(&partition.replicas[place]);
        let places = 0..partition.replicas.len();
        let joins = isr & !partition.standing.isr;
        if places.into_iter().any(|place| joins >> place & 1 == 1 && !is_alive(place)) {
            return Err(Refusal::Ineligible);
        }
        partition.standing.isr = isr;
        partition.standing.version += 1;
        self.changed.push(at);
        Ok(partition.standing)
    }

    /// The partitions that have changed since this was last asked, each once.
    pub fn take_changed(&mut self) -> Vec<PartitionId> {
        let mut changed = std::mem::take(&mut self.changed);
        changed.sort_unstable();
        changed.dedup();
        changed
    }

    pub fn standings(&self) -> impl Iterator<Item = (PartitionId, Standing)> {
        self.partitions.iter().map(|(at, partition)| (*at, partition.standing))
    }
}

#[cfg(test)]
mod tests;
