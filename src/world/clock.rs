//! Clocks: what each node's own clock shows, which is not quite the time.
//!
//! The engine knows the true time. A node that goes by the clock on its wall asks `cx.clock()`,
//! which may be ahead or behind, run too fast or too slow, and go backwards. Timeouts and sleeps
//! run on the monotonic clock, as in real systems: no jump moves them, and drift only if the
//! scenario says so. All of it is integer arithmetic.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::World;
use super::flaw::Flaw;
use crate::engine::{self, NodeId, Rng, Shift, Span, Time};

/// The nodes' clocks.
///
/// ```ron
/// (
///     offset_max: "30ms",
///     drift_ppm_max: 50,
///     nodes: {"bank": (offset: "-2s", drift_ppm: 200)},
/// )
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClocksSpec {
    /// How far each clock is off at the start, drawn for each node between this much behind and
    /// this much ahead. Default: not at all.
    pub offset_max: Span,
    /// How much too fast or too slow each clock runs, in millionths, drawn for each node up to
    /// this; crystals are within 50 to 200. Default: 0.
    pub drift_ppm_max: u32,
    /// Clocks of single nodes, which are then not drawn. Default: none.
    pub nodes: BTreeMap<NodeId, ClockSpec>,
    /// Do timeouts and sleeps run on the drifting clock, too? Default: false, they take the time
    /// that they say.
    pub timers_drift: bool,
}

/// The clock of one node.
///
/// ```ron
/// (offset: "-30ms", drift_ppm: 50)
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClockSpec {
    /// How far ahead it is at the start; behind, if negative. Default: 0.
    pub offset: Shift,
    /// How much too fast it runs, in millionths; too slow, if negative. Default: 0.
    pub drift_ppm: i64,
}

/// Clocks and the faults of clocks are off by at most a year,
pub(crate) const SHIFT_MAX: Span = Span(365 * Span::DAY.0);
/// and run at most a tenth too fast or too slow.
pub(crate) const PPM_MAX: i64 = 100_000;
const MILLION: i128 = 1_000_000;

impl ClocksSpec {
    /// What is wrong with it.
    pub(crate) fn problem(&self) -> Option<Flaw> {
        let own = |clock: &ClockSpec| {
            problem(("offset", clock.offset.length()), ("drift_ppm", clock.drift_ppm))
        };
        let drift = ("drift_ppm_max", i64::from(self.drift_ppm_max));
        problem(("offset_max", self.offset_max), drift)
            .or_else(|| self.nodes.values().find_map(own).map(|flaw| flaw.within("nodes")))
    }
}

/// What is wrong with a clock that is off by so much and drifts by so much.
pub(crate) fn problem(
    (offset, shift): (&'static str, Span),
    (drift, ppm): (&'static str, i64),
) -> Option<Flaw> {
    if shift > SHIFT_MAX {
        return Some(Flaw::at(offset, "a clock is off by at most 365 days"));
    }
    (ppm.unsigned_abs() > PPM_MAX.unsigned_abs())
        .then(|| Flaw::at(drift, format!("a clock drifts by at most {PPM_MAX} millionths")))
}

/// No value makes a clock do what none does, also where the loader has not seen it.
fn bounded(ppm: i64) -> i64 {
    ppm.clamp(-PPM_MAX, PPM_MAX)
}

/// One node's clock.
#[derive(Clone, Copy, Debug)]
struct Clock {
    /// What it showed at an instant, in nanoseconds since 1970.
    shown: i128,
    at: Time,
    /// How much too fast it runs from there on.
    ppm: i64,
}

impl Clock {
    fn read(self, now: Time) -> i128 {
        let passed = i128::from((now - self.at).0);
        self.shown + passed + (passed * i128::from(self.ppm)).div_euclid(MILLION)
    }

    fn drift(&mut self, now: Time, ppm: i64) {
        let ppm = self.ppm.saturating_add(bounded(ppm));
        *self = Clock { shown: self.read(now), at: now, ppm };
    }
}

/// A clock that jumps to and fro.
#[derive(Clone, Copy, Debug)]
struct Strobe {
    index: u32,
    node: NodeId,
    began: Time,
    by: Shift,
    period: Span,
}

/// The clocks of all nodes; none where all of them are right.
#[derive(Default)]
pub(crate) struct Clocks {
    all: Vec<Clock>,
    strobes: Vec<Strobe>,
    timers_drift: bool,
}

impl Clocks {
    /// What a clock that is right shows when the run begins: a thousand million seconds since 1970.
    const START: Time = Time(1_000_000_000 * Span::SECOND.0);

    /// Sets the clocks of these nodes as the scenario has them.
    pub fn set(&mut self, spec: &ClocksSpec, names: &[String], seed: u64) {
        if *spec == ClocksSpec::default() {
            return;
        }
        self.timers_drift = spec.timers_drift;
        self.open(names.len());
        for (place, name) in names.iter().enumerate() {
            let own = spec.nodes.get(&NodeId(place as u32)).copied();
            let ClockSpec { offset, drift_ppm } = own.unwrap_or_else(|| drawn(spec, name, seed));
            let clock = &mut self.all[place];
            (clock.shown, clock.ppm) = (clock.shown + i128::from(offset.0), bounded(drift_ppm));
        }
    }

    /// Makes room for the clocks of so many nodes.
    fn open(&mut self, nodes: usize) {
        let right = Clock { shown: i128::from(Clocks::START.0), at: Time(0), ppm: 0 };
        self.all.resize(nodes.max(self.all.len()), right);
    }

    #[inline]
    fn read(&self, node: NodeId, now: Time) -> Time {
        if self.all.is_empty() { Time(Clocks::START.0 + now.0) } else { self.shown(node, now) }
    }

    #[inline(never)]
    fn shown(&self, node: NodeId, now: Time) -> Time {
        let Some(clock) = self.all.get(node.index()) else { return Time(Clocks::START.0 + now.0) };
        let strobes = self.strobes.iter().filter(|strobe| strobe.node == node);
        let is_off =
            |strobe: &&Strobe| ((now - strobe.began).0 / strobe.period.0.max(1)).is_multiple_of(2);
        let moved: i128 = strobes.filter(is_off).map(|strobe| i128::from(strobe.by.0)).sum();
        Time(u64::try_from((clock.read(now) + moved).max(0)).unwrap_or(u64::MAX))
    }

    /// How long a timer of a node takes that is set to `span`.
    #[inline]
    pub fn timer(&self, node: NodeId, span: Span) -> Span {
        if self.timers_drift { self.stretched(node, span) } else { span }
    }

    #[inline(never)]
    fn stretched(&self, node: NodeId, span: Span) -> Span {
        let ppm = self.all.get(node.index()).map_or(0, |clock| i128::from(clock.ppm));
        // At most as fast or slow as one clock may be, however many faults add up.
        let rate = MILLION + ppm.clamp(-i128::from(PPM_MAX), i128::from(PPM_MAX));
        let nanos = (i128::from(span.0) * MILLION + rate - 1) / rate;
        Span(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    pub fn jump(&mut self, node: NodeId, by: i64) {
        self.open(node.index() + 1);
        self.all[node.index()].shown += i128::from(by);
    }

    pub fn drift(&mut self, node: NodeId, now: Time, ppm: i64) {
        self.open(node.index() + 1);
        self.all[node.index()].drift(now, ppm);
    }

    pub fn strobe(&mut self, index: u32, node: NodeId, began: Time, (by, period): (Shift, Span)) {
        self.open(node.index() + 1);
        self.strobes.push(Strobe { index, node, began, by, period });
    }

    pub fn calm(&mut self, index: u32) {
        self.strobes.retain(|strobe| strobe.index != index);
    }
}

/// A clock that is as wrong as chance has it.
fn drawn(spec: &ClocksSpec, name: &str, seed: u64) -> ClockSpec {
    let mut rng = Rng::new(seed, &format!("{name}/clock"));
    let mut within = |max: u64| {
        let max = max.min(SHIFT_MAX.0);
        rng.below(2 * max + 1) as i64 - max as i64
    };
    let offset = Shift(within(spec.offset_max.0));
    ClockSpec { offset, drift_ppm: within(u64::from(spec.drift_ppm_max)) }
}

impl engine::Cx<World> {
    /// What this node's own clock shows, counted from 1970 in nanoseconds: a run begins a thousand
    /// million seconds later. It may be wrong, and it may go backwards; for how long something
    /// takes ask [`Cx::now`](engine::Cx::now), which is monotonic.
    pub fn clock(&self) -> Time {
        let me = self.me();
        self.with(|state| state.env.clocks.read(me, state.now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: NodeId = NodeId(0);
    const B: NodeId = NodeId(1);
    const SECOND: u64 = Span::SECOND.0;

    /// How far a clock is ahead, in nanoseconds.
    fn off(clocks: &Clocks, node: NodeId, seconds: u64) -> i128 {
        let now = Time(seconds * SECOND);
        i128::from(clocks.read(node, now).0) - i128::from(Clocks::START.0 + now.0)
    }

    fn names() -> [String; 2] {
        ["a".to_owned(), "b".to_owned()]
    }

    #[test]
    fn a_clock_that_nothing_is_said_about_is_right_and_nothing_is_kept() {
        let mut clocks = Clocks::default();
        clocks.set(&ClocksSpec::default(), &names(), 1);
        assert!(clocks.all.is_empty());
        assert_eq!((off(&clocks, A, 0), off(&clocks, B, 1_000_000)), (0, 0));
        assert_eq!(clocks.timer(A, Span(7)), Span(7));
    }

    #[test]
    fn offset_and_drift_are_exact() {
        let own = ClockSpec { offset: Shift(-30_000_000), drift_ppm: 50 };
        let spec = ClocksSpec { nodes: [(B, own)].into(), ..ClocksSpec::default() };
        let mut clocks = Clocks::default();
        clocks.set(&spec, &names(), 1);
        assert_eq!((off(&clocks, A, 10), off(&clocks, B, 0)), (0, -30_000_000));
        assert_eq!(off(&clocks, B, 10), -30_000_000 + 500_000, "50 us for each second");
        clocks.drift(B, Time(10 * SECOND), -250);
        assert_eq!(off(&clocks, B, 20), -30_000_000 + 500_000 - 2_000_000);
        clocks.drift(B, Time(20 * SECOND), 250);
        assert_eq!(off(&clocks, B, 30), -30_000_000 + 500_000 - 2_000_000 + 500_000);
    }

    #[test]
    fn a_clock_jumps_and_strobes_and_may_go_backwards() {
        let mut clocks = Clocks::default();
        clocks.jump(B, -3 * SECOND as i64);
        assert_eq!((off(&clocks, A, 1), off(&clocks, B, 1)), (0, -3 * i128::from(SECOND)));
        clocks.jump(B, 3 * SECOND as i64);
        clocks.strobe(4, B, Time(10 * SECOND), (Shift(200), Span(2 * SECOND)));
        let seen: Vec<i128> = (10..18).map(|second| off(&clocks, B, second)).collect();
        assert_eq!(seen, [200, 200, 0, 0, 200, 200, 0, 0]);
        clocks.calm(4);
        assert_eq!(off(&clocks, B, 14), 0);
    }

    #[test]
    fn drawn_clocks_are_within_bounds_and_each_has_its_own_luck() {
        let spec = ClocksSpec { offset_max: Span(30), drift_ppm_max: 5, ..ClocksSpec::default() };
        let all: Vec<ClockSpec> = (0..200).map(|seed| drawn(&spec, "a", seed)).collect();
        let (most, least) =
            (all.iter().map(|one| one.offset.0), all.iter().map(|one| one.drift_ppm));
        assert_eq!((most.clone().max(), most.min()), (Some(30), Some(-30)));
        assert_eq!((least.clone().max(), least.min()), (Some(5), Some(-5)));
        let mut one = Clocks::default();
        one.set(&spec, &names()[..1], 9);
        let mut two = Clocks::default();
        two.set(&spec, &names(), 9);
        assert_eq!(off(&one, A, 77), off(&two, A, 77));
    }

    #[test]
    fn timers_stretch_only_where_the_scenario_says_so() {
        let slow = ClockSpec { drift_ppm: -100_000, ..ClockSpec::default() };
        let mut spec = ClocksSpec { nodes: [(A, slow)].into(), ..ClocksSpec::default() };
        for (timers_drift, took) in [(false, 9 * SECOND), (true, 10 * SECOND)] {
            spec.timers_drift = timers_drift;
            let mut clocks = Clocks::default();
            clocks.set(&spec, &names(), 1);
            assert_eq!(clocks.timer(A, Span(9 * SECOND)), Span(took), "nine seconds by its clock");
            assert_eq!(clocks.timer(B, Span(9 * SECOND)), Span(9 * SECOND));
        }
    }
}
