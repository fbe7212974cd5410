//! The nodes that every pattern is made of, and the policies between them.

mod client;
mod policy;
mod service;
mod store;
mod table;

pub use client::{
    Between, BurstState, Client, Intensity, Keys, Level, Load, Profile, Recording, RequestClass,
    Session, Think, facts as client_facts,
};
pub use policy::{
    Avoid, Backoff, Balance, Breaker, Budget, Bulkhead, Delay, Failure, Fallback, Funding, Growth,
    Hedge, Jitter, Knowledge, Limiter, Outliers, OwnZone, Pick, Policy, RateLimit, Resort,
    SlowCalls, Subset, SubsetBy, SuccessRate, Window, facts as policy_facts,
};
pub use service::{CallSpec, Mode, Operation, Service, Transfer, facts as service_facts};
pub use store::{Account, Store};
pub use table::{Clash, Table};
