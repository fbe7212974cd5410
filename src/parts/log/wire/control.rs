//! What brokers and their controller say to one another: who is there, which topics there are, and
//! how each partition stands.

use std::rc::Rc;

use super::{ALTER, CREATE, PRODUCER, PartitionId, REGISTER, WATCH, head};
use crate::engine::{Msg, Parcel, Span};

/// What a broker tells the controller of one of its topics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::parts::log) struct Layout {
    pub topic: u16,
    pub partitions: u32,
    pub replicas: u32,
    pub is_unclean: bool,
}

impl Layout {
    /// In two numbers, the first of 12 bits.
    pub fn pack(self) -> (u64, u64) {
        let counts = u64::from(self.partitions) << 32 | u64::from(self.replicas) << 1;
        (u64::from(self.topic), counts | u64::from(self.is_unclean))
    }

    pub fn unpack(topic: u64, counts: u64) -> Layout {
        Layout {
            topic: topic as u16,
            partitions: (counts >> 32) as u32,
            replicas: counts as u32 >> 1,
            is_unclean: counts & 1 == 1,
        }
    }
}

/// A broker makes itself known; each of its lives is another incarnation.
pub(in crate::parts::log) fn register(
    incarnation: u64,
    topics: impl Iterator<Item = Layout>,
) -> Msg {
    let first = head(REGISTER, incarnation, 0, 0);
    let each = topics.map(|layout| {
        let (topic, counts) = layout.pack();
        Parcel { count: 0, ..head(REGISTER, topic, counts, 0) }
    });
    Msg::Batch { parcels: std::iter::once(first).chain(each).collect() }
}

/// A request to have a topic that was not there when the brokers registered.
pub(in crate::parts::log) fn create(layout: Layout) -> Msg {
    let (topic, counts) = layout.pack();
    Msg::Batch { parcels: [head(CREATE, topic, counts, 0)].into() }
}

/// The topic that is to be there.
pub(in crate::parts::log) fn created(parcel: &Parcel) -> Layout {
    Layout::unpack(parcel.id, parcel.value)
}

/// The incarnation of a broker, and its topics.
pub(in crate::parts::log) fn registered(parcels: &[Parcel]) -> (u64, impl Iterator<Item = Layout>) {
    let each = parcels.iter().skip(1).map(|parcel| Layout::unpack(parcel.id, parcel.value));
    (parcels.first().map_or(0, |first| first.id), each)
}

/// A request for a number that no idempotent producer has had.
pub(in crate::parts::log) fn number() -> Msg {
    Msg::Do { verb: PRODUCER, key: 0, value: 0 }
}

/// How a partition stands: what the controller decides and everybody goes by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Standing {
    /// Which of its replicas leads.
    pub leader: Option<u8>,
    /// The epoch of the leader, from 1.
    pub epoch: u32,
    /// The replicas that are in sync, a bit each.
    pub isr: u16,
    /// How often it has changed.
    pub version: u32,
}

impl Standing {
    /// In two numbers.
    pub(in crate::parts::log) fn pack(self) -> (u64, u64) {
        let leader = self.leader.map_or(0, |leader| u64::from(leader) + 1);
        let state = u64::from(self.epoch) << 32 | leader << 16 | u64::from(self.isr);
        (state, u64::from(self.version))
    }

    pub(in crate::parts::log) fn unpack(state: u64, version: u64) -> Standing {
        Standing {
            leader: ((state >> 16) as u8).checked_sub(1),
            epoch: (state >> 32) as u32,
            isr: state as u16,
            version: version as u32,
        }
    }
}

/// A request for how all partitions stand, as soon as that is newer than this version of it.
pub(in crate::parts::log) fn watch(version: u64, wait: Span) -> Msg {
    Msg::Do { verb: WATCH, key: version, value: wait.0 }
}

/// How all partitions stand, and which version of it that is.
pub(in crate::parts::log) fn watched(
    version: u64,
    all: impl Iterator<Item = (PartitionId, Standing)>,
) -> Msg {
    let first = head(WATCH, version, 0, 0);
    let each = all.map(|(at, standing)| {
        let (state, version) = standing.pack();
        Parcel { key: version, count: 0, ..head(WATCH, at.pack(), state, 0) }
    });
    Msg::Batch { parcels: std::iter::once(first).chain(each).collect() }
}

pub(in crate::parts::log) fn of_watched(
    parcels: &Rc<[Parcel]>,
) -> (u64, impl Iterator<Item = (PartitionId, Standing)>) {
    let each = parcels
        .iter()
        .skip(1)
        .map(|parcel| (PartitionId::unpack(parcel.id), Standing::unpack(parcel.value, parcel.key)));
    (parcels.first().map_or(0, |first| first.id), each)
}

/// A request of the leader of this epoch to have other replicas in sync, from this version on.
pub(in crate::parts::log) fn alter(
    partition: PartitionId,
    epoch: u32,
    isr: u16,
    version: u32,
) -> Msg {
    let key = partition.pack() << 32 | u64::from(epoch);
    Msg::Do { verb: ALTER, key, value: u64::from(version) << 32 | u64::from(isr) }
}

/// The partition, the epoch, the replicas in sync and the version.
pub(in crate::parts::log) fn of_alter(key: u64, value: u64) -> (PartitionId, u32, u16, u32) {
    (PartitionId::unpack(key >> 32), key as u32, value as u16, (value >> 32) as u32)
}
