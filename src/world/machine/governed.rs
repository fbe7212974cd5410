//! A machine with more rules than a plain queue has: who is let in, in which order jobs are taken
//! up, who is dropped, and who keeps a worker.

use std::collections::BTreeSet;

use super::delay::Controller;
use super::foresight::Foresight;
use super::leaving::{gives_up, leave, tell};
use super::limit::Limiter;
use super::memory::{self, Taken};
use super::sharing::Sharing;
use super::shedding::{Occupancy, Shedder};
use super::waiting::{Place, Waiting};
use super::{Discipline, Job, Machine, MachineSpec, Machines, Phase, contention};
use crate::engine::{Baggage, Due, Fault, Msg, NodeId, Rng, Span, State, Time, WaitId};
use crate::world::{ClassTraits, JOB, World};

/// What a governed machine has besides a plain one.
pub(super) struct Governed {
    pub queue: Waiting,
    /// Jobs that have a worker, at work or kept; of a shared machine, those that share.
    pub placed: u32,
    pub sharing: Option<Sharing>,
    /// Of a preemptive machine: the jobs at work, the most important first.
    pub at_work: BTreeSet<Place>,
    pub memory: Taken,
    foresight: Foresight,
    /// The host for whose cores its jobs contend, if they do.
    pub host: Option<u32>,
    controller: Option<Controller>,
    limiter: Option<Limiter>,
    shedder: Option<Shedder>,
    /// What the queue's timeouts are drawn from.
    rng: Rng,
}

/// What a governed machine knows of a job besides what every machine does.
#[derive(Clone, Copy, Default)]
pub(super) struct Detail {
    pub place: Place,
    pub since: Time,
    /// When it first had a worker.
    pub begun: Time,
    deadline: Time,
    priority: u8,
    /// The alarm at which it leaves the queue.
    patience: u64,
    /// Does it keep its worker when its work is done?
    pub keeps: bool,
    /// What it takes of the machine's memory, in bytes.
    pub memory: u64,
}

/// A job that asks to be let in.
pub(super) struct Submission {
    pub node: NodeId,
    pub wait: WaitId,
    pub work: Span,
    pub baggage: Baggage,
    /// Does it keep its worker when its work is done?
    pub keeps: bool,
}

impl Governed {
    pub fn new(spec: &MachineSpec, rng: Rng, now: Time, busy: u64) -> Governed {
        let is_shared = matches!(spec.discipline, Discipline::ProcessorSharing { .. });
        Governed {
            queue: Waiting::default(),
            placed: 0,
            sharing: is_shared.then(Sharing::default),
            at_work: BTreeSet::new(),
            memory: Taken::default(),
            foresight: Foresight::default(),
            host: None,
            controller: spec.delay_control.map(|control| Controller::new(control, now)),
            limiter: spec.limit.clone().map(Limiter::new),
            shedder: spec.shedding.clone().map(|spec| Shedder::new(spec, now, busy)),
            rng,
        }
    }

    /// All jobs are gone, and what was learnt of them.
    pub fn crash(&mut self, spec: &MachineSpec, now: Time, busy: u64) {
        *self = Governed { host: self.host, ..Governed::new(spec, self.rng.clone(), now, busy) };
    }

    fn present(&self) -> u32 {
        self.placed + self.queue.len()
    }
}

impl Machine {
    /// How many jobs can have a worker, or share.
    fn places(&self) -> u32 {
        let most = match self.spec.discipline {
            Discipline::ProcessorSharing { jobs_max } => jobs_max,
            _ => self.spec.workers,
        };
        most.unwrap_or(u32::MAX)
    }

    /// May another job begin at once? Of those that share, what has no worker counts as waiting.
    fn is_free(&self) -> bool {
        let Some(governed) = &self.governed else { return false };
        let is_crowded = governed.sharing.as_ref().is_some_and(|sharing| {
            let has_worker = self.spec.workers.is_none_or(|workers| sharing.len() < workers);
            !has_worker && room(self, Place::default()).is_err()
        });
        governed.placed < self.places() && !is_crowded
    }

    /// Counts who is at work and who waits. The integrals are up to date.
    pub(super) fn recount(&mut self) {
        let Some(governed) = &self.governed else { return };
        let (working, behind) = match &governed.sharing {
            Some(sharing) => {
                let working = sharing.len().min(self.spec.workers.unwrap_or(u32::MAX));
                (working, sharing.len() - working)
            }
            None => (governed.placed, 0),
        };
        let waiting = governed.queue.len() + behind;
        if let Some(gauge) = &mut self.gauge {
            gauge.changes(self.seen, working + waiting);
        }
        self.usage.working = working;
        self.usage.waiting = waiting;
        self.usage.queue_peak = self.usage.queue_peak.max(self.usage.waiting);
    }

    /// Is a request turned away at the door?
    fn turns_away(&mut self, now: Time, deadline: Time, traits: ClassTraits) -> bool {
        let waiting = self.spec.queue_max.unwrap_or(u32::MAX);
        let workers = self.spec.workers.unwrap_or(u32::MAX);
        let Some(governed) = &mut self.governed else { return false };
        let present = governed.present();
        let limit = governed.limiter.as_ref().map_or(u32::MAX, Limiter::jobs);
        let room =
            Occupancy { present, places: workers.saturating_add(waiting).min(limit), workers };
        let sheds = governed
            .shedder
            .as_mut()
            .is_some_and(|shedder| shedder.sheds(now, traits.priority, &self.usage, room));
        let is_late =
            self.spec.reject_late && governed.foresight.is_late(now, deadline, present, workers);
        let sheds = sheds || is_late;
        if sheds {
            self.usage.shed += 1;
        } else if present >= limit {
            self.usage.limited += 1;
        }
        sheds || present >= limit
    }
}

/// A job comes. The machine's integrals are up to date. Its number, unless it is turned away.
#[cold]
#[inline(never)]
pub(super) fn submit(state: &mut State<World>, coming: Submission) -> Option<u32> {
    let now = state.now();
    let Submission { node, wait, work, baggage, keeps } = coming;
    let traits = state.env.class(baggage.class);
    let tenant = state.env.tenant(traits.tenant);
    let machine = &mut state.env.machines.machines[node.index()];
    if let Some(gauge) = &mut machine.gauge {
        gauge.arrives(now);
    }
    if machine.spec.drop_expired && baggage.deadline <= now {
        machine.usage.expired += 1;
        state.settle(wait, Err(Fault::Expired));
        return None;
    }
    if machine.turns_away(now, baggage.deadline, traits) {
        state.settle(wait, Err(Fault::Overloaded));
        return None;
    }
    let machines = &mut state.env.machines;
    let job = machines.open(Job { node, wait, phase: Phase::Queued, left: work });
    machines.orders += 1;
    let order = machines.orders;
    let machine = &mut machines.machines[node.index()];
    let governed = machine.governed.as_mut()?;
    let weight = tenant.and_then(|tenant| machine.spec.weights.get(&tenant)).copied();
    let whose = (traits.tenant, weight.unwrap_or(1));
    let rank = governed.queue.rank(machine.spec.discipline, traits.priority, whose, work);
    let detail = Detail {
        place: Place { rank, order, job },
        since: now,
        begun: Time::MAX,
        deadline: baggage.deadline,
        priority: traits.priority,
        patience: 0,
        keeps,
        memory: machine.spec.memory.as_ref().map_or(0, |memory| memory.of(baggage)),
    };
    machines.set_detail(job, detail);
    if !admit(state, node, job) {
        return None;
    }
    memory::take(state, job);
    let machine = &mut state.env.machines.machines[node.index()];
    if let (Discipline::FairQueueing, Some(governed)) =
        (machine.spec.discipline, &mut machine.governed)
    {
        governed.queue.charge(traits.tenant, rank);
    }
    Some(job)
}

/// Gives a job that is let in a worker or a place in the queue: or to nobody, if there is neither.
fn admit(state: &mut State<World>, node: NodeId, job: u32) -> bool {
    let machines = &mut state.env.machines;
    let Detail { place, priority, .. } = machines.details[job as usize];
    let machine = &mut machines.machines[node.index()];
    let (is_free, room, victim) =
        (machine.is_free(), room(machine, place), victim(machine, priority));
    if !is_free && room == Err(None) {
        machine.usage.refused += 1;
        let wait = machines.jobs[job as usize].wait;
        machines.close(job);
        state.settle(wait, Err(Fault::Overloaded));
        return false;
    }
    if is_free {
        begin(state, job);
    } else {
        if let Err(Some(last)) = room {
            machine.usage.refused += 1;
            leave(state, node, last.job);
        }
        match victim {
            Some(victim) => {
                preempt(state, node, victim.job);
                begin(state, job);
            }
            None => enqueue(state, node, job),
        }
    }
    state.env.machines.machines[node.index()].recount();
    true
}

/// The job at work that a job of this priority takes the worker of.
fn victim(machine: &Machine, priority: u8) -> Option<Place> {
    let Discipline::Priority { preemptive: true } = machine.spec.discipline else { return None };
    let least = machine.governed.as_ref()?.at_work.last().copied()?;
    (least.rank > u64::from(priority)).then_some(least)
}

/// Is there room in the queue? If not: whom a job with this place pushes out, if anybody.
fn room(machine: &Machine, place: Place) -> Result<(), Option<Place>> {
    let Some(governed) = &machine.governed else { return Err(None) };
    let behind = governed.sharing.as_ref().map_or(0, |sharing| {
        sharing.len().saturating_sub(machine.spec.workers.unwrap_or(u32::MAX))
    });
    let waiting = governed.queue.len() + behind;
    if machine.spec.queue_max.is_none_or(|max| waiting < max) {
        return Ok(());
    }
    let pushes = matches!(machine.spec.discipline, Discipline::Priority { .. });
    Err(governed.queue.last().filter(|last| pushes && last.rank > place.rank))
}

/// A job waits from now on.
fn enqueue(state: &mut State<World>, node: NodeId, job: u32) {
    let now = state.now();
    let machines = &mut state.env.machines;
    let place = machines.details[job as usize].place;
    let machine = &mut machines.machines[node.index()];
    let Some(governed) = &mut machine.governed else { return };
    if governed.queue.len() == 0
        && let Some(controller) = &mut governed.controller
    {
        controller.found_empty(now);
    }
    governed.queue.add(place);
    if let Some(patience) = &machine.spec.queue_timeout {
        let leaves = now + patience.sample(&mut governed.rng);
        let alarm = state.set_alarm(leaves, job << 1 | JOB);
        state.env.machines.details[job as usize].patience = alarm;
    }
}

/// A job has a worker from now on, or shares.
fn begin(state: &mut State<World>, job: u32) {
    let now = state.now();
    let machines = &mut state.env.machines;
    let Job { node, left, wait, .. } = machines.jobs[job as usize];
    let detail = &mut machines.details[job as usize];
    detail.patience = 0;
    let is_first = detail.begun > now;
    detail.begun = detail.begun.min(now);
    let (place, since) = (detail.place, detail.since);
    let machine = &mut machines.machines[node.index()];
    if let Some(gauge) = machine.gauge.as_mut().filter(|_| is_first) {
        gauge.waits_no_more(since, now);
    }
    let preemptive = matches!(machine.spec.discipline, Discipline::Priority { preemptive: true });
    let Some(governed) = &mut machine.governed else { return };
    governed.placed += 1;
    governed.queue.took(place.rank);
    if preemptive {
        governed.at_work.insert(place);
    }
    work(state, job, left);
    state.begins(wait);
}

/// Lets a job that has a worker do this much.
pub(super) fn work(state: &mut State<World>, job: u32, left: Span) {
    let now = state.now();
    state.env.machines.jobs[job as usize].left = left;
    if contention::join(state, job, left) {
        return;
    }
    let machines = &mut state.env.machines;
    let one = &mut machines.jobs[job as usize];
    let machine = &machines.machines[one.node.index()];
    if machine.paused {
        one.phase = Phase::Held;
        return;
    }
    let ends = now + machine.speed.of(left);
    let sequence = state.set_alarm(ends, job << 1 | JOB);
    state.env.machines.jobs[job as usize].phase = Phase::Governed { ends, sequence };
}

/// Sends a job at work back to the queue, where it goes on later.
fn preempt(state: &mut State<World>, node: NodeId, job: u32) {
    let now = state.now();
    let machines = &mut state.env.machines;
    let place = machines.details[job as usize].place;
    let interrupted = machines.interrupt(job, now);
    let machine = &mut machines.machines[node.index()];
    let one = &mut machines.jobs[job as usize];
    if let Phase::Governed { ends, .. } = one.phase {
        one.left = machine.speed.inverse_of(ends - now);
    }
    one.left = interrupted.unwrap_or(one.left);
    one.phase = Phase::Queued;
    if let Some(governed) = &mut machine.governed {
        governed.placed -= 1;
        governed.at_work.remove(&place);
        governed.queue.add(place);
    }
}

/// Gives free workers to those who wait.
pub(super) fn take_up(state: &mut State<World>, node: NodeId) {
    while let Some(job) = next(state, node) {
        begin(state, job);
    }
    state.env.machines.machines[node.index()].recount();
}

/// The next job to be taken up, if there is a worker for it. Those are dropped that are too late.
fn next(state: &mut State<World>, node: NodeId) -> Option<u32> {
    let now = state.now();
    loop {
        let Machines { machines, details, .. } = &mut state.env.machines;
        let machine = &mut machines[node.index()];
        let (places, discipline) = (machine.places(), machine.spec.discipline);
        let governed = machine.governed.as_mut().filter(|one| one.placed < places)?;
        let since = |job: u32| details[job as usize].since;
        let place = governed.queue.pick(discipline, now, since)?;
        let (detail, is_last) = (details[place.job as usize], governed.queue.len() == 0);
        let waited = now - detail.since;
        let drops = |one: &mut Controller| one.drops(now, waited, is_last);
        let why = if machine.spec.drop_expired && detail.deadline <= now {
            machine.usage.expired += 1;
            Fault::Expired
        } else if governed.controller.as_mut().is_some_and(drops) {
            machine.usage.delayed += 1;
            Fault::Overloaded
        } else {
            return Some(place.job);
        };
        let present = governed.present() + 1;
        if let Some(limiter) = &mut governed.limiter {
            limiter.ended(now, waited, present, true);
        }
        tell(state, place.job, why);
    }
}

/// A job is over, and its worker is free.
pub(super) fn release(state: &mut State<World>, job: u32) {
    let now = state.now();
    let machines = &mut state.env.machines;
    let node = machines.jobs[job as usize].node;
    let detail = machines.details[job as usize];
    memory::give_back(machines, job);
    machines.close(job);
    let machine = &mut machines.machines[node.index()];
    machine.usage.jobs += 1;
    if let Some(gauge) = &mut machine.gauge {
        gauge.goes(detail.since, now);
    }
    if let Some(governed) = &mut machine.governed {
        let present = governed.present();
        governed.placed -= 1;
        governed.foresight.learn(now - detail.begun);
        if let Some(limiter) = &mut governed.limiter {
            limiter.ended(now, now - detail.since, present, false);
        }
    }
    take_up(state, node);
}

/// The alarm of a job: its work is done, or it leaves the queue, or it has left.
#[cold]
#[inline(never)]
pub(super) fn due(state: &mut State<World>, job: u32, alarm: u64) -> Due {
    let now = state.now();
    let machines = &mut state.env.machines;
    let Some(&Job { node, wait, phase, .. }) = machines.jobs.get(job as usize) else {
        return Due::Nothing;
    };
    let patience = machines.details.get(job as usize).map_or(0, |detail| detail.patience);
    match phase {
        Phase::Leaving { sequence, why } if sequence == alarm => {
            machines.close(job);
            state.settle(wait, Err(why))
        }
        Phase::Queued if patience == alarm => {
            gives_up(state, job);
            let machines = &mut state.env.machines;
            let place = machines.details[job as usize].place;
            let machine = &mut machines.machines[node.index()];
            machine.advance(now);
            machine.usage.abandoned += 1;
            machine.governed.as_mut().map(|governed| governed.queue.remove(place));
            machines.machines[node.index()].recount();
            memory::give_back(machines, job);
            machines.close(job);
            state.settle(wait, Err(Fault::Overloaded))
        }
        Phase::Governed { sequence, .. } if sequence == alarm => worked(state, job),
        Phase::Sharing if machines.is_next(node, alarm) => worked(state, job),
        _ => Due::Nothing,
    }
}

/// A job has done its work.
fn worked(state: &mut State<World>, job: u32) -> Due {
    let now = state.now();
    let machines = &mut state.env.machines;
    let Job { node, wait, .. } = machines.jobs[job as usize];
    let Detail { place, keeps, .. } = machines.details[job as usize];
    let machine = &mut machines.machines[node.index()];
    machine.advance(now);
    if let Some(governed) = &mut machine.governed {
        governed.at_work.remove(&place);
    }
    let is_shared = machines.finish(node, now);
    if keeps && state.is_awaited(wait) {
        state.env.machines.jobs[job as usize].phase = Phase::Kept;
        state.env.machines.machines[node.index()].recount();
    } else {
        release(state, job);
    }
    if is_shared {
        contention::pace_up(state, node);
    }
    state.settle(wait, Ok(Msg::Done { value: 0 }))
}
