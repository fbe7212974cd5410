//! Hashing keys to instances so that few keys move when instances come and go.

use super::Member;

/// Mixes all bits of a word (the finaliser of SplitMix64, Steele, Lea and Flood 2014).
pub(super) fn mix(word: u64) -> u64 {
    let word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

/// How much a key and an instance belong together.
pub(super) fn affinity(key: u64, member: u64) -> u64 {
    mix(mix(key) ^ member)
}

/// A ring with so many points for each member, in order (Karger et al. 1997).
pub(super) fn ring(members: &[Member], points: u32) -> Vec<(u64, u32)> {
    let of = |place: u32| {
        let hash = members[place as usize].hash;
        (0..u64::from(points)).map(move |point| (mix(hash.wrapping_add(mix(point + 1))), place))
    };
    let mut ring: Vec<(u64, u32)> = (0..members.len() as u32).flat_map(of).collect();
    ring.sort_unstable();
    ring
}

/// The bucket of a key among so many (Lamping and Veach 2014, "A Fast, Minimal Memory, Consistent
/// Hash Algorithm").
pub(super) fn jump(key: u64, buckets: usize) -> usize {
    let (mut key, mut bucket, mut next) = (key, 0_u64, 0_u64);
    while next < buckets as u64 {
        bucket = next;
        key = key.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        let scale = (1_u64 << 31) as f64 / ((key >> 33) + 1) as f64;
        next = ((bucket + 1) as f64 * scale) as u64;
    }
    bucket as usize
}
