//! Messages of a run, whatever carries them: queues and subscriptions of brokers, and logs that
//! consumer groups read. All are counted together.

use super::groups::{GroupPromise, Groups};
use super::logs::Logs;
use super::outcome::Finding;
use super::promises::{Promise, Tally};
use super::queue_counts::QueueCounts;
use super::queues::Queues;
use super::requests::Requests;
use crate::engine::{Fact, Name, NodeId, Time};
use crate::scenario::{Scenario, Variant};

/// What became of the messages of a run.
pub(crate) struct Messages {
    queues: Option<Queues>,
    groups: Option<Groups>,
    logs: Option<Logs>,
    counts: QueueCounts,
}

impl Messages {
    /// Those of a variant that is measured from `from` on.
    pub fn new(scenario: &Scenario, variant: &Variant, from: Time) -> Messages {
        let queues = Queues::new(scenario, variant, from);
        let groups = Groups::new(scenario, variant);
        let has_any = queues.as_ref().is_some_and(Queues::has_any) || groups.is_some();
        let counts = QueueCounts::new(has_any, from, variant.phases.quiet_from());
        let logs = Logs::new(scenario, variant);
        Messages { queues, groups, logs, counts }
    }

    /// Takes in a fact; false if it is not about a message.
    pub fn fact(&mut self, fact: &Fact, requests: &Requests) -> bool {
        let counts = &mut self.counts;
        self.queues.as_mut().is_some_and(|queues| queues.fact(fact, requests, counts))
            || self.groups.as_mut().is_some_and(|groups| groups.fact(fact, requests, counts))
            || self.logs.as_mut().is_some_and(|logs| logs.fact(fact))
    }

    /// The run is over.
    pub fn close(&mut self, end: Time) {
        if let Some(queues) = &mut self.queues {
            queues.close(end, &mut self.counts);
        }
        if let Some(groups) = &mut self.groups {
            groups.close(end, &mut self.counts);
        }
        if let Some(logs) = &mut self.logs {
            logs.close();
        }
        self.counts.close(end);
    }

    /// What every run checks.
    pub fn findings(&self) -> Vec<Finding> {
        let queues = self.queues.iter().flat_map(Queues::findings);
        let logs = self.logs.as_ref().and_then(Logs::finding);
        queues.chain(logs).chain(self.groups.iter().flat_map(Groups::findings)).collect()
    }

    /// The value of a metric about messages; none where there are none.
    pub fn value(&self, id: &str) -> Option<f64> {
        let of_topics = || self.queues.as_ref()?.topics.value(id);
        let of_logs = || self.logs.as_ref()?.counts.value(id);
        self.counts.value(id).or_else(of_topics).or_else(of_logs)
    }

    /// The tally of a promise of one queue.
    pub fn of_queue(&self, broker: NodeId, name: Name, promise: Promise) -> Option<Tally> {
        Some(self.queues.as_ref()?.tally(broker, name, promise))
    }

    /// The tally of a promise of one consumer group.
    pub fn of_group(&self, broker: NodeId, name: Name, promise: GroupPromise) -> Option<Tally> {
        Some(self.groups.as_ref()?.tally(broker, name, promise))
    }

    /// The tally of what was accepted by one topic of log brokers.
    pub fn of_log(&self, brokers: NodeId, topic: Name) -> Option<Tally> {
        Some(self.logs.as_ref()?.tally(brokers, topic))
    }
}
