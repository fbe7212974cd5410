//! What is spent: messages, bytes, writes, work, nodes, money.

use super::{Kind, Metric, metric_of};
use crate::check::outcome::{Axis, Better, Quantity};

const COUNTED: Kind = (Axis::Cost, Quantity::Count, Better::Neither);
const EACH: Kind = (Axis::Cost, Quantity::Count, Better::Lower);

pub(super) const METRICS: &[Metric] = &[
    metric_of(
        "cost.messages",
        "messages / request",
        EACH,
        "Messages handed to the network, replies included, for each request.",
    ),
    metric_of(
        "cost.bytes",
        "bytes / request",
        (Axis::Cost, Quantity::Bytes, Better::Lower),
        "Bytes handed to the network for each request.",
    ),
    metric_of("cost.retries", "retries / request", EACH, "Calls tried again, for each request."),
    metric_of(
        "cost.deliveries",
        "deliveries / message",
        EACH,
        "How often messages of queues were handed out, for each that was accepted.",
    ),
    metric_of(
        "cost.fan_out",
        "copies / event",
        COUNTED,
        "Copies that subscriptions got, for each event of a topic.",
    ),
    metric_of(
        "cost.event_deliveries",
        "deliveries / event",
        EACH,
        "How often copies of events were handed out, for each event of a topic.",
    ),
    metric_of(
        "cost.filtered",
        "filtered out",
        COUNTED,
        "Copies of events that filters of subscriptions left out.",
    ),
    metric_of(
        "cost.hits",
        "cache hits",
        (Axis::Cost, Quantity::Share, Better::Higher),
        "Share of the reads of caches that did not wait for a store.",
    ),
    metric_of(
        "cost.fetches",
        "fetches / expiry",
        EACH,
        "Calls that caches made of stores, for each time that they began to: 1 without stampedes.",
    ),
    metric_of(
        "cost.hedges",
        "hedges / request",
        EACH,
        "Further copies of calls that took long, for each request.",
    ),
    metric_of(
        "cost.unfunded",
        "retries unfunded",
        COUNTED,
        "Retries not made because their budget was spent.",
    ),
    metric_of(
        "cost.cancelled",
        "cancelled / request",
        EACH,
        "Requests taken back, for each request of a client.",
    ),
    metric_of(
        "cost.writes",
        "disk writes / request",
        EACH,
        "Entries written to disks for each request.",
    ),
    metric_of("cost.syncs", "disk syncs / request", EACH, "Syncs of disks for each request."),
    metric_of(
        "cost.cpu",
        "CPU / request",
        (Axis::Cost, Quantity::Time, Better::Lower),
        "Worker time spent for each request.",
    ),
    metric_of(
        "cost.queue",
        "queued jobs",
        EACH,
        "Jobs queued at all nodes together, on average: the queues' memory.",
    ),
    metric_of(
        "cost.node_hours",
        "node hours / hour",
        EACH,
        "Nodes that are no clients, on average over the load: an instance counts from its start to its stop.",
    ),
    metric_of(
        "cost.money",
        "money / 1000 good",
        (Axis::Cost, Quantity::Money, Better::Lower),
        "What the load cost by the scenario's price list, for each thousand requests that succeeded by its end.",
    ),
];
