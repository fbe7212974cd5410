//! Facts that a saga records; the key is the business object.

use crate::engine::Name;

/// A saga began.
pub const BEGAN: Name = Name::of("saga.began");
/// A step is done; the value is its place.
pub const STEP_DONE: Name = Name::of("saga.step-done");
/// A step failed, so that the saga turns back; the value is its place.
pub const TURNED_BACK: Name = Name::of("saga.turned-back");
/// A step was undone; the value is its place.
pub const STEP_UNDONE: Name = Name::of("saga.step-undone");
/// All steps are done.
pub const COMPLETED: Name = Name::of("saga.completed");
/// All steps that were done are undone.
pub const COMPENSATED: Name = Name::of("saga.compensated");
/// A step can neither be done nor undone; the value is the amount at risk.
pub const PARKED: Name = Name::of("saga.parked");
/// A restarted coordinator found this saga unfinished.
pub const RECOVERED: Name = Name::of("saga.recovered");
/// How they are spelt.
pub const NAMES: [&str; 8] = [
    "saga.began",
    "saga.step-done",
    "saga.turned-back",
    "saga.step-undone",
    "saga.completed",
    "saga.compensated",
    "saga.parked",
    "saga.recovered",
];
