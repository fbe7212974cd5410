//! What somebody has to understand.

use super::{Kind, Metric, metric_of};
use crate::check::outcome::{Axis, Better, Quantity};

const SIZE: Kind = (Axis::Complexity, Quantity::Count, Better::Lower);

pub(super) const METRICS: &[Metric] = &[
    metric_of(
        "complexity.nodes",
        "nodes",
        SIZE,
        "Descriptions of nodes that are no clients: instances behind one address count once.",
    ),
    metric_of(
        "complexity.edges",
        "edges",
        SIZE,
        "Pairs of nodes of which one speaks to the other.",
    ),
    metric_of(
        "complexity.asynchronous",
        "asynchronous edges",
        SIZE,
        "Edges on which nobody waits for the answer.",
    ),
    metric_of(
        "complexity.depth",
        "call depth",
        SIZE,
        "The longest chain of synchronous calls from a client.",
    ),
    metric_of(
        "complexity.single_points",
        "single points of failure",
        SIZE,
        "Nodes whose loss cuts a client off from something it needs.",
    ),
    metric_of(
        "complexity.event_depth",
        "event depth",
        SIZE,
        "The longest chain of events of one request, each published while a consumer was at work on the one before it.",
    ),
];
