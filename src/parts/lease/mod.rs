//! Leases: locks that expire, the nodes that work under them, and the tokens that fence them off.

mod holder;
mod locks;

pub use holder::LeaseHolder;
pub use locks::LockService;

use crate::engine::Name;

/// The operations of a lock service. A lease lasts so many nanoseconds from when it is granted, or
/// until an instant of the lock service's clock.
pub(crate) const ACQUIRE: Name = Name::of("acquire");
const ACQUIRE_UNTIL: Name = Name::of("acquire until");
pub(crate) const RENEW: Name = Name::of("renew");
const RENEW_UNTIL: Name = Name::of("renew until");
const RELEASE: Name = Name::of("release");

/// How the operations are spelt.
pub const OPERATIONS: [&str; 5] = ["acquire", "acquire until", "renew", "renew until", "release"];

/// Facts about leases; the key is the lock, the value the fencing token.
pub mod facts {
    use crate::engine::Name;

    /// A node has been granted a lease and begins its work under it.
    pub const HELD: Name = Name::of("lease.held");
    /// A node changes what the lock protects, believing that it holds it.
    pub const ACTS: Name = Name::of("lease.acts");
    /// A node has done with a lease, whether it acted or not.
    pub const LEFT: Name = Name::of("lease.left");
    /// A node finds by its own clock that its lease may have run out, and changes nothing.
    pub const RAN_OUT: Name = Name::of("lease.ran-out");
    /// The row by which a store remembers the newest token that it has seen: a write under a lease
    /// is a fact when it is durable.
    pub const FENCE: Name = Name::of("lease.fence");
    /// How they are spelt.
    pub const NAMES: [&str; 5] =
        ["lease.held", "lease.acts", "lease.left", "lease.ran-out", "lease.fence"];
}

#[cfg(test)]
mod tests {
    use super::facts::*;

    #[test]
    fn facts_are_spelt_as_they_are_named() {
        let known = [HELD, ACTS, LEFT, RAN_OUT, FENCE];
        assert_eq!(known, NAMES.map(crate::engine::Name::of));
    }
}
