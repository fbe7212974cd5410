//! What a scenario says of a queue.

use serde::Deserialize;

use super::preset::{Preset, Rules};
use crate::engine::{Dist, Name, NodeId, Span};
use crate::parts::Backoff;
use crate::parts::service::mixed;
use crate::world::{Ask, Dated, Flaw, Want, too_often};

/// A queue of a broker: whoever publishes to it goes on when the broker has taken the message in,
/// and each message goes to one consumer. What is not said is as the preset has it.
///
/// ```ron
/// (
///     consumers: [(to: "shop", operation: "send", prefetch: 10)],
///     visibility: "30s",
///     deliveries_max: 5,
///     dead: (to: "mail-dead"),
/// )
/// ```
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessageQueue {
    /// What everything is like that is not said here. Default: `Plain`.
    #[serde(default)]
    pub preset: Preset,
    /// Whom the broker hands messages to, as soon as they are free. Default: nobody; consumers of
    /// kind `Consumer` ask for themselves.
    #[serde(default)]
    pub consumers: Vec<Receiver>,
    /// How long a message that was handed out stays hidden from others. If it is not acknowledged
    /// by then, it is handed out again. Default: `"30s"`.
    #[serde(default)]
    pub visibility: Option<Span>,
    /// In which order messages are handed out. Default: `Arrival`.
    #[serde(default)]
    pub order: Option<Order>,
    /// What survives a crash of the broker. Default: `On`.
    #[serde(default)]
    pub persistence: Option<Persistence>,
    /// How often a message is handed out. Default: `AtLeastOnce`.
    #[serde(default)]
    pub guarantee: Option<Guarantee>,
    /// How long after it was taken in a message is handed out at the earliest. Default: at once.
    #[serde(default)]
    pub delay: Option<Dist>,
    /// How long a message waits at most before it is thrown away, or becomes a dead letter. One
    /// that is with a consumer stays. Default: for ever.
    #[serde(default)]
    pub ttl: Option<Span>,
    /// How many messages may wait; those with consumers do not count. Default: any number.
    #[serde(default)]
    pub length_max: Option<u32>,
    /// What happens to a message for which there is no room. Default: `Reject`.
    #[serde(default)]
    pub overflow: Option<Overflow>,
    /// How many messages may be with consumers at once. Default: any number.
    #[serde(default)]
    pub in_flight_max: Option<u32>,
    /// For so long a message that was taken in is recognised if it is published again: by the
    /// client's request and the business object. Default: not at all.
    #[serde(default)]
    pub deduplication: Option<Span>,
    /// How long a message waits after a negative acknowledgement before it is handed out again.
    /// Default: not at all.
    #[serde(default)]
    pub redelivery: Option<Backoff>,
    /// Is a message acknowledged by a consumer that was late, so that it is hidden no more? Only
    /// consumers that ask for themselves can be late, once a `visibility` is over; after a crash of
    /// the broker it knows no earlier delivery. Default: false.
    #[serde(default)]
    pub late_acks: Option<bool>,
    /// How often a message is handed out at most. After that it is a dead letter, or dropped if
    /// there is no place for those. Default: as often as it takes.
    #[serde(default)]
    pub deliveries_max: Option<u32>,
    /// Does a broker that crashes still know afterwards how often messages were handed out? That is
    /// written to its log, durable with the next sync; only where `deliveries_max` or `redelivery`
    /// ask for it. Default: false.
    #[serde(default)]
    pub remembers_deliveries: Option<bool>,
    /// Where dead letters go. Default: nowhere.
    #[serde(default)]
    pub dead: Option<DeadLetters>,
}

/// A consumer that the broker hands messages to; its answer is the acknowledgement, and a failure a
/// negative one.
///
/// ```ron
/// (to: "shop", operation: "send", prefetch: 10)
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receiver {
    /// A node, or an address whose instances compete.
    pub to: NodeId,
    /// Which operation of it.
    pub operation: Name,
    /// How many messages it has at once, each instance for itself. Default: any number.
    #[serde(default)]
    pub prefetch: Option<u32>,
    /// How long after its connection broke it is tried again, and within what time an instance that
    /// is new finds messages that wait: the time that a consumer takes to connect. Default:
    /// `"1s"`.
    #[serde(default = "Receiver::reconnect")]
    pub reconnect: Span,
}

impl Receiver {
    fn reconnect() -> Span {
        Span::SECOND
    }

    fn problem(&self) -> Option<Flaw> {
        let title = "a `prefetch` of 0 hands out nothing";
        let none = (self.prefetch == Some(0)).then(|| Flaw::at("prefetch", title));
        none.or_else(|| too_often("reconnect", self.reconnect))
    }
}

/// In which order a queue hands its messages out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Order {
    /// As they came; one that comes back goes to where it was. Several are out at once, so they
    /// may be processed in another order.
    #[default]
    Arrival,
    /// Any of the first few, as where a queue is spread over many hosts.
    BestEffort {
        /// Among how many, at least 2.
        spread: u32,
    },
    /// By the priority of their class, lowest number first; within one as they came.
    Priority,
    /// Strictly one after the other: the next is handed out when the one before it is settled.
    Fifo,
    /// Each group strictly one after the other. All messages about one business object are a group.
    Groups {
        /// How many groups there are, over which business objects are spread evenly. Default: each
        /// object is its own.
        #[serde(default)]
        count: Option<u64>,
    },
}

impl Order {
    /// The group of a message about this business object.
    pub(super) fn group(self, key: u64) -> u64 {
        match self {
            Order::Groups { count: Some(count) } => mixed(key) % count.max(1),
            Order::Groups { count: None } => key,
            _ => 0,
        }
    }
}

/// What of a queue survives a crash of its broker.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Persistence {
    /// Nothing: it is in memory.
    Off,
    /// What its disk has written by then: messages are taken in before they are durable.
    Lazy,
    /// Every message that was taken in: it is durable on the disk before.
    #[default]
    On,
    /// Every message that was taken in, even if the broker's disk is lost: it is durable there and
    /// on as many mirrors as the broker's `copies` says. Not at most once.
    Mirrored,
}

/// How often a message is handed out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Guarantee {
    /// Until it is acknowledged.
    #[default]
    AtLeastOnce,
    /// Once, whatever becomes of it; it has left the queue, durably, before it is on its way.
    AtMostOnce,
}

/// What happens to a message for which there is no room.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Overflow {
    /// Whoever publishes is told: overloaded.
    #[default]
    Reject,
    /// The oldest message that waits makes room.
    DropOldest,
    /// Whoever publishes waits for room.
    Block,
}

/// Where a queue's dead letters go: those that were handed out too often, and others if stated.
///
/// ```ron
/// (to: "mail-dead", expired: true, redrive: ["10min"])
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadLetters {
    /// A queue of the same broker.
    pub to: Name,
    /// Do messages go there whose time to live is over? Default: false.
    #[serde(default)]
    pub expired: bool,
    /// Do messages go there that had to make room? Default: false.
    #[serde(default)]
    pub overflow: bool,
    /// Instants of the run at which somebody moves all that is there back, to be handed out as if
    /// it were new. Default: never.
    #[serde(default)]
    pub redrive: Vec<Span>,
}

impl MessageQueue {
    /// Its settings with every default resolved.
    pub(crate) fn rules(&self) -> Rules {
        let preset = self.preset.rules();
        let persistence = self.persistence.unwrap_or(preset.persistence);
        let is_kept = persistence != Persistence::Off;
        let remembers = self.remembers_deliveries.unwrap_or(preset.remembers_deliveries);
        Rules {
            visibility: self.visibility.unwrap_or(preset.visibility),
            order: self.order.unwrap_or(preset.order),
            persistence,
            guarantee: self.guarantee.unwrap_or(preset.guarantee),
            ttl: self.ttl.or(preset.ttl),
            in_flight_max: self.in_flight_max.unwrap_or(preset.in_flight_max),
            deduplication: self.deduplication.or(preset.deduplication),
            late_acks: self.late_acks.unwrap_or(preset.late_acks),
            deliveries_max: self.deliveries_max.unwrap_or(preset.deliveries_max),
            remembers_deliveries: remembers && is_kept,
        }
    }

    /// What it asks of those whom it hands messages to.
    pub(super) fn asks(&self) -> Vec<Ask> {
        let each = self.consumers.iter().enumerate();
        let ask = |one: &Receiver| {
            Ask::of(["to", "operation"], one.to, Want::Operation(one.operation)).sent()
        };
        each.map(|(place, one)| ask(one).within(place).within("consumers")).collect()
    }

    /// When its dead letters are moved back.
    pub(super) fn dated(&self) -> impl Iterator<Item = Dated> {
        let redrive = self.dead.iter().flat_map(|dead| dead.redrive.iter().enumerate());
        redrive.map(|(place, at)| Dated::of_run(place, *at).within("redrive").within("dead"))
    }

    /// What is wrong with it, for the loader.
    pub(super) fn problem(&self) -> Option<Flaw> {
        let consumers = self.consumers.iter().enumerate();
        let mut consumers = consumers.filter_map(|(place, one)| {
            one.problem().map(|flaw| flaw.within(place).within("consumers"))
        });
        let redelivery = || self.redelivery.as_ref()?.problem();
        let redelivery = || redelivery().map(|flaw| flaw.within("redelivery"));
        self.idle().or_else(|| self.idle_dead()).or_else(redelivery).or_else(|| consumers.next())
    }

    /// Dead letters that there could not be.
    fn idle_dead(&self) -> Option<Flaw> {
        let (dead, rules) = (self.dead.as_ref()?, self.rules());
        let (field, title) = match dead {
            DeadLetters { expired: true, .. } if rules.ttl.is_none() => {
                ("dead.expired", "without a `ttl` nothing expires")
            }
            DeadLetters { overflow: true, .. } if self.overflow != Some(Overflow::DropOldest) => {
                ("dead.overflow", "without `overflow: DropOldest` nothing has to make room")
            }
            DeadLetters { expired: false, overflow: false, .. }
                if rules.deliveries_max == u32::MAX =>
            {
                ("dead", "without `deliveries_max` nothing becomes a dead letter")
            }
            _ => return None,
        };
        Some(Flaw::at(field, title))
    }

    /// A setting that means nothing, by itself or together with others.
    fn idle(&self) -> Option<Flaw> {
        let rules = self.rules();
        let is_strict = matches!(rules.order, Order::Fifo | Order::Groups { .. });
        let is_once = rules.guarantee == Guarantee::AtMostOnce;
        let many = if self.deliveries_max.is_some() { "deliveries_max" } else { "redelivery" };
        let (field, title) = match rules.order {
            _ if rules.visibility.is_zero() => {
                ("visibility", "a `visibility` of zero lets nothing be acknowledged")
            }
            Order::BestEffort { spread: 0 | 1 } => {
                ("order.spread", "a `spread` is among at least 2")
            }
            Order::Groups { count: Some(0) } => {
                ("order.count", "`count` is how many groups there are, at least 1")
            }
            _ if self.ttl.is_some_and(Span::is_zero) => ("ttl", "a `ttl` of zero keeps nothing"),
            _ if self.length_max == Some(0) => ("length_max", "`length_max` is at least 1"),
            _ if self.overflow.is_some() && self.length_max.is_none() => {
                ("overflow", "without a `length_max` there is no `overflow`")
            }
            _ if self.in_flight_max == Some(0) => {
                ("in_flight_max", "`in_flight_max` is at least 1")
            }
            _ if self.deliveries_max == Some(0) => {
                ("deliveries_max", "`deliveries_max` is at least 1")
            }
            _ if self.deduplication.is_some_and(Span::is_zero) => {
                ("deduplication", "a `deduplication` of zero recognises nothing")
            }
            _ if is_strict && self.delay.as_ref().is_some_and(|it| it.as_constant().is_none()) => {
                ("delay", "where messages go one after the other, their `delay` is always the same")
            }
            _ if is_once && (self.deliveries_max.is_some() || self.redelivery.is_some()) => {
                let title =
                    "what is handed out at most once has no `deliveries_max` and no `redelivery`";
                (many, title)
            }
            _ if is_once && self.late_acks == Some(true) => {
                ("late_acks", "what is handed out at most once has left when its time is over")
            }
            _ if self.remembers_deliveries == Some(true)
                && (rules.persistence == Persistence::Off || is_once) =>
            {
                let title = "a queue remembers deliveries that is on a disk, and at least once";
                ("remembers_deliveries", title)
            }
            _ if self.remembers_deliveries == Some(true)
                && rules.deliveries_max == u32::MAX
                && self.redelivery.is_none() =>
            {
                let title = "nothing asks how often messages were handed out";
                ("remembers_deliveries", title)
            }
            // A mirror that misses that a message has left would bring it back.
            _ if is_once && rules.persistence == Persistence::Mirrored => {
                ("guarantee", "what is handed out at most once is not `Mirrored`")
            }
            _ => return None,
        };
        Some(Flaw::at(field, title))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(text: &str) -> MessageQueue {
        ron::from_str(text).expect("it can be read")
    }

    #[test]
    fn what_a_queue_says_goes_before_its_preset() {
        let fifo = queue("(preset: SqsFifo, visibility: Some(\"1s\"))").rules();
        assert_eq!(fifo.visibility, Span::SECOND);
        assert_eq!(fifo.order, Order::Groups { count: None });
        assert_eq!(fifo.deduplication, Some(Span::from_seconds(300)));
        let quorum = queue("(preset: RabbitMqQuorum)").rules();
        assert_eq!((quorum.persistence, quorum.deliveries_max), (Persistence::Mirrored, 21));
        let plain = queue("()").rules();
        assert!(quorum.remembers_deliveries && !plain.remembers_deliveries);
        assert_eq!((plain.ttl, plain.late_acks, plain.deliveries_max), (None, false, u32::MAX));
    }

    #[test]
    fn settings_that_make_no_sense_are_found() {
        for (text, says) in [
            ("(visibility: Some(\"0s\"))", "visibility"),
            ("(order: Some(BestEffort(spread: 1)))", "spread"),
            ("(overflow: Some(Block))", "length_max"),
            ("(redelivery: Some((base: \"2s\", max: \"1s\")))", "longer than its `max`"),
            ("(consumers: [(to: \"worker\", operation: \"do\", prefetch: Some(0))])", "prefetch"),
            ("(length_max: Some(0))", "length_max"),
            ("(dead: Some((to: \"gone\")))", "nothing becomes a dead letter"),
            ("(dead: Some((to: \"gone\", overflow: true)))", "nothing has to make room"),
            (
                "(deliveries_max: Some(2), dead: Some((to: \"gone\", expired: true)))",
                "nothing expires",
            ),
            ("(deliveries_max: Some(0))", "deliveries_max"),
            ("(guarantee: Some(AtMostOnce), deliveries_max: Some(3))", "at most once"),
            (
                "(persistence: Some(Off), deliveries_max: Some(3), remembers_deliveries: Some(true))",
                "that is on a disk",
            ),
            ("(remembers_deliveries: Some(true))", "nothing asks"),
            (
                "(order: Some(Fifo), delay: Some(Exponential(mean: Some(\"1s\"))))",
                "always the same",
            ),
        ] {
            assert!(queue(text).problem().is_some_and(|it| it.title.contains(says)), "{text}");
        }
        assert_eq!(queue("(order: Some(Fifo), delay: Some(\"1s\"))").problem(), None);
    }
}
