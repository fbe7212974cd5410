//! What queues did: how many messages came and went, how long they took, how many were there.

use crate::engine::{Name, Span, Time};
use crate::parts::broker_facts as facts;
use crate::stats::Histogram;

/// Something that goes up and down.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    now: i64,
    peak: i64,
    /// When it was there last.
    peak_at: Time,
    /// When it was first zero after that.
    zero_at: Option<Time>,
    area: u128,
    changed: Time,
}

impl Level {
    fn change(&mut self, at: Time, by: i64) {
        // Many change at one instant.
        if at > self.changed {
            self.area += u128::from((at - self.changed).0) * self.now.max(0) as u128;
            self.changed = at;
        }
        self.now += by;
        if self.now > self.peak {
            (self.peak, self.peak_at, self.zero_at) = (self.now, at, None);
        } else if self.now <= 0 && self.zero_at.is_none() {
            self.zero_at = Some(at);
        }
    }
}

/// What all queues of a run did; those for dead letters count only where it is said.
pub(crate) struct QueueCounts {
    has_queues: bool,
    /// The measured load.
    measured: (Time, Time),
    /// From the intended start of the client's request, and from the acceptance, until processed.
    whole: Histogram,
    queued: Histogram,
    processed: u64,
    processed_in_time: u64,
    accepted: u64,
    deliveries: u64,
    redelivered: u64,
    pub repeated: u64,
    pub duplicates: u64,
    pub rejected: u64,
    pub unconfirmed: u64,
    pub lost: u64,
    pub disordered: u64,
    dead: u64,
    expired: u64,
    dropped: u64,
    /// Messages that are there when the run ends, those that are dead among them.
    left_over: u64,
    depth: Level,
    waiting: Level,
    oldest: Span,
    end: Time,
}

impl QueueCounts {
    pub fn new(has_queues: bool, from: Time, until: Time) -> QueueCounts {
        QueueCounts {
            has_queues,
            measured: (from, until),
            whole: Histogram::new(),
            queued: Histogram::new(),
            processed: 0,
            processed_in_time: 0,
            accepted: 0,
            deliveries: 0,
            redelivered: 0,
            repeated: 0,
            duplicates: 0,
            rejected: 0,
            unconfirmed: 0,
            lost: 0,
            disordered: 0,
            dead: 0,
            expired: 0,
            dropped: 0,
            left_over: 0,
            depth: Level::default(),
            waiting: Level::default(),
            oldest: Span::ZERO,
            end: Time(0),
        }
    }

    pub fn accepted(&mut self, at: Time, is_dead: bool) {
        self.accepted += u64::from(!is_dead);
        self.enters(at, is_dead);
    }

    /// A message that was counted as accepted is none: its log was cut back.
    pub fn never_was(&mut self) {
        self.accepted -= 1;
    }

    pub fn enters(&mut self, at: Time, is_dead: bool) {
        if !is_dead {
            self.depth.change(at, 1);
        }
        self.waits(at, 1, is_dead);
    }

    /// So many more wait.
    pub fn waits(&mut self, at: Time, by: i64, is_dead: bool) {
        if !is_dead {
            self.waiting.change(at, by);
        }
    }

    pub fn delivered(&mut self, delivery: u32) {
        self.deliveries += 1;
        self.redelivered += u64::from(delivery > 1);
    }

    /// A delivery that never was, after so many others.
    pub fn undelivered(&mut self, others: u32) {
        self.deliveries -= 1;
        self.redelivered -= u64::from(others > 0);
    }

    pub fn processed(&mut self, at: Time, since: Time, began: Time) {
        self.processed += 1;
        let (from, until) = self.measured;
        self.processed_in_time += u64::from(at >= from && at < until);
        if began >= from {
            self.whole.record((at - began).0);
            self.queued.record((at - since).0);
        }
    }

    pub fn removed(&mut self, what: Name) {
        match what {
            facts::DEAD => self.dead += 1,
            facts::EXPIRED => self.expired += 1,
            facts::DROPPED => self.dropped += 1,
            _ => {}
        }
    }

    /// A message that has been there since then leaves.
    pub fn left(&mut self, at: Time, since: Time, was_waiting: bool, is_dead: bool) {
        if is_dead {
            return;
        }
        self.depth.change(at, -1);
        if was_waiting {
            self.waiting.change(at, -1);
        }
        self.oldest = self.oldest.max(at - since);
    }

    /// A message has been there for so long when the run ends.
    pub fn stays(&mut self, age: Span, is_dead: bool) {
        self.left_over += 1;
        if !is_dead {
            self.oldest = self.oldest.max(age);
        }
    }

    pub fn close(&mut self, end: Time) {
        self.depth.change(end, 0);
        self.end = end;
    }

    /// The value of a metric about queues; none where there is no queue.
    pub fn value(&self, id: &str) -> Option<f64> {
        if !self.has_queues {
            return None;
        }
        let quantile = |of: &Histogram, share| of.quantile(share).map(|it| it as f64 / 1e9);
        let (from, until) = self.measured;
        let seconds = (until - from).as_seconds();
        let missed = self.left_over + self.expired + self.dropped + self.lost + self.unconfirmed;
        let value = match id {
            "latency.processed_p50" => return quantile(&self.whole, 0.5),
            "latency.processed_p99" => return quantile(&self.whole, 0.99),
            "latency.queued_p50" => return quantile(&self.queued, 0.5),
            "latency.queued_p99" => return quantile(&self.queued, 0.99),
            "throughput.processed" if seconds > 0.0 => self.processed_in_time as f64 / seconds,
            "availability.rejected" => self.rejected as f64,
            "consistency.redelivered" => self.redelivered as f64,
            "consistency.repeated" => self.repeated as f64,
            "consistency.recognised" => self.duplicates as f64,
            "consistency.dead" => self.dead as f64,
            "consistency.expired" => self.expired as f64,
            "consistency.dropped" => self.dropped as f64,
            "consistency.messages_lost" => self.lost as f64,
            "consistency.unprocessed" => missed as f64,
            "consistency.disordered" => self.disordered as f64,
            "cost.deliveries" => return self.each_processed(),
            "saturation.depth_mean" if self.end > Time(0) => {
                self.depth.area as f64 / self.end.0 as f64
            }
            "saturation.depth_peak" => self.depth.peak as f64,
            "saturation.oldest" => self.oldest.as_seconds(),
            "saturation.drain" => {
                return self.waiting.zero_at.map(|at| (at - self.waiting.peak_at).as_seconds());
            }
            _ => return None,
        };
        Some(value)
    }

    fn each_processed(&self) -> Option<f64> {
        (self.accepted > 0).then(|| self.deliveries as f64 / self.accepted as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_knows_its_peak_its_mean_and_when_it_was_empty_after_the_peak() {
        let mut level = Level::default();
        for (at, by) in [(0, 1), (10, -1), (20, 3), (30, -2), (40, -1), (50, 1)] {
            level.change(Time(at), by);
        }
        assert_eq!((level.peak, level.peak_at, level.zero_at), (3, Time(20), Some(Time(40))));
        assert_eq!(level.area, 10 + 30 + 10);
    }
}
