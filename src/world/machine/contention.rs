//! Contention: jobs that share something, the workers of their machine or the cores of its host.
//!
//! A host with `cores` works on all jobs that are at work on its nodes at once, as a fair scheduler
//! does: while there are more of them than cores, each has an equal share. It is processor sharing
//! of the host. A machine that itself shares its workers wants a core for each that is busy, and
//! its workers are as slow as everybody else.

use super::sharing::{Pace, Sharing};
use super::{Job, Machines, Phase};
use crate::engine::{NodeId, Span, State, Time};
use crate::world::{JOB, World};

/// A host that several nodes share.
#[derive(Default)]
pub(super) struct Host {
    /// `None` for as many as are wanted.
    cores: Option<u32>,
    /// The jobs at work, but not those of machines that share their workers.
    sharing: Sharing,
    /// Machines that share their workers.
    guests: Vec<NodeId>,
    /// How many workers of theirs are busy, since time was last brought up to date.
    busy: u32,
}

impl Host {
    pub fn new(cores: Option<u32>) -> Host {
        Host { cores, ..Host::default() }
    }

    fn cores(&self) -> u32 {
        self.cores.unwrap_or(u32::MAX)
    }

    fn pace(&self) -> Pace {
        Pace { workers: self.cores(), others: self.busy, ..Pace::FULL }
    }

    /// What each that wants a core gets of one, as numerator and denominator.
    fn share(&self) -> (u32, u32) {
        let wanted = self.sharing.len() + self.busy;
        if wanted <= self.cores() { (1, 1) } else { (self.cores(), wanted) }
    }
}

impl Machines {
    /// Are there cores to contend for on this host?
    pub(super) fn is_contended(&self, host: Option<u32>) -> bool {
        host.is_some_and(|host| self.hosts[host as usize].cores.is_some())
    }

    /// A node's machine is on this host, for whose cores it contends.
    pub(super) fn move_in(&mut self, node: NodeId, host: Option<u32>) {
        let machine = &mut self.machines[node.index()];
        let Some((host, governed)) = host.zip(machine.governed.as_mut()) else { return };
        governed.host = Some(host);
        if governed.sharing.is_some() {
            self.hosts[host as usize].guests.push(node);
        }
    }

    fn host(&self, node: NodeId) -> Option<usize> {
        Some(self.machines[node.index()].governed.as_ref()?.host? as usize)
    }

    /// What the jobs at work on a node share: its workers, the cores of its host, or nothing.
    fn shared(&mut self, node: NodeId) -> Option<&mut Sharing> {
        let governed = self.machines[node.index()].governed.as_mut()?;
        match governed.host {
            Some(host) if governed.sharing.is_none() => {
                Some(&mut self.hosts[host as usize].sharing)
            }
            _ => governed.sharing.as_mut(),
        }
    }

    /// At which pace a machine that shares its workers works.
    fn pace(&self, node: NodeId) -> Pace {
        let machine = &self.machines[node.index()];
        let workers = machine.spec.workers.unwrap_or(u32::MAX);
        let cores = self.host(node).map_or((1, 1), |host| self.hosts[host].share());
        Pace { workers, speed: machine.speed, paused: machine.paused, cores, ..Pace::FULL }
    }

    fn catch_up_alone(&mut self, node: NodeId, now: Time) {
        let pace = self.pace(node);
        if let Some(governed) = &mut self.machines[node.index()].governed
            && let Some(sharing) = &mut governed.sharing
        {
            sharing.advance(now, pace);
        }
    }

    /// Brings the work of those up to date who share something with a node, before it changes what
    /// any of them gets.
    pub(super) fn catch_up(&mut self, node: NodeId, now: Time) {
        let Some(host) = self.host(node) else { return self.catch_up_alone(node, now) };
        for place in 0..self.hosts[host].guests.len() {
            self.catch_up_alone(self.hosts[host].guests[place], now);
        }
        let host = &mut self.hosts[host];
        let pace = host.pace();
        host.sharing.advance(now, pace);
    }

    /// Takes a job off the cores of its host: what is left of it at full speed. `None` if it has
    /// none there. The others are to be paced anew.
    pub(super) fn interrupt(&mut self, job: u32, now: Time) -> Option<Span> {
        let Job { node, phase: Phase::Sharing, .. } = self.jobs[job as usize] else { return None };
        let machine = &self.machines[node.index()];
        machine.governed.as_ref()?.host?;
        if machine.governed.as_ref()?.sharing.is_some() {
            return None;
        }
        let speed = machine.speed;
        self.catch_up(node, now);
        Some(speed.inverse_of(self.shared(node)?.remove(job)))
    }

    /// A job that shares leaves before it is done. The others are to be paced anew.
    pub(super) fn quit(&mut self, job: u32, now: Time) {
        let node = self.jobs[job as usize].node;
        self.catch_up(node, now);
        if let Some(sharing) = self.shared(node) {
            sharing.remove(job);
        }
    }

    /// The job that is done next of those that share with a node leaves. Is there such sharing?
    pub(super) fn finish(&mut self, node: NodeId, now: Time) -> bool {
        self.catch_up(node, now);
        self.shared(node).map(Sharing::finish).is_some()
    }

    /// Is this the alarm at which a job of this node is done that shares?
    pub(super) fn is_next(&self, node: NodeId, alarm: u64) -> bool {
        let Some(governed) = &self.machines[node.index()].governed else { return false };
        match (&governed.sharing, governed.host) {
            (Some(sharing), _) => sharing.alarm == alarm,
            (None, Some(host)) => self.hosts[host as usize].sharing.alarm == alarm,
            (None, None) => false,
        }
    }

    /// Counts the workers that are busy of a host's machines that share theirs.
    fn count(&mut self, host: usize) {
        let busy = |guest: &NodeId| {
            let machine = &self.machines[guest.index()];
            let sharing = machine.governed.as_ref().and_then(|one| one.sharing.as_ref());
            let jobs = sharing.filter(|_| !machine.paused).map_or(0, Sharing::len);
            jobs.min(machine.spec.workers.unwrap_or(u32::MAX))
        };
        self.hosts[host].busy = self.hosts[host].guests.iter().map(busy).sum();
    }
}

/// Lets a job do this much where it shares; `false` if it has a worker for itself. Of a machine on
/// a host it is held while that is paused.
pub(super) fn join(state: &mut State<World>, job: u32, left: Span) -> bool {
    let now = state.now();
    let machines = &mut state.env.machines;
    let node = machines.jobs[job as usize].node;
    let order = machines.details[job as usize].place.order;
    machines.catch_up(node, now);
    let machine = &machines.machines[node.index()];
    let is_own = machine.governed.as_ref().is_some_and(|one| one.sharing.is_some());
    let (speed, paused) = (machine.speed, machine.paused);
    let Some(sharing) = machines.shared(node) else { return false };
    if paused && !is_own {
        machines.jobs[job as usize].phase = Phase::Held;
        return true;
    }
    // What shares the workers of its machine is slow with them, what shares cores takes more.
    sharing.add(job, order, if is_own { left } else { speed.of(left) });
    machines.jobs[job as usize].phase = Phase::Sharing;
    pace_up(state, node);
    true
}

/// Sets the alarm for whoever is done next of those who share something with a node.
pub(super) fn pace_up(state: &mut State<World>, node: NodeId) {
    let Some(host) = state.env.machines.host(node) else { return pace_up_alone(state, node) };
    state.env.machines.count(host);
    for place in 0..state.env.machines.hosts[host].guests.len() {
        let guest = state.env.machines.hosts[host].guests[place];
        pace_up_alone(state, guest);
    }
    let one = &state.env.machines.hosts[host];
    let next = one.sharing.next(state.now(), one.pace());
    let alarm = set(state, next);
    state.env.machines.hosts[host].sharing.alarm = alarm;
}

fn pace_up_alone(state: &mut State<World>, node: NodeId) {
    let now = state.now();
    let machines = &state.env.machines;
    let governed = machines.machines[node.index()].governed.as_ref();
    let Some(sharing) = governed.and_then(|one| one.sharing.as_ref()) else { return };
    let next = sharing.next(now, machines.pace(node));
    let alarm = set(state, next);
    let governed = state.env.machines.machines[node.index()].governed.as_mut();
    if let Some(sharing) = governed.and_then(|one| one.sharing.as_mut()) {
        sharing.alarm = alarm;
    }
}

fn set(state: &mut State<World>, next: Option<(u32, Time)>) -> u64 {
    next.map_or(0, |(job, due)| state.set_alarm(due, job << 1 | JOB))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Asked, PLAIN, run_on};
    use super::super::{crash, set_paused, set_speed};
    use super::*;
    use crate::engine::Factor;

    const ONE_WORKER: &str = "(workers: Some(1))";
    const SHARED: &str = "(workers: Some(1), discipline: ProcessorSharing())";
    /// Those of the neighbour.
    const OTHER: Asked = Asked { server: 1, ..PLAIN };

    /// Who is answered when by two machines on one core.
    fn served(specs: [&str; 2], asked: &[Asked]) -> Vec<(usize, u64)> {
        let (heard, used) = run_on(Some(1), &specs, asked, None);
        assert!(heard.iter().all(|one| one.2), "{heard:?}");
        assert!(used.iter().all(|one| (one.working, one.waiting) == (0, 0)), "nobody is left");
        heard.into_iter().map(|(number, at, _)| (number, at)).collect()
    }

    #[test]
    fn neighbours_slow_each_other_down_while_both_work() {
        let asked = [Asked { work: 30, ..PLAIN }, Asked { at: 10, work: 40, ..OTHER }];
        // Alone until 10, then each at half: the first has its last 20 at 50, the other 20 of 40.
        for specs in [[ONE_WORKER; 2], [ONE_WORKER, SHARED], [SHARED, ONE_WORKER], [SHARED; 2]] {
            assert_eq!(served(specs, &asked), [(0, 50), (1, 70)], "{specs:?}");
        }
        for cores in [Some(2), None] {
            let (heard, _) = run_on(cores, &[ONE_WORKER, SHARED], &asked, None);
            assert_eq!(heard, [(0, 30, true), (1, 50, true)]);
        }
    }

    #[test]
    fn each_at_work_has_an_equal_share_and_a_shared_machine_one_for_each_busy_worker() {
        let two = "(workers: Some(2))";
        assert_eq!(served([two, two], &[PLAIN, PLAIN, OTHER]), [(0, 30), (1, 30), (2, 30)]);
        let (heard, _) = run_on(Some(2), &[two, two], &[PLAIN, PLAIN, OTHER], None);
        assert_eq!(heard, [(0, 15, true), (1, 15, true), (2, 15, true)]);
        // Who waits for a worker wants no core.
        let queued = served([ONE_WORKER; 2], &[PLAIN, PLAIN, OTHER]);
        assert_eq!(queued, [(0, 20), (2, 20), (1, 30)]);
        // The one worker of the first has half of the core, each of its jobs a quarter.
        let shared = served([SHARED, ONE_WORKER], &[PLAIN, PLAIN, OTHER]);
        assert_eq!(shared, [(2, 20), (0, 30), (1, 30)]);
    }

    /// The same where the first node changes at 4: who is answered when.
    fn changed(first: &str, what: fn(&mut State<World>)) -> Vec<(usize, u64)> {
        let (heard, _) = run_on(Some(1), &[first, ONE_WORKER], &[PLAIN, OTHER], Some((4, what)));
        heard.into_iter().map(|(number, at, _)| (number, at)).collect()
    }

    #[test]
    fn a_neighbour_that_is_slow_takes_more_and_one_that_is_away_takes_nothing() {
        let twice = |state: &mut State<World>| {
            set_speed(state, NodeId(0), Factor::from_thousandths(2_000).expect("above none"));
        };
        let stops = |state: &mut State<World>| set_paused(state, NodeId(0), true);
        let dies = |state: &mut State<World>| crash(state, NodeId(0));
        let breathes = |state: &mut State<World>| {
            set_paused(state, NodeId(0), true);
            set_paused(state, NodeId(0), false);
        };
        for first in [ONE_WORKER, SHARED] {
            // 2 of each are done; of the first 8 are left that take 16.
            assert_eq!(changed(first, twice), [(1, 20), (0, 28)], "{first}");
            assert_eq!(changed(first, stops), [(1, 12)], "{first}");
            assert_eq!(changed(first, dies), [(1, 12)], "{first}");
            assert_eq!(changed(first, breathes), [(0, 20), (1, 20)], "{first}");
        }
    }

    #[test]
    fn a_preempted_job_goes_on_where_it_was_and_a_kept_worker_wants_no_core() {
        let low = Asked { class: 1, ..PLAIN };
        let high = Asked { at: 4, work: 3, ..PLAIN };
        let rude = "(workers: Some(1), discipline: Priority(preemptive: true))";
        // At 4 both have 8 left, at 10 the neighbour has 5, at 20 the first has 3.
        let heard = served([rude, ONE_WORKER], &[low, high, OTHER]);
        assert_eq!(heard, [(1, 10), (2, 20), (0, 23)]);
        // The first keeps its worker from 8 to 14, while the neighbour, which works twice without a
        // rest, does 6.
        let asked = [Asked { work: 4, kept: 6, ..PLAIN }, OTHER];
        assert_eq!(served([ONE_WORKER; 2], &asked), [(0, 22), (1, 28)]);
    }

    proptest::proptest! {
        /// A core is never idle while there is work on any node, and no work is done twice.
        #[test]
        fn work_is_conserved(
            jobs in proptest::collection::vec((0_u32..3, 0_u64..50, 1_u64..500), 1..30),
            kinds in proptest::array::uniform3(proptest::bool::ANY),
        ) {
            let specs = kinds.map(|shares| if shares { SHARED } else { ONE_WORKER });
            let ask = |&(server, at, work): &(u32, u64, u64)| Asked { server, at, work, ..PLAIN };
            let asked: Vec<Asked> = jobs.iter().map(ask).collect();
            let (heard, _) = run_on(Some(1), &specs, &asked, None);
            let mut ordered = jobs.clone();
            ordered.sort_unstable_by_key(|job| job.1);
            let idle_at = ordered.iter().fold(0, |free, &(_, at, work)| free.max(at) + work);
            let last = heard.last().expect("there are jobs").1;
            // Each job that is done may come a nanosecond late.
            proptest::prop_assert_eq!(heard.len(), jobs.len());
            proptest::prop_assert!((idle_at..=idle_at + jobs.len() as u64).contains(&last));
        }
    }
}
