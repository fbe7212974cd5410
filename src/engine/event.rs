//! What is pending: a 16-byte key in the queue, and for a message a 64-byte record in a slab.
//!
//! A key is `time | sequence | tag | index`, so comparing keys compares (time, order of insertion),
//! and what the event is about rides along for free: a timer needs no record at all.

use super::message::{Baggage, Class, Fault, Msg, NodeId, Reply, Root};
use super::time::{Span, Time};
use super::waits::WaitId;

const INDEX_BITS: u32 = 25;
const TAG_BITS: u32 = 3;
const SEQUENCE_BITS: u32 = 64 - INDEX_BITS - TAG_BITS;

/// How many events one run may schedule, 2^36: two hours at ten million a second.
pub const SEQUENCE_MAX: u64 = 1 << SEQUENCE_BITS;
/// How many messages or timers may be pending at once: 2^25.
pub const PENDING_MAX: usize = 1 << INDEX_BITS;

/// What a key's index points to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Tag {
    /// A record: a request arrives at a node.
    Deliver,
    /// A record: a reply arrives at the wait that asked for it.
    Reply,
    /// A wait: its time is up.
    Wake,
    /// A deadline lane: its front deadline has come.
    Lane,
    /// A record: the transport sends a request again.
    ResendRequest,
    /// A record: the transport sends a reply again.
    ResendReply,
    /// The environment's own: a job on a machine, a disk.
    Alarm,
    /// The environment's own, for what needs the nodes themselves: faults.
    Control,
}

impl Tag {
    fn of(bits: u64) -> Tag {
        match bits & 7 {
            0 => Tag::Deliver,
            1 => Tag::Reply,
            2 => Tag::Wake,
            3 => Tag::Lane,
            4 => Tag::ResendRequest,
            5 => Tag::ResendReply,
            6 => Tag::Alarm,
            _ => Tag::Control,
        }
    }
}

/// An unpacked key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Key {
    pub at: Time,
    pub sequence: u64,
    pub tag: Tag,
    pub index: u32,
}

impl Key {
    #[inline]
    pub fn pack(self) -> u128 {
        debug_assert!(self.sequence < SEQUENCE_MAX && (self.index as usize) < PENDING_MAX);
        let low = self.sequence << (TAG_BITS + INDEX_BITS)
            | (self.tag as u64) << INDEX_BITS
            | u64::from(self.index);
        u128::from(self.at.0) << 64 | u128::from(low)
    }

    #[inline]
    pub fn unpack(key: u128) -> Key {
        let low = key as u64;
        Key {
            at: Time((key >> 64) as u64),
            sequence: low >> (TAG_BITS + INDEX_BITS),
            tag: Tag::of(low >> INDEX_BITS),
            index: low as u32 & ((1 << INDEX_BITS) - 1),
        }
    }
}

/// A message under way.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// What is said, unless there is a fault. They are kept apart, because a request is then copied
    /// as a whole: taking it out of a `Reply` copies it in pieces, on which the next copy stalls.
    pub msg: Msg,
    /// Of a reply: why there is none.
    pub fault: Option<Fault>,
    /// Request: where the answer is awaited, if anywhere. Reply: the wait that it settles.
    pub wait: WaitId,
    pub from: NodeId,
    pub to: NodeId,
    pub root: Root,
    /// When it was first sent.
    pub sent: Time,
    /// How long after that the answer is of use, in microseconds; [`Record::FOREVER`] for always.
    pub patience: u32,
    /// Size of the body in bytes; of a free record, the next free one.
    pub payload: u32,
    pub class: Class,
    /// How far it has come, in the environment's own terms.
    pub stage: u8,
    /// Of a request: its caller may take it back.
    pub is_cancellable: bool,
}

impl Record {
    /// What stands in a record that says nothing, or that nobody uses.
    pub const SILENCE: Msg = Msg::Done { value: 0 };
    /// The patience of somebody who waits for ever.
    pub const FOREVER: u32 = u32::MAX;

    /// A record that says nothing, from nobody and to nobody.
    pub const BLANK: Record = Record {
        msg: Record::SILENCE,
        fault: None,
        wait: WaitId::NONE,
        from: NodeId(u32::MAX),
        to: NodeId(u32::MAX),
        root: Root::NONE,
        sent: Time(0),
        patience: Record::FOREVER,
        payload: 0,
        class: Class(0),
        stage: 0,
        is_cancellable: false,
    };

    /// How long after `now` a deadline is, as it travels. Whole microseconds, rounded down: nobody
    /// works for longer than the caller waits.
    #[inline]
    pub fn patience(deadline: Time, now: Time) -> u32 {
        if deadline == Time::MAX { Record::FOREVER } else { Record::left(deadline, now) }
    }

    #[cold]
    fn left(deadline: Time, now: Time) -> u32 {
        let left = deadline.0.saturating_sub(now.0) / Span::MICROSECOND.0;
        left.min(u64::from(Record::FOREVER) - 1) as u32
    }

    /// What travels with the message.
    #[inline]
    pub fn baggage(&self) -> Baggage {
        let deadline = match self.patience {
            Record::FOREVER => Time::MAX,
            patience => self.sent + Span::MICROSECOND * u64::from(patience),
        };
        Baggage { deadline, payload: self.payload, class: self.class }
    }

    /// Size on the wire.
    #[inline(always)]
    pub fn bytes(&self) -> u32 {
        self.msg.bytes().saturating_add(self.payload)
    }

    /// What is said: a request is `Ok`, a reply is either.
    pub fn body(&self) -> Reply {
        self.fault.map_or_else(|| Ok(self.msg.clone()), Err)
    }
}

/// The end of the list of free records.
const NONE: u32 = u32::MAX;

/// A record's place, one cache line.
#[repr(align(64))]
struct Place(Record);

/// Records by index, reused last in first out so that the hot ones stay in cache. They are written
/// and read where they lie: moving one costs more than looking at it.
pub(crate) struct Slab {
    places: Vec<Place>,
    free: u32,
    used: usize,
}

impl Default for Slab {
    fn default() -> Slab {
        Slab { places: Vec::new(), free: NONE, used: 0 }
    }
}

impl Slab {
    /// Puts a record where there is room. It is made there, once the place is known: a message that
    /// is made before lies on the stack meanwhile, and copying it from there stalls on the stores
    /// that made it.
    #[inline(always)]
    pub fn put(&mut self, record: impl FnOnce() -> Record) -> u32 {
        if self.free == NONE {
            self.grow();
        }
        let index = self.free;
        let place = &mut self.places[index as usize].0;
        self.free = place.payload;
        self.used += 1;
        // What was there says nothing, so there is nothing to be dropped.
        std::mem::forget(std::mem::replace(place, record()));
        index
    }

    /// Adds a place to the free ones, of which there are none.
    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        assert!(self.places.len() < PENDING_MAX, "more than 2^25 messages under way");
        self.free = self.places.len() as u32;
        self.places.push(Place(Record { payload: NONE, ..Record::BLANK }));
    }

    #[inline]
    pub fn get(&self, index: u32) -> &Record {
        &self.places[index as usize].0
    }

    #[inline]
    pub fn get_mut(&mut self, index: u32) -> &mut Record {
        &mut self.places[index as usize].0
    }

    /// Takes what the message says and gives its record back.
    #[inline]
    pub fn take(&mut self, index: u32) -> Msg {
        self.take_after(index, |_| ())
    }

    /// The same after a look at the record.
    #[inline(always)]
    pub fn take_after(&mut self, index: u32, look: impl FnOnce(&Record)) -> Msg {
        let record = &mut self.places[index as usize].0;
        look(record);
        record.payload = self.free;
        self.free = index;
        self.used -= 1;
        std::mem::replace(&mut record.msg, Record::SILENCE)
    }

    /// Throws a message away.
    #[inline(never)]
    pub fn discard(&mut self, index: u32) {
        drop(self.take(index));
    }

    /// How many are in use.
    pub fn len(&self) -> usize {
        self.used
    }

    /// Heap memory, in bytes.
    pub fn bytes(&self) -> usize {
        self.places.capacity() * size_of::<Place>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_cache_line() {
        assert_eq!(size_of::<Place>(), 64);
    }

    #[test]
    fn a_deadline_travels_in_whole_microseconds_and_never_grows() {
        assert_eq!(Record::patience(Time::MAX, Time(7)), Record::FOREVER);
        assert_eq!(Record::patience(Time(5_000), Time(5_000)), 0);
        assert_eq!(Record::patience(Time(4_000), Time(5_000)), 0, "it has passed");
        assert_eq!(Record::patience(Time(8_999), Time(5_000)), 3);
        assert_eq!(Record::patience(Time(u64::MAX - 1), Time(0)), Record::FOREVER - 1);
    }

    #[test]
    fn keys_order_by_time_then_sequence_and_unpack_to_what_was_packed() {
        let mut last = 0;
        for at in [0, 1, u64::MAX - 1] {
            for (sequence, tag) in (SEQUENCE_MAX - 8..SEQUENCE_MAX).zip((0..8).map(Tag::of)) {
                let index = PENDING_MAX as u32 - 1 - sequence as u32 % 5;
                let key = Key { at: Time(at), sequence, tag, index };
                assert_eq!(Key::unpack(key.pack()), key);
                assert!(key.pack() > last);
                last = key.pack();
            }
        }
    }
}
