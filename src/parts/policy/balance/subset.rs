//! Which instances a caller speaks to at all.

use serde::Deserialize;

use super::Member;
use super::hash::{affinity, mix};
use crate::engine::{NodeId, Rng};
use crate::world::{Cx, Flaw};

/// A caller speaks to some of the instances only.
///
/// ```ron
/// (size: 20, by: Rounds)
/// ```
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subset {
    /// How many. At least 1.
    pub size: u32,
    /// How they are chosen. Default: `Rounds`.
    #[serde(default)]
    pub by: SubsetBy,
}

/// How a subset is chosen. None of them draws from a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum SubsetBy {
    /// Callers share out the instances in rounds, each round in another order, so that all have as
    /// many callers: deterministic subsetting. Callers are numbered as the scenario's nodes are, in
    /// the order of their names.
    ///
    /// Source: Google's *Site Reliability Engineering*, chapter 20 (deterministic subsetting).
    #[default]
    Rounds,
    /// By the caller's name and theirs: as good as random, and another caller changes nothing.
    ///
    /// Source: this simulator's own use of rendezvous hashing.
    Name,
    /// By the request's key and their names: shuffle sharding. Two keys rarely share all of their
    /// instances, so whoever is ill served drags few others along.
    ///
    /// Source: shuffle sharding of AWS, here by rendezvous hashing.
    Key,
}

impl Subset {
    /// The instances that the caller speaks to.
    pub(super) fn of_caller(&self, cx: &Cx, all: &[NodeId]) -> Vec<NodeId> {
        let hashed = |node: &NodeId| cx.name_hash_of(*node);
        match self.by {
            SubsetBy::Rounds => rounds(all, self.size as usize, u64::from(cx.me().0)),
            SubsetBy::Name => nearest(all, self.size as usize, cx.name_hash(), hashed),
            SubsetBy::Key => all.to_vec(),
        }
    }

    /// Leaves only the instances open that the key has.
    pub(super) fn of_key(&self, members: &[Member], open: &mut Vec<u32>, key: u64) {
        if self.by == SubsetBy::Key {
            *open = nearest(open, self.size as usize, key, |place| members[*place as usize].hash);
        }
    }

    /// What is wrong with it, for the loader.
    pub(super) fn problem(&self) -> Option<Flaw> {
        (self.size == 0).then(|| Flaw::at("size", "a subset has a `size` of at least 1"))
    }
}

/// Those that belong most to a key, in their old order.
pub(super) fn nearest<T: Copy + Ord>(
    all: &[T],
    size: usize,
    key: u64,
    hash: impl Fn(&T) -> u64,
) -> Vec<T> {
    let mut ranked: Vec<(u64, T)> =
        all.iter().map(|one| (affinity(key, hash(one)), *one)).collect();
    ranked.sort_unstable();
    let mut chosen: Vec<T> = ranked.into_iter().rev().take(size).map(|(_, one)| one).collect();
    chosen.sort_unstable();
    chosen
}

/// The share of a caller with this number.
pub(super) fn rounds(all: &[NodeId], size: usize, caller: u64) -> Vec<NodeId> {
    if size >= all.len() {
        return all.to_vec();
    }
    let subsets = (all.len() / size) as u64;
    let (round, place) = (caller / subsets, (caller % subsets) as usize);
    let mut shuffled = all.to_vec();
    Rng::from_hash(round, mix(round)).shuffle(&mut shuffled);
    let mut chosen = shuffled[place * size..][..size].to_vec();
    chosen.sort_unstable();
    chosen
}
