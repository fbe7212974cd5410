//! How a caller protects itself from whom it calls: breaker, retries, timeout.
//!
//! One order, always: the breaker decides whether to call at all and judges the call as a whole;
//! the retries are within it; the timeout bounds each try. What a policy reports errs on the safe
//! side: if any try may have taken effect, a failed call is indefinite, whatever the last try said.

use std::cell::Cell;

use serde::Deserialize;

use crate::engine::{Fault, Msg, NodeId, Ratio, Reply, Span, Time};
use crate::world::Cx;

/// Facts that policies record.
pub mod facts {
    use crate::engine::Name;

    /// A call is tried again; the key is the target, the value how many tries there were.
    pub const RETRIED: Name = Name::of("call.retried");
    /// A breaker opened; the key is the target.
    pub const OPENED: Name = Name::of("breaker.opened");
    /// A breaker closed again; the key is the target.
    pub const CLOSED: Name = Name::of("breaker.closed");
    /// How they are spelt.
    pub const NAMES: [&str; 3] = ["call.retried", "breaker.opened", "breaker.closed"];
}

/// How to call a target: the breaker lets the call through or not, the retries are within it, and
/// the timeout bounds each try.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// How long each try may take. Default: without limit.
    pub timeout: Option<Span>,
    /// How often a failed call is tried again; a business refusal never is. Default: 0.
    pub retries: u32,
    /// How long to wait between tries. Default: exponential from 100 ms to 10 s with full jitter.
    pub backoff: Backoff,
    /// When to stop calling at all. Default: never.
    pub breaker: Option<Breaker>,
}

/// Exponential backoff between tries.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Backoff {
    /// Before the second try; it doubles with each further one. Default: `"100ms"`.
    pub base: Span,
    /// At most this long. Default: `"10s"`.
    pub max: Span,
    /// How much of it is left to chance. Default: `Full`.
    pub jitter: Jitter,
}

impl Default for Backoff {
    fn default() -> Backoff {
        let (base, max) = (Span::from_millis(100), Span::from_seconds(10));
        Backoff { base, max, jitter: Jitter::Full }
    }
}

/// How much of a backoff is left to chance, in the terms of M. Brooker, "Exponential Backoff And
/// Jitter", AWS Architecture Blog, 2015.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Jitter {
    /// Nothing: everybody comes back at once.
    None,
    /// All of it: uniform between nothing and the backoff.
    #[default]
    Full,
    /// Half of it: the backoff's half, and uniform up to the whole.
    Equal,
}

impl Backoff {
    /// The wait before try number `attempt`, counted from 0 for the first try.
    pub fn wait(&self, cx: &Cx, attempt: u32) -> Span {
        let doubled = self.base * (1_u64 << attempt.saturating_sub(1).min(40));
        let whole = doubled.min(self.max);
        let part = |of: Span| Span(cx.random(|rng| rng.below(of.0 + 1)));
        match self.jitter {
            Jitter::None => whole,
            Jitter::Full => part(whole),
            Jitter::Equal => whole / 2 + part(whole - whole / 2),
        }
    }
}

/// A circuit breaker: after so many failed calls in a row it refuses calls for a while, then lets
/// one through to see.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Breaker {
    /// How many failed calls in a row open it; business refusals do not count. At least 1.
    pub failures: u32,
    /// How long it stays open before it lets one call through.
    pub open_for: Span,
    #[serde(skip)]
    state: Cell<State>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Closed { failures: u32 },
    Open { until: Time },
    Probing,
}

impl Default for State {
    fn default() -> State {
        State::Closed { failures: 0 }
    }
}

impl Breaker {
    /// A closed breaker.
    pub fn new(failures: u32, open_for: Span) -> Breaker {
        Breaker { failures, open_for, state: Cell::default() }
    }

    fn admits(&self, now: Time) -> bool {
        match self.state.get() {
            State::Closed { .. } => true,
            State::Open { until } if now >= until => {
                self.state.set(State::Probing);
                true
            }
            State::Open { .. } | State::Probing => false,
        }
    }

    fn judge(&self, cx: &Cx, to: NodeId, reply: &Reply) {
        let healthy = match reply {
            Ok(_) => true,
            Err(fault) => !fault.is_retryable(),
        };
        let opens = match self.state.get() {
            _ if healthy => {
                if self.state.get() == State::Probing {
                    cx.note(facts::CLOSED, u64::from(to.0), 0);
                }
                self.state.set(State::default());
                return;
            }
            State::Closed { failures } if failures + 1 < self.failures => {
                self.state.set(State::Closed { failures: failures + 1 });
                false
            }
            State::Closed { .. } | State::Probing => true,
            // A call from before the breaker opened.
            State::Open { .. } => false,
        };
        if opens {
            self.state.set(State::Open { until: cx.now() + self.open_for });
            cx.note(facts::OPENED, u64::from(to.0), 0);
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
    /// earlier one may have; [`Fault::Open`] at once while the breaker is open.
    pub async fn call(&self, cx: &Cx, to: NodeId, msg: Msg) -> Reply {
        let Some(breaker) = &self.breaker else { return self.attempts(cx, to, msg).await };
        if !breaker.admits(cx.now()) {
            return Err(Fault::Open);
        }
        let reply = self.attempts(cx, to, msg).await;
        breaker.judge(cx, to, &reply);
        reply
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
            let _ = cx.sleep(self.backoff.wait(cx, tries)).await;
        }
    }

    /// What is wrong with it, for the loader.
    pub fn problem(&self) -> Option<String> {
        match &self.breaker {
            Some(breaker) if breaker.failures == 0 => {
                Some("a breaker needs `failures` of at least 1".to_owned())
            }
            _ if self.timeout.is_some_and(Span::is_zero) => {
                Some("a timeout of zero lets no call succeed".to_owned())
            }
            _ if self.backoff.base > self.backoff.max => {
                Some("the backoff's `base` is longer than its `max`".to_owned())
            }
            _ => None,
        }
    }
}

/// A share, drawn by a node from its own stream.
pub(crate) fn happens(cx: &Cx, share: Ratio) -> bool {
    !share.is_zero() && cx.random(|rng| rng.chance(share))
}
