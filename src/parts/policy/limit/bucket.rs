//! Tokens that come in continuously, counted exactly.

use crate::engine::{Rate, Time};

/// A bucket of tokens. It is kept as when it will be full: a token more is a token's time later, in
/// fractions of a nanosecond, so no rounding adds up (the generic cell rate algorithm, ITU-T
/// I.371).
#[derive(Debug)]
pub(in crate::parts::policy) struct Bucket {
    rate: Rate,
    burst: u32,
    /// When it is full again, in nanoseconds times the events of the rate.
    full_at: u128,
    last: Time,
}

impl Bucket {
    pub fn new(rate: Rate, burst: u32) -> Bucket {
        Bucket { rate, burst, full_at: 0, last: Time(0) }
    }

    fn scaled(&self, at: Time) -> u128 {
        u128::from(at.0) * u128::from(self.rate.events())
    }

    fn token(&self) -> u128 {
        u128::from(self.rate.period().0)
    }

    pub fn earliest(&self, now: Time) -> Time {
        // A whole token is there when at most all but one are missing.
        let missing = self.token() * u128::from(self.burst.saturating_sub(1));
        let due = self.full_at.saturating_sub(missing);
        let due = due.div_ceil(u128::from(self.rate.events()));
        Time(u64::try_from(due).unwrap_or(u64::MAX)).max(now).max(self.last)
    }

    pub fn take(&mut self, at: Time) {
        self.full_at = self.full_at.max(self.scaled(at)) + self.token();
        self.last = at;
    }
}
