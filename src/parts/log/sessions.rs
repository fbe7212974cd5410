//! Fetch sessions between a leader and its followers (KIP-227): a request names only partitions of
//! which the follower has come further, an answer only those of which there is something to tell.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::wire::{Extent, PartitionId, Position};
use crate::engine::NodeId;

/// The sessions of a broker.
#[derive(Clone, Debug, Default)]
pub(super) struct Sessions {
    /// With each of its followers: what that one has, and what it was told.
    led: RefCell<BTreeMap<NodeId, Led>>,
    /// With each broker that it follows: what it has said that it has.
    followed: RefCell<BTreeMap<NodeId, Vec<Position>>>,
}

#[derive(Clone, Debug, Default)]
struct Led {
    /// The how-manieth session with this follower it is.
    number: u64,
    positions: Vec<Position>,
    told: BTreeMap<PartitionId, Extent>,
}

impl Sessions {
    /// What is to be asked of a broker, by what this one has of all that it follows there: all of
    /// it, if that is not what was asked for before, or only where it has come further.
    pub fn ask(&self, peer: NodeId, all: &[Position]) -> (bool, Vec<Position>) {
        let before = self.followed.borrow_mut().insert(peer, all.to_vec());
        let is_same = |(one, other): (&Position, &Position)| {
            (one.partition, one.epoch) == (other.partition, other.epoch)
        };
        let known = before
            .filter(|before| before.len() == all.len() && before.iter().zip(all).all(is_same));
        let Some(before) = known else { return (true, all.to_vec()) };
        let moved = before.iter().zip(all).filter(|(one, other)| one.offset != other.offset);
        (false, moved.map(|(_, position)| *position).collect())
    }

    /// A broker did not answer, or not as it should: it is asked for everything anew.
    pub fn forget(&self, peer: NodeId) {
        self.followed.borrow_mut().remove(&peer);
    }

    /// The number of a follower's session, and what it has of everything that it fetches; `None` if
    /// it goes on with a session that this broker does not know.
    pub fn asked(
        &self,
        follower: NodeId,
        is_whole: bool,
        named: impl Iterator<Item = Position>,
    ) -> Option<(u64, Vec<Position>)> {
        let mut led = self.led.borrow_mut();
        if is_whole {
            let session = led.entry(follower).or_default();
            session.number += 1;
            session.positions = named.collect();
            session.told.clear();
            return Some((session.number, session.positions.clone()));
        }
        let session = led.get_mut(&follower)?;
        for position in named {
            let is_it = |known: &&mut Position| known.partition == position.partition;
            if let Some(known) = session.positions.iter_mut().find(is_it) {
                *known = position;
            }
        }
        Some((session.number, session.positions.clone()))
    }

    /// Tells a follower how far a partition reaches; was it told otherwise before? What is told in
    /// a session that is no more counts for nothing.
    pub fn tell(&self, to: (NodeId, u64), partition: PartitionId, extent: Extent) -> bool {
        let (follower, number) = to;
        let mut led = self.led.borrow_mut();
        let session = led.get_mut(&follower).filter(|session| session.number == number);
        let told = session.map(|session| session.told.insert(partition, extent));
        told.flatten() != Some(extent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(number: u16, offset: u64, epoch: u32) -> Position {
        Position { partition: PartitionId { topic: 0, number }, offset, epoch }
    }

    #[test]
    fn a_request_names_only_where_the_follower_has_come_further() {
        let (follower, leader) = (Sessions::default(), Sessions::default());
        let (me, peer) = (NodeId(1), NodeId(2));
        let speak = |all: &[Position]| {
            let (is_whole, named) = follower.ask(peer, all);
            let heard = leader.asked(me, is_whole, named.iter().copied());
            let heard = heard.map(|(_, positions)| positions);
            assert_eq!(heard.as_deref(), Some(all), "the leader knows all the same");
            named.len()
        };
        assert_eq!(speak(&[position(0, 5, 1), position(1, 7, 1)]), 2);
        assert_eq!(speak(&[position(0, 5, 1), position(1, 9, 1)]), 1);
        assert_eq!(speak(&[position(0, 5, 1), position(1, 9, 1)]), 0);
        assert_eq!(speak(&[position(0, 5, 1), position(1, 9, 2)]), 2, "another epoch");
        assert_eq!(speak(&[position(0, 5, 1)]), 1, "another set");
    }

    #[test]
    fn a_leader_that_was_restarted_knows_no_session() {
        let follower = Sessions::default();
        let all = [position(0, 5, 1)];
        assert!(follower.ask(NodeId(2), &all).0);
        let (is_whole, named) = follower.ask(NodeId(2), &all);
        let restarted = Sessions::default();
        assert_eq!(restarted.asked(NodeId(1), is_whole, named.into_iter()), None);
        follower.forget(NodeId(2));
        assert!(follower.ask(NodeId(2), &all).0, "and is told everything");
    }

    #[test]
    fn what_was_told_is_not_told_again() {
        let leader = Sessions::default();
        let (follower, at) = (NodeId(1), position(0, 5, 1));
        let begin = || leader.asked(follower, true, [at].into_iter()).expect("it begins anew").0;
        let first = begin();
        let extent = Extent { high_watermark: 5, start: 0 };
        let tell = |session, extent| leader.tell((follower, session), at.partition, extent);
        assert!(tell(first, extent));
        assert!(!tell(first, extent));
        let further = Extent { high_watermark: 6, ..extent };
        assert!(tell(first, further));
        let second = begin();
        assert!(tell(first, further), "an answer that nobody waits for any more");
        assert!(tell(second, further), "a new session");
        assert!(!tell(second, further));
    }
}
