//! What a queue recognises if it is published again: messages of the last while, by the client's
//! request and the business object.

use std::collections::{BTreeMap, VecDeque};

use crate::engine::{Root, Span, Time};

/// The messages of the last while.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent {
    /// By their identity, their numbers and when they came.
    known: BTreeMap<(Root, u64), (u64, Time)>,
    line: VecDeque<(Time, Root, u64)>,
}

impl Recent {
    /// The number of the message that this one is the same as, if it came within `window` before.
    pub fn seen(&mut self, now: Time, window: Span, root: Root, key: u64) -> Option<u64> {
        while let Some(&(at, root, key)) = self.line.front().filter(|(at, ..)| *at + window <= now)
        {
            self.line.pop_front();
            if self.known.get(&(root, key)).is_some_and(|(_, since)| *since == at) {
                self.known.remove(&(root, key));
            }
        }
        self.known.get(&(root, key)).map(|(number, _)| *number)
    }

    /// The numbers of those that came within `window` before.
    pub fn within(&self, now: Time, window: Span) -> impl Iterator<Item = u64> {
        let is_recent = move |(_, since): &&(u64, Time)| *since + window > now;
        self.known.values().filter(is_recent).map(|(number, _)| *number)
    }

    /// A message came.
    pub fn add(&mut self, now: Time, root: Root, key: u64, number: u64) {
        self.known.insert((root, key), (number, now));
        self.line.push_back((now, root, key));
    }

    /// It was not taken in after all.
    pub fn forget(&mut self, root: Root, key: u64) {
        self.known.remove(&(root, key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_recognised_within_the_window_and_not_after_it() {
        let mut recent = Recent::default();
        let window = Span(10);
        recent.add(Time(0), Root(1), 7, 1);
        assert_eq!(recent.seen(Time(9), window, Root(1), 7), Some(1));
        assert_eq!(recent.seen(Time(9), window, Root(2), 7), None, "another request");
        assert_eq!(recent.seen(Time(9), window, Root(1), 8), None, "another object");
        assert_eq!(recent.seen(Time(10), window, Root(1), 7), None);
        recent.add(Time(20), Root(1), 7, 2);
        recent.forget(Root(1), 7);
        recent.add(Time(25), Root(1), 7, 3);
        assert_eq!(recent.seen(Time(31), window, Root(1), 7), Some(3), "the later one counts");
    }
}
