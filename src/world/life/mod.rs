//! The life of a node: it starts, serves, drains and stops, and is or is not among those that an
//! address stands for.
//!
//! A node is down for as long as there is a reason: a crash, a stop, not being wanted. When the
//! last reason is gone it starts, which may take a while, and then serves. A graceful stop takes it
//! out of its address first, lets it finish what it has, and stops it when it is idle or its time
//! is over.

mod grow;
mod roll;
pub mod spec;
mod tick;
mod wear;

use super::group::{Groups, Version};
use super::{Sim, World, disk, facts, fault, machine, network, note};
use crate::engine::{Factor, Name, NodeId, Rng, Span, State, Status, Time};
pub(crate) use grow::{scale, watch};
pub(crate) use roll::{begin_roll, end_roll};
use spec::{Farewell, LifeSpec};
pub(crate) use tick::{LIFE, Tick, due, kill};
pub(crate) use wear::{Wear, begin_wear, end_wear};

/// Where a node is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// There is a reason for which it is down.
    Down,
    /// It will serve after a while.
    Starting,
    Serving,
    /// Callers are no longer sent to it, and it stops when it is idle.
    Draining,
}

struct Life {
    stage: Stage,
    /// For how many reasons it is down.
    reasons: u32,
    /// For how many reasons it is frozen, besides pauses that are faults themselves.
    freezes: u32,
    /// Grows with every turn of its life: what was planned in an earlier epoch is void.
    epoch: u32,
    is_warming: bool,
    /// Is it meant to be among its address's instances, and do health checks agree?
    is_listed: bool,
    is_healthy: bool,
    /// Looks of the health check in a row that contradict `is_healthy`.
    looks: u32,
    /// It is there and paid for since then; `None` if it is not.
    on_since: Option<Time>,
    on_before: Span,
    rng: Rng,
    /// Its group, by place.
    group: Option<u32>,
    version: Version,
}

/// The lives of all nodes.
#[derive(Default)]
pub(crate) struct Lives {
    all: Vec<Life>,
    /// Of each group: how its instances live, and what its autoscaler knows.
    specs: Vec<LifeSpec>,
    scalers: Vec<grow::Scaler>,
    rolls: Vec<roll::Roll>,
    wears: Vec<wear::Worn>,
    ticks: tick::Ticks,
}

impl Lives {
    pub fn admit(&mut self, rng: Rng) {
        self.all.push(Life {
            stage: Stage::Serving,
            reasons: 0,
            freezes: 0,
            epoch: 0,
            is_warming: false,
            is_listed: true,
            is_healthy: true,
            looks: 0,
            on_since: Some(Time(0)),
            on_before: Span::ZERO,
            rng,
            group: None,
            version: Version::First,
        });
    }

    /// The instances of a group live like this; those beyond its count are not there yet.
    pub fn join(&mut self, group: u32, members: &[NodeId], spec: LifeSpec) {
        for (place, id) in members.iter().enumerate() {
            let life = &mut self.all[id.index()];
            life.group = Some(group);
            if place >= spec.count as usize {
                (life.stage, life.reasons) = (Stage::Down, 1);
                (life.is_listed, life.on_since) = (false, None);
            }
        }
        self.specs.push(spec);
        self.scalers.push(grow::Scaler::default());
    }

    /// Does it run from the beginning?
    pub fn is_initial(&self, node: NodeId) -> bool {
        self.all[node.index()].reasons == 0
    }

    /// For how long it was there to be used and paid for.
    pub fn on(&self, node: NodeId, now: Time) -> Span {
        let life = &self.all[node.index()];
        life.on_before + life.on_since.map_or(Span::ZERO, |since| now - since)
    }

    pub fn freezes(&self, node: NodeId) -> u32 {
        self.all[node.index()].freezes
    }

    /// How many times as long everything takes because it has started lately.
    pub fn factor(&self, node: NodeId) -> Factor {
        let life = &self.all[node.index()];
        let spec = life.group.filter(|_| life.is_warming).map(|group| &self.specs[group as usize]);
        spec.and_then(|spec| spec.warm_up).map_or(Factor::ONE, |warm_up| warm_up.factor)
    }

    fn life(&mut self, node: NodeId) -> &mut Life {
        &mut self.all[node.index()]
    }

    fn is_serving(&self, node: NodeId) -> bool {
        self.all[node.index()].stage == Stage::Serving
    }

    /// How many instances of a group are wanted now.
    fn size(&self, group: u32) -> u32 {
        self.scalers[group as usize].size(&self.specs[group as usize])
    }

    /// Is a node wanted among the instances of its address, if it is one?
    fn is_wanted(&self, groups: &Groups, node: NodeId) -> bool {
        self.all[node.index()].group.is_none_or(|group| {
            let members = &groups.all[group as usize].members;
            members.iter().take(self.size(group) as usize).any(|id| *id == node)
        })
    }

    /// It is there from now on, or no longer.
    fn provide(&mut self, node: NodeId, now: Time, is_on: bool) {
        let life = self.life(node);
        match (life.on_since, is_on) {
            (None, true) => life.on_since = Some(now),
            (Some(since), false) => {
                life.on_before += now - since;
                life.on_since = None;
            }
            _ => {}
        }
    }
}

/// Of a group: the life of its instances, by its place.
fn spec_of(state: &State<World>, node: NodeId) -> Option<&LifeSpec> {
    let lives = &state.env.lives;
    lives.all[node.index()].group.map(|group| &lives.specs[group as usize])
}

/// Tells callers again who may be called.
fn publish(state: &mut State<World>, group: u32) {
    let World { groups, lives, .. } = &mut state.env;
    let is_called = |id: &&NodeId| {
        let life = &lives.all[id.index()];
        life.is_listed && life.is_healthy
    };
    let Groups { all, .. } = groups;
    let called: Vec<NodeId> =
        all[group as usize].members.iter().filter(is_called).copied().collect();
    let address = all[group as usize].address;
    state.env.set_instances(address, &called);
}

/// Puts a node into its address, or takes it out.
fn list(state: &mut State<World>, node: NodeId, is_listed: bool) {
    let life = state.env.lives.life(node);
    let Some(group) = life.group.filter(|_| life.is_listed != is_listed) else { return };
    life.is_listed = is_listed;
    publish(state, group);
}

/// One more reason for which a node is down: what it is called as a fact. The first one takes it
/// down.
pub(crate) fn fall(sim: &mut Sim, node: NodeId, what: Name) {
    let (is_first, was_leaving) = sim.with(|state| {
        let life = state.env.lives.life(node);
        // What crashes while it drains has come to the end of its stop as well.
        let was_leaving = life.stage == Stage::Draining && what != facts::STOPPED;
        let before = life.reasons;
        life.reasons += 1 + u32::from(was_leaving);
        life.epoch += 1;
        life.stage = Stage::Down;
        life.is_warming = false;
        (before == 0, was_leaving)
    });
    if is_first {
        sim.crash(node);
        sim.with(|state| {
            let with_host = state.env.network.is_dark(node);
            network::crashed(state, node, with_host);
            machine::crash(state, node);
            match with_host {
                true => disk::crash(state, node),
                false => disk::crash_process(state, node),
            }
            note(state, node, what, 0);
        });
    }
    if was_leaving {
        gone(sim, node);
    }
}

/// One reason less for which a node is down. Without any it starts, and then serves.
pub(crate) fn rise(sim: &mut Sim, node: NodeId) {
    let delay = sim.with(|state| {
        let now = state.now();
        let version = state.env.lives.life(node).version;
        let start = spec_of(state, node).map(|spec| match version {
            Version::First => spec.start.clone(),
            Version::Next => spec.next_start.clone(),
        });
        let lives = &mut state.env.lives;
        let life = lives.life(node);
        life.reasons = life.reasons.saturating_sub(1);
        if life.reasons > 0 || life.stage != Stage::Down {
            return None;
        }
        life.stage = Stage::Starting;
        let delay = start.map_or(Span::ZERO, |start| start.sample(&mut life.rng));
        let epoch = life.epoch;
        lives.provide(node, now, true);
        if !delay.is_zero() {
            tick::set(state, now + delay, Tick::Serve(node, epoch));
        }
        Some(delay)
    });
    if delay == Some(Span::ZERO) {
        serve(sim, node);
    }
}

/// A node has started: it serves from now on.
fn serve(sim: &mut Sim, node: NodeId) {
    sim.with(|state| {
        state.env.lives.life(node).stage = Stage::Serving;
        state.env.network.restarted(node);
        note(state, node, facts::RESTARTED, 0);
    });
    sim.boot(node);
    fault::freeze(sim, node);
    sim.with(|state| {
        list(state, node, true);
        if let Some(warm_up) = spec_of(state, node).and_then(|spec| spec.warm_up) {
            let life = state.env.lives.life(node);
            life.is_warming = true;
            let epoch = life.epoch;
            let over = state.now() + warm_up.lasts;
            tick::set(state, over, Tick::Warm(node, epoch));
            fault::hasten(state, node);
        }
    });
    roll::serves(sim, node);
}

/// A node freezes, or goes on, for another reason than a fault that is a pause.
fn freeze(sim: &mut Sim, node: NodeId, is_frozen: bool) {
    sim.with(|state| {
        let freezes = &mut state.env.lives.life(node).freezes;
        *freezes = if is_frozen { *freezes + 1 } else { freezes.saturating_sub(1) };
    });
    fault::freeze(sim, node);
}

/// Begins a graceful stop: out of the address, then no more requests, then down. A node that does
/// not serve is down at once.
pub(crate) fn stop(sim: &mut Sim, node: NodeId, farewell: Farewell) {
    let is_serving = sim.with(|state| {
        list(state, node, false);
        let now = state.now();
        let life = state.env.lives.life(node);
        if life.stage != Stage::Serving {
            return false;
        }
        life.stage = Stage::Draining;
        life.epoch += 1;
        let epoch = life.epoch;
        tick::set(state, now + farewell.pre_stop.min(farewell.grace), Tick::Refuse(node, epoch));
        tick::set(state, now + farewell.grace, Tick::Kill(node, epoch));
        true
    });
    if !is_serving {
        stopped(sim, node);
    }
}

/// The end of a graceful stop.
fn stopped(sim: &mut Sim, node: NodeId) {
    fall(sim, node, facts::STOPPED);
    gone(sim, node);
}

/// A stop has come to its end: what nobody wants any more is given back, what rolls comes again.
fn gone(sim: &mut Sim, node: NodeId) {
    let is_wanted = sim.with(|state| state.env.lives.is_wanted(&state.env.groups, node));
    if is_wanted {
        return roll::down(sim, node);
    }
    sim.with(|state| {
        let now = state.now();
        state.env.lives.provide(node, now, false);
    });
    roll::forget(sim, node);
}

/// Takes back a graceful stop: what still drains serves again, what is down starts.
pub(crate) fn recall(sim: &mut Sim, node: NodeId) {
    let drains = sim.with(|state| {
        let life = state.env.lives.life(node);
        let drains = life.stage == Stage::Draining;
        if drains {
            (life.stage, life.is_warming) = (Stage::Serving, false);
            life.epoch += 1;
            list(state, node, true);
            fault::hasten(state, node);
        }
        drains
    });
    if !drains {
        return rise(sim, node);
    }
    roll::serves(sim, node);
    if sim.with(|state| state.status(node)) == Status::Draining {
        sim.resume(node);
    }
}
