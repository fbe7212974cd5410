//! Members come, go and are silent, and a partition is with one of them at a time.

use proptest::prelude::*;

use super::*;

const SESSION: Span = Span::from_seconds(10);
const PATIENCE: Span = Span::from_seconds(60);

fn terms(sharing: Sharing) -> Terms {
    Terms { sharing, session: SESSION, patience: PATIENCE, is_static: false }
}

fn partition(number: u32) -> PartitionId {
    PartitionId { topic: 0, number: number as u16 }
}

fn at(seconds: u64) -> Time {
    Time(0) + Span::from_seconds(seconds)
}

/// A member that does as it is told.
#[derive(Clone, Debug)]
struct Client {
    id: (MemberId, NodeId),
    version: u32,
    reads: BTreeSet<PartitionId>,
}

impl Client {
    fn join(group: &mut Group, node: u32, terms: Terms, now: Time) -> Client {
        let id = group.join(NodeId(node), terms, now);
        Client { id: (id, NodeId(node)), version: 0, reads: BTreeSet::new() }
    }

    /// Speaks to the coordinator once; false if it is out.
    fn beat(&mut self, group: &mut Group, now: Time) -> bool {
        match group.hear(self.id, self.version, now) {
            Answer::Unknown => return false,
            Answer::Same => {}
            Answer::Reads(version, reads) => (self.version, self.reads) = (version, reads.clone()),
        }
        true
    }
}

fn settle(group: &mut Group, clients: &mut [Client], now: Time) {
    for _ in 0..4 {
        clients.iter_mut().for_each(|client| assert!(client.beat(group, now)));
    }
}

fn counts(clients: &[Client]) -> Vec<usize> {
    clients.iter().map(|client| client.reads.len()).collect()
}

#[test]
fn partitions_are_shared_out_when_the_group_opens_and_not_before() {
    let mut group = Group::new(Span::from_seconds(3));
    group.subscribe((0..6).map(partition), at(0));
    let mut clients = vec![Client::join(&mut group, 1, terms(Sharing::Eager), at(0))];
    clients.push(Client::join(&mut group, 2, terms(Sharing::Eager), at(1)));
    settle(&mut group, &mut clients, at(2));
    assert_eq!((counts(&clients), group.next_due()), (vec![0, 0], at(3)));
    group.advance(at(3));
    settle(&mut group, &mut clients, at(3));
    assert_eq!((counts(&clients), group.generation()), (vec![3, 3], 1));
}

#[test]
fn eager_sharing_takes_everything_from_everyone_first() {
    let mut group = Group::new(Span::from_seconds(0));
    group.subscribe((0..4).map(partition), at(0));
    let mut clients = vec![Client::join(&mut group, 1, terms(Sharing::Eager), at(0))];
    settle(&mut group, &mut clients, at(0));
    assert_eq!(counts(&clients), [4]);
    clients.push(Client::join(&mut group, 2, terms(Sharing::Eager), at(1)));
    clients[1].beat(&mut group, at(1));
    assert_eq!(counts(&clients), [4, 0], "the first has not heard of it");
    clients[0].beat(&mut group, at(1));
    assert_eq!(counts(&clients), [0, 0], "everything is given up");
    settle(&mut group, &mut clients, at(1));
    assert_eq!(counts(&clients), [2, 2]);
}

#[test]
fn cooperative_sharing_moves_only_what_must_move() {
    let mut group = Group::new(Span::from_seconds(0));
    group.subscribe((0..6).map(partition), at(0));
    let mut clients = vec![Client::join(&mut group, 1, terms(Sharing::Cooperative), at(0))];
    clients.push(Client::join(&mut group, 2, terms(Sharing::Cooperative), at(0)));
    settle(&mut group, &mut clients, at(0));
    let before = clients.clone();
    clients.push(Client::join(&mut group, 3, terms(Sharing::Cooperative), at(1)));
    for step in 0..4 {
        for place in 0..3 {
            clients[place].beat(&mut group, at(1));
            let kept = (0..2).map(|it| clients[it].reads.intersection(&before[it].reads).count());
            assert!(kept.clone().all(|kept| kept >= 2), "in step {step} kept: {kept:?}");
        }
    }
    assert_eq!(counts(&clients), [2, 2, 2]);
}

#[test]
fn who_is_silent_is_out_and_others_read_what_it_had() {
    let mut group = Group::new(Span::from_seconds(0));
    group.subscribe((0..4).map(partition), at(0));
    let mut clients = vec![Client::join(&mut group, 1, terms(Sharing::Cooperative), at(0))];
    clients.push(Client::join(&mut group, 2, terms(Sharing::Cooperative), at(0)));
    settle(&mut group, &mut clients, at(0));
    let (mut alive, mut silent) = (clients[0].clone(), clients[1].clone());
    alive.beat(&mut group, at(5));
    assert_eq!(group.next_due(), at(10));
    group.advance(at(10));
    settle(&mut group, std::slice::from_mut(&mut alive), at(10));
    assert_eq!(alive.reads.len(), 4);
    let old = *silent.reads.first().expect("it had something");
    assert!(!group.holds(silent.id, old), "what it says now does not count");
    assert!(!silent.beat(&mut group, at(11)));
}

#[test]
fn who_does_not_give_up_in_time_is_out_although_it_is_heard_of() {
    let mut group = Group::new(Span::from_seconds(0));
    group.subscribe((0..2).map(partition), at(0));
    let mut clients = vec![Client::join(&mut group, 1, terms(Sharing::Cooperative), at(0))];
    settle(&mut group, &mut clients, at(0));
    clients.push(Client::join(&mut group, 2, terms(Sharing::Cooperative), at(1)));
    for second in 1..=60 {
        // It says that it is there, and never that it has given up.
        assert_ne!(group.hear(clients[0].id, 1, at(second)), Answer::Unknown);
        clients[1].beat(&mut group, at(second));
        group.advance(at(second));
        assert_eq!(counts(&clients)[1], 0, "nothing is given away that somebody still has");
    }
    clients[1].beat(&mut group, at(61));
    group.advance(at(61));
    clients[1].beat(&mut group, at(61));
    assert_eq!(clients[1].reads.len(), 2);
}

#[test]
fn a_static_member_that_comes_back_takes_its_place_again() {
    for (is_static, generations) in [(true, 1), (false, 2)] {
        let terms = Terms { is_static, ..terms(Sharing::Cooperative) };
        let mut group = Group::new(Span::from_seconds(3));
        group.subscribe((0..4).map(partition), at(0));
        let mut clients: Vec<Client> =
            (1..=2).map(|node| Client::join(&mut group, node, terms, at(0))).collect();
        group.advance(at(3));
        settle(&mut group, &mut clients, at(3));
        let had = clients[0].reads.clone();
        clients[0] = Client::join(&mut group, 1, terms, at(4));
        settle(&mut group, &mut clients, at(4));
        assert_eq!(group.generation(), generations);
        let same = clients[0].reads == had;
        assert_eq!(same, is_static, "the earlier one of its lives is still in the group");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Join(u32),
    Leave(u8),
    Beat(u8),
    Wait(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0_u32..5).prop_map(Step::Join),
        1 => any::<u8>().prop_map(Step::Leave),
        8 => any::<u8>().prop_map(Step::Beat),
        2 => (1_u8..15).prop_map(Step::Wait),
    ]
}

proptest! {
    /// Nobody may hold what another holds, whatever happens; and when all is quiet, everything is
    /// read by somebody and all read about as much.
    #[test]
    fn a_partition_is_with_one_member_at_a_time(
        is_eager in any::<bool>(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let terms = terms(if is_eager { Sharing::Eager } else { Sharing::Cooperative });
        let (mut group, mut now) = (Group::new(Span::from_seconds(3)), 0);
        group.subscribe((0..7).map(partition), at(0));
        let mut clients: Vec<Client> = Vec::new();
        for step in steps {
            let place = |pick: u8, clients: &[Client]| {
                (!clients.is_empty()).then(|| usize::from(pick) % clients.len())
            };
            match step {
                Step::Join(node) => clients.push(Client::join(&mut group, node, terms, at(now))),
                Step::Leave(pick) => if let Some(place) = place(pick, &clients) {
                    group.leave(clients.remove(place).id, at(now));
                },
                Step::Beat(pick) => if let Some(place) = place(pick, &clients)
                    && !clients[place].beat(&mut group, at(now)) {
                    clients.remove(place);
                },
                Step::Wait(seconds) => {
                    now += u64::from(seconds);
                    group.advance(at(now));
                }
            }
            let mut holders: BTreeSet<PartitionId> = BTreeSet::new();
            for client in clients.iter().filter(|client| group.is_member(client.id)) {
                prop_assert!(client.reads.iter().all(|it| group.holds(client.id, *it)));
                prop_assert!(client.reads.iter().all(|it| holders.insert(*it)));
            }
        }
        now += 3;
        group.advance(at(now));
        clients.retain_mut(|client| client.beat(&mut group, at(now)));
        settle(&mut group, &mut clients, at(now));
        if let (Some(most), Some(least)) =
            (counts(&clients).iter().max(), counts(&clients).iter().min())
            && clients.len() == group.size()
        {
            prop_assert_eq!(counts(&clients).iter().sum::<usize>(), 7);
            prop_assert!(most - least <= 1);
        }
    }
}
