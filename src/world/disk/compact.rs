//! Compaction: a log is written anew without what counts no more, while it goes on.
//!
//! Which durable entries are to go is chosen when a node asks for it; the next sync that begins
//! writes the others anew, and takes longer for it. When it is done, the old ones are gone, all at
//! once; if it fails or the node crashes before, the log is as it was.

use super::drive::Drive;
use super::troubles::Flaw;
use super::{Disk, Entry};

/// A compaction that a node has asked for.
#[derive(Debug)]
pub(super) struct Compaction {
    /// The places that go, in order.
    gone: Vec<usize>,
    /// How many entries are written anew, and how many bytes.
    pub kept: (usize, u64),
    /// Does the sync on its way write them?
    pub has_begun: bool,
}

/// So many entries that count no more are worth a compaction, unless the disk gets full.
const WASTE_MIN: usize = 1_000;

impl Disk<'_> {
    /// So many more entries of the log count no more: is it time for a compaction? It is when those
    /// that do not are half of the log and at least 1,000, or half of one that fills half of the
    /// disk, or an eighth of one that fills seven eighths.
    ///
    /// Source: RabbitMQ's message store combines files of which half is garbage; Kafka's
    /// `min.cleanable.dirty.ratio` is 0.5.
    pub fn waste(&self, entries: usize) -> bool {
        let me = self.cx.me();
        self.cx.with(|state| {
            let drive = &mut state.env.drives[me.index()];
            drive.wasted += entries;
            drive.is_wasteful()
        })
    }

    /// Asks for the log to be rid of the durable entries that are not to be kept; `marks` are
    /// appended before, whether there is room for them or not, for they replace what goes. The
    /// entries that stay keep their order. Will it be done?
    ///
    /// It will not if one is on its way, if damage to the log has not been found out yet, or if a
    /// budget holds the log against those of others place by place; then it is time again when
    /// there is as much again.
    pub fn compact(&self, marks: Vec<Entry>, keep: impl FnMut(&Entry) -> bool) -> bool {
        let me = self.cx.me();
        let is_possible = self.cx.with(|state| {
            let is_compared = state.env.budgets.iter().any(|budget| budget.nodes.contains(&me));
            let drive = &mut state.env.drives[me.index()];
            drive.wasted = 0;
            !is_compared && drive.choose(marks, keep)
        });
        if is_possible {
            self.sync_later();
        }
        is_possible
    }
}

impl Drive {
    fn is_wasteful(&self) -> bool {
        let is_half = self.wasted * 2 >= self.log.len();
        is_half && (self.wasted >= WASTE_MIN || self.bytes >= self.room / 2)
            || self.wasted * 8 >= self.log.len() && self.bytes >= self.room / 8 * 7
    }

    /// Chooses what is to go, unless that is impossible.
    pub(super) fn choose(
        &mut self,
        marks: Vec<Entry>,
        mut keep: impl FnMut(&Entry) -> bool,
    ) -> bool {
        if self.compaction.is_some() || !self.is_understood() {
            return false;
        }
        let counts_no_more = |place: &usize| self.is_intact(*place) && !keep(&self.log[*place]);
        let gone: Vec<usize> = (0..self.durable).filter(counts_no_more).collect();
        let less: u64 = gone.iter().map(|place| self.log[*place].bytes()).sum();
        let kept = (self.durable - gone.len(), self.bytes_of(0, self.durable).0 - less);
        self.compaction = Some(Box::new(Compaction { gone, kept, has_begun: false }));
        self.bytes += marks.iter().map(Entry::bytes).sum::<u64>();
        self.usage.writes += marks.len() as u64;
        self.log.extend(marks);
        true
    }

    /// Does whoever reads the log find at each place what was written there, or nothing?
    fn is_understood(&self) -> bool {
        let mut flaws = self.troubles.iter().flat_map(|troubles| troubles.flaws.values());
        flaws.all(|flaw| match flaw {
            Flaw::Gone => true,
            Flaw::Altered(_) => self.spec.checksums,
            Flaw::Cached | Flaw::Forgotten => false,
        })
    }

    /// The sync that wrote the log anew is done: the old one is gone.
    pub(super) fn replace(&mut self) {
        let Some(done) = self.compaction.take_if(|one| one.has_begun) else { return };
        let gone = done.gone;
        let shifted = |place: usize| place - gone.partition_point(|one| *one < place);
        self.bytes -= gone.iter().map(|place| self.log[*place].bytes()).sum::<u64>();
        self.usage.compacted += gone.len() as u64;
        let (mut place, mut next) = (0, gone.iter().copied().peekable());
        self.log.retain(|_| {
            let stays = next.next_if_eq(&place).is_none();
            place += 1;
            stays
        });
        self.durable = shifted(self.durable);
        self.waiting.iter_mut().for_each(|(needs, _)| *needs = shifted(*needs));
        if let Some(troubles) = &mut self.troubles {
            troubles.close(&gone, shifted);
        }
    }

    /// The sync that was to write the log anew has not: the next one shall.
    pub(super) fn put_off(&mut self) {
        if let Some(compaction) = &mut self.compaction {
            compaction.has_begun = false;
        }
    }
}
