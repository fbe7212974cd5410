//! The pure table inside a store: rows by table and key, changed in transactions or not at all.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::engine::{Change, Expect, Name, Row};

/// Why a transaction did not go through: which row's condition did not hold, and what was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clash {
    /// Position in the batch.
    pub row: u32,
    /// The value that stands there, [`Row::ABSENT`] for none.
    pub found: u64,
}

/// Which of two writes to one row stays.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Resolve {
    /// The one that comes last.
    #[default]
    Arrival,
    /// The one with the newest stamp of its writer's clock, as in Cassandra: one that comes later
    /// with an older stamp is dropped, and its writer is told that it was done.
    LastWriteWins,
}

/// Rows by table and key.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Table {
    rows: BTreeMap<(Name, u64), u64>,
    /// What the transaction at hand has overwritten; kept to save an allocation each.
    undo: Vec<(Name, u64, Option<u64>)>,
    /// Are tokens that are older than one that was seen not looked at?
    unfenced: bool,
    resolve: Resolve,
    /// When each row was written by its writer's clock, where the last write wins.
    stamps: BTreeMap<(Name, u64), u64>,
    /// Rows of the transaction at hand that were dropped, by their place.
    dropped: Vec<u32>,
    /// Does the transaction at hand write into the outbox, or mark what is there?
    touches_outbox: bool,
}

impl Table {
    /// An empty table that looks at fencing tokens or not, and resolves conflicts in this way.
    pub fn new(fencing: bool, resolve: Resolve) -> Table {
        Table { unfenced: !fencing, resolve, ..Table::default() }
    }

    /// The rows that the last transaction went through without, by their places.
    pub fn dropped(&self) -> &[u32] {
        &self.dropped
    }

    /// Did the last transaction write into the outbox, or mark what is there?
    pub fn touches_outbox(&self) -> bool {
        self.touches_outbox
    }

    /// The value of a row.
    pub fn get(&self, table: Name, key: u64) -> Option<u64> {
        self.rows.get(&(table, key)).copied()
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Is it empty?
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Applies all rows or none. Each row's condition sees what the rows before it have done.
    ///
    /// # Errors
    /// The first row whose condition does not hold, or whose balance would fall below zero.
    pub fn apply(&mut self, rows: &[Row]) -> Result<(), Clash> {
        self.undo.clear();
        self.dropped.clear();
        self.touches_outbox = false;
        for (index, row) in rows.iter().enumerate() {
            if self.is_outdated(row) {
                self.dropped.push(index as u32);
            } else if let Err(found) = self.change(row) {
                self.roll_back();
                return Err(Clash { row: index as u32, found });
            }
        }
        Ok(())
    }

    /// Takes the transaction back that was applied last.
    pub fn undo(&mut self) {
        self.roll_back();
    }

    /// Applies all rows whatever stands there: what a damaged log says must have been so. A balance
    /// stops at its bounds.
    pub fn force(&mut self, rows: &[Row]) {
        for row in rows {
            let old = self.get(row.table, row.key).unwrap_or(0);
            let new = match row.change {
                Change::Set(value) => value,
                Change::Give(amount) => old.saturating_add(amount),
                Change::Take(amount) => old.saturating_sub(amount),
                // The outbox is the store's, beside its tables.
                Change::Emit { .. } | Change::Relayed => continue,
            };
            self.rows.insert((row.table, row.key), new);
        }
    }

    fn change(&mut self, row: &Row) -> Result<(), u64> {
        let place = self.rows.entry((row.table, row.key));
        let old = match &place {
            Entry::Occupied(place) => Some(*place.get()),
            Entry::Vacant(_) => None,
        };
        let found = old.unwrap_or(Row::ABSENT);
        let holds = match row.expect {
            Expect::Any => true,
            Expect::Absent => old.is_none(),
            Expect::Value(value) => old == Some(value),
            Expect::AtMost(limit) => self.unfenced || old.is_none_or(|value| value <= limit),
            Expect::Below(limit) => old.is_none_or(|value| value < limit),
            Expect::Stamped(_) => true,
        };
        let new = match row.change {
            Change::Emit { .. } | Change::Relayed => {
                self.touches_outbox = true;
                return Ok(());
            }
            Change::Set(value) => Some(value),
            Change::Give(amount) => old.unwrap_or(0).checked_add(amount),
            Change::Take(amount) => old.unwrap_or(0).checked_sub(amount),
        };
        let Some(new) = new.filter(|_| holds) else { return Err(found) };
        self.undo.push((row.table, row.key, old));
        *place.or_default() = new;
        Ok(())
    }

    /// Is the row written already with a newer stamp? Of writes at the same instant the greater
    /// value stays, so that it does not depend on which comes first.
    fn is_outdated(&mut self, row: &Row) -> bool {
        let (Expect::Stamped(stamp), Resolve::LastWriteWins) = (row.expect, self.resolve) else {
            return false;
        };
        let place = (row.table, row.key);
        let known = self.stamps.get(&place).copied();
        let value = match row.change {
            Change::Set(value) | Change::Give(value) | Change::Take(value) => value,
            Change::Emit { .. } | Change::Relayed => return false,
        };
        let old = self.get(row.table, row.key).unwrap_or(0);
        if known.is_some_and(|known| (known, old) > (stamp, value)) {
            return true;
        }
        self.stamps.insert(place, stamp);
        false
    }

    fn roll_back(&mut self) {
        while let Some((table, key, old)) = self.undo.pop() {
            match old {
                Some(value) => self.rows.insert((table, key), value),
                None => self.rows.remove(&(table, key)),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STOCK: Name = Name::of("stock");
    const DONE: Name = Name::of("done");

    fn row(table: Name, key: u64, expect: Expect, change: Change) -> Row {
        Row { table, key, expect, change }
    }

    #[test]
    fn a_transaction_is_applied_whole() {
        let mut table = Table::default();
        let rows = [
            row(DONE, 7, Expect::Absent, Change::Set(1)),
            row(STOCK, 0, Expect::Any, Change::Give(5)),
            row(STOCK, 0, Expect::Value(5), Change::Take(2)),
        ];
        assert_eq!(table.apply(&rows), Ok(()));
        assert_eq!((table.get(DONE, 7), table.get(STOCK, 0)), (Some(1), Some(3)));
    }

    #[test]
    fn a_clash_names_its_row_and_leaves_no_trace() {
        let mut table = Table::default();
        table.apply(&[row(STOCK, 0, Expect::Any, Change::Set(1))]).unwrap();
        let before = table.clone();
        let rows = [
            row(DONE, 7, Expect::Absent, Change::Set(1)),
            row(STOCK, 0, Expect::Any, Change::Take(1)),
            row(STOCK, 0, Expect::Any, Change::Take(1)),
        ];
        assert_eq!(table.apply(&rows), Err(Clash { row: 2, found: 0 }));
        assert_eq!(table.rows, before.rows);
        let again = [row(STOCK, 0, Expect::Absent, Change::Set(9))];
        assert_eq!(table.apply(&again), Err(Clash { row: 0, found: 1 }));
        let other = [row(DONE, 9, Expect::Value(3), Change::Set(9))];
        assert_eq!(table.apply(&other), Err(Clash { row: 0, found: Row::ABSENT }));
    }
}
