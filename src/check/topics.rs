//! Events of topics: how many copies each had, when the first and the last subscriber had seen it,
//! and what it caused.

use super::queue_counts::QueueCounts;
use super::queues::{Queue, Standing};
use super::requests::Requests;
use crate::engine::{Fact, NodeId, Root, Time};
use crate::parts::broker_facts as facts;
use crate::stats::Histogram;

/// What happened to an event.
#[derive(Clone, Copy, Debug, Default)]
struct Event {
    /// When its request was meant to begin.
    began: Time,
    copies: u32,
    /// Copies that have not left their subscription.
    open: u32,
    /// Copies that are with consumers.
    out: u32,
    /// Subscriptions that will never see it.
    unseen: u32,
    /// When a subscription had processed it first.
    first: Option<Time>,
    /// How many events led to it, itself among them.
    depth: u32,
    /// The event of the same operation before it; 0 for none.
    before: u64,
}

/// The events of one broker.
struct Events {
    node: NodeId,
    /// For each topic the places of its subscriptions.
    routes: Vec<Vec<usize>>,
    /// By number, from 1.
    events: Vec<Event>,
    /// The event of each operation that was published last.
    newest: Vec<u64>,
    /// The event whose copies are being given out: the fact, and the place of its topic.
    now: Option<(Fact, usize, u64)>,
}

/// The topics of a run.
pub(crate) struct Topics {
    brokers: Vec<Events>,
    /// The measured load.
    measured: (Time, Time),
    /// From the intended start of the request until the last subscription has processed it.
    effects: Histogram,
    /// From the first subscription that has processed it to the last.
    spread: Histogram,
    published: u64,
    copies: u64,
    deliveries: u64,
    complete: u64,
    pub filtered: u64,
    missed: u64,
    depth: u32,
}

impl Events {
    fn event(&mut self, number: u64) -> &mut Event {
        let place = (number as usize).saturating_sub(1);
        if place >= self.events.len() {
            self.events.resize(place + 1, Event::default());
        }
        &mut self.events[place]
    }

    /// How many events led to one that this operation publishes now: those that are with a consumer
    /// meanwhile count as its causes.
    fn depth(&self, mut newest: u64) -> u32 {
        let mut depth = 0;
        while let Some(event) = self.events.get((newest as usize).wrapping_sub(1)) {
            if event.out > 0 {
                depth = depth.max(event.depth);
            }
            newest = event.before;
        }
        depth + 1
    }

    fn newest(&mut self, root: Root) -> &mut u64 {
        let place = root.0 as usize;
        if place >= self.newest.len() {
            self.newest.resize(place + 1, 0);
        }
        &mut self.newest[place]
    }

    /// All copies of the last event have been given out.
    fn settle(&mut self, queues: &mut [Queue]) {
        let Some((fact, topic, number)) = self.now.take() else { return };
        for place in self.routes.get(topic).into_iter().flatten() {
            queues[*place].owes(&fact, number, Time(fact.value));
        }
    }
}

impl Topics {
    /// Of a run that is measured between these instants.
    pub fn new(measured: (Time, Time)) -> Topics {
        Topics {
            brokers: Vec::new(),
            measured,
            effects: Histogram::new(),
            spread: Histogram::new(),
            published: 0,
            copies: 0,
            deliveries: 0,
            complete: 0,
            filtered: 0,
            missed: 0,
            depth: 0,
        }
    }

    /// A broker has these topics, each with the places of its subscriptions.
    pub fn add(&mut self, node: NodeId, routes: impl Iterator<Item = Vec<usize>>) {
        let routes: Vec<Vec<usize>> = routes.collect();
        if !routes.is_empty() {
            let (events, newest) = (Vec::new(), Vec::new());
            self.brokers.push(Events { node, routes, events, newest, now: None });
        }
    }

    fn broker(&mut self, node: NodeId) -> Option<&mut Events> {
        self.brokers.iter_mut().find(|events| events.node == node)
    }

    /// Something was noted of an event as a whole.
    pub fn event(
        &mut self,
        fact: &Fact,
        (topic, number): (usize, u64),
        queues: &mut [Queue],
        counts: &mut QueueCounts,
    ) {
        if fact.what == facts::DUPLICATE {
            counts.duplicates += 1;
        }
        if fact.what != facts::PUBLISHED {
            return;
        }
        self.published += 1;
        let Some(broker) = self.broker(fact.node) else { return };
        broker.settle(queues);
        broker.now = Some((*fact, topic, number));
        // What belongs to no operation was led to by nothing.
        let before = match fact.root {
            Root::NONE => 0,
            root => std::mem::replace(broker.newest(root), number),
        };
        // A broker that forgot its events gives their numbers out again.
        let before = if before < number { before } else { 0 };
        let depth = broker.depth(before);
        *broker.event(number) = Event { depth, before, ..Event::default() };
        self.depth = self.depth.max(depth);
    }

    /// A message comes that is no copy of the event whose copies are being given out: that was all.
    pub fn other_than(&mut self, node: NodeId, number: u64, queues: &mut [Queue]) {
        if let Some(broker) = self.broker(node)
            && broker.now.is_some_and(|(.., now)| now != number)
        {
            broker.settle(queues);
        }
    }

    /// A copy stands otherwise than before.
    pub fn turned(
        &mut self,
        fact: &Fact,
        number: u64,
        (was, is): (Standing, Standing),
        requests: &Requests,
    ) {
        use Standing::{Left, None, Out, Waiting};
        let Some(broker) = self.broker(fact.node) else { return };
        let event = broker.event(number);
        match (was, is) {
            (None | Left, Waiting) => {
                event.began = requests.began(fact.root).unwrap_or(fact.at);
                (event.copies, event.open) = (event.copies + 1, event.open + 1);
                self.copies += 1;
            }
            (Waiting, Out) => event.out += 1,
            (Out, Waiting) => event.out = event.out.saturating_sub(1),
            (Waiting | Out, Left) => {
                event.open = event.open.saturating_sub(1);
                event.out = event.out.saturating_sub(u32::from(was == Out));
                if fact.what == facts::PROCESSED {
                    event.first.get_or_insert(fact.at);
                } else {
                    event.unseen += 1;
                }
                if event.open == 0 {
                    let done = *event;
                    self.finished(&done, fact.at);
                }
            }
            _ => {}
        }
        self.deliveries += u64::from(fact.what == facts::DELIVERED);
    }

    /// No copy of an event is left; the last went at this instant.
    fn finished(&mut self, event: &Event, at: Time) {
        let Some(first) = event.first.filter(|_| event.unseen == 0) else { return };
        self.complete += 1;
        if event.began >= self.measured.0 {
            self.effects.record((at - event.began).0);
            if event.copies > 1 {
                self.spread.record((at - first).0);
            }
        }
    }

    /// A copy was lost with its broker.
    pub fn lost(&mut self, node: NodeId, number: u64) {
        let Some(broker) = self.broker(node) else { return };
        let event = broker.event(number);
        event.open = event.open.saturating_sub(1);
        event.unseen += 1;
    }

    /// A subscription was not there for an event.
    pub fn missed(&mut self, node: NodeId, number: u64) {
        self.missed += 1;
        if let Some(broker) = self.broker(node) {
            broker.event(number).unseen += 1;
        }
    }

    /// The run is over.
    pub fn close(&mut self, queues: &mut [Queue], of_node: &[Option<(usize, usize)>]) {
        for broker in &mut self.brokers {
            if let Some((first, count)) = of_node[broker.node.index()] {
                broker.settle(&mut queues[first..first + count]);
            }
        }
    }

    /// The value of a metric about topics; none where there is no topic.
    pub fn value(&self, id: &str) -> Option<f64> {
        if self.brokers.is_empty() {
            return None;
        }
        let quantile = |of: &Histogram, share| of.quantile(share).map(|it| it as f64 / 1e9);
        let mean = |of: &Histogram| of.mean().map(|it| it / 1e9);
        let each = |count: u64| (self.published > 0).then(|| count as f64 / self.published as f64);
        match id {
            "latency.effects_mean" => mean(&self.effects),
            "latency.effects_p50" => quantile(&self.effects, 0.5),
            "latency.effects_p99" => quantile(&self.effects, 0.99),
            "latency.spread_mean" => mean(&self.spread),
            "latency.spread_p50" => quantile(&self.spread, 0.5),
            "latency.spread_p99" => quantile(&self.spread, 0.99),
            "availability.seen_by_all" => each(self.complete),
            "consistency.missed" => Some(self.missed as f64),
            "cost.fan_out" => each(self.copies),
            "cost.event_deliveries" => each(self.deliveries),
            "cost.filtered" => Some(self.filtered as f64),
            "complexity.event_depth" => Some(f64::from(self.depth)),
            _ => None,
        }
    }
}
