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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;
    use crate::engine::{Name, Time};
    use crate::world::{NetworkSpec, Node, Sim, World, add};

    const GO: Name = Name::of("go");
    const DONE: Reply = Ok(Msg::Done { value: 0 });
    const SECOND: Span = Span::SECOND;

    /// Answers as it was told to, the last answer again and again.
    #[derive(Clone)]
    struct Target {
        answers: Vec<Reply>,
        asked: Rc<Cell<usize>>,
    }

    impl Node for Target {
        async fn handle(&self, _: &Cx, _: Msg) -> Reply {
            let place = self.asked.get();
            self.asked.set(place + 1);
            self.answers[place.min(self.answers.len() - 1)].clone()
        }
    }

    /// Calls once a second under a policy, and notes what it hears.
    #[derive(Clone)]
    struct Caller {
        target: NodeId,
        policy: Policy,
        calls: u32,
        heard: Rc<RefCell<Vec<Reply>>>,
    }

    impl Node for Caller {
        async fn boot(&self, cx: &Cx) {
            for second in 1..=self.calls {
                let due = Time(0) + SECOND * u64::from(second);
                let _ = cx.sleep(due - cx.now()).await;
                let message = Msg::Do { verb: GO, key: 0, value: 0 };
                let reply = self.policy.call(cx, self.target, message).await;
                self.heard.borrow_mut().push(reply);
            }
        }

        async fn handle(&self, _: &Cx, _: Msg) -> Reply {
            DONE
        }
    }

    /// What so many calls under this policy hear from a target with these answers, and how often it
    /// was asked.
    fn calls(policy: Policy, calls: u32, answers: &[Reply]) -> (Vec<Reply>, usize) {
        let mut sim = Sim::new(1, World::new(1, NetworkSpec::ideal()));
        let asked = Rc::new(Cell::new(0));
        let heard = Rc::new(RefCell::new(Vec::new()));
        let answers = answers.to_vec();
        let target = add(&mut sim, "target", Target { answers, asked: asked.clone() });
        let caller = Caller { target, policy, calls, heard: heard.clone() };
        let caller = add(&mut sim, "caller", caller);
        sim.boot(target);
        sim.boot(caller);
        sim.run(Time::MAX, 1_000_000);
        (heard.take(), asked.get())
    }

    fn once(retries: u32, answers: &[Reply]) -> (Reply, usize) {
        let backoff = Backoff { base: Span::ZERO, ..Backoff::default() };
        let policy = Policy { retries, backoff, ..Policy::default() };
        let (mut heard, asked) = calls(policy, 1, answers);
        (heard.remove(0), asked)
    }

    #[test]
    fn what_may_succeed_the_next_time_is_tried_again() {
        assert_eq!(once(3, &[Err(Fault::Overloaded), Err(Fault::Failed), DONE]), (DONE, 3));
        assert_eq!(once(1, &[Err(Fault::Overloaded)]), (Err(Fault::Overloaded), 2));
        assert_eq!(once(3, &[Err(Fault::Refused)]), (Err(Fault::Refused), 1));
    }

    #[test]
    fn once_a_try_may_have_taken_effect_no_later_one_makes_the_call_definite() {
        let reset = Err(Fault::Reset);
        let last = |fault| once(1, &[reset.clone(), Err(fault)]).0;
        assert_eq!(last(Fault::Refused), Err(Fault::Timeout));
        assert_eq!(last(Fault::Overloaded), Err(Fault::Timeout));
        assert_eq!(last(Fault::Reset), Err(Fault::Reset), "which is indefinite itself");
        assert_eq!(once(1, &[reset.clone(), DONE]).0, DONE);
        let certain = once(2, &[Err(Fault::Failed), Err(Fault::Overloaded), Err(Fault::Refused)]);
        assert_eq!(certain, (Err(Fault::Refused), 3), "no try can have taken effect");
    }

    fn guarded(
        failures: u32,
        open_for: Span,
        answers: &[Reply],
        count: u32,
    ) -> (Vec<Reply>, usize) {
        let breaker = Some(Breaker::new(failures, open_for));
        calls(Policy { breaker, ..Policy::default() }, count, answers)
    }

    const BAD: Reply = Err(Fault::Failed);
    const OPEN: Reply = Err(Fault::Open);

    #[test]
    fn a_breaker_opens_after_failures_in_a_row_and_closes_after_one_success() {
        // Calls come at 1, 2, 3 … s. It opens at 2 s and lets one call through at 5 s.
        let (heard, asked) = guarded(2, SECOND * 3, &[BAD, BAD, DONE], 6);
        assert_eq!(heard, [BAD, BAD, OPEN, OPEN, DONE, DONE]);
        assert_eq!(asked, 4, "an open breaker asks nobody");
    }

    #[test]
    fn a_probe_that_fails_opens_the_breaker_again() {
        let (heard, _) = guarded(2, SECOND * 2, &[BAD, BAD, BAD, DONE], 7);
        assert_eq!(heard, [BAD, BAD, OPEN, BAD, OPEN, DONE, DONE]);
    }

    #[test]
    fn successes_and_business_refusals_in_between_keep_a_breaker_closed() {
        for healthy in [DONE, Err(Fault::Refused)] {
            let (heard, _) = guarded(2, SECOND * 3, &[BAD, healthy.clone(), BAD, DONE], 4);
            assert_eq!(heard, [BAD, healthy, BAD, DONE]);
        }
    }

    #[test]
    fn a_breaker_lets_one_probe_through_at_a_time() {
        let breaker = Breaker::new(1, SECOND);
        breaker.state.set(State::Open { until: Time(5) });
        assert!(!breaker.admits(Time(4)));
        assert!(breaker.admits(Time(5)), "the probe");
        assert!(!breaker.admits(Time(6)), "nobody else while it is out");
    }

    /// Draws the wait before each of many tries.
    #[derive(Clone)]
    struct Waiter {
        backoff: Backoff,
        waits: Rc<RefCell<Vec<Vec<Span>>>>,
    }

    impl Node for Waiter {
        async fn boot(&self, cx: &Cx) {
            let draw = |attempt| (0..200).map(|_| self.backoff.wait(cx, attempt)).collect();
            *self.waits.borrow_mut() = (1..70).map(draw).collect();
        }

        async fn handle(&self, _: &Cx, _: Msg) -> Reply {
            DONE
        }
    }

    #[test]
    fn a_backoff_doubles_up_to_its_maximum_and_jitter_stays_within_its_bounds() {
        let (base, max) = (Span::from_millis(100), Span::from_seconds(2));
        for (jitter, least) in [(Jitter::None, 2), (Jitter::Full, 0), (Jitter::Equal, 1)] {
            let mut sim = Sim::new(1, World::new(1, NetworkSpec::ideal()));
            let waits = Rc::new(RefCell::new(Vec::new()));
            let backoff = Backoff { base, max, jitter };
            let node = add(&mut sim, "waiter", Waiter { backoff, waits: waits.clone() });
            sim.boot(node);
            for (tries, drawn) in waits.take().iter().enumerate() {
                let whole = (base * (1 << tries.min(10))).min(max);
                let bounds = whole * least / 2..=whole;
                assert!(drawn.iter().all(|wait| bounds.contains(wait)), "{jitter:?} {tries}");
                let mean = drawn.iter().map(|wait| wait.as_seconds()).sum::<f64>() / 200.0;
                let expected = whole.as_seconds() * (0.5 + least as f64 / 4.0);
                assert!((mean / expected - 1.0).abs() < 0.2, "{jitter:?} {tries}: {mean}");
            }
        }
    }
}
