//! What tasks wait for: every suspension is one row of the wait table.
//!
//! A reply, a timer or a deadline settles the row, and the row names the task to poll: no wakers.
//! The table is also the answer to "what is everybody waiting for?". Deadlines of one length fall due
//! in the order in which they were set, so each length has a lane, first in, first out, of which
//! only the front is a pending event: a deadline that was met in time never becomes one.

use std::collections::VecDeque;

use super::message::{NodeId, Reply};
use super::time::{Span, Time};

/// A row of the wait table; stale once the row is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WaitId {
    slot: u32,
    generation: u32,
}

impl WaitId {
    /// Nobody waits.
    pub const NONE: WaitId = WaitId { slot: u32::MAX, generation: u32::MAX };

    pub(crate) fn slot(self) -> u32 {
        self.slot
    }
}

/// A task of a node: a future in a slot of the node's pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TaskId {
    pub(crate) node: NodeId,
    pub(crate) slot: u32,
}

#[derive(Debug)]
enum State {
    Free,
    Waiting,
    Ready(Reply),
}

#[derive(Debug)]
struct Row {
    state: State,
    task: TaskId,
    /// Sequence number of the pending key that will settle this row by time; 0 for none.
    armed: u64,
    generation: u32,
}

/// The wait table.
#[derive(Default)]
pub(crate) struct Waits {
    rows: Vec<Row>,
    free: Vec<u32>,
    /// Replies that came after their caller had given up.
    pub orphans: u64,
}

impl Waits {
    #[inline]
    pub fn open(&mut self, task: TaskId) -> WaitId {
        if let Some(slot) = self.free.pop() {
            let row = &mut self.rows[slot as usize];
            (row.state, row.task) = (State::Waiting, task);
            return WaitId { slot, generation: row.generation };
        }
        self.rows.push(Row { state: State::Waiting, task, armed: 0, generation: 0 });
        WaitId { slot: self.rows.len() as u32 - 1, generation: 0 }
    }

    /// Notes which pending key will wake this row; an earlier one is thereby forgotten.
    #[inline]
    pub fn arm(&mut self, id: WaitId, sequence: u64) {
        debug_assert!(self.is_open(id));
        self.rows[id.slot as usize].armed = sequence;
    }

    /// Forgets the pending key that would wake this row.
    pub fn disarm(&mut self, id: WaitId) {
        if let Some(row) = self.rows.get_mut(id.slot as usize)
            && row.generation == id.generation
        {
            row.armed = 0;
        }
    }

    /// The row that the key with this sequence number was armed for, if it still waits.
    #[inline]
    pub fn armed(&self, slot: u32, sequence: u64) -> Option<WaitId> {
        let row = &self.rows[slot as usize];
        (row.armed == sequence && matches!(row.state, State::Waiting))
            .then_some(WaitId { slot, generation: row.generation })
    }

    /// The task that waits on this row, if it still does.
    #[inline]
    pub fn waiting(&self, id: WaitId) -> Option<TaskId> {
        let row = self.rows.get(id.slot as usize)?;
        (row.generation == id.generation && matches!(row.state, State::Waiting)).then_some(row.task)
    }

    #[inline]
    pub fn is_open(&self, id: WaitId) -> bool {
        self.waiting(id).is_some()
    }

    /// Records the outcome of a row that waits.
    #[inline]
    pub fn settle(&mut self, id: WaitId, reply: Reply) {
        let row = &mut self.rows[id.slot as usize];
        debug_assert!(row.generation == id.generation && matches!(row.state, State::Waiting));
        row.state = State::Ready(reply);
    }

    /// The outcome, once; `None` while there is none.
    #[inline]
    pub fn take(&mut self, id: WaitId) -> Option<Reply> {
        let row = &mut self.rows[id.slot as usize];
        debug_assert_eq!(row.generation, id.generation, "a closed wait was polled");
        match std::mem::replace(&mut row.state, State::Waiting) {
            State::Ready(reply) => Some(reply),
            other => {
                row.state = other;
                None
            }
        }
    }

    #[inline]
    pub fn close(&mut self, id: WaitId) {
        let row = &mut self.rows[id.slot as usize];
        debug_assert_eq!(row.generation, id.generation, "a wait was closed twice");
        row.generation = row.generation.wrapping_add(1);
        row.armed = 0;
        row.state = State::Free;
        self.free.push(id.slot);
    }

    /// Every task that waits, in the order of the rows.
    pub fn tasks(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.rows.iter().filter(|row| matches!(row.state, State::Waiting)).map(|row| row.task)
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
    use crate::engine::message::{Fault, Msg};

    const TASK: TaskId = TaskId { node: NodeId(1), slot: 2 };

    #[test]
    fn a_closed_row_is_reused_and_its_old_id_reaches_nobody() {
        let mut waits = Waits::default();
        let old = waits.open(TASK);
        waits.close(old);
        let new = waits.open(TASK);
        assert_eq!(old.slot, new.slot);
        assert_eq!(waits.waiting(old), None);
        assert_eq!(waits.waiting(new), Some(TASK));
        assert_eq!(waits.waiting(WaitId::NONE), None);
    }

    #[test]
    fn a_row_is_settled_once_and_taken_once() {
        let mut waits = Waits::default();
        let id = waits.open(TASK);
        assert_eq!(waits.take(id), None);
        waits.settle(id, Ok(Msg::Done { value: 7 }));
        assert!(!waits.is_open(id), "a second reply finds nobody");
        assert_eq!(waits.take(id), Some(Ok(Msg::Done { value: 7 })));
    }

    #[test]
    fn only_the_last_timer_of_a_row_wakes_it() {
        let mut waits = Waits::default();
        let id = waits.open(TASK);
        waits.arm(id, 5);
        waits.arm(id, 9);
        assert_eq!(waits.armed(id.slot, 5), None);
        assert_eq!(waits.armed(id.slot, 9), Some(id));
        waits.disarm(id);
        assert_eq!(waits.armed(id.slot, 9), None);
        waits.arm(id, 11);
        waits.settle(id, Err(Fault::Timeout));
        assert_eq!(waits.armed(id.slot, 11), None);
    }

    #[test]
    fn a_lane_skips_the_deadlines_that_were_met() {
        let (mut waits, mut lanes) = (Waits::default(), Lanes::default());
        let length = Span(10);
        let ids: Vec<WaitId> = (0..4).map(|_| waits.open(TASK)).collect();
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
