//! The words of measures: figures of distributions, and what of something is counted.

use serde::Deserialize;

use crate::engine::Ratio;

/// A figure of a distribution.
#[derive(Clone, Copy, PartialEq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Stat {
    /// The arithmetic mean.
    #[default]
    Mean,
    /// The value that this share does not exceed, within 0.1 %.
    ///
    /// ```ron
    /// Percentile("99.9 %")
    /// ```
    Percentile(Ratio),
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// The variance: of times in square seconds.
    Variance,
    /// The standard deviation.
    Deviation,
    /// The standard deviation over the mean.
    Variation,
    /// The mean as somebody sees it who looks at a random instant and so meets long ones more
    /// often: the mean square over the mean (the inspection paradox).
    Inspected,
}

/// Until which time that something was noted of an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
pub enum Until {
    /// The first.
    #[default]
    First,
    /// The last.
    Last,
}

/// Of what facts are counted apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
pub enum Each {
    /// Each operation: a client's request and everything that follows from it.
    #[default]
    Operation,
    /// Each object, which is the fact's key, at each node: a message of a queue, an event of an
    /// outbox.
    Object,
}

/// What a request does that is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub enum Doing {
    /// It began.
    Began,
    /// It succeeded.
    Succeeded,
    /// It failed.
    Failed,
    /// It succeeded or failed.
    Ended,
}

/// What of a machine's use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub enum Usage {
    /// The share of its workers that were occupied, on average.
    Utilisation,
    /// Workers occupied, on average.
    Working,
    /// Jobs that waited, on average.
    Waiting,
    /// Jobs at work or waiting, on average.
    Present,
    /// Jobs finished.
    Jobs,
    /// Jobs refused because the queue was full.
    Refused,
    /// Jobs turned away by a limit or by shedding.
    TurnedAway,
    /// Jobs dropped because their deadline had passed.
    Expired,
    /// Jobs that left the queue because they had waited too long.
    Dropped,
    /// All jobs that came and went: finished, refused, turned away, expired, dropped.
    Offered,
}
