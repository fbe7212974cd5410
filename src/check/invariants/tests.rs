//! Each invariant on facts that are given to it by hand.

use super::*;
use crate::engine::Fault;
use crate::parts::client_facts;
use crate::scenario::{load, source::Source};

const TEXT: &str = r#"Scenario(
    title: "A shop",
    run: (load: "1s", quiet: "1s"),
    nodes: {
        "buyers": Client(target: "orders", operation: "buy", load: Constant(rate: "1/s")),
        "orders": Saga(steps: [(service: "shop", action: "sell", compensation: "return")]),
        "shop": Service(store: "store", operations: {
            "sell": (transfer: (from: "stock", to: "sold")),
            "return": (undoes: "sell"),
        }),
        "store": Store(accounts: [(name: "stock", balance: 9)]),
        "post": Broker(queues: {"bills": (), "mail": ()}),
    },
    invariants: {
        "atomic": Atomic(accounts: [(store: "store", account: "sold"), (store: "store", account: "paid")]),
        "converged": Converged(within: "500ms"),
        "conserved": Conserved(accounts: [(store: "store", account: "stock"), (store: "store", account: "sold")]),
        "once": Once(accounts: [(store: "store", account: "sold")]),
        "published": Published(account: (store: "store", account: "sold"), broker: "post", queue: "mail"),
        "settled": Settled(node: "orders"),
        "truthful": Truthful(accounts: [(store: "store", account: "sold"), (store: "store", account: "paid")]),
    },
)"#;

const SOLD: Name = Name::of("sold");
const PAID: Name = Name::of("paid");
const STOCK: Name = Name::of("stock");

/// What one invariant finds in facts that are given to it.
struct Bench {
    checker: Checker,
    effects: Effects,
    requests: Requests,
    scenario: Scenario,
}

fn bench(name: &str) -> Bench {
    let scenario = load(&Source::new("shop.ron", TEXT)).expect("it can be read");
    let effects = Effects::new(&scenario.invariants);
    let invariant = scenario.invariants.iter().find(|(known, _)| known == name);
    let (_, invariant) = invariant.expect("it is one of them");
    let checker = Checker::new(name, invariant, &effects, (&scenario, &scenario.variants[0]));
    let buyers = [(NodeId(0), "buyers".to_owned())];
    let requests = Requests::new(&buyers, 4, Time(0), scenario.variants[0].phases.end());
    Bench { checker, effects, requests, scenario }
}

impl Bench {
    fn fact(&self, at: u64, node: &str, root: u32, what: Name) -> Fact {
        let place = self.scenario.names.iter().position(|name| name == node);
        let node = NodeId(place.expect("the node is there") as u32);
        Fact { at: Time(at), node, root: Root(root), what, key: 0, value: 1 }
    }

    fn give(&mut self, at: u64, root: u32, account: Name, amount: i64) {
        let fact = Fact { value: amount as u64, ..self.fact(at, "store", root, account) };
        let change = self.effects.read(&fact).expect("the account is known");
        self.checker.changed(&fact, &change);
    }

    fn saga(&mut self, at: u64, root: u32, what: Name) {
        let fact = self.fact(at, "orders", root, what);
        self.checker.noted(&fact);
    }

    /// A client's request; `None` if it never ends.
    fn request(&mut self, root: u32, told: Option<Result<(), Fault>>) {
        let started = self.fact(1, "buyers", root, client_facts::STARTED);
        self.requests.started(&started);
        let (what, key) = match told {
            None => return,
            Some(Ok(())) => (client_facts::SUCCEEDED, 0),
            Some(Err(fault)) => (client_facts::FAILED, fault as u64),
        };
        let ended = Fact { key, ..self.fact(9, "buyers", root, what) };
        self.requests.ended(&ended);
    }

    fn finish(self) -> Finding {
        self.finish_with(&[])
    }

    fn finish_with(mut self, stuck: &[Stuck]) -> Finding {
        let quiet = self.scenario.variants[0].phases.quiet_from();
        let rest = Rest { quiet, end: self.scenario.variants[0].phases.end(), stuck };
        self.checker.finish(&self.effects, &self.requests, &rest);
        self.checker.finding()
    }
}

fn found(finding: &Finding) -> (u64, u64) {
    (finding.checked, finding.violations)
}

#[test]
fn atomic_is_about_what_is_there_in_the_end() {
    let mut whole = bench("atomic");
    whole.give(5, 1, SOLD, 1);
    whole.give(6, 1, PAID, 700);
    whole.give(7, 2, SOLD, 1);
    whole.give(8, 2, SOLD, -1);
    assert_eq!(found(&whole.finish()), (2, 0), "one whole, one undone");
    let mut half = bench("atomic");
    half.give(5, 3, SOLD, 1);
    half.give(7, 1, PAID, 700);
    let finding = half.finish();
    assert_eq!(found(&finding), (2, 2));
    let first = finding.first.expect("there is one");
    assert_eq!((first.at, first.root), (Time(5), 3), "the first in time, not in number");
    assert_eq!(first.what, "half applied: store sold yes, store paid no");
}

#[test]
fn once_is_broken_by_a_second_gift_and_by_taking_back_too_much() {
    let mut fine = bench("once");
    for amount in [5, -5, 5] {
        fine.give(5, 1, SOLD, amount);
    }
    fine.give(6, 2, SOLD, 3);
    assert_eq!(found(&fine.finish()), (4, 0), "given, taken back and given again");
    for (amounts, net) in [([5, 5], 10), ([5, -6], -1)] {
        let mut wrong = bench("once");
        amounts.iter().for_each(|amount| wrong.give(5, 1, SOLD, *amount));
        let finding = wrong.finish();
        assert_eq!(found(&finding), (2, 1));
        let what = finding.first.expect("there is one").what;
        assert_eq!(what, format!("store sold got {net} from one operation of 5"));
    }
}

#[test]
fn conserved_looks_when_time_moves_on() {
    let mut fine = bench("conserved");
    fine.give(5, 1, STOCK, -2);
    fine.give(5, 1, SOLD, 2);
    fine.give(6, 2, STOCK, -1);
    fine.give(6, 2, SOLD, 1);
    assert_eq!(fine.finish().violations, 0, "both sides of a transfer are one instant");
    let mut leak = bench("conserved");
    leak.give(5, 1, STOCK, -2);
    leak.give(6, 2, SOLD, 2);
    let finding = leak.finish();
    assert_eq!(finding.violations, 1, "for an instant two pieces were nowhere");
    let first = finding.first.expect("there is one");
    assert_eq!((first.at, first.root), (Time(5), 1));
    assert_eq!(first.what, "the sum over store stock, store sold changed by -2");
    let mut last = bench("conserved");
    last.give(5, 1, SOLD, 2);
    assert_eq!(last.finish().violations, 1, "also if nothing happens after it");
}

#[test]
fn truthful_holds_clients_to_what_they_were_told_for_certain() {
    let whole = |bench: &mut Bench, root| {
        bench.give(5, root, SOLD, 1);
        bench.give(5, root, PAID, 1);
    };
    let mut fine = bench("truthful");
    fine.request(1, Some(Ok(())));
    whole(&mut fine, 1);
    fine.request(2, Some(Err(Fault::Refused)));
    fine.request(3, Some(Err(Fault::Timeout)));
    whole(&mut fine, 3);
    fine.request(4, None);
    fine.give(5, 4, PAID, 1);
    assert_eq!(found(&fine.finish()), (2, 0), "nothing was promised to the last two");
    let mut lied = bench("truthful");
    lied.request(1, Some(Ok(())));
    lied.give(5, 1, SOLD, 1);
    lied.request(2, Some(Err(Fault::Refused)));
    lied.give(5, 2, PAID, 1);
    let finding = lied.finish();
    assert_eq!(found(&finding), (2, 2));
    let what = finding.first.expect("there is one").what;
    assert_eq!(what, "the client was told `success`, yet the operation lacks store paid");
}

#[test]
fn converged_wants_an_end_in_time_for_every_request_and_nodes_at_rest() {
    let mut fine = bench("converged");
    fine.request(1, Some(Ok(())));
    fine.request(2, Some(Err(Fault::Refused)));
    assert_eq!(found(&fine.finish()), (3, 0), "however it ended");
    let mut open = bench("converged");
    open.request(1, Some(Ok(())));
    open.request(2, None);
    let finding = open.finish();
    assert_eq!(found(&finding), (3, 1));
    let first = finding.first.expect("there is one");
    assert_eq!((first.root, first.what.as_str()), (2, "a request has no end by 1.5 s"));
    let down = Stuck { node: "shop".into(), what: "is down".into(), since: None };
    let finding = bench("converged").finish_with(&[down]);
    assert_eq!(found(&finding), (1, 1));
    assert_eq!(finding.first.expect("there is one").what, "shop is down at the end");
}

#[test]
fn settled_wants_an_end_for_every_saga_of_its_coordinator() {
    let mut bench = bench("settled");
    for (root, end) in [(1, saga::COMPLETED), (2, saga::COMPENSATED), (3, saga::PARKED)] {
        bench.saga(u64::from(root), root, saga::BEGAN);
        bench.saga(9, root, end);
    }
    bench.saga(7, 4, saga::BEGAN);
    bench.saga(8, 5, saga::BEGAN);
    let elsewhere = bench.fact(8, "shop", 6, saga::BEGAN);
    bench.checker.noted(&elsewhere);
    let finding = bench.finish();
    assert_eq!(found(&finding), (5, 2));
    let first = finding.first.expect("there is one");
    assert_eq!((first.at, first.root), (Time(7), 4));
}

#[test]
fn published_wants_an_event_of_all_that_was_committed_and_of_nothing_else() {
    let mut bench = bench("published");
    let accepted = |bench: &mut Bench, at, root, place: u64| {
        let what = crate::parts::broker_facts::ACCEPTED;
        let fact = Fact { key: place << 48, ..bench.fact(at, "post", root, what) };
        bench.checker.noted(&fact);
    };
    bench.give(2, 1, SOLD, 1);
    accepted(&mut bench, 3, 1, 1);
    accepted(&mut bench, 4, 2, 1);
    bench.give(5, 2, SOLD, 1);
    assert_eq!(Checker::published(&[]), None);
    // Another queue's message is none, what was undone never was, and twice is not once too often.
    bench.give(6, 3, SOLD, 1);
    accepted(&mut bench, 7, 3, 0);
    accepted(&mut bench, 5, 4, 1);
    bench.give(8, 4, SOLD, 1);
    bench.give(9, 4, SOLD, -1);
    accepted(&mut bench, 8, 900, 1);
    accepted(&mut bench, 9, 1, 1);
    let Bench { mut checker, effects, requests, scenario } = bench;
    let end = scenario.variants[0].phases.end();
    checker.finish(&effects, &requests, &Rest { quiet: end, end, stuck: &[] });
    let finding = checker.finding();
    assert_eq!(found(&finding), (5, 3));
    let first = finding.first.expect("there is one");
    let phantom = "an event was published of what was never given to store sold";
    assert_eq!((first.at, first.root, first.what.as_str()), (Time(5), 4, phantom));
    assert_eq!(Checker::published(&[checker]), Some((1, 2)));
}
