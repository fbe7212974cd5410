//! What a scenario says of an operation of a service.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::mixed;
use super::publish::Publishes;
use crate::engine::{
    Change, Dist, Expect, Msg, Name, NodeId, Ratio, Reply, Row, SizeDist, Span, quorum,
};
use crate::parts::policy::{Policy, happens};
use crate::world::{Ask, Cx, Flaw, Want};

/// One operation of a service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// Work for each request. Default: `"1ms"`.
    #[serde(default = "Operation::cost")]
    pub cost: Dist,
    /// More work for each request that is on the machine when this one comes, itself included: what
    /// they take from each other, as by locks and caches that they share. Default: none.
    #[serde(default)]
    pub contention: Option<Span>,
    /// Work of which only one request does some at a time. Default: none.
    #[serde(default)]
    pub critical: Option<Critical>,
    /// What it then reads, one after the other. Default: nothing.
    #[serde(default)]
    pub reads: Vec<Reads>,
    /// How often it refuses for business reasons, before anything is changed. Default: never.
    #[serde(default)]
    pub refuses: Ratio,
    /// The share of the business objects that it can never process: it fails for them, however
    /// often they come, before anything is changed. Default: none.
    #[serde(default)]
    pub poison: Ratio,
    /// The size of the answer's body, besides the 200 bytes that any message weighs; a failure has
    /// none. At most 4 GiB: what is longer is cut. Default: nothing.
    #[serde(default)]
    pub answer: Option<SizeDist>,
    /// Other services that it calls. Default: none.
    #[serde(default)]
    pub calls: Vec<CallSpec>,
    /// Are they called one after the other, or all at once? Default: `Sequential`.
    #[serde(default)]
    pub mode: Mode,
    /// Work that is left when its calls are answered. Default: none.
    #[serde(default)]
    pub then: Option<Dist>,
    /// What it moves in the store. Default: nothing.
    #[serde(default)]
    pub transfer: Option<Transfer>,
    /// The event that it publishes about its transfer. Default: none.
    #[serde(default)]
    pub publishes: Option<Publishes>,
    /// The register of the store that it raises by one: it reads it, and writes it if nobody has
    /// written it since; otherwise it fails with `Conflict` (optimistic concurrency control). It
    /// takes no part in idempotency. Default: none.
    #[serde(default)]
    pub increments: Option<Name>,
    /// The register of the store that it sets to the request's value, stamped with this service's
    /// own clock. Default: none.
    #[serde(default)]
    pub sets: Option<Name>,
    /// The operation of this service that it undoes: its transfer is that one's, backwards.
    /// Default: none.
    #[serde(default)]
    pub undoes: Option<Name>,
}

/// A call that an operation makes; the business object and its value are passed on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallSpec {
    /// Whom.
    pub to: NodeId,
    /// Which operation of it.
    pub operation: Name,
    /// How often it is made; each time is drawn. Default: always.
    #[serde(default = "always")]
    pub share: Ratio,
    /// How. Default: one try without a time limit.
    #[serde(default)]
    pub policy: Policy,
    /// How many times, as for a fan-out to many leaves. At least 1. Default: 1.
    #[serde(default = "CallSpec::once")]
    pub count: u32,
    /// Is it sent one way? Then nobody waits for an answer, or learns that there is none. Default:
    /// false.
    #[serde(default)]
    pub one_way: bool,
    /// How many of them must succeed, from 1 to `count`: the operation goes on as soon as so many
    /// have, and the others are given up. A quorum. Default: all.
    #[serde(default)]
    pub needs: Option<u32>,
    /// Can the answer do without it? Then a failure of it makes the answer a partial one and does
    /// not end the operation. Default: false.
    #[serde(default)]
    pub optional: bool,
}

fn always() -> Ratio {
    Ratio::ONE
}

/// A section of code that one request at a time goes through, in the order in which they come to
/// it.
///
/// ```ron
/// (lock: "counter", cost: "1ms")
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Critical {
    /// The lock that keeps the others out; operations of a service may share one.
    pub lock: Name,
    /// Work while it is held. Default: `"1ms"`.
    #[serde(default = "Operation::cost")]
    pub cost: Dist,
}

/// A row that an operation reads.
///
/// ```ron
/// (from: "bank", table: "articles", keys: 1000)
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reads {
    /// A store, or a cache in front of one.
    pub from: NodeId,
    /// The table.
    pub table: Name,
    /// How many different keys there are, from 0; each business object belongs to one of them,
    /// evenly. Default: each has its own.
    #[serde(default)]
    pub keys: Option<u64>,
    /// How. Default: one try without a time limit.
    #[serde(default)]
    pub policy: Policy,
}

/// In which order calls are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Mode {
    /// One after the other; the first that fails ends the operation.
    #[default]
    Sequential,
    /// All at once; the operation waits for all of them.
    Parallel,
}

/// An amount that moves from one account of the store to another.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// The account that it is taken from; the operation is refused if that would fall below zero.
    pub from: Name,
    /// The account that it is given to.
    pub to: Name,
    /// How much. Default: the request's value.
    #[serde(default)]
    pub amount: Option<u64>,
}

impl Operation {
    fn cost() -> Dist {
        Dist::constant(Span::MILLISECOND)
    }
}

impl Operation {
    /// How much work a request is, drawn as it comes.
    pub(super) fn work(&self, cx: &Cx, verb: Name) -> Span {
        let cost = cx.cost(verb, &self.cost);
        match self.contention {
            Some(each) => cost + each * u64::from(cx.jobs_at(cx.me()) + 1),
            None => cost,
        }
    }

    /// What is wrong with it, for the loader; `others` are those of the same service.
    pub(super) fn problem(
        &self,
        others: &BTreeMap<Name, Operation>,
        has_store: bool,
    ) -> Option<Flaw> {
        let undone = self.undoes.map(|undone| others.get(&undone));
        let undoes_nothing =
            |other: Option<&Operation>| other.is_none_or(|it| it.transfer.is_none());
        let moves = if self.transfer.is_some() { "transfer" } else { "undoes" };
        let (field, title) = match self {
            _ if self.increments.is_some()
                && (self.sets.is_some() || self.transfer.is_some() || undone.is_some()) =>
            {
                ("increments", "an operation increments a register or changes something else")
            }
            _ if self.increments.is_some() && !has_store => {
                ("increments", "an operation that `increments` needs a `store`")
            }
            _ if self.sets.is_some() && (self.transfer.is_some() || undone.is_some()) => {
                ("sets", "an operation sets a register or moves something, not both")
            }
            _ if self.sets.is_some() && !has_store => {
                ("sets", "an operation that `sets` needs a `store`")
            }
            _ if (self.transfer.is_some() || undone.is_some()) && !has_store => {
                (moves, "an operation with a transfer needs a `store`")
            }
            _ if self.transfer.is_some() && undone.is_some() => {
                ("undoes", "an operation has a `transfer` or `undoes` another's, not both")
            }
            _ if self.publishes.is_some() && self.transfer.is_none() => {
                ("publishes", "an operation that `publishes` an event needs a `transfer`")
            }
            _ if undone.is_some_and(undoes_nothing) => {
                ("undoes", "`undoes` names no operation here that has a transfer")
            }
            _ => {
                let reads = self.reads.iter().enumerate().find_map(|(place, one)| {
                    one.problem().map(|flaw| flaw.within(place).within("reads"))
                });
                let publishes = self.publishes.as_ref().and_then(Publishes::problem);
                let publishes = publishes.map(|flaw| flaw.within("publishes"));
                let mut calls = self.calls.iter().enumerate();
                return reads.or(publishes).or_else(|| {
                    calls.find_map(|(place, call)| {
                        call.problem().map(|flaw| flaw.within(place).within("calls"))
                    })
                });
            }
        };
        Some(Flaw::at(field, title))
    }

    /// What it says that could have no effect, because of something else that it says.
    pub(super) fn idle(&self) -> Vec<Flaw> {
        let calls: u64 = self.calls.iter().map(|call| u64::from(call.count)).sum();
        let alone = (self.mode == Mode::Parallel && calls < 2)
            .then(|| Flaw::at("mode", "of fewer than two calls none are made at once"));
        let reads = self.reads.iter().map(|read| ("reads", &read.policy)).enumerate();
        let calls = self.calls.iter().map(|call| ("calls", &call.policy)).enumerate();
        let policies = reads.chain(calls).flat_map(|(place, (field, policy))| {
            let flaws = policy.idle().into_iter();
            flaws.map(move |flaw| flaw.within("policy").within(place).within(field))
        });
        alone.into_iter().chain(policies).collect()
    }

    /// What it asks of others, its store apart.
    pub(super) fn asks(&self) -> Vec<Ask> {
        let mut asks = Vec::new();
        for (place, one) in self.reads.iter().enumerate() {
            let ask = Ask::of(["from", "table"], one.from, Want::Rows(Some(one.table)));
            asks.extend(
                one.policy.asks("policy", ask).map(|ask| ask.within(place).within("reads")),
            );
        }
        for (place, call) in self.calls.iter().enumerate() {
            let ask = Ask::of(["to", "operation"], call.to, Want::Operation(call.operation));
            let ask = if call.one_way { ask.sent() } else { ask };
            let asked = call.policy.asks("policy", ask);
            asks.extend(asked.map(|ask| ask.within(place).within("calls")));
        }
        asks
    }

    /// The tables and accounts of the store that it gives to, and those that it takes from.
    pub(super) fn commits(&self) -> Option<[Vec<Name>; 2]> {
        let set = self.sets.into_iter().chain(self.increments);
        let given = set.clone().chain(self.transfer.map(|it| it.to));
        let taken = self.transfer.map(|it| it.from);
        let touches = set.count() > 0 || self.transfer.is_some();
        touches.then(|| [given.collect(), taken.into_iter().collect()])
    }
}

impl Operation {
    /// Is this one of the business objects that it can never process?
    pub(super) fn is_poisoned(&self, key: u64) -> bool {
        !self.poison.is_zero() && self.poison.covers(mixed(key))
    }
}

impl CallSpec {
    fn once() -> u32 {
        1
    }

    /// The calls that succeed or fail together: all of them where only some are needed, else each
    /// for itself.
    pub(super) fn parts(&self) -> impl Iterator<Item = &CallSpec> {
        std::iter::repeat_n(self, if self.needs.is_some() { 1 } else { self.count as usize })
    }

    /// Makes such a part of the calls.
    pub(super) async fn make_part(&self, cx: &Cx, mode: Mode, (key, value): (u64, u64)) -> Reply {
        match self.needs {
            // A rare way, kept out of the size of the common one.
            Some(needs) => Box::pin(self.make_quorum(cx, mode, needs, (key, value))).await,
            None => self.make(cx, key, value).await,
        }
    }

    /// Makes all of its calls, one after the other or all at once, until so many have succeeded or
    /// too many have failed for that.
    async fn make_quorum(
        &self,
        cx: &Cx,
        mode: Mode,
        needs: u32,
        (key, value): (u64, u64),
    ) -> Reply {
        if mode == Mode::Parallel {
            let calls = (0..self.count).map(|_| Box::pin(self.make(cx, key, value)));
            quorum(needs as usize, calls).await?;
            return Ok(Msg::Done { value });
        }
        let (mut succeeded, mut spare) = (0, self.count - needs);
        while succeeded < needs {
            match self.make(cx, key, value).await {
                Ok(_) => succeeded += 1,
                Err(fault) if spare == 0 => return Err(fault),
                Err(_) => spare -= 1,
            }
        }
        Ok(Msg::Done { value })
    }

    fn problem(&self) -> Option<Flaw> {
        if self.needs.is_some_and(|needs| !(1..=self.count).contains(&needs)) {
            let title = "`needs` is from 1 to `count`, the number of calls";
            return Some(Flaw::at("needs", title));
        }
        let idle = match self {
            _ if !self.one_way => None,
            _ if self.policy != Policy::default() => Some("policy"),
            _ if self.needs.is_some() => Some("needs"),
            _ if self.optional => Some("optional"),
            _ => None,
        };
        if let Some(field) = idle {
            let title = "nobody waits for a call that is sent one way";
            return Some(Flaw::at(field, title).label(format!("it has no `{field}`")));
        }
        let title = "a call that is made 0 times is none: leave it out";
        let never = (self.count == 0).then(|| Flaw::at("count", title));
        never.or_else(|| self.policy.problem().map(|flaw| flaw.within("policy")))
    }

    /// Makes the call, or not, as its share has it.
    pub(super) async fn make(&self, cx: &Cx, key: u64, value: u64) -> Reply {
        // A call that is always made draws nothing.
        if !self.share.is_one() && !happens(cx, self.share) {
            return Ok(Msg::Done { value });
        }
        let request = Msg::Do { verb: self.operation, key, value };
        if self.one_way {
            cx.send(self.to, request);
            return Ok(Msg::Done { value });
        }
        self.policy.call(cx, self.to, request).await
    }
}

impl Reads {
    fn problem(&self) -> Option<Flaw> {
        let title = "`keys` is how many there are, at least 1";
        let none = (self.keys == Some(0)).then(|| Flaw::at("keys", title));
        none.or_else(|| self.policy.problem().map(|flaw| flaw.within("policy")))
    }

    /// Reads the row of this business object.
    pub(super) async fn make(&self, cx: &Cx, object: u64) -> Reply {
        // Numbers of business objects are far from even; a mix of their bits is.
        let key = self.keys.map_or(object, |keys| mixed(object) % keys);
        self.policy.call(cx, self.from, Msg::Get { table: self.table, key }).await
    }
}

impl Transfer {
    /// The rows of this transfer, or of its reverse.
    pub(in crate::parts) fn rows(self, value: u64, backwards: bool) -> [Row; 2] {
        let amount = self.amount.unwrap_or(value);
        let (from, to) = if backwards { (self.to, self.from) } else { (self.from, self.to) };
        let row = |table, change| Row { table, key: 0, expect: Expect::Any, change };
        [row(from, Change::Take(amount)), row(to, Change::Give(amount))]
    }
}
