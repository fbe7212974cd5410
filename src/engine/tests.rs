//! The engine alone, in surroundings that do nothing but carry messages.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;

use super::*;

/// Every message takes as long; a node that is down answers for itself, or not at all.
struct Wire {
    latency: Span,
    knock: Verdict,
    /// What becomes of packets of this stage, and of those that reach a wary node.
    verdict: Option<(u8, Verdict)>,
}

impl Environment for Wire {
    fn route(&mut self, packet: &Packet, _: Time) -> Verdict {
        match self.verdict {
            Some((stage, verdict)) if stage == packet.stage => verdict,
            _ => Verdict::Deliver(self.latency),
        }
    }

    fn inspect(&mut self, packet: &Packet, _: Time) -> Option<Verdict> {
        self.verdict.filter(|(stage, _)| *stage == packet.stage).map(|(_, verdict)| verdict)
    }

    fn knock(&mut self, _: &Packet, _: Time) -> Verdict {
        self.knock
    }

    fn alarm(_: &mut State<Wire>, _: u32, _: u64) -> Due {
        Due::Nothing
    }

    fn control(_: &mut Sim<Wire>, _: u32) {}
}

type Log = Rc<RefCell<Vec<(u64, String)>>>;
type Script = for<'a> fn(&'a Actor, &'a Cx<Wire>) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

/// A node that runs a script when it starts, and serves every request in `value` nanoseconds.
#[derive(Clone)]
struct Actor {
    script: Script,
    log: Log,
}

impl Actor {
    fn log(&self, cx: &Cx<Wire>, what: &impl std::fmt::Debug) {
        self.log.borrow_mut().push((cx.now().0, format!("{what:?}")));
    }

    async fn handle(&self, cx: &Cx<Wire>, request: Msg) -> Reply {
        match request {
            Msg::Do { verb: SPIN, .. } => cx.kick(request.clone()),
            Msg::Do { verb: SHOW, key, .. } => self.log(cx, &key),
            Msg::Do { verb: PASS, value: 0, key } => {
                cx.send(cx.me(), Msg::Do { verb: PASS, key, value: 1 });
            }
            Msg::Do { verb: PASS, .. } => self.log(cx, &cx.baggage()),
            Msg::Do { value, .. } if value > 0 => {
                let _ = cx.sleep(Span(value)).await;
            }
            _ => {}
        }
        Ok(Msg::Done { value: request.key() })
    }
}

const ASK: Name = Name::of("ask");
/// Goes on with itself at the same instant, for ever.
const SPIN: Name = Name::of("spin");
/// Writes its key to the log.
const SHOW: Name = Name::of("show");
/// Passes itself on once, then writes what came along to the log.
const PASS: Name = Name::of("pass");
const SERVER: NodeId = NodeId(0);
const CLIENT: NodeId = NodeId(1);

fn ask(key: u64, value: u64) -> Msg {
    Msg::Do { verb: ASK, key, value }
}

fn show(key: u64) -> Msg {
    Msg::Do { verb: SHOW, key, value: 0 }
}

fn add(sim: &mut Sim<Wire>, name: &str, script: Script, log: &Log) -> NodeId {
    let actor = Actor { script, log: log.clone() };
    let node = sim.add(name, actor, || {
        pool(
            |actor: Rc<Actor>, cx: Cx<Wire>| {
                Box::pin(async move { (actor.script)(&actor, &cx).await })
            },
            |desk: Rc<Desk<Actor>>, cx: Cx<Wire>| async move {
                loop {
                    let (actor, request) = (desk.next().await, desk.open(&cx));
                    let reply = actor.handle(&cx, request).await;
                    cx.reply(reply);
                }
            },
        )
    });
    sim.boot(node);
    node
}

fn idle<'a>(_: &'a Actor, _: &'a Cx<Wire>) -> Pin<Box<dyn Future<Output = ()> + 'a>> {
    Box::pin(async {})
}

/// A server that does nothing by itself, and a client with this script, ten nanoseconds apart.
fn pair(seed: u64, script: Script) -> (Sim<Wire>, Log) {
    let knock = Verdict::Refuse(Fault::Unreachable, Span(10));
    let wire = Wire { latency: Span(10), knock, verdict: None };
    let (mut sim, log) = (Sim::new(seed, wire), Log::default());
    add(&mut sim, "server", idle, &log);
    add(&mut sim, "client", script, &log);
    (sim, log)
}

fn finish(sim: &mut Sim<Wire>) {
    assert_eq!(sim.run(Time::MAX, u64::MAX), Halt::Done);
}

fn expect(log: &Log, expected: &[(u64, &str)]) {
    let log = log.borrow();
    let got: Vec<(u64, &str)> = log.iter().map(|(at, what)| (*at, what.as_str())).collect();
    assert_eq!(got, expected);
}

#[test]
fn a_reply_wakes_its_caller_and_carries_what_was_said() {
    let (mut sim, log) =
        pair(1, |me, cx| Box::pin(async { me.log(cx, &cx.call(SERVER, ask(7, 100)).await) }));
    finish(&mut sim);
    expect(&log, &[(120, "Ok(Done { value: 7 })")]);
    let counts = sim.with(|state| state.counts);
    assert_eq!((counts.events, counts.requests, counts.replies, counts.orphans), (3, 1, 1, 0));
    assert_eq!(sim.with(|state| (state.pending(), state.under_way())), (0, 0));
}

#[test]
fn a_deadline_fires_once_and_the_late_reply_is_an_orphan() {
    let (mut sim, log) = pair(1, |me, cx| {
        Box::pin(async {
            me.log(cx, &cx.call(SERVER, ask(7, 100)).within(Span(50)).await);
            me.log(cx, &cx.call(SERVER, ask(8, 0)).within(Span(50)).await);
        })
    });
    finish(&mut sim);
    expect(&log, &[(50, "Err(Timeout)"), (70, "Ok(Done { value: 8 })")]);
    assert_eq!(sim.with(|state| state.counts.orphans), 1);
}

#[test]
fn all_wait_for_the_last_a_quorum_for_enough_and_a_race_for_the_first() {
    let (mut sim, log) = pair(1, |me, cx| {
        Box::pin(async {
            let calls = |times: [u64; 3]| times.map(|time| cx.call(SERVER, ask(time, time)));
            me.log(cx, &all(cx, calls([30, 10, 20])).await.len());
            me.log(cx, &quorum(2, calls([30, 10, 20])).await);
            me.log(cx, &quorum(3, calls([30, 10, 20]).map(|call| call.within(Span(35)))).await);
            let race = race(cx.call(SERVER, ask(1, 30)), cx.sleep(Span(49))).await;
            me.log(cx, &matches!(race, Either::Right(_)));
        })
    });
    finish(&mut sim);
    // The third part misses its deadline of 35; the quorum of two forgets its slowest reply.
    expect(&log, &[(50, "3"), (90, "Ok(())"), (125, "Err(Timeout)"), (174, "true")]);
    assert_eq!(sim.with(|state| state.under_way()), 0);
}

/// A future that counts how often it is polled.
fn counted<F: Future>(polls: &Cell<u32>, future: F) -> impl Future<Output = F::Output> {
    let mut future = Box::pin(future);
    std::future::poll_fn(move |context| {
        polls.set(polls.get() + 1);
        future.as_mut().poll(context)
    })
}

#[test]
fn of_parts_that_wait_together_only_those_are_polled_for_which_something_comes() {
    let (mut sim, log) = pair(1, |me, cx| {
        Box::pin(async move {
            let polls = Cell::new(0);
            // Two waits each, the second one made while the part is polled.
            let twice = |time: u64| async move {
                let _ = cx.call(SERVER, ask(time, time)).await;
                let _ = cx.call(SERVER, ask(time, 1)).await;
                time
            };
            let parts = (0..100).map(|time| counted(&polls, twice(time)));
            let times = all(cx, parts).await;
            // Once to begin, and once for each answer.
            me.log(cx, &(times.iter().sum::<u64>(), polls.get()));
            // Within a part others may wait together in turn.
            let nested = |time: u64| async move { all(cx, [twice(time), twice(time + 1)]).await };
            let sums = all(cx, [nested(10), nested(3), nested(20)]).await;
            me.log(cx, &sums.concat());
        })
    });
    finish(&mut sim);
    expect(&log, &[(140, "(4950, 300)"), (202, "[10, 11, 3, 4, 20, 21]")]);
    assert_eq!(sim.with(|state| state.under_way()), 0);
}

#[test]
fn a_crash_drops_tasks_and_resets_their_callers() {
    let (mut sim, log) = pair(1, |me, cx| {
        Box::pin(async {
            me.log(cx, &cx.call(SERVER, ask(7, 100)).await);
            me.log(cx, &cx.call(SERVER, ask(8, 0)).await);
        })
    });
    assert_eq!(sim.run(Time(50), u64::MAX), Halt::Done);
    sim.crash(SERVER);
    assert_eq!(sim.run(Time(65), u64::MAX), Halt::Done);
    sim.boot(SERVER);
    finish(&mut sim);
    expect(&log, &[(60, "Err(Reset)"), (80, "Ok(Done { value: 8 })")]);
}

#[test]
fn the_slots_of_a_crashed_node_serve_again() {
    let (mut sim, log) = pair(1, |me, cx| {
        Box::pin(async {
            for round in 0..3 {
                let calls = [1, 2, 3].map(|key| cx.call(SERVER, ask(key, 100)));
                me.log(cx, &(round, all(cx, calls).await.iter().filter(|r| r.is_ok()).count()));
            }
        })
    });
    assert_eq!(sim.run(Time(50), u64::MAX), Halt::Done);
    sim.crash(SERVER);
    sim.boot(SERVER);
    finish(&mut sim);
    expect(&log, &[(60, "(0, 0)"), (180, "(1, 3)"), (300, "(2, 3)")]);
}

#[test]
fn a_pause_defers_messages_and_timers_in_their_order() {
    let (mut sim, log) = pair(1, |me, cx| {
        Box::pin(async {
            cx.post(CLIENT, show(1), Span(10));
            cx.post(CLIENT, show(2), Span(30));
            let _ = cx.sleep(Span(20)).await;
            me.log(cx, &"timer");
        })
    });
    assert_eq!(sim.run(Time(5), u64::MAX), Halt::Done);
    sim.pause(CLIENT);
    assert_eq!(sim.run(Time(100), u64::MAX), Halt::Done);
    expect(&log, &[]);
    sim.resume(CLIENT);
    finish(&mut sim);
    expect(&log, &[(100, "1"), (100, "\"timer\""), (100, "2")]);
}

#[test]
fn a_crash_forgets_what_a_pause_has_deferred() {
    let (mut sim, log) = pair(1, |_, cx| {
        Box::pin(async {
            cx.post(CLIENT, show(1), Span(10));
            let _ = cx.sleep(Span(20)).await;
        })
    });
    sim.pause(CLIENT);
    assert_eq!(sim.run(Time(50), u64::MAX), Halt::Done);
    sim.crash(CLIENT);
    finish(&mut sim);
    expect(&log, &[]);
    assert_eq!(sim.with(|state| (state.counts.lost, state.under_way())), (1, 0));
}

#[test]
fn a_node_that_is_down_is_refused_or_silent() {
    let script: Script =
        |me, cx| Box::pin(async { me.log(cx, &cx.call(SERVER, ask(7, 0)).within(Span(99)).await) });
    for (knock, expected) in [
        (Verdict::Refuse(Fault::Unreachable, Span(5)), (15, "Err(Unreachable)")),
        (Verdict::Drop("node down"), (99, "Err(Timeout)")),
    ] {
        let (mut sim, log) = pair(1, script);
        sim.with(|state| state.env.knock = knock);
        sim.crash(SERVER);
        finish(&mut sim);
        expect(&log, &[expected]);
        assert_eq!(sim.with(|state| state.counts.lost), 1);
    }
}

#[test]
fn a_run_whose_time_stands_still_names_the_culprit() {
    let (mut sim, _) = pair(1, |_, cx| {
        Box::pin(async { cx.post(CLIENT, Msg::Do { verb: SPIN, key: 0, value: 0 }, Span(30)) })
    });
    assert_eq!(sim.run(Time(1_000), u64::MAX), Halt::Stuck(Time(30), vec![CLIENT]));
    assert!(sim.with(|state| state.counts.events) > Sim::<Wire>::STEPS_MAX);
}

#[test]
fn a_run_stops_at_its_limit_of_events_and_goes_on_from_there() {
    let (mut sim, log) = pair(1, |me, cx| {
        Box::pin(async {
            for tick in 0..5 {
                let _ = cx.sleep(Span(10)).await;
                me.log(cx, &tick);
            }
        })
    });
    assert_eq!(sim.run(Time::MAX, 2), Halt::Events);
    expect(&log, &[(10, "0"), (20, "1")]);
    assert_eq!(sim.run(Time(35), u64::MAX), Halt::Done);
    assert_eq!((log.borrow().len(), sim.with(|state| state.now())), (3, Time(35)));
}

#[test]
fn a_posted_message_takes_exactly_its_delay() {
    let (mut sim, log) = pair(1, |_, cx| {
        Box::pin(async {
            cx.post(SERVER, show(1), Span(3));
            cx.post(SERVER, show(2), Span::ZERO);
            cx.send(SERVER, show(3));
        })
    });
    finish(&mut sim);
    expect(&log, &[(0, "2"), (3, "1"), (10, "3")]);
}

/// Sleeps for random spans and logs the last one.
fn wander<'a>(me: &'a Actor, cx: &'a Cx<Wire>) -> Pin<Box<dyn Future<Output = ()> + 'a>> {
    Box::pin(async {
        for _ in 0..100 {
            let span = cx.draw(&Dist::exponential(Span(1_000)));
            let _ = cx.sleep(span).await;
        }
        me.log(cx, &cx.now());
    })
}

#[test]
fn two_runs_give_the_same_digest_and_another_seed_another() {
    let digest = |seed| {
        let (mut sim, _) = pair(seed, wander);
        finish(&mut sim);
        sim.digest()
    };
    assert_eq!(digest(1), digest(1));
    assert_ne!(digest(1), digest(2));
}

#[test]
fn adding_a_node_changes_no_other_nodes_draws() {
    let (mut alone, alone_log) = pair(1, wander);
    finish(&mut alone);
    let (mut crowd, crowd_log) = pair(1, wander);
    add(&mut crowd, "another", wander, &Log::default());
    finish(&mut crowd);
    assert_eq!(alone_log, crowd_log);
    assert_eq!(alone_log.borrow().len(), 1);
    assert_ne!(alone.digest(), crowd.digest());
}

/// Sends a request with baggage through a relay.
fn laden<'a>(_: &'a Actor, cx: &'a Cx<Wire>) -> Pin<Box<dyn Future<Output = ()> + 'a>> {
    Box::pin(async move {
        let class = Class(3);
        cx.set_baggage(Baggage { deadline: cx.now() + Span(5_999), payload: 64, class });
        cx.send(SERVER, Msg::Do { verb: PASS, key: 1, value: 0 });
        cx.set_baggage(Baggage::NONE);
        cx.send(SERVER, Msg::Do { verb: PASS, key: 2, value: 0 });
    })
}

#[test]
fn baggage_goes_along_with_every_call_and_a_deadline_never_grows() {
    let (mut sim, log) = pair(1, laden);
    finish(&mut sim);
    // It was sent at 0 with 5,999 ns left, of which 5 us travel, and passed on at 10 with 4,990.
    let first = Baggage { deadline: Time(4_010), payload: 64, class: Class(3) };
    let expected: Vec<(u64, String)> =
        [first, Baggage::NONE].iter().map(|baggage| (20, format!("{baggage:?}"))).collect();
    assert_eq!(*log.borrow(), expected);
    let header = u64::from(Msg::HEADER);
    assert_eq!(sim.with(|state| state.counts.bytes), 4 * header + 2 * 64, "both hops carry it");
}

#[test]
fn a_call_that_is_given_up_is_taken_back_and_nobody_answers_it() {
    let (mut sim, log) = pair(1, |me, cx| {
        Box::pin(async {
            let call = cx.call_cancellable(SERVER, ask(7, 100)).within(Span(50));
            me.log(cx, &call.await);
            drop(cx.call_cancellable(SERVER, ask(8, 100)));
            me.log(cx, &cx.call_cancellable(SERVER, ask(9, 5)).until(Time(90)).await);
        })
    });
    finish(&mut sim);
    expect(&log, &[(50, "Err(Timeout)"), (75, "Ok(Done { value: 9 })")]);
    let counts = sim.with(|state| state.counts);
    assert_eq!((counts.cancellations, counts.withdrawn), (2, 2), "the third was answered");
    assert_eq!((counts.requests, counts.replies, counts.orphans), (5, 1, 0));
    assert_eq!(sim.with(|state| state.pending()), 0);
    assert!(sim.with(|state| state.withdrawals.is_idle()));
}

#[test]
fn a_cancellation_that_comes_after_the_answer_finds_nobody() {
    let (mut sim, log) = pair(1, |me, cx| {
        Box::pin(async {
            // Answered at 20; the answer is on its way when the caller gives up at 25.
            let call = cx.call_cancellable(SERVER, ask(7, 10)).until(Time(25));
            me.log(cx, &call.await);
        })
    });
    finish(&mut sim);
    expect(&log, &[(25, "Err(Timeout)")]);
    let counts = sim.with(|state| state.counts);
    assert_eq!((counts.cancellations, counts.withdrawn, counts.orphans), (1, 0, 1));
}

#[test]
fn a_paused_node_hears_of_a_cancellation_when_it_resumes() {
    let (mut sim, _) = pair(1, |_, cx| {
        Box::pin(async {
            let _ = cx.call_cancellable(SERVER, ask(7, 1_000)).within(Span(50)).await;
        })
    });
    sim.run(Time(20), u64::MAX);
    sim.pause(SERVER);
    sim.run(Time(200), u64::MAX);
    assert_eq!(sim.with(|state| state.counts.withdrawn), 0);
    sim.resume(SERVER);
    sim.run(Time(200), u64::MAX);
    assert_eq!(sim.with(|state| state.counts.withdrawn), 1);
}

#[test]
fn what_a_process_keeps_is_gone_with_it() {
    let (mut sim, log) = pair(1, |me, cx| {
        Box::pin(async {
            let kept = cx.local::<std::cell::Cell<u32>>();
            kept.set(kept.get() + 1);
            me.log(cx, &cx.local::<std::cell::Cell<u32>>().get());
        })
    });
    sim.crash(CLIENT);
    sim.boot(CLIENT);
    finish(&mut sim);
    expect(&log, &[(0, "1"), (0, "1")]);
}

/// The client asks at 0 ns, the server would work for 50 ns.
fn one_call() -> (Sim<Wire>, Log) {
    pair(1, |actor, cx| Box::pin(async move { actor.log(cx, &cx.call(SERVER, ask(7, 50)).await) }))
}

#[test]
fn a_packet_that_waits_is_routed_again_at_its_next_stage() {
    let (mut sim, log) = one_call();
    sim.with(|state| state.env.verdict = Some((0, Verdict::Wait(Span(5), 3))));
    finish(&mut sim);
    // Each way waits 5 ns before its 10 ns; the first left before that was so.
    expect(&log, &[(75, "Ok(Done { value: 7 })")]);
    assert_eq!(sim.with(|state| state.counts.resent), 0, "nothing was sent again");
}

#[test]
fn whoever_calls_over_a_connection_that_breaks_is_told_and_the_work_goes_on() {
    let (mut sim, log) = one_call();
    sim.run(Time(20), u64::MAX);
    sim.with(|state| {
        state.break_calls(|from, to| (from, to) == (SERVER, CLIENT), Span(1), 0);
        state.break_calls(|from, to| (from, to) == (CLIENT, SERVER), Span(3), 0);
    });
    finish(&mut sim);
    expect(&log, &[(23, "Err(Reset)")]);
    assert_eq!(sim.with(|state| state.counts.orphans), 1, "the answer comes to nobody");
}

#[test]
fn a_wary_node_serves_only_what_the_environment_lets_pass() {
    for (verdict, told) in [
        (None, (70, "Ok(Done { value: 7 })")),
        (Some((0, Verdict::Refuse(Fault::Reset, Span(4)))), (14, "Err(Reset)")),
    ] {
        let (mut sim, log) = one_call();
        sim.with(|state| {
            state.set_wary(SERVER);
            state.env.verdict = verdict;
        });
        finish(&mut sim);
        expect(&log, &[told]);
    }
}
