//! Handing messages to consumers as soon as they are free; a consumer's answer is the
//! acknowledgement.

use super::backlog::Message;
use super::line::Lane;
use super::ready::Ticket;
use super::settings::Guarantee;
use super::{Broker, DELIVER, Return, baggage, facts, kick, message_id, note};
use crate::engine::{Fault, Msg};
use crate::world::Cx;

impl Broker {
    /// Hands out what can be: to each consumer that is free a message, by a task of its own.
    pub(super) fn dispatch(&self, cx: &Cx, place: u16, lane: &Lane) {
        while let Some((link, taken)) = lane.push(cx) {
            let value = u64::from(place) << 32 | link as u64;
            let begin = Msg::Do { verb: DELIVER, key: taken.ticket.pack(), value };
            kick(cx, (taken.message.root, baggage(&taken.message)), begin);
        }
    }

    /// Hands a message to a consumer, and one more for as long as there are any for it.
    pub(super) async fn deliver(&self, cx: &Cx, mut ticket: Ticket, place: u16, link: u32) {
        let Some(lane) = self.lane(place) else { return };
        let link = link as usize;
        loop {
            self.hand_over(cx, place, link, ticket).await;
            lane.give_back(link);
            if lane.connect(cx) {
                self.dispatch(cx, place, lane);
            }
            let Some(next) = lane.push_to(cx, link) else { break };
            ticket = next.ticket;
            cx.resume(next.message.root);
            cx.set_baggage(baggage(&next.message));
            self.arm(cx, place, lane);
        }
        self.look(cx, place);
    }

    /// Hands a message to a consumer and waits for what it says.
    async fn hand_over(&self, cx: &Cx, place: u16, link: usize, ticket: Ticket) {
        let Some(lane) = self.lane(place) else { return };
        let (node, receiver) = lane.link(link);
        let Some((Message { number, .. }, _)) = lane.line.borrow().backlog.get(ticket) else {
            return;
        };
        let is_once = lane.rules.guarantee == Guarantee::AtMostOnce;
        let mut ready = self.work(cx, lane.name).await;
        if is_once && ready.is_ok() {
            ready = self.forget_first(cx, place, number).await;
        }
        if ready.is_err() {
            lane.broke(cx, link);
            self.come_back(cx, place, ticket, Return::Undelivered);
            return self.cut(cx, place, lane);
        }
        // Meanwhile its subscription may have lost it. It is not kept across the waits: as part of
        // the task it would cost more than to look again.
        let Some((message, delivery)) = lane.line.borrow().backlog.get_out(ticket) else { return };
        note(cx, &message, place, facts::DELIVERED, u64::from(delivery));
        self.count(cx, lane, message_id(place, number), delivery);
        let verb = lane.consumers[receiver].operation;
        let request = Msg::Do { verb, key: message.key, value: message.value };
        let why = match cx.call(node, request).within(lane.rules.visibility).await {
            Ok(_) => return self.processed(cx, place, ticket),
            Err(Fault::Timeout) => Return::Overdue,
            Err(Fault::Reset) => Return::Broken,
            Err(Fault::Unreachable) => Return::Undelivered,
            Err(_) => Return::Refused,
        };
        if matches!(why, Return::Broken | Return::Undelivered) {
            lane.broke(cx, link);
        }
        if is_once && why == Return::Undelivered {
            let found = lane.line.borrow().backlog.get(ticket);
            found.inspect(|(message, _)| self.remember(cx, place, message));
        }
        self.come_back(cx, place, ticket, why);
        self.cut(cx, place, lane);
    }

    /// A message was acknowledged, and leaves its queue.
    pub(super) fn processed(&self, cx: &Cx, place: u16, ticket: Ticket) {
        let Some(lane) = self.lane(place) else { return };
        let mut line = lane.line.borrow_mut();
        let Some((message, delivery)) = line.backlog.get(ticket) else { return };
        line.backlog.settle(ticket);
        drop(line);
        if lane.rules.guarantee == Guarantee::AtLeastOnce {
            self.forget(cx, place, message.number);
        }
        note(cx, &message, place, facts::PROCESSED, u64::from(delivery));
        lane.room.announce_one(cx);
    }
}
