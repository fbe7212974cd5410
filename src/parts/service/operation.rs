//! What a scenario says of an operation of a service.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::mixed;
use crate::engine::{Change, Dist, Expect, Msg, Name, NodeId, Ratio, Reply, Row, SizeDist, Span};
use crate::parts::policy::{Policy, happens};
use crate::world::{Cx, Edge};

/// One operation of a service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// Work for each request. Default: `"1ms"`.
    #[serde(default = "Operation::cost")]
    pub cost: Dist,
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
    /// What is wrong with it, for the loader; `others` are those of the same service.
    pub(super) fn problem(
        &self,
        others: &BTreeMap<Name, Operation>,
        has_store: bool,
    ) -> Option<String> {
        let undone = self.undoes.map(|undone| others.get(&undone));
        let undoes_nothing =
            |other: Option<&Operation>| other.is_none_or(|it| it.transfer.is_none());
        let text = match self {
            _ if self.sets.is_some() && (self.transfer.is_some() || undone.is_some()) => {
                "an operation sets a register or moves something, not both"
            }
            _ if self.sets.is_some() && !has_store => "an operation that `sets` needs a `store`",
            _ if (self.transfer.is_some() || undone.is_some()) && !has_store => {
                "an operation with a transfer needs a `store`"
            }
            _ if self.transfer.is_some() && undone.is_some() => {
                "an operation has a `transfer` or `undoes` another's, not both"
            }
            _ if undone.is_some_and(undoes_nothing) => {
                "`undoes` names no operation here that has a transfer"
            }
            _ if self.reads.iter().any(|one| one.keys == Some(0)) => {
                "`keys` is how many there are, at least 1"
            }
            _ if self.calls.iter().any(|call| call.one_way && call.policy != Policy::default()) => {
                "nobody waits for a call that is sent one way: it has no `policy`"
            }
            _ if self.calls.iter().any(|call| call.count == 0) => {
                "a call that is made 0 times is none: leave it out"
            }
            _ => {
                let policies = self.calls.iter().map(|call| &call.policy);
                let mut policies = policies.chain(self.reads.iter().map(|one| &one.policy));
                return policies.find_map(Policy::problem);
            }
        };
        Some(text.to_owned())
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

    /// Whom it speaks to.
    pub(super) fn edges(&self) -> Vec<Edge> {
        if self.one_way { vec![Edge::send(self.to)] } else { self.policy.edges(self.to).collect() }
    }
}

impl Reads {
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
