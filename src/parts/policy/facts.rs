//! The facts that policies record.

use crate::engine::Name;

/// A call is tried again; the key is the target, the value how many tries there were.
pub const RETRIED: Name = Name::of("call.retried");
/// A breaker opened; the key is the target.
pub const OPENED: Name = Name::of("breaker.opened");
/// A breaker closed again; the key is the target.
pub const CLOSED: Name = Name::of("breaker.closed");
/// Another copy of a call is sent while the first is out; the key is the target.
pub const HEDGED: Name = Name::of("call.hedged");
/// A retry or a hedge is not made because its budget is spent; the key is the target.
pub const UNFUNDED: Name = Name::of("budget.exhausted");
/// A bulkhead turned a call away; the key is the target.
pub const CROWDED: Name = Name::of("bulkhead.rejected");
/// A rate limit turned a call away; the key is the target.
pub const LIMITED: Name = Name::of("rate_limit.rejected");
/// A call was not begun because its deadline had passed; the key is the target.
pub const EXPIRED: Name = Name::of("deadline.passed");
/// A fallback answered instead; the key is the target.
pub const FELL_BACK: Name = Name::of("fallback.used");
/// An instance is given no calls for a while; the key is the instance.
pub const EJECTED: Name = Name::of("instance.ejected");
/// A process calls a target under such a guard for the first time; the key is the target, the
/// value which [`Guard`].
pub const GUARDED: Name = Name::of("call.guarded");

/// How they are spelt.
pub const NAMES: [&str; 11] = [
    "call.retried",
    "breaker.opened",
    "breaker.closed",
    "call.hedged",
    "budget.exhausted",
    "bulkhead.rejected",
    "rate_limit.rejected",
    "deadline.passed",
    "fallback.used",
    "instance.ejected",
    "call.guarded",
];

/// What guards a call: a measure that counts what a guard did has no value where there is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Guard {
    /// A circuit breaker.
    Breaker,
    /// A retry budget.
    Budget,
    /// A bulkhead.
    Bulkhead,
    /// A rate limit.
    RateLimit,
    /// Hedged requests.
    Hedge,
    /// A fallback.
    Fallback,
    /// Ejection of outliers.
    Outliers,
}
