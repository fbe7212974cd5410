//! The controller of a cluster of log brokers: it knows which brokers are alive, and decides who
//! leads each partition and which of its replicas are in sync.
//!
//! Brokers register with it, send heartbeats, and are told of every change. A broker that is silent
//! for a `session` is taken out: another replica leads, the preferred one first, if it is in sync,
//! or any that is alive where the topic allows `unclean` elections. A leader that has fallen behind
//! the times is refused: every leader has an epoch. While the controller is down nobody is elected,
//! and leaders go on as they are. The real one is a quorum of controllers; this one is one node
//! whose disk is durable.
//!
//! ```ron
//! LogController(session: "9s")
//! ```

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;

use serde::Deserialize;

use super::cluster::Cluster;
use super::wire::{self, Layout, PartitionId, Refusal, Standing};
use crate::engine::{Condition, Dist, Fault, Msg, Name, NodeId, Parcel, Reply, Span, Time};
use crate::world::{Cx, DiskSpec, Entry, Flaw, MachineSpec, Node, Offers, too_often};

/// The controller of a cluster of log brokers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogController {
    /// How long a broker may be silent before it is taken for dead: `broker.session.timeout.ms`.
    /// Default: `"9s"`, Kafka's.
    #[serde(default = "LogController::session")]
    session: Span,
    /// How often partitions go back to their preferred leaders:
    /// `leader.imbalance.check.interval.seconds`. Default: `"300s"`, Kafka's.
    #[serde(default = "LogController::rebalance")]
    rebalance: Span,
    /// Work for each request. Default: `"20us"`.
    #[serde(default = "LogController::cost")]
    cost: Dist,
    /// Workers and queue. Default: as many workers as there is work.
    #[serde(default)]
    machine: MachineSpec,
    /// The disk that its decisions are on. Default: as [`DiskSpec`] has it.
    #[serde(default)]
    disk: DiskSpec,
    #[serde(skip)]
    cluster: RefCell<Cluster>,
    /// Brokers that ever were: their incarnations, and when they were last heard of.
    #[serde(skip)]
    brokers: RefCell<BTreeMap<NodeId, Broker>>,
    /// How often anything has changed in this life of the controller.
    #[serde(skip)]
    version: Cell<u64>,
    #[serde(skip)]
    changed: Condition,
    /// The next number for an idempotent producer.
    #[serde(skip)]
    producers: Cell<u64>,
    /// When partitions get leaders at the latest, whoever has registered by then.
    #[serde(skip)]
    begins: OnceCell<Time>,
    #[serde(skip)]
    opened: Cell<bool>,
}

#[derive(Clone, Copy, Debug)]
struct Broker {
    incarnation: u64,
    heard: Time,
}

/// Entries of its log: a broker registered; a topic is like this, as a broker says; a partition
/// stands like this. That a producer was given a number is written under the verb that asks for it.
const REGISTERED: Name = Name::of("log.registered");
const LAYOUT: Name = Name::of("log.layout");
const STATE: Name = Name::of("log.state");

/// How many times in a session it looks whose is over.
const LOOKS: u64 = 9;

impl LogController {
    fn session() -> Span {
        Span::from_seconds(9)
    }

    fn rebalance() -> Span {
        Span::from_seconds(300)
    }

    fn cost() -> Dist {
        Dist::constant(Span::from_micros(20))
    }

    /// Takes in what its log says.
    fn recall(&self, cx: &Cx, entry: &Entry) {
        match entry.what {
            REGISTERED => {
                let broker = Broker { incarnation: entry.value, heard: cx.now() };
                self.brokers.borrow_mut().insert(NodeId(entry.key as u32), broker);
            }
            LAYOUT => {
                let layout = Layout::unpack(entry.key, entry.value);
                let members = cx.siblings_of(NodeId((entry.key >> 32) as u32));
                self.cluster.borrow_mut().add(layout, &members);
            }
            STATE => {
                let standing = Standing::unpack(entry.value, entry.key >> 24);
                self.cluster.borrow_mut().recall(PartitionId::unpack(entry.key), standing);
            }
            wire::PRODUCER => self.producers.set(entry.key),
            _ => {}
        }
    }

    /// What there was before it started. Brokers that were there have a session to be heard of.
    fn recover(&self, cx: &Cx) {
        *self.cluster.borrow_mut() = Cluster::default();
        self.brokers.borrow_mut().clear();
        cx.disk().replay().iter().for_each(|entry| self.recall(cx, entry));
        let brokers = self.brokers.borrow();
        brokers.keys().for_each(|broker| self.cluster.borrow_mut().join(*broker));
    }

    /// Writes down what has changed, and tells it when that is durable.
    async fn publish(&self, cx: &Cx) -> Result<(), Fault> {
        let changed = self.cluster.borrow_mut().take_changed();
        for at in &changed {
            let standing = self.cluster.borrow().partitions[at].standing;
            let (state, version) = standing.pack();
            cx.disk().append_plain(STATE, at.pack() | version << 24, state)?;
        }
        self.sync(cx).await?;
        if !changed.is_empty() {
            self.version.set(self.version.get() + 1);
            self.changed.announce(cx);
        }
        Ok(())
    }

    /// What it has decided is durable, or was never decided.
    async fn sync(&self, cx: &Cx) -> Result<(), Fault> {
        if cx.disk().sync().await.is_err() {
            if cx.disk().rewind() {
                self.recover(cx);
            }
            return Err(Fault::Failed);
        }
        Ok(())
    }

    /// A broker makes itself known. One that has been away without anybody noticing is gone first:
    /// it may lack what only its page cache had.
    async fn register(&self, cx: &Cx, parcels: &[Parcel]) -> Reply {
        let broker = cx.caller().ok_or(Fault::Unknown)?;
        let (incarnation, mut layouts) = wire::registered(parcels);
        let members = cx.siblings_of(broker);
        let _ = self.begins.set(cx.now() + self.session);
        layouts.try_for_each(|layout| self.add(cx, broker, layout))?;
        {
            let mut cluster = self.cluster.borrow_mut();
            let mut brokers = self.brokers.borrow_mut();
            let now = Broker { incarnation, heard: cx.now() };
            let before = brokers.insert(broker, now);
            if before.is_some_and(|before| before.incarnation != incarnation) {
                cluster.fence(broker);
            }
            cluster.join(broker);
        }
        cx.disk().append_plain(REGISTERED, u64::from(broker.0), incarnation)?;
        self.elect(&members, cx.now());
        self.publish(cx).await?;
        Ok(Msg::Done { value: 0 })
    }

    /// A topic is like this, as a broker says.
    fn add(&self, cx: &Cx, broker: NodeId, layout: Layout) -> Result<(), Fault> {
        if self.cluster.borrow_mut().add(layout, &cx.siblings_of(broker)) {
            let (key, value) = layout.pack();
            cx.disk().append_plain(LAYOUT, key | u64::from(broker.0) << 32, value)?;
        }
        Ok(())
    }

    /// A broker wants a topic that was not there when it registered.
    async fn create(&self, cx: &Cx, parcel: &Parcel) -> Reply {
        let broker = cx.caller().ok_or(Fault::Unknown)?;
        self.add(cx, broker, wire::created(parcel))?;
        self.elect(&cx.siblings_of(broker), cx.now());
        self.publish(cx).await?;
        Ok(Msg::Done { value: 0 })
    }

    /// Gives leaders to partitions that have none: when all brokers are there, or a session after
    /// the first came.
    fn elect(&self, members: &[NodeId], now: Time) {
        let is_there = |broker: &NodeId| self.brokers.borrow().contains_key(broker);
        if members.iter().all(is_there) || self.begins.get().is_some_and(|begins| *begins <= now) {
            self.cluster.borrow_mut().elect();
        }
    }

    /// A broker is there.
    async fn heartbeat(&self, cx: &Cx, incarnation: u64) -> Reply {
        let broker = cx.caller().ok_or(Fault::Unknown)?;
        match self.brokers.borrow_mut().get_mut(&broker) {
            Some(known) if known.incarnation == incarnation => known.heard = cx.now(),
            _ => return wire::refuse(Refusal::Fenced, 0),
        }
        if !self.cluster.borrow().is_alive(broker) {
            self.cluster.borrow_mut().join(broker);
            self.elect(&[], cx.now());
            self.publish(cx).await?;
        }
        Ok(Msg::Done { value: 0 })
    }

    /// Tells how everything stands, as soon as that is news.
    async fn watch(&self, cx: &Cx, known: u64, wait: Span) -> Reply {
        let ends = cx.now() + wait;
        while self.version.get() == known && cx.now() < ends {
            self.changed.wait_within(cx, ends - cx.now()).await;
        }
        let all = wire::watched(self.version.get(), self.cluster.borrow().standings());
        // What is told must not be undone by a crash.
        self.sync(cx).await?;
        Ok(all)
    }

    /// A leader wants other replicas in sync.
    async fn alter(&self, cx: &Cx, key: u64, value: u64) -> Reply {
        let broker = cx.caller().ok_or(Fault::Unknown)?;
        let altered = self.cluster.borrow_mut().alter(broker, wire::of_alter(key, value));
        match altered {
            Ok(standing) => {
                self.publish(cx).await?;
                Ok(Msg::Done { value: u64::from(standing.version) })
            }
            Err(why) => wire::refuse(why, 0),
        }
    }

    /// A number that no idempotent producer has had.
    async fn number(&self, cx: &Cx) -> Reply {
        let number = self.producers.get() + 1;
        self.producers.set(number);
        cx.disk().append_plain(wire::PRODUCER, number, 0)?;
        self.sync(cx).await?;
        Ok(Msg::Done { value: number })
    }

    /// Takes out brokers whose session is over.
    fn look(&self, now: Time) {
        let mut cluster = self.cluster.borrow_mut();
        for (broker, known) in self.brokers.borrow().iter() {
            if cluster.is_alive(*broker) && known.heard + self.session <= now {
                cluster.fence(*broker);
            }
        }
    }
}

impl Node for LogController {
    async fn boot(&self, cx: &Cx) {
        self.recover(cx);
        // What is told after a restart is news to everybody.
        self.version.set(cx.now().0 + 1);
        self.opened.set(true);
        let mut preferred = cx.now() + self.rebalance;
        loop {
            let _ = cx.sleep(self.session / LOOKS).await;
            let now = cx.now();
            self.look(now);
            if self.begins.get().is_none_or(|begins| *begins <= now) {
                self.cluster.borrow_mut().elect();
            }
            if preferred <= now {
                self.cluster.borrow_mut().prefer();
                preferred = now + self.rebalance;
            }
            // What could not be written is decided again.
            let _ = self.publish(cx).await;
        }
    }

    async fn handle(&self, cx: &Cx, request: Msg) -> Reply {
        if !self.opened.get() {
            return Err(Fault::Unreachable);
        }
        let (verb, key, value) = match request {
            Msg::Batch { parcels } if !parcels.is_empty() => {
                return match wire::head_of(&parcels[0]) {
                    Some(wire::REGISTER) => self.register(cx, &parcels).await,
                    Some(wire::CREATE) => self.create(cx, &parcels[0]).await,
                    _ => Err(Fault::Unknown),
                };
            }
            Msg::Do { verb, key, value } => (verb, key, value),
            _ => return Err(Fault::Unknown),
        };
        let cost = cx.cost(verb, &self.cost);
        if !cost.is_zero() {
            cx.work(cost).await?;
        }
        match verb {
            wire::HEARTBEAT => self.heartbeat(cx, key).await,
            wire::WATCH => self.watch(cx, key, Span(value)).await,
            wire::ALTER => self.alter(cx, key, value).await,
            wire::PRODUCER => self.number(cx).await,
            _ => Err(Fault::Unknown),
        }
    }

    fn machine(&self) -> MachineSpec {
        self.machine.clone()
    }

    fn disk(&self) -> DiskSpec {
        self.disk.clone()
    }

    fn offers(&self) -> Offers {
        Offers { logs: true, controls: true, ..Offers::default() }
    }

    fn problem(&self) -> Option<Flaw> {
        let machine = || self.machine.problem().map(|flaw| flaw.within("machine"));
        let rebalance = || too_often("rebalance", self.rebalance);
        too_often("session", self.session / LOOKS).or_else(rebalance).or_else(machine)
    }
}
