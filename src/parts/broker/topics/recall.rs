//! What a broker that starts again finds of events in its log, and what of that still counts.

use std::collections::BTreeSet;

use super::publish::PUBLISHED;
use super::{Target, Topics};
use crate::parts::broker::backlog::Message;
use crate::parts::broker::journal::{Found, MARK, read};
use crate::parts::broker::settings::Persistence;
use crate::parts::broker::{facts, of_message_id};
use crate::world::{Cx, Entry};

/// The event that an entry of the log is about, and the place of its topic.
pub(in crate::parts::broker) fn event(entry: &Entry) -> Option<(u16, Message)> {
    (entry.what == PUBLISHED).then(|| read(entry, facts::EVENT_STORED))?
}

impl Topics {
    /// Takes in what an entry of the log says, if it is about an event: each subscription that got
    /// a copy and keeps it on the disk has it again, until an entry says that it has left. Of those
    /// that have ended meanwhile it is thrown away when the broker begins.
    pub fn learn(&self, entry: &Entry, found: &mut Found) -> bool {
        if entry.what != PUBLISHED {
            return false;
        }
        let Some((place, message)) = event(entry) else { return true };
        let Some(route) = self.route(place) else { return true };
        let keeps =
            |target: &&Target| target.wants(&message) && target.persistence != Persistence::Off;
        let targets = route.targets.iter().filter(keeps);
        found.comes(&message, targets.map(|target| target.place));
        true
    }

    /// Numbers that an entry of the log says are taken, and events to be recognised if they are
    /// published again.
    pub fn recall(&self, entry: &Entry) {
        if entry.what == MARK {
            return self.begin_after(self.number_of(of_message_id(entry.key)));
        }
        let Some((place, message)) = event(entry) else { return };
        self.begin_after(message.number);
        if let Some(route) = self.route(place).filter(|route| route.window.is_some()) {
            let mut recent = route.recent.borrow_mut();
            recent.add(message.since, message.root, message.key, message.number);
        }
    }

    /// The number of an event, if this is a copy of one.
    fn number_of(&self, (place, number): (u16, u64)) -> u64 {
        let mut targets = self.routes.iter().flat_map(|route| &route.targets);
        if targets.any(|target| target.place == place) { number } else { 0 }
    }

    /// The events of which a subscription still has a copy, by what was found in the log, and those
    /// that must be recognised if they are published again.
    pub fn needed(&self, cx: &Cx, found: &Found) -> BTreeSet<u64> {
        let copies = found.messages.keys().map(|id| self.number_of(*id));
        let windows = self.routes.iter().filter_map(|route| Some((route, route.window?)));
        let recent = windows.flat_map(|(route, window)| {
            route.recent.borrow().within(cx.now(), window).collect::<Vec<u64>>()
        });
        copies.chain(recent).collect()
    }
}
