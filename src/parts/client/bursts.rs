//! Bursts: a Poisson process whose rate depends on a state that comes and goes at random.

use serde::Deserialize;

use super::profile::Level;
use crate::engine::{Rng, Span};
use crate::world::{Flaw, too_often};

/// A state of a process that comes in bursts.
///
/// ```ron
/// (rate: "200/s", stay: "1s")
/// ```
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BurstState {
    /// How often requests come in this state; `"0/s"` for silence.
    pub(super) rate: Level,
    /// How long it lasts on average, above zero; exponential.
    pub(super) stay: Span,
}

/// The process: which state it is in, and until when.
pub(super) struct Bursts<'s> {
    states: &'s [BurstState],
    state: usize,
    /// Both in nanoseconds.
    now: f64,
    until: f64,
}

/// After so many states without an arrival there is none: all are silent.
const STATES_MAX: u32 = 1_000_000;

impl<'s> Bursts<'s> {
    /// From `now` on, as if it had gone on for ever: the longer a state stays, the more likely it
    /// is.
    pub fn new(states: &'s [BurstState], now: f64, rng: &mut Rng) -> Bursts<'s> {
        let stays = states.iter().map(|state| state.stay.0 as f64);
        let mut place = rng.unit() * stays.clone().sum::<f64>();
        let state = stays.into_iter().position(|stay| {
            let is_it = place < stay;
            place -= stay;
            is_it
        });
        let state = state.unwrap_or(states.len() - 1);
        let until = now + states[state].stay.0 as f64 * rng.exp();
        Bursts { states, state, now, until }
    }

    /// When the next request comes: when `need`, an exponential number, is used up. Every request
    /// takes one number of the client's stream; states draw from a stream of their own.
    pub fn next(&mut self, mut need: f64, rng: &mut Rng) -> Option<f64> {
        for _ in 0..STATES_MAX {
            let rate = self.states[self.state].rate.per_nano();
            let there = rate * (self.until - self.now);
            if need < there {
                self.now += need / rate;
                return Some(self.now);
            }
            need -= there;
            self.now = self.until;
            // Each of the others is as likely.
            let step = 1 + rng.below(self.states.len() as u64 - 1) as usize;
            self.state = (self.state + step) % self.states.len();
            self.until = self.now + self.states[self.state].stay.0 as f64 * rng.exp();
        }
        None
    }

    /// What is wrong with these states.
    pub fn problem(states: &[BurstState]) -> Option<Flaw> {
        if states.len() < 2 {
            return Some(Flaw::new("bursts need at least two states"));
        }
        let stays = states.iter().enumerate();
        let mut short =
            stays.filter_map(|(place, one)| Some(too_often("stay", one.stay)?.within(place)));
        short.next().or_else(|| {
            let is_silent = states.iter().all(|state| state.rate.per_nano() == 0.0);
            is_silent.then(|| Flaw::new("in one state at least requests must come"))
        })
    }
}
