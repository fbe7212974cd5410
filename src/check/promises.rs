//! What queues and subscriptions may promise, and how often each promise was put to the test.

use super::outcome::Violation;
use crate::engine::{Fact, Root, Time};
use crate::parts::{Guarantee, Order, Persistence, QueueRules, Subscribed};

/// What a queue may promise.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Promise {
    /// No message that was accepted is lost.
    Kept,
    /// Every message is processed, unless it is dead, too old or dropped by policy.
    AtLeastOnce,
    /// No message is handed out twice.
    AtMostOnce,
    /// Messages are processed in the order in which they were accepted, each group for itself.
    InOrder,
    /// Every message is counted once.
    Accounted,
    /// A subscription sees every event of its topics that its filter lets through, unless that is
    /// dead, too old or dropped by policy.
    Complete,
}

impl Promise {
    pub const ALL: [Promise; 6] = [
        Promise::Kept,
        Promise::AtLeastOnce,
        Promise::AtMostOnce,
        Promise::InOrder,
        Promise::Accounted,
        Promise::Complete,
    ];

    /// As the invariant is called that every run checks.
    pub fn name(self) -> &'static str {
        match self {
            Promise::Kept => "queues-kept",
            Promise::AtLeastOnce => "queues-at-least-once",
            Promise::AtMostOnce => "queues-at-most-once",
            Promise::InOrder => "queues-in-order",
            Promise::Accounted => "queues-accounted",
            Promise::Complete => "subscriptions-complete",
        }
    }

    /// What it demands of these queues.
    pub fn says(self, whose: &str) -> String {
        match self {
            Promise::Kept => format!("no message that {whose} accepted is lost"),
            Promise::AtLeastOnce => format!(
                "a message that {whose} accepted waits, or is processed, dead, expired or dropped"
            ),
            Promise::AtMostOnce => format!("no message is handed out twice by {whose}"),
            Promise::InOrder => format!(
                "messages are processed for the first time in the order in which {whose} accepted \
                 them"
            ),
            Promise::Accounted => format!(
                "every message of {whose} is counted once: accepted = processed + dead + expired \
                 + dropped + lost + waiting"
            ),
            Promise::Complete => format!(
                "every event of its topics that its filter lets through waits for {whose}, or is \
                 processed, dead, expired or dropped"
            ),
        }
    }

    /// Do these settings promise it?
    pub fn is_given(self, rules: &QueueRules, subscribed: Option<Subscribed>) -> bool {
        let is_kept = matches!(rules.persistence, Persistence::On | Persistence::Mirrored);
        let is_repeated = rules.guarantee == Guarantee::AtLeastOnce;
        match self {
            Promise::Kept => is_kept && is_repeated,
            Promise::AtLeastOnce => is_kept && is_repeated,
            Promise::AtMostOnce => !is_repeated,
            Promise::InOrder => matches!(rules.order, Order::Fifo | Order::Groups { .. }),
            Promise::Accounted => true,
            Promise::Complete => {
                subscribed.is_some_and(|it| it.is_durable) && is_kept && is_repeated
            }
        }
    }
}

/// How often a promise was put to the test, and what came of it.
#[derive(Clone, Default)]
pub(crate) struct Tally {
    pub checked: u64,
    pub violations: u64,
    pub first: Option<Violation>,
}

impl Tally {
    /// A promise was not kept.
    pub fn violated(&mut self, at: Time, root: Root, what: impl FnOnce() -> String) {
        self.violations += 1;
        if self.first.is_none() {
            self.first = Some(Violation { at, root: root.0, what: what() });
        }
    }

    pub fn add(&mut self, other: &Tally) {
        self.checked += other.checked;
        self.violations += other.violations;
        let is_earlier = |one: &Violation| self.first.as_ref().is_none_or(|it| one.at < it.at);
        if let Some(first) = other.first.as_ref().filter(|one| is_earlier(one)) {
            self.first = Some(first.clone());
        }
    }
}

/// The tallies of a queue. What every message counts lies together, apart from what hardly any
/// does.
#[derive(Clone, Default)]
pub(super) struct Tallies {
    checked: [u64; Promise::ALL.len()],
    broken: Box<[(u64, Option<Violation>); Promise::ALL.len()]>,
}

impl Tallies {
    /// A promise is put to the test.
    pub fn check(&mut self, promise: Promise) {
        self.checked[promise as usize] += 1;
    }

    /// A promise was not kept.
    pub fn violated(
        &mut self,
        promise: Promise,
        fact: &Fact,
        root: Root,
        what: impl FnOnce() -> String,
    ) {
        let (violations, first) = &mut self.broken[promise as usize];
        *violations += 1;
        if first.is_none() {
            *first = Some(Violation { at: fact.at, root: root.0, what: what() });
        }
    }

    /// What came of a promise.
    pub fn of(&self, promise: Promise) -> Tally {
        let (violations, first) = self.broken[promise as usize].clone();
        Tally { checked: self.checked[promise as usize], violations, first }
    }
}
