//! A broker of logs, as Kafka's are: topics whose partitions are logs, each on several brokers.
//!
//! The instances of a `LogBroker` are a cluster, under a `LogController`. One broker leads a
//! partition: it takes records in and hands them out; the others fetch copies. A record that all
//! in-sync replicas have can be read. What is accepted, and may be lost, depends on the `acks` of
//! the producer, on `min_isr`, on who may be elected and on when records are made durable.
//!
//! Whoever publishes calls a `Producer`, which knows the cluster, and not the broker itself.
//!
//! ```ron
//! LogBroker(
//!     controller: "controller",
//!     topics: {"orders": (partitions: 6, replicas: 3, min_isr: 2)},
//! )
//! ```

mod cleaner;
mod cluster;
mod controller;
mod coordinator;
mod enrolment;
pub mod facts;
mod fit;
mod follower;
mod group;
pub mod group_facts;
mod group_wire;
mod journal;
mod lane;
mod leader;
mod member;
mod member_fit;
mod partition;
mod producer;
mod reading;
mod replica;
mod segments;
mod sender;
mod sessions;
mod settings;
pub(crate) mod wire;

use std::cell::{Cell, OnceCell};
use std::collections::BTreeMap;

use serde::Deserialize;

use crate::engine::{Baggage, Condition, Dist, Fault, Msg, Name, NodeId, Reply, Root, Span, Time};
use crate::world::{Ask, Cx, DiskSpec, Flaw, MachineSpec, Node, Offers, Want};
pub use controller::LogController;
use coordinator::Offices;
pub use group::Sharing;
pub use group_wire::OPERATIONS as GROUP_OPERATIONS;
use leader::PATIENCE;
pub(crate) use member::GroupRules;
pub use member::{Commit, Failures, GroupConsumer, Seek, Start, Then};
pub use producer::{Partitioner, Producer};
use replica::Replica;
use sessions::Sessions;
pub use settings::{Acks, Cleanup, Flush, LogTopic, OffsetsTopic, Retention};
pub use wire::OPERATIONS;
use wire::{Layout, PartitionId, Standing};

/// A broker of logs; its instances are a cluster.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogBroker {
    /// The controller of the cluster.
    controller: NodeId,
    /// Its topics, by name.
    topics: BTreeMap<Name, LogTopic>,
    /// The internal topic in which consumer groups keep what they have committed; it is there when
    /// the first group is. Default: as [`OffsetsTopic`] has it.
    #[serde(default)]
    offsets: OffsetsTopic,
    /// Workers and queue. Default: as many workers as there is work.
    #[serde(default)]
    machine: MachineSpec,
    /// Work for each request that brings or fetches records. Default: `"20us"`.
    #[serde(default = "LogBroker::cost")]
    cost: Dist,
    /// Work for each record in it. Default: `"1us"`.
    #[serde(default = "LogBroker::record_cost")]
    record_cost: Dist,
    /// The disk that its logs are on. Default: as [`DiskSpec`] has it.
    #[serde(default)]
    disk: DiskSpec,
    /// How often it tells the controller that it is there: `broker.heartbeat.interval.ms`. Default:
    /// `"2s"`, Kafka's.
    #[serde(default = "LogBroker::heartbeat")]
    heartbeat: Span,
    /// For how long a follower may lack records before it is no more in sync:
    /// `replica.lag.time.max.ms`. Default: `"30s"`, Kafka's.
    #[serde(default = "LogBroker::replica_lag_max")]
    replica_lag_max: Span,
    /// How long a leader keeps a follower's request if there is nothing to copy:
    /// `replica.fetch.wait.max.ms`, at most a minute. Default: `"500ms"`, Kafka's.
    #[serde(default = "LogBroker::fetch_wait")]
    fetch_wait: Span,
    /// How many records of each partition a follower fetches at once, up to 65,535. Default: 5,000,
    /// which are about as many as fit into Kafka's `replica.fetch.max.bytes` of 1 MiB.
    #[serde(default = "LogBroker::fetch_max")]
    fetch_max: u32,
    /// How often old segments are looked for: `log.retention.check.interval.ms`, and of compacted
    /// topics `log.cleaner.backoff.ms`. Default: `"5min"`, Kafka's for retention.
    #[serde(default = "LogBroker::cleaning")]
    cleaning: Span,
    /// How long a group without members waits for more when the first comes, before it shares out
    /// partitions: `group.initial.rebalance.delay.ms`. Default: `"3s"`, Kafka's.
    #[serde(default = "LogBroker::group_delay")]
    group_delay: Span,
    /// The groups that it coordinates.
    #[serde(skip)]
    offices: Offices,
    /// What its followers fetch, and what it fetches as one.
    #[serde(skip)]
    sessions: Sessions,
    /// Every partition of the cluster, by topic and number, once it has found what it had before.
    #[serde(skip)]
    partitions: OnceCell<Vec<Replica>>,
    /// Which life of the broker this is.
    #[serde(skip)]
    incarnation: Cell<u64>,
    /// The controller has told it who leads.
    #[serde(skip)]
    opened: Cell<bool>,
    /// Somebody else leads or follows.
    #[serde(skip)]
    roles: Condition,
    /// A partition that it leads has grown.
    #[serde(skip)]
    grown: Condition,
}

/// Verbs of a broker to itself: follow another, register and go on saying that it is there, ask for
/// other in-sync replicas, look for old segments, flush.
const FOLLOW: Name = Name::of("log.follow");
const ENROL: Name = Name::of("log.enrol");
const ALTER_ISR: Name = Name::of("log.alter");
const CLEAN: Name = Name::of("log.clean");
const FLUSH: Name = Name::of("log.flush");
const OWN_FLUSH: Name = Name::of("log.own_flush");
const LOOK: Name = Name::of("log.look");

/// How long after the controller failed to answer it is asked again.
const AGAIN: Span = Span::from_millis(100);

impl LogBroker {
    fn cost() -> Dist {
        Dist::constant(Span::from_micros(20))
    }

    fn record_cost() -> Dist {
        Dist::constant(Span::MICROSECOND)
    }

    fn heartbeat() -> Span {
        Span::from_seconds(2)
    }

    fn replica_lag_max() -> Span {
        Span::from_seconds(30)
    }

    fn fetch_wait() -> Span {
        Span::from_millis(500)
    }

    fn fetch_max() -> u32 {
        5_000
    }

    fn cleaning() -> Span {
        Span::MINUTE * 5
    }

    fn group_delay() -> Span {
        Span::from_seconds(3)
    }

    /// Its topics by their places.
    pub(crate) fn topics(&self) -> impl Iterator<Item = (Name, &LogTopic)> {
        self.topics.iter().map(|(name, topic)| (*name, topic))
    }

    /// The place of a topic, by its name's hash.
    fn topic(&self, name: u64) -> Option<u16> {
        let is_it = |known: &Name| u64::from(known.value()) == name;
        Some(self.topics.keys().position(is_it)? as u16)
    }

    /// The place of the internal topic.
    fn internal(&self) -> u16 {
        self.topics.len() as u16
    }

    /// The partitions of a topic.
    pub(crate) fn partitions_of(&self, topic: Name) -> impl Iterator<Item = PartitionId> + use<> {
        let place = self.topics.keys().position(|known| *known == topic);
        let count = self.topics.get(&topic).map_or(0, |topic| topic.partitions as u16);
        let topic = place.unwrap_or_default() as u16;
        (0..count).map(move |number| PartitionId { topic, number })
    }

    fn replicas(&self) -> &[Replica] {
        self.partitions.get().map_or(&[], Vec::as_slice)
    }

    fn replica(&self, at: PartitionId) -> Option<&Replica> {
        let all = self.replicas();
        let place = all.binary_search_by_key(&at, |replica| replica.id).ok()?;
        all.get(place)
    }

    /// Every partition of the cluster, empty.
    fn open(&self, cx: &Cx) -> Vec<Replica> {
        let (brokers, me) = (cx.siblings_of(cx.me()), cx.me());
        let internal = self.offsets.topic();
        let topics = self.topics.values().chain(std::iter::once(&internal));
        let all = (0_u16..).zip(topics).flat_map(|(topic, rules)| {
            let brokers = &brokers;
            (0..rules.partitions as u16).map(move |number| {
                let id = PartitionId { topic, number };
                let copies = rules.copies(brokers.len());
                Replica::new(id, rules, cluster::replicas_of(id, copies, brokers), me)
            })
        });
        all.collect()
    }

    /// What the controller is told of a topic.
    fn layout(&self, cx: &Cx, topic: u16, rules: &LogTopic) -> Layout {
        let replicas = rules.copies(cx.siblings_of(cx.me()).len());
        Layout { topic, partitions: rules.partitions, replicas, is_unclean: rules.unclean }
    }

    /// Has the internal topic be there, if it is not yet.
    pub(crate) async fn create_offsets(&self, cx: &Cx) -> Result<(), Fault> {
        let layout = self.layout(cx, self.internal(), &self.offsets.topic());
        let answer = cx.call(self.controller, wire::create(layout)).within(PATIENCE).await;
        answer.map(|_| ())
    }

    /// Begins a new life, as far as the controller is concerned.
    fn enrol(&self, cx: &Cx) {
        self.opened.set(false);
        self.offices.clear();
        self.incarnation.set(cx.now().0 + 1);
        self.roles.announce(cx);
        for replica in self.replicas() {
            replica.moved.announce(cx);
        }
        kick(cx, Msg::Do { verb: ENROL, key: self.incarnation.get(), value: 0 });
    }

    /// How a partition stands now.
    fn stands(&self, cx: &Cx, at: PartitionId, standing: Standing) {
        let Some(replica) = self.replica(at) else { return };
        let before = replica.standing.get();
        if standing.version <= before.version && before != Standing::default() {
            return;
        }
        let leads = standing.leader.is_some() && standing.leader == replica.place;
        if leads && replica.leads() == Some(standing.epoch) {
            return self.is_in_sync(cx, replica, standing);
        }
        replica.standing.set(standing);
        self.step_down(replica);
        if leads {
            self.lead(cx, replica, standing.epoch);
        }
        replica.moved.announce(cx);
        self.roles.announce(cx);
        self.grown.announce(cx);
    }

    /// Leads a partition no more.
    fn step_down(&self, replica: &Replica) {
        *replica.leading.borrow_mut() = None;
        if replica.id.topic == self.internal() {
            self.offices.close(replica.id.number);
        }
    }

    /// Leads a partition from now on.
    fn lead(&self, cx: &Cx, replica: &Replica, epoch: u32) {
        let (end, last) = {
            let log = replica.log.borrow();
            (log.end(), log.epoch_of_last())
        };
        // On a full disk it is known again when the first record is written.
        let _ = self.write_epoch(cx, replica, epoch, end);
        replica.lead(epoch, cx.now());
        if replica.id.topic == self.internal() {
            let log = replica.log.borrow();
            self.offices.open(replica.id.number, log.read(0, end, u32::MAX));
        }
        let about = u64::from(epoch) << 32 | u64::from(last);
        cx.note(facts::LED, wire::record_id(replica.id, end), about);
        match replica.rules.flush {
            Flush::Every => {
                let key = replica.id.pack() << 32 | u64::from(epoch);
                kick(cx, Msg::Do { verb: OWN_FLUSH, key, value: end });
            }
            Flush::Interval { .. } => self.has_written(cx, replica, end),
        }
    }

    /// A number for an idempotent producer: the controller knows which were given.
    async fn number(&self, cx: &Cx) -> Reply {
        cx.call(self.controller, wire::number()).within(PATIENCE).await
    }

    /// Makes durable what it had when it began to lead, where that is wanted.
    async fn flush_own(&self, cx: &Cx, key: u64, end: u64) {
        let Some(replica) = self.replica(PartitionId::unpack(key >> 32)) else { return };
        if self.flush(cx).await.is_ok() && replica.leads() == Some(key as u32) {
            self.has_written(cx, replica, end);
        }
    }

    /// Writes back again and again what is in the page cache.
    async fn write_back(&self, cx: &Cx, every: Span) {
        loop {
            let _ = cx.sleep(every).await;
            let _ = self.flush(cx).await;
        }
    }

    /// Looks again and again whether followers have kept up.
    async fn look_around(&self, cx: &Cx) {
        loop {
            let _ = cx.sleep(self.replica_lag_max / 2).await;
            for replica in self.replicas() {
                self.look_after(cx, replica);
            }
        }
    }

    /// Work for a request about so many records.
    async fn work(&self, cx: &Cx, at: PartitionId, records: usize) -> Result<(), Fault> {
        let topic = self.topics.keys().nth(usize::from(at.topic)).copied();
        let topic = topic.unwrap_or(wire::PRODUCE);
        let each = (0..records).map(|_| cx.draw(&self.record_cost)).sum::<Span>();
        let cost = cx.cost(topic, &self.cost) + each;
        if cost.is_zero() { Ok(()) } else { cx.work(cost).await }
    }

    /// What the broker tells itself.
    async fn own(&self, cx: &Cx, verb: Name, key: u64, value: u64) {
        match verb {
            FOLLOW => self.follow(cx, NodeId(key as u32)).await,
            ENROL => self.enrolled(cx, key).await,
            ALTER_ISR => self.alter(cx, PartitionId::unpack(key), value as u16).await,
            OWN_FLUSH => self.flush_own(cx, key, value).await,
            FLUSH => self.write_back(cx, Span(key)).await,
            CLEAN => self.clean(cx).await,
            LOOK => self.look_around(cx).await,
            coordinator::TICK => self.tick_groups(cx, key as u16, Time(value)).await,
            _ => {}
        }
    }

    /// The shortest time after which anything is written back.
    fn flush_interval(&self) -> Option<Span> {
        let all = self.topics.values().map(|topic| topic.flush).chain([self.offsets.flush]);
        let each = all.filter_map(|flush| match flush {
            Flush::Every => None,
            Flush::Interval { every } => Some(every),
        });
        each.min()
    }
}

/// Starts a task of the broker's own.
fn kick(cx: &Cx, what: Msg) {
    let (root, along) = (cx.root(), cx.baggage());
    cx.resume(Root::NONE);
    cx.set_baggage(Baggage::NONE);
    cx.kick(what);
    cx.resume(root);
    cx.set_baggage(along);
}

impl Node for LogBroker {
    async fn boot(&self, cx: &Cx) {
        // A node boots once in each of its lives.
        let _ = self.partitions.set(self.open(cx));
        self.recover(cx);
        for peer in cx.siblings_of(cx.me()).into_iter().filter(|peer| *peer != cx.me()) {
            kick(cx, Msg::Do { verb: FOLLOW, key: peer.0.into(), value: 0 });
        }
        kick(cx, Msg::Do { verb: CLEAN, key: 0, value: 0 });
        kick(cx, Msg::Do { verb: LOOK, key: 0, value: 0 });
        if let Some(every) = self.flush_interval() {
            kick(cx, Msg::Do { verb: FLUSH, key: every.0, value: 0 });
        }
        self.enrol(cx);
        self.listen(cx).await;
    }

    async fn handle(&self, cx: &Cx, request: Msg) -> Reply {
        let (verb, key, value) = match request {
            Msg::Do { verb, key, value } => (verb, key, value),
            Msg::Batch { parcels } => {
                return match parcels.first().and_then(wire::head_of) {
                    Some(wire::PRODUCE) => self.produce(cx, &parcels).await,
                    Some(wire::REPLICATE) => self.replicate(cx, &parcels).await,
                    _ => Err(Fault::Unknown),
                };
            }
            _ => return Err(Fault::Unknown),
        };
        if cx.caller().is_none() {
            self.own(cx, verb, key, value).await;
            return Ok(Msg::Done { value: 0 });
        }
        match verb {
            wire::METADATA => self.metadata(key),
            wire::FETCH => self.fetch(cx, wire::Fetch::read(key, value)).await,
            wire::EPOCH_END => self.epoch_end(key, value),
            wire::PRODUCER => self.number(cx).await,
            wire::OFFSETS => self.offset_of(PartitionId::unpack(key), Time(value)),
            _ => self.coordinate(cx, verb, key, value).await,
        }
    }

    fn machine(&self) -> MachineSpec {
        self.machine.clone()
    }

    fn disk(&self) -> DiskSpec {
        DiskSpec { outlives_process: true, ..self.disk.clone() }
    }

    fn asks(&self) -> Vec<Ask> {
        vec![Ask::of(["controller", "controller"], self.controller, Want::Controller)]
    }

    fn offers(&self) -> Offers {
        let names: Vec<Name> = self.topics.keys().copied().collect();
        Offers { topics: Some(names), logs: true, ..Offers::default() }
    }

    fn idle(&self) -> Vec<Flaw> {
        let topics = self.topics.iter();
        let idle = topics.flat_map(|(name, topic)| topic.idle().map(|flaw| flaw.within(*name)));
        idle.map(|flaw| flaw.within("topics")).collect()
    }

    fn problem(&self) -> Option<Flaw> {
        self.flaw()
    }
}
