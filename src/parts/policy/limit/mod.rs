//! A rate limit: so many calls in a span of time and no more.
//!
//! Calls come in one after the other. Each is given the first instant at which the limit lets it
//! through, none earlier than the one before it; if that is now it goes, if it is near enough it
//! waits, and otherwise it is turned away and leaves no trace in the limit.

mod adaptive;
mod bucket;
mod window;

use std::cell::RefCell;

use serde::Deserialize;

use super::facts::Guard;
use super::shared::Share;
use crate::engine::{Factor, Fault, NodeId, Rate, Ratio, Reply, Span, Time};
use crate::world::{Cx, Flaw};
use adaptive::{Aimd, Throttle};
use bucket::Bucket;
use window::{Counter, Fixed, Log};

/// So many calls to a target in a span of time and no more. Others wait, in their order, or are
/// turned away: limited by their caller.
///
/// ```ron
/// (by: TokenBucket(rate: "100/s", burst: 20), wait: "50ms")
/// ```
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// How it counts.
    pub by: Limiter,
    /// How long a call waits for its turn. Default: not at all.
    #[serde(default)]
    pub wait: Span,
}

/// How a rate limit counts.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Limiter {
    /// Tokens come in continuously and each call takes one: the rate holds in the long run, and
    /// what was saved up may be spent at once.
    ///
    /// Source: RFC 2215 (the token bucket of integrated services); Envoy's local rate limit.
    ///
    /// ```ron
    /// TokenBucket(rate: "10/s", burst: 20)
    /// ```
    TokenBucket {
        /// How often a token comes in.
        rate: Rate,
        /// How many tokens it holds, and at first. At least 1. Default: 1.
        #[serde(default = "Limiter::one")]
        burst: u32,
    },
    /// Calls leak out evenly, one at a time: nothing is saved up, so `wait` is the depth of the
    /// bucket.
    ///
    /// Source: J. S. Turner, "New Directions in Communications (or Which Way to the Information
    /// Age?)", IEEE Communications Magazine 24(10), 1986.
    ///
    /// ```ron
    /// LeakyBucket(rate: "10/s")
    /// ```
    LeakyBucket {
        /// How often a call goes out.
        rate: Rate,
    },
    /// So many calls in each window of the clock: where two windows meet, twice as many may come
    /// close together. This is how the simplest gateways limit.
    ///
    /// Source: resilience4j's `RateLimiter`.
    ///
    /// ```ron
    /// FixedWindow(max: 100, window: "1s")
    /// ```
    FixedWindow {
        /// How many calls. At least 1.
        max: u32,
        /// In which span; windows begin at its multiples.
        window: Span,
    },
    /// So many calls in any span of this length: exact, and every call is remembered.
    ///
    /// Source: common among gateways, where it is the sliding window log; no single source.
    ///
    /// ```ron
    /// SlidingLog(max: 100, window: "1s")
    /// ```
    SlidingLog {
        /// How many calls. At least 1.
        max: u32,
        /// In any span of this length.
        window: Span,
    },
    /// So many calls in about any span of this length, judged by two counters: of the window
    /// before, as large a part counts as the span still reaches into it.
    ///
    /// Source: Cloudflare, "How we built rate limiting capable of scaling to millions of domains",
    /// 2017.
    ///
    /// ```ron
    /// SlidingCounter(max: 100, window: "1s")
    /// ```
    SlidingCounter {
        /// How many calls. At least 1.
        max: u32,
        /// In any span of about this length.
        window: Span,
    },
    /// The rate follows what the target can take: it grows by a step a second while calls go well
    /// and shrinks by a factor when one fails or is slow: additive increase, multiplicative
    /// decrease, as in TCP.
    ///
    /// Source: D.-M. Chiu and R. Jain, "Analysis of the Increase and Decrease Algorithms for
    /// Congestion Avoidance in Computer Networks", Computer Networks and ISDN Systems 17, 1989; the
    /// factor of the AWS SDKs' adaptive mode.
    ///
    /// ```ron
    /// Aimd(start: "100/s", min: "1/s", max: "1000/s", increase: "10/s", decrease: "0.7")
    /// ```
    Aimd {
        /// The rate at first.
        start: Rate,
        /// The lowest rate. Default: `"1/s"`.
        #[serde(default = "Limiter::lowest")]
        min: Rate,
        /// The highest rate.
        max: Rate,
        /// By how much the rate grows in a second of good calls. Default: `"1/s"`.
        #[serde(default = "Limiter::lowest")]
        increase: Rate,
        /// What is left of the rate after a bad call; below 1. Default: `"0.7"`, as the AWS SDKs'
        /// adaptive mode has it.
        #[serde(default = "Limiter::seven_tenths")]
        decrease: Factor,
        /// A call that takes longer is a bad one. Default: only failed calls are.
        #[serde(default)]
        slow: Option<Span>,
        /// After a decrease, for how long no other follows: bad calls of one moment count once.
        /// Default: `"500ms"`.
        #[serde(default = "Limiter::half_second")]
        pause: Span,
    },
    /// A call is turned away with a probability that grows with the share of calls that the target
    /// did not accept lately: client-side throttling. Of `requests` and `accepts` in the window,
    /// the probability is (requests - k accepts) / (requests + 1).
    ///
    /// Source: Google's *Site Reliability Engineering*, chapter 21 (client-side throttling).
    ///
    /// ```ron
    /// Throttle(k: "2x", window: "2min")
    /// ```
    Throttle {
        /// How many calls are made for each that is accepted. At least 1. Default: `"2x"`.
        #[serde(default = "Limiter::twice")]
        k: Factor,
        /// What counts as lately. Default: `"2min"`.
        #[serde(default = "Limiter::two_minutes")]
        window: Span,
    },
}

impl Limiter {
    fn one() -> u32 {
        1
    }

    fn lowest() -> Rate {
        Rate::PER_SECOND
    }

    fn seven_tenths() -> Factor {
        Factor::from_thousandths(700).unwrap_or(Factor::ONE)
    }

    fn half_second() -> Span {
        Span::from_millis(500)
    }

    fn twice() -> Factor {
        Factor::TWO
    }

    fn two_minutes() -> Span {
        Span::MINUTE * 2
    }
}

/// What a limit has counted.
#[derive(Debug)]
pub(super) enum Meter {
    Bucket(Bucket),
    Fixed(Fixed),
    Log(Log),
    Counter(Counter),
    Aimd(Aimd),
    Throttle(Throttle),
}

impl Meter {
    fn new(by: &Limiter) -> Meter {
        match *by {
            Limiter::TokenBucket { rate, burst } => Meter::Bucket(Bucket::new(rate, burst)),
            Limiter::LeakyBucket { rate } => Meter::Bucket(Bucket::new(rate, 1)),
            Limiter::FixedWindow { max, window } => Meter::Fixed(Fixed::new(max, window)),
            Limiter::SlidingLog { max, window } => Meter::Log(Log::new(max, window)),
            Limiter::SlidingCounter { max, window } => Meter::Counter(Counter::new(max, window)),
            Limiter::Aimd { start, .. } => Meter::Aimd(Aimd::new(start)),
            Limiter::Throttle { .. } => Meter::Throttle(Throttle::default()),
        }
    }

    /// The first instant from `now` on at which a call gets through, none before the last one's.
    fn earliest(&self, now: Time) -> Time {
        match self {
            Meter::Bucket(bucket) => bucket.earliest(now),
            Meter::Fixed(fixed) => fixed.earliest(now),
            Meter::Log(log) => log.earliest(now),
            Meter::Counter(counter) => counter.earliest(now),
            Meter::Aimd(aimd) => aimd.earliest(now),
            Meter::Throttle(_) => now,
        }
    }

    /// A call gets through at that instant.
    fn take(&mut self, at: Time) {
        match self {
            Meter::Bucket(bucket) => bucket.take(at),
            Meter::Fixed(fixed) => fixed.take(at),
            Meter::Log(log) => log.take(at),
            Meter::Counter(counter) => counter.take(at),
            Meter::Aimd(aimd) => aimd.take(at),
            Meter::Throttle(_) => {}
        }
    }
}

impl Share for RateLimit {
    type State = RefCell<Meter>;
    const GUARD: Option<Guard> = Some(Guard::RateLimit);

    fn fresh(&self, _: &Cx, _: NodeId) -> RefCell<Meter> {
        RefCell::new(Meter::new(&self.by))
    }
}

impl RateLimit {
    /// Waits until the limit lets a call to `to` through, by `deadline` at the latest; false if it
    /// is turned away.
    pub(super) async fn admits(&self, cx: &Cx, to: NodeId, deadline: Time) -> bool {
        let (meter, now) = (self.state(cx, to), cx.now());
        if let (Meter::Throttle(throttle), Limiter::Throttle { k, window }) =
            (&mut *meter.borrow_mut(), &self.by)
        {
            let share = throttle.rejects(*k, *window, now);
            let is_rejected = !share.is_zero() && cx.random(|rng| rng.chance(share));
            throttle.asked(now);
            return !is_rejected;
        }
        let at = meter.borrow().earliest(now);
        if at > (now + self.wait).min(deadline) {
            return false;
        }
        meter.borrow_mut().take(at);
        if at > now {
            let _ = cx.sleep(at - now).await;
        }
        true
    }

    /// A call that it let through has ended like this after `latency`.
    pub(super) fn learn(&self, cx: &Cx, to: NodeId, reply: &Reply, latency: Span) {
        let is_adaptive = matches!(self.by, Limiter::Aimd { .. } | Limiter::Throttle { .. });
        if !is_adaptive {
            return;
        }
        let meter = self.state(cx, to);
        match (&mut *meter.borrow_mut(), &self.by) {
            (
                Meter::Aimd(aimd),
                Limiter::Aimd { min, max, increase, decrease, slow, pause, .. },
            ) => {
                let is_bad =
                    !super::breaker::is_answer(reply) || slow.is_some_and(|slow| latency > slow);
                if is_bad {
                    aimd.shrink(*decrease, *min, *pause, cx.now());
                } else {
                    aimd.grow(*increase, *max);
                }
            }
            (Meter::Throttle(throttle), _) => {
                // As in the book: what the target rejects for its own sake was not accepted.
                let is_rejected = matches!(reply, Err(Fault::Overloaded | Fault::Unreachable))
                    || matches!(reply, Err(Fault::Limited | Fault::Expired | Fault::Timeout));
                if !is_rejected {
                    throttle.accepted(cx.now());
                }
            }
            _ => {}
        }
    }

    /// What is wrong with it, for the loader.
    pub(super) fn problem(&self) -> Option<Flaw> {
        let (field, title) = match &self.by {
            Limiter::TokenBucket { burst: 0, .. } => {
                ("by.burst", "a token bucket with a `burst` of 0 never holds a whole token")
            }
            Limiter::FixedWindow { max: 0, .. }
            | Limiter::SlidingLog { max: 0, .. }
            | Limiter::SlidingCounter { max: 0, .. } => {
                ("by.max", "a rate limit with `max` of 0 lets no call through")
            }
            Limiter::FixedWindow { window, .. }
            | Limiter::SlidingLog { window, .. }
            | Limiter::SlidingCounter { window, .. }
            | Limiter::Throttle { window, .. }
                if window.is_zero() =>
            {
                ("by.window", "a rate limit's `window` is longer than nothing")
            }
            Limiter::Aimd { start, min, max, .. }
                if start.mean_gap() > min.mean_gap() || max.mean_gap() > start.mean_gap() =>
            {
                ("by.start", "an adaptive rate limit starts between its `min` and its `max`")
            }
            Limiter::Aimd { decrease, .. } if *decrease >= Factor::ONE => {
                ("by.decrease", "`decrease` is what is left of the rate after a bad call: below 1")
            }
            Limiter::Throttle { k, .. } if *k < Factor::ONE => (
                "by.k",
                "a throttle's `k` is at least 1x: below that it turns calls away though all are \
                 accepted",
            ),
            Limiter::Throttle { .. } if !self.wait.is_zero() => {
                ("wait", "a throttle turns calls away or lets them through: it has no `wait`")
            }
            Limiter::LeakyBucket { .. } if self.wait.is_zero() => {
                let title = "a leaky bucket holds calls until they leak out: say how deep it is with `wait`";
                ("wait", title)
            }
            _ => return None,
        };
        Some(Flaw::at(field, title))
    }
}

/// The share of calls that a throttle turns away.
fn throttled(requests: u64, accepts: u64, k: Factor) -> Ratio {
    let (requests, accepts) = (u128::from(requests) * 1_000, u128::from(accepts));
    let spare = requests.saturating_sub(accepts * u128::from(k.thousandths()));
    let (spare, all) = (u64::try_from(spare), u64::try_from(requests + 1_000));
    spare.ok().zip(all.ok()).and_then(|(spare, all)| Ratio::new(spare, all)).unwrap_or(Ratio::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of so many calls, so long apart, get through at once.
    fn admitted(by: &Limiter, gap: Span, calls: u64) -> Vec<u64> {
        let mut meter = Meter::new(by);
        let gets_through = |call: &u64| {
            let now = Time(0) + gap * *call;
            let passes = meter.earliest(now) == now;
            if passes {
                meter.take(now);
            }
            passes
        };
        (0..calls).filter(gets_through).collect()
    }

    fn rate(text: &str) -> Rate {
        text.parse().unwrap()
    }

    #[test]
    fn a_token_bucket_lets_through_what_it_held_and_what_came_in_to_the_call() {
        let by = Limiter::TokenBucket { rate: rate("10/s"), burst: 20 };
        let admitted = admitted(&by, Span::from_millis(20), 500);
        assert_eq!(admitted.len(), 119, "floor(20 + 10/s times 9.98 s)");
        let first_reject = (0..).zip(&admitted).find(|(place, call)| place != *call).unwrap().0;
        assert_eq!(first_reject + 1, 25, "counted from 1");
    }

    #[test]
    fn a_rate_without_a_whole_gap_loses_nothing() {
        let by = Limiter::TokenBucket { rate: rate("3/s"), burst: 2 };
        // One call each millisecond for 1,000 s: floor(2 + 3/s times 999.999 s).
        assert_eq!(admitted(&by, Span::MILLISECOND, 1_000_000).len(), 3_001);
        let by = Limiter::TokenBucket { rate: rate("3/s"), burst: 1 };
        assert_eq!(admitted(&by, Span::SECOND / 3 + Span(1), 3_000).len(), 3_000);
    }

    #[test]
    fn a_fixed_window_forgets_where_the_next_begins_and_a_sliding_one_does_not() {
        let (max, window, gap) = (10, Span::SECOND, Span::from_millis(10));
        let begun_late = |by: &Limiter| {
            let mut meter = Meter::new(by);
            let mut through = Vec::new();
            // From 0.9 s to 1.1 s, across the end of a window.
            for call in 90..110 {
                let now = Time(0) + gap * call;
                if meter.earliest(now) == now {
                    meter.take(now);
                    through.push(call);
                }
            }
            through.len()
        };
        assert_eq!(begun_late(&Limiter::FixedWindow { max, window }), 20);
        assert_eq!(begun_late(&Limiter::SlidingLog { max, window }), 10);
        assert_eq!(begun_late(&Limiter::SlidingCounter { max, window }), 10);
    }

    #[test]
    fn in_the_long_run_each_kind_lets_its_rate_through() {
        let window = Span::SECOND;
        for by in [
            Limiter::FixedWindow { max: 10, window },
            Limiter::SlidingLog { max: 10, window },
            Limiter::TokenBucket { rate: rate("10/s"), burst: 10 },
        ] {
            let through = admitted(&by, Span::from_millis(7), 100_000).len();
            assert!((6_900..=7_011).contains(&through), "{by:?}: {through}");
        }
        // Where nothing is saved up, calls that come 7 ms apart get through every 105 ms.
        let by = Limiter::LeakyBucket { rate: rate("10/s") };
        assert_eq!(admitted(&by, Span::from_millis(7), 100_000).len(), 6_667);
        // Two counters guess evenly spread calls of the window before, and err on the safe side.
        let by = Limiter::SlidingCounter { max: 10, window };
        let through = admitted(&by, Span::from_millis(7), 100_000).len();
        assert!((6_000..=7_010).contains(&through), "{through}");
    }

    #[test]
    fn calls_that_wait_get_through_in_their_order_at_the_rate() {
        for by in [
            Limiter::LeakyBucket { rate: rate("10/s") },
            Limiter::SlidingLog { max: 1, window: Span::from_millis(100) },
            Limiter::FixedWindow { max: 1, window: Span::from_millis(100) },
        ] {
            let mut meter = Meter::new(&by);
            let mut turns = Vec::new();
            for _ in 0..4 {
                let at = meter.earliest(Time(0));
                meter.take(at);
                turns.push(at.0 / 1_000_000);
            }
            assert_eq!(turns, [0, 100, 200, 300], "{by:?}");
        }
        let mut meter = Meter::new(&Limiter::SlidingCounter { max: 2, window: Span::SECOND });
        let mut last = Time(0);
        for _ in 0..20 {
            let at = meter.earliest(Time(0));
            assert!(at >= last);
            meter.take(at);
            last = at;
        }
        assert!((9..=19).contains(&(last.0 / 1_000_000_000)), "{last}");
    }

    #[test]
    fn a_throttle_turns_away_what_is_more_than_k_times_what_is_accepted() {
        let share = |requests, accepts| throttled(requests, accepts, Factor::TWO);
        assert_eq!(share(10, 5), Ratio::ZERO);
        assert_eq!(share(9, 0), Ratio::new(9, 10).unwrap());
        assert_eq!(share(499, 100), Ratio::new(299, 500).unwrap());
    }
}
