//! The segments of a log: what retention deletes and compaction leaves alone.
//!
//! Records go to the last segment, the active one. When it is full or old a new one begins.
//! Retention deletes whole segments, oldest first; compaction looks at all but the active one.

use std::collections::VecDeque;

use super::settings::Retention;
use crate::engine::{Bytes, Span, Time};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Segment {
    /// The offset that it begins with.
    base: u64,
    bytes: u64,
    /// The youngest record in it.
    newest: Time,
    /// When its first record was written.
    begun: Time,
}

/// When a new segment begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Roll {
    bytes: Bytes,
    after: Span,
}

/// The segments of a log.
#[derive(Clone, Debug)]
pub(super) struct Segments {
    all: VecDeque<Segment>,
    roll: Roll,
    bytes: u64,
}

impl Default for Segments {
    fn default() -> Segments {
        let roll = Roll { bytes: Bytes(u64::MAX), after: Span::MAX };
        Segments { all: VecDeque::new(), roll, bytes: 0 }
    }
}

impl Segments {
    /// How large a segment becomes, and how old.
    pub fn set_roll(&mut self, bytes: Bytes, after: Span) {
        self.roll = Roll { bytes, after };
    }

    /// A record of this age joins.
    pub fn add(&mut self, offset: u64, bytes: u64, since: Time, now: Time) {
        let Roll { bytes: most, after } = self.roll;
        let is_full = |active: &Segment| {
            active.bytes + bytes > most.0 || now.0.saturating_sub(active.begun.0) >= after.0
        };
        if self.all.back().is_none_or(is_full) {
            self.all.push_back(Segment { base: offset, bytes: 0, newest: since, begun: now });
        }
        if let Some(active) = self.all.back_mut() {
            active.bytes += bytes;
            active.newest = active.newest.max(since);
            self.bytes += bytes;
        }
    }

    /// Compaction took this record away.
    pub fn remove(&mut self, offset: u64, bytes: u64) {
        let after = self.all.partition_point(|segment| segment.base <= offset);
        let Some(segment) = after.checked_sub(1).and_then(|place| self.all.get_mut(place)) else {
            return;
        };
        segment.bytes -= bytes;
        self.bytes -= bytes;
    }

    /// Where the active segment begins; nothing from there on is compacted.
    pub fn active(&self) -> Option<u64> {
        self.all.back().map(|active| active.base)
    }

    /// Where the log begins once what is too old or too much is gone, if that is anything. Whole
    /// segments go, and none that reaches beyond `last`; the active one only if it is too old.
    pub fn expired(&self, now: Time, keep: &Retention, (last, end): (u64, u64)) -> Option<u64> {
        let (mut start, mut bytes) = (None, self.bytes);
        for (place, segment) in self.all.iter().enumerate() {
            let next = self.all.get(place + 1).map(|next| next.base);
            let ends = next.unwrap_or(end);
            let is_old = keep.time.is_some_and(|time| segment.newest + time <= now);
            let left = bytes - segment.bytes;
            let is_much = next.is_some() && keep.size.is_some_and(|size| left >= size.0);
            if ends > last || !(is_old || is_much) {
                break;
            }
            (start, bytes) = (Some(ends), left);
        }
        start
    }

    /// Everything before this offset is gone.
    pub fn drop_before(&mut self, start: u64) {
        while self.all.get(1).is_some_and(|next| next.base <= start) {
            let gone = self.all.pop_front().map_or(0, |segment| segment.bytes);
            self.bytes -= gone;
        }
    }

    /// There are none any more.
    pub fn cut(&mut self) {
        self.all.clear();
        self.bytes = 0;
    }

    /// How many bytes they are.
    #[cfg(test)]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}
