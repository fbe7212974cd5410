//! Topics while their broker runs: which subscriptions each leads to, and which events there were.

mod ended;
mod levels;
mod publish;
mod recall;
mod settings;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

pub(super) use ended::END;
pub use levels::{Pattern, TopicName};
pub(super) use publish::PUBLISHED;
pub(super) use recall::event;
pub use settings::{Filter, Objects, Subscription, Topic};

use super::Broker;
use super::backlog::Message;
use super::line::Turns;
use super::recent::Recent;
use super::settings::Persistence;
use crate::engine::{Class, Name, Ratio, Span, Time};
use crate::world::Cx;

/// All topics of a broker that runs. Events have one series of numbers, whatever their topic is:
/// a copy has the number of its event.
#[derive(Clone, Debug, Default)]
pub(super) struct Topics {
    /// By name, their places among the routes.
    places: BTreeMap<Name, usize>,
    routes: Vec<Route>,
    newest: Cell<u64>,
    /// Events become visible in the order of their numbers.
    turns: Turns,
}

/// Where what is published to a topic goes.
#[derive(Clone, Debug)]
struct Route {
    name: Name,
    /// Behind those of the queues and subscriptions.
    place: u16,
    window: Option<Span>,
    recent: RefCell<Recent>,
    targets: Vec<Target>,
    /// How many of them look at what is published before they take it.
    filters: u64,
}

/// A subscription that a topic leads to.
#[derive(Clone, Debug)]
struct Target {
    /// The place of its queue.
    place: u16,
    sieve: Option<Sieve>,
    persistence: Persistence,
    /// Is it only there while a consumer is?
    is_ephemeral: bool,
    /// Can it be full?
    is_bounded: bool,
    from: Time,
    until: Time,
}

/// A filter with its classes resolved.
#[derive(Clone, Debug)]
struct Sieve {
    classes: Option<Vec<Class>>,
    keys: Option<Objects>,
    values: Option<(u64, u64)>,
    share: Option<Ratio>,
}

impl Sieve {
    fn new(cx: &Cx, filter: &Filter) -> Sieve {
        let named = |name: &Name| cx.with(|state| state.env.class_named(*name));
        let classes = || filter.classes.iter().filter_map(named).collect();
        Sieve {
            classes: (!filter.classes.is_empty()).then(classes),
            keys: filter.keys.clone(),
            values: filter.values,
            share: filter.share,
        }
    }

    fn passes(&self, message: &Message) -> bool {
        let Message { class, key, value, root, .. } = *message;
        self.classes.as_ref().is_none_or(|all| all.contains(&class))
            && self.keys.as_ref().is_none_or(|keys| keys.contain(key))
            && self.values.is_none_or(|(first, last)| (first..=last).contains(&value))
            && self.share.is_none_or(|share| Filter::shares(share, root.0, key))
    }
}

impl Target {
    /// Was it there when this event was published?
    fn is_there(&self, message: &Message) -> bool {
        (self.from..self.until).contains(&message.since)
    }

    fn passes(&self, message: &Message) -> bool {
        self.sieve.as_ref().is_none_or(|sieve| sieve.passes(message))
    }

    /// Does it get a copy of this event, if it is connected?
    fn wants(&self, message: &Message) -> bool {
        self.is_there(message) && self.passes(message)
    }
}

impl Topics {
    /// The number of the next event.
    pub fn number(&self) -> u64 {
        self.newest.set(self.newest.get() + 1);
        self.newest.get()
    }

    /// Numbers up to this one are taken.
    pub fn begin_after(&self, number: u64) {
        self.newest.set(self.newest.get().max(number));
    }

    pub fn turns(&self) -> &Turns {
        &self.turns
    }
}

impl Broker {
    /// Its topics, nothing published yet.
    pub(super) fn topics(&self, cx: &Cx) -> Topics {
        let first = self.queues.len() + self.subscriptions.len();
        let routes = (first..).zip(&self.topics).map(|(place, (name, topic))| {
            let targets: Vec<Target> = self.targets(cx, name.text());
            Route {
                name: name.name,
                place: place as u16,
                window: topic.deduplication,
                recent: RefCell::default(),
                filters: targets.iter().filter(|target| target.sieve.is_some()).count() as u64,
                targets,
            }
        });
        let routes: Vec<Route> = routes.collect();
        let places = routes.iter().enumerate().map(|(place, route)| (route.name, place)).collect();
        Topics { places, routes, ..Topics::default() }
    }

    /// The subscriptions to this topic.
    fn targets(&self, cx: &Cx, topic: &str) -> Vec<Target> {
        let subscriptions = (self.queues.len()..).zip(self.subscriptions.values());
        let own = subscriptions.filter(|(_, it)| it.topics.matches(topic));
        let target = |(place, it): (usize, &Subscription)| Target {
            place: place as u16,
            sieve: it.filter.as_ref().map(|filter| Sieve::new(cx, filter)),
            persistence: it.rules().persistence,
            is_ephemeral: !it.durable,
            is_bounded: it.queue.length_max.is_some(),
            from: Time(0) + it.from.unwrap_or_default(),
            until: it.until.map_or(Time::MAX, |until| Time(0) + until),
        };
        own.map(target).collect()
    }
}
