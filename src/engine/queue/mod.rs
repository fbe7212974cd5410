//! Pending events in the order of their keys, at a cost that hardly grows with their number.
//!
//! Three structures, each where it is best. Up to some dozen keys live in a short sorted array,
//! `front`: pushing and popping at its end touches one cache line. More keys live in a hierarchical
//! timing wheel (`wheel`), unsorted in buckets of about eight, and come to `front` a bucket at a
//! time: sorting eight keys is cheap, and so is appending one to a bucket, however many others are
//! pending. Keys that belong deep into a long `front` (a burst at one instant, a bucket too wide)
//! wait in a heap, `near`, so that no insertion ever moves more than a few keys.
//!
//! ```text
//! time     now ─────────────────────────────────────────► 2^64 ns
//!          front (sorted) │ wheel: level 0 │ level 1 │ …
//!          near (heap)    │
//! ```
//!
//! The width of the buckets follows the density of keys. It decides what an operation costs, never
//! the order of the keys: that is exact.
//!
//! Nanoseconds per hold step (pop the least key, push another at an exponential delay), on an AMD
//! EPYC with 2 MiB of second-level cache, against a 4-ary heap of the same keys (taken when the
//! lowest level of the wheel had 1,024 slots, and sorted buckets by whole keys):
//!
//! |   pending | this queue | heap |
//! |----------:|-----------:|-----:|
//! |         2 |          8 |    8 |
//! |        64 |         19 |   21 |
//! |     1,000 |         20 |   29 |
//! |    16,000 |         24 |   43 |
//! |   100,000 |         25 |   67 |
//! | 1,000,000 |         31 |  330 |
//!
//! A heap alone is not enough: its cache misses grow with the number of pending keys, and each key
//! of a burst pays the logarithm of the burst. With 50,000 keys at one instant, each of which
//! causes another at the same instant, a step takes 12 ns here and 37 ns in the heap.

mod wheel;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use wheel::Wheel;

/// An insertion into `front` moves at most this many keys.
const REACH: usize = 32;
/// With no more keys than this the wheel is left. It comes into use with more than `REACH`, so the
/// queue does not alternate between the two.
const FEW: usize = 12;
/// Instants per bucket, most of which have one key: the number aimed at, and the limits beyond
/// which the width changes. In between the cost per key is flat; more than fifteen keys need a
/// second chunk.
const AIM: u64 = 8;
const SPARSE: u64 = AIM / 2;
const CROWDED: u64 = AIM * 3 / 2;
/// Among so many keys some may well be of one instant.
const MANY: usize = 16;
/// Instants between two looks at the density.
const WINDOW: u64 = 1024;

/// Told about keys some time before they are popped, so that what they name can be fetched into
/// cache. A key may be popped without either call: there is no time ahead of a key that is pushed
/// just before it is popped, and few keys stay in cache anyway.
pub trait Hints {
    /// Whether the others do anything.
    fn are_wanted(&self) -> bool;
    /// The key is one bucket ahead: about ten to twenty pops.
    fn early(&self, key: u128);
    /// The key comes within the next few pops.
    fn late(&self, key: u128);
}

/// Fetches nothing.
impl Hints for () {
    #[inline]
    fn are_wanted(&self) -> bool {
        false
    }
    #[inline]
    fn early(&self, _: u128) {}
    #[inline]
    fn late(&self, _: u128) {}
}

/// The pending events.
///
/// A key holds the time in nanoseconds in its upper 64 bits and anything in the lower ones, and no
/// two pending keys are equal. Keys are popped in numerical order.
pub struct Queue {
    /// In descending order, popped from the end.
    front: Vec<u128>,
    /// Keys that belong too deep into `front`.
    near: BinaryHeap<Reverse<u128>>,
    /// Keys up to this time are in `front` and `near`, all others elsewhere.
    front_end: u64,
    /// The keys beyond.
    wheel: Wheel,
    density: Density,
}

/// What is known about the density of keys since the wheel was last rebuilt. It is that of the
/// instants at which they lie: a narrower bucket does not part those of one instant.
#[derive(Default)]
struct Density {
    /// The time of the last look, and since then: buckets opened, and instants in them.
    since: u64,
    buckets: u64,
    instants: u64,
    /// Instants that came out of buckets until the last look.
    earlier: u64,
    /// Keys that went to `near`, and the time of the last of them.
    deep: usize,
    last_deep: u64,
}

impl Default for Queue {
    /// An empty queue.
    fn default() -> Self {
        Queue {
            front: Vec::with_capacity(2 * REACH),
            near: BinaryHeap::new(),
            front_end: u64::MAX,
            wheel: Wheel::new(),
            density: Density::default(),
        }
    }
}

impl Queue {
    /// The number of pending keys.
    pub fn len(&self) -> usize {
        self.front.len() + self.near.len() + self.wheel.len()
    }

    /// Whether no key is pending.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Heap memory held, in bytes. Memory once needed is kept for the next spike.
    pub fn bytes(&self) -> usize {
        let keys = self.front.capacity() + self.near.capacity();
        keys * size_of::<u128>() + self.wheel.bytes()
    }

    /// Adds a key that is not pending and whose time is not before that of the last popped one.
    #[inline(always)]
    pub fn push(&mut self, key: u128) {
        if time(key) <= self.front_end { self.insert(key) } else { self.wheel.push(key) }
    }

    /// Removes the least key.
    #[inline]
    #[cfg(test)]
    pub fn pop(&mut self, hints: &impl Hints) -> Option<u128> {
        if self.near.is_empty()
            && let Some(key) = self.front.pop()
        {
            return Some(key);
        }
        self.pop_slow(u64::MAX, hints)
    }

    /// Removes the least key if its time is at most `end`. The hints are made only if a bucket may
    /// have to be opened, which one pop in eight does.
    #[inline]
    pub fn pop_before<H: Hints>(&mut self, end: u64, hints: impl FnOnce() -> H) -> Option<u128> {
        if self.near.is_empty()
            && let Some(key) = self.front.pop_if(|key| time(*key) <= end)
        {
            return Some(key);
        }
        self.pop_slow(end, &hints())
    }

    /// The least key, left where it is. It may be popped without hints: a loop that looks before
    /// every pop should use `pop_before`.
    #[cfg(test)]
    pub fn peek(&mut self) -> Option<u128> {
        self.least(&()).map(|(key, _)| key)
    }

    /// Sorted insertion into `front`, from its end.
    #[inline(never)]
    fn insert(&mut self, key: u128) {
        let count = self.front.len();
        if count >= REACH || count == self.front.capacity() || !self.near.is_empty() {
            return self.insert_long(key);
        }
        self.front.push(key);
        let keys = self.front.as_mut_slice();
        for at in (0..count).rev() {
            let other = keys[at];
            if other >= key {
                break;
            }
            (keys[at + 1], keys[at]) = (other, key);
        }
    }

    /// The same where `front` is long or there are keys in `near`. A key that would become the
    /// greatest of `front` joins those in `near`: otherwise `front` would never run empty, and the
    /// keys of a burst would leave the heap one by one.
    #[inline(never)]
    fn insert_long(&mut self, key: u128) {
        let reach = self.front.len().saturating_sub(REACH);
        let shallow = match self.front.get(reach) {
            Some(&limit) if reach > 0 || !self.near.is_empty() => key < limit,
            _ => self.near.is_empty(),
        };
        if shallow {
            let at = reach + self.front[reach..].partition_point(|&other| other > key);
            self.front.insert(at, key);
        } else {
            self.insert_near(key);
        }
    }

    /// Many deep keys show that the buckets are too wide for what is pushed now, that the hand has
    /// gone ahead over an idle gap, or that the wheel is not yet in use. The cure is a rebuild once
    /// there are half as many of them as keys are pending, which pays for it; but it does not help
    /// among keys of one instant.
    #[cold]
    fn insert_near(&mut self, key: u128) {
        self.near.push(Reverse(key));
        self.density.deep += 1;
        let last = std::mem::replace(&mut self.density.last_deep, time(key));
        let least = self.near.peek().map(|&Reverse(least)| time(least));
        let tied = last == time(key) || least == Some(time(key));
        if !tied && self.density.deep >= FEW && self.density.deep * 2 >= self.len() {
            self.front.extend(self.near.drain().map(|Reverse(key)| key));
            sort(&mut self.front);
            self.rebuild(shift_for(gap(&self.front)));
        }
    }

    #[inline(never)]
    fn pop_slow(&mut self, end: u64, hints: &impl Hints) -> Option<u128> {
        let (least, in_near) = self.least(hints)?;
        if time(least) > end {
            return None;
        }
        if in_near { self.near.pop().map(|Reverse(key)| key) } else { self.front.pop() }
    }

    /// The least key, and whether it is in `near`.
    #[inline]
    fn least(&mut self, hints: &impl Hints) -> Option<(u128, bool)> {
        if self.front.is_empty() {
            self.refill(hints);
        }
        let front = *self.front.last()?;
        match self.near.peek() {
            Some(&Reverse(near)) if near < front => Some((near, true)),
            _ => Some((front, false)),
        }
    }

    /// Fills the empty `front`, if any key is left.
    fn refill(&mut self, hints: &impl Hints) {
        if !self.near.is_empty() {
            // Sorting them at once is cheaper than popping them from the heap.
            self.front.extend(self.near.drain().map(|Reverse(key)| key));
            return sort(&mut self.front);
        }
        if self.len() <= FEW {
            return self.gather();
        }
        if self.density.instants >= WINDOW && self.adapt() {
            return;
        }
        self.wheel.advance(&mut self.front, hints);
        self.front_end = self.wheel.hand_end();
        self.density.buckets += 1;
        self.density.instants += instants(&self.front);
        if hints.are_wanted() {
            self.front.iter().rev().for_each(|&key| hints.late(key));
        }
    }

    /// Takes the few keys that are left into `front`, and leaves the wheel.
    fn gather(&mut self) {
        self.wheel.clear(&mut self.front);
        sort(&mut self.front);
        self.front_end = u64::MAX;
        self.density = Density::default();
    }

    /// Follows the density; returns whether it rebuilt the wheel, and so filled `front`. A rebuild
    /// moves every pending key: the keys popped since the last one must have paid for it.
    fn adapt(&mut self) -> bool {
        let Density { since, buckets, instants, earlier, .. } = self.density;
        let (now, shift) = (self.front_end, self.wheel.shift());
        let earlier = earlier + instants;
        self.density = Density { since: now, buckets: 0, instants: 0, earlier, ..self.density };
        let per_bucket = instants / buckets;
        let better = if per_bucket > CROWDED {
            shift.saturating_sub((per_bucket / AIM).ilog2().max(1))
        } else if per_bucket < SPARSE {
            shift_for(now.saturating_sub(since) / instants).max(shift)
        } else {
            shift
        };
        if better == shift || earlier * 4 < self.len() as u64 {
            return false;
        }
        self.rebuild(better);
        true
    }

    /// Distributes all keys anew over buckets of `1 << shift` nanoseconds.
    #[cold]
    fn rebuild(&mut self, shift: u32) {
        let mut all = std::mem::take(&mut self.front);
        all.extend(self.near.drain().map(|Reverse(key)| key));
        self.wheel.clear(&mut all);
        let first = all.iter().min().map_or(0, |&key| time(key));
        self.wheel.set(shift, first);
        self.front_end = self.wheel.hand_end();
        self.density = Density { since: first, ..Density::default() };
        for key in all {
            if time(key) <= self.front_end { self.front.push(key) } else { self.wheel.push(key) }
        }
        sort(&mut self.front);
    }
}

#[inline]
fn time(key: u128) -> u64 {
    (key >> 64) as u64
}

/// At how many instants these sorted keys lie. Those of a few are not looked at.
#[inline]
fn instants(keys: &[u128]) -> u64 {
    if keys.len() < MANY { keys.len() as u64 } else { count_instants(keys) }
}

#[cold]
fn count_instants(keys: &[u128]) -> u64 {
    1 + keys.windows(2).filter(|pair| time(pair[0]) != time(pair[1])).count() as u64
}

/// The mean distance of the instants at which these sorted keys lie; of the nearer half only, for
/// timeouts lie further away by orders of magnitude.
fn gap(keys: &[u128]) -> u64 {
    let mut instants: Vec<u64> = keys.iter().rev().map(|key| time(*key)).collect();
    instants.dedup();
    let half = instants.len() / 2;
    (instants[half] - instants[0]) / half.max(1) as u64
}

/// The binary logarithm of the bucket width for keys at a mean distance of `gap` nanoseconds.
fn shift_for(gap: u64) -> u32 {
    gap.saturating_mul(AIM).max(1).ilog2()
}

/// Sorts in descending order.
fn sort(keys: &mut [u128]) {
    keys.sort_unstable_by(|a, b| b.cmp(a));
}

#[cfg(test)]
mod tests;
