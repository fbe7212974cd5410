//! The nodes that every pattern is made of, and the policies between them.

mod broker;
mod cache;
mod client;
mod lease;
mod log;
mod policy;
mod service;
mod store;
mod table;

pub use broker::{
    Broker, Consumer, DeadLetters, Filter, Guarantee, MessageQueue,
    OPERATIONS as BROKER_OPERATIONS, Objects, Order, Overflow, Pattern, Persistence, Preset,
    Receiver, Removal, Return, Subscription, Topic, TopicName, facts as broker_facts,
};
pub(crate) use broker::{
    Described as QueueDescribed, Rules as QueueRules, Subscribed, of_message_id,
};
pub use cache::{Cache, Eviction, Refresh, facts as cache_facts};
pub use client::{
    Between, BurstState, Client, Intensity, Keys, Level, Load, Profile, Recording, RequestClass,
    Session, Think, facts as client_facts,
};
pub(crate) use lease::{ACQUIRE as LEASE_ACQUIRE, RENEW as LEASE_RENEW};
pub use lease::{LeaseHolder, LockService, OPERATIONS as LEASE_OPERATIONS, facts as lease_facts};
pub(crate) use log::GroupRules;
pub(crate) use log::wire::{PartitionId, of_record_id};
pub use log::{
    Acks, Cleanup, Commit, Failures, Flush, GROUP_OPERATIONS, GroupConsumer, LogBroker,
    LogController, LogTopic, OPERATIONS as LOG_OPERATIONS, OffsetsTopic, Partitioner, Producer,
    Retention, Seek, Sharing, Start, Then, facts as log_facts, group_facts,
};
pub use policy::{
    Avoid, Backoff, Balance, Breaker, Bulkhead, Delay, Failure, Fallback, Funding, Growth, Hedge,
    Jitter, Knowledge, Limiter, Outliers, OwnZone, Pick, Policy, RateLimit, Resort, RetryBudget,
    SlowCalls, Subset, SubsetBy, SuccessRate, Window, facts as policy_facts,
};
pub use service::{
    CallSpec, Critical, Mode, Operation, PublishBy, Publishes, Reads, Service, Transfer,
    facts as service_facts,
};
pub use store::{Account, Rows, Store, SyncFailure, facts as store_facts, outbox};
pub use table::{Clash, Resolve, Table};
