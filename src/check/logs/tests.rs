//! What becomes of accepted records when others lead, by hand.

use super::*;
use crate::engine::Time;

/// A partition whose first leader has written and accepted so many records in epoch 1.
struct Story {
    topic: Topic,
    counts: LogCounts,
}

fn fact(node: u32, what: Name, offset: u64, value: u64) -> Fact {
    let (at, root) = (Time(0), Root(offset as u32 + 1));
    Fact { at, node: NodeId(node), root, what, key: offset, value }
}

impl Story {
    fn new(accepted: u64) -> Story {
        let topic = Topic {
            cluster: 0,
            name: Name::of("orders"),
            label: String::new(),
            keeps: true,
            partitions: BTreeMap::new(),
            promised: Tally::default(),
            all: Tally::default(),
        };
        let mut told = Story { topic, counts: LogCounts::default() };
        told.led(1, 1, 0, 0);
        (0..accepted).for_each(|offset| told.accepted(1, 1, offset, Acks::All));
        told
    }

    fn tell(&mut self, fact: Fact) {
        self.topic.fact(&fact, (0, fact.key), (&mut self.counts, &[]));
    }

    fn led(&mut self, node: u32, epoch: u64, end: u64, last: u64) {
        self.tell(fact(node, facts::LED, end, epoch << 32 | last));
    }

    /// A leader writes a record and accepts it.
    fn accepted(&mut self, node: u32, epoch: u64, offset: u64, acks: Acks) {
        self.tell(fact(node, facts::APPENDED, offset, 5));
        self.tell(fact(node, facts::ACCEPTED, offset, (acks as u64) << 32 | epoch));
    }

    fn lost(&self) -> u64 {
        assert_eq!(self.topic.all.violations, self.counts.lost);
        self.counts.lost
    }
}

#[test]
fn a_leader_that_has_everything_loses_nothing() {
    let mut told = Story::new(5);
    told.led(2, 2, 5, 1);
    told.accepted(2, 2, 5, Acks::All);
    told.led(1, 3, 6, 2);
    assert_eq!((told.lost(), told.topic.all.checked, told.topic.promised.checked), (0, 6, 6));
}

#[test]
fn a_leader_that_has_less_loses_the_rest() {
    let mut told = Story::new(5);
    told.led(2, 2, 3, 1);
    assert_eq!(told.lost(), 2);
    assert_eq!(told.topic.promised.first.as_ref().map(|first| first.root), Some(4));
    told.accepted(2, 2, 3, Acks::All);
    // Another one with the old log leads for want of a better: what the second wrote is lost.
    told.led(3, 3, 5, 1);
    assert_eq!(told.lost(), 3);
    told.led(4, 4, 0, 0);
    assert_eq!(told.lost(), 6, "an empty log has nothing");
}

#[test]
fn what_a_deposed_leader_accepts_is_lost_at_once() {
    let mut told = Story::new(2);
    told.led(2, 2, 2, 1);
    told.accepted(1, 1, 2, Acks::Leader);
    assert_eq!((told.lost(), told.topic.promised.violations), (1, 0), "acks 1 promises nothing");
    told.accepted(2, 2, 2, Acks::All);
    told.led(3, 3, 3, 2);
    assert_eq!(told.lost(), 1, "the record that stands there is not");
}

#[test]
fn what_went_by_policy_is_not_lost() {
    let mut told = Story::new(5);
    told.tell(fact(1, facts::EXPIRED, 5, 0));
    told.led(2, 2, 5, 0);
    assert_eq!(told.lost(), 0);
}

#[test]
fn a_record_that_is_accepted_again_is_counted_once() {
    let mut told = Story::new(1);
    told.tell(fact(1, facts::ACCEPTED, 0, (Acks::All as u64) << 32 | 1));
    assert_eq!(told.topic.all.checked, 1);
}

#[test]
fn a_record_that_stands_there_twice_is_found() {
    let mut told = Story::new(2);
    let again = Fact { root: Root(1), ..fact(1, facts::APPENDED, 2, 5) };
    told.tell(again);
    assert_eq!(told.topic.partitions[&0].twice(), 1);
}
