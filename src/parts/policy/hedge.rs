//! Hedged and tied requests: a second copy for a call that takes too long.

use std::cell::RefCell;
use std::collections::VecDeque;

use serde::Deserialize;

use super::budget::RetryBudget;
use super::facts::Guard;
use super::shared::Share;
use crate::engine::{Fault, NodeId, Ratio, Span};
use crate::world::{Cx, Flaw};

/// Another copy of a call that takes too long, to another instance if there is one; the first
/// answer counts. Only for operations that may happen twice.
///
/// Source: J. Dean and L. A. Barroso, "The Tail at Scale", CACM 56(2), 2013.
///
/// ```ron
/// (after: Percentile(at: "95 %"), max: 1, budget: (by: Share(deposit: "5 %")))
/// ```
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hedge {
    /// How long without an answer until another copy is sent.
    pub after: Delay,
    /// How many copies besides the first, each that much after the one before. From 1 to
    /// 100. Default: 1.
    #[serde(default = "Hedge::one")]
    pub max: u32,
    /// What the copies may take from; gRPC throttles hedges like retries. Default: without limit.
    #[serde(default)]
    pub budget: Option<Box<RetryBudget>>,
    /// Are the copies that are not needed any more cancelled? Otherwise their work is done in vain.
    /// Default: true.
    #[serde(default = "Hedge::yes")]
    pub cancel: bool,
    /// Do the two copies know of each other, so that the one that begins its work first takes the
    /// other back? These are the tied requests of "The Tail at Scale": sent both at once or nearly
    /// so, they wait in two queues, and the shorter one counts. Default: false.
    #[serde(default)]
    pub tied: bool,
}

/// How long without an answer until another copy is sent.
#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Delay {
    /// Always this long.
    ///
    /// Source: the `hedgingDelay` of gRPC's retry design (proposal A6).
    Fixed(Span),
    /// As long as that share of the latest answers took at most.
    ///
    /// Source: J. Dean and L. A. Barroso, "The Tail at Scale", CACM 56(2), 2013; Finagle's
    /// `BackupRequestFilter`.
    ///
    /// ```ron
    /// Percentile(at: "95 %", window: 1000, calls_min: 100)
    /// ```
    Percentile {
        /// Which share: `"95 %"` hedges one call of twenty.
        at: Ratio,
        /// How many of the latest answers are looked at. Default: 1000.
        #[serde(default = "Delay::thousand")]
        window: u32,
        /// How many answers it takes before any call is hedged. Default: 100.
        #[serde(default = "Delay::hundred")]
        calls_min: u32,
    },
}

impl Delay {
    fn thousand() -> u32 {
        1_000
    }

    fn hundred() -> u32 {
        100
    }
}

/// How long the latest answers took.
#[derive(Debug, Default)]
pub(super) struct Latencies {
    latest: VecDeque<Span>,
    sorted: Vec<Span>,
}

impl Latencies {
    fn push(&mut self, latency: Span, window: u32) {
        if self.latest.len() >= window as usize
            && let Some(oldest) = self.latest.pop_front()
            && let Ok(place) = self.sorted.binary_search(&oldest)
        {
            self.sorted.remove(place);
        }
        self.latest.push_back(latency);
        let place = self.sorted.partition_point(|known| *known <= latency);
        self.sorted.insert(place, latency);
    }

    /// The smallest latency that at least this share of them do not exceed.
    fn quantile(&self, at: Ratio) -> Option<Span> {
        let count = self.sorted.len() as u128;
        let rank = (count * u128::from(at.numerator())).div_ceil(u128::from(at.denominator()));
        self.sorted.get(rank.saturating_sub(1) as usize).copied()
    }
}

impl Share for Hedge {
    type State = RefCell<Latencies>;
    const GUARD: Option<Guard> = Some(Guard::Hedge);

    fn fresh(&self, _: &Cx, _: NodeId) -> RefCell<Latencies> {
        RefCell::default()
    }
}

/// Nobody has more copies of a request under way on purpose; gRPC stops at five tries.
const COPIES_MAX: u32 = 100;

impl Hedge {
    fn one() -> u32 {
        1
    }

    fn yes() -> bool {
        true
    }

    /// How long to wait for an answer of `to` before another copy is sent; `None` for never.
    pub(super) fn delay(&self, cx: &Cx, to: NodeId) -> Option<Span> {
        let latencies = self.state(cx, to);
        match self.after {
            Delay::Fixed(span) => Some(span),
            Delay::Percentile { at, calls_min, .. } => {
                let latencies = latencies.borrow();
                let is_known = latencies.latest.len() >= calls_min as usize;
                latencies.quantile(at).filter(|_| is_known)
            }
        }
    }

    /// May another copy be sent? If so, it is paid for.
    pub(super) fn affords(&self, cx: &Cx, to: NodeId) -> bool {
        let budget = self.budget.as_deref();
        budget.is_none_or(|budget| budget.pays(&budget.purse(cx, to), Fault::Timeout))
    }

    /// A call begins: its budget earns from it.
    pub(super) fn began(&self, cx: &Cx, to: NodeId) {
        if let Some(budget) = self.budget.as_deref() {
            budget.began(&budget.purse(cx, to), cx.now());
        }
    }

    /// A try was answered after so long.
    pub(super) fn learn(&self, cx: &Cx, to: NodeId, latency: Span) {
        if let Delay::Percentile { window, .. } = self.after {
            self.state(cx, to).borrow_mut().push(latency, window);
        }
    }

    /// What is wrong with it, for the loader.
    pub(super) fn problem(&self) -> Option<Flaw> {
        let (field, title) = match self.after {
            _ if self.max == 0 => ("max", "a hedge with `max` of 0 sends no copy"),
            _ if self.max > COPIES_MAX => {
                let title = format!("a hedge sends at most {COPIES_MAX} copies");
                return Some(Flaw::at("max", title).label(format!("from 1 to {COPIES_MAX}")));
            }
            _ if self.tied && self.max > 1 => ("max", "tied requests come in pairs: `max` is 1"),
            _ if self.tied && !self.cancel => {
                ("cancel", "tied requests cancel each other: `cancel` is true")
            }
            Delay::Percentile { at, .. } if at.is_zero() || at.is_one() => {
                ("after.at", "a hedge's percentile lies between 0 and 100 %")
            }
            Delay::Percentile { window, calls_min, .. } if window < calls_min.max(1) => (
                "after.window",
                "a hedge that waits for `calls_min` answers needs a `window` that holds as many",
            ),
            _ => {
                let budget = self.budget.as_ref().and_then(|budget| budget.problem());
                return budget.map(|flaw| flaw.within("budget"));
            }
        };
        Some(Flaw::at(field, title))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_of_the_latest_answers() {
        let mut latencies = Latencies::default();
        let percent = |of| Ratio::new(of, 100).unwrap();
        assert_eq!(latencies.quantile(percent(95)), None);
        for latency in 1..=100 {
            latencies.push(Span(latency), 100);
        }
        assert_eq!(latencies.quantile(percent(95)), Some(Span(95)));
        assert_eq!(latencies.quantile(percent(1)), Some(Span(1)));
        for _ in 0..50 {
            latencies.push(Span(1_000), 100);
        }
        assert_eq!(latencies.quantile(percent(50)), Some(Span(100)), "1 to 50 are forgotten");
        assert_eq!(latencies.quantile(percent(51)), Some(Span(1_000)));
        assert_eq!(latencies.sorted.len(), 100);
    }
}
