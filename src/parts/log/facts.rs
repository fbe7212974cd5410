//! Facts that brokers of logs record; the key is the record, or the place of the log that it is
//! about: topic, partition and offset in 12, 12 and 40 bits.

use crate::engine::Name;

/// A leader has written a record into its log; the value is its business object.
pub const APPENDED: Name = Name::of("log.appended");
/// A leader answers that a record is accepted; the value is the epoch in which it was written in
/// the lower 32 bits, and its producer's `acks` above.
pub const ACCEPTED: Name = Name::of("log.accepted");
/// A leader begins a new epoch. The offset is the end of its log, the value the epoch in the upper
/// and that of its last record in the lower 32 bits.
pub const LED: Name = Name::of("log.led");
/// A replica has cut its log back to this offset; the value is how many records it gave up.
pub const TRUNCATED: Name = Name::of("log.truncated");
/// A leader's log begins at this offset now: what was before it was too old or too much.
pub const EXPIRED: Name = Name::of("log.expired");
/// Compaction took records out of a leader's log, up to this offset; the value is how many.
pub const COMPACTED: Name = Name::of("log.compacted");
/// An idempotent producer has sent a record again that the log has; the value is the epoch.
pub const DUPLICATE: Name = Name::of("log.duplicate");
/// The in-sync replicas of a partition have changed, as its leader hears; the value is how many.
pub const ISR: Name = Name::of("log.isr");
/// A leader did not take in a batch because too few replicas were in sync; the value is how many.
pub const TOO_FEW: Name = Name::of("log.too_few");
/// The row by which a broker's disk holds a record: a fact when it is durable there.
pub const STORED: Name = Name::of("log.stored");
/// All of them.
pub const ALL: [Name; 10] =
    [APPENDED, ACCEPTED, LED, TRUNCATED, EXPIRED, COMPACTED, DUPLICATE, ISR, TOO_FEW, STORED];
/// How they are spelt.
pub const NAMES: [&str; 10] = [
    "log.appended",
    "log.accepted",
    "log.led",
    "log.truncated",
    "log.expired",
    "log.compacted",
    "log.duplicate",
    "log.isr",
    "log.too_few",
    "log.stored",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_spelt_as_they_are_named() {
        assert_eq!(ALL, NAMES.map(Name::of));
    }
}
