//! A service: named operations that take some work, call others, and change what is in a store.
//!
//! An operation first does its work, may refuse for business reasons, goes through its critical
//! section, reads, makes its calls, does what work is left, then makes its transfer. With
//! idempotency keys a transfer is recorded in the same transaction together with the operation,
//! the business object and the client's request that it is made for, so a request that comes again
//! finds that it was done; and an undo that comes before what it undoes leaves a mark that keeps
//! the latter from ever happening.

mod lock;
mod operation;
mod publish;

use std::collections::BTreeMap;

use serde::Deserialize;

use super::policy::{Policy, happens};
use crate::engine::{Change, Dist, Expect, Fault, Msg, Name, NodeId, Reply, Row, Span, all};
use crate::world::{Ask, Cx, Flaw, Held, Known, MachineSpec, Node, Offers, Want};
use lock::Locks;
pub use operation::{CallSpec, Critical, Mode, Operation, Reads, Transfer};
pub use publish::{PublishBy, Publishes};

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
    /// For how long it recognises a request that comes again, by its own clock; one that comes
    /// later is done again. Default: for good.
    #[serde(default)]
    retention: Option<Span>,
    /// Does a request keep its worker while it waits for reads, calls and locks, as with one thread
    /// for each request? A slow service that it calls then takes the workers from all requests.
    /// Default: false, as in an event loop.
    #[serde(default)]
    holds_worker: bool,
    /// What it can do.
    operations: BTreeMap<Name, Operation>,
    #[serde(skip)]
    locks: Locks,
}

/// The table of idempotency records.
const RECORDS: Name = Name::of("service.records");
const DONE: u64 = 1;
const UNDONE: u64 = 2;

fn yes() -> bool {
    true
}

/// More work of a request: on the worker that it holds, or on any.
async fn more(cx: &Cx, held: Option<&Held<'_>>, verb: Name, cost: &Dist) -> Result<(), Fault> {
    let cost = cx.cost(verb, cost);
    match held {
        Some(held) => held.work(cost).await,
        None => cx.work(cost).await,
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
pub(in crate::parts) fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let number = (number ^ (number >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    number ^ (number >> 33)
}

impl Service {
    /// Its operations, by name.
    pub fn operations(&self) -> &BTreeMap<Name, Operation> {
        &self.operations
    }

    /// Goes through the critical section, and reads.
    #[inline]
    async fn prepare(
        &self,
        cx: &Cx,
        operation: &Operation,
        held: Option<&Held<'_>>,
        (verb, key): (Name, u64),
    ) -> Result<(), Fault> {
        if let Some(critical) = &operation.critical {
            let _turn = self.locks.acquire(cx, critical.lock).await;
            more(cx, held, verb, &critical.cost).await?;
        }
        for row in &operation.reads {
            row.make(cx, key).await?;
        }
        Ok(())
    }

    async fn call(
        &self,
        cx: &Cx,
        operation: &Operation,
        key: u64,
        value: u64,
    ) -> Result<(), Fault> {
        let each = || operation.calls.iter().flat_map(CallSpec::parts);
        let (mode, asked) = (operation.mode, (key, value));
        let mut missing = 0;
        let mut take = |spec: &CallSpec, reply: Reply| match reply {
            Err(_) if spec.optional => {
                missing += 1;
                Ok(())
            }
            reply => reply.map(|_| ()),
        };
        match mode {
            Mode::Sequential => {
                for spec in each() {
                    take(spec, spec.make_part(cx, mode, asked).await)?;
                }
            }
            Mode::Parallel => {
                let replies = all(cx, each().map(|spec| spec.make_part(cx, mode, asked))).await;
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

    /// Sets a register, stamped with this node's clock.
    async fn set(&self, cx: &Cx, register: Name, value: u64) -> Reply {
        let expect = Expect::Stamped(cx.clock().0);
        let row = Row { table: register, key: 0, expect, change: Change::Set(value) };
        self.commit(cx, &[row]).await?;
        Ok(Msg::Done { value })
    }

    /// Reads a register and writes it raised by one, unless it was written in between.
    async fn increment(&self, cx: &Cx, register: Name) -> Reply {
        let store = self.store.ok_or(Fault::Unknown)?;
        let found = self.store_policy.call(cx, store, Msg::Get { table: register, key: 0 }).await?;
        let Msg::Done { value: before } = found else { return Err(Fault::Failed) };
        let (expect, value) = match before {
            Row::ABSENT => (Expect::Absent, 1),
            before => (Expect::Value(before), before.wrapping_add(1)),
        };
        let row = Row { table: register, key: 0, expect, change: Change::Set(value) };
        match self.commit(cx, &[row]).await? {
            Msg::Clash { .. } => Err(Fault::Conflict),
            _ => Ok(Msg::Done { value }),
        }
    }

    async fn transfer(
        &self,
        cx: &Cx,
        verb: Name,
        (moved, event): (Transfer, Option<Row>),
        (key, value): (u64, u64),
    ) -> Reply {
        let [take, give] = moved.rows(value, false);
        let rows = [self.done(cx, verb, key), take, give, event.unwrap_or(give)];
        let rows = &rows[usize::from(!self.idempotent)..3 + usize::from(event.is_some())];
        match self.commit(cx, rows).await? {
            // It was done before: this request is one that comes again.
            Msg::Clash { row: 0, found } if self.has_done(found) => Ok(Msg::Done { value }),
            // It was undone before it came, or there is not enough.
            Msg::Clash { .. } => Err(Fault::Refused),
            _ => Ok(Msg::Done { value }),
        }
    }

    /// Makes a transfer, and publishes an event about it.
    async fn publish(
        &self,
        cx: &Cx,
        verb: Name,
        (moved, event): (Transfer, &Publishes),
        asked: (u64, u64),
    ) -> Reply {
        event.before(cx, asked).await?;
        let row = event.row(cx, asked);
        let reply = self.transfer(cx, verb, (moved, row), asked).await?;
        event.after(cx, asked).await?;
        Ok(reply)
    }

    /// The record of a transfer that is made, if none counts that it was.
    fn done(&self, cx: &Cx, verb: Name, key: u64) -> Row {
        let Some(retention) = self.retention else {
            return record(cx, verb, key, Expect::Absent, DONE);
        };
        let now = cx.clock().0;
        record(cx, verb, key, Expect::Below(now.saturating_sub(retention.0)), now)
    }

    /// Does such a record, found in the first row, say that the transfer was made?
    fn has_done(&self, found: u64) -> bool {
        self.idempotent && (found == DONE || self.retention.is_some())
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
        let cost = operation.work(cx, verb);
        let mut held = None;
        if self.holds_worker {
            held = Some(cx.hold(cost).await?);
        } else {
            cx.work(cost).await?;
        }
        if cx.errs(verb) || operation.is_poisoned(key) {
            return Err(Fault::Failed);
        }
        if happens(cx, operation.refuses) {
            return Err(Fault::Refused);
        }
        if let Some(sizes) = &operation.answer {
            let size = cx.random(|rng| sizes.sample(rng));
            cx.set_answer(u32::try_from(size.0).unwrap_or(u32::MAX));
        }
        self.prepare(cx, operation, held.as_ref(), (verb, key)).await?;
        self.call(cx, operation, key, value).await?;
        if let Some(then) = &operation.then {
            // What was called may have taken effect.
            more(cx, held.as_ref(), verb, then).await.map_err(|_| Fault::Reset)?;
        }
        if let Some(register) = operation.increments {
            return self.increment(cx, register).await;
        }
        if let Some(register) = operation.sets {
            return self.set(cx, register, value).await;
        }
        if let Some(transfer) = operation.transfer {
            return match &operation.publishes {
                None => self.transfer(cx, verb, (transfer, None), (key, value)).await,
                // A rare way, kept out of the size of the common one.
                Some(event) => {
                    Box::pin(self.publish(cx, verb, (transfer, event), (key, value))).await
                }
            };
        }
        let undone = operation.undoes.and_then(|verb| Some((verb, self.operations.get(&verb)?)));
        if let Some((verb, Operation { transfer: Some(transfer), .. })) = undone {
            return self.undo(cx, verb, *transfer, (key, value)).await;
        }
        Ok(Msg::Done { value })
    }

    fn machine(&self) -> MachineSpec {
        MachineSpec { holds_workers: self.holds_worker, ..self.machine.clone() }
    }

    fn idle(&self) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        for (name, operation) in &self.operations {
            let within = |flaw: Flaw| flaw.within(*name).within("operations");
            flaws.extend(operation.idle().into_iter().map(within));
        }
        let moves = self.operations.values().any(|one| one.transfer.is_some());
        if self.retention.is_some() && !moves {
            let title = "only operations with a `transfer` are recorded, to be recognised";
            flaws.push(Flaw::at("retention", title));
        }
        if self.store.is_none() && self.store_policy != Policy::default() {
            flaws.push(Flaw::at("store_policy", "there is no `store` that it could call"));
        }
        flaws.extend(self.store_policy.idle().into_iter().map(|flaw| flaw.within("store_policy")));
        flaws
    }

    fn problem(&self) -> Option<Flaw> {
        let (others, has_store) = (&self.operations, self.store.is_some());
        let mut operations = self.operations.iter();
        let operation = operations.find_map(|(name, operation)| {
            operation.problem(others, has_store).map(|flaw| flaw.within(*name).within("operations"))
        });
        let holds = || {
            let title = "`holds_worker` needs a number of `workers` in `machine`";
            let lacks = self.holds_worker && self.machine.workers.is_none();
            lacks.then(|| Flaw::at("holds_worker", title))
        };
        let machine = || self.machine.problem().map(|flaw| flaw.within("machine"));
        let policy = || self.store_policy.problem().map(|flaw| flaw.within("store_policy"));
        let retention = || {
            let undoes = self.operations.values().any(|one| one.undoes.is_some());
            let title = match self.retention? {
                _ if !self.idempotent => "`retention` is of what an `idempotent` service records",
                _ if undoes => "what is to be undone later must be recognised for good",
                Span::ZERO => "a `retention` of zero recognises nothing: say `idempotent: false`",
                _ => return None,
            };
            Some(Flaw::at("retention", title))
        };
        operation.or_else(holds).or_else(machine).or_else(policy).or_else(retention)
    }

    fn asks(&self) -> Vec<Ask> {
        let mut asks = Vec::new();
        for (name, operation) in &self.operations {
            let within = |ask: Ask| ask.within(*name).within("operations");
            asks.extend(operation.asks().into_iter().map(within));
        }
        for (name, operation) in &self.operations {
            let events = operation.publishes.iter().flat_map(|event| event.asks(self.store));
            let within = |ask: Ask| ask.within("publishes").within(*name).within("operations");
            asks.extend(events.map(within));
        }
        let Some(store) = self.store else { return asks };
        let all = self.operations.iter().filter_map(|(name, one)| Some((name, one.commits()?)));
        for (name, commit) in all {
            let ask = Ask::of(["", "transfer"], store, Want::Commit(commit));
            asks.push(ask.within(*name).within("operations"));
        }
        let ask = Ask::of(["store", "store"], store, Want::Commit(Default::default()));
        asks.extend(self.store_policy.asks("store_policy", ask));
        asks
    }

    fn offers(&self) -> Offers {
        let names: Vec<Name> = self.operations.keys().copied().collect();
        let operations = Known::These(names);
        Offers { errs: operations.clone(), operations, ..Offers::default() }
    }
}
