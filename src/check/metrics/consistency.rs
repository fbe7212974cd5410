//! What is wrong, lost, done twice or out of order, if only for a while.

use super::{Kind, Metric, metric_of};
use crate::check::outcome::{Axis, Better, Quantity};

const ASTRAY: Kind = (Axis::Consistency, Quantity::Time, Better::Lower);
const HAPPENED: Kind = (Axis::Consistency, Quantity::Count, Better::Neither);
const WRONG: Kind = (Axis::Consistency, Quantity::Count, Better::Lower);

pub(super) const METRICS: &[Metric] = &[
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
        ASTRAY,
        "Mean time for which an operation was applied in part, for all to see, until it was whole or gone.",
    ),
    metric_of(
        "consistency.compensated",
        "sagas turned back",
        HAPPENED,
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
        HAPPENED,
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
        ASTRAY,
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
        HAPPENED,
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
        HAPPENED,
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
];
