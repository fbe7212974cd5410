//! The queue against a model, at random and exhaustively.

use super::*;
use std::collections::BTreeSet;

struct Splitmix(u64);

impl Splitmix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ bits >> 31
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// A queue beside a model of it; every operation compares them.
#[derive(Default)]
struct Checked {
    queue: Queue,
    model: BTreeSet<u128>,
    now: u64,
    pushed: u64,
}

impl Checked {
    fn push(&mut self, delay: u64) {
        self.pushed += 1;
        // A later push is not always greater at the same time.
        let low = self.pushed << 1 | self.pushed.reverse_bits();
        let key = u128::from(self.now.saturating_add(delay)) << 64 | u128::from(low);
        assert!(self.model.insert(key), "the test pushed a key twice");
        self.queue.push(key);
        assert_eq!(self.queue.len(), self.model.len());
    }

    fn pop(&mut self) -> Option<u128> {
        self.pop_before(u64::MAX)
    }

    fn pop_before(&mut self, end: u64) -> Option<u128> {
        let want = self.model.first().copied().filter(|&key| time(key) <= end);
        let got = match end {
            u64::MAX => self.queue.pop(&()),
            _ => self.queue.pop_before(end, || ()),
        };
        assert_eq!(got, want);
        if let Some(key) = want {
            self.model.remove(&key);
            self.now = time(key);
        }
        assert_eq!(self.queue.len(), self.model.len());
        want
    }

    fn peek(&mut self) {
        assert_eq!(self.queue.peek(), self.model.first().copied());
    }

    fn drain(&mut self) {
        while self.pop().is_some() {}
        assert!(self.queue.is_empty());
    }
}

#[test]
fn random_operations_at_all_scales_keep_the_exact_order() {
    let mut rng = Splitmix(7);
    for _ in 0..200 {
        let mut checked = Checked::default();
        let (scale, most) = (rng.below(60), 1 << rng.below(13));
        for _ in 0..10_000 {
            let spread = 1 << rng.below(scale + 1);
            match rng.below(16) {
                0 => checked.peek(),
                1 => drop(checked.pop_before(checked.now.saturating_add(rng.below(spread)))),
                2..6 => drop(checked.pop()),
                6 => checked.push(0),
                7 => checked.push(rng.below(8)),
                _ if checked.queue.len() >= most => drop(checked.pop()),
                _ => checked.push(rng.below(spread)),
            }
        }
        checked.drain();
    }
}

#[test]
fn load_spikes_idle_gaps_and_timeouts_keep_the_exact_order() {
    let mut rng = Splitmix(11);
    let mut checked = Checked::default();
    for phase in 0..30 {
        let spike = if phase % 3 == 0 { 10_000 } else { 100 };
        for _ in 0..spike {
            checked.push(rng.below(1_000_000));
            checked.push(30_000_000_000);
            checked.pop();
        }
        for _ in 0..2 * spike {
            let limit = checked.now + 1_000_000;
            checked.pop_before(limit);
            checked.push(rng.below(2_000));
        }
        while checked.queue.len() > phase {
            checked.pop();
        }
        checked.push(3_600_000_000_000);
        checked.peek();
    }
    checked.drain();
}

const DELAYS: [u64; 5] = [0, 1, 1024, 1 << 20, u64::MAX];

/// Walks all sequences of `left` further operations, each from the same start.
fn walk(start: &impl Fn() -> Checked, operations: &mut Vec<usize>, left: usize) {
    let mut checked = start();
    for &operation in &*operations {
        match DELAYS.get(operation) {
            Some(&delay) => checked.push(delay),
            None if operation == DELAYS.len() => drop(checked.pop()),
            None => drop(checked.pop_before(checked.now.saturating_add(1))),
        }
    }
    checked.drain();
    for operation in 0..if left > 0 { DELAYS.len() + 2 } else { 0 } {
        operations.push(operation);
        walk(start, operations, left - 1);
        operations.pop();
    }
}

#[test]
fn every_short_sequence_keeps_the_exact_order() {
    walk(&Checked::default, &mut Vec::new(), 7);
    let late = || Checked { now: u64::MAX - 1025, ..Checked::default() };
    walk(&late, &mut Vec::new(), 6);
}

#[test]
fn every_short_sequence_on_a_filled_wheel_keeps_the_exact_order() {
    for popped in [0, 40, 63, 64, 65, 69] {
        let start = || {
            let mut checked = Checked::default();
            (0..64).for_each(|delay| checked.push(delay));
            // Around the edges of the first turns of the levels, and a few far away.
            for edge in [1 << 10, 1 << 20, 1 << 30, u64::MAX - 1] {
                (edge - 1..=edge + 1).for_each(|delay| checked.push(delay));
            }
            (0..16).for_each(|number| checked.push(1 << 40 | number << 15));
            for _ in 0..popped {
                checked.pop();
            }
            assert!(checked.queue.wheel.len() > 0, "all keys are in front");
            checked
        };
        walk(&start, &mut Vec::new(), 4);
    }
}

#[test]
fn a_burst_at_one_instant_is_not_quadratic() {
    // Were each insertion to move the keys of its instant, this would take hours.
    for ahead in [0, 1_000_000] {
        let mut checked = Queue::default();
        let key = |time: u64, low: u64| u128::from(time) << 64 | u128::from(low);
        let count = 1_000_000;
        (0..count).for_each(|low| checked.push(key(ahead, low)));
        for low in 0..count {
            assert_eq!(checked.pop(&()), Some(key(ahead, low)));
            // Every popped one causes another at the same instant.
            checked.push(key(ahead, count + low));
        }
        for low in count..2 * count {
            assert_eq!(checked.pop(&()), Some(key(ahead, low)));
        }
        assert_eq!(checked.pop(&()), None);
    }
}

#[test]
fn bursts_at_one_instant_do_not_make_the_buckets_narrow() {
    // A hundred at once, each of which leads to one after the same 20 us and then to one within
    // the next ten milliseconds, as when an event is handed to a hundred subscriptions.
    let (mut queue, mut rng, mut low) = (Queue::default(), Splitmix(13), 0);
    let mut push = |queue: &mut Queue, at: u64, stage: u64| {
        low += 4;
        queue.push(u128::from(at) << 64 | u128::from(low + stage));
    };
    for burst in 1..=40 {
        (0..100).for_each(|_| push(&mut queue, burst * 20_000_000, 2));
        while let Some(key) = queue.pop_before((burst + 1) * 20_000_000 - 1, || ()) {
            match key as u64 % 4 {
                2 => push(&mut queue, time(key) + 20_000, 1),
                1 => push(&mut queue, time(key) + rng.below(10_000_000), 0),
                _ => {}
            }
            // A hundred in ten milliseconds lie 100 us apart.
            let is_wide = queue.wheel.len() == 0 || queue.wheel.shift() >= 14;
            assert!(is_wide, "buckets of 2^{} ns in burst {burst}", queue.wheel.shift());
        }
    }
}

#[test]
fn a_key_after_the_end_stays_and_earlier_ones_may_still_come() {
    let mut queue = Queue::default();
    for time in 100..200 {
        queue.push(time << 64);
    }
    assert_eq!(queue.pop_before(99, || ()), None);
    assert_eq!(queue.len(), 100);
    queue.push(50 << 64);
    assert_eq!(queue.peek(), Some(50 << 64));
    assert_eq!(queue.pop_before(49, || ()), None);
    assert_eq!(queue.pop_before(50, || ()), Some(50 << 64));
    assert_eq!(queue.pop_before(100, || ()), Some(100 << 64));
    assert_eq!(queue.pop_before(100, || ()), None);
    assert_eq!(queue.len(), 99);
}

#[test]
fn the_end_of_time_is_a_time_like_any_other() {
    let mut checked = Checked { now: u64::MAX - 5_000, ..Checked::default() };
    let mut rng = Splitmix(3);
    for _ in 0..3_000 {
        checked.push(rng.below(6_000));
        checked.push(rng.below(6_000));
        checked.pop();
    }
    checked.drain();
    assert_eq!(checked.now, u64::MAX);
}

/// Counts the keys it was told about.
#[derive(Default)]
struct Told {
    early: std::cell::Cell<usize>,
    late: std::cell::Cell<usize>,
}

impl Hints for Told {
    fn are_wanted(&self) -> bool {
        true
    }
    fn early(&self, _: u128) {
        self.early.update(|count| count + 1);
    }
    fn late(&self, _: u128) {
        self.late.update(|count| count + 1);
    }
}

#[test]
fn most_keys_of_a_large_queue_are_announced() {
    let (mut queue, mut rng, told) = (Queue::default(), Splitmix(5), Told::default());
    for low in 0..10_000 {
        queue.push(u128::from(rng.below(1_000_000)) << 64 | low);
    }
    // The width of the buckets has to find itself first.
    while queue.len() > 5_000 {
        queue.pop(&());
    }
    while queue.pop(&told).is_some() {}
    assert!((4_000..=5_000).contains(&told.early.get()), "{}", told.early.get());
    assert!((4_000..=5_000).contains(&told.late.get()), "{}", told.late.get());
}

#[test]
fn memory_is_proportional_to_the_most_keys_ever_pending() {
    let (mut queue, mut rng) = (Queue::default(), Splitmix(9));
    assert!(queue.bytes() < 4_096, "a small run pays for no wheel");
    for low in 0..100_000 {
        queue.push(u128::from(rng.below(1_000_000_000)) << 64 | low);
    }
    let mut now = 0;
    for low in 100_000..1_000_000 {
        now = queue.pop(&()).map_or(now, time);
        queue.push(u128::from(now + rng.below(1_000_000_000)) << 64 | low);
    }
    assert!(queue.bytes() >= 100_000 * size_of::<u128>());
    assert!(queue.bytes() < 100_000 * 64, "{} bytes", queue.bytes());
}
