//! The coordinator of consumer groups: the broker that leads the partition of the internal topic in
//! which it is written down how far a group has come.
//!
//! What groups have said about their places is in that partition, and so outlives its leader. Who
//! is in a group is not: members of a group whose coordinator has failed join anew at the next one,
//! which waits a while before it shares out anything.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::group::{Answer, Group, MemberId};
use super::group_wire::{self as wire, Place};
use super::leader::{Rejected, Terms};
use super::partition::Record;
use super::settings::Acks;
use super::wire::{PartitionId, record_id};
use super::{LogBroker, group_facts as facts, kick};
use crate::engine::{Fault, Msg, Name, NodeId, Parcel, Reply, Root, Time};
use crate::parts::service::mixed;
use crate::world::Cx;

/// The groups whose partition of the internal topic a broker leads, by that.
#[derive(Clone, Debug, Default)]
pub(super) struct Offices(RefCell<BTreeMap<u16, Office>>);

/// The groups of one partition of the internal topic.
#[derive(Clone, Debug, Default)]
struct Office {
    groups: BTreeMap<Name, Group>,
    places: BTreeMap<(Name, PartitionId), Place>,
    /// A task wakes at this instant; [`Time::MAX`] for none.
    armed: Time,
}

/// The coordinator to itself: see what has fallen due.
pub(super) const TICK: Name = Name::of("group.tick");

impl Offices {
    /// The broker leads a partition of the internal topic from now on: its records say where groups
    /// have come to.
    pub fn open(&self, index: u16, records: impl Iterator<Item = Record>) {
        let mut office = Office { armed: Time::MAX, ..Office::default() };
        for record in records {
            let (group, partition) = wire::of_key(record.key);
            let place = Place::unpack(record.value);
            office.places.insert((group, PartitionId::unpack(partition.into())), place);
        }
        self.0.borrow_mut().insert(index, office);
    }

    /// It does not lead it any more.
    pub fn close(&self, index: u16) {
        self.0.borrow_mut().remove(&index);
    }

    /// It leads nothing.
    pub fn clear(&self) {
        self.0.borrow_mut().clear();
    }
}

impl LogBroker {
    /// The partition of the internal topic in which it is written down where a group has come to.
    fn office_of(&self, group: Name) -> PartitionId {
        let count = u64::from(self.offsets.partitions.max(1));
        let number = (mixed(group.value().into()) % count) as u16;
        PartitionId { topic: self.internal(), number }
    }

    /// Who coordinates a group: `FIND_COORDINATOR`. The first who asks has the internal topic made.
    async fn find_office(&self, cx: &Cx, group: Name) -> Reply {
        let at = self.office_of(group);
        let replica = self.replica(at).ok_or(Fault::Failed)?;
        if replica.standing.get().epoch == 0 {
            self.create_offsets(cx).await?;
        }
        let leader = replica.leader().ok_or(Fault::Failed)?;
        Ok(Msg::Done { value: leader.0.into() })
    }

    /// Writes down where a group has come to, durably as the internal topic has it.
    async fn write_down(&self, cx: &Cx, index: u16, key: u64, value: u64) -> Result<(), Fault> {
        let at = PartitionId { topic: self.internal(), number: index };
        let record = Parcel { key, value, since: cx.now(), ..Parcel::NOTHING };
        let terms = Terms { acks: Acks::All, producer: 0, sequence: 0 };
        cx.resume(Root::NONE);
        match self.append(cx, at, &[record], terms).await {
            Ok(_) => Ok(()),
            Err(Rejected::Faulty(fault)) => Err(fault),
            Err(_) => Err(Fault::Failed),
        }
    }

    /// A member of a group, or somebody who wants to be one, says something.
    pub(super) async fn coordinate(&self, cx: &Cx, verb: Name, key: u64, value: u64) -> Reply {
        let (group, what) = wire::of_key(key);
        if !wire::OPERATIONS.iter().any(|known| Name::of(known) == verb) {
            return Err(Fault::Unknown);
        }
        if verb == wire::FIND {
            return self.find_office(cx, group).await;
        }
        let index = self.office_of(group).number;
        if !self.offices.0.borrow().contains_key(&index) {
            return Err(Fault::Failed);
        }
        let node = cx.caller().ok_or(Fault::Unknown)?;
        let value = match verb {
            wire::SUBSCRIBE => self.subscribe(cx, index, group, Name::from_value(what))?,
            wire::JOIN => {
                let join = |it: &mut Group, now| it.join(node, wire::terms(value), now).0;
                u64::from(self.change(cx, index, group, join))
            }
            wire::LEAVE => {
                self.change(cx, index, group, |it, now| it.leave((MemberId(what), node), now));
                0
            }
            wire::BEAT => {
                let who = (MemberId(what), node);
                return self.beaten(cx, (index, group), who, value as u32);
            }
            wire::WHERE => {
                let partition = PartitionId::unpack(u64::from(what));
                let offices = self.offices.0.borrow();
                let place = offices[&index].places.get(&(group, partition)).copied();
                place.unwrap_or_default().pack()
            }
            _ => {
                let (partition, seeks) = wire::of_what(what);
                let reset = (verb == wire::RESET).then_some(seeks);
                let (member, offset) = wire::of_commit(value);
                let who = (member, node);
                self.committed(cx, index, (who, group, partition), (offset, reset)).await?;
                0
            }
        };
        Ok(Msg::Done { value })
    }

    fn subscribe(&self, cx: &Cx, index: u16, group: Name, topic: Name) -> Result<u64, Fault> {
        if !self.topics.contains_key(&topic) {
            return Err(Fault::Unknown);
        }
        let partitions = self.partitions_of(topic);
        self.change(cx, index, group, |it, now| it.subscribe(partitions, now));
        Ok(0)
    }

    /// Changes a group, which there is from now on, and sees to what follows from it.
    fn change<T>(
        &self,
        cx: &Cx,
        index: u16,
        name: Name,
        change: impl FnOnce(&mut Group, Time) -> T,
    ) -> T {
        let mut offices = self.offices.0.borrow_mut();
        let office = offices.entry(index).or_default();
        let group = office.groups.entry(name).or_insert_with(|| Group::new(self.group_delay));
        let before = group.generation();
        let result = change(group, cx.now());
        if group.generation() > before {
            cx.note(facts::SHARED, u64::from(name.value()), group.size() as u64);
        }
        let due = office.groups.values().map(Group::next_due).min().unwrap_or(Time::MAX);
        if due < office.armed {
            office.armed = due;
            kick(cx, Msg::Do { verb: TICK, key: index.into(), value: due.0 });
        }
        result
    }

    /// Waits until something falls due in one of the groups, and sees to it.
    pub(super) async fn tick_groups(&self, cx: &Cx, index: u16, due: Time) {
        if due > cx.now() {
            let _ = cx.sleep(due - cx.now()).await;
        }
        let names: Vec<Name> = {
            let mut offices = self.offices.0.borrow_mut();
            let Some(office) = offices.get_mut(&index).filter(|it| it.armed == due) else { return };
            office.armed = Time::MAX;
            office.groups.keys().copied().collect()
        };
        for name in names {
            self.change(cx, index, name, Group::advance);
        }
    }

    /// A member is there, and goes by this version of what it was told.
    fn beaten(&self, cx: &Cx, at: (u16, Name), who: (MemberId, NodeId), version: u32) -> Reply {
        let (index, group) = at;
        self.change(cx, index, group, |it, now| match it.hear(who, version, now) {
            Answer::Unknown => Err(Fault::Conflict),
            Answer::Same => Ok(Msg::Done { value: u64::from(version) }),
            Answer::Reads(version, partitions) => {
                let parcel = |id| Parcel { id, count: version, ..Parcel::NOTHING };
                let told = partitions.iter().map(|partition| parcel(partition.pack()));
                Ok(Msg::Batch { parcels: std::iter::once(parcel(0)).chain(told).collect() })
            }
        })
    }

    /// A member says where its group has come to: it is written down, durably, before it counts.
    async fn committed(
        &self,
        cx: &Cx,
        index: u16,
        (who, group, partition): ((MemberId, NodeId), Name, PartitionId),
        (offset, reset): (u64, Option<u32>),
    ) -> Result<(), Fault> {
        let about = (group, partition);
        let place = {
            let offices = self.offices.0.borrow();
            let office = offices.get(&index).ok_or(Fault::Failed)?;
            let is_its = |it: &Group| it.holds(who, partition);
            if !office.groups.get(&group).is_some_and(is_its) {
                return Err(Fault::Conflict);
            }
            let before = office.places.get(&about).copied().unwrap_or_default();
            Place { offset: Some(offset), seeks: before.seeks.max(reset.unwrap_or_default()) }
        };
        // Whoever reads the partition next goes on from there, even if this one is out by then.
        if let Some(office) = self.offices.0.borrow_mut().get_mut(&index) {
            office.places.insert(about, place);
        }
        cx.detach();
        self.write_down(cx, index, wire::about(group, partition.pack() as u32), place.pack())
            .await?;
        let fact = if reset.is_some() { facts::RESET } else { facts::COMMITTED };
        cx.note(fact, record_id(partition, offset), u64::from(group.value()));
        Ok(())
    }
}
