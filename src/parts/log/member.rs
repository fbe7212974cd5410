//! A member of a consumer group: it reads its share of some topics, has another node process each
//! record, and says how far it has come.
//!
//! It is what a Kafka consumer does. It finds the group's coordinator, joins, says regularly that
//! it is there, and is told which partitions are its. Each of them it reads from where the group
//! has come to, in order, batch by batch. What is taken from it, it gives up when the batch at hand
//! is done; if it was put out of the group meanwhile, what it has done since will be done again.
//!
//! ```ron
//! GroupConsumer(
//!     from: "kafka", group: "billing", topics: ["orders"],
//!     to: "shop", operation: "bill",
//!     start: Earliest, commit: AfterProcessing, sharing: Cooperative,
//! )
//! ```

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::group::{Sharing, Terms};
use super::group_wire;
use super::reading::Share;
use super::wire::PartitionId;
use crate::engine::{Condition, Fault, Msg, Name, NodeId, Reply, Span, Time};
use crate::parts::{Backoff, Policy};
use crate::world::{Ask, Cx, Dated, Flaw, Node, Want, too_often};

/// A member of a consumer group.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupConsumer {
    /// The brokers.
    pub(super) from: NodeId,
    /// The group that it is a member of: each record goes to one member of every group. All members
    /// of a group read the same topics, by the same settings.
    pub(super) group: Name,
    /// The topics that it reads.
    pub(super) topics: Vec<Name>,
    /// Who processes the records.
    pub(super) to: NodeId,
    /// By which operation.
    pub(super) operation: Name,
    /// How that is called. Default: one try without a time limit.
    #[serde(default)]
    pub(super) policy: Policy,
    /// How many of its partitions are processed at once, each of them in order. Default: 1, as
    /// where one thread polls.
    #[serde(default = "GroupConsumer::one")]
    pub(super) concurrency: u32,
    /// How many records are fetched at once at most, from 1 to 10,000: Kafka's `max.poll.records`.
    /// Default: 500.
    #[serde(default = "GroupConsumer::batch")]
    pub(super) batch: u32,
    /// How long a broker waits for a record before it answers that there is none: Kafka's
    /// `fetch.max.wait.ms`. Default: `"500ms"`.
    #[serde(default = "GroupConsumer::wait")]
    pub(super) wait: Span,
    /// When it says how far it has come. Default: `AfterProcessing`.
    #[serde(default)]
    pub(super) commit: Commit,
    /// Where a partition is begun of which the group has not said how far it has come: Kafka's
    /// `auto.offset.reset`. Default: `Latest`.
    #[serde(default)]
    pub(super) start: Start,
    /// Instants of the run at which the group goes to another place, as by
    /// `kafka-consumer-groups --reset-offsets`, earliest first. Default: none.
    #[serde(default)]
    pub(super) seek: Vec<Seek>,
    /// What becomes of a record that cannot be processed. Default: it is tried until it can be, and
    /// its partition waits.
    #[serde(default)]
    pub(super) failures: Failures,
    /// How partitions are shared anew when members come and go. Default: `Eager`.
    #[serde(default)]
    sharing: Sharing,
    /// A member that is not heard of for so long is put out: Kafka's `session.timeout.ms`. Default:
    /// `"45s"`.
    #[serde(default = "GroupConsumer::session")]
    pub(super) session: Span,
    /// How often it says that it is there: Kafka's `heartbeat.interval.ms`. Default: `"3s"`.
    #[serde(default = "GroupConsumer::heartbeat")]
    pub(super) heartbeat: Span,
    /// If a batch takes longer than this it leaves the group, and if it does not give up for so
    /// long what it is to, it is put out: Kafka's `max.poll.interval.ms`. Default: `"5min"`.
    #[serde(default = "GroupConsumer::poll_interval_max")]
    pub(super) poll_interval_max: Span,
    /// Does it take its place again if it comes back within its session, whether it has crashed or
    /// was told to stop? Others, if they crash, are waited for until their session is over, and
    /// leave the group if they stop. Kafka's `group.instance.id`. Default: false.
    #[serde(default)]
    static_membership: bool,
    /// How long after a failure it tries again: Kafka's `retry.backoff.ms`. Default: `"100ms"`.
    #[serde(default = "GroupConsumer::pause")]
    pub(super) pause: Span,
    /// Where it belongs, and what it has in hands.
    #[serde(skip)]
    pub(super) hands: RefCell<Hands>,
    /// Something of that has changed.
    #[serde(skip)]
    pub(super) changed: Condition,
    /// How many partitions are being processed, and whoever waits to be.
    #[serde(skip)]
    pub(super) busy: Cell<u32>,
    #[serde(skip)]
    pub(super) turn: Condition,
}

/// When a member of a group says how far it has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Commit {
    /// When a batch is processed: what it has processed of one when it crashes is processed again.
    #[default]
    AfterProcessing,
    /// Before a batch is processed: what it has not processed of one when it crashes is lost.
    BeforeProcessing,
    /// At the end of a batch, when it has not said so for so long, and when it gives a partition
    /// up: Kafka's `enable.auto.commit` with this `auto.commit.interval.ms`.
    Every(Span),
}

/// A place in every partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Start {
    /// The end: what comes from now on.
    #[default]
    Latest,
    /// The first record that is still there.
    Earliest,
    /// This record, or the first that is still there after it.
    Offset(u64),
}

/// A group goes to another place.
///
/// ```ron
/// (at: "60s", to: Earliest)
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seek {
    /// When.
    pub at: Span,
    /// Where to.
    pub to: Start,
}

/// What becomes of records that cannot be processed.
///
/// ```ron
/// (tries: 10, then: Dead(to: "post", topic: "orders-dead"))
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Failures {
    /// How often a record is tried. Default: as often as it takes, and its partition waits.
    pub tries: Option<u32>,
    /// How long after a failure it is tried again. Default: as [`Backoff`] has it.
    pub backoff: Backoff,
    /// What happens after that. Default: `Skip`.
    pub then: Then,
}

impl Default for Failures {
    fn default() -> Failures {
        Failures { tries: None, backoff: Backoff::default(), then: Then::Skip }
    }
}

/// What happens to a record that was tried too often.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Then {
    /// It is passed over.
    #[default]
    Skip,
    /// It is published to a topic of dead letters, and passed over when it is there.
    Dead {
        /// A producer, or another node that takes it.
        to: NodeId,
        /// The topic, or the operation.
        topic: Name,
    },
}

/// What it has in hands.
#[derive(Clone, Debug, Default)]
pub(super) struct Hands {
    /// The coordinator, as far as is known.
    pub office: Option<NodeId>,
    /// As it counts this member; 0 for none.
    pub member: u32,
    /// By which version of what it was told it goes.
    version: u32,
    /// What it was told last, and by which version: it goes by that as soon as it has given up what
    /// is its no more.
    told: BTreeSet<PartitionId>,
    next: u32,
    /// It was put out.
    pub is_out: bool,
    pub own: BTreeMap<PartitionId, Share>,
    /// Who leads which partition, since which epoch.
    pub leaders: BTreeMap<PartitionId, (NodeId, u32)>,
}

impl Hands {
    /// Does it have nothing that is not its?
    fn is_free(&self) -> bool {
        self.own.values().all(|share| share.is_kept)
    }
}

/// A member to itself: read this partition.
const READ: Name = Name::of("group.read");

/// The most records that are fetched at once.
pub(super) const BATCH_MAX: u32 = 10_000;

/// How long it waits for an answer to something that does not wait itself.
pub(super) const PATIENCE: Span = Span::from_seconds(5);

/// What a group promises depends on this.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct GroupRules {
    /// The brokers.
    pub from: NodeId,
    pub group: Name,
    pub topics: Vec<Name>,
    /// Does it commit before it processes?
    pub commits_first: bool,
    /// How often a record is tried at most.
    pub tries: Option<u32>,
    /// Do records that were tried too often go to another topic?
    pub has_dead: bool,
    /// Where it begins, if that can be said beforehand.
    pub begins_at: Option<u64>,
}

impl GroupConsumer {
    /// What its group's promises depend on.
    pub(crate) fn rules(&self) -> GroupRules {
        GroupRules {
            from: self.from,
            group: self.group,
            topics: self.topics.clone(),
            commits_first: self.commit == Commit::BeforeProcessing,
            tries: self.failures.tries,
            has_dead: matches!(self.failures.then, Then::Dead { .. }),
            begins_at: match self.start {
                Start::Latest => None,
                Start::Earliest => Some(0),
                Start::Offset(offset) => Some(offset),
            },
        }
    }

    fn one() -> u32 {
        1
    }

    fn batch() -> u32 {
        500
    }

    fn wait() -> Span {
        Span::from_millis(500)
    }

    fn session() -> Span {
        Span::from_seconds(45)
    }

    fn heartbeat() -> Span {
        Span::from_seconds(3)
    }

    fn poll_interval_max() -> Span {
        Span::from_seconds(300)
    }

    fn pause() -> Span {
        Span::from_millis(100)
    }

    fn terms(&self) -> Terms {
        Terms {
            sharing: self.sharing,
            session: self.session,
            patience: self.poll_interval_max,
            is_static: self.static_membership,
        }
    }

    /// Finds the coordinator of its group.
    async fn find_office(&self, cx: &Cx) -> Result<NodeId, Fault> {
        let ask = cx.call(self.from, group_wire::find(self.group)).within(PATIENCE);
        let Msg::Done { value } = ask.await? else { return Err(Fault::Failed) };
        let office = NodeId(value as u32);
        self.hands.borrow_mut().office = Some(office);
        Ok(office)
    }

    /// Becomes a member.
    async fn join(&self, cx: &Cx) -> Result<(), Fault> {
        let office = self.find_office(cx).await?;
        for topic in &self.topics {
            cx.call(office, group_wire::subscribe(self.group, *topic)).within(PATIENCE).await?;
        }
        let join = group_wire::join(self.group, self.terms());
        let Msg::Done { value } = cx.call(office, join).within(PATIENCE).await? else {
            return Err(Fault::Unknown);
        };
        let mut hands = self.hands.borrow_mut();
        (hands.member, hands.version, hands.next, hands.is_out) = (value as u32, 0, 0, false);
        hands.told.clear();
        Ok(())
    }

    /// Is a member until it is out.
    async fn stay(&self, cx: &Cx) {
        let mut heard = cx.now();
        while !cx.is_stopping() {
            self.catch_up(cx);
            match self.beat(cx).await {
                Ok(is_news) => {
                    heard = cx.now();
                    if is_news && self.hands.borrow().is_free() {
                        continue;
                    }
                }
                Err(Fault::Conflict) => return,
                Err(_) if cx.now() - heard >= self.session => return,
                Err(_) => _ = self.find_office(cx).await,
            }
            if self.is_stuck(cx.now()) {
                return self.leave(cx).await;
            }
            if !self.hands.borrow().is_out {
                self.changed.wait_within(cx, self.heartbeat).await;
            }
            if self.hands.borrow().is_out {
                return;
            }
        }
        // It was told to stop: it gives up everything, says how far it has come, and leaves.
        self.give_up(cx).await;
        self.leave(cx).await;
    }

    /// Says that it is there, and hears what it is to read. Is that news?
    async fn beat(&self, cx: &Cx) -> Result<bool, Fault> {
        let (office, beat) = {
            let hands = self.hands.borrow();
            let office = hands.office.ok_or(Fault::Unreachable)?;
            (office, group_wire::beat(self.group, hands.member, hands.version))
        };
        let reply = cx.call(office, beat).within(self.heartbeat).await?;
        let Msg::Batch { parcels } = reply else { return Ok(false) };
        let Some((version, told)) = parcels.split_first() else { return Ok(false) };
        let mut hands = self.hands.borrow_mut();
        let Hands { own, told: is_told, next, .. } = &mut *hands;
        *next = version.count;
        *is_told = told.iter().map(|parcel| PartitionId::unpack(parcel.id)).collect();
        for (id, share) in own {
            share.is_kept = is_told.contains(id) && !share.is_ending;
        }
        Ok(true)
    }

    /// Begins to read what it was told and does not read yet. When it has given up all else, it
    /// goes by what it was told last.
    fn catch_up(&self, cx: &Cx) {
        let mut hands = self.hands.borrow_mut();
        let Hands { own, told, .. } = &mut *hands;
        for id in told.iter() {
            own.entry(*id).or_insert_with(|| {
                cx.kick(Msg::Do { verb: READ, key: id.pack(), value: 0 });
                Share::new()
            });
        }
        if hands.is_free() {
            hands.version = hands.next;
        }
    }

    /// Has it been at work on a batch for too long?
    fn is_stuck(&self, now: Time) -> bool {
        let hands = self.hands.borrow();
        let since = hands.own.values().filter_map(|share| share.since).min();
        since.is_some_and(|since| since + self.poll_interval_max <= now)
    }

    /// A static member only falls silent, as Kafka's does: it may be back within its session.
    async fn leave(&self, cx: &Cx) {
        if self.static_membership {
            return;
        }
        let (office, member) = {
            let hands = self.hands.borrow();
            (hands.office, hands.member)
        };
        if let Some(office) = office {
            let leave = group_wire::leave(self.group, member);
            let _ = cx.call(office, leave).within(PATIENCE).await;
        }
    }

    /// Gives up all that it has in hands, when what is at work has come to an end.
    async fn give_up(&self, cx: &Cx) {
        self.hands.borrow_mut().own.values_mut().for_each(|share| share.is_kept = false);
        while !self.hands.borrow().own.is_empty() {
            self.changed.wait(cx).await;
        }
    }
}

impl Node for GroupConsumer {
    async fn boot(&self, cx: &Cx) {
        loop {
            if !cx.is_stopping() && self.join(cx).await.is_ok() {
                self.stay(cx).await;
                // It is no member any more: what it has in hands is not its.
                self.hands.borrow_mut().is_out = true;
                self.give_up(cx).await;
            }
            let _ = cx.sleep(self.pause).await;
        }
    }

    async fn handle(&self, cx: &Cx, request: Msg) -> Reply {
        let Msg::Do { verb: READ, key, .. } = request else { return Err(Fault::Unknown) };
        self.read(cx, PartitionId::unpack(key)).await;
        Ok(Msg::Done { value: 0 })
    }

    fn asks(&self) -> Vec<Ask> {
        let brokers = Ask::of(["from", "from"], self.from, Want::Topics).fetched();
        let topics = self.topics.iter().enumerate();
        let read = |(place, topic): (usize, &Name)| {
            Ask::of(["", ""], self.from, Want::Topic(*topic)).fetched().within(place)
        };
        let reads = topics.map(read).map(|ask| ask.within("topics"));
        let hands_on = Ask::of(["to", "operation"], self.to, Want::Operation(self.operation));
        let dead = match self.failures.then {
            Then::Skip => None,
            Then::Dead { to, topic } => {
                let ask = Ask::of(["to", "topic"], to, Want::Operation(topic));
                Some(ask.within("then").within("failures"))
            }
        };
        let reads = std::iter::once(brokers).chain(reads);
        reads.chain(self.policy.asks("policy", hands_on)).chain(dead).collect()
    }

    fn dated(&self) -> Vec<Dated> {
        let seeks = self.seek.iter().enumerate();
        seeks
            .map(|(place, seek)| Dated::of_run("at", seek.at).within(place).within("seek"))
            .collect()
    }

    fn idle(&self) -> Vec<Flaw> {
        let is_once = self.failures.tries == Some(1) && self.failures.backoff != Backoff::default();
        let backoff = match is_once {
            true => vec![Flaw::new("what is tried only once is not waited for")],
            false => self.failures.backoff.idle(),
        };
        let backoff = backoff.into_iter().map(|flaw| flaw.within("backoff").within("failures"));
        backoff.chain(self.policy.idle().into_iter().map(|flaw| flaw.within("policy"))).collect()
    }

    fn problem(&self) -> Option<Flaw> {
        let policy = || self.policy.problem().map(|flaw| flaw.within("policy"));
        let backoff = || self.failures.backoff.problem();
        let backoff = || backoff().map(|flaw| flaw.within("backoff").within("failures"));
        let beats = || too_often("heartbeat", self.heartbeat);
        self.idle()
            .or_else(beats)
            .or_else(|| too_often("poll_interval_max", self.poll_interval_max))
            .or_else(|| too_often("pause", self.pause))
            .or_else(policy)
            .or_else(backoff)
    }
}
