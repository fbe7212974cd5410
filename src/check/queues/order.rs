//! Which message of a queue was processed last of those that come one after the other.

use std::collections::BTreeMap;

/// When a message was accepted, as a count, and its number.
type Accepted = (u32, u64);

/// Of the messages of a queue that were processed, the one accepted last; by group, where there are
/// groups.
#[derive(Default)]
pub(super) struct Order {
    /// The group that was noted for the message that is accepted next; 0 for none.
    pub noted: u64,
    last: Accepted,
    groups: Option<Box<Groups>>,
}

/// The messages of a queue with groups.
#[derive(Default)]
struct Groups {
    /// By number, from 1.
    of: Vec<u64>,
    last: BTreeMap<u64, Accepted>,
}

impl Order {
    /// A message was taken in, or found again: it belongs to the group that was noted before.
    pub fn accepted(&mut self, number: u64) {
        let group = std::mem::take(&mut self.noted);
        if group == 0 && self.groups.is_none() {
            return;
        }
        let of = &mut self.groups.get_or_insert_default().of;
        let place = (number as usize).saturating_sub(1);
        if place >= of.len() {
            of.resize(place + 1, 0);
        }
        of[place] = group;
    }

    /// The last among those between which and this message there is an order.
    pub fn last(&mut self, number: u64) -> &mut Accepted {
        let Some(groups) = &mut self.groups else { return &mut self.last };
        match groups.of.get((number as usize).saturating_sub(1)) {
            None | Some(0) => &mut self.last,
            Some(group) => groups.last.entry(*group).or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_group_has_a_last_one_of_its_own_and_so_have_those_without() {
        let mut order = Order::default();
        for (number, group) in [(1, 0), (2, 7), (3, 8), (4, 7)] {
            order.noted = group;
            order.accepted(number);
            *order.last(number) = (number as u32, number);
        }
        let last = [1, 2, 3, 4, 5].map(|number| order.last(number).1);
        assert_eq!(last, [1, 4, 3, 4, 1], "5 was not accepted");
        order.accepted(2);
        assert_eq!(order.last(2).1, 1, "it is in no group when it comes again");
    }
}
