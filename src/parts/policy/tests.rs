//! Policies as their callers feel them: what is heard, when, and what reaches the target.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::*;
use crate::engine::{Baggage, Counts, Name, Observer, Rate};
use crate::world::{MachineSpec, NetworkSpec, Node, Sim, Want, World, add};

const GO: Name = Name::of("go");
const DONE: Reply = Ok(Msg::Done { value: 0 });
const SECOND: Span = Span::SECOND;

fn ms(count: u64) -> Span {
    Span::from_millis(count)
}

/// Answers as it was told to, the last answer again and again, after so much work.
#[derive(Clone)]
struct Target {
    answers: Vec<Reply>,
    work: Span,
    machine: MachineSpec,
    asked: Rc<Cell<usize>>,
    /// What was left until the deadline of each request, if it came with one.
    left: Rc<RefCell<Vec<Option<Span>>>>,
}

impl Node for Target {
    async fn handle(&self, cx: &Cx, _: Msg) -> Reply {
        let place = self.asked.get();
        self.asked.set(place + 1);
        let deadline = cx.baggage().deadline;
        self.left.borrow_mut().push((!deadline.is_never()).then(|| deadline - cx.now()));
        if !self.work.is_zero() {
            cx.work(self.work).await?;
        }
        self.answers[place.min(self.answers.len() - 1)].clone()
    }

    fn machine(&self) -> MachineSpec {
        self.machine.clone()
    }
}

/// Makes calls at these instants under a policy, and notes what it hears and when.
#[derive(Clone)]
struct Caller {
    target: NodeId,
    policies: Vec<Policy>,
    at: Vec<Span>,
    heard: Rc<RefCell<Vec<(Span, Reply)>>>,
}

impl Node for Caller {
    async fn boot(&self, cx: &Cx) {
        for (place, at) in self.at.iter().enumerate() {
            let _ = cx.sleep(Time(0) + *at - cx.now()).await;
            cx.kick(Msg::Do { verb: GO, key: place as u64, value: 0 });
        }
    }

    async fn handle(&self, cx: &Cx, request: Msg) -> Reply {
        let policy = &self.policies[request.key() as usize % self.policies.len()];
        let reply = policy.call(cx, self.target, request).await;
        self.heard.borrow_mut().push((cx.now() - Time(0), reply.clone()));
        reply
    }
}

/// How often each fact was noted.
#[derive(Default)]
struct Facts(Vec<Name>);

impl Observer for Facts {
    fn fact(&mut self, fact: &crate::engine::Fact) {
        self.0.push(fact.what);
    }
}

/// What a run of calls has come to.
struct Run {
    heard: Vec<(u64, Reply)>,
    asked: usize,
    left: Vec<Option<Span>>,
    facts: Vec<Name>,
    busy: Span,
}

impl Run {
    fn replies(&self) -> Vec<Reply> {
        self.heard.iter().map(|(_, reply)| reply.clone()).collect()
    }

    fn noted(&self, what: Name) -> usize {
        self.facts.iter().filter(|fact| **fact == what).count()
    }
}

/// A system of one caller and one target.
struct System {
    answers: Vec<Reply>,
    work: Span,
    workers: Option<u32>,
    policies: Vec<Policy>,
    at: Vec<Span>,
}

impl System {
    /// Calls once a second under this policy.
    fn of(policy: Policy, calls: u64, answers: &[Reply]) -> System {
        let at = (1..=calls).map(|second| SECOND * second).collect();
        let (work, answers) = (Span::ZERO, answers.to_vec());
        System { answers, work, workers: None, policies: vec![policy], at }
    }

    /// One call under this policy to a target that works for so long.
    fn slow(policy: Policy, work: Span) -> System {
        System { work, ..System::of(policy, 1, &[DONE]) }
    }

    fn run(self) -> Run {
        let mut sim = Sim::new(1, World::new(1, NetworkSpec::ideal()));
        let facts = Rc::new(RefCell::new(Facts::default()));
        sim.observe(facts.clone());
        let (asked, left, heard) = Default::default();
        let (asked, left): (Rc<Cell<usize>>, Rc<RefCell<Vec<_>>>) = (asked, left);
        let machine = MachineSpec { workers: self.workers, ..MachineSpec::default() };
        let target = Target {
            answers: self.answers,
            work: self.work,
            machine,
            asked: asked.clone(),
            left: left.clone(),
        };
        let target = add(&mut sim, "target", target);
        let heard: Rc<RefCell<Vec<(Span, Reply)>>> = heard;
        let caller = Caller { target, policies: self.policies, at: self.at, heard: heard.clone() };
        let caller = add(&mut sim, "caller", caller);
        sim.boot(target);
        sim.boot(caller);
        sim.run(Time::MAX, 1_000_000);
        let busy = sim.with(|state| Span(state.env.machine_use(target, state.now()).busy));
        let heard = heard.take().into_iter();
        let facts = facts.borrow().0.clone();
        let heard = heard.map(|(at, reply)| (at.0 / 1_000_000, reply)).collect();
        Run { heard, asked: asked.get(), left: left.take(), facts, busy }
    }
}

fn at_once() -> Backoff {
    Backoff { base: Span::ZERO, max: Span::ZERO, ..Backoff::default() }
}

fn steady(wait: Span) -> Backoff {
    let (growth, jitter) = (Growth::Fixed, Jitter::None);
    Backoff { base: wait, max: wait, growth, jitter, ..Backoff::default() }
}

fn retrying(retries: u32, backoff: Backoff) -> Policy {
    Policy { retries, backoff, ..Policy::default() }
}

fn once(retries: u32, answers: &[Reply]) -> (Reply, usize) {
    let run = System::of(retrying(retries, at_once()), 1, answers).run();
    (run.replies().remove(0), run.asked)
}

const BAD: Reply = Err(Fault::Failed);
const OPEN: Reply = Err(Fault::Open);
const LATE: Reply = Err(Fault::Timeout);
const LIMITED: Reply = Err(Fault::Limited);

#[test]
fn what_may_succeed_the_next_time_is_tried_again() {
    assert_eq!(once(3, &[Err(Fault::Overloaded), BAD, DONE]), (DONE, 3));
    assert_eq!(once(1, &[Err(Fault::Overloaded)]), (Err(Fault::Overloaded), 2));
    assert_eq!(once(3, &[Err(Fault::Refused)]), (Err(Fault::Refused), 1));
}

#[test]
fn once_a_try_may_have_taken_effect_no_later_one_makes_the_call_definite() {
    let reset = Err(Fault::Reset);
    // With and without what only some calls need.
    for retry_for in [None, Some(SECOND)] {
        let answered = |retries, answers: &[Reply]| {
            let policy = Policy { retry_for, ..retrying(retries, at_once()) };
            System::of(policy, 1, answers).run().replies().remove(0)
        };
        let last = |fault| answered(1, &[reset.clone(), Err(fault)]);
        assert_eq!(last(Fault::Refused), LATE);
        assert_eq!(last(Fault::Overloaded), LATE);
        assert_eq!(last(Fault::Reset), Err(Fault::Reset), "which is indefinite itself");
        assert_eq!(answered(1, &[reset.clone(), DONE]), DONE);
        let certain = answered(2, &[BAD, Err(Fault::Overloaded), Err(Fault::Refused)]);
        assert_eq!(certain, Err(Fault::Refused), "no try can have taken effect");
    }
}

#[test]
fn only_chosen_failures_are_tried_again_and_only_for_so_long() {
    let retry_on = Some(vec![Failure::Overloaded]);
    let policy = Policy { retry_on, ..retrying(3, at_once()) };
    let run = System::of(policy, 1, &[Err(Fault::Overloaded), BAD, DONE]).run();
    assert_eq!((run.replies(), run.asked), (vec![BAD], 2));
    let policy = Policy { retry_for: Some(ms(250)), ..retrying(9, steady(ms(100))) };
    let run = System::of(policy, 1, &[BAD]).run();
    assert_eq!((run.heard, run.asked), (vec![(1_200, BAD)], 3), "at 0, 100 and 200 ms");
}

fn guarded(failures: u32, open_for: Span, answers: &[Reply], count: u64) -> Run {
    let breaker = Some(Box::new(Breaker::new(failures, open_for)));
    System::of(Policy { breaker, ..Policy::default() }, count, answers).run()
}

#[test]
fn a_breaker_opens_after_failures_in_a_row_and_closes_after_one_success() {
    // Calls come at 1, 2, 3 … s. It opens at 2 s and lets one call through at 5 s.
    let run = guarded(2, SECOND * 3, &[BAD, BAD, DONE], 6);
    assert_eq!(run.replies(), [BAD, BAD, OPEN, OPEN, DONE, DONE]);
    assert_eq!(run.asked, 4, "an open breaker asks nobody");
    assert_eq!((run.noted(facts::OPENED), run.noted(facts::CLOSED)), (1, 1));
}

#[test]
fn a_probe_that_fails_opens_the_breaker_again() {
    let run = guarded(2, SECOND * 2, &[BAD, BAD, BAD, DONE], 7);
    assert_eq!(run.replies(), [BAD, BAD, OPEN, BAD, OPEN, DONE, DONE]);
}

#[test]
fn successes_and_business_refusals_in_between_keep_a_breaker_closed() {
    for healthy in [DONE, Err(Fault::Refused)] {
        let run = guarded(2, SECOND * 3, &[BAD, healthy.clone(), BAD, DONE], 4);
        assert_eq!(run.replies(), [BAD, healthy, BAD, DONE]);
    }
}

#[test]
fn all_calls_of_a_process_to_a_target_share_one_breaker_if_their_settings_are_the_same() {
    let breaker = |failures| Some(Box::new(Breaker::new(failures, SECOND * 9)));
    let policy = |failures| Policy { breaker: breaker(failures), ..Policy::default() };
    let of = |policies| System { policies, ..System::of(Policy::default(), 3, &[BAD]) };
    // The policies take turns.
    assert_eq!(of(vec![policy(2), policy(2)]).run().replies(), [BAD, BAD, OPEN]);
    assert_eq!(of(vec![policy(2), policy(3)]).run().replies(), [BAD, BAD, BAD]);
}

#[test]
fn a_deadline_bounds_a_call_with_its_retries_and_says_whether_anything_was_sent() {
    let deadline = Some(ms(250));
    let policy = Policy { deadline, ..retrying(9, steady(ms(100))) };
    let run = System::of(policy.clone(), 1, &[BAD]).run();
    assert_eq!((run.heard, run.asked), (vec![(1_200, BAD)], 3), "no try begins at 300 ms");
    let run = System::slow(policy.clone(), ms(400)).run();
    assert_eq!(run.heard, [(1_250, LATE)], "it was sent, so it may have happened");
    assert_eq!(run.busy, ms(400), "and it did");
    // A call that waits in a bulkhead until its deadline was never sent.
    let bulkhead = Some(Box::new(Bulkhead { max: 1, wait: SECOND, queue_max: None }));
    let policy = Policy { deadline, bulkhead, ..Policy::default() };
    let at = vec![SECOND, SECOND];
    let run = System { at, ..System::slow(policy, ms(400)) }.run();
    assert_eq!(run.heard[0], (1_250, LATE));
    assert!(matches!(run.heard[1], (1_250, Err(Fault::Limited | Fault::Expired))));
    assert_eq!(run.asked, 1);
}

#[test]
fn a_deadline_goes_along_with_a_call_unless_it_is_cut() {
    let deadline = Some(ms(250));
    for (propagate, left) in [(true, Some(ms(250))), (false, None)] {
        let policy = Policy { deadline, propagate, ..Policy::default() };
        assert_eq!(System::of(policy, 1, &[DONE]).run().left, [left]);
    }
    assert_eq!(System::of(Policy::default(), 1, &[DONE]).run().left, [None]);
}

/// Passes on what it is asked, under a policy.
#[derive(Clone)]
struct Relay(NodeId, Policy);

impl Node for Relay {
    async fn handle(&self, cx: &Cx, request: Msg) -> Reply {
        let _ = cx.sleep(ms(100)).await;
        self.1.call(cx, self.0, request).await
    }
}

/// A caller, a relay and a target; the caller gives up as its policy says.
fn relayed(client: Policy, relay: Policy, work: Span) -> (Vec<(Span, Reply)>, usize, Counts, Span) {
    let mut sim = Sim::new(1, World::new(1, NetworkSpec::ideal()));
    let (asked, left) = (Rc::new(Cell::new(0)), Rc::default());
    let (answers, machine) = (vec![BAD], MachineSpec::default());
    let target = Target { answers, work, machine, asked: asked.clone(), left };
    let target = add(&mut sim, "target", target);
    let relay = add(&mut sim, "relay", Relay(target, relay));
    let heard: Rc<RefCell<Vec<(Span, Reply)>>> = Rc::default();
    let (policies, at) = (vec![client], vec![SECOND]);
    let caller = Caller { target: relay, policies, at, heard: heard.clone() };
    let caller = add(&mut sim, "caller", caller);
    [target, relay, caller].into_iter().for_each(|node| sim.boot(node));
    sim.run(Time::MAX, 1_000_000);
    let busy = sim.with(|state| Span(state.env.machine_use(target, state.now()).busy));
    (heard.take(), asked.get(), sim.with(|state| state.counts), busy)
}

#[test]
fn a_callee_stops_trying_when_the_deadline_that_it_was_given_has_passed() {
    let client = |deadline, propagate| Policy {
        deadline: Some(ms(deadline)),
        propagate,
        ..Policy::default()
    };
    let relay = || retrying(9, steady(ms(100)));
    // The relay calls at 100 ms and then every 100 ms, ten times at most.
    assert_eq!(relayed(client(450, true), relay(), Span::ZERO).1, 4);
    assert_eq!(relayed(client(450, false), relay(), Span::ZERO).1, 10, "it knows of none");
    assert_eq!(
        relayed(client(90, true), relay(), Span::ZERO).1,
        0,
        "nothing is left to begin with"
    );
}

#[test]
fn giving_up_takes_the_request_back_along_the_whole_way_if_it_was_asked_for() {
    let client = |cancel| Policy { cancel, ..Policy::within(ms(300)) };
    let (heard, _, counts, busy) = relayed(client(None), Policy::default(), SECOND);
    assert_eq!((heard[0].0, counts.cancellations, busy), (ms(1_300), 0, SECOND), "done in vain");
    let (heard, _, counts, busy) = relayed(client(Some(true)), Policy::default(), SECOND);
    assert_eq!((heard[0].0, counts.withdrawn, busy), (ms(1_300), 2, ms(200)), "both stop");
    assert_eq!((counts.cancellations, counts.replies, counts.orphans), (2, 0, 0));
    let relay = Policy { cancel: Some(false), ..Policy::default() };
    let (_, _, counts, busy) = relayed(client(Some(true)), relay, SECOND);
    assert_eq!((counts.withdrawn, busy), (1, SECOND), "the relay does not pass it on");
}

#[test]
fn a_budget_stops_retries_and_is_filled_again_by_calls() {
    let deposit = Ratio::new(1, 2).unwrap();
    let by = Funding::Share { deposit, min: None, capacity: 1 };
    let budget = Some(Box::new(RetryBudget { by }));
    let run = System::of(Policy { budget, ..retrying(5, at_once()) }, 4, &[BAD]).run();
    // One retry is saved up; then two calls pay for one.
    assert_eq!(run.asked, 4 + 2);
    assert_eq!(run.noted(facts::UNFUNDED), 4);
}

fn bulkhead(max: u32, wait: u64, queue_max: Option<u32>) -> Policy {
    let bulkhead = Some(Box::new(Bulkhead { max, wait: ms(wait), queue_max }));
    Policy { bulkhead, ..Policy::default() }
}

/// Calls at 1,000, 1,010, 1,020 … ms that take 100 ms each.
fn crowd(policy: Policy, calls: u64) -> Vec<(u64, Reply)> {
    let at = (0..calls).map(|call| ms(1_000 + 10 * call)).collect();
    let run = System { at, ..System::slow(policy, ms(100)) }.run();
    let turned_away = run.heard.iter().filter(|(_, reply)| *reply == LIMITED).count();
    assert_eq!(run.noted(facts::CROWDED) + run.noted(facts::LIMITED), turned_away);
    run.heard
}

#[test]
fn a_bulkhead_lets_so_many_in_and_turns_others_away_or_lets_them_wait_in_order() {
    let heard = crowd(bulkhead(2, 0, None), 3);
    assert_eq!(heard, [(1_020, LIMITED), (1_100, DONE), (1_110, DONE)]);
    let heard = crowd(bulkhead(1, 500, None), 3);
    assert_eq!(heard, [(1_100, DONE), (1_200, DONE), (1_300, DONE)]);
    let heard = crowd(bulkhead(1, 150, None), 3);
    assert_eq!(heard, [(1_100, DONE), (1_170, LIMITED), (1_200, DONE)], "from 1,020 on");
    let heard = crowd(bulkhead(1, 500, Some(1)), 3);
    assert_eq!(heard, [(1_020, LIMITED), (1_100, DONE), (1_200, DONE)]);
}

#[test]
fn a_rate_limit_turns_calls_away_or_lets_them_wait_for_their_turn() {
    let limited = |wait| {
        let rate = Rate::new(10, SECOND).unwrap();
        let by = Limiter::TokenBucket { rate, burst: 1 };
        let rate_limit = Some(Box::new(RateLimit { by, wait: ms(wait) }));
        crowd(Policy { rate_limit, ..Policy::default() }, 3)
    };
    assert_eq!(limited(0), [(1_010, LIMITED), (1_020, LIMITED), (1_100, DONE)]);
    // Turns are at 1,000, 1,100 and 1,200 ms, and the last would wait for 180 ms.
    assert_eq!(limited(100), [(1_020, LIMITED), (1_100, DONE), (1_200, DONE)]);
    assert_eq!(limited(200), [(1_100, DONE), (1_200, DONE), (1_300, DONE)]);
}

#[test]
fn a_fallback_answers_for_failures_and_not_for_refusals() {
    let with = |to, answers: &[Reply]| {
        let fallback = Some(Box::new(Fallback { to }));
        System::of(Policy { fallback, ..Policy::default() }, answers.len() as u64, answers).run()
    };
    let value = |value| Ok(Msg::Done { value });
    let run = with(Resort::Value(7), &[BAD, Err(Fault::Refused), DONE]);
    assert_eq!(run.replies(), [value(7), Err(Fault::Refused), DONE]);
    assert_eq!(run.noted(facts::FELL_BACK), 1);
    let cached = |seconds, per_key| {
        let to = Resort::Cached { max_age: SECOND * seconds, per_key, answers_max: 10 };
        with(to, &[BAD, value(3), BAD, BAD, BAD]).replies()
    };
    assert_eq!(cached(2, false), [BAD, value(3), value(3), value(3), BAD], "too old at last");
    assert_eq!(cached(2, true)[2], BAD, "every call is about another object");
}

#[test]
fn another_target_answers_when_the_first_does_not() {
    // The relay itself stands in for a target that fails.
    let fallback =
        |to| Some(Box::new(Fallback { to: Resort::Other { to, operation: None, timeout: None } }));
    let policy = Policy { fallback: fallback(NodeId(0)), ..Policy::default() };
    let ask = Ask::of(["to", "operation"], NodeId(4), Want::Locks);
    let asked: Vec<NodeId> = policy.asks("policy", ask).map(|ask| ask.to).collect();
    assert_eq!(asked, [NodeId(4), NodeId(0)]);
    let run = System::of(policy, 1, &[BAD, DONE]).run();
    assert_eq!((run.replies(), run.asked), (vec![DONE], 2));
}

#[test]
fn what_few_calls_need_does_not_make_the_others_larger() {
    let mut sim = Sim::new(1, World::new(1, NetworkSpec::ideal()));
    #[derive(Clone)]
    struct Measure;
    impl Node for Measure {
        async fn boot(&self, cx: &Cx) {
            let policy = Policy::default();
            let call = policy.call(cx, NodeId(0), Msg::Done { value: 0 });
            // Of these the plain tries take 176, as they did before there was anything else.
            assert!(size_of_val(&call) <= 264, "{}", size_of_val(&call));
            cx.set_baggage(Baggage::NONE);
        }

        async fn handle(&self, _: &Cx, _: Msg) -> Reply {
            DONE
        }
    }
    let node = add(&mut sim, "measure", Measure);
    sim.boot(node);
}

#[test]
fn a_hint_is_kept_by_who_tries_again_when_overloaded() {
    let problem = |text: &str| {
        let policy: Policy = ron::from_str(text).expect("it can be read");
        policy.problem().or_else(|| policy.idle().into_iter().next())
    };
    assert_eq!(problem("(retries: 1, retry_after: true)"), None);
    let never = problem("(retry_after: true)");
    assert!(never.is_some_and(|flaw| flaw.title.contains("without `retries`")));
    let deaf = problem("(retries: 1, retry_on: Some([Timeout]), retry_after: true)");
    assert!(deaf.is_some_and(|flaw| flaw.title.contains("`retry_on` leaves out")));
}
