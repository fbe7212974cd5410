//! A machine: workers, and a queue in front of them.
//!
//! `cx.work(cost)` occupies one worker for the cost and queues while none is free. The completion
//! of a job belongs to the machine, not to the task that asked for it: work that nobody waits for
//! any more still costs. A pause stops the clock of every running job, a slow-down stretches what
//! is left of it.

mod contention;
mod delay;
mod foresight;
mod gauge;
mod governed;
mod hold;
mod kept;
mod leaving;
mod limit;
mod memory;
mod sharing;
mod shedding;
mod spec;
mod usage;
mod waiting;

use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

pub use delay::DelayControl;
pub use gauge::Gauge;
pub use hold::Held;
pub use limit::Limit;
pub(super) use memory::killed;
pub use shedding::{Shedding, Signal, Threshold};
pub use spec::{Discipline, MachineSpec, Memory};
pub use usage::MachineUse;

use super::{JOB, World};
use crate::engine::{self, Call, Due, Factor, Fault, Msg, NodeId, Rng, Span, State, Time, WaitId};
use contention::Host;
use governed::{Detail, Governed, Submission};

struct Machine {
    /// Shared by machines that follow each other and are alike, as those of a large fleet are.
    spec: Rc<MachineSpec>,
    speed: Factor,
    paused: bool,
    /// Has its queue room for any number of jobs, and is nothing else considered?
    is_endless: bool,
    /// How many jobs may start at once; none of a governed machine, whose jobs start in their way.
    slots: u32,
    queue: VecDeque<u32>,
    governed: Option<Box<Governed>>,
    /// Of a machine that is watched job by job, which is a governed one.
    gauge: Option<Box<Gauge>>,
    usage: MachineUse,
    /// When the integrals were last brought up to date.
    seen: Time,
}

#[derive(Clone, Copy)]
enum Phase {
    Free,
    Queued,
    /// Ends when the alarm with this sequence number falls due.
    Running {
        ends: Time,
        sequence: u64,
    },
    /// Of a paused machine.
    Held,
    /// The same as running, of a governed machine.
    Governed {
        ends: Time,
        sequence: u64,
    },
    /// One of those that share the workers, or the cores of the host.
    Sharing,
    /// It has done its work and keeps its worker.
    Kept,
    /// It was dropped, and its task hears of it by the alarm with this sequence number.
    Leaving {
        sequence: u64,
        why: Fault,
    },
}

struct Job {
    node: NodeId,
    wait: WaitId,
    phase: Phase,
    /// What is left to do, at full speed; of a running job, what was left when it last started.
    left: Span,
}

/// All machines, and the jobs on them.
#[derive(Default)]
pub(crate) struct Machines {
    machines: Vec<Machine>,
    jobs: Vec<Job>,
    free: Vec<u32>,
    /// By job, as far as there are governed ones.
    details: Vec<Detail>,
    /// Jobs of governed machines so far.
    orders: u64,
    /// The scenario's hosts.
    hosts: Vec<Host>,
}

impl Machine {
    #[inline]
    fn advance(&mut self, now: Time) {
        let span = (now - self.seen).0;
        self.usage.busy += span * u64::from(self.usage.working) * u64::from(!self.paused);
        self.usage.queued += span * u64::from(self.usage.waiting);
        self.seen = now;
    }

    #[inline]
    fn has_room(&self) -> bool {
        self.usage.working < self.slots
    }

    /// How fast its jobs run; `None` if they stand still.
    #[inline]
    fn pace(&self) -> Option<Factor> {
        (!self.paused).then_some(self.speed)
    }

    fn pick(&mut self) -> Option<u32> {
        let job = match self.spec.discipline {
            Discipline::Lifo => self.queue.pop_back(),
            _ => self.queue.pop_front(),
        };
        self.usage.waiting -= u32::from(job.is_some());
        job
    }
}

impl Machines {
    /// Without nodes yet, on hosts that have so many cores.
    pub fn new(cores: impl Iterator<Item = Option<u32>>) -> Machines {
        Machines { hosts: cores.map(Host::new).collect(), ..Machines::default() }
    }

    /// The machine of the next node, which is on this host and watched by this gauge; it draws from
    /// `rng`, if at all.
    pub fn admit(
        &mut self,
        spec: MachineSpec,
        host: Option<u32>,
        gauge: Option<Gauge>,
        rng: impl FnOnce() -> Rng,
    ) {
        let host = host.filter(|_| self.is_contended(host));
        let is_plain = spec.is_plain() && host.is_none() && gauge.is_none();
        let governed = (!is_plain).then(|| Box::new(Governed::new(&spec, rng(), Time(0), 0)));
        let slots = if governed.is_some() { 0 } else { spec.workers.unwrap_or(u32::MAX) };
        let is_endless = is_plain && spec.queue_max.is_none();
        let alike = self.machines.last().filter(|last| *last.spec == spec);
        let spec = alike.map_or_else(|| Rc::new(spec), |last| last.spec.clone());
        self.machines.push(Machine {
            spec,
            speed: Factor::ONE,
            paused: false,
            is_endless,
            slots,
            queue: VecDeque::new(),
            governed,
            gauge: gauge.map(Box::new),
            usage: MachineUse::default(),
            seen: Time(0),
        });
        self.move_in(NodeId(self.machines.len() as u32 - 1), host);
    }

    /// How many jobs a node has, running and queued.
    pub fn jobs_at(&self, node: NodeId) -> u32 {
        let usage = &self.machines[node.index()].usage;
        usage.working + usage.waiting
    }

    pub fn usage(&self, node: NodeId, now: Time) -> MachineUse {
        let machine = &self.machines[node.index()];
        let (mut usage, span) = (machine.usage, (now - machine.seen).0);
        usage.busy += span * u64::from(usage.working) * u64::from(!machine.paused);
        usage.queued += span * u64::from(usage.waiting);
        usage
    }

    /// What the jobs of a watched machine met, up to now.
    pub fn gauge(&self, node: NodeId, now: Time) -> Option<Gauge> {
        let machine = &self.machines[node.index()];
        let mut gauge = Gauge::clone(machine.gauge.as_ref()?);
        gauge.changes(now, machine.usage.working + machine.usage.waiting);
        Some(gauge)
    }

    /// After how long a node that has turned somebody away would be asked again.
    pub fn retry_after(&self, node: NodeId) -> Option<Span> {
        self.machines[node.index()].spec.retry_after
    }

    /// How many workers a node has; `None` for as many as there is work.
    pub fn workers(&self, node: NodeId) -> Option<u32> {
        self.machines[node.index()].spec.workers
    }

    #[inline]
    fn open(&mut self, job: Job) -> u32 {
        if let Some(index) = self.free.pop() {
            self.jobs[index as usize] = job;
            return index;
        }
        self.jobs.push(job);
        self.jobs.len() as u32 - 1
    }

    /// A job waits for a worker.
    #[inline(always)]
    fn queue_up(&mut self, node: NodeId, wait: WaitId, cost: Span) {
        let job = self.open(Job { node, wait, phase: Phase::Queued, left: cost });
        let machine = &mut self.machines[node.index()];
        machine.usage.waiting += 1;
        machine.usage.queue_peak = machine.usage.queue_peak.max(machine.usage.waiting);
        machine.queue.push_back(job);
    }

    #[inline]
    fn close(&mut self, index: u32) {
        self.jobs[index as usize].phase = Phase::Free;
        self.free.push(index);
    }

    fn set_detail(&mut self, job: u32, detail: Detail) {
        let length = self.details.len().max(job as usize + 1);
        self.details.resize(length, Detail::default());
        self.details[job as usize] = detail;
    }

    fn jobs_of(&self, node: NodeId) -> Vec<u32> {
        let mine = |job: &Job| job.node == node && !matches!(job.phase, Phase::Free);
        (0..self.jobs.len() as u32).filter(|&index| mine(&self.jobs[index as usize])).collect()
    }
}

/// Puts a job on a node's machine; the wait is settled when it is finished or refused.
#[inline]
fn submit(state: &mut State<World>, cx: &engine::Cx<World>, wait: WaitId, cost: Span) {
    let (now, node) = (state.now(), cx.me());
    let machines = &mut state.env.machines;
    let machine = &mut machines.machines[node.index()];
    machine.advance(now);
    if machine.has_room() {
        machine.usage.working += 1;
        let job = machines.open(Job { node, wait, phase: Phase::Queued, left: cost });
        start(state, job);
    } else if machine.is_endless {
        machines.queue_up(node, wait, cost);
    } else {
        consider(state, cx, wait, cost);
    }
}

/// The same where no worker is free and the queue has an end, or more is to be considered.
#[inline(never)]
fn consider(state: &mut State<World>, cx: &engine::Cx<World>, wait: WaitId, cost: Span) {
    let node = cx.me();
    let machines = &mut state.env.machines;
    let machine = &mut machines.machines[node.index()];
    if machine.governed.is_some() {
        let baggage = cx.baggage();
        governed::submit(state, Submission { node, wait, work: cost, baggage, keeps: false });
    } else if machine.spec.queue_max.is_none_or(|max| machine.usage.waiting < max) {
        machines.queue_up(node, wait, cost);
    } else {
        machine.usage.refused += 1;
        state.settle(wait, Err(Fault::Overloaded));
    }
}

/// Lets a job run on the worker that it has.
#[inline(always)]
fn start(state: &mut State<World>, index: u32) {
    let machines = &state.env.machines;
    let pace = machines.machines[machines.jobs[index as usize].node.index()].pace();
    start_at(state, index, pace);
}

/// The same at the pace of its machine, which is known.
#[inline(always)]
fn start_at(state: &mut State<World>, index: u32, pace: Option<Factor>) {
    let now = state.now();
    let job = &mut state.env.machines.jobs[index as usize];
    let Some(speed) = pace else {
        job.phase = Phase::Held;
        return;
    };
    let (ends, wait) = (now + speed.of(job.left), job.wait);
    let sequence = state.set_alarm(ends, index << 1 | JOB);
    state.env.machines.jobs[index as usize].phase = Phase::Running { ends, sequence };
    state.begins(wait);
}

/// The alarm of a job: it is finished, unless it was moved or its machine crashed.
#[inline]
pub(crate) fn finished(state: &mut State<World>, index: u32, alarm: u64) -> Due {
    let now = state.now();
    let machines = &mut state.env.machines;
    let job = &machines.jobs[index as usize];
    match job.phase {
        Phase::Running { sequence, .. } if sequence == alarm => {}
        _ => return governed::due(state, index, alarm),
    }
    let (wait, node) = (job.wait, job.node);
    machines.close(index);
    let machine = &mut machines.machines[node.index()];
    machine.advance(now);
    machine.usage.jobs += 1;
    let pace = machine.pace();
    match machine.pick() {
        Some(next) => start_at(state, next, pace),
        None => machine.usage.working -= 1,
    }
    state.settle(wait, Ok(Msg::Done { value: 0 }))
}

/// Takes the job that would settle `wait` off a node's machine: the request that it was for has
/// been taken back.
#[cold]
fn abandon(state: &mut State<World>, node: NodeId, wait: WaitId) {
    let now = state.now();
    let machines = &mut state.env.machines;
    let is_it = |job: &Job| job.wait == wait && !matches!(job.phase, Phase::Free);
    let Some(place) = machines.jobs.iter().position(is_it) else { return };
    if machines.machines[node.index()].governed.is_some() {
        return kept::abandon(state, place as u32);
    }
    let is_queued = matches!(machines.jobs[place].phase, Phase::Queued);
    machines.close(place as u32);
    let machine = &mut machines.machines[node.index()];
    machine.advance(now);
    if is_queued {
        machine.queue.retain(|job| *job != place as u32);
        machine.usage.waiting -= 1;
        return;
    }
    match machine.pick() {
        Some(next) => start(state, next),
        None => machine.usage.working -= 1,
    }
}

/// Takes the running jobs of a machine off their workers, noting what is left of each.
fn hold(state: &mut State<World>, node: NodeId) -> Vec<u32> {
    let now = state.now();
    let machines = &mut state.env.machines;
    let machine = &mut machines.machines[node.index()];
    machine.advance(now);
    let speed = machine.speed;
    machines.catch_up(node, now);
    let mut held = machines.jobs_of(node);
    held.retain(|&index| match machines.jobs[index as usize].phase {
        Phase::Sharing => {
            let left = machines.interrupt(index, now);
            let job = &mut machines.jobs[index as usize];
            left.inspect(|&left| (job.left, job.phase) = (left, Phase::Held)).is_some()
        }
        Phase::Running { ends, .. } | Phase::Governed { ends, .. } => {
            let job = &mut machines.jobs[index as usize];
            (job.left, job.phase) = (speed.inverse_of(ends - now), Phase::Held);
            true
        }
        Phase::Held => true,
        _ => false,
    });
    held
}

/// Lets the jobs run again that a machine held.
fn resume(state: &mut State<World>, node: NodeId, held: Vec<u32>) {
    let is_governed = state.env.machines.machines[node.index()].governed.is_some();
    for job in held {
        let left = state.env.machines.jobs[job as usize].left;
        if is_governed { governed::work(state, job, left) } else { start(state, job) }
    }
    contention::pace_up(state, node);
}

/// Stops the clock of every job on a node's machine, or lets it go on.
pub(crate) fn set_paused(state: &mut State<World>, node: NodeId, paused: bool) {
    let held = hold(state, node);
    state.env.machines.machines[node.index()].paused = paused;
    resume(state, node, held);
}

/// Makes a node's machine take `factor` times as long as at full speed.
pub(crate) fn set_speed(state: &mut State<World>, node: NodeId, factor: Factor) {
    let held = hold(state, node);
    state.env.machines.machines[node.index()].speed = factor;
    resume(state, node, held);
}

/// The node crashed: its jobs are gone.
pub(crate) fn crash(state: &mut State<World>, node: NodeId) {
    let now = state.now();
    let machines = &mut state.env.machines;
    for index in machines.jobs_of(node) {
        machines.interrupt(index, now);
        machines.close(index);
    }
    machines.catch_up(node, now);
    let machine = &mut machines.machines[node.index()];
    machine.advance(now);
    machine.queue.clear();
    if let Some(governed) = &mut machine.governed {
        governed.crash(&machine.spec, now, machine.usage.busy);
    }
    // Whoever starts it again knows which pauses are still on.
    machine.paused = false;
    (machine.usage.working, machine.usage.waiting) = (0, 0);
    if let Some(gauge) = &mut machine.gauge {
        gauge.changes(now, 0);
    }
    contention::pace_up(state, node);
}

impl engine::Cx<World> {
    /// Occupies one worker of this node's machine for `cost`, after queueing for it if none is
    /// free.
    ///
    /// # Errors
    /// [`Fault::Overloaded`] at once if the queue is full or the machine turns the job away, later
    /// if it drops the job.
    #[inline]
    pub fn work(&self, cost: Span) -> Work<'_> {
        Work(self.job(cost))
    }

    #[inline(never)]
    fn job(&self, cost: Span) -> Call<'_, World> {
        self.wait(|state, wait| submit(state, self, wait, cost))
    }
}

/// A job under way. Dropping it leaves the job to the machine, unless the request that it is for
/// has been taken back: then it leaves the machine.
#[must_use = "it does nothing for you until it is awaited"]
pub struct Work<'a>(Call<'a, World>);

impl Future for Work<'_> {
    type Output = Result<(), Fault>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        Pin::new(&mut self.0).poll(cx).map_ok(|_| ())
    }
}

impl Drop for Work<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(wait) = self.0.pending() {
            self.abandon(wait);
        }
    }
}

impl Work<'_> {
    #[cold]
    fn abandon(&self, wait: WaitId) {
        let cx = self.0.cx();
        let me = cx.me();
        cx.with(|state| {
            if state.is_withdrawing() {
                abandon(state, me, wait);
            }
        });
    }
}

#[cfg(test)]
mod tests;
