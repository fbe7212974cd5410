//! A circuit breaker: after too many bad calls it refuses calls for a while, then lets a few
//! through to see.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use serde::Deserialize;

use super::facts::{self, Guard};
use super::shared::Share;
use super::window::{Outcomes, Verdict, Window};
use crate::engine::{Fault, NodeId, Ratio, Reply, Span, Time};
use crate::world::{Cx, Flaw};

/// A circuit breaker: after too many bad calls it refuses calls for a while, then lets a few
/// through to see. It judges calls as a whole, with their retries; business refusals are good
/// calls. What opens it are failures in a row, the share of failed calls, or the share of slow
/// ones. It belongs to the caller's process and the target: all of its calls there with the same
/// settings share it.
///
/// Source: M. Nygard, "Release It!", 2007; windows, slow calls and probes as in resilience4j.
///
/// ```ron
/// (rate: "50 %", slow: (than: "500ms", rate: "80 %"), window: Time("30s"), calls_min: 20,
///     open_for: "10s", probes: 5)
/// ```
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Breaker {
    /// How many failed calls in a row open it. At least 1. Default: not looked at.
    #[serde(default)]
    pub failures: Option<u32>,
    /// What share of failed calls in the window opens it; above 0. Default: not looked at.
    #[serde(default)]
    pub rate: Option<Ratio>,
    /// What share of slow calls in the window opens it. Default: not looked at.
    #[serde(default)]
    pub slow: Option<SlowCalls>,
    /// Which calls the shares are of: `Calls(100)`, `Time("60s")`. Default: `Calls(100)`, as in
    /// resilience4j.
    #[serde(default)]
    pub window: Window,
    /// How many calls must be in the window before a share says anything. At least 1. Default: 10.
    #[serde(default = "Breaker::ten")]
    pub calls_min: u32,
    /// How long it stays open before it lets calls through to see.
    pub open_for: Span,
    /// How many calls it then lets through: it closes if they are good enough, and opens again
    /// otherwise. At least 1. Default: 1.
    #[serde(default = "Breaker::one")]
    pub probes: u32,
}

/// When calls are slow, and how many of them are too many.
///
/// Source: resilience4j's `CircuitBreaker` (slow call rate).
///
/// ```ron
/// (than: "500ms", rate: "80 %")
/// ```
#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlowCalls {
    /// A call that takes longer is slow.
    pub than: Span,
    /// What share of slow calls opens the breaker; above 0.
    pub rate: Ratio,
}

/// What a breaker has come to.
#[derive(Debug, Default)]
pub(super) struct State {
    mode: Cell<Mode>,
    /// Counts its changes, so that a call from before one is not judged after it.
    era: Cell<u64>,
    outcomes: RefCell<Outcomes>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    /// With so many failures in a row.
    Closed(u32),
    Open {
        until: Time,
    },
    HalfOpen {
        /// Probes let through, and of these: ended, failed, slow.
        sent: u32,
        ended: u32,
        failed: u32,
        slow: u32,
    },
}

impl Default for Mode {
    fn default() -> Mode {
        Mode::Closed(0)
    }
}

impl Share for Breaker {
    type State = State;
    const GUARD: Option<Guard> = Some(Guard::Breaker);

    fn fresh(&self, _: &Cx, _: NodeId) -> State {
        State::default()
    }
}

/// A call that a breaker has let through. Dropped without a judgement, it gives its place back.
pub(super) struct Pass<'b> {
    breaker: &'b Breaker,
    state: Rc<State>,
    era: u64,
    began: Time,
    is_judged: bool,
}

impl Breaker {
    /// A closed breaker that opens after so many failures in a row.
    pub fn new(failures: u32, open_for: Span) -> Breaker {
        Breaker {
            failures: Some(failures),
            rate: None,
            slow: None,
            window: Window::default(),
            calls_min: Breaker::ten(),
            open_for,
            probes: Breaker::one(),
        }
    }

    fn one() -> u32 {
        1
    }

    fn ten() -> u32 {
        10
    }

    /// Lets a call to `to` through, or not.
    pub(super) fn admit(&self, cx: &Cx, to: NodeId) -> Option<Pass<'_>> {
        let (state, now) = (self.state(cx, to), cx.now());
        if !state.admits(now, self.probes) {
            return None;
        }
        let era = state.era.get();
        Some(Pass { breaker: self, state, era, began: now, is_judged: false })
    }

    /// Do these outcomes speak against letting calls through?
    fn is_too_bad(&self, calls: u32, failed: u32, slow: u32) -> bool {
        let is_above = |count: u32, share: Ratio| {
            u128::from(count) * u128::from(share.denominator())
                >= u128::from(calls) * u128::from(share.numerator())
        };
        self.rate.is_some_and(|rate| is_above(failed, rate))
            || self.slow.is_some_and(|limit| is_above(slow, limit.rate))
    }

    /// What it says that could have no effect, because of something else that it says.
    pub(super) fn idle(&self) -> Option<Flaw> {
        let has_shares = self.rate.is_some() || self.slow.is_some();
        let field = match self {
            _ if has_shares => return None,
            _ if self.window != Window::default() => "window",
            _ if self.calls_min != Breaker::ten() => "calls_min",
            _ => return None,
        };
        let title =
            format!("`{field}` is about shares of calls, and neither `rate` nor `slow` is one");
        Some(Flaw::at(field, title))
    }

    /// What is wrong with it, for the loader.
    pub(super) fn problem(&self) -> Option<Flaw> {
        let (field, title) = match self {
            Breaker { failures: None, rate: None, slow: None, .. } => {
                let title = "a breaker needs `failures`, `rate` or `slow`: nothing else opens it";
                return Some(Flaw::new(title));
            }
            Breaker { failures: Some(0), .. } => {
                ("failures", "a breaker needs `failures` of at least 1")
            }
            Breaker { probes: 0, .. } => {
                ("probes", "a breaker without `probes` never closes again")
            }
            Breaker { calls_min: 0, .. } => ("calls_min", "a breaker's `calls_min` is at least 1"),
            Breaker { window: Window::Calls(0), .. } => {
                ("window", "a breaker's window of no calls is empty")
            }
            Breaker { window: Window::Time(span), .. } if span.is_zero() => {
                ("window", "a breaker's window of no time is empty")
            }
            Breaker { window: Window::Calls(calls), calls_min, rate, slow, .. }
                if calls < calls_min && (rate.is_some() || slow.is_some()) =>
            {
                let title = format!(
                    "a breaker that waits for `calls_min` of {calls_min} never opens: its window \
                     holds {calls} calls"
                );
                return Some(Flaw::at("window", title));
            }
            _ if self.rate.is_some_and(Ratio::is_zero) => {
                ("rate", "a breaker that opens at a share of 0 is always open")
            }
            _ if self.slow.is_some_and(|slow| slow.rate.is_zero()) => {
                ("slow.rate", "a breaker that opens at a share of 0 is always open")
            }
            _ => return None,
        };
        Some(Flaw::at(field, title))
    }
}

impl State {
    fn admits(&self, now: Time, probes: u32) -> bool {
        match self.mode.get() {
            Mode::Closed(_) => true,
            Mode::Open { until } if now >= until => {
                self.change(Mode::HalfOpen { sent: 1, ended: 0, failed: 0, slow: 0 });
                true
            }
            Mode::HalfOpen { sent, ended, failed, slow } if sent < probes => {
                self.mode.set(Mode::HalfOpen { sent: sent + 1, ended, failed, slow });
                true
            }
            Mode::Open { .. } | Mode::HalfOpen { .. } => false,
        }
    }

    fn change(&self, mode: Mode) {
        self.mode.set(mode);
        self.era.set(self.era.get() + 1);
        self.outcomes.borrow_mut().clear();
    }
}

impl Pass<'_> {
    /// The call has ended like this.
    pub fn judge(mut self, cx: &Cx, to: NodeId, reply: &Reply) {
        self.is_judged = true;
        if self.state.era.get() != self.era {
            return;
        }
        let (breaker, now) = (self.breaker, cx.now());
        let slow = breaker.slow.is_some_and(|slow| now - self.began > slow.than);
        let next = self.state.after(breaker, now, Verdict { failed: !is_answer(reply), slow });
        let what = match next {
            Some(Mode::Open { .. }) => facts::OPENED,
            Some(_) => facts::CLOSED,
            None => return,
        };
        cx.note(what, u64::from(to.0), 0);
    }
}

impl State {
    /// Takes in how a call went; what the breaker has changed to, if it has.
    fn after(&self, breaker: &Breaker, now: Time, verdict: Verdict) -> Option<Mode> {
        let open = Mode::Open { until: now + breaker.open_for };
        let next = match self.mode.get() {
            Mode::Open { .. } => return None,
            Mode::Closed(row) => {
                let row = if verdict.failed { row + 1 } else { 0 };
                self.mode.set(Mode::Closed(row));
                let mut outcomes = self.outcomes.borrow_mut();
                if breaker.rate.is_some() || breaker.slow.is_some() {
                    outcomes.push(breaker.window, now, verdict);
                }
                let (calls, failed, slow) = (outcomes.calls(), outcomes.failed(), outcomes.slow());
                let is_row = breaker.failures.is_some_and(|failures| row >= failures);
                let is_share =
                    calls >= breaker.calls_min && breaker.is_too_bad(calls, failed, slow);
                (is_row || is_share).then_some(open)
            }
            Mode::HalfOpen { sent, ended, failed, slow } => {
                let ended = ended + 1;
                let failed = failed + u32::from(verdict.failed);
                let slow = slow + u32::from(verdict.slow);
                self.mode.set(Mode::HalfOpen { sent, ended, failed, slow });
                let is_row = breaker.failures.is_some() && failed > 0;
                let is_over = ended == breaker.probes;
                if is_row || is_over && breaker.is_too_bad(ended, failed, slow) {
                    Some(open)
                } else {
                    is_over.then_some(Mode::Closed(0))
                }
            }
        }?;
        self.change(next);
        Some(next)
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.is_judged || self.state.era.get() != self.era {
            return;
        }
        if let Mode::HalfOpen { sent, ended, failed, slow } = self.state.mode.get() {
            self.state.mode.set(Mode::HalfOpen { sent: sent - 1, ended, failed, slow });
        }
    }
}

/// Was the target well enough to answer, be it with a refusal?
pub(super) fn is_answer(reply: &Reply) -> bool {
    matches!(reply, Ok(_) | Err(Fault::Refused | Fault::Unknown | Fault::Conflict))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Verdict = Verdict { failed: false, slow: false };
    const BAD: Verdict = Verdict { failed: true, slow: false };
    const SLOW: Verdict = Verdict { failed: false, slow: true };

    fn shares(rate: Option<u64>, slow: Option<u64>, probes: u32) -> Breaker {
        let share = |percent| Ratio::new(percent, 100).unwrap();
        let slow = slow.map(|percent| SlowCalls { than: Span(5), rate: share(percent) });
        let window = Window::Calls(10);
        let rate = rate.map(share);
        Breaker {
            failures: None,
            rate,
            slow,
            window,
            calls_min: 4,
            probes,
            ..Breaker::new(1, Span(9))
        }
    }

    /// Whether it is open after each of these outcomes, all at the start.
    fn opens(breaker: &Breaker, verdicts: &[Verdict]) -> Vec<bool> {
        let state = State::default();
        let each = verdicts.iter().map(|verdict| {
            state.after(breaker, Time(0), *verdict);
            matches!(state.mode.get(), Mode::Open { .. })
        });
        each.collect()
    }

    #[test]
    fn a_share_of_failures_opens_it_once_enough_calls_were_seen() {
        let half = shares(Some(50), None, 1);
        assert_eq!(opens(&half, &[BAD, BAD, BAD, GOOD]), [false, false, false, true]);
        assert_eq!(opens(&half, &[BAD, GOOD, GOOD, GOOD]), [false; 4]);
        assert_eq!(opens(&half, &[SLOW; 6]), [false; 6], "nobody asked about slow calls");
    }

    #[test]
    fn a_share_of_slow_calls_opens_it_though_they_succeed() {
        let slow = shares(None, Some(75), 1);
        assert_eq!(opens(&slow, &[SLOW, SLOW, GOOD, SLOW]), [false, false, false, true]);
        assert_eq!(opens(&slow, &[BAD; 6]), [false; 6], "nobody asked about failures");
    }

    #[test]
    fn failures_that_the_window_has_left_behind_are_forgotten() {
        let breaker = Breaker { window: Window::Time(Span(10)), ..shares(Some(50), None, 1) };
        let state = State::default();
        for at in [0, 1, 2, 12, 13, 13, 13] {
            let verdict = if at < 10 { BAD } else { GOOD };
            assert_eq!(state.after(&breaker, Time(at), verdict), None, "{at}");
        }
    }

    #[test]
    fn as_many_probes_as_asked_for_decide_together() {
        let breaker = shares(Some(50), None, 3);
        for (verdicts, closes) in [([GOOD, BAD, GOOD], true), ([BAD, GOOD, BAD], false)] {
            let state = State::default();
            state.change(Mode::Open { until: Time(9) });
            let admitted: Vec<bool> = (0..5).map(|_| state.admits(Time(9), 3)).collect();
            assert_eq!(admitted, [true, true, true, false, false]);
            let changes = verdicts.map(|verdict| state.after(&breaker, Time(10), verdict));
            assert_eq!(changes[..2], [None, None]);
            assert_eq!(changes[2] == Some(Mode::Closed(0)), closes);
        }
    }

    #[test]
    fn a_breaker_lets_one_probe_through_at_a_time() {
        let state = State::default();
        state.change(Mode::Open { until: Time(5) });
        assert!(!state.admits(Time(4), 1));
        assert!(state.admits(Time(5), 1), "the probe");
        assert!(!state.admits(Time(6), 1), "nobody else while it is out");
    }

    #[test]
    fn a_probe_that_comes_to_no_end_gives_its_place_back() {
        let breaker = shares(Some(50), None, 1);
        let state = Rc::new(State::default());
        state.change(Mode::Open { until: Time(5) });
        assert!(state.admits(Time(5), 1));
        let (era, began) = (state.era.get(), Time(5));
        drop(Pass { breaker: &breaker, state: state.clone(), era, began, is_judged: false });
        assert!(state.admits(Time(6), 1), "another may go");
    }
}
