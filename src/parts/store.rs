//! A database node: transactions on a table, made durable by its log before they are answered.
//!
//! A commit is checked and applied, appended to the log, synced, and only then acknowledged, so
//! what was acknowledged survives a crash and what was not may be gone. Syncs are shared by the
//! commits that wait for them. After a crash the table is rebuilt from the log.
//!
//! A transaction may write events into the store's outbox: they are there if and only if it is, and
//! whoever relays them asks for those that are not marked as published, or tails the log.

mod events;
pub mod outbox;

use std::cell::RefCell;
use std::rc::Rc;

use serde::Deserialize;

use super::table::{Resolve, Table};
use crate::engine::{Change, Condition, Dist, Expect, Fault, Msg, Name, Reply, Row, Span};
use crate::world::{Cx, DiskSpec, Flaw, Known, MachineSpec, Node, Offers, RowsOf};
use events::{Events, Origin};

const COMMIT: Name = Name::of("store.commit");

/// Facts that stores record.
pub mod facts {
    use crate::engine::Name;

    /// A write was dropped because its row had been written with a newer stamp: an update that is
    /// lost although its writer is told that it was done. The key is the row's.
    pub const DROPPED: Name = Name::of("store.dropped");
    /// How they are spelt.
    pub const NAMES: [&str; 1] = ["store.dropped"];
}

/// The operations of a store, as faults name them.
const COMMITS: Name = Name::of("commit");
const READS: Name = Name::of("read");

/// A database node.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// Workers and queue. Default: as many workers as there is work.
    #[serde(default)]
    machine: MachineSpec,
    /// Work for each request. Default: `"200us"`.
    #[serde(default = "Store::cost")]
    cost: Dist,
    /// The disk that its log is on. Default: as `Disk` has it.
    #[serde(default)]
    disk: DiskSpec,
    /// Does a commit wait for the disk before it is answered? Without, a crash loses acknowledged
    /// commits. Default: true.
    #[serde(default = "yes")]
    durable: bool,
    /// What it does when the disk reports that a sync has failed. Default: `Recover`.
    #[serde(default)]
    sync_failure: SyncFailure,
    /// Does it check fencing tokens? Then a write under a lease is refused once it has seen one
    /// with a newer token of the same lock. Default: true.
    #[serde(default = "yes")]
    fencing: bool,
    /// Which of two writes to a register stays. Default: `Arrival`.
    #[serde(default)]
    resolve: Resolve,
    /// What stands in it at first. Default: nothing.
    #[serde(default)]
    accounts: Vec<Account>,
    /// Tables that have rows from the start, to be read. Default: none.
    #[serde(default)]
    tables: Vec<Rows>,
    /// How much longer a poll of its outbox takes for each row there is, marked or not: without an
    /// index on those that are not marked it looks at all of them. Default: nothing, there is one.
    #[serde(default)]
    outbox_scan: Span,
    #[serde(skip)]
    table: RefCell<Table>,
    #[serde(skip)]
    events: RefCell<Events>,
    /// There are new events.
    #[serde(skip)]
    emitted: Condition,
}

/// What a store does when a sync has failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum SyncFailure {
    /// It gives up what the disk did not take, reads its log again and answers `failed` to whoever
    /// waited, as PostgreSQL has done since 2018: it was not done, for certain.
    #[default]
    Recover,
    /// It syncs again, a millisecond later, and believes the first success. If the drive has marked
    /// as written what it lost, that success is about nothing.
    Retry,
}

impl SyncFailure {
    const WAIT: Span = Span::MILLISECOND;
}

/// An account of a store and its first balance.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// What it is called; transfers name it.
    pub name: Name,
    /// Its first balance: cents, pieces.
    pub balance: u64,
}

/// A table of a store with rows from 0 up to a number, each with the value 0.
///
/// ```ron
/// (name: "articles", rows: 1000)
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    /// What it is called; reads name it.
    pub name: Name,
    /// How many rows.
    pub rows: u64,
}

fn yes() -> bool {
    true
}

impl Store {
    fn cost() -> Dist {
        Dist::constant(Span::from_micros(200))
    }

    /// The accounts that it starts with.
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    async fn commit(&self, cx: &Cx, rows: Rc<[Row]>) -> Reply {
        let applied = self.table.borrow_mut().apply(&rows);
        if let Err(clash) = applied {
            // What it found must be as durable as an answer that is built on it.
            if self.durable {
                self.settle(cx).await?;
            }
            return Ok(Msg::Clash { row: clash.row, found: clash.found });
        }
        let rows = self.kept(cx, rows);
        let events = self.table.borrow().touches_outbox().then(|| rows.clone());
        if let Err(fault) = cx.disk().append(COMMIT, 0, 0, rows) {
            self.table.borrow_mut().undo();
            return Err(fault);
        }
        if let Some(rows) = events {
            self.take_in(cx, &rows);
        }
        if self.durable {
            self.settle(cx).await?;
        } else {
            cx.disk().sync_later();
        }
        Ok(Msg::Done { value: 0 })
    }

    /// The rows of the transaction that was applied last, without those that were dropped.
    fn kept(&self, cx: &Cx, rows: Rc<[Row]>) -> Rc<[Row]> {
        let table = self.table.borrow();
        let dropped = table.dropped();
        if dropped.is_empty() {
            return rows;
        }
        for &place in dropped {
            cx.note(facts::DROPPED, rows[place as usize].key, u64::from(place));
        }
        let numbered = (0_u32..).zip(rows.iter());
        numbered.filter(|(place, _)| !dropped.contains(place)).map(|(_, row)| *row).collect()
    }

    /// Waits until everything so far is durable, or deals with a disk that cannot make it so.
    async fn settle(&self, cx: &Cx) -> Result<(), Fault> {
        while cx.disk().sync().await.is_err() {
            if self.sync_failure == SyncFailure::Recover {
                // What the disk did not take is gone for certain, and so is what was built on it.
                if cx.disk().rewind() {
                    self.rebuild(cx);
                }
                return Err(Fault::Failed);
            }
            let _ = cx.sleep(SyncFailure::WAIT).await;
        }
        Ok(())
    }

    /// Makes table and outbox what accounts and log have them.
    fn rebuild(&self, cx: &Cx) {
        let (mut table, mut events) = (Table::new(self.fencing, self.resolve), Events::default());
        for account in &self.accounts {
            let change = Change::Set(account.balance);
            table.force(&[Row { table: account.name, key: 0, expect: Expect::Any, change }]);
        }
        for entry in cx.disk().replay() {
            // Behind a place that is damaged, conditions need not hold any more that once did.
            if table.apply(&entry.rows).is_err() {
                table.force(&entry.rows);
            }
            let origin = Origin { root: entry.root, payload: entry.payload, since: cx.now() };
            events.take_in(&entry.rows, origin);
        }
        (*self.table.borrow_mut(), *self.events.borrow_mut()) = (table, events);
    }
}

impl Node for Store {
    async fn boot(&self, cx: &Cx) {
        self.rebuild(cx);
    }

    async fn handle(&self, cx: &Cx, request: Msg) -> Reply {
        let operation = if matches!(request, Msg::Commit { .. }) { COMMITS } else { READS };
        let cost = cx.cost(operation, &self.cost) + self.scan(&request);
        cx.work(cost).await?;
        if cx.errs(operation) {
            return Err(Fault::Failed);
        }
        match request {
            Msg::Commit { rows } => self.commit(cx, rows).await,
            Msg::Get { table, key } => {
                let is_there = |one: &Rows| one.name == table && key < one.rows;
                let first = if self.tables.iter().any(is_there) { 0 } else { Row::ABSENT };
                let value = self.table.borrow().get(table, key).unwrap_or(first);
                Ok(Msg::Done { value })
            }
            Msg::Do { verb: outbox::POLL, value: most, .. } => self.poll(cx, most).await,
            Msg::Do { verb: outbox::TAIL, key: first, value } => self.tail(cx, first, value).await,
            _ => Err(Fault::Unknown),
        }
    }

    fn machine(&self) -> MachineSpec {
        self.machine.clone()
    }

    fn disk(&self) -> DiskSpec {
        self.disk.clone()
    }

    fn problem(&self) -> Option<Flaw> {
        self.machine.problem().map(|flaw| flaw.within("machine"))
    }

    fn offers(&self) -> Offers {
        let accounts = self.accounts.iter().map(|account| account.name);
        Offers {
            errs: Known::Always(&["commit", "read"]),
            rows: RowsOf::Itself(
                accounts.chain(self.tables.iter().map(|table| table.name)).collect(),
            ),
            commits: true,
            events: true,
            logs: true,
            ..Offers::default()
        }
    }
}
