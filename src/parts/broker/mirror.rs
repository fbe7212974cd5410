//! Copies of a broker's messages on other brokers, for the day on which its disk is lost.
//!
//! A message is taken in when enough mirrors have it, durably. A broker that starts asks so many of
//! them for what they have that whatever was taken in is known to at least one of those it hears
//! from. A mirror that misses that a message has left still has it, so a disk that is lost can
//! bring messages back that were processed: at least once, not exactly once.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::backlog::Message;
use super::compact::mark;
use super::journal::Found;
use super::{Broker, facts, message_id, of_message_id};
use crate::engine::{
    Baggage, Call, Change, Class, Expect, Fault, Msg, Name, NodeId, Parcel, Reply, Row, Span, Time,
    quorum,
};
use crate::world::{Cx, Entry, World};

/// What a mirror is told: a message has left its queue; the key is the message.
pub(super) const SETTLED: Name = Name::of("mirror.settled");
/// What a mirror is asked: for all that it keeps for whoever asks.
pub(super) const COPIES: Name = Name::of("mirror.copies");
/// Entries of a mirror's log: it has a message, it has it no more.
const COPY: Name = Name::of("mirror.copy");
const NO_COPY: Name = Name::of("mirror.no-copy");
/// An entry of a mirror's log that was compacted: the key is the message of another broker's queue
/// with the highest number by then.
const MARK: Name = Name::of("mirror.mark");

/// How long a mirror has to answer; after that it is asked no more, or asked again.
const PATIENCE: Span = Span::SECOND;
/// How long a broker that starts waits before it asks its mirrors again.
const PAUSE: Span = Span::from_millis(100);
/// What is no message but the highest number of a queue.
const NEWEST: u32 = u32::MAX;

/// What a broker keeps for others, by whose it is and which message.
#[derive(Clone, Debug, Default)]
pub(super) struct Copies {
    kept: BTreeMap<(NodeId, u64), Parcel>,
    newest: BTreeMap<(NodeId, u16), u64>,
}

impl Copies {
    /// Is a message of another broker among them?
    pub fn has(&self, owner: NodeId, id: u64) -> bool {
        self.kept.contains_key(&(owner, id))
    }

    pub fn forget(&mut self, owner: NodeId, id: u64) {
        self.kept.remove(&(owner, id));
    }

    /// Does this entry of the log still count?
    pub fn needs(&self, entry: &Entry) -> bool {
        let owner = NodeId((entry.value >> 32) as u32);
        let is_kept = || entry.rows.first().is_some_and(|row| self.has(owner, row.key));
        entry.what == COPY && is_kept()
    }

    /// The entries that say the highest number of each queue, whether a copy is kept or not.
    pub fn marks(&self) -> impl Iterator<Item = Entry> {
        let newest = self.newest.iter();
        newest.map(|(&(owner, place), &number)| {
            mark(MARK, message_id(place, number), u64::from(owner.0) << 32)
        })
    }

    fn add(&mut self, owner: NodeId, parcel: Parcel) {
        self.know(owner, parcel.id);
        self.kept.insert((owner, parcel.id), parcel);
    }

    /// The number of this message is taken.
    fn know(&mut self, owner: NodeId, id: u64) {
        let (place, number) = of_message_id(id);
        let newest = self.newest.entry((owner, place)).or_default();
        *newest = number.max(*newest);
    }

    /// Takes in what an entry of the log says, if it is about copies.
    pub fn learn(&mut self, entry: &Entry) -> bool {
        let owner = NodeId((entry.value >> 32) as u32);
        match entry.what {
            COPY => {
                let row = entry.rows.first().map(|row| (row.key, row.expect, row.change));
                let Some((id, Expect::Stamped(since), Change::Set(value))) = row else {
                    return true;
                };
                let parcel = Parcel {
                    id,
                    root: entry.root,
                    class: Class(entry.value as u8),
                    payload: entry.payload,
                    key: entry.key,
                    value,
                    since: Time(since),
                    count: u32::from((entry.value >> 8) as u16),
                };
                self.add(owner, parcel);
            }
            NO_COPY => self.forget(owner, entry.key),
            MARK => self.know(owner, entry.key),
            _ => return false,
        }
        true
    }

    /// All that is kept for a broker, and the highest number of each of its queues.
    fn of(&self, owner: NodeId) -> Vec<Parcel> {
        let all = |id: u64| (owner, id);
        let kept = self.kept.range(all(0)..=all(u64::MAX)).map(|(_, parcel)| *parcel);
        let newest = self.newest.range((owner, 0)..=(owner, u16::MAX));
        let newest = newest.map(|((_, place), number)| Parcel {
            id: message_id(*place, *number),
            count: NEWEST,
            ..Parcel::NOTHING
        });
        kept.chain(newest).collect()
    }
}

impl Broker {
    /// How many mirrors have a message before it is taken in.
    fn copies_needed(&self) -> usize {
        let majority = self.mirrors.len().div_ceil(2);
        self.copies.map_or(majority, |copies| copies as usize)
    }

    /// Sends a message to all mirrors, now; whoever awaits this waits for enough of them.
    pub(super) fn copy_out<'c>(
        &self,
        cx: &'c Cx,
        place: u16,
        message: &Message,
    ) -> impl Future<Output = Result<(), Fault>> + use<'c> {
        self.copy_all_out(cx, [message.parcel(place)].into())
    }

    /// The same of several messages at once.
    pub(super) fn copy_all_out<'c>(
        &self,
        cx: &'c Cx,
        parcels: Rc<[Parcel]>,
    ) -> impl Future<Output = Result<(), Fault>> + use<'c> {
        let along = cx.baggage();
        // Its body is part of the batch.
        cx.set_baggage(Baggage { payload: 0, ..along });
        let send = |mirror: &NodeId| {
            cx.call(*mirror, Msg::Batch { parcels: parcels.clone() }).within(PATIENCE)
        };
        let calls: Vec<Call<'c, World>> = self.mirrors.iter().map(send).collect();
        cx.set_baggage(along);
        quorum(self.copies_needed(), calls)
    }

    /// Tells all mirrors that a message has left its queue.
    pub(super) fn uncopy_out(&self, cx: &Cx, id: u64) {
        let along = cx.baggage();
        cx.set_baggage(Baggage::NONE);
        for mirror in &self.mirrors {
            cx.send(*mirror, Msg::Do { verb: SETTLED, key: id, value: u64::from(cx.me().0) });
        }
        cx.set_baggage(along);
    }

    /// Keeps another broker's messages.
    pub(super) async fn copy(&self, cx: &Cx, parcels: &[Parcel]) -> Reply {
        self.work(cx, COPY).await?;
        let owner = cx.caller().ok_or(Fault::Unknown)?;
        for parcel in parcels {
            let row = Row {
                table: facts::COPIED,
                key: parcel.id,
                expect: Expect::Stamped(parcel.since.0),
                change: Change::Set(parcel.value),
            };
            let about = u64::from(parcel.class.0) | u64::from(parcel.count as u16) << 8;
            cx.set_baggage(Baggage { payload: parcel.payload, ..cx.baggage() });
            cx.disk().append(COPY, parcel.key, about | u64::from(owner.0) << 32, [row].into())?;
        }
        if cx.disk().sync().await.is_err() {
            cx.disk().rewind();
            return Err(Fault::Failed);
        }
        let mut copied = self.copied.borrow_mut();
        parcels.iter().for_each(|parcel| copied.add(owner, *parcel));
        Ok(Msg::Done { value: parcels.len() as u64 })
    }

    /// A message of another broker has left its queue.
    pub(super) fn uncopy(&self, cx: &Cx, id: u64, owner: u64) {
        let whose = NodeId(owner as u32);
        let known = self.copied.borrow_mut().kept.remove(&(whose, id));
        if known.is_none() {
            return;
        }
        if cx.disk().append_plain(NO_COPY, id, owner << 32).is_ok() {
            cx.disk().sync_later();
            self.waste(cx, 2);
        } else {
            self.unwritten(cx, whose, id);
        }
    }

    /// All that is kept for whoever asks.
    pub(super) fn copies_of(&self, cx: &Cx) -> Msg {
        let owner = cx.caller().unwrap_or(cx.me());
        Msg::Batch { parcels: self.copied.borrow().of(owner).into() }
    }

    /// Asks mirrors for what they have, until it has heard from so many that nothing is missing.
    pub(super) async fn fetch(&self, cx: &Cx, found: &mut Found) {
        let needed = self.mirrors.len() + 1 - self.copies_needed();
        let mut heard: Vec<NodeId> = Vec::new();
        while heard.len() < needed {
            let others = self.mirrors.iter().filter(|mirror| !heard.contains(mirror)).copied();
            let ask = |mirror| {
                let ask = Msg::Do { verb: COPIES, key: 0, value: 0 };
                (mirror, cx.call(mirror, ask).within(PATIENCE))
            };
            let asked: Vec<_> = others.map(ask).collect();
            for (mirror, answer) in asked {
                if let Ok(Msg::Batch { parcels }) = answer.await {
                    heard.push(mirror);
                    parcels.iter().for_each(|parcel| found.hear(parcel));
                }
            }
            if heard.len() < needed {
                let _ = cx.sleep(PAUSE).await;
            }
        }
    }
}

impl Message {
    /// As a mirror is sent it; `place` is that of its queue.
    pub(super) fn parcel(&self, place: u16) -> Parcel {
        Parcel {
            id: message_id(place, self.number),
            root: self.root,
            class: self.class,
            payload: self.payload,
            key: self.key,
            value: self.value,
            since: self.since,
            count: self.origin.map_or(0, |origin| u32::from(origin) + 1),
        }
    }
}

impl Found {
    /// Does the log say that this message has left its queue?
    fn has_left(&self, place: u16, number: u64) -> bool {
        let is_there = self.messages.contains_key(&(place, number));
        let is_marked = self.marked.get(&place).is_some_and(|newest| number <= *newest);
        self.settled.binary_search(&message_id(place, number)).is_ok() || is_marked && !is_there
    }

    /// Takes in what a mirror has.
    fn hear(&mut self, parcel: &Parcel) {
        let (place, number) = of_message_id(parcel.id);
        self.know(place, number);
        if parcel.count == NEWEST || self.has_left(place, number) {
            return;
        }
        let message = Message {
            number,
            root: parcel.root,
            class: parcel.class,
            payload: parcel.payload,
            key: parcel.key,
            value: parcel.value,
            since: parcel.since,
            origin: (parcel.count as u16).checked_sub(1),
        };
        self.messages.entry((place, number)).or_insert(message);
    }
}
