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
            Invariant::Converged { .. } => (&[][..], &[][..]),
        };
        accounts.iter().map(|account| account.store).chain(nodes.iter().copied())
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
}
