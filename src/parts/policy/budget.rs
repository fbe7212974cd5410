//! How many retries a caller may afford: a bucket of tokens that its calls fill.
//!
//! However many tries a policy allows for one call, a budget bounds them over all calls, so that
//! retries add a fixed share to the load and not a multiple, however bad it gets.

use std::cell::RefCell;
use std::rc::Rc;

use serde::Deserialize;

use super::facts::Guard;
use super::shared::Share;
use crate::engine::{Fault, NodeId, Rate, Ratio, Time};
use crate::world::{Cx, Flaw};

/// How many retries a caller may afford over all of its calls to a target.
///
/// ```ron
/// (by: Share(deposit: "20 %", min: "10/s"))
/// ```
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryBudget {
    /// How it is earned and spent.
    pub by: Funding,
}

/// How a budget is earned and spent.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Funding {
    /// Every call deposits a share of a token and every retry takes one: beyond what was saved up,
    /// retries add no more than that share.
    ///
    /// Source: Finagle's `RetryBudget`.
    ///
    /// ```ron
    /// Share(deposit: "10 %", capacity: 5)
    /// ```
    Share {
        /// How much of a token each call deposits. Default: `"20 %"`, as in Finagle.
        #[serde(default = "Funding::fifth")]
        deposit: Ratio,
        /// Tokens that trickle in besides, so that a caller with few calls may retry at all;
        /// Finagle has 10 a second. Default: none.
        #[serde(default)]
        min: Option<Rate>,
        /// How many tokens it holds at most, and at first. Default: 100, what Finagle's trickle of
        /// 10 a second adds up to in its 10 s.
        #[serde(default = "Funding::hundred")]
        capacity: u32,
    },
    /// Every failed try takes a token and every success gives back a share of one; nothing is tried
    /// again while no more than half of them are left.
    ///
    /// Source: gRPC's retry design (proposal A6).
    ///
    /// ```ron
    /// Throttle(tokens: 10, ratio: "10 %")
    /// ```
    Throttle {
        /// How many tokens there are at most, and at first. Default: 10, as in the proposal.
        #[serde(default = "Funding::ten")]
        tokens: u32,
        /// How much of a token a success gives back. Default: `"10 %"`, as in the proposal.
        #[serde(default = "Funding::tenth")]
        ratio: Ratio,
    },
    /// Every retry takes some tokens and more after a timeout; a success gives back what its last
    /// retry took, or a little if it needed none.
    ///
    /// Source: the standard retry mode of the AWS SDKs.
    ///
    /// ```ron
    /// Quota(capacity: 500, cost: 5, timeout_cost: 10)
    /// ```
    Quota {
        /// How many tokens there are at most, and at first. Default: 500.
        #[serde(default = "Funding::five_hundred")]
        capacity: u32,
        /// What a retry takes. Default: 5.
        #[serde(default = "Funding::five")]
        cost: u32,
        /// What a retry after a timeout takes. Default: 10.
        #[serde(default = "Funding::ten")]
        timeout_cost: u32,
        /// What a success at the first try gives back. Default: 1.
        #[serde(default = "Funding::unit")]
        refund: u32,
    },
}

impl Funding {
    fn fifth() -> Ratio {
        Ratio::new(1, 5).unwrap_or(Ratio::ZERO)
    }

    fn tenth() -> Ratio {
        Ratio::new(1, 10).unwrap_or(Ratio::ZERO)
    }

    fn unit() -> u32 {
        1
    }

    fn five() -> u32 {
        5
    }

    fn ten() -> u32 {
        10
    }

    fn hundred() -> u32 {
        100
    }

    fn five_hundred() -> u32 {
        500
    }
}

/// Tokens are counted in millionths.
const TOKEN: u64 = 1_000_000;

fn millionths(share: Ratio) -> u64 {
    let part = u128::from(TOKEN) * u128::from(share.numerator());
    (part / u128::from(share.denominator())) as u64
}

/// What is left of a budget.
#[derive(Debug)]
pub(super) struct Purse(RefCell<Tokens>);

#[derive(Debug)]
struct Tokens {
    left: u64,
    /// When the trickle was last added, and what of a millionth was left over then.
    seen: Time,
    remainder: u128,
}

impl Share for RetryBudget {
    type State = Purse;
    const GUARD: Option<Guard> = Some(Guard::Budget);

    fn fresh(&self, cx: &Cx, _: NodeId) -> Purse {
        Purse(RefCell::new(Tokens { left: self.capacity(), seen: cx.now(), remainder: 0 }))
    }
}

impl RetryBudget {
    /// A full budget.
    pub fn new(by: Funding) -> RetryBudget {
        RetryBudget { by }
    }

    fn capacity(&self) -> u64 {
        let tokens = match self.by {
            Funding::Share { capacity, .. } | Funding::Quota { capacity, .. } => capacity,
            Funding::Throttle { tokens, .. } => tokens,
        };
        u64::from(tokens) * TOKEN
    }

    /// What is left of it for calls to `to`.
    pub(super) fn purse(&self, cx: &Cx, to: NodeId) -> Rc<Purse> {
        self.state(cx, to)
    }

    /// A call begins.
    pub(super) fn began(&self, purse: &Purse, now: Time) {
        let Funding::Share { deposit, min, .. } = &self.by else { return };
        let mut purse = purse.0.borrow_mut();
        let mut earned = millionths(*deposit);
        if let Some(rate) = min {
            let product = u128::from((now - purse.seen).0) * u128::from(rate.events());
            let whole = product * u128::from(TOKEN) + purse.remainder;
            let period = u128::from(rate.period().0);
            earned = earned.saturating_add(u64::try_from(whole / period).unwrap_or(u64::MAX));
            (purse.remainder, purse.seen) = (whole % period, now);
        }
        purse.left = purse.left.saturating_add(earned).min(self.capacity());
    }

    /// A try has failed and another is wanted, or not.
    pub(super) fn failed(&self, purse: &Purse) {
        if let Funding::Throttle { .. } = self.by {
            let mut purse = purse.0.borrow_mut();
            purse.left = purse.left.saturating_sub(TOKEN);
        }
    }

    /// May a call be tried again after this fault? If so, it is paid for.
    pub(super) fn pays(&self, purse: &Purse, fault: Fault) -> bool {
        let mut purse = purse.0.borrow_mut();
        let cost = match self.by {
            Funding::Share { .. } => TOKEN,
            Funding::Quota { .. } => self.cost(fault),
            Funding::Throttle { .. } => return purse.left > self.capacity() / 2,
        };
        let pays = purse.left >= cost;
        purse.left -= if pays { cost } else { 0 };
        pays
    }

    fn cost(&self, fault: Fault) -> u64 {
        let Funding::Quota { cost, timeout_cost, .. } = self.by else { return TOKEN };
        TOKEN * u64::from(if fault == Fault::Timeout { timeout_cost } else { cost })
    }

    /// A call has succeeded; `after` is the fault that its last retry followed.
    pub(super) fn succeeded(&self, purse: &Purse, after: Option<Fault>) {
        let back = match self.by {
            Funding::Share { .. } => return,
            Funding::Throttle { ratio, .. } => millionths(ratio),
            Funding::Quota { refund, .. } => {
                after.map_or(TOKEN * u64::from(refund), |fault| self.cost(fault))
            }
        };
        let mut purse = purse.0.borrow_mut();
        purse.left = (purse.left + back).min(self.capacity());
    }

    /// What is wrong with it, for the loader.
    pub(super) fn problem(&self) -> Option<Flaw> {
        let (field, title) = match self.by {
            Funding::Share { capacity: 0, .. } | Funding::Quota { capacity: 0, .. } => (
                "capacity",
                "a budget with a `capacity` of 0 never allows a retry: leave out the retries",
            ),
            Funding::Share { deposit, min: None, .. } if deposit.is_zero() => (
                "deposit",
                "a budget that nothing is put into, with neither `deposit` nor `min`, runs dry for \
                 good",
            ),
            Funding::Throttle { tokens: 0, .. } => {
                ("tokens", "a retry throttle needs at least one token")
            }
            Funding::Throttle { ratio, .. } if ratio.is_zero() => (
                "ratio",
                "a retry throttle needs a `ratio` above 0: without it the first failures stop \
                 retries for good",
            ),
            Funding::Quota { capacity, cost, timeout_cost, .. }
                if cost > capacity || timeout_cost > capacity =>
            {
                ("capacity", "a retry that costs more than the quota's `capacity` is never made")
            }
            _ => return None,
        };
        Some(Flaw::at(field, title).within("by"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Span;

    fn purse(budget: &RetryBudget) -> Purse {
        Purse(RefCell::new(Tokens { left: budget.capacity(), seen: Time(0), remainder: 0 }))
    }

    fn percent(of: u64) -> Ratio {
        Ratio::new(of, 100).unwrap()
    }

    #[test]
    fn a_share_of_the_calls_may_be_retried_once_the_savings_are_spent() {
        let budget =
            RetryBudget::new(Funding::Share { deposit: percent(10), min: None, capacity: 5 });
        let purse = purse(&budget);
        let mut retried = 0;
        for _ in 0..1_000 {
            budget.began(&purse, Time(0));
            retried += u32::from(budget.pays(&purse, Fault::Failed));
        }
        // Five were saved up, and a hundred were earned.
        assert_eq!(retried, 104, "the first deposit finds the bucket full");
    }

    #[test]
    fn a_trickle_pays_for_retries_where_calls_are_rare_and_no_nanosecond_of_it_is_lost() {
        let min = Rate::new(3, Span::SECOND);
        let budget = RetryBudget::new(Funding::Share { deposit: Ratio::ZERO, min, capacity: 2 });
        let purse = purse(&budget);
        let mut retried = 0;
        for step in 0..=70_000 {
            budget.began(&purse, Time(0) + Span::MILLISECOND * step);
            retried += u32::from(budget.pays(&purse, Fault::Failed));
        }
        assert_eq!(retried, 2 + 3 * 70);
    }

    #[test]
    fn the_throttle_of_grpc_goes_through_the_states_of_its_design() {
        let budget = RetryBudget::new(Funding::Throttle { tokens: 10, ratio: percent(10) });
        let purse = purse(&budget);
        let mut attempts = Vec::new();
        for _ in 0..10 {
            let mut tries = 0;
            loop {
                tries += 1;
                budget.failed(&purse);
                if tries == 4 || !budget.pays(&purse, Fault::Failed) {
                    break;
                }
            }
            attempts.push(tries);
        }
        assert_eq!(attempts, [4, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
        assert_eq!(purse.0.borrow().left, 0);
        let mut successes = 0;
        while !budget.pays(&purse, Fault::Failed) {
            budget.succeeded(&purse, None);
            successes += 1;
        }
        assert_eq!(successes, 51);
    }

    #[test]
    fn a_quota_charges_more_for_timeouts_and_gives_back_what_helped() {
        let by = Funding::Quota { capacity: 20, cost: 5, timeout_cost: 10, refund: 1 };
        let budget = RetryBudget::new(by);
        let purse = purse(&budget);
        let left = |purse: &Purse| purse.0.borrow().left / TOKEN;
        assert!(budget.pays(&purse, Fault::Timeout));
        assert!(budget.pays(&purse, Fault::Failed));
        assert_eq!(left(&purse), 5);
        assert!(!budget.pays(&purse, Fault::Timeout));
        budget.succeeded(&purse, Some(Fault::Failed));
        assert_eq!(left(&purse), 10);
        budget.succeeded(&purse, None);
        assert_eq!(left(&purse), 11);
        for _ in 0..50 {
            budget.succeeded(&purse, None);
        }
        assert_eq!(left(&purse), 20, "no more than it holds");
    }
}
