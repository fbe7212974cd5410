//! What a broker that starts again finds of events in its log.

use super::Topics;
use super::publish::PUBLISHED;
use crate::engine::{Change, Class, Expect, Time};
use crate::parts::broker::backlog::Message;
use crate::parts::broker::journal::Found;
use crate::parts::broker::settings::Persistence;
use crate::parts::broker::{facts, of_message_id};
use crate::world::Entry;

impl Topics {
    /// Takes in what an entry of the log says, if it is about an event: each subscription that got
    /// a copy and keeps it on the disk has it again, until an entry says that it has left.
    pub fn learn(&self, entry: &Entry, now: Time, found: &mut Found) -> bool {
        if entry.what != PUBLISHED {
            return false;
        }
        let Some((place, message)) = read(entry) else { return true };
        self.begin_after(message.number);
        let Some(route) = self.route(place) else { return true };
        if route.window.is_some() {
            let mut recent = route.recent.borrow_mut();
            recent.add(message.since, message.root, message.key, message.number);
        }
        for target in route.targets.iter().filter(|target| target.wants(&message)) {
            if target.persistence != Persistence::Off && now < target.until {
                found.messages.insert((target.place, message.number), message);
                found.know(target.place, message.number);
            }
        }
        true
    }
}

/// What an entry says of an event: the place of its topic, and the event.
fn read(entry: &Entry) -> Option<(u16, Message)> {
    let row = entry.rows.first().filter(|row| row.table == facts::EVENT_STORED)?;
    let (Expect::Stamped(since), Change::Set(value)) = (row.expect, row.change) else {
        return None;
    };
    let (place, number) = of_message_id(row.key);
    let message = Message {
        number,
        root: entry.root,
        class: Class(entry.value as u8),
        payload: entry.payload,
        key: entry.key,
        value,
        since: Time(since),
        origin: None,
    };
    Some((place, message))
}
