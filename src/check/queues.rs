//! Queues: what became of every message, and whether each queue kept what its settings promise.
//!
//! A message is accepted once and leaves once: processed, dead, redriven, expired, dropped, handed
//! out at most once and not confirmed, or lost with its broker. Until then it waits or is with a
//! consumer. How many there are is held against what the broker itself says.

mod order;

use super::outcome::Finding;
use super::promises::{Promise, Tallies, Tally};
use super::queue_counts::QueueCounts;
use super::requests::Requests;
use super::topics::Topics;
use crate::engine::{Fact, Name, NodeId, Root, Time};
use crate::parts::{Guarantee, QueueDescribed, QueueRules, Subscribed};
use crate::parts::{Removal, Return, broker_facts as facts, of_message_id};
use crate::patterns::Spec;
use crate::scenario::{Scenario, Variant};
use order::Order;

/// How many queues a finding names.
const NAMED_MAX: usize = 8;

/// How a message stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Standing {
    /// There is no such message.
    #[default]
    None,
    Waiting,
    Out,
    /// It has left.
    Left,
}

/// What is known of a message; half a cache line, for every fact looks at one.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    standing: Standing,
    root: Root,
    since: Time,
    /// It had left before, and its broker does not know that any more.
    is_again: bool,
    /// In which order it was accepted, from 1; 0 if it never was, as far as anybody was told, and a
    /// restart found it all the same.
    order: u32,
    /// How often it was handed out and reached somebody, as far as is known.
    deliveries: u32,
    /// In which life of its broker it was there last.
    life: u32,
}

/// One queue. What only few facts are about lies apart: with a hundred subscriptions each fact is
/// about another one than the last.
pub(super) struct Queue {
    about: Box<About>,
    /// Is it for the dead letters of others?
    is_dead: bool,
    /// What it is as a subscription.
    subscribed: Option<Subscribed>,
    /// By number, from 1.
    messages: Vec<Seen>,
    depth: u64,
    life: u32,
    /// How many were accepted.
    accepted: u32,
    order: Order,
    /// The event that it was offered last.
    offered: u64,
    tallies: Tallies,
    /// How the message that the last fact was about stood before and after it, unless it is one
    /// that had left before.
    turn: (Standing, Standing),
}

/// Which queue it is.
struct About {
    node: NodeId,
    name: Name,
    rules: QueueRules,
    label: String,
    /// What its broker did not find again when it started last.
    gone: Vec<u64>,
}

/// All queues of a run.
pub(crate) struct Queues {
    queues: Vec<Queue>,
    /// For each node the place of its first queue, and how many it has.
    of_node: Vec<Option<(usize, usize)>>,
    pub topics: Topics,
}

impl Queues {
    /// Those of a variant; `None` if it has no broker.
    pub fn new(scenario: &Scenario, variant: &Variant, from: Time) -> Option<Queues> {
        let (mut queues, mut of_node) = (Vec::new(), vec![None; variant.nodes.len()]);
        let end = variant.phases.quiet_from();
        let mut topics = Topics::new((from, end));
        for (node, spec) in variant.nodes.iter().enumerate() {
            let Some(Spec::Broker(broker)) = spec else { continue };
            let first = queues.len();
            let id = NodeId(node as u32);
            queues.extend(broker.described().map(|it| {
                let spelt = scenario.lexicon.spelling(it.name);
                Queue::new(id, it, format!("{spelt} of {}", scenario.names[node]))
            }));
            of_node[node] = Some((first, queues.len() - first));
            topics.add(id, broker.led().map(|(_, places)| places));
        }
        of_node.iter().any(Option::is_some).then_some(Queues { queues, of_node, topics })
    }

    /// Is there any queue?
    pub fn has_any(&self) -> bool {
        !self.queues.is_empty()
    }

    /// Takes in a fact; false if it is not about a queue.
    pub fn fact(&mut self, fact: &Fact, requests: &Requests, counts: &mut QueueCounts) -> bool {
        if !facts::ALL.contains(&fact.what) {
            return false;
        }
        let (place, number) = of_message_id(fact.key);
        let of_node = self.of_node.get(fact.node.index()).copied().flatten();
        // What a mirror keeps is no message of a queue of its own.
        let Some((first, count)) = of_node.filter(|_| fact.what != facts::COPIED) else {
            return true;
        };
        let place = usize::from(place);
        let queues = &mut self.queues[first..first + count];
        if fact.what == facts::ACCEPTED {
            self.topics.other_than(fact.node, number, queues);
        }
        let Some(queue) = queues.get_mut(place) else {
            self.topics.event(fact, (place - count, number), queues, counts);
            return true;
        };
        if queue.subscribed.is_none() {
            queue.fact(fact, number, counts, requests);
            return true;
        }
        queue.turn = Default::default();
        queue.fact(fact, number, counts, requests);
        match fact.what {
            facts::OPENED => {
                let gone = std::mem::take(&mut queue.about.gone);
                gone.iter().for_each(|number| self.topics.lost(fact.node, *number));
            }
            facts::FILTERED => self.topics.filtered += 1,
            facts::MISSED => self.topics.missed(fact.node, number),
            _ => self.topics.turned(fact, number, queue.turn, requests),
        }
        true
    }

    /// The tally of a promise of one queue.
    pub fn tally(&self, broker: NodeId, name: Name, promise: Promise) -> Tally {
        let is_it = |queue: &&Queue| (queue.about.node, queue.about.name) == (broker, name);
        let found = self.queues.iter().find(is_it);
        found.map(|queue| queue.tallies.of(promise)).unwrap_or_default()
    }

    /// What every run checks: each promise, for all queues that give it.
    pub fn findings(&self) -> Vec<Finding> {
        let finding = |promise: Promise| {
            let is_given = |queue: &Queue| promise.is_given(&queue.about.rules, queue.subscribed);
            self.queues.iter().any(is_given).then(|| self.finding(promise))
        };
        Promise::ALL.into_iter().filter_map(finding).collect()
    }

    fn finding(&self, promise: Promise) -> Finding {
        let (mut tally, mut whose) = (Tally::default(), Vec::new());
        for queue in self
            .queues
            .iter()
            .filter(|queue| promise.is_given(&queue.about.rules, queue.subscribed))
        {
            tally.add(&queue.tallies.of(promise));
            whose.push(queue.about.label.as_str());
        }
        Finding {
            invariant: promise.name().to_owned(),
            says: promise.says(&listed(&whose)),
            checked: tally.checked,
            violations: tally.violations,
            first: tally.first,
        }
    }

    /// The run is over: what has not left by now is still there.
    pub fn close(&mut self, end: Time, counts: &mut QueueCounts) {
        self.topics.close(&mut self.queues, &self.of_node);
        for queue in &self.queues {
            let is_there =
                |seen: &&Seen| matches!(seen.standing, Standing::Waiting | Standing::Out);
            for seen in queue.messages.iter().filter(is_there) {
                counts.stays(end - seen.since, queue.is_dead);
            }
        }
    }
}

/// The first of these queues by name, and how many more there are.
fn listed(whose: &[&str]) -> String {
    match whose.len() {
        0..=NAMED_MAX => whose.join(", "),
        count => format!("{} and {} more", whose[..NAMED_MAX].join(", "), count - NAMED_MAX),
    }
}

impl Queue {
    fn new(node: NodeId, it: QueueDescribed, label: String) -> Queue {
        let QueueDescribed { name, rules, is_dead, subscribed } = it;
        Queue {
            about: Box::new(About { node, name, rules, label, gone: Vec::new() }),
            is_dead,
            subscribed,
            messages: Vec::new(),
            depth: 0,
            life: 0,
            accepted: 0,
            order: Order::default(),
            offered: 0,
            tallies: Tallies::default(),
            turn: Default::default(),
        }
    }

    fn fact(&mut self, fact: &Fact, number: u64, counts: &mut QueueCounts, requests: &Requests) {
        match fact.what {
            facts::GROUPED => self.order.noted = fact.value,
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
            facts::FILTERED | facts::MISSED => self.passed_over(fact, number),
            facts::UNCONFIRMED => {
                counts.unconfirmed += 1;
                self.missed(fact, number, "was handed out, and nobody knows what became of it");
                self.leaves(fact, number, counts);
            }
            facts::DEAD | facts::REDRIVEN | facts::EXPIRED | facts::DROPPED => {
                counts.removed(fact.what);
                if fact.value == Removal::Disconnected as u64 && fact.what == facts::DROPPED {
                    self.incomplete(fact, number, "is lost with the last consumer's connection");
                }
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

    fn accepted(&mut self, fact: &Fact, number: u64, counts: &mut QueueCounts) {
        let (life, is_dead) = (self.life, self.is_dead);
        let is_back = fact.what == facts::RECOVERED;
        let life = life + u32::from(is_back);
        let before = *self.seen(number);
        let is_known = is_back && before.standing != Standing::None;
        self.accepted += u32::from(!is_back);
        let order = match is_back {
            true => before.order,
            false => self.accepted,
        };
        let seen = self.seen(number);
        *seen = Seen {
            standing: Standing::Waiting,
            root: fact.root,
            since: if is_known { before.since } else { fact.at },
            is_again: is_back && (before.is_again || before.standing == Standing::Left),
            order,
            deliveries: if is_back { before.deliveries } else { 0 },
            life,
        };
        if !seen.is_again {
            self.turn = (before.standing, Standing::Waiting);
        }
        self.order.accepted(number);
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
        for promise in [Promise::Kept, Promise::AtLeastOnce, Promise::Complete] {
            self.tallies.check(promise);
        }
        self.offered = number;
        self.depth += 1;
        counts.accepted(fact.at, is_dead);
        self.compare(fact);
    }

    /// Holds how many there are against what the broker says.
    fn compare(&mut self, fact: &Fact) {
        let depth = self.depth;
        self.tallies.check(Promise::Accounted);
        if depth != fact.value {
            self.tallies.violated(Promise::Accounted, fact, fact.root, || {
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
            if seen.standing == Standing::Out && self.about.rules.guarantee == Guarantee::AtMostOnce
            {
                counts.unconfirmed += 1;
                self.missed(&about, number, "was handed out when its broker crashed");
            } else {
                counts.lost += 1;
                let text = || format!("message {number} was accepted and is lost");
                self.tallies.violated(Promise::Kept, &about, seen.root, text);
                self.missed(&about, number, "was accepted and is lost");
            }
            self.leaves(&about, number, counts);
            self.about.gone.push(number);
        }
        self.compare(fact);
    }

    fn missed(&mut self, fact: &Fact, number: u64, what: &str) {
        let text = || format!("message {number} {what}");
        self.tallies.violated(Promise::AtLeastOnce, fact, fact.root, text);
        self.incomplete(fact, number, what);
    }

    /// A subscription does not see an event.
    fn incomplete(&mut self, fact: &Fact, number: u64, what: &str) {
        if self.subscribed.is_some() {
            let text = || format!("event {number} {what}");
            self.tallies.violated(Promise::Complete, fact, fact.root, text);
        }
    }

    /// A subscription does not get an event.
    fn passed_over(&mut self, fact: &Fact, number: u64) {
        self.offered = number;
        let has_filter = self.subscribed.is_some_and(|it| it.has_filter);
        if fact.what == facts::MISSED {
            self.tallies.check(Promise::Complete);
            self.incomplete(fact, number, "was published while no consumer was connected");
        } else if !has_filter {
            self.incomplete(fact, number, "was filtered, and there is no filter");
        }
    }

    /// An event was published; since then the broker has had it.
    pub(super) fn owes(&mut self, fact: &Fact, number: u64, since: Time) {
        let Some(Subscribed { from, until, .. }) = self.subscribed else { return };
        let is_there = from <= since && fact.at < until;
        if is_there != (self.offered == number) {
            let what = if is_there { "never came" } else { "came, and it was not there" };
            self.incomplete(fact, number, what);
        }
    }

    fn delivered(&mut self, fact: &Fact, number: u64, counts: &mut QueueCounts) {
        let is_dead = self.is_dead;
        let seen = self.seen(number);
        if seen.standing == Standing::Waiting {
            counts.waits(fact.at, -1, is_dead);
        }
        let was = std::mem::replace(&mut seen.standing, Standing::Out);
        seen.deliveries += 1;
        let turn = (!seen.is_again).then_some((was, Standing::Out));
        let deliveries = seen.deliveries;
        self.turn = turn.unwrap_or_default();
        counts.delivered(deliveries);
        self.tallies.check(Promise::AtMostOnce);
        if deliveries > 1 {
            self.tallies.violated(Promise::AtMostOnce, fact, fact.root, || {
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
        let turn = (!seen.is_again).then_some((Standing::Out, Standing::Waiting));
        if fact.value == Return::Undelivered as u64 {
            seen.deliveries -= 1;
            counts.undelivered(seen.deliveries);
        }
        self.turn = turn.unwrap_or_default();
        counts.waits(fact.at, 1, is_dead);
    }

    fn processed(
        &mut self,
        fact: &Fact,
        number: u64,
        counts: &mut QueueCounts,
        requests: &Requests,
    ) {
        let Seen { since, root, order, is_again, .. } = *self.seen(number);
        if is_again {
            // At least once: it has been processed, and is so once more.
            counts.repeated += 1;
            return;
        }
        let began = requests.began(root).unwrap_or(since);
        counts.processed(fact.at, since, began);
        if order == 0 {
            // Whoever published it may publish it still, after what was accepted meanwhile.
            return;
        }
        let last = self.order.last(number);
        let newest = *last;
        *last = newest.max((order, number));
        self.tallies.check(Promise::InOrder);
        if order < newest.0 {
            counts.disordered += 1;
            let later = newest.1;
            self.tallies.violated(Promise::InOrder, fact, root, || {
                format!("message {number} was processed after {later}")
            });
        }
    }

    /// A message leaves its queue.
    fn leaves(&mut self, fact: &Fact, number: u64, counts: &mut QueueCounts) {
        let is_dead = self.is_dead;
        let seen = self.seen(number);
        let standing = std::mem::replace(&mut seen.standing, Standing::Left);
        let (since, is_again) = (seen.since, seen.is_again);
        if !is_again {
            self.turn = (standing, Standing::Left);
        }
        match standing {
            Standing::Waiting | Standing::Out => {
                self.depth -= 1;
                counts.left(fact.at, since, standing == Standing::Waiting, is_dead);
            }
            Standing::Left | Standing::None => {
                self.tallies.violated(Promise::Accounted, fact, fact.root, || {
                    format!("message {number} has left twice, or was never there")
                });
            }
        }
    }
}

#[cfg(test)]
mod tests;
