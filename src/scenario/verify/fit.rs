//! Whether nodes answer what is asked of them.

use super::variant::Whole;
use crate::engine::{Name, NodeId};
use crate::scenario::diagnose::Problem;
use crate::world::{Ask, Known, Offers, RowsOf, Want};

/// Everything that is asked of somebody who does not answer it.
pub(super) fn problems(whole: &Whole<'_>) -> Vec<Problem> {
    let asks: Vec<(NodeId, Ask)> = all(whole);
    let wrong = |(from, ask): &(NodeId, Ask)| {
        let (offers, kind) = whole.offers(ask.to)?;
        Asked { whole, asks: &asks, from: *from, ask, kind }.problem(&offers)
    };
    asks.iter().filter_map(wrong).collect()
}

/// Everything that anybody asks of another.
pub(super) fn all(whole: &Whole<'_>) -> Vec<(NodeId, Ask)> {
    let described = whole.described().into_iter();
    described.flat_map(|(id, node)| node.asks().into_iter().map(move |ask| (id, ask))).collect()
}

impl Whole<'_> {
    /// Partitions are of a cluster: what is said of one of its brokers, at a place.
    pub fn of_a_cluster(&self, broker: NodeId, place: impl FnOnce() -> Problem) -> Option<Problem> {
        let group = self.variant.group_of(broker)?;
        let (name, address) = (self.places.name(broker), self.places.name(group.address));
        let title = format!("`{name}` is one of the brokers that partitions are spread over");
        Some(place().title(title).label(format!("the address of all is `{address}`")))
    }

    /// The names that a node knows, as they are spelt; `None` if any will do. Of one that answers
    /// whatever it is asked, those that it is asked for.
    pub fn known(&self, names: &Known, asked: impl Iterator<Item = Name>) -> Vec<String> {
        let spelt = |name: &Name| self.places.lexicon.spelling(*name).to_owned();
        let mut known: Vec<String> = match names {
            Known::Nothing => Vec::new(),
            Known::Anything => asked.map(|name| spelt(&name)).collect(),
            Known::These(names) => names.iter().map(spelt).collect(),
            Known::TopicsOf(broker) => {
                let topics = self.offers(*broker).and_then(|(offers, _)| offers.topics);
                topics.unwrap_or_default().iter().map(spelt).collect()
            }
            Known::Always(names) => names.iter().map(|name| (*name).to_owned()).collect(),
        };
        known.sort();
        known.dedup();
        known
    }
}

/// Something that is asked of a node that there is.
#[derive(Clone, Copy)]
struct Asked<'a> {
    whole: &'a Whole<'a>,
    asks: &'a [(NodeId, Ask)],
    from: NodeId,
    ask: &'a Ask,
    /// The kind of whom it is asked of.
    kind: &'static str,
}

impl Asked<'_> {
    fn problem(&self, offers: &Offers) -> Option<Problem> {
        match &self.ask.what {
            Want::Operation(name) => self.operation(*name, offers),
            Want::Rows(table) => self.rows(*table, offers),
            Want::Commit(_) if !offers.commits => {
                // Of a service each operation asks, and only the service says whom.
                let says_whom = !self.ask.fields[0].is_empty();
                says_whom.then(|| self.misfit("commits no transactions", "a Store does"))
            }
            Want::Commit([_, takes]) => {
                let RowsOf::Itself(own) = &offers.rows else { return None };
                let known = self.rows_of(self.ask.to, own);
                let unknown = takes.iter().find(|name| !known.contains(name))?;
                Some(self.unknown(*unknown, "account", &self.spelt(&known)))
            }
            Want::Locks => {
                (!offers.locks).then(|| self.misfit("grants no leases", "a LockService does"))
            }
            Want::Queue(name) => {
                let Some(queues) = &offers.queues else {
                    return Some(self.misfit("has no queues", "a Broker has"));
                };
                let is_known = queues.contains(name);
                (!is_known).then(|| self.unknown(*name, "queue", &self.spelt(queues)))
            }
            Want::Copies if self.ask.to == self.from => {
                let name = self.whole.places.name(self.from);
                let title = format!("`{name}` would be a mirror of itself");
                Some(self.at(0).title(title).label("another Broker, on another disk"))
            }
            Want::Copies => {
                let is_broker = offers.queues.is_some();
                (!is_broker).then(|| self.misfit("keeps no copies of messages", "a Broker does"))
            }
            Want::Controller => self.controls(offers),
            Want::Topics if offers.topics.is_none() => {
                Some(self.misfit("has no topics", "a LogBroker has"))
            }
            Want::Topics => self.whole.of_a_cluster(self.ask.to, || self.at(0)),
            Want::Topic(name) => {
                // Of whom has none, all topics are asked for at once.
                let topics = offers.topics.as_ref()?;
                let is_known = topics.contains(name);
                (!is_known).then(|| self.unknown(*name, "topic", &self.spelt(topics)))
            }
            Want::Events => (!offers.events).then(|| self.misfit("has no outbox", "a Store has")),
            Want::Published => (offers.operations == Known::Nothing)
                .then(|| self.misfit("has no operations", "such as a Broker")),
            Want::Relay(event) => self.relayed(*event, offers),
        }
    }

    /// A cluster of log brokers has one controller, and that one no other cluster.
    fn controls(&self, offers: &Offers) -> Option<Problem> {
        if !offers.controls {
            let title = "decides nothing about partitions";
            return Some(self.misfit(title, "a LogController does"));
        }
        let to = self.ask.to;
        let (name, count) = (self.whole.places.name(to), self.whole.count(to));
        if count > 1 {
            let title = format!("`{name}` are {count}, and a cluster has one controller");
            return Some(self.at(0).title(title).label("one LogController, without instances"));
        }
        let is_same = |ask: &Ask| ask.what == Want::Controller && ask.to == to;
        let others = self.asks.iter().filter(|(_, ask)| is_same(ask));
        let first = others.map(|(from, _)| *from).find(|from| *from != self.from)?;
        let title = format!("`{name}` is the controller of `{}`", self.whole.places.name(first));
        Some(self.at(0).title(title).label("each cluster has its own"))
    }

    fn operation(&self, name: Name, offers: &Offers) -> Option<Problem> {
        let known = match &offers.operations {
            Known::Anything => return None,
            Known::Nothing => return Some(self.misfit("has no operations", "such as a Service")),
            names => self.whole.known(names, std::iter::empty()),
        };
        let spelt = self.whole.places.lexicon.spelling(name);
        let is_known = known.iter().any(|one| one == spelt);
        (!is_known).then(|| self.unknown(name, "operation", &known))
    }

    /// An event that goes into an outbox wants somebody who publishes it, and whoever that is
    /// published to must know it.
    fn relayed(&self, event: Name, offers: &Offers) -> Option<Problem> {
        // Of a node that is no store each operation asks, and only the service says whom.
        if !offers.events {
            return None;
        }
        let of = |ask: &Ask| ask.what == Want::Events && ask.to == self.ask.to;
        let relays = self.asks.iter().filter(|(_, ask)| of(ask)).map(|(relay, _)| *relay);
        let mut relays = relays.peekable();
        if relays.peek().is_none() {
            let name = self.whole.places.name(self.ask.to);
            let title = format!("nobody publishes what is in the outbox of `{name}`");
            return Some(self.at(1).title(title).label("an Outbox does"));
        }
        let ends = self.asks.iter().filter(|(_, ask)| ask.what == Want::Published);
        let ends: Vec<&(NodeId, Ask)> = ends.collect();
        relays.find_map(|relay| {
            let (_, end) = ends.iter().find(|(from, _)| *from == relay)?;
            let (offers, _) = self.whole.offers(end.to)?;
            let asked = Ask { to: end.to, ..self.ask.clone() };
            Asked { ask: &asked, ..*self }.operation(event, &offers)
        })
    }

    fn rows(&self, table: Option<Name>, offers: &Offers) -> Option<Problem> {
        let mut seen = vec![self.from];
        let (mut at, mut rows) = (self.ask.to, offers.rows.clone());
        loop {
            match rows {
                RowsOf::Nobody if at == self.ask.to => {
                    return Some(self.misfit("has no rows to read", "a Store or a Cache has"));
                }
                // Whoever reads from it is told so.
                RowsOf::Nobody => return None,
                RowsOf::Itself(own) => {
                    let known = self.rows_of(at, &own);
                    let table = table.filter(|table| !known.contains(table))?;
                    return Some(self.unknown(table, "table", &self.spelt(&known)));
                }
                RowsOf::Other(_) if at == self.from => {
                    let name = self.whole.places.name(self.from);
                    let title = format!("`{name}` would read from itself, without end");
                    return Some(self.at(0).title(title).label("at last there must be a Store"));
                }
                // A circle that this one is not part of.
                RowsOf::Other(_) if seen.contains(&at) => return None,
                RowsOf::Other(next) => {
                    seen.push(at);
                    (at, rows) = (next, self.whole.offers(next)?.0.rows);
                }
            }
        }
    }

    /// The tables and accounts of a store: its own, and those that somebody gives to.
    fn rows_of(&self, store: NodeId, own: &[Name]) -> Vec<Name> {
        let given = self.asks.iter().filter(|(_, ask)| ask.to == store);
        let given = given.filter_map(|(_, ask)| match &ask.what {
            Want::Commit([gives, _]) => Some(gives),
            _ => None,
        });
        own.iter().chain(given.flatten()).copied().collect()
    }

    fn spelt(&self, names: &[Name]) -> Vec<String> {
        self.whole.known(&Known::These(names.to_vec()), std::iter::empty())
    }

    /// A problem at the field that says whom, or at the one that says what.
    fn at(&self, field: usize) -> Problem {
        let path = format!("nodes.{}", self.whole.places.name(self.from));
        let mut inner = self.whole.places.path("", &self.ask.steps);
        let field = self.ask.fields[field];
        if !field.is_empty() {
            inner += &format!(".{field}");
        }
        self.whole.at(&path, &inner)
    }

    fn misfit(&self, what: &str, label: &str) -> Problem {
        let (name, kind) = (self.whole.places.name(self.ask.to), self.kind);
        self.at(0).title(format!("`{name}` is a {kind} and {what}")).label(label)
    }

    fn unknown(&self, name: Name, what: &str, known: &[String]) -> Problem {
        let spelt = self.whole.places.lexicon.spelling(name);
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let title = format!("`{}` has no {what} `{spelt}`", self.whole.places.name(self.ask.to));
        let problem = self.at(1).title(title).label(format!("no {what} of this name"));
        match known.is_empty() {
            true => problem.help(format!("it has no {what} at all")),
            false => problem.choose(spelt, &known, &format!("its {what}s are")),
        }
    }
}
