//! What is planned in the lives of nodes, and what happens when it falls due.

use super::{Stage, fall, grow, rise, roll, serve, stopped, wear};
use crate::engine::{NodeId, Span, State, Status, Time};
use crate::world::{Sim, World, facts, fault, machine, note};

/// Marks a control of the engine as one of these: far above what faults number theirs by, and
/// within what an event has room for.
pub(crate) const LIFE: u32 = 1 << 22;

/// How often a draining node is looked at.
const LOOK: Span = Span(10 * Span::MILLISECOND.0);

/// What is planned. A number after a node is the epoch of its life in which it was.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tick {
    /// It has started.
    Serve(NodeId, u32),
    /// It has warmed up.
    Warm(NodeId, u32),
    /// A draining node takes no more requests.
    Refuse(NodeId, u32),
    /// Is a draining node idle?
    Look(NodeId, u32),
    /// The time of a draining node is over.
    Kill(NodeId, u32),
    /// A group's instances are looked at.
    Health(u32),
    /// A group's autoscaler looks.
    Scale(u32),
    /// The pause of a roll after the start with this number is over.
    Roll(u32, u32),
    /// By now the start of a roll with this number should have come to its end.
    Ready(u32, u32),
    /// A unit of a wear breaks.
    Break(u32, u32),
    /// The repair of that.
    Repair(u32, u32),
    /// Attrition strikes.
    Strike(u32),
    /// A process takes more memory than there is.
    OutOfMemory(NodeId),
    /// A process that was killed starts again.
    Restart(NodeId),
}

/// What is planned, in places that are used again.
#[derive(Default)]
pub(crate) struct Ticks {
    planned: Vec<Option<Tick>>,
    free: Vec<u32>,
}

/// Plans something.
pub(super) fn set(state: &mut State<World>, at: Time, tick: Tick) {
    let ticks = &mut state.env.lives.ticks;
    let place = ticks.free.pop().unwrap_or(ticks.planned.len() as u32);
    match ticks.planned.get_mut(place as usize) {
        Some(free) => *free = Some(tick),
        None => ticks.planned.push(Some(tick)),
    }
    state.set_control(at, LIFE | place);
}

/// Something planned falls due.
pub(crate) fn due(sim: &mut Sim, control: u32) {
    let tick = sim.with(|state| {
        let ticks = &mut state.env.lives.ticks;
        let tick = ticks.planned[(control & !LIFE) as usize].take();
        ticks.free.push(control & !LIFE);
        tick
    });
    let Some(tick) = tick else { return };
    match tick {
        Tick::Serve(node, epoch) => {
            if is(sim, node, epoch, Stage::Starting) {
                serve(sim, node);
            }
        }
        Tick::Warm(node, epoch) => sim.with(|state| {
            let life = state.env.lives.life(node);
            if life.epoch == epoch {
                life.is_warming = false;
                fault::hasten(state, node);
            }
        }),
        Tick::Refuse(node, epoch) => {
            if is(sim, node, epoch, Stage::Draining) {
                if sim.with(|state| state.status(node)) == Status::Up {
                    sim.drain(node);
                }
                look(sim, node, epoch);
            }
        }
        Tick::Look(node, epoch) => {
            if is(sim, node, epoch, Stage::Draining) {
                look(sim, node, epoch);
            }
        }
        Tick::Kill(node, epoch) => {
            if is(sim, node, epoch, Stage::Draining) {
                stopped(sim, node);
            }
        }
        Tick::Health(group) => sim.with(|state| grow::health(state, group)),
        Tick::Scale(group) => grow::look(sim, group),
        Tick::Roll(index, start) => roll::go_on(sim, index, start),
        Tick::Ready(index, start) => roll::ready(sim, index, start),
        Tick::Break(wear, unit) => wear::breaks(sim, wear, unit),
        Tick::Repair(wear, unit) => wear::repaired(sim, wear, unit),
        Tick::Strike(wear) => wear::strike(sim, wear),
        Tick::OutOfMemory(node) => out_of_memory(sim, node),
        Tick::Restart(node) => rise(sim, node),
    }
}

/// Is the node still where it was when this was planned?
fn is(sim: &mut Sim, node: NodeId, epoch: u32, stage: Stage) -> bool {
    sim.with(|state| {
        let life = state.env.lives.life(node);
        (life.epoch, life.stage) == (epoch, stage)
    })
}

fn look(sim: &mut Sim, node: NodeId, epoch: u32) {
    if sim.is_idle(node) {
        return stopped(sim, node);
    }
    sim.with(|state| {
        let at = state.now() + LOOK;
        set(state, at, Tick::Look(node, epoch));
    });
}

/// The process of a node is killed as soon as it has done what it is at.
pub(crate) fn kill(state: &mut State<World>, node: NodeId) {
    let now = state.now();
    set(state, now, Tick::OutOfMemory(node));
}

/// A process is killed for the memory that it takes, unless a crash of this instant came first.
fn out_of_memory(sim: &mut Sim, node: NodeId) {
    let killed = sim.with(|state| {
        let after = machine::killed(state, node)?;
        note(state, node, facts::OUT_OF_MEMORY, 0);
        let at = state.now() + after;
        set(state, at, Tick::Restart(node));
        Some(())
    });
    if killed.is_some() {
        crash(sim, node);
    }
}

/// The name of the fact that a wear's crash is.
pub(super) fn crash(sim: &mut Sim, node: NodeId) {
    fall(sim, node, facts::CRASHED);
}
