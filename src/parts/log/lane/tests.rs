//! Batches of one partition, by hand.

use super::*;

fn lane() -> Lane {
    let partition = PartitionId { topic: 0, number: 0 };
    let mut lane = Lane::new(Led { partition, leader: Some(NodeId(1)), epoch: 1 });
    lane.number = 7;
    lane
}

/// A batch of so many records without bodies, 200 bytes each, that may be sent at `ready`.
fn batch(order: u64, records: u64, ready: u64) -> Rc<Batch> {
    let batch = Batch::new(0, order, Time(ready), Time(1_000));
    for place in 0..records {
        assert_eq!(batch.add(Parcel::NOTHING), place);
    }
    Rc::new(batch)
}

#[test]
fn a_batch_is_sent_when_it_is_full_when_others_wait_or_when_its_time_has_come() {
    let mut lane = lane();
    assert!(!lane.is_ready(Time(9), 400), "there is none");
    lane.waiting.push_back(batch(0, 1, 10));
    assert!(
        !lane.is_ready(Time(9), 400) && lane.is_ready(Time(10), 400) && lane.is_ready(Time(9), 200)
    );
    assert!(lane.open(200, 400).is_some() && lane.open(201, 400).is_none());
    lane.waiting.push_back(batch(1, 1, 20));
    assert!(lane.is_ready(Time(9), 400), "the second waits behind it");
    let sent = lane.send(true).expect("it was there");
    assert_eq!((sent.order, sent.tries.get(), sent.is_out.get()), (0, 1, true));
    // One that failed waits for its time, full or not, and those behind it wait with it.
    lane.is_back(&sent);
    sent.ready.set(Time(50));
    lane.again(sent, true);
    assert!(!lane.is_ready(Time(49), 1) && lane.is_ready(Time(50), 1));
    assert!(lane.waiting[0].tries.get() == 1 && lane.open(1, 400).is_some(), "the second is open");
}

#[test]
fn what_is_sent_again_goes_to_its_place_or_to_the_front() {
    let orders = |in_order: bool| {
        let mut lane = lane();
        (0..4).for_each(|order| lane.waiting.push_back(batch(order, 1, 0)));
        let out: Vec<Rc<Batch>> = (0..3).filter_map(|_| lane.send(true)).collect();
        assert!(out.iter().map(|batch| batch.sequence.get()).eq([0, 1, 2].map(|at| Some((7, at)))));
        // The first and the second fail, in this order.
        for batch in &out[..2] {
            lane.is_back(batch);
            lane.again(batch.clone(), in_order);
        }
        assert!(lane.is_oldest(&out[0]) && !lane.is_oldest(&out[2]));
        lane.waiting.iter().map(|batch| batch.order).collect::<Vec<_>>()
    };
    assert_eq!(orders(true), [0, 1, 3]);
    assert_eq!(orders(false), [1, 0, 3]);
}

#[test]
fn a_producer_that_begins_anew_numbers_its_batches_anew() {
    let mut lane = lane();
    (0..2).for_each(|order| lane.waiting.push_back(batch(order, 2, 0)));
    let first = lane.send(true).expect("it is there");
    lane.is_back(&first);
    lane.again(first, true);
    lane.renew();
    assert_eq!((lane.number, lane.waiting[0].sequence.get()), (0, None));
    lane.number = 8;
    assert_eq!(lane.send(true).expect("it is there").sequence.get(), Some((8, 0)));
    assert_eq!(lane.send(true).expect("it is there").sequence.get(), Some((8, 2)));
}

#[test]
fn an_older_epoch_is_no_news() {
    let mut lane = lane();
    let led = |epoch, leader| Led { partition: lane.id, leader: Some(NodeId(leader)), epoch };
    let (old, new) = (led(0, 5), led(2, 6));
    lane.learn(old);
    assert_eq!(lane.leader, Some(NodeId(1)));
    lane.learn(new);
    assert_eq!((lane.leader, lane.epoch), (Some(NodeId(6)), 2));
}

#[test]
fn what_may_have_been_written_did_not_certainly_fail() {
    let batch = batch(0, 1, 0);
    assert_eq!(batch.overdue(), Fault::Expired);
    batch.is_out.set(true);
    assert_eq!(batch.overdue(), Fault::Timeout);
    batch.is_out.set(false);
    batch.may_be_written.set(true);
    assert_eq!(batch.overdue(), Fault::Timeout);
}
