//! Random numbers: one independent ChaCha8 stream per entity, drawn in ways that never change.
//!
//! An entity's stream depends on the run's seed and the entity's own name only, so adding a node
//! leaves the luck of all others as it was, and two designs compared under one seed meet the same
//! weather (common random numbers). Every draw is made of [`Rng::u64`] by the arithmetic in this
//! file; the one thing trusted from outside is the ChaCha stream, which is a published standard.

mod ziggurat;

use std::fmt;

use rand::rand_core::{Rng as _, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::engine::prefetch::prefetch;
use crate::engine::units::Ratio;
use ziggurat::{EXP_TAIL, NORMAL_TAIL, TABLES, Tables, ULP};

/// Numbers computed at a time: eight blocks of the cipher, which computes four side by side.
const BATCH: usize = 64;
/// The same in the cipher's own words of 32 bits.
const BATCH_WORDS: u128 = 2 * BATCH as u128;

/// The random stream of one entity.
///
/// Creating one only notes whose it is, in less than a cache line; the first numbers are computed,
/// and take memory, at the first draw. A clone continues with the same numbers.
#[derive(Clone)]
pub struct Rng {
    batch: Box<[u64]>,
    /// The next number's place, counted from the beginning of `batch`; past its end they must be
    /// computed first.
    next: u32,
    /// How many batches there were, computed or left out.
    batches: u32,
    // Held here, so that a draw does not ask each time whether the tables exist.
    tables: &'static Tables,
    seed: u64,
    stream: u64,
}

impl Rng {
    /// The stream of the named entity under the run's seed.
    pub fn new(seed: u64, name: &str) -> Rng {
        Rng::from_hash(seed, name_hash(name))
    }

    /// The same for a name that was hashed before, by [`name_hash`].
    pub fn from_hash(seed: u64, hash: u64) -> Rng {
        Rng { next: 0, batch: Box::default(), tables: &TABLES, seed, stream: hash, batches: 0 }
    }

    /// Sixty-four random bits.
    #[inline]
    pub fn u64(&mut self) -> u64 {
        match self.batch.get(self.next as usize) {
            Some(&number) => {
                self.next += 1;
                number
            }
            None => self.refill(),
        }
    }

    /// Computes the batch in which the next number is, and returns that.
    #[cold]
    #[inline(never)]
    fn refill(&mut self) -> u64 {
        let mut key = [0; 32];
        let mut state = self.seed;
        for part in key.as_chunks_mut().0 {
            *part = split_mix(&mut state).to_le_bytes();
        }
        let mut cipher = ChaCha8Rng::from_seed(key);
        cipher.set_stream(self.stream);
        let ahead = self.next as usize - self.batch.len();
        let batch = u64::from(self.batches) + (ahead / BATCH) as u64;
        cipher.set_word_pos(u128::from(batch) * BATCH_WORDS);
        self.batches = u32::try_from(batch + 1).expect("a stream has 2^38 numbers");
        let mut bytes = [0; 8 * BATCH];
        cipher.fill_bytes(&mut bytes);
        let numbers = bytes.as_chunks().0.iter().map(|number| u64::from_le_bytes(*number));
        if self.batch.is_empty() {
            self.batch = Box::new([0; BATCH]);
        }
        self.batch.iter_mut().zip(numbers).for_each(|(place, number)| *place = number);
        let place = ahead % BATCH;
        self.next = place as u32 + 1;
        self.batch[place]
    }

    /// Hints that the next number is about to be drawn.
    #[inline]
    pub(crate) fn prefetch(&self) {
        if let Some(number) = self.batch.get(self.next as usize) {
            prefetch(number);
        }
    }

    /// A whole number from 0 up to but without the bound, each equally likely. Panics on a bound of
    /// zero, which asks for a number that does not exist.
    ///
    /// Source: D. Lemire, "Fast Random Integer Generation in an Interval", ACM TOMACS 29(1), 2019.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "Rng::below needs a bound above zero");
        let mut product = u128::from(self.u64()) * u128::from(bound);
        if (product as u64) < bound {
            // Of the 2^64 inputs, 2^64 mod bound are too many to divide evenly: drawn again.
            let surplus = bound.wrapping_neg() % bound;
            while (product as u64) < surplus {
                product = u128::from(self.u64()) * u128::from(bound);
            }
        }
        (product >> 64) as u64
    }

    /// A float from 0 up to but without 1: 53 random bits.
    #[inline]
    pub fn unit(&mut self) -> f64 {
        (self.u64() >> 11) as f64 * ULP
    }

    /// A float above 0 and up to 1, so that its logarithm is finite.
    #[inline]
    pub fn open_unit(&mut self) -> f64 {
        ((self.u64() >> 11) + 1) as f64 * ULP
    }

    /// Whether an event of this probability happens.
    ///
    /// Always takes exactly one number from the stream, also for 0 and 1: a run with losses and a
    /// run without stay aligned, and whatever happens at 1 % also happens at 2 %. The probability
    /// is exact to 2^-64, and 0 and 1 are certain.
    #[inline]
    pub fn chance(&mut self, ratio: Ratio) -> bool {
        if ratio.is_zero() {
            self.skip();
            return false;
        }
        ratio.covers(self.u64())
    }

    /// Leaves out a number. As long as nothing else is asked of a stream its numbers are not
    /// computed, and take no memory.
    #[inline]
    fn skip(&mut self) {
        match self.next.checked_add(1) {
            Some(next) => self.next = next,
            None => _ = self.u64(),
        }
    }

    /// A standard exponential number (mean 1).
    ///
    /// Source: G. Marsaglia and W. W. Tsang, "The Ziggurat Method for Generating Random Variables",
    /// Journal of Statistical Software 5(8), 2000.
    #[inline]
    pub fn exp(&mut self) -> f64 {
        match self.exp_at_once() {
            Some(x) => x,
            None => self.exp_edge(),
        }
    }

    /// The same if it takes neither a new batch nor a second number, else nothing is drawn. So a
    /// caller that hands the rest on saves no registers for it.
    #[inline(always)]
    pub(crate) fn exp_at_once(&mut self) -> Option<f64> {
        let bits = *self.batch.get(self.next as usize)?;
        let layer = &self.tables.exp.layers[(bits & 0xff) as usize];
        if !layer.holds(bits) {
            return None;
        }
        self.next += 1;
        Some(layer.place(bits))
    }

    /// The rest: a new batch, or the hundredth of the draws that fall outside the rectangles.
    #[cold]
    fn exp_edge(&mut self) -> f64 {
        loop {
            let bits = self.u64();
            let index = (bits & 0xff) as usize;
            let layer = &self.tables.exp.layers[index];
            let x = layer.place(bits);
            if layer.holds(bits) {
                return x;
            }
            if index == 0 {
                // Beyond its start the tail of an exponential is an exponential again.
                return EXP_TAIL - libm::log(self.open_unit());
            }
            let share = self.unit();
            if self.tables.exp.height(index, share) < libm::exp(-x) {
                return x;
            }
        }
    }

    /// A standard normal number (mean 0, variance 1); same source as [`Rng::exp`].
    #[inline]
    pub fn normal(&mut self) -> f64 {
        let bits = self.u64();
        let layer = &self.tables.normal.layers[(bits & 0xff) as usize];
        let x = layer.place(bits);
        if layer.holds(bits) { signed(x, bits) } else { self.normal_edge(bits) }
    }

    /// The draws that fall outside the rectangles.
    #[cold]
    fn normal_edge(&mut self, mut bits: u64) -> f64 {
        loop {
            let index = (bits & 0xff) as usize;
            let layer = &self.tables.normal.layers[index];
            let x = layer.place(bits);
            if layer.holds(bits) {
                return signed(x, bits);
            }
            if index == 0 {
                return signed(self.normal_tail(), bits);
            }
            let share = self.unit();
            if self.tables.normal.height(index, share) < libm::exp(-0.5 * x * x) {
                return signed(x, bits);
            }
            bits = self.u64();
        }
    }

    /// A normal number beyond the start of the tail.
    ///
    /// Source: G. Marsaglia, "Generating a Variable from the Tail of the Normal Distribution",
    /// Technometrics 6(1), 1964.
    fn normal_tail(&mut self) -> f64 {
        loop {
            let beyond = -libm::log(self.open_unit()) / NORMAL_TAIL;
            let height = -libm::log(self.open_unit());
            if 2.0 * height > beyond * beyond {
                return NORMAL_TAIL + beyond;
            }
        }
    }

    /// One of the items, each equally likely; `None` if there are none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() { None } else { Some(&items[self.below(items.len() as u64) as usize]) }
    }

    /// Brings the items into a random order, each equally likely (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.below(end as u64 + 1) as usize);
        }
    }
}

/// The state is a secret of no use to a reader, and half a kibibyte long.
impl fmt::Debug for Rng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rng").finish_non_exhaustive()
    }
}

/// A stable 64-bit hash of an entity's name, the id of its stream: FNV-1a, and then a finaliser,
/// because FNV alone leaves names that differ in one letter with nearly equal hashes.
///
/// Source: draft-eastlake-fnv; the finaliser is that of A. Appleby's MurmurHash3.
pub const fn name_hash(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        at += 1;
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// The next number of a SplitMix64 sequence, which turns a seed of any quality into a key.
///
/// Source: G. L. Steele, D. Lea and C. H. Flood, "Fast Splittable Pseudorandom Number Generators",
/// OOPSLA 2014.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut word = *state;
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// The number with the sign that one of the bits says, which neither the layer nor the place uses.
fn signed(x: f64, bits: u64) -> f64 {
    f64::from_bits(x.to_bits() | (bits & 0x100) << 55)
}

#[cfg(test)]
mod tests;
