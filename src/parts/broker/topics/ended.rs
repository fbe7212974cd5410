//! What subscriptions lose at once: those whose last consumer has gone, and those that end.

use crate::engine::{Msg, Name, Time};
use crate::parts::broker::line::Lane;
use crate::parts::broker::{Broker, Removal, facts, note};
use crate::world::Cx;

/// The broker to itself: this subscription ends at this instant.
pub(in crate::parts::broker) const END: Name = Name::of("topic.end");

impl Broker {
    /// Has subscriptions end when they do.
    pub(in crate::parts::broker) fn arm_ends(&self, cx: &Cx) {
        for (place, subscription) in (self.queues.len()..).zip(self.subscriptions.values()) {
            let Some(until) = subscription.until.map(|until| Time(0) + until) else { continue };
            if until > cx.now() {
                cx.kick(Msg::Do { verb: END, key: place as u64, value: until.0 });
            } else if let Some(lane) = self.lane(place as u16) {
                // It ended while the broker was down.
                self.clear(cx, place as u16, lane, Removal::Unsubscribed);
            }
        }
    }

    /// Waits until a subscription ends.
    pub(in crate::parts::broker) async fn end(&self, cx: &Cx, place: u16, at: Time) {
        let _ = cx.sleep(at - cx.now()).await;
        if let Some(lane) = self.lane(place) {
            self.clear(cx, place, lane, Removal::Unsubscribed);
        }
    }

    /// A subscription that is only there while a consumer is goes away with the last of them.
    pub(in crate::parts::broker) fn cut(&self, cx: &Cx, place: u16, lane: &Lane) {
        if lane.is_ephemeral && !lane.is_connected(cx) {
            self.clear(cx, place, lane, Removal::Disconnected);
        }
    }

    /// Throws away all that a subscription has, what is with consumers too.
    pub(super) fn clear(&self, cx: &Cx, place: u16, lane: &Lane, why: Removal) {
        let all = lane.line.borrow_mut().backlog.all();
        for ticket in all {
            let message = lane.line.borrow_mut().backlog.settle(ticket);
            let Some(message) = message else { continue };
            self.forget(cx, place, message.number);
            note(cx, &message, place, facts::DROPPED, why as u64);
        }
        lane.room.announce(cx);
    }
}
