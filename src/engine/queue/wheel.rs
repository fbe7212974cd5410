//! A hierarchical timing wheel: keys beyond the hand, in buckets by time, not sorted.
//!
//! Time is cut into buckets of a power of two of nanoseconds, and the number of a bucket is written
//! in digits: a lowest one of base 4,096 and others of base 1,024, one level of the wheel per
//! digit. A key lies at the level of the highest digit in which its bucket's number differs from
//! the hand's. When the hand enters a slot of a higher level, its keys are spread over the levels
//! below. So a key is only ever appended to a chunk and later read from it in sequence: a million
//! pending keys cost a few such moves each, where a heap would pay one cache miss per level.

use super::{Hints, sort, time};
use crate::engine::prefetch::prefetch;

/// Slots of the lowest level. It is the widest, because a key that lies there is not moved again.
const LOW_BITS: u32 = 12;
const LOW: usize = 1 << LOW_BITS;
/// Slots of every other level.
const HIGH_BITS: u32 = 10;
const HIGH: usize = 1 << HIGH_BITS;
/// Enough for the 64 bits of the finest bucket number.
const LEVELS: usize = 1 + (64 - LOW_BITS as usize).div_ceil(HIGH_BITS as usize);
const SLOTS: usize = LOW + (LEVELS - 1) * HIGH;

/// Four cache lines: a link, and up to fifteen keys.
const CHUNK: usize = 16;
const NONE: u32 = u32::MAX;

/// Its first place holds the end of the rest of the chain, or of a free chunk the next free one.
#[repr(align(64))]
struct Chunk([u128; CHUNK]);

/// All chunks of the wheel, and a chain of those not in use. A chain is known by its end: the place
/// after its newest key, counted over all chunks, and 0 if it has none. Only its newest chunk may
/// be partly filled; if it is full, the end is a multiple of `CHUNK`, as is that of an empty chain.
struct Pool {
    chunks: Vec<Chunk>,
    free: u32,
}

impl Pool {
    /// Adds a chunk with one key to the chain that ends at `end`; returns the new end.
    fn extend(&mut self, end: u32, key: u128) -> u32 {
        if self.free == NONE {
            self.free = self.chunks.len() as u32;
            self.chunks.push(Chunk([u128::from(NONE); CHUNK]));
        }
        let chunk = self.free;
        let [link, first, ..] = &mut self.chunks[chunk as usize].0;
        self.free = std::mem::replace(link, u128::from(end)) as u32;
        *first = key;
        chunk * CHUNK as u32 + 2
    }

    /// The keys in the newest chunk of a chain.
    #[inline]
    fn newest(&self, end: u32) -> &[u128] {
        let Some(last) = end.checked_sub(1).map(|last| last as usize) else { return &[] };
        &self.chunks[last / CHUNK].0[1..=last % CHUNK]
    }

    /// Takes the newest chunk off the chain and shows its keys, which are valid until the next
    /// push.
    #[inline]
    fn pop_chunk(&mut self, end: &mut u32) -> Option<&[u128]> {
        let last = end.checked_sub(1)? as usize;
        let Chunk(places) = &mut self.chunks[last / CHUNK];
        *end = std::mem::replace(&mut places[0], u128::from(self.free)) as u32;
        self.free = (last / CHUNK) as u32;
        self.prefetch(*end);
        Some(&self.chunks[last / CHUNK].0[1..=last % CHUNK])
    }

    /// Hints that the newest chunk of a chain will be read.
    #[inline]
    fn prefetch(&self, end: u32) {
        if let Some(chunk) = self.chunks.get(end.wrapping_sub(1) as usize / CHUNK) {
            chunk.0.iter().step_by(4).for_each(prefetch);
        }
    }
}

/// Keys whose buckets lie beyond the hand.
pub(super) struct Wheel {
    /// The ends of the chains of all slots, those of the lowest level first. Allocated at the first
    /// `set`: a small run never needs them.
    slots: Vec<u32>,
    /// One bit per slot.
    used: Vec<u64>,
    /// One bit per level: whether any of its slots may be used.
    levels: u32,
    pool: Pool,
    len: usize,
    /// The binary logarithm of the bucket width in nanoseconds.
    shift: u32,
    /// The bucket that was taken out last: every key here has a greater one.
    hand: u64,
}

impl Wheel {
    /// An empty wheel with its hand at the end of time: it takes no key until it is set.
    pub fn new() -> Self {
        let pool = Pool { chunks: Vec::new(), free: NONE };
        let (slots, used) = (Vec::new(), Vec::new());
        Wheel { slots, used, levels: 0, pool, len: 0, shift: 0, hand: u64::MAX }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn bytes(&self) -> usize {
        let slots = self.slots.capacity() * size_of::<u32>() + self.used.capacity() * 8;
        self.pool.chunks.capacity() * size_of::<Chunk>() + slots
    }

    /// The binary logarithm of the bucket width in nanoseconds.
    pub fn shift(&self) -> u32 {
        self.shift
    }

    /// The last time that lies in the bucket of the hand.
    pub fn hand_end(&self) -> u64 {
        self.hand << self.shift | !(u64::MAX << self.shift)
    }

    #[inline]
    fn bucket(&self, key: u128) -> u64 {
        time(key) >> self.shift
    }

    /// Moves all keys to `out`, and the hand to the end of time.
    pub fn clear(&mut self, out: &mut Vec<u128>) {
        for (word, used) in self.used.iter_mut().enumerate() {
            let mut bits = std::mem::take(used);
            while bits != 0 {
                let end = &mut self.slots[word * 64 + bits.trailing_zeros() as usize];
                while let Some(keys) = self.pool.pop_chunk(end) {
                    out.extend_from_slice(keys);
                }
                bits &= bits - 1;
            }
        }
        (self.levels, self.len, self.hand) = (0, 0, u64::MAX);
    }

    /// Sets the bucket width of an empty wheel, and its hand to the bucket of the time `first`.
    pub fn set(&mut self, shift: u32, first: u64) {
        debug_assert_eq!(self.len, 0, "keys would be in the wrong buckets");
        self.slots.resize(SLOTS, 0);
        self.used.resize(SLOTS / 64, 0);
        (self.shift, self.hand) = (shift, first >> shift);
    }

    /// Takes in a key whose bucket lies beyond the hand.
    #[inline(always)]
    pub fn push(&mut self, key: u128) {
        self.len += 1;
        let bucket = self.bucket(key);
        let far = bucket ^ self.hand;
        let slot =
            if far < LOW as u64 { bucket as usize % LOW } else { Wheel::slot_above(bucket, far) };
        let end = &mut self.slots[slot];
        let place = *end as usize;
        if place.is_multiple_of(CHUNK) {
            return self.push_first(slot, key);
        }
        *end += 1;
        self.pool.chunks[place / CHUNK].0[place % CHUNK] = key;
    }

    /// The slot above the lowest level of a bucket whose number differs from the hand's by these
    /// bits.
    #[inline]
    fn slot_above(bucket: u64, far: u64) -> usize {
        let number = ((far >> LOW_BITS).max(1).ilog2() / HIGH_BITS) as usize;
        let digit = bucket >> (LOW_BITS + number as u32 * HIGH_BITS);
        LOW + number * HIGH + digit as usize % HIGH
    }

    /// Takes in a key with a chunk of its own.
    #[inline(never)]
    fn push_first(&mut self, slot: usize, key: u128) {
        self.used[slot / 64] |= 1 << (slot % 64);
        self.levels |= 1 << (slot.saturating_sub(LOW - HIGH) / HIGH);
        self.slots[slot] = self.pool.extend(self.slots[slot], key);
    }

    /// Moves the hand to the next bucket with keys in it, and those keys in descending order to
    /// `out`, which must be empty and stays so if there is none.
    pub fn advance(&mut self, out: &mut Vec<u128>, hints: &impl Hints) {
        while let Some((level, slot)) = self.nearest() {
            if level == 0 {
                self.open(slot, out);
            } else {
                self.spread(level, slot, out);
            }
            if !out.is_empty() {
                return self.look_ahead(hints);
            }
        }
    }

    /// The lowest level with anything in it holds the nearest keys.
    #[inline]
    fn nearest(&mut self) -> Option<(usize, usize)> {
        while self.levels != 0 {
            let level = self.levels.trailing_zeros() as usize;
            if let Some(slot) = self.after(level, self.hand) {
                return Some((level, slot));
            }
            self.levels &= self.levels - 1;
        }
        None
    }

    /// The first used slot of a level after that of `bucket`.
    #[inline]
    fn after(&self, level: usize, bucket: u64) -> Option<usize> {
        let (slot, end) = match level.checked_sub(1) {
            None => (bucket as usize % LOW, LOW),
            Some(number) => {
                let digit = bucket >> (LOW_BITS + number as u32 * HIGH_BITS);
                let first = LOW + number * HIGH;
                (first + digit as usize % HIGH, first + HIGH)
            }
        };
        let used = self.used.get(..end / 64)?;
        let mut word = slot / 64;
        let mut bits = used[word] & (!1 << (slot % 64));
        while bits == 0 {
            word += 1;
            bits = *used.get(word)?;
        }
        Some(word * 64 + bits.trailing_zeros() as usize)
    }

    fn take(&mut self, slot: usize) -> u32 {
        self.used[slot / 64] &= !(1 << (slot % 64));
        std::mem::take(&mut self.slots[slot])
    }

    /// Moves the hand to a slot of the lowest level, which is one bucket, and its keys to `out`.
    #[inline]
    fn open(&mut self, slot: usize, out: &mut Vec<u128>) {
        self.hand = self.hand & !(LOW as u64 - 1) | slot as u64;
        let mut end = self.take(slot);
        let first = self.hand << self.shift;
        match self.pool.pop_chunk(&mut end) {
            Some(keys) if end == 0 => sort_chunk(keys, first, self.shift, out),
            Some(keys) => out.extend_from_slice(keys),
            None => {}
        }
        if end > 0 {
            while let Some(keys) = self.pool.pop_chunk(&mut end) {
                out.extend_from_slice(keys);
            }
            sort(out);
        }
        self.len -= out.len();
    }

    /// Gives hints of the bucket after the hand's, and fetches the one after that.
    #[inline]
    fn look_ahead(&self, hints: &impl Hints) {
        let Some(slot) = self.after(0, self.hand).filter(|_| hints.are_wanted()) else { return };
        self.pool.newest(self.slots[slot]).iter().for_each(|key| hints.early(*key));
        if let Some(slot) = self.after(0, slot as u64) {
            self.pool.prefetch(self.slots[slot]);
        }
    }

    /// Moves the hand to the first bucket of a slot of a higher level, and the keys of that bucket
    /// to `out`, the others to lower levels.
    #[inline(never)]
    fn spread(&mut self, level: usize, slot: usize, out: &mut Vec<u128>) {
        let bits = LOW_BITS + (level as u32 - 1) * HIGH_BITS;
        self.hand = (self.hand >> bits & !(HIGH as u64 - 1) | (slot % HIGH) as u64) << bits;
        let mut end = self.take(slot);
        let (mut copy, mut moved) = ([0; CHUNK], 0);
        while let Some(keys) = self.pool.pop_chunk(&mut end) {
            let copy = &mut copy[..keys.len()];
            copy.copy_from_slice(keys);
            for &key in &*copy {
                if self.bucket(key) == self.hand {
                    out.push(key);
                } else {
                    self.push(key);
                    moved += 1;
                }
            }
        }
        sort(out);
        self.len -= moved + out.len();
    }
}

/// Appends the keys of one chunk to the empty `out` in descending order; all lie in the bucket of
/// width `1 << shift` that begins at `first`. A key's place is the number of those that are later:
/// more comparisons than a sort needs, but four at a time, and none that the processor could
/// mispredict. They are made of 31 bits of the time; where those are equal, keys are compared
/// whole.
#[inline]
fn sort_chunk(keys: &[u128], first: u64, shift: u32, out: &mut Vec<u128>) {
    let mut offsets = [0_i32; CHUNK];
    let coarse = shift.saturating_sub(31);
    for (offset, key) in offsets.iter_mut().zip(keys) {
        *offset = ((time(*key) - first) >> coarse) as i32;
    }
    let mut places = [0_i32; CHUNK];
    for (places, own) in
        places.as_chunks_mut().0.iter_mut().zip(offsets.as_chunks().0).take(keys.len().div_ceil(4))
    {
        *places = count_later(&offsets[..keys.len().min(CHUNK)], own);
    }
    out.extend_from_slice(keys);
    let sorted = out.as_mut_slice();
    let mut taken = 0_u32;
    for (key, place) in keys.iter().zip(places) {
        sorted[place as usize] = *key;
        taken |= 1 << place;
    }
    // Two keys in one place leave another free.
    if taken != (1 << keys.len()) - 1 {
        sorted.copy_from_slice(keys);
        sort(sorted);
    }
}

/// For four offsets at a time how many others are later: what a compiler turns into vectors.
#[inline(always)]
fn count_later(others: &[i32], own: &[i32; 4]) -> [i32; 4] {
    let mut counts = [0; 4];
    for other in others {
        for (count, own) in counts.iter_mut().zip(own) {
            *count += i32::from(other > own);
        }
    }
    counts
}
