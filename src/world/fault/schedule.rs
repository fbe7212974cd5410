//! When a fault begins and when it ends: at a time, at random, in a phase, or on a condition.

use serde::Deserialize;

use super::trigger::{Trigger, Watch};
use super::{Active, Injection, lifecycle};
use crate::engine::{Dist, NodeId, Rng, Span, State, Time};
use crate::world::flaw::{EVERY_MIN, Flaw, too_often, too_often_drawn};
use crate::world::{Sim, World, facts, note};

/// A fault of a scenario: what, and when.
///
/// It begins in one of four ways: `at` a time, and `every` so often again; at a random instant
/// `between` two; after a random time without it, `mttf`; or `on` a condition. Where none of them
/// is given it begins with its phase. What is drawn comes from a stream of its own, so the same
/// seed brings the same times, whatever the fault does.
///
/// ```ron
/// (what: Crash(node: "bank"), at: "10s", for: "2s", every: "30s")
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultSpec {
    /// What happens.
    pub what: Injection,
    /// In which phase of the run: before it the fault does not begin, and with it it ends. Default:
    /// `Faults`.
    #[serde(default)]
    pub during: Phase,
    /// When it begins, counted from the start of the run. Default: with its phase, unless another
    /// field says when.
    #[serde(default)]
    pub at: Option<Span>,
    /// It begins at a random instant between these two, both counted from the start of the run.
    /// Default: see `at`.
    #[serde(default)]
    pub between: Option<(Span, Span)>,
    /// Time to failure: how long there is none of it, from the phase's beginning and from the end
    /// of each to the next; drawn anew each time. An exponential one with mean MTTF is the failure
    /// rate 1/MTTF of reliability models. Default: see `at`.
    ///
    /// Source: Trivedi, "Probability and Statistics with Reliability, Queuing and Computer Science
    /// Applications", on availability: MTTF / (MTTF + MTTR).
    #[serde(default)]
    pub mttf: Option<Dist>,
    /// Time to repair, of a fault with `mttf`: how long each lasts; drawn anew each time. Default:
    /// to the end of the phase.
    #[serde(default)]
    pub mttr: Option<Dist>,
    /// It begins when something has happened. Default: see `at`.
    #[serde(default)]
    pub on: Option<Trigger>,
    /// For how long; a distribution is drawn from anew each time. Default: to the end of its phase.
    #[serde(default, rename = "for")]
    pub lasts: Option<Dist>,
    /// Again each time this has passed, counted from beginning to beginning; one that is still on
    /// then stays on. Default: once.
    #[serde(default)]
    pub every: Option<Span>,
    /// It ends when something has happened while it was on, if it is not over before. Default:
    /// nothing ends it but time.
    #[serde(default)]
    pub until: Option<Trigger>,
}

/// A phase of a run that faults can belong to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Phase {
    /// The warm-up, which the run must state.
    Warmup,
    /// The window of faults: all of the load, unless the run states its `faults`.
    #[default]
    Faults,
    /// All of the load, warm-up and all, whatever the window of faults is.
    Load,
}

/// From when to when each phase of a run is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Windows {
    /// The end of the warm-up; `None` if it is found only from the runs.
    pub warmup: Option<Time>,
    /// The window of faults.
    pub faults: (Time, Time),
    /// The end of the load.
    pub load: Time,
}

impl Windows {
    /// Everything may happen at any time.
    pub const ALWAYS: Windows =
        Windows { warmup: Some(Time::MAX), faults: (Time(0), Time::MAX), load: Time::MAX };

    fn of(&self, phase: Phase) -> (Time, Time) {
        match phase {
            Phase::Warmup => (Time(0), self.warmup.unwrap_or(Time(0))),
            Phase::Faults => self.faults,
            Phase::Load => (Time(0), self.load),
        }
    }
}

impl FaultSpec {
    /// A fault that begins at `at`, lasts to the end of its phase, and does not come again.
    pub fn at(what: Injection, at: Span) -> FaultSpec {
        FaultSpec {
            what,
            during: Phase::Faults,
            at: Some(at),
            between: None,
            mttf: None,
            mttr: None,
            on: None,
            lasts: None,
            every: None,
            until: None,
        }
    }

    /// The same for so long.
    pub fn lasting(self, lasts: Span) -> FaultSpec {
        FaultSpec { lasts: Some(Dist::constant(lasts)), ..self }
    }

    /// What is wrong with its timing: at which field, what, and what is said beside it.
    pub fn problem(&self, windows: &Windows) -> Option<Flaw> {
        let never = |field: &'static str, title: &str, label: String| {
            Some(Flaw::at(field, title).label(label))
        };
        if self.during == Phase::Warmup && windows.warmup.is_none() {
            let label = "give the run a `warmup`";
            return never("during", "this run states no warm-up", label.to_owned());
        }
        if let Some((first, second)) = self.clash() {
            let label = format!("`{first}` says already when it begins");
            return never(second, "this fault begins in two ways", label);
        }
        let (opens, closes) = windows.of(self.during);
        let first = self.at.or(self.between.map(|(from, _)| from));
        let field = if self.at.is_some() { "at" } else { "between" };
        let first = first.map(|first| Time(0) + first);
        if first.is_some_and(|first| first >= closes) {
            let what = if self.during == Phase::Warmup { "the warm-up" } else { "the load" };
            let what = if closes < windows.load { "their window" } else { what };
            let label = format!("faults end with {what}, after {closes}");
            return never(field, "this fault would never begin", label);
        }
        if first.is_some_and(|first| first < opens) {
            let label = format!("the window of faults opens after {opens}");
            return never(field, "this fault would begin before it may", label);
        }
        if self.between.is_some_and(|(from, to)| to < from || Time(0) + to > closes) {
            let label = format!("from first to last, and no later than {closes}");
            return never("between", "these are no two instants to begin between", label);
        }
        self.repetition().or_else(|| self.conditions())
    }

    /// The two fields that both say when it begins.
    fn clash(&self) -> Option<(&'static str, &'static str)> {
        let ways = [
            ("at", self.at.is_some()),
            ("between", self.between.is_some()),
            ("mttf", self.mttf.is_some()),
            ("on", self.on.is_some()),
        ];
        let mut given = ways.iter().filter(|(_, given)| *given).map(|(name, _)| *name);
        let first = given.next()?;
        let second = given.next().or((first != "at" && self.every.is_some()).then_some("every"));
        second.map(|second| (first, second))
    }

    fn repetition(&self) -> Option<Flaw> {
        let said = |field: &'static str, title: &str, label: &str| {
            Some(Flaw::at(field, title).label(label))
        };
        if self.mttr.is_some() && self.mttf.is_none() {
            let title = "a time to repair belongs to a time to failure";
            return said("mttr", title, "say `for`, or give `mttf` too");
        }
        if self.mttf.is_some() && self.lasts.is_some() {
            return said("for", "a fault with `mttf` is repaired", "say `mttr`");
        }
        let longest = |dist: &Dist| Span::from_nanos_f64(dist.mean() * 1e9);
        if let Some(flaw) = self.mttf.as_ref().and_then(|mttf| too_often_drawn("mttf", mttf)) {
            return Some(flaw);
        }
        let every = self.every?;
        if every < EVERY_MIN {
            return too_often("every", every);
        }
        let lasts = self.lasts.as_ref().map(longest);
        if lasts.map_or(self.until.is_none(), |lasts| lasts >= every) {
            let title = "a fault that comes again must end before it does";
            return said("every", title, "`for` must be shorter than `every`");
        }
        None
    }

    fn conditions(&self) -> Option<Flaw> {
        let never = |one: &Option<Trigger>| one.as_ref().is_some_and(|one| one.nth == 0);
        let title = "occurrences are counted from 1";
        if never(&self.on) {
            return Some(Flaw::at("on.nth", title).label("1 for the first"));
        }
        if never(&self.until) {
            return Some(Flaw::at("until.nth", title).label("1 for the first"));
        }
        if self.until.as_ref().is_some_and(|until| until.every_time) {
            let title = "a fault ends once each time that it is on";
            return Some(Flaw::at("until.every_time", title).label("leave it out"));
        }
        None
    }
}

/// Adds the faults of a scenario, by name, and schedules them. With their phase they end: the
/// system must then converge.
pub(crate) fn schedule(sim: &mut Sim, faults: &[(String, FaultSpec)], windows: Windows) {
    for (name, spec) in faults {
        join(sim, name, spec, windows);
    }
}

/// Adds a fault while the run goes on; what should have begun before begins now.
pub(crate) fn join(sim: &mut Sim, name: &str, spec: &FaultSpec, windows: Windows) {
    let seed = sim.seed();
    let rng = Rng::new(seed, &format!("fault/{name}"));
    let mut when = Rng::new(seed, &format!("fault/{name}/when"));
    sim.with(|state| {
        let index = state.env.injections.all.len() as u32;
        let window = windows.of(spec.during);
        let (opens, now) = (window.0, state.now());
        let first = match (&spec.at, &spec.between, &spec.mttf, &spec.on) {
            (_, _, _, Some(_)) => None,
            (_, _, Some(mttf), _) => Some(opens + mttf.sample(&mut when)),
            (_, Some((from, to)), ..) => {
                let width = to.0.saturating_sub(from.0);
                Some(Time(0) + *from + Span(when.below(width.saturating_add(1).max(1))))
            }
            (Some(at), ..) => Some(Time(0) + *at),
            _ => Some(opens),
        };
        for (trigger, ends) in [(&spec.on, false), (&spec.until, true)] {
            if let Some(trigger) = trigger {
                let nodes = trigger.node.map(|node| state.env.groups.members(node));
                state.watch_facts();
                state.env.injections.watches.push(Watch::new((index, ends), trigger, nodes));
            }
        }
        let spec = spec.clone();
        let (on, ends, victims, before) = (false, Time::MAX, Vec::new(), 0);
        let fault = Active { spec, rng, when, window, on, victims, ends, before };
        state.env.injections.all.push(fault);
        if let Some(first) = first {
            begin_at(state, index, first.max(now));
        }
    });
}

/// Lets a fault begin at an instant, if that lies in its phase.
pub(super) fn begin_at(state: &mut State<World>, index: u32, at: Time) {
    let (opens, closes) = state.env.injections.all[index as usize].window;
    if opens <= at && at < closes {
        state.set_control(at, index << 1);
    }
}

/// Lets a fault that is on end at an instant, unless it ends before.
pub(super) fn end_at(state: &mut State<World>, index: u32, at: Time) {
    let fault = &mut state.env.injections.all[index as usize];
    let at = at.min(fault.window.1);
    if fault.on && at < fault.ends {
        fault.ends = at;
        state.set_control(at, index << 1 | 1);
    }
}

/// The time of a fault has come: what begins or ends, if anything does, and for whom.
pub(super) fn turn(
    state: &mut State<World>,
    index: u32,
    ends: bool,
) -> Option<(Injection, Vec<NodeId>)> {
    let now = state.now();
    let fault = &mut state.env.injections.all[index as usize];
    let mut next = None;
    if ends {
        // Something else may have ended it before, and it may be on again.
        if !fault.on || fault.ends != now {
            return None;
        }
        fault.on = false;
        if let Some(mttf) = &fault.spec.mttf {
            next = Some(now + mttf.sample(&mut fault.when));
        }
    } else {
        next = fault.spec.every.map(|every| now + every);
        if fault.on {
            next.into_iter().for_each(|next| begin_at(state, index, next));
            return None;
        }
        (fault.on, fault.ends) = (true, Time::MAX);
        lifecycle::choose(&mut state.env, index);
        let fault = &mut state.env.injections.all[index as usize];
        let lasts = fault.spec.mttr.as_ref().or(fault.spec.lasts.as_ref());
        let end = lasts.map_or(Time::MAX, |lasts| now + lasts.sample(&mut fault.when));
        for watch in &mut state.env.injections.watches {
            watch.rearm(index);
        }
        end_at(state, index, end);
    }
    if let Some(next) = next {
        begin_at(state, index, next);
    }
    let fault = &state.env.injections.all[index as usize];
    let (what, victims) = (fault.spec.what.clone(), fault.victims.clone());
    let fact = if ends { facts::FAULT_ENDS } else { facts::FAULT_BEGINS };
    note(state, what.node().unwrap_or(facts::NETWORK), fact, u64::from(index));
    Some((what, victims))
}
