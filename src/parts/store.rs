//! A database node: transactions on a table, made durable by its log before they are answered.
//!
//! A commit is checked and applied, appended to the log, synced, and only then acknowledged, so
//! what was acknowledged survives a crash and what was not may be gone. Syncs are shared by the
//! commits that wait for them. After a crash the table is rebuilt from the log.

use std::cell::RefCell;
use std::rc::Rc;

use serde::Deserialize;

use super::table::Table;
use crate::engine::{Change, Dist, Expect, Fault, Msg, Name, Reply, Row, Span};
use crate::world::{Cx, DiskSpec, MachineSpec, Node};

const COMMIT: Name = Name::of("store.commit");
/// The operations of a store, as faults of kind `Errors` name them.
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
    /// The disk that its log is on. Default: as [`DiskSpec`] has it.
    #[serde(default)]
    disk: DiskSpec,
    /// Does a commit wait for the disk before it is answered? Without, a crash loses acknowledged
    /// commits. Default: true.
    #[serde(default = "yes")]
    durable: bool,
    /// What stands in it at first. Default: nothing.
    #[serde(default)]
    accounts: Vec<Account>,
    /// Tables that have rows from the start, to be read. Default: none.
    #[serde(default)]
    tables: Vec<Rows>,
    #[serde(skip)]
    table: RefCell<Table>,
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
                cx.disk().sync().await;
            }
            return Ok(Msg::Clash { row: clash.row, found: clash.found });
        }
        cx.disk().append(COMMIT, 0, 0, rows);
        if self.durable {
            cx.disk().sync().await;
        } else {
            cx.disk().sync_later();
        }
        Ok(Msg::Done { value: 0 })
    }
}

impl Node for Store {
    async fn boot(&self, cx: &Cx) {
        let mut table = self.table.borrow_mut();
        for account in &self.accounts {
            let change = Change::Set(account.balance);
            let row = Row { table: account.name, key: 0, expect: Expect::Any, change };
            table.apply(&[row]).expect("an unconditional write goes through");
        }
        for entry in cx.disk().replay() {
            table.apply(&entry.rows).expect("what was committed once goes through again");
        }
    }

    async fn handle(&self, cx: &Cx, request: Msg) -> Reply {
        let cost = cx.draw(&self.cost);
        cx.work(cost).await?;
        let operation = if matches!(request, Msg::Get { .. }) { READS } else { COMMITS };
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
            _ => Err(Fault::Unknown),
        }
    }

    fn machine(&self) -> MachineSpec {
        self.machine.clone()
    }

    fn disk(&self) -> DiskSpec {
        self.disk.clone()
    }

    fn problem(&self) -> Option<String> {
        self.machine.problem()
    }
}
