//! Facts that clients record.

use crate::engine::Name;

/// A request begins; the key is the business object, the value the amount asked for.
pub const STARTED: Name = Name::of("request.started");
/// The request that has just begun is of a class; the key is the class's place in the run's table,
/// the value the size of its body in bytes.
pub const CLASSED: Name = Name::of("request.classed");
/// The request that has just begun should have begun earlier; the value is how late it is, in
/// nanoseconds.
pub const LATE: Name = Name::of("request.late");
/// A request succeeded; the value is its latency in nanoseconds.
pub const SUCCEEDED: Name = Name::of("request.succeeded");
/// A request failed; the key is the fault's place in `Fault::ALL`, the value the latency.
pub const FAILED: Name = Name::of("request.failed");
/// How they are spelt.
pub const NAMES: [&str; 5] =
    ["request.started", "request.classed", "request.late", "request.succeeded", "request.failed"];
