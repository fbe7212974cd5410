//! Publishing to a topic: a message is stored once, and then each subscription gets its copy.

use std::rc::Rc;

use super::{Route, Target, Topics};
use crate::engine::{Change, Expect, Fault, Msg, Name, Parcel, Reply, Row, Span};
use crate::parts::broker::backlog::Message;
use crate::parts::broker::line::Lane;
use crate::parts::broker::settings::{Overflow, Persistence};
use crate::parts::broker::{Broker, Removal, facts, message_id, note};
use crate::world::Cx;

/// An entry of the log about an event; the key is the business object.
pub(in crate::parts::broker) const PUBLISHED: Name = Name::of("topic.came");

/// How an event is kept for those who get a copy: as the most careful of them wants it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Care {
    is_logged: bool,
    is_synced: bool,
    is_mirrored: bool,
}

impl Route {
    fn care(&self, message: &Message) -> Care {
        let mut care = Care::default();
        for target in self.targets.iter().filter(|target| target.wants(message)) {
            let kept = target.persistence;
            care.is_logged |= kept != Persistence::Off;
            care.is_synced |= matches!(kept, Persistence::On | Persistence::Mirrored);
            care.is_mirrored |= kept == Persistence::Mirrored;
        }
        care
    }

    /// The subscriptions that get a copy of an event.
    fn wanting<'r>(&'r self, message: &'r Message) -> impl Iterator<Item = &'r Target> {
        self.targets.iter().filter(|target| target.wants(message))
    }

    /// Those of them that can be full.
    fn bounded<'r>(&'r self, message: &'r Message) -> impl Iterator<Item = &'r Target> {
        self.wanting(message).filter(|target| target.is_bounded)
    }
}

impl Broker {
    /// Publishes to a topic.
    pub(in crate::parts::broker) async fn publish_event(
        &self,
        cx: &Cx,
        topic: Name,
        (key, value): (u64, u64),
    ) -> Reply {
        while self.lanes.get().is_none() {
            self.opened.wait(cx).await;
        }
        let topics = self.routes.get().ok_or(Fault::Unknown)?;
        let place = *topics.places.get(&topic).ok_or(Fault::Unknown)?;
        let route = &topics.routes[place];
        let mut message = self.message(cx, 0, (key, value));
        let cost = self.fan_out_cost(cx, route, &message);
        if !cost.is_zero() {
            cx.work(cost).await?;
        }
        if cx.errs(topic) {
            return Err(Fault::Failed);
        }
        let window = route.window.map(|window| (window, cx.now()));
        let known = |(window, now)| route.recent.borrow_mut().seen(now, window, cx.root(), key);
        if let Some(number) = window.and_then(known) {
            cx.note(facts::DUPLICATE, message_id(route.place, number), 0);
            message.number = number;
            self.confirm_event(cx, route, &message).await?;
            return Ok(Msg::Done { value: number });
        }
        message.since = cx.now();
        self.find_room_for_all(cx, route, &mut message).await?;
        // Once begun it comes to an end, whatever becomes of whoever asked.
        cx.detach();
        message.number = topics.number();
        if route.window.is_some() {
            route.recent.borrow_mut().add(message.since, message.root, key, message.number);
        }
        self.coming(route, &message, 1);
        topics.turns.enter(message.number);
        let kept = self.keep_event(cx, route, &message).await;
        topics.turns.pass(cx, message.number).await;
        self.coming(route, &message, -1);
        if let Err(fault) = kept {
            route.recent.borrow_mut().forget(message.root, key);
            let lanes = route.bounded(&message).filter_map(|target| self.lane(target.place));
            lanes.for_each(|lane| lane.room.announce_one(cx));
            return Err(fault);
        }
        self.fan_out(cx, route, &message);
        Ok(Msg::Done { value: message.number })
    }

    /// Work for what comes in, for each filter and for each copy.
    fn fan_out_cost(&self, cx: &Cx, route: &Route, message: &Message) -> Span {
        let copies = route.wanting(message).count() as u64;
        let each =
            |cost, count| if count == 0 { Span::ZERO } else { cx.cost(route.name, cost) * count };
        cx.cost(route.name, &self.cost)
            + each(&self.copy_cost, copies)
            + each(&self.filter_cost, route.filters)
    }

    /// So many more messages are on their way into the queues that get a copy.
    fn coming(&self, route: &Route, message: &Message, by: isize) {
        let lanes = route.bounded(message).filter_map(|target| self.lane(target.place));
        lanes.for_each(|lane| {
            let mut line = lane.line.borrow_mut();
            line.coming = line.coming.wrapping_add_signed(by);
        });
    }

    /// Waits until every subscription has room, or has whoever publishes learn that one has none.
    async fn find_room_for_all(
        &self,
        cx: &Cx,
        route: &Route,
        message: &mut Message,
    ) -> Result<(), Fault> {
        let mut woken: Option<&Lane> = None;
        loop {
            // The oldest goes when this one has come.
            let is_full = |(_, lane): &(u16, &Lane)| {
                lane.overflow != Overflow::DropOldest && !lane.has_room()
            };
            let full = {
                let lanes = route.bounded(message);
                let mut lanes = lanes.filter_map(|it| Some((it.place, self.lane(it.place)?)));
                lanes.find(is_full)
            };
            let Some((place, lane)) = full else { return Ok(()) };
            // Somebody else may have use for the room that this one was told of.
            if let Some(before) = woken.take().filter(|before| before.has_room()) {
                before.room.announce_one(cx);
            }
            if lane.overflow == Overflow::Reject {
                cx.note(facts::REJECTED, message_id(place, 0), 0);
                return Err(Fault::Overloaded);
            }
            lane.room.wait(cx).await;
            woken = Some(lane);
            message.since = cx.now();
        }
    }

    /// Keeps an event as its subscriptions want it: one entry of the log, whoever gets a copy.
    async fn keep_event(&self, cx: &Cx, route: &Route, message: &Message) -> Result<(), Fault> {
        let care = route.care(message);
        if !care.is_logged {
            return Ok(());
        }
        let row = Row {
            table: facts::EVENT_STORED,
            key: message_id(route.place, message.number),
            expect: Expect::Stamped(message.since.0),
            change: Change::Set(message.value),
        };
        cx.disk().append(PUBLISHED, message.key, u64::from(message.class.0), [row].into())?;
        if !care.is_synced {
            cx.disk().sync_later();
            return Ok(());
        }
        if !care.is_mirrored {
            return self.sync(cx).await;
        }
        // A rare way, kept out of the size of the common one.
        let kept = Box::pin(self.mirror_event(cx, route, message)).await;
        if kept.is_err() {
            let wanting = route.wanting(message);
            wanting.for_each(|target| self.forget(cx, target.place, message.number));
        }
        kept
    }

    /// Makes an event durable here and on mirrors. What a mirror has may come back, so that it
    /// failed is not certain.
    async fn mirror_event(&self, cx: &Cx, route: &Route, message: &Message) -> Result<(), Fault> {
        let mirrored =
            route.wanting(message).filter(|target| target.persistence == Persistence::Mirrored);
        let parcels: Rc<[Parcel]> = mirrored.map(|target| message.parcel(target.place)).collect();
        let copies = self.copy_all_out(cx, parcels);
        self.sync(cx).await.map_err(|_| Fault::Timeout)?;
        copies.await.map_err(|_| Fault::Timeout)
    }

    /// An event that is published again may still be on its way to the disk: whoever publishes it
    /// again is told what the first is told.
    async fn confirm_event(&self, cx: &Cx, route: &Route, message: &Message) -> Result<(), Fault> {
        let care = route.care(message);
        match () {
            () if care.is_mirrored => Box::pin(self.mirror_event(cx, route, message)).await,
            () if care.is_synced => cx.disk().sync().await.map_err(|_| Fault::Failed),
            () => Ok(()),
        }
    }

    /// Gives each subscription its copy, all at one instant.
    fn fan_out(&self, cx: &Cx, route: &Route, message: &Message) {
        note(cx, message, route.place, facts::PUBLISHED, message.since.0);
        let there = |target: &&Target| target.is_there(message) && cx.now() < target.until;
        for target in route.targets.iter().filter(there) {
            let Some(lane) = self.lane(target.place) else { continue };
            if !target.passes(message) {
                note(cx, message, target.place, facts::FILTERED, 0);
            } else if target.is_ephemeral && !lane.is_connected(cx) {
                self.clear(cx, target.place, lane, Removal::Disconnected);
                note(cx, message, target.place, facts::MISSED, 0);
            } else {
                self.admit(cx, target.place, *message);
            }
        }
    }
}

impl Topics {
    /// The place of the route with this place among all that the broker has.
    pub(super) fn route(&self, place: u16) -> Option<&Route> {
        self.routes.iter().find(|route| route.place == place)
    }
}
