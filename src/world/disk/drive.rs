//! A drive: its log, how much of it is durable, and the sync that is on its way.

use std::collections::VecDeque;

use super::compact::Compaction;
use super::troubles::{self, Troubles};
use super::{DiskSpec, DiskUse, Entry};
use crate::engine::{Bytes, Change, Due, Fault, NodeId, Rng, Span, State, Time, WaitId};
use crate::world::{SYNC, World};

/// A node's drive.
pub(crate) struct Drive {
    pub(super) spec: DiskSpec,
    rng: Rng,
    pub(super) log: Vec<Entry>,
    /// This much of the log is acknowledged as durable, and is so but for flaws.
    pub(super) durable: usize,
    /// A sync is on its way and will make this much durable.
    pub(super) target: Option<usize>,
    pub(super) waiting: VecDeque<(usize, WaitId)>,
    pub usage: DiskUse,
    /// Which alarm ends the sync on its way; those of syncs that were cut off are stale.
    pub(super) alarm: u64,
    /// When it does.
    pub(super) ends: Time,
    /// Length of the log in bytes, and how long it may become.
    pub(super) bytes: u64,
    pub(super) room: u64,
    /// What has ever befallen it; nothing in most drives.
    pub(super) troubles: Option<Box<Troubles>>,
    /// What its node has asked to be rid of.
    pub(super) compaction: Option<Box<Compaction>>,
    /// So many entries count no more since it was last asked.
    pub(super) wasted: usize,
}

impl Drive {
    pub fn new(spec: DiskSpec, rng: Rng) -> Drive {
        let room = spec.room();
        Drive {
            spec,
            rng,
            log: Vec::new(),
            durable: 0,
            target: None,
            waiting: VecDeque::new(),
            usage: DiskUse::default(),
            alarm: 0,
            ends: Time(0),
            bytes: 0,
            room,
            troubles: None,
            compaction: None,
            wasted: 0,
        }
    }

    /// Everything that was written, and whether the medium holds it.
    pub fn log(&self) -> impl Iterator<Item = (&Entry, bool)> {
        let numbered = self.log.iter().enumerate();
        numbered.map(|(place, entry)| (entry, self.is_intact(place)))
    }

    #[inline]
    pub(super) fn append(&mut self, entry: Entry) -> Result<(), Fault> {
        let bytes = self.bytes + entry.bytes();
        if bytes > self.room {
            self.usage.refused += 1;
            return Err(Fault::Failed);
        }
        self.bytes = bytes;
        self.usage.writes += 1;
        self.log.push(entry);
        Ok(())
    }

    /// Shortens the log, and forgets the sync on its way and who waits for it.
    pub(super) fn cut(&mut self, length: usize) {
        let lost = self.log.drain(length..);
        self.bytes -= lost.map(|entry| entry.bytes()).sum::<u64>();
        self.durable = self.durable.min(length);
        self.wasted = self.wasted.min(length);
        (self.target, self.alarm, self.compaction) = (None, 0, None);
        if let Some(troubles) = &mut self.troubles {
            troubles.cut(length);
        }
    }

    /// How long the sync that begins now takes.
    #[inline]
    fn duration(&mut self, target: usize) -> Span {
        let mut span = self.spec.sync.sample(&mut self.rng);
        let anew = self.compaction.as_mut().map_or((0, 0), |compaction| {
            compaction.has_begun = true;
            compaction.kept
        });
        if self.spec.is_weighed() {
            span += self.weigh(target, anew);
        }
        match &self.troubles {
            None => span,
            Some(troubles) => {
                let bytes = self.bytes_of(self.durable, target);
                troubles.slowed(span, Bytes(bytes.0 + anew.1))
            }
        }
    }

    /// How much longer a sync takes for what it writes: what is new, and so many entries and bytes
    /// anew.
    fn weigh(&mut self, target: usize, anew: (usize, u64)) -> Span {
        let mut span = Span::ZERO;
        for _ in 0..target - self.durable + anew.0 {
            span += self.spec.write.sample(&mut self.rng);
        }
        let bytes = Bytes(self.bytes_of(self.durable, target).0 + anew.1);
        span + self.spec.throughput.map_or(Span::ZERO, |rate| rate.time_for(bytes))
    }

    pub(super) fn bytes_of(&self, from: usize, to: usize) -> Bytes {
        Bytes(self.log[from..to].iter().map(Entry::bytes).sum())
    }
}

/// Starts a sync of everything in the log.
pub(super) fn start(state: &mut State<World>, node: NodeId) {
    let now = state.now();
    let drive = &mut state.env.drives[node.index()];
    let target = drive.log.len();
    drive.target = Some(target);
    drive.usage.syncs += 1;
    let span = drive.duration(target);
    drive.ends = now + span;
    if let Some(troubles) = &mut drive.troubles
        && troubles.hold(span)
    {
        return;
    }
    let alarm = state.set_alarm(now + span, node.0 << 1 | SYNC);
    state.env.drives[node.index()].alarm = alarm;
}

/// The drive has finished a sync: what it covered is durable, and that is a fact at this instant,
/// whatever becomes of the node that asked.
#[inline(never)]
pub(crate) fn synced(state: &mut State<World>, node: NodeId, alarm: u64) -> Due {
    let drive = &mut state.env.drives[node.index()];
    let Some(target) = drive.target.filter(|_| drive.alarm == alarm) else { return Due::Nothing };
    let from = drive.durable;
    drive.target = None;
    if drive.troubles.is_some() {
        troubles::complete(state, node, from, target);
    } else {
        drive.durable = target;
        for place in from..target {
            announce(state, node, place);
        }
        wake(state, node, target);
        state.env.drives[node.index()].replace();
    }
    if !state.env.drives[node.index()].waiting.is_empty() {
        start(state, node);
    }
    Due::Nothing
}

/// Wakes those whose entries are covered by a sync that has ended.
pub(super) fn wake(state: &mut State<World>, node: NodeId, target: usize) {
    let now = state.now();
    while let Some(&(needs, wait)) = state.env.drives[node.index()].waiting.front() {
        if needs > target {
            break;
        }
        state.env.drives[node.index()].waiting.pop_front();
        if state.is_awaited(wait) {
            state.wake_at(wait, now);
        }
    }
}

/// An entry of the log has become durable: every row of it is a fact.
#[inline]
pub(super) fn announce(state: &mut State<World>, node: NodeId, place: usize) {
    let entry = &state.env.drives[node.index()].log[place];
    if !entry.rows.is_empty() {
        let entry = entry.clone();
        tell(state, node, &entry);
    }
}

/// A transaction has become durable: every row of it is a fact, its kind the row's table.
pub(super) fn tell(state: &mut State<World>, node: NodeId, entry: &Entry) {
    for row in entry.rows.iter() {
        state.note(node, entry.root, row.table, (row.key, amount(row.change)));
    }
}

/// What a change adds, or the value that it sets.
pub(super) fn amount(change: Change) -> u64 {
    match change {
        Change::Set(value) | Change::Give(value) | Change::Emit { value, .. } => value,
        Change::Take(value) => value.wrapping_neg(),
        Change::Relayed => 1,
    }
}
