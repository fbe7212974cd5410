//! Queues that a broker or an invariant speaks of: the broker has them.

use super::variant::{Described, Whole};
use crate::engine::{Name, NodeId};
use crate::parts::{Broker, GroupRules};
use crate::patterns::Spec;
use crate::scenario::Invariant;
use crate::scenario::diagnose::Problem;

/// Queues that dead letters go to and queues that invariants are about, and that there are not.
pub(super) fn problems(whole: &Whole<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (id, node) in whole.described() {
        let (spec, of) = node.spec();
        let Spec::Broker(broker) = spec else { continue };
        let path = format!("nodes.{}", whole.places.name(id));
        for (queue, to) in broker.dead_letters() {
            let field = broker.field(queue, |name| whole.places.lexicon.spelling(name));
            let queues: Vec<Name> = broker.plain_queues().collect();
            let place = format!("{of}.{field}.dead.to");
            let sort = Sort { queues: &queues, what: "queue" };
            problems.extend(unlisted(whole, (id, to), (&path, &place), &sort));
        }
        problems.extend(idle_topics(whole, broker, (&path, of)));
        problems.extend(unknown_classes(whole, broker, (&path, of)));
    }
    problems.extend(unlike(whole));
    for (name, invariant) in &whole.draft.invariants {
        let path = format!("invariants.{name}");
        problems.extend(invariant.queue().and_then(|queue| match invariant {
            Invariant::Complete { .. } => not_subscribed(whole, queue, &path),
            _ => unknown(whole, queue, (&path, ".queue")),
        }));
        problems.extend(invariant.group().and_then(|group| no_group(whole, group, &path)));
        problems.extend(invariant.topic().and_then(|topic| unknown_topic(whole, topic, &path)));
    }
    problems
}

/// Topics and patterns of subscriptions that stand for no topic of their broker.
fn idle_topics(whole: &Whole<'_>, broker: &Broker, (path, of): (&str, &str)) -> Vec<Problem> {
    let known: Vec<&str> = broker.topic_names().collect();
    let idle = broker.unmatched().map(|(name, place, pattern)| {
        let name = whole.places.lexicon.spelling(name);
        let item = place.map(|place| format!(".{place}")).unwrap_or_default();
        let problem = whole.at(path, &format!("{of}.subscriptions.{name}.topics{item}"));
        let problem = problem.title(format!("no topic is called `{pattern}`, or like it"));
        problem.label("stands for nothing").choose(pattern, &known, "the topics are")
    });
    idle.collect()
}

/// Classes that filters name and no client gives to its requests.
fn unknown_classes(whole: &Whole<'_>, broker: &Broker, (path, of): (&str, &str)) -> Vec<Problem> {
    let spelt = |name| whole.places.lexicon.spelling(name);
    let known: Vec<&str> = whole.variant.classes.iter().map(|class| spelt(class.name)).collect();
    let named = broker.filtered_classes().filter(|(.., class)| !known.contains(&spelt(*class)));
    let problem = |(name, place, class): (Name, usize, Name)| {
        let inner = format!("{of}.subscriptions.{}.filter.classes.{place}", spelt(name));
        let title = format!("no class of requests is called `{}`", spelt(class));
        whole.at(path, &inner).title(title).choose(spelt(class), &known, "the classes are")
    };
    named.map(problem).collect()
}

/// What is said of a subscription that its broker does not have.
fn not_subscribed(
    whole: &Whole<'_>,
    (broker, subscription): (NodeId, Name),
    path: &str,
) -> Option<Problem> {
    let node = whole.described().into_iter().find(|(id, _)| *id == broker)?.1;
    let Described::Node(Spec::Broker(it)) = node else {
        return unknown(whole, (broker, subscription), (path, ".subscription"));
    };
    let own: Vec<Name> =
        it.described().filter(|it| it.subscribed.is_some()).map(|it| it.name).collect();
    let sort = Sort { queues: &own, what: "subscription" };
    unlisted(whole, (broker, subscription), (path, ".subscription"), &sort)
}

/// Members of a consumer group that go by other settings than one before them.
fn unlike(whole: &Whole<'_>) -> Vec<Problem> {
    let mut known: Vec<(NodeId, GroupRules)> = Vec::new();
    let mut problems = Vec::new();
    for (id, node) in whole.described() {
        let Some(rules) = member(&node) else { continue };
        let is_same =
            |(_, it): &&(NodeId, GroupRules)| (it.from, it.group) == (rules.from, rules.group);
        match known.iter().find(is_same) {
            Some((first, before)) if *before != rules => {
                let (name, other) = (whole.places.name(id), whole.places.name(*first));
                let group = whole.places.lexicon.spelling(rules.group);
                let title = format!("`{name}` reads as `{group}` by other settings than `{other}`");
                let label =
                    "members of a group have `topics`, `commit`, `start` and `failures` in common";
                problems.push(whole.at(&format!("nodes.{name}"), "").title(title).label(label));
            }
            Some(_) => {}
            None => known.push((id, rules)),
        }
    }
    problems
}

/// What a member of a consumer group goes by.
fn member(node: &Described<'_>) -> Option<GroupRules> {
    match node.spec() {
        (Spec::GroupConsumer(member), _) => Some(member.rules()),
        _ => None,
    }
}

/// What is said of a consumer group that nobody is a member of. A variant may do without it.
fn no_group(whole: &Whole<'_>, (broker, group): (NodeId, Name), path: &str) -> Option<Problem> {
    whole.offers(broker)?;
    let single = whole.of_a_cluster(broker, || whole.at(path, ".brokers"));
    if single.is_some() {
        return single;
    }
    let lexicon = whole.places.lexicon;
    let described = whole.described();
    let groups = described.iter().filter_map(|(_, node)| member(node));
    let known: Vec<Name> =
        groups.filter(|rules| rules.from == broker).map(|rules| rules.group).collect();
    let spelt = lexicon.spelling(group);
    let names: Vec<&str> = known.iter().map(|name| lexicon.spelling(*name)).collect();
    (!known.contains(&group)).then(|| {
        let title = format!("nobody reads `{}` as group `{spelt}`", whole.places.name(broker));
        let problem = whole.at(path, ".group").title(title).label("no group of this name");
        problem.choose(spelt, &names, "its groups are")
    })
}

/// What there is of a sort.
struct Sort<'a> {
    queues: &'a [Name],
    what: &'a str,
}

/// What is said of something that its broker does not have.
fn unlisted(
    whole: &Whole<'_>,
    (broker, name): (NodeId, Name),
    (path, inner): (&str, &str),
    sort: &Sort<'_>,
) -> Option<Problem> {
    let (lexicon, what) = (whole.places.lexicon, sort.what);
    let spelt = lexicon.spelling(name);
    let known: Vec<&str> = sort.queues.iter().map(|queue| lexicon.spelling(*queue)).collect();
    (!sort.queues.contains(&name)).then(|| {
        let title = format!("`{}` has no {what} `{spelt}`", whole.places.name(broker));
        let problem = whole.at(path, inner).title(title).label(format!("no {what} of this name"));
        problem.choose(spelt, &known, &format!("its {what}s are"))
    })
}

/// What is said of a queue that its broker does not have. A variant may do without the broker.
fn unknown(
    whole: &Whole<'_>,
    (broker, queue): (NodeId, Name),
    (path, inner): (&str, &str),
) -> Option<Problem> {
    let (offers, kind) = whole.offers(broker)?;
    let name = whole.places.name(broker);
    let Some(queues) = offers.queues else {
        let title = format!("`{name}` is a {kind} and has no queues");
        return Some(whole.at(path, ".broker").title(title).label("a Broker has"));
    };
    unlisted(whole, (broker, queue), (path, inner), &Sort { queues: &queues, what: "queue" })
}

/// What is said of a topic that its brokers do not have.
fn unknown_topic(
    whole: &Whole<'_>,
    (brokers, topic): (NodeId, Name),
    path: &str,
) -> Option<Problem> {
    let (offers, kind) = whole.offers(brokers)?;
    let (name, lexicon) = (whole.places.name(brokers), whole.places.lexicon);
    let Some(topics) = offers.topics else {
        let title = format!("`{name}` is a {kind} and has no topics in partitions");
        return Some(whole.at(path, ".brokers").title(title).label("a LogBroker has"));
    };
    let single = whole.of_a_cluster(brokers, || whole.at(path, ".brokers"));
    if single.is_some() {
        return single;
    }
    let spelt = lexicon.spelling(topic);
    let known: Vec<&str> = topics.iter().map(|topic| lexicon.spelling(*topic)).collect();
    (!topics.contains(&topic)).then(|| {
        let title = format!("`{name}` has no topic `{spelt}`");
        let problem = whole.at(path, ".topic").title(title).label("no topic of this name");
        problem.choose(spelt, &known, "its topics are")
    })
}

#[cfg(test)]
mod tests {
    use crate::scenario::diagnose::render;
    use crate::scenario::load;
    use crate::scenario::source::Source;

    const TEXT: &str = r#"Scenario(
    title: "Queues",
    run: (load: "10s"),
    nodes: {
        "a": Client(target: "b", operation: "mail", load: Poisson(rate: "1/s")),
        "b": Broker(queues: {"mail": (persistence: Off, deliveries_max: 2, dead: (to: "dead")), "dead": ()}),
        "f": Consumer(from: "b", queue: "mail", to: "w", operation: "do"),
        "m": Broker(),
        "w": Service(operations: {"do": (calls: [(to: "b", operation: "dead", one_way: true)])}),
        "k": Broker(mirrors: ["m"], queues: {"kept": (persistence: Mirrored)}),
    },
    invariants: {"kept": Kept(broker: "b", queue: "mail")},
)"#;

    /// What is said of these queues with one thing changed, and more besides.
    fn complaint(right: &str, wrong: &str, more: &str) -> String {
        assert!(TEXT.contains(right), "{right}");
        let text = TEXT.replacen(right, wrong, 1);
        let text = text.strip_suffix(')').expect("it is one value").to_owned() + more + ")";
        let source = Source::new("queues.ron", text);
        let problems = load(&source).map(|_| ());
        problems.map_or_else(|problems| render(&problems, Some(&source), false), |()| String::new())
    }

    /// Each is what stands there, what stands there instead, where that is, and what is said of it.
    fn refused(cases: &[(&str, &str, &str, &str)]) {
        for (right, wrong, place, says) in cases {
            let text = complaint(right, wrong, "");
            let place = format!("queues.ron:{place}\n");
            assert!(text.contains(&place) && text.contains(says), "{right} -> {wrong}:\n{text}");
        }
    }

    #[test]
    fn a_queue_that_there_is_not_is_found_at_its_place_with_the_nearest_that_there_is() {
        assert_eq!(complaint("Queues", "Queues", ""), "");
        refused(&[
            // A queue is an operation of its broker, for whoever publishes.
            ("n: \"mail\"", "n: \"mial\"", "5:45", "did you mean `mail`?"),
            ("n: \"dead\"", "n: \"daed\"", "9:71", "did you mean `dead`?"),
            ("(to: \"dead\"", "(to: \"daed\"", "6:87", "did you mean `dead`?"),
            ("queue: \"mail\", to", "queue: \"mial\", to", "7:41", "did you mean `mail`?"),
            ("from: \"b\"", "from: \"w\"", "7:29", "`w` is a Service and has no queues"),
            ("n: \"do\"", "n: \"to\"", "7:69", "did you mean `do`?"),
            ("[\"m\"]", "[\"w\"]", "10:31", "`w` is a Service and keeps no copies"),
            ("[\"m\"]", "[\"k\"]", "10:31", "`k` would be a mirror of itself"),
            ("(to: \"dead\"", "(to: \"mail\"", "6:87", "its own dead letters"),
            ("queue: \"mail\")}", "queue: \"letter\")}", "12:51", "its queues are"),
            ("broker: \"b\"", "broker: \"w\"", "12:39", "`w` is a Service and has no queues"),
        ]);
    }

    #[test]
    fn what_a_queue_cannot_be_is_refused_at_its_field() {
        refused(&[
            ("deliveries_max: 2", "deliveries_max: 0", "6:73", "at least 1"),
            ("deliveries_max: 2", "order: BestEffort(spread: 1)", "6:83", "among at least 2"),
            ("\"dead\": ()", "\"receive\": ()", "6:108", "something else by this name"),
            ("to: \"w\"", "pause: \"1us\", to: \"w\"", "7:56", "too often"),
            ("one_way: true", "one_way: true, optional: true", "9:104", "nobody waits"),
            ("one_way: true", "one_way: true, needs: 1", "9:101", "nobody waits"),
        ]);
    }

    const TOPICS: &str = r#"Scenario(
    title: "Topics",
    run: (load: "10s"),
    nodes: {
        "a": Client(target: "b", operation: "orders.placed", load: Poisson(rate: "1/s"), classes: [(name: "vip")]),
        "b": Broker(
            queues: {"dead": ()},
            topics: {"orders.placed": (), "orders.paid": (deduplication: "1min")},
            subscriptions: {
                "mail": (topics: ["orders.placed", "orders.*"], filter: (classes: ["vip"], values: (1, 2)),
                    queue: (deliveries_max: 2, dead: (to: "dead"))),
                "all": (topics: ">"),
            },
        ),
        "f": Consumer(from: "b", queue: "mail", to: "w", operation: "do"),
        "w": Service(operations: {"do": ()}),
    },
    invariants: {"complete": Complete(broker: "b", subscription: "mail")},
)"#;

    #[test]
    fn topics_and_subscriptions_that_there_are_not_are_found_at_their_places() {
        let said = |right: &str, wrong: &str| {
            assert!(TOPICS.contains(right), "{right}");
            let source = Source::new("queues.ron", TOPICS.replacen(right, wrong, 1));
            let problems = load(&source).map(|_| ());
            problems
                .map_or_else(|problems| render(&problems, Some(&source), false), |()| String::new())
        };
        assert_eq!(said("Topics", "Topics"), "");
        for (right, wrong, place, says) in [
            // Who publishes names a topic.
            (
                "n: \"orders.placed\"",
                "n: \"orders.plced\"",
                "5:99",
                "did you mean `orders.placed`?",
            ),
            // A subscription is no topic: nobody publishes to it.
            ("n: \"orders.placed\"", "n: \"mail\"", "5:91", "no operation `mail`"),
            (
                "[\"orders.placed\", ",
                "[\"orders.plced\", ",
                "10:35",
                "did you mean `orders.placed`?",
            ),
            ("\"orders.*\"]", "\"order.*\"]", "10:52", "`order.*`, or like it"),
            ("\">\"", "\"a.>\"", "12:33", "the topics are"),
            ("\">\"", "\">.a\"", "12:33", "at the end of a pattern"),
            ("\">\"", "[]", "12:33", "a topic at least"),
            ("[\"vip\"]", "[\"vpi\"]", "10:84", "did you mean `vip`?"),
            ("(1, 2)", "(2, 1)", "10:100", "(first, last)"),
            ("to: \"dead\"", "to: \"mail\"", "11:59", "no queue `mail`"),
            ("queue: \"mail\"", "queue: \"mali\"", "15:41", "did you mean `mail`?"),
            ("subscription: \"mail\"", "subscription: \"dead\"", "18:66", "its subscriptions are"),
            ("\"1min\"", "\"0s\"", "8:74", "recognises nothing"),
            ("\"orders.paid\":", "\"orders.*\":", "8:55", "are for patterns"),
            ("\"orders.paid\":", "\"dead\":", "8:51", "a queue of this broker"),
            ("\"all\":", "\"dead\":", "12:25", "a queue of this broker"),
        ] {
            let text = said(right, wrong);
            let place = format!("queues.ron:{place}\n");
            assert!(text.contains(&place) && text.contains(says), "{right} -> {wrong}:\n{text}");
        }
    }

    #[test]
    fn a_broker_has_a_log_if_a_queue_or_another_broker_wants_one() {
        let full = |node: &str, persistence: &str| {
            let fault = format!("\"f\": (what: DiskFull(node: \"{node}\"), at: \"1s\")");
            let queue = format!("\"dead\": (persistence: {persistence})");
            complaint("\"dead\": ()", &queue, &format!("faults: {{{fault}}},"))
        };
        assert_eq!(full("b", "Lazy"), "");
        assert_eq!(full("m", "Off"), "", "it keeps copies for another");
        let text = full("b", "Off");
        assert!(text.contains("`b` has no log"), "its queues are in memory\n{text}");
    }
}
