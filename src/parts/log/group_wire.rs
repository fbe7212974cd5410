//! What members of consumer groups and their coordinators say to each other, packed into the words
//! of [`Msg::Do`].
//!
//! The key is the group's name in the upper half and, in the lower, the member, the topic or the
//! partition that it is about. Partitions leave eight bits of it to how many of its seeks a group
//! has done.

use super::Sharing;
use super::group::{MemberId, Terms};
use super::wire::PartitionId;
use crate::engine::{Msg, Name, Span};

/// Who coordinates the group?
pub(super) const FIND: Name = Name::of("group.find");
/// The group reads this topic too.
pub(super) const SUBSCRIBE: Name = Name::of("group.subscribe");
/// Somebody wants to be a member; the value is its terms. The answer is as which it counts.
pub(super) const JOIN: Name = Name::of("group.join");
/// A member is there and goes by this version of what it was told.
pub(super) const BEAT: Name = Name::of("group.beat");
/// A member leaves.
pub(super) const LEAVE: Name = Name::of("group.leave");
/// Where has the group come to?
pub(super) const WHERE: Name = Name::of("group.where");
/// A member says where the group has come to; the value is the record and, from bit 40 on, the
/// member.
pub(super) const COMMIT: Name = Name::of("group.commit");
/// A member says that the group goes to this record, wherever it was.
pub(super) const RESET: Name = Name::of("group.reset");

/// How they are spelt.
pub const OPERATIONS: [&str; 8] = [
    "group.find",
    "group.subscribe",
    "group.join",
    "group.beat",
    "group.leave",
    "group.where",
    "group.commit",
    "group.reset",
];

/// The longest session that fits into the terms of a member.
pub(super) const SESSION_MAX: Span = Span::from_seconds(4 * 3600);
/// How many bits the number of a record has.
const OFFSET_BITS: u32 = 40;
/// How many bits a partition has.
const PARTITION_BITS: u32 = 24;
/// The highest record that a group can go to.
pub(super) const OFFSET_MAX: u64 = (1 << OFFSET_BITS) - 2;
/// How many times a group can be told to go to another place.
pub(super) const SEEKS_MAX: usize = 255;

pub(super) fn about(group: Name, what: u32) -> u64 {
    u64::from(group.value()) << 32 | u64::from(what)
}

/// The group that a request is about, and the member, topic or partition.
pub(super) fn of_key(key: u64) -> (Name, u32) {
    (Name::from_value((key >> 32) as u32), key as u32)
}

pub(super) fn find(group: Name) -> Msg {
    Msg::Do { verb: FIND, key: about(group, 0), value: 0 }
}

pub(super) fn subscribe(group: Name, topic: Name) -> Msg {
    Msg::Do { verb: SUBSCRIBE, key: about(group, topic.value()), value: 0 }
}

pub(super) fn join(group: Name, terms: Terms) -> Msg {
    let millis = |span: Span| span.0 / Span::MILLISECOND.0;
    let session = millis(terms.session) & 0xff_ffff;
    let patience = millis(terms.patience).min(u64::from(u32::MAX));
    let flags = u64::from(terms.sharing == Sharing::Cooperative) | u64::from(terms.is_static) << 1;
    Msg::Do { verb: JOIN, key: about(group, 0), value: patience << 32 | session << 8 | flags }
}

/// What a member says of itself.
pub(super) fn terms(value: u64) -> Terms {
    let sharing = if value & 1 == 1 { Sharing::Cooperative } else { Sharing::Eager };
    Terms {
        sharing,
        session: Span::MILLISECOND * (value >> 8 & 0xff_ffff),
        patience: Span::MILLISECOND * (value >> 32),
        is_static: value & 2 == 2,
    }
}

pub(super) fn beat(group: Name, member: u32, version: u32) -> Msg {
    Msg::Do { verb: BEAT, key: about(group, member), value: u64::from(version) }
}

pub(super) fn leave(group: Name, member: u32) -> Msg {
    Msg::Do { verb: LEAVE, key: about(group, member), value: 0 }
}

pub(super) fn whereabouts(group: Name, partition: PartitionId) -> Msg {
    Msg::Do { verb: WHERE, key: about(group, partition.pack() as u32), value: 0 }
}

pub(super) fn commit(group: Name, partition: PartitionId, member: u32, offset: u64) -> Msg {
    let value = offset | u64::from(member) << OFFSET_BITS;
    Msg::Do { verb: COMMIT, key: about(group, partition.pack() as u32), value }
}

/// With that, the group has done so many of its seeks; 0 for no more than before.
pub(super) fn reset(
    group: Name,
    partition: PartitionId,
    member: u32,
    (offset, seeks): (u64, u32),
) -> Msg {
    let what = partition.pack() as u32 | seeks << PARTITION_BITS;
    let value = offset | u64::from(member) << OFFSET_BITS;
    Msg::Do { verb: RESET, key: about(group, what), value }
}

/// The partition that is meant, and how many seeks are done with what is said of it.
pub(super) fn of_what(what: u32) -> (PartitionId, u32) {
    (PartitionId::unpack(u64::from(what)), what >> PARTITION_BITS)
}

/// The member that says so, and the record.
pub(super) fn of_commit(value: u64) -> (MemberId, u64) {
    (MemberId((value >> OFFSET_BITS) as u32), value & ((1 << OFFSET_BITS) - 1))
}

/// Where a group has come to in a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Place {
    /// The record that is read next, if the group has said so.
    pub offset: Option<u64>,
    /// How many of its seeks it has done.
    pub seeks: u32,
}

impl Place {
    /// As one number.
    pub fn pack(self) -> u64 {
        let next = self.offset.map_or(0, |offset| offset + 1);
        u64::from(self.seeks) << OFFSET_BITS | next
    }

    /// From one number.
    pub fn unpack(bits: u64) -> Place {
        let next = bits & ((1 << OFFSET_BITS) - 1);
        Place { offset: next.checked_sub(1), seeks: (bits >> OFFSET_BITS) as u32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_heard() {
        for sharing in [Sharing::Eager, Sharing::Cooperative] {
            let said = Terms {
                sharing,
                session: Span::from_seconds(45),
                patience: Span::from_seconds(300),
                is_static: sharing == Sharing::Eager,
            };
            let Msg::Do { key, value, .. } = join(Name::of("billing"), said) else { panic!() };
            assert_eq!((of_key(key).0, terms(value)), (Name::of("billing"), said));
        }
        let partition = PartitionId { topic: 3, number: 7 };
        let Msg::Do { key, value, .. } = commit(Name::of("g"), partition, 9, 1 << 39) else {
            panic!()
        };
        assert_eq!(of_key(key), (Name::of("g"), partition.pack() as u32));
        assert_eq!(of_commit(value), (MemberId(9), 1 << 39));
        let Msg::Do { key, value, .. } = reset(Name::of("g"), partition, 9, (OFFSET_MAX, 255))
        else {
            panic!()
        };
        assert_eq!(of_what(of_key(key).1), (partition, 255));
        assert_eq!(of_commit(value), (MemberId(9), OFFSET_MAX));
        for place in [Place::default(), Place { offset: Some(OFFSET_MAX), seeks: 2 }] {
            assert_eq!(Place::unpack(place.pack()), place);
        }
    }
}
