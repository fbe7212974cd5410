//! What a broker's log holds, so that a crash loses exactly what each queue's persistence says.
//!
//! A message that comes in is an entry with a row; the row says its number and since when it is
//! there. A message that leaves is another entry, and so is each time that it is handed out, where
//! the queue remembers that. A restart reads all of them and has what came and did not leave.

use std::collections::BTreeMap;

use super::backlog::Message;
use super::line::Lane;
use super::settings::Persistence;
use super::{Broker, facts, message_id, note, of_message_id};
use crate::engine::{Change, Class, Expect, Fault, Name, Row, Time};
use crate::world::{Cx, Entry};

/// An entry about a message that has left its queue; the key is the message.
pub(super) const SETTLED: Name = Name::of("queue.settled");
/// An entry about a message that came; the key is the business object.
pub(super) const CAME: Name = Name::of("queue.came");
/// An entry about a message that was handed out; the key is the message, the value how often by
/// now.
pub(super) const COUNTED: Name = Name::of("queue.counted");
/// An entry about a queue whose log was compacted; the key is the message with the highest number
/// by then. Those up to it that are not in the log have left.
pub(super) const MARK: Name = Name::of("queue.mark");

/// What an entry says of a message of a queue: that it came, by its place among all that came, or
/// that it left.
#[derive(Clone, Copy)]
struct Said {
    number: u64,
    came: Option<u32>,
}

/// What the logs say. Entries are only written down when they are read, for most are of messages
/// that have left since; what is there in the end is sorted out at once.
#[derive(Default)]
pub(super) struct Found {
    said: BTreeMap<u16, Vec<Said>>,
    contents: Vec<Message>,
    /// What came and did not leave, by queue and number.
    pub messages: BTreeMap<(u16, u64), Message>,
    /// What left, by its id and in that order.
    pub settled: Vec<u64>,
    /// The highest number of each queue.
    pub newest: BTreeMap<u16, u64>,
    /// Up to these numbers what is not in the log of a queue has left.
    pub marked: BTreeMap<u16, u64>,
    /// How often messages were handed out, where that is remembered.
    pub deliveries: BTreeMap<(u16, u64), u32>,
    /// What came, whether it left or not, for queues that recognise what comes again.
    pub came: Vec<(u16, Message)>,
}

impl Found {
    /// Takes in what an entry of the broker's own log says.
    pub fn learn(&mut self, entry: &Entry) {
        let id = of_message_id(entry.key);
        match entry.what {
            SETTLED => {
                self.deliveries.remove(&id);
                return self.say(id.0, Said { number: id.1, came: None });
            }
            COUNTED => {
                self.deliveries.insert(id, entry.value as u32);
                return;
            }
            MARK => {
                self.marked.insert(id.0, id.1);
                return self.know(id.0, id.1);
            }
            _ => {}
        }
        let Some((place, message)) = read(entry, facts::STORED) else { return };
        self.comes(&message, std::iter::once(place));
        self.came.push((place, message));
    }

    /// A message came into these queues.
    pub fn comes(&mut self, message: &Message, places: impl Iterator<Item = u16>) {
        let came = Some(self.contents.len() as u32);
        self.contents.push(*message);
        places.for_each(|place| self.say(place, Said { number: message.number, came }));
    }

    fn say(&mut self, place: u16, said: Said) {
        self.said.entry(place).or_default().push(said);
    }

    /// Everything has been read: of what was said of a message the last counts. One that was never
    /// really handed out came once more after it had left.
    pub fn conclude(&mut self) {
        for (place, mut said) in std::mem::take(&mut self.said) {
            said.sort_by_key(|one| one.number);
            if let Some(newest) = said.iter().rfind(|one| one.came.is_some()) {
                self.know(place, newest.number);
            }
            for of_one in said.chunk_by(|one, next| one.number == next.number) {
                match of_one.last() {
                    Some(&Said { number, came: Some(came) }) => {
                        self.messages.insert((place, number), self.contents[came as usize]);
                    }
                    Some(&Said { number, came: None }) => {
                        self.settled.push(message_id(place, number));
                    }
                    None => {}
                }
            }
        }
    }

    /// A message has left its queue after all.
    pub fn strike(&mut self, id: (u16, u64)) {
        self.messages.remove(&id);
        self.deliveries.remove(&id);
    }

    /// This number is taken.
    pub fn know(&mut self, place: u16, number: u64) {
        let newest = self.newest.entry(place).or_default();
        *newest = number.max(*newest);
    }
}

/// What an entry of a log says of a message that came, if its row is of this table.
pub(super) fn read(entry: &Entry, table: Name) -> Option<(u16, Message)> {
    let row = entry.rows.first().filter(|row| row.table == table)?;
    let (Expect::Stamped(since), Change::Set(value)) = (row.expect, row.change) else {
        return None;
    };
    let (place, number) = of_message_id(row.key);
    let origin = (entry.value >> 8) as u16;
    let message = Message {
        number,
        root: entry.root,
        class: Class(entry.value as u8),
        payload: entry.payload,
        key: entry.key,
        value,
        since: Time(since),
        origin: origin.checked_sub(1),
    };
    Some((place, message))
}

impl Broker {
    fn append(&self, cx: &Cx, place: u16, message: &Message) -> Result<(), Fault> {
        let row = Row {
            table: facts::STORED,
            key: message_id(place, message.number),
            expect: Expect::Stamped(message.since.0),
            change: Change::Set(message.value),
        };
        let origin = message.origin.map_or(0, |origin| u64::from(origin) + 1);
        let about = u64::from(message.class.0) | origin << 8;
        cx.disk().append(CAME, message.key, about, [row].into())
    }

    /// Keeps a message as its queue's persistence has it; then it may be taken in.
    pub(super) async fn keep(&self, cx: &Cx, place: u16, message: &Message) -> Result<(), Fault> {
        match self.persistence(place) {
            Persistence::Off => Ok(()),
            Persistence::Lazy => {
                self.append(cx, place, message)?;
                cx.disk().sync_later();
                Ok(())
            }
            Persistence::On => {
                self.append(cx, place, message)?;
                self.sync(cx).await
            }
            Persistence::Mirrored => {
                self.append(cx, place, message)?;
                let copies = self.copy_out(cx, place, message);
                let turn = self.turn(cx, place, message.number);
                // What a mirror has may come back, so that it failed is not certain.
                let kept = match self.sync(cx).await {
                    Ok(()) => copies.await,
                    failed => failed,
                };
                turn.await;
                if kept.is_err() {
                    self.forget(cx, place, message.number);
                }
                kept.map_err(|_| Fault::Timeout)
            }
        }
    }

    /// A message is being stored from now on; whoever awaits this waits until all that came before
    /// it are stored, or have failed.
    fn turn<'a>(
        &'a self,
        cx: &'a Cx,
        place: u16,
        number: u64,
    ) -> impl Future<Output = ()> + use<'a> {
        let lane = self.lane(place);
        if let Some(lane) = lane {
            lane.turns.enter(number);
        }
        async move {
            if let Some(lane) = lane {
                lane.turns.pass(cx, number).await;
            }
        }
    }

    /// Makes the log durable, or gives up what the disk did not take.
    pub(super) async fn sync(&self, cx: &Cx) -> Result<(), Fault> {
        if cx.disk().sync().await.is_err() {
            cx.disk().rewind();
            return Err(Fault::Failed);
        }
        Ok(())
    }

    /// A message that is published again may still be on its way to the disk: whoever publishes it
    /// again is told what the first is told.
    pub(super) async fn confirm(
        &self,
        cx: &Cx,
        place: u16,
        number: u64,
        what: (u64, u64),
    ) -> Result<(), Fault> {
        match self.persistence(place) {
            Persistence::Off | Persistence::Lazy => Ok(()),
            Persistence::On => cx.disk().sync().await.map_err(|_| Fault::Failed),
            Persistence::Mirrored => {
                let copies = self.copy_out(cx, place, &self.message(cx, number, what));
                cx.disk().sync().await.map_err(|_| Fault::Timeout)?;
                copies.await.map_err(|_| Fault::Timeout)
            }
        }
    }

    fn persistence(&self, place: u16) -> Persistence {
        self.lane(place).map_or(Persistence::Off, |lane| lane.rules.persistence)
    }

    /// A message has left its queue.
    pub(super) fn forget(&self, cx: &Cx, place: u16, number: u64) {
        let persistence = self.persistence(place);
        if persistence == Persistence::Off {
            return;
        }
        let id = message_id(place, number);
        if cx.disk().append_plain(SETTLED, id, 0).is_ok() {
            cx.disk().sync_later();
            self.waste(cx, self.settles(place));
        } else {
            self.unwritten(cx, cx.me(), id);
        }
        if persistence == Persistence::Mirrored {
            self.uncopy_out(cx, id);
        }
    }

    /// How many entries of the log count no more when a message has left: that it came and that it
    /// left, but that an event came counts for other subscriptions.
    fn settles(&self, place: u16) -> usize {
        if self.is_subscription(place) { 1 } else { 2 }
    }

    /// A message leaves its queue, durably, before it is on its way to its consumer.
    pub(super) async fn forget_first(&self, cx: &Cx, place: u16, number: u64) -> Result<(), Fault> {
        if self.persistence(place) == Persistence::Off {
            return Ok(());
        }
        cx.disk().append_plain(SETTLED, message_id(place, number), 0)?;
        self.sync(cx).await?;
        self.waste(cx, self.settles(place));
        if self.persistence(place) == Persistence::Mirrored {
            self.uncopy_out(cx, message_id(place, number));
        }
        Ok(())
    }

    /// A message has been handed out so often by now, where that is to be remembered.
    pub(super) fn count(&self, cx: &Cx, lane: &Lane, id: u64, deliveries: u32) {
        if lane.remembers && cx.disk().append_plain(COUNTED, id, deliveries.into()).is_ok() {
            cx.disk().sync_later();
            self.waste(cx, 1);
        }
    }

    /// A message that had left its queue is there again: it never reached its consumer.
    pub(super) fn remember(&self, cx: &Cx, place: u16, message: &Message) {
        if self.persistence(place) != Persistence::Off && self.append(cx, place, message).is_ok() {
            cx.disk().sync_later();
        }
    }

    /// Finds what there was before, and opens the queues.
    pub(super) async fn recover(&self, cx: &Cx) {
        let topics = self.topics(cx);
        let (mut found, copies) = self.read_log(cx, &topics);
        cx.disk().replay().iter().for_each(|entry| topics.recall(entry));
        if !cx.disk().scrub().is_empty() {
            // What is not in a damaged log need not have left.
            found.marked.clear();
        }
        self.copied.replace(copies);
        let is_mirrored = |lane: &Lane| lane.rules.persistence == Persistence::Mirrored;
        let lanes = self.open(cx);
        if lanes.iter().any(is_mirrored) {
            self.fetch(cx, &mut found).await;
        }
        for (place, message) in &found.came {
            let Some(lane) = lanes.get(usize::from(*place)) else { continue };
            if lane.rules.deduplication.is_some() {
                let recent = &mut lane.line.borrow_mut().recent;
                recent.add(message.since, message.root, message.key, message.number);
            }
        }
        for (&(place, _), message) in &found.messages {
            let Some(lane) = lanes.get(usize::from(place)) else { continue };
            let delay = lane.delay.as_ref().map(|delay| cx.draw(delay)).unwrap_or_default();
            let deliveries = found.deliveries.get(&(place, message.number));
            let deliveries = deliveries.copied().unwrap_or_default();
            lane.admit(cx, *message, message.since + delay, deliveries);
            lane.note_group(cx, message, place);
            note(cx, message, place, facts::RECOVERED, deliveries.into());
        }
        for (place, lane) in (0_u16..).zip(&lanes) {
            let mut line = lane.line.borrow_mut();
            let newest = found.newest.get(&place).copied().unwrap_or_default();
            line.backlog.begin_after(newest);
            let depth = line.backlog.depth() as u64;
            drop(line);
            cx.note(facts::OPENED, message_id(place, 0), depth);
        }
        let of_events = found.newest.iter().filter(|(place, _)| self.is_subscription(**place));
        of_events.for_each(|(_, number)| topics.begin_after(*number));
        let _ = self.routes.set(topics);
        // A node boots once in each of its lives.
        let _ = self.lanes.set(lanes);
    }
}
