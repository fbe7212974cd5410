//! How a caller protects itself from whom it calls.
//!
//! One order, always, from the outside to the inside; what a policy does not ask for is not there:
//!
//! 1. **Fallback** answers if all else has failed.
//! 2. **Deadline** bounds the call as a whole, with its waits and retries, and goes along with it.
//! 3. **Rate limit** and
//! 4. **bulkhead** turn calls away, or let them wait, before they cost anything. They count calls
//!    and not tries: what tries cost is bounded by the budget.
//! 5. **Breaker** decides whether to call at all, and judges the call as a whole. It is within the
//!    limits, so what they turned away says nothing about the target; it is around the retries, so
//!    a call that a retry has saved is a good one.
//! 6. **Retries**, bounded by their number, their time and their **budget**.
//! 7. **Hedging**: another copy of a try that takes too long.
//! 8. **Balancing** chooses the instance that each copy goes to, and ejects those that fail.
//! 9. **Timeout** of each try, and **cancellation** of what was given up.
//!
//! What a policy reports errs on the safe side: if any try may have taken effect, a failed call is
//! indefinite, whatever the last try said.

mod backoff;
mod balance;
mod breaker;
mod budget;
mod bulkhead;
mod fallback;
mod guarded;
mod hedge;
mod limit;
mod shared;
mod tries;
mod window;

pub mod facts;
#[cfg(test)]
mod tests;

use serde::Deserialize;

use crate::engine::{Fault, Msg, NodeId, Ratio, Reply, Span, Time};
use crate::world::{Ask, Cx, Flaw};
pub use backoff::{Backoff, Growth, Jitter};
pub use balance::{
    Avoid, Balance, Knowledge, Outliers, OwnZone, Pick, Subset, SubsetBy, SuccessRate,
};
pub use breaker::{Breaker, SlowCalls};
pub use budget::{Funding, RetryBudget};
pub use bulkhead::Bulkhead;
pub use fallback::{Fallback, Resort};
pub use hedge::{Delay, Hedge};
pub use limit::{Limiter, RateLimit};
pub use window::Window;

/// How to call a target. What is asked for is applied in one order, from the outside to the inside:
/// fallback, deadline, rate limit, bulkhead, breaker, retries with their budget, hedging,
/// balancing, timeout of each try.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// What the caller makes do with when the call has failed. Default: the failure.
    pub fallback: Option<Box<Fallback>>,
    /// How long the call may take as a whole, with its waits and retries. A call that serves a
    /// request with a deadline never takes longer than that one. Default: without limit.
    pub deadline: Option<Span>,
    /// Does the deadline go along with the call, so that the target knows when nobody waits any
    /// more? Default: true, as in gRPC and Finagle.
    pub propagate: bool,
    /// How many calls in a span of time are let through. Default: all.
    pub rate_limit: Option<Box<RateLimit>>,
    /// How many calls are under way at once. Default: without limit.
    pub bulkhead: Option<Box<Bulkhead>>,
    /// When to stop calling at all. Default: never.
    pub breaker: Option<Box<Breaker>>,
    /// How often a failed call is tried again; a business refusal never is. Default: 0.
    pub retries: u32,
    /// After which failures it is tried again. Default: all of them but `Conflict`.
    pub retry_on: Option<Vec<Failure>>,
    /// How long after its beginning a call is tried again at the latest. Default: without limit.
    pub retry_for: Option<Span>,
    /// How long to wait between tries. Default: exponential from 100 ms to 10 s with full jitter.
    pub backoff: Backoff,
    /// Is the hint of a target kept that is overloaded and says when to come again? Then the next
    /// try comes no earlier than that, nor than the backoff; a call that has no time for it fails
    /// at once. Default: false.
    pub retry_after: bool,
    /// How many retries the caller may afford over all of its calls to the target. Default: without
    /// limit.
    pub budget: Option<Box<RetryBudget>>,
    /// Another copy of a try that takes too long. Default: none.
    pub hedge: Option<Box<Hedge>>,
    /// How an instance is chosen where the target stands for several. Default: round robin.
    pub balance: Option<Box<Balance>>,
    /// How long each try may take. Default: without limit.
    pub timeout: Option<Span>,
    /// Does giving up take the request back, so that the target stops working on it? Otherwise what
    /// was abandoned is done in vain. Default: as for the request that the call is made for, and
    /// false for a client's.
    pub cancel: Option<bool>,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            fallback: None,
            deadline: None,
            propagate: true,
            rate_limit: None,
            bulkhead: None,
            breaker: None,
            retries: 0,
            retry_on: None,
            retry_for: None,
            backoff: Backoff::default(),
            retry_after: false,
            budget: None,
            hedge: None,
            balance: None,
            timeout: None,
            cancel: None,
        }
    }
}

/// A failure after which a call may succeed if it is simply tried again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Failure {
    /// No answer in time; it may have happened.
    Timeout,
    /// The connection broke; it may have happened.
    Reset,
    /// Nobody listens there.
    Unreachable,
    /// No room in a queue, or shed.
    Overloaded,
    /// An error before anything was changed.
    Failed,
    /// Somebody else was first, so that what it was based on holds no more.
    Conflict,
}

impl Failure {
    fn fault(self) -> Fault {
        match self {
            Failure::Timeout => Fault::Timeout,
            Failure::Reset => Fault::Reset,
            Failure::Unreachable => Fault::Unreachable,
            Failure::Overloaded => Fault::Overloaded,
            Failure::Failed => Fault::Failed,
            Failure::Conflict => Fault::Conflict,
        }
    }
}

impl Policy {
    /// A policy that only bounds the call.
    pub fn within(timeout: Span) -> Policy {
        Policy { timeout: Some(timeout), ..Policy::default() }
    }

    /// Calls `to` under this policy.
    ///
    /// # Errors
    /// The fault of the last try; [`Fault::Timeout`] if the last try certainly had no effect but an
    /// earlier one may have. If it was never sent: [`Fault::Open`] while the breaker is open,
    /// [`Fault::Limited`] by rate limit or bulkhead, [`Fault::Expired`] after the deadline.
    pub async fn call(&self, cx: &Cx, to: NodeId, msg: Msg) -> Reply {
        if self.is_plain() && cx.is_plain(to) {
            return self.attempts(cx, to, msg).await;
        }
        // What few calls need is apart from what all of them carry.
        Box::pin(guarded::call(self, cx, to, msg)).await
    }

    /// Are there only timeout, retries and backoff?
    #[inline]
    fn is_plain(&self) -> bool {
        let guards = self.rate_limit.is_some()
            || self.bulkhead.is_some()
            || self.breaker.is_some()
            || self.fallback.is_some();
        let tries = self.budget.is_some()
            || self.hedge.is_some()
            || self.balance.is_some()
            || self.retry_on.is_some()
            || self.retry_for.is_some()
            || self.retry_after
            || self.backoff.has_memory();
        !guards && !tries && self.deadline.is_none() && self.cancel.is_none()
    }

    async fn attempts(&self, cx: &Cx, to: NodeId, msg: Msg) -> Reply {
        let (mut tries, mut unsure) = (0, false);
        loop {
            let call = cx.call(to, msg.clone());
            let reply = match self.timeout {
                Some(timeout) => call.within(timeout).await,
                None => call.await,
            };
            let Err(fault) = reply else { return reply };
            tries += 1;
            unsure |= !fault.is_definite();
            if !fault.is_retryable() || tries > self.retries {
                return Err(if unsure && fault.is_definite() { Fault::Timeout } else { fault });
            }
            cx.note(facts::RETRIED, u64::from(to.0), u64::from(tries));
            let _ = cx.sleep(self.backoff.wait(cx, tries, Span::ZERO)).await;
        }
    }

    /// Until when a call that begins now may take.
    fn deadline_of_a_call(&self, cx: &Cx) -> Time {
        let asked = cx.baggage().deadline;
        self.deadline.map_or(asked, |deadline| asked.min(cx.now() + deadline))
    }

    /// Is a call tried again after this fault?
    fn retries_after(&self, fault: Fault) -> bool {
        match &self.retry_on {
            Some(chosen) => chosen.iter().any(|failure| failure.fault() == fault),
            None => fault.is_retryable(),
        }
    }

    /// How long the target asks its caller to wait that has failed like this, if that is heard.
    fn hint(&self, cx: &Cx, to: NodeId, fault: Fault) -> Span {
        let is_told = self.retry_after && fault == Fault::Overloaded;
        is_told.then(|| cx.retry_after(to)).flatten().unwrap_or_default()
    }

    /// What a node asks that asks this under the policy in its `field`: the same, and the like of
    /// whom it falls back to.
    pub fn asks(&self, field: &'static str, ask: Ask) -> impl Iterator<Item = Ask> {
        let other = self.fallback.as_deref().and_then(|fallback| fallback.ask(&ask));
        let other = other.map(|ask| ask.within("fallback").within(field));
        std::iter::once(ask).chain(other)
    }

    /// What is wrong with it, for the loader.
    pub fn problem(&self) -> Option<Flaw> {
        let (field, title) = match self {
            _ if self.timeout.is_some_and(Span::is_zero) => {
                ("timeout", "a timeout of zero lets no call succeed")
            }
            _ if self.deadline.is_some_and(Span::is_zero) => {
                ("deadline", "a deadline of zero lets no call begin")
            }
            Policy { deadline: Some(deadline), timeout: Some(timeout), .. }
                if timeout > deadline =>
            {
                let title = format!("no try can take {timeout}: the `deadline` is {deadline}");
                return Some(Flaw::at("timeout", title));
            }
            _ if self.retry_on.as_ref().is_some_and(Vec::is_empty) => {
                ("retry_on", "`retry_on` names no failure: leave out the retries")
            }
            Policy { retry_after: true, retry_on: Some(chosen), .. }
                if !chosen.contains(&Failure::Overloaded) =>
            {
                ("retry_after", "`retry_after` is about `Overloaded`, which `retry_on` leaves out")
            }
            _ => return self.problem_of_parts(),
        };
        Some(Flaw::at(field, title))
    }

    /// What it says that could have no effect, because of something else that it says.
    pub fn idle(&self) -> Vec<Flaw> {
        let is_once = self.retries == 0;
        let backoff = match is_once && self.backoff != Backoff::default() {
            true => vec![Flaw::new("without `retries` nothing is waited for")],
            false => self.backoff.idle(),
        };
        let backoff = backoff.into_iter().map(|flaw| flaw.within("backoff"));
        let about_retries = [
            ("budget", self.budget.is_some()),
            ("retry_on", self.retry_on.is_some()),
            ("retry_for", self.retry_for.is_some()),
            ("retry_after", self.retry_after),
        ];
        let about_retries = about_retries.into_iter().filter(|(_, is_said)| is_once && *is_said);
        let about_retries = about_retries.map(|(field, _)| Flaw::at(field, NO_RETRIES));
        let avoids = self.balance.as_ref().is_some_and(|it| it.avoid != Avoid::Nothing);
        let avoids = (is_once && avoids).then(|| {
            let title = "without `retries` there is no instance that was tried before";
            Flaw::at("avoid", title).within("balance")
        });
        let late =
            self.deadline.filter(|deadline| self.retry_for.is_some_and(|it| it >= *deadline));
        let late = late.map(|deadline| {
            let title = format!("no try begins after the `deadline` of {deadline} anyway");
            Flaw::at("retry_for", title).label("shorter than that")
        });
        let breaker = self.breaker.iter().flat_map(|breaker| breaker.idle());
        let breaker = breaker.map(|flaw| flaw.within("breaker"));
        let all = backoff.chain(about_retries).chain(avoids).chain(late).chain(breaker);
        all.chain(self.hedged_in_vain()).collect()
    }

    /// A copy that would be sent when the first one is not waited for any more.
    fn hedged_in_vain(&self) -> Option<Flaw> {
        let Delay::Fixed(after) = self.hedge.as_ref()?.after else { return None };
        let bounds = [("timeout", self.timeout), ("deadline", self.deadline)];
        let (field, _) =
            bounds.into_iter().find(|(_, bound)| bound.is_some_and(|it| it <= after))?;
        let title = "the copy would never be sent: the call is given up before";
        let label = format!("shorter than the `{field}`");
        Some(Flaw::at("after", title).label(label).within("hedge"))
    }

    fn problem_of_parts(&self) -> Option<Flaw> {
        fn of<T>(
            field: &'static str,
            part: Option<&T>,
            problem: fn(&T) -> Option<Flaw>,
        ) -> Option<Flaw> {
            part.and_then(problem).map(|flaw| flaw.within(field))
        }
        of("backoff", Some(&self.backoff), Backoff::problem)
            .or_else(|| of("rate_limit", self.rate_limit.as_deref(), RateLimit::problem))
            .or_else(|| of("bulkhead", self.bulkhead.as_deref(), Bulkhead::problem))
            .or_else(|| of("breaker", self.breaker.as_deref(), Breaker::problem))
            .or_else(|| of("fallback", self.fallback.as_deref(), Fallback::problem))
            .or_else(|| of("budget", self.budget.as_deref(), RetryBudget::problem))
            .or_else(|| of("hedge", self.hedge.as_deref(), Hedge::problem))
            .or_else(|| of("balance", self.balance.as_deref(), Balance::problem))
    }
}

const NO_RETRIES: &str =
    "a budget, `retry_on`, `retry_for` or `retry_after` without `retries` has no effect";

/// A share, drawn by a node from its own stream.
pub(crate) fn happens(cx: &Cx, share: Ratio) -> bool {
    !share.is_zero() && cx.random(|rng| rng.chance(share))
}
