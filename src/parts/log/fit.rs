//! What is wrong with the settings of a log broker, by itself or for the cluster that it is of.

use super::LogBroker;
use crate::engine::{Name, Span};
use crate::world::{Flaw, too_often};

impl LogBroker {
    /// What a cluster of so many brokers cannot do.
    pub(crate) fn unfit_for(&self, brokers: u32) -> Option<Flaw> {
        self.topics.iter().find_map(|(name, topic)| {
            topic.unfit_for(brokers).map(|flaw| flaw.within(*name).within("topics"))
        })
    }

    /// Are its topics the same as those of another version of it, as far as disks know them?
    pub(crate) fn has_same_partitions(&self, other: &LogBroker) -> bool {
        let partitions = |broker: &LogBroker| -> Vec<(Name, u32)> {
            broker.topics().map(|(name, topic)| (name, topic.partitions)).collect()
        };
        partitions(self) == partitions(other)
    }

    /// What is wrong with its own settings.
    pub(super) fn flaw(&self) -> Option<Flaw> {
        let each = self.topics.iter().find_map(|(name, topic)| {
            topic.problem().map(|flaw| flaw.within(*name).within("topics"))
        });
        let own = || {
            if self.topics.len() >= 4_095 {
                return Some(Flaw::at("topics", "these are too many topics"));
            }
            if !(1..=65_535).contains(&self.fetch_max) {
                return Some(Flaw::at("fetch_max", "`fetch_max` is from 1 to 65,535"));
            }
            if self.fetch_wait > Span::MINUTE {
                return Some(Flaw::at("fetch_wait", "`fetch_wait` is at most a minute"));
            }
            let times = [
                ("heartbeat", self.heartbeat),
                ("replica_lag_max", self.replica_lag_max),
                ("fetch_wait", self.fetch_wait),
                ("cleaning", self.cleaning),
            ];
            times.into_iter().find_map(|(field, span)| too_often(field, span))
        };
        let offsets = || self.offsets.topic().problem().map(|flaw| flaw.within("offsets"));
        let machine = || self.machine.problem().map(|flaw| flaw.within("machine"));
        each.or_else(own).or_else(offsets).or_else(machine)
    }
}
