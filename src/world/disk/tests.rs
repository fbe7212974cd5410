//! Drives by themselves and under faults.

use std::cell::RefCell;

use super::troubles::Flaw;
use super::*;
use crate::engine::{
    Change, Dist, Expect, Fact, Fault, Msg, NodeId, Observer, Reply, Rng, Row, Span, Time,
};
use crate::world::fault::{AfterFailure, Injection};
use crate::world::{Budget, Cx, NetworkSpec, Node, Sim, add, facts};

const WHAT: Name = Name::of("entry");
const FROM: Name = Name::of("from");
const TO: Name = Name::of("to");

/// A transfer of 5 from one account to the other.
fn entry(key: u64) -> Entry {
    let row = |table, change| Row { table, key: 0, expect: Expect::Any, change };
    let rows = [row(FROM, Change::Take(5)), row(TO, Change::Give(5))].into();
    Entry { what: WHAT, root: Root::NONE, key, value: 0, rows, payload: 0 }
}

/// What the facts say stands on all disks: the sums of both accounts.
#[derive(Default)]
struct Sums {
    from: i64,
    to: i64,
    withheld: u64,
}

impl Observer for Sums {
    fn fact(&mut self, fact: &Fact) {
        let table = if fact.what == facts::LOST { fact.key as u32 } else { fact.what.value() };
        let account = match Name::from_value(table) {
            FROM => &mut self.from,
            TO => &mut self.to,
            _ if fact.what == facts::WITHHELD => return self.withheld += 1,
            _ => return,
        };
        *account += fact.value as i64;
    }
}

#[derive(Clone)]
struct Idle;

impl Node for Idle {
    async fn handle(&self, _: &Cx, _: Msg) -> Reply {
        Err(Fault::Unknown)
    }
}

/// So many nodes whose logs hold five durable entries each.
fn group(nodes: u32, checksums: bool) -> (Sim, Rc<RefCell<Sums>>) {
    let mut sim = Sim::new(1, World::new(1, NetworkSpec::ideal()));
    let sums = Rc::new(RefCell::new(Sums::default()));
    for place in 0..nodes {
        let node = add(&mut sim, &format!("node-{place}"), Idle);
        sim.with(|state| {
            let drive = &mut state.env.drives[node.index()];
            drive.spec.checksums = checksums;
            (0..5).for_each(|key| drive.append(entry(key)).expect("there is room"));
        });
        settle(&mut sim, node);
    }
    sim.observe(sums.clone());
    (sim, sums)
}

fn drive<T>(sim: &mut Sim, node: NodeId, look: impl FnOnce(&mut Drive) -> T) -> T {
    sim.with(|state| look(&mut state.env.drives[node.index()]))
}

/// Lets a node's drive sync what there is.
fn settle(sim: &mut Sim, node: NodeId) {
    sim.with(|state| start(state, node));
    let until = sim.with(|state| state.now()) + Span::from_millis(1);
    sim.run(until, u64::MAX);
}

fn found(sim: &mut Sim, node: NodeId) -> Vec<Entry> {
    let mut entries = Vec::new();
    drive(sim, node, |drive| drive.read(|entry| entries.push(entry.clone())));
    entries
}

fn keys(sim: &mut Sim, node: NodeId) -> Vec<u64> {
    found(sim, node).iter().map(|entry| entry.key).collect()
}

fn befall(sim: &mut Sim, node: NodeId, what: Injection) {
    let trouble = Trouble { index: 0, what, rng: Rng::new(1, "fault") };
    sim.with(|state| turn(state, node, trouble));
}

const A: NodeId = NodeId(0);
const ALL: crate::engine::Ratio = crate::engine::Ratio::ONE;

#[test]
fn what_the_operating_system_has_survives_the_process_where_it_is_handed_over() {
    for outlives in [false, true] {
        let (mut sim, _) = group(1, true);
        drive(&mut sim, A, |drive| {
            drive.spec.outlives_process = outlives;
            drive.append(entry(9)).expect("there is room");
        });
        sim.with(|state| crash_process(state, A));
        assert_eq!(keys(&mut sim, A).len(), if outlives { 6 } else { 5 });
        // The host goes, too, while the process is down.
        sim.with(|state| lose_cache(state, A));
        assert_eq!(keys(&mut sim, A).len(), 5);
    }
}

#[test]
fn a_crash_leaves_what_is_durable_and_counts_the_rest() {
    let (mut sim, _) = group(1, true);
    drive(&mut sim, A, |drive| drive.append(entry(9)).expect("there is room"));
    sim.with(|state| start(state, A));
    sim.with(|state| crash(state, A));
    assert_eq!(keys(&mut sim, A), [0, 1, 2, 3, 4]);
    drive(&mut sim, A, |drive| {
        assert_eq!((drive.usage.lost, drive.target, drive.waiting.len()), (1, None, 0));
        assert_eq!(drive.alarm, 0, "the sync that was on its way will find nobody");
        assert_eq!(drive.bytes, 5 * entry(0).bytes());
    });
}

#[test]
fn a_lie_is_made_good_by_an_honest_sync_and_found_out_by_a_crash() {
    for is_honest_again in [true, false] {
        let (mut sim, sums) = group(1, true);
        befall(&mut sim, A, Injection::SyncLies { node: A, rate: ALL });
        drive(&mut sim, A, |drive| drive.append(entry(5)).expect("there is room"));
        settle(&mut sim, A);
        assert_eq!(sums.borrow().to, 0, "it would not survive");
        assert_eq!(drive(&mut sim, A, |drive| drive.durable), 6, "yet it is acknowledged");
        sim.with(|state| end(state, A, 0));
        if is_honest_again {
            drive(&mut sim, A, |drive| drive.append(entry(6)).expect("there is room"));
            settle(&mut sim, A);
            assert_eq!(sums.borrow().to, 10);
        }
        sim.with(|state| crash(state, A));
        assert_eq!(keys(&mut sim, A).len(), if is_honest_again { 7 } else { 5 });
    }
}

#[test]
fn rot_is_left_out_with_checksums_and_believed_without() {
    for checksums in [true, false] {
        let (mut sim, sums) = group(1, checksums);
        let mut rng = Rng::new(1, "rot");
        sim.with(|state| rot(state, A, (0, 2), &mut rng));
        let found = drive(&mut sim, A, |drive| drive.scrub().len());
        let (from, to) = (sums.borrow().from, sums.borrow().to);
        sim.with(|state| crash(state, A));
        let read = keys(&mut sim, A).len();
        let detected = drive(&mut sim, A, |drive| drive.usage.detected);
        if checksums {
            assert_eq!((found, read, detected), (2, 3, 2));
            assert_eq!((from, to), (10, -10), "two whole transfers are taken back");
        } else {
            assert_eq!((found, read, detected), (0, 5, 0));
            assert_ne!(from + to, 0, "what is read does not add up");
        }
        assert_eq!(drive(&mut sim, A, |drive| drive.usage.damaged), 2);
    }
}

#[test]
fn a_write_that_goes_astray_takes_another_ones_place() {
    for checksums in [true, false] {
        let (mut sim, sums) = group(1, checksums);
        befall(&mut sim, A, Injection::MisdirectedWrite { node: A, rate: ALL });
        drive(&mut sim, A, |drive| drive.append(entry(5)).expect("there is room"));
        settle(&mut sim, A);
        sim.with(|state| crash(state, A));
        let keys = keys(&mut sim, A);
        assert_eq!(keys.contains(&5), !checksums, "{keys:?}");
        assert_eq!(keys.len(), if checksums { 4 } else { 5 });
        // One is lost, and the other is there where it does not belong, or is not believed.
        assert_eq!(sums.borrow().to, if checksums { -5 } else { 0 });
    }
}

#[test]
fn a_torn_write_leaves_whole_entries_and_one_in_part() {
    let (mut torn, mut parts) = (0, 0);
    for seed in 0..20 {
        for checksums in [true, false] {
            let (mut sim, sums) = group(1, checksums);
            let what = Injection::TornWrite { node: A, rate: ALL };
            let rng = Rng::new(seed, "fault");
            sim.with(|state| turn(state, A, Trouble { index: 0, what, rng }));
            drive(&mut sim, A, |drive| (5..8).for_each(|key| drive.append(entry(key)).unwrap()));
            sim.with(|state| crash(state, A));
            let (from, to) = (sums.borrow().from, sums.borrow().to);
            let read = found(&mut sim, A);
            torn += read.len() - 5;
            parts += usize::from(from + to != 0);
            assert!(read.len() <= 8 && (checksums || read.len() > 5));
            assert!(!checksums || from + to == 0, "what checksums let pass is whole");
            let (first, rest) = read.split_at(5);
            assert!(first.iter().all(|entry| entry.rows.len() == 2));
            let given: i64 =
                rest.iter().map(|entry| 5 * (entry.rows.len() as i64 - 1).max(0)).sum();
            assert_eq!(to, given, "facts say what is read");
        }
    }
    assert!(torn > 40 && parts > 3, "{torn} entries, {parts} halves");
}

#[test]
fn a_wipe_takes_everything_back() {
    let (mut sim, sums) = group(1, true);
    assert!(sim.with(|state| wipe(state, A)));
    assert_eq!((sums.borrow().from, sums.borrow().to), (25, -25));
    assert!(keys(&mut sim, A).is_empty());
    assert_eq!(drive(&mut sim, A, |drive| (drive.bytes, drive.durable)), (0, 0));
}

#[test]
fn a_budget_keeps_as_many_copies_intact_as_it_says() {
    let nodes = [NodeId(0), NodeId(1), NodeId(2)];
    let (mut sim, sums) = group(3, true);
    sim.with(|state| state.env.budgets = vec![Budget { nodes: nodes.to_vec(), keep: 2 }]);
    let mut rng = Rng::new(1, "rot");
    for round in 0..50 {
        sim.with(|state| rot(state, nodes[round % 3], (0, 1), &mut rng));
    }
    let intact = |sim: &mut Sim, place| {
        nodes.iter().filter(|node| drive(sim, **node, |drive| drive.is_intact(place))).count()
    };
    assert_eq!((0..5).map(|place| intact(&mut sim, place)).collect::<Vec<_>>(), [2; 5]);
    assert_eq!(sums.borrow().withheld, 45);
    assert!(!sim.with(|state| wipe(state, A)), "it has copies that are the last but one");
    // Nobody else has a sixth entry yet, so a drive must not lie about it.
    befall(&mut sim, A, Injection::SyncLies { node: A, rate: ALL });
    drive(&mut sim, A, |drive| drive.append(entry(5)).expect("there is room"));
    settle(&mut sim, A);
    assert!(drive(&mut sim, A, |drive| drive.is_intact(5)));
    assert_eq!(sums.borrow().withheld, 46);
    sim.with(|state| state.env.budgets.clear());
    assert!(sim.with(|state| wipe(state, A)), "without a budget everything may be lost");
}

#[test]
fn an_entry_without_rows_is_torn_to_zero_and_what_the_drive_forgot_is_gone_after_a_crash() {
    let (mut sim, _) = group(1, false);
    let plain = Entry { rows: [].into(), value: 7, ..entry(5) };
    drive(&mut sim, A, |drive| {
        drive.append(plain).expect("there is room");
        drive.troubles().flaws.insert(4, Flaw::Forgotten);
    });
    befall(&mut sim, A, Injection::TornWrite { node: A, rate: ALL });
    assert_eq!(keys(&mut sim, A), [0, 1, 2, 3, 4, 5], "the page cache has them");
    sim.with(|state| crash(state, A));
    let read = found(&mut sim, A);
    let known: Vec<(u64, u64)> = read.iter().map(|entry| (entry.key, entry.value)).collect();
    assert_eq!(known, [(0, 0), (1, 0), (2, 0), (3, 0), (5, 0)]);
}

/// Writes three entries at once, each in a task of its own, and notes when each is durable.
#[derive(Clone, Default)]
struct Writer {
    done: Rc<RefCell<Vec<(u64, Time)>>>,
}

impl Node for Writer {
    async fn boot(&self, cx: &Cx) {
        for key in 0..3 {
            cx.kick(Msg::Do { verb: WHAT, key, value: 0 });
        }
    }

    async fn handle(&self, cx: &Cx, request: Msg) -> Reply {
        let Msg::Do { key, .. } = request else { return Err(Fault::Unknown) };
        cx.disk().append_plain(WHAT, key, 0)?;
        cx.disk().sync().await?;
        self.done.borrow_mut().push((key, cx.now()));
        if key == 2 {
            cx.disk().sync().await?;
            assert_eq!(cx.now(), Time(1_000_000), "nothing is left to sync");
        }
        Ok(Msg::Done { value: 0 })
    }
}

#[test]
fn those_who_come_during_a_sync_share_the_next() {
    let mut sim = Sim::new(1, World::new(1, NetworkSpec::ideal()));
    let writer = Writer::default();
    let node = add(&mut sim, "writer", writer.clone());
    sim.boot(node);
    sim.run(Time(Span::SECOND.0), u64::MAX);
    let (one, two) = (Time(500_000), Time(1_000_000));
    assert_eq!(*writer.done.borrow(), [(0, one), (1, two), (2, two)]);
    let usage = sim.with(|state| state.env.disk_use(node));
    assert_eq!((usage.writes, usage.syncs, usage.lost), (3, 2, 0));
}

fn compact(sim: &mut Sim, marks: &[u64]) -> bool {
    let marks = marks.iter().map(|key| entry(*key)).collect();
    drive(sim, A, |drive| drive.choose(marks, |entry| entry.key % 2 == 0))
}

#[test]
fn a_compaction_leaves_out_what_counts_no_more_when_its_sync_is_done() {
    let (mut sim, sums) = group(1, true);
    drive(&mut sim, A, |drive| drive.append(entry(5)).expect("there is room"));
    assert!(compact(&mut sim, &[10]));
    assert!(!compact(&mut sim, &[]), "one at a time");
    assert_eq!(keys(&mut sim, A), [0, 1, 2, 3, 4, 5, 10], "the log is there until it is replaced");
    settle(&mut sim, A);
    // What was not durable stays, whether it counts or not.
    assert_eq!(keys(&mut sim, A), [0, 2, 4, 5, 10]);
    drive(&mut sim, A, |drive| {
        assert_eq!((drive.durable, drive.usage.compacted), (5, 2));
        assert_eq!(drive.bytes, 5 * entry(0).bytes());
    });
    assert_eq!(sums.borrow().to, 10, "only the two new ones are new facts");
    drive(&mut sim, A, |drive| drive.append(entry(7)).expect("there is room"));
    settle(&mut sim, A);
    sim.with(|state| crash(state, A));
    assert_eq!(keys(&mut sim, A), [0, 2, 4, 5, 10, 7]);
}

#[test]
fn a_crash_or_a_failure_during_a_compaction_loses_nothing() {
    let (mut sim, _) = group(1, true);
    assert!(compact(&mut sim, &[10]));
    sim.with(|state| start(state, A));
    sim.with(|state| crash(state, A));
    assert_eq!(keys(&mut sim, A), [0, 1, 2, 3, 4]);
    settle(&mut sim, A);
    assert_eq!(keys(&mut sim, A), [0, 1, 2, 3, 4], "nobody has asked for it since");
    for what in [
        Injection::SyncFails { node: A, rate: ALL, after_failure: AfterFailure::Retryable },
        Injection::SyncLies { node: A, rate: ALL },
    ] {
        let (mut sim, _) = group(1, true);
        befall(&mut sim, A, what);
        assert!(compact(&mut sim, &[10]));
        settle(&mut sim, A);
        assert_eq!(keys(&mut sim, A), [0, 1, 2, 3, 4, 10]);
        sim.with(|state| end(state, A, 0));
        settle(&mut sim, A);
        assert_eq!(keys(&mut sim, A), [0, 2, 4, 10], "the next sync does it");
    }
}

#[test]
fn what_is_damaged_stays_where_it_is_found_out() {
    let (mut sim, _) = group(1, true);
    let gone = |drive: &mut Drive| _ = drive.troubles().flaws.insert(3, Flaw::Gone);
    drive(&mut sim, A, gone);
    assert!(compact(&mut sim, &[]));
    drive(&mut sim, A, |drive| _ = drive.troubles().flaws.insert(1, Flaw::Gone));
    settle(&mut sim, A);
    assert_eq!(keys(&mut sim, A), [0, 2, 4]);
    assert_eq!(drive(&mut sim, A, |drive| drive.scrub()), [2], "between the second and the fourth");
    let cached = |drive: &mut Drive| _ = drive.troubles().flaws.insert(0, Flaw::Cached);
    drive(&mut sim, A, cached);
    assert!(!compact(&mut sim, &[]), "what is read may not be there");
}

#[test]
fn a_sync_takes_longer_for_what_is_written_anew() {
    let (mut sim, _) = group(1, true);
    drive(&mut sim, A, |drive| drive.spec.write = Dist::constant(Span::MILLISECOND));
    assert!(compact(&mut sim, &[10]));
    sim.with(|state| start(state, A));
    let (now, ends) = sim.with(|state| (state.now(), state.env.drives[A.index()].ends));
    // The sync itself, three that stay and one that is new.
    assert_eq!(ends - now, Span::from_micros(4_500));
}
