//! Queues: what became of every message, and whether each queue kept what its settings promise.
//!
//! A message is accepted once and leaves once: processed, dead, redriven, expired, dropped, handed
//! out at most once and not confirmed, or lost with its broker. Until then it waits or is with a
//! consumer. How many there are is held against what the broker itself says.

use std::collections::BTreeMap;

use super::outcome::{Finding, Violation};
use super::queue_counts::QueueCounts;
use super::requests::Requests;
use crate::engine::{Fact, Name, NodeId, Root, Time};
use crate::parts::{Guarantee, Order, Persistence, QueueRules, broker_facts as facts};
use crate::parts::{Return, of_message_id};
use crate::patterns::Spec;
use crate::scenario::{Scenario, Variant};

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
}

impl Promise {
    pub const ALL: [Promise; 5] = [
        Promise::Kept,
        Promise::AtLeastOnce,
        Promise::AtMostOnce,
        Promise::InOrder,
        Promise::Accounted,
    ];

    /// As the invariant is called that every run checks.
    fn name(self) -> &'static str {
        match self {
            Promise::Kept => "queues-kept",
            Promise::AtLeastOnce => "queues-at-least-once",
            Promise::AtMostOnce => "queues-at-most-once",
            Promise::InOrder => "queues-in-order",
            Promise::Accounted => "queues-accounted",
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
        }
    }

    /// Do these settings promise it?
    fn is_given(self, rules: &QueueRules) -> bool {
        let is_kept = matches!(rules.persistence, Persistence::On | Persistence::Mirrored);
        let is_repeated = rules.guarantee == Guarantee::AtLeastOnce;
        match self {
            Promise::Kept => is_kept && is_repeated,
            Promise::AtLeastOnce => is_kept && is_repeated,
            Promise::AtMostOnce => !is_repeated,
            Promise::InOrder => matches!(rules.order, Order::Fifo | Order::Groups { .. }),
            Promise::Accounted => true,
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
    pub fn violated(&mut self, fact: &Fact, root: Root, what: impl FnOnce() -> String) {
        self.violations += 1;
        if self.first.is_none() {
            self.first = Some(Violation { at: fact.at, root: root.0, what: what() });
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

/// How a message stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Standing {
    /// There is no such message.
    #[default]
    None,
    Waiting,
    Out,
    /// It has left.
    Left,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    standing: Standing,
    root: Root,
    since: Time,
    group: u64,
    /// It had left before, and its broker does not know that any more.
    is_again: bool,
    /// In which order it was accepted.
    order: u64,
    /// How often it was handed out and reached somebody, as far as is known.
    deliveries: u32,
    /// In which life of its broker it was there last.
    life: u32,
}

/// One queue.
struct Queue {
    node: NodeId,
    name: Name,
    rules: QueueRules,
    /// Is it for the dead letters of others?
    is_dead: bool,
    label: String,
    /// By number, from 1.
    messages: Vec<Seen>,
    depth: u64,
    /// The group that was noted for the message that is accepted next.
    group: u64,
    life: u32,
    /// How many were accepted.
    accepted: u64,
    /// Of those that were processed the one accepted last, by group: its order and its number.
    last: BTreeMap<u64, (u64, u64)>,
    tallies: [Tally; Promise::ALL.len()],
}

/// All queues of a run.
pub(crate) struct Queues {
    queues: Vec<Queue>,
    /// For each node the place of its first queue.
    of_node: Vec<Option<usize>>,
    pub counts: QueueCounts,
}

impl Queues {
    /// Those of a variant; `None` if no variant of the scenario has any.
    pub fn new(scenario: &Scenario, variant: &Variant, from: Time) -> Option<Queues> {
        let brokers = |variant: &Variant| {
            variant.nodes.iter().flatten().any(|spec| matches!(spec, Spec::Broker(_)))
        };
        if !scenario.variants.iter().any(brokers) {
            return None;
        }
        let (mut queues, mut of_node) = (Vec::new(), vec![None; variant.nodes.len()]);
        for (node, spec) in variant.nodes.iter().enumerate() {
            let Some(Spec::Broker(broker)) = spec else { continue };
            of_node[node] = Some(queues.len());
            for (name, rules, is_dead) in broker.queues() {
                let spelt = scenario.lexicon.spelling(name);
                queues.push(Queue {
                    node: NodeId(node as u32),
                    name,
                    rules,
                    is_dead,
                    label: format!("{spelt} of {}", scenario.names[node]),
                    messages: Vec::new(),
                    depth: 0,
                    group: 0,
                    life: 0,
                    accepted: 0,
                    last: BTreeMap::new(),
                    tallies: Default::default(),
                });
            }
        }
        let end = variant.phases.quiet_from();
        let counts = QueueCounts::new(!queues.is_empty(), from, end);
        Some(Queues { queues, of_node, counts })
    }

    /// Takes in a fact; false if it is not about a queue.
    pub fn fact(&mut self, fact: &Fact, requests: &Requests) -> bool {
        if !facts::ALL.contains(&fact.what) {
            return false;
        }
        let (place, number) = of_message_id(fact.key);
        let first = self.of_node.get(fact.node.index()).copied().flatten();
        let queue = first.and_then(|first| self.queues.get_mut(first + usize::from(place)));
        // What a mirror keeps is no message of a queue of its own.
        if let Some(queue) = queue.filter(|queue| queue.node == fact.node) {
            queue.fact(fact, number, &mut self.counts, requests);
        }
        true
    }

    /// The tally of a promise of one queue.
    pub fn tally(&self, broker: NodeId, name: Name, promise: Promise) -> Tally {
        let is_it = |queue: &&Queue| queue.node == broker && queue.name == name;
        let found = self.queues.iter().find(is_it);
        found.map(|queue| queue.tallies[promise as usize].clone()).unwrap_or_default()
    }

    /// What every run checks: each promise, for all queues that give it.
    pub fn findings(&self) -> Vec<Finding> {
        let finding = |promise: Promise| {
            let is_given = |queue: &Queue| promise.is_given(&queue.rules);
            self.queues.iter().any(is_given).then(|| self.finding(promise))
        };
        Promise::ALL.into_iter().filter_map(finding).collect()
    }

    fn finding(&self, promise: Promise) -> Finding {
        let (mut tally, mut whose) = (Tally::default(), Vec::new());
        for queue in self.queues.iter().filter(|queue| promise.is_given(&queue.rules)) {
            tally.add(&queue.tallies[promise as usize]);
            whose.push(queue.label.as_str());
        }
        Finding {
            invariant: promise.name().to_owned(),
            says: promise.says(&whose.join(", ")),
            checked: tally.checked,
            violations: tally.violations,
            first: tally.first,
        }
    }

    /// The run is over: what has not left by now is still there.
    pub fn close(&mut self, end: Time) {
        for queue in &self.queues {
            let is_there =
                |seen: &&Seen| matches!(seen.standing, Standing::Waiting | Standing::Out);
            for seen in queue.messages.iter().filter(is_there) {
                self.counts.stays(end - seen.since, queue.is_dead);
            }
        }
        self.counts.close(end);
    }
}

impl Queue {
    fn fact(&mut self, fact: &Fact, number: u64, counts: &mut QueueCounts, requests: &Requests) {
        match fact.what {
            facts::GROUPED => self.group = fact.value,
            facts::ACCEPTED | facts::RECOVERED => self.accepted(fact, number, counts),
            facts::OPENED => self.opened(fact, counts),
            facts::DELIVERED => self.delivered(fact, number, counts),
            facts::RETURNED => self.returned(fact, number, counts),
            facts::REJECTED => counts.rejected += 1,
            facts::DUPLICATE => counts.duplicates += 1,
            facts::REPEATED => counts.repeated += 1,
            facts::PROCESSED => {
                self.processed(fact, number, counts, requests);
                self.leaves(fact, number, counts);
            }
            facts::UNCONFIRMED => {
                counts.unconfirmed += 1;
                self.missed(fact, number, "was handed out, and nobody knows what became of it");
                self.leaves(fact, number, counts);
            }
            facts::DEAD | facts::REDRIVEN | facts::EXPIRED | facts::DROPPED => {
                counts.removed(fact.what);
                self.leaves(fact, number, counts);
            }
            // What a log holds is no message yet.
            _ => {}
        }
    }

    fn seen(&mut self, number: u64) -> &mut Seen {
        let place = (number as usize).saturating_sub(1);
        if place >= self.messages.len() {
            self.messages.resize(place + 1, Seen::default());
        }
        &mut self.messages[place]
    }

    fn tally(&mut self, promise: Promise) -> &mut Tally {
        &mut self.tallies[promise as usize]
    }

    fn accepted(&mut self, fact: &Fact, number: u64, counts: &mut QueueCounts) {
        let (group, life, is_dead) = (self.group, self.life, self.is_dead);
        let is_back = fact.what == facts::RECOVERED;
        let life = life + u32::from(is_back);
        let before = *self.seen(number);
        let is_known = is_back && before.standing != Standing::None;
        self.accepted += u64::from(!is_known);
        let order = if is_known { before.order } else { self.accepted };
        let seen = self.seen(number);
        *seen = Seen {
            standing: Standing::Waiting,
            root: fact.root,
            since: if is_known { before.since } else { fact.at },
            group,
            is_again: is_back && (before.is_again || before.standing == Standing::Left),
            order,
            deliveries: if is_back { before.deliveries } else { 0 },
            life,
        };
        self.group = 0;
        if is_back {
            if before.standing == Standing::Out {
                counts.waits(fact.at, 1, is_dead);
            } else if before.standing != Standing::Waiting {
                // A mirror did not hear that it had left: it is there once more.
                self.depth += 1;
                counts.enters(fact.at, is_dead);
            }
            return;
        }
        for promise in [Promise::Kept, Promise::AtLeastOnce] {
            self.tally(promise).checked += 1;
        }
        self.depth += 1;
        counts.accepted(fact.at, is_dead);
        self.compare(fact);
    }

    /// Holds how many there are against what the broker says.
    fn compare(&mut self, fact: &Fact) {
        let depth = self.depth;
        let tally = self.tally(Promise::Accounted);
        tally.checked += 1;
        if depth != fact.value {
            tally.violated(fact, fact.root, || {
                format!("the broker has {} messages, {depth} are known", fact.value)
            });
        }
    }

    /// The broker has started: what it has not found again is lost.
    fn opened(&mut self, fact: &Fact, counts: &mut QueueCounts) {
        self.life += 1;
        for place in 0..self.messages.len() {
            let seen = self.messages[place];
            let is_there = matches!(seen.standing, Standing::Waiting | Standing::Out);
            if !is_there || seen.life == self.life {
                continue;
            }
            let number = place as u64 + 1;
            let about = Fact { root: seen.root, ..*fact };
            if seen.standing == Standing::Out && self.rules.guarantee == Guarantee::AtMostOnce {
                counts.unconfirmed += 1;
                self.missed(&about, number, "was handed out when its broker crashed");
            } else {
                counts.lost += 1;
                let text = || format!("message {number} was accepted and is lost");
                self.tally(Promise::Kept).violated(&about, seen.root, text);
                self.missed(&about, number, "was accepted and is lost");
            }
            self.leaves(&about, number, counts);
        }
        self.compare(fact);
    }

    fn missed(&mut self, fact: &Fact, number: u64, what: &str) {
        let text = || format!("message {number} {what}");
        self.tally(Promise::AtLeastOnce).violated(fact, fact.root, text);
    }

    fn delivered(&mut self, fact: &Fact, number: u64, counts: &mut QueueCounts) {
        let is_dead = self.is_dead;
        let seen = self.seen(number);
        if seen.standing == Standing::Waiting {
            counts.waits(fact.at, -1, is_dead);
        }
        seen.standing = Standing::Out;
        seen.deliveries += 1;
        let deliveries = seen.deliveries;
        counts.delivered(deliveries);
        let tally = self.tally(Promise::AtMostOnce);
        tally.checked += 1;
        if deliveries > 1 {
            tally.violated(fact, fact.root, || {
                format!("message {number} was handed out {deliveries} times")
            });
        }
    }

    fn returned(&mut self, fact: &Fact, number: u64, counts: &mut QueueCounts) {
        let is_dead = self.is_dead;
        let seen = self.seen(number);
        if seen.standing != Standing::Out {
            return;
        }
        seen.standing = Standing::Waiting;
        if fact.value == Return::Undelivered as u64 {
            seen.deliveries -= 1;
            counts.undelivered(seen.deliveries);
        }
        counts.waits(fact.at, 1, is_dead);
    }

    fn processed(
        &mut self,
        fact: &Fact,
        number: u64,
        counts: &mut QueueCounts,
        requests: &Requests,
    ) {
        let Seen { since, group, root, order, is_again, .. } = *self.seen(number);
        if is_again {
            // At least once: it has been processed, and is so once more.
            counts.repeated += 1;
            return;
        }
        let began = requests.began(root).unwrap_or(since);
        counts.processed(fact.at, since, began);
        let last = self.last.entry(group).or_default();
        let newest = *last;
        *last = newest.max((order, number));
        let tally = self.tally(Promise::InOrder);
        tally.checked += 1;
        if order < newest.0 {
            counts.disordered += 1;
            let later = newest.1;
            tally.violated(fact, root, || format!("message {number} was processed after {later}"));
        }
    }

    /// A message leaves its queue.
    fn leaves(&mut self, fact: &Fact, number: u64, counts: &mut QueueCounts) {
        let is_dead = self.is_dead;
        let seen = self.seen(number);
        let standing = std::mem::replace(&mut seen.standing, Standing::Left);
        let since = seen.since;
        match standing {
            Standing::Waiting | Standing::Out => {
                self.depth -= 1;
                counts.left(fact.at, since, standing == Standing::Waiting, is_dead);
            }
            Standing::Left | Standing::None => {
                self.tally(Promise::Accounted).violated(fact, fact.root, || {
                    format!("message {number} has left twice, or was never there")
                });
            }
        }
    }
}

#[cfg(test)]
mod tests;
