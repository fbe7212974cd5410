//! What befalls a drive: syncs that fail or lie, stalls, writes that go astray, rot, torn writes.
//!
//! A flaw is a place of the log whose content on the medium is not what was written there. Facts
//! follow the medium: an entry is a fact from the instant at which it would survive a crash, and
//! whatever makes it unreadable or alters it takes the fact back at that instant.

use std::collections::BTreeMap;

use super::drive::{amount, announce, tell, wake};
use super::{Drive, Entry};
use crate::engine::{Bytes, Change, NodeId, Rng, Row, Span, State, WaitId};
use crate::world::fault::{AfterFailure, Injection};
use crate::world::{SYNC, World, budget, facts};

/// A fault of a drive that is on.
pub(crate) struct Trouble {
    pub index: u32,
    pub what: Injection,
    pub rng: Rng,
}

/// What is wrong with an entry on the medium.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Flaw {
    /// Acknowledged, but still in the drive's cache: the next honest sync writes it, a crash loses
    /// it.
    Cached,
    /// Its sync has failed and it was marked as written: nothing ever writes it, a crash loses it.
    Forgotten,
    /// It is not there.
    Gone,
    /// This stands there instead.
    Altered(Entry),
}

/// What has ever befallen a drive.
#[derive(Default)]
pub(crate) struct Troubles {
    pub(super) on: Vec<Trouble>,
    pub(super) flaws: BTreeMap<usize, Flaw>,
    /// Who waits for a sync that has failed and has not yet been told.
    failed: Vec<WaitId>,
    /// From here on the log is not durable because a sync has failed.
    failed_from: Option<usize>,
    /// What is left of the sync that a stall holds up.
    left: Option<Span>,
}

impl Troubles {
    pub fn cut(&mut self, length: usize) {
        self.flaws.split_off(&length);
        (self.left, self.failed_from) = (None, None);
    }

    /// The entries at these places are there no more, and those behind them have moved up.
    pub fn close(&mut self, gone: &[usize], shifted: impl Fn(usize) -> usize) {
        let flaws = std::mem::take(&mut self.flaws).into_iter();
        let stay = flaws.filter(|(place, _)| gone.binary_search(place).is_err());
        self.flaws = stay.map(|(place, flaw)| (shifted(place), flaw)).collect();
        self.failed_from = self.failed_from.map(shifted);
    }

    /// How long a sync of so many bytes takes that would take `span`.
    pub fn slowed(&self, span: Span, size: Bytes) -> Span {
        self.on.iter().fold(span, |span, trouble| match &trouble.what {
            Injection::DiskThrottle { factor, throughput, .. } => {
                factor.of(span) + throughput.map_or(Span::ZERO, |rate| rate.time_for(size))
            }
            _ => span,
        })
    }

    /// Holds up a sync of this length, if the drive is stalled.
    pub fn hold(&mut self, span: Span) -> bool {
        let is_stalled = self.is_stalled();
        if is_stalled {
            self.left = Some(span);
        }
        is_stalled
    }

    fn is_stalled(&self) -> bool {
        self.on.iter().any(|trouble| matches!(trouble.what, Injection::DiskStall { .. }))
    }

    /// Was this sync one that failed?
    pub fn take_failure(&mut self, wait: WaitId) -> bool {
        let place = self.failed.iter().position(|failed| *failed == wait);
        place.map(|place| self.failed.swap_remove(place)).is_some()
    }

    /// Does a sync that ends now fail, and how?
    fn fails(&mut self) -> Option<AfterFailure> {
        let mut how = None;
        for trouble in &mut self.on {
            if let Injection::SyncFails { rate, after_failure, .. } = trouble.what
                && trouble.rng.chance(rate)
            {
                how = how.or(Some(after_failure));
            }
        }
        how
    }

    /// Which fault makes a sync that ends now a lie?
    fn lies(&mut self) -> Option<u32> {
        let mut liar = None;
        for trouble in &mut self.on {
            if let Injection::SyncLies { rate, .. } = trouble.what
                && trouble.rng.chance(rate)
            {
                liar = liar.or(Some(trouble.index));
            }
        }
        liar
    }

    /// Which fault misdirects an entry that is written now, and a number that says whither.
    fn misdirects(&mut self) -> Option<(u32, u64)> {
        let mut astray = None;
        for trouble in &mut self.on {
            if let Injection::MisdirectedWrite { rate, .. } = trouble.what
                && trouble.rng.chance(rate)
            {
                astray = astray.or(Some((trouble.index, trouble.rng.u64())));
            }
        }
        astray
    }
}

impl Drive {
    /// Does the medium hold this entry as it was written?
    pub(crate) fn is_intact(&self, place: usize) -> bool {
        let flaws = self.troubles.as_ref().map(|troubles| &troubles.flaws);
        place < self.durable && flaws.is_none_or(|flaws| !flaws.contains_key(&place))
    }

    /// How much of the log is acknowledged as durable.
    pub(crate) fn acknowledged(&self) -> usize {
        self.durable
    }

    /// Lets it have the room that it has now.
    fn fill(&mut self) {
        let on = &self.troubles().on;
        let is_full = on.iter().any(|one| matches!(one.what, Injection::DiskFull { .. }));
        self.room = if is_full { 0 } else { self.spec.room() };
    }

    pub(super) fn troubles(&mut self) -> &mut Troubles {
        self.troubles.get_or_insert_default()
    }

    /// What a reader of the log finds: what the medium says, and what the page cache still has.
    pub(super) fn read(&mut self, mut look: impl FnMut(&Entry)) {
        let Some(troubles) = &mut self.troubles else { return self.log.iter().for_each(look) };
        for (place, entry) in self.log.iter().enumerate() {
            match troubles.flaws.get(&place) {
                None | Some(Flaw::Cached | Flaw::Forgotten) => look(entry),
                Some(Flaw::Gone) => {}
                Some(Flaw::Altered(_)) if self.spec.checksums => {
                    self.usage.detected += 1;
                    troubles.flaws.insert(place, Flaw::Gone);
                }
                Some(Flaw::Altered(other)) => look(other),
            }
        }
    }

    /// The places whose content is not what was written there, as far as checksums can tell.
    pub(super) fn scrub(&self) -> Vec<usize> {
        let flaws = self.troubles.iter().flat_map(|troubles| &troubles.flaws);
        let found = flaws.filter(|(_, flaw)| match flaw {
            Flaw::Gone => true,
            Flaw::Altered(_) => self.spec.checksums,
            Flaw::Cached | Flaw::Forgotten => false,
        });
        found.map(|(place, _)| *place).collect()
    }
}

/// A sync of a drive that something has befallen comes to its end.
#[cold]
pub(super) fn complete(state: &mut State<World>, node: NodeId, from: usize, target: usize) {
    let drive = &mut state.env.drives[node.index()];
    if let Some(how) = drive.troubles().fails() {
        return fail(state, node, (from, target), how);
    }
    let liar = drive.troubles().lies();
    let places = from..target;
    let liar = liar.filter(|&fault| {
        places.clone().all(|place| budget::spares(state, node, place))
            || withhold(state, node, fault)
    });
    let drive = &mut state.env.drives[node.index()];
    drive.durable = target;
    if liar.is_some() {
        drive.troubles().flaws.extend(places.map(|place| (place, Flaw::Cached)));
        drive.put_off();
        return wake(state, node, target);
    }
    flush(state, node);
    places.for_each(|place| write(state, node, place));
    wake(state, node, target);
    state.env.drives[node.index()].replace();
}

/// A fault would have damaged what must not be damaged.
fn withhold(state: &mut State<World>, node: NodeId, fault: u32) -> bool {
    super::super::note(state, node, facts::WITHHELD, u64::from(fault));
    false
}

/// An honest sync writes what lies have left in the drive's cache.
fn flush(state: &mut State<World>, node: NodeId) {
    let flaws = &mut state.env.drives[node.index()].troubles().flaws;
    let cached = flaws.iter().filter(|(_, flaw)| **flaw == Flaw::Cached);
    let cached: Vec<usize> = cached.map(|(place, _)| *place).collect();
    for place in cached {
        state.env.drives[node.index()].troubles().flaws.remove(&place);
        announce(state, node, place);
    }
}

/// A sync has failed: whoever waits for it is told so.
fn fail(state: &mut State<World>, node: NodeId, of: (usize, usize), how: AfterFailure) {
    let (from, target) = of;
    let drive = &mut state.env.drives[node.index()];
    drive.usage.failed += 1;
    match how {
        // Of what it was asked with some is forgotten.
        AfterFailure::Lost => drive.compaction = None,
        AfterFailure::Retryable => drive.put_off(),
    }
    let waits: Vec<WaitId> = drive.waiting.iter().map(|(_, wait)| *wait).collect();
    let covered = drive.waiting.partition_point(|(needs, _)| *needs <= target);
    if how == AfterFailure::Lost {
        drive.durable = target;
    }
    let troubles = drive.troubles();
    troubles.failed_from = Some(troubles.failed_from.map_or(from, |known| known.min(from)));
    if how == AfterFailure::Lost {
        troubles.flaws.extend((from..target).map(|place| (place, Flaw::Forgotten)));
    }
    told(state, node, &waits[..covered]);
    wake(state, node, target);
}

/// Remembers who must be told of a failure.
fn told(state: &mut State<World>, node: NodeId, waits: &[WaitId]) {
    let awaited: Vec<WaitId> =
        waits.iter().copied().filter(|wait| state.is_awaited(*wait)).collect();
    state.env.drives[node.index()].troubles().failed.extend(awaited);
}

/// An entry is written: to its place, unless it goes astray.
fn write(state: &mut State<World>, node: NodeId, place: usize) {
    let drive = &mut state.env.drives[node.index()];
    let astray = drive.troubles().misdirects();
    let victims = |drive: &Drive| -> Vec<usize> {
        (0..drive.durable).filter(|&other| other != place && drive.is_intact(other)).collect()
    };
    let Some((fault, number)) = astray else { return announce(state, node, place) };
    let victims = victims(drive);
    let Some(&victim) = victims.get((number % victims.len().max(1) as u64) as usize) else {
        return announce(state, node, place);
    };
    if !(budget::spares(state, node, victim) && budget::spares(state, node, place)) {
        withhold(state, node, fault);
        return announce(state, node, place);
    }
    let drive = &mut state.env.drives[node.index()];
    drive.troubles().flaws.insert(place, Flaw::Gone);
    let entry = drive.log[place].clone();
    alter(state, node, victim, Some(entry));
}

/// From now on the medium has something else at a place where an entry was intact, or nothing.
fn alter(state: &mut State<World>, node: NodeId, place: usize, other: Option<Entry>) {
    let drive = &mut state.env.drives[node.index()];
    drive.usage.damaged += 1;
    let old = drive.log[place].clone();
    let is_read = other.clone().filter(|_| !drive.spec.checksums);
    let flaw = other.map_or(Flaw::Gone, Flaw::Altered);
    drive.troubles().flaws.insert(place, flaw);
    lose(state, node, &old);
    if let Some(entry) = is_read {
        tell(state, node, &entry);
    }
}

/// An entry that was durable is so no more: the fact of each of its rows is taken back.
fn lose(state: &mut State<World>, node: NodeId, entry: &Entry) {
    for row in entry.rows.iter() {
        let back = amount(row.change).wrapping_neg();
        state.note(node, entry.root, facts::LOST, (u64::from(row.table.value()), back));
    }
}

/// Durable entries rot: one bit of an amount of each flips.
pub(crate) fn rot(
    state: &mut State<World>,
    node: NodeId,
    (fault, entries): (u32, u32),
    rng: &mut Rng,
) {
    for _ in 0..entries {
        let drive = &state.env.drives[node.index()];
        let intact: Vec<usize> =
            (0..drive.durable).filter(|&place| drive.is_intact(place)).collect();
        let Some(&place) = rng.pick(&intact) else { return };
        let rotten = rotten(&drive.log[place], rng);
        if budget::spares(state, node, place) {
            alter(state, node, place, Some(rotten));
        } else {
            withhold(state, node, fault);
        }
    }
}

/// An entry of which one of the lower 32 bits of one amount is flipped.
fn rotten(entry: &Entry, rng: &mut Rng) -> Entry {
    let bit = 1_u64 << rng.below(32);
    let mut rotten = entry.clone();
    let mut rows: Vec<Row> = entry.rows.to_vec();
    if rows.is_empty() {
        rotten.value ^= bit;
    } else {
        let row = rng.below(rows.len() as u64) as usize;
        rows[row].change = match rows[row].change {
            Change::Set(value) => Change::Set(value ^ bit),
            Change::Give(value) => Change::Give(value ^ bit),
            Change::Take(value) => Change::Take(value ^ bit),
            Change::Emit { event, class, value } => {
                Change::Emit { event, class, value: value ^ bit }
            }
            // There is no amount: the mark is on another event.
            Change::Relayed => {
                rows[row].key ^= bit;
                Change::Relayed
            }
        };
        rotten.rows = rows.into();
    }
    rotten
}

/// What a torn write leaves of an entry: some of its rows; of one without rows, zeros for its
/// value.
fn torn(entry: &Entry, luck: u64) -> Entry {
    let mut torn = entry.clone();
    let kept = (luck % entry.rows.len().max(1) as u64) as usize;
    torn.rows = entry.rows[..kept].into();
    if entry.rows.is_empty() {
        torn.value = 0;
    }
    torn
}

/// What was not synced is gone, but for what a torn write leaves of it.
pub(crate) fn crash(state: &mut State<World>, node: NodeId) {
    let drive = &mut state.env.drives[node.index()];
    drive.waiting.clear();
    (drive.target, drive.alarm, drive.compaction) = (None, 0, None);
    let mut length = drive.durable;
    if drive.troubles.is_some() {
        length = land(state, node);
    }
    let drive = &mut state.env.drives[node.index()];
    drive.usage.lost += (drive.log.len() - length) as u64;
    if let Some(troubles) = &mut drive.troubles {
        troubles.failed.clear();
        for flaw in troubles.flaws.values_mut() {
            if matches!(flaw, Flaw::Cached | Flaw::Forgotten) {
                *flaw = Flaw::Gone;
                drive.usage.lost += 1;
            }
        }
        // Nothing stands at the end: that is where the log ends.
        while length > 0 && troubles.flaws.get(&(length - 1)) == Some(&Flaw::Gone) {
            length -= 1;
        }
    }
    drive.cut(length);
}

/// How long the log is after a crash that may tear a write; what has landed is a fact.
fn land(state: &mut State<World>, node: NodeId) -> usize {
    let drive = &mut state.env.drives[node.index()];
    let (durable, end) = (drive.durable, drive.log.len());
    let mut landed = None;
    for trouble in &mut drive.troubles().on {
        if let Injection::TornWrite { rate, .. } = trouble.what
            && durable < end
            && trouble.rng.chance(rate)
            && landed.is_none()
        {
            landed = Some((
                durable + trouble.rng.below((end - durable) as u64) as usize,
                trouble.rng.u64(),
            ));
        }
    }
    let Some((place, luck)) = landed else { return durable };
    let entry = torn(&drive.log[place], luck);
    drive.durable = place + 1;
    (durable..place).for_each(|place| announce(state, node, place));
    let drive = &mut state.env.drives[node.index()];
    let is_read = !drive.spec.checksums;
    drive.troubles().flaws.insert(place, Flaw::Altered(entry.clone()));
    if is_read {
        tell(state, node, &entry);
    }
    place + 1
}

/// Everything on a node's disk is gone, unless a budget keeps it: is it?
pub fn wipe(state: &mut State<World>, node: NodeId) -> bool {
    if !budget::spares_all(state, node) {
        return false;
    }
    let drive = &state.env.drives[node.index()];
    let intact: Vec<usize> = (0..drive.durable).filter(|&place| drive.is_intact(place)).collect();
    for place in intact {
        alter(state, node, place, None);
    }
    let drive = &mut state.env.drives[node.index()];
    drive.waiting.clear();
    drive.usage.lost += (drive.log.len() - drive.durable) as u64;
    drive.cut(0);
    true
}

/// What a failed sync has left undurable is given up, and whoever waits for a later one is told
/// that it failed: was there anything?
pub(super) fn rewind(state: &mut State<World>, node: NodeId) -> bool {
    let drive = &mut state.env.drives[node.index()];
    let Some(from) = drive.troubles.as_mut().and_then(|troubles| troubles.failed_from) else {
        return false;
    };
    drive.usage.lost += (drive.log.len() - from) as u64;
    drive.cut(from);
    let waits: Vec<WaitId> = drive.waiting.iter().map(|(_, wait)| *wait).collect();
    told(state, node, &waits);
    wake(state, node, usize::MAX);
    true
}

/// The process of a node is gone, and its host is not: what the operating system has it goes on
/// writing.
pub(crate) fn crash_process(state: &mut State<World>, node: NodeId) {
    let drive = &mut state.env.drives[node.index()];
    if !drive.spec.outlives_process {
        return crash(state, node);
    }
    drive.waiting.clear();
    if let Some(troubles) = &mut drive.troubles {
        troubles.failed.clear();
    }
}

/// The host of a node is gone, whose process may have been so before.
pub(crate) fn lose_cache(state: &mut State<World>, node: NodeId) {
    if state.env.drives[node.index()].spec.outlives_process {
        crash(state, node);
    }
}

/// A fault of a drive begins.
pub(crate) fn turn(state: &mut State<World>, node: NodeId, trouble: Trouble) {
    let now = state.now();
    let drive = &mut state.env.drives[node.index()];
    drive.troubles().on.push(trouble);
    drive.fill();
    let left = drive.ends - now;
    let is_busy = drive.target.is_some();
    let troubles = drive.troubles();
    if is_busy && troubles.is_stalled() && troubles.left.is_none() {
        troubles.left = Some(left);
        drive.alarm = 0;
    }
}

/// A fault of a drive ends.
pub(crate) fn end(state: &mut State<World>, node: NodeId, index: u32) {
    let now = state.now();
    let drive = &mut state.env.drives[node.index()];
    let troubles = drive.troubles();
    troubles.on.retain(|trouble| trouble.index != index);
    let left = if troubles.is_stalled() { None } else { troubles.left.take() };
    drive.fill();
    if let Some(left) = left {
        drive.ends = now + left;
        let alarm = state.set_alarm(now + left, node.0 << 1 | SYNC);
        state.env.drives[node.index()].alarm = alarm;
    }
}
