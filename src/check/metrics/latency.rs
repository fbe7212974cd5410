//! How long things take.

use super::{Kind, Metric, metric_of};
use crate::check::outcome::{Axis, Better, Quantity};

const LATENCY: Kind = (Axis::Latency, Quantity::Time, Better::Lower);

pub(super) const METRICS: &[Metric] = &[
    metric_of("latency.p50", "p50", LATENCY, "Half of the successful requests took at most this."),
    metric_of("latency.p90", "p90", LATENCY, "Nine of ten successful requests took at most this."),
    metric_of("latency.p99", "p99", LATENCY, "99 % of the successful requests took at most this."),
    metric_of(
        "latency.p999",
        "p99.9",
        LATENCY,
        "99.9 % of the successful requests took at most this.",
    ),
    metric_of("latency.max", "max", LATENCY, "The slowest successful request."),
    metric_of("latency.mean", "mean", LATENCY, "Mean latency of the successful requests."),
    metric_of(
        "latency.processed_p50",
        "processed p50",
        LATENCY,
        "Half of the messages of queues were processed at most this long after their request was meant to begin.",
    ),
    metric_of(
        "latency.processed_p99",
        "processed p99",
        LATENCY,
        "99 % of the messages of queues were processed at most this long after their request was meant to begin.",
    ),
    metric_of(
        "latency.queued_p50",
        "queued p50",
        LATENCY,
        "Half of the messages of queues were processed at most this long after they were accepted.",
    ),
    metric_of(
        "latency.queued_p99",
        "queued p99",
        LATENCY,
        "99 % of the messages of queues were processed at most this long after they were accepted.",
    ),
    metric_of(
        "latency.effects_mean",
        "all effects mean",
        LATENCY,
        "How long after their request was meant to begin all subscriptions had processed an event that all of them saw, on average.",
    ),
    metric_of(
        "latency.effects_p50",
        "all effects p50",
        LATENCY,
        "Half of the events that all their subscriptions saw were processed by all at most this long after their request was meant to begin.",
    ),
    metric_of(
        "latency.effects_p99",
        "all effects p99",
        LATENCY,
        "99 % of the events that all their subscriptions saw were processed by all at most this long after their request was meant to begin.",
    ),
    metric_of(
        "latency.spread_mean",
        "first to last mean",
        LATENCY,
        "How long after the first subscription the last one had processed an event that all of at least two saw, on average.",
    ),
    metric_of(
        "latency.spread_p50",
        "first to last p50",
        LATENCY,
        "Half of the events that all of at least two subscriptions saw were processed by the last at most this long after the first.",
    ),
    metric_of(
        "latency.spread_p99",
        "first to last p99",
        LATENCY,
        "99 % of the events that all of at least two subscriptions saw were processed by the last at most this long after the first.",
    ),
    metric_of(
        "latency.outbox_mean",
        "outbox mean",
        LATENCY,
        "Mean time from when an event was durable in an outbox until its relay knew that it was published.",
    ),
    metric_of(
        "latency.outbox_p99",
        "outbox p99",
        LATENCY,
        "99 % of the events of outboxes were published at most this long after they were durable.",
    ),
];
