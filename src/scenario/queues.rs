//! Names of queues: whoever speaks of a queue of a broker speaks of one that the broker has.

use super::diagnose::Problem;
use super::spans::Spans;
use super::{Invariant, Lexicon, Variant};
use crate::engine::{Name, NodeId};
use crate::patterns::Spec;

/// What a variant says of queues that there are not.
pub(super) fn problems(
    invariants: &[(&String, &Invariant)],
    (variant, place): (&Variant, usize),
    nodes: &[String],
    (lexicon, spans): (&Lexicon, &Spans),
) -> Vec<Problem> {
    let known = |broker: NodeId| match &variant.nodes.get(broker.index()) {
        Some(Some(Spec::Broker(one))) => Some(one.queues().map(|(name, ..)| name).collect()),
        _ => None,
    };
    let mut found = Vec::new();
    let mut look = |path: String, broker: NodeId, queue: Name| {
        let queues: Option<Vec<Name>> = known(broker);
        let own = format!("variants.{place}.{path}");
        let at = [&own, &path].into_iter().find_map(|path| spans.get(path));
        let problem = at.map_or_else(|| Problem::new(""), Problem::at);
        let (name, spelt) = (&nodes[broker.index()], lexicon.spelling(queue));
        match queues {
            None => found.push(problem.title(format!("`{name}` is no broker")).label("here")),
            Some(queues) if !queues.contains(&queue) => {
                let queues: Vec<&str> = queues.iter().map(|it| lexicon.spelling(*it)).collect();
                let title = format!("`{name}` has no queue called `{spelt}`");
                found.push(problem.title(title).choose(spelt, &queues, "its queues are"));
            }
            Some(_) => {}
        }
    };
    for (number, spec) in variant.nodes.iter().enumerate() {
        let node = &nodes[number];
        match spec {
            Some(Spec::Consumer(consumer)) => {
                let (broker, queue) = consumer.source();
                look(format!("nodes.{node}.queue"), broker, queue);
            }
            Some(Spec::Broker(broker)) => {
                for (queue, to) in broker.dead_letters() {
                    let queue = lexicon.spelling(queue);
                    let path = format!("nodes.{node}.queues.{queue}.dead.to");
                    look(path, NodeId(number as u32), to);
                }
            }
            _ => {}
        }
    }
    // A variant may do without the broker.
    let about = invariants.iter().filter_map(|(name, one)| Some((name, one.queue()?)));
    for (name, (broker, queue)) in about.filter(|(_, (broker, _))| known(*broker).is_some()) {
        look(format!("invariants.{name}.queue"), broker, queue);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::diagnose::render;
    use super::super::load;
    use super::super::source::Source;

    const TEXT: &str = r#"Scenario(
    title: "Queues",
    run: (load: "10s"),
    nodes: {
        "a": Client(target: "b", operation: "mail", load: Poisson(rate: "1/s")),
        "b": Broker(queues: {"mail": (deliveries_max: 2, dead: (to: "dead")), "dead": ()}),
        "f": Consumer(from: "b", queue: "mail", to: "w", operation: "do"),
        "w": Service(operations: {"do": ()}),
    },
    invariants: {"kept": Kept(broker: "b", queue: "mail")},
)"#;

    #[test]
    fn a_queue_that_there_is_not_is_found_at_its_place_with_the_nearest_that_there_is() {
        assert!(load(&Source::new("queues.ron", TEXT)).is_ok());
        for (right, wrong, place, says) in [
            ("to: \"dead\"", "to: \"daed\"", "queues.ron:6:", "did you mean `dead`?"),
            (
                "from: \"b\", queue: \"mail\"",
                "from: \"b\", queue: \"mial\"",
                "queues.ron:7:",
                "did you mean `mail`?",
            ),
            ("from: \"b\"", "from: \"w\"", "queues.ron:7:", "`w` is no broker"),
            (
                "Kept(broker: \"b\", queue: \"mail\"",
                "Kept(broker: \"b\", queue: \"letter\"",
                "queues.ron:10:",
                "its queues are",
            ),
        ] {
            let source = Source::new("queues.ron", TEXT.replacen(right, wrong, 1));
            let problems = load(&source).expect_err("it should be refused");
            let text = render(&problems, Some(&source), false);
            assert!(text.contains(place) && text.contains(says), "{text}");
        }
    }
}
