//! What a producer does with what was published: it collects records into batches, sends them to
//! the leaders of their partitions, and sends again what was not accepted, until its time is over.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use super::kick;
use super::lane::{Batch, Lane, weight};
use super::producer::{Partitioner, Producer};
use super::settings::Acks;
use super::wire::{self, Produce, Refusal};
use crate::engine::{Baggage, Condition, Fault, Msg, Name, NodeId, Parcel, Reply, Span, Time};
use crate::parts::service::mixed;
use crate::world::Cx;

/// A batch, and its topic.
type Next = (Name, Rc<Batch>);

/// What a producer's process knows and has.
#[derive(Default)]
pub(super) struct Flow {
    topics: RefCell<BTreeMap<Name, Topic>>,
    /// How many batches are on their way, by broker.
    out: RefCell<BTreeMap<NodeId, u32>>,
    /// Batches that tasks are about to send.
    sending: RefCell<Vec<Option<Next>>>,
    /// Batches in the order in which they began, for the first whose time is over.
    unsettled: RefCell<VecDeque<Next>>,
    began: Cell<u64>,
    buffered: Cell<u64>,
    room: Condition,
    /// A batch has begun when there was none.
    begun: Condition,
    learnt: Condition,
    /// Which broker is asked next.
    asks: Cell<usize>,
}

/// A topic, as a producer knows it.
#[derive(Default)]
struct Topic {
    /// None as long as nobody has told.
    lanes: Vec<Lane>,
    /// The partition that comes next, or that all go to for the time being.
    next: usize,
    /// Somebody is being asked who leads.
    is_asking: bool,
}

/// The producer to itself: send a batch, look what can be sent later on, ask who leads a topic, ask
/// for a number, ask again and again who leads.
const SEND: Name = Name::of("producer.send");
const PUMP: Name = Name::of("producer.pump");
const ASK: Name = Name::of("producer.ask");
const NUMBER: Name = Name::of("producer.number");
const RENEW: Name = Name::of("producer.renew");

/// How long a broker has to say who leads, or to give a number, before another one is asked.
const PATIENCE: Span = Span::from_seconds(2);

/// A producer at work.
pub(super) struct Sender<'a> {
    pub spec: &'a Producer,
    pub flow: &'a Flow,
}

impl Sender<'_> {
    /// What the producer tells itself, and what is published.
    pub async fn handle(&self, cx: &Cx, verb: Name, key: u64, value: u64) -> Reply {
        let name = Name::from_value(key as u32);
        match verb {
            SEND => {
                let next = self.flow.sending.borrow_mut()[key as usize].take();
                if let Some((topic, batch)) = next {
                    self.send(cx, topic, batch, NodeId(value as u32)).await;
                }
            }
            PUMP => {
                let _ = cx.sleep(Span(key)).await;
                self.pump(cx);
            }
            RENEW => self.renew(cx).await,
            ASK => self.ask(cx, name, Span(value)).await,
            NUMBER => self.number(cx, name, value as usize).await,
            topic => return self.publish(cx, topic, key, value).await,
        }
        Ok(Msg::Done { value: 0 })
    }

    /// Publishes a record: it is answered when that is accepted.
    async fn publish(&self, cx: &Cx, topic: Name, key: u64, value: u64) -> Reply {
        let ends = cx.now() + self.spec.max_block;
        self.know(cx, topic, ends).await?;
        let Baggage { payload, class, .. } = cx.baggage();
        let (root, since) = (cx.root(), cx.now());
        let record = Parcel { id: 0, root, class, payload, key, value, since, count: 0 };
        while self.flow.buffered.get() + weight(&record) > self.spec.buffer.0
            && self.flow.buffered.get() > 0
        {
            if cx.now() >= ends {
                return Err(Fault::Overloaded);
            }
            self.flow.room.wait_within(cx, ends - cx.now()).await;
        }
        // In a batch with others it goes on, whatever becomes of whoever asked.
        cx.detach();
        let (batch, place) = self.join(cx, topic, record);
        while batch.outcome.get().is_none() {
            batch.settled.wait(cx).await;
        }
        let offset = batch.outcome.get().unwrap_or(Err(Fault::Timeout))?;
        Ok(Msg::Done { value: offset + place })
    }

    /// Waits until it is known who leads a topic's partitions.
    async fn know(&self, cx: &Cx, topic: Name, ends: Time) -> Result<(), Fault> {
        let is_known =
            || self.flow.topics.borrow().get(&topic).is_some_and(|it| !it.lanes.is_empty());
        while !is_known() {
            // Whoever does not wait for the answer finds it when they come again.
            self.ask_later(cx, topic, Span::ZERO);
            if cx.now() >= ends {
                return Err(Fault::Unreachable);
            }
            self.flow.learnt.wait_within(cx, ends - cx.now()).await;
        }
        Ok(())
    }

    /// Puts a record into the batch of its partition; gives its place there.
    fn join(&self, cx: &Cx, topic: Name, record: Parcel) -> (Rc<Batch>, u64) {
        let (now, bytes) = (cx.now(), weight(&record));
        self.flow.buffered.set(self.flow.buffered.get() + bytes);
        let mut topics = self.flow.topics.borrow_mut();
        let known = topics.entry(topic).or_default();
        let place = self.partition(known, record.key);
        let lane = &mut known.lanes[place];
        let open = lane.open(bytes, self.spec.batch.0).cloned();
        let batch = open.unwrap_or_else(|| {
            let order = self.flow.began.get();
            self.flow.began.set(order + 1);
            let until = now + self.spec.delivery_timeout;
            let batch = Rc::new(Batch::new(place, order, now + self.spec.linger, until));
            lane.waiting.push_back(batch.clone());
            batch
        });
        let at = batch.add(record);
        drop(topics);
        if at == 0 {
            self.flow.unsettled.borrow_mut().push_back((topic, batch.clone()));
            self.flow.begun.announce_one(cx);
            if !self.spec.linger.is_zero() {
                self.pump_later(cx, self.spec.linger);
            }
        }
        self.pump(cx);
        (batch, at)
    }

    /// Which partition a record goes to.
    fn partition(&self, topic: &mut Topic, key: u64) -> usize {
        let count = topic.lanes.len();
        match self.spec.partitioner {
            Partitioner::Key => (mixed(key) % count as u64) as usize,
            Partitioner::Sticky => topic.next % count,
            Partitioner::RoundRobin => {
                topic.next += 1;
                (topic.next - 1) % count
            }
        }
    }

    /// Sends every batch that can be sent now.
    fn pump(&self, cx: &Cx) {
        let (now, is_idempotent) = (cx.now(), self.spec.is_idempotent());
        let mut topics = self.flow.topics.borrow_mut();
        for (name, topic) in topics.iter_mut() {
            let (mut is_unknown, count) = (false, topic.lanes.len());
            for place in 0..count {
                let lane = &mut topic.lanes[place];
                while lane.is_ready(now, self.spec.batch.0) {
                    let Some(leader) = lane.leader else {
                        is_unknown = true;
                        break;
                    };
                    if self
                        .flow
                        .out
                        .borrow()
                        .get(&leader)
                        .is_some_and(|out| *out >= self.spec.in_flight)
                    {
                        break;
                    }
                    if is_idempotent && lane.number == 0 {
                        self.ask_number(cx, *name, lane, place);
                        break;
                    }
                    // What was sent under another number goes before what comes after it.
                    if is_idempotent && lane.has_stale() {
                        break;
                    }
                    let Some(batch) = lane.send(is_idempotent) else { break };
                    *self.flow.out.borrow_mut().entry(leader).or_default() += 1;
                    self.kick_send(cx, (*name, batch), leader);
                    if topic.next == place && self.spec.partitioner == Partitioner::Sticky {
                        topic.next = cx.random(|rng| rng.below(count as u64)) as usize;
                    }
                }
            }
            if is_unknown && !topic.is_asking {
                topic.is_asking = true;
                kick(cx, Msg::Do { verb: ASK, key: name.value().into(), value: self.wait(cx).0 });
            }
        }
    }

    /// The wait before anything is tried for the second time.
    fn wait(&self, cx: &Cx) -> Span {
        self.spec.retry_backoff.wait(cx, 1, Span::ZERO)
    }

    fn ask_number(&self, cx: &Cx, topic: Name, lane: &mut Lane, place: usize) {
        if !lane.is_numbering {
            lane.is_numbering = true;
            kick(cx, Msg::Do { verb: NUMBER, key: topic.value().into(), value: place as u64 });
        }
    }

    fn kick_send(&self, cx: &Cx, next: Next, leader: NodeId) {
        let mut sending = self.flow.sending.borrow_mut();
        let place = match sending.iter().position(Option::is_none) {
            Some(place) => place,
            None => {
                sending.push(None);
                sending.len() - 1
            }
        };
        sending[place] = Some(next);
        kick(cx, Msg::Do { verb: SEND, key: place as u64, value: leader.0.into() });
    }

    fn pump_later(&self, cx: &Cx, wait: Span) {
        kick(cx, Msg::Do { verb: PUMP, key: wait.0, value: 0 });
    }

    /// Has somebody be asked who leads a topic, unless that is being done.
    fn ask_later(&self, cx: &Cx, topic: Name, wait: Span) {
        let mut topics = self.flow.topics.borrow_mut();
        let known = topics.entry(topic).or_default();
        if !known.is_asking {
            known.is_asking = true;
            kick(cx, Msg::Do { verb: ASK, key: topic.value().into(), value: wait.0 });
        }
    }

    /// From now on it asks who leads although nothing has failed.
    pub fn renew_later(&self, cx: &Cx) {
        kick(cx, Msg::Do { verb: RENEW, key: 0, value: 0 });
    }

    async fn renew(&self, cx: &Cx) {
        loop {
            let _ = cx.sleep(self.spec.metadata_max_age).await;
            let known: Vec<Name> = self.flow.topics.borrow().keys().copied().collect();
            known.into_iter().for_each(|topic| self.ask_later(cx, topic, Span::ZERO));
        }
    }

    /// The broker that is asked next.
    fn any_broker(&self, cx: &Cx) -> NodeId {
        let brokers = cx.members(self.spec.to);
        self.flow.asks.set(self.flow.asks.get() + 1);
        brokers[self.flow.asks.get() % brokers.len()]
    }

    /// Asks one broker after the other who leads a topic.
    async fn ask(&self, cx: &Cx, topic: Name, wait: Span) {
        let mut wait = wait;
        loop {
            if !wait.is_zero() {
                let _ = cx.sleep(wait).await;
            }
            let broker = self.any_broker(cx);
            let answer = cx.call(broker, wire::metadata(topic)).within(PATIENCE).await;
            if let Ok(Msg::Batch { parcels }) = answer
                && self.learn(topic, &parcels)
            {
                break;
            }
            wait = self.wait(cx);
        }
        self.flow.learnt.announce(cx);
        self.pump(cx);
    }

    /// Takes in who leads; false if nobody leads a partition that has something to be sent.
    fn learn(&self, topic: Name, parcels: &[Parcel]) -> bool {
        let mut topics = self.flow.topics.borrow_mut();
        let known = topics.entry(topic).or_default();
        for (place, led) in wire::led(parcels).enumerate() {
            match known.lanes.get_mut(place) {
                Some(lane) => lane.learn(led),
                None => known.lanes.push(Lane::new(led)),
            }
        }
        let is_stuck = |lane: &Lane| lane.leader.is_none() && !lane.waiting.is_empty();
        let is_enough = !known.lanes.is_empty() && !known.lanes.iter().any(is_stuck);
        known.is_asking = !is_enough;
        is_enough
    }

    /// Asks for a number, under which the brokers recognise what is sent again.
    async fn number(&self, cx: &Cx, topic: Name, place: usize) {
        let number = loop {
            let broker = self.any_broker(cx);
            match cx.call(broker, wire::number()).within(PATIENCE).await {
                Ok(Msg::Done { value }) => break value,
                _ => _ = cx.sleep(self.wait(cx)).await,
            }
        };
        if let Some(known) = self.flow.topics.borrow_mut().get_mut(&topic) {
            let lane = &mut known.lanes[place];
            (lane.number, lane.next, lane.is_numbering) = (number as u32, 0, false);
        }
        self.pump(cx);
    }

    /// Sends a batch to the leader of its partition, and sees to what becomes of it.
    async fn send(&self, cx: &Cx, topic: Name, batch: Rc<Batch>, leader: NodeId) {
        let request = self.request(topic, &batch);
        if self.spec.acks == Acks::None {
            // Nobody waits, and only a connection that breaks tells that it went wrong.
            self.is_back(topic, &batch, leader);
            self.settle(cx, &batch, Ok(0));
            self.pump(cx);
            let answer = cx.call(leader, request).within(self.spec.request_timeout).await;
            if !matches!(answer, Ok(Msg::Done { .. })) {
                self.ask_later(cx, topic, Span::ZERO);
            }
            return;
        }
        let answer = cx.call(leader, request).within(self.spec.request_timeout).await;
        self.is_back(topic, &batch, leader);
        self.answered(cx, topic, &batch, answer);
        self.pump(cx);
    }

    fn request(&self, topic: Name, batch: &Batch) -> Msg {
        let partition = self.flow.topics.borrow()[&topic].lanes[batch.lane].id;
        let (producer, sequence) = batch.sequence.get().unwrap_or_default();
        let produce = Produce { partition, acks: self.spec.acks, producer, sequence };
        produce.message(batch.records.borrow().iter().copied())
    }

    fn is_back(&self, topic: Name, batch: &Rc<Batch>, leader: NodeId) {
        if let Some(out) = self.flow.out.borrow_mut().get_mut(&leader) {
            *out -= 1;
        }
        if let Some(known) = self.flow.topics.borrow_mut().get_mut(&topic) {
            known.lanes[batch.lane].is_back(batch);
        }
    }

    /// The leader has answered, or has not.
    fn answered(&self, cx: &Cx, topic: Name, batch: &Rc<Batch>, answer: Reply) {
        let why = match &answer {
            Ok(Msg::Done { value }) => return self.settle(cx, batch, Ok(*value)),
            Ok(other) => wire::refused(other),
            Err(fault) => {
                batch.may_be_written.set(batch.may_be_written.get() || !fault.is_definite());
                None
            }
        };
        if why.is_some_and(|(_, found)| found == wire::WRITTEN) {
            batch.may_be_written.set(true);
        }
        if batch.is_settled() {
            return;
        }
        let wait = self.spec.retry_backoff.wait(cx, batch.tries.get(), Span::ZERO);
        let mut topics = self.flow.topics.borrow_mut();
        let Some(known) = topics.get_mut(&topic) else { return };
        let lane = &mut known.lanes[batch.lane];
        let is_gap = matches!(why, Some((Refusal::OutOfOrder, _)));
        let is_current = batch.sequence.get().is_some_and(|(number, _)| number == lane.number);
        lane.again(batch.clone(), self.spec.is_idempotent());
        if is_gap && !is_current {
            batch.sequence.set(None);
        } else if is_gap && lane.is_oldest(batch) {
            lane.renew();
        }
        drop(topics);
        batch.ready.set(cx.now() + wait);
        self.pump_later(cx, wait);
        let is_about_leader = !matches!(
            why,
            Some((
                Refusal::NotEnoughReplicas
                    | Refusal::NotEnoughReplicasAfterAppend
                    | Refusal::OutOfOrder,
                _,
            ))
        );
        if is_about_leader {
            self.ask_later(cx, topic, Span::ZERO);
        }
    }

    /// It is known what has become of a batch.
    fn settle(&self, cx: &Cx, batch: &Batch, outcome: Result<u64, Fault>) {
        if batch.is_settled() {
            return;
        }
        batch.outcome.set(Some(outcome));
        self.flow.buffered.set(self.flow.buffered.get() - batch.bytes.get());
        batch.settled.announce(cx);
        self.flow.room.announce(cx);
    }

    /// Gives up, for ever, batches whose time is over.
    pub async fn expire(&self, cx: &Cx) {
        loop {
            let oldest = self.flow.unsettled.borrow().front().cloned();
            let Some((topic, batch)) = oldest else {
                self.flow.begun.wait(cx).await;
                continue;
            };
            if !batch.is_settled() && batch.until > cx.now() {
                let _ = cx.sleep(batch.until - cx.now()).await;
                continue;
            }
            self.flow.unsettled.borrow_mut().pop_front();
            if batch.is_settled() {
                continue;
            }
            if let Some(known) = self.flow.topics.borrow_mut().get_mut(&topic) {
                let lane = &mut known.lanes[batch.lane];
                lane.waiting.retain(|other| !Rc::ptr_eq(other, &batch));
            }
            let fault = batch.overdue();
            self.settle(cx, &batch, Err(fault));
        }
    }
}
