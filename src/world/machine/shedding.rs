//! Load shedding: the less important classes of requests are turned away first.

use serde::Deserialize;

use super::{MachineSpec, MachineUse};
use crate::engine::{Ratio, Span, Time};
use crate::world::flaw::{EVERY_MIN, Flaw, too_often};

/// Which requests are turned away as load rises, before they take a place in the queue.
///
/// Source: this simulator's own form of criticality in Google's *Site Reliability Engineering*,
/// chapter 21.
///
/// ```ron
/// (by: Occupancy, thresholds: [(priority: 1, load: "80 %"), (priority: 2, load: "50 %")])
/// ```
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shedding {
    /// What load is. Default: `Occupancy`.
    #[serde(default)]
    by: Signal,
    /// From which load on requests of a priority, and less important ones, are turned away; the
    /// more important priority first.
    thresholds: Vec<Threshold>,
}

/// From which load on requests are turned away.
#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// Those of this priority and of less important, which are higher numbers.
    priority: u8,
    /// From this load on.
    load: Ratio,
}

/// What load is measured by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Signal {
    /// How many jobs are there, of all that there is room for: workers and queue, or the limit if
    /// that is lower.
    ///
    /// Source: this simulator's own.
    #[default]
    Occupancy,
    /// How busy the workers were in the last whole window.
    ///
    /// Source: the utilisation signals of Google's *Site Reliability Engineering*, chapter 21.
    ///
    /// ```ron
    /// Utilisation(window: "1s")
    /// ```
    Utilisation {
        /// The length of a window. Default: `"1s"`.
        #[serde(default = "second")]
        window: Span,
    },
}

fn second() -> Span {
    Span::SECOND
}

impl Shedding {
    /// What is wrong with it, for the loader.
    pub(super) fn problem(&self, machine: &MachineSpec) -> Option<Flaw> {
        let bounded = machine.workers.is_some() && machine.queue_max.is_some();
        let (field, title) = match self.by {
            _ if self.thresholds.is_empty() => {
                ("thresholds", "shedding needs `thresholds` for some priorities")
            }
            _ if !self
                .thresholds
                .is_sorted_by(|a, b| a.priority < b.priority && a.is_above(*b)) =>
            {
                let title =
                    "thresholds begin with the most important priority, and their loads fall";
                ("thresholds", title)
            }
            Signal::Occupancy if !bounded && machine.limit.is_none() => {
                ("by", "shedding by occupancy needs `workers` and `queue_max`, or a `limit`")
            }
            Signal::Utilisation { .. } if machine.workers.is_none() => {
                ("by", "shedding by utilisation needs a number of `workers`")
            }
            Signal::Utilisation { window } if window < EVERY_MIN => {
                return too_often("by.window", window);
            }
            _ => return None,
        };
        Some(Flaw::at(field, title))
    }
}

impl Threshold {
    fn is_above(self, other: Threshold) -> bool {
        let product =
            |one: Ratio, by: Ratio| u128::from(one.numerator()) * u128::from(by.denominator());
        product(self.load, other.load) >= product(other.load, self.load)
    }
}

/// Shedding at work.
pub(super) struct Shedder {
    spec: Shedding,
    /// Of the window under way: when it began, and the worker time until then.
    began: (Time, u64),
    /// The worker time of the last whole window, and its length.
    last: (u64, u64),
}

impl Shedder {
    pub fn new(spec: Shedding, now: Time, busy: u64) -> Shedder {
        Shedder { spec, began: (now, busy), last: (0, 1) }
    }

    /// Is a request of this priority turned away? `usage` is up to date, and `room` is how many
    /// jobs there is room for.
    pub fn sheds(&mut self, now: Time, priority: u8, usage: &MachineUse, room: Occupancy) -> bool {
        let reached = |one: &&Threshold| one.priority <= priority;
        let Some(threshold) = self.spec.thresholds.iter().rev().find(reached) else { return false };
        let threshold = threshold.load;
        let (load, whole) = match self.spec.by {
            Signal::Occupancy => (u64::from(room.present), u64::from(room.places)),
            Signal::Utilisation { window } => {
                let span = now - self.began.0;
                if span >= window {
                    self.last = (usage.busy - self.began.1, span.0);
                    self.began = (now, usage.busy);
                }
                (self.last.0, self.last.1.saturating_mul(u64::from(room.workers)))
            }
        };
        u128::from(load) * u128::from(threshold.denominator())
            >= u128::from(whole) * u128::from(threshold.numerator())
    }
}

/// How full a machine is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Occupancy {
    /// Jobs that are there.
    pub present: u32,
    /// Jobs that there is room for.
    pub places: u32,
    /// Workers.
    pub workers: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shedder(text: &str) -> Shedder {
        Shedder::new(ron::from_str(text).expect("it can be read"), Time(0), 0)
    }

    #[test]
    fn the_less_important_are_turned_away_at_a_lower_occupancy() {
        let mut shedder =
            shedder("(thresholds: [(priority: 1, load: \"80 %\"), (priority: 3, load: \"50 %\")])");
        let mut sheds = |present, priority| {
            let room = Occupancy { present, places: 10, workers: 1 };
            shedder.sheds(Time(0), priority, &MachineUse::default(), room)
        };
        assert!(!sheds(10, 0), "the most important never");
        assert!(!sheds(7, 1) && sheds(8, 1));
        assert!(!sheds(7, 2) && sheds(8, 2), "like the more important one beside it");
        assert!(!sheds(4, 3) && sheds(5, 3) && sheds(5, 9));
    }

    #[test]
    fn utilisation_is_that_of_the_last_whole_window() {
        let mut shedder = shedder(
            "(by: Utilisation(window: \"1s\"), thresholds: [(priority: 1, load: \"75 %\")])",
        );
        let mut sheds = |millis: u64, busy: u64| {
            let usage = MachineUse { busy: busy * 1_000_000, ..MachineUse::default() };
            let room = Occupancy { present: 0, places: 0, workers: 2 };
            shedder.sheds(Time(0) + Span::from_millis(millis), 1, &usage, room)
        };
        assert!(!sheds(999, 1_998), "no window is whole yet");
        assert!(sheds(1_000, 2_000));
        assert!(sheds(1_999, 2_000));
        assert!(!sheds(2_000, 3_400), "1.4 of 2 workers are 70 %");
    }

    #[test]
    fn what_cannot_be_measured_is_refused() {
        let problem = |text: &str, machine: MachineSpec| {
            ron::from_str::<Shedding>(text).expect("it can be read").problem(&machine)
        };
        let bounded =
            MachineSpec { workers: Some(1), queue_max: Some(9), ..MachineSpec::default() };
        let good = "(thresholds: [(priority: 1, load: 0.8), (priority: 2, load: 0.5)])";
        assert_eq!(problem(good, bounded.clone()), None);
        assert!(problem(good, MachineSpec::default()).is_some());
        assert!(problem("(thresholds: [])", bounded.clone()).is_some());
        let rising = "(thresholds: [(priority: 1, load: 0.5), (priority: 2, load: 0.8)])";
        assert!(problem(rising, bounded).is_some());
    }
}
