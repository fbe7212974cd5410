//! Invariants: what must hold in every run, and the first time that it did not.

use std::collections::BTreeMap;

use super::effects::{AccountId, Change, Effects, accounts};
use super::exclusion::{Exclusion, Fencing};
use super::outcome::{Finding, Stuck, Violation};
use super::queues::{Promise, Queues, Tally};
use super::requests::{Requests, Standing};
use crate::engine::{Fact, Name, NodeId, Root, Span, Time};
use crate::patterns::saga::facts as saga;
use crate::scenario::{Invariant, Scenario};

/// One invariant while a run goes on.
pub(crate) struct Checker {
    name: String,
    kind: Kind,
    /// The accounts that it is about, and how reports call them.
    accounts: Vec<AccountId>,
    labels: Vec<String>,
    checked: u64,
    violations: u64,
    first: Option<Violation>,
}

/// How a run has ended.
pub(crate) struct Rest<'a> {
    /// From here on there was neither load nor fault.
    pub quiet: Time,
    pub end: Time,
    /// What of the world had not come to rest.
    pub stuck: &'a [Stuck],
}

enum Kind {
    Atomic,
    Once,
    /// The sum's change since the start, as of this instant.
    Conserved {
        sum: i64,
        at: Time,
        root: Root,
    },
    Truthful,
    Converged {
        within: Option<Span>,
    },
    /// Sagas without an end: since when, by operation.
    Settled {
        node: NodeId,
        open: BTreeMap<Root, (Time, u64)>,
    },
    Exclusive(Exclusion),
    Fenced(Fencing),
    /// What a queue of a broker promises, or does not.
    Queue {
        broker: NodeId,
        queue: Name,
        promise: Promise,
        label: String,
    },
}

impl Checker {
    pub fn new(
        name: &str,
        invariant: &Invariant,
        effects: &Effects,
        scenario: &Scenario,
    ) -> Checker {
        let kind = match invariant {
            Invariant::Atomic { .. } => Kind::Atomic,
            Invariant::Once { .. } => Kind::Once,
            Invariant::Conserved { .. } => {
                Kind::Conserved { sum: 0, at: Time(0), root: Root::NONE }
            }
            Invariant::Truthful { .. } => Kind::Truthful,
            Invariant::Converged { within } => Kind::Converged { within: *within },
            Invariant::Exclusive { holders } => Kind::Exclusive(Exclusion::new(holders, scenario)),
            Invariant::Fenced { store } => Kind::Fenced(Fencing::new(*store, scenario)),
            Invariant::Settled { node } => Kind::Settled { node: *node, open: BTreeMap::new() },
            Invariant::Kept { .. } => queue(invariant, Promise::Kept, scenario),
            Invariant::AtLeastOnce { .. } => queue(invariant, Promise::AtLeastOnce, scenario),
            Invariant::AtMostOnce { .. } => queue(invariant, Promise::AtMostOnce, scenario),
            Invariant::InOrder { .. } => queue(invariant, Promise::InOrder, scenario),
        };
        let named = accounts(invariant);
        let label = |account: &crate::scenario::AccountRef| {
            let store = scenario.node(account.store);
            format!("{store} {}", scenario.lexicon.spelling(account.account))
        };
        Checker {
            name: name.to_owned(),
            kind,
            accounts: named.iter().map(|account| effects.id(*account)).collect(),
            labels: named.iter().map(label).collect(),
            checked: 0,
            violations: 0,
            first: None,
        }
    }

    fn violated(&mut self, at: Time, root: Root, what: impl FnOnce(&[String]) -> String) {
        self.violations += 1;
        if self.first.as_ref().is_none_or(|first| at < first.at) {
            self.first = Some(Violation { at, root: root.0, what: what(&self.labels) });
        }
    }

    /// An account has changed.
    #[inline]
    pub fn changed(&mut self, fact: &Fact, change: &Change) {
        let Some(place) = self.accounts.iter().position(|one| *one == change.account) else {
            return;
        };
        match &mut self.kind {
            Kind::Once => {
                self.checked += 1;
                let effect = change.effect;
                if effect.net != 0 && effect.net != effect.unit {
                    self.violated(fact.at, fact.root, |labels| {
                        let (net, unit) = (effect.net, effect.unit);
                        format!("{} got {net} from one operation of {unit}", labels[place])
                    });
                }
            }
            Kind::Conserved { sum, at, root } => {
                let (old, when, whose) = (*sum, *at, *root);
                (*sum, *at, *root) = (old + change.delta, fact.at, fact.root);
                if fact.at > when {
                    self.balance(old, when, whose);
                }
            }
            _ => {}
        }
    }

    fn balance(&mut self, sum: i64, at: Time, root: Root) {
        self.checked += 1;
        if sum != 0 {
            self.violated(at, root, |labels| {
                format!("the sum over {} changed by {sum}", labels.join(", "))
            });
        }
    }

    /// Something else has happened.
    #[inline]
    pub fn noted(&mut self, fact: &Fact) {
        let verdict = match &mut self.kind {
            Kind::Exclusive(exclusion) => exclusion.noted(fact),
            Kind::Fenced(fencing) => fencing.noted(fact),
            _ => None,
        };
        self.checked += u64::from(verdict.is_some());
        if let Some(Err(what)) = verdict {
            self.violated(fact.at, fact.root, |_| what);
        }
        let Kind::Settled { node, open } = &mut self.kind else { return };
        match fact.what {
            _ if *node != fact.node => {}
            saga::BEGAN => {
                self.checked += 1;
                open.insert(fact.root, (fact.at, fact.key));
            }
            saga::COMPLETED | saga::COMPENSATED | saga::PARKED => {
                open.remove(&fact.root);
            }
            _ => {}
        }
    }

    /// The system has come to rest.
    pub fn finish(&mut self, effects: &Effects, requests: &Requests, rest: &Rest<'_>) {
        match &mut self.kind {
            Kind::Atomic => self.finish_atomic(effects),
            Kind::Truthful => self.finish_truthful(effects, requests),
            Kind::Settled { open, .. } => {
                for (root, (at, key)) in std::mem::take(open) {
                    self.violated(at, root, |_| format!("saga {key:x} never came to an end"));
                }
            }
            Kind::Conserved { sum, at, root } => {
                let (sum, at, root) = (*sum, *at, *root);
                self.balance(sum, at, root);
            }
            Kind::Converged { within } => {
                let within = *within;
                self.finish_converged(within, requests, rest);
            }
            Kind::Once | Kind::Exclusive(_) | Kind::Fenced(_) | Kind::Queue { .. } => {}
        }
    }

    /// What the queues of the run have shown.
    pub fn finish_queue(&mut self, queues: Option<&Queues>) {
        if let (Kind::Queue { broker, queue, promise, .. }, Some(queues)) = (&self.kind, queues) {
            let Tally { checked, violations, first } = queues.tally(*broker, *queue, *promise);
            (self.checked, self.violations, self.first) = (checked, violations, first);
        }
    }

    fn finish_converged(&mut self, within: Option<Span>, requests: &Requests, rest: &Rest<'_>) {
        let last = within.map_or(rest.end, |within| rest.quiet + within);
        for (root, request) in requests.iter() {
            self.checked += 1;
            if request.standing == Standing::Open || request.ended > last {
                self.violated(request.began, root, |_| format!("a request has no end by {last}"));
            }
        }
        self.checked += 1;
        for stuck in rest.stuck {
            let what = || format!("{} {} at the end", stuck.node, stuck.what);
            self.violated(rest.end, Root::NONE, |_| what());
        }
    }

    fn finish_atomic(&mut self, effects: &Effects) {
        for root in effects.roots() {
            let parts = effects.of(root, &self.accounts);
            let Some(last) = parts.iter().map(|effect| effect.at).max() else { continue };
            if last == Time(0) {
                continue;
            }
            self.checked += 1;
            let applied: Vec<bool> = parts.iter().map(|effect| effect.is_applied()).collect();
            if applied.contains(&true) && applied.contains(&false) {
                self.violated(last, root, |labels| half_applied(labels, &applied));
            }
        }
    }

    fn finish_truthful(&mut self, effects: &Effects, requests: &Requests) {
        for (root, request) in requests.iter() {
            let promised = match request.standing {
                Standing::Succeeded => true,
                Standing::Failed(fault) if fault.is_definite() => false,
                Standing::Failed(_) | Standing::Open => continue,
            };
            self.checked += 1;
            let parts = effects.of(root, &self.accounts);
            if parts.iter().all(|effect| effect.is_applied() == promised) {
                continue;
            }
            let at = request.ended;
            let told = match request.standing {
                Standing::Failed(fault) => fault.label(),
                _ => "success",
            };
            self.violated(at, root, |labels| {
                let wrong = parts.iter().zip(labels);
                let wrong: Vec<&str> = wrong
                    .filter(|(effect, _)| effect.is_applied() != promised)
                    .map(|(_, label)| label.as_str())
                    .collect();
                let verb = if promised { "lacks" } else { "has" };
                format!(
                    "the client was told `{told}`, yet the operation {verb} {}",
                    wrong.join(", ")
                )
            });
        }
    }

    pub fn finding(&self) -> Finding {
        let accounts = self.labels.join(", ");
        let says = match &self.kind {
            Kind::Atomic => {
                format!("in the end an operation has given to all of {accounts}, or to none")
            }
            Kind::Once => format!("an operation gives to each of {accounts} at most once"),
            Kind::Conserved { .. } => format!("the sum over {accounts} never changes"),
            Kind::Truthful => {
                format!("what clients are told of an operation is so for {accounts}")
            }
            Kind::Converged { within } => {
                let when = within.map_or("by the end".to_owned(), |span| format!("within {span}"));
                format!("without load and faults the system comes to rest {when}")
            }
            Kind::Exclusive(exclusion) => exclusion.says(),
            Kind::Fenced(fencing) => fencing.says(),
            Kind::Settled { .. } => "every saga comes to an end".to_owned(),
            Kind::Queue { promise, label, .. } => promise.says(label),
        };
        Finding {
            invariant: self.name.clone(),
            says,
            checked: self.checked,
            violations: self.violations,
            first: self.first.clone(),
        }
    }
}

/// An invariant about a queue.
fn queue(invariant: &Invariant, promise: Promise, scenario: &Scenario) -> Kind {
    let (broker, queue) = invariant.queue().unwrap_or((NodeId(u32::MAX), Name::of("")));
    let label = format!("{} of {}", scenario.lexicon.spelling(queue), scenario.node(broker));
    Kind::Queue { broker, queue, promise, label }
}

fn half_applied(labels: &[String], applied: &[bool]) -> String {
    let side = |wanted: bool| {
        let parts = labels.iter().zip(applied).filter(|(_, is)| **is == wanted);
        parts.map(|(label, _)| label.as_str()).collect::<Vec<_>>().join(", ")
    };
    format!("half applied: {} yes, {} no", side(true), side(false))
}

#[cfg(test)]
mod tests {
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
    },
    invariants: {
        "atomic": Atomic(accounts: [(store: "store", account: "sold"), (store: "store", account: "paid")]),
        "converged": Converged(within: "500ms"),
        "conserved": Conserved(accounts: [(store: "store", account: "stock"), (store: "store", account: "sold")]),
        "once": Once(accounts: [(store: "store", account: "sold")]),
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
        let checker = Checker::new(name, invariant, &effects, &scenario);
        let buyers = [(NodeId(0), "buyers".to_owned())];
        let requests = Requests::new(&buyers, 4, Time(0), scenario.phases.end());
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
            let quiet = self.scenario.phases.quiet_from();
            let rest = Rest { quiet, end: self.scenario.phases.end(), stuck };
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
}
