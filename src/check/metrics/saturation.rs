//! How near to their limits machines, queues and links are.

use super::{Kind, Metric, metric_of};
use crate::check::outcome::{Axis, Better, Quantity};

const BEHIND: Kind = (Axis::Saturation, Quantity::Time, Better::Lower);
const BUSY: Kind = (Axis::Saturation, Quantity::Share, Better::Lower);
const MANY: Kind = (Axis::Saturation, Quantity::Count, Better::Lower);

pub(super) const METRICS: &[Metric] = &[
    metric_of(
        "saturation.utilisation",
        "busiest node",
        BUSY,
        "Utilisation of the busiest node with a limited number of workers.",
    ),
    metric_of("saturation.queue_peak", "longest queue", MANY, "The longest queue of any node."),
    metric_of(
        "saturation.depth_mean",
        "queue depth",
        MANY,
        "Messages in queues, those with consumers among them, on average over the run; dead letters do not count.",
    ),
    metric_of(
        "saturation.depth_peak",
        "deepest queue",
        MANY,
        "The most messages in all queues together.",
    ),
    metric_of(
        "saturation.oldest",
        "oldest message",
        BEHIND,
        "The greatest age that a message in a queue has reached.",
    ),
    metric_of(
        "saturation.drain",
        "backlog drained after",
        BEHIND,
        "From the instant at which most messages waited until none did.",
    ),
    metric_of(
        "saturation.outbox_peak",
        "fullest outbox",
        MANY,
        "The most events that waited in outboxes to be published.",
    ),
    metric_of(
        "saturation.refused",
        "refused by queues",
        MANY,
        "Jobs refused because a queue was full.",
    ),
    metric_of(
        "saturation.turned_away",
        "turned away",
        MANY,
        "Jobs turned away at once by a limit on concurrency or by shedding.",
    ),
    metric_of(
        "saturation.expired",
        "expired in queues",
        MANY,
        "Jobs dropped because their deadline had passed when they would have been taken up.",
    ),
    metric_of(
        "saturation.dropped",
        "dropped from queues",
        MANY,
        "Jobs that left a queue because they had waited too long: delay control and timeouts.",
    ),
    metric_of(
        "saturation.link",
        "busiest link",
        BUSY,
        "Share of the measured load in which something passed the busiest bandwidth: a link, a network card or a line between zones.",
    ),
    metric_of(
        "saturation.link_drops",
        "dropped by links",
        MANY,
        "Packets that the queues in front of bandwidths dropped.",
    ),
    metric_of(
        "saturation.stampede",
        "largest stampede",
        MANY,
        "The most calls of a store for one key that a cache had under way at once.",
    ),
];
