//! Calls counted in windows: of the clock, or sliding.

use std::collections::VecDeque;

use crate::engine::{Span, Time};

/// So many calls in each window of the clock.
#[derive(Debug)]
pub(in crate::parts::policy) struct Fixed {
    max: u32,
    window: Span,
    /// The window of the last call, by its number, and how many it has seen.
    current: u64,
    count: u32,
}

impl Fixed {
    pub fn new(max: u32, window: Span) -> Fixed {
        Fixed { max, window, current: 0, count: 0 }
    }

    fn number(&self, at: Time) -> u64 {
        at.0 / self.window.0.max(1)
    }

    pub fn earliest(&self, now: Time) -> Time {
        let first = if self.count < self.max { self.current } else { self.current + 1 };
        Time(first.saturating_mul(self.window.0)).max(now)
    }

    pub fn take(&mut self, at: Time) {
        let number = self.number(at);
        if number != self.current {
            (self.current, self.count) = (number, 0);
        }
        self.count += 1;
    }
}

/// So many calls in any span; each is remembered for as long.
#[derive(Debug)]
pub(in crate::parts::policy) struct Log {
    max: u32,
    window: Span,
    /// When the last calls got through, as many as are allowed.
    calls: VecDeque<Time>,
}

impl Log {
    pub fn new(max: u32, window: Span) -> Log {
        Log { max, window, calls: VecDeque::new() }
    }

    pub fn earliest(&self, now: Time) -> Time {
        let last = self.calls.back().copied().unwrap_or(now);
        let oldest = self.calls.front().filter(|_| self.calls.len() >= self.max as usize);
        oldest.map_or(now, |at| *at + self.window).max(now).max(last)
    }

    pub fn take(&mut self, at: Time) {
        if self.calls.len() >= self.max as usize {
            self.calls.pop_front();
        }
        self.calls.push_back(at);
    }
}

/// So many calls in about any span, judged by a counter for this window of the clock and one for
/// the window before.
#[derive(Debug)]
pub(in crate::parts::policy) struct Counter {
    max: u32,
    window: Span,
    current: u64,
    count: u32,
    before: u32,
    last: Time,
}

impl Counter {
    pub fn new(max: u32, window: Span) -> Counter {
        Counter { max, window, current: 0, count: 0, before: 0, last: Time(0) }
    }

    /// The counters of the window with this number: its own and that of the one before.
    fn counts(&self, number: u64) -> (u32, u32) {
        match number - self.current {
            0 => (self.count, self.before),
            1 => (0, self.count),
            _ => (0, 0),
        }
    }

    pub fn earliest(&self, now: Time) -> Time {
        let now = now.max(self.last);
        let window = self.window.0.max(1);
        let mut number = now.0 / window;
        loop {
            let (count, before) = self.counts(number);
            if count < self.max {
                // Of the window before, `before * (window - into) / window` still count, and there
                // must be room for one more.
                let room = u128::from(self.max - 1 - count);
                let before = u128::from(before);
                let over = before.saturating_sub(room) * u128::from(window);
                let into = if before == 0 { 0 } else { over.div_ceil(before) };
                let at = Time(number.saturating_mul(window)) + Span(into as u64);
                if into < u128::from(window) {
                    return at.max(now);
                }
            }
            number += 1;
        }
    }

    pub fn take(&mut self, at: Time) {
        let number = at.0 / self.window.0.max(1);
        (self.count, self.before) = self.counts(number);
        (self.current, self.last) = (number, at);
        self.count += 1;
    }
}
