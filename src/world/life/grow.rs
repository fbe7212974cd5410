//! How many instances there are: scaling by hand, the autoscaler, and the health checks that decide
//! who of them may be called.

use std::collections::VecDeque;

use super::roll::bring;
use super::spec::LifeSpec;
use super::tick::{Tick, set};
use super::{publish, recall, stop};
use crate::engine::{NodeId, State, Status, Time};
use crate::world::{Sim, World};

/// What is known about the size of a group.
#[derive(Default)]
pub(super) struct Scaler {
    /// How many are wanted; `None` for as many as from the beginning.
    wanted: Option<u32>,
    /// How many more a roll wants meanwhile.
    surge: u32,
    /// Busy time of all instances together at each look that counts still.
    looks: VecDeque<(Time, u64)>,
    /// What earlier looks within the stabilisation window wanted.
    wishes: VecDeque<(Time, u32)>,
}

impl Scaler {
    /// How many are wanted now, with those of a roll.
    pub fn size(&self, spec: &LifeSpec) -> u32 {
        self.wanted.unwrap_or(spec.count).saturating_add(self.surge)
    }
}

/// From now on so many instances of a group are wanted. Returns how many were before.
pub(crate) fn scale(sim: &mut Sim, address: NodeId, to: u32) -> u32 {
    let group = sim.with(|state| state.env.groups.all.iter().position(|g| g.address == address));
    group.map_or(to, |group| resize(sim, group as u32, to))
}

fn resize(sim: &mut Sim, group: u32, to: u32) -> u32 {
    let before = sim.with(|state| {
        let lives = &state.env.lives;
        lives.scalers[group as usize].wanted.unwrap_or(lives.specs[group as usize].count)
    });
    for node in change(sim, group, |scaler| scaler.wanted = Some(to)) {
        recall(sim, node);
    }
    before
}

/// So many more instances of a group are wanted besides for a roll, or fewer. Those are given that
/// are to rise.
pub(super) fn surge(sim: &mut Sim, group: u32, more: i64) -> Vec<NodeId> {
    let more = i32::try_from(more).unwrap_or(0);
    change(sim, group, |scaler| scaler.surge = scaler.surge.saturating_add_signed(more))
}

/// Changes how many are wanted: those beyond are stopped, those that are to come are given, in the
/// version that the group has by now.
fn change(sim: &mut Sim, group: u32, change: impl FnOnce(&mut Scaler)) -> Vec<NodeId> {
    let (members, [from, to], farewell, version) = sim.with(|state| {
        let lives = &mut state.env.lives;
        let (spec, scaler) = (&lives.specs[group as usize], &mut lives.scalers[group as usize]);
        let from = scaler.size(spec);
        change(scaler);
        let (to, farewell) = (scaler.size(spec), spec.farewell);
        let group = &state.env.groups.all[group as usize];
        (group.members.clone(), [from, to], farewell, group.version)
    });
    let place = |number: u32| (number as usize).min(members.len());
    for node in members[place(to.min(from))..place(from)].iter().rev().copied() {
        stop(sim, node, farewell);
    }
    let coming = members[place(from.min(to))..place(to)].to_vec();
    for &node in &coming {
        sim.with(|state| {
            let now = state.now();
            state.env.lives.provide(node, now, true);
        });
        bring(sim, node, version);
    }
    coming
}

/// Plans the first looks of a group's platform.
pub(crate) fn watch(state: &mut State<World>, group: u32) {
    let now = state.now();
    let LifeSpec { health, autoscaler, .. } = &state.env.lives.specs[group as usize];
    let (health, autoscaler) = (*health, *autoscaler);
    if let Some(health) = health {
        set(state, now + health.every, Tick::Health(group));
    }
    if let Some(autoscaler) = autoscaler {
        set(state, now + autoscaler.every, Tick::Scale(group));
    }
}

/// A look of the health check at every instance of a group.
pub(super) fn health(state: &mut State<World>, group: u32) {
    let Some(check) = state.env.lives.specs[group as usize].health else { return };
    let mut is_changed = false;
    for node in state.env.groups.all[group as usize].members.clone() {
        let is_good = matches!(state.status(node), Status::Up | Status::Draining);
        let life = state.env.lives.life(node);
        life.looks = if is_good == life.is_healthy { 0 } else { life.looks + 1 };
        let needed = if is_good { check.healthy_after } else { check.unhealthy_after };
        if life.looks >= needed && life.looks > 0 {
            (life.is_healthy, life.looks) = (is_good, 0);
            is_changed = true;
        }
    }
    if is_changed {
        publish(state, group);
    }
    let at = state.now() + check.every;
    set(state, at, Tick::Health(group));
}

/// A look of the autoscaler at a group.
pub(super) fn look(sim: &mut Sim, group: u32) {
    let (wanted, current) = sim.with(|state| {
        let now = state.now();
        let spec = &state.env.lives.specs[group as usize];
        let (autoscaler, count) = (spec.autoscaler, spec.count);
        let members = &state.env.groups.all[group as usize].members;
        let (max, first) = (members.len() as u32, members[0]);
        let usage = |id: &NodeId| state.env.machines.usage(*id, now).busy;
        let busy: u64 = members.iter().map(usage).sum();
        let workers = state.env.machines.workers(first).unwrap_or(1);
        let scaler = &mut state.env.lives.scalers[group as usize];
        let current = scaler.wanted.unwrap_or(count);
        let Some(auto) = autoscaler else { return (current, current) };
        scaler.looks.push_back((now, busy));
        // The two looks whose figures have come by now.
        let known = scaler.looks.iter().filter(|(at, _)| *at + auto.delay <= now).count();
        while scaler.looks.len() > 2 && scaler.looks[1].0 + auto.delay <= now && known > 2 {
            if scaler.looks[2].0 + auto.delay > now {
                break;
            }
            scaler.looks.pop_front();
        }
        let wanted = if known < 2 {
            current
        } else {
            let ((from, before), (until, after)) = (scaler.looks[0], scaler.looks[1]);
            let span = (until - from).0.max(1) as f64 * f64::from(workers);
            let load = after.saturating_sub(before) as f64 / span;
            let ratio = load / (f64::from(current) * auto.target.as_f64());
            if (ratio - 1.0).abs() <= auto.tolerance.as_f64() {
                current
            } else {
                let wanted = (load / auto.target.as_f64()).ceil() as u32;
                wanted.min((current * 2).max(current + 4)).clamp(auto.min, max)
            }
        };
        scaler.wishes.push_back((now, wanted));
        while scaler.wishes.front().is_some_and(|(at, _)| *at + auto.stabilisation < now) {
            scaler.wishes.pop_front();
        }
        let most = scaler.wishes.iter().map(|(_, wish)| *wish).max().unwrap_or(wanted);
        let wanted = if wanted < current { most.min(current) } else { wanted };
        set(state, now + auto.every, Tick::Scale(group));
        (wanted, current)
    });
    if wanted != current {
        resize(sim, group, wanted);
    }
}
