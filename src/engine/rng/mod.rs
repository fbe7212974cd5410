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
    /// The next number's place, from the beginning of `batch` on; past its end they must be computed
    /// first.
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
        self.batches += (ahead / BATCH) as u32;
        cipher.set_word_pos(u128::from(self.batches) * BATCH_WORDS);
        self.batches = self.batches.checked_add(1).expect("a stream has 2^38 numbers");
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

    /// Of which the hundredth falls outside the rectangles.
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

/// The state is a secret of no use to a reader, and 300 bytes long.
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
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_chacha8_with_the_expanded_seed_and_the_hashed_name() {
        let mut state = 42;
        let words: [u64; 4] = std::array::from_fn(|_| split_mix(&mut state));
        // The first numbers of SplitMix64 from 42, as other implementations have them.
        assert_eq!(words[0], 13_679_457_532_755_275_413);
        let key: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let mut plain = ChaCha8Rng::from_seed(key.try_into().expect("the key has 32 bytes"));
        plain.set_stream(name_hash("node-a"));
        let mut rng = Rng::new(42, "node-a");
        assert!((0..1_000).all(|_| rng.u64() == plain.next_u64()));
    }

    #[test]
    fn numbers_left_out_are_those_that_would_have_been_drawn() {
        for skipped in [0, 1, 63, 64, 65, 127, 128, 1_000] {
            for drawn in [0, 1, 63, 64, 65, 100] {
                let (mut some, mut all) = (Rng::new(1, "a"), Rng::new(1, "a"));
                (0..drawn).for_each(|_| assert_eq!(some.u64(), all.u64()));
                for _ in 0..skipped {
                    assert!(!some.chance(Ratio::ZERO));
                    all.u64();
                }
                assert!((0..200).all(|_| some.u64() == all.u64()), "{drawn}, then {skipped}");
            }
        }
    }

    #[test]
    fn chacha8_is_the_published_cipher() {
        // Key and nonce zero: the first bytes of test vector 1 for ChaCha8 with a 256-bit key, from
        // draft-strombergson-chacha-test-vectors-01.
        let mut plain = ChaCha8Rng::from_seed([0; 32]);
        assert_eq!(
            plain.next_u64().to_le_bytes(),
            [0x3e, 0x00, 0xef, 0x2f, 0x89, 0x5f, 0x40, 0xd6]
        );
    }

    #[test]
    fn every_kind_of_draw_keeps_its_values() {
        let rng = || Rng::new(42, "node-a");
        let draws = |draw: fn(&mut Rng) -> f64| {
            let mut rng = rng();
            (0..10_000).map(|_| draw(&mut rng)).fold(0, digest)
        };
        let digests = [
            rng().u64(),
            draws(|rng| rng.below(1_000) as f64),
            draws(|rng| rng.below(3 << 62) as f64),
            draws(Rng::unit),
            draws(Rng::open_unit),
            draws(Rng::exp),
            draws(Rng::normal),
            draws(|rng| f64::from(u8::from(rng.chance(third())))),
            name_hash("node-a"),
        ];
        assert_eq!(
            digests,
            [
                0xcb5c_0e73_5876_a861,
                0x3f31_b7d4_2bf6_c17e,
                0x19ad_1ffe_6e3a_4dcb,
                0xbde3_5cbf_b293_388c,
                0xcead_2762_bfe5_0fcb,
                0x4075_e59e_cb7d_6e66,
                0xa169_139c_1268_3579,
                0x97e8_dafb_fd05_2fe5,
                0x48e8_6629_c152_a3f3
            ]
        );
        let mut cards = [0, 1, 2, 3, 4, 5, 6, 7];
        rng().shuffle(&mut cards);
        assert_eq!(cards, [1, 3, 7, 0, 2, 5, 4, 6]);
        assert_eq!((rng().pick(&cards), rng().pick::<u8>(&[])), (Some(&4), None));
    }

    fn third() -> Ratio {
        Ratio::new(1, 3).expect("a third is a probability")
    }

    fn digest(sum: u64, value: f64) -> u64 {
        (sum ^ value.to_bits()).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23)
    }

    /// The sum of squared deviations from equal counts, in units of what chance explains.
    fn chi_square(counts: &[u64]) -> f64 {
        let expected = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
        let terms = counts.iter().map(|count| {
            let distance = *count as f64 - expected;
            distance * distance / expected
        });
        terms.sum()
    }

    #[test]
    fn below_is_uniform_even_where_the_bound_divides_badly() {
        let mut rng = Rng::new(1, "below");
        let mut counts = [0; 10];
        (0..50_000).for_each(|_| counts[rng.below(10) as usize] += 1);
        // 27.9 and 13.8 are exceeded once in a thousand seeds.
        assert!(chi_square(&counts) < 27.9, "{counts:?}");
        let mut counts = [0; 3];
        (0..50_000).for_each(|_| counts[(rng.below(3 << 62) >> 62) as usize] += 1);
        assert!(chi_square(&counts) < 13.8, "{counts:?}");
        assert_eq!(rng.below(1), 0);
    }

    #[test]
    fn chance_takes_one_number_whatever_its_ratio_and_agrees_with_it() {
        let mut streams: [Rng; 4] = std::array::from_fn(|_| Rng::new(1, "dice"));
        let tenth = Ratio::new(1, 10).expect("a tenth is a probability");
        let ratios = [Ratio::ZERO, tenth, third(), Ratio::ONE];
        let mut hits = [0; 4];
        for _ in 0..90_000 {
            let mut before = false;
            for (index, rng) in streams.iter_mut().enumerate() {
                let happens = rng.chance(ratios[index]);
                assert!(happens || !before, "what happens at a lower ratio happens at a higher");
                hits[index] += i32::from(happens);
                before = happens;
            }
        }
        assert_eq!((hits[0], hits[3]), (0, 90_000));
        // The standard deviation is sqrt(90 000 / 3 * 2 / 3) = 141.
        assert!((hits[2] - 30_000).abs() < 4 * 141, "{hits:?}");
        let [first, rest @ ..] = streams.map(|mut rng| rng.u64());
        assert_eq!(rest, [first; 3]);
    }

    #[test]
    fn streams_of_other_names_and_seeds_are_independent() {
        let count = 20_000;
        let pairs = [((7, "node-a"), (7, "node-b")), ((7, "node-a"), (8, "node-a"))];
        for ((seed, name), (other_seed, other_name)) in pairs {
            let (mut left, mut right) = (Rng::new(seed, name), Rng::new(other_seed, other_name));
            let products = (0..count).map(|_| left.normal() * right.normal());
            let correlation = products.sum::<f64>() / f64::from(count);
            assert!(correlation.abs() < 4.0 / f64::from(count).sqrt(), "{correlation}");
        }
        // The first draws of many similar names fill their range evenly.
        let mut counts = [0; 16];
        for index in 0..4_000 {
            counts[Rng::new(7, &format!("node-{index}")).below(16) as usize] += 1;
        }
        assert!(chi_square(&counts) < 37.7, "{counts:?}");
    }

    /// Checks the mean of a function of the draws against its known value, within 4.5 standard
    /// errors of the known variance.
    fn expect_mean(name: &str, draws: &[f64], f: impl Fn(f64) -> f64, [mean, variance]: [f64; 2]) {
        let count = draws.len() as f64;
        let measured = draws.iter().map(|x| f(*x)).sum::<f64>() / count;
        let error = (variance / count).sqrt();
        assert!((measured - mean).abs() < 4.5 * error, "{name}: {measured}, expected {mean}");
    }

    /// The mean and variance of whether an event of this probability happens.
    fn share(p: f64) -> [f64; 2] {
        [p, p * (1.0 - p)]
    }

    #[test]
    fn exponential_draws_have_the_moments_and_the_tail_of_an_exponential() {
        let mut rng = Rng::new(3, "exp");
        let draws: Vec<f64> = (0..300_000).map(|_| rng.exp()).collect();
        assert!(draws.iter().all(|x| *x >= 0.0));
        expect_mean("mean", &draws, |x| x, [1.0, 1.0]);
        expect_mean("square", &draws, |x| x * x, [2.0, 20.0]);
        expect_mean("cube", &draws, |x| x * x * x, [6.0, 684.0]);
        for bound in [0.001, 0.1, 0.5, 1.0, 3.0, 6.0, EXP_TAIL, 9.0] {
            let above = |x: f64| f64::from(u8::from(x > bound));
            expect_mean("tail", &draws, above, share(libm::exp(-bound)));
        }
    }

    #[test]
    fn normal_draws_have_the_moments_and_the_tails_of_a_normal() {
        let mut rng = Rng::new(3, "normal");
        let draws: Vec<f64> = (0..300_000).map(|_| rng.normal()).collect();
        expect_mean("mean", &draws, |x| x, [0.0, 1.0]);
        expect_mean("square", &draws, |x| x * x, [1.0, 2.0]);
        expect_mean("cube", &draws, |x| x * x * x, [0.0, 15.0]);
        expect_mean("fourth power", &draws, |x| x * x * x * x, [3.0, 96.0]);
        for bound in [-3.0, -1.0, -0.01, 0.3, 2.0, 3.0, NORMAL_TAIL, 4.0] {
            let above = |x: f64| f64::from(u8::from(x > bound));
            let tail = 0.5 * libm::erfc(bound * std::f64::consts::FRAC_1_SQRT_2);
            expect_mean("tail", &draws, above, share(tail));
        }
    }

    #[test]
    fn a_shuffle_makes_every_order_equally_likely() {
        let mut rng = Rng::new(5, "cards");
        let mut counts = [0; 6];
        for _ in 0..30_000 {
            let mut cards = [0, 1, 2];
            rng.shuffle(&mut cards);
            counts[cards[0] * 2 + usize::from(cards[1] > cards[2])] += 1;
        }
        // 20.5 is exceeded once in a thousand seeds.
        assert!(chi_square(&counts) < 20.5, "{counts:?}");
    }
}
