//! The catalogue of metrics: what every run is measured by.
//!
//! Ids are stable: expectations and machine readers use them.

use super::outcome::{Axis, Better, Quantity};

/// A metric of the catalogue.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Metric {
    /// Its id.
    pub id: &'static str,
    /// As reports call it.
    pub label: &'static str,
    /// Which side of the trade-off.
    pub axis: Axis,
    /// How to read it.
    pub quantity: Quantity,
    /// Which direction is better.
    pub better: Better,
    /// What it means, as a sentence.
    pub says: &'static str,
}

const fn metric_of(
    id: &'static str,
    label: &'static str,
    (axis, quantity, better): (Axis, Quantity, Better),
    says: &'static str,
) -> Metric {
    Metric { id, label, axis, quantity, better, says }
}

const LATENCY: (Axis, Quantity, Better) = (Axis::Latency, Quantity::Time, Better::Lower);
const WELL: (Axis, Quantity, Better) = (Axis::Availability, Quantity::Share, Better::Higher);
const FAILED: (Axis, Quantity, Better) = (Axis::Availability, Quantity::Share, Better::Lower);
const OUTAGE: (Axis, Quantity, Better) = (Axis::Availability, Quantity::Time, Better::Lower);
const GUARD: (Axis, Quantity, Better) = (Axis::Availability, Quantity::Count, Better::Neither);
const GUARD_COST: (Axis, Quantity, Better) = (Axis::Cost, Quantity::Count, Better::Neither);
const WRONG: (Axis, Quantity, Better) = (Axis::Consistency, Quantity::Count, Better::Lower);
const EACH: (Axis, Quantity, Better) = (Axis::Cost, Quantity::Count, Better::Lower);
const SIZE: (Axis, Quantity, Better) = (Axis::Complexity, Quantity::Count, Better::Lower);

/// Every metric, in the order of reports. Latency, throughput and the shares of failures are about
/// the requests that clients began after the warm-up, latency counting from their intended start;
/// what is given for each request is what the whole run took, over all of its requests.
pub const METRICS: &[Metric] = &[
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
    metric_of(
        "throughput.offered",
        "offered",
        (Axis::Throughput, Quantity::Rate, Better::Neither),
        "Requests that clients began, a second.",
    ),
    metric_of(
        "throughput.goodput",
        "goodput",
        (Axis::Throughput, Quantity::Rate, Better::Higher),
        "Requests that succeeded, a second of the measured load.",
    ),
    metric_of(
        "throughput.processed",
        "processed",
        (Axis::Throughput, Quantity::Rate, Better::Higher),
        "Messages of queues that were processed, a second of the measured load.",
    ),
    metric_of(
        "throughput.fairness",
        "fairness",
        (Axis::Throughput, Quantity::Share, Better::Higher),
        "Jain's index over tenants of the share of their requests that succeeded: 1 if all fare alike.",
    ),
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
        (Axis::Availability, Quantity::Count, Better::Neither),
        "How often a circuit breaker opened.",
    ),
    metric_of(
        "availability.disk_errors",
        "disk errors",
        (Axis::Availability, Quantity::Count, Better::Neither),
        "Syncs that failed and entries that found the disk full.",
    ),
    metric_of(
        "availability.out_of_memory",
        "out of memory",
        (Axis::Availability, Quantity::Count, Better::Lower),
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
        (Axis::Availability, Quantity::Count, Better::Lower),
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
        (Axis::Availability, Quantity::Count, Better::Lower),
        "Batches that the leader of a partition did not take in because fewer replicas were in sync than `min_isr`.",
    ),
    metric_of(
        "availability.elections",
        "leaders elected",
        (Axis::Availability, Quantity::Count, Better::Neither),
        "How often a leader of a partition of a log began, the first of each included.",
    ),
    metric_of(
        "consistency.violations",
        "violations",
        WRONG,
        "How often an invariant did not hold.",
    ),
    metric_of(
        "consistency.half_applied",
        "half applied",
        WRONG,
        "Operations that were applied to some of their parts and not to others, in the end.",
    ),
    metric_of(
        "consistency.multiple",
        "applied more than once",
        WRONG,
        "Changes after which an operation had given more than once, or taken back more than it gave.",
    ),
    metric_of(
        "consistency.lost",
        "lost from disks",
        WRONG,
        "Rows that were durable and were altered, overwritten or wiped since.",
    ),
    metric_of(
        "consistency.events_lost",
        "events lost",
        WRONG,
        "Operations that were committed and of which no event was published, as invariants of kind `Published` have it.",
    ),
    metric_of(
        "consistency.phantoms",
        "phantom events",
        WRONG,
        "Operations of which an event was published and that were not committed, as invariants of kind `Published` have it.",
    ),
    metric_of(
        "consistency.unrelayed",
        "left in outboxes",
        WRONG,
        "Events in outboxes that were not published by the end.",
    ),
    metric_of(
        "consistency.lost_updates",
        "lost updates",
        WRONG,
        "Writes that were acknowledged and dropped, because one that came before had a newer stamp.",
    ),
    metric_of(
        "consistency.partial_time",
        "visibly partial",
        (Axis::Consistency, Quantity::Time, Better::Lower),
        "Mean time for which an operation was applied in part, for all to see, until it was whole or gone.",
    ),
    metric_of(
        "consistency.compensated",
        "sagas turned back",
        (Axis::Consistency, Quantity::Count, Better::Neither),
        "Sagas that had to compensate.",
    ),
    metric_of(
        "consistency.parked",
        "sagas parked",
        WRONG,
        "Sagas that could neither be completed nor compensated and wait for repair by hand.",
    ),
    metric_of("consistency.at_risk", "value at risk", WRONG, "Value of the parked sagas."),
    metric_of(
        "consistency.recovered",
        "sagas recovered",
        (Axis::Consistency, Quantity::Count, Better::Neither),
        "Unfinished sagas that a restarted coordinator found in its log.",
    ),
    metric_of(
        "consistency.stale",
        "stale reads",
        (Axis::Consistency, Quantity::Share, Better::Lower),
        "Share of the reads of caches that were answered with an entry that had expired.",
    ),
    metric_of(
        "consistency.staleness",
        "expired for",
        (Axis::Consistency, Quantity::Time, Better::Lower),
        "For how long entries had expired that caches answered with, the mean over such answers.",
    ),
    metric_of(
        "consistency.unprocessed",
        "accepted, not processed",
        WRONG,
        "Messages that were accepted and not processed by the end: left over, dead, expired, dropped, lost or unconfirmed.",
    ),
    metric_of(
        "consistency.messages_lost",
        "messages lost",
        WRONG,
        "Messages that were accepted and that a restarted broker did not have any more.",
    ),
    metric_of(
        "consistency.redelivered",
        "redeliveries",
        WRONG,
        "Deliveries of a message after its first.",
    ),
    metric_of(
        "consistency.repeated",
        "acknowledged twice",
        WRONG,
        "Acknowledgements of messages that a queue did not have any more: work that was done more than once.",
    ),
    metric_of(
        "consistency.recognised",
        "duplicates recognised",
        (Axis::Consistency, Quantity::Count, Better::Neither),
        "Messages that were not taken in because the same had been within the deduplication window.",
    ),
    metric_of(
        "consistency.missed",
        "events missed",
        WRONG,
        "Copies of events that subscriptions did not get because they are not durable and had no consumer.",
    ),
    metric_of(
        "consistency.records_lost",
        "records lost",
        WRONG,
        "Records of logs that were accepted, with any `acks` but `None`, and that a later leader did not have.",
    ),
    metric_of(
        "consistency.records_twice",
        "records twice",
        WRONG,
        "Records that stand in a log once more, of the same operation about the same business object.",
    ),
    metric_of(
        "consistency.records_recognised",
        "batches recognised",
        (Axis::Consistency, Quantity::Count, Better::Neither),
        "Batches that an idempotent producer sent again and that the log had already.",
    ),
    metric_of("consistency.dead", "dead letters", WRONG, "Messages that became dead letters."),
    metric_of(
        "consistency.expired",
        "messages expired",
        WRONG,
        "Messages thrown away because their time to live was over.",
    ),
    metric_of(
        "consistency.dropped",
        "messages dropped",
        WRONG,
        "Messages thrown away to make room, or because their deliveries were used up.",
    ),
    metric_of(
        "consistency.disordered",
        "processed out of order",
        WRONG,
        "Messages processed after one of their queue, or group, that was accepted later.",
    ),
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
        (Axis::Cost, Quantity::Count, Better::Neither),
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
        (Axis::Cost, Quantity::Count, Better::Neither),
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
        GUARD_COST,
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
    metric_of(
        "saturation.utilisation",
        "busiest node",
        (Axis::Saturation, Quantity::Share, Better::Lower),
        "Utilisation of the busiest node with a limited number of workers.",
    ),
    metric_of(
        "saturation.queue_peak",
        "longest queue",
        (Axis::Saturation, Quantity::Count, Better::Lower),
        "The longest queue of any node.",
    ),
    metric_of(
        "saturation.depth_mean",
        "queue depth",
        (Axis::Saturation, Quantity::Count, Better::Lower),
        "Messages in queues, those with consumers among them, on average over the run; dead letters do not count.",
    ),
    metric_of(
        "saturation.depth_peak",
        "deepest queue",
        (Axis::Saturation, Quantity::Count, Better::Lower),
        "The most messages in all queues together.",
    ),
    metric_of(
        "saturation.oldest",
        "oldest message",
        (Axis::Saturation, Quantity::Time, Better::Lower),
        "The greatest age that a message in a queue has reached.",
    ),
    metric_of(
        "saturation.drain",
        "backlog drained after",
        (Axis::Saturation, Quantity::Time, Better::Lower),
        "From the instant at which most messages waited until none did.",
    ),
    metric_of(
        "saturation.outbox_peak",
        "fullest outbox",
        (Axis::Saturation, Quantity::Count, Better::Lower),
        "The most events that waited in outboxes to be published.",
    ),
    metric_of(
        "saturation.refused",
        "refused by queues",
        (Axis::Saturation, Quantity::Count, Better::Lower),
        "Jobs refused because a queue was full.",
    ),
    metric_of(
        "saturation.turned_away",
        "turned away",
        (Axis::Saturation, Quantity::Count, Better::Lower),
        "Jobs turned away at once by a limit on concurrency or by shedding.",
    ),
    metric_of(
        "saturation.expired",
        "expired in queues",
        (Axis::Saturation, Quantity::Count, Better::Lower),
        "Jobs dropped because their deadline had passed when they would have been taken up.",
    ),
    metric_of(
        "saturation.dropped",
        "dropped from queues",
        (Axis::Saturation, Quantity::Count, Better::Lower),
        "Jobs that left a queue because they had waited too long: delay control and timeouts.",
    ),
    metric_of(
        "saturation.link",
        "busiest link",
        (Axis::Saturation, Quantity::Share, Better::Lower),
        "Share of the measured load in which something passed the busiest bandwidth: a link, a network card or a line between zones.",
    ),
    metric_of(
        "saturation.link_drops",
        "dropped by links",
        (Axis::Saturation, Quantity::Count, Better::Lower),
        "Packets that the queues in front of bandwidths dropped.",
    ),
    metric_of(
        "saturation.stampede",
        "largest stampede",
        (Axis::Saturation, Quantity::Count, Better::Lower),
        "The most calls of a store for one key that a cache had under way at once.",
    ),
];

/// The metric with this id; `latency.p99/buyers` is the metric `latency.p99` of one flow, and
/// `latency.p99/class:buy` that of one class.
pub fn metric(id: &str) -> Option<&'static Metric> {
    let stem = id.split('/').next().unwrap_or(id);
    METRICS.iter().find(|metric| metric.id == stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_begin_with_their_axis() {
        for (place, metric) in METRICS.iter().enumerate() {
            let axis = format!("{:?}.", metric.axis).to_lowercase();
            assert!(metric.id.starts_with(&axis), "{}", metric.id);
            assert!(METRICS[..place].iter().all(|other| other.id != metric.id), "{}", metric.id);
            assert!(metric.says.ends_with('.'), "{}", metric.id);
        }
        assert_eq!(metric("latency.p99/buyers").map(|metric| metric.label), Some("p99"));
        assert_eq!(metric("latency.p98"), None);
    }
}
