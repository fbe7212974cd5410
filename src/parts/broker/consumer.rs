//! A consumer that asks a broker for messages, has another node process each of them, and tells the
//! broker what became of it.
//!
//! It is what a worker's client library does: it asks for a batch when it is free, waits on the
//! broker's side until there is one (long polling), acknowledges what was processed, extends what
//! takes long. What fails is left to the visibility timeout, or given back at once. If it crashes,
//! the broker learns of it only because messages are not acknowledged.
//!
//! ```ron
//! Consumer(
//!     from: "post", queue: "mail",
//!     to: "shop", operation: "send",
//!     concurrency: 10, batch: 10, extend_every: "20s",
//! )
//! ```

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use serde::Deserialize;

use super::pull::{self, ACKNOWLEDGE, EXTEND, RELEASE};
use crate::engine::{Baggage, Condition, Fault, Msg, Name, NodeId, Parcel, Reply, Root, Span};
use crate::parts::Policy;
use crate::world::{Ask, Cx, Flaw, Node, Want, too_often};

/// A consumer that asks for messages.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consumer {
    /// The broker that it asks.
    from: NodeId,
    /// For messages of which queue.
    queue: Name,
    /// Who processes them.
    to: NodeId,
    /// By which operation.
    operation: Name,
    /// How it is called. Default: one try without a time limit.
    #[serde(default)]
    policy: Policy,
    /// How many messages it has at once. Default: 1.
    #[serde(default = "Consumer::one")]
    concurrency: u32,
    /// How many it asks for at once at most, from 1 to 10,000. Default: 10, the most that Amazon
    /// SQS hands out.
    #[serde(default = "Consumer::batch")]
    batch: u32,
    /// How long the broker waits for a message before it answers that there is none. Default:
    /// `"20s"`, the longest that Amazon SQS does.
    #[serde(default = "Consumer::wait")]
    wait: Span,
    /// How often it extends the visibility of a message that is being processed. Default: never.
    #[serde(default)]
    extend_every: Option<Span>,
    /// Does it give back at once what could not be processed? Otherwise that stays hidden until its
    /// visibility timeout. Default: false.
    #[serde(default)]
    releases: bool,
    /// How it tells the broker what became of a message. Default: one try within a second.
    #[serde(default = "Consumer::telling")]
    telling: Policy,
    /// How long after the broker failed to answer it asks again. Default: `"1s"`.
    #[serde(default = "Consumer::pause")]
    pause: Span,
    /// Messages that it has, and tasks to process them.
    #[serde(skip)]
    parcels: RefCell<Vec<Option<Parcel>>>,
    #[serde(skip)]
    busy: Cell<u32>,
    #[serde(skip)]
    free: Condition,
}

/// The consumer to itself: process the message in this place.
const PROCESS: Name = Name::of("consumer.process");

/// The most messages that are asked for at once.
const BATCH_MAX: u32 = 10_000;

impl Consumer {
    fn one() -> u32 {
        1
    }

    fn batch() -> u32 {
        10
    }

    fn wait() -> Span {
        Span::from_seconds(20)
    }

    fn pause() -> Span {
        Span::SECOND
    }

    fn telling() -> Policy {
        Policy { timeout: Some(Span::SECOND), ..Policy::default() }
    }

    /// Does it give back what failed?
    pub(crate) fn gives_back(&self) -> bool {
        self.releases
    }

    /// How often it extends the visibility of a message of which queue.
    pub(crate) fn extends(&self) -> Option<(NodeId, Name, Span)> {
        Some((self.from, self.queue, self.extend_every?))
    }

    /// Begins to process a message, in a task and on behalf of its own operation.
    fn begin(&self, cx: &Cx, parcel: &Parcel) {
        let mut parcels = self.parcels.borrow_mut();
        let place = match parcels.iter().position(Option::is_none) {
            Some(place) => place,
            None => {
                parcels.push(None);
                parcels.len() - 1
            }
        };
        parcels[place] = Some(*parcel);
        self.busy.set(self.busy.get() + 1);
        cx.resume(parcel.root);
        let Parcel { payload, class, .. } = *parcel;
        cx.set_baggage(Baggage { payload, class, ..Baggage::NONE });
        cx.kick(Msg::Do { verb: PROCESS, key: place as u64, value: 0 });
        cx.resume(Root::NONE);
        cx.set_baggage(Baggage::NONE);
    }

    /// Has a message processed, and tells the broker.
    async fn process(&self, cx: &Cx, parcel: &Parcel) {
        let request = Msg::Do { verb: self.operation, key: parcel.key, value: parcel.value };
        let work = self.policy.call(cx, self.to, request);
        let reply = match self.extend_every {
            None => work.await,
            Some(every) => self.extending(cx, parcel, every, work).await,
        };
        let verb = match reply {
            Ok(_) => ACKNOWLEDGE,
            Err(_) if self.releases => RELEASE,
            Err(_) => return,
        };
        self.tell(cx, verb, parcel).await;
    }

    /// Tells the broker what has become of a message; its body does not go along.
    async fn tell(&self, cx: &Cx, verb: Name, parcel: &Parcel) {
        let along = cx.baggage();
        cx.set_baggage(Baggage { payload: 0, ..along });
        let _ = self.telling.call(cx, self.from, pull::about(verb, self.queue, parcel)).await;
        cx.set_baggage(along);
    }

    /// Waits for the work, and extends the message's visibility meanwhile.
    async fn extending(
        &self,
        cx: &Cx,
        parcel: &Parcel,
        every: Span,
        work: impl Future<Output = Reply>,
    ) -> Reply {
        let mut work = pin!(work);
        loop {
            let mut beat = cx.sleep(every);
            let done = poll_fn(|context| match work.as_mut().poll(context) {
                Poll::Ready(reply) => Poll::Ready(Some(reply)),
                Poll::Pending => Pin::new(&mut beat).poll(context).map(|_| None),
            });
            match done.await {
                Some(reply) => return reply,
                None => cx.send(self.from, pull::about(EXTEND, self.queue, parcel)),
            }
        }
    }
}

impl Node for Consumer {
    async fn boot(&self, cx: &Cx) {
        loop {
            let room = self.concurrency - self.busy.get();
            if room == 0 {
                self.free.wait(cx).await;
                continue;
            }
            let ask = pull::receive(self.queue, room.min(self.batch), self.wait);
            // A broker that says nothing for so much longer than it should has lost the request.
            let reply = cx.call(self.from, ask).within(self.wait + Span::SECOND * 5).await;
            match reply {
                Ok(Msg::Batch { parcels }) => {
                    parcels.iter().for_each(|parcel| self.begin(cx, parcel));
                    if parcels.is_empty() && self.wait.is_zero() {
                        let _ = cx.sleep(self.pause).await;
                    }
                }
                _ => _ = cx.sleep(self.pause).await,
            }
        }
    }

    async fn handle(&self, cx: &Cx, request: Msg) -> Reply {
        let Msg::Do { verb: PROCESS, key, .. } = request else { return Err(Fault::Unknown) };
        let parcel = self.parcels.borrow()[key as usize].ok_or(Fault::Unknown)?;
        self.process(cx, &parcel).await;
        self.parcels.borrow_mut()[key as usize] = None;
        self.busy.set(self.busy.get() - 1);
        self.free.announce_one(cx);
        Ok(Msg::Done { value: 0 })
    }

    fn asks(&self) -> Vec<Ask> {
        let fetches = Ask::of(["from", "queue"], self.from, Want::Queue(self.queue)).fetched();
        let hands_on = Ask::of(["to", "operation"], self.to, Want::Operation(self.operation));
        std::iter::once(fetches).chain(self.policy.asks("policy", hands_on)).collect()
    }

    fn idle(&self) -> Vec<Flaw> {
        let is_more = self.batch > self.concurrency && self.batch != Consumer::batch();
        let batch = is_more.then(|| {
            let title = "it never asks for more messages than it has room for";
            let label = format!("at most `concurrency`, {}", self.concurrency);
            Flaw::at("batch", title).label(label)
        });
        let policies = [("policy", &self.policy), ("telling", &self.telling)].into_iter();
        let policies = policies.flat_map(|(field, policy)| {
            policy.idle().into_iter().map(move |flaw| flaw.within(field))
        });
        batch.into_iter().chain(policies).collect()
    }

    fn problem(&self) -> Option<Flaw> {
        if self.concurrency == 0 {
            return Some(Flaw::at("concurrency", "a `concurrency` of 0 processes nothing"));
        }
        if !(1..=BATCH_MAX).contains(&self.batch) {
            return Some(Flaw::at("batch", "a `batch` has from 1 to 10,000 messages"));
        }
        let policy = || self.policy.problem().map(|flaw| flaw.within("policy"));
        let telling = || self.telling.problem().map(|flaw| flaw.within("telling"));
        let extends = || too_often("extend_every", self.extend_every?);
        too_often("pause", self.pause).or_else(extends).or_else(policy).or_else(telling)
    }
}
