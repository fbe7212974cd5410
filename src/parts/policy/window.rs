//! How the latest calls went: the last so many, or those of the last so long.

use std::collections::VecDeque;

use serde::Deserialize;

use crate::engine::{Span, Time};

/// Which calls a breaker looks back at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Window {
    /// The last so many calls.
    ///
    /// Source: resilience4j's sliding window by count.
    Calls(u32),
    /// The calls that ended within the last so long.
    ///
    /// Source: resilience4j's sliding window by time.
    Time(Span),
}

impl Default for Window {
    fn default() -> Window {
        Window::Calls(100)
    }
}

/// How a call went.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Verdict {
    pub failed: bool,
    pub slow: bool,
}

/// How the latest calls went.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    ended: VecDeque<(Time, Verdict)>,
    failed: u32,
    slow: u32,
}

impl Outcomes {
    /// A call has ended now; what the window has left behind is forgotten.
    pub fn push(&mut self, window: Window, now: Time, verdict: Verdict) {
        self.ended.push_back((now, verdict));
        self.count(verdict, 1);
        while self.ended.front().is_some_and(|(at, _)| match window {
            Window::Calls(calls) => self.ended.len() > calls as usize,
            Window::Time(span) => *at + span < now,
        }) {
            if let Some((_, old)) = self.ended.pop_front() {
                self.count(old, -1);
            }
        }
    }

    fn count(&mut self, verdict: Verdict, by: i32) {
        self.failed = self.failed.wrapping_add_signed(by * i32::from(verdict.failed));
        self.slow = self.slow.wrapping_add_signed(by * i32::from(verdict.slow));
    }

    pub fn calls(&self) -> u32 {
        self.ended.len() as u32
    }

    pub fn failed(&self) -> u32 {
        self.failed
    }

    pub fn slow(&self) -> u32 {
        self.slow
    }

    pub fn clear(&mut self) {
        *self = Outcomes::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAD: Verdict = Verdict { failed: true, slow: false };
    const SLOW: Verdict = Verdict { failed: false, slow: true };

    #[test]
    fn a_window_of_calls_keeps_the_last_so_many() {
        let mut outcomes = Outcomes::default();
        for verdict in [BAD, SLOW, BAD, Verdict::default()] {
            outcomes.push(Window::Calls(3), Time(0), verdict);
        }
        assert_eq!((outcomes.calls(), outcomes.failed(), outcomes.slow()), (3, 1, 1));
    }

    #[test]
    fn a_window_of_time_keeps_what_ended_within_it() {
        let mut outcomes = Outcomes::default();
        for at in [0, 5, 10, 11] {
            outcomes.push(Window::Time(Span(10)), Time(at), BAD);
        }
        assert_eq!((outcomes.calls(), outcomes.failed()), (3, 3), "the one at 0 has left");
        outcomes.clear();
        assert_eq!((outcomes.calls(), outcomes.failed()), (0, 0));
    }
}
