//! What the next events will need, fetched into cache while the present ones are processed.
//!
//! With a million messages under way nothing that an event touches is in cache when it comes: its
//! record, its node, and the node's random stream are one miss each. The queue knows what comes
//! next, so the misses can overlap with the work before them. Nothing here changes what happens.

use super::event::{Key, Record, Slab, Tag};
use super::prefetch::{prefetch, prefetch_at};
use super::queue::Hints;
use super::state::Place;

/// Fetches the records, streams and nodes of the next events ahead of time.
pub(crate) struct Ahead<'a> {
    pub records: &'a Slab,
    pub places: &'a [Place],
    /// Are there so many that they do not stay in cache by themselves?
    pub is_wanted: bool,
}

/// Fewer records than this stay in cache by themselves.
pub(crate) const CACHED: usize = 1 << 10;

impl Ahead<'_> {
    #[inline]
    fn record(&self, key: u128) -> Option<&Record> {
        let key = Key::unpack(key);
        let is_record = matches!(key.tag, Tag::Deliver | Tag::Reply);
        is_record.then(|| self.records.get(key.index))
    }
}

impl Hints for Ahead<'_> {
    #[inline]
    fn are_wanted(&self) -> bool {
        self.is_wanted
    }

    #[inline]
    fn early(&self, key: u128) {
        if let Some(record) = self.record(key) {
            prefetch(record);
        }
    }

    #[inline]
    fn late(&self, key: u128) {
        if let Some(record) = self.record(key) {
            let place = &self.places[record.to.index()];
            prefetch_at(place.body);
            place.rng.prefetch();
        }
    }
}
