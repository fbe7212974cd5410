//! Which message of a queue is next: what may be handed out now, in the order of the queue.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

/// A message's place in the backlog; stale once the message has left the queue.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Ticket {
    pub slot: u32,
    pub generation: u32,
}

impl Ticket {
    /// As one number.
    pub fn pack(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.slot)
    }

    /// From one number.
    pub fn unpack(bits: u64) -> Ticket {
        Ticket { slot: bits as u32, generation: (bits >> 32) as u32 }
    }
}

/// A message that may be handed out, as the order sees it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Entry {
    /// Lower ones go first; always 0 where priorities do not count.
    pub rank: u8,
    /// In which order it was accepted.
    pub number: u64,
    pub ticket: Ticket,
}

/// Messages in a line of several lanes. What is fresh stands in its lane in the order in which it
/// came; what came back goes to where it was.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    lanes: Vec<VecDeque<Entry>>,
    back: BinaryHeap<Reverse<Entry>>,
}

impl Line {
    /// Puts a message where its rank and its number say.
    pub fn put(&mut self, entry: Entry) {
        let rank = usize::from(entry.rank);
        if rank >= self.lanes.len() {
            self.lanes.resize_with(rank + 1, VecDeque::new);
        }
        let lane = &mut self.lanes[rank];
        if lane.back().is_none_or(|last| last.number < entry.number) {
            lane.push_back(entry);
        } else {
            self.back.push(Reverse(entry));
        }
    }

    /// Takes the first.
    pub fn first(&mut self) -> Option<Entry> {
        let lane = self.lanes.iter_mut().find(|lane| !lane.is_empty());
        let Some(lane) = lane else { return self.back.pop().map(|Reverse(entry)| entry) };
        let front = lane.front()?;
        if self.back.peek().is_some_and(|Reverse(entry)| entry < front) {
            return self.back.pop().map(|Reverse(entry)| entry);
        }
        lane.pop_front()
    }

    /// Takes one of the first `spread`, by `draw` of a number below how many there are.
    pub fn any(&mut self, spread: u32, draw: impl FnOnce(u64) -> u64) -> Option<Entry> {
        if let Some(Reverse(entry)) = self.back.pop() {
            return Some(entry);
        }
        let lane = self.lanes.first_mut()?;
        let among = lane.len().min(spread as usize) as u64;
        if among == 0 {
            return None;
        }
        lane.remove(draw(among) as usize)
    }

    /// Takes the oldest of those that would go last.
    pub fn oldest(&mut self) -> Option<Entry> {
        let last = self.lanes.iter_mut().rposition(|lane| !lane.is_empty());
        let front = last.and_then(|rank| self.lanes[rank].front().copied());
        let back = self.back.iter().map(|Reverse(entry)| *entry);
        let back = back.min_by_key(|entry| (Reverse(entry.rank), entry.number));
        let key = |entry: &Entry| (Reverse(entry.rank), entry.number);
        match (front, back) {
            (Some(front), Some(back)) if key(&back) < key(&front) => {
                self.back.retain(|Reverse(entry)| *entry != back);
                Some(back)
            }
            (None, Some(back)) => {
                self.back.retain(|Reverse(entry)| *entry != back);
                Some(back)
            }
            _ => self.lanes[last?].pop_front(),
        }
    }
}

/// One group: its messages in order, of which only the first may be out.
#[derive(Clone, Debug, Default)]
struct Group {
    line: VecDeque<Entry>,
    is_out: bool,
}

/// Messages in groups, each strictly one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    groups: BTreeMap<u64, Group>,
    /// Groups whose first message may go, by that message; an entry may be out of date.
    open: BinaryHeap<Reverse<(u64, u64)>>,
}

impl Groups {
    /// Puts a message where its number says: a fresh one at the end of its group, one that was out
    /// at its beginning. `is_ready` tells of a message whether it may go now.
    pub fn put(&mut self, group: u64, entry: Entry, is_ready: impl Fn(Ticket) -> bool) {
        let own = self.groups.entry(group).or_default();
        if own.line.back().is_none_or(|last| last.number < entry.number) {
            own.line.push_back(entry);
        } else {
            let place = own.line.partition_point(|other| other.number < entry.number);
            own.line.insert(place, entry);
        }
        self.look(group, is_ready);
    }

    /// The message that was out is there no more, or not out any more: the next may go.
    pub fn free(&mut self, group: u64, is_ready: impl Fn(Ticket) -> bool) {
        if let Some(own) = self.groups.get_mut(&group) {
            own.is_out = false;
            self.look(group, is_ready);
        }
    }

    /// Offers the first message of a group, if it may go; forgets the group if it has none.
    pub fn look(&mut self, group: u64, is_ready: impl Fn(Ticket) -> bool) {
        let Some(own) = self.groups.get(&group) else { return };
        match own.line.front() {
            _ if own.is_out => {}
            None => _ = self.groups.remove(&group),
            Some(first) if is_ready(first.ticket) => {
                self.open.push(Reverse((first.number, group)));
            }
            Some(_) => {}
        }
    }

    /// Takes a message out of its group for good, wherever in it it stands.
    pub fn forget(&mut self, group: u64, number: u64, is_ready: impl Fn(Ticket) -> bool) {
        if let Some(own) = self.groups.get_mut(&group)
            && let Ok(place) = own.line.binary_search_by_key(&number, |entry| entry.number)
        {
            own.line.remove(place);
            self.look(group, is_ready);
        }
    }

    /// Takes the first message of all groups that have none out.
    pub fn first(&mut self, is_ready: impl Fn(Ticket) -> bool) -> Option<Entry> {
        while let Some(Reverse((number, group))) = self.open.pop() {
            let Some(own) = self.groups.get_mut(&group) else { continue };
            let Some(first) = own.line.front().copied() else { continue };
            if !own.is_out && first.number == number && is_ready(first.ticket) {
                own.line.pop_front();
                own.is_out = true;
                return Some(first);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(rank: u8, number: u64) -> Entry {
        Entry { rank, number, ticket: Ticket { slot: number as u32, generation: 0 } }
    }

    fn numbers(mut next: impl FnMut() -> Option<Entry>) -> Vec<u64> {
        std::iter::from_fn(|| next().map(|entry| entry.number)).collect()
    }

    #[test]
    fn what_comes_back_goes_to_where_it_was() {
        let mut line = Line::default();
        (1..=4).for_each(|number| line.put(entry(0, number)));
        assert_eq!(line.first().map(|one| one.number), Some(1));
        assert_eq!(line.first().map(|one| one.number), Some(2));
        line.put(entry(0, 2));
        line.put(entry(0, 1));
        assert_eq!(numbers(|| line.first()), [1, 2, 3, 4]);
    }

    #[test]
    fn a_lower_rank_goes_first_and_a_full_queue_loses_the_highest() {
        let mut line = Line::default();
        for (rank, number) in [(1, 1), (0, 2), (1, 3), (0, 4)] {
            line.put(entry(rank, number));
        }
        assert_eq!(line.oldest().map(|one| one.number), Some(1));
        assert_eq!(numbers(|| line.first()), [2, 4, 3]);
    }

    #[test]
    fn best_effort_takes_one_of_the_first_few() {
        let mut line = Line::default();
        (1..=5).for_each(|number| line.put(entry(0, number)));
        assert_eq!(line.any(3, |among| among - 1).map(|one| one.number), Some(3));
        assert_eq!(line.any(3, |_| 0).map(|one| one.number), Some(1));
        line.put(entry(0, 1));
        assert_eq!(line.any(3, |_| 2).map(|one| one.number), Some(1), "what came back goes first");
    }

    #[test]
    fn a_group_has_one_message_out_and_the_others_go_on() {
        let mut groups = Groups::default();
        let ready = |_| true;
        for (group, number) in [(7, 1), (7, 2), (8, 3)] {
            groups.put(group, entry(0, number), ready);
        }
        assert_eq!(numbers(|| groups.first(ready)), [1, 3], "2 waits for 1");
        groups.put(7, entry(0, 1), ready);
        groups.free(7, ready);
        assert_eq!(numbers(|| groups.first(ready)), [1], "what came back comes before 2");
        groups.free(7, ready);
        groups.free(8, ready);
        assert_eq!(numbers(|| groups.first(ready)), [2]);
        groups.free(7, ready);
        assert!(groups.groups.is_empty(), "nothing is kept of a group without messages");
    }

    #[test]
    fn a_first_message_that_may_not_go_yet_holds_up_its_group() {
        let mut groups = Groups::default();
        let late = |ticket: Ticket| ticket.slot != 1;
        groups.put(7, entry(0, 1), late);
        groups.put(7, entry(0, 2), late);
        assert_eq!(groups.first(late), None);
        groups.look(7, |_| true);
        assert_eq!(numbers(|| groups.first(|_| true)), [1]);
        groups.forget(7, 2, |_| true);
        groups.free(7, |_| true);
        assert!(groups.groups.is_empty());
    }
}
