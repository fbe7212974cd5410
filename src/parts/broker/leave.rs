//! How messages leave a queue without having been processed: back into it, away for good, or to
//! another queue.

use super::backlog::Message;
use super::line::Lane;
use super::ready::Ticket;
use super::settings::Guarantee;
use super::topics::Topics;
use super::{Broker, MOVE, Removal, Return, baggage, facts, kick, message_id, note};
use crate::engine::{Fault, Msg, Span, Time};
use crate::world::Cx;

impl Broker {
    /// Gives up the oldest messages for which there is no room any more.
    pub(super) fn trim(&self, cx: &Cx, place: u16, lane: &Lane) {
        while lane.line.borrow().backlog.waiting() > lane.length_max {
            let oldest = lane.line.borrow_mut().backlog.oldest();
            let Some(ticket) = oldest else { return };
            self.remove(cx, place, ticket, Removal::Overflow);
        }
    }

    /// What had been handed out as often as it may be when the broker crashed is not handed out
    /// again.
    pub(super) fn give_up(&self, cx: &Cx, place: u16, lane: &Lane) {
        let spent = lane.line.borrow_mut().backlog.spent(lane.rules.deliveries_max);
        for ticket in spent {
            self.remove(cx, place, ticket, Removal::Deliveries);
        }
    }

    /// A message that was handed out is in its queue again, or has been so too often.
    pub(super) fn come_back(&self, cx: &Cx, place: u16, ticket: Ticket, why: Return) {
        let Some(lane) = self.lane(place) else { return };
        let Some((message, deliveries)) = lane.line.borrow().backlog.get(ticket) else { return };
        let counts = why != Return::Undelivered;
        note(cx, &message, place, facts::RETURNED, why as u64);
        if !counts {
            self.count(cx, lane, message_id(place, message.number), deliveries - 1);
        }
        if counts && lane.rules.guarantee == Guarantee::AtMostOnce {
            lane.line.borrow_mut().backlog.settle(ticket);
            note(cx, &message, place, facts::UNCONFIRMED, why as u64);
            return;
        }
        if counts && deliveries >= lane.rules.deliveries_max {
            return self.remove(cx, place, ticket, Removal::Deliveries);
        }
        let now = cx.now();
        let wait = match (&lane.redelivery, why) {
            (Some(backoff), Return::Refused) => backoff.wait(cx, deliveries, Span::ZERO),
            _ => Span::ZERO,
        };
        let mut line = lane.line.borrow_mut();
        let lapse = line.backlog.put_back(ticket, now + wait, now, counts);
        drop(line);
        if lapse.is_some() {
            self.remove(cx, place, ticket, Removal::Expired);
        }
    }

    /// A message has to leave its queue: to that of the dead letters, or for good.
    pub(super) fn remove(&self, cx: &Cx, place: u16, ticket: Ticket, why: Removal) {
        let Some(lane) = self.lane(place) else { return };
        let is_dead = lane.dead.is_some_and(|(_, expired, overflow)| match why {
            Removal::Deliveries => true,
            Removal::Expired => expired,
            Removal::Overflow => overflow,
            Removal::Redrive | Removal::Disconnected | Removal::Unsubscribed => false,
        });
        if is_dead {
            return self.kick_move(cx, place, ticket, why);
        }
        let message = lane.line.borrow_mut().backlog.settle(ticket);
        let Some(message) = message else { return };
        self.forget(cx, place, message.number);
        let what = if why == Removal::Expired { facts::EXPIRED } else { facts::DROPPED };
        note(cx, &message, place, what, why as u64);
        lane.room.announce_one(cx);
    }

    /// Begins to move a message to another queue.
    fn kick_move(&self, cx: &Cx, place: u16, ticket: Ticket, why: Removal) {
        let Some(lane) = self.lane(place) else { return };
        let Some((message, _)) = lane.line.borrow().backlog.get(ticket) else { return };
        let value = u64::from(place) << 8 | why as u64;
        let begin = Msg::Do { verb: MOVE, key: ticket.pack(), value };
        kick(cx, (message.root, baggage(&message)), begin);
    }

    /// Moves a message to another queue: it is there before it leaves its own.
    pub(super) async fn transfer(&self, cx: &Cx, ticket: Ticket, place: u16, why: Removal) {
        let Some(lane) = self.lane(place) else { return };
        let Some((message, _)) = lane.line.borrow().backlog.get(ticket) else { return };
        let (to, origin) = match (why, lane.dead) {
            (Removal::Redrive, _) => (message.origin, None),
            (_, dead) => (dead.map(|(to, ..)| to), Some(place)),
        };
        let Some((to, target)) = to.and_then(|to| Some((to, self.lane(to)?))) else { return };
        let moved = loop {
            let number = self.number(to, target);
            let moved = Message { number, since: cx.now(), origin, ..message };
            if self.keep_in_turn(cx, to, &moved).await.is_ok() {
                break moved;
            }
            let _ = cx.sleep(Span::SECOND).await;
        };
        if lane.line.borrow_mut().backlog.settle(ticket).is_none() {
            // A late acknowledgement came in between.
            self.forget(cx, to, moved.number);
            return;
        }
        self.forget(cx, place, message.number);
        let what = if why == Removal::Redrive { facts::REDRIVEN } else { facts::DEAD };
        note(cx, &message, place, what, why as u64);
        self.admit(cx, to, moved);
        self.look(cx, place);
    }

    /// The number of a message that comes into this queue from another.
    fn number(&self, place: u16, lane: &Lane) -> u64 {
        let topics = self.routes.get().filter(|_| self.is_subscription(place));
        topics.map_or_else(|| lane.line.borrow_mut().backlog.number(), Topics::number)
    }

    /// Keeps a message; if it goes to a subscription, in the order of the events of topics.
    async fn keep_in_turn(&self, cx: &Cx, place: u16, message: &Message) -> Result<(), Fault> {
        let topics = self.routes.get().filter(|_| self.is_subscription(place));
        let Some(topics) = topics else { return self.keep(cx, place, message).await };
        topics.turns().enter(message.number);
        let kept = self.keep(cx, place, message).await;
        topics.turns().pass(cx, message.number).await;
        kept
    }

    /// Waits for an instant, and moves dead letters back to where they come from.
    pub(super) async fn redrive(&self, cx: &Cx, origin: u16, at: Time) {
        let _ = cx.sleep(at - cx.now()).await;
        let dead = self.lane(origin).and_then(|lane| lane.dead);
        let Some((place, lane)) = dead.and_then(|(place, ..)| Some((place, self.lane(place)?)))
        else {
            return;
        };
        let found = lane.line.borrow_mut().backlog.of_origin(origin);
        for ticket in found {
            self.kick_move(cx, place, ticket, Removal::Redrive);
        }
    }
}
