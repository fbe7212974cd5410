//! Rolling restarts and upgrades: the instances of an address are stopped and started a few at a
//! time, the next ones when those serve again.
//!
//! A surge starts instances beside them first, which stay until the roll is over: as many more may
//! be away as of those serve. So never fewer than wanted minus `unavailable` serve for the sake of
//! the roll, and never more than wanted plus `surge` are there.

use std::collections::VecDeque;

use super::spec::{Farewell, RollSpec};
use super::tick::{Tick, set};
use super::{Stage, grow, recall, rise, stop};
use crate::engine::{Name, NodeId, State};
use crate::world::group::Version;
use crate::world::{Sim, World, facts, note};

/// A roll that is under way, or was.
pub(super) struct Roll {
    fault: u32,
    spec: RollSpec,
    group: u32,
    /// In which version they come back; `None` for the one that each has.
    to: Option<Version>,
    waiting: VecDeque<NodeId>,
    /// Those that have still to stop, to start or to rest.
    busy: Vec<Busy>,
    /// Those that are there besides.
    extra: Vec<NodeId>,
    /// Starts so far.
    starts: u32,
    /// What it is called when all have come back; nothing, if not all were to.
    ending: Option<Name>,
    is_over: bool,
}

/// An instance that a roll is at.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Busy {
    node: NodeId,
    step: Step,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Stopping,
    /// With the number of this start.
    Starting(u32),
    /// It serves, and the pause after that start is not over.
    Resting(u32),
}

impl Roll {
    /// May another one be stopped?
    fn has_room(&self, serves: impl Fn(NodeId) -> bool) -> bool {
        let is_busy = |id: NodeId| self.busy.iter().any(|busy| busy.node == id);
        let stands_in = |id: &&NodeId| serves(**id) && !is_busy(**id);
        let most = self.spec.unavailable as usize + self.extra.iter().filter(stands_in).count();
        self.busy_ones() < most
    }

    /// How many are busy of those that were there before.
    fn busy_ones(&self) -> usize {
        self.busy.iter().filter(|busy| !self.extra.contains(&busy.node)).count()
    }
}

fn roll(state: &mut State<World>, index: u32) -> &mut Roll {
    &mut state.env.lives.rolls[index as usize]
}

/// Notes a fact of a roll, at its address.
fn tell(state: &mut State<World>, index: u32, what: Name) {
    let Roll { group, fault, .. } = *roll(state, index);
    let address = state.env.groups.all[group as usize].address;
    note(state, address, what, u64::from(fault));
}

/// A roll over the instances of an address begins.
pub(crate) fn begin_roll(sim: &mut Sim, fault: u32, (spec, upgrades): (RollSpec, bool)) {
    let begun = sim.with(|state| {
        let group = state.env.groups.all.iter().position(|one| one.address == spec.node)?;
        let wanted = state.env.lives.size(group as u32) as usize;
        let one = &mut state.env.groups.all[group];
        let to = upgrades.then_some(Version::Next);
        one.version = to.unwrap_or(one.version);
        let waiting = one.members.iter().take(wanted).copied().collect();
        let rolls = &mut state.env.lives.rolls;
        rolls.push(Roll {
            fault,
            spec,
            group: group as u32,
            to,
            waiting,
            busy: Vec::new(),
            extra: Vec::new(),
            starts: 0,
            ending: Some(facts::ROLLED),
            is_over: false,
        });
        Some((rolls.len() as u32 - 1, group as u32))
    });
    let Some((index, group)) = begun else { return };
    for node in grow::surge(sim, group, i64::from(spec.surge)) {
        sim.with(|state| {
            let one = roll(state, index);
            one.extra.push(node);
            starting(state, index, node);
        });
        recall(sim, node);
    }
    stop_next(sim, index);
}

/// An instance starts, or will when its crash is over: from now on it is expected.
fn starting(state: &mut State<World>, index: u32, node: NodeId) {
    let at = state.now();
    let one = roll(state, index);
    one.starts += 1;
    let (start, within) = (one.starts, one.spec.ready_within);
    one.busy.push(Busy { node, step: Step::Starting(start) });
    if let Some(within) = within {
        set(state, at + within, Tick::Ready(index, start));
    }
}

/// The fault is over: no further one is stopped, or, if that was wanted, all go back.
pub(crate) fn end_roll(sim: &mut Sim, fault: u32) {
    let ours: Vec<u32> = sim.with(|state| {
        let rolls = state.env.lives.rolls.iter().zip(0..);
        rolls.filter(|(one, _)| one.fault == fault).map(|(_, index)| index).collect()
    });
    ours.into_iter().for_each(|index| halt(sim, index));
}

/// A roll goes no further.
fn halt(sim: &mut Sim, index: u32) {
    let goes_back = sim.with(|state| {
        let one = roll(state, index);
        if one.is_over {
            return None;
        }
        Some(one.spec.rollback && one.to == Some(Version::Next))
    });
    match goes_back {
        Some(true) => roll_back(sim, index),
        Some(false) => {
            sim.with(|state| {
                let one = roll(state, index);
                // One that goes back does so whatever ends.
                if one.to != Some(Version::First) {
                    one.waiting.clear();
                    one.ending = None;
                }
            });
            stop_next(sim, index);
        }
        None => {}
    }
}

/// All that are upgraded go back to the version that they had; those at once that do not serve.
fn roll_back(sim: &mut Sim, index: u32) {
    let (stuck, farewell) = sim.with(|state| {
        tell(state, index, facts::ROLLING_BACK);
        let World { groups, lives, .. } = &mut state.env;
        let one = &mut lives.rolls[index as usize];
        let group = &mut groups.all[one.group as usize];
        (one.to, one.ending) = (Some(Version::First), Some(facts::ROLLED_BACK));
        group.version = Version::First;
        let mut stuck = Vec::new();
        for busy in &mut one.busy {
            if matches!(busy.step, Step::Starting(_)) {
                busy.step = Step::Stopping;
                stuck.push(busy.node);
            }
        }
        let is_stopping =
            |id: &NodeId| one.busy.contains(&Busy { node: *id, step: Step::Stopping });
        let is_new = |id: &&NodeId| lives.all[id.index()].version == Version::Next;
        let upgraded = group.members.iter().filter(is_new).copied();
        one.waiting = upgraded.filter(|id| !is_stopping(id) && !one.extra.contains(id)).collect();
        one.busy.retain(|busy| !matches!(busy.step, Step::Resting(_)));
        (stuck, one.spec.farewell())
    });
    stuck.into_iter().for_each(|node| stop(sim, node, farewell));
    stop_next(sim, index);
}

/// The pause after a start is over.
pub(super) fn go_on(sim: &mut Sim, index: u32, start: u32) {
    sim.with(|state| roll(state, index).busy.retain(|busy| busy.step != Step::Resting(start)));
    stop_next(sim, index);
}

/// Does an instance serve by now that was started so long ago?
pub(super) fn ready(sim: &mut Sim, index: u32, start: u32) {
    let is_late = sim.with(|state| {
        let starts = |busy: &Busy| busy.step == Step::Starting(start);
        let is_late = roll(state, index).busy.iter().any(starts);
        if is_late {
            tell(state, index, facts::NOT_READY);
        }
        is_late
    });
    if is_late {
        halt(sim, index);
    }
}

/// Stops as many as may be away, and ends the roll when none is left.
fn stop_next(sim: &mut Sim, index: u32) {
    loop {
        let next = sim.with(|state| {
            let World { lives, groups, .. } = &mut state.env;
            let is_wanted = |id: NodeId| lives.is_wanted(groups, id);
            let serves = |id: NodeId| lives.is_serving(id);
            let one = &lives.rolls[index as usize];
            if !one.has_room(serves) {
                return None;
            }
            let skipped = one.waiting.iter().take_while(|id| !is_wanted(**id)).count();
            let waiting = &mut lives.rolls[index as usize].waiting;
            waiting.drain(..skipped);
            waiting.pop_front()
        });
        let Some(node) = next else { break };
        let farewell = sim.with(|state| {
            let one = roll(state, index);
            one.busy.push(Busy { node, step: Step::Stopping });
            one.spec.farewell()
        });
        stop(sim, node, farewell);
    }
    let over = sim.with(|state| {
        let one = roll(state, index);
        let is_over = one.waiting.is_empty() && one.busy_ones() == 0;
        if one.is_over || !is_over {
            return None;
        }
        one.is_over = true;
        let (group, extra, ending) = (one.group, one.extra.len(), one.ending);
        if let Some(ending) = ending {
            tell(state, index, ending);
        }
        Some((group, extra))
    });
    if let Some((group, extra)) = over {
        grow::surge(sim, group, -(extra as i64));
    }
}

/// The rolls that are not over, by place.
fn open(state: &State<World>) -> Vec<u32> {
    let rolls = state.env.lives.rolls.iter().zip(0..);
    rolls.filter(|(one, _)| !one.is_over).map(|(_, index)| index).collect()
}

/// A node has come to the end of a stop: if a roll wanted that, it starts again.
pub(super) fn down(sim: &mut Sim, node: NodeId) {
    let to = sim.with(|state| {
        open(state).into_iter().find_map(|index| {
            let one = roll(state, index);
            let stops = one.busy.iter().position(|b| *b == Busy { node, step: Step::Stopping })?;
            one.busy.remove(stops);
            let to = one.to;
            starting(state, index, node);
            Some(to)
        })
    });
    let Some(to) = to else { return };
    if let Some(to) = to {
        bring(sim, node, to);
    }
    rise(sim, node);
}

/// Gives a node that is down this version.
pub(super) fn bring(sim: &mut Sim, node: NodeId, version: Version) {
    let change = sim.with(|state| {
        let life = state.env.lives.life(node);
        if life.version == version || life.stage != Stage::Down {
            return None;
        }
        life.version = version;
        state.env.groups.change_of(node)
    });
    if let Some(change) = change {
        change(sim, node, version);
    }
}

/// A node serves again.
pub(super) fn serves(sim: &mut Sim, node: NodeId) {
    sim.with(|state| {
        for index in open(state) {
            let one = roll(state, index);
            let pause = one.spec.pause;
            let Some(busy) = one.busy.iter_mut().find(|busy| busy.node == node) else { continue };
            if let Step::Starting(start) = busy.step {
                busy.step = Step::Resting(start);
                let at = state.now() + pause;
                set(state, at, Tick::Roll(index, start));
            }
        }
    });
}

/// A node that nobody wants any more has stopped: no roll waits for it.
pub(super) fn forget(sim: &mut Sim, node: NodeId) {
    let touched = sim.with(|state| {
        let mut touched = open(state);
        touched.retain(|&index| {
            let busy = &mut roll(state, index).busy;
            let before = busy.len();
            busy.retain(|busy| busy.node != node);
            busy.len() < before
        });
        touched
    });
    touched.into_iter().for_each(|index| stop_next(sim, index));
}

impl RollSpec {
    fn farewell(&self) -> Farewell {
        Farewell { pre_stop: self.pre_stop, grace: self.grace }
    }
}
