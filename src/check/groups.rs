//! Consumer groups: what became of every record of the topics that a group reads, and whether the
//! group has kept what its settings promise.
//!
//! A record is a group's from where the group began on. It is processed or passed over, or thrown
//! away before it was read, or cut off by another leader; until then it waits. Where the group has
//! come to is what its coordinator says.

use std::collections::BTreeMap;

use super::outcome::Finding;
use super::promises::Tally;
use super::queue_counts::QueueCounts;
use super::requests::Requests;
use crate::engine::{Fact, Name, NodeId, Root, Time};
use crate::parts::{GroupRules, PartitionId, broker_facts, group_facts, log_facts, of_record_id};
use crate::patterns::{Instances, Spec};
use crate::scenario::{Scenario, Variant};

/// What a group may promise.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum GroupPromise {
    /// Every record that the group has come past was processed or passed over, in the end.
    AtLeastOnce,
    /// No record is handed out twice.
    AtMostOnce,
    /// Records about one business object are processed in the order of their partition.
    InOrder,
    /// Where the group has come to never goes back.
    Monotone,
    /// The group never comes past a record that is not processed or passed over yet.
    Behind,
}

impl GroupPromise {
    pub const ALL: [GroupPromise; 5] = [
        GroupPromise::AtLeastOnce,
        GroupPromise::AtMostOnce,
        GroupPromise::InOrder,
        GroupPromise::Monotone,
        GroupPromise::Behind,
    ];

    /// As the invariant is called that every run checks.
    fn name(self) -> &'static str {
        match self {
            GroupPromise::AtLeastOnce => "groups-at-least-once",
            GroupPromise::AtMostOnce => "groups-at-most-once",
            GroupPromise::InOrder => "groups-in-order",
            GroupPromise::Monotone => "groups-move-on",
            GroupPromise::Behind => "groups-commit-what-is-done",
        }
    }

    /// What it demands of these groups.
    pub fn says(self, whose: &str) -> String {
        match self {
            GroupPromise::AtLeastOnce => format!(
                "a record that {whose} has come past was processed or passed over, or was thrown \
                 away before it was read"
            ),
            GroupPromise::AtMostOnce => format!("no record is handed out twice by {whose}"),
            GroupPromise::InOrder => format!(
                "records about one business object are processed for the first time by {whose} in \
                 the order of their partition"
            ),
            GroupPromise::Monotone => {
                format!("the offset that {whose} commits never goes back, unless it is reset")
            }
            GroupPromise::Behind => {
                format!("{whose} commits past no record that is not processed or passed over yet")
            }
        }
    }

    /// Do these settings promise it?
    fn is_given(self, rules: &GroupRules) -> bool {
        match self {
            GroupPromise::AtLeastOnce | GroupPromise::InOrder | GroupPromise::Behind => {
                !rules.commits_first
            }
            GroupPromise::AtMostOnce => rules.commits_first && rules.tries == Some(1),
            GroupPromise::Monotone => true,
        }
    }
}

/// How a record stands with a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Standing {
    #[default]
    Waiting,
    Out,
    /// It was processed, or passed over, or is there no more.
    Done,
}

/// A record as a group has it.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    standing: Standing,
    deliveries: u32,
    /// It was done before, and the group has gone back to it.
    is_again: bool,
}

/// A record of a log.
#[derive(Clone, Copy, Debug, Default)]
struct Record {
    root: Root,
    key: u64,
    since: Time,
}

/// A partition as a group reads it.
#[derive(Default)]
struct Reader {
    /// From here on records are the group's; `None` before it has begun.
    from: Option<u64>,
    committed: u64,
    /// By offset.
    seen: Vec<Seen>,
    /// Of what was processed the last, by business object.
    last: BTreeMap<u64, u64>,
}

impl Reader {
    fn seen(&mut self, offset: u64) -> &mut Seen {
        let place = offset as usize;
        if place >= self.seen.len() {
            self.seen.resize(place + 1, Seen::default());
        }
        &mut self.seen[place]
    }
}

/// One group.
struct Group {
    name: Name,
    cluster: NodeId,
    rules: GroupRules,
    label: String,
    /// Who coordinates it: what an earlier coordinator says afterwards was so before.
    office: Option<NodeId>,
    readers: BTreeMap<PartitionId, Reader>,
    tallies: [Tally; GroupPromise::ALL.len()],
}

/// All consumer groups of a run.
pub(crate) struct Groups {
    groups: Vec<Group>,
    /// For each node the place of the group that it is a member of.
    of_member: Vec<Option<usize>>,
    /// For each broker its cluster.
    of_broker: Vec<Option<NodeId>>,
    logs: BTreeMap<(NodeId, PartitionId), Vec<Record>>,
}

impl Groups {
    /// Those of a variant; `None` if it has none.
    pub fn new(scenario: &Scenario, variant: &Variant) -> Option<Groups> {
        let (mut groups, count) = (Vec::<Group>::new(), variant.nodes.len());
        let (mut of_member, mut of_broker) = (vec![None; count], vec![None; count]);
        let address = |node: usize| {
            let name = Instances::address(&scenario.names[node]);
            scenario.names.iter().position(|known| known == name).unwrap_or(node)
        };
        for (node, spec) in variant.nodes.iter().enumerate() {
            match spec {
                Some(Spec::LogBroker(_)) => of_broker[node] = Some(NodeId(address(node) as u32)),
                Some(Spec::GroupConsumer(member)) => {
                    let rules = member.rules();
                    let topics = topics_of(variant, rules.from, &rules.topics);
                    let is_it = |it: &Group| (it.name, it.cluster) == (rules.group, rules.from);
                    let place = groups.iter().position(is_it).unwrap_or_else(|| {
                        groups.push(Group::new(scenario, rules, topics));
                        groups.len() - 1
                    });
                    of_member[node] = Some(place);
                }
                _ => {}
            }
        }
        let logs = BTreeMap::new();
        (!groups.is_empty()).then_some(Groups { groups, of_member, of_broker, logs })
    }
}

/// The partitions of these topics of a cluster, which is one broker or an address of several.
fn topics_of(variant: &Variant, cluster: NodeId, topics: &[Name]) -> Vec<PartitionId> {
    let group = variant.groups.iter().find(|group| group.address == cluster);
    let spec = match group {
        Some(group) => Some(&*group.spec.of),
        None => variant.nodes[cluster.index()].as_ref(),
    };
    let Some(Spec::LogBroker(broker)) = spec else { return Vec::new() };
    topics.iter().flat_map(|topic| broker.partitions_of(*topic)).collect()
}

impl Groups {
    /// Takes in a fact; false if it is not about a group. What becomes of logs is for others too.
    pub fn fact(&mut self, fact: &Fact, requests: &Requests, counts: &mut QueueCounts) -> bool {
        let (partition, offset) = of_record_id(fact.key);
        if fact.what == log_facts::APPENDED || fact.what == log_facts::LED {
            if let Some(cluster) = self.of_broker.get(fact.node.index()).copied().flatten() {
                self.log_fact(fact, (cluster, partition), offset, counts);
            }
            return false;
        }
        if !group_facts::ALL.contains(&fact.what) {
            return false;
        }
        let of_office = match fact.what {
            group_facts::COMMITTED | group_facts::RESET => Some(fact.value),
            group_facts::SHARED => Some(fact.key),
            _ => None,
        };
        let place = if let Some(name) = of_office {
            let cluster = self.of_broker.get(fact.node.index()).copied().flatten();
            let name = Name::from_value(name as u32);
            let is_it = |it: &Group| it.name == name && Some(it.cluster) == cluster;
            self.groups.iter().position(is_it)
        } else {
            self.of_member.get(fact.node.index()).copied().flatten()
        };
        if let Some(place) = place {
            let group = &mut self.groups[place];
            if fact.what == group_facts::SHARED {
                group.office = Some(fact.node);
                return true;
            }
            let log = self.logs.entry((group.cluster, partition)).or_default();
            group.fact(fact, (partition, offset), log, &mut Counting { counts, requests });
        }
        true
    }

    /// A log has a record more, or begins anew at its end under another leader.
    fn log_fact(
        &mut self,
        fact: &Fact,
        (cluster, partition): (NodeId, PartitionId),
        offset: u64,
        counts: &mut QueueCounts,
    ) {
        let log = self.logs.entry((cluster, partition)).or_default();
        let mut readers: Vec<&mut Reader> = (self.groups.iter_mut())
            .filter(|group| group.cluster == cluster)
            .filter_map(|group| group.readers.get_mut(&partition))
            .collect();
        let end = offset as usize;
        for (cut, record) in log.iter().enumerate().skip(end) {
            for reader in readers.iter_mut().filter(|it| it.has(cut as u64)) {
                // What its log was to keep of it is for whoever looks at logs.
                if reader.is_done(fact.at, cut as u64, record, counts) {
                    counts.never_was();
                }
            }
        }
        readers.iter_mut().for_each(|reader| reader.seen.truncate(end));
        log.truncate(end);
        if fact.what == log_facts::APPENDED {
            // What a leader had from before, and nobody saw it write, is of nobody.
            log.resize(end, Record::default());
            log.push(Record { root: fact.root, key: fact.value, since: fact.at });
            for reader in readers.iter_mut().filter(|it| it.has(offset)) {
                reader.seen(offset);
                counts.accepted(fact.at, false);
            }
        }
    }

    /// What every run checks: each promise, for all groups that give it.
    pub fn findings(&self) -> Vec<Finding> {
        let finding = |promise: GroupPromise| {
            let (mut tally, mut whose) = (Tally::default(), Vec::new());
            for group in self.groups.iter().filter(|it| promise.is_given(&it.rules)) {
                tally.add(&group.tallies[promise as usize]);
                whose.push(group.label.as_str());
            }
            let Tally { checked, violations, first } = tally;
            (!whose.is_empty()).then(|| Finding {
                invariant: promise.name().to_owned(),
                says: promise.says(&whose.join(", ")),
                checked,
                violations,
                first,
            })
        };
        GroupPromise::ALL.into_iter().filter_map(finding).collect()
    }

    /// The tally of a promise of one group.
    pub fn tally(&self, cluster: NodeId, name: Name, promise: GroupPromise) -> Tally {
        let is_it = |it: &&Group| it.cluster == cluster && it.name == name;
        let found = self.groups.iter().find(is_it);
        found.map(|group| group.tallies[promise as usize].clone()).unwrap_or_default()
    }

    /// The run is over: what is not done by now still waits, or never will be.
    pub fn close(&mut self, end: Time, counts: &mut QueueCounts) {
        for group in &mut self.groups {
            for (partition, reader) in &group.readers {
                let Some(log) = self.logs.get(&(group.cluster, *partition)) else { continue };
                for (offset, record) in (0..).zip(log) {
                    let seen = reader.seen.get(offset as usize).filter(|_| reader.has(offset));
                    let Some(seen) = seen else { continue };
                    let (is_past, is_open) =
                        (offset < reader.committed, seen.standing != Standing::Done);
                    if is_open {
                        counts.stays(end - record.since, false);
                    }
                    let tally = &mut group.tallies[GroupPromise::AtLeastOnce as usize];
                    tally.checked += u64::from(is_past);
                    if is_past && is_open {
                        let number = partition.number;
                        let what =
                            || format!("record {offset} of partition {number} was never processed");
                        tally.violated(record.since, record.root, what);
                    }
                }
            }
        }
    }
}

/// Where what happens is counted.
struct Counting<'c> {
    counts: &'c mut QueueCounts,
    requests: &'c Requests,
}

impl Reader {
    /// Is a record the group's?
    fn has(&self, offset: u64) -> bool {
        self.from.is_some_and(|from| from <= offset)
    }

    /// A record is done with; false if it was before.
    fn is_done(
        &mut self,
        at: Time,
        offset: u64,
        record: &Record,
        counts: &mut QueueCounts,
    ) -> bool {
        let before = std::mem::replace(&mut self.seen(offset).standing, Standing::Done);
        if before != Standing::Done {
            counts.left(at, record.since, before == Standing::Waiting, false);
        }
        before != Standing::Done
    }
}

impl Group {
    fn new(scenario: &Scenario, rules: GroupRules, partitions: Vec<PartitionId>) -> Group {
        let label = scenario.lexicon.spelling(rules.group).to_owned();
        let begun = || Reader { from: rules.begins_at, ..Reader::default() };
        let readers = partitions.into_iter().map(|partition| (partition, begun())).collect();
        let (name, cluster) = (rules.group, rules.from);
        let (office, tallies) = (None, Default::default());
        Group { name, cluster, rules, label, office, readers, tallies }
    }

    fn fact(
        &mut self,
        fact: &Fact,
        (partition, offset): (PartitionId, u64),
        log: &[Record],
        counting: &mut Counting<'_>,
    ) {
        let Some(reader) = self.readers.get_mut(&partition) else { return };
        let Counting { counts, requests } = counting;
        let record = log.get(offset as usize).copied().unwrap_or_default();
        match fact.what {
            group_facts::BEGAN if reader.from.is_none() => {
                reader.from = Some(offset);
                for offset in offset..log.len() as u64 {
                    reader.seen(offset);
                    counts.accepted(fact.at, false);
                }
            }
            group_facts::DELIVERED => {
                let tally = &mut self.tallies[GroupPromise::AtMostOnce as usize];
                let seen = reader.seen(offset);
                seen.deliveries += 1;
                let deliveries = seen.deliveries;
                if seen.standing == Standing::Waiting {
                    seen.standing = Standing::Out;
                    counts.waits(fact.at, -1, false);
                }
                counts.delivered(deliveries);
                tally.checked += 1;
                if deliveries > 1 {
                    let what = || format!("{} was handed out {deliveries} times", at(fact));
                    tally.violated(fact.at, fact.root, what);
                }
            }
            group_facts::PROCESSED => {
                let is_again = reader.seen(offset).is_again;
                if !reader.is_done(fact.at, offset, &record, counts) {
                    counts.repeated += 1;
                } else if !is_again {
                    let began = requests.began(record.root).unwrap_or(record.since);
                    counts.processed(fact.at, record.since, began);
                    let tally = &mut self.tallies[GroupPromise::InOrder as usize];
                    let last = reader.last.entry(record.key).or_default();
                    tally.checked += 1;
                    if *last > offset {
                        counts.disordered += 1;
                        let what = || format!("{} was processed after {last}", at(fact));
                        tally.violated(fact.at, fact.root, what);
                    }
                    *last = offset.max(*last);
                }
            }
            group_facts::PASSED_OVER => {
                let was_open = reader.is_done(fact.at, offset, &record, counts);
                let dead = self.rules.has_dead;
                let why = if dead { broker_facts::DEAD } else { broker_facts::DROPPED };
                if was_open {
                    counts.removed(why);
                }
            }
            group_facts::OVERRUN => {
                for (record, offset) in
                    log.iter().zip(0..).skip(offset as usize).take(fact.value as usize)
                {
                    if reader.has(offset) && reader.is_done(fact.at, offset, record, counts) {
                        counts.removed(broker_facts::EXPIRED);
                    }
                }
            }
            group_facts::COMMITTED => self.committed(fact, partition, offset),
            group_facts::RESET => reader.reset(fact.at, offset, log, counts),
            _ => {}
        }
    }

    /// The group says where it has come to.
    fn committed(&mut self, fact: &Fact, partition: PartitionId, offset: u64) {
        if self.office != Some(fact.node) {
            return;
        }
        let Some(reader) = self.readers.get_mut(&partition) else { return };
        let tally = &mut self.tallies[GroupPromise::Monotone as usize];
        tally.checked += 1;
        let before = std::mem::replace(&mut reader.committed, offset);
        if offset < before {
            let what = || format!("{} was committed after {before}", at(fact));
            tally.violated(fact.at, fact.root, what);
        }
        let tally = &mut self.tallies[GroupPromise::Behind as usize];
        for passed in before.max(reader.from.unwrap_or(offset))..offset {
            tally.checked += 1;
            if reader.seen(passed).standing != Standing::Done {
                let what = || format!("{} was committed, and {passed} not processed", at(fact));
                tally.violated(fact.at, fact.root, what);
            }
        }
    }
}

impl Reader {
    /// The group goes to another place: what is before it is passed over, and what is after it is
    /// read again. What was before its beginning is the group's from now on.
    fn reset(&mut self, at: Time, offset: u64, log: &[Record], counts: &mut QueueCounts) {
        self.committed = offset;
        self.last.retain(|_, last| *last < offset);
        let from = self.from.unwrap_or(u64::MAX);
        for place in offset..from.min(log.len() as u64) {
            self.seen(place);
            counts.accepted(at, false);
        }
        self.from = Some(from.min(offset));
        for (record, place) in log.iter().zip(0..) {
            if !self.has(place) {
                continue;
            }
            if place < offset {
                if self.is_done(at, place, record, counts) {
                    counts.removed(broker_facts::DROPPED);
                }
            } else if self.seen(place).standing == Standing::Done {
                *self.seen(place) = Seen { is_again: true, ..Seen::default() };
                counts.enters(at, false);
            }
        }
    }
}

/// A record, as a finding tells of it.
fn at(fact: &Fact) -> String {
    let (partition, offset) = of_record_id(fact.key);
    format!("record {offset} of partition {}", partition.number)
}
