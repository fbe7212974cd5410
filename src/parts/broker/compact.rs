//! What of a broker's log counts no more: it is left out now and then, so that neither the disk nor
//! a restart has to do with it for ever.

use std::collections::BTreeSet;

use super::journal::{CAME, COUNTED, Found, MARK, SETTLED, read};
use super::mirror::Copies;
use super::topics::{PUBLISHED, Topics, event};
use super::{Broker, facts, message_id, of_message_id};
use crate::engine::{Name, NodeId, Root};
use crate::world::{Cx, Entry};

/// An entry that stands for what was left out.
pub(super) fn mark(what: Name, key: u64, value: u64) -> Entry {
    Entry { what, root: Root::NONE, key, value, rows: [].into(), payload: 0 }
}

impl Broker {
    /// What the log says of queues and of copies.
    pub(super) fn read_log(&self, cx: &Cx, topics: &Topics) -> (Found, Copies) {
        let (mut found, mut copies) = (Found::default(), Copies::default());
        cx.disk().read(|entry| {
            if !copies.learn(entry) && !topics.learn(entry, &mut found) {
                found.learn(entry);
            }
        });
        found.conclude();
        (found, copies)
    }

    /// So many more entries of the log count no more.
    pub(super) fn waste(&self, cx: &Cx, entries: usize) {
        if cx.disk().waste(entries) {
            self.compact(cx);
        }
    }

    /// A full disk did not take that a message of this broker has left its queue: it comes back
    /// after a restart, unless there is a compaction before.
    pub(super) fn unwritten(&self, cx: &Cx, owner: NodeId, id: u64) {
        self.unwritten.borrow_mut().insert((owner, id));
        self.waste(cx, 1);
    }

    /// Has all left out of the log that counts no more.
    fn compact(&self, cx: &Cx) {
        let Some(topics) = self.routes.get() else { return };
        let (mut found, mut copies) = self.read_log(cx, topics);
        let mut unwritten = self.unwritten.borrow_mut();
        unwritten.retain(|&(owner, id)| {
            // Others' messages have the numbers of their own queues.
            if owner != cx.me() {
                let is_there = copies.has(owner, id);
                copies.forget(owner, id);
                return is_there;
            }
            let is_there = found.messages.contains_key(&of_message_id(id));
            found.strike(of_message_id(id));
            is_there
        });
        let recent = self.recent(cx, &found);
        let events = topics.needed(cx, &found);
        let newest = found.newest.iter();
        let mut marks: Vec<Entry> =
            newest.map(|(place, number)| mark(MARK, message_id(*place, *number), 0)).collect();
        marks.extend(copies.marks());
        cx.disk().compact(marks, |entry| {
            let id = of_message_id(entry.key);
            match entry.what {
                CAME => read(entry, facts::STORED).is_none_or(|(place, message)| {
                    let id = (place, message.number);
                    found.messages.contains_key(&id) || recent.contains(&id)
                }),
                PUBLISHED => event(entry).is_none_or(|(_, event)| events.contains(&event.number)),
                // That one copy of an event has left counts as long as the event is there.
                SETTLED if self.is_subscription(id.0) => events.contains(&id.1),
                SETTLED => recent.contains(&id),
                COUNTED => found.deliveries.get(&id) == Some(&(entry.value as u32)),
                MARK => false,
                _ => copies.needs(entry),
            }
        });
    }

    /// What has left, and must still be recognised if it is published again.
    fn recent(&self, cx: &Cx, found: &Found) -> BTreeSet<(u16, u64)> {
        let is_recent = |(place, message): &&(u16, super::Message)| {
            let window = self.lane(*place).and_then(|lane| lane.rules.deduplication);
            window.is_some_and(|window| message.since + window > cx.now())
        };
        let came = found.came.iter().filter(is_recent);
        let ids = came.map(|(place, message)| (*place, message.number));
        ids.filter(|id| !found.messages.contains_key(id)).collect()
    }
}
