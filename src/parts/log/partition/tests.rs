//! Logs of partitions, written by hand.

use super::*;
use crate::engine::{Bytes, Span};
use crate::parts::log::settings::Retention;

fn record(offset: u64, epoch: u32, key: u64) -> Record {
    Record {
        offset,
        epoch,
        root: Root(1),
        class: Class(0),
        payload: 4,
        key,
        value: 0,
        since: Time(offset),
        producer: 0,
        sequence: 0,
    }
}

/// A log whose records have these epochs, from offset 0.
fn log(epochs: &[u32]) -> Partition {
    let mut log = Partition::default();
    for (offset, epoch) in (0_u64..).zip(epochs) {
        log.append(record(offset, *epoch, offset), Time(offset));
    }
    log
}

fn offsets(log: &Partition) -> Vec<u64> {
    log.read(0, u64::MAX, u32::MAX).map(|record| record.offset).collect()
}

#[test]
fn an_epoch_ends_where_the_next_begins_or_where_the_log_does() {
    let mut log = log(&[1, 1, 3, 3, 3]);
    assert_eq!(log.epoch_end(1), (1, 2));
    assert_eq!(log.epoch_end(2), (1, 2), "the largest up to what is asked for");
    assert_eq!(log.epoch_end(9), (3, 5));
    assert_eq!(log.epoch_end(0), (0, 0));
    log.begin_epoch(4, 5);
    assert_eq!((log.last_epoch(), log.epoch_of_last()), (4, 3), "nothing is written in 4 yet");
    log.begin_epoch(5, 5);
    assert_eq!(log.epoch_end(4), (3, 5), "4 has left nothing");
}

/// Cuts a follower's log back until it agrees with the leader's; gives how far it then goes.
fn agreed(mut follower: Partition, leader: &Partition) -> u64 {
    let mut asked = follower.last_epoch();
    for _ in 0..10 {
        let (epoch, end) = leader.epoch_end(asked);
        let (to, next) = follower.agrees_up_to(epoch, end);
        follower.truncate(to);
        match next {
            Some(next) => asked = next,
            None => return follower.end(),
        }
    }
    panic!("they never agree");
}

#[test]
fn a_follower_gives_up_what_the_leader_does_not_have_and_no_more() {
    // The follower led in epoch 2 and wrote what nobody else has.
    assert_eq!(agreed(log(&[1, 1, 2, 2]), &log(&[1, 1, 1, 3])), 2);
    // It lags behind.
    assert_eq!(agreed(log(&[1, 1]), &log(&[1, 1, 1, 2])), 2);
    // It is ahead in the leader's own last epoch.
    assert_eq!(agreed(log(&[1, 1, 1]), &log(&[1, 1])), 2);
    // KIP-279: two of its epochs are unknown to the leader, one after the other.
    assert_eq!(agreed(log(&[1, 2, 2, 4]), &log(&[1, 1, 3, 3, 5])), 1);
    // They have nothing in common.
    assert_eq!(agreed(log(&[2, 2]), &log(&[1, 3])), 0);
    assert_eq!(agreed(log(&[1, 1]), &log(&[])), 0, "the leader's disk was lost");
}

#[test]
fn what_is_cut_off_is_gone_with_its_epochs_and_sequence_numbers() {
    let mut log = log(&[1, 1]);
    log.append(Record { producer: 7, sequence: 0, ..record(2, 2, 5) }, Time(2));
    log.append(Record { producer: 7, sequence: 1, ..record(3, 3, 5) }, Time(3));
    log.raise(9);
    assert_eq!(log.high_watermark(), 4, "not beyond the end");
    assert_eq!(log.sequence(7, 2, 1), Sequence::Next);
    assert_eq!(log.truncate(3), 1);
    assert_eq!((log.end(), log.high_watermark(), log.last_epoch()), (3, 3, 2));
    assert_eq!(log.sequence(7, 1, 1), Sequence::Next, "1 is unknown again");
    assert_eq!(log.truncate(3), 0);
}

#[test]
fn a_batch_of_an_idempotent_producer_is_next_or_known_or_leaves_a_gap() {
    let mut log = log(&[1]);
    assert_eq!(log.sequence(7, 3, 2), Sequence::Next, "nothing is known of it");
    for sequence in 0..4 {
        let next = record(log.end(), 1, 9);
        log.append(Record { producer: 7, sequence, ..next }, Time(0));
    }
    assert_eq!(log.sequence(7, 4, 2), Sequence::Next);
    assert_eq!(log.sequence(7, 5, 1), Sequence::Gap);
    assert_eq!(log.sequence(7, 1, 2), Sequence::Known(2, 3), "its last record is at offset 3");
    assert_eq!(log.sequence(7, 2, 5), Sequence::Part(2, 3), "2 and 3 are there, 4 to 6 are not");
    assert_eq!(log.sequence(8, 0, 1), Sequence::Next, "another producer");
}

#[test]
fn old_segments_go_as_a_whole_and_only_below_the_high_watermark() {
    let mut log = Partition::default();
    // Two records of 100 bytes each fill a segment.
    log.segments.set_roll(Bytes(200), Span::MAX);
    for offset in 0..7 {
        log.append(record(offset, 1, offset), Time(offset * 10));
    }
    let expired = |log: &Partition, now: u64, time: Option<u64>, size: Option<u64>| {
        let keep = Retention { time: time.map(Span), size: size.map(Bytes), ..Default::default() };
        log.segments.expired(Time(now), &keep, (log.high_watermark(), log.end()))
    };
    assert_eq!(expired(&log, 100, Some(50), None), None, "nothing is below the high watermark");
    log.raise(7);
    // The records of a test are from the instant of their offset.
    assert_eq!(expired(&log, 53, Some(50), None), Some(4), "offset 4 is 49 old");
    assert_eq!(expired(&log, 1_000, Some(50), None), Some(7), "the active one, too");
    assert_eq!(expired(&log, 0, None, Some(700)), None);
    assert_eq!(expired(&log, 0, None, Some(500)), Some(2), "without the first it is 500");
    assert_eq!(expired(&log, 0, None, Some(1)), Some(6), "the active one stays");
    log.expire(4);
    assert_eq!((log.start(), offsets(&log), log.segments.bytes()), (4, vec![4, 5, 6], 300));
    assert_eq!(log.epoch_end(1), (1, 7));
    log.expire(9);
    assert_eq!((log.start(), log.end(), log.len(), log.segments.bytes()), (9, 9, 0, 0));
}

#[test]
fn a_segment_is_full_or_old() {
    let mut log = Partition::default();
    log.segments.set_roll(Bytes(1 << 20), Span(10));
    for offset in 0..3 {
        log.append(record(offset, 1, 0), Time(offset * 6));
    }
    assert_eq!(log.segments.active(), Some(2), "the first began at 0 and is 12 old");
}

#[test]
fn compaction_keeps_the_last_of_each_key_but_not_of_what_it_does_not_look_at() {
    let mut log = Partition::default();
    for (offset, key) in (0..).zip([1, 2, 1, 3, 2, 1]) {
        log.append(record(offset, 1, key), Time(0));
    }
    let before = log.segments.bytes();
    assert_eq!(log.compact(4), 1, "only 0 has a later one of its key before 4");
    assert_eq!(offsets(&log), [1, 2, 3, 4, 5]);
    assert_eq!(log.segments.bytes(), before - 100);
    assert_eq!(log.compact(6), 2);
    assert_eq!((offsets(&log), log.end()), (vec![3, 4, 5], 6));
    assert_eq!(log.read(0, 5, 1).map(|record| record.offset).collect::<Vec<_>>(), [3]);
    assert_eq!(log.offset_since(Time(0)), Some(3));
}
