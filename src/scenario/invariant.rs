//! What must hold in every run.

use serde::Deserialize;

use super::AccountRef;
use crate::engine::{Name, NodeId, Span};

/// Something that must hold in every run, checked while it runs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Invariant {
    /// When the system has come to rest, each business operation has given to all of these accounts
    /// or to none of them: nothing is half applied.
    ///
    /// Source: atomicity, as T. Härder and A. Reuter, "Principles of Transaction-Oriented Database
    /// Recovery", Computing Surveys 15(4), 1983, define it for transactions.
    Atomic {
        /// One account for each part of the operation.
        accounts: Vec<AccountRef>,
    },
    /// Each business operation has given to each of these accounts once or not at all, and has
    /// taken back no more than it gave: no double charge, no double refund. Checked at every
    /// change.
    ///
    /// Source: this simulator's own, after the at-most-once semantics of remote procedure calls.
    Once {
        /// The accounts that operations give to.
        accounts: Vec<AccountRef>,
    },
    /// The sum over these accounts never changes: nothing appears or vanishes. Checked whenever
    /// time moves on.
    ///
    /// Source: Jepsen's bank test, where transfers leave the total as it is.
    Conserved {
        /// The accounts between which it moves.
        accounts: Vec<AccountRef>,
    },
    /// When the system has come to rest, what clients were told is so: every operation reported as
    /// a success has given to all of these accounts, every one reported as certainly failed to
    /// none.
    ///
    /// Source: this simulator's own; Jepsen's histories tell apart what is `ok`, what has certainly
    /// failed (`fail`) and what is unknown (`info`).
    Truthful {
        /// One account for each part of the operation.
        accounts: Vec<AccountRef>,
    },
    /// Liveness: once load and faults have ended, the system comes to rest. Every request has come
    /// to an end, in time if a time is stated, no node is down or frozen, and no work is queued.
    /// What has not come to rest, and who waits for whom, is in the report, with or without this.
    ///
    /// Source: the liveness mode of TigerBeetle's VOPR, which heals everything and then demands
    /// that the cluster converges.
    ///
    /// ```ron
    /// Converged(within: "10s")
    /// ```
    Converged {
        /// How long after the end of the load. Default: by the end of the run.
        #[serde(default)]
        within: Option<Span>,
    },
    /// When the system has come to rest, no saga of this coordinator is left without an end.
    ///
    /// Source: H. Garcia-Molina and K. Salem, "Sagas", SIGMOD 1987: a saga is completed or
    /// compensated for.
    Settled {
        /// The coordinator.
        node: NodeId,
    },
    /// Mutual exclusion: none of these nodes acts under a lock while another of them, granted it
    /// later, is at work under it, or acts at the same time. Checked whenever one acts.
    ///
    /// Source: E. W. Dijkstra, "Solution of a Problem in Concurrent Programming Control", CACM
    /// 8(9), 1965, for mutual exclusion; judged here by what is done under leases.
    ///
    /// ```ron
    /// Exclusive(holders: ["shop", "bank"])
    /// ```
    Exclusive {
        /// The nodes that work under leases.
        holders: Vec<NodeId>,
    },
    /// No write under a lease becomes durable in this store after one with a newer fencing token of
    /// the same lock. Checked at every such write.
    ///
    /// Source: M. Kleppmann, "How to do distributed locking", 2016 (fencing tokens).
    ///
    /// ```ron
    /// Fenced(store: "bank")
    /// ```
    Fenced {
        /// The store.
        store: NodeId,
    },
    /// No message that this queue has accepted is lost with its broker. For every queue with
    /// persistence `On` or `Mirrored` it is checked without being asked for, as `queues-kept`.
    ///
    /// Source: Jepsen's checker of queues, `total-queue`: what was acknowledged to a producer comes
    /// out again.
    ///
    /// ```ron
    /// Kept(broker: "post", queue: "mail")
    /// ```
    Kept {
        /// The broker.
        broker: NodeId,
        /// The queue.
        queue: Name,
    },
    /// No record that a topic of these log brokers has accepted is lost with a leader, whatever its
    /// producer waited for; what was sent with `acks: None` was never accepted. For topics with
    /// `flush: Every` and without `unclean` elections it is checked without being asked for, of
    /// what was accepted with `acks: All`, as `logs-kept`.
    ///
    /// Source: Jepsen's checker of Kafka, where a write that was acknowledged and is missing from
    /// the log is a lost write.
    ///
    /// ```ron
    /// LogKept(brokers: "kafka", topic: "orders")
    /// ```
    LogKept {
        /// The brokers: a `LogBroker`, or its instances.
        brokers: NodeId,
        /// The topic.
        topic: Name,
    },
    /// Every message that this queue has accepted waits, or is processed, dead, expired or dropped:
    /// none is lost, or was handed out in vain. For every queue that promises it, it is checked
    /// without being asked for, as `queues-at-least-once`.
    ///
    /// Source: G. Hohpe and B. Woolf, "Enterprise Integration Patterns", 2003, on guaranteed
    /// delivery.
    ///
    /// ```ron
    /// AtLeastOnce(broker: "post", queue: "mail")
    /// ```
    AtLeastOnce {
        /// The broker.
        broker: NodeId,
        /// The queue.
        queue: Name,
    },
    /// When the system has come to rest, this queue has accepted a message of a business operation
    /// if and only if the operation has given to this account: no event is lost, and none tells of
    /// what never was. An operation that was undone later counts as one that never was.
    ///
    /// Source: C. Richardson, "Microservices Patterns", 2018, on the transactional outbox.
    ///
    /// ```ron
    /// Published(account: (store: "bank", account: "till"), broker: "post", queue: "mail")
    /// ```
    Published {
        /// The account that the operation gives to.
        account: AccountRef,
        /// The broker.
        broker: NodeId,
        /// The queue.
        queue: Name,
    },
    /// No message of this queue is handed out twice. For every queue that promises it, it is
    /// checked without being asked for, as `queues-at-most-once`.
    ///
    /// Source: G. Hohpe and B. Woolf, "Enterprise Integration Patterns", 2003, on delivery.
    ///
    /// ```ron
    /// AtMostOnce(broker: "post", queue: "mail")
    /// ```
    AtMostOnce {
        /// The broker.
        broker: NodeId,
        /// The queue.
        queue: Name,
    },
    /// Messages of this queue are acknowledged for the first time in the order in which they were
    /// accepted, each group for itself. For every queue with order `Fifo` or `Groups` it is checked
    /// without being asked for, as `queues-in-order`.
    ///
    /// Source: G. Hohpe and B. Woolf, "Enterprise Integration Patterns", 2003, on sequences of
    /// messages.
    ///
    /// ```ron
    /// InOrder(broker: "post", queue: "mail")
    /// ```
    InOrder {
        /// The broker.
        broker: NodeId,
        /// The queue.
        queue: Name,
    },
    /// This subscription sees every event that is published to its topics while it is there and
    /// that its filter lets through: each waits, or is processed, dead, expired or dropped by
    /// policy, and none is missed or lost. For every durable subscription that keeps what it has
    /// and hands it out at least once, it is checked without being asked for, as
    /// `subscriptions-complete`.
    ///
    /// Source: P. Eugster et al., "The Many Faces of Publish/Subscribe", ACM Computing Surveys
    /// 35(2), 2003, on what a subscriber is owed.
    ///
    /// ```ron
    /// Complete(broker: "post", subscription: "mail")
    /// ```
    Complete {
        /// The broker.
        broker: NodeId,
        /// The subscription.
        subscription: Name,
    },
    /// This consumer group commits past no record that it has not processed, or passed over after
    /// as many tries as it may have. For every group that commits after it has processed it is
    /// checked without being asked for, as `groups-at-least-once`.
    ///
    /// Source: Apache Kafka documentation, message delivery semantics.
    ///
    /// ```ron
    /// GroupAtLeastOnce(brokers: "kafka", group: "billing")
    /// ```
    GroupAtLeastOnce {
        /// The brokers: a `LogBroker`, or its instances.
        brokers: NodeId,
        /// The group.
        group: Name,
    },
    /// No record is handed out twice by this consumer group. For every group that commits before it
    /// processes and tries once it is checked without being asked for, as `groups-at-most-once`.
    ///
    /// Source: Apache Kafka documentation, message delivery semantics.
    ///
    /// ```ron
    /// GroupAtMostOnce(brokers: "kafka", group: "billing")
    /// ```
    GroupAtMostOnce {
        /// The brokers: a `LogBroker`, or its instances.
        brokers: NodeId,
        /// The group.
        group: Name,
    },
    /// Records about one business object are processed for the first time by this consumer group in
    /// the order of their partition. For every group that commits after it has processed it is
    /// checked without being asked for, as `groups-in-order`.
    ///
    /// Source: Apache Kafka documentation, consumer position: a partition is totally ordered.
    ///
    /// ```ron
    /// GroupInOrder(brokers: "kafka", group: "billing")
    /// ```
    GroupInOrder {
        /// The brokers: a `LogBroker`, or its instances.
        brokers: NodeId,
        /// The group.
        group: Name,
    },
}

impl Invariant {
    /// The nodes that it is about.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> {
        let (accounts, nodes) = match self {
            Invariant::Atomic { accounts }
            | Invariant::Once { accounts }
            | Invariant::Conserved { accounts }
            | Invariant::Truthful { accounts } => (&accounts[..], &[][..]),
            Invariant::Published { account, broker, .. } => {
                (std::slice::from_ref(account), std::slice::from_ref(broker))
            }
            Invariant::Settled { node: one }
            | Invariant::Fenced { store: one }
            | Invariant::Kept { broker: one, .. }
            | Invariant::AtLeastOnce { broker: one, .. }
            | Invariant::AtMostOnce { broker: one, .. }
            | Invariant::InOrder { broker: one, .. }
            | Invariant::Complete { broker: one, .. } => (&[][..], std::slice::from_ref(one)),
            Invariant::Exclusive { holders } => (&[][..], &holders[..]),
            // These are about a cluster, whichever of its brokers leads.
            Invariant::Converged { .. }
            | Invariant::LogKept { .. }
            | Invariant::GroupAtLeastOnce { .. }
            | Invariant::GroupAtMostOnce { .. }
            | Invariant::GroupInOrder { .. } => (&[][..], &[][..]),
        };
        accounts.iter().map(|account| account.store).chain(nodes.iter().copied())
    }

    /// The topic of log brokers that it is about.
    pub fn topic(&self) -> Option<(NodeId, Name)> {
        match self {
            Invariant::LogKept { brokers, topic } => Some((*brokers, *topic)),
            _ => None,
        }
    }

    /// The queue that it is about.
    pub fn queue(&self) -> Option<(NodeId, Name)> {
        match self {
            Invariant::Kept { broker, queue }
            | Invariant::AtLeastOnce { broker, queue }
            | Invariant::AtMostOnce { broker, queue }
            | Invariant::InOrder { broker, queue }
            | Invariant::Published { broker, queue, .. }
            | Invariant::Complete { broker, subscription: queue } => Some((*broker, *queue)),
            _ => None,
        }
    }
    /// The consumer group that it is about.
    pub fn group(&self) -> Option<(NodeId, Name)> {
        match self {
            Invariant::GroupAtLeastOnce { brokers, group }
            | Invariant::GroupAtMostOnce { brokers, group }
            | Invariant::GroupInOrder { brokers, group } => Some((*brokers, *group)),
            _ => None,
        }
    }
}
