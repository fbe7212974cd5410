//! Tests of machines without a run around them.

use std::cell::RefCell;
use std::rc::Rc;

use super::*;
use crate::engine::{Baggage, Class, Name, Reply};
use crate::world::{ClassTraits, Cx, HostSpec, NetworkSpec, Node, Sim, add};

const HERE: NodeId = NodeId(0);

fn machines(spec: MachineSpec) -> Machines {
    let mut machines = Machines::default();
    machines.admit(spec, None, None, || Rng::new(1, "machine"));
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
    machine.slots = u32::MAX;
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

/// Works for as long as it is told, and keeps its worker for as long again if it may.
#[derive(Clone)]
struct Server {
    spec: MachineSpec,
}

impl Node for Server {
    async fn handle(&self, cx: &Cx, request: Msg) -> Reply {
        let Msg::Do { key: kept, value: work, .. } = request else { return Err(Fault::Unknown) };
        if self.spec.holds_workers {
            let held = cx.hold(Span(work)).await?;
            let _ = cx.sleep(Span(kept)).await;
            held.work(Span(work)).await?;
        } else {
            cx.work(Span(work)).await?;
        }
        Ok(Msg::Done { value: 0 })
    }

    fn machine(&self) -> MachineSpec {
        self.spec.clone()
    }
}

/// A request: when it is made and of which server, how much work it is, its class, its deadline.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub at: u64,
    pub server: u32,
    pub work: u64,
    pub class: u8,
    pub deadline: u64,
    pub kept: u64,
}

pub(super) const PLAIN: Asked =
    Asked { at: 0, server: 0, work: 10, class: 0, deadline: u64::MAX, kept: 0 };

/// Makes one request and writes down when it was answered, and how.
#[derive(Clone)]
struct Asker {
    asked: Asked,
    heard: Rc<RefCell<Heard>>,
    number: usize,
}

impl Node for Asker {
    async fn boot(&self, cx: &Cx) {
        let Asked { at, server, work, class, deadline, kept } = self.asked;
        let _ = cx.sleep(Span(at)).await;
        let baggage =
            Baggage { class: Class(class), deadline: Time(deadline), ..Baggage::default() };
        cx.set_baggage(baggage);
        let request = Msg::Do { verb: Name::of("work"), key: kept, value: work };
        let reply = cx.call(NodeId(server), request).await;
        self.heard.borrow_mut().push((self.number, cx.now().0, reply.is_ok()));
    }

    async fn handle(&self, _: &Cx, _: Msg) -> Reply {
        Err(Fault::Unknown)
    }
}

/// Something else that happens at an instant.
pub(super) type Also = (u64, fn(&mut State<World>));
/// Who was answered when, and was it a success?
pub(super) type Heard = Vec<(usize, u64, bool)>;

/// Runs requests against a machine; `also` happens at an instant. The class of a request is its
/// priority and its tenant.
fn run(spec: &str, asked: &[Asked], also: Option<Also>) -> (Heard, MachineUse) {
    let (heard, used) = run_on(None, &[spec], asked, also);
    (heard, used[0])
}

/// The same with several machines, perhaps on one host with so many cores.
pub(super) fn run_on(
    cores: Option<u32>,
    specs: &[&str],
    asked: &[Asked],
    also: Option<Also>,
) -> (Heard, Vec<MachineUse>) {
    let servers: Vec<NodeId> = (0..specs.len() as u32).map(NodeId).collect();
    let host = HostSpec { name: "host".to_owned(), nodes: servers.clone(), cores };
    let network = NetworkSpec { hosts: vec![host], ..NetworkSpec::ideal() };
    let mut sim = Sim::new(1, World::new(1, network));
    let class = |place: u8| ClassTraits { priority: place, tenant: u16::from(place) };
    sim.with(|state| state.env.set_classes((0..4).map(class).collect()));
    let heard = Rc::new(RefCell::new(Vec::new()));
    for (number, spec) in specs.iter().enumerate() {
        let mut spec: MachineSpec = ron::from_str(spec).expect("it can be read");
        spec.holds_workers = asked.iter().any(|one| one.kept > 0);
        assert_eq!(spec.problem(), None);
        add(&mut sim, &format!("server {number}"), Server { spec });
    }
    for (number, asked) in asked.iter().enumerate() {
        let asker = Asker { asked: *asked, heard: heard.clone(), number };
        add(&mut sim, &format!("asker {number}"), asker);
    }
    (0..specs.len() + asked.len()).for_each(|node| sim.boot(NodeId(node as u32)));
    if let Some((at, also)) = also {
        sim.run(Time(at), 1_000_000);
        sim.with(also);
    }
    sim.run(Time(100_000), 1_000_000);
    let used = |id: &NodeId| sim.with(|state| state.env.machine_use(*id, state.now()));
    let used = servers.iter().map(used).collect();
    (heard.take(), used)
}

/// The same, all successes: who was answered when.
fn served(spec: &str, asked: &[Asked]) -> Vec<(usize, u64)> {
    let (heard, usage) = run(spec, asked, None);
    assert!(heard.iter().all(|one| one.2), "{heard:?}");
    assert_eq!((usage.working, usage.waiting), (0, 0), "nobody is left");
    heard.into_iter().map(|(number, at, _)| (number, at)).collect()
}

#[test]
fn a_more_important_request_is_taken_up_first() {
    let asked = [PLAIN, Asked { at: 1, class: 1, ..PLAIN }, Asked { at: 2, ..PLAIN }];
    let spec = "(workers: Some(1), discipline: Priority())";
    assert_eq!(served(spec, &asked), [(0, 10), (2, 20), (1, 30)]);
}

#[test]
fn a_preempted_job_goes_on_where_it_was() {
    let asked = [
        Asked { class: 1, ..PLAIN },
        Asked { at: 4, work: 3, ..PLAIN },
        Asked { at: 5, class: 1, work: 1, ..PLAIN },
    ];
    let spec = "(workers: Some(1), discipline: Priority(preemptive: true))";
    // The first has 6 left at 4, goes on at 7 before the third, and is done at 13.
    assert_eq!(served(spec, &asked), [(1, 7), (0, 13), (2, 14)]);
    let spec = "(workers: Some(1), discipline: Priority(preemptive: false))";
    assert_eq!(served(spec, &asked), [(0, 10), (1, 13), (2, 14)]);
}

#[test]
fn a_full_queue_lets_a_more_important_request_push_out_the_least() {
    let asked = [
        PLAIN,
        Asked { at: 1, class: 2, ..PLAIN },
        Asked { at: 2, class: 1, ..PLAIN },
        Asked { at: 3, class: 1, ..PLAIN },
    ];
    let spec = "(workers: Some(1), queue_max: Some(1), discipline: Priority())";
    let (heard, usage) = run(spec, &asked, None);
    assert_eq!(heard, [(1, 2, false), (3, 3, false), (0, 10, true), (2, 20, true)]);
    assert_eq!((usage.refused, usage.jobs, usage.queue_peak), (2, 2, 1));
}

#[test]
fn shared_workers_slow_down_and_pause_with_their_machine() {
    let job = Asked { work: 12, ..PLAIN };
    let asked = [job, job, Asked { at: 6, ..job }];
    let spec = "(workers: Some(1), discipline: ProcessorSharing())";
    // 3 each by 6; all three at a third until the first two are done at 33, and 3 of the last are
    // left.
    assert_eq!(served(spec, &asked), [(0, 33), (1, 33), (2, 36)]);
    let slow = run(spec, &asked[..1], Some((4, slow_down)));
    assert_eq!(slow.0, [(0, 20, true)], "8 are left at 4, and take 16");
    let paused = run(spec, &asked[..1], Some((4, |state| set_paused(state, HERE, true))));
    assert!(paused.0.is_empty());
    assert_eq!(paused.1.busy, 4, "a paused machine does not work");
}

fn slow_down(state: &mut State<World>) {
    let twice = Factor::from_thousandths(2_000).expect("it is more than none");
    set_speed(state, HERE, twice);
}

#[test]
fn at_most_so_many_jobs_share_and_the_others_wait() {
    let asked = [PLAIN, PLAIN, PLAIN];
    let spec = "(workers: Some(1), discipline: ProcessorSharing(jobs_max: Some(2)))";
    assert_eq!(served(spec, &asked), [(0, 20), (1, 20), (2, 30)]);
}

#[test]
fn jobs_beyond_the_workers_that_share_count_as_waiting() {
    let spec = "(workers: Some(1), queue_max: Some(1), discipline: ProcessorSharing())";
    let (heard, usage) = run(spec, &[PLAIN; 3], None);
    assert_eq!(heard, [(2, 0, false), (0, 20, true), (1, 20, true)]);
    assert_eq!((usage.refused, usage.queue_peak), (1, 1));
}

#[test]
fn a_preempting_job_pushes_out_who_waits_if_there_is_no_room_for_its_victim() {
    let low = Asked { class: 1, ..PLAIN };
    let asked = [low, Asked { at: 1, ..low }, Asked { at: 4, work: 3, ..PLAIN }];
    let spec = "(workers: Some(1), queue_max: Some(1), discipline: Priority(preemptive: true))";
    let (heard, _) = run(spec, &asked, None);
    assert_eq!(heard, [(1, 4, false), (2, 7, true), (0, 13, true)]);
}

#[test]
fn what_is_refused_is_not_held_against_its_tenant() {
    // Two of the first tenant's five are refused: its next one is as far back as after three.
    let mut asked = vec![PLAIN; 5];
    asked.push(Asked { at: 25, ..PLAIN });
    asked.push(Asked { at: 26, class: 1, work: 15, ..PLAIN });
    let spec = "(workers: Some(1), queue_max: Some(2), discipline: FairQueueing)";
    let (heard, usage) = run(spec, &asked, None);
    let good = heard.iter().filter(|one| one.2).map(|one| (one.0, one.1));
    assert_eq!(good.collect::<Vec<_>>(), [(0, 10), (1, 20), (2, 30), (5, 40), (6, 55)]);
    assert_eq!(usage.refused, 2);
}

#[test]
fn what_waits_too_long_leaves_and_its_place_is_free() {
    let asked = [PLAIN, Asked { at: 1, ..PLAIN }, Asked { at: 7, ..PLAIN }];
    let spec = "(workers: Some(1), queue_max: Some(1), queue_timeout: Some(\"5ns\"))";
    let (heard, usage) = run(spec, &asked, None);
    assert_eq!(heard, [(1, 6, false), (0, 10, true), (2, 20, true)]);
    assert_eq!((usage.abandoned, usage.refused, usage.jobs), (1, 0, 2));
}

#[test]
fn work_whose_deadline_has_passed_is_dropped_when_it_would_be_taken_up() {
    // Deadlines travel as whole microseconds.
    let us = |count: u64| count * 1_000;
    let job = Asked { at: us(1), work: us(10), ..PLAIN };
    let asked = [
        Asked { at: 0, ..job },
        Asked { deadline: us(9), ..job },
        Asked { deadline: us(2_000), ..job },
    ];
    let (heard, usage) = run("(workers: Some(1), drop_expired: true)", &asked, None);
    assert_eq!(heard, [(0, us(10), true), (1, us(10), false), (2, us(20), true)]);
    assert_eq!((usage.expired, usage.busy), (1, us(20)), "no work was wasted on it");
    let (heard, usage) = run("(workers: Some(1))", &asked, None);
    assert_eq!((heard.len(), usage.expired, usage.busy), (3, 0, us(30)), "otherwise it is done");
}

#[test]
fn a_limit_turns_away_who_comes_while_so_many_are_there() {
    let asked = [PLAIN, PLAIN, PLAIN, Asked { at: 11, ..PLAIN }];
    let (heard, usage) = run("(workers: Some(1), limit: Some(Fixed(jobs: 2)))", &asked, None);
    assert_eq!(heard, [(2, 0, false), (0, 10, true), (1, 20, true), (3, 30, true)]);
    assert_eq!(usage.limited, 1);
}

#[test]
fn less_important_requests_are_shed_before_the_queue_is_full() {
    let spec = "(workers: Some(1), queue_max: Some(3), shedding: Some((thresholds: [
        (priority: 1, load: \"50 %\")])))";
    let asked = [PLAIN, PLAIN, Asked { class: 1, ..PLAIN }, PLAIN];
    let (heard, usage) = run(spec, &asked, None);
    assert_eq!(heard.iter().filter(|one| !one.2).map(|one| one.0).collect::<Vec<_>>(), [2]);
    assert_eq!((usage.shed, usage.refused), (1, 0));
}

#[test]
fn a_queue_that_persists_is_shortened_by_controlled_delay() {
    let spec = "(workers: Some(1), delay_control: Some(ControlledDelay(target: \"10ns\",
        interval: \"25ns\")))";
    let (heard, usage) = run(spec, &[PLAIN; 6], None);
    // The queue is there since 0: at 10 and 20 the waits are below the interval; at 30 the target
    // counts, and all that is left has waited for longer.
    let good = heard.iter().filter(|one| one.2).count();
    assert_eq!((good, usage.delayed, usage.jobs), (3, 3, 3));
}

#[test]
fn a_task_may_keep_its_worker_while_it_waits() {
    let asked = [Asked { kept: 100, ..PLAIN }, Asked { at: 1, kept: 100, ..PLAIN }];
    assert_eq!(served("(workers: Some(1))", &asked), [(0, 120), (1, 240)]);
    assert_eq!(served("(workers: Some(2))", &asked), [(0, 120), (1, 121)]);
}

#[test]
fn a_crash_frees_every_worker_of_a_governed_machine() {
    let asked = [Asked { kept: 5, ..PLAIN }, Asked { kept: 5, ..PLAIN }, PLAIN];
    let after = Asked { at: 50, kept: 5, ..PLAIN };
    let asked = [asked[0], asked[1], Asked { kept: 5, ..asked[2] }, after];
    let (heard, usage) = run("(workers: Some(1))", &asked, Some((12, |state| crash(state, HERE))));
    // Those that were there never hear of it from the machine; the next one finds it empty.
    assert_eq!(heard.iter().filter(|one| one.2).map(|one| one.0).collect::<Vec<_>>(), [3]);
    assert_eq!((usage.working, usage.waiting), (0, 0));
}

#[test]
fn tenants_that_want_more_than_their_share_wait_for_each_other() {
    // The first tenant brings five jobs at once, the second one a little later.
    let mut asked = vec![PLAIN; 5];
    asked.push(Asked { at: 1, class: 1, ..PLAIN });
    let spec = "(workers: Some(1), discipline: FairQueueing)";
    let order: Vec<usize> = served(spec, &asked).into_iter().map(|(number, _)| number).collect();
    assert_eq!(order, [0, 1, 5, 2, 3, 4]);
}

#[test]
fn memory_is_free_again_when_a_job_is_done_dropped_or_turned_away() {
    let us = |count: u64| count * 1_000;
    let [second, third] = [Asked { at: us(1), ..PLAIN }, Asked { at: us(12), ..PLAIN }];
    let job = Asked { work: us(10), ..PLAIN };
    let low = Asked { class: 1, ..job };
    let ways: [(&str, [Asked; 3], u64); 7] = [
        ("", [job, Asked { at: us(11), ..job }, Asked { at: us(22), ..job }], 0),
        ("", [job, Asked { at: us(9), ..job }, Asked { at: us(11), ..job }], 1),
        ("queue_max: Some(0),", [job, second, Asked { at: us(2), ..job }], 0),
        ("queue_timeout: Some(\"5us\"),", [job, second, Asked { at: us(7), ..job }], 1),
        (
            "drop_expired: true,",
            [job, Asked { deadline: us(9), at: us(1), ..job }, Asked { work: us(1), ..third }],
            1,
        ),
        (
            "queue_max: Some(1), discipline: Priority(),",
            [low, Asked { at: us(1), ..low }, Asked { at: us(2), ..job }],
            1,
        ),
        (
            "queue_max: Some(1), discipline: ProcessorSharing(),",
            [job, Asked { at: us(1), ..job }, Asked { at: us(2), ..job }],
            1,
        ),
    ];
    for (way, asked, at_once) in ways {
        let killed = |limit: u64| {
            let memory = format!("memory: Some((limit: \"{limit}B\", per_job: \"1B\"))");
            run(&format!("(workers: Some(1), {way} {memory})"), &asked, None).1.killed
        };
        assert_eq!(killed(1), at_once, "{way} two are there at once");
        assert_eq!(killed(2), 0, "{way} three never are");
    }
}

#[test]
fn memory_that_leaves_no_room_for_a_job_is_a_mistake() {
    let problem = |memory: &str| {
        let spec: MachineSpec = ron::from_str(&format!("(memory: Some({memory}))")).expect("read");
        spec.problem()
    };
    assert_eq!(problem("(limit: \"3B\", base: \"2B\", per_job: \"1B\")"), None);
    assert_eq!(problem("(limit: \"3B\", payloads: true)"), None);
    for wrong in [
        "(limit: \"2B\", base: \"2B\", per_job: \"1B\")",
        "(limit: \"0B\", per_job: \"1B\")",
        "(limit: \"3B\", base: \"1B\")",
        "(limit: \"3B\", base: \"4B\", payloads: true)",
    ] {
        assert!(problem(wrong).is_some(), "{wrong}");
    }
}

#[test]
fn a_hint_needs_somebody_who_is_turned_away() {
    let problem = |text: &str| {
        let spec: MachineSpec = ron::from_str(text).expect("it can be read");
        spec.problem()
    };
    let bounded = "(workers: Some(1), queue_max: Some(1), retry_after: Some(";
    assert_eq!(problem(&format!("{bounded}\"1s\"))")), None);
    assert!(
        problem(&format!("{bounded}\"0s\"))")).is_some_and(|flaw| flaw.title.contains("nothing"))
    );
    let open = problem("(workers: Some(1), retry_after: Some(\"1s\"))");
    assert!(open.is_some_and(|flaw| flaw.title.contains("nobody is ever turned away")));
}

#[test]
fn who_would_be_late_is_turned_away_at_once() {
    // In microseconds, for that is how a deadline travels.
    let usual = Asked { work: 10_000, ..PLAIN };
    let late = Asked { at: 20_000, deadline: 45_000, ..usual };
    let asked = [usual, late, late, late, late, Asked { at: 20_000, ..usual }];
    let spec = |rejects| format!("(workers: Some(1), reject_late: {rejects})");
    // The first has shown that a job takes 10: the next two are done at 30 and 40, the third would
    // be at 50, and who has no deadline waits.
    let (heard, usage) = run(&spec(true), &asked, None);
    let heard: Vec<_> = heard.into_iter().map(|one| (one.0, one.1 / 1_000, one.2)).collect();
    let told = [(0, 10, true), (3, 20, false), (4, 20, false)];
    assert_eq!(heard, [&told[..], &[(1, 30, true), (2, 40, true), (5, 50, true)]].concat());
    assert_eq!((usage.shed, usage.refused), (2, 0));
    let (heard, usage) = run(&spec(false), &asked, None);
    assert_eq!(
        (heard.last(), usage.shed),
        (Some(&(5, 70_000, true)), 0),
        "all that is late is done"
    );
}
