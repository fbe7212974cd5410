//! What types cannot say about a network, for the loader.

use super::queue::QueueSpec;
use super::spec::{Connect, HostSpec, NetworkSpec, ZoneSpec};
use crate::world::flaw::{Flaw, too_often};

impl NetworkSpec {
    /// What is wrong with it.
    pub fn problems(&self) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        let mut say = |place: &'static str, flaw: Option<Flaw>| {
            flaws.extend(flaw.map(|flaw| flaw.within(place)));
        };
        say("bursts", self.bursts.and_then(|bursts| bursts.problem()));
        say("queue", self.queue.problem());
        flaws.extend(self.ill_timed());
        for (place, link) in self.links.iter().enumerate() {
            let mut say = |flaw: Option<Flaw>| {
                flaws.extend(flaw.map(|flaw| flaw.within(place).within("links")));
            };
            say(link.bursts.and_then(|bursts| bursts.problem().map(|flaw| flaw.within("bursts"))));
            let bandwidth = link.bandwidth.or(self.bandwidth);
            say(ill_queued(link.queue.as_ref(), bandwidth.is_some()));
            let same = link.from == link.to;
            say(same.then(|| Flaw::at("to", "a node speaks to itself without a network")));
        }
        for (place, card) in self.cards.iter().enumerate() {
            let mut say = |flaw: Option<Flaw>| {
                flaws.extend(flaw.map(|flaw| flaw.within(place).within("cards")));
            };
            let idle = card.up.is_none() && card.down.is_none();
            let title = "a network card without `up` and `down` limits nothing";
            say(idle.then(|| Flaw::new(title)));
            say(ill_queued(card.queue.as_ref(), true));
        }
        for (place, link) in self.zone_links.iter().enumerate() {
            let mut say = |flaw: Option<Flaw>| {
                flaws.extend(flaw.map(|flaw| flaw.within(place).within("zone_links")));
            };
            say(link.bursts.and_then(|bursts| bursts.problem().map(|flaw| flaw.within("bursts"))));
            say(ill_queued(link.queue.as_ref(), link.bandwidth.is_some()));
            for (end, zone) in [("from", &link.from), ("to", &link.to)] {
                let known = self.zones.iter().any(|known| known.name == *zone);
                say((!known).then(|| Flaw::at(end, format!("no zone is called `{zone}`"))));
            }
        }
        let hosts = self.hosts.iter().enumerate();
        let hosts = hosts.filter_map(|(place, host)| {
            Some(self.ill_hosted(place, host)?.within(place).within("hosts"))
        });
        flaws.extend(hosts);
        flaws
    }

    /// What is wrong with a host, the one at this place.
    fn ill_hosted(&self, place: usize, host: &HostSpec) -> Option<Flaw> {
        if self.hosts[..place].iter().any(|other| other.name == host.name) {
            let title = format!("two hosts are called `{}`", host.name);
            return Some(Flaw::at("name", title).label("the second"));
        }
        if host.cores == Some(0) {
            let title = "without a core nothing is ever done on it";
            return Some(Flaw::at("cores", title).label("at least 1 of `cores`"));
        }
        let has = |zone: &&ZoneSpec| host.nodes.iter().any(|node| zone.nodes.contains(node));
        let zones: Vec<&str> =
            self.zones.iter().filter(has).map(|zone| zone.name.as_str()).collect();
        (zones.len() > 1).then(|| {
            let zones = zones.join("` and `");
            let title = format!("`{}` cannot be in several zones, `{zones}`", host.name);
            Flaw::at("nodes", title).label("these are in more than one")
        })
    }

    /// Times that bring a stream or a name service to nothing.
    fn ill_timed(&self) -> impl Iterator<Item = Flaw> {
        let short = "a stream that gives up before it has tried again never does";
        let short = (self.give_up < self.retransmit).then(|| Flaw::at("give_up", short));
        let idle = "an idle connection that costs nothing to open makes no difference";
        let free = self.idle.is_some() && self.connect == Connect::Free;
        let keepalive = "a keepalive of zero would break every connection at once";
        let zero = self.keepalive.is_some_and(|span| span.is_zero());
        let names = |zero: bool, field, title| zero.then(|| Flaw::at(field, title).within("names"));
        let service = self.names.as_ref();
        let flaws = [
            too_often("retransmit", self.retransmit),
            short,
            zero.then(|| Flaw::at("keepalive", keepalive)),
            free.then(|| Flaw::at("idle", idle)),
            names(
                service.is_some_and(|names| names.timeout.is_zero()),
                "timeout",
                "with a timeout of zero no name is ever resolved",
            ),
            names(
                service.is_some_and(|names| names.ttl.is_zero()),
                "ttl",
                "what is forgotten at once can never be used",
            ),
        ];
        flaws.into_iter().flatten()
    }
}

/// What is wrong with the queue in front of a bandwidth, if there is one.
fn ill_queued(queue: Option<&QueueSpec>, has_bandwidth: bool) -> Option<Flaw> {
    let queue = queue?;
    let lonely = "a queue without a bandwidth behind it never fills";
    let flaw = queue.problem().or_else(|| (!has_bandwidth).then(|| Flaw::new(lonely)));
    flaw.map(|flaw| flaw.within("queue"))
}
