//! Delay control: which jobs are dropped because they waited too long when they would be taken up.

use serde::Deserialize;

use crate::engine::{Span, Time};
use crate::world::flaw::Flaw;

/// How the time that jobs wait is kept short: by dropping some of them when they would be taken up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum DelayControl {
    /// Controlled delay: while no job has waited for less than the target for a whole interval,
    /// jobs are dropped one by one, ever more often.
    ///
    /// Source: RFC 8289, "Controlled Delay Active Queue Management", 2018, with its defaults.
    ///
    /// ```ron
    /// CoDel(target: "5ms", interval: "100ms")
    /// ```
    CoDel {
        /// A wait that is acceptable while the queue persists. Default: `"5ms"`.
        #[serde(default = "five_milliseconds")]
        target: Span,
        /// For how long waits must stay above it: a worst round trip. Default: `"100ms"`.
        #[serde(default = "hundred_milliseconds")]
        interval: Span,
    },
    /// The variant for servers: a job is dropped if it has waited for longer than the interval, and
    /// for longer than the target while the queue has not been empty for an interval.
    ///
    /// Source: B. Maurer, "Fail at Scale", ACM Queue 13(8), 2015.
    ///
    /// ```ron
    /// ControlledDelay(target: "5ms", interval: "100ms")
    /// ```
    ControlledDelay {
        /// How long a job may wait in a queue that persists. Default: `"5ms"`.
        #[serde(default = "five_milliseconds")]
        target: Span,
        /// How long it may wait otherwise, and how long makes a queue persist. Default: `"100ms"`.
        #[serde(default = "hundred_milliseconds")]
        interval: Span,
    },
}

fn five_milliseconds() -> Span {
    Span::from_millis(5)
}

fn hundred_milliseconds() -> Span {
    Span::from_millis(100)
}

impl DelayControl {
    fn times(self) -> (Span, Span) {
        match self {
            DelayControl::CoDel { target, interval }
            | DelayControl::ControlledDelay { target, interval } => (target, interval),
        }
    }

    /// What is wrong with it, for the loader.
    pub(super) fn problem(&self) -> Option<Flaw> {
        let (target, interval) = self.times();
        let fits = !target.is_zero() && target <= interval;
        let title = "`target` must be longer than zero and at most `interval`";
        (!fits).then(|| Flaw::at("target", title))
    }
}

/// A control at work.
pub(super) struct Controller {
    control: DelayControl,
    /// When waits will have been above the target for an interval, if they are above it.
    above_until: Option<Time>,
    is_dropping: bool,
    /// When the next job is to be dropped, or was.
    due: Time,
    /// The last job was dropped, and `due` is still to be moved on.
    is_owed: bool,
    /// Drops since dropping began, and those with which it began.
    count: u64,
    first_count: u64,
    /// When the queue was last empty.
    empty: Time,
}

impl Controller {
    pub fn new(control: DelayControl, now: Time) -> Controller {
        Controller {
            control,
            above_until: None,
            is_dropping: false,
            due: Time(0),
            is_owed: false,
            count: 0,
            first_count: 0,
            empty: now,
        }
    }

    /// A job came to an empty queue.
    pub fn found_empty(&mut self, now: Time) {
        self.empty = now;
    }

    /// Is the job to be dropped that is taken from the queue now? `is_last`: nobody waits behind
    /// it.
    pub fn drops(&mut self, now: Time, waited: Span, is_last: bool) -> bool {
        let (target, interval) = self.control.times();
        match self.control {
            DelayControl::CoDel { .. } => {
                let is_high = self.is_high(now, waited, is_last);
                self.controls(now, is_high)
            }
            DelayControl::ControlledDelay { .. } => {
                let persists = now - self.empty > interval;
                waited > if persists { target } else { interval }
            }
        }
    }

    /// Have waits been above the target for an interval? (RFC 8289, `dodequeue`.)
    fn is_high(&mut self, now: Time, waited: Span, is_last: bool) -> bool {
        let (target, interval) = self.control.times();
        if waited < target || is_last {
            self.above_until = None;
            return false;
        }
        let until = *self.above_until.get_or_insert(now + interval);
        now >= until
    }

    /// The control law: the distance between drops falls with the square root of their number.
    /// (RFC 8289, `dequeue`, one call of this for each job that it takes.)
    fn controls(&mut self, now: Time, is_high: bool) -> bool {
        let interval = self.control.times().1;
        let law = |from: Time, count: u64| {
            let square = u128::from(interval.0).pow(2) / u128::from(count);
            from + Span(square.isqrt() as u64)
        };
        if !is_high {
            (self.is_dropping, self.is_owed) = (false, false);
            return false;
        }
        if self.is_dropping {
            if std::mem::take(&mut self.is_owed) {
                self.due = law(self.due, self.count);
            }
            let drops = now >= self.due;
            self.count += u64::from(drops);
            self.is_owed = drops;
            return drops;
        }
        // If it dropped not long ago, it goes on at about the rate that was right then.
        let delta = self.count - self.first_count;
        let recently = now < self.due + interval * 16;
        self.count = if delta > 1 && recently { delta } else { 1 };
        self.first_count = self.count;
        self.due = law(now, self.count);
        self.is_dropping = true;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(count: u64) -> Span {
        Span::from_millis(count)
    }

    /// When jobs are dropped of those that are taken once a millisecond after this wait.
    fn dropped(
        controller: &mut Controller,
        during: std::ops::Range<u64>,
        waited: Span,
    ) -> Vec<u64> {
        let at = |count| Time(0) + ms(count);
        during.filter(|now| controller.drops(at(*now), waited, false)).collect()
    }

    fn codel() -> Controller {
        Controller::new(DelayControl::CoDel { target: ms(5), interval: ms(100) }, Time(0))
    }

    #[test]
    fn codel_drops_after_an_interval_and_then_by_the_square_root_law() {
        // 100 ms until the first, then 100/√1, 100/√2, 100/√3, 100/√4 ms after each other.
        let times = dropped(&mut codel(), 0..500, ms(6));
        assert_eq!(times, [100, 200, 271, 329, 379, 424, 464]);
    }

    #[test]
    fn codel_leaves_short_waits_and_the_last_job_alone() {
        assert!(dropped(&mut codel(), 0..1000, ms(4)).is_empty());
        let mut controller = codel();
        assert!((0..1000).all(|now| !controller.drops(Time(0) + ms(now), ms(50), true)));
        // One short wait begins the interval anew.
        let mut controller = codel();
        dropped(&mut controller, 0..99, ms(6));
        assert!(!controller.drops(Time(0) + ms(99), ms(4), false));
        assert_eq!(dropped(&mut controller, 100..300, ms(6)), [200]);
    }

    #[test]
    fn codel_that_dropped_not_long_ago_goes_on_at_that_rate() {
        let mut controller = codel();
        assert_eq!(dropped(&mut controller, 0..500, ms(6)).len(), 7);
        assert!(dropped(&mut controller, 500..510, ms(1)).is_empty());
        // Seven drops, the first of which began: it begins again with six.
        let again = dropped(&mut controller, 510..700, ms(6));
        assert_eq!(again, [610, 651, 689]);
    }

    #[test]
    fn controlled_delay_is_strict_only_where_the_queue_persists() {
        let control = DelayControl::ControlledDelay { target: ms(5), interval: ms(100) };
        let mut controller = Controller::new(control, Time(0));
        assert!(dropped(&mut controller, 0..100, ms(100)).is_empty());
        assert_eq!(dropped(&mut controller, 99..103, ms(6)), [101, 102]);
        controller.found_empty(Time(0) + ms(103));
        assert!(dropped(&mut controller, 104..200, ms(6)).is_empty());
        assert_eq!(dropped(&mut controller, 110..112, ms(101)), [110, 111]);
    }
}
