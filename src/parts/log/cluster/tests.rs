//! Elections by hand: three brokers, one partition.

use super::*;

const ONE: NodeId = NodeId(1);
const TWO: NodeId = NodeId(2);
const THREE: NodeId = NodeId(3);
const AT: PartitionId = PartitionId { topic: 0, number: 0 };

fn cluster(is_unclean: bool) -> Cluster {
    let mut cluster = Cluster::default();
    let layout = Layout { topic: 0, partitions: 1, replicas: 3, is_unclean };
    assert!(cluster.add(layout, &[ONE, TWO, THREE]));
    assert!(!cluster.add(layout, &[ONE, TWO, THREE]), "that is no news");
    [ONE, TWO, THREE].into_iter().for_each(|broker| cluster.join(broker));
    cluster.elect();
    cluster
}

/// Leader, epoch and in-sync replicas.
fn stands(cluster: &Cluster) -> (Option<u8>, u32, u16) {
    let standing = cluster.partitions[&AT].standing;
    (standing.leader, standing.epoch, standing.isr)
}

#[test]
fn the_preferred_replica_leads_and_then_the_next_that_is_in_sync() {
    let mut cluster = cluster(false);
    assert_eq!(stands(&cluster), (Some(0), 1, 0b111));
    cluster.fence(ONE);
    cluster.elect();
    assert_eq!(stands(&cluster), (Some(1), 3, 0b110), "an epoch of nobody, then its own");
    cluster.fence(THREE);
    assert_eq!(stands(&cluster), (Some(1), 3, 0b010));
    cluster.fence(TWO);
    cluster.elect();
    assert_eq!(stands(&cluster), (None, 4, 0b010), "the last stays in sync");
    cluster.join(ONE);
    cluster.elect();
    assert_eq!(stands(&cluster), (None, 4, 0b010), "one that is not in sync does not lead");
    cluster.join(TWO);
    cluster.elect();
    assert_eq!(stands(&cluster), (Some(1), 5, 0b010));
    assert_eq!(cluster.take_changed(), [AT]);
    assert_eq!(cluster.take_changed(), []);
}

#[test]
fn where_it_is_allowed_a_replica_leads_that_is_not_in_sync() {
    let mut cluster = cluster(true);
    [THREE, TWO, ONE].into_iter().for_each(|broker| cluster.fence(broker));
    assert_eq!(stands(&cluster), (None, 2, 0b001));
    cluster.join(THREE);
    cluster.elect();
    assert_eq!(stands(&cluster), (Some(2), 3, 0b100), "and it alone is in sync");
}

#[test]
fn partitions_go_back_to_their_preferred_leaders_when_these_are_in_sync() {
    let mut cluster = cluster(false);
    cluster.fence(ONE);
    cluster.elect();
    cluster.join(ONE);
    cluster.prefer();
    assert_eq!(stands(&cluster), (Some(1), 3, 0b110), "it is not in sync yet");
    let version = cluster.partitions[&AT].standing.version;
    assert!(cluster.alter(TWO, (AT, 3, 0b111, version)).is_ok());
    cluster.prefer();
    assert_eq!(stands(&cluster), (Some(0), 4, 0b111));
}

#[test]
fn a_leader_that_was_deposed_does_not_change_who_is_in_sync() {
    let mut cluster = cluster(false);
    let version = cluster.partitions[&AT].standing.version;
    let (first, second) = ((AT, 1, 0b011, version), (AT, 1, 0b001, version));
    assert_eq!(cluster.alter(TWO, first), Err(Refusal::Fenced), "it does not lead");
    assert!(cluster.alter(ONE, first).is_ok());
    assert_eq!(cluster.alter(ONE, second), Err(Refusal::Fenced), "that version is over");
    let version = cluster.partitions[&AT].standing.version;
    let without_itself = (AT, 1, 0b010, version);
    assert_eq!(cluster.alter(ONE, without_itself), Err(Refusal::Fenced));
    cluster.fence(THREE);
    let with_a_dead_one = (AT, 1, 0b111, version);
    assert_eq!(cluster.alter(ONE, with_a_dead_one), Err(Refusal::Ineligible));
    cluster.fence(ONE);
    cluster.elect();
    let version = cluster.partitions[&AT].standing.version;
    assert_eq!(
        cluster.alter(ONE, (AT, 1, 0b001, version)),
        Err(Refusal::Fenced),
        "of an old epoch"
    );
}

#[test]
fn replicas_are_spread_one_broker_after_the_other() {
    let of = |topic, number| replicas_of(PartitionId { topic, number }, 2, &[ONE, TWO, THREE]);
    assert_eq!([of(0, 0), of(0, 1), of(0, 2)], [[ONE, TWO], [TWO, THREE], [THREE, ONE]]);
    assert_eq!(of(1, 0), [TWO, THREE], "each topic begins elsewhere");
}
