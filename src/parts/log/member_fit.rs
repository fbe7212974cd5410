//! What is wrong with the settings of a member of a group.

use super::group_wire;
use super::member::{BATCH_MAX, Commit, GroupConsumer, Start, Then};
use crate::world::Flaw;

impl GroupConsumer {
    /// A setting that means nothing, by itself or together with others.
    pub(super) fn idle(&self) -> Option<Flaw> {
        let is_beyond = |place: &Start| match place {
            Start::Offset(offset) => *offset > group_wire::OFFSET_MAX,
            Start::Latest | Start::Earliest => false,
        };
        let is_twice = |(place, topic)| self.topics[..place].contains(topic);
        let is_sorted = self.seek.is_sorted_by_key(|seek| seek.at);
        let (field, title) = match self.commit {
            _ if self.topics.is_empty() => ("topics", "a member of a group reads a topic at least"),
            _ if self.topics.iter().enumerate().any(is_twice) => {
                ("topics", "a topic is read once, however often it is named")
            }
            _ if self.concurrency == 0 => ("concurrency", "a `concurrency` of 0 processes nothing"),
            _ if !(1..=BATCH_MAX).contains(&self.batch) => {
                ("batch", "a `batch` has from 1 to 10,000 records")
            }
            Commit::Every(span) if span.is_zero() => {
                ("commit", "to commit after each record say `batch: 1` and `AfterProcessing`")
            }
            _ if self.heartbeat >= self.session => {
                let title = "a `heartbeat` is shorter than the `session` that it keeps up";
                let label = format!("{} and {}", self.heartbeat, self.session);
                return Some(Flaw::at("heartbeat", title).or("session").label(label));
            }
            _ if self.session > group_wire::SESSION_MAX => {
                ("session", "a `session` is at most four hours")
            }
            _ if !is_sorted => ("seek", "what happens first stands first"),
            _ if self.seek.len() > group_wire::SEEKS_MAX => ("seek", "that is more than 255 times"),
            _ if is_beyond(&self.start) => ("start", "no record has so high a number"),
            _ if self.seek.iter().any(|seek| is_beyond(&seek.to)) => {
                ("seek", "no record has so high a number")
            }
            _ => return self.idle_failures().map(|flaw| flaw.within("failures")),
        };
        Some(Flaw::at(field, title))
    }

    fn idle_failures(&self) -> Option<Flaw> {
        match (self.failures.tries, self.failures.then) {
            (Some(0), _) => Some(Flaw::at("tries", "`tries` is at least 1")),
            (None, Then::Dead { .. }) => {
                Some(Flaw::at("then", "without `tries` a record is tried as often as it takes"))
            }
            _ => None,
        }
    }
}
