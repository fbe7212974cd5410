//! A hierarchical timing wheel: keys beyond the hand, in buckets by time, not sorted.
//!
//! Time is cut into buckets of a power of two of nanoseconds, and the number of a bucket is written
//! in digits of base 1,024, one level of the wheel per digit. A key lies at the level of the
//! highest digit in which its bucket's number differs from the hand's. When the hand enters a slot
//! of a higher level, its keys are spread over the levels below. So a key is only ever appended to
//! a chunk and later read from it in sequence: a million pending keys cost a few such moves each,
//! where a heap would pay one cache miss per level.

use super::{Hints, time};
use crate::engine::prefetch::prefetch;

const DIGIT_BITS: u32 = 10;
/// Slots of one level.
const SLOTS: usize = 1 << DIGIT_BITS;
/// Enough for the 64 bits of the finest bucket number.
const LEVELS: usize = 64_usize.div_ceil(DIGIT_BITS as usize);

/// Keys per chunk: with the link, four cache lines.
const CHUNK: usize = 15;
const NONE: u32 = u32::MAX;

#[repr(align(64))]
struct Chunk {
    keys: [u128; CHUNK],
    next: u32,
}

/// A chain of chunks, of which only the first may be partly filled.
#[derive(Clone, Copy)]
struct Chain {
    head: u32,
    /// Keys in the first chunk, or `CHUNK` if there is none: the next push then starts one.
    filled: u32,
}

const EMPTY: Chain = Chain { head: NONE, filled: CHUNK as u32 };

/// All chunks of the wheel, and a chain of those not in use.
struct Pool {
    chunks: Vec<Chunk>,
    free: u32,
}

impl Pool {
    #[inline]
    fn push(&mut self, chain: &mut Chain, key: u128) {
        if chain.filled == CHUNK as u32 {
            self.extend(chain);
        }
        self.chunks[chain.head as usize].keys[chain.filled as usize] = key;
        chain.filled += 1;
    }

    #[inline(never)]
    fn extend(&mut self, chain: &mut Chain) {
        if self.free == NONE {
            self.free = self.chunks.len() as u32;
            self.chunks.push(Chunk { keys: [0; CHUNK], next: NONE });
        }
        let head = self.free;
        let chunk = &mut self.chunks[head as usize];
        self.free = std::mem::replace(&mut chunk.next, chain.head);
        *chain = Chain { head, filled: 0 };
    }

    /// Takes the first chunk off the chain and shows its keys, which are valid until the next push.
    #[inline]
    fn pop_chunk(&mut self, chain: &mut Chain) -> Option<&[u128]> {
        let Chain { head, filled } = *chain;
        let chunk = self.chunks.get_mut(head as usize)?;
        *chain = Chain { head: chunk.next, filled: CHUNK as u32 };
        chunk.next = std::mem::replace(&mut self.free, head);
        self.prefetch(chain);
        Some(&self.chunks[head as usize].keys[..filled as usize])
    }

    #[inline]
    fn prefetch(&self, chain: &Chain) {
        if let Some(chunk) = self.chunks.get(chain.head as usize) {
            chunk.keys.iter().step_by(4).for_each(prefetch);
        }
    }
}

struct Level {
    slots: Box<[Chain; SLOTS]>,
    /// One bit per slot.
    used: [u64; SLOTS / 64],
    /// Whether any bit may be set.
    any: bool,
}

impl Level {
    fn new() -> Self {
        Level { slots: Box::new([EMPTY; SLOTS]), used: [0; SLOTS / 64], any: false }
    }

    /// The first used slot after the one of digit `hand`.
    #[inline]
    fn after(&self, hand: u64) -> Option<usize> {
        if !self.any {
            return None;
        }
        let slot = hand as usize % SLOTS;
        let mut word = slot / 64;
        let mut bits = self.used[word] & (!1 << (slot % 64));
        while bits == 0 {
            word += 1;
            bits = *self.used.get(word)?;
        }
        Some(word * 64 + bits.trailing_zeros() as usize)
    }

    fn take(&mut self, slot: usize) -> Chain {
        self.used[slot / 64] &= !(1 << (slot % 64));
        std::mem::replace(&mut self.slots[slot], EMPTY)
    }
}

/// Keys whose buckets lie beyond the hand.
pub(super) struct Wheel {
    /// Allocated at the first `set`: a small run never needs them.
    levels: Vec<Level>,
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
        Wheel { levels: Vec::new(), pool, len: 0, shift: 0, hand: u64::MAX }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn bytes(&self) -> usize {
        let level = size_of::<Level>() + size_of::<[Chain; SLOTS]>();
        self.pool.chunks.capacity() * size_of::<Chunk>() + self.levels.capacity() * level
    }

    /// The binary logarithm of the bucket width in nanoseconds.
    pub fn shift(&self) -> u32 {
        self.shift
    }

    /// The last time that lies in the bucket of the hand.
    pub fn hand_end(&self) -> u64 {
        self.hand << self.shift | !(u64::MAX << self.shift)
    }

    /// Whether the bucket of `key` is greater than the hand's: only such keys may be pushed.
    #[inline]
    pub fn is_beyond(&self, key: u128) -> bool {
        self.bucket(key) > self.hand
    }

    #[inline]
    fn bucket(&self, key: u128) -> u64 {
        time(key) >> self.shift
    }

    /// Moves all keys to `out`, and the hand to the end of time.
    pub fn clear(&mut self, out: &mut Vec<u128>) {
        for level in self.levels.iter_mut().filter(|level| level.any) {
            for chain in level.slots.iter_mut() {
                while let Some(keys) = self.pool.pop_chunk(chain) {
                    out.extend_from_slice(keys);
                }
            }
            level.used = [0; SLOTS / 64];
            level.any = false;
        }
        self.len = 0;
        self.hand = u64::MAX;
    }

    /// Sets the bucket width of an empty wheel, and its hand to the bucket of the time `first`.
    pub fn set(&mut self, shift: u32, first: u64) {
        debug_assert_eq!(self.len, 0, "keys would be in the wrong buckets");
        if self.levels.is_empty() {
            self.levels.extend((0..LEVELS).map(|_| Level::new()));
        }
        (self.shift, self.hand) = (shift, first >> shift);
    }

    /// Takes in a key whose bucket lies beyond the hand.
    #[inline(never)]
    pub fn push(&mut self, key: u128) {
        self.len += 1;
        self.place(key);
    }

    #[inline]
    fn place(&mut self, key: u128) {
        let bucket = self.bucket(key);
        let number = ((bucket ^ self.hand) | 1).ilog2() / DIGIT_BITS;
        let slot = (bucket >> (number * DIGIT_BITS)) as usize % SLOTS;
        let level = &mut self.levels[number as usize];
        self.pool.push(&mut level.slots[slot], key);
        level.used[slot / 64] |= 1 << (slot % 64);
        level.any = true;
    }

    /// Moves the hand to the next bucket with keys in it, and those keys to `out`, which must be
    /// empty and stays so if there is none.
    pub fn advance(&mut self, out: &mut Vec<u128>, hints: &impl Hints) {
        while let Some((number, slot)) = self.nearest() {
            if number == 0 {
                return self.open(slot, out, hints);
            }
            self.spread(number, slot, out, hints);
            if !out.is_empty() {
                return;
            }
        }
    }

    /// The same within the current turn of the lowest level. To look further ahead than needed is
    /// unwise: keys that are pushed later, but before the hand, would miss the wheel.
    pub fn advance_within_turn(&mut self, out: &mut Vec<u128>, hints: &impl Hints) {
        if let Some(slot) = self.levels[0].after(self.hand) {
            self.open(slot, out, hints);
        }
    }

    /// The lowest level with anything in it holds the nearest keys.
    fn nearest(&mut self) -> Option<(usize, usize)> {
        for (number, level) in self.levels.iter_mut().enumerate() {
            if let Some(slot) = level.after(self.hand >> (number as u32 * DIGIT_BITS)) {
                return Some((number, slot));
            }
            level.any = false;
        }
        None
    }

    /// Moves the hand to a slot of the lowest level, which is one bucket, and its keys to `out`.
    #[inline]
    fn open(&mut self, slot: usize, out: &mut Vec<u128>, hints: &impl Hints) {
        self.hand = self.hand & !(SLOTS as u64 - 1) | slot as u64;
        let mut chain = self.levels[0].take(slot);
        while let Some(keys) = self.pool.pop_chunk(&mut chain) {
            // In reverse, so that keys that came in order leave as one run, which is quick to sort.
            out.extend(keys.iter().rev().inspect(|key| hints.early(**key)));
        }
        self.len -= out.len();
        if let Some(slot) = self.levels[0].after(self.hand) {
            self.pool.prefetch(&self.levels[0].slots[slot]);
        }
    }

    /// Moves the hand to the first bucket of a slot of a higher level, and the keys of that bucket
    /// to `out`, the others to lower levels.
    fn spread(&mut self, number: usize, slot: usize, out: &mut Vec<u128>, hints: &impl Hints) {
        let bits = number as u32 * DIGIT_BITS;
        self.hand = (self.hand >> bits & !(SLOTS as u64 - 1) | slot as u64) << bits;
        let mut chain = self.levels[number].take(slot);
        let mut copy = [0; CHUNK];
        while let Some(keys) = self.pool.pop_chunk(&mut chain) {
            let copy = &mut copy[..keys.len()];
            copy.copy_from_slice(keys);
            for &key in copy.iter().rev() {
                if self.bucket(key) == self.hand {
                    hints.early(key);
                    out.push(key);
                } else {
                    self.place(key);
                }
            }
        }
        self.len -= out.len();
    }
}
