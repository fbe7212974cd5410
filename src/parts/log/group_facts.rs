//! Facts about consumer groups. Of most the key is a record, as [`record_id`](super::record_id)
//! packs it, and the value the group's name.

use crate::engine::Name;

/// A member reads a partition from now on; the record is none.
pub const ASSIGNED: Name = Name::of("group.assigned");
/// A group begins to read a partition of which it had not said how far it has come: at this record.
pub const BEGAN: Name = Name::of("group.began");
/// A member has given up a partition; the record is none.
pub const REVOKED: Name = Name::of("group.revoked");
/// A member hands a record to whoever processes it; the value is the how-manieth time it does.
pub const DELIVERED: Name = Name::of("group.delivered");
/// A record was processed.
pub const PROCESSED: Name = Name::of("group.processed");
/// A record was tried as often as it may be, and is passed over.
pub const PASSED_OVER: Name = Name::of("group.passed-over");
/// Records were thrown away before they were read; the value is how many, from this one on.
pub const OVERRUN: Name = Name::of("group.overrun");
/// The group has come up to this record, which is the next to be read.
pub const COMMITTED: Name = Name::of("group.committed");
/// The group goes to this record, wherever it was.
pub const RESET: Name = Name::of("group.reset");
/// A group was shared anew; the key is its name, the value how many members it has.
pub const SHARED: Name = Name::of("group.shared");
/// All of them.
pub const ALL: [Name; 10] = [
    ASSIGNED,
    BEGAN,
    REVOKED,
    DELIVERED,
    PROCESSED,
    PASSED_OVER,
    OVERRUN,
    COMMITTED,
    RESET,
    SHARED,
];
/// How they are spelt.
pub const NAMES: [&str; 10] = [
    "group.assigned",
    "group.began",
    "group.revoked",
    "group.delivered",
    "group.processed",
    "group.passed-over",
    "group.overrun",
    "group.committed",
    "group.reset",
    "group.shared",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_spelt_as_they_are_named() {
        assert_eq!(ALL, NAMES.map(Name::of));
    }
}
