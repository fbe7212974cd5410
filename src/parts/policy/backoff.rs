//! How long to wait between tries.

use serde::Deserialize;

use crate::engine::{Factor, Span};
use crate::world::{Cx, Flaw};

/// How long to wait between tries.
///
/// Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015; the defaults
/// are this simulator's own.
///
/// ```ron
/// (base: "50ms", max: "2s", growth: Exponential, multiplier: "2x", jitter: Full)
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Backoff {
    /// Before the second try. Default: `"100ms"`.
    pub base: Span,
    /// At most this long. Default: `"10s"`.
    pub max: Span,
    /// How it grows with each further try. Default: `Exponential`.
    pub growth: Growth,
    /// By how much it is multiplied with each further try if it grows exponentially; at least 1.
    /// Default: `"2x"`.
    pub multiplier: Factor,
    /// How much of it is left to chance. Default: `Full`.
    pub jitter: Jitter,
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff {
            base: Span::from_millis(100),
            max: Span::from_seconds(10),
            growth: Growth::Exponential,
            multiplier: TWICE,
            jitter: Jitter::Full,
        }
    }
}

const TWICE: Factor = Factor::TWO;

/// How a backoff grows from try to try.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Growth {
    /// Not at all: always the base.
    ///
    /// Source: resilience4j's `IntervalFunction` (its default).
    Fixed,
    /// By the base with each try.
    ///
    /// Source: this simulator's own; common among clients.
    Linear,
    /// By the multiplier with each try.
    ///
    /// Source: R. M. Metcalfe and D. R. Boggs, "Ethernet: Distributed Packet Switching for Local
    /// Computer Networks", CACM 19(7), 1976.
    #[default]
    Exponential,
}

/// How much of a backoff is left to chance.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Jitter {
    /// Nothing: everybody comes back at once.
    ///
    /// Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    None,
    /// All of it: uniform between nothing and the backoff. With base 100 ms, 2x and max 1 s this is
    /// the backoff of gRPC's retry design (proposal A6).
    ///
    /// Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    #[default]
    Full,
    /// Half of it: the backoff's half, and uniform up to the whole.
    ///
    /// Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    Equal,
    /// Uniform between the base and three times the wait before; growth and multiplier have no say.
    ///
    /// Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    Decorrelated,
}

impl Backoff {
    /// Waits before try number `attempt`, and remembers in `last` for how long.
    pub async fn pause(&self, cx: &Cx, attempt: u32, last: &mut Span) {
        *last = self.wait(cx, attempt, *last);
        let _ = cx.sleep(*last).await;
    }

    /// The wait before try number `attempt`, counted from 0 for the first try; the wait before that
    /// was `last`.
    pub fn wait(&self, cx: &Cx, attempt: u32, last: Span) -> Span {
        let part = |of: Span| Span(cx.random(|rng| rng.below(of.0.saturating_add(1))));
        let whole = || self.whole(attempt);
        match self.jitter {
            Jitter::None => whole(),
            Jitter::Full => part(whole()),
            Jitter::Equal => whole() / 2 + part(whole() - whole() / 2),
            Jitter::Decorrelated => {
                let highest = last.max(self.base) * 3;
                (self.base + part(highest - self.base)).min(self.max)
            }
        }
    }

    /// Before chance has its say.
    fn whole(&self, attempt: u32) -> Span {
        let grown = match self.growth {
            Growth::Fixed => self.base,
            Growth::Linear => self.base * u64::from(attempt),
            Growth::Exponential if self.multiplier == TWICE => {
                self.base * (1_u64 << attempt.saturating_sub(1).min(40))
            }
            Growth::Exponential => {
                let mut grown = self.base;
                for _ in 1..attempt {
                    let next = self.multiplier.of(grown);
                    if next == grown || next >= self.max {
                        grown = next;
                        break;
                    }
                    grown = next;
                }
                grown
            }
        };
        grown.min(self.max)
    }

    /// Does each wait depend on the one before?
    pub(super) fn has_memory(&self) -> bool {
        self.jitter == Jitter::Decorrelated
    }

    /// What it says that could have no effect, because of something else that it says.
    pub fn idle(&self) -> Vec<Flaw> {
        let is_free = self.jitter == Jitter::Decorrelated;
        let growth = (is_free && self.growth != Growth::default()).then(|| {
            let title = "with the jitter `Decorrelated` a wait depends on the one before it";
            Flaw::at("growth", title).label("not on this")
        });
        let is_even = is_free || self.growth != Growth::Exponential;
        let multiplier = (is_even && self.multiplier != TWICE)
            .then(|| Flaw::at("multiplier", "only what grows exponentially has a `multiplier`"));
        growth.into_iter().chain(multiplier).collect()
    }

    /// What is wrong with it, for the loader.
    pub fn problem(&self) -> Option<Flaw> {
        if self.base > self.max {
            return Some(Flaw::at("base", "the backoff's `base` is longer than its `max`"));
        }
        if self.multiplier < Factor::ONE {
            let title = "a backoff's `multiplier` is at least 1x: waits do not shrink";
            return Some(Flaw::at("multiplier", title));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;
    use crate::engine::{Msg, Reply};
    use crate::world::{NetworkSpec, Node, Sim, World, add};

    /// Draws the waits of many calls: one list for each try.
    #[derive(Clone)]
    struct Waiter {
        backoff: Backoff,
        waits: Rc<RefCell<Vec<Vec<Span>>>>,
    }

    const CALLS: usize = 400;

    impl Node for Waiter {
        async fn boot(&self, cx: &Cx) {
            let mut last = vec![Span::ZERO; CALLS];
            *self.waits.borrow_mut() = (1..70)
                .map(|attempt| {
                    for wait in &mut last {
                        *wait = self.backoff.wait(cx, attempt, *wait);
                    }
                    last.clone()
                })
                .collect();
        }

        async fn handle(&self, _: &Cx, _: Msg) -> Reply {
            Ok(Msg::Done { value: 0 })
        }
    }

    fn waits(backoff: Backoff) -> Vec<Vec<Span>> {
        let mut sim = Sim::new(1, World::new(1, NetworkSpec::ideal()));
        let waits = Rc::new(RefCell::new(Vec::new()));
        let node = add(&mut sim, "waiter", Waiter { backoff, waits: waits.clone() });
        sim.boot(node);
        waits.take()
    }

    fn mean(waits: &[Span]) -> f64 {
        waits.iter().map(|wait| wait.as_seconds()).sum::<f64>() / waits.len() as f64
    }

    #[test]
    fn a_backoff_doubles_up_to_its_maximum_and_jitter_stays_within_its_bounds() {
        let (base, max) = (Span::from_millis(100), Span::from_seconds(2));
        for (jitter, least) in [(Jitter::None, 2), (Jitter::Full, 0), (Jitter::Equal, 1)] {
            let backoff = Backoff { base, max, jitter, ..Backoff::default() };
            for (tries, drawn) in waits(backoff).iter().enumerate() {
                let whole = (base * (1 << tries.min(10))).min(max);
                let bounds = whole * least / 2..=whole;
                assert!(drawn.iter().all(|wait| bounds.contains(wait)), "{jitter:?} {tries}");
                let expected = whole.as_seconds() * (0.5 + least as f64 / 4.0);
                let mean = mean(drawn);
                assert!((mean / expected - 1.0).abs() < 0.15, "{jitter:?} {tries}: {mean}");
            }
        }
    }

    fn firm(growth: Growth, multiplier: u64) -> Vec<u64> {
        let multiplier = Factor::from_thousandths(multiplier).unwrap();
        let (base, max) = (Span::from_millis(100), Span::from_seconds(1));
        let backoff = Backoff { base, max, growth, multiplier, jitter: Jitter::None };
        waits(backoff)[..5].iter().map(|drawn| drawn[0].0 / 1_000_000).collect()
    }

    #[test]
    fn a_backoff_is_fixed_or_grows_by_its_base_or_by_its_multiplier() {
        assert_eq!(firm(Growth::Fixed, 2_000), [100, 100, 100, 100, 100]);
        assert_eq!(firm(Growth::Linear, 2_000), [100, 200, 300, 400, 500]);
        assert_eq!(firm(Growth::Exponential, 2_000), [100, 200, 400, 800, 1_000]);
        assert_eq!(firm(Growth::Exponential, 1_500), [100, 150, 225, 337, 506]);
        assert_eq!(firm(Growth::Exponential, 1_000), [100, 100, 100, 100, 100]);
    }

    #[test]
    fn a_decorrelated_wait_lies_between_the_base_and_three_times_the_wait_before() {
        let (base, max) = (Span::from_millis(5), Span::from_seconds(2));
        let backoff = Backoff { base, max, jitter: Jitter::Decorrelated, ..Backoff::default() };
        let drawn = waits(backoff);
        let mut last = vec![base; CALLS];
        for waits in &drawn {
            for (wait, before) in waits.iter().zip(&last) {
                assert!((base..=(*before * 3).min(max)).contains(wait), "{wait} after {before}");
            }
            last.clone_from(waits);
        }
        // The first is uniform from 5 to 15 ms.
        assert!((mean(&drawn[0]) / 0.01 - 1.0).abs() < 0.1, "{}", mean(&drawn[0]));
    }

    #[test]
    fn the_waits_of_grpc_add_up_to_what_its_design_says() {
        // A6: random between 0 and min(0.1 s times 2^(n-1), 1 s): 0.05, 0.1, 0.2, 0.4, 0.5 on
        // average.
        let (base, max) = (Span::from_millis(100), Span::from_seconds(1));
        let drawn = waits(Backoff { base, max, ..Backoff::default() });
        let total = |retries: usize| drawn[..retries].iter().map(|wait| mean(wait)).sum::<f64>();
        assert!((total(3) / 0.35 - 1.0).abs() < 0.08, "{}", total(3));
        assert!((total(5) / 1.25 - 1.0).abs() < 0.08, "{}", total(5));
    }
}
