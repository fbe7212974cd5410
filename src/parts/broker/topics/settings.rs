//! What a scenario says of topics and of the subscriptions to them.

use serde::Deserialize;

use super::levels::Patterns;
use crate::engine::{Name, Ratio, Span};
use crate::parts::broker::preset::{Preset, Rules};
use crate::parts::broker::settings::{MessageQueue, Persistence};
use crate::parts::service::mixed;
use crate::world::{Dated, Flaw};

/// A topic of a broker: who publishes to it knows no subscriber, and each subscription gets a copy.
///
/// A message is published when it is stored for every durable subscription that gets one, as that
/// subscription's persistence says. If one of them has no room and its overflow is `Reject`, it is
/// not published at all; with `Block` whoever publishes waits for room.
///
/// ```ron
/// (deduplication: "2min")
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// For so long a message that was published is recognised if it is published again: by the
    /// client's request and the business object. Default: not at all.
    #[serde(default)]
    pub deduplication: Option<Span>,
}

/// A subscription: a queue that gets a copy of what is published to its topics. Its messages are
/// handed out, come back and die as those of any queue, whatever becomes of other subscriptions.
///
/// ```ron
/// (topics: "orders.*", queue: (consumers: [(to: "shop", operation: "send")]))
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    /// Its topics: a name or a pattern, or a list of them. Levels of a name have dots in between;
    /// `*` stands for one level, `>` at the end for one or more.
    ///
    /// Source: NATS documentation, subject-based messaging.
    pub topics: Patterns,
    /// Which of their messages it gets. Default: all.
    #[serde(default)]
    pub filter: Option<Filter>,
    /// The queue that it is. Duplicates are recognised by the topic, so it has no `deduplication`.
    /// Default: `()`.
    #[serde(default)]
    pub queue: MessageQueue,
    /// Does it outlive the connections of its consumers? One that does not is there while the
    /// broker has a connection to one of its `consumers`: it gets no copies of what is published
    /// while it has none, and loses those that it has when the last one breaks or the broker
    /// restarts. The broker learns of a broken connection by what it sends over it. Default: true.
    #[serde(default = "Subscription::lasts")]
    pub durable: bool,
    /// From which instant of the run it is there. It begins with what is published then: what was
    /// published before is not kept for it. Default: from the start.
    #[serde(default)]
    pub from: Option<Span>,
    /// Until when it is there; what it then has is thrown away. Default: to the end.
    #[serde(default)]
    pub until: Option<Span>,
}

/// Which messages of its topics a subscription gets: the broker looks at each, and those that are
/// left out cost it no delivery. All that is said must be so.
///
/// ```ron
/// (classes: ["premium"], keys: Modulo(divisor: 4, remainders: [0]), values: (100, 1000))
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// The class of the request is one of these. Default: any.
    #[serde(default)]
    pub classes: Vec<Name>,
    /// The business object is one of these. Default: any.
    #[serde(default)]
    pub keys: Option<Objects>,
    /// The value is from the first to the second of these, both included. Default: any.
    #[serde(default)]
    pub values: Option<(u64, u64)>,
    /// This share of all pairs of request and business object, the same ones each time. Default:
    /// all.
    #[serde(default)]
    pub share: Option<Ratio>,
}

/// Business objects by their numbers.
///
/// ```ron
/// Between(0, 99)
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Objects {
    /// From this one to that one, both included.
    Between(u64, u64),
    /// Those whose number leaves one of these remainders.
    Modulo {
        /// What the number is divided by, at least 2.
        divisor: u64,
        /// The remainders, each less than the divisor.
        remainders: Vec<u64>,
    },
}

impl Objects {
    /// Is this one of them?
    pub(super) fn contain(&self, key: u64) -> bool {
        match self {
            Objects::Between(first, last) => (*first..=*last).contains(&key),
            Objects::Modulo { divisor, remainders } => remainders.contains(&(key % divisor)),
        }
    }

    fn problem(&self) -> Option<Flaw> {
        match self {
            Objects::Between(first, last) => (first > last).then(|| Flaw::new(BACKWARDS)),
            Objects::Modulo { divisor: 0 | 1, .. } => {
                Some(Flaw::at("divisor", "a `divisor` is at least 2"))
            }
            Objects::Modulo { divisor, remainders } => {
                let title = "`remainders` are less than the divisor, and there is one at least";
                let wrong = remainders.is_empty() || remainders.iter().any(|it| it >= divisor);
                wrong.then(|| Flaw::at("remainders", title))
            }
        }
    }
}

const BACKWARDS: &str = "a range is (first, last), and last is not less";

impl Filter {
    /// Is the share of all messages that it says one that this belongs to?
    pub(super) fn shares(share: Ratio, root: u32, key: u64) -> bool {
        share.covers(mixed(mixed(u64::from(root)) ^ key))
    }

    fn problem(&self) -> Option<Flaw> {
        let keys = || self.keys.as_ref()?.problem().map(|flaw| flaw.within("keys"));
        let values = || {
            let (first, last) = self.values?;
            (first > last).then(|| Flaw::at("values", BACKWARDS))
        };
        let nothing = || {
            let title = "a `share` of nothing lets nothing through";
            self.share.filter(|share| share.is_zero()).map(|_| Flaw::at("share", title))
        };
        keys().or_else(values).or_else(nothing)
    }
}

impl Topic {
    pub(in crate::parts::broker) fn problem(&self) -> Option<Flaw> {
        let title = "a `deduplication` of zero recognises nothing";
        self.deduplication
            .filter(|window| window.is_zero())
            .map(|_| Flaw::at("deduplication", title))
    }
}

impl Subscription {
    fn lasts() -> bool {
        true
    }

    /// The settings of its queue with every default resolved.
    pub(crate) fn rules(&self) -> Rules {
        let rules = Rules { deduplication: None, ..self.queue.rules() };
        match self.durable {
            true => rules,
            false => Rules { persistence: Persistence::Off, ..rules },
        }
    }

    /// When it comes and goes, and when its dead letters are moved back.
    pub(in crate::parts::broker) fn dated(&self) -> impl Iterator<Item = Dated> {
        let own = [("from", self.from), ("until", self.until)].into_iter();
        let own = own.filter_map(|(field, at)| Some(Dated::of_run(field, at?)));
        own.chain(self.queue.dated().map(|dated| dated.within("queue")))
    }

    /// What is wrong with it, for the loader.
    pub(in crate::parts::broker) fn problem(&self) -> Option<Flaw> {
        let mut patterns = self.topics.each().filter_map(|(place, pattern)| {
            let flaw = Flaw::new(pattern.problem()?);
            Some(place.map_or(flaw.clone(), |place| flaw.within(place)).within("topics"))
        });
        let queue = || self.queue.problem().map(|flaw| flaw.within("queue"));
        let filter = || self.filter.as_ref()?.problem().map(|flaw| flaw.within("filter"));
        patterns.next().or_else(queue).or_else(filter).or_else(|| self.idle())
    }

    /// A setting that means nothing, by itself or together with others.
    fn idle(&self) -> Option<Flaw> {
        let own = |field: &'static str| Flaw::at(field, "").within("queue");
        let asks_to_last = self.queue.persistence.is_some_and(|kept| kept != Persistence::Off)
            || self.queue.preset == Preset::RabbitMqQuorum;
        let (flaw, title) = match (self.from, self.until) {
            _ if self.topics.each().next().is_none() => {
                (Flaw::at("topics", ""), "a subscription has a topic at least")
            }
            _ if self.queue.deduplication.is_some() => {
                (own("deduplication"), "what is published again is recognised by its topic")
            }
            _ if !self.durable && self.queue.consumers.is_empty() => {
                let title = "whoever asks for messages has no connection that could be there: a \
                             subscription that is not durable has `consumers`";
                (own("consumers"), title)
            }
            _ if !self.durable && asks_to_last => {
                let field = if self.queue.persistence.is_some() { "persistence" } else { "preset" };
                (own(field), "what is not durable is not kept on a disk")
            }
            (_, Some(until)) if until <= self.from.unwrap_or_default() => {
                (Flaw::at("until", ""), "it ends before it begins")
            }
            _ => return None,
        };
        Some(Flaw { title: title.to_owned(), ..flaw })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscription(text: &str) -> Subscription {
        ron::from_str(text).expect("it can be read")
    }

    #[test]
    fn a_subscription_that_is_not_durable_keeps_nothing_on_a_disk() {
        assert_eq!(subscription("(topics: \"a\")").rules().persistence, Persistence::On);
        let ephemeral = subscription("(topics: \"a\", durable: false)").rules();
        assert_eq!(ephemeral.persistence, Persistence::Off);
        // A preset's window is the topic's business.
        let fifo = subscription("(topics: \"a\", queue: (preset: SqsFifo))").rules();
        assert_eq!(fifo.deduplication, None);
    }

    #[test]
    fn subscriptions_that_make_no_sense_are_found() {
        let to = "consumers: [(to: \"mailer\", operation: \"send\")]";
        let ephemeral =
            format!("topics: \"a\", durable: false, queue: ({to}, persistence: Some(On))");
        for (text, says) in [
            ("topics: []", "a topic at least"),
            ("topics: \"a.>.b\"", "at the end"),
            ("topics: [\"a\", \"b..c\"]", "cannot be empty"),
            ("topics: \"a\", queue: (deduplication: Some(\"1s\"))", "by its topic"),
            ("topics: \"a\", queue: (length_max: Some(0))", "length_max"),
            ("topics: \"a\", durable: false", "`consumers`"),
            (&ephemeral, "not kept on a disk"),
            ("topics: \"a\", until: Some(\"0s\")", "before it begins"),
            ("topics: \"a\", from: Some(\"2s\"), until: Some(\"2s\")", "before it begins"),
            ("topics: \"a\", filter: Some((values: Some((5, 4))))", "(first, last)"),
            ("topics: \"a\", filter: Some((keys: Some(Between(5, 4))))", "(first, last)"),
            ("topics: \"a\", filter: Some((keys: Some(Modulo(divisor: 1, remainders: []))))", "2"),
            (
                "topics: \"a\", filter: Some((keys: Some(Modulo(divisor: 3, remainders: [3]))))",
                "less than the divisor",
            ),
            ("topics: \"a\", filter: Some((share: Some(\"0\")))", "nothing"),
        ] {
            let found = subscription(&format!("({text})")).problem();
            assert!(found.is_some_and(|it| it.title.contains(says)), "{text}");
        }
        assert_eq!(subscription("(topics: [\"a\", \"b.*\"], until: Some(\"1s\"))").problem(), None);
    }
}
