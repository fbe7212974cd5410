//! A message broker: queues between those who publish and those who consume.
//!
//! A queue is an operation of the broker: whoever asks for it publishes a message, and is answered
//! as soon as the broker has taken it in. From then on the message is the broker's: it hands it to
//! one consumer, whose answer is the acknowledgement, and again if none comes in time. A consumer
//! is any node; one that wants to ask for messages itself has a `Consumer` in front of it. What
//! survives a crash, how often a message is handed out and in which order is a setting of the
//! queue. A topic is an operation, too: each subscription to it is a queue that gets a copy.
//!
//! ```ron
//! Broker(queues: {
//!     "mail": (
//!         preset: RabbitMqClassic,
//!         consumers: [(to: "shop", operation: "send", prefetch: 10)],
//!         deliveries_max: 5,
//!         dead: (to: "mail-dead"),
//!     ),
//!     "mail-dead": (),
//! }, topics: {
//!     "orders.placed": (),
//!     "orders.paid": (),
//! }, subscriptions: {
//!     "parcels": (topics: "orders.paid", queue: (consumers: [(to: "shop", operation: "send")])),
//!     "audit": (topics: "orders.*", queue: (consumers: [(to: "shop", operation: "send")])),
//! })
//! ```

mod backlog;
mod compact;
mod consumer;
mod described;
pub mod facts;
mod journal;
mod leave;
mod line;
mod mirror;
mod preset;
mod pull;
mod push;
mod ready;
mod recent;
mod settings;
mod topics;

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::engine::{Baggage, Condition, Dist, Fault, Msg, Name, NodeId, Reply, Root, Span, Time};
use crate::parts::service::mixed;
use crate::world::{Ask, Cx, Dated, DiskSpec, Flaw, MachineSpec, Node, Offers};
use backlog::{Lapse, Message};
pub use consumer::Consumer;
pub(crate) use described::{Described, Subscribed};
use line::Lane;
use mirror::Copies;
pub use preset::Preset;
pub(crate) use preset::Rules;
pub use pull::OPERATIONS;
use ready::Ticket;
pub use settings::{DeadLetters, Guarantee, MessageQueue, Order, Overflow, Persistence, Receiver};
use topics::Topics;
pub use topics::{Filter, Objects, Pattern, Subscription, Topic, TopicName};

/// A message broker.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Broker {
    /// Workers and queue. Default: as many workers as there is work.
    #[serde(default)]
    machine: MachineSpec,
    /// Work for each message that comes in, and for each that is handed out. Default: `"20us"`.
    #[serde(default = "Broker::cost")]
    cost: Dist,
    /// The disk that its log is on. Default: as [`DiskSpec`] has it.
    #[serde(default)]
    disk: DiskSpec,
    /// Other brokers that keep a copy of every message of its queues with persistence `Mirrored`. A
    /// mirror does not take over: while the broker is down, so are its queues. Default: none.
    #[serde(default)]
    mirrors: Vec<NodeId>,
    /// How many of them have a message before it is taken in. Default: as many as make a majority
    /// together with the broker itself.
    #[serde(default)]
    copies: Option<u32>,
    /// What it has, by name. Default: nothing, as for a mirror.
    #[serde(default)]
    queues: BTreeMap<Name, MessageQueue>,
    /// What can be published to, by name, besides queues; levels of a name have dots in between.
    /// Default: nothing.
    #[serde(default)]
    topics: BTreeMap<TopicName, Topic>,
    /// Who gets copies of what is published to topics, by name. Default: nobody.
    #[serde(default)]
    subscriptions: BTreeMap<Name, Subscription>,
    /// Work for each copy of a message that is published to a topic. Default: `"2us"`, a tenth of
    /// what a message costs: it is put into one more queue.
    #[serde(default = "Broker::copy_cost")]
    copy_cost: Dist,
    /// Work for each filter that a message of a topic is held against. Default: `"1us"`.
    #[serde(default = "Broker::filter_cost")]
    filter_cost: Dist,
    /// Set when it has found what it had before.
    #[serde(skip)]
    lanes: OnceCell<Vec<Lane>>,
    #[serde(skip)]
    routes: OnceCell<Topics>,
    #[serde(skip)]
    opened: Condition,
    /// What it keeps for others.
    #[serde(skip)]
    copied: RefCell<Copies>,
    /// What has left without an entry that says so: whose it was, and which message.
    #[serde(skip)]
    unwritten: RefCell<BTreeSet<(NodeId, u64)>>,
}

/// Why a message came back into its queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Return {
    /// Its consumer refused it or failed.
    Refused = 1,
    /// It was not acknowledged in time.
    Overdue = 2,
    /// The connection to its consumer broke.
    Broken = 3,
    /// It never reached its consumer, so this delivery does not count.
    Undelivered = 4,
}

/// Why a message leaves its queue without having been processed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Removal {
    /// It was handed out as often as it may be.
    Deliveries = 1,
    /// Its time to live is over.
    Expired = 2,
    /// It had to make room.
    Overflow = 3,
    /// It is a dead letter that goes back into its queue.
    Redrive = 4,
    /// The last consumer of a subscription that is not durable has gone.
    Disconnected = 5,
    /// Its subscription has ended.
    Unsubscribed = 6,
}

impl Removal {
    fn of(bits: u64) -> Removal {
        match bits {
            1 => Removal::Deliveries,
            2 => Removal::Expired,
            3 => Removal::Overflow,
            4 => Removal::Redrive,
            5 => Removal::Disconnected,
            _ => Removal::Unsubscribed,
        }
    }
}

/// Verbs of a broker to itself: deliver a message, look what has fallen due, move a message to
/// another queue, redrive dead letters.
const DELIVER: Name = Name::of("queue.deliver");
const TICK: Name = Name::of("queue.tick");
const MOVE: Name = Name::of("queue.move");
const REDRIVE: Name = Name::of("queue.redrive");

/// A message of one of a broker's queues, as facts and logs name it.
pub(crate) fn message_id(place: u16, number: u64) -> u64 {
    u64::from(place) << 48 | number
}

/// The place of the queue, and the number of the message.
pub(crate) fn of_message_id(id: u64) -> (u16, u64) {
    ((id >> 48) as u16, id & ((1 << 48) - 1))
}

impl Broker {
    fn cost() -> Dist {
        Dist::constant(Span::from_micros(20))
    }

    fn copy_cost() -> Dist {
        Dist::constant(Span::from_micros(2))
    }

    fn filter_cost() -> Dist {
        Dist::constant(Span::from_micros(1))
    }

    /// The queue, as soon as the broker has found what it had before.
    async fn opened(&self, cx: &Cx, place: u16) -> Result<&Lane, Fault> {
        while self.lanes.get().is_none() {
            self.opened.wait(cx).await;
        }
        self.lane(place).ok_or(Fault::Unknown)
    }

    fn lane(&self, place: u16) -> Option<&Lane> {
        self.lanes.get()?.get(usize::from(place))
    }

    /// Every queue, empty.
    fn open(&self, cx: &Cx) -> Vec<Lane> {
        let life = mixed(cx.now().0) as u32;
        let lane = |(name, queue, rules): (Name, &MessageQueue, Rules)| {
            let dead = queue
                .dead
                .as_ref()
                .and_then(|dead| Some((self.place(dead.to)?, dead.expired, dead.overflow)));
            Lane::new(name, (queue, rules), dead, life)
        };
        let mut lanes: Vec<Lane> = self.every_queue().map(lane).collect();
        let subscriptions = lanes[self.queues.len()..].iter_mut().zip(self.subscriptions.values());
        subscriptions.for_each(|(lane, subscription)| lane.is_ephemeral = !subscription.durable);
        lanes
    }

    /// Takes in what is published, to a queue or to a topic.
    async fn accept(&self, cx: &Cx, verb: Name, key: u64, value: u64) -> Reply {
        match self.queue(verb) {
            Some(place) => self.publish(cx, place, key, value).await,
            None => self.publish_event(cx, verb, (key, value)).await,
        }
    }

    /// Takes a message in.
    async fn publish(&self, cx: &Cx, place: u16, key: u64, value: u64) -> Reply {
        let lane = self.opened(cx, place).await?;
        self.work(cx, lane.name).await?;
        if cx.errs(lane.name) {
            return Err(Fault::Failed);
        }
        if let Some(number) = self.seen(cx, lane, key) {
            cx.note(facts::DUPLICATE, message_id(place, number), 0);
            self.confirm(cx, place, number, (key, value)).await?;
            return Ok(Msg::Done { value: number });
        }
        self.find_room(cx, place, lane).await?;
        // Once begun it comes to an end, whatever becomes of whoever asked.
        cx.detach();
        let number = {
            let mut line = lane.line.borrow_mut();
            line.coming += 1;
            line.backlog.number()
        };
        if lane.rules.deduplication.is_some() {
            lane.line.borrow_mut().recent.add(cx.now(), cx.root(), key, number);
        }
        let message = self.message(cx, number, (key, value));
        let kept = self.keep(cx, place, &message).await;
        lane.line.borrow_mut().coming -= 1;
        if let Err(fault) = kept {
            if lane.rules.deduplication.is_some() {
                lane.line.borrow_mut().recent.forget(cx.root(), key);
            }
            lane.room.announce_one(cx);
            return Err(fault);
        }
        self.admit(cx, place, message);
        Ok(Msg::Done { value: number })
    }

    /// The number of a message that was published before, if it is recognised.
    fn seen(&self, cx: &Cx, lane: &Lane, key: u64) -> Option<u64> {
        let window = lane.rules.deduplication?;
        lane.line.borrow_mut().recent.seen(cx.now(), window, cx.root(), key)
    }

    fn message(&self, cx: &Cx, number: u64, (key, value): (u64, u64)) -> Message {
        let Baggage { payload, class, .. } = cx.baggage();
        let (root, since) = (cx.root(), cx.now());
        Message { number, root, class, payload, key, value, since, origin: None }
    }

    /// Waits until there is room, or has whoever publishes learn that there is none.
    async fn find_room(&self, cx: &Cx, place: u16, lane: &Lane) -> Result<(), Fault> {
        while !lane.has_room() {
            match lane.overflow {
                // The oldest goes when this one has come.
                Overflow::DropOldest => break,
                Overflow::Block => lane.room.wait(cx).await,
                Overflow::Reject => {
                    cx.note(facts::REJECTED, message_id(place, 0), 0);
                    return Err(Fault::Overloaded);
                }
            }
        }
        Ok(())
    }

    /// Work for a message of this queue, unless it is none.
    async fn work(&self, cx: &Cx, queue: Name) -> Result<(), Fault> {
        let cost = cx.cost(queue, &self.cost);
        if cost.is_zero() { Ok(()) } else { cx.work(cost).await }
    }

    /// A message is the broker's from now on.
    fn admit(&self, cx: &Cx, place: u16, message: Message) {
        let Some(lane) = self.lane(place) else { return };
        lane.admit(cx, message, lane.first_due(cx), 0);
        let depth = lane.line.borrow().backlog.depth() as u64;
        lane.note_group(cx, &message, place);
        note(cx, &message, place, facts::ACCEPTED, depth);
        self.look(cx, place);
        if lane.overflow == Overflow::DropOldest {
            self.trim(cx, place, lane);
        }
    }

    /// Hands out what can be, and sees to what falls due.
    fn look(&self, cx: &Cx, place: u16) {
        let Some(lane) = self.lane(place) else { return };
        self.dispatch(cx, place, lane);
        if lane.line.borrow().backlog.waiting() > 0 {
            lane.arrived.announce_one(cx);
        }
        self.arm(cx, place, lane);
    }

    /// Has a task wake when something falls due.
    fn arm(&self, cx: &Cx, place: u16, lane: &Lane) {
        let due = lane.next_due(cx.now());
        if due >= lane.line.borrow().armed {
            return;
        }
        lane.line.borrow_mut().armed = due;
        let tick = Msg::Do { verb: TICK, key: u64::from(place), value: due.0 };
        kick(cx, (Root::NONE, Baggage::NONE), tick);
    }

    /// Waits until something falls due, and sees to it.
    async fn tick(&self, cx: &Cx, place: u16, due: Time) {
        if due > cx.now() {
            let _ = cx.sleep(due - cx.now()).await;
        }
        let Some(lane) = self.lane(place) else { return };
        if lane.line.borrow().armed != due {
            return;
        }
        lane.line.borrow_mut().armed = Time::MAX;
        self.advance(cx, place, lane);
        self.look(cx, place);
    }

    /// Sees to everything that has fallen due.
    fn advance(&self, cx: &Cx, place: u16, lane: &Lane) {
        loop {
            let lapse = lane.line.borrow_mut().backlog.advance(cx.now());
            match lapse {
                None => return,
                Some(Lapse::Overdue(ticket)) => self.come_back(cx, place, ticket, Return::Overdue),
                Some(Lapse::Expired(ticket)) => self.remove(cx, place, ticket, Removal::Expired),
            }
        }
    }

    /// Queues are open: from now on messages are handed out.
    fn begin(&self, cx: &Cx) {
        self.arm_ends(cx);
        for (place, (_, queue, _)) in (0_u16..).zip(self.every_queue()) {
            let redrive = queue.dead.iter().flat_map(|dead| &dead.redrive);
            for at in redrive.map(|at| Time(0) + *at).filter(|at| *at > cx.now()) {
                cx.kick(Msg::Do { verb: REDRIVE, key: u64::from(place), value: at.0 });
            }
            // What has become too old while the broker was down is not handed out any more.
            if let Some(lane) = self.lane(place) {
                self.advance(cx, place, lane);
                self.give_up(cx, place, lane);
            }
            self.look(cx, place);
        }
    }
}

/// Is this what somebody asks of a broker who does not publish?
fn is_taken(name: Name) -> bool {
    let own = [DELIVER, TICK, MOVE, REDRIVE, topics::END];
    own.contains(&name) || OPERATIONS.iter().any(|known| Name::of(known) == name)
}

/// What travels with a message.
fn baggage(message: &Message) -> Baggage {
    Baggage { payload: message.payload, class: message.class, ..Baggage::NONE }
}

/// Starts a task for an operation, whatever this task is at work on.
fn kick(cx: &Cx, (root, along): (Root, Baggage), what: Msg) {
    let (own, before) = (cx.root(), cx.baggage());
    cx.resume(root);
    cx.set_baggage(along);
    cx.kick(what);
    cx.resume(own);
    cx.set_baggage(before);
}

/// Notes a fact about a message.
fn note(cx: &Cx, message: &Message, place: u16, what: Name, value: u64) {
    let (me, id) = (cx.me(), message_id(place, message.number));
    cx.with(|state| state.note(me, message.root, what, (id, value)));
}

impl Node for Broker {
    async fn boot(&self, cx: &Cx) {
        self.recover(cx).await;
        self.opened.announce(cx);
        self.begin(cx);
    }

    async fn handle(&self, cx: &Cx, request: Msg) -> Reply {
        let (verb, key, value) = match request {
            Msg::Do { verb, key, value } => (verb, key, value),
            Msg::Batch { parcels } => return self.copy(cx, &parcels).await,
            _ => return Err(Fault::Unknown),
        };
        match verb {
            pull::ACKNOWLEDGE | pull::RELEASE | pull::EXTEND => {
                return self.told(cx, verb, key, value);
            }
            _ if cx.caller().is_none() => self.own(cx, verb, key, value).await,
            pull::RECEIVE => return self.receive(cx, key, value).await,
            mirror::COPIES => return Ok(self.copies_of(cx)),
            _ => return self.accept(cx, verb, key, value).await,
        }
        Ok(Msg::Done { value: 0 })
    }

    fn machine(&self) -> MachineSpec {
        self.machine.clone()
    }

    fn disk(&self) -> DiskSpec {
        self.disk.clone()
    }

    fn asks(&self) -> Vec<Ask> {
        self.asked()
    }

    fn offers(&self) -> Offers {
        self.offered()
    }

    fn dated(&self) -> Vec<Dated> {
        self.instants()
    }

    fn idle(&self) -> Vec<Flaw> {
        self.unused()
    }

    fn problem(&self) -> Option<Flaw> {
        self.flaw()
    }
}

impl Broker {
    /// What the broker tells itself, and what a mirror is told without being asked for an answer.
    async fn own(&self, cx: &Cx, verb: Name, key: u64, value: u64) {
        match verb {
            DELIVER => {
                self.deliver(cx, Ticket::unpack(key), (value >> 32) as u16, value as u32).await;
            }
            TICK => self.tick(cx, key as u16, Time(value)).await,
            MOVE => {
                let place = (value >> 8) as u16;
                self.transfer(cx, Ticket::unpack(key), place, Removal::of(value & 0xff)).await;
            }
            REDRIVE => self.redrive(cx, key as u16, Time(value)).await,
            topics::END => self.end(cx, key as u16, Time(value)).await,
            mirror::SETTLED => self.uncopy(cx, key, value),
            // Somebody publishes and does not wait to hear whether it was taken in.
            _ => _ = self.accept(cx, verb, key, value).await,
        }
    }
}
