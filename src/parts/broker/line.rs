//! A queue while its broker runs: its messages, who consumes them, and who waits for what.

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::backlog::{Backlog, Message, Taken};
use super::preset::Rules;
use super::recent::Recent;
use super::settings::{MessageQueue, Order, Overflow, Receiver};
use super::{facts, note};
use crate::engine::{Condition, Dist, Name, NodeId, Span, Time};
use crate::parts::Backoff;
use crate::world::Cx;

/// A queue of a broker that runs.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub name: Name,
    pub rules: Rules,
    /// Whom it hands messages to.
    pub consumers: Vec<Receiver>,
    /// Is it a subscription that is only there while a consumer is?
    pub is_ephemeral: bool,
    /// How many may wait, and what happens if more come.
    pub length_max: usize,
    pub overflow: Overflow,
    pub delay: Option<Dist>,
    pub redelivery: Option<Backoff>,
    /// The place of the queue that dead letters go to, and which go there besides those that were
    /// handed out too often: what is too old, what had to make room.
    pub dead: Option<(u16, bool, bool)>,
    /// Is it written down how often messages are handed out?
    pub remembers: bool,
    pub line: RefCell<Line>,
    /// Room in the queue.
    pub room: Condition,
    /// Which messages mirrors do not have yet.
    pub turns: Turns,
    /// Messages for whoever asks.
    pub arrived: Condition,
}

/// Numbers of what is being stored. All are taken in in the order of their numbers, as after a
/// restart, whichever is stored first.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns {
    storing: RefCell<BTreeSet<u64>>,
    passed: Condition,
}

impl Turns {
    /// From now on this one is being stored.
    pub fn enter(&self, number: u64) {
        self.storing.borrow_mut().insert(number);
    }

    /// It is stored, or has failed: waits until all before it are or have.
    pub async fn pass(&self, cx: &Cx, number: u64) {
        while self.storing.borrow().first().is_some_and(|first| *first < number) {
            self.passed.wait(cx).await;
        }
        self.storing.borrow_mut().remove(&number);
        self.passed.announce(cx);
    }
}

/// What changes.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub backlog: Backlog,
    pub recent: Recent,
    /// Messages that are being stored: they will need room.
    pub coming: usize,
    /// A task wakes at this instant to see what has fallen due; [`Time::MAX`] for none.
    pub armed: Time,
    links: Vec<Link>,
    /// For each receiver the instances that its address stood for last.
    seen: Vec<Vec<NodeId>>,
    /// How often addresses had been given other instances by then; none if it was not looked yet.
    turnover: Option<u64>,
    /// Whose turn it is.
    turn: usize,
    /// So often it is looked, while messages wait, whether addresses stand for others now.
    others_within: Option<Span>,
}

/// A connection to a consumer.
#[derive(Clone, Debug)]
struct Link {
    node: NodeId,
    receiver: usize,
    /// How many more messages it takes.
    credit: u32,
    /// Its connection broke; nothing is sent before this instant.
    broken_until: Time,
    /// Does its address stand for it now?
    is_listed: bool,
}

impl Link {
    fn is_free(&self, now: Time) -> bool {
        self.is_listed && self.credit > 0 && self.broken_until <= now
    }
}

impl Lane {
    pub fn new(
        name: Name,
        (queue, rules): (&MessageQueue, Rules),
        dead: Option<(u16, bool, bool)>,
        life: u32,
    ) -> Lane {
        let line = Line {
            backlog: Backlog::new(rules.order, rules.ttl, life),
            recent: Recent::default(),
            coming: 0,
            armed: Time::MAX,
            links: Vec::new(),
            seen: vec![Vec::new(); queue.consumers.len()],
            turnover: None,
            turn: 0,
            others_within: None,
        };
        let counts = rules.deliveries_max != u32::MAX || queue.redelivery.is_some();
        let remembers = counts && rules.remembers_deliveries;
        Lane {
            name,
            rules,
            consumers: queue.consumers.clone(),
            is_ephemeral: false,
            length_max: queue.length_max.map_or(usize::MAX, |most| most as usize),
            overflow: queue.overflow.unwrap_or_default(),
            delay: queue.delay.clone(),
            redelivery: queue.redelivery,
            dead,
            remembers,
            line: RefCell::new(line),
            room: Condition::default(),
            turns: Turns::default(),
            arrived: Condition::default(),
        }
    }

    /// Is there room for one more?
    pub fn has_room(&self) -> bool {
        let line = self.line.borrow();
        line.backlog.waiting() + line.coming < self.length_max
    }

    /// Hands out the next message that may go.
    pub fn take(&self, cx: &Cx) -> Option<Taken> {
        let mut line = self.line.borrow_mut();
        let backlog = &mut line.backlog;
        if backlog.out() >= self.rules.in_flight_max as usize {
            return None;
        }
        let taken = backlog.take(|below| cx.random(|rng| rng.below(below)))?;
        drop(line);
        self.room.announce_one(cx);
        Some(taken)
    }

    /// Hands out the next message to a consumer that is free: which connection it is to take.
    pub fn push(&self, cx: &Cx) -> Option<(usize, Taken)> {
        let mut line = self.line.borrow_mut();
        if line.backlog.waiting() == 0 {
            return None;
        }
        let link = line.free(cx, &self.consumers)?;
        drop(line);
        let taken = self.take(cx)?;
        let mut line = self.line.borrow_mut();
        line.turn = link + 1;
        line.links[link].credit -= 1;
        drop(line);
        Some((link, taken))
    }

    /// Sees whom the receivers' addresses stand for: are there any who were not there before?
    pub fn connect(&self, cx: &Cx) -> bool {
        self.line.borrow_mut().connect(cx, &self.consumers)
    }

    /// Hands the next message to the consumer that has just finished one.
    pub fn push_to(&self, cx: &Cx, link: usize) -> Option<Taken> {
        let is_free = self.line.borrow().links[link].is_free(cx.now());
        let taken = if is_free { self.take(cx)? } else { return None };
        self.line.borrow_mut().links[link].credit -= 1;
        Some(taken)
    }

    /// A consumer has finished a message.
    pub fn give_back(&self, link: usize) {
        self.line.borrow_mut().links[link].credit += 1;
    }

    /// The connection to a consumer broke.
    pub fn broke(&self, cx: &Cx, link: usize) {
        let mut line = self.line.borrow_mut();
        let link = &mut line.links[link];
        link.broken_until = cx.now() + self.consumers[link.receiver].reconnect;
    }

    /// Is there a connection to a consumer, as far as the broker knows?
    pub fn is_connected(&self, cx: &Cx) -> bool {
        let mut line = self.line.borrow_mut();
        line.connect(cx, &self.consumers);
        line.links.iter().any(|link| link.is_listed && link.broken_until <= cx.now())
    }

    /// Whom a connection leads to, and which receiver of the queue it belongs to.
    pub fn link(&self, link: usize) -> (NodeId, usize) {
        let line = self.line.borrow();
        (line.links[link].node, line.links[link].receiver)
    }

    /// The instant at which something happens next by itself.
    pub fn next_due(&self, now: Time) -> Time {
        let mut line = self.line.borrow_mut();
        let due = line.backlog.next_due();
        if line.backlog.waiting() == 0 {
            return due;
        }
        let broken = line.links.iter().filter(|link| link.is_listed && link.broken_until > now);
        let broken = broken.map(|link| link.broken_until).min().unwrap_or(Time::MAX);
        let others = line.others_within.map_or(Time::MAX, |within| now + within);
        due.min(broken).min(others)
    }

    /// From when on a message that was just taken in may be handed out.
    pub fn first_due(&self, cx: &Cx) -> Time {
        self.delay.as_ref().map_or(cx.now(), |delay| cx.now() + cx.draw(delay))
    }

    /// Notes which group a message belongs to, where that counts.
    pub fn note_group(&self, cx: &Cx, message: &Message, place: u16) {
        if matches!(self.rules.order, Order::Groups { .. }) {
            let group = self.rules.order.group(message.key);
            note(cx, message, place, facts::GROUPED, group);
        }
    }

    /// Takes a message in that was handed out so often before, to be handed out from `from` on.
    pub fn admit(&self, cx: &Cx, message: Message, from: Time, deliveries: u32) {
        let rank = cx.with(|state| state.env.class(message.class).priority);
        let mut line = self.line.borrow_mut();
        line.backlog.admit(message, (rank, deliveries), from, cx.now());
    }
}

impl Line {
    /// A consumer that is free, in turn.
    fn free(&mut self, cx: &Cx, consumers: &[Receiver]) -> Option<usize> {
        self.connect(cx, consumers);
        let (now, count) = (cx.now(), self.links.len());
        (0..count)
            .map(|step| (self.turn + step) % count)
            .find(|link| self.links[*link].is_free(now))
    }

    /// Sees whom the receivers' addresses stand for: are there any who were not there before?
    fn connect(&mut self, cx: &Cx, consumers: &[Receiver]) -> bool {
        let turnover = Some(cx.turnover());
        let is_known = std::mem::replace(&mut self.turnover, turnover) == turnover;
        !is_known && self.connect_anew(cx, consumers)
    }

    #[cold]
    fn connect_anew(&mut self, cx: &Cx, consumers: &[Receiver]) -> bool {
        let mut has_more = false;
        for (place, receiver) in consumers.iter().enumerate() {
            let now = cx.instances(receiver.to);
            let is_address = now.is_some();
            let now = now.as_deref().unwrap_or(std::slice::from_ref(&receiver.to));
            if self.seen[place] == now {
                continue;
            }
            has_more = true;
            if is_address {
                let within = self.others_within.unwrap_or(Span::MAX);
                self.others_within = Some(within.min(receiver.reconnect));
            }
            let own = self.links.iter_mut().filter(|link| link.receiver == place);
            own.for_each(|link| link.is_listed = now.contains(&link.node));
            for node in now.iter().copied() {
                let is_it = |link: &Link| (link.receiver, link.node) == (place, node);
                if !self.links.iter().any(is_it) {
                    self.links.push(Link {
                        node,
                        receiver: place,
                        credit: receiver.prefetch.unwrap_or(u32::MAX),
                        broken_until: Time(0),
                        is_listed: true,
                    });
                }
            }
            self.seen[place] = now.to_vec();
        }
        has_more
    }
}
