//! What a broker notes about a message, in words.

use crate::engine::Fact;
use crate::parts::{Removal, Return, broker_facts as facts, of_message_id};

/// What has happened to a message, and whether that is bad; `None` for what is no step of its
/// story.
pub(super) fn queued(fact: &Fact) -> Option<(String, bool)> {
    let (_, number) = of_message_id(fact.key);
    let told = |text: &str, is_bad: bool| Some((format!("message {number} {text}"), is_bad));
    let is = |why: Removal| fact.value == why as u64;
    match fact.what {
        facts::ACCEPTED => told("is accepted", false),
        facts::STORED => told("is durable", false),
        facts::COPIED => told("is durable on a mirror", false),
        facts::RECOVERED => told("is found in the log", false),
        facts::DELIVERED if fact.value == 1 => told("is handed out", false),
        facts::DELIVERED => told(&format!("is handed out again, delivery {}", fact.value), false),
        facts::PROCESSED => told("is acknowledged", false),
        facts::RETURNED if fact.value == Return::Refused as u64 => told("is refused", true),
        facts::RETURNED if fact.value == Return::Overdue as u64 => {
            told("is not acknowledged in time", true)
        }
        facts::RETURNED if fact.value == Return::Broken as u64 => {
            told("comes back: the connection to its consumer broke", true)
        }
        facts::RETURNED => told("does not reach its consumer", true),
        facts::REPEATED => Some(("a message is acknowledged that was settled".to_owned(), true)),
        facts::UNCONFIRMED => told("is gone, and nobody knows whether it was processed", true),
        facts::DEAD if is(Removal::Expired) => told("becomes a dead letter: too old", true),
        facts::DEAD if is(Removal::Overflow) => told("becomes a dead letter: no room", true),
        facts::DEAD => told("becomes a dead letter: handed out too often", true),
        facts::REDRIVEN => told("goes back into the queue that it comes from", false),
        facts::EXPIRED => told("is thrown away: too old", true),
        facts::DROPPED if is(Removal::Overflow) => told("is thrown away: no room", true),
        facts::DROPPED if is(Removal::Disconnected) => {
            told("is lost: its subscription has no consumer any more", true)
        }
        facts::DROPPED if is(Removal::Unsubscribed) => {
            told("is thrown away: its subscription has ended", false)
        }
        facts::DROPPED => told("is thrown away: handed out too often", true),
        facts::REJECTED => Some(("the queue is full".to_owned(), true)),
        facts::PUBLISHED => Some((format!("event {number} is published"), false)),
        facts::EVENT_STORED => Some((format!("event {number} is durable"), false)),
        facts::FILTERED => told("is left out by a filter", false),
        facts::MISSED => told("is missed: no consumer of the subscription is connected", true),
        facts::DUPLICATE => told("was accepted before", false),
        _ => None,
    }
}
