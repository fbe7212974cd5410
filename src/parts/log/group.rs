//! A consumer group: who is in it, and who of them reads which partition.
//!
//! Pure data. The coordinator tells each member what it reads by an assignment with a version, and
//! the member says by which version it goes. Until it has said so, whatever it was told before may
//! still be in its hands, and nobody else is given that. Two ways to share anew differ only in what
//! is told meanwhile: eager takes everything from everyone first, cooperative only what moves.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::wire::PartitionId;
use crate::engine::{NodeId, Span, Time};

/// A member of a group, as its coordinator counts them, from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct MemberId(pub u32);

/// How partitions are shared anew when members of a group come and go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Sharing {
    /// Everyone gives up everything before anyone is given anything.
    #[default]
    Eager,
    /// Everyone keeps what stays with it, and what moves is given up first.
    Cooperative,
}

/// What a member says of itself when it joins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Terms {
    pub sharing: Sharing,
    /// One that is not heard of for so long is out.
    pub session: Span,
    /// One that does not give up for so long what it was told to is out.
    pub patience: Span,
    /// If its process comes back within the session, it takes its place again.
    pub is_static: bool,
}

#[derive(Clone, Debug)]
struct Member {
    node: NodeId,
    terms: Terms,
    heard: Time,
    /// What it was told last, and by which version.
    told: BTreeSet<PartitionId>,
    version: u32,
    /// By which version it goes.
    adopted: u32,
    /// What may still be in its hands: all it was told since the version that it goes by.
    holds: BTreeSet<PartitionId>,
    /// Since when it has been told to give something up; `None` if it has.
    asked: Option<Time>,
}

/// What the coordinator answers a member.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Answer<'g> {
    /// There is no such member: it was out, or another coordinator knew it.
    Unknown,
    /// It goes by the latest version.
    Same,
    /// This is what it reads from now on.
    Reads(u32, &'g BTreeSet<PartitionId>),
}

/// A consumer group.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    /// How often it was shared anew.
    generation: u32,
    members: BTreeMap<MemberId, Member>,
    partitions: BTreeSet<PartitionId>,
    /// Who is to read what.
    target: BTreeMap<PartitionId, MemberId>,
    /// Everyone is giving up everything.
    is_clearing: bool,
    /// How long it waits for others when the first comes.
    delay: Span,
    /// It is not shared out before this instant: others are still on their way.
    opens: Time,
    /// It was shared out since somebody came to it.
    is_open: bool,
    newest: u32,
}

impl Group {
    /// When the first comes it waits for so long before it is shared out, so that it is not shared
    /// anew for each of those who come at about the same time.
    pub fn new(delay: Span) -> Group {
        Group { delay, ..Group::default() }
    }

    /// How often it was shared anew.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// How many members it has.
    pub fn size(&self) -> usize {
        self.members.len()
    }

    /// It reads these partitions too.
    pub fn subscribe(&mut self, partitions: impl Iterator<Item = PartitionId>, now: Time) {
        let before = self.partitions.len();
        self.partitions.extend(partitions);
        if self.partitions.len() > before {
            self.share(now);
        }
    }

    /// A process joins, with nothing in its hands.
    pub fn join(&mut self, node: NodeId, terms: Terms, now: Time) -> MemberId {
        self.newest += 1;
        let id = MemberId(self.newest);
        if self.members.is_empty() {
            (self.opens, self.is_open) = (now + self.delay, false);
        }
        let member = Member {
            node,
            terms,
            heard: now,
            told: BTreeSet::new(),
            version: 0,
            adopted: 0,
            holds: BTreeSet::new(),
            asked: None,
        };
        let before = self.members.iter().find(|(_, it)| it.node == node && it.terms.is_static);
        if let Some((&before, _)) = before.filter(|_| terms.is_static) {
            // The same one again: what was to be read by it still is.
            self.members.remove(&before);
            self.target.values_mut().filter(|of| **of == before).for_each(|of| *of = id);
            self.members.insert(id, member);
            self.tell(now);
            return id;
        }
        self.members.insert(id, member);
        self.share(now);
        id
    }

    /// A member leaves; its hands are empty.
    pub fn leave(&mut self, who: (MemberId, NodeId), now: Time) {
        if self.is_member(who) {
            self.members.remove(&who.0);
            self.share(now);
        }
    }

    /// Is this node a member, and counted so? Another coordinator counted otherwise.
    fn is_member(&self, (id, node): (MemberId, NodeId)) -> bool {
        self.members.get(&id).is_some_and(|member| member.node == node)
    }

    /// A member is there and goes by this version of what it was told.
    pub fn hear(&mut self, who: (MemberId, NodeId), version: u32, now: Time) -> Answer<'_> {
        let (id, node) = who;
        let known = self.members.get_mut(&id).filter(|member| member.node == node);
        let Some(member) = known else { return Answer::Unknown };
        member.heard = now;
        if version == member.version && member.adopted != version {
            member.adopted = version;
            member.holds.clone_from(&member.told);
            member.asked = None;
            self.tell(now);
        }
        let member = &self.members[&id];
        if member.version == version {
            Answer::Same
        } else {
            Answer::Reads(member.version, &member.told)
        }
    }

    /// May this member say what it has read of this partition?
    pub fn holds(&self, who: (MemberId, NodeId), partition: PartitionId) -> bool {
        self.is_member(who) && self.members[&who.0].holds.contains(&partition)
    }

    /// Puts out who has been silent, or has kept what it was to give up, for too long.
    pub fn advance(&mut self, now: Time) {
        let before = self.members.len();
        self.members.retain(|_, member| member.due() > now);
        let must_open = !self.is_open && !self.members.is_empty() && self.opens <= now;
        if self.members.len() < before || must_open {
            self.share(now);
        }
    }

    /// When something falls due next; [`Time::MAX`] for never.
    pub fn next_due(&self) -> Time {
        let due = self.members.values().map(Member::due).min().unwrap_or(Time::MAX);
        if self.is_open || self.members.is_empty() { due } else { due.min(self.opens) }
    }

    /// Shares all partitions out anew.
    fn share(&mut self, now: Time) {
        if now < self.opens || self.members.is_empty() {
            self.target.retain(|_, of| self.members.contains_key(of));
            return;
        }
        self.generation += 1;
        self.is_open = true;
        let is_eager = self.members.values().any(|it| it.terms.sharing == Sharing::Eager);
        self.target = if is_eager { self.evenly() } else { self.stickily() };
        self.is_clearing = is_eager;
        self.tell(now);
    }

    /// Each partition to the next member in turn.
    fn evenly(&self) -> BTreeMap<PartitionId, MemberId> {
        let turn = self.members.keys().copied().cycle();
        self.partitions.iter().copied().zip(turn).collect()
    }

    /// Everyone keeps what it has, as far as all then have as many, give or take one.
    fn stickily(&self) -> BTreeMap<PartitionId, MemberId> {
        let (count, members) = (self.partitions.len(), self.members.len());
        let (each, mut more) = (count / members, count % members);
        let mut shares: BTreeMap<MemberId, Vec<PartitionId>> = BTreeMap::new();
        let mut over: Vec<PartitionId> = Vec::new();
        for id in self.members.keys() {
            shares.insert(*id, Vec::new());
        }
        for partition in &self.partitions {
            match self.target.get(partition).and_then(|of| shares.get_mut(of)) {
                Some(share) => share.push(*partition),
                None => over.push(*partition),
            }
        }
        // Those who have most are the ones who keep one more than the others.
        let mut order: Vec<MemberId> = shares.keys().copied().collect();
        order.sort_by_key(|id| std::cmp::Reverse(shares[id].len()));
        let mut room: Vec<(MemberId, usize)> = Vec::new();
        for id in order {
            let most = each + usize::from(more > 0);
            more = more.saturating_sub(1);
            if let Some(share) = shares.get_mut(&id) {
                over.extend(share.drain(most.min(share.len())..));
                room.push((id, most - share.len()));
            }
        }
        over.sort_unstable();
        let takers = room.into_iter().flat_map(|(id, free)| std::iter::repeat_n(id, free));
        for (partition, id) in over.into_iter().zip(takers) {
            shares.entry(id).or_default().push(partition);
        }
        let pairs = |(id, share): (MemberId, Vec<PartitionId>)| {
            share.into_iter().map(move |partition| (partition, id))
        };
        shares.into_iter().flat_map(pairs).collect()
    }

    /// Sees to what each member is told: what it is to read and nobody else may have in hands.
    fn tell(&mut self, now: Time) {
        if self.is_clearing && self.members.values().all(|member| member.holds.is_empty()) {
            self.is_clearing = false;
        }
        let mut holder: BTreeMap<PartitionId, MemberId> = BTreeMap::new();
        for (id, member) in &self.members {
            holder.extend(member.holds.iter().map(|partition| (*partition, *id)));
        }
        for (id, member) in &mut self.members {
            let own = self.target.iter().filter(|(_, of)| *of == id).map(|(it, _)| *it);
            let is_free = |it: &PartitionId| holder.get(it).is_none_or(|of| of == id);
            let next: BTreeSet<PartitionId> = match self.is_clearing {
                true => BTreeSet::new(),
                false => own.filter(is_free).collect(),
            };
            if next == member.told && member.version > 0 {
                continue;
            }
            member.version += 1;
            member.holds.extend(next.iter().copied());
            if member.asked.is_none() && !member.holds.is_subset(&next) {
                member.asked = Some(now);
            }
            member.told = next;
        }
    }
}

impl Member {
    /// When it is out, if nothing is heard of it.
    fn due(&self) -> Time {
        let asked = self.asked.map_or(Time::MAX, |since| since + self.terms.patience);
        asked.min(self.heard + self.terms.session)
    }
}

#[cfg(test)]
mod tests;
