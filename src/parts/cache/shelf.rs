//! What a cache keeps: entries up to its capacity, and which of them goes when another comes.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::engine::{Name, Rng, Span, Time};

/// Which entry goes when the cache is full and another comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Eviction {
    /// The one that was not read for longest.
    ///
    /// Source: least recently used, as in the page replacement of operating systems.
    #[default]
    Lru,
    /// The one that has been there for longest.
    ///
    /// Source: L. A. Belady, "A Study of Replacement Algorithms for a Virtual-Storage Computer",
    /// IBM Systems Journal 5(2), 1966.
    Fifo,
    /// The one that was read least often since it came; of those, the one not read for longest.
    ///
    /// Source: least frequently used, as in the page replacement of operating systems.
    Lfu,
    /// Any of them.
    ///
    /// Source: L. A. Belady, "A Study of Replacement Algorithms for a Virtual-Storage Computer",
    /// IBM Systems Journal 5(2), 1966.
    Random,
}

/// A row of a table.
pub(super) type Key = (Name, u64);

/// An entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub value: u64,
    /// When it was fetched, and how long that took.
    pub fetched: Time,
    pub took: Span,
    /// From here on it is stale.
    pub expires: Time,
    /// Is somebody fetching it anew in the background?
    pub is_renewed: bool,
    /// Whatever has the least rank goes first.
    rank: (u64, u64),
    /// Its place in the list that one is drawn from.
    place: usize,
}

/// The entries.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelf {
    entries: BTreeMap<Key, Entry>,
    ranks: BTreeSet<((u64, u64), Key)>,
    /// All keys, for a random one.
    keys: Vec<Key>,
    clock: u64,
}

impl Shelf {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The entry of a key, which is thereby read.
    pub fn read(&mut self, eviction: Eviction, key: Key) -> Option<&mut Entry> {
        self.clock += 1;
        let entry = self.entries.get_mut(&key)?;
        let rank = match eviction {
            Eviction::Lru => (0, self.clock),
            Eviction::Lfu => (entry.rank.0 + 1, self.clock),
            Eviction::Fifo | Eviction::Random => entry.rank,
        };
        if rank != entry.rank {
            self.ranks.remove(&(entry.rank, key));
            self.ranks.insert((rank, key));
            entry.rank = rank;
        }
        Some(entry)
    }

    /// The entry of a key, which is not thereby read.
    pub fn get(&mut self, key: Key) -> Option<&mut Entry> {
        self.entries.get_mut(&key)
    }

    /// Keeps what was fetched; the place of an entry that is there already stays as it is.
    pub fn keep(&mut self, key: Key, value: u64, (fetched, took): (Time, Span), expires: Time) {
        if let Some(entry) = self.entries.get_mut(&key) {
            let (rank, place) = (entry.rank, entry.place);
            *entry = Entry { value, fetched, took, expires, is_renewed: false, rank, place };
            return;
        }
        self.clock += 1;
        let (rank, place) = ((0, self.clock), self.keys.len());
        self.keys.push(key);
        self.ranks.insert((rank, key));
        let entry = Entry { value, fetched, took, expires, is_renewed: false, rank, place };
        self.entries.insert(key, entry);
    }

    /// Lets one entry go; draws from `rng` only if any of them may be it.
    pub fn evict(&mut self, eviction: Eviction, rng: &mut Rng) {
        let first = self.ranks.first().map(|(_, key)| *key);
        let key = match eviction {
            Eviction::Random => rng.pick(&self.keys).copied(),
            _ => first,
        };
        if let Some(key) = key {
            self.remove(key);
        }
    }

    pub fn remove(&mut self, key: Key) {
        let Some(entry) = self.entries.remove(&key) else { return };
        self.ranks.remove(&(entry.rank, key));
        self.keys.swap_remove(entry.place);
        if let Some(moved) = self.keys.get(entry.place)
            && let Some(other) = self.entries.get_mut(moved)
        {
            other.place = entry.place;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: Name = Name::of("rows");

    /// The keys that are left after these were read through a shelf of three places.
    fn left(eviction: Eviction, reads: &[u64]) -> Vec<u64> {
        let (mut shelf, mut rng) = (Shelf::default(), Rng::new(1, "cache"));
        for key in reads.iter().map(|key| (TABLE, *key)) {
            if shelf.read(eviction, key).is_none() {
                if shelf.len() == 3 {
                    shelf.evict(eviction, &mut rng);
                }
                shelf.keep(key, 0, (Time(0), Span::ZERO), Time::MAX);
            }
        }
        shelf.entries.keys().map(|(_, key)| *key).collect()
    }

    #[test]
    fn each_eviction_lets_another_entry_go() {
        let reads = [1, 1, 2, 3, 1, 2, 2, 3, 4];
        assert_eq!(left(Eviction::Fifo, &reads), [2, 3, 4], "1 came first");
        assert_eq!(left(Eviction::Lru, &reads), [2, 3, 4], "1 was not read for longest");
        assert_eq!(left(Eviction::Lfu, &reads), [1, 2, 4], "3 was read twice only");
        assert_eq!(left(Eviction::Lru, &[1, 2, 3, 1, 4]), [1, 3, 4]);
        assert_eq!(left(Eviction::Fifo, &[1, 2, 3, 1, 4]), [2, 3, 4]);
    }

    #[test]
    fn a_random_entry_goes_and_all_places_stay_known() {
        let reads: Vec<u64> = (0..500).map(|step| step * 7 % 11).collect();
        let left = left(Eviction::Random, &reads);
        assert_eq!(left.len(), 3);
        assert!(left.contains(&reads[499]), "what came last is there");
    }
}
