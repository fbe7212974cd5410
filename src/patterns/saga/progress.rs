//! How far each saga is: what the coordinator's log says, read and written by the same rules.

use std::collections::BTreeMap;

use crate::engine::{Fault, Name, Root};
use crate::world::Cx;

/// How far a saga is, as its log has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Progress {
    pub value: u64,
    /// Steps known to be done.
    pub done: usize,
    /// Steps still to be undone, once it has turned back.
    pub undo: Option<usize>,
    pub end: Option<End>,
}

/// How a saga ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    Completed,
    Compensated,
    Parked,
}

/// Entries of the coordinator's log.
pub(super) const BEGIN: Name = Name::of("saga.log begin");
pub(super) const DONE: Name = Name::of("saga.log done");
pub(super) const BACK: Name = Name::of("saga.log back");
pub(super) const UNDONE: Name = Name::of("saga.log undone");
pub(super) const END: Name = Name::of("saga.log end");

/// Writes an entry to a durable log, where there is one.
pub(super) async fn record(
    cx: &Cx,
    is_durable: bool,
    what: Name,
    key: u64,
    value: u64,
) -> Result<(), Fault> {
    if is_durable { cx.disk().commit(what, key, value, [].into()).await } else { Ok(()) }
}

/// Every saga that the coordinator knows, by the request that it is made for and the business
/// object: two requests may be about the same object.
#[derive(Clone, Debug, Default)]
pub(super) struct Sagas(BTreeMap<(Root, u64), Progress>);

impl Sagas {
    /// Those that the coordinator's log knows.
    pub fn of_log(cx: &Cx) -> Sagas {
        let mut sagas = Sagas::default();
        for entry in cx.disk().replay() {
            sagas.learn(entry.what, entry.key, entry.value, entry.root);
        }
        sagas
    }

    pub fn get(&self, root: Root, key: u64) -> Option<Progress> {
        self.0.get(&(root, key)).copied()
    }

    /// One that never began after all.
    pub fn forget(&mut self, root: Root, key: u64) {
        self.0.remove(&(root, key));
    }

    /// Has it no end yet?
    pub fn is_open(&self, root: Root, key: u64) -> bool {
        self.get(root, key).is_some_and(|saga| saga.end.is_none())
    }

    /// Those that have no end yet.
    pub fn unfinished(&self) -> Vec<(Root, u64)> {
        let open = self.0.iter().filter(|(_, saga)| saga.end.is_none());
        open.map(|(&saga, _)| saga).collect()
    }

    /// Takes in an entry of the log: the same when it is written and when it is read again.
    pub fn learn(&mut self, what: Name, key: u64, value: u64, root: Root) {
        let fresh = Progress { value, done: 0, undo: None, end: None };
        let saga = self.0.entry((root, key)).or_insert(fresh);
        match what {
            DONE => saga.done = value as usize,
            BACK | UNDONE => saga.undo = Some(value as usize),
            END if value == End::Completed as u64 => saga.end = Some(End::Completed),
            END if value == End::Compensated as u64 => saga.end = Some(End::Compensated),
            END => saga.end = Some(End::Parked),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_read_again_says_what_was_under_way() {
        let mut sagas = Sagas::default();
        let (first, second) = (Root(1), Root(2));
        sagas.learn(BEGIN, 7, 500, first);
        sagas.learn(DONE, 7, 1, first);
        sagas.learn(BEGIN, 8, 900, second);
        sagas.learn(DONE, 8, 2, second);
        sagas.learn(BACK, 8, 3, second);
        sagas.learn(UNDONE, 8, 2, second);
        assert_eq!(sagas.unfinished(), [(first, 7), (second, 8)]);
        let eighth = Progress { value: 900, done: 2, undo: Some(2), end: None };
        assert_eq!(sagas.get(second, 8), Some(eighth));
        for (root, key, end) in [(first, 7, End::Completed), (second, 8, End::Parked)] {
            sagas.learn(END, key, end as u64, root);
            assert_eq!(sagas.get(root, key).and_then(|saga| saga.end), Some(end));
        }
        assert!(sagas.unfinished().is_empty());
    }
}
