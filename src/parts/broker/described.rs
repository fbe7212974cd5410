//! What a broker says of itself: to the loader, and to whoever checks what it does.

use super::preset::Rules;
use super::settings::{MessageQueue, Order, Persistence};
use super::topics::{Subscription, TopicName};
use super::{Broker, is_taken};
use crate::engine::{Name, Span, Time};
use crate::world::{Ask, Dated, Flaw, Known, Offers, Want};

/// A queue of a broker, or one that is a subscription.
pub(crate) struct Described {
    pub name: Name,
    /// What holds of it.
    pub rules: Rules,
    /// Is it for the dead letters of another?
    pub is_dead: bool,
    /// If it is a subscription.
    pub subscribed: Option<Subscribed>,
}

/// What a subscription is.
#[derive(Clone, Copy)]
pub(crate) struct Subscribed {
    pub is_durable: bool,
    pub has_filter: bool,
    /// When it is there.
    pub from: Time,
    pub until: Time,
}

impl Subscription {
    fn described(&self) -> Subscribed {
        Subscribed {
            is_durable: self.durable,
            has_filter: self.filter.is_some(),
            from: Time(0) + self.from.unwrap_or_default(),
            until: self.until.map_or(Time::MAX, |until| Time(0) + until),
        }
    }
}

impl Broker {
    /// All its queues by their places, subscriptions last.
    pub(super) fn every_queue(&self) -> impl Iterator<Item = (Name, &MessageQueue, Rules)> {
        let queues = self.queues.iter().map(|(name, queue)| (*name, queue, queue.rules()));
        let subscriptions = self.subscriptions.iter();
        queues.chain(subscriptions.map(|(name, it)| (*name, &it.queue, it.rules())))
    }

    /// The place of a queue or subscription.
    pub(super) fn place(&self, name: Name) -> Option<u16> {
        let mut names = self.queues.keys().chain(self.subscriptions.keys());
        Some(names.position(|known| *known == name)? as u16)
    }

    /// The place of a queue that can be published to.
    pub(super) fn queue(&self, name: Name) -> Option<u16> {
        Some(self.queues.keys().position(|known| *known == name)? as u16)
    }

    /// Is a subscription in this place?
    pub(super) fn is_subscription(&self, place: u16) -> bool {
        (self.queues.len()..self.queues.len() + self.subscriptions.len())
            .contains(&usize::from(place))
    }

    /// All its queues by their places, subscriptions last.
    pub(crate) fn described(&self) -> impl Iterator<Item = Described> {
        let subscribed = self.subscriptions.values().map(|it| Some(it.described()));
        let subscribed = self.queues.values().map(|_| None).chain(subscribed);
        self.every_queue().zip(subscribed).map(|((name, _, rules), subscribed)| {
            let is_dead = self.dead_letters().any(|(_, to)| to == name) && subscribed.is_none();
            Described { name, rules, is_dead, subscribed }
        })
    }

    /// Its topics by their places, each with the places of the subscriptions to it.
    pub(crate) fn led(&self) -> impl Iterator<Item = (Name, Vec<usize>)> {
        self.topics.keys().map(|topic| {
            let all = (self.queues.len()..).zip(self.subscriptions.values());
            let own = all.filter(|(_, it)| it.topics.matches(topic.text()));
            (topic.name, own.map(|(place, _)| place).collect())
        })
    }

    /// The queues that dead letters are sent to, each with the queue that they come from.
    pub(crate) fn dead_letters(&self) -> impl Iterator<Item = (Name, Name)> {
        self.every_queue().filter_map(|(name, queue, _)| Some((name, queue.dead.as_ref()?.to)))
    }

    /// The queues that are said to let late acknowledgements count, and for how long they hide
    /// messages.
    pub(crate) fn late(&self) -> impl Iterator<Item = (Name, Span)> {
        let all = self.every_queue().filter(|(_, queue, _)| queue.late_acks == Some(true));
        all.map(|(name, _, rules)| (name, rules.visibility))
    }

    /// The queues with a `redelivery` that nothing is handed out of but to who asks.
    pub(crate) fn pulled_again(&self) -> impl Iterator<Item = Name> {
        let is_one =
            |queue: &MessageQueue| queue.redelivery.is_some() && queue.consumers.is_empty();
        self.every_queue().filter(move |(_, queue, _)| is_one(queue)).map(|(name, ..)| name)
    }

    /// The queues that hand messages out by their priority.
    pub(crate) fn ranked(&self) -> impl Iterator<Item = Name> {
        let ranked = self.every_queue().filter(|(.., rules)| rules.order == Order::Priority);
        ranked.map(|(name, ..)| name)
    }

    /// For how long a queue hides messages.
    pub(crate) fn visibility(&self, queue: Name) -> Option<Span> {
        let (.., rules) = self.every_queue().find(|(name, ..)| *name == queue)?;
        Some(rules.visibility)
    }

    /// The path of a queue in it, or of that of a subscription.
    pub(crate) fn field<'s>(&self, queue: Name, spelt: impl Fn(Name) -> &'s str) -> String {
        match self.subscribes(queue) {
            true => format!("subscriptions.{}.queue", spelt(queue)),
            false => format!("queues.{}", spelt(queue)),
        }
    }

    /// Its queues that are no subscriptions.
    pub(crate) fn plain_queues(&self) -> impl Iterator<Item = Name> {
        self.queues.keys().copied()
    }

    /// Is this one of its subscriptions?
    pub(crate) fn subscribes(&self, name: Name) -> bool {
        self.subscriptions.contains_key(&name)
    }

    /// Its topics.
    pub(crate) fn topic_names(&self) -> impl Iterator<Item = &str> {
        self.topics.keys().map(TopicName::text)
    }

    /// Topics and patterns of subscriptions that stand for none of its topics: whose it is, its
    /// place if it stands in a list, and what it is.
    pub(crate) fn unmatched(&self) -> impl Iterator<Item = (Name, Option<usize>, &str)> {
        self.subscriptions.iter().flat_map(|(name, it)| {
            let idle = it.topics.each().filter(|(_, pattern)| {
                !self.topics.keys().any(|topic| pattern.matches(topic.text()))
            });
            idle.map(|(place, pattern)| (*name, place, pattern.text()))
        })
    }

    /// The classes that filters of its subscriptions name: whose, in which place, and which.
    pub(crate) fn filtered_classes(&self) -> impl Iterator<Item = (Name, usize, Name)> {
        self.subscriptions.iter().flat_map(|(name, it)| {
            let classes = it.filter.iter().flat_map(|filter| &filter.classes).enumerate();
            classes.map(|(place, class)| (*name, place, *class))
        })
    }

    pub(super) fn asked(&self) -> Vec<Ask> {
        let mut asks = Vec::new();
        for (name, queue) in &self.queues {
            let within = |ask: Ask| ask.within(*name).within("queues");
            asks.extend(queue.asks().into_iter().map(within));
        }
        for (name, subscription) in &self.subscriptions {
            let within = |ask: Ask| ask.within("queue").within(*name).within("subscriptions");
            asks.extend(subscription.queue.asks().into_iter().map(within));
        }
        let mirrors = self.mirrors.iter().enumerate();
        asks.extend(mirrors.map(|(place, mirror)| {
            Ask::of(["", ""], *mirror, Want::Copies).within(place).within("mirrors")
        }));
        asks
    }

    pub(super) fn offered(&self) -> Offers {
        let topics = self.topics.keys().map(|topic| topic.name);
        let operations = Known::These(self.queues.keys().copied().chain(topics).collect());
        Offers {
            errs: operations.clone(),
            operations,
            logs: self.every_queue().any(|(.., rules)| rules.persistence != Persistence::Off),
            queues: Some(self.every_queue().map(|(name, ..)| name).collect()),
            ..Offers::default()
        }
    }

    /// When dead letters are moved back, and when subscriptions come and go.
    pub(super) fn instants(&self) -> Vec<Dated> {
        let queues = self.queues.iter().flat_map(|(name, queue)| {
            queue.dated().map(|dated| dated.within(*name).within("queues"))
        });
        let subscriptions = self.subscriptions.iter().flat_map(|(name, it)| {
            it.dated().map(|dated| dated.within(*name).within("subscriptions"))
        });
        queues.chain(subscriptions).collect()
    }

    /// What is said of a queue in it.
    pub(crate) fn of_queue(&self, queue: Name, flaw: Flaw) -> Flaw {
        match self.subscribes(queue) {
            true => flaw.within("queue").within(queue).within("subscriptions"),
            false => flaw.within(queue).within("queues"),
        }
    }

    /// What it says that could have no effect, because of something else that it says.
    pub(super) fn unused(&self) -> Vec<Flaw> {
        let single = self.every_queue().filter(|(_, queue, rules)| {
            queue.in_flight_max.is_some() && rules.order == Order::Fifo
        });
        let single = single.map(|(name, ..)| {
            let title = "of a `Fifo` queue one message is with a consumer at a time";
            self.of_queue(name, Flaw::at("in_flight_max", title))
        });
        let is_mirrored = |rules: &Rules| rules.persistence == Persistence::Mirrored;
        let is_alone = !self.every_queue().any(|(.., rules)| is_mirrored(&rules));
        let mirrors = (is_alone && !self.mirrors.is_empty()).then(|| {
            let title = "no queue is `Mirrored`, so that mirrors have nothing to keep";
            Flaw::at("mirrors", title)
        });
        single.chain(mirrors).collect()
    }

    pub(super) fn flaw(&self) -> Option<Flaw> {
        let mut queues = self.queues.iter();
        let queue = queues.find_map(|(name, queue)| {
            queue.problem().map(|flaw| flaw.within(*name).within("queues"))
        });
        let mut subscriptions = self.subscriptions.iter();
        let mut subscription = || {
            let (name, flaw) = subscriptions.find_map(|(name, it)| Some((name, it.problem()?)))?;
            Some(flaw.within(*name).within("subscriptions"))
        };
        let mut topics = self.topics.iter();
        let mut topic = || {
            let (name, flaw) = topics.find_map(|(name, it)| {
                let own = name.problem().map(Flaw::new);
                Some((name.name, own.or_else(|| it.problem())?))
            })?;
            Some(flaw.within(name).within("topics"))
        };
        let machine = || self.machine.problem().map(|flaw| flaw.within("machine"));
        queue
            .or_else(&mut subscription)
            .or_else(&mut topic)
            .or_else(|| self.misnamed())
            .or_else(|| self.circular())
            .or_else(|| self.ill_kept())
            .or_else(machine)
    }

    /// A name that means something else, or two things.
    fn misnamed(&self) -> Option<Flaw> {
        let topics = || self.topics.keys().map(|topic| topic.name);
        let names = self.queues.keys().map(|name| ("queues", *name));
        let names = names.chain(topics().map(|name| ("topics", name)));
        let mut names = names.chain(self.subscriptions.keys().map(|name| ("subscriptions", *name)));
        names.find_map(|(field, name)| {
            let (title, label) = match field {
                _ if is_taken(name) => {
                    ("brokers and consumers call something else by this name", "call it otherwise")
                }
                "topics" | "subscriptions" if self.queues.contains_key(&name) => {
                    ("a queue of this broker has the same name", "call it otherwise")
                }
                _ => return None,
            };
            Some(Flaw::at(name, title).label(label).within(field))
        })
    }

    /// A queue whose dead letters come back as if they were new, without end.
    fn circular(&self) -> Option<Flaw> {
        let is_own = |(name, queue): &(&Name, &MessageQueue)| {
            queue.dead.as_ref().is_some_and(|dead| dead.to == **name)
        };
        let (name, _) = self.queues.iter().find(is_own)?;
        let flaw = Flaw::at("to", "a queue is not the place for its own dead letters");
        Some(flaw.within("dead").within(*name).within("queues"))
    }

    /// Mirrors that there are not, or too many queues.
    fn ill_kept(&self) -> Option<Flaw> {
        let most = self.mirrors.len();
        let is_mirrored = |rules: &Rules| rules.persistence == Persistence::Mirrored;
        let mirrored = self.every_queue().find(|(.., rules)| is_mirrored(rules));
        match self.copies {
            Some(copies) if copies == 0 || copies as usize > most => {
                let title = "`copies` is from 1 to how many `mirrors` there are";
                Some(Flaw::at("copies", title))
            }
            _ if let Some((name, ..)) = mirrored.filter(|_| most == 0) => {
                let title = "a queue with persistence `Mirrored` needs `mirrors`";
                let flaw =
                    Flaw::at("persistence", title).or("preset").label("give the broker some");
                Some(self.of_queue(name, flaw))
            }
            _ if self.every_queue().count() + self.topics.len() >= usize::from(u16::MAX) => {
                Some(Flaw::at("queues", "these are too many queues"))
            }
            _ => None,
        }
    }
}
