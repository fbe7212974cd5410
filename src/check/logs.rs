//! Logs: which records that were accepted are lost, and which are there twice.
//!
//! Every leader says with which log it begins: where it ends, and of which epoch its last record
//! is. So epochs form a tree, and a record is in the log of a leader if the way from the leader's
//! epoch to the root leads through the record's epoch while the record was in it. Whoever reads
//! under a leader reads its log and no other: an accepted record that is not in it is lost.

use std::collections::BTreeMap;

use super::outcome::Finding;
use super::promises::Tally;
use crate::engine::{Fact, Name, NodeId, Root};
use crate::parts::{Acks, PartitionId, log_facts as facts, of_record_id};
use crate::patterns::Spec;
use crate::scenario::{Scenario, Variant};

/// The epoch of a leader, the offset at which it begins, and the epoch of the record before that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Epoch {
    number: u32,
    begins: u64,
    parent: u32,
}

/// What stands at an offset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Written {
    /// 0 for nothing that is known.
    epoch: u32,
    root: Root,
    key: u64,
    /// The strictest `acks` with which it was accepted; `None` if it was not, or nobody waited.
    accepted: Acks,
}

const NOTHING: Written = Written { epoch: 0, root: Root::NONE, key: 0, accepted: Acks::None };

/// A partition's log, as its leaders have told of it.
#[derive(Default)]
struct Lineage {
    epochs: Vec<Epoch>,
    /// Who leads in the newest.
    leader: Option<NodeId>,
    /// From `base` on.
    written: Vec<Written>,
    base: u64,
}

impl Lineage {
    fn newest(&self) -> u32 {
        self.epochs.last().map_or(0, |epoch| epoch.number)
    }

    /// Does the log of the newest leader have the record of this epoch at this offset?
    fn has(&self, offset: u64, written_in: u32) -> bool {
        let mut at = self.newest();
        loop {
            if at == written_in {
                return true;
            }
            let known = self.epochs.binary_search_by_key(&at, |epoch| epoch.number);
            let Some(epoch) = known.ok().map(|place| self.epochs[place]) else { return false };
            if offset >= epoch.begins || written_in > epoch.parent {
                return false;
            }
            at = epoch.parent;
        }
    }

    fn at(&mut self, offset: u64) -> Option<&mut Written> {
        let place = offset.checked_sub(self.base)? as usize;
        if place >= self.written.len() {
            self.written.resize(place + 1, NOTHING);
        }
        self.written.get_mut(place)
    }

    /// A leader begins: the accepted records that its log does not have.
    fn led(&mut self, leader: NodeId, epoch: Epoch) -> Vec<(u64, Written)> {
        if epoch.number <= self.newest() {
            return Vec::new();
        }
        self.leader = Some(leader);
        self.epochs.push(epoch);
        let mut lost = Vec::new();
        for place in 0..self.written.len() {
            let (offset, written) = (self.base + place as u64, self.written[place]);
            if written.epoch != 0 && !self.has(offset, written.epoch) {
                lost.extend((written.accepted != Acks::None).then_some((offset, written)));
                self.written[place] = NOTHING;
            }
        }
        lost
    }

    /// A leader has written a record.
    fn appended(&mut self, offset: u64, (root, key): (Root, u64)) {
        let epoch = self.newest();
        if let Some(written) = self.at(offset) {
            *written = Written { epoch, root, key, accepted: Acks::None };
        }
    }

    /// Everything before this offset went by policy.
    fn expired(&mut self, start: u64) {
        let gone = start.saturating_sub(self.base).min(self.written.len() as u64);
        self.written.drain(..gone as usize);
        self.base = self.base.max(start);
    }

    /// How many records stand there once more, of the same operation about the same object.
    fn twice(&self) -> u64 {
        let there = self.written.iter().filter(|written| written.epoch != 0);
        let mut there: Vec<(Root, u64)> = there.map(|it| (it.root, it.key)).collect();
        there.sort_unstable();
        there.windows(2).filter(|pair| pair[0] == pair[1] && pair[0].0 != Root::NONE).count() as u64
    }
}

/// What is said of logs, besides what is promised.
#[derive(Clone, Copy, Default)]
pub(crate) struct LogCounts {
    lost: u64,
    twice: u64,
    recognised: u64,
    elections: u64,
    too_few: u64,
}

impl LogCounts {
    /// The value of a metric that is about logs.
    pub fn value(&self, id: &str) -> Option<f64> {
        let count = match id {
            "consistency.records_lost" => self.lost,
            "consistency.records_twice" => self.twice,
            "consistency.records_recognised" => self.recognised,
            "availability.elections" => self.elections,
            "availability.too_few_in_sync" => self.too_few,
            _ => return None,
        };
        Some(count as f64)
    }
}

/// A topic of a cluster.
struct Topic {
    cluster: usize,
    name: Name,
    label: String,
    /// Do the settings promise that nothing is lost that was accepted with `acks: All`?
    keeps: bool,
    partitions: BTreeMap<u16, Lineage>,
    /// Of what the settings promise, and of everything.
    promised: Tally,
    all: Tally,
}

/// All logs of a run.
pub(crate) struct Logs {
    /// By place in their cluster; each cluster's stand together.
    topics: Vec<Topic>,
    /// The names of all nodes.
    names: Vec<String>,
    /// The address of each cluster, and the place of its first topic.
    clusters: Vec<(NodeId, usize)>,
    /// For each node the cluster that it is of.
    of_node: Vec<Option<usize>>,
    pub counts: LogCounts,
}

impl Logs {
    /// Those of a variant; `None` if no variant of the scenario has any.
    pub fn new(scenario: &Scenario, variant: &Variant) -> Option<Logs> {
        let is_broker = |spec: &Option<Spec>| matches!(spec, Some(Spec::LogBroker(_)));
        if !scenario.variants.iter().any(|variant| variant.nodes.iter().any(is_broker)) {
            return None;
        }
        let (mut topics, mut clusters, counts) = (Vec::new(), Vec::new(), LogCounts::default());
        let mut of_node = vec![None; variant.nodes.len()];
        for (node, spec) in variant.nodes.iter().enumerate() {
            let Some(Spec::LogBroker(broker)) = spec else { continue };
            let id = NodeId(node as u32);
            let group = variant.groups.iter().find(|group| group.members.contains(&id));
            let address = group.map_or(id, |group| group.address);
            let known = clusters.iter().position(|(other, _)| *other == address);
            of_node[node] = Some(known.unwrap_or(clusters.len()));
            if known.is_some() {
                continue;
            }
            clusters.push((address, topics.len()));
            let is_waited_for = is_written_by_all(variant, address);
            for (name, topic) in broker.topics() {
                let spelt = scenario.lexicon.spelling(name);
                topics.push(Topic {
                    cluster: clusters.len() - 1,
                    name,
                    label: format!("{spelt} of {}", scenario.node(address)),
                    keeps: topic.keeps_what_is_accepted() && is_waited_for,
                    partitions: BTreeMap::new(),
                    promised: Tally::default(),
                    all: Tally::default(),
                });
            }
        }
        Some(Logs { topics, names: scenario.names.clone(), clusters, of_node, counts })
    }

    /// Takes in a fact; false if it is not about a log.
    pub fn fact(&mut self, fact: &Fact) -> bool {
        if !facts::ALL.contains(&fact.what) {
            return false;
        }
        let (at, offset) = of_record_id(fact.key);
        match fact.what {
            facts::DUPLICATE => self.counts.recognised += 1,
            facts::TOO_FEW => self.counts.too_few += 1,
            _ => {}
        }
        // What the internal topic has is no business of whoever publishes.
        if let Some(place) = self.topic_of(fact.node, at) {
            let told = (&mut self.counts, &self.names[..]);
            self.topics[place].fact(fact, (at.number, offset), told);
        }
        true
    }

    fn topic_of(&self, node: NodeId, at: PartitionId) -> Option<usize> {
        let cluster = self.of_node.get(node.index()).copied().flatten()?;
        let place = self.clusters[cluster].1 + usize::from(at.topic);
        self.topics.get(place).filter(|topic| topic.cluster == cluster).map(|_| place)
    }

    /// What has come of every record that a topic has accepted.
    pub fn tally(&self, brokers: NodeId, topic: Name) -> Tally {
        let is_it = |one: &&Topic| one.name == topic && self.clusters[one.cluster].0 == brokers;
        self.topics.iter().find(is_it).map(|topic| topic.all.clone()).unwrap_or_default()
    }

    /// The run is over: what is there twice is so for good.
    pub fn close(&mut self) {
        let all = self.topics.iter().flat_map(|topic| topic.partitions.values());
        self.counts.twice = all.map(Lineage::twice).sum();
    }

    /// What every run checks, for all topics that promise it.
    pub fn finding(&self) -> Option<Finding> {
        let (mut tally, mut whose) = (Tally::default(), Vec::new());
        for topic in self.topics.iter().filter(|topic| topic.keeps) {
            tally.add(&topic.promised);
            whose.push(topic.label.as_str());
        }
        let says = format!("no record that {} accepted with acks: All is lost", whose.join(", "));
        let Tally { checked, violations, first } = tally;
        let invariant = "logs-kept".to_owned();
        (!whose.is_empty()).then_some(Finding { invariant, says, checked, violations, first })
    }
}

/// Does anybody publish to these brokers who waits for all replicas that are in sync?
fn is_written_by_all(variant: &Variant, brokers: NodeId) -> bool {
    variant.nodes.iter().flatten().any(|spec| match spec {
        Spec::Producer(producer) => producer.brokers() == brokers && producer.acks() == Acks::All,
        _ => false,
    })
}

/// What is counted, and the names of the nodes.
type Told<'a> = (&'a mut LogCounts, &'a [String]);

impl Topic {
    fn fact(&mut self, fact: &Fact, (number, offset): (u16, u64), told: Told<'_>) {
        let lineage = self.partitions.entry(number).or_default();
        match fact.what {
            facts::LED => {
                let (number, parent) = ((fact.value >> 32) as u32, fact.value as u32);
                let lost = lineage.led(fact.node, Epoch { number, begins: offset, parent });
                told.0.elections += 1;
                for (offset, written) in lost {
                    self.lost(fact, (offset, written), (told.0, told.1));
                }
            }
            // Whoever has been deposed and does not know it writes into no log but its own.
            facts::APPENDED if lineage.leader == Some(fact.node) => {
                lineage.appended(offset, (fact.root, fact.value));
            }
            facts::ACCEPTED => self.accepted(fact, (number, offset), told),
            facts::EXPIRED => lineage.expired(offset),
            _ => {}
        }
    }

    fn accepted(&mut self, fact: &Fact, (number, offset): (u16, u64), told: Told<'_>) {
        let (epoch, acks) = (fact.value as u32, Acks::of(fact.value >> 32));
        let lineage = self.partitions.entry(number).or_default();
        let is_there = lineage.has(offset, epoch);
        let root = fact.root;
        let before = lineage.at(offset).map_or(Acks::None, |written| {
            if is_there && written.epoch == epoch {
                let strictest = acks.max(written.accepted);
                std::mem::replace(&mut written.accepted, strictest)
            } else {
                Acks::None
            }
        });
        self.all.checked += u64::from(before == Acks::None);
        self.promised.checked += u64::from(before != Acks::All && acks == Acks::All);
        if !is_there {
            // Whoever leads in truth has not got it.
            let leader = lineage.leader.unwrap_or(fact.node);
            let written = Written { epoch, root, key: 0, accepted: acks };
            self.lost(&Fact { node: leader, ..*fact }, (offset, written), told);
        }
    }

    /// An accepted record is not in the log of who leads, whom the fact names.
    fn lost(&mut self, fact: &Fact, (offset, written): (u64, Written), (counts, names): Told<'_>) {
        counts.lost += 1;
        let what = || {
            let (epoch, leader) = (written.epoch, names.get(fact.node.index()));
            let leader = leader.map_or("?", String::as_str);
            format!("record {offset} was accepted in epoch {epoch} and is lost: {leader} leads now")
        };
        self.all.violated(fact.at, written.root, what);
        if written.accepted == Acks::All {
            self.promised.violated(fact.at, written.root, what);
        }
    }
}

#[cfg(test)]
mod tests;
