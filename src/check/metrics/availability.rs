//! What fails, for how long, and what guards against it.

use super::{Kind, Metric, metric_of};
use crate::check::outcome::{Axis, Better, Quantity};

const TROUBLE: Kind = (Axis::Availability, Quantity::Count, Better::Lower);
const WELL: Kind = (Axis::Availability, Quantity::Share, Better::Higher);
const FAILED: Kind = (Axis::Availability, Quantity::Share, Better::Lower);
const OUTAGE: Kind = (Axis::Availability, Quantity::Time, Better::Lower);
const GUARD: Kind = (Axis::Availability, Quantity::Count, Better::Neither);

pub(super) const METRICS: &[Metric] = &[
    metric_of(
        "availability.success",
        "success",
        WELL,
        "Share of the ended requests that succeeded.",
    ),
    metric_of(
        "availability.refused",
        "refused",
        FAILED,
        "Share of all requests refused for business reasons.",
    ),
    metric_of("availability.timeout", "timed out", FAILED, "Share of all requests that timed out."),
    metric_of(
        "availability.other",
        "other failures",
        FAILED,
        "Share of all requests that failed otherwise.",
    ),
    metric_of(
        "availability.windows",
        "good windows",
        WELL,
        "Share of the windows of the run in which at least 99 % of the ended requests had no technical failure.",
    ),
    metric_of(
        "availability.longest_outage",
        "longest outage",
        OUTAGE,
        "The longest time in which requests came and none succeeded.",
    ),
    metric_of(
        "availability.felt",
        "fault felt after",
        (Axis::Availability, Quantity::Time, Better::Neither),
        "Mean time from a fault's beginning to the first request that failed while no other fault was on.",
    ),
    metric_of(
        "availability.recovered",
        "recovered after",
        OUTAGE,
        "Mean time from a fault's end to the first success of a second in which 95 % of the share served before is served again.",
    ),
    metric_of(
        "availability.up",
        "up",
        WELL,
        "Share of the measured time in which every node was up, and of each address as many instances as it needs; `availability.up/api` is that of one address.",
    ),
    metric_of(
        "availability.breakers",
        "breakers opened",
        GUARD,
        "How often a circuit breaker opened.",
    ),
    metric_of(
        "availability.disk_errors",
        "disk errors",
        GUARD,
        "Syncs that failed and entries that found the disk full.",
    ),
    metric_of(
        "availability.out_of_memory",
        "out of memory",
        TROUBLE,
        "How often a process was killed because it took more memory than its machine's limit.",
    ),
    metric_of(
        "availability.limited",
        "calls limited",
        GUARD,
        "Calls that a rate limit or a bulkhead of their caller turned away.",
    ),
    metric_of(
        "availability.expired",
        "calls too late",
        GUARD,
        "Calls not begun because their deadline had passed.",
    ),
    metric_of(
        "availability.fallbacks",
        "fallbacks",
        GUARD,
        "Failed calls that a fallback answered.",
    ),
    metric_of(
        "availability.ejections",
        "ejections",
        GUARD,
        "How often an instance was ejected as an outlier.",
    ),
    metric_of(
        "availability.partial",
        "partial answers",
        GUARD,
        "Answers that lacked the result of an optional call.",
    ),
    metric_of(
        "availability.rejected",
        "rejected by full queues",
        TROUBLE,
        "Messages that a broker did not take in because their queue was full.",
    ),
    metric_of(
        "availability.seen_by_all",
        "events seen by all",
        WELL,
        "Share of the events of topics that every subscription they were for has processed.",
    ),
    metric_of(
        "availability.too_few_in_sync",
        "too few in sync",
        TROUBLE,
        "Batches that the leader of a partition did not take in because fewer replicas were in sync than `min_isr`.",
    ),
    metric_of(
        "availability.elections",
        "leaders elected",
        GUARD,
        "How often a leader of a partition of a log began, the first of each included.",
    ),
];
