//! A leader's view of its followers, by hand: brokers 1 to 3, of which 1 leads.

use super::*;
use crate::engine::Parcel;
use crate::parts::log::partition::Record;

const ONE: NodeId = NodeId(1);
const TWO: NodeId = NodeId(2);
const THREE: NodeId = NodeId(3);
const LAG: Span = Span(30);

/// A leader of epoch 1 with so many records.
fn leader(records: u64) -> Replica {
    let id = PartitionId { topic: 0, number: 0 };
    let replica = Replica::new(id, &LogTopic::default(), vec![ONE, TWO, THREE], ONE);
    replica.standing.set(Standing { leader: Some(0), epoch: 1, isr: 0b111, version: 1 });
    replica.lead(1, Time(0));
    write(&replica, records);
    replica
}

fn write(replica: &Replica, records: u64) {
    for _ in 0..records {
        let offset = replica.log.borrow().end();
        let record = Record { offset, epoch: 1, ..Record::of(&Parcel::NOTHING) };
        replica.log.borrow_mut().append(record, Time(0));
    }
    replica.wrote(replica.log.borrow().end());
}

fn watermark(replica: &Replica) -> u64 {
    replica.advance();
    replica.extent().high_watermark
}

#[test]
fn the_high_watermark_is_where_the_last_of_the_in_sync_replicas_is() {
    let replica = leader(5);
    assert_eq!((replica.leads(), replica.leader(), replica.in_sync()), (Some(1), Some(ONE), 3));
    assert_eq!(watermark(&replica), 0);
    replica.follows(TWO, 5, Time(1));
    assert_eq!(watermark(&replica), 0, "the third has nothing");
    replica.follows(THREE, 3, Time(1));
    assert_eq!(watermark(&replica), 3);
    replica.follows(NodeId(9), 0, Time(1));
    replica.standing.set(Standing { isr: 0b011, version: 2, ..replica.standing.get() });
    assert_eq!(watermark(&replica), 5, "the third does not count any more");
    // One that is about to join counts as soon as it is proposed.
    replica.propose(Some(0b111));
    write(&replica, 1);
    replica.follows(TWO, 6, Time(2));
    assert_eq!(watermark(&replica), 5, "it never goes back, nor beyond what the third has");
}

#[test]
fn a_follower_that_does_not_keep_up_is_in_sync_no_more_until_it_has_caught_up() {
    let replica = leader(5);
    replica.follows(TWO, 5, Time(1));
    replica.follows(THREE, 3, Time(1));
    assert_eq!(replica.should_be(Time(29), LAG), None);
    assert_eq!(replica.should_be(Time(30), LAG), Some(0b011), "the third lags since 0");
    replica.propose(Some(0b011));
    assert_eq!(replica.should_be(Time(30), LAG), None, "that is under way");
    replica.propose(None);
    replica.standing.set(Standing { isr: 0b011, version: 2, ..replica.standing.get() });
    replica.advance();
    assert_eq!(replica.should_be(Time(31), LAG), None);
    // What it had when it last asked was all that there then was.
    write(&replica, 1);
    replica.follows(TWO, 6, Time(31));
    replica.follows(THREE, 5, Time(31));
    assert_eq!(replica.should_be(Time(31), LAG), Some(0b111), "it has reached the high watermark");
}

#[test]
fn a_follower_keeps_up_that_has_all_that_there_was_when_it_last_asked() {
    let replica = leader(5);
    replica.follows(TWO, 5, Time(0));
    for at in 0..100 {
        // There is always something new when it asks again.
        replica.follows(THREE, 5 + at, Time(at));
        write(&replica, 1);
        replica.follows(TWO, 6 + at, Time(at));
    }
    assert_eq!(replica.should_be(Time(100), LAG), None);
}

#[test]
fn what_is_cleared_is_as_at_the_start() {
    let replica = leader(5);
    replica.clear();
    assert_eq!((replica.leads(), replica.leader(), replica.log.borrow().end()), (None, None, 0));
}
