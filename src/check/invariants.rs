//! Invariants: what must hold in every run, and the first time that it did not.

use std::collections::BTreeMap;

use super::effects::{AccountId, Change, Effects, accounts};
use super::events::Publication;
use super::exclusion::{Exclusion, Fencing};
use super::groups::GroupPromise;
use super::messages::Messages;
use super::outcome::{Finding, Stuck, Violation};
use super::promises::{Promise, Tally};
use super::requests::{Requests, Standing};
use crate::engine::{Fact, Name, NodeId, Root, Span, Time};
use crate::patterns::saga::facts as saga;
use crate::scenario::{Invariant, Scenario, Variant};

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
    Published(Publication),
    /// No record of a topic is lost.
    Log {
        brokers: NodeId,
        topic: Name,
        label: String,
    },
    /// What a queue of a broker promises, or does not.
    Queue {
        broker: NodeId,
        queue: Name,
        promise: Promise,
        label: String,
    },
    Group {
        broker: NodeId,
        group: Name,
        promise: GroupPromise,
        label: String,
    },
}

impl Checker {
    pub fn new(
        name: &str,
        invariant: &Invariant,
        effects: &Effects,
        (scenario, variant): (&Scenario, &Variant),
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
            Invariant::Published { broker, queue, .. } => {
                Kind::Published(Publication::new((*broker, *queue), scenario, variant))
            }
            Invariant::Settled { node } => Kind::Settled { node: *node, open: BTreeMap::new() },
            Invariant::LogKept { brokers, topic } => {
                let spelt = scenario.lexicon.spelling(*topic);
                let label = format!("{spelt} of {}", scenario.node(*brokers));
                Kind::Log { brokers: *brokers, topic: *topic, label }
            }
            Invariant::Kept { .. } => queue(invariant, Promise::Kept, scenario),
            Invariant::AtLeastOnce { .. } => queue(invariant, Promise::AtLeastOnce, scenario),
            Invariant::AtMostOnce { .. } => queue(invariant, Promise::AtMostOnce, scenario),
            Invariant::InOrder { .. } => queue(invariant, Promise::InOrder, scenario),
            Invariant::Complete { .. } => queue(invariant, Promise::Complete, scenario),
            Invariant::GroupAtLeastOnce { .. } => {
                group(invariant, GroupPromise::AtLeastOnce, scenario)
            }
            Invariant::GroupAtMostOnce { .. } => {
                group(invariant, GroupPromise::AtMostOnce, scenario)
            }
            Invariant::GroupInOrder { .. } => group(invariant, GroupPromise::InOrder, scenario),
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
            Kind::Published(publication) => return publication.noted(fact),
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
            Kind::Published(_) => self.finish_published(effects),
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
            Kind::Once
            | Kind::Exclusive(_)
            | Kind::Fenced(_)
            | Kind::Queue { .. }
            | Kind::Group { .. }
            | Kind::Log { .. } => {}
        }
    }

    /// What the messages of the run have shown.
    pub fn finish_messages(&mut self, messages: &Messages) {
        let tally = match &self.kind {
            Kind::Queue { broker, queue, promise, .. } => {
                messages.of_queue(*broker, *queue, *promise)
            }
            Kind::Group { broker, group, promise, .. } => {
                messages.of_group(*broker, *group, *promise)
            }
            Kind::Log { brokers, topic, .. } => messages.of_log(*brokers, *topic),
            _ => return,
        };
        let Tally { checked, violations, first } = tally.unwrap_or_default();
        (self.checked, self.violations, self.first) = (checked, violations, first);
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

    fn finish_published(&mut self, effects: &Effects) {
        let account = self.accounts[0];
        let Kind::Published(publication) = &mut self.kind else { return };
        let wrong = publication.finish(effects, account);
        self.checked = publication.checked;
        for (at, root, what) in wrong {
            self.violated(at, root, |labels| format!("{what} {}", labels[0]));
        }
    }

    /// Events that were lost, and phantoms, as all of these have it; `None` if none looks.
    pub fn published(checkers: &[Checker]) -> Option<(u64, u64)> {
        let each = checkers.iter().filter_map(|checker| match &checker.kind {
            Kind::Published(publication) => Some(publication.wrong),
            _ => None,
        });
        each.reduce(|sum, one| (sum.0 + one.0, sum.1 + one.1))
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
            Kind::Published(publication) => publication.says(&accounts),
            Kind::Settled { .. } => "every saga comes to an end".to_owned(),
            Kind::Log { label, .. } => format!("no record that {label} accepted is lost"),
            Kind::Queue { promise, label, .. } => promise.says(label),
            Kind::Group { promise, label, .. } => promise.says(label),
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

/// An invariant about a consumer group.
fn group(invariant: &Invariant, promise: GroupPromise, scenario: &Scenario) -> Kind {
    let (broker, group) = invariant.group().unwrap_or((NodeId(u32::MAX), Name::of("")));
    let label = scenario.lexicon.spelling(group).to_owned();
    Kind::Group { broker, group, promise, label }
}

fn half_applied(labels: &[String], applied: &[bool]) -> String {
    let side = |wanted: bool| {
        let parts = labels.iter().zip(applied).filter(|(_, is)| **is == wanted);
        parts.map(|(label, _)| label.as_str()).collect::<Vec<_>>().join(", ")
    };
    format!("half applied: {} yes, {} no", side(true), side(false))
}

#[cfg(test)]
mod tests;
