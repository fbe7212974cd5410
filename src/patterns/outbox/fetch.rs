//! How a relay learns of events, in which order it publishes them and when it marks them.

use serde::Deserialize;

use crate::engine::Span;
use crate::parts::Policy;
use crate::world::{Flaw, too_often};

/// How a relay learns of events.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Fetch {
    /// It asks for those that are not marked as published, again and again, and marks them. After a
    /// full batch it asks again at once.
    Poll {
        /// From the end of one round to the beginning of the next. Default: `"100ms"`.
        #[serde(default = "Fetch::interval")]
        interval: Span,
        /// When it marks what it has published. Default: `Each`.
        #[serde(default)]
        marks: Marks,
        /// Does it delete the row of an event that is published, instead of marking it? Then the
        /// outbox holds what is to be published, and no history. Default: false.
        #[serde(default)]
        deletes: bool,
    },
    /// It tails the log, as change data capture does: the store tells it of events as soon as they
    /// are durable, and it writes down on its own disk how far it has come after each batch. A
    /// relay whose disk is lost begins with the first event that there ever was.
    Tail {
        /// How long the store waits for an event before it answers that there is none; less than
        /// the time limit of `store_policy`. Default: `"500ms"`.
        #[serde(default = "Fetch::wait")]
        wait: Span,
    },
}

/// When a relay marks what it has published.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Marks {
    /// Each event before it publishes the next: a crash repeats one at most.
    #[default]
    Each,
    /// All of a batch in one transaction at its end: fewer writes, and a crash repeats the batch.
    Batch,
}

/// What becomes of those behind an event that cannot be published.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum RelayOrder {
    /// They wait: all are published for the first time in the order of the log.
    #[default]
    Strict,
    /// Those about the same business object wait, the others do not.
    Object,
}

impl Default for Fetch {
    fn default() -> Fetch {
        Fetch::Poll { interval: Fetch::interval(), marks: Marks::default(), deletes: false }
    }
}

impl Fetch {
    /// What is wrong with it, if the store is called like this.
    pub(super) fn problem(self, policy: &Policy) -> Option<Flaw> {
        match self {
            Fetch::Poll { interval, .. } => too_often("interval", interval),
            Fetch::Tail { wait } => too_often("wait", wait).or_else(|| {
                let limit = policy.timeout.filter(|limit| wait >= *limit)?;
                let title = format!("a store that waits for {wait} answers after {limit} at best");
                Some(Flaw::at("wait", title).label("less than the `timeout` of `store_policy`"))
            }),
        }
    }

    fn interval() -> Span {
        Span::from_millis(100)
    }

    fn wait() -> Span {
        Span::from_millis(500)
    }
}
