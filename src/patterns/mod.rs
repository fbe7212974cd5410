//! The catalogue of nodes. Adding a pattern: write `name.rs`, add one line below, write
//! `scenarios/name_….ron`.

mod instances;
pub mod outbox;
pub mod saga;

use serde::Deserialize;

use crate::engine::NodeId;
use crate::parts::{
    Broker, Cache, Client, Consumer, GroupConsumer, LeaseHolder, LockService, LogBroker,
    LogController, Producer, Service, Store, broker_facts, cache_facts, client_facts, group_facts,
    lease_facts, log_facts, service_facts, store_facts,
};
use crate::world::{
    Ask, ClassInfo, Dated, DiskSpec, Edge, Flaw, MachineSpec, Node, Offers, Sim, add, upgrade,
};
pub use instances::Instances;
use outbox::Outbox;
use saga::Saga;

/// A kind of node, as the command line's reference knows it.
pub struct Kind {
    /// As scenarios spell it: `Saga`.
    pub name: &'static str,
    /// Is it one of the patterns, or a part that patterns are made of?
    pub is_pattern: bool,
    /// The source file that describes it: its documentation is the reference.
    pub source: &'static str,
    /// The names of the facts that it records.
    pub facts: &'static [&'static str],
}

/// Declares what must know every kind of node: the scenario syntax, what the topology and the
/// loader ask of any node, and the list that the command line prints.
macro_rules! nodes {
    ($($Node:ident($is_pattern:literal, $source:literal, $facts:expr),)*) => {
        /// A node as a scenario spells it: `Service(operations: {…})`.
        #[derive(Clone, Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub enum Spec {
            $(#[allow(missing_docs, reason = "each kind documents itself")] $Node($Node),)*
        }

        impl Spec {
            /// Adds this node to a run; it is down until it is booted.
            pub fn add(&self, sim: &mut Sim, name: &str) -> NodeId {
                match self { $(Spec::$Node(node) => add(sim, name, node.clone()),)* }
            }

            /// Makes this the next version of a node: from its next start on it is like this.
            pub fn upgrade(&self, sim: &mut Sim, id: NodeId) {
                match self { $(Spec::$Node(node) => upgrade(sim, id, node.clone()),)* }
            }

            /// Whom it speaks to.
            pub fn edges(&self) -> Vec<Edge> {
                match self { $(Spec::$Node(node) => node.edges(),)* }
            }

            /// The classes that it gives to requests.
            pub fn classes(&self) -> Vec<ClassInfo> {
                match self { $(Spec::$Node(node) => node.classes(),)* }
            }

            /// The machine that it runs on.
            pub fn machine(&self) -> MachineSpec {
                match self { $(Spec::$Node(node) => node.machine(),)* }
            }

            /// The disk that it writes to.
            pub fn disk(&self) -> DiskSpec {
                match self { $(Spec::$Node(node) => node.disk(),)* }
            }

            /// What it asks of others.
            pub fn asks(&self) -> Vec<Ask> {
                match self { $(Spec::$Node(node) => node.asks(),)* }
            }

            /// What it answers.
            pub fn offers(&self) -> Offers {
                match self { $(Spec::$Node(node) => node.offers(),)* }
            }

            /// What it does at instants of the run that it names.
            pub fn dated(&self) -> Vec<Dated> {
                match self { $(Spec::$Node(node) => node.dated(),)* }
            }

            /// What it says that could have no effect.
            pub fn idle(&self) -> Vec<Flaw> {
                match self { $(Spec::$Node(node) => node.idle(),)* }
            }

            /// What is wrong with its configuration.
            pub fn problem(&self) -> Option<Flaw> {
                match self { $(Spec::$Node(node) => node.problem(),)* }
            }

            /// Its kind, as scenarios spell it.
            pub fn kind(&self) -> &'static str {
                match self { $(Spec::$Node(_) => stringify!($Node),)* }
            }
        }

        /// Every kind of node.
        pub const CATALOGUE: &[Kind] = &[
            $(Kind {
                name: stringify!($Node),
                is_pattern: $is_pattern,
                source: include_str!($source),
                facts: $facts,
            },)*
        ];
    };
}

nodes! {
    Client(false, "../parts/client/mod.rs", &client_facts::NAMES),
    Service(false, "../parts/service/mod.rs", &service_facts::NAMES),
    Store(false, "../parts/store.rs", &store_facts::NAMES),
    LockService(false, "../parts/lease/locks.rs", &[]),
    LeaseHolder(false, "../parts/lease/holder.rs", &lease_facts::NAMES),
    Instances(false, "instances.rs", &[]),
    Cache(false, "../parts/cache/mod.rs", &cache_facts::NAMES),
    Broker(false, "../parts/broker/mod.rs", &broker_facts::NAMES),
    Consumer(false, "../parts/broker/consumer.rs", &[]),
    LogBroker(false, "../parts/log/mod.rs", &log_facts::NAMES),
    LogController(false, "../parts/log/controller.rs", &[]),
    Producer(false, "../parts/log/producer.rs", &[]),
    GroupConsumer(false, "../parts/log/member.rs", &group_facts::NAMES),
    Outbox(true, "outbox/mod.rs", &crate::parts::outbox::facts::NAMES),
    Saga(true, "saga/mod.rs", &saga::facts::NAMES),
}
