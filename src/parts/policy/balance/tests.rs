//! Balancing among instances: who is chosen, and what that comes to in the end.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::hash::{jump, mix};
use super::*;
use crate::engine::{Dist, Factor, Fault, Msg, Name, Ratio, Reply};
use crate::parts::policy::{Backoff, Delay, Hedge, Policy};
use crate::world::{MachineSpec, NetworkSpec, Node, Sim, World, ZoneSpec, add};

const GO: Name = Name::of("go");

/// An instance with one worker.
#[derive(Clone)]
struct Server {
    cost: Dist,
    workers: Option<u32>,
    /// Does it fail, or never answer at all?
    fails: bool,
    is_dead: bool,
    served: Rc<Cell<u64>>,
}

impl Node for Server {
    async fn handle(&self, cx: &Cx, _: Msg) -> Reply {
        if self.is_dead {
            let _ = cx.sleep(Span::DAY).await;
        }
        cx.work(cx.draw(&self.cost)).await?;
        self.served.set(self.served.get() + 1);
        if self.fails { Err(Fault::Failed) } else { Ok(Msg::Done { value: 0 }) }
    }

    fn machine(&self) -> MachineSpec {
        MachineSpec { workers: self.workers, ..MachineSpec::default() }
    }
}

/// What callers have seen: calls ended, their latencies added up in nanoseconds, and the longest.
#[derive(Default)]
struct Seen {
    ended: Cell<u64>,
    total: Cell<u64>,
    failed: Cell<u64>,
}

/// Calls an address so many times, at these gaps.
#[derive(Clone)]
struct Caller {
    address: NodeId,
    policy: Policy,
    gaps: Dist,
    calls: u64,
    seen: Rc<Seen>,
}

impl Node for Caller {
    async fn boot(&self, cx: &Cx) {
        for key in 0..self.calls {
            let _ = cx.sleep(cx.draw(&self.gaps)).await;
            cx.kick(Msg::Do { verb: GO, key, value: 0 });
        }
    }

    async fn handle(&self, cx: &Cx, request: Msg) -> Reply {
        let began = cx.now();
        let reply = self.policy.call(cx, self.address, request).await;
        self.seen.ended.set(self.seen.ended.get() + 1);
        self.seen.total.set(self.seen.total.get() + (cx.now() - began).0);
        self.seen.failed.set(self.seen.failed.get() + u64::from(reply.is_err()));
        reply
    }
}

/// Some instances behind an address, and one caller.
struct System {
    policy: Policy,
    servers: Vec<Server>,
    gaps: Dist,
    calls: u64,
    zones: Vec<Vec<u32>>,
}

fn server(cost: Dist) -> Server {
    Server { cost, workers: Some(1), fails: false, is_dead: false, served: Rc::default() }
}

impl System {
    /// So many instances that answer at once, and a call each 10 ms.
    fn of(balance: Balance, instances: usize, calls: u64) -> System {
        let policy = Policy { balance: Some(Box::new(balance)), ..Policy::default() };
        let servers = (0..instances).map(|_| server(Dist::constant(Span::MILLISECOND)));
        let gaps = Dist::constant(Span::from_millis(10));
        System { policy, servers: servers.collect(), gaps, calls, zones: Vec::new() }
    }

    /// How many calls each instance has served, and what the caller has seen. The address is node
    /// 0, instances are nodes 1, 2, 3 …, the caller is the last.
    fn run(self) -> (Vec<u64>, Rc<Seen>) {
        let zone = |(place, nodes): (usize, &Vec<u32>)| {
            let nodes = nodes.iter().map(|node| NodeId(*node)).collect();
            ZoneSpec { name: format!("zone {place}"), nodes, region: None }
        };
        let zones = self.zones.iter().enumerate().map(zone).collect();
        let network = NetworkSpec { zones, ..NetworkSpec::ideal() };
        let mut sim = Sim::new(7, World::new(7, network));
        let address = add(&mut sim, "address", server(Dist::constant(Span::ZERO)));
        let served: Vec<_> = self.servers.iter().map(|server| server.served.clone()).collect();
        let instances: Vec<NodeId> = (0..)
            .zip(self.servers)
            .map(|(place, server)| add(&mut sim, &format!("instance {place}"), server))
            .collect();
        let seen = Rc::new(Seen::default());
        let (policy, gaps, calls) = (self.policy, self.gaps, self.calls);
        let caller = Caller { address, policy, gaps, calls, seen: seen.clone() };
        let caller = add(&mut sim, "caller", caller);
        sim.with(|state| state.env.set_instances(address, &instances));
        instances.into_iter().chain([caller]).for_each(|node| sim.boot(node));
        sim.run(Time(0) + Span::HOUR * 20, 100_000_000);
        (served.iter().map(|served| served.get()).collect(), seen)
    }
}

fn spread(pick: Pick, instances: usize, calls: u64) -> Vec<u64> {
    System::of(Balance { pick, ..Balance::default() }, instances, calls).run().0
}

#[test]
fn calls_go_round_evenly_or_by_weight() {
    assert_eq!(spread(Pick::RoundRobin, 4, 400), [100; 4]);
    let weights: BTreeMap<NodeId, u32> = [(NodeId(1), 3)].into();
    let pick = Pick::WeightedRoundRobin { weights: weights.clone() };
    assert_eq!(spread(pick, 3, 500), [300, 100, 100], "the others weigh one each");
    for (pick, share) in [(Pick::Random, 1_000), (Pick::WeightedRandom { weights }, 1_800)] {
        let first = spread(pick.clone(), 3, 3_000)[0];
        assert!(first.abs_diff(share) < 120, "{pick:?}: {first}");
    }
}

#[test]
fn without_settings_an_address_is_served_in_turn_and_nobody_behind_it_is_unreachable() {
    let mut system = System::of(Balance::default(), 4, 40);
    system.policy.balance = None;
    assert_eq!(system.run().0, [10; 4]);
    let (_, seen) = System::of(Balance::default(), 0, 3).run();
    assert_eq!(seen.failed.get(), 3);
}

/// Mean time from call to answer, in units of the mean work, of so many queues with Poisson
/// arrivals and exponential work.
fn sojourn(servers: u64, load: f64, policy: Policy, calls: u64) -> f64 {
    let work = Span::SECOND;
    let gap = Span::from_seconds_f64(1.0 / (load * servers as f64));
    let servers = (0..servers).map(|_| server(Dist::exponential(work))).collect();
    let system = System { policy, servers, gaps: Dist::exponential(gap), calls, zones: Vec::new() };
    let (_, seen) = system.run();
    assert_eq!((seen.ended.get(), seen.failed.get()), (calls, 0));
    seen.total.get() as f64 / 1e9 / calls as f64
}

fn balanced(pick: Pick) -> Policy {
    let is_oracle = matches!(pick, Pick::Least | Pick::Idle | Pick::Choices { .. });
    let knows = if is_oracle { Knowledge::TrueQueue } else { Knowledge::Outstanding };
    let balance = Some(Box::new(Balance { pick, knows, ..Balance::default() }));
    Policy { balance, ..Policy::default() }
}

fn near(measured: f64, expected: f64, tolerance: f64, what: &str) {
    let error = measured / expected - 1.0;
    assert!(error.abs() < tolerance, "{what}: {measured:.4} instead of {expected}");
}

/// Ten servers at load 0.8 (random M/M/1, round robin E10/M/1, the others by Monte Carlo), four
/// servers at 0.8, two at 0.7 (a Markov chain solved numerically), and a hundred at 0.9.
#[test]
fn each_way_to_pick_waits_as_long_as_queueing_theory_says() {
    let choices = |replace| Pick::Choices { d: 2, replace };
    for (pick, servers, load, expected, tolerance) in [
        (Pick::Random, 10, 0.8, 5.0, 0.06),
        (Pick::RoundRobin, 10, 0.8, 2.9223, 0.05),
        (choices(false), 10, 0.8, 2.0755, 0.03),
        (Pick::Idle, 10, 0.8, 1.4832, 0.03),
        (Pick::Least, 10, 0.8, 1.3572, 0.03),
        (Pick::RoundRobin, 4, 0.8, 3.2674, 0.06),
        (Pick::Least, 2, 0.7, 2.1082, 0.05),
        (choices(true), 100, 0.9, 2.6607, 0.03),
    ] {
        let measured = sojourn(servers, load, balanced(pick.clone()), 100_000);
        near(measured, expected, tolerance, &format!("{servers} servers, {pick:?}"));
    }
}

/// Gardner et al. 2017: copies to two of ten, the loser taken back, wherever it is.
#[test]
fn of_two_copies_sent_at_once_the_loser_leaves_the_queue_or_its_worker() {
    let hedge =
        Hedge { after: Delay::Fixed(Span::ZERO), max: 1, budget: None, cancel: true, tied: false };
    let policy = Policy { hedge: Some(Box::new(hedge)), ..balanced(Pick::Random) };
    near(sojourn(10, 0.7, policy, 60_000), 1.1016, 0.03, "redundancy 2");
}

#[test]
fn of_two_tied_requests_one_is_worked_on() {
    let hedge =
        |tied| Hedge { after: Delay::Fixed(Span::ZERO), max: 1, budget: None, cancel: true, tied };
    // Both instances have a worker, and the first two calls occupy them for a while.
    let served = |tied| {
        let policy = Policy { hedge: Some(Box::new(hedge(tied))), ..balanced(Pick::RoundRobin) };
        let servers = (0..2).map(|_| server(Dist::constant(Span::from_millis(15)))).collect();
        let gaps = Dist::constant(Span::from_millis(10));
        let (served, seen) = System { policy, servers, gaps, calls: 100, zones: vec![] }.run();
        (served.iter().sum::<u64>(), seen.total.get() / seen.ended.get())
    };
    let ((tied, tied_time), (_, hedged_time)) = (served(true), served(false));
    assert!((100..110).contains(&tied), "hardly any work is done twice: {tied}");
    assert!(tied_time < hedged_time, "{tied_time} against {hedged_time}");
}

#[test]
fn a_retry_goes_to_another_instance_if_it_is_asked_to() {
    let calls = 20_000;
    let seen = |avoid| {
        let mut system =
            System::of(Balance { pick: Pick::Random, avoid, ..Balance::default() }, 10, calls);
        system.servers[..2].iter_mut().for_each(|server| server.is_dead = true);
        let (max, base) = (Span::ZERO, Span::ZERO);
        system.policy.backoff = Backoff { base, max, ..Backoff::default() };
        (system.policy.timeout, system.policy.retries) = (Some(Span::SECOND), 2);
        system.gaps = Dist::constant(Span::from_millis(10));
        let (_, seen) = system.run();
        (seen.failed.get(), seen.total.get() as f64 / 1e9 / calls as f64 - 0.001)
    };
    // Of ten instances two are dead: 0.2 + 0.2 x 1/9 seconds are lost on average.
    let (failed, lost) = seen(Avoid::Tried);
    assert_eq!(failed, 0, "the third is alive");
    near(lost, 0.2222, 0.06, "seconds lost");
    let (failed, lost) = seen(Avoid::Nothing);
    near(failed as f64 / calls as f64, 0.008, 0.35, "all three dead");
    near(lost, 0.248, 0.06, "seconds lost");
}

#[test]
fn keys_are_spread_over_instances_of_which_none_takes_more_than_its_bounded_share() {
    for pick in [Pick::Ring { points: 50, load: None }, Pick::Rendezvous { load: None }] {
        let served = spread(pick, 4, 4_000);
        assert!(served.iter().all(|calls| (500..1_700).contains(calls)), "by key: {served:?}");
    }
    let members: Vec<Member> = (0..4).map(member).collect();
    let factor = Factor::from_thousandths(1_250).unwrap();
    let mut members = members;
    for _ in 0..100 {
        let ranked = [2, 0, 3, 1].into_iter();
        let place =
            super::pick::within_load(&members, &[0, 1, 2, 3], Some(factor), ranked).unwrap();
        members[place as usize].outstanding += 1;
    }
    let loads: Vec<u32> = members.iter().map(|member| member.outstanding).collect();
    assert_eq!((loads[2], loads.iter().sum::<u32>()), (32, 100), "ceil(1.25 x 100 / 4): {loads:?}");
    assert!(loads.iter().all(|load| *load <= 32));
}

fn member(place: u32) -> Member {
    Member {
        node: NodeId(place),
        hash: mix(u64::from(place) + 99),
        zone: None,
        outstanding: 0,
        credit: 0,
        cost: 0.0,
        cost_at: Time(0),
        health: outliers::Health::default(),
    }
}

/// Lamping and Veach 2014, table 1: with 100 points for each of 1,000 instances the standard error
/// of their shares is 0.0997.
#[test]
fn points_on_a_ring_share_it_as_evenly_as_they_are_many() {
    let members: Vec<Member> = (0..1_000).map(member).collect();
    for (points, expected) in [(1, 0.999), (10, 0.316), (100, 0.0999)] {
        let ring = hash::ring(&members, points);
        let mut shares = vec![0.0; members.len()];
        let mut last = ring[ring.len() - 1].0;
        for (point, place) in &ring {
            shares[*place as usize] +=
                point.wrapping_sub(last) as f64 / 18_446_744_073_709_551_616.0 * 1_000.0;
            last = *point;
        }
        let squares = shares.iter().map(|share| (share - 1.0) * (share - 1.0)).sum::<f64>();
        near(libm::sqrt(squares / 1_000.0), expected, 0.12, &format!("{points} points"));
    }
}

#[test]
fn few_keys_move_when_an_instance_comes() {
    let moved = |from, to| {
        let all = 100_000;
        let moves = (0..all).filter(|key| jump(mix(*key), from) != jump(mix(*key), to)).count();
        moves as f64 / all as f64
    };
    near(moved(10, 12), 1.0 / 6.0, 0.03, "from 10 to 12");
    near(moved(10, 11), 1.0 / 11.0, 0.04, "from 10 to 11");
}

#[test]
fn shards_of_two_keys_rarely_share_instances() {
    let ids: Vec<u64> = (0..100).map(mix).collect();
    let shard = |size, of: &[u64], key| subset::nearest(of, size, key, |id| *id);
    let pairs = 20_000;
    let disjoint = (0..pairs).filter(|pair| {
        let (one, other) = (shard(5, &ids, pair * 2), shard(5, &ids, pair * 2 + 1));
        one.iter().all(|id| !other.contains(id))
    });
    near(disjoint.count() as f64 / pairs as f64, 0.76959, 0.02, "no instance in common");
    let shards: BTreeSet<Vec<u64>> = (0..2_000).map(|key| shard(2, &ids[..8], key)).collect();
    assert_eq!(shards.len(), 28, "all pairs of eight");
}

#[test]
fn callers_share_out_the_instances_in_rounds() {
    let all: Vec<NodeId> = (0..12).map(NodeId).collect();
    let mut callers = BTreeMap::new();
    for caller in 0..40 {
        for node in subset::rounds(&all, 3, caller) {
            *callers.entry(node).or_insert(0) += 1;
        }
    }
    assert!(all.iter().all(|node| callers[node] == 10), "{callers:?}");
    let of = |by, size| {
        let subset = Some(Subset { size, by });
        let served = System::of(Balance { subset, ..Balance::default() }, 12, 240).run().0;
        served.iter().filter(|served| **served > 0).count()
    };
    assert_eq!((of(SubsetBy::Rounds, 3), of(SubsetBy::Name, 3), of(SubsetBy::Key, 3)), (3, 3, 12));
}

#[test]
fn an_instance_that_fails_is_given_no_calls_for_a_while_and_longer_the_next_time() {
    let served = |outliers: Option<Outliers>| {
        let outliers = outliers.map(Box::new);
        let mut system = System::of(Balance { outliers, ..Balance::default() }, 4, 8_000);
        system.servers[1].fails = true;
        system.run().0[1]
    };
    assert_eq!(served(None), 2_000, "for 80 s");
    let errors = Outliers { errors: Some(5), ..Outliers::default() };
    // It fails five times, is ejected for 30 s, fails five times, and is ejected for 60 s.
    assert_eq!(served(Some(errors.clone())), 10);
    let none = Outliers { share_max: Ratio::ZERO, ..errors };
    assert_eq!(served(Some(none)), 10, "one may always be ejected");
    let rates = SuccessRate { instances_min: 4, calls_min: 100, deviations: 1.5 };
    let rates = Outliers { errors: None, success_rate: Some(rates), ..Outliers::default() };
    let count = served(Some(rates));
    assert!((200..1_000).contains(&count), "{count}: noticed after an interval of 10 s");
}

#[test]
fn calls_stay_in_their_zone_while_it_has_instances_with_room() {
    // The caller is the last node and shares its zone with instances 1 and 2 of four.
    let served = |own: OwnZone, slow: bool| {
        let zone = Some(own);
        let mut system = System::of(Balance { zone, ..Balance::default() }, 4, 400);
        system.zones = vec![vec![1, 2, 5], vec![3, 4]];
        if slow {
            system.servers.iter_mut().for_each(|one| one.cost = Dist::constant(Span::SECOND));
        }
        system.run().0
    };
    let own = OwnZone::default();
    assert_eq!(served(own, false), [200, 200, 0, 0]);
    assert_eq!(served(OwnZone { instances_min: 3, ..own }, false), [100; 4]);
    let spilled = served(OwnZone { outstanding_max: Some(10), ..own }, true);
    assert!(spilled[2] > 50 && spilled[0] >= spilled[2], "{spilled:?}");
}

#[test]
fn a_peak_is_felt_at_once_and_forgotten_with_time() {
    let mut peak = member(0);
    let (decay, at) = (Span::SECOND, |seconds| Time(0) + Span::SECOND * seconds);
    peak.observe(Span(100), decay, at(1));
    peak.observe(Span(1_000), decay, at(2));
    assert_eq!(peak.cost, 1_000.0);
    peak.observe(Span(100), decay, at(3));
    near(peak.cost, 100.0 + 900.0 * libm::exp(-1.0), 1e-9, "after one decay");
    // Of two instances, one of which is ten times as slow, nearly all calls go to the other.
    let mut system = System::of(
        Balance { pick: Pick::PeakEwma { decay: Span::MINUTE }, ..Balance::default() },
        2,
        1_000,
    );
    system.servers[0].cost = Dist::constant(Span::from_millis(100));
    let served = system.run().0;
    assert!(served[0] < 50, "{served:?}");
}

#[test]
fn settings_that_cannot_work_are_explained() {
    let problem = |balance: Balance| balance.problem().expect("it is wrong").title;
    let outliers = Some(Box::new(Outliers { errors: None, ..Outliers::default() }));
    assert!(problem(Balance { outliers, ..Balance::default() }).contains("nothing else ejects"));
    let knows = Knowledge::TrueQueue;
    assert!(problem(Balance { knows, ..Balance::default() }).contains("TrueQueue"));
    let pick = Pick::Choices { d: 0, replace: false };
    assert!(problem(Balance { pick, ..Balance::default() }).contains("at least 1"));
    assert_eq!(Balance::default().problem(), None);
}

#[test]
fn a_ring_has_no_more_points_than_memory_has_room_for() {
    let problem = |points| Pick::Ring { points, load: None }.problem(Knowledge::default());
    assert_eq!((problem(1), problem(10_000)), (None, None));
    assert!(problem(0).is_some() && problem(10_001).is_some());
}
