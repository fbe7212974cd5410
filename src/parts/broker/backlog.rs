//! A queue's messages: which wait, which are out with a consumer, and what falls due when.
//!
//! A plain state machine. Whoever uses it says what time it is and decides what becomes of a
//! message; it keeps the order, the counts and the instants. A message is ready, or will be later,
//! or is out; it leaves when it is settled.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::ready::{Entry, Groups, Line, Ticket};
use super::settings::Order;
use crate::engine::{Class, Root, Span, Time};

/// A message, as it was published.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Message {
    /// In which order the queue accepted it, from 1.
    pub number: u64,
    pub root: Root,
    pub class: Class,
    /// Bytes of its body.
    pub payload: u32,
    pub key: u64,
    pub value: u64,
    /// Since when the queue has it.
    pub since: Time,
    /// Of a dead letter: the place of the queue that it comes from.
    pub origin: Option<u16>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Free,
    Ready,
    /// It may be handed out from an instant on.
    Later,
    Out,
    /// Out of its line, and with nobody: it is being thrown away or moved.
    Held,
}

#[derive(Clone, Debug)]
struct Slot {
    message: Message,
    state: State,
    generation: u32,
    deliveries: u32,
    rank: u8,
    group: u64,
    /// While it is out: when it comes back by itself.
    until: Time,
}

/// A message that was handed out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    pub ticket: Ticket,
    pub message: Message,
    /// The how-manieth time it is handed out, from 1.
    pub delivery: u32,
}

/// What has fallen due. The message counts as out, and whoever hears of it decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lapse {
    /// It was out for too long.
    Overdue(Ticket),
    /// It waited for longer than its time to live.
    Expired(Ticket),
}

/// What comes next is kept in one of these, by the queue's order.
#[derive(Clone, Debug)]
enum Ready {
    Line(Line),
    Groups(Groups),
}

/// A queue's messages.
#[derive(Clone, Debug)]
pub(super) struct Backlog {
    order: Order,
    ttl: Option<Span>,
    life: u32,
    slots: Vec<Slot>,
    free: Vec<u32>,
    ready: Ready,
    /// Those that may be handed out later.
    later: BinaryHeap<Reverse<(Time, u64, Ticket)>>,
    /// When those that are out come back by themselves, in the order of these instants; an entry
    /// counts only if it is about the last delivery and its last extension.
    overdue: VecDeque<(Time, Ticket)>,
    /// When those that wait are too old, in the order of these instants.
    ends: VecDeque<(Time, Ticket)>,
    waiting: usize,
    out: usize,
    newest: u64,
}

impl Backlog {
    /// Without messages. Tickets of different lives of a broker differ by `life`, so that what a
    /// consumer says of a message of an earlier one is not taken for another.
    pub fn new(order: Order, ttl: Option<Span>, life: u32) -> Backlog {
        let ready = match order {
            Order::Fifo | Order::Groups { .. } => Ready::Groups(Groups::default()),
            Order::Arrival | Order::BestEffort { .. } | Order::Priority => {
                Ready::Line(Line::default())
            }
        };
        Backlog {
            order,
            ttl,
            life,
            slots: Vec::new(),
            free: Vec::new(),
            ready,
            later: BinaryHeap::new(),
            overdue: VecDeque::new(),
            ends: VecDeque::new(),
            waiting: 0,
            out: 0,
            newest: 0,
        }
    }

    /// The number of the next message.
    pub fn number(&mut self) -> u64 {
        self.newest += 1;
        self.newest
    }

    /// Numbers up to this one are taken.
    pub fn begin_after(&mut self, number: u64) {
        self.newest = self.newest.max(number);
    }

    /// How many wait, those that may be handed out only later among them.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// How many are out.
    pub fn out(&self) -> usize {
        self.out
    }

    /// How many there are.
    pub fn depth(&self) -> usize {
        self.waiting + self.out
    }

    /// Takes a message in, to be handed out from `from` on: with its class's priority, and how
    /// often it was handed out before.
    pub fn admit(&mut self, message: Message, of: (u8, u32), from: Time, now: Time) {
        let (rank, deliveries) = of;
        self.newest = self.newest.max(message.number);
        let group = self.order.group(message.key);
        let rank = if self.order == Order::Priority { rank } else { 0 };
        let state = if from > now { State::Later } else { State::Ready };
        let slot = Slot {
            message,
            state,
            generation: self.life,
            deliveries,
            rank,
            group,
            until: Time::MAX,
        };
        let ticket = match self.free.pop() {
            Some(place) => {
                let known = &mut self.slots[place as usize];
                let generation = known.generation;
                *known = Slot { generation, ..slot };
                Ticket { slot: place, generation }
            }
            None => {
                self.slots.push(slot);
                Ticket { slot: self.slots.len() as u32 - 1, generation: self.life }
            }
        };
        self.waiting += 1;
        if let Some(ttl) = self.ttl {
            self.ends.push_back((message.since + ttl, ticket));
        }
        self.place(ticket, from);
    }

    /// Puts a message that waits where it belongs.
    fn place(&mut self, ticket: Ticket, from: Time) {
        let slot = &self.slots[ticket.slot as usize];
        let entry = Entry { rank: slot.rank, number: slot.message.number, ticket };
        let (group, state) = (slot.group, slot.state);
        if state == State::Later {
            self.later.push(Reverse((from, entry.number, ticket)));
        }
        match &mut self.ready {
            Ready::Line(line) if state == State::Ready => line.put(entry),
            Ready::Line(_) => {}
            Ready::Groups(groups) => groups.put(group, entry, is_ready(&self.slots)),
        }
    }

    /// Hands out the next message. `draw` draws a number below its argument.
    pub fn take(&mut self, mut draw: impl FnMut(u64) -> u64) -> Option<Taken> {
        let ticket = loop {
            let entry = match (&mut self.ready, self.order) {
                (Ready::Groups(groups), _) => groups.first(is_ready(&self.slots))?,
                (Ready::Line(line), Order::BestEffort { spread }) => line.any(spread, &mut draw)?,
                (Ready::Line(line), _) => line.first()?,
            };
            // What was taken out of the middle is still in the line.
            if self.is(entry.ticket, State::Ready) {
                break entry.ticket;
            }
        };
        let slot = &mut self.slots[ticket.slot as usize];
        slot.state = State::Out;
        slot.deliveries += 1;
        slot.until = Time::MAX;
        let taken = Taken { ticket, message: slot.message, delivery: slot.deliveries };
        (self.waiting, self.out) = (self.waiting - 1, self.out + 1);
        Some(taken)
    }

    fn is(&self, ticket: Ticket, state: State) -> bool {
        let slot = self.slots.get(ticket.slot as usize);
        slot.is_some_and(|slot| slot.generation == ticket.generation && slot.state == state)
    }

    /// The message, if it has not left, and how often it was handed out.
    pub fn get(&self, ticket: Ticket) -> Option<(Message, u32)> {
        let slot = self.slots.get(ticket.slot as usize)?;
        let is_here = slot.generation == ticket.generation && slot.state != State::Free;
        is_here.then_some((slot.message, slot.deliveries))
    }

    /// The same, if it is out.
    pub fn get_out(&self, ticket: Ticket) -> Option<(Message, u32)> {
        self.get(ticket).filter(|_| self.is_out(ticket))
    }

    /// Is it out?
    pub fn is_out(&self, ticket: Ticket) -> bool {
        self.is(ticket, State::Out)
    }

    /// Takes a message that waits out of its line; it counts as out, and nobody has it. In its
    /// group it keeps its place until it has left: should it not get away, it is still the first.
    fn withdraw(&mut self, ticket: Ticket) {
        let slot = &mut self.slots[ticket.slot as usize];
        (slot.state, slot.until) = (State::Held, Time::MAX);
        (self.waiting, self.out) = (self.waiting - 1, self.out + 1);
    }

    /// A message has left for good. From wherever it was: what came back to the queue can still be
    /// acknowledged.
    pub fn settle(&mut self, ticket: Ticket) -> Option<Message> {
        let (message, _) = self.get(ticket)?;
        let was_out = self.is_out(ticket);
        if !was_out && !self.is(ticket, State::Held) {
            self.withdraw(ticket);
        }
        let slot = &mut self.slots[ticket.slot as usize];
        (slot.state, slot.generation) = (State::Free, slot.generation.wrapping_add(1));
        let group = slot.group;
        self.out -= 1;
        self.free.push(ticket.slot);
        match &mut self.ready {
            Ready::Groups(groups) if was_out => groups.free(group, is_ready(&self.slots)),
            Ready::Groups(groups) => groups.forget(group, message.number, is_ready(&self.slots)),
            Ready::Line(_) => {}
        }
        Some(message)
    }

    /// A message that was out waits again, to be handed out from `from` on. If it was never really
    /// handed out, that delivery does not count. Gives it back if it has become too old meanwhile.
    pub fn put_back(
        &mut self,
        ticket: Ticket,
        from: Time,
        now: Time,
        counts: bool,
    ) -> Option<Lapse> {
        let slot = &mut self.slots[ticket.slot as usize];
        if self.ttl.is_some_and(|ttl| slot.message.since + ttl <= now) {
            return Some(Lapse::Expired(ticket));
        }
        let was_out = slot.state == State::Out;
        slot.state = if from > now { State::Later } else { State::Ready };
        slot.deliveries -= u32::from(!counts);
        let (group, end) = (slot.group, slot.message.since);
        (self.waiting, self.out) = (self.waiting + 1, self.out - 1);
        // Its end may have been passed over while it was out.
        if let Some(ttl) = self.ttl {
            let place = self.ends.partition_point(|(at, _)| *at < end + ttl);
            self.ends.insert(place, (end + ttl, ticket));
        }
        self.place(ticket, from);
        if let (Ready::Groups(groups), true) = (&mut self.ready, was_out) {
            groups.free(group, is_ready(&self.slots));
        }
        None
    }

    /// It comes back by itself at this instant and not before, if this delivery of it is still out.
    pub fn hide(&mut self, ticket: Ticket, delivery: u32, until: Time) -> bool {
        if !self.is_out(ticket) || self.slots[ticket.slot as usize].deliveries != delivery {
            return false;
        }
        self.slots[ticket.slot as usize].until = until;
        let place = self.overdue.partition_point(|(at, _)| *at <= until);
        self.overdue.insert(place, (until, ticket));
        true
    }

    /// The message that a full queue gives up; it is out from now on.
    pub fn oldest(&mut self) -> Option<Ticket> {
        let ticket = match &mut self.ready {
            Ready::Line(line) => loop {
                let Some(entry) = line.oldest() else { break None };
                let slot = &self.slots[entry.ticket.slot as usize];
                if slot.generation == entry.ticket.generation && slot.state == State::Ready {
                    break Some(entry.ticket);
                }
            },
            Ready::Groups(_) => None,
        };
        // Of those in groups, and of those that are only for later, the one accepted first.
        let ticket = ticket.or_else(|| {
            let waits = |slot: &&Slot| matches!(slot.state, State::Ready | State::Later);
            let first = self.slots.iter().filter(waits).min_by_key(|slot| slot.message.number)?;
            let place = self.slots.iter().position(|slot| std::ptr::eq(slot, first))?;
            Some(Ticket { slot: place as u32, generation: first.generation })
        })?;
        self.withdraw(ticket);
        Some(ticket)
    }

    /// Takes all that wait and come from this queue; they are out from now on.
    pub fn of_origin(&mut self, origin: u16) -> Vec<Ticket> {
        self.withdraw_all(|slot| slot.message.origin == Some(origin))
    }

    /// Takes all that wait and were handed out at least so often; they are out from now on.
    pub fn spent(&mut self, deliveries: u32) -> Vec<Ticket> {
        self.withdraw_all(|slot| slot.deliveries >= deliveries)
    }

    /// Takes all of these that wait, in the order of their numbers; they are out from now on.
    fn withdraw_all(&mut self, is_one: impl Fn(&Slot) -> bool) -> Vec<Ticket> {
        let mut found: Vec<(u64, Ticket)> = Vec::new();
        for (place, slot) in self.slots.iter().enumerate() {
            let waits = matches!(slot.state, State::Ready | State::Later);
            if waits && is_one(slot) {
                let ticket = Ticket { slot: place as u32, generation: slot.generation };
                found.push((slot.message.number, ticket));
            }
        }
        found.sort();
        found.iter().for_each(|(_, ticket)| self.withdraw(*ticket));
        found.into_iter().map(|(_, ticket)| ticket).collect()
    }

    /// All that there are, in the order of their numbers.
    pub fn all(&self) -> Vec<Ticket> {
        let slots = (0_u32..).zip(&self.slots).filter(|(_, slot)| slot.state != State::Free);
        let mut all: Vec<(u64, Ticket)> = slots
            .map(|(place, slot)| {
                (slot.message.number, Ticket { slot: place, generation: slot.generation })
            })
            .collect();
        all.sort();
        all.into_iter().map(|(_, ticket)| ticket).collect()
    }

    /// What has fallen due by `now`, one after the other, until there is nothing more.
    pub fn advance(&mut self, now: Time) -> Option<Lapse> {
        while let Some(&Reverse((at, _, ticket))) = self.later.peek() {
            if at > now {
                break;
            }
            self.later.pop();
            if self.is(ticket, State::Later) {
                self.ripen(ticket);
            }
        }
        self.tidy();
        if let Some(&(at, ticket)) = self.overdue.front().filter(|(at, _)| *at <= now) {
            debug_assert!(at <= now);
            self.overdue.pop_front();
            return Some(Lapse::Overdue(ticket));
        }
        let &(_, ticket) = self.ends.front().filter(|(at, _)| *at <= now)?;
        self.ends.pop_front();
        self.withdraw(ticket);
        Some(Lapse::Expired(ticket))
    }

    /// A message may be handed out from now on.
    fn ripen(&mut self, ticket: Ticket) {
        let slot = &mut self.slots[ticket.slot as usize];
        slot.state = State::Ready;
        let entry = Entry { rank: slot.rank, number: slot.message.number, ticket };
        let group = slot.group;
        match &mut self.ready {
            Ready::Line(line) => line.put(entry),
            Ready::Groups(groups) => groups.look(group, is_ready(&self.slots)),
        }
    }

    /// Forgets instants at which nothing happens any more.
    fn tidy(&mut self) {
        while let Some(&(at, ticket)) = self.overdue.front() {
            if self.is_out(ticket) && self.slots[ticket.slot as usize].until == at {
                break;
            }
            self.overdue.pop_front();
        }
        while let Some(&(_, ticket)) = self.ends.front() {
            if self.is(ticket, State::Ready) || self.is(ticket, State::Later) {
                break;
            }
            self.ends.pop_front();
        }
    }

    /// When something falls due next; [`Time::MAX`] for never.
    pub fn next_due(&mut self) -> Time {
        self.tidy();
        let later = self.later.peek().map(|Reverse((at, ..))| *at);
        let fronts =
            [later, self.overdue.front().map(|one| one.0), self.ends.front().map(|one| one.0)];
        fronts.into_iter().flatten().min().unwrap_or(Time::MAX)
    }
}

/// May a message be handed out now?
fn is_ready(slots: &[Slot]) -> impl Fn(Ticket) -> bool {
    |ticket| {
        let slot = &slots[ticket.slot as usize];
        slot.generation == ticket.generation && slot.state == State::Ready
    }
}

#[cfg(test)]
mod tests;
