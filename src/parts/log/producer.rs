//! A producer of records, as Kafka's client library is one: whoever publishes calls it.
//!
//! A topic is an operation of the producer. It knows which broker leads each partition, collects
//! records into batches, sends them, and sends again what was not accepted until its time is over;
//! then whoever publishes learns that it failed. Whether what was sent again can be there twice or
//! in another order is a matter of `idempotent` and `in_flight`.
//!
//! ```ron
//! Producer(to: "kafka", acks: All, linger: "5ms", delivery_timeout: "30s")
//! ```

use serde::Deserialize;

use super::sender::Sender;
use super::settings::Acks;
use crate::engine::{Bytes, Fault, Msg, NodeId, Reply, Span};
use crate::parts::{Backoff, Growth, Jitter};
use crate::world::{Ask, Cx, Flaw, Known, MachineSpec, Node, Offers, Want, too_often};

/// A producer of records, as a client library is one.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Producer {
    /// The brokers: a `LogBroker`, or its instances.
    pub(super) to: NodeId,
    /// When a record counts as written: `acks`. Default: `All`, Kafka's since 3.0.
    #[serde(default)]
    pub(super) acks: Acks,
    /// Does a broker recognise what was sent before, so that it is there once and in order:
    /// `enable.idempotence`? Wants `acks: All` and at most 5 `in_flight`. Default: true with
    /// `acks: All`, as Kafka's since 3.0.
    #[serde(default)]
    idempotent: Option<bool>,
    /// How many batches are on their way to one broker at once:
    /// `max.in.flight.requests.per.connection`. Default: 5, Kafka's.
    #[serde(default = "Producer::in_flight")]
    pub(super) in_flight: u32,
    /// How large a batch becomes: `batch.size`. A record is 200 bytes and its body. Default:
    /// `"16KiB"`, Kafka's.
    #[serde(default = "Producer::batch")]
    pub(super) batch: Bytes,
    /// How long a batch waits for more records: `linger.ms`. Default: `"5ms"`, Kafka's since 4.0.
    #[serde(default = "Producer::linger")]
    pub(super) linger: Span,
    /// How long after it came a record is accepted at the latest, or has failed:
    /// `delivery.timeout.ms`. Default: `"120s"`, Kafka's.
    #[serde(default = "Producer::delivery_timeout")]
    pub(super) delivery_timeout: Span,
    /// How long a broker has to answer: `request.timeout.ms`. Default: `"30s"`, Kafka's.
    #[serde(default = "Producer::request_timeout")]
    pub(super) request_timeout: Span,
    /// How long to wait before a batch is sent again: `retry.backoff.ms`, `retry.backoff.max.ms`.
    /// Default: exponential from 100 ms to 1 s with equal jitter.
    #[serde(default = "Producer::retry_backoff")]
    pub(super) retry_backoff: Backoff,
    /// Which partition a record goes to: `partitioner.class`. Default: `Key`.
    #[serde(default)]
    pub(super) partitioner: Partitioner,
    /// How much may wait for its broker in all: `buffer.memory`. Default: `"32MiB"`, Kafka's.
    #[serde(default = "Producer::buffer")]
    pub(super) buffer: Bytes,
    /// How long whoever publishes waits at most for room in it, or for who leads a topic:
    /// `max.block.ms`. Default: `"60s"`, Kafka's.
    #[serde(default = "Producer::max_block")]
    pub(super) max_block: Span,
    /// How often it asks who leads, even if nothing fails: `metadata.max.age.ms`. Default:
    /// `"5min"`, Kafka's.
    #[serde(default = "Producer::metadata_max_age")]
    pub(super) metadata_max_age: Span,
    /// Workers and queue. Default: as many workers as there is work.
    #[serde(default)]
    machine: MachineSpec,
}

/// Which partition a record goes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Partitioner {
    /// That of its business object: all records about one object are in one partition.
    #[default]
    Key,
    /// One until its batch is sent, then any other: Kafka's for records without a key.
    Sticky,
    /// One after the other.
    RoundRobin,
}

impl Producer {
    fn in_flight() -> u32 {
        5
    }

    fn batch() -> Bytes {
        Bytes(16 << 10)
    }

    fn linger() -> Span {
        Span::from_millis(5)
    }

    fn delivery_timeout() -> Span {
        Span::from_seconds(120)
    }

    fn request_timeout() -> Span {
        Span::from_seconds(30)
    }

    fn retry_backoff() -> Backoff {
        Backoff {
            max: Span::SECOND,
            growth: Growth::Exponential,
            jitter: Jitter::Equal,
            ..Backoff::default()
        }
    }

    fn buffer() -> Bytes {
        Bytes(32 << 20)
    }

    fn metadata_max_age() -> Span {
        Span::MINUTE * 5
    }

    fn max_block() -> Span {
        Span::from_seconds(60)
    }

    pub(super) fn is_idempotent(&self) -> bool {
        self.idempotent.unwrap_or(self.acks == Acks::All)
    }

    /// When its records count as written.
    pub(crate) fn acks(&self) -> Acks {
        self.acks
    }

    /// Whom it publishes to.
    pub(crate) fn brokers(&self) -> NodeId {
        self.to
    }
}

impl Node for Producer {
    async fn boot(&self, cx: &Cx) {
        let flow = cx.local();
        let sender = Sender { spec: self, flow: &flow };
        sender.renew_later(cx);
        sender.expire(cx).await;
    }

    async fn handle(&self, cx: &Cx, request: Msg) -> Reply {
        let Msg::Do { verb, key, value } = request else { return Err(Fault::Unknown) };
        let flow = cx.local();
        Sender { spec: self, flow: &flow }.handle(cx, verb, key, value).await
    }

    fn machine(&self) -> MachineSpec {
        self.machine.clone()
    }

    fn asks(&self) -> Vec<Ask> {
        vec![Ask::of(["to", "to"], self.to, Want::Topics)]
    }

    fn offers(&self) -> Offers {
        Offers { operations: Known::TopicsOf(self.to), ..Offers::default() }
    }

    fn idle(&self) -> Vec<Flaw> {
        self.retry_backoff.idle().into_iter().map(|flaw| flaw.within("retry_backoff")).collect()
    }

    fn problem(&self) -> Option<Flaw> {
        let is_idempotent = self.idempotent == Some(true);
        let (field, title) = match () {
            () if self.in_flight == 0 => ("in_flight", "with `in_flight` 0 nothing is sent"),
            () if is_idempotent && self.acks != Acks::All => {
                ("idempotent", "an idempotent producer wants `acks: All`")
            }
            () if self.is_idempotent() && self.in_flight > 5 => {
                ("in_flight", "an idempotent producer has at most 5 `in_flight`")
            }
            () if self.request_timeout.is_zero() => {
                ("request_timeout", "a `request_timeout` of zero never hears an answer")
            }
            () if self.delivery_timeout < self.linger + self.request_timeout => {
                let title =
                    "`delivery_timeout` is at least `linger` and `request_timeout` together";
                ("delivery_timeout", title)
            }
            () => {
                let backoff = self.retry_backoff.problem();
                let machine = || self.machine.problem().map(|flaw| flaw.within("machine"));
                let age = || too_often("metadata_max_age", self.metadata_max_age);
                let backoff = backoff.map(|flaw| flaw.within("retry_backoff"));
                return backoff.or_else(age).or_else(machine);
            }
        };
        Some(Flaw::at(field, title))
    }
}
