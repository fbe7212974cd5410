//! A disk: an append-only log, of which a crash leaves what was synced.
//!
//! `append` goes to the page cache and costs nothing; `sync` makes everything appended before it
//! durable. Syncs are grouped as databases group commits: while one is on its way, those that
//! follow wait and share the next. Completion belongs to the drive, not to the task that asked.
//! What counts no more can be left out of the log (`compact`).

mod compact;
mod drive;
mod spec;
mod troubles;

use std::cell::Cell;
use std::rc::Rc;

use super::World;
use crate::engine::{self, Fault, Name, Root, Row, WaitId};
use drive::start;
pub(crate) use drive::{Drive, synced};
pub use spec::{DiskSpec, DiskUse};
pub use troubles::wipe;
pub(crate) use troubles::{Trouble, crash, crash_process, end, lose_cache, rot, turn};

/// One entry of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// What it records.
    pub what: Name,
    /// For which operation.
    pub root: Root,
    /// About which object.
    pub key: u64,
    /// How much, or which state.
    pub value: u64,
    /// The rows of a transaction, or none.
    pub rows: Rc<[Row]>,
    /// Bytes of the request's body, which are written with it.
    pub payload: u32,
}

/// A node's view of its own disk.
pub struct Disk<'a> {
    cx: &'a engine::Cx<World>,
}

impl engine::Cx<World> {
    /// This node's disk.
    pub fn disk(&self) -> Disk<'_> {
        Disk { cx: self }
    }
}

impl Disk<'_> {
    /// Appends an entry for the operation at hand. It is readable at once and durable after the
    /// next [`Disk::sync`].
    ///
    /// # Errors
    /// [`Fault::Failed`] if the disk is full: nothing was appended.
    pub fn append(&self, what: Name, key: u64, value: u64, rows: Rc<[Row]>) -> Result<(), Fault> {
        self.append_with(what, key, value, |_| rows)
    }

    /// The same for an entry without rows, which shares the list of none with all others.
    ///
    /// # Errors
    /// As [`Disk::append`].
    pub fn append_plain(&self, what: Name, key: u64, value: u64) -> Result<(), Fault> {
        self.append_with(what, key, value, |world| world.no_rows.clone())
    }

    #[inline]
    fn append_with(
        &self,
        what: Name,
        key: u64,
        value: u64,
        rows: impl FnOnce(&World) -> Rc<[Row]>,
    ) -> Result<(), Fault> {
        let (me, root) = (self.cx.me(), self.cx.root());
        let payload = self.cx.baggage().payload;
        self.cx.with(|state| {
            let rows = rows(&state.env);
            state.env.drives[me.index()].append(Entry { what, root, key, value, rows, payload })
        })
    }

    /// Waits until everything appended so far is durable, as far as the drive says.
    ///
    /// # Errors
    /// [`Fault::Reset`] if the drive reports an error. What was appended may then be durable later
    /// or never, and a sync that succeeds afterwards says nothing about it: [`Disk::rewind`], and
    /// write again what is to stand.
    pub async fn sync(&self) -> Result<(), Fault> {
        let me = self.cx.me();
        let waits = Cell::new(WaitId::NONE);
        let done = self.cx.wait(|state, wait| {
            let now = state.now();
            waits.set(wait);
            let drive = &mut state.env.drives[me.index()];
            let needs = drive.log.len();
            if needs == drive.durable {
                state.wake_at(wait, now);
                return;
            }
            drive.waiting.push_back((needs, wait));
            if drive.target.is_none() {
                start(state, me);
            }
        });
        let _ = done.await;
        let has_failed = self.cx.with(|state| {
            let troubles = state.env.drives[me.index()].troubles.as_mut();
            troubles.is_some_and(|troubles| troubles.take_failure(waits.get()))
        });
        if has_failed { Err(Fault::Reset) } else { Ok(()) }
    }

    /// Gives up what a failed sync has left undurable: the log ends with what is durable, and
    /// whoever waits for a later entry is told that its sync failed. Was there anything to give up?
    /// Of several who hear of the same failure only the first finds something.
    pub fn rewind(&self) -> bool {
        let me = self.cx.me();
        self.cx.with(|state| troubles::rewind(state, me))
    }

    /// Appends an entry and makes it durable. If that fails, it is certain not to be there.
    ///
    /// # Errors
    /// [`Fault::Failed`] if the disk is full or the sync has failed.
    pub async fn commit(
        &self,
        what: Name,
        key: u64,
        value: u64,
        rows: Rc<[Row]>,
    ) -> Result<(), Fault> {
        self.append(what, key, value, rows)?;
        if self.sync().await.is_err() {
            self.rewind();
            return Err(Fault::Failed);
        }
        Ok(())
    }

    /// Lets the drive make everything appended so far durable, without waiting for it.
    pub fn sync_later(&self) {
        let me = self.cx.me();
        self.cx.with(|state| {
            let drive = &mut state.env.drives[me.index()];
            drive.waiting.push_back((drive.log.len(), WaitId::NONE));
            if drive.target.is_none() {
                start(state, me);
            }
        });
    }

    /// Everything that the log is found to hold, oldest first: what a restart finds is what had
    /// become durable. With checksums, entries that are not what was written are left out.
    pub fn replay(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        self.read(|entry| entries.push(entry.clone()));
        entries
    }

    /// The same one by one, where it lies. Whoever looks may not ask for anything else meanwhile.
    pub fn read(&self, look: impl FnMut(&Entry)) {
        let me = self.cx.me();
        self.cx.with(|state| state.env.drives[me.index()].read(look));
    }

    /// The places of the log that are found not to hold what was written there: with checksums all
    /// of them, without only those at which nothing stands.
    pub fn scrub(&self) -> Vec<usize> {
        let me = self.cx.me();
        self.cx.with(|state| state.env.drives[me.index()].scrub())
    }
}

#[cfg(test)]
mod tests;
