//! A disk: an append-only log, of which a crash leaves what was synced.
//!
//! `append` goes to the page cache and costs nothing; `sync` makes everything appended before it
//! durable. Syncs are grouped as databases group commits: while one is on its way, those that
//! follow wait and share the next. Completion belongs to the drive, not to the task that asked.

use std::collections::VecDeque;
use std::rc::Rc;

use serde::Deserialize;

use super::{SYNC, World};
use crate::engine::{self, Change, Dist, Due, Name, NodeId, Rng, Root, Row, Span, State, WaitId};

/// The disk of a node.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DiskSpec {
    /// How long a sync takes. Default: `"500us"`, an NVMe drive without power-loss protection.
    pub sync: Dist,
}

impl Default for DiskSpec {
    fn default() -> DiskSpec {
        DiskSpec { sync: Dist::constant(Span(500 * Span::MICROSECOND.0)) }
    }
}

/// One entry of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// What it records.
    pub what: Name,
    /// For which operation.
    pub root: Root,
    /// About which object.
    pub key: u64,
    /// How much, or which state.
    pub value: u64,
    /// The rows of a transaction, or none.
    pub rows: Rc<[Row]>,
}

/// How a disk was used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DiskUse {
    /// Entries appended.
    pub writes: u64,
    /// Syncs that the drive performed.
    pub syncs: u64,
    /// Entries lost in crashes because they were not synced.
    pub lost: u64,
}

/// A node's drive.
pub(crate) struct Drive {
    spec: DiskSpec,
    rng: Rng,
    log: Vec<Entry>,
    /// This much of the log survives a crash.
    durable: usize,
    /// A sync is on its way and will make this much durable.
    target: Option<usize>,
    waiting: VecDeque<(usize, WaitId)>,
    pub usage: DiskUse,
    /// Which alarm ends the sync on its way; those of syncs that a crash has cut off are stale.
    alarm: u64,
}

impl Drive {
    pub fn new(spec: DiskSpec, rng: Rng) -> Drive {
        Drive {
            spec,
            rng,
            log: Vec::new(),
            durable: 0,
            target: None,
            waiting: VecDeque::new(),
            usage: DiskUse::default(),
            alarm: 0,
        }
    }

    /// Everything that is written, and how much of it a crash leaves.
    pub fn log(&self) -> (&[Entry], usize) {
        (&self.log, self.durable)
    }

    /// What was not synced is gone.
    pub fn crash(&mut self) {
        self.usage.lost += (self.log.len() - self.durable) as u64;
        self.log.truncate(self.durable);
        self.waiting.clear();
        (self.target, self.alarm) = (None, 0);
    }
}

/// Starts a sync of everything in the log.
fn start(state: &mut State<World>, node: NodeId) {
    let drive = &mut state.env.drives[node.index()];
    drive.target = Some(drive.log.len());
    drive.usage.syncs += 1;
    let done = drive.spec.sync.sample(&mut drive.rng);
    let at = state.now() + done;
    let alarm = state.set_alarm(at, node.0 << 1 | SYNC);
    state.env.drives[node.index()].alarm = alarm;
}

/// The drive has finished a sync: what it covered is durable, and that is a fact at this instant,
/// whatever becomes of the node that asked.
#[inline(never)]
pub(crate) fn synced(state: &mut State<World>, node: NodeId, alarm: u64) -> Due {
    let now = state.now();
    let drive = &mut state.env.drives[node.index()];
    let Some(target) = drive.target.filter(|_| drive.alarm == alarm) else { return Due::Nothing };
    let news = drive.log[drive.durable..target].to_vec();
    (drive.durable, drive.target) = (target, None);
    let served = drive.waiting.partition_point(|(needs, _)| *needs <= target);
    let waits: Vec<WaitId> = drive.waiting.drain(..served).map(|(_, wait)| wait).collect();
    for entry in news {
        announce(state, node, &entry);
    }
    for wait in waits {
        if state.is_awaited(wait) {
            state.wake_at(wait, now);
        }
    }
    if !state.env.drives[node.index()].waiting.is_empty() {
        start(state, node);
    }
    Due::Nothing
}

/// A transaction has become durable: every row of it is a fact, its kind the row's table.
fn announce(state: &mut State<World>, node: NodeId, entry: &Entry) {
    for row in entry.rows.iter() {
        let value = match row.change {
            Change::Set(value) | Change::Give(value) => value,
            Change::Take(value) => value.wrapping_neg(),
        };
        state.note(node, entry.root, row.table, (row.key, value));
    }
}

/// A node's view of its own disk.
pub struct Disk<'a> {
    cx: &'a engine::Cx<World>,
}

impl engine::Cx<World> {
    /// This node's disk.
    pub fn disk(&self) -> Disk<'_> {
        Disk { cx: self }
    }
}

impl Disk<'_> {
    /// Appends an entry for the operation at hand. It is readable at once and durable after the
    /// next [`Disk::sync`].
    pub fn append(&self, what: Name, key: u64, value: u64, rows: Rc<[Row]>) {
        let (me, root) = (self.cx.me(), self.cx.root());
        self.cx.with(|state| {
            let drive = &mut state.env.drives[me.index()];
            drive.usage.writes += 1;
            drive.log.push(Entry { what, root, key, value, rows });
        });
    }

    /// Waits until everything appended so far is durable.
    pub async fn sync(&self) {
        let me = self.cx.me();
        let done = self.cx.wait(|state, wait| {
            let now = state.now();
            let drive = &mut state.env.drives[me.index()];
            let needs = drive.log.len();
            if needs == drive.durable {
                state.wake_at(wait, now);
                return;
            }
            drive.waiting.push_back((needs, wait));
            if drive.target.is_none() {
                start(state, me);
            }
        });
        let _ = done.await;
    }

    /// Lets the drive make everything appended so far durable, without waiting for it.
    pub fn sync_later(&self) {
        let me = self.cx.me();
        self.cx.with(|state| {
            let drive = &mut state.env.drives[me.index()];
            drive.waiting.push_back((drive.log.len(), WaitId::NONE));
            if drive.target.is_none() {
                start(state, me);
            }
        });
    }

    /// Everything in the log, oldest first: what a restart finds is what had become durable.
    pub fn replay(&self) -> Vec<Entry> {
        let me = self.cx.me();
        self.cx.with(|state| state.env.drives[me.index()].log.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::engine::{Fault, Msg, Reply, Time};
    use crate::world::{Cx, NetworkSpec, Node, Sim, add};

    const WHAT: Name = Name::of("entry");

    fn entry(key: u64) -> Entry {
        Entry { what: WHAT, root: Root::NONE, key, value: 0, rows: [].into() }
    }

    #[test]
    fn a_crash_leaves_what_is_durable_and_counts_the_rest() {
        let mut drive = Drive::new(DiskSpec::default(), Rng::new(1, "disk"));
        drive.log = vec![entry(1), entry(2), entry(3)];
        (drive.durable, drive.target, drive.alarm) = (1, Some(3), 9);
        drive.waiting.push_back((3, WaitId::NONE));
        drive.crash();
        assert_eq!(drive.log, [entry(1)]);
        assert_eq!((drive.usage.lost, drive.target, drive.waiting.len()), (2, None, 0));
        assert_eq!(drive.alarm, 0, "the sync that was on its way will find nobody");
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
            cx.disk().append(WHAT, key, 0, [].into());
            cx.disk().sync().await;
            self.done.borrow_mut().push((key, cx.now()));
            if key == 2 {
                cx.disk().sync().await;
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
}
