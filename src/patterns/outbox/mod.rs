//! # Transactional outbox
//!
//! A service that changes its database and tells others of it by a message makes two writes, and a
//! crash between them leaves one of them alone: an event that is lost, or one that tells of what
//! never was. With an outbox the event is a row of the same transaction; this relay reads such rows
//! and publishes them, so an event is published if and only if what it tells of was committed.
//!
//! It asks the store for events that are not marked as published, publishes each to the queue of
//! the broker that is called like the event, and then marks it. Or it tails the store's log, as
//! change data capture does, and remembers how far it has come. Between publishing and marking it
//! may crash: then it publishes again, so whoever consumes must recognise a message that comes
//! twice. That is the inbox, a record of it in the transaction of its effect: what a `Service` with
//! a store keeps unless it is told not to. What it costs: writes, polls and a node more, and events
//! that come later by half of `interval` in the mean.
//!
//! ```ron
//! Outbox(store: "bank", to: "post", fetch: Poll(interval: "100ms"))
//! ```

mod fetch;
mod flight;
mod leader;

use std::cell::Cell;
use std::collections::BTreeSet;

use serde::Deserialize;

use crate::engine::{Baggage, Fault, Msg, Name, NodeId, Parcel, Reply, Root, Span};
use crate::parts::{Policy, outbox};
use crate::world::{Ask, Cx, DiskSpec, Flaw, MachineSpec, Node, Offers, Want, too_often};
pub use fetch::{Fetch, Marks, RelayOrder};
use flight::{Flight, PUBLISH};
pub use leader::Leader;
use leader::Tenure;

/// The relay of an outbox.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outbox {
    /// The store whose events it publishes.
    store: NodeId,
    /// How it asks the store. Default: one try within a second.
    #[serde(default = "Outbox::patience")]
    store_policy: Policy,
    /// Whom it publishes to: each event is an operation there, such as a queue of a broker.
    to: NodeId,
    /// How it publishes. Default: one try within a second.
    #[serde(default = "Outbox::patience")]
    policy: Policy,
    /// How it learns of events. Default: `Poll()`.
    #[serde(default)]
    fetch: Fetch,
    /// How many events it takes at once, from 1 to 65,535. Default: 100.
    #[serde(default = "Outbox::batch")]
    batch: u32,
    /// What becomes of those behind an event that cannot be published. Default: `Strict`.
    #[serde(default)]
    order: RelayOrder,
    /// How many events it publishes at once, those about one business object one after the other.
    /// More than one wants an `order` of `Object`. Default: 1.
    #[serde(default = "Outbox::in_flight")]
    in_flight: u32,
    /// How long after store or broker failed it tries again. Default: `"1s"`.
    #[serde(default = "Outbox::pause")]
    pause: Span,
    /// The lease under which it works, if there are several of which one is to be at work. Default:
    /// none.
    #[serde(default)]
    leader: Option<Box<Leader>>,
    /// Workers and queue. Default: as many workers as there is work.
    #[serde(default)]
    machine: MachineSpec,
    /// The disk that it remembers on how far it has tailed the log. Default: as `Disk` has it.
    #[serde(default)]
    disk: DiskSpec,
    #[serde(skip)]
    tenure: Cell<Option<Tenure>>,
    /// The number of the event that comes next in the log.
    #[serde(skip)]
    next: Cell<u64>,
    #[serde(skip)]
    flight: Box<Flight>,
}

/// How far it has tailed the log.
const OFFSET: Name = Name::of("outbox.offset");

impl Outbox {
    fn patience() -> Policy {
        Policy { timeout: Some(Span::SECOND), ..Policy::default() }
    }

    fn batch() -> u32 {
        100
    }

    fn in_flight() -> u32 {
        1
    }

    fn pause() -> Span {
        Span::SECOND
    }

    /// One round: takes some events, publishes and marks them. Is there more to do at once?
    async fn round(&self, cx: &Cx) -> Result<bool, Fault> {
        self.lead(cx).await?;
        let ask = match self.fetch {
            Fetch::Poll { .. } => outbox::poll(self.batch),
            Fetch::Tail { wait } => outbox::tail(self.next.get(), self.batch, wait),
        };
        let Msg::Batch { parcels } = self.store_policy.call(cx, self.store, ask).await? else {
            return Err(Fault::Unknown);
        };
        let mut published = Vec::with_capacity(parcels.len());
        let told = if self.in_flight > 1 {
            self.publish_at_once(cx, &parcels, &mut published).await
        } else {
            self.publish(cx, &parcels, &mut published).await
        };
        self.remember(cx, &parcels, &published).await?;
        told?;
        let is_full = parcels.len() == self.batch as usize;
        Ok(is_full || matches!(self.fetch, Fetch::Tail { .. }))
    }

    /// Publishes events in order; `published` are those of which the broker has told that it has
    /// them.
    async fn publish(
        &self,
        cx: &Cx,
        parcels: &[Parcel],
        published: &mut Vec<u64>,
    ) -> Result<(), Fault> {
        let (mut held, mut failure) = (BTreeSet::new(), None);
        for parcel in parcels.iter() {
            if held.contains(&parcel.key) {
                continue;
            }
            self.lead(cx).await?;
            let reply = self.publish_one(cx, parcel).await;
            let Err(fault) = reply else {
                published.push(parcel.id);
                self.mark_one(cx, parcel).await?;
                continue;
            };
            failure = Some(fault);
            match self.order {
                RelayOrder::Strict => break,
                RelayOrder::Object => _ = held.insert(parcel.key),
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// Publishes an event on behalf of the operation that it tells of.
    async fn publish_one(&self, cx: &Cx, parcel: &Parcel) -> Result<(), Fault> {
        let Parcel { root, class, payload, key, value, .. } = *parcel;
        cx.resume(root);
        cx.set_baggage(Baggage { payload, class, ..Baggage::NONE });
        let event = Name::from_value(parcel.count);
        let reply = self.policy.call(cx, self.to, Msg::Do { verb: event, key, value }).await;
        let fact = match reply {
            Ok(_) => outbox::facts::PUBLISHED,
            Err(_) => outbox::facts::FAILED,
        };
        cx.note(fact, key, parcel.id);
        cx.set_baggage(Baggage::NONE);
        cx.resume(Root::NONE);
        reply.map(|_| ())
    }

    async fn mark_one(&self, cx: &Cx, parcel: &Parcel) -> Result<(), Fault> {
        if !matches!(self.fetch, Fetch::Poll { marks: Marks::Each, .. }) {
            return Ok(());
        }
        cx.resume(parcel.root);
        let marked = self.mark(cx, &[parcel.id]).await;
        cx.resume(Root::NONE);
        marked
    }

    /// Marks events as published, or deletes them.
    async fn mark(&self, cx: &Cx, numbers: &[u64]) -> Result<(), Fault> {
        let deletes = matches!(self.fetch, Fetch::Poll { deletes: true, .. });
        let row = if deletes { outbox::delete } else { outbox::mark };
        let rows = numbers.iter().map(|number| row(*number)).collect();
        self.store_policy.call(cx, self.store, Msg::Commit { rows }).await.map(|_| ())
    }

    /// At the end of a batch: marks what was published, or writes down how far it has come.
    async fn remember(&self, cx: &Cx, parcels: &[Parcel], published: &[u64]) -> Result<(), Fault> {
        match self.fetch {
            Fetch::Poll { marks: Marks::Batch, .. } if !published.is_empty() => {
                self.mark(cx, published).await
            }
            Fetch::Poll { .. } => Ok(()),
            Fetch::Tail { .. } => {
                // Of an offset nothing before it may be missing.
                let done = parcels.iter().zip(published).take_while(|(one, id)| one.id == **id);
                let next = done.last().map_or(self.next.get(), |(_, id)| id + 1);
                if next == self.next.get() {
                    return Ok(());
                }
                self.next.set(next);
                cx.disk().commit(OFFSET, 0, next, [].into()).await?;
                if cx.disk().waste(1) {
                    cx.disk().compact(vec![], |entry| entry.value == next);
                }
                Ok(())
            }
        }
    }
}

impl Node for Outbox {
    async fn boot(&self, cx: &Cx) {
        let offsets = cx.disk().replay();
        let last = offsets.iter().rev().find(|entry| entry.what == OFFSET);
        self.next.set(last.map_or(0, |entry| entry.value));
        loop {
            let wait = match (self.round(cx).await, self.fetch) {
                (Ok(true), _) => continue,
                (Ok(false), Fetch::Poll { interval, .. }) => interval,
                _ => self.pause,
            };
            let _ = cx.sleep(wait).await;
        }
    }

    async fn handle(&self, cx: &Cx, request: Msg) -> Reply {
        match request {
            Msg::Do { verb: PUBLISH, key, .. } if cx.caller().is_none() => {
                self.publish_in(cx, key as usize).await;
                Ok(Msg::Done { value: 0 })
            }
            _ => Err(Fault::Unknown),
        }
    }

    fn machine(&self) -> MachineSpec {
        self.machine.clone()
    }

    fn disk(&self) -> DiskSpec {
        self.disk.clone()
    }

    fn asks(&self) -> Vec<Ask> {
        let store = Ask::of(["store", "store"], self.store, Want::Events).fetched();
        let to = Ask::of(["to", "to"], self.to, Want::Published);
        let store = self.store_policy.asks("store_policy", store);
        let others = self.policy.asks("policy", to);
        store.chain(others).chain(self.leader.iter().flat_map(|leader| leader.asks())).collect()
    }

    fn offers(&self) -> Offers {
        let logs = matches!(self.fetch, Fetch::Tail { .. });
        Offers { logs, ..Offers::default() }
    }

    fn idle(&self) -> Vec<Flaw> {
        let policies = [("store_policy", &self.store_policy), ("policy", &self.policy)].into_iter();
        let idle = policies.flat_map(|(field, policy)| {
            policy.idle().into_iter().map(move |flaw| flaw.within(field))
        });
        idle.collect()
    }

    fn problem(&self) -> Option<Flaw> {
        let fetch = || self.fetch.problem(&self.store_policy).map(|flaw| flaw.within("fetch"));
        let batch = || {
            let is_fine = (1..=outbox::BATCH_MAX).contains(&self.batch);
            (!is_fine).then(|| Flaw::at("batch", "a `batch` has from 1 to 65,535 events"))
        };
        let flight = || match self.in_flight {
            0 => Some(Flaw::at("in_flight", "an `in_flight` of 0 publishes nothing")),
            2.. if self.order == RelayOrder::Strict => {
                let title = "what is published at once is in no order";
                Some(
                    Flaw::at("in_flight", title)
                        .label("with `order: Object` objects have one each"),
                )
            }
            _ => None,
        };
        let store = || self.store_policy.problem().map(|flaw| flaw.within("store_policy"));
        let policy = || self.policy.problem().map(|flaw| flaw.within("policy"));
        let leader = || self.leader.as_ref()?.problem().map(|flaw| flaw.within("leader"));
        let machine = || self.machine.problem().map(|flaw| flaw.within("machine"));
        let pause = || too_often("pause", self.pause);
        (fetch().or_else(batch).or_else(flight).or_else(pause).or_else(store))
            .or_else(policy)
            .or_else(leader)
            .or_else(machine)
    }
}
