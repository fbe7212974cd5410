//! How often something happens in independent trials, with an honest interval at the edges.
//!
//! Violated invariants are rare, so most proportions of a report are near 0 or 1, where the usual
//! interval (mean plus or minus) has width zero or leaves [0, 1]. Wilson's score interval does
//! neither. For "it never happened" the rule of three says what a reader wants to know: how often
//! it may still happen.

use std::fmt;

use super::{UPPER, normal_quantile};
use crate::report::number;

/// A share of trials, with its 95 % Wilson score interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Proportion {
    /// How many trials had the event.
    pub events: u64,
    /// How many trials there were; at least one.
    pub trials: u64,
    /// The lower end of the interval; 0 for no events.
    pub low: f64,
    /// The upper end of the interval; 1 if every trial had the event.
    pub high: f64,
}

impl Proportion {
    /// The share of `events` among `trials` (Wilson, 1927); none of no trials.
    ///
    /// # Panics
    /// If there are more events than trials.
    pub fn of(events: u64, trials: u64) -> Option<Proportion> {
        assert!(events <= trials, "{events} events in {trials} trials");
        if trials == 0 {
            return None;
        }
        let z = normal_quantile(UPPER);
        let (n, share) = (trials as f64, events as f64 / trials as f64);
        let scale = 1.0 + z * z / n;
        let centre = (share + z * z / (2.0 * n)) / scale;
        let half = z / scale * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
        // Exact at the edges, where the formula is only right up to a rounding.
        let low = if events == 0 { 0.0 } else { (centre - half).max(0.0) };
        let high = if events == trials { 1.0 } else { (centre + half).min(1.0) };
        Some(Proportion { events, trials, low, high })
    }

    /// The observed share, between 0 and 1.
    pub fn share(&self) -> f64 {
        self.events as f64 / self.trials as f64
    }

    /// With 95 % confidence the true probability is at most this: the rule of three if the event
    /// never happened, the upper end of the interval otherwise.
    pub fn at_most(&self) -> f64 {
        if self.events == 0 { rule_of_three(self.trials) } else { self.high }
    }
}

/// The probability that an event may still have, at 95 % confidence, after `trials` without one:
/// 3 / trials (Hanley and Lippman-Hand, 1983), a little above the exact 1 − 0.05^(1/trials).
pub fn rule_of_three(trials: u64) -> f64 {
    if trials < 3 { 1.0 } else { 3.0 / trials as f64 }
}

/// `3.0% (1.0% to 8.5%)`, or `0% (at most 1.5%)` for an event that never happened.
impl fmt::Display for Proportion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = number::percent(self.share());
        if self.events == 0 {
            return write!(f, "{share} (at most {})", number::percent(self.at_most()));
        }
        let (low, high) = (number::percent(self.low), number::percent(self.high));
        write!(f, "{share} ({low} to {high})")
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Splitmix, assert_close};
    use super::*;

    #[test]
    fn wilson_matches_the_published_example() {
        // Newcombe (1998), table I, method 3: 81 of 263 gives 0.2553 to 0.3662.
        let share = Proportion::of(81, 263).unwrap();
        assert_close(share.low, 0.2553, 5e-5);
        assert_close(share.high, 0.3662, 5e-5);
        // And 0 of 20 gives 0 to 0.1611, 1 of 29 gives 0.0061 to 0.1718.
        assert_close(Proportion::of(0, 20).unwrap().high, 0.1611, 5e-5);
        assert_close(Proportion::of(1, 29).unwrap().low, 0.0061, 5e-5);
        assert_close(Proportion::of(1, 29).unwrap().high, 0.1718, 5e-5);
    }

    #[test]
    fn the_interval_is_symmetric_in_events_and_their_absence() {
        for (events, trials) in [(0, 7), (3, 9), (50, 1000)] {
            let one = Proportion::of(events, trials).unwrap();
            let other = Proportion::of(trials - events, trials).unwrap();
            assert_close(one.low, 1.0 - other.high, 1e-15);
            assert_close(one.high, 1.0 - other.low, 1e-15);
        }
    }

    #[test]
    fn no_trials_say_nothing_and_all_trials_reach_one() {
        assert_eq!(Proportion::of(0, 0), None);
        assert_eq!(Proportion::of(5, 5).unwrap().high, 1.0);
        assert_eq!(Proportion::of(0, 5).unwrap().low, 0.0);
    }

    #[test]
    fn the_rule_of_three_bounds_the_exact_limit_closely() {
        assert_eq!(rule_of_three(0), 1.0);
        assert_eq!(rule_of_three(2), 1.0);
        for trials in [3u64, 10, 200, 5000] {
            let exact = 1.0 - libm::pow(0.05, 1.0 / trials as f64);
            let rule = rule_of_three(trials);
            assert!(rule >= exact && (trials < 10 || rule < exact * 1.17), "{rule} {exact}");
        }
        assert_eq!(Proportion::of(0, 200).unwrap().at_most(), 0.015);
    }

    #[test]
    fn the_interval_covers_a_rare_probability() {
        let mut rng = Splitmix(5);
        let covered = (0..1000)
            .filter(|_| {
                let events = (0..200).filter(|_| rng.unit() < 0.02).count() as u64;
                let share = Proportion::of(events, 200).unwrap();
                share.low <= 0.02 && 0.02 <= share.high
            })
            .count();
        assert!((930..=990).contains(&covered), "covered {covered} of 1000");
    }

    #[test]
    fn the_text_is_for_people() {
        assert_eq!(Proportion::of(0, 200).unwrap().to_string(), "0% (at most 1.5%)");
        assert_eq!(Proportion::of(3, 100).unwrap().to_string(), "3.0% (1.0% to 8.5%)");
    }
}
