//! Facts that brokers and consumers record; the key is the message, as its queue's place among
//! those of the broker in the upper 16 bits and its number in the lower 48.

use crate::engine::Name;

/// A message was taken in; the value is how many the queue then had, those at consumers included.
pub const ACCEPTED: Name = Name::of("queue.accepted");
/// The message that is taken in next, or found again, belongs to this group; only where groups
/// count.
pub const GROUPED: Name = Name::of("queue.grouped");
/// A message was handed to a consumer; the value is the how-manieth time.
pub const DELIVERED: Name = Name::of("queue.delivered");
/// A consumer has acknowledged a message, for the first time.
pub const PROCESSED: Name = Name::of("queue.processed");
/// A consumer has acknowledged a message that the broker does not have any more, or not as that
/// delivery of it: what was done for it was done in vain, or will be done again.
pub const REPEATED: Name = Name::of("queue.repeated");
/// A message came back into its queue; the value says why, as [`Return`](super::Return) counts.
pub const RETURNED: Name = Name::of("queue.returned");
/// Under at-most-once: nobody knows what became of a message that was handed out.
pub const UNCONFIRMED: Name = Name::of("queue.unconfirmed");
/// A message became a dead letter; the value says why, as [`Removal`](super::Removal) counts.
pub const DEAD: Name = Name::of("queue.dead");
/// A dead letter went back into the queue that it came from.
pub const REDRIVEN: Name = Name::of("queue.redriven");
/// A message was thrown away because its time to live was over.
pub const EXPIRED: Name = Name::of("queue.expired");
/// A message was thrown away because its queue was full or its deliveries were used up; the value
/// says why, as [`Removal`](super::Removal) counts.
pub const DROPPED: Name = Name::of("queue.dropped");
/// A message was not taken in because the queue was full.
pub const REJECTED: Name = Name::of("queue.rejected");
/// A message was not taken in because it had been before.
pub const DUPLICATE: Name = Name::of("queue.duplicate");
/// A restarted broker has a message again; the value is how often it was handed out, as far as the
/// broker knows.
pub const RECOVERED: Name = Name::of("queue.recovered");
/// A broker has started and serves a queue; the value is how many messages it has.
pub const OPENED: Name = Name::of("queue.opened");
/// The row by which a broker's log holds a message: a fact when it is durable.
pub const STORED: Name = Name::of("queue.stored");
/// The row by which a mirror's log holds a message of another broker: a fact when it is durable.
pub const COPIED: Name = Name::of("queue.copied");
/// An event was published to a topic: each subscription to it gets a copy now, which has the number
/// of the event. The key is the topic's place behind those of all queues and subscriptions, and the
/// number; the value is since when the broker has it, in nanoseconds.
pub const PUBLISHED: Name = Name::of("topic.published");
/// The filter of a subscription left an event out; the key is the copy that it did not get.
pub const FILTERED: Name = Name::of("topic.filtered");
/// A subscription that is not durable had no connection to a consumer when an event was published;
/// the key is the copy that it did not get.
pub const MISSED: Name = Name::of("topic.missed");
/// The row by which a broker's log holds an event: a fact when it is durable.
pub const EVENT_STORED: Name = Name::of("topic.stored");
/// All of them.
pub const ALL: [Name; 21] = [
    ACCEPTED,
    DELIVERED,
    PROCESSED,
    STORED,
    GROUPED,
    RETURNED,
    REPEATED,
    UNCONFIRMED,
    DEAD,
    REDRIVEN,
    EXPIRED,
    DROPPED,
    REJECTED,
    DUPLICATE,
    RECOVERED,
    OPENED,
    COPIED,
    PUBLISHED,
    FILTERED,
    MISSED,
    EVENT_STORED,
];
/// How they are spelt.
pub const NAMES: [&str; 21] = [
    "queue.accepted",
    "queue.delivered",
    "queue.processed",
    "queue.stored",
    "queue.grouped",
    "queue.returned",
    "queue.repeated",
    "queue.unconfirmed",
    "queue.dead",
    "queue.redriven",
    "queue.expired",
    "queue.dropped",
    "queue.rejected",
    "queue.duplicate",
    "queue.recovered",
    "queue.opened",
    "queue.copied",
    "topic.published",
    "topic.filtered",
    "topic.missed",
    "topic.stored",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_spelt_as_they_are_named() {
        assert_eq!(ALL, NAMES.map(Name::of));
    }
}
