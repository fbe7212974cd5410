//! The bundles of settings that go by a product's name.

use serde::Deserialize;

use super::settings::{Guarantee, Order, Persistence};
use crate::engine::Span;

/// A bundle of settings that goes by a product's name: defaults as the product documents them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Preset {
    /// A durable queue, at least once, in the order of arrival, without limits.
    #[default]
    Plain,
    /// Like an Amazon SQS standard queue: hidden for 30 s, kept for 4 days, best-effort order,
    /// 120,000 in flight, late deletes count.
    ///
    /// It remembers deliveries: the receive count is kept with the message.
    ///
    /// Source: Amazon SQS Developer Guide, quotas and visibility timeout; `ApproximateReceiveCount`
    /// of the API reference.
    SqsStandard,
    /// Like an Amazon SQS FIFO queue: groups in order, duplicates recognised for 5 minutes, else as
    /// a standard queue.
    ///
    /// Source: Amazon SQS Developer Guide, FIFO queues.
    SqsFifo,
    /// Like a durable RabbitMQ classic queue with publisher confirms: in order of arrival, back at
    /// once when a connection breaks, otherwise after 30 minutes.
    ///
    /// Source: RabbitMQ documentation, consumers: delivery acknowledgement timeout.
    RabbitMqClassic,
    /// Like a RabbitMQ quorum queue: mirrored, and a dead letter, or dropped, when it has come back
    /// more than 20 times, which it remembers; else as a classic queue. Wants `mirrors`.
    ///
    /// Source: RabbitMQ documentation, quorum queues: delivery limit, since 4.0; the count is part
    /// of the replicated state (`x-delivery-count`).
    RabbitMqQuorum,
    /// Like a push subscription of Google Cloud Pub/Sub: 10 s to acknowledge, kept for 7 days.
    ///
    /// Source: Google Cloud Pub/Sub documentation, subscription properties.
    PubSub,
    /// Like a work queue of NATS JetStream: 30 s to acknowledge, 1,000 in flight, duplicates
    /// recognised for 2 minutes, written to disk without waiting for it; it remembers deliveries.
    ///
    /// Source: NATS documentation, JetStream consumers and streams: `ack_wait`, `max_ack_pending`,
    /// `duplicate_window`, `sync_interval`; a consumer's stored state has what was redelivered.
    NatsJetStream,
}

/// A queue's settings with every default resolved.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub visibility: Span,
    pub order: Order,
    pub persistence: Persistence,
    pub guarantee: Guarantee,
    pub ttl: Option<Span>,
    pub in_flight_max: u32,
    pub deduplication: Option<Span>,
    pub late_acks: bool,
    pub deliveries_max: u32,
    pub remembers_deliveries: bool,
}

const DAY: Span = Span::from_seconds(86_400);

impl Preset {
    pub(super) fn rules(self) -> Rules {
        let plain = Rules {
            visibility: Span::from_seconds(30),
            order: Order::Arrival,
            persistence: Persistence::On,
            guarantee: Guarantee::AtLeastOnce,
            ttl: None,
            in_flight_max: u32::MAX,
            deduplication: None,
            late_acks: false,
            deliveries_max: u32::MAX,
            remembers_deliveries: false,
        };
        let sqs = Rules {
            ttl: Some(DAY * 4),
            in_flight_max: 120_000,
            remembers_deliveries: true,
            ..plain.clone()
        };
        let rabbit = Rules { visibility: Span::from_seconds(30 * 60), ..plain.clone() };
        match self {
            Preset::Plain => plain,
            Preset::SqsStandard => {
                Rules { order: Order::BestEffort { spread: 10 }, late_acks: true, ..sqs }
            }
            Preset::SqsFifo => Rules {
                order: Order::Groups { count: None },
                deduplication: Some(Span::from_seconds(5 * 60)),
                ..sqs
            },
            Preset::RabbitMqClassic => rabbit,
            Preset::RabbitMqQuorum => Rules {
                persistence: Persistence::Mirrored,
                deliveries_max: 21,
                remembers_deliveries: true,
                ..rabbit
            },
            Preset::PubSub => {
                Rules { visibility: Span::from_seconds(10), ttl: Some(DAY * 7), ..plain }
            }
            Preset::NatsJetStream => Rules {
                persistence: Persistence::Lazy,
                in_flight_max: 1_000,
                deduplication: Some(Span::from_seconds(2 * 60)),
                remembers_deliveries: true,
                ..plain
            },
        }
    }
}
