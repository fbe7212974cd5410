//! What a broker that starts again finds of events in its log.

use super::Topics;
use super::publish::PUBLISHED;
use crate::parts::broker::facts;
use crate::parts::broker::journal::{Found, read};
use crate::parts::broker::settings::Persistence;
use crate::world::Entry;

impl Topics {
    /// Takes in what an entry of the log says, if it is about an event: each subscription that got
    /// a copy and keeps it on the disk has it again, until an entry says that it has left. Of those
    /// that have ended meanwhile it is thrown away when the broker begins.
    pub fn learn(&self, entry: &Entry, found: &mut Found) -> bool {
        if entry.what != PUBLISHED {
            return false;
        }
        let Some((place, message)) = read(entry, facts::EVENT_STORED) else { return true };
        self.begin_after(message.number);
        let Some(route) = self.route(place) else { return true };
        if route.window.is_some() {
            let mut recent = route.recent.borrow_mut();
            recent.add(message.since, message.root, message.key, message.number);
        }
        for target in route.targets.iter().filter(|target| target.wants(&message)) {
            if target.persistence != Persistence::Off {
                found.messages.insert((target.place, message.number), message);
                found.know(target.place, message.number);
            }
        }
        true
    }
}
