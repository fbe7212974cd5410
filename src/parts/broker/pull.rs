//! Handing messages to whoever asks for them: receive, acknowledge, release, extend.

use super::line::Lane;
use super::ready::Ticket;
use super::settings::Guarantee;
use super::{Broker, Return, facts, message_id, note};
use crate::engine::{Fault, Msg, Name, Parcel, Reply, Span};
use crate::world::Cx;

/// What a consumer asks of a broker. Of `receive` the key is the queue's name, and the value how
/// many messages at most and, from bit 16 on, for how many microseconds it waits for one. Of the
/// others the key is the message as it was handed out, and the value the queue's name and, from bit
/// 32 on, which delivery it is about.
pub(super) const RECEIVE: Name = Name::of("receive");
pub(super) const ACKNOWLEDGE: Name = Name::of("acknowledge");
pub(super) const RELEASE: Name = Name::of("release");
pub(super) const EXTEND: Name = Name::of("extend");

/// How they are spelt, and what else brokers tell one another and write into their logs.
pub const OPERATIONS: [&str; 14] = [
    "receive",
    "acknowledge",
    "release",
    "extend",
    "queue.came",
    "queue.settled",
    "queue.counted",
    "queue.mark",
    "mirror.copies",
    "mirror.settled",
    "mirror.copy",
    "mirror.no-copy",
    "topic.came",
    "mirror.mark",
];

/// A request for messages.
pub(super) fn receive(queue: Name, most: u32, wait: Span) -> Msg {
    let value = u64::from(most.min(0xffff)) | (wait.0 / Span::MICROSECOND.0) << 16;
    Msg::Do { verb: RECEIVE, key: u64::from(queue.value()), value }
}

/// A request about a message that was handed out.
pub(super) fn about(verb: Name, queue: Name, parcel: &Parcel) -> Msg {
    let value = u64::from(queue.value()) | u64::from(parcel.count) << 32;
    Msg::Do { verb, key: parcel.id, value }
}

impl Broker {
    /// Hands out as many messages as are asked for; if there is none, it waits for one.
    pub(super) async fn receive(&self, cx: &Cx, queue: u64, value: u64) -> Reply {
        let place = self.place(Name::from_value(queue as u32)).ok_or(Fault::Unknown)?;
        let lane = self.opened(cx, place).await?;
        let (most, wait) = (value & 0xffff, Span::MICROSECOND * (value >> 16));
        let ends = cx.now() + wait;
        loop {
            let parcels = self.hand_out(cx, place, lane, most).await?;
            let now = cx.now();
            if !parcels.is_empty() || now >= ends {
                return Ok(Msg::Batch { parcels: parcels.into() });
            }
            lane.arrived.wait_within(cx, ends - now).await;
        }
    }

    async fn hand_out(
        &self,
        cx: &Cx,
        place: u16,
        lane: &Lane,
        most: u64,
    ) -> Result<Vec<Parcel>, Fault> {
        let (mut parcels, mut cost) = (Vec::new(), Span::ZERO);
        for _ in 0..most {
            let Some(taken) = lane.take(cx) else { break };
            let message = &taken.message;
            cost += cx.cost(lane.name, &self.cost);
            parcels.push(Parcel {
                id: taken.ticket.pack(),
                root: message.root,
                class: message.class,
                payload: message.payload,
                key: message.key,
                value: message.value,
                since: message.since,
                count: taken.delivery,
            });
        }
        if parcels.is_empty() {
            return Ok(parcels);
        }
        if lane.line.borrow().backlog.waiting() > 0 {
            lane.arrived.announce_one(cx);
        }
        let mut ready = if cost.is_zero() { Ok(()) } else { cx.work(cost).await };
        let is_once = lane.rules.guarantee == Guarantee::AtMostOnce;
        for parcel in &parcels {
            let found = lane.line.borrow().backlog.get(Ticket::unpack(parcel.id));
            let Some((message, _)) = found else { continue };
            if is_once && ready.is_ok() {
                ready = self.forget_first(cx, place, message.number).await;
            }
            match ready {
                Ok(()) => {
                    // Hidden from now on, and not from when its work began.
                    let until = cx.now() + lane.rules.visibility;
                    let mut line = lane.line.borrow_mut();
                    line.backlog.hide(Ticket::unpack(parcel.id), parcel.count, until);
                    drop(line);
                    note(cx, &message, place, facts::DELIVERED, u64::from(parcel.count));
                    self.count(cx, lane, message_id(place, message.number), parcel.count);
                }
                Err(_) => {
                    self.come_back(cx, place, Ticket::unpack(parcel.id), Return::Undelivered);
                }
            }
        }
        self.arm(cx, place, lane);
        ready.map(|()| parcels)
    }

    /// A consumer says what has become of a message.
    pub(super) fn told(&self, cx: &Cx, verb: Name, key: u64, value: u64) -> Reply {
        let place = self.place(Name::from_value(value as u32)).ok_or(Fault::Unknown)?;
        let Some(lane) = self.lane(place) else { return Err(Fault::Failed) };
        let (ticket, delivery) = (Ticket::unpack(key), (value >> 32) as u32);
        let (found, is_out) = {
            let backlog = &lane.line.borrow().backlog;
            (backlog.get(ticket), backlog.is_out(ticket))
        };
        let Some((_, deliveries)) = found else {
            if verb == ACKNOWLEDGE {
                cx.note(facts::REPEATED, message_id(place, 0), 0);
            }
            return Err(Fault::Conflict);
        };
        let is_late = !is_out || deliveries != delivery;
        match verb {
            ACKNOWLEDGE if !is_late || lane.rules.late_acks => self.processed(cx, place, ticket),
            RELEASE if !is_late => self.come_back(cx, place, ticket, Return::Refused),
            EXTEND if !is_late => {
                let until = cx.now() + lane.rules.visibility;
                lane.line.borrow_mut().backlog.hide(ticket, delivery, until);
            }
            _ => return Err(Fault::Conflict),
        }
        self.look(cx, place);
        Ok(Msg::Done { value: 0 })
    }
}
