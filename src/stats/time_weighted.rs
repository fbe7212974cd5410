//! The average of a level that holds for a time: queue lengths, busy workers, open connections.
//!
//! Averaging samples of a level would weigh a second at 0 like a microsecond at 100. The integral
//! over time does not, and in integers it has no rounding, whatever the length of the run.

/// A level over simulated time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeWeighted {
    since: u64,
    changed: u64,
    level: u64,
    integral: u128,
    max: u64,
}

impl TimeWeighted {
    /// Starts at `level` at the time `at`, in nanoseconds.
    pub fn new(at: u64, level: u64) -> TimeWeighted {
        TimeWeighted { since: at, changed: at, level, integral: 0, max: level }
    }

    /// Sets the level at the time `at`.
    ///
    /// # Panics
    /// If `at` is before the last change.
    pub fn set(&mut self, at: u64, level: u64) {
        self.integral = self.integral(at);
        self.changed = at;
        self.level = level;
        self.max = self.max.max(level);
    }

    /// Raises or lowers the level at the time `at`.
    ///
    /// # Panics
    /// If the level would leave the range of a u64, or `at` is before the last change.
    pub fn change(&mut self, at: u64, by: i64) {
        let level = self.level.checked_add_signed(by);
        self.set(at, level.expect("a level counts things and stays at or above zero"));
    }

    /// Forgets the past, as at the end of a warm-up: what follows is averaged from `at` on.
    ///
    /// # Panics
    /// If `at` is before the last change.
    pub fn restart(&mut self, at: u64) {
        assert!(at >= self.changed, "time runs forward");
        *self = TimeWeighted::new(at, self.level);
    }

    /// The level now.
    pub fn level(&self) -> u64 {
        self.level
    }

    /// The highest level since the start.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The level times nanoseconds, from the start to `until`.
    ///
    /// # Panics
    /// If `until` is before the last change.
    pub fn integral(&self, until: u64) -> u128 {
        let held = until.checked_sub(self.changed).expect("time runs forward");
        self.integral + u128::from(self.level) * u128::from(held)
    }

    /// The average level from the start to `until`; over no time at all it is the level itself.
    ///
    /// # Panics
    /// If `until` is before the last change.
    pub fn average(&self, until: u64) -> f64 {
        let integral = self.integral(until);
        match until - self.since {
            0 => self.level as f64,
            span => integral as f64 / span as f64,
        }
    }

    /// The average level as a share of `capacity`, such as busy workers of all workers; none of no
    /// capacity.
    ///
    /// # Panics
    /// If `until` is before the last change.
    pub fn utilisation(&self, until: u64, capacity: u64) -> Option<f64> {
        (capacity > 0).then(|| self.average(until) / capacity as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Splitmix, assert_close};
    use super::*;

    #[test]
    fn a_level_counts_for_as_long_as_it_holds() {
        let mut queue = TimeWeighted::new(100, 0);
        queue.set(200, 4);
        queue.change(250, -3);
        assert_eq!(queue.integral(300), 4 * 50 + 50);
        assert_eq!(queue.average(300), 1.25);
        assert_eq!(queue.utilisation(300, 5), Some(0.25));
        assert_eq!((queue.level(), queue.max()), (1, 4));
        assert_eq!(queue.utilisation(300, 0), None);
    }

    #[test]
    fn a_restart_forgets_all_but_the_level() {
        let mut queue = TimeWeighted::new(0, 9);
        queue.set(10, 2);
        queue.restart(30);
        assert_eq!((queue.average(30), queue.max()), (2.0, 2));
        queue.set(40, 0);
        assert_eq!(queue.average(50), 1.0);
    }

    #[test]
    fn the_integral_is_exact_where_floats_are_not() {
        let mut level = TimeWeighted::new(0, u64::MAX);
        level.set(u64::MAX, 0);
        assert_eq!(level.integral(u64::MAX), u128::from(u64::MAX) * u128::from(u64::MAX));
    }

    #[test]
    fn the_average_lies_between_the_extremes_and_matches_a_replay() {
        let mut rng = Splitmix(31);
        for _ in 0..100 {
            let (mut now, mut total) = (0, 0);
            let mut weighted = TimeWeighted::new(0, 0);
            for _ in 0..50 {
                let (held, level) = (rng.below(1000), rng.below(20));
                total += u128::from(weighted.level()) * u128::from(held);
                now += held;
                weighted.set(now, level);
            }
            assert_eq!(weighted.integral(now), total);
            assert_close(weighted.average(now), total as f64 / now as f64, 1e-15);
            assert!(weighted.average(now) <= weighted.max() as f64);
        }
    }

    #[test]
    #[should_panic(expected = "time runs forward")]
    fn time_does_not_run_backwards() {
        TimeWeighted::new(10, 1).set(9, 2);
    }
}
