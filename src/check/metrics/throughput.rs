//! How much gets done, and how evenly.

use super::{Kind, Metric, metric_of};
use crate::check::outcome::{Axis, Better, Quantity};

const SERVED: Kind = (Axis::Throughput, Quantity::Rate, Better::Higher);

pub(super) const METRICS: &[Metric] = &[
    metric_of(
        "throughput.offered",
        "offered",
        (Axis::Throughput, Quantity::Rate, Better::Neither),
        "Requests that clients began, a second.",
    ),
    metric_of(
        "throughput.goodput",
        "goodput",
        SERVED,
        "Requests that succeeded, a second of the measured load.",
    ),
    metric_of(
        "throughput.processed",
        "processed",
        SERVED,
        "Messages of queues that were processed, a second of the measured load.",
    ),
    metric_of(
        "throughput.fairness",
        "fairness",
        (Axis::Throughput, Quantity::Share, Better::Higher),
        "Jain's index over tenants of the share of their requests that succeeded: 1 if all fare alike.",
    ),
];
