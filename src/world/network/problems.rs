//! What types cannot say about a network, for the loader.

use super::spec::{Connect, NetworkSpec};

impl NetworkSpec {
    /// What is wrong with it: the path of a value within the network, and a sentence.
    pub fn problems(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        let mut say = |path: String, problem: Option<&str>| {
            problems.extend(problem.map(|problem| (path, problem.to_owned())));
        };
        let bursts = |bursts: &Option<super::Bursts>| bursts.and_then(|bursts| bursts.problem());
        say("bursts".to_owned(), bursts(&self.bursts));
        say("queue".to_owned(), self.queue.problem());
        say(
            "retransmit".to_owned(),
            self.retransmit.is_zero().then_some("a stream that tries again at once never rests"),
        );
        let is_short = self.give_up < self.retransmit;
        say(
            "give_up".to_owned(),
            is_short.then_some("a stream that gives up before it has tried again never does"),
        );
        let keepalive = self.keepalive.is_some_and(|span| span.is_zero());
        say(
            "keepalive".to_owned(),
            keepalive.then_some("a keepalive of zero would break every connection at once"),
        );
        let idle = self.idle.is_some() && self.connect == Connect::Free;
        say(
            "idle".to_owned(),
            idle.then_some("an idle connection that costs nothing to open makes no difference"),
        );
        for (place, link) in self.links.iter().enumerate() {
            say(format!("links.{place}.bursts"), bursts(&link.bursts));
            let queue = link.queue.as_ref();
            say(format!("links.{place}.queue"), queue.and_then(|queue| queue.problem()));
            let lonely = queue.is_some() && link.bandwidth.or(self.bandwidth).is_none();
            say(format!("links.{place}.queue"), lonely.then_some(LONELY));
            let same = link.from == link.to;
            say(
                format!("links.{place}"),
                same.then_some("a node speaks to itself without a network"),
            );
        }
        for (place, card) in self.cards.iter().enumerate() {
            let queue = card.queue.as_ref();
            say(format!("cards.{place}.queue"), queue.and_then(|queue| queue.problem()));
            let idle = card.up.is_none() && card.down.is_none();
            say(
                format!("cards.{place}"),
                idle.then_some("a network card without `up` and `down` limits nothing"),
            );
        }
        for (place, link) in self.zone_links.iter().enumerate() {
            say(format!("zone_links.{place}.bursts"), bursts(&link.bursts));
            let queue = link.queue.as_ref();
            say(format!("zone_links.{place}.queue"), queue.and_then(|queue| queue.problem()));
            let lonely = queue.is_some() && link.bandwidth.is_none();
            say(format!("zone_links.{place}.queue"), lonely.then_some(LONELY));
        }
        problems.extend(self.names_and_zones());
        problems
    }

    /// What is wrong with the name service, and which zones there are not.
    fn names_and_zones(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        let mut say = |path: &str, problem: Option<&str>| {
            problems.extend(problem.map(|problem| (path.to_owned(), problem.to_owned())));
        };
        if let Some(names) = &self.names {
            let none = names.timeout.is_zero();
            say("names.timeout", none.then_some("with a timeout of zero no name is ever resolved"));
            let never = names.ttl.is_zero();
            say("names.ttl", never.then_some("what is forgotten at once can never be used"));
        }
        for (place, host) in self.hosts.iter().enumerate() {
            let say = |more: String| (format!("hosts.{place}"), more);
            let is_twice = self.hosts[..place].iter().any(|other| other.name == host.name);
            problems.extend(is_twice.then(|| say(format!("two hosts are called `{}`", host.name))));
            let text = "without a core nothing is ever done on it: at least 1 of `cores`";
            problems.extend((host.cores == Some(0)).then(|| say(text.to_owned())));
            let zones: Vec<&str> = self
                .zones
                .iter()
                .filter(|zone| host.nodes.iter().any(|node| zone.nodes.contains(node)))
                .map(|zone| zone.name.as_str())
                .collect();
            problems.extend((zones.len() > 1).then(|| {
                let zones = zones.join("` and `");
                say(format!("`{}` cannot be in several zones, `{zones}`", host.name))
            }));
        }
        for (place, link) in self.zone_links.iter().enumerate() {
            for (end, zone) in [("from", &link.from), ("to", &link.to)] {
                if !self.zones.iter().any(|known| known.name == *zone) {
                    let path = format!("zone_links.{place}.{end}");
                    problems.push((path, format!("no zone is called `{zone}`")));
                }
            }
        }
        problems
    }
}

const LONELY: &str = "a queue without a bandwidth behind it never fills";
