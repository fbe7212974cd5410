//! The event that an operation publishes about what it commits, and the ways to do so.

use serde::Deserialize;

use crate::engine::{Fault, Msg, Name, NodeId, Row};
use crate::parts::outbox;
use crate::parts::policy::Policy;
use crate::world::{Ask, Cx, Flaw, Want};

/// An event that an operation publishes about its transfer: about the same business object, with
/// the same value.
///
/// ```ron
/// (event: "order-placed", by: Outbox)
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publishes {
    /// What it is called: the operation of whoever it is published to, such as a broker's queue.
    pub event: Name,
    /// How it gets there.
    pub by: PublishBy,
}

/// How an event gets from an operation to a broker.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum PublishBy {
    /// By the store's outbox: it is a row of the same transaction, and an `Outbox` publishes it.
    Outbox,
    /// The service publishes it itself when its transaction is committed: a dual write. If it
    /// crashes in between, or cannot publish, the event is lost unless the request comes again.
    ///
    /// ```ron
    /// AfterCommit(to: "post", policy: (timeout: "500ms", retries: 3))
    /// ```
    AfterCommit {
        /// The broker.
        to: NodeId,
        /// How it is called. Default: one try without a time limit.
        #[serde(default)]
        policy: Policy,
    },
    /// The service publishes it itself before it commits: a dual write, too. If the transaction is
    /// then refused, or the service crashes in between, the event tells of what never was.
    ///
    /// ```ron
    /// BeforeCommit(to: "post", policy: (timeout: "500ms", retries: 3))
    /// ```
    BeforeCommit {
        /// The broker.
        to: NodeId,
        /// How it is called. Default: one try without a time limit.
        #[serde(default)]
        policy: Policy,
    },
}

impl Publishes {
    /// The row of the transaction that it is, if it goes by the outbox.
    pub(super) fn row(&self, cx: &Cx, (key, value): (u64, u64)) -> Option<Row> {
        matches!(self.by, PublishBy::Outbox).then(|| outbox::emit(cx, self.event, key, value))
    }

    /// What is published before the transaction.
    pub(super) async fn before(&self, cx: &Cx, asked: (u64, u64)) -> Result<(), Fault> {
        let PublishBy::BeforeCommit { to, policy } = &self.by else { return Ok(()) };
        self.publish(cx, *to, policy, asked).await
    }

    /// What is published after the transaction, which there is no way to take back.
    pub(super) async fn after(&self, cx: &Cx, asked: (u64, u64)) -> Result<(), Fault> {
        let PublishBy::AfterCommit { to, policy } = &self.by else { return Ok(()) };
        self.publish(cx, *to, policy, asked).await.map_err(|_| Fault::Reset)
    }

    async fn publish(
        &self,
        cx: &Cx,
        to: NodeId,
        policy: &Policy,
        (key, value): (u64, u64),
    ) -> Result<(), Fault> {
        // A rare way, kept out of the size of the common one.
        let call = policy.call(cx, to, Msg::Do { verb: self.event, key, value });
        Box::pin(call).await.map(|_| ())
    }

    /// What it asks of the store and of others.
    pub(super) fn asks(&self, store: Option<NodeId>) -> Vec<Ask> {
        let event =
            |field, to, want: fn(Name) -> Want| Ask::of([field, "event"], to, want(self.event));
        match &self.by {
            PublishBy::Outbox => {
                store.map(|store| event("event", store, Want::Relay)).into_iter().collect()
            }
            PublishBy::AfterCommit { to, policy } | PublishBy::BeforeCommit { to, policy } => {
                let ask = event("event", *to, Want::Operation);
                policy.asks("policy", ask).collect()
            }
        }
    }

    /// What is wrong with it, for the loader.
    pub(super) fn problem(&self) -> Option<Flaw> {
        match &self.by {
            PublishBy::Outbox => None,
            PublishBy::AfterCommit { policy, .. } | PublishBy::BeforeCommit { policy, .. } => {
                policy.problem().map(|flaw| flaw.within("policy").within("by"))
            }
        }
    }
}
