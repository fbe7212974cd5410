//! The pure table inside a store: rows by table and key, changed in transactions or not at all.

use std::collections::BTreeMap;

use crate::engine::{Change, Expect, Name, Row};

/// Why a transaction did not go through: which row's condition did not hold, and what was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clash {
    /// Position in the batch.
    pub row: u32,
    /// The value that stands there, [`Row::ABSENT`] for none.
    pub found: u64,
}

/// Rows by table and key.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Table {
    rows: BTreeMap<(Name, u64), u64>,
    /// What the transaction at hand has overwritten; kept to save an allocation each.
    undo: Vec<(Name, u64, Option<u64>)>,
}

impl Table {
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
        for (index, row) in rows.iter().enumerate() {
            if let Err(found) = self.change(row) {
                self.roll_back();
                return Err(Clash { row: index as u32, found });
            }
        }
        Ok(())
    }

    fn change(&mut self, row: &Row) -> Result<(), u64> {
        let old = self.get(row.table, row.key);
        let found = old.unwrap_or(Row::ABSENT);
        let holds = match row.expect {
            Expect::Any => true,
            Expect::Absent => old.is_none(),
            Expect::Value(value) => old == Some(value),
        };
        let new = match row.change {
            Change::Set(value) => Some(value),
            Change::Give(amount) => old.unwrap_or(0).checked_add(amount),
            Change::Take(amount) => old.unwrap_or(0).checked_sub(amount),
        };
        let Some(new) = new.filter(|_| holds) else { return Err(found) };
        self.undo.push((row.table, row.key, old));
        self.rows.insert((row.table, row.key), new);
        Ok(())
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
