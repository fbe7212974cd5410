//! Tests of machines without a run around them.

use super::*;

const HERE: NodeId = NodeId(0);

fn machines(spec: MachineSpec) -> Machines {
    let mut machines = Machines::default();
    machines.admit(spec);
    machines
}

fn job(node: NodeId) -> Job {
    Job { node, wait: WaitId::NONE, phase: Phase::Queued, left: Span(10) }
}

#[test]
fn a_queue_is_taken_up_in_the_order_of_its_discipline() {
    for (discipline, order) in [(Discipline::Fifo, [3, 4, 5]), (Discipline::Lifo, [5, 4, 3])] {
        let mut machines = machines(MachineSpec { discipline, ..MachineSpec::default() });
        let machine = &mut machines.machines[0];
        machine.queue.extend([3, 4, 5]);
        machine.usage.waiting = 3;
        assert_eq!([machine.pick(), machine.pick(), machine.pick()], order.map(Some));
        assert_eq!((machine.pick(), machine.usage.waiting), (None, 0));
    }
}

#[test]
fn there_is_room_for_as_many_jobs_as_there_are_workers() {
    let spec = MachineSpec { workers: Some(2), ..MachineSpec::default() };
    let mut machines = machines(spec);
    let machine = &mut machines.machines[0];
    machine.usage.working = 1;
    assert!(machine.has_room());
    machine.usage.working = 2;
    assert!(!machine.has_room());
    machine.spec.workers = None;
    assert!(machine.has_room(), "without a limit there always is");
}

#[test]
fn use_is_worker_time_and_a_pause_spends_none() {
    let mut machines = machines(MachineSpec::default());
    let machine = &mut machines.machines[0];
    (machine.usage.working, machine.usage.waiting) = (2, 3);
    machine.advance(Time(10));
    machine.paused = true;
    machine.advance(Time(30));
    machine.paused = false;
    assert_eq!((machine.usage.busy, machine.usage.queued), (20, 90));
    // Looking does not change anything.
    for _ in 0..2 {
        let usage = machines.usage(HERE, Time(31));
        assert_eq!((usage.busy, usage.queued), (22, 93));
    }
}

#[test]
fn the_place_of_a_job_that_is_over_is_used_again() {
    let mut machines = machines(MachineSpec::default());
    let (first, other) = (machines.open(job(HERE)), machines.open(job(NodeId(1))));
    assert_eq!(machines.jobs_of(HERE), [first]);
    machines.close(first);
    assert!(machines.jobs_of(HERE).is_empty());
    assert_eq!((machines.open(job(HERE)), machines.open(job(HERE))), (first, other + 1));
    assert_eq!(machines.jobs_of(HERE), [first, other + 1]);
}
