//! The backlog by hand, and under anything that may be done to it.

use proptest::prelude::*;

use super::*;

fn message(number: u64, key: u64) -> Message {
    Message {
        number,
        root: Root(number as u32),
        class: Class(0),
        payload: 0,
        key,
        value: 1,
        since: Time(0),
        origin: None,
    }
}

fn filled(order: Order, count: u64) -> Backlog {
    let mut backlog = Backlog::new(order, None, 0);
    for key in 1..=count {
        let number = backlog.number();
        backlog.admit(message(number, key % 3), ((key % 2) as u8, 0), Time(0), Time(0));
    }
    backlog
}

fn take(backlog: &mut Backlog) -> Option<Taken> {
    backlog.take(|_| 0)
}

#[test]
fn a_message_is_out_until_it_is_settled_or_put_back() {
    let mut backlog = filled(Order::Arrival, 2);
    let first = take(&mut backlog).expect("there are two");
    assert_eq!((first.message.number, first.delivery), (1, 1));
    assert_eq!((backlog.waiting(), backlog.out(), backlog.depth()), (1, 1, 2));
    assert_eq!(backlog.put_back(first.ticket, Time(0), Time(5), true), None);
    let again = take(&mut backlog).expect("it is back");
    assert_eq!((again.message.number, again.delivery), (1, 2));
    assert!(backlog.settle(again.ticket).is_some());
    assert_eq!(backlog.settle(again.ticket), None, "only once");
    assert_eq!(backlog.get(again.ticket), None);
    let never = take(&mut backlog).expect("the second");
    backlog.put_back(never.ticket, Time(0), Time(5), false);
    assert_eq!(take(&mut backlog).map(|it| it.delivery), Some(1), "that one did not count");
}

#[test]
fn what_is_being_moved_holds_up_its_group() {
    let mut backlog = Backlog::new(Order::Groups { count: None }, None, 0);
    for (number, key) in [(1, 7), (2, 8), (3, 7)] {
        backlog.admit(message(number, key), (0, 0), Time(0), Time(0));
    }
    let moved = backlog.oldest().expect("there are three");
    assert_eq!(take(&mut backlog).map(|it| it.message.number), Some(2));
    assert!(take(&mut backlog).is_none(), "3 waits for 1");
    assert_eq!(backlog.settle(moved).map(|it| it.number), Some(1));
    assert_eq!(take(&mut backlog).map(|it| it.message.number), Some(3));
}

#[test]
fn what_is_out_for_too_long_is_told_unless_it_is_extended() {
    let mut backlog = filled(Order::Arrival, 2);
    let one = take(&mut backlog).expect("there are two");
    let two = take(&mut backlog).expect("there are two");
    assert_eq!(backlog.next_due(), Time::MAX, "it is not hidden for a while yet");
    assert!(backlog.hide(one.ticket, 1, Time(30)) && backlog.hide(two.ticket, 1, Time(30)));
    assert_eq!(backlog.next_due(), Time(30));
    assert!(backlog.hide(one.ticket, 1, Time(50)));
    assert!(!backlog.hide(one.ticket, 2, Time(90)), "of another delivery");
    assert_eq!(backlog.advance(Time(29)), None);
    assert_eq!(backlog.advance(Time(30)), Some(Lapse::Overdue(two.ticket)));
    assert_eq!(backlog.advance(Time(30)), None);
    assert_eq!(backlog.next_due(), Time(50));
    backlog.settle(one.ticket);
    assert_eq!(backlog.next_due(), Time::MAX, "what is settled falls due no more");
}

#[test]
fn a_message_for_later_waits_until_then() {
    let mut backlog = Backlog::new(Order::Arrival, None, 0);
    backlog.admit(message(1, 1), (0, 0), Time(10), Time(0));
    backlog.admit(message(2, 2), (0, 0), Time(5), Time(0));
    assert!(take(&mut backlog).is_none());
    assert_eq!((backlog.waiting(), backlog.next_due()), (2, Time(5)));
    assert_eq!(backlog.advance(Time(10)), None);
    assert_eq!(take(&mut backlog).map(|it| it.message.number), Some(1), "in order of arrival");
}

#[test]
fn what_waits_for_too_long_expires_and_what_is_out_does_so_when_it_comes_back() {
    let mut backlog = Backlog::new(Order::Arrival, Some(Span(10)), 0);
    for number in 1..=3 {
        backlog.admit(message(number, 1), (0, 0), Time(0), Time(0));
    }
    let out = take(&mut backlog).expect("there are three");
    let back = take(&mut backlog).expect("there are three");
    assert_eq!(backlog.put_back(back.ticket, Time(3), Time(3), true), None);
    let mut expired = Vec::new();
    while let Some(Lapse::Expired(ticket)) = backlog.advance(Time(10)) {
        expired.extend(backlog.settle(ticket).map(|it| it.number));
    }
    expired.sort_unstable();
    assert_eq!(expired, [2, 3]);
    assert_eq!(
        backlog.put_back(out.ticket, Time(11), Time(11), true),
        Some(Lapse::Expired(out.ticket))
    );
}

#[test]
fn a_full_queue_gives_up_what_came_first() {
    for (order, first) in [(Order::Arrival, 1), (Order::Fifo, 1), (Order::Priority, 1)] {
        let mut backlog = filled(order, 4);
        let ticket = backlog.oldest().expect("there are four");
        assert_eq!(backlog.settle(ticket).map(|it| it.number), Some(first), "{order:?}");
    }
    let mut later = Backlog::new(Order::Arrival, None, 0);
    later.admit(message(1, 1), (0, 0), Time(10), Time(0));
    assert!(later.oldest().is_some(), "also if it may not be handed out yet");
    assert_eq!(later.oldest(), None);
}

#[test]
fn a_ticket_of_an_earlier_life_says_nothing_about_a_message_of_this_one() {
    let mut old = filled(Order::Arrival, 1);
    let ticket = take(&mut old).expect("there is one").ticket;
    let mut new = Backlog::new(Order::Arrival, None, 7);
    new.admit(message(1, 1), (0, 0), Time(0), Time(0));
    assert_eq!((new.get(ticket), new.settle(ticket)), (None, None));
}

#[test]
fn dead_letters_are_found_by_where_they_come_from() {
    let mut backlog = filled(Order::Arrival, 2);
    let origin = Some(3);
    backlog.admit(Message { origin, ..message(3, 1) }, (0, 0), Time(0), Time(0));
    let found = backlog.of_origin(3);
    assert_eq!(found.len(), 1);
    assert_eq!((backlog.waiting(), backlog.out()), (2, 1));
    assert!(backlog.of_origin(3).is_empty(), "they are out");
}

/// What may be done to a backlog.
#[derive(Clone, Debug)]
enum Act {
    Admit { key: u64, later: u64 },
    Take,
    Settle(usize),
    PutBack(usize, u64),
    Pass(u64),
    Oldest,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (0_u64..4, 0_u64..6).prop_map(|(key, later)| Act::Admit { key, later }),
        4 => Just(Act::Take),
        2 => (0_usize..8).prop_map(Act::Settle),
        2 => (0_usize..8, 0_u64..6).prop_map(|(place, later)| Act::PutBack(place, later)),
        2 => (1_u64..5).prop_map(Act::Pass),
        1 => Just(Act::Oldest),
    ]
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![
        Just(Order::Arrival),
        Just(Order::BestEffort { spread: 3 }),
        Just(Order::Priority),
        Just(Order::Fifo),
        Just(Order::Groups { count: None }),
        Just(Order::Groups { count: Some(2) }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_message_is_lost_or_doubled_and_groups_keep_their_order(
        order in order(),
        ttl in prop_oneof![Just(None), (5_u64..20).prop_map(|ttl| Some(Span(ttl)))],
        acts in prop::collection::vec(act(), 1..80),
    ) {
        let mut backlog = Backlog::new(order, ttl, 0);
        let (mut now, mut out, mut left, mut admitted) = (Time(0), Vec::new(), 0, 0);
        let mut settled: Vec<(u64, u64)> = Vec::new();
        for act in acts {
            match act {
                Act::Admit { key, later } => {
                    let number = backlog.number();
                    let from = now + Span(if order == Order::Fifo { 3 } else { later });
                    let fresh = Message { since: now, ..message(number, key) };
                    backlog.admit(fresh, (key as u8, 0), from, now);
                    admitted += 1;
                }
                Act::Take => out.extend(backlog.take(|below| below - 1)),
                Act::Settle(place) if !out.is_empty() => {
                    let taken: Taken = out.remove(place % out.len());
                    let message = backlog.settle(taken.ticket).expect("it is out");
                    prop_assert_eq!(message, taken.message);
                    settled.push((order.group(message.key), message.number));
                    left += 1;
                }
                Act::PutBack(place, later) if !out.is_empty() => {
                    let taken = out.remove(place % out.len());
                    if backlog.put_back(taken.ticket, now + Span(later), now, true).is_some() {
                        backlog.settle(taken.ticket).expect("it is out");
                        left += 1;
                    }
                }
                Act::Pass(span) => {
                    now += Span(span);
                    while let Some(lapse) = backlog.advance(now) {
                        let Lapse::Expired(ticket) = lapse else { panic!("nobody set an end") };
                        backlog.settle(ticket).expect("it waited");
                        left += 1;
                    }
                }
                Act::Oldest => {
                    if let Some(ticket) = backlog.oldest() {
                        backlog.settle(ticket).expect("it waited");
                        left += 1;
                    }
                }
                Act::Settle(_) | Act::PutBack(..) => {}
            }
            prop_assert_eq!(backlog.depth() + left, admitted);
            prop_assert_eq!(backlog.out(), out.len());
            if matches!(order, Order::Fifo | Order::Groups { .. }) {
                let mut groups: Vec<u64> =
                    out.iter().map(|it| order.group(it.message.key)).collect();
                let many = groups.len();
                groups.sort_unstable();
                groups.dedup();
                prop_assert_eq!(groups.len(), many, "one of a group at a time");
            }
        }
        // Everything that is left can be had, and groups were settled in order.
        now += Span(100);
        while let Some(Lapse::Expired(ticket)) = backlog.advance(now) {
            backlog.settle(ticket);
        }
        for taken in out {
            let message = backlog.settle(taken.ticket).expect("it is out");
            settled.push((order.group(message.key), message.number));
        }
        while let Some(taken) = backlog.take(|_| 0) {
            backlog.settle(taken.ticket);
            settled.push((order.group(taken.message.key), taken.message.number));
        }
        prop_assert_eq!(backlog.depth(), 0);
        if matches!(order, Order::Fifo | Order::Groups { .. }) {
            for group in 0..4 {
                let of: Vec<u64> =
                    settled.iter().filter(|it| it.0 == group).map(|it| it.1).collect();
                prop_assert!(of.is_sorted(), "{:?}", of);
            }
        }
    }
}
