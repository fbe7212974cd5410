//! Limits that follow what the target can take.

use std::collections::VecDeque;

use super::throttled;
use crate::engine::{Factor, Rate, Ratio, Span, Time};

/// A rate in millionths of a call a second.
const CALL: u64 = 1_000_000;

fn millionths(rate: Rate) -> u64 {
    let product = u128::from(rate.events()) * u128::from(CALL) * u128::from(Span::SECOND.0);
    u64::try_from(product / u128::from(rate.period().0)).unwrap_or(u64::MAX).max(1)
}

/// A rate that grows by steps and shrinks by factors; calls are spaced evenly at it.
#[derive(Debug)]
pub(in crate::parts::policy) struct Aimd {
    rate: u64,
    next: Time,
    /// No decrease before.
    settled: Time,
}

impl Aimd {
    pub fn new(start: Rate) -> Aimd {
        Aimd { rate: millionths(start), next: Time(0), settled: Time(0) }
    }

    pub fn earliest(&self, now: Time) -> Time {
        self.next.max(now)
    }

    pub fn take(&mut self, at: Time) {
        let gap = u128::from(Span::SECOND.0) * u128::from(CALL) / u128::from(self.rate);
        self.next = at + Span(u64::try_from(gap).unwrap_or(u64::MAX));
    }

    /// A good call: at this rate, a second of them adds the increase.
    pub fn grow(&mut self, increase: Rate, max: Rate) {
        let step = u128::from(millionths(increase)) * u128::from(CALL) / u128::from(self.rate);
        let step = u64::try_from(step).unwrap_or(u64::MAX).max(1);
        self.rate = self.rate.saturating_add(step).min(millionths(max));
    }

    /// A bad call.
    pub fn shrink(&mut self, decrease: Factor, min: Rate, pause: Span, now: Time) {
        if now < self.settled {
            return;
        }
        let left = u128::from(self.rate) * u128::from(decrease.thousandths()) / 1_000;
        self.rate = u64::try_from(left).unwrap_or(u64::MAX).max(millionths(min));
        self.settled = now + pause;
    }
}

/// Calls asked for and accepted lately.
#[derive(Debug, Default)]
pub(in crate::parts::policy) struct Throttle {
    asked: VecDeque<Time>,
    accepted: VecDeque<Time>,
}

impl Throttle {
    /// The share of calls to turn away now.
    pub fn rejects(&mut self, k: Factor, window: Span, now: Time) -> Ratio {
        for calls in [&mut self.asked, &mut self.accepted] {
            while calls.front().is_some_and(|at| *at + window < now) {
                calls.pop_front();
            }
        }
        throttled(self.asked.len() as u64, self.accepted.len() as u64, k)
    }

    pub fn asked(&mut self, now: Time) {
        self.asked.push_back(now);
    }

    pub fn accepted(&mut self, now: Time) {
        self.accepted.push_back(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(events: u64) -> Rate {
        Rate::new(events, Span::SECOND).unwrap()
    }

    #[test]
    fn a_second_of_good_calls_adds_a_step_and_a_bad_one_takes_a_share() {
        let mut aimd = Aimd::new(rate(100));
        for _ in 0..100 {
            aimd.grow(rate(10), rate(1_000));
        }
        assert!((109 * CALL..=110 * CALL).contains(&aimd.rate), "{}", aimd.rate);
        let half = Factor::from_thousandths(500).unwrap();
        let pause = Span::from_millis(500);
        let before = aimd.rate;
        aimd.shrink(half, rate(1), pause, Time(0) + Span::SECOND);
        aimd.shrink(half, rate(1), pause, Time(0) + Span::from_millis(1_200));
        assert_eq!(aimd.rate, before / 2, "the second belongs to the first");
        for second in 2..30 {
            aimd.shrink(half, rate(1), pause, Time(0) + Span::SECOND * second);
        }
        assert_eq!(aimd.rate, CALL, "not below the least");
        for _ in 0..100_000 {
            aimd.grow(rate(1_000), rate(200));
        }
        assert_eq!(aimd.rate, 200 * CALL, "nor above the most");
    }

    #[test]
    fn calls_go_out_evenly_at_the_rate() {
        let mut aimd = Aimd::new(rate(10));
        aimd.take(Time(0));
        assert_eq!(aimd.earliest(Time(5)), Time(0) + Span::from_millis(100));
    }

    #[test]
    fn a_throttle_forgets_what_lies_before_its_window() {
        let mut throttle = Throttle::default();
        for at in 0..9 {
            throttle.asked(Time(at));
        }
        assert_eq!(throttle.rejects(Factor::TWO, Span(10), Time(9)), Ratio::new(9, 10).unwrap());
        throttle.accepted(Time(9));
        assert_eq!(throttle.rejects(Factor::TWO, Span(10), Time(9)), Ratio::new(7, 10).unwrap());
        assert_eq!(throttle.rejects(Factor::TWO, Span(10), Time(40)), Ratio::ZERO);
    }
}
