//! What tasks wait for: every suspension is one row of the wait table.
//!
//! A reply, a timer or a deadline settles the row, and the row names the task to poll: no wakers.
//! The table is also the answer to "what is everybody waiting for?". Deadlines of one length fall
//! due in the order in which they were set, so each length has a lane, first in, first out, of
//! which only the front is a pending event: a deadline that was met in time never becomes one.

use std::collections::{BTreeMap, VecDeque};

use super::message::{Fault, NodeId, Root};
use super::time::{Span, Time};

/// A row of the wait table; stale once the row is closed.
///
/// The row's place and its generation share one word, here as in [`TaskId`] and [`Outcome`]: a
/// value of two halves is written in two steps and soon read in one, and the processor stalls on
/// that.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct WaitId(u64);

impl WaitId {
    /// Nobody waits.
    pub const NONE: WaitId = WaitId(u64::MAX);

    #[inline]
    fn new(slot: u32, generation: u32) -> WaitId {
        WaitId(u64::from(generation) << 32 | u64::from(slot))
    }

    #[inline]
    pub(crate) fn slot(self) -> u32 {
        self.0 as u32
    }

    #[inline]
    fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// A task of a node: a future in a slot of the node's pool.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct TaskId(u64);

impl TaskId {
    /// Before and after every other, for ranges.
    pub(crate) const FIRST: TaskId = TaskId(0);
    pub(crate) const LAST: TaskId = TaskId(u64::MAX);

    #[inline]
    pub(crate) const fn new(node: NodeId, slot: u32) -> TaskId {
        TaskId((slot as u64) << 32 | node.0 as u64)
    }

    #[inline]
    pub(crate) fn node(self) -> NodeId {
        NodeId(self.0 as u32)
    }

    #[inline]
    pub(crate) fn slot(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// What a row has come to. A reply stays in the record in which it came until the task takes it, so
/// that a row owns nothing and is copied and closed without looking.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// Nobody uses the row.
    Free,
    /// Waiting: for whom in the lower half, for which operation in the upper one.
    Waiting(u64),
    /// The fault with this number in [`Fault::ALL`].
    Failed(u64),
    /// Done, with this result.
    Done(u64),
    /// The reply lies in this record.
    Replied(u64),
}

impl Outcome {
    pub const TIMEOUT: Outcome = Outcome::Failed(Fault::Timeout as u64);

    #[inline]
    fn is_waiting(self) -> bool {
        matches!(self, Outcome::Waiting(_))
    }
}

#[derive(Debug)]
struct Row {
    outcome: Outcome,
    task: TaskId,
    /// Sequence number of the pending key that will settle this row by time; 0 for none, and always
    /// 0 unless the row waits.
    armed: u64,
    generation: u32,
    /// Of a free row: the next one; of another: the branch of its task that opened it.
    next: u32,
}

/// The end of the list of free rows.
const NONE: u32 = u32::MAX;

/// The wait table.
pub(crate) struct Waits {
    rows: Vec<Row>,
    free: u32,
    branch: Branch,
    woken: Branch,
    /// How many branches there were.
    branches: u32,
    /// Of rows whose task asks in another node's name: the row, by its slot, and the name. What is
    /// left of a closed row counts for nothing: only who steers a run by hand asks like this.
    aliases: BTreeMap<u32, (WaitId, NodeId)>,
}

/// A part of a task that waits beside others for several things at once: the task is polled for a
/// row, and the row says for which of its parts, so that the others need not be asked.
pub(crate) type Branch = u32;

/// No branch in particular.
pub(crate) const TRUNK: Branch = 0;

impl Default for Waits {
    fn default() -> Waits {
        let (branch, woken, branches) = (TRUNK, TRUNK, 0);
        let aliases = BTreeMap::new();
        Waits { rows: Vec::new(), free: NONE, branch, woken, branches, aliases }
    }
}

impl Waits {
    /// What a row waits for that waits for no node.
    pub const NOBODY: NodeId = NodeId(u32::MAX);

    /// Opens a row for a task that waits for `whom` on behalf of `root`.
    #[inline]
    pub fn open(&mut self, task: TaskId, whom: NodeId, root: Root) -> WaitId {
        let outcome = Outcome::Waiting(u64::from(root.0) << 32 | u64::from(whom.0));
        let slot = self.free;
        let Some(row) = self.rows.get_mut(slot as usize) else { return self.grow(task, outcome) };
        self.free = row.next;
        (row.outcome, row.task, row.next) = (outcome, task, self.branch);
        WaitId::new(slot, row.generation)
    }

    /// Opens a row for a task that asks `whom` in the name of `from`.
    pub fn open_as(&mut self, from: NodeId, task: TaskId, whom: NodeId, root: Root) -> WaitId {
        let id = self.open(task, whom, root);
        self.aliases.insert(id.slot(), (id, from));
        id
    }

    /// So many new branches: the first of them, the others follow. [`TRUNK`] once there are no more
    /// to be had.
    pub fn fork(&mut self, count: usize) -> Branch {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        match self.branches.checked_add(count) {
            Some(branches) => {
                let first = self.branches + 1;
                self.branches = branches;
                first
            }
            None => TRUNK,
        }
    }

    /// From now on rows are opened by this branch; returns by which before.
    pub fn enter(&mut self, branch: Branch) -> Branch {
        std::mem::replace(&mut self.branch, branch)
    }

    /// The branch for which a task was polled last.
    pub fn woken(&self) -> Branch {
        self.woken
    }

    /// What a row waits for has been handed on to `whom`.
    pub fn redirect(&mut self, id: WaitId, whom: NodeId) {
        if let Some(row) = self.row(id)
            && let Outcome::Waiting(about) = &mut row.outcome
        {
            *about = *about >> 32 << 32 | u64::from(whom.0);
        }
    }

    /// The calls under way of which `is_meant` says so by caller and callee: the row, the two of
    /// them, and the operation.
    pub fn calls(
        &self,
        is_meant: impl Fn(NodeId, NodeId) -> bool,
    ) -> Vec<(WaitId, (NodeId, NodeId), Root)> {
        let call = |(slot, row): (usize, &Row)| {
            let Outcome::Waiting(about) = row.outcome else { return None };
            let id = WaitId::new(slot as u32, row.generation);
            let alias = self.aliases.get(&id.slot()).filter(|(row, _)| *row == id);
            let from = alias.map_or(row.task.node(), |(_, from)| *from);
            let to = NodeId(about as u32);
            (to != Waits::NOBODY && is_meant(from, to)).then_some((
                id,
                (from, to),
                Root((about >> 32) as u32),
            ))
        };
        self.rows.iter().enumerate().filter_map(call).collect()
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, task: TaskId, outcome: Outcome) -> WaitId {
        let slot = self.rows.len() as u32;
        self.rows.push(Row { outcome, task, armed: 0, generation: 0, next: self.branch });
        WaitId::new(slot, 0)
    }

    #[inline]
    fn row(&mut self, id: WaitId) -> Option<&mut Row> {
        self.rows.get_mut(id.slot() as usize).filter(|row| row.generation == id.generation())
    }

    /// Notes which pending key will wake this row; an earlier one is thereby forgotten.
    #[inline]
    pub fn arm(&mut self, id: WaitId, sequence: u64) {
        debug_assert!(self.is_open(id));
        self.rows[id.slot() as usize].armed = sequence;
    }

    /// Forgets the pending key that would wake this row.
    pub fn disarm(&mut self, id: WaitId) {
        if let Some(row) = self.row(id) {
            row.armed = 0;
        }
    }

    /// The row that the key with this sequence number was armed for, and its task, if it still
    /// waits.
    #[inline]
    pub fn armed(&self, slot: u32, sequence: u64) -> Option<(WaitId, TaskId)> {
        let row = &self.rows[slot as usize];
        (row.armed == sequence).then_some((WaitId::new(slot, row.generation), row.task))
    }

    /// The task that waits on this row, if it still does.
    #[inline]
    pub fn waiting(&self, id: WaitId) -> Option<TaskId> {
        let row = self.rows.get(id.slot() as usize)?;
        let waits = row.generation == id.generation() && row.outcome.is_waiting();
        waits.then_some(row.task)
    }

    #[inline]
    pub fn is_open(&self, id: WaitId) -> bool {
        self.waiting(id).is_some()
    }

    /// Closes a row if it was settled; returns what it has come to.
    #[inline]
    pub fn finish(&mut self, id: WaitId) -> Option<Outcome> {
        let row = self.rows.get(id.slot() as usize)?;
        (!row.outcome.is_waiting()).then(|| self.close(id))
    }

    /// Has the row's time passed before anything came?
    pub fn is_timed_out(&self, id: WaitId) -> bool {
        let row = self.rows.get(id.slot() as usize);
        row.is_some_and(|row| row.outcome == Outcome::TIMEOUT)
    }

    /// Records the outcome of a row that waits.
    #[inline]
    pub fn settle(&mut self, id: WaitId, outcome: Outcome) {
        let row = &mut self.rows[id.slot() as usize];
        debug_assert!(row.generation == id.generation() && row.outcome.is_waiting());
        (row.outcome, row.armed) = (outcome, 0);
        self.woken = row.next;
    }

    /// Closes a row; returns what it has come to.
    #[inline]
    pub fn close(&mut self, id: WaitId) -> Outcome {
        let row = &mut self.rows[id.slot() as usize];
        debug_assert_eq!(row.generation, id.generation(), "a wait was closed twice");
        let outcome = row.outcome;
        row.generation = row.generation.wrapping_add(1);
        (row.outcome, row.armed, row.next) = (Outcome::Free, 0, self.free);
        self.free = id.slot();
        outcome
    }
}

struct Lane {
    length: Span,
    deadlines: VecDeque<(Time, WaitId)>,
}

/// Deadlines, one lane for each distinct length.
#[derive(Default)]
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
}

impl Lanes {
    /// Sets a deadline; returns the lane if its front must become a pending event.
    #[inline]
    pub fn set(&mut self, now: Time, length: Span, id: WaitId) -> Option<(u32, Time)> {
        let known = self.lanes.iter().position(|lane| lane.length == length);
        let index = known.unwrap_or_else(|| {
            self.lanes.push(Lane { length, deadlines: VecDeque::new() });
            self.lanes.len() - 1
        });
        let due = now + length;
        let deadlines = &mut self.lanes[index].deadlines;
        deadlines.push_back((due, id));
        (deadlines.len() == 1).then_some((index as u32, due))
    }

    /// The front deadline of a lane has come: whose it is, and when the next one is due that
    /// somebody still waits for.
    pub fn due(&mut self, index: u32, waits: &Waits) -> (WaitId, Option<Time>) {
        let deadlines = &mut self.lanes[index as usize].deadlines;
        let (_, id) = deadlines.pop_front().expect("a pending lane has a front");
        while deadlines.front().is_some_and(|(_, id)| !waits.is_open(*id)) {
            deadlines.pop_front();
        }
        (id, deadlines.front().map(|(due, _)| *due))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: TaskId = TaskId::new(NodeId(1), 2);

    #[test]
    fn a_closed_row_is_reused_and_its_old_id_reaches_nobody() {
        let mut waits = Waits::default();
        let old = waits.open(TASK, Waits::NOBODY, Root::NONE);
        waits.close(old);
        let new = waits.open(TASK, Waits::NOBODY, Root::NONE);
        assert_eq!(old.slot(), new.slot());
        assert_eq!(waits.waiting(old), None);
        assert_eq!(waits.waiting(new), Some(TASK));
        assert_eq!(waits.waiting(WaitId::NONE), None);
    }

    #[test]
    fn a_row_is_settled_once_and_taken_once() {
        let mut waits = Waits::default();
        let id = waits.open(TASK, Waits::NOBODY, Root::NONE);
        assert_eq!(waits.finish(id), None);
        waits.settle(id, Outcome::Done(7));
        assert!(!waits.is_open(id), "a second reply finds nobody");
        assert_eq!(waits.finish(id), Some(Outcome::Done(7)));
        assert_ne!(waits.open(TASK, Waits::NOBODY, Root::NONE), id, "an old id reaches nobody");
    }

    #[test]
    fn only_the_last_timer_of_a_row_wakes_it() {
        let mut waits = Waits::default();
        let id = waits.open(TASK, Waits::NOBODY, Root::NONE);
        waits.arm(id, 5);
        waits.arm(id, 9);
        assert_eq!(waits.armed(id.slot(), 5), None);
        assert_eq!(waits.armed(id.slot(), 9), Some((id, TASK)));
        waits.disarm(id);
        assert_eq!(waits.armed(id.slot(), 9), None);
        waits.arm(id, 11);
        waits.settle(id, Outcome::TIMEOUT);
        assert_eq!(waits.armed(id.slot(), 11), None);
    }

    #[test]
    fn a_row_tells_which_branch_opened_it() {
        let mut waits = Waits::default();
        let (first, second) = (waits.fork(2), waits.fork(3));
        assert_eq!((first, second), (1, 3));
        let trunk = waits.open(TASK, Waits::NOBODY, Root::NONE);
        let before = waits.enter(second + 2);
        let branch = waits.open(TASK, Waits::NOBODY, Root::NONE);
        assert_eq!((before, waits.enter(before)), (TRUNK, 5));
        waits.settle(branch, Outcome::Done(1));
        assert_eq!(waits.woken(), 5);
        waits.settle(trunk, Outcome::Done(1));
        assert_eq!(waits.woken(), TRUNK);
        assert_eq!(waits.fork(usize::MAX), TRUNK, "as many as there are, and no more");
    }

    #[test]
    fn a_row_is_forty_bytes() {
        assert_eq!(size_of::<Row>(), 40);
    }

    #[test]
    fn a_lane_skips_the_deadlines_that_were_met() {
        let (mut waits, mut lanes) = (Waits::default(), Lanes::default());
        let length = Span(10);
        let ids: Vec<WaitId> =
            (0..4).map(|_| waits.open(TASK, Waits::NOBODY, Root::NONE)).collect();
        let pending: Vec<_> =
            ids.iter().zip(0..).map(|(id, now)| lanes.set(Time(now), length, *id)).collect();
        assert_eq!(pending, [Some((0, Time(10))), None, None, None]);
        waits.close(ids[1]);
        waits.close(ids[2]);
        assert_eq!(lanes.due(0, &waits), (ids[0], Some(Time(13))));
        assert_eq!(lanes.due(0, &waits), (ids[3], None));
        assert_eq!(lanes.set(Time(50), length, ids[0]), Some((0, Time(60))));
    }
}
