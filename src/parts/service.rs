//! A service: named operations that take some work, call others, and change what is in a store.
//!
//! An operation first does its work, may refuse for business reasons, then makes its calls, then
//! its transfer. With idempotency keys a transfer is recorded in the same transaction together with
//! the operation, the business object and the client's request that it is made for, so a request
//! that comes again finds that it was done; and an undo that comes before what it undoes leaves a
//! mark that keeps the latter from ever happening.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::policy::{Policy, happens};
use crate::engine::{
    Change, Dist, Expect, Fault, Msg, Name, NodeId, Ratio, Reply, Row, SizeDist, Span, all,
};
use crate::world::{Cx, Edge, MachineSpec, Node};

/// Facts that services record.
pub mod facts {
    use crate::engine::Name;

    /// An answer lacks what optional calls should have given; the value is how many of them failed.
    pub const PARTIAL: Name = Name::of("answer.partial");
    /// How they are spelt.
    pub const NAMES: [&str; 1] = ["answer.partial"];
}

/// A service with named operations.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Workers and queue. Default: as many workers as there is work.
    #[serde(default)]
    machine: MachineSpec,
    /// The store that its transfers are made in. Default: none.
    #[serde(default)]
    store: Option<NodeId>,
    /// How it calls its store. Default: one try without a time limit.
    #[serde(default)]
    store_policy: Policy,
    /// Does it recognise a request that comes again? It goes by the operation, the business object
    /// and the client's request that it is made for. Default: true.
    #[serde(default = "yes")]
    idempotent: bool,
    /// What it can do.
    operations: BTreeMap<Name, Operation>,
}

/// One operation of a service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// Work for each request. Default: `"1ms"`.
    #[serde(default = "Operation::cost")]
    pub cost: Dist,
    /// How often it refuses for business reasons, before anything is changed. Default: never.
    #[serde(default)]
    pub refuses: Ratio,
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
    /// What it moves in the store. Default: nothing.
    #[serde(default)]
    pub transfer: Option<Transfer>,
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
    /// How. Default: one try without a time limit.
    #[serde(default)]
    pub policy: Policy,
    /// How many times, as for a fan-out to many leaves. At least 1. Default: 1.
    #[serde(default = "CallSpec::once")]
    pub count: u32,
    /// Can the answer do without it? Then a failure of it makes the answer a partial one and does
    /// not end the operation. Default: false.
    #[serde(default)]
    pub optional: bool,
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

/// The table of idempotency records.
const RECORDS: Name = Name::of("service.records");
const DONE: u64 = 1;
const UNDONE: u64 = 2;

fn yes() -> bool {
    true
}

impl Operation {
    fn cost() -> Dist {
        Dist::constant(Span::MILLISECOND)
    }
}

impl CallSpec {
    fn once() -> u32 {
        1
    }

    async fn make(&self, cx: &Cx, key: u64, value: u64) -> Reply {
        let request = Msg::Do { verb: self.operation, key, value };
        self.policy.call(cx, self.to, request).await
    }
}

impl Transfer {
    /// The rows of this transfer, or of its reverse.
    fn rows(self, value: u64, backwards: bool) -> [Row; 2] {
        let amount = self.amount.unwrap_or(value);
        let (from, to) = if backwards { (self.to, self.from) } else { (self.from, self.to) };
        let row = |table, change| Row { table, key: 0, expect: Expect::Any, change };
        [row(from, Change::Take(amount)), row(to, Change::Give(amount))]
    }
}

/// The idempotency record of an operation on a business object for a client's request. Two requests
/// may be about the same object, so the object alone does not tell whether one comes again.
fn record(cx: &Cx, verb: Name, key: u64, expect: Expect, state: u64) -> Row {
    let asked = u64::from(verb.value()) << 32 | u64::from(cx.root().0);
    // Mixed, so that similar requests about similar objects have records far apart.
    let key = key ^ mixed(asked);
    Row { table: RECORDS, key, expect, change: Change::Set(state) }
}

/// The finaliser of A. Appleby's MurmurHash3, which gives each number another.
fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let number = (number ^ (number >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    number ^ (number >> 33)
}

impl Service {
    /// Its operations, by name.
    pub fn operations(&self) -> &BTreeMap<Name, Operation> {
        &self.operations
    }

    async fn call(
        &self,
        cx: &Cx,
        operation: &Operation,
        key: u64,
        value: u64,
    ) -> Result<(), Fault> {
        let each = || {
            let calls = operation.calls.iter();
            calls.flat_map(|spec| std::iter::repeat_n(spec, spec.count as usize))
        };
        let mut missing = 0;
        let mut take = |spec: &CallSpec, reply: Reply| match reply {
            Err(_) if spec.optional => {
                missing += 1;
                Ok(())
            }
            reply => reply.map(|_| ()),
        };
        match operation.mode {
            Mode::Sequential => {
                for spec in each() {
                    take(spec, spec.make(cx, key, value).await)?;
                }
            }
            Mode::Parallel => {
                let replies = all(each().map(|spec| spec.make(cx, key, value))).await;
                for (spec, reply) in each().zip(replies) {
                    take(spec, reply)?;
                }
            }
        }
        if missing > 0 {
            cx.note(facts::PARTIAL, key, missing);
        }
        Ok(())
    }

    /// Commits rows to the store: whether they went through, or the clash.
    async fn commit(&self, cx: &Cx, rows: &[Row]) -> Reply {
        let store = self.store.ok_or(Fault::Unknown)?;
        self.store_policy.call(cx, store, Msg::Commit { rows: rows.into() }).await
    }

    async fn transfer(&self, cx: &Cx, verb: Name, moved: Transfer, asked: (u64, u64)) -> Reply {
        let (key, value) = asked;
        let [take, give] = moved.rows(value, false);
        let done = record(cx, verb, key, Expect::Absent, DONE);
        let keyed = [done, take, give];
        match self.commit(cx, if self.idempotent { &keyed } else { &keyed[1..] }).await? {
            // It was done before: this request is one that comes again.
            Msg::Clash { row: 0, found: DONE } if self.idempotent => Ok(Msg::Done { value }),
            // It was undone before it came, or there is not enough.
            Msg::Clash { .. } => Err(Fault::Refused),
            _ => Ok(Msg::Done { value }),
        }
    }

    async fn undo(&self, cx: &Cx, verb: Name, moved: Transfer, asked: (u64, u64)) -> Reply {
        let (key, value) = asked;
        let [take, give] = moved.rows(value, true);
        if !self.idempotent {
            self.commit(cx, &[take, give]).await?;
            return Ok(Msg::Done { value });
        }
        let undone = record(cx, verb, key, Expect::Value(DONE), UNDONE);
        match self.commit(cx, &[undone, take, give]).await? {
            // What is to be undone never came: see to it that it never will.
            Msg::Clash { row: 0, found: Row::ABSENT } => {
                let never = record(cx, verb, key, Expect::Absent, UNDONE);
                match self.commit(cx, &[never]).await? {
                    // It came in between after all.
                    Msg::Clash { found: DONE, .. } => Err(Fault::Conflict),
                    _ => Ok(Msg::Done { value }),
                }
            }
            Msg::Clash { row: 0, .. } => Ok(Msg::Done { value }),
            Msg::Clash { .. } => Err(Fault::Refused),
            _ => Ok(Msg::Done { value }),
        }
    }
}

impl Node for Service {
    async fn handle(&self, cx: &Cx, request: Msg) -> Reply {
        let Msg::Do { verb, key, value } = request else { return Err(Fault::Unknown) };
        let Some(operation) = self.operations.get(&verb) else { return Err(Fault::Unknown) };
        let cost = cx.draw(&operation.cost);
        cx.work(cost).await?;
        if cx.errs(verb) {
            return Err(Fault::Failed);
        }
        if happens(cx, operation.refuses) {
            return Err(Fault::Refused);
        }
        if let Some(sizes) = &operation.answer {
            let size = cx.random(|rng| sizes.sample(rng));
            cx.set_answer(u32::try_from(size.0).unwrap_or(u32::MAX));
        }
        self.call(cx, operation, key, value).await?;
        if let Some(transfer) = operation.transfer {
            return self.transfer(cx, verb, transfer, (key, value)).await;
        }
        let undone = operation.undoes.and_then(|verb| Some((verb, self.operations.get(&verb)?)));
        if let Some((verb, Operation { transfer: Some(transfer), .. })) = undone {
            return self.undo(cx, verb, *transfer, (key, value)).await;
        }
        Ok(Msg::Done { value })
    }

    fn machine(&self) -> MachineSpec {
        self.machine.clone()
    }

    fn problem(&self) -> Option<String> {
        for operation in self.operations.values() {
            let moves = operation.transfer.is_some() || operation.undoes.is_some();
            if moves && self.store.is_none() {
                return Some("an operation with a transfer needs a `store`".to_owned());
            }
            if operation.transfer.is_some() && operation.undoes.is_some() {
                let text = "an operation has a `transfer` or `undoes` another's, not both";
                return Some(text.to_owned());
            }
            if let Some(undone) = operation.undoes
                && self.operations.get(&undone).is_none_or(|other| other.transfer.is_none())
            {
                return Some("`undoes` names no operation here that has a transfer".to_owned());
            }
            if let Some(problem) = operation.calls.iter().find_map(|call| call.policy.problem()) {
                return Some(problem);
            }
            if operation.calls.iter().any(|call| call.count == 0) {
                return Some("a call that is made 0 times is none: leave it out".to_owned());
            }
        }
        self.store_policy.problem()
    }

    fn edges(&self) -> Vec<Edge> {
        let calls = self.operations.values().flat_map(|operation| &operation.calls);
        let calls = calls.flat_map(|call| call.policy.edges(call.to));
        calls.chain(self.store.into_iter().flat_map(|to| self.store_policy.edges(to))).collect()
    }
}
